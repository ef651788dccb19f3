"""Arrow IPC files, a record batch at a time, and files of streams, which have no index: each is read from its begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..parts.registry import known_options
from .arrow_table import FAULTS, ArrowTable, pa
from .extras import needed
from .files import paths_of, unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import Paths
    from .base import Source

ipc = needed("pyarrow.ipc", "arrow")

MAGIC = b"ARROW1"  # with which files begin that have an index
END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream, without which one that is cut off behind a batch seems whole


@known_options
def arrow(
    paths: Paths,
    target: str | Sequence[str] | None = None,
    features: str | Sequence[str] | None = None,
    *,
    weight: str | None = None,
    offset: str | None = None,
    dtype: Literal["float32", "float64"] | None = None,
) -> Source:
    """Rows in Arrow IPC files (Feather, ``.arrow``), read through memory maps, record batch by record batch.

    Numbers that are stored without compression are read where they lie; of compressed files a whole record batch is
    decompressed at a time. Files of streams (``.arrows``) are read too, each as one shard. Needs ``fastgd[arrow]``.

    Parameters
    ----------
    paths : path or list of paths
        Files, folders or patterns, as of :func:`parquet`.
    target, features, weight, offset, dtype
        As of :func:`parquet`.

    Returns
    -------
    Source
        A shard is a record batch.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError, ImportError
        As :func:`parquet`; messages name the record batch.

    Examples
    --------
    >>> import os, tempfile
    >>> import pyarrow as pa
    >>> from fastgd.sources import arrow
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "flights.arrow")
    >>> table = pa.table({"distance": [1.5, 2.0, 0.5], "late": ["no", "no", "yes"]})
    >>> with pa.ipc.new_file(path, table.schema) as file:
    ...     file.write_table(table, max_chunksize=2)
    >>> source = arrow(path, target="late")
    >>> source
    Arrow(3 rows of 1 columns, float64)
    >>> [block.y.tolist() for shard in range(2) for block in source.pieces(shard)]
    [['no', 'no'], ['yes']]
    >>> folder.cleanup()
    """
    return Arrow(paths, target=target, features=features, weight=weight, offset=offset, dtype=dtype)


class Arrow(ArrowTable):
    """Record batches of files, in the order of the files' names, read through memory maps."""

    def __init__(self, paths, **options):
        super().__init__(**options)
        self.paths = paths_of(paths)
        for path in self.paths:
            unchanged(self.seen, path)
            try:
                self.open(path)
            except FAULTS as error:
                raise ValueError(self.unreadable(path, error)) from None
        self.end(self.paths)

    def open(self, path):
        """The shards of a file. One column is enough to count the rows, the last one chosen: X may have lists."""
        whole = pa.memory_map(path).read_buffer()
        indexed = whole.slice(0, len(MAGIC)).to_pybytes() == MAGIC
        every = ipc.open_file(whole) if indexed else ipc.open_stream(whole)
        self.take(every.schema, path)
        some = [list(self.chosen.kinds)[-1]]
        if not indexed:
            if whole.slice(max(0, whole.size - len(END))).to_pybytes() != END:
                raise OSError("the mark of its end is not there")
            self.add(path, sum(batch.num_rows for batch in opened(path, False, some)), (path, None, True))
            return
        by_column = every.num_record_batches > 0 and not lies_in(every.get_batch(0), whole)
        reader = opened(path, True, some if by_column else None)
        for i in range(reader.num_record_batches):
            self.add(f"{path}, record batch {i}", reader.get_batch(i).num_rows, (path, i, by_column))

    def batches(self, shard, names, rows):
        """As they lie in the memory map; a compressed batch as a whole."""
        path, i, by_column = self.inside[shard]
        unchanged(self.seen, path)
        reader = opened(path, i is not None, names if by_column else None)
        if i is None:
            yield from reader
        elif i < reader.num_record_batches:  # fewer if the file has changed
            yield reader.get_batch(i)


def opened(path, indexed, names):
    """A reader of some columns, or of all.

    pyarrow reads columns that are named for it into memory, 13 MB of a batch of 65,536 rows of 50: only compressed
    batches, of which it decompresses all columns otherwise, and streams, of which it does not, are opened so.
    """
    whole, how = pa.memory_map(path).read_buffer(), ipc.open_file if indexed else ipc.open_stream
    if names is None:
        return how(whole)
    fields = sorted(how(whole).schema.get_field_index(name) for name in names)
    return how(whole, options=ipc.IpcReadOptions(included_fields=fields, use_threads=False))


def lies_in(batch, whole):
    """Whether the numbers of a batch are where a file lies, not decompressed elsewhere."""
    held = [buffer for column in batch.columns for buffer in column.buffers() if buffer is not None and buffer.size]
    return all(0 <= buffer.address - whole.address < whole.size for buffer in held)
