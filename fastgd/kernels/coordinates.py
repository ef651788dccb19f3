"""Coordinate descent on a parabola with L1 and bounds, as for the lasso (Friedman, Hastie and Tibshirani 2010)."""

import numpy as np

from ._jit import kernel
from .pairs import add_to

OPEN, QUICK, SLOW = 0, 1, 2
FALLING = 0.1  # what a sweep brings, of what the one before brought


def image(matrix, x):
    """``matrix @ x`` of a symmetric matrix (D, D), in one order on any number of threads; NumPy took 4 times longer."""
    out = np.zeros(len(x))
    _add_image(matrix, x, out)
    return out


@kernel
def _add_image(matrix, x, out):
    for j in range(x.size):
        if x[j] != 0.0:
            add_to(out, x[j], matrix[j])


def descend_coordinates(matrix, slope, l1, low, high, weights, sweeps, share, least, brought):
    """Lower ``slope @ (u - w) + (u - w) @ matrix @ (u - w) / 2 + l1 * |u|`` within bounds; returns how it ends.

    Sweeps over the weights that are not at rest, until they are, then over all. It rests when a sweep over all brings
    no more than a share of what all sweeps have brought, or than the least that counts: a ``QUICK`` one if the sweep
    before brought far more, else a ``SLOW`` one, from which it may still be far. Otherwise it is ``OPEN``.

    Parameters
    ----------
    matrix : ndarray (D, D)
    slope : ndarray (D,)
        That of the parabola at the weights; changed with them.
    l1 : float
    low, high : ndarrays (D - 1,)
        The last weight, the intercept, has neither penalty nor bounds.
    weights : ndarray (D,)
        Changed in place.
    sweeps : int
        At most so many.
    share, least : float
    brought : ndarray (1,)
        What has been brought so far; changed.
    """
    active = np.empty(len(weights), np.int64)
    return _descend(matrix, slope, l1, low, high, weights, active, sweeps, share, least, brought)


@kernel
def _descend(matrix, slope, l1, low, high, weights, active, sweeps, share, least, brought):
    D, count, whole, before = weights.size, 0, True, np.inf
    for _ in range(sweeps):
        size, fallen = D if whole else count, 0.0
        count = 0 if whole else count
        for q in range(size):
            j = q if whole else active[q]
            bend, w, s = matrix[j, j], weights[j], slope[j]
            last = j == D - 1
            if whole and (w != 0.0 or last or abs(s) > l1):
                active[count] = j
                count += 1
            elif whole:
                continue  # zero, and at rest there
            if not bend > 0.0 and (last or abs(s) >= l1):
                continue
            new = 0.0  # where a column does not vary, and only the penalty counts
            if bend > 0.0:
                new = w - s / bend
            if not last:
                pull = l1 / bend if bend > 0.0 else 0.0
                new = new - pull if new > pull else (new + pull if new < -pull else 0.0)
                new = low[j] if new < low[j] else (high[j] if new > high[j] else new)
            change = new - w
            if change != 0.0:
                weights[j] = new
                row = matrix[j]
                for i in range(D):
                    slope[i] += change * row[i]
                fallen += change * change * bend
        brought[0] += fallen
        rests = fallen <= share * brought[0] + least
        if rests and whole:
            return QUICK if fallen <= FALLING * before + least else SLOW
        whole, before = rests, fallen
    return OPEN
