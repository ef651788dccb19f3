"""Full-batch descent of squared losses from the Gram matrix, against NumPy and against the passes over the rows."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import diverges, plan_of, slow_to_compile
from scipy import sparse

import fastgd
from fastgd.kernels.layouts import frozen
from fastgd.solvers import gram, gram_descent, textbook
from fastgd.solvers.compiled import COMPILED
from fastgd.solvers.plan import lanes_at, rate_table
from fastgd.training.loop import train


def with_lanes(plan, count, **arrays):
    """The plan with ``count`` fresh lanes of its setting; ``arrays`` replace some of theirs."""
    lanes = lanes_at(plan.lanes, [0] * count, 1)
    return replace(plan, lanes=lanes._replace(**{name: np.array(value) for name, value in arrays.items()}))


def descend(plan, steps):
    """The objective and the norm (steps, lanes) of a run of GramDescent."""
    table = rate_table(plan.models, [1.0], 1, 0, steps)
    rates = np.array(np.broadcast_to(table, (steps, len(plan.lanes.weights))), order="C")
    return gram_descent.GramDescent(plan).steps(plan.lanes, rates, 1)


def rows_of(grams):
    """The rows whose products the sums are, in NumPy, and the targets (targets, n)."""
    data = grams.data
    Z = (data.rows.values - grams.centre) * data.inverse_scale
    return np.column_stack([Z, np.ones(grams.n)]), data.targets - grams.level[:, None]


def check_sums(grams, pair, weight, rtol=1e-11):
    """The sums of a weighting are those of NumPy with the row weights ``weight``."""
    Z, y = rows_of(grams)
    sums, k = grams.sums, grams.pairs.index(pair)
    share = weight / weight.sum()
    scale = np.sqrt(share @ Z**2)
    np.testing.assert_allclose(sums.products[k], (Z.T * share) @ Z, rtol=0, atol=rtol * np.outer(scale, scale).max())
    moments = sums.products[k] @ sums.minimiser[k].T - sums.rest[k].T
    np.testing.assert_allclose(moments, (Z.T * share) @ y.T, rtol=0, atol=rtol * np.abs(y).max() * scale.max())
    residual = y - sums.minimiser[k] @ Z.T
    np.testing.assert_allclose(sums.least[k], residual**2 @ share, rtol=1e-9, atol=1e-13 * (y**2 @ share).max())
    # Nothing is less: the residuals of the minimiser are orthogonal to the rows.
    assert np.abs((residual * share) @ Z).max() <= 1e-9 * np.abs(y).max() * scale.max()


def partition(folds, n):
    """Roles of folds that hold out every row once."""
    held = np.random.default_rng(1).integers(0, folds, n)
    return np.where(held == np.arange(folds)[:, None], -1, 1).astype(np.int8)


# The sums ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_sums_of_any_problem(problem, standardize, intercept):
    y = problem.y if problem.y.dtype.kind == "f" else (problem.y == problem.y[0]).astype(float)
    options = {"sample_weight": problem.weight, "standardize": standardize, "fit_intercept": intercept}
    plan = plan_of(problem.X, y, epochs=1, learning_rate=0.1, **options)
    weight = np.ones(len(y)) if problem.weight is None else problem.weight
    check_sums(gram.Grams(plan.data, plan.lanes, 1), (-1, -1), weight)


FOLDS = {
    "partition": (partition(3, 80), True),
    "overlapping": (np.random.default_rng(2).integers(-1, 2, (3, 80)).astype(np.int8), False),
    "counts": (np.random.default_rng(3).integers(-1, 4, (2, 80)).astype(np.int8), False),
    "one": (partition(2, 80)[:1], False),
    "one that holds out all": (np.where(np.arange(80) < 0, 1, -1).astype(np.int8)[None], False),
    "unused rows": (np.where(np.arange(80) < 60, partition(3, 80), 0).astype(np.int8), False),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", FOLDS)
def test_sums_of_folds(problems, name, weighted):
    roles, whole = FOLDS[name]
    assert gram.is_partition(roles) == whole
    problem = problems["weighted"]
    weight = problem.weight if weighted else np.ones(80)
    plan = plan_of(problem.X, problem.y, epochs=1, sample_weight=problem.weight if weighted else None)
    folds = [-1, *range(len(roles)), 0]
    plan = with_lanes(plan, len(folds), fold=folds)
    grams = gram.Grams(plan.data._replace(roles=frozen(roles)), plan.lanes, 1)
    assert grams.pairs == [(fold, -1) for fold in range(-1, len(roles))]
    assert grams.indices(plan.lanes).tolist() == [fold + 1 for fold in folds]
    check_sums(grams, (-1, -1), weight)
    for fold, role in enumerate(roles):
        if role.max() > 0:
            check_sums(grams, (fold, -1), weight * np.maximum(role, 0))
        else:
            assert np.isnan(grams.sums.least[fold + 1]).all()


@slow_to_compile
@pytest.mark.jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d, targets", [(3, 1), (7, 9), (190, 2)])
def test_bits_of_any_number_of_threads(d, targets, dtype, monkeypatch):
    monkeypatch.setattr(gram, "chunk_rows", lambda d: 200)
    monkeypatch.setattr(gram, "GATHERED", 32)
    monkeypatch.setattr(gram_descent, "SMALL_WORK", 0)
    monkeypatch.setattr(gram_descent, "TASK_LANES", 2)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1501, d)).astype(dtype)
    data = plan_of(X, X[:, 0] + 1, epochs=1, learning_rate=0.01).data
    data = data._replace(
        targets=frozen(rng.standard_normal((targets, 1501)).astype(dtype)), roles=frozen(partition(3, 1501))
    )
    found = []
    for n_threads in (1, 2, 3):
        plan = plan_of(X, X[:, 0] + 1, epochs=1, learning_rate=0.01, n_threads=n_threads)
        lanes = np.arange(4 * targets)
        plan = with_lanes(replace(plan, data=data), lanes.size, target=lanes % targets, fold=lanes % 4 - 1)
        grams = gram.Grams(data, plan.lanes, n_threads)
        found.append([*grams.sums, *descend(plan, 3), plan.lanes.weights])
    for fold, role in enumerate(data.roles):
        check_sums(grams, (fold, -1), np.maximum(role, 0).astype(float))
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_sums_of_replicates(plain):
    plan = with_lanes(plan_of(plain.X, plain.y, epochs=1), 2, replicate=[-1, 4])
    grams = gram.Grams(plan.data._replace(seed=7), plan.lanes, 1)
    check_sums(grams, (-1, -1), np.ones(80))
    check_sums(grams, (-1, 4), textbook.drawn_counts(7, 4, 80))


# Weighted rows -------------------------------------------------------------------------------------------------------


def weighted(X, weight, constant=1.0, n_threads=1, centred=True):
    """What weighted_gram finds, and NumPy's sums; rows of weight 0 hold NaN."""
    plan = plan_of(X, np.arange(X.shape[0]) % 7.0, epochs=1)
    shift = plan.data.shift + 0.25 * centred
    data = plan.data._replace(constant=constant, shift=shift, inverse_scale=plan.data.inverse_scale * 2)
    Z = (data.rows.array() - data.shift) * data.inverse_scale.astype(np.float64)
    Z = np.column_stack([Z, np.full(len(Z), constant)])
    return gram.weighted_gram(data, weight, n_threads), (Z.T * weight) @ Z


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 5, 7, 8, 30])
def test_weighted_sums(d, dtype):
    rng = np.random.default_rng(0)
    X, weight = rng.standard_normal((60, d)).astype(dtype), rng.uniform(0, 2, 60) * (rng.random(60) < 0.7)
    for constant in (1.0, 0.0):
        found, expected = weighted(X, weight, constant)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * abs(expected).max())
        assert np.array_equal(found, found.T)


@pytest.mark.parametrize("d, share", [(6, 0.4), (300, 0.01)])
def test_weighted_sums_of_sparse_rows(d, share):
    X = sparse.random_array((80, d), density=share, format="csr", rng=np.random.default_rng(1))
    weight = np.random.default_rng(2).uniform(0, 2, 80) * (np.arange(80) % 3 > 0)
    found, expected = weighted(X, weight, centred=False)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * abs(expected).max())


def test_weighted_sums_keep_the_digits_of_columns_far_from_zero():
    rng = np.random.default_rng(3)
    X = 1e7 + rng.standard_normal((90, 3))
    found, expected = weighted(X, np.ones(90, np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-9)


@pytest.mark.jit
@pytest.mark.parametrize("d", [5, 40])
def test_bits_of_weighted_sums_on_any_number_of_threads(d, monkeypatch):
    monkeypatch.setattr(gram, "chunk_rows", lambda rows: 100)
    X, weight = np.random.default_rng(0).standard_normal((1501, d)), frozen(np.random.default_rng(1).random(1501))
    (one, expected), (two, _), (three, _) = (weighted(X, weight, n_threads=k) for k in (1, 2, 3))
    np.testing.assert_allclose(one, expected, rtol=1e-11, atol=1e-11 * abs(expected).max())
    assert np.array_equal(one, two)
    assert np.array_equal(one, three)


# Descent -------------------------------------------------------------------------------------------------------------

SETTINGS = {
    "sgd": {"optimizer": "sgd"},
    "mse": {"optimizer": "sgd", "loss": "mse"},
    "momentum": {"optimizer": "momentum"},
    "adam": {"optimizer": "adam", "learning_rate": 0.1},  # on centred columns it would scale an intercept of rounding
    "no intercept": {"optimizer": "momentum", "fit_intercept": False},
    "ridge": {"optimizer": "momentum", "alpha": 0.1},
    "lasso": {"optimizer": "momentum", "alpha": 0.1, "l1_ratio": 1.0},
    "bounds": {"optimizer": "momentum", "bounds": (0.0, 0.5)},
    "raw columns": {"optimizer": "sgd", "learning_rate": 0.05},
    "averaged": {"optimizer": "sgd", "average": 3},
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("rows", ["plain", "weighted"])
def test_steps_are_those_of_passes(problems, rows, name):
    problem, options = problems[rows], dict(epochs=20, sample_weight=problems[rows].weight, **SETTINGS[name])
    plan = plan_of(problem.X, problem.y, **options)
    objective, norm = descend(plan, 20)
    r = fastgd.fit(problem.X, problem.y, **options)
    np.testing.assert_allclose(objective[:, 0], r.history.loss, rtol=1e-8)
    np.testing.assert_allclose(norm[:, 0], r.history.gradient_norm, rtol=1e-8, atol=1e-13 * norm[0, 0])
    np.testing.assert_allclose(plan.lanes.weights, r.state.solver.weights, rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(plan.lanes.averages, r.state.solver.averages, rtol=1e-8, atol=1e-13)


@pytest.mark.jit
@pytest.mark.parametrize("d", [6, 7, 8, 63, 190])
def test_steps_of_any_width(d):
    """Rows that fill vectors and tiles, and rows that don't."""
    rng = np.random.default_rng(d)
    X = rng.standard_normal((400, d))
    y, options = X @ rng.standard_normal(d) + rng.standard_normal(400), {"epochs": 10, "optimizer": "momentum"}
    plan = plan_of(X, y, **options)
    objective, _ = descend(plan, 10)
    r = fastgd.fit(X, y, **options)
    np.testing.assert_allclose(objective[:, 0], r.history.loss, rtol=1e-10)
    np.testing.assert_allclose(plan.lanes.weights, r.state.solver.weights, rtol=1e-8, atol=1e-13)


def test_lanes_have_their_own_settings(plain):
    """Rates, factors, targets and folds: each lane is the fit of its rows."""
    roles = partition(3, 80)
    lanes, rates = np.arange(24), np.geomspace(1e-3, 0.5, 24)
    plan = plan_of(plain.X, plain.y, epochs=1, learning_rate=0.1, standardize=True)
    targets = np.stack([plain.y, np.sin(plain.y)])
    plan = replace(plan, data=plan.data._replace(roles=frozen(roles), targets=frozen(targets)))
    plan = with_lanes(plan, 24, fold=lanes % 4 - 1, target=lanes % 2, loss=0.5 + (lanes % 3)[:, None])
    before = plan.lanes.weights.copy()
    objective, _ = gram_descent.GramDescent(plan).steps(plan.lanes, np.tile(rates, (30, 1)), 1)
    Z = np.column_stack([(plain.X - plan.data.shift) * plan.data.inverse_scale, np.ones(80)])
    for lane in lanes:
        fold, factor, y, w = lane % 4 - 1, 0.5 + lane % 3, targets[lane % 2], before[lane]
        rows = roles[fold] > 0 if fold >= 0 else np.ones(80, bool)
        for k in range(30):
            residual = Z[rows] @ w - y[rows]
            np.testing.assert_allclose(objective[k, lane], factor * np.mean(residual**2), rtol=1e-10)
            w = w - rates[lane] * 2 * factor * Z[rows].T @ residual / rows.sum()
        np.testing.assert_allclose(plan.lanes.weights[lane], w, rtol=1e-10)


def test_a_subset_of_lanes_and_two_calls(plain):
    """Lanes may be left out between calls, and the calls go on with each other."""
    plan = with_lanes(plan_of(plain.X, plain.y, epochs=1, learning_rate=0.1, optimizer="momentum"), 10)
    plan = replace(plan, data=plan.data._replace(roles=frozen(partition(4, 80))))
    plan.lanes.fold[:] = np.arange(10) % 5 - 1
    other = with_lanes(plan, 10, fold=plan.lanes.fold)
    rates = np.tile(np.linspace(0.01, 0.1, 10), (8, 1))
    whole, _ = gram_descent.GramDescent(plan).steps(plan.lanes, rates, 1)
    work, kept = gram_descent.GramDescent(other), np.array([7, 2, 3])
    first, _ = work.steps(other.lanes, rates[:5], 1)
    some = type(other.lanes)(*(array[kept] for array in other.lanes))
    second, _ = work.steps(some, rates[5:][:, kept], 6)
    assert np.array_equal(whole[:5], first)
    assert np.array_equal(whole[5:][:, kept], second)
    assert np.array_equal(plan.lanes.weights[kept], some.weights)


def test_a_diverging_lane_changes_no_other(plain):
    plan = with_lanes(plan_of(plain.X, plain.y, epochs=1, learning_rate=0.1), 3)
    alone = with_lanes(plan, 3)
    rates = np.full((400, 3), 0.1)
    expected, _ = gram_descent.GramDescent(alone).steps(alone.lanes, rates, 1)
    rates[:, 1] = 1e3
    objective, norm = gram_descent.GramDescent(plan).steps(plan.lanes, rates, 1)
    assert not np.isfinite(objective[-1, 1] + norm[-1, 1])
    assert np.array_equal(objective[:, ::2], expected[:, ::2])
    assert np.isfinite(plan.lanes.weights).all()


# Accuracy ------------------------------------------------------------------------------------------------------------


def test_a_gradient_beyond_float32_stops_the_lane():
    X = np.array([[1e30], [-1e30]], np.float32)
    plan = plan_of(X, np.array([1e10, -1e10]), epochs=1, learning_rate=1e-3, optimizer="sgd")
    _objective, norm = descend(plan, 3)
    assert np.isinf(norm[0]) and np.isfinite(plan.lanes.weights).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_exact_fit_ends_at_zero(dtype):
    """Rounding decides nothing: the loss falls to a square of rounding errors, and never below zero."""
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((300, 3)) + 100).astype(dtype)
    y = (2 * X[:, 0] - X[:, 1] + 5).astype(dtype)
    plan = plan_of(X, y, epochs=60, tol=None, optimizer="sgd")
    objective, _ = descend(plan, 60)
    eps = np.finfo(dtype).eps
    assert (objective >= 0).all()
    assert objective[-1] <= (8 * eps) ** 2 * objective[0]
    assert (np.diff(objective[:6], axis=0) < 0).all()


CONDITIONED = ["years", "millions", "levels", "constants"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("standardize", [True, False])
def test_badly_conditioned_columns(standardize, dtype):
    """Loss and gradient are those of the rows to 1e-6, in float64, where raw sums of squares would cancel."""
    rng = np.random.default_rng(0)
    n = 2000
    years, millions = rng.integers(1990, 2024, n), rng.lognormal(15, 1, n)
    X = np.column_stack([years, millions, 1e6 + rng.standard_normal(n), years + 0.1 * rng.standard_normal(n)])
    X = X.astype(dtype)
    y = (1e5 + (years - 2007) / 10 + rng.standard_normal(n)).astype(dtype)
    rate = "auto" if standardize else 1e-16
    plan = plan_of(X, y, epochs=1, learning_rate=rate, optimizer="sgd")
    # Near the optimum, where the loss is small beside its terms.
    data = plan.data
    Z = np.column_stack([(X.astype(float) - data.shift) * data.inverse_scale, np.ones(n)])
    t = data.targets[0].astype(float)
    w = np.linalg.lstsq(Z, t, rcond=None)[0].astype(dtype)
    plan.lanes.weights[0] = w
    objective, norm = descend(plan, 1)
    residual = Z @ w.astype(float) - t
    np.testing.assert_allclose(objective[0, 0], 0.5 * np.mean(residual**2), rtol=1e-6)
    gradient = Z.T @ residual / n
    size = np.sqrt(np.mean(Z**2, axis=0) * np.mean(residual**2))
    np.testing.assert_allclose(norm[0, 0], np.linalg.norm(gradient), rtol=1e-6, atol=1e-9 * np.linalg.norm(size))


@pytest.mark.parametrize("share", [1e-2, 1e-4, 1e-6])
def test_columns_that_are_almost_the_same(share):
    """A minimiser with large opposed entries would bring rounding errors of its own size into every loss."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    X[:, 1], y = X[:, 0] + share * X[:, 1], X[:, 1] + X[:, 2] + 0.01 * rng.standard_normal(400)
    plan = plan_of(X, y, epochs=50, optimizer="sgd")
    objective, _ = descend(plan, 50)
    r = fastgd.fit(X, y, epochs=50, optimizer="sgd")
    np.testing.assert_allclose(objective[:, 0], r.history.loss, rtol=1e-10)


@pytest.mark.jit
def test_the_optimum_of_ill_conditioned_float32():
    """A float32 run of 3000 steps ends within 1e-6 of a float64 run over the same numbers."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 6)).astype(np.float32)
    X[:, 1] = X[:, 0] + np.float32(1e-2) * X[:, 1]
    y = (X @ np.arange(6) + rng.standard_normal(500)).astype(np.float32)
    found = []
    for dtype in (np.float32, np.float64):
        plan = plan_of(X.astype(dtype), y.astype(dtype), epochs=1, optimizer="sgd")
        objective, _ = descend(plan, 3000)
        found.append(objective[-1, 0])
    np.testing.assert_allclose(*found, rtol=1e-6)


# A run ---------------------------------------------------------------------------------------------------------------


def run_by_gram(plan):
    """The outcome of a plan that GramDescent runs, whether or not that pays."""
    return train(replace(plan, backend=replace(COMPILED, first_order=lambda plan: gram_descent.GramDescent)))[0]


@pytest.mark.parametrize("name", ["plain", "raw", "degenerate", "constant_target", "one_row", "weighted"])
def test_a_run_ends_as_that_of_passes(problems, name):
    """The same epochs to the tolerance, and the same weights; or the same divergence."""
    problem = problems[name]
    arguments, options = (problem.X, problem.y), {"sample_weight": problem.weight, "optimizer": "sgd"}
    plan = plan_of(*arguments, **options)
    outcome = run_by_gram(plan)
    r = fastgd.fit(*arguments, **options)
    assert (outcome.status, outcome.clock.epoch) == (r.status, r.n_epochs)
    np.testing.assert_allclose(outcome.weights, r.state.solver.weights, rtol=1e-8, atol=1e-13 * np.ptp(problem.y))


@diverges
@pytest.mark.jit
def test_a_run_diverges(plain):
    options = {"learning_rate": 10.0, "optimizer": "sgd", "epochs": 1000}
    plan = plan_of(plain.X, plain.y, **options)
    outcome = run_by_gram(plan)
    assert outcome.status == "diverged"
    assert np.isfinite(outcome.weights).all()
    assert outcome.clock.epoch == fastgd.fit(plain.X, plain.y, **options).n_epochs


# The choice ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "n, d, lanes, folds, epochs, expected",
    [
        (1_000_000, 50, 100, 0, 100, True),
        (1_000_000, 50, 1, 0, 100, True),
        (1_000_000, 50, 1, 0, 1, False),
        (1000, 5, 1, 0, 1000, False),  # not worth compiling for
        (50_000, 50, 320, 5, 5, True),
        (50_000, 50, 100, 100, 5, True),  # the parts are read once
        (50_000, 50, 100, -100, 5, False),  # a weighting costs more than the passes of its lane
        (1000, 50_000, 100, 0, 100, False),  # 20 GB
        (100, 2000, 100, 0, 100, False),  # wide: the Gram matrix is larger than X
        (50_000, 2000, 1, 0, 20, False),
    ],
)
def test_pays(n, d, lanes, folds, epochs, expected):
    """A negative number of folds is of others than a partition."""
    data = plan_of(np.ones((2, 1)), np.array([0.0, 1.0]), epochs=1).data
    values = np.broadcast_to(np.float64(0), (n, d))
    roles = partition(folds, 300) if folds > 0 else np.ones((-folds, 300), np.int8)
    data = data._replace(rows=data.rows._replace(values=values), shift=np.zeros(d), roles=roles)
    assert gram_descent.pays(data, lanes, max(abs(folds), 1), epochs) == expected
