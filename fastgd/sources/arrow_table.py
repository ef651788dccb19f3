"""What all sources of Arrow tables do: record batches as pieces, and faults with their place."""

import numpy as np

from .arrow_columns import Columns
from .base import ALL, Source, X
from .extras import needed
from .files import digest_of

pa = needed("pyarrow", "arrow")


class ArrowTable(Source):
    """A source whose shards are record batches of one schema.

    A subclass calls ``take`` with the schema and the shards of each file, then ``check``; ``batches`` reads.
    """

    def __init__(self, target, features, weight, offset, dtype):
        self.options = {"target": target, "features": features, "weight": weight, "offset": offset, "dtype": dtype}
        self.chosen, self.shards, self.inside = None, [], []

    def take(self, schema, where, shards):
        """A file's schema, and its shards with what ``batches`` needs to find them."""
        other = Columns(schema, where, **self.options)
        if self.chosen is None:
            self.chosen = other
        else:
            self.chosen.check_same(other)
        for shard, inside in shards:
            self.shards.append(shard)
            self.inside.append(inside)

    def check(self, paths):
        """When all files are known."""
        self.shards, chosen = tuple(self.shards), self.chosen
        self.columns, self.names, self.dtype = chosen.count, chosen.names, chosen.dtype
        self.parts, self.lasting = chosen.parts, chosen.as_it_is
        if self.repeatable and self.n == 0:
            which = (
                f"None of the {len(paths)} files, {paths[0]} and on, has" if len(paths) > 1 else f"{paths[0]} has no"
            )
            raise ValueError(f"{which} rows.")

    def batches(self, shard, names, rows):
        """The record batches of a shard, with the columns of some names; of about ``rows`` where it can choose."""
        raise NotImplementedError

    def pieces(self, shard, parts=ALL):
        """A piece is a record batch, or a part of one."""
        names, label, first = list(dict.fromkeys(self.chosen.of(parts))), self.shards[shard].label, 0
        if not names:
            return
        rows = self.chosen.rows(parts)
        buffer = None
        if X in parts and not self.lasting:
            buffer = np.empty((rows, self.columns), self.dtype)
        batches = self.batches(shard, names, rows)
        while True:
            try:
                batch = next(batches, None)
            except pa.ArrowMemoryError:
                raise
            except (pa.ArrowException, OSError) as error:
                raise ValueError(self.unreadable(label, error)) from None
            if batch is None:
                break
            for lo in range(0, batch.num_rows, rows):
                some = batch if batch.num_rows <= rows else batch.slice(lo, rows)
                yield self.chosen.block(some, parts, label, first, buffer)
                first += some.num_rows
        if self.repeatable and first != self.shards[shard].rows:
            counts = f"{self.shards[shard].rows} rows when it was opened, and has {first} now"
            raise ValueError(f"{label} had {counts}: open the source again.")

    def unreadable(self, where, error):
        """The message for what the reader says of a file."""
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        return f"{where} can not be read ({said}): it is cut off, damaged or of another format; write it again."

    def digest(self):
        """Of the files and the columns."""
        chosen = {name: str(kind) for name, kind in self.chosen.kinds.items()}
        roles = {name: value for name, value in self.options.items() if name not in ("features", "dtype")}
        return digest_of(self.paths, type(self).__name__, chosen, roles, str(self.dtype))
