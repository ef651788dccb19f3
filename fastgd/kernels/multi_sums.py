"""Passes of many lanes over all rows: the gradient, the losses, the rows' weights; X is read once for all tiles.

Rows are cut into fixed chunks, whose float64 results are added in chunk order: the bits do not depend on threads.
"""

import numpy as np

from . import full_batch
from ._jit import kernel, routine
from .addresses import address, call
from .lanes import FLUSH_ROWS
from .multi_functions import lane_slopes
from .multi_gradients import flush
from .multi_rows import add_weighted_rows, load_rows, scores
from .multi_slopes import row_fields, workspace
from .products import zeros
from .row_weights import row_weight

NO_ORDER = np.empty(0, np.int64)


def multi_sums(data, loss, tiles, chunk, first, last, sums, losses):
    """The sums of slope * scaled row (chunks, lanes, d + 1) and of losses (chunks, lanes) of chunks first to last.

    Where ``sums`` is (1, lanes, d + 1) those of later chunks are added to it: take them in order then.
    """
    _multi_sums(*_arguments(data, loss, tiles, chunk, first, last, sums, losses))


def multi_losses(data, loss, tiles, chunk, first, last, losses):
    """The weighted losses (chunks, lanes) of chunks first to last."""
    multi_sums(data, loss, tiles, chunk, first, last, np.empty((0, *losses.shape[1:], 0)), losses)


def multi_small_steps(data, parts, lanes, tiles, chunk, rates, t, objective, norm):
    """Several full-batch steps over data of one chunk: rates, objective and norm are (steps, lanes).

    ``tiles`` are the lanes' own; their weights follow those of the lanes.
    """
    sums, losses = np.empty((1, *lanes.weights.shape)), np.empty((1, len(lanes.weights)))
    passed = _arguments(data, parts.loss, tiles, chunk, 0, 1, sums, losses, lanes.weights)
    stepped = full_batch.step_arguments(data, parts, lanes, rates, t, sums, losses, objective, norm)
    for k in range(len(rates)):
        _multi_sums(*passed)
        full_batch.take_step(*stepped, k)


def _arguments(data, loss, tiles, chunk, first, last, sums, losses, weights=None):
    """Those of ``_multi_sums``, its workspace with them; the tiles' weights are those of the lanes, where given."""
    count, height, lanes = tiles.weights.shape
    work, dtype = workspace(data, tiles.weights, FLUSH_ROWS), tiles.weights.dtype
    totals = zeros((count, height if sums.size else 0, lanes), np.float64)
    # The sums of sparse rows are float64 at once: a flush would cost all columns.
    gradients = totals if data.rows.sparse else zeros(totals.shape, dtype)
    flush_rows = 0 if data.rows.sparse else FLUSH_ROWS // len(work.S) * len(work.S)
    return (
        data.rows, data.shift, data.inverse_scale, data.constant,
        *row_fields(data, tiles), NO_ORDER,
        address(lane_slopes, dtype, type(loss)), tiles.loss, data.classes, tiles.lane, tiles.size,
        tiles.weights, np.empty((0, 0), dtype) if weights is None else weights,
        *work, gradients, totals, zeros((count, lanes), np.float64),
        flush_rows, sums, losses, chunk, first, last,
    )  # fmt: skip


@kernel(in_order=True)
def _multi_sums(
    rows, shift, inverse_scale, constant,
    fill, fields, order,
    slopes, loss, classes, lane, size,
    weights, natural,
    Z, S, y, weight, joint, gradients, totals, loss_sum,
    flush_rows, sums, losses, chunk, first, last,
):  # fmt: skip
    """The sums of chunks first to last; the losses alone, where ``sums`` is empty.

    The weights are those of the lanes in ``natural`` layout, where given. ``gradients``, ``totals`` and ``loss_sum``
    are zero, and left so.
    """
    count, n, most = size.size, fields.targets.shape[1], S.shape[0]
    for tile in range(count if natural.size > 0 else 0):
        load_weights(natural, lane[tile], size[tile], weights[tile])
    for c in range(first, last):
        stop = (c + 1) * chunk
        if stop > n:
            stop = n
        for start in range(c * chunk, stop, most):
            some = most if start + most < stop else stop - start
            load_rows(rows, order, start, some, shift, inverse_scale, constant, Z)
            done = start + some - c * chunk
            for tile in range(count):
                scores(rows, order, start, some, inverse_scale, constant, Z, weights[tile], S)
                call(fill, tile, order, start, some, y, weight, S, fields)
                call(slopes, loss, tile, S, y, weight, 0, some, size[tile], classes, joint, loss_sum[tile])
                if sums.size > 0:
                    add_weighted_rows(rows, order, start, some, inverse_scale, constant, Z, S, gradients[tile])
                    if flush_rows > 0 and (done % flush_rows == 0 or start + some == stop):
                        flush(gradients[tile], totals[tile], shift.size)
        for tile in range(count):
            store_sums(totals[tile], loss_sum[tile], lane[tile], size[tile], c, sums, losses)


@routine
def load_weights(weights, first, size, out):
    """Put a tile's weights, from lane ``first`` on, from the natural layout (lanes, d + 1) into it, (d + 1, W)."""
    for lane in range(out.shape[1]):
        at = first + (lane if lane < size else size - 1)
        for j in range(out.shape[0]):
            out[j, lane] = weights[at, j]


@routine
def store_sums(total, loss_sum, first, size, c, sums, losses):
    """One tile's sums, in the natural layout, as those of chunk c; or added to the first's, where there is no room."""
    row = c if c < sums.shape[0] else 0
    for j in range(total.shape[0]):
        for lane in range(size):
            before = sums[row, first + lane, j] if row < c else 0.0
            sums[row, first + lane, j] = before + total[j, lane]
        for lane in range(total.shape[1]):
            total[j, lane] = 0.0
    for lane in range(size):
        losses[c, first + lane] = loss_sum[lane]
    for lane in range(loss_sum.size):
        loss_sum[lane] = 0.0


@kernel(in_order=True)
def _multi_totals(weight, roles, seed, start, same, fold, replicate, lane, size, n, chunk, first, last, totals):
    for c in range(first, last):
        stop = (c + 1) * chunk
        if stop > n:
            stop = n
        for tile in range(lane.size):
            place = 0
            while place < size[tile]:
                total = 0.0
                for i in range(c * chunk, stop):
                    total += row_weight(
                        weight, roles, seed, start, fold[tile, place], replicate[tile, place], np.uint64(i)
                    )
                following = same[tile, place]
                for k in range(place, following if following < size[tile] else size[tile]):
                    totals[c, lane[tile] + k] = total
                place = following


def multi_totals(data, tiles, chunk, first, last, totals):
    """The sum of each lane's row weights, without its scale, over chunks first to last: (chunks, lanes)."""
    _multi_totals(
        data.weight, data.roles, data.seed, data.first, tiles.same, tiles.fold, tiles.replicate, tiles.lane, tiles.size,
        data.targets.shape[1], chunk, first, last, totals,
    )  # fmt: skip
