"""What parts do to the lanes of a tile, a vector of them at a time: functions called through ``addresses.py``."""

import numpy as np

from ..parts.optimizers import decayed
from . import elementary  # noqa: F401  (registers the compiled twins that losses call)
from ._jit import cast_all, inlined
from .addresses import arguments, in_numpy
from .lane_vectors import assume_noalias, column_of, for_each_lane, simd_width, store_column
from .optimizer_state import store_tile_state, tile_state_at


@arguments("F3 int T2 T2 F2 int int int int F1 F1")
def lane_slopes(part):
    """As ``loss_block``, for rows first to stop of a tile's scores ``S`` (rows, W)."""

    def lone(fields, tile, S, y, weight, first, stop, size, classes, work, loss_sum):
        """Turn scores into slopes, both times ``weight`` (rows, W); add the losses to ``loss_sum`` (W,)."""
        for start in range(0, S.shape[1], simd_width(S)):
            for k in range(first, stop):
                for_each_lane(lone_slope, S, start, (part, fields, tile, S, y, weight, np.uint64(k), loss_sum))

    def joint(fields, tile, S, y, weight, first, stop, size, classes, work, loss_sum):
        """The same for a joint loss: the lanes of each model together; ``work`` (W,) has room for their slopes."""
        for k in range(first, stop):
            for lane in range(0, size, classes):
                loss = column_of(part, fields, tile, lane)
                share = weight[k, lane]
                loss_sum[lane] += share * joint_row(loss, S, k, lane, classes, y[k, lane], share, work)
            for lane in range(size, S.shape[1]):
                S[k, lane] = 0

    return joint if part.joint else lone


@in_numpy(lane_slopes)
def _(part):
    def lone(fields, tile, S, y, weight, first, stop, size, classes, work, loss_sum):
        for lane in range(S.shape[1]):
            loss, p, target = column_of(part, fields, tile, lane), S[first:stop, lane].copy(), y[first:stop, lane]
            loss_sum[lane] += (np.float64(loss.value(p, target)) * weight[first:stop, lane]).sum()
            S[first:stop, lane] = loss.slope(p, target) * weight[first:stop, lane]

    return lane_slopes(part) if part.joint else lone


@inlined
def lone_slope(lane, start, part, fields, tile, S, y, weight, k, loss_sum):
    """One lane of a row."""
    loss = column_of(part, fields, tile, lane)
    p, target, share = S[k, lane], y[k, lane], weight[k, lane]
    loss_sum[lane] += np.float64(loss.value(p, target)) * share
    S[k, lane] = loss.slope(p, target) * share


@inlined
def joint_row(loss, S, k, first, classes, y, weight, slopes):
    """Turn the scores of row k in one model's lanes into weighted slopes; returns the loss, not weighted."""
    assume_noalias()
    value = np.float64(loss.value_and_slopes(S[k, first : first + classes], np.int64(y), slopes[:classes]))
    for lane in range(classes):
        S[k, first + lane] = weight * slopes[lane]
    return value


@arguments("F3 int F1 int F3 T3")
def prepare_lanes(part):
    """The coefficients of a step in every lane."""

    def prepare_lanes(fields, tile, rate, t, carry, coefficients):
        """What ``prepare`` of a tile's optimizers makes of the rates (W,), into ``coefficients`` (1, number, W)."""
        for start in range(0, rate.size, simd_width(coefficients)):
            for_each_lane(prepare_lane, coefficients, start, (part, fields, tile, rate, t, carry, coefficients))

    return prepare_lanes


@inlined
def prepare_lane(lane, start, part, fields, tile, rate, t, carry, coefficients):
    """One lane's coefficients."""
    optimizer = column_of(part, fields, tile, lane)
    prepared, after = optimizer.prepare(rate[lane], t, (carry[tile, 0, lane], carry[tile, 1, lane]))
    carry[tile, 0, lane], carry[tile, 1, lane] = after
    store_column(coefficients, 0, lane, prepared)


@arguments("F3 T3 int T3 T2 U1 int T3 T3 T1 T2 T4")
def move_lanes(optimizer, penalty):
    """As ``move_weights``, for every lane of a tile, against a gradient of some columns."""
    numbers = coefficients_of(optimizer)

    def move_lanes(fields, penalties, tile, coefficients, gradient, columns, count, low, high, factors, weights, slots):
        """One step of the weights (d + 1, W) against the first ``count`` rows of ``gradient`` and its last.

        These are the gradient of the columns named in ``columns``, or of as many as there are where it is empty, and
        that of the intercept.
        """
        d, last = weights.shape[0] - 1, gradient.shape[0] - 1
        prepared = cast_all(numbers, weights)
        rule = (optimizer, fields, tile, prepared, coefficients)
        for start in range(0, weights.shape[1], simd_width(weights)):
            for k in range(count):
                j = np.uint64(columns[k] if columns.size > 0 else k)
                place = (rule, penalty, penalties, low, high, factors, np.uint64(k), j, gradient, weights, slots)
                for_each_lane(move_by_column, weights, start, place)
            for_each_lane(
                move_intercept, weights, start, (rule, np.uint64(last), np.uint64(d), gradient, weights, slots)
            )

    return move_lanes


@arguments("F3 T3 int T3 T2 T2 int T3 T3 T1 T2 T4")
def move_lanes_by_row(optimizer, penalty):
    """As ``move_lanes``, against the gradient of one row, which is never written down: slopes times its numbers."""
    numbers = coefficients_of(optimizer)

    def move_lanes_by_row(fields, penalties, tile, coefficients, Z, S, k, low, high, factors, weights, slots):
        """One step against the slopes ``S[k]`` (W,) of the row ``Z[k]`` (d + 1,), the constant behind it."""
        d = weights.shape[0] - 1
        prepared = cast_all(numbers, weights)
        rule = (optimizer, fields, tile, prepared, coefficients)
        for start in range(0, weights.shape[1], simd_width(weights)):
            for j in range(d):
                place = (rule, penalty, penalties, low, high, factors, np.uint64(k), np.uint64(j), Z, S, weights, slots)
                for_each_lane(move_by_row, weights, start, place)
            for_each_lane(
                move_intercept_by_row, weights, start, (rule, np.uint64(k), np.uint64(d), Z, S, weights, slots)
            )

    return move_lanes_by_row


@arguments("F2 I1 T2 int")
def average_lanes():
    """The running means of weights."""

    def average_lanes(averages, begin, weights, t):
        """Take a tile's weights (d + 1, W) into their running means (d + 1, W), from step ``begin`` (W,) on."""
        assume_noalias()
        for j in range(averages.shape[0]):
            for lane in range(averages.shape[1]):
                first = begin[lane]
                share = 1.0 / (t - first + 1) if t >= first else 0.0
                mean = averages[j, lane]
                averages[j, lane] = mean + share * (weights[j, lane] - mean)

    return average_lanes


def coefficients_of(optimizer):
    """As many numbers as the optimizer prepares for a step."""
    with np.errstate(all="ignore"):
        return (1.0,) * len(optimizer.prepare(1.0, 1, (1.0, 1.0))[0])


@inlined
def changed(lane, start, rule, j, g, weights, slots):
    """Weight j less its decay, its change against the gradient g, and the proximal step; the state is stored."""
    part, fields, tile, prepared, coefficients = rule
    optimizer = column_of(part, fields, tile, lane)
    c = column_of(prepared, coefficients, 0, lane)
    w = weights[j, lane]
    change, step, s = optimizer.move(c, w, g, tile_state_at(optimizer, slots, j, start, lane))
    store_tile_state(slots, j, start, lane, s)
    return decayed(optimizer, c, w), change, step


@inlined
def penalised(lane, rule, penalty, penalties, low, high, factors, j, w, change, step):
    """The weight after the step and its proximal step."""
    tile = rule[2]
    ends = low[tile, j, lane], high[tile, j, lane]
    return column_of(penalty, penalties, tile, lane).prox(w + change, step, ends[0], ends[1], factors, np.int64(j))


@inlined
def move_by_column(lane, start, rule, penalty, penalties, low, high, factors, k, j, gradient, weights, slots):
    """One weight of a lane."""
    w, change, step = changed(lane, start, rule, j, gradient[k, lane], weights, slots)
    weights[j, lane] = penalised(lane, rule, penalty, penalties, low, high, factors, j, w, change, step)


@inlined
def move_by_row(lane, start, rule, penalty, penalties, low, high, factors, k, j, Z, S, weights, slots):
    """One weight of a lane."""
    w, change, step = changed(lane, start, rule, j, Z[k, j] * S[k, lane], weights, slots)
    weights[j, lane] = penalised(lane, rule, penalty, penalties, low, high, factors, j, w, change, step)


@inlined
def move_intercept(lane, start, rule, last, d, gradient, weights, slots):
    """The intercept of a lane: it neither decays nor is penalised."""
    w = weights[d, lane]
    _, change, _ = changed(lane, start, rule, d, gradient[last, lane], weights, slots)
    weights[d, lane] = w + change


@inlined
def move_intercept_by_row(lane, start, rule, k, d, Z, S, weights, slots):
    """The intercept of a lane."""
    w = weights[d, lane]
    _, change, _ = changed(lane, start, rule, d, Z[k, d] * S[k, lane], weights, slots)
    weights[d, lane] = w + change
