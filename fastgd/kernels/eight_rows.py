"""Eight dense rows at once: their scores, and their sum times slopes; in streams, or as an order names them.

A pass over memory reads eight streams of rows, each a segment of a chunk: one stream got 22 GB/s of a machine's 28.
While the next rows' products are taken, the last ones', still in the first-level cache, are added to the gradient, so
the memory is never idle; and it is asked for rows a kilobyte ahead.

``work`` is scratch of the rows' type: from 0, D and 2 * D on the weights, the shift and the sum, each ``D`` numbers,
the ``padded`` d, with zeros at the end; from 3 * D on eight numbers for every eight rows.
"""

import numpy as np
from llvmlite import ir

from .emit import I32, I64, ROWS, emitted

AHEAD = (
    1024  # bytes of a stream between asking for a line and its product; with 512, rows of 200 came at 0.9 of its rate
)


def padded(d):
    """The number of columns, filled up to whole vectors of any type."""
    return -(-d // 16) * 16


def _add_and_score(X, new, old, stride, groups, d, work, D):
    """Scores of rows ``new + g + q * stride``, q < 8, in place of slopes of those from ``old``, which are added up.

    Those of group g, ``g < groups``, are numbers 8 * g + q from 3 * D on.
    """
    rows = np.arange(groups)[:, None] + stride * np.arange(ROWS)
    numbers = work[3 * D : 3 * D + ROWS * groups]
    added = numbers @ (X[old + rows.ravel()] - work[D : D + d])
    numbers[:] = (X[new + rows.ravel()] - work[D : D + d]) @ work[:d]
    work[2 * D : 2 * D + d] += added


@emitted(_add_and_score)
def add_and_score(body, X, new, old, stride, groups, d, work, D):
    b = body.b
    row = body.bytes(d)
    new, old = (body.at(X, b.mul(first, row)) for first in (new, old))
    stride = b.mul(stride, row)
    offsets = [I64(0), stride, b.shl(stride, I64(1)), b.mul(stride, I64(3))]
    far, one = b.shl(stride, I64(2)), I64(ROWS * body.size)
    shifts = body.at(work, body.bytes(D))
    sums, numbers = body.at(shifts, body.bytes(D)), body.at(work, body.bytes(b.mul(D, I64(3))))

    def group(g):
        at, place = b.mul(g, row), body.at(numbers, b.mul(g, one))
        bases = [x for first in (new, old) for x in (body.at(first, at), body.at(body.at(first, at), far))]
        slopes = [body.splat(body.number(place, q * body.size)) for q in range(ROWS)]

        def column(j, mask, totals):
            near, farther, near_old, farther_old = (body.at(base, j) for base in bases)
            shift, weight = body.load(body.at(shifts, j)), body.load(body.at(work, j))
            out, rows = [], [body.at(base, offset) for base in (near, farther) for offset in offsets]
            for x, total in zip(rows, totals, strict=True):
                body.prefetch(body.at(x, AHEAD), 3)
                out.append(body.fma(body.centred(x, mask, shift), weight, total))
            rows = [body.at(base, offset) for base in (near_old, farther_old) for offset in offsets]
            body.add_rows(body.at(sums, j), rows, slopes, mask, shift)
            return out

        body.b.store(body.sums(body.columns(d, [body.zero] * ROWS, column)), place, align=body.size)

    body.repeat(groups, group)


def _gather(y, first, stride, groups, work, place):
    """The items of ``y`` that belong to the scores of ``add_and_score``, into ``work`` from ``place`` on."""
    rows = first + np.arange(groups)[:, None] + stride * np.arange(ROWS)
    work[place : place + ROWS * groups] = y.reshape(-1)[rows.ravel()]


@emitted(_gather)
def gather(body, y, first, stride, groups, work, place):
    b = body.b
    out, stride, ahead = body.at(work, body.bytes(place)), body.bytes(stride), body.bytes(groups)
    first, one = body.at(y, body.bytes(first)), I64(ROWS * body.size)

    def group(g):
        at = body.at(first, body.bytes(g))
        v = ir.Constant(ir.VectorType(body.item, ROWS), ir.Undefined)
        for q in range(ROWS):
            v = b.insert_element(v, body.number(at), I32(q))
            body.prefetch(body.at(at, ahead), 3)
            at = body.at(at, stride)
        b.store(v, body.at(out, b.mul(g, one)), align=body.size)

    body.repeat(groups, group)


def _eight_scores(X, order, k, last, d, work, D, place, ahead):
    """Scores of the rows at k to k + 8 of ``order``, of the last one beyond ``last``, into ``work`` from ``place`` on.

    Rows that ``ahead`` names there are asked for: half of them here, the others by ``add_eight``.
    """
    rows = order[np.minimum(np.arange(k, k + ROWS), last)]
    work[place : place + ROWS] = (X[rows] - work[D : D + d]) @ work[:d]


@emitted(_eight_scores)
def eight_scores(body, X, order, k, last, d, work, D, place, ahead):
    rows, asked = _named(body, X, order, k, last, d), _named(body, X, ahead, k, last, d)
    shifts = body.at(work, body.bytes(D))

    def column(j, mask, totals):
        _ask(body, asked[: ROWS // 2], j)
        shift, weight = body.load(body.at(shifts, j)), body.load(body.at(work, j))
        centred = [body.centred(body.at(x, j), mask, shift) for x in rows]
        return [body.fma(x, weight, total) for x, total in zip(centred, totals, strict=True)]

    body.store(body.sums(body.columns(d, [body.zero] * ROWS, column)), body.at(work, body.bytes(place)))


def _add_eight(X, order, k, last, d, work, D, place, ahead):
    """Add the same rows times the slopes in ``work`` from ``place`` on, which are 0 beyond ``last``, to the sum."""
    rows = order[np.minimum(np.arange(k, k + ROWS), last)]
    work[2 * D : 2 * D + d] += work[place : place + ROWS] @ (X[rows] - work[D : D + d])


@emitted(_add_eight)
def add_eight(body, X, order, k, last, d, work, D, place, ahead):
    rows, asked = _named(body, X, order, k, last, d), _named(body, X, ahead, k, last, d)
    shifts, place = body.at(work, body.bytes(D)), body.at(work, body.bytes(place))
    sums = body.at(shifts, body.bytes(D))
    slopes = [body.splat(body.number(place, q * body.size)) for q in range(ROWS)]

    def column(j, mask, state):
        _ask(body, asked[ROWS // 2 :], j)
        body.add_rows(body.at(sums, j), [body.at(x, j) for x in rows], slopes, mask, body.load(body.at(shifts, j)))
        return []

    body.columns(d, [], column)


def _pick_eight(y, first, order, k, last, work, place, ahead):
    """The items of ``y`` from ``first`` on that belong to these scores, into ``work`` from ``place`` on."""
    work[place : place + ROWS] = y[first + order[np.minimum(np.arange(k, k + ROWS), last)]]


@emitted(_pick_eight)
def pick_eight(body, y, first, order, k, last, work, place, ahead):
    y = body.at(y, body.bytes(first))
    v = ir.Constant(ir.VectorType(body.item, ROWS), ir.Undefined)
    for q, at in enumerate(_named(body, y, order, k, last, I64(1))):
        v = body.b.insert_element(v, body.number(at), I32(q))
    body.b.store(v, body.at(work, body.bytes(place)), align=body.size)
    for at in _named(body, y, ahead, k, last, I64(1)):
        body.prefetch(at, 2)


def _named(body, X, order, k, last, d):
    """Where eight rows lie that an order names, the last one instead of those beyond."""
    b, row, out = body.b, body.bytes(d), []
    for q in range(ROWS):
        at = b.add(k, I64(q))
        at = b.select(b.icmp_signed("<", at, last), at, last)
        out.append(body.at(X, b.mul(body.number(order, b.shl(at, I64(3)), I64), row)))
    return out


def _ask(body, rows, j):
    for row in rows:
        # Into the second-level cache: into the first, mini-batches at d=50 took 81 ns a row, not 46.
        body.prefetch(body.at(row, j), 2)
