"""Some rows of a source that follow each other, as a source."""

import numpy as np

from .base import ALL, VECTORS, Block, Shard, Source
from .rows import slice_of


class RowRange(Source):
    """The rows ``lo`` to ``hi`` of a source; only the shards that they lie in are read."""

    def __init__(self, source, lo, hi):
        self.source, self.lo, self.hi = source, lo, hi
        self.columns, self.names, self.dtype, self.sparse = source.columns, source.names, source.dtype, source.sparse
        self.parts, self.repeatable = source.parts, source.repeatable
        ends = np.clip(source.starts, lo, hi)
        self.numbers = np.flatnonzero(np.diff(ends)).tolist()  # of the shards
        self.shards = tuple(Shard(source.shards[k].label, int(ends[k + 1] - ends[k])) for k in self.numbers)

    @property
    def stored(self):
        """About how many numbers X has."""
        return self.source.stored * self.n // max(1, self.source.n)

    def pieces(self, shard, parts=ALL):
        """Those of the shard, cut."""
        first = int(self.source.starts[self.numbers[shard]])
        for block in self.source.pieces(self.numbers[shard], parts):
            a, b = max(self.lo - first, 0), min(self.hi - first, block.rows)
            first += block.rows
            if a < b:
                cut = {part: getattr(block, part) for part in VECTORS}
                rows = None if block.X is None else slice_of(block.X, a, b)
                yield Block(rows, **{part: None if array is None else array[a:b] for part, array in cut.items()})
            if first >= self.hi:
                return

    def place(self, row):
        """Where a row lies, as messages name it."""
        return self.source.place(self.lo + row)

    def digest(self):
        """Of the source, and which rows."""
        return f"{self.source.digest()} {self.lo} {self.hi}"
