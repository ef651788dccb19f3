"""How tiles of lanes are multiplied by rows: dense ones from a table of standardised rows, sparse ones as they lie.

For dense rows the table ``Z`` of the desk is filled once and serves all tiles; for sparse rows it is empty, and what a
row costs goes by its numbers.
"""

from . import products, sparse_products
from ._jit import UNCOUNTED
from .rows import question
from .tiles import read_rows

ROWS_BYTES = 1 << 14  # of a desk's dense rows
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


def _dense_lay(rows, data, order, lo, count, on):
    read_rows(rows, order, lo, count, data.shift, data.inverse_scale, data.constant, on.Z)


def _sparse_lay(rows, data, order, lo, count, on):
    pass


def _dense_scores(rows, data, order, lo, count, on, weights):
    products.scores(on.Z, count, weights, on.S)


def _sparse_scores(rows, data, order, lo, count, on, weights):
    sparse_products.scores(rows, order, lo, count, data.inverse_scale, data.constant, weights, on.S)


def _dense_pull(rows, data, order, lo, count, on, out):
    products.pull(on.Z, count, on.S, out)


def _sparse_pull(rows, data, order, lo, count, on, out):
    sparse_products.pull(rows, order, lo, count, data.inverse_scale, data.constant, on.S, None, out)


# How many rows are read at once, at most ``most``: they stay in the cache while tiles use them.
rows_at_once = question(_dense_at_once, _sparse_at_once)
# The height of a table that dense rows need and sparse ones do not.
height_for = question(_dense_height, _sparse_height)
# Put the ``count`` rows at ``lo`` on the desk.
lay = question(_dense_lay, _sparse_lay, **UNCOUNTED)
# Their scores in every lane of a tile, into the desk's ``S``.
scores = question(_dense_scores, _sparse_scores, **UNCOUNTED)
# ``out += rows.T @ S``, (d + 1, W).
pull = question(_dense_pull, _sparse_pull, **UNCOUNTED)
