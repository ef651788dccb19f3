"""Lanes: the models that one pass trains, their settings and their state; and the two things done to a lane.

A lane is one model: a row of every array here. A single fit is one lane.
"""

from typing import NamedTuple

import numpy as np

from ..parts.optimizers import decayed
from ..parts.penalties import ElasticNet, Free
from . import elementary  # noqa: F401  (registers the compiled twins that losses call)
from ._jit import branch, cast_all, helper, lane_of, read_slots, routine, write_slots
from .addresses import address, at, call
from .part_functions import loss_block, move_weights
from .rows import add_weighted_rows, dispatch_on_layout, row_at, scores

PENALTY = ElasticNet()  # also of models without a penalty, whose fields are zeros
NO_ROLES = np.empty((0, 0), np.int8)
NO_ROLES.flags.writeable = False
BLOCK_BYTES = (
    1 << 14
)  # rows multiplied at once stay in the first-level cache; with half as many 1.1 to 1.2 times slower
FLUSH_ROWS = 256  # sums in the data's own type run about as long, then go on in float64


class Data(NamedTuple):
    """What a pass reads. ``T`` is the data's type, float32 or float64; d the number of columns."""

    rows: tuple  # Dense or CSR
    targets: np.ndarray  # (number of targets, n) T
    weight: np.ndarray  # (n,) T, of mean 1 over the rows trained on; (0,) where all rows weigh the same
    offset: np.ndarray  # (n,) T, added to every score of a row; (0,) for none
    shift: np.ndarray  # (d,) T, what is subtracted from a column
    inverse_scale: np.ndarray  # (d,) T, what it is then multiplied by
    constant: float  # the value of the column behind them that the intercept multiplies: 1.0, or 0.0 for none
    count: float  # how many rows are trained on; the others have weight 0
    roles: np.ndarray  # (folds, n) int8: > 0 how often a fold trains on the row, 0 not, -1 held out; or (0, 0)
    seed: int  # of the weights of bootstrap replicates
    classes: int  # lanes that a joint loss takes together, one a class; 1 for any other


class Parts(NamedTuple):
    """Which loss, optimizer and penalty: their classes choose the functions; their fields are in ``Lanes``."""

    loss: tuple
    optimizer: tuple
    penalty: tuple


class Lanes(NamedTuple):
    """The settings and the state of every lane. The last of the weights is the intercept, 0 where there is none."""

    target: np.ndarray  # (lanes,) int64, the row of Data.targets
    fold: np.ndarray  # (lanes,) int64, the row of Data.roles, or -1: all rows count
    replicate: np.ndarray  # (lanes,) int64, the bootstrap replicate whose counts weigh the rows, or -1
    scale: np.ndarray  # (lanes,) float64, makes the weights of a lane's rows add up to Data.count
    loss: np.ndarray  # (lanes, fields) float64
    optimizer: np.ndarray  # (lanes, fields) float64
    penalty: np.ndarray  # (lanes, fields) T
    low: np.ndarray  # (lanes, d) T
    high: np.ndarray  # (lanes, d) T
    weights: np.ndarray  # (lanes, d + 1) T, of the standardised columns
    slots: np.ndarray  # (lanes, slots, d + 1) T
    carry: np.ndarray  # (lanes, 2) float64
    averages: np.ndarray  # (lanes, d + 1) float64, the mean of the weights since step ``begin``; or (lanes, 0)
    begin: np.ndarray  # (lanes,) int64


def make_lanes(models, dtype, average=None):
    """Fresh lanes of some models (see ``plan.Model``), all with parts of the same classes.

    Weights are those to begin with, else zero, at the nearest bound; ``average`` is the step from which on they are
    averaged, or None.
    """
    widths = [len(model.start) for model in models]
    lanes, d = sum(widths), models[0].low.size

    def table(rows, dtype):
        made = np.array(rows, dtype)
        return made if lanes == len(models) else np.repeat(made, widths, axis=0)

    low, high = (table([getattr(model, side) for model in models], dtype) for side in ("low", "high"))
    weights = np.zeros((lanes, d + 1), dtype)
    for k, model in enumerate(models):
        if model.coef is not None:
            weights[k * widths[k] : (k + 1) * widths[k], :d] = model.coef
    np.clip(weights[:, :d], low, high, out=weights[:, :d])
    weights[:, d] = np.concatenate([model.start for model in models])
    return Lanes(
        target=np.zeros(lanes, np.int64),
        fold=table([model.fold for model in models], np.int64),
        replicate=table([model.replicate for model in models], np.int64),
        scale=np.ones(lanes),
        loss=table([model.loss for model in models], np.float64),
        optimizer=table([model.optimizer or () for model in models], np.float64),
        penalty=table([model.penalty for model in models], dtype),
        low=low,
        high=high,
        weights=weights,
        slots=np.zeros((lanes, models[0].optimizer.slots if models[0].optimizer else 0, d + 1), dtype),
        carry=np.ones((lanes, 2)),
        averages=np.zeros((lanes, 0 if average is None else d + 1)),
        begin=np.full(lanes, average or 1),
    )


def loss_of(loss, lanes):
    """The address of what a loss does to a block."""
    return address(loss_block, lanes.weights.dtype, type(loss))


class Move(NamedTuple):
    """How a step moves weights."""

    address: int  # of the ``move_weights`` of the optimizer and the penalty
    free: bool  # whether there is neither a penalty nor a bound


def move_of(parts, lanes):
    """How steps of an optimizer with a penalty move the weights."""
    found = address(move_weights, lanes.weights.dtype, type(parts.optimizer), type(parts.penalty))
    return Move(found, type(parts.penalty) is Free)


@helper
def move(parts, lanes, lane, rate, t, slope, rows, i, constant):
    """One step of a lane against the gradient ``slope * row i``, ``slope * constant`` for the unpenalised intercept.

    Arrays are indexed, never sliced: a slice costs two atomic counts.
    """
    weights, slots = lanes.weights, lanes.slots
    d = lanes.low.shape[1]
    optimizer = lane_of(parts.optimizer, lanes.optimizer, lane)
    penalty = lane_of(parts.penalty, lanes.penalty, lane)
    prepared, after = optimizer.prepare(rate, t, (lanes.carry[lane, 0], lanes.carry[lane, 1]))
    lanes.carry[lane, 0], lanes.carry[lane, 1] = after
    c = cast_all(prepared, weights)
    for j in range(d):
        w = weights[lane, j]
        change, step, s = optimizer.move(c, w, slope * rows.at(i, j), read_slots(optimizer, slots, lane, j))
        weights[lane, j] = penalty.prox(
            decayed(optimizer, c, w) + change, step, lanes.low[lane, j], lanes.high[lane, j]
        )
        write_slots(slots, lane, j, s)
    w = weights[lane, d]
    change, step, s = optimizer.move(c, w, slope * constant, read_slots(optimizer, slots, lane, d))
    weights[lane, d] = w + change
    write_slots(slots, lane, d, s)
    average(lanes, lane, t)


@helper
def penalty_cost(lanes, lane):
    """The penalty of a lane's weights, without the intercept."""
    penalty = lane_of(PENALTY, lanes.penalty, lane)
    total = 0.0
    for j in range(lanes.low.shape[1]):
        total += np.float64(penalty.cost(lanes.weights[lane, j]))
    return total


@branch
def average(lanes, lane, t):
    """Take a lane's weights into their running mean."""
    if lanes.averages.shape[1] > 0 and t >= lanes.begin[lane]:
        share = 1.0 / (t - lanes.begin[lane] + 1)
        for j in range(lanes.averages.shape[1]):
            lanes.averages[lane, j] += share * (lanes.weights[lane, j] - lanes.averages[lane, j])


@helper
def step_lane(move, lanes, lane, rate, t, gradient):
    """One step of a lane against its row of ``gradient``."""
    call(
        move.address, at(lanes.optimizer, lane), at(lanes.penalty, lane), rate, t, at(lanes.carry, lane),
        at(lanes.weights, lane), at(lanes.slots, lane), at(lanes.low, lane), at(lanes.high, lane),
        at(gradient, lane), lanes.low.shape[1],
    )  # fmt: skip
    average(lanes, lane, t)


def _dense_block(rows, shift):
    return min(FLUSH_ROWS, max(16, BLOCK_BYTES // (shift.size * shift.itemsize) // 8 * 8))


def _sparse_block(rows, shift):
    return 64


_block_rows = dispatch_on_layout(_dense_block, _sparse_block)


@helper
def block_rows(data):
    """How many rows are multiplied at once."""
    return _block_rows(data.rows, data.shift)


@branch
def add_offsets(offset, order, lo, hi, scores):
    """Add their offsets to the scores of the rows at lo to hi: (rows,)."""
    for k in range(lo, hi):
        scores[k - lo] += offset[np.uint64(row_at(order, k))]


class Block(NamedTuple):
    """What is worked out for a block of rows of one lane."""

    scores: np.ndarray  # (rows,) T, which the loss turns into slopes
    targets: np.ndarray  # (rows,) T, of rows that do not lie side by side
    weight: np.ndarray  # (rows,) T, of these
    sums: np.ndarray  # (2,) float64: of the losses and of the slopes


@routine
def block_of(data):
    """A block of as many rows as are multiplied at once."""
    rows, dtype = block_rows(data), data.shift.dtype
    return Block(np.empty(rows, dtype), np.empty(rows, dtype), np.empty(rows, dtype), np.empty(2))


@helper
def block_slopes(loss, fields, lane, data, order, lo, count, intercept, y, block):
    """Turn the block's scores, plus the intercept, into weighted slopes, and sum them and the losses."""
    weighted, part = data.weight.size > 0, at(fields, lane)
    if order is None:
        weight = at(data.weight, lo) if weighted else at(y, lo)
        call(loss, part, at(block.scores, 0), count, intercept, at(y, lo), weight, weighted, at(block.sums, 0))
    else:
        for k in range(count):
            block.targets[k] = y[np.uint64(row_at(order, lo + k))]
        if weighted:
            for k in range(count):
                block.weight[k] = data.weight[np.uint64(row_at(order, lo + k))]
        targets, weight = at(block.targets, 0), at(block.weight, 0)
        call(loss, part, at(block.scores, 0), count, intercept, targets, weight, weighted, at(block.sums, 0))


@helper
def block_gradient(loss, fields, lane, data, order, lo, hi, weights, y, block, out):
    """Add the gradient of the rows at lo to hi to ``out`` (d + 1,) and return the sum of their losses.

    ``loss`` is the address of its ``loss_block``. ``weights`` (d + 1,) multiply the centred rows as they are read, and
    the last of them the constant; ``out`` is to be multiplied by the inverse scale by the caller.
    """
    d = data.shift.size
    scores(data.rows, order, lo, hi, data.shift, weights, block.scores)
    if data.offset.size > 0:
        add_offsets(data.offset, order, lo, hi, block.scores)
    intercept = weights[d] * weights.dtype.type(data.constant)
    block.sums[0] = block.sums[1] = 0.0
    block_slopes(loss, fields, lane, data, order, lo, hi - lo, intercept, y, block)
    add_weighted_rows(data.rows, order, lo, hi, data.shift, block.scores, out)
    out[d] += block.sums[1] * data.constant
    return block.sums[0]


@helper
def finite(number):
    """Whether a computed number is finite: ``np.isfinite`` asks ``x - x == 0``, which reassociation folds to True."""
    return abs(number) < np.inf
