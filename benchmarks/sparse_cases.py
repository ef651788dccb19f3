"""Sparse rows: ``fit`` on SciPy's CSR against scikit-learn, Vowpal Wabbit, SciPy's products and itself."""

import numpy as np

import fastgd
from fastgd import checks
from fastgd.choose import plan_of, prepared
from fastgd.passes import Passes
from fastgd.sweep import DEFAULTS

from .measure import by_thread
from .peers import sklearn_sparse, vowpal_wabbit
from .registry import Case, peer

# What rows are like ---------------------------------------------------------------------------------------------------


def uniform(random, n, d, k):
    """Columns drawn alike, as hashing does it."""
    return random.integers(0, d, (n, k))


def zipf(random, n, d, k):
    """Columns as the words of a language: the r-th comes up 1/r as often as the first, wherever it stands."""
    shares = np.cumsum(1.0 / np.arange(1, d + 1))
    return random.permutation(d)[np.searchsorted(shares, random.random((n, k)) * shares[-1])]


COLUMNS = {"uniform": (uniform, 1.0), "zipf": (zipf, 1.2)}  # and how many draws make a number: some hit the same column
NOISE, SEED = 0.3, 0


def problem(columns, n, d, k, dtype):
    """A regression on rows of norm 1 with about k numbers each. Nothing is centred: fits have no intercept.

    scikit-learn takes a hundredth of the step for the intercept of sparse rows, which would be another objective.
    """
    from scipy.sparse import csr_array

    random = np.random.default_rng(SEED)
    draw, draws = COLUMNS[columns]
    found = draw(random, n, d, int(k * draws))
    values = random.standard_normal(found.shape)
    X = csr_array((values.reshape(-1), found.reshape(-1), np.arange(n + 1) * found.shape[1]), shape=(n, d))
    X.sum_duplicates()
    X.data /= np.repeat(np.sqrt(np.add.reduceat(X.data**2, X.indptr[:-1])), np.diff(X.indptr))
    y = X @ random.standard_normal(d)
    y = y / y.std() + NOISE * random.standard_normal(n)
    X = csr_array((X.data.astype(dtype), X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=(n, d))
    return X, y.astype(dtype)


def objective(X, y, w, alpha):
    """What all minimise, at the coefficients ``w``."""
    return float(np.mean((X @ w - y) ** 2) / 2 + alpha / 2 * np.sum(np.square(w, dtype=np.float64)))


RATE = 0.1


def fit(X, y, alpha=0.0, **options):
    """A fit, a step for each row; its objective is measured outside of the timing."""
    options = {"batch_size": 1, "learning_rate": RATE, "epochs": 1, "alpha": alpha, "fit_intercept": False} | options

    def run():
        found = fastgd.fit(X, y, random_state=0, **options)
        return lambda: objective(X, y, found.coef, alpha)

    return run


# Against peers --------------------------------------------------------------------------------------------------------


def rows(columns, n, d, k, alpha, dtype):
    """An epoch of SGD, a step for each row. All run on one thread and are timed by its own clock.

    Vowpal Wabbit's clock is that of the thread that learns: its other thread reads what was parsed before.
    """
    X, y = problem(columns, n, d, k, dtype)
    runs = {
        "fastgd": fit(X, y, alpha, n_threads=1),
        "scikit-learn": peer("sklearn", sklearn_sparse, X, y, RATE, 1, alpha, objective),
        "vowpal wabbit": peer("vowpalwabbit", vowpal_wabbit, X, y, RATE, alpha, objective),
    }
    return {name: run and by_thread(run) for name, run in runs.items()}


def gradient(columns, n, d, k, dtype):
    """One full-batch gradient against SciPy's two products, on one thread each."""
    X, y = problem(columns, n, d, k, dtype)
    options = {"loss": "mse", "learning_rate": 0.1, "batch_size": None, "fit_intercept": False}
    plan = plan_of([prepared({**DEFAULTS, **options, "X": X, "y": y})])
    w = np.full(d, 0.01, dtype)
    plan.lanes.weights[0, :d] = w
    passes = Passes(plan.data, 1)

    def scipys():
        residual = X @ w - y
        X.T @ residual
        return float(np.mean(residual.astype(np.float64) ** 2))

    return {"fastgd": lambda: float(passes.loss(plan.parts.loss, plan.lanes)[0]), "scipy": scipys}


# Against fastgd's own runs --------------------------------------------------------------------------------------------


def door(columns, n, d, k, dtype):
    """What it costs not to believe the indices of ``X``."""
    X, y = problem(columns, n, d, k, dtype)

    def check():
        checks.matrix(X)

    return {"fastgd": fit(X, y), "the door's check": check}


def hogwild(columns, n, d, k, dtype):
    """Two threads on copies of the weights against one; the two end a few per cent lower."""
    X, y = problem(columns, n, d, k, dtype)
    options = {"epochs": 5, "fit_intercept": True}
    return {
        "fastgd": fit(X, y, parallel="hogwild", n_threads=2, **options),
        "one thread": fit(X, y, n_threads=1, **options),
    }


def rates_and_fit(columns, n, d, k, batch, dtype):
    """32 rates against a fit of one of them, on one thread."""
    X, y = problem(columns, n, d, k, dtype)
    options = {"batch_size": batch, "epochs": 1, "n_threads": 1, "fit_intercept": False}

    def sweep():
        rates = np.geomspace(RATE / 10, RATE, 32).tolist()
        found = fastgd.sweep(X, y, learning_rate=rates, random_state=0, **options)
        return lambda: found.losses[-1]

    return {"fastgd": fit(X, y, **options), "32 rates": sweep}


TYPES = (np.float64, np.float32)
NARROW = ("uniform", 100_000, 1_000, 10)  # density 0.01
WORDS = ("zipf", 200_000, 200_000, 75)
HASHED = ("uniform", 1_000_000, 1 << 20, 30)
SMALL = ("zipf", 1_000, 500, 5)
ALPHAS = {NARROW: 1e-4, WORDS: 1e-4, HASHED: 1e-6}

CASES = (
    Case(
        "sparse SGD, single rows",
        rows,
        tuple((*shape, alpha, dtype) for dtype in TYPES for shape in ALPHAS for alpha in (0.0, ALPHAS[shape])),
        (*SMALL, 1e-4, np.float64),
        {"scikit-learn": 3.0, "vowpal wabbit": 1.0},
        within=0.05,
    ),
    Case(
        "sparse full-batch gradient",
        gradient,
        tuple((*WORDS, dtype) for dtype in TYPES),
        (*SMALL, np.float64),
        {"scipy": 1.0},
        within=1e-4,
    ),
    Case(
        "sparse rows, the door",
        door,
        tuple((*shape, dtype) for dtype in TYPES for shape in ALPHAS),
        (*SMALL, np.float64),
        {},
        limits={"the door's check": 0.15},
    ),
    Case(
        "sparse SGD, hogwild",
        hogwild,
        tuple((*WORDS, dtype) for dtype in TYPES),
        (*SMALL, np.float64),
        {"one thread": 1.6},
        within=0.1,
    ),
    Case(
        "sparse 32 rates, one fit",
        rates_and_fit,
        tuple((*NARROW, batch, dtype) for dtype in TYPES for batch in (1, 32)),
        (*SMALL, 32, np.float64),
        {},
        within=1e-3,
        limits={"32 rates": 4.0},
    ),
)
