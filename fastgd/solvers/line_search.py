"""The line search of a descent: the whole step or a shorter one that lowers the objective enough (Armijo 1966)."""

import math
from typing import NamedTuple

import numpy as np

ENOUGH = 1e-4  # the share of the decrease predicted by the slope that a step must reach
NOISE = 16  # times eps * |objective|: the rise that rounding may cause
SHORTEST = 1e-9  # of a whole step's 1
TRIES = 8  # lengths of a step
STEEP = 0.5  # of the slope at a step's start: where it is steeper at the end, few rows allow a longer one to be tried
LONGER, LENGTHS = 4.0, 6  # how much longer, and how often at most


class Look(NamedTuple):
    """A question: the loss and its gradient at weights, over the rows of a stage."""

    stage: object
    weights: np.ndarray


class Point(NamedTuple):
    """Weights, and what a look at them answered."""

    weights: np.ndarray
    objective: float
    gradient: np.ndarray  # of the objective's smooth part


class LineSearch:
    """The search for the length of steps over the rows of a stage; ``looks`` counts what it asks.

    ``curved`` tells that second derivatives change from place to place, and so how far a slope goes.
    """

    def __init__(self, stage, model, eps, curved):
        self.stage, self.model, self.eps = stage, model, eps
        self.curved = curved and stage.short
        self.looks = 0

    def run(self, point, way):
        """Ask :class:`Look` after look; returns the length that was taken, 0 for none, and the point there."""
        share, failed = 1.0, math.inf
        for _ in range(TRIES):
            weights = self.moved(point, way, share)
            if np.array_equal(weights, point.weights):  # the objective would not rise, and the step count as taken
                break
            end = yield from self.look(weights)
            enough = point.objective + ENOUGH * share * way.slope + NOISE * self.eps * abs(point.objective)
            finite = bool(np.isfinite(end.gradient).all())
            if end.objective <= enough and finite:
                if failed < math.inf and self.curved:
                    return (yield from self.lengthened(point, way, share, end, failed))
                return share, end
            end_slope = self.model.slope(end.weights, end.gradient, way) if finite else math.nan
            failed = share
            share = shorter(share, point.objective, way.slope, end.objective, end_slope)
            if share < SHORTEST:
                break
        return 0.0, point

    def lengthened(self, point, way, share, end, failed):
        """A step as it was found, or a longer one, shorter than one that failed.

        Second derivatives that jump say little of how far a slope goes: where rows get within or beyond their kinks,
        steps were 0.001 of a whole one, and 1,000 not enough.
        """
        for _ in range(LENGTHS):
            if not self.model.slope(end.weights, end.gradient, way) < STEEP * way.slope:
                break
            longer = LONGER * share if LONGER * share < failed else math.sqrt(share * failed)
            further = yield from self.look(self.moved(point, way, longer))
            if further.objective <= end.objective and np.isfinite(further.gradient).all():
                share, end = longer, further
            else:
                failed = longer
        return share, end

    def moved(self, point, way, share):
        """The weights a share of the way on, in the type of the lanes."""
        return self.stage.in_type(self.model.moved(point.weights, way, share))

    def look(self, weights):
        """Ask for the point at some weights."""
        self.looks += 1
        objective, gradient = yield Look(self.stage, weights)
        return Point(weights, objective, gradient)


def shorter(share, start, slope, end, end_slope):
    """The next length to try: the minimum of the cubic through both ends, between a tenth and a half of ``share``."""
    if not math.isfinite(end):
        return 0.1 * share
    if end_slope > 0:
        # Both slopes, the first below and the last above zero: Nocedal and Wright 2006, equation 3.59.
        first = slope + end_slope - 3.0 * (end - start) / share
        root = math.sqrt(max(first * first - slope * end_slope, 0.0))
        found = share * (1.0 - (end_slope + root - first) / (end_slope - slope + 2.0 * root))
    else:
        found = -0.5 * slope * share * share / (end - start - slope * share)
    return min(max(found, 0.1 * share), 0.5 * share) if math.isfinite(found) else 0.1 * share
