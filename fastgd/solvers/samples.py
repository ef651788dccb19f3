"""Samples of the rows that grow until they are all rows: a descent begins on few and ends on all."""

import numpy as np

from ..kernels.lanes import NO_ROLES
from ..kernels.layouts import CSR, frozen

FEW = 1024  # rows of the sample that the centre of the columns is estimated from
RUN = 16  # rows that stay together: a row by itself costs the memory as much as several
SHARE = 8  # the largest sample is so small a part of the rows, and each one of the next
PER_COLUMN, LEAST = 10, 500  # rows that a sample has at least, a column and in all
SAMPLE_ERROR = 0.2  # times weights / rows * objective: about the error of a sample's optimum
ENOUGH = 1000  # rows a column: the sample's optimum is about half a thousandth above that of all rows
LARGEST_BYTES = 1 << 26  # of the copied rows


def sizes(n, D, row_bytes):
    """The rows of the samples, ascending, all multiples of ``RUN``; the last step, all n rows, is not among them."""
    least = max(-(-PER_COLUMN * D // RUN) * RUN, LEAST)
    m = max(min(n // SHARE, ENOUGH * D), least)
    m = min(m, LARGEST_BYTES // max(row_bytes, 1)) // RUN * RUN
    if m > n // 2:
        return []
    found = []
    while m >= least:
        found.insert(0, m)
        m = m // SHARE // RUN * RUN
    return found


def rows_of_sample(n, m):
    """The numbers of m of n rows: runs, one at a random place within each stratum, in random order.

    So the first rows of a sample are a sample, too. Sorted rows or those of a period do no harm. The numbers are the
    same each time.
    """
    random, runs = np.random.default_rng(0), m // RUN
    # The strata are as wide as they may be so that a run ends before the next one begins.
    begin = np.floor((np.arange(runs) + random.random(runs)) * ((n - m) / runs)).astype(np.int64)
    begin += np.arange(runs) * RUN
    random.shuffle(begin)
    return (begin[:, None] + np.arange(RUN)).reshape(-1)


def few_rows(n):
    """The numbers of some of n rows, from which the centre of the columns is estimated."""
    return np.arange(0, n, -(-n // FEW))


def sample_of(data, rows):
    """The data of some rows, copied; sums over them are divided by the sum of their weights."""
    weight = frozen(data.weight[rows]) if data.weight.size else data.weight
    return data._replace(
        rows=data.rows.take(rows),
        targets=frozen(np.ascontiguousarray(data.targets[:, rows])),
        weight=weight,
        offset=frozen(data.offset[rows]) if data.offset.size else data.offset,
        roles=NO_ROLES,
        count=total(weight, len(rows)),
    )


def total(weight, n):
    """The sum of the weights of n rows."""
    return float(weight.sum(dtype=np.float64)) if weight.size else float(n)


def first_of(data, m):
    """The data of the first m rows, which are not copied."""
    rows, weight = data.rows, data.weight[:m] if data.weight.size else data.weight
    if rows.sparse:
        last = int(rows.starts[m])
        rows = CSR(rows.values[:last], rows.indices[:last], rows.starts[: m + 1], rows.columns)
    else:
        rows = type(rows)(rows.values[:m])
    return data._replace(
        rows=rows,
        targets=frozen(np.ascontiguousarray(data.targets[:, :m])),
        weight=weight,
        offset=data.offset[:m] if data.offset.size else data.offset,
        count=total(weight, m),
    )
