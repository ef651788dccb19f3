"""Quasi-Newton steps on the full batch: L-BFGS, measured by second derivatives of a sample, from few rows to all.

A descent begins on a sample of the rows and goes on over larger ones, the last of which are all rows. Steps are those of
L-BFGS (Liu and Nocedal 1989), whose first matrix is the inverse of second derivatives that are summed over as few rows
as will do, and anew when passes have cost as much as that. So steps depend neither on the scales of the columns nor on
their correlation; most fits read all rows two to four times.
"""

import functools
import math

import numpy as np

from ..kernels.layouts import frozen
from ..parts.penalties import Free
from ..results import messages
from ..results.state import QuasiNewtonState
from .base import Limits, Records, Solver, Verdict, separable
from .descent import Descent, Step
from .first_order import TOL_FULL
from .kinks import Kinks
from .metrics import kind_of
from .pairs import Pairs, slots
from .passes import penalty_costs
from .plan import lanes_at
from .problem import IN_CHUNKS
from .samples import first_of, rows_of_sample, sample_of, sizes

EPOCHS = 1000
SHORT = 1 << 19  # numbers: a pass over them takes less than 0.1 ms
PERFECT = 1e4  # in eps: residuals below this share of the start's are zero to rounding


class Stage:
    """Some rows, and what is asked of them."""

    def __init__(self, plan, data, sample_rows, whole):
        self.plan, self.data, self.whole = plan, data, whole
        self.rows, self.width = data.rows.shape[0], data.shift.size + 1
        self.short = data.rows.stored <= SHORT
        self.metric_rows = sample_rows or self.rows  # of the first metric
        self.metric_cost = kind_of(data).cost(data.shift.size)
        self.passes = plan.passes(data)

    def rounded(self, weights):
        """The weights in the type of the lanes, as float64."""
        return weights.astype(self.plan.lanes.weights.dtype).astype(np.float64)

    def look(self, lanes):
        """The objectives (lanes,) and their gradients (lanes, d + 1)."""
        sums, losses = self.passes.sums(self.plan.parts.loss, lanes)
        objectives = losses.sum(axis=0) / self.data.count + penalty_costs(self.plan.parts.penalty, lanes)
        gradients = sums.sum(axis=0) / self.data.count
        if type(self.plan.parts.penalty) is not Free:
            gradients[:, :-1] += lanes.penalty[:, 1:2].astype(np.float64) * lanes.weights[:, :-1]
        return objectives, gradients


class QuasiNewton(Solver):
    """Quasi-Newton steps: an epoch is a step over all rows, the first one with what goes before on samples of them."""

    name = "quasi_newton"
    summary = "quasi-Newton steps over all rows, begun on samples of them; invariant to the scale of the columns"
    fits_rate = False
    judges_tol = True

    # About a problem --------------------------------------------------------------------------------------------------

    @classmethod
    def suits(cls, problem):
        """Full-batch problems of smooth losses of one score."""
        loss = problem.options.loss
        if problem.start.chunked:
            return IN_CHUNKS
        if not problem.full:
            return "a step takes a part of the rows"
        if loss.second_derivative is None or not loss.smooth:
            return "the loss has no second derivative" if loss.smooth else "the loss has kinks"
        return None

    @classmethod
    def limits(cls, problem):
        """1000 steps."""
        return Limits(EPOCHS, TOL_FULL)

    @classmethod
    def schedule(cls, problem, model, targets, scaled, epochs, words):
        """None: a step is whole, or as long as a line search finds."""
        words["learning_rate"] = "1: whole steps, shorter where the loss would rise (Armijo line search)"
        problem.statistics.scaling(True)  # raises where columns are not finite or their squares overflow
        return super().schedule(problem, model, targets, scaled, epochs, words)

    # A run ------------------------------------------------------------------------------------------------------------

    def __init__(self, plan):
        super().__init__(plan)
        self.eps = float(np.finfo(plan.data.shift.dtype).eps)
        self.runs, self.last = {}, {}  # of the lanes: their descents, and the records of their last steps
        self.known = []  # recent second derivatives: of what, and the metric without a penalty

    @functools.cached_property
    def stages(self):
        """Samples that grow, and all rows."""
        plan, data = self.plan, self.plan.data
        n, d = data.rows.shape
        weighed = (plan.lanes.fold >= 0).any() or (plan.lanes.replicate >= 0).any()
        rows = np.arange(0) if plan.rows is None else plan.rows
        count = n if plan.rows is None else len(rows)
        sample_sizes = [] if weighed else sizes(count, min(d, data.rows.stored // n) + 1, 8 * (data.rows.stored // n))
        stages = []
        if sample_sizes:
            found = rows_of_sample(count, sample_sizes[-1])
            sample = sample_of(data, found if plan.rows is None else rows[found])
            stages = [Stage(plan, first_of(sample, m), None, False) for m in sample_sizes]
            stages = [stage for stage in stages if stage.data.count > 0]
        return [*stages, Stage(plan, data, stages[-1].rows if stages else None, True)]

    def init(self):
        """The weights of the plan, without pairs."""
        lanes, D = self.plan.lanes.weights.shape
        pairs, number = np.zeros((2, lanes, slots(D), D)), np.zeros((6, lanes))
        weights = self.plan.lanes.weights
        return QuasiNewtonState(weights.copy(), weights.astype(np.float64), *pairs, np.arange(lanes) * 1.0, *number)

    def descents(self, state):
        """The descents of the lanes of a state, in its order; begun where they are not yet."""
        for k, number in enumerate(state.lane.astype(int).tolist()):
            if number not in self.runs:
                self.runs[number] = self.begun(state, k, number)
            one = self.runs[number][0]
            one.model.moves, one.model.changes = state.moves[k], state.changes[k]
        return [self.runs[number] for number in state.lane.astype(int).tolist()]

    def begun(self, state, k, number):
        """The descent of a lane, at the start or as a saved run left it."""
        ring = state.moves[k], state.changes[k], int(state.first[k]), int(state.count[k])
        kinks = self.kinks[number]
        model = Pairs(*ring) if kinks is None else kind_of(self.plan.data).kinked(kinks, *ring)
        start_loss = self.start_losses[number]
        weights = state.weights[k].astype(np.float64)
        of = functools.partial(self.metric_of, number)
        one = Descent(weights, model, start_loss, self.stages, of, self.plan.tol, self.eps)
        resumed = state.rows[k] > 0
        if resumed:
            one.anchor, one.rows, one.damping = state.anchor[k].copy(), int(state.rows[k]), int(state.damping[k])
            one.promise, one.passes = float(state.promise[k]) or math.nan, float(state.passes[k])
        return one, one.run(resumed)

    @functools.cached_property
    def start_losses(self):
        """The objectives that the lanes start with, where they are known; else infinite."""
        return np.concatenate([model.start_loss for model in self.plan.models])

    @functools.cached_property
    def kinks(self):
        """The kinks of each lane, None where it has none."""
        lanes = self.plan.lanes
        return [Kinks.of(lanes, k) for k in range(len(lanes.weights))]

    def advance(self, lanes, state, rates, clock, steps):
        """One step of all lanes over all rows."""
        descents = self.descents(state)
        records = self.answered(lanes, descents, state.lane.astype(int).tolist())
        self.store(state, [one for one, _ in descents])
        loss, taken, norm, fall = (np.array(column) for column in zip(*records, strict=True))
        broken = ~np.isfinite(loss + norm)
        clock.epoch += 1
        clock.steps += 1
        return Records(loss[None], taken[None], norm[None], np.where(broken, 0, 1), broken, fall[None])

    def answered(self, lanes, descents, numbers):
        """Ask all descents and answer them together, until each has taken a step; the records of these."""
        records, answers = [None] * len(descents), [None] * len(descents)
        waiting = list(range(len(descents)))
        while waiting:
            asked = {}
            for k in waiting:
                try:
                    found = descents[k][1].send(answers[k])
                except StopIteration:  # it has ended before
                    found = self.last[numbers[k]]._replace(length=0.0)
                if isinstance(found, Step):
                    records[k] = self.last[numbers[k]] = found
                    answers[k] = None
                else:
                    asked.setdefault(id(found.stage), []).append((k, found))
            waiting = sorted(k for group in asked.values() for k, _ in group)
            for group in asked.values():
                places = [k for k, _ in group]
                some = lanes_at(lanes, places, 1)
                weights = np.array([look.weights for _, look in group]).astype(lanes.weights.dtype)
                objectives, gradients = group[0][1].stage.look(some._replace(weights=weights))
                for k, objective, gradient in zip(places, objectives.tolist(), gradients, strict=True):
                    answers[k] = objective, gradient
        return records

    def store(self, state, descents):
        """Put into a state what the descents have come to."""
        for k, one in enumerate(descents):
            state.weights[k], state.anchor[k] = one.weights, one.anchor
            state.first[k], state.count[k] = one.model.first, one.model.learned
            state.rows[k], state.damping[k] = one.rows, one.damping
            state.promise[k], state.passes[k] = 0.0 if math.isnan(one.promise) else one.promise, one.passes

    def objective(self, lanes, state):
        """The objectives where the descents stand."""
        numbers = state.lane.astype(int).tolist()
        if not all(number in self.runs and math.isfinite(self.runs[number][0].objective) for number in numbers):
            return None
        return np.array([self.runs[number][0].objective for number in numbers])

    def verdict(self, state, history):
        """Converged, if the decrease that is still possible is below the tolerance, or the loss zero to rounding."""
        tol = self.plan.tol
        if tol is None or not history.records:
            return None
        last, loss = history.records[-1], self.plan.parts.loss
        losses, falls = last["loss"], last["decrement"]
        if verdict := separable(loss, losses, history.scale):
            return verdict
        squares = loss.residual_only and loss.smooth
        share = (PERFECT * self.eps) ** 2 if squares else 64 * self.eps
        least = [share * abs(scale) for scale in history.scale]
        if not squares and all(abs(value) <= end for value, end in zip(losses, least, strict=True)):
            return Verdict("converged", messages.ZERO, messages.NO_MORE)
        bound = max(tol, 64 * self.eps)
        if all(fall <= max(bound * abs(value), end) for fall, value, end in zip(falls, losses, least, strict=True)):
            return Verdict("converged", messages.DECREMENT.format(tol=tol), messages.MORE_DIGITS)
        if last["learning_rate"] == 0 and len(falls) == 1 and math.isfinite(falls[0]):
            return Verdict("converged", messages.NO_DECREASE, messages.MORE_DIGITS)
        return None

    # Metrics ----------------------------------------------------------------------------------------------------------

    def metric_of(self, number, stage, descent):
        """The metric of a lane at a descent's anchor, over about as many rows as it asks for."""
        plan = self.plan
        stage = next(one for one in self.stages if one.rows >= descent.rows or one.whole)
        lanes = lanes_at(plan.lanes, [number], 1)
        lanes = lanes._replace(weights=descent.anchor[None].astype(lanes.weights.dtype))
        data, threads = stage.data, plan.options.n_threads
        bends = plan.backend.second_derivatives(data, plan.parts.loss, lanes, threads)
        l2 = float(lanes.penalty[0, 1]) if type(plan.parts.penalty) is not Free else 0.0
        return kind_of(data)(data, frozen(bends), plan.backend, threads).damped(l2, descent.damping_share)
