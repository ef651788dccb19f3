"""How rows are read: a number at a time (``at``), or a block of rows multiplied (``scores``, ``pull``).

A block is rows lo to hi of the data, or those that ``order`` names there; every loop is written with these questions,
once for all layouts. Rows are centred as they are read: folding the centre into the intercept would cancel digits.
Nothing is copied.
"""

from typing import NamedTuple

import numpy as np

from ._jit import compiled_as, helper
from .simd import block_add, block_dot, prefetch_row


class Dense(NamedTuple):
    """Rows of a C-contiguous array ``values`` (n, d), float32 or float64."""

    values: np.ndarray

    def at(self, i, j):
        return self.values[i, j]


class Scaled(NamedTuple):
    """Dense rows standardised as they are read: ``(values - shift) * inverse_scale``."""

    values: np.ndarray
    shift: np.ndarray  # (d,)
    inverse_scale: np.ndarray  # (d,)

    def at(self, i, j):
        return (self.values[i, j] - self.shift[j]) * self.inverse_scale[j]


def row_at(order, k):
    """The row at position k."""
    return k if order is None else order[k]


@compiled_as(row_at)
def _(order, k):
    if hasattr(order, "dtype"):
        return lambda order, k: order[k]
    return lambda order, k: k


@helper
def scores(rows, order, lo, hi, shift, weights, out):
    """``out[k - lo] = (row at k - shift) @ weights``; weights beyond a row's length are not read."""
    block_dot(rows.values, order, lo, hi, shift, weights, out)


@helper
def pull(rows, order, lo, hi, shift, slopes, out):
    """``out += sum of slopes[k - lo] * (row at k - shift)``."""
    block_add(rows.values, order, lo, hi, shift, slopes, out)


@helper
def prefetch(rows, i):
    """Ask the memory for row i."""
    prefetch_row(rows.values, i)
