"""What workers do: functions of their arguments alone, found by their names, so that each can be done again.

Kernels are serial and without the GIL: a worker's threads are the tasks that it runs side by side. What a task is given
may be shared with others: it is never changed. What the driver sends is pickled by itself (``packed``), so that kernels
find arrays as writable as they were, and each task has its own.
"""

import contextlib
import functools
import pickle
from typing import NamedTuple

import numpy as np

from ..kernels.environment import cpu, versions
from ..kernels.layouts import Dense, frozen
from ..solvers.reduction import Chunks, nodes_sum
from ..sources.base import X
from ..sources.rows import copied, joined_rows, slice_of

BY_ROW = ("targets", "weight", "offset", "roles")  # of Data, those with a number a row, which is their last axis


class Made(NamedTuple):
    """What tasks have made, and on which kinds of processors."""

    value: object
    cpus: frozenset


class Sums(NamedTuple):
    """The sums over all chunks of what a kernel puts into arrays (chunks, *shape); see ``solvers/reduction.py``."""

    kernel: object
    chunk: int
    shapes: list
    stride: int

    def of(self, data, args):
        """Those of some rows, whole nodes of the tree."""
        return Chunks(data, self.chunk, 1).sums(self.kernel, args, self.shapes, self.stride)


class Filled(NamedTuple):
    """What a kernel puts into arrays with an entry for each chunk, or for each row."""

    kernel: object
    chunk: int
    kinds: list  # of each array: its type, and its shape behind the first axis
    by_row: bool

    def of(self, data, args):
        """The entries of some rows."""
        chunks = Chunks(data, self.chunk, 1)
        outs = [np.empty((chunks.n if self.by_row else chunks.count, *shape), dtype) for dtype, shape in self.kinds]
        chunks.by_row(self.kernel, args, *outs) if self.by_row else chunks.by_chunk(self.kernel, args, outs)
        return outs


@functools.cache
def own_cpu():
    """What the bits of this process may depend on: the processor, as the compiler sees it, and the compiler."""
    found = cpu()
    return " ".join([found["llvm_name"], *found["features"], *(f"{k} {v}" for k, v in versions().items())])


def made(value):
    """A result of this process."""
    return Made(value, frozenset([own_cpu()]))


def packed(value):
    """A value as bytes."""
    with contextlib.suppress(pickle.PicklingError, AttributeError, TypeError):
        found = pickle.dumps(value, 5)
        if b"__main__" not in found:
            return found
    import cloudpickle  # for a user's class or function, known to the driver alone

    return cloudpickle.dumps(value, 5)


unpacked = pickle.loads


def same(value):
    """A value as the result of a task: workers copy it from each other, and it can be made again."""
    return value


def worked(what, rows, first, vectors, state):
    """What ``what`` makes of some bundles that follow each other; the first row has the number ``first`` among all.

    ``vectors`` has for each bundle its part of the vectors of :class:`Data`, in the order of ``BY_ROW``; ``state`` is
    the rest of it, and what the kernel is passed.
    """
    data, args = unpacked(state)
    columns = zip(BY_ROW, zip(*vectors, strict=True), strict=True)
    parts = {name: usable(np.concatenate(some, axis=-1) if len(some) > 1 else some[0]) for name, some in columns}
    return made(what.of(data._replace(rows=whole(rows), first=data.first + first, **parts), args))


def asked(question, rows, state):
    """The answer of the rows to a question of :class:`Dense` and :class:`CSR`."""
    return made(getattr(whole([rows]), question)(*unpacked(state)))


def called(function, source, given):
    """What a function makes of a source (packed) and some arguments."""
    return made(function(unpacked(source), *unpacked(given)))


def added(parts):
    """The sums of neighbouring nodes, :class:`Made`."""
    return Made(nodes_sum([part.value for part in parts]), frozenset().union(*(part.cpus for part in parts)))


def whole(parts):
    """Rows in memory, of those that are behind each other, as kernels take them."""
    arrays = [type(part)(*(usable(a) if isinstance(a, np.ndarray) else a for a in part)) for part in parts]
    return joined_rows(arrays, arrays[0])


def usable(array):
    """Read-only, and in order: what came from another process may lie anywhere."""
    return frozen(np.require(array, requirements=["C", "A"]))


def load(source, lo, hi, topic=None):
    """The rows ``lo`` to ``hi`` of a source (packed) in memory; only the shards that they lie in are read.

    Before each of several shards its number is noted under ``topic``, so that one that ends the process is known.
    """
    source, held = unpacked(source), []
    shards = overlapping(source, lo, hi)
    if source.mapped and len(shards) == 1:
        with said_where(source.shards[shards[0]].label):
            return copied(source.between(lo, hi, (X,)).X)
    values = None if source.sparse else np.empty((hi - lo, source.columns), source.dtype)
    for shard in shards:
        if len(shards) > 1 and topic:
            note(topic, (lo, shard))
        first = int(source.starts[shard])
        with said_where(source.shards[shard].label), contextlib.closing(tables(source, shard)) as pieces:
            for piece in pieces:
                a, b = max(lo - first, 0), min(hi - first, piece.shape[0])
                if a < b and source.sparse:
                    held.append(copied(slice_of(piece, a, b)))
                elif a < b:
                    values[first + a - lo : first + b - lo] = piece.values[a:b]
                first += piece.shape[0]
                if first >= hi:
                    break
    return joined_rows(held, source) if source.sparse else Dense(frozen(values))


def tables(source, shard):
    """The X of a shard, piece by piece."""
    for block in source.pieces(shard, (X,)):
        yield block.X


def overlapping(source, lo, hi):
    """The numbers of the shards that have some of the rows."""
    starts = source.starts
    first = int(np.searchsorted(starts, lo, "right")) - 1
    return [shard for shard in range(first, int(np.searchsorted(starts, hi))) if starts[shard] < starts[shard + 1]]


@contextlib.contextmanager
def said_where(label):
    """Errors that do not name the shard get a message that does."""
    try:
        yield
    except Exception as error:
        if label in str(error):
            raise
        raise ValueError(f"{label} can not be read: {type(error).__name__}: {error}") from error


def note(topic, what):
    """Tell the scheduler, and wait until it knows."""
    from distributed import get_worker
    from distributed.utils import sync

    worker = get_worker()
    sync(worker.loop, worker.scheduler.log_event, topic=topic, msg=what)
