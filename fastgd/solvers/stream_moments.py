"""The moments of a stream, chunk by chunk: they set the scale of its columns and its learning rates."""

import numpy as np

from ..results.moments import Moments, mixed, together

SPREADS = 3.0  # a target counts as no farther from the centre than so many spreads
FEW = 8  # rows whose median says nothing of the spread
MAD = 1.4826  # times the median absolute deviation is the standard deviation of normal numbers


def column_moments(before, statistics, standardize):
    """Weight, means and variances of the columns of all rows so far; of width 0 where they are not standardised."""
    weight = float(np.sum(statistics.table.weight, dtype=np.float64)) if statistics.table.weight.size else statistics.n
    if not standardize:
        return weight, np.zeros(0), np.zeros(0)
    now = statistics.column_moments()
    if before is None or not before.mean.size:
        return weight, *now
    return weight, *together((before.mean, before.variance), now, weight / (before.weight + weight))


def moments(before, statistics, standardize, scaling, with_eigenvalue):
    """The moments of all rows so far: of those ``before``, or None, and of the chunk's, read with ``scaling``."""
    table = statistics.table
    weight, mean, variance = column_moments(before, statistics, standardize)
    whole = weight if before is None else before.weight + weight
    share = weight / whole
    if mean.size:
        shift, inverse = (side.astype(np.float64) for side in scaling)
        square = float(np.sum(inverse**2 * (variance + (mean - shift) ** 2))) + statistics.intercept
    else:
        squares = statistics.row_squares(scaling)
        now = np.average(squares, weights=table.weight if table.weight.size else None)
        square = mixed(0.0 if before is None else before.square, float(now), share)
    eigenvalue = 0.0
    if with_eigenvalue:
        eigenvalue = mixed(0.0 if before is None else before.eigenvalue, statistics.passes(scaling).curvature(), share)
    targets = np.array([target_moments(before, table, k, share) for k in range(len(table.y))]).T
    return Moments(float(whole), mean, variance, float(square), float(eigenvalue), *targets)


def target_moments(before, table, k, share):
    """The mean of target ``k`` of all rows so far, and a centre and a spread that few outliers do not move."""
    y, weight = table.y[k].astype(np.float64), table.weight.astype(np.float64) if table.weight.size else None

    def average(numbers):
        return float(np.average(numbers, weights=weight))

    if before is None:
        mean, centre, spread = average(y), float(np.median(y)), 0.0
    else:
        mean = before.target_mean[k] + share * (average(y) - before.target_mean[k])
        centre, spread = before.target_centre[k], before.target_spread[k]
    away = y - centre
    # Two sentinels of 1e6 among 200 targets: their standard deviation is 1e5 times that of the others.
    common = MAD * float(np.median(np.abs(away))) if y.size >= FEW else 0.0
    limit = SPREADS * max(spread, common)
    if limit > 0:
        away = np.clip(away, -limit, limit)
    now = average(away)
    square = average(away * away)
    if before is not None:
        now, square = share * now, (1 - share) * spread * spread + share * square
    return mean, centre + now, np.sqrt(max(square - now * now, 0.0))
