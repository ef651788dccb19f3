"""Clusters of processes on this machine, and sources for them."""

import contextlib
import os

import distributed

from fastgd.sources.base import Block, Shard, Source
from fastgd.sources.rows import slice_of


@contextlib.contextmanager
def local(workers, threads=1, **options):
    """The client of a cluster of some processes; it does not become the default client."""
    options = {"dashboard_address": ":0", "memory_limit": 0, "threads_per_worker": threads} | options
    with (
        distributed.LocalCluster(n_workers=workers, processes=True, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


class Watch(distributed.SchedulerPlugin):
    """Calls ``act(worker)`` once, when task number ``turn`` of those with a name is given to a worker: an address.

    Tasks count from when ``since()`` is true on.
    """

    def __init__(self, name, turn, act, since):
        self.prefix, self.left, self.act = f"fastgd_{name}-", turn, act
        self.name, self.since = f"{name} {turn}", since

    def transition(self, key, start, finish, *args, worker=None, **kwargs):
        """Of a task."""
        if finish == "processing" and str(key).startswith(self.prefix) and self.since():
            self.left -= 1
            if self.left == 0:
                self.act(self.scheduler.tasks[key].processing_on.address)

    async def start(self, scheduler):
        """Know the scheduler."""
        self.scheduler = scheduler


@contextlib.contextmanager
def watched(client, name, turn, act, since=lambda: True):
    """Watch a cluster; that it acted is asserted in the end."""
    scheduler = client.cluster.scheduler
    watch = Watch(name, turn, act, since)
    watch.scheduler = scheduler
    client.sync(add, scheduler, watch)
    try:
        yield
    finally:
        client.sync(remove, scheduler, watch)
    assert watch.left <= 0


async def add(scheduler, watch):
    """In the scheduler's thread."""
    scheduler.add_plugin(watch, name=watch.name)


async def remove(scheduler, watch):
    """In the scheduler's thread."""
    scheduler.remove_plugin(watch.name)


class Shards(Source):
    """Rows in memory as a source of shards of given lengths, in pieces of ``step`` rows.

    ``fault`` is what reading shard number ``faulty`` does: "raise", "abort", or a path of a file in whose absence it
    ends the process, after it has made it.
    """

    parts = ("X", "y")

    def __init__(self, rows, y, lengths, step=1000, faulty=None, fault=None):
        self.rows, self.y, self.step, self.faulty, self.fault = rows, y, step, faulty, fault
        self.columns, self.dtype, self.sparse = rows.shape[1], rows.dtype, rows.sparse
        self.shards = tuple(Shard(f"part {k}", length) for k, length in enumerate(lengths))

    stored = property(lambda self: self.rows.stored)

    def pieces(self, shard, parts=("X", "y")):
        """Some rows at a time."""
        if shard == self.faulty and "X" in parts:
            self.fail()
        first, last = self.starts[shard : shard + 2].tolist()
        for lo in range(first, last, self.step):
            hi = min(lo + self.step, last)
            yield Block(slice_of(self.rows, lo, hi) if "X" in parts else None, self.y[lo:hi] if "y" in parts else None)

    def fail(self):
        """As told."""
        if self.fault == "raise":
            raise OSError("the disk is on fire")
        if self.fault == "abort":
            os.abort()
