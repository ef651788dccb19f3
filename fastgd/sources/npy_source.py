"""Arrays in .npy files, read where they lie through memory maps."""

import os

from ..kernels.layouts import Dense, frozen
from .base import PIECE_BYTES, Shard, X
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

    @property
    def step(self):
        """How many rows make a piece: all that can be views."""
        table = self.array(X)
        view = table.dtype == self.dtype and table.flags.c_contiguous
        return self.n if view else max(1, PIECE_BYTES // (self.dtype.itemsize * self.columns))

    def rows(self, lo, hi):
        """The rows lo to hi of X."""

        def place(k):
            return f"{self.label}, row {lo + k // self.columns}, column {k % self.columns}"

        return Dense(frozen(converted(self.array(X)[lo:hi], self.dtype, place)))
