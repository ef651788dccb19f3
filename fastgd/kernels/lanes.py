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


class Parts(NamedTuple):
    """Which loss, optimizer and penalty: their types choose the compiled code; their fields are in ``Lanes``."""

    loss: tuple
    optimizer: tuple
    penalty: tuple


class Lanes(NamedTuple):
    """The settings and the state of every lane; the last weight is the intercept where there is one."""

    target: np.ndarray  # (lanes,) int64, the row of Data.targets
    loss: np.ndarray  # (lanes, fields) float64
    optimizer: np.ndarray  # (lanes, fields) float64
    penalty: np.ndarray  # (lanes, fields) T
    low: np.ndarray  # (lanes, d) T
    high: np.ndarray  # (lanes, d) T
    weights: np.ndarray  # (lanes, d or d + 1) T, of the standardised columns
    slots: np.ndarray  # (lanes, slots, d or d + 1) T
    carry: np.ndarray  # (lanes, 2) float64


def lanes_of(parts, dtype, width, count, low, high):
    """Fresh lanes of one setting: weights at zero, or at the nearest bound; ``low`` and ``high`` are (d,)."""

    def table(part, dtype):
        return np.tile(np.array(part, dtype), (count, 1))

    weights = np.zeros((count, width), dtype)
    weights[:, : low.size] = np.clip(0.0, low, high)
    return Lanes(
        target=np.zeros(count, np.int64),
        loss=table(parts.loss, np.float64),
        optimizer=table(parts.optimizer, np.float64),
        penalty=table(parts.penalty, dtype),
        low=np.tile(low.astype(dtype), (count, 1)),
        high=np.tile(high.astype(dtype), (count, 1)),
        weights=weights,
        slots=np.zeros((count, parts.optimizer.slots, width), dtype),
        carry=np.ones((count, 2)),
    )


@helper
def move(parts, lanes, lane, rate, t, slope, direction, k):
    """One step of a lane against the gradient ``slope * direction[k]``; what lies beyond the d weights is not penalised.

    Arrays are indexed, never sliced: a slice costs two atomic counts (105 ns a row against 40 at d=50).
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
        change, step, s = optimizer.move(c, w, slope * direction[k, j], read_slots(optimizer, slots, lane, j))
        weights[lane, j] = penalty.prox(w + change, step, lanes.low[lane, j], lanes.high[lane, j])
        write_slots(slots, lane, j, s)
    for j in range(d, weights.shape[1]):
        w = weights[lane, j]
        change, step, s = optimizer.move(c, w, slope * direction[k, j], read_slots(optimizer, slots, lane, j))
        weights[lane, j] = w + change
        write_slots(slots, lane, j, s)


@helper
def penalty_cost(parts, lanes, lane):
    """The penalty of a lane's weights, without the intercept."""
    penalty = lane_of(parts.penalty, lanes.penalty, lane)
    total = 0.0
    for j in range(lanes.low.shape[1]):
        total += np.float64(penalty.cost(lanes.weights[lane, j]))
    return total


@helper
def block_gradient(parts, lanes, lane, rows, lo, hi, shift, weights, y, weight, work, out):
    """Add the gradient of rows lo to hi to ``out`` and return the sum of their losses.

    ``y`` and ``weight`` (or an empty array) are of these rows alone; ``weights`` multiply the rows as they are read.
    Where ``weights`` is one longer than a row, its last is the intercept.
    """
    loss = lane_of(parts.loss, lanes.loss, lane)
    d = shift.size
    scores(rows, lo, hi, shift, weights, work)
    intercept = weights[d] if weights.size > d else weights[0] * 0
    total = 0.0
    for k in range(hi - lo):
        p = work[k] + intercept
        total_k = np.float64(loss.value(p, y[k]))
        slope = loss.slope(p, y[k])
        if weight.size > 0:
            total_k *= weight[k]
            slope *= weight[k]
        total += total_k
        work[k] = slope
    pull(rows, lo, hi, shift, work, out)
    if weights.size > d:
        slopes = weights[0] * 0
        for k in range(hi - lo):
            slopes += work[k]
        out[d] += slopes
    return total
