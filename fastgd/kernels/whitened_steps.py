"""Steps in whitened coordinates: a stage of ``staged_sgd.StagedSGD``, for one lane, in float64 throughout."""

import numpy as np

from ._jit import helper, kernel, lane_of
from .rows import count, prefetch, read

CLOSE = 0.05  # how exactly, relatively, an implicit slope is found
ROUNDS = 12
NEAR, APART = 4.0, 1e-6  # ratios of the bracket's ends: the first is near, the second as far as is guessed


@helper
def implicit_slope(loss, p, y, reach):
    """The slope ``s = loss.slope(p - reach * s, y)`` behind a step that moves the score by ``-reach * s``.

    Its share of the first slope is bracketed, for a convex loss, by regula falsi (of a line the first guess is exact),
    and by geometric means while the ends are far apart, as an exponential's are. What is returned lies before the root,
    or is it to a few hundredths. A loss that isn't convex here keeps its slope.
    """
    first = np.float64(loss.slope(p, y))
    if first == 0.0 or not abs(reach * first) < np.inf:
        return first
    low, below, high = 0.0, -1.0, 1.0
    above = 1.0 - np.float64(loss.slope(p - reach * first, y)) / first
    if above < CLOSE:
        return first
    for _ in range(ROUNDS):
        if above < np.inf and (low == 0.0 or high < NEAR * low):
            share = (low * above - high * below) / (above - below)
        else:
            share = np.sqrt(max(low, APART * high) * high)
        off = share - np.float64(loss.slope(p - reach * share * first, y)) / first
        if abs(off) <= CLOSE * share:
            return share * first
        if off < 0.0:
            low, below = share, off
        else:
            high, above = share, off
        if high - low <= CLOSE * high:
            break
    return low * first


@helper
def read_row(data, i, table):
    """Row i, standardised, with the constant behind it, into a table of one row."""
    read(data.rows, np.uint64(i), data.shift, data.inverse_scale, 1.0, table, 0)
    table[0, data.shift.size] = data.constant


@helper
def dot(a, b):
    total = 0.0
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@kernel
def whitened_steps(data, parts, lanes, order, ahead, batch, rates, t, triangle, anchor, place, mean, forget, losses):
    """One implicit step for every ``batch`` rows of ``order``; the sum of losses is added to ``losses`` (1,).

    Parameters
    ----------
    rates : ndarray (steps,)
    t : int
        Steps of the stage behind this call.
    triangle : ndarray (D, D)
        Lower triangular: ``z = triangle @ x`` is a whitened row; a row of zeros is a coordinate that is left out.
    anchor, place, mean : ndarrays (D,)
        The weights are ``anchor + triangle.T @ place``; the mean of the places gives the one after step k of the stage
        the weight ``(forget + 1) / (k + forget)`` against those before (Shamir and Zhang 2013).
    """
    D = anchor.size
    table, z, gradient = np.empty((1, D)), np.zeros(D), np.empty(D)
    x = table[0]
    loss = lane_of(parts.loss, lanes.loss, 0)
    y = data.targets[lanes.target[0]]
    for s in range((order.size + batch - 1) // batch):
        rate = rates[s] / batch
        for j in range(D):
            gradient[j] = 0.0
        for k in range(s * batch, min((s + 1) * batch, order.size)):
            i = order[k]
            prefetch(data.rows, ahead[k])
            read_row(data, i, table)
            size = 0.0
            for a in range(D):
                if triangle[a, a] > 0.0:
                    total = 0.0
                    for j in range(a + 1):
                        total += triangle[a, j] * x[j]
                    z[a] = total
                    size += total * total
            p = dot(anchor, x) + dot(place, z)
            if data.offset.size > 0:
                p += data.offset[i]
            weight = np.float64(data.weight[i]) if data.weight.size > 0 else 1.0
            target = np.float64(y[i])
            losses[0] += np.float64(loss.value(p, target)) * weight
            slope = implicit_slope(loss, p, target, rate * weight * size) * weight
            for j in range(D):
                gradient[j] += slope * z[j]
        share = (forget + 1.0) / (t + s + 1.0 + forget)
        for j in range(D):
            place[j] -= rate * gradient[j]
            mean[j] += share * (place[j] - mean[j])


@kernel
def curvature(data, parts, lanes, weights, width, floor, out):
    """The mean of ``second_derivative * row row^T`` at weights (D,), the lower triangle of ``out`` (D, D).

    A row's second derivative is by differences of ``width``, or of the mean absolute residual where ``width`` is 0; it
    is at least ``floor`` times the mean. Rows count by their weights.
    """
    n, D = count(data.rows), weights.size
    table, second_derivatives, scores = np.empty((1, D)), np.empty(n), np.empty(n)
    x = table[0]
    loss = lane_of(parts.loss, lanes.loss, 0)
    y = data.targets[lanes.target[0]]
    away = 0.0
    for i in range(n):
        read_row(data, i, table)
        scores[i] = dot(weights, x)
        if data.offset.size > 0:
            scores[i] += data.offset[i]
        weight = np.float64(data.weight[i]) if data.weight.size > 0 else 1.0
        away += weight * abs(scores[i] - y[i])
    h = width if width > 0.0 else away / data.count
    total = 0.0
    for i in range(n):
        weight = np.float64(data.weight[i]) if data.weight.size > 0 else 1.0
        above = np.float64(loss.slope(scores[i] + h, np.float64(y[i])))
        below = np.float64(loss.slope(scores[i] - h, np.float64(y[i])))
        second_derivatives[i] = (above - below) / (2.0 * h)
        total += weight * second_derivatives[i]
    least = floor * total / data.count
    known = 0.0 < total < np.inf
    for a in range(D):
        for j in range(a + 1):
            out[a, j] = 0.0
    for i in range(n):
        weight = np.float64(data.weight[i]) if data.weight.size > 0 else 1.0
        if weight == 0.0:
            continue
        read_row(data, i, table)
        second_derivative = weight * max(second_derivatives[i], least) / data.count if known else weight / data.count
        for a in range(D):
            scaled = second_derivative * x[a]
            for j in range(a + 1):
                out[a, j] += scaled * x[j]


@kernel
def whitening(matrix, share, out):
    """The inverse of the Cholesky factor of ``matrix`` (D, D; its lower triangle), into ``out``, lower triangular.

    A coordinate whose pivot is less than ``share`` of its diagonal follows from those before it: it is left out, its
    row and its column are zero.
    """
    D = matrix.shape[0]
    factor = np.zeros((D, D))
    for j in range(D):
        for k in range(D):
            out[j, k] = 0.0
    for j in range(D):
        pivot = matrix[j, j] - dot(factor[j, :j], factor[j, :j])
        if not pivot > share * matrix[j, j]:
            continue
        root = np.sqrt(pivot)
        factor[j, j] = root
        for i in range(j + 1, D):
            factor[i, j] = (matrix[i, j] - dot(factor[i, :j], factor[j, :j])) / root
        out[j, j] = 1.0 / root
        for k in range(j):
            total = 0.0
            for m in range(k, j):
                total += factor[j, m] * out[m, k]
            out[j, k] = -total / root
