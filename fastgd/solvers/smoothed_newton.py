"""Newton's method on losses made of lines, smoothed: quick to come near on samples and many rows (Chen 2007)."""

import math

import numpy as np

from ..kernels import kinks
from ..kernels.layouts import frozen
from ..kernels.pairs import product
from .metrics import ArrowSums
from .strengths import square

STEEP = 0.1  # a line search ends where the slope is below this share of the start's
SEARCHES = 20
# Of conjugate gradients: the most products, and the share of the gradient that is left.
ROUGHLY, EXACTLY = (50, 0.1), (200, 1e-3)
NARROWER = 0.1  # a width is multiplied by it, at least
SETTLED = 0.1  # of the gap: the smoothed loss has converged when its decrement is below


class Near:
    """Where Newton's steps on the smoothed loss have come to."""

    def __init__(self, weights, scores, width):
        self.weights, self.scores, self.width = weights, scores, width
        self.steps, self.close, self.left = 0, False, math.inf


def smoothed_newton(rows, near, level, most):
    """Newton's steps on the loss smoothed within a width that narrows, until a gap is below ``level`` times the loss.

    ``near`` is changed; at most ``most`` steps.
    """
    slopes, bends = rows.scratch
    most_far = rows.furthest(near.scores)
    for near.steps in range(most):
        if near.steps == 4:  # by now it is known what an outlier is
            most_far = rows.furthest(near.scores)
        _, gap, clipped = rows.smoothed(near.scores, near.width, most_far)
        gap = max(gap, 0.0)
        gradient = rows.penalty * near.weights - rows.transposed(slopes)
        tolerance = level * (clipped + rows.penalty_cost(near.weights))
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
    if not np.all(rows.l2):
        return 2 * math.sqrt(fall * (gap + fall))
    return 0.5 * square(1.0 / rows.l2, gradient[:-1]) + 2 * abs(gradient[-1] * step[-1])


def conjugate(rows, bends, side, exactly):
    """The step of Newton's method by conjugate gradients, with products of the rows near the kinks only.

    Preconditioned by the diagonal and the constant's row and column (Steihaug 1983 on how exactly).
    """
    metric = ArrowSums(rows.data, frozen(bends), rows.spreads, rows.backend, rows.threads).damped(rows.l2, 0.0)
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
        along = kinks.slope_along(near.scores, move, share, rows.box, rows.weight, near.width)
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
