"""How rows are read. ``Dense`` answers a few questions; every loop is written with them, once for all layouts.

``scores``: the products of rows with weights; ``pull``: the sum of rows times their slopes; ``gather``: rows in any
order, standardised, as a small dense block; ``prefetch``: a hint. Rows are centred as they are read (``x - shift``):
folding the centre into the intercept instead would cancel digits.
"""

from typing import NamedTuple

import numpy as np

from ._jit import helper
from .simd import block_add, block_dot, prefetch_row, scale_row


class Dense(NamedTuple):
    """Rows of a C-contiguous array ``values`` (n, d), float32 or float64."""

    values: np.ndarray


@helper
def scores(rows, lo, hi, shift, weights, out):
    """``out[i - lo] = (row i - shift) @ weights`` for rows lo to hi; weights beyond a row's length are not read."""
    block_dot(rows.values, lo, hi, shift, weights, out)


@helper
def pull(rows, lo, hi, shift, slopes, out):
    """``out += sum of slopes[i - lo] * (row i - shift)`` over rows lo to hi."""
    block_add(rows.values, lo, hi, shift, slopes, out)


@helper
def gather(rows, order, lo, hi, shift, inverse_scale, out, ahead=False):
    """Row ``order[k]`` standardised into the first d columns of ``out[k - lo]``.

    With ``ahead``, the memory is asked at the same time for the rows of the next block: 71 ns a row against 93 without
    (float64, d=50, batches of 32).
    """
    for k in range(lo, hi):
        if ahead and k + hi - lo < order.size:
            prefetch_row(rows.values, order[k + hi - lo])
        scale_row(rows.values, order[k], shift, inverse_scale, out, k - lo)


@helper
def prefetch(rows, i):
    """Ask the memory for row i."""
    prefetch_row(rows.values, i)
