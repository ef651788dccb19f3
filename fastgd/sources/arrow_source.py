"""Arrow IPC files, a record batch at a time, and files of streams, which have no index: each is read from its begin."""

import os

from .arrow_table import ArrowTable, pa
from .extras import needed
from .files import paths_of

ipc = needed("pyarrow.ipc", "arrow")

MAGIC = b"ARROW1"  # with which files begin that have an index
END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream, without which one that is cut off behind a batch seems whole


class Arrow(ArrowTable):
    """Record batches of files, in the order of the files' names, read through memory maps."""

    def __init__(self, paths, **options):
        super().__init__(**options)
        self.paths = paths_of(paths)
        for path in self.paths:
            try:
                self.open(path)
            except (pa.ArrowException, OSError) as error:
                raise ValueError(self.unreadable(path, error)) from None
        self.end(self.paths)

    def open(self, path):
        """The shards of a file."""
        with open(path, "rb") as file:
            indexed = file.read(len(MAGIC)) == MAGIC
            file.seek(max(0, os.path.getsize(path) - len(END)))
            ended = file.read() == END
        self.take(self.reader(path, indexed).schema, path)
        # One column is enough to count the rows; where they are compressed one without lists, if there is one.
        reader = self.reader(path, indexed, [list(self.chosen.kinds)[-1]])
        if indexed:
            for i in range(reader.num_record_batches):
                self.add(f"{path}, record batch {i}", reader.get_batch(i).num_rows, (path, i))
        else:
            if not ended:
                raise OSError("the mark of its end is not there")
            self.add(path, sum(batch.num_rows for batch in reader), (path, None))

    def reader(self, path, indexed, names=None):
        """Of all columns, or of some."""
        mapped, how = pa.memory_map(path), ipc.open_file if indexed else ipc.open_stream
        if names is None:
            return how(mapped)
        schema = how(mapped).schema
        mapped.seek(0)
        fields = sorted(schema.get_field_index(name) for name in names)
        return how(mapped, options=ipc.IpcReadOptions(included_fields=fields, use_threads=False))

    def batches(self, shard, names, rows):
        """A compressed batch is decompressed as a whole, without one its numbers stay in the memory map."""
        path, i = self.inside[shard]
        reader = self.reader(path, i is not None, names)
        if i is None:
            yield from reader
        elif i < reader.num_record_batches:  # fewer if the file has changed
            yield reader.get_batch(i)
