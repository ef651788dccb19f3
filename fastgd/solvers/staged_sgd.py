"""Staged SGD: batches without any setting, in stages of implicit steps in whitened coordinates, each averaged.

A stage has fixed coordinates in which the Hessian at its start is the identity (the inverse Cholesky factor of the
mean of ``second derivative * row row^T``): collinear columns cost no more steps than independent ones, and the rate has
no unit. Steps are implicit in each row's score (Toulis and Airoldi 2017): a step on an outlying row does not overshoot.
Rates fall as ``t**-0.75``, and the steps are averaged with larger weights for later ones (Shamir and Zhang 2013). The
objective of the mean is computed after every epoch. The next stage, a longer one, starts at the best weights so far. A
stage in which the objective rose is discarded, and the next one has a quarter of its rate.

Tried and lost, in shares of tasks within 1 % of the optimum, of 80 tasks a loss, most of them ill-conditioned, after
2e5 rows in batches of 1 and 32 (stages: 99 to 100 %). Implicit averaged steps on columns standardised alone: squared
error 91 and 81 %, quantile 90 and 85, log-loss 59 and 61, poisson 78 and 69. Whitened once, by the columns alone: 100 %
of squared errors, but log-loss 86 and 83 at the best rate tried, for tables that are nearly separable, and poisson 98
and 94. Powers of 0.25 and 0.5 without stages lost 7 and 2 of a hundred to 0.75 (quantile). In stages, explicit steps
lost 2 of a hundred (log-loss, poisson); the last position in place of the mean lost none, but 5 of those within 0.1 %
(quantile).
"""

import math

import numpy as np

from ..kernels import whitened_steps
from ..kernels.cholesky import whitening
from ..results import messages
from ..results.state import StagedState
from .base import Limits, Records, Solver, Verdict, separable
from .batches import Batches
from .data_statistics import robust
from .first_order import EPOCHS_BATCHES, TOL_BATCHES
from .full_batch import ROW_OVERHEAD, SLICE_ELEMENTS
from .gram import weighted_gram
from .outliers import SizeWithoutOutliers
from .plan import lanes_with

WIDEST = 200  # columns: a row costs half the square of them
FIRST_ROWS, GROWTH = 5000, 1.5  # rows of the first stage, rounded up to whole epochs
ENOUGH = 500_000  # rows in all, if 20 epochs are fewer
LONGEST = 10_000  # epochs
POWER = 0.75
FORGET = 4.0  # a step of a stage has a weight in the mean of about this power of its number
FLOOR = 1e-3  # the least second derivative of a row, as a share of the mean
FLOOR_LINK = 1e-6  # of losses that flatten out: with 1e-3, separable tables got 1e3 times too small a step
BACK, FORTH = 0.25, 2.0  # the factor of the rate after a stage in which the objective rose, and after another
SLACK = 1e-4  # the share of itself by which noise may raise the objective
WIDTH_SMOOTH, WIDTH = 1e-3, 1.0  # of the differences that give second derivatives, if a loss is not residual-only


def first_rate(d, batch):
    """The rate of a stage's first step: the expected square of a whitened row is d + 1, that of their mean less."""
    return 1.0 / (1.0 + (d + 1) / batch)


def chosen_epochs(n, least):
    """The largest number of epochs."""
    return max(least, min(-(-ENOUGH // n), LONGEST))


class WhitenedSteps(Batches):
    """The steps of a stage and its whitening, compiled."""

    def __init__(self, plan):
        super().__init__(plan)
        D = plan.lanes.weights.shape[1]
        self.slice = max(1, SLICE_ELEMENTS // (D * D // 2 + 2 * D + ROW_OVERHEAD) // plan.batch) * plan.batch

    def take(self, lanes, state, clock, rows, rates, t, loss_sum):
        """The steps at ``rates`` (steps,) of the next ``rows`` rows, ``t`` behind the stage's start."""
        plan, order_and_ahead = self.plan, self.order(clock.epoch, clock.row, rows)
        whitened_steps.whitened_steps(
            self.data, plan.parts, lanes, *order_and_ahead, plan.batch, rates, t,
            state.whitening[0], state.origin[0], state.position[0], state.mean[0], FORGET, loss_sum,
        )  # fmt: skip

    def whiten(self, lanes, weights, width, floor, share, out):
        """The whitening triangle at weights (D,), into ``out``."""
        plan = self.plan
        second = whitened_steps.second_derivatives(plan.data, plan.parts, lanes, weights, width, floor)
        whitening(weighted_gram(plan.data, second, plan.options.n_threads) / plan.data.count, share, out)


class StagedSGD(Solver):
    """Staged SGD: the backend's ``staged_steps`` takes the steps, this class starts and ends stages."""

    name = "staged_sgd"
    summary = (
        "stages of implicit steps in coordinates whitened by the curvature, so that neither correlated columns nor "
        "outlying rows slow them down"
    )
    exact = False
    fits_rate = False
    margin = math.inf  # stages handle a rise of the losses themselves
    judges_tol = True
    many_models = False

    # About a problem --------------------------------------------------------------------------------------------------

    @classmethod
    def suits(cls, problem):
        """Batches of one model of up to 200 columns, without the options named below."""
        options, table = problem.options, problem.table
        reasons = {
            problem.start.not_staged: problem.start.not_staged is not None,
            "a step takes all rows": problem.full,
            f"alpha={options.alpha:g} is not 0": options.alpha != 0,
            "bounds are given": problem.bounds is not None,
            f"X has {problem.d} columns, and the limit is {WIDEST}": problem.d > WIDEST,
            f"y has {len(table.y)} targets": len(table.y) > 1,
            "the loss takes several classes together": options.loss.joint,
            "validation is given": options.validation is not None,
            "bootstrap is given": options.bootstrap > 0,
            "folds are fitted together": not problem.single,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    @classmethod
    def limits(cls, problem):
        """As many epochs as half a million rows make."""
        return Limits(chosen_epochs(problem.n, EPOCHS_BATCHES), TOL_BATCHES)

    @classmethod
    def schedule(cls, problem, model, targets, scaled, epochs, words):
        """None: each stage has rates of its own."""
        batch, rate = problem.batch, first_rate(problem.d, problem.batch)
        words["learning_rate"] = (
            f"from {rate:.4g} in each stage, falling as t**-{POWER:g}: 1 / (1 + whitened coordinates / {batch} rows)"
        )
        words["average"] = "the mean of the steps of a stage, the later ones more; the best one after an epoch is kept"
        problem.statistics.scaling(True)  # raises where columns are not finite or their squares overflow
        return super().schedule(problem, model, targets, scaled, epochs, words)

    # A run ------------------------------------------------------------------------------------------------------------

    def __init__(self, plan):
        super().__init__(plan)
        self.engine = plan.backend.staged_steps(plan)
        self.passes = plan.passes(plan.data)
        self.rate = first_rate(plan.data.shift.size, plan.batch)
        loss, eps = plan.parts.loss, float(np.finfo(plan.data.shift.dtype).eps)
        # A pivot below this is rounding error of the sums; weights of float32 have no more digits either.
        self.share = max(64 * np.finfo(np.float64).eps * math.sqrt(plan.data.count), eps)
        self.width, self.floor, self.without_outliers = 0.0, FLOOR, None
        if robust(loss):
            self.without_outliers = SizeWithoutOutliers(plan, plan.data, plan.lanes, 0)
        if not loss.residual_only:  # the mean residual is no scale of the scores then
            self.width, self.floor = WIDTH_SMOOTH if loss.smooth else WIDTH, FLOOR_LINK

    def init(self):
        """The weights of the plan, before the first stage."""
        weights = self.plan.lanes.weights
        D = weights.shape[1]
        vectors, numbers = np.zeros((4, 1, D)), np.zeros((8, 1))
        return StagedState(weights, np.zeros((1, D, D)), *vectors, *numbers).take()

    def advance(self, lanes, state, rates, clock, steps):
        """A slice of steps; ``rates`` multiply those of the stage."""
        plan, engine, lanes = self.plan, self.engine, lanes_with(lanes, state)
        if state.length[0] == 0:
            self.start(lanes, state)
        rows = min(engine.slice - clock.row % engine.slice, engine.rows - clock.row, steps * plan.batch)
        taken = -(-rows // plan.batch)
        t, loss_sum = clock.steps - int(state.first_step[0]), np.zeros(1) + clock.loss_sum
        first = self.rate * float(rates(clock.steps, 1)[0, 0]) * state.factor[0]
        table = first * (1.0 + np.arange(t, t + taken) / state.origin.size) ** -POWER
        engine.take(lanes, state, clock, rows, table, t, loss_sum)
        clock.steps, clock.row, clock.loss_sum = clock.steps + taken, clock.row + rows, loss_sum
        loss = np.empty((0, 1))
        if clock.row == engine.rows:
            # Where numbers overflowed, the next stage starts from the objective before them.
            loss = np.where(np.isfinite(loss_sum), loss_sum / engine.rows, state.objective)[None]
            self.end_epoch(lanes, state, clock.steps)
            clock.epoch, clock.row, clock.loss_sum = clock.epoch + 1, 0, 0.0
        mean = self.mean(state)
        state.weights[0] = mean if np.isfinite(mean).all() else state.best[0]
        return Records(loss, table[-1:, None], None, np.full(1, len(loss)), np.zeros(1, bool))

    def close(self):
        """End the reading of a source."""
        self.engine.close()

    def mean(self, state):
        """The mean of the stage so far, as weights (D,)."""
        # Not a product of matrices: the bits of those depend on BLAS's threads.
        return state.origin[0] + (state.whitening[0] * state.mean[0][:, None]).sum(axis=0)

    def value_at(self, lanes, weights):
        """The objective at weights (D,); infinite where it is not finite."""
        if not np.isfinite(weights).all():
            return math.inf
        at = lanes._replace(weights=weights[None].astype(lanes.weights.dtype))
        value = float(self.passes.loss(self.plan.parts.loss, at)[0])
        return value if math.isfinite(value) else math.inf

    def start(self, lanes, state):
        """Prepare the first stage, which starts at the weights of the plan."""
        state.best[:] = state.weights
        state.objective[0] = self.value_at(lanes, state.best[0])
        state.factor[0], state.length[0] = 1.0, FIRST_ROWS
        state.fall[0] = state.fall_before[0] = math.inf
        self.begin(lanes, state, 0)

    def begin(self, lanes, state, steps):
        """Prepare a stage that starts at the best weights, after so many steps."""
        if steps == 0 or (state.origin != state.best).any():
            state.origin[:], state.origin_objective[:] = state.best, state.objective
            self.engine.whiten(lanes, state.origin[0], self.width, self.floor, self.share, state.whitening[0])
        state.position[:], state.mean[:], state.first_step[0], state.visited[0] = 0.0, 0.0, steps, 0

    def end_epoch(self, lanes, state, steps):
        """Keep the mean of the stage if it is the best so far, and end the stage if it is long enough.

        This depends on the state alone, not on the number of epochs left: a run may be resumed with more.
        """
        mean = self.mean(state)
        objective, before = self.value_at(lanes, mean), state.origin_objective[0]
        if objective < state.objective[0]:
            state.best[0], state.objective[0] = mean, objective
        state.visited[0] += self.engine.rows
        if state.visited[0] < state.length[0] and objective < math.inf:
            return
        best, before_size, best_size = state.objective[0], abs(before), abs(state.objective[0])
        if self.without_outliers is not None:
            before_size = min(before_size, self.without_outliers(state.origin[0]))
            best_size = min(best_size, self.without_outliers(state.best[0]))
        rose = not objective <= before + SLACK * before_size
        state.fall_before[:] = state.fall
        state.fall[0] = math.inf if rose else (before - best) / (best_size or 1.0)
        state.factor[0] = BACK * state.factor[0] if rose else min(1.0, FORTH * state.factor[0])
        state.length[0] *= GROWTH
        self.begin(lanes, state, steps)

    def verdict(self, state, history):
        """Converged, if two stages in a row lowered the objective by less than the tolerance, or it is zero."""
        tol, objective = self.plan.tol, state.objective[0]
        if tol is None or state.length[0] == 0:
            return None
        if abs(objective) <= history.zero[0]:
            return Verdict("converged", messages.ZERO, messages.NO_MORE)
        if verdict := separable(self.plan.parts.loss, [objective], history.scale):
            return verdict
        if max(state.fall[0], state.fall_before[0]) <= tol:
            return Verdict("converged", messages.STAGES.format(tol=tol), messages.MORE_DIGITS)
        return None

    def objective(self, lanes, state):
        """The objective of the best weights, once an epoch is done."""
        return state.objective.copy() if state.visited[0] or state.first_step[0] else None

    def answer(self, state, steps):
        """The best weights, once an epoch is done."""
        if steps < -(-int(self.plan.data.count) // self.plan.batch):
            return state.weights
        return state.best.astype(state.weights.dtype)
