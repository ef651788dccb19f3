"""Mini-batches: the mean gradient of a batch of rows, then one step; a large batch is summed in float64 by blocks."""

import numpy as np

from ._jit import kernel
from .lanes import block_gradient, move
from .rows import Dense, gather

BLOCK_BYTES = 1 << 17


@kernel
def batch_steps(data, parts, lanes, order, batch, rates, t, losses):
    """One step for every ``batch`` rows of ``order``, the last batch as long as it is; rates are (steps, lanes)."""
    weights = lanes.weights
    count, width = weights.shape
    size = min(max(BLOCK_BYTES // (width * weights.itemsize), 4), batch)
    block = np.zeros((size, width), weights.dtype)
    block[:, data.shift.size] = data.constant
    y = np.empty(size, weights.dtype)
    weight = np.empty(size if data.weight.size > 0 else 0, weights.dtype)
    none = np.zeros(width, weights.dtype)
    work = np.empty(size, weights.dtype)
    gradient = np.empty((1, width), weights.dtype)
    sums = np.empty((count, width))
    for s in range(rates.shape[0]):
        first = s * batch
        last = min(first + batch, order.size)
        sums[:] = 0.0
        for start in range(first, last, size):
            stop = min(start + size, last)
            gather(data.rows, order, start, stop, data.shift, data.inverse_scale, block, True)
            for k in range(weight.size and stop - start):
                weight[k] = data.weight[order[start + k]]
            for lane in range(count):
                target = data.targets[lanes.target[lane]]
                for k in range(stop - start):
                    y[k] = target[order[start + k]]
                gradient[0, :] = 0
                losses[lane] += block_gradient(
                    parts,
                    lanes,
                    lane,
                    Dense(block),
                    0,
                    stop - start,
                    none,
                    0.0,
                    weights[lane],
                    y,
                    weight,
                    work,
                    gradient[0],
                )
                for j in range(width):
                    sums[lane, j] += gradient[0, j]
        for lane in range(count):
            for j in range(width):
                gradient[0, j] = sums[lane, j] / (last - first)
            move(parts, lanes, lane, rates[s, lane], t + s, gradient.dtype.type(1), gradient, 0)
