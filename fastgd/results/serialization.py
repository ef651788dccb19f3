"""States and files: a typed state as metadata and arrays, and back, with every field checked against its annotation.

A state is a dataclass, a NamedTuple or a TypedDict. What its fields may be annotated with:

- ``bool``, ``int``, ``float``, ``str``, ``Literal[...]``, ``list[T]``, ``tuple[T, ...]``, ``dict[str, T]``,
  and ``list`` or ``dict`` for any plain values: these go into the metadata, which JSON can hold;
- ``np.ndarray``: goes into the arrays, under its dotted place, such as ``"solver.slots"``;
- another state class;
- a class with an attribute ``classes`` of its own, a dict: the field holds one of these classes, and the metadata its
  name;
- ``T | None`` of these, and ``Annotated[T, note]`` with what else must hold: :class:`Range`, :class:`Size`,
  :class:`Array`.
"""

import dataclasses
import math
import types
from typing import Annotated, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np

from ..wording import brief

CLASS = "class"  # the key of the name of one of several classes


class Range(NamedTuple):
    """A finite number between ``low`` and ``high``, both included."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self):
        return f"from {self.low} to {self.high}" if self[:] != (-math.inf, math.inf) else "finite"

    def holds(self, value, sizes):
        """Whether a number lies in the range."""
        return (isinstance(value, int) or math.isfinite(value)) and self.low <= value <= self.high


class Size(NamedTuple):
    """A number, or the length of a list or tuple, that is ``name`` in the shapes of the state's arrays."""

    name: str

    def __str__(self):
        return f"as many as {self.name}"

    def holds(self, value, sizes):
        """Whether the number or length is what the name means so far."""
        size = len(value) if isinstance(value, (list, tuple)) else value
        return sizes.setdefault(self.name, size) == size


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
        """Whether an array fits, given the values of names so far (``sizes``, to which new ones are added)."""
        dtype = value.dtype.name
        if self.dtype in np.sctypeDict:
            same = dtype == self.dtype
        else:
            same = dtype in ("float32", "float64") and sizes.setdefault(("type", self.dtype), dtype) == dtype
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


def encode(state):
    """The metadata (dict of plain values) and arrays (dict) of a state.

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
    return _encoded(state, "", arrays), arrays


def decode(kind, metadata, arrays):
    """The state of class ``kind`` from what :func:`encode` returned.

    Raises
    ------
    ValueError
        That names the first field which is missing, unknown, or not what its annotation says.
    """
    reader = _Reader(dict(arrays), {})
    state = reader.state(kind, metadata, "")
    if reader.arrays:
        raise ValueError(f"{next(iter(reader.arrays))!r} is not known.")
    return state


def _hints_of(kind):
    """The annotations of a state class's fields by name, none for another class; ``saved: False`` leaves one out."""
    if dataclasses.is_dataclass(kind):
        names = [known.name for known in dataclasses.fields(kind) if known.init and known.metadata.get("saved", True)]
    else:
        names = kind.__annotations__ if hasattr(kind, "_fields") or is_typeddict(kind) else ()
    hints = get_type_hints(kind, include_extras=True) if names else {}
    return {name: hints[name] for name in names}


def _classes_of(kind):
    """The classes by name that a field annotated with ``kind``, or with one of them, may hold one of."""
    classes = getattr(kind, "classes", None)
    return classes if isinstance(classes, dict) else {}


def _at(place, name):
    return f"{place}.{name}" if place else str(name)


def _encoded(value, place, arrays):
    """The metadata of a value; its arrays are put into ``arrays``."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return [_encoded(item, _at(place, k), arrays) for k, item in enumerate(value)]
    kind = type(value)
    fields = value if isinstance(value, dict) else {name: getattr(value, name) for name in _hints_of(kind)}
    if not fields and not isinstance(value, dict):
        return value
    name = next((name for name, known in _classes_of(kind).items() if known is kind), None)
    metadata = {CLASS: name} if name else {}
    for name, item in fields.items():
        if isinstance(item, np.ndarray):
            arrays[_at(place, name)] = item
        else:
            metadata[name] = _encoded(item, _at(place, name), arrays)
    return metadata


class _Reader(NamedTuple):
    """The arrays of a file that are not decoded yet, and the values of the names in notes so far."""

    arrays: dict
    sizes: dict

    def state(self, kind, metadata, place):
        """A state of class ``kind``."""
        if type(metadata) is not dict:
            raise _error(place, f"a {kind.__name__}", metadata)
        hints, values = _hints_of(kind), {}
        for name in metadata:
            if name not in hints:
                raise ValueError(f"{_at(place, name)!r} is not known.")
        for name, hint in hints.items():
            there = _at(place, name)
            if name not in metadata and there not in self.arrays:
                raise ValueError(f"{there!r} is missing.")
            found = metadata[name] if name in metadata else self.arrays.pop(there)
            values[name] = self.value(hint, found, there)
        return kind(**values)

    def value(self, hint, found, place):
        """The value ``found`` at a place, decoded by its annotation."""
        kind, of = get_origin(hint) or hint, get_args(hint)
        if kind in (Union, types.UnionType):
            return None if found is None else self.value(of[0], found, place)
        if kind is Annotated:
            hint, *notes = of
            value = self.value(hint, found, place)
            for note in notes:
                if not note.holds(value, self.sizes):
                    raise _error(place, f"{_words(hint)}, {note}", found)
            return value
        if classes := _classes_of(kind):
            name = found.get(CLASS) if type(found) is dict else found
            if type(name) is not str or name not in classes:
                raise _error(place, f"one of {', '.join(classes)}", name)
            return self.state(classes[name], {key: found[key] for key in found if key != CLASS}, place)
        if _hints_of(kind):
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
    return "an array" if hint is np.ndarray else getattr(hint, "__name__", str(hint))


def _error(place, wanted, found):
    is_array = isinstance(found, np.ndarray)
    got = f"{found.dtype} of shape {found.shape}" if is_array else brief(found, 60)
    return ValueError(f"{place!r} must be {wanted}, got {got}.")
