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


def row_loss(part, fields, lane, value, weighted, weights, d):
    """What a row adds to the losses met: its weighted loss, or that of an optimizer that goes by the row."""
    if not part.by_row:
        return weighted
    for j in range(d):
        value += np.float64(lane_of(part, fields, lane).row_cost(weights[lane, j]))
    return value


@compiled_as(row_loss)
def _(part, fields, lane, value, weighted, weights, d):
    if not part.instance_class.by_row:
        return lambda part, fields, lane, value, weighted, weights, d: weighted

    def by_row(part, fields, lane, value, weighted, weights, d):
        optimizer = lane_of(part, fields, lane)
        for j in range(d):
            value += np.float64(optimizer.row_cost(weights[lane, j]))
        return value

    return by_row


@kernel
def row_steps(data, rows, parts, lanes, order, ahead, rates, t, losses):
    """One step for each row of ``order``; the sums of losses met are added to ``losses``.

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
            losses[lane] += row_loss(parts.optimizer, lanes.optimizer, lane, value, weighted, weights, d)
            move(parts, lanes, lane, rate, t + k, slope, rows, i, constant)
