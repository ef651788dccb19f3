"""Mini-batches: the mean gradient of a batch of rows, then one step; a large batch is summed in float64 by blocks."""

import numpy as np

from ._jit import kernel
from .lanes import FLUSH_ROWS, block_gradient, block_of, loss_of, move_of, step_lane
from .rows import prefetch


def batch_steps(data, parts, lanes, order, ahead, batch, rates, t, losses):
    """One step for every ``batch`` rows of ``order``, the last batch as long as it is.

    Rates are (steps, lanes), or (1, lanes) for all steps.
    """
    loss, move = loss_of(parts.loss, lanes), move_of(parts, lanes)
    _batch_steps(data, loss, move, lanes, order, ahead, batch, rates, t, losses)


@kernel
def _batch_steps(data, loss, move, lanes, order, ahead, batch, rates, t, losses):
    count, width = lanes.weights.shape
    d = data.shift.size
    dtype = lanes.weights.dtype
    block = block_of(data)
    size = block.scores.size
    scaled = np.empty((count, width), dtype)
    gradient = np.zeros((count, width), dtype)
    sums = np.zeros((count, width))
    for s in range((order.size + batch - 1) // batch):
        first = s * batch
        last = min(first + batch, order.size)
        for lane in range(count):
            for j in range(d):
                scaled[lane, j] = lanes.weights[lane, j] * data.inverse_scale[j]
            scaled[lane, d] = lanes.weights[lane, d]
        flush = first + FLUSH_ROWS
        for start in range(first, last, size):
            stop = min(start + size, last)
            for k in range(start, stop):
                prefetch(data.rows, ahead[k])
            for lane in range(count):
                y = data.targets[lanes.target[lane]]
                losses[lane] += block_gradient(
                    loss, lanes.loss, lane, data, order, start, stop, scaled[lane], y, block, gradient[lane]
                )
            if stop >= flush:
                flush = stop + FLUSH_ROWS
                for lane in range(count):
                    for j in range(width):
                        sums[lane, j] += gradient[lane, j]
                        gradient[lane, j] = 0
        for lane in range(count):
            for j in range(d):
                gradient[lane, j] = (sums[lane, j] + gradient[lane, j]) / (last - first) * data.inverse_scale[j]
            gradient[lane, d] = (sums[lane, d] + gradient[lane, d]) / (last - first)
            step_lane(move, lanes, lane, rates[min(s, rates.shape[0] - 1), lane], t + s, gradient)
            for j in range(width):
                gradient[lane, j] = 0
                sums[lane, j] = 0.0
