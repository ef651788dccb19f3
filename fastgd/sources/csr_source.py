"""Sparse rows in three .npy files, read where they lie through memory maps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..kernels.layouts import CSR, frozen
from ..kernels.threads import cached_property
from ..parts.registry import known_options
from .base import PIECE_BYTES, VECTORS, Shard
from .mapped import Mapped, array_of, converted, float_of
from .sparse_checks import disorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import Path
    from .base import Source

MOST_COLUMNS = 2**32 - 1
FILES = ("data", "indices", "indptr")


@known_options
def csr(
    folder: Path,
    y: Path | None = None,
    *,
    weight: Path | None = None,
    offset: Path | None = None,
    n_features: int | None = None,
    names: Sequence[str] | None = None,
) -> Source:
    """Sparse rows whose arrays lie in .npy files, read through memory maps, block by block.

    Parameters
    ----------
    folder : path
        With ``data.npy``, ``indices.npy`` and ``indptr.npy``: what ``np.save`` writes of those attributes of a SciPy
        CSR array. float32 and float64 numbers with indices of 4 bytes are read where they lie; others are converted
        as they are read. The columns of each row must ascend.
    y, weight, offset : path or None, default None
        Targets (n,) or (n, m), row weights and offsets (n,). None is the file ``y.npy``, ``weight.npy`` or
        ``offset.npy`` of the folder, if there is one.
    n_features : int or None, default None
        The number of columns. None is what ``shape.npy`` of the folder says (``np.save`` of ``X.shape``) or else the
        largest index and one, which is found by reading all.
    names : sequence of str or None, default None
        The names of the columns.

    Returns
    -------
    Source

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        Naming the file and its fault; when rows are first read also the row whose columns do not ascend or are not
        below ``n_features``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastgd import sources
    >>> X, folder = csr_array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]), tempfile.mkdtemp()
    >>> for name in ("data", "indices", "indptr"):
    ...     np.save(f"{folder}/{name}.npy", getattr(X, name))
    >>> sources.csr(folder)
    Csr(2 rows of 3 columns, float64)
    """
    return Csr(folder, y, weight, offset, n_features, names)


class Csr(Mapped):
    """The arrays of a SciPy CSR array in a folder, and vectors (n,) beside them or elsewhere.

    Rows are checked when they are first read by a process, in runs of about ``PIECE_BYTES``.
    """

    sparse = True

    def __init__(self, folder, y=None, weight=None, offset=None, n_features=None, names=None):
        self.label = os.fspath(folder)
        inside = {name: os.path.join(self.label, f"{name}.npy") for name in (*FILES, *VECTORS, "shape")}
        missing = [f"{name}.npy" for name in FILES if not os.path.isfile(inside[name])]
        if missing:
            raise FileNotFoundError(
                f"folder={self.label!r} has no {', '.join(missing)}: save X.data, X.indices and X.indptr of a SciPy "
                "CSR array there."
            )
        given = (
            inside[part] if path is None and os.path.isfile(inside[part]) else path
            for part, path in zip(VECTORS, (y, weight, offset), strict=True)
        )
        super().__init__({name: inside[name] for name in FILES}, given, names)
        data, indices, starts = map(self.array, FILES)
        self.dtype = float_of(data.dtype, self.paths["data"])
        for name, array in zip(FILES, (data, indices, starts), strict=True):
            whole = name == "data" or array.dtype.kind in "iu"
            if array.ndim != 1 or not whole:
                raise TypeError(
                    f"{self.paths[name]} holds {array.dtype} of shape {array.shape}: "
                    f"{'numbers' if name == 'data' else 'whole numbers'} (n,) are needed."
                )
        if len(starts) < 2:
            raise ValueError(f"{self.paths['indptr']} has {len(starts)} entries: one more than rows is needed.")
        if starts[0] != 0 or not 0 <= starts[-1] <= min(len(indices), len(data)):
            raise ValueError(
                f"{self.label}: indptr.npy goes from {starts[0]} to {starts[-1]}, indices.npy has {len(indices)} and "
                f"data.npy {len(data)} numbers: it must go from 0 to the number of both."
            )
        rows = len(starts) - 1
        self.begin(rows, self._columns(inside["shape"], rows, indices, n_features))
        self.shards = (Shard(os.path.basename(self.label.rstrip("/")), rows),)

    def _columns(self, path, rows, indices, n_features):
        if n_features is None and os.path.isfile(path):
            shape = array_of(path).tolist()
            if not (isinstance(shape, list) and len(shape) == 2 and shape[0] == rows):
                raise ValueError(f"{path} holds {shape}, but {self.label} has {rows} rows: it must be (rows, columns).")
            n_features = shape[1]
        if n_features is None:
            step = PIECE_BYTES // indices.dtype.itemsize
            last = (int(indices[lo : min(lo + step, self.stored)].max()) for lo in range(0, self.stored, step))
            n_features = 1 + max(last, default=-1)
        if isinstance(n_features, bool) or not isinstance(n_features, (int, np.integer)):
            raise TypeError(f"n_features={n_features!r} must be a whole number: how many columns there are.")
        if not 0 < n_features <= MOST_COLUMNS:
            raise ValueError(f"n_features={n_features} of {self.label} must be from 1 to {MOST_COLUMNS}.")
        return int(n_features)

    @property
    def stored(self):
        """How many numbers X has."""
        return int(self.array("indptr")[-1])

    @cached_property
    def step(self):
        """How many rows are checked together, and make a piece."""
        each = self.stored * (self.dtype.itemsize + 4) // self.n + 8
        return max(1, PIECE_BYTES // each)

    def rows(self, lo, hi):
        """The rows lo to hi of X, checked."""
        checked = self.seen.setdefault("checked", np.zeros(-(-self.n // self.step), bool))
        first, last = lo // self.step, -(-hi // self.step)
        for k in first + np.flatnonzero(~checked[first:last]):
            self._check(int(k) * self.step, min(int(k + 1) * self.step, self.n))
            checked[k] = True
        return self._rows(lo, hi)

    def _rows(self, lo, hi):
        data, indices, starts = map(self.array, FILES)
        starts = starts[lo : hi + 1].astype(np.uint64)
        first, last = int(starts[0]), int(starts[-1])
        starts -= starts[0]
        indices = indices[first:last]
        narrow = indices.dtype.itemsize == 4 and indices.dtype.isnative
        indices = indices.view(np.uint32) if narrow else indices.astype(np.uint32)

        def place(k):
            return f"{self.paths['data']}, row {lo + int(np.searchsorted(starts, k, 'right')) - 1}"

        return CSR(
            frozen(converted(data[first:last], self.dtype, place)), frozen(indices), frozen(starts), self.columns
        )

    def _check(self, lo, hi):
        indices, starts = self.array("indices"), self.array("indptr")[lo : hi + 1]
        bad = (starts[1:] < starts[:-1]) | (starts[1:] > self.stored)
        if bad.any():
            k = int(np.argmax(bad))
            raise ValueError(
                f"{self.paths['indptr']}, row {lo + k}: its numbers go from {starts[k]} to {starts[k + 1]} of "
                f"{self.stored}."
            )
        # A number of 8 bytes may look right in its last 4.
        some = indices[int(starts[0]) : int(starts[-1])]
        if some.dtype.itemsize != 4 or not some.dtype.isnative:
            bad = (some < 0) | (some >= self.columns)
            if bad.any():
                k = int(np.argmax(bad))
                row = lo + int(np.searchsorted(starts, int(starts[0]) + k, "right")) - 1
                self._fault(row, f"column {some[k]} is not below the number of columns, {self.columns}")
        found = disorder(self._rows(lo, hi))
        if found is not None:
            self._fault(lo + found[0], found[1])

    def _fault(self, row, words):
        raise ValueError(
            f"{self.paths['indices']}, row {row}: {words}. The columns of a row must ascend and be below n_features: "
            "X.sum_duplicates() of SciPy puts them in order."
        )
