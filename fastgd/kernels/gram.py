"""Squared losses from the Gram matrix: the data are read once, then a step costs d**2 numbers a lane, whatever n is.

Columns and targets are centred by numbers close to their means, also where the settings say otherwise: sums of raw
squares cancel. The constant column is 1 always. What a lane's own shift and intercept are is minded in the step.
"""

from typing import NamedTuple

import numpy as np

from ._jit import compiled_as, kernel, routine
from .full_batch import step
from .lanes import move_of
from .products import BYTES, panel
from .row_weights import count as drawn
from .rows import count as count_rows
from .rows import dispatch_on_layout, prefetch, read

VECTOR = BYTES // 8
TILE = 64  # columns that are multiplied while they stay in the second-level cache
TILE_BYTES = 1 << 18
AHEAD_BYTES = 1 << 15
# Products of whole rows in the time of one that is added by itself. With 25 numbers of 100 a row, 100 of 400 and 200 of
# 1000, where these are 15, 15 and 25, both took about as long; with 10 of 1000 all columns took 100 times as long.
SCATTERED = 20


class Gram(NamedTuple):
    """The sums of every weighting of the rows, divided by the sum of its weights; float64, D = d + 1.

    With ``e = w - minimiser`` the mean squared residual of weights w is ``least + e @ (products @ e + 2 * rest)``. It
    is accurate to about 1e-15 of the targets' mean square; where the rows fit exactly, ``least`` is 0 and it falls to
    the square of what the weights' rounding leaves, as the mean over the rows does.
    """

    products: np.ndarray  # (weightings, D, D), the mean of z * z', where z are the centred rows and 1
    minimiser: np.ndarray  # (weightings, targets, D), where the mean is least, but for rounding
    rest: np.ndarray  # (weightings, targets, D), products @ minimiser - the mean of z * y: rounding alone
    least: np.ndarray  # (weightings, targets), the mean squared residual there
    offset: np.ndarray  # (d,), what was taken off the standardised columns
    level: np.ndarray  # (targets,), what was taken off the targets


@routine
def row_weights(data, fold, replicate, held, start, stop, out):
    """The weights of rows start to stop: as the fold trains on them, or of what it holds out where ``held``.

    Loops over one array each: row by row, with the questions inside, a row took 27 ns more.
    """
    for k in range(stop - start):
        out[k] = 1.0
    if data.weight.size > 0:
        for k in range(stop - start):
            out[k] = data.weight[start + k]
    if fold >= 0 and held:
        for k in range(stop - start):
            out[k] *= 1.0 if data.roles[fold, start + k] < 0 else 0.0
    elif fold >= 0:
        for k in range(stop - start):
            out[k] *= max(np.float64(data.roles[fold, start + k]), 0.0)
    if replicate >= 0:
        for k in range(stop - start):
            out[k] *= drawn(data.seed, replicate, start + k)


def add_products(S, rows, D, columns, out):
    """``out[:D, :columns] += S[:rows, :D].T @ S[:rows, :columns]``, of the square (D, D) the upper triangle at least.

    D and columns are rounded up to whole vectors, which S and out have room for.
    """
    out += S[:rows].T @ S[:rows]


@compiled_as(add_products, forceinline=False)
def _(S, rows, D, columns, out):
    def add_products(S, rows, D, columns, out):
        for tile in range(0, D, TILE):
            for v in range(tile, columns, VECTOR):
                for j in range(tile, min(tile + TILE, v + VECTOR, D), VECTOR):
                    panel(S, j, 1, S.shape[1], rows, S, out, j, v, 8, True)

    return add_products


def multiply(A, E, first, last, out):
    """``out[:, first:last] = A @ E[:, first:last]``; first and last are multiples of a vector."""
    out[:, first:last] = A @ E[:, first:last]


@compiled_as(multiply, forceinline=False)
def _(A, E, first, last, out):
    def multiply(A, E, first, last, out):
        D = A.shape[0]
        tile = max(8, TILE_BYTES // (8 * D) // 8 * 8)  # rows of A that stay in the cache for all lanes
        for low in range(0, D, tile):
            high = min(low + tile, D)
            middle = high - (high - low) % 8
            for v in range(first, last, VECTOR):
                for i in range(low, middle, 8):
                    panel(A, i * D, D, 1, D, E, out, i, v, 8, False)
                for i in range(middle, high):
                    panel(A, i * D, D, 1, D, E, out, i, v, 1, False)

    return multiply


@routine
def gather_rows(data, centre, level, picked, roots, count, S, squares):
    """Put the picked rows, 1 and their targets, centred and times the roots of their weights, into ``S``."""
    d = centre.size
    ahead = np.uint64(max(1, AHEAD_BYTES // (d * data.shift.itemsize)))
    last = np.uint64(count_rows(data.rows) - 1)
    for k in range(count):
        i = np.uint64(picked[k])
        root = roots[k]
        # The memory's own guesses end with every product: without this hint a row of 50 took 101 ns, with it 83.
        prefetch(data.rows, min(i + ahead, last))
        read(data.rows, i, centre, data.inverse_scale, root, S, k)
        S[k, d] = root
    for target in range(level.size):
        total = 0.0
        for k in range(count):
            y = roots[k] * (np.float64(data.targets[target, np.uint64(picked[k])]) - level[target])
            S[k, d + 1 + target] = y
            total += y * y
        squares[target] += total


def _never(rows, d):
    return False


def _thin(rows, d):
    numbers = rows.values.size // (rows.starts.size - 1) + 2
    return SCATTERED * numbers * numbers < d * d


# Whether rows have so few numbers that the products of these go by themselves: a function of shape.
scatters = dispatch_on_layout(_never, _thin)


@routine
def _gather_products(data, centre, level, picked, roots, count, S, sums, squares):
    """Rows of all columns first, then their product, into ``sums`` (width, width)."""
    gather_rows(data, centre, level, picked, roots, count, S, squares)
    D = -(-(centre.size + 1) // VECTOR) * VECTOR
    add_products(S, count, D, centre.size + 1 + level.size, sums)


@routine
def _scatter_products(data, level, picked, roots, count, sums, squares):
    """The products of each row's numbers, 1 and targets, where they belong: the upper triangle, as columns ascend."""
    rows, d, targets = data.rows, data.shift.size, level.size
    columns, z = np.empty(sums.shape[1], np.int64), np.empty(sums.shape[1])
    for k in range(count):
        i, size = np.uint64(picked[k]), 0
        for q in range(rows.starts[i], rows.starts[i + np.uint64(1)]):
            j = rows.indices[q]
            columns[size] = j
            z[size] = np.float64(rows.values[q]) * data.inverse_scale[j] * roots[k]
            size += 1
        columns[size], z[size] = d, roots[k]
        for target in range(targets):
            y = roots[k] * (np.float64(data.targets[target, i]) - level[target])
            columns[size + 1 + target], z[size + 1 + target] = d + 1 + target, y
            squares[target] += y * y
        for a in range(size + 1):
            row, x = np.uint64(columns[a]), z[a]
            for b in range(a, size + 1 + targets):
                sums[row, np.uint64(columns[b])] += x * z[b]


def _dense_products(rows, data, centre, level, picked, roots, count, S, sums, squares):
    _gather_products(data, centre, level, picked, roots, count, S, sums, squares)


def _sparse_products(rows, data, centre, level, picked, roots, count, S, sums, squares):
    if scatters(rows, centre.size):
        _scatter_products(data, level, picked, roots, count, sums, squares)
    else:
        _gather_products(data, centre, level, picked, roots, count, S, sums, squares)


# Add the products of the picked rows to the sums.
row_products = dispatch_on_layout(_dense_products, _sparse_products)


@kernel
def gram_chunk(data, centre, level, fold, replicate, held, lo, hi, block, S, sums, squares, totals):
    """Add rows lo to hi to the sums of every weighting.

    Parameters
    ----------
    data : Data
    centre : ndarray (d,) float64
        Taken off the raw columns, which ``data.inverse_scale`` then multiplies.
    level : ndarray (targets,) float64
        Taken off the targets.
    fold, replicate : ndarrays (weightings,) int64
    held : bool
        Whether the rows are those that the folds hold out.
    block : int
        Rows that stay in the cache until all weightings have read them.
    S : ndarray (rows, width) float64
        Zeros: where rows of positive weight are gathered, times the roots of their weights, to be multiplied.
    sums : ndarray (weightings, width, width) float64
        The products of columns, 1 and targets; the upper triangle, of the targets among each other nothing of use.
    squares : ndarray (weightings, targets) float64
        The targets' squares.
    totals : ndarray (weightings,) float64
        The weights.
    """
    weights = np.empty(block)
    picked, roots = np.empty(S.shape[0], np.int64), np.empty(S.shape[0])
    for start in range(lo, hi, block):
        stop = min(start + block, hi)
        for q in range(fold.size):
            row_weights(data, fold[q], replicate[q], held, start, stop, weights)
            i = start
            while i < stop:
                count, total = 0, 0.0
                while i < stop and count < picked.size:
                    weight = weights[i - start]
                    if weight != 0.0:
                        picked[count], roots[count] = i, np.sqrt(weight)
                        total += weight
                        count += 1
                    i += 1
                totals[q] += total
                row_products(data.rows, data, centre, level, picked, roots, count, S, sums[q], squares[q])


@kernel
def minimise(products, moments, least, minimiser, rest):
    """The least-squares solutions (targets, D) of one weighting by Cholesky's method, and what they leave.

    A column of which less than ``least`` (D,) is independent of those before it gets 0.
    """
    D = products.shape[0]
    L = np.zeros((D, D))
    inverse = np.zeros(D)
    for j in range(D):
        for i in range(j + 1):
            total = products[j, i]
            for k in range(i):
                total -= L[j, k] * L[i, k]
            if i < j:
                L[j, i] = total * inverse[i]
            elif total > least[j]:
                L[j, j] = np.sqrt(total)
                inverse[j] = 1.0 / L[j, j]
    for target in range(moments.shape[0]):
        w = minimiser[target]
        for j in range(D):
            total = moments[target, j]
            for k in range(j):
                total -= L[j, k] * w[k]
            w[j] = total * inverse[j]
        for j in range(D - 1, -1, -1):
            w[j] *= inverse[j]
            for k in range(j):
                w[k] -= L[j, k] * w[j]
        for j in range(D):
            total = 0.0
            for k in range(D):
                total += products[j, k] * w[k]
            rest[target, j] = total - moments[target, j]


@routine
def lay_out(gram, lanes, weighting, column, minimisers, rests):
    """Each lane's minimiser and rest into its column, (D, columns)."""
    D = gram.products.shape[1]
    for lane in range(column.size):
        q, target, m = weighting[lane], lanes.target[lane], column[lane]
        for j in range(D):
            minimisers[j, m] = gram.minimiser[q, target, j]
            rests[j, m] = gram.rest[q, target, j]
        minimisers[D - 1, m] += gram.level[target]


@routine
def centred(data, gram, lanes, column, minimisers, E):
    """The weights that centred rows are multiplied by, less the minimiser, a lane a column."""
    d = gram.offset.size
    for lane in range(column.size):
        m = column[lane]
        intercept = np.float64(lanes.weights[lane, d]) * data.constant
        for j in range(d):
            w = np.float64(lanes.weights[lane, j])
            E[j, m] = w - minimisers[j, m]
            intercept += w * gram.offset[j]
        E[d, m] = intercept - minimisers[d, m]


def gram_steps(data, parts, lanes, gram, weighting, column, first, rates, t, work, sums, losses, objective, norm):
    """Several full-batch steps of all lanes: rates, objective and norm are (steps, lanes).

    Parameters
    ----------
    data, parts, lanes : Data, Parts, Lanes
    gram : Gram
    weighting : ndarray (lanes,) int64
    column : ndarray (lanes,) int64
        The column of ``work`` where a lane is.
    first : ndarray (weightings + 1,) int64
        Where the columns of each weighting begin, a multiple of a vector.
    t : int
        The number of the first step.
    work : ndarray (4, D, columns) float64
        Scratch, zeros at first.
    sums, losses : ndarrays (1, lanes, D) and (1, lanes) float64
        Scratch.
    """
    move = move_of(parts, lanes)
    _gram_steps(data, move, lanes, gram, weighting, column, first, rates, t, work, sums, losses, objective, norm)


@kernel
def _gram_steps(data, move, lanes, gram, weighting, column, first, rates, t, work, sums, losses, objective, norm):
    E, H, minimisers, rests = work[0], work[1], work[2], work[3]
    D, columns = E.shape
    total = np.empty(columns)
    lay_out(gram, lanes, weighting, column, minimisers, rests)
    for k in range(rates.shape[0]):
        centred(data, gram, lanes, column, minimisers, E)
        for q in range(first.size - 1):
            multiply(gram.products[q], E, first[q], first[q + 1], H)
        for m in range(columns):
            total[m] = 0.0
        for j in range(D):
            for m in range(columns):
                H[j, m] += rests[j, m]
                total[m] += E[j, m] * (H[j, m] + rests[j, m])
        gather(data, gram, lanes, weighting, column, H, total, sums, losses)
        step(data, move, lanes, rates, k, t + k, sums, losses, objective, norm)


@routine
def gather(data, gram, lanes, weighting, column, H, total, sums, losses):
    """What ``step`` takes from a pass: the sums of the gradients and of the losses, (1, lanes, D) and (1, lanes)."""
    d = gram.offset.size
    for lane in range(column.size):
        m = column[lane]
        factor = lanes.loss[lane, 0]
        double = 2.0 * factor
        mean = total[m] + gram.least[weighting[lane], lanes.target[lane]]
        if mean < 0.0:  # max would turn NaN into 0
            mean = 0.0
        losses[0, lane] = factor * mean * data.count
        for j in range(d):
            # In the lanes' type: a gradient beyond its largest number stops the lane.
            gradient = lanes.weights.dtype.type(double * (H[j, m] + gram.offset[j] * H[d, m]))
            sums[0, lane, j] = np.float64(gradient) * data.count
        sums[0, lane, d] = np.float64(lanes.weights.dtype.type(double * H[d, m] * data.constant)) * data.count
