"""What a row weighs in a lane: the user's weight, how often its fold trains on it, and its bootstrap count.

Bootstrap counts are Poisson(1) (Chamandy et al. 2012: the limit of drawing n of n rows), hashed from seed, replicate
and row: nothing of size lanes x n is stored.
"""

import math

import numpy as np

from ._jit import inlined, kernel
from .addresses import arguments
from .lane_vectors import assume_noalias
from .order import GOLDEN, mix, stream
from .rows import row_at

PURPOSE = 1 << 40  # of the hashes, apart from those of orders
# P(count <= k) in units of 2**-53, up to where a uniform number of 53 bits can't tell it from 1.
CUMULATIVE = np.floor(np.cumsum([math.exp(-1.0) / math.factorial(k) for k in range(19)]) * 2.0**53).astype(np.int64)
CUMULATIVE[-1] = 2**53


@inlined
def count(seed, replicate, i):
    """How often a bootstrap replicate draws row i: Poisson(1)."""
    key = stream(seed, replicate, PURPOSE)
    uniform = np.int64(mix(key + (np.uint64(i) + np.uint64(1)) * GOLDEN) >> np.uint64(11))
    k = 0
    while uniform >= CUMULATIVE[k]:
        k += 1
    return k


@inlined
def row_weight(weight, roles, seed, first, fold, replicate, i):
    """The weight of row i, without the lane's scale; ``first`` is the number of row 0 among all."""
    share = 1.0
    if weight.size > 0:
        share = np.float64(weight[i])
    if fold >= 0:
        role = np.int64(roles[fold, i])
        share *= role if role > 0 else 0
    if replicate >= 0 and share != 0.0:
        share *= count(seed, replicate, np.int64(first) + np.int64(i))
    return share


@kernel
def _draw(seed, replicate, first, weights):
    """Multiply the weights of the rows from ``first`` on by their counts in a bootstrap replicate."""
    for k in range(weights.size):
        weights[k] *= count(seed, replicate, first + k)


@kernel
def _fill_counts(seed, numbers, out):
    """How often each replicate draws the rows of some numbers."""
    for b in range(out.shape[0]):
        for k in range(numbers.size):
            out[b, k] = count(seed, b, numbers[k])


def counts(seed, replicates, numbers):
    """How often each of so many replicates draws the rows of some numbers: (replicates, rows) int8."""
    out = np.empty((replicates, numbers.size), np.int8)
    _fill_counts(seed, numbers, out)
    return out


def row_weights(data, fold, replicate, held, start, stop):
    """The weights of rows start to stop: as the fold trains on them, or of what it holds out where ``held``."""
    weights = np.ones(stop - start)
    if fold >= 0:
        role = data.roles[fold, start:stop]
        weights = (role < 0 if held else np.maximum(role, 0)).astype(np.float64)
    if data.weight.size:
        weights *= data.weight[start:stop]
    if replicate >= 0:
        _draw(data.seed, replicate, data.first + start, weights)
    return weights


@arguments("T1 B2 int int I2 I2 F2 I2 int I1 int int F2")
def fill_weights():
    """What rows weigh: called by its address, as lanes seldom weigh rows."""

    def fill_weights(weight, roles, seed, first, fold, replicate, scale, same, tile, order, lo, rows, out):
        """The weights of the ``rows`` rows at ``lo`` in every lane of a tile, times the lane's scale, into ``out``."""
        assume_noalias()
        for k in range(rows):
            i = np.uint64(row_at(order, lo + k))
            lane = 0
            while lane < out.shape[1]:
                share = row_weight(weight, roles, seed, first, fold[tile, lane], replicate[tile, lane], i)
                stop = same[tile, lane]
                for place in range(lane, stop):
                    out[k, place] = share * scale[tile, place]
                lane = stop

    return fill_weights
