"""Passes of many lanes over all rows: the gradient, the losses, the rows' weights; X is read once for all tiles.

Rows are cut into fixed chunks, whose float64 results are added in chunk order: the bits do not depend on threads.
"""

import numpy as np

from . import full_batch
from ._jit import branch, kernel
from .addresses import address
from .lane_vectors import assume_noalias
from .lanes import FLUSH_ROWS, move_of
from .multi_functions import lane_slopes
from .multi_rows import add_weighted_rows, height_for, load_rows, scores
from .multi_slopes import block_slopes, workspace
from .row_weights import row_weight
from .rows import sums_of
from .tiles import fill, flush, scratch

COPIED = 64  # columns at once
MOST_CHUNKS = 64  # their sums are (chunks, lanes, d + 1)


def chunk_rows(rows):
    """Rows a chunk: a function of the shape alone; data of one chunk for one lane are so for many."""
    most = max(full_batch.chunk_rows(rows), -(-rows.shape[0] // MOST_CHUNKS))
    return -(-most // FLUSH_ROWS) * FLUSH_ROWS


@branch
def tile_gradient(slopes, data, tiles, tile, weights, lo, rows, workspace, out, losses):
    """Add what the workspace's rows, those at lo to lo + rows of the data, give one tile."""
    scores(data.rows, data, None, lo, rows, workspace, weights)
    block_slopes(slopes, data, tiles, tile, None, lo, rows, workspace, losses)
    add_weighted_rows(data.rows, data, None, lo, rows, workspace, out)


@branch
def store_sums(tiles, tile, total, losses, c, sums, out):
    """One tile's sums, in the natural layout, as those of chunk c; or added to the first's, where there is no room."""
    first, size, width = tiles.lane[tile], tiles.size[tile], sums.shape[2]
    for lane in range(size):
        out[c, first + lane] = losses[tile, lane]
    row, adds = (c, False) if c < sums.shape[0] else (0, True)
    for low in range(0, width, COPIED):  # lane by lane, every line of the totals would be read for each of them
        high = min(low + COPIED, width)
        for lane in range(size):
            for j in range(low, high):
                before = sums[row, first + lane, j] if adds else 0.0
                sums[row, first + lane, j] = before + total[tile, j, lane]


def slopes_of(loss, tiles):
    """The address of what a loss does to the scores of a tile."""
    return address(lane_slopes, tiles.weights.dtype, type(loss))


def multi_sums(data, loss, tiles, chunk, first, last, sums, losses):
    """The sums of slope * scaled row (chunks, lanes, d + 1) and of losses (chunks, lanes) of chunks first to last.

    Where ``sums`` is (1, lanes, d + 1) those of later chunks are added to it: take them in order then.
    """
    _multi_sums(data, slopes_of(loss, tiles), tiles, chunk, first, last, sums, losses)


@kernel
def _multi_sums(data, slopes, tiles, chunk, first, last, sums, losses):
    work = workspace(data, tiles.weights, FLUSH_ROWS)
    count, width, lanes = tiles.weights.shape
    n = data.targets.shape[1]
    step = work.S.shape[0]
    flush_rows = FLUSH_ROWS // step * step
    height = height_for(data.rows, width)
    gradients = scratch(count * height, lanes, work.S).reshape((count, height, lanes))
    totals = scratch(count * width, lanes, work.weight).reshape((count, width, lanes))
    into = sums_of(data.rows, gradients, totals)
    loss_sum = np.empty((count, lanes))
    for c in range(first, last):
        fill(loss_sum, 0.0)
        for tile in range(count):
            fill(gradients[tile], 0)
            fill(totals[tile], 0.0)
        hi = min((c + 1) * chunk, n)
        for start in range(c * chunk, hi, step):
            rows = min(step, hi - start)
            load_rows(data.rows, data, None, start, rows, work)
            done = start + rows - c * chunk
            for tile in range(count):
                tile_gradient(
                    slopes, data, tiles, tile, tiles.weights[tile], start, rows, work, into[tile], loss_sum[tile]
                )
                if done % flush_rows == 0 or start + rows == hi:
                    flush(gradients[tile], totals[tile])
        for tile in range(count):
            store_sums(tiles, tile, totals, loss_sum, c, sums, losses)


def multi_losses(data, loss, tiles, chunk, first, last, losses):
    """The weighted losses (chunks, lanes) of chunks first to last."""
    _multi_losses(data, slopes_of(loss, tiles), tiles, chunk, first, last, losses)


@kernel
def _multi_losses(data, slopes, tiles, chunk, first, last, losses):
    work = workspace(data, tiles.weights, FLUSH_ROWS)
    count, _, lanes = tiles.weights.shape
    n = data.targets.shape[1]
    loss_sum = np.empty((count, lanes))
    for c in range(first, last):
        fill(loss_sum, 0.0)
        hi = min((c + 1) * chunk, n)
        for start in range(c * chunk, hi, work.S.shape[0]):
            rows = min(work.S.shape[0], hi - start)
            load_rows(data.rows, data, None, start, rows, work)
            for tile in range(count):
                scores(data.rows, data, None, start, rows, work, tiles.weights[tile])
                block_slopes(slopes, data, tiles, tile, None, start, rows, work, loss_sum[tile])
        for tile in range(count):
            for lane in range(tiles.size[tile]):
                losses[c, tiles.lane[tile] + lane] = loss_sum[tile, lane]


@kernel
def multi_totals(data, tiles, chunk, first, last, totals):
    """The sum of each lane's row weights, without its scale, over chunks first to last: (chunks, lanes)."""
    for c in range(first, last):
        hi = min((c + 1) * chunk, data.targets.shape[1])
        for tile in range(tiles.lane.size):
            place = 0
            while place < tiles.size[tile]:
                stop = min(tiles.same[tile, place], tiles.size[tile])
                total = 0.0
                for i in range(c * chunk, hi):
                    total += row_weight(data, tiles.fold[tile, place], tiles.replicate[tile, place], i)
                for lane in range(place, stop):
                    totals[c, tiles.lane[tile] + lane] = total
                place = stop


def multi_small_steps(data, parts, lanes, tiles, chunk, rates, t, objective, norm):
    """Several full-batch steps over data of one chunk: rates, objective and norm are (steps, lanes).

    ``tiles`` are the lanes' own; their weights follow those of the lanes.
    """
    sums = np.empty((1, *lanes.weights.shape))
    losses = np.empty((1, lanes.weights.shape[0]))
    slopes, move = slopes_of(parts.loss, tiles), move_of(parts, lanes)
    _small_steps(data, slopes, move, lanes, tiles, chunk, rates, t, sums, losses, objective, norm)


@branch
def load_weights(lanes, tiles):
    """Put the lanes' weights into their tiles."""
    assume_noalias()
    for tile in range(tiles.lane.size):
        for lane in range(tiles.weights.shape[2]):
            at = tiles.lane[tile] + min(lane, tiles.size[tile] - 1)
            for j in range(tiles.weights.shape[1]):
                tiles.weights[tile, j, lane] = lanes.weights[at, j]


@kernel
def _small_steps(data, slopes, move, lanes, tiles, chunk, rates, t, sums, losses, objective, norm):
    """The steps of ``multi_small_steps``; sums (1, lanes, d + 1) and losses (1, lanes) are worked on."""
    for k in range(rates.shape[0]):
        load_weights(lanes, tiles)
        _multi_sums(data, slopes, tiles, chunk, 0, 1, sums, losses)
        full_batch.step(data, move, lanes, rates, k, t + k, sums, losses, objective, norm)
