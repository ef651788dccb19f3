"""How rows lie in memory: every number of them, or those that are not zero.

``inputs/arrays.py`` makes one of the two of what the user passes. Here are their methods outside of kernels; those that
kernels call are in ``kernels/rows.py``.
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
    in_memory = True

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

    def flat(self):
        """As of sparse rows, but None for indices and starts: what a kernel for both does with them is not compiled."""
        return self.values.reshape(-1), None, None

    def room(self, dtype):
        """Room for a number of each row."""
        return np.empty(self.shape[0], dtype)

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
    in_memory = True

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

    def flat(self):
        """Values, indices and starts."""
        return self.values, self.indices, self.starts

    def room(self, dtype):
        """Room for a number of each row."""
        return np.empty(self.shape[0], dtype)

    def take(self, rows):
        """Some of the rows, by number or flag; a copy."""
        rows = np.asarray(rows)
        return CSR.of(self.given()[np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)])

    def astype(self, dtype):
        """The same numbers as ``dtype``, not copied where they are so."""
        return self._replace(values=frozen(self.values.astype(dtype, copy=False)))

    def blocks(self):
        """Pairs of row numbers between which there are about ``BLOCK`` numbers."""
        n = len(self.starts) - 1
        if self.stored <= BLOCK:
            return [(0, n)]
        edges = np.searchsorted(self.starts, np.arange(BLOCK, self.stored, BLOCK, dtype=np.uint64))
        edges = np.unique(np.concatenate([[0], np.minimum(edges, n), [n]]))
        return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def scores(self, coef):
        """``rows @ coef.T`` in float64, (n,) or (n, m), without a float64 copy of all numbers."""
        scores = np.empty((self.shape[0], *coef.shape[:-1]))
        for first, last in self.blocks():
            starts = self.starts[first : last + 1]
            some = slice(int(starts[0]), int(starts[-1]))
            values = self.values[some].astype(np.float64, copy=False)
            rows = CSR(values, self.indices[some], starts - starts[0], self.columns)
            scores[first:last] = rows.given() @ coef.T
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
        return self.given().toarray().astype(np.float64, copy=False)

    def given(self):
        """The rows as they are shown to a user's function: a SciPy array, which shares their memory, read-only."""
        from scipy.sparse import csr_array

        # SciPy wants both of one type. Numbers below 2**31 have the same bits with a sign: a view, no copy.
        narrow = max(self.columns, self.stored) < 2**31
        indices = self.indices.view(np.int32) if narrow else self.indices.astype(np.int64)
        rows = csr_array((self.values, indices, self.starts.astype(indices.dtype)), shape=self.shape)
        rows.has_canonical_format = True
        return rows

    @classmethod
    def of(cls, X):
        """The rows of a SciPy ``csr_array`` that is known to be in canonical form: nothing is checked or copied."""
        indices = X.indices.view(np.uint32) if X.indices.dtype == np.int32 else X.indices.astype(np.uint32)
        return cls(frozen(X.data), frozen(indices), frozen(X.indptr.astype(np.uint64)), X.shape[1])
