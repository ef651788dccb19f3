"""Parquet files, a row group at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..parts.registry import known_options
from .arrow_table import FAULTS, ArrowTable
from .extras import needed
from .files import paths_of, unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import Paths
    from .base import Source

pa = needed("pyarrow", "arrow")
pq = needed("pyarrow.parquet", "arrow")

# Pages are read through a buffer of this size. A million rows of 50 float32 columns in one row group take 11 MB so (116
# where columns have dictionaries: pyarrow keeps one, and a page, of each column) at 1.1 to 1.6 GB/s. Without a buffer
# pyarrow holds the whole row group: 224 MB (357), no faster; read_row_group takes 511 MB (645) at 0.2 to 1.5 GB/s;
# buffers of 1 MB 81 MB (182); of 256 kB 23 MB (124), of 16 kB 10 MB (111) at the same rates.
BUFFER = 1 << 16


@known_options
def parquet(
    paths: Paths,
    target: str | Sequence[str] | None = None,
    features: str | Sequence[str] | None = None,
    *,
    weight: str | None = None,
    offset: str | None = None,
    dtype: Literal["float32", "float64"] | None = None,
) -> Source:
    """Rows in Parquet files, read row group by row group, of which only the needed columns are decoded.

    A row group is read in pieces of about 2 MB, so that one of a million rows takes no more memory than a small one:
    some 20 MB, and 2 MB for each column that is stored with a dictionary, which pyarrow does unless it is told
    ``use_dictionary=False`` (floats take less space without). Needs ``fastgd[arrow]``.

    Parameters
    ----------
    paths : path or list of paths
        Files, folders, or patterns such as ``"flights/*.parquet"``; ``"flights/**/*.parquet"`` finds those in all
        folders below. Rows are in the order of the sorted names. Columns that are only in names of folders, such as
        ``year=2024/``, are not read.
    target : str, list of str or None, default None
        The column of targets y (n,), numbers or labels; a list of names gives several targets (n, m), and so does one
        column of lists of m numbers. None for rows to predict.
    features : str, list of str or None, default None
        The columns of X, in this order: names, and patterns such as ``"f*"``. None for all columns of numbers that
        have no other role, in the order of the first file: text, categories, dates and the index of a pandas frame are
        left out. A column of lists of w numbers (a fixed-size list) is w columns, not copied if it is the only one.
    weight, offset : str or None, default None
        Columns of row weights and offsets, as ``sample_weight`` and ``offset`` of :func:`fastgd.fit`.
    dtype : "float32", "float64" or None, default None
        Of X. None for float32 if columns are float16 or float32, and all others are integers of at most 16 bits or
        booleans; else float64.

    Returns
    -------
    Source
        A shard is a row group.

    Raises
    ------
    FileNotFoundError
        If a path or a pattern names no file.
    ValueError
        If a file is cut off or no Parquet, lacks a column or has other columns than the first one, or if all are empty;
        as rows are read: for a null, or a whole number beyond 2**53 in X. Naming file, row group, row and column.
    TypeError
        If a column holds text, decimals or dates where numbers are needed, or another type than in the first file.
    ImportError
        Without pyarrow.

    Examples
    --------
    >>> import os, tempfile
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> from fastgd.sources import parquet
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "flights.parquet")
    >>> table = pa.table({"distance": [1.5, 2.0, 0.5], "day": [1, 2, 3], "delay": [10.0, 0.0, 5.0]})
    >>> pq.write_table(table, path, row_group_size=2)
    >>> source = parquet(path, target="delay")
    >>> source, source.names
    (Parquet(3 rows of 2 columns, float64), ('distance', 'day'))
    >>> for shard in range(len(source.shards)):
    ...     for X, y, *_ in source.pieces(shard):
    ...         print(X.values.tolist(), y)
    [[1.5, 1.0], [2.0, 2.0]] [10.  0.]
    [[0.5, 3.0]] [5.]
    >>> folder.cleanup()
    """
    return Parquet(paths, target=target, features=features, weight=weight, offset=offset, dtype=dtype)


class Parquet(ArrowTable):
    """Row groups of files, in the order of the files' names."""

    def __init__(self, paths, **options):
        super().__init__(**options)
        self.paths = paths_of(paths)
        for k, path in enumerate(self.paths):
            with self.opened(path) as file:
                self.take(file.schema_arrow, path)
                for i in range(file.num_row_groups):
                    self.add(f"{path}, row group {i}", file.metadata.row_group(i).num_rows, (k, i))
        self.end(self.paths)

    def opened(self, path):
        """The file. Its footer is kept: one of 200 row groups of 50 columns takes 6 ms, as half of a row group does."""
        unchanged(self.seen, path)
        try:
            known, metadata = self.seen.get("footer", (None, None))
            metadata = metadata if known == path else None
            file = pq.ParquetFile(path, metadata=metadata, pre_buffer=False, buffer_size=BUFFER)
            self.seen["footer"] = path, file.metadata
            return file
        except FAULTS as error:
            raise ValueError(self.unreadable(path, error)) from None

    def batches(self, shard, names, rows):
        """By one thread, beside which kernels compute. With more order and memory are the same, the rate was 0.8 of it.

        That was on two cores, one of them busy: a cluster has a worker for each.
        """
        k, group = self.inside[shard]
        try:
            with self.opened(self.paths[k]) as file:
                yield from file.iter_batches(rows, row_groups=[group], columns=names, use_threads=False)
        finally:  # pyarrow keeps what is free for later: 88 MB after six row groups of 131,072 rows, open at once
            pa.default_memory_pool().release_unused()
