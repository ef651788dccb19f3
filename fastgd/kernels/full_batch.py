"""Full batch: the gradient over all rows, cut into fixed chunks whose float64 sums are added in chunk order.

The chunks depend on the shape alone, so the bits do not depend on how many threads run them.
"""

from typing import NamedTuple

import numpy as np

from ._jit import kernel, lane_of
from .addresses import address_of, at, call
from .eight_rows import add_and_score, gather, padded
from .emit import ROWS, compact
from .lane_vectors import assume_noalias
from .lanes import FLUSH_ROWS, PENALTY, loss_of, move_of

CHUNK_ELEMENTS = 1 << 17
CHUNK_ROWS = 256
DENSE_CHUNKS = SPARSE_CHUNKS = 64
SPARSE_ROWS = 64  # of a block
LAG_BYTES = 1 << 13  # of rows whose slopes wait: they stay in the first-level cache; twice as many were no faster


class Carried(NamedTuple):
    """A loss whose slopes are the targets, so that its gradient is the transposed rows' product with these."""

    unused: float = 1.0  # Numba hands on no tuple that is empty

    def value(self, p, y):
        return 0.0 * y

    def slope(self, p, y):
        return y


def chunk_rows(rows):
    """Rows a chunk: 1 to 8 MB, and so many that the chunks' sums, a number a column, stay small beside the data.

    Of large data a sixty-fourth: streams begin anew with every chunk, and of 1 MB a gradient took 1.06 times as long.
    All other passes have chunks of as many rows, or of twice, four times ... as many, so that a node of the tree in
    which one pass adds its sums is one of the others' too.
    """
    n, d = rows.shape
    if rows.sparse:
        chunks = max(1, rows.stored // max(CHUNK_ELEMENTS, 6 * d))
        return max(CHUNK_ROWS, -(-n // min(chunks, SPARSE_CHUNKS)))
    # An odd number of rows a stream: eight of 32 rows of 16 kB met in a few sets of the cache, 1.1 times slower.
    elements = min(max(n * d // DENSE_CHUNKS, CHUNK_ELEMENTS), 8 * CHUNK_ELEMENTS)
    return ROWS * (max(CHUNK_ROWS, elements // d) // ROWS | 1)


def chunk_sums(data, loss, lanes, chunk, first, last, sums, losses):
    """The sums of chunks first to last, each ``chunk`` rows: of slope * scaled row, (chunks, lanes, d + 1), and of the
    losses, (chunks, lanes); float64.
    """
    kernel, passed = gradient_of(data, loss, lanes, chunk, sums, losses)
    kernel(*passed, first, last)


def layout_of(data):
    """What kernels of one lane read of the data, as plain arrays: those of the rows, dense or sparse, come first."""
    rows = data.rows
    return (
        *((rows.values, rows.indices, rows.starts) if rows.sparse else (rows.values,)),
        data.targets.reshape(-1), data.weight, data.offset, data.shift, data.inverse_scale, data.constant,
        data.targets.shape[1],
    )  # fmt: skip


def gradient_of(data, loss, lanes, chunk, sums, losses):
    """The kernel of chunks' gradients for a layout of rows, and its arguments but for the first and the last chunk."""
    d = data.shift.size
    if data.rows.sparse:
        kernel, most, size = _sparse_gradients, SPARSE_ROWS, d + SPARSE_ROWS
    else:
        most = max(1, min(FLUSH_ROWS, LAG_BYTES // (d * data.shift.itemsize)) // ROWS)  # groups of eight rows
        kernel, size = _dense_gradients, 3 * padded(d) + 3 * ROWS * most
    return kernel, (
        *layout_of(data), chunk, most, loss_of(loss, lanes), lanes.target, lanes.loss, lanes.weights,
        np.zeros(size, lanes.weights.dtype), np.zeros(2), sums, losses,
    )  # fmt: skip


@kernel(in_order=True)
def _dense_gradients(
    X, targets, weight, offset, shift, inverse_scale, constant, n,
    chunk, most, loss, target, fields, weights, work, totals, sums, losses, first, last,
):  # fmt: skip
    """Blocks of eight streams: each call adds the last block's rows and takes the next one's scores (``eight_rows``).

    A block is ``count`` groups of eight rows ``apart`` rows from each other. The last one begins early enough to be
    whole, and its first rows, which had their turn, get slopes of 0. So do those of the eight rows that end a chunk,
    where it is no multiple of eight; of fewer rows than eight each comes by itself, eight times, and counts once. No
    chunk reads rows of another: its bits are the same wherever its rows lie.
    """
    assume_noalias()
    compact()
    d = shift.size
    D = (d + 15) // 16 * 16
    P = 3 * D
    numbers, shifts, scale = at(work, 0), at(shift, 0), at(inverse_scale, 0)
    for j in range(d):
        numbers[D + j] = shifts[j]
    for c in range(first, last):
        lo = c * chunk
        hi = lo + chunk if lo + chunk < n else n
        stride = (hi - lo) // 8
        groups = most if most < stride else stride
        left = hi - lo - 8 * stride
        blocks = (stride + groups - 1) // groups if stride > 0 else -1
        tails = left if stride == 0 else 1 if left > 0 else 0
        Y, W = P + 8 * most, P + 16 * most
        for lane in range(weights.shape[0]):
            own, added, base = at(weights, lane), at(sums, c), lane * (d + 1)
            intercept = own[d] * work.dtype.type(constant)
            y = target[lane] * n
            totals[0] = totals[1] = 0.0
            for j in range(d):
                numbers[j] = own[j] * scale[j]
                numbers[2 * D + j] = 0
                added[base + j] = 0.0
            for k in range(8 * most):
                numbers[P + k] = 0
            old, pending, apart, count = lo, 0, stride, groups
            for step in range(blocks + 1 + 2 * tails):
                new, fresh = old, 8 * count  # by default the last block's rows are added, and no scores are taken
                if step < blocks:
                    new = step * groups if (step + 1) * groups < stride else stride - groups
                    fresh = 8 * (step * groups - new)
                    new += lo
                elif step > blocks and (step - blocks) % 2 == 1:
                    count, fresh = 1, 8 - left if stride > 0 else 7
                    apart = 1 if stride > 0 else 0
                    old = new = hi - 8 if stride > 0 else lo + (step - blocks) // 2
                add_and_score(X, new, old, apart, count, d, work, D)
                taken = 8 * count - fresh
                if taken > 0:
                    gather(targets, y + new, apart, count, work, Y)
                    if offset.size > 0:
                        gather(offset, new, apart, count, work, W)
                        for k in range(fresh, 8 * count):
                            numbers[P + k] += numbers[W + k]
                    if weight.size > 0:
                        gather(weight, new, apart, count, work, W)
                    call(
                        loss, at(fields, lane), at(work, P + fresh), taken, intercept, at(work, Y + fresh),
                        at(work, W + fresh), weight.size > 0, at(totals, 0),
                    )  # fmt: skip
                for k in range(fresh):
                    numbers[P + k] = 0
                old = new
                pending += 8 * count
                if pending >= FLUSH_ROWS or step == blocks + 2 * tails:
                    pending = 0
                    for j in range(d):
                        added[base + j] += numbers[2 * D + j]
                        numbers[2 * D + j] = 0
            for j in range(d):
                added[base + j] *= scale[j]
            added[base + d] = totals[1] * constant
            losses[c, lane] = totals[0]


@kernel(in_order=True)
def _sparse_gradients(
    values, indices, starts, targets, weight, offset, shift, inverse_scale, constant, n,
    chunk, most, loss, target, fields, weights, work, totals, sums, losses, first, last,
):  # fmt: skip
    """Blocks of ``most`` rows; all sums in float64."""
    d = shift.size
    for c in range(first, last):
        hi = (c + 1) * chunk if (c + 1) * chunk < n else n
        for lane in range(weights.shape[0]):
            intercept = weights[lane, d] * work.dtype.type(constant)
            totals[0] = totals[1] = 0.0
            for j in range(d):
                work[j] = weights[lane, j] * inverse_scale[j]
                sums[c, lane, j] = 0.0
            for start in range(c * chunk, hi, most):
                stop = start + most if start + most < hi else hi
                for i in range(np.uint64(start), np.uint64(stop)):
                    total = work.dtype.type(0)
                    for q in range(starts[i], starts[i + np.uint64(1)]):
                        total += values[q] * work[indices[q]]
                    if offset.size > 0:
                        total += offset[i]
                    work[np.uint64(d) + i - np.uint64(start)] = total
                call(
                    loss, at(fields, lane), at(work, d), stop - start, intercept, at(targets, target[lane] * n + start),
                    at(weight, start), weight.size > 0, at(totals, 0),
                )  # fmt: skip
                for i in range(np.uint64(start), np.uint64(stop)):
                    slope = work[np.uint64(d) + i - np.uint64(start)]
                    for q in range(starts[i], starts[i + np.uint64(1)]):
                        sums[c, lane, indices[q]] += slope * values[q]
            for j in range(d):
                sums[c, lane, j] *= inverse_scale[j]
            sums[c, lane, d] = totals[1] * constant
            losses[c, lane] = totals[0]


def finish(data, parts, lanes, rates, t, sums, losses, objective, norm):
    """Take the step against sums (1, lanes, d + 1) and losses (1, lanes). Rates, objective, norm: (1, lanes)."""
    take_step(*step_arguments(data, parts, lanes, rates, t, sums, losses, objective, norm), 0)


def small_steps(data, parts, lanes, rates, t, sums, losses, objective, norm):
    """Several full-batch steps over data of one chunk: rates, objective and norm are (steps, lanes)."""
    kernel, passed = gradient_of(data, parts.loss, lanes, data.targets.shape[1], sums, losses)
    gradient_steps(kernel, (*passed, 0, 1), data, parts, lanes, rates, t, sums, losses, objective, norm)


def gradient_steps(kernel, passed, data, parts, lanes, rates, t, sums, losses, objective, norm):
    """Several steps, each against what a kernel that is passed these arguments puts into ``sums`` and ``losses``."""
    stepped = step_arguments(data, parts, lanes, rates, t, sums, losses, objective, norm)
    _gradient_steps(address_of(kernel, passed), passed, address_of(take_step, (*stepped, 0)), stepped, len(rates))


@kernel(in_order=True)
def _gradient_steps(gradient, passed, step, stepped, steps):
    """A gradient and a step in turn, both by their addresses; the last argument of a step is its number."""
    for k in range(steps):
        call(gradient, *passed)
        call(step, *stepped, k)


def step_arguments(data, parts, lanes, rates, t, sums, losses, objective, norm):
    """The arguments of ``take_step`` but for the last."""
    move = move_of(parts, lanes)
    return (
        sums, losses, data.count, data.classes, move.address, move.free, lanes.optimizer, lanes.penalty, lanes.carry,
        lanes.weights, lanes.slots, lanes.low, lanes.high, data.factors, lanes.averages, lanes.begin, rates, t,
        objective, norm, np.empty(lanes.weights.shape, lanes.weights.dtype),
    )  # fmt: skip


@kernel(in_order=True)
def take_step(
    sums, losses, count, classes, move, free, optimizer, penalty, carry, weights, slots, low, high, factors, averages,
    begin, rates, t, objective, norm, gradient, k,
):  # fmt: skip
    """Report every lane's objective and the norm of its smallest subgradient; move it.

    A lane whose objective or gradient is not finite stays where it is, and with it all of its model. Row k of rates,
    objective and norm is this step's; ``t`` is the number of the first step.
    """
    _, lanes, width = sums.shape
    d = width - 1
    for first in range(0, lanes, classes):
        whole = True
        for lane in range(first, first + classes):
            part = lane_of(PENALTY, penalty, lane)
            by_l1, by_l2, cost, square = part.one, part.one, 0.0, 0.0
            for j in range(width):
                slope = sums[0, lane, j] / count
                gradient[lane, j] = slope
                if not free and j < d:
                    w = weights[lane, j]
                    if factors.size > 0:
                        by_l1, by_l2 = factors[2 * j], factors[2 * j + 1]
                    slope = part.slope(w, slope, low[lane, j], high[lane, j], by_l1, by_l2)
                    cost += np.float64(part.cost(w, by_l1, by_l2))
                square += slope * slope
            objective[k, lane] = losses[0, lane] / count + cost
            norm[k, lane] = np.sqrt(square)
            whole = whole and abs(objective[k, lane]) < np.inf and square < np.inf
        if whole:
            for lane in range(first, first + classes):
                call(
                    move, at(optimizer, lane), at(penalty, lane), rates[k, lane], t + k, at(carry, lane),
                    at(weights, lane), at(slots, lane), at(low, lane), at(high, lane), at(factors, 0),
                    at(gradient, lane), d, at(averages, lane), averages.shape[1] > 0, begin[lane],
                )  # fmt: skip
