"""What goes wrong on a cluster, as one error that says what, where and what to do."""

import contextlib

NO_DASK = 'Dask is not installed here: python -m pip install "fastgd[dask]".'
NO_WORKERS = (
    "The cluster has had no worker that runs for {seconds:g} s: start workers, give those that are paused more memory, "
    "or wait longer with fastgd.engines.Dask(client, timeout=...)."
)
GONE = "The cluster is gone, or its client was closed, while the rows were worked on ({why}): begin anew, or resume."
KILLED = (
    "{place}: each of the {count} workers that {doing} ended without a word. A reader may have crashed, or a worker "
    "run out of memory (its log says so): read the shard in a process of its own to see, or give workers more memory."
)


def distributed():
    """The package of Dask's clusters."""
    try:
        import distributed
    except ModuleNotFoundError:
        raise ModuleNotFoundError(NO_DASK) from None
    return distributed


def waits_for(client, timeout):
    """Wait for the first worker."""
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError:
        raise RuntimeError(NO_WORKERS.format(seconds=timeout)) from None


@contextlib.contextmanager
def told(rows):
    """Errors of a cluster as what they mean for the rows; those of tasks are raised as they are."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.client import ClosedClientError
    from distributed.comm import CommClosedError

    try:
        yield
    except KilledWorker as error:
        raise RuntimeError(killed(error, rows)) from error
    except (CancelledError, ClosedClientError, CommClosedError) as error:
        raise RuntimeError(GONE.format(why=str(error) or type(error).__name__)) from error


def killed(error, rows):
    """The message for a task whose workers all died: with its shard, or the shards of its bundle."""
    count = error.allowed_failures + 1
    loads = [future.key for future in rows.held or ()]
    if error.task not in loads:
        return KILLED.format(place="A pass", count=count, doing="worked on the same part of it")
    labels = [rows.source.shards[k].label for k in rows.suspects(loads.index(error.task))]
    place = labels[0] if len(labels) == 1 else f"One of the shards from {labels[0]} to {labels[-1]}"
    return KILLED.format(place=place, count=count, doing="read it")
