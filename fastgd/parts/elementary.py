"""Functions of numbers that parts are written with; kernels have a compiled twin of each, ``kernels/elementary.py``.

Exponentials and logarithms are float64 for any type, as in the kernels: in float32 they would saturate at 88.7.
``np.float64(x)`` would make a number of an array of one item, with NumPy 2.0.
"""

import numpy as np


def exp(x):
    """``e**x``, saturating instead of overflowing."""
    return np.exp(np.minimum(np.maximum(np.asarray(x, np.float64), -708.0), 709.0))


def expm1mx(x):
    """``e**x - 1 - x``, never negative, saturating as ``exp`` does."""
    x = np.minimum(np.asarray(x, np.float64), 709.0)
    return np.maximum(np.expm1(x) - x, 0.0)


def log(x):
    """``log(x)`` for ``x >= 0``, saturating below the least normal number at -708.4."""
    return np.log(np.maximum(np.asarray(x, np.float64), 2.2250738585072014e-308))


def log1p(z):
    """``log(1 + z)`` for ``z`` in [0, 1]."""
    return np.log1p(z)


def between(x, low, high):
    """``x``, or the end of [low, high] that is nearest to it; NaN stays."""
    return np.minimum(np.maximum(x, low), high)


def where(*arguments):
    """``np.where``; Numba's makes an array of a number."""
    return np.where(*arguments)


def clip(*arguments, **options):
    """``np.clip``; Numba's takes no number."""
    return np.clip(*arguments, **options)
