"""The same calls in plain NumPy, plain enough to check by eye: what the compiled kernels must agree with.

Arguments are checked and every "auto" is resolved by the code that :func:`fastgd.fit` uses; the arithmetic is written
anew, the way a textbook does it: the standardised data are an array ``Z``, a gradient is ``Z.T @ slope / n``, a batch
is ``Z[rows]``, all in float64. It is slow and takes the memory of a copy of X.
"""

import inspect
import math

import numpy as np

from .functions.problem import one_gradient
from .functions.run import RunSettings
from .linear.fit import fit as compiled_fit
from .linear.fit import fitted
from .linear.lr_find import found
from .linear.sweep import sweep as compiled_sweep
from .linear.sweep import swept
from .parts.optimizers import decayed
from .parts.penalties import Free
from .results.fit_result import MinimizeHistory, MinimizeResult
from .solvers.first_order import Epochs
from .solvers.newton import Newton
from .solvers.passes import penalty_costs
from .solvers.plan import lanes_at
from .solvers.staged_sgd import FORGET, Stages

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


class Textbook:
    """Epochs of linear models on the array ``Z``; the twin of the compiled loops, driven as they are."""

    def __init__(self, plan):
        self.plan = plan
        self.exact, self.margin = plan.full, 1e-6 if plan.full else 0.1
        self.measured = Measured(plan.data, 1)
        self.rows = np.arange(len(self.measured.Z)) if plan.rows is None else plan.rows

    def advance(self, lanes, rates, clock, steps):
        """The steps left of an epoch, at most ``steps``, for all lanes."""
        plan, n = self.plan, len(self.rows)
        order = np.arange(n) if plan.full else row_order(plan.shuffle, plan.seed, clock.epoch, n, plan.batch)
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
            return Epochs(np.empty((0, len(loss_sum))), table[-1:], None, 0 * broken, broken)
        clock.epoch, clock.row, clock.loss_sum = clock.epoch + 1, 0, 0.0
        loss, norm = loss_sum / len(order), None
        if plan.full:
            loss = loss + penalty_costs(plan.parts.penalty, lanes._replace(weights=before))
            norm = np.array([[self.norm(lanes, lane, before, gradient / n) for lane in range(len(loss_sum))]])
            broken |= ~np.isfinite(loss)
        return Epochs(loss[None], table[-1:], norm, np.where(broken, 0, 1), broken)

    def move(self, lanes, gradients, rates, t, loss_sum):
        """A step of every lane; full batch, those that are not finite stay where they are. Which are not."""
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


class Differentiated:
    """The derivatives that Newton's steps are made of, from the array ``Z``; the twin of ``newton.Derivatives``."""

    def __init__(self, plan):
        self.plan, self.measured = plan, Measured(plan.data, 1)

    def first(self, lanes):
        """The mean losses (lanes,) and their gradients (lanes, d + 1)."""
        with np.errstate(all="ignore"):
            losses, gradients = self.measured.gradient(self.plan.parts.loss, lanes, np.arange(len(self.measured.Z)))
        return losses / self.plan.data.count, gradients / self.plan.data.count

    def move(self, lanes, lane, gradient, damping):
        """The move (d + 1,) to the minimum of the parabola of a lane, of its penalty within its bounds; not shared."""
        Z, count, d = self.measured.Z, self.plan.data.count, len(gradient) - 1
        loss = type(self.plan.parts.loss)(*lanes.loss[lane])
        second_derivative = loss.second_derivative(Z @ lanes.weights[lane], self.measured.y[lanes.target[lane]])
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


class Measured:
    """What is asked about data in passes over all rows; the textbook's twin of ``passes.Passes``."""

    def __init__(self, data, n_threads, many=False):
        with np.errstate(all="ignore"):
            self.data, self.X = data, data.rows.array()
            Z = (self.X - data.shift) * data.inverse_scale
        self.weight = data.weight.astype(np.float64) if data.weight.size else np.ones(len(self.X))
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
            scores = self.Z[rows] @ lanes.weights[model].T
            scores = scores if loss.joint else scores[:, 0]
            losses[first] = np.sum(weight * part.value(scores, y))
            slopes = (part.slope(scores, y) * weight.reshape(-1, *[1] * loss.joint)).reshape(len(weight), -1)
            gradients[model] = slopes.T @ self.Z[rows]
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
        """The mean of weight * loss over what each lane's fold holds out, (lanes,)."""
        return np.array([self._held_loss(loss, lanes, lane) for lane in range(len(lanes.weights))])

    def _held_loss(self, loss, lanes, lane):
        rows = np.flatnonzero(self.data.roles[lanes.fold[lane]] < 0)
        held = Measured(
            self.data._replace(
                rows=self.data.rows.take(rows),
                weight=self.weight[rows],
                targets=self.data.targets[:, rows],
                count=self.weight[rows].sum(),
            ),
            1,
        )
        first = lane - lane % self.data.classes
        alone = lanes_at(lanes, [first // self.data.classes], self.data.classes)
        alone.fold[:], alone.scale[:] = -1, 1.0
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
    """The slope ``s = loss.slope(p - reach * s, y)``, as nearly as the kernels find it."""
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


class TextbookSteps:
    """What a stage asks of the data, on the array ``Z``."""

    def __init__(self, plan):
        self.plan, self.passes = plan, Measured(plan.data, 1)
        self.rows = self.slice = len(self.order(0))
        self.loss = type(plan.parts.loss)(*plan.lanes.loss[0])

    def order(self, epoch):
        """The rows of an epoch."""
        plan = self.plan
        return row_order(plan.shuffle, plan.seed, epoch, len(self.passes.Z), plan.batch)

    def take(self, lanes, book, clock, rows, rates, t, loss_sum):
        """The steps at ``rates`` of the next ``rows`` rows, ``t`` behind the stage's beginning."""
        data, batch = self.passes, self.plan.batch
        order = self.order(clock.epoch)[clock.row : clock.row + rows]
        for s, rate in enumerate(rates / batch):
            i = order[s * batch : (s + 1) * batch]
            z, weight, y = data.Z[i] @ book.triangle.T, data.weight[i], data.y[0, i]
            p = data.Z[i] @ book.anchor + z @ book.place
            loss_sum += np.sum(weight * self.loss.value(p, y))
            reach = rate * weight * np.sum(z**2, axis=1)
            slopes = [implicit_slope(self.loss, *row) for row in zip(p, y, reach, strict=True)]
            book.place -= rate * (weight * slopes) @ z
            book.mean += (FORGET + 1) / (t + s + 1 + FORGET) * (book.place - book.mean)

    def whiten(self, lanes, weights, width, floor, share, out):
        """The whitening triangle at weights (D,), into ``out``: a coordinate that follows from others is left out."""
        data = self.passes
        p, y, n = data.Z @ weights, data.y[0], self.plan.data.count
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


class TextbookStages(Stages):
    """The twin of the compiled stages: the same decisions between other steps."""

    engine = TextbookSteps


def textbook(plan):
    """The work that fits a plan."""
    if plan.method == "newton":
        return Newton(plan, Differentiated)
    return TextbookStages(plan) if plan.method == "stages" else Textbook(plan)


# fit ----------------------------------------------------------------------------------------------------------------


def fit(*arguments, **options):
    """:func:`fastgd.fit` in plain NumPy: the same arguments, meaning and result.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import reference
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> r = reference.fit(X, np.array([1.0, 3.0, 5.0, 7.0]))
    >>> r.coef.round(3), round(r.intercept, 3)
    (array([2.]), 1.0)
    """
    given = inspect.signature(compiled_fit).bind(*arguments, **options)
    given.apply_defaults()
    return fitted(given.arguments, textbook, Measured)


fit.__signature__ = inspect.signature(compiled_fit)


def sweep(*arguments, **options):
    """:func:`fastgd.sweep` in plain NumPy: the same arguments, meaning and result.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import reference
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> s = reference.sweep(X, np.array([1.0, 3.0, 5.0, 7.0]), learning_rate=[0.1, 10.0], epochs=100)
    >>> s.status
    ['slow', 'diverged']
    """
    given = inspect.signature(compiled_sweep).bind(*arguments, **options)
    given.apply_defaults()
    rest = given.arguments.pop("options")
    return swept(**given.arguments, options=rest, work=textbook, measure=Measured, fit=fit)


sweep.__signature__ = inspect.signature(compiled_sweep)


# minimize -----------------------------------------------------------------------------------------------------------


def minimize(fun, x0, grad=None, *, jac=None, optimizer="sgd", learning_rate=0.1, max_iter=100, tol=None, history=True):
    """:func:`fastgd.minimize` in plain NumPy, without compile, callback and verbose: the shortest loop.

    Examples
    --------
    >>> from fastgd import reference
    >>> o = reference.minimize(lambda x: (x - 3) ** 2 + 1, 10.0, lambda x: 2 * (x - 3), max_iter=30)
    >>> round(o.x, 4), round(o.fun, 4), o.status
    (3.0087, 1.0001, 'max_iter')
    """
    _, grad = one_gradient(grad, jac)
    settings = RunSettings.checked(optimizer, learning_rate, max_iter)
    optimizer, x = settings.optimizer, np.array(x0, float)
    if grad is True:
        both = fun
        fun, grad = (lambda x: both(x)[0]), (lambda x: both(x)[1])

    def user(x):
        return x[()] if x.ndim == 0 else x.copy()  # NumPy's numbers overflow to infinity, Python's raise

    def gradient(x):
        g = differences(lambda z: fun(user(z)), x) if grad is None else grad(user(x))
        return np.asarray(g, float)

    value, g = float(fun(user(x))), gradient(x)
    xs, values, slots, carry = [x], [value], (0.0 * x,) * optimizer.slots, (1.0, 1.0)
    zero, status = 1e-8 * max(1.0, np.abs(g).max()), "max_iter"
    with np.errstate(all="ignore"):
        for t in range(1, max_iter + 1):
            if tol is not None and np.abs(g).max() <= tol:
                break
            c, carry = optimizer.prepare(float(settings.rates(t - 1, 1)[0]), t, carry)
            change, _, slots = optimizer.move(c, x, g, slots)
            after = decayed(optimizer, c, x) + change
            value = float(fun(user(after)))
            if not np.isfinite(value + np.sum(after)):
                status = "diverged"
                break
            x = after
            g = gradient(x)
            xs.append(x)
            values.append(value)
    if values[-1] > values[0] + 1e-12 * abs(values[0]):
        status = "diverged"
    elif status == "max_iter" and np.abs(g).max() <= max(zero, tol or 0.0):
        status = "converged"
    course = MinimizeHistory(np.array(xs), np.array(values)) if history else None
    x, g = (float(a) if a.ndim == 0 else a for a in (x, g))
    return MinimizeResult(x, values[-1], g, len(xs) - 1, status, f"After {len(xs) - 1} iterations.", course)


def differences(f, x):
    """Central differences of ``f``, one coordinate at a time."""
    steps = np.cbrt(np.finfo(float).eps) * np.maximum(1.0, np.abs(x))
    columns = np.eye(x.size).reshape(x.size, *x.shape)
    slopes = [(f(x + h * e) - f(x - h * e)) / (2 * h) for h, e in zip(np.atleast_1d(steps), columns, strict=True)]
    return np.reshape(slopes, x.shape)


# lr_find ------------------------------------------------------------------------------------------------------------


def lr_find(X, y, start="auto", stop="auto", num=100, **fit_options):
    """:func:`fastgd.lr_find` in plain NumPy: the same arguments, meaning and result.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import reference
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> f = reference.lr_find(X, np.array([1.0, 3.0, 5.0, 7.0]))
    >>> f.status, 0.01 < f.suggestion() < 0.5
    ('found', True)
    """
    return found(X, y, start, stop, num, fit_options, textbook, Measured)
