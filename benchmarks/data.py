"""The data of cases, made by seed, and the objective that everyone is measured by."""

from functools import lru_cache

import numpy as np

import fastgd
from fastgd.inputs import arguments

from .registry import Data

NOISE = 0.5  # of a score of variance 1


def normal(random, data):
    """Standard normal columns."""
    return random.standard_normal((data.n, data.d), dtype=data.dtype)


def uniform(random, data):
    """Sparse rows whose columns are drawn alike, as hashing does it."""
    return rows_of(random, data, random.integers(0, data.d, (data.n, data.drawn)))


def zipf(random, data):
    """Columns as the words of a language: the r-th comes up 1/r as often as the first, wherever it stands."""
    shares = np.cumsum(1.0 / np.arange(1, data.d + 1))
    drawn = random.random((data.n, int(1.2 * data.drawn)))  # some hit the same column
    return rows_of(random, data, random.permutation(data.d)[np.searchsorted(shares, drawn * shares[-1])])


MAKERS = {"normal": normal, "uniform": uniform, "zipf": zipf}


def rows_of(random, data, found):
    """CSR rows of norm 1 with random numbers in the columns found."""
    from scipy.sparse import csr_array

    values, starts = random.standard_normal(found.shape), np.arange(data.n + 1) * found.shape[1]
    X = csr_array((values.reshape(-1), found.reshape(-1), starts), shape=(data.n, data.d))
    X.sum_duplicates()
    X.data /= np.repeat(np.sqrt(np.add.reduceat(X.data**2, X.indptr[:-1])), np.diff(X.indptr))
    parts = X.data.astype(data.dtype), X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return csr_array(parts, shape=(data.n, data.d))


@lru_cache(maxsize=1)
def made(data, loss="squared_error"):
    """``X`` and the targets of a loss: a score of variance 1 and noise; its sign for two classes; counts, amounts."""
    random = np.random.default_rng(data.seed)
    X = MAKERS[data.columns](random, data)
    score = X @ random.standard_normal(data.d).astype(data.dtype)
    score = score / score.std() + NOISE * random.standard_normal(data.n)
    part = arguments.part("loss", loss, fastgd.losses)
    if part.labels:
        y = score > 0
    elif part.domain:
        y = random.poisson(np.exp(score / 2)) + (0.5 if "above" in part.domain else 0.0)
    else:
        y = score
    return X, np.ascontiguousarray(y, data.dtype)


def problem(n, d, dtype):
    """A regression on standard normal columns."""
    return made(Data(n, d, np.dtype(dtype).name))


def objective(options, X, y, w, b):
    """What a fit with these options minimises, at coefficients (d,), or of each of many models (lanes, d); float64."""
    loss = arguments.part("loss", options.get("loss", "squared_error"), fastgd.losses)
    w, b = np.asarray(w, np.float64), np.asarray(b, np.float64)
    column = y.astype(np.float64).reshape(-1, *[1] * (w.ndim - 1))
    costs = loss.value(X @ w.T + b, column).mean(axis=0)
    alpha, share = options.get("alpha", 0.0), options.get("l1_ratio", 0.0)
    return costs + alpha * (share * np.abs(w).sum(axis=-1) + (1 - share) / 2 * (w**2).sum(axis=-1))
