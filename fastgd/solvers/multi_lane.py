"""Passes and steps of many lanes, on several threads and with the same bits for any number of them."""

import numpy as np

from ..inputs.checks import frozen
from ..kernels import full_batch, lane_steps, lane_sums
from ..kernels.lane_gradients import zero_gradient_update
from ..kernels.lanes import NO_ROLES
from ..kernels.threads import run_tasks
from ..kernels.tiles import pack, unpack
from .first_order import ROW_OVERHEAD, SLICE_COLUMNS, SLICE_ELEMENTS, Batches, FullBatch
from .plan import unweighted

TASK_WORK = 1 << 23  # rows * columns * lanes: about a millisecond, so Ctrl-C and a lagging thread wait no longer
COPIED_BYTES = 1 << 25  # of held-out rows
SPEED = 8  # how many times faster a lane's elements go by than where it is alone
SPARSE_SPEED = 2
SHARE = 2  # numbers of sparse rows for each of the chunks' sums, at least
SMALL_WORK = 1 << 20  # below this the work is over before a thread has started


def rows_of(data, rows):
    """Some rows of data, copied; sums over them are not divided."""
    return data._replace(
        rows=data.rows.take(rows),
        targets=frozen(data.targets[:, rows]),
        weight=frozen(data.weight[rows] if data.weight.size else data.weight),
        roles=NO_ROLES,
        count=1.0,
    )


class ManyPasses:
    """One pass after another over ``data`` for all lanes at once; ``n_threads`` run the chunks of each."""

    def __init__(self, data, n_threads):
        self.data = data
        self.n, self.d = data.rows.shape
        self.chunk = lane_sums.chunk_rows(data.rows)
        self.chunks = -(-self.n // self.chunk)
        self.n_threads = n_threads

    def over_chunks(self, lanes, run, together=True):
        """``run(tiles, first, last)`` over all chunks; or, not ``together``, over those of one tile in their order."""
        tiles = pack(lanes, self.data.classes, 1 if together else self.n_threads, moves=False)
        work = self.chunk * (self.data.rows.stored // self.n + 1) * len(lanes.weights)
        stride = max(1, TASK_WORK // work)
        n_threads = self.n_threads if work * self.chunks > SMALL_WORK else 1

        def task(k):
            with np.errstate(all="ignore"):  # for kernels run as plain Python; a setting of each thread
                run(tiles, k * stride, min((k + 1) * stride, self.chunks))

        def tile_task(k, first):
            with np.errstate(all="ignore"):
                run(type(tiles)(*(array[k : k + 1] for array in tiles)), first, min(first + stride, self.chunks))

        if together:
            run_tasks(task, -(-self.chunks // stride), n_threads)
        else:
            for first in range(0, self.chunks, stride):
                run_tasks(lambda k, first=first: tile_task(k, first), len(tiles.lane), n_threads)

    def table(self, lanes):
        """A number for each chunk and lane."""
        return np.empty((self.chunks, len(lanes.weights)))

    def sums(self, loss, lanes):
        """Each chunk's sums of the gradients (chunks, lanes, d + 1) and of the losses (chunks, lanes).

        Where those of the gradients would be large beside sparse rows, they are added up at once, (1, lanes, d + 1): to
        the same bits, as this goes in the chunks' order too.
        """
        rows, losses = self.data.rows, self.table(lanes)
        few = not rows.sparse or (self.chunks > 1 and SHARE * self.chunks * lanes.weights.size < rows.stored)
        sums = np.empty((self.chunks if few else 1, *lanes.weights.shape))
        self.over_chunks(
            lanes, lambda tiles, a, b: lane_sums.lane_sums(self.data, loss, tiles, self.chunk, a, b, sums, losses), few
        )
        return sums, losses

    def step(self, parts, lanes, rates, t):
        """A full-batch step: the objectives and the gradients' norms before it, (1, lanes)."""
        sums, losses = self.sums(parts.loss, lanes)
        objective, norm = np.empty((2, 1, len(lanes.weights)))
        full_batch.finish(self.data, parts, lanes, rates, t, sums, losses, objective, norm)
        return objective, norm

    def small_steps(self, parts, lanes, rates, t):
        """Full-batch steps over data of one chunk, one for each row of rates: objectives and norms (steps, lanes)."""
        objective, norm = np.empty((2, *rates.shape))
        tiles = pack(lanes, self.data.classes)
        lane_sums.lane_small_steps(self.data, parts, lanes, tiles, self.chunk, rates, t, objective, norm)
        return objective, norm

    def loss(self, loss, lanes):
        """The mean loss of each lane over the rows it trains on, (lanes,); without the penalty."""
        losses = self.table(lanes)
        self.over_chunks(
            lanes, lambda tiles, a, b: lane_sums.lane_losses(self.data, loss, tiles, self.chunk, a, b, losses)
        )
        return losses.sum(axis=0) / self.data.count

    def held_loss(self, loss, lanes):
        """The weighted mean loss of each lane over the rows that its fold holds out, (lanes,).

        Of a joint loss the model's first lane has it, the others 0. A fold's lanes read its rows alone, some copied at
        a time: weighing all rows for all lanes took 30 times as long for 5 folds of 64 settings.
        """
        data, found = self.data, np.empty(len(lanes.weights))
        most = max(1, COPIED_BYTES * self.n // (data.rows.stored * data.shift.itemsize + 1))
        for fold in np.unique(lanes.fold):
            members = np.flatnonzero(lanes.fold == fold)
            alone = unweighted(type(lanes)(*(array[members] for array in lanes)))
            rows = np.flatnonzero(data.roles[fold] < 0)
            total = weights = 0.0
            for first in range(0, rows.size, most):
                held = rows_of(data, rows[first : first + most])
                total = total + ManyPasses(held, self.n_threads).loss(loss, alone)
                weights += held.weight.sum(dtype=np.float64) if held.weight.size else held.rows.shape[0]
            found[members] = total / weights
        return found

    def totals(self, lanes):
        """The sum of the row weights of each lane, without its scale, (lanes,)."""
        totals = self.table(lanes)
        self.over_chunks(lanes, lambda tiles, a, b: lane_sums.lane_totals(self.data, tiles, self.chunk, a, b, totals))
        return totals.sum(axis=0)


def steps(data, parts, lanes, order, ahead, batch, rates, t, loss_sum, n_threads=1, lazy=False):
    """One step of every lane for each ``batch`` rows of ``order``; rates (steps, lanes) or (1, lanes).

    The losses met are added to ``met`` (lanes,); threads share out the tiles, which know nothing of each other.
    """
    numbers = data.rows.stored // data.targets.shape[1] + 1
    n_threads = n_threads if order.size * numbers * len(lanes.weights) > SMALL_WORK else 1
    tiles = pack(lanes, data.classes, n_threads)

    def task(tile):
        with np.errstate(all="ignore"):
            lane_steps.lane_steps(data, parts, tiles, tile, tile + 1, order, ahead, batch, rates, t, loss_sum, lazy)

    run_tasks(task, len(tiles.lane), n_threads)
    unpack(tiles, lanes)


class ManyFullBatch(FullBatch):
    """Full-batch steps of many lanes."""

    speed = SPEED

    def __init__(self, plan):
        super().__init__(plan, ManyPasses)

    def steps(self, lanes, rates, t):
        """Steps at rates (steps, lanes) from step ``t`` on: objectives and gradients' norms before each."""
        small = self.passes.chunks == 1 and (not self.plan.data.rows.sparse or self.slice(len(lanes.weights)) > 1)
        run = self.passes.small_steps if small else self.passes.step
        return run(self.plan.parts, lanes, rates, t)


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
        eager = plan.lanes.averages.size or not (plan.lazy or zero_gradient_update(plan.parts))
        moved = numbers + (width // plan.batch if eager else 0)
        return max(SPARSE_SPEED * SLICE_ELEMENTS // ((moved + ROW_OVERHEAD) * lanes), SLICE_COLUMNS * width // moved)

    def steps(self, lanes, rows, ahead, rates, t, loss_sum):
        """A step for every batch of ``rows`` at rates (steps, lanes) from step ``t`` on; adds to the losses met."""
        plan = self.plan
        steps(plan.data, plan.parts, lanes, rows, ahead, plan.batch, rates, t, loss_sum, plan.n_threads, plan.lazy)
