"""The descent of one model: quasi-Newton steps on samples of the rows that grow until they are all rows."""

import math
from typing import NamedTuple

import numpy as np

from .current_metric import GROWTH, SHORT, believed, series
from .line_search import NOISE, LineSearch, Look, Point
from .samples import SAMPLE_ERROR

ROUNDING = 4  # times eps: no smaller tolerance is meant
LEAST_SIZE = 0.05  # of the objective at the start: the least objective that the error of a sample is relative to
LOOKS = 10  # steps on a sample, at most
NEAR = 2e-3  # by how much scores may differ, in the root mean square, from where second derivatives judge the end
FEW = 20  # rows a weight: with fewer, second derivatives of each row count, which kinks may change at once
DOUBT = 5.0  # so many tolerances other second derivatives may promise at the end
STANDSTILL = 20  # steps in a row that lower the objective by rounding alone
UNSEEN = 1e-3  # times eps * |objective|: no step that promises less is tried


class Step(NamedTuple):
    """The record of a step on all rows."""

    objective: float  # before it
    length: float
    norm: float  # of the smallest subgradient before it
    decrement: float  # the decrease still possible after it, if each step promises the same share of the one before


class Goal(NamedTuple):
    """When a descent ends, and what it began with."""

    tol: float | None  # the decrease that is not worth a step, relative to the objective
    eps: float  # of the type of the rows
    start_loss: float  # the objective at the start, infinite where it is not known
    least: float  # an objective that is as good as zero
    without_outliers: object = None  # a function of weights: the objective without what outliers add to it

    def decrease(self, size):
        """The decrease that ends a descent, for an objective of some size; negative where none does."""
        return -1.0 if self.tol is None else max(self.tol, ROUNDING * self.eps) * size


class Descent:
    """Where a model stands, and how it goes down from there.

    ``run`` is a generator: it yields a :class:`Look` and is sent the objective and the gradient of its smooth part
    (d + 1,), and a :class:`Step` after each step on all rows. Many models are asked and answered together.

    ``model`` is what it takes for the objective near the weights: a parabola and the penalty. Its methods are
    ``way(weights, gradient)``, a :class:`Way` to its minimum; ``moved(weights, way, share)``, the weights a share of
    the way on; ``slope(weights, gradient, way)``, the objective's there; ``note(move, change)``, to learn from how the
    gradient changed; ``norm(weights, gradient)``, that of the smallest subgradient; ``enter(stage)``, its rows;
    ``begin(metric, forget)``, with second derivatives, its ``metric`` from then on, which may keep what was learned;
    ``forget()``, to lose that; ``missed(gradient)``, what the metric leaves out; ``judge(metric, weights, gradient)``,
    what another promises; ``at_most(gradient)``, what a step may bring by all that was learned, 0 if not known;
    ``learned``, how many moves it has learned from; and ``quickest``, the least contraction that is believed.
    """

    kink_width = 0.0  # within which the loss is smoothed

    def __init__(self, weights, model, stages, metric, goal):
        self.start, self.model, self.stages, self.metric, self.goal = weights.copy(), model, stages, metric, goal
        self.point = Point(weights, math.nan, None)
        self.ended = False  # whether there is nothing more to gain
        self.standing = 0  # steps in a row that lowered the objective by rounding alone
        self.size_measured, self.measured_at = 0.0, None  # the size of the objective, and at which weights

    def run(self, resumed=False):
        """All steps; ``resumed`` begins on all rows, with the metric and the model of the run before."""
        if resumed:
            yield from self.resume(self.stages[-1])
            yield from self.descend(self.stages[-1])
            return
        for stage in self.stages:
            if not stage.steps:  # second derivatives alone are taken of its rows
                continue
            yield from self.enter(stage)
            yield from self.descend(stage)

    def look(self, stage, weights):
        """Ask for the point at some weights."""
        objective, gradient = yield Look(stage, weights)
        return Point(weights, objective, gradient)

    def resume(self, stage):
        """Begin on all rows, with the metric and the model of the run before."""
        self.model.enter(stage)
        self.metric.resume(stage)
        self.point = yield from self.look(stage, self.point.weights)

    def enter(self, stage):
        """Look at the weights over more rows; begin anew where the sample has misled."""
        self.model.enter(stage)
        self.point = yield from self.look(stage, self.point.weights)
        anew = not self.metric.rows or not stage.whole or stage.smoothing is not None
        if self.metric.rows and not self.point.objective <= self.goal.start_loss:
            start = yield from self.look(stage, self.start)
            if not self.point.objective <= start.objective:
                self.point, anew = start._replace(weights=self.start.copy()), True
        if anew:
            self.model.forget()
            self.metric.sum(stage, self.point.weights, stage.metric_rows)
        self.metric.promises = []

    def descend(self, stage):
        """Steps over the rows of a stage, until about its error or the tolerance is reached."""
        yield from (self.all_rows(stage) if stage.whole else self.sample(stage))

    def way(self):
        """The step to the minimum of the model."""
        return self.model.way(self.point.weights, self.point.gradient)

    # Steps over a sample ----------------------------------------------------------------------------------------------

    def sample(self, stage):
        """Steps over a sample; the last one is taken without a look."""
        for looks in range(LOOKS + 1):
            way = self.way()
            if looks == LOOKS or self.enough(stage, way, way.promise):
                self.point = self.last(stage, way)
                return
            if not (yield from self.take(stage, way)) and not self.mend(stage, way):
                return

    def last(self, stage, way):
        """The point at the end of a step, by its promise."""
        weights = stage.in_type(self.model.moved(self.point.weights, way, 1.0))
        return Point(weights, self.point.objective - way.promise, self.point.gradient)

    # Steps over all rows ----------------------------------------------------------------------------------------------

    def all_rows(self, stage):
        """Steps over all rows, each with its record, to the end."""
        over = False
        while not over:
            way = self.way()
            norm = self.model.norm(self.point.weights, self.point.gradient)
            possible = self.possible(stage, way)
            record = Step(self.point.objective, 1.0, norm, possible)
            if stage.smoothing is not None:
                record = yield from self.shown(record)
            if self.enough(stage, way, possible):
                if not self.judged_here(stage, way):
                    continue
                left = yield from self.finish(stage, way)
                over, record = not left > self.tolerance(stage), record._replace(decrement=max(record.decrement, left))
            else:
                length = yield from self.take(stage, way)
                if not length and self.mend(stage, way):
                    continue
                record = self.taken(stage, record, length)
                over = self.goal.tol is not None and (not record.length or abs(record.objective) <= self.goal.least)
                # More than is asked for may be next to nothing beside outliers' losses, and lost in their rounding.
                if self.goal.without_outliers and self.tolerance(stage) < record.decrement <= self.most(record):
                    record = record._replace(decrement=math.inf)
            self.leave(over)
            yield record

    def possible(self, stage, way):
        """The decrease still possible after a step over all rows: at the end, by all that the model has learned."""
        found = self.metric.possible(way.promise)
        if not self.enough(stage, way, found):
            return found
        most = self.model.at_most(self.point.gradient) - way.promise
        return most if most > self.tolerance(stage) else found

    def taken(self, stage, record, length):
        """The record of a step of some length, 0 for none; at a standstill it is not known what is left."""
        self.standing = self.standing + 1 if record.objective - self.point.objective <= self.noise else 0
        if self.standing >= STANDSTILL:
            return record._replace(length=0.0, decrement=math.inf)
        if not length and self.metric.damping:
            metric = self.metric.there(stage, self.point.weights, stage.rows)
            left = self.model.judge(metric, self.point.weights, self.point.gradient)
            record = record._replace(decrement=left if left <= DOUBT * self.tolerance(stage) else math.inf)
        return record._replace(length=length)

    def judged_here(self, stage, way):
        """Whether second derivatives of where the weights are promise as little; else the metric is summed anew.

        Old ones may be far off: of a squared hinge with outliers that had got beyond their margins they promised 2e-7
        where 3e-2 were left.
        """
        weights, gradient, tolerance = self.point.weights, self.point.gradient, self.tolerance(stage)
        if self.metric.rows < stage.rows and self.model.missed(gradient) > tolerance:
            self.metric.sum(stage, weights, GROWTH * self.metric.rows)  # a column depends on others in the sample alone
            return False
        metric = self.model.metric
        if metric.scaled or metric.exact or self.metric.exact:
            return True
        # Few rows bend the objective by jumps.
        near = 0.0 if stage.short and stage.rows < FEW * stage.width else NEAR
        if metric.distance(weights - self.metric.anchor) > near:
            metric = self.metric.there(stage, weights, 1)
        # What pairs have learned may be as far off, where a curve was crossed.
        if self.model.judge(metric, weights, gradient) <= max(way.promise, DOUBT * tolerance):
            return True
        self.metric.sum(stage, weights, self.metric.rows)
        return False

    def finish(self, stage, way):
        """Take the last step: it brings less than what is asked for, and a long pass would prove no more.

        Returns what is left then, 0 where there was no pass: rows that get beyond the kinks of a squared hinge take
        their second derivatives with them. Of 10 rows these promised 2e-10 where 2e-6 were left.
        """
        before, self.point = self.point, self.last(stage, way)
        if not stage.short:
            return 0.0
        end = yield from self.look(stage, self.point.weights)
        self.metric.read += stage.rows
        # The rounding of outliers' losses may be more than a step brings.
        if not end.objective <= before.objective + (self.noise if self.goal.without_outliers else 0.0):
            self.point = before
            return 0.0
        self.point = end
        known = self.metric.exact or self.model.metric.exact or abs(end.objective) <= self.goal.least
        if known or end.objective == before.objective or not np.isfinite(end.gradient).all():
            return 0.0
        self.model.note(end.weights - before.weights, end.gradient - before.gradient)
        self.metric.note(way.promise)
        promise = self.way().promise
        return series(promise, believed(promise / way.promise))

    def leave(self, over):
        """Take note of whether a stage of all rows is over, before its last step is recorded."""
        self.ended = over

    # All stages -------------------------------------------------------------------------------------------------------

    def enough(self, stage, way, left):
        """Whether so little is left that this step is the last one of a stage."""
        if self.metric.damping or not way.promise > 0 or not left <= self.tolerance(stage):
            return False
        if self.goal.without_outliers:
            self.measure()  # where the descent is to end; until then the size where it began is enough
        return left <= self.tolerance(stage)

    @property
    def noise(self):
        """The rise that rounding may cause."""
        return NOISE * self.goal.eps * abs(self.point.objective)

    @property
    def size(self):
        """What tolerances are relative to: the objective, without what outliers add to it."""
        if self.goal.without_outliers is None:
            return abs(self.point.objective)
        if not self.size_measured:
            self.measure()
        return min(abs(self.point.objective), self.size_measured)

    def most(self, record):
        """The decrease that would end a descent, were outliers a part of the objective."""
        return self.goal.decrease(abs(record.objective))

    def measure(self):
        """Measure the size at the weights."""
        if self.measured_at is not self.point.weights:
            self.measured_at, self.size_measured = self.point.weights, self.goal.without_outliers(self.point.weights)

    def tolerance(self, stage):
        """The decrease that ends a stage: the tolerance, or about the error of a sample's own optimum."""
        size = self.size
        if stage.whole:
            return self.goal.decrease(size)
        error = SAMPLE_ERROR * stage.width / stage.rows
        return error * max(size, LEAST_SIZE * min(abs(self.goal.start_loss), 1e300))

    def take(self, stage, way):
        """Move by a step, or a shorter one that lowers the objective enough; returns its length, 0 for none."""
        if not way.promise > UNSEEN * self.goal.eps * abs(self.point.objective):
            return 0.0
        search = LineSearch(stage, self.model, self.goal.eps, not (self.metric.exact or self.model.metric.exact))
        length, end = yield from search.run(self.point, way)
        self.metric.read += search.looks * stage.rows
        if length < SHORT and self.point.objective - end.objective <= self.noise:
            return 0.0  # it would be taken again and again, and a metric that is no good be kept
        if length:
            self.model.note(end.weights - self.point.weights, end.gradient - self.point.gradient)
            before = self.metric.contraction(way.promise) if self.metric.promises else None
            possible, gained = self.metric.possible(way.promise), self.point.objective - end.objective
            self.point = end
            self.metric.note(max(way.promise, gained) if self.model.metric.scaled else way.promise)
            self.metric.renew(stage, end.weights, length, before, possible / max(self.tolerance(stage), 1e-300))
        return length

    def mend(self, stage, way):
        """After a step that failed: a metric of more rows here, or a damped one; returns whether there is one."""
        weights, objective, gradient = self.point
        if not math.isfinite(objective):
            return False
        # Of second derivatives that are all zero a step is none, however steep the slope.
        flat = not (self.model.metric.exact or way.step.any())
        if flat:
            least = max(math.sqrt(self.goal.eps) * abs(objective), self.tolerance(stage))
            flat = self.model.norm(weights, gradient) > least
        if not flat and 0 <= way.promise <= ROUNDING * self.goal.eps * abs(objective):
            return False
        # Damped, the step would be shorter still.
        lost = not flat and np.array_equal(stage.in_type(self.model.moved(weights, way, 1.0)), weights)
        return self.metric.mend(stage, weights, lost)
