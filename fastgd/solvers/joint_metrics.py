"""Metrics of joint losses, whose weights are (classes, d + 1), flat: one matrix for all classes, or one of them all."""

import math

import numpy as np

from ..kernels.cholesky import Factor
from ..kernels.coordinates import NONE, diagonal_of
from ..kernels.threads import cached_property
from .gram import centre_of
from .metrics import DEPENDENT, Unit, centred_gradient, centred_weights, constants, curved, promised
from .strengths import square

RAISED = 0.1  # of the mean second derivative, added to all: rows that are far from the margin will not stay so
ALIKE = 0.1  # of second derivatives, for what moves all classes alike: with all of it, steps were up to 4 times as many
TINY = 1 << 21  # products of a row's second derivatives in all weights that may be summed anew with each step


def suits_all(data):
    """Whether the second derivatives in all weights are worth their cost: of few classes and columns, or few rows."""
    n, d = data.rows.shape
    weights = data.classes * (d + 1)
    return not data.rows.sparse and n * weights * weights <= TINY


class SharedSums:
    """One matrix, or arrow, for all classes: of the mean over the classes of a row's second derivatives.

    ``kind`` is the class of its sums.
    """

    @staticmethod
    def cost(data):
        """Passes over their rows that they cost as much as."""
        if data.rows.sparse:
            return 0.5 + 1.5 / data.classes
        return 0.5 + data.shift.size / (4 * data.classes + 30)

    def __init__(self, data, bends, spreads, backend, threads, kind):
        self.classes = data.classes
        # Of K classes that share a score a step moves all: of two, one matrix is twice the second derivatives' mean.
        bends = bends * (self.classes / (self.classes - 1))
        bends += RAISED * bends.mean()
        bends = bends.astype(data.shift.dtype)
        self.sums = kind(data._replace(classes=1), bends, spreads, backend, threads)
        self.total = self.sums.total

    def damped(self, l2, share):
        """The metric with a penalty, and a share of the diagonal added to it."""
        if math.isinf(share):
            return Unit
        metric, own = self.sums.damped(l2, share), self.sums.damped(0.0, 0.0)
        # What moves the scores of all classes alike changes no loss of a softmax: there, what was added counts alone,
        # and a tenth of the rest. A singular matrix is no help, and users' own losses may differ.
        alike = diagonal_of(metric.matrix) - (1.0 - ALIKE) * diagonal_of(own.matrix)
        return Shared(metric, alike, self.classes)


class Shared:
    """A metric that all classes share. Pairs set its scale, and are kept with a new one."""

    scaled = keeps = True
    exact = False

    def __init__(self, metric, alike, classes):
        self.metric, self.alike, self.classes = metric, alike, classes
        self.matrix, self.offset = metric.matrix, metric.offset

    @property
    def dependent(self):
        """Which columns (d,) are left out."""
        return self.metric.dependent

    def distance(self, move):
        """By how much a move changes the scores, in the root mean square over rows and classes."""
        return math.hypot(*(self.metric.distance(row) for row in move.reshape(self.classes, -1)))

    def reach(self, step, slope):
        """How much longer a step is to be, by all second derivatives along it."""
        if not self.metric.scaled:
            return 1.0
        rows = step.reshape(self.classes, -1)
        along = sum(self.metric.sums.along(row) + square(self.metric.l2, row[:-1]) for row in rows)
        return -slope / along if along > 0 else 1.0

    def missed(self, g):
        """The decrease that columns which are left out promise, each by itself."""
        return max(self.metric.missed(row) for row in g.reshape(self.classes, -1))

    def solve(self, g):
        """The inverse times g."""
        return np.concatenate([self.metric.solve(row) for row in g.reshape(self.classes, -1)])


class AllSums:
    """The second derivatives in all weights of all classes."""

    @staticmethod
    def cost(data):
        """Passes over their rows that they cost as much as."""
        return 1.0 + data.classes * data.shift.size / 8

    def __init__(self, data, loss, lanes, spreads, backend, threads):
        self.classes, self.share = data.classes, DEPENDENT[data.shift.itemsize]
        self.offset = None
        if data.constant:
            shift = centre_of(data).astype(data.shift.dtype)
            self.offset = (shift - data.shift.astype(np.float64)) * data.inverse_scale
            data = data._replace(shift=shift)
            lanes = lanes._replace(weights=centred_weights(lanes.weights, self.offset))
        self.matrix = backend.passes(data, threads).many().hessian(loss, lanes) / data.count
        blocks = self.matrix.reshape(self.classes, self.size, self.classes, self.size)
        diagonal = np.einsum("kjkj->kj", blocks)  # a view
        totals = diagonal[:, -1].copy()
        self.total = float(totals.sum())
        if data.constant:
            constant = np.flatnonzero(constants(diagonal[:, :-1].sum(axis=0), self.total, data))
            blocks[:, constant], blocks[..., constant] = 0.0, 0.0
        for k, total in enumerate(totals.tolist()):
            diagonal[k, :-1] = curved(diagonal[k, :-1], total, data, spreads)

    @property
    def size(self):
        """The weights of a class."""
        return len(self.matrix) // self.classes

    def damped(self, l2, share):
        """The metric with a penalty, and a share of the diagonal added to it."""
        if math.isinf(share):
            return Unit
        size, matrix = self.size, self.matrix.copy()
        k = np.arange(len(matrix))
        matrix[k, k] *= 1.0 + share
        matrix[k, k] += np.tile(np.append(np.broadcast_to(l2, size - 1), 0.0), self.classes)
        self.tie(matrix, slice(size - 1, size))
        return All(matrix, self, np.flatnonzero(np.broadcast_to(l2, size - 1) == 0))

    def tie(self, matrix, columns):
        """Tie the weights of all classes, in place: what is added to them alike changes no loss."""
        blocks, own = (one.reshape(self.classes, self.size, self.classes, self.size) for one in (matrix, self.matrix))
        diagonal = np.einsum("kjkj->j", own)[columns] / self.classes**2
        np.einsum("ajbj->jab", blocks)[columns] += diagonal[:, None, None]


class All:
    """A matrix in all weights."""

    scaled = keeps = exact = False
    alike = NONE

    def __init__(self, matrix, sums, untied):
        self.matrix, self.sums, self.offset = matrix, sums, sums.offset
        self.untied = untied  # the columns where what is added to the weights of all classes alike has no penalty

    @cached_property
    def factor(self):
        """The matrix, factorised: the weights of each column are tied, where no penalty does so."""
        matrix = self.matrix
        if self.untied.size:
            matrix = matrix.copy()
            self.sums.tie(matrix, self.untied)
        return Factor(matrix, self.sums.share)

    @property
    def dependent(self):
        """Which columns (d,) are left out, for every class."""
        return self.factor.dependent.reshape(self.sums.classes, -1)[:, :-1].all(axis=0)

    def distance(self, move):
        """By how much a move changes the scores, in the root mean square over the rows by their second derivatives."""
        move = centred_weights(move, self.offset)
        square = float(np.einsum("i,ij,j->", move, self.sums.matrix, move))
        return math.sqrt(max(square, 0.0) / self.sums.total) if self.sums.total > 0 else 0.0

    def missed(self, g):
        """The decrease that columns which are left out promise, each by itself; those that vary."""
        return promised(centred_gradient(g, self.offset), self.sums.matrix.diagonal(), self.factor.dependent)

    def solve(self, g):
        """The inverse times g."""
        return centred_weights(self.factor.solve(centred_gradient(g, self.offset)), self.offset, -1)
