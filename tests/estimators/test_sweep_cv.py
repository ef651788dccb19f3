"""``SweepCV``: what ``GridSearchCV`` says of the same estimators on the same splits."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn
from conftest import slow_to_compile
from sklearn import exceptions, linear_model, model_selection, pipeline, preprocessing
from sklearn.base import clone
from sklearn.metrics import get_scorer_names

from fastgd import SGDClassifier, SGDRegressor, SweepCV
from fastgd.estimators import sweep_cv

RNG = np.random.default_rng(7)
N = 120
X = RNG.standard_normal((N, 4)) * [1.0, 1e-3, 1e4, 5.0]
SCORE = X / X.std(axis=0) @ [1.0, -2.0, 0.5, 0.0]
Y = 2 + SCORE + RNG.standard_normal(N)
SIDES = np.where(SCORE + RNG.standard_normal(N) > 0, "yes", "no")
KINDS = np.array(["a", "b", "c"])[np.digitize(SCORE + RNG.standard_normal(N), [-1.0, 1.0])]
WEIGHT = RNG.integers(1, 4, N).astype(float)
GROUPS = np.arange(N) // 10
GRID = {"alpha": [1e-4, 1e-2, 0.1, 1.0, 10.0], "l1_ratio": [0.0, 0.5]}
REGRESSOR = SGDRegressor(standardize=True, penalty="elasticnet")
CLASSIFIER = SGDClassifier("log_loss", penalty="elasticnet")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def both(estimator, grid, y, X=X, given=None, **options):
    """Our search and scikit-learn's, fitted."""
    options = {"cv": 3} | options
    searches = [kind(clone(estimator), grid, **options) for kind in (SweepCV, model_selection.GridSearchCV)]
    return [search.fit(X, y, **(given or {})) for search in searches]


def same(ours, theirs, rtol=1e-6):
    """The results, and the winner, are the same."""
    found, expected = ours.cv_results_, theirs.cv_results_
    assert list(found) == list(expected)
    for name, column in expected.items():
        if name == "params":
            assert found[name] == column
        elif "time" in name:
            assert found[name].shape == column.shape
            assert (found[name] >= 0).all()
        elif name.startswith("param_"):
            assert found[name].tolist() == column.tolist()
        elif not name.startswith("rank"):  # ties within rounding
            np.testing.assert_allclose(found[name], column, rtol=rtol, atol=1e-9)
    assert ours.n_splits_ == theirs.n_splits_
    assert ours.multimetric_ == theirs.multimetric_
    for name in ("best_index_", "best_params_"):
        assert getattr(ours, name, None) == getattr(theirs, name, None)
    assert hasattr(ours, "best_estimator_") == hasattr(theirs, "best_estimator_")


@pytest.fixture
def none_alone(monkeypatch):
    """No candidate may be fitted by itself."""

    def refuse(*args, **options):
        raise AssertionError("fitted alone")

    monkeypatch.setattr(sweep_cv, "fit_alone", refuse)


CASES = {
    "regression": (REGRESSOR, Y),
    "two targets": (REGRESSOR, np.column_stack([Y, SCORE**2])),
    "two classes": (CLASSIFIER, SIDES),
    "three classes": (CLASSIFIER, KINDS),
    "balanced": (clone(CLASSIFIER).set_params(class_weight="balanced"), KINDS),
}


# Nothing compiled, GridSearchCV's fits, one after another, take seconds.
@slow_to_compile
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case == "regression" else pytest.mark.jit) for case in CASES]
)
def test_results_are_those_of_separate_fits(case, none_alone):
    estimator, y = CASES[case]
    ours, theirs = both(estimator, GRID, y, return_train_score=True)
    same(ours, theirs)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X, y) == theirs.score(X, y)
    assert ours.n_features_in_ == 4
    assert ours.refit_time_ > 0


SPLITTERS = {
    "shuffled": model_selection.KFold(3, shuffle=True, random_state=0),
    "groups": model_selection.GroupKFold(3),
    "predefined": model_selection.PredefinedSplit(np.arange(N) % 4 - 1),
    "pairs": [(np.arange(0, N, 2), np.arange(1, N, 2)), (np.arange(50), np.arange(60, N))],
    "number": 4,
}


@pytest.mark.parametrize("cv", SPLITTERS)
def test_splitters(cv, none_alone):
    given = {"groups": GROUPS} if cv == "groups" else {}
    same(*both(REGRESSOR, GRID, Y, cv=SPLITTERS[cv], given=given))


@pytest.mark.jit
def test_weights_count_in_fits_and_scores(none_alone):
    for estimator, y in ((REGRESSOR, Y), (CLASSIFIER, KINDS)):
        ours = SweepCV(estimator, GRID, cv=3).fit(X, y, sample_weight=WEIGHT)
        with sklearn.config_context(enable_metadata_routing=True):  # without, scikit-learn 1.6 scores unweighted
            weighted = clone(estimator).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
            both_routed = both(weighted, GRID, y, given={"sample_weight": WEIGHT})
        for theirs in both_routed:
            same(ours, theirs)
        plain = SweepCV(estimator, GRID, cv=3).fit(X, y)
        assert not np.allclose(ours.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], rtol=1e-5)


@pytest.mark.jit
def test_refit_and_many_metrics(none_alone):
    def last(results):
        return len(results["params"]) - 1

    scoring = ["neg_mean_absolute_error", "r2"]
    for options in (
        {"refit": False},
        {"refit": last},
        {"scoring": scoring, "refit": "r2"},
        {"scoring": scoring, "refit": False},
        {"scoring": scoring, "refit": last},
        {"scoring": lambda estimator, X, y: {"worst": -np.abs(estimator.predict(X) - y).max()}, "refit": "worst"},
    ):
        ours, theirs = both(REGRESSOR, GRID, Y, **options)
        same(ours, theirs)
        assert hasattr(ours, "best_score_") == hasattr(theirs, "best_score_")
        assert type(ours.scorer_) is type(theirs.scorer_)


@pytest.mark.jit
def test_scorers_of_probabilities_and_decisions(none_alone):
    scoring = ["neg_log_loss", "roc_auc", "average_precision", "accuracy"]
    same(*both(CLASSIFIER, GRID, SIDES == "yes", scoring=scoring, refit="roc_auc"))


def test_weights_reach_the_scorers_that_take_them(none_alone):
    scoring = ["neg_mean_absolute_error", "neg_max_error" if "neg_max_error" in get_scorer_names() else "max_error"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The scoring .* does not support sample_weight")  # scikit-learn's
        warnings.filterwarnings("ignore", "scoring=.* takes no sample_weight")
        same(*both(REGRESSOR, GRID, Y, scoring=scoring, refit=scoring[0], given={"sample_weight": WEIGHT}))


@pytest.mark.jit
def test_blocks_of_scores_are_those_of_all(monkeypatch):
    whole = SweepCV(CLASSIFIER, GRID).fit(X, KINDS)
    monkeypatch.setattr(sweep_cv, "LARGEST_BLOCK", 1)
    same(whole, SweepCV(CLASSIFIER, GRID).fit(X, KINDS))


def test_fits_that_differ_in_more_than_axes(none_alone):
    grid = [
        {"alpha": [0.01, 0.1], "fit_intercept": [True, False], "standardize": ["auto", False]},
        {"penalty": [None, "l2"], "tol": [1e-3, 1e-8]},
        {"bounds": [None, (0.0, 1.0)]},
        {"penalty_factor": [None, [0.0, 1.0, 2.0, 1.0]], "alpha": [0.01, 0.1]},
    ]
    same(*both(REGRESSOR, grid, Y))


@pytest.mark.slow
def test_given_rates_on_the_full_batch(none_alone):
    estimator = SGDRegressor(batch_size=None, learning_rate="constant", standardize=True, max_iter=30)
    same(*both(estimator, {"eta0": [0.01, 0.1, 0.5], "alpha": [0.01, 1.0]}, Y))


def test_what_no_sweep_fits_is_fitted_alone():
    grid = [{"alpha": [0.01, 1.0]}, {"early_stopping": [True], "alpha": [0.01], "random_state": [0]}]
    same(*both(REGRESSOR, grid, Y))


@pytest.mark.slow
def test_scikit_learns_schedules_are_fitted_alone():
    estimator = SGDRegressor(learning_rate="invscaling", random_state=0, max_iter=5)
    scaled = preprocessing.scale(X)
    same(*both(estimator, {"alpha": [0.01, 1.0]}, Y, X=scaled))


def test_a_candidate_that_fails_gets_the_error_score():
    grid = {"alpha": [0.01, -1.0, 1.0]}
    with pytest.warns(exceptions.FitFailedWarning, match="alpha"):
        ours = SweepCV(REGRESSOR, grid, error_score=-7.0).fit(X, Y)
    assert ours.cv_results_["mean_test_score"][1] == -7.0
    with pytest.warns(exceptions.FitFailedWarning, match="alpha"):
        theirs = model_selection.GridSearchCV(REGRESSOR, grid, error_score=-7.0).fit(X, Y)
    same(ours, theirs)
    with pytest.raises(ValueError, match="alpha"):
        SweepCV(REGRESSOR, grid, error_score="raise").fit(X, Y)
    with pytest.raises(ValueError, match="All the 5 fits failed"):
        SweepCV(REGRESSOR, {"alpha": [-1.0]}).fit(X, Y)
    with pytest.raises(ValueError, match="Invalid parameter 'beta'"):
        SweepCV(REGRESSOR, {"beta": [1.0]}).fit(X, Y)


def test_a_scorer_that_fails_gets_the_error_score():
    def failing(estimator, X, y):
        if estimator.alpha == 1.0:
            raise RuntimeError("no score")
        return estimator.score(X, y)

    grid = {"alpha": [0.01, 1.0]}
    for scoring in (failing, {"one": failing, "two": "r2"}):
        searches = []
        for kind in (SweepCV, model_selection.GridSearchCV):
            search = kind(REGRESSOR, grid, cv=3, scoring=scoring, error_score=-7.0, refit=False)
            with pytest.warns(UserWarning, match="Scoring failed"):
                searches.append(search.fit(X, Y))
        same(*searches)
        with pytest.raises(RuntimeError, match="no score"):
            SweepCV(REGRESSOR, grid, cv=3, scoring=scoring, error_score="raise", refit=False).fit(X, Y)


def test_a_refit_that_names_no_metric_is_an_error_before_any_fit(monkeypatch):
    monkeypatch.setattr(sweep_cv, "fit_swept", None)
    with pytest.raises(ValueError, match="refit"):
        SweepCV(REGRESSOR, GRID, scoring=["r2"]).fit(X, Y)
    with pytest.raises(ValueError, match="error_score"):
        SweepCV(REGRESSOR, GRID, error_score="zero").fit(X, Y)


def test_rows_with_names(none_alone):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("pqrs"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = SweepCV(REGRESSOR, GRID).fit(frame, pd.Series(Y))
    assert ours.feature_names_in_.tolist() == list("pqrs")
    same(ours, SweepCV(REGRESSOR, GRID).fit(X, Y))


def test_it_is_an_estimator_as_others():
    search = SweepCV(REGRESSOR, GRID)
    again = clone(search)
    assert isinstance(again, model_selection.GridSearchCV)
    assert again.get_params()["estimator__penalty"] == "elasticnet"
    fitted = pickle.loads(pickle.dumps(search.fit(X, Y)))
    np.testing.assert_array_equal(fitted.predict(X), search.predict(X))
    piped = pipeline.make_pipeline(preprocessing.StandardScaler(), again).fit(X, Y)
    assert piped.score(X, Y) == pytest.approx(search.score(X, Y), rel=1e-6)
    scores = model_selection.cross_val_score(search, X, Y, cv=2)
    assert (scores > 0.5).all()


@pytest.mark.parametrize("estimator", [linear_model.SGDRegressor(), pipeline.make_pipeline(SGDRegressor())])
def test_other_estimators_are_sent_to_scikit_learn(estimator):
    with pytest.raises(TypeError, match=f"{type(estimator).__name__}.*GridSearchCV"):
        SweepCV(estimator, {}).fit(X, Y)


def test_rows_that_are_not_finite():
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        SweepCV(REGRESSOR, GRID, error_score="raise").fit(bad, Y)


def test_words_where_scikit_learn_is_missing():
    code = "import sys; sys.modules['sklearn'] = None; import fastgd; fastgd.SweepCV"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "fastgd[sklearn]" in found.stderr
    assert "fastgd.SweepCV" in found.stderr
