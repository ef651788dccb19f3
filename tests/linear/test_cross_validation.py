"""``sweep`` with ``cv``: every fold is the fit of its rows, and what follows from the losses they hold out."""

import pickle

import numpy as np
import pytest
from conftest import diverges
from sklearn import linear_model, metrics, model_selection

import fastgd
from fastgd import reference, schedules
from fastgd.inputs.folds import folds_of

RNG = np.random.default_rng(5)
N = 48
X = RNG.standard_normal((N, 3))
SCORE = X @ [1.0, -2.0, 0.5]
Y = 2 + SCORE + 0.5 * RNG.standard_normal(N)
KINDS = np.array(["a", "b", "c"])[np.digitize(SCORE + RNG.standard_normal(N), [-1.0, 1.0])]
SIDES = np.where(SCORE + RNG.standard_normal(N) > 0, "yes", "no")
WEIGHT = RNG.integers(1, 4, N).astype(float)
ALPHAS = [0.01, 0.1, 1.0]
GROUPS = np.arange(N) // 6
FULL = {"learning_rate": 0.2, "standardize": False, "epochs": 4}


def pairs_of(cv, y=Y, groups=None):
    """The pairs of rows of a splitter, or those given."""
    return list(cv.split(X, y, groups)) if hasattr(cv, "split") else cv


def fits(pairs, y, points, weight=None, own=None, **options):
    """The results of a loop of fits on the rows of each fold, and their losses on the others, (points, folds)."""
    results, found = [], np.empty((len(points), len(pairs)))
    for k, point in enumerate(points):
        results.append([])
        for f, (train, test) in enumerate(pairs):
            on = {"sample_weight": None if weight is None else weight[train]}
            r = fastgd.fit(X[train], y[train], **on, **options, **point)
            error = (r.predict(X[test]) - y[test]) ** 2 / 2 if own is None else own(r, X[test], y[test])
            found[k, f] = np.average(error, weights=None if weight is None else weight[test])
            results[-1].append(r)
    return results, found


def log_losses(r, X, y):
    """Of two classes, by scipy's words: log(1 + exp(-margin))."""
    return np.logaddexp(0, -np.where(y == r.classes[1], 1, -1) * r.decision_function(X))


def softmax_losses(r, X, y):
    scores = r.decision_function(X)
    return np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(y)), np.searchsorted(r.classes, y)]


# Folds are fits of their rows ---------------------------------------------------------------------------------------

SPLITS = {
    "pairs": [(np.arange(0, N, 2), np.arange(1, N, 2)), (np.arange(20), np.arange(40, N))],
    "rows more than once": [([0, 0, 0, 1, 2, 3, 5, 5, 7], [8, 9]), (list(range(10, N)), [1, 2])],
    "KFold": model_selection.KFold(4),
    "ShuffleSplit": model_selection.ShuffleSplit(3, random_state=0),
    "TimeSeriesSplit": model_selection.TimeSeriesSplit(3),
}


@pytest.mark.parametrize("loss", ["squared_error", pytest.param("log_loss", marks=pytest.mark.slow)])
@pytest.mark.parametrize("split", SPLITS)
def test_full_batch_folds_are_fits_of_their_rows(split, loss):
    y, own = (Y, None) if loss == "squared_error" else (SIDES, log_losses)
    pairs = pairs_of(SPLITS[split], y)
    s = fastgd.sweep(X, y, loss=loss, alpha=[0.01, 0.5], cv=SPLITS[split], **FULL)
    alone, losses = fits(pairs, y, [{"alpha": alpha} for alpha in (0.01, 0.5)], own=own, **FULL | {"loss": loss})
    for many, one in zip(s.results, alone, strict=True):
        for r, other in zip(many, one, strict=True):
            np.testing.assert_allclose(r.coef, other.coef, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(r.intercept, other.intercept, rtol=1e-10, atol=1e-12)
            assert (r.status, r.n_epochs) == (other.status, other.n_epochs)
    np.testing.assert_allclose(s.scores.losses, losses, rtol=1e-10)
    np.testing.assert_array_equal(s.losses, s.scores.mean)


def test_weights_count_in_folds_and_in_what_they_hold_out():
    pairs = SPLITS["pairs"]
    s = fastgd.sweep(X, Y, sample_weight=WEIGHT, alpha=ALPHAS, cv=pairs, **FULL)
    _, losses = fits(pairs, Y, [{"alpha": alpha} for alpha in ALPHAS], WEIGHT, **FULL)
    np.testing.assert_allclose(s.scores.losses, losses, rtol=1e-10)
    # A whole weight is so many rows.
    times = np.repeat(np.arange(N), WEIGHT.astype(int))
    folds = [[np.flatnonzero(np.isin(times, rows)) for rows in pair] for pair in pairs]
    repeated = fastgd.sweep(X[times], Y[times], alpha=ALPHAS, cv=folds, **FULL)
    np.testing.assert_allclose(repeated.scores.losses, s.scores.losses, rtol=1e-10)


@pytest.mark.jit
def test_batches_of_folds_reach_the_same_optimum():
    """A fold's lane meets the rows of others too, so its steps are others; where they lead is not."""
    options = {"batch_size": 8, "epochs": 3000, "learning_rate": schedules.Polynomial(0.1, power=2.0)}
    cv = model_selection.KFold(3)
    s = fastgd.sweep(X, Y, cv=cv, random_state=0, **options)
    for r, (train, _) in zip(s.results[0], cv.split(X), strict=True):
        exact = linear_model.LinearRegression().fit(X[train], Y[train])
        np.testing.assert_allclose(r.coef, exact.coef_, rtol=1e-3)
        best = np.mean((exact.predict(X[train]) - Y[train]) ** 2)
        assert np.mean((r.predict(X[train]) - Y[train]) ** 2) == pytest.approx(best, rel=1e-6)


@pytest.mark.jit
@pytest.mark.parametrize("cv", [model_selection.KFold(5), model_selection.KFold(4, shuffle=True, random_state=1)])
def test_ridge_and_plain_regression_at_convergence(cv):
    """scikit-learn's penalty is n times ours."""
    alphas = [0.0, 0.05, 0.5]
    s = fastgd.sweep(X, Y, alpha=alphas, cv=cv, learning_rate=0.3, optimizer="momentum", epochs=600)
    expected = np.empty((3, cv.get_n_splits()))
    for f, (train, test) in enumerate(cv.split(X)):
        for k, alpha in enumerate(alphas):
            ridge = linear_model.Ridge(alpha * len(train)) if alpha else linear_model.LinearRegression()
            expected[k, f] = np.mean((ridge.fit(X[train], Y[train]).predict(X[test]) - Y[test]) ** 2) / 2
    np.testing.assert_allclose(s.scores.losses, expected, rtol=1e-8)
    np.testing.assert_allclose(s.scores.mean, expected.mean(axis=1), rtol=1e-8)
    error = expected.std(axis=1, ddof=1) / np.sqrt(cv.get_n_splits())
    np.testing.assert_allclose(s.scores.standard_error, error, rtol=1e-6)


def test_scores_of_scikit_learn_at_convergence():
    """By the automatic rate, for all folds, on columns scaled by all rows; GridSearchCV as the oracle."""
    cv = model_selection.KFold(4)
    s = fastgd.sweep(X, Y, cv=cv, scoring="r2", tol=1e-12, epochs=5000)
    oracle = model_selection.cross_val_score(linear_model.LinearRegression(), X, Y, cv=cv, scoring="r2")
    np.testing.assert_allclose(-s.scores.losses[0], oracle, rtol=1e-6)


@pytest.mark.slow
def test_multinomial_folds():
    cv = model_selection.StratifiedKFold(3)
    options = {"loss": "multinomial", "learning_rate": 0.5, "epochs": 5}
    s = fastgd.sweep(X, KINDS, alpha=[0.01, 0.1], cv=cv, **options)
    pairs = list(cv.split(X, KINDS))
    alone, losses = fits(pairs, KINDS, [{"alpha": a} for a in (0.01, 0.1)], own=softmax_losses, **options)
    np.testing.assert_allclose(s.scores.losses, losses, rtol=1e-9)
    np.testing.assert_allclose(s.results[1][2].coef, alone[1][2].coef, rtol=1e-8, atol=1e-12)
    assert s.results[0][0].classes.tolist() == ["a", "b", "c"]
    scored = fastgd.sweep(X, KINDS, alpha=[0.01, 0.1], cv=cv, scoring="neg_log_loss", **options)
    np.testing.assert_allclose(scored.scores.losses, losses, rtol=1e-9)


def test_a_number_of_folds_is_drawn_by_the_seed():
    s = fastgd.sweep(X, Y, cv=4, random_state=3, **FULL)
    roles = folds_of(4, X, Y[None], None, 3).roles
    pairs = [(np.flatnonzero(role > 0), np.flatnonzero(role < 0)) for role in roles]
    np.testing.assert_allclose(s.scores.losses, fits(pairs, Y, [{}], **FULL)[1], rtol=1e-10)
    again = fastgd.sweep(X, Y, cv=4, random_state=3, **FULL)
    np.testing.assert_array_equal(again.scores.losses, s.scores.losses)
    assert (fastgd.sweep(X, Y, cv=4, random_state=4, **FULL).scores.losses != s.scores.losses).all()


def test_groups_are_handed_to_the_splitter():
    cv = model_selection.GroupKFold(4)
    s = fastgd.sweep(X, Y, cv=cv, groups=GROUPS, **FULL)
    losses = fits(pairs_of(cv, Y, GROUPS), Y, [{}], **FULL)[1]
    np.testing.assert_allclose(s.scores.losses, losses, rtol=1e-10)


def test_several_targets_are_averaged():
    both = np.column_stack([Y, 3 * Y - SCORE])
    cv = model_selection.KFold(3)
    s = fastgd.sweep(X, both, cv=cv, alpha=ALPHAS, **FULL)
    each = [fastgd.sweep(X, y, cv=cv, alpha=ALPHAS, **FULL).scores.losses for y in both.T]
    np.testing.assert_allclose(s.scores.losses, np.mean(each, axis=0), rtol=1e-12)
    assert s.results[0][0].coef.shape == (2, 3)
    scored = fastgd.sweep(X, both, cv=cv, alpha=ALPHAS, scoring="neg_mean_squared_error", **FULL)
    np.testing.assert_allclose(scored.scores.losses, 2 * s.scores.losses, rtol=1e-12)


def test_settings_of_several_groups_in_the_order_of_the_table():
    lists = {"optimizer": ["sgd", "momentum"], "learning_rate": [0.01, 0.1], "batch_size": [None, 9]}
    options = {"cv": SPLITS["pairs"], "epochs": 2, "random_state": 0}
    s = fastgd.sweep(X, Y, **lists, **options)
    for k, values in enumerate(zip(*s.settings.values(), strict=True)):
        one = fastgd.sweep(X, Y, **dict(zip(s.settings, values, strict=True)), **options)
        np.testing.assert_allclose(s.scores.losses[k], one.scores.losses[0], rtol=1e-12)


@pytest.mark.parametrize("batch", [9, None])
def test_the_reference_agrees(batch):
    options = {"alpha": [0.1, 1.0], "cv": SPLITS["rows more than once"], "batch_size": batch, "random_state": 1}
    options |= {"epochs": 3, "learning_rate": 0.05}
    ours, expected = fastgd.sweep(X, Y, **options), reference.sweep(X, Y, **options)
    np.testing.assert_allclose(ours.scores.losses, expected.scores.losses, rtol=1e-10)
    np.testing.assert_allclose(ours.best.coef, expected.best.coef, rtol=1e-10)


# Scorers ------------------------------------------------------------------------------------------------------------


def test_scorers_count_in_place_of_losses():
    cv = model_selection.KFold(3)
    options = {"cv": cv, "alpha": [0.01, 0.1, 10.0], **FULL}
    by_loss = fastgd.sweep(X, Y, **options)
    by_name = fastgd.sweep(X, Y, scoring="neg_mean_squared_error", **options)
    np.testing.assert_allclose(by_name.scores.losses, 2 * by_loss.scores.losses, rtol=1e-12)
    by_maker = fastgd.sweep(X, Y, scoring=metrics.make_scorer(metrics.mean_squared_error), **options)
    np.testing.assert_array_equal(by_maker.scores.losses, -by_name.scores.losses)
    assert by_maker.best_index == 2  # larger is better, whatever it is
    seen = []

    def own(estimator, X, y):
        seen.append((estimator.coef.shape, X.shape, y.shape))
        return 1.0

    assert (fastgd.sweep(X, Y, scoring=own, **options).scores.losses == -1).all()
    assert seen == [((3,), (16, 3), (16,))] * 9


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error", metrics.make_scorer(metrics.mean_pinball_loss)])
def test_scores_are_weighted(scoring):
    weight = RNG.random(len(Y)) ** 3
    weight[::7] = 0
    cv = model_selection.KFold(4)
    s = fastgd.sweep(X, Y, cv=cv, scoring=scoring, sample_weight=weight, tol=1e-12)
    scorer = metrics.check_scoring(linear_model.LinearRegression(), scoring)
    expected = [
        scorer(
            linear_model.LinearRegression().fit(X[train], Y[train], weight[train]),
            X[test],
            Y[test],
            sample_weight=weight[test],
        )
        for train, test in cv.split(X)
    ]
    np.testing.assert_allclose(s.scores.losses[0], -np.array(expected), rtol=1e-6)


def test_own_scorers_get_weights_if_they_take_them():
    weight, cv, seen = 1.0 + np.arange(len(Y)), model_selection.KFold(3), []

    def own(estimator, X, y, sample_weight=None):
        seen.append(sample_weight)
        return float(sample_weight is not None)

    assert (fastgd.sweep(X, Y, cv=cv, scoring=own, sample_weight=weight, **FULL).scores.losses == -1).all()
    for (_, test), found in zip(cv.split(X), seen, strict=True):
        np.testing.assert_allclose(found / found[0], weight[test] / weight[test][0])
    assert (fastgd.sweep(X, Y, cv=cv, scoring=own, **FULL).scores.losses == 0).all()


def test_scorers_without_weights_are_told():
    options = {"cv": model_selection.KFold(3), "scoring": "neg_max_error", **FULL}
    expected = fastgd.sweep(X, Y, **options).scores.losses
    with pytest.warns(UserWarning, match="scoring='neg_max_error' takes no sample_weight"):
        weighted = fastgd.sweep(X, Y, sample_weight=np.ones(len(Y)), **options)
    np.testing.assert_allclose(weighted.scores.losses, expected, rtol=1e-6)


def test_scorers_of_labels():
    cv = model_selection.StratifiedKFold(3)
    s = fastgd.sweep(X, SIDES, loss="log_loss", cv=cv, scoring="accuracy", **FULL)
    expected = [
        np.mean(r.predict(X[t]) == SIDES[t]) for r, (_, t) in zip(s.results[0], cv.split(X, SIDES), strict=True)
    ]
    np.testing.assert_allclose(s.scores.losses[0], -np.array(expected))


# What follows -------------------------------------------------------------------------------------------------------

COARSE = {"alpha": [1e-4, 0.01, 0.02, 5.0], "cv": model_selection.KFold(4), **FULL, "epochs": 40}


def test_the_best_is_fitted_on_all_rows():
    s = fastgd.sweep(X, Y, **COARSE)
    mean, error = s.scores.mean, s.scores.standard_error
    assert s.best_index == int(np.argmin(mean))
    near = [k for k in range(4) if mean[k] <= mean[s.best_index] + error[s.best_index]]
    assert s.simplest_index == max(near) > s.best_index
    assert s.best_settings == {"alpha": COARSE["alpha"][s.best_index]}
    rest = {name: value for name, value in COARSE.items() if name not in ("alpha", "cv")}

    def whole(k):
        return fastgd.fit(X, Y, alpha=COARSE["alpha"][k], **rest).coef

    assert "best" not in vars(s)
    np.testing.assert_array_equal(s.best.coef, whole(s.best_index))
    assert s.best is s.best
    np.testing.assert_array_equal(s.refit(3).coef, whole(3))
    np.testing.assert_array_equal(s.refit(-1).coef, whole(3))
    np.testing.assert_array_equal(s.refit(s.simplest_index).coef, whole(s.simplest_index))
    with pytest.raises(IndexError):
        s.refit(4)
    for refit, k in ((True, s.best_index), ("simplest", s.simplest_index)):
        done = fastgd.sweep(X, Y, **COARSE, refit=refit)
        name = "best" if refit is True else "simplest"
        assert name in vars(done)
        np.testing.assert_array_equal(getattr(done, name).coef, whole(k))
        copy = pickle.loads(pickle.dumps(done))
        np.testing.assert_array_equal(getattr(copy, name).predict(X), getattr(done, name).predict(X))


def test_tables_and_words():
    options = {"learning_rate": [0.2, 1e300], **{name: v for name, v in COARSE.items() if name != "learning_rate"}}
    s = fastgd.sweep(X, Y, optimizer="sgd", **options)
    table = s.table()
    columns = ["mean_loss", "standard_error", *(f"fold_{f}" for f in range(4)), "status"]
    assert list(table) == ["learning_rate", "alpha", *columns]
    assert table["status"] == s.status == ["max_epochs"] * 4 + ["diverged"] * 4
    assert table["fold_2"] == s.scores.losses[:, 2].tolist()
    assert table["mean_loss"] == s.losses.tolist()
    assert s.best_index < 4
    assert len(s.to_dataframe()) == 8
    lines = repr(s).splitlines()
    assert lines[0] == "CrossValidation: 8 settings of 4 folds over learning_rate, alpha (4 max_epochs, 4 diverged)"
    assert f"mean loss {min(s.losses):.6g}" in lines[1] and lines[1].startswith("  best: learning_rate=0.2, alpha=")


def test_pickled():
    s = fastgd.sweep(X, Y, **COARSE)
    copy = pickle.loads(pickle.dumps(s))
    np.testing.assert_array_equal(copy.scores.losses, s.scores.losses)
    assert (copy.table(), copy.best_index, copy.simplest_index) == (s.table(), s.best_index, s.simplest_index)
    np.testing.assert_array_equal(copy.results[1][2].coef, s.results[1][2].coef)
    with pytest.raises(ValueError, match="refit needs the training data"):
        _ = copy.best


def test_keep_drops_settings_with_all_their_folds():
    s = fastgd.sweep(X, Y, cv=4, learning_rate=[1e-4, 1e-3, 0.01, 0.1], epochs=6, keep="halving", random_state=0)
    assert [[r.n_epochs for r in folds] for folds in s.results] == [[1] * 4, [1] * 4, [2] * 4, [6] * 4]
    assert s.status == ["early_stopped"] * 3 + ["max_epochs"]
    assert s.best_index == 3


def test_one_fold_has_no_standard_error():
    s = fastgd.sweep(X, Y, cv=[(range(30), range(30, N))], alpha=ALPHAS, **FULL)
    assert np.isnan(s.scores.standard_error).all()
    assert s.simplest_index == s.best_index


def test_a_callback_ends_a_setting_with_its_folds():
    seen = []

    def callback(progress):
        seen.append((progress.run, progress.epoch))
        return progress.run == 0

    s = fastgd.sweep(X, Y, cv=3, alpha=[0.1, 0.2], callback=callback, **FULL)
    assert [[r.n_epochs for r in folds] for folds in s.results] == [[1] * 3, [4] * 3]
    assert s.status == ["early_stopped", "max_epochs"]
    assert set(seen) == {(0, 1), *((1, epoch) for epoch in range(1, 5))}


@pytest.mark.jit
def test_bits_do_not_depend_on_threads():
    options = {"cv": 3, "alpha": ALPHAS, "learning_rate": 0.01, "epochs": 50, "random_state": 0}
    found = [
        fastgd.sweep(X, Y, batch_size=batch, n_threads=threads, **options) for batch in (None, 9) for threads in (1, 3)
    ]
    for one, other in (found[:2], found[2:]):
        np.testing.assert_array_equal(one.scores.losses, other.scores.losses)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"cv": 1}, ValueError, "cv=1 must be at least 2"),
        ({"cv": N + 1}, ValueError, "cv=49 needs at least 49 rows, but X has 48"),
        ({"cv": "5"}, TypeError, "cv='5' must be a number of folds"),
        ({"cv": []}, ValueError, "cv yields no splits"),
        ({"cv": [([0, 1], [1, 2])]}, ValueError, "cv: split 0 trains and tests on row 1"),
        ({"cv": [([0, 99], [1])]}, ValueError, "cv: train of split 0 holds the row 99"),
        ({"cv": 3, "groups": GROUPS}, ValueError, "groups are for splitters"),
        ({"cv": 3, "validation": 0.2}, ValueError, "validation and cv both hold rows out: pass one of them"),
        ({"cv": 3, "scoring": "r3"}, ValueError, "scoring='r3' is not known"),
        ({"cv": 3, "scoring": ["r2"]}, TypeError, "scoring="),
        ({"cv": 3, "scoring": lambda *_: "good"}, TypeError, "scoring"),
        ({"cv": 3, "scoring": "accuracy"}, ValueError, "scoring: "),
        ({"cv": 3, "refit": "best"}, ValueError, "refit='best' is not known"),
        ({"cv": 3, "refit": 1}, (ValueError, TypeError), "refit"),
        ({"cv": 3, "keep": "half"}, ValueError, "keep='half' is not known"),
        ({"cv": [([0, 1], [2, 3])], "sample_weight": np.r_[0, 0, np.ones(N - 2)]}, ValueError, "cv: all rows that"),
        ({"cv": [([2, 3], [0, 1])], "sample_weight": np.r_[0, 0, np.ones(N - 2)]}, ValueError, "cv: all rows that"),
    ],
)
def test_bad_arguments_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        fastgd.sweep(X, Y, epochs=2, **arguments)


@diverges
def test_no_setting_with_finite_losses():
    s = fastgd.sweep(X, Y, cv=3, learning_rate=[1e300, 1e305], epochs=3, scoring=lambda *_: np.nan)
    assert np.isinf(s.losses).all()
    with pytest.raises(ValueError, match="No setting has a finite loss in every fold"):
        _ = s.best
