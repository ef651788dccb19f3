"""Mini-batches: the mean gradient of a batch of rows, then one step; a large batch is summed in float64 by blocks."""

import numpy as np

from ._jit import kernel
from .addresses import at, call
from .eight_rows import add_eight, eight_scores, padded, pick_eight
from .emit import ROWS
from .full_batch import SPARSE_ROWS, layout_of
from .lanes import FLUSH_ROWS, loss_of, move_of
from .prefetching import prefetch_run


def batch_steps(data, parts, lanes, order, ahead, batch, rates, t, losses):
    """One step for every ``batch`` rows of ``order``, the last batch as long as it is.

    Rates are (steps, lanes), or (1, lanes) for all steps.
    """
    d, dtype, move = data.shift.size, lanes.weights.dtype, move_of(parts, lanes)
    if data.rows.sparse:
        kernel, size, most = _sparse_batches, d, SPARSE_ROWS
    else:
        kernel, size, most = _dense_batches, 3 * padded(d), -(-min(batch, FLUSH_ROWS) // ROWS) * ROWS
    kernel(
        *layout_of(data), order, ahead, batch, most, loss_of(parts.loss, lanes), lanes.target, lanes.loss,
        move.address, lanes.optimizer, lanes.penalty, lanes.carry, lanes.weights, lanes.slots, lanes.low, lanes.high,
        data.factors, lanes.averages, lanes.begin, rates, t, losses, np.zeros(size + 3 * most, dtype), np.zeros(d + 1),
        np.zeros(2), np.zeros((1, d + 1), dtype),
    )  # fmt: skip


@kernel(in_order=True)
def _dense_batches(
    X, targets, weight, offset, shift, inverse_scale, constant, n,
    order, ahead, batch, most, loss, target, fields,
    move, optimizer, penalty, carry, weights, slots, low, high, factors, averages, begin, rates, t, losses,
    work, sums, totals, gradient,
):  # fmt: skip
    """Blocks of ``most`` rows, a multiple of eight; ``sums`` are 0 but between blocks."""
    d = shift.size
    D = (d + 15) // 16 * 16
    P, Y, W = 3 * D, 3 * D + most, 3 * D + 2 * most
    rows = order.size
    for j in range(d):
        work[D + j] = shift[j]
    for s in range((rows + batch - 1) // batch):
        first = s * batch
        last = first + batch if first + batch < rows else rows
        for lane in range(weights.shape[0]):
            y = target[lane] * n
            intercept = weights[lane, d] * work.dtype.type(constant)
            totals[0] = totals[1] = 0.0
            for j in range(d):
                work[j] = weights[lane, j] * inverse_scale[j]
            for start in range(first, last, most):
                stop = start + most if start + most < last else last
                count = stop - start
                for k in range(0, count, 8):
                    eight_scores(X, order, start + k, stop - 1, d, work, D, P + k, ahead)
                    pick_eight(targets, y, order, start + k, stop - 1, work, Y + k, ahead)
                    if offset.size > 0:
                        pick_eight(offset, 0, order, start + k, stop - 1, work, W + k, ahead)
                        for q in range(k, k + 8):
                            work[P + q] += work[W + q]
                    if weight.size > 0:
                        pick_eight(weight, 0, order, start + k, stop - 1, work, W + k, ahead)
                call(
                    loss, at(fields, lane), at(work, P), count, intercept, at(work, Y), at(work, W), weight.size > 0,
                    at(totals, 0),
                )  # fmt: skip
                for k in range(count, (count + 7) // 8 * 8):
                    work[P + k] = 0
                for k in range(0, count, 8):
                    add_eight(X, order, start + k, stop - 1, d, work, D, P + k, ahead)
                if stop < last:
                    for j in range(d):
                        sums[j] += work[2 * D + j]
                        work[2 * D + j] = 0
            share = 1.0 / (last - first)
            for j in range(d):
                gradient[0, j] = (sums[j] + work[2 * D + j]) * share * inverse_scale[j]
                sums[j] = 0.0
                work[2 * D + j] = 0
            gradient[0, d] = totals[1] * constant * share
            losses[lane] += totals[0]
            call(
                move, at(optimizer, lane), at(penalty, lane), rates[s if s < rates.shape[0] else 0, lane], t + s,
                at(carry, lane), at(weights, lane), at(slots, lane), at(low, lane), at(high, lane), at(factors, 0),
                at(gradient, 0), d, at(averages, lane), averages.shape[1] > 0, begin[lane],
            )  # fmt: skip


@kernel(in_order=True)
def _sparse_batches(
    values, indices, starts, targets, weight, offset, shift, inverse_scale, constant, n,
    order, ahead, batch, most, loss, target, fields,
    move, optimizer, penalty, carry, weights, slots, low, high, factors, averages, begin, rates, t, losses,
    work, sums, totals, gradient,
):  # fmt: skip
    """Blocks of ``most`` rows; all sums in float64."""
    d = shift.size
    P, Y, W = d, d + most, d + 2 * most
    rows = order.size
    for s in range((rows + batch - 1) // batch):
        first = s * batch
        last = first + batch if first + batch < rows else rows
        for lane in range(weights.shape[0]):
            y = target[lane] * n
            intercept = weights[lane, d] * work.dtype.type(constant)
            totals[0] = totals[1] = 0.0
            for j in range(d):
                work[j] = weights[lane, j] * inverse_scale[j]
            for start in range(first, last, most):
                count = most if start + most < last else last - start
                for k in range(count):
                    asked, i = np.uint64(ahead[start + k]), np.uint64(order[start + k])
                    prefetch_run(values, starts[asked], starts[asked + np.uint64(1)])
                    prefetch_run(indices, starts[asked], starts[asked + np.uint64(1)])
                    total = work.dtype.type(0)
                    for q in range(starts[i], starts[i + np.uint64(1)]):
                        total += values[q] * work[indices[q]]
                    work[P + k] = total
                    work[Y + k] = targets[y + order[start + k]]
                    if offset.size > 0:
                        work[P + k] += offset[i]
                    if weight.size > 0:
                        work[W + k] = weight[i]
                call(
                    loss, at(fields, lane), at(work, P), count, intercept, at(work, Y), at(work, W), weight.size > 0,
                    at(totals, 0),
                )  # fmt: skip
                for k in range(count):
                    i, slope = np.uint64(order[start + k]), work[P + k]
                    for q in range(starts[i], starts[i + np.uint64(1)]):
                        sums[indices[q]] += slope * values[q]
            share = 1.0 / (last - first)
            for j in range(d):
                gradient[0, j] = sums[j] * share * inverse_scale[j]
                sums[j] = 0.0
            gradient[0, d] = totals[1] * constant * share
            losses[lane] += totals[0]
            call(
                move, at(optimizer, lane), at(penalty, lane), rates[s if s < rates.shape[0] else 0, lane], t + s,
                at(carry, lane), at(weights, lane), at(slots, lane), at(low, lane), at(high, lane), at(factors, 0),
                at(gradient, 0), d, at(averages, lane), averages.shape[1] > 0, begin[lane],
            )  # fmt: skip
