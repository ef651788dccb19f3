"""Lanes: the models that one pass trains, their settings and their state; and the two things done to a lane.

A lane is one model: a row of every array here. A single fit is one lane.
"""

from typing import NamedTuple

import numpy as np

from . import elementary  # noqa: F401  (registers the compiled twins that losses call)
from ._jit import cast_all, helper, lane_of, read_slots, write_slots
from .rows import pull, scores


class Data(NamedTuple):
    """What a pass reads. ``T`` is the data's type, float32 or float64; d the number of columns."""

    rows: tuple  # Dense
    targets: np.ndarray  # (number of targets, n) T
    weight: np.ndarray  # (n,) T, mean 1; (0,) where rows weigh the same
    shift: np.ndarray  # (d,) T, what is subtracted from a column
    inverse_scale: np.ndarray  # (d,) T, what it is then multiplied by
    constant: float  # the value of the column behind them that the intercept multiplies: 1.0, or 0.0 for none


class Parts(NamedTuple):
    """Which loss, optimizer and penalty: their types choose the compiled code; their fields are in ``Lanes``."""

    loss: tuple
    optimizer: tuple
    penalty: tuple


class Lanes(NamedTuple):
    """The settings and the state of every lane.

    Rows of weights hold the d coefficients, the intercept and zeros up to ``width``, a multiple of four vectors of 64
    bytes: no loop over them has a scalar remainder.
    """

    target: np.ndarray  # (lanes,) int64, the row of Data.targets
    loss: np.ndarray  # (lanes, fields) float64
    optimizer: np.ndarray  # (lanes, fields) float64
    penalty: np.ndarray  # (lanes, fields) T
    penalised: np.ndarray  # (width,) T, 1 for the coefficients, else 0
    low: np.ndarray  # (lanes, width) T
    high: np.ndarray  # (lanes, width) T
    weights: np.ndarray  # (lanes, width) T, of the standardised columns
    slots: np.ndarray  # (lanes, slots, width) T
    carry: np.ndarray  # (lanes, 2) float64


def padded(d, dtype):
    """The width of a row of weights for d columns."""
    vectors = 256 // np.dtype(dtype).itemsize
    width = -(-(d + 1) // vectors) * vectors
    # Blocks of rows are as wide: rows 2 or 4 kB apart would fall on the same lines of the first-level cache.
    return width + vectors if width % (8 * vectors) == 0 else width


def lanes_of(parts, dtype, count, low, high):
    """Fresh lanes of one setting: weights at zero, or at the nearest bound; ``low`` and ``high`` are (d,)."""
    d, width = low.size, padded(low.size, dtype)

    def table(part, dtype):
        return np.tile(np.array(part, dtype), (count, 1))

    def wide(side, beyond):
        return np.tile(np.concatenate([side, np.full(width - d, beyond)]).astype(dtype), (count, 1))

    weights = np.zeros((count, width), dtype)
    weights[:, :d] = np.clip(0.0, low, high)
    return Lanes(
        target=np.zeros(count, np.int64),
        loss=table(parts.loss, np.float64),
        optimizer=table(parts.optimizer, np.float64),
        penalty=table(parts.penalty, dtype),
        penalised=(np.arange(width) < d).astype(dtype),
        low=wide(low, -np.inf),
        high=wide(high, np.inf),
        weights=weights,
        slots=np.zeros((count, parts.optimizer.slots, width), dtype),
        carry=np.ones((count, 2)),
    )


@helper
def move(parts, lanes, lane, rate, t, slope, direction, k):
    """One step of a lane against the gradient ``slope * direction[k]``.

    Arrays are indexed, never sliced: a slice costs two atomic counts.
    """
    weights, slots = lanes.weights, lanes.slots
    optimizer = lane_of(parts.optimizer, lanes.optimizer, lane)
    penalty = lane_of(parts.penalty, lanes.penalty, lane)
    prepared, after = optimizer.prepare(rate, t, (lanes.carry[lane, 0], lanes.carry[lane, 1]))
    lanes.carry[lane, 0], lanes.carry[lane, 1] = after
    c = cast_all(prepared, weights)
    for j in range(weights.shape[1]):
        w = weights[lane, j]
        change, step, s = optimizer.move(c, w, slope * direction[k, j], read_slots(optimizer, slots, lane, j))
        weights[lane, j] = penalty.prox(w + change, step * lanes.penalised[j], lanes.low[lane, j], lanes.high[lane, j])
        write_slots(slots, lane, j, s)


@helper
def penalty_cost(parts, lanes, lane):
    """The penalty of a lane's weights, without the intercept."""
    penalty = lane_of(parts.penalty, lanes.penalty, lane)
    total = 0.0
    for j in range(lanes.weights.shape[1]):
        total += np.float64(penalty.cost(lanes.weights[lane, j] * lanes.penalised[j]))
    return total


@helper
def block_gradient(loss, rows, lo, hi, shift, constant, weights, y, weight, first, work, out):
    """Add the gradient of rows lo to hi to ``out`` and return the sum of their losses.

    Targets and weights (or an empty array) of these rows begin at ``first``; ``weights`` multiply the rows as they are
    read, and the one behind them multiplies ``constant``. ``work`` has room for a number a row.
    """
    # Without a constant there may be nothing behind the weights: any weight will do, times zero.
    last = min(rows.values.shape[1], weights.size - 1)
    scores(rows, lo, hi, shift, weights, work)
    intercept = weights[last] * weights.dtype.type(constant)
    total = 0.0
    slopes = 0.0
    for k in range(hi - lo):
        i = np.uint64(first + k)  # an index that may be negative turns the loop's loads into gathers
        p = work[k] + intercept
        value = np.float64(loss.value(p, y[i]))
        slope = loss.slope(p, y[i])
        if weight.size > 0:
            value *= weight[i]
            slope *= weight[i]
        total += value
        slopes += np.float64(slope)
        work[k] = slope
    pull(rows, lo, hi, shift, work, out)
    out[last] += slopes * constant
    return total


@helper
def finite(number):
    """Whether a computed number is finite: ``np.isfinite`` asks ``x - x == 0``, which reassociation folds to True."""
    return abs(number) < np.inf
