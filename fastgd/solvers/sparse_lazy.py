"""Batches of sparse rows: which steps update only the columns of their rows, and the work of a slice of them."""

import math
import warnings

import numpy as np

from ..kernels import hogwild_merge, lazy, sparse_loop
from ..kernels.threads import run_tasks
from ..parts.penalties import FactoredNet, Free
from ..wording import level_outside
from .batches import SLICE_COLUMNS, Batches
from .data_statistics import curvature_of
from .full_batch import ROW_OVERHEAD

SLICE_NUMBERS = 1 << 22
CURVATURE_ROWS = 16_384
MANY_COLUMNS = 10_000  # with so many columns, steps that move all of them cause a warning
EXACT = "SGD, AdaGrad (with L2 at a constant rate) and, without a penalty, momentum and Nesterov's"
DRIFTS = {"momentum": lazy.MomentumDrift, "nesterov": lazy.NesterovDrift}


def loop(plan):
    """The loop for batches of sparse rows and one lane."""
    if plan.options.parallel is not None:
        return Hogwild
    return EagerSparseBatches if zero_gradient_update(plan) is None else LazyBatches


def zero_gradient_update(plan):
    """The closed form of steps on a weight without a gradient, a class of ``kernels.lazy``; None if there is none."""
    optimizer, penalty, model = plan.parts.optimizer, plan.parts.penalty, plan.models[0]
    free, averaged, d = type(penalty) is Free, plan.lanes.averages.size > 0, plan.data.shift.size
    l1, l2 = (0.0, 0.0) if free else (float(model.penalty.l1), float(model.penalty.l2))
    form, decays = optimizer.zero_gradient, optimizer.decays
    if plan.options.lazy or (free and form in ("sgd", "adagrad") and not decays):
        return lazy.NoDrift()
    if type(penalty) is FactoredNet:
        return None
    if form == "sgd" and not (l1 or bounded(plan)):
        return lazy.Decay()
    if averaged:
        return None
    if form == "sgd":
        return lazy.ElasticNetShrinkage(np.zeros(d))
    if form == "adagrad" and not decays and (l2 == 0 or model.schedule.steady):
        return lazy.AdagradShrinkage(np.zeros(d), float(model.optimizer.epsilon), l1, l2, rate=1.0)
    if form in DRIFTS and free and not decays:
        beta = float(model.optimizer.beta)
        return DRIFTS[form](np.zeros(d, np.int64), beta, math.log(beta) if beta else -math.inf)
    return None


def bounded(plan):
    """Whether any coefficient has a bound."""
    low, high = plan.lanes.low, plan.lanes.high
    return type(plan.parts.penalty) is not Free and bool((low > -np.inf).any() or (high < np.inf).any())


def warn_of_columns(plan):
    """Warn where every step moves all of very many columns."""
    d = plan.data.shift.size
    if d >= MANY_COLUMNS:
        name = type(plan.parts.optimizer).__name__.lower()
        warnings.warn(
            f"Every step of {name!r} with these settings moves all {d} columns of X, whatever its rows hold. Pass "
            f"lazy=True to move only the columns of the rows (the running means of the others do not change meanwhile, "
            f"as in PyTorch's SparseAdam: another path to about the same optimum), or choose an optimizer that moves "
            f"only these and takes exactly the same steps: {EXACT}.",
            UserWarning,
            stacklevel=level_outside(),
        )


class EagerSparseBatches(Batches):
    """Mini-batches and single rows of sparse rows, one lane: every step moves all columns."""

    def __init__(self, plan):
        super().__init__(plan)
        if plan.parts.optimizer.by_row and plan.batch == 1:
            given = "bounds" if bounded(plan) else "an L1 penalty"
            raise ValueError(
                f"average with {given} is not for single steps on sparse rows: leave one of them out, or pass a "
                "batch_size of 2 or more."
            )
        warn_of_columns(plan)


class LazyBatches(Batches):
    """Mini-batches and single rows of sparse rows, one lane."""

    def __init__(self, plan):
        super().__init__(plan)
        data, d = plan.data, plan.data.shift.size
        mean = data.rows.stored / data.rows.shape[0]
        rows = max(SLICE_NUMBERS / (mean + ROW_OVERHEAD), SLICE_COLUMNS * d / max(mean, 1.0))
        self.slice = max(1, int(rows) // plan.batch) * plan.batch
        size = 0 if plan.batch == 1 else d
        low, high = (plan.lanes.low[0], plan.lanes.high[0]) if bounded(plan) else (None, None)
        self.columns = sparse_loop.LazyColumns(
            update=zero_gradient_update(plan),
            scale=data.inverse_scale if (data.inverse_scale != 1).any() else None,
            low=low,
            high=high,
            factors=data.factors,
            counted=np.zeros(d) if plan.lanes.averages.size else None,
            last_batch=np.zeros(size, np.int64),
            gradient=np.zeros(size),
            touched=np.zeros(size, np.uint32),
        )

    def steps(self, lanes, state, rows, ahead, rates, t, loss_sum):
        """A step for every batch of ``rows`` at rates (steps, lanes) from step ``t`` on; adds to ``loss_sum``."""
        columns, update = self.columns, self.columns.update
        if isinstance(update, lazy.AdagradShrinkage):
            columns = columns._replace(update=update._replace(rate=float(rates[0, 0])))
        if t == 1 and isinstance(update, (lazy.MomentumDrift, lazy.NesterovDrift)):
            lanes.slots[:, 0] = lanes.weights  # no displacement before the first step
        if isinstance(update, lazy.NesterovDrift):  # from the state of steps on dense rows to its own
            last = lanes.slots[:, :, :-1]
            last[:, 0] -= lanes.carry[:, :1] * last[:, 1]
            last[:, 1] = 0
        self.take(columns, lanes, rows, ahead, rates, t, loss_sum)

    def take(self, columns, lanes, rows, ahead, rates, t, loss_sum):
        """The steps, by the kernel for the size of a batch."""
        data, parts, batch = self.data, self.plan.parts, self.plan.batch
        if batch == 1:
            sparse_loop.row_steps(data, parts, lanes, columns, rows, ahead, rates, t, loss_sum)
        else:
            sparse_loop.batch_steps(data, parts, lanes, columns, rows, ahead, batch, rates, t, loss_sum)


class Hogwild(LazyBatches):
    """Steps of several threads at once, without locks: each on its own copy of the weights, merged after a slice.

    Threads that share the weights (Recht, Re, Wright and Niu 2011) are slower where these fit the cache of a core: half
    of the cache lines that a row touches were last written by the other thread. 200,000 x 200,000, 75 numbers a row,
    Zipf's columns, ns a row while two threads ran at once: one thread 214 in float64 and 160 in float32; two that share
    the weights 853 and 857 each, 807 and 839 without an intercept.

    The rule by which copies are merged (``kernels/hogwild_merge.py``) matters. Loss after 5 epochs at rate 0.1, of one
    thread 0.1085: of two and four copies 0.102 and 0.100; with the mean 0.129 and 0.163; with the mean over the copies
    that moved the weight 0.126 and 0.157; with the sum 3.5 and 1e23.
    """

    def __init__(self, plan):
        super().__init__(plan)
        optimizer = plan.parts.optimizer
        # The merge adds states up: there is none, or it is a sum.
        mergeable = optimizer.zero_gradient == "adagrad" or (optimizer.zero_gradient == "sgd" and not optimizer.slots)
        unchanged = isinstance(self.columns.update, lazy.NoDrift) and not optimizer.decays
        if not (mergeable and unchanged) or plan.lanes.averages.size:
            raise ValueError(
                "parallel='hogwild' needs an optimizer whose steps do not change a weight without a gradient: sgd or "
                "adagrad, without a penalty and average. Leave these out, or pass lazy=True with a penalty."
            )
        count, lanes = plan.options.n_threads, plan.lanes
        self.slice *= count
        work = {name: getattr(self.columns, name) for name in ("last_batch", "gradient", "touched")}
        self.columns_of = [  # of each thread
            self.columns._replace(**{name: array.copy() for name, array in work.items()}) for _ in range(count)
        ]
        self.copies = np.empty((count, *lanes.weights.shape), lanes.weights.dtype)
        self.states = np.empty((count, *lanes.slots.shape), lanes.slots.dtype)
        self.copied = None  # the weights that the copies start from
        self.sizes = curvatures(plan)

    def take(self, columns, lanes, rows, ahead, rates, t, loss_sum):
        """The steps, a share for each thread."""
        batch, steps, count = self.plan.batch, -(-len(rows) // self.plan.batch), len(self.columns_of)
        edges = np.linspace(0, steps, count + 1).astype(int)
        loss_sums, carries = np.zeros((count, 1)), [lanes.carry.copy() for _ in self.columns_of]
        if self.copied is not lanes.weights:
            self.copies[:], self.states[:], self.copied = lanes.weights, lanes.slots, lanes.weights

        def task(k):
            first, last = edges[k], edges[k + 1]
            some = slice(first * batch, min(last * batch, len(rows)))
            own = rates if len(rates) == 1 else np.ascontiguousarray(rates[first:last])
            mine = lanes._replace(weights=self.copies[k], slots=self.states[k], carry=carries[k])
            super(Hogwild, self).take(self.columns_of[k], mine, rows[some], ahead[some], own, t + first, loss_sums[k])

        run_tasks(task, count, count)
        loss_sum += loss_sums.sum(axis=0)
        merged = self.copies, self.states, self.sizes, steps, float(rates[-1, 0]), t + steps - 1
        hogwild_merge.merge(self.plan.parts, lanes, columns, *merged)


def curvatures(plan):
    """The second derivative of the objective in each coefficient, (d + 1,) float64, on a sample of the rows."""
    data, model = plan.data, plan.models[0]
    n = data.rows.shape[0]
    chosen = np.arange(0, n, max(1, n // CURVATURE_ROWS))
    some = data.rows.take(chosen if plan.rows is None else plan.rows[chosen % len(plan.rows)])
    squares = np.bincount(some.indices, some.values.astype(np.float64) ** 2, data.shift.size) * data.inverse_scale**2.0
    second_derivative = curvature_of(
        plan.parts.loss, data, data.targets[plan.lanes.target[0]], model.start[0], model.residual_rms[0]
    )
    return np.append(squares / some.shape[0], data.constant**2) * second_derivative
