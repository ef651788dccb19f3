"""Kinks and ends of an objective: L1 and bounds, and what models of such an objective ask of them."""

from typing import NamedTuple

import numpy as np

from ..kernels.pairs import product
from ..parts.penalties import ElasticNet
from .pairs import Pairs
from .passes import length


def made_of_lines(loss):
    """Whether a loss consists of lines, so that kinks are all that is not straight."""
    return loss.kinks is not None and loss.kinks(np.zeros(1)) is not None


class Kinks(NamedTuple):
    """L1, and bounds (d,) of the coefficients."""

    l1: float
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, lanes, lane, place):
        """Those of the weights of a lane in some places, the intercept's the last; or None if it has none."""
        l1 = float(lanes.penalty[lane, 0])
        columns = place if isinstance(place, slice) else place[:-1]
        low, high = (bound[lane][columns].astype(np.float64) for bound in (lanes.low, lanes.high))
        return cls(l1, low, high) if l1 or np.isfinite(low).any() or np.isfinite(high).any() else None

    def rise(self, weights, end):
        """By how much the penalty of L1 rises from ``weights`` to ``end``."""
        return self.l1 * float(np.sum(np.abs(end[:-1]) - np.abs(weights[:-1]))) if self.l1 else 0.0

    def slope(self, weights, gradient, step):
        """The slope of the objective along a step, at weights where its smooth part has this gradient."""
        slope = product(gradient, step)
        if self.l1:
            side = np.where(weights[:-1] != 0.0, np.sign(weights[:-1]) * step[:-1], np.abs(step[:-1]))
            slope += self.l1 * float(side.sum())
        return slope

    def subgradient(self, weights, gradient):
        """The smallest subgradient (d + 1,)."""
        part = ElasticNet(self.l1, 0.0)
        return np.append(part.slope(weights[:-1], gradient[:-1], self.low, self.high), gradient[-1])

    def within(self, weights):
        """Weights that are beyond their bounds, put back in place."""
        np.clip(weights[:-1], self.low, self.high, out=weights[:-1])
        return weights


class KinkedWay(NamedTuple):
    """A step to an end, and what it promises; as ``pairs.Way``."""

    step: np.ndarray  # (d + 1,)
    slope: float  # what the objective's linear part, with the penalty, falls by up to the end
    promise: float
    end: np.ndarray  # (d + 1,), the weights there: exact zeros and bounds


class KinkedModel(Pairs):
    """What the models of an objective with kinks have in common."""

    dependent = None

    def __init__(self, kinks, *ring):
        super().__init__(*ring)
        self.kinks = kinks

    def missed(self, gradient):
        """None: no column is left out."""
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
