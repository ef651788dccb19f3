"""The pairs of L-BFGS: the last moves of a descent, and how the gradient changed with each (Nocedal 1980)."""

import math
from typing import NamedTuple

import numpy as np

from ..kernels.pairs import first_loop, product, second_loop
from .passes import length

KEPT, KEPT_OF_CLASSES = 10, 20
KEPT_OF_MANY, MANY = 5, 1 << 17  # with so many weights fewer are kept, to save memory
LEAST_COSINE = 1e-14  # of a move and its change: below, the pair says nothing but rounding


def slots(width, classes):
    """The places of a ring of pairs of so many weights: one more than are kept."""
    return (KEPT_OF_MANY if width > MANY else KEPT if classes == 1 else KEPT_OF_CLASSES) + 1


class Way(NamedTuple):
    """A step, and what it promises."""

    step: np.ndarray  # (d + 1,)
    slope: float  # of the objective along it, or what it falls by with the penalty of the whole step
    promise: float  # the decrease, if the objective were what the model takes it for


class Pairs:
    """The model of a smooth objective: a metric that L-BFGS updates by its pairs, a ring in two arrays (places, width).

    One place is free: a snapshot that knows where the ring began still finds its pairs after one more was added.
    """

    def __init__(self, moves, changes, first, count):
        self.metric = None
        self.moves, self.changes, self.first, self.learned = moves, changes, first, count
        self.inverse, self.shares = np.zeros((2, len(moves)))  # inverse products of a move and its change
        for k in range(count):
            place = (first + k) % len(moves)
            self.inverse[place] = 1.0 / product(moves[place], changes[place])

    def begin(self, metric):
        """Take a metric, and forget all pairs, where it does not keep them."""
        self.metric = metric
        if not metric.keeps:
            self.first, self.learned = (self.first + self.learned) % len(self.moves), 0

    def note(self, move, change):
        """Keep a pair, if the curvature along it is positive."""
        along = product(move, change)
        if not along > LEAST_COSINE * math.sqrt(product(move, move) * product(change, change)):
            return
        place = (self.first + self.learned) % len(self.moves)
        self.moves[place], self.changes[place], self.inverse[place] = move, change, 1.0 / along
        if self.learned < len(self.moves) - 1:
            self.learned += 1
        else:
            self.first = (self.first + 1) % len(self.moves)

    def way(self, weights, gradient):
        """The step to the minimum of the model."""
        step = self.solve(-gradient)
        slope = product(gradient, step)
        return Way(step, slope, -0.5 * slope)

    def judge(self, metric, weights, gradient):
        """What a step to the minimum would promise by another metric."""
        return 0.5 * product(gradient, metric.solve(gradient))

    def moved(self, weights, way, share):
        """The weights a share of the way on."""
        return weights + share * way.step

    def norm(self, weights, gradient):
        """The norm of the gradient."""
        return length(gradient)

    def solve(self, g):
        """The metric's inverse, updated by the pairs, times g."""
        if not self.learned:
            return self.metric.solve(g)
        ring = self.moves, self.changes, self.inverse, self.first, self.learned, self.shares
        q = g.copy()
        first_loop(q, *ring)
        step = self.metric.solve(q)
        if self.metric.scaled:
            newest = (self.first + self.learned - 1) % len(self.moves)
            change = self.changes[newest]
            step *= 1.0 / (self.inverse[newest] * product(change, self.metric.solve(change)))
        second_loop(step, *ring)
        return step
