"""Whatever a function of the user loads, shard by shard."""

import functools
import hashlib
import re
import types

from ..parts.registry import brief
from .base import ALL
from .loaded import Loaded, matrix


class Shards(Loaded):
    """``load(spec)`` for each of ``specs``: (X, y, row weights, offsets), fewer, or X alone."""

    def __init__(self, load, specs, rows=None, names=None):
        if not callable(load):
            raise TypeError(f"load={brief(load)} must be a function of a spec.")
        self.function, self.specs = load, tuple(specs)
        if not self.specs:
            raise ValueError("specs is empty: at least one shard is needed.")
        self.labels = [f"shard {k} ({brief(spec, 60)})" for k, spec in enumerate(self.specs)]
        if rows is not None:
            self.given_rows = [int(some) for some in rows]
            if len(self.given_rows) != len(self.specs) or min(self.given_rows) < 0:
                raise ValueError(f"rows={brief(rows)} must be a number of rows for each of {len(self.specs)} specs.")
        X, *vectors = self.load(0)
        first = matrix(X, self.labels[0])
        self.columns, self.dtype, self.sparse = first.shape[1], first.dtype, first.sparse
        self.parts = tuple(part for part, value in zip(ALL, (X, *vectors), strict=True) if value is not None)
        self.names = None if names is None else tuple(names)
        if self.names is not None and len(self.names) != self.columns:
            raise ValueError(f"names holds {len(self.names)} names, but {self.labels[0]} has {self.columns} columns.")

    def load(self, k, parts=ALL):
        """What the function returns, four parts of which the last may be None."""
        try:
            found = self.function(self.specs[k])
        except Exception as error:
            raise RuntimeError(f"load raised {type(error).__name__} for {self.labels[k]}: {error}") from error
        found = found if isinstance(found, tuple) else (found,)
        if not 1 <= len(found) <= len(ALL) or found[0] is None:
            raise TypeError(
                f"load returned {len(found)} values for {self.labels[k]}: (X, y), "
                "(X, y, weight) or (X, y, weight, offset) is needed."
            )
        return (*found, *(None,) * (len(ALL) - len(found)))

    def digest(self):
        """Of the specs, of what the function does, and of the values that it holds."""
        text = repr((type(self).__name__, self.names, known(repr(self.specs)), code_of(self.function)))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def known(text):
    """A repr without addresses, which are others in another process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def code_of(function):
    """What a function does, as far as Python tells: its code, with that inside, and the values that it holds."""
    if isinstance(function, functools.partial):
        return ("partial", code_of(function.func), known(repr((function.args, sorted(function.keywords.items())))))
    if isinstance(function, types.MethodType):
        return ("method", code_of(function.__func__), known(repr(function.__self__)))
    if isinstance(function, types.FunctionType):
        held = [known(repr(cell.cell_contents)) for cell in function.__closure__ or ()]
        return (inside(function.__code__), known(repr(function.__defaults__)), held)
    call = vars(type(function)).get("__call__")
    if isinstance(call, types.FunctionType):
        return ("object", inside(call.__code__), known(repr(function)))
    return known(repr(function))


def inside(code):
    """A code object as values whose repr is the same in each process."""
    constants = []
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            constants.append(inside(one))
        elif isinstance(one, frozenset):  # in another order in each process
            constants.append(sorted(map(repr, one)))
        else:
            constants.append(repr(one))
    return (code.co_code, code.co_names, constants)
