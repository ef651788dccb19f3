"""Mini-batches: the mean gradient of a batch of rows, then one step; a large batch is summed in float64 by blocks."""

import numpy as np

from ._jit import kernel, lane_of
from .lanes import block_gradient, move
from .rows import Dense, gather

BLOCK_BYTES = 1 << 17


@kernel
def batch_steps(data, parts, lanes, order, batch, rates, t, losses):
    """One step for every ``batch`` rows of ``order``, the last batch as long as it is; rates are (steps, lanes)."""
    count, width = lanes.weights.shape
    dtype = lanes.weights.dtype
    size = min(max(BLOCK_BYTES // (width * lanes.weights.itemsize), 4), batch)
    block = np.zeros((size, width), dtype)
    for k in range(size):
        block[k, data.shift.size] = data.constant
    y = np.empty(size, dtype)
    weight = np.empty(size if data.weight.size > 0 else 0, dtype)
    none = np.zeros(width, dtype)
    work = np.empty(size, dtype)
    gradient = np.empty((1, width), dtype)
    sums = np.empty((count, width))
    for s in range(rates.shape[0]):
        first = s * batch
        last = min(first + batch, order.size)
        for lane in range(count):
            for j in range(width):
                sums[lane, j] = 0.0
        for start in range(first, last, size):
            stop = min(start + size, last)
            gather(data.rows, order, start, stop, data.shift, data.inverse_scale, block, True)
            for k in range(weight.size and stop - start):
                weight[k] = data.weight[order[start + k]]
            for lane in range(count):
                loss = lane_of(parts.loss, lanes.loss, lane)
                target = lanes.target[lane]
                for k in range(stop - start):
                    y[k] = data.targets[target, order[start + k]]
                for j in range(width):
                    gradient[0, j] = 0
                losses[lane] += block_gradient(
                    loss,
                    Dense(block),
                    0,
                    stop - start,
                    none,
                    0.0,
                    lanes.weights[lane],
                    y,
                    weight,
                    0,
                    work,
                    gradient[0],
                )
                for j in range(width):
                    sums[lane, j] += gradient[0, j]
        for lane in range(count):
            for j in range(width):
                gradient[0, j] = sums[lane, j] / (last - first)
            move(parts, lanes, lane, rates[s, lane], t + s, gradient.dtype.type(1), gradient, 0)
