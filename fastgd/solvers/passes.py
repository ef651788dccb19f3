"""Passes over all rows, on several threads and with the same bits for any number of them."""

import math
from types import SimpleNamespace

import numpy as np

from ..kernels import column_statistics, curvature, full_batch
from ..kernels.lanes import make_lanes
from ..kernels.layouts import frozen
from ..parts.losses import SquaredError
from ..parts.penalties import Free
from .reduction import ChunkedReduction
from .strengths import l1_of, l2_of

TASK_ELEMENTS = 1 << 21  # about a millisecond of work, so that neither Ctrl-C nor the last thread takes long
SMALL_ELEMENTS = 1 << 17  # below this a pass is over before a thread has started


class Passes:
    """One pass after another over ``data``, for one lane; ``n_threads`` run the chunks of each."""

    def __init__(self, data, n_threads):
        self.data, self.all_threads = data, n_threads
        self.n, self.d = data.rows.shape
        self.chunk = full_batch.chunk_rows(data.rows)
        threads = n_threads if data.rows.stored > SMALL_ELEMENTS else 1
        self.reduction = ChunkedReduction(self.n, self.chunk, threads)
        self.chunks = self.reduction.count

    @staticmethod
    def lane_type(dtype):
        """The type of weights and state: the data's."""
        return dtype

    def many(self):
        """The passes of many lanes at once; imported when they are needed."""
        from .multi_lane_passes import ManyPasses

        return ManyPasses(self.data, self.all_threads)

    def over_chunks(self, run):
        """``run(first, last)`` over all chunks, in tasks of about a millisecond."""
        self.reduction.over(run, max(1, TASK_ELEMENTS * self.chunks // (self.data.rows.stored + 1)))

    def moments(self):
        """Weighted mean and variance of each column, float64; non-finite where the column is."""
        totals = np.empty(self.chunks)
        means, squares = np.empty((2, self.chunks, self.d))
        self.over_chunks(lambda a, b: column_statistics.moments(self.data, self.chunk, a, b, totals, means, squares))
        with np.errstate(all="ignore"):
            total = totals.sum()
            share = totals / total
            # Not a product of matrices: the bits of those depend on BLAS's threads. In place: columns may be millions.
            mean = np.einsum("k,kj->j", share, means)
            # Chan, Golub and LeVeque 1983: within the chunks, and between them.
            variance = squares.sum(axis=0)
            variance /= total
            means -= mean
            means *= means
            variance += np.einsum("k,kj->j", share, means)
            return mean, variance

    def largest_row(self):
        """The largest weight * |row|**2 of the scaled rows, the intercept's 1 included."""
        out = np.empty(self.chunks)
        self.over_chunks(lambda a, b: column_statistics.largest_row(self.data, self.chunk, a, b, out))
        return float(out.max())

    def row_squares(self):
        """The square of each scaled row (n,), the intercept's 1 included; weights do not count."""
        data, out = self.data._replace(weight=self.data.weight[:0]), np.empty(self.n)
        column_statistics.largest_row(data, 1, 0, self.n, out)
        return out

    def sums(self, loss, lanes):
        """Each chunk's sums of the gradients (chunks, lanes, d + 1) and of the losses (chunks, lanes)."""
        sums = np.empty((self.chunks, *lanes.weights.shape))
        losses = np.empty((self.chunks, lanes.weights.shape[0]))
        self.over_chunks(lambda a, b: full_batch.chunk_sums(self.data, loss, lanes, self.chunk, a, b, sums, losses))
        return sums, losses

    def scores(self, lanes):
        """The scores (n,) of the first lane at its weights, in the data's type."""
        out = np.empty(self.n, self.data.shift.dtype)
        self.over_chunks(lambda a, b: curvature.scores(self.data, lanes, 0, self.chunk, a, b, out))
        return out

    def transposed(self, lanes, numbers):
        """The transposed rows times numbers (n,): (d + 1,). ``lanes`` is any lane of them."""
        one = lanes._replace(weights=np.zeros_like(lanes.weights), target=np.zeros(1, np.int64), loss=np.ones((1, 1)))
        data = self.data._replace(targets=frozen(numbers[None].astype(self.data.shift.dtype)))
        sums, losses = np.empty((self.chunks, 1, self.d + 1)), np.empty((self.chunks, 1))
        loss = full_batch.Carried()
        self.over_chunks(lambda a, b: full_batch.chunk_sums(data, loss, one, self.chunk, a, b, sums, losses))
        return sums.sum(axis=0)[0]

    def step(self, parts, lanes, rates, t):
        """A full-batch step: the objective and the gradient's norm before it, (1, lanes)."""
        sums, losses = self.sums(parts.loss, lanes)
        objective, norm = np.empty((2, 1, lanes.weights.shape[0]))
        full_batch.finish(self.data, parts, lanes, rates, t, sums, losses, objective, norm)
        return objective, norm

    def small_steps(self, parts, lanes, rates, t):
        """Full-batch steps over data of one chunk, one for each row of rates: objectives and norms (steps, lanes)."""
        objective, norm = np.empty((2, *rates.shape))
        sums, losses = np.empty((1, *lanes.weights.shape)), np.empty((1, len(lanes.weights)))
        full_batch.small_steps(self.data, parts, lanes, rates, t, sums, losses, objective, norm)
        return objective, norm

    def loss(self, loss, lanes):
        """The mean loss of each lane at its weights, (lanes,); without the penalty."""
        return self.sums(loss, lanes)[1].sum(axis=0) / self.data.count

    def curvature(self, iterations=40):
        """The largest eigenvalue of the scaled rows' second-moment matrix, by power iteration, a lower estimate.

        Its product with a vector is the gradient of half the squared scores.
        """
        dtype = self.data.shift.dtype
        targets = frozen(np.zeros((1, self.n), dtype))
        passes = Passes(self.data._replace(targets=targets, offset=targets[0, :0]), self.all_threads)
        loss, lanes = SquaredError(), lane_of(np.zeros(self.d + 1), dtype)
        vector, value = np.random.default_rng(0).standard_normal(self.d + 1), 0.0
        for k in range(iterations):
            lanes.weights[0] = vector / (length(vector) or 1.0)
            vector = passes.sums(loss, lanes)[0].sum(axis=0)[0] / self.data.count
            before, value = value, length(vector)
            # Not before the eighth: from a start close to another eigenvector, the first iterations change little.
            if not math.isfinite(value) or (k >= 8 and abs(value - before) <= 1e-4 * value):
                break
        return value


def lane_of(weights, dtype):
    """A lane of squares without a penalty at some weights (d + 1,)."""
    parts = {"loss": SquaredError(), "optimizer": None, "penalty": Free(), "fold": -1, "replicate": -1}
    ends = np.zeros(0, dtype)
    lane = make_lanes([SimpleNamespace(**parts, low=ends, high=ends, start=np.zeros(1), coef=None)], dtype)
    return lane._replace(weights=weights[None].astype(dtype))


def second_derivatives(data, loss, lanes, n_threads):
    """The rows' weights times the loss's second derivative at the weights of the first of ``lanes``, (n,).

    Of a joint loss, the mean over the classes.
    """
    passes, out = Passes(data, n_threads), np.empty(data.rows.shape[0], data.shift.dtype)
    if loss.joint:
        return passes.many().second_derivatives(loss, lanes)
    passes.over_chunks(lambda a, b: curvature.second_derivatives(data, loss, lanes, 0, passes.chunk, a, b, out))
    return out


def length(vector):
    """The Euclidean norm, also where the squares of the entries overflow or are zero."""
    with np.errstate(all="ignore"):
        largest = np.abs(vector).max()
        scaled = vector / (largest or 1.0)
        # Not by BLAS: its threads wait busily, and took 26 ms of 2e5 numbers.
        return float(largest * np.sqrt(np.einsum("i,i->", scaled, scaled)))


def penalty_costs(penalty, lanes, data):
    """The penalty of each lane's weights, (lanes,), without the intercept; the fields of ``penalty`` are the lanes'."""
    if type(penalty) is Free:
        return np.zeros(len(lanes.weights))
    weights = lanes.weights[:, :-1].astype(np.float64, copy=False)
    fields = type(penalty)(*lanes.penalty.astype(np.float64).T[:, :, None])
    if data.factors.size:
        fields = fields._replace(l1=l1_of(data, fields.l1), l2=l2_of(data, fields.l2))
    with np.errstate(all="ignore"):
        return fields.cost(weights).sum(axis=1)
