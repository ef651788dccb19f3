"""scikit-learn's ``SGDRegressor`` and ``SGDClassifier`` over ``fit``.

With ``learning_rate="auto"``, the default, fastgd's own rules hold. With one of scikit-learn's schedules steps and
stopping are scikit-learn's.
"""

from numbers import Integral

import numpy as np

try:
    from scipy.sparse import issparse
    from sklearn.base import RegressorMixin
    from sklearn.linear_model._base import LinearClassifierMixin
    from sklearn.metrics import r2_score
    from sklearn.utils import check_random_state, compute_class_weight
    from sklearn.utils._param_validation import HasMethods, StrOptions
    from sklearn.utils.extmath import safe_sparse_dot, softmax
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    words = "need scikit-learn 1.6 or later: python -m pip install -U 'fastgd[sklearn]'"
    raise ImportError(f"fastgd.SGDRegressor and fastgd.SGDClassifier {words} ({error}).") from None

from ..parts import losses
from .base import SGD, all_or_nothing, sound

SEEDS = np.iinfo(np.int32).max
# scikit-learn's losses; a number is the default of the field that ``epsilon`` sets.
REGRESSION = {
    "squared_error": (losses.SquaredError,),
    "huber": (losses.Huber, 0.1),
    "epsilon_insensitive": (losses.EpsilonInsensitive, 0.1),
    "squared_epsilon_insensitive": (losses.SquaredEpsilonInsensitive, 0.1),
}
CLASSES = {
    "hinge": (losses.Hinge,),
    "squared_hinge": (losses.SquaredHinge,),
    "perceptron": (losses.Perceptron,),
    "log_loss": (losses.LogLoss,),
    "modified_huber": (losses.ModifiedHuber,),
}
FURTHER = {"mse", "absolute_error", "quantile", "poisson", "gamma", "tweedie"}
BALANCED = (
    "class_weight 'balanced' is not supported for partial_fit. In order to use 'balanced' weights, use "
    "compute_class_weight('balanced', classes=classes, y=y). In place of y you can use a large enough sample of the "
    "full training set target to properly estimate the class frequency distributions. Pass the resulting weights as "
    "the class_weight parameter."
)


class SGDRegressor(RegressorMixin, SGD):
    """scikit-learn's ``SGDRegressor`` over :func:`fastgd.fit`, which needs no scaling step and no rate.

    Parameters
    ----------
    loss : str or part, default "squared_error"
        scikit-learn's "squared_error", "huber", "epsilon_insensitive" and "squared_epsilon_insensitive"; "mse",
        "absolute_error", "quantile", "poisson", "gamma" and "tweedie"; or e.g. ``fastgd.losses.Quantile(0.9)``.
    penalty : {"l2", "l1", "elasticnet"} or None, default "l2"
        Its strength is ``alpha``, of the raw coefficients as in scikit-learn; where columns are standardised, of the
        scaled ones.
    alpha : float, default 0.0001
        Strength of the penalty; also what "optimal" rates are made of.
    l1_ratio : float or None, default 0.15
        The share of L1 in "elasticnet".
    fit_intercept : bool, default True
    max_iter : int, default 1000
        The largest number of passes of ``fit``.
    tol : "auto", float or None, default "auto"
        When to end. With an automatic rate the relative decrease of the objective that is too little, "auto" is 1e-6 on
        the full batch of a loss without corners and 1e-3 otherwise. Else scikit-learn's rule: the objective (or the
        score of the held-out rows) has to gain this much, in absolute terms, and "auto" is 1e-3. None never ends.
    shuffle : bool or {"block", "full", "replacement"}, default True
        True is scikit-learn's order for given schedules, and "block" otherwise, which reads faster. See
        :func:`fastgd.fit` for the others.
    verbose : int, default 0
        1 prints what was chosen and shows a progress bar.
    epsilon : float, default 0.1
        Of the losses "huber", "epsilon_insensitive" and "squared_epsilon_insensitive".
    random_state : int, RandomState instance or None, default None
    learning_rate : str, float or part, default "auto"
        "auto" asks for no rate: Newton's steps on the full batch, and what :func:`fastgd.fit` does elsewhere.
        scikit-learn's "constant", "optimal", "invscaling", "adaptive", "pa1" and "pa2" take scikit-learn's steps. A
        number, the name of another of :mod:`fastgd.schedules` (its first rate is ``eta0``), or e.g.
        ``fastgd.schedules.Cosine(0.1)``.
    eta0 : float, default 0.01
    power_t : float, default 0.25
        The exponent of "invscaling".
    early_stopping : bool, default False
        Hold out ``validation_fraction`` of the rows and end when their score has not risen by ``tol`` for
        ``n_iter_no_change`` epochs. The weights are the last ones.
    validation_fraction : float, default 0.1
    n_iter_no_change : int, default 5
    warm_start : bool, default False
        Begin at the coefficients of the fit before.
    average : bool or int, default False
        Give the mean of the weights after each step, from the first step or the step of this number on.
    optimizer : "auto", str or part, default "auto"
        One of :mod:`fastgd.optimizers`.
    momentum : float or None, default None
        Of "sgd", "momentum", "nesterov" or "rmsprop".
    batch_size : "auto", int or None, default "auto"
        Rows a step, None is all. "auto" is 1 with a given schedule; with an automatic rate it is all, or 32 of sparse
        rows with 1,024 columns or more.
    standardize : "auto", "scale" or bool, default "auto"
        Scale the columns as they are read; "scale" does not centre them, which sparse ones never are. "auto" is False
        with a given schedule. With an automatic rate it is False where nothing is lost by it, so that ``alpha`` acts on
        raw coefficients: for Newton's steps (see :func:`fastgd.fit`) and for sparse rows of many columns; else True.
        ``coef_`` is in the units of the columns either way.
    bounds : (low, high) or None, default None
        Numbers or arrays (d,) between which the coefficients stay.

    Attributes
    ----------
    coef_ : ndarray (d,), or (m, d) for targets (n, m)
    intercept_ : ndarray (1,), or (m,)
    n_iter_ : int
        Passes over the data; of models that ended apart the most.
    t_ : float
        1 + the rows passed, as scikit-learn counts them.
    loss_curve_ : ndarray (n_iter_,)
        What each epoch met, the mean over targets or classes: the objective on the full batch, and the loss, without
        the penalty, in batches.
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

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import SGDRegressor
    >>> X = np.column_stack([np.arange(1990.0, 2020.0), np.tile([1e6, 2e6, 4e6], 10)])  # raw: years next to millions
    >>> y = 0.5 * X[:, 0] + 2e-6 * X[:, 1]
    >>> round(SGDRegressor(penalty=None).fit(X, y).score(X, y), 6)
    1.0
    """

    loss_functions = REGRESSION
    _margin_loss = "epsilon_insensitive"
    _parameter_constraints = {
        **SGD._parameter_constraints,
        "loss": [StrOptions({*REGRESSION, *FURTHER}), HasMethods(["value", "slope"])],
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
        self._set(locals())

    @all_or_nothing
    def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)
        y : array-like (n,) or (n, m)
        coef_init : array-like or None, default None
            Coefficients to begin with; of the shape of ``coef_``.
        intercept_init : array-like or None, default None
        sample_weight : array-like (n,) or None, default None

        Returns
        -------
        self
        """
        self._check_settings()
        X, y, weight = self._ready(X, y, sample_weight)
        lanes = 1 if y.ndim == 1 else y.shape[1]
        begin = self._begin(coef_init, intercept_init, lanes, X.shape[1], X.dtype)
        return self._descend(X, y, weight, begin)

    @all_or_nothing
    def partial_fit(self, X, y, sample_weight=None):
        """Take one more chunk of data in: one pass over its rows.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)
        y : array-like (n,) or (n, m)
        sample_weight : array-like (n,) or None, default None

        Returns
        -------
        self
        """
        first = getattr(self, "coef_", None) is None
        self._check_settings(one_pass=first)
        X, y, weight = self._data(X, y, sample_weight, reset=first)
        lanes = 1 if y.ndim == 1 else y.shape[1]
        if not first and np.size(self.intercept_) != lanes:
            raise ValueError(f"y has {lanes} targets, but the model was fitted to {np.size(self.intercept_)}.")
        self._lone = y.ndim == 1
        return self._one_pass(X, y, weight)

    def predict(self, X):
        """The mean of the target that the model predicts.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)

        Returns
        -------
        ndarray (n,), or (n, m) for m targets
        """
        return self._loss().mean(self._scores(X))

    def _scores(self, X):
        """The linear scores (n,) or (n, m)."""
        check_is_fitted(self)
        X = validate_data(self, sound(X), accept_sparse="csr", reset=False)
        coef = self.coef_.toarray() if issparse(self.coef_) else self.coef_
        scores = safe_sparse_dot(X, coef.reshape(-1, X.shape[1]).T, dense_output=True) + self.intercept_
        return scores.reshape(-1) if getattr(self, "_lone", True) else scores

    def _data(self, X, y, sample_weight, reset):
        X, y, sample_weight = super()._data(X, y, sample_weight, reset, multi_output=True, y_numeric=True)
        return X, y.astype(X.dtype, copy=False), sample_weight

    def _ready(self, X, y, sample_weight):
        """The rows, targets and weights of ``fit``, and what is learned from them before it."""
        X, y, weight = self._data(X, y, sample_weight, reset=True)
        self._lone = y.ndim == 1
        return X, y, weight

    def _drawn(self, split):
        """What ``split()`` holds out, and the seeds of the orders of rows: drawn as scikit-learn draws them."""
        mask = split()
        return mask, [int(check_random_state(self.random_state).randint(0, SEEDS))]

    def _codes(self, loss):
        """There are no classes."""

    def _shaped(self, coef):
        return coef[0] if self._lone else coef

    def _score(self, scores, y, weight):
        """R squared on the held-out rows."""
        return r2_score(y, self._loss().mean(scores.reshape(y.shape)), sample_weight=weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class SGDClassifier(LinearClassifierMixin, SGD):
    """scikit-learn's ``SGDClassifier`` over :func:`fastgd.fit`, which needs no scaling step and no rate.

    Of more than two classes each is told from the rest, all in the same passes; "multinomial" fits them together.

    Parameters
    ----------
    loss : str or part, default "hinge"
        scikit-learn's "hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron" and its losses of
        regression; "multinomial"; or e.g. ``fastgd.losses.Hinge(width=0.5)``.
    penalty : {"l2", "l1", "elasticnet"} or None, default "l2"
        Its strength is ``alpha``, of the raw coefficients as in scikit-learn; where columns are standardised, of the
        scaled ones.
    alpha : float, default 0.0001
        Strength of the penalty; also what "optimal" rates are made of.
    l1_ratio : float or None, default 0.15
        The share of L1 in "elasticnet".
    fit_intercept : bool, default True
    max_iter : int, default 1000
        The largest number of passes of ``fit``.
    tol : "auto", float or None, default "auto"
        When to end. With an automatic rate the relative decrease of the objective that is too little, "auto" is 1e-6 on
        the full batch of a loss without corners and 1e-3 otherwise. Else scikit-learn's rule: the objective (or the
        score of the held-out rows) has to gain this much, in absolute terms, and "auto" is 1e-3. None never ends.
    shuffle : bool or {"block", "full", "replacement"}, default True
        True is scikit-learn's order for given schedules, and "block" otherwise, which reads faster. See
        :func:`fastgd.fit` for the others.
    verbose : int, default 0
        1 prints what was chosen and shows a progress bar.
    epsilon : float, default 0.1
        Of the losses "huber", "epsilon_insensitive" and "squared_epsilon_insensitive".
    n_jobs : int or None, default None
        Threads; None is as many as this process may use. The result has the same bits for any number.
    random_state : int, RandomState instance or None, default None
    learning_rate : str, float or part, default "auto"
        "auto" asks for no rate: Newton's steps on the full batch, and what :func:`fastgd.fit` does elsewhere.
        scikit-learn's "constant", "optimal", "invscaling", "adaptive", "pa1" and "pa2" take scikit-learn's steps. A
        number, the name of another of :mod:`fastgd.schedules` (its first rate is ``eta0``), or e.g.
        ``fastgd.schedules.Cosine(0.1)``.
    eta0 : float, default 0.01
    power_t : float, default 0.5
        The exponent of "invscaling".
    early_stopping : bool, default False
        Hold out ``validation_fraction`` of the rows and end when their score has not risen by ``tol`` for
        ``n_iter_no_change`` epochs. The weights are the last ones.
    validation_fraction : float, default 0.1
    n_iter_no_change : int, default 5
    class_weight : dict, "balanced" or None, default None
        Weights of the classes, times those of the rows; against a class, the rest weighs 1. Of more than two classes
        they make a run of each.
    warm_start : bool, default False
        Begin at the coefficients of the fit before.
    average : bool or int, default False
        Give the mean of the weights after each step, from the first step or the step of this number on.
    optimizer : "auto", str or part, default "auto"
        One of :mod:`fastgd.optimizers`.
    momentum : float or None, default None
        Of "sgd", "momentum", "nesterov" or "rmsprop".
    batch_size : "auto", int or None, default "auto"
        Rows a step, None is all. "auto" is 1 with a given schedule; with an automatic rate it is all, or 32 of sparse
        rows with 1,024 columns or more.
    standardize : "auto", "scale" or bool, default "auto"
        Scale the columns as they are read; "scale" does not centre them, which sparse ones never are. "auto" is False
        with a given schedule. With an automatic rate it is False where nothing is lost by it, so that ``alpha`` acts on
        raw coefficients: for Newton's steps (see :func:`fastgd.fit`) and for sparse rows of many columns; else True.
        ``coef_`` is in the units of the columns either way.
    bounds : (low, high) or None, default None
        Numbers or arrays (d,) between which the coefficients stay.

    Attributes
    ----------
    coef_ : ndarray (1, d), or (K, d) for K > 2 classes
    intercept_ : ndarray (1,), or (K,)
    classes_ : ndarray (K,)
    n_iter_ : int
        Passes over the data; of models that ended apart the most.
    t_ : float
        1 + the rows passed, as scikit-learn counts them.
    loss_curve_ : ndarray (n_iter_,)
        What each epoch met, the mean over targets or classes: the objective on the full batch, and the loss, without
        the penalty, in batches.
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

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import SGDClassifier
    >>> X = np.column_stack([np.arange(1990.0, 2020.0), np.tile([1e6, 2e6, 4e6], 10)])  # raw: years next to millions
    >>> y = np.where(X[:, 1] > 1.5e6, "rich", "poor")
    >>> SGDClassifier(loss="log_loss").fit(X, y).predict(X[:3]).tolist()
    ['poor', 'rich', 'rich']
    """

    loss_functions = {**CLASSES, **REGRESSION}
    _margin_loss = "hinge"
    _parameter_constraints = {
        **SGD._parameter_constraints,
        "loss": [
            StrOptions({*CLASSES, *REGRESSION, "multinomial"}),
            HasMethods(["value", "slope"]),
            HasMethods(["value_and_slopes"]),
        ],
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
        self._set(locals())

    @all_or_nothing
    def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)
        y : array-like (n,)
            Labels.
        coef_init : array-like or None, default None
            Coefficients to begin with; of the shape of ``coef_``.
        intercept_init : array-like or None, default None
        sample_weight : array-like (n,) or None, default None

        Returns
        -------
        self
        """
        self._check_settings()
        rows, targets, weight = self._ready(X, y, sample_weight)
        begin = self._begin(coef_init, intercept_init, self._lanes, rows.shape[1], rows.dtype)
        return self._descend(rows, targets, weight, begin, strata=np.asarray(y).reshape(-1))

    @all_or_nothing
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Take one more chunk of data in: one pass over its rows.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)
        y : array-like (n,)
        classes : array-like (K,) or None, default None
            All labels, with the first call.
        sample_weight : array-like (n,) or None, default None

        Returns
        -------
        self
        """
        first = getattr(self, "coef_", None) is None
        self._check_settings(one_pass=first)
        if self.class_weight == "balanced":
            raise ValueError(BALANCED)
        X, y, weight = self._data(X, y, sample_weight, reset=first)
        self._learn_classes(y, classes)
        return self._one_pass(X, self._targets(y, X.dtype), self._class_weights(y, weight, X.dtype))

    @property
    def _proba(self):
        """How probabilities are made, or None."""
        if self.loss == "multinomial":
            return "log_loss" if self.classes_.size == 2 else "multinomial"
        return self.loss

    def _check_proba(self):
        if self.loss not in ("log_loss", "modified_huber", "multinomial"):
            raise AttributeError(f"probability estimates are not available for loss={self.loss!r}")
        return True

    @available_if(_check_proba)
    def predict_proba(self, X):
        """The probabilities of the classes, for the losses "log_loss", "modified_huber" and "multinomial".

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)

        Returns
        -------
        ndarray (n, K)
        """
        check_is_fitted(self)
        if self._proba == "log_loss":
            return self._predict_proba_lr(X)
        scores = self.decision_function(X)
        if self._proba == "multinomial":
            return softmax(scores)
        shares = (np.clip(scores, -1, 1) + 1) / 2  # Zhang 2004
        if shares.ndim == 1:
            return np.column_stack([1 - shares, shares])
        shares[shares.sum(axis=1) == 0] = 1  # where no class is likely, all are alike
        return shares / shares.sum(axis=1, keepdims=True)

    @available_if(_check_proba)
    def predict_log_proba(self, X):
        """The logarithms of :meth:`predict_proba`.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)

        Returns
        -------
        ndarray (n, K)
        """
        return np.log(self.predict_proba(X))

    def decision_function(self, X):
        """The linear scores (n,), or (n, K) of more than two classes."""
        return super().decision_function(sound(X))

    def _data(self, X, y, sample_weight, reset):
        X, y, sample_weight = super()._data(X, y, sample_weight, reset)
        check_classification_targets(y)
        return X, y, sample_weight

    def _ready(self, X, y, sample_weight):
        """The rows, targets and weights of ``fit``, and what is learned from them before it."""
        X, y, weight = self._data(X, y, sample_weight, reset=True)
        self.classes_ = np.unique(y)
        if self.classes_.size < 2:
            raise ValueError("The number of classes has to be greater than one; got 1 class")
        return X, self._targets(y, X.dtype), self._class_weights(y, weight, X.dtype)

    def _learn_classes(self, y, classes):
        """Take the classes from the first call; later ones must agree."""
        if getattr(self, "coef_", None) is None:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self.classes_ = np.unique(classes)
            if self.classes_.size < 2:
                raise ValueError("The number of classes has to be greater than one; got 1 class")
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit: {self.classes_!r}")
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(f"y holds the label {unknown[0]!r}, which is not one of the classes {self.classes_!r}.")

    def _threads(self):
        from joblib import effective_n_jobs

        return None if self.n_jobs is None else effective_n_jobs(self.n_jobs)

    @property
    def _lanes(self):
        return 1 if self.classes_.size == 2 else self.classes_.size

    def _loss(self):
        """The loss; "multinomial" of two classes is the log loss."""
        if self.loss == "multinomial" and self.classes_.size == 2:
            return losses.LogLoss()
        return super()._loss()

    def _drawn(self, split):
        """What ``split()`` holds out, and the seeds of the orders of rows, one a lane: drawn as scikit-learn does."""
        random = check_random_state(self.random_state)
        if self._lanes == 1:
            random.randint(1, SEEDS)
            return split(), [int(random.randint(SEEDS))]
        mask, random = split(), check_random_state(self.random_state)
        each = [np.random.RandomState(seed) for seed in random.randint(SEEDS, size=self._lanes)]
        for one in each:
            one.randint(1, SEEDS)
        return mask, [int(one.randint(SEEDS)) for one in each]

    def _codes(self, loss):
        """The codes of the targets, for losses of classes."""
        return np.arange(self.classes_.size if loss.joint else 2) if loss.labels else None

    def _targets(self, y, dtype):
        """Codes, or a column for each class against the rest; -1 and 1 for losses of numbers."""
        loss, codes = self._loss(), np.searchsorted(self.classes_, y)
        if not loss.joint and self._lanes > 1:
            codes = codes[:, None] == np.arange(self.classes_.size)
        codes = codes.astype(dtype)
        return codes if loss.labels else 2 * codes - 1

    def _class_weights(self, y, weight, dtype):
        """The row weights times those of the classes: (n,), or (n, classes) where one class meets the rest."""
        of_classes = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        if np.all(of_classes == 1):
            return weight
        codes = np.searchsorted(self.classes_, y)
        weights = of_classes[codes]
        if self._lanes > 1 and not self._loss().joint:
            weights = np.where(codes[:, None] == np.arange(self.classes_.size), weights[:, None], 1.0)
        if weight is not None:
            weights = weights * weight.reshape(-1, *[1] * (weights.ndim - 1))
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
