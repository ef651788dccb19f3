"""Small products of matrices whose columns are lanes: the vectors run across the lanes.

The scores of a block of rows and X'r (``multi_rows.py``) are the same few instructions, a ``panel``, the strides
exchanged: eight numbers of the block are each multiplied by one vector of lanes at a time. A lane's sums are in
one order, whatever stands in the lanes beside it, so its bits don't depend on how many there are.
"""

import itertools
import math

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import compiled_as
from .emit import BYTES, Inside


@intrinsic(prefer_literal=True)
def _panel(typingctx, A, first, stride, step, steps, B, out, to, v, height, vectors, adds):
    """``out[to + q, v:] = sum over k of A[first + q*stride + k*step] * B[k, v:]``, q < height, for some vectors.

    It is added to what is there where ``adds`` is True, and subtracted where it is -1.

    Vectors at once share the numbers of A: one alone loads more than it multiplies. Registers of 64 bytes hold 24 sums.
    Narrower ones hold four rows of one vector, and the others follow in loops of their own: with AVX2 Gram matrices
    took 0.75 of the time of sums that are spilled (code for Haswell, run on Zen 5).
    """
    h, count, sign = height.literal_value, vectors.literal_value, adds.literal_value

    def codegen(context, b, sig, args):
        e = Inside(context, b, sig.args[0].dtype, sig, args)
        A, first, stride, step, steps, B, out, to, v = e.args[:9]
        width, n = e.width(B), first.type
        unroll = 4 // min(h, 4)  # one row alone: 4 sums hide the FMA's latency
        middle = b.sub(steps, b.srem(steps, n(unroll)))
        rows, some = (h, count) if "+avx512f" in context.codegen().magic_tuple()[2] else (min(h, 4), 1)
        for q0, p0 in itertools.product(range(0, h, rows), range(0, count, some)):
            places = [b.add(v, n(p * e.lanes)) for p in range(p0, p0 + some)]
            sums = [[e.variables(unroll) for _ in places] for _ in range(rows)]
            starts = [b.add(first, b.mul(stride, n(q0 + q))) for q in range(rows)]

            def body(k, u, places=places, sums=sums, starts=starts):
                row = b.mul(k, width)
                loaded = [e.load(b.gep(B.data, [b.add(row, place)])) for place in places]
                for start, row_sums in zip(starts, sums, strict=True):
                    number = e.splat(b.load(b.gep(A.data, [b.add(start, b.mul(k, step))])))
                    for vector, acc in zip(loaded, row_sums, strict=True):
                        e.add_product(number, vector, acc[u])

            with cgutils.for_range_slice(b, n(0), middle, n(unroll)) as (k, _):
                for u in range(unroll):
                    body(b.add(k, n(u)), u)
            if unroll > 1:
                with cgutils.for_range_slice(b, middle, steps, n(1)) as (k, _):
                    body(k, 0)
            for q, row_sums in enumerate(sums, q0):
                row = b.mul(b.add(to, n(q)), width)
                for place, acc in zip(places, row_sums, strict=True):
                    total, at = e.total(acc), b.gep(out.data, [b.add(row, place)])
                    if sign:
                        total = (e.add if sign > 0 else e.subtract)(e.load(at), total)
                    e.store(total, at)
        return context.get_dummy_value()

    return types.void(A, first, stride, step, steps, B, out, to, v, height, vectors, adds), codegen


def _plain_panel(A, first, stride, step, steps, B, out, to, v, height, vectors, adds):
    places = first + stride * np.arange(height)[:, None] + step * np.arange(steps)
    lanes = slice(v, v + vectors * BYTES // B.itemsize)
    total = A.reshape(-1)[places] @ B[:steps, lanes]
    before = out[to : to + height, lanes] if adds else 0.0
    out[to : to + height, lanes] = before - total if adds < 0 else before + total


panel = _plain_panel if numba.config.DISABLE_JIT else _panel


@intrinsic(prefer_literal=True)
def _row(typingctx, Z, k, D, nearest, W, out, v, vectors, steps):
    """``W[:, v:] += outer(Z[k], D[v:])`` if ``steps``, and ``out[nearest, v:] = Z[nearest] @ W[:, v:]``, in one go.

    Some vectors of lanes at once share the loads of Z.
    """
    count, moves = vectors.literal_value, steps.literal_value

    def codegen(context, b, sig, args):
        e = Inside(context, b, sig.args[0].dtype, sig, args)
        Z, k, D, nearest, W, out, v, _, _ = e.args
        width, n = e.width(W), k.type
        d = e.width(Z)
        places = [b.add(v, n(q * e.lanes)) for q in range(count)]
        unroll = 4  # not by the count: a lane's sums are in one order, however many lanes there are
        sums = [e.variables(unroll) for _ in places]
        change = [e.load(b.gep(D.data, [place])) for place in places] if moves else None
        row, following = b.mul(k, d), b.mul(nearest, d)

        def body(j, u):
            number = e.splat(b.load(b.gep(Z.data, [b.add(following, j)])))
            moved = e.splat(b.load(b.gep(Z.data, [b.add(row, j)]))) if moves else None
            start = b.mul(j, width)
            for q, place in enumerate(places):
                at = b.gep(W.data, [b.add(start, place)])
                w = e.load(at)
                if moves:
                    w = e.fma(moved, change[q], w)
                    e.store(w, at)
                e.add_product(number, w, sums[q][u])

        middle = b.sub(d, b.srem(d, n(unroll)))
        with cgutils.for_range_slice(b, n(0), middle, n(unroll)) as (j, _):
            for u in range(unroll):
                body(b.add(j, n(u)), u)
        with cgutils.for_range_slice(b, middle, d, n(1)) as (j, _):
            body(j, 0)
        for place, acc in zip(places, sums, strict=True):
            e.store(e.total(acc), b.gep(out.data, [b.add(b.mul(nearest, width), place)]))
        return context.get_dummy_value()

    return types.void(Z, k, D, nearest, W, out, v, vectors, steps), codegen


def row_scores(Z, k, W, out):
    """``out[k] = Z[k] @ W``, the scores of one row."""
    out[k] = Z[k] @ W


@compiled_as(row_scores, forceinline=False)
def _(Z, k, W, out):
    vector = BYTES // (Z.dtype.bitwidth // 8)

    def row_scores(Z, k, W, out):
        for v in range(0, W.shape[1] - vector, 2 * vector):
            _row(Z, k, W, k, W, out, v, 2, False)
        if W.shape[1] // vector % 2 == 1:
            _row(Z, k, W, k, W, out, W.shape[1] - vector, 1, False)

    return row_scores


def row_step(Z, k, D, nearest, W, out):
    """``W += outer(Z[k], D)``, then ``out[nearest] = Z[nearest] @ W``: W is read once for the two."""
    W += np.outer(Z[k], D)
    out[nearest] = Z[nearest] @ W


@compiled_as(row_step, forceinline=False)
def _(Z, k, D, nearest, W, out):
    vector = BYTES // (Z.dtype.bitwidth // 8)

    def row_step(Z, k, D, nearest, W, out):
        for v in range(0, W.shape[1] - vector, 2 * vector):
            _row(Z, k, D, nearest, W, out, v, 2, True)
        if W.shape[1] // vector % 2 == 1:
            _row(Z, k, D, nearest, W, out, W.shape[1] - vector, 1, True)

    return row_step


def aligned(shape, dtype):
    """An uninitialised array that begins at a multiple of a vector's size: loads across cache lines cost twice."""
    dtype = np.dtype(dtype)
    raw = np.empty(math.prod(shape) * dtype.itemsize + BYTES, np.uint8)
    return np.ndarray(shape, dtype, raw, -raw.__array_interface__["data"][0] % BYTES)


def zeros(shape, dtype):
    """An array of zeros that begins at a multiple of a vector's size."""
    made = aligned(shape, dtype)
    made.fill(0)
    return made
