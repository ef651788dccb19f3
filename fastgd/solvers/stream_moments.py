"""The moments of a stream, chunk by chunk: they set the scale of its columns and its learning rates."""

import numpy as np

from ..results.moments import Moments, mixed, together
from .learning_rate import rows_overflow

SPREADS = 3.0  # a target counts as no farther from the centre than so many spreads
FEW = 8  # rows whose median says nothing of the spread
MAD = 1.4826  # times the median absolute deviation is the standard deviation of normal numbers


def nothing(targets):
    """The moments of no rows."""
    return Moments(0.0, np.zeros(0), np.zeros(0), 0.0, 0.0, *np.zeros((4, targets)))


def row_weight(table):
    """The sum of the rows' weights."""
    return float(np.sum(table.weight, dtype=np.float64)) if table.weight.size else float(table.X.shape[0])


def column_moments(before, statistics):
    """Means and variances of the columns of all rows so far: of those ``before`` (or None) and the chunk's."""
    now = statistics.column_moments()
    if before is None or not before.mean.size:
        return now
    weight = row_weight(statistics.table)
    return together((before.mean, before.variance), now, weight / (before.weight + weight))


def moments(before, problem, scaling, scaled):
    """The moments of all rows so far: ``before`` (or None) and those of the chunk, which is read with ``scaling``."""
    statistics, table = problem.statistics, problem.table
    weight, past = row_weight(table), before or nothing(len(table.y))
    share = weight / (past.weight + weight)
    mean = variance = np.zeros(0)
    if scaled:
        mean, variance = column_moments(before, statistics)
    square = eigenvalue = 0.0
    if problem.automatic:
        square, eigenvalue = row_moments(past, problem, scaling, mean, variance, share)
    targets = np.array([target_moments(before, table, k, share) for k in range(len(table.y))]).T
    return Moments(past.weight + weight, mean, variance, square, eigenvalue, past.steepness, *targets)


def row_moments(past, problem, scaling, mean, variance, share):
    """The mean square of the rows so far, and the largest eigenvalue of their second moments, if batches need it."""
    statistics, table = problem.statistics, problem.table
    with np.errstate(over="ignore", invalid="ignore"):
        if mean.size:
            shift, inverse = (side.astype(np.float64) for side in scaling)
            square = float(np.sum(inverse**2 * (variance + (mean - shift) ** 2))) + statistics.intercept
        else:
            weight = table.weight if table.weight.size else None
            square = float(mixed(past.square, np.average(statistics.row_squares(scaling), weights=weight), share))
        eigenvalue = 0.0
        if problem.batch > 1:
            eigenvalue = float(mixed(past.eigenvalue, statistics.passes(scaling).curvature(), share))
    if not np.isfinite(square + eigenvalue):
        raise rows_overflow(table, scaling)
    return square, eigenvalue


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
    now, square = average(away), average(away * away)
    if before is not None:
        now, square = share * now, (1 - share) * spread * spread + share * square
    return mean, centre + now, np.sqrt(max(square - now * now, 0.0))
