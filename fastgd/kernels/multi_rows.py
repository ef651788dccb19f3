"""How tiles of lanes are multiplied by rows: dense ones from a table of standardised rows, sparse ones as they lie.

For dense rows the table ``Z`` of the workspace is filled once and serves all tiles; for sparse rows it is empty: the
cost of a row is proportional to its numbers.
"""

import numpy as np

from . import sparse_products
from ._jit import UNCOUNTED
from .lane_vectors import assume_noalias, simd_width
from .products import panel
from .rows import dispatch_on_layout, row_at

ROWS_BYTES = 1 << 14  # of a workspace's dense rows
SPARSE_ROWS = 64
ONCE = {"forceinline": False, **UNCOUNTED}


def rows_at_once(data, most):
    """How many rows are read at once, at most ``most``: they stay in the cache while tiles use them."""
    if data.rows.sparse:
        return min(most, SPARSE_ROWS)
    wanted = ROWS_BYTES // ((data.shift.size + 1) * data.shift.itemsize) // 8 * 8
    return min(most, max(16, min(64, wanted)))


def _dense_load_rows(rows, order, lo, count, shift, inverse_scale, constant, Z):
    assume_noalias()
    for k in range(count):
        i = np.uint64(row_at(order, lo + k))
        for j in range(shift.size):
            Z[k, j] = (rows.values[i, j] - shift[j]) * inverse_scale[j]
        Z[k, shift.size] = constant


def _sparse_load_rows(rows, order, lo, count, shift, inverse_scale, constant, Z):
    pass


# Put the ``count`` rows at ``lo``, standardised, the intercept's constant behind each, into the table Z.
load_rows = dispatch_on_layout(_dense_load_rows, _sparse_load_rows, **ONCE)


def _dense_scores(rows, order, lo, count, inverse_scale, constant, Z, weights, S):
    d, eights = Z.shape[1], count - count % 8
    width, vector = weights.shape[1], simd_width(weights)
    pairs = width - width % (2 * vector)
    for i in range(0, eights, 8):
        for v in range(0, pairs, 2 * vector):
            panel(Z, i * d, d, 1, d, weights, S, i, v, 8, 2, False)
        if pairs < width:
            panel(Z, i * d, d, 1, d, weights, S, i, pairs, 8, 1, False)
    for i in range(eights, count):
        for v in range(0, width, vector):
            panel(Z, i * d, d, 1, d, weights, S, i, v, 1, 1, False)


def _sparse_scores(rows, order, lo, count, inverse_scale, constant, Z, weights, S):
    sparse_products.scores(rows, order, lo, count, inverse_scale, constant, weights, S)


def _dense_add(rows, order, lo, count, inverse_scale, constant, Z, S, out):
    d = Z.shape[1]
    eights = d - d % 8
    width, vector = S.shape[1], simd_width(S)
    pairs = width - width % (2 * vector)
    for j in range(0, eights, 8):
        for v in range(0, pairs, 2 * vector):
            panel(Z, j, 1, d, count, S, out, j, v, 8, 2, True)
        if pairs < width:
            panel(Z, j, 1, d, count, S, out, j, pairs, 8, 1, True)
    for j in range(eights, d):
        for v in range(0, width, vector):
            panel(Z, j, 1, d, count, S, out, j, v, 1, 1, True)


def _sparse_add(rows, order, lo, count, inverse_scale, constant, Z, S, out):
    sparse_products.add_weighted_rows(rows, order, lo, count, inverse_scale, constant, S, None, out)


# Their scores in every lane of a tile, into S (rows, W); the lanes fill whole vectors.
scores = dispatch_on_layout(_dense_scores, _sparse_scores, **ONCE)
# ``out += rows.T @ S``, (d + 1, W).
add_weighted_rows = dispatch_on_layout(_dense_add, _sparse_add, **ONCE)
