"""Full-batch steps: an epoch is a step."""

import numpy as np

from ..kernels.threads import cached_property
from .base import Records
from .first_order import FirstOrder
from .plan import lanes_with

SLICE_ELEMENTS = 1 << 24
ROW_OVERHEAD = 32  # the cost of a row beyond its columns, in elements


class FullBatch(FirstOrder):
    """Full-batch steps of one lane. Data of one chunk runs many steps in one kernel call."""

    speed = 1  # elements a second, as a multiple of this loop's

    @cached_property
    def passes(self):
        """The passes over the rows."""
        return self.plan.passes(self.plan.data)

    @property
    def one_chunk(self):
        """Whether the rows are one chunk in memory."""
        return self.passes.chunks.count == 1 and self.plan.data.rows.in_memory

    def steps_at_once(self, lanes):
        """How many steps a slice takes."""
        if self.watched or not self.one_chunk:
            return 1
        rows = self.plan.data.rows
        cost = (rows.stored + (self.passes.n + 1) * ROW_OVERHEAD + self.passes.d) * lanes
        return max(1, self.speed * SLICE_ELEMENTS // cost)

    def small(self, lanes):
        """Whether one kernel call takes all steps of a slice."""
        return self.one_chunk

    def advance(self, lanes, state, rates, clock, steps):
        """A slice of steps; the kernels leave a failed lane at its last finite weights."""
        count, lanes = len(state.weights), lanes_with(lanes, state)
        steps = min(steps, self.steps_at_once(count), self.plan.epochs - clock.epoch)
        table = rates(clock.steps, steps)
        if self.plan.start.chunked:
            table = self.shortened(table, np.arange(self.plan.n))
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
        run = self.passes.small_steps if self.small(len(lanes.weights)) else self.passes.step
        return run(self.plan.parts, lanes, rates, t)
