"""A cluster that makes passes over rows, simulated event by event: stragglers, lost workers, rows loaded again.

A pass is as ``fastgd.engines`` makes it: the scheduler hands out a task for each bundle, one after the other, to the
worker that holds it; a worker's threads take its tasks in turn; sums are added eight at a time. A worker that is lost
takes its running tasks, its finished sums of the pass and its bundles with it. After a while that is noticed: other
workers load the bundles again and do its tasks. It comes back without any rows, and loads its share of the bundles when
the next pass begins. Everything is drawn from one seed.
"""

import heapq
from dataclasses import dataclass
from itertools import count

import numpy as np

FAN_IN = 8


@dataclass(frozen=True)
class Cluster:
    """What is simulated; seconds and bytes."""

    workers: int
    stored: float  # bytes of the rows
    threads: int = 1  # of a worker
    bundles: int = 0  # 0: one for each thread
    sent: float = 0.0  # bytes that a bundle's sums take
    latency: float = 0.01  # of a pass of one task
    task: float = 1e-3  # of the scheduler, each task
    rate: float = 5e9  # bytes a second that a thread reads in a pass
    network: float = 1.25e9
    spread: float = 0.1  # standard deviation of the logarithm of a task's time: stragglers
    lost_an_hour: float = 0.0  # of each worker
    noticed: float = 30.0  # after so long a lost worker is known to be lost
    back: float = 60.0  # after so long from then on it is there again, without rows
    storage: float = 5e8  # bytes a second that a worker loads

    @property
    def parts(self):
        """How many bundles there are."""
        return self.bundles or self.workers * self.threads


class Run:
    """Passes of a cluster, one after the other."""

    def __init__(self, cluster, seed=0):
        self.cluster, self.random = cluster, np.random.default_rng(seed)
        self.now, self.lost, self.alive = 0.0, 0, [True] * cluster.workers
        self.holder = [k % cluster.workers for k in range(cluster.parts)]
        self.order, self.events = count(), []
        for worker in range(cluster.workers):
            self.plan_loss(worker)

    def at(self, seconds, what, *about):
        """Something that happens after some seconds."""
        heapq.heappush(self.events, (self.now + seconds, next(self.order), what, about))

    def plan_loss(self, worker):
        """Draw when a worker is lost."""
        if self.cluster.lost_an_hour > 0:
            self.at(self.random.exponential(3600.0 / self.cluster.lost_an_hour), self.lose, worker)

    def one_pass(self):
        """The seconds of a pass."""
        cluster, began = self.cluster, self.now
        self.waiting = [[] for _ in range(cluster.workers)]
        self.free, self.running, self.done = [cluster.threads] * cluster.workers, {}, set()
        moved = self.balance()
        for bundle in range(cluster.parts):
            self.at(cluster.latency / 2 + (bundle + 1) * cluster.task, self.hand_out, bundle, float(bundle in moved))
        while len(self.done) < cluster.parts:
            time, _, what, about = heapq.heappop(self.events)
            self.now = max(self.now, time)  # what happened while sums were added is seen now
            what(*about)
        level = cluster.parts
        while level > 1:
            level = -(-level // FAN_IN)
            # Nodes of a level are added side by side, the last one's numbers go on from there.
            self.now += cluster.task * level + FAN_IN * cluster.sent / cluster.network
        self.now += cluster.latency / 2
        return self.now - began

    def balance(self):
        """Move bundles to workers that have too few; they are to be loaded there."""
        held = {worker: self.of(worker) for worker, alive in enumerate(self.alive) if alive}
        moved = set()
        while held:
            most, least = (pick(held, key=lambda worker: len(held[worker])) for pick in (max, min))
            if len(held[most]) <= len(held[least]) + 1:
                break
            bundle = held[most].pop()
            held[least].append(bundle)
            self.holder[bundle] = least
            moved.add(bundle)
        return moved

    def hand_out(self, bundle, load):
        """A bundle's task reaches its worker, which may have to load the bundle first."""
        worker = self.holder[bundle]
        self.waiting[worker].append((bundle, load))
        self.begin(worker)

    def begin(self, worker):
        """Threads that are free take tasks; a worker that is lost takes none."""
        cluster = self.cluster
        while self.alive[worker] and self.free[worker] and self.waiting[worker]:
            bundle, load = self.waiting[worker].pop(0)
            self.free[worker] -= 1
            size = cluster.stored / cluster.parts
            seconds = size / cluster.rate * self.random.lognormal(-(cluster.spread**2) / 2, cluster.spread)
            self.running[bundle] = token = object()
            self.at(load * size / cluster.storage + seconds, self.end, worker, bundle, token)

    def end(self, worker, bundle, token):
        """A task is done, unless its worker was lost meanwhile."""
        if self.running.get(bundle) is token:
            del self.running[bundle]
            self.done.add(bundle)
            self.free[worker] += 1
            self.begin(worker)

    def lose(self, worker):
        """A worker is lost, with what it holds."""
        if self.alive[worker]:
            self.alive[worker], self.lost = False, self.lost + 1
            for bundle in self.of(worker):
                self.running.pop(bundle, None)
                self.done.discard(bundle)
            self.waiting[worker].clear()
            self.at(self.cluster.noticed, self.notice, worker)

    def notice(self, worker):
        """Its bundles go to those that have the fewest; where nobody is left they wait for it."""
        self.at(self.cluster.back, self.come_back, worker)
        others = [k for k in range(self.cluster.workers) if self.alive[k]] or [worker]
        held = {k: len(self.of(k)) for k in others}
        for bundle in self.of(worker):
            self.holder[bundle] = least = min(others, key=held.get)
            held[least] = held.get(least, 0) + 1
            self.hand_out(bundle, 1.0)

    def come_back(self, worker):
        """It has no rows."""
        self.alive[worker], self.free[worker] = True, self.cluster.threads
        self.plan_loss(worker)
        self.begin(worker)

    def of(self, worker):
        """The bundles that a worker holds."""
        return [bundle for bundle, holder in enumerate(self.holder) if holder == worker]


def passes(cluster, number=50, seed=0):
    """The seconds of each of some passes (number,), and how many workers were lost."""
    run = Run(cluster, seed)
    return np.array([run.one_pass() for _ in range(number)]), run.lost
