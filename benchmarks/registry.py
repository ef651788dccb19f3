"""What a case is: what is timed, against whom, at which sizes, and the floor that the project promises.

A case is a function of a size (rows, columns, data type) that returns callables: ``fastgd`` and its peers, None for a
peer that is not installed. Each callable returns the objective it reached, so that nobody is faster by doing less: a
number, an array of them, or a function that gives it and is called outside of the timing. Threads are equal on both
sides: full-batch passes and NumPy's products use all that the process may; single rows and mini-batches use one, many
lanes of them what the case says.
"""

import importlib.util
from typing import NamedTuple

import numpy as np

TYPES = (np.float32, np.float64)


class Case(NamedTuple):
    """One row of the report.

    ``floors`` say how many times faster than a peer ``fastgd`` must be, ``limits`` how many times its time a peer may
    take at most, where the peers are fastgd's own.
    """

    name: str
    make: object  # make(*size) -> dict of callables
    sizes: tuple
    small: tuple  # the size of a smoke run
    floors: dict
    within: float = 1e-6  # how far the peers' objectives may lie apart, relatively; all must be finite
    limits: dict = {}
    grows: dict = {}  # the work of each run, where the power of it that the time grows as is asked for


class Limit(NamedTuple):
    """A number of a whole process and what it may be at most."""

    name: str
    make: object
    limit: float
    unit: str


def has(package):
    return importlib.util.find_spec(package) is not None


def peer(package, make, *arguments):
    """The peer that needs a package, or None where it is not installed."""
    return make(*arguments) if has(package) else None


def missing(runs):
    """The names of the peers that are not installed."""
    return [name for name, run in runs.items() if run is None]


def reached(runs):
    """The objectives of the runs that have one."""
    values = {name: run() for name, run in runs.items()}
    values = {name: value() if callable(value) else value for name, value in values.items()}
    return {name: value for name, value in values.items() if value is not None}


def agree(values, within):
    """Whether objectives lie no further apart than ``within`` of fastgd's, all finite."""
    every = np.stack(np.broadcast_arrays(*values.values()))
    return bool(np.all(np.ptp(every, axis=0) <= within * np.abs(values["fastgd"])))


def problem(n, d, dtype, seed=0):
    """A regression on standard normal columns."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d), dtype=dtype)
    y = X @ random.standard_normal(d, dtype=dtype) + random.standard_normal(n, dtype=dtype)
    return X, y
