"""The model of an objective with L1 or bounds: the whole matrix of second derivatives, and coordinate descent on it."""

import math

import numpy as np

from ..kernels.cholesky import Factor
from ..kernels.coordinates import image, part_of, sweep
from ..kernels.pairs import product
from .kinks import KinkedModel, KinkedWay
from .passes import length

SWEEPS = 100  # over the weights that are not at rest, at most, between two over all: 12 took 1.7 times as long
FALLING = 0.5  # what the last sweep brings, of what the one before brought: then less than that is left
ROUNDS = 60  # of sweeps and solutions
# Of the diagonal, added to it for a solution: columns that depend on others then move, too, until enough of them are
# zero. Without it, sweeps had to do that: 154 in place of 46 ms for 200 rows, 400 columns and a small penalty.
RIDGE = 1e-10
REFINED = 5  # solutions, at most, that make up for the ridge
# Of what all sweeps have brought: one that brings less is the last. The next way makes up for what is left: 1e-12 took
# twice as long for 900 columns.
SHARE = 1e-8
ROUNDING = 1e-30, 1e-13  # times the parabola's size and L1's cost: what is less is rounding


class Coordinates(KinkedModel):
    """A matrix that each pair updates (BFGS), in the coordinates of centred columns; its minimum by coordinates."""

    def __init__(self, kinks, *ring):
        super().__init__(kinks, *ring)
        self.matrix = None
        self.fresh = False  # whether no way was asked for, nor a run resumed

    def begin(self, metric, forget=False):
        """Take a parabola, and forget all pairs."""
        self.matrix, self.fresh = None, self.metric is None
        super().begin(metric, forget)

    def note(self, move, change):
        """Keep a pair, if the curvature along it is positive; a full ring gives up its oldest."""
        learned, first = self.learned, self.first
        super().note(move, change)
        if self.learned > learned and self.matrix is not None:
            self.update((self.first + learned) % len(self.moves))
        elif self.first != first:
            self.matrix = None

    def update(self, place):
        """Let the matrix have the change of the gradient along a move that was found."""
        offset, matrix = self.metric.offset, self.matrix
        move, change = centred_weights(self.moves[place], offset), centred_gradient(self.changes[place], offset)
        before = image(matrix, move)
        along = product(move, before)
        if along > 0.0:
            matrix -= np.multiply.outer(before, before / along)
        matrix += np.multiply.outer(change, change * self.inverse[place])

    def whole(self, gradient):
        """The matrix: that of the metric, updated by all pairs."""
        if self.metric.matrix is None:
            return np.eye(len(gradient)) * (length(gradient) or 1.0)
        if self.metric.exact or not self.learned:
            return self.metric.matrix
        if self.matrix is None:
            self.matrix = self.metric.matrix.copy()
            for k in range(self.learned):
                self.update((self.first + k) % len(self.moves))
        return self.matrix

    def way(self, weights, gradient):
        """The step to the minimum of the parabola and the penalty within bounds."""
        offset, matrix = self.metric.offset, self.whole(gradient)
        start, slope = centred_weights(weights, offset), centred_gradient(gradient, offset)
        end, after = start.copy(), slope.copy()
        if self.metric.exact:
            if self.fresh and self.metric.last_end is not None:
                end = self.kinks.within(self.metric.last_end.copy())
                after += image(matrix, end - start)
            self.fresh = False
        descend(matrix, after, self.kinks, end)
        if self.metric.exact:
            self.metric.last_end = end.copy()
        step = end - start
        fall = product(slope, step) + self.kinks.rise(start, end)
        promise = -fall - 0.5 * product(step, after - slope)
        if offset is not None:
            end[-1] -= product(offset, end[:-1])
            step[-1] -= product(offset, step[:-1])
        return KinkedWay(step, fall, promise, end)

    def judge(self, metric, weights, gradient):
        """What a step to the minimum would promise by another metric."""
        other = Coordinates(self.kinks, self.moves, self.changes, 0, 0)
        other.metric = metric
        return other.way(weights, gradient).promise


def centred_weights(weights, offset):
    """The weights of columns that are centred once more."""
    found = weights.copy()
    if offset is not None:
        found[-1] += product(offset, weights[:-1])
    return found


def centred_gradient(gradient, offset):
    """The gradient in the weights of columns that are centred once more."""
    found = gradient.copy()
    if offset is not None:
        found[:-1] -= offset * gradient[-1]
    return found


def descend(matrix, slope, kinks, weights):
    """Move weights (D,) to the minimum of a parabola with kinks; ``slope``, its gradient there, changes with them."""
    size = float(np.sum(matrix.diagonal() * weights * weights)), kinks.l1 * float(np.sum(np.abs(weights[:-1])))
    ends = np.empty((3, len(weights)))  # the intercept has none
    ends[:, -1] = 0.0, -math.inf, math.inf
    for row, values in zip(ends, kinks, strict=True):
        row[:-1] = values
    settle(matrix, slope, ends, weights, max(share * one for share, one in zip(ROUNDING, size, strict=True)))


def settle(matrix, slope, ends, weights, enough, share=SHARE):
    """``descend`` with L1 and bounds of each weight, (3, D).

    A sweep is the last one that brings no more than ``enough`` and a share of what all have brought.

    A sweep over all coordinates finds which are not at rest, and sweeps over these which are free. A linear system for
    the free ones ends what sweeps would take long for, where columns are correlated: with years and their squares, each
    of 60 ways brought 8 % of what was left.
    """
    brought = 0.0
    for _ in range(ROUNDS):
        fall = sweep(matrix, slope, *ends, weights, 1, 0.0)[0]
        brought += fall
        least = share * brought + enough
        if fall <= least:
            return
        some = np.flatnonzero(moving(slope, *ends, weights))
        block, w, part = part_of(matrix, some), weights[some], np.ascontiguousarray(ends[:, some])
        s = slope[some]
        fall, last, ratio = sweep(block, s, *part, w, SWEEPS, least)
        if last > least or (ratio > FALLING and last > enough):
            fall += solve_free(block, s, *part, w)
        whole = np.zeros(len(weights))
        whole[some], weights[some] = w - weights[some], w
        slope += image(matrix, whole)
        brought += fall


def free_of(l1, low, high, weights):
    """Which weights are neither zero by L1 nor at a bound."""
    return (weights > low) & (weights < high) & ((weights != 0.0) | (l1 == 0.0))


def moving(slope, l1, low, high, weights):
    """Which weights are free, or would move by their slope."""
    up, down = (slope < -l1) & (weights < high), (slope > l1) & (weights > low)
    return up | down | free_of(l1, low, high, weights)


def solve_free(matrix, slope, l1, low, high, weights):
    """Go to the minimum over the weights that are free; returns the decrease. ``slope`` stays.

    A weight that gets to zero or to a bound on the way there stays, and the others go on without it. Sweeps alone took
    it away from there again and again, where three columns were nearly dependent.
    """
    free = np.flatnonzero(free_of(l1, low, high, weights) & (matrix.diagonal() > 0.0))
    if not free.size:  # of columns whose diagonal has under- or overflowed
        return 0.0
    at, fallen, block = weights[free], 0.0, part_of(matrix, free)
    uphill = slope[free] + l1[free] * np.sign(at)
    kinked = l1[free] > 0.0
    low = np.where(kinked & (at > 0.0), np.maximum(low[free], 0.0), low[free])
    high = np.where(kinked & (at < 0.0), np.minimum(high[free], 0.0), high[free])
    ridge = RIDGE * block.diagonal()
    np.fill_diagonal(block, block.diagonal() + ridge)
    factor = Factor(block)
    for _ in range(len(free) + REFINED):
        step = factor.solve(-uphill)
        steep = product(uphill, step)
        if not -steep > SHARE * fallen:
            break
        with np.errstate(all="ignore"):
            ends = np.where(step > 0, high, low)
            reach = np.where(step != 0.0, (ends - at) / step, math.inf)
        first = int(np.argmin(reach))
        share = min(1.0, max(0.0, float(reach[first])))
        at = at + share * step
        uphill -= share * (uphill + ridge * step)  # as the matrix has no ridge
        fallen -= steep * share * (1.0 - 0.5 * share)
        if share < 1.0:
            at[first], uphill[first] = ends[first], 0.0
            factor.leave_out(first)
    weights[free] = at
    return fallen
