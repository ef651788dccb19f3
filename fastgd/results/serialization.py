"""States and files: a typed state as metadata and arrays, and back, with every field checked against its annotation.

A state is a dataclass or a NamedTuple. What its fields may be annotated with:

- ``None``, ``bool``, ``int``, ``float``, ``str``, ``Literal[...]``, ``list[T]``, ``tuple[T, ...]``, ``dict[str, T]``,
  and ``list`` or ``dict`` for any plain values: these go into the metadata, which JSON can hold;
- ``np.ndarray``: goes into the arrays, under its dotted place, such as ``"solver.slots"``;
- another state class; ``object`` for one of several, which the metadata name (``classes`` says what the names mean);
- a union of these, and ``Annotated[T, note]`` with what else must hold: :class:`Range`, :class:`Array`, :class:`Check`.
"""

import dataclasses
import math
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np

from ..parts.registry import brief

CLASS = "class"  # the key of a registered class's name
MISSING = type("Missing", (), {"__repr__": lambda self: "nothing"})()


class Range(NamedTuple):
    """A finite number between ``low`` and ``high``, both included."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self):
        return f"from {self.low} to {self.high}" if self[:] != (-math.inf, math.inf) else "finite"

    def holds(self, value, sizes):
        """Whether a number lies in the range."""
        return (isinstance(value, int) or math.isfinite(value)) and self.low <= value <= self.high


class Check(NamedTuple):
    """A value for which ``test`` is true; ``words`` say what it is."""

    test: Callable[[Any], bool]
    words: str

    def __str__(self):
        return self.words

    def holds(self, value, sizes):
        """Whether the value passes the test."""
        return self.test(value)


class Array(NamedTuple):
    """An array of a type and a shape, some of which are names that mean the same wherever they occur in a state.

    Attributes
    ----------
    dtype : str
        A NumPy type, or another name for one of float32 and float64.
    shape : str
        The dimensions: a number, a name, a name and what is added to it (``columns+1``), or a name with a star for any
        number of dimensions (``*targets columns``).
    finite : bool
        Whether NaN and infinity are refused.
    """

    dtype: str
    shape: str
    finite: bool = False

    def __str__(self):
        return f"{'finite ' * self.finite}{self.dtype} of shape ({', '.join(self.shape.split())})"

    def holds(self, value, sizes):
        """Whether an array fits, given what names mean so far (``sizes``, which learns of new ones)."""
        dtype = value.dtype.name
        if self.dtype in np.sctypeDict:
            same = dtype == self.dtype
        else:
            same = dtype in ("float32", "float64") and sizes.setdefault(self.dtype, dtype) == dtype
        return same and self._fits(value.shape, sizes) and (not self.finite or bool(np.isfinite(value).all()))

    def _fits(self, shape, sizes):
        dimensions = self.shape.split()
        for k, dimension in enumerate(dimensions):
            if dimension.startswith("*"):  # takes what the others leave
                end = len(shape) - (len(dimensions) - k - 1)
                shape = (*shape[:k], tuple(shape[k:end]), *shape[end:]) if end >= k else ()
        if len(shape) != len(dimensions):
            return False
        for dimension, size in zip(dimensions, shape, strict=True):
            name, _, more = dimension.partition("+")
            size = size - int(more) if more else size
            if (int(name) if name.isdigit() else sizes.setdefault(name, size)) != size or (more and size < 0):
                return False
        return True


def encode(state, classes=types.MappingProxyType({})):
    """The metadata (dict of plain values) and arrays (dict) of a state.

    Parameters
    ----------
    state : dataclass or NamedTuple
    classes : dict of str to class
        The state classes that fields annotated with ``object`` may hold, by name.

    Examples
    --------
    >>> class Average(NamedTuple):
    ...     since: int
    ...     mean: Annotated[np.ndarray, Array("float64", "columns")]
    >>> metadata, arrays = encode(Average(3, np.ones(2)))
    >>> metadata, arrays
    ({'since': 3}, {'mean': array([1., 1.])})
    >>> decode(Average, metadata, arrays)
    Average(since=3, mean=array([1., 1.]))
    >>> decode(Average, {"since": "3"}, arrays)
    Traceback (most recent call last):
    ValueError: 'since' must be int, got '3'.
    """
    arrays = {}
    return _encoded(state, "", arrays, {kind: name for name, kind in classes.items()}), arrays


def decode(kind, metadata, arrays, classes=types.MappingProxyType({})):
    """The state of class ``kind`` that :func:`encode` took apart.

    Raises
    ------
    ValueError
        That names the first field which is missing, unknown, or not what its annotation says.
    """
    reader = _Reader(dict(arrays), classes, {})
    state = reader.state(kind, metadata, "")
    if reader.arrays:
        raise ValueError(f"{next(iter(reader.arrays))!r} is not known.")
    return state


def _names_of(kind):
    """The names of a state class's fields, None for another class."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind) if field.init)
    return getattr(kind, "_fields", None)


def _at(place, name):
    return f"{place}.{name}" if place else str(name)


def _encoded(value, place, arrays, names, hint=None):
    """The metadata of a value annotated with ``hint``; its arrays are put into ``arrays``."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        of = next(iter(get_args(hint)), None)
        return [_encoded(item, _at(place, k), arrays, names, of) for k, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _encoded(item, _at(place, key), arrays, names) for key, item in value.items()}
    if _names_of(type(value)) is None:
        return value
    metadata = {CLASS: names[type(value)]} if object in (hint, *get_args(hint)) else {}
    hints = get_type_hints(type(value), include_extras=True)
    for name in _names_of(type(value)):
        item, there = getattr(value, name), _at(place, name)
        if isinstance(item, np.ndarray):
            arrays[there] = item
        else:
            metadata[name] = _encoded(item, there, arrays, names, hints[name])
    return metadata


class _Reader(NamedTuple):
    """What is left of the arrays of a file, the registered classes, and what the names in notes mean so far."""

    arrays: dict
    classes: dict
    sizes: dict

    def state(self, kind, metadata, place):
        """A state of class ``kind``."""
        if type(metadata) is not dict:
            raise _error(place, f"a {kind.__name__}", metadata)
        names, hints = _names_of(kind), get_type_hints(kind, include_extras=True)
        for name in metadata:
            if name not in names:
                raise ValueError(f"{_at(place, name)!r} is not known.")
        return kind(**{name: self.value(hints[name], metadata.get(name, MISSING), _at(place, name)) for name in names})

    def value(self, hint, found, place):
        """What was ``found`` at a place, as its annotation asks for; of a union the first that does."""
        found = self.arrays.pop(place) if found is MISSING and place in self.arrays else found
        if found is MISSING:
            raise ValueError(f"{place!r} is missing.")
        kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        if found is None and type(None) in kinds:
            return None
        kinds = [kind for kind in kinds if kind is not type(None)]
        if len(kinds) == 1:  # whose error may name a field inside
            return self.one(kinds[0], found, place)
        for kind in kinds:
            before = dict(self.arrays), dict(self.sizes)
            try:
                return self.one(kind, found, place)
            except ValueError:
                for now, then in zip((self.arrays, self.sizes), before, strict=True):
                    now.clear()
                    now.update(then)
        raise _error(place, " or ".join(map(_words, kinds)), found)

    def one(self, hint, found, place):
        """What was found, as an annotation that is no union asks for."""
        if get_origin(hint) is Annotated:
            hint, *notes = get_args(hint)
            value = self.one(hint, found, place)
            for note in notes:
                if not note.holds(value, self.sizes):
                    raise _error(place, f"{_words(hint)}, {note}", found)
            return value
        kind, of = get_origin(hint) or hint, get_args(hint)
        if kind is object:
            name = found.get(CLASS) if type(found) is dict else found
            if type(name) is not str or name not in self.classes:
                raise _error(place, f"one of {', '.join(self.classes)}", name)
            return self.state(self.classes[name], {key: found[key] for key in found if key != CLASS}, place)
        if _names_of(kind) is not None:
            return self.state(kind, found, place)
        if kind is Literal:
            right = any(type(found) is type(value) and found == value for value in of)
        else:
            right = type(found) is (list if kind is tuple else kind)
        if not right:
            raise _error(place, _words(hint), found)
        if kind in (list, tuple) and of:
            return kind(self.value(of[0], item, _at(place, k)) for k, item in enumerate(found))
        if kind is dict and of:
            return {key: self.value(of[1], item, _at(place, key)) for key, item in found.items()}
        return found


def _words(hint):
    """An annotation in words."""
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        return ", ".join([_words(hint), *map(str, notes)])
    return "an array" if hint is np.ndarray else getattr(hint, "__name__", str(hint))


def _error(place, wanted, found):
    is_array = isinstance(found, np.ndarray)
    got = f"{found.dtype} of shape {found.shape}" if is_array else brief(found, 60)
    return ValueError(f"{place!r} must be {wanted}, got {got}.")
