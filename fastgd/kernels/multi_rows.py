"""How tiles of lanes are multiplied by rows: dense ones from a table of standardised rows, sparse ones as they lie.

For dense rows the table ``Z`` of the workspace is filled once and serves all tiles; for sparse rows it is empty: the
cost of a row is proportional to its numbers.
"""

import numpy as np

from . import products, sparse_products
from ._jit import UNCOUNTED, branch
from .lane_vectors import assume_noalias
from .rows import dispatch_on_layout, row_at

ROWS_BYTES = 1 << 14  # of a workspace's dense rows
SPARSE_ROWS = 64


def rows_at_once(data, most):
    """How many rows are read at once, at most ``most``: they stay in the cache while tiles use them."""
    if data.rows.sparse:
        return min(most, SPARSE_ROWS)
    wanted = ROWS_BYTES // ((data.shift.size + 1) * data.shift.itemsize) // 8 * 8
    return min(most, max(16, min(64, wanted)))


@branch
def standardise(X, order, lo, count, shift, inverse_scale, constant, Z):
    """Put standardised rows, the intercept's constant behind each, into the first ``count`` rows of Z."""
    assume_noalias()
    for k in range(count):
        i = np.uint64(row_at(order, lo + k))
        for j in range(shift.size):
            Z[k, j] = (X[i, j] - shift[j]) * inverse_scale[j]
        Z[k, shift.size] = constant


def _dense_load_rows(rows, order, lo, count, shift, inverse_scale, constant, Z):
    standardise(rows.values, order, lo, count, shift, inverse_scale, constant, Z)


def _sparse_load_rows(rows, order, lo, count, shift, inverse_scale, constant, Z):
    pass


def _dense_scores(rows, order, lo, count, inverse_scale, constant, Z, weights, S):
    products.scores(Z, count, weights, S)


def _sparse_scores(rows, order, lo, count, inverse_scale, constant, Z, weights, S):
    sparse_products.scores(rows, order, lo, count, inverse_scale, constant, weights, S)


def _dense_add_weighted_rows(rows, order, lo, count, inverse_scale, constant, Z, S, out):
    products.add_weighted_rows(Z, count, S, out)


def _sparse_add_weighted_rows(rows, order, lo, count, inverse_scale, constant, Z, S, out):
    sparse_products.add_weighted_rows(rows, order, lo, count, inverse_scale, constant, S, None, out)


# Load the ``count`` rows at ``lo`` into the table Z.
load_rows = dispatch_on_layout(_dense_load_rows, _sparse_load_rows, **UNCOUNTED)
# Their scores in every lane of a tile, into S.
scores = dispatch_on_layout(_dense_scores, _sparse_scores, **UNCOUNTED)
# ``out += rows.T @ S``, (d + 1, W).
add_weighted_rows = dispatch_on_layout(_dense_add_weighted_rows, _sparse_add_weighted_rows, **UNCOUNTED)
