"""``SweepCV``: scikit-learn's ``GridSearchCV`` whose candidates are the lanes of a sweep, one a fold."""

import copy
import functools
import time
from typing import NamedTuple

import numpy as np

try:
    from sklearn import config_context
    from sklearn.base import _fit_context, clone, is_classifier
    from sklearn.metrics._scorer import _MultimetricScorer
    from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
    from sklearn.model_selection._validation import (
        _fit_and_score,
        _insert_error_scores,
        _score,
        _warn_or_raise_about_fit_failures,
    )
    from sklearn.utils import indexable
    from sklearn.utils.extmath import safe_sparse_dot
    from sklearn.utils.metaestimators import _safe_split
    from sklearn.utils.parallel import Parallel, delayed
    from sklearn.utils.validation import _check_method_params, _num_samples, validate_data
except ImportError as error:
    words = "needs scikit-learn 1.6 or later: python -m pip install -U 'fastgd[sklearn]'"
    raise ImportError(f"fastgd.SweepCV {words} ({error}).") from None

from .base import takes_all
from .sgd import SGDClassifier, SGDRegressor
from .together import Together

AT_ONCE = 1 << 23  # scores of held-out rows
OF_THE_DATA = ("loss", "class_weight", "epsilon")  # parameters that say how targets and weights are made


class SweepCV(GridSearchCV):
    """scikit-learn's ``GridSearchCV`` of our ``SGDRegressor`` and ``SGDClassifier``, all candidates in the same passes.

    Each fold's training rows are swept by themselves, as :func:`fastgd.sweep` does: a pass trains all candidates that
    differ in ``alpha``, ``l1_ratio``, ``penalty``, ``bounds``, the fields of their parts or, where they are given, in
    their rates. What changes the passes themselves (the class of the loss, the optimizer or the schedule, the batch
    size, ``standardize``, ``fit_intercept``) makes more sweeps a fold. Models are those of separate fits to rounding,
    and of "log_loss", "poisson", "gamma" and "tweedie" within their tolerance.

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
    Fitted one by one, as ``GridSearchCV`` does: candidates with ``early_stopping`` (each holds out rows of its own) or
    ``warm_start``, those that take a schedule's steps in scikit-learn's order of single rows (``learning_rate`` other
    than "auto" and ``shuffle=True``, unless ``batch_size=None``), and all where other fit parameters than
    ``sample_weight`` and ``groups`` are given.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import SGDRegressor, SweepCV
    >>> X = np.arange(20.0).reshape(10, 2) % 7
    >>> search = SweepCV(SGDRegressor(), {"alpha": [1e-4, 1.0, 100.0]}).fit(X, X @ [1.0, -2.0])
    >>> search.best_params_
    {'alpha': 0.0001}
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Fit all candidates in all folds, and the best one to all rows.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d)
        y : array-like (n,) or (n, m)
        **params : dict of str to object
            ``sample_weight``, ``groups`` and other fit parameters, as for ``GridSearchCV``.

        Returns
        -------
        self
        """
        self._check_estimator()
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        splits = self._splits(X, y, routed.splitter.split)
        candidates = list(ParameterGrid(self.param_grid))
        if self.verbose > 0:
            fits = len(candidates) * len(splits)
            words = f"Fitting {len(splits)} folds for each of {len(candidates)} candidates, totalling {fits} fits"
            print(words)  # noqa: T201 - as GridSearchCV does
        out = self._evaluated(Table(X, y, routed, scorers), splits, candidates)
        _warn_or_raise_about_fit_failures(out, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(out, self.error_score)
        results = self._format_results(candidates, len(splits), out)
        first = out[0]["test_scores"]
        self.multimetric_ = isinstance(first, dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(first)
            refit_metric = self.refit
        self._choose(results, refit_metric)
        if self.refit:
            self._refit(X, y, routed.estimator.fit)
        self.scorer_ = scorers._scorers if isinstance(scorers, _MultimetricScorer) else scorers
        self.cv_results_ = results
        return self

    def _check_estimator(self):
        if not isinstance(self.estimator, (SGDClassifier, SGDRegressor)):
            name = type(self.estimator).__name__
            raise TypeError(
                f"SweepCV sweeps fastgd.SGDRegressor and fastgd.SGDClassifier, got {name}: "
                f"for others use sklearn.model_selection.GridSearchCV."
            )

    def _splits(self, X, y, given):
        """The pairs of row numbers."""
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = cv.get_n_splits(X, y, **given)
        splits = list(cv.split(X, y, **given))
        if len(splits) != self.n_splits_:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. "
                f"Expected {self.n_splits_} splits, got {len(splits)}"
            )
        if not splits:
            raise ValueError("No fits were performed. Was the CV iterator empty?")
        return splits

    # Fits and scores --------------------------------------------------------------------------------------------------

    def _evaluated(self, table, splits, candidates):
        """What scikit-learn's ``_fit_and_score`` says of each candidate in each fold."""
        found = {}
        for f, split in enumerate(splits):
            swept = self._swept(table, *split, candidates)
            found |= {(k, f): answer for k, answer in swept.items()}
        order = [(k, f) for k in range(len(candidates)) for f in range(len(splits))]
        left = [key for key in order if key not in found]
        alone = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)(
            delayed(_fit_and_score)(
                clone(self.estimator),
                table.X,
                table.y,
                scorer=table.scorers,
                train=splits[f][0],
                test=splits[f][1],
                verbose=self.verbose,
                parameters=candidates[k],
                fit_params=table.routed.estimator.fit,
                score_params=table.routed.scorer.score,
                return_train_score=self.return_train_score,
                return_n_test_samples=True,
                return_times=True,
                split_progress=(f, len(splits)),
                candidate_progress=(k, len(candidates)),
                error_score=self.error_score,
            )
            for k, f in left
        )
        found |= dict(zip(left, alone, strict=True))
        return [found[key] for key in order]

    def _swept(self, table, train, test, candidates):
        """What is said of the candidates that a sweep can fit in one fold, by their numbers."""
        given = {name: one for name, one in table.routed.estimator.fit.items() if one is not None}
        if given.keys() - {"sample_weight"}:
            return {}
        began = time.time()
        weight = _check_method_params(table.X, params=given, indices=train).get("sample_weight")
        rows = _safe_split(self.estimator, table.X, table.y, train)
        fitted = swept(self.estimator, *rows, weight, candidates)
        each = (time.time() - began) / max(len(fitted), 1)
        held = _safe_split(self.estimator, table.X, table.y, test, train)
        answers = {}
        for k, estimator in foreseen(fitted, held[0]):
            # Rows, targets and the words of metrics are looked through once.
            with config_context(assume_finite=bool(answers), skip_parameter_validation=bool(answers)):
                answers[k] = self._scored(table, estimator, (rows, train), (held, test)) | {"fit_time": each}
        return answers

    def _scored(self, table, estimator, trained, held):
        """The scores of a fitted estimator."""

        def score(rows, numbers):
            given = _check_method_params(table.X, params=table.routed.scorer.score, indices=numbers)
            return _score(estimator, *rows, table.scorers, given, self.error_score)

        began = time.time()
        answer = {"fit_error": None, "test_scores": score(*held), "n_test_samples": _num_samples(held[0][0])}
        answer["score_time"] = time.time() - began
        if self.return_train_score:
            answer["train_scores"] = score(*trained)
        return answer

    # The winner -------------------------------------------------------------------------------------------------------

    def _choose(self, results, metric):
        """Set which candidate is the best."""
        if not self.refit and self.multimetric_:
            return
        self.best_index_ = self._select_best_index(self.refit, metric, results)
        if not callable(self.refit):
            self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]

    def _refit(self, X, y, given):
        """Fit the best candidate to all rows."""
        self.best_estimator_ = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        began = time.time()
        self.best_estimator_.fit(X, y, **given)
        self.refit_time_ = time.time() - began
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


class Table(NamedTuple):
    """What is searched over: rows, targets, scikit-learn's routed parameters and the scorers."""

    X: object
    y: object
    routed: object
    scorers: object


def swept(estimator, X, y, weight, candidates):
    """The fitted estimators of the candidates that sweeps can fit, by their numbers.

    One that cannot be asked for is left out: fitted alone, its error is met as scikit-learn meets it.
    """
    together, fitted, firsts = Together(), {}, {}
    names = set(estimator._get_param_names())
    for k, parameters in enumerate(candidates):
        if parameters.keys() - names:
            continue
        try:
            one = like(estimator, clone(parameters, safe=False), names)
            one._check_settings()
            if not sweeps(one):
                continue
            key = repr([getattr(one, name, None) for name in OF_THE_DATA])
            if key not in firsts:
                firsts[key] = one, one._ready(X, y, weight)
            first, ready = firsts[key]
            vars(one).update({name: value for name, value in vars(first).items() if name not in names})
            fitted[k] = one, ready[0], [together.add(*asked) for asked in asked_of(one, ready)]
        except Exception:
            continue
    results = together.run() if fitted else []
    return {
        k: one._landed([result for number in numbers for result in results[number]], rows)
        for k, (one, rows, numbers) in fitted.items()
    }


def like(estimator, parameters, names):
    """An estimator that is not fitted, with some parameters changed."""
    one = copy.copy(estimator)
    vars(one).clear()  # of what was learned
    vars(one).update({name: parameters.get(name, getattr(estimator, name)) for name in names})
    return one


def sweeps(estimator):
    """Whether a sweep can fit an estimator."""
    by_itself = estimator.early_stopping or estimator.warm_start
    return not by_itself and (estimator._automatic or estimator._full or estimator.shuffle is not True)


def asked_of(estimator, ready):
    """The fits that make an estimator."""
    for given, entry in estimator._asked(*ready, (None, None)):
        # Of the full batch no row's turn is drawn: estimators without a seed meet in one sweep.
        yield {**given, "verbose": 0, **({"random_state": 0} if takes_all(given) else {})}, entry


def foreseen(fitted, X):
    """Fitted estimators and their numbers, their scores of the rows ``X`` taken from one product for many of them.

    To score 64 models on 1e4 x 50 rows took 1.06 s by a product with a vector each (two busy cores), and 0.09 s so.
    """
    if not fitted:
        return
    numbers, (one, *_) = list(fitted), fitted.values()
    rows = validate_data(one, X, accept_sparse="csr", reset=False)
    each = max(1, AT_ONCE // (max(1, rows.shape[0]) * np.size(one.intercept_)))
    for first in range(0, len(numbers), each):
        block = [fitted[k] for k in numbers[first : first + each]]
        coef = np.concatenate([np.atleast_2d(estimator.coef_) for estimator in block])
        scores = safe_sparse_dot(rows, coef.T, dense_output=True).T
        for k, estimator, own in zip(numbers[first:], block, np.split(scores, len(block)), strict=False):
            known = np.ascontiguousarray(own.T) + estimator.intercept_
            name = "_scores" if isinstance(estimator, SGDRegressor) else "decision_function"
            usual, lone = getattr(estimator, name), estimator.coef_.ndim == 1 or len(estimator.coef_) == 1
            lone = getattr(estimator, "_lone", lone)
            known = known.reshape(-1) if lone else known

            @functools.wraps(usual)  # scorers read its name
            def asked(given, usual=usual, known=known):
                return known.copy() if given is X else usual(given)

            setattr(estimator, name, asked)
            try:
                yield k, estimator
            finally:
                delattr(estimator, name)
