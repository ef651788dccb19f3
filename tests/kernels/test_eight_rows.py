"""Vector code of eight rows, and the kernels around it: what NumPy gives, and the same bits wherever numbers lie."""

from functools import cache

import numba
import numpy as np
import pytest
from conftest import JIT_OFF, slow_to_compile

from fastgd import losses, optimizers
from fastgd.kernels import block_loop, curvature, eight_rows, full_batch
from fastgd.kernels.lanes import NO_ROLES, Data, Lanes, Parts
from fastgd.kernels.layouts import Dense, frozen
from fastgd.parts import penalties

TYPE = pytest.mark.parametrize("dtype", [np.float64, np.float32])
D = [1, 2, 7, 8, 9, 15, 16, 17, 33, 50, 600]  # fewer than a vector, whole vectors, both; 4 kB and more
N = [1, 2, 7, 8, 9, 15, 16, 17, 100, 255, 257, 2003]
GIVEN = [(False, False, 1.0), (True, True, 0.0), (True, False, 1.0), (False, True, 1.0)]


def random(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def moved(array, by=1):
    """A copy that begins some numbers further on than an allocation does, with NaN on both sides."""
    room = np.full(array.size + 2 * by, np.nan, array.dtype)
    room[by:-by] = array.ravel()
    return room[by:-by].reshape(array.shape)


# The vector code ----------------------------------------------------------------------------------------------------


def against_numpy(emitted, plain, work, *arguments):
    """What vector code leaves in ``work`` is what NumPy does, and no number else is touched; returns it."""
    arguments = [work if argument is None else argument for argument in arguments]
    expected, before = work.copy(), work.copy()
    plain(*(expected if argument is work else argument for argument in arguments))

    compiled(emitted)(*arguments)
    np.testing.assert_array_equal(work[expected == before], before[expected == before])
    tolerance = 1e-12 if work.dtype == np.float64 else 2e-4
    np.testing.assert_allclose(work, expected, tolerance, tolerance)
    return work


@cache
def compiled(emitted):
    """The vector code as a function that Python can call."""

    def run(*arguments):
        emitted(*arguments)

    return numba.njit(run)


def scratch(d, dtype, numbers):
    """Weights, shift and zeros, padded, and random numbers behind them."""
    width = eight_rows.padded(d)
    work = np.zeros(3 * width + numbers, dtype)
    work[:d], work[width : width + d] = random((2, d), dtype, 1)
    work[3 * width :] = random(numbers, dtype, 2)
    return work, width


@TYPE
@pytest.mark.parametrize("d", [1, 8, 16, 50] if JIT_OFF else D)
def test_streams(d, dtype):
    X = moved(random((64, d), dtype))
    for groups, stride in ((1, 1), (1, 0), (3, 7), (8, 8)):
        found = []
        for place in (lambda x: x, moved):
            work, width = scratch(d, dtype, 8 * groups)
            arguments = place(X), 5 if groups == 3 else 0, 0, stride, groups, d, None, width
            found.append(against_numpy(eight_rows.add_and_score, eight_rows._add_and_score, work, *arguments))
        np.testing.assert_array_equal(*found)


@TYPE
def test_items_of_streams(dtype):
    y, work = moved(random(64, dtype)), np.zeros(30, dtype)
    against_numpy(eight_rows.gather, eight_rows._gather, work, y, 3, 7, 3, None, 2)


@TYPE
@pytest.mark.parametrize("d", [1, 8, 16, 50] if JIT_OFF else D)
def test_rows_by_order(d, dtype):
    X, order = moved(random((40, d), dtype)), np.random.default_rng(3).permutation(40)
    for first, last in ((0, 39), (32, 39), (36, 39), (39, 39)):
        work, width = scratch(d, dtype, 16)
        arguments = X, order, first, last, d, None, width, 3 * width + 8, order
        against_numpy(eight_rows.eight_scores, eight_rows._eight_scores, work, *arguments)
        against_numpy(eight_rows.add_eight, eight_rows._add_eight, work, *arguments)
        arguments = X.ravel(), 2, order // 2, first, last, None, 3 * width, order // 2
        against_numpy(eight_rows.pick_eight, eight_rows._pick_eight, work, *arguments)


# The kernels --------------------------------------------------------------------------------------------------------


def made(loss, n, d, dtype, weighted=False, offset=False, constant=1.0, place=lambda x: x):
    """Data of two classes and a lane."""
    rng, none = np.random.default_rng(n * d), np.empty(0, dtype)
    values = place(rng.standard_normal((n, d)).astype(dtype)), place((rng.random((1, n)) < 0.5).astype(dtype))
    weight, offsets = place(rng.random(n).astype(dtype)), place(rng.standard_normal(n).astype(dtype))
    shift, scale = rng.standard_normal(d).astype(dtype), rng.uniform(0.5, 1.5, d).astype(dtype)
    X, y = map(frozen, values)
    weight, offsets = frozen(weight) if weighted else none, frozen(offsets) if offset else none
    data = Data(Dense(X), y, weight, offsets, shift, scale, constant, float(n), NO_ROLES, 0, 1, none)
    one, bound = np.zeros(1, np.int64), np.full((1, d), np.inf, dtype)
    weights = (rng.standard_normal((1, d + 1)) / np.sqrt(d)).astype(dtype)
    settings = np.array([loss]), np.array([optimizers.Sgd()]), np.array([penalties.Free()], dtype)
    state = weights, np.zeros((1, 0, d + 1), dtype), np.ones((1, 2)), np.zeros((1, 0)), one + 1
    lanes = Lanes(one, one - 1, one - 1, np.ones(1), *settings, -bound, bound, *state)
    return data, lanes


def by_hand(data, loss, w, rows=slice(None)):
    """Losses, slopes and standardised rows, 1 or 0 behind them, in float64."""
    Z = (data.rows.values[rows].astype(float) - data.shift) * data.inverse_scale
    Z = np.column_stack([Z, np.full(len(Z), data.constant)])
    p, y = Z @ w + (data.offset[rows] if data.offset.size else 0.0), data.targets[0, rows].astype(float)
    weight = data.weight[rows].astype(float) if data.weight.size else 1.0
    return loss.value(p, y) * weight, loss.slope(p, y) * weight, Z


def chunk_sums(data, loss, lanes):
    chunk = full_batch.chunk_rows(data.rows)
    count = -(-data.targets.shape[1] // chunk)
    sums, found = np.full((count, 1, data.shift.size + 1), np.nan), np.full((count, 1), np.nan)
    full_batch.chunk_sums(data, loss, lanes, chunk, 0, count, sums, found)
    return sums, found


@slow_to_compile
@TYPE
@pytest.mark.parametrize("loss", [losses.SquaredError(), losses.LogLoss()])
@pytest.mark.parametrize("d", [1, 8, 17] if JIT_OFF else D)
def test_gradients_of_any_shape(d, loss, dtype):
    tolerance = 1e-12 if dtype == np.float64 else 1e-4
    for n in N[:-1] if JIT_OFF else N:
        for given in GIVEN:
            data, lanes = made(loss, n, d, dtype, *given)
            sums, found = chunk_sums(data, loss, lanes)
            values, slopes, Z = by_hand(data, loss, lanes.weights[0].astype(float))
            scale = np.abs(slopes) @ np.abs(Z) + 1e-300
            np.testing.assert_array_less(np.abs(sums.sum(axis=(0, 1)) - slopes @ Z), tolerance * scale + 1e-300)
            np.testing.assert_allclose(found.sum(), values.sum(), rtol=tolerance)


@TYPE
@pytest.mark.parametrize("d", [3, 50])
def test_gradients_do_not_depend_on_where_numbers_lie(d, dtype):
    loss = losses.LogLoss()
    for n in (5, 1000):
        found = []
        for place in (np.copy, moved):
            data, lanes = made(loss, n, d, dtype, True, True, 1.0, place)
            found.append(np.append(*chunk_sums(data, loss, lanes)))
        np.testing.assert_array_equal(*found)


@slow_to_compile
@TYPE
@pytest.mark.parametrize(("n", "d", "batch"), [(7, 1, 3), (100, 7, 8), (100, 17, 32), (1100, 5, 300), (600, 9, 600)])
def test_batches_of_any_size(n, d, batch, dtype):
    parts, order, rate = (
        Parts(losses.LogLoss(), optimizers.Sgd(), penalties.Free()),
        np.random.default_rng(0).permutation(n),
        0.1,
    )
    for given in GIVEN:
        data, lanes = made(parts.loss, n, d, dtype, *given)
        w, met, found = lanes.weights[0].astype(float), 0.0, np.zeros(1)
        for first in range(0, n, batch):
            values, slopes, Z = by_hand(data, parts.loss, w, order[first : first + batch])
            w, met = w - rate * (slopes @ Z) / len(Z), met + values.sum()
        block_loop.batch_steps(data, parts, lanes, order, order[::-1].copy(), batch, np.full((1, 1), rate), 1, found)
        tolerance = 1e-11 if dtype == np.float64 else 1e-3
        np.testing.assert_allclose(lanes.weights[0], w, tolerance, tolerance)
        np.testing.assert_allclose(found, met, tolerance)


@pytest.mark.parametrize("n", [3, 64, 130])
def test_second_derivatives(n):
    for given in GIVEN:
        data, lanes = made(losses.LogLoss(), n, 9, np.float64, *given)
        out = np.full(n, np.nan)
        for first in range(-(-n // 50)):  # chunks of 50 rows, each by itself
            curvature.second_derivatives(data, losses.LogLoss(), lanes, 0, 50, first, first + 1, out)
        _, _, Z = by_hand(data, losses.LogLoss(), lanes.weights[0])
        p = Z @ lanes.weights[0] + (data.offset if data.offset.size else 0.0)
        expected = losses.LogLoss().second_derivative(p, data.targets[0]) * (data.weight if data.weight.size else 1.0)
        np.testing.assert_allclose(out, expected, rtol=1e-11)
