"""Products of sparse rows and tables whose columns are lanes: a number of a row takes a vector of lanes at a time.

Nothing is gathered into vectors: what a number is multiplied with lies in one piece, a row of the table. A lane's sums
are in one order, whatever stands in the lanes beside it.

A number takes 3 ns to gather and 9 to scatter in 32 lanes of float64 with 1,000 columns, 20 and 20 with 200,000. Asking
the memory for what is 12 numbers ahead made the first 3.8, and the others no better that could be told from noise.
"""

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import UNCOUNTED, compiled_as
from .emit import BYTES, FLAGS, Inside, Vectors
from .rows import row_at

UNROLL = 2  # sums a vector of lanes, which hide the FMA's latency where there is one vector alone


class Numbers:
    """The loop over the numbers of a row, ``body(number * scale, where its row of the table begins, which sum)``."""

    def __init__(self, e, values, indices, scale, width):
        self.e, self.values, self.indices, self.scale, self.width = e, values, indices, scale, width

    def over(self, first, last, body, place=None):
        e, b, n = self.e, self.e.b, first.type

        def one(q, u):
            j = b.zext(b.load(b.gep(self.indices.data, [q])), n)
            x = b.fmul(b.load(b.gep(self.values.data, [q])), b.load(b.gep(self.scale.data, [j])), flags=FLAGS)
            if place is not None:
                j = b.zext(b.load(b.gep(place.data, [j])), n)
            body(e.splat(x), b.mul(j, self.width), u)

        middle = b.sub(last, b.urem(b.sub(last, first), n(UNROLL)))
        with cgutils.for_range_slice(b, first, middle, n(UNROLL)) as (q, _):
            for u in range(UNROLL):
                one(b.add(q, n(u)), u)
        with cgutils.for_range_slice(b, middle, last, n(1)) as (q, _):
            one(q, 0)


@intrinsic(prefer_literal=True)
def _gather(typingctx, W, k, values, indices, scale, first, last, constant, out, v, vectors):
    """``out[k, v:] = sum over q of values[q] * scale[j] * W[j, v:] + constant * W[-1, v:]``, where j = indices[q]."""
    count = vectors.literal_value

    def codegen(context, b, sig, args):
        e = Inside(context, b, sig.args[0].dtype, sig, args)
        W, k, values, indices, scale, first, last, constant, out, v, _ = e.args
        height, width = cgutils.unpack_tuple(b, W.shape, 2)
        places = [b.add(v, v.type(q * e.lanes)) for q in range(count)]
        sums = [e.variables(UNROLL) for _ in places]

        def body(x, start, u):
            for place, acc in zip(places, sums, strict=True):
                e.add_product(x, e.load(b.gep(W.data, [b.add(start, place)])), acc[u])

        Numbers(e, values, indices, scale, width).over(first, last, body)
        body(e.splat(constant), b.mul(b.sub(height, height.type(1)), width), 0)
        for place, acc in zip(places, sums, strict=True):
            e.store(e.total(acc), b.gep(out.data, [b.add(b.mul(width, k), place)]))
        return context.get_dummy_value()

    return types.void(W, k, values, indices, scale, first, last, constant, out, v, vectors), codegen


@intrinsic(prefer_literal=True)
def _scatter(typingctx, S, k, values, indices, scale, first, last, constant, place, out, v, vectors):
    """``out[p, v:] += values[q] * scale[j] * S[k, v:]`` for each q, and ``out[-1, v:] += constant * S[k, v:]``.

    Here j = indices[q], and p is place[j], or j where ``place`` is None. Products are in the type of S.
    """
    count, wider = vectors.literal_value, out.dtype != S.dtype
    placed = isinstance(place, types.Array)

    def codegen(context, b, sig, args):
        e = Inside(context, b, sig.args[0].dtype, sig, args)
        S, k, values, indices, scale, first, last, constant, place, out, v, _ = e.args
        height, width = cgutils.unpack_tuple(b, out.shape, 2)
        places = [b.add(v, v.type(q * e.lanes)) for q in range(count)]
        slopes = [e.load(b.gep(S.data, [b.add(b.mul(width, k), spot)])) for spot in places]
        kind = sig.args[9].dtype
        sums = Vectors(b, context.get_data_type(kind), kind.bitwidth // 8, e.lanes)

        def body(x, start, u):
            for spot, slope in zip(places, slopes, strict=True):
                at, product = b.gep(out.data, [b.add(start, spot)]), b.fmul(x, slope, flags=FLAGS)
                if wider:
                    product = b.fpext(product, sums.vec)
                sums.store(sums.add(product, sums.load(at)), at)

        Numbers(e, values, indices, scale, width).over(first, last, body, place if placed else None)
        body(e.splat(constant), b.mul(b.sub(height, height.type(1)), width), 0)
        return context.get_dummy_value()

    return types.void(S, k, values, indices, scale, first, last, constant, place, out, v, vectors), codegen


def _row(rows, i, scale):
    """The scaled numbers of row i, and their columns."""
    some = slice(int(rows.starts[i]), int(rows.starts[i + np.uint64(1)]))
    return rows.values[some] * scale[rows.indices[some]], rows.indices[some]


def scores(rows, order, lo, count, scale, constant, W, out):
    """``out[:count] = (the rows at lo on) @ W``, the rows times ``scale`` and with a constant behind each."""
    for k in range(count):
        x, j = _row(rows, np.uint64(row_at(order, lo + k)), scale)
        out[k] = x @ W[j] + W.dtype.type(constant) * W[-1]


@compiled_as(scores, forceinline=False, **UNCOUNTED)
def _(rows, order, lo, count, scale, constant, W, out):
    vector = BYTES // (W.dtype.bitwidth // 8)

    def scores(rows, order, lo, count, scale, constant, W, out):
        values, indices, one = rows.values, rows.indices, W.dtype.type(constant)
        width = W.shape[1]
        for k in range(count):
            i = np.uint64(row_at(order, lo + k))
            a, b = np.int64(rows.starts[i]), np.int64(rows.starts[i + np.uint64(1)])
            middle = width - width % (4 * vector)
            for v in range(0, middle, 4 * vector):
                _gather(W, k, values, indices, scale, a, b, one, out, v, 4)
            if width - middle >= 2 * vector:
                _gather(W, k, values, indices, scale, a, b, one, out, middle, 2)
            if (width - middle) % (2 * vector) >= vector:
                _gather(W, k, values, indices, scale, a, b, one, out, width - vector, 1)

    return scores


def add_weighted_rows(rows, order, lo, count, scale, constant, S, place, out):
    """``out += (the rows at lo on).T @ S[:count]``; where ``place`` is given, column j is row place[j] of ``out``."""
    for k in range(count):
        x, j = _row(rows, np.uint64(row_at(order, lo + k)), scale)
        out[j if place is None else place[j]] += np.outer(x, S[k])
        out[-1] += S.dtype.type(constant) * S[k]


@compiled_as(add_weighted_rows, forceinline=False, **UNCOUNTED)
def _(rows, order, lo, count, scale, constant, S, place, out):
    vector = BYTES // (S.dtype.bitwidth // 8)

    def add_weighted_rows(rows, order, lo, count, scale, constant, S, place, out):
        values, indices, one = rows.values, rows.indices, S.dtype.type(constant)
        width = S.shape[1]
        for k in range(count):
            i = np.uint64(row_at(order, lo + k))
            a, b = np.int64(rows.starts[i]), np.int64(rows.starts[i + np.uint64(1)])
            middle = width - width % (4 * vector)
            for v in range(0, middle, 4 * vector):
                _scatter(S, k, values, indices, scale, a, b, one, place, out, v, 4)
            if width - middle >= 2 * vector:
                _scatter(S, k, values, indices, scale, a, b, one, place, out, middle, 2)
            if (width - middle) % (2 * vector) >= vector:
                _scatter(S, k, values, indices, scale, a, b, one, place, out, width - vector, 1)

    return add_weighted_rows
