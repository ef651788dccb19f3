"""Passes of a joint loss over dense rows: the gradient and the losses, with vectors along the columns.

Lanes side by side would fill vectors up to eight classes (float64), and a row's classes would lie beside each other:
ten cost as much as sixteen. Here the classes are rows of tables, so that a block of rows lies side by side, and
the loss takes it at once. Rows are cut into fixed chunks, whose float64 results are added in chunk order.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import kernel, routine
from .addresses import address, at, call
from .emit import BYTES, Inside, compact
from .full_batch import step_arguments, take_step
from .joint_functions import joint_block
from .lane_vectors import assume_noalias, simd_width
from .lanes import FLUSH_ROWS
from .multi_rows import rows_at_once
from .prefetching import prefetch_run
from .products import panel, zeros
from .row_weights import row_weight

ROWS = 8  # whose scores are summed at once
GROUP = 4  # classes whose gradients are summed at once
CACHED_BYTES = 1 << 21  # rows that take no more stay in the second-level cache: the memory is not asked for them
TILE_BYTES = 1 << 10  # of a row: those of a block and the weights beside them stay in the first-level cache


def joint_sums(data, loss, lanes, chunk, first, last, sums, losses):
    """As ``multi_sums``: (chunks, lanes, d + 1), or (0, ...) for the losses alone, and (chunks, lanes).

    A model's first lane has its losses, its others 0.
    """
    _joint_sums(*_arguments(data, loss, lanes, chunk, sums, losses), first, last)


def joint_small_steps(data, parts, lanes, chunk, rates, t, objective, norm):
    """Several full-batch steps over data of one chunk: rates, objective and norm are (steps, lanes)."""
    sums, losses = np.empty((1, *lanes.weights.shape)), np.empty((1, len(lanes.weights)))
    passed = _arguments(data, parts.loss, lanes, chunk, sums, losses)
    stepped = step_arguments(data, parts, lanes, rates, t, sums, losses, objective, norm)
    for k in range(len(rates)):
        _joint_sums(*passed, 0, 1)
        take_step(*stepped, k)


def _arguments(data, loss, lanes, chunk, sums, losses):
    """Those of ``_joint_sums`` but for the first and the last chunk; its workspace with them."""
    dtype, classes, d = lanes.weights.dtype, data.classes, data.shift.size
    models, vector = len(lanes.weights) // classes, BYTES // dtype.itemsize
    width, height = -(-(d + 1) // vector) * vector, -(-classes // GROUP) * GROUP
    rows = rows_at_once(data, FLUSH_ROWS)
    which = [np.ascontiguousarray(array[::classes]) for array in (lanes.target, lanes.fold, lanes.replicate)]
    scale = np.ascontiguousarray(lanes.scale[::classes])
    weighs = bool(data.weight.size or (which[1] >= 0).any() or (which[2] >= 0).any() or (scale != 1.0).any())
    gradients = (models, height if sums.size else 0, width)
    return (
        data.rows.values.reshape(-1), data.shift, data.inverse_scale, data.constant,
        np.ascontiguousarray(data.targets), data.weight, np.ascontiguousarray(data.roles), data.seed, weighs,
        *which, scale, address(joint_block, dtype, type(loss)), lanes.loss, lanes.weights, classes,
        zeros((models, height, width), dtype), zeros((rows, width), dtype),
        zeros((2, height, rows), np.float64), zeros((height, rows), dtype), zeros((2, rows), np.float64),
        np.zeros(rows, np.int64), np.empty((2, classes)), zeros(gradients, dtype), zeros(gradients, np.float64),
        FLUSH_ROWS // rows * rows, data.rows.values.nbytes > CACHED_BYTES, sums, losses, chunk,
    )  # fmt: skip


@kernel(in_order=True)
def _joint_sums(
    values, shift, inverse_scale, constant, targets, weight, roles, seed, weighs,
    target, fold, replicate, scale, function, fields, natural, classes,
    W, Z, scores, S, of_rows, labels, row, gradients, totals,
    flush_rows, ask, sums, losses, chunk, first, last,
):  # fmt: skip
    """The sums of chunks first to last; the losses alone, where ``sums`` is empty. ``totals`` are left zero."""
    compact()
    n, models, most = targets.shape[1], W.shape[0], Z.shape[0]
    p, slopes, value, share = scores[0], scores[1], of_rows[0], of_rows[1]
    for model in range(models):
        load_weights(natural, model * classes, classes, W[model])
    for c in range(first, last):
        stop = (c + 1) * chunk if (c + 1) * chunk < n else n
        for lane in range(natural.shape[0]):
            losses[c, lane] = 0.0
        for start in range(c * chunk, stop, most):
            some = most if start + most < stop else stop - start
            for model in range(models):
                take_scores(
                    values, start, some, shift, inverse_scale, constant, Z, W[model], classes, model == 0, ask, p
                )
                for k in range(some):
                    i = np.uint64(start + k)
                    labels[k] = np.int64(targets[target[model], i])
                    share[k] = 1.0
                    if weighs:
                        share[k] = scale[model] * row_weight(weight, roles, seed, fold[model], replicate[model], i)
                call(function, at(fields, model * classes), p, slopes, value, labels, row, classes, some)
                for k in range(some):
                    losses[c, model * classes] += share[k] * value[k]
                if sums.size > 0:
                    weigh_slopes(slopes, share, classes, S)
                    here = ask and model == models - 1
                    add_weighted_rows(S, some, Z, gradients[model], values, start + some, shift.size, here)
            done = start + some - c * chunk
            if sums.size > 0 and (done % flush_rows == 0 or start + some == stop):
                flush(gradients, totals)
        if sums.size > 0:
            for model in range(models):
                store_sums(totals[model], model * classes, classes, c, sums)


@routine
def load_weights(natural, lane, classes, W):
    """Put a model's weights into a table (classes or more, d + 1 or more), zero elsewhere."""
    compact()
    for c in range(classes):
        for j in range(natural.shape[1]):
            W[c, j] = natural[lane + c, j]


@routine
def take_scores(values, start, some, shift, inverse_scale, constant, Z, W, classes, load, ask, p):
    """The scores (classes, rows) of ``some`` rows at ``start``, which are put, standardised, into Z where ``load``.

    If ``ask``, half of the following rows are asked of the memory meanwhile, and half by ``add_weighted_rows``, a few
    at a time: of 10,000 x 784 x 10 in float64 a pass took 6.6 ms without, 5.8 where a tile's were asked for at once.
    Now it takes 5.1, of which 3.0 are reading and 3.0 multiplying.
    """
    assume_noalias()
    compact()
    d, width, rows = shift.size, Z.shape[1], (some + 7) // 8 * 8
    tile = TILE_BYTES // 64 * simd_width(Z)
    for low in range(0, width, tile):
        high = low + tile if low + tile < width else width
        if load:
            end = high if high < d else d
            for k in range(some):
                at_row = np.uint64(start + k) * np.uint64(d)
                for j in range(np.uint64(low), np.uint64(end)):
                    Z[k, j] = (values[at_row + j] - shift[j]) * inverse_scale[j]
                if high > d:
                    Z[k, d] = constant
        turns = (classes + 1) // 2 * (rows // 8)
        share = (some // 2 + turns - 1) // turns
        asked = 0 if load and ask else some // 2
        for i in range(0, rows, 8):
            for c in range(0, classes, 2):
                ask_for(values, start + some, asked, asked + share, some // 2, d, low, high)
                asked += share
                if c + 1 < classes:
                    dots(Z, i, W, c, low, high, p, 2, low > 0)
                else:
                    dots(Z, i, W, c, low, high, p, 1, low > 0)


@routine
def ask_for(values, start, first, last, stop, d, low, high):
    """Ask the memory for the columns low to high of the rows first to last, none beyond ``stop``, behind ``start``."""
    compact()
    for k in range(first, last if last < stop else stop):
        place = np.uint64(start + k) * np.uint64(d)
        prefetch_run(values, place + np.uint64(low), place + np.uint64(high))


@routine
def weigh_slopes(slopes, share, classes, S):
    """Slopes times the rows' weights, in the data's type."""
    assume_noalias()
    compact()
    for c in range(classes):
        for k in range(S.shape[1]):
            S[c, k] = slopes[c, k] * share[k]


@routine
def add_weighted_rows(S, some, Z, gradient, values, following, d, ask):
    """``gradient += S[:, :some] @ Z[:some]``; if ``ask``, half of the following rows are asked for meanwhile."""
    compact()
    height, width, rows = gradient.shape[0], gradient.shape[1], S.shape[1]
    vector = simd_width(Z)
    fours = width - width % (4 * vector)
    groups = height // GROUP
    share, last = ((rows + 1) // 2 + groups - 1) // groups, rows if ask else 0
    v = 0
    while v < width:
        step = 4 * vector if v < fours else vector
        for c in range(0, height, GROUP):
            first = rows // 2 + c // GROUP * share
            ask_for(values, following, first, first + share, last, d, v, v + step)
            if v < fours:
                panel(S, c * rows, rows, 1, some, Z, gradient, c, v, 4, 4, True)
            else:
                panel(S, c * rows, rows, 1, some, Z, gradient, c, v, 4, 1, True)
        v += step


@routine
def flush(gradients, totals):
    """Add gradients to float64 sums and reset them."""
    assume_noalias()
    compact()
    for model in range(gradients.shape[0]):
        for c in range(gradients.shape[1]):
            for j in range(gradients.shape[2]):
                totals[model, c, j] += gradients[model, c, j]
                gradients[model, c, j] = 0


@routine
def store_sums(total, lane, classes, c, sums):
    """A model's sums as those of chunk c; they are zero then."""
    compact()
    for k in range(classes):
        for j in range(sums.shape[2]):
            sums[c, lane + k, j] = total[k, j]
    for k in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[k, j] = 0.0


@intrinsic(prefer_literal=True)
def _dots(typingctx, Z, i, W, c, low, high, out, classes, adds):
    """``out[c + r, i + q] (+)= Z[i + q, low:high] @ W[c + r, low:high]`` for 8 rows and some classes."""
    count = classes.literal_value

    def codegen(context, b, sig, args):
        e = Inside(context, b, sig.args[0].dtype, sig, args)
        Z, i, W, c, low, high, out, _, adds = e.args
        n = i.type
        width, owidth = e.width(Z), e.width(out)
        sums = [e.variables(ROWS) for _ in range(count)]
        rows = [b.gep(Z.data, [b.mul(b.add(i, n(q)), width)]) for q in range(ROWS)]
        weights = [b.gep(W.data, [b.mul(b.add(c, n(r)), width)]) for r in range(count)]
        with cgutils.for_range_slice(b, low, high, n(e.lanes)) as (j, _):
            ws = [e.load(b.gep(start, [j])) for start in weights]
            for q, start in enumerate(rows):
                z = e.load(b.gep(start, [j]))
                for r, w in enumerate(ws):
                    e.add_product(z, w, sums[r][q])
        wide = ir.VectorType(ir.DoubleType(), ROWS)
        for r in range(count):
            total = e.sums([b.load(place, typ=e.vec) for place in sums[r]])
            if total.type != wide:
                total = b.fpext(total, wide)
            place = b.gep(out.data, [b.add(b.mul(b.add(c, n(r)), owidth), i)])
            place = b.bitcast(place, wide.as_pointer())
            before = b.select(adds, b.load(place, align=8, typ=wide), ir.Constant(wide, [0.0] * ROWS))
            b.store(b.fadd(before, total), place, align=8)
        return context.get_dummy_value()

    return types.void(Z, i, W, c, low, high, out, classes, types.boolean), codegen


def _plain_dots(Z, i, W, c, low, high, out, classes, adds):
    total = W[c : c + classes, low:high] @ Z[i : i + ROWS, low:high].T
    out[c : c + classes, i : i + ROWS] = total + (out[c : c + classes, i : i + ROWS] if adds else 0.0)


dots = _plain_dots if numba.config.DISABLE_JIT else _dots
