"""The second derivatives of a joint loss at each row, one number for all classes: the mean of those in each score."""

import numpy as np

from ._jit import kernel
from .addresses import address, at, call
from .emit import BYTES
from .joint_functions import joint_second_derivatives
from .multi_rows import load_rows, rows_at_once, scores
from .multi_sums import NO_ORDER
from .products import aligned, zeros

BLOCK = 64  # rows at once, at most


def second_derivatives(data, loss, lanes, model, chunk, first, last, out):
    """The rows' weights times the mean over the classes of the second derivatives in each one's score, (n,).

    Of one model's lanes, over the rows of chunks first to last; never negative. ``data.weight`` counts, folds and
    replicates do not.
    """
    dtype, classes, d = out.dtype, data.classes, data.shift.size
    vector, lane = BYTES // dtype.itemsize, model * classes
    rows, width = rows_at_once(data, BLOCK), -(-classes // vector) * vector
    weights = zeros((d + 1, width), dtype)
    weights[:, :classes] = lanes.weights[lane : lane + classes].T
    _second_derivatives(
        data.rows, data.shift, data.inverse_scale, data.constant, data.targets.reshape(-1), data.weight, NO_ORDER,
        address(joint_second_derivatives, dtype, type(loss)), lanes.loss[lane], lanes.target[lane], classes, weights,
        aligned((0 if data.rows.sparse else rows, d + 1), dtype), aligned((rows, width), dtype), np.empty((4, classes)),
        data.targets.shape[1], chunk, first, last, out,
    )  # fmt: skip


@kernel(in_order=True)
def _second_derivatives(
    rows, shift, inverse_scale, constant, targets, weight, order, function, fields, target, classes, weights,
    Z, S, row, n, chunk, first, last, out,
):  # fmt: skip
    stop, most = last * chunk if last * chunk < n else n, S.shape[0]
    for start in range(first * chunk, stop, most):
        some = most if start + most < stop else stop - start
        load_rows(rows, order, start, some, shift, inverse_scale, constant, Z)
        scores(rows, order, start, some, inverse_scale, constant, Z, weights, S)
        call(
            function, at(fields, 0), S, at(targets, target * n + start), at(weight, start), weight.size > 0, row,
            classes, some, at(out, start),
        )  # fmt: skip
