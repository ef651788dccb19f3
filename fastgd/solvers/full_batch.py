"""Full-batch steps: an epoch is a step."""

import functools

import numpy as np

from ..kernels import full_batch
from .base import Records
from .first_order import FirstOrder
from .plan import lanes_with

SLICE_ELEMENTS = 1 << 24
ROW_OVERHEAD = 32  # the cost of a row beyond its columns, in elements


class FullBatch(FirstOrder):
    """Full-batch steps of one lane. Data of one chunk runs many steps in one kernel call."""

    speed = 1  # elements a second, as a multiple of this loop's

    @classmethod
    def runs(cls, plan):
        """Whether a step takes all rows."""
        return plan.full

    @functools.cached_property
    def passes(self):
        """The passes over the rows."""
        return self.plan.backend.passes(self.plan.data, self.plan.options.n_threads)

    def steps_at_once(self, lanes):
        """How many steps a slice takes."""
        if self.plan.watched or self.passes.chunks > 1:
            return 1
        rows = self.plan.data.rows
        cost = (rows.stored + (self.passes.n + 1) * ROW_OVERHEAD + self.passes.d) * lanes
        return max(1, self.speed * SLICE_ELEMENTS // cost)

    def advance(self, lanes, state, rates, clock, steps):
        """A slice of steps; the kernels leave a failed lane at its last finite weights."""
        count, lanes = len(state.weights), lanes_with(lanes, state)
        steps = min(steps, self.steps_at_once(count), self.plan.epochs - clock.epoch)
        table = rates(clock.steps, steps)
        if len(table) != steps:
            table = np.repeat(table, steps, axis=0)
        objective, norm = self.steps(lanes, table, clock.steps + 1)
        finite = np.isfinite(objective + norm)
        good = np.where(finite.all(axis=0), steps, np.argmin(finite, axis=0))
        clock.epoch += steps
        clock.steps += steps
        return Records(objective, table, norm, good, good < steps)

    def steps(self, lanes, rates, t):
        """Steps at rates (steps, lanes) from step ``t`` on: objectives and gradients' norms before each."""
        if self.passes.chunks > 1:
            return self.passes.step(self.plan.parts, lanes, rates, t)
        objective, norm = np.empty((2, *rates.shape))
        sums, losses = np.empty((1, *lanes.weights.shape)), np.empty((1, len(lanes.weights)))
        full_batch.small_steps(self.plan.data, self.plan.parts, lanes, rates, t, sums, losses, objective, norm)
        return objective, norm
