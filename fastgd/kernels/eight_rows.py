"""Eight dense rows at once: their scores, and their sum times slopes.

A pass over memory reads eight streams of rows, each a segment of a chunk: one stream got 22 GB/s of a machine's 28.
While the next rows' products are taken, the last ones', still in the first-level cache, are added to the gradient, so
the memory is never idle; and it is asked for rows half a kilobyte ahead.

``work`` is scratch of the rows' type: from 0, D and 2 * D on the weights, the shift and the sum, each ``D`` numbers, which
is ``padded``, zeros behind their d; from 3 * D on eight numbers a group of eight rows.
"""

import numpy as np
from llvmlite import ir

from .emit import I32, I64, ROWS, emitted

AHEAD = 512  # bytes of a stream between asking for a line and its product


def padded(d):
    """The number of columns, filled up to whole vectors of any type."""
    return -(-d // 16) * 16


def _pass_on(X, new, old, stride, groups, d, work, D):
    """Scores of rows ``new + g + q * stride``, q < 8, in place of slopes of those from ``old``, which are added up.

    Those of group g, ``g < groups``, are numbers 8 * g + q from 3 * D on.
    """
    rows = np.arange(groups)[:, None] + stride * np.arange(ROWS)
    numbers = work[3 * D : 3 * D + ROWS * groups]
    added = numbers @ (X[old + rows.ravel()] - work[D : D + d])
    numbers[:] = (X[new + rows.ravel()] - work[D : D + d]) @ work[:d]
    work[2 * D : 2 * D + d] += added


@emitted(_pass_on)
def pass_on(body, X, new, old, stride, groups, d, work, D):
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
    """The items of ``y`` that belong to the scores of ``pass_on``, into ``work`` from ``place`` on."""
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
