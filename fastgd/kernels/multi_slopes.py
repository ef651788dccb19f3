"""From the scores of a block of rows to their losses and slopes, in every lane of a tile."""

from typing import NamedTuple

import numpy as np

from ._jit import UNCOUNTED, branch, compiled_as, leaf, routine
from .lane_vectors import assume_noalias, column_of, for_each_lane, simd_width
from .multi_rows import height_for, rows_at_once
from .row_weights import fill_weights
from .rows import row_at
from .tiles import scratch


class Workspace(NamedTuple):
    """What a thread works on."""

    Z: np.ndarray  # (rows, d + 1) T, standardised rows; (0, d + 1) where they are sparse
    S: np.ndarray  # (rows, W) T, their scores, then slopes
    y: np.ndarray  # (W,) T, the targets of one row
    weight: np.ndarray  # (W,) float64, its weights; 1 where rows are not weighted
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
        scratch(1, width, weights)[0],
        scratch(1, width, numbers)[0],
        scratch(1, width, numbers)[0],
    )
    for lane in range(width):
        made.weight[lane] = 1.0
    return made


@leaf
def put(lane, start, number, out):
    """The same number in each lane."""
    out[lane] = number


@leaf
def fill_targets(targets, tiles, tile, start, i, out):
    """The target of row i in each lane of a vector."""
    for_each_lane(put, out, start, (targets[tiles.target[tile, start], i], out))
    for lane in range(tiles.same[tile, start], start + simd_width(out)):
        out[lane] = targets[tiles.target[tile, lane], i]


@leaf
def fill_all(data, tiles, tile, start, i, work):
    """The target of row i and, where lanes weigh rows, its weight, in each lane of a vector."""
    fill_targets(data.targets, tiles, tile, start, i, work.y)
    stop = start + simd_width(work.y)
    if tiles.weighted[tile]:
        fold, replicate = tiles.fold, tiles.replicate
        fill_weights(data, fold, replicate, tiles.scale, tiles.same, tile, start, stop, i, work.weight)
    elif data.weight.size > 0:
        for_each_lane(put, work.y, start, (np.float64(data.weight[i]), work.weight))


@branch
def add_offsets(offset, order, lo, first, stop, S):
    """Add their offsets to the scores of rows first to stop, in every lane; row 0 of S is the row at ``lo``."""
    for k in range(first, stop):
        number = offset[np.uint64(row_at(order, lo + k))]
        for lane in range(S.shape[1]):
            S[k, lane] += number


def block_slopes(part, data, tiles, tile, order, lo, first, stop, work, loss_sum):
    """Turn the scores of the workspace's rows first to stop into weighted slopes; add the losses to ``loss_sum``.

    Row 0 of the workspace is the row at ``lo``.
    """
    if data.offset.size > 0:
        add_offsets(data.offset, order, lo, first, stop, work.S)
    rule = joint_slopes if part.joint else lone_slopes
    rule(part, data, tiles, tile, order, lo, first, stop, work, loss_sum)


@compiled_as(block_slopes, **UNCOUNTED)
def _(part, data, tiles, tile, order, lo, first, stop, work, loss_sum):
    def lone(part, data, tiles, tile, order, lo, first, stop, work, loss_sum):
        if data.offset.size > 0:
            add_offsets(data.offset, order, lo, first, stop, work.S)
        lone_slopes(part, data, tiles, tile, order, lo, first, stop, work, loss_sum)

    def joint(part, data, tiles, tile, order, lo, first, stop, work, loss_sum):
        if data.offset.size > 0:
            add_offsets(data.offset, order, lo, first, stop, work.S)
        joint_slopes(part, data, tiles, tile, order, lo, first, stop, work, loss_sum)

    return joint if part.instance_class.joint else lone


@leaf
def lone_slopes(part, data, tiles, tile, order, lo, first, stop, work, loss_sum):
    """Every lane by itself."""
    for start in range(0, work.y.size, simd_width(work.S)):
        for k in range(first, stop):
            i = np.uint64(row_at(order, lo + k))
            fill_all(data, tiles, tile, start, i, work)
            for_each_lane(lone_slope, work.S, start, (part, tiles.loss, tile, work, k, loss_sum))


@leaf
def lone_slope(lane, start, part, fields, tile, work, k, loss_sum):
    """One lane of a row."""
    loss = column_of(part, fields, tile, lane)
    p, y, weight = work.S[k, lane], work.y[lane], work.weight[lane]
    loss_sum[lane] += np.float64(loss.value(p, y)) * weight
    work.S[k, lane] = loss.slope(p, y) * weight


@leaf
def joint_slopes(part, data, tiles, tile, order, lo, first, stop, work, loss_sum):
    """The lanes of each model together."""
    size = tiles.size[tile]
    for k in range(first, stop):
        i = np.uint64(row_at(order, lo + k))
        for start in range(0, work.y.size, simd_width(work.S)):
            fill_all(data, tiles, tile, start, i, work)
        for lane in range(0, size, data.classes):
            loss = column_of(part, tiles.loss, tile, lane)
            weight = work.weight[lane]
            loss_sum[lane] += weight * joint_row(loss, work.S, k, lane, data.classes, work.y[lane], weight, work.slopes)
        for lane in range(size, work.y.size):
            work.S[k, lane] = 0


@leaf
def joint_row(loss, S, k, first, classes, y, weight, slopes):
    """Turn the scores of row k in one model's lanes into weighted slopes; returns the loss, not weighted."""
    assume_noalias()
    value = np.float64(loss.value_and_slopes(S[k, first : first + classes], np.int64(y), slopes[:classes]))
    for lane in range(classes):
        S[k, first + lane] = weight * slopes[lane]
    return value
