"""Whatever a function of the user loads, shard by shard."""

from __future__ import annotations

import functools
import hashlib
import re
import types
from typing import TYPE_CHECKING, Any

from ..parts.registry import known_options
from ..wording import brief
from .base import ALL
from .loaded import Loaded, matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .base import Source


@known_options
def shards(
    load: Callable[[Any], Any],
    specs: Iterable[Any],
    *,
    rows: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> Source:
    """Whatever a function loads: for formats that there is no other source for, data bases and object stores.

    Parameters
    ----------
    load : callable
        ``load(spec)`` returns X, ``(X, y)``, ``(X, y, weight)`` or ``(X, y, weight, offset)`` of a shard, the same each
        time: X is an array (rows, columns) or a SciPy sparse array, y has shape (rows,) or (rows, m), row weights and
        offsets (rows,); None for a part that is not there. To be used in other processes, it must be one that pickle
        finds: a function of a module.
    specs : iterable
        What ``load`` is given, for each shard: a path, a range, a query. A shard must fit in memory.
    rows : sequence of int or None, default None
        The number of rows of each shard. None counts them when they are first asked for, by loading each shard once;
        so are the numbers of sparse rows.
    names : sequence of str or None, default None
        The names of the columns.

    Returns
    -------
    Source

    Raises
    ------
    RuntimeError
        ``load`` raised; the message has the number and the spec of the shard.
    ValueError, TypeError
        A shard that differs from the first one in the columns, their type or the parts, or from its own rows when it
        was loaded before.

    Notes
    -----
    What ``cached(folder)`` and runs that go on compare are the specs and the code of ``load``, with the values that it
    holds, but nothing that it calls or reads.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import sources
    >>> def load(seed):
    ...     X = np.random.default_rng(seed).standard_normal((100, 3))
    ...     return X, X.sum(axis=1)
    >>> rows = sources.shards(load, range(4))
    >>> rows.n
    400
    """
    return Shards(load, specs, rows, names)


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
