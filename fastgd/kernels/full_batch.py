"""Full batch: the gradient over all rows, cut into fixed chunks whose float64 sums are added in chunk order.

The chunks depend on the shape alone, so the bits do not depend on how many threads run them.
"""

import numpy as np

from ._jit import in_order, kernel, lane_of, routine
from .lanes import (
    FLUSH_ROWS,
    PENALTY,
    block_gradient,
    block_of,
    finite,
    loss_of,
    move_of,
    penalty_cost,
    step_lane,
)
from .rows import flush, sums_of

CHUNK_ELEMENTS = 1 << 17
CHUNK_ROWS = 256
SPARSE_CHUNKS = 64


def chunk_rows(rows):
    """Rows a chunk: about 1 MB, and so many that the chunks' sums, a number a column, stay small beside the data."""
    n, d = rows.shape
    if rows.sparse:
        chunks = max(1, rows.stored // max(CHUNK_ELEMENTS, 4 * d))
        return max(CHUNK_ROWS, -(-n // min(chunks, SPARSE_CHUNKS)))
    return max(CHUNK_ROWS, CHUNK_ELEMENTS // d)


@routine
def chunk_gradient(data, loss, lanes, lo, hi, c, sums, losses):
    """The sums of slope * scaled row (lanes, d + 1) and of the losses (lanes,) over rows lo to hi, float64, into row c.

    ``loss`` is the address of its ``loss_block``. Loops fill the arrays: an assignment to a slice takes 0.3 s to
    compile.
    """
    count, width = lanes.weights.shape
    d = data.shift.size
    block = block_of(data)
    size = block.scores.size
    together = FLUSH_ROWS // size * size
    scaled = np.empty(width, lanes.weights.dtype)
    gradient = np.empty(width, lanes.weights.dtype)
    for lane in range(count):
        y = data.targets[lanes.target[lane]]
        total = 0.0
        for j in range(width):
            scaled[j] = lanes.weights[lane, j]
            sums[c, lane, j] = 0.0
            gradient[j] = 0
        for j in range(d):
            scaled[j] *= data.inverse_scale[j]
        whole = sums[c, lane]
        out = sums_of(data.rows, gradient, whole)
        for first in range(lo, hi, together):
            last = min(first + together, hi)
            for start in range(first, last, size):
                stop = min(start + size, last)
                total += block_gradient(loss, lanes.loss, lane, data, None, start, stop, scaled, y, block, out)
            flush(data.rows, gradient, whole)
        for j in range(d):
            sums[c, lane, j] *= data.inverse_scale[j]
        losses[c, lane] = total


@in_order
def subgradient_square(data, free, lanes, lane, sums):
    """The squared norm of the objective's smallest subgradient; row 0 of ``sums`` is over all rows."""
    penalty = lane_of(PENALTY, lanes.penalty, lane)
    d = data.shift.size
    square = (sums[0, lane, d] / data.count) ** 2
    for j in range(d):
        slope = sums[0, lane, j] / data.count
        if not free:
            slope = penalty.slope(lanes.weights[lane, j], slope, lanes.low[lane, j], lanes.high[lane, j])
        square += slope * slope
    return square


@routine
def step(data, move, lanes, rates, k, t, sums, losses, objective, norm):
    """Report the objective and the norm of its smallest subgradient of every lane, then move it.

    A lane whose objective or gradient is not finite stays where it is, and with it all of its model. Row 0 of ``sums``
    and ``losses`` is over all rows; row k of rates, objective and norm is this step's.
    """
    count, width = lanes.weights.shape
    gradient = np.empty((count, width), lanes.weights.dtype)
    for first in range(0, count, max(1, data.classes)):
        whole = True
        for lane in range(first, first + data.classes):
            square = subgradient_square(data, move.free, lanes, lane, sums)
            objective[k, lane] = losses[0, lane] / data.count
            if not move.free:
                objective[k, lane] += penalty_cost(lanes, lane)
            norm[k, lane] = np.sqrt(square)
            whole = whole and finite(objective[k, lane]) and finite(square)
        for lane in range(first, first + data.classes if whole else first):
            for j in range(width):
                gradient[lane, j] = sums[0, lane, j] / data.count
            step_lane(move, lanes, lane, rates[k, lane], t, gradient)


def chunk_sums(data, loss, lanes, chunk, first, last, sums, losses):
    """The sums of chunks first to last, each ``chunk`` rows: (chunks, lanes, d + 1) and (chunks, lanes)."""
    _chunk_sums(data, loss_of(loss, lanes), lanes, chunk, first, last, sums, losses)


@kernel
def _chunk_sums(data, loss, lanes, chunk, first, last, sums, losses):
    n = data.targets.shape[1]
    for c in range(first, last):
        chunk_gradient(data, loss, lanes, c * chunk, min((c + 1) * chunk, n), c, sums, losses)


def finish(data, parts, lanes, rates, t, sums, losses, objective, norm):
    """Add the chunks in order and take the step. Rates, objective, norm: (1, lanes)."""
    _finish(data, move_of(parts, lanes), lanes, rates, t, sums, losses, objective, norm)


@kernel
def _finish(data, move, lanes, rates, t, sums, losses, objective, norm):
    for c in range(1, sums.shape[0]):
        for lane in range(sums.shape[1]):
            losses[0, lane] += losses[c, lane]
            for j in range(sums.shape[2]):
                sums[0, lane, j] += sums[c, lane, j]
    step(data, move, lanes, rates, 0, t, sums, losses, objective, norm)


def small_steps(data, parts, lanes, rates, t, sums, losses, objective, norm):
    """Several full-batch steps over data of one chunk: rates, objective and norm are (steps, lanes)."""
    _small_steps(
        data, loss_of(parts.loss, lanes), move_of(parts, lanes), lanes, rates, t, sums, losses, objective, norm
    )


@kernel
def _small_steps(data, loss, move, lanes, rates, t, sums, losses, objective, norm):
    n = data.targets.shape[1]
    for k in range(rates.shape[0]):
        chunk_gradient(data, loss, lanes, 0, n, 0, sums, losses)
        step(data, move, lanes, rates, k, t + k, sums, losses, objective, norm)
