"""Parameters in the form that users give them: a number, an array, or arrays in dicts, lists and tuples."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..kernels.threads import cached_property
from ..wording import brief
from .numeric import numeric

DEEPEST = 20  # dicts, lists and tuples in each other: more are a mistake, such as a list that holds itself


class Leaf(NamedTuple):
    """An array of the parameters."""

    name: str  # as messages have it: x0["W"][0]
    shape: tuple
    number: bool  # whether it was given as a number
    start: int  # of its numbers among all

    @property
    def size(self):
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Nest:
    """The form of some parameters, whose numbers lie one behind another in one array.

    Attributes
    ----------
    form : tuple
        ("number",), ("array", axes), ("dict", ((key, form), ...)), ("list", (form, ...)), ("tuple", (form, ...)) or
        ("named", (form, ...), class). It is hashable, and says nothing of lengths.
    leaves : tuple of Leaf
    dtype : dtype
        float32 or float64.
    """

    form: tuple
    leaves: tuple
    dtype: np.dtype

    @property
    def size(self):
        """How many numbers there are."""
        return sum(leaf.size for leaf in self.leaves)

    @cached_property
    def names(self):
        """The keys of parameters that are a dict of arrays and numbers; None of others."""
        plain = self.form[0] == "dict" and all(form[0] in ("array", "number") for _, form in self.form[1])
        return dict.fromkeys(key for key, _ in self.form[1]).keys() if plain else None

    @cached_property
    def lengths(self):
        """The lengths of all axes, int64."""
        return np.array([length for leaf in self.leaves for length in leaf.shape], np.int64)

    def arrays(self, flat):
        """The arrays of the parameters as views of ``flat`` (size,); of a number one without axes."""
        return [flat[leaf.start : leaf.start + leaf.size].reshape(leaf.shape) for leaf in self.leaves]

    def made(self, arrays):
        """The parameters of their arrays, in the form they were given."""
        if self.names and not any(leaf.number for leaf in self.leaves):
            return dict(zip(self.names, arrays, strict=True))  # the most usual form, at a third of the time
        return _made(self.form, iter(arrays))

    def of(self, flat):
        """The parameters, in arrays of their own."""
        return self.made(self.arrays(flat.copy()))

    def store(self, name, given, arrays):
        """Store parameters of this form in ``arrays``; ``name`` is what messages call them."""
        if type(given) is dict and given.keys() == self.names:
            found = [given[key] for key in self.names]
        else:
            found = _flattened(name, given, self.form)
        for leaf, value, array in zip(self.leaves, found, arrays, strict=True):
            if type(value) is not float and (type(value) is not np.ndarray or value.dtype.kind != "f"):
                value = _numbers(name + leaf.name.removeprefix("x0"), value)
            if getattr(value, "shape", ()) != leaf.shape:
                place = leaf.name.removeprefix("x0")
                raise ValueError(f"{name}{place} has shape {np.shape(value)}; x0{place} has shape {leaf.shape}.")
            array[...] = value

    def spread(self, name, given, none):
        """Numbers for all parameters (size,), given as one, as an array (size,), or in the form of the parameters.

        There, too, a number stands for an array, and None for ``none``.
        """
        flat = np.empty(self.size, self.dtype)
        if given is None or _is_number(given):
            flat[:] = none if given is None else numeric(name, given)
            return flat
        if len(self.leaves) > 1 and isinstance(given, np.ndarray) and given.shape == flat.shape:
            flat[:] = numeric(name, given)
            return flat
        found = _flattened(name, given, self.form)
        for leaf, value, array in zip(self.leaves, found, self.arrays(flat), strict=True):
            label = name + leaf.name.removeprefix("x0")
            value = numeric(label, none if value is None else value)
            if value.shape not in ((), array.shape):
                raise ValueError(f"{label} has shape {value.shape}: a number or shape {array.shape} is needed.")
            array[...] = value
        return flat

    def facts(self):
        """What a file holds of it: lists, strings and numbers; a named tuple is a tuple there."""
        return [_listed(self.form), [[leaf.name, list(leaf.shape), leaf.number] for leaf in self.leaves]]

    @classmethod
    def from_facts(cls, facts, dtype):
        """The nest of what a file holds; ValueError where that is none."""
        try:
            form, leaves = facts
            nest, start = _form_of(form), 0
            found = []
            for name, shape, number in leaves:
                found.append(Leaf(str(name), tuple(int(length) for length in shape), bool(number), start))
                start += found[-1].size
            kinds = [("number",) if leaf.number and not leaf.shape else ("array", len(leaf.shape)) for leaf in found]
            if _kinds(nest) != kinds or any(length < 0 for leaf in found for length in leaf.shape):
                raise ValueError("other arrays than the form has")
        except (TypeError, ValueError, RecursionError):
            raise ValueError("'params' is not the form of parameters.") from None
        return cls(nest, tuple(found), np.dtype(dtype))

    def place(self, j):
        """What messages call parameter number j."""
        leaf = next(leaf for leaf in self.leaves if leaf.start <= j < leaf.start + leaf.size)
        inside = list(map(int, np.unravel_index(j - leaf.start, leaf.shape))) if leaf.shape else ""
        return f"{leaf.name}{inside}"


def nest_of(x0, finite=True, dtype=None):
    """The :class:`Nest` of parameters, and their numbers as an array (size,) of float32 or float64.

    ``finite``: NaN and infinity are an error; ``dtype``: their type, where it does not go by the parameters.
    """
    if x0 is None:
        raise TypeError("x0=None must be a number, an array, or a dict, list or tuple of these.")
    found = []
    form = _form("x0", x0, found, 0)
    if not found:
        raise ValueError("x0 is empty: at least one number is needed.")
    single = all(array.dtype == np.float32 for _, array, _ in found)
    dtype, leaves, start = np.dtype(dtype or (np.float32 if single else np.float64)), [], 0
    for name, array, number in found:
        leaves.append(Leaf(name, array.shape, number, start))
        start += array.size
    if start == 0:
        raise ValueError("x0 is empty: at least one number is needed.")
    nest = Nest(form, tuple(leaves), dtype)
    with np.errstate(all="ignore"):
        flat = np.concatenate([array.reshape(-1).astype(dtype) for _, array, _ in found])
    if finite and not np.isfinite(flat).all():
        place = nest.place(int(np.argmin(np.isfinite(flat))))
        raise ValueError(f"{place} is NaN or infinite: the start must be finite.")
    return nest, flat


def _form(name, given, found, depth):
    """The form of some parameters, whose arrays are appended to ``found``: (name, array, whether it is a number)."""
    if depth > DEEPEST:
        raise ValueError(f"x0 has more than {DEEPEST} dicts, lists and tuples in each other.")
    if isinstance(given, dict):
        for key in given:
            if not isinstance(key, str):
                raise TypeError(f"{name} has the key {brief(key)}: names of parameters must be strings.")
        return "dict", tuple((key, _form(f"{name}[{key!r}]", item, found, depth + 1)) for key, item in given.items())
    if isinstance(given, tuple) or (isinstance(given, list) and not all(map(_is_number, given))):
        forms = tuple(_form(f"{name}[{k}]", item, found, depth + 1) for k, item in enumerate(given))
        if hasattr(given, "_fields"):
            return "named", forms, type(given)
        return "tuple" if isinstance(given, tuple) else "list", forms
    array = numeric(name, given)
    array = array.astype(np.float32 if array.dtype.name in ("float16", "float32") else np.float64)
    number = array.ndim == 0 and not isinstance(given, np.ndarray)
    found.append((name, array, number))
    return ("number",) if number else ("array", array.ndim)


def _listed(form):
    """A form as lists."""
    kind = "tuple" if form[0] == "named" else form[0]
    if kind == "dict":
        return [kind, [[key, _listed(item)] for key, item in form[1]]]
    if kind in ("tuple", "list"):
        return [kind, [_listed(item) for item in form[1]]]
    return list(form)


def _form_of(listed):
    """The form of its lists."""
    kind, *rest = listed
    if kind == "dict":
        return kind, tuple((str(key), _form_of(item)) for key, item in rest[0])
    if kind in ("tuple", "list"):
        return kind, tuple(_form_of(item) for item in rest[0])
    if (kind, len(rest)) not in (("number", 0), ("array", 1)):
        raise ValueError(kind)
    return (kind, *map(int, rest))


def _kinds(form):
    """The forms of the numbers and arrays in a form, in their order."""
    if form[0] in ("number", "array"):
        return [form]
    items = [item for _, item in form[1]] if form[0] == "dict" else form[1]
    return [kind for item in items for kind in _kinds(item)]


def _numbers(name, values):
    """``values`` as an array of real numbers; None, which NumPy would make NaN, is none."""
    if values is None:
        raise TypeError(f"{name} is None: a number or an array is needed.")
    return numeric(name, values)


def _is_number(value):
    return not isinstance(value, (dict, list, tuple, np.ndarray)) and np.ndim(value) == 0


def _made(form, arrays):
    kind = form[0]
    if kind == "number":
        return float(next(arrays))
    if kind == "array":
        return next(arrays)
    if kind == "dict":
        return {key: _made(item, arrays) for key, item in form[1]}
    if kind == "named":
        return form[2](*(_made(item, arrays) for item in form[1]))
    items = [_made(item, arrays) for item in form[1]]
    return tuple(items) if kind == "tuple" else items


def _flattened(name, given, form):
    """The arrays of parameters of a form; ``name`` is what messages call them."""
    kind = form[0]
    if kind in ("number", "array"):
        return [given]
    if kind == "dict":
        keys = [key for key, _ in form[1]]
        if not hasattr(given, "keys") or set(given.keys()) != set(keys):
            got = f"the keys {sorted(map(str, given.keys()))}" if hasattr(given, "keys") else brief(given)
            raise ValueError(f"{name} must be a dict with the keys of x0, {keys}; got {got}.")
        return [array for key, item in form[1] for array in _flattened(f"{name}[{key!r}]", given[key], item)]
    if not isinstance(given, (list, tuple)) or len(given) != len(form[1]):
        got = f"{len(given)} items" if isinstance(given, (list, tuple)) else brief(given)
        raise ValueError(f"{name} must be a list or tuple of {len(form[1])} items, as x0 is; got {got}.")
    return [array for k, item in enumerate(form[1]) for array in _flattened(f"{name}[{k}]", given[k], item)]
