"""Steps on sparse rows at the cost of their numbers: a step updates the columns of its rows; others when next read.

One lane. ``update`` is what steps without a gradient do to a weight (``lazy.py``); at the end of a call all weights are
up to date.
"""

from typing import NamedTuple

import numpy as np

from ..parts.optimizers import decayed
from . import elementary  # noqa: F401  (registers the compiled twins that losses call)
from ._jit import cast_all, inlined, kernel
from .addresses import at
from .optimizer_state import state_at, store_state
from .part_functions import row_slope
from .prefetching import prefetch_run

NONE = np.empty(0)


class LazyColumns(NamedTuple):
    """What steps need to know of each column; arrays that are worked on are all zeros between calls."""

    update: tuple  # the zero-gradient update, a class of ``lazy``
    scale: np.ndarray | None  # (d,) T, the factors of the columns; None for none
    low: np.ndarray | None  # (d,) T, the bounds
    high: np.ndarray | None
    factors: np.ndarray  # (2 * d,) T, of the penalty; or (0,)
    counted: np.ndarray | None  # (d,) float64, the sum of weight factors that a weight's average includes
    last_batch: np.ndarray  # (d,) int64, the last batch that had a number in the column; or (0,) for single rows
    gradient: np.ndarray  # (d,) float64; or (0,)
    touched: np.ndarray  # (d,) uint32, the columns of a batch; or (0,)


class Columns(NamedTuple):
    """What kernels read and change of the columns: arrays (d,), or (0,) where there are none."""

    update: tuple
    penalty: tuple
    optimizer: tuple
    weights: np.ndarray  # (d + 1,) T
    slots: np.ndarray  # (1, slots, d + 1) T
    averages: np.ndarray  # (d + 1,) float64, sums of weights; or (0,)
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    factors: np.ndarray
    counted: np.ndarray


@inlined(in_order=True)
def weight_at(columns, totals, j):
    """The current weight of column j, its state and its bounds."""
    low = np.float64(columns.low[j]) if columns.low.size > 0 else -np.inf
    high = np.float64(columns.high[j]) if columns.low.size > 0 else np.inf
    s = state_at(columns.optimizer, at(columns.slots, 0), columns.weights.size, j)
    w, s = columns.update.current(totals, columns.penalty, j, columns.weights[j], s, low, high)
    return w, s, low, high


@inlined(in_order=True)
def standardised(values, indices, scale, q):
    """The standardised number at index q."""
    return values[q] * scale[indices[q]] if scale.size > 0 else values[q]


@inlined(in_order=True)
def term(values, indices, columns, totals, q):
    """The contribution of the number at index q to the score of its row."""
    return standardised(values, indices, columns.scale, q) * weight_at(columns, totals, indices[q])[0]


@inlined(in_order=True)
def score(values, indices, first, last, columns, totals):
    """The product of a row's numbers, first to last, and the weights, in two sums: one waits for each addition.

    Asking the memory for the weights of a row up to four rows ahead gained nothing, with 1,000 to a million columns.
    """
    p = columns.weights.dtype.type(0)
    other, two = p, np.uint64(2)
    middle = last - (last - first) % two
    for q in range(first, middle, two):
        p += term(values, indices, columns, totals, q)
        other += term(values, indices, columns, totals, q + np.uint64(1))
    if middle < last:
        p += term(values, indices, columns, totals, middle)
    return p + other


@inlined(in_order=True)
def totals_after(columns, totals, c):
    """The totals after a step with the coefficients c."""
    step, left = np.float64(c[0]), np.float64(decayed(columns.optimizer, c, type(c[0])(1)))
    penalty = columns.penalty
    return columns.update.count_step(
        totals, step, left, np.float64(penalty.pull(step)), np.float64(penalty.divisor(step))
    )


@inlined(in_order=True)
def move_column(columns, totals, following, factor_sum, c, rate, j, g):
    """One step of the weight of column j; ``following`` are the totals after it."""
    if columns.counted.size > 0:
        # The stored weight for the steps that it was stored, to the sum that becomes the average.
        columns.averages[j] += columns.weights[j] * (factor_sum - columns.counted[j])
        columns.counted[j] = factor_sum
    w, s, low, high = weight_at(columns, totals, j)
    change, step, s = columns.optimizer.move(c, w, g, s)
    z = decayed(columns.optimizer, c, w) + change
    w = columns.update.proximal_step(columns.penalty, z, step, low, high, columns.factors, np.int64(j))
    w, s = columns.update.stored(following, j, w, s, rate)
    columns.weights[j] = w
    store_state(at(columns.slots, 0), columns.weights.size, j, s)


@inlined(in_order=True)
def move_intercept(columns, c, g, averaged):
    """One step of the intercept, and of its average over ``averaged`` steps before this one."""
    optimizer, weights, averages = columns.optimizer, columns.weights, columns.averages
    d = np.uint64(weights.size - 1)
    w = weights[d]
    change, _, s = optimizer.move(c, w, g, state_at(optimizer, at(columns.slots, 0), weights.size, d))
    weights[d] = w + change
    store_state(at(columns.slots, 0), weights.size, d, s)
    if averages.size > 0 and averaged >= 0:
        averages[d] += (weights[d] - averages[d]) / (averaged + 1)


@kernel
def _row_steps(
    values, indices, starts, y, weight, offset, constant, loss, columns, totals, limit, carry, order, ahead, rates,
    first, t, begin, by_row, losses,
):  # fmt: skip
    """Steps of the rows of ``order`` from ``first`` on, until the totals reach the limit; returns where, and them."""
    optimizer, weights, scale = columns.optimizer, columns.weights, columns.scale
    dtype, d = weights.dtype, np.uint64(weights.size - 1)
    factor_sum, loss_sum, k = 0.0, 0.0, first
    while k < order.size:
        rate = rates[k if k < rates.size else rates.size - 1]
        prepared, after = optimizer.prepare(rate, t + k, (carry[0], carry[1]))
        c = cast_all(prepared, weights)
        following = totals_after(columns, totals, c)
        if k > first and not following[0] < limit:
            break
        carry[0], carry[1] = after
        i, later = np.uint64(order[k]), np.uint64(ahead[k])
        prefetch_run(values, starts[later], starts[later + np.uint64(1)])
        prefetch_run(indices, starts[later], starts[later + np.uint64(1)])
        row, end = starts[i], starts[i + np.uint64(1)]
        # The intercept, on which the step before has just worked, last.
        p = score(values, indices, row, end, columns, totals) + weights[d] * dtype.type(constant)
        if offset.size > 0:
            p += offset[i]
        size = 0.0  # left out when compiled, where no optimizer asks for it
        for q in range(row, end):
            z = standardised(values, indices, scale, q)
            size += z * z
        value = np.float64(loss.value(p, y[i]))
        slope = dtype.type(row_slope(optimizer, rate, loss.slope(p, y[i]), value, size))
        if weight.size > 0:
            slope *= weight[i]
            value *= 1.0 if by_row else np.float64(weight[i])
        loss_sum += value
        for q in range(row, end):
            g = slope * standardised(values, indices, scale, q)
            move_column(columns, totals, following, factor_sum, c, rate, indices[q], g)
        move_intercept(columns, c, slope * dtype.type(constant), t + k - begin)
        totals = following
        if t + k >= begin:
            factor_sum += columns.update.weight_factor(totals)
        k += 1
    losses[0] += loss_sum
    return k, totals, factor_sum


def row_steps(data, parts, lanes, columns, order, ahead, rates, t, losses):
    """One step for each row of ``order``, as ``row_loop.row_steps``."""
    state, by_row = begin(parts, lanes, columns, t), parts.optimizer.by_row
    loss, (values, indices, starts) = loss_of(parts, lanes), data.rows.flat()
    y, rates, done = data.targets[lanes.target[0]], np.ascontiguousarray(rates[:, 0]), 0
    while done < order.size:
        totals = columns.update.begin()
        done, totals, factor_sum = _row_steps(
            values, indices, starts, y, data.weight, data.offset, data.constant, loss, state, totals,
            columns.update.limit, lanes.carry[0], order, ahead, rates, done, t, lanes.begin[0], by_row, losses,
        )  # fmt: skip
        refresh(state, totals, factor_sum)
    end(state, lanes, t + order.size - 1)


@kernel
def _batch_steps(
    values, indices, starts, y, weight, offset, constant, loss, columns, totals, limit, carry, order, ahead, batch,
    rates, first, t, begin, last_batch, gradient, touched, losses,
):  # fmt: skip
    """Steps of batches of ``order`` from number ``first`` on, as ``_row_steps``."""
    optimizer, weights, scale = columns.optimizer, columns.weights, columns.scale
    dtype, d = weights.dtype, np.uint64(weights.size - 1)
    factor_sum, loss_sum, s = 0.0, 0.0, first
    while s * batch < order.size:
        rate = rates[s if s < rates.size else rates.size - 1]
        prepared, after = optimizer.prepare(rate, t + s, (carry[0], carry[1]))
        c = cast_all(prepared, weights)
        following = totals_after(columns, totals, c)
        if s > first and not following[0] < limit:
            break
        carry[0], carry[1] = after
        last = (s + 1) * batch if (s + 1) * batch < order.size else order.size
        rows, count, slopes = last - s * batch, 0, 0.0
        for k in range(s * batch, last):
            i, later = np.uint64(order[k]), np.uint64(ahead[k])
            prefetch_run(values, starts[later], starts[later + np.uint64(1)])
            prefetch_run(indices, starts[later], starts[later + np.uint64(1)])
            row, end = starts[i], starts[i + np.uint64(1)]
            p = score(values, indices, row, end, columns, totals) + weights[d] * dtype.type(constant)
            if offset.size > 0:
                p += offset[i]
            value, slope = np.float64(loss.value(p, y[i])), dtype.type(loss.slope(p, y[i]))
            if weight.size > 0:
                value *= weight[i]
                slope *= weight[i]
            loss_sum += value
            slopes += np.float64(slope)
            for q in range(row, end):
                j = indices[q]
                if last_batch[j] != s + 1:
                    last_batch[j] = s + 1
                    touched[count] = j
                    count += 1
                gradient[j] += slope * standardised(values, indices, scale, q)
        for m in range(count):
            j = touched[m]
            g = dtype.type(gradient[j] / rows)
            gradient[j] = 0.0
            move_column(columns, totals, following, factor_sum, c, rate, j, g)
        move_intercept(columns, c, dtype.type(slopes / rows * constant), t + s - begin)
        totals = following
        if t + s >= begin:
            factor_sum += columns.update.weight_factor(totals)
        s += 1
    losses[0] += loss_sum
    return s, totals, factor_sum


def batch_steps(data, parts, lanes, columns, order, ahead, batch, rates, t, losses):
    """One step for every ``batch`` rows of ``order``, as ``block_loop.batch_steps``."""
    state, steps, done = begin(parts, lanes, columns, t), -(-order.size // batch), 0
    loss, (values, indices, starts) = loss_of(parts, lanes), data.rows.flat()
    y, rates = data.targets[lanes.target[0]], np.ascontiguousarray(rates[:, 0])
    while done < steps:
        totals = columns.update.begin()
        done, totals, factor_sum = _batch_steps(
            values, indices, starts, y, data.weight, data.offset, data.constant, loss, state, totals,
            columns.update.limit, lanes.carry[0], order, ahead, batch, rates, done, t, lanes.begin[0],
            columns.last_batch, columns.gradient, columns.touched, losses,
        )  # fmt: skip
        refresh(state, totals, factor_sum)
    end(state, lanes, t + steps - 1)
    columns.last_batch[:] = 0


# Before and after -----------------------------------------------------------------------------------------------------


def loss_of(parts, lanes):
    """The loss, with its fields."""
    return type(parts.loss)(*lanes.loss[0].tolist())


def begin(parts, lanes, columns, t):
    """What the kernels take; averages become sums of the weights of the steps before step t that are averaged."""
    none = np.empty(0, lanes.weights.dtype)
    found = Columns(
        columns.update,
        type(parts.penalty)(*lanes.penalty[0]),
        type(parts.optimizer)(*lanes.optimizer[0].tolist()),
        lanes.weights[0],
        lanes.slots,
        lanes.averages[0],
        *(none if array is None else array for array in (columns.scale, columns.low, columns.high)),
        columns.factors,
        NONE if columns.counted is None else columns.counted,
    )
    found.averages[:-1] *= max(t - lanes.begin[0], 0)
    return found


def refresh(columns, totals, factor_sum):
    """Bring all weights up to date, after which steps begin with fresh totals."""
    update, d = columns.update, columns.weights.size - 1
    if columns.counted.size:
        columns.averages[:d] += columns.weights[:d] * (factor_sum - columns.counted)
        columns.counted[:] = 0.0
    if update.pending():
        low, high = (columns.low, columns.high) if columns.low.size else (-np.inf, np.inf)
        s = tuple(columns.slots[0, :, :d])
        w, s = update.current(totals, columns.penalty, slice(None), columns.weights[:d], s, low, high)
        w, s = update.stored(update.begin(), slice(None), w, s, 0.0)
        columns.weights[:d] = w
        for slot, state in zip(columns.slots[0], s, strict=True):
            slot[:d] = state


def end(columns, lanes, t):
    """Turn the sums back into averages, after step t."""
    columns.averages[:-1] /= max(t - lanes.begin[0] + 1, 1)
