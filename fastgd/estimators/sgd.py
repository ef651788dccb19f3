"""scikit-learn's ``SGDRegressor`` and ``SGDClassifier`` over ``fit``.

With ``learning_rate="auto"``, the default, fastgd's own rules hold. With one of scikit-learn's schedules steps and
stopping are scikit-learn's.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

try:
    from sklearn.base import ClassifierMixin, RegressorMixin
    from sklearn.utils import column_or_1d, compute_class_weight
    from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets
except ImportError as error:
    words = "need scikit-learn 1.6 or later: python -m pip install -U 'fastgd[sklearn]'"
    raise ImportError(f"fastgd.SGDRegressor and fastgd.SGDClassifier {words} ({error}).") from None

from ..parts import losses
from ..parts.registry import snake_case
from ..results.quality import accuracy, r_squared
from ..sources.base import Source
from ..wording import count
from . import from_sources
from .base import SGD, all_or_nothing
from .docs import with_inherited_docs
from .parameters import OF_EPSILON, parameter
from .training_data import TrainingData

if TYPE_CHECKING:
    from .._types import AnyLoss

BALANCED = (
    "class_weight 'balanced' is not supported for partial_fit. In order to use 'balanced' weights, use "
    "compute_class_weight('balanced', classes=classes, y=y). In place of y you can use a large enough sample of the "
    "full training set target to properly estimate the class frequency distributions. Pass the resulting weights as "
    "the class_weight parameter."
)


def losses_of(labels, joint=False):
    """The losses of classes, or of numbers, by name: the class and, where ``epsilon`` is a field, its default."""
    found = {
        snake_case(name): loss for name, loss in losses.classes.items() if (loss.labels, loss.joint) == (labels, joint)
    }
    return {name: (loss, 0.1) if name in OF_EPSILON else (loss,) for name, loss in found.items()}


@with_inherited_docs
@dataclass(eq=False, repr=False)
class SGDRegressor(RegressorMixin, SGD):
    """scikit-learn's ``SGDRegressor`` over :func:`fastgd.fit`, which needs no scaling step and no rate.

    Parameters
    ----------
    loss : str or part, default "squared_error"
        scikit-learn's "squared_error", "huber", "epsilon_insensitive" and "squared_epsilon_insensitive"; "mse",
        "absolute_error", "quantile", "poisson", "gamma" and "tweedie"; or e.g. ``fastgd.losses.Quantile(0.9)``.
    power_t : float, default 0.25
        The exponent of "invscaling".

    Attributes
    ----------
    coef_ : ndarray (d,), or (m, d) for targets (n, m)
    intercept_ : ndarray (1,), or (m,)
        float64 also for float32 rows, as predictions are.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import SGDRegressor
    >>> X = np.column_stack([np.arange(1990.0, 2020.0), np.tile([1e6, 2e6, 4e6], 10)])  # raw: years next to millions
    >>> y = 0.5 * X[:, 0] + 2e-6 * X[:, 1]
    >>> round(SGDRegressor(penalty=None).fit(X, y).score(X, y), 6)
    1.0
    """

    loss_functions = losses_of(labels=False)
    margin_loss = "epsilon_insensitive"
    _single_target = True
    loss: AnyLoss = parameter("squared_error", [StrOptions({*loss_functions}), HasMethods(["value", "slope"])])

    @all_or_nothing
    def partial_fit(self, X, y=None, sample_weight=None):
        """Take one more chunk of data in: one pass over its rows.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d), or one of :mod:`fastgd.sources`
            A source is many chunks, each the rows whose numbers take 16 MB.
        y : array-like (n,) or (n, m)
            None with a source, which holds its targets and weights.
        sample_weight : array-like (n,) or None, default None

        Returns
        -------
        self
        """
        if isinstance(X, Source):
            return from_sources.chunks(self, X, y, sample_weight)
        first = self._begin_chunk()
        if self._weightless(X, y, sample_weight):
            return self
        data = self._training_data(X, y, sample_weight, reset=first)
        if not first and np.size(self.intercept_) != data.models:
            raise ValueError(
                f"y has {count(data.models, 'target')}, but the model was fitted to {np.size(self.intercept_)}."
            )
        return self._one_pass(data)

    def predict(self, X):
        """The mean of the target that the model predicts.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d), or one of :mod:`fastgd.sources`

        Returns
        -------
        ndarray (n,), or (n, m) for m targets; with a source an iterator of them, one for each block of rows
        """
        return self._answers(X, self._predicted)

    def score(self, X, y=None, sample_weight=None):
        """R squared of the predictions.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d), or one of :mod:`fastgd.sources`
            A source holds its targets and weights. It is read once; two numbers a row stay in memory.
        y : array-like (n,) or (n, m)
        sample_weight : array-like (n,) or None, default None

        Returns
        -------
        float
        """
        if self._is_read(X):
            y, found, sample_weight = from_sources.predictions(self, X, y, sample_weight)
            return r_squared(y, found, sample_weight)
        return super().score(X, y, sample_weight)

    def _predicted(self, scores):
        return self._loss().mean(scores)

    def _training_data(self, X, y, sample_weight, reset=True):
        X, y, weight = self._validated(X, y, sample_weight, reset, multi_output=True, y_numeric=True)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._single_target = y.ndim == 1
        return TrainingData(X, y, weight, models=1 if y.ndim == 1 else y.shape[1])

    def _held_out_score(self, scores, y, weight):
        """R squared."""
        return r_squared(y, self._loss().mean(scores.reshape(y.shape)), weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@with_inherited_docs
@dataclass(eq=False, repr=False)
class SGDClassifier(ClassifierMixin, SGD):
    """scikit-learn's ``SGDClassifier`` over :func:`fastgd.fit`, which needs no scaling step and no rate.

    Of more than two classes each is told from the rest, all in the same passes; "multinomial" fits them together.

    Parameters
    ----------
    loss : str or part, default "hinge"
        scikit-learn's "hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron" and its losses of
        regression; "multinomial"; or e.g. ``fastgd.losses.Hinge(width=0.5)``.
    n_jobs : int or None, default None
        Threads; None is as many as this process may use. The result has the same bits for any number.
    power_t : float, default 0.5
        The exponent of "invscaling".
    class_weight : dict, "balanced" or None, default None
        Weights of the classes, times those of the rows; against a class, the rest weighs 1. Of more than two classes
        they make a run of each.

    Attributes
    ----------
    coef_ : ndarray (1, d), or (K, d) for K > 2 classes
    intercept_ : ndarray (1,), or (K,)
    classes_ : ndarray (K,)

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import SGDClassifier
    >>> X = np.column_stack([np.arange(1990.0, 2020.0), np.tile([1e6, 2e6, 4e6], 10)])  # raw: years next to millions
    >>> y = np.where(X[:, 1] > 1.5e6, "rich", "poor")
    >>> SGDClassifier(loss="log_loss").fit(X, y).predict(X[:3]).tolist()
    ['poor', 'rich', 'rich']
    """

    # scikit-learn takes its losses of numbers for classes too, coded -1 and 1.
    loss_functions = losses_of(labels=True) | {
        name: SGDRegressor.loss_functions[name] for name in ("squared_error", *OF_EPSILON)
    }
    margin_loss = "hinge"
    loss: AnyLoss = parameter(
        "hinge",
        [
            StrOptions({*loss_functions, *losses_of(labels=True, joint=True)}),
            HasMethods(["value", "slope"]),
            HasMethods(["value_and_slopes"]),
        ],
    )
    _: KW_ONLY
    n_jobs: int | None = parameter(None, [Integral, None])
    power_t: float = parameter(0.5, [Interval(Real, None, None, closed="neither")])
    class_weight: dict[Any, float] | Literal["balanced"] | None = parameter(
        None, [StrOptions({"balanced"}), dict, None]
    )

    @all_or_nothing
    def partial_fit(self, X, y=None, classes=None, sample_weight=None):
        """Take one more chunk of data in: one pass over its rows.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d), or one of :mod:`fastgd.sources`
            A source is many chunks, each the rows whose numbers take 16 MB.
        y : array-like (n,)
            None with a source, which holds its targets and weights.
        classes : array-like (K,) or None, default None
            All labels, with the first call; a source that can be read again has them.
        sample_weight : array-like (n,) or None, default None

        Returns
        -------
        self
        """
        if self.class_weight == "balanced":
            self._begin_chunk()
            raise ValueError(BALANCED)
        if isinstance(X, Source):
            return from_sources.chunks(self, X, y, sample_weight, lambda: from_sources.classes_of(self, X, classes))
        first = self._begin_chunk()
        if self._weightless(X, y, sample_weight):
            return self
        X, y, weight = self._validated(X, y, sample_weight, reset=first)
        self._learn_classes(y, classes)
        return self._one_pass(self._encoded(X, y, weight))

    def predict(self, X):
        """The labels of the classes that the model predicts.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d), or one of :mod:`fastgd.sources`

        Returns
        -------
        ndarray (n,); with a source an iterator of them, one for each block of rows
        """
        return self._answers(X, self._predicted)

    def _predicted(self, scores):
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def decision_function(self, X):
        """The linear scores (n,), or (n, K) of more than two classes; of a source an iterator of blocks."""
        return self._answers(X, np.asarray)

    def score(self, X, y=None, sample_weight=None):
        """The accuracy of the predictions.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d), or one of :mod:`fastgd.sources`
            A source holds its targets and weights. It is read once; two labels a row stay in memory.
        y : array-like (n,)
        sample_weight : array-like (n,) or None, default None

        Returns
        -------
        float
        """
        if self._is_read(X):
            y, found, sample_weight = from_sources.predictions(self, X, y, sample_weight)
            return accuracy(y, found, sample_weight)
        return super().score(X, y, sample_weight)

    def _check_proba(self):
        if self._loss().probabilities is None:
            raise AttributeError(f"probability estimates are not available for loss={self.loss!r}")
        return True

    @available_if(_check_proba)
    def predict_proba(self, X):
        """The probabilities of the classes, for losses that have them: "log_loss", "modified_huber" and "multinomial".

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)

        Returns
        -------
        ndarray (n, K); with a source an iterator of them, one for each block of rows
        """
        return self._answers(X, self._loss().probabilities)

    @available_if(_check_proba)
    def predict_log_proba(self, X):
        """The logarithms of :meth:`predict_proba`.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)

        Returns
        -------
        ndarray (n, K); with a source an iterator of them, one for each block of rows
        """
        return self._answers(X, lambda scores: np.log(self._loss().probabilities(scores)))

    def _loss(self):
        """The loss; "multinomial" of two classes is the log loss."""
        if self.loss == "multinomial" and np.size(getattr(self, "classes_", ())) == 2:
            return losses.LogLoss()
        return super()._loss()

    def _validated(self, X, y, sample_weight, reset):
        X, y, sample_weight = super()._validated(X, y, sample_weight, reset)
        check_classification_targets(y)
        return X, y, sample_weight

    def _training_data(self, X, y, sample_weight):
        X, y, weight = self._validated(X, y, sample_weight, reset=True)
        self._set_classes(y)
        return self._encoded(X, y, weight)

    def _set_classes(self, labels):
        self.classes_ = np.unique(labels)
        if self.classes_.size < 2:
            raise ValueError("The number of classes has to be greater than one; got 1 class")

    def _learn_classes(self, y, classes):
        """Take the classes from the first call; later ones must agree."""
        if getattr(self, "coef_", None) is None:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self._set_classes(classes)
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit: {self.classes_!r}")
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(f"y holds the label {unknown[0]!r}, which is not one of the classes {self.classes_!r}.")

    def _encoded(self, X, y, weight):
        """The data, y as codes or a column for each class against the rest; -1 and 1 for losses of numbers."""
        loss, of_classes = self._loss(), compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        codes, classes = np.searchsorted(self.classes_, y), np.arange(self.classes_.size)
        one_vs_rest = classes.size > 2 and not loss.joint
        targets = codes[:, None] == classes if one_vs_rest else codes
        if not np.all(of_classes == 1):
            weights = of_classes[codes]
            if one_vs_rest:
                weights = np.where(targets, weights[:, None], 1.0)
            if weight is not None:
                weights = weights * weight.reshape(-1, *[1] * (weights.ndim - 1))
            weight = weights
        targets = targets.astype(X.dtype)
        return TrainingData(
            X,
            targets if loss.labels else 2 * targets - 1,
            weight,
            models=1 if classes.size == 2 else classes.size,
            labels=y,
            codes=(classes if loss.joint else np.arange(2)) if loss.labels else None,
        )

    def _held_out_score(self, scores, y, weight):
        """The accuracy; of each class against the rest the mean of theirs."""
        if self._loss().joint:
            right = scores.argmax(axis=1) == y
        else:
            right = (scores.reshape(y.shape) > 0) == (y > 0)
            right = right if right.ndim == 1 else right.mean(axis=1)
        return float(np.average(right, weights=weight))
