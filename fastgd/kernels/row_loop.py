"""Batch size 1: one row, one step. One lane of dense rows; sparse rows are in ``sparse_loop.py``."""

import numpy as np

from ..parts.optimizers import decayed
from ..parts.penalties import Free
from . import elementary  # noqa: F401  (registers the compiled twins that losses call)
from ._jit import cast_all, inlined, kernel, lane_of
from .addresses import at
from .optimizer_state import state_at, store_state
from .part_functions import row_slope
from .prefetching import prefetch_row, prefetch_run
from .row_step import padded_size, row_step

LONG = 1024  # bytes of a row
NEAR = 8  # positions from asking for a long row to its step


@inlined
def squared_norm(rows, d, i):
    """That of row i, of d numbers as ``rows.at`` gives them: left out when compiled, where no optimizer asks for it."""
    total = 0.0
    for j in range(d):
        z = np.float64(rows.at(i, j))
        total += z * z
    return total


def row_steps(data, rows, parts, lanes, order, ahead, rates, t, losses, early=True, next_score=None):
    """One step of every lane for each row of ``order``; the sums of losses before each step are added to ``losses``.

    Rates are (steps, lanes), or (1, lanes) for all steps. ``rows`` are the data's, or as they are read standardised; at
    each step the memory is asked for row ``ahead``.

    Plain steps take the score of a row ``early``, of the weights before the last step. A call's first row has the score
    of the weights as they are, which is rounded otherwise; or the one in ``next_score`` (lanes,) float64, NaN for none.
    Where ``order`` goes on with the row of the next call, its score is left there: all steps have the same bits as in
    one call.
    """
    d, dtype, by_row = data.shift.size, lanes.weights.dtype, parts.optimizer.by_row
    if d * dtype.itemsize > LONG:
        # A window of long rows fills the cache: those of the next window took 250 ns a row, those of the next steps 195
        # (d=500, float64); short ones 21 and 30 (d=50).
        ahead = np.append(order[NEAR:], np.repeat(order[-1:], NEAR))[: ahead.size]
    if next_score is None:
        next_score = np.full(len(lanes.weights), np.nan)
    plain = early and parts.optimizer.plain and type(parts.penalty) is Free and lanes.averages.size == 0
    for lane in range(len(lanes.weights)):
        targets = data.targets[lanes.target[lane]], data.weight, data.offset, data.constant
        loss, optimizer = lane_of(parts.loss, lanes.loss, lane), lane_of(parts.optimizer, lanes.optimizer, lane)
        path = order, ahead, rates, t, lane
        if plain:
            weights = np.zeros(padded_size(d, dtype), dtype)
            weights[: d + 1] = lanes.weights[lane]
            _plain_steps(rows, loss, optimizer, *targets, *path, next_score, weights, by_row, losses)
            lanes.weights[lane] = weights[: d + 1]
        else:
            penalty = lane_of(parts.penalty, lanes.penalty, lane)
            bounds = lanes.low[lane], lanes.high[lane], data.factors
            averages = lanes.averages[lane], lanes.begin[lane]
            state = lanes.weights, lanes.slots, lanes.carry[lane]
            _any_steps(rows, loss, optimizer, penalty, *targets, *path, *state, *bounds, *averages, by_row, losses)


@kernel(in_order=True)
def _plain_steps(
    rows, loss, optimizer, y, weight, offset, constant, order, ahead, rates, t, lane, next_score, weights, by_row,
    losses,
):  # fmt: skip
    """Steps of an optimizer without state, without penalty and averages; ``weights`` are as ``row_step`` has them."""
    dtype, d, last = weights.dtype.type, rows.values.shape[1], rates.shape[0] - 1
    constant, intercept, total, largest = dtype(constant), weights[d], losses[lane], np.finfo(dtype).max
    # Two turns without a step come first: they take the score of the first row, and of the second with their product.
    now = following = order[0]
    decay, change, p, score, product = dtype(0), dtype(0), dtype(0), dtype(0), dtype(0)
    for k in range(-2, ahead.size):
        if k >= 0:
            i = np.uint64(now)
            rate = rates[k if k < last else last, lane]
            c, _ = optimizer.prepare(rate, t + k, (1.0, 1.0))
            size = -dtype(c[0])
            value = weighted = np.float64(loss.value(p, y[i]))
            slope = dtype(row_slope(optimizer, rate, loss.slope(p, y[i]), value, squared_norm(rows, d, i)))
            if weight.size > 0:
                weighted = value * weight[i]
                size *= weight[i]
            change, decay = size * slope, dtype(1.0 - decayed(optimizer, c, 1.0))
            total += value if by_row else weighted
        later = order[k + 2 if k + 2 < order.size else order.size - 1]
        soon = ahead[k if k > 0 else 0]
        # What doesn't wait for the change comes first: then the next score is one product away.
        p = ((score - decay * score) + intercept * constant) + change * (product + constant * constant)
        if offset.size > 0:
            p += offset[np.uint64(following)]
        if k == -1 and next_score[lane] == next_score[lane]:
            p = dtype(next_score[lane])
        intercept += change * constant
        prefetch_run(y, soon, soon + 1)  # of fully shuffled rows, 41 ns a row became 32 (d=50, float32)
        score, product = row_step(rows, now, following, later, soon, decay, change, weights)
        if not abs(product) < np.inf:  # of two rows of 1e20 in float32: times a change of 0 it must stay 0
            product = largest
        now, following = following, later
    weights[d], losses[lane] = intercept, total
    next_score[lane] = np.float64(p) if order.size > ahead.size else np.nan


@kernel
def _any_steps(
    rows, loss, optimizer, penalty, y, weight, offset, constant, order, ahead, rates, t, lane, weights, slots, carry,
    low, high, factors, averages, begin, by_row, losses,
):  # fmt: skip
    """Steps of any optimizer and penalty.

    The parts are compiled into the loop: with calls through addresses a step took 37 ns, not 25 (L2, d=50, float32).
    """
    dtype, d, last, total = weights.dtype.type, low.size, rates.shape[0] - 1, losses[lane]
    constant, carried, states = dtype(constant), (carry[0], carry[1]), at(slots, lane)
    for k in range(ahead.size):
        i = np.uint64(order[k])
        prefetch_row(rows.values, ahead[k])
        p = weights[lane, d] * constant
        if offset.size > 0:
            p += offset[i]
        for j in range(d):
            p += rows.at(i, j) * weights[lane, j]
        rate = rates[k if k < last else last, lane]
        value = weighted = np.float64(loss.value(p, y[i]))
        slope = dtype(row_slope(optimizer, rate, loss.slope(p, y[i]), value, squared_norm(rows, d, i)))
        if weight.size > 0:
            weighted = value * weight[i]
            slope *= weight[i]
        total += value if by_row else weighted
        prepared, carried = optimizer.prepare(rate, t + k, carried)
        c = cast_all(prepared, weights)
        for j in range(d):
            w = weights[lane, j]
            change, step, s = optimizer.move(c, w, slope * rows.at(i, j), state_at(optimizer, states, d + 1, j))
            weights[lane, j] = penalty.prox(decayed(optimizer, c, w) + change, step, low[j], high[j], factors, j)
            store_state(states, d + 1, j, s)
        change, _, s = optimizer.move(c, weights[lane, d], slope * constant, state_at(optimizer, states, d + 1, d))
        weights[lane, d] += change
        store_state(states, d + 1, d, s)
        if averages.size > 0 and t + k >= begin:
            share = 1.0 / (t + k - begin + 1)
            for j in range(averages.size):
                averages[j] += share * (weights[lane, j] - averages[j])
    carry[0], carry[1] = carried
    losses[lane] = total
