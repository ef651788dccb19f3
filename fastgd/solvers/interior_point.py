"""A primal-dual interior point for losses that are lines with kinks.

It ends at the optimum with a proof, in ten to thirty steps whatever the rows (Mehrotra 1992; for quantiles Portnoy and
Koenker 1997).
"""

import math

import numpy as np

from ..kernels import kinks
from ..kernels.pairs import product

WIDE = 0.1  # the least slack of an interior point's start, in typical distances
TO_BOUND = 0.995  # of the way to the bounds
REST = 0.1  # of the tolerance, for what is left of the gradient
STEPS = 60
FAILED = 1e6  # times the first gap: it never comes back from there


def interior(rows, scores, wide):
    """A start in the interior, slacks below and above and multipliers (kinks, n): every slack is ``wide`` at least."""
    with np.errstate(all="ignore"):
        distance = rows.places - scores
        above = np.where(distance > 0.0, distance, 0.0) + wide
        below = above - distance
        return below, above, rows.weight * (rows.low + (rows.high - rows.low) * (above / (above + below)))


def interior_point(rows, weights, scores, extra, tolerance, slack=None, steps=STEPS):
    """The minimum of the rows' losses, the penalty and ``extra @ weights``, up to ``tolerance``.

    It begins with slacks of ``slack`` at least. Returns the weights, and the multipliers (kinks, n), each between low
    and high times the row's weight.
    """
    weight, tables = rows.weight, np.zeros((kinks.TABLES, *rows.places.shape))
    tables[: kinks.BELOW] = rows.box
    u = tables[kinks.U]
    tables[kinks.BELOW : kinks.U + 1] = interior(rows, scores, slack or WIDE * rows.typical(scores) or 1.0)
    bends, sides = np.empty((2, rows.n))
    longest, share, dual = np.zeros(2), 0.0, 0.0
    rest = rows.penalty * weights + extra - rows.transposed(u.sum(axis=0))
    most = math.inf
    quadratic, count, step = rows.penalty.any(), 2.0 * max(np.count_nonzero(weight) * len(u), 1), None
    for turn in range(steps + 1):
        gap = kinks.advance(tables, weight, share, dual, True, bends)
        if turn == steps:  # the last step is taken, and none follows
            break
        # Where rows are separable weights grow on and on: no gap is proved that is less than their rounding.
        enough = max(tolerance, rows.rounding(weights))
        if step is not None and gap <= enough and abs(product(rest, step)) <= REST * enough:
            break
        most = FAILED * gap if step is None else most
        if not (gap <= most and math.isfinite(float(bends.sum()))):
            break
        metric, target = rows.metric(bends), 0.0
        for second in (False, True):
            kinks.right_side(tables, weight, scores, target, second, sides)
            side = rows.transposed(sides) - rest
            if not np.isfinite(side).all():
                return weights, u
            step = metric.solve(side)
            move = rows.scores(step)
            kinks.direction(tables, weight, move, target, second, longest)
            if not second:
                reached = kinks.advance(tables, weight, *np.minimum(longest, 1.0).tolist(), False, bends)
                target = gap / count * (reached / gap) ** 3
        share, dual = np.minimum(TO_BOUND * longest, 1.0).tolist()
        if quadratic:
            share = dual = min(share, dual)
        if not np.isfinite(step).all():
            break
        weights, scores, rest = weights + share * step, scores + share * move, (1.0 - dual) * rest
    return weights, u
