"""What a row weighs in a lane: the user's weight, how often its fold trains on it, and its bootstrap count.

Bootstrap counts are Poisson(1) (Chamandy et al. 2012: the limit of drawing n of n rows), hashed from seed, replicate
and row: nothing of size lanes x n is stored.
"""

import math

import numpy as np

from ._jit import branch, leaf
from .order import GOLDEN, mix, stream

PURPOSE = 1 << 40  # of the hashes, apart from those of orders
# P(count <= k) in units of 2**-53, up to where a uniform number of 53 bits can't tell it from 1.
CUMULATIVE = np.floor(np.cumsum([math.exp(-1.0) / math.factorial(k) for k in range(19)]) * 2.0**53).astype(np.int64)
CUMULATIVE[-1] = 2**53


@leaf
def count(seed, replicate, i):
    """How often a bootstrap replicate draws row i: Poisson(1)."""
    key = stream(seed, replicate, PURPOSE)
    uniform = np.int64(mix(key + (np.uint64(i) + np.uint64(1)) * GOLDEN) >> np.uint64(11))
    k = 0
    while uniform >= CUMULATIVE[k]:
        k += 1
    return k


@leaf
def row_weight(data, fold, replicate, i):
    """The weight of row i, without the lane's scale."""
    weight = 1.0
    if data.weight.size > 0:
        weight = np.float64(data.weight[i])
    if fold >= 0:
        weight *= max(np.int64(data.roles[fold, i]), 0)
    if replicate >= 0 and weight != 0.0:
        weight *= count(data.seed, replicate, i)
    return weight


@branch
def fill_weights(data, fold, replicate, scale, same, tile, start, stop, i, out, k):
    """The weight of row i in the lanes start to stop of a tile, times the lane's scale, into row k.

    No loss is among the arguments: it is compiled once for all.
    """
    until = same[tile, start]
    weight = row_weight(data, fold[tile, start], replicate[tile, start], i)
    for lane in range(start, stop):
        if lane >= until:
            weight = row_weight(data, fold[tile, lane], replicate[tile, lane], i)
        out[k, lane] = weight * scale[tile, lane]
