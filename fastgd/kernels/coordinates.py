"""Coordinate descent on a parabola with L1 and bounds, as for the lasso (Friedman, Hastie and Tibshirani 2010)."""

import numpy as np

from ._jit import kernel
from .pairs import add_to

FALLING = 0.1  # of what the sweep before the last one brought: if the last one brings more, sweeps are slow
NONE = np.zeros(0)


def diagonal_of(matrix):
    """The diagonal of a matrix (D, D), or of one that is given by it (D,)."""
    return matrix if matrix.ndim == 1 else matrix.diagonal()


def image(matrix, x, alike=NONE):
    """A symmetric matrix (D, D), or its diagonal (D,), of each class times x (weights,); ``alike`` as of a parabola.

    In one order on any number of threads; NumPy took 4 times longer.
    """
    rows = x.reshape(-1, matrix.shape[-1])
    if matrix.ndim == 1:
        out = rows * matrix
    else:
        out = np.zeros(rows.shape)
        for row, found in zip(rows, out, strict=True):
            _add_image(matrix, row, found)
    if alike.size:
        out -= (out.sum(axis=0) - alike * rows.sum(axis=0)) / len(rows)
    return out.reshape(-1)


@kernel
def _add_image(matrix, x, out):
    for j in range(x.size):
        if x[j] != 0.0:
            add_to(out, x[j], matrix[j])


def part_of(matrix, some):
    """The rows and columns of a matrix with some numbers; NumPy took 4 times longer."""
    out = np.empty((some.size, some.size))
    _copy_part(matrix, some, out)
    return out


@kernel
def _copy_part(matrix, some, out):
    for a in range(some.size):
        row, part = matrix[some[a]], out[a]
        for b in range(some.size):
            part[b] = row[some[b]]


def learned_factors(images, changes, order, offset, places, scale, lower, root, inner):
    """What pairs change of a matrix: ``factors[:, :m] @ factors[:, :m].T``, less the same of the rest.

    Parameters
    ----------
    images, changes : ndarrays (ring, weights)
        The matrix times the moves of pairs, and the changes of the gradient.
    order : ndarray (m,) of int64
        The places of the pairs in the ring, the oldest first.
    offset : ndarray (D - 1,) or None
        That by which columns are centred; of each class.
    places : ndarray (F,) of int64
        The weights asked for.
    scale : float
        That of the matrix.
    lower, inner : ndarrays (m, m), lower triangular
        ``L d^-1``, and the inverse of the Cholesky factor of C, in the terms of ``Coordinates``.
    root : ndarray (m,)
        ``d ** -0.5``.

    Returns
    -------
    ndarray (F, 2 * m)
    """
    m = len(order)
    factors, offset = np.empty((len(places), 2 * m)), NONE if offset is None else offset
    _learned_factors(images, changes, order, offset, places, scale, lower, root, inner, *np.empty((2, m)), factors)
    return factors


@kernel
def _learned_factors(images, changes, order, offset, places, scale, lower, root, inner, y, u, factors):
    m, D = order.size, offset.size + 1
    for f in range(places.size):
        place = places[f]
        j = place % D
        last = place - j + D - 1
        for i in range(m):
            y[i] = changes[order[i], place]
            if j < D - 1:
                y[i] -= offset[j] * changes[order[i], last]
            factors[f, i] = y[i] * root[i]
        for i in range(m):
            total = scale * images[order[i], place]
            for k in range(i):
                total += lower[i, k] * y[k]
            u[i] = total
        for i in range(m):
            total = 0.0
            for k in range(i + 1):
                total += inner[i, k] * u[k]
            factors[f, m + i] = total


def descend_coordinates(parabola, bends, found, slope, kinks, weights, sweeps, share, least, brought):
    """Lower ``slope @ (u - w) + (u - w) @ H @ (u - w) / 2 + l1 * |u|`` within bounds; returns whether it rests.

    Sweeps over the weights that are not at rest, until they are, then over all. The end is a sweep over all that brings
    no more than a share of what all sweeps have brought, or than the least that counts. It rests there if the sweep
    before brought far more; else it may still be far from the minimum.

    Parameters
    ----------
    parabola : Parabola
        H, the second derivatives.
    bends : ndarray (places,)
        The diagonal of H.
    found : ndarray (2 * m,)
        The products of the factors with the moves so far; changed.
    slope : ndarray (weights,)
        That of the parabola at the weights, without what the factors change of it; changed with them.
    kinks : Kinks
    weights : ndarray (weights,)
        Changed in place.
    sweeps : int
        At most so many.
    share, least : float
    brought : ndarray (1,)
        What has been brought so far; changed.
    """
    matrix, alike, classes, scale, places, factors = parabola
    active, total = np.empty(len(places), np.int64), np.zeros(len(alike))
    rests = _descend(
        matrix.reshape(-1, matrix.shape[-1]), alike, scale, scale / classes, places, factors, bends, found, slope,
        *kinks, weights, active, total, sweeps, share, least, brought,
    )  # fmt: skip
    if total.size:
        slope.reshape(classes, -1)[:] -= total
    return rests


@kernel
def _descend(
    matrix, alike, scale, part, places, factors, bends, found, slope, l1, low, high, weights, active, total, sweeps,
    share, least, brought,
):  # fmt: skip
    """``total`` (D,) is what the classes have in common, taken off the slope of each; none where nothing is."""
    D, half, diagonal, coupled = matrix.shape[1], found.size // 2, matrix.shape[0] == 1, total.size > 0
    count, whole, before = 0, True, np.inf
    for _ in range(sweeps):
        size, fallen = places.size if whole else count, 0.0
        count = 0 if whole else count
        for q in range(size):
            f = q if whole else active[q]
            p = places[f]
            bend, w, s, row = bends[f], weights[p], slope[p], factors[f]
            learned = forgotten = 0.0
            for i in range(half):
                learned += row[i] * found[i]
            for i in range(half, found.size):
                forgotten += row[i] * found[i]
            s += learned - forgotten
            j = p % D
            if coupled:
                s -= total[j]
            if whole and (w != 0.0 or abs(s) > l1[p]):
                active[count] = f
                count += 1
            elif whole:
                continue  # zero, and at rest there
            if not bend > 0.0 and abs(s) >= l1[p]:
                continue
            new = 0.0  # where a column does not vary, and only the penalty counts
            if bend > 0.0:
                new = w - s / bend
            pull = l1[p] / bend if bend > 0.0 else 0.0
            new = new - pull if new > pull else (new + pull if new < -pull else 0.0)
            new = low[p] if new < low[p] else (high[p] if new > high[p] else new)
            change = new - w
            if change != 0.0:
                weights[p] = new
                for i in range(found.size):
                    found[i] += change * row[i]
                if diagonal:
                    slope[p] += scale * change * matrix[0, j]
                    if coupled:
                        total[j] += part * change * matrix[0, j]
                else:
                    behind, column, change_here = slope[p - j : p - j + D], matrix[j], scale * change
                    for i in range(D):
                        behind[i] += change_here * column[i]
                    if coupled:
                        change_here = part * change
                        for i in range(D):
                            total[i] += change_here * column[i]
                if coupled:
                    total[j] -= part * change * alike[j]
                fallen += change * change * bend
        brought[0] += fallen
        over = fallen <= share * brought[0] + least
        if over and whole:
            return fallen <= FALLING * before + least
        whole, before = over, fallen
    return False
