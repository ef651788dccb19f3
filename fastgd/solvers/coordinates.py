"""The model of an objective with L1 or bounds: second derivatives that pairs update, and coordinate descent on them."""

import math
from typing import NamedTuple

import numpy as np

from ..kernels.cholesky import Factor
from ..kernels.coordinates import QUICK, SLOW, descend_coordinates, image, learned_factors
from ..kernels.pairs import product
from .kinks import KinkedModel, KinkedWay
from .passes import length

SWEEPS, A_SWEEP = 12, 8  # so many between two solutions on the free weights, or one for so many columns
ROUNDS = 60  # of sweeps and solutions
DROPPED = 20  # weights, at most, that become zero or get to a bound in one solution
MOST_FREE = 1024  # weights of a linear system
# Of what all sweeps have brought: one that brings less is the last. The next way makes up for what is left: 1e-12 took
# twice as long for 900 columns. Where the parabola is not the objective, it is worth less, and least where pairs set
# its scale: there linear systems took twice as long as all else.
EXACT, CLOSE, ROUGH = 1e-8, 1e-5, 1e-3
ROUGH_SWEEPS = 60
NOISE = 1e-30  # times the parabola's size: what is less is rounding
LEAST_BEND = 1e-10  # of a diagonal: what pairs leave of it


class Parabola(NamedTuple):
    """The second derivatives of some weights, those of several classes one after another.

    ``scale`` times a matrix for each class, and ``factors[:, :m] @ factors[:, :m].T``, and less the same of the rest.
    """

    matrix: np.ndarray  # (D, D), or its diagonal (D,)
    scale: float
    places: np.ndarray  # of the weights
    factors: np.ndarray  # (places, 2 * m), of what m pairs have changed

    def bends(self):
        """The diagonal, (places,)."""
        matrix, (learned, forgotten) = self.matrix, np.split(self.factors, 2, axis=1)
        diagonal = (matrix if matrix.ndim == 1 else matrix.diagonal())[self.places % matrix.shape[-1]] * self.scale
        changed = diagonal + np.einsum("ij,ij->i", learned, learned) - np.einsum("ij,ij->i", forgotten, forgotten)
        return np.maximum(changed, LEAST_BEND * diagonal)

    def of(self, some):
        """The matrix of some of the places, by their numbers."""
        group, column = np.divmod(self.places[some], self.matrix.shape[-1])
        if self.matrix.ndim == 1:
            found = np.diag(self.scale * self.matrix[column])
        else:
            found = self.scale * self.matrix[np.ix_(column, column)]
            found[group[:, None] != group] = 0.0
        learned, forgotten = np.split(self.factors[some], 2, axis=1)
        if learned.size:
            found += np.einsum("ik,jk->ij", learned, learned)
            found -= np.einsum("ik,jk->ij", forgotten, forgotten)
        return found


class Coordinates(KinkedModel):
    """A metric that pairs update as in BFGS, in the coordinates of centred columns; its minimum by coordinates.

    The matrix of BFGS is that of the metric, and two of the rank of the pairs (Byrd, Nocedal and Schnabel 1994,
    theorem 2.3): ``scale B + Y d^-1 Y' - U C^-1 U'`` with ``d = s'y``, ``U = scale B S + Y d^-1 L'`` and
    ``C = scale S'B S + L d^-1 L'``, L being the part of ``S'Y`` below its diagonal. It is made of free weights alone.
    Orthant-wise steps of L-BFGS (Andrew and Gao 2007) took 1 to 3 times as many passes.
    """

    def __init__(self, kinks, *ring):
        super().__init__(kinks, *ring)
        self.images = None  # B times the moves, in the ring's places
        self.fresh = False  # whether no way was asked for, nor a run resumed

    def begin(self, metric, forget=False):
        """Take a metric, and forget what does not go with it."""
        self.images, self.fresh = None, self.metric is None
        super().begin(metric, forget)

    def note(self, move, change):
        """Keep a pair, if the curvature along it is positive; a full ring gives up its oldest."""
        known = self.first, self.learned
        super().note(move, change)
        if self.images is not None and (self.first, self.learned) != known:
            self.add(self.places()[-1])

    def add(self, place):
        """Take the products of the pair in a place with all others."""
        offset = self.metric.offset
        self.images[place] = image(self.matrix, centred_weights(self.moves[place], offset))
        plain = centred_gradient(self.images[place], offset, -1)
        self.curves[place] = self.curves[:, place] = np.einsum("kj,j->k", self.moves, plain)
        self.products[place] = np.einsum("kj,j->k", self.changes, self.moves[place])

    @property
    def matrix(self):
        """That of the metric, of each class: (D, D), or its diagonal (D,)."""
        return np.ones(self.moves.shape[1]) if self.metric.matrix is None else self.metric.matrix

    def scale(self, gradient):
        """What the matrix is multiplied by."""
        if self.metric.matrix is None:
            return length(gradient) or 1.0
        if not (self.metric.scaled and self.learned):
            return 1.0
        newest = self.places()[-1]
        change = self.changes[newest]
        return self.inverse[newest] * product(change, self.metric.solve(change))

    def parabola(self, weights, gradient):
        """The second derivatives of the weights that may move."""
        matrix, scale, order = self.matrix, self.scale(gradient), np.array(self.places(), np.int64)
        if matrix.ndim == 2:
            places = np.arange(len(weights))
        else:  # of so many weights those at rest are left out
            places = np.flatnonzero((self.kinks.subgradient(weights, gradient) != 0.0) | self.kinks.free(weights))
        if self.metric.exact or not self.learned:
            return Parabola(matrix, scale, places, np.zeros((len(places), 0)))
        if self.images is None:
            self.images = np.zeros_like(self.moves)
            self.curves, self.products = np.zeros((2, len(self.moves), len(self.moves)))
            for place in order:
                self.add(place)
        among = np.ix_(order, order)
        lower = np.tril(self.products[among], -1) * self.inverse[order]
        root, inner = np.sqrt(self.inverse[order]), np.zeros((len(order), len(order)))
        Factor(scale * self.curves[among] + np.einsum("ik,jk,k->ij", lower, lower, root**-2)).whitening(inner)
        known = self.images, self.changes, order, self.metric.offset
        return Parabola(matrix, scale, places, learned_factors(*known, places, scale, lower, root, inner))

    def way(self, weights, gradient):
        """The step to the minimum of the parabola and the penalty within bounds."""
        offset = self.metric.offset
        start, slope = centred_weights(weights, offset), centred_gradient(gradient, offset)
        parabola = self.parabola(weights, slope)
        end, after = start.copy(), slope.copy()
        if self.metric.exact:
            if self.fresh and self.metric.last_end is not None:
                end = self.kinks.within(self.metric.last_end.copy())
                after += image(self.matrix, end - start)
            self.fresh = False
        share = EXACT if self.metric.exact else ROUGH if self.metric.scaled else CLOSE
        found = descend(parabola, after, self.kinks, end, share)
        if self.metric.exact:
            self.metric.last_end = end.copy()
        step = end - start
        fall = product(slope, step) + self.kinks.rise(start, end)
        learned, forgotten = np.split(found, 2)
        bend = product(step, after - slope) + product(learned, learned) - product(forgotten, forgotten)
        step, end = centred_weights(step, offset, -1), centred_weights(end, offset, -1)
        return KinkedWay(step, fall, -fall - 0.5 * bend, end)

    def judge(self, metric, weights, gradient):
        """What a step to the minimum would promise by another metric."""
        other = Coordinates(self.kinks, self.moves, self.changes, 0, 0)
        other.metric = metric
        return other.way(weights, gradient).promise


def centred_weights(weights, offset, way=1):
    """The weights, those of each class in turn, of columns that are centred once more; with ``way=-1`` no more."""
    found = weights.copy()
    if offset is not None:
        rows = found.reshape(-1, len(offset) + 1)
        rows[:, -1] += way * (rows[:, :-1] * offset).sum(axis=1)
    return found


def centred_gradient(gradient, offset, way=1):
    """The gradient in the weights of columns that are centred once more; with ``way=-1`` no more."""
    found = gradient.copy()
    if offset is not None:
        rows = found.reshape(-1, len(offset) + 1)
        rows[:, :-1] -= way * offset * rows[:, -1:]
    return found


def descend(parabola, slope, kinks, weights, share=EXACT):
    """Move weights to the minimum of a parabola with kinks; returns the products of its factors with the moves.

    ``slope``, its gradient there without what the factors change of it, is changed with them.

    Sweeps over the coordinates find out which weights are free; a linear system for these ends what sweeps would
    take long for, where columns are correlated: with years and their squares, each of 60 ways brought 8 % of what was
    left.
    """
    bends, found = parabola.bends(), np.zeros(parabola.factors.shape[1])
    least = NOISE * float(np.sum(bends * weights[parabola.places] ** 2))
    brought, sweeps = np.zeros(1), ROUGH_SWEEPS if share >= ROUGH else max(SWEEPS, len(bends) // A_SWEEP)
    for _ in range(ROUNDS):
        rests = descend_coordinates(*parabola, bends, found, slope, *kinks, weights, sweeps, share, least, brought)
        if rests == QUICK or (share >= ROUGH and rests == SLOW):
            break
        fall = solve_free(parabola, bends, found, slope, kinks, weights)
        brought[0] += fall
        if rests == SLOW and fall <= share * brought[0] + least:
            break
    return found


def solve_free(parabola, bends, found, slope, kinks, weights):
    """Go to the minimum over the weights that are neither zero by L1 nor at a bound; returns the decrease.

    A weight that gets to zero or to a bound on the way there stays, and the others go on without it. Sweeps alone took
    it away from there again and again, where three columns were nearly dependent.
    """
    places, factors, fallen = parabola.places, parabola.factors, 0.0
    free = np.flatnonzero(kinks.free(weights)[places] & (bends > 0.0))
    sharp = kinks.l1 > 0.0
    low = np.where(sharp & (weights > 0), np.maximum(kinks.low, 0), kinks.low)
    high = np.where(sharp & (weights < 0), np.minimum(kinks.high, 0), kinks.high)
    sides = np.repeat([1.0, -1.0], len(found) // 2)
    if free.size > MOST_FREE:
        return 0.0
    matrix = parabola.of(free)
    for _ in range(DROPPED):
        if not free.size:  # of columns whose diagonal has under- or overflowed
            break
        at = places[free]
        uphill = slope[at] + np.einsum("ij,j->i", factors[free], sides * found) + kinks.l1[at] * np.sign(weights[at])
        step = Factor(matrix).solve(-uphill)
        steep = product(uphill, step)
        if not steep < 0.0:
            break
        with np.errstate(all="ignore"):
            ends = np.where(step > 0, high[at], low[at])
            reach = np.where(step != 0.0, (ends - weights[at]) / step, math.inf)
        first = int(np.argmin(reach))
        share = min(1.0, max(0.0, float(reach[first])))
        whole = np.zeros(len(weights))
        whole[at] = share * step
        weights += whole
        slope += parabola.scale * image(parabola.matrix, whole)
        found += np.einsum("ij,i->j", factors[free], whole[at])
        fallen -= steep * share * (1.0 - 0.5 * share)
        if share == 1.0:
            break
        weights[at[first]] = ends[first]
        free, matrix = np.delete(free, first), np.delete(np.delete(matrix, first, 0), first, 1)
    return fallen
