"""What scikit-learn's two classes have in common: parameters become fit's arguments, results become attributes."""

import functools
import warnings
from dataclasses import replace
from inspect import isfunction
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_sample_weight, validate_data

from ..inputs import arguments, arrays
from ..inputs.scaling import Scaling
from ..linear.auto import EPOCHS_BATCHES, STREAM_BATCH, TOL_FULL
from ..linear.entry import Entry
from ..linear.fit import entered
from ..linear.partial_fit import chunk
from ..parts import losses, optimizers
from ..parts.registry import snake_case
from ..solvers.newton import LARGEST
from ..solvers.staged_sgd import chosen_epochs
from .sklearn_rules import (
    PASSIVE_AGGRESSIVE,
    SCHEDULES,
    EpochRule,
    ShuffledOrder,
    held_out_rows,
    optimizer_of,
    schedule_of,
    step_of,
)

TOL = 1e-3  # scikit-learn's, of objectives and scores; relative, what scores tell apart
AVERAGED = ("_standard_coef", "_standard_intercept", "_average_coef", "_average_intercept")
# What may change between chunks without another stream.
UNSETTLED = ("random_state", "verbose", "n_jobs", "warm_start", "max_iter", "tol", "class_weight")
LEFT_OUT = {
    "max_steps": None,
    "validation": None,
    "evaluate": False,
    "callback": None,
    "resume": None,
    "bootstrap": 0,
    "lazy": False,
    "parallel": None,
}
NOT_CONVERGED = (
    "Maximum number of iteration reached before convergence. Consider increasing max_iter to improve the fit."
)
OVERFLOW = (
    "Floating-point under-/overflow occurred at epoch #{}. Scaling input data with StandardScaler or MinMaxScaler "
    "might help."
)
NEGATIVE_POWER = (
    "Negative values for `power_t` are deprecated in version 1.8 and will raise an error in 1.10. Use values in the "
    "range [0.0, inf) instead."
)


class SGD(SparseCoefMixin, BaseEstimator):
    """The fits and chunks of both classes; each says what its losses, its targets and its scores are."""

    _parameter_constraints = {
        "penalty": [StrOptions({"l2", "l1", "elasticnet"}), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left"), None],
        "shuffle": ["boolean", StrOptions({"block", "full", "replacement"})],
        "verbose": ["verbose"],
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "learning_rate": [
            StrOptions({"auto", *SCHEDULES}),
            Interval(Real, 0, None, closed="neither"),
            HasMethods(["rate"]),
        ],
        "eta0": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, None, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "average": [Interval(Integral, 0, None, closed="neither"), "boolean"],
        "optimizer": [StrOptions({"auto", *map(snake_case, optimizers.__all__)}), HasMethods(["prepare", "move"])],
        "momentum": [Interval(Real, 0, 1, closed="left"), None],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), None],
        "standardize": [StrOptions({"auto", "scale"}), "boolean"],
        "bounds": "no_validation",
    }

    def _set(self, given):
        """Set the parameters: the arguments of ``__init__``, by name."""
        for name in self._get_param_names():
            setattr(self, name, given[name])

    # What the arguments of fit are ------------------------------------------------------------------------------------

    @property
    def _schedule(self):
        """The name of the schedule, "" where it is none."""
        return self.learning_rate if isinstance(self.learning_rate, str) else ""

    @property
    def _automatic(self):
        return self._schedule == "auto"

    @property
    def _batch(self):
        """Rows a step: one, where they are left open and the schedule is not."""
        return 1 if self.batch_size == "auto" and not self._automatic else self.batch_size

    @property
    def _full(self):
        """Whether a step takes all rows."""
        return self._batch is None or self._batch == "auto"

    def _check_settings(self, one_pass=False):
        """Check the parameters, each by itself and together."""
        self._validate_params()
        if self.early_stopping and one_pass:
            raise ValueError("early_stopping should be False with partial_fit")
        if self.penalty == "elasticnet" and self.l1_ratio is None:
            raise ValueError("l1_ratio must be set when penalty is 'elasticnet'")
        if self._schedule in PASSIVE_AGGRESSIVE and self.loss != self._margin_loss:
            raise ValueError(f"Learning rate '{self._schedule}' only works with loss '{self._margin_loss}'.")

    def _loss(self):
        """The loss; ``epsilon`` is a field of some."""
        known = self.loss_functions.get(self.loss, ()) if isinstance(self.loss, str) else ()
        return known[0](float(self.epsilon)) if len(known) > 1 else arguments.part("loss", self.loss, losses)

    def _options(self, X, stream=False):
        """The arguments of fit or, of a ``stream``, of partial_fit, and the L2 penalty that is the optimizer's part."""
        alpha, l1_ratio = self.alpha, {"l2": 0.0, "l1": 1.0}.get(self.penalty, self.l1_ratio)
        if self.penalty is None:
            alpha, l1_ratio = 0.0, 0.0
        options = {
            "loss": self._loss(),
            "optimizer": optimizer_of(self.optimizer, self.momentum),
            "learning_rate": "auto",
            "batch_size": self._batch,
            "alpha": alpha,
            "l1_ratio": l1_ratio,
            "bounds": self.bounds,
            "fit_intercept": self.fit_intercept,
            "standardize": self.standardize,
            "shuffle": self.shuffle,
            "average": self.average,
            "n_threads": self._threads(),
            "verbose": int(bool(self.verbose)),
        }
        if self.shuffle is True:
            options["shuffle"] = "block" if self._automatic else "full"
        if self._automatic:
            return options | self._left_open(options, X, stream), 0.0
        options["learning_rate"] = schedule_of(self.learning_rate, self.eta0, self.power_t, self.alpha)
        if options["optimizer"] not in ("auto", "sgd"):
            if self._schedule in PASSIVE_AGGRESSIVE:
                raise ValueError(f"learning_rate={self._schedule!r} sizes the steps of sgd: leave optimizer at 'auto'.")
            return options, 0.0
        decay = alpha * (1.0 - l1_ratio)
        step = step_of(self._schedule, decay, by_row=self._batch == 1 and not options["loss"].joint)
        return options | {"optimizer": step, "alpha": alpha * l1_ratio, "l1_ratio": 1.0}, decay

    def _left_open(self, options, X, stream):
        """What an automatic rate leaves open and fit would choose otherwise: penalties are to act on raw coefficients.

        Newton's steps don't mind the columns' scales, so they need not be standardised. Sparse rows of more columns
        than these are for are usually of one scale, and batches fit them in a few passes (45,000 flights, 3,704 one-hot
        columns, hinge: 0.08 s, and 0.5 s in full batches).
        """
        wide, open_ = X.shape[1] >= LARGEST, options["optimizer"] == "auto" and not self.average
        chosen = {}
        if wide and issparse(X) and open_ and self.batch_size == "auto":
            chosen = {"batch_size": STREAM_BATCH, "optimizer": "sgd"}
        full = takes_all(options) and not stream
        newton = open_ and full and not wide and isfunction(type(options["loss"]).second_derivative)
        if self.standardize == "auto" and options["alpha"] > 0 and (newton or (wide and issparse(X))):
            chosen["standardize"] = False
        return chosen

    def _threads(self):
        """All that are free."""

    def _epochs(self, options, n):
        """The largest number of epochs; of batches at an automatic rate no more than fit would take."""
        if self._automatic and not takes_all(options):
            return min(self.max_iter, chosen_epochs(n, EPOCHS_BATCHES))
        return self.max_iter

    def _tolerance(self, options):
        """Of an automatic rate, fit's: relative to the objective."""
        if self.tol != "auto":
            return self.tol
        exact = takes_all(options) and options["loss"].smooth
        return TOL_FULL if exact else TOL

    # What is fitted ---------------------------------------------------------------------------------------------------

    def _data(self, X, y, sample_weight, reset, **target):
        """The rows, targets and weights, checked as scikit-learn does; the weights None where all are the same."""
        kinds = {"accept_sparse": "csr", "accept_large_sparse": True, "dtype": [np.float64, np.float32], "order": "C"}
        try:
            X, y = validate_data(self, sound(X), y, reset=reset, **kinds, **target)
        except OverflowError:
            raise ValueError("X or y holds a number too large for float64.") from None
        if sample_weight is not None:
            # Of weights that are all zero, the split of early stopping says more.
            zero = {"allow_all_zero_weights": True} if self.early_stopping else {}
            sample_weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True, **zero)
        return X, y, sample_weight

    def _begin(self, coef_init, intercept_init, lanes, d, dtype):
        """The coefficients (lanes, d) and intercepts (lanes,) to begin with, or None and None."""
        if self.warm_start and getattr(self, "coef_", None) is not None:
            self.densify()
            coef_init = self.coef_ if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        if coef_init is None and intercept_init is None:
            return None, None
        coef = np.zeros((lanes, d)) if coef_init is None else np.asarray(coef_init, dtype=dtype)
        if coef.shape != (lanes, d) and not (lanes == 1 and coef.size == d):
            raise ValueError(f"Provided coef_init does not match dataset: {coef.shape}, not {(lanes, d)}.")
        intercept = np.zeros(lanes) if intercept_init is None else np.asarray(intercept_init, dtype=dtype)
        if intercept.shape != (lanes,) and not (lanes == 1 and intercept.shape == ()):
            raise ValueError(f"Provided intercept_init does not match dataset: {intercept.shape}, not {(lanes,)}.")
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError("coef_init and intercept_init must be finite.")
        return coef.reshape(lanes, d).astype(np.float64), intercept.reshape(lanes).astype(np.float64)

    def _descend(self, X, y, weights, begin, strata=None):
        """Fit to targets (n,) or (n, lanes); weights are (n,) or, where they differ by lane, (n, lanes)."""
        asked = self._asked(X, y, weights, begin, strata)
        runs = Parallel(n_jobs=getattr(self, "n_jobs", None), require="sharedmem")(
            delayed(_whole)(entered, {**given}, entry) for given, entry in asked
        )
        return self._landed([result for results in runs for result in results], X)

    def _asked(self, X, y, weights, begin, strata=None):
        """The arguments and the entries of the fits that make the model; see ``_descend``.

        ``strata`` are the labels of whose rows early stopping holds out the same share each.
        """
        n = X.shape[0]
        options, decay = self._options(X)

        def split():
            if not self.early_stopping:
                return None
            by, stratified = (y, False) if strata is None else (strata, True)
            return held_out_rows(by, weights, self.validation_fraction, self.random_state, stratified)

        mask, seeds = self._drawn(split)
        ordered, held = self._ordered(options), None
        if mask is not None:
            held = X[mask], y[mask], None if weights is None else weights[mask]
            X, y, weights = X[~mask], y[~mask], None if weights is None else weights[~mask]
        options |= {
            "epochs": self._epochs(options, n),
            "tol": self._tolerance(options) if self._automatic else None,
            "patience": self.n_iter_no_change,
        }

        def asked(lane):
            seed, trained = seeds[(lane or 0) % len(seeds)], None if mask is None else ~mask
            own, weight, start = _lane(y, lane), _lane(weights, lane), [_first(one, lane) for one in begin]
            entry = Entry(
                classes=self._codes(options["loss"]),
                scale=self._automatic or takes_all(options),
                coef=start[0],
                intercept=start[1],
                apart=own.ndim == 2,
                order=ShuffledOrder(seed, n, trained) if ordered else None,
                rule=self._rule(options, decay, held and (held[0], _lane(held[1], lane), _lane(held[2], lane))),
            )
            data = {"X": arrays.checked(X), "y": own, "sample_weight": weight, "random_state": seed}
            return {**LEFT_OUT, **options, **data}, entry

        # Each class in an order of its own, as scikit-learn has it: 10 classes took 0.32 s, and 0.25 s as lanes of one
        # order (1e5 x 50, one thread; scikit-learn 1.1 s).
        lanes = range(len(seeds)) if ordered and y.ndim == 2 and len(seeds) > 1 else _alone(X, y, weights, options)
        return map(asked, lanes)

    def _landed(self, results, X):
        """Take the results of what was asked for, of the rows ``X``."""
        self._take(results, X.dtype)
        self.t_ = 1.0 + self.n_iter_ * X.shape[0]
        self._stream = None
        self._warn(results)
        return self

    def _ordered(self, options):
        """Whether the order of the rows is scikit-learn's."""
        return self.shuffle is True and options["shuffle"] == "full" and not self._full

    def _rule(self, options, decay, held):
        """What makes the rule of a model's epochs; fit's own holds where the rate is automatic and nothing is held out.

        ``held`` are rows, targets and weights to score a model on, or None.
        """
        if self._automatic and held is None:
            return None
        adaptive = self.eta0 if self._schedule == "adaptive" else None
        # The full batch's losses have fit's own penalty in them.
        shown = 0.0 if takes_all(options) else options["alpha"]
        l1, l2 = shown * options["l1_ratio"], decay + shown * (1.0 - options["l1_ratio"])
        if self._schedule in PASSIVE_AGGRESSIVE:
            l1, l2 = 0.0, 0.0

        def penalty(weights):
            coef = weights[:, :-1].astype(np.float64)
            return float(np.mean(l1 * np.abs(coef).sum(axis=1) + 0.5 * l2 * (coef**2).sum(axis=1)))

        def rule(choice, model):
            def score(weights):
                coef, intercept = _in_units(weights, choice.scaling, model.centre)
                y = held[1] if held[1].ndim == 1 or len(coef) > 1 else held[1][:, model.target]
                return self._score(safe_sparse_dot(held[0], coef.T) + intercept, y, held[2])

            tol = TOL if self.tol == "auto" else self.tol
            return EpochRule(tol, self.n_iter_no_change, adaptive, penalty, None if held is None else score)

        return rule

    def _one_pass(self, X, y, weights):
        """Take one chunk in: as one more of the streams that the model is at, or the first of such that begin there."""
        options, _ = self._options(X, stream=True)
        settled = {name: value for name, value in self.get_params(False).items() if name not in UNSETTLED}
        lanes = list(_alone(X, y, weights, options))
        key = repr(settled), X.dtype.name, issparse(X), X.shape[1], len(lanes)
        entry, streams = Entry(classes=self._codes(options["loss"])), getattr(self, "_stream", None)
        if getattr(self, "coef_", None) is not None:
            self.densify()
            here = streams is not None and streams[0] == key and np.array_equal(streams[2], self.coef_)
            streams = streams if here and np.array_equal(streams[3], self.intercept_) else None
            entry = self._entry_here(entry)
        seed = self._drawn(lambda: None)[1][0]
        if self._ordered(options):
            rows = ShuffledOrder(seed, X.shape[0])(0)
            entry = replace(entry, order=lambda epoch: rows)
        results = []
        for k, lane in enumerate(lanes):
            given = {**options, "sample_weight": _lane(weights, lane), "random_state": None if streams else seed}
            here = replace(entry, **{name: _first(getattr(entry, name), lane) for name in ("coef", "intercept")})
            if here.averages is not None:
                here = replace(here, averages=[_first(one, lane) for one in here.averages])
            results += _whole(
                chunk, arrays.checked(X), _lane(y, lane), streams and streams[1][k], entry.classes, given, here
            )
        self._take(results, X.dtype)
        self.n_iter_, self.t_ = 1, getattr(self, "t_", 1.0) + X.shape[0]
        kept = [replace(result, _objective=None) for result in results]  # which would keep the chunk
        self._stream = key, kept, self.coef_.copy(), self.intercept_.copy()
        return self

    def _entry_here(self, entry):
        """Where a stream begins that goes on from the present coefficients."""
        lanes = np.size(self.intercept_)
        coef, intercept, averages = self.coef_, self.intercept_, None
        if self.average and hasattr(self, "_average_coef"):
            coef, intercept = self._standard_coef, self._standard_intercept
            averages = self._average_coef.reshape(lanes, -1), self._average_intercept
        return replace(
            entry,
            coef=np.asarray(coef, np.float64).reshape(lanes, -1),
            intercept=np.asarray(intercept, np.float64).reshape(lanes),
            averages=averages,
            steps=int(self.t_ - 1) if self._batch == 1 else self._n_steps,
        )

    # What comes of it -------------------------------------------------------------------------------------------------

    def _take(self, results, dtype):
        """What results say, as attributes."""
        for result in results:
            if result.status == "diverged" and not self._automatic and "infinite or NaN" in result.message:
                raise ValueError(OVERFLOW.format(result.n_epochs + 1))
        self.n_iter_, self._n_steps = max(r.n_epochs for r in results), max(r.n_steps for r in results)
        self.choices_ = results[0].choices
        # Of models that ended apart the mean, the last loss of each counted on.
        curves = [np.pad(c, (0, self.n_iter_ - c.size), "edge") for c in (r.history.loss for r in results) if c.size]
        self.loss_curve_ = np.mean(curves, axis=0) if curves else np.empty(0)
        coef = np.concatenate([np.atleast_2d(result.coef) for result in results])
        intercept = np.concatenate([np.atleast_1d(result.intercept) for result in results])
        self.coef_, self.intercept_ = self._shaped(coef.astype(dtype)), intercept.astype(dtype)
        for name in AVERAGED:
            if hasattr(self, name):
                delattr(self, name)
        if not self.average:
            return
        for kind, name in (("standard", "weights"), ("average", "averages")):
            found = [_found(result, name) for result in results]
            setattr(self, f"_{kind}_coef", np.concatenate([coef for coef, _ in found]))
            setattr(self, f"_{kind}_intercept", np.concatenate([intercept for _, intercept in found]))

    def _warn(self, results):
        """What a user should know of how a fit ended."""
        unfinished = self.n_iter_ == self.max_iter
        if self._automatic:
            unfinished = any(r.status == "max_epochs" and r.n_epochs == self.max_iter for r in results)
            for result in results:
                if result.status == "diverged":
                    warnings.warn(result.message, ConvergenceWarning, stacklevel=6)
        if unfinished and self.tol is not None:
            warnings.warn(NOT_CONVERGED, ConvergenceWarning, stacklevel=6)
        if self.power_t < 0:
            warnings.warn(NEGATIVE_POWER, FutureWarning, stacklevel=6)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def all_or_nothing(method):
    """A method that changes nothing of its object where it fails or is interrupted."""

    @functools.wraps(method)
    def changed(self, *arguments, **options):
        before = vars(self).copy()
        try:
            return method(self, *arguments, **options)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return changed


def _whole(run, *arguments):
    """The results of a run, a list of them or one; Ctrl-C is raised at once, whatever else is to be run."""
    results = run(*arguments)
    results = results if isinstance(results, list) else [results]
    if any(result.status == "interrupted" for result in results):
        raise KeyboardInterrupt
    return results


def sound(X):
    """Sparse rows as CSR in canonical form, every index checked, which SciPy does not do; anything else as it is."""
    if not issparse(X) or X.ndim != 2 or 0 in X.shape or X.dtype.kind == "c":
        return X  # scikit-learn has words for these
    rows, _, note = arrays.matrix(X)
    return X if note is None else rows.given()


def takes_all(options):
    """Whether a step takes all rows."""
    return options["batch_size"] in ("auto", None)


def _alone(X, y, weights, options):
    """The lanes that are fitted one by one, or None for all of them together."""
    # The kernels of many lanes know nothing of single rows' rates, and those that do, of one lane of sparse rows.
    rows = issparse(X) and y.ndim == 2 and getattr(options["optimizer"], "by_row", False)
    return range(y.shape[1]) if rows or (weights is not None and weights.ndim == 2) else [None]


def _lane(array, lane):
    """One lane of an array (n, lanes); all of it for None, and where lanes share it."""
    return array if lane is None or array is None or array.ndim == 1 else array[:, lane]


def _first(array, lane):
    """One lane of an array (lanes, ...), with its axis; all of it for None."""
    return array if lane is None or array is None else array[lane : lane + 1]


def _found(result, name):
    """The weights of a result of that name, in the user's units."""
    arrays, facts = result.state.arrays, result.state.facts
    return _in_units(arrays[name], Scaling(arrays["shift"], arrays["inverse_scale"]), np.array(facts["centre"]))


def _in_units(weights, scaling, centre):
    """Coefficients and intercepts in the user's units."""
    with np.errstate(all="ignore"):
        coef, intercept = scaling.to_user(weights)
        return coef, intercept + centre
