"""Compiles a user's own parts before anything runs: what Numba can't compile is an error of one sentence."""

import contextlib
import functools

import numba
from numba import types

from ..parts.registry import COMPILED_METHODS
from . import (
    _cache,
    elementary,  # noqa: F401  (registers the compiled functions that methods call)
)
from ._jit import INNER, bridge, compiled_as
from .user_functions import short

# lambda part, p, y: part.value(p, y), and so on
CALLS = {
    word: eval(f"lambda part, {arguments}: part.{word}({arguments})") for word, arguments in COMPILED_METHODS.items()
}


@functools.cache
def compile_methods(label, kind, dtype):
    """Let kernels call the methods of a wrapper class and their helpers; raises where Numba can't compile them.

    They are tried where no process has tried them before.
    """
    if numba.config.DISABLE_JIT:
        return
    for word in kind.origin.methods:
        bridge(word)
    for helper in kind.origin.helpers:
        compiled_as(helper)(lambda *arguments, helper=helper: helper)
    note = _cache.note_of(kind, dtype)
    if note is None or not note.exists():  # the trial takes 0.2 s
        try_methods(label, kind, dtype)
        if note is not None:
            with contextlib.suppress(OSError):
                note.parent.mkdir(parents=True, exist_ok=True)
                note.touch()


def try_methods(label, kind, dtype):
    """Compile the methods of a wrapper class; raises Numba's objections.

    The types are those of kernels, which use the same compiled code.
    """
    part, number = types.NamedTuple([types.float64] * len(kind._fields), kind), numba.from_dtype(dtype)
    if "value_and_slopes" in kind.origin.methods:
        row = types.Array(number, 1, "C"), types.int64, types.Array(types.float64, 1, "C")
        found = returned(label, kind, "value_and_slopes", (part, *row))
        if not _is_number(found):
            raise TypeError(
                f"{label}: value_and_slopes gives {_named(found, kind)} when compiled; the row's loss, a number, is "
                "needed."
            )
        try_optional(label, kind, part)
    elif "slope" in kind.origin.methods:
        for word in {"value", "slope", "second_derivative"}.intersection(kind.origin.methods):
            found = returned(label, kind, word, (part, number, number))
            if not _is_number(found):
                raise TypeError(f"{label}: {word} gives {_named(found, kind)} when compiled; a number is needed.")
    else:
        c, _ = returned(label, kind, "prepare", (part, types.float64, types.int64, types.UniTuple(types.float64, 2)))
        state = types.UniTuple(number, kind.slots)
        moved = returned(label, kind, "move", (part, types.UniTuple(number, len(c)), number, number, state))
        if not all(map(_is_number, [*moved.types[:2], *moved.types[2].types])):
            raise TypeError(f"{label}: move gives {_named(moved, kind)} when compiled; numbers are needed.")


def try_optional(label, kind, part):
    """Compile the optional methods of a joint loss."""
    table, row = (types.Array(types.float64, dimensions, "C") for dimensions in (2, 1))
    classes = types.Array(types.int64, 1, "C")
    if "values_and_slopes" in kind.origin.methods:
        returned(label, kind, "values_and_slopes", (part, table, classes, row, table))
    if "mean_second_derivative" in kind.origin.methods:
        found = returned(label, kind, "mean_second_derivative", (part, row, types.int64))
        if not _is_number(found):
            raise TypeError(
                f"{label}: mean_second_derivative gives {_named(found, kind)} when compiled; a number is needed."
            )
    if "second_derivatives" in kind.origin.methods:
        returned(label, kind, "second_derivatives", (part, row, types.int64, table))


def returned(label, kind, word, arguments):
    """The type that a method returns, compiled through the bridge as kernels do."""
    try:
        return _compiled(CALLS[word], arguments)
    except Exception as error:
        words = _named(short(_plain_error(getattr(kind, word), arguments) or error), kind)
        raise TypeError(
            f"{label}: Numba can't compile {word}: {words} (Kernels need methods of arithmetic and NumPy's functions "
            "on the fields; fastgd.reference runs any in plain Python.)"
        ) from error


def _plain_error(method, arguments):
    """What Numba says of a method by itself: what is wrong, not where it was called."""
    try:
        _compiled(method, arguments)
    except Exception as error:
        return error
    return None


def _compiled(function, arguments):
    dispatcher = numba.njit(**INNER)(function)
    dispatcher.compile(arguments)
    return dispatcher.overloads[arguments].signature.return_type


def _is_number(kind):
    return isinstance(kind, (types.Integer, types.Float))


def _named(words, kind):
    """Words with the user's name of the class in place of the wrapper's."""
    return str(words).replace(kind.__name__, kind.origin.name)
