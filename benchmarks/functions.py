"""Rosenbrock's function, which every optimizer is shown."""

import functools

import numpy as np

START = np.array([-1.2, 1.0])


def value(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def gradient(x):
    a, b = x[0], x[1]
    return np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])


@functools.cache
def compiled():
    """Both, as Numba compiles them."""
    from numba import njit

    return njit(value), njit(gradient)
