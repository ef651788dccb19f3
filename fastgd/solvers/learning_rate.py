"""A learning rate that the curvature of the data allows."""

import numpy as np

from ..inputs import arrays
from ..parts import schedules

MARGIN = 1.05  # power iteration approaches from below; gradient descent is stable up to twice this rate


def automatic_rate(problem, model, targets, scaled, k):
    """A schedule for target ``k``, and the words for it.

    ``scaled`` is a pair: the scaling of the columns, and whether there is one. Steps of an optimizer whose moves do not
    grow with the gradient are proportional to the root mean square of the residuals at the start.
    """
    (scaling, standardize), loss, optimizer = scaled, model.loss, model.optimizer
    batch, n = problem.batch, problem.n
    residual_rms, constant = model.residual_rms[k], targets.constants[k]
    curvature = problem.statistics.curvature_of(loss, k, constant, residual_rms)
    smoothness = mean_smoothness(problem.statistics, standardize, batch, n) * curvature
    if not np.isfinite(smoothness):
        raise rows_overflow(problem.table, scaling)
    if optimizer.scale_free:
        raw = not np.any(scaling.inverse_scale != 1)
        rate = 0.1 * residual_rms / (max(1.0, np.sqrt(smoothness / curvature)) if raw else 1.0)
        words = "a tenth of the target's distance from where the run starts"
        if optimizer.fades:
            return schedules.Constant(rate), f"{rate:.4g}: {words}"
        return schedules.InverseScaling(rate, 0.5), f"from {rate:.4g}: {words}, falling as 1/sqrt(t)"
    rate = 1.0 / smoothness if smoothness > 0 else 1.0
    words = f"1 / {smoothness:.4g}, the curvature that a batch of {batch} rows can meet"
    if problem.full and loss.smooth:
        return schedules.Constant(rate), f"{rate:.4g}: {words}"
    rate *= optimizer.damping
    power = 0.25 if loss.smooth else 0.5  # a subgradient does not shrink towards the optimum
    return schedules.InverseScaling(rate, power), f"from {rate:.4g}, falling as t**-{power:g}: {words}"


def rows_overflow(table, scaling=None):
    """The error for rows whose squares are not finite."""
    arrays.finite_columns(table.X, table.names)
    hint = "" if scaling is None or np.any(scaling.inverse_scale != 1) else ", or pass standardize=True"
    return ValueError(f"X has values whose squares overflow: divide its columns{hint}.")


def mean_smoothness(statistics, standardize, batch, n):
    """The expected smoothness of a batch, for a loss of second derivative 1.

    It lies between the whole data's and the largest row's (Gower et al. 2019, proposition 3.8).
    """
    smoothness = MARGIN * statistics.curvature(standardize)
    if batch >= n:  # a chunk may be shorter than a batch
        return smoothness
    with np.errstate(all="ignore"):
        largest = statistics.largest_row(standardize)
        return (n * (batch - 1) * smoothness + (n - batch) * largest) / (batch * (n - 1))
