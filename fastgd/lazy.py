"""Batches of sparse rows: which steps touch only the columns of their rows, and the work of a slice of them."""

import math
import warnings

import numpy as np

from . import optimizers
from .kernels import lazy, sparse_loop
from .penalties import Free
from .threads import run_tasks
from .work import ROW_OVERHEAD, Batches

SLICE_NUMBERS = 1 << 22
SLICE_COLUMNS = 16  # numbers of a slice for each column: at its end all columns are brought up to date
MANY_COLUMNS = 10_000  # from here on a step of all columns is worth a warning
EXACT = "SGD, AdaGrad (with L2 at a constant rate) and, without a penalty, momentum and Nesterov's"


def work_of(plan):
    """The class of the work of a plan of one lane: by the columns of the rows, or by all columns."""
    if plan.parallel is not None:
        return Hogwild
    if rest_of(plan) is not None:
        return LazyBatches
    warn_of_columns(plan)
    return Batches


def rest_of(plan):
    """What steps do to a weight without a gradient, one of ``kernels.lazy``; None where that has no closed form."""
    optimizer, penalty, model = plan.parts.optimizer, plan.parts.penalty, plan.models[0]
    free, averaged, d = type(penalty) is Free, plan.lanes.averages.size > 0, plan.data.shift.size
    l1, l2 = (0.0, 0.0) if free else (float(model.penalty.l1), float(model.penalty.l2))
    if plan.lazy or (free and type(optimizer) in (optimizers.Sgd, optimizers.Adagrad)):
        return lazy.Still()
    if type(optimizer) is optimizers.Sgd:
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
            stacklevel=2,
        )


class LazyBatches(Batches):
    """Mini-batches and single rows of sparse rows, one lane."""

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

    def steps(self, lanes, rows, ahead, rates, t, met):
        """A step for every batch of ``rows`` at rates (steps, lanes) from step ``t`` on; adds to the losses met."""
        plan, ledger, rest = self.plan, self.ledger, self.ledger.rest
        if isinstance(rest, lazy.Pulled):
            ledger = ledger._replace(rest=rest._replace(rate=float(rates[0, 0])))
        if t == 1 and isinstance(rest, (lazy.Coasting, lazy.Gliding)):
            lanes.slots[:, 0] = lanes.weights  # nothing has moved yet
        self.take(ledger, lanes, rows, ahead, rates, t, met)

    def take(self, ledger, lanes, rows, ahead, rates, t, met):
        """The steps, by the kernel for the size of a batch."""
        data, parts, batch = self.plan.data, self.plan.parts, self.plan.batch
        if batch == 1:
            sparse_loop.row_steps(data, parts, lanes, ledger, rows, ahead, rates, t, met)
        else:
            sparse_loop.batch_steps(data, parts, lanes, ledger, rows, ahead, batch, rates, t, met)


class Hogwild(LazyBatches):
    """Steps of several threads on the same weights, without locks (Recht, Re, Wright and Niu 2011).

    Each takes a part of a slice's batches. Where two write a weight at once one of the steps may be lost, so no run is
    like another.
    """

    def __init__(self, plan):
        super().__init__(plan)
        if not isinstance(self.ledger.rest, lazy.Still) or plan.lanes.averages.size:
            raise ValueError(
                "parallel='hogwild' is for optimizers whose steps leave a weight without a gradient as it is: sgd and "
                "adagrad without a penalty and average. Leave these out, or pass lazy=True for a penalty."
            )
        fresh = {name: getattr(self.ledger, name) for name in ("stamp", "gradient", "touched")}
        self.ledgers = [
            self.ledger._replace(**{name: array.copy() for name, array in fresh.items()}) for _ in range(plan.n_threads)
        ]

    def take(self, ledger, lanes, rows, ahead, rates, t, met):
        """The steps, a share for each thread."""
        batch, steps = self.plan.batch, -(-len(rows) // self.plan.batch)
        edges = np.linspace(0, steps, len(self.ledgers) + 1).astype(int)
        mets, carries = np.zeros((len(self.ledgers), 1)), [lanes.carry.copy() for _ in self.ledgers]

        def task(k):
            first, last = edges[k], edges[k + 1]
            some = slice(first * batch, min(last * batch, len(rows)))
            own = rates if len(rates) == 1 else np.ascontiguousarray(rates[first:last])
            with np.errstate(all="ignore"):  # for kernels run as plain Python; a setting of each thread
                super(Hogwild, self).take(
                    self.ledgers[k], lanes._replace(carry=carries[k]), rows[some], ahead[some], own, t + first, mets[k]
                )

        run_tasks(task, len(self.ledgers), len(self.ledgers))
        met += mets.sum(axis=0)
        lanes.carry[:] = carries[-1]
