"""Scorers: how good a fitted model is on rows it was not trained on, by scikit-learn's scorers or a function."""

import difflib
import numbers
from types import FunctionType

import numpy as np

from ..parts.registry import brief

PROBABLE = ("log_loss", "multinomial")  # the losses whose models have probabilities


def scorer_of(scoring):
    """A function ``(result, X, y) -> float``, larger is better, from what the user gave.

    Parameters
    ----------
    scoring : None, str or callable
        None where the loss counts; the name of one of scikit-learn's scorers; or a callable ``(estimator, X, y)``, as
        scikit-learn's ``make_scorer`` makes. The estimator is an :class:`Estimator`; ``y`` are labels, not codes.

    Returns
    -------
    callable or None
        NaN and infinity are scores too. What the scorer raises becomes a ValueError that names scoring; what is not a
        real number, a TypeError.

    Raises
    ------
    ValueError, TypeError
        Where it is no scorer, naming near ones.
    ImportError
        Where a name is given and scikit-learn is missing.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd
    >>> from fastgd.scoring import scorer_of
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
    >>> worst = scorer_of(lambda estimator, X, y: -np.abs(estimator.predict(X) - y).max())
    >>> round(worst(fastgd.fit(X, y), X, y), 3) + 0.0
    0.0
    """
    if scoring is None:
        return None
    if isinstance(scoring, str):
        return _guarded(_named(scoring), scoring)
    if not callable(scoring) or isinstance(scoring, type):
        words = "the name of a scikit-learn scorer, or a callable (estimator, X, y)"
        raise TypeError(f"scoring={brief(scoring)} must be None, {words}.")
    if isinstance(scoring, FunctionType) and scoring.__module__.startswith("sklearn.metrics."):
        name = scoring.__name__
        raise ValueError(f"scoring={name} is a metric of (y, prediction): pass sklearn.metrics.make_scorer({name}).")
    return _guarded(scoring, scoring)


def _named(name):
    """scikit-learn's scorer of that name."""
    try:
        from sklearn import metrics
    except ImportError:
        words = "needs scikit-learn: python -m pip install 'fastgd[sklearn]'"
        raise ImportError(f"scoring={brief(name)} {words}, or pass a function (estimator, X, y).") from None
    valid = metrics.get_scorer_names()
    if name not in valid:
        near = difflib.get_close_matches(name.lower()[:200], valid, n=3)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"scoring={brief(name)} is not known.{hint} sklearn.metrics.get_scorer_names() lists all.")
    return metrics.get_scorer(name)


def _guarded(scorer, given):
    """The scorer of a result, its errors naming scoring."""

    def score(result, X, y):
        try:
            value = scorer(estimator_of(result), X, y)
        except Exception as error:
            words = f"scoring: {str(error) or type(error).__name__}"
            if isinstance(error, AttributeError) and "predict_proba" in words:
                words += f" Only models of the losses {' and '.join(map(repr, PROBABLE))} have probabilities."
            raise ValueError(words) from error
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if not isinstance(value, numbers.Real) or isinstance(value, (bool, np.bool_)):
            raise TypeError(f"scoring={brief(given)} returned {brief(value)}: one real number is needed.")
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"scoring={brief(given)} returned {brief(value)}, which overflows float64.") from None

    return score


class Estimator:
    """A result with what scikit-learn's scorers ask of an estimator; all else is the result's own."""

    def __init__(self, result):
        self.result = result

    def __getattr__(self, name):
        if name.startswith("__") or name == "result":  # also while it is copied or unpickled
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        return getattr(self.result, name)

    @property
    def classes_(self):
        """The sorted labels, or None."""
        return self.result.classes

    @property
    def _estimator_type(self):  # what scikit-learn before 1.6 asks for
        return "regressor" if self.result.classes is None else "classifier"

    def __sklearn_tags__(self):
        from sklearn.utils import ClassifierTags, RegressorTags, Tags, TargetTags

        if self.result.classes is None:
            return Tags("regressor", TargetTags(required=True), regressor_tags=RegressorTags())
        return Tags("classifier", TargetTags(required=True), classifier_tags=ClassifierTags())

    def predict(self, X):
        """The result's predictions."""
        return self.result.predict(X)

    def decision_function(self, X):
        """The result's scores, of two classes one a row: positive means the second."""
        scores = self.result.decision_function(X)
        if self.result.classes is not None and scores.ndim == 2 and scores.shape[1] == 2:
            return scores[:, 1] - scores[:, 0]
        return scores


class ProbabilityEstimator(Estimator):
    """An estimator whose loss makes its scores logarithms of odds. Others must not even have the method."""

    def predict_proba(self, X):
        """The probability (n, K) of each class: the softmax of the scores, the first of two classes scoring 0."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            scores = np.column_stack([np.zeros_like(scores), scores])
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


def estimator_of(result):
    """A result as an estimator."""
    state = getattr(result, "state", None)
    loss = state.facts["settings"]["loss"] if state is not None else {}
    # A class of the user's own may have that name too.
    probable = result.classes is not None and loss.get("name") in PROBABLE and "stamp" not in loss
    return (ProbabilityEstimator if probable else Estimator)(result)
