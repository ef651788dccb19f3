"""SGD's elastic net on the columns that no row of a batch touches: done when they are next asked for, in every lane.

As ``lazy.Shrinking`` of one lane (which has the formulas), with a vector of lanes for each of its numbers.
"""

from typing import NamedTuple

import numpy as np

from ..parts.optimizers import Sgd
from ..parts.penalties import ElasticNet
from ._jit import UNCOUNTED, branch, compiled_as, leaf
from .across import across, column_of, lanes_of
from .lazy import LIMIT


class Asleep(NamedTuple):
    """What is known of the weights of a tile that are not up to date: they are stored times D of their last step."""

    now: np.ndarray  # (3, W) float64, D, B and 1 / D as of now
    since: np.ndarray  # (d, W) float64, B at the last step of a column; or (0, W) where all are up to date always


def shrinks(parts):
    """Whether many steps without a gradient have this closed form."""
    return type(parts.optimizer) is Sgd and type(parts.penalty) is ElasticNet


@compiled_as(shrinks, **UNCOUNTED)
def _(parts):
    found = parts[1].instance_class is Sgd and parts[2].instance_class is ElasticNet
    return lambda parts: found


@branch
def wake(parts, tiles, tile, weights, asleep, columns, first, last):
    """Bring the weights of columns first to last of a list up to date."""
    for start in range(0, weights.shape[1], lanes_of(weights)):
        for k in range(first, last):
            j = np.uint64(columns[k])
            across(wake_lane, weights, start, (j, parts.penalty, tiles, tile, weights, asleep.now, asleep.since))


@leaf
def wake_lane(lane, start, j, part, tiles, tile, weights, now, since):
    """One weight of a lane."""
    number = weights.dtype.type
    penalty = column_of(part, tiles.penalty, tile, lane)
    pull, share = number(now[1, lane] - since[j, lane]), number(now[2, lane])
    low, high = tiles.low[tile, j, lane], tiles.high[tile, j, lane]
    weights[j, lane] = penalty.shrink(weights[j, lane], pull, share, low, high)


@branch
def fall_asleep(parts, tiles, tile, coefficients, weights, asleep, columns, count):
    """Count the step that was taken, and store the weights of the first columns of a list as of now."""
    now, full = asleep.now, False
    for start in range(0, weights.shape[1], lanes_of(weights)):
        across(tick_lane, weights, start, (parts.penalty, tiles, tile, coefficients, now))
        for k in range(count):
            across(sleep_lane, weights, start, (np.uint64(columns[k]), weights, now, asleep.since))
    for lane in range(weights.shape[1]):
        full |= not now[0, lane] < LIMIT
    if full:
        settle(parts, tiles, tile, weights, asleep)


@leaf
def tick_lane(lane, start, part, tiles, tile, coefficients, now):
    """The running numbers of a lane after a step."""
    penalty = column_of(part, tiles.penalty, tile, lane)
    step, before = np.float64(coefficients[0, 0, lane]), now[0, lane]
    now[1, lane] += np.float64(penalty.pull(step)) * before
    now[0, lane] = before * np.float64(penalty.divisor(step))
    now[2, lane] = 1.0 / now[0, lane]


@leaf
def sleep_lane(lane, start, j, weights, now, since):
    """One weight of a lane."""
    weights[j, lane] *= weights.dtype.type(now[0, lane])
    since[j, lane] = now[1, lane]


@branch
def settle(parts, tiles, tile, weights, asleep):
    """Bring all weights of a tile up to date, and begin the running numbers anew."""
    now, since = asleep.now, asleep.since
    for start in range(0, weights.shape[1], lanes_of(weights)):
        for j in range(since.shape[0]):
            across(wake_lane, weights, start, (np.uint64(j), parts.penalty, tiles, tile, weights, now, since))
    for j in range(since.shape[0]):
        for lane in range(since.shape[1]):
            since[j, lane] = 0.0
    for lane in range(since.shape[1]):
        now[0, lane], now[1, lane], now[2, lane] = 1.0, 0.0, 1.0
