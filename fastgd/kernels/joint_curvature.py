"""The second derivatives of a joint loss: at each row, one number for all classes; and the Hessian of all weights."""

import numpy as np

from . import joint_sums
from ._jit import kernel
from .addresses import address, at, call
from .emit import BYTES, ROWS, compact
from .joint_functions import functions_of_second_derivatives, joint_hessians
from .multi_rows import load_rows, rows_at_once, scores
from .multi_sums import NO_ORDER
from .products import aligned, panel, zeros

BLOCK = 64  # rows at once, at most
BLOCK_BYTES = 1 << 14  # of the products of two columns of a block's rows
VECTOR = BYTES // 8


def second_derivatives(data, loss, lanes, model, chunk, first, last, out):
    """The rows' weights times the mean over the classes of the second derivatives in each one's score, (n,).

    Of one model's lanes, over the rows of chunks first to last; never negative. ``data.weight`` counts, folds and
    replicates do not.
    """
    if data.rows.sparse:
        functions, rows = functions_of_second_derivatives(loss, data.shift.dtype), rows_at_once(data, BLOCK)
        _second_derivatives(
            *_arguments(data, loss, lanes, model, functions, rows, 3), np.zeros((2, data.classes, rows)),
            np.zeros(rows), np.zeros(rows, np.int64), chunk, first, last, out,
        )  # fmt: skip
    else:
        joint_sums.dense_second_derivatives(data, loss, lanes, model, chunk, first, last, out)


def _arguments(data, loss, lanes, model, functions, rows, scratch):
    """What both kernels are told first, for blocks of so many rows, with so many rows of scratch."""
    dtype, classes, d = data.shift.dtype, data.classes, data.shift.size
    vector, lane = BYTES // dtype.itemsize, model * classes
    width = -(-classes // vector) * vector
    weights = zeros((d + 1, width), dtype)
    weights[:, :classes] = lanes.weights[lane : lane + classes].T
    return (
        data.rows, data.shift, data.inverse_scale, data.constant, data.targets.reshape(-1), data.weight, NO_ORDER,
        *functions, lanes.loss[lane], lanes.target[lane], classes, weights,
        aligned((0 if data.rows.sparse else rows, d + 1), dtype), aligned((rows, width), dtype),
        np.empty((scratch, classes)), data.targets.shape[1],
    )  # fmt: skip


def hessian(data, loss, lanes, model, first, stop):
    """The sum over the dense rows first to stop of a model's second derivatives in its weights, (classes, D) each way.

    (classes * D, classes * D) float64, D = d + 1, times the rows' weights; folds and replicates do not count. All
    classes together take as many products as rows * D * D / 2 * classes * (classes + 1) / 2.
    """
    D, classes = data.shift.size + 1, data.classes
    j, k = np.triu_indices(D)
    a, b = np.triu_indices(classes)
    height, width = -(-j.size // ROWS) * ROWS, -(-a.size // VECTOR) * VECTOR
    rows = min(BLOCK, max(ROWS, BLOCK_BYTES // (8 * height)))
    sums, functions = zeros((height, width), np.float64), (address(joint_hessians, data.shift.dtype, type(loss)),)
    _hessian(
        *_arguments(data, loss, lanes, model, functions, rows, 3 + classes), first, stop,
        zeros((rows, height), np.float64), zeros((rows, width), np.float64), sums,
    )  # fmt: skip
    H, found = np.empty((classes, D, classes, D)), sums[: j.size, : a.size].T
    H[a[:, None], j, b[:, None], k] = H[a[:, None], k, b[:, None], j] = found
    H[b[:, None], j, a[:, None], k] = H[b[:, None], k, a[:, None], j] = found
    return H.reshape(classes * D, classes * D)


@kernel(in_order=True)
def _hessian(
    rows, shift, inverse_scale, constant, targets, weight, order, function, fields, target, classes, weights,
    Z, S, row, n, first, last, columns, pairs, sums,
):  # fmt: skip
    """Each row's products of two columns times its second derivatives in two scores."""
    most, D = S.shape[0], Z.shape[1]
    for start in range(first, last, most):
        some = most if start + most < last else last - start
        load_rows(rows, order, start, some, shift, inverse_scale, constant, Z)
        scores(rows, order, start, some, inverse_scale, constant, Z, weights, S)
        call(
            function, at(fields, 0), S, at(targets, target * n + start), at(weight, start), weight.size > 0, row,
            classes, some, pairs,
        )  # fmt: skip
        for k in range(some):
            place = 0
            for j in range(D):
                for i in range(j, D):
                    columns[k, place + i - j] = np.float64(Z[k, j]) * np.float64(Z[k, i])
                place += D - j
        for j in range(0, sums.shape[0], 8):
            for v in range(0, sums.shape[1], 8):
                panel(columns, j, 1, columns.shape[1], some, pairs, sums, j, v, 8, 1, True)


@kernel(in_order=True)
def _second_derivatives(
    rows, shift, inverse_scale, constant, targets, weight, order, function, second, fields, target, classes, weights,
    Z, S, row, n, tables, values, labels, chunk, first, last, out,
):  # fmt: skip
    """Those of sparse rows; of dense ones ``joint_sums`` takes more at once."""
    compact()
    stop, most, p, slopes = last * chunk if last * chunk < n else n, S.shape[0], tables[0], tables[1]
    for start in range(first * chunk, stop, most):
        some = most if start + most < stop else stop - start
        scores(rows, order, start, some, inverse_scale, constant, Z, weights, S)
        for k in range(some):
            labels[k] = np.int64(targets[target * n + start + k])
            for c in range(classes):
                p[c, k] = S[k, c]
        call(function, at(fields, 0), p, slopes, values, labels, row, classes, some)
        if second != 0:
            call(second, at(fields, 0), p, slopes, values, labels, row, classes, some)
        for k in range(some):
            out[start + k] = values[k] * (weight[start + k] if weight.size > 0 else 1.0)
