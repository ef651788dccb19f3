"""How kernels read rows: a few questions that every layout answers, so that loops are written once.

Rows are those at lo to hi of the data, or those that ``order`` names there. Dense rows are centred as they are read:
folding the centre into the intercept would cancel digits. Sparse rows are never centred, which would fill them: their
shift is zero. Nothing is copied.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import overload

from ._jit import IN_ORDER, INLINE, compiled_as
from .layouts import CSR, Dense
from .prefetching import prefetch_row, prefetch_run

__all__ = ["CSR", "Dense", "Scaled"]


class Scaled(NamedTuple):
    """Dense rows standardised as they are read: ``(values - shift) * inverse_scale``."""

    values: np.ndarray
    shift: np.ndarray  # (d,)
    inverse_scale: np.ndarray  # (d,)
    sparse = False

    def at(self, i, j):
        return (self.values[i, j] - self.shift[j]) * self.inverse_scale[j]


def row_at(order, k):
    """The row at position k; where there is no order, None or empty, row k."""
    return k if order is None or order.size == 0 else order[k]


@compiled_as(row_at)
def _(order, k):
    if hasattr(order, "dtype"):
        return lambda order, k: order[k] if order.size > 0 else k
    return lambda order, k: k


def dispatch_on_layout(dense, sparse, **options):
    """A function of rows and more arguments that is ``dense`` or ``sparse``, by their layout, known when compiled."""

    def ask(rows, *arguments):
        return (sparse if rows.sparse else dense)(rows, *arguments)

    @overload(ask, jit_options={**INLINE, **options}, strict=False)
    def _(rows, *arguments):
        return None if rows.instance_class.sparse else dense

    @overload(ask, jit_options={**INLINE, **IN_ORDER, **options}, strict=False)
    def _(rows, *arguments):
        return sparse if rows.instance_class.sparse else None

    return ask


# Single rows --------------------------------------------------------------------------------------------------------


def _dense_prefetch(rows, i):
    prefetch_row(rows.values, i)


def _sparse_prefetch(rows, i):
    first, last = rows.starts[np.uint64(i)], rows.starts[np.uint64(i) + np.uint64(1)]
    prefetch_run(rows.values, first, last)
    prefetch_run(rows.indices, first, last)


# Ask the memory for row i.
prefetch = dispatch_on_layout(_dense_prefetch, _sparse_prefetch)
