"""Cholesky's method for second moments, some of whose columns may follow from others: these are left out."""

import numpy as np

from ._jit import kernel
from .emit import BYTES
from .lane_vectors import assume_noalias
from .layouts import frozen
from .products import panel, zeros

VECTOR = BYTES // 8
BLOCK = 64  # rows whose products are subtracted at once from those below


class Factor:
    """Cholesky's factor of a symmetric positive semidefinite matrix (D, D), whose upper triangle is read.

    The matrix is scaled to a diagonal of ones first. A column of which less than ``share``, a number or (D,), is
    independent of those before it is left out, and one whose diagonal is not positive.
    """

    def __init__(self, matrix, share=1e-14):
        self.size = D = len(matrix)
        vectors = -(-D // VECTOR)
        # The rows of the factor, the columns' scales, and the inverse pivots. An odd number of cache lines a row: even
        # ones share sets of the cache.
        self._work = zeros((vectors * VECTOR + 2, (vectors | 1) * VECTOR), np.float64)
        self._work[-1, :D] = share
        _factorise(frozen(np.ascontiguousarray(matrix, np.float64)), self._work)

    @property
    def dependent(self):
        """Which columns are left out, (D,)."""
        return self._work[-1, : self.size] == 0.0

    def solve(self, g):
        """The solution of ``matrix @ x = g`` for g (D,), or those for the rows of g (k, D); 0 in columns left out."""
        x = np.array(g, np.float64, order="C")
        _solve(self._work, x.reshape(-1, self.size))
        return x

    def leave_out(self, column):
        """Go on without a column, whose part of a solution is 0 from now on: D**2 operations, not D**3."""
        _leave_out(self._work, column, self.size)

    def whitening(self, out):
        """The lower triangular W with ``W @ matrix @ W.T = I``, into ``out`` (D, D).

        Rows and columns of columns that are left out are zero.
        """
        _invert(self._work, out)


def minimise(products, moments, least, minimiser, rest):
    """The least-squares solutions (targets, D) of one weighting, and what they leave.

    A column of which less than ``least`` (D,) is independent of those before it gets 0.
    """
    diagonal = products.diagonal()
    share = np.divide(least, diagonal, out=np.zeros(len(least)), where=diagonal > 0.0)
    minimiser[:] = Factor(products, share).solve(moments)
    # Not by BLAS, whose bits depend on its threads.
    np.subtract(np.einsum("tk,jk->tj", minimiser, products), moments, out=rest)


def whitening(matrix, share, out):
    """The inverse of the Cholesky factor of ``matrix`` (D, D; its upper triangle), into ``out``, lower triangular.

    A coordinate whose pivot is less than ``share`` of its diagonal follows from those before it: it is left out, its
    row and its column are zero.
    """
    Factor(matrix, share).whitening(out)


@kernel
def _factorise(matrix, work):
    """The factor R of ``scale * matrix * scale = R' R``, upper triangular, into the first rows of ``work``.

    The row behind them gets the scale, and the last one the inverse of R's diagonal, 0 for a column that is left out,
    whose row of R is 0: there are the shares that a column must reach.
    """
    assume_noalias()
    D, rows = matrix.shape[0], work.shape[0] - 2
    scale, inverse = work[rows], work[rows + 1]
    for j in range(D):
        scale[j] = 1.0 / np.sqrt(matrix[j, j]) if matrix[j, j] > 0.0 else 0.0
    for i in range(D):
        if scale[i] > 0.0:
            row, given, scales, factor = work[i, i:], matrix[i, i:], scale[i:], scale[i]
            for k in range(given.size):
                row[k] = given[k] * factor * scales[k] if scales[k] > 0.0 else 0.0
    for first in range(0, rows, BLOCK):
        last = first + BLOCK if first + BLOCK < rows else rows
        for some in range(first, last, VECTOR):
            for j in range(some, some + VECTOR if some + VECTOR < D else D):
                inverse[j] = 1.0 / np.sqrt(work[j, j]) if work[j, j] > inverse[j] else 0.0
                row, factor = work[j, j:rows], inverse[j]
                for k in range(row.size):
                    row[k] = row[k] * factor if factor > 0.0 else 0.0  # also where it is NaN
                for i in range(j + 1, some + VECTOR):
                    row, below, factor = work[j, i:rows], work[i, i:rows], work[j, i]
                    for k in range(row.size):
                        below[k] -= factor * row[k]
            # Their products are subtracted from the rest of the block; behind its end, those of all its rows.
            ended = some + VECTOR == last
            begin, high = (first, rows) if ended else (some, last)
            low, factors = some + VECTOR, work[begin : some + VECTOR]
            for v in range(low, rows, 3 * VECTOR):
                for j in range(low, high, VECTOR):
                    start = v if v > j else j
                    left = (v + 3 * VECTOR if v + 3 * VECTOR < rows else rows) - start
                    if left > 2 * VECTOR:
                        panel(factors, j, 1, work.shape[1], low - begin, factors, work, j, start, 8, 3, -1)
                    elif left > VECTOR:
                        panel(factors, j, 1, work.shape[1], low - begin, factors, work, j, start, 8, 2, -1)
                    elif left > 0:
                        panel(factors, j, 1, work.shape[1], low - begin, factors, work, j, start, 8, 1, -1)


@kernel
def _solve(work, x):
    """The solutions x (k, D) of right-hand sides, in place: a row of the factor is read once for all of them.

    Rows are views, as LLVM makes no vectors of ``x[r, k] -= value * work[j, k]``: that took 1.4 (D=51) to 5 times as
    long.
    """
    assume_noalias()
    D, rows = x.shape[1], work.shape[0] - 2
    scale, inverse = work[rows], work[rows + 1]
    for r in range(x.shape[0]):
        for j in range(D):
            x[r, j] *= scale[j]
    for j in range(D):
        row = work[j, j + 1 : D]
        for r in range(x.shape[0]):
            value = x[r, j] * inverse[j] if inverse[j] > 0.0 else 0.0
            x[r, j] = value
            behind = x[r, j + 1 :]
            for k in range(row.size):
                behind[k] -= value * row[k]
    for j in range(D - 1, -1, -1):
        row = work[j, j + 1 : D]
        for r in range(x.shape[0]):
            behind, total = x[r, j + 1 :], 0.0
            for k in range(row.size):
                total += row[k] * behind[k]
            x[r, j] = (x[r, j] - total) * inverse[j] if inverse[j] > 0.0 else 0.0
    for r in range(x.shape[0]):
        for j in range(D):
            x[r, j] *= scale[j]


@kernel
def _leave_out(work, column, D):
    """Rotate a column's row of the factor into those below, so that their products become those of the others."""
    assume_noalias()
    inverse, own = work[work.shape[0] - 1], work[column]
    inverse[column] = 0.0
    for i in range(column + 1, D):
        if own[i] != 0.0 and inverse[i] > 0.0:
            pivot, off = 1.0 / inverse[i], own[i]
            length = np.sqrt(pivot * pivot + off * off)
            cosine, sine = pivot / length, off / length
            row, rest = work[i, i:D], own[i:D]
            for k in range(row.size):
                value = row[k]
                row[k] = cosine * value + sine * rest[k]
                rest[k] = cosine * rest[k] - sine * value
            inverse[i] = 1.0 / length
    for k in range(own.size):
        own[k] = 0.0


@kernel
def _invert(work, out):
    """The inverse of the transposed factor, times the scales, into ``out`` (D, D), lower triangular."""
    assume_noalias()
    D, rows = out.shape[0], work.shape[0] - 2
    scale, inverse = work[rows], work[rows + 1]
    for j in range(D):
        row = out[j]
        for k in range(D):
            row[k] = 0.0
        if inverse[j] > 0.0:
            row[j] = inverse[j]
            for i in range(j):
                before, factor = out[i, : i + 1], work[i, j] * inverse[j]
                for k in range(before.size):
                    row[k] -= factor * before[k]
    for j in range(D):
        row = out[j, : j + 1]
        for k in range(row.size):
            row[k] *= scale[k]
