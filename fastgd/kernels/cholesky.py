"""Cholesky's method for second moments, some of whose columns may follow from others: these are left out."""

import numpy as np
from llvmlite import ir

from ._jit import kernel
from .addresses import at
from .emit import BYTES, FLAGS, I32, I64, compact, emitted
from .lane_vectors import assume_noalias
from .products import panel, zeros

VECTOR = BYTES // 8
PANEL = 2 * VECTOR  # columns
BLOCK = 64  # rows whose products are subtracted at once from those below


class Factor:
    """Cholesky's factor of a symmetric positive semidefinite matrix (D, D), whose upper triangle is read.

    A column of which less than ``share``, a number or (D,), is independent of those before it is left out, and one
    whose diagonal is not positive.
    """

    def __init__(self, matrix, share=1e-14):
        self.size = D = len(matrix)
        vectors = -(-D // VECTOR)
        # The rows of the factor and the inverse pivots. An odd number of cache lines a row: even ones share sets of the
        # cache. Panels reach one vector beyond the end.
        self._work = zeros((vectors * VECTOR + 1, (vectors + 1 | 1) * VECTOR), np.float64)
        self._work[:D, :D] = matrix
        self._work[-1, :D] = share
        _factorise(self._work)

    @property
    def dependent(self):
        """Which columns are left out, (D,)."""
        return self._work[-1, : self.size] == 0.0

    def solve(self, g):
        """The solution of ``matrix @ x = g`` for g (D,), or those for the rows of g (k, D); 0 in columns left out."""
        x = np.zeros((1 if g.ndim == 1 else len(g), len(self._work) - 1))
        x[:, : self.size] = g
        _solve(self._work, x)
        return x[0 if g.ndim == 1 else slice(None), : self.size]

    def lower(self):
        """The lower triangular L (D, D) with ``matrix = L @ L.T``; rows and columns of what is left out are zero."""
        return np.tril(self._work[: self.size, : self.size].T)

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


def _eliminate(work, width, inverse, first, count):
    """Eight rows of the factor from ``first`` on, once what those above explain is subtracted; and inverse pivots.

    They are of ``count`` vectors from the diagonal on. ``inverse`` has what a pivot must exceed. What lies below the
    diagonal is of no use.
    """
    for j in range(first, first + VECTOR):
        row, good = work[j, first:], work[j, j] > inverse[j]
        inverse[j] = 1.0 / np.sqrt(work[j, j]) if good else 0.0
        row[:] = row * inverse[j] if good else 0.0  # also where it is NaN
        for i in range(j + 1, first + VECTOR):
            work[i, first:] -= work[j, i] * row


@emitted(_eliminate)
def eliminate(body, work, width, inverse, first, count):
    """All eight rows of a vector of columns lie in registers."""
    b, row = body.b, body.bytes(width)
    corner, inverse = body.at(work, b.mul(body.bytes(first), b.add(width, I64(1)))), body.at(inverse, body.bytes(first))
    places = [body.at(corner, b.mul(row, I64(q))) for q in range(VECTOR)]
    pivots, factors = [], {}

    def reduced(rows, corner):
        for j in range(VECTOR):
            if corner:
                pivot = b.extract_element(rows[j], I32(j))
                good = b.fcmp_ordered(">", pivot, body.number(inverse, 8 * j))
                root = body.call("llvm.sqrt.f64", body.item, [pivot])
                one = ir.Constant(body.item, 1.0)
                value = b.select(good, b.fdiv(one, root), ir.Constant(body.item, 0.0))
                b.store(value, body.at(inverse, 8 * j))
                pivots.append((good, value))
            good, value = pivots[j]
            rows[j] = b.select(good, b.fmul(rows[j], body.splat(value), flags=FLAGS), body.zero)
            for i in range(j + 1, VECTOR):
                if corner:
                    factors[j, i] = b.fneg(b.extract_element(rows[j], I32(i)))
                rows[i] = body.fma(body.splat(factors[j, i]), rows[j], rows[i])

    def column(v):
        at = b.mul(v, I64(BYTES))
        some = [body.at(place, at) for place in places]
        rows = [body.load(place) for place in some]
        reduced(rows, not pivots)
        for place, value in zip(some, rows, strict=True):
            body.store(value, place)

    column(I64(0))
    body.repeat(b.sub(count, I64(1)), lambda v: column(b.add(v, I64(1))))


@kernel
def _factorise(work):
    """The factor R of ``matrix = R' R``, upper triangular, in place of the matrix in the first rows of ``work``.

    The last row gets the inverse of R's diagonal, 0 for a column that is left out, which is 0 in R as its row is; there
    are the shares that a column must reach. Panels of one size, which go beyond the diagonal and the end: with two and
    one vector at the end, and loops over rows, it compiled for 0.55 s instead of 0.24 and was no faster.
    """
    compact()
    width, rows = work.shape[1], work.shape[0] - 1
    inverse = work[rows]
    for j in range(rows):
        inverse[j] *= work[j, j] if work[j, j] > 0.0 else 0.0
    for first in range(0, rows, BLOCK):
        last = first + BLOCK if first + BLOCK < rows else rows
        for some in range(first, last, VECTOR):
            eliminate(work, width, inverse, some, (rows - some) // VECTOR)
            # Their products are subtracted from the rest of the block; behind its end, those of all its rows.
            low = some + VECTOR
            begin, high = (first, rows) if low == last else (some, last)
            factors = work[begin:low]
            for v in range(low, rows, PANEL):
                for j in range(low, v + PANEL if v + PANEL < high else high, VECTOR):
                    panel(factors, j, 1, width, low - begin, factors, work, j, v, 8, 2, -1)
    for j in range(rows):
        if inverse[j] == 0.0:
            for i in range(j):
                work[i, j] = 0.0


def _substitute(work, width, x, rows):
    """The solution of ``R' R x = g`` for one g (rows,), in place."""
    inverse = work[rows]
    for j in range(rows):
        x[j] *= inverse[j]
        x[j + 1 : rows] -= x[j] * work[j, j + 1 : rows]
    for j in range(rows - 1, -1, -1):
        x[j] = (x[j] - work[j, j + 1 : rows] @ x[j + 1 : rows]) * inverse[j]


@emitted(_substitute)
def substitute(body, work, width, x, rows):
    """Eight rows at once."""
    b, row = body.b, body.bytes(width)
    inverse = body.at(work, b.mul(row, rows))
    count = b.sdiv(rows, I64(VECTOR))

    def block(number):
        first = b.mul(number, I64(BYTES))
        corner = body.at(work, b.mul(first, b.add(width, I64(1))))
        places = [body.at(corner, b.mul(row, I64(q))) for q in range(VECTOR)]
        return body.at(x, first), places, body.at(inverse, first), b.sub(count, number)

    def forward(number):
        place, rows, pivots, vectors = block(number)
        left, values = body.load(place), []
        for j, row in enumerate(rows):
            values.append(b.fmul(b.extract_element(left, I32(j)), body.number(pivots, 8 * j)))
            left = body.fma(body.splat(b.fneg(values[j])), body.load(row), left)
        for j, value in enumerate(values):
            left = b.insert_element(left, value, I32(j))
        body.store(left, place)

        def behind(v):
            at = b.mul(b.add(v, I64(1)), I64(BYTES))
            total = body.load(body.at(place, at))
            for value, start in zip(values, rows, strict=True):
                total = body.fma(body.splat(b.fneg(value)), body.load(body.at(start, at)), total)
            body.store(total, body.at(place, at))

        body.repeat(b.sub(vectors, I64(1)), behind)

    def backward(turn):
        place, rows, pivots, vectors = block(b.sub(b.sub(count, I64(1)), turn))
        totals = body.variables(VECTOR)

        def behind(v):
            at = b.mul(b.add(v, I64(1)), I64(BYTES))
            value = body.load(body.at(place, at))
            for total, start in zip(totals, rows, strict=True):
                body.add_product(value, body.load(body.at(start, at)), total)

        body.repeat(b.sub(vectors, I64(1)), behind)
        left = body.subtract(body.load(place), body.sums([b.load(total, typ=body.vec) for total in totals]))
        left = [b.extract_element(left, I32(j)) for j in range(VECTOR)]
        for j in range(VECTOR - 1, -1, -1):
            left[j] = b.fmul(left[j], body.number(pivots, 8 * j))
            b.store(left[j], body.at(place, 8 * j))
            for i in range(j):
                left[i] = body.subtract(left[i], b.fmul(body.number(rows[i], 8 * j), left[j], flags=FLAGS))

    body.repeat(count, forward)
    body.repeat(count, backward)


@kernel
def _solve(work, x):
    """The solutions x (k, rows or more) of right-hand sides, in place."""
    for r in range(x.shape[0]):
        substitute(work, work.shape[1], at(x, r), work.shape[0] - 1)


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
    """The inverse of the transposed factor, into ``out`` (D, D), lower triangular."""
    assume_noalias()
    D, inverse = out.shape[0], work[work.shape[0] - 1]
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
