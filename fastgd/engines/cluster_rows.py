"""Rows that lie in the memory of a cluster's workers, as solvers ask for them.

They are loaded by tasks, in bundles: the rows of an aligned power of two of chunks, so that the sums over a bundle are
a node of the tree in which ``solvers/reduction.py`` adds chunks. Where bundles end, where they lie and who adds them
changes no bit. A bundle that is lost with its worker is loaded again, by the scheduler's own means.
"""

import contextlib
import math
import threading
import time
import uuid
import weakref
from itertools import pairwise

import numpy as np

from ..kernels.full_batch import chunk_rows
from ..solvers.reduction import ReadChunks, nodes_sum
from ..sources.rows import SourceRows, joined_rows
from . import failures, tasks

FAN_IN = 8  # nodes that a task adds: a power of two
UNEVEN = 1.25  # how much longer the busiest thread may take than if all had the same share
MEMORY = 1 << 33  # of a worker that has no limit
HERE_BYTES = 1 << 20  # of sums that are added here: by a task, two of 100 numbers took 21 ms, not 12
LOOK = 2.0  # seconds between looks at which workers there are
INLINE_BYTES = 1 << 14  # of what a pass sends: more of it travels as the result of a task, from worker to worker
LARGE = {"distributed.admin.large-graph-warning-threshold": "1TB"}  # what is large here is meant to be: vectors, once
EMPTY = {"rows": None} | dict.fromkeys(tasks.BY_ROW)  # of Data, what does not travel with each pass
_settings = threading.Lock()


def bundle_level(count, threads, most):
    """The level of the tree whose nodes are bundles: of ``count`` chunks on some threads, at most ``most`` a bundle.

    The highest with at least a bundle a thread where no thread has much more to do than others.
    """
    best, chosen = np.inf, 0
    for level in range(min(max(1, int(most)).bit_length(), (count - 1).bit_length() + 1) - 1, -1, -1):
        bundles = -(-count >> level)
        if bundles < threads and level:
            continue
        uneven = -(-bundles // threads) * threads * 2**level / count
        if uneven < best:
            best, chosen = uneven, level
        if uneven <= UNEVEN or bundles >= 8 * threads:
            break
    return chosen


def moves(where, threads):
    """Which bundles are to be moved, and to which workers, so that each has its share: pairs.

    ``where`` has the worker of each bundle, ``threads`` the number of threads of each worker.
    """
    held = {worker: [bundle for bundle, place in where.items() if place == worker] for worker in threads}
    found = []
    while held:
        most, least = (pick(held, key=lambda w: len(held[w]) / threads[w]) for pick in (max, min))
        if len(held[most]) / threads[most] <= (len(held[least]) + 1) / threads[least]:
            break
        found.append((held[most][-1], least))
        held[least].append(held[most].pop())
    return found


def released(futures):
    """Let go of what tasks have made: an error's traceback would hold it as long as it lives."""
    with contextlib.suppress(Exception):  # the client may be gone
        for future in futures:
            future.release()


class ClusterRows(SourceRows):
    """The X of a source on a cluster, with the questions that :class:`Dense` and :class:`CSR` answer."""

    def __init__(self, source, cluster):
        super().__init__(source)
        self.cluster, self.name = cluster, f"fastgd-{uuid.uuid4().hex}"
        n, row_bytes = self.shape[0], self.stored * self.dtype.itemsize // self.shape[0] + 1
        self.unit = chunk_rows(self)
        workers = cluster.workers()
        threads = sum(worker["nthreads"] for worker in workers)
        memory = min(worker["memory_limit"] or MEMORY for worker in workers)
        level = bundle_level(-(-n // self.unit), threads, memory // 8 // (row_bytes * self.unit))
        self.size = self.unit << level  # rows of a bundle
        self.edges = [*range(0, n, self.size), n]
        self.sent, self.held, self.known, self.looked = {}, None, None, time.monotonic()

    @property
    def bundles(self):
        """The rows of each bundle, futures."""
        if self.held is None:
            source = self.shared(self.source)
            asked = [(source, lo, hi, self.name) for lo, hi in pairwise(self.edges)]
            self.held = self.map("load", tasks.load, *zip(*asked, strict=True))
        return self.held

    def balance(self):
        """Load some bundles again where the workers are others than before, so that none has more than its share.

        The scheduler leaves rows where they are: after a loss the worker that came back had none, and passes took twice
        as long to the end of the fit.
        """
        if time.monotonic() - self.looked < LOOK:
            return
        client, self.looked = self.cluster.client, time.monotonic()
        threads = client.nthreads()
        if self.held is None or threads.keys() == self.known:
            return
        self.known = threads.keys()
        keys = {future.key: k for k, future in enumerate(self.held)}
        where = {keys[key]: places[0] for key, places in client.who_has(self.held).items() if places}
        for k, address in moves(where, threads):
            source, (lo, hi) = self.shared(self.source), self.edges[k : k + 2]
            there = {"workers": [address], "allow_other_workers": True}
            self.held[k] = self.map("load", tasks.load, [source], [lo], [hi], [self.name], **there)[0]

    def let_go(self):
        """Free the workers' memory; what is asked afterwards loads the rows again."""
        for futures in (self.held or (), *(parts for _, parts in self.sent.values())):
            released(futures)
        self.held, self.sent = None, {}

    def map(self, what, function, *columns, **where):
        """A task for each row of some columns of arguments: their futures."""
        import dask

        run = uuid.uuid4().hex
        keys = [f"fastgd_{what}-{run}-{k}" for k in range(len(columns[0]))]
        with failures.told(self), _settings, dask.config.set(LARGE):
            return self.cluster.client.map(function, *columns, key=keys, pure=False, **where)

    def shared(self, value):
        """What all tasks of a pass are sent."""
        value = tasks.packed(value)
        return value if len(value) <= INLINE_BYTES else self.map("send", tasks.same, [value])[0]

    def vectors(self, data):
        """For each bundle its part of the vectors of ``data``; an array is sent once for as long as it lives."""
        return list(zip(*(self.parts_of(getattr(data, name)) for name in tasks.BY_ROW), strict=True))

    def parts_of(self, array):
        """The part of an array of each bundle."""
        if not array.shape[-1]:
            return [array] * (len(self.edges) - 1)
        found = self.sent.get(id(array))
        if found is None or found[0]() is not array:
            self.sent = {key: sent for key, sent in self.sent.items() if sent[0]() is not None}
            parts = [np.ascontiguousarray(array[..., a:b]) for a, b in pairwise(self.edges)]
            found = weakref.ref(array), [self.map("vector", tasks.same, [part])[0] for part in parts]
            if not array.flags.writeable:  # another may be changed before the next pass
                self.sent[id(array)] = found
        return found[1]

    def groups(self, chunk):
        """Bundles that a task of a pass takes together: one, but where a chunk is larger than that.

        The number of the first row of each group, and its bundles' numbers.
        """
        if chunk % self.unit or (chunk // self.unit).bit_count() > 1:
            raise ValueError(f"Chunks of {chunk} rows are no nodes of the tree over those of {self.unit}.")
        size = max(1, chunk // self.size)
        count = len(self.edges) - 1
        return [(self.edges[first], range(first, min(first + size, count))) for first in range(0, count, size)]

    def work(self, what, data, args):
        """What each group of bundles makes of ``what`` (:class:`tasks.Sums`, :class:`tasks.Filled`), futures."""
        self.balance()
        vectors, state = self.vectors(data), self.shared((data._replace(**EMPTY), args))
        groups = [
            (what, [self.bundles[k] for k in some], first, [vectors[k] for k in some], state)
            for first, some in self.groups(what.chunk)
        ]
        return self.map("pass", tasks.worked, *zip(*groups, strict=True))

    def answers(self, question, args):
        """What bundles answer to a question; ``args`` has the number of each that is asked, and its arguments."""
        asked = [(question, self.bundles[k], tasks.packed(given)) for k, given in args]
        return self.cluster.results(self, self.map(question, tasks.asked, *zip(*asked, strict=True)))

    def suspects(self, bundle):
        """The shards one of which ended the processes that loaded a bundle: the last that was noted, or all of them."""
        lo, hi = self.edges[bundle : bundle + 2]
        noted = [shard for _, (first, shard) in self.cluster.client.get_events(self.name) or () if first == lo]
        return noted[-1:] or tasks.overlapping(self.source, lo, hi)

    def decoded(self):
        """These: workers have decoded them."""
        return self

    def chunks(self, data, chunk, n_threads):
        """The chunks of data with these rows."""
        return ClusterChunks(data, chunk, n_threads)

    def foresee(self, *numbers):
        """Nothing to prepare: the workers have the rows."""

    def take(self, rows):
        """Some of the rows, by number or flag, in memory here."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, np.int64)
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], self.edges)
        wanted = [(k, (rows[order[a:b]] - self.edges[k],)) for k, (a, b) in enumerate(pairwise(cuts)) if a < b]
        found = self.answers("take", wanted) if wanted else []
        return joined_rows(found, self).take(np.argsort(order, kind="stable"))

    def scores(self, coef):
        """``rows @ coef.T`` in float64, (n,) or (n, m)."""
        return np.concatenate(self.answers("scores", [(k, (coef,)) for k in range(len(self.bundles))]))

    def non_finite(self):
        """The row and the column of the first number that is NaN or infinite, or None."""
        found = self.answers("non_finite", [(k, ()) for k in range(len(self.bundles))])
        return next(((first + at[0], at[1]) for first, at in zip(self.edges, found, strict=False) if at), None)


class ClusterChunks(ReadChunks):
    """Chunks of rows on a cluster; whoever asks for parts of them reads the source here."""

    def fill(self, kernel, args, outs, by_row, stride, n_threads):
        """Fill arrays by chunk, or by row."""
        rows, place = self.data.rows, 0
        kinds = [(out.dtype, out.shape[1:]) for out in outs or by_row]
        filled = rows.work(tasks.Filled(kernel, self.chunk, kinds, not outs), self.data, args)
        for found in rows.cluster.results(rows, filled):
            for out, part in zip(outs or by_row, found, strict=True):
                out[place : place + len(part)] = part
            place += len(found[0])

    def sums(self, kernel, args, shapes, stride=1, n_threads=None):
        """The sums over all chunks of what a kernel puts into float64 arrays (chunks, *shape): arrays of ``shapes``."""
        rows = self.data.rows
        nodes = rows.work(tasks.Sums(kernel, self.chunk, shapes, stride), self.data, args)
        most = min(FAN_IN, max(1, HERE_BYTES // sum(8 * math.prod(shape) for shape in shapes)))
        while len(nodes) > most:
            nodes = rows.map("add", tasks.added, [nodes[k : k + FAN_IN] for k in range(0, len(nodes), FAN_IN)])
        return nodes_sum(rows.cluster.results(rows, nodes))
