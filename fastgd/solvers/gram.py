"""Full-batch descent of squared losses from the Gram matrix: its sums, when it pays, and the work of a slice."""

import functools
import threading

import numpy as np

from ..kernels import gram as kernels
from ..kernels.full_batch import CHUNK_ELEMENTS
from ..kernels.products import aligned
from ..kernels.threads import run_tasks
from .first_order import FullBatch

CHUNK_WORK = 1 << 25  # products of two numbers a chunk: about a millisecond
CHUNK_ROWS = 1024, 1 << 17  # with fewer rows of many columns, adding the chunks would cost as much as the products
GATHERED = 256  # rows multiplied at once: fewer took twice as long at d=2000, and more from d=50 on no less
SAMPLE = 1024  # rows that say where the columns lie
# A column whose share of this alone is its own has no part in the minimisers: large opposed entries would bring
# rounding errors of their own size into every loss.
DEPENDENT = 1e-5
LARGEST_BYTES = 1 << 25  # of the Gram matrices kept; while they are summed up it is about six times as much
MINIMISER_PACE = 8
SAVING = 1 << 30  # operations, 20 ms: for less no kernels are compiled
TASK_LANES = 64
LANE_OVERHEAD = 256  # operations a column that a step of a lane takes beyond the product
SLICE_WORK = 1 << 27  # of the steps between two looks at the run: 10 ms
SMALL_WORK = 1 << 24  # below this the steps are over before a thread has started
EXPECTED = 100  # epochs, where a tolerance may end a run before
EXACT = 64 * np.finfo(np.float64).eps  # a mean squared residual below this share of the target's is zero


def weightings(lanes):
    """The distinct weightings of the rows, (fold, replicate)."""
    return sorted(set(zip(lanes.fold.tolist(), lanes.replicate.tolist(), strict=True)))


def is_partition(roles):
    """Whether each row is held out in one of the folds (folds, n) and trained on once in all others."""
    if len(roles) < 2:
        return False
    # A sum of int8 could overflow; one of int64 took four times as long.
    return bool((abs(roles) == 1).all() and (roles.sum(axis=0, dtype=np.int16) == len(roles) - 2).all())


def pays(data, lanes, weightings, epochs):
    """Whether full-batch descent is to go by the Gram matrix and not by passes: a function of shapes and settings only.

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
        How many steps are to be expected: fewer than allowed, where a tolerance may end the run.
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
    """Whether a plan is of squared losses on the full batch and pays to run so."""
    if not plan.full or not plan.parts.loss.squared:
        return False
    # A tolerance ends most runs before they have used all their epochs; and a fit may go on with more of them, and has
    # to do as it did.
    settled = plan.tol is None and len(plan.models) > 1
    epochs = plan.epochs if settled else EXPECTED
    return pays(plan.data, len(plan.lanes.weights), len(weightings(plan.lanes)), epochs)


def pairs(rows):
    """How many products of two numbers a sparse row makes, with the constant, on average."""
    return (rows.stored // rows.shape[0] + 2) ** 2 // 2


def chunk_rows(rows):
    """Rows a chunk: of few numbers as many as make adding the chunks cheap beside their products."""
    d = rows.shape[1]
    if kernels.scatters(rows, d):
        return max(2 * (d + 1) ** 2 // pairs(rows), CHUNK_ROWS[0])
    return min(max(CHUNK_WORK // (d + 1) ** 2, CHUNK_ROWS[0]), CHUNK_ROWS[1])


def sample_of(n):
    """Some rows that say where the columns lie."""
    return slice(None, None, -(-n // SAMPLE))


def centre_of(data):
    """What is taken off the columns, (d,): close to their means; nothing of sparse ones, whose zeros it would fill."""
    if data.rows.sparse:
        return np.zeros(data.shift.size)
    values = data.rows.values
    with np.errstate(all="ignore"):
        return values[sample_of(len(values))].mean(axis=0, dtype=np.float64)


class Grams:
    """The sums of every weighting among ``lanes``, from one pass over the rows.

    Attributes
    ----------
    pairs : list of (fold, replicate)
    products, moments, squares : ndarrays (weightings, D, D), (weightings, targets, D) and (weightings, targets)
        The means of the products of columns, of columns and targets, and of the targets' squares.
    totals : ndarray (weightings,)
        The sums of the weights.
    sums : Gram
    """

    def __init__(self, data, lanes, n_threads):
        self.pairs = weightings(lanes)
        self.data, self.n_threads = data, n_threads
        self.n, self.d = data.rows.shape
        with np.errstate(all="ignore"):
            self.centre = centre_of(data)
            self.level = data.targets[:, sample_of(self.n)].mean(axis=1, dtype=np.float64)
            self.products, self.moments, self.squares, self.totals = self.measured()

    def indices(self, lanes):
        """Which of the pairs each lane has, (lanes,)."""
        place = {pair: k for k, pair in enumerate(self.pairs)}
        return np.array([place[pair] for pair in zip(lanes.fold.tolist(), lanes.replicate.tolist(), strict=True)])

    def measured(self):
        """The means of products (weightings, D, D), moments (weightings, targets, D) and squares; and the totals."""
        folds = np.array([fold for fold, _ in self.pairs])
        replicates = np.array([replicate for _, replicate in self.pairs])
        if folds.max() >= 0 and replicates.max() < 0 and is_partition(self.data.roles):
            parts = range(len(self.data.roles))
            held = self.over_rows(np.array(parts), np.full(len(parts), -1), True)
            # The others are added, not the part taken off the total: nothing cancels.
            found = [np.stack([sum(array[p] for p in parts if p != fold) for fold in folds]) for array in held]
        else:
            found = self.over_rows(folds, replicates, False)
        D, targets = self.d + 1, self.level.size
        products, moments = np.empty((folds.size, D, D)), np.empty((folds.size, targets, D))
        sums, squares, totals = found
        for q, (whole, total) in enumerate(zip(sums, totals, strict=True)):
            products[q] = np.triu(whole[:D, :D])
            products[q] += np.triu(whole[:D, :D], 1).T
            products[q] /= total
            moments[q] = whole[:D, D : D + targets].T / total
        return products, moments, squares / totals[:, None], totals

    def over_rows(self, folds, replicates, held):
        """The sums over all rows: of each fold's part that is held out, or else of what it trains on."""
        data, targets = self.data, self.level.size
        vectors = -(-(self.d + 1 + targets) // kernels.VECTOR)
        width = (vectors | 1) * kernels.VECTOR  # an odd number of cache lines a row: even ones share sets of the cache
        chunk, block = chunk_rows(data.rows), max(GATHERED, CHUNK_ELEMENTS // self.d)
        shapes = (folds.size, width, width), (folds.size, targets), (folds.size,)
        total, ready, added, lock = [np.zeros(shape) for shape in shapes], {}, [0], threading.Lock()

        def task(c):
            S = aligned((GATHERED, width), np.float64)
            S[:] = 0
            sums = [np.zeros(shape) for shape in shapes]
            lo, hi = c * chunk, min((c + 1) * chunk, self.n)
            with np.errstate(all="ignore"):  # a setting of each thread
                kernels.gram_chunk(data, self.centre, self.level, folds, replicates, held, lo, hi, block, S, *sums)
            with lock, np.errstate(all="ignore"):  # in the chunks' order, with no more than a few of them at a time
                ready[c] = sums
                while added[0] in ready:
                    for whole, part in zip(total, ready.pop(added[0]), strict=True):
                        whole += part
                    added[0] += 1

        run_tasks(task, -(-self.n // chunk), self.n_threads)
        return total

    @functools.cached_property
    def sums(self):
        """The Gram with its minimisers, as its docstring says."""
        products, moments, squares = self.products, self.moments, self.squares
        minimiser, rest = np.empty((2, *moments.shape))

        def task(q):
            with np.errstate(all="ignore"):
                least = DEPENDENT * np.diag(products[q])
                kernels.minimise(products[q], moments[q], least, minimiser[q], rest[q])

        run_tasks(task, len(products), self.n_threads)
        with np.errstate(all="ignore"):
            least = squares + (minimiser * (rest - moments)).sum(axis=2)
            least[least < EXACT * squares] = 0.0
        shift, inverse = (array.astype(np.float64) for array in (self.data.shift, self.data.inverse_scale))
        return kernels.Gram(products, minimiser, rest, least, (self.centre - shift) * inverse, self.level)


class GramDescent(FullBatch):
    """The work of a full-batch run whose loss is a multiple of the squared residual."""

    def __init__(self, plan):
        self.plan = plan
        self.grams = Grams(plan.data, plan.lanes, plan.n_threads)
        self.sums = self.grams.sums  # before threads ask

    def slice(self, lanes):
        """How many steps are taken at once."""
        D = self.grams.d + 1
        return 1 if self.plan.watched else max(1, SLICE_WORK // (lanes * D * (2 * D + LANE_OVERHEAD)))

    def objective(self, lanes):
        """The objective of each lane, (lanes,): what a step on a copy would report."""
        copies = type(lanes)(*(array.copy() for array in lanes))
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

        run_tasks(task, tasks, 1 if small else self.plan.n_threads)
        return objective, norm

    def some_steps(self, lanes, rates, t):
        """``steps`` on one thread."""
        count, D = lanes.weights.shape
        weighting = self.grams.indices(lanes)
        column, first = columns(weighting, len(self.grams.pairs))
        work = aligned((4, D, int(first[-1])), np.float64)
        work[:] = 0
        rates = np.ascontiguousarray(rates)
        objective, norm = np.empty((2, *rates.shape))
        scratch = np.empty((1, count, D)), np.empty((1, count))
        with np.errstate(all="ignore"):  # for kernels run as plain Python; a setting of each thread
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
