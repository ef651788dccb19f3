"""A source whose rows are in memory, for tests of what is done with sources."""

import numpy as np
import scipy.sparse as sp

from fastgd.kernels.layouts import CSR, Dense, frozen
from fastgd.sources.base import ALL, Block, Shard, Source


class Held(Source):
    """Rows in memory as a source: in shards, whose pieces use the same memory again, or anywhere at the same cost."""

    def __init__(self, X, y, shards=(1700, 1, 0, 800, 499), piece=90, mapped=False, weight=None):
        self.X, self.y, self.w = X, y, weight
        self.columns, self.dtype, self.sparse = X.shape[1], X.dtype, sp.issparse(X)
        self.rows = CSR.of(X) if self.sparse else Dense(frozen(X))
        self.shards = tuple(Shard(f"shard {k}", rows) for k, rows in enumerate(shards))
        self.parts = ("X", "y") if weight is None else ("X", "y", "weight")
        self.piece, self.mapped = piece, mapped

    @property
    def stored(self):
        return self.rows.stored

    def between(self, lo, hi, parts=ALL):
        assert self.mapped
        return Block(self.rows.take(np.arange(lo, hi)), self.y[lo:hi], self.w[lo:hi] if self.w is not None else None)

    def pieces(self, shard, parts=ALL):
        start, stop = map(int, self.starts[shard : shard + 2])
        memory = np.empty((self.piece, self.columns), self.dtype)
        for lo in range(start, stop, self.piece):
            hi = min(lo + self.piece, stop)
            X = self.rows.take(np.arange(lo, hi))
            if not self.sparse:
                memory[: hi - lo] = X.values
                X = Dense(frozen(memory[: hi - lo]))
            yield Block(X, self.y[lo:hi], self.w[lo:hi] if self.w is not None else None)
            memory[:] = np.nan

    def digest(self):
        return "held"
