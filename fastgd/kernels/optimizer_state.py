"""The state that an optimizer keeps of a weight, a number for each of its slots, and where it lies."""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .emit import BYTES

LEAST = {types.float32: float(np.finfo(np.float32).tiny), types.float64: float(np.finfo(np.float64).tiny)}


def _tuple_at(context, b, kind, places):
    """The numbers at some places, a tuple."""
    return context.make_tuple(b, kind, [b.load(place) for place in places])


def _store(context, b, values, kinds, places, kind):
    """Store the numbers of a tuple, cast to a type, at some places."""
    for k, place in enumerate(places):
        b.store(context.cast(b, b.extract_value(values, k), kinds[k], kind), place)


# Of a lane: a pointer to (slots, width) numbers.


def _plain_state_at(part, slots, width, j):
    """The state of weight ``j``, a number for each slot of ``width`` numbers."""
    return tuple(slots[k * width + j] for k in range(part.slots))


def _plain_store_state(slots, width, j, values):
    """Store the state of weight ``j``."""
    for k, value in enumerate(values):
        slots[k * width + j] = value


def _places(b, slots, width, j, count):
    return [b.gep(slots, [b.add(b.mul(width, width.type(k)), j)]) for k in range(count)]


@intrinsic
def _state_at(typing, part, slots, width, j):
    made = types.UniTuple(slots.dtype, part.instance_class.slots)

    def build(context, b, signature, args):
        return _tuple_at(context, b, made, _places(b, *args[1:], len(made)))

    return made(part, slots, types.intp, types.intp), build


def _plain_store_normal_state(slots, width, j, values):
    """Store the state of weight ``j``, and 0 for subnormal numbers.

    Where a gradient has ended, a running mean would become subnormal and stay so, as the least of these times 0.9 is
    rounded to itself, and arithmetic with them is slow: in float32, with 8 % of Adam's means so, steps of a perceptron
    took 40 us, not 18.
    """
    least = np.finfo(slots.dtype).tiny
    _plain_store_state(slots, width, j, [value * (abs(value) >= least) for value in values])


@intrinsic
def _store_normal_state(typing, slots, width, j, values):
    kind = slots.dtype

    def build(context, b, signature, args):
        number = context.get_data_type(kind)
        least, zero = (ir.Constant(number, value) for value in (LEAST[kind], 0.0))
        size = b.module.declare_intrinsic("llvm.fabs", [number])
        for k, place in enumerate(_places(b, *args[:3], len(values))):
            value = context.cast(b, b.extract_value(args[3], k), values[k], kind)
            small = b.fcmp_ordered("<", b.call(size, [value]), least)
            b.store(b.select(small, zero, value), place)
        return context.get_dummy_value()

    return types.void(slots, types.intp, types.intp, values), build


@intrinsic
def _store_state(typing, slots, width, j, values):
    def build(context, b, signature, args):
        _store(context, b, args[3], values, _places(b, *args[:3], len(values)), slots.dtype)
        return context.get_dummy_value()

    return types.void(slots, types.intp, types.intp, values), build


# Of a tile: (d + 1, groups, slots, V) for groups of V lanes. The slots of a group are a fixed distance apart: otherwise
# LLVM would have to check that it exceeds a vector.


def _plain_tile_state_at(part, slots, j, start, lane):
    """The state of weight ``j`` of a lane, whose group begins at lane ``start``: a number for each slot."""
    return tuple(slots[j, start // slots.shape[3], k, lane - start] for k in range(part.slots))


def _plain_store_tile_state(slots, j, start, lane, values):
    """Store the state of weight ``j`` of a lane."""
    for k, value in enumerate(values):
        slots[j, start // slots.shape[3], k, lane - start] = value


def _tile_places(context, b, kind, args, count):
    slots, j, start, lane = args
    array = context.make_array(kind)(context, b, slots)
    number, vector = start.type, BYTES * 8 // kind.dtype.bitwidth
    groups = cgutils.unpack_tuple(b, array.shape, 4)[1]
    block = b.mul(b.add(b.mul(b.mul(j, groups), number(vector)), start), number(count))
    first = b.gep(b.gep(array.data, [block]), [b.sub(lane, start)])
    return [b.gep(first, [number(k * vector)]) for k in range(count)]


@intrinsic
def _tile_state_at(typing, part, slots, j, start, lane):
    made = types.UniTuple(slots.dtype, part.instance_class.slots)

    def build(context, b, signature, args):
        return _tuple_at(context, b, made, _tile_places(context, b, slots, args[1:], len(made)))

    return made(part, slots, types.uintp, types.uintp, types.uintp), build


@intrinsic
def _store_tile_state(typing, slots, j, start, lane, values):
    def build(context, b, signature, args):
        _store(context, b, args[4], values, _tile_places(context, b, slots, args[:4], len(values)), slots.dtype)
        return context.get_dummy_value()

    return types.void(slots, types.uintp, types.uintp, types.uintp, values), build


state_at, store_state, store_normal_state, tile_state_at, store_tile_state = (
    (_plain_state_at, _plain_store_state, _plain_store_normal_state, _plain_tile_state_at, _plain_store_tile_state)
    if numba.config.DISABLE_JIT
    else (_state_at, _store_state, _store_normal_state, _tile_state_at, _store_tile_state)
)
