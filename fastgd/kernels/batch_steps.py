"""Steps on batches of a user's own functions: a batch's rows copied together, its gradient, the optimizer's move.

The loop is compiled once for a data type: the user's functions (``batch_calls.py``) and the optimizer's move with
penalty and bounds (``part_functions.move_weights``) are called by address. What a step does after the gradient is one
kernel of its own, too, for functions in plain Python.
"""

import ctypes

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import inlined, kernel
from .addresses import at, call

RUNNING, BAD_GRADIENT, BAD_VALUE, BAD_SHAPE = range(4)


@intrinsic
def _copy_bytes(typing, target, source, count):
    def build(context, builder, signature, args):
        pointers = [builder.inttoptr(one, cgutils.voidptr_t) for one in args[:2]]
        cgutils.raw_memcpy(builder, *pointers, args[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), build


def _plain_copy_bytes(target, source, count):
    ctypes.memmove(int(target), int(source), int(count))


copy_bytes = _plain_copy_bytes if numba.config.DISABLE_JIT else _copy_bytes


@inlined
def gathered(rows, first, last, sources, sizes, buffers):
    """Copy the rows at positions ``first`` to ``last`` of an order one behind another."""
    for k in range(sources.size):
        size, target = sizes[k], buffers[k]
        for i in range(first, last):
            copy_bytes(target, sources[k] + rows[i] * size, size)
            target += size


@kernel
def gather(rows, first, last, sources, sizes, buffers):
    """Copy rows of some arrays together.

    Parameters
    ----------
    rows : ndarray of int64
        An order of rows, of which those at positions ``first`` to ``last`` are copied.
    sources, buffers : ndarrays (arrays,) of int64
        The addresses of the arrays and of where their rows go.
    sizes : ndarray (arrays,) of int64
        The bytes of a row of each.
    """
    gathered(rows, first, last, sources, sizes, buffers)


@inlined(in_order=True)
def squares(gradient, d):
    """The sum of the squares of ``d`` numbers: four sums in turn, as one was 3 times slower at 5,000 parameters."""
    first = second = third = fourth = 0.0
    for j in range(0, d - 3, 4):
        a, b, c, e = gradient[j], gradient[j + 1], gradient[j + 2], gradient[j + 3]
        first += np.float64(a) * np.float64(a)
        second += np.float64(b) * np.float64(b)
        third += np.float64(c) * np.float64(c)
        fourth += np.float64(e) * np.float64(e)
    for j in range(d - d % 4, d):
        first += np.float64(gradient[j]) * np.float64(gradient[j])
    return (first + second) + (third + fourth)


@inlined
def moved(move, part, rate, t, gradient, clip):
    """One step against a gradient; whether that is finite. A longer one than ``clip`` is cut to that length."""
    fields, penalty, carry, weights, slots, low, high, factors, averages, averaging = part
    d = gradient.size - 1
    total = squares(gradient, d)
    if not total < np.inf:
        return False
    if total > clip * clip:
        share = gradient.dtype.type(clip / np.sqrt(total))
        for j in range(d):
            gradient[j] *= share
    call(
        move, at(fields, 0), at(penalty, 0), rate, t, at(carry, 0), at(weights, 0), at(slots, 0), at(low, 0),
        at(high, 0), at(factors, 0), at(gradient, 0), d, at(averages, 0), averaging[0] > 0, averaging[0],
    )  # fmt: skip
    return True


@kernel
def step(move, part, rate, t, gradient, clip):
    """One step, for functions in plain Python: see ``advance``."""
    return moved(move, part, rate, t, gradient, clip)


@kernel
def advance(function, move, part, weights, lengths, rates, t, rows, batch, arrays, gradient, clip, wanted, sums, out):
    """Steps on the batches of some rows in their order; returns how it stands and the steps done.

    Parameters
    ----------
    function, move : int
        The addresses of a ``batch_calls.Call`` and of ``move_weights``.
    part : tuple of ndarrays
        What ``move_weights`` is handed: the fields of optimizer and penalty, the carry, the weights and slots, bounds
        and factors, the running means, and from which step on they are taken (0: not at all).
    weights : ndarray (size,)
        The parameters, without the one behind them that ``move_weights`` takes for an intercept.
    lengths : ndarray of int64
    rates : ndarray (steps,)
    t : int
        The number of the first step, from 1.
    rows : ndarray (positions,) of int64
        Where a batch's rows are; empty where they follow each other.
    batch : int
    arrays : tuple
        Of the data: their addresses, the bytes of a row, and the addresses of where a batch's rows go; the first row,
        and how many there are.
    gradient : ndarray (size + 1,)
        Work, whose last number is 0.
    clip : float
        The largest norm of a gradient; infinite for none.
    wanted : int
        What is asked of the functions.
    sums : ndarray (1,)
        The sum of the values, each times the rows of its batch.
    out : ndarray (3,)
    """
    sources, sizes, buffers, first, count = arrays
    status, done = RUNNING, 0
    own = gradient[: weights.size]
    for lo in range(0, count, batch):
        hi = lo + batch if lo + batch < count else count
        if rows.size:
            gathered(rows, lo, hi, sources, sizes, buffers)
        else:
            for k in range(sources.size):
                buffers[k] = sources[k] + (first + lo) * sizes[k]
        called(function, weights, own, lengths, buffers, hi - lo, wanted, out)
        if out[1] != 0.0:
            status = BAD_SHAPE
        elif not abs(out[0]) < np.inf:
            status = BAD_VALUE
        elif not moved(move, part, rates[done], t + done, gradient, clip):
            status = BAD_GRADIENT
        if status != RUNNING:
            break
        sums[0] += out[0] * (hi - lo)
        done += 1
    return status, done


@intrinsic
def _called(typing, function, weights, gradient, lengths, batch, rows, wanted, out):
    kinds = weights, gradient, lengths, batch, types.int64, types.int64, out

    def build(context, builder, signature, args):
        convention = context.call_conv
        pointer = builder.inttoptr(args[0], convention.get_function_type(types.none, kinds).as_pointer())
        status, _ = convention.call_function(builder, pointer, types.none, kinds, args[1:])
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(types.int64, *kinds), build


def _plain_called(function, *arguments):
    function(*arguments)


# Unlike ``addresses.call``: what the user's function raises is raised.
called = _plain_called if numba.config.DISABLE_JIT else _called
