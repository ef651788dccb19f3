"""First-order steps of many lanes, on several threads and with the same bits for any number of them."""

from ..kernels import multi_steps
from ..kernels.multi_gradients import zero_gradient_update
from ..kernels.threads import run_tasks
from ..kernels.tiles import pack, unpack
from .batches import SLICE_COLUMNS, Batches
from .full_batch import ROW_OVERHEAD, SLICE_ELEMENTS, FullBatch
from .multi_lane_passes import SMALL_WORK

SPEED = 8  # elements a second, as a multiple of the loop of one lane
SPARSE_SPEED = 2


def steps(data, parts, lanes, order, ahead, batch, rates, t, loss_sum, n_threads=1, lazy=False):
    """One step of every lane for each ``batch`` rows of ``order``; rates (steps, lanes) or (1, lanes).

    The losses are added to ``loss_sum`` (lanes,). Threads take one tile after another; tiles are independent.
    """
    numbers = data.rows.stored // data.targets.shape[1] + 1
    n_threads = n_threads if order.size * numbers * len(lanes.weights) > SMALL_WORK else 1
    tiles = pack(lanes, data.classes, n_threads)

    def task(tile):
        multi_steps.multi_steps(data, parts, tiles, tile, tile + 1, order, ahead, batch, rates, t, loss_sum, lazy)

    run_tasks(task, len(tiles.lane), n_threads)
    unpack(tiles, lanes)


class ManyFullBatch(FullBatch):
    """Full-batch steps of many lanes."""

    speed = SPEED

    def small(self, lanes):
        """Whether one kernel call takes all steps of a slice; for one step of sparse rows that does not pay."""
        return super().small(lanes) and not (self.plan.data.rows.sparse and self.steps_at_once(lanes) == 1)


class ManyBatches(Batches):
    """Mini-batches and single rows of many lanes."""

    speed = SPEED

    def __init__(self, plan):
        super().__init__(plan)
        if plan.data.rows.sparse:
            self.slice = max(1, self.sparse_rows() // plan.batch) * plan.batch

    def sparse_rows(self):
        """Rows a slice: at least so many that copying lanes into tiles and back costs little beside their numbers."""
        plan = self.plan
        lanes, width = plan.lanes.weights.shape
        numbers = plan.data.rows.stored // plan.data.rows.shape[0] + 1
        eager = plan.lanes.averages.size or not (plan.options.lazy or zero_gradient_update(plan.parts))
        moved = numbers + (width // plan.batch if eager else 0)
        return max(SPARSE_SPEED * SLICE_ELEMENTS // ((moved + ROW_OVERHEAD) * lanes), SLICE_COLUMNS * width // moved)

    def steps(self, lanes, state, rows, ahead, rates, t, loss_sum):
        """A step for every batch of ``rows`` at rates (steps, lanes) from step ``t`` on; adds to ``loss_sum``."""
        plan, options = self.plan, self.plan.options
        settings = options.n_threads, options.lazy
        steps(self.data, plan.parts, lanes, rows, ahead, plan.batch, rates, t, loss_sum, *settings)
