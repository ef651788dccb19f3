"""A source for tests: arrays as shards of uneven pieces whose memory is used again, as that of decoders is."""

import numpy as np

from fastgd.kernels.layouts import CSR, Dense, frozen
from fastgd.sources.base import ALL, Block, Shard, Source


class Pieces(Source):
    """The rows of arrays in shards of ``sizes`` rows, each in pieces of at most ``step``.

    ``before(shard)`` is called as a shard is read; ``read`` counts the shards that were.
    """

    def __init__(self, X, y=None, weight=None, offset=None, sizes=(), step=7, names=None, before=None, once=False):
        self.arrays = dict(zip(ALL, (X, y, weight, offset), strict=True))
        self.parts = tuple(part for part, one in self.arrays.items() if one is not None)
        self.vectors = {part: one for part, one in self.arrays.items() if part != "X"}
        self.sparse = hasattr(X, "tocsr")
        self.dtype, self.columns, self.names, self.step, self.before = X.dtype, X.shape[1], names, step, before
        sizes = [*sizes, X.shape[0] - sum(sizes)]
        self.shards = tuple(Shard(f"shard {k}", rows) for k, rows in enumerate(sizes))
        self.repeatable, self.read = not once, 0

    @property
    def stored(self):
        return self.arrays["X"].nnz if self.sparse else self.arrays["X"].size

    def pieces(self, shard, parts=ALL):
        self.read += 1
        if self.before is not None:
            self.before(shard)
        first, last = self.starts[shard : shard + 2].tolist()
        buffer = None if self.sparse else np.empty((self.step, self.columns), self.dtype)
        for lo in range(first, last, self.step):
            some = slice(lo, min(lo + self.step, last))
            made = {
                part: None if one is None else np.array(one[some]) for part, one in self.arrays.items() if part != "X"
            }
            if self.sparse:
                rows = CSR.of(self.arrays["X"][some])
            else:
                rows = buffer[: some.stop - lo]
                rows[:] = self.arrays["X"][some]
                rows = Dense(frozen(rows))
            found = {"X": rows, **made}
            yield Block(*(found[part] if part in parts else None for part in ALL))
            if buffer is not None:
                buffer[:] = np.nan
            for one in made.values():
                if one is not None and one.dtype.kind == "f":
                    one[:] = np.nan

    def digest(self):
        return str(id(self))
