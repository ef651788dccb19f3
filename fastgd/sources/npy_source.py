"""Arrays in .npy files, read where they lie through memory maps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..kernels.layouts import Dense, frozen
from ..parts.registry import known_options
from .base import PIECE_BYTES, Shard, X
from .mapped import Mapped, converted, float_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import Path
    from .base import Source


@known_options
def npy(
    X: Path,
    y: Path | None = None,
    *,
    weight: Path | None = None,
    offset: Path | None = None,
    names: Sequence[str] | None = None,
) -> Source:
    """Rows in .npy files, read through memory maps, block by block.

    Parameters
    ----------
    X : path
        An array (n, d). Row-major float32 or float64 is read where it lies; other numbers are converted as they are
        read, float16 to float32 and all others to float64.
    y : path or None, default None
        Targets (n,) or (n, m); None for rows to predict.
    weight, offset : path or None, default None
        Row weights and offsets (n,), as ``sample_weight`` and ``offset`` of :func:`fastgd.fit`.
    names : sequence of str or None, default None
        The names of the columns.

    Returns
    -------
    Source

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        Naming the file and its fault: no array of numbers (n, d), other numbers of rows, a file that is cut off; when
        rows are read also whole numbers beyond 2**53, which float64 does not hold.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from fastgd import sources
    >>> folder = tempfile.mkdtemp()
    >>> np.save(f"{folder}/X.npy", np.arange(6.0).reshape(3, 2))
    >>> np.save(f"{folder}/y.npy", np.array(["no", "yes", "no"]))
    >>> sources.npy(f"{folder}/X.npy", f"{folder}/y.npy")
    Npy(3 rows of 2 columns, float64)
    """
    return Npy(X, y, weight, offset, names)


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
