"""Mini-batches and single rows of many lanes, a tile at a time: tiles know nothing of each other."""

from typing import NamedTuple

import numpy as np

from ..parts.penalties import Free
from . import products, sparse_products
from ._jit import branch, leaf, lean
from .addresses import address, call
from .lane_vectors import assume_noalias, for_each_lane, simd_width
from .lanes import FLUSH_ROWS
from .multi_functions import coefficients_of, lane_slopes, move_lanes, move_lanes_by_row, prepare_lanes
from .multi_gradients import (
    ALL_COLUMNS,
    NO_DRIFT,
    SHRINKING,
    begin,
    flush,
    gradient_for,
    mean,
    refresh_columns,
    zero_gradient_update,
)
from .multi_lazy import refresh_all, store
from .multi_rows import SPARSE_ROWS, load_rows
from .multi_slopes import fill_rows, weigher, workspace
from .products import aligned, row_scores, row_step, zeros
from .rows import prefetch


class StepFunctions(NamedTuple):
    """What the parts do, as the addresses of their functions, and what loops ask of them."""

    weigh: int  # of ``fill_weights``, where lanes weigh rows; else 0
    slopes: int  # of the loss's ``lane_slopes``
    prepare: int  # of the optimizer's ``prepare_lanes``
    move: int  # of its and the penalty's ``move_lanes``, or of ``move_lanes_by_row``
    coefficients: int  # how many numbers the optimizer prepares
    plain: bool  # whether steps only add the gradient to the weights
    by_step: bool  # whether the coefficients depend on the step, and not on the rate alone


def functions_of(data, parts, tiles, move=move_lanes):
    """The functions of some parts, for the lanes of tiles."""
    dtype = tiles.weights.dtype
    loss, optimizer, penalty = map(type, parts)
    return StepFunctions(
        weigher(data, tiles),
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
    sparse, dtype, width = data.rows.sparse, tiles.weights.dtype, tiles.weights.shape[2]
    update, averaged = NO_DRIFT if lazy else zero_gradient_update(parts), tiles.averages.shape[1] > 0
    if update == SHRINKING and averaged:
        update = ALL_COLUMNS
    single = batch == 1 and not sparse
    functions = functions_of(data, parts, tiles, move_lanes_by_row if single else move_lanes)
    work = workspace(data, tiles.weights, 16 if single else batch)
    coefficients = aligned((1, functions.coefficients, width), dtype)
    shared = data, functions, tiles, work, coefficients, order, ahead
    for tile in range(first, last):
        lanes = slice(tiles.lane[tile], tiles.lane[tile] + tiles.size[tile])
        losses, table = np.zeros(width), np.zeros((len(rates), width))
        table[:, : tiles.size[tile]] = rates[:, lanes]
        if single:
            single_steps(*shared, tile, table, t, losses, aligned((width,), dtype))
        elif not sparse:
            gradient = aligned(tiles.weights.shape[1:], dtype)
            sums = zeros((len(gradient) if batch > FLUSH_ROWS else 0, width), np.float64)
            batch_steps(*shared, batch, tile, table, t, losses, gradient, sums, np.empty(0, np.uint32))
        elif functions.plain and batch <= SPARSE_ROWS and not averaged:
            plain_steps(*shared, batch, tile, table, t, losses)
        else:
            gradient = gradient_for(data, tiles.weights, update, batch)
            sparse_steps(*shared, batch, tile, table, t, losses, gradient, update)
        loss_sum[lanes] += losses[: tiles.size[tile]]


def is_plain(parts):
    """Whether steps only add the gradient to the weights."""
    return parts.optimizer.plain and not parts.optimizer.decays and type(parts.penalty) is Free


@leaf
def step_row(plain, move, optimizer, penalty, low, high, coefficients, Z, S, step, k, nearest, tile, weights, slots):
    """Step against row k of the workspace, whose slopes are known; then the scores of row ``nearest`` are.

    A step of plain SGD and the scores that follow touch the weights once: 130 ns of 210 (d=50, float64). Two products
    for 16 rows and corrections by their own products in between: 179 ns a row in all, not 166 (32 lanes, d=50,
    float32), and 347, not 297 (float64).
    """
    if plain:
        for start in range(0, step.size, simd_width(S)):
            for_each_lane(negative_product, S, start, (coefficients, S, k, step))
        row_step(Z, k, step, nearest, weights, S)
    else:
        call(move, optimizer, penalty, tile, coefficients, Z, S, k, low, high, weights, slots)
        row_scores(Z, nearest, weights, S)


@leaf
def negative_product(lane, start, coefficients, S, k, out):
    """What a step adds for a 1 in the row."""
    out[lane] = -(coefficients[0, 0, lane] * S[k, lane])


@branch
def average(averages, begin, tile, weights, t):
    """Take the weights (d + 1, W) into their running means (tiles, d + 1, W), from step ``begin`` (tiles, W) on."""
    assume_noalias()
    for j in range(averages.shape[1]):
        for lane in range(averages.shape[2]):
            first = begin[tile, lane]
            share = 1.0 / (t - first + 1) if t >= first else 0.0
            mean = averages[tile, j, lane]
            averages[tile, j, lane] = mean + share * (weights[j, lane] - mean)


@lean
def single_steps(data, functions, tiles, work, coefficients, order, ahead, tile, rates, t, losses, step):
    """One step of a tile for each row."""
    Z, S, y, weight = work.Z, work.S, work.y, work.weight
    weights, slots, most = tiles.weights[tile], tiles.slots[tile], Z.shape[0]
    for start in range(0, order.size, most):
        rows = most if start + most < order.size else order.size - start
        for k in range(start, start + rows):
            prefetch(data.rows, ahead[k])
        load_rows(data.rows, order, start, rows, data.shift, data.inverse_scale, data.constant, Z)
        fill_rows(
            data.targets, data.weight, data.roles, data.seed, data.offset, tiles.target, tiles.fold, tiles.replicate,
            tiles.scale, tiles.same, functions.weigh, tile, order, start, rows, y, weight, S,
        )  # fmt: skip
        row_scores(Z, 0, weights, S)
        for k in range(rows):
            if data.offset.size > 0:
                for lane in range(S.shape[1]):
                    S[k, lane] += data.offset[np.uint64(order[start + k])]
            call(
                functions.slopes, tiles.loss, tile, S, y, weight, k, k + 1, tiles.size[tile], data.classes,
                work.slopes, losses,
            )  # fmt: skip
            s = start + k
            if s == 0 or rates.shape[0] > 1 or functions.by_step:
                rate = rates[s if rates.shape[0] > 1 else 0]
                call(functions.prepare, tiles.optimizer, tile, rate, t + s, tiles.carry, coefficients)
            step_row(
                functions.plain, functions.move, tiles.optimizer, tiles.penalty, tiles.low, tiles.high, coefficients,
                Z, S, step, k, k + 1 if k + 1 < rows else k, tile, weights, slots,
            )  # fmt: skip
            if tiles.averages.shape[1] > 0:
                average(tiles.averages, tiles.begin, tile, weights, t + s)


@lean
def batch_steps(
    data, functions, tiles, work, coefficients, order, ahead, batch, tile, rates, t, losses, gradient, sums, columns
):
    """One step of a tile for each batch of dense rows; beyond ``FLUSH_ROWS`` rows its gradient is summed in float64."""
    Z, S, y, weight = work.Z, work.S, work.y, work.weight
    weights, d, most = tiles.weights[tile], data.shift.size, S.shape[0]
    for s in range((order.size + batch - 1) // batch):
        lo, hi = s * batch, (s + 1) * batch
        if hi > order.size:
            hi = order.size
        for j in range(d + 1):
            for lane in range(S.shape[1]):
                gradient[j, lane] = 0
        full = lo + FLUSH_ROWS
        for start in range(lo, hi, most):
            rows = most if start + most < hi else hi - start
            for k in range(start, start + rows):
                prefetch(data.rows, ahead[k])
            load_rows(data.rows, order, start, rows, data.shift, data.inverse_scale, data.constant, Z)
            products.scores(Z, rows, weights, S)
            fill_rows(
                data.targets, data.weight, data.roles, data.seed, data.offset, tiles.target, tiles.fold, tiles.replicate,
                tiles.scale, tiles.same, functions.weigh, tile, order, start, rows, y, weight, S,
            )  # fmt: skip
            call(
                functions.slopes, tiles.loss, tile, S, y, weight, 0, rows, tiles.size[tile], data.classes,
                work.slopes, losses,
            )  # fmt: skip
            products.add_weighted_rows(Z, rows, S, gradient)
            if start + rows >= full:
                full = start + rows + FLUSH_ROWS
                flush(gradient, sums, d)
        mean(gradient, sums, d, hi - lo)
        rate = rates[s if rates.shape[0] > 1 else 0]
        call(functions.prepare, tiles.optimizer, tile, rate, t + s, tiles.carry, coefficients)
        call(
            functions.move, tiles.optimizer, tiles.penalty, tile, coefficients, gradient, columns, d,
            tiles.low, tiles.high, weights, tiles.slots[tile],
        )  # fmt: skip
        if tiles.averages.shape[1] > 0:
            average(tiles.averages, tiles.begin, tile, weights, t + s)


@lean
def sparse_steps(
    data, functions, tiles, work, coefficients, order, ahead, batch, tile, rates, t, losses, gradient, update
):
    """The same for sparse rows."""
    S, y, weight = work.S, work.y, work.weight
    weights, most, lazy, columns = tiles.weights[tile], S.shape[0], gradient.lazy, gradient.columns
    for s in range((order.size + batch - 1) // batch):
        lo, hi = s * batch, (s + 1) * batch
        if hi > order.size:
            hi = order.size
        begin(gradient, update)
        full = lo + FLUSH_ROWS
        for start in range(lo, hi, most):
            rows = most if start + most < hi else hi - start
            for k in range(start, start + rows):
                prefetch(data.rows, ahead[k])
            refresh_columns(gradient, data.rows, order, start, rows, update, tiles, tile, weights)
            sparse_products.scores(data.rows, order, start, rows, data.inverse_scale, data.constant, weights, S)
            fill_rows(
                data.targets, data.weight, data.roles, data.seed, data.offset, tiles.target, tiles.fold, tiles.replicate,
                tiles.scale, tiles.same, functions.weigh, tile, order, start, rows, y, weight, S,
            )  # fmt: skip
            call(
                functions.slopes, tiles.loss, tile, S, y, weight, 0, rows, tiles.size[tile], data.classes,
                work.slopes, losses,
            )  # fmt: skip
            sparse_products.add_weighted_rows(
                data.rows, order, start, rows, data.inverse_scale, data.constant, S, gradient.position, gradient.values
            )
            if start + rows >= full:
                full = start + rows + FLUSH_ROWS
                flush(gradient.values, gradient.sums, gradient.count[0])
        mean(gradient.values, gradient.sums, gradient.count[0], hi - lo)
        rate = rates[s if rates.shape[0] > 1 else 0]
        call(functions.prepare, tiles.optimizer, tile, rate, t + s, tiles.carry, coefficients)
        call(
            functions.move, tiles.optimizer, tiles.penalty, tile, coefficients, gradient.values, columns,
            gradient.count[0], tiles.low, tiles.high, weights, tiles.slots[tile],
        )  # fmt: skip
        if update == SHRINKING:
            store(tiles, tile, coefficients, weights, lazy, columns, gradient.count[0])
        if tiles.averages.shape[1] > 0:
            average(tiles.averages, tiles.begin, tile, weights, t + s)
    if update == SHRINKING:
        refresh_all(tiles, tile, weights, lazy)


@lean
def plain_steps(data, functions, tiles, work, coefficients, order, ahead, batch, tile, rates, t, losses):
    """One step of plain SGD for each batch of sparse rows that a workspace holds: no gradient is stored."""
    S, y, weight, weights = work.S, work.y, work.weight, tiles.weights[tile]
    for s in range((order.size + batch - 1) // batch):
        lo, hi = s * batch, (s + 1) * batch
        if hi > order.size:
            hi = order.size
        for k in range(lo, hi):
            prefetch(data.rows, ahead[k])
        sparse_products.scores(data.rows, order, lo, hi - lo, data.inverse_scale, data.constant, weights, S)
        fill_rows(
            data.targets, data.weight, data.roles, data.seed, data.offset, tiles.target, tiles.fold, tiles.replicate,
            tiles.scale, tiles.same, functions.weigh, tile, order, lo, hi - lo, y, weight, S,
        )  # fmt: skip
        call(
            functions.slopes, tiles.loss, tile, S, y, weight, 0, hi - lo, tiles.size[tile], data.classes,
            work.slopes, losses,
        )  # fmt: skip
        rate = rates[s if rates.shape[0] > 1 else 0]
        call(functions.prepare, tiles.optimizer, tile, rate, t + s, tiles.carry, coefficients)
        scale_slopes(coefficients, hi - lo, S)
        sparse_products.add_weighted_rows(
            data.rows, order, lo, hi - lo, data.inverse_scale, data.constant, S, None, weights
        )


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
