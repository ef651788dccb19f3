"""Whether a user's gradient is the derivative of their function, looked at before the first step."""

import math

import numpy as np

AGREE = 0.01  # as far as a gradient may differ, relatively, from differences that agree with each other as well
ROUNDING = 64  # units in the last place of a value
FINER = 8.0  # the second differences have steps so many times smaller
EACH = 4  # up to so many parameters are looked at one by one
MOST = 16  # up to so many arrays
REMEDY = "Correct it (its sign, a factor, a term), or pass check_gradient=False to use it as it is."


def check_gradient(name, value, first, slopes, x, leaves):
    """Raise ValueError where a gradient is wrong.

    Looked at are the rates of change along the parameters themselves, where they are few, else along one random
    direction in each array and along one in all. A rate by central differences is believed where differences with
    smaller steps agree; it is not at a kink, nor of a function that is not the same at the same point.

    Parameters
    ----------
    name : str
        What messages call the gradient.
    value : callable
        Of an array (size,): a float, NaN where there is none.
    first : float
        The value at ``x``.
    slopes : ndarray (size,)
        The gradient at ``x``.
    x : ndarray (size,)
    leaves : sequence of (str, int, int)
        The name of each array of the parameters, and where its numbers begin and end.
    """
    slopes = np.asarray(slopes, np.float64)
    if not (math.isfinite(first) and np.isfinite(slopes).all()) or value(x) != first:
        return
    for where, direction in directions(x.size, leaves):
        given = float(slopes @ direction)
        found = rate_along(value, first, x, direction, given)
        if found is not None:
            raise ValueError(
                f"{name} is not the derivative of fun: along {where} at x0, fun changes at the rate {found:.4g} by "
                f"differences, {given:.4g} by {name}. {REMEDY}"
            )


def directions(size, leaves):
    """Pairs of the name of a direction and its vector (size,), of length 1."""
    if size <= EACH:
        for name, start, end in leaves:
            for j in range(start, end):
                unit = np.zeros(size)
                unit[j] = 1.0
                yield (f"{name}[{j - start}]" if end - start > 1 else name), unit
        return
    signs = np.where(np.random.default_rng(0).random(size) < 0.5, -1.0, 1.0)
    if 1 < len(leaves) <= MOST:  # before that of all, so that the array is named
        for name, start, end in leaves:
            unit = np.zeros(size)
            unit[start:end] = signs[start:end] / math.sqrt(max(end - start, 1))
            if end > start:
                yield f"a random direction of {name}", unit
    yield "a random direction", signs / math.sqrt(size)


def rate_along(value, first, x, direction, given):
    """The rate of change of ``value`` along a direction, where it is known and not the ``given`` one; else None."""
    eps = float(np.finfo(x.dtype).eps)
    h = eps ** (1 / 3) * max(1.0, float(np.abs(x * (direction != 0)).max()))
    found = []
    for step in (h, h / FINER):
        above, below = (x + (sign * step * direction).astype(x.dtype) for sign in (1, -1))
        width = float(np.dot((above - below).astype(np.float64), direction))
        values = value(above), value(below)
        if not all(map(math.isfinite, values)) or width == 0:
            return None
        rate, rounding = (values[0] - values[1]) / width, ROUNDING * eps * max(map(abs, (first, *values))) / step
        if abs(rate - given) <= AGREE * max(abs(rate), abs(given)) + rounding:
            return None
        sides = sorted(((values[0] - first) / step, (first - values[1]) / step))
        slack = rounding + AGREE * (sides[1] - sides[0])  # at a kink any slope between those of the sides
        if sides[0] - slack <= given <= sides[1] + slack:
            return None
        found.append((rate, rounding))
    (rate, _), (finer, rounding) = found
    if abs(rate - finer) > AGREE * max(abs(rate), abs(finer)) + rounding:
        return None
    return rate
