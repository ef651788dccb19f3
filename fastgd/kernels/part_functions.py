"""Functions of parts that loops call through their addresses: loops are compiled once for all parts.

What a loss does to the scores of a block of rows, or an optimizer with its penalty to the weights of a lane, is a small
function, compiled for the class of the part and the data's type (0.2 s); a loop that calls it once a block or a step
takes its address, a number. A call costs about 5 ns. Without a compiler the address is the Python function.

Each function is written for a part ``part`` of the class, whose fields come as a row of a table (lanes, fields).
"""

import functools

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from ..parts.optimizers import decayed
from . import (
    _cache,
    elementary,  # noqa: F401  (registers the compiled twins that losses call)
)
from ._jit import INLINE, INNER, UNCOUNTED, cast_all, compiled_as, helper, lane_of, leaf
from .lane_vectors import assume_noalias, column_of, for_each_lane, simd_width, slots_at, store_column, store_slots

CLOSE = 0.05  # how exactly, relatively, an implicit slope is found
ROUNDS = 12
NEAR, APART = 4.0, 1e-6  # ratios of the bracket's ends: the first is near, the second as far as is guessed

TABLE, NUMBERS = types.Array(types.float64, 2, "C"), types.Array(types.float64, 1, "C")


# Arguments that come as pointers: they fit into registers, where arrays took 30 ns a call -----------------------------


def at(array, k):
    """Where number k of an array lies, or its row k."""
    return array[k:] if array.ndim == 1 else array[k].reshape(-1)


@intrinsic
def _at(typing, array, k):
    def build(context, builder, signature, args):
        view = context.make_array(array)(context, builder, args[0])
        step = args[1]
        for length in cgutils.unpack_tuple(builder, view.shape, array.ndim)[1:]:
            step = builder.mul(step, length)
        return builder.gep(view.data, [step])

    return types.CPointer(array.dtype)(array, types.intp), build


@compiled_as(at)
def _(array, k):
    return lambda array, k: _at(array, k)


def part_at(part, fields):
    """The part with these fields."""
    return type(part)(*fields[: len(part)])


@compiled_as(part_at)
def _(part, fields):
    return lambda part, fields: _part_at(part, fields)


@intrinsic
def _part_at(typing, part, fields):
    made = types.NamedTuple([fields.dtype] * len(part), part.instance_class)

    def build(context, builder, signature, args):
        values = [builder.load(builder.gep(args[1], [context.get_constant(types.intp, k)])) for k in range(len(part))]
        return context.make_tuple(builder, made, values)

    return made(part, fields), build


def state_at(part, slots, width, j):
    """The optimizer's state of weight ``j``, a number for each slot of ``width`` numbers."""
    return tuple(slots[k * width + j] for k in range(part.slots))


@compiled_as(state_at)
def _(part, slots, width, j):
    return {
        0: lambda part, slots, width, j: (),
        1: lambda part, slots, width, j: (slots[j],),
        2: lambda part, slots, width, j: (slots[j], slots[width + j]),
        3: lambda part, slots, width, j: (slots[j], slots[width + j], slots[2 * width + j]),
    }[part.instance_class.slots]


def store_state(slots, width, j, values):
    """Store the state of weight ``j``."""
    for k, value in enumerate(values):
        slots[k * width + j] = value


@compiled_as(store_state)
def _(slots, width, j, values):
    def one(slots, width, j, values):
        slots[j] = values[0]

    def two(slots, width, j, values):
        slots[j] = values[0]
        slots[width + j] = values[1]

    def three(slots, width, j, values):
        slots[j] = values[0]
        slots[width + j] = values[1]
        slots[2 * width + j] = values[2]

    return {0: lambda slots, width, j, values: None, 1: one, 2: two, 3: three}[len(values)]


# Of one lane ----------------------------------------------------------------------------------------------------------


def loss_block(part):
    """Slopes in place of scores, and the sums of losses and of slopes."""

    def loss_block(fields, scores, count, intercept, y, weight, weighted, out):
        """Turn ``count`` scores, plus the intercept, into slopes; add the sums of losses and of slopes to ``out`` (2,).

        Both are times the rows' weights where they are ``weighted``.
        """
        assume_noalias()
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


def second_derivative_block(part):
    """The weighted second derivatives of a loss."""

    def second_derivative_block(fields, lane, scores, count, intercept, y, first, weight, out):
        """Those at ``count`` scores, to each of which ``intercept`` is added, into ``out`` at ``first`` and on.

        In float64 until they are stored: they may be small differences of large numbers.
        """
        loss = lane_of(part, fields, lane)
        for k in range(count):
            p, target = np.float64(scores[k]) + intercept, np.float64(y[first + k])
            value = np.float64(loss.second_derivative(p, target))
            if weight.size > 0:
                value *= weight[first + k]
            out[first + k] = value

    return second_derivative_block


@helper
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


def implicit_step(part):
    """What a row's implicit step needs of the loss."""

    def implicit_step(fields, lane, p, y, reach, out):
        """The loss of a row, and its slope at the score after a step that moves the score by ``-reach * slope``."""
        loss = lane_of(part, fields, lane)
        out[0] = np.float64(loss.value(p, y))
        out[1] = implicit_slope(loss, p, y, reach)

    return implicit_step


def move_weights(optimizer_part, penalty_part):
    """A step of a lane against a gradient."""

    def move_weights(fields, penalty_fields, rate, t, carry, weights, slots, low, high, gradient, d):
        """One step of the d + 1 weights, the last of which, the intercept, is not penalised."""
        assume_noalias()
        optimizer, penalty = part_at(optimizer_part, fields), part_at(penalty_part, penalty_fields)
        prepared, after = optimizer.prepare(rate, t, (carry[0], carry[1]))
        carry[0], carry[1] = after
        c = cast_all(prepared, weights)
        for j in range(d):
            w = weights[j]
            change, step, s = optimizer.move(c, w, gradient[j], state_at(optimizer, slots, d + 1, j))
            weights[j] = penalty.prox(decayed(optimizer, c, w) + change, step, low[j], high[j])
            store_state(slots, d + 1, j, s)
        w = weights[d]
        change, step, s = optimizer.move(c, w, gradient[d], state_at(optimizer, slots, d + 1, d))
        weights[d] = w + change
        store_state(slots, d + 1, d, s)

    return move_weights


# Of the lanes of a tile, a vector of them at a time ----------------------------------------------------------------


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


@leaf
def lone_slope(lane, start, part, fields, tile, S, y, weight, k, loss_sum):
    """One lane of a row."""
    loss = column_of(part, fields, tile, lane)
    p, target, share = S[k, lane], y[k, lane], weight[k, lane]
    loss_sum[lane] += np.float64(loss.value(p, target)) * share
    S[k, lane] = loss.slope(p, target) * share


@leaf
def joint_row(loss, S, k, first, classes, y, weight, slopes):
    """Turn the scores of row k in one model's lanes into weighted slopes; returns the loss, not weighted."""
    assume_noalias()
    value = np.float64(loss.value_and_slopes(S[k, first : first + classes], np.int64(y), slopes[:classes]))
    for lane in range(classes):
        S[k, first + lane] = weight * slopes[lane]
    return value


def prepare_lanes(part):
    """The coefficients of a step in every lane."""

    def prepare_lanes(fields, tile, rate, t, carry, coefficients):
        """What ``prepare`` of a tile's optimizers makes of the rates (W,), into ``coefficients`` (1, number, W)."""
        for start in range(0, rate.size, simd_width(coefficients)):
            for_each_lane(prepare_lane, coefficients, start, (part, fields, tile, rate, t, carry, coefficients))

    return prepare_lanes


@leaf
def prepare_lane(lane, start, part, fields, tile, rate, t, carry, coefficients):
    """One lane's coefficients."""
    optimizer = column_of(part, fields, tile, lane)
    prepared, after = optimizer.prepare(rate[lane], t, (carry[tile, 0, lane], carry[tile, 1, lane]))
    carry[tile, 0, lane], carry[tile, 1, lane] = after
    store_column(coefficients, 0, lane, prepared)


def move_lanes(optimizer, penalty):
    """As ``move_weights``, for every lane of a tile, against a gradient of some columns."""
    numbers = coefficients_of(optimizer)

    def move_lanes(fields, penalties, tile, coefficients, gradient, columns, count, low, high, weights, slots):
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
                place = (rule, penalty, penalties, low, high, np.uint64(k), j, gradient, weights, slots)
                for_each_lane(move_by_column, weights, start, place)
            for_each_lane(
                move_intercept, weights, start, (rule, np.uint64(last), np.uint64(d), gradient, weights, slots)
            )

    return move_lanes


def move_lanes_by_row(optimizer, penalty):
    """As ``move_lanes``, against the gradient of one row, which is never written down: slopes times its numbers."""
    numbers = coefficients_of(optimizer)

    def move_lanes_by_row(fields, penalties, tile, coefficients, Z, S, k, low, high, weights, slots):
        """One step against the slopes ``S[k]`` (W,) of the row ``Z[k]`` (d + 1,), the constant behind it."""
        d = weights.shape[0] - 1
        prepared = cast_all(numbers, weights)
        rule = (optimizer, fields, tile, prepared, coefficients)
        for start in range(0, weights.shape[1], simd_width(weights)):
            for j in range(d):
                place = (rule, penalty, penalties, low, high, np.uint64(k), np.uint64(j), Z, S, weights, slots)
                for_each_lane(move_by_row, weights, start, place)
            for_each_lane(
                move_intercept_by_row, weights, start, (rule, np.uint64(k), np.uint64(d), Z, S, weights, slots)
            )

    return move_lanes_by_row


def coefficients_of(optimizer):
    """As many numbers as the optimizer prepares for a step."""
    with np.errstate(all="ignore"):
        return (1.0,) * len(optimizer.prepare(1.0, 1, (1.0, 1.0))[0])


@leaf
def changed(lane, start, rule, j, g, weights, slots):
    """Weight j less its decay, its change against the gradient g, and the proximal step; the state is stored."""
    part, fields, tile, prepared, coefficients = rule
    optimizer = column_of(part, fields, tile, lane)
    c = column_of(prepared, coefficients, 0, lane)
    w = weights[j, lane]
    change, step, s = optimizer.move(c, w, g, slots_at(optimizer, slots, j, start, lane))
    store_slots(slots, j, start, lane, s)
    return decayed(optimizer, c, w), change, step


@leaf
def penalised(lane, rule, penalty, penalties, low, high, j, w, change, step):
    """The weight after the step and its proximal step."""
    tile = rule[2]
    return column_of(penalty, penalties, tile, lane).prox(w + change, step, low[tile, j, lane], high[tile, j, lane])


@leaf
def move_by_column(lane, start, rule, penalty, penalties, low, high, k, j, gradient, weights, slots):
    """One weight of a lane."""
    w, change, step = changed(lane, start, rule, j, gradient[k, lane], weights, slots)
    weights[j, lane] = penalised(lane, rule, penalty, penalties, low, high, j, w, change, step)


@leaf
def move_by_row(lane, start, rule, penalty, penalties, low, high, k, j, Z, S, weights, slots):
    """One weight of a lane."""
    w, change, step = changed(lane, start, rule, j, Z[k, j] * S[k, lane], weights, slots)
    weights[j, lane] = penalised(lane, rule, penalty, penalties, low, high, j, w, change, step)


@leaf
def move_intercept(lane, start, rule, last, d, gradient, weights, slots):
    """The intercept of a lane: it neither decays nor is penalised."""
    w = weights[d, lane]
    _, change, _ = changed(lane, start, rule, d, gradient[last, lane], weights, slots)
    weights[d, lane] = w + change


@leaf
def move_intercept_by_row(lane, start, rule, k, d, Z, S, weights, slots):
    """The intercept of a lane."""
    w = weights[d, lane]
    _, change, _ = changed(lane, start, rule, d, Z[k, d] * S[k, lane], weights, slots)
    weights[d, lane] = w + change


# Addresses ----------------------------------------------------------------------------------------------------------


DOUBLES = types.CPointer(types.float64)


def _loss_block_types(T, array):
    numbers = types.CPointer(T)
    return DOUBLES, numbers, types.int64, T, numbers, numbers, types.boolean, DOUBLES


def _second_derivative_types(T, array):
    return TABLE, types.int64, array(1), types.int64, types.float64, array(1), types.int64, array(1), array(1)


def _implicit_types(T, array):
    return TABLE, types.int64, types.float64, types.float64, types.float64, NUMBERS


def _move_types(T, array):
    numbers = types.CPointer(T)
    return DOUBLES, numbers, types.float64, types.int64, DOUBLES, *(numbers,) * 5, types.int64


def _lane_slopes_types(T, array):
    size = (types.int64,) * 4
    return types.Array(types.float64, 3, "C"), types.int64, array(2), array(2), TABLE, *size, NUMBERS, NUMBERS


def _prepare_lanes_types(T, array):
    table = types.Array(types.float64, 3, "C")
    return table, types.int64, NUMBERS, types.int64, table, array(3)


def _move_lanes_types(T, array):
    columns = types.Array(types.uint32, 1, "C")
    table, a = types.Array(types.float64, 3, "C"), array(3)
    return table, a, types.int64, a, array(2), columns, types.int64, a, a, array(2), array(4)


def _move_lanes_by_row_types(T, array):
    table, a = types.Array(types.float64, 3, "C"), array(3)
    return table, a, types.int64, a, array(2), array(2), types.int64, a, a, array(2), array(4)


# The arguments of each function, given the data's type and the type of its arrays by their number of dimensions.
SIGNATURES = {
    loss_block: _loss_block_types,
    second_derivative_block: _second_derivative_types,
    implicit_step: _implicit_types,
    move_weights: _move_types,
    lane_slopes: _lane_slopes_types,
    prepare_lanes: _prepare_lanes_types,
    move_lanes: _move_lanes_types,
    move_lanes_by_row: _move_lanes_by_row_types,
}


@functools.cache
def address(make, dtype, *classes):
    """The address of a function of parts of these classes; the function itself where nothing is compiled."""
    function = make(*(kind(*(0.5 for _ in kind._fields)) for kind in classes))
    if numba.config.DISABLE_JIT:
        return function
    number = numba.from_dtype(dtype)
    arguments = SIGNATURES[make](number, lambda dimensions: types.Array(number, dimensions, "C"))
    function.__qualname__ = f"{make.__name__}_{'_'.join(kind.__name__ for kind in classes)}__{_cache.stamp()}"
    dispatcher = numba.njit(nogil=True, **INNER, **UNCOUNTED)(function)
    if _cache.lasting(tuple(types.NamedTuple([types.float64] * len(kind._fields), kind) for kind in classes)):
        dispatcher = _cache.attach(dispatcher)
    dispatcher.compile(arguments)
    compiled.append(dispatcher)
    found = dispatcher.overloads[arguments]
    return found.library.get_pointer_to_function(found.fndesc.llvm_func_name)


compiled = []  # all of them: the code lives as long as its dispatcher


@intrinsic
def _call(typing, address, arguments):
    kinds = tuple(arguments)
    result = types.void

    def build(context, builder, signature, args):
        convention = context.call_conv
        pointer = builder.inttoptr(args[0], convention.get_function_type(result, kinds).as_pointer())
        values = [builder.extract_value(args[1], k) for k in range(len(kinds))]
        convention.call_function(builder, pointer, result, kinds, values)
        return context.get_dummy_value()

    return result(types.int64, arguments), build


def call(address, *arguments):
    """Call a function by its address."""
    address(*arguments)


@overload(call, jit_options=INLINE, strict=False)
def _(address, *arguments):
    return lambda address, *arguments: _call(address, arguments)
