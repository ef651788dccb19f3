"""What is known of the columns before a fit: their moments, and the largest of the rows."""

import numpy as np

from ._jit import kernel
from .addresses import at
from .lane_vectors import assume_noalias

TOGETHER = 512  # numbers of short rows that are added at once
CANCELLED = 1e3  # a sum of squares that is so many times what it leaves is computed anew


def moments(data, chunk, first, last, totals, means, squares):
    """Weight, weighted mean and centred sum of squares of each column over chunks first to last, in float64.

    Sums of raw squares would cancel on columns such as years: dense chunks are centred at their first row. Where that
    lies far from the mean, or zero does for sparse rows, they are read again from the cache.
    """
    rows = data.rows
    if rows.sparse:
        seen, rest = np.empty((2, rows.columns))
        _sparse_moments(*rows, data.weight, chunk, first, last, totals, means, squares, seen, rest)
    else:
        d = rows.values.shape[1]
        work = np.empty((3, d * max(1, TOGETHER // d)))
        values, again = rows.flat()[0], np.zeros(last - first, bool)
        _dense_moments(values, data.weight, chunk, first, last, totals, means, squares, again, *work)
        for c in (first + np.flatnonzero(again)).tolist():
            _centred_moments(values, data.weight, c * chunk, totals[c], means[c], squares[c], work[0], chunk)


@kernel
def _dense_moments(values, weight, chunk, first, last, totals, means, squares, again, shift, sums, products):
    """``again`` (chunks,) says which chunks' squares have cancelled; the arrays behind it are scratch."""
    assume_noalias()
    d, size = means.shape[1], shift.size
    n = values.size // d
    shifts, summed, squared = at(shift, 0), at(sums, 0), at(products, 0)
    for c in range(first, last):
        lo = c * chunk
        hi = lo + chunk if lo + chunk < n else n
        some, mean, square_of = at(values, lo * d), at(means, c), at(squares, c)
        for k in range(size):
            shifts[k] = some[k % d]
            summed[k] = squared[k] = 0.0
        total, i = 0.0, lo
        while i < hi:
            w = np.float64(weight[i]) if weight.size > 0 else 1.0
            rows = size // d if weight.size == 0 and i + size // d <= hi else 1
            some = at(values, i * d)
            for k in range(rows * d):
                away = some[k] - shifts[k]
                summed[k] += w * away
                squared[k] += w * away * away
            total += w * rows
            i += rows
        totals[c] = total
        for j in range(d):
            away, square = 0.0, 0.0
            for k in range(j, size, d):
                away += summed[k]
                square += squared[k]
            away /= total if total > 0.0 else 1.0
            mean[j], square_of[j] = shifts[j] + away, square - total * away * away
            again[c - first] |= square > CANCELLED * square_of[j]


@kernel
def _centred_moments(values, weight, lo, total, means, squares, rest, chunk):
    """The means and the squares (d,) of the chunk of rows from ``lo`` on, read twice; ``rest`` is scratch."""
    d = means.size
    hi = lo + chunk if (lo + chunk) * d < values.size else values.size // d
    for j in range(d):
        means[j] = squares[j] = rest[j] = 0.0
    for i in range(lo, hi):
        w, row = np.float64(weight[i]) if weight.size > 0 else 1.0, values[i * d : (i + 1) * d]
        for j in range(d):
            means[j] += w * row[j]
    for j in range(d):
        means[j] /= total if total > 0.0 else 1.0
    for i in range(lo, hi):
        w, row = np.float64(weight[i]) if weight.size > 0 else 1.0, values[i * d : (i + 1) * d]
        for j in range(d):
            away = row[j] - means[j]
            squares[j] += w * away * away
            rest[j] += w * away
    # What rounding has left of the mean: else a constant column would vary by it.
    for j in range(d):
        rest[j] /= total if total > 0.0 else 1.0
        means[j] += rest[j]
        found = squares[j] - total * rest[j] * rest[j]
        squares[j] = 0.0 if found < 0.0 else found


@kernel
def _sparse_moments(values, indices, starts, columns, weight, chunk, first, last, totals, means, squares, seen, rest):
    """Scratch (columns,): ``seen``, the weight of the rows that have a number in the column, and ``rest``."""
    n = starts.size - 1
    for c in range(first, last):
        lo = c * chunk
        hi = lo + chunk if lo + chunk < n else n
        total, mean, square = 0.0, means[c], squares[c]
        for j in range(columns):
            mean[j] = square[j] = 0.0
        for i in range(np.uint64(lo), np.uint64(hi)):
            w = np.float64(weight[i]) if weight.size > 0 else 1.0
            total += w
            for q in range(starts[i], starts[i + np.uint64(1)]):
                value = w * values[q]
                mean[indices[q]] += value
                square[indices[q]] += value * values[q]
        totals[c] = total
        cancelled = False
        for j in range(columns):
            mean[j] /= total if total > 0.0 else 1.0
            before = square[j]
            square[j] -= total * mean[j] * mean[j]
            cancelled |= before > CANCELLED * square[j]
        if cancelled:  # a column with few zeros, far from zero
            for j in range(columns):
                seen[j] = square[j] = rest[j] = 0.0
            for i in range(np.uint64(lo), np.uint64(hi)):
                w = np.float64(weight[i]) if weight.size > 0 else 1.0
                for q in range(starts[i], starts[i + np.uint64(1)]):
                    away = values[q] - mean[indices[q]]
                    square[indices[q]] += w * away * away
                    rest[indices[q]] += w * away
                    seen[indices[q]] += w
            # What rounding has left of the mean: else a constant column would vary by it.
            for j in range(columns):
                none = total - seen[j]
                rest[j] = (rest[j] - none * mean[j]) / (total if total > 0.0 else 1.0)
                found = square[j] + none * mean[j] * mean[j] - total * rest[j] * rest[j]
                square[j] = 0.0 if found < 0.0 else found
                mean[j] += rest[j]


def largest_row(data, chunk, first, last, out):
    """The largest weight * |standardised row|**2 of each chunk, the intercept's 1 included."""
    _largest_row(*data.rows.flat(), data.shift, data.inverse_scale, data.weight, data.constant, chunk, first, last, out)


@kernel
def _largest_row(values, indices, starts, shift, inverse_scale, weight, constant, chunk, first, last, out):
    d = np.uint64(shift.size)
    n = starts.size - 1 if starts is not None else values.size // shift.size
    for c in range(first, last):
        lo = c * chunk
        hi = lo + chunk if lo + chunk < n else n
        largest = 0.0
        for i in range(np.uint64(lo), np.uint64(hi)):
            square = 0.0
            if starts is not None:
                for q in range(starts[i], starts[i + np.uint64(1)]):
                    z = values[q] * inverse_scale[indices[q]]
                    square += z * z
            else:
                for j in range(d):
                    z = (values[i * d + j] - shift[j]) * inverse_scale[j]
                    square += z * z
            value = (square + constant) * (np.float64(weight[i]) if weight.size > 0 else 1.0)
            if value > largest:
                largest = value
        out[c] = largest
