"""Orthant-wise steps of L-BFGS (Andrew and Gao 2007), also within bounds: the model of many weights with kinks."""

import numpy as np

from ..kernels.pairs import first_loop, product, second_loop
from .kinks import KinkedModel, KinkedWay

LEAST_COSINE = 1e-6  # of the free parts of a move and its change: pairs below are left out


class Orthants(KinkedModel):
    """A metric that L-BFGS updates on the free weights: those that are not at rest at zero or at a bound.

    A step goes on to where weights get to zero or to a bound, where they stay.
    """

    def way(self, weights, gradient):
        """The step to the minimum of the model, cut where it would leave the orthant of the steepest descent."""
        return self.way_by(self.metric, self.learned, weights, gradient)

    def judge(self, metric, weights, gradient):
        """What a step to the minimum would promise by another metric."""
        return self.way_by(metric, 0, weights, gradient).promise

    def way_by(self, metric, learned, weights, gradient):
        """The way by some metric, which the pairs update, or not where none are learned."""
        steepest = self.kinks.subgradient(weights, gradient)
        free = steepest != 0.0
        if self.kinks.l1:
            inside = (weights[:-1] > self.kinks.low) & (weights[:-1] < self.kinks.high) & (weights[:-1] != 0.0)
            free[:-1] |= inside
        free[-1] = True
        free = np.flatnonzero(free)
        for pairs in (learned, 0):
            step = self.cut(weights, steepest, self.solve_free(metric, -steepest, free, pairs))
            end = self.project(weights, weights + step)
            slope = product(steepest, end - weights)
            if slope < 0.0 or not pairs:
                break
        return KinkedWay(step, slope, -0.5 * slope, end)

    def cut(self, weights, steepest, step):
        """The step without what would lead from zero, or from a bound, against the steepest descent."""
        rest = step[:-1] * steepest[:-1] > 0.0
        edge = (weights[:-1] <= self.kinks.low) | (weights[:-1] >= self.kinks.high)
        step[:-1][rest & (edge | (weights[:-1] == 0.0 if self.kinks.l1 else False))] = 0.0
        return step

    def project(self, weights, end):
        """The end of a move, its weights that have changed sign at zero, and none beyond bounds."""
        if self.kinks.l1:
            end[:-1][weights[:-1] * end[:-1] < 0.0] = 0.0
        return self.kinks.within(end)

    def moved(self, weights, way, share):
        """The weights a share of the way on."""
        return way.end.copy() if share == 1.0 else self.project(weights, weights + share * way.step)

    def solve_free(self, metric, g, free, learned):
        """The inverse of the metric's free part, updated by the free parts of pairs, times g; zero elsewhere."""
        found = np.zeros(len(g))
        if not learned:
            return metric.solve_free(g, free)
        places = (self.first + np.arange(learned)) % len(self.moves)
        moves, changes = (np.ascontiguousarray(ring[places[:, None], free]) for ring in (self.moves, self.changes))
        along = np.einsum("kj,kj->k", moves, changes)
        sizes = np.sqrt(np.einsum("kj,kj->k", moves, moves) * np.einsum("kj,kj->k", changes, changes))
        kept = np.flatnonzero(along > LEAST_COSINE * sizes)
        if not len(kept):
            return metric.solve_free(g, free)
        if len(kept) < learned:
            moves, changes, along = moves[kept], changes[kept], along[kept]
        inverse = 1.0 / along
        ring = moves, changes, inverse, 0, len(kept), np.zeros(len(kept))
        q = g[free]
        first_loop(q, *ring)
        found[free] = q
        step = metric.solve_free(found, free)[free]
        if metric.scaled:
            found[free] = changes[-1]
            size = product(changes[-1], metric.solve_free(found, free)[free])
            step *= 1.0 / (inverse[-1] * size) if size > 0.0 else 1.0
        second_loop(step, *ring)
        found[free] = step
        return found
