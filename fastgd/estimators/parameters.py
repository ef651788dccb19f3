"""The parameters of both SGD estimators, checked, and the arguments of ``fastgd.fit`` that they come to."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, fields
from numbers import Integral, Real
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar, Literal

from joblib import effective_n_jobs
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from ..inputs import arguments
from ..linear.chunks import STREAM_BATCH
from ..parts import losses, optimizers
from ..parts.registry import snake_case
from ..solvers.compiled import COMPILED
from ..solvers.first_order import EPOCHS_BATCHES, MANY_COLUMNS, TOL_FULL
from ..solvers.kinks import made_of_lines
from ..solvers.staged_sgd import chosen_epochs
from .from_sources import is_sparse
from .sklearn_rules import PASSIVE_AGGRESSIVE, SCHEDULES, optimizer_of, schedule_of, step_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

    from .._types import AnyLoss, AnyOptimizer, Bounds, Rate, Shuffle

OF_EPSILON = {"huber": "delta", "epsilon_insensitive": "epsilon", "squared_epsilon_insensitive": "epsilon"}
TOL = 1e-3  # scikit-learn's, of objectives and scores; relative, what scores tell apart


def parameter(default, constraints):
    """A parameter of the estimators: its default, and the constraints that scikit-learn checks it by."""
    return field(default=default, metadata={"constraints": constraints})


@dataclass(eq=False, repr=False)
class Parameters(BaseEstimator):
    """The parameters of an SGD estimator.

    ``_check_parameters`` checks them; ``_options`` turns them into the arguments of ``fastgd.fit``. What follows goes
    into the docstrings of the estimators (``docs.py``).

    Parameters
    ----------
    penalty : {"l2", "l1", "elasticnet"} or None, default "l2"
        Its strength is ``alpha``. It acts on the coefficients of scaled columns, as behind a StandardScaler; on the raw
        ones, as in scikit-learn, where columns are not standardised (see ``standardize``).
    alpha : float, default 0.0001
        Strength of the penalty; also what "optimal" rates are made of.
    l1_ratio : float or None, default 0.15
        The share of L1 in "elasticnet".
    fit_intercept : bool, default True
    max_iter : int, default 1000
        The largest number of passes of ``fit``.
    tol : "auto", float or None, default "auto"
        When to end. With an automatic rate the relative decrease of the objective that is too little, "auto" is 1e-6 on
        the full batch of a loss without kinks and 1e-3 otherwise. Else scikit-learn's rule: the objective (or the
        score of the held-out rows) has to gain this much, in absolute terms, and "auto" is 1e-3. None never ends.
    shuffle : bool or {"block", "full", "replacement"}, default True
        True is scikit-learn's order for given schedules, and "block" otherwise, which reads faster. See
        :func:`fastgd.fit` for the others.
    verbose : int, default 0
        1 prints what was chosen and shows a progress bar; -1 is silent about compilation, too.
    epsilon : float, default 0.1
        Of the losses "huber", "epsilon_insensitive" and "squared_epsilon_insensitive".
    random_state : int, RandomState instance or None, default None
    learning_rate : str, float or part, default "auto"
        "auto" asks for no rate: steps are those that :func:`fastgd.fit` chooses.
        scikit-learn's "constant", "optimal", "invscaling", "adaptive", "pa1" and "pa2" take scikit-learn's steps. A
        number, the name of another of :mod:`fastgd.schedules` (its first rate is ``eta0``), or e.g.
        ``fastgd.schedules.Cosine(0.1)``.
    eta0 : float, default 0.01
    early_stopping : bool, default False
        Hold out ``validation_fraction`` of the rows and end when their score has not risen by ``tol`` for
        ``n_iter_no_change`` epochs. The weights are the last ones.
    validation_fraction : float, default 0.1
    n_iter_no_change : int, default 5
    warm_start : bool, default False
        Begin at the coefficients of the fit before.
    average : bool or int, default False
        Give the mean of the weights after each step, from the first step or the step of this number on.
    optimizer : "auto", "newton", str or part, default "auto"
        One of :mod:`fastgd.optimizers`; "newton" as for :func:`fastgd.fit`.
    momentum : float or None, default None
        Of "sgd", "momentum", "nesterov" or "rmsprop".
    batch_size : "auto", int or None, default "auto"
        Rows a step, None is all. "auto" is 1 with a given schedule; with an automatic rate it is all, or 32 of sparse
        rows with 1,024 columns or more for which :func:`fastgd.fit` has no other method than steps of first order; in
        ``partial_fit`` single rows, 32 where ``optimizer`` is given.
    standardize : "auto", "scale" or bool, default "auto"
        Scale the columns as they are read, and let the penalty act on the coefficients of the scaled columns; "scale"
        does not centre them, which sparse ones never are. "auto" is True with an automatic rate on dense columns, and
        False on sparse rows and with a given rate or schedule. ``coef_`` is in the units of the columns either way.
    penalty_factor : array-like (d,) or None, default None
        What multiplies ``alpha`` for each column: 0 is no penalty, None 1 for all (see :func:`fastgd.fit`). Steps of a
        given schedule then take L2 by a proximal step, too.
    bounds : (low, high) or None, default None
        Numbers or arrays (d,) between which the coefficients stay.

    Attributes
    ----------
    n_iter_ : int
        Epochs, as :func:`fastgd.fit` counts them; of models that ended apart the most.
    t_ : float
        1 + the rows passed, as scikit-learn counts them.
    loss_curve_ : ndarray (epochs,)
        The loss of each epoch, the mean over targets or classes: the objective on the full batch, and the running mean
        of the losses, without the penalty, in batches.
    choices_ : dict of str to str
        What was chosen for each setting left at "auto", in words.
    n_features_in_, feature_names_in_

    Notes
    -----
    With an automatic rate, and on the full batch, row weights are scaled to mean 1, so that integer weights equal
    repeated rows. On batches with a given schedule, and in ``partial_fit``, they are taken as they are, and the results
    are scikit-learn's to rounding on dense rows without L1 and at the same number of epochs. Where an epoch ends a run
    may differ by a hair: the penalty is measured between epochs. L1 is a proximal step here, not cumulative, and early
    stopping scores the weights as they are (scikit-learn: before their L2 shrinking is multiplied in). Sparse rows give
    the model that they give when dense: their intercept is not held back.
    """

    margin_loss: ClassVar[str]  # the loss that the schedules "pa1" and "pa2" are for

    loss: AnyLoss = parameter(None, "no_validation")  # each estimator has its own
    _: KW_ONLY
    penalty: Literal["l2", "l1", "elasticnet"] | None = parameter("l2", [StrOptions({"l2", "l1", "elasticnet"}), None])
    alpha: float = parameter(0.0001, [Interval(Real, 0, None, closed="left")])
    l1_ratio: float | None = parameter(0.15, [Interval(Real, 0, 1, closed="both"), None])
    fit_intercept: bool = parameter(True, ["boolean"])
    max_iter: int = parameter(1000, [Interval(Integral, 1, None, closed="left")])
    tol: float | Literal["auto"] | None = parameter(
        "auto", [StrOptions({"auto"}), Interval(Real, 0, None, closed="left"), None]
    )
    shuffle: Shuffle = parameter(True, ["boolean", StrOptions({"block", "full", "replacement"})])
    verbose: int = parameter(0, ["boolean", Interval(Integral, -1, None, closed="left")])
    epsilon: float = parameter(0.1, [Interval(Real, 0, None, closed="left")])
    random_state: int | np.random.RandomState | None = parameter(None, ["random_state"])
    learning_rate: Rate | Literal["auto"] = parameter(
        "auto", [StrOptions({"auto", *SCHEDULES}), Interval(Real, 0, None, closed="neither"), HasMethods(["rate"])]
    )
    eta0: float = parameter(0.01, [Interval(Real, 0, None, closed="neither")])
    power_t: float = parameter(0.25, [Interval(Real, None, None, closed="neither")])
    early_stopping: bool = parameter(False, ["boolean"])
    validation_fraction: float = parameter(0.1, [Interval(Real, 0, 1, closed="neither")])
    n_iter_no_change: int = parameter(5, [Interval(Integral, 1, None, closed="left")])
    warm_start: bool = parameter(False, ["boolean"])
    average: bool | int = parameter(False, [Interval(Integral, 0, None, closed="neither"), "boolean"])
    optimizer: AnyOptimizer | Literal["auto", "newton"] = parameter(
        "auto", [StrOptions({"auto", "newton", *map(snake_case, optimizers.__all__)}), HasMethods(["prepare", "move"])]
    )
    momentum: float | None = parameter(None, [Interval(Real, 0, 1, closed="left"), None])
    batch_size: int | Literal["auto"] | None = parameter(
        "auto", [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), None]
    )
    standardize: bool | Literal["auto", "scale"] = parameter("auto", [StrOptions({"auto", "scale"}), "boolean"])
    penalty_factor: ArrayLike | None = parameter(None, "no_validation")
    bounds: Bounds | None = parameter(None, "no_validation")

    @property
    def _parameter_constraints(self):
        """What scikit-learn checks the parameters by."""
        return {one.name: one.metadata["constraints"] for one in fields(self)}

    @property
    def _schedule(self):
        """The name of the schedule; "" for a number or a part."""
        return self.learning_rate if isinstance(self.learning_rate, str) else ""

    @property
    def _automatic(self):
        """Whether the learning rate is left to fastgd."""
        return self._schedule == "auto"

    @property
    def _batch(self):
        """Rows a step; "auto" is 1 where a schedule is given."""
        return 1 if self.batch_size == "auto" and not self._automatic else self.batch_size

    def _check_parameters(self, one_pass=False):
        """Check the parameters, each by itself and together."""
        self._validate_params()
        if self.early_stopping and one_pass:
            raise ValueError("early_stopping should be False with partial_fit")
        if self.penalty == "elasticnet" and self.l1_ratio is None:
            raise ValueError("l1_ratio must be set when penalty is 'elasticnet'")
        if self._schedule in PASSIVE_AGGRESSIVE and self.loss != self.margin_loss:
            raise ValueError(f"Learning rate '{self._schedule}' only works with loss '{self.margin_loss}'.")

    def _loss(self):
        """The loss; ``epsilon`` is a field of some."""
        loss = arguments.part("loss", self.loss, losses)
        field = OF_EPSILON.get(self.loss) if isinstance(self.loss, str) else None
        return loss if field is None else loss._replace(**{field: float(self.epsilon)})

    def _options(self):
        """The arguments of fit and partial_fit, and the L2 penalty that the optimizer applies."""
        alpha, l1_ratio = self.alpha, {"l2": 0.0, "l1": 1.0}.get(self.penalty, self.l1_ratio)
        if self.penalty is None:
            alpha, l1_ratio = 0.0, 0.0
        n_jobs = getattr(self, "n_jobs", None)
        options = {
            "loss": self._loss(),
            "optimizer": optimizer_of(self.optimizer, self.momentum),
            "learning_rate": "auto",
            "batch_size": self._batch,
            "alpha": alpha,
            "l1_ratio": l1_ratio,
            "penalty_factor": self.penalty_factor,
            "bounds": self.bounds,
            "fit_intercept": self.fit_intercept,
            "standardize": self.standardize,
            "shuffle": self.shuffle,
            "average": self.average,
            "n_threads": None if n_jobs is None else effective_n_jobs(n_jobs),
            "verbose": min(int(self.verbose), 1),
        }
        if self.shuffle is True:
            options["shuffle"] = "block" if self._automatic else "full"
        if self._automatic:
            return options, 0.0
        options["learning_rate"] = schedule_of(self.learning_rate, self.eta0, self.power_t, self.alpha)
        if options["optimizer"] not in ("auto", "sgd"):
            if self._schedule in PASSIVE_AGGRESSIVE:
                raise ValueError(f"learning_rate={self._schedule!r} sizes the steps of sgd: leave optimizer at 'auto'.")
            return options, 0.0
        decay = alpha * (1.0 - l1_ratio) if self.penalty_factor is None else 0.0
        step = step_of(self._schedule, decay, by_row=self._batch == 1 and not options["loss"].joint)
        if self.penalty_factor is not None:
            return options | {"optimizer": step}, 0.0
        return options | {"optimizer": step, "alpha": alpha * l1_ratio, "l1_ratio": 1.0}, decay

    def _batches(self, options, X):
        """The batches in which a fit passes a few times over sparse rows of many columns, where all else is left open.

        A proof of the hinge's optimum takes 2 s a class of 500 rows with 2,000 columns, a good model 0.01 s.
        """
        left_open = self._automatic and self.batch_size == options["optimizer"] == "auto" and not self.average
        if not (left_open and is_sparse(X) and X.shape[1] >= MANY_COLUMNS):
            return {}
        proof = made_of_lines(options["loss"]) or not self._scale_free(options, X.shape[1])
        return {"batch_size": STREAM_BATCH, "optimizer": "sgd"} if proof else {}

    def _scale_free(self, options, d):
        """Whether fit has a solver for all rows whose steps don't depend on the columns' scales."""
        asked = SimpleNamespace(loss=options["loss"], alpha=options["alpha"], l1_ratio=options["l1_ratio"])
        problem = SimpleNamespace(
            options=asked, start=SimpleNamespace(chunked=False), full=True, bounds=self.bounds, d=d
        )
        return any(solver.scale_free and solver.suits(problem) is None for solver in COMPILED.solvers)

    def _epochs(self, options, n):
        """The largest number of epochs; of batches at an automatic rate no more than fit would take."""
        if self._automatic and not takes_all(options["batch_size"]):
            return min(self.max_iter, chosen_epochs(n, EPOCHS_BATCHES))
        return self.max_iter

    def _tolerance(self, options):
        """Fit's ``tol``, relative to the objective; a given rate has scikit-learn's rule in its place."""
        if not self._automatic:
            return None
        if self.tol != "auto":
            return self.tol
        return TOL_FULL if takes_all(options["batch_size"]) and options["loss"].smooth else TOL


def takes_all(batch_size):
    """Whether a step takes all rows."""
    return batch_size in ("auto", None)
