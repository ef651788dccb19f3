"""Steps in whitened coordinates: a stage of ``staged_sgd.StagedSGD``, for one lane, in float64 throughout."""

import numpy as np

from ._jit import kernel
from .addresses import address, call
from .lane_vectors import assume_noalias
from .part_functions import implicit_step
from .prefetching import prefetch_run

BLOCK = 1 << 15  # numbers of a temporary
WIDE, SOME = 10.0, 4096  # median residuals, the most that a mean one counts as; rows that the median is of


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
    _whitened_steps(
        *data.rows.flat(), data.targets[lanes.target[0]], data.weight, data.offset, data.shift, data.inverse_scale,
        data.constant, loss, lanes.loss, order, ahead, batch, rates, t, triangle, anchor, place, mean, forget, losses,
        np.empty((3, anchor.size)), np.empty(2),
    )  # fmt: skip


@kernel
def _whitened_steps(
    values, indices, starts, y, weights, offset, shift, inverse_scale, constant, loss, fields, order, ahead, batch,
    rates, t, triangle, anchor, place, mean, forget, losses, scratch, found,
):  # fmt: skip
    assume_noalias()
    d, D = np.uint64(shift.size), anchor.size
    x, z, gradient = scratch[0], scratch[1], scratch[2]
    sparse = starts is not None  # by itself: so Numba leaves out what is for sparse rows
    for s in range(rates.size):
        rate = rates[s] / batch
        for j in range(D):
            gradient[j] = 0.0
        last = (s + 1) * batch if (s + 1) * batch < order.size else order.size
        for k in range(s * batch, last):
            i, later = np.uint64(order[k]), np.uint64(ahead[k])
            begin, end = (starts[later], starts[later + np.uint64(1)]) if sparse else (later * d, later * d + d)
            prefetch_run(values, begin, end)
            begin, end = (starts[i], starts[i + np.uint64(1)]) if sparse else (i * d, i * d + d)
            if sparse:
                for j in range(d):
                    x[j] = 0.0
                for q in range(begin, end):
                    x[indices[q]] = np.float64(values[q]) * inverse_scale[indices[q]]
            else:
                for j in range(d):
                    x[j] = (np.float64(values[begin + j]) - shift[j]) * inverse_scale[j]
            x[d] = constant
            p, size = 0.0, 0.0
            for a in range(D):
                total = 0.0
                if triangle[a, a] > 0.0:
                    for j in range(a + 1):
                        total += triangle[a, j] * x[j]
                z[a] = total
                size += total * total
                p += anchor[a] * x[a] + place[a] * total
            if offset.size > 0:
                p += offset[i]
            weight = np.float64(weights[i]) if weights.size > 0 else 1.0
            call(loss, fields, 0, p, np.float64(y[i]), rate * weight * size, found)
            losses[0] += found[0] * weight
            for j in range(D):
                gradient[j] += found[1] * weight * z[j]
        share = (forget + 1.0) / (t + s + 1.0 + forget)
        for j in range(D):
            place[j] -= rate * gradient[j]
            mean[j] += share * (place[j] - mean[j])


def second_derivatives(data, parts, lanes, weights, width, floor):
    """The rows' second derivatives (n,) at weights (D,), times the rows' weights.

    They are differences over ``width``, or over the mean absolute residual where ``width`` is 0, but not over more than
    some times the median one, as outliers say nothing of the others; each is at least ``floor`` times their mean.
    """
    n, loss, y = data.rows.shape[0], type(parts.loss)(*lanes.loss[0]), data.targets[lanes.target[0]]
    # Some rows at a time: their temporaries stay in the cache.
    blocks = [slice(first, min(first + BLOCK, n)) for first in range(0, n, BLOCK)]
    weight = np.broadcast_to(data.weight if data.weight.size else 1.0, n)
    second, h = scores_of(data, weights), width
    if h == 0:
        h = sum(np.sum(weight[some] * abs(second[some] - y[some])) for some in blocks) / data.count
        h = min(h, WIDE * middle(second, y, weight)) or h
    for some in blocks:
        p, target = second[some], y[some].astype(np.float64)
        second[some] = weight[some] * ((loss.slope(p + h, target) - loss.slope(p - h, target)) / (2.0 * h))
    total = second.sum()
    if 0.0 < total < np.inf:
        np.maximum(second, floor * total / data.count * weight, out=second)
    else:
        second[:] = weight
    return second


def middle(scores, y, weight):
    """The median absolute residual of some thousand rows that count."""
    known = np.flatnonzero(weight)
    some = known[:: max(1, len(known) // SOME)]
    return float(np.median(np.abs(scores[some] - y[some])))


def scores_of(data, weights):
    """The scores (n,) float64 at weights (D,) of standardised columns."""
    rows, coef = data.rows, weights[:-1] * data.inverse_scale
    if rows.sparse:
        scores = rows.scores(coef)
    else:
        scores, step = np.empty(rows.shape[0]), max(1, BLOCK // coef.size)
        for begin, block in ((0, rows),) if rows.in_memory else rows.blocks():
            out = scores[begin : begin + block.shape[0]]
            for first in range(0, out.size, step):
                some = slice(first, first + step)
                # Not by BLAS, whose bits depend on its threads.
                centred = np.subtract(block.values[some], data.shift, dtype=np.float64)
                np.einsum("ij,j->i", centred, coef, out=out[some])
    scores += weights[-1] * data.constant
    return scores + data.offset if data.offset.size else scores
