"""The rows of a source in an order drawn anew for each epoch, a buffer of them in memory at a time.

An order is one of runs, some rows that follow each other. Where a source is read anywhere at the same cost (``between``
of memory maps), runs are short and in random order. Else they are parts of shards, as row groups of a Parquet file can
only be read from their beginning: shards are in random order, and several are read in turn, a part of each. Whoever
takes batches shuffles the rows of a buffer as those of an array; buffers end where slices of work do, so that batches
are not cut.
"""

import mmap
import time
import warnings
import zlib
from typing import NamedTuple

import numpy as np

from ..kernels import order
from ..kernels.layouts import CSR, Dense, frozen
from ..kernels.row_copies import copy_rows
from ..wording import level_outside
from .ahead import ahead
from .base import PIECE_BYTES, X
from .rows import copied, joined_rows, slice_of

BUFFER_BYTES = 1 << 26
# Of a run that can be read by itself. Excess over the optimum of flights sorted by the target and by date, in stages,
# as multiples of a full shuffle's: 512 runs a buffer 7.8 and 8.3, 2048 runs 2.1 and 3.1, an array's blocks 2.7 and 3.1.
RUN_BYTES = 1 << 15
# Shards that are read in turn, if so much memory is enough for it. A reader of row groups of 122,880 rows of 50 float32
# columns took 15 MB, of a million rows, with dictionaries, 116 MB: a page and a dictionary of each column. 300 MB of
# rows by date in such row groups: with 192 MB 369 MB are resident, with 128 MB 359, and the objective is as far above
# the optimum (0.05 %, of two orders); with 96 MB 0.2 %, with 64 MB 1.4 %.
TURNS, READERS_BYTES, PAGES_BYTES = 8, 128 << 20, 1 << 21
# Of the targets' variance, beyond chance: with more of it between buffers there is a warning. Excess of SGD's steps
# over a full shuffle's, flights by 64 shards, 8 in turn: in the order of dates (0.001) 1 to 2 %, of targets (0.012 to
# 0.027) 6 and 8 %; by 8 shards in the order of targets (0.05) 31 and 34 %. Stages, which end at 2e-5 of what a fit
# gains above the optimum on shuffled rows and at 6e-5 on an array's blocks, ended at 0.001 to 0.01 on such shards.
BETWEEN, BETWEEN_IN_STAGES = 1e-2, 1e-4
PROBES, AT_ONCE = 16, 5e-5  # rows, and seconds in which one comes that is in memory
FIRST = np.zeros(1, np.int64)
UNITS = 1 << 41  # the purpose of the random numbers that put runs in order, apart from those of rows


class Buffers:
    """The buffers of epochs, each read while the one before is worked on.

    ``most`` epochs are read at most. ``made`` is what each :class:`Buffer` is turned into, by the thread that reads.
    """

    def __init__(self, epochs, most, made):
        self.epochs, self.most, self.made = epochs, most, made
        self.size, self.count = epochs.size, epochs.count
        self.found, self.here, self.coming = None, None, None

    def at(self, epoch, number):
        """A buffer of an epoch; the one before is valid no more."""
        if self.count == 1:
            epoch = 0  # it is the same in all epochs
        if (epoch, number) != self.here:
            if self.coming is None or (epoch, number) != self.following():
                self.close()
                self.coming = ahead(read(self.epochs, self.made, self.most, epoch, number), depth=0)
            try:
                self.found, self.here = next(self.coming), (epoch, number)
            except BaseException:
                self.close()
                raise
        return self.found

    def following(self):
        """The epoch and the number of the buffer after the present one."""
        epoch, number = self.here
        return (epoch, number + 1) if number + 1 < self.count else (epoch + 1, 0)

    def close(self):
        """End the reading."""
        if self.coming is not None:
            self.coming.close()
        self.coming = self.here = self.found = None


def read(epochs, made, most, epoch, number):
    """The buffers from one on, as they are made; None where some more has been read.

    The thread that reads must not hold :class:`Buffers`, with which its reading ends.
    """
    for buffer in epochs.buffers(epoch, number, most):
        yield None if buffer is None else made(buffer)


class Buffer(NamedTuple):
    """The rows of a source that are in memory at a time."""

    rows: Dense | CSR  # of the source's type
    lo: int  # where they follow each other, the number of the first, and the one behind the last
    hi: int
    numbers: np.ndarray | None  # else the number of each, int64
    among: bool = False  # whether ``rows`` are all of the source, of which the buffer's are those of ``numbers``


class Epochs:
    """What is read for epochs over the rows of a source, by another thread.

    Parameters
    ----------
    source : Source
    chosen : ndarray or None
        The numbers of the rows that are used, ascending; None is all.
    more : int
        Bytes that a row takes beside its numbers.
    slice : int
        Rows of a slice of work: where it ends a buffer may.
    shuffled : bool
        Whether rows are in random order, where they are more than a buffer holds.
    seed : int
    """

    def __init__(self, source, chosen, more, slice, shuffled, seed):
        self.source, self.rows, self.seed = source, chosen, seed
        self.n = int(source.starts[-1]) if chosen is None else len(chosen)
        numbers = source.stored * (source.dtype.itemsize + 4 * source.sparse) // int(source.starts[-1])
        self.run = max(1, RUN_BYTES // (numbers + 1))
        self.size = min(max(1, BUFFER_BYTES // (numbers + more) // slice) * slice, self.n)
        self.count = -(-self.n // self.size)
        self.shuffled = shuffled and self.count > 1
        reader = min(int(np.diff(self.source.starts).max()) * numbers, PAGES_BYTES * source.columns) + PIECE_BYTES
        self.turns = int(min(max(1, READERS_BYTES // reader), TURNS))
        self.edges = self.source.starts if self.rows is None else np.searchsorted(self.rows, self.source.starts)
        self.table = mapped(self.source)
        self.known = {}  # places, by the number of rows
        self.whole = not self.shuffled and self.rows is None  # whether the rows of a buffer follow each other

    def buffers(self, epoch, number, epochs):
        """The buffers from one on, None where some more of the next one has been read."""
        memory = [None, None]  # not that of an earlier reading, whose thread may still be at work
        last = 1 if self.count == 1 else max(epochs, epoch + 1)
        for e in range(epoch, last):
            first, end = self.runs(e)
            behind, reader = np.cumsum(end - first), Reader(self.source)
            for k in range(number, self.count):
                yield from self.buffer(reader, *self.part(first, end, behind, k), memory)
                memory.reverse()
            number = 0

    def part(self, first, end, behind, number):
        """The runs of a buffer, of all those of an epoch, ``behind`` which so many rows have come."""
        low, high = number * self.size, min((number + 1) * self.size, self.n)
        a, b = np.searchsorted(behind, low, "right"), np.searchsorted(behind, high, "left") + 1
        firsts, ends = first[a:b].copy(), end[a:b].copy()
        firsts[0] = ends[0] - (behind[a] - low)
        ends[-1] -= behind[b - 1] - high
        return firsts, ends

    def runs(self, epoch):
        """The runs of an epoch in their order: the first of the rows trained on, and the one behind the last."""
        edges, seed = self.edges, self.seed
        if not self.shuffled:
            some = edges[:-1] < edges[1:]
            return edges[:-1][some], edges[1:][some]
        if self.source.mapped:
            return spread(edges, self.run, self.count, seed, epoch)
        shares = np.minimum(np.arange(self.count + 1) * self.size / self.n, 1.0)
        return in_turn(edges, shares, self.turns, seed, epoch)

    def buffer(self, reader, first, end, memory):
        """The :class:`Buffer` of some runs, at last."""
        source, lo, hi = self.source, int(first[0]), int(end[-1])
        if self.whole and source.mapped:
            yield Buffer(source.between(lo, hi, (X,)).X, lo, hi, None)
            return
        rows = end - first
        numbers = np.repeat(end - np.cumsum(rows), rows) + np.arange(rows.sum())
        if self.rows is not None:
            numbers = self.rows[numbers].astype(np.int64)
        if self.table is not None:
            foresee(self.table, numbers)
            yield Buffer(Dense(self.table), lo, hi, numbers, among=True)
            return
        places, held, filled = self.places(len(numbers)), [], 0
        if memory[0] is None and not source.sparse:
            memory[0] = np.empty((self.size, source.columns), source.dtype)
        for some in self.pieces(reader, first, end):
            count = some.shape[0]
            if source.sparse:
                held.append(some if source.lasting else copied(some))
            else:
                copy_rows(frozen(some.values), memory[0], places[filled : filled + count])
            filled += count
            yield None
        if source.sparse:
            found = joined_rows(held, source)
            found = found if self.whole else found.take(np.argsort(places))
        else:
            found = Dense(frozen(memory[0][:filled]))
        if self.whole:
            yield Buffer(found, lo, hi, None)
            return
        ordered = np.empty(filled, np.int64)
        ordered[places] = numbers
        yield Buffer(found, lo, hi, ordered)

    def places(self, n):
        """Where a buffer has the k-th of n rows that are read: those next to each other come from far apart."""
        if n not in self.known:
            self.known[n] = np.arange(n)
            if self.shuffled and not self.source.mapped:
                self.known[n][np.argsort(self.known[n] % int(np.ceil(np.sqrt(n))), kind="stable")] = np.arange(n)
        return self.known[n]

    def pieces(self, reader, first, end):
        """The rows of some runs, in pieces."""
        for lo, hi in zip(first.tolist(), end.tolist(), strict=True):
            yield from self.trained(reader, lo, hi)

    def trained(self, reader, lo, hi):
        """The rows lo to hi of those trained on, in pieces."""
        if self.rows is None:
            yield from (rows for _, rows in reader.between(lo, hi))
            return
        chosen = self.rows[lo:hi].astype(np.int64)
        if len(chosen):
            for first, rows in reader.between(int(chosen[0]), int(chosen[-1]) + 1):
                a, b = np.searchsorted(chosen, [first, first + rows.shape[0]])
                yield rows.take(chosen[a:b] - first)


class Reader:
    """Rows of a source by number, which ascend within each shard."""

    def __init__(self, source):
        self.source, self.open = source, {}

    def between(self, lo, hi):
        """Pairs of the number of a first row and some rows from there on; they lie within one shard."""
        if self.source.mapped:
            yield lo, self.source.between(lo, hi, (X,)).X
            return
        shard = int(np.searchsorted(self.source.starts, lo, "right")) - 1
        start, stop = map(int, self.source.starts[shard : shard + 2])
        pieces, first, rows = self.open.pop(shard, None) or (self.source.pieces(shard, (X,)), start, None)
        while lo < hi:
            behind = first + (0 if rows is None else rows.shape[0])
            if lo < behind:
                to = min(hi, behind)
                yield lo, slice_of(rows, lo - first, to - first)
                lo = to
            else:
                found = next(pieces, None)
                if found is None:
                    label, known = self.source.shards[shard].label, stop - start
                    raise ValueError(
                        f"{label} had {known} rows when it was opened, and has {behind - start} now: open the source "
                        "again."
                    )
                first, rows = behind, found.X
                yield lo, slice_of(rows, 0, 0)  # so that the reading may end where many are passed over
        if hi < stop:
            self.open[shard] = pieces, first, rows


def mapped(source):
    """The array (n, d) of all rows where a source has it in a memory map, as kernels read it; else None."""
    if source.sparse or not source.mapped:
        return None
    base = map_of(source.between(0, 1, (X,)).X.values)
    return None if base is None else source.between(0, source.n, (X,)).X.values


def map_of(array):
    """The memory map in which an array lies, or None."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, mmap.mmap) else None


def foresee(table, numbers):
    """Ask the system for the pages of some rows of an array in a memory map, unless a few of them are there at once.

    Runs of 32 KB that were not in memory came at 0.5 to 1.6 GB/s so, and at 0.2 one after another. Where they are, to
    ask for all of them would hold up the thread that takes the steps by 3 ms a buffer. No number depends on the clock.
    """
    begun, one = time.perf_counter(), np.empty((1, table.shape[1]), table.dtype)
    for number in numbers[:: max(1, len(numbers) // PROBES)].tolist():
        copy_rows(table[number : number + 1], one, FIRST)
    if time.perf_counter() - begun < PROBES * AT_ONCE or not hasattr(mmap, "MADV_WILLNEED"):
        return
    base, row = map_of(table), table.nbytes // len(table)
    begin = table.ctypes.data - np.frombuffer(base, np.uint8).ctypes.data
    cuts = np.flatnonzero(np.diff(numbers) != 1) + 1
    first = begin + numbers[np.append(0, cuts)] * row
    end = begin + (numbers[np.append(cuts, len(numbers)) - 1] + 1) * row
    first -= first % mmap.PAGESIZE
    for start, size in zip(first.tolist(), (end - first).tolist(), strict=True):
        base.madvise(mmap.MADV_WILLNEED, start, size)


def spread(edges, rows, buffers, seed, epoch):
    """Runs of ``rows`` rows in random order, of which each buffer has some of all parts of the data."""
    counts = -(-np.diff(edges) // rows)
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.repeat(edges[:-1], counts) + inside * rows
    end = np.minimum(first + rows, np.repeat(edges[1:], counts))
    # Of as many runs in a row as there are buffers, each has one.
    drawn = np.arange(len(first), dtype=np.uint32)
    shuffle(drawn, buffers, seed, epoch, UNITS)
    sets = [drawn[k::buffers].copy() for k in range(buffers)]
    for k, one in enumerate(sets):  # as sets are not as long as buffers, to the row
        shuffle(one, len(one), seed, epoch, 2 * UNITS + k)
    drawn = np.concatenate(sets)
    return first[drawn], end[drawn]


def in_turn(edges, shares, turns, seed, epoch):
    """Runs of shards, each read from its beginning: of several at a time, each from another part of the data.

    Each of these parts gives each buffer the same share of its rows; ``shares`` of the rows are those before a buffer.
    """
    n, found = edges[-1], []
    part = (edges[:-1] + edges[1:]) * turns // (2 * n)
    for k in np.unique(part[edges[:-1] < edges[1:]]):
        shards = np.flatnonzero((part == k) & (edges[:-1] < edges[1:])).astype(np.uint32)
        shuffle(shards, len(shards), seed, epoch, UNITS + int(k))
        behind = np.cumsum(edges[shards + 1] - edges[shards])
        cuts = np.rint(shares * behind[-1]).astype(np.int64)
        both = np.unique(np.concatenate([cuts, behind]))
        shard = np.searchsorted(behind, both[:-1], "right")
        first = edges[shards[shard]] + both[:-1] - (behind - np.diff(behind, prepend=0))[shard]
        found.append((np.searchsorted(cuts, both[:-1], "right"), first, first + np.diff(both)))
    buffer, first, end = map(np.concatenate, zip(*found, strict=True))
    places = np.argsort(buffer, kind="stable")
    return first[places], end[places]


def shuffle(items, window, seed, epoch, purpose):
    """Shuffle each ``window`` items."""
    with np.errstate(over="ignore"):  # for a kernel run as plain Python
        order.shuffle(items, window, seed, epoch, purpose)


def order_words(source):
    """What decides the order of the rows of a source in batches, in a few words."""
    starts, kind = source.starts, "read anywhere" if source.mapped else "read in turn"
    return f"{len(starts) - 1} shards {kind} ({zlib.crc32(starts.tobytes()):08x})"


def warn_of_order(epochs, targets, most):
    """Warn where the buffers of an epoch are no samples of all rows, as their targets (m, n) tell."""
    source, others = epochs.source, epochs.count - 1
    with np.errstate(all="ignore"):  # of targets that are not finite there is no share
        share = between_buffers(epochs, targets)
    chance = (others + 4.0 * np.sqrt(2.0 * others) + 8.0) / epochs.n  # of shuffled rows it is less
    if share > chance + most:
        warnings.warn(
            f"{share:.2%} of the targets' variance lies between the {epochs.count} buffers from which an epoch's "
            f"batches are drawn, one after another: the rows of the source are in an order, and its "
            f"{len(source.shards)} shards can only be read from their beginning, {epochs.turns} at a time. Steps "
            "follow that order, as on rows that are not shuffled. Pass source.cached(folder), whose rows are read "
            "anywhere, write smaller shards, or shuffle the rows once.",
            UserWarning,
            stacklevel=level_outside(),
        )


def between_buffers(epochs, y):
    """The share of the targets' variance that lies between the buffers of an epoch: next to 0 of shuffled rows."""
    first, end = epochs.runs(0)
    behind, means, squares, rows = np.cumsum(end - first), [], 0.0, []
    centre = y[:, : epochs.run].mean(axis=1, dtype=np.float64)[:, None]
    for k in range(epochs.count):
        total = 0.0
        for lo, hi in zip(*epochs.part(first, end, behind, k), strict=True):
            some = y[:, lo:hi] if epochs.rows is None else y[:, epochs.rows[lo:hi]]
            total += (some - centre).sum(axis=1)
            squares += ((some - centre) ** 2).sum(axis=1)
        rows.append(min((k + 1) * epochs.size, epochs.n) - k * epochs.size)
        means.append(total / rows[-1])
    mean = np.average(means, axis=0, weights=rows)
    between = np.average((np.array(means) - mean) ** 2, axis=0, weights=rows)
    return float(np.max(between / np.maximum(squares / epochs.n - mean**2, 1e-300)))
