"""The gradient of a batch in every lane of a tile: of all columns, or of those that the batch's sparse rows touch."""

from typing import NamedTuple

import numpy as np

from ..parts.optimizers import Adagrad, Sgd
from ..parts.penalties import Free
from . import products, sparse_products
from ._jit import UNCOUNTED, branch, compiled_as
from .across import apart
from .lane_lazy import Asleep, fall_asleep, settle, shrinks, wake
from .lanes import FLUSH_ROWS
from .rows import question, row_at
from .tiles import fill, scratch


class Whole(NamedTuple):
    """A row for every column, the intercept's behind them."""

    values: np.ndarray  # (d + 1, W) T
    sums: np.ndarray  # (d + 1, W) float64, of batches of more than ``FLUSH_ROWS`` rows; else (0, W)
    sparse = False

    def at(self, k, lane):
        return self.values[k, lane]


class Touched(NamedTuple):
    """A row for each column that was touched, in the order in which they were, and the last one for the intercept.

    Which columns were is known from two lists that point at each other and need not be cleared (Briggs and Torczon
    1993): a step costs nothing for the others. As rows follow each other, those of a batch stay in the cache.
    """

    values: np.ndarray  # (d + 1, W) T
    sums: np.ndarray  # (d + 1, W) float64, or (0, W)
    columns: np.ndarray  # (d,) uint32, the column of each row
    place: np.ndarray  # (d,) uint32, the row of a column, where ``columns`` agrees
    count: np.ndarray  # (1,) int64, how many were
    asleep: tuple  # of ``lane_lazy``, what steps do to the other columns
    sparse = True

    def at(self, k, lane):
        return self.values[k, lane]


EAGER, STILL, SHRINKING = range(3)


def rests(parts):
    """What steps do to a weight of gradient zero: what takes a step of it; nothing; or what can be done later."""
    optimizer, free = type(parts.optimizer), type(parts.penalty) is Free
    return SHRINKING if shrinks(parts) else STILL if free and optimizer in (Sgd, Adagrad) else EAGER


@compiled_as(rests, **UNCOUNTED)
def _(parts):
    optimizer, penalty = parts[1].instance_class, parts[2].instance_class
    if optimizer is Sgd:
        found = STILL if penalty is Free else SHRINKING
    else:
        found = STILL if optimizer is Adagrad and penalty is Free else EAGER
    return lambda parts: found


def _dense_gradient(rows, data, parts, on, batch):
    width = on.y.size
    height = data.shift.size + 1
    sums = scratch(height if batch > FLUSH_ROWS else 0, width, on.weight)
    return Whole(scratch(height, width, on.S), sums)


def _sparse_gradient(rows, data, parts, on, batch):
    width = on.y.size
    height = data.shift.size + 1
    sums = scratch(height if batch > FLUSH_ROWS else 0, width, on.weight)
    columns, place = np.empty(height - 1, np.uint32), np.empty(height - 1, np.uint32)
    for j in range(height - 1):
        columns[j] = j
        place[j] = j
    count = np.empty(1, np.int64)
    count[0] = height - 1
    asleep = Asleep(scratch(3, width, on.weight), scratch(height - 1 if shrinks(parts) else 0, width, on.weight))
    fill(asleep.now, 0.0)
    fill(asleep.since, 0.0)
    for lane in range(width):
        asleep.now[0, lane] = asleep.now[2, lane] = 1.0
    return Touched(scratch(height, width, on.S), sums, columns, place, count, asleep)


def _begin_whole(gradient, rest):
    fill(gradient.values, 0)
    fill(gradient.sums, 0)


def _begin_touched(gradient, rest):
    if rest != EAGER:
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
    """Give the columns of the rows at ``lo`` on a row of the gradient each."""
    columns, place = gradient.columns, gradient.place
    known = np.uint64(gradient.count[0])
    for k in range(count):
        i = np.uint64(row_at(order, lo + k))
        for q in range(rows.starts[i], rows.starts[i + np.uint64(1)]):
            j = rows.indices[q]
            p = np.uint64(place[j])
            if p >= known or columns[p] != j:
                columns[known] = j
                place[j] = known
                zero_row(gradient.values, gradient.sums, np.int64(known))
                known += np.uint64(1)
    gradient.count[0] = np.int64(known)


def _dense_collect(rows, data, order, lo, count, on, gradient):
    products.pull(on.Z, count, on.S, gradient.values)


def _sparse_collect(rows, data, order, lo, count, on, gradient):
    sparse_products.pull(
        rows, order, lo, count, data.inverse_scale, data.constant, on.S, gradient.place, gradient.values
    )


def _dense_reach(gradient, rows, order, lo, count, rest, parts, tiles, tile, weights):
    pass


def _sparse_reach(gradient, rows, order, lo, count, rest, parts, tiles, tile, weights):
    if rest != EAGER:
        known = gradient.count[0]
        touch(rows, order, lo, count, gradient)
        if shrinks(parts) and rest == SHRINKING:
            wake(parts, tiles, tile, weights, gradient.asleep, gradient.columns, known, gradient.count[0])


def _dense_leave(gradient, rest, parts, coefficients, tiles, tile, weights):
    pass


def _sparse_leave(gradient, rest, parts, coefficients, tiles, tile, weights):
    if shrinks(parts) and rest == SHRINKING:
        fall_asleep(parts, tiles, tile, coefficients, weights, gradient.asleep, gradient.columns, gradient.count[0])


def _dense_close(gradient, rest, parts, tiles, tile, weights):
    pass


def _sparse_close(gradient, rest, parts, tiles, tile, weights):
    if shrinks(parts) and rest == SHRINKING:
        settle(parts, tiles, tile, weights, gradient.asleep)


# Bring the weights up to date that the ``count`` rows at ``lo`` ask for.
reach = question(_dense_reach, _sparse_reach, **UNCOUNTED)
# Let those go that were asked for, after the step.
leave = question(_dense_leave, _sparse_leave, **UNCOUNTED)
# Bring all weights up to date.
close = question(_dense_close, _sparse_close, **UNCOUNTED)
# A gradient for batches of so many rows.
gradient_for = question(_dense_gradient, _sparse_gradient)
# Begin it anew: with all columns, or with none where weights that no row touches ``rest``.
begin = question(_begin_whole, _begin_touched, **UNCOUNTED)
# Add what the ``count`` rows at ``lo`` give, whose slopes are on the desk.
collect = question(_dense_collect, _sparse_collect, **UNCOUNTED)
# How many columns, of ``d``, it has rows for.
height = question(lambda gradient, d: d, lambda gradient, d: gradient.count[0], **UNCOUNTED)
# The column of a row.
column = question(lambda gradient, k: k, lambda gradient, k: gradient.columns[k], **UNCOUNTED)


@branch
def flush(values, sums, height):
    """Add the first rows, and the intercept's, to float64 sums, where there are any, and begin them anew."""
    apart()
    last = values.shape[0] - 1
    for k in range(height + 1 if sums.shape[0] > 0 else 0):
        j = k if k < height else last
        for lane in range(sums.shape[1]):
            sums[j, lane] += values[j, lane]
            values[j, lane] = 0


@branch
def mean(values, sums, height, rows):
    """Divide the first rows, and the intercept's, by the number of rows of data."""
    apart()
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
