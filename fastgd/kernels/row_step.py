"""The vector code of plain SGD on single rows of dense data: a row's step, with what the next row's score needs.

A score waits for the step before it, a step for its slope, a slope for its score: one after another they took 47 ns a
row (d=50, float32), the loads of a row 10. So the score of the row after the next is taken right behind a step, and its
product with the next row, by which the next step will have moved it: both are ready while slopes are worked out.
"""

import numpy as np
from numba import types
from numba.extending import intrinsic

from ._jit import compiled_as
from .emit import FLAGS, I32, Inside


def padded_size(d, dtype):
    """How many weights ``row_step`` reads and writes: whole vectors, and room for an intercept behind the d weights."""
    lanes = 64 // dtype.itemsize
    return (d // lanes + 1) * lanes


def row_step(rows, now, following, later, soon, decay, change, weights):
    """``weights += change * row now - decay * weights``; returns the products of row ``later`` with them and with
    ``following``.

    Rows are ``Dense`` or ``Scaled``. The weights are (padded_size,); those behind the first d only stay finite, or
    become what 0 times ``change`` makes of them. The memory is asked for row ``soon``.
    """
    d = rows.values.shape[1]
    first, second, third = (np.array([rows.at(i, j) for j in range(d)]) for i in (now, following, later))
    weights[:d] += change * first - decay * weights[:d]
    return weights[:d] @ third, second @ third


@compiled_as(row_step)
def _(rows, now, following, later, soon, decay, change, weights):
    def dense(rows, now, following, later, soon, decay, change, weights):
        return _row_step(rows.values, None, None, now, following, later, soon, decay, change, weights)

    def scaled(rows, now, following, later, soon, decay, change, weights):
        shift, inverse_scale = rows.shift, rows.inverse_scale
        return _row_step(rows.values, shift, inverse_scale, now, following, later, soon, decay, change, weights)

    return scaled if "shift" in rows.fields else dense


@intrinsic
def _row_step(typing, X, shift, inverse_scale, now, following, later, soon, decay, change, W):
    number, scaled = X.dtype, isinstance(shift, types.Array)

    def build(context, b, signature, args):
        e = Inside(context, b, number, signature, args)
        X, shift, inverse_scale, *rows, decay, change, W = e.args
        d = e.width(X)
        now, following, later, soon = (e.at(X.data, e.bytes(b.mul(i, d))) for i in rows)
        decay, change = e.splat(b.fneg(decay)), e.splat(change)

        def column(j, mask, totals):
            def x(row):
                v = e.load(e.at(row, j), mask)
                if scaled:
                    v = b.fsub(v, e.load(e.at(shift.data, j), mask), flags=FLAGS)
                    v = b.fmul(v, e.load(e.at(inverse_scale.data, j), mask), flags=FLAGS)
                return v

            e.prefetch(e.at(soon, j), 2)
            place = e.at(W.data, j)
            w = e.load(place)
            w = e.fma(change, x(now), e.fma(decay, w, w))
            e.store(w, place)
            z = x(later)
            return [e.fma(w, z, totals[0]), e.fma(x(following), z, totals[1])]

        totals = e.sums(e.columns(d, [e.zero, e.zero], column))
        return context.make_tuple(b, signature.return_type, [b.extract_element(totals, I32(k)) for k in range(2)])

    at = types.int64
    return types.UniTuple(number, 2)(X, shift, inverse_scale, at, at, at, at, number, number, W), build
