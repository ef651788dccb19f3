"""The data of cases, made by seed, and the objective that everyone is measured by."""

from functools import lru_cache

import numpy as np

import fastgd
from fastgd.inputs import arguments

from .registry import Data

NOISE = 0.5  # of a score of variance 1
LARGEST = 20.0  # the size of a score that a mean is made of: heavy tails reach further, where counts overflow
CORRELATION, DECADES, OFFSET, RARE = 0.95, 6, 3.0, 1e-3


def normal(random, data):
    """Standard normal columns."""
    return random.standard_normal((data.n, data.d), dtype=data.dtype)


def uniform(random, data):
    """Sparse rows whose columns are drawn alike, as hashing does it."""
    return rows_of(random, data, random.integers(0, data.d, (data.n, data.drawn)))


def zipf(random, data):
    """Columns as the words of a language: the r-th comes up 1/r as often as the first, wherever it stands."""
    return rows_of(random, data, zipf_columns(random, data))


def zipf_columns(random, data):
    shares = np.cumsum(1.0 / np.arange(1, data.d + 1))
    drawn = random.random((data.n, int(1.2 * data.drawn)))  # some hit the same column
    return random.permutation(data.d)[np.searchsorted(shares, drawn * shares[-1])]


def correlated(random, data):
    """Normal columns, each correlated 0.95 with the one before."""
    X = normal(random, data)
    for j in range(1, data.d):
        X[:, j] = CORRELATION * X[:, j - 1] + np.sqrt(1 - CORRELATION**2) * X[:, j]
    return X


def scaled(random, data):
    """Normal columns in units over six decades, their means some standard deviations from zero."""
    units = random.permutation(np.geomspace(10.0 ** (-DECADES / 2), 10.0 ** (DECADES / 2), data.d))
    X = normal(random, data)
    X += (OFFSET * random.standard_normal(data.d)).astype(data.dtype)
    X *= units.astype(data.dtype)
    return X


def heavy(random, data):
    """Columns of Student's t with 3 degrees; of each ten one that is 1 in a thousandth of the rows, else 0."""
    X = random.standard_t(3, (data.n, data.d)).astype(data.dtype)
    X[:, ::10] = random.random((data.n, len(range(0, data.d, 10)))) < RARE
    return X


def text(random, data):
    """Rows of words weighted as texts are, tf-idf, of norm 1; the words are those of `zipf`."""
    words = zipf_columns(random, data)
    X = csr_of(np.ones(words.shape), words, data)
    rows = np.bincount(X.indices, minlength=data.d)
    X.data = (1 + np.log(X.data)) * (1 + np.log((1 + data.n) / (1 + rows)))[X.indices]
    return normalised(X, data)


def pixels(random, data):
    """Pictures of a few shapes, above zero in about half of the pixels; those at the border are almost always 0."""
    shapes = random.standard_normal((30, data.d), dtype=data.dtype)
    weights = random.standard_normal((data.n, 30), dtype=data.dtype)
    X = weights @ shapes / np.sqrt(30).astype(data.dtype)
    X += (0.3 * random.standard_normal(X.shape, dtype=data.dtype)).astype(data.dtype)
    X -= np.abs(np.linspace(-2, 2, data.d, dtype=data.dtype))
    return np.clip(X, 0.0, 1.0, out=X)


MAKERS = {
    "normal": normal,
    "correlated": correlated,
    "scaled": scaled,
    "heavy": heavy,
    "hundred": normal,
    "pixels": pixels,
    "uniform": uniform,
    "zipf": zipf,
    "text": text,
}
CLASSES = {
    "text": 20,
    "pixels": 10,
    "hundred": 100,
}  # as many as a joint loss, or one that takes each against the rest, is given
REAL = ("digits", "iris", "wine")  # tables that scikit-learn brings along


def rows_of(random, data, found):
    """CSR rows of norm 1 with random numbers in the columns found."""
    return normalised(csr_of(random.standard_normal(found.shape), found, data), data)


def csr_of(values, found, data):
    """Numbers in the columns found, row by row; those of one column are added up."""
    from scipy.sparse import csr_array

    starts = np.arange(data.n + 1) * found.shape[1]
    X = csr_array((values.reshape(-1), found.reshape(-1), starts), shape=(data.n, data.d))
    X.sum_duplicates()
    return X


def normalised(X, data):
    """Rows of norm 1, with small indices."""
    from scipy.sparse import csr_array

    X.data /= np.repeat(np.sqrt(np.add.reduceat(X.data**2, X.indptr[:-1])), np.diff(X.indptr))
    parts = X.data.astype(data.dtype), X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return csr_array(parts, shape=(data.n, data.d))


@lru_cache(maxsize=1)
def made(data, loss="squared_error", several=False):
    """``X`` and the targets of a loss: a score of variance 1 and noise; its sign for two classes; counts, amounts.

    ``several`` asks for more than two classes, numbered from 0: the highest of a score each; those of `REAL` have them.
    """
    if data.columns in REAL:
        return real(data)
    random = np.random.default_rng(data.seed)
    X = MAKERS[data.columns](random, data)
    part = arguments.part("loss", loss, fastgd.losses)
    if several or part.joint:
        return X, classes_of(random, X, data)
    w = random.standard_normal(data.d)
    if data.columns == "scaled":
        w /= X.std(axis=0)
    score = X @ w.astype(data.dtype)
    if data.columns == "scaled":  # else it may lie ten deviations from zero, and all rows be of one class
        score -= score.mean()
    score = score / score.std() + NOISE * random.standard_normal(data.n)
    if part.labels:
        y = score > 0
    elif part.domain:
        mean = np.exp(np.clip(score, -LARGEST, LARGEST) / 2)
        y = random.poisson(mean) + (0.5 if "above" in part.domain else 0.0)
    else:
        y = score
    return X, np.ascontiguousarray(y, data.dtype)


def classes_of(random, X, data):
    """For each row the class with the highest score."""
    scores = X @ random.standard_normal((data.d, CLASSES.get(data.columns, 3))).astype(data.dtype)
    scores = (scores - scores.mean(axis=0)) / scores.std(axis=0) + NOISE * random.standard_normal(scores.shape)
    return scores.argmax(axis=1)


def real(data):
    """A table that comes with scikit-learn, as it is."""
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{data.columns}")(return_X_y=True)
    if X.shape != (data.n, data.d):
        raise ValueError(f"{data.columns} is {X.shape[0]} x {X.shape[1]}, not {data.n} x {data.d}")
    return np.ascontiguousarray(X, data.dtype), y


def problem(n, d, dtype):
    """A regression on standard normal columns."""
    return made(Data(n, d, np.dtype(dtype).name))


def objective(options, X, y, w, b):
    """What a fit with these options minimises, at coefficients (d,), or of each of many models (lanes, d); float64.

    Of more than two classes it is one number at coefficients (classes, d): of a joint loss, or, where each class is
    held against the rest, the sum over the classes.
    """
    loss = arguments.part("loss", options.get("loss", "squared_error"), fastgd.losses)
    w, b = np.asarray(w, np.float64), np.asarray(b, np.float64)
    alpha, share = options.get("alpha", 0.0), options.get("l1_ratio", 0.0)
    penalty = alpha * (share * np.abs(w).sum(axis=-1) + (1 - share) / 2 * (w**2).sum(axis=-1))
    scores = X @ w.T + b
    if loss.joint:
        return loss.factor * np.mean(logsumexp(scores) - scores[np.arange(len(y)), y.astype(int)]) + penalty.sum()
    if y.dtype.kind in "iu" and y.max() > 1:
        rest = (y[:, None] == np.arange(len(w))).astype(np.float64)
        return np.sum(loss.value(scores, rest).mean(axis=0) + penalty)
    column = y.astype(np.float64).reshape(-1, *[1] * (w.ndim - 1))
    return loss.value(scores, column).mean(axis=0) + penalty


def logsumexp(scores):
    """Row by row, without overflow."""
    highest = scores.max(axis=1)
    return highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
