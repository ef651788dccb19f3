"""The registry: every case, one entry each; every driver reads them here.

Adding a case is adding an entry. The same data and settings are timed against peers (``python -m benchmarks``, the
report, pytest-benchmark), tracked over commits (asv), and, where ``gate`` has a size, counted and held to a baseline.
"""

import numpy as np

from . import network_comparisons, processes
from .registry import OBJECTIVE, Case, Data, Limit, both

SMALL_ROWS, SMALL_SPARSE = Data(2_000, 10), Data(1_000, 500, columns="zipf", drawn=5)

# Shapes: of scikit-learn's own benchmarks of SGDRegressor, of texts, of hashed features
DENSE, SPARSE = Data(100_000, 200), Data(100_000, 1_000, columns="uniform", drawn=10)
WORDS, HASHED = Data(200_000, 200_000, columns="zipf", drawn=75), Data(1_000_000, 1 << 20, columns="uniform", drawn=30)
TABLE, MIDDLING, LONG, WIDE = Data(100_000, 50), Data(300_000, 50), Data(1_000_000, 50), Data(2_000, 20_000)

ROWS = {"batch_size": 1, "learning_rate": 1e-4, "epochs": 2}
BATCHES = {"batch_size": 32, "learning_rate": 0.01, "epochs": 2}
SPARSE_ROWS = {"batch_size": 1, "learning_rate": 0.1, "epochs": 1, "fit_intercept": False}
ALL_ROWS = {"batch_size": None, "learning_rate": 0.5, "epochs": 10}

ROW_BY_ROW = {
    "PyTorch": "its loop takes some 100 us of Python a step, as mini-batches show",
    "JAX": "single rows are below what a scan's step costs",
    "NumPy reference": "its loop takes some 50 us of Python a row: the gate holds it against small tables",
}
OTHER_STEPS = {"scikit-learn": "has single rows only", "Vowpal Wabbit": "has single rows only"}


def rates(largest, count=32):
    return np.geomspace(largest / 10, largest, count).tolist()


CASES = (
    # Single rows
    Case(
        "SGD, single rows",
        both(LONG, Data(200_000, 500)),
        ROWS,
        ("scikit-learn",),
        ROW_BY_ROW,
        gate=Data(4_000, 500),
        kernels=("row_loop._plain_steps",),
        floors={"scikit-learn": 8.0},
        within=0.05,
    ),
    Case(
        "SGD, fully shuffled",
        both(LONG, Data(200_000, 500)),
        {**ROWS, "shuffle": "full"},
        ("scikit-learn",),
        ROW_BY_ROW,
        floors={"scikit-learn": 3.0},
        within=0.05,
    ),
    Case("SGD, scikit-learn's dense shape", both(DENSE), ROWS, ("scikit-learn",), ROW_BY_ROW, within=0.05),
    Case(
        "SGD, scikit-learn's sparse shape",
        both(SPARSE),
        SPARSE_ROWS,
        ("scikit-learn", "Vowpal Wabbit"),
        ROW_BY_ROW,
        small=SMALL_SPARSE,
        gate=Data(4_000, 1_000, columns="uniform", drawn=200),
        floors={"scikit-learn": 3.0, "Vowpal Wabbit": 1.0},
        within=0.05,
    ),
    Case(
        "SGD, words, L2",
        both(WORDS),
        {**SPARSE_ROWS, "alpha": 1e-4},
        ("scikit-learn", "Vowpal Wabbit"),
        ROW_BY_ROW,
        small=SMALL_SPARSE,
        gate=Data(4_000, 5_000, columns="zipf", drawn=200),
        floors={"scikit-learn": 3.0, "Vowpal Wabbit": 1.0},
        within=0.05,
    ),
    Case(
        "SGD, hashed",
        both(HASHED),
        SPARSE_ROWS,
        ("scikit-learn", "Vowpal Wabbit"),
        ROW_BY_ROW,
        small=SMALL_SPARSE,
        floors={"scikit-learn": 3.0, "Vowpal Wabbit": 1.0},
        within=0.05,
    ),
    # Mini-batches
    Case(
        "mini-batches of 32",
        both(Data(500_000, 50)),
        BATCHES,
        ("NumPy reference", "JAX", "JAX, random order", "PyTorch"),
        OTHER_STEPS,
        small=Data(2_048, 10),  # JAX's batches are of one length
        gate=Data(8_000, 250),
        kernels=("block_loop._dense_batches",),
        floors={"NumPy reference": 10.0, "JAX": 3.0, "JAX, random order": 8.0, "PyTorch": 50.0},
        within=0.05,
    ),
    Case(
        "mini-batches of 256, in order",
        both(Data(512_000, 50)),
        {**BATCHES, "batch_size": 256, "shuffle": False},
        ("NumPy reference", "JAX", "PyTorch"),
        OTHER_STEPS,
        small=Data(2_048, 10),
        within=1e-4,
    ),
    Case(
        "mini-batches, Adam, elastic net",
        (TABLE,),
        {**BATCHES, "optimizer": "adam", "alpha": 0.01, "l1_ratio": 0.5, "shuffle": False},
        ("NumPy reference",),
        {**OTHER_STEPS, "PyTorch": "its Adam has no proximal step: L1 there leads elsewhere"},
        gate=Data(8_000, 250),
        within=1e-6,
    ),
    # All rows
    Case(
        "all rows, Huber",
        both(LONG),
        {**ALL_ROWS, "loss": "huber"},
        ("NumPy reference", "JAX", "PyTorch"),
        OTHER_STEPS,
        gate=Data(4_000, 100),
        kernels=("full_batch._dense_gradients",),
        within=1e-4,
        threads=None,
    ),
    Case(
        "all rows, log loss",
        both(LONG),
        {**ALL_ROWS, "loss": "log_loss"},
        ("NumPy reference", "JAX", "PyTorch"),
        OTHER_STEPS,
        gate=Data(4_000, 100),
        within=1e-4,
        threads=None,
    ),
    Case(
        "all rows, wide",
        both(WIDE),
        {**ALL_ROWS, "loss": "huber", "learning_rate": 1e-3},
        ("NumPy reference", "JAX", "PyTorch"),
        OTHER_STEPS,
        small=Data(50, 200),
        within=1e-4,
        threads=None,
    ),
    Case(
        "tiny: what a call costs",
        (Data(100, 5),),
        {"batch_size": None, "learning_rate": 0.1, "epochs": 5},
        ("NumPy reference",),
        OTHER_STEPS,
        small=Data(100, 5),
        gate=Data(100, 5),
    ),
    # Lanes
    Case(
        "32 rates, single rows",
        both(Data(200_000, 50), DENSE),
        {**ROWS, "learning_rate": rates(1e-3)},
        ("scikit-learn, processes", "scikit-learn, threads"),
        ROW_BY_ROW,
        call="sweep",
        gate=Data(1_000, 100),
        kernels=("multi_steps.single_steps",),
        floors={"scikit-learn, processes": 20.0, "scikit-learn, threads": 20.0},
        within=0.1,
        threads=None,
    ),
    Case(
        "32 rates, mini-batches",
        both(Data(200_000, 50)),
        {**BATCHES, "learning_rate": rates(1e-2), "shuffle": False},
        ("JAX",),
        OTHER_STEPS,
        call="sweep",
        small=Data(960, 10),
        gate=Data(2_000, 100),
        kernels=("multi_steps.batch_steps",),
        floors={"JAX": 3.0},
        within=1e-3,
        threads=None,
    ),
    Case(
        "32 rates, all rows, Huber",
        both(Data(200_000, 50)),
        {**ALL_ROWS, "loss": "huber", "learning_rate": rates(0.9)},
        ("JAX",),
        OTHER_STEPS,
        call="sweep",
        gate=Data(2_000, 50),
        kernels=("multi_sums._multi_sums",),
        within=1e-4,
        threads=None,
    ),
    Case(
        "32 rates, all rows, squares",
        both(Data(200_000, 50)),
        {**ALL_ROWS, "epochs": 100, "learning_rate": rates(0.9)},
        ("JAX",),
        OTHER_STEPS,
        call="sweep",
        gate=Data(2_000, 50),
        within=1e-4,
        threads=None,
    ),
    # Other calls
    Case(
        "lr_find",
        (Data(20_000, 50),),
        {"batch_size": 32, "start": 1e-5, "stop": 1.0, "num": 100},
        ("NumPy reference",),
        {"PyTorch": "has no range test of its own"},
        call="lr_find",
        small=Data(2_000, 10),
        gate=Data(4_000, 100),
        within=1e-4,
    ),
    Case(
        "minimize, Rosenbrock",
        (Data(1, 2),),
        {"learning_rate": 1e-3, "max_iter": 100_000},
        ("NumPy reference",),
        {"PyTorch": "a loop in Python, as the NumPy reference"},
        call="minimize",
        small=Data(1, 2),
        gate=Data(1, 2),
        floors={"NumPy reference": 200.0},
    ),
    # To an objective: everyone by the way of its own
    Case(
        "least squares",
        both(MIDDLING),
        {"loss": "squared_error"},
        (
            "scikit-learn, LinearRegression",
            "scikit-learn, Ridge cholesky",
            "scikit-learn, Ridge lsqr",
            "skglm",
            "glum",
            "PyTorch, L-BFGS",
        ),
        {"Snap ML": "asks for a penalty"},
        race=OBJECTIVE,
        threads=None,
    ),
    Case(
        "lasso",
        (Data(50_000, 100),),
        {"loss": "squared_error", "alpha": 0.1, "l1_ratio": 1.0, "standardize": False},
        ("scikit-learn, coordinates", "scikit-learn, coordinates, Gram", "skglm", "glum", "Snap ML"),
        {"PyTorch, L-BFGS": "is for what is smooth"},
        race=OBJECTIVE,
        threads=None,
    ),
    Case(
        "logistic regression, L2",
        both(TABLE),
        {"loss": "log_loss", "alpha": 1e-4, "standardize": False},
        (
            "scikit-learn, lbfgs",
            "scikit-learn, newton-cholesky",
            "scikit-learn, saga",
            "scikit-learn, SGD",
            "skglm",
            "glum",
            "Snap ML",
            "PyTorch, L-BFGS",
        ),
        {"scikit-learn, liblinear": "penalises the intercept"},
        race=OBJECTIVE,
        threads=None,
    ),
    Case(
        "poisson regression, L2",
        (TABLE,),
        {"loss": "poisson", "alpha": 1e-4, "standardize": False},
        ("scikit-learn, lbfgs", "scikit-learn, newton-cholesky", "skglm", "glum", "PyTorch, L-BFGS"),
        {"Snap ML": "has no such loss"},
        race=OBJECTIVE,
        threads=None,
    ),
    Case(
        "logistic regression, sparse rows, L2",
        (SPARSE,),
        {"loss": "log_loss", "alpha": 1e-4, "standardize": False},
        (
            "scikit-learn, lbfgs",
            "scikit-learn, newton-cholesky",
            "scikit-learn, saga",
            "scikit-learn, SGD",
            "skglm",
            "glum",
            "Snap ML",
        ),
        {"scikit-learn, liblinear": "penalises the intercept", "PyTorch, L-BFGS": "calls its sparse rows a beta"},
        race=OBJECTIVE,
        small=SMALL_SPARSE,
        threads=None,
    ),
)

# Whole processes
LIMITS = (
    Limit("import fastgd over import numpy", processes.import_seconds, 0.10, "CPU s"),
    Limit("first fit, empty cache", processes.first_fit(warm=False), 4.0, "CPU s"),
    Limit("first fit, warm cache", processes.first_fit(warm=True), 1.0, "CPU s"),
    Limit("a step of minimize, a function in Python", network_comparisons.python_step, 20.0, "CPU us"),
    Limit("signatures, ten ways to pass the same rows", processes.signatures, 1, "a kernel"),
    Limit("peak memory beyond 1.05 X, arrays", lambda: processes.peak_over_data("array"), 200.0, "MB"),
    Limit("peak memory beyond 1.05 X, memory map", lambda: processes.peak_over_data("map"), 200.0, "MB"),
    Limit("peak memory, 64 lanes x 5 folds", lambda: processes.peak_over_data("array", processes.SWEEPS), 200.0, "MB"),
)
