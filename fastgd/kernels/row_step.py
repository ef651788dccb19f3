"""The vector code of plain SGD on single rows of dense data: a row's step, with what the next row's score needs.

A score waits for the step before it, a step for its slope, a slope for its score: one after another they took 47 ns a
row (d=50, float32), the loads of a row 10. So the score of the row after the next is taken right behind a step, and its
product with the next row, by which the next step will have moved it: both are ready while slopes are worked out.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import compiled_as
from .simd import FLAGS, I32, Emit


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
        e = Emit(context, b, signature, args)
        X, shift, inverse_scale, *rows, decay, change, W = e.args
        now, following, later, soon = (e.at(X.data, b.mul(i, e.d)) for i in rows)
        decay, change = e.splat(b.fneg(decay)), e.splat(change)
        of_weights, of_rows = e.variables(2)
        kind = ir.FunctionType(ir.VoidType(), [soon.type, I32, I32, I32])
        prefetch = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")

        def body(j, mask):
            def x(row):
                v = e.load(row, j, mask)
                if scaled:
                    v = b.fsub(v, e.load(shift.data, j, mask), flags=FLAGS)
                    v = b.fmul(v, e.load(inverse_scale.data, j, mask), flags=FLAGS)
                return v

            b.call(prefetch, [b.gep(soon, [j]), I32(0), I32(2), I32(1)])
            w = e.load(W.data, j, None)
            w = b.fadd(b.fmul(decay, w, flags=FLAGS), w, flags=FLAGS)
            w = b.fadd(b.fmul(change, x(now), flags=FLAGS), w, flags=FLAGS)
            e.store(w, W.data, j, None)
            z = x(later)
            e.fma(w, z, of_weights)
            e.fma(x(following), z, of_rows)

        e.columns(body)
        return context.make_tuple(b, signature.return_type, sums(e, b.load(of_weights), b.load(of_rows)))

    at = types.int64
    return types.UniTuple(number, 2)(X, shift, inverse_scale, at, at, at, at, number, number, W), build


def sums(e, first, second):
    """The sums of the lanes of two vectors."""
    v, n = (first, second), e.lanes
    while n > 1:  # the halves of both are added: n lanes become n / 2 of each
        starts = (0, e.lanes) if isinstance(v, tuple) else (0, n)
        pair = v if isinstance(v, tuple) else (v, v)
        low = [start + k for start in starts for k in range(n // 2)]
        v = e.b.fadd(
            e.b.shuffle_vector(*pair, e.ints(low)),
            e.b.shuffle_vector(*pair, e.ints([k + n // 2 for k in low])),
            flags=FLAGS,
        )
        n //= 2
    return [e.b.extract_element(v, I32(k)) for k in range(2)]
