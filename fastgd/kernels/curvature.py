"""What steps of second order need besides gradients: the loss's second derivative at each row; and small solves."""

import numpy as np

from ._jit import kernel
from .addresses import address, at, call
from .eight_rows import eight_scores, padded
from .emit import compact
from .full_batch import layout_of
from .part_functions import score_block, second_derivative_block

BLOCK = 64  # rows at once


def second_derivatives(data, loss, lanes, lane, chunk, first, last, out):
    """The rows' weights times the loss's second derivative at one lane's scores, (n,), over chunks first to last.

    ``data.weight`` counts, folds and replicates do not.
    """
    _block_by_block(data, lanes, lane, chunk, first, last, out, second_derivative_block, type(loss))


def scores(data, lanes, lane, chunk, first, last, out):
    """The scores of the rows at one lane's weights, (n,), over chunks first to last."""
    _block_by_block(data, lanes, lane, chunk, first, last, out, score_block)


def _block_by_block(data, lanes, lane, chunk, first, last, out, function, *parts):
    """What a function of blocks makes of the scores of the rows."""
    d, dtype, D = data.shift.size, out.dtype, padded(data.shift.size)
    kernel = _sparse_second_derivatives if data.rows.sparse else _dense_second_derivatives
    work = np.zeros((d if data.rows.sparse else 3 * D) + BLOCK, dtype)
    work[:d] = lanes.weights[lane, :d] * data.inverse_scale
    if not data.rows.sparse:
        work[D : D + d] = data.shift
    kernel(
        *layout_of(data), address(function, dtype, *parts), lanes.loss[lane],
        lanes.target[lane] * data.targets.shape[1], float(lanes.weights[lane, d]) * data.constant, chunk, first, last,
        work, np.empty((2, BLOCK), np.int64), out,
    )  # fmt: skip


@kernel(in_order=True)
def _dense_second_derivatives(
    X, targets, weight, offset, shift, inverse_scale, constant, n,
    function, fields, y, intercept, chunk, first, last, work, order, out,
):  # fmt: skip
    compact()
    d = shift.size
    D = (d + 15) // 16 * 16
    hi, here, ahead = last * chunk if last * chunk < n else n, at(order, 0), at(order, 1)
    for start in range(first * chunk, hi, BLOCK):
        count = BLOCK if start + BLOCK < hi else hi - start
        for k in range(count):
            here[k], ahead[k] = start + k, start + k + BLOCK if start + k + BLOCK < n else n - 1
        for k in range(0, count, 8):
            eight_scores(X, here, k, count - 1, d, work, D, 3 * D + k, ahead)
        if offset.size > 0:
            for k in range(count):
                work[3 * D + k] += offset[start + k]
        call(
            function, at(fields, 0), at(work, 3 * D), count, intercept, at(targets, y + start), at(weight, start),
            weight.size > 0, at(out, start),
        )  # fmt: skip


@kernel(in_order=True)
def _sparse_second_derivatives(
    values, indices, starts, targets, weight, offset, shift, inverse_scale, constant, n,
    function, fields, y, intercept, chunk, first, last, work, order, out,
):  # fmt: skip
    d = shift.size
    hi = last * chunk if last * chunk < n else n
    for start in range(first * chunk, hi, BLOCK):
        count = BLOCK if start + BLOCK < hi else hi - start
        for k in range(count):
            i = np.uint64(start + k)
            total = work.dtype.type(0)
            for q in range(starts[i], starts[i + np.uint64(1)]):
                total += values[q] * work[indices[q]]
            work[d + k] = total
            if offset.size > 0:
                work[d + k] += offset[i]
        call(
            function, at(fields, 0), at(work, d), count, intercept, at(targets, y + start), at(weight, start),
            weight.size > 0, at(out, start),
        )  # fmt: skip
