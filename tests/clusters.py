"""Clusters of processes on this machine, for tests."""

import contextlib

import distributed


@contextlib.contextmanager
def local(workers, threads=1, **options):
    """The client of a cluster of some processes, which does not become the default client."""
    options = {"dashboard_address": None, "memory_limit": 0, "threads_per_worker": threads} | options
    with (
        distributed.LocalCluster(n_workers=workers, processes=True, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client
