"""Full-batch steps on squared residuals from the Gram matrix: the steps, and when they cost less than passes."""

import numpy as np

from ..kernels import gram as kernels
from ..kernels.products import aligned
from ..kernels.threads import run_tasks
from .full_batch import FullBatch
from .gram import LARGEST_BYTES, Grams, is_partition, pairs, weightings
from .plan import lanes_with

MINIMISER_PACE = 8
SAVING = 1 << 30  # operations, 20 ms: for less no kernels are compiled
TASK_LANES = 64
LANE_OVERHEAD = 256  # operations a column that a step of a lane takes beyond the product
SLICE_WORK = 1 << 27  # operations of a slice: 10 ms
SMALL_WORK = 1 << 24  # below this the steps are over before a thread has started
EXPECTED = 100  # epochs to expect where a tolerance may end a run


def pays(data, lanes, weightings, epochs):
    """Whether full-batch descent costs less by the Gram matrix than by passes: a function of shapes and settings only.

    Operations of floating point are counted, at the speed of float64's products. A weighting (all together, where the
    folds are a partition) takes n * D * (D + 48): the upper triangle in whole vectors, and gathering the rows; twice
    n * D for a target; and D**3 / 3 for its minimiser, at a slower pace. Then a step takes 2 * D**2 a lane, of 8 lanes
    a weighting at least. A pass takes 4 * n * D a lane, half of it in float32, and as much as 4 lanes for reading X.

    Numbers of sparse rows go one by one: 0.4 ns in a lane of many and 5 where it is alone, their products 1.3 to 4 ns,
    with all columns' at 0.07.

    Parameters
    ----------
    data : Data
    lanes, weightings : int
        How many there are.
    epochs : int
        The number of steps to expect: fewer than allowed, where a tolerance may end the run.
    """
    n, D, targets = data.rows.shape[0], data.shift.size + 1, len(data.targets)
    whole = is_partition(data.roles)
    kept = max(weightings, len(data.roles)) if whole else weightings
    if kept * (D + targets) ** 2 * 8 > LARGEST_BYTES:
        return False
    rows = data.rows
    row = 2 * kernels.SCATTERED * pairs(rows) if kernels.scatters(rows, D - 1) else D * (D + 48 + 2 * targets)
    sums = (1 if whole else weightings) * n * row + weightings * MINIMISER_PACE * D**3 / 3
    steps = epochs * max(lanes, 8 * weightings) * 2 * D * D
    if rows.sparse:
        passes = epochs * max(lanes, 12) * 6 * rows.stored
    else:
        passes = epochs * max(lanes, 4) * 4 * n * D * rows.dtype.itemsize / 8
    return sums + steps + SAVING < passes


def suits(plan):
    """Whether a plan is of squared losses on the full batch, and the Gram matrix costs less than passes."""
    if not plan.full or not plan.parts.loss.squared:
        return False
    # A tolerance ends most runs before their last epoch; and a run that is resumed with more epochs must decide the
    # same.
    settled = plan.tol is None and len(plan.models) > 1
    epochs = plan.epochs if settled else EXPECTED
    return pays(plan.data, len(plan.lanes.weights), len(weightings(plan.lanes)), epochs)


class GramDescent(FullBatch):
    """Full-batch steps of many lanes on a multiple of the squared residual, from the Gram matrix."""

    def __init__(self, plan):
        super().__init__(plan)
        self.grams = Grams(plan.data, plan.lanes, plan.options.n_threads)
        self.sums = self.grams.sums  # computed before threads use it

    def steps_at_once(self, lanes):
        """How many steps a slice takes."""
        D = self.grams.d + 1
        return 1 if self.watched else max(1, SLICE_WORK // (lanes * D * (2 * D + LANE_OVERHEAD)))

    def objective(self, lanes, state):
        """The objective of each lane, (lanes,): what a step on a copy would report."""
        copies = type(lanes)(*(array.copy() for array in lanes_with(lanes, state)))
        return self.steps(copies, np.ones((1, len(lanes.weights))), 1)[0][0]

    def steps(self, lanes, rates, t):
        """A step for every row of ``rates`` (steps, lanes), of which the first has number t.

        Returns the objective and the norm of its smallest subgradient before each step, both (steps, lanes). ``lanes``,
        which are changed, are the plan's or some of them. Each thread takes some lanes through all the steps.
        """
        count, D = lanes.weights.shape
        tasks = -(-count // TASK_LANES)
        small = rates.size * D * (2 * D + LANE_OVERHEAD) < SMALL_WORK
        objective, norm = np.empty((2, *rates.shape))

        def task(k):
            some = slice(k * TASK_LANES, min((k + 1) * TASK_LANES, count))
            found = self.some_steps(type(lanes)(*(array[some] for array in lanes)), rates[:, some], t)
            objective[:, some], norm[:, some] = found

        run_tasks(task, tasks, 1 if small else self.plan.options.n_threads)
        return objective, norm

    def some_steps(self, lanes, rates, t):
        """``steps`` on one thread."""
        count, D = lanes.weights.shape
        weighting = self.grams.indices(lanes)
        column, first = columns(weighting, len(self.grams.pairs))
        work = aligned((5, D, int(first[-1])), np.float64)
        work[:] = 0
        rates = np.ascontiguousarray(rates)
        objective, norm = np.empty((2, *rates.shape))
        scratch = np.empty((1, count, D)), np.empty((1, count))
        kernels.gram_steps(
            self.plan.data, self.plan.parts, lanes, self.sums, weighting, column, first,
            rates, t, work, *scratch, objective, norm,
        )  # fmt: skip
        return objective, norm


def columns(weighting, count):
    """Each lane's column (lanes,), and where those of each of ``count`` weightings begin (count + 1,)."""
    sizes = np.bincount(weighting, minlength=count)
    first = np.zeros(count + 1, np.int64)
    first[1:] = np.cumsum(-(-sizes // kernels.VECTOR) * kernels.VECTOR)
    column = np.empty(weighting.size, np.int64)
    for q in range(count):
        members = np.flatnonzero(weighting == q)
        column[members] = first[q] + np.arange(members.size)
    return column, first
