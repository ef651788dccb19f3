"""What is known of the columns before a fit: their moments, and the largest of the rows."""

import numpy as np

from ._jit import kernel


def moments(data, chunk, first, last, totals, means, squares):
    """Weight, weighted mean and centred sum of squares of each column over chunks first to last, in float64.

    A chunk is read twice, the second time from the cache: sums of raw squares would cancel on columns such as years.
    """
    rows = data.rows
    if rows.sparse:
        seen = np.empty(rows.columns)
        _sparse_moments(*rows, data.weight, chunk, first, last, totals, means, squares, seen)
    else:
        _dense_moments(rows.values, data.weight, chunk, first, last, totals, means, squares)


@kernel
def _dense_moments(values, weight, chunk, first, last, totals, means, squares):
    n, d = values.shape
    for c in range(first, last):
        lo = c * chunk
        hi = lo + chunk if lo + chunk < n else n
        total = 0.0
        for j in range(d):
            means[c, j] = squares[c, j] = 0.0
        for i in range(lo, hi):
            w = np.float64(weight[i]) if weight.size > 0 else 1.0
            total += w
            for j in range(d):
                means[c, j] += w * values[i, j]
        totals[c] = total
        for j in range(d):
            means[c, j] /= total if total > 0.0 else 1.0
        for i in range(lo, hi):
            w = np.float64(weight[i]) if weight.size > 0 else 1.0
            for j in range(d):
                away = values[i, j] - means[c, j]
                squares[c, j] += w * away * away


@kernel
def _sparse_moments(values, indices, starts, columns, weight, chunk, first, last, totals, means, squares, seen):
    """``seen`` (columns,) is scratch: the weight of the rows that have a number in the column."""
    n = starts.size - 1
    for c in range(first, last):
        lo = c * chunk
        hi = lo + chunk if lo + chunk < n else n
        total = 0.0
        for j in range(columns):
            means[c, j] = seen[j] = 0.0
        for i in range(np.uint64(lo), np.uint64(hi)):
            w = np.float64(weight[i]) if weight.size > 0 else 1.0
            total += w
            for q in range(starts[i], starts[i + np.uint64(1)]):
                means[c, indices[q]] += w * values[q]
                seen[indices[q]] += w
        totals[c] = total
        for j in range(columns):
            means[c, j] /= total if total > 0.0 else 1.0
            squares[c, j] = (total - seen[j]) * means[c, j] * means[c, j]
        for i in range(np.uint64(lo), np.uint64(hi)):
            w = np.float64(weight[i]) if weight.size > 0 else 1.0
            for q in range(starts[i], starts[i + np.uint64(1)]):
                away = values[q] - means[c, indices[q]]
                squares[c, indices[q]] += w * away * away


def largest_row(data, chunk, first, last, out):
    """The largest weight * |standardised row|**2 of each chunk, the intercept's 1 included."""
    _largest_row(*data.rows.flat(), data.shift, data.inverse_scale, data.weight, data.constant, chunk, first, last, out)


@kernel
def _largest_row(values, indices, starts, shift, inverse_scale, weight, constant, chunk, first, last, out):
    d = np.uint64(shift.size)
    n = starts.size - 1 if starts.size > 0 else values.size // shift.size
    for c in range(first, last):
        lo = c * chunk
        hi = lo + chunk if lo + chunk < n else n
        largest = 0.0
        for i in range(np.uint64(lo), np.uint64(hi)):
            square = 0.0
            if starts.size > 0:
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
