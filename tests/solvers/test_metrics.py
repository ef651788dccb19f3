"""Metrics: second derivatives against explicit matrices, and what becomes of columns that these don't tell about."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import JIT_OFF
from scipy.sparse import csr_array
from scipy.special import softmax

import fastgd
from fastgd import losses
from fastgd.kernels.lanes import NO_ROLES, Data, make_lanes
from fastgd.kernels.layouts import CSR, Dense, frozen
from fastgd.parts.penalties import Free
from fastgd.solvers import joint_metrics, metrics
from fastgd.solvers.compiled import COMPILED
from fastgd.solvers.current_metric import DAMPINGS
from fastgd.solvers.joint_metrics import AllSums, SharedSums
from fastgd.solvers.metrics import ArrowSums, MatrixSums, Unit, kind_of

N, D, CLASSES = 300, 5, 3
RNG = np.random.default_rng(6)
X = RNG.standard_normal((N, D)) @ (np.eye(D) + 0.3 * RNG.standard_normal((D, D)))
SPARSE = np.where(RNG.uniform(size=(N, D)) < 0.3, RNG.standard_normal((N, D)), 0.0)
BENDS = RNG.uniform(0.1, 2.0, N)


def unknown():
    """No variances of all rows: they are not asked for."""
    raise AssertionError


def data_of(X, sparse=False, constant=1.0, shift=0.0, scale=1.0, dtype=np.float64, weight=(), classes=1):
    """Data as kernels read them."""
    n, d = X.shape
    rows = CSR.of(csr_array(X.astype(dtype))) if sparse else Dense(frozen(np.ascontiguousarray(X.astype(dtype))))
    y = frozen(np.random.default_rng(1).integers(0, max(classes, 2), (1, n)).astype(dtype))
    weight, none = frozen(np.array(weight, dtype)), frozen(np.empty(0, dtype))
    shift, scale = (np.broadcast_to(v, d).astype(dtype) for v in (shift, scale))
    count = float(np.sum(weight)) if weight.size else float(n)
    return Data(rows, y, weight, none, shift, scale, constant, count, NO_ROLES, 5, classes, none)


def standardised(data):
    """The scaled columns and the constant, as float64."""
    Z = (data.rows.array() - data.shift.astype(float)) * data.inverse_scale.astype(float)
    return np.column_stack([Z, np.full(len(Z), data.constant)])


def explicit(data, bends=BENDS):
    """The mean of the second derivatives, (d + 1, d + 1)."""
    Z = standardised(data)
    return Z.T @ (bends[:, None] * Z) / data.count


def solved(H, g, constant):
    """``inverse(H) @ g``; without a constant its entry is 0."""
    found = np.zeros(len(g))
    some = slice(None) if constant else slice(-1)
    found[some] = np.linalg.solve(H[some, some], g[some])
    return found


def made(cls, data, bends=BENDS, spreads=unknown):
    """The sums over rows."""
    return cls(data, frozen(bends.astype(data.shift.dtype)), spreads, COMPILED, 1)


def gradient(data):
    """A gradient: without a constant its last entry is 0."""
    g = np.random.default_rng(2).standard_normal(data.shift.size + 1)
    g[-1] *= data.constant
    return g


# Matrices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constant", [1.0, 0.0])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("l2", "share"), [(0.0, 0.0), (0.5, 0.0), (0.0, 1.0), (0.3, 1e3)])
def test_solutions_are_numpys(sparse, constant, l2, share):
    data = data_of(SPARSE if sparse else X, sparse, constant, scale=[1.0, 2.0, 0.5, 1.0, 3.0])
    metric, g = made(MatrixSums, data).damped(l2, share), gradient(data)
    # A share of the diagonal is added as the columns are centred in the metric.
    centre = 0.0 if sparse or not constant else (BENDS @ data.rows.values / BENDS.sum() * data.inverse_scale)
    J = np.eye(D + 1)
    J[-1, :-1] = -centre
    H = J.T @ explicit(data) @ J + np.diag([l2] * D + [0.0])
    H = H + share * np.diag(np.diag(H))
    expected = J @ solved(H, J.T @ g, constant)
    np.testing.assert_allclose(metric.solve(g), expected, rtol=1e-9, atol=1e-12)
    if not share and not l2:
        np.testing.assert_allclose(expected, solved(explicit(data), g, constant), rtol=1e-9)
    assert metric.missed(g) == 0.0
    assert not metric.scaled
    assert not metric.keeps


def test_a_penalty_alone_is_added_to_the_given_columns():
    data = data_of(X + 3.0)
    g, H = gradient(data), explicit(data) + np.diag([0.7] * D + [0.0])
    np.testing.assert_allclose(made(MatrixSums, data).damped(0.7, 0.0).solve(g), np.linalg.solve(H, g), rtol=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
def test_distances_are_those_of_the_scores(sparse):
    data = data_of((SPARSE if sparse else X + 2.0), sparse)
    metric, move = made(MatrixSums, data).damped(0.0, 0.0), RNG.standard_normal(D + 1)
    expected = np.sqrt(BENDS @ (standardised(data) @ move) ** 2 / BENDS.sum())
    assert metric.distance(move) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("far", [1e3, 1e6])
def test_columns_far_from_zero_are_centred(far):
    """Of the products of raw columns 1e6 from zero a third of the digits would be left."""
    moved, here = data_of(X + far), data_of(X)
    g = gradient(here)
    g_moved = g.copy()
    g_moved[:-1] += far * g[-1]
    step, expected = (made(MatrixSums, data).damped(0.0, 0.0).solve(v) for data, v in ((moved, g_moved), (here, g)))
    np.testing.assert_allclose(step[:-1], expected[:-1], rtol=1e-7)
    assert step[-1] == pytest.approx(expected[-1] - far * expected[:-1].sum(), rel=1e-7)


def test_weights_on_few_far_rows_are_centred_there():
    """Centred at the mean of all rows, their products would cancel: 1e10 of 1e-4."""
    far = X.copy()
    far[:8] = 1e5 + 1e-2 * X[:8]
    bends = np.where(np.arange(N) < 8, 1.0, 0.0)
    data = data_of(far)
    metric = made(MatrixSums, data, bends).damped(0.0, 0.0)
    A = np.column_stack([1e-2 * X[:8], np.ones(8)]).astype(np.longdouble)  # about 1e5
    g_here = gradient(data)
    step_here = np.linalg.solve((A.T @ A / N).astype(float), g_here)
    g = g_here.copy()
    g[:-1] += 1e5 * g[-1]
    step = metric.solve(g)
    assert not metric.factor.dependent.any()
    np.testing.assert_allclose(step[:-1], step_here[:-1], rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_that_depend_on_others_are_left_out(dtype):
    twice = np.column_stack([X, X[:, 0] + X[:, 1], np.full(N, 7.0)]).astype(dtype)
    data = data_of(twice, dtype=dtype)
    sums = made(MatrixSums, data, np.ones(N), lambda: np.zeros(D + 2))
    metric, g = sums.damped(0.0, 0.0), np.append(gradient(data_of(X)), [2.0, 0.0])[[0, 1, 2, 3, 4, 6, 7, 5]]
    step = metric.solve(g)
    np.testing.assert_array_equal(metric.factor.dependent, [False] * D + [True, True, False])
    np.testing.assert_array_equal(step[D : D + 2], 0.0)
    alone = made(MatrixSums, data_of(X, dtype=dtype), np.ones(N)).damped(0.0, 0.0)
    np.testing.assert_allclose(np.delete(step, [D, D + 1]), alone.solve(np.delete(g, [D, D + 1])), rtol=1e-4)


def test_what_is_left_out_is_missed():
    data = data_of(np.column_stack([X, X[:, 0]]))
    metric = made(MatrixSums, data).damped(0.0, 0.0)
    g = np.zeros(D + 2)
    g[0] = 1.0
    assert metric.missed(g) == 0.0
    g[D], g[-1] = 2.0, 0.5
    mean = BENDS @ X[:, 0] / BENDS.sum()
    variance = BENDS @ (X[:, 0] - mean) ** 2 / N
    assert metric.missed(g) == pytest.approx((2.0 - 0.5 * mean) ** 2 / (2 * variance))
    assert made(MatrixSums, data).damped(0.1, 0.0).missed(g) == 0.0, "a penalty tells them apart"


@pytest.mark.parametrize("cls", [MatrixSums, ArrowSums])
def test_columns_that_a_sample_does_not_see_have_their_variance(cls):
    some = X.copy()
    some[:, 1] = 0.0
    some[:, 3] = 0.0
    scale = np.ones(D)
    scale[3] = 0.0  # varies nowhere
    data = data_of(some, scale=scale)
    spreads = np.array([9.0, 0.25, 9.0, 0.0, 9.0])
    metric = made(cls, data, BENDS, lambda: spreads).damped(0.0, 0.0)
    g = gradient(data)
    step = metric.solve(g)
    assert step[1] == pytest.approx(g[1] / (0.25 * BENDS.sum() / N))
    assert step[3] == 0.0
    if cls is MatrixSums:
        kept = [0, 2, 4, 5]
        np.testing.assert_allclose(step[kept], np.linalg.solve(explicit(data)[np.ix_(kept, kept)], g[kept]), rtol=1e-9)


@pytest.mark.parametrize("constant", [7.0, 0.1, 1e5 / 3, 1e-7 / 3])
def test_constant_raw_columns_do_not_take_the_constants_place(constant):
    data, classes = data_of(np.column_stack([X, np.full(N, constant)])), 3
    metric = made(MatrixSums, data, BENDS, lambda: np.zeros(D + 1)).damped(0.0, 0.0)
    g = gradient(data)
    g[D] = constant * g[-1]
    step = metric.solve(g)
    np.testing.assert_array_equal(metric.factor.dependent, [False] * D + [True, False])
    alone = made(MatrixSums, data_of(X)).damped(0.0, 0.0).solve(np.delete(g, D))
    np.testing.assert_allclose(np.delete(step, D), alone, rtol=1e-9)
    assert metric.missed(g) == 0.0
    data = data_of(np.column_stack([X, np.full(N, constant)])[:60], classes=classes)
    lanes = lanes_of(data, losses.Multinomial(), classes)
    lanes.weights[:, D] = 0.0  # scores stay small
    metric = AllSums(data, losses.Multinomial(), lanes, lambda: np.zeros(D + 1), COMPILED, 1).damped(0.0, 0.0)
    np.testing.assert_array_equal(metric.factor.dependent.reshape(classes, -1)[:, D], True)
    assert not np.delete(metric.factor.dependent.reshape(classes, -1), D, axis=1).any()


@pytest.mark.parametrize("cls", [MatrixSums, ArrowSums])
def test_squares_that_overflow_ask_for_variances(cls):
    big = X.copy()
    big[3, 2] = 1e200

    def raised():
        raise ValueError("overflow")

    with pytest.raises(ValueError, match="overflow"), np.errstate(all="ignore"):
        made(cls, data_of(big), BENDS, raised)


@pytest.mark.parametrize("cls", [MatrixSums, ArrowSums])
def test_without_any_second_derivative_there_is_no_step(cls):
    data = data_of(X)
    sums = made(cls, data, np.zeros(N), lambda: np.ones(D))
    metric = sums.damped(0.0, 0.0)
    np.testing.assert_array_equal(metric.solve(gradient(data)), 0.0)
    assert metric.distance(np.ones(D + 1)) == 0.0
    assert sums.damped(0.0, DAMPINGS[-1]) is Unit


def test_the_last_damping_is_a_step_of_length_one():
    g = RNG.standard_normal(D + 1)
    np.testing.assert_allclose(Unit.solve(g), g / np.linalg.norm(g))
    np.testing.assert_array_equal(Unit.solve(np.zeros(D)), 0.0)
    np.testing.assert_allclose(Unit.solve(1e-200 * g), g / np.linalg.norm(g))
    assert Unit.distance(g) == np.inf
    assert Unit.missed(g) == 0.0


def test_many_columns_have_an_arrow(monkeypatch):
    assert metrics.kind_of(data_of(X)) is metrics.kind_of(data_of(SPARSE, sparse=True)) is MatrixSums
    monkeypatch.setattr(metrics, "MOST_COLUMNS", D)
    monkeypatch.setattr(metrics, "MOST_SPARSE_COLUMNS", D)
    assert metrics.kind_of(data_of(X)) is metrics.kind_of(data_of(SPARSE, sparse=True)) is ArrowSums


def test_a_matrix_in_place_of_an_arrow_is_not_too_large(monkeypatch):
    data = data_of(X)
    assert not metrics.may_be_matrix(data, 1), "it is one anyway"
    monkeypatch.setattr(metrics, "MOST_COLUMNS", D)
    assert metrics.may_be_matrix(data, 1)
    monkeypatch.setattr(metrics, "LARGEST_MATRIX", D)  # with the constant it has D + 1 columns
    assert not metrics.may_be_matrix(data, 1)
    monkeypatch.setattr(metrics, "LARGEST_MATRIX", D + 1)
    monkeypatch.setattr(metrics, "TOGETHER_BYTES", 2 * 3 * 8 * (D + 1) ** 2)  # of three models, with their factors
    assert metrics.may_be_matrix(data, 3)
    assert not metrics.may_be_matrix(data, 4)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_matrix_costs_its_products_and_its_factor(sparse):
    """In passes: twice the products of twice the rows; passes over three classes are three times as long."""
    few, classes = data_of(SPARSE, sparse), data_of(SPARSE, sparse, classes=3)
    factor, half, whole = (metrics.matrix_cost(few, rows) for rows in (0, N // 2, N))
    assert 0 < factor < half < whole
    assert whole - half == pytest.approx(half - factor)
    assert metrics.matrix_cost(classes, N) == pytest.approx(whole / 3)


# Arrows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constant", [1.0, 0.0])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("l2", "share"), [(0.0, 0.0), (0.5, 0.0), (0.3, 1e3)])
def test_an_arrow_is_the_matrix_of_columns_independent_once_centred(sparse, constant, l2, share):
    data = data_of(SPARSE if sparse else X + 1.5, sparse, constant, scale=[1.0, 2.0, 0.5, 1.0, 3.0])
    metric, g = made(ArrowSums, data).damped(l2, share), gradient(data)
    Z = standardised(data)
    mean = BENDS @ Z / BENDS.sum() * constant
    J = np.eye(D + 1)
    J[-1, :-1] = -mean[:-1]
    H = np.diag(np.diag(J.T @ explicit(data) @ J) + np.array([l2] * D + [0.0]))
    H[:-1] *= 1.0 + share
    np.testing.assert_allclose(metric.solve(g), J @ solved(H, J.T @ g, constant), rtol=1e-9)
    move = gradient(data)
    plain = np.diag(J.T @ explicit(data) @ J)
    centred = np.linalg.solve(J, move)
    assert metric.distance(move) == pytest.approx(np.sqrt(centred**2 @ plain / (BENDS.sum() / N)), rel=1e-9)
    assert metric.scaled and metric.keeps
    assert metric.missed(g) == 0.0
    along = move @ (explicit(data) + np.diag([l2] * D + [0.0])) @ move  # of all columns together, without damping
    assert metric.reach(move, -2.0) == pytest.approx(2.0 / along, rel=1e-9)


def test_of_few_rows_an_even_diagonal_is_one_number():
    rows = np.random.default_rng(6).standard_normal((30, 50))
    bends = np.ones(30)
    even, uneven = (made(ArrowSums, data_of(rows, scale=scale), bends) for scale in (np.ones(50), [9.0] + [1.0] * 49))
    np.testing.assert_allclose(even.diagonal, rows.var(axis=0).mean(), rtol=1e-6)
    assert np.unique(uneven.diagonal).size == 50
    assert np.unique(made(ArrowSums, data_of(X)).diagonal).size > 1  # of many rows it is as it was


def test_weights_of_rows_are_in_the_second_derivatives():
    weight = RNG.integers(0, 3, N).astype(float)
    data = data_of(X, weight=weight)
    lanes = lanes_of(data, losses.SquaredError(), 1)
    bends = COMPILED.second_derivatives(data, losses.SquaredError(), lanes, 1)
    np.testing.assert_allclose(bends, weight)
    metric, g = made(MatrixSums, data, bends).damped(0.0, 0.0), gradient(data)
    np.testing.assert_allclose(metric.solve(g), np.linalg.solve(explicit(data, weight), g), rtol=1e-9)


# Several classes ----------------------------------------------------------------------------------------------------


def lanes_of(data, loss, classes, seed=3, size=1.0):
    """The lanes of a model at random weights."""
    ends = np.zeros(data.shift.size)
    part = {"loss": loss, "optimizer": None, "penalty": Free(), "coef": None, "fold": -1, "replicate": -1}
    lanes = make_lanes([SimpleNamespace(**part, low=ends, high=ends, start=np.zeros(classes))], data.shift.dtype)
    lanes.weights[:] = size * np.random.default_rng(seed).standard_normal(lanes.weights.shape)
    return lanes


def slopes(data, W):
    """The gradient of the mean loss of classes at weights (classes, d + 1)."""
    Z, y = standardised(data), data.targets[0].astype(int)
    weight = data.weight if data.weight.size else np.ones(len(Z))
    return ((softmax(Z @ W.T, axis=1) - np.eye(len(W))[y]) * weight[:, None]).T @ Z / data.count


def differences(data, W, h=1e-5):
    """The second derivatives in all weights by central differences of the gradient."""
    H = np.empty((W.size, W.size))
    for k in range(W.size):
        move = np.zeros(W.size)
        move[k] = h
        move = move.reshape(W.shape)
        H[k] = ((slopes(data, W + move) - slopes(data, W - move)) / (2 * h)).reshape(-1)
    return H


@pytest.mark.parametrize("constant", [1.0, 0.0])
@pytest.mark.parametrize("l2", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_all_weights_of_classes_have_the_matrix_of_differences(constant, l2, weighted):
    weight = RNG.integers(0, 3, 60).astype(float) if weighted else ()
    data = data_of(X[:60] + 0.5, constant=constant, classes=CLASSES, weight=weight)
    loss = losses.Multinomial()
    lanes = lanes_of(data, loss, CLASSES)
    assert joint_metrics.suits_all(data)
    sums = AllSums(data, loss, lanes, unknown, COMPILED, 1)
    metric, W = sums.damped(l2, 0.0), lanes.weights
    H = differences(data, W) + np.diag(np.tile([l2] * D + [0.0], CLASSES))
    g = slopes(data, W) + l2 * W * ([1.0] * D + [0.0])
    step = metric.solve(g.reshape(-1))
    np.testing.assert_allclose(H @ step, g.reshape(-1), atol=1e-6 * np.abs(g).max())
    # What moves all classes alike changes no loss.
    alike = step.reshape(CLASSES, -1).sum(axis=0)
    centre = data.rows.values.mean(axis=0) * constant
    np.testing.assert_allclose(alike[-1] + alike[:-1] @ centre, 0.0, atol=1e-8 * np.abs(step).max())
    move = RNG.standard_normal(W.shape)
    move[:, -1] *= constant
    Z = standardised(data)
    share = softmax(Z @ W.T, axis=1)
    rows = np.ones(60) if not weighted else data.weight
    total = (rows[:, None] * share * (1 - share)).sum() / data.count
    if constant:
        expected = np.sqrt(move.reshape(-1) @ differences(data, W) @ move.reshape(-1) / total)
        assert metric.distance(move.reshape(-1)) == pytest.approx(expected, rel=1e-5)
    assert metric.missed(g.reshape(-1)) == 0.0
    assert not metric.scaled
    assert not metric.keeps


def test_columns_of_classes_that_depend_on_others_are_left_out():
    data = data_of(np.column_stack([X[:60], X[:60, 0]]), classes=CLASSES)
    loss = losses.Multinomial()
    lanes = lanes_of(data, loss, CLASSES)
    metric = AllSums(data, loss, lanes, unknown, COMPILED, 1).damped(0.0, 0.0)
    g = slopes(data, lanes.weights).reshape(-1)
    step = metric.solve(g)
    np.testing.assert_allclose(step.reshape(CLASSES, -1)[:, D], 0.0, atol=1e-10 * np.abs(step).max())
    np.testing.assert_allclose(differences(data, lanes.weights) @ step, g, atol=1e-6 * np.abs(g).max())
    assert metric.missed(g + np.eye(1, g.size, D)[0]) > 0.0


@pytest.mark.parametrize("sparse", [False, True])
def test_a_shared_matrix_is_the_mean_of_the_classes_own(sparse):
    """Of all of them the mean, times K / (K - 1), and a tenth of it for each row."""
    data = data_of(SPARSE if sparse else X + 0.5, sparse, classes=CLASSES)
    loss = losses.Multinomial()
    lanes = lanes_of(data, loss, CLASSES, size=0.5)
    bends = COMPILED.second_derivatives(data, loss, lanes, 1)
    metric = SharedSums(data, bends, unknown, COMPILED, 1, kind_of(data)).damped(0.1, 0.0)
    share = softmax(standardised(data) @ lanes.weights.T, axis=1)
    own = (share * (1 - share)).mean(axis=1) * CLASSES / (CLASSES - 1)
    H = explicit(data, own + own.mean() / 10) + np.diag([0.1] * D + [0.0])
    g = RNG.standard_normal((CLASSES, D + 1))
    np.testing.assert_allclose(metric.solve(g.reshape(-1)), np.linalg.solve(H, g.T).T.reshape(-1), rtol=1e-8)
    assert metric.scaled
    assert metric.keeps
    of_two = metric.distance(np.concatenate([g[0], g[1], 0 * g[2]]))
    assert of_two == pytest.approx(np.hypot(metric.metric.distance(g[0]), metric.metric.distance(g[1])))
    assert SharedSums(data, bends, unknown, COMPILED, 1, kind_of(data)).damped(0.1, np.inf) is Unit


def test_of_two_classes_a_shared_matrix_is_about_their_own():
    """Along moves that change the difference of the scores, but for the tenth that is added."""
    data = data_of(X[:60], classes=2)
    loss = losses.Multinomial()
    lanes = lanes_of(data, loss, 2, size=0.0)
    bends = COMPILED.second_derivatives(data, loss, lanes, 1)
    shared = SharedSums(data, bends, unknown, COMPILED, 1, kind_of(data)).damped(0.0, 0.0)
    whole = AllSums(data, loss, lanes, unknown, COMPILED, 1).damped(0.0, 0.0)
    g = slopes(data, lanes.weights).reshape(-1)
    np.testing.assert_allclose(1.1 * shared.solve(g), whole.solve(g), rtol=1e-8)


@pytest.mark.skipif(JIT_OFF, reason="slow in plain Python")
def test_a_fit_takes_newtons_steps_on_all_weights():
    y = np.random.default_rng(0).integers(0, 3, 60)
    r = fastgd.fit(X[:60], y, loss="multinomial")
    assert r.status == "converged"
    assert r.n_epochs <= 8
