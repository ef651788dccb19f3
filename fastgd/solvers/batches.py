"""Mini-batches and single rows."""

import numpy as np

from ..kernels import block_loop, order, row_loop
from ..kernels.rows import Scaled
from ..kernels.threads import cached_property
from ..results.state import SingleRowsState
from ..sources.shuffled import order_words
from .base import Records
from .first_order import FirstOrder
from .full_batch import ROW_OVERHEAD, SLICE_ELEMENTS
from .plan import lanes_with

SLICE_COLUMNS = 16  # numbers of a slice of sparse rows for each column: at its end all columns are brought up to date


class Batches(FirstOrder):
    """Mini-batches and single rows: the order of a slice's rows is drawn, then one kernel call takes its steps."""

    exact = False
    margin = 0.1  # a running mean of losses is noisy
    speed = 1  # elements a second, as a multiple of the full-batch loop of one lane

    def __init__(self, plan):
        super().__init__(plan)
        self.n = int(plan.data.count)
        self.kind = order.KINDS[plan.options.shuffle]
        if not plan.data.rows.in_memory and (self.kind == order.REPLACEMENT or plan.order is not None):
            raise ValueError(
                f"shuffle={plan.options.shuffle!r}: batches are drawn from all rows, and of a source's a part is in "
                "memory at a time. Leave it out, or pass 'full', which shuffles these."
            )
        # Draws with replacement are all of the full size; otherwise the last batch of an epoch may be smaller.
        self.rows = -(-self.n // plan.batch) * plan.batch if self.kind == order.REPLACEMENT else self.n
        # By the number of lanes at the start: where a slice ends must not depend on how many still run.
        lanes, width = plan.lanes.weights.shape
        elements = (width + ROW_OVERHEAD) * lanes
        self.slice = max(1, self.speed * SLICE_ELEMENTS // elements // plan.batch) * plan.batch
        self.data = plan.data  # what an order's rows are of: of a source, a buffer
        self.drawn, self.drawn_for = np.empty(0, np.uint32), -1
        self.laid, self.laid_for = (), (-1, -1, -1)

    @cached_property
    def buffers(self):
        """The rows of a source, a buffer at a time; None for those in memory."""
        if self.plan.data.rows.in_memory:
            return None
        from .source_batches import PlanBuffers

        return PlanBuffers(self.plan, self.slice, self.kind)

    def close(self):
        """End the reading of a source."""
        if "buffers" in vars(self) and self.buffers is not None:
            self.buffers.close()

    def order(self, epoch, row, count):
        """The rows at ``count`` positions of an epoch from ``row`` on, and the rows to prefetch meanwhile.

        Of a source they are numbers of rows of ``data``, the buffer that has them.

        A slice is laid out at once: batch by batch, as ``lr_find`` takes it, that took a fifth of the time.
        """
        begin = row // self.slice * self.slice
        size = min(self.slice, self.rows - begin)
        if self.laid_for != (epoch, begin, size):
            self.laid, self.laid_for = self.laid_out(epoch, begin, size), (epoch, begin, size)
        rows, ahead = self.laid
        return rows[row - begin :][:count], ahead[row - begin :][:count]

    def laid_out(self, epoch, row, count):
        """The rows of a slice that begins at ``row``, and the rows to prefetch meanwhile."""
        out, ahead = np.empty((2, count), np.int64)
        n, seed, number, first, rows = self.n, self.plan.options.random_state, epoch, 0, self.plan.rows
        if self.buffers is not None:
            size, buffer = self.buffers.size, row // self.buffers.size
            self.data, rows = self.buffers.at(epoch, buffer)
            number, first = epoch * self.buffers.count + buffer, buffer * size
            n = min(size, self.n - first)
        if self.kind in (order.BLOCK, order.FULL) and self.drawn_for != number:
            units = n if self.kind == order.FULL else -(-n // order.BLOCK_ROWS)
            self.drawn = np.empty(units, np.uint32)
            if self.plan.order is None:
                order.permutation(seed, number, self.drawn)
            else:
                self.drawn[:] = self.plan.order(epoch)
            self.drawn_for = number
        order.fill(self.kind, seed, number, n, self.plan.batch, self.drawn, row - first, out, ahead)
        return (out, ahead) if rows is None else (rows[out].astype(np.int64), rows[ahead].astype(np.int64))

    def advance(self, lanes, state, rates, clock, steps):
        """A slice of batches."""
        plan, count, lanes = self.plan, len(state.weights), lanes_with(lanes, state)
        # A run that stopped inside a slice first completes that slice.
        rows = min(self.slice - clock.row % self.slice, self.rows - clock.row, steps * plan.batch)
        taken = -(-rows // plan.batch)
        order_and_ahead = self.order(clock.epoch, clock.row, rows)
        if self.buffers is not None:
            lanes = self.buffers.folds(lanes)
        table = self.shortened(rates(clock.steps, taken), order_and_ahead[0][:rows])
        loss_sum = np.zeros(count) + clock.loss_sum
        self.steps(lanes, state, *order_and_ahead, table, clock.steps + 1, loss_sum)
        clock.steps += taken
        clock.row += rows
        clock.loss_sum = loss_sum
        done = clock.row == self.rows
        if done:
            clock.epoch, clock.row, clock.loss_sum = clock.epoch + 1, 0, 0.0
        broken = ~np.isfinite(loss_sum)
        loss = loss_sum[None] / self.rows if done else np.empty((0, count))
        return Records(loss, table[-1:], None, np.where(broken, 0, len(loss)), broken)

    def steps(self, lanes, state, rows, ahead, rates, t, loss_sum):
        """A step for every batch of ``rows`` at rates (steps, lanes) from step ``t`` on; adds to ``loss_sum``."""
        plan = self.plan
        block_loop.batch_steps(self.data, plan.parts, lanes, rows, ahead, plan.batch, rates, t, loss_sum)


class SingleRows(Batches):
    """Single rows of dense data, one lane after another."""

    def __init__(self, plan):
        super().__init__(plan)
        self.plain = not plan.data.shift.any() and (plan.data.inverse_scale == 1).all()
        # Not rows in order nor in chunks: chunks have the bits of one table, and those of averaged steps.
        self.early = self.kind != order.SEQUENTIAL and not plan.start.chunked

    def init(self):
        """The state of first-order steps, without a score."""
        state = vars(super().init())
        return SingleRowsState(**state, next_score=np.full(len(state["weights"]), np.nan))

    def advance(self, lanes, state, rates, clock, steps):
        """A slice of rows."""
        if clock.row % self.slice == 0:  # the next row may be another than at the end of the run: of other data
            state.next_score[:] = np.nan
        return super().advance(lanes, state, rates, clock, steps)

    def order(self, epoch, row, count):
        """The rows at ``count`` positions from ``row`` on, and the next one where they end inside a slice."""
        rows, ahead = super().order(epoch, row, min(count + 1, self.slice - row % self.slice, self.rows - row))
        return rows, ahead[:count]

    def steps(self, lanes, state, rows, ahead, rates, t, loss_sum):
        """A step for every row at rates (steps, lanes) from step ``t`` on; adds to ``loss_sum``."""
        plan, data = self.plan, self.data
        read = data.rows if self.plain else Scaled(data.rows.values, data.shift, data.inverse_scale)
        taken = rows, ahead, rates, t, loss_sum
        row_loop.row_steps(data, read, plan.parts, lanes, *taken, self.early, state.next_score)


def order_of(plan):
    """What decides the order of the rows of a source in batches, in a few words; None where it is that of an array."""
    rows = plan.data.rows
    if plan.full or rows.in_memory or plan.options.shuffle is False:
        return None
    return order_words(rows.source)
