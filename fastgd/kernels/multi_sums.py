"""Passes of many lanes over all rows: the gradient, the losses, the rows' weights; X is read once for all tiles.

Rows are cut into fixed chunks, whose float64 results are added in chunk order: the bits do not depend on threads.
"""

import numpy as np

from . import full_batch
from ._jit import branch, lean
from .addresses import address, call
from .lane_vectors import assume_noalias
from .lanes import FLUSH_ROWS
from .multi_functions import lane_slopes
from .multi_rows import add_weighted_rows, load_rows, scores
from .multi_slopes import add_offsets, fill_rows, workspace
from .products import aligned
from .row_weights import row_weight

COPIED = 64  # columns at once
MOST_CHUNKS = 64  # their sums are (chunks, lanes, d + 1)


def chunk_rows(rows):
    """Rows a chunk: a function of the shape alone; data of one chunk for one lane are so for many."""
    most = max(full_batch.chunk_rows(rows), -(-rows.shape[0] // MOST_CHUNKS))
    return -(-most // FLUSH_ROWS) * FLUSH_ROWS


@branch
def fill(table, number):
    """The same number everywhere."""
    for j in range(table.shape[0]):
        for lane in range(table.shape[1]):
            table[j, lane] = number


@branch
def flush(gradient, sums):
    """Add the gradient to float64 sums and begin it anew."""
    assume_noalias()
    for j in range(gradient.shape[0]):
        for lane in range(sums.shape[1]):
            sums[j, lane] += gradient[j, lane]
            gradient[j, lane] = 0


@branch
def store_sums(total, first, size, row, adds, sums):
    """One tile's sums, in the natural layout, as those of a chunk; or added to those, where there is no room."""
    for low in range(0, total.shape[0], COPIED):  # lane by lane, every line of the totals would be read for each
        high = low + COPIED
        if high > total.shape[0]:
            high = total.shape[0]
        for lane in range(size):
            for j in range(low, high):
                before = sums[row, first + lane, j] if adds else 0.0
                sums[row, first + lane, j] = before + total[j, lane]


def multi_sums(data, loss, tiles, chunk, first, last, sums, losses):
    """The sums of slope * scaled row (chunks, lanes, d + 1) and of losses (chunks, lanes) of chunks first to last.

    Where ``sums`` is (1, lanes, d + 1) those of later chunks are added to it: take them in order then.
    """
    _multi_sums(*_arguments(data, loss, tiles, chunk, first, last, sums, losses))


def multi_losses(data, loss, tiles, chunk, first, last, losses):
    """The weighted losses (chunks, lanes) of chunks first to last."""
    multi_sums(data, loss, tiles, chunk, first, last, np.empty((0, 0, 0)), losses)


def _arguments(data, loss, tiles, chunk, first, last, sums, losses):
    """Those of ``_multi_sums``, its workspace with them; where ``sums`` is empty, losses alone are wanted."""
    work = workspace(data, tiles.weights, FLUSH_ROWS)
    count, height, lanes = tiles.weights.shape
    totals = aligned((count, height if sums.size else 0, lanes), np.float64)
    # The sums of sparse rows are float64 at once: a flush would cost all columns.
    gradients = totals if data.rows.sparse else aligned(totals.shape, tiles.weights.dtype)
    slopes = address(lane_slopes, tiles.weights.dtype, type(loss))
    loss_sum = np.empty((count, lanes))
    flush_rows = 0 if data.rows.sparse else FLUSH_ROWS // len(work.S) * len(work.S)
    return data, slopes, tiles, work, gradients, totals, loss_sum, flush_rows, chunk, first, last, sums, losses


@lean
def _multi_sums(data, slopes, tiles, work, gradients, totals, loss_sum, flush_rows, chunk, first, last, sums, losses):
    Z, S, y, weight = work.Z, work.S, work.y, work.weight
    count, n, most = tiles.size.size, data.targets.shape[1], S.shape[0]
    for c in range(first, last):
        fill(loss_sum, 0.0)
        for tile in range(count):
            fill(gradients[tile], 0)
            fill(totals[tile], 0.0)
        stop = (c + 1) * chunk
        if stop > n:
            stop = n
        for start in range(c * chunk, stop, most):
            rows = most if start + most < stop else stop - start
            load_rows(data.rows, None, start, rows, data.shift, data.inverse_scale, data.constant, Z)
            done = start + rows - c * chunk
            for tile in range(count):
                scores(data.rows, None, start, rows, data.inverse_scale, data.constant, Z, tiles.weights[tile], S)
                if data.offset.size > 0:
                    add_offsets(data.offset, None, start, 0, rows, S)
                fill_rows(
                    data.targets, data.weight, data.roles, data.seed, tiles.target, tiles.fold, tiles.replicate,
                    tiles.scale, tiles.same, tiles.weighted, tile, None, start, rows, y, weight,
                )  # fmt: skip
                call(
                    slopes, tiles.loss, tile, S, y, weight, 0, rows, tiles.size[tile], data.classes, work.slopes,
                    loss_sum[tile],
                )  # fmt: skip
                if sums.size > 0:
                    add_weighted_rows(
                        data.rows, None, start, rows, data.inverse_scale, data.constant, Z, S, gradients[tile]
                    )
                    if flush_rows > 0 and (done % flush_rows == 0 or start + rows == stop):
                        flush(gradients[tile], totals[tile])
        row = c if c < sums.shape[0] else 0
        for tile in range(count):
            for lane in range(tiles.size[tile]):
                losses[c, tiles.lane[tile] + lane] = loss_sum[tile, lane]
            if sums.size > 0:
                store_sums(totals[tile], tiles.lane[tile], tiles.size[tile], row, row < c, sums)


@lean
def _multi_totals(weight, roles, seed, same, fold, replicate, lane, size, n, chunk, first, last, totals):
    for c in range(first, last):
        stop = (c + 1) * chunk
        if stop > n:
            stop = n
        for tile in range(lane.size):
            place = 0
            while place < size[tile]:
                total = 0.0
                for i in range(c * chunk, stop):
                    total += row_weight(weight, roles, seed, fold[tile, place], replicate[tile, place], np.uint64(i))
                following = same[tile, place]
                for k in range(place, following if following < size[tile] else size[tile]):
                    totals[c, lane[tile] + k] = total
                place = following


def multi_totals(data, tiles, chunk, first, last, totals):
    """The sum of each lane's row weights, without its scale, over chunks first to last: (chunks, lanes)."""
    _multi_totals(
        data.weight, data.roles, data.seed, tiles.same, tiles.fold, tiles.replicate, tiles.lane, tiles.size,
        data.targets.shape[1], chunk, first, last, totals,
    )  # fmt: skip


@lean
def load_weights(weights, lane, size, out):
    """Put the lanes' weights (lanes, d + 1) into their tiles (tiles, d + 1, W)."""
    for tile in range(lane.size):
        for place in range(out.shape[2]):
            at = lane[tile] + (place if place < size[tile] else size[tile] - 1)
            for j in range(out.shape[1]):
                out[tile, j, place] = weights[at, j]


def multi_small_steps(data, parts, lanes, tiles, chunk, rates, t, objective, norm):
    """Several full-batch steps over data of one chunk: rates, objective and norm are (steps, lanes).

    ``tiles`` are the lanes' own; their weights follow those of the lanes.
    """
    sums, losses = np.empty((1, *lanes.weights.shape)), np.empty((1, len(lanes.weights)))
    arguments = _arguments(data, parts.loss, tiles, chunk, 0, 1, sums, losses)
    for k in range(len(rates)):
        load_weights(lanes.weights, tiles.lane, tiles.size, tiles.weights)
        _multi_sums(*arguments)
        now = slice(k, k + 1)
        full_batch.finish(data, parts, lanes, rates[now], t + k, sums, losses, objective[now], norm[now])
