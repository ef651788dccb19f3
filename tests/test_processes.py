"""Threads, forks, spawned processes, joblib: no abort, no hang, and the bits of a fit in a quiet process.

A scenario is a function below that runs in a process of its own: ``python tests/test_processes.py <name>``. It prints
a line of digests for each run of all fits; the tests compare them with those of the scenario ``quiet``.
"""

import asyncio
import atexit
import concurrent.futures
import functools
import hashlib
import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading

import hangs
import numba
import numpy as np
import pytest
from numba.core import event

import fastgd
from fastgd.kernels import _cache
from fastgd.kernels.threads import available_threads
from fastgd.solvers import passes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.jit,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and signals are POSIX's"),
]
ENDLESS = 10**9


# The fits ---------------------------------------------------------------------------------------------------------


@functools.cache
def rows(n, d=40):
    """A regression in float32; from 160,000 rows on a pass has tasks for 4 threads."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype=np.float32)
    return X, X @ np.linspace(-1, 1, d, dtype=np.float32) + rng.standard_normal(n, dtype=np.float32)


LARGE, SMALL = 160_000, 3000


def fit(n, **options):
    return fastgd.fit(*rows(n), learning_rate=1e-3, random_state=0, **options)


def full_batch():
    return [fit(LARGE, epochs=2, n_threads=threads) for threads in (1, 2, 4)]


def chosen(n=LARGE):
    return [fastgd.fit(*rows(n), epochs=2, batch_size=None, n_threads=2)]


def mini_batches():
    return [fit(SMALL, epochs=3, batch_size=32, optimizer="adam")]


def single_rows():
    return [fit(SMALL, epochs=3, batch_size=1)]


def saved_and_resumed():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.npz")
        fit(SMALL, epochs=2, batch_size=1).save(path)
        return [fit(SMALL, epochs=3, batch_size=1, resume=fastgd.load(path))]


@functools.cache
def functions():
    def fun(x):
        return (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2

    def grad(x):
        return np.array([2 * (x[0] - 1) - 40 * x[0] * (x[1] - x[0] ** 2), 20 * (x[1] - x[0] ** 2)])

    return numba.njit(fun), numba.njit(grad)


def minimized():
    fun, grad = functions()
    return [fastgd.minimize(fun, np.array([-1.0, 1.0]), grad, learning_rate=0.01, max_iter=2000)]


FITS = full_batch, chosen, mini_batches, single_rows, saved_and_resumed
ALL = *FITS, minimized  # compiles for 3 s in each process that begins afresh


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:12]


def bits(result):
    if hasattr(result, "x"):
        return digest(result.x, result.jac, result.history.x, result.history.fun)
    return digest(result.coef, result.intercept, result.history.loss, result.history.gradient_norm)


def everything(fits=FITS):
    """The digests of all fits, by name."""
    return {one.__name__: [bits(result) for result in one()] for one in fits}


def report(*digests):
    for line in digests:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


# Scenarios: run in a process of their own ---------------------------------------------------------------------------


def quiet():
    report(everything(ALL))


def side_by_side(fits=ALL, threads=4):
    """The fits in several threads that start together."""
    meeting = threading.Barrier(threads)

    def begin(_):
        meeting.wait()
        return everything(fits)

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        report(*pool.map(begin, range(threads)))


def first_compilation():
    _cache.LOCK_SECONDS = ENDLESS
    side_by_side((mini_batches, single_rows))


def in_fork(function, *arguments):
    """What a function returns in a forked child."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(send, json.dumps(function(*arguments)).encode())
        finally:
            os._exit(0)
    os.close(send)
    with open(receive) as file:
        text = file.read()
    assert os.waitpid(child, 0)[1] == 0
    return json.loads(text)


class Busy:
    """A fit in a thread, that goes on until the block ends."""

    def __init__(self, n=LARGE, daemon=False, **options):
        self.begun, self.enough, self.options = threading.Event(), False, {"n": n, **options}
        self.thread = threading.Thread(target=self.run, daemon=daemon)

    def look(self, progress):
        self.begun.set()
        return self.enough

    def run(self):
        self.result = fit(**self.options, epochs=ENDLESS, callback=self.look)

    def __enter__(self):
        self.thread.start()
        self.begun.wait()
        return self

    def __exit__(self, *error):
        self.enough = True
        self.thread.join()
        undisturbed = fit(**self.options, epochs=self.result.n_epochs)
        assert bits(undisturbed) == bits(self.result)


def forked():
    report(everything(ALL))
    with Busy(n_threads=2), Busy(SMALL, batch_size=1):
        report(in_fork(everything, ALL))
        report(in_fork(in_fork, everything))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        report(*pool.map(everything, [FITS] * 2, chunksize=1))
    report(everything(ALL))


FORKS = 12


def forked_while_choosing():
    """Default fits in a thread while this one forks: 5 of 15 children waited for what its fits computed once."""
    enough = threading.Event()

    def go_on():
        while not enough.is_set():
            chosen(SMALL)

    before, thread = everything([chosen]), threading.Thread(target=go_on)
    thread.start()
    assert all(in_fork(everything, [chosen]) == before for _ in range(FORKS))
    enough.set()
    thread.join()
    report(before)


def once_compiling(action):
    """``action`` is called when the first compilation begins, in its thread; waits for its file lock have no end."""
    _cache.LOCK_SECONDS = ENDLESS

    class Listener(event.Listener):
        def on_start(self, event):
            if waiting:
                waiting.pop()()

        def on_end(self, event):
            pass

    waiting = [action]
    event.register("numba:compile", Listener())


def forked_while_compiling():
    """The child compiles too: it must not wait for a lock that a thread of the parent held."""
    compiling = threading.Event()
    once_compiling(compiling.set)
    thread = threading.Thread(target=single_rows)
    thread.start()
    compiling.wait()
    report(in_fork(everything, (mini_batches, single_rows)))
    thread.join()


def interrupted_while_compiling():
    """A signal's handler fits while the kernel that it needs is being compiled in its own thread."""
    signal.signal(signal.SIGUSR1, lambda *_: report(everything([single_rows])))
    once_compiling(lambda: signal.raise_signal(signal.SIGUSR1))
    report(everything([single_rows]))


def spawned(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        report(*pool.map(everything, [FITS] * 2, chunksize=1))


def in_worker():
    return everything(), available_threads()


def joblib_in_joblib(backend):
    import joblib

    return joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(in_worker)() for _ in range(2))


def in_joblib(backend):
    import joblib

    plain = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(in_worker)() for _ in range(2))
    nested = joblib.Parallel(n_jobs=-1, backend=backend)(joblib.delayed(joblib_in_joblib)(backend) for _ in range(2))
    ran = [*plain, *itertools.chain.from_iterable(nested)]
    assert all(threads == 1 for _, threads in ran), "a worker's fit has one thread"
    report(*(digests for digests, _ in ran))


def nested():
    """Fits from the callback of a fit, from a signal's handler, from an exit handler."""
    fit(SMALL, epochs=1, batch_size=1, callback=lambda progress: report(everything()))
    signal.signal(signal.SIGUSR1, lambda *_: report(everything()))
    for n in (SMALL, LARGE):
        fit(n, epochs=2, n_threads=2, callback=lambda progress: signal.raise_signal(signal.SIGUSR1))
    atexit.register(lambda: report(everything()))


def daemons_at_exit():
    """The interpreter goes down while daemon threads are inside fits."""
    report(everything())
    for options in ({"n_threads": 2}, {"n": SMALL, "batch_size": 1}, {"n": SMALL, "batch_size": 32}, {"n": SMALL}):
        Busy(**options, daemon=True).__enter__()


def in_asyncio():
    async def gather():
        return await asyncio.gather(*(asyncio.to_thread(everything) for _ in range(3)))

    report(*asyncio.run(gather()))


def ctrl_c():
    """An interrupted fit is that of its epochs and goes on as if nothing had been; other threads don't notice."""

    def interrupted(**options):
        began = threading.Event()

        def press():
            began.wait()
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=press)
        thread.start()
        result = fit(**options, epochs=ENDLESS, callback=lambda progress: began.set())
        thread.join()
        assert result.status == "interrupted", result
        epochs = result.n_epochs + 1
        assert bits(fit(**options, epochs=epochs, resume=result)) == bits(fit(**options, epochs=epochs))

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        other = pool.submit(everything)
        interrupted(n=LARGE, n_threads=2)
        interrupted(n=SMALL, batch_size=1)
        interrupted(n=SMALL, batch_size=32)
        report(other.result())


# Tests --------------------------------------------------------------------------------------------------------------


def start(scenario, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-W", "error::RuntimeWarning", __file__, scenario, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process):
    """The digests that a scenario printed."""
    out, err = hangs.said_by(process)
    assert process.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_large_work_is_shared():
    X, _ = rows(LARGE)
    assert X.size > 3 * passes.TASK_ELEMENTS


@pytest.fixture(scope="module")
def expected():
    """The digests of a quiet process."""
    (digests,) = finish(start("quiet"))
    assert len(set(digests["full_batch"])) == 1, "the bits depend on the number of threads"
    assert digests["saved_and_resumed"] == digests["single_rows"]
    return digests


def assert_same(ran, expected, count):
    assert len(ran) == count
    for digests in ran:
        assert digests.items() <= expected.items()


# Each starts its processes or threads as another one does.
ALIKE = {"spawned forkserver", "in_joblib threading", "in_joblib multiprocessing", "in_asyncio"}
SCENARIOS = [
    ("side_by_side", 4),
    ("forked", 6),
    ("forked_while_choosing", 1),
    ("spawned spawn", 2),
    ("spawned forkserver", 2),
    ("in_joblib loky", 6),
    ("in_joblib threading", 6),
    ("in_joblib multiprocessing", 6),
    ("nested", 6),
    ("daemons_at_exit", 1),
    ("in_asyncio", 3),
    ("ctrl_c", 1),
]


@pytest.mark.parametrize(
    ("scenario", "count"),
    [
        pytest.param(scenario, count, id=scenario, marks=[pytest.mark.long] if scenario in ALIKE else [])
        for scenario, count in SCENARIOS
    ],
)
def test_same_bits(expected, scenario, count):
    assert_same(finish(start(*scenario.split())), expected, count)


@pytest.mark.parametrize(
    ("scenario", "processes", "count"),
    [("first_compilation", 2, 4), ("forked_while_compiling", 1, 1), ("interrupted_while_compiling", 1, 2)],
)
def test_with_an_empty_cache(expected, scenario, processes, count, tmp_path):
    together = [start(scenario, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(processes)]
    for process in together:
        assert_same(finish(process), expected, count)


if __name__ == "__main__":
    import test_processes  # the functions have a module then that other processes can import

    getattr(test_processes, sys.argv[1])(*sys.argv[2:])
