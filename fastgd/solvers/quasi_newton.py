"""Quasi-Newton steps on the full batch: L-BFGS, measured by second derivatives of a sample, from few rows to all.

A descent begins on a sample of the rows and goes on over larger ones, the last of which are all rows. Steps are those
of L-BFGS (Liu and Nocedal 1989), whose first matrix is the inverse of second derivatives summed over as few rows
as will do, and anew when passes have cost as much as that. So steps depend neither on the scales of the columns nor on
their correlation; most fits read all rows two to four times.
"""

import functools
import math

import numpy as np

from ..kernels.threads import cached_property
from ..parts.penalties import Free
from ..results import messages
from ..results.state import QuasiNewtonState
from .base import SEPARATED, Limits, Records, Solver, Verdict, separable
from .coordinates import Coordinates
from .current_metric import PROMISES, CurrentMetric
from .data_statistics import robust
from .descent import ROUNDING, Descent, Goal, Step
from .first_order import TOL_FULL
from .full_batch import ROW_OVERHEAD, SLICE_ELEMENTS
from .kinks import Kinks, made_of_lines, too_many_rows
from .metrics import MOST_COLUMNS
from .outliers import SizeWithoutOutliers
from .pairs import Pairs, slots
from .plan import lanes_at
from .problem import in_parts
from .smoothed import SmoothedDescent
from .spaces import space_of
from .stage_order import stages_of
from .strengths import l2_of
from .working_set import WorkingSet, has_working_set, unmeasured

EPOCHS = 1000
PERFECT = 1e4  # in eps: residuals below this share of the start's are zero to rounding
OVERHEAD = 1 << 16  # the cost of a step beyond its pass, in elements


class QuasiNewton(Solver):
    """Quasi-Newton steps: an epoch is a step over all rows, the first one with what goes before on samples of them."""

    name = "quasi_newton"
    summary = "quasi-Newton steps over all rows, begun on samples of them; invariant to the scale of the columns"
    fits_rate = False
    newton = judges_tol = scale_free = True

    # About a problem --------------------------------------------------------------------------------------------------

    @classmethod
    def suits(cls, problem):
        """Full-batch problems of smooth losses, and of losses with kinks up to some columns."""
        options, loss = problem.options, problem.options.loss
        if (reason := in_parts(problem)) is not None:
            return reason
        if loss.second_derivative is None and not loss.joint:
            return "the loss has no second derivative"
        kinked = (options.alpha and options.l1_ratio) or problem.bounds is not None
        if not loss.smooth and problem.d >= MOST_COLUMNS:
            return f"the loss has kinks and X {problem.d} columns, and the limit is {MOST_COLUMNS - 1}"
        better = made_of_lines(loss) and not kinked and not too_many_rows(problem.table.X)
        return "the loss is made of lines" if better else None

    @classmethod
    def limits(cls, problem):
        """1000 steps."""
        return Limits(EPOCHS, TOL_FULL)

    @classmethod
    def schedule(cls, problem, model, targets, scaled, epochs, words):
        """None: a step is whole, or as long as a line search finds."""
        words["learning_rate"] = "1: whole steps, shorter where the loss would rise (Armijo line search)"
        return super().schedule(problem, model, targets, scaled, epochs, words)

    # A run ------------------------------------------------------------------------------------------------------------

    def __init__(self, plan):
        super().__init__(plan)
        self.eps = float(np.finfo(plan.data.shift.dtype).eps)
        self.classes = plan.data.classes  # lanes of a model
        self.space = space_of(plan)
        self.data = self.space.data
        # What passes read of the lanes: without what moves weights, which is as long as these.
        none = {name: getattr(plan.lanes, name)[..., :0] for name in ("low", "high", "slots", "averages")}
        self.lanes = plan.lanes._replace(weights=self.space.inner(plan.lanes.weights), **none)
        self.runs, self.last = {}, {}  # of the lanes: their descents, and the records of their last steps

    @cached_property
    def stages(self):
        """Samples that grow, and all rows."""
        return stages_of(self.plan, self.data)

    def init(self):
        """The weights of the plan, without pairs."""
        weights = self.plan.lanes.weights
        lanes, D = self.lanes.weights.shape
        moves, changes = np.zeros((2, lanes, slots(D, self.classes), D))
        none = "first", "count", "rows", "damping", "read", "renewals", "as_matrix", "kink_width", "standing", "size"
        return QuasiNewtonState(
            weights=weights.copy(),
            moved=self.lanes.weights.astype(np.float64) if self.space.moved else np.zeros((lanes, 0)),
            anchor=np.zeros((lanes, D)),
            moves=moves,
            changes=changes,
            lane=np.arange(lanes) * 1.0,
            promises=np.zeros((lanes, PROMISES)),
            ended=np.zeros((lanes, 4)),
            **dict(zip(none, np.zeros((len(none), lanes)), strict=True)),
        )

    def descents(self, state):
        """The descents of the models of a state, in its order, with their numbers; begun where they are not yet."""
        found = []
        for number, at in self.models_of(state):
            if number not in self.runs:
                self.runs[number] = self.begun(state, at, number)
            # A ring of a model of several classes lies in the places of all its lanes.
            model = self.runs[number][0].model
            model.moves, model.changes = (self.flat(array[at]) for array in (state.moves, state.changes))
            found.append((number, *self.runs[number]))
        return found

    def models_of(self, state):
        """The numbers of the models in the plan, of a lane or of all classes, and where the state has their lanes."""
        first = range(0, len(state.lane), self.classes)
        return [(int(state.lane[k]) // self.classes, slice(k, k + self.classes)) for k in first]

    def flat(self, ring):
        """A ring (places, weights) of the arrays (classes, places, d + 1) of a model."""
        return ring.reshape(ring.shape[1], -1)

    def begun(self, state, at, number):
        """The descent of a model and its run, at the start or as a saved run left it."""
        k = at.start
        ring = self.flat(state.moves[at]), self.flat(state.changes[at]), int(state.first[k]), int(state.count[k])
        model = self.model_of(number, ring)
        start_loss, scale = self.start_losses[number]
        weights = state.moved[at] if self.space.moved else self.space.inner(state.weights[at])
        weights = weights.astype(np.float64).reshape(-1)
        of, loss = functools.partial(self.metric_of, number), self.plan.parts.loss
        if isinstance(model, WorkingSet):
            of = unmeasured
        metric = CurrentMetric(model, of, loss.squared)
        size = SizeWithoutOutliers(self.plan, self.data, self.lanes, number) if robust(loss) else None
        goal = Goal(self.plan.tol, self.eps, start_loss, self.least(scale), size)
        asked = weights, model, self.stages, metric, goal
        if loss.smooth or loss.smoothing_field is None:
            one = Descent(*asked)
        else:
            one = SmoothedDescent(loss._fields.index(loss.smoothing_field), self.first_widths[number], *asked)
        resumed = state.rows[k] > 0 or state.kink_width[k] > 0
        if resumed:
            metric.anchor = state.anchor[at].reshape(-1)
            metric.rows, metric.damping, metric.renewals = (
                int(a[k]) for a in (state.rows, state.damping, state.renewals)
            )
            metric.as_matrix = bool(state.as_matrix[k])
            metric.promises, metric.read = [p for p in state.promises[k].tolist() if p > 0], float(state.read[k])
            one.kink_width, one.standing = float(state.kink_width[k]), int(state.standing[k])
            one.size_measured = float(state.size[k])
            tol, objective, norm, decrement = state.ended[k].tolist()
            # A lane that ended before others stays where it is; where all have ended, all go on.
            if 0 < tol <= (self.plan.tol or 0.0) and not state.ended[:, 0].all():
                one.ended, self.last[number] = True, Step(objective, 0.0, norm, decrement)
        return one, one.run(resumed)

    def model_of(self, number, ring):
        """What a descent takes for the objective, with its ring of pairs."""
        first = number * self.classes
        kinks = Kinks.of(self.plan.lanes, slice(first, first + self.classes), self.space.place, self.data)
        if kinks is None:
            return Pairs(*ring)
        if has_working_set(self.data, kinks):
            lanes = lanes_at(self.lanes, [number], 1)
            return WorkingSet(kinks, *ring, plan=self.plan, lanes=lanes, spreads=self.space.spreads)
        return Coordinates(kinks, *ring)

    @cached_property
    def first_widths(self):
        """For each lane the width within which kinks are smoothed at first: the targets' spread, without outliers."""
        return np.concatenate([model.residual_rms for model in self.plan.models]).tolist()

    def least(self, scale):
        """The objective that is zero to rounding, or that of classes which are separable."""
        loss = self.plan.parts.loss
        share = SEPARATED if loss.labels else (PERFECT * self.eps) ** 2 if loss.residual_only else ROUNDING * self.eps
        return share * abs(scale) if math.isfinite(scale) else 0.0

    @cached_property
    def start_losses(self):
        """For each lane the objective that it starts with, infinite where it is not known, and that of the constant."""
        models = self.plan.models
        return [pair for m in models for pair in zip(m.start_loss.tolist(), m.constant_loss.tolist(), strict=True)]

    def advance(self, lanes, state, rates, clock, steps):
        """Steps of all lanes over all rows, until one of them has ended."""
        descents, records = self.descents(state), []
        most = min(steps, self.plan.epochs - clock.epoch, self.steps_at_once(len(descents)))
        while len(records) < most and not (records and any(one.ended for _, one, _ in descents)):
            records.append(self.step(descents))
        self.store(state)
        loss, taken, norm, fall = (self.by_lane(column) for column in np.array(records).transpose(2, 0, 1))
        finite = np.isfinite(loss + norm)
        clock.epoch += len(records)
        clock.steps += len(records)
        good = np.where(finite.all(axis=0), len(records), np.argmin(finite, axis=0))
        return Records(loss, taken, norm, good, good < len(records), fall)

    def steps_at_once(self, lanes):
        """How many steps a slice of about 10 ms takes."""
        rows = self.data.rows
        cost = (rows.stored + (rows.shape[0] + self.data.shift.size) * ROW_OVERHEAD + OVERHEAD) * lanes
        return 1 if self.watched else max(1, SLICE_ELEMENTS // cost)

    def step(self, descents):
        """Ask all descents and answer them together, until each has taken a step; the records of these."""
        records, answers, waiting = [None] * len(descents), [None] * len(descents), range(len(descents))
        while waiting:
            asked = {}
            for k in waiting:
                number, one, run = descents[k]
                found = self.last[number]._replace(length=0.0) if one.ended else run.send(answers[k])
                if isinstance(found, Step):
                    records[k] = self.last[number] = found
                    answers[k] = None
                else:
                    asked.setdefault(id(found.stage), []).append((k, found))
            for group in asked.values():
                some = lanes_at(self.lanes, [descents[k][0] for k, _ in group], self.classes)
                weights = np.array([look.weights for _, look in group], self.lanes.weights.dtype)
                weights = weights.reshape(some.weights.shape)
                objectives, gradients = group[0][1].stage.look(some._replace(weights=weights))
                for (k, _), *answer in zip(group, objectives.tolist(), gradients, strict=True):
                    answers[k] = answer
            waiting = sorted(k for group in asked.values() for k, _ in group)
        return records

    def store(self, state):
        """Put into a state what the descents have come to."""
        for number, at in self.models_of(state):
            one = self.runs[number][0]
            metric = one.metric
            inner = one.point.weights.reshape(self.classes, -1)
            self.space.store(inner, state.weights[at])
            if self.space.moved:
                state.moved[at] = inner
            state.first[at], state.count[at] = one.model.first, one.model.learned
            state.rows[at], state.damping[at] = metric.rows, metric.damping
            state.renewals[at], state.as_matrix[at] = metric.renewals, metric.as_matrix
            state.read[at], state.kink_width[at], state.standing[at] = metric.read, one.kink_width, one.standing
            state.size[at] = one.size_measured
            if metric.anchor is not None:
                state.anchor[at] = metric.anchor.reshape(self.classes, -1)
            state.promises[at] = 0.0
            state.promises[at, : len(metric.promises)] = metric.promises
            state.ended[at] = 0.0
            if one.ended and self.plan.tol:
                last = self.last[number]
                state.ended[at] = self.plan.tol, last.objective, last.norm, last.decrement

    def objective(self, lanes, state):
        """The objectives where the descents stand."""
        known = [self.runs.get(number) for number, _ in self.models_of(state)]
        if not all(run and run[0].point.gradient is not None for run in known):
            return None
        return self.by_lane([run[0].point.objective for run in known])

    def by_lane(self, numbers):
        """Numbers (..., models) as (..., lanes): of several classes the first lane has it, the others have 0."""
        lanes = np.zeros((*np.shape(numbers), self.classes))
        lanes[..., 0] = numbers
        return lanes.reshape(*lanes.shape[:-2], -1)

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
        share = (PERFECT * self.eps) ** 2 if squares else ROUNDING * self.eps
        least = [share * abs(scale) for scale in history.scale]
        if all(abs(value) <= end for value, end in zip(losses, least, strict=True)):
            return Verdict("converged", messages.ZERO, messages.NO_MORE)
        # They can't fall by more than they are, also where no step is left that would tell; with outliers that is much.
        if squares and loss.smoothing_field is None:
            falls = [min(fall, abs(value)) for fall, value in zip(falls, losses, strict=True)]
        bound = max(tol, ROUNDING * self.eps)
        # No looser than where descents end: how many steps are taken at once must not decide.
        unproved = [fall > bound * abs(value) for fall, value in zip(falls, losses, strict=True)]
        if not any(unproved):
            return Verdict("converged", messages.DECREMENT.format(tol=tol), messages.MORE_DIGITS)
        # Where not even a short step along the gradient lowers the loss, what is left is not known, but for rounding.
        rests = self.resting(state, last)
        known = [
            math.isfinite(fall) or abs(value) <= ROUNDING * self.eps * abs(scale)
            for fall, value, scale in zip(falls, losses, history.scale, strict=True)
        ]
        if all(not more or (rest and sure) for more, rest, sure in zip(unproved, rests, known, strict=True)):
            return Verdict("converged", messages.NO_DECREASE, messages.MORE_DIGITS)
        if all(rests) and loss.smooth:  # while kinks are smoothed, a smaller width follows
            return Verdict("early_stopped", messages.STALLED, messages.LESS_ROUNDING)
        return None

    def resting(self, state, last):
        """Whether no step was taken for each target of a model, by its last record; False where that is not known."""
        targets = len(last["loss"])
        if targets == 1:
            return [last["learning_rate"] == 0]
        steps = [self.last.get(number) for number, _ in self.models_of(state)]
        return [step is not None and step.length == 0 for step in steps] if len(steps) == targets else [False] * targets

    def left_out(self, state):
        """Which columns the metrics leave out and have not moved."""
        known = [self.runs[number][0].model for number, _ in self.models_of(state) if number in self.runs]
        dependent = [model.dependent for model in known if model.metric is not None]
        if not dependent or any(one is None for one in dependent):
            return np.zeros(self.plan.data.shift.size, bool)
        found = self.space.left_out(np.all(dependent, axis=0))
        return found & (self.plan.data.inverse_scale != 0) & ~state.weights[:, :-1].any(axis=0)

    # Metrics ----------------------------------------------------------------------------------------------------------

    def metric_of(self, number, stage, weights, rows, damping, as_matrix):
        """The metric of a lane at some weights, over about so many rows of a stage, with a share of the diagonal."""
        lanes = lanes_at(self.lanes, [number], self.classes)
        lanes = lanes._replace(weights=weights.reshape(self.classes, -1).astype(self.lanes.weights.dtype))
        l2 = float(lanes.penalty[0, 1]) if type(self.plan.parts.penalty) is not Free else 0.0
        for one in self.stages if stage.smoothing is None else [stage]:
            if one.rows >= rows or one.whole:
                sums = one.sums(lanes, self.space.spreads, as_matrix)
                if sums.total > 0:  # all rows of a sample may lie beyond their margins
                    break
        metric = sums.damped(l2_of(self.data, l2), damping)
        # The weights of columns that a matrix leaves out would stay where steps by an arrow have brought them.
        if as_matrix and metric.dependent is not None and metric.dependent.any():
            return self.metric_of(number, stage, weights, rows, damping, False)
        return metric
