"""Batch size 1: one row, one step. Rows come through a small standardised block that stays in the cache.

While a block's steps run, each depending on the one before, the memory is asked for the rows of the next block: 82 ns
a row against 105 without (float64, d=50, random blocks of rows; 39 against 62 in float32).
"""

import numpy as np

from ._jit import kernel, lane_of
from .lanes import move
from .rows import gather, prefetch

BLOCK_BYTES = 1 << 14
BLOCK_ROWS = 16  # 64 rows, asked for so early, are driven out again: 89 ns


@kernel
def row_steps(data, parts, lanes, order, rates, t, losses):
    """One step for each row of ``order``; rates (steps, lanes); the sums of losses met are added to ``losses``."""
    weights = lanes.weights
    width = weights.shape[1]
    size = min(max(BLOCK_BYTES // (width * weights.itemsize), 4), BLOCK_ROWS)
    block = np.zeros((size, width), weights.dtype)
    for k in range(size):
        block[k, data.shift.size] = data.constant
    for start in range(0, order.size, size):
        stop = min(start + size, order.size)
        gather(data.rows, order, start, stop, data.shift, data.inverse_scale, block)
        for k in range(start, stop):
            i = order[k]
            if k + size < order.size:
                prefetch(data.rows, order[k + size])
            for lane in range(weights.shape[0]):
                loss = lane_of(parts.loss, lanes.loss, lane)
                p = weights.dtype.type(0)
                for j in range(width):
                    p += block[k - start, j] * weights[lane, j]
                y = data.targets[lanes.target[lane], i]
                value = np.float64(loss.value(p, y))
                slope = weights.dtype.type(loss.slope(p, y))
                if data.weight.size > 0:
                    value *= data.weight[i]
                    slope *= data.weight[i]
                losses[lane] += value
                move(parts, lanes, lane, rates[k, lane], t + k, slope, block, k - start)
