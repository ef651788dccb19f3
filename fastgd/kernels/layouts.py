"""How rows lie in memory: every number of them, or those that are not zero.

The door (``checks.py``) makes one of the two of what the user passes. Here is what both answer in NumPy; kernels ask
theirs in ``kernels/rows.py``.
"""

from typing import NamedTuple

import numpy as np

BLOCK = 1 << 22  # numbers of a temporary, where all would be a second copy of the data


def frozen(array):
    """A read-only view: kernels then see one type whether or not the user's array is writable."""
    view = array.view()
    view.flags.writeable = False
    return view


class Dense(NamedTuple):
    """Rows of a C-contiguous array ``values`` (n, d), float32 or float64."""

    values: np.ndarray
    sparse = False

    def at(self, i, j):
        return self.values[i, j]

    @property
    def shape(self):
        return self.values.shape

    @property
    def dtype(self):
        return self.values.dtype

    @property
    def stored(self):
        """How many numbers there are."""
        return self.values.size

    def take(self, rows):
        """Some of the rows, by number or flag; a copy."""
        return Dense(frozen(np.ascontiguousarray(self.values[rows])))

    def astype(self, dtype):
        """The same numbers as ``dtype``, not copied where they are so."""
        return Dense(frozen(self.values.astype(dtype, copy=False)))

    def scores(self, coef):
        """``rows @ coef.T`` in float64, (n,) or (n, m), without a float64 copy of the rows."""
        n, d = self.values.shape
        scores = np.empty((n, *coef.shape[:-1]))
        step = max(1, BLOCK // d)
        for start in range(0, n, step):
            scores[start : start + step] = self.values[start : start + step] @ coef.T
        return scores

    def non_finite(self):
        """The row and the column of the first number that is NaN or infinite, or None."""
        step = max(1, BLOCK // self.values.shape[1])
        for start in range(0, len(self.values), step):
            bad = ~np.isfinite(self.values[start : start + step])
            if bad.any():
                row, column = np.argwhere(bad)[0]
                return start + int(row), int(column)
        return None

    def array(self):
        """The rows as a float64 array (n, d)."""
        return self.values.astype(np.float64)

    def given(self):
        """The rows as they are shown to a user's function."""
        return self.values


class CSR(NamedTuple):
    """Compressed sparse rows: of row i the numbers ``values[k]`` in columns ``indices[k]``, k from starts[i] on.

    The columns of a row ascend and are all below ``columns``: kernels don't check. Unsigned, as a signed index costs a
    test for wrapping around: 1.75 to 2.5 ns a number, not 0.63 to 1.06.
    """

    values: np.ndarray  # (nnz,) float32 or float64
    indices: np.ndarray  # (nnz,) uint32
    starts: np.ndarray  # (n + 1,) uint64
    columns: int
    sparse = True

    @property
    def shape(self):
        return len(self.starts) - 1, self.columns

    @property
    def dtype(self):
        return self.values.dtype

    @property
    def stored(self):
        """How many numbers there are."""
        return self.values.size

    def take(self, rows):
        """Some of the rows, by number or flag; a copy."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        begin, counts = self.starts[rows].astype(np.int64), np.diff(self.starts).astype(np.int64)[rows]
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(counts, out=starts[1:])
        places = np.repeat(begin - starts[:-1], counts) + np.arange(starts[-1])
        return self._replace(
            values=frozen(self.values[places]),
            indices=frozen(self.indices[places]),
            starts=frozen(starts.view(np.uint64)),
        )

    def astype(self, dtype):
        """The same numbers as ``dtype``, not copied where they are so."""
        return self._replace(values=frozen(self.values.astype(dtype, copy=False)))

    def blocks(self):
        """Pairs of row numbers between which there are about ``BLOCK`` numbers."""
        n = len(self.starts) - 1
        edges = np.searchsorted(self.starts, np.arange(BLOCK, self.stored, BLOCK, dtype=np.uint64))
        edges = np.unique(np.concatenate([[0], np.minimum(edges, n), [n]]))
        return zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)

    def scores(self, coef):
        """``rows @ coef.T`` in float64, (n,) or (n, m)."""
        by_column = np.ascontiguousarray(coef.T)
        scores = np.zeros((self.shape[0], *coef.shape[:-1]))
        for first, last in self.blocks():
            starts = self.starts[first : last + 1].astype(np.int64)
            some = slice(starts[0], starts[-1])
            filled = np.flatnonzero(np.diff(starts))  # reduceat would give an empty row the next one's number
            if filled.size:
                values = self.values[some].reshape(-1, *[1] * (coef.ndim - 1))
                products = by_column[self.indices[some]] * values
                scores[first + filled] = np.add.reduceat(products, starts[filled] - starts[0], axis=0)
        return scores

    def non_finite(self):
        """The row and the column of the first number that is NaN or infinite, or None."""
        for start in range(0, self.stored, BLOCK):
            bad = ~np.isfinite(self.values[start : start + BLOCK])
            if bad.any():
                place = start + int(np.argmax(bad))
                return int(np.searchsorted(self.starts, np.uint64(place), "right")) - 1, int(self.indices[place])
        return None

    def array(self):
        """The rows as a float64 array (n, d)."""
        array = np.zeros(self.shape)
        array[np.repeat(np.arange(len(array)), np.diff(self.starts).astype(np.int64)), self.indices] = self.values
        return array

    def given(self):
        """The rows as they are shown to a user's function: a SciPy array."""
        from scipy.sparse import csr_array

        return csr_array((self.values, self.indices.astype(np.int64), self.starts.astype(np.int64)), shape=self.shape)
