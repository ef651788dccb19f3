"""Steps on sparse rows at the cost of their numbers: only the columns of the rows move, the others when next asked for.

One lane. ``rest`` says what the steps in between do to a weight (``lazy.py``); at the end of a call all weights are up
to date.
"""

from typing import NamedTuple

import numpy as np

from ..parts.optimizers import decayed
from ._jit import cast_all, gather, kernel, lane_of, read_slots, write_slots
from .row_loop import met_loss, row_slope
from .rows import prefetch

LONG_ROW = np.uint64(32)  # numbers


class Ledger(NamedTuple):
    """What a call notes of columns, between calls all zeros; and None for what there is no need of.

    Whether there is one is known when compiled: asked at each number it took 3.5 ns instead of 2.9.
    """

    rest: tuple  # one of lazy's classes
    scale: np.ndarray | None  # (d,) T, what columns are multiplied by
    low: np.ndarray | None  # (d,) T, the bounds
    high: np.ndarray | None
    seen: np.ndarray | None  # (d,) float64, what a weight's average knows of
    stamp: np.ndarray  # (d,) int64, the last batch that had a number in the column; or (0,) for single rows
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
def number_at(data, ledger, q, j):
    """The standardised number at place q, of column j."""
    return scaled(data.rows.values[q], ledger.scale, j)


@gather
def weight_at(ledger, now, penalty, optimizer, lanes, j):
    """The weight of column j, its state and its bounds, as of now."""
    low, high = bound(ledger.low, j, -np.inf), bound(ledger.high, j, np.inf)
    stored = lanes.weights[0, j], read_slots(optimizer, lanes.slots, 0, j)
    w, s = ledger.rest.awake(now, penalty, j, stored[0], stored[1], low, high)
    return w, s, low, high


@gather
def term(data, ledger, now, penalty, optimizer, lanes, q):
    """What the number at place q adds to its row's score."""
    j = data.rows.indices[q]
    return number_at(data, ledger, q, j) * weight_at(ledger, now, penalty, optimizer, lanes, j)[0]


@gather
def score(data, ledger, now, penalty, optimizer, lanes, i):
    """The linear score of row i; of a long one in four sums, as one would wait for each addition.

    (Rows of 10 numbers took 3.1 ns a number with one sum and 3.3 with four, 2.5 and 3.2 in float32; rows of 75 took 3.1
    and 2.8.)
    """
    p = lanes.weights[0, data.shift.size] * lanes.weights.dtype.type(data.constant)
    first, last = data.rows.starts[i], data.rows.starts[i + np.uint64(1)]
    a, b, c = p * 0, p * 0, p * 0
    middle = last - (last - first) % np.uint64(4) if last - first >= LONG_ROW else first
    for q in range(first, middle, np.uint64(4)):
        p += term(data, ledger, now, penalty, optimizer, lanes, q)
        a += term(data, ledger, now, penalty, optimizer, lanes, q + np.uint64(1))
        b += term(data, ledger, now, penalty, optimizer, lanes, q + np.uint64(2))
        c += term(data, ledger, now, penalty, optimizer, lanes, q + np.uint64(3))
    for q in range(middle, last):
        p += term(data, ledger, now, penalty, optimizer, lanes, q)
    return (p + a) + (b + c)


@gather
def count_in(seen, average, lanes, j):
    """Count the stored weight of column j, as it was up to now, into the sum that becomes its average."""
    if seen is not None:
        lanes.averages[0, j] += lanes.weights[0, j] * (average - seen[j])
        seen[j] = average


@gather
def move_column(ledger, now, then, average, penalty, optimizer, c, rate, lanes, j, g):
    """Step the weight of column j against its gradient."""
    count_in(ledger.seen, average, lanes, j)
    w, s, low, high = weight_at(ledger, now, penalty, optimizer, lanes, j)
    change, step, s = optimizer.move(c, w, g, s)
    w = ledger.rest.settle(penalty, decayed(optimizer, c, w) + change, step, low, high)
    w, s = ledger.rest.asleep(then, j, w, s, rate)
    lanes.weights[0, j] = w
    write_slots(lanes.slots, 0, j, s)


@gather
def move_intercept(optimizer, c, lanes, d, g, t):
    """Step the intercept, and its average."""
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
def ticked(ledger, now, penalty, optimizer, c):
    """The running numbers after a step with the coefficients c."""
    step, left = np.float64(c[0]), np.float64(decayed(optimizer, c, type(c[0])(1)))
    return ledger.rest.tick(now, step, left, np.float64(penalty.pull(step)), np.float64(penalty.divisor(step)))


@gather
def wake_all(ledger, now, average, penalty, optimizer, lanes):
    """Bring all weights up to date; the running numbers from which the next steps go on."""
    begun = ledger.rest.begin()
    count = np.uint64(lanes.low.shape[1] if ledger.rest.sleeps() or ledger.seen is not None else 0)
    for j in range(count):
        count_in(ledger.seen, average, lanes, j)
        w, s, _, _ = weight_at(ledger, now, penalty, optimizer, lanes, j)
        w, s = ledger.rest.asleep(begun, j, w, s, 0.0)
        lanes.weights[0, j] = w
        write_slots(lanes.slots, 0, j, s)
    return begun


@gather
def begin_averages(seen, lanes, t):
    """Averages as sums of the weights of the steps before number t, from the step on where averaging begins."""
    if seen is not None:
        for j in range(seen.size):
            lanes.averages[0, j] *= max(t - lanes.begin[0], 0)


@gather
def end_averages(seen, lanes, t):
    """Sums back to averages, after step t."""
    if seen is not None:
        for j in range(seen.size):
            lanes.averages[0, j] /= max(t - lanes.begin[0] + 1, 1)
            seen[j] = 0.0


@kernel
def row_steps(data, parts, lanes, ledger, order, ahead, rates, t, losses):
    """One step for each row of ``order``, as ``row_loop.row_steps``."""
    d = data.shift.size
    loss = lane_of(parts.loss, lanes.loss, 0)
    optimizer, penalty = lane_of(parts.optimizer, lanes.optimizer, 0), lane_of(parts.penalty, lanes.penalty, 0)
    y = data.targets[lanes.target[0]]
    dtype = lanes.weights.dtype
    now, average, last, loss_sum = ledger.rest.begin(), 0.0, rates.shape[0] - 1, 0.0
    begin_averages(ledger.seen, lanes, t)
    for k in range(order.size):
        i = np.uint64(order[k])
        prefetch(data.rows, ahead[k])
        p = score(data, ledger, now, penalty, optimizer, lanes, i)
        rate = rates[min(k, last), 0]
        value = np.float64(loss.value(p, y[i]))
        slope = row_slope(parts.optimizer, lanes.optimizer, 0, rate, loss.slope(p, y[i]), value, data, i)
        slope = dtype.type(slope)
        weighted = value
        if data.weight.size > 0:
            weighted = value * data.weight[i]
            slope *= data.weight[i]
        loss_sum += met_loss(parts.optimizer, value, weighted)
        c = prepared(optimizer, lanes, rate, t + k)
        then = ticked(ledger, now, penalty, optimizer, c)
        if ledger.rest.full(then):
            now = wake_all(ledger, now, average, penalty, optimizer, lanes)
            then = ticked(ledger, now, penalty, optimizer, c)
        for q in range(data.rows.starts[i], data.rows.starts[i + np.uint64(1)]):
            j = data.rows.indices[q]
            g = slope * number_at(data, ledger, q, j)
            move_column(ledger, now, then, average, penalty, optimizer, c, rate, lanes, j, g)
        move_intercept(optimizer, c, lanes, d, slope * dtype.type(data.constant), t + k)
        now = then
        if t + k >= lanes.begin[0]:
            average += ledger.rest.share(now)
    wake_all(ledger, now, average, penalty, optimizer, lanes)
    end_averages(ledger.seen, lanes, t + order.size - 1)
    losses[0] += loss_sum


@kernel
def batch_steps(data, parts, lanes, ledger, order, ahead, batch, rates, t, losses):
    """One step for every ``batch`` rows of ``order``, as ``block_loop.batch_steps``."""
    d = data.shift.size
    loss = lane_of(parts.loss, lanes.loss, 0)
    optimizer, penalty = lane_of(parts.optimizer, lanes.optimizer, 0), lane_of(parts.penalty, lanes.penalty, 0)
    y = data.targets[lanes.target[0]]
    dtype = lanes.weights.dtype
    now, average, loss_sum = ledger.rest.begin(), 0.0, 0.0
    steps = (order.size + batch - 1) // batch
    begin_averages(ledger.seen, lanes, t)
    for s in range(steps):
        first, last = s * batch, min((s + 1) * batch, order.size)
        count, slopes = 0, 0.0
        for k in range(first, last):
            i = np.uint64(order[k])
            prefetch(data.rows, ahead[k])
            p = score(data, ledger, now, penalty, optimizer, lanes, i)
            value = np.float64(loss.value(p, y[i]))
            slope = dtype.type(loss.slope(p, y[i]))
            if data.weight.size > 0:
                value *= data.weight[i]
                slope *= data.weight[i]
            loss_sum += value
            slopes += np.float64(slope)
            for q in range(data.rows.starts[i], data.rows.starts[i + np.uint64(1)]):
                j = data.rows.indices[q]
                if ledger.stamp[j] != s + 1:
                    ledger.stamp[j] = s + 1
                    ledger.touched[count] = j
                    count += 1
                ledger.gradient[j] += slope * number_at(data, ledger, q, j)
        rate = rates[min(s, rates.shape[0] - 1), 0]
        c = prepared(optimizer, lanes, rate, t + s)
        then = ticked(ledger, now, penalty, optimizer, c)
        if ledger.rest.full(then):
            now = wake_all(ledger, now, average, penalty, optimizer, lanes)
            then = ticked(ledger, now, penalty, optimizer, c)
        for m in range(count):
            j = ledger.touched[m]
            g = dtype.type(ledger.gradient[j] / (last - first))
            ledger.gradient[j] = 0.0
            move_column(ledger, now, then, average, penalty, optimizer, c, rate, lanes, j, g)
        move_intercept(optimizer, c, lanes, d, dtype.type(slopes / (last - first) * data.constant), t + s)
        now = then
        if t + s >= lanes.begin[0]:
            average += ledger.rest.share(now)
    wake_all(ledger, now, average, penalty, optimizer, lanes)
    end_averages(ledger.seen, lanes, t + steps - 1)
    for j in range(ledger.stamp.size):
        ledger.stamp[j] = 0
    losses[0] += loss_sum
