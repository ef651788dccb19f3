"""Sparse rows: ``fit`` on SciPy's CSR against SciPy's products and itself."""

import numpy as np

import fastgd
from fastgd.inputs import arrays

from .cases import HASHED, SMALL_SPARSE, SPARSE, WORDS
from .data import made, objective
from .fit_comparisons import full_batch_pass
from .registry import Comparison, both

RATE = 0.1


def fit(X, y, **options):
    """A fit, a step for each row; its objective is measured outside of the timing."""
    options = {"batch_size": 1, "learning_rate": RATE, "epochs": 1, "fit_intercept": False} | options

    def run():
        found = fastgd.fit(X, y, random_state=0, **options)
        return lambda: objective({}, X, y, found.coef, found.intercept)

    return run


def gradient(shape):
    """One full-batch gradient against SciPy's two products, on one thread each."""
    X, y = made(shape)
    w = np.full(X.shape[1], 0.01, X.dtype)

    def scipys():
        residual = X @ w - y
        X.T @ residual
        return float(np.mean(residual.astype(np.float64) ** 2))

    return {"fastgd": full_batch_pass(X, y, w, 1), "scipy": scipys}


def input_check(shape):
    """What it costs not to believe the indices of ``X``."""
    X, y = made(shape)

    def check():
        arrays.matrix(X)

    return {"fastgd": fit(X, y), "input check": check}


def hogwild(shape):
    """Two threads on copies of the weights against one; the two end a few per cent lower."""
    X, y = made(shape)
    options = {"epochs": 5, "fit_intercept": True}
    return {
        "fastgd": fit(X, y, parallel="hogwild", n_threads=2, **options),
        "one thread": fit(X, y, n_threads=1, **options),
    }


def rates_and_fit(shape, batch):
    """32 rates against a fit of one of them, on one thread."""
    X, y = made(shape)
    options = {"batch_size": batch, "epochs": 1, "n_threads": 1, "fit_intercept": False}

    def sweep():
        rates = np.geomspace(RATE / 10, RATE, 32).tolist()
        found = fastgd.sweep(X, y, learning_rate=rates, random_state=0, **options)
        return lambda: found.losses[-1]

    return {"fastgd": fit(X, y, **options), "32 rates": sweep}


COMPARISONS = (
    Comparison(
        "sparse full-batch gradient",
        gradient,
        tuple((shape,) for shape in both(WORDS)),
        (SMALL_SPARSE,),
        {"scipy": 1.0},
        within=1e-4,
    ),
    Comparison(
        "sparse rows, input check",
        input_check,
        tuple((shape,) for shape in both(SPARSE, WORDS, HASHED)),
        (SMALL_SPARSE,),
        {},
        limits={"input check": 0.15},
    ),
    Comparison(
        "sparse SGD, hogwild",
        hogwild,
        tuple((shape,) for shape in both(WORDS)),
        (SMALL_SPARSE,),
        {"one thread": 1.6},
        within=0.1,
    ),
    Comparison(
        "sparse 32 rates, one fit",
        rates_and_fit,
        tuple((shape, batch) for shape in both(SPARSE) for batch in (1, 32)),
        (SMALL_SPARSE, 32),
        {},
        within=1e-3,
        limits={"32 rates": 4.0},
    ),
)
