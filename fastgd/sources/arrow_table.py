"""What all sources of Arrow tables do: record batches as pieces, and faults with their place."""

import numpy as np

from .arrow_columns import Columns, listed
from .base import ALL, Shard, Source, X
from .extras import needed
from .files import digest_of

pa = needed("pyarrow", "arrow")

FAULTS = (pa.ArrowException, OSError, UnicodeDecodeError)  # of a file; the last one of names in a damaged one


class ArrowTable(Source):
    """A source whose shards are record batches of one schema.

    A subclass calls ``take`` for each file and ``add`` for each of its shards, then ``end``; ``batches`` reads.
    """

    def __init__(self, target, features, weight, offset, dtype):
        features = None if features is None else listed("features", features)  # iterators are read once
        target = target if isinstance(target, str | None) else listed("target", target)
        self.options = {"target": target, "features": features, "weight": weight, "offset": offset, "dtype": dtype}
        self.chosen, self.shards, self.inside = None, [], []

    def take(self, schema, where):
        """The schema of a file."""
        try:
            other = Columns(schema, where, **self.options)
        except UnicodeDecodeError as error:
            raise ValueError(self.unreadable(where, error)) from None
        if self.chosen is None:
            self.chosen = other
        else:
            self.chosen.check_same(other)

    def add(self, label, rows, inside=None):
        """A shard, with what ``batches`` needs to find it."""
        self.shards.append(Shard(label, rows))
        self.inside.append(inside)

    def end(self, names):
        """When all files are known, by their names."""
        self.shards, chosen = tuple(self.shards), self.chosen
        self.columns, self.names, self.dtype = chosen.count, chosen.names, chosen.dtype
        self.parts = chosen.parts
        if self.repeatable and self.n == 0:
            others = f" and {len(names) - 1} more files" if len(names) > 1 else ""
            raise ValueError(f"There are no rows in {names[0]}{others}.")

    def batches(self, shard, names, rows):
        """The record batches of a shard, with the columns of some names; of about ``rows`` where it can choose."""
        raise NotImplementedError

    def pieces(self, shard, parts=ALL):
        """A piece is a record batch, or a part of one."""
        names, (label, known) = list(dict.fromkeys(self.chosen.of(parts))), self.shards[shard]
        if not names:
            return
        rows, first, buffer = self.chosen.rows(parts), 0, None
        if X in parts and not self.chosen.as_it_is:
            buffer = np.empty((rows, self.columns), self.dtype)
        batches, labels = self.batches(shard, names, rows), self.chosen.labels(parts)
        while True:
            try:
                batch = next(batches, None)
                if batch is not None:  # buffers and offsets of a damaged file may point anywhere
                    batch.validate()
                    for name in labels:
                        batch.column(name).validate(full=True)
            except pa.ArrowMemoryError as error:
                raise MemoryError(f"{label} can not be read: {said(error)}.") from None
            except FAULTS as error:
                raise ValueError(self.unreadable(label, error)) from None
            if batch is None:
                break
            if first == 0 and not self.chosen.fit(batch.schema, names):
                raise ValueError(f"{label} had other columns when it was opened: open the source again.")
            for lo in range(0, batch.num_rows, rows):
                some = batch if batch.num_rows <= rows else batch.slice(lo, rows)
                if self.repeatable and first + some.num_rows > known:
                    raise ValueError(f"{label} had {known} rows when it was opened, and has more now: open it again.")
                yield self.chosen.block(some, parts, label, first, buffer)
                first += some.num_rows
        if self.repeatable and first < known:
            raise ValueError(f"{label} had {known} rows when it was opened, and has {first} now: open it again.")

    def unreadable(self, where, error):
        """The message for what the reader says of a file."""
        return f"{where} can not be read ({said(error)}): it is cut off, damaged or of another format; write it again."

    def files(self):
        """All."""
        return self.paths

    def digest(self):
        """Of the files and the columns."""
        chosen = {name: str(kind) for name, kind in self.chosen.kinds.items()}
        roles = {name: value for name, value in self.options.items() if name not in ("features", "dtype")}
        return digest_of(self.paths, type(self).__name__, chosen, roles, str(self.dtype))


def said(error):
    """The first line of an error."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
