"""One model: a gradient against the bounds of the machine, every part against the simplest of its kind."""

import numpy as np

import fastgd
from fastgd.kernels.threads import available_threads

from .bandwidth import full_batch_pass, reading
from .data import problem
from .registry import TYPES, Comparison

# Full batch ---------------------------------------------------------------------------------------------------------


def gradient(n, d, dtype):
    """One full-batch gradient, and a plain reading of the same array on the same threads (the bandwidth)."""
    X, y = problem(n, d, dtype)
    threads = available_threads()
    w = np.full(d, 0.01, dtype)

    read = reading(X, threads)

    def reads():
        read()

    def numpys():
        residual = X @ w - y
        residual @ X
        return float(np.mean(residual.astype(np.float64) ** 2))

    return {
        "fastgd": full_batch_pass(X, y, w, threads),
        "numpy": numpys,
        "read": reads,
    }


RATE = 1e-4


# Every optimizer and loss against the simplest of its kind -----------------------------------------------------------


def optimizer_rows(n, d, dtype, most=None, batch=1):
    """Epochs with each optimizer, the first ``most`` of them; ``fastgd`` is plain SGD."""
    X, y = problem(n, d, dtype)
    return each(fastgd.optimizers, "Sgd", most, lambda part: short_run(X, y, optimizer=part, batch_size=batch))


def optimizer_batches(n, d, dtype, most=None):
    """The same on mini-batches of 32."""
    return optimizer_rows(n, d, dtype, most, batch=32)


def loss_rows(n, d, dtype, most=None):
    """Epochs of SGD, a step for each row, with each loss; ``fastgd`` is the squared error."""
    X, y = problem(n, d, dtype)
    spread = y / y.std()

    def run(loss):
        target = spread > 0 if loss.labels else np.exp(spread / 2) if loss.domain else spread
        return short_run(X, target.astype(dtype), loss=loss, batch_size=1)

    return each(fastgd.losses, "SquaredError", most, run)


def each(parts, base, most, run):
    """A run for the class ``base``, called fastgd, and for the others of a module of parts."""
    alone = [name for name in parts.__all__ if not getattr(getattr(parts, name), "joint", False)]
    others = [name for name in alone if name != base][:most]
    return {"fastgd": run(getattr(parts, base)())} | {name: run(getattr(parts, name)()) for name in others}


def short_run(X, y, epochs=20, **options):
    """A fit whose result is the last mean of the losses met, which costs nothing.

    Few rows, many epochs: on 100,000 rows of 50, most of them not in the cache, Adam's rows cost 1.8 times SGD's in
    float32; on 20,000 it is 2.3, which is what the loops cost alone.
    """
    return lambda: fastgd.fit(X, y, learning_rate=RATE, epochs=epochs, random_state=0, **options).history.loss[-1]


SHAPES = ((4_000_000, 10), (1_000_000, 50), (400_000, 200), (40_000, 2000))
PART_SHAPES = tuple((20_000, 50, dtype) for dtype in TYPES)

COMPARISONS = (
    Comparison(
        "full-batch gradient",
        gradient,
        tuple((n, d, dtype) for dtype in TYPES for n, d in SHAPES),
        (2_000, 10, np.float32),
        {"numpy": 3.0, "read": 0.75},
        within=1e-4,
    ),
    Comparison(
        "optimizers, single rows",
        optimizer_rows,
        PART_SHAPES,
        (2_000, 10, np.float64, 2),
        {},
        within=np.inf,
        limits={"Adam": 4.0},
    ),
    Comparison("optimizers, batches", optimizer_batches, PART_SHAPES, (2_000, 10, np.float64, 1), {}, np.inf),
    Comparison(
        "losses, single rows",
        loss_rows,
        PART_SHAPES,
        (2_000, 10, np.float64, 2),
        {},
        within=np.inf,
        limits=dict.fromkeys(("LogLoss", "Poisson", "Gamma", "Tweedie"), 3.0),  # those with exp
    ),
)
