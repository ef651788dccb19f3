"""Single rows of dense data: the vector code of a step against NumPy's, and steps cut into several calls."""

import itertools

import numba
import numpy as np
import pytest
from conftest import slow_to_compile

import fastgd
from fastgd.kernels import row_loop, row_step
from fastgd.kernels.lanes import NO_ROLES, Data, Lanes, Parts
from fastgd.kernels.layouts import Dense, frozen
from fastgd.kernels.rows import Scaled
from fastgd.parts.losses import SquaredError
from fastgd.parts.optimizers import Sgd, Sgdw
from fastgd.parts.optimizers.sgd import PassiveAggressive1
from fastgd.parts.penalties import Free

TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
WIDTHS = pytest.mark.parametrize("d", [1, 7, 16, 50, 129])
N = 23


@numba.njit
def compiled_step(rows, now, following, later, soon, decay, change, weights):
    return row_step.row_step(rows, now, following, later, soon, decay, change, weights)


def made_rows(d, dtype, scaled, shift=0):
    """Rows whose numbers lie ``shift`` of them behind where NumPy puts an array."""
    rng = np.random.default_rng(d)
    X = np.empty(N * d + shift, dtype)[shift:].reshape(N, d)
    X[:] = rng.standard_normal((N, d))
    if not scaled:
        return Dense(frozen(X))
    return Scaled(frozen(X), rng.standard_normal(d).astype(dtype), rng.uniform(0.5, 2.0, d).astype(dtype))


def table(rows):
    """The rows as they are read, float64."""
    X = rows.values.astype(np.float64)
    return (X - rows.shift) * rows.inverse_scale if isinstance(rows, Scaled) else X


@TYPES
@WIDTHS
@pytest.mark.parametrize("scaled", [False, True])
def test_a_step_and_its_products(d, dtype, scaled):
    rows = made_rows(d, dtype, scaled)
    Z, size = table(rows), row_step.padded_size(d, np.dtype(dtype))
    weights = np.zeros(size, dtype)
    weights[: d + 1] = np.random.default_rng(0).standard_normal(d + 1)
    expected = weights[:d] + 0.25 * Z[3] - 0.125 * weights[:d]
    found = compiled_step(rows, 3, N - 1, 5, 0, dtype(0.125), dtype(0.25), weights)
    tolerance = 1e-13 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(weights[:d], expected, tolerance, tolerance)
    np.testing.assert_allclose(found, [expected @ Z[5], Z[N - 1] @ Z[5]], tolerance, d * tolerance)
    assert d < size < d + 17


def made_problem(rows, optimizer, weighted):
    """Data and a lane."""
    d, dtype = rows.values.shape[1], rows.values.dtype
    rng = np.random.default_rng(1)
    y = rng.standard_normal((1, N)).astype(dtype)
    weight, offset = (rng.uniform(0.5, 2.0, (2, N)) if weighted else np.empty((2, 0))).astype(dtype)
    data = Data(
        rows, y, weight, offset, np.zeros(d, dtype), np.ones(d, dtype), constant=1.0, count=float(N), roles=NO_ROLES,
        seed=0, classes=1, factors=np.empty(0, dtype),
    )  # fmt: skip
    lanes = Lanes(
        target=np.zeros(1, np.int64), fold=np.full(1, -1), replicate=np.full(1, -1), scale=np.ones(1),
        loss=np.array([list(SquaredError())]), optimizer=np.array([list(optimizer)]),
        penalty=np.array([list(Free())], dtype), low=np.full((1, d), -np.inf, dtype),
        high=np.full((1, d), np.inf, dtype), weights=np.linspace(-1.0, 1.0, d + 1, dtype=dtype)[None].copy(),
        slots=np.zeros((1, 0, d + 1), dtype), carry=np.ones((1, 2)), averages=np.zeros((1, 0)),
        begin=np.ones(1, np.int64),
    )  # fmt: skip
    return data, Parts(SquaredError(), optimizer, Free()), lanes


def run(rows, optimizer, weighted=False, cuts=(), early=True):
    """The weights and the loss sum after two turns through the rows, in calls that end at the cuts."""
    data, parts, lanes = made_problem(rows, optimizer, weighted)
    order = np.tile(np.random.default_rng(2).permutation(N), 2)
    rates, losses, score = np.linspace(0.02, 0.01, 2 * N)[:, None], np.zeros(1), np.full(1, np.nan)
    for first, last in itertools.pairwise([0, *cuts, 2 * N]):
        path = order[first : last + 1], order[first:last], rates[first:last]
        row_loop.row_steps(data, rows, parts, lanes, *path, first + 1, losses, early, score)
        assert np.isnan(score[0]) == (not early or last == 2 * N)
    assert (lanes.carry == 1).all()
    return lanes.weights[0], losses[0]


def by_hand(rows, optimizer, weighted):
    """The same in NumPy, one row after another."""
    data, _, lanes = made_problem(rows, optimizer, weighted)
    Z, w, total = np.column_stack([table(rows), np.ones(N)]), lanes.weights[0].astype(np.float64), 0.0
    order, rates = np.tile(np.random.default_rng(2).permutation(N), 2), np.linspace(0.02, 0.01, 2 * N)
    for k, i in enumerate(order):
        c, _ = optimizer.prepare(rates[k], k + 1, (1.0, 1.0))
        p, y = Z[i] @ w + (data.offset[i] if weighted else 0.0), float(data.targets[0, i])
        value, slope = 0.5 * (p - y) ** 2, p - y
        if optimizer.by_row:
            slope = optimizer.row_slope(rates[k], slope, value, Z[i, :-1] @ Z[i, :-1])
        share = data.weight[i] if weighted else 1.0
        total += value if optimizer.by_row else share * value
        if optimizer.decays:
            w[:-1] -= c[-1] * w[:-1]
        w -= c[0] * share * slope * Z[i]
    return w, total


@slow_to_compile
@TYPES
@WIDTHS
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(
    "optimizer", [Sgd(0.5), Sgdw(0.3), PassiveAggressive1(0.1)], ids=lambda one: type(one).__name__
)
def test_steps(d, dtype, scaled, optimizer):
    rows = made_rows(d, dtype, scaled)
    tolerance = 1e-10 if dtype == np.float64 else 2e-4
    for weighted, early in itertools.product((False, True), repeat=2):
        weights, loss_sum = run(rows, optimizer, weighted, early=early)
        expected, expected_sum = by_hand(rows, optimizer, weighted)
        np.testing.assert_allclose(weights, expected, 0, tolerance * np.abs(expected).max())
        assert loss_sum == pytest.approx(expected_sum, rel=tolerance)


@TYPES
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_of_several_calls_have_the_bits_of_one(dtype, weighted):
    rows = made_rows(50, dtype, False)
    weights, loss_sum = run(rows, Sgdw(0.3), weighted)
    for cuts in ([1], [2], [45], [1, 2, 3, 17, 40]):
        again, again_sum = run(rows, Sgdw(0.3), weighted, cuts)
        np.testing.assert_array_equal(again, weights)
        assert again_sum == loss_sum


@pytest.mark.parametrize("d", [7, 50, 129])
def test_bits_do_not_depend_on_where_arrays_lie(d):
    found = [run(made_rows(d, np.float32, False, shift), Sgd()) for shift in range(17)]
    for weights, loss_sum in found[1:]:
        np.testing.assert_array_equal(weights, found[0][0])
        assert loss_sum == found[0][1]


@TYPES
def test_rows_whose_product_overflows_and_that_change_nothing(dtype):
    """Fill values in rows of weight 0: their scores are finite, and their steps 0."""
    rng = np.random.default_rng(0)
    X, y, weight = rng.standard_normal((60, 5)).astype(dtype), rng.standard_normal(60), np.repeat([1.0, 0.0], 30)
    options = {"loss": "huber", "batch_size": 1, "learning_rate": 0.01, "epochs": 2, "random_state": 0}
    options |= {"standardize": False, "shuffle": "full", "sample_weight": weight}
    expected = fastgd.fit(X, y, **options)
    X[30:] = 2 * np.sqrt(np.finfo(dtype).max)
    found = fastgd.fit(X, y, **options)
    assert found.status == expected.status == "max_epochs"
    np.testing.assert_allclose(found.coef, expected.coef, 1e-5)
