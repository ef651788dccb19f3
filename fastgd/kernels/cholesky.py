"""Cholesky's method for second moments, some of whose columns may follow from others: these are left out."""

import numpy as np

from ._jit import kernel


def minimise(products, moments, least, minimiser, rest):
    """The least-squares solutions (targets, D) of one weighting, and what they leave.

    A column of which less than ``least`` (D,) is independent of those before it gets 0.
    """
    matrix = np.concatenate([products, moments])
    _factorise(matrix, least, np.empty(matrix.shape), minimiser)
    # Not by BLAS, whose bits depend on its threads.
    np.subtract(np.einsum("tk,jk->tj", minimiser, products), moments, out=rest)


def whitening(matrix, share, out):
    """The inverse of the Cholesky factor of ``matrix`` (D, D; its lower triangle), into ``out``, lower triangular.

    A coordinate whose pivot is less than ``share`` of its diagonal follows from those before it: it is left out, its
    row and its column are zero.
    """
    D = len(matrix)
    L = np.empty((2 * D, D))
    _factorise(np.concatenate([matrix, np.eye(D)]), share * np.diag(matrix), L, L[:0])
    out[:] = L[D:].T


@kernel
def _factorise(matrix, least, L, solutions):
    """Cholesky's factor of the first D rows of ``matrix`` (D + more, D), into the lower triangle of L, of its shape.

    Each row behind them becomes ``inverse factor @ row``; into ``solutions`` (more or 0, D) go the solutions. The
    diagonal of L holds inverse pivots, 0 for a column of which less than ``least`` (D,) is independent of those before.
    """
    D = least.size
    for j in range(matrix.shape[0]):
        for i in range(j + 1 if j < D else D):
            total = matrix[j, i]
            for k in range(i):
                total -= L[j, k] * L[i, k]
            if i < j:
                L[j, i] = total * L[i, i]
            else:
                L[j, j] = 1.0 / np.sqrt(total) if total > least[j] else 0.0
    for row in range(solutions.shape[0]):
        for j in range(D):
            solutions[row, j] = L[D + row, j]
        for j in range(D - 1, -1, -1):
            w = solutions[row, j] * L[j, j]
            solutions[row, j] = w
            for k in range(j):
                solutions[row, k] -= w * L[j, k]


class Factor:
    """TEMPORARY."""

    def __init__(self, matrix, share=1e-14):
        d = np.diag(matrix)
        self.scale = np.where(d > 0, 1 / np.sqrt(np.where(d > 0, d, 1)), 0.0)
        A = matrix * self.scale * self.scale[:, None]
        L = np.zeros(A.shape)
        _factorise(A, np.full(len(A), share), L, L[:0])
        inv = np.diag(L).copy()
        keep = self.keep = np.flatnonzero(inv > 0)
        import scipy.linalg

        self.cho = scipy.linalg.cho_factor(A[np.ix_(keep, keep)], lower=True)
        self.dependent = inv <= 0

    def solve(self, g):
        import scipy.linalg

        x = np.zeros(len(g))
        x[self.keep] = scipy.linalg.cho_solve(self.cho, (g * self.scale)[self.keep])
        return x * self.scale
