"""How tiles of lanes are multiplied by rows: dense ones from a table of standardised rows, sparse ones as they lie.

For dense rows the table ``Z`` of the workspace is filled once and serves all tiles; for sparse rows it is empty: the
cost of a row is proportional to its numbers.
"""

from . import products, sparse_products
from ._jit import UNCOUNTED
from .rows import dispatch_on_layout
from .tiles import read_rows

ROWS_BYTES = 1 << 14  # of a workspace's dense rows
SPARSE_ROWS = 64


def _dense_at_once(rows, data, most):
    wanted = ROWS_BYTES // ((data.shift.size + 1) * data.shift.itemsize) // 8 * 8
    return min(most, max(16, min(64, wanted)))


def _sparse_at_once(rows, data, most):
    return min(most, SPARSE_ROWS)


def _dense_height(rows, height):
    return height


def _sparse_height(rows, height):
    return 0


def _dense_load_rows(rows, data, order, lo, count, work):
    read_rows(rows, order, lo, count, data.shift, data.inverse_scale, data.constant, work.Z)


def _sparse_load_rows(rows, data, order, lo, count, work):
    pass


def _dense_scores(rows, data, order, lo, count, work, weights):
    products.scores(work.Z, count, weights, work.S)


def _sparse_scores(rows, data, order, lo, count, work, weights):
    sparse_products.scores(rows, order, lo, count, data.inverse_scale, data.constant, weights, work.S)


def _dense_add_weighted_rows(rows, data, order, lo, count, work, out):
    products.add_weighted_rows(work.Z, count, work.S, out)


def _sparse_add_weighted_rows(rows, data, order, lo, count, work, out):
    sparse_products.add_weighted_rows(rows, order, lo, count, data.inverse_scale, data.constant, work.S, None, out)


# How many rows are read at once, at most ``most``: they stay in the cache while tiles use them.
rows_at_once = dispatch_on_layout(_dense_at_once, _sparse_at_once)
# The height of a table that dense rows need and sparse ones do not.
height_for = dispatch_on_layout(_dense_height, _sparse_height)
# Load the ``count`` rows at ``lo`` into the workspace.
load_rows = dispatch_on_layout(_dense_load_rows, _sparse_load_rows, **UNCOUNTED)
# Their scores in every lane of a tile, into the workspace's ``S``.
scores = dispatch_on_layout(_dense_scores, _sparse_scores, **UNCOUNTED)
# ``out += rows.T @ S``, (d + 1, W).
add_weighted_rows = dispatch_on_layout(_dense_add_weighted_rows, _sparse_add_weighted_rows, **UNCOUNTED)
