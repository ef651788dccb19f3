"""The gradient of a batch in every lane of a tile: of all columns, or of those that the batch's sparse rows touch."""

from typing import NamedTuple

import numpy as np

from ..parts.penalties import Free
from . import products, sparse_products
from ._jit import UNCOUNTED, branch
from .lane_vectors import assume_noalias
from .lanes import FLUSH_ROWS
from .multi_lazy import LazyState, closed_form, refresh, refresh_all, store
from .rows import dispatch_on_layout, row_at
from .tiles import fill, scratch


class DenseGradient(NamedTuple):
    """A row for every column, then one for the intercept."""

    values: np.ndarray  # (d + 1, W) T
    sums: np.ndarray  # (d + 1, W) float64, of batches of more than ``FLUSH_ROWS`` rows; else (0, W)
    columns: np.ndarray  # (0,) uint32: all of them in their order
    sparse = False


class SparseGradient(NamedTuple):
    """A row for each column that the batch touches, in the order of their first numbers; the last one the intercept's.

    The set of these columns is two lists that point at each other and need not be cleared (Briggs and Torczon 1993): a
    step costs nothing for the others. As its rows are contiguous, the gradient of a batch stays in the cache.
    """

    values: np.ndarray  # (d + 1, W) T
    sums: np.ndarray  # (d + 1, W) float64, or (0, W)
    columns: np.ndarray  # (d,) uint32, the column of each row
    position: np.ndarray  # (d,) uint32, the row of a column, where ``columns`` agrees
    count: np.ndarray  # (1,) int64, the number of these columns
    lazy: tuple  # the ``LazyState`` of the other columns
    sparse = True


ALL_COLUMNS, NO_DRIFT, SHRINKING = range(3)


def update_of(optimizer, penalty):
    """How steps treat a weight without a gradient, for an optimizer class and a penalty class.

    They move all columns; or leave it; or shrink it, which is done when it is next read.
    """
    if closed_form(optimizer, penalty):
        return SHRINKING
    stays = penalty is Free and optimizer.zero_gradient in ("sgd", "adagrad") and not optimizer.decays
    return NO_DRIFT if stays else ALL_COLUMNS


def zero_gradient_update(parts):
    """The same for parts."""
    return update_of(type(parts.optimizer), type(parts.penalty))


def _dense_gradient(rows, data, update, work, batch):
    width = work.S.shape[1]
    height = data.shift.size + 1
    sums = scratch(height if batch > FLUSH_ROWS else 0, width, work.weight)
    return DenseGradient(scratch(height, width, work.S), sums, np.empty(0, np.uint32))


def _sparse_gradient(rows, data, update, work, batch):
    width = work.S.shape[1]
    height = data.shift.size + 1
    sums = scratch(height if batch > FLUSH_ROWS else 0, width, work.weight)
    columns, position = np.empty(height - 1, np.uint32), np.empty(height - 1, np.uint32)
    for j in range(height - 1):
        columns[j] = j
        position[j] = j
    count = np.empty(1, np.int64)
    count[0] = height - 1
    lazy = LazyState(
        scratch(3, width, work.weight), scratch(height - 1 if update == SHRINKING else 0, width, work.weight)
    )
    fill(lazy.totals, 0.0)
    fill(lazy.since, 0.0)
    for lane in range(width):
        lazy.totals[0, lane] = lazy.totals[2, lane] = 1.0
    return SparseGradient(scratch(height, width, work.S), sums, columns, position, count, lazy)


def _begin_dense(gradient, update):
    fill(gradient.values, 0)
    fill(gradient.sums, 0)


def _begin_sparse(gradient, update):
    if update != ALL_COLUMNS:
        gradient.count[0] = 0
        last = gradient.values.shape[0] - 1
        zero_row(gradient.values, gradient.sums, last)
    else:
        fill(gradient.values, 0)
        fill(gradient.sums, 0)


@branch
def zero_row(values, sums, k):
    """Begin a row anew."""
    for lane in range(values.shape[1]):
        values[k, lane] = 0
    if sums.shape[0] > 0:
        for lane in range(values.shape[1]):
            sums[k, lane] = 0


@branch
def touch(rows, order, lo, count, gradient):
    """Give each column of the ``count`` rows at ``lo`` a row of the gradient."""
    columns, position = gradient.columns, gradient.position
    known = np.uint64(gradient.count[0])
    for k in range(count):
        i = np.uint64(row_at(order, lo + k))
        for q in range(rows.starts[i], rows.starts[i + np.uint64(1)]):
            j = rows.indices[q]
            p = np.uint64(position[j])
            if p >= known or columns[p] != j:
                columns[known] = j
                position[j] = known
                zero_row(gradient.values, gradient.sums, np.int64(known))
                known += np.uint64(1)
    gradient.count[0] = np.int64(known)


def _dense_collect(rows, data, order, lo, count, work, gradient):
    products.add_weighted_rows(work.Z, count, work.S, gradient.values)


def _sparse_collect(rows, data, order, lo, count, work, gradient):
    sparse_products.add_weighted_rows(
        rows, order, lo, count, data.inverse_scale, data.constant, work.S, gradient.position, gradient.values
    )


def _dense_refresh_columns(gradient, rows, order, lo, count, update, tiles, tile, weights):
    pass


def _sparse_refresh_columns(gradient, rows, order, lo, count, update, tiles, tile, weights):
    if update != ALL_COLUMNS:
        known = gradient.count[0]
        touch(rows, order, lo, count, gradient)
        if update == SHRINKING:
            refresh(tiles, tile, weights, gradient.lazy, gradient.columns, known, gradient.count[0])


def _dense_mark_stale(gradient, update, coefficients, tiles, tile, weights):
    pass


def _sparse_mark_stale(gradient, update, coefficients, tiles, tile, weights):
    if update == SHRINKING:
        store(tiles, tile, coefficients, weights, gradient.lazy, gradient.columns, gradient.count[0])


def _dense_refresh_weights(gradient, update, tiles, tile, weights):
    pass


def _sparse_refresh_weights(gradient, update, tiles, tile, weights):
    if update == SHRINKING:
        refresh_all(tiles, tile, weights, gradient.lazy)


# Bring the weights of the columns of the ``count`` rows at ``lo`` up to date.
refresh_columns = dispatch_on_layout(_dense_refresh_columns, _sparse_refresh_columns, **UNCOUNTED)
# After the step, store these in the form that steps without a gradient do not change.
mark_stale = dispatch_on_layout(_dense_mark_stale, _sparse_mark_stale, **UNCOUNTED)
# Bring all weights up to date.
refresh_weights = dispatch_on_layout(_dense_refresh_weights, _sparse_refresh_weights, **UNCOUNTED)
# A gradient for batches of so many rows.
gradient_for = dispatch_on_layout(_dense_gradient, _sparse_gradient)
# Reset it: with all columns, or with none where an ``update`` makes up for steps without a gradient.
begin = dispatch_on_layout(_begin_dense, _begin_sparse, **UNCOUNTED)
# Add the gradient of the ``count`` rows at ``lo``, whose slopes are in the workspace.
collect = dispatch_on_layout(_dense_collect, _sparse_collect, **UNCOUNTED)
# The number of columns, of ``d``, that it has rows for.
height = dispatch_on_layout(lambda gradient, d: d, lambda gradient, d: gradient.count[0], **UNCOUNTED)


@branch
def flush(values, sums, height):
    """Add the first rows, and the intercept's, to float64 sums, where there are any, and reset them."""
    assume_noalias()
    last = values.shape[0] - 1
    for k in range(height + 1 if sums.shape[0] > 0 else 0):
        j = k if k < height else last
        for lane in range(sums.shape[1]):
            sums[j, lane] += values[j, lane]
            values[j, lane] = 0


@branch
def mean(values, sums, height, rows):
    """Divide the first rows, and the intercept's, by the number of rows of data."""
    assume_noalias()
    share, last = 1.0 / rows, values.shape[0] - 1
    factor = values.dtype.type(share)
    for k in range(height + 1):
        j = k if k < height else last
        if sums.shape[0] > 0:
            for lane in range(values.shape[1]):
                values[j, lane] = (sums[j, lane] + values[j, lane]) * share
        else:
            for lane in range(values.shape[1]):
                values[j, lane] *= factor
