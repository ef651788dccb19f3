"""Many lanes at once: each is what its model would be alone, whatever lies beside it."""

import math
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from conftest import slow_to_compile
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from fastgd import losses, optimizers
from fastgd.kernels import block_loop, full_batch, order, row_loop
from fastgd.kernels.lanes import NO_ROLES, Data, Parts, make_lanes
from fastgd.kernels.layouts import frozen
from fastgd.kernels.row_weights import CUMULATIVE, count
from fastgd.kernels.rows import CSR, Dense, Scaled
from fastgd.kernels.tiles import CHANGED, pack, places, unpack
from fastgd.parts import penalties
from fastgd.parts.losses import of_rows
from fastgd.solvers import gram
from fastgd.solvers.multi_lane import steps
from fastgd.solvers.multi_lane_passes import ManyPasses
from fastgd.solvers.textbook import GOLDEN, MASK, mix, stream

N, D = 331, 7
FREE, NET = penalties.Free(), penalties.ElasticNet(0.01, 0.02)


def made_data(dtype=np.float64, loss=None, weighted=False, targets=1, roles=NO_ROLES, seed=5, classes=1, n=N, d=D):
    """Rows on uneven scales, standardised as they are read."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, d)) * np.geomspace(0.1, 10, d) + np.arange(d)
    y = np.array([X @ rng.standard_normal(d) / d + 0.3 * rng.standard_normal(n) for _ in range(targets)])
    if classes > 1:
        y = np.argsort(np.argsort(y, axis=1), axis=1) * classes // n
    elif loss is not None and loss.labels:
        y = y > 0
    elif loss is not None and loss.domain:
        y = np.exp(y / 10)
    weight = rng.integers(1, 4, n).astype(float) if weighted else np.empty(0)
    weight = weight / weight.mean() if weighted else weight
    parts = (X, y, weight, X.mean(axis=0), 1 / X.std(axis=0))
    X, y, weight, shift, scale = (np.array(a, dtype, order="C") for a in parts)
    # As a plan has them: arrays that may be written to are another type, compiled anew.
    X, y, weight = map(frozen, (X, y, weight))
    none = frozen(np.empty(0, dtype))
    return Data(Dense(X), y, weight, none, shift, scale, 1.0, float(n), roles, seed, classes, none)


def fresh_lanes(parts, count, data, low, average=None):
    """Lanes as a plan of so many models has them; ``low`` is their lower bound."""
    bounds = {"low": np.full(data.shift.size, low), "high": np.full(data.shift.size, np.inf)}
    model = SimpleNamespace(**parts._asdict(), **bounds, start=np.zeros(1), coef=None, fold=-1, replicate=-1)
    return make_lanes([model] * count, data.shift.dtype, average)


def made_lanes(parts, count, data, average=None):
    """Lanes that differ in their penalty and where they begin."""
    d = data.shift.size
    lanes = fresh_lanes(parts, count, data, -0.5, average)
    rng = np.random.default_rng(1)
    lanes.weights[:] = 0.1 * rng.standard_normal(lanes.weights.shape)
    lanes.weights[:, :d] = np.maximum(lanes.weights[:, :d], lanes.low)
    lanes.penalty[:] *= rng.uniform(0.5, 1.5, (count, 1))
    lanes.penalty[:, 2:] = 1.0
    return lanes


def picked(lanes, which):
    """Some of the lanes; a copy."""
    return type(lanes)(*(array[which].copy() for array in lanes))


def rates_for(lanes, count):
    """A rate for each step and lane."""
    every = np.geomspace(0.002, 0.05, len(lanes.weights))
    return np.linspace(1.0, 0.5, count)[:, None] * every


def run(data, parts, lanes, batch, rates=None, epochs=2, threads=1):
    """Epochs in batches, or full ones (None), all lanes at once; returns the losses met, or the objectives."""
    n = data.targets.shape[1]
    if batch is None:
        rates = rates_for(lanes, epochs) if rates is None else rates
        passes = ManyPasses(data, threads)
        rates = np.ascontiguousarray(rates)
        return np.array([passes.step(parts, lanes, rates[k : k + 1], k + 1)[0][0] for k in range(epochs)])
    loss_sum, per_epoch = np.zeros(len(lanes.weights)), -(-n // batch)
    rates = rates_for(lanes, epochs * per_epoch) if rates is None else rates
    for epoch in range(epochs):
        rows, ahead = drawn(n, batch, epoch)
        now = np.ascontiguousarray(rates[epoch * per_epoch : (epoch + 1) * per_epoch])
        steps(data, parts, lanes, rows, ahead, batch, now, 1 + epoch * per_epoch, loss_sum, threads)
    return loss_sum


def drawn(n, batch, epoch):
    blocks, (rows, ahead) = np.empty(-(-n // order.BLOCK_ROWS), np.uint32), np.empty((2, n), np.int64)
    with np.errstate(all="ignore"):
        order.permutation(1, epoch, blocks)
        order.fill(order.BLOCK, 1, epoch, n, batch, blocks, 0, rows, ahead)
    return rows, ahead


def run_alone(data, parts, lanes, k, batch, epochs=2):
    """The same for lane k by itself, with the kernels of single fits."""
    n, rates = (
        data.targets.shape[1],
        rates_for(lanes, epochs * (1 if batch is None else -(-data.targets.shape[1] // batch))),
    )
    rates = np.ascontiguousarray(rates[:, k : k + 1])
    lane, loss_sum = picked(lanes, [k]), np.zeros(1)
    if batch is None:
        sums, out, objective, norm = np.empty((1, 1, D + 1)), np.empty((1, 1)), *np.empty((2, epochs, 1))
        full_batch.small_steps(data, parts, lane, rates, 1, sums, out, objective, norm)
        return lane, objective[:, 0]
    per_epoch = -(-n // batch)
    read = Scaled(data.rows.values, data.shift, data.inverse_scale)
    for epoch in range(epochs):
        rows, ahead = drawn(n, batch, epoch)
        now, t = np.ascontiguousarray(rates[epoch * per_epoch : (epoch + 1) * per_epoch]), 1 + epoch * per_epoch
        if batch == 1:
            row_loop.row_steps(data, read, parts, lane, rows, ahead, now, t, loss_sum)
        else:
            block_loop.batch_steps(data, parts, lane, rows, ahead, batch, now, t, loss_sum)
    return lane, loss_sum[0]


def agree(lanes, k, lane, rtol=1e-8):
    """Lane k of many is the one lane."""
    for name in CHANGED:
        many, one = getattr(lanes, name)[k], getattr(lane, name)[0]
        np.testing.assert_allclose(
            many, one, rtol=rtol, atol=rtol * max(1e-30, np.abs(one).max(initial=0)), err_msg=name
        )


# Tiles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lanes", "classes", "dtype", "tiles", "width"),
    [
        (1, 1, "f8", 1, 8),
        (32, 1, "f8", 1, 32),
        (36, 1, "f8", 2, 24),
        (36, 1, "f4", 2, 32),
        (320, 1, "f4", 10, 32),
        (12, 3, "f8", 1, 16),
        (33, 3, "f8", 2, 24),
        (200, 100, "f8", 2, 104),
    ],
)
def test_lanes_are_shared_out_evenly_among_tiles_of_whole_models(lanes, classes, dtype, tiles, width):
    at, size = places(lanes, classes, dtype)
    assert at.shape == (tiles, width)
    assert size.sum() == lanes and (size % classes == 0).all()
    np.testing.assert_array_equal(np.concatenate([row[:k] for row, k in zip(at, size, strict=True)]), np.arange(lanes))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_unpack_undoes_pack(dtype):
    data = made_data(dtype)
    lanes = made_lanes(Parts(losses.Huber(), optimizers.Rmsprop(), NET), 37, data, average=3)
    rng = np.random.default_rng(0)
    for name in CHANGED:
        getattr(lanes, name)[...] = rng.standard_normal(getattr(lanes, name).shape)
    back = made_lanes(Parts(losses.Huber(), optimizers.Rmsprop(), NET), 37, data, average=3)
    unpack(pack(lanes), back)
    for name in CHANGED:
        np.testing.assert_array_equal(getattr(back, name), getattr(lanes, name))


# Each lane is its model alone ---------------------------------------------------------------------------------------

# Combinations that other tests need too, where there is one: each costs seconds to compile. Sweeps of every loss and
# every optimizer run where nothing is compiled (test_sweep.py).
CASES = [  # loss, optimizer, penalty, batch, weighted, average
    (losses.SquaredError(), optimizers.Sgd(), FREE, 1, False, None),
    (losses.SquaredError(), optimizers.Momentum(), NET, 1, True, 5),
    (losses.SquaredError(), optimizers.Sgd(), NET, 7, True, None),
    (losses.Poisson(), optimizers.Sgd(), NET, 32, False, 2),
    (losses.SquaredError(), optimizers.Rmsprop(momentum=0.5, centred=1.0), NET, 300, True, None),
    (losses.SquaredError(), optimizers.Adamw(), NET, 300, False, None),
    (losses.LogLoss(), optimizers.Sgd(), FREE, 300, False, None),
    (losses.Huber(0.3), optimizers.Sgd(), FREE, None, True, None),
    (losses.SquaredError(), optimizers.Lion(), NET, None, False, 1),
]


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize(("loss", "optimizer", "penalty", "batch", "weighted", "average"), CASES)
def test_a_lane_is_what_it_would_be_alone(loss, optimizer, penalty, batch, weighted, average):
    parts = Parts(loss, optimizer, penalty)
    data = made_data(loss=loss, weighted=weighted, n=700 if batch == 300 else N)
    before = made_lanes(parts, 11, data, average)
    lanes = picked(before, slice(None))
    loss_sum = run(data, parts, lanes, batch)
    for k in (0, 4, 10):
        lane, alone = run_alone(data, parts, before, k, batch)
        agree(lanes, k, lane)
        np.testing.assert_allclose(loss_sum[..., k], alone, rtol=1e-8)


@slow_to_compile
@pytest.mark.parametrize("batch", [1, 16, None])
def test_steps_are_those_of_numpy(batch):
    parts = Parts(losses.SquaredError(), optimizers.Sgd(), FREE)
    data = made_data(weighted=True, n=40)
    lanes = made_lanes(parts, 3, data)
    Z = np.column_stack([(data.rows.values - data.shift) * data.inverse_scale, np.ones(40)])
    W, size = lanes.weights.copy(), 40 if batch is None else batch
    rates = rates_for(lanes, -(-40 // size))
    lanes.low[:] = -np.inf
    for k, first in enumerate(range(0, 40, size)):
        rows = np.arange(40) if batch is None else drawn(40, size, 0)[0][first : first + size]
        slope = (Z[rows] @ W.T - data.targets[0, rows, None]) * data.weight[rows, None]
        W = W - rates[k][:, None] * (slope.T @ Z[rows]) / len(rows)
    run(data, parts, lanes, batch, rates, epochs=1)
    np.testing.assert_allclose(lanes.weights, W, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("batch", [1, 32, None])
def test_neighbours_change_no_bit(dtype, batch):
    # Adam divides and takes roots: float32 vectors and numbers by themselves may do so otherwise.
    parts = Parts(losses.SquaredError(), optimizers.Adam(), FREE if dtype == "f4" else NET)
    data = made_data(dtype)
    before = made_lanes(parts, 37, data)
    rates = rates_for(before, 2 if batch is None else 2 * -(-N // batch))
    lanes = picked(before, slice(None))
    loss_sum = run(data, parts, lanes, batch, rates)
    mixed = np.random.default_rng(0).permutation(37)
    fewer = mixed[:5]
    for which in (mixed, fewer):
        others = picked(before, which)
        found = run(data, parts, others, batch, rates[:, which])
        np.testing.assert_array_equal(found, loss_sum[..., which])
        for name in CHANGED:
            np.testing.assert_array_equal(getattr(others, name), getattr(lanes, name)[which])


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("batch", [1, 32, None])
def test_a_lane_that_diverges_changes_no_other(batch):
    parts = Parts(losses.SquaredError(), optimizers.Sgd(), FREE)
    data = made_data()
    lanes, others = made_lanes(parts, 20, data), made_lanes(parts, 20, data)
    epochs = 2 if batch else 60
    rates = rates_for(lanes, epochs * (1 if batch is None else -(-N // batch)))
    fine = run(data, parts, others, batch, rates, epochs)
    rates[:, 6] = 1e200
    wild = run(data, parts, lanes, batch, rates, epochs)
    assert not np.isfinite(wild[..., 6]).all()
    kept = np.arange(20) != 6
    np.testing.assert_array_equal(wild[..., kept], fine[..., kept])
    np.testing.assert_array_equal(lanes.weights[kept], others.weights[kept])
    assert np.isfinite(lanes.weights[6]).all() == (batch is None)


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("count", [32, 70])
@pytest.mark.parametrize("batch", [1, 32, None])
def test_the_bits_do_not_depend_on_threads(batch, count):
    parts = Parts(losses.SquaredError(), optimizers.Adam(), NET)
    data = made_data(n=6000)
    found = []
    for threads in (1, 2, 3):
        lanes = made_lanes(parts, count, data)
        loss_sum = run(data, parts, lanes, batch, threads=threads)
        found.append((loss_sum, lanes.weights))
    for loss_sum, weights in found[1:]:
        np.testing.assert_array_equal(loss_sum, found[0][0])
        np.testing.assert_array_equal(weights, found[0][1])


@pytest.mark.jit
def test_steps_over_one_chunk_are_the_passes_steps():
    parts = Parts(losses.SquaredError(), optimizers.Adam(), NET)
    data = made_data()
    lanes, others = made_lanes(parts, 9, data), made_lanes(parts, 9, data)
    expected = run(data, parts, lanes, None, epochs=3)
    objective, _ = ManyPasses(data, 1).small_steps(parts, others, rates_for(others, 3), 1)
    np.testing.assert_array_equal(objective, expected)
    np.testing.assert_array_equal(others.weights, lanes.weights)


# Weights of rows ----------------------------------------------------------------------------------------------------


def folds(n, k=3):
    """A row for each fold: its own rows held out, and one row that no fold knows."""
    fold = np.arange(n) % k
    roles = np.where(fold == np.arange(k)[:, None], -1, 1).astype(np.int8)
    roles[:, -1] = 0
    return frozen(roles)


@pytest.mark.jit
def test_a_folds_lane_is_the_fit_of_its_rows():
    parts = Parts(losses.SquaredError(), optimizers.Adam(), NET)
    data = made_data(weighted=True, roles=folds(N))
    passes = ManyPasses(data, 1)
    lanes = made_lanes(parts, 6, data)
    lanes.fold[:] = np.arange(6) % 3
    before = picked(lanes, slice(None))
    lanes.scale[:] = N / passes.totals(lanes)
    rates = rates_for(lanes, 50)
    for k in range(50):
        passes.step(parts, lanes, rates[k : k + 1], k + 1)
    for k in range(6):
        rows = data.roles[k % 3] > 0
        weight = data.weight[rows] / data.weight[rows].mean()
        own = data._replace(
            rows=Dense(frozen(data.rows.values[rows])),
            targets=frozen(np.ascontiguousarray(data.targets[:, rows])),
            weight=frozen(weight),
            count=float(rows.sum()),
        )
        lane = picked(before, [k])
        lane.fold[:] = -1
        alone = ManyPasses(own, 1)
        for step in range(50):
            alone.step(parts, lane, rates[step : step + 1, k : k + 1], step + 1)
        np.testing.assert_allclose(lanes.weights[k], lane.weights[0], rtol=1e-10, atol=1e-12)


def python_count(seed, replicate, i):
    """The replicate's count of row i, written anew."""
    key = stream(seed, replicate, 1 << 40)
    uniform = mix((key + (i + 1) * GOLDEN) & MASK) >> 11
    k, below = 0, math.exp(-1)
    while uniform >= math.floor(below * 2**53):
        k += 1
        below += math.exp(-1) / math.factorial(k)
    return k


def counts_of(data, replicates, n):
    """The kernels' counts (replicates, n)."""
    asked = numba.njit(lambda seed, r, i: count(seed, r, i))
    with np.errstate(all="ignore"):
        return np.array([[asked(data.seed, r, i) for i in range(n)] for r in replicates])


def test_replicates_counts_are_poisson():
    data = made_data()
    found = counts_of(data, range(40), 200)
    assert [[python_count(data.seed, r, i) for i in range(20)] for r in range(5)] == found[:5, :20].tolist()
    size = found.size
    assert abs(found.mean() - 1) < 4 / np.sqrt(size)
    assert abs(found.var() - 1) < 4 * np.sqrt(3 / size)
    share = np.bincount(found.ravel(), minlength=4)[:4] / size
    np.testing.assert_allclose(share, np.exp(-1) / np.array([1, 1, 2, 6]), atol=4 * 0.5 / np.sqrt(size))
    centred = found - 1.0
    for pairs in (centred[1:] * centred[:-1], centred[:, 1:] * centred[:, :-1]):
        assert abs(pairs.mean()) < 4 / np.sqrt(pairs.size)
    assert CUMULATIVE[-1] == 2**53 and (np.diff(CUMULATIVE) >= 0).all()


@pytest.mark.parametrize("held", [True, False])
def test_losses_are_those_of_numpy(held):
    data = made_data(weighted=True, roles=folds(N), targets=2)
    parts = Parts(losses.SquaredError(), optimizers.Sgd(), FREE)
    lanes = made_lanes(parts, 9, data)
    lanes.fold[:] = [-1, 0, 0, 1, 2, 2, 2, 0, -1]
    lanes.replicate[:] = [-1, -1, 3, 3, 3, -1, 0, 0, 2]
    lanes.target[:] = [0, 0, 1, 1, 0, 0, 0, 1, 1]
    passes = ManyPasses(data, 1)
    totals = passes.totals(lanes)
    lanes.scale[:] = N / totals
    Z = np.column_stack([(data.rows.values - data.shift) * data.inverse_scale, np.ones(N)])
    for k in range(9):
        y, roles = data.targets[lanes.target[k]], data.roles[lanes.fold[k]] if lanes.fold[k] >= 0 else np.ones(N)
        times = [count_in_python(data, lanes.replicate[k], i) for i in range(N)]
        train = data.weight * np.maximum(roles, 0) * times
        loss = 0.5 * (Z @ lanes.weights[k] - y) ** 2
        np.testing.assert_allclose(totals[k], train.sum(), rtol=1e-12)
        if held and lanes.fold[k] >= 0:
            weight = data.weight * (roles < 0)
            expected = (weight * loss).sum() / weight.sum()
            np.testing.assert_allclose(passes.held_loss(parts.loss, lanes)[k], expected, rtol=1e-12)
        elif not held:
            expected = (train * loss).sum() / train.sum()
            np.testing.assert_allclose(passes.loss(parts.loss, lanes)[k], expected, rtol=1e-12)


def test_weights_of_one_tile_are_not_those_of_the_next():
    data = made_data(roles=folds(N))
    parts = Parts(losses.SquaredError(), optimizers.Sgd(), FREE)
    lanes = made_lanes(parts, 40, data)
    expected = ManyPasses(data, 1).loss(parts.loss, lanes)
    lanes.fold[:3] = 1
    found = ManyPasses(data, 1).loss(parts.loss, lanes)
    np.testing.assert_array_equal(found[3:], expected[3:])
    assert (found[:3] < expected[:3]).all()


def count_in_python(data, replicate, i):
    return 1 if replicate < 0 else python_count(data.seed, int(replicate), i)


# Several classes ----------------------------------------------------------------------------------------------------


def test_the_multinomial_slope_is_the_derivative():
    rng, loss = np.random.default_rng(0), losses.Multinomial(2.0)
    p, y, h = rng.standard_normal((50, 4)), rng.integers(0, 4, 50), 1e-6
    values, slopes = of_rows(loss, p, y)
    np.testing.assert_allclose(values, 2 * (logsumexp(p, axis=1) - p[np.arange(50), y]), rtol=1e-12)
    for k in range(4):
        step = h * (np.arange(4) == k)
        expected = (of_rows(loss, p + step, y)[0] - of_rows(loss, p - step, y)[0]) / (2 * h)
        np.testing.assert_allclose(slopes[:, k], expected, atol=1e-8)
    far = np.array([[1e300, -1e300, 0.0], [-1e5, 1e5, 1e5]])
    assert all(np.isfinite(found).all() for found in of_rows(loss, far, np.array([1, 2])))


def test_the_multinomial_curvature_is_a_bound():
    rng = np.random.default_rng(0)
    for p in (np.zeros(2), np.array([0.0, 0.0, -50.0]), *rng.standard_normal((20, 5))):
        share = np.exp(p - logsumexp(p))
        largest = np.linalg.eigvalsh(np.diag(share) - np.outer(share, share)).max()
        assert largest <= losses.Multinomial().curvature + 1e-12
    share = np.full(2, 0.5)
    assert np.linalg.eigvalsh(np.diag(share) - np.outer(share, share)).max() == pytest.approx(0.5)


@pytest.mark.jit
def test_multinomial_lanes_reach_the_optimum():
    classes, parts = 3, Parts(losses.Multinomial(), optimizers.Momentum(), penalties.ElasticNet(0.0, 0.05))
    data = made_data(classes=classes)
    lanes = fresh_lanes(parts, 2 * classes, data, -np.inf)
    lanes.penalty[classes:, 1] = 0.5
    passes = ManyPasses(data, 1)
    objective, _ = passes.small_steps(parts, lanes, np.full((800, 2 * classes), 0.15), 1)
    totals = objective.reshape(800, 2, classes).sum(axis=2)
    assert (totals[-1] < totals[0]).all() and (np.abs(totals[-1] - totals[-2]) < 1e-12).all()
    Z = (data.rows.values - data.shift) * data.inverse_scale
    for model, l2 in enumerate((0.05, 0.5)):
        theirs = LogisticRegression(C=1 / (N * l2), tol=1e-10, max_iter=5000).fit(Z, data.targets[0].astype(int))
        own = lanes.weights[model * classes : (model + 1) * classes]
        np.testing.assert_allclose(own[:, :D], theirs.coef_, atol=1e-5)
        shift = own[:, D] - own[:, D].mean()
        np.testing.assert_allclose(shift, theirs.intercept_ - theirs.intercept_.mean(), atol=1e-4)


@pytest.mark.parametrize(("classes", "batch"), [(3, 1), (3, 16), (41, None)])
def test_multinomial_steps_are_those_of_numpy(classes, batch):
    parts = Parts(losses.Multinomial(), optimizers.Sgd(), FREE)
    data = made_data(classes=classes, weighted=True, n=45)
    lanes = made_lanes(parts, 2 * classes, data)
    lanes.low[:] = -np.inf
    Z = np.column_stack([(data.rows.values - data.shift) * data.inverse_scale, np.ones(45)])
    size = 45 if batch is None else batch
    W, y, rates = lanes.weights.copy(), data.targets[0].astype(int), rates_for(lanes, -(-45 // size))
    loss_sum = np.zeros(2)
    for k, first in enumerate(range(0, 45, size)):
        rows = np.arange(45) if batch is None else drawn(45, size, 0)[0][first : first + size]
        values, slope = of_rows(parts.loss, (Z[rows] @ W.T).reshape(-1, classes), np.repeat(y[rows], 2))
        loss_sum += (values.reshape(-1, 2) * data.weight[rows, None]).sum(axis=0)
        slope = slope.reshape(len(rows), -1) * data.weight[rows, None]
        W = W - rates[k][:, None] * (slope.T @ Z[rows]) / len(rows)
    found = run(data, parts, lanes, batch, rates, epochs=1)
    found = found[0] * 45 if batch is None else found
    np.testing.assert_allclose(lanes.weights, W, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.reshape(2, classes).sum(axis=1), loss_sum, rtol=1e-10)
    assert (found.reshape(2, classes)[:, 1:] == 0).all()


@pytest.mark.jit
def test_a_model_stays_whole_where_one_of_its_lanes_fails():
    parts = Parts(losses.Multinomial(), optimizers.Sgd(), FREE)
    data = made_data(classes=3)
    lanes = made_lanes(parts, 6, data)
    lanes.weights[1] = 1e308
    before = lanes.weights.copy()
    ManyPasses(data, 1).step(parts, lanes, np.full((1, 6), 0.1), 1)
    np.testing.assert_array_equal(lanes.weights[:3], before[:3])
    assert (lanes.weights[3:] != before[3:]).any(axis=1).all()


def test_chunks_of_products_are_powers_of_two_of_the_others():
    for n, d in ((10, 3), (10**6, 50), (10**8, 10), (10**5, 5000)):
        starts = np.broadcast_to(np.uint64(0), n + 1)
        for stored in (0, n, min(n * d, 10**9)):
            sparse = CSR(np.broadcast_to(0.0, stored), np.broadcast_to(np.uint32(0), stored), starts, d)
            for data in (Dense(np.broadcast_to(0.0, (n, d))), sparse):
                times, rest = divmod(gram.chunk_rows(data), full_batch.chunk_rows(data))
                assert rest == 0 and times.bit_count() == 1
                assert gram.chunk_rows(data) >= gram.CHUNK_ROWS[0]
