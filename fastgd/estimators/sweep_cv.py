"""``SweepCV``: scikit-learn's ``GridSearchCV`` whose candidates are the lanes of a sweep, one a fold."""

import copy
import functools
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

try:
    from sklearn import config_context, get_config
    from sklearn.base import clone, is_classifier
    from sklearn.metrics import check_scoring
    from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
    from sklearn.utils import Bunch, _safe_indexing, indexable  # all three are in scikit-learn's API reference
    from sklearn.utils.metadata_routing import process_routing
    from sklearn.utils.parallel import Parallel, delayed
    from sklearn.utils.validation import validate_data
except ImportError as error:
    words = "needs scikit-learn 1.6 or later: python -m pip install -U 'fastgd[sklearn]'"
    raise ImportError(f"fastgd.SweepCV {words} ({error}).") from None

from ..inputs.opened import vectors_of
from ..linear.requests import fit_requests
from ..linear.scoring import takes_weights, warn_of_unweighted
from ..sources.base import WEIGHT, Source
from ..sources.rows import SourceRows
from ..sources.some_rows import SomeRows
from .from_sources import products
from .parameters import takes_all
from .recorded import Outcome, tabulated
from .sgd import SGDClassifier, SGDRegressor

LARGEST_BLOCK = 1 << 23  # linear scores of held-out rows that are computed at once
FOUND = ("cv_results_", "n_splits_", "multimetric_", "best_index_", "best_params_", "best_score_")
ENCODING = ("loss", "class_weight", "epsilon")  # parameters that say how targets and weights are made


class SweepCV(GridSearchCV):
    """scikit-learn's ``GridSearchCV`` of our ``SGDRegressor`` and ``SGDClassifier``, all candidates in the same passes.

    Each fold's training rows are swept by themselves, as :func:`fastgd.sweep` does: a pass trains all candidates that
    differ in ``alpha``, ``l1_ratio``, ``penalty``, ``bounds``, the fields of their parts or, where they are given, in
    their rates. What changes the passes themselves (the class of the loss, the optimizer or the schedule, the batch
    size, ``standardize``, ``penalty_factor``, ``fit_intercept``) makes more sweeps a fold. Models are those of separate
    fits to rounding, and of "log_loss", "poisson", "gamma" and "tweedie" within their tolerance.

    Parameters
    ----------
    estimator : SGDRegressor or SGDClassifier
        fastgd's own.
    param_grid : dict of str to list, or list of dicts
        As for ``GridSearchCV``, as is all below.
    scoring : str, callable, list, tuple, dict or None, default None
    n_jobs : int or None, default None
        Processes for candidates that are fitted one by one; sweeps use the threads that the estimator does.
    refit : bool, str or callable, default True
    cv : int, splitter, iterable of pairs or None, default None
    verbose : int, default 0
    pre_dispatch : int or str, default "2*n_jobs"
    error_score : "raise" or float, default nan
    return_train_score : bool, default False

    Attributes
    ----------
    cv_results_ : dict of str to array
        ``GridSearchCV``'s. Times are those of the sweeps, shared out evenly.
    best_estimator_, best_score_, best_params_, best_index_, refit_time_
    scorer_, n_splits_, multimetric_, classes_, n_features_in_, feature_names_in_

    Notes
    -----
    Row weights count in the scores too, where a scorer takes them. Fitted one by one, as ``GridSearchCV`` does:
    candidates with ``early_stopping`` (each holds out rows of its own) or ``warm_start``, those that take a schedule's
    steps in scikit-learn's order of single rows (``learning_rate`` other than "auto" and ``shuffle=True``, unless
    ``batch_size=None``), and all where other fit parameters than ``sample_weight`` and ``groups`` are given.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import SGDRegressor, SweepCV
    >>> X = np.arange(20.0).reshape(10, 2) % 7
    >>> search = SweepCV(SGDRegressor(), {"alpha": [1e-4, 1.0, 100.0]}).fit(X, X @ [1.0, -2.0])
    >>> search.best_params_
    {'alpha': 0.0001}
    """

    def fit(self, X, y=None, **params):
        """Fit all candidates in all folds, and the best one to all rows.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d), or one of :mod:`fastgd.sources`
            A source holds its targets and weights; splitters see its targets in place of its rows.
        y : array-like (n,) or (n, m)
            None with a source.
        **params : dict of str to object
            ``sample_weight``, ``groups`` and other fit parameters, as for ``GridSearchCV``.

        Returns
        -------
        self
        """
        if not isinstance(self.estimator, (SGDClassifier, SGDRegressor)):
            name = type(self.estimator).__name__
            raise TypeError(
                f"SweepCV sweeps fastgd.SGDRegressor and fastgd.SGDClassifier, got {name}: "
                f"for others use sklearn.model_selection.GridSearchCV."
            )
        source = isinstance(X, Source)
        if source:
            y, found = vectors_of(X, y, {"sample_weight": params.pop("sample_weight", None)})
            params |= {name: value for name, value in found.items() if value is not None}
        else:
            X, y = indexable(X, y)
        routed = self._routed(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(cv.split(y if source else X, y, **routed.splitter.split))

        @functools.cache
        def outcomes():
            parameters = list(ParameterGrid(self.param_grid))
            sweepable = [to_sweep(self.estimator, one) for one in parameters]
            return [self._fold(X, y, routed, *split, parameters, sweepable) for split in splits]

        found = tabulated(self, outcomes, len(splits))
        vars(self).update({name: value for name, value in vars(found).items() if name in FOUND})
        self.scorer_ = self._scorers()
        if self.refit:
            self.best_estimator_ = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
            began = time.perf_counter()
            self.best_estimator_.fit(X, None if source else y, **of_fit(X, routed.estimator.fit))
            self.refit_time_ = time.perf_counter() - began
            if hasattr(self.best_estimator_, "feature_names_in_"):
                self.feature_names_in_ = self.best_estimator_.feature_names_in_
        return self

    def _scorers(self):
        """The scorer or, of many metrics that are named, a dict of them."""
        scoring = self.scoring
        if isinstance(scoring, (list, tuple, set)):
            scoring = {name: name for name in scoring}
        if isinstance(scoring, dict):
            return {name: check_scoring(self.estimator, one) for name, one in scoring.items()}
        return check_scoring(self.estimator, scoring)

    def _routed(self, params):
        """Which of the parameters of ``fit`` go to fits, to scorers and to the splitter."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **params)
        given = dict(params)
        groups, scorers, weight = given.pop("groups", None), self._scorers(), given.get("sample_weight")
        each = scorers if isinstance(scorers, dict) else {self.scoring: scorers}
        taking = {name: weight is not None and takes_weights(one) for name, one in each.items()}
        if weight is not None:
            for name in [name for name, takes in taking.items() if not takes]:
                warn_of_unweighted(name)
        weighted = any(taking.values())
        return Bunch(
            estimator=Bunch(fit=given),
            splitter=Bunch(split={"groups": groups}),
            scorer=Bunch(score={"sample_weight": weight} if weighted else {}),
        )

    def _fold(self, X, y, routed, train, test, parameters, sweepable):
        """The outcomes in one fold of candidates; one whose ``sweepable`` is None is fitted alone."""
        trained, held = (Rows.of(X, y, routed, numbers) for numbers in (train, test))
        outcomes, swept = {}, {}
        scorer = check_scoring(self.estimator, self.scoring, raise_exc=self.error_score == "raise")
        given = {name: one for name, one in trained.fit.items() if one is not None}
        began = time.perf_counter()
        if given.keys() <= {"sample_weight"}:
            swept = fit_swept(sweepable, trained.X, trained.targets, given.get("sample_weight"))
        each = (time.perf_counter() - began) / max(len(swept), 1)
        for k, estimator in with_known_scores(swept, held.X):
            # The rows, targets and scoring parameters are validated with the first candidate only.
            with config_context(assume_finite=bool(outcomes), skip_parameter_validation=bool(outcomes)):
                outcomes[k] = self._outcome(scorer, estimator, each, trained, held)
        left = [k for k in range(len(parameters)) if k not in swept]
        fits = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)(
            delayed(fit_alone)(clone(self.estimator), parameters[k], trained, self.error_score) for k in left
        )
        outcomes |= {k: self._outcome(scorer, *fit, trained, held) for k, fit in zip(left, fits, strict=True)}
        return [outcomes[k] for k in range(len(parameters))]

    def _outcome(self, scorer, estimator, fit_time, trained, held):
        """The outcome of a fit, whose ``estimator`` is an exception where it failed."""
        if isinstance(estimator, Exception):
            return Outcome({}, estimator, fit_time, 0.0)

        def score(rows):
            if estimator._is_read(rows.X):
                estimator._known_scores = rows.X, estimator._shaped(known_scores([estimator], rows.X))
            return attempt(lambda: scorer(estimator, rows.X, rows.y, **rows.score), self.error_score)

        test, seconds = score(held)
        train = {"train": score(trained)[0]} if self.return_train_score else {}
        return Outcome({"test": test} | train, None, fit_time, seconds)


class Rows(NamedTuple):
    """Some rows of the data, and of the parameters of fits and scorers."""

    X: object
    y: object
    fit: dict
    score: dict

    @classmethod
    def of(cls, X, y, routed, numbers):
        """The rows of these numbers."""
        source = isinstance(X, Source)
        n, by_name = X.n if source else np.shape(X)[0], (of_fit(X, routed.estimator.fit), routed.scorer.score)
        if source:
            numbers = np.sort(np.arange(n)[numbers])

        def taken(one):
            return _safe_indexing(one, numbers) if hasattr(one, "__len__") and len(one) == n else one

        some = SomeRows(X, numbers) if source else _safe_indexing(X, numbers)
        return cls(some, taken(y), *({name: taken(one) for name, one in of.items()} for of in by_name))

    @property
    def targets(self):
        """Those that a fit is given beside the rows."""
        return None if isinstance(self.X, Source) else self.y


def of_fit(X, parameters):
    """The parameters of a fit, without the weights that a source holds."""
    held = isinstance(X, Source) and WEIGHT in X.parts
    return {name: one for name, one in parameters.items() if not (held and name == "sample_weight")}


def attempt(call, error_score):
    """What a call returns, or the exception that it raised, and the seconds; "raise" raises it."""
    began = time.perf_counter()
    try:
        found = call()
    except Exception as error:
        if error_score == "raise":
            raise
        found = error
    return found, time.perf_counter() - began


def fit_alone(estimator, parameters, rows, error_score):
    """A fitted estimator or the exception that its fit raised, and the seconds."""
    made = clone(parameters, safe=False)
    return attempt(lambda: estimator.set_params(**made).fit(rows.X, rows.targets, **rows.fit), error_score)


def to_sweep(estimator, parameters):
    """The estimator with these parameters, checked; None where no sweep can fit it.

    That is also one whose parameters raise an error: fitted alone, it raises the same.
    """
    one = clone(estimator)
    if not parameters.keys() <= vars(one).keys():
        return None
    vars(one).update(clone(parameters, safe=False))  # set_params is slow
    try:
        one._check_parameters()
    except Exception:
        return None
    by_itself = one.early_stopping or one.warm_start
    return one if not by_itself and (one._automatic or takes_all(one._batch) or one.shuffle is not True) else None


def fit_swept(sweepable, X, y, weight):
    """The fitted estimators that sweeps can fit, by their numbers; as in ``to_sweep``, none that raises an error."""
    requests, numbers, first = [], {}, {}
    for k, one in enumerate(map(copy.copy, sweepable)):
        if one is None:
            continue
        try:
            # Candidates share the encoded targets and the attributes learned from them.
            key = repr([getattr(one, name, None) for name in ENCODING])
            if key not in first:
                unfitted = set(vars(one))
                data = one._training_data(X, y, weight)
                first[key] = data, {name: value for name, value in vars(one).items() if name not in unfitted}
            data, learned = first[key]
            vars(one).update(learned)
            own = [swept_request(request) for request in one._fit_requests(data, (None, None))]
        except Exception:
            continue
        numbers[k] = one, data.X, range(len(requests), len(requests) + len(own))
        requests += own
    found, fitted = fit_requests(requests) if requests else [], {}
    for k, (one, rows, own) in numbers.items():
        results = [found[number] for number in own]
        if not any(isinstance(one, Exception) for one in results):
            fitted[k] = one._set_fitted_attributes([result for each in results for result in each], rows)
    return fitted


def swept_request(request):
    """The request, silent, and with a seed that others share where the seed is not used."""
    options = {**request.options, "verbose": min(request.options["verbose"], 0)}
    if takes_all(options["batch_size"]):
        options["random_state"] = 0  # the full batch uses no random order
    return replace(request, options=options)


def with_known_scores(fitted, X):
    """Yield fitted estimators with their numbers, each with its linear scores of the rows ``X`` computed beforehand.

    One matrix product for many models: 64 of them on 1e4 x 50 rows took 0.09 s, and 1.06 s by a product with a vector
    each (two busy cores).
    """
    if not fitted:
        return
    numbers, one = list(fitted), next(iter(fitted.values()))
    rows = X if isinstance(X, Source) else validate_data(one, X, accept_sparse="csr", reset=False)
    n = X.n if isinstance(X, Source) else rows.shape[0]
    each = max(1, LARGEST_BLOCK // (max(1, n) * np.size(one.intercept_)))
    for first in range(0, len(numbers), each):
        block = [fitted[k] for k in numbers[first : first + each]]
        scores = known_scores(block, rows).T
        for k, estimator, own in zip(numbers[first:], block, np.split(scores, len(block)), strict=False):
            estimator._known_scores = X, estimator._shaped(np.ascontiguousarray(own.T))
            yield k, estimator
            del estimator._known_scores


def known_scores(estimators, rows):
    """The linear scores (n, models) of the rows by some estimators."""
    coef = np.concatenate([np.atleast_2d(estimator.coef_) for estimator in estimators])
    rows = SourceRows(rows) if isinstance(rows, Source) else rows
    return products(rows, coef) + np.concatenate([estimator.intercept_ for estimator in estimators])
