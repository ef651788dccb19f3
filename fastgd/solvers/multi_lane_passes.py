"""Passes over all rows for many lanes at once."""

import numpy as np

from ..kernels import full_batch, joint_curvature, joint_sums, multi_sums
from ..kernels.lanes import NO_ROLES
from ..kernels.layouts import frozen
from ..kernels.threads import run_tasks
from ..kernels.tiles import pack
from .plan import unweighted
from .reduction import chunks_of, tree_sum

TASK_WORK = 1 << 23  # rows * columns * lanes: a millisecond, so that neither Ctrl-C nor the last thread takes long
COPIED_NUMBERS = 1 << 21  # of held-out rows, at once
SHARE = 2  # numbers of sparse rows for each of the chunks' sums, at least
SMALL_WORK = 1 << 20  # below this the work is over before a thread has started


def rows_of(data, rows):
    """Some rows of data, copied; sums over them are not divided."""
    return data._replace(
        rows=data.rows.take(rows),
        targets=frozen(np.ascontiguousarray(data.targets[:, rows])),
        weight=frozen(data.weight[rows] if data.weight.size else data.weight),
        offset=frozen(data.offset[rows] if data.offset.size else data.offset),
        roles=NO_ROLES,
        count=1.0,
    )


class ManyPasses:
    """One pass after another over ``data`` for all lanes at once; ``n_threads`` run the chunks of each."""

    def __init__(self, data, n_threads):
        self.data, self.n_threads = data, n_threads
        self.n, self.d = data.rows.shape
        self.chunks = chunks_of(data, full_batch.chunk_rows(data.rows), n_threads)

    def tasks_of(self, lanes):
        """How many chunks a task takes, and how many threads run them."""
        work = self.chunks.chunk * (self.data.rows.stored // self.n + 1) * len(lanes.weights)
        return max(1, TASK_WORK // work), self.n_threads if work * self.chunks.count > SMALL_WORK else 1

    def tiles(self, lanes, tiles=1):
        """The lanes as kernels of many take them, in at least so many tiles."""
        return pack(lanes, self.data.classes, tiles, moves=False)

    def sums(self, loss, lanes):
        """The sums of the gradients (lanes, d + 1) and of the losses (lanes,)."""
        shape = lanes.weights.shape
        if self.by_classes(loss):
            return self.chunks.sums(joint_sums.joint_sums, (loss, lanes), [shape, shape[:1]], *self.tasks_of(lanes))
        if not self.add_at_once(lanes):
            kernel, tiles = multi_sums.multi_sums, self.tiles(lanes)
            return self.chunks.sums(kernel, (loss, tiles), [shape, shape[:1]], *self.tasks_of(lanes))
        sums, losses = np.empty((1, *shape)), np.empty((self.chunks.count, *shape[:1]))
        for chunk, part in self.chunks.parts():
            self.add_in_order(part, chunk, loss, lanes, sums, losses[chunk:])
        return sums[0], tree_sum(losses)

    def add_in_order(self, data, number, loss, lanes, sums, losses):
        """Add the gradients of the chunks of some data, the first of which has a number, to ``sums`` in their order."""
        tiles, (stride, n_threads) = self.tiles(lanes, self.n_threads), self.tasks_of(lanes)
        chunk, before = self.chunks.chunk, sums.copy() if number else None

        def task(k, first, last):
            own = type(tiles)(*(array[k : k + 1] for array in tiles))
            multi_sums.multi_sums(data, loss, own, chunk, first, last, sums, losses)

        def over(first, last):
            run_tasks(lambda k: task(k, first, last), len(tiles.lane), n_threads)

        count = -(-data.rows.shape[0] // chunk)
        if number:  # the kernel stores the sums of the first chunk of its data, and adds those of the others
            over(0, 1)
            sums += before
        for first in range(1 if number else 0, count, stride):
            over(first, min(first + stride, count))

    def add_at_once(self, lanes):
        """Whether the gradients of chunks would be large beside sparse rows: they are added up in order then."""
        rows, chunks = self.data.rows, self.chunks
        return rows.sparse and not (chunks.count > 1 and SHARE * chunks.count * lanes.weights.size < rows.stored)

    def by_classes(self, loss):
        """Whether passes are those of ``joint_sums``."""
        return loss.joint and not self.data.rows.sparse

    def second_derivatives(self, loss, lanes, model=0):
        """Of a joint loss, the rows' weights times the mean over the classes of the second derivatives in each score.

        (n,), of one model of the lanes: the weights of a matrix that all its classes share.
        """
        out = self.data.rows.room(self.data.shift.dtype)
        self.chunks.by_row(joint_curvature.second_derivatives, (loss, lanes, model), out, *self.tasks_of(lanes))
        return out

    def hessian(self, loss, lanes, model=0):
        """The sum of a joint loss's second derivatives in all weights of a model, over dense rows.

        (classes * (d + 1), classes * (d + 1)) float64; for few classes of few columns.
        """
        size = self.data.classes * (self.d + 1)
        return self.chunks.sums(hessians, (loss, lanes, model), [(size, size)])[0]

    def step(self, parts, lanes, rates, t):
        """A full-batch step: the objectives and the gradients' norms before it, (1, lanes)."""
        sums, losses = self.sums(parts.loss, lanes)
        objective, norm = np.empty((2, 1, len(lanes.weights)))
        full_batch.finish(self.data, parts, lanes, rates, t, sums[None], losses[None], objective, norm)
        return objective, norm

    def small_steps(self, parts, lanes, rates, t):
        """Full-batch steps over data of one chunk, one for each row of rates: objectives and norms (steps, lanes)."""
        objective, norm = np.empty((2, *rates.shape))
        if self.by_classes(parts.loss):
            joint_sums.joint_small_steps(self.data, parts, lanes, self.chunks.chunk, rates, t, objective, norm)
            return objective, norm
        tiles = pack(lanes, self.data.classes)
        multi_sums.multi_small_steps(self.data, parts, lanes, tiles, self.chunks.chunk, rates, t, objective, norm)
        return objective, norm

    def loss(self, loss, lanes):
        """The mean loss of each lane over the rows it trains on, (lanes,); without the penalty."""
        kernel, args = multi_sums.multi_losses, (loss, self.tiles(lanes))
        if self.by_classes(loss):
            kernel, args = joint_losses, (loss, lanes)
        shapes = [lanes.weights.shape[:1]]
        return self.chunks.sums(kernel, args, shapes, *self.tasks_of(lanes))[0] / self.data.count

    def held_loss(self, loss, lanes):
        """The weighted mean loss of each lane over the rows that its fold holds out, (lanes,).

        Of a joint loss the model's first lane has it, the others 0. A fold's lanes read its rows alone, some copied at
        a time: weighing all rows for all lanes took 30 times as long for 5 folds of 64 settings.
        """
        rows, lane = self.data.rows, lanes.weights.shape[:1]
        most = max(1, COPIED_NUMBERS * self.n // ((rows.stored + 1) * self.chunks.chunk))
        chunks = chunks_of(self.data, self.chunks.chunk << most.bit_length() - 1, self.n_threads)
        losses, weights = chunks.sums(held_losses, (loss, lanes), [lane, lane])
        return losses / weights

    def totals(self, lanes):
        """The sum of the row weights of each lane, without its scale, (lanes,)."""
        args, shapes = (self.tiles(lanes),), [lanes.weights.shape[:1]]
        return self.chunks.sums(multi_sums.multi_totals, args, shapes, *self.tasks_of(lanes))[0]


def held_losses(data, loss, lanes, chunk, first, last, losses, weights):
    """The losses and the weights (chunks, lanes) of the rows that each lane's fold holds out."""
    n = data.rows.shape[0]
    for fold in np.unique(lanes.fold):
        members = np.flatnonzero(lanes.fold == fold)
        alone = unweighted(type(lanes)(*(array[members] for array in lanes)))
        for c in range(first, last):
            rows = c * chunk + np.flatnonzero(data.roles[fold, c * chunk : min((c + 1) * chunk, n)] < 0)
            losses[c, members] = weights[c, members] = 0.0
            if rows.size:
                held = rows_of(data, rows)
                losses[c, members] = ManyPasses(held, 1).loss(loss, alone)
                weights[c, members] = held.weight.sum(dtype=np.float64) if held.weight.size else rows.size


def hessians(data, loss, lanes, model, chunk, first, last, out):
    """The Hessians of a joint loss over each of the chunks first to last."""
    n = data.rows.shape[0]
    for c in range(first, last):
        out[c] = joint_curvature.hessian(data, loss, lanes, model, c * chunk, min((c + 1) * chunk, n))


def joint_losses(data, loss, lanes, chunk, first, last, losses):
    """The losses (chunks, lanes) of a joint loss over the chunks first to last."""
    joint_sums.joint_sums(data, loss, lanes, chunk, first, last, np.empty((0, *lanes.weights.shape)), losses)
