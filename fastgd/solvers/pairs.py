"""The pairs of L-BFGS: the last moves of a descent, and how the gradient changed with each (Nocedal 1980)."""

import math
from typing import NamedTuple

import numpy as np

from ..kernels.pairs import ONE_THREAD, first_loop, product, second_loop
from .passes import length

KEPT, KEPT_OF_CLASSES = 10, 20
KEPT_OF_MANY, MANY = 3, 1 << 17  # with so many weights fewer are kept: 10 of 2**20 took 10 to 40 % more time
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

    quickest = 0.0  # the least share of a step's promise that the next one is believed to make

    def __init__(self, moves, changes, first, count):
        self.metric = None
        self.moves, self.changes, self.first, self.learned = moves, changes, first, count
        self.inverse, self.shares = np.zeros((2, len(moves)))  # inverse products of a move and its change
        for k in range(count):
            place = (first + k) % len(moves)
            self.inverse[place] = 1.0 / product(moves[place], changes[place])

    def enter(self, stage):
        """Take note of the rows that the objective is of."""

    def begin(self, metric, forget=False):
        """Take a metric, and forget all pairs, where it does not keep them or they did not do."""
        self.metric = metric
        if forget or not metric.keeps:
            self.forget()

    def forget(self):
        """Forget all that was learned."""
        self.first, self.learned = (self.first + self.learned) % len(self.moves), 0

    def note(self, move, change):
        """Keep a pair, if the curvature along it is positive, and not known exactly."""
        if self.metric.exact:
            return
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
        if self.metric.scaled and not self.learned and slope < 0:
            # Of 500 rows of 5,000 columns a diagonal alone gave a step 17 times too long: 25 where 12 were enough.
            reach = self.metric.reach(step, slope)
            step, slope = reach * step, reach * slope
        return Way(step, slope, -0.5 * slope)

    def judge(self, metric, weights, gradient):
        """What a step to the minimum would promise by another metric."""
        return 0.5 * product(gradient, metric.solve(gradient))

    @property
    def dependent(self):
        """Which columns (d,) the metric leaves out; None where it leaves none."""
        return self.metric.dependent

    def missed(self, gradient):
        """The decrease that columns promise which the metric leaves out."""
        return self.metric.missed(gradient)

    def moved(self, weights, way, share):
        """The weights a share of the way on."""
        return weights + share * way.step

    def norm(self, weights, gradient):
        """The norm of the gradient."""
        return length(gradient)

    def slope(self, weights, gradient, way):
        """The slope of the objective at some weights of the way."""
        return product(gradient, way.step)

    def solve(self, g, flattest=False):
        """The metric's inverse, updated by the pairs, times g.

        Where pairs set its scale, the newest one does, or the ``flattest``: along which there is least curvature.
        """
        if not self.learned:
            return self.metric.solve(g)
        few = g.size <= ONE_THREAD
        first, second = (
            (self.first_loop, self.second_loop) if few else (self.compiled(first_loop), self.compiled(second_loop))
        )
        q = g.copy()
        first(q)
        step = self.metric.solve(q)
        if self.metric.scaled:
            places = self.places()
            step *= max(self.reach_of(place) for place in (places if flattest else places[-1:]))
        second(step)
        return step

    def reach_of(self, place):
        """How much less curvature a pair has found than the metric has."""
        change = self.changes[place]
        return 1.0 / (self.inverse[place] * product(change, self.metric.solve(change)))

    def at_most(self, gradient):
        """What a step would promise, were all that the pairs say nothing of as flat as the flattest of them.

        The newest may lie where the curvature is 2,000 times what it is elsewhere.
        """
        if not (self.metric.scaled and self.learned):
            return 0.0
        return 0.5 * product(gradient, self.solve(gradient, flattest=True))

    def places(self):
        """The places of the pairs, the oldest first."""
        return [(self.first + k) % len(self.moves) for k in range(self.learned)]

    def compiled(self, loop):
        """A compiled loop over the pairs."""
        ring = self.moves, self.changes, self.inverse, self.first, self.learned, self.shares
        return lambda vector: loop(vector, *ring)

    def first_loop(self, q):
        """As the compiled one: for few weights that is not worth 0.3 s of compilation."""
        for place in reversed(self.places()):
            self.shares[place] = self.inverse[place] * product(self.moves[place], q)
            q -= self.shares[place] * self.changes[place]

    def second_loop(self, step):
        """As the compiled one."""
        for place in self.places():
            step += (self.shares[place] - self.inverse[place] * product(self.changes[place], step)) * self.moves[place]
