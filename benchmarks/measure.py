"""How two things are timed on a shared machine: in turn, many times, and only their ratio counts."""

import contextlib
import math
import statistics
import time
from typing import NamedTuple

from numba.core import event

from fastgd.kernels import environment

PAUSE = 0.05  # seconds: BLAS's threads spin for a while after a product, on the processors that the next run needs
FEWEST = 3  # turns: fewer have no quartiles


class Ratio(NamedTuple):
    """How many times faster ``fastgd`` was than a peer, in one interleaved run."""

    median: float
    low: float  # the quartiles of the ratios of neighbouring runs
    high: float


class Timed(NamedTuple):
    """What a run returns that was timed by a clock of its own."""

    seconds: float
    objective: object  # as runs return it

    def __call__(self):
        return self.objective() if callable(self.objective) else self.objective


def interleave(runs, repeats, most=math.inf, warm=False, clock=time.perf_counter):
    """Seconds, by a clock, of each of ``runs`` (a dict of callables), called in turn ``repeats`` times.

    One uncounted turn comes before, unless they are ``warm``. Once the counted turns took ``most`` seconds the rest is
    left out, but for a few turns, and those too where they take far longer.
    """
    seconds, began = {name: [] for name in runs}, None
    for turn in range(1 if warm else 0, repeats + 1):
        if turn == 1:
            began = time.perf_counter()
        elif turn and time.perf_counter() - began > (most if turn > FEWEST else 4 * most):
            break
        # Every other turn goes backwards, so that no run always follows the same one.
        for name in list(runs) if turn % 2 else list(runs)[::-1]:
            rest()
            spent = timed(runs[name], clock)[0]
            if turn:
                seconds[name].append(spent)
    return seconds


def timed(run, clock=time.perf_counter):
    """Seconds of a run, by the clock of its own where it has one, and what it returns."""
    began = clock()
    result = run()
    seconds = clock() - began
    return (result.seconds if isinstance(result, Timed) else seconds), result


def rest():
    time.sleep(PAUSE)


@contextlib.contextmanager
def no_compiling():
    """Raise when Numba compiles a function inside, or loads one from the disk, by the function's name."""
    before = signatures()
    with event.install_recorder("numba:compile") as heard:
        yield
    compiled = {name_of(start.data["dispatcher"]) for _, start in heard.buffer if start.is_start}
    found = sorted(compiled | {name for name, _ in signatures() - before})
    if found:
        raise AssertionError(f"compiled or loaded while being timed: {', '.join(found)}")


def signatures():
    """The name and types of all that this process has of fastgd's kernels."""
    return {(name_of(kernel), types) for kernel in environment.dispatchers() for types in kernel.overloads}


def name_of(kernel):
    """A kernel's name without the stamp of its sources."""
    return f"{kernel.py_func.__module__}.{kernel.py_func.__qualname__}".partition("__")[0]


def ratio(ours, peer):
    """The median and the quartiles of the ratios turn by turn: what slows a whole turn down is in neither."""
    turns = sorted(theirs / mine for theirs, mine in zip(peer, ours, strict=True))
    cut = statistics.quantiles(turns, n=4, method="inclusive") if len(turns) > 1 else [turns[0]] * 3
    return Ratio(cut[1], cut[0], cut[2])


def power(work, seconds):
    """The power of the work that the median time grows as, fitted to all runs."""
    sizes = [math.log(work[name]) for name in work]
    return statistics.linear_regression(sizes, [math.log(statistics.median(seconds[name])) for name in work]).slope
