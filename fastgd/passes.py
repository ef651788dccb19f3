"""Passes over all rows, on several threads and with the same bits for any number of them."""

import math

import numpy as np

from . import losses, optimizers, penalties
from .checks import frozen
from .kernels import full_batch
from .kernels.lanes import Parts, lanes_of
from .threads import run_tasks

TASK_ELEMENTS = 1 << 21  # about a millisecond of work: Ctrl-C and a lagging thread wait no longer
SMALL_ELEMENTS = 1 << 17  # below this a pass is over before a thread has started


class Passes:
    """One pass after another over ``data``; ``n_threads`` run the chunks of each."""

    def __init__(self, data, n_threads):
        self.data = data
        self.n, self.d = data.rows.values.shape
        self.chunk = full_batch.chunk_rows(self.n, self.d)
        self.chunks = -(-self.n // self.chunk)
        self.n_threads = n_threads if self.n * self.d > SMALL_ELEMENTS else 1

    def over_chunks(self, run):
        """``run(first, last)`` over all chunks, in tasks of about a millisecond."""
        stride = max(1, TASK_ELEMENTS // (self.chunk * self.d))

        def task(k):
            with np.errstate(all="ignore"):  # for kernels run as plain Python; a setting of each thread
                run(k * stride, min((k + 1) * stride, self.chunks))

        run_tasks(task, -(-self.chunks // stride), self.n_threads)

    def moments(self):
        """Weighted mean and variance of each column, float64; non-finite where the column is."""
        totals = np.empty(self.chunks)
        means, squares = np.empty((2, self.chunks, self.d))
        self.over_chunks(lambda a, b: full_batch.moments(self.data, self.chunk, a, b, totals, means, squares))
        with np.errstate(all="ignore"):
            share = totals / totals.sum()
            mean = share @ means
            # Chan, Golub and LeVeque 1983: within the chunks, and between them.
            return mean, squares.sum(axis=0) / totals.sum() + share @ (means - mean) ** 2

    def largest_row(self):
        """The largest weight * |row|**2 of the scaled rows, the intercept's 1 included."""
        out = np.empty(self.chunks)
        self.over_chunks(lambda a, b: full_batch.largest_row(self.data, self.chunk, a, b, out))
        return float(out.max())

    def sums(self, parts, lanes):
        """Chunk sums of the gradient (chunks, lanes, width) and of the losses (chunks, lanes)."""
        # The sums depend on the loss alone: one compiled kernel serves all optimizers and penalties.
        parts = Parts(parts.loss, optimizers.Sgd(), penalties.Free())
        sums = np.empty((self.chunks, *lanes.weights.shape))
        losses_ = np.empty((self.chunks, lanes.weights.shape[0]))
        self.over_chunks(lambda a, b: full_batch.chunk_sums(self.data, parts, lanes, self.chunk, a, b, sums, losses_))
        return sums, losses_

    def step(self, parts, lanes, rates, t):
        """One full-batch step (a rate of 0 moves nothing): the objective and the gradient's norm before it, (lanes,)."""
        sums, losses_ = self.sums(parts, lanes)
        objective, norm = np.empty((2, lanes.weights.shape[0]))
        full_batch.finish(self.data, parts, lanes, rates, t, sums, losses_, objective, norm)
        return objective, norm

    def curvature(self, iterations=40):
        """The largest eigenvalue of the scaled rows' second-moment matrix, by power iteration, 5 % added.

        A product with that matrix is the gradient of half the squared predictions: the kernel of a fit, on targets
        of zero. The iteration comes from below; gradient descent has a factor of 2 in hand.
        """
        parts = Parts(losses.SquaredError(), optimizers.Sgd(), penalties.Free())
        dtype, nowhere = self.data.shift.dtype, np.zeros(self.d)
        probe = lanes_of(parts, dtype, 1, nowhere, nowhere)
        passes = Passes(self.data._replace(targets=frozen(np.zeros((1, self.n), dtype))), self.n_threads)
        vector = np.random.default_rng(0).standard_normal(self.d + 1)
        scale = np.append(self.data.inverse_scale, 1.0)
        value = 0.0
        for _ in range(iterations):
            vector /= np.linalg.norm(vector) or 1.0
            probe.weights[0, : self.d + 1] = vector
            vector = passes.sums(parts, probe)[0].sum(axis=0)[0, : self.d + 1] / self.n * scale
            before, value = value, float(np.linalg.norm(vector))
            if not math.isfinite(value) or abs(value - before) <= 1e-3 * value:
                break
        return 1.05 * value
