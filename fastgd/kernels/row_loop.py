"""Batch size 1: one row, one step."""

import numpy as np

from ._jit import kernel, lane_of
from .lanes import move
from .rows import prefetch


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
            slope = weights.dtype.type(loss.slope(p, y))
            if data.weight.size > 0:
                value *= data.weight[i]
                slope *= data.weight[i]
            losses[lane] += value
            move(parts, lanes, lane, rates[min(k, last), lane], t + k, slope, rows, i, constant)
