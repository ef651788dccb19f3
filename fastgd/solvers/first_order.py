"""What a slice of work is: some full-batch steps, or the steps of some batches, for all lanes at once.

A slice's length is a function of the shape and the settings, never of the clock, so the places where a run looks at
its losses, and with them the result, are the same on every run.
"""

from typing import NamedTuple

import numpy as np

from ..kernels import block_loop, full_batch, order, row_loop
from ..kernels.rows import Scaled
from .passes import Passes

SLICE_ELEMENTS = 1 << 24
SLICE_COLUMNS = 16  # numbers of a slice of sparse rows for each column: at its end all columns are brought up to date
ROW_OVERHEAD = 32  # what a row costs beyond its columns, in elements


class Epochs(NamedTuple):
    """What the epochs that a slice finished are told by."""

    loss: np.ndarray  # (epochs, lanes)
    learning_rate: np.ndarray  # (epochs, lanes), of the last step
    gradient_norm: np.ndarray | None  # (epochs, lanes), where it is free
    good: np.ndarray  # (lanes,) how many of the epochs were finite
    broken: np.ndarray  # (lanes,) bool, whether a lane failed in the slice
    decrement: np.ndarray | None = None  # (epochs, lanes), what the step promised to take off, where it says


class FullBatch:
    """An epoch is a step. Data of one chunk runs many steps in one kernel call."""

    exact = True
    margin = 1e-6  # how far a loss may rise above its start by rounding
    speed = 1

    def __init__(self, plan, passes=Passes):
        self.plan = plan
        self.passes = passes(plan.data, plan.n_threads)

    def slice(self, lanes):
        """How many steps are taken at once."""
        if self.plan.watched or self.passes.chunks > 1:
            return 1
        rows = self.plan.data.rows
        cost = (rows.stored + (self.passes.n + 1) * ROW_OVERHEAD + self.passes.d) * lanes
        return max(1, self.speed * SLICE_ELEMENTS // cost)

    def advance(self, lanes, rates, clock, steps):
        """Up to ``steps`` steps, at the rates that ``rates(first, count)`` gives.

        The kernels leave a failed lane at its last finite weights.
        """
        plan, count = self.plan, len(lanes.weights)
        steps = min(steps, self.slice(count), plan.epochs - clock.epoch)
        table = rates(clock.steps, steps)
        if len(table) != steps:
            table = np.repeat(table, steps, axis=0)
        objective, norm = self.steps(lanes, table, clock.steps + 1)
        finite = np.isfinite(objective + norm)
        good = np.where(finite.all(axis=0), steps, np.argmin(finite, axis=0))
        clock.epoch += steps
        clock.steps += steps
        return Epochs(objective, table, norm, good, good < steps)

    def steps(self, lanes, rates, t):
        """Steps at rates (steps, lanes) from step ``t`` on: objectives and gradients' norms before each."""
        if self.passes.chunks > 1:
            return self.passes.step(self.plan.parts, lanes, rates, t)
        objective, norm = np.empty((2, *rates.shape))
        sums, losses = np.empty((1, *lanes.weights.shape)), np.empty((1, len(lanes.weights)))
        full_batch.small_steps(self.plan.data, self.plan.parts, lanes, rates, t, sums, losses, objective, norm)
        return objective, norm


class Batches:
    """Mini-batches and single rows: the order of a slice's rows is drawn, then one kernel call takes its steps."""

    exact = False
    margin = 0.1  # a running mean of losses met is noisy
    speed = 1

    def __init__(self, plan):
        self.plan = plan
        self.n = int(plan.data.count)
        self.kind = order.KINDS[plan.shuffle]
        # Draws with replacement are all of the full size; otherwise the last batch of an epoch may be smaller.
        self.rows = -(-self.n // plan.batch) * plan.batch if self.kind == order.REPLACEMENT else self.n
        # Of the lanes at the beginning: where a slice ends must not depend on which of them have ended.
        lanes, width = plan.lanes.weights.shape
        elements = (width + ROW_OVERHEAD) * lanes
        self.slice = max(1, self.speed * SLICE_ELEMENTS // elements // plan.batch) * plan.batch
        data = plan.data
        plain = data.rows.sparse or (not data.shift.any() and (data.inverse_scale == 1).all())
        self.read = data.rows if plain else Scaled(data.rows.values, data.shift, data.inverse_scale)
        self.drawn, self.drawn_for = np.empty(0, np.uint32), -1

    def order(self, epoch, row, count):
        """The rows at positions row.. of an epoch, and those to ask the memory for meanwhile."""
        out, ahead = np.empty((2, count), np.int64)
        if self.kind in (order.BLOCK, order.FULL) and self.drawn_for != epoch:
            units = self.n if self.kind == order.FULL else -(-self.n // order.BLOCK_ROWS)
            self.drawn = np.empty(units, np.uint32)
            if self.plan.order is None:
                order.permutation(self.plan.seed, epoch, self.drawn)
            else:
                self.drawn[:] = self.plan.order(epoch)
            self.drawn_for = epoch
        order.fill(self.kind, self.plan.seed, epoch, self.n, self.plan.batch, self.drawn, row, out, ahead)
        if self.plan.rows is None:
            return out, ahead
        return self.plan.rows[out].astype(np.int64), self.plan.rows[ahead].astype(np.int64)

    def advance(self, lanes, rates, clock, steps):
        """Up to ``steps`` steps, at most to the epoch's end, at the rates that ``rates(first, count)`` gives."""
        plan, count = self.plan, len(lanes.weights)
        # A run that stopped inside a slice goes on to where that slice would have ended.
        rows = min(self.slice - clock.row % self.slice, self.rows - clock.row, steps * plan.batch)
        taken = -(-rows // plan.batch)
        order_and_ahead = self.order(clock.epoch, clock.row, rows)
        table = rates(clock.steps, taken)
        loss_sum = np.zeros(count) + clock.loss_sum
        self.steps(lanes, *order_and_ahead, table, clock.steps + 1, loss_sum)
        clock.steps += taken
        clock.row += rows
        clock.loss_sum = loss_sum
        done = clock.row == self.rows
        if done:
            clock.epoch, clock.row, clock.loss_sum = clock.epoch + 1, 0, 0.0
        broken = ~np.isfinite(loss_sum)
        loss = loss_sum[None] / self.rows if done else np.empty((0, count))
        return Epochs(loss, table[-1:], None, np.where(broken, 0, len(loss)), broken)

    def steps(self, lanes, rows, ahead, rates, t, loss_sum):
        """A step for every batch of ``rows`` at rates (steps, lanes) from step ``t`` on; adds to the losses met."""
        plan = self.plan
        if plan.batch == 1 and not plan.data.rows.sparse:
            row_loop.row_steps(plan.data, self.read, plan.parts, lanes, rows, ahead, rates, t, loss_sum)
        else:
            block_loop.batch_steps(plan.data, plan.parts, lanes, rows, ahead, plan.batch, rates, t, loss_sum)
