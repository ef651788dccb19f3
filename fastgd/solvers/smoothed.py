"""The descent on a loss whose kinks are smoothed, within a width that gets narrower: where the penalty has kinks, too.

Losses that are made of lines have a method of their own (``kinked.py``), but not with L1 or bounds.
"""

from .descent import Descent

NARROWEST = 1e-9  # the smallest width, as a share of the first
NARROWER = 0.1  # a width is multiplied by it when the smoothed loss has settled
SETTLED = 1e-2  # times the objective: the smoothed loss has settled when the decrease still possible is below
WITHOUT_TOL = 1e-8  # the tolerance of smoothing where there is none
CLOSE = 10.0  # in tolerances: a smoothed loss no further above the loss is final


class SmoothedDescent(Descent):
    """The descent of a model whose loss has kinks.

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
        if resumed and self.metric.rows:
            stage = self.smoothed(whole)
            yield from self.resume(stage)
            yield from self.descend(stage)
        for stage in [] if resumed else [self.smoothed(stage) for stage in samples if stage.steps]:
            yield from self.enter(stage)
            yield from self.descend(stage)
        while True:
            stage = self.smoothed(whole)
            yield from self.enter(stage)
            yield from self.descend(stage)

    def smoothed(self, stage):
        """The stage with the loss smoothed within the width."""
        return stage.smoothed(self.field, self.kink_width)

    def leave(self, over):
        """The end, or the next width, of which no metric is known."""
        self.ended = over and self.is_last
        if over and not self.is_last:
            self.kink_width, self.metric.rows = NARROWER * self.kink_width, 0

    def shown(self, record):
        """The record with the loss that is not smoothed; nothing is known to be left while the two differ."""
        own = (yield from self.look(self.stages[-1], self.point.weights)).objective
        tol = WITHOUT_TOL if self.goal.tol is None else self.goal.decrease(1.0)
        close = self.point.objective - own <= CLOSE * tol * self.size
        self.is_last = close or self.kink_width <= max(64 * self.goal.eps, NARROWEST) * self.first_width
        return record._replace(objective=own, decrement=record.decrement if self.is_last else float("inf"))

    def tolerance(self, stage):
        """The decrease that ends a stage."""
        settled = self.is_last or not stage.whole
        return super().tolerance(stage) if settled else SETTLED * self.size
