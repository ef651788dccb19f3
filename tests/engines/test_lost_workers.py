"""Workers that are killed, stopped and added in the middle of a fit: the bits of a fit where nothing happens.

What happens does so when a task is seen to begin, not after a time.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading

import dask
import distributed
import numpy as np
import pytest
from clusters import Shards, local, watched

import fastgd
from fastgd.engines import Dask, cluster_rows
from fastgd.kernels import full_batch
from fastgd.kernels.layouts import Dense, frozen

pytestmark, LONG = pytest.mark.slow, pytest.mark.long
RNG = np.random.default_rng(0)
N, D = 20_000, 8
OPTIONS = {"loss": "log_loss", "optimizer": "momentum", "epochs": 8}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of 264 rows."""
    monkeypatch.setattr(full_batch, "CHUNK_ELEMENTS", 1)
    monkeypatch.setattr(full_batch, "DENSE_CHUNKS", 10**6)


@pytest.fixture
def case():
    """A source, and the fit of its rows in memory."""
    X = RNG.standard_normal((N, D))
    y = np.where(X @ np.linspace(-1, 1, D) + RNG.logistic(size=N) > 0, 1.0, 0.0)
    return Shards(Dense(frozen(X)), y, [5000] * 4), fastgd.fit(X, y, **OPTIONS)


@pytest.fixture(scope="module")
def cluster():
    """A cluster whose workers come back when they are killed."""
    with local(2) as client:
        yield client


@pytest.fixture
def workers(cluster):
    """Its client, when both are there."""
    cluster.wait_for_workers(2)
    return cluster


def assert_same(found, expected):
    """To the last bit."""
    np.testing.assert_array_equal(found.coef, expected.coef)
    np.testing.assert_array_equal(found.history.loss, expected.history.loss)


def processes(client):
    """The process of each worker."""
    return client.run(os.getpid)


@pytest.mark.parametrize(
    ("what", "turn"), [pytest.param("load", 1, marks=LONG), ("pass", 2), pytest.param("pass", 24, marks=LONG)]
)
def test_a_worker_is_killed(case, workers, what, turn):
    (source, expected), pids = case, processes(workers)
    with watched(workers, what, turn, lambda worker: os.kill(pids[worker], signal.SIGKILL)):
        assert_same(fastgd.fit(source, engine=Dask(workers), **OPTIONS), expected)


def test_all_workers_are_killed_at_once(case, workers):
    (source, expected), pids = case, processes(workers).values()
    with watched(workers, "pass", 12, lambda _: [os.kill(pid, signal.SIGKILL) for pid in pids]):
        assert_same(fastgd.fit(source, engine=Dask(workers), **OPTIONS), expected)


@LONG
def test_one_after_the_other_is_killed(case, workers):
    (source, expected), pids = case, processes(workers)

    def kill(worker):
        os.kill(pids.pop(worker), signal.SIGKILL)

    with watched(workers, "pass", 5, kill), watched(workers, "pass", 40, lambda _: kill(next(iter(pids)))):
        assert_same(fastgd.fit(source, engine=Dask(workers), **OPTIONS), expected)


@LONG
def test_workers_join_and_take_their_share(case, monkeypatch):
    monkeypatch.setattr(cluster_rows, "LOOK", 0.0)
    source, expected = case
    with local(1) as client:
        held = []

        def grow(progress):
            if progress.epoch == 3:
                client.cluster.scale(3)
                client.wait_for_workers(3)
            keys = client.has_what().values()
            held.append(sorted(sum(key.startswith("fastgd_load") for key in some) for some in keys))

        assert_same(fastgd.fit(source, engine=Dask(client), callback=grow, **OPTIONS), expected)
    assert held[0] == [held[0][0]]
    assert len(held[-1]) == 3
    assert held[-1][0] >= 1
    assert held[-1][-1] <= 3 < held[0][0]  # the scheduler may have a copy or two more


@LONG
def test_a_worker_is_retired(case):
    source, expected = case
    with local(2) as client:
        address = next(iter(processes(client)))
        retire = threading.Thread(target=client.retire_workers, args=([address],))
        with watched(client, "pass", 6, lambda _: retire.start()):
            assert_same(fastgd.fit(source, engine=Dask(client), **OPTIONS), expected)
        retire.join()


@LONG
def test_a_worker_stops_for_good(case):
    source, expected = case
    # A worker that loads the compiler on a busy machine was silent for more than 2 s.
    with dask.config.set({"distributed.scheduler.worker-ttl": "10s"}), local(2) as client:
        pids = processes(client)
        with watched(client, "pass", 6, lambda worker: os.kill(pids[worker], signal.SIGSTOP)):
            assert_same(fastgd.fit(source, engine=Dask(client), **OPTIONS), expected)


def test_the_driver_is_killed_and_goes_on(case, workers, tmp_path):
    source, expected = case
    path, script = tmp_path / "run.npz", tmp_path / "driver.py"
    (tmp_path / "case.pickle").write_bytes(pickle.dumps(source))
    script.write_text(DRIVER)
    given = [sys.executable, script, workers.scheduler.address, path, tmp_path / "case.pickle"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    driver = subprocess.Popen(given, env=environment, start_new_session=True)
    with watched(workers, "pass", 8, lambda _: driver.kill(), since=path.exists):
        assert driver.wait() == -signal.SIGKILL
    assert 0 < fastgd.load(path).n_epochs < OPTIONS["epochs"]
    assert_same(fastgd.fit(source, engine=Dask(workers), resume=path, **OPTIONS), expected)


DRIVER = """
import pickle, sys
import distributed, fastgd
from fastgd.kernels import full_batch

full_batch.CHUNK_ELEMENTS, full_batch.DENSE_CHUNKS = 1, 10**6
if __name__ == "__main__":
    with distributed.Client(sys.argv[1]) as client, open(sys.argv[3], "rb") as file:
        engine = fastgd.engines.Dask(client, checkpoint=sys.argv[2], checkpoint_every=0.0)
        fastgd.fit(pickle.load(file), engine=engine, loss="log_loss", optimizer="momentum", epochs=8)
"""


@LONG
def test_two_fits_at_once(case, workers):
    source, expected = case
    found = {}
    with distributed.Client(workers.cluster, set_as_default=False) as other:

        def fit(k):
            found[k] = fastgd.fit(source, engine=Dask((workers, other)[k]), **OPTIONS)

        fits = [threading.Thread(target=fit, args=(k,)) for k in range(2)]
        for one in fits:
            one.start()
        for one in fits:
            one.join()
    assert_same(found[0], expected)
    assert_same(found[1], expected)
