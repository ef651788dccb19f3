"""Hints to the memory of what is read soon.

They ask for the second-level cache: with the first mini-batches at d=50 took 81 ns a row, not 46.
"""

import numba
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .emit import BYTES, prefetch


@intrinsic
def _prefetch_run(typing, A, first, last):
    def build(context, b, signature, args):
        data, number = context.make_array(signature.args[0])(context, b, args[0]).data, args[1].type
        line = number(BYTES * 8 // signature.args[0].dtype.bitwidth)
        with cgutils.for_range_slice(b, args[1], args[2], line) as (k, _):
            prefetch(b, b.gep(data, [k]), 2)
        return context.get_dummy_value()

    return types.void(A, first, last), build


@intrinsic
def _prefetch_row(typing, X, i):
    def build(context, b, signature, args):
        X = context.make_array(signature.args[0])(context, b, args[0])
        d = b.extract_value(X.shape, 1)
        start, line = b.gep(X.data, [b.mul(args[1], d)]), d.type(BYTES * 8 // signature.args[0].dtype.bitwidth)
        with cgutils.for_range_slice(b, d.type(0), d, line) as (j, _):
            prefetch(b, b.gep(start, [j]), 2)
        return context.get_dummy_value()

    return types.void(X, i), build


def _nothing(*arguments):
    pass


# ``prefetch_run(A, first, last)``: items first to last of an array (n,) are read soon; ``prefetch_row(X, i)``: row i.
# Intrinsics by themselves: an overload around one takes 15 ms to compile for each combination of types.
prefetch_run, prefetch_row = (_nothing, _nothing) if numba.config.DISABLE_JIT else (_prefetch_run, _prefetch_row)
