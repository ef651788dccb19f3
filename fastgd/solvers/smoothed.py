"""The descent on a loss whose kinks are smoothed, within a width that gets narrower: where the penalty has kinks, too.

Losses that are made of lines have a method of their own (``kinked.py``), but not with L1 or bounds.
"""

import copy

from .descent import Descent, Look

NARROWEST = 1e-9  # the smallest width, as a share of the first
NARROWER = 0.1  # a width is multiplied by it when the smoothed loss has settled
SETTLED = 1e-2  # times the objective: the smoothed loss has settled when the decrease still possible is below
WITHOUT_TOL = 1e-8  # the tolerance of smoothing where there is none
CLOSE = 10.0  # in tolerances: a smoothed loss no further above the loss is final


def smoothed(stage, field, width):
    """A stage on which the loss is smoothed within a width, which is its field of this number."""
    found = copy.copy(stage)
    found.plain, found.field, found.kink_width = stage, field, width
    found.metric_rows = found.rows  # the rows near the kinks are few
    return found


class SmoothedDescent(Descent):
    """The descent of a lane whose loss has kinks.

    Parameters
    ----------
    field : int
        The number of the loss's field that is the width.
    first_width : float
        The width to begin with.
    """

    def __init__(self, field, first_width, *args):
        super().__init__(*args)
        self.field, self.first_width, self.kink_width = field, first_width, first_width
        self.is_last = False  # whether smoothing changes the loss by no more than some tolerances

    def run(self, resumed=False):
        """All steps; ``resumed`` begins with the width of the run before."""
        *samples, whole = self.stages
        if resumed and self.rows:
            stage = smoothed(whole, self.field, self.kink_width)
            yield from self.resume(stage)
            yield from self.descend(stage)
        for stage in [] if resumed else [stage for stage in samples if stage.steps]:
            stage = smoothed(stage, self.field, self.kink_width)
            yield from self.enter(stage)
            yield from self.descend(stage)
        while True:
            stage = smoothed(whole, self.field, self.kink_width)
            yield from self.enter(stage)
            yield from self.descend(stage)

    def leave(self, over):
        """The end, or the next width, of which no metric is known."""
        self.ended = over and self.is_last
        if over and not self.is_last:
            self.kink_width, self.rows = NARROWER * self.kink_width, 0

    def shown(self, stage, record):
        """The record with the loss that is not smoothed; nothing is known to be left while the two differ."""
        own, _ = yield Look(stage.plain, self.weights)
        tol = WITHOUT_TOL if self.tol is None else self.tol
        close = self.objective - own <= CLOSE * tol * abs(own)
        self.is_last = close or self.kink_width <= max(64 * self.eps, NARROWEST) * self.first_width
        return record._replace(objective=own, decrement=record.decrement if self.is_last else float("inf"))

    def enough(self, stage):
        """The decrease that ends a stage."""
        return super().enough(stage) if self.is_last or not stage.whole else SETTLED * abs(self.objective)
