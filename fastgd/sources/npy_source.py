"""Arrays in .npy files, read where they lie through memory maps."""

import os

import numpy as np

from ..kernels.layouts import Dense, frozen
from .base import OFFSET, PIECE_BYTES, VECTORS, WEIGHT, Block, Shard, Source, X, Y
from .files import digest_of, one_path


class Npy(Source):
    """A row-major float32 or float64 array (n, d) in a file, and vectors (n,) in others."""

    lasting = True

    def __init__(self, X_path, y=None, weight=None, offset=None, names=None):
        self.paths = {X: one_path(X_path, "X")}
        for part, path in zip(VECTORS, (y, weight, offset), strict=True):
            if path is not None:
                self.paths[part] = one_path(path, part)
        self.parts, self.names = tuple(self.paths), names
        self._open = {}
        array = self.array(X)
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"{self.paths[X]} has shape {array.shape}: an array (rows, columns) is needed.")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{self.paths[X]} holds {array.dtype}: numbers are needed.")
        self.columns = array.shape[1]
        self.dtype = np.dtype(np.float32 if array.dtype in (np.float32, np.float16) else np.float64)
        for part in self.parts[1:]:
            rows = len(self.array(part))
            if rows != len(array):
                raise ValueError(f"{self.paths[part]} has {rows} rows, but {self.paths[X]} {len(array)}.")
        self.shards = (Shard(os.path.basename(self.paths[X]), len(array)),)

    def array(self, part):
        """The memory map of a part."""
        if "_open" not in vars(self):
            self._open = {}
        if part not in self._open:
            path = self.paths[part]
            try:
                self._open[part] = np.load(path, mmap_mode="r", allow_pickle=False)
            except (ValueError, OSError, EOFError) as error:
                raise ValueError(f"{path} can not be read as a .npy file: {error}") from None
        return self._open[part]

    def between(self, lo, hi):
        """A view where the type and the order of the numbers are those that kernels read, else converted copies."""
        return Dense(frozen(np.ascontiguousarray(self.array(X)[lo:hi], dtype=self.dtype)))

    def pieces(self, shard, parts=(X, *VECTORS)):
        """Views where the type and the order of the numbers are those that kernels read, else converted copies."""
        arrays = {part: np.asarray(self.array(part)) for part in self.parts if part in parts}
        table = arrays.get(X)
        step = self.n
        if table is not None and not (table.dtype == self.dtype and table.flags.c_contiguous):
            step = max(1, PIECE_BYTES // (self.dtype.itemsize * self.columns))
        for lo in range(0, self.n, step):
            some = slice(lo, lo + step)
            rows = None
            if table is not None:
                rows = Dense(frozen(np.ascontiguousarray(table[some], dtype=self.dtype)))
            yield Block(rows, *(arrays[p][some] if p in arrays else None for p in (Y, WEIGHT, OFFSET)))

    def digest(self):
        """Of the files."""
        return digest_of(self.paths.values(), type(self).__name__, sorted(self.paths))
