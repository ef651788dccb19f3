"""The rows of a source as solvers ask for them: in blocks of a given number of rows, or some rows by number."""

import numpy as np

from ..kernels.layouts import CSR, Dense, frozen
from .ahead import ahead
from .base import X
from .foreseen import Foreseen
from .room import room

BLOCK_BYTES = 1 << 24  # of the numbers of a block where nothing else decides


class SourceRows:
    """The X of a source, with the questions that :class:`Dense` and :class:`CSR` answer; no row stays in memory."""

    in_memory = False
    told = False  # whether a warning of the order of the rows has been given
    watched = None  # a function of blocks and the source that gives these blocks, and shows how far they are

    def __init__(self, source):
        self.source = source
        self.shape, self.dtype = (source.n, source.columns), source.dtype
        self.sparse, self.stored, self.columns = source.sparse, source.stored, source.columns
        self.foreseen, self.copy = [], None

    def foresee(self, *numbers):
        """The next pass copies the rows of these numbers (ascending, each array for one ``take``) on its way."""
        if not self.source.lasting:  # else a pass of their own costs little
            self.foreseen = [Foreseen(one) for one in numbers]

    def blocks(self, size=None):
        """Pairs of the number of a first row and ``size`` rows from there on, the last pair fewer, read ahead.

        A block is valid until the next one is asked for: its memory is used again. Where rows lie in memory maps as
        kernels read them, a block is a view.
        """
        if size is None:
            size = max(1, BLOCK_BYTES * self.shape[0] // (self.stored * self.dtype.itemsize + 1))
        blocks = self.blocks_ahead(size)
        return blocks if self.watched is None else self.watched(blocks, self.source)

    def blocks_ahead(self, size):
        """The blocks, made by a thread."""
        if self.source.mapped:
            return ahead(self.blocks_mapped(size))
        joined = sparse_blocks if self.sparse else dense_blocks
        blocks = joined(self.pieces(range(len(self.source.shards))), size, self)
        waiting = [one for one in self.foreseen if one.rows is None]
        return ahead(seen(blocks, waiting, self) if waiting else blocks)

    def blocks_mapped(self, size):
        """The blocks, views of files that have not changed."""
        for lo in range(0, self.shape[0], size):
            self.source.unchanged()
            yield lo, self.source.between(lo, min(lo + size, self.shape[0]), (X,)).X

    def pieces(self, shards):
        """The rows of some shards, as they are stored."""
        for shard in shards:
            for block in self.source.pieces(shard, (X,)):
                yield block.X

    def take(self, rows):
        """Some of the rows, by number or flag; a copy. Only shards with some of them are read."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, np.int64)
        order = np.argsort(rows, kind="stable")
        for one in self.foreseen:
            if one.answers(rows[order]):
                self.foreseen.remove(one)
                return one.rows.take(np.argsort(order, kind="stable"))
        ordered, found, starts = rows[order], [], self.source.starts
        for shard in range(len(self.source.shards)):
            lo, hi = np.searchsorted(ordered, starts[shard : shard + 2])
            first = int(starts[shard])
            if lo < hi:
                for block in self.source.pieces(shard, (X,)):
                    a, b = lo + np.searchsorted(ordered[lo:hi], [first, first + block.rows])
                    if a < b:
                        found.append(block.X.take(ordered[a:b] - first))
                    first += block.rows
        return joined_rows(found, self).take(np.argsort(order, kind="stable"))

    def loaded(self):
        """All rows, in memory."""
        return joined_rows([copied(rows) for rows in self.pieces(range(len(self.source.shards)))], self)

    def room(self, dtype):
        """Room for a number of each row."""
        return room(self.shape[:1], dtype)

    def of_columns(self, columns):
        """The numbers (n, columns) of some columns of dense rows: in a temporary file where they are many."""
        values = room((self.shape[0], self.columns if columns is None else len(columns)), self.dtype)
        for first, rows in self.blocks():
            values[first : first + rows.shape[0]] = rows.values if columns is None else rows.values[:, columns]
        return values

    def decoded(self):
        """Rows that may be read often: these where nothing is to be decoded, else a copy, which is kept.

        In a temporary file where they are many. Sparse rows are not copied.
        """
        if self.source.mapped or self.sparse:
            return self
        if self.copy is None:
            self.copy = Dense(frozen(self.of_columns(None)))
        return self.copy

    def astype(self, dtype):
        """The same rows: a source has one type."""
        if dtype != self.dtype:
            raise TypeError(f"The source holds {self.dtype}, and {np.dtype(dtype)} is needed: open it with dtype=.")
        return self

    def scores(self, coef):
        """``rows @ coef.T`` in float64, (n,) or (n, m)."""
        scores = np.empty((self.shape[0], *coef.shape[:-1]))
        for first, rows in self.blocks():
            scores[first : first + rows.shape[0]] = rows.scores(coef)
        return scores

    def non_finite(self):
        """The row and the column of the first number that is NaN or infinite, or None."""
        blocks = self.blocks()
        for first, rows in blocks:
            found = rows.non_finite()
            if found is not None:
                blocks.close()
                return first + found[0], found[1]
        return None

    def array(self):
        """The rows as a float64 array (n, d)."""
        return np.concatenate([rows.array() for _, rows in self.blocks()])

    def given(self):
        """Zeros in place of the rows, for functions of the user that ask for their number alone."""
        return np.broadcast_to(np.zeros(1, self.dtype), (self.shape[0], 1))

    def place(self, row):
        """Where a row lies, as messages name it."""
        return self.source.place(row)


def seen(blocks, foreseen, like):
    """The blocks of a whole pass, of which some rows are copied on the way; their types are those of ``like``."""
    for one in foreseen:
        one.parts = []  # a pass before may have ended early
    for first, block in blocks:
        for one in foreseen:
            one.see(first, block)
        yield first, block
    for one in foreseen:
        one.rows, one.parts = joined_rows(one.parts, like), []


def dense_blocks(pieces, size, like):
    """Pieces of rows as blocks of ``size`` rows: views inside a piece that lasts, else copies in memory that is used
    again."""
    buffers, used, filled, first = [None] * 3, 0, 0, 0
    for piece in pieces:
        values, lo = piece.values, 0
        while lo < len(values):
            if filled == 0 and len(values) - lo >= size and like.source.lasting:
                yield first, Dense(frozen(values[lo : lo + size]))
                lo, first = lo + size, first + size
                continue
            if buffers[used] is None:
                buffers[used] = np.empty((min(size, like.shape[0]), like.columns), like.dtype)
            some = min(size - filled, len(values) - lo)
            buffers[used][filled : filled + some] = values[lo : lo + some]
            filled, lo = filled + some, lo + some
            if filled == size:
                yield first, Dense(frozen(buffers[used]))
                used, filled, first = (used + 1) % len(buffers), 0, first + size
    if filled:
        yield first, Dense(frozen(buffers[used][:filled]))


def sparse_blocks(pieces, size, like):
    """Pieces of sparse rows as blocks of ``size`` rows, copies: the next piece may take the memory of this one."""
    held, count, first = [], 0, 0
    for piece in pieces:
        lo, n = 0, piece.shape[0]
        while lo < n:
            some = min(size - count, n - lo)
            held.append(copied(slice_of(piece, lo, lo + some)))
            lo, count = lo + some, count + some
            if count == size:
                yield first, joined_rows(held, like)
                held, count, first = [], 0, first + size
    if held:
        yield first, joined_rows(held, like)


def copied(rows):
    """A copy of rows in memory."""
    return type(rows)(*(frozen(np.array(one)) if isinstance(one, np.ndarray) else one for one in rows))


def slice_of(rows, lo, hi):
    """The rows lo to hi of rows in memory, not copied."""
    if not rows.sparse:
        return Dense(rows.values[lo:hi])
    first, last = int(rows.starts[lo]), int(rows.starts[hi])
    starts = rows.starts[lo : hi + 1] - rows.starts[lo] if first else rows.starts[lo : hi + 1]
    return CSR(rows.values[first:last], rows.indices[first:last], frozen(starts), rows.columns)


def joined_rows(some, like):
    """Rows in memory behind each other; the types are those of ``like``."""
    if not like.sparse:
        values = [rows.values for rows in some] or [np.empty((0, like.columns), like.dtype)]
        return Dense(frozen(values[0] if len(values) == 1 else np.concatenate(values)))
    if len(some) == 1:
        return some[0]
    counts = np.cumsum([0, *(rows.stored for rows in some)])
    starts = [rows.starts[1:] + np.uint64(before) for rows, before in zip(some, counts[:-1], strict=True)]
    return CSR(
        frozen(np.concatenate([rows.values for rows in some] or [np.empty(0, like.dtype)])),
        frozen(np.concatenate([rows.indices for rows in some] or [np.empty(0, np.uint32)])),
        frozen(np.concatenate([np.zeros(1, np.uint64), *starts])),
        like.columns,
    )
