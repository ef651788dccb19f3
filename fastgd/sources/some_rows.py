"""Some of the rows of a source, which stay where they lie."""

import numpy as np

from .base import ALL, Block, Shard, Source


class SomeRows(Source):
    """The rows of a source with the numbers ``rows``, in the order of the source; what is read for them is copied."""

    def __init__(self, source, rows):
        self.source, self.rows = source, np.sort(np.asarray(rows, np.int64))
        self.columns, self.names, self.dtype, self.sparse = source.columns, source.names, source.dtype, source.sparse
        self.parts, edges = source.parts, np.searchsorted(self.rows, source.starts)
        counts = np.diff(edges).tolist()
        self.shards = tuple(Shard(one.label, n) for one, n in zip(source.shards, counts, strict=True))
        self.edges = edges.tolist()

    @property
    def stored(self):
        """How many numbers X has: about as many in each row."""
        return -(-self.source.stored * self.n // max(1, self.source.n))

    def pieces(self, shard, parts=ALL):
        """The rows that are wanted of each piece."""
        lo, last = self.edges[shard : shard + 2]
        first = int(self.source.starts[shard])
        if lo == last:
            return
        for block in self.source.pieces(shard, parts):
            hi = lo + int(np.searchsorted(self.rows[lo:last], first + block.rows))
            if lo < hi:
                some = self.rows[lo:hi] - first
                X = None if block.X is None else block.X.take(some)
                yield Block(X, *(None if one is None else one[some] for one in block[1:]))
            lo, first = hi, first + block.rows

    def place(self, row):
        """Where a row lies, as messages name it."""
        return self.source.place(int(self.rows[row]))

    def digest(self):
        """Of the source and the rows."""
        import hashlib

        return hashlib.sha256(self.source.digest().encode() + self.rows.tobytes()).hexdigest()[:32]
