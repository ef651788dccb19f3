"""Parquet files, a row group at a time."""

import os

from .arrow_table import FAULTS, ArrowTable
from .extras import needed
from .files import paths_of

pa = needed("pyarrow", "arrow")
pq = needed("pyarrow.parquet", "arrow")

# Pages are read through a buffer of this size. A million rows of 50 float32 columns in one row group take 11 MB so (116
# where columns have dictionaries: pyarrow keeps one, and a page, of each column) at 1.1 to 1.6 GB/s. Without a buffer
# pyarrow holds the whole row group: 224 MB (357), no faster; read_row_group takes 511 MB (645) at 0.2 to 1.5 GB/s;
# buffers of 1 MB 81 MB (182); of 256 kB 23 MB (124), of 16 kB 10 MB (111) at the same rates.
BUFFER = 1 << 16


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
        try:
            found = os.stat(path)
            footer = (path, found.st_size, found.st_mtime_ns)
            known, metadata = vars(self).get("_open", (None, None))
            metadata = metadata if known == footer else None
            file = pq.ParquetFile(path, metadata=metadata, pre_buffer=False, buffer_size=BUFFER)
            self._open = footer, file.metadata
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
