"""Steps on sparse rows at the cost of their numbers: a step updates the columns of its rows; others when next read.

One lane. ``update`` is what steps without a gradient do to a weight (``lazy.py``); at the end of a call all weights are
up to date.
"""

from typing import NamedTuple

import numpy as np

from ..parts.optimizers import decayed
from ._jit import cast_all, gather, kernel, lane_of, read_slots, write_slots
from .row_loop import counted_loss, row_slope
from .rows import prefetch

LONG_ROW = np.uint64(32)  # numbers


class LazyColumns(NamedTuple):
    """What steps need to know of each column; arrays that are worked on are all zeros between calls.

    None for what is not needed, so that this is known when compiled: tested at each number it took 3.5 ns, not 2.9.
    """

    update: tuple  # the zero-gradient update, a class of ``lazy``
    scale: np.ndarray | None  # (d,) T, the factors of the columns
    low: np.ndarray | None  # (d,) T, the bounds
    high: np.ndarray | None
    counted: np.ndarray | None  # (d,) float64, the sum of weight factors that a weight's average includes
    last_batch: np.ndarray  # (d,) int64, the last batch that had a number in the column; or (0,) for single rows
    gradient: np.ndarray  # (d,) float64; or (0,)
    touched: np.ndarray  # (d,) uint32, the columns of a batch; or (0,)


@gather
def scaled(x, scale, j):
    """A number of column j times its scale."""
    if scale is None:
        return x
    return x * scale[j]


@gather
def bound(side, j, none):
    """The bound of the weight of column j."""
    if side is None:
        return none
    return np.float64(side[j])


@gather
def number_at(data, columns, q, j):
    """The standardised number at index q, of column j."""
    return scaled(data.rows.values[q], columns.scale, j)


@gather
def weight_at(columns, totals, penalty, optimizer, lanes, j):
    """The current weight of column j, its state and its bounds."""
    low, high = bound(columns.low, j, -np.inf), bound(columns.high, j, np.inf)
    stored = lanes.weights[0, j], read_slots(optimizer, lanes.slots, 0, j)
    w, s = columns.update.current(totals, penalty, j, stored[0], stored[1], low, high)
    return w, s, low, high


@gather
def term(data, columns, totals, penalty, optimizer, lanes, q):
    """The contribution of the number at index q to the score of its row."""
    j = data.rows.indices[q]
    return number_at(data, columns, q, j) * weight_at(columns, totals, penalty, optimizer, lanes, j)[0]


@gather
def score(data, columns, totals, penalty, optimizer, lanes, i):
    """The linear score of row i; of a long row in four sums, as a single one waits for each addition.

    (Rows of 10 numbers took 3.1 ns a number with one sum and 3.3 with four, 2.5 and 3.2 in float32; rows of 75 took 3.1
    and 2.8.)
    """
    p = lanes.weights[0, data.shift.size] * lanes.weights.dtype.type(data.constant)
    first, last = data.rows.starts[i], data.rows.starts[i + np.uint64(1)]
    a, b, c = p * 0, p * 0, p * 0
    middle = last - (last - first) % np.uint64(4) if last - first >= LONG_ROW else first
    for q in range(first, middle, np.uint64(4)):
        p += term(data, columns, totals, penalty, optimizer, lanes, q)
        a += term(data, columns, totals, penalty, optimizer, lanes, q + np.uint64(1))
        b += term(data, columns, totals, penalty, optimizer, lanes, q + np.uint64(2))
        c += term(data, columns, totals, penalty, optimizer, lanes, q + np.uint64(3))
    for q in range(middle, last):
        p += term(data, columns, totals, penalty, optimizer, lanes, q)
    return (p + a) + (b + c)


@gather
def count_in(counted, factor_sum, lanes, j):
    """Add the stored weight of column j, for the steps that it was stored, to the sum that becomes its average."""
    if counted is not None:
        lanes.averages[0, j] += lanes.weights[0, j] * (factor_sum - counted[j])
        counted[j] = factor_sum


@gather
def move_column(columns, totals, totals_after, factor_sum, penalty, optimizer, c, rate, lanes, j, g):
    """One step of the weight of column j."""
    count_in(columns.counted, factor_sum, lanes, j)
    w, s, low, high = weight_at(columns, totals, penalty, optimizer, lanes, j)
    change, step, s = optimizer.move(c, w, g, s)
    w = columns.update.proximal_step(penalty, decayed(optimizer, c, w) + change, step, low, high)
    w, s = columns.update.stored(totals_after, j, w, s, rate)
    lanes.weights[0, j] = w
    write_slots(lanes.slots, 0, j, s)


@gather
def move_intercept(optimizer, c, lanes, d, g, t):
    """One step of the intercept and of its average."""
    w = lanes.weights[0, d]
    change, _, s = optimizer.move(c, w, g, read_slots(optimizer, lanes.slots, 0, d))
    lanes.weights[0, d] = w + change
    write_slots(lanes.slots, 0, d, s)
    if lanes.averages.shape[1] > 0 and t >= lanes.begin[0]:
        lanes.averages[0, d] += (lanes.weights[0, d] - lanes.averages[0, d]) / (t - lanes.begin[0] + 1)


@gather
def prepared(optimizer, lanes, rate, t):
    """The step's coefficients."""
    c, after = optimizer.prepare(rate, t, (lanes.carry[0, 0], lanes.carry[0, 1]))
    lanes.carry[0, 0], lanes.carry[0, 1] = after
    return cast_all(c, lanes.weights)


@gather
def totals_after_step(columns, totals, penalty, optimizer, c):
    """The totals after a step with the coefficients c."""
    step, left = np.float64(c[0]), np.float64(decayed(optimizer, c, type(c[0])(1)))
    return columns.update.count_step(
        totals, step, left, np.float64(penalty.pull(step)), np.float64(penalty.divisor(step))
    )


@gather
def refresh_all(columns, totals, factor_sum, penalty, optimizer, lanes):
    """Bring all weights up to date; returns the totals from which the next steps continue."""
    fresh = columns.update.begin()
    count = np.uint64(lanes.low.shape[1] if columns.update.pending() or columns.counted is not None else 0)
    for j in range(count):
        count_in(columns.counted, factor_sum, lanes, j)
        w, s, _, _ = weight_at(columns, totals, penalty, optimizer, lanes, j)
        w, s = columns.update.stored(fresh, j, w, s, 0.0)
        lanes.weights[0, j] = w
        write_slots(lanes.slots, 0, j, s)
    return fresh


@gather
def begin_averages(counted, lanes, t):
    """Turn averages into sums of the weights of the steps before step t that are averaged."""
    if counted is not None:
        for j in range(counted.size):
            lanes.averages[0, j] *= max(t - lanes.begin[0], 0)


@gather
def end_averages(counted, lanes, t):
    """Turn the sums back into averages, after step t."""
    if counted is not None:
        for j in range(counted.size):
            lanes.averages[0, j] /= max(t - lanes.begin[0] + 1, 1)
            counted[j] = 0.0


@kernel
def row_steps(data, parts, lanes, columns, order, ahead, rates, t, losses):
    """One step for each row of ``order``, as ``row_loop.row_steps``."""
    d = data.shift.size
    loss = lane_of(parts.loss, lanes.loss, 0)
    optimizer, penalty = lane_of(parts.optimizer, lanes.optimizer, 0), lane_of(parts.penalty, lanes.penalty, 0)
    y = data.targets[lanes.target[0]]
    dtype = lanes.weights.dtype
    totals, factor_sum, last, loss_sum = columns.update.begin(), 0.0, rates.shape[0] - 1, 0.0
    begin_averages(columns.counted, lanes, t)
    for k in range(order.size):
        i = np.uint64(order[k])
        prefetch(data.rows, ahead[k])
        p = score(data, columns, totals, penalty, optimizer, lanes, i)
        if data.offset.size > 0:
            p += data.offset[i]
        rate = rates[min(k, last), 0]
        value = np.float64(loss.value(p, y[i]))
        slope = row_slope(parts.optimizer, lanes.optimizer, 0, rate, loss.slope(p, y[i]), value, data, i)
        slope = dtype.type(slope)
        weighted = value
        if data.weight.size > 0:
            weighted = value * data.weight[i]
            slope *= data.weight[i]
        loss_sum += counted_loss(parts.optimizer, value, weighted)
        c = prepared(optimizer, lanes, rate, t + k)
        totals_after = totals_after_step(columns, totals, penalty, optimizer, c)
        if columns.update.near_overflow(totals_after):
            totals = refresh_all(columns, totals, factor_sum, penalty, optimizer, lanes)
            totals_after = totals_after_step(columns, totals, penalty, optimizer, c)
        for q in range(data.rows.starts[i], data.rows.starts[i + np.uint64(1)]):
            j = data.rows.indices[q]
            g = slope * number_at(data, columns, q, j)
            move_column(columns, totals, totals_after, factor_sum, penalty, optimizer, c, rate, lanes, j, g)
        move_intercept(optimizer, c, lanes, d, slope * dtype.type(data.constant), t + k)
        totals = totals_after
        if t + k >= lanes.begin[0]:
            factor_sum += columns.update.weight_factor(totals)
    refresh_all(columns, totals, factor_sum, penalty, optimizer, lanes)
    end_averages(columns.counted, lanes, t + order.size - 1)
    losses[0] += loss_sum


@kernel
def batch_steps(data, parts, lanes, columns, order, ahead, batch, rates, t, losses):
    """One step for every ``batch`` rows of ``order``, as ``block_loop.batch_steps``."""
    d = data.shift.size
    loss = lane_of(parts.loss, lanes.loss, 0)
    optimizer, penalty = lane_of(parts.optimizer, lanes.optimizer, 0), lane_of(parts.penalty, lanes.penalty, 0)
    y = data.targets[lanes.target[0]]
    dtype = lanes.weights.dtype
    totals, factor_sum, loss_sum = columns.update.begin(), 0.0, 0.0
    steps = (order.size + batch - 1) // batch
    begin_averages(columns.counted, lanes, t)
    for s in range(steps):
        first, last = s * batch, min((s + 1) * batch, order.size)
        count, slopes = 0, 0.0
        for k in range(first, last):
            i = np.uint64(order[k])
            prefetch(data.rows, ahead[k])
            p = score(data, columns, totals, penalty, optimizer, lanes, i)
            if data.offset.size > 0:
                p += data.offset[i]
            value = np.float64(loss.value(p, y[i]))
            slope = dtype.type(loss.slope(p, y[i]))
            if data.weight.size > 0:
                value *= data.weight[i]
                slope *= data.weight[i]
            loss_sum += value
            slopes += np.float64(slope)
            for q in range(data.rows.starts[i], data.rows.starts[i + np.uint64(1)]):
                j = data.rows.indices[q]
                if columns.last_batch[j] != s + 1:
                    columns.last_batch[j] = s + 1
                    columns.touched[count] = j
                    count += 1
                columns.gradient[j] += slope * number_at(data, columns, q, j)
        rate = rates[min(s, rates.shape[0] - 1), 0]
        c = prepared(optimizer, lanes, rate, t + s)
        totals_after = totals_after_step(columns, totals, penalty, optimizer, c)
        if columns.update.near_overflow(totals_after):
            totals = refresh_all(columns, totals, factor_sum, penalty, optimizer, lanes)
            totals_after = totals_after_step(columns, totals, penalty, optimizer, c)
        for m in range(count):
            j = columns.touched[m]
            g = dtype.type(columns.gradient[j] / (last - first))
            columns.gradient[j] = 0.0
            move_column(columns, totals, totals_after, factor_sum, penalty, optimizer, c, rate, lanes, j, g)
        move_intercept(optimizer, c, lanes, d, dtype.type(slopes / (last - first) * data.constant), t + s)
        totals = totals_after
        if t + s >= lanes.begin[0]:
            factor_sum += columns.update.weight_factor(totals)
    refresh_all(columns, totals, factor_sum, penalty, optimizer, lanes)
    end_averages(columns.counted, lanes, t + steps - 1)
    for j in range(columns.last_batch.size):
        columns.last_batch[j] = 0
    losses[0] += loss_sum
