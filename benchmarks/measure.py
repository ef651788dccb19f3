"""How two things are timed on a shared machine: in turn, many times, and only their ratio counts."""

import math
import statistics
import time
from typing import NamedTuple

PAUSE = 0.05  # seconds: BLAS's threads spin for a while after a product, on the processors that the next run needs


class Ratio(NamedTuple):
    """How many times faster ``fastgd`` was than a peer, in one interleaved run."""

    median: float
    low: float  # the quartiles of the ratios of neighbouring runs
    high: float


def interleave(runs, repeats):
    """Seconds of each of ``runs`` (a dict of callables), called in turn ``repeats`` times after one uncounted turn."""
    seconds = {name: [] for name in runs}
    for turn in range(repeats + 1):
        # Every other turn goes backwards, so that no run always follows the same one.
        for name in list(runs) if turn % 2 else list(runs)[::-1]:
            time.sleep(PAUSE)
            began = time.perf_counter()
            runs[name]()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def ratio(ours, peer):
    """The ratio of the medians, and the quartiles of the ratios turn by turn."""
    turns = sorted(theirs / mine for theirs, mine in zip(peer, ours, strict=True))
    cut = statistics.quantiles(turns, n=4) if len(turns) > 1 else [turns[0]] * 3
    return Ratio(statistics.median(peer) / statistics.median(ours), cut[0], cut[2])


def power(work, seconds):
    """The power of the work that the median time grows as, fitted to all runs."""
    sizes = [math.log(work[name]) for name in work]
    return statistics.linear_regression(sizes, [math.log(statistics.median(seconds[name])) for name in work]).slope
