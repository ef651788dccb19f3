"""A learning rate that the curvature of the data allows."""

import numpy as np

from ..inputs import arrays
from ..parts import schedules
from .plan import RowLimit

DELAY = 20.0  # steps for each column: with 50 as good, with 10 or 100 worse by 1 to 5 %
LARGEST = float(np.finfo(np.float64).max)
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
        arrays.finite_columns(problem.table.X, problem.table.names)
        hint = "" if np.any(scaling.inverse_scale != 1) else ", or pass standardize=True"
        raise ValueError(f"X has values whose squares overflow: divide its columns{hint}.")
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


def stream_schedule(problem, model, moments, words):
    """The schedule of a chunk, its multiplier in each lane, and the rows that it is for: a ``RowLimit``, or None.

    Steps of SGD follow the moments of all rows so far: half of the step that leads a row of the mean square to its own
    target (Nagumo and Noda 1967), for so many steps as there are columns to learn, then falling as 1/sqrt(t). Rows
    beyond the mean square take shorter ones (``batches.shortened``). Of 92 streams (dense, 2 to 200 columns, six losses,
    chunks of 1 to 1,000 rows) four were up to 16 % worse than the better of two peers; with the whole step 31, with
    batches of 32 rows 16, with batches whose rows are not shortened 22.
    """
    loss, optimizer, lanes = model.loss, model.optimizer, np.ones(len(model.start))
    spread = np.ones(len(moments.target_mean)) if loss.labels or loss.link != "identity" else moments.target_spread
    known = problem.start.schedule(problem.options)
    if optimizer.scale_free:
        rates = 0.1 * spread
        schedule = known[0] if known else schedules.InverseScaling(first_positive(rates), 0.5)
        words["learning_rate"] = f"from {rates[0]:.4g}: a tenth of the target's spread, falling as 1/sqrt(t)"
        return schedule, lanes * (rates / schedule.initial), None
    curvature = np.array([stream_curvature(problem, loss, k, moments, spread[k]) for k in range(len(spread))])
    batch = min(problem.batch, problem.n)
    square = ((batch - 1) * min(moments.eigenvalue, moments.square) + moments.square) / batch
    with np.errstate(divide="ignore", over="ignore"):
        # A target that has not varied yet has no unit: no step.
        single = np.where(curvature < np.inf, 0.5 * optimizer.damping / curvature, 0.0)
        rates = single / square
    if known:
        schedule = known[0]
    else:
        columns = problem.table.X.stored / problem.n + 1.0
        schedule = schedules.InverseScaling(first_positive(rates), 0.5, DELAY * columns / batch)
    words["learning_rate"] = (
        f"{rates[0]:.4g}: 0.5 / (mean square of a row * curvature of the loss) of all rows so far, "
        f"falling as 1/sqrt(1 + t/{schedule.delay:.4g})"
    )
    limit = RowLimit(lanes * single, lanes * np.minimum(curvature, LARGEST), lanes * spread)
    return schedule, lanes * (rates / schedule.initial), limit


def first_positive(rates):
    """The first positive rate; 1 where there is none."""
    found = rates[(rates > 0) & (rates < np.inf)]
    return float(found[0]) if found.size else 1.0


def stream_curvature(problem, loss, k, moments, spread):
    """The curvature that rates of target ``k`` are made for: infinite where its unit is not known."""
    if np.isfinite(loss.curvature) or loss.joint:
        return problem.statistics.curvature_of(loss, k, 0.0, 1.0)
    if not loss.smooth:
        return 1.0 / spread if spread > 0 else np.inf
    mean = moments.target_mean[k]
    score = np.log(mean) if loss.link == "log" and mean > 0 else moments.target_centre[k]
    found = second_difference(loss, np.array([score]), np.array([mean]))[0]
    return found if 0 < found < np.inf else 1.0


def second_difference(loss, p, y, h=1e-3):
    """The second derivative of a loss at scores for targets."""
    with np.errstate(all="ignore"):
        return (loss.slope(p + h, y) - loss.slope(p - h, y)) / (2 * h)


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
