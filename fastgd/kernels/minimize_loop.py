"""Descent on a user's own compiled functions, many starts or settings (lanes) in one call.

The functions are arguments of the kernel, so it is never cached on disk. Without a history, ``fun`` is read every
``STRIDE`` steps alone: a step then costs one gradient. Where a look finds something that is not finite, the lane goes
back to its last good look and takes those steps again one look a step, and so stops where a run that looked at every
step would have.
"""

from typing import NamedTuple

import numba
import numpy as np
from numba import types

from ..parts.optimizers import decayed
from ._jit import OPTIONS, cast_all, compiled_as, inlined, lane_of
from .addresses import at
from .optimizer_state import state_at, store_state

STRIDE = 1024  # a power of two: fun, read so seldom, costs nothing; taking the steps again costs 10 us
STEP = float(np.cbrt(np.finfo(np.float64).eps))  # of the central differences

RUNNING, SMALL, BAD_VALUE, BAD_GRADIENT, BAD_SHAPE, STOPPED = range(6)


class Starts(NamedTuple):
    """The state of every lane: where it works (``point``), and the last point that was looked at (``x``)."""

    fields: np.ndarray  # (lanes, fields of the optimizer) float64
    point: np.ndarray  # (lanes, d) float64
    slots: np.ndarray  # (lanes, slots, d) float64
    carry: np.ndarray  # (lanes, 2) float64
    step: np.ndarray  # (lanes,) int64, the steps behind ``point``
    x: np.ndarray  # (lanes, d) float64, finite and with a finite ``fun``
    fun: np.ndarray  # (lanes,) float64
    nit: np.ndarray  # (lanes,) int64, the steps behind ``x``
    x_slots: np.ndarray  # (lanes, slots, d) float64, at ``x``
    x_carry: np.ndarray  # (lanes, 2) float64, at ``x``
    stride: np.ndarray  # (lanes,) int64, steps from look to look
    status: np.ndarray  # (lanes,) int64
    active: np.ndarray  # (1,) int64, the lane being worked on: where an exception came from


def starts_of(optimizers, x0, value, stride):
    """Fresh lanes, one for each optimizer (all of one class), at ``x0`` (d,) where fun is ``value``."""
    count, slots = len(optimizers), optimizers[0].slots
    state = np.zeros((count, slots, x0.size)), np.ones((count, 2)), np.zeros(count, np.int64)
    start = np.tile(x0, (count, 1)), np.full(count, value), np.zeros(count, np.int64)
    return Starts(
        np.array(optimizers, np.float64).reshape(count, -1),
        np.tile(x0, (count, 1)),
        *state,
        *start,
        *(array.copy() for array in state[:2]),
        stride=np.full(count, stride),
        status=np.full(count, RUNNING),
        active=np.zeros(1, np.int64),
    )


def recover(lanes):
    """After the user's function raised an arithmetic error: back to the last look, to go on step by step or to end."""
    lane = lanes.active[0]
    if lanes.stride[lane] == 1:
        lanes.status[lane] = BAD_VALUE
    lanes.stride[lane] = 1
    lanes.point[lane], lanes.slots[lane], lanes.carry[lane] = lanes.x[lane], lanes.x_slots[lane], lanes.x_carry[lane]
    lanes.step[lane] = lanes.nit[lane]


# What a user's function is called with and gives back --------------------------------------------------------------


@inlined(arrays=True)
def lent(point, scratch):
    """A copy for the user's function, which may write to it or give back a view of it."""
    for j in range(point.size):
        scratch[j] = point[j]
    return scratch


def value_at(fun, point, number, scratch):
    """``fun`` at a point; ``number`` is None where it takes an array, not a number."""
    return np.float64(fun(lent(point, scratch)) if number is None else fun(point[0]))


@compiled_as(value_at)
def _(fun, point, number, scratch):
    if isinstance(number, types.NoneType):
        return lambda fun, point, number, scratch: np.float64(fun(lent(point, scratch)))
    return lambda fun, point, number, scratch: np.float64(fun(point[0]))


def gradient_at(fun, grad, point, number, scratch, work):
    """What ``grad`` gives at a point; where it is None, central differences, in ``work`` (d,)."""
    if grad is None:
        return differences(fun, point, number, scratch, work)
    return grad(lent(point, scratch)) if number is None else grad(point[0])


@compiled_as(gradient_at)
def _(fun, grad, point, number, scratch, work):
    if isinstance(grad, types.NoneType):
        return lambda fun, grad, point, number, scratch, work: differences(fun, point, number, scratch, work)
    if isinstance(number, types.NoneType):
        return lambda fun, grad, point, number, scratch, work: grad(lent(point, scratch))
    return lambda fun, grad, point, number, scratch, work: grad(point[0])


@inlined(arrays=True)
def differences(fun, point, number, scratch, work):
    """Central differences; leaves ``point`` as it was."""
    for j in range(point.size):
        w = point[j]
        h = STEP * max(1.0, abs(w))
        point[j] = w + h
        above = value_at(fun, point, number, scratch)
        point[j] = w - h
        work[j] = (above - value_at(fun, point, number, scratch)) / (2.0 * h)
        point[j] = w
    return work


def settled(gradient, point):
    """A gradient that can be indexed by a running number: of a tuple, all entries as float64."""
    return cast_all(gradient, point) if isinstance(gradient, tuple) else gradient


@compiled_as(settled)
def _(gradient, point):
    if isinstance(gradient, types.BaseTuple):
        return lambda gradient, point: cast_all(gradient, point)
    return lambda gradient, point: gradient


def entry(gradient, j):
    """An entry of a gradient; a number is its own."""
    return np.float64(gradient if np.ndim(gradient) == 0 else gradient[j])


@compiled_as(entry)
def _(gradient, j):
    if isinstance(gradient, types.Number):
        return lambda gradient, j: np.float64(gradient)
    return lambda gradient, j: np.float64(gradient[j])


def length(gradient):
    """How many entries a gradient has."""
    return 1 if np.ndim(gradient) == 0 else len(gradient)


@compiled_as(length)
def _(gradient):
    if isinstance(gradient, types.Number):
        return lambda gradient: 1
    return lambda gradient: len(gradient)


# The loop -----------------------------------------------------------------------------------------------------------


@inlined(arrays=True)
def copy(source, target, lane):
    """Copy the rows of a lane, (slots, d)."""
    for k in range(source.shape[1]):
        for j in range(source.shape[2]):
            target[lane, k, j] = source[lane, k, j]


def _advance(fun, grad, part, number, lanes, rates, base, stop, last, tol, past_x, past_fun):
    """Take every running lane on to step ``stop``.

    Parameters
    ----------
    fun, grad : compiled functions; ``grad`` may be None
    part : optimizer part; its fields are in ``lanes``
    number : None or float
        None where the functions take arrays (d,).
    lanes : Starts
    rates : ndarray (stop - base, lanes) or (1, lanes)
        Of the steps ``base + 1`` on; one row where they never change.
    base : int
        A multiple of ``STRIDE`` at or before the lanes' step: as far as they may go back.
    stop, last : int
        Steps done after this call, and at the end of the run.
    tol : float
        Negative where it is off.
    past_x, past_fun : ndarrays (steps, lanes, d) and (steps, lanes)
        The history: written after each step, from entry 1 on, where there is room.
    """
    d = lanes.point.shape[1]
    moving = 1 if rates.shape[0] > 1 else 0
    work, scratch = np.empty(d), np.empty(d)
    for lane in range(lanes.point.shape[0]):
        if lanes.status[lane] != RUNNING:
            continue
        lanes.active[0] = lane
        optimizer = lane_of(part, lanes.fields, lane)
        carry = lanes.carry[lane, 0], lanes.carry[lane, 1]
        point, slots = lanes.point[lane], at(lanes.slots, lane)
        stride, status, t = lanes.stride[lane], RUNNING, lanes.step[lane]
        while status == RUNNING and t < stop:
            pause = min(stop, (t // stride + 1) * stride)
            while t < pause:
                gradient = settled(gradient_at(fun, grad, point, number, scratch, work), point)
                if length(gradient) != d:
                    status = BAD_SHAPE
                    break
                small = sound = True
                for j in range(d):
                    size = abs(entry(gradient, j))
                    small &= size <= tol
                    sound &= size < np.inf
                if small or not sound:
                    status = SMALL if small else BAD_GRADIENT
                    break
                prepared, carry = optimizer.prepare(rates[(t - base) * moving, lane], t + 1, carry)
                c = cast_all(prepared, point)
                for j in range(d):
                    state = state_at(optimizer, slots, d, j)
                    change, _, state = optimizer.move(c, point[j], entry(gradient, j), state)
                    point[j] = decayed(optimizer, c, point[j]) + change
                    store_state(slots, d, j, state)
                t += 1
            if status == RUNNING and t % stride != 0 and t != last:
                continue
            value = value_at(fun, point, number, scratch)
            sound = abs(value) < np.inf  # not np.isfinite: that is x - x == 0, which reassoc folds to True
            for j in range(d):
                sound &= abs(point[j]) < np.inf
            if stride > 1 and (status == BAD_GRADIENT or not sound):
                status, stride, t = RUNNING, 1, lanes.nit[lane]
                carry = lanes.x_carry[lane, 0], lanes.x_carry[lane, 1]
                copy(lanes.x_slots, lanes.slots, lane)
                for j in range(d):
                    point[j] = lanes.x[lane, j]
            elif not sound:
                status = BAD_VALUE
            else:
                lanes.fun[lane], lanes.nit[lane] = value, t
                for j in range(d):
                    lanes.x[lane, j] = point[j]
                if stride > 1:  # else there is no way back, and nothing to keep for it
                    lanes.x_carry[lane, 0], lanes.x_carry[lane, 1] = carry
                    copy(lanes.slots, lanes.x_slots, lane)
                if t < past_fun.shape[0]:
                    past_fun[t, lane] = value
                    for j in range(d):
                        past_x[t, lane, j] = point[j]
        lanes.carry[lane, 0], lanes.carry[lane, 1] = carry
        lanes.stride[lane], lanes.status[lane], lanes.step[lane] = stride, status, t


def loop():
    """A kernel of its own, for functions that were compiled for one call: it and they are freed together."""
    return numba.njit(nogil=True, **OPTIONS)(_advance)


advance = loop()
