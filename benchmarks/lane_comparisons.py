"""Many models: ``sweep`` against one fit, against its peers and against itself."""

from itertools import product
from typing import NamedTuple

import numpy as np

import fastgd
from fastgd.inputs import arguments
from fastgd.kernels.threads import available_threads

from .data import problem
from .peers import sklearn_grid
from .registry import TYPES, Comparison, peer

LANES, EPOCHS, FOLDS = 32, 2, 5
ALPHAS = np.geomspace(1e-7, 1e-4, 4).tolist()


class Loop(NamedTuple):
    """A way to pass over the data, and the largest rate that is stable there on standard normal columns."""

    options: dict
    largest: float

    def rates(self, count=LANES):
        return np.geomspace(self.largest / 10, self.largest, count).tolist()


SQUARES = "full batch, squares"
LOOPS = {
    "batch 1": Loop({"batch_size": 1}, 1e-3),
    "batch 32": Loop({"batch_size": 32}, 1e-2),
    # What a Gram matrix cannot do: every iteration reads the rows.
    "full batch, huber": Loop({"batch_size": None, "loss": "huber"}, 0.9),
    "full batch, log loss": Loop({"batch_size": None, "loss": "log_loss"}, 0.9),
    SQUARES: Loop({"batch_size": None}, 0.9),
}
ROWS_LOOPS, HUBER = ("batch 1", "batch 32"), "full batch, huber"
MAIN_LOOPS = (*ROWS_LOOPS, HUBER)


def data(n, d, dtype, loop=SQUARES):
    """Standard normal columns, and a target of variance 1 or of two classes."""
    X, y = problem(n, d, dtype)
    return X, (y > 0).astype(dtype) if LOOPS[loop].options.get("loss") == "log_loss" else y / y.std()


def sweep(X, y, loop, rates, **options):
    """A sweep over rates; its objectives, one a setting, are measured outside of the timing."""
    options = {**LOOPS[loop].options, "epochs": EPOCHS, "random_state": 0, **options}

    def run():
        found = fastgd.sweep(X, y, learning_rate=rates, **options)
        return lambda: found.losses

    return run


def by(pick, run):
    """A run, by what ``pick`` makes of its objectives."""

    def runs_by():
        objectives = run()
        return lambda: pick(objectives())

    return runs_by


def last(objectives):
    return objectives[-1]


def fit(X, y, loop, **options):
    """A fit with the largest rate of a loop."""
    options = {**LOOPS[loop].options, "epochs": EPOCHS, "random_state": 0, **options}

    def run():
        found = fastgd.fit(X, y, learning_rate=LOOPS[loop].largest, **options)
        return lambda: found.objective(X, y)

    return run


# Against fastgd's own runs ------------------------------------------------------------------------------------------


def rates_and_fit(n, d, dtype, loop):
    """32 rates against a fit of one of them, on one thread each, and on all."""
    X, y = data(n, d, dtype, loop)
    rates = LOOPS[loop].rates()
    return {
        "fastgd": fit(X, y, loop, n_threads=1),
        "32 rates": by(last, sweep(X, y, loop, rates, n_threads=1)),
        "32 rates, all threads": by(last, sweep(X, y, loop, rates)),
    }


def folds_and_rates(n, d, dtype, loop):
    """64 settings x 5 folds against 32 settings of the same loop."""
    X, y = data(n, d, dtype, loop)
    few, many = (LOOPS[loop].rates(count) for count in (8, 16))
    return {
        "fastgd": by(min, sweep(X, y, loop, few, alpha=ALPHAS)),
        "64 settings x 5 folds": by(min, sweep(X, y, loop, many, alpha=ALPHAS, cv=FOLDS)),
    }


def folds_and_fit(n, d, dtype):
    """64 settings x 5 folds of least squares on the full batch against one fit."""
    X, y = data(n, d, dtype)
    rates = LOOPS[SQUARES].rates(16)
    return {
        "fastgd": fit(X, y, SQUARES, alpha=ALPHAS[0], epochs=5),
        "64 settings x 5 folds": by(min, sweep(X, y, SQUARES, rates, alpha=ALPHAS, epochs=5, cv=FOLDS)),
    }


LANE_COUNTS = {"fastgd": 8, **{f"{count} lanes": count for count in (16, 32, 64, 128)}}
ROW_SHARES = {"fastgd": 1, **{f"{share} times the rows": share for share in (2, 4, 8)}}


def linear(work):
    """Limits by which time grows no faster than work, but for a fifth: caches, and a shared machine."""
    return {name: 1.2 * work[name] / work["fastgd"] for name in work if name != "fastgd"}


def more_lanes(n, d, dtype, loop):
    """8 rates against up to 128."""
    X, y = data(n, d, dtype, loop)
    return {name: by(last, sweep(X, y, loop, LOOPS[loop].rates(count))) for name, count in LANE_COUNTS.items()}


def more_rows(n, d, dtype, loop):
    """32 rates on an eighth of the rows against up to all."""
    X, y = data(n, d, dtype, loop)
    parts = {name: slice(n // 8 * share) for name, share in ROW_SHARES.items()}
    return {name: sweep(X[part], y[part], loop, LOOPS[loop].rates()) for name, part in parts.items()}


def two_threads(n, d, dtype, loop):
    """32 rates on two threads against one: the same bits."""
    X, y = data(n, d, dtype, loop)
    rates = LOOPS[loop].rates()
    return {name: sweep(X, y, loop, rates, n_threads=k) for name, k in {"fastgd": 2, "one thread": 1}.items()}


# Against peers ------------------------------------------------------------------------------------------------------


def grid_search(n, d, dtype, loop, jobs=None):
    """64 settings x 5 folds against scikit-learn's grid, by the best setting's loss on what is held out."""
    X, y = data(n, d, dtype)
    ours, theirs = (LOOPS[name].rates(16) for name in (loop, "batch 1"))
    jobs = jobs or available_threads()
    return {
        "fastgd": by(min, sweep(X, y, loop, ours, alpha=ALPHAS, epochs=5, cv=FOLDS)),
        "GridSearchCV": peer("sklearn", sklearn_grid, X, y, theirs, ALPHAS, FOLDS, 5, jobs),
    }


# BLAS's threads spin at every barrier: where another process wants a processor, two are slower than one.
THREADS = {"1 thread": 1, "all threads": None}


def on(threads, run):
    """A run of NumPy's on so many of BLAS's threads."""
    from threadpoolctl import threadpool_limits

    def limited():
        with threadpool_limits(threads, "blas"):
            return run()

    return limited


def products(n, d, dtype, loop, threads, iterations=10):
    """32 rates on the full batch against the two products that they need, and against NumPy's whole descent."""
    threads = THREADS[threads] or available_threads()
    X, y = data(n, d, dtype, loop)
    rates = LOOPS[loop].rates()
    loss = arguments.part("loss", LOOPS[loop].options.get("loss", "squared_error"), fastgd.losses)
    column, steps = y[:, None], np.array(rates, dtype)
    predicted, slopes = np.empty((n, LANES), dtype), np.empty((LANES, d), dtype)

    def numpys():
        weights = np.zeros((d, LANES), dtype)
        for _ in range(iterations):
            np.matmul(X, weights, out=predicted)
            np.matmul(predicted.T, X, out=slopes)

    def whole():
        w, b = np.zeros((d, LANES), dtype), np.zeros(LANES, dtype)
        for _ in range(iterations):
            slope = loss.slope(np.matmul(X, w, out=predicted) + b, column)
            w -= steps / n * (slope.T @ X).T
            b -= steps * slope.mean(axis=0)
        return lambda: loss.value(X @ w + b, column).mean(axis=0)

    return {
        "fastgd": sweep(X, y, loop, rates, epochs=iterations, n_threads=threads),
        "two products": peer("threadpoolctl", on, threads, numpys),
        "numpy, whole": peer("threadpoolctl", on, threads, whole),
    }


def gram(n, d, dtype, threads, lanes=100, iterations=100):
    """Least squares, 100 rates x 100 iterations, against ``X.T @ X`` alone and against all of it in NumPy."""
    threads = THREADS[threads] or available_threads()
    X, y = data(n, d, dtype)
    rates = LOOPS[SQUARES].rates(lanes)

    def square():
        np.matmul(X.T, X)

    def whole():
        sums, means = X.T @ X, X.mean(axis=0, dtype=np.float64)
        second, first = np.empty((d + 1, d + 1)), np.append(X.T @ y / n, y.mean())
        second[:d, :d], second[d, :d], second[:d, d], second[d, d] = sums / n, means, means, 1.0
        w = np.zeros((d + 1, lanes))
        for _ in range(iterations):
            w -= np.array(rates) * (second @ w - first[:, None])
        return lambda: np.mean((X @ w[:d] + w[d] - y[:, None]) ** 2, axis=0) / 2

    return {
        "fastgd": sweep(X, y, SQUARES, rates, epochs=iterations, n_threads=threads),
        "X.T @ X": peer("threadpoolctl", on, threads, square),
        "numpy, whole": peer("threadpoolctl", on, threads, whole),
    }


def sizes(shapes, *more, types=TYPES):
    """Every shape in every type, with every one of ``more`` (loops, threads)."""
    return tuple((*shape, dtype, *rest) for dtype in types for shape in shapes for rest in product(*more))


NARROW, WIDE = (200_000, 50), (100_000, 200)
F64 = (np.float64,)

COMPARISONS = (
    Comparison(
        "32 rates, one fit",
        rates_and_fit,
        sizes((NARROW, WIDE), ROWS_LOOPS),
        (1_000, 10, np.float64, "batch 32"),
        {},
        within=1e-4,
        limits={"32 rates": 4.0},
    ),
    Comparison(
        "64 x 5 folds, 32 rates",
        folds_and_rates,
        sizes((NARROW,), MAIN_LOOPS),
        (1_000, 10, np.float64, "batch 32"),
        {},
        within=0.05,
        limits={"64 settings x 5 folds": 10.0},
    ),
    Comparison(
        "64 x 5 folds, one fit",
        folds_and_fit,
        sizes(((50_000, 50),)),
        (1_000, 10, np.float64),
        {},
        within=0.05,
        limits={"64 settings x 5 folds": 12.0},
    ),
    Comparison(
        "64 x 5 folds, grid",
        grid_search,
        sizes(((50_000, 50),), (SQUARES, "batch 1"), types=F64),
        (5_000, 10, np.float64, SQUARES, 1),
        {"GridSearchCV": 10.0},
        within=0.05,
    ),
    Comparison(
        "32 rates, products",
        products,
        sizes((NARROW, WIDE), (HUBER,), THREADS),
        (1_000, 10, np.float64, HUBER, "1 thread"),
        {"two products": 1 / 1.5},
        within=1e-3,
    ),
    Comparison(  # for information: exponentials, and the Gram matrix
        "32 rates, other losses",
        products,
        sizes((NARROW,), ("full batch, log loss", SQUARES), THREADS),
        (1_000, 10, np.float64, "full batch, log loss", "1 thread"),
        {},
        within=1e-3,
    ),
    Comparison(
        "100 rates, Gram",
        gram,
        sizes(((1_000_000, 50),), THREADS),
        (1_000, 10, np.float64, "1 thread", 10, 10),
        {"X.T @ X": 1 / 2},
        within=1e-3,
    ),
    Comparison(
        "more lanes",
        more_lanes,
        sizes((NARROW,), MAIN_LOOPS, types=F64),
        (1_000, 10, np.float64, "batch 32"),
        {},
        within=1e-4,
        limits=linear(LANE_COUNTS),
        grows=LANE_COUNTS,
        axis="models of one sweep",
    ),
    Comparison(
        "more rows",
        more_rows,
        sizes(((400_000, 50),), MAIN_LOOPS, types=F64),
        (8_000, 10, np.float64, "batch 32"),
        {},
        within=np.inf,
        limits=linear(ROW_SHARES),
        grows=ROW_SHARES,
        axis="rows, in eighths; 32 models of one sweep",
    ),
    Comparison(
        "32 rates, two threads",
        two_threads,
        sizes((NARROW,), MAIN_LOOPS),
        (2_000, 10, np.float64, "batch 32"),
        {"one thread": 1.7},
        within=0.0,
    ),
)
