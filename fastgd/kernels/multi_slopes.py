"""From the scores of a block of rows to their losses and slopes, in every lane of a tile."""

from typing import NamedTuple

import numpy as np

from ._jit import branch, leaf, routine
from .addresses import call
from .lane_vectors import for_each_lane, simd_width
from .multi_rows import height_for, rows_at_once
from .row_weights import fill_weights
from .rows import row_at
from .tiles import fill, scratch


class Workspace(NamedTuple):
    """What a thread works on."""

    Z: np.ndarray  # (rows, d + 1) T, standardised rows; (0, d + 1) where they are sparse
    S: np.ndarray  # (rows, W) T, their scores, then slopes
    y: np.ndarray  # (rows, W) T, their targets
    weight: np.ndarray  # (rows, W) float64, their weights; 1 where rows are not weighted
    slopes: np.ndarray  # (W,) float64, those of one row, where a joint loss writes them


@routine
def workspace(data, weights, most):
    """A workspace for tiles of ``weights`` (tiles, d + 1, W) that takes at most ``most`` rows at once."""
    width = weights.shape[2]
    rows = rows_at_once(data.rows, data, most)
    numbers = np.empty(1)
    made = Workspace(
        scratch(height_for(data.rows, rows), weights.shape[1], weights),
        scratch(rows, width, weights),
        scratch(rows, width, weights),
        scratch(rows, width, numbers),
        scratch(1, width, numbers)[0],
    )
    fill(made.weight, 1.0)
    return made


@leaf
def put(lane, start, number, out, k):
    """The same number in each lane of a row."""
    out[k, lane] = number


@leaf
def fill_targets(targets, tiles, tile, start, i, out, k):
    """The target of row i in each lane of a vector."""
    for_each_lane(put, out, start, (targets[tiles.target[tile, start], i], out, np.uint64(k)))
    for lane in range(tiles.same[tile, start], start + simd_width(out)):
        out[k, lane] = targets[tiles.target[tile, lane], i]


@leaf
def fill_all(data, tiles, tile, start, i, work, k):
    """The target of row i and, where lanes weigh rows, its weight, in each lane of a vector."""
    fill_targets(data.targets, tiles, tile, start, i, work.y, k)
    stop = start + simd_width(work.y)
    if tiles.weighted[tile]:
        fold, replicate = tiles.fold, tiles.replicate
        fill_weights(data, fold, replicate, tiles.scale, tiles.same, tile, start, stop, i, work.weight, k)
    elif data.weight.size > 0:
        for_each_lane(put, work.y, start, (np.float64(data.weight[i]), work.weight, np.uint64(k)))


@branch
def add_offsets(offset, order, lo, first, stop, S):
    """Add their offsets to the scores of rows first to stop, in every lane; row 0 of S is the row at ``lo``."""
    for k in range(first, stop):
        number = offset[np.uint64(row_at(order, lo + k))]
        for lane in range(S.shape[1]):
            S[k, lane] += number


@branch
def fill_rows(data, tiles, tile, order, lo, rows, work):
    """The targets and weights of the ``rows`` rows at ``lo`` in every lane of a tile."""
    for start in range(0, work.S.shape[1], simd_width(work.S)):
        for k in range(rows):
            fill_all(data, tiles, tile, start, np.uint64(row_at(order, lo + k)), work, k)


@leaf
def block_slopes(slopes, data, tiles, tile, order, lo, rows, work, loss_sum):
    """Turn the scores of the workspace's rows into weighted slopes; add the losses to ``loss_sum``.

    ``slopes`` is the address of the loss's ``lane_slopes``; row 0 of the workspace is the row at ``lo``.
    """
    if data.offset.size > 0:
        add_offsets(data.offset, order, lo, 0, rows, work.S)
    fill_rows(data, tiles, tile, order, lo, rows, work)
    call_slopes(slopes, data, tiles, tile, 0, rows, work, loss_sum)


@leaf
def call_slopes(slopes, data, tiles, tile, first, stop, work, loss_sum):
    """The same for rows first to stop, whose offsets, targets and weights are known."""
    size = tiles.size[tile]
    call(slopes, tiles.loss, tile, work.S, work.y, work.weight, first, stop, size, data.classes, work.slopes, loss_sum)
