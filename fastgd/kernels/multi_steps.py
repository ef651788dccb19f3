"""Mini-batches and single rows of many lanes, a tile at a time: tiles know nothing of each other."""

import numpy as np

from ..parts.penalties import Free
from . import sparse_products
from ._jit import inlined, kernel, routine
from .addresses import address, call
from .lane_vectors import for_each_lane, simd_width
from .lanes import FLUSH_ROWS
from .multi_functions import average_lanes, coefficients_of, lane_slopes, move_lanes, move_lanes_by_row, prepare_lanes
from .multi_gradients import (
    ALL_COLUMNS,
    NO_DRIFT,
    SHRINKING,
    flush,
    gradient_for,
    mean,
    restart,
    touch,
    zero_gradient_update,
)
from .multi_lazy import refresh, refresh_all, store
from .multi_rows import SPARSE_ROWS, add_weighted_rows, load_rows, scores
from .multi_slopes import row_fields, workspace
from .products import aligned, row_scores, row_step, zeros
from .rows import prefetch

NO_COLUMNS = np.empty(0, np.uint32)  # all of them in their order


def multi_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, loss_sum, lazy=False):
    """One step of tiles first to last for every ``batch`` rows of ``order``, the last batch as long as it is.

    The steps are number t onwards, their rates (steps, lanes), or (1, lanes) for all; the losses before each step are
    added to ``loss_sum`` (lanes,); at each row the row in ``ahead`` is prefetched. ``lazy``: a step moves only the
    columns of its (sparse) rows.
    """
    sparse, dtype, (_, height, width) = data.rows.sparse, tiles.weights.dtype, tiles.weights.shape
    single, plain, averaged = batch == 1 and not sparse, is_plain(parts), tiles.averages.shape[1] > 0
    loss, optimizer, penalty = map(type, parts)
    slopes = address(lane_slopes, dtype, loss)
    prepare = address(prepare_lanes, dtype, optimizer)
    move = address(move_lanes_by_row if single else move_lanes, dtype, optimizer, penalty)
    average = address(average_lanes, dtype) if averaged else 0
    coefficients = aligned((1, len(coefficients_of(parts.optimizer)), width), dtype)
    update = NO_DRIFT if lazy else zero_gradient_update(parts)
    if update == SHRINKING and averaged:
        update = ALL_COLUMNS
    shared = (
        data.rows, data.shift, data.inverse_scale, data.constant, *row_fields(data, tiles),
        slopes, prepare, move, data.classes, tiles.loss, tiles.optimizer, tiles.penalty, tiles.low, tiles.high,
        data.factors, tiles.carry, coefficients, *workspace(data, tiles.weights, 16 if single else batch),
        order, ahead, batch, t,
    )  # fmt: skip
    for tile in range(first, last):
        size = tiles.size[tile]
        lanes = slice(tiles.lane[tile], tiles.lane[tile] + size)
        losses, table = np.zeros(width), np.zeros((len(rates), width))
        table[:, :size] = rates[:, lanes]
        averages = average, tiles.averages[tile], tiles.begin[tile]
        of_tile = tile, size, tiles.weights[tile], tiles.slots[tile], *averages, table
        if single:
            step = aligned((width,), dtype)
            single_steps(*shared, *of_tile, losses, plain, not parts.optimizer.plain, step)
        elif not sparse:
            sums = zeros((height if batch > FLUSH_ROWS else 0, width), np.float64)
            batch_steps(*shared, *of_tile, losses, aligned((height, width), dtype), sums, NO_COLUMNS)
        elif plain and batch <= SPARSE_ROWS and not averaged:
            plain_steps(*shared, *of_tile, losses)
        else:
            sparse_steps(*shared, *of_tile, losses, gradient_for(tiles.weights, update, batch), update)
        loss_sum[lanes] += losses[:size]


def is_plain(parts):
    """Whether steps only add the gradient to the weights."""
    return parts.optimizer.plain and not parts.optimizer.decays and type(parts.penalty) is Free


@inlined
def negative_product(lane, start, coefficients, S, k, out):
    """What a step adds for a 1 in the row."""
    out[lane] = -(coefficients[0, 0, lane] * S[k, lane])


@kernel(in_order=True)
def single_steps(
    rows, shift, inverse_scale, constant,
    fill, fields, slopes, prepare, move, classes, loss, optimizer, penalty, low, high, factors,
    carry, coefficients, Z, S, y, shares, joint, order, ahead, batch, t,
    tile, size, weights, slots, average, averages, begin, rates, losses, plain, by_step, step,
):  # fmt: skip
    """A step of a tile for each row. ``by_step``: its coefficients depend on the step, and not on the rate alone.

    A ``plain`` step only adds the gradient: it and the scores that follow touch the weights once, 130 ns of 210 (d=50,
    float64). Two products for 16 rows and corrections by their own products in between: 179 ns a row in all, not 166
    (32 lanes, d=50, float32), and 347, not 297 (float64).
    """
    most = Z.shape[0]
    for start in range(0, order.size, most):
        some = most if start + most < order.size else order.size - start
        for k in range(start, start + some):
            prefetch(rows, ahead[k])
        load_rows(rows, order, start, some, shift, inverse_scale, constant, Z)
        call(fill, tile, order, start, some, y, shares, S, fields)
        for k in range(some):
            if k == 0:
                row_scores(Z, k, weights, S)
            if fields.offset.size > 0:
                for lane in range(S.shape[1]):
                    S[k, lane] += fields.offset[np.uint64(order[start + k])]
            call(slopes, loss, tile, S, y, shares, k, k + 1, size, classes, joint, losses)
            s = start + k
            if s == 0 or rates.shape[0] > 1 or by_step:
                call(prepare, optimizer, tile, rates[s if rates.shape[0] > 1 else 0], t + s, carry, coefficients)
            following = k + 1 if k + 1 < some else k
            if plain:
                for first in range(0, step.size, simd_width(S)):
                    for_each_lane(negative_product, S, first, (coefficients, S, k, step))
                row_step(Z, k, step, following, weights, S)
            else:
                call(move, optimizer, penalty, tile, coefficients, Z, S, k, low, high, factors, weights, slots)
                row_scores(Z, following, weights, S)
            if averages.shape[0] > 0:
                call(average, averages, begin, weights, t + s)


@kernel(in_order=True)
def batch_steps(
    rows, shift, inverse_scale, constant,
    fill, fields, slopes, prepare, move, classes, loss, optimizer, penalty, low, high, factors,
    carry, coefficients, Z, S, y, shares, joint, order, ahead, batch, t,
    tile, size, weights, slots, average, averages, begin, rates, losses, gradient, sums, columns,
):  # fmt: skip
    """A step of a tile for each batch of dense rows; beyond ``FLUSH_ROWS`` rows its gradient is summed in float64."""
    d, most = shift.size, S.shape[0]
    for s in range((order.size + batch - 1) // batch):
        lo, hi = s * batch, (s + 1) * batch
        if hi > order.size:
            hi = order.size
        for j in range(d + 1):
            for lane in range(S.shape[1]):
                gradient[j, lane] = 0
        full = lo + FLUSH_ROWS
        for start in range(lo, hi, most):
            some = most if start + most < hi else hi - start
            for k in range(start, start + some):
                prefetch(rows, ahead[k])
            load_rows(rows, order, start, some, shift, inverse_scale, constant, Z)
            scores(rows, order, start, some, inverse_scale, constant, Z, weights, S)
            call(fill, tile, order, start, some, y, shares, S, fields)
            call(slopes, loss, tile, S, y, shares, 0, some, size, classes, joint, losses)
            add_weighted_rows(rows, order, start, some, inverse_scale, constant, Z, S, gradient)
            if start + some >= full:
                full = start + some + FLUSH_ROWS
                flush(gradient, sums, d)
        mean(gradient, sums, d, hi - lo)
        call(prepare, optimizer, tile, rates[s if rates.shape[0] > 1 else 0], t + s, carry, coefficients)
        call(move, optimizer, penalty, tile, coefficients, gradient, columns, d, low, high, factors, weights, slots)
        if averages.shape[0] > 0:
            call(average, averages, begin, weights, t + s)


@kernel(in_order=True)
def sparse_steps(
    rows, shift, inverse_scale, constant,
    fill, fields, slopes, prepare, move, classes, loss, optimizer, penalty, low, high, factors,
    carry, coefficients, Z, S, y, shares, joint, order, ahead, batch, t,
    tile, size, weights, slots, average, averages, begin, rates, losses, gradient, update,
):  # fmt: skip
    """The same for sparse rows."""
    most, lazy, columns = S.shape[0], gradient.lazy, gradient.columns
    for s in range((order.size + batch - 1) // batch):
        lo, hi = s * batch, (s + 1) * batch
        if hi > order.size:
            hi = order.size
        restart(gradient, update)
        full = lo + FLUSH_ROWS
        for start in range(lo, hi, most):
            some = most if start + most < hi else hi - start
            for k in range(start, start + some):
                prefetch(rows, ahead[k])
            if update != ALL_COLUMNS:
                known = gradient.count[0]
                touch(rows, order, start, some, gradient)
                if update == SHRINKING:
                    refresh(penalty, low, high, tile, weights, lazy, columns, known, gradient.count[0])
            sparse_products.scores(rows, order, start, some, inverse_scale, constant, weights, S)
            call(fill, tile, order, start, some, y, shares, S, fields)
            call(slopes, loss, tile, S, y, shares, 0, some, size, classes, joint, losses)
            sparse_products.add_weighted_rows(
                rows, order, start, some, inverse_scale, constant, S, gradient.position, gradient.values
            )
            if start + some >= full:
                full = start + some + FLUSH_ROWS
                flush(gradient.values, gradient.sums, gradient.count[0])
        count = gradient.count[0]
        mean(gradient.values, gradient.sums, count, hi - lo)
        call(prepare, optimizer, tile, rates[s if rates.shape[0] > 1 else 0], t + s, carry, coefficients)
        call(
            move, optimizer, penalty, tile, coefficients, gradient.values, columns, count, low, high, factors, weights,
            slots,
        )  # fmt: skip
        if update == SHRINKING:
            store(penalty, low, high, tile, coefficients, weights, lazy, columns, count)
        if averages.shape[0] > 0:
            call(average, averages, begin, weights, t + s)
    if update == SHRINKING:
        refresh_all(penalty, low, high, tile, weights, lazy)


@kernel(in_order=True)
def plain_steps(
    rows, shift, inverse_scale, constant,
    fill, fields, slopes, prepare, move, classes, loss, optimizer, penalty, low, high, factors,
    carry, coefficients, Z, S, y, shares, joint, order, ahead, batch, t,
    tile, size, weights, slots, average, averages, begin, rates, losses,
):  # fmt: skip
    """One step of plain SGD for each batch of sparse rows that a workspace holds: no gradient is stored."""
    for s in range((order.size + batch - 1) // batch):
        lo, hi = s * batch, (s + 1) * batch
        if hi > order.size:
            hi = order.size
        for k in range(lo, hi):
            prefetch(rows, ahead[k])
        sparse_products.scores(rows, order, lo, hi - lo, inverse_scale, constant, weights, S)
        call(fill, tile, order, lo, hi - lo, y, shares, S, fields)
        call(slopes, loss, tile, S, y, shares, 0, hi - lo, size, classes, joint, losses)
        call(prepare, optimizer, tile, rates[s if rates.shape[0] > 1 else 0], t + s, carry, coefficients)
        scale_slopes(coefficients, hi - lo, S)
        sparse_products.add_weighted_rows(rows, order, lo, hi - lo, inverse_scale, constant, S, None, weights)


@routine
def scale_slopes(coefficients, rows, S):
    """Turn the slopes of some rows into what their mean takes off the weights for a 1 in a row."""
    share = S.dtype.type(-1.0 / rows)
    for start in range(0, S.shape[1], simd_width(S)):
        for k in range(rows):
            for_each_lane(scale_slopes_lane, S, start, (coefficients, share, S, np.uint64(k)))


@inlined
def scale_slopes_lane(lane, start, coefficients, share, S, k):
    """One lane of a row: a plain loop over all lanes may multiply the three in another order at its end."""
    S[k, lane] *= coefficients[0, 0, lane] * share
