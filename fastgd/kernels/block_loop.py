"""Mini-batches: the mean gradient of a batch of rows, then one step; a large batch is summed in float64 by blocks."""

import numpy as np

from ._jit import kernel, lane_of
from .lanes import block_gradient, move
from .rows import Dense, gather

BLOCK_BYTES = 1 << 13  # rows read at once stay in the first-level cache
BLOCK_ROWS = 16
FLUSH_ROWS = 256  # sums in the data's own type run no longer than this


@kernel
def batch_steps(data, parts, lanes, order, batch, rates, t, losses):
    """One step for every ``batch`` rows of ``order``, the last batch as long as it is; rates are (steps, lanes)."""
    count, width = lanes.weights.shape
    dtype = lanes.weights.dtype
    size = min(max(BLOCK_BYTES // (width * lanes.weights.itemsize) // 8 * 8, BLOCK_ROWS), batch)
    flush = max(FLUSH_ROWS // size, 1) * size
    block = np.zeros((size, width), dtype)
    for k in range(size):
        block[k, data.shift.size] = data.constant
    y = np.empty(size, dtype)
    weight = np.empty(size if data.weight.size > 0 else 0, dtype)
    none = np.zeros(width, dtype)
    work = np.empty(size, dtype)
    gradient = np.zeros((count, width), dtype)
    sums = np.zeros((count, width))
    for s in range(rates.shape[0]):
        first = s * batch
        last = min(first + batch, order.size)
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
                    gradient[lane],
                )
            if (stop - first) % flush == 0 and stop < last:
                for lane in range(count):
                    for j in range(width):
                        sums[lane, j] += gradient[lane, j]
                        gradient[lane, j] = 0
        for lane in range(count):
            for j in range(width):
                gradient[lane, j] = (sums[lane, j] + gradient[lane, j]) / (last - first)
                sums[lane, j] = 0.0
            move(parts, lanes, lane, rates[s, lane], t + s, dtype.type(1), gradient, lane)
            for j in range(width):
                gradient[lane, j] = 0
