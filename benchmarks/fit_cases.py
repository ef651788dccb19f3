"""One model: ``fit`` and ``minimize`` against their peers."""

import numpy as np

import fastgd
from fastgd.choose import plan_of, prepared
from fastgd.passes import Passes
from fastgd.sweep import DEFAULTS
from fastgd.threads import available_threads, run_tasks

from .peers import jax_scan, sklearn_rows, torch_loop
from .registry import TYPES, Case, peer, problem

# Full batch ---------------------------------------------------------------------------------------------------------


def gradient(n, d, dtype):
    """One full-batch gradient, and a plain sum over the same array on the same threads (the read bandwidth)."""
    from numba import njit

    X, y = problem(n, d, dtype)
    threads = available_threads()
    options = {"loss": "mse", "learning_rate": 0.1, "batch_size": None, "fit_intercept": False}
    plan = plan_of([prepared({**DEFAULTS, **options, "X": X, "y": y})])
    w = np.full(d, 0.01, dtype)
    plan.lanes.weights[0, :d] = w
    passes = Passes(plan.data, threads)

    @njit(nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
    def total(x):
        s = x[0] * 0
        for i in range(x.size):
            s += x[i]
        return s

    flat, parts_ = X.reshape(-1), 16
    edges = np.linspace(0, flat.size, parts_ + 1).astype(int)
    total(flat[:1])

    def ours():
        return float(passes.loss(plan.parts.loss, plan.lanes)[0])

    def numpys():
        residual = X @ w - y
        residual @ X
        return float(np.mean(residual.astype(np.float64) ** 2))

    return {
        "fastgd": ours,
        "numpy": numpys,
        "read": lambda: run_tasks(lambda k: total(flat[edges[k] : edges[k + 1]]), parts_, threads),
    }


# Single rows and mini-batches ---------------------------------------------------------------------------------------

RATE = 1e-4


def rows(n, d, dtype, shuffle="block"):
    """Epochs of plain SGD, a step for each row."""
    X, y = problem(n, d, dtype)
    options = {"batch_size": 1, "learning_rate": RATE, "epochs": 2, "shuffle": shuffle, "random_state": 0}
    return {
        "fastgd": lambda: fastgd.fit(X, y, **options).loss,
        "scikit-learn": peer("sklearn", sklearn_rows, X, y, RATE, 2),
    }


def rows_fully_shuffled(n, d, dtype):
    """The same with a full shuffle, as scikit-learn's."""
    return rows(n, d, dtype, "full")


def batches(n, d, dtype, batch=32):
    """Epochs of mini-batch SGD."""
    X, y = problem(n, d, dtype)
    rate, epochs = 0.01, 2

    def ours(shuffle):
        options = {"batch_size": batch, "learning_rate": rate, "epochs": epochs, "shuffle": shuffle, "random_state": 0}
        return lambda: fastgd.fit(X, y, **options).loss

    def numpys():
        w, b = np.zeros(d, dtype), dtype(0)
        for _ in range(epochs):
            for start in range(0, n, batch):
                x = X[start : start + batch]
                slope = (x @ w + b - y[start : start + batch]) * dtype(rate / len(x))
                w -= slope @ x
                b -= slope.sum()
        return float(np.mean((X @ w + b - y) ** 2) / 2)

    order = np.random.default_rng(0).permutation(n)
    return {
        "fastgd": ours("block"),
        "fastgd, in order": ours(False),
        "numpy": numpys,
        "jax": peer("jax", jax_scan, X, y, batch, rate, epochs),
        "jax, random order": peer("jax", jax_scan, X, y, batch, rate, epochs, order),
        "torch": peer("torch", torch_loop, X, y, batch, rate, epochs),
    }


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


# minimize -----------------------------------------------------------------------------------------------------------


def rosenbrock(steps):
    """Gradient descent on Rosenbrock's function: compiled, and the same loop in NumPy."""
    from numba import njit

    def fun(x):
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    def grad(x):
        a, b = x[0], x[1]
        return np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])

    start, rate = np.array([-1.2, 1.0]), 1e-3
    compiled = njit(fun), njit(grad)

    def numpys():
        x = start
        for _ in range(steps):
            x = x - rate * grad(x)
        return float(fun(x))

    def ours():
        return fastgd.minimize(compiled[0], start, compiled[1], learning_rate=rate, max_iter=steps, history=False).fun

    return {"fastgd": ours, "numpy": numpys}


SHAPES = ((4_000_000, 10), (1_000_000, 50), (400_000, 200), (40_000, 2000))
PART_SHAPES = tuple((20_000, 50, dtype) for dtype in TYPES)
ROW_SHAPES = tuple((n, d, dtype) for dtype in TYPES for n, d in ((1_000_000, 50), (200_000, 500)))

CASES = (
    Case(
        "full-batch gradient",
        gradient,
        tuple((n, d, dtype) for dtype in TYPES for n, d in SHAPES),
        (2_000, 10, np.float32),
        {"numpy": 3.0, "read": 0.75},
        within=1e-4,
    ),
    Case(
        "SGD, single rows",
        rows,
        ROW_SHAPES,
        (2_000, 10, np.float64),
        {"scikit-learn": 8.0},
        within=0.05,
    ),
    Case(
        "SGD, fully shuffled",
        rows_fully_shuffled,
        ROW_SHAPES,
        (2_000, 10, np.float64),
        {"scikit-learn": 3.0},
        within=0.05,
    ),
    Case(
        "mini-batches of 32",
        batches,
        ((500_000, 50, np.float64), (500_000, 50, np.float32)),
        (2_000, 10, np.float32),
        {"numpy": 10.0, "jax": 3.0, "jax, random order": 8.0, "torch": 50.0},
        within=0.05,
    ),
    Case(
        "optimizers, single rows",
        optimizer_rows,
        PART_SHAPES,
        (2_000, 10, np.float64, 2),
        {},
        within=np.inf,
        limits={"Adam": 4.0},
    ),
    Case("optimizers, batches", optimizer_batches, PART_SHAPES, (2_000, 10, np.float64, 1), {}, np.inf),
    Case(
        "losses, single rows",
        loss_rows,
        PART_SHAPES,
        (2_000, 10, np.float64, 2),
        {},
        within=np.inf,
        limits=dict.fromkeys(("LogLoss", "Poisson", "Gamma", "Tweedie"), 3.0),  # those with exp
    ),
    Case("minimize, Rosenbrock", rosenbrock, ((1_000_000,),), (1_000,), {"numpy": 200.0}, within=1e-6),
)
