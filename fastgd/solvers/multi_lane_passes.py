"""Passes over all rows for many lanes at once."""

import numpy as np

from ..kernels import full_batch, joint_curvature, joint_sums, multi_sums
from ..kernels.lanes import NO_ROLES
from ..kernels.layouts import frozen
from ..kernels.threads import run_tasks
from ..kernels.tiles import pack
from .plan import unweighted
from .reduction import ChunkedReduction

TASK_WORK = 1 << 23  # rows * columns * lanes: a millisecond, so that neither Ctrl-C nor the last thread takes long
COPIED_BYTES = 1 << 25  # of held-out rows
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
        self.data = data
        self.n, self.d = data.rows.shape
        self.chunk = multi_sums.chunk_rows(data.rows)
        self.reduction = ChunkedReduction(self.n, self.chunk, n_threads)
        self.chunks, self.n_threads = self.reduction.count, n_threads

    def tasks_of(self, lanes):
        """How many chunks a task takes, and how many threads run them."""
        work = self.chunk * (self.data.rows.stored // self.n + 1) * len(lanes.weights)
        return max(1, TASK_WORK // work), self.n_threads if work * self.chunks > SMALL_WORK else 1

    def over_chunks(self, lanes, run, together=True):
        """``run(tiles, first, last)`` over all chunks; or, not ``together``, over those of one tile in their order."""
        tiles = pack(lanes, self.data.classes, 1 if together else self.n_threads, moves=False)
        stride, n_threads = self.tasks_of(lanes)

        def tile_task(k, first):
            run(type(tiles)(*(array[k : k + 1] for array in tiles)), first, min(first + stride, self.chunks))

        if together:
            self.reduction.over(lambda first, last: run(tiles, first, last), stride, n_threads)
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
        if self.by_classes(loss):
            sums = np.empty((self.chunks, *lanes.weights.shape))
            return self.joint_sums(loss, lanes, sums, losses)
        few = not rows.sparse or (self.chunks > 1 and SHARE * self.chunks * lanes.weights.size < rows.stored)
        sums = np.empty((self.chunks if few else 1, *lanes.weights.shape))
        self.over_chunks(
            lanes,
            lambda tiles, a, b: multi_sums.multi_sums(self.data, loss, tiles, self.chunk, a, b, sums, losses),
            few,
        )
        return sums, losses

    def by_classes(self, loss):
        """Whether passes are those of ``joint_sums``."""
        return loss.joint and not self.data.rows.sparse

    def joint_sums(self, loss, lanes, sums, losses):
        """The two, filled."""
        stride, n_threads = self.tasks_of(lanes)
        self.reduction.over(
            lambda a, b: joint_sums.joint_sums(self.data, loss, lanes, self.chunk, a, b, sums, losses),
            stride,
            n_threads,
        )
        return sums, losses

    def second_derivatives(self, loss, lanes, model=0):
        """Of a joint loss, the rows' weights times the mean over the classes of the second derivatives in each score.

        (n,), of one model of the lanes: the weights of a matrix that all its classes share.
        """
        out = np.empty(self.n, self.data.shift.dtype)
        stride, n_threads = self.tasks_of(lanes)
        self.reduction.over(
            lambda a, b: joint_curvature.second_derivatives(self.data, loss, lanes, model, self.chunk, a, b, out),
            stride,
            n_threads,
        )
        return out

    def hessian(self, loss, lanes, model=0):
        """The sum of a joint loss's second derivatives in all weights of a model, over dense rows.

        (classes * (d + 1), classes * (d + 1)) float64; for few classes of few columns.
        """
        size = self.data.classes * (self.d + 1)
        return self.reduction.total(
            lambda lo, hi: [joint_curvature.hessian(self.data, loss, lanes, model, lo, hi)], [(size, size)]
        )[0]

    def step(self, parts, lanes, rates, t):
        """A full-batch step: the objectives and the gradients' norms before it, (1, lanes)."""
        sums, losses = self.sums(parts.loss, lanes)
        objective, norm = np.empty((2, 1, len(lanes.weights)))
        full_batch.finish(self.data, parts, lanes, rates, t, sums, losses, objective, norm)
        return objective, norm

    def small_steps(self, parts, lanes, rates, t):
        """Full-batch steps over data of one chunk, one for each row of rates: objectives and norms (steps, lanes)."""
        objective, norm = np.empty((2, *rates.shape))
        if self.by_classes(parts.loss):
            joint_sums.joint_small_steps(self.data, parts, lanes, self.chunk, rates, t, objective, norm)
            return objective, norm
        tiles = pack(lanes, self.data.classes)
        multi_sums.multi_small_steps(self.data, parts, lanes, tiles, self.chunk, rates, t, objective, norm)
        return objective, norm

    def loss(self, loss, lanes):
        """The mean loss of each lane over the rows it trains on, (lanes,); without the penalty."""
        losses = self.table(lanes)
        if self.by_classes(loss):
            self.joint_sums(loss, lanes, np.empty((0, *lanes.weights.shape)), losses)
        else:
            self.over_chunks(
                lanes, lambda tiles, a, b: multi_sums.multi_losses(self.data, loss, tiles, self.chunk, a, b, losses)
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
        self.over_chunks(lanes, lambda tiles, a, b: multi_sums.multi_totals(self.data, tiles, self.chunk, a, b, totals))
        return totals.sum(axis=0)
