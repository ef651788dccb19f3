"""Full batch: the gradient over all rows, cut into fixed chunks whose float64 sums are added in chunk order.

The chunks depend on the shape alone, so the bits do not depend on how many threads run them.
"""

import numpy as np

from ._jit import helper, kernel
from .lanes import block_gradient, move, penalty_cost

BLOCK_BYTES = 1 << 13  # rows read at once stay in the first-level cache between the two products
FLUSH_ROWS = 256  # sums in the data's own type run no longer than this
CHUNK_ELEMENTS = 1 << 17
CHUNK_ROWS = 256


def chunk_rows(n, d):
    """Rows a chunk: about 1 MB, and at least 256 so that the chunks' sums stay small beside the data."""
    return max(CHUNK_ROWS, CHUNK_ELEMENTS // max(d, 1))


@helper
def chunk_gradient(data, parts, lanes, lo, hi, sums, losses):
    """The sums of slope * row (lanes, width) and of the losses (lanes,) over rows lo to hi, in float64."""
    count, width = lanes.weights.shape
    d = data.shift.size
    block = max(16, BLOCK_BYTES // (d * data.shift.itemsize) // 8 * 8)
    scaled = lanes.weights.copy()
    gradient = np.empty(width, scaled.dtype)
    work = np.empty(block, scaled.dtype)
    sums[:] = 0.0
    losses[:] = 0.0
    for lane in range(count):
        for j in range(d):
            scaled[lane, j] *= data.inverse_scale[j]
    flush = max(block, FLUSH_ROWS // block * block)
    for first in range(lo, hi, flush):
        last = min(first + flush, hi)
        for lane in range(count):
            gradient[:] = 0
            for start in range(first, last, block):
                stop = min(start + block, last)
                losses[lane] += block_gradient(
                    parts,
                    lanes,
                    lane,
                    data.rows,
                    start,
                    stop,
                    data.shift,
                    data.constant,
                    scaled[lane],
                    data.targets[lanes.target[lane], start:stop],
                    data.weight[start:stop],
                    work,
                    gradient,
                )
            for j in range(width):
                sums[lane, j] += gradient[j]


@helper
def step(data, parts, lanes, n, rates, t, sums, losses, objective, norm):
    """Report the objective and the gradient's norm of every lane, then move it; ``sums`` are over all n rows.

    A lane whose objective or gradient is not finite stays where it is.
    """
    count, width = lanes.weights.shape
    d = data.shift.size
    gradient = np.empty((1, width), lanes.weights.dtype)
    for lane in range(count):
        square = 0.0
        for j in range(width):
            g = sums[lane, j] / n
            if j < d:
                g *= data.inverse_scale[j]
            square += g * g
            gradient[0, j] = g
        objective[lane] = losses[lane] / n + penalty_cost(parts, lanes, lane)
        norm[lane] = np.sqrt(square)
        if rates[lane] > 0.0 and np.isfinite(objective[lane]) and np.isfinite(square):
            move(parts, lanes, lane, rates[lane], t, gradient.dtype.type(1), gradient, 0)


@kernel
def chunk_sums(data, parts, lanes, chunk, first, last, sums, losses):
    """The sums of chunks first to last, each ``chunk`` rows: (chunks, lanes, width) and (chunks, lanes)."""
    n = data.targets.shape[1]
    for c in range(first, last):
        chunk_gradient(data, parts, lanes, c * chunk, min((c + 1) * chunk, n), sums[c], losses[c])


@kernel
def finish(data, parts, lanes, rates, t, sums, losses, objective, norm):
    """Add the chunks in order and take the step; a rate of 0 only reports."""
    for c in range(1, sums.shape[0]):
        for lane in range(sums.shape[1]):
            losses[0, lane] += losses[c, lane]
            for j in range(sums.shape[2]):
                sums[0, lane, j] += sums[c, lane, j]
    step(data, parts, lanes, data.targets.shape[1], rates, t, sums[0], losses[0], objective, norm)


@kernel
def small_steps(data, parts, lanes, rates, t, sums, losses, objective, norm):
    """Several full-batch steps over data of one chunk: rates, objective and norm are (steps, lanes)."""
    n = data.targets.shape[1]
    for k in range(rates.shape[0]):
        chunk_gradient(data, parts, lanes, 0, n, sums[0], losses[0])
        step(data, parts, lanes, n, rates[k], t + k, sums[0], losses[0], objective[k], norm[k])


@kernel
def moments(data, chunk, first, last, totals, means, squares):
    """Weight, weighted mean and centred sum of squares of each column over chunks first to last, in float64.

    A chunk is read twice, the second time from the cache: sums of raw squares would cancel on columns such as years.
    """
    values = data.rows.values
    n, d = values.shape
    for c in range(first, last):
        lo, hi = c * chunk, min((c + 1) * chunk, n)
        mean, square = means[c], squares[c]
        mean[:] = 0.0
        square[:] = 0.0
        total = 0.0
        for i in range(lo, hi):
            w = np.float64(data.weight[i]) if data.weight.size > 0 else 1.0
            row = values[i]
            total += w
            for j in range(d):
                mean[j] += w * row[j]
        totals[c] = total
        for j in range(d):
            mean[j] /= max(total, 1e-300)
        for i in range(lo, hi):
            w = np.float64(data.weight[i]) if data.weight.size > 0 else 1.0
            row = values[i]
            for j in range(d):
                square[j] += w * (row[j] - mean[j]) * (row[j] - mean[j])


@kernel
def largest_row(data, chunk, first, last, out):
    """The largest weight * |standardised row|**2 of each chunk, the intercept's 1 included."""
    values = data.rows.values
    n, d = values.shape
    for c in range(first, last):
        largest = 0.0
        for i in range(c * chunk, min((c + 1) * chunk, n)):
            row = values[i]
            square = values.dtype.type(0)
            for j in range(d):
                z = (row[j] - data.shift[j]) * data.inverse_scale[j]
                square += z * z
            value = np.float64(square) + data.constant
            if data.weight.size > 0:
                value *= data.weight[i]
            largest = max(largest, value)
        out[c] = largest
