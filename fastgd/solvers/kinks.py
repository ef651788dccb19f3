"""Kinks and ends of an objective: L1 and bounds, and what models of such an objective ask of them."""

import math
from typing import NamedTuple

import numpy as np

from ..kernels.pairs import product
from ..parts.penalties import ElasticNet
from .pairs import Pairs
from .passes import length
from .strengths import l1_of

MOST_ROWS = 1 << 22  # that are not in memory themselves, of which an interior point keeps numbers: 400 MB


def made_of_lines(loss):
    """Whether a loss consists of lines, so that kinks are all that is not straight."""
    return loss.kinks is not None and loss.kinks(np.zeros(1)) is not None


def too_many_rows(rows):
    """Whether rows do not lie in memory, and are so many that a dozen numbers for each must not, either."""
    return not rows.in_memory and rows.shape[0] > MOST_ROWS


class Kinks(NamedTuple):
    """L1 and bounds of weights, (weights,) each: of all classes, with the intercepts, which have none."""

    l1: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, lanes, rows, place, data):
        """Those of the weights of some lanes, which are a model's, in some places; or None if it has none.

        ``data`` are of the columns there.
        """
        columns = place if isinstance(place, slice) else place[:-1]
        low, high = (bound[rows, columns].astype(np.float64) for bound in (lanes.low, lanes.high))
        l1 = np.broadcast_to(l1_of(data, lanes.penalty[rows, :1].astype(np.float64)), low.shape)
        if not (l1.any() or np.isfinite(low).any() or np.isfinite(high).any()):
            return None
        found = np.empty((3, len(low), low.shape[1] + 1))
        for one, of_columns, of_constant in zip(found, (l1, low, high), (0.0, -math.inf, math.inf), strict=True):
            one[:, :-1], one[:, -1] = of_columns, of_constant
        return cls(*found.reshape(3, -1))

    def at(self, places):
        """Those of the weights in some places."""
        return Kinks(*(one[places] for one in self))

    def rise(self, weights, end):
        """By how much the penalty of L1 rises from ``weights`` to ``end``."""
        return float(np.sum(self.l1 * (np.abs(end) - np.abs(weights))))

    def slope(self, weights, gradient, step):
        """The slope of the objective along a step, at weights where its smooth part has this gradient."""
        side = np.where(weights != 0.0, np.sign(weights) * step, np.abs(step))
        return product(gradient, step) + float(np.sum(self.l1 * side))

    def subgradient(self, weights, gradient):
        """The smallest subgradient (weights,)."""
        return ElasticNet(self.l1, 0.0).slope(weights, gradient, self.low, self.high)

    def free(self, weights):
        """Which weights are on no kink and no end, (weights,)."""
        return (weights > self.low) & (weights < self.high) & ((weights != 0.0) | (self.l1 == 0.0))

    def moving(self, weights, slope):
        """Which weights are free, or would move by the slope of the smooth part."""
        up, down = (slope < -self.l1) & (weights < self.high), (slope > self.l1) & (weights > self.low)
        return up | down | self.free(weights)

    def within(self, weights):
        """Weights that are beyond their bounds, put back in place."""
        return np.clip(weights, self.low, self.high, out=weights)


class KinkedWay(NamedTuple):
    """A step to an end, and what it promises; as ``pairs.Way``."""

    step: np.ndarray  # (weights,)
    slope: float  # what the objective's linear part, with the penalty, falls by up to the end
    promise: float
    end: np.ndarray  # (weights,), those there: exact zeros and bounds


class KinkedModel(Pairs):
    """What the models of an objective with kinks have in common."""

    dependent = None

    def __init__(self, kinks, *ring):
        super().__init__(*ring)
        self.kinks = kinks

    def missed(self, gradient):
        """None: no column is left out."""
        return 0.0

    def at_most(self, gradient):
        """Not known: what a step promises is no product with the gradient."""
        return 0.0

    def moved(self, weights, way, share):
        """The weights a share of the way on."""
        return way.end.copy() if share == 1.0 else self.kinks.within(weights + share * way.step)

    def norm(self, weights, gradient):
        """The norm of the smallest subgradient."""
        return length(self.kinks.subgradient(weights, gradient))

    def slope(self, weights, gradient, way):
        """The slope of the objective at some weights of the way."""
        return self.kinks.slope(weights, gradient, way.step)
