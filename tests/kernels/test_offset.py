"""Offsets of rows: in every loop that makes scores, what arithmetic with the offset added by hand gives."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import JIT_OFF

from fastgd import losses, optimizers
from fastgd.kernels import block_loop, curvature, full_batch, lazy, row_loop, sparse_loop, whitened_steps
from fastgd.kernels.lanes import NO_ROLES, Data, Parts, make_lanes
from fastgd.kernels.layouts import CSR, Dense, frozen
from fastgd.kernels.rows import Scaled
from fastgd.parts import penalties
from fastgd.parts.losses import of_rows
from fastgd.solvers.multi_lane import steps
from fastgd.solvers.multi_lane_passes import ManyPasses
from fastgd.solvers.textbook import TextbookPasses

N, D, CLASSES = 150, 5, 3
LOG = Parts(losses.LogLoss(), optimizers.Sgd(), penalties.Free())
SOFTMAX = Parts(losses.Multinomial(), optimizers.Sgd(), penalties.Free())
# Compiled, each case costs seconds: what differs between layouts, dtypes and losses is the same source.
EITHER = pytest.mark.parametrize("parts", [LOG, SOFTMAX] if JIT_OFF else [LOG])
LAYOUT = pytest.mark.parametrize("sparse", [False, True] if JIT_OFF else [False])
TYPE = pytest.mark.parametrize("dtype", [np.float64, np.float32] if JIT_OFF else [np.float64])


def made_data(sparse=False, dtype=np.float64, classes=1, roles=NO_ROLES):
    """Rows with weights and offsets."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D)) * (rng.random((N, D)) < 0.5 if sparse else 1.0)
    y = rng.integers(0, max(classes, 2), (1, N))
    weight, offset = rng.uniform(0.5, 2.0, N), rng.normal(0.0, 2.0, N)
    shift = np.zeros(D) if sparse else X.mean(axis=0)
    X, y, weight, offset, shift, scale = (np.array(a, dtype) for a in (X, y, weight, offset, shift, 1 / X.std(axis=0)))
    rows = Dense(frozen(X))
    if sparse:
        starts = np.append(0, np.cumsum((X != 0).sum(axis=1))).astype(np.uint64)
        rows = CSR(frozen(X[X != 0]), frozen(np.nonzero(X)[1].astype(np.uint32)), frozen(starts), D)
    y, weight, offset = map(frozen, (y, weight, offset))
    return Data(rows, y, weight, offset, shift, scale, 1.0, float(N), roles, 0, classes, y[0, :0])


def made_lanes(parts, data, models=1):
    """Lanes of random weights."""
    none = {"low": np.full(D, -np.inf), "high": np.full(D, np.inf)}
    model = SimpleNamespace(**parts._asdict(), **none, start=np.zeros(data.classes), coef=None, fold=-1, replicate=-1)
    lanes = make_lanes([model] * models, data.shift.dtype)
    lanes.weights[:] = 0.3 * np.random.default_rng(1).standard_normal(lanes.weights.shape)
    return lanes


def table(data):
    """The standardised rows in float64, 1 behind them."""
    return np.column_stack([(data.rows.array() - data.shift) * data.inverse_scale, np.ones(N)])


def by_hand(data, loss, W, rows):
    """The sums of the losses (models,) and of the gradients (lanes, D + 1) of some rows."""
    Z, y, weight = table(data)[rows], data.targets[0, rows], data.weight[rows].astype(np.float64)
    P = Z @ W.T + data.offset[rows, None]
    sums, gradients = [], []
    for first in range(0, len(W), data.classes):
        p = P[:, first : first + data.classes]
        values, slopes = of_rows(loss, p, y) if loss.joint else (loss.value(p[:, 0], y), loss.slope(p, y[:, None]))
        sums.append(weight @ values)
        gradients.append((slopes * weight[:, None]).T @ Z)
    return np.array(sums), np.concatenate(gradients)


def descended(data, loss, W, batch, rate):
    """The weights after plain steps over the rows in order, and the losses met."""
    W, met = W.astype(np.float64), 0.0
    for first in range(0, N, batch):
        rows = np.arange(first, min(first + batch, N))
        values, gradient = by_hand(data, loss, W, rows)
        W, met = W - rate * gradient / len(rows), met + values
    return W, met


def agree(data, lanes, loss_sum, expected):
    tolerance = 1e-9 if data.shift.dtype == np.float64 else 2e-4
    np.testing.assert_allclose(lanes.weights, expected[0], tolerance, tolerance)
    np.testing.assert_allclose(loss_sum.reshape(-1, data.classes).sum(axis=1), expected[1], tolerance)


def order():
    return np.arange(N), np.arange(N)


# One lane -----------------------------------------------------------------------------------------------------------


@TYPE
@LAYOUT
@pytest.mark.parametrize("batch", [16, N])
def test_batches(sparse, dtype, batch):
    data = made_data(sparse, dtype)
    lanes, loss_sum, rates = made_lanes(LOG, data), np.zeros(1), np.full((1, 1), 0.1)
    expected = descended(data, LOG.loss, lanes.weights, batch, 0.1)
    block_loop.batch_steps(data, LOG, lanes, *order(), batch, rates, 1, loss_sum)
    agree(data, lanes, loss_sum, expected)


@TYPE
def test_single_rows(dtype):
    data = made_data(dtype=dtype)
    lanes, loss_sum, rates = made_lanes(LOG, data), np.zeros(1), np.full((1, 1), 0.1)
    expected = descended(data, LOG.loss, lanes.weights, 1, 0.1)
    read = Scaled(data.rows.values, data.shift, data.inverse_scale)
    row_loop.row_steps(data, read, LOG, lanes, *order(), rates, 1, loss_sum)
    agree(data, lanes, loss_sum, expected)


@TYPE
@pytest.mark.parametrize("batch", [1, 16])
def test_columns_of_sparse_rows(dtype, batch):
    data = made_data(True, dtype)
    lanes, loss_sum, rates = made_lanes(LOG, data), np.zeros(1), np.full((1, 1), 0.1)
    expected = descended(data, LOG.loss, lanes.weights, batch, 0.1)
    notes = np.zeros(D, np.int64), np.zeros(D), np.zeros(D, np.uint32)
    columns = sparse_loop.LazyColumns(lazy.NoDrift(), data.inverse_scale, None, None, data.factors, None, *notes)
    if batch == 1:
        sparse_loop.row_steps(data, LOG, lanes, columns, *order(), rates, 1, loss_sum)
    else:
        sparse_loop.batch_steps(data, LOG, lanes, columns, *order(), batch, rates, 1, loss_sum)
    agree(data, lanes, loss_sum, expected)


@LAYOUT
def test_passes(sparse):
    data = made_data(sparse)
    lanes, (sums, found) = made_lanes(LOG, data), (np.empty((1, 1, D + 1)), np.empty((1, 1)))
    full_batch.chunk_sums(data, LOG.loss, lanes, N, 0, 1, sums, found)
    values, gradients = by_hand(data, LOG.loss, lanes.weights, np.arange(N))
    np.testing.assert_allclose(sums[0], gradients, rtol=1e-11)
    np.testing.assert_allclose(found[0], values, rtol=1e-11)
    seconds, score = np.empty(N), table(data) @ lanes.weights[0] + data.offset
    curvature.second_derivatives(data, LOG.loss, lanes, 0, N, 0, 1, seconds)
    expected = LOG.loss.second_derivative(score, data.targets[0]) * data.weight
    np.testing.assert_allclose(seconds, expected, rtol=1e-11)


def test_whitened_steps():
    """Of a loss of residuals an offset is what is taken off the target."""
    data, found = made_data(), []
    parts = LOG._replace(loss=losses.SquaredError())
    triangle = np.tril(np.random.default_rng(2).standard_normal((D + 1, D + 1))) + 2 * np.eye(D + 1)
    lanes = made_lanes(parts, data)
    none = frozen(np.empty(0))
    for given in (data, data._replace(targets=frozen(data.targets - data.offset), offset=none)):
        place, mean, loss_sum = np.zeros(D + 1), np.zeros(D + 1), np.zeros(1)
        rates, anchor = np.full(-(-N // 4), 0.01), lanes.weights[0].copy()
        whitened_steps.whitened_steps(
            given, parts, lanes, *order(), 4, rates, 0, triangle, anchor, place, mean, 4.0, loss_sum
        )
        second = whitened_steps.second_derivatives(given, parts, lanes, anchor, 0.0, 1e-3)
        found.append([place, mean, loss_sum, second])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_second_derivatives_for_whitening():
    data, h = made_data(), 1e-3
    lanes, Z = made_lanes(LOG, data), table(data)
    found = whitened_steps.second_derivatives(data, LOG, lanes, lanes.weights[0], h, 0.0)
    p, y = Z @ lanes.weights[0] + data.offset, data.targets[0]
    second = (LOG.loss.slope(p + h, y) - LOG.loss.slope(p - h, y)) / (2 * h) * data.weight
    np.testing.assert_allclose(found, second, rtol=1e-9, atol=1e-12)


# Many lanes ---------------------------------------------------------------------------------------------------------


@TYPE
@LAYOUT
@EITHER
@pytest.mark.parametrize("batch", [1, 16] if JIT_OFF else [16])
def test_steps_of_many_lanes(parts, sparse, dtype, batch):
    data = made_data(sparse, dtype, CLASSES if parts.loss.joint else 1)
    lanes = made_lanes(parts, data, 2)
    loss_sum, rates = np.zeros(len(lanes.weights)), np.full((1, len(lanes.weights)), 0.1)
    expected = descended(data, parts.loss, lanes.weights, batch, 0.1)
    steps(data, parts, lanes, *order(), batch, rates, 1, loss_sum)
    agree(data, lanes, loss_sum, expected)


@LAYOUT
@EITHER
def test_passes_of_many_lanes(parts, sparse):
    roles = np.ones((2, N), np.int8)
    roles[0, ::3] = -1
    roles[1, 1::3] = -1
    classes = CLASSES if parts.loss.joint else 1
    data = made_data(sparse, classes=classes, roles=roles)
    lanes = made_lanes(parts, data, 2)
    values, gradients = by_hand(data, parts.loss, lanes.weights, np.arange(N))
    for passes in (ManyPasses(data, 1), TextbookPasses(data, 1)):
        loss = passes.loss(parts.loss, lanes)
        np.testing.assert_allclose(loss.reshape(2, -1).sum(axis=1), values / N, rtol=1e-11)
        held = lanes._replace(fold=np.repeat([0, 1], classes))
        found = passes.held_loss(parts.loss, held).reshape(2, -1).sum(axis=1)
        for fold in (0, 1):
            rows = np.flatnonzero(roles[fold] < 0)
            expected = by_hand(data, parts.loss, lanes.weights, rows)[0][fold] / data.weight[rows].sum()
            np.testing.assert_allclose(found[fold], expected, rtol=1e-11)
    sums = ManyPasses(data, 1).sums(parts.loss, lanes)[0]
    np.testing.assert_allclose(sums, gradients, rtol=1e-10)
    found = TextbookPasses(data, 1).gradient(parts.loss, lanes, np.arange(N))[1]
    np.testing.assert_allclose(found, gradients, rtol=1e-10)
