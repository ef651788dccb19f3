"""Arrays in .npy files that are read where they lie, through memory maps: what sources of such files share."""

import numpy as np

from .base import ALL, VECTORS, Block, Source, X, Y
from .files import digest_of, one_path, unchanged

EXACT = 2**53  # whole numbers beyond are not all float64


class Mapped(Source):
    """Some .npy files; ``files`` are those of X by name, ``paths`` all."""

    lasting = mapped = True

    def __init__(self, files, vectors, names):
        self.paths = {name: one_path(path, "X") for name, path in files.items()}
        for part, path in zip(VECTORS, vectors, strict=True):
            if path is not None:
                self.paths[part] = one_path(path, part)
        self.parts = (X, *(part for part in VECTORS if part in self.paths))
        self.names = None if names is None else tuple(names)
        self.kinds = {}
        self.kinds = {name: kind_of(self.array(name)) for name in self.paths}

    def begin(self, rows, columns):
        """Compare the vectors and the names with the rows and the columns of X."""
        self.columns = columns
        if not rows or not columns:
            raise ValueError(f"{self.label} has {rows} rows of {columns} columns: at least one of each is needed.")
        if self.names is not None and len(self.names) != columns:
            raise ValueError(f"names holds {len(self.names)} names, but {self.label} has {columns} columns.")
        for part in self.parts[1:]:
            array, path = self.array(part), self.paths[part]
            fits = array.ndim == 1 or (array.ndim == 2 and part == Y and array.shape[1])
            if not fits:
                raise ValueError(f"{path} has shape {array.shape}: one number a row is needed for {part}.")
            if len(array) != rows:
                raise ValueError(f"{path} has {len(array)} rows, but {self.label} {rows}.")
            if array.dtype.kind not in "biuf" and (part != Y or array.dtype.kind in "cV"):
                raise TypeError(f"{path} holds {array.dtype}: numbers are needed for {part}.")

    def array(self, name):
        """The numbers of a file, a memory map."""
        opened = self.seen
        if name not in opened:
            path = self.paths[name]
            unchanged(opened, path)
            array = array_of(path)
            if kind_of(array) != self.kinds.get(name, kind_of(array)):
                raise ValueError(f"{path} now holds {kind_of(array)}, and {self.kinds[name]} when it was opened.")
            opened[name] = array
        return opened[name]

    def rows(self, lo, hi):
        """The rows lo to hi of X: views where the type and the order of the numbers are those that kernels read, else
        converted copies."""
        raise NotImplementedError

    def between(self, lo, hi, parts=ALL):
        """The rows lo to hi, views where types allow it."""
        vectors = (self.array(part)[lo:hi] if part in self.parts and part in parts else None for part in VECTORS)
        return Block(self.rows(lo, hi) if X in parts else None, *vectors)

    def pieces(self, shard, parts=ALL):
        """Rows in steps of ``step``."""
        self.unchanged()
        step = self.step if X in parts else self.n
        for lo in range(0, self.n, step):
            yield self.between(lo, min(lo + step, self.n), parts)

    def files(self):
        """All."""
        return list(self.paths.values())

    def unchanged(self):
        """Compare the files with what they were."""
        for path in self.paths.values():
            unchanged(self.seen, path)

    def digest(self):
        """Of the files."""
        return digest_of(self.paths.values(), type(self).__name__, sorted(self.paths), self.columns, self.names)


def array_of(path):
    """The memory map of a file."""
    try:
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except (ValueError, OSError, EOFError) as error:
        hint = ": save numbers or fixed-width strings" if "Python objects" in str(error) else ""
        raise ValueError(f"{path} can not be read as a .npy file ({error}){hint}.") from None


def kind_of(array):
    """What must not change in a file."""
    return array.shape, array.dtype.str


def float_of(dtype, path):
    """The type of a file's numbers as kernels read them."""
    if dtype.kind not in "biuf":
        raise TypeError(f"{path} holds {dtype}: numbers are needed.")
    return np.dtype(np.float32 if dtype.name in ("float16", "float32") else np.float64)


def converted(values, dtype, place):
    """Contiguous numbers of a type: a view where they are so, else a copy. ``place(k)`` names the k-th of them."""
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and values.size:
        beyond = (values > EXACT) | (values < -EXACT) if values.dtype.kind == "i" else values > EXACT
        if beyond.any():
            k = int(np.argmax(beyond))
            raise ValueError(
                f"{place(k)}: {values.reshape(-1)[k]} is beyond 2**53, and float64 has no such number: make it a "
                "category, or subtract a constant."
            )
    with np.errstate(all="ignore"):  # infinity is reported later
        return np.ascontiguousarray(values, dtype=dtype)
