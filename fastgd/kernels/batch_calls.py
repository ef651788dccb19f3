"""A user's compiled functions of parameters and a batch, as one function of plain arrays that loops call by address.

The parameters lie one behind another in one array, the rows of the batch in arrays whose addresses are handed on. The
function is written for the form of the parameters and for the types of the batch's arrays, not for their lengths, and
is compiled once for each pair of the user's functions.
"""

import re
from typing import NamedTuple

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from ._jit import OPTIONS

VALUE, GRADIENT, BOTH = 1, 2, 3  # what is asked for
# Of central differences, as in ``minimize_loop``, by the type of the parameters.
STEPS = {np.dtype(kind): float(np.cbrt(np.finfo(kind).eps)) for kind in (np.float32, np.float64)}
MOST = 20  # items of a display
WORDS = (  # what Numba says of functions that it can compile and that don't fit, and what is said in its place
    (r">>> number_of\((.*)\)", "fun returns {}, in Numba's words; one real number is needed."),
    (
        r">>> stored\((.*?), (?:UniTuple\(int64 x \d+\)|Tuple\(\)), array\(float",
        "the gradient, or a part of it, is {}, in Numba's words; real numbers in the form of x0 are needed.",
    ),
    (
        r"(?s)>>> getitem\(([^\n]*), [^,\n]*\)\n.*get-item at <fastgd",
        "the gradient is {}, in Numba's words; the form of x0 is needed.",
    ),
    (r">>> setitem\((readonly array\(.*?\)),", "a function writes to what it is lent, a {}. Let it write to a copy."),
    (r"failed to unpack (.*)", "fun returns {}, in Numba's words; with grad=True (value, gradient) is needed."),
    (r"wrong tuple length .* got (\d+)", "fun returns {} values; with grad=True (value, gradient) is needed."),
    (r"with parameters (\(.*\))\nKnown signatures", "a function has a signature other than {}: leave that out."),
)


def words_for(error):
    """What is wrong with a user's functions, from an error of Numba's; None where only that tells."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    for pattern, words in WORDS:
        if found := re.search(pattern, text):
            return words.format(found[1])
    return None


class Call(NamedTuple):
    """A user's functions as one: ``function(weights, gradient, lengths, batch, rows, wanted, out)``.

    ``weights`` and ``gradient`` (size,) are of the type of the parameters; ``lengths`` int64 are those of all axes of
    the parameters' arrays, and of all axes but the first of the batch's; ``batch`` int64 has the addresses of these.
    ``wanted`` is VALUE, GRADIENT or BOTH; ``out`` (3,) float64 gets the value, and where an array of the gradient has
    another shape than its parameters, 1 and the number of that array.
    """

    function: object  # the dispatcher, for Python
    address: int  # for kernels


def call_of(fun, grad, form, arrays, dtype):
    """The :class:`Call` of a user's functions, compiled.

    Parameters
    ----------
    fun : compiled function
        Of the parameters and the batch's arrays: a number, or (value, gradient) where ``grad`` is True.
    grad : compiled function, True or None
        None: central differences.
    form : tuple
        The form of the parameters: see ``Nest.form``.
    arrays : sequence of ndarray
        Of the batch: their types and numbers of axes count.
    dtype : dtype
        Of the parameters, float32 or float64.
    """
    kept = fun.__dict__.setdefault("_fastgd_calls", {})  # on the function: all are freed together
    key = grad, form, tuple((a.dtype, a.ndim) for a in arrays), np.dtype(dtype)
    if key not in kept:
        number = numba.from_dtype(np.dtype(dtype))
        source, names = written(grad, form, arrays, number)
        names |= {"fun": fun, "grad": grad, "STEP": STEPS[np.dtype(dtype)]}
        exec(compile(source, "<fastgd: a call of fun and grad>", "exec"), names)
        function = numba.njit(nogil=True, **OPTIONS)(names["function"])
        whole, floats = types.Array(types.int64, 1, "C"), types.Array(number, 1, "C")
        signature = floats, floats, whole, whole, types.int64, types.int64, types.Array(types.float64, 1, "C")
        function.compile(signature)
        found = function.overloads[signature]
        kept[key] = Call(function, found.library.get_pointer_to_function(found.fndesc.llvm_func_name))
    return kept[key]


# The text of the function -------------------------------------------------------------------------------------------


def written(grad, form, arrays, number):
    """The source of the function, and the names that it uses."""
    names = {"stored": stored, "number_of": number_of}
    lines, places = [], Places()
    params = expression(form, places, names, number)
    for k, (start, axes) in enumerate(places.leaves):
        size = " * ".join(f"lengths[{places.first(k) + axis}]" for axis in range(axes)) or "1"
        lines.append(f"end{k} = {start} + {size}")
    lines.append(f"params = {params}")
    lengths = places.lengths
    batch = []
    for k, array in enumerate(arrays):
        name = names_view(names, numba.from_dtype(array.dtype), array.ndim)
        shape = ", ".join(["rows", *(f"lengths[{lengths + axis}]" for axis in range(array.ndim - 1))])
        lengths += array.ndim - 1
        batch.append(f"batch{k}")
        lines.append(f"batch{k} = {name}(batch[{k}], ({shape},))")
    given = ", ".join(["params", *batch]) if len(batch) < MOST else f"params, *{displayed(batch)}"
    value = f"out[0] = number_of(fun({given}))"
    if grad is True:
        # A user's function that is asked for the value alone computes both: what it does is not known.
        lines += [f"value, slopes = fun({given})", "out[0] = number_of(value)", f"if wanted & {GRADIENT}:"]
    elif grad is None:
        lines += [f"if wanted & {VALUE}:", f"    {value}", f"if wanted & {GRADIENT}:"]
        loop = [
            "for j in range(weights.size):",
            "    w = weights[j]",
            "    h = weights.dtype.type(STEP * max(1.0, abs(w)))",
            "    weights[j] = w + h",
            f"    params = {params}",  # numbers are copies
            f"    above = number_of(fun({given}))",
            "    above_at = weights[j]",
            "    weights[j] = w - h",
            f"    params = {params}",
            f"    gradient[j] = (above - number_of(fun({given}))) / (above_at - weights[j])",
            "    weights[j] = w",
        ]
        return assembled(lines + ["    " + line for line in loop]), names
    else:
        lines += [f"if wanted & {VALUE}:", f"    {value}", f"if wanted & {GRADIENT}:", f"    slopes = grad({given})"]
    for k, (start, axes) in enumerate(places.leaves):
        first = places.first(k)
        shape = "".join(f"lengths[{first + axis}], " for axis in range(axes))
        lines.append(f"    if not stored(slopes{places.paths[k]}, ({shape}), gradient, {start}):")
        lines.append(f"        out[1], out[2] = 1.0, {k}.0")
    return assembled(lines), names


def assembled(lines):
    """The source of a function with these lines."""
    head = "def function(weights, gradient, lengths, batch, rows, wanted, out):\n"
    return head + "".join(f"    {line}\n" for line in ["out[1] = 0.0", *lines])


class Places:
    """Where the arrays of the parameters lie: as expressions."""

    def __init__(self):
        self.leaves, self.paths, self.lengths, self.firsts = [], [], 0, []

    def add(self, axes, path):
        """Add an array, and return its number."""
        k = len(self.leaves)
        self.leaves.append((f"end{k - 1}" if k else "0", axes))
        self.paths.append(path)
        self.firsts.append(self.lengths)
        self.lengths += axes
        return k

    def first(self, k):
        """Where the lengths of array k begin."""
        return self.firsts[k]


def expression(form, places, names, number, path=""):
    """The parameters as the user's function takes them, an expression."""
    kind = form[0]
    if kind == "number":
        k = places.add(0, path)
        return f"weights[{places.leaves[k][0]}]"
    if kind == "array":
        k = places.add(form[1], path)
        name = names_view(names, number, form[1])
        first = places.first(k)
        shape = "".join(f"lengths[{first + axis}], " for axis in range(form[1]))
        return f"{name}(weights.ctypes.data + {places.leaves[k][0]} * weights.itemsize, ({shape}))"
    if kind == "dict":
        items = [expression(item, places, names, number, f"{path}[{key!r}]") for key, item in form[1]]
        made = f"dict{len(names)}"
        names[made] = dict_maker(tuple(key for key, _ in form[1]))
        return f"{made}({displayed(items)})"
    items = [expression(item, places, names, number, f"{path}[{k}]") for k, item in enumerate(form[1])]
    if kind == "named":
        made = f"named{len(names)}"
        names[made] = form[2]
        return f"{made}({', '.join(items)})" if len(items) < MOST else f"{made}(*{displayed(items)})"
    return displayed(items)


def displayed(items):
    """The display of a tuple; of many items Python makes a list first, which Numba does not follow."""
    parts = [f"({', '.join(items[k : k + MOST])},)" for k in range(0, len(items), MOST)]
    return f"({' + '.join(parts)})" if parts else "()"


def names_view(names, dtype, ndim):
    """The name of the function that makes an array of a type of an address."""
    name = f"array_{dtype}_{ndim}"
    if name not in names:
        names[name] = viewer(types.Array(dtype, ndim, "C", readonly=True))
    return name


# What the text calls ------------------------------------------------------------------------------------------------


def viewer(kind):
    """A function (address, shape) that returns an array of the type ``kind`` there."""

    @intrinsic
    def view(typing, address, shape):
        def build(context, builder, signature, args):
            made = context.make_array(kind)(context, builder)
            lengths = cgutils.unpack_tuple(builder, args[1], kind.ndim)
            whole = context.get_value_type(types.intp)
            item = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
            strides = [item] * min(kind.ndim, 1)
            for length in lengths[:0:-1]:
                strides.insert(0, builder.mul(strides[0], length))
            context.populate_array(
                made,
                data=builder.inttoptr(args[0], made.data.type),
                shape=cgutils.pack_array(builder, lengths, whole),
                strides=cgutils.pack_array(builder, strides, whole),
                itemsize=item,
                meminfo=None,
            )
            return made._getvalue()

        return kind(types.int64, types.UniTuple(types.int64, kind.ndim)), build

    return view


def dict_maker(keys):
    """A function that makes a dict, with keys known when it is compiled, of the tuple of its values.

    Numba makes one of a display ``{"a": x, "b": y}`` only where the values' types differ; else one that is looked up by
    hashes, 200 ns an item, whose code takes seconds to compile.
    """

    @intrinsic
    def made(typing, values):
        pairs = {types.literal(key): value for key, value in zip(keys, values.types, strict=True)}
        kind = types.LiteralStrKeyDict(pairs, {key: k for k, key in enumerate(keys)})

        def build(context, builder, signature, args):
            items = [builder.extract_value(args[0], k) for k in range(len(keys))]
            return context.make_tuple(builder, kind, items)

        return kind(values), build

    return made


def number_of(value):
    """What a user's function returned, as float64: a number, or an array without axes."""
    return np.float64(value)


@overload(number_of)
def _(value):
    if isinstance(value, types.Array) and value.ndim == 0:
        return lambda value: np.float64(value[()])
    if isinstance(value, (types.Number, types.Boolean)):
        return lambda value: np.float64(value)
    return None


def stored(slopes, shape, gradient, start):
    """Store the gradient of one array of the parameters; whether it has its shape."""


@overload(stored)
def _(slopes, shape, gradient, start):
    if isinstance(slopes, types.Number):
        if len(shape):
            return lambda slopes, shape, gradient, start: False

        def store(slopes, shape, gradient, start):
            gradient[start] = slopes
            return True

        return store
    if isinstance(slopes, types.Array) and slopes.ndim == len(shape):
        if slopes.ndim == 0:

            def store(slopes, shape, gradient, start):
                gradient[start] = slopes[()]
                return True

        elif slopes.layout == "C":

            def store(slopes, shape, gradient, start):
                if slopes.shape != shape:
                    return False
                flat = slopes.reshape(-1)
                for j in range(flat.size):
                    gradient[start + j] = flat[j]
                return True

        else:

            def store(slopes, shape, gradient, start):
                if slopes.shape != shape:
                    return False
                j = start
                for value in slopes.flat:
                    gradient[j] = value
                    j += 1
                return True

        return store
    if isinstance(slopes, types.Array):
        return lambda slopes, shape, gradient, start: False
    if isinstance(slopes, (types.BaseTuple, types.List)) and len(shape) == 1:

        def store(slopes, shape, gradient, start):
            if len(slopes) != shape[0]:
                return False
            for j in range(len(slopes)):
                gradient[start + j] = slopes[j]
            return True

        return store
    return None
