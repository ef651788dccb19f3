"""What a descent measures steps by: second derivatives of the loss, summed over some rows, and who solves with them.

Sums over rows give metrics, one for each penalty and damping: ``sums.damped(l2, share)``. A metric has ``solve(g)``,
its inverse times g (d + 1,); ``distance(move)``; ``dependent``, which columns it leaves out, and ``missed(g)``, what
they promise; ``scaled``, whether the newest pair sets its scale, and ``reach(step, slope)`` where there is none;
``keeps``, whether pairs are kept when it is summed anew; and ``exact``, whether the objective is its parabola. For L1
and bounds it has its ``matrix``, or that one's diagonal, and ``alike`` (``coordinates.Parabola``). Columns are centred
once more in it, by an ``offset``, as their own shifts may be none.
"""

import math

import numpy as np

from ..kernels.cholesky import Factor
from ..kernels.coordinates import NONE
from ..kernels.gram import scatters
from ..kernels.pairs import product
from ..kernels.threads import cached_property
from .gram import centre_of, pairs, weighted_gram
from .passes import lane_of, length
from .strengths import square

MOST_COLUMNS = 1024  # of a matrix, with the constant: 8 MB
MOST_SPARSE_COLUMNS = 128  # of sparse rows: more are far from dense, and their diagonal nearly is the matrix
LARGEST_MATRIX = 2048  # columns of one that is made only where an arrow has cost as much
TOGETHER_BYTES = 1 << 27  # of all models' matrices and their factors then
# The products of a matrix, and the cubes of a factor, that take as long as a number of a dense pass; a number of a
# sparse one, and a product by itself, take longer.
PRODUCTS, FACTORISED, SPARSE_PASS, SCATTERED_PAIR = 20, 40, 4, 20
DEPENDENT = {4: 1e-7, 8: 1e-14}  # a column with a smaller share of its square independent of others; by itemsize
SUSPICIOUS = 1e-8  # of the largest: a smaller number of a diagonal is looked at
# Of few rows the optimum lies in their span, and so do all steps by an even diagonal; by another one they need as many
# more as the penalty is smaller than the curvature: 35 in place of 14 for 500 rows of 5,000 columns.
EVEN = 4.0  # times the smallest number of a diagonal: if none is larger, their mean is taken for all
FLAT = 1e-12  # of the usual curvature of a column: no smaller one is believed
INDEPENDENT = 1e-12  # the least share of a column's square that is left when it is centred
ROUNDED = 16 * np.finfo(np.float64).eps  # a column that varies by a smaller share of its mean is constant


def kind_of(data):
    """The class of sums for data."""
    most = MOST_SPARSE_COLUMNS if data.rows.sparse else MOST_COLUMNS
    return MatrixSums if data.shift.size < most else ArrowSums


def may_be_matrix(data, models):
    """Whether second derivatives may be a matrix where an arrow costs less: those of all models are not too large."""
    D = data.shift.size + 1
    return kind_of(data) is ArrowSums and D <= LARGEST_MATRIX and 16 * D * D * models <= TOGETHER_BYTES


def matrix_cost(data, some):
    """The passes over all rows that a matrix costs, summed over some rows and factorised.

    ``MatrixSums.cost`` is of fewer columns, whose factor costs next to nothing.
    """
    rows, D = data.rows, data.shift.size + 1
    row = SCATTERED_PAIR * pairs(rows) if scatters(rows, D - 1) else D * D
    a_pass = rows.stored * (SPARSE_PASS if rows.sparse else 1) * data.classes
    return (row * some / PRODUCTS + D**3 / FACTORISED) / a_pass


def constants(diagonal, total, data):
    """Which columns vary by no more than the rounding error of the mean at which they are centred, (d,).

    As columns of their own they would take the constant's place: log loss on raw columns, one of them of sevens, ended
    with weights of 1e14 and a loss 6 % too large.
    """
    with np.errstate(all="ignore"):
        mean = data.shift.astype(np.float64) * data.inverse_scale
        return diagonal <= total * (ROUNDED * mean) ** 2


def curved(diagonal, total, data, spreads):
    """A diagonal (d,) without numbers that are far too small.

    A column that does not vary in a sample has what its variance over all rows says. One of rows that all lie far
    beyond their margins has no less than a share of that: its gradient is rounding, and would be divided by 1e-280.
    """
    if (diagonal > SUSPICIOUS * diagonal.max(initial=0.0)).all() and np.isfinite(diagonal).all():
        return diagonal
    # Raises where the squares of a column overflow, or underflow to zero.
    usual = spreads()
    usual *= total
    usual[data.inverse_scale == 0] = 0.0
    return np.where(diagonal > 0, np.maximum(diagonal, FLAT * usual), usual)


def promised(g, diagonal, left_out):
    """The largest decrease that a column which is left out promises by itself."""
    some = left_out & (diagonal > 0)
    return 0.5 * float((g[some] ** 2 / diagonal[some]).max()) if some.any() else 0.0


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


def solved(factor, offset, g):
    """The inverse times g for columns as they are: the matrix that is factorised is of columns centred once more."""
    if offset is None:
        return factor.solve(g)
    centred = g.copy()  # an interior point solves often: ``centred_gradient``, which is of classes, took 1.5 us more
    centred[:-1] -= offset * g[-1]
    step = factor.solve(centred)
    step[-1] -= product(offset, step[:-1])
    return step


class MatrixSums:
    """The second derivatives of all columns with each other."""

    @staticmethod
    def cost(data):
        """Passes over their rows that they cost as much as."""
        return 1.5 + data.shift.size / 30

    def __init__(self, data, bends, spreads, backend, threads):
        self.share = DEPENDENT[data.shift.itemsize]
        if data.constant:
            shift = centre_of(data, bends).astype(data.shift.dtype)
            self.offset = (shift - data.shift.astype(np.float64)) * data.inverse_scale
            data = data._replace(shift=shift)
        else:
            self.offset = None
        self.matrix = weighted_gram(data, bends, threads) / data.count
        self.total = float(np.sum(bends, dtype=np.float64)) / data.count
        if data.constant:
            constant = np.flatnonzero(constants(self.matrix.diagonal()[:-1], self.total, data))
            self.matrix[constant], self.matrix[:, constant] = 0.0, 0.0
        np.fill_diagonal(self.matrix[:-1, :-1], curved(self.matrix.diagonal()[:-1], self.total, data, spreads))

    def damped(self, l2, share):
        """The metric with a penalty, and a share of the diagonal added to it."""
        if math.isinf(share):
            return Unit
        return Matrix(with_diagonal(self.matrix.copy(), l2, share) if np.any(l2) or share else self.matrix, self)


def with_diagonal(matrix, l2, share):
    """A matrix of second derivatives, to which a penalty and a share of the diagonal are added, in place."""
    k = np.arange(len(matrix) - 1)
    matrix[k, k] += l2
    if share:
        k = np.arange(len(matrix))
        matrix[k, k] *= 1.0 + share
    return matrix


class Matrix:
    """A matrix of columns that are centred by an offset; in its inverse, those that depend on others are left out."""

    scaled = keeps = exact = False
    alike = NONE

    def __init__(self, matrix, sums):
        self.matrix, self.sums, self.offset = matrix, sums, sums.offset

    @cached_property
    def factor(self):
        """The matrix, factorised."""
        return Factor(self.matrix, self.sums.share)

    def distance(self, move):
        """By how much a move changes the scores, in the root mean square over the rows by their second derivatives."""
        if self.offset is not None:
            move = np.append(move[:-1], move[-1] + product(self.offset, move[:-1]))
        square = product(np.einsum("ij,j->i", self.sums.matrix, move), move)
        return math.sqrt(max(square, 0.0) / self.sums.total) if self.sums.total > 0 else 0.0

    @property
    def dependent(self):
        """Which columns (d,) are left out."""
        return self.factor.dependent[:-1]

    def missed(self, g):
        """The decrease that columns which are left out promise, each by itself; those that vary."""
        return promised(centred_gradient(g, self.offset), self.sums.matrix.diagonal(), self.factor.dependent)

    def solve(self, g):
        """The inverse times g."""
        return solved(self.factor, self.offset, g)


class ArrowSums:
    """The second derivatives of each column with itself and with the constant: an arrow, once columns are centred."""

    @staticmethod
    def cost(data):
        """Passes over their rows that they cost as much as."""
        return 1.5

    def __init__(self, data, bends, spreads, backend, threads):
        self.total = float(np.sum(bends, dtype=np.float64)) / data.count
        self.constant = bool(data.constant)
        self.bends, self.count = bends, data.count
        self.passes = backend.passes(data._replace(offset=data.offset[:0]), threads)
        # Of millions of columns each temporary is 8 MB: this goes in place.
        with np.errstate(all="ignore"):
            mean, diagonal = backend.passes(data._replace(weight=bends), threads).moments()
            mean -= data.shift
            mean *= data.inverse_scale
            diagonal *= self.total
            diagonal *= data.inverse_scale
            diagonal *= data.inverse_scale
            mean[~np.isfinite(mean)] = 0.0
            diagonal[~np.isfinite(diagonal)] = 0.0
            square = mean * mean
            square *= self.total
        if self.constant:
            square += diagonal
            square *= INDEPENDENT
            np.maximum(diagonal, square, out=diagonal)
        else:
            diagonal += square
            mean[:] = 0.0
        diagonal = curved(diagonal, self.total, data, spreads)
        if data.rows.shape[0] < diagonal.size and diagonal.max() <= EVEN * diagonal.min():
            diagonal[:] = diagonal.mean()
        self.mean, self.diagonal = mean, diagonal

    def damped(self, l2, share):
        """The metric with a penalty, and a share of the diagonal added to it."""
        if math.isinf(share):
            return Unit
        inverse = self.diagonal + l2
        inverse *= 1.0 + share
        np.divide(1.0, inverse, out=inverse, where=inverse > 0)
        last = 1.0 / self.total if self.constant and self.total > 0 else 0.0
        return Arrow(inverse, last, self, l2)

    def along(self, step):
        """The second derivative of the loss along a step: half a pass over the rows."""
        scores = self.passes.scores(lane_of(step, self.passes.lane_type(self.bends.dtype))).astype(np.float64)
        return product(self.bends * scores, scores) / self.count


class Arrow:
    """The inverse of a diagonal and a border."""

    scaled, keeps, exact, dependent, alike = True, True, False, None, NONE

    def __init__(self, inverse, last, sums, l2):
        self.inverse, self.last, self.l2 = inverse, last, l2
        self.sums, self.mean, self.offset = sums, sums.mean, sums.mean

    @cached_property
    def matrix(self):
        """The diagonal (D,) of columns that are centred by the offset; zero where its inverse is."""
        inverse = np.append(self.inverse, self.last)
        return np.divide(1.0, inverse, out=inverse, where=inverse > 0)

    def distance(self, move):
        """By how much a move changes the scores, in the root mean square, if columns were independent."""
        if not self.sums.total > 0:
            return 0.0
        last = move[-1] + product(self.mean, move[:-1])
        return math.sqrt(product(self.sums.diagonal * move[:-1], move[:-1]) / self.sums.total + last * last)

    def reach(self, step, slope):
        """How much longer a step is to be, by all second derivatives along it: columns are not independent."""
        along = self.sums.along(step) + square(self.l2, step[:-1])
        return -slope / along if along > 0 else 1.0

    @staticmethod
    def missed(g):
        """Nothing: no column depends on others here."""
        return 0.0

    def solve(self, g):
        """The inverse times g."""
        step = np.empty(len(g))
        step[:-1] = (g[:-1] - self.mean * g[-1]) * self.inverse
        step[-1] = g[-1] * self.last - (product(self.mean, step[:-1]) if self.last else 0.0)
        return step


class Unit:
    """No second derivatives: a step of length 1 along the gradient."""

    scaled = keeps = exact = False
    alike = NONE
    matrix = offset = dependent = None

    @staticmethod
    def distance(move):
        """None: what is known here is no distance."""
        return math.inf

    @staticmethod
    def missed(g):
        """Nothing."""
        return 0.0

    @staticmethod
    def solve(g):
        """The gradient at length 1."""
        return g / (length(g) or 1.0)
