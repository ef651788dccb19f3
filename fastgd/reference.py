"""The same calls in plain NumPy, plain enough to check by eye: what the compiled kernels must agree with.

Arguments are checked and every "auto" is resolved by the code that :func:`fastgd.fit` uses; the arithmetic is written
anew, the way a textbook does it: the standardised data are an array ``Z``, a gradient is ``Z.T @ slope / n``, a batch
is ``Z[rows]``, all in float64. It is slow and takes the memory of a copy of X.
"""

import inspect

import numpy as np

from .choose import prepared
from .drive import drive
from .fit import fit as compiled_fit
from .fit import report
from .lr_find import found
from .minimize import Rule
from .optimizers import decayed
from .results import MinimizeHistory, MinimizeResult
from .schedules import rates

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


# One model ----------------------------------------------------------------------------------------------------------


class Textbook:
    """Epochs of a linear model on the array ``Z``; the twin of the compiled loops, driven as they are.

    Weights and state are those of the plan's one lane: ``drive`` looks at them and puts them back.
    """

    def __init__(self, plan):
        self.plan, data, lanes = plan, plan.data, plan.lanes
        self.exact, self.margin = plan.full, 1e-6 if plan.full else 0.1
        measured = Measured(data, 1)
        self.Z, self.weight, self.y = measured.Z, measured.weight, data.targets[0].astype(np.float64)
        self.w, self.slots, self.carry, self.average = (
            getattr(lanes, name)[0] for name in ("weights", "slots", "carry", "averages")
        )
        self.low, self.high = lanes.low[0], lanes.high[0]
        self.rows = np.arange(len(self.Z)) if plan.rows is None else plan.rows

    def advance(self, clock, steps):
        """The steps left of an epoch, at most ``steps``; returns its record, and whether it went wrong."""
        plan, n = self.plan, len(self.rows)
        order = np.arange(n) if plan.full else row_order(plan.shuffle, plan.seed, clock.epoch, n, plan.batch)
        batches = [self.rows[order[first : first + plan.batch]] for first in range(0, len(order), plan.batch)]
        left = batches[clock.row // plan.batch :][:steps]
        met = float(np.sum(clock.met))
        before = self.w.copy()
        for rows in left:
            score = self.Z[rows] @ self.w
            loss = self.weight[rows] * plan.parts.loss.value(score, self.y[rows])
            slope = self.weight[rows] * plan.parts.loss.slope(score, self.y[rows])
            gradient = self.Z[rows].T @ slope / len(rows)
            met += np.sum(loss)
            clock.steps += 1
            rate = float(rates(plan.schedule, clock.steps - 1, 1, clock.factor)[0])
            self.step(gradient, rate, clock.steps)
        clock.row, clock.met = clock.row + sum(map(len, left)), np.array([met])
        if clock.row < len(order):
            return [], not np.isfinite(met)
        clock.epoch, clock.row, clock.met = clock.epoch + 1, 0, 0.0
        record = {"loss": met / len(order), "learning_rate": rate}
        if plan.full:
            record["loss"] += np.sum(np.broadcast_to(plan.parts.penalty.cost(before[:-1]), len(before) - 1))
            slope = plan.parts.penalty.slope(before[:-1], gradient[:-1], self.low, self.high)
            record["gradient_norm"] = np.linalg.norm([*slope, gradient[-1]])
        return [record], not np.isfinite(record["loss"])

    def step(self, g, rate, t):
        """Move against the gradient ``g``; then the proximal step of penalty and bounds, the intercept's apart."""
        optimizer, d = self.plan.parts.optimizer, len(self.w) - 1
        c, self.carry[:] = optimizer.prepare(rate, t, tuple(self.carry))
        change, size, slots = optimizer.move(c, self.w, g, tuple(self.slots.copy()))
        for slot, values in zip(self.slots, slots, strict=True):
            slot[:] = values
        w, size = decayed(optimizer, c, self.w) + change, np.broadcast_to(size, self.w.shape)
        self.w[d] += change[d]  # the intercept does not decay
        self.w[:d] = self.plan.parts.penalty.prox(w[:d], size[:d], self.low, self.high)
        begin = self.plan.lanes.begin[0]
        if self.average.size and t >= begin:
            self.average += (self.w - self.average) / (t - begin + 1)


class Measured:
    """What is asked about data in passes over all rows; the textbook's twin of ``passes.Passes``."""

    def __init__(self, data, n_threads):
        with np.errstate(all="ignore"):
            self.data, self.X = data, data.rows.values.astype(np.float64)
            Z = (self.X - data.shift) * data.inverse_scale
        self.weight = data.weight.astype(np.float64) if data.weight.size else np.ones(len(self.X))
        self.Z = np.column_stack([Z, np.full(len(Z), data.constant)])

    @staticmethod
    def lane_type(dtype):
        """The type of weights: float64 for data of any type."""
        return np.dtype(np.float64)

    def moments(self):
        """Weighted mean and variance of each column."""
        with np.errstate(all="ignore"):
            mean = np.average(self.X, axis=0, weights=self.weight)
            return mean, np.average((self.X - mean) ** 2, axis=0, weights=self.weight)

    def loss(self, loss, lanes):
        """The mean of weight * loss, (1,)."""
        values = self.weight * loss.value(self.Z @ lanes.weights[0], self.data.targets[0].astype(np.float64))
        return np.array([np.sum(values) / self.data.count])

    def curvature(self):
        """The largest eigenvalue of Z.T @ diag(weight) @ Z / n, the intercept's column of ones in Z."""
        Z = np.sqrt(self.weight)[:, None] * self.Z
        return np.linalg.norm(Z, 2) ** 2 / self.data.count if np.isfinite(Z).all() else np.nan

    def largest_row(self):
        """The largest weight * |row|**2."""
        return np.max(self.weight * np.sum(self.Z**2, axis=1))


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
    choice = prepared(given.arguments, measure=Measured)
    return report(choice, drive(choice.plan, Textbook(choice.plan), Measured), Measured)


fit.__signature__ = inspect.signature(compiled_fit)


# minimize -----------------------------------------------------------------------------------------------------------


def minimize(fun, x0, grad=None, optimizer="sgd", learning_rate=0.1, max_iter=100, tol=None, history=True):
    """:func:`fastgd.minimize` in plain NumPy, without compile, callback and verbose: the shortest loop.

    Examples
    --------
    >>> from fastgd import reference
    >>> o = reference.minimize(lambda x: (x - 3) ** 2 + 1, 10.0, lambda x: 2 * (x - 3), max_iter=30)
    >>> round(o.x, 4), round(o.fun, 4), o.status
    (3.0087, 1.0001, 'max_iter')
    """
    rule = Rule.checked(optimizer, learning_rate, max_iter)
    x = np.array(x0, float)

    def user(x):
        return x[()] if x.ndim == 0 else x.copy()  # NumPy's numbers overflow to infinity, Python's raise

    def gradient(x):
        g = differences(lambda z: fun(user(z)), x) if grad is None else grad(user(x))
        return np.asarray(g, float)

    value, g = float(fun(user(x))), gradient(x)
    xs, values, slots, carry = [x], [value], (0.0 * x,) * rule.optimizer.slots, (1.0, 1.0)
    zero, status = 1e-8 * max(1.0, np.abs(g).max()), "max_iter"
    with np.errstate(all="ignore"):
        for t in range(1, max_iter + 1):
            if tol is not None and np.abs(g).max() <= tol:
                break
            c, carry = rule.optimizer.prepare(float(rule.rates(t - 1, 1)[0]), t, carry)
            change, _, slots = rule.optimizer.move(c, x, g, slots)
            after = decayed(rule.optimizer, c, x) + change
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
    return found(X, y, start, stop, num, fit_options, Textbook, Measured)
