"""From the scores of a block of rows to their losses and slopes, in every lane of a tile."""

from typing import NamedTuple

import numpy as np

from ..elementary import exp, log
from ._jit import UNCOUNTED, compiled_as, leaf, routine
from .across import across, apart, column_of, lanes_of
from .row_weights import fill_held, fill_weights
from .rows import row_at
from .tiles import rows_at_once, scratch


class Desk(NamedTuple):
    """What a thread works on."""

    Z: np.ndarray  # (rows, d + 1) T, standardised rows
    S: np.ndarray  # (rows, W) T, their scores, then slopes
    y: np.ndarray  # (W,) T, of one row
    weight: np.ndarray  # (W,) float64, of one row
    value: np.ndarray  # (W,) float64, its losses


@routine
def desk(data, weights, most):
    """A desk for tiles of ``weights`` (tiles, d + 1, W) that takes at most ``most`` rows at once."""
    width = weights.shape[2]
    rows = rows_at_once(data, most)
    numbers = np.empty(1)
    return Desk(
        scratch(rows, weights.shape[1], weights),
        scratch(rows, width, weights),
        scratch(1, width, weights)[0],
        scratch(1, width, numbers)[0],
        scratch(1, width, numbers)[0],
    )


@leaf
def put(lane, start, number, out):
    """The same number in each lane."""
    out[lane] = number


@leaf
def fill_targets(targets, tiles, tile, i, out):
    """The target of row i in each lane of a tile."""
    for start in range(0, out.size, lanes_of(out)):
        y = targets[tiles.target[tile, start], i]
        across(put, out, start, (y, out))
        for lane in range(tiles.same[tile, start], start + lanes_of(out)):
            out[lane] = targets[tiles.target[tile, lane], i]


def row_slopes(part, data, tiles, tile, desk, k):
    """Turn row k of the desk's scores into slopes; its losses become the desk's values."""
    (joint_slopes if part.joint else lone_slopes)(part, data, tiles, tile, desk, k)


@compiled_as(row_slopes, **UNCOUNTED)
def _(part, data, tiles, tile, desk, k):
    if part.instance_class.joint:
        return lambda part, data, tiles, tile, desk, k: joint_slopes(part, data, tiles, tile, desk, k)
    return lambda part, data, tiles, tile, desk, k: lone_slopes(part, data, tiles, tile, desk, k)


@leaf
def lone_slopes(part, data, tiles, tile, desk, k):
    """Every lane by itself."""
    for start in range(0, desk.y.size, lanes_of(desk.S)):
        across(lone_slope, desk.S, start, (part, tiles.loss, tile, desk, k))


@leaf
def lone_slope(lane, start, part, fields, tile, desk, k):
    """One lane of a row."""
    loss = column_of(part, fields, tile, lane)
    p, y = desk.S[k, lane], desk.y[lane]
    desk.value[lane] = loss.value(p, y)
    desk.S[k, lane] = loss.slope(p, y)


@leaf
def joint_slopes(part, data, tiles, tile, desk, k):
    """The softmax of the lanes of each model; its loss is met at the model's first lane."""
    size = tiles.size[tile]
    for first in range(0, size, data.classes):
        last = first + data.classes
        factor = tiles.loss[tile, 0, first]
        highest = desk.S[k, first]
        for lane in range(first, last):
            highest = max(highest, desk.S[k, lane])
        total = 0.0
        for lane in range(first, last):
            desk.value[lane] = exp(desk.S[k, lane] - highest)
            total += desk.value[lane]
        true = first + np.int64(desk.y[first])
        value = log(total) + np.float64(highest - desk.S[k, true])
        for lane in range(first, last):
            desk.S[k, lane] = factor * (desk.value[lane] / total)
            desk.value[lane] = 0.0
        desk.S[k, true] -= desk.S.dtype.type(factor)
        desk.value[first] = factor * value
    for lane in range(size, desk.y.size):
        desk.S[k, lane] = 0
        desk.value[lane] = 0.0


@leaf
def block_slopes(part, data, tiles, tile, order, lo, first, stop, held, desk, met):
    """Turn the desk's scores of rows first to stop into weighted slopes; add their weighted losses to ``met`` (W,).

    The desk's row 0 is the row at ``lo``. ``held`` weighs the rows that the lanes' folds hold out, and them alone.
    """
    apart()
    weighted = held or tiles.weighted[tile]
    dtype = desk.S.dtype
    for k in range(first, stop):
        i = np.uint64(row_at(order, lo + k))
        fill_targets(data.targets, tiles, tile, i, desk.y)
        row_slopes(part, data, tiles, tile, desk, k)
        if weighted:
            if held:
                fill_held(data, tiles, tile, i, desk.weight)
            else:
                fill_weights(data, tiles, tile, i, desk.weight)
            for lane in range(desk.y.size):
                desk.value[lane] *= desk.weight[lane]
                desk.S[k, lane] *= dtype.type(desk.weight[lane])
        elif data.weight.size > 0:
            weight = data.weight[i]
            for lane in range(desk.y.size):
                desk.value[lane] *= weight
                desk.S[k, lane] *= weight
        for lane in range(desk.y.size):
            met[lane] += desk.value[lane]
