"""Passes over all rows, on several threads and with the same bits for any number of them."""

import math
from types import SimpleNamespace

import numpy as np

from ..kernels import column_statistics, curvature, full_batch
from ..kernels.lanes import make_lanes
from ..kernels.layouts import frozen
from ..parts.losses import SquaredError
from ..parts.penalties import Free
from .reduction import chunks_of
from .strengths import l1_of, l2_of

TASK_ELEMENTS = 1 << 21  # about a millisecond of work, so that neither Ctrl-C nor the last thread takes long
SMALL_ELEMENTS = 1 << 17  # below this a pass is over before a thread has started


class Passes:
    """One pass after another over ``data``, for one lane; ``n_threads`` run the chunks of each."""

    def __init__(self, data, n_threads):
        self.data, self.all_threads = data, n_threads
        self.n, self.d = data.rows.shape
        threads = n_threads if data.rows.stored > SMALL_ELEMENTS else 1
        self.chunks = chunks_of(data, full_batch.chunk_rows(data.rows), threads)
        self.stride = max(1, TASK_ELEMENTS * self.chunks.count // (data.rows.stored + 1))

    @staticmethod
    def lane_type(dtype):
        """The type of weights and state: the data's."""
        return dtype

    def many(self):
        """The passes of many lanes at once; imported when they are needed."""
        from .multi_lane_passes import ManyPasses

        return ManyPasses(self.data, self.all_threads)

    def moments(self):
        """Weighted mean and variance of each column, float64; non-finite where the column is."""
        totals = np.empty(self.chunks.count)
        means, squares = np.empty((2, self.chunks.count, self.d))
        self.chunks.by_chunk(column_statistics.moments, (), (totals, means, squares), self.stride)
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
        out = np.empty(self.chunks.count)
        self.chunks.by_chunk(column_statistics.largest_row, (), (out,), self.stride)
        return float(out.max())

    def row_squares(self):
        """The square of each scaled row (n,), the intercept's 1 included; weights do not count."""
        out = np.empty(self.n)
        chunks = chunks_of(self.data._replace(weight=self.data.weight[:0]), self.chunks.chunk, 1)
        chunks.by_row(row_squares, (), out, self.stride)
        return out

    def sums(self, loss, lanes):
        """The sums of the gradients (lanes, d + 1) and of the losses (lanes,)."""
        shape = lanes.weights.shape
        return self.chunks.sums(full_batch.chunk_sums, (loss, lanes), [shape, shape[:1]], self.stride)

    def scores(self, lanes):
        """The scores (n,) of the first lane at its weights, in the data's type."""
        out = self.data.rows.room(self.data.shift.dtype)
        self.chunks.by_row(curvature.scores, (lanes, 0), out, self.stride)
        return out

    def transposed(self, lanes, numbers):
        """The transposed rows times numbers (n,): (d + 1,). ``lanes`` is any lane of them."""
        one = lanes._replace(weights=np.zeros_like(lanes.weights), target=np.zeros(1, np.int64), loss=np.ones((1, 1)))
        data = self.data._replace(targets=frozen(numbers[None].astype(self.data.shift.dtype)))
        return Passes(data, self.all_threads).sums(full_batch.Carried(), one)[0][0]

    def step(self, parts, lanes, rates, t):
        """A full-batch step: the objective and the gradient's norm before it, (1, lanes)."""
        sums, losses = self.sums(parts.loss, lanes)
        objective, norm = np.empty((2, 1, lanes.weights.shape[0]))
        full_batch.finish(self.data, parts, lanes, rates, t, sums[None], losses[None], objective, norm)
        return objective, norm

    def small_steps(self, parts, lanes, rates, t):
        """Full-batch steps over data of one chunk, one for each row of rates: objectives and norms (steps, lanes)."""
        objective, norm = np.empty((2, *rates.shape))
        sums, losses = np.empty((1, *lanes.weights.shape)), np.empty((1, len(lanes.weights)))
        full_batch.small_steps(self.data, parts, lanes, rates, t, sums, losses, objective, norm)
        return objective, norm

    def loss(self, loss, lanes):
        """The mean loss of each lane at its weights, (lanes,); without the penalty."""
        return self.sums(loss, lanes)[1] / self.data.count

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
            vector = passes.sums(loss, lanes)[0][0] / self.data.count
            before, value = value, length(vector)
            # Not before the eighth: from a start close to another eigenvector, the first iterations change little.
            if not math.isfinite(value) or (k >= 8 and abs(value - before) <= 1e-4 * value):
                break
        return value


def row_squares(data, chunk, first, last, out):
    """The square of each row of the chunks first to last, (n,)."""
    lo, hi = first * chunk, min(last * chunk, data.rows.shape[0])
    column_statistics.largest_row(data, 1, lo, hi, out)


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
    passes, out = Passes(data, n_threads), data.rows.room(data.shift.dtype)
    if loss.joint:
        return passes.many().second_derivatives(loss, lanes)
    passes.chunks.by_row(curvature.second_derivatives, (loss, lanes, 0), out, passes.stride)
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
