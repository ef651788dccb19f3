"""The same calls in plain NumPy, plain enough to check by eye: what the compiled kernels must agree with.

Arguments are checked and every "auto" is resolved by the code that :func:`fastgd.fit` uses; the arithmetic is written
anew, the way a textbook does it: the standardised data are an array ``Z``, a gradient is ``Z.T @ slope / n``, a batch
is ``Z[rows]``, all in float64. It is slow and takes the memory of a copy of X.
"""

import inspect
import math
import time
from dataclasses import replace

import numpy as np

from .choose import prepared
from .drive import RETREAT, RETREATS, ROUNDING, Clock, Outcome
from .fit import fit as compiled_fit
from .fit import report
from .minimize import Rule
from .optimizers import decayed
from .progress import EpochProgress
from .results import MinimizeHistory, MinimizeResult

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


class Model:
    """A linear model on the array ``Z``, with its optimizer's state."""

    def __init__(self, plan):
        (X, y), data, lanes = (plan.data.rows.values, plan.data.targets[0]), plan.data, plan.lanes
        self.loss, self.optimizer, self.penalty = plan.parts
        self.n, self.d = X.shape
        self.w = lanes.weights[0].astype(np.float64)
        Z = (X.astype(np.float64) - data.shift) * data.inverse_scale
        self.Z = np.column_stack([Z, np.full(self.n, data.constant)])
        self.y = y.astype(np.float64)
        self.weight = data.weight.astype(np.float64) if data.weight.size else np.ones(self.n)
        self.low, self.high = lanes.low[0].astype(np.float64), lanes.high[0].astype(np.float64)
        self.slots = tuple(np.zeros((self.optimizer.slots, self.w.size)))
        self.carry = (1.0, 1.0)
        self.average, self.begin = 0.0 * self.w, lanes.begin[0] if lanes.averages.size else None

    @property
    def state(self):
        """All that a step changes; arrays are replaced and never written."""
        return self.w, self.slots, self.carry

    @state.setter
    def state(self, state):
        self.w, self.slots, self.carry = state

    def data_loss(self, rows):
        """The mean of weight * loss over the rows."""
        return np.mean(self.weight[rows] * self.loss.value(self.Z[rows] @ self.w, self.y[rows]))

    def objective(self):
        """What is minimised: the mean loss of the data plus the penalty."""
        return float(self.data_loss(slice(None)) + self.penalty_cost())

    def penalty_cost(self):
        """The penalty of the weights without the intercept."""
        return np.sum(np.broadcast_to(self.penalty.cost(self.w[: self.d]), self.d))

    def gradient(self, rows):
        """The gradient of ``data_loss``."""
        Z = self.Z[rows]
        slope = self.weight[rows] * self.loss.slope(Z @ self.w, self.y[rows])
        return Z.T @ slope / len(Z)

    def step(self, g, rate, t):
        """Move against the gradient ``g``; then the proximal step of penalty and bounds, the intercept's apart."""
        c, self.carry = self.optimizer.prepare(rate, t, self.carry)
        change, size, self.slots = self.optimizer.move(c, self.w, g, self.slots)
        w, size, d = decayed(self.optimizer, c, self.w) + change, np.broadcast_to(size, self.w.shape), self.d
        w[d] = self.w[d] + change[d]  # the intercept does not decay
        self.w = np.append(self.penalty.prox(w[:d], size[:d], self.low, self.high), w[d:])
        if self.begin is not None and t >= self.begin:
            self.average = self.average + (self.w - self.average) / (t - self.begin + 1)


class Measured:
    """What "auto" asks about the data; the textbook's twin of ``passes.Passes``."""

    def __init__(self, data, n_threads):
        self.X = data.rows.values.astype(np.float64)
        self.weight = data.weight.astype(np.float64) if data.weight.size else np.ones(len(self.X))
        Z = (self.X - data.shift) * data.inverse_scale
        self.Z = np.column_stack([Z, np.full(len(Z), data.constant)])

    def moments(self):
        """Weighted mean and variance of each column."""
        with np.errstate(all="ignore"):
            mean = np.average(self.X, axis=0, weights=self.weight)
            return mean, np.average((self.X - mean) ** 2, axis=0, weights=self.weight)

    def curvature(self):
        """The largest eigenvalue of Z.T @ diag(weight) @ Z / n, the intercept's column of ones in Z."""
        Z = np.sqrt(self.weight)[:, None] * self.Z
        return np.linalg.norm(Z, 2) ** 2 / len(Z) if np.isfinite(Z).all() else np.nan

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
    model = Model(choice.plan)
    with np.errstate(all="ignore"):
        outcome = descend(choice.plan, model)
    return replace(report(choice, outcome), _objective=model.objective)


fit.__signature__ = inspect.signature(compiled_fit)


def epoch(model, plan, number, t, factor=1.0):
    """The steps of an epoch, the next of them step ``t``; returns the number of steps taken and the epoch's record."""
    full = plan.batch == model.n
    order = np.arange(model.n) if full else row_order(plan.shuffle, plan.seed, number, model.n, plan.batch)
    batches = [order[start : start + plan.batch] for start in range(0, len(order), plan.batch)]
    if plan.max_steps is not None:
        batches = batches[: plan.max_steps - t + 1]
    met = model.penalty_cost() if full else 0.0
    for k, rows in enumerate(batches):
        met += model.data_loss(rows) * len(rows) / len(order)
        g = model.gradient(rows)
        rate = float(plan.schedule.rate(float(t + k)) * factor)
        model.step(g, rate, t + k)
    return len(batches), {"loss": met, "learning_rate": rate, "gradient_norm": np.linalg.norm(g) if full else np.nan}


def descend(plan, model):
    """Epoch after epoch; between them the checks for divergence, for the tolerance, and the callback."""
    full = plan.batch == model.n
    margin = 1e-6 if full else 0.1  # a running mean of losses met is noisy
    limit = math.inf if plan.max_steps is None else plan.max_steps
    first, start = model.state, model.objective()
    zero = (ROUNDING * np.finfo(plan.lanes.weights.dtype).eps) ** 2 * abs(start)
    began, records, steps, retreats, best, stalls, status = time.perf_counter(), [], 0, 0, math.inf, 0, None

    def above_start(loss):
        before = records[0]["loss"] if full and records else min([start, *(record["loss"] for record in records[:1])])
        return loss > before + margin * abs(before) + zero

    def risen():
        return model.objective() > start * (1 + 1e-6) + zero

    def settled():
        small = max(0.1 * records[0]["gradient_norm"], 1e-5 * np.sqrt(abs(best)))
        return not plan.settle or not full or records[-1]["gradient_norm"] <= small

    def doubtful():
        if full:
            return steps > 0 and (len(records) < 2 or records[-1]["loss"] > records[-2]["loss"])
        return steps % math.ceil(model.n / plan.batch) > 0

    def end():
        # Twice: momentum may carry the weights away again from where the loss was zero.
        if plan.tol is not None and records[1:] and max(record["loss"] for record in records[-2:]) <= zero:
            return "converged", "The loss is zero to rounding."
        if plan.tol is not None and stalls >= plan.patience and settled():
            return "converged", f"The loss fell by less than tol={plan.tol:g} of itself, {stalls} epochs in a row."
        if len(records) < plan.epochs and steps < limit:
            return None, ""
        if (records and above_start(records[-1]["loss"])) or (doubtful() and risen()):
            return "diverged", "The loss ended above its start."
        return "max_epochs", f"All {plan.epochs} epochs or {limit} steps are done."

    try:
        while status is None:
            ended, reason = end()
            before = model.state
            if ended is None:
                taken, record = epoch(model, plan, len(records), steps + 1, RETREAT**retreats)
                failed = not np.isfinite(record["loss"] + model.w.sum())
                worse = failed or above_start(record["loss"])
            else:
                worse = not full and risen()
            if worse and plan.automatic_rate and retreats < RETREATS:
                # The automatic rate was too large: begin anew with a tenth.
                model.state, records, steps, best, stalls, retreats = first, [], 0, math.inf, 0, retreats + 1
            elif ended:
                status = ended
            elif failed:
                model.state = before
                status, reason = "diverged", f"The loss or a weight became infinite or NaN after epoch {len(records)}."
            else:
                steps += taken
                if taken < math.ceil(model.n / plan.batch):
                    continue  # max_steps ended the epoch
                seconds = time.perf_counter() - began
                records.append(
                    {**record, "seconds": seconds, "objective": model.objective() if plan.evaluate else np.nan}
                )
                fall = best - record["loss"]
                stalls = stalls + 1 if (abs(fall) if full else fall) < (plan.tol or 0.0) * abs(best) else 0
                best = min(best, record["loss"])
                seen = EpochProgress(len(records), steps, float(record["loss"]), record["learning_rate"], seconds)
                if plan.callback is not None and plan.callback(seen):
                    status, reason = "early_stopped", f"The callback returned True after epoch {len(records)}."
    except KeyboardInterrupt:
        status, reason = "interrupted", f"Ctrl-C after {steps} steps."
    return Outcome(model.w[None], records, Clock(epoch=len(records), steps=steps), status, reason, retreats)


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
            c, carry = rule.optimizer.prepare(float(rule.schedule.rate(float(t))), t, carry)
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
