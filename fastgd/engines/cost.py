"""What a pass over rows costs on a cluster and on this machine: a model, and the constants of it, measured.

A pass is: tasks that the scheduler hands out one by one, bundles that threads read from memory side by side, and
numbers that are sent: the weights to the workers, sums from each bundle.
"""

import statistics
import time
from typing import NamedTuple

import numpy as np

from ..kernels.layouts import CSR, Dense, frozen
from ..sources.base import X
from . import tasks
from .warming import gradient

ROWS_BYTES = 1 << 25  # of the rows that a thread reads again and again
SENT_BYTES = 1 << 22
READ_BYTES = 1 << 26  # of the source, for how fast it is read
SECONDS = 0.3  # of each measurement
SMALL_BYTES = 1e9  # a pass over fewer is over before tasks have paid
GAIN = 0.8  # a pass must take at most so much of what it takes on this machine


class Constants(NamedTuple):
    """What was measured of a cluster, and of this machine."""

    latency: float  # seconds from the driver to a worker and back, of a pass of one task
    task: float  # seconds a task, of the scheduler
    rate: float  # bytes a second that a thread reads in a pass, all threads at work
    network: float  # bytes a second of numbers sent
    rate_here: float  # bytes a second of a pass on this machine, from memory
    read_here: float  # bytes a second that this machine reads of the source


def pass_seconds(constants, stored_bytes, bundles, threads, sent_bytes=0.0):
    """The seconds of a pass on a cluster: of tasks, of reading, of sending ``sent_bytes`` for each bundle."""
    rounds = -(-bundles // threads)
    tasks = constants.latency + constants.task * bundles
    return tasks, rounds * stored_bytes / bundles / constants.rate, sent_bytes * (bundles + 1) / constants.network


class Estimate(NamedTuple):
    """What a pass over a source costs on a cluster and on this machine, in seconds; printed, it is a text.

    Attributes
    ----------
    bytes : int
        Of the numbers of X.
    workers, threads, bundles : int
        Of the cluster, and in how many parts its threads hold the rows.
    load : float
        Until the rows are in the workers' memory, if each thread reads as fast as this machine.
    tasks, reading, sending : float
        The parts of a pass on the cluster.
    memory, source : float
        A pass on this machine: over rows in memory, and over rows that are read from the source.
    fits : bool
        Whether the rows fit into this machine's memory as it is now.
    constants : Constants
        As measured.
    """

    bytes: int
    workers: int
    threads: int
    bundles: int
    load: float
    tasks: float
    reading: float
    sending: float
    memory: float
    source: float
    fits: bool
    constants: Constants

    @property
    def seconds(self):
        """Of a pass on the cluster."""
        return self.tasks + self.reading + self.sending

    @property
    def here(self):
        """Of a pass on this machine."""
        return self.memory if self.fits else self.source

    @property
    def pays(self):
        """Whether a pass is worth being made on the cluster."""
        return self.bytes >= SMALL_BYTES and self.seconds < GAIN * self.here

    def __str__(self):
        where = "from memory" if self.fits else "from the source, as the rows do not fit into its memory"
        if self.pays:
            verdict = f"The cluster pays: a pass takes {self.seconds / self.here:.2g} of the time."
        elif self.bytes < SMALL_BYTES:
            verdict = f"The cluster does not pay: passes over less than {SMALL_BYTES / 1e9:g} GB are short."
        else:
            verdict = "The cluster does not pay: this machine is about as fast."
        return (
            f"{self.bytes / 1e9:.3g} GB of rows on {self.workers} workers with {self.threads} threads, in "
            f"{self.bundles} bundles; loaded in about {self.load:.2g} s.\n"
            f"A pass on the cluster: {self.seconds:.3g} s ({self.tasks:.2g} s tasks, {self.reading:.2g} s reading, "
            f"{self.sending:.2g} s sending).\n"
            f"A pass on this machine: {self.here:.3g} s, {where}.\n{verdict}"
        )


def measured(client, source, threads, n_threads):
    """The constants for a source on a cluster, in about two seconds."""

    def run(function, columns):
        began = time.perf_counter()
        found = client.gather(client.map(function, columns, pure=False))
        return time.perf_counter() - began, found

    run(tasks.same, range(threads))
    few, more = (statistics.median(run(tasks.same, range(n))[0] for _ in range(5)) for n in (1, 8 * threads + 1))
    rates = run(streamed, [tasks.packed(source)] * threads)[1]
    numbers = np.zeros(SENT_BYTES // 8)
    sent = min(run(tasks.same, [numbers])[0] for _ in range(3))
    return Constants(
        latency=few,
        task=max(more - few, 1e-6) / (8 * threads),
        rate=statistics.mean(rates),
        network=2 * numbers.nbytes / max(sent - few, 1e-4),
        rate_here=rate_of(like(source), n_threads),
        read_here=read_rate(source),
    )


def streamed(source):
    """Bytes a second of passes over rows as those of a source, in this thread of a worker."""
    return rate_of(like(tasks.unpacked(source)), 1)


def rate_of(rows, n_threads):
    """Bytes a second of passes over some rows, again and again."""
    gradient(rows, n_threads)
    began, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < SECONDS:
        gradient(rows, n_threads)
        count += 1
    return count * bytes_of(rows) / seconds


def like(source):
    """Some rows as those of a source, of other numbers."""
    rng, d, itemsize = np.random.default_rng(0), source.columns, source.dtype.itemsize
    if not source.sparse:
        return Dense(frozen(rng.random((max(16, ROWS_BYTES // (d * itemsize)), d), source.dtype)))
    each = max(1, min(d, source.stored // source.n))
    n = max(16, ROWS_BYTES // (each * (itemsize + 4)))
    # Ascending columns: one in each of ``each`` equal parts.
    places = (np.arange(each) * d // each + rng.integers(0, max(1, d // each), (n, each))).astype(np.uint32)
    starts = np.arange(n + 1, dtype=np.uint64) * np.uint64(each)
    return CSR(frozen(rng.random(n * each, source.dtype)), frozen(places.reshape(-1)), frozen(starts), d)


def bytes_of(rows):
    """Of the numbers that a pass reads."""
    return rows.stored * (rows.dtype.itemsize + 4 * rows.sparse)


def read_rate(source):
    """Bytes a second at which this machine reads the X of a source, by its first rows."""
    began, count = time.perf_counter(), 0
    for shard in range(len(source.shards)):
        for block in source.pieces(shard, (X,)):
            # A memory map is not read before its numbers are asked for.
            count += bytes_of(block.X if source.sparse else Dense(np.array(block.X.values[: some_rows(source)])))
            if count >= READ_BYTES or time.perf_counter() - began > 1.0:
                return count / (time.perf_counter() - began)
    return max(count, 1) / (time.perf_counter() - began)


def some_rows(source):
    """The rows of ``READ_BYTES``."""
    return max(1, READ_BYTES // (source.columns * source.dtype.itemsize))


def free_memory():
    """Bytes that this machine could give to rows."""
    try:
        with open("/proc/meminfo") as file:
            lines = dict(line.split(":") for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 1 << 62


def estimated(constants, source, workers, threads, bundles, lanes):
    """The estimate for a source."""
    size = source.stored * (source.dtype.itemsize + 4 * source.sparse)
    parts = pass_seconds(constants, size, bundles, threads, 8.0 * lanes * (source.columns + 1))
    return Estimate(
        size, workers, threads, bundles, size / constants.read_here / threads, *parts, size / constants.rate_here,
        size / min(constants.read_here, constants.rate_here), size < free_memory() // 2, constants,
    )  # fmt: skip
