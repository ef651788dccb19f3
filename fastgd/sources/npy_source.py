"""Arrays in .npy files, read where they lie through memory maps."""

import os

from ..kernels.layouts import Dense, frozen
from .base import PIECE_BYTES, VECTORS, Block, Shard, X
from .mapped import Mapped, converted, float_of


class Npy(Mapped):
    """An array (n, d) in a file, and vectors (n,) in others."""

    def __init__(self, X_path, y=None, weight=None, offset=None, names=None):
        super().__init__({X: X_path}, (y, weight, offset), names)
        array, self.label = self.array(X), self.paths[X]
        if array.ndim != 2:
            raise ValueError(f"{self.label} has shape {array.shape}: an array (rows, columns) is needed.")
        self.dtype = float_of(array.dtype, self.label)
        self.begin(*array.shape)
        self.shards = (Shard(os.path.basename(self.label), len(array)),)

    def between(self, lo, hi):
        """A view where the type and the order of the numbers are those that kernels read, else a converted copy."""

        def place(k):
            return f"{self.label}, row {lo + k // self.columns}, column {k % self.columns}"

        return Dense(frozen(converted(self.array(X)[lo:hi], self.dtype, place)))

    def pieces(self, shard, parts=(X, *VECTORS)):
        """Views, all rows at once, or converted copies."""
        table, step = self.array(X), self.n
        if X in parts and not (table.dtype == self.dtype and table.flags.c_contiguous):
            step = max(1, PIECE_BYTES // (self.dtype.itemsize * self.columns))
        for lo in range(0, self.n, step):
            hi = min(lo + step, self.n)
            yield Block(self.between(lo, hi) if X in parts else None, *self.vectors(lo, hi, parts))
