"""Steps in whitened coordinates: a stage of ``staged_sgd.StagedSGD``, for one lane, in float64 throughout."""

import numpy as np

from ._jit import helper, kernel
from .addresses import address, at, call
from .part_functions import implicit_step, loss_block
from .rows import count, prefetch, read


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
    loss = address(implicit_step, np.float64, type(parts.loss))
    _whitened_steps(data, loss, lanes, order, ahead, batch, rates, t, triangle, anchor, place, mean, forget, losses)


@kernel
def _whitened_steps(data, loss, lanes, order, ahead, batch, rates, t, triangle, anchor, place, mean, forget, losses):
    D = anchor.size
    table, z, gradient = np.empty((1, D)), np.zeros(D), np.empty(D)
    x, found = table[0], np.empty(2)
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
            call(loss, lanes.loss, 0, p, target, rate * weight * size, found)
            losses[0] += found[0] * weight
            slope = found[1] * weight
            for j in range(D):
                gradient[j] += slope * z[j]
        share = (forget + 1.0) / (t + s + 1.0 + forget)
        for j in range(D):
            place[j] -= rate * gradient[j]
            mean[j] += share * (place[j] - mean[j])


def curvature(data, parts, lanes, weights, width, floor, out):
    """The mean of ``second_derivative * row row^T`` at weights (D,), the lower triangle of ``out`` (D, D).

    A row's second derivative is by differences of ``width``, or of the mean absolute residual where ``width`` is 0; it
    is at least ``floor`` times the mean. Rows count by their weights.
    """
    _curvature(data, address(loss_block, np.float64, type(parts.loss)), lanes, weights, width, floor, out)


@kernel
def _curvature(data, loss, lanes, weights, width, floor, out):
    n, D = count(data.rows), weights.size
    table, above, scores = np.empty((1, D)), np.empty(n), np.empty(n)
    x, y, sums = table[0], data.targets[lanes.target[0]].astype(np.float64), np.empty(2)
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
        above[i] = scores[i] + h
        scores[i] -= h
    fields, target, found = at(lanes.loss, 0), at(y, 0), at(sums, 0)
    call(loss, fields, at(above, 0), n, 0.0, target, target, False, found)
    call(loss, fields, at(scores, 0), n, 0.0, target, target, False, found)
    for i in range(n):
        weight = np.float64(data.weight[i]) if data.weight.size > 0 else 1.0
        above[i] = (above[i] - scores[i]) / (2.0 * h)
        total += weight * above[i]
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
        second_derivative = weight * max(above[i], least) / data.count if known else weight / data.count
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
