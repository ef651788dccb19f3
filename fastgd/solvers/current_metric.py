"""The metric of a descent: over which rows and where it was summed, what it promises, and when it is summed anew.

Where an arrow has cost as much as a matrix of all columns would, or of few rows, it becomes one.
"""

import math

import numpy as np

CONTRACTION = 0.05, 0.99  # of the promises by a step: no other one is believed
UNEVEN = 0.1  # of the promise before, at least, where pairs set the scale of steps
PROMISES = 6  # of the last steps, from which it is taken
SHORT = 0.3  # a step that is shorter was a bad one
SELDOM = 6  # passes until a metric is summed anew that pairs improve: each 2, 108 where 33 were enough
GROWTH = 8  # of the rows of a metric
FEWEST = 12  # passes before a matrix is taken: of 20 rows it costs less than one, and a squared hinge took more steps
WORTH = 0.5  # of the passes that a matrix costs must be saved, to be taken in place of an arrow
DAMPINGS = 0.0, 1e-6, 1e-3, 1.0, 1e3, math.inf  # shares of the diagonal added to a metric (Levenberg 1944)


class CurrentMetric:
    """What a model of a descent measures steps by now.

    ``metric_of(stage, weights, rows, damping, as_matrix)`` sums second derivatives at weights over about so many rows
    of a stage, and adds a share of their diagonal. ``exact`` tells that they are the same everywhere.
    """

    def __init__(self, model, metric_of, exact):
        self.model, self.metric_of, self.exact = model, metric_of, exact
        self.anchor = None  # the weights where second derivatives are taken
        self.rows = self.damping = 0  # rows asked for, 0 before the first; the number of the damping
        self.promises = []  # of the last steps
        self.read = 0.0  # rows, since it was summed
        self.renewals = 0
        self.as_matrix = False  # although an arrow costs less

    def sum(self, stage, weights, rows, damping=0, forget=False):
        """Sum it at weights over some rows of a stage; ``forget``: whether all pairs go, whatever it is."""
        self.anchor, self.rows, self.damping = weights.copy(), min(rows, stage.rows), damping
        self.model.begin(self.there(stage, self.anchor, self.rows, damping), forget)
        self.promises, self.read = self.promises[-1:] if self.model.learned else [], 0.0

    def resume(self, stage):
        """Sum it where the run before had it."""
        self.model.metric = self.there(stage, self.anchor, self.rows, self.damping)

    def there(self, stage, weights, rows, damping=0):
        """A metric of its kind at some weights."""
        return self.metric_of(stage, weights, rows, DAMPINGS[damping], self.as_matrix)

    def note(self, promise):
        """Take note of what a step promised that was taken."""
        self.promises = [*self.promises[1 - PROMISES :], promise]

    # What is left -----------------------------------------------------------------------------------------------------

    def contraction(self, promise):
        """The share of a step's promise that the next one makes, on the mean of the last; if unknown, a half."""
        if not self.promises or not promise > 0:
            return 0.5
        found = (promise / self.promises[0]) ** (1.0 / len(self.promises))
        if self.model.metric.scaled and len(self.promises) == PROMISES:  # single steps are uneven
            half = PROMISES // 2
            found = max(found, (sum(self.promises[half:]) / sum(self.promises[:half])) ** (1.0 / half))
        return max(believed(found), self.model.quickest)

    def possible(self, promise):
        """What is left after a step, if each brings a share of the one before.

        A damped promise says little, and where pairs set the scale one alone may be far too small: 8e-7 after 3e-4,
        where 6e-5 were left.
        """
        if self.damping:
            return math.inf
        least = UNEVEN * max(self.promises[-2:]) if self.model.metric.scaled and self.promises else 0.0
        return series(max(promise, least), self.contraction(promise))

    # When it is summed anew -------------------------------------------------------------------------------------------

    def renew(self, stage, weights, taken, before, left):
        """Sum it anew at weights where the passes since the last time have cost as much, and where it will pay.

        ``taken`` is the length of the last step: one that had to be short says that the metric is no good. ``before``
        is the contraction before that step, None if none was measured, and ``left`` how many times too much was left.
        """
        # Steps that are still to come, about.
        more = 0.0 if before is None else math.log(max(left, 1.0)) / -math.log(before)
        if self.slow(stage, more):
            self.as_matrix = True
            self.sum(stage, weights, stage.metric_rows)
            return
        wanted = min(stage.rows, GROWTH * self.rows) if stage.whole else stage.rows
        cost, scaled = stage.metric_cost(wanted, self.as_matrix), self.model.metric.scaled
        # Where pairs say more than the metric, it is summed anew after 6, 12, 24 ... passes.
        old = (SELDOM * 2.0**self.renewals if scaled else max(2.0, cost)) * stage.rows
        bad = self.damping or (taken < SHORT and not scaled)
        better = not self.exact or wanted > self.rows
        if bad or (better and self.read >= old and more > 1.0 + cost):
            self.sum(stage, weights, wanted, max(self.damping - 1, 0))
            self.renewals += 1

    def slow(self, stage, more):
        """Whether passes by an arrow have cost as much as a matrix, and ``more`` of them are to come.

        So a fit costs at most twice what it would, were it known from the start which of both costs less. Of 1,500 rows
        and columns that were correlated, 1,000 steps by an arrow ended 3e-2 above the optimum.
        """
        if self.as_matrix or not (self.model.metric.scaled and stage.whole and stage.may_be_matrix):
            return False
        cost = stage.metric_cost(stage.metric_rows, True)
        before = SELDOM * (2.0**self.renewals - 1.0)  # it was summed anew after 6, 12, 24 ... passes
        passes = before + self.read / stage.rows
        return passes >= max(cost, FEWEST) and more > WORTH * cost

    def mend(self, stage, weights, bad):
        """After a step that failed: sum it over all rows at weights or, if so it was, damped; returns whether it could.

        ``bad``: whether it can be no better undamped.
        """
        here = np.array_equal(self.anchor, weights) and self.rows >= stage.rows and not self.model.learned
        if here and (bad or self.damping == len(DAMPINGS) - 1):
            return False
        self.sum(stage, weights, stage.rows, self.damping + here, forget=True)
        return True


def believed(contraction):
    """A contraction between the bounds of what is believed."""
    return min(max(contraction, CONTRACTION[0]), CONTRACTION[1])


def series(promise, contraction):
    """The sum of all promises after one, if each is a share of the one before."""
    return promise * contraction / (1.0 - contraction)
