"""The model of an objective with L1 or bounds: second derivatives that pairs update, and coordinate descent on them."""

import math
from typing import NamedTuple

import numpy as np

from ..kernels.cholesky import Factor
from ..kernels.coordinates import NONE, OPEN, QUICK, descend_coordinates, diagonal_of, image, learned_factors, part_of
from ..kernels.pairs import product
from .kinks import KinkedModel, KinkedWay
from .metrics import centred_gradient, centred_weights
from .passes import length

SWEEPS = 100  # over the weights that are not at rest, at most, between two over all: 12 took 1.7 times as long
ROUNDS = 60  # of sweeps and solutions
# Weights of which free ones are solved for where pairs set the scale and sweeps have not ended. Without it, 8 classes
# of 60 columns that nearly depend on three stood at seven times the optimum after 1000 steps of 100 sweeps. With 1024,
# 650 weights took 1.15 times as long.
MOST_SOLVED = 512
# Of the diagonal, added to it for a solution: columns that depend on others then move, too, until enough of them are
# zero. Without it, sweeps had to do that: 154 in place of 46 ms for 200 rows, 400 columns and a small penalty.
RIDGE = 1e-10
REFINED = 5  # solutions, at most, that make up for the ridge
SOLVED = 1e-8  # of what a solution has brought: it goes on until a step brings less
# Of what all sweeps have brought: one that brings less is the last. The next way makes up for what is left: 1e-12 took
# twice as long for 900 columns. Where the parabola is not the objective, it is worth less, and least where pairs set
# its scale: there linear systems, for as many weights as all classes have, took twice as long as all else.
EXACT, CLOSE, ROUGH, ROUGHEST = 1e-8, 5e-4, 1e-3, 1e-2
PAIRS = 10  # at most, where a diagonal is updated: with 20, 2e5 weights took 1.4 times as long, and no fewer steps
ROUNDING = 1e-30, 1e-13  # times the parabola's size and L1's cost: what is less is rounding
MOST_DOUBT, QUICKEST = 2.0, 0.3  # where pairs set the scale; more would often ask float32 for what rounding hides
LEAST_BEND = 1e-10  # of a diagonal: what pairs leave of it


class Parabola(NamedTuple):
    """The second derivatives of some weights, those of several classes one after another.

    ``scale`` times a matrix, the same for each class, less the mean over the classes of what it makes of weights, but
    for ``alike``; and what pairs change of it.
    """

    matrix: np.ndarray  # (D, D), or its diagonal (D,)
    alike: np.ndarray  # (D,), the second derivatives of what moves all classes alike; none, where no mean is subtracted
    classes: int
    scale: float
    places: np.ndarray  # of the weights
    factors: np.ndarray  # (places, 2 * m): the first m times their transpose are added, the others subtracted

    @classmethod
    def whole(cls, matrix):
        """That of all weights of one class, given by its matrix."""
        return cls(matrix, NONE, 1, 1.0, np.arange(len(matrix)), np.zeros((len(matrix), 0)))

    @property
    def signs(self):
        """Whether the products of the factors are added or subtracted, (2 * m,)."""
        m = self.factors.shape[1] // 2
        return np.repeat([1.0, -1.0], m)

    def bends(self):
        """The diagonal, (places,)."""
        diagonal = diagonal_of(self.matrix)
        if self.alike.size:
            diagonal = diagonal - (diagonal - self.alike) / self.classes
        diagonal = self.scale * diagonal[self.places % len(diagonal)]
        if not self.factors.size:
            return diagonal
        changed = diagonal + np.einsum("ij,ij,j->i", self.factors, self.factors, self.signs)
        return np.maximum(changed, LEAST_BEND * diagonal)

    def of(self, some):
        """The matrix of some of the places, by their numbers."""
        group, column = np.divmod(self.places[some], self.matrix.shape[-1])
        same = column[:, None] == column
        whole = part_of(self.matrix, column) if self.matrix.ndim == 2 else same * self.matrix[column]
        found = self.scale * np.where(group[:, None] == group, whole, 0.0)
        if self.alike.size:
            found -= self.scale / self.classes * (whole - same * self.alike[column])
        if self.factors.size:
            factors = self.factors[some]
            found += np.einsum("ik,jk->ij", factors * self.signs, factors)
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
        self.images[place] = image(self.matrix, centred_weights(self.moves[place], offset), self.metric.alike)
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
        matrix, order = self.matrix, np.array(self.places(), np.int64)
        if matrix.ndim == 1:
            order = order[-PAIRS:]
        begun = matrix, self.metric.alike, len(weights) // matrix.shape[-1], self.scale(gradient)
        if matrix.ndim == 2:
            places = np.arange(len(weights))
        else:  # of so many weights those at rest are left out
            places = np.flatnonzero((self.kinks.subgradient(weights, gradient) != 0.0) | self.kinks.free(weights))
        if self.metric.exact or not self.learned:
            return Parabola(*begun, places, np.zeros((len(places), 0)))
        if self.images is None:
            self.images = np.zeros_like(self.moves)
            self.curves, self.products = np.zeros((2, len(self.moves), len(self.moves)))
            for place in self.places():
                self.add(place)
        among = np.ix_(order, order)
        lower = np.tril(self.products[among], -1) * self.inverse[order]
        root, inner = np.sqrt(self.inverse[order]), np.zeros((len(order), len(order)))
        Factor(begun[-1] * self.curves[among] + np.einsum("ik,jk,k->ij", lower, lower, root**-2)).whitening(inner)
        known = self.images, self.changes, order, self.metric.offset
        return Parabola(*begun, places, learned_factors(*known, places, begun[-1], lower, root, inner))

    def way(self, weights, gradient):
        """The step to the minimum of the parabola and the penalty within bounds."""
        offset = self.metric.offset
        start, slope = centred_weights(weights, offset), centred_gradient(gradient, offset)
        parabola = self.parabola(weights, slope)
        end, after = start.copy(), slope.copy()
        if self.metric.exact:
            if self.fresh and self.metric.last_end is not None:
                end = self.kinks.within(self.metric.last_end.copy())
                after += image(parabola.matrix, end - start)
            self.fresh = False
        found = descend(parabola, after, self.kinks, end, self.share)
        if self.metric.exact:
            self.metric.last_end = end.copy()
        step = end - start
        fall = product(slope, step) + self.kinks.rise(start, end)
        bend = product(step, after - slope) + product(found * parabola.signs, found)
        step, end = centred_weights(step, offset, -1), centred_weights(end, offset, -1)
        return KinkedWay(step, fall, (-fall - 0.5 * bend) * self.doubt(parabola.scale), end)

    @property
    def share(self):
        """Of what sweeps over the coordinates have brought: one that brings less is the last."""
        if self.metric.exact or not self.metric.scaled:
            return EXACT if self.metric.exact else CLOSE
        return ROUGH if self.matrix.ndim == 2 else ROUGHEST

    @property
    def quickest(self):
        """Few pairs say little of weights that have just got free: steps of 0.1 were followed by ones of 0.6."""
        return QUICKEST if self.metric.scaled else 0.0

    def doubt(self, scale):
        """By how much second derivatives may be too large, where pairs set their scale: as by the newest move itself.

        The scale by the change of the gradient is the larger one, and steps were whole more often; but promises by it
        were a third of what was left, and those by the newest move up to 50 times it, where rows are few.
        """
        if not (self.metric.scaled and self.learned):
            return 1.0
        newest = self.places()[-1]
        return min(max(scale * self.inverse[newest] * float(self.curves[newest, newest]), 1.0), MOST_DOUBT)

    def judge(self, metric, weights, gradient):
        """What a step to the minimum would promise by another metric."""
        other = Coordinates(self.kinks, self.moves, self.changes, 0, 0)
        other.metric = metric
        return other.way(weights, gradient).promise


def descend(parabola, slope, kinks, weights, share=EXACT, enough=None):
    """Move weights to the minimum of a parabola with kinks; returns the products of its factors with the moves.

    ``slope``, its gradient there without what the factors change of it, is changed with them. The sweep over all
    weights is the last that brings no more than ``enough`` (by default, what is rounding) and a share of what all have
    brought.

    A sweep over all coordinates finds which are not at rest, and sweeps over these which are free. A linear system for
    the free ones ends what sweeps would take long for, where columns are correlated: with years and their squares, each
    of 60 ways brought 8 % of what was left.
    """
    matrix, alike, _, scale, places, factors = parabola
    bends, found, brought = parabola.bends(), np.zeros(factors.shape[1]), np.zeros(1)
    if enough is None:
        size = float(np.sum(bends * weights[places] ** 2)), float(np.sum(kinks.l1 * np.abs(weights)))
        enough = max(part * one for part, one in zip(ROUNDING, size, strict=True))
    if share >= CLOSE:  # a linear system each time took twice as long for 500 columns
        rests = descend_coordinates(parabola, bends, found, slope, kinks, weights, SWEEPS, share, enough, brought)
        if rests == QUICK or (share >= ROUGH and (rests != OPEN or len(weights) > MOST_SOLVED)):
            return found
    for _ in range(ROUNDS):
        before = brought[0]
        descend_coordinates(parabola, bends, found, slope, kinks, weights, 1, 0.0, 0.0, brought)
        least = share * brought[0] + enough
        if brought[0] - before <= least:
            break
        now, inside = slope[places], kinks.at(places)
        if found.size:
            now = now + np.einsum("ij,j->i", factors, parabola.signs * found)
        some = np.flatnonzero(inside.moving(weights[places], now))
        if not some.size:
            continue
        at, part = places[some], Parabola.whole(parabola.of(some))
        inside, w, s = inside.at(some), weights[at], now[some]
        rests = descend_coordinates(part, part.bends(), found[:0], s, inside, w, SWEEPS, 0.0, least, brought)
        if rests != QUICK:
            brought[0] += solve_free(part.matrix, s, inside, w)
        step = np.zeros(len(weights))
        step[at], weights[at] = w - weights[at], w
        slope += scale * image(matrix, step, alike)
        found += np.einsum("ij,i->j", factors[some], step[at])
    return found


def solve_free(matrix, slope, kinks, weights):
    """Go to the minimum over the weights that are free; returns the decrease. ``slope`` stays.

    A weight that gets to zero or to a bound on the way there stays, and the others go on without it. Sweeps alone took
    it away from there again and again, where three columns were nearly dependent.
    """
    free = np.flatnonzero(kinks.free(weights) & (matrix.diagonal() > 0.0))
    if not free.size:  # of columns whose diagonal has under- or overflowed
        return 0.0
    (l1, low, high), at, fallen, block = kinks.at(free), weights[free], 0.0, part_of(matrix, free)
    uphill = slope[free] + l1 * np.sign(at)
    low = np.where((l1 > 0.0) & (at > 0.0), np.maximum(low, 0.0), low)
    high = np.where((l1 > 0.0) & (at < 0.0), np.minimum(high, 0.0), high)
    ridge = RIDGE * block.diagonal()
    np.fill_diagonal(block, block.diagonal() + ridge)
    factor = Factor(block)
    for _ in range(len(free) + REFINED):
        step = factor.solve(-uphill)
        steep = product(uphill, step)
        if not -steep > SOLVED * fallen:
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
