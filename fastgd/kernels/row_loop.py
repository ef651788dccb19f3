"""Batch size 1: one row, one step."""

import numpy as np

from ._jit import compiled_as, kernel, lane_of
from .lanes import move
from .rows import prefetch, square


def row_slope(part, fields, lane, rate, slope, value, data, i):
    """A row's slope: the loss's, or what an optimizer that goes by the row puts in its place. Others pay nothing."""
    if not part.by_row:
        return slope
    size = np.float64(square(data.rows, i, data.shift, data.inverse_scale))
    return lane_of(part, fields, lane).row_slope(rate, np.float64(slope), value, size)


@compiled_as(row_slope)
def _(part, fields, lane, rate, slope, value, data, i):
    if not part.instance_class.by_row:
        return lambda part, fields, lane, rate, slope, value, data, i: slope

    def by_row(part, fields, lane, rate, slope, value, data, i):
        size = np.float64(square(data.rows, i, data.shift, data.inverse_scale))
        return lane_of(part, fields, lane).row_slope(rate, np.float64(slope), value, size)

    return by_row


def counted_loss(part, value, weighted):
    """What a row adds to the loss sum: its weighted loss, or as it is where an optimizer goes by the row."""
    return value if part.by_row else weighted


@compiled_as(counted_loss)
def _(part, value, weighted):
    if part.instance_class.by_row:
        return lambda part, value, weighted: value
    return lambda part, value, weighted: weighted


@kernel
def row_steps(data, rows, parts, lanes, order, ahead, rates, t, losses):
    """One step for each row of ``order``; the sums of losses before each step are added to ``losses``.

    Rates are (steps, lanes), or (1, lanes) for all steps.

    ``rows`` are the data's, standardised where it is asked for; at each step the memory is asked for row ``ahead``.
    """
    weights = lanes.weights
    d = lanes.low.shape[1]
    constant = weights.dtype.type(data.constant)
    last = rates.shape[0] - 1
    for k in range(order.size):
        i = order[k]
        prefetch(rows, ahead[k])
        for lane in range(weights.shape[0]):
            loss = lane_of(parts.loss, lanes.loss, lane)
            p = weights[lane, d] * constant
            if data.offset.size > 0:
                p += data.offset[i]
            for j in range(d):
                p += rows.at(i, j) * weights[lane, j]
            y = data.targets[lanes.target[lane], i]
            value = np.float64(loss.value(p, y))
            weighted = value
            rate = rates[min(k, last), lane]
            slope = loss.slope(p, y)
            slope = weights.dtype.type(
                row_slope(parts.optimizer, lanes.optimizer, lane, rate, slope, value, data, np.uint64(i))
            )
            if data.weight.size > 0:
                weighted = value * data.weight[i]
                slope *= data.weight[i]
            losses[lane] += counted_loss(parts.optimizer, value, weighted)
            move(parts, lanes, lane, rate, t + k, slope, rows, i, constant)
