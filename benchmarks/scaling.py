"""How cost grows: of one model with its rows and its columns, of passes with threads.

Rates are so small that nothing diverges: only the time counts.
"""

import numpy as np

import fastgd
from fastgd.kernels.threads import available_threads

from .data import problem
from .lane_comparisons import HUBER, LOOPS, MAIN_LOOPS
from .registry import Comparison

RATE, EPOCHS = 1e-6, 10
ROWS = {"fastgd": 10_000, **{f"{n:,} rows": n for n in (40_000, 160_000, 640_000)}}
COLUMNS = {"fastgd": 8, **{f"{d:,} columns": d for d in (32, 128, 512, 2_048)}}
MOST = max(2, available_threads())
COUNTS = [2**k for k in range(1, 10) if 2**k < MOST] + [MOST]
THREADS = {"fastgd": 1, **{f"{count} threads": count for count in COUNTS}}
MODELS = {"1 model": 1, "32 models": 32}


def run(X, y, loop, call=fastgd.fit, rate=RATE, **options):
    """Some epochs of a loop, on one thread where nothing else is asked for."""
    options = {"learning_rate": rate, "epochs": EPOCHS, "random_state": 0, "n_threads": 1, **options}

    def timed():
        call(X, y, **LOOPS[loop].options, **options)

    return timed


def more_rows(d, dtype, loop, share=1):
    """One model on more and more rows; a smoke run has a share of them."""
    X, y = problem(max(ROWS.values()) // share, d, dtype)
    return {name: run(X[: n // share], y[: n // share], loop) for name, n in ROWS.items()}


def more_columns(n, dtype, loop, share=1):
    """One model on more and more columns."""
    return {name: run(*problem(n, max(1, d // share), dtype), loop) for name, d in COLUMNS.items()}


def more_threads(n, d, dtype, loop, models):
    """One model or many on more and more threads."""
    X, y = problem(n, d, dtype)
    lanes = MODELS[models]
    many = {"call": fastgd.sweep, "rate": np.geomspace(RATE / 10, RATE, lanes).tolist(), "epochs": 2}
    options = many if lanes > 1 else {}
    return {name: run(X, y, loop, n_threads=count, **options) for name, count in THREADS.items()}


F64 = np.float64
COMPARISONS = (
    Comparison(
        "one model, more rows",
        more_rows,
        tuple((50, F64, loop) for loop in MAIN_LOOPS),
        (10, F64, HUBER, 100),
        grows=ROWS,
        axis="rows, of 50 columns",
    ),
    Comparison(
        "one model, more columns",
        more_columns,
        tuple((10_000, F64, loop) for loop in MAIN_LOOPS),
        (100, F64, HUBER, 8),
        grows=COLUMNS,
        axis="columns, of 10,000 rows",
    ),
    Comparison(
        "more threads",
        more_threads,
        ((400_000, 50, F64, HUBER, "1 model"), *((400_000, 50, F64, loop, "32 models") for loop in MAIN_LOOPS)),
        (1_000, 10, F64, HUBER, "32 models"),
        grows=THREADS,
        axis="threads, on 400,000 rows of 50 columns",
    ),
)
