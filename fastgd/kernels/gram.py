"""Squared losses from the Gram matrix: the data are read once, then a step costs d**2 numbers a lane, whatever n is.

Columns and targets are centred by numbers close to their means, also where the settings say otherwise: sums of raw
squares cancel. The constant column is 1 always. What a lane's own shift and intercept are is minded in the step.
"""

from typing import NamedTuple

import numpy as np

from ._jit import kernel, routine
from .addresses import at
from .emit import BYTES
from .full_batch import gradient_steps
from .lane_vectors import assume_noalias
from .prefetching import prefetch_run
from .products import panel
from .row_weights import row_weights

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


def scatters(rows, d):
    """Whether rows have so few numbers that the products of these go by themselves: a function of shape."""
    if not rows.sparse:
        return False
    numbers = rows.stored // rows.shape[0] + 2
    return SCATTERED * numbers * numbers < d * d


def gram_chunk(data, centre, level, folds, replicates, held, lo, hi, block, S, sums, squares, totals):
    """Add rows lo to hi to the sums of every weighting.

    Parameters
    ----------
    data : Data
    centre : ndarray (d,) float64
        Taken off the raw columns, which ``data.inverse_scale`` then multiplies.
    level : ndarray (targets,) float64
        Taken off the targets.
    folds, replicates : ndarrays (weightings,) int64
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
    rows, scale = data.rows.flat(), data.inverse_scale
    add = _add_pairs if scatters(data.rows, centre.size) else _add_rows
    for start in range(lo, hi, block):
        for q, (fold, replicate) in enumerate(zip(folds, replicates, strict=True)):
            weights = row_weights(data, fold, replicate, held, start, min(start + block, hi))
            totals[q] += weights.sum()
            add(*rows, data.targets, centre, scale, level, np.uint64(start), weights, S, sums[q], squares[q])


def weighted_chunk(data, centre, weight, lo, hi, S, sums):
    """Add ``weight * z z^T`` of rows lo to hi, where z are standardised rows and 1, to the upper triangle of ``sums``.

    ``centre`` (d,) float64 is the shift of the columns; S and sums (width, width) are as for ``gram_chunk``.
    """
    rows, level = data.rows, np.empty(0)
    add = _add_pairs if scatters(rows, centre.size) else _add_rows
    weight = np.array(weight[lo:hi], np.float64)
    add(*rows.flat(), data.targets, centre, data.inverse_scale, level, np.uint64(lo), weight, S, sums, level)


def products_of_sparse_rows(rows, inverse_scale):
    """The products of all sparse rows, whose numbers are scaled, with each other: (n, n) float64."""
    n, d = rows.shape
    out = np.empty((n, n))
    _products_of_sparse_rows(*rows.flat(), inverse_scale, np.zeros(d), out)
    return out


@kernel
def _products_of_sparse_rows(values, indices, starts, inverse_scale, spread, out):
    """Each row in turn is spread out in zeros (d,)."""
    for i in range(out.shape[0]):
        for q in range(starts[i], starts[i + 1]):
            spread[indices[q]] += np.float64(values[q]) * inverse_scale[indices[q]]
        for k in range(i + 1):
            total = 0.0
            for q in range(starts[k], starts[k + 1]):
                total += np.float64(values[q]) * inverse_scale[indices[q]] * spread[indices[q]]
            out[i, k] = out[k, i] = total
        for q in range(starts[i], starts[i + 1]):
            spread[indices[q]] = 0.0


@kernel
def _add_rows(values, indices, starts, targets, centre, inverse_scale, level, first, weights, S, sums, squares):
    """Gather some rows from ``first`` on at a time, 1 and the targets behind them, and add their products.

    D and the columns are rounded up to whole vectors, which S and the sums have room for.
    """
    assume_noalias()
    d, D, columns = np.uint64(centre.size), centre.size + 1, centre.size + 1 + level.size
    ahead = np.uint64(AHEAD_BYTES // values.itemsize)
    mean, scale, shares = at(centre, 0), at(inverse_scale, 0), at(weights, 0)
    levels, errors = at(level, 0), at(squares, 0)
    i, last = first, first + np.uint64(weights.size)
    while i < last:
        k = 0
        while i < last and k < S.shape[0]:
            weight = shares[i - first]
            if weight != 0.0:
                root, row = np.sqrt(weight), at(S, k)
                begin, end = (starts[i], starts[i + np.uint64(1)]) if starts is not None else (i * d, i * d + d)
                # The memory's own guesses end with each product: without the hint a row of 50 took 101 ns, with it 83.
                prefetch_run(values, begin + ahead, end + ahead)
                if starts is not None:
                    for j in range(d):
                        row[j] = 0.0
                    for q in range(begin, end):
                        row[indices[q]] = np.float64(values[q]) * scale[indices[q]] * root
                else:
                    x = at(values, begin)
                    for j in range(d):
                        row[j] = (np.float64(x[j]) - mean[j]) * scale[j] * root
                row[d] = root
                for target in range(level.size):
                    y = root * (np.float64(targets[target, i]) - levels[target])
                    row[D + target] = y
                    errors[target] += y * y
                k += 1
            i += np.uint64(1)
        # Eight columns times two vectors, less what lies below the diagonal. Three at once took as long (d=10 to 500;
        # 0.97 at d=1000), and longer to compile; panels of one size, beyond the diagonal, took up to 1.4 times as long.
        for tile in range(0, D, TILE):
            for v in range(tile, columns, 2 * VECTOR):
                for j in range(tile, tile + TILE, VECTOR):
                    start = v if v > j else j
                    left = (v + 2 * VECTOR if v + 2 * VECTOR < columns else columns) - start
                    if left > VECTOR and j < D:
                        panel(S, j, 1, S.shape[1], k, S, sums, j, start, 8, 2, True)
                    elif left > 0 and j < D:
                        panel(S, j, 1, S.shape[1], k, S, sums, j, start, 8, 1, True)


@kernel
def _add_pairs(values, indices, starts, targets, centre, inverse_scale, level, first, weights, S, sums, squares):
    """Add the products of each row's numbers, 1 and targets, where they belong: the upper triangle, as columns ascend.

    Row 0 of S holds the numbers, and row 1 their columns.
    """
    D = centre.size + 1
    for k in range(weights.size):
        i, root, size = first + np.uint64(k), np.sqrt(weights[k]), 0
        if root == 0.0:
            continue
        for q in range(starts[i], starts[i + np.uint64(1)]):
            S[0, size] = np.float64(values[q]) * inverse_scale[indices[q]] * root
            S[1, size] = indices[q]
            size += 1
        S[0, size], S[1, size] = root, D - 1
        for target in range(level.size):
            y = root * (np.float64(targets[target, i]) - level[target])
            S[0, size + 1 + target], S[1, size + 1 + target] = y, D + target
            squares[target] += y * y
        for a in range(size + 1):
            row, x = np.uint64(S[1, a]), S[0, a]
            for b in range(a, size + 1 + level.size):
                sums[row, np.uint64(S[1, b])] += x * S[0, b]


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
    work : ndarray (5, D, columns) float64
        Scratch, zeros at first.
    sums, losses : ndarrays (1, lanes, D) and (1, lanes) float64
        Scratch.
    """
    minimisers = gram.minimiser[weighting, lanes.target]
    minimisers[:, -1] += gram.level[lanes.target]
    work[2][:, column], work[3][:, column] = minimisers.T, gram.rest[weighting, lanes.target].T
    gradient_steps(
        _gram_sums,
        (
            data.constant, data.count, lanes.weights, lanes.loss, gram.products, gram.offset,
            gram.least[weighting, lanes.target], column, first, work, sums, losses,
        ),
        data, parts, lanes, rates, t, sums, losses, objective, norm,
    )  # fmt: skip


@kernel
def _gram_sums(constant, count, weights, loss, products, offset, least, column, first, work, sums, losses):
    """The sums of the gradients and of the losses, as a pass over all rows gives them."""
    E, H, minimisers, rests, total = work[0], work[1], work[2], work[3], work[4, 0]
    D, columns = E.shape
    d, dtype = D - 1, weights.dtype
    # The weights that centred rows are multiplied by, less the minimiser, a lane a column.
    for lane in range(column.size):
        m = column[lane]
        intercept = np.float64(weights[lane, d]) * constant
        for j in range(d):
            w = np.float64(weights[lane, j])
            E[j, m] = w - minimisers[j, m]
            intercept += w * offset[j]
        E[d, m] = intercept - minimisers[d, m]
    multiply(products, E, first, H)
    for m in range(columns):
        total[m] = 0.0
    for j in range(D):
        for m in range(columns):
            H[j, m] += rests[j, m]
            total[m] += E[j, m] * (H[j, m] + rests[j, m])
    for lane in range(column.size):
        m, factor = column[lane], loss[lane, 0]
        mean = total[m] + least[lane]
        if mean < 0.0:  # max would turn NaN into 0
            mean = 0.0
        losses[0, lane] = factor * mean * count
        for j in range(d):
            # In the lanes' type: a gradient beyond its largest number stops the lane.
            gradient = dtype.type(2.0 * factor * (H[j, m] + offset[j] * H[d, m]))
            sums[0, lane, j] = np.float64(gradient) * count
        sums[0, lane, d] = np.float64(dtype.type(2.0 * factor * H[d, m] * constant)) * count


@routine
def multiply(products, E, first, out):
    """``out = products[q] @ E`` in the columns first[q] to first[q + 1] of each weighting."""
    D = E.shape[0]
    tile = TILE_BYTES // (8 * D) // 8 * 8  # rows of the products that stay in the cache for all lanes
    if tile < 8:
        tile = 8
    for q in range(first.size - 1):
        for low in range(0, D, tile):
            high = low + tile if low + tile < D else D
            middle = high - (high - low) % 8
            for v in range(first[q], first[q + 1], VECTOR):
                for i in range(low, middle, 8):
                    panel(products[q], i * D, D, 1, D, E, out, i, v, 8, 1, False)
                for i in range(middle, high):
                    panel(products[q], i * D, D, 1, D, E, out, i, v, 1, 1, False)
