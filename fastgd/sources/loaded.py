"""Shards that come into memory as arrays, from a user's function or a collection: checked and converted."""

import numpy as np

from ..kernels.layouts import CSR, Dense, frozen
from ..kernels.threads import cached_property
from .base import ALL, Block, Shard, Source, X, Y
from .mapped import converted, float_of
from .sparse_checks import disorder


class Loaded(Source):
    """A subclass says ``labels``, of each shard, and ``load(k, parts)``: X, y, row weights and offsets of shard k; what
    is not there is None, what ``parts`` does not name may be.

    ``given_rows`` are the rows of each shard, or None: then the parts ``telling`` are loaded once to count them.
    """

    given_rows, telling = None, ALL

    @cached_property
    def counted(self):
        """The rows and the numbers of X of each shard."""
        blocks = (self.block(k, self.telling) for k in range(len(self.labels)))
        return [(block.rows, block.X.stored if self.sparse else None) for block in blocks]

    @cached_property
    def shards(self):
        """With the rows that they have, or had when they were loaded first."""
        return tuple(map(Shard, self.labels, self.given_rows or [rows for rows, _ in self.counted]))

    def expected(self):
        """Of each shard its label, and its rows where they are known."""
        known = [shard.rows for shard in self.shards] if "shards" in vars(self) else self.given_rows
        return list(zip(self.labels, known or [None] * len(self.labels), strict=True))

    @property
    def stored(self):
        """How many numbers X has."""
        return sum(numbers for _, numbers in self.counted) if self.sparse else self.n * self.columns

    def block(self, k, parts=ALL):
        """All rows of a shard, of some parts."""
        found = {part: value for part, value in zip(ALL, self.load(k, parts), strict=True) if value is not None}
        found = {part: value for part, value in found.items() if part in parts}
        label, named = self.labels[k], tuple(part for part in self.parts if part in parts)
        if tuple(found) != named:
            raise ValueError(f"{label} has {' and '.join(found)}, but {self.labels[0]} {' and '.join(named)}.")
        rows = None
        if X in found:
            found[X] = table = matrix(found[X], label)
            for fact, now in (("columns", table.shape[1]), ("dtype", table.dtype), ("sparse", table.sparse)):
                if now != getattr(self, fact):
                    raise ValueError(f"{label} has {fact} {now} of X, but {self.labels[0]} {getattr(self, fact)}.")
            rows = table.shape[0]
        for part in named[1:] if X in found else named:
            found[part] = vector(part, found[part], rows, label)
            rows = len(found[part])
        return Block(**{X: None} | found)

    def pieces(self, shard, parts=ALL):
        """The shard at once, as it is in memory then."""
        block, (label, rows) = self.block(shard, parts), self.expected()[shard]
        if rows not in (None, block.rows):
            raise ValueError(
                f"{label} has {block.rows} rows, but {rows} were expected: each loading of a shard "
                "must give the same rows."
            )
        if block.rows:
            yield block

    def __repr__(self):
        if "shards" in vars(self) or self.given_rows:
            return super().__repr__()
        return f"{type(self).__name__}({len(self.labels)} shards of {self.columns} columns, {self.dtype})"


def matrix(given, label):
    """The X of a shard as rows that kernels read."""
    if hasattr(given, "tocsr"):
        return sparse(given, label)
    try:
        values = np.asarray(given)
    except ValueError as error:
        raise ValueError(f"{label}: X can't be converted to an array ({error}).") from None
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(f"{label}: X has shape {values.shape}, but must be (rows, columns).")
    columns = values.shape[1]

    def place(k):
        return f"{label}, row {k // columns}, column {k % columns}"

    return Dense(frozen(converted(values, float_of(values.dtype, f"{label}: X"), place)))


def sparse(given, label):
    """A SciPy array, checked; one whose columns don't ascend is sorted, a copy."""
    given = given.tocsr()
    try:
        given.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{label}: X is not a valid CSR array ({error}).") from None
    if not 0 < given.shape[1] < 2**32:
        raise ValueError(f"{label}: X has {given.shape[1]} columns: from 1 to {2**32 - 1} are supported.")
    values = converted(given.data, float_of(given.dtype, f"{label}: X"), lambda k: f"{label}, number {k} of X.data")

    def rows_of(values, indices, starts):
        count = int(starts[-1])
        some = indices[:count].astype(np.uint32), starts.astype(np.uint64)
        return CSR(frozen(values[:count]), *map(frozen, some), given.shape[1])

    rows = rows_of(values, given.indices, given.indptr)
    if disorder(rows) is None:
        return rows
    copy = type(given)((values.copy(), given.indices.copy(), given.indptr.copy()), shape=given.shape)
    copy.has_canonical_format = False
    copy.sum_duplicates()
    return rows_of(copy.data, copy.indices, copy.indptr)


def vector(part, given, rows, label):
    """A part of a shard, as it is stored."""
    array = np.asarray(given)
    if array.ndim != 1 and not (part == Y and array.ndim == 2 and array.shape[1]):
        raise ValueError(f"{label}: {part} has shape {array.shape}, but must have one number a row.")
    if rows not in (None, len(array)):
        raise ValueError(f"{label}: {part} has {len(array)} rows, but {rows} were expected.")
    if array.dtype.kind not in "biuf" and (part != Y or array.dtype.kind in "cV"):
        raise TypeError(f"{label}: {part} holds {array.dtype}, but must hold numbers.")
    return array
