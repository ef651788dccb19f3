"""The registry: what is timed, against whom, at which sizes, and the floor that the project promises.

A case is a function of a size (rows, columns, data type) that returns callables: ``fastgd`` and its peers. Each
callable returns the objective it reached, so that nobody is faster by doing less. Threads are equal on both sides:
full-batch passes and NumPy's products use all that the process may; single rows and mini-batches use one.
"""

import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
from typing import NamedTuple

import numpy as np

import fastgd
from fastgd.checks import frozen
from fastgd.kernels.lanes import NO_ROLES, Data, Parts, lanes_of
from fastgd.kernels.rows import Dense
from fastgd.passes import Passes
from fastgd.penalties import Free
from fastgd.scaling import Scaling
from fastgd.threads import available_threads, run_tasks


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


def has(package):
    return importlib.util.find_spec(package) is not None


def problem(n, d, dtype, seed=0):
    """A regression on standard normal columns."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d), dtype=dtype)
    y = X @ random.standard_normal(d, dtype=dtype) + random.standard_normal(n, dtype=dtype)
    return X, y


# Full batch ---------------------------------------------------------------------------------------------------------


def gradient(n, d, dtype):
    """One full-batch gradient, and a plain sum over the same array on the same threads (the read bandwidth)."""
    from numba import njit

    X, y = problem(n, d, dtype)
    threads = available_threads()
    nowhere = np.full(d, np.inf)
    data = Data(
        Dense(frozen(X)),
        frozen(y[None]),
        frozen(np.empty(0, dtype)),
        *Scaling.none(d, X.dtype),
        0.0,
        float(n),
        NO_ROLES,
        0,
        1,
    )
    parts = Parts(fastgd.losses.Mse(), fastgd.optimizers.Sgd(), Free())
    lanes = lanes_of(parts, X.dtype, 1, -nowhere, nowhere)
    w = np.full(d, 0.01, dtype)
    lanes.weights[0, :d] = w
    passes = Passes(data, threads)

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
        return float(passes.loss(parts.loss, lanes)[0])

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
    runs = {"fastgd": lambda: fastgd.fit(X, y, **options).loss}
    if has("sklearn"):
        from sklearn.linear_model import SGDRegressor

        def sklearns():
            model = SGDRegressor(
                max_iter=2, tol=None, penalty=None, learning_rate="constant", eta0=RATE, random_state=0
            ).fit(X, y)
            return float(np.mean((model.predict(X) - y) ** 2) / 2)

        runs["scikit-learn"] = sklearns
    return runs


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

    runs = {"fastgd": ours("block"), "fastgd, in order": ours(False), "numpy": numpys}
    if has("jax"):
        runs["jax"] = jax_scan(X, y, batch, rate, epochs)
        runs["jax, random order"] = jax_scan(X, y, batch, rate, epochs, np.random.default_rng(0).permutation(n))
    if has("torch"):
        runs["torch"] = torch_loop(X, y, batch, rate, epochs)
    return runs


def jax_scan(X, y, batch, rate, epochs, order=None):
    """The same epochs as one jitted scan over rows in order, or over a permutation gathered as it goes."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    n, d = X.shape
    used = n // batch * batch
    Xs, ys = jnp.asarray(X), jnp.asarray(y)
    if order is None:
        batches = Xs[:used].reshape(-1, batch, d), ys[:used].reshape(-1, batch)
    else:
        batches = jnp.asarray(order[:used].reshape(-1, batch))

    def step(state, data):
        (w, b), (x, t) = state, data if order is None else (Xs[data], ys[data])
        slope = (x @ w + b - t) * jnp.asarray(rate / batch, X.dtype)
        return (w - slope @ x, b - slope.sum()), None

    @jax.jit
    def run(batches):
        state = jnp.zeros(d, X.dtype), jnp.zeros((), X.dtype)
        for _ in range(epochs):
            state, _ = jax.lax.scan(step, state, batches)
        return state

    def loss():
        w, b = (np.asarray(part) for part in run(batches))
        return float(np.mean((X @ w + b - y) ** 2) / 2)

    return loss


def torch_loop(X, y, batch, rate, epochs):
    """The same epochs as PyTorch's users write them."""
    import torch

    Xs, ys = torch.from_numpy(X), torch.from_numpy(y)

    def loss():
        w, b = torch.zeros(X.shape[1], dtype=Xs.dtype), torch.zeros((), dtype=Xs.dtype)
        w.requires_grad_(), b.requires_grad_()
        optimizer = torch.optim.SGD([w, b], lr=rate)
        for _ in range(epochs):
            for start in range(0, len(Xs), batch):
                x, t = Xs[start : start + batch], ys[start : start + batch]
                optimizer.zero_grad()
                (0.5 * torch.mean((x @ w + b - t) ** 2)).backward()
                optimizer.step()
        with torch.no_grad():
            return float(0.5 * torch.mean((Xs @ w + b - ys) ** 2))

    return loss


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


# Whole processes: seconds and megabytes, held to a limit ------------------------------------------------------------

FIRST_FIT = "import numpy as np, fastgd; fastgd.fit(np.arange(20.0).reshape(10, 2) ** 2, np.arange(10.0))"
PEAK = """
import sys
import numpy as np, fastgd
X = np.load(sys.argv[1], mmap_mode="r") if sys.argv[3] == "map" else np.load(sys.argv[1])
y = np.load(sys.argv[2])
fastgd.fit(X, y, epochs=2)
fastgd.fit(X, y, epochs=1, batch_size=32)
fastgd.fit(X, y, epochs=1, batch_size=1)
# Not getrusage: a child process inherits its parent's peak.
print(next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


class Limit(NamedTuple):
    """A number of a whole process and what it may be at most."""

    name: str
    make: object
    limit: float
    unit: str


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


def peak_over_data(mode, n=1_000_000, d=50):
    """Peak memory of three fits beyond 1.05 times the data, in megabytes."""
    X, y = problem(n, d, np.float64)
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("X.npy", "y.npy")]
        np.save(files[0], X)
        np.save(files[1], y)
        size = X.nbytes / 2**20
        del X, y
        return float(process(PEAK, *files, mode)[1]) - 1.05 * size


SHAPES = ((4_000_000, 10), (1_000_000, 50), (400_000, 200), (40_000, 2000))
TYPES = (np.float32, np.float64)
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

LIMITS = (
    Limit("import fastgd over import numpy", import_seconds, 0.10, "CPU s"),
    Limit("first fit, empty cache", first_fit(warm=False), 4.0, "CPU s"),
    Limit("first fit, warm cache", first_fit(warm=True), 1.0, "CPU s"),
    Limit("peak memory beyond 1.05 X, arrays", lambda: peak_over_data("array"), 200.0, "MB"),
    Limit("peak memory beyond 1.05 X, memory map", lambda: peak_over_data("map"), 200.0, "MB"),
)
