"""The NumPy backend: the arithmetic of every solver once more, written as in a textbook, all in float64.

The standardised data are an array ``Z``, a gradient is ``Z.T @ slope / n``, a batch is ``Z[rows]``. It is slow and
needs the memory of a copy of X. The compiled kernels must give the same numbers.
"""

import math

import numpy as np

from ..parts.losses import of_rows
from ..parts.optimizers import decayed
from .backend import Backend
from .batches import Batches
from .first_order import FirstOrder
from .full_batch import FullBatch
from .kinked import Kinked
from .multi_lane_passes import rows_of
from .passes import penalty_costs
from .plan import unweighted
from .quasi_newton import QuasiNewton
from .staged_sgd import FORGET, StagedSGD
from .strengths import l1_of, l2_of

# Row order --------------------------------------------------------------------------------------------------------

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
BLOCK, WINDOW = 32, 4  # rows a block, blocks a window


def mix(x):
    """splitmix64's finaliser (Steele, Lea and Flood 2014)."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def below(key, counter, bound):
    """A random integer in [0, bound)."""
    return ((mix((key + (counter + 1) * GOLDEN) & MASK) >> 32) * bound) >> 32


def stream(seed, epoch, purpose):
    """The key of an independent stream of random numbers."""
    return mix(mix((seed + purpose * GOLDEN) & MASK) ^ mix((epoch + GOLDEN) & MASK))


def shuffled(items, key):
    """The items in random order (Fisher and Yates)."""
    items = list(items)
    for i in range(len(items) - 1, 0, -1):
        j = below(key, i, i + 1)
        items[i], items[j] = items[j], items[i]
    return items


def row_order(shuffle, seed, epoch, n, batch):
    """The rows of an epoch in the order they are used, a function of (seed, epoch) alone."""
    if shuffle is False:
        return np.arange(n)
    if shuffle == "full":
        return np.array(shuffled(range(n), stream(seed, epoch, 0)))
    if shuffle == "replacement":
        return np.concatenate([drawn(batch, n, stream(seed, epoch, 16 + k)) for k in range(-(-n // batch))])
    return np.array(shuffled_blocks(seed, epoch, n))


def shuffled_blocks(seed, epoch, n):
    """Blocks of rows in random order, the rows shuffled within each window of blocks; the short block comes last."""
    count = -(-n // BLOCK)
    blocks = shuffled(range(count), stream(seed, epoch, 0))
    short = blocks.index(count - 1)
    blocks[short], blocks[-1] = blocks[-1], blocks[short]
    rows = []
    for w, first in enumerate(range(0, count, WINDOW)):
        window = [i for b in blocks[first : first + WINDOW] for i in range(b * BLOCK, min((b + 1) * BLOCK, n))]
        rows += shuffled(window, stream(seed, epoch, w + 16))
    return rows


def drawn(size, n, key):
    """``size`` distinct rows of n (Floyd 1987: a row drawn before is replaced by the last of those allowed)."""
    rows = []
    for k in range(size):
        last = n - size + k
        row = below(key, k, last + 1)
        rows.append(last if row in rows else row)
    return rows


def drawn_counts(seed, replicate, n):
    """How often a bootstrap replicate draws each row: Poisson(1) counts from the rows' random numbers."""
    key = stream(seed, replicate, 1 << 40)
    uniform = np.array([mix((key + (i + 1) * GOLDEN) & MASK) >> 11 for i in range(n)]) / 2.0**53
    cumulative = np.cumsum([np.exp(-1.0) / math.factorial(k) for k in range(19)])
    return np.searchsorted(cumulative, uniform, side="right")


# The models ---------------------------------------------------------------------------------------------------------


class TextbookFullBatch(FullBatch):
    """Full-batch steps on the array ``Z``, one a slice."""

    def steps_at_once(self, lanes):
        """One."""
        return 1

    def steps(self, lanes, rates, t):
        """A step at rates (1, lanes): objectives and gradients' norms before it; lanes that are not finite stay."""
        data, parts, joint = self.passes, self.plan.parts, self.plan.data.classes
        rows = np.arange(len(data.Z)) if self.plan.rows is None else self.plan.rows
        losses, gradients = data.gradient(parts.loss, lanes, rows)
        gradients = gradients / len(rows)
        objective = losses / len(rows) + penalty_costs(parts.penalty, lanes, self.plan.data)
        norm = np.array([subgradient_norm(parts, lanes, lane, g, self.plan.data) for lane, g in enumerate(gradients)])
        finite = np.isfinite(objective + norm).reshape(-1, joint).all(axis=1)
        for lane in np.flatnonzero(np.repeat(finite, joint)):
            step(parts, lanes, lane, gradients[lane], float(rates[0, lane]), t, self.plan.data)
        return objective[None], norm[None]


class TextbookBatches(Batches):
    """Steps of batches of the array ``Z``: an epoch is a slice."""

    buffers = None  # all rows of a source are in ``Z``

    def __init__(self, plan):
        super().__init__(plan)
        self.slice, self.passes = self.rows, plan.passes(plan.data)
        self.trained = np.arange(self.n) if plan.rows is None else plan.rows

    def order(self, epoch, row, count):
        """The rows at ``count`` positions of an epoch from ``row`` on, twice."""
        options = self.plan.options
        order = row_order(options.shuffle, options.random_state, epoch, self.n, self.plan.batch)
        return (self.trained[order[row : row + count]],) * 2

    def steps(self, lanes, state, rows, ahead, rates, t, loss_sum):
        """A step for every batch of ``rows`` at rates (steps, lanes) from step ``t`` on; adds to ``loss_sum``."""
        parts, batch = self.plan.parts, self.plan.batch
        batches = [rows[first : first + batch] for first in range(0, len(rows), batch)]
        table = np.broadcast_to(rates, (len(batches), len(loss_sum)))
        for s, (some, own) in enumerate(zip(batches, table, strict=True)):
            losses, gradients = self.passes.gradient(parts.loss, lanes, some)
            loss_sum += losses
            for lane, gradient in enumerate(gradients / len(some)):
                step(parts, lanes, lane, gradient, float(own[lane]), t + s, self.plan.data)


def first_order(plan):
    """The loop of first-order steps: the recorded losses of batches are no objectives."""
    return TextbookFullBatch if plan.full else TextbookBatches


def step(parts, lanes, lane, g, rate, t, data):
    """Move a lane against the gradient ``g``, all but the intercept then by penalty and bounds."""
    optimizer, penalty = type(parts.optimizer)(*lanes.optimizer[lane]), type(parts.penalty)(*lanes.penalty[lane])
    w, average = lanes.weights[lane], lanes.averages[lane]
    d = len(w) - 1
    c, lanes.carry[lane] = optimizer.prepare(rate, t, tuple(lanes.carry[lane]))
    change, size, slots = optimizer.move(c, w, g, tuple(lanes.slots[lane].copy()))
    for slot, values in zip(lanes.slots[lane], slots, strict=True):
        slot[:] = values
    moved, size = decayed(optimizer, c, w) + change, np.broadcast_to(size, w.shape)
    w[d] += change[d]  # the intercept does not decay
    w[:d] = penalty.prox(moved[:d], size[:d], lanes.low[lane], lanes.high[lane], data.factors, np.arange(d))
    if average.size and t >= lanes.begin[lane]:
        average += (w - average) / (t - lanes.begin[lane] + 1)


def subgradient_norm(parts, lanes, lane, gradient, data):
    """The norm of the smallest subgradient of a lane's objective, whose loss has the given gradient."""
    penalty = type(parts.penalty)(*lanes.penalty[lane])
    penalty = penalty._replace(l1=l1_of(data, penalty.l1), l2=l2_of(data, penalty.l2))
    slope = penalty.slope(lanes.weights[lane, :-1], gradient[:-1], lanes.low[lane], lanes.high[lane])
    return np.linalg.norm([*slope, gradient[-1]])


class TextbookPasses:
    """Passes over all rows; as ``passes.Passes``."""

    def __init__(self, data, n_threads):
        with np.errstate(all="ignore"):
            self.data, self.X = data, data.rows.array()
            Z = (self.X - data.shift) * data.inverse_scale
        self.weight = data.weight.astype(np.float64) if data.weight.size else np.ones(len(self.X))
        self.offset = data.offset.astype(np.float64) if data.offset.size else np.zeros(len(self.X))
        self.Z, self.y = np.column_stack([Z, np.full(len(Z), data.constant)]), data.targets.astype(np.float64)

    @staticmethod
    def lane_type(dtype):
        """The type of weights: float64 for data of any type."""
        return np.dtype(np.float64)

    def many(self):
        """The same."""
        return self

    def moments(self):
        """Weighted mean and variance of each column."""
        with np.errstate(all="ignore"):
            mean = np.average(self.X, axis=0, weights=self.weight)
            return mean, np.average((self.X - mean) ** 2, axis=0, weights=self.weight)

    def gradient(self, loss, lanes, rows):
        """The sums over rows of weight * loss (lanes,) and of weight * slope * z (lanes, d + 1)."""
        losses, gradients = np.zeros(len(lanes.weights)), np.zeros(lanes.weights.shape)
        for first in range(0, len(losses), self.data.classes):
            model = slice(first, first + self.data.classes)  # one lane, or the classes of a joint loss
            part = type(loss)(*lanes.loss[first])
            weight, y = self.row_weights(lanes, first)[rows], self.y[lanes.target[first], rows]
            scores = self.Z[rows] @ lanes.weights[model].T + self.offset[rows, None]
            if loss.joint:
                values, slopes = of_rows(part, scores, y)
            else:
                values, slopes = part.value(scores[:, 0], y), part.slope(scores[:, 0], y)[:, None]
            losses[first] = np.sum(weight * values)
            gradients[model] = (weight[:, None] * slopes).T @ self.Z[rows]
        return losses, gradients

    def row_weights(self, lanes, lane):
        """The weights of all rows for a lane."""
        weight = self.weight * lanes.scale[lane]
        if lanes.fold[lane] >= 0:
            weight = weight * np.maximum(self.data.roles[lanes.fold[lane]], 0)
        if lanes.replicate[lane] >= 0:
            weight = weight * drawn_counts(self.data.seed, int(lanes.replicate[lane]), len(weight))
        return weight

    def totals(self, lanes):
        """The sums of the row weights of each lane, (lanes,)."""
        return np.array([self.row_weights(lanes, lane).sum() for lane in range(len(lanes.weights))])

    def sums(self, loss, lanes):
        """The sums over all rows of the gradients (lanes, d + 1) and of the losses (lanes,)."""
        losses, gradients = self.gradient(loss, lanes, np.arange(len(self.Z)))
        return gradients, losses

    def scores(self, lanes):
        """The scores of the first lane."""
        return self.Z @ lanes.weights[0] + self.offset

    def transposed(self, lanes, numbers):
        """The transposed rows times numbers."""
        return self.Z.T @ numbers

    def hessian(self, loss, lanes):
        """The sum over all rows of a joint loss's second derivatives in all weights (classes * (d + 1), flat)."""
        found = joint_second_derivatives(type(loss)(*lanes.loss[0]), self.Z @ lanes.weights.T, self.y[lanes.target[0]])
        size = lanes.weights.size
        return np.einsum("n,nkc,ni,nj->kicj", self.weight, found, self.Z, self.Z).reshape(size, size)

    def loss(self, loss, lanes):
        """The mean of weight * loss, (lanes,)."""
        return self.gradient(loss, lanes, np.arange(len(self.Z)))[0] / self.data.count

    def held_loss(self, loss, lanes):
        """The mean of weight * loss over the rows that each lane's fold holds out, (lanes,)."""
        found = np.empty(len(lanes.weights))
        for fold in np.unique(lanes.fold):
            held = TextbookPasses(rows_of(self.data, np.flatnonzero(self.data.roles[fold] < 0)), 1)
            members = lanes.fold == fold
            found[members] = held.loss(loss, unweighted(lanes))[members] / held.weight.sum()
        return found

    def curvature(self):
        """The largest eigenvalue of Z.T @ diag(weight) @ Z / n, the intercept's column of ones in Z."""
        Z = np.sqrt(self.weight)[:, None] * self.Z
        return np.linalg.norm(Z, 2) ** 2 / self.data.count if np.isfinite(Z).all() else np.nan

    def largest_row(self):
        """The largest weight * |row|**2."""
        return np.max(self.weight * np.sum(self.Z**2, axis=1))


# Stages of implicit steps in whitened coordinates -------------------------------------------------------------------


def implicit_slope(loss, p, y, reach):
    """The slope ``s = loss.slope(p - reach * s, y)``, as precisely as the kernels find it."""
    first = loss.slope(p, y)
    if first == 0 or not np.isfinite(reach * first):
        return first

    def off(share):
        return share - loss.slope(p - reach * share * first, y) / first

    low, below, high, above = 0.0, -1.0, 1.0, off(1.0)
    if above < 0.05:
        return first
    for _ in range(12):
        if above < np.inf and (low == 0 or high < 4 * low):
            share = (low * above - high * below) / (above - below)
        else:
            share = np.sqrt(max(low, 1e-6 * high) * high)
        now = off(share)
        if abs(now) <= 0.05 * share:
            return share * first
        low, below, high, above = (share, now, high, above) if now < 0 else (low, below, share, now)
        if high - low <= 0.05 * high:
            break
    return low * first


class TextbookStagedSteps(TextbookBatches):
    """The steps of a stage and its whitening, on the array ``Z``."""

    @property
    def loss(self):
        """The loss with the plan's settings."""
        return type(self.plan.parts.loss)(*self.plan.lanes.loss[0])

    def take(self, lanes, state, clock, rows, rates, t, loss_sum):
        """The steps at ``rates`` of the next ``rows`` rows, ``t`` behind the stage's start."""
        data, batch, loss = self.passes, self.plan.batch, self.loss
        order, _ = self.order(clock.epoch, clock.row, rows)
        whitening, origin, position, mean = (a[0] for a in (state.whitening, state.origin, state.position, state.mean))
        for s, rate in enumerate(rates / batch):
            i = order[s * batch : (s + 1) * batch]
            z, weight, y = data.Z[i] @ whitening.T, data.weight[i], data.y[0, i]
            p = data.Z[i] @ origin + z @ position + data.offset[i]
            loss_sum += np.sum(weight * loss.value(p, y))
            reach = rate * weight * np.sum(z**2, axis=1)
            slopes = [implicit_slope(loss, *row) for row in zip(p, y, reach, strict=True)]
            position -= rate * (weight * slopes) @ z
            mean += (FORGET + 1) / (t + s + 1 + FORGET) * (position - mean)

    def whiten(self, lanes, weights, width, floor, share, out):
        """The whitening triangle at weights (D,), into ``out``: a coordinate that depends on others is left out."""
        data = self.passes
        p, y, n = data.Z @ weights + data.offset, data.y[0], self.plan.data.count
        h = width or np.sum(data.weight * abs(p - y)) / n
        if not width:
            h = min(h, 10 * np.median(abs(p - y)[data.weight > 0])) or h
        second_derivatives = (self.loss.slope(p + h, y) - self.loss.slope(p - h, y)) / (2 * h)
        mean = np.sum(data.weight * second_derivatives) / n
        second_derivatives = np.maximum(second_derivatives, floor * mean) if 0 < mean < np.inf else np.ones(len(p))
        H = (data.Z.T * (data.weight * second_derivatives)) @ data.Z / n
        kept = []
        for j in range(len(H)):
            if H[j, j] - H[j, kept] @ np.linalg.solve(H[np.ix_(kept, kept)], H[kept, j]) > share * H[j, j]:
                kept.append(j)
        out[:] = 0.0
        out[np.ix_(kept, kept)] = np.linalg.inv(np.linalg.cholesky(H[np.ix_(kept, kept)]))


def second_derivatives(data, loss, lanes, n_threads):
    """The rows' weights times the loss's second derivative at the weights of the first of ``lanes``, (n,).

    Of a joint loss, the mean over the classes, by differences of the slopes.
    """
    passes, part = TextbookPasses(data, n_threads), type(loss)(*lanes.loss[0])
    y = passes.y[lanes.target[0]]
    if not loss.joint:
        return passes.weight * part.second_derivative(passes.Z @ lanes.weights[0] + passes.offset, y)
    return (
        passes.weight
        * np.einsum("nkk->n", joint_second_derivatives(part, passes.Z @ lanes.weights.T, y)).clip(0)
        / data.classes
    )


def joint_second_derivatives(loss, scores, y, h=1e-5):
    """The second derivatives (n, classes, classes) of a joint loss at scores (n, classes), by central differences."""
    steps = h * np.eye(scores.shape[1])
    found = [(of_rows(loss, scores + step, y)[1] - of_rows(loss, scores - step, y)[1]) / (2 * h) for step in steps]
    return np.stack(found, axis=1)


NUMPY = Backend(
    name="numpy",
    compiles=False,
    passes=TextbookPasses,
    second_derivatives=second_derivatives,
    staged_steps=TextbookStagedSteps,
    first_order=first_order,
    solvers=(QuasiNewton, Kinked, StagedSGD, FirstOrder),
)
