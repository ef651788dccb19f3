"""The NumPy backend: the arithmetic of every solver once more, written as in a textbook, all in float64.

The standardised data are an array ``Z``, a gradient is ``Z.T @ slope / n``, a batch is ``Z[rows]``. It is slow and
needs the memory of a copy of X. The compiled kernels must give the same numbers.
"""

import math

import numpy as np

from ..parts.losses import of_rows
from ..parts.optimizers import decayed
from ..parts.penalties import Free
from .backend import Backend
from .base import Records
from .first_order import FirstOrder
from .newton import Newton
from .passes import penalty_costs
from .plan import lanes_at, lanes_with, unweighted
from .staged_sgd import FORGET, StagedSGD

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


class TextbookFullBatch(FirstOrder):
    """First-order steps on the array ``Z``, all rows or batches: an epoch at a time."""

    @classmethod
    def runs(cls, plan):
        """Full-batch plans; the recorded losses of batches are no objectives."""
        return plan.full

    def __init__(self, plan):
        super().__init__(plan)
        self.measured = TextbookPasses(plan.data, 1)
        self.rows = np.arange(len(self.measured.Z)) if plan.rows is None else plan.rows

    def advance(self, lanes, state, rates, clock, steps):
        """The steps left of an epoch, at most ``steps``, for all lanes."""
        plan, n, lanes, options = self.plan, len(self.rows), lanes_with(lanes, state), self.plan.options
        order = np.arange(n)
        if not plan.full:
            order = row_order(options.shuffle, options.random_state, clock.epoch, n, plan.batch)
        batches = [self.rows[order[first : first + plan.batch]] for first in range(0, len(order), plan.batch)]
        left = batches[clock.row // plan.batch :][:steps]
        table = np.broadcast_to(rates(clock.steps, len(left)), (len(left), len(lanes.weights)))
        loss_sum, before = np.zeros(len(lanes.weights)) + clock.loss_sum, lanes.weights.copy()
        broken = np.zeros(len(before), bool)
        for rows, rate in zip(left, table, strict=True):
            loss, gradient = self.measured.gradient(plan.parts.loss, lanes, rows)
            loss_sum += loss
            clock.steps += 1
            broken |= self.move(lanes, gradient / len(rows), rate, clock.steps, loss_sum)
        clock.row, clock.loss_sum = clock.row + sum(map(len, left)), loss_sum
        if clock.row < len(order):
            return Records(np.empty((0, len(loss_sum))), table[-1:], None, 0 * broken, broken)
        clock.epoch, clock.row, clock.loss_sum = clock.epoch + 1, 0, 0.0
        loss, norm = loss_sum / len(order), None
        if plan.full:
            loss = loss + penalty_costs(plan.parts.penalty, lanes._replace(weights=before))
            norm = np.array([[self.norm(lanes, lane, before, gradient / n) for lane in range(len(loss_sum))]])
            broken |= ~np.isfinite(loss)
        return Records(loss[None], table[-1:], norm, np.where(broken, 0, 1), broken)

    def move(self, lanes, gradients, rates, t, loss_sum):
        """A step of every lane; full batch, lanes that are not finite stay. Returns which are not finite."""
        joint = self.plan.data.classes
        finite = np.isfinite(gradients).all(axis=1) & np.isfinite(loss_sum)
        finite = np.repeat(finite.reshape(-1, joint).all(axis=1), joint)
        for lane in np.flatnonzero(finite) if self.plan.full else range(len(loss_sum)):
            self.step(lanes, lane, gradients[lane], float(rates[lane]), t)
        return ~finite

    def step(self, lanes, lane, g, rate, t):
        """Move a lane against the gradient ``g``, all but the intercept then by penalty and bounds."""
        parts = self.plan.parts
        optimizer, penalty = type(parts.optimizer)(*lanes.optimizer[lane]), type(parts.penalty)(*lanes.penalty[lane])
        w, average = lanes.weights[lane], lanes.averages[lane]
        d = len(w) - 1
        c, lanes.carry[lane] = optimizer.prepare(rate, t, tuple(lanes.carry[lane]))
        change, size, slots = optimizer.move(c, w, g, tuple(lanes.slots[lane].copy()))
        for slot, values in zip(lanes.slots[lane], slots, strict=True):
            slot[:] = values
        moved, size = decayed(optimizer, c, w) + change, np.broadcast_to(size, w.shape)
        w[d] += change[d]  # the intercept does not decay
        w[:d] = penalty.prox(moved[:d], size[:d], lanes.low[lane], lanes.high[lane])
        if average.size and t >= lanes.begin[lane]:
            average += (w - average) / (t - lanes.begin[lane] + 1)

    def norm(self, lanes, lane, before, gradients):
        """The norm of the objective's smallest subgradient at the weights ``before``."""
        penalty = type(self.plan.parts.penalty)(*lanes.penalty[lane])
        slope = penalty.slope(before[lane, :-1], gradients[lane, :-1], lanes.low[lane], lanes.high[lane])
        return np.linalg.norm([*slope, gradients[lane, -1]])


class TextbookBatches(TextbookFullBatch):
    """Batches: recorded losses are running means."""

    exact = False
    margin = 0.1

    @classmethod
    def runs(cls, plan):
        """Any plan."""
        return True


class TextbookDerivatives:
    """The derivatives for Newton's steps, from the array ``Z``; as ``newton.Derivatives``."""

    def __init__(self, plan):
        self.plan, self.measured = plan, TextbookPasses(plan.data, 1)

    def first(self, lanes):
        """The mean losses (lanes,) and their gradients (lanes, d + 1)."""
        with np.errstate(all="ignore"):
            losses, gradients = self.measured.gradient(self.plan.parts.loss, lanes, np.arange(len(self.measured.Z)))
        return losses / self.plan.data.count, gradients / self.plan.data.count

    def move(self, lanes, lane, gradient, damping):
        """The move (d + 1,) to the minimum of a lane's quadratic and penalty within its bounds; never shared."""
        Z, count, d = self.measured.Z, self.plan.data.count, len(gradient) - 1
        loss = type(self.plan.parts.loss)(*lanes.loss[lane])
        scores = Z @ lanes.weights[lane] + self.measured.offset
        second_derivative = loss.second_derivative(scores, self.measured.y[lanes.target[lane]])
        H = Z.T @ (Z * (second_derivative * self.measured.row_weights(lanes, lane))[:, None]) / count
        H = H + damping * np.diag(H).max() * np.eye(d + 1)
        penalty = type(self.plan.parts.penalty)(*lanes.penalty[lane])
        if isinstance(penalty, Free):
            return -np.linalg.pinv(H, rcond=1e-13, hermitian=True) @ gradient, False
        w, slope, steps = lanes.weights[lane].copy(), gradient.copy(), np.diag(H)
        for _ in range(2000):  # coordinate descent
            before = w.copy()
            for j in np.flatnonzero(steps > 0):
                z = w[j] - slope[j] / steps[j]
                if j < d:
                    z = penalty.prox(z, 1 / steps[j], lanes.low[lane, j], lanes.high[lane, j])
                slope += (z - w[j]) * H[j]
                w[j] = z
            if np.abs(w - before).max() <= 1e-12 * np.abs(w).max():
                break
        return w - lanes.weights[lane], False


class TextbookPasses:
    """Passes over all rows; as ``passes.Passes``."""

    def __init__(self, data, n_threads, many=False):
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

    def loss(self, loss, lanes):
        """The mean of weight * loss, (lanes,)."""
        return self.gradient(loss, lanes, np.arange(len(self.Z)))[0] / self.data.count

    def held_loss(self, loss, lanes):
        """The mean of weight * loss over the rows that each lane's fold holds out, (lanes,)."""
        return np.array([self._held_loss(loss, lanes, lane) for lane in range(len(lanes.weights))])

    def _held_loss(self, loss, lanes, lane):
        rows = np.flatnonzero(self.data.roles[lanes.fold[lane]] < 0)
        held = TextbookPasses(
            self.data._replace(
                rows=self.data.rows.take(rows),
                weight=self.weight[rows],
                offset=self.offset[rows],
                targets=self.data.targets[:, rows],
                count=self.weight[rows].sum(),
            ),
            1,
        )
        first = lane - lane % self.data.classes
        alone = unweighted(lanes_at(lanes, [first // self.data.classes], self.data.classes))
        return held.loss(loss, alone)[lane - first]

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


class TextbookStagedSteps:
    """The steps of a stage and its whitening, on the array ``Z``."""

    def __init__(self, plan):
        self.plan, self.passes = plan, TextbookPasses(plan.data, 1)
        self.rows = self.slice = len(self.order(0))
        self.loss = type(plan.parts.loss)(*plan.lanes.loss[0])

    def order(self, epoch):
        """The rows of an epoch."""
        options = self.plan.options
        return row_order(options.shuffle, options.random_state, epoch, len(self.passes.Z), self.plan.batch)

    def take(self, lanes, state, clock, rows, rates, t, loss_sum):
        """The steps at ``rates`` of the next ``rows`` rows, ``t`` behind the stage's start."""
        data, batch = self.passes, self.plan.batch
        order = self.order(clock.epoch)[clock.row : clock.row + rows]
        whitening, origin, position, mean = (a[0] for a in (state.whitening, state.origin, state.position, state.mean))
        for s, rate in enumerate(rates / batch):
            i = order[s * batch : (s + 1) * batch]
            z, weight, y = data.Z[i] @ whitening.T, data.weight[i], data.y[0, i]
            p = data.Z[i] @ origin + z @ position + data.offset[i]
            loss_sum += np.sum(weight * self.loss.value(p, y))
            reach = rate * weight * np.sum(z**2, axis=1)
            slopes = [implicit_slope(self.loss, *row) for row in zip(p, y, reach, strict=True)]
            position -= rate * (weight * slopes) @ z
            mean += (FORGET + 1) / (t + s + 1 + FORGET) * (position - mean)

    def whiten(self, lanes, weights, width, floor, share, out):
        """The whitening triangle at weights (D,), into ``out``: a coordinate that depends on others is left out."""
        data = self.passes
        p, y, n = data.Z @ weights + data.offset, data.y[0], self.plan.data.count
        h = width or np.sum(data.weight * abs(p - y)) / n
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


NUMPY = Backend(
    name="numpy",
    compiles=False,
    passes=TextbookPasses,
    derivatives=TextbookDerivatives,
    staged_steps=TextbookStagedSteps,
    first_order=(TextbookFullBatch, TextbookBatches),
    solvers=(Newton, StagedSGD, FirstOrder),
)
