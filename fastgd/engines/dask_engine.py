"""The engine of a Dask cluster: its client, and how to wait for what tasks make of rows."""

from __future__ import annotations

import asyncio
import functools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs import arguments
from ..inputs.options import FitOptions
from ..parts.registry import known_options
from ..sources.base import Source, Y
from ..wording import level_outside
from . import failures, tasks
from .cluster_rows import ClusterRows, released

if TYPE_CHECKING:
    from .._types import Path

NO_CLIENT = (
    'engine="dask" needs a client: make one first, distributed.Client() for the processors of this machine or '
    'distributed.Client("tcp://scheduler:8786") for a cluster, or pass fastgd.engines.Dask(client).'
)
CPUS = (
    "The workers are of different kinds ({}): which of them sums which rows may change the last bits of the model. Use "
    "workers of one kind where runs are to be repeated to the bit."
)
ONCE = "{source} can be read once only, and a cluster reads rows again where a worker is lost: write it with .cached()."
LOOK = 2.0  # seconds between looks at what does not come


class Dask:
    """A Dask cluster, in whose workers' memory the rows of a source lie while it is fitted.

    Parameters
    ----------
    client : distributed.Client or None, default None
        The cluster's client. None is the default client when a fit begins.
    checkpoint : path or None, default None
        A file in which a fit keeps its state: one whose process was killed goes on from there, with ``resume`` and the
        same source and options, to the bits of a fit that was not. The rows are loaded again.
    checkpoint_every : float, default 60.0
        Seconds between two writings of it.
    timeout : float, default 60.0
        Seconds after which it is an error that no worker runs: there is none, or all are paused for want of memory.

    Raises
    ------
    ModuleNotFoundError
        Where Dask is not installed.
    ValueError
        Where a fit begins and there is no client.

    Examples
    --------
    >>> import fastgd
    >>> fastgd.engines.Dask(timeout=10).timeout
    10.0
    """

    @functools.partial(known_options, name="Dask")
    def __init__(
        self,
        client: Any = None,
        *,
        checkpoint: Path | None = None,
        checkpoint_every: float = 60.0,
        timeout: float = 60.0,
    ) -> None:
        distributed = failures.distributed()
        if not isinstance(client, distributed.Client | None):
            raise TypeError(f"client={client!r} is no distributed.Client: make one, Client(address).")
        self.given, self.timeout = client, arguments.number("timeout", timeout, low=0.0)
        self.checkpoint = checkpoint
        self.checkpoint_every = arguments.number("checkpoint_every", checkpoint_every, low=0.0)

    @property
    def client(self) -> Any:
        """The client of the cluster."""
        if self.given is not None:
            return self.given
        try:
            return failures.distributed().Client.current()
        except ValueError:
            raise ValueError(NO_CLIENT) from None

    def rows(self, source):
        """The X of a source, to be loaded into the workers when it is first needed."""
        if not isinstance(source, Source):
            raise TypeError(f"A source is needed, not {type(source).__name__}: pass one of fastgd.sources.")
        if not source.repeatable:
            raise ValueError(ONCE.format(source=source))
        return ClusterRows(source, On(self.client, self.timeout))

    def run(self, source, function, given):
        """What a function found by its name makes of a source and each of some tuples of arguments: a list."""
        rows = self.rows(source)
        sent = rows.shared(source)
        asked = [(function, sent, tasks.packed(arguments)) for arguments in given]
        return rows.cluster.results(rows, rows.map("run", tasks.called, *zip(*asked, strict=True)))

    def estimate(self, source, **options):
        """What a pass over a source will cost on the cluster and here, and whether the cluster pays; takes about 2 s.

        Parameters
        ----------
        source : Source
        **options
            Those of :func:`fastgd.fit`: a loss of several classes, or ``bootstrap``, makes a pass send more numbers.

        Returns
        -------
        Estimate
            ``seconds`` of a pass, ``here`` on this machine, ``pays``, the parts of both, and the constants that were
            measured. Printed, it is a text.
        """
        from .cost import estimated, measured

        options = FitOptions.checked(options)
        rows = self.rows(source)
        workers = rows.cluster.workers()
        threads = sum(worker["nthreads"] for worker in workers)
        constants = measured(self.client, source, threads, options.n_threads)
        lanes = (classes_of(source) if options.loss.joint else 1) * (1 + options.bootstrap)
        return estimated(constants, source, len(workers), threads, len(rows.edges) - 1, lanes)


def classes_of(source):
    """How many labels the first rows have."""
    first = next(shard for shard, (_, rows) in enumerate(source.shards) if rows)
    return len(np.unique(next(source.pieces(first, (Y,))).y))


class On:
    """A cluster for the time of one fit."""

    def __init__(self, client, timeout):
        self.client, self.timeout, self.cpus = client, timeout, frozenset()

    def workers(self):
        """What is known of each worker, the number of its threads and its memory among it; waits for the first one."""
        from .warming import Warm

        failures.waits_for(self.client, self.timeout)
        self.client.register_plugin(Warm())
        return list(self.client.scheduler_info(n_workers=-1)["workers"].values())

    def results(self, rows, futures):
        """The values that tasks have made, in order; raises what went wrong."""
        try:
            with failures.told(rows):
                found = self.gathered(list(futures))
        except BaseException:
            released(futures)
            rows.let_go()
            raise
        self.notice(frozenset().union(*(made.cpus for made in found)))
        return [made.value for made in found]

    def gathered(self, futures):
        """The results of tasks, once they are there; raises where one has failed, or no worker has run for too long.

        The client's own ``gather`` would wait for ever where a result is lost with the last worker.
        """

        async def gather():
            return await self.client.gather(futures, asynchronous=True)

        coming, idle = asyncio.run_coroutine_threadsafe(gather(), self.client.loop.asyncio_loop), 0.0
        try:
            while True:
                try:
                    return coming.result(LOOK)
                except TimeoutError:
                    if coming.done():  # it is the task's own
                        raise
                known = self.client.scheduler_info(n_workers=-1)["workers"].values()
                idle = 0.0 if any(worker["status"] == "running" for worker in known) else idle + LOOK
                if idle >= self.timeout:
                    raise RuntimeError(failures.NO_WORKERS.format(seconds=idle))
        finally:
            coming.cancel()

    def notice(self, cpus):
        """Tell once that processors differ."""
        if len(self.cpus) < 2 <= len(cpus | self.cpus):
            warnings.warn(CPUS.format("; ".join(sorted(cpus | self.cpus))), UserWarning, stacklevel=level_outside())
        self.cpus |= cpus
