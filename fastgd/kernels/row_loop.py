"""Batch size 1: one row, one step."""

import numpy as np

from ._jit import kernel, lane_of
from .lanes import move
from .rows import prefetch


@kernel
def row_steps(data, rows, parts, lanes, order, ahead, rates, t, losses):
    """One step for each row of ``order``; rates (steps, lanes); the sums of losses met are added to ``losses``.

    ``rows`` are the data's, standardised where it is asked for; at each step the memory is asked for row ``ahead``.
    """
    weights = lanes.weights
    d = lanes.low.shape[1]
    constant = weights.dtype.type(data.constant)
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
            move(parts, lanes, lane, rates[k, lane], t + k, slope, rows, i, constant)
