"""Two methods for losses that are lines with kinks: Newton's on the smoothed loss, and a primal-dual interior point.

The first is quick to come near on samples and many rows (Chen 2007), the second ends at the optimum with a proof, in
ten to thirty steps whatever the rows (Mehrotra 1992; for quantiles Portnoy and Koenker 1997).
"""

import math

import numpy as np

from ..kernels import kinks
from ..kernels.layouts import frozen
from ..kernels.pairs import product
from .metrics import ArrowSums

STEEP = 0.1  # a line search ends where the slope is below this share of the start's
SEARCHES = 20
# Of conjugate gradients: the most products, and the share of the gradient that is left.
ROUGHLY, EXACTLY = (50, 0.1), (200, 1e-3)
NARROWER = 0.1  # a width is multiplied by it, at least
SETTLED = 0.1  # of the gap: the smoothed loss has converged when its decrement is below
WIDE = 0.1  # the least slack of an interior point's start, in typical distances
TO_BOUND = 0.995  # of the way to the bounds
REST = 0.1  # of the tolerance, for what is left of the gradient
STEPS = 60
FAILED = 1e6  # times the first gap: it never comes back from there


class Near:
    """Where Newton's steps on the smoothed loss have come to."""

    def __init__(self, weights, scores, width):
        self.weights, self.scores, self.width = weights, scores, width
        self.steps, self.close, self.left = 0, False, math.inf


def smoothed_newton(rows, near, level, most):
    """Newton's steps on the loss smoothed within a width that narrows, until a gap is below ``level`` times the loss.

    ``near`` is changed; at most ``most`` steps.
    """
    slopes, bends = np.empty((2, rows.n))
    most_far = rows.furthest(near.scores)
    for near.steps in range(most):
        kinks.smoothed(near.scores, *rows.box, rows.weight, near.width, slopes, bends, rows.sums)
        gap = max(float(rows.sums[1]), 0.0)
        gradient = rows.penalty * near.weights - rows.transposed(slopes)
        if near.steps == 4:  # by now it is known what an outlier is
            most_far = rows.furthest(near.scores)
        tolerance = level * (rows.losses(near.scores, most_far)[1] + rows.penalty_cost(near.weights))
        if rows.wide:
            step = conjugate(rows, bends, -gradient, exactly=gap <= 0.5 * tolerance)
        else:
            step = rows.metric(bends).solve(-gradient)
        fall = max(-0.5 * product(gradient, step), 0.0)
        if not math.isfinite(fall) or near.width <= 0:
            return
        near.left = gap + (unproven(rows, gradient, step, gap, fall) if rows.wide else fall)
        near.close = near.left <= tolerance
        if near.close and rows.wide:
            return
        if not near.close and fall <= SETTLED * gap and gap > 0.5 * tolerance:
            near.width *= max(NARROWER, 0.5 * tolerance / gap)
            continue
        move = rows.scores(step)
        share = 1.0 if near.close else search(rows, near, step, move)
        near.weights, near.scores = near.weights + share * step, near.scores + share * move
        if near.close or share == 0:
            return


def unproven(rows, gradient, step, gap, fall):
    """What a gradient that is left adds to the gap: with a penalty a bound, but for the constant's share; else a guess.

    The guess takes the second derivatives of the step for those on the way to the optimum.
    """
    if not rows.penalty.any():
        return 2 * math.sqrt(fall * (gap + fall))
    return 0.5 * product(gradient[:-1], gradient[:-1]) / rows.penalty[0] + 2 * abs(gradient[-1] * step[-1])


def conjugate(rows, bends, side, exactly):
    """The step of Newton's method by conjugate gradients, with products of the rows near the kinks only.

    Preconditioned by the diagonal and the constant's row and column (Steihaug 1983 on how exactly).
    """
    metric = ArrowSums(rows.data, frozen(bends), rows.spreads, rows.backend, rows.threads).damped(rows.penalty[0], 0.0)
    near = bends > 0.0
    if 2 * np.count_nonzero(near) < rows.n:
        rows, bends = rows.take(near), bends[near]
    step, rest = np.zeros(len(side)), side.copy()
    way = solved = metric.solve(rest)
    size = first = product(rest, solved)
    products, left = EXACTLY if exactly else ROUGHLY
    for _ in range(products):
        moved = rows.transposed(bends * rows.scores(way)) + rows.penalty * way
        curved = product(way, moved)
        if not (size > 0 and 0 < curved < math.inf):
            break
        share = size / curved
        step, rest = step + share * way, rest - share * moved
        solved = metric.solve(rest)
        before, size = size, product(rest, solved)
        if size <= left * left * first:
            break
        way = solved + (size / before) * way
    return step


def search(rows, near, step, move):
    """The length of a step at which the slope of the smoothed objective is nearly 0."""
    first = float(np.sum(rows.penalty * near.weights * step))
    more = float(np.sum(rows.penalty * step * step))

    def slope(share):
        along = kinks.slope_along(near.scores, move, share, *rows.box, rows.weight, near.width)
        return along + first + share * more

    low, high, start, above = 0.0, 1.0, slope(0.0), slope(1.0)
    below = start
    if not start < 0 or 0 >= above >= STEEP * start:
        return 1.0 if start < 0 else 0.0
    while above < 0 and high < 64:
        low, below, high = high, above, 2 * high
        above = slope(high)
    share = high
    for k in range(SEARCHES):
        share = low - below * (high - low) / (above - below) if k % 3 < 2 and above > below else 0.5 * (low + high)
        here = slope(share)
        if abs(here) <= STEEP * abs(start):
            break
        low, below, high, above = (share, here, high, above) if here < 0 else (low, below, share, here)
    return share


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
    box, weight = (rows.low, rows.high), rows.weight
    below, above, u = interior(rows, scores, slack or WIDE * rows.typical(scores) or 1.0)
    d, e, du, dbelow, dabove = np.empty((5, *rows.places.shape))
    bends, sides = np.empty((2, rows.n))
    longest = np.zeros(2)
    rest = rows.penalty * weights + extra - rows.transposed(u.sum(axis=0))
    most = math.inf
    quadratic, count, step = rows.penalty.any(), 2.0 * max(np.count_nonzero(weight) * len(u), 1), None
    for _ in range(steps):
        gap = kinks.inverse_bends(*box, weight, below, above, u, d, bends)
        # Where rows are separable weights grow on and on: no gap is proved that is less than their rounding.
        enough = max(tolerance, rows.rounding(weights))
        if step is not None and gap <= enough and abs(product(rest, step)) <= REST * enough:
            break
        most = FAILED * gap if step is None else most
        if not (gap <= most and math.isfinite(float(bends.sum()))):
            break
        metric, target = rows.metric(bends), 0.0
        for second in (False, True):
            state = below, above, u, d
            half = target, second, du, dbelow, dabove
            kinks.right_side(scores, *rows.box, weight, *state, *half, e, sides)
            side = rows.transposed(sides) - rest
            if not np.isfinite(side).all():
                return weights, u
            step = metric.solve(side)
            move = rows.scores(step)
            kinks.direction(*box, weight, *state, e, move, *half, longest)
            if not second:
                share, dual = np.minimum(longest, 1.0).tolist()
                reached = kinks.advance(*box, weight, below, above, u, du, dbelow, dabove, share, dual, False)
                target = gap / count * (reached / gap) ** 3
        share, dual = np.minimum(TO_BOUND * longest, 1.0).tolist()
        if quadratic:
            share = dual = min(share, dual)
        if not np.isfinite(step).all():
            break
        kinks.advance(*box, weight, below, above, u, du, dbelow, dabove, share, dual, True)
        weights, scores, rest = weights + share * step, scores + share * move, (1.0 - dual) * rest
    return weights, u
