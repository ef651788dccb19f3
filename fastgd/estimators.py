"""scikit-learn's ``SGDRegressor`` and ``SGDClassifier`` over ``fit``: parameters become its arguments, results attributes.

With ``learning_rate="auto"``, the default, fastgd's own rules hold. With one of scikit-learn's schedules steps, stopping
and attributes are scikit-learn's, but for the order of the rows and the intercept of sparse data, which does not decay.
"""

import warnings
from dataclasses import replace
from numbers import Integral, Real

import numpy as np

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model._base import LinearClassifierMixin, SparseCoefMixin
    from sklearn.metrics import r2_score
    from sklearn.utils import check_random_state, compute_class_weight
    from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
    from sklearn.utils.extmath import safe_sparse_dot, softmax
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    words = "need scikit-learn 1.6 or later: python -m pip install 'fastgd[sklearn]'"
    raise ImportError(f"fastgd.SGDRegressor and fastgd.SGDClassifier {words} ({error}).") from None

from . import checks, losses, optimizers
from ._parts import snake_case
from .choose import TOL_BATCHES, TOL_FULL
from .entry import Entry
from .fit import entered
from .partial_fit import chunk
from .scaling import Scaling
from .sgd_rules import (
    PASSIVE_AGGRESSIVE,
    SCHEDULES,
    EpochRule,
    ShuffledOrder,
    held_out_rows,
    optimizer_of,
    schedule_of,
    step_of,
)

TOL = 1e-3  # scikit-learn's
SEEDS = np.iinfo(np.int32).max
AVERAGED = ("_standard_coef", "_standard_intercept", "_average_coef", "_average_intercept")
UNSETTLED = ("random_state", "verbose", "n_jobs", "warm_start", "max_iter", "tol")  # may change between chunks
REGRESSION = {
    "squared_error": (losses.SquaredError,),
    "huber": (losses.Huber, 0.1),
    "epsilon_insensitive": (losses.EpsilonInsensitive, 0.1),
    "squared_epsilon_insensitive": (losses.SquaredEpsilonInsensitive, 0.1),
}
NOT_CONVERGED = (
    "Maximum number of iteration reached before convergence. Consider increasing max_iter to improve the fit."
)
OVERFLOW = (
    "Floating-point under-/overflow occurred at epoch #{}. Scaling input data with StandardScaler or MinMaxScaler "
    "might help."
)


class _SGD(SparseCoefMixin, BaseEstimator):
    """What the two have in common."""

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
        "optimizer": [
            StrOptions({"auto", *map(snake_case, optimizers.__all__)}),
            HasMethods(["prepare", "move"]),
        ],
        "momentum": [Interval(Real, 0, 1, closed="left"), None],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), None],
        "standardize": [StrOptions({"auto"}), "boolean"],
        "bounds": "no_validation",
    }

    # What the arguments of fit are ------------------------------------------------------------------------------------

    @property
    def _automatic(self):
        return isinstance(self.learning_rate, str) and self.learning_rate == "auto"

    @property
    def _batch(self):
        """Rows a step: of scikit-learn's schedules one."""
        return 1 if self.batch_size == "auto" and not self._automatic else self.batch_size

    def _check_settings(self, one_pass=False):
        """Check the parameters, each by itself and together."""
        self._validate_params()
        if self.early_stopping and one_pass:
            raise ValueError("early_stopping should be False with partial_fit")
        if self.penalty == "elasticnet" and self.l1_ratio is None:
            raise ValueError("l1_ratio must be set when penalty is 'elasticnet'")
        if isinstance(self.learning_rate, str) and self.learning_rate in PASSIVE_AGGRESSIVE:
            needed = "hinge" if hasattr(self, "predict_log_proba") or "class_weight" in self.get_params(False) else None
            needed = needed or "epsilon_insensitive"
            if self.loss != needed:
                raise ValueError(f"Learning rate '{self.learning_rate}' only works with loss '{needed}'.")

    def _loss(self):
        """The loss; ``epsilon`` is a field of some."""
        if isinstance(self.loss, str) and len(self.loss_functions.get(self.loss, ())) > 1:
            return self.loss_functions[self.loss][0](float(self.epsilon))
        return checks.part("loss", self.loss, losses)

    def _penalty(self):
        """``alpha`` and ``l1_ratio`` of fit."""
        if self.penalty is None:
            return 0.0, 0.0
        return self.alpha, {"l2": 0.0, "l1": 1.0}.get(self.penalty, self.l1_ratio)

    def _options(self, loss):
        """The arguments of fit and of partial_fit, and the L1 and L2 penalties that are the optimizer's part."""
        alpha, l1_ratio = self._penalty()
        optimizer, rate, hidden = optimizer_of(self.optimizer, self.momentum), "auto", (0.0, 0.0)
        if not self._automatic:
            rate = schedule_of(self.learning_rate, self.eta0, self.power_t, self.alpha)
            if isinstance(optimizer, str) and optimizer in ("auto", "sgd"):
                optimizer, left = step_of(self.learning_rate, alpha, l1_ratio, self._batch)
                hidden = alpha * l1_ratio - left, alpha * (1 - l1_ratio)
                alpha, l1_ratio = left, 1.0
            elif self.learning_rate in PASSIVE_AGGRESSIVE:
                raise ValueError(f"learning_rate={self.learning_rate!r} sizes steps of sgd: leave optimizer at 'auto'.")
        return {
            "loss": loss,
            "optimizer": optimizer,
            "learning_rate": rate,
            "batch_size": self._batch,
            "alpha": alpha,
            "l1_ratio": l1_ratio,
            "bounds": self.bounds,
            "fit_intercept": self.fit_intercept,
            "standardize": self.standardize,
            "shuffle": ("block" if self._automatic else "full") if self.shuffle is True else self.shuffle,
            "average": self.average,
            "n_threads": self._threads(),
            "verbose": int(bool(self.verbose)),
        }, hidden

    def _threads(self):
        return None

    # Runs -------------------------------------------------------------------------------------------------------------

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
            name = "coef_init" if lanes == 1 else "``coef_``"
            raise ValueError(f"Provided {name} does not match dataset. Its shape is {coef.shape}, not {(lanes, d)}.")
        intercept = np.zeros(lanes) if intercept_init is None else np.asarray(intercept_init, dtype=dtype)
        if intercept.shape != (lanes,) and not (lanes == 1 and intercept.shape == ()):
            raise ValueError(f"Provided intercept_init does not match dataset. Its shape is {intercept.shape}.")
        coef, intercept = coef.reshape(lanes, d).astype(np.float64), intercept.reshape(lanes).astype(np.float64)
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError("coef_init and intercept_init must be finite.")
        return coef, intercept

    def _descend(self, X, y, weights, begin, stratify=None):
        """Fit to targets ``y`` (n,) or (n, lanes); ``weights`` are None, (n,), or (n, lanes) where lanes differ."""
        n, loss = X.shape[0], self._loss()
        options, hidden = self._options(loss)
        held = mask = None

        def split():
            if not self.early_stopping:
                return None
            by, share = y if stratify is None else stratify, self.validation_fraction
            return held_out_rows(by, weights, share, self.random_state, stratify is not None)

        mask, seed = self._drawn(split)
        if mask is not None:
            held = X[mask], y[mask], None if weights is None else weights[mask]
            X, y, weights = X[~mask], y[~mask], None if weights is None else weights[~mask]
        full = self.batch_size is None or (self._automatic and self.batch_size == "auto")
        options |= {
            "epochs": self.max_iter,
            "tol": self._fit_tol(full) if self._automatic else None,
            "patience": self.n_iter_no_change,
            "random_state": seed,
        }
        order = None
        if options["shuffle"] == "full" and self.shuffle is True and not full:
            order = ShuffledOrder(seed, n, None if mask is None else ~mask)
        results = []
        separate = weights is not None and weights.ndim == 2
        for lane in range(y.shape[1]) if separate else [slice(None)]:
            own = y[..., lane] if separate else y
            entry = Entry(
                classes=self._codes(loss),
                scale=self._automatic or full,
                coef=None if begin[0] is None else np.atleast_2d(begin[0][lane]),
                intercept=None if begin[1] is None else np.atleast_1d(begin[1][lane]),
                apart=not self._automatic and own.ndim == 2,
                order=order,
                rule=self._rule(options, hidden, full, held, lane if separate else None),
            )
            given = {**_DEFAULTS, **options, "X": X, "y": own}
            results += entered(given | {"sample_weight": weights[:, lane] if separate else weights}, entry)
        self._take(results, X.dtype)
        self.t_ = 1.0 + self.n_iter_ * n
        self._stream = None
        self._warn(results)
        return self

    def _fit_tol(self, full):
        if self.tol == "auto":
            return TOL_FULL if full else TOL_BATCHES
        return self.tol

    def _rule(self, options, hidden, full, held, lane):
        """Makes the rule of a model's epochs; fit's own hold where the rate is automatic, but for early stopping."""
        if self._automatic and held is None:
            return None
        adaptive = self.eta0 if isinstance(self.learning_rate, str) and self.learning_rate == "adaptive" else None
        l1, l2 = hidden if not getattr(options["optimizer"], "by_row", False) else (0.0, 0.0)
        shown = 0.0 if full else options["alpha"]  # the full batch's losses have fit's penalty in them
        l1, l2 = l1 + shown * options["l1_ratio"], l2 + shown * (1 - options["l1_ratio"])

        def penalty(weights):
            coef = weights[:, :-1].astype(np.float64)
            return float(np.mean(l1 * np.abs(coef).sum(axis=1) + 0.5 * l2 * (coef**2).sum(axis=1)))

        def rule(choice, model):
            def score(weights):
                coef, intercept = _in_units(weights, choice.scaling, model.centre)
                y = held[1] if held[1].ndim == 1 else held[1][:, model.target if lane is None else lane]
                weight = None if held[2] is None else held[2] if held[2].ndim == 1 else held[2][:, lane]
                if self._automatic and held[1].ndim == 2:
                    y = held[1]
                return self._score(safe_sparse_dot(held[0], coef.T) + intercept, y, weight)

            tol = TOL if self.tol == "auto" else self.tol
            return EpochRule(tol, self.n_iter_no_change, adaptive, penalty, None if held is None else score)

        return rule

    def _one_pass(self, X, y, weights):
        """Take one chunk in: as one more of the stream that the model is at, or the first of one that begins there."""
        loss = self._loss()
        options, _ = self._options(loss)
        settled = {name: value for name, value in self.get_params(False).items() if name not in UNSETTLED}
        key = repr(settled), X.dtype, X.shape[1]
        entry, stream = Entry(classes=self._codes(loss)), getattr(self, "_stream", None)
        if getattr(self, "coef_", None) is not None:
            self.densify()
            if stream is not None and stream[0] == key and np.array_equal(stream[2], self.coef_):
                stream = stream if np.array_equal(stream[3], self.intercept_) else None
            else:
                stream = None
            entry = self._entry_here(entry)
        _, seed = self._drawn(lambda: None)
        if options["shuffle"] == "full" and self.shuffle is True:
            rows = ShuffledOrder(seed, X.shape[0])(0)
            entry = replace(entry, order=lambda epoch: rows)
        given = {**options, "sample_weight": weights, "random_state": seed if stream is None else None}
        result = chunk(X, y, stream and stream[1], entry.classes, given, entry)
        self._take([result], X.dtype)
        self.n_iter_, self.t_ = 1, getattr(self, "t_", 1.0) + X.shape[0]
        self._stream = key, replace(result, _objective=None), self.coef_.copy(), self.intercept_.copy()
        return self

    def _entry_here(self, entry):
        """Where a stream begins that goes on from the present coefficients."""
        averages = None
        lanes = np.size(self.intercept_)
        coef, intercept = self.coef_, self.intercept_
        if self.average and getattr(self, "_average_coef", None) is not None:
            coef, intercept = self._standard_coef, self._standard_intercept
            averages = self._average_coef.reshape(lanes, -1).astype(np.float64), self._average_intercept
        batch = 32 if self._batch == "auto" else self._batch
        done = self.t_ - 1 if batch == 1 else 0
        return replace(
            entry,
            coef=np.asarray(coef, np.float64).reshape(lanes, -1),
            intercept=np.asarray(intercept, np.float64).reshape(lanes),
            averages=averages,
            steps=int(done),
        )

    def _take(self, results, dtype):
        """What results say, as attributes."""
        for result in results:
            if result.status == "interrupted":
                raise KeyboardInterrupt
            if result.status == "diverged" and not self._automatic and "infinite or NaN" in result.message:
                raise ValueError(OVERFLOW.format(result.n_epochs + 1))
        self.n_iter_ = max(result.n_epochs for result in results)
        self.choices_ = results[0].choices
        curves = [result.history.loss for result in results]
        self.loss_curve_ = np.mean([np.pad(c, (0, self.n_iter_ - c.size), "edge") if c.size else c for c in curves], 0)
        coef = np.concatenate([np.atleast_2d(result.coef) for result in results])
        intercept = np.concatenate([np.atleast_1d(result.intercept) for result in results])
        self.coef_, self.intercept_ = self._shaped(coef.astype(dtype)), intercept.astype(dtype)
        for name in AVERAGED:
            if hasattr(self, name):
                delattr(self, name)
        if self.average:
            for kind, array in (("standard", "weights"), ("average", "averages")):
                found = [
                    _in_units(r.state.arrays[array], _scaling(r), np.array(r.state.facts["centre"])) for r in results
                ]
                found = [found[0]] if len(found) == 1 else found
                setattr(self, f"_{kind}_coef", np.concatenate([coef for coef, _ in found]))
                setattr(self, f"_{kind}_intercept", np.concatenate([intercept for _, intercept in found]))

    def _warn(self, results):
        """What a user should know of how a fit ended."""
        if self._automatic:
            for result in results:
                if result.status == "diverged":
                    warnings.warn(result.message, ConvergenceWarning, stacklevel=4)
            unfinished = any(result.status == "max_epochs" for result in results)
        else:
            unfinished = self.n_iter_ == self.max_iter
        if unfinished and self.tol is not None:
            warnings.warn(NOT_CONVERGED, ConvergenceWarning, stacklevel=4)
        if self.power_t < 0:
            words = "Negative values for `power_t` are deprecated in version 1.8 and will raise an error in 1.10."
            warnings.warn(f"{words} Use values in the range [0.0, inf) instead.", FutureWarning, stacklevel=4)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


_DEFAULTS = {
    "max_steps": None,
    "validation": None,
    "evaluate": False,
    "callback": None,
    "resume": None,
    "bootstrap": 0,
}


def _scaling(result):
    return Scaling(result.state.arrays["shift"], result.state.arrays["inverse_scale"])


def _in_units(weights, scaling, centre):
    """Coefficients and intercepts in the user's units."""
    with np.errstate(all="ignore"):
        coef, intercept = scaling.to_user(weights)
        return coef, intercept + centre


def _set(estimator, given):
    """Set the parameters of an estimator: the arguments of its ``__init__``."""
    for name in estimator._get_param_names():
        setattr(estimator, name, given[name])


class SGDRegressor(RegressorMixin, _SGD):
    """TODO."""

    loss_functions = REGRESSION
    _parameter_constraints = {
        **_SGD._parameter_constraints,
        "loss": [
            StrOptions({*REGRESSION, "mse", "absolute_error", "quantile", "poisson", "gamma", "tweedie"}),
            HasMethods(["value", "slope"]),
        ],
    }

    def __init__(
        self,
        loss="squared_error",
        *,
        penalty="l2",
        alpha=0.0001,
        l1_ratio=0.15,
        fit_intercept=True,
        max_iter=1000,
        tol="auto",
        shuffle=True,
        verbose=0,
        epsilon=0.1,
        random_state=None,
        learning_rate="auto",
        eta0=0.01,
        power_t=0.25,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        warm_start=False,
        average=False,
        optimizer="auto",
        momentum=None,
        batch_size="auto",
        standardize="auto",
        bounds=None,
    ):
        _set(self, locals())

    def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None):
        """TODO."""
        self._check_settings()
        X, y, weight = self._data(X, y, sample_weight, reset=True)
        lanes = 1 if y.ndim == 1 else y.shape[1]
        begin = self._begin(coef_init, intercept_init, lanes, X.shape[1], X.dtype)
        self._lone = y.ndim == 1
        return self._descend(X, y, weight, begin)

    def partial_fit(self, X, y, sample_weight=None):
        """TODO."""
        first = not hasattr(self, "coef_")
        self._check_settings(one_pass=first)
        X, y, weight = self._data(X, y, sample_weight, reset=first)
        if not first and self._lone != (y.ndim == 1):
            raise ValueError("y has another number of dimensions than the targets that the model was fitted to.")
        self._lone = y.ndim == 1
        return self._one_pass(X, y, weight)

    def _data(self, X, y, sample_weight, reset):
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            accept_large_sparse=True,
            dtype=[np.float64, np.float32],
            order="C",
            multi_output=True,
            y_numeric=True,
            reset=reset,
        )
        return X, y.astype(X.dtype, copy=False), _weight(self, sample_weight, X)

    def _codes(self, loss):
        return None

    def _drawn(self, split):
        """What ``split()`` holds out, and the seed of the order of rows: drawn as scikit-learn draws them."""
        mask = split()
        return mask, int(check_random_state(self.random_state).randint(0, SEEDS))

    def _shaped(self, coef):
        return coef[0] if self._lone else coef

    def _score(self, scores, y, weight):
        """R squared on the held-out rows."""
        return r2_score(y, self._loss().mean(scores.reshape(y.shape)), sample_weight=weight)

    def predict(self, X):
        """TODO."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        scores = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return self._loss().mean(scores.reshape(-1) if self._lone else scores)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _weight(estimator, sample_weight, X):
    """The row weights, checked; None where all rows weigh the same."""
    if sample_weight is None:
        return None
    # Of weights that are all zero, the split of early stopping says more.
    zero = {"allow_all_zero_weights": True} if estimator.early_stopping else {}
    return _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True, **zero)


class SGDClassifier(LinearClassifierMixin, _SGD):
    """TODO."""

    loss_functions = {
        "hinge": (losses.Hinge,),
        "squared_hinge": (losses.SquaredHinge,),
        "perceptron": (losses.Perceptron,),
        "log_loss": (losses.LogLoss,),
        "modified_huber": (losses.ModifiedHuber,),
        **REGRESSION,
    }
    _parameter_constraints = {
        **_SGD._parameter_constraints,
        "loss": [StrOptions({*loss_functions, "multinomial"}), HasMethods(["value", "slope"])],
        "n_jobs": [Integral, None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        loss="hinge",
        *,
        penalty="l2",
        alpha=0.0001,
        l1_ratio=0.15,
        fit_intercept=True,
        max_iter=1000,
        tol="auto",
        shuffle=True,
        verbose=0,
        epsilon=0.1,
        n_jobs=None,
        random_state=None,
        learning_rate="auto",
        eta0=0.01,
        power_t=0.5,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        class_weight=None,
        warm_start=False,
        average=False,
        optimizer="auto",
        momentum=None,
        batch_size="auto",
        standardize="auto",
        bounds=None,
    ):
        _set(self, locals())

    def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None):
        """TODO."""
        self._check_settings()
        X, y, weight = self._data(X, y, sample_weight, reset=True)
        self.classes_ = np.unique(y)
        if self.classes_.size < 2:
            words = "The number of classes has to be greater than one; got"
            raise ValueError(f"{words} {self.classes_.size} class")
        begin = self._begin(coef_init, intercept_init, self._lanes, X.shape[1], X.dtype)
        return self._descend(X, self._targets(y, X.dtype), self._class_weights(y, weight, X.dtype), begin, stratify=y)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """TODO."""
        first = not hasattr(self, "classes_")
        self._check_settings(one_pass=first)
        if self.class_weight == "balanced":
            raise ValueError(BALANCED)
        X, y, weight = self._data(X, y, sample_weight, reset=first)
        self._learn_classes(y, classes)
        weights = self._class_weights(y, weight, X.dtype)
        if weights is not None and weights.ndim == 2:
            raise ValueError("class_weight")
        return self._one_pass(X, self._targets(y, X.dtype), weights)

    def _learn_classes(self, y, classes):
        """Take the classes from the first call; later ones must agree."""
        if not hasattr(self, "classes_"):
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self.classes_ = np.unique(classes)
            if self.classes_.size < 2:
                raise ValueError(f"classes must hold at least two labels, got {self.classes_.size} class.")
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit: {self.classes_!r}")
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(f"y holds the label {unknown[0]!r}, which is not among classes={self.classes_!r}.")

    def _data(self, X, y, sample_weight, reset):
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            accept_large_sparse=True,
            dtype=[np.float64, np.float32],
            order="C",
            reset=reset,
        )
        check_classification_targets(y)
        return X, y, _weight(self, sample_weight, X)

    def _threads(self):
        from joblib import effective_n_jobs

        return None if self.n_jobs is None else effective_n_jobs(self.n_jobs)

    @property
    def _lanes(self):
        return 1 if self.classes_.size == 2 else self.classes_.size

    def _loss(self):
        """The loss; of two classes multinomial is the log loss."""
        if self.loss == "multinomial" and self.classes_.size == 2:
            return losses.LogLoss()
        return super()._loss()

    def _drawn(self, split):
        """What ``split()`` holds out, and the seed of the order of rows, of several classes that of the first."""
        random = check_random_state(self.random_state)
        if self._lanes > 1:
            mask = split()
            random = check_random_state(self.random_state)
            random = np.random.RandomState(random.randint(SEEDS, size=self._lanes)[0])
        random.randint(1, SEEDS)
        mask = split() if self._lanes == 1 else mask
        return mask, int(random.randint(SEEDS))

    def _codes(self, loss):
        """The codes of the targets, for losses of classes."""
        if not loss.labels:
            return None
        return np.arange(self.classes_.size if loss.joint else 2)

    def _targets(self, y, dtype):
        """Codes, or one column for each class against the rest; -1 and 1 for losses of numbers."""
        loss, codes = self._loss(), np.searchsorted(self.classes_, y)
        if not loss.joint and self.classes_.size > 2:
            codes = codes[:, None] == np.arange(self.classes_.size)
        codes = codes.astype(dtype)
        return codes if loss.labels else 2 * codes - 1

    def _class_weights(self, y, weight, dtype):
        """The row weights times those of the classes: (n,), or (n, classes) where one class meets the rest."""
        if self.class_weight is None:
            return weight
        of_classes = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        if np.all(of_classes == 1):
            return weight
        codes = np.searchsorted(self.classes_, y)
        weights = of_classes[codes]
        if self.classes_.size > 2 and not self._loss().joint:
            weights = np.where(codes[:, None] == np.arange(self.classes_.size), weights[:, None], 1.0)
        if weight is not None:
            weights = weights * (weight if weights.ndim == 1 else weight[:, None])
        return weights.astype(dtype)

    def _shaped(self, coef):
        return coef

    def _score(self, scores, y, weight):
        """The accuracy on the held-out rows."""
        if self._loss().joint:
            right = scores.argmax(axis=1) == y
        else:
            right = (scores.reshape(y.shape) > 0) == (y > 0)
            right = right if right.ndim == 1 else right.mean(axis=1)
        return float(np.average(right, weights=weight))

    def _check_proba(self):
        if self.loss not in ("log_loss", "modified_huber", "multinomial"):
            raise AttributeError(f"probability estimates are not available for loss={self.loss!r}")
        return True

    @available_if(_check_proba)
    def predict_proba(self, X):
        """TODO."""
        check_is_fitted(self)
        if self.loss == "log_loss" or self.classes_.size == 2 and self.loss == "multinomial":
            return self._predict_proba_lr(X)
        scores = self.decision_function(X)
        if self.loss == "multinomial":
            return softmax(scores)
        shares = (np.clip(scores, -1, 1) + 1) / 2
        if shares.ndim == 1:
            return np.column_stack([1 - shares, shares])
        shares[shares.sum(axis=1) == 0] = 1  # no class is likely at all
        return shares / shares.sum(axis=1, keepdims=True)

    @available_if(_check_proba)
    def predict_log_proba(self, X):
        """TODO."""
        return np.log(self.predict_proba(X))


BALANCED = (
    "class_weight 'balanced' is not supported for partial_fit. In order to use 'balanced' weights, use "
    "compute_class_weight('balanced', classes=classes, y=y). In place of y you can use a large enough sample of the full "
    "training set target to properly estimate the class frequency distributions. Pass the resulting weights as the "
    "class_weight parameter."
)
