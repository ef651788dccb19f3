"""Mini-batches and single rows of many lanes, a tile at a time: tiles know nothing of each other."""

from typing import NamedTuple

import numpy as np

from ..optimizers import decayed
from ._jit import apart, cast_all, column_of, kernel, read_slots, routine, store_column, write_slots
from .lanes import FLUSH_ROWS
from .products import pull, row_scores, scores
from .rows import Dense, prefetch
from .slopes import block_slopes, desk
from .tiles import read_rows, scratch


class Outer(NamedTuple):
    """The gradient of row k alone, never written down: its numbers times the lanes' slopes."""

    Z: np.ndarray
    S: np.ndarray
    k: int

    def at(self, j, lane):
        return self.Z[self.k, j] * self.S[self.k, lane]


def lane_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, met):
    """One step of tiles first to last for every ``batch`` rows of ``order``, the last batch as long as it is.

    The steps are number t onwards, their rates (steps, lanes); the losses met are added to ``met`` (lanes,); at each
    row the memory is asked for the row in ``ahead``.
    """
    if batch == 1:
        single_steps(data, parts, tiles, first, last, order, ahead, rates, t, met)
    else:
        batch_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, met)


@routine
def prepare(parts, tiles, tile, rates, s, t, coefficients):
    """What depends on the step alone, in float64; cast to the weights' type."""
    apart()
    lane, size = tiles.lane[tile], tiles.size[tile]
    for place in range(tiles.scale.shape[1]):
        optimizer = column_of(parts.optimizer, tiles.optimizer, tile, place)
        carry = tiles.carry[tile, 0, place], tiles.carry[tile, 1, place]
        prepared, after = optimizer.prepare(rates[s, lane + min(place, size - 1)], t, carry)
        tiles.carry[tile, 0, place], tiles.carry[tile, 1, place] = after
        store_column(coefficients, 0, place, prepared)


@routine
def move(parts, prepared, coefficients, gradient, tiles, tile, weights, slots):
    """Move the weights (d + 1, W) of a tile: the inner loop is over the lanes."""
    apart()
    d = weights.shape[0] - 1
    for j in range(d):
        for lane in range(weights.shape[1]):
            optimizer = column_of(parts.optimizer, tiles.optimizer, tile, lane)
            penalty = column_of(parts.penalty, tiles.penalty, tile, lane)
            c = column_of(prepared, coefficients, 0, lane)
            w = weights[j, lane]
            change, step, s = optimizer.move(c, w, gradient.at(j, lane), read_slots(optimizer, slots, j, lane))
            low, high = tiles.low[tile, j, lane], tiles.high[tile, j, lane]
            weights[j, lane] = penalty.prox(decayed(optimizer, c, w) + change, step, low, high)
            write_slots(slots, j, lane, s)
    for lane in range(weights.shape[1]):
        optimizer = column_of(parts.optimizer, tiles.optimizer, tile, lane)
        c = column_of(prepared, coefficients, 0, lane)
        w = weights[d, lane]
        change, step, s = optimizer.move(c, w, gradient.at(d, lane), read_slots(optimizer, slots, d, lane))
        weights[d, lane] = w + change
        write_slots(slots, d, lane, s)


@routine
def average(tiles, tile, t):
    """Take the weights into their running means."""
    apart()
    for j in range(tiles.averages.shape[1]):
        for lane in range(tiles.weights.shape[2]):
            begin = tiles.begin[tile, lane]
            share = 1.0 / (t - begin + 1) if t >= begin else 0.0
            mean = tiles.averages[tile, j, lane]
            tiles.averages[tile, j, lane] = mean + share * (tiles.weights[tile, j, lane] - mean)


@kernel
def single_steps(data, parts, tiles, first, last, order, ahead, rates, t, met):
    """One step for each row."""
    on = desk(data, tiles.weights, 16)
    losses = np.empty(on.y.size)
    one = column_of(parts.optimizer, tiles.optimizer, first, 0)
    prepared = cast_all(one.prepare(1.0, t, (1.0, 1.0))[0], on.S)
    coefficients = scratch(len(prepared), on.y.size, on.S).reshape((1, len(prepared), on.y.size))
    for tile in range(first, last):
        weights, slots = tiles.weights[tile], tiles.slots[tile]
        for lane in range(losses.size):
            losses[lane] = 0.0
        for start in range(0, order.size, on.Z.shape[0]):
            rows = min(on.Z.shape[0], order.size - start)
            for k in range(start, start + rows):
                prefetch(data.rows, ahead[k])
            read_rows(data.rows, order, start, rows, data.shift, data.inverse_scale, data.constant, on.Z)
            for k in range(rows):
                row_scores(on.Z, k, weights, on.S)
                block_slopes(parts.loss, data, tiles, tile, order, start, k, k + 1, False, on, losses)
                prepare(parts, tiles, tile, rates, start + k, t + start + k, coefficients)
                move(parts, prepared, coefficients, Outer(on.Z, on.S, k), tiles, tile, weights, slots)
                if tiles.averages.shape[1] > 0:
                    average(tiles, tile, t + start + k)
        for lane in range(tiles.size[tile]):
            met[tiles.lane[tile] + lane] += losses[lane]


@kernel
def batch_steps(data, parts, tiles, first, last, order, ahead, batch, rates, t, met):
    """One step for each batch; beyond ``FLUSH_ROWS`` rows its gradient is summed in float64."""
    on = desk(data, tiles.weights, batch)
    losses = np.empty(on.y.size)
    one = column_of(parts.optimizer, tiles.optimizer, first, 0)
    prepared = cast_all(one.prepare(1.0, t, (1.0, 1.0))[0], on.S)
    coefficients = scratch(len(prepared), on.y.size, on.S).reshape((1, len(prepared), on.y.size))
    gradient = scratch(tiles.weights.shape[1], on.y.size, on.S)
    sums = scratch(tiles.weights.shape[1] if batch > FLUSH_ROWS else 0, on.y.size, losses)
    for tile in range(first, last):
        weights, slots = tiles.weights[tile], tiles.slots[tile]
        for lane in range(losses.size):
            losses[lane] = 0.0
        for s in range(rates.shape[0]):
            lo, hi = s * batch, min((s + 1) * batch, order.size)
            fill(gradient, 0)
            fill(sums, 0)
            flush = lo + FLUSH_ROWS
            for start in range(lo, hi, on.Z.shape[0]):
                rows = min(on.Z.shape[0], hi - start)
                for k in range(start, start + rows):
                    prefetch(data.rows, ahead[k])
                read_rows(data.rows, order, start, rows, data.shift, data.inverse_scale, data.constant, on.Z)
                scores(on.Z, rows, weights, on.S)
                block_slopes(parts.loss, data, tiles, tile, order, start, 0, rows, False, on, losses)
                pull(on.Z, rows, on.S, gradient)
                if start + rows >= flush:
                    flush = start + rows + FLUSH_ROWS
                    carry_over(gradient, sums)
            mean(gradient, sums, hi - lo)
            prepare(parts, tiles, tile, rates, s, t + s, coefficients)
            move(parts, prepared, coefficients, Dense(gradient), tiles, tile, weights, slots)
            if tiles.averages.shape[1] > 0:
                average(tiles, tile, t + s)
        for lane in range(tiles.size[tile]):
            met[tiles.lane[tile] + lane] += losses[lane]


@routine
def fill(table, value):
    apart()
    for j in range(table.shape[0]):
        for lane in range(table.shape[1]):
            table[j, lane] = value


@routine
def carry_over(gradient, sums):
    """Add the gradient to float64 sums, where there are any, and begin it anew."""
    apart()
    for j in range(sums.shape[0]):
        for lane in range(sums.shape[1]):
            sums[j, lane] += gradient[j, lane]
            gradient[j, lane] = 0


@routine
def mean(gradient, sums, rows):
    """Divide the sums by the number of rows."""
    apart()
    share = 1.0 / rows
    if sums.shape[0] > 0:
        for j in range(gradient.shape[0]):
            for lane in range(gradient.shape[1]):
                gradient[j, lane] = (sums[j, lane] + gradient[j, lane]) * share
    else:
        share = gradient.dtype.type(share)
        for j in range(gradient.shape[0]):
            for lane in range(gradient.shape[1]):
                gradient[j, lane] *= share
