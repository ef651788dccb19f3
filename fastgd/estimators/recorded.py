"""Known outcomes of a search, tabulated by scikit-learn's ``GridSearchCV``: its tables, ranks, warnings and checks."""

from collections import Counter
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV


class Outcome(NamedTuple):
    """What came of one candidate in one fold."""

    scores: dict  # by "test" and "train": what the scorer returned, or the exception it raised; {} for a failed fit
    error: Exception | None  # of a failed fit
    fit_time: float  # seconds
    score_time: float


class Recorded(BaseEstimator):
    """An estimator that looks its outcomes up. Row ``f`` stands for fold f to train on, row ``folds + f`` to test on.

    ``outcomes()`` gives a list of ``Outcome`` for each fold, one for each candidate in turn.
    """

    def __init__(self, outcomes, folds):
        self.outcomes, self.folds, self.asked = outcomes, folds, Counter()

    def __sklearn_clone__(self):
        return self  # outcomes are looked up one after the other

    def set_params(self, **parameters):
        """Take no parameters: candidates are known by their order."""
        return self

    def fit(self, X, y=None):
        """Look up the next candidate of a fold; raise the error of its fit."""
        if len(X) == 1:  # the refit has all rows, and does nothing
            fold = int(X[0, 0])
            self.outcome = self.outcomes()[fold][self.asked[fold]]
            self.asked[fold] += 1
            if self.outcome.error is not None:
                raise self.outcome.error
        return self

    def score(self, X, y=None, metric=None):
        """The score, or the one of this ``metric``."""
        found = self.outcome.scores["test" if X[0, 0] >= self.folds else "train"]
        if metric is not None and isinstance(found, dict):
            found = found[metric]
        if isinstance(found, Exception):
            raise found
        if isinstance(found, str):  # the traceback of one of many scorers
            raise RuntimeError(found)
        return found


def tabulated(search, outcomes, folds):
    """A ``GridSearchCV`` with the parameters of ``search``, whose first fit computes the outcomes."""
    scoring = search.scoring
    if isinstance(scoring, (list, tuple, set, dict)):
        scoring = {name: partial(Recorded.score, metric=name) for name in scoring}
    else:
        scoring = Recorded.score
    settings = search.get_params(deep=False) | {"estimator": Recorded(outcomes, folds), "scoring": scoring, "n_jobs": 1}
    settings["cv"] = [([fold], [folds + fold]) for fold in range(folds)]
    with config_context(enable_metadata_routing=False):
        found = GridSearchCV(**settings).fit(np.arange(2 * folds)[:, None])
    for name in ("fit_time", "score_time"):
        times = np.array([[getattr(outcome, name) for outcome in fold] for fold in outcomes()])
        found.cv_results_[f"mean_{name}"], found.cv_results_[f"std_{name}"] = times.mean(axis=0), times.std(axis=0)
    return found
