"""What parts do in the loops of one lane: functions called through ``addresses.py``."""

import numpy as np

from ..parts.optimizers import decayed
from . import elementary  # noqa: F401  (registers the compiled twins that losses call)
from ._jit import cast_all, compiled_as, inlined, lane_of
from .addresses import arguments, in_numpy, part_at
from .emit import wide
from .lane_vectors import assume_noalias
from .optimizer_state import state_at, store_normal_state

CLOSE = 0.05  # how exactly, relatively, an implicit slope is found
ROUNDS = 12
NEAR, APART = 4.0, 1e-6  # ratios of the bracket's ends: the first is near, the second as far as is guessed


@arguments("F* T* int T T* T* bool F*")
def loss_block(part):
    """Slopes in place of scores, and the sums of losses and of slopes."""

    def loss_block(fields, scores, count, intercept, y, weight, weighted, out):
        """Turn ``count`` scores, plus the intercept, into slopes; add the sums of losses and of slopes to ``out`` (2,).

        Both are times the rows' weights where they are ``weighted``.
        """
        assume_noalias()
        wide()
        loss = part_at(part, fields)
        total = slopes = 0.0
        if weighted:
            for k in range(count):
                p, target = scores[k] + intercept, y[k]
                total += np.float64(loss.value(p, target)) * weight[k]
                scores[k] = loss.slope(p, target) * weight[k]
                slopes += np.float64(scores[k])
        else:
            for k in range(count):
                p, target = scores[k] + intercept, y[k]
                total += np.float64(loss.value(p, target))
                scores[k] = loss.slope(p, target)
                slopes += np.float64(scores[k])
        out[0] += total
        out[1] += slopes

    return loss_block


@in_numpy(loss_block)
def _(part):
    def loss_block(fields, scores, count, intercept, y, weight, weighted, out):
        loss, p, shares = part_at(part, fields), scores[:count] + intercept, weight[:count] if weighted else 1.0
        out[0] += (np.float64(loss.value(p, y[:count])) * shares).sum()
        scores[:count] = loss.slope(p, y[:count]) * shares
        out[1] += scores[:count].sum(dtype=np.float64)

    return loss_block


@arguments("F* T* int F T* T* bool T*")
def second_derivative_block(part):
    """The weighted second derivatives of a loss."""

    def second_derivative_block(fields, scores, count, intercept, y, weight, weighted, out):
        """Those at ``count`` scores, to each of which ``intercept`` is added.

        In float64 until they are stored: they may be small differences of large numbers.
        """
        loss = part_at(part, fields)
        for k in range(count):
            p, target = np.float64(scores[k]) + intercept, np.float64(y[k])
            value = np.float64(loss.second_derivative(p, target))
            if weighted:
                value *= weight[k]
            out[k] = value

    return second_derivative_block


@in_numpy(second_derivative_block)
def _(part):
    def second_derivative_block(fields, scores, count, intercept, y, weight, weighted, out):
        p, y = np.float64(scores[:count]) + intercept, np.float64(y[:count])
        value = np.float64(part_at(part, fields).second_derivative(p, y))
        out[:count] = value * weight[:count] if weighted else value

    return second_derivative_block


@arguments("F* T* int F T* T* bool T*")
def score_block():
    """The scores themselves."""

    def score_block(fields, scores, count, intercept, y, weight, weighted, out):
        """Those of ``count`` rows, to each of which ``intercept`` is added."""
        for k in range(count):
            out[k] = scores[k] + intercept

    return score_block


def row_slope(optimizer, rate, slope, value, size):
    """A row's slope: the loss's, or what an optimizer that goes by the row (of this squared norm) puts in its place."""
    return optimizer.row_slope(rate, np.float64(slope), value, size) if optimizer.by_row else slope


@compiled_as(row_slope)
def _(optimizer, rate, slope, value, size):
    if optimizer.instance_class.by_row:
        return lambda optimizer, rate, slope, value, size: optimizer.row_slope(rate, np.float64(slope), value, size)
    return lambda optimizer, rate, slope, value, size: slope


@inlined
def implicit_slope(loss, p, y, reach):
    """The slope ``s = loss.slope(p - reach * s, y)`` behind a step that moves the score by ``-reach * s``.

    Its share of the first slope is bracketed, for a convex loss, by regula falsi (of a line the first guess is exact),
    and by geometric means while the ends are far apart, as an exponential's are. What is returned lies before the root,
    or is it to a few hundredths. A loss that isn't convex here keeps its slope.
    """
    first = np.float64(loss.slope(p, y))
    if first == 0.0 or not abs(reach * first) < np.inf:
        return first
    low, below, high = 0.0, -1.0, 1.0
    above = 1.0 - np.float64(loss.slope(p - reach * first, y)) / first
    if above < CLOSE:
        return first
    for _ in range(ROUNDS):
        if above < np.inf and (low == 0.0 or high < NEAR * low):
            share = (low * above - high * below) / (above - below)
        else:
            share = np.sqrt(max(low, APART * high) * high)
        off = share - np.float64(loss.slope(p - reach * share * first, y)) / first
        if abs(off) <= CLOSE * share:
            return share * first
        if off < 0.0:
            low, below = share, off
        else:
            high, above = share, off
        if high - low <= CLOSE * high:
            break
    return low * first


@arguments("F2 int F F F F1")
def implicit_step(part):
    """What a row's implicit step needs of the loss."""

    def implicit_step(fields, lane, p, y, reach, out):
        """The loss of a row, and its slope at the score after a step that moves the score by ``-reach * slope``."""
        loss = lane_of(part, fields, lane)
        out[0] = np.float64(loss.value(p, y))
        out[1] = implicit_slope(loss, p, y, reach)

    return implicit_step


@arguments("F* T* F int F* T* T* T* T* T* T* int F* bool int")
def move_weights(optimizer_part, penalty_part):
    """A step of a lane against a gradient."""

    def move_weights(
        fields, penalty_fields, rate, t, carry, weights, slots, low, high, factors, gradient, d, averages, averaged,
        begin,
    ):  # fmt: skip
        """One step of the d + 1 weights, the last of which, the intercept, is not penalised.

        They are taken into their running means if they are ``averaged``, from step ``begin`` on.
        """
        assume_noalias()
        optimizer, penalty = part_at(optimizer_part, fields), part_at(penalty_part, penalty_fields)
        prepared, after = optimizer.prepare(rate, t, (carry[0], carry[1]))
        carry[0], carry[1] = after
        c = cast_all(prepared, weights)
        for j in range(d):
            w = weights[j]
            change, step, s = optimizer.move(c, w, gradient[j], state_at(optimizer, slots, d + 1, j))
            weights[j] = penalty.prox(decayed(optimizer, c, w) + change, step, low[j], high[j], factors, j)
            store_normal_state(slots, d + 1, j, s)
        w = weights[d]
        change, step, s = optimizer.move(c, w, gradient[d], state_at(optimizer, slots, d + 1, d))
        weights[d] = w + change
        store_normal_state(slots, d + 1, d, s)
        if averaged and t >= begin:
            share = 1.0 / (t - begin + 1)
            for j in range(d + 1):
                averages[j] += share * (weights[j] - averages[j])

    return move_weights
