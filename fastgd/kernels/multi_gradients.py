"""The gradient of a batch of sparse rows in every lane of a tile: of the columns that they touch, or of all."""

from typing import NamedTuple

import numpy as np

from ..parts.penalties import Free
from ._jit import routine
from .lane_vectors import assume_noalias
from .lanes import FLUSH_ROWS
from .multi_lazy import LazyState, closed_form
from .products import aligned
from .rows import row_at


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


def gradient_for(weights, update, batch):
    """A gradient of batches of so many rows, for tiles of ``weights`` (tiles, d + 1, W)."""
    (_, height, width), dtype = weights.shape, weights.dtype
    columns = np.arange(height - 1, dtype=np.uint32)
    since = np.zeros((height - 1 if update == SHRINKING else 0, width))
    return SparseGradient(
        aligned((height, width), dtype),
        aligned((height if batch > FLUSH_ROWS else 0, width), np.float64),
        columns,
        columns.copy(),
        np.array([height - 1]),
        LazyState(np.array([[1.0], [0.0], [1.0]]).repeat(width, axis=1), since),
    )


@routine
def restart(gradient, update):
    """Reset it: with all columns, or with none where an ``update`` makes up for steps without a gradient."""
    last = gradient.values.shape[0] - 1
    if update != ALL_COLUMNS:
        gradient.count[0] = 0
    else:
        for k in range(last):
            zero_row(gradient.values, gradient.sums, k)
    zero_row(gradient.values, gradient.sums, last)


@routine
def zero_row(values, sums, k):
    """Begin a row anew."""
    for lane in range(values.shape[1]):
        values[k, lane] = 0
    if sums.shape[0] > 0:
        for lane in range(values.shape[1]):
            sums[k, lane] = 0


@routine
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


@routine
def flush(values, sums, height):
    """Add the first rows, and the intercept's, to float64 sums, where there are any, and reset them."""
    assume_noalias()
    last = values.shape[0] - 1
    for k in range(height + 1 if sums.shape[0] > 0 else 0):
        j = k if k < height else last
        for lane in range(sums.shape[1]):
            sums[j, lane] += values[j, lane]
            values[j, lane] = 0


@routine
def mean(values, sums, height, rows):
    """Divide the first rows, and the intercept's, by the number of rows of data; the sums are zero then."""
    assume_noalias()
    share, last = 1.0 / rows, values.shape[0] - 1
    factor = values.dtype.type(share)
    for k in range(height + 1):
        j = k if k < height else last
        if sums.shape[0] > 0:
            for lane in range(values.shape[1]):
                values[j, lane] = (sums[j, lane] + values[j, lane]) * share
                sums[j, lane] = 0
        else:
            for lane in range(values.shape[1]):
                values[j, lane] *= factor
