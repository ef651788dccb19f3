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
from .joint_functions import functions_of_second_derivatives, joint_block
from .lane_vectors import assume_noalias, simd_width
from .lanes import FLUSH_ROWS
from .multi_rows import rows_at_once
from .prefetching import prefetch_run
from .products import panel, zeros
from .row_weights import row_weights

ROWS = 8  # whose scores are summed at once
GROUP = 4  # classes whose gradients are summed at once
CACHED_BYTES = 1 << 21  # rows that take no more stay in the second-level cache: the memory is not asked for them
TILE_BYTES = 1 << 10  # of a row: those of a block and the weights beside them stay in the first-level cache
OWN = "target", "loss", "weights"  # what a pass over one model's lanes reads of them


def joint_sums(data, loss, lanes, chunk, first, last, sums, losses):
    """As ``multi_sums``: (chunks, lanes, d + 1), or (0, ...) for the losses alone, and (chunks, lanes).

    A model's first lane has its losses, its others 0.
    """
    functions, n = (address(joint_block, data.shift.dtype, type(loss)), 0), data.targets.shape[1]
    shares = row_shares(data, lanes, first * chunk, min(last * chunk, n))
    passed = Pass(data, lanes, functions, shares, chunk, last - first if sums.size else 0)
    passed.run(first, last, losses)
    if sums.size:
        passed.store(sums[first:last])


def joint_small_steps(data, parts, lanes, chunk, rates, t, objective, norm):
    """Several full-batch steps over data of one chunk: rates, objective and norm are (steps, lanes)."""
    sums, losses = np.empty((1, *lanes.weights.shape)), np.empty((1, len(lanes.weights)))
    functions = address(joint_block, data.shift.dtype, type(parts.loss)), 0
    passed = Pass(data, lanes, functions, row_shares(data, lanes, 0, data.targets.shape[1]), chunk, 1)
    stepped = step_arguments(data, parts, lanes, rates, t, sums, losses, objective, norm)
    for k in range(len(rates)):
        passed.load(lanes.weights)
        passed.run(0, 1, losses)
        passed.store(sums)
        take_step(*stepped, k)


def dense_second_derivatives(data, loss, lanes, model, chunk, first, last, out):
    """The ``second_derivatives`` of ``joint_curvature``, of dense rows."""
    classes, n = data.classes, data.targets.shape[1]
    own = lanes._replace(**{name: getattr(lanes, name)[model * classes :][:classes] for name in OWN})
    start, stop = first * chunk, min(last * chunk, n)
    shares = data.weight[None, start:stop].astype(np.float64)
    passed = Pass(data, own, functions_of_second_derivatives(loss, data.shift.dtype), shares, chunk, 0, out)
    passed.run(first, last, np.empty((last, classes)))


def row_shares(data, lanes, start, stop):
    """What rows start to stop weigh in each model, (models, rows) float64; (models, 0) where all weigh 1."""
    which = [array[:: data.classes] for array in (lanes.fold, lanes.replicate, lanes.scale)]
    if not (data.weight.size or (which[0] >= 0).any() or (which[1] >= 0).any() or (which[2] != 1.0).any()):
        return np.empty((len(which[0]), 0))
    rows = [row_weights(data, fold, replicate, False, start, stop) for fold, replicate in zip(*which[:2], strict=True)]
    return np.array(rows) * which[2][:, None]


class Pass:
    """The arguments of ``_joint_sums``, its workspace with them; for sums of gradients of so many chunks at once."""

    def __init__(self, data, lanes, functions, shares, chunk, chunks, out=None):
        dtype, d = lanes.weights.dtype, data.shift.size
        self.classes = classes = data.classes
        models, vector = len(lanes.weights) // classes, BYTES // dtype.itemsize
        width, self.height = -(-(d + 1) // vector) * vector, -(-classes // GROUP) * GROUP
        height = self.height
        rows = rows_at_once(data, FLUSH_ROWS)
        self.weights = zeros((models * height, width), dtype)
        self.totals = zeros((chunks * models * height, width), np.float64)
        self.load(lanes.weights)
        self.arguments = (
            data.rows.values.reshape(-1), data.shift, data.inverse_scale, data.constant,
            np.ascontiguousarray(data.targets), np.ascontiguousarray(lanes.target[::classes]), shares,
            *functions, lanes.loss, classes, self.weights, zeros((rows, width), dtype),
            *zeros((2, height, rows), np.float64), zeros((height, rows), dtype), *zeros((2, rows), np.float64),
            np.zeros(rows, np.int64), np.empty((3, classes)), zeros((models * height if chunks else 0, width), dtype),
            self.totals, FLUSH_ROWS // rows * rows, data.rows.values.nbytes > CACHED_BYTES,
            np.empty(0, dtype) if out is None else out, chunk,
        )  # fmt: skip

    def load(self, weights):
        """Put weights (lanes, d + 1) into the models' tables."""
        tables = self.weights.reshape(-1, self.height, self.weights.shape[1])
        tables[:, : self.classes, : weights.shape[1]] = weights.reshape(len(tables), self.classes, -1)

    def run(self, first, last, losses):
        """Pass over chunks first to last; ``totals`` are of these."""
        losses[first:last] = 0.0
        _joint_sums(*self.arguments, losses, first, last)

    def store(self, sums):
        """Move the sums of all chunks into ``sums`` (chunks, lanes, d + 1)."""
        found = self.totals.reshape(-1, self.height, self.totals.shape[1])
        sums.reshape(len(found), self.classes, -1)[...] = found[:, : self.classes, : sums.shape[2]]
        self.totals.fill(0.0)


@kernel(in_order=True)
def _joint_sums(
    values, shift, inverse_scale, constant, targets, target, shares, function, second, fields, classes,
    W, Z, p, slopes, S, value, share, labels, row, gradients, totals, flush_rows, ask, out, chunk, losses, first, last,
):  # fmt: skip
    """Add up chunks first to last: gradients in ``totals``, where there are some, and losses.

    Or, where there is room for them, put second derivatives into ``out`` (n,). ``totals`` and ``losses`` are zero at
    first. ``shares`` (models, rows) are from the first chunk on.
    """
    compact()
    n, models, most, height = targets.shape[1], target.size, Z.shape[0], S.shape[0]
    marks, found, weigh = at(labels, 0), at(value, 0), at(share, 0)
    for k in range(most):
        weigh[k] = 1.0
    for c in range(first, last):
        stop = (c + 1) * chunk if (c + 1) * chunk < n else n
        for start in range(c * chunk, stop, most):
            some = most if start + most < stop else stop - start
            for model in range(models):
                top = model * height
                take_scores(values, start, some, shift, inverse_scale, constant, Z, W, top, classes, top == 0, ask, p)
                y, own, total = at(targets, target[model]), at(shares, model), losses[c, model * classes]
                for k in range(some):
                    marks[k] = np.int64(y[start + k])
                if shares.size > 0:
                    for k in range(some):
                        weigh[k] = own[start - first * chunk + k]
                call(function, at(fields, model * classes), p, slopes, value, labels, row, classes, some)
                if out.size > 0:
                    if second != 0:
                        call(second, at(fields, model * classes), p, slopes, value, labels, row, classes, some)
                    here = at(out, start)
                    for k in range(some):
                        here[k] = found[k] * weigh[k]
                for k in range(some):
                    total += weigh[k] * found[k]
                losses[c, model * classes] = total
                if gradients.size > 0:
                    weigh_slopes(slopes, share, classes, S)
                    last_model = ask and model == models - 1
                    add_weighted_rows(S, some, Z, gradients, top, values, start + some, shift.size, last_model)
            done = start + some - c * chunk
            if gradients.size > 0 and (done % flush_rows == 0 or start + some == stop):
                flush(gradients, totals, (c - first) * gradients.shape[0])


@routine
def take_scores(values, start, some, shift, inverse_scale, constant, Z, W, first, classes, load, ask, p):
    """The scores (classes, rows) of ``some`` rows at ``start``, which are put, standardised, into Z where ``load``.

    If ``ask``, half of the following rows are asked of the memory meanwhile, and half by ``add_weighted_rows``, a few
    at a time: of 10,000 x 784 x 10 in float64 a pass took 6.6 ms without, 5.8 where a tile's were asked for at once.
    Now it takes 5.1, of which 3.0 are reading and 3.0 multiplying.
    """
    assume_noalias()
    compact()
    d, width, rows = shift.size, Z.shape[1], (some + 7) // 8 * 8
    tile, shifts, scales = TILE_BYTES // 64 * simd_width(Z), at(shift, 0), at(inverse_scale, 0)
    for low in range(0, width, tile):
        high = low + tile if low + tile < width else width
        if load:
            end = high if high < d else d
            for k in range(some):
                row, x = at(Z, k), at(values, (start + k) * d)
                for j in range(low, end):
                    row[j] = (x[j] - shifts[j]) * scales[j]
                if high > d:
                    row[d] = constant
        turns = (classes + 1) // 2 * (rows // 8)
        share = (some // 2 + turns - 1) // turns
        asked = 0 if load and ask else some // 2
        for i in range(0, rows, 8):
            for c in range(0, classes, 2):
                ask_for(values, start + some, asked, asked + share, some // 2, d, low, high)
                asked += share
                if c + 1 < classes:
                    dots(Z, i, W, first, c, low, high, p, 2, low > 0)
                else:
                    dots(Z, i, W, first, c, low, high, p, 1, low > 0)


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
    shares = at(share, 0)
    for c in range(classes):
        row, out = at(slopes, c), at(S, c)
        for k in range(S.shape[1]):
            out[k] = row[k] * shares[k]


@routine
def add_weighted_rows(S, some, Z, gradients, to, values, following, d, ask):
    """``gradients[to:] += S[:, :some] @ Z[:some]``; if ``ask``, half of the following rows are asked for meanwhile."""
    compact()
    height, width, rows = S.shape[0], gradients.shape[1], S.shape[1]
    vector = simd_width(Z)
    fours = width - width % (4 * vector)
    groups = height // GROUP
    share, last = ((rows + 1) // 2 + groups - 1) // groups, rows if ask else 0
    for turn in range(fours // (4 * vector) + (width - fours) // vector):
        step = 4 * vector if turn * 4 * vector < fours else vector
        v = turn * 4 * vector if step > vector else fours + (turn - fours // (4 * vector)) * vector
        for c in range(0, height, GROUP):
            first = rows // 2 + c // GROUP * share
            ask_for(values, following, first, first + share, last, d, v, v + step)
            if step > vector:
                panel(S, c * rows, rows, 1, some, Z, gradients, to + c, v, 4, 4, True)
            else:
                panel(S, c * rows, rows, 1, some, Z, gradients, to + c, v, 4, 1, True)


@routine
def flush(gradients, totals, to):
    """Add gradients to float64 sums, from row ``to`` on, and reset them."""
    assume_noalias()
    compact()
    for k in range(gradients.shape[0]):
        gradient, total = at(gradients, k), at(totals, to + k)
        for j in range(gradients.shape[1]):
            total[j] += gradient[j]
            gradient[j] = 0


@intrinsic(prefer_literal=True)
def _dots(typingctx, Z, i, W, first, c, low, high, out, classes, adds):
    """``out[c + r, i + q] (+)= Z[i + q, low:high] @ W[first + c + r, low:high]``, 8 rows, some classes."""
    count = classes.literal_value

    def codegen(context, b, sig, args):
        e = Inside(context, b, sig.args[0].dtype, sig, args)
        Z, i, W, first, c, low, high, out, _, adds = e.args
        n = i.type
        width, owidth = e.width(Z), e.width(out)
        sums = [e.variables(ROWS) for _ in range(count)]
        rows = [b.gep(Z.data, [b.mul(b.add(i, n(q)), width)]) for q in range(ROWS)]
        weights = [b.gep(W.data, [b.mul(b.add(b.add(first, c), n(r)), width)]) for r in range(count)]
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

    return types.void(Z, i, W, first, c, low, high, out, classes, types.boolean), codegen


def _plain_dots(Z, i, W, first, c, low, high, out, classes, adds):
    total = W[first + c : first + c + classes, low:high] @ Z[i : i + ROWS, low:high].T
    out[c : c + classes, i : i + ROWS] = total + (out[c : c + classes, i : i + ROWS] if adds else 0.0)


dots = _plain_dots if numba.config.DISABLE_JIT else _dots
