"""Mini-batches and single rows of many lanes, a tile at a time: tiles know nothing of each other."""

from typing import NamedTuple

import numpy as np

from ..parts.optimizers import decayed
from ..parts.penalties import Free
from ._jit import UNCOUNTED, branch, cast_all, compiled_as, kernel, leaf
from .lane_vectors import assume_noalias, column_of, for_each_lane, simd_width, slots_at, store_column, store_slots
from .lanes import FLUSH_ROWS
from .multi_gradients import (
    ALL_COLUMNS,
    NO_DRIFT,
    SHRINKING,
    begin,
    collect,
    column,
    flush,
    gradient_for,
    height,
    mark_stale,
    mean,
    refresh_columns,
    refresh_weights,
    zero_gradient_update,
)
from .multi_rows import SPARSE_ROWS, add_weighted_rows, load_rows, scores
from .multi_slopes import block_slopes, workspace
from .products import row_scores, row_step
from .rows import prefetch
from .tiles import scratch


class Outer(NamedTuple):
    """The gradient of row k alone, never written down: its numbers times the lanes' slopes."""

    Z: np.ndarray
    S: np.ndarray
    k: int
    sparse = False

    def at(self, j, lane):
        return self.Z[self.k, j] * self.S[self.k, lane]


def multi_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, loss_sum, lazy=False):
    """One step of tiles first to last for every ``batch`` rows of ``order``, the last batch as long as it is.

    The steps are number t onwards, their rates (steps, lanes), or (1, lanes) for all; the losses before each step are
    added to ``loss_sum`` (lanes,); at each row the row in ``ahead`` is prefetched. ``lazy``: a step moves only the
    columns of its (sparse) rows.
    """
    sparse = data.rows.sparse
    if sparse and is_plain(parts) and batch <= SPARSE_ROWS and tiles.averages.shape[1] == 0:
        plain_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, loss_sum)
    elif batch == 1 and not sparse:
        single_steps(data, parts, tiles, first, last, order, ahead, rates, t, loss_sum)
    else:
        batch_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, loss_sum, lazy)


@leaf
def prepare(parts, tiles, tile, rates, s, t, rate, coefficients):
    """What depends on the step alone, in float64; cast to the weights' type. ``rate`` (W,) is worked on."""
    assume_noalias()
    first, s = tiles.lane[tile], min(s, rates.shape[0] - 1)
    for lane in range(tiles.size[tile]):
        rate[lane] = rates[s, first + lane]
    for start in range(0, rate.size, simd_width(coefficients)):
        for_each_lane(prepare_lane, coefficients, start, (parts.optimizer, tiles, tile, rate, t, coefficients))


@leaf
def prepare_lane(lane, start, part, tiles, tile, rate, t, coefficients):
    """One lane's coefficients."""
    optimizer = column_of(part, tiles.optimizer, tile, lane)
    carry = tiles.carry[tile, 0, lane], tiles.carry[tile, 1, lane]
    prepared, after = optimizer.prepare(rate[lane], t, carry)
    tiles.carry[tile, 0, lane], tiles.carry[tile, 1, lane] = after
    store_column(coefficients, 0, lane, prepared)


@leaf
def move(parts, prepared, coefficients, gradient, tiles, tile, weights, slots):
    """Move the weights (d + 1, W) of a tile, a vector of lanes at a time."""
    d = weights.shape[0] - 1
    setting = (parts.optimizer, tiles.optimizer, tile, prepared, coefficients)
    for start in range(0, weights.shape[1], simd_width(weights)):
        for k in range(height(gradient, d)):
            place = (np.uint64(k), np.uint64(column(gradient, k)))
            for_each_lane(move_lane, weights, start, (place, parts.penalty, setting, gradient, tiles, weights, slots))
        for_each_lane(move_intercept, weights, start, (np.uint64(d), setting, gradient, weights, slots))


@leaf
def changed(lane, start, k, j, setting, gradient, weights, slots):
    """Weight j less its decay, its change by row k of the gradient, and the proximal step; the state is stored."""
    part, fields, tile, prepared, coefficients = setting
    optimizer = column_of(part, fields, tile, lane)
    c = column_of(prepared, coefficients, 0, lane)
    w = weights[j, lane]
    change, step, s = optimizer.move(c, w, gradient.at(k, lane), slots_at(optimizer, slots, j, start, lane))
    store_slots(slots, j, start, lane, s)
    return decayed(optimizer, c, w), change, step


@leaf
def move_lane(lane, start, place, penalty, setting, gradient, tiles, weights, slots):
    """One weight of a lane."""
    k, j = place
    w, change, step = changed(lane, start, k, j, setting, gradient, weights, slots)
    tile = setting[2]
    part = column_of(penalty, tiles.penalty, tile, lane)
    weights[j, lane] = part.prox(w + change, step, tiles.low[tile, j, lane], tiles.high[tile, j, lane])


@leaf
def move_intercept(lane, start, d, setting, gradient, weights, slots):
    """The intercept of a lane: it neither decays nor is penalised."""
    w = weights[d, lane]
    _, change, _ = changed(lane, start, d, d, setting, gradient, weights, slots)
    weights[d, lane] = w + change


def plain_and_free(optimizer, penalty):
    """Whether steps only add the gradient to the weights, for an optimizer class and a penalty class."""
    return optimizer.plain and not optimizer.decays and penalty is Free


def is_plain(parts):
    """The same for parts."""
    return plain_and_free(type(parts.optimizer), type(parts.penalty))


def depends_on_step(part):
    """Whether an optimizer's coefficients depend on the step, and not on the rate alone."""
    return not part.plain


@compiled_as(depends_on_step, **UNCOUNTED)
def _(part):
    found = not part.instance_class.plain
    return lambda part: found


def step_row(parts, prepared, coefficients, work, k, nearest, tiles, tile, weights, slots):
    """Step against row k of the workspace, whose slopes are known; then the scores of row ``nearest`` are."""
    move(parts, prepared, coefficients, Outer(work.Z, work.S, k), tiles, tile, weights, slots)
    row_scores(work.Z, nearest, weights, work.S)


@compiled_as(step_row, **UNCOUNTED)
def _(parts, prepared, coefficients, work, k, nearest, tiles, tile, weights, slots):
    def plain(parts, prepared, coefficients, work, k, nearest, tiles, tile, weights, slots):
        # A step of plain SGD and the scores that follow touch the weights once: 130 ns of 210 (d=50, float64). Two
        # products for 16 rows and corrections by their own products in between: 179 ns a row in all, not 166 (32
        # lanes, d=50, float32), and 347, not 297 (float64).
        for start in range(0, work.y.size, simd_width(work.S)):
            for_each_lane(negative_product, work.S, start, (coefficients, work.S, k, work.y))
        row_step(work.Z, k, work.y, nearest, weights, work.S)

    def any_other(parts, prepared, coefficients, work, k, nearest, tiles, tile, weights, slots):
        move(parts, prepared, coefficients, Outer(work.Z, work.S, k), tiles, tile, weights, slots)
        row_scores(work.Z, nearest, weights, work.S)

    return plain if plain_and_free(parts[1].instance_class, parts[2].instance_class) else any_other


@leaf
def negative_product(lane, start, coefficients, S, k, out):
    """What a step adds for a 1 in the row."""
    out[lane] = -(coefficients[0, 0, lane] * S[k, lane])


@branch
def average(tiles, tile, t):
    """Take the weights into their running means."""
    assume_noalias()
    for j in range(tiles.averages.shape[1]):
        for lane in range(tiles.weights.shape[2]):
            begin = tiles.begin[tile, lane]
            share = 1.0 / (t - begin + 1) if t >= begin else 0.0
            mean = tiles.averages[tile, j, lane]
            tiles.averages[tile, j, lane] = mean + share * (tiles.weights[tile, j, lane] - mean)


@kernel
def single_steps(data, parts, tiles, first, last, order, ahead, rates, t, loss_sum):
    """One step for each row."""
    work = workspace(data, tiles.weights, 16)
    needs_steps = depends_on_step(parts.optimizer)
    losses, rate = np.zeros((2, work.y.size))
    one = column_of(parts.optimizer, tiles.optimizer, first, 0)
    prepared = cast_all(one.prepare(1.0, t, (1.0, 1.0))[0], work.S)
    coefficients = scratch(len(prepared), work.y.size, work.S).reshape((1, len(prepared), work.y.size))
    for tile in range(first, last):
        weights, slots = tiles.weights[tile], tiles.slots[tile]
        for lane in range(losses.size):
            losses[lane] = 0.0
        for start in range(0, order.size, work.Z.shape[0]):
            rows = min(work.Z.shape[0], order.size - start)
            for k in range(start, start + rows):
                prefetch(data.rows, ahead[k])
            load_rows(data.rows, data, order, start, rows, work)
            row_scores(work.Z, 0, weights, work.S)
            for k in range(rows):
                block_slopes(parts.loss, data, tiles, tile, order, start, k, k + 1, work, losses)
                if start + k == 0 or rates.shape[0] > 1 or needs_steps:
                    prepare(parts, tiles, tile, rates, start + k, t + start + k, rate, coefficients)
                nearest = min(k + 1, rows - 1)
                step_row(parts, prepared, coefficients, work, k, nearest, tiles, tile, weights, slots)
                if tiles.averages.shape[1] > 0:
                    average(tiles, tile, t + start + k)
        for lane in range(tiles.size[tile]):
            loss_sum[tiles.lane[tile] + lane] += losses[lane]


@kernel
def batch_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, loss_sum, lazy):
    """One step for each batch; beyond ``FLUSH_ROWS`` rows its gradient is summed in float64."""
    work = workspace(data, tiles.weights, batch)
    losses, rate = np.zeros((2, work.y.size))
    one = column_of(parts.optimizer, tiles.optimizer, first, 0)
    prepared = cast_all(one.prepare(1.0, t, (1.0, 1.0))[0], work.S)
    coefficients = scratch(len(prepared), work.y.size, work.S).reshape((1, len(prepared), work.y.size))
    gradient = gradient_for(data.rows, data, parts, work, batch)
    update, d = NO_DRIFT if lazy else zero_gradient_update(parts), data.shift.size
    if update == SHRINKING and tiles.averages.shape[1] > 0:
        update = ALL_COLUMNS
    for tile in range(first, last):
        weights, slots = tiles.weights[tile], tiles.slots[tile]
        for lane in range(losses.size):
            losses[lane] = 0.0
        for s in range((order.size + batch - 1) // batch):
            lo, hi = s * batch, min((s + 1) * batch, order.size)
            begin(gradient, update)
            full = lo + FLUSH_ROWS
            for start in range(lo, hi, work.S.shape[0]):
                rows = min(work.S.shape[0], hi - start)
                for k in range(start, start + rows):
                    prefetch(data.rows, ahead[k])
                load_rows(data.rows, data, order, start, rows, work)
                refresh_columns(gradient, data.rows, order, start, rows, update, parts, tiles, tile, weights)
                scores(data.rows, data, order, start, rows, work, weights)
                block_slopes(parts.loss, data, tiles, tile, order, start, 0, rows, work, losses)
                collect(data.rows, data, order, start, rows, work, gradient)
                if start + rows >= full:
                    full = start + rows + FLUSH_ROWS
                    flush(gradient.values, gradient.sums, height(gradient, d))
            mean(gradient.values, gradient.sums, height(gradient, d), hi - lo)
            prepare(parts, tiles, tile, rates, s, t + s, rate, coefficients)
            move(parts, prepared, coefficients, gradient, tiles, tile, weights, slots)
            mark_stale(gradient, update, parts, coefficients, tiles, tile, weights)
            if tiles.averages.shape[1] > 0:
                average(tiles, tile, t + s)
        refresh_weights(gradient, update, parts, tiles, tile, weights)
        for lane in range(tiles.size[tile]):
            loss_sum[tiles.lane[tile] + lane] += losses[lane]


@kernel
def plain_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, loss_sum):
    """One step of plain SGD for each batch of sparse rows that a workspace holds: no gradient is stored."""
    work = workspace(data, tiles.weights, batch)
    losses, rate = np.zeros((2, work.y.size))
    coefficients = scratch(1, work.y.size, work.S).reshape((1, 1, work.y.size))
    for tile in range(first, last):
        weights = tiles.weights[tile]
        for lane in range(losses.size):
            losses[lane] = 0.0
        for s in range((order.size + batch - 1) // batch):
            lo, hi = s * batch, min((s + 1) * batch, order.size)
            for k in range(lo, hi):
                prefetch(data.rows, ahead[k])
            scores(data.rows, data, order, lo, hi - lo, work, weights)
            block_slopes(parts.loss, data, tiles, tile, order, lo, 0, hi - lo, work, losses)
            prepare(parts, tiles, tile, rates, s, t + s, rate, coefficients)
            scale_slopes(coefficients, hi - lo, work.S)
            add_weighted_rows(data.rows, data, order, lo, hi - lo, work, weights)
        for lane in range(tiles.size[tile]):
            loss_sum[tiles.lane[tile] + lane] += losses[lane]


@branch
def scale_slopes(coefficients, rows, S):
    """Turn the slopes of some rows into what their mean takes off the weights for a 1 in a row."""
    share = S.dtype.type(-1.0 / rows)
    for start in range(0, S.shape[1], simd_width(S)):
        for k in range(rows):
            for_each_lane(scale_slopes_lane, S, start, (coefficients, share, S, np.uint64(k)))


@leaf
def scale_slopes_lane(lane, start, coefficients, share, S, k):
    """One lane of a row: a plain loop over all lanes may multiply the three in another order at its end."""
    S[k, lane] *= coefficients[0, 0, lane] * share
