"""The decorators of compiled code, and the bridge from parts to Numba.

===========  =======  ======================================================================
decorator    inlined  for
===========  =======  ======================================================================
``kernel``   -        what Python calls: ``nogil``, cached on disk
``inlined``  yes      functions inside loops
``routine``  no       what is called once a block of rows or less often: compiled once
===========  =======  ======================================================================

``in_order``: sums are added in order. A vectorised loop is guarded by a check of where the arrays lie; the other way
round the check a sum that may be reassociated comes out otherwise, by chance of the memory. And numbers that are read
here and there, gathered by vectors, as reassociation would have it, come slower.

``written_out`` is for the one caller of a part's method: Numba writes that into it, and LLVM sees one function.

All are serial, with ``error_model="numpy"`` and the flags ``FASTMATH``, and make no arrays. ``compiled_as`` gives a
plain function a compiled twin. The bridge lets a kernel call a part's methods (``loss.slope(p, y)``): Numba compiles
the method that NumPy runs in the reference.

Numba's own cache looks at one source file only and knows nothing of options: here a hash of all compiled sources and
options is part of a kernel's name, so an edit of any of them is a new kernel (``_cache.py``).
"""

import functools
import inspect

import numba
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_getattr, make_overload_method_template
from numba.extending import intrinsic, overload

from ..parts.optimizers import decayed
from ..parts.registry import COMPILED_METHODS
from . import _cache

# reassoc lets sums vectorise; nnan and ninf (full fastmath) would delete the checks for non-finite values.
FASTMATH = {"reassoc", "contract", "nsz", "arcp"}
OPTIONS = {"error_model": "numpy", "fastmath": FASTMATH}
# Only Python and C need the wrappers that are left out: a quarter of the time to compile.
INNER = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# Numba counts the references to every array of a tuple that a function is passed, two atomic instructions each: 300 ns
# a call with all of a tile's. A function that makes no array may do without.
UNCOUNTED = {"_nrt": False}
INLINE = {**INNER, "forceinline": True}  # without forceinline a composed kernel ran at half the hand-written speed
IN_ORDER = {"fastmath": FASTMATH - {"reassoc"}}


def _decorator(decorate):
    """A decorator with or without options."""

    def decorator(function=None, **options):
        return functools.partial(decorate, **options) if function is None else decorate(function, **options)

    return decorator


@_decorator
def kernel(function, in_order=False):
    """Compile a top-level kernel: ``nogil``, cached on disk under a name stamped with all compiled sources."""
    if numba.config.DISABLE_JIT:
        return function
    function.__qualname__ += f"__{_cache.stamp()}"
    options = {**OPTIONS, **UNCOUNTED, **(IN_ORDER if in_order else {})}
    return _cache.attach(numba.njit(nogil=True, no_cfunc_wrapper=True, **options)(function))


@_decorator
def inlined(function, in_order=False, arrays=False):
    """Compile a function that kernels call inside of loops; ``arrays``: it may make some."""
    options = {**INLINE, **({} if arrays else UNCOUNTED), **(IN_ORDER if in_order else {})}
    return numba.njit(**options)(function)


def routine(function):
    """Compile a function that kernels call and that is not worth inlining: compiled once, not in every caller."""
    return numba.njit(**INNER, **UNCOUNTED)(function)


def written_out(method):
    """A part's method, or None, as a function that Numba itself writes into its caller, which makes no arrays.

    Compiled apart it is optimised twice, the second time in the caller: the softmax of a block took 480 ms, not 310.
    A user's own may make some, and is compiled apart: written out in a caller that counts no references it failed.
    """
    if method is None:
        return None
    method = getattr(method, "__func__", method)
    if (method.__module__ or "").partition(".")[0] != __name__.partition(".")[0]:
        return numba.njit(**INLINE, _nrt=True)(method)  # without _nrt the caller decides
    return numba.njit(inline="always")(method)


def compiled_as(function, **options):
    """Give a plain Python function a compiled twin: the decorated function types the call and returns the body."""
    return overload(function, jit_options={**INLINE, **options}, strict=False)


@functools.cache
def bridge(word, in_order=False):
    """Let kernels call the method ``word`` of any part, whatever it calls its arguments.

    ``in_order`` as of ``inlined``.
    """

    def typed(self, *args):
        return getattr(self.instance_class, word)

    jit_options = {**INLINE, **IN_ORDER, **UNCOUNTED} if in_order else INLINE
    if word in OF_ROWS:
        jit_options = {**jit_options, "_nrt": True}
    options = {"strict": False, "jit_options": jit_options}
    template = make_overload_method_template(types.BaseNamedTuple, word, typed, inline="never", **options)

    class Bridge(template):
        def _resolve(self, part, attr):
            # Only methods: overload_method took fields of that name from every named tuple, the user's too.
            if attr != word or not inspect.isfunction(getattr(part.instance_class, attr, None)):
                return None
            context, function = self.context, self._get_function_type(self.context, part)

            class Method(AbstractTemplate):
                key = (types.BaseNamedTuple, attr)

                def generic(_, args, kws):
                    return function.get_call_type(context, (part, *args), kws).as_method()

            return types.BoundFunction(Method, part)

    infer_getattr(Bridge)
    overload(typed, **options)(typed)


OF_ROWS = (
    "value_and_slopes",
    "values_and_slopes",
    "mean_second_derivative",
)  # methods of arrays, which may make others, whatever calls them
for _word in (*COMPILED_METHODS, "at"):
    bridge(_word)


# Small tuples -------------------------------------------------------------------------------------------------------


def lane_of(part, fields, lane):
    """The part with the fields of one lane, a row of the table ``fields`` (lanes, number of fields)."""
    return type(part)(*fields[lane, : len(part)])


@intrinsic
def _lane_of(typing, part, fields, lane):
    made = types.NamedTuple([fields.dtype] * len(part), part.instance_class)

    def build(context, builder, signature, args):
        table = context.make_array(fields)(context, builder, args[1])
        width = builder.extract_value(table.shape, 1)
        first = builder.gep(table.data, [builder.mul(args[2], width)])
        values = [builder.load(builder.gep(first, [context.get_constant(types.intp, k)])) for k in range(len(part))]
        return context.make_tuple(builder, made, values)

    return made(part, fields, types.intp), build


@compiled_as(lane_of)
def _(part, fields, lane):
    return lambda part, fields, lane: _lane_of(part, fields, lane)


def cast_all(values, like):
    """The numbers of a tuple in the type of the array ``like``."""
    return tuple(like.dtype.type(value) for value in values)


@intrinsic
def _cast_all(typing, values, like):
    made = types.UniTuple(like.dtype, len(values))

    def build(context, builder, signature, args):
        items = [
            context.cast(builder, builder.extract_value(args[0], k), values[k], like.dtype) for k in range(len(values))
        ]
        return context.make_tuple(builder, made, items)

    return made(values, like), build


@compiled_as(cast_all)
def _(values, like):
    return lambda values, like: _cast_all(values, like)


@compiled_as(decayed)
def _(part, c, w):
    if not part.instance_class.decays:
        return lambda part, c, w: w
    last = len(c) - 1
    return lambda part, c, w: w - c[last] * w
