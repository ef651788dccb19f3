"""SGD's elastic net on the columns that no row of a batch touches: done when they are next read, in every lane.

As ``lazy.ElasticNetShrinkage`` of one lane (which has the formulas), with a vector of lanes for each of its numbers.
"""

from typing import NamedTuple

import numpy as np

from ..parts.penalties import ElasticNet
from ._jit import inlined, routine
from .lane_vectors import column_of, for_each_lane, simd_width
from .lanes import PENALTY
from .lazy import LIMIT


class LazyState(NamedTuple):
    """The running numbers of a tile, whose weights are stored times D of their last step with a gradient."""

    totals: np.ndarray  # (3, W) float64, the current D, B and 1 / D
    since: np.ndarray  # (d, W) float64, B at the last step of a column; or (0, W) where all are always up to date


def closed_form(optimizer, penalty):
    """Whether steps without a gradient have this closed form, for an optimizer class and a penalty class."""
    return optimizer.zero_gradient == "sgd" and not optimizer.decays and penalty is ElasticNet


@routine
def refresh(penalty, low, high, tile, weights, state, columns, first, last):
    """Bring the weights of columns first to last of a list up to date."""
    for start in range(0, weights.shape[1], simd_width(weights)):
        for k in range(first, last):
            j = np.uint64(columns[k])
            for_each_lane(
                refresh_lane, weights, start, (j, penalty, low, high, tile, weights, state.totals, state.since)
            )


@inlined
def refresh_lane(lane, start, j, penalties, lows, highs, tile, weights, totals, since):
    """One weight of a lane."""
    number = weights.dtype.type
    penalty = column_of(PENALTY, penalties, tile, lane)
    pull, share = number(totals[1, lane] - since[j, lane]), number(totals[2, lane])
    low, high = lows[tile, j, lane], highs[tile, j, lane]
    weights[j, lane] = penalty.shrink(weights[j, lane], pull, share, low, high)


@routine
def store(penalty, low, high, tile, coefficients, weights, state, columns, count):
    """Count the step that was taken, and store the weights of the first columns of a list."""
    totals, near_overflow = state.totals, False
    for start in range(0, weights.shape[1], simd_width(weights)):
        for_each_lane(count_step_lane, weights, start, (penalty, tile, coefficients, totals))
        for k in range(count):
            for_each_lane(store_lane, weights, start, (np.uint64(columns[k]), weights, totals, state.since))
    for lane in range(weights.shape[1]):
        near_overflow |= not totals[0, lane] < LIMIT
    if near_overflow:
        refresh_all(penalty, low, high, tile, weights, state)


@inlined
def count_step_lane(lane, start, penalties, tile, coefficients, totals):
    """The totals of a lane after a step."""
    penalty = column_of(PENALTY, penalties, tile, lane)
    step, before = np.float64(coefficients[0, 0, lane]), totals[0, lane]
    totals[1, lane] += np.float64(penalty.pull(step)) * before
    totals[0, lane] = before * np.float64(penalty.divisor(step))
    totals[2, lane] = 1.0 / totals[0, lane]


@inlined
def store_lane(lane, start, j, weights, totals, since):
    """One weight of a lane."""
    weights[j, lane] *= weights.dtype.type(totals[0, lane])
    since[j, lane] = totals[1, lane]


@routine
def refresh_all(penalty, low, high, tile, weights, state):
    """Bring all weights of a tile up to date, and reset the totals."""
    totals, since = state.totals, state.since
    for start in range(0, weights.shape[1], simd_width(weights)):
        for j in range(since.shape[0]):
            for_each_lane(
                refresh_lane, weights, start, (np.uint64(j), penalty, low, high, tile, weights, totals, since)
            )
    for j in range(since.shape[0]):
        for lane in range(since.shape[1]):
            since[j, lane] = 0.0
    for lane in range(since.shape[1]):
        totals[0, lane], totals[1, lane], totals[2, lane] = 1.0, 0.0, 1.0
