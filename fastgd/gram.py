"""Full-batch descent of squared losses from the Gram matrix: its sums, when it pays, and the work of a slice."""

import threading

import numpy as np

from .kernels import gram as kernels
from .kernels.full_batch import CHUNK_ELEMENTS
from .kernels.products import aligned
from .threads import run_tasks

CHUNK_WORK = 1 << 25  # products of two numbers a chunk: about a millisecond
CHUNK_ROWS = 1024, 1 << 17  # with fewer rows of many columns, adding the chunks would cost as much as the products
GATHERED = 256  # rows multiplied at once: fewer took twice as long at d=2000, and more from d=50 on no less
SAMPLE = 1024  # rows that say where the columns lie
DEPENDENT = 1e-12  # a column whose share of this alone is its own depends on those before it
EXACT = 64 * np.finfo(np.float64).eps  # a mean squared residual below this share of the target's is zero


def weightings(lanes):
    """The distinct weightings of the rows, (fold, replicate), and the index (lanes,) of each lane's."""
    pairs = list(zip(lanes.fold.tolist(), lanes.replicate.tolist(), strict=True))
    distinct = sorted(set(pairs))
    return distinct, np.array([distinct.index(pair) for pair in pairs])


def is_partition(roles):
    """Whether the folds (folds, n) hold out each row exactly once, and train on it once otherwise."""
    return bool((roles == -1).sum(axis=0, dtype=np.int64).min(initial=1) == 1 == (abs(roles) == 1).all()) and bool(
        ((roles == -1).sum(axis=0) == 1).all()
    )


def chunk_rows(d):
    """Rows a chunk."""
    return min(max(CHUNK_WORK // (d + 1) ** 2, CHUNK_ROWS[0]), CHUNK_ROWS[1])


class Grams:
    """The sums of every weighting among ``lanes``, from one pass over the rows: ``sums`` is a ``Gram``.

    Attributes
    ----------
    pairs : list of (fold, replicate)
    weighting : ndarray (lanes,)
        The index of each lane's pair.
    sums : Gram
    """

    def __init__(self, data, lanes, n_threads):
        self.pairs, self.weighting = weightings(lanes)
        if any(replicate >= 0 for _, replicate in self.pairs):
            raise ValueError("the Gram matrices of bootstrap replicates are not there.")
        self.data, self.n_threads = data, n_threads
        values = data.rows.values
        self.n, self.d = values.shape
        with np.errstate(all="ignore"):
            sample = slice(None, None, -(-self.n // SAMPLE))
            self.centre = values[sample].mean(axis=0, dtype=np.float64)
            self.level = data.targets[:, sample].mean(axis=1, dtype=np.float64)
            self.sums = self.solved(*self.moments())

    def moments(self):
        """The means of products (weightings, D, D), moments (weightings, targets, D) and squares."""
        folds = np.array([fold for fold, _ in self.pairs])
        parts = self.data.roles.shape[0] if folds.max() >= 0 and is_partition(self.data.roles) else 0
        if parts:
            held = self.over_rows(np.arange(parts), True)
            # The others are added, not the part taken off the total: nothing cancels.
            found = [np.stack([sum(array[p] for p in range(parts) if p != fold) for fold in folds]) for array in held]
        else:
            found = self.over_rows(folds, False)
        sums, squares, totals = found
        D, targets = self.d + 1, self.level.size
        upper = np.triu(sums[:, :D, :D])
        products = upper + np.triu(upper, 1).transpose(0, 2, 1)
        moments = np.ascontiguousarray(sums[:, :D, D : D + targets].transpose(0, 2, 1))
        return products / totals[:, None, None], moments / totals[:, None, None], squares / totals[:, None]

    def over_rows(self, folds, held):
        """The sums over all rows: of each fold's part that is held out, or else of what it trains on."""
        data, targets = self.data, self.level.size
        vectors = -(-(self.d + 1 + targets) // kernels.VECTOR)
        width = (vectors | 1) * kernels.VECTOR  # an odd number of cache lines a row: even ones share sets of the cache
        chunk, block = chunk_rows(self.d), max(GATHERED, CHUNK_ELEMENTS // self.d)
        replicates = np.full(folds.size, -1)
        shapes = (folds.size, width, width), (folds.size, targets), (folds.size,)
        total, ready, added, lock = [np.zeros(shape) for shape in shapes], {}, [0], threading.Lock()

        def task(c):
            S = aligned((GATHERED, width), np.float64)
            S[:] = 0
            sums = [np.zeros(shape) for shape in shapes]
            lo, hi = c * chunk, min((c + 1) * chunk, self.n)
            kernels.gram_chunk(data, self.centre, self.level, folds, replicates, held, lo, hi, block, S, *sums)
            with lock:  # in the chunks' order, with no more than a few of them at a time
                ready[c] = sums
                while added[0] in ready:
                    for whole, part in zip(total, ready.pop(added[0]), strict=True):
                        whole += part
                    added[0] += 1

        run_tasks(task, -(-self.n // chunk), self.n_threads)
        return total

    def solved(self, products, moments, squares):
        """The Gram with its minimisers, as its docstring says."""
        minimiser = np.empty_like(moments)
        run_tasks(
            lambda q: kernels.minimise(products[q], moments[q], minimiser[q], DEPENDENT), len(products), self.n_threads
        )
        # Not a product of matrices: the bits of those depend on BLAS's threads.
        rest = (products[:, None] * minimiser[:, :, None]).sum(axis=3) - moments
        least = squares + (minimiser * (rest - moments)).sum(axis=2)
        least[least < EXACT * squares] = 0.0
        shift, inverse = (array.astype(np.float64) for array in (self.data.shift, self.data.inverse_scale))
        return kernels.Gram(products, minimiser, rest, least, (self.centre - shift) * inverse, self.level)


class GramDescent:
    """Full-batch steps of lanes from their Gram matrices."""

    exact = True
    margin = 1e-6  # how far a loss may rise above its start by rounding

    def __init__(self, plan):
        self.plan = plan
        self.grams = Grams(plan.data, plan.lanes, plan.n_threads)

    def steps(self, lanes, rates, t):
        """A step for every row of ``rates`` (steps, lanes), of which the first has number t.

        Returns the objective and the norm of its smallest subgradient before each step, both (steps, lanes). ``lanes``
        are changed; they are those of the plan, perhaps other arrays of them.
        """
        count, width = lanes.weights.shape
        column, first = columns(self.grams.weighting, len(self.grams.pairs))
        work = aligned((4, width, max(int(first[-1]), 1)), np.float64)
        work[:] = 0
        objective, norm = np.empty((2, *rates.shape))
        sums, losses = np.empty((1, count, width)), np.empty((1, count))
        kernels.gram_steps(
            self.plan.data, self.plan.parts, lanes, self.grams.sums, self.grams.weighting, column, first,
            rates, t, work, sums, losses, objective, norm,
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
