"""Mini-batches and single rows of many lanes, a tile at a time: tiles know nothing of each other."""

from typing import NamedTuple

import numpy as np

from ..parts.penalties import Free
from ._jit import branch, kernel, leaf
from .addresses import address, call
from .lane_vectors import assume_noalias, for_each_lane, simd_width
from .lanes import FLUSH_ROWS
from .multi_functions import coefficients_of, lane_slopes, move_lanes, move_lanes_by_row, prepare_lanes
from .multi_gradients import (
    ALL_COLUMNS,
    NO_DRIFT,
    SHRINKING,
    begin,
    collect,
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
from .multi_slopes import add_offsets, block_slopes, call_slopes, fill_rows, workspace
from .products import row_scores, row_step
from .rows import prefetch
from .tiles import scratch


class StepFunctions(NamedTuple):
    """What the parts do, as the addresses of their functions, and what loops ask of them."""

    slopes: int  # of the loss's ``lane_slopes``
    prepare: int  # of the optimizer's ``prepare_lanes``
    move: int  # of its and the penalty's ``move_lanes``, or of ``move_lanes_by_row``
    coefficients: int  # how many numbers the optimizer prepares
    plain: bool  # whether steps only add the gradient to the weights
    by_step: bool  # whether the coefficients depend on the step, and not on the rate alone


def functions_of(parts, dtype, move=move_lanes):
    """The functions of some parts."""
    loss, optimizer, penalty = map(type, parts)
    return StepFunctions(
        address(lane_slopes, dtype, loss),
        address(prepare_lanes, dtype, optimizer),
        address(move, dtype, optimizer, penalty),
        len(coefficients_of(parts.optimizer)),
        is_plain(parts),
        not optimizer.plain,
    )


def multi_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, loss_sum, lazy=False):
    """One step of tiles first to last for every ``batch`` rows of ``order``, the last batch as long as it is.

    The steps are number t onwards, their rates (steps, lanes), or (1, lanes) for all; the losses before each step are
    added to ``loss_sum`` (lanes,); at each row the row in ``ahead`` is prefetched. ``lazy``: a step moves only the
    columns of its (sparse) rows.
    """
    sparse, dtype, plain = data.rows.sparse, tiles.weights.dtype, is_plain(parts)
    if sparse and plain and batch <= SPARSE_ROWS and tiles.averages.shape[1] == 0:
        plain_steps(data, functions_of(parts, dtype), tiles, first, last, order, ahead, batch, rates, t, loss_sum)
    elif batch == 1 and not sparse:
        functions = functions_of(parts, dtype, move_lanes_by_row)
        single_steps(data, functions, tiles, first, last, order, ahead, rates, t, loss_sum)
    else:
        update = NO_DRIFT if lazy else zero_gradient_update(parts)
        if update == SHRINKING and tiles.averages.shape[1] > 0:
            update = ALL_COLUMNS
        batch_steps(
            data, functions_of(parts, dtype), tiles, first, last, order, ahead, batch, rates, t, loss_sum, update
        )


def is_plain(parts):
    """Whether steps only add the gradient to the weights."""
    return parts.optimizer.plain and not parts.optimizer.decays and type(parts.penalty) is Free


@leaf
def prepare(functions, tiles, tile, rates, s, t, rate, coefficients):
    """What depends on the step alone, in float64; cast to the weights' type. ``rate`` (W,) is worked on."""
    first, s = tiles.lane[tile], min(s, rates.shape[0] - 1)
    for lane in range(tiles.size[tile]):
        rate[lane] = rates[s, first + lane]
    call(functions.prepare, tiles.optimizer, tile, rate, t, tiles.carry, coefficients)


@leaf
def step_row(functions, coefficients, work, step, k, nearest, tiles, tile, weights, slots):
    """Step against row k of the workspace, whose slopes are known; then the scores of row ``nearest`` are.

    A step of plain SGD and the scores that follow touch the weights once: 130 ns of 210 (d=50, float64). Two products
    for 16 rows and corrections by their own products in between: 179 ns a row in all, not 166 (32 lanes, d=50,
    float32), and 347, not 297 (float64).
    """
    if functions.plain:
        for start in range(0, step.size, simd_width(work.S)):
            for_each_lane(negative_product, work.S, start, (coefficients, work.S, k, step))
        row_step(work.Z, k, step, nearest, weights, work.S)
    else:
        call(
            functions.move, tiles.optimizer, tiles.penalty, tile, coefficients, work.Z, work.S, k,
            tiles.low, tiles.high, weights, slots,
        )  # fmt: skip
        row_scores(work.Z, nearest, weights, work.S)


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
def single_steps(data, functions, tiles, first, last, order, ahead, rates, t, loss_sum):
    """One step for each row."""
    work = workspace(data, tiles.weights, 16)
    W, number = work.S.shape[1], functions.coefficients
    losses, rate = np.zeros((2, W))
    coefficients, step = scratch(number, W, work.S).reshape((1, number, W)), scratch(1, W, work.S)[0]
    for tile in range(first, last):
        weights, slots = tiles.weights[tile], tiles.slots[tile]
        for lane in range(losses.size):
            losses[lane] = 0.0
        for start in range(0, order.size, work.Z.shape[0]):
            rows = min(work.Z.shape[0], order.size - start)
            for k in range(start, start + rows):
                prefetch(data.rows, ahead[k])
            load_rows(data.rows, data, order, start, rows, work)
            fill_rows(data, tiles, tile, order, start, rows, work)
            row_scores(work.Z, 0, weights, work.S)
            for k in range(rows):
                if data.offset.size > 0:
                    add_offsets(data.offset, order, start, k, k + 1, work.S)
                call_slopes(functions.slopes, data, tiles, tile, k, k + 1, work, losses)
                if start + k == 0 or rates.shape[0] > 1 or functions.by_step:
                    prepare(functions, tiles, tile, rates, start + k, t + start + k, rate, coefficients)
                nearest = min(k + 1, rows - 1)
                step_row(functions, coefficients, work, step, k, nearest, tiles, tile, weights, slots)
                if tiles.averages.shape[1] > 0:
                    average(tiles, tile, t + start + k)
        for lane in range(tiles.size[tile]):
            loss_sum[tiles.lane[tile] + lane] += losses[lane]


@kernel
def batch_steps(data, functions, tiles, first, last, order, ahead, batch, rates, t, loss_sum, update):
    """One step for each batch; beyond ``FLUSH_ROWS`` rows its gradient is summed in float64."""
    work = workspace(data, tiles.weights, batch)
    W, number, d = work.S.shape[1], functions.coefficients, data.shift.size
    losses, rate = np.zeros((2, W))
    coefficients = scratch(number, W, work.S).reshape((1, number, W))
    gradient = gradient_for(data.rows, data, update, work, batch)
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
                refresh_columns(gradient, data.rows, order, start, rows, update, tiles, tile, weights)
                scores(data.rows, data, order, start, rows, work, weights)
                block_slopes(functions.slopes, data, tiles, tile, order, start, rows, work, losses)
                collect(data.rows, data, order, start, rows, work, gradient)
                if start + rows >= full:
                    full = start + rows + FLUSH_ROWS
                    flush(gradient.values, gradient.sums, height(gradient, d))
            mean(gradient.values, gradient.sums, height(gradient, d), hi - lo)
            prepare(functions, tiles, tile, rates, s, t + s, rate, coefficients)
            call(
                functions.move, tiles.optimizer, tiles.penalty, tile, coefficients, gradient.values,
                gradient.columns, height(gradient, d), tiles.low, tiles.high, weights, slots,
            )  # fmt: skip
            mark_stale(gradient, update, coefficients, tiles, tile, weights)
            if tiles.averages.shape[1] > 0:
                average(tiles, tile, t + s)
        refresh_weights(gradient, update, tiles, tile, weights)
        for lane in range(tiles.size[tile]):
            loss_sum[tiles.lane[tile] + lane] += losses[lane]


@kernel
def plain_steps(data, functions, tiles, first, last, order, ahead, batch, rates, t, loss_sum):
    """One step of plain SGD for each batch of sparse rows that a workspace holds: no gradient is stored."""
    work = workspace(data, tiles.weights, batch)
    W = work.S.shape[1]
    losses, rate = np.zeros((2, W))
    coefficients = scratch(1, W, work.S).reshape((1, 1, W))
    for tile in range(first, last):
        weights = tiles.weights[tile]
        for lane in range(losses.size):
            losses[lane] = 0.0
        for s in range((order.size + batch - 1) // batch):
            lo, hi = s * batch, min((s + 1) * batch, order.size)
            for k in range(lo, hi):
                prefetch(data.rows, ahead[k])
            scores(data.rows, data, order, lo, hi - lo, work, weights)
            block_slopes(functions.slopes, data, tiles, tile, order, lo, hi - lo, work, losses)
            prepare(functions, tiles, tile, rates, s, t + s, rate, coefficients)
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
