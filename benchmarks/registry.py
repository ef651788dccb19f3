"""What the entries of the registry are (``cases.py`` has them all), and what is asked of any of them.

A `Case` says what is computed, on which data; every driver reads it: the table and the report of peers,
pytest-benchmark, asv, instruction counts, the gate. A `Comparison` brings callables of its own: fastgd against a bound
of the machine, or against itself. A `Limit` is a number of a whole process.
"""

import contextlib
import importlib.util
import traceback
from typing import NamedTuple

import numpy as np

TYPES = (np.float32, np.float64)
STEPS, OBJECTIVE = "steps", "objective"  # what peers have in common: the very steps, or where they lead


class Data(NamedTuple):
    """What the data are like: made by ``data.made`` from the seed, nothing is downloaded."""

    n: int
    d: int
    dtype: str = "float64"
    columns: str = "normal"  # a name of data.MAKERS: "normal" is dense, "uniform" and "zipf" are sparse rows
    drawn: int = 0  # about how many numbers a sparse row has
    seed: int = 0

    def __str__(self):
        sparse = f", {self.drawn} a row" if self.drawn else ""
        return f"{self.n:,} x {self.d:,}{sparse}, {self.dtype}"


class Case(NamedTuple):
    """What is computed, on which data, against whom, and what the project promises of it."""

    name: str
    sizes: tuple  # of Data
    options: dict  # as the function of fastgd's takes them: loss, penalty, optimizer, batch, rates, ...
    peers: tuple = ()  # names of peers.PEERS (equal steps) or solvers.SOLVERS (an equal objective)
    out: dict = {}  # peers one would look for: why they are left out
    call: str = "fit"  # the function of fastgd's: fit, sweep, lr_find or minimize
    race: str = STEPS
    small: Data = Data(2_000, 10)  # a smoke run's
    gate: Data | None = None  # the gate's: counted, and held against the NumPy reference
    kernels: tuple = ()  # "module.name" of compiled loops that must have packed fused multiply-adds
    floors: dict = {}  # how many times faster than a peer fastgd is to be
    within: float = 1e-6  # how far objectives may lie apart, relatively, where steps are equal
    threads: int | None = 1  # on both sides; None: all that the process may use
    several: bool = False  # whether the targets are more than two classes

    @property
    def lanes(self):
        """How many models one call trains."""
        rates = self.options.get("learning_rate")
        return len(rates) if self.call == "sweep" and isinstance(rates, (list, tuple)) else 1

    def steps(self, data):
        """The steps that everyone takes, where they are the same."""
        if self.race != STEPS or self.call not in ("fit", "sweep"):
            return None
        batch = self.options["batch_size"]
        return self.options["epochs"] * (1 if batch is None else -(-data.n // batch))


class Comparison(NamedTuple):
    """fastgd against callables that one function makes: ``make(*size)`` is a dict of them, ``fastgd`` first.

    A callable returns the objective it reached, so that nobody is faster by doing less: a number, an array of them, or
    a function that gives it and is called outside of the timing. ``floors`` say how many times faster than a peer
    ``fastgd`` must be, ``limits`` how many times its time a peer may take at most, where the peers are fastgd's own.
    """

    name: str
    make: object
    sizes: tuple
    small: tuple  # the size of a smoke run
    floors: dict = {}
    within: float = 1e-6  # how far the peers' objectives may lie apart, relatively; all must be finite
    limits: dict = {}
    grows: dict = {}  # the work of each run, where the power of it that the time grows as is asked for
    axis: str = ""  # what that work is
    threads: int | None = None  # as a case's


class Limit(NamedTuple):
    """A number of a whole process and what it may be at most."""

    name: str
    make: object
    limit: float
    unit: str


def both(*shapes, types=("float64", "float32")):
    """Every shape in both types."""
    return tuple(shape._replace(dtype=dtype) for dtype in types for shape in shapes)


def has(package):
    return importlib.util.find_spec(package) is not None


NOT_INSTALLED, FAILS = "is not installed", "fails: "


def failure(error):
    """What went wrong, in a line; all of it goes to the terminal."""
    traceback.print_exception(error)
    return f"{FAILS}{type(error).__name__}: {error}".splitlines()[0]


def peer(package, make, *arguments):
    """The peer that needs a package, or why there is none: one that is broken must not stop the others."""
    if not has(package):
        return NOT_INSTALLED
    try:
        return make(*arguments)
    except Exception as error:
        return failure(error)


def limited(case):
    """A context in which BLAS and OpenMP have no more threads than a case."""
    if not has("threadpoolctl"):
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(getattr(case, "threads", None))


def parted(runs):
    """Those that run, and of the others why they don't."""
    there = {name: run for name, run in runs.items() if callable(run)}
    return there, {name: why for name, why in runs.items() if name not in there}


def reached(runs):
    """The objectives of the runs that have one."""
    values = {name: run() for name, run in runs.items()}
    values = {name: value() if callable(value) else value for name, value in values.items()}
    return {name: value for name, value in values.items() if value is not None}


def apart(ours, theirs):
    """How far objectives lie above fastgd's, relatively: of many the furthest; finite only where all are."""
    ours, theirs = np.broadcast_arrays(np.asarray(ours, np.float64), theirs)
    with np.errstate(invalid="ignore"):
        away = np.ravel((theirs - ours) / np.where(ours == 0, 1.0, np.abs(ours)))
    return float(away[np.argmax(np.abs(away))])


def agree(values, within):
    """Whether objectives lie no further than ``within`` from fastgd's, relatively, all finite."""
    away = [apart(values["fastgd"], value) for value in values.values()]
    return all(np.isfinite(one) and abs(one) <= within for one in away)
