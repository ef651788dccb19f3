"""Learning rates of a stream, chunk by chunk: they follow the moments of all that it has met."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..kernels.layouts import frozen
from ..parts import schedules
from ..results.moments import mixed
from .passes import lane_of
from .plan import RowLimit
from .stream_moments import residual_spread, row_weight, row_weights

STEEPEST, TINIEST = 1e100, 1e-100
# With 0.6 noisy streams of 1e3 to 1e5 rows ended 1 to 2 % lower, drifting models 2 % higher, and 3 to 6 % with 0.75.
POWER = 0.5
DELAY = 20.0  # steps for each column: with 50 as good, with 10 or 100 worse by 1 to 5 %


def stream_rates(problem, model, moments, scaling, weights, words):
    """The schedule of a chunk, its multiplier in each lane, what holds back single rows, and ``moments`` completed.

    Steps of SGD are half of that which leads a row of the mean square to its own target (Nagumo and Noda 1967), for so
    many steps as there are columns to learn; then they fall as 1/sqrt(t). Rows that would be led farther are held back
    (``RowLimit``). Of 92 streams (dense, 2 to 200 columns, six losses, chunks of 1 to 1,000 rows) four were up to 16 %
    worse than the better of two peers; with the whole step 31, with batches of 32 rows 16, without limits 22.

    ``scaling`` is how rows are read; ``weights`` (lanes, d + 1) are those that the chunk starts with.
    """
    loss, optimizer, lanes, targets = model.loss, model.optimizer, np.ones(len(model.start)), len(problem.table.y)
    known, columns = problem.start.schedule(problem.options), problem.table.X.stored / problem.n + 1.0
    weight = row_weights(problem.table)
    scores, here = Scores(problem, scaling, weights), row_weight(problem.table)
    if has_unit(loss) and (optimizer.scale_free or not loss.squared):
        share = here / (here + min(moments.weight - here, DELAY * columns))
        residuals = [y - scores.of(k) for k, y in enumerate(problem.table.y)]
        spread = [residual_spread(moments.spread[k], r, weight, share) for k, r in enumerate(residuals)]
        moments = replace(moments, spread=np.array(spread))
    if optimizer.scale_free:
        rates = 0.1 * units(loss, moments)
        schedule = known[0] if known else falling(1.0, problem)
        unit = "the residuals' spread" if has_unit(loss) else "a unit of the score"
        words["learning_rate"] = f"from {rates[0]:.4g}: a tenth of {unit}, falling as 1/sqrt(t)"
        return schedule, lanes * rates, None, moments
    curvature = np.array([curvature_of(problem, loss, moments, k) for k in range(targets)])
    sizes = row_sizes(problem, loss, moments, curvature, scores)
    if not bounded(loss):
        now = np.average(sizes, axis=1, weights=weight) / (moments.square or 1.0)
        steepness = mixed(moments.steepness, now, here / moments.weight)
        moments = replace(moments, steepness=np.clip(steepness, 1.0, STEEPEST))
    batch = min(problem.batch, problem.n)
    square = ((batch - 1) * min(moments.eigenvalue, moments.square) + moments.square) / batch
    # What rows weigh is relative to their mean so far: weights of 1/n left a stream where it was.
    usual = moments.mean_weight * np.maximum(moments.steepness, 1.0)
    rates = 0.5 * optimizer.damping / (curvature * square * usual)  # 0 where the curvature is infinite
    schedule = known[0] if known else falling(DELAY * columns / batch, problem)
    words["learning_rate"] = (
        f"{rates[0]:.4g}: 0.5 / (mean square of a row * curvature of the loss) of all rows so far, "
        f"falling as 1/sqrt(1 + t/{schedule.delay:.4g})"
    )
    return schedule, lanes * rates, RowLimit(lanes * (rates * moments.square * usual), lanes * rates, sizes), moments


def falling(delay, problem):
    """The share of its first rate that a stream has at each step, with the steps of rows that were fitted before it."""
    passed = problem.start.passed / problem.batch
    return schedules.InverseScaling((1.0 + passed / delay) ** -POWER, POWER, delay + passed)


class Scores(NamedTuple):
    """The scores of a chunk's rows, read with ``scaling``, at the weights (lanes, d + 1) that it starts with."""

    problem: object
    scaling: object
    weights: np.ndarray

    @property
    def passes(self):
        """Passes over the rows."""
        statistics = self.problem.statistics
        targets = frozen(np.zeros((1, statistics.n), self.scaling.shift.dtype))  # not read, but as long as the rows
        return statistics.backend.passes(statistics.data(self.scaling)._replace(targets=targets), statistics.threads)

    def of(self, k):
        """The scores (n,) of lane ``k``, offsets included."""
        table = self.problem.table
        found = self.passes.scores(lane_of(self.weights[k], table.X.dtype)).astype(np.float64)
        return found + table.offset if table.offset.size else found


def has_unit(loss):
    """Whether scores are in units of the target."""
    return not loss.labels and loss.link == "identity"


def units(loss, moments):
    """The unit of the scores of each target, (targets,): the residuals' spread, or 1 where scores have none."""
    return moments.spread if has_unit(loss) else np.ones(len(moments.spread))


def bounded(loss):
    """Whether a constant stands for the second derivative of a loss."""
    return bool(np.isfinite(loss.curvature)) or loss.joint or not loss.smooth


def curvature_of(problem, loss, moments, k):
    """The curvature that rates of target ``k`` are made for: infinite where its unit is not known yet."""
    unit = units(loss, moments)[k]
    if np.isfinite(loss.curvature) or loss.joint:
        found = problem.statistics.curvature_of(loss, k, 0.0, 1.0)
        if not has_unit(loss) or loss.squared or unit == 0:
            return found
        # The mean second derivative between a residual of the spread and none: far from the target Huber's is small.
        slopes = np.abs(loss.slope(np.array([unit, -unit]), np.zeros(2)))
        return float(np.minimum(found, max(slopes.max() / unit, TINIEST)))
    if not loss.smooth:
        return 1.0 / unit if unit > 0 else np.inf
    mean = moments.target_mean[k]
    score = np.log(mean) if loss.link == "log" and mean > 0 else mean
    found = float(second_difference(loss, np.array([score]), np.array([mean]))[0])
    return found if 0 < found < np.inf else 1.0


def second_difference(loss, p, y, h=1e-3):
    """The second derivative of a loss at scores for targets."""
    return (loss.slope(p + h, y) - loss.slope(p - h, y)) / (2 * h)


def row_sizes(problem, loss, moments, curvature, scores):
    """How far steps of the rows of a chunk lead, (lanes, n): the square of each, times its weight.

    Where the second derivative has no bound, times its mean between the row's score and that of its own target, as a
    multiple of the curvature (targets,) that rates are made for. With the second derivative at the score itself, a step
    of Poisson's loss was 500 too long for a count of 100 where 0.1 is usual, and 20 times too short the other way.
    """
    table, lanes = problem.table, len(scores.weights)
    squares = scores.passes.row_squares()
    if table.weight.size:
        squares *= table.weight
    if bounded(loss):
        return np.broadcast_to(squares, (lanes, len(squares)))
    found = np.empty((lanes, len(squares)))
    for k, out in enumerate(found):
        with np.errstate(all="ignore"):
            steep = mean_curvature(loss, scores.of(k), table.y[k], moments, k) / curvature[k]
        np.multiply(squares, np.clip(np.nan_to_num(steep, nan=STEEPEST), 1.0, STEEPEST), out=out)
    return found


def mean_curvature(loss, score, y, moments, k):
    """The mean second derivative (n,) between scores and those of the targets, (n,)."""
    unit = units(loss, moments)[k] or 1.0
    if loss.link != "log":
        return np.maximum(second_difference(loss, score, y), np.abs(loss.slope(score, y)) / unit)
    y = np.maximum(y, 0.5 * moments.target_mean[k])
    own = np.log(y)
    return np.maximum(np.abs(loss.slope(score, y)) / (unit + np.abs(score - own)), second_difference(loss, own, y))
