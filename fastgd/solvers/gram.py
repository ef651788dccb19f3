"""Gram matrices of weighted rows, and the minimisers of squares that follow from them."""

import functools

import numpy as np

from ..kernels import cholesky, full_batch
from ..kernels import gram as kernels
from ..kernels.full_batch import CHUNK_ELEMENTS
from ..kernels.layouts import Dense, frozen
from ..kernels.products import zeros
from ..kernels.threads import cached_property, run_tasks
from .reduction import chunks_of
from .samples import few_rows

CHUNK_WORK = 1 << 25  # products of two numbers a chunk: about a millisecond
CHUNK_ROWS = 1024, 1 << 17  # with fewer rows of many columns, adding the chunks would cost as much as the products
GATHERED = 256  # rows multiplied at once: fewer took twice as long at d=2000, and more from d=50 on no less
COPIED_BYTES = 1 << 24  # of the columns that are copied at a time for the products of rows
# A column independent of the others by less than this share of its square gets 0 in the minimisers: large entries of
# opposite signs would bring rounding errors of their size into every loss.
DEPENDENT = 1e-5
LARGEST_BYTES = 1 << 25  # of the Gram matrices kept; summing them up takes about six times as much
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


def pairs(rows):
    """The mean number of products of two numbers of a sparse row, with the constant."""
    return (rows.stored // rows.shape[0] + 2) ** 2 // 2


def chunk_rows(rows):
    """Rows a chunk: so many that adding the chunks is cheap beside their products."""
    d, base = rows.shape[1], full_batch.chunk_rows(rows)
    if kernels.scatters(rows, d):
        least = max(2 * (d + 1) ** 2 // pairs(rows), CHUNK_ROWS[0])
    else:
        least = min(max(CHUNK_WORK // (d + 1) ** 2, CHUNK_ROWS[0]), CHUNK_ROWS[1])
    return base << max(0, (-(-least // base) - 1).bit_length())


def centre_of(data, weight=None):
    """The numbers subtracted from the columns, (d,): about their means, or 0 for sparse rows, to keep their zeros.

    With weights (n,), about their weighted means: where these lie on few rows, far from the others, products of columns
    that are centred at the others cancel. Constant columns are centred exactly.
    """
    if data.rows.sparse:
        return np.zeros(data.shift.size)
    some = few_rows(data.rows.shape[0])
    values = data.rows.take(some).values
    weight = np.ones(len(values)) if weight is None or not weight[some].any() else weight[some].astype(np.float64)
    with np.errstate(all="ignore"):
        base = values[np.argmax(weight)]
        return base.astype(np.float64) + np.einsum("i,ij->j", weight / weight.sum(), values - base)


def weighted_gram(data, weight, n_threads):
    """The sum of ``weight * z z^T`` over all rows, (D, D) float64, for weights (n,) of at least 0.

    z are the standardised rows and ``data.constant``; ``data.weight`` does not count. Rows of weight 0 are not read.
    """
    d = data.rows.shape[1]
    width = width_of(d + 1)
    data = data._replace(weight=weight)
    total = chunks_of(data, chunk_rows(data.rows), n_threads).sums(weighted_chunks, (), [(width, width)])
    return symmetric(total[0][: d + 1, : d + 1], data.constant)


def weighted_chunks(data, chunk, first, last, out):
    """The sum of ``weight * z z^T`` of each chunk from first to last, (chunks, width, width); the upper triangle."""
    n, width, centre = data.rows.shape[0], out.shape[1], data.shift.astype(np.float64)
    S = zeros((max(2, min(GATHERED, chunk, n)), width), np.float64)
    for c in range(first, last):
        sums = zeros((width, width), np.float64)
        kernels.weighted_chunk(data, centre, data.weight, c * chunk, min((c + 1) * chunk, n), S, sums)
        out[c] = sums


def products_of_rows(data, n_threads, centred=False):
    """The products of all standardised rows with each other, without the constant, (n, n) float64.

    Also the means (d,) of the columns, by which dense ones are centred once more where asked for, else zeros.
    """
    n, d = data.rows.shape
    if data.rows.sparse:
        return kernels.products_of_sparse_rows(data.rows, data.inverse_scale), np.zeros(d)
    values = data.rows.values if data.rows.in_memory else data.rows.of_columns(None)
    total, mean, width = np.zeros((n, n)), np.zeros(d), max(1, COPIED_BYTES // (8 * n))
    for first in range(0, d, width):
        some = slice(first, first + width)
        columns = values[:, some].astype(np.float64)
        columns -= data.shift[some]
        columns *= data.inverse_scale[some]
        columns = columns.T
        if centred:
            mean[some] = columns.mean(axis=1)
            columns -= mean[some, None]
        turned = data._replace(
            rows=Dense(frozen(np.ascontiguousarray(columns))), targets=frozen(np.zeros((1, 0))), shift=np.zeros(n),
            inverse_scale=np.ones(n), constant=0.0,
        )  # fmt: skip
        total += weighted_gram(turned, np.ones(len(columns)), n_threads)[:-1, :-1]
    return total, mean


@functools.lru_cache(4)
def below_diagonal(D):
    """Which numbers of a matrix (D, D) lie below the diagonal."""
    return np.tri(D, k=-1, dtype=bool)


def symmetric(upper, constant):
    """The upper triangle of a matrix as a whole one, the last row and column times ``constant``.

    A kernel took 2 us less up to D=100, and 0.14 s to compile.
    """
    out = np.array(upper, order="C")
    np.copyto(out, upper.T, where=below_diagonal(len(out)))
    out[-1] *= constant
    out[:-1, -1] *= constant
    return out


def width_of(columns):
    """Room for so many columns: an odd number of cache lines a row, as even ones share sets of the cache."""
    return (-(-columns // kernels.VECTOR) | 1) * kernels.VECTOR


def gram_chunks(data, centre, level, folds, replicates, held, chunk, first, last, *outs):
    """The sums of each chunk from first to last, of every weighting, as ``gram_chunk`` adds them."""
    n, d = data.rows.shape
    S = zeros((GATHERED, outs[0].shape[-1]), np.float64)
    for c in range(first, last):
        lo, hi = c * chunk, min((c + 1) * chunk, n)
        sums = [zeros(out.shape[1:], np.float64) for out in outs]
        block = max(GATHERED, CHUNK_ELEMENTS // d)
        kernels.gram_chunk(data, centre, level, folds, replicates, held, lo, hi, block, S, *sums)
        for out, one in zip(outs, sums, strict=True):
            out[c] = one


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
            self.level = data.targets[:, few_rows(self.n)].mean(axis=1, dtype=np.float64)
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
            # The other folds are added, not this one subtracted from the total: nothing cancels.
            found = [np.stack([sum(array[p] for p in parts if p != fold) for fold in folds]) for array in held]
        else:
            found = self.over_rows(folds, replicates, False)
        D, (sums, squares, totals) = self.d + 1, found
        upper, each = np.triu(sums[:, :D, :D]), totals[:, None, None]
        products = np.divide(upper + np.triu(upper, 1).swapaxes(1, 2), each, order="C")
        moments = np.divide(sums[:, :D, D : D + self.level.size].swapaxes(1, 2), each, order="C")
        return products, moments, squares / totals[:, None], totals

    def over_rows(self, folds, replicates, held):
        """The sums over all rows: over the rows that each fold holds out, or else those it trains on."""
        data, targets = self.data, self.level.size
        width = width_of(self.d + 1 + targets)
        shapes = (folds.size, width, width), (folds.size, targets), (folds.size,)
        chunks = chunks_of(data, chunk_rows(data.rows), self.n_threads)
        return chunks.sums(gram_chunks, (self.centre, self.level, folds, replicates, held), shapes)

    @cached_property
    def sums(self):
        """The Gram with its minimisers, as its docstring says."""
        products, moments, squares = self.products, self.moments, self.squares
        minimiser, rest = np.empty((2, *moments.shape))

        def task(q):
            cholesky.minimise(products[q], moments[q], DEPENDENT * np.diag(products[q]), minimiser[q], rest[q])

        run_tasks(task, len(products), self.n_threads)
        with np.errstate(all="ignore"):
            least = squares + (minimiser * (rest - moments)).sum(axis=2)
            least[least < EXACT * squares] = 0.0
        shift, inverse = (array.astype(np.float64) for array in (self.data.shift, self.data.inverse_scale))
        return kernels.Gram(products, minimiser, rest, least, (self.centre - shift) * inverse, self.level)
