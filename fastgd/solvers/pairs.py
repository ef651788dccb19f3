"""The pairs of L-BFGS: the last moves of a descent, and how the gradient changed with each (Nocedal 1980)."""

import math

import numpy as np

from ..kernels.pairs import first_loop, product, second_loop

KEPT = 10
KEPT_OF_MANY, MANY = 5, 1 << 17  # with so many weights fewer are kept, to save memory
LEAST_COSINE = 1e-14  # of a move and its change: below, the pair says nothing but rounding


def slots(width):
    """The places of a ring of pairs: one more than are kept."""
    return (KEPT if width <= MANY else KEPT_OF_MANY) + 1


class Pairs:
    """A ring of pairs in two arrays (places, width): ``moves`` and ``changes``.

    One place is free: a snapshot that knows where the ring began still finds its pairs after one more was added.
    """

    def __init__(self, moves, changes, first, count):
        self.moves, self.changes, self.first, self.count = moves, changes, first, count
        self.inverse, self.shares = np.zeros((2, len(moves)))  # inverse products of a move and its change
        for k in range(count):
            place = (first + k) % len(moves)
            self.inverse[place] = 1.0 / product(moves[place], changes[place])

    def clear(self):
        """Forget all pairs."""
        self.first = (self.first + self.count) % len(self.moves)
        self.count = 0

    def add(self, move, change):
        """Keep a pair, if the curvature along it is positive."""
        along = product(move, change)
        if not along > LEAST_COSINE * math.sqrt(product(move, move) * product(change, change)):
            return
        place = (self.first + self.count) % len(self.moves)
        self.moves[place], self.changes[place], self.inverse[place] = move, change, 1.0 / along
        if self.count < len(self.moves) - 1:
            self.count += 1
        else:
            self.first = (self.first + 1) % len(self.moves)

    def direction(self, gradient, metric):
        """The step ``-H @ gradient``, where H is the metric's inverse updated by the pairs."""
        if not self.count:
            return -metric.solve(gradient)
        ring = self.moves, self.changes, self.inverse, self.first, self.count, self.shares
        q = -gradient
        first_loop(q, *ring)
        step = metric.solve(q)
        if metric.scaled:
            newest = (self.first + self.count - 1) % len(self.moves)
            change = self.changes[newest]
            step *= 1.0 / (self.inverse[newest] * product(change, metric.solve(change)))
        second_loop(step, *ring)
        return step
