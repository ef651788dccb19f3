"""Batches of sparse rows: which steps touch only the columns of their rows, and the work of a slice of them."""

import math
import warnings

import numpy as np

from ..kernels import copies, lazy, sparse_loop
from ..kernels.threads import run_tasks
from ..parts import optimizers
from ..parts.penalties import Free
from .batches import SLICE_COLUMNS, Batches
from .data_statistics import curvature_of
from .full_batch import ROW_OVERHEAD

SLICE_NUMBERS = 1 << 22
CURVATURE_ROWS = 16_384
MANY_COLUMNS = 10_000  # from here on a step of all columns is worth a warning
EXACT = "SGD, AdaGrad (with L2 at a constant rate) and, without a penalty, momentum and Nesterov's"


# Whose steps without a gradient leave a weight as it is, but for what decays.
PLAIN = optimizers.Sgd, optimizers.Sgdw, *optimizers.BY_ROW


def applies(plan):
    """Whether a plan is of batches of sparse rows and one lane."""
    return plan.data.rows.sparse and not plan.full and not plan.many


def rest_of(plan):
    """What steps do to a weight without a gradient, one of ``kernels.lazy``; None where that has no closed form."""
    optimizer, penalty, model = plan.parts.optimizer, plan.parts.penalty, plan.models[0]
    free, averaged, d = type(penalty) is Free, plan.lanes.averages.size > 0, plan.data.shift.size
    l1, l2 = (0.0, 0.0) if free else (float(model.penalty.l1), float(model.penalty.l2))
    plain = type(optimizer) in PLAIN
    if plan.options.lazy or (free and (type(optimizer) is optimizers.Adagrad or (plain and not optimizer.decays))):
        return lazy.Still()
    if plain:
        if not (l1 or bounded(plan)):
            return lazy.Decaying()
        return None if averaged else lazy.Shrinking(np.zeros(d))
    if type(optimizer) is optimizers.Adagrad and not averaged and (l2 == 0 or model.schedule.steady):
        return lazy.Pulled(np.zeros(d), float(model.optimizer.epsilon), l1, l2, rate=1.0)
    if type(optimizer) in (optimizers.Momentum, optimizers.Nesterov) and free and not averaged:
        beta = float(model.optimizer.beta)
        kind = lazy.Coasting if type(optimizer) is optimizers.Momentum else lazy.Gliding
        return kind(np.zeros(d, np.int64), beta, math.log(beta) if beta else -math.inf)
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
            f"lazy=True to move the columns of the rows alone (their running means stand still meanwhile, as PyTorch's "
            f"SparseAdam does: another path to about the same optimum), or choose what moves them exactly: {EXACT}.",
            UserWarning,
            stacklevel=9,
        )


class EagerSparseBatches(Batches):
    """Mini-batches and single rows of sparse rows, one lane: every step moves all columns."""

    @classmethod
    def runs(cls, plan):
        """Any plan of batches of sparse rows and one lane."""
        return applies(plan)

    def __init__(self, plan):
        super().__init__(plan)
        if plan.parts.optimizer.by_row and plan.batch == 1:
            raise ValueError(
                "average with an L1 penalty is not for single steps on sparse rows: leave one of them out."
            )
        warn_of_columns(plan)


class LazyBatches(Batches):
    """Mini-batches and single rows of sparse rows, one lane: steps move the columns of their rows alone."""

    @classmethod
    def runs(cls, plan):
        """Whether what a step does to the other columns has a closed form."""
        return applies(plan) and rest_of(plan) is not None

    def __init__(self, plan):
        super().__init__(plan)
        data, d = plan.data, plan.data.shift.size
        mean = data.rows.stored / data.rows.shape[0]
        rows = max(SLICE_NUMBERS / (mean + ROW_OVERHEAD), SLICE_COLUMNS * d / max(mean, 1.0))
        self.slice = max(1, int(rows) // plan.batch) * plan.batch
        columns = 0 if plan.batch == 1 else d
        low, high = (plan.lanes.low[0], plan.lanes.high[0]) if bounded(plan) else (None, None)
        self.ledger = sparse_loop.Ledger(
            rest=rest_of(plan),
            scale=data.inverse_scale if (data.inverse_scale != 1).any() else None,
            low=low,
            high=high,
            seen=np.zeros(d) if plan.lanes.averages.size else None,
            stamp=np.zeros(columns, np.int64),
            gradient=np.zeros(columns),
            touched=np.zeros(columns, np.uint32),
        )

    def steps(self, lanes, rows, ahead, rates, t, loss_sum):
        """A step for every batch of ``rows`` at rates (steps, lanes) from step ``t`` on; adds to the losses met."""
        ledger, rest = self.ledger, self.ledger.rest
        if isinstance(rest, lazy.Pulled):
            ledger = ledger._replace(rest=rest._replace(rate=float(rates[0, 0])))
        if t == 1 and isinstance(rest, (lazy.Coasting, lazy.Gliding)):
            lanes.slots[:, 0] = lanes.weights  # nothing has moved yet
        if isinstance(rest, lazy.Gliding):  # what a run on dense rows has left there
            last = lanes.slots[:, :, :-1]
            last[:, 0] -= lanes.carry[:, :1] * last[:, 1]
            last[:, 1] = 0
        self.take(ledger, lanes, rows, ahead, rates, t, loss_sum)

    def take(self, ledger, lanes, rows, ahead, rates, t, loss_sum):
        """The steps, by the kernel for the size of a batch."""
        data, parts, batch = self.plan.data, self.plan.parts, self.plan.batch
        if batch == 1:
            sparse_loop.row_steps(data, parts, lanes, ledger, rows, ahead, rates, t, loss_sum)
        else:
            sparse_loop.batch_steps(data, parts, lanes, ledger, rows, ahead, batch, rates, t, loss_sum)


class Hogwild(LazyBatches):
    """Steps of several threads at once, without locks: each on its own copy of the weights, merged after a slice.

    Threads on the very same weights (Recht, Re, Wright and Niu 2011) lose where these fit the cache of a core, as every
    line that a row touches was last written by the other one in half of the cases. 200,000 x 200,000, 75 numbers a row,
    Zipf's columns, ns a row where two threads truly ran at once: one thread 214 in float64 and 160 in float32; two on
    the same weights 853 and 857 each, 807 and 839 without an intercept.

    What the copies' moves are merged by (``kernels/copies.py``) decides what is reached. Loss after 5 epochs, rate 0.1,
    one thread 0.1085: for two and four copies 0.102 and 0.100; the mean 0.129 and 0.163; the mean over the copies that
    moved the weight 0.126 and 0.157; the sum 3.5 and 1e23.
    """

    @classmethod
    def runs(cls, plan):
        """Whether several threads are asked for."""
        return applies(plan) and plan.options.parallel is not None

    def __init__(self, plan):
        super().__init__(plan)
        known = type(plan.parts.optimizer) in (optimizers.Sgd, optimizers.Adagrad)
        if not (known and isinstance(self.ledger.rest, lazy.Still)) or plan.lanes.averages.size:
            raise ValueError(
                "parallel='hogwild' is for optimizers whose steps leave a weight without a gradient as it is: sgd and "
                "adagrad without a penalty and average. Leave these out, or pass lazy=True for a penalty."
            )
        count, lanes = plan.options.n_threads, plan.lanes
        self.slice *= count
        fresh = {name: getattr(self.ledger, name) for name in ("stamp", "gradient", "touched")}
        self.ledgers = [
            self.ledger._replace(**{name: array.copy() for name, array in fresh.items()}) for _ in range(count)
        ]
        self.copies = np.empty((count, *lanes.weights.shape), lanes.weights.dtype)
        self.states = np.empty((count, *lanes.slots.shape), lanes.slots.dtype)
        self.copied = None  # the weights that the copies begin with
        self.sizes = curvatures(plan)

    def take(self, ledger, lanes, rows, ahead, rates, t, loss_sum):
        """The steps, a share for each thread."""
        batch, steps, count = self.plan.batch, -(-len(rows) // self.plan.batch), len(self.ledgers)
        edges = np.linspace(0, steps, count + 1).astype(int)
        loss_sums, carries = np.zeros((count, 1)), [lanes.carry.copy() for _ in self.ledgers]
        if self.copied is not lanes.weights:
            self.copies[:], self.states[:], self.copied = lanes.weights, lanes.slots, lanes.weights

        def task(k):
            first, last = edges[k], edges[k + 1]
            some = slice(first * batch, min(last * batch, len(rows)))
            own = rates if len(rates) == 1 else np.ascontiguousarray(rates[first:last])
            mine = lanes._replace(weights=self.copies[k], slots=self.states[k], carry=carries[k])
            with np.errstate(all="ignore"):  # for kernels run as plain Python; a setting of each thread
                super(Hogwild, self).take(self.ledgers[k], mine, rows[some], ahead[some], own, t + first, loss_sums[k])

        run_tasks(task, count, count)
        loss_sum += loss_sums.sum(axis=0)
        merged = self.copies, self.states, self.sizes, steps, float(rates[-1, 0]), t + steps - 1
        copies.merge(self.plan.parts, lanes, ledger, *merged)


def curvatures(plan):
    """How much the objective bends along each coefficient, (d + 1,) float64, on some of the rows."""
    data, model = plan.data, plan.models[0]
    n = data.rows.shape[0]
    chosen = np.arange(0, n, max(1, n // CURVATURE_ROWS))
    some = data.rows.take(chosen if plan.rows is None else plan.rows[chosen % len(plan.rows)])
    squares = np.bincount(some.indices, some.values.astype(np.float64) ** 2, data.shift.size) * data.inverse_scale**2.0
    second_derivative = curvature_of(
        plan.parts.loss, data, data.targets[plan.lanes.target[0]], model.start[0], model.residual_rms[0]
    )
    return np.append(squares / some.shape[0], data.constant**2) * second_derivative
