"""Whole processes: seconds and megabytes, held to a limit."""

import os
import resource
import subprocess
import sys
import tempfile
from typing import NamedTuple

import numpy as np

from .data import problem

FIRST_FIT = "import numpy as np, fastgd; fastgd.fit(np.arange(20.0).reshape(10, 2) ** 2, np.arange(10.0))"
FITS = """
fastgd.fit(X, y, epochs=2)
fastgd.fit(X, y, epochs=1, batch_size=32)
fastgd.fit(X, y, epochs=1, batch_size=1)
"""
SWEEPS = """
settings = dict(learning_rate=list(np.geomspace(1e-4, 1e-3, 64)), optimizer="adam", cv=5, epochs=1)
fastgd.sweep(X, y, batch_size=32, **settings)
fastgd.sweep(X, y, loss="huber", **settings)
fastgd.sweep(X, y, **settings)
"""
PEAK = """
import sys
import numpy as np, fastgd
X = np.load(sys.argv[1], mmap_mode="r") if sys.argv[3] == "map" else np.load(sys.argv[1])
y = np.load(sys.argv[2])
{work}
# Not getrusage: a child process inherits its parent's peak.
print(next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


WAYS = """
import numpy as np, fastgd
from fastgd.kernels import environment

rows = np.random.default_rng(0).standard_normal((64, 6))
still = rows.copy()
still.flags.writeable = False
ways = rows, still, np.asfortranarray(rows), rows[::-1], rows[:, ::-1], rows.astype(">f8"), rows.tolist()
ways += np.repeat(rows, 2, axis=0)[::2], rows.view(np.recarray), np.round(9 * rows).astype(np.int8)
for X in ways:
    fastgd.fit(X, np.arange(64.0), batch_size=1, learning_rate=0.01, epochs=1)
print(max(len(kernel.overloads) for kernel in environment.dispatchers()))
"""


class Ended(NamedTuple):
    """A process that was waited for."""

    output: str
    fine: bool
    words: str  # how it ended


def ended(command, seconds, **options):
    """Run a command that may take so many seconds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, **options)
    except subprocess.TimeoutExpired as late:
        return Ended((late.stdout or b"").decode(), False, f"took more than {seconds / 60:g} minutes")
    last = done.stderr.strip().rpartition("\n")[2]
    return Ended(done.stdout, done.returncode == 0, f"ended with code {done.returncode}: {last}")


def process(code, *arguments, **environment):
    """Run Python code in a process of its own; returns its CPU seconds and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def import_seconds():
    """The least CPU time of ``import numpy, fastgd`` less that of ``import numpy``, taken in turn."""
    turns = [(process("import numpy")[0], process("import numpy, fastgd")[0]) for _ in range(5)]
    return min(theirs for _, theirs in turns) - min(mine for mine, _ in turns)


def first_fit(warm):
    def seconds():
        with tempfile.TemporaryDirectory() as cache:
            if warm:
                process(FIRST_FIT, NUMBA_CACHE_DIR=cache)
            return min(process(FIRST_FIT, NUMBA_CACHE_DIR=cache)[0] for _ in range(3 if warm else 1))

    return seconds


def signatures():
    """The most combinations of types that any kernel is compiled for, however the same rows are passed."""
    return float(process(WAYS)[1])


def compiled_anew(code, *arguments):
    """The number that a process prints which finds nothing compiled."""
    with tempfile.TemporaryDirectory() as cache:
        return float(process(code, *arguments, NUMBA_CACHE_DIR=cache)[1])


def peak_over_data(mode, work=FITS, n=1_000_000, d=50):
    """Peak memory of fits or sweeps beyond 1.05 times the data, in megabytes."""
    peak_of(mode, work, 1_000, d)  # what is compiled is in the cache then: a compiler takes 100 MB
    return peak_of(mode, work, n, d) - 1.05 * n * d * 8 / 2**20


def peak_of(mode, work, n, d):
    X, y = problem(n, d, np.float64)
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("X.npy", "y.npy")]
        np.save(files[0], X)
        np.save(files[1], y)
        del X, y
        return float(process(PEAK.format(work=work), *files, mode)[1])
