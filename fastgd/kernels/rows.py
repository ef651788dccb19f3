"""How rows are read. ``Dense`` answers four questions; every loop is written with them, once for all layouts.

``scores``: the products of rows with weights; ``pull``: the sum of rows times their slopes; ``gather``: rows in any
order, standardised, as a small dense block; ``shape``. Rows are centred as they are read (``x - shift``), which costs
nothing where memory is the limit, and folding the centre into the intercept instead would cancel digits.
"""

from typing import NamedTuple

import numpy as np

from ._jit import helper


class Dense(NamedTuple):
    """Rows of a C-contiguous array ``values`` (n, d), float32 or float64."""

    values: np.ndarray


@helper
def scores(rows, lo, hi, shift, weights, out):
    """``out[i - lo] = (row i - shift) @ weights`` for rows lo to hi."""
    values = rows.values
    for i in range(lo, hi):
        total = values.dtype.type(0)
        for j in range(values.shape[1]):
            total += (values[i, j] - shift[j]) * weights[j]
        out[i - lo] = total


@helper
def pull(rows, lo, hi, shift, slopes, out):
    """``out += sum of slopes[i - lo] * (row i - shift)`` over rows lo to hi."""
    values = rows.values
    d = values.shape[1]
    i = lo
    while i + 4 <= hi:  # four rows for each load and store of out
        k = i - lo
        s0, s1, s2, s3 = slopes[k], slopes[k + 1], slopes[k + 2], slopes[k + 3]
        for j in range(d):
            c = shift[j]
            out[j] += (
                s0 * (values[i, j] - c)
                + s1 * (values[i + 1, j] - c)
                + s2 * (values[i + 2, j] - c)
                + s3 * (values[i + 3, j] - c)
            )
        i += 4
    while i < hi:
        s0 = slopes[i - lo]
        for j in range(d):
            out[j] += s0 * (values[i, j] - shift[j])
        i += 1


@helper
def gather(rows, order, lo, hi, shift, inverse_scale, out):
    """Row ``order[k]`` standardised into ``out[k - lo]``; a column of ``out`` beyond the data's is the intercept's 1."""
    values = rows.values
    d = values.shape[1]
    for k in range(lo, hi):
        i = order[k]
        for j in range(d):
            out[k - lo, j] = (values[i, j] - shift[j]) * inverse_scale[j]
        for j in range(d, out.shape[1]):
            out[k - lo, j] = 1
