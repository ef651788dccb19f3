"""``python -m benchmarks bandwidth``: how fast this machine reads memory, and what share of that a gradient reaches.

The ceiling is the best of some plain readings of the same array, taken in turn with fastgd's full-batch gradient: eight
streams of vector loads that are asked for ahead, one such stream, NumPy's sum and BLAS's product. Two vCPUs may be two
threads of one core, which share what it can read: two threads are no faster then.
"""

import argparse
import statistics
from typing import NamedTuple

import numba
import numpy as np

import fastgd
from fastgd.kernels.emit import BYTES, I64, ROWS, emitted
from fastgd.kernels.threads import available_threads, run_tasks
from fastgd.linear.fit import planned
from fastgd.solvers.compiled import COMPILED
from fastgd.solvers.passes import Passes

from . import machine, measure
from .arguments import positive
from .data import problem
from .lane_comparisons import on
from .registry import TYPES

SHAPES = ((1_000_000, 10), (1_000_000, 50), (400_000, 200), (40_000, 2_000))
TINY = tuple((n // 100, d) for n, d in SHAPES)  # in the cache: is everything alive?
LOSSES = {"squares": "mse", "log loss": "log_loss"}
FLOOR = 0.85  # of the ceiling; for rows of 10 columns 0.7
AHEAD = {"eight streams": 1024, "one stream": 2048}  # bytes between asking for a line and reading it
TASK_BYTES = 1 << 23


def _read(x, first, apart, count, out):
    """Add the sum of ``count`` vectors of each of eight streams, which begin ``apart`` numbers apart, to ``out``."""
    lanes = BYTES // x.itemsize
    for q in range(ROWS):
        start = first + q * apart
        out += x[start : start + count * lanes].reshape(count, lanes).sum(axis=0)


@emitted(_read)
def _eight_streams(body, x, first, apart, count, out):
    starts = [body.at(x, body.bytes(body.b.add(first, body.b.mul(apart, I64(q))))) for q in range(ROWS)]
    _add_up(body, starts, AHEAD["eight streams"], I64(BYTES), count, out)


@emitted(_read)
def _one_stream(body, x, first, apart, count, out):
    start = body.at(x, body.bytes(first))
    starts = [body.at(start, q * BYTES) for q in range(ROWS)]
    _add_up(body, starts, AHEAD["one stream"], I64(ROWS * BYTES), count, out)


def _add_up(body, starts, ahead, step, count, out):
    """Sum the vectors at ``starts`` and every ``step`` bytes on."""
    sums = [body.b.alloca(body.vec) for _ in starts]
    for total in sums:
        body.b.store(body.zero, total)

    def vector(k):
        for start, total in zip(starts, sums, strict=True):
            place = body.at(start, body.b.mul(k, step))
            body.prefetch(body.at(place, ahead), 3)
            body.b.store(body.add(body.b.load(total, typ=body.vec), body.load(place)), total)

    body.repeat(count, vector)
    whole = body.load(out)
    for total in sums:
        whole = body.add(whole, body.b.load(total, typ=body.vec))
    body.store(whole, out)


def _compiled(read):
    def kernel(x, first, apart, count, out):
        read(x, first, apart, count, out)

    return kernel if numba.config.DISABLE_JIT else numba.njit(nogil=True)(kernel)


STREAMS = {"eight streams": _compiled(_eight_streams), "one stream": _compiled(_one_stream)}


def reading(X, threads, streams="eight streams"):
    """A run that reads all whole vectors of an array but for a few, and returns their sum."""
    flat = X.reshape(-1)
    lanes = BYTES // flat.itemsize
    tasks = max(1, flat.nbytes // TASK_BYTES)
    count = flat.size // tasks // (ROWS * lanes)  # vectors of a stream of a task
    totals = np.empty((tasks, lanes), flat.dtype)

    def task(k):
        totals[k] = 0
        STREAMS[streams](flat, k * ROWS * count * lanes, count * lanes, count, totals[k])

    def run():
        run_tasks(task, tasks, threads)
        return float(totals.sum(dtype=np.float64))

    run.bytes = tasks * ROWS * count * BYTES
    return run


def full_batch_pass(X, y, w, threads, loss="mse"):
    """What a full-batch step asks of the data at coefficients (d,): a run that returns their mean loss."""
    options = {"loss": loss, "learning_rate": 0.1, "batch_size": None, "fit_intercept": False}
    _, plan = planned(COMPILED, X, y, options)
    plan.lanes.weights[0, : w.size] = w
    passes = Passes(plan.data, threads)
    return lambda: float(passes.loss(plan.parts.loss, plan.lanes)[0])


class Rates(NamedTuple):
    """GB/s in every turn, of the readings and of the gradients by loss."""

    reads: dict
    gradients: dict

    @property
    def ceiling(self):
        """The best rate of any code in any turn: in others another process may have had the memory."""
        return max(rate for rates in (*self.reads.values(), *self.gradients.values()) for rate in rates)

    def share(self, loss):
        """The share of the best reading turn by turn that a gradient reaches: the median and the quartiles."""
        best = [max(turn) for turn in zip(*self.reads.values(), strict=True)]
        shares = sorted(mine / read for mine, read in zip(self.gradients[loss], best, strict=True))
        return statistics.quantiles(shares, n=4, method="inclusive") if len(shares) > 1 else shares * 3


def rates(n, d, dtype, threads, repeats):
    """What this machine reads and fastgd's gradients reach on one array."""
    X, y = problem(n, d, dtype)
    w, ones = np.full(d, 0.01, dtype), np.ones(d, dtype)
    runs = {name: reading(X, threads, name) for name in STREAMS}
    size = {name: run.bytes for name, run in runs.items()}
    if threads == 1:
        runs["NumPy's sum"] = X.sum
    runs["BLAS's product"] = on(threads, lambda: X @ ones)
    gradients = {name: (loss, y if loss == "mse" else (y > 0).astype(dtype)) for name, loss in LOSSES.items()}
    runs |= {name: full_batch_pass(X, target, w, threads, loss) for name, (loss, target) in gradients.items()}
    seconds = measure.interleave(runs, repeats)
    found = {name: [size.get(name, X.nbytes) / 1e9 / t for t in seconds[name]] for name in runs}
    return Rates(*({name: found[name] for name in runs if (name in LOSSES) == ours} for ours in (False, True)))


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="benchmarks bandwidth", description=__doc__)
    parser.add_argument("--repeats", type=positive, default=9)
    parser.add_argument("--threads", type=positive, nargs="*", help="1 and all that the process may use")
    parser.add_argument("--smoke", action="store_true", help="a hundredth of the rows, then in the cache; one turn")
    given = parser.parse_args(arguments)
    repeats = 1 if given.smoke else given.repeats
    print(f"fastgd {fastgd.__version__} on {machine.processor()}; load {machine.load()}")
    print("GB/s, the median of turns; the share of the turn's best reading: median (quartiles).")
    reached = True
    for n, d in TINY if given.smoke else SHAPES:
        for dtype in TYPES:
            for threads in given.threads or sorted({1, available_threads()}):
                found = rates(n, d, dtype, threads, repeats)
                print(f"\n{n:,} x {d:,}, {np.dtype(dtype).name}, threads: {threads}; the best {found.ceiling:.1f} GB/s")
                for name, every in found.reads.items():
                    print(f"  {name:18} {statistics.median(every):6.1f}")
                for name, every in found.gradients.items():
                    low, share, high = found.share(name)
                    short = share < (0.7 if d <= 10 else FLOOR) and not given.smoke
                    reached &= not short
                    shown = f"{share:.0%} ({low:.0%} to {high:.0%}){'  below the floor' if short else ''}"
                    print(f"  {'gradient, ' + name:18} {statistics.median(every):6.1f}   {shown}")
    return 0 if reached else 1
