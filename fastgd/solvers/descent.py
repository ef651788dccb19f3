"""The descent of one lane: quasi-Newton steps on samples of the rows that grow until they are all rows."""

import math
from typing import NamedTuple

import numpy as np

ENOUGH = 1e-4  # the share of the decrease predicted by the slope that a step must reach (Armijo 1966)
ROUNDING = 4  # times eps: no smaller tolerance is meant
NOISE = 16  # times eps * |objective|: the rise that rounding may cause
SAMPLE_ERROR = 0.2  # times weights / rows * objective: about the error of a sample's optimum
LOOKS = 10  # steps on a sample, at most
CONTRACTION = 0.05, 0.99  # of the promises by a step: no other one is believed
UNEVEN = 0.1  # of the promise before, at least, where pairs set the scale of steps
PROMISES = 6  # of the last steps, from which it is taken
SHORTEST = 1e-9  # of a whole step's 1
SHORT = 0.3  # a step that is shorter was a bad one
TRIES = 8  # lengths of a step
STEEP = 0.5  # of the slope at a step's start: where it is steeper at the end, few rows allow a longer one to be tried
LONGER, LENGTHS = 4.0, 6  # how much longer, and how often at most
SELDOM = 6  # passes until a metric is summed anew that pairs improve: each 2, 108 where 33 were enough
GROWTH = 8  # of the rows of a metric
DAMPINGS = 0.0, 1e-6, 1e-3, 1.0, 1e3, math.inf  # shares of the diagonal added to a metric (Levenberg 1944)
NEAR = 2e-3  # by how much scores may differ, in the root mean square, from where second derivatives judge the end
FEW = 20  # rows a weight: with fewer, second derivatives of each row count, which kinks may change at once
DOUBT = 5.0  # so many tolerances other second derivatives may promise at the end
UNSEEN = 1e-3  # times eps * |objective|: no step that promises less is tried


class Look(NamedTuple):
    """A question: the loss and its gradient at weights, over the rows of a stage."""

    stage: object
    weights: np.ndarray


class Step(NamedTuple):
    """The record of a step on all rows."""

    objective: float  # before it
    length: float
    norm: float  # of the smallest subgradient before it
    decrement: float  # the decrease still possible after it, if each step promises the same share of the one before


class Descent:
    """A lane's weights, and how it goes down from them.

    ``run`` is a generator: it yields a :class:`Look` and is sent the objective and the gradient of its smooth part
    (d + 1,), and a :class:`Step` after each step on all rows. Many lanes are asked and answered together.

    ``model`` is what it takes for the objective near the weights: a parabola and the penalty. Its methods are
    ``way(weights, gradient)``, a :class:`Way` to its minimum; ``moved(weights, way, share)``, the weights a share of
    the way on; ``slope(weights, gradient, way)``, the objective's there; ``note(move, change)``, to learn from how the
    gradient changed; ``norm(weights, gradient)``, that of the smallest subgradient; ``enter(stage)``, its rows;
    ``begin(metric)``, with second derivatives and nothing learned; ``missed(gradient)``, what these leave out; and
    ``learned``, how many moves it has learned from.
    """

    def __init__(self, weights, model, stages, metric_of, loss, tol, eps, start_loss, least):
        self.weights, self.start, self.model = weights, weights.copy(), model
        self.stages, self.metric_of, self.eps = stages, metric_of, eps
        self.tol = None if tol is None else max(tol, ROUNDING * eps)
        self.start_loss, self.least = start_loss, least  # the objective at the start, and one that is as good as zero
        self.exact = loss.squared  # whether second derivatives are the same everywhere
        self.ended = False  # whether there is nothing more to gain
        self.objective, self.gradient = math.nan, None
        self.anchor = weights.copy()  # where the second derivatives of the metric are taken
        self.rows = self.damping = 0  # of the metric: rows asked for, the number of its damping
        self.promises = []  # of the last steps by the metric
        self.kink_width = 0.0  # within which the loss is smoothed
        self.renewals = 0  # of the metric
        self.read = 0.0  # rows, since the metric was summed

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

    def resume(self, stage):
        """Begin on all rows, with the metric and the model of the run before."""
        self.model.enter(stage)
        self.model.metric = self.metric_of(stage, self.anchor, self.rows, DAMPINGS[self.damping])
        self.objective, self.gradient = yield Look(stage, self.weights)

    def enter(self, stage):
        """Look at the weights over more rows; begin anew where the sample has misled."""
        self.model.enter(stage)
        self.objective, self.gradient = yield Look(stage, self.weights)
        anew = not self.rows or not stage.whole or stage.plain is not None
        if self.rows and not self.objective <= self.start_loss:
            objective, gradient = yield Look(stage, self.start)
            if not self.objective <= objective:
                self.weights, self.objective, self.gradient, anew = self.start.copy(), objective, gradient, True
        if anew:
            self.model.forget()
            self.sum_metric(stage, stage.metric_rows)
        self.promises = []

    def sum_metric(self, stage, rows, damping=0, forget=False):
        """Sum a metric at the weights over some rows of a stage; ``forget``: whether all pairs go, whatever it is."""
        self.anchor, self.rows, self.damping = self.weights.copy(), min(rows, stage.rows), damping
        self.model.begin(self.metric_of(stage, self.anchor, self.rows, DAMPINGS[damping]), forget)
        self.promises, self.read = [], 0.0

    def descend(self, stage):
        """Steps over the rows of a stage, until its error or the tolerance is reached."""
        looks = 0
        while True:
            way = self.model.way(self.weights, self.gradient)
            contraction = self.contraction(way.promise)
            # What is left after this step, if each brings a share of the one before. A damped promise says little, and
            # where pairs set the scale one alone may be far too small: 8e-7 after 3e-4, where 6e-5 were left.
            least = UNEVEN * self.promises[-1] if self.model.metric.scaled and self.promises else 0.0
            possible = math.inf if self.damping else max(way.promise, least) * contraction / (1.0 - contraction)
            norm = self.model.norm(self.weights, self.gradient) if stage.whole else 0.0
            record = Step(self.objective, 1.0, norm, possible)
            if stage.plain is not None and stage.whole:
                record = yield from self.shown(stage, record)
            if self.close(stage, way, possible) or (not stage.whole and looks == LOOKS):
                if stage.whole and not self.judged_here(stage, way):
                    continue
                left = yield from self.finish(stage, way)
                if stage.whole:
                    over = not left > self.enough(stage)
                    self.leave(over)
                    yield record._replace(decrement=max(record.decrement, left))
                if not stage.whole or over:
                    return
                continue
            looks += 1
            taken = yield from self.take(stage, way)
            if taken:
                known, self.promises = bool(self.promises), [*self.promises[1 - PROMISES :], way.promise]
                self.renew(stage, possible, contraction, known, taken)
            elif self.mend(stage, way):
                continue
            elif not stage.whole:
                return
            if stage.whole:
                over = self.tol is not None and (not taken or abs(record.objective) <= self.least)
                self.leave(over)
                yield record._replace(length=taken)
                if over and not self.ended:
                    return

    def judged_here(self, stage, way):
        """Whether second derivatives of where the weights are promise as little; else the metric is summed anew.

        Old ones may be far off: of a squared hinge with outliers that had got beyond their margins they promised 2e-7
        where 3e-2 were left.
        """
        if self.rows < stage.rows and self.model.missed(self.gradient) > self.enough(stage):
            self.sum_metric(stage, GROWTH * self.rows)  # a column that depends on others on the sample alone
            return False
        metric = self.model.metric
        if metric.scaled or metric.exact or self.exact:
            return True
        # Few rows bend the objective by jumps.
        near = 0.0 if stage.short and stage.rows < FEW * stage.width else NEAR
        if metric.distance(self.weights - self.anchor) > near:
            few = self.stages[0] if stage.plain is None else stage
            metric = self.metric_of(few, self.weights, few.rows, 0.0)
        # What pairs have learned may be as far off, where a curve was crossed.
        most = max(way.promise, DOUBT * self.enough(stage))
        if self.model.judge(metric, self.weights, self.gradient) <= most:
            return True
        self.sum_metric(stage, self.rows)
        return False

    def leave(self, over):
        """Take note of whether a stage of all rows is over, before its last step is recorded."""
        self.ended = over

    def contraction(self, promise):
        """The share of a step's promise that the next one makes, on the mean of the last; if unknown, a half."""
        if not self.promises or not promise > 0:
            return 0.5
        found = (promise / self.promises[0]) ** (1.0 / len(self.promises))
        return min(max(found, CONTRACTION[0]), CONTRACTION[1])

    def finish(self, stage, way):
        """Take the last step of a stage: it brings less than what is asked for, and a long pass would prove no more.

        Returns what is left then, 0 where there was no pass: rows that get beyond the kinks of a squared hinge take
        their second derivatives with them. Of 10 rows these promised 2e-10 where 2e-6 were left.
        """
        weights, objective = stage.rounded(self.model.moved(self.weights, way, 1.0)), self.objective - way.promise
        left = 0.0
        if stage.whole and stage.short:
            objective, gradient = yield Look(stage, weights)
            self.read += stage.rows
            if not objective <= self.objective:
                return 0.0
            known = self.exact or self.model.metric.exact or abs(objective) <= self.least
            if objective < self.objective and np.isfinite(gradient).all() and not known:
                self.model.note(weights - self.weights, gradient - self.gradient)
                self.promises, self.gradient = [*self.promises[1 - PROMISES :], way.promise], gradient
                promise = self.model.way(weights, gradient).promise
                share = min(max(promise / way.promise, CONTRACTION[0]), CONTRACTION[1])
                left = promise * share / (1.0 - share)
        self.weights, self.objective = weights, objective
        return left

    def close(self, stage, way, possible):
        """Whether a step promises so little that it is the last one of a stage."""
        if self.damping or not way.promise > 0:
            return False
        return (possible if stage.whole else way.promise) <= self.enough(stage)

    def enough(self, stage):
        """The decrease that ends a stage: the tolerance, or about the error of a sample's own optimum."""
        size = abs(self.objective)
        if stage.whole:
            return -1.0 if self.tol is None else self.tol * size
        error = SAMPLE_ERROR * stage.width / stage.rows
        return error * max(size, 0.05 * min(abs(self.start_loss), 1e300))

    def take(self, stage, way):
        """Move by a step, or a shorter one that lowers the objective enough; returns its length, 0 for none."""
        if not way.promise > UNSEEN * self.eps * abs(self.objective):
            return 0.0
        share, failed = 1.0, math.inf
        for _ in range(TRIES):
            weights = stage.rounded(self.model.moved(self.weights, way, share))
            if np.array_equal(weights, self.weights):  # the objective would not rise, and the step count as taken
                break
            objective, gradient = yield Look(stage, weights)
            self.read += stage.rows
            enough = self.objective + ENOUGH * share * way.slope + NOISE * self.eps * abs(self.objective)
            finite = bool(np.isfinite(gradient).all())
            if objective <= enough and finite:
                if failed < math.inf and stage.short and not (self.exact or self.model.metric.exact):
                    found = share, weights, objective, gradient
                    share, weights, objective, gradient = yield from self.lengthened(stage, way, found, failed)
                self.model.note(weights - self.weights, gradient - self.gradient)
                self.weights, self.objective, self.gradient = weights, objective, gradient
                return share
            end = self.model.slope(weights, gradient, way) if finite else math.nan
            failed = share
            share = shorter(share, self.objective, way.slope, objective, end)
            if share < SHORTEST:
                break
        return 0.0

    def lengthened(self, stage, way, found, failed):
        """A step as it was found (share, weights, objective, gradient), or a longer one, shorter than one that failed.

        Second derivatives that jump say little of how far a slope goes: where rows get within or beyond their kinks,
        steps were 0.001 of a whole one, and 1,000 not enough.
        """
        for _ in range(LENGTHS):
            share = found[0]
            if not self.model.slope(found[1], found[3], way) < STEEP * way.slope:
                break
            share = LONGER * share if LONGER * share < failed else math.sqrt(share * failed)
            weights = stage.rounded(self.model.moved(self.weights, way, share))
            objective, gradient = yield Look(stage, weights)
            self.read += stage.rows
            if objective <= found[2] and np.isfinite(gradient).all():
                found = share, weights, objective, gradient
            else:
                failed = share
        return found

    def too_short(self, stage, way):
        """Whether the whole step is lost in the rounding of the weights."""
        return np.array_equal(stage.rounded(self.model.moved(self.weights, way, 1.0)), self.weights)

    def mend(self, stage, way):
        """After a step that failed: a metric of more rows here, or a damped one; returns whether there is one."""
        noise = ROUNDING * self.eps * abs(self.objective)
        if not math.isfinite(self.objective):
            return False
        # Of second derivatives that are all zero a step is none, however steep the slope.
        flat = not (self.model.metric.exact or way.step.any())
        if flat:
            least = max(math.sqrt(self.eps) * abs(self.objective), self.enough(stage))
            flat = self.model.norm(self.weights, self.gradient) > least
        if 0 <= way.promise <= noise and not flat:
            return False
        here = np.array_equal(self.anchor, self.weights) and self.rows >= stage.rows and not self.model.learned
        if here and (self.damping == len(DAMPINGS) - 1 or (not flat and self.too_short(stage, way))):
            return False
        self.sum_metric(stage, stage.rows, self.damping + here, forget=True)
        return True

    def renew(self, stage, possible, contraction, known, taken):
        """Sum the metric anew where the passes since the last time have cost as much, and where it will pay.

        ``known``: whether the contraction was measured. A step that had to be short says that the metric is no good.
        """
        wanted = min(stage.rows, GROWTH * self.rows) if stage.whole else stage.rows
        cost, left = stage.metric_cost * wanted / stage.rows, possible / max(self.enough(stage), 1e-300)
        steps = math.log(max(left, 1.0)) / -math.log(contraction)
        scaled = self.model.metric.scaled
        # Where pairs say more than the metric, it is summed anew after 6, 12, 24 ... passes.
        old = (SELDOM * 2.0**self.renewals if scaled else max(2.0, cost)) * stage.rows
        bad = self.damping or (taken < SHORT and not scaled)
        better = not self.exact or wanted > self.rows
        if bad or (better and known and self.read >= old and steps > 1.0 + cost):
            self.sum_metric(stage, wanted, max(self.damping - 1, 0))
            self.renewals += 1


def shorter(share, start, slope, end, end_slope):
    """The next length to try: the minimum of the cubic through both ends, between a tenth and a half of ``share``."""
    if not math.isfinite(end):
        return 0.1 * share
    if end_slope > 0:
        # Both slopes, the first below and the last above zero: Nocedal and Wright 2006, equation 3.59.
        first = slope + end_slope - 3.0 * (end - start) / share
        root = math.sqrt(max(first * first - slope * end_slope, 0.0))
        found = share * (1.0 - (end_slope + root - first) / (end_slope - slope + 2.0 * root))
    else:
        found = -0.5 * slope * share * share / (end - start - slope * share)
    return min(max(found, 0.1 * share), 0.5 * share) if math.isfinite(found) else 0.1 * share
