"""What Newton's method needs besides gradients: the loss's second derivative at each row; and small solves."""

import numpy as np

from ._jit import kernel
from .addresses import address, call
from .lanes import add_offsets, block_rows
from .part_functions import second_derivative_block
from .rows import scores


def second_derivatives(data, loss, lanes, lane, chunk, first, last, out):
    """The rows' weights times the loss's second derivative at one lane's scores, (n,), over chunks first to last.

    ``data.weight`` counts, folds and replicates do not.
    """
    function = address(second_derivative_block, out.dtype, type(loss))
    _second_derivatives(data, function, lanes, lane, chunk, first, last, out)


@kernel
def _second_derivatives(data, function, lanes, lane, chunk, first, last, out):
    d = data.shift.size
    block = block_rows(data)
    scaled = np.empty(d, data.shift.dtype)
    work = np.empty(block, data.shift.dtype)
    y = data.targets[lanes.target[lane]]
    intercept = lanes.weights[lane, d] * data.constant
    for j in range(d):
        scaled[j] = lanes.weights[lane, j] * data.inverse_scale[j]
    for c in range(first, last):
        hi = min((c + 1) * chunk, y.size)
        for start in range(c * chunk, hi, block):
            stop = min(start + block, hi)
            scores(data.rows, None, start, stop, data.shift, scaled, work)
            if data.offset.size > 0:
                add_offsets(data.offset, None, start, stop, work)
            call(function, lanes.loss, lane, work, stop - start, intercept, y, start, data.weight, out)


def descend_coordinates(H, g, part, fields, low, high, w, sweeps, tolerance):
    """Minimise ``g @ (u - w) + (u - w) @ H @ (u - w) / 2`` plus the penalty of u within bounds; into ``w``.

    Coordinate descent, as for the lasso (Friedman, Hastie and Tibshirani 2010); ``part`` is the penalty, the last
    weight is free of it. Ends when no coordinate lowers the sum by ``tolerance``, or after so many sweeps.
    """
    _descend_coordinates(H, g.copy(), type(part)(*fields[0].tolist()), low, high, w, sweeps, tolerance)


@kernel
def _descend_coordinates(H, slope, penalty, low, high, w, sweeps, tolerance):
    D = w.size
    for _ in range(sweeps):
        largest = 0.0
        for j in range(D):
            if H[j, j] > 0.0:
                step = 1.0 / H[j, j]
                new = w[j] - slope[j] * step
                if j < D - 1:
                    new = penalty.prox(new, step, low[j], high[j])
                change = new - w[j]
                if change != 0.0:
                    w[j] = new
                    for i in range(D):
                        slope[i] += change * H[j, i]
                    fall = change * change * H[j, j]
                    if fall > largest:
                        largest = fall
        if not largest > tolerance:
            break
