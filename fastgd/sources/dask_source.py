"""Dask arrays and data frames, one partition at a time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from ..parts.registry import known_options
from .base import ALL, VECTORS, X
from .extras import needed
from .loaded import Loaded
from .mapped import EXACT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Source

SMALL = ("float16", "float32")


@known_options
def dask(
    X: Any, y: Any = None, *, weight: Any = None, offset: Any = None, names: Sequence[str] | None = None
) -> Source:
    """The partitions of dask arrays or data frames, computed one at a time, each time they are read.

    Nothing of them stays in memory, here or on a cluster: pass collections that read files, not persisted ones.

    Parameters
    ----------
    X : dask array (n, d) or dask data frame
        Of numbers: float32 and float16 are read as float32, all others as float64. Missing values become NaN.
    y, weight, offset : dask array, series or None, default None
        Targets (n,) or (n, m), row weights and offsets (n,), with the partitions of X; those of arrays whose sizes are
        known are made so.
    names : sequence of str or None, default None
        The names of the columns; None is those of a data frame.

    Returns
    -------
    Source
        Its rows are counted when they are first asked for, where dask does not know the sizes of the chunks, by
        computing each partition once.

    Raises
    ------
    ImportError
        Without dask.
    ValueError, TypeError
        Columns that hold no numbers, or partitions that do not fit each other.
    RuntimeError
        When rows are read: a partition could not be computed.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastgd import sources
    >>> X = da.ones((1000, 3), chunks=(250, 3))
    >>> sources.dask(X, X.sum(axis=1))
    Dask(1,000 rows of 3 columns, float64)
    """
    return Dask(X, y, weight, offset, names)


class Dask(Loaded):
    """Partitions as delayed objects, which are computed where they are loaded: in this process, or in a task of a
    cluster."""

    def __init__(self, table, y=None, weight=None, offset=None, names=None):
        dask = needed("dask", "dask")
        given = {X: table} | {
            part: value for part, value in zip(VECTORS, (y, weight, offset), strict=True) if value is not None
        }
        for part, value in given.items():
            if not (dask.is_dask_collection(value) and isinstance(getattr(value, "ndim", None), int)):
                raise TypeError(f"{part} is {type(value).__name__}: a dask array or data frame is needed.")
            if "distributed" in sys.modules and sys.modules["distributed"].futures_of(value):
                raise TypeError(
                    f"{part} was persisted on a cluster, and what is lost there can not be computed again: pass it as "
                    "it was before persist()."
                )
        self.parts = tuple(given)
        self.token = dask.base.tokenize(*given.values())
        self._types(table, names)
        given = aligned(given)
        self.partitions = {part: delayed(value) for part, value in given.items()}
        counts = {part: len(found) for part, found in self.partitions.items()}
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{part} {count}" for part, count in counts.items())
            raise ValueError(f"The partitions do not fit each other: {said}. Take all from one collection.")
        self.labels = [f"partition {k}" for k in range(counts[X])]
        known = getattr(given[X], "chunks", [[np.nan]])[0]
        if not np.isnan(known).any():
            self.given_rows = [int(rows) for rows in known]
        self.telling = ALL if self.sparse else self.parts[-1:]  # a vector, if there is one: it is computed sooner

    def _types(self, table, names):
        if table.ndim != 2:
            raise ValueError(f"X has {table.ndim} axes: a table of rows and columns is needed.")
        if hasattr(table, "dtypes"):
            kinds = {
                str(name): np.dtype(getattr(kind, "numpy_dtype", kind)) if numeric(kind) else None
                for name, kind in table.dtypes.items()
            }
            wrong = [name for name, kind in kinds.items() if kind is None]
            if wrong:
                raise TypeError(f"X has columns that hold no numbers: {', '.join(wrong)}: encode or drop them.")
            names, small = tuple(kinds) if names is None else names, all(k.name in SMALL for k in kinds.values())
            self.columns = len(table.columns)
            if len(kinds) < self.columns:
                raise ValueError("X has columns of the same name: rename them.")
        else:
            if not numeric(table.dtype):
                raise TypeError(f"X holds {table.dtype}: numbers are needed.")
            small, columns = table.dtype.name in SMALL, table.shape[1]
            if np.isnan(columns) or not columns:
                raise ValueError(f"X has {columns} columns: their number must be known.")
            self.columns, self.sparse = int(columns), hasattr(table._meta, "tocsr")
        self.dtype = np.dtype(np.float32 if small else np.float64)
        self.names = None if names is None else tuple(map(str, names))
        if self.names is not None and len(self.names) != self.columns:
            raise ValueError(f"names holds {len(self.names)} names, but X has {self.columns} columns.")

    def load(self, k, parts=ALL):
        """Some parts of a partition, computed in this thread."""
        dask, parts = needed("dask", "dask"), [part for part in self.parts if part in parts]
        try:
            found = dask.compute(*(self.partitions[part][k] for part in parts), scheduler="synchronous")
        except Exception as error:
            raise RuntimeError(f"{self.labels[k]} raised {type(error).__name__}: {error}") from error
        values = dict(zip(parts, found, strict=True))
        if X in values:
            values[X] = table_of(values[X], self.dtype, self.labels[k])
        return (values.get(X), *(vector_of(values[part]) if part in values else None for part in VECTORS))

    def digest(self):
        """Of dask's names of the collections, which say how they came about."""
        return f"{self.token}-{self.dtype.name}-{self.names}-{self.parts}"


def numeric(kind):
    """Whether a type of dask, NumPy or pandas is one of numbers."""
    kind = getattr(kind, "numpy_dtype", kind)  # of pandas' types for missing values
    return isinstance(kind, np.dtype) and kind.kind in "biuf"


def aligned(given):
    """Arrays whose chunks are whole rows, and the same rows in all parts where their numbers are known."""
    made = {}
    for part, value in given.items():
        if hasattr(value, "chunks") and value.ndim == 2 and len(value.chunks[1]) > 1:
            value = value.rechunk({1: -1})
        made[part] = value
    rows = getattr(made[X], "chunks", [[np.nan]])[0]
    if not np.isnan(rows).any():
        for part in made:
            chunks = getattr(made[part], "chunks", [[np.nan]])[0]
            if not np.isnan(chunks).any() and chunks != rows and sum(chunks) == sum(rows):
                made[part] = made[part].rechunk({0: rows})
    return made


def delayed(value):
    """The partitions of a collection, in the order of their rows."""
    return list(np.ravel(np.asarray(value.to_delayed(), object)))


def table_of(part, dtype, label):
    """A data frame of pandas as an array; an array as it is."""
    if not hasattr(part, "dtypes"):
        return part
    for name in part.columns:
        column = part[name]
        if column.dtype.kind in "iu" and column.dtype.itemsize == 8 and len(column):
            low, high = column.min(), column.max()
            if high > EXACT or low < -EXACT:
                beyond = high if high > EXACT else low
                raise ValueError(
                    f"{label}, column {name}: {beyond} is beyond 2**53, and float64 has no such number: make it a "
                    "category, or subtract a constant."
                )
    return np.ascontiguousarray(part.to_numpy(dtype, na_value=np.nan))


def vector_of(part):
    """A column of pandas as an array: text as objects, numbers that may be missing with NaN."""
    if not hasattr(part, "dtype") or isinstance(part, np.ndarray):
        return np.asarray(part.to_numpy() if hasattr(part, "to_numpy") else part)
    if numeric(part.dtype):
        if isinstance(part.dtype, np.dtype) or not part.isna().any():
            return part.to_numpy(getattr(part.dtype, "numpy_dtype", part.dtype))
        return part.to_numpy(np.float64, na_value=np.nan)
    return part.to_numpy(object)
