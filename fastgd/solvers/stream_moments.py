"""The moments of a stream, chunk by chunk: they set the scale of its columns and its learning rates."""

from dataclasses import replace

import numpy as np

from ..results.moments import Moments, mixed, together
from .data_statistics import median
from .learning_rate import rows_overflow

SPREADS = 10.0  # a residual counts as no larger than so many spreads
FEW = 8  # rows whose median says nothing of the spread
MAD = 1.4826  # times the median absolute deviation is the standard deviation of normal numbers


def nothing(targets):
    """The moments of no rows."""
    return Moments(0.0, 0.0, 0.0, np.zeros(0), np.zeros(0), 0.0, 0.0, *np.zeros((3, targets)))


def row_weight(table):
    """The sum of the rows' weights."""
    return float(np.sum(table.weight, dtype=np.float64)) if table.weight.size else float(table.X.shape[0])


def row_weights(table):
    """The weights (n,) of the rows, or None."""
    return table.weight if table.weight.size else None


def column_moments(before, statistics):
    """Means and variances of the columns of all rows so far: of those ``before`` (or None) and the chunk's."""
    now = statistics.column_moments()
    if before is None or not before.mean.size:
        return now
    weight = row_weight(statistics.table)
    with np.errstate(over="ignore", invalid="ignore"):
        found = together((before.mean, before.variance), now, weight / (before.column_weight + weight))
    if not np.isfinite(found).all():
        raise rows_overflow(statistics.table)
    return found


def moments(before, problem, scaling, scaled):
    """The moments of all rows so far: ``before`` (or None) and those of the chunk, which is read with ``scaling``."""
    statistics, table = problem.statistics, problem.table
    weight, past = row_weight(table), before or nothing(len(table.y))
    share = weight / (past.weight + weight)
    mean_weight = float(mixed(past.mean_weight, weight / problem.n, problem.n / problem.start.rows_seen(problem.n)))
    measured, mean, variance = 0.0, np.zeros(0), np.zeros(0)
    if scaled:
        measured, (mean, variance) = past.column_weight + weight, column_moments(before, statistics)
    square = eigenvalue = 0.0
    if problem.automatic:
        square, eigenvalue = row_moments(past, problem, scaling, mean, variance, share)
    mean_now = np.array([np.average(y.astype(np.float64), weights=row_weights(table)) for y in table.y])
    target_mean = past.target_mean + share * (mean_now - past.target_mean)
    found = {"weight": past.weight + weight, "mean_weight": mean_weight, "column_weight": measured}
    found |= {"mean": mean, "variance": variance, "square": square, "eigenvalue": eigenvalue}
    return replace(past, **found, target_mean=target_mean)


def row_moments(past, problem, scaling, mean, variance, share):
    """The mean square of the rows so far, and the largest eigenvalue of their second moments, if batches need it."""
    statistics, table = problem.statistics, problem.table
    with np.errstate(over="ignore", invalid="ignore"):
        if mean.size:
            shift, inverse = (side.astype(np.float64) for side in scaling)
            square = float(np.sum(inverse**2 * (variance + (mean - shift) ** 2))) + statistics.intercept
        else:
            squares = np.average(statistics.row_squares(scaling), weights=row_weights(table))
            square = float(mixed(past.square, squares, share))
        eigenvalue = 0.0
        if problem.batch > 1:
            eigenvalue = float(mixed(past.eigenvalue, statistics.passes(scaling).curvature(), share))
    if not np.isfinite(square + eigenvalue):
        raise rows_overflow(table, scaling)
    return square, eigenvalue


def residual_spread(before, residuals, weight, share):
    """The spread of residuals (n,), of so far ``before`` (0 is not known) and of these, whose share is given.

    Few outliers do not count: two sentinels of 1e6 among 200 targets have a root mean square of 1e5.
    """
    size = np.abs(residuals)
    common = MAD * median(size, np.empty(0) if weight is None else weight) if size.size >= FEW else 0.0
    limit = SPREADS * max(before, common)
    now = float(np.average(np.square(np.minimum(size, limit) if limit > 0 else size), weights=weight))
    return np.sqrt(now if before == 0 else before**2 + share * (now - before**2))
