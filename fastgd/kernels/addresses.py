"""Functions of parts that loops call through their addresses: loops are compiled once for all parts.

What a loss does to the scores of a block of rows, or an optimizer with its penalty to the weights of a lane, is a small
function, compiled for the class of the part and the data's type (0.2 to 0.4 s); a loop that calls it once a block or a
step takes its address, a number. A call costs some ns. Where nothing is compiled, the function itself is the address,
or its twin in NumPy.

A function is made by a function of parts (``part_functions.py``, ``multi_functions.py``), whose fields it is handed at
each call; ``arguments`` says what else.
"""

import functools

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import _cache
from ._jit import INNER, UNCOUNTED, compiled_as

compiled = []  # the dispatchers: code lives as long as its dispatcher


def arguments(words):
    """Declare what a function takes: F float64, T the data's type, U uint32, I int64, B int8; a star a pointer, a
    number dimensions.
    """

    def declared(make):
        make.arguments = words.split()
        return make

    return declared


def _kind(word, number):
    """The Numba type of a declared argument."""
    if word in ("int", "bool"):
        return {"int": types.int64, "bool": types.boolean}[word]
    kind = {"F": types.float64, "T": number, "U": types.uint32, "I": types.int64, "B": types.int8}[word[0]]
    if word[1:] == "*":
        return types.CPointer(kind)
    return types.Array(kind, int(word[1:]), "C") if word[1:] else kind


def in_numpy(make):
    """Give a function of parts a twin for where nothing is compiled: a number at a time took half of a fit there."""

    def twin(make_twin):
        make.in_numpy = make_twin
        return make_twin

    return twin


@functools.cache
def address(make, dtype, *classes):
    """The address of what ``make`` makes for parts of these classes and a data type."""
    parts = [kind(*(0.5 for _ in kind._fields)) for kind in classes]
    if numba.config.DISABLE_JIT:
        return getattr(make, "in_numpy", make)(*parts)
    function = make(*parts)
    signature = tuple(_kind(word, numba.from_dtype(dtype)) for word in make.arguments)
    function.__qualname__ = f"{'_'.join([make.__name__, *(kind.__name__ for kind in classes)])}__{_cache.stamp()}"
    dispatcher = numba.njit(nogil=True, **INNER, **UNCOUNTED)(function)
    if all(_cache.named_by_content(kind) or _cache.lasting(_type_of(kind)) for kind in classes):
        dispatcher = _cache.attach(dispatcher)
    dispatcher.compile(signature)
    compiled.append(dispatcher)
    found = dispatcher.overloads[signature]
    return found.library.get_pointer_to_function(found.fndesc.llvm_func_name)


def _type_of(kind):
    """The Numba type of a part of a class."""
    return types.NamedTuple([types.float64] * len(kind._fields), kind)


def address_of(kernel, arguments):
    """The address of a kernel for arguments like these, which ``call`` hands on."""
    if numba.config.DISABLE_JIT:
        return kernel
    # What decides the arguments' types; Numba's own question takes some microseconds an array.
    known = kernel, *map(_kind_of, arguments)
    if known not in _addresses:
        signature = tuple(map(numba.typeof, arguments))
        kernel.compile(signature)
        found = kernel.overloads[signature]
        _addresses[known] = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)
    return _addresses[known]


_addresses = {}


def _kind_of(value):
    if not isinstance(value, np.ndarray):
        return type(value)
    return value.dtype, value.ndim, value.flags.writeable, value.flags.c_contiguous


@intrinsic
def _call(typing, address, *arguments):
    flat = [part for kind in arguments for part in (kind.types if isinstance(kind, types.BaseTuple) else [kind])]

    def build(context, builder, signature, args):
        convention, values = context.call_conv, []
        pointer = builder.inttoptr(args[0], convention.get_function_type(types.void, flat).as_pointer())
        for k, kind in enumerate(arguments):
            value = builder.extract_value(args[1], k)
            values += cgutils.unpack_tuple(builder, value) if isinstance(kind, types.BaseTuple) else [value]
        convention.call_function(builder, pointer, types.void, flat, values)
        return context.get_dummy_value()

    return types.void(types.int64, types.StarArgTuple(arguments)), build


def _plain_call(address, *arguments):
    """Call a function by its address; of an argument that is a tuple each item is an argument."""
    address(*[part for one in arguments for part in (one if isinstance(one, tuple) else (one,))])


# Arguments that come as pointers: they fit into registers, where arrays took 30 ns a call -----------------------------


@intrinsic
def _at(typing, array, k):
    def build(context, builder, signature, args):
        view = context.make_array(array)(context, builder, args[0])
        step = args[1]
        for length in cgutils.unpack_tuple(builder, view.shape, array.ndim)[1:]:
            step = builder.mul(step, length)
        return builder.gep(view.data, [step])

    return types.CPointer(array.dtype)(array, types.intp), build


def _plain_at(array, k):
    """Where number k of an array lies, or its row k."""
    return array[k:] if array.ndim == 1 else array[k].reshape(-1)


# Intrinsics by themselves: an overload around them took 20 ms to compile for every combination of types.
call, at = (_plain_call, _plain_at) if numba.config.DISABLE_JIT else (_call, _at)


def part_at(part, fields):
    """The part with these fields."""
    return type(part)(*fields[: len(part)])


@compiled_as(part_at)
def _(part, fields):
    return lambda part, fields: _part_at(part, fields)


@intrinsic
def _part_at(typing, part, fields):
    made = types.NamedTuple([fields.dtype] * len(part), part.instance_class)

    def build(context, builder, signature, args):
        values = [builder.load(builder.gep(args[1], [context.get_constant(types.intp, k)])) for k in range(len(part))]
        return context.make_tuple(builder, made, values)

    return made(part, fields), build
