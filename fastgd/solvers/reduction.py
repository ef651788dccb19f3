"""The one reduction over rows, wherever they lie: fixed chunks, whose sums are added in one binary tree.

Where chunks end depends on shapes alone, and which sums are added depends on the chunks' numbers alone: the bits are
the same for any number of threads, and for rows in memory, in files or on other machines. A node of level k holds the
sum of 2**k chunks from a multiple of that on, so that whoever has these can add them.
"""

import threading

import numpy as np

from ..kernels.threads import run_tasks
from ..sources.rows import slice_of

BLOCK_BYTES = 1 << 24  # of the rows that are read at once, where they do not lie in memory
# A block of a memory map is a view: one of so many times these bytes has chunks for all threads. Of 16 MB the two
# chunks of a large table were one thread's, and a fit of 1.2 GB by log loss had half of its speed in memory.
MAPPED = 16


def chunks_of(data, chunk, n_threads):
    """The chunks of data, ``chunk`` rows each, where the rows lie."""
    rows = data.rows
    if rows.in_memory:
        return Chunks(data, chunk, n_threads)
    return rows.chunks(data, chunk, n_threads) if hasattr(rows, "chunks") else ReadChunks(data, chunk, n_threads)


class Chunks:
    """Chunks of rows in memory.

    A kernel is called as ``kernel(data, *args, chunk, first, last, *outs)`` for the chunks first to last of some data.
    ``stride`` chunks are a task of one thread.
    """

    def __init__(self, data, chunk, n_threads):
        self.data, self.chunk, self.n_threads = data, chunk, n_threads
        self.n = data.rows.shape[0]
        self.count = -(-self.n // chunk)

    def parts(self):
        """The number of the first chunk of each part that lies in memory at once, and its data."""
        yield 0, self.data

    def by_chunk(self, kernel, args, outs, stride=1, n_threads=None):
        """Fill arrays ``outs``, which have an entry for each chunk."""
        self.fill(kernel, args, outs, outs, stride, n_threads)

    def by_row(self, kernel, args, out, stride=1, n_threads=None):
        """Fill an array ``out``, which has an entry for each row."""
        self.fill(kernel, args, (), (out,), stride, n_threads)

    def fill(self, kernel, args, outs, by_row, stride, n_threads):
        """Fill arrays by chunk, or by row."""
        for chunk, part in self.parts():
            here = [out[chunk:] for out in outs] or [out[chunk * self.chunk :][: part.rows.shape[0]] for out in by_row]
            run_kernel(part, self.chunk, kernel, args, here, stride, n_threads or self.n_threads)

    def sums(self, kernel, args, shapes, stride=1, n_threads=None):
        """The sums over all chunks of what a kernel puts into float64 arrays (chunks, *shape): arrays of ``shapes``."""
        if self.count <= stride and self.data.rows.in_memory:
            with np.errstate(all="ignore"):
                return partial_sums(self.data, self.chunk, kernel, args, shapes)
        total = TreeSum(self.count)
        for chunk, part in self.parts():
            add_sums(total, chunk, part, self.chunk, kernel, args, shapes, stride, n_threads or self.n_threads)
        return total.result


class ReadChunks(Chunks):
    """Chunks of rows that are read block by block; a block is a few chunks, the same power of two always."""

    def __init__(self, data, chunk, n_threads):
        super().__init__(data, chunk, n_threads)
        row_bytes = data.rows.stored * data.rows.dtype.itemsize // self.n + 1
        block = BLOCK_BYTES * (MAPPED if data.rows.source.mapped else 1)
        most = max(block // (chunk * row_bytes), n_threads)
        self.together = 1 << max(0, most.bit_length() - 1)

    def parts(self):
        """The number of the first chunk of each block, and its data."""
        for first, rows in self.data.rows.blocks(self.chunk * self.together):
            yield first // self.chunk, part_of(self.data, first, first + rows.shape[0], rows)


def run_kernel(data, chunk, kernel, args, outs, stride, n_threads):
    """Run a kernel over all chunks of data in memory."""
    count = -(-data.rows.shape[0] // chunk)

    def task(k):
        kernel(data, *args, chunk, k * stride, min((k + 1) * stride, count), *outs)

    run_tasks(task, -(-count // stride), n_threads)


def add_sums(total, first, data, chunk, kernel, args, shapes, stride, n_threads):
    """Add to a tree the sums of data in memory, whose first chunk has the number ``first``."""
    n = data.rows.shape[0]
    count = -(-n // chunk)
    level = (count - 1).bit_length() if count <= stride else stride.bit_length() - 1
    size = 1 << level  # chunks a task: a whole node

    def task(k):
        lo, hi = k * size * chunk, min((k + 1) * size * chunk, n)
        sums = partial_sums(data if hi - lo == n else part_of(data, lo, hi), chunk, kernel, args, shapes)
        total.add(level, (first >> level) + k, sums)

    run_tasks(task, -(-count // size), n_threads)


def partial_sums(data, chunk, kernel, args, shapes):
    """The sums over some data in memory, those of a node of the tree."""
    count = -(-data.rows.shape[0] // chunk)
    outs = [np.empty((count, *shape)) for shape in shapes]
    kernel(data, *args, chunk, 0, count, *outs)
    return [out[0] for out in outs] if count == 1 else [tree_sum(out) for out in outs]


def tree_sum(out):
    """The sum of ``out`` along its first axis in the order of the tree; ``out`` is used up."""
    step = 1
    while step < len(out):
        left = out[:: 2 * step]
        right = out[step :: 2 * step]
        left[: len(right)] += right
        step *= 2
    return out[0]


def nodes_sum(nodes):
    """The sums, a list of arrays, of neighbouring nodes, 2**k of them but at the end, in the order of the tree.

    They stay as they are: the results of tasks are shared.
    """
    while len(nodes) > 1:
        pairs = zip(nodes[::2], nodes[1::2], strict=False)
        nodes = [[a + b for a, b in zip(*pair, strict=True)] for pair in pairs] + nodes[len(nodes) & ~1 :]
    return nodes[0]


class TreeSum:
    """The sums of ``count`` chunks, added in the order of the tree as those of its nodes come in, by any thread."""

    def __init__(self, count):
        self.count, self.lock, self.waiting, self.result = count, threading.Lock(), {}, None

    def add(self, level, index, sums):
        """Add the sums, a list of arrays, of a node: those of the chunks from ``index * 2**level`` on."""
        while True:
            nodes = -(-self.count // (1 << level))
            if nodes == 1:
                self.result = sums
                return
            other = index ^ 1
            if other < nodes:
                with self.lock:
                    if (level, other) not in self.waiting:
                        self.waiting[level, index] = sums
                        return
                    found = self.waiting.pop((level, other))
                left, right = (sums, found) if index < other else (found, sums)
                sums = [np.add(a, b, out=a) if a.ndim else a + b for a, b in zip(left, right, strict=True)]
            level, index = level + 1, index // 2


def part_of(data, lo, hi, rows=None):
    """The data of the rows lo to hi, not copied but for several targets and folds; ``rows`` are theirs if known."""
    return data._replace(
        rows=slice_of(data.rows, lo, hi) if rows is None else rows,
        targets=data.targets[:, lo:hi] if len(data.targets) == 1 else np.ascontiguousarray(data.targets[:, lo:hi]),
        weight=data.weight[lo:hi],
        offset=data.offset[lo:hi],
        roles=np.ascontiguousarray(data.roles[:, lo:hi]) if data.roles.size else data.roles,
        first=data.first + lo,
    )
