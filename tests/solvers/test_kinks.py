"""Penalties with kinks and bounds under quasi-Newton steps: no subgradient is left, whatever the rows and the loss."""

import numpy as np
import pytest
import scipy.sparse
from conftest import plan_of, slow_to_compile
from sklearn import linear_model

import fastgd
from fastgd import losses, reference
from fastgd.parts.penalties import ElasticNet
from fastgd.solvers import working_set
from fastgd.solvers.line_search import LineSearch
from fastgd.solvers.quasi_newton import QuasiNewton

RNG = np.random.default_rng(21)
N, D = 600, 12


def chained(n, d):
    """Columns that are each correlated 0.9 with the one before, in units over three decades, far from zero."""
    X = RNG.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = 0.9 * X[:, j - 1] + np.sqrt(1 - 0.81) * X[:, j]
    return X


def few(n, d, numbers):
    """Sparse rows."""
    columns, values = RNG.integers(0, d, n * numbers), RNG.lognormal(0, 0.5, n * numbers)
    X = scipy.sparse.csr_array((values, (np.repeat(np.arange(n), numbers), columns)), shape=(n, d))
    X.sum_duplicates()
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X


ROWS = {"dense": chained(N, D) * np.geomspace(0.1, 100, D) + 5.0, "sparse": few(N, 200, 6)}
ROWS["few sparse columns"] = few(N, 30, 6)
ROWS["wide"] = chained(120, 1100)
ROWS["wide sparse"] = few(100, 1500, 20)


def target(X, loss):
    """What a loss wants, of a score of ten columns."""
    rng = np.random.default_rng(3)
    X = X.toarray() if scipy.sparse.issparse(X) else X
    Z = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    score = Z[:, :: max(1, X.shape[1] // 10)] @ rng.standard_normal(len(range(0, X.shape[1], max(1, X.shape[1] // 10))))
    score /= score.std()
    if loss == "log_loss":
        return (rng.random(len(score)) < 1 / (1 + np.exp(-2 * score))).astype(float)
    if loss == "poisson":
        return rng.poisson(np.exp(np.clip(score, -2, 2))).astype(float)
    return score + 0.5 * rng.standard_normal(len(score))


PART = {"squared_error": losses.SquaredError, "log_loss": losses.LogLoss, "poisson": losses.Poisson}
PENALTIES = {
    "lasso": {"alpha": 0.01, "l1_ratio": 1.0},
    "elastic net": {"alpha": 0.02, "l1_ratio": 0.5},
    "positive": {"alpha": 0.01, "bounds": (0, None)},
    "box": {"alpha": 0.01, "bounds": (-0.02, 0.03)},
    "lasso in a box": {"alpha": 0.02, "l1_ratio": 1.0, "bounds": (-0.05, 0.05)},
}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
every_loss = pytest.mark.parametrize("loss", PART)


def some_rows(*names):
    """Cases of rows; those of many columns are compiled, as sweeps over coordinates take minutes otherwise."""
    many = {name: [pytest.mark.jit] if ROWS[name].shape[1] > 100 else [] for name in names}
    return pytest.mark.parametrize("rows", [pytest.param(name, marks=marks) for name, marks in many.items()])


all_rows = some_rows(*ROWS)


def at_rest(r, X, y, loss, alpha=0.0, l1_ratio=0.0, bounds=(None, None), weight=None):
    """The objective of a result, and the size of its smallest subgradient, in NumPy."""
    X = X.toarray() if scipy.sparse.issparse(X) else X
    weight = np.ones(len(y)) if weight is None else weight / weight.mean()
    inverse = r.state.inverse_scale.astype(float)
    Z, scores, coef = (X - r.state.shift) * inverse, r.decision_function(X), r.state.solver.weights[0, :-1]
    part = PART[loss]()
    g = Z.T @ (weight * part.slope(scores, y)) / len(y) + alpha * (1 - l1_ratio) * coef
    with np.errstate(all="ignore"):
        low, high = (side if b is None else b / inverse for b, side in zip(bounds, (-np.inf, np.inf), strict=True))
    slope = ElasticNet(alpha * l1_ratio, 0.0).slope(coef, g, low, high)
    cost = alpha * (l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * (coef**2).sum())
    return np.mean(weight * part.value(scores, y)) + cost, np.abs(slope).max()


@slow_to_compile
@every_penalty
@every_loss
@all_rows
def test_no_subgradient_is_left(rows, loss, penalty):
    X = ROWS[rows]
    y = target(X, loss)
    options = {"loss": loss, "standardize": "sparse" not in rows or "few" in rows, **penalty}
    r, tight = (fastgd.fit(X, y, tol=tol, **options) for tol in (1e-6, 1e-11))
    assert r.options["solver"] == "quasi_newton"
    assert r.status == tight.status == "converged"
    best, rest = at_rest(tight, X, y, loss, **penalty)
    assert rest <= 2e-5, "the tolerance is on the objective: its root is what is left of the slope"
    assert at_rest(r, X, y, loss, **penalty)[0] <= best * (1 + 1e-5)
    assert tight.loss == pytest.approx(best, rel=1e-9)
    low, high = penalty.get("bounds", (None, None))
    assert low is None or (r.coef >= low * (1 + 1e-12)).all()
    assert high is None or (r.coef <= high * (1 + 1e-12)).all()
    if penalty.get("l1_ratio") and "bounds" not in penalty:
        assert 0 < np.count_nonzero(tight.coef == 0) < tight.coef.size


@some_rows("dense", "wide")
def test_the_lasso_is_scikit_learns(rows):
    X = ROWS[rows]
    y, Z = target(X, "squared_error"), (X - X.mean(axis=0)) / X.std(axis=0)
    r = fastgd.fit(X, y, alpha=0.05, l1_ratio=0.8, tol=1e-12)
    model = linear_model.ElasticNet(alpha=0.05, l1_ratio=0.8, tol=1e-12, max_iter=10**6).fit(Z, y)
    np.testing.assert_allclose(r.coef * X.std(axis=0), model.coef_, atol=1e-6)
    np.testing.assert_array_equal(r.coef == 0, model.coef_ == 0)


def test_sparse_classes_are_scikit_learns():
    X, y = ROWS["sparse"], target(ROWS["sparse"], "log_loss")
    r = fastgd.fit(X, y, loss="log_loss", alpha=0.005, l1_ratio=1.0, standardize=False, tol=1e-12)
    model = linear_model.LogisticRegression(C=1 / (0.005 * N), l1_ratio=1.0, solver="saga", tol=1e-12, max_iter=10**5)
    model.fit(X, y)
    np.testing.assert_allclose(r.coef, model.coef_[0], atol=1e-4)
    assert np.count_nonzero(r.coef) == np.count_nonzero(model.coef_)


def test_bounds_may_exclude_zero_and_leave_no_room():
    X, y = ROWS["dense"][:, :3], target(ROWS["dense"], "squared_error")
    r = fastgd.fit(X, y, bounds=([1.0, -np.inf, 2.0], [np.inf, -0.5, 2.0]), loss="squared_error")
    assert r.coef[0] >= 1.0 and r.coef[1] <= -0.5
    np.testing.assert_allclose(r.coef[2], 2.0, rtol=1e-12)


def test_a_penalty_above_all_slopes_leaves_the_intercept_alone():
    for rows in ROWS:
        r = fastgd.fit(ROWS[rows], target(ROWS[rows], "log_loss"), loss="log_loss", alpha=1e3, l1_ratio=1.0)
        assert (r.status, np.count_nonzero(r.coef)) == ("converged", 0)


def test_a_start_with_weights_of_columns_that_do_not_vary_is_left():
    X = np.column_stack([ROWS["dense"][:, :3], np.full(N, 3.0)])
    y = target(X, "squared_error")
    r = fastgd.fit(X, y, alpha=0.05, l1_ratio=1.0, start=(np.ones(4), 0.0))
    assert r.coef[3] == 0.0


@pytest.mark.parametrize("weights", ["repeated", "some are zero"])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_row_weights(loss, weights):
    X, y = ROWS["dense"], target(ROWS["dense"], loss)
    weight = np.arange(N) % 3 + (1.0 if weights == "repeated" else 0.0)
    r = fastgd.fit(X, y, loss=loss, alpha=0.03, l1_ratio=1.0, sample_weight=weight, tol=1e-11)
    again = np.repeat(np.arange(N), weight.astype(int))
    expected = fastgd.fit(X[again], y[again], loss=loss, alpha=0.03, l1_ratio=1.0, tol=1e-11)
    np.testing.assert_allclose(r.coef, expected.coef, atol=1e-6 * np.abs(expected.coef).max())


@every_penalty
@all_rows
def test_float32_comes_close(rows, penalty):
    X = ROWS[rows]
    y = target(X, "log_loss")
    r, exact = (fastgd.fit(X.astype(t), y, loss="log_loss", **penalty) for t in (np.float32, np.float64))
    assert r.status == "converged"
    objectives = [at_rest(one, X, y, "log_loss", **penalty)[0] for one in (r, exact)]
    assert objectives[0] <= objectives[1] * (1 + 2e-5)


# One way of many -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
@some_rows("dense", "few sparse columns")
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_the_reference_takes_the_same_steps(loss, rows, standardize, intercept):
    X = ROWS[rows] if rows != "dense" else chained(N, D)
    options = {"loss": loss, "standardize": standardize, "fit_intercept": intercept, "alpha": 0.02, "l1_ratio": 0.7}
    r, expected = (engine.fit(X, target(X, loss), **options) for engine in (fastgd, reference))
    assert (r.status, r.n_epochs) == (expected.status, expected.n_epochs)
    np.testing.assert_allclose(r.history.loss, expected.history.loss, rtol=1e-7)
    np.testing.assert_allclose(r.coef, expected.coef, atol=1e-6 * np.abs(expected.coef).max())


@every_loss
@pytest.mark.parametrize("rows", ["dense", *(pytest.param(name, marks=pytest.mark.jit) for name in ("sparse", "wide"))])
def test_a_stopped_run_goes_on_bit_for_bit(rows, loss, tmp_path):
    X, options = ROWS[rows], {"loss": loss, "alpha": 0.01, "l1_ratio": 0.9, "tol": 1e-10}
    y = target(X, loss)
    whole = fastgd.fit(X, y, **options)
    for epochs in range(1, min(whole.n_epochs, 16), 2):
        fastgd.fit(X, y, epochs=epochs, **options).save(tmp_path / "begun.npz")
        again = fastgd.fit(X, y, resume=fastgd.load(tmp_path / "begun.npz"), epochs=1000, **options)
        assert again.n_epochs == whole.n_epochs
        np.testing.assert_array_equal(again.coef, whole.coef)
        np.testing.assert_array_equal(again.history.decrement, whole.history.decrement)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@some_rows("dense", "sparse", "wide")
def test_lanes_are_fits(rows, loss):
    X, axes = ROWS[rows], {"alpha": [0.1, 0.02, 0.0], "l1_ratio": [0.5, 1.0]}
    y = target(X, loss)
    if rows != "dense":
        axes["alpha"] = [0.1, 0.02]
    s = fastgd.sweep(X, y, loss=loss, tol=1e-10, **axes)
    for result in s.results:
        own = {name: result.options[name] for name in ("alpha", "l1_ratio")}
        alone = fastgd.fit(X, y, loss=loss, tol=1e-10, **own)
        assert result.status == alone.status == "converged"
        assert result.loss == pytest.approx(alone.loss, rel=1e-8)
        np.testing.assert_allclose(result.coef, alone.coef, atol=2e-4 * np.abs(alone.coef).max())


@pytest.mark.jit
@some_rows("dense", "sparse", "wide")
def test_any_number_of_threads_gives_the_same_bits(rows):
    X = ROWS[rows] if rows == "wide" else (np.tile(ROWS[rows], (40, 1)) if rows == "dense" else few(40_000, 200, 6))
    y = target(X, "log_loss")
    one, three = (fastgd.fit(X, y, loss="log_loss", alpha=0.01, l1_ratio=1.0, n_threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.coef, three.coef)


def test_which_problems_have_a_working_set():
    plan = plan_of(ROWS["wide"], target(ROWS["wide"], "log_loss"), loss="log_loss", alpha=0.1, l1_ratio=1.0)
    solver = QuasiNewton(plan)
    model = solver.model_of(0, (*np.zeros((2, 3, 1101)), 0, 0))
    model.enter(solver.stages[0])
    assert isinstance(model, working_set.WorkingSet)
    assert not working_set.has_working_set(plan.data, model.kinks._replace(l1=np.zeros(1101)))
    assert working_set.has_working_set(plan.data, model.kinks._replace(l1=np.zeros(1101), low=np.zeros(1101)))
    weights = np.zeros(1101)
    few_at_most = model.chosen(weights, np.arange(1101.0))
    np.testing.assert_array_equal(few_at_most, np.arange(1100 - 66, 1100))
    weights[:600] = 1.0
    assert model.chosen(weights, np.zeros(1101)).size == 1100, "more than half of the columns: they are not copied"


@pytest.mark.jit
def test_a_working_set_of_which_no_step_lowers_the_objective_ends_the_run(monkeypatch):
    search = LineSearch.run

    def run(self, point, way):
        if not isinstance(self.model, working_set.WorkingSet):
            return (yield from search(self, point, way))
        yield from self.look(point.weights)
        return 0.0, point

    monkeypatch.setattr(LineSearch, "run", run)
    y = target(ROWS["wide"], "log_loss")
    r = fastgd.fit(ROWS["wide"], y, loss="log_loss", alpha=0.05, l1_ratio=1.0)
    assert r.status == "early_stopped" and r.n_epochs == 1


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@some_rows("dense", "sparse", "wide")
def test_folds_are_fits_on_their_rows(rows, loss):
    X = ROWS[rows]
    y, n = target(X, loss), X.shape[0]
    held = np.arange(n) < n // 4
    options = {"loss": loss, "l1_ratio": 1.0, "standardize": False, "tol": 1e-10}
    split = [(np.flatnonzero(~held), np.flatnonzero(held))]
    s = fastgd.sweep(X, y, alpha=[0.02, 0.005], cv=split, **options)
    for alpha, (fold,) in zip([0.02, 0.005], s.results, strict=True):
        alone = fastgd.fit(X[~held], y[~held], alpha=alpha, **options)
        assert fold.status == "converged"
        assert fold.loss == pytest.approx(alone.loss, rel=1e-7)


def test_columns_of_sparse_rows_are_made_dense():
    plan = plan_of(ROWS["wide sparse"], target(ROWS["wide sparse"], "log_loss"), loss="log_loss")
    columns = np.array([0, 7, 8, 1499])
    found = working_set.columns_of(plan.data, columns)
    np.testing.assert_array_equal(found.rows.values, ROWS["wide sparse"].toarray()[:, columns])
    np.testing.assert_array_equal(found.inverse_scale, plan.data.inverse_scale[columns])
