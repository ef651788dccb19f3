"""Streams: rows in an order, to be learned in chunks; each by its loss, what is odd about it, and the chunk."""

from typing import NamedTuple

import numpy as np
import scipy.sparse

ROWS = 4000
SINGLE = 1500  # rows of streams of single rows


class Stream(NamedTuple):
    """A stream."""

    loss: str  # "quantile 0.9" is the quantile loss of 0.9
    name: str
    chunk: int
    fitted: int  # rows at the beginning that are fitted, and do not count
    options: dict

    @property
    def label(self):
        """How the tables name it."""
        return f"{self.loss}, {self.name}, chunks of {self.chunk}"

    def make(self):
        """The rows (n, d) and their targets."""
        n = SINGLE if self.chunk == 1 else max(ROWS, 3 * self.chunk)
        return rows_and_targets(self.loss, n=n, **self.options)


def rows_and_targets(loss, n, seed, d=10, kind="", corr=0.0, decades=0.0, noise=1.0):
    """Normal columns and targets by a linear score, with what ``kind`` names.

    ``corr`` is the share of a common factor in the variance of each column, ``decades`` how far their scales are apart.
    """
    draw = np.random.default_rng(seed)
    X = np.sqrt(1 - corr) * draw.standard_normal((n, d)) + np.sqrt(corr) * draw.standard_normal((n, 1))
    if kind == "heavy tails":
        X *= np.exp(0.7 * draw.standard_normal((n, d)))
    if kind == "one-hot":
        X = np.eye(d)[draw.integers(0, d, n)]
    if kind == "sparse":
        X *= draw.random((n, d)) < 0.05
    weights = np.tile(draw.standard_normal(d), (n, 1))
    if kind == "another model from the middle on":
        weights[n // 2 :] = draw.standard_normal(d)
    if kind == "drifting model":
        weights += np.cumsum(draw.standard_normal((n, d)), axis=0) * 2 / np.sqrt(n)
    score = (X * weights).sum(axis=1)
    if kind == "sorted by date":
        X[:, 0] += np.linspace(0, 5, n)
        score = (X * weights).sum(axis=1) + np.linspace(0, 3, n)
    if kind == "sorted by the target":
        order = np.argsort(score + 3 * draw.standard_normal(n))
        X, score = X[order], score[order]
    if decades:
        scales = 10.0 ** draw.uniform(-decades, decades, d)
        X = (X + 3) * scales
    y = targets(loss, score, kind, noise, draw)
    if kind == "first chunk 10,000 times smaller":
        y[:100] *= 1e-4
    if kind == "a column constant at first":
        X[:150, 1] = X[0, 1]
    return scipy.sparse.csr_array(X) if kind in ("one-hot", "sparse") else X, y


def targets(loss, score, kind, noise, draw):
    """Targets of scores: with noise about them, counts or classes."""
    n = len(score)
    if loss == "poisson":
        return draw.poisson(np.exp(0.5 + 0.7 * score / score.std())).astype(float)
    if loss in ("log_loss", "hinge"):
        slope = 50 if kind == "separable" else 3
        return (slope * score / score.std() + (slope < 50) * draw.logistic(size=n) > 0).astype(float)
    y = 5 + score + noise * (draw.standard_t(2, n) if kind == "outliers" else draw.standard_normal(n))
    return 1e6 * y if kind == "targets in millions" else y


def streams():
    """All streams."""
    found, seed = [], 0

    def add(losses, name, chunks, fitted=0, **options):
        nonlocal seed
        for loss in losses:
            for chunk in chunks:
                seed += 1
                found.append(Stream(loss, name, chunk, fitted, {"seed": seed, **options}))

    both = ("squared_error", "log_loss")
    add(both, "plain", (1, 32, 1000, 10_000))
    add(both, "50 columns", (32, 1000), d=50)
    add(both, "correlated", (1, 100), corr=0.9)
    add(both, "scales six decades apart", (1, 100), decades=3)
    for name in ("heavy tails", "drifting model", "another model from the middle on", "sorted by date"):
        add(both, name, (1, 100), kind=name)
    for name in ("sorted by the target", "a column constant at first", "one-hot", "sparse"):
        add(both, name, (100,), kind=name, d=30 if name in ("one-hot", "sparse") else 10)
    for name in ("first chunk 10,000 times smaller", "targets in millions", "outliers"):
        add(("squared_error",), name, (1, 100), kind=name)
    add(("log_loss",), "separable", (1, 100), kind="separable")
    add((*both, "quantile 0.5"), "after a fit of 500 rows", (1, 100), fitted=500)
    others = ("poisson", "quantile 0.5", "quantile 0.9", "hinge")
    add(others, "plain", (1, 100))
    add(others, "scales four decades apart", (100,), decades=2)
    add(others, "another model from the middle on", (100,), kind="another model from the middle on")
    return found
