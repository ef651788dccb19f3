"""Losses made of lines with a kink each, L2, and fewer rows than columns: the dual problem, a multiplier a row.

With the products G of the rows it is to lower ``u @ G @ u / 2 - alpha * (places - b) @ u`` over multipliers u in boxes,
where the intercept b is such that they add up to 0; the weights are ``rows.T @ u / alpha`` (Cortes and Vapnik 1995).
Coordinate steps (Hsieh et al. 2008) and linear systems of those inside their boxes solve it for a given intercept.
"""

import math

import numpy as np

from ..kernels.cholesky import Factor
from ..kernels.coordinates import image, part_of
from ..kernels.pairs import product
from .coordinates import Parabola, descend
from .gram import products_of_rows
from .kinks import Kinks

MOST_ROWS = 2048  # 32 MB of products
SEARCHES = 60  # intercepts, at most
REST = 0.1  # of the gap, for what the intercept may still move
EPS = 4 * np.finfo(np.float64).eps


def suits(rows, l2, kinks):
    """Whether rows are so few that their products cost less than those of the columns, with one kink and a penalty.

    It is the same in all columns, a number.
    """
    n, d = rows.shape
    dense = rows.in_memory and not rows.sparse
    return dense and np.ndim(l2) == 0 and l2 > 0.0 and kinks == 1 and n <= min(d, MOST_ROWS)


def common(l2):
    """The number that penalties (d,) have in common, or the penalties where they differ."""
    return l2[0] if (l2 == l2[0]).all() else l2


class RowProducts:
    """The products (n, n) of the standardised dense rows without the constant, which all lanes share.

    With an intercept the columns are centred once more, by their ``mean`` (d,), and ``level`` is added to all products:
    multipliers that add up to 0 are the same ones with it, and without it the products of centred rows would not tell
    how far all of them go up together.
    """

    def __init__(self, data, threads):
        self.matrix, self.mean = products_of_rows(data, threads, centred=bool(data.constant))
        self.level = float(self.matrix.diagonal().mean()) if data.constant else 0.0
        self.matrix += self.level


def minimise(products, rows, intercept, enough):
    """The weights (d + 1,) of a duality gap that is about ``enough``, and the multipliers (1, n) that prove it.

    A gap is as large as what is left of the slopes, of which a step brings the square. The sum of the multipliers falls
    with the intercept, by lines: Newton's steps find where it is 0, within a bracket.
    """
    alpha, places, matrix = float(rows.penalty[0]), rows.places[0], products.matrix
    boxes = Kinks(np.zeros(rows.n), rows.weight * rows.low[0], rows.weight * rows.high[0])
    u, b, below, above = np.clip(0.0, boxes.low, boxes.high), intercept, -math.inf, math.inf
    slope = image(matrix, u) - alpha * (places - b)
    least = (alpha * enough) ** 2 / max(float(matrix.diagonal().max()), 1e-300)
    for _ in range(SEARCHES):
        descend(Parabola.whole(matrix), slope, boxes, u, 0.0, least)
        total = float(np.sum(u))
        move = change_of_intercept(matrix, slope, boxes, u, total) / alpha
        if not rows.data.constant or abs(move) <= max(REST * enough, EPS * abs(b)):
            break
        below, above = (b, above) if total > 0.0 else (below, b)
        after = b + move
        if not below < after < above:
            after = 0.5 * (below + above)
        slope += alpha * (after - b)
        b = after
    total = float(np.sum(u)) / alpha  # what is left of it, which has met the level as a part of the intercept
    weights = rows.transposed(u) / alpha
    weights[:-1] -= total * products.mean
    weights[-1] = (b + total * products.level) * rows.data.constant - product(products.mean, weights[:-1])
    return weights, u[None]


def change_of_intercept(matrix, slope, boxes, u, total):
    """By how much the intercept, times alpha, has to change so that the multipliers add up to 0."""
    free = np.flatnonzero(boxes.free(u))
    fall = float(np.sum(Factor(part_of(matrix, free)).solve(np.ones(free.size)))) if free.size else 0.0
    if fall > 0.0:
        return total / fall
    if total == 0.0:
        return 0.0
    # None is inside its box: up to where the first one comes in.
    wide = boxes.high > boxes.low
    out = slope[wide & (u == (boxes.high if total > 0.0 else boxes.low))]
    return 2.0 * math.copysign(float(np.abs(out).min()), total) if out.size else 0.0
