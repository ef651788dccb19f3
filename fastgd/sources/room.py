"""Room for one number a row: in memory, or in a file that is gone with the process where rows are many."""

import tempfile

import numpy as np

LARGEST = 1 << 25  # bytes that lie in memory


def room(shape, dtype):
    """An array whose pages the system may write to the disk, where it is large."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= LARGEST:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="fastgd") as file:
        return np.asarray(np.memmap(file, dtype, "w+", shape=tuple(shape)))
