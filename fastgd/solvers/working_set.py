"""A working set of columns: of many dense ones, only those that matter are descended on (Massias et al. 2018).

A look at all columns finds the weights that are not at rest. The objective is then lowered over these columns, copied,
as far as that goes, and the next look finds whether others have got out of their rest.
"""

import functools
import math

import numpy as np

from ..kernels.layouts import Dense, frozen
from .coordinates import Coordinates
from .current_metric import CurrentMetric
from .descent import Descent, Goal
from .kinks import KinkedModel, KinkedWay
from .line_search import Look
from .metrics import ArrowSums, kind_of
from .pairs import slots
from .stages import Stage
from .strengths import factors_at, l2_of

FEWEST = 4  # times the columns, the square of those that a working set has at least: it costs about as much as a look
FEW_ROWS, WIDE = 4096, 4  # of sparse rows, at most; columns for each, at least
MADE_DENSE = 1 << 22  # numbers, at most
GROWTH = 2  # times the columns whose weights are not zero
SETTLED = 0.03  # of what descent over a working set has brought: it ends when less is left
STEPS, OF_ALL = 50, 10  # over a working set, at most, and over all columns, which are not copied
WITHOUT_TOL = 1e-10


def has_working_set(data, kinks):
    """Whether data have so many columns that most of them, at rest at zero, are not worth reading each time.

    Of sparse rows, if they are few: those of a working set are made dense.
    """
    if data.classes > 1 or (data.rows.sparse and not data.rows.in_memory):
        return False
    n, d = data.rows.shape
    many = kind_of(data) is ArrowSums and (not data.rows.sparse or (n <= FEW_ROWS and WIDE * n <= d))
    moving = ~((kinks.l1 > 0.0) | (kinks.low == 0.0) | (kinks.high == 0.0))[:-1]
    return many and GROWTH * np.count_nonzero(moving) <= math.isqrt(FEWEST * d)  # these have no rest


class WorkingSet(KinkedModel):
    """The model of an objective with L1 or bounds that is the objective itself, over some of the columns."""

    def __init__(self, kinks, *ring, plan, lanes, spreads):
        super().__init__(kinks, *ring)
        self.plan, self.lanes, self.spreads = plan, lanes, spreads
        self.stage = None

    def enter(self, stage):
        """Take the rows of a stage."""
        self.stage = stage

    def way(self, weights, gradient):
        """The step to the minimum over a working set."""
        steepest = self.kinks.subgradient(weights, gradient)
        columns = self.chosen(weights, steepest)
        promise, found = self.lowered(weights, columns)
        end = weights.copy()
        end[np.append(columns, len(weights) - 1)] = found
        return KinkedWay(end - weights, -promise, promise, end)

    def judge(self, metric, weights, gradient):
        """What a step to the minimum promises: of no metric, as the objective itself is looked at."""
        return self.way(weights, gradient).promise

    def chosen(self, weights, steepest):
        """The numbers of the columns of a working set, ascending: all that are not at rest, if these are few."""
        w = weights[:-1]
        moved = w != 0.0
        most = max(math.isqrt(FEWEST * len(w)), GROWTH * int(np.count_nonzero(moved)))
        urgency = np.where(moved, math.inf, np.abs(steepest[:-1]))
        if np.count_nonzero(urgency) > most:
            # Of those that are equally urgent all: which of them came first must not depend on a sort.
            urgency[urgency < np.partition(urgency, -most)[-most]] = 0.0
        columns = np.flatnonzero(urgency)
        if not columns.size:
            return np.zeros(1, np.int64)  # the intercept may move
        rows = self.stage.data.rows
        copied = min(len(w) // 2, MADE_DENSE // rows.shape[0]) if rows.sparse else len(w) // 2
        return columns if columns.size <= copied else np.arange(len(w))

    def lowered(self, weights, columns):
        """Lower the objective over some columns; returns by how much, and the weights (columns + 1,)."""
        part = len(columns) < len(weights) - 1
        data = columns_of(self.stage.data, columns) if part else self.stage.data
        stage = Stage(self.plan, data)
        places, D = np.append(columns, len(weights) - 1), len(columns) + 1
        model = Coordinates(self.kinks.at(places), *np.zeros((2, slots(D, 1), D)), 0, 0)
        start = weights[places]
        tol = (WITHOUT_TOL if self.plan.tol is None else self.plan.tol) / 10
        eps = float(np.finfo(stage.dtype).eps)
        metric = CurrentMetric(model, functools.partial(self.metric_of, columns), self.plan.parts.loss.squared)
        one = Descent(start, model, [stage], metric, Goal(tol, eps, math.inf, 0.0))
        run, answer, first, steps = one.run(), None, None, 0
        while not one.ended and steps < (STEPS if part else OF_ALL):
            found = run.send(answer)
            answer = None
            if isinstance(found, Look):
                lanes = self.lanes._replace(weights=found.weights[None].astype(self.lanes.weights.dtype))
                objectives, gradients = stage.look(lanes)
                answer = float(objectives[0]), gradients[0]
                first = answer[0] if first is None else first
            else:
                steps += 1
                if found.decrement <= SETTLED * (first - found.objective):
                    break
        return max(first - one.point.objective, 0.0), one.point.weights

    def metric_of(self, columns, stage, weights, rows, damping, as_matrix):
        """The metric of some columns."""
        lanes = self.lanes._replace(weights=weights[None].astype(self.lanes.weights.dtype))
        sums = stage.sums(lanes, lambda: self.spreads()[columns], as_matrix)
        return sums.damped(l2_of(stage.data, float(lanes.penalty[0, 1])), damping)


class Unmeasured:
    """The metric of a model that needs none: the objective itself is what promises are made by."""

    scaled = keeps = False
    exact = True


def unmeasured(stage, weights, rows, damping, as_matrix):
    """No second derivatives."""
    return Unmeasured


def columns_of(data, columns):
    """The data of some columns, copied, as dense ones."""
    if data.rows.sparse:
        n, d = data.rows.shape
        place = np.full(d, len(columns))
        place[columns] = np.arange(len(columns))
        values = np.zeros((n, len(columns) + 1), data.rows.dtype)
        row = np.repeat(np.arange(n), np.diff(data.rows.starts.astype(np.int64)))
        np.add.at(values, (row, place[data.rows.indices]), data.rows.values)
        values = np.ascontiguousarray(values[:, :-1])
    elif data.rows.in_memory:
        values = np.ascontiguousarray(data.rows.values[:, columns])
    else:
        values = data.rows.of_columns(columns)
    return data._replace(
        rows=Dense(frozen(values)),
        shift=data.shift[columns],
        inverse_scale=data.inverse_scale[columns],
        factors=factors_at(data, columns),
    )
