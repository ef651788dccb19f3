"""Scorers: the quality of a fitted model on rows it was not trained on, by scikit-learn's scorers or a function."""

import difflib
import numbers
import warnings
from inspect import signature
from types import FunctionType

import numpy as np

from ..inputs.part_serialization import part_of_run
from ..parts import losses
from ..results.quality import accuracy, r_squared
from ..wording import brief, level_outside

OWN = {"r2": (r_squared, False), "accuracy": (accuracy, True)}  # and whether it is for classes


def scorer_of(scoring):
    """A function ``(result, X, y, sample_weight=None) -> float``, larger is better, from what the user gave.

    Its attribute ``weighted`` says whether the scorer takes weights; if not, they are left out.

    Parameters
    ----------
    scoring : None, str or callable
        None for the loss; "r2", "accuracy" or the name of another of scikit-learn's scorers; or a callable
        ``(estimator, X, y)``, as scikit-learn's ``make_scorer`` makes, which may take ``sample_weight``. The estimator
        is an :class:`Estimator`; ``y`` are labels, not codes.

    Returns
    -------
    callable or None
        NaN and infinity are scores too. An error of the scorer is raised as a ValueError that names scoring; a result
        that is not a real number as a TypeError.

    Raises
    ------
    ValueError, TypeError
        If it is not a scorer; the message names similar ones.
    ImportError
        If a name is given and scikit-learn is missing.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd
    >>> from fastgd.linear.scoring import scorer_of
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
    >>> worst = scorer_of(lambda estimator, X, y: -np.abs(estimator.predict(X) - y).max())
    >>> round(worst(fastgd.fit(X, y), X, y), 3) + 0.0
    0.0
    """
    if scoring is None:
        return None
    if isinstance(scoring, str) and scoring in OWN:
        return own_scorer(scoring)
    if isinstance(scoring, str):
        return _score_function(_sklearn_scorer(scoring), scoring)
    if not callable(scoring) or isinstance(scoring, type):
        words = "the name of a scikit-learn scorer, or a callable (estimator, X, y)"
        raise TypeError(f"scoring={brief(scoring)} must be None, {words}.")
    if isinstance(scoring, FunctionType) and scoring.__module__.startswith("sklearn.metrics."):
        name = scoring.__name__
        raise ValueError(f"scoring={name} is a metric of (y, prediction): pass sklearn.metrics.make_scorer({name}).")
    return _score_function(scoring, scoring)


def own_scorer(name):
    """The scorer of that name that needs no scikit-learn."""
    measure, of_classes = OWN[name]

    def score(result, X, y, sample_weight=None):
        if (result.classes is not None) != of_classes:
            words = "classes: for numbers pass 'r2'" if of_classes else "numbers: for classes pass 'accuracy'"
            raise ValueError(f"scoring: {name!r} is for {words}.")
        return measure(y, result.predict(X), sample_weight)

    score.weighted = True
    return score


def _sklearn_scorer(name):
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


def _score_function(scorer, given):
    """The function that ``scorer_of`` returns; its errors name scoring."""
    weighted = takes_weights(scorer)

    def score(result, X, y, sample_weight=None):
        extra = {} if sample_weight is None or not weighted else {"sample_weight": sample_weight}
        try:
            value = scorer(estimator_of(result), X, y, **extra)
        except Exception as error:
            words = f"scoring: {str(error) or type(error).__name__}"
            if isinstance(error, AttributeError) and "predict_proba" in words:
                names = ", ".join(map(repr, losses.names_with("probabilities")))
                words += f" Models of these losses have probabilities: {names}."
            raise ValueError(words) from error
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if not isinstance(value, numbers.Real) or isinstance(value, (bool, np.bool_)):
            raise TypeError(f"scoring={brief(given)} returned {brief(value)}: one real number is needed.")
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"scoring={brief(given)} returned {brief(value)}, which overflows float64.") from None

    score.weighted = weighted
    return score


def takes_weights(scorer):
    """Whether a scorer takes row weights."""
    function = getattr(scorer, "_score_func", scorer)  # that of scikit-learn's scorers, which all take the argument
    if function is scorer and hasattr(scorer, "get_metadata_routing"):  # the method ``score`` of an estimator
        from sklearn.utils.metadata_routing import get_routing_for_object

        return "sample_weight" in get_routing_for_object(scorer).score.requests
    try:
        return "sample_weight" in signature(function).parameters
    except ValueError:  # compiled code may have no signature
        return False


def warn_of_unweighted(scoring):
    """Warn that scores count each row once."""
    words = "takes no sample_weight, so that its scores count each row once: compare by another scorer, or by the loss"
    warnings.warn(f"scoring={brief(scoring)} {words}.", UserWarning, stacklevel=level_outside())


class Estimator:
    """A result with the attributes that scikit-learn's scorers need; all others are the result's."""

    def __init__(self, result):
        self.result = result

    def __getattr__(self, name):
        # A loss without probabilities has no such method; "result" is asked for while it is copied or unpickled.
        if name.startswith("__") or name in ("result", "predict_proba"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        return getattr(self.result, name)

    @property
    def classes_(self):
        """The sorted labels, or None."""
        return self.result.classes

    @property
    def _estimator_type(self):  # for scikit-learn before 1.6
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
        """The result's scores, for two classes one a row: positive means the second."""
        scores = self.result.decision_function(X)
        if self.result.classes is not None and scores.ndim == 2 and scores.shape[1] == 2:
            return scores[:, 1] - scores[:, 0]
        return scores


class ProbabilityEstimator(Estimator):
    """An estimator of a loss with class probabilities. Others must not have the method at all."""

    def __init__(self, result, loss):
        super().__init__(result)
        self.loss = loss

    def predict_proba(self, X):
        """The probability (n, K) of each class."""
        return self.loss.probabilities(self.decision_function(X))


def estimator_of(result):
    """A result as an estimator."""
    state = getattr(result, "state", None)
    if result.classes is None or state is None:
        return Estimator(result)
    try:
        loss = part_of_run(state, "loss", losses)
    except ValueError:  # a user's own loss, of a result that was loaded from a file
        return Estimator(result)
    return Estimator(result) if loss.probabilities is None else ProbabilityEstimator(result, loss)
