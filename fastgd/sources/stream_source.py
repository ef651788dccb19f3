"""Tables of other libraries, through the protocol that all of them have."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Literal

from ..parts.registry import known_options
from .arrow_table import ArrowTable, pa, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import ArrowStream
    from .base import Source

TABLES = ("pandas", "polars", "pyarrow")  # whose objects with a length are tables in memory, read as often as needed


@known_options
def stream(
    table: ArrowStream,
    target: str | Sequence[str] | None = None,
    features: str | Sequence[str] | None = None,
    *,
    weight: str | None = None,
    offset: str | None = None,
    dtype: Literal["float32", "float64"] | None = None,
) -> Source:
    """Rows of anything with ``__arrow_c_stream__``: a reader of record batches, a DuckDB query, a table in memory.

    A stream is read once, batch by batch: it suits ``partial_fit``, or ``stream(...).cached(folder)`` writes it where
    it can be read again. Tables of pyarrow, polars and pandas are read as often as needed. Needs ``fastgd[arrow]``.

    Parameters
    ----------
    table : object with ``__arrow_c_stream__``
        Such as a pyarrow RecordBatchReader or Table, a polars or pandas data frame, a DuckDB relation.
    target, features, weight, offset, dtype
        As of :func:`parquet`.

    Returns
    -------
    Source
        Of one shard. ``repeatable`` says whether it is a table; how many rows a stream has is not known before.

    Raises
    ------
    ValueError, TypeError, ImportError
        As :func:`parquet`; also ValueError if a stream is read for the second time, and TypeError if ``table`` is none
        or if a stream is pickled.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from fastgd.sources import stream
    >>> table = pa.table({"distance": [1.5, 2.0, 0.5], "delay": [10.0, 0.0, 5.0]})
    >>> stream(table, target="delay")
    Stream(3 rows of 1 columns, float64)
    >>> source = stream(table.to_reader(max_chunksize=2), target="delay")
    >>> source
    Stream(1 columns, one pass, float64)
    >>> [block.X.values.ravel().tolist() for block in source.pieces(0)]
    [[1.5, 2.0], [0.5]]
    """
    return Stream(table, target=target, features=features, weight=weight, offset=offset, dtype=dtype)


class Stream(ArrowTable):
    """Anything with ``__arrow_c_stream__``: a table, which can be read again, or a stream of unknown length."""

    def __init__(self, table, **options):
        super().__init__(**options)
        if not hasattr(table, "__arrow_c_stream__"):
            what = f"{type(table).__name__} has no __arrow_c_stream__"
            raise TypeError(f"{what}: a table or stream of pyarrow, polars, pandas or DuckDB is needed.")
        self.table, where = table, f"The {type(table).__name__}"
        self.repeatable = type(table).__module__.split(".")[0] in TABLES and hasattr(table, "__len__")
        self.paths = (where,)
        try:
            reader = pa.RecordBatchReader.from_stream(table)
        except pa.ArrowInvalid:
            raise TypeError(f"{where} is no table: it has no columns.") from None
        self.take(reader.schema, where)
        self.add(where, len(table) if self.repeatable else 0)
        self.unread, self.token = (None, None) if self.repeatable else (reader, uuid.uuid4().hex)
        self.end(self.paths)

    def batches(self, shard, names, rows):
        """All columns are there already."""
        if self.repeatable:
            yield from pa.RecordBatchReader.from_stream(self.table)
        elif self.unread is None:
            what = f"{self.shards[0].label} has been read, and can be read once"
            raise ValueError(f"{what}: pass a table, or write it to a file.")
        else:
            reader, self.unread = self.unread, None
            yield from reader

    def unreadable(self, where, error):
        """The message for what the stream says."""
        return f"{where} can not be read ({said(error)}): see to what makes it."

    def place(self, row):
        """Where a row lies, as messages name it."""
        return f"{self.shards[0].label}, row {row}"

    def files(self):
        """None that are known."""
        return []

    def digest(self):
        """Of all numbers of a table; of a stream, whose rows nobody knows, another one each time it is opened."""
        if not self.repeatable:
            return self.token
        found = hashlib.sha256(repr((self.parts, self.names, str(self.dtype))).encode())
        for block in self.pieces(0):
            for part in (block.X.values, *block[1:]):
                if part is not None:
                    found.update(repr((part.shape, part.dtype.str)).encode() + part.tobytes())
        return found.hexdigest()[:32]

    def __getstate__(self):
        if not self.repeatable:
            raise TypeError(f"{self.shards[0].label} can be read in its own process only: pass a table, or files.")
        return super().__getstate__()
