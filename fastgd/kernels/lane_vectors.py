"""Elementwise work across lanes: a function of one lane, run for the lanes of one vector at a time.

Loops over a few lanes are what LLVM does worst: it unrolls a short loop into scalars, and checks before a longer one
whether its arrays overlap. So the number of lanes is fixed, unrolling is forbidden and ``assume_noalias`` says that no
arrays overlap: the loop becomes one pass of vector instructions (SGD's step of 32 lanes, d=50, float64: 131 ns; plain
loops 190). What a lane computes does not depend on its place, nor on how many there are.
"""

import numba
from llvmlite import ir
from llvmlite.ir.values import MDValue
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .emit import BYTES


@intrinsic
def _simd_width(typing, like):
    lanes = BYTES * 8 // like.dtype.bitwidth
    return types.intp(like), lambda context, builder, signature, args: context.get_constant(types.intp, lanes)


def _plain_simd_width(like):
    return BYTES // like.itemsize


def _forbid_unrolling(branch, module):
    """Metadata of the loop that ends with ``branch``: a node that names itself first, as LLVM wants it."""
    node = MDValue(module, (), str(len(module.metadata)))
    node.operands = (node, module.add_metadata(["llvm.loop.unroll.disable"]))
    branch.set_metadata("llvm.loop", node)


@intrinsic
def _for_each_lane(typing, body, like, start, args):
    inner = body.get_call_type(typing, (types.uintp, types.uintp, *args.types), {})
    lanes = BYTES * 8 // like.dtype.bitwidth

    def build(context, b, signature, values):
        _no_overlap(b.function)
        _, _, start, args = values
        number = start.type
        before, loop, after = b.block, b.append_basic_block("lanes"), b.append_basic_block("done")
        b.branch(loop)
        b.position_at_end(loop)
        k = b.phi(number)
        k.add_incoming(number(0), before)
        lane = b.add(start, k, flags=("nuw", "nsw"))
        context.get_function(body, inner)(b, (lane, start, *cgutils.unpack_tuple(b, args)))
        following = b.add(k, number(1), flags=("nuw", "nsw"))
        k.add_incoming(following, b.block)
        _forbid_unrolling(b.cbranch(b.icmp_unsigned("<", following, number(lanes)), loop, after), b.module)
        b.position_at_end(after)
        return context.get_dummy_value()

    return types.void(body, like, types.uintp, args), build


def _plain_for_each_lane(body, like, start, args):
    for lane in range(start, start + _plain_simd_width(like)):
        body(lane, start, *args)


@intrinsic
def _assume_noalias(typing):
    def build(context, builder, signature, args):
        _no_overlap(builder.function)
        return context.get_dummy_value()

    return types.void(), build


def _no_overlap(function):
    """Promise it for the arrays of floats among the arguments."""
    for argument in function.args[2:]:  # behind the places of the result and of an exception
        if isinstance(getattr(argument.type, "pointee", None), (ir.FloatType, ir.DoubleType)):
            argument.add_attribute("noalias")


def _nothing():
    pass


# ``simd_width(like)``: how many numbers of the type of ``like`` fill a vector, known when compiled: no check for 0.
# ``for_each_lane(body, like, start, args)`` is body(lane, start, *args) for as many lanes from ``start`` on as fill a
# vector of the type of ``like``; ``body`` is a leaf. ``assume_noalias()``: the arrays of floats among the caller's
# arguments do not overlap; ``for_each_lane`` includes it.
# All here are intrinsics by themselves: an overload around one takes 15 ms to compile for each combination of types.
simd_width, for_each_lane, assume_noalias = (
    (_plain_simd_width, _plain_for_each_lane, _nothing)
    if numba.config.DISABLE_JIT
    else (_simd_width, _for_each_lane, _assume_noalias)
)


# A column: a lane's numbers in a table (tiles, fields, lanes)


def _plain_column_of(part, table, tile, lane):
    """The part with the fields of one lane of a tile; ``table`` is (tiles, fields, lanes)."""
    values = table[tile, : len(part), lane]
    return type(part)(*values) if hasattr(part, "_fields") else tuple(values)


@intrinsic
def _column_of(typing, part, table, tile, lane):
    made = types.UniTuple(table.dtype, len(part))
    if isinstance(part, types.BaseNamedTuple):
        made = types.NamedTuple([table.dtype] * len(part), part.instance_class)

    def build(context, builder, signature, args):
        places = column_places(context, builder, table, args[1:], len(part))
        return context.make_tuple(builder, made, [builder.load(place) for place in places])

    return made(part, table, types.uintp, types.uintp), build


def column_places(context, builder, table, args, count):
    """Where the first ``count`` numbers of a column lie; ``args`` are a table, a tile and a lane."""
    array = context.make_array(table)(context, builder, args[0])
    _, rows, width = cgutils.unpack_tuple(builder, array.shape, 3)
    first = builder.gep(array.data, [builder.add(builder.mul(builder.mul(args[1], rows), width), args[2])])
    return [builder.gep(first, [builder.mul(width, context.get_constant(types.uintp, k))]) for k in range(count)]


def _plain_store_column(table, tile, lane, values):
    """Store the numbers of a tuple, cast to the table's type, as one lane's of a tile."""
    table[tile, : len(values), lane] = values


@intrinsic
def _store_column(typing, table, tile, lane, values):
    def build(context, builder, signature, args):
        for k, place in enumerate(column_places(context, builder, table, args[:3], len(values))):
            value = builder.extract_value(args[3], k)
            builder.store(context.cast(builder, value, values[k], table.dtype), place)
        return context.get_dummy_value()

    return types.void(table, types.uintp, types.uintp, values), build


column_of, store_column = (
    (_plain_column_of, _plain_store_column) if numba.config.DISABLE_JIT else (_column_of, _store_column)
)
