"""The compiled twins of ``fastgd.elementary``; ``exp`` and the logarithms are polynomials that vectorise over a batch.

Numba's ``np.exp`` is a scalar call (6.7 ns); these cost about 1 ns a number. They are compiled without ``reassoc``,
which would fold the rounding trick away. Relative error below 1e-15 for ``exp``, ``expm1mx`` (its limit is the rounding
of ``x``) and ``log``, 2e-16 absolute for ``log1p``.
"""

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from ..parts import elementary
from ._jit import INLINE, compiled_as

EXACT = {"fastmath": {"contract", "nsz"}}
LOG2E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93145751953125e-1, 1.42860682030941723212e-6  # Cody and Waite: k * LN2_HIGH is exact
ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the low bits
SMALLEST = 2.2250738585072014e-308
BITS_OF_ROUND, BITS_OF_SQRT_HALF = (int(np.float64(x).view(np.int64)) for x in (ROUND, 0.5**0.5))
INVERSE_FACTORIALS = tuple(1.0 / float(np.prod(np.arange(1.0, k + 1))) for k in range(14))


@intrinsic
def _bits_to_float(typing, bits):
    return types.float64(types.int64), lambda context, builder, sig, args: builder.bitcast(
        args[0], context.get_value_type(types.float64)
    )


@intrinsic
def _float_to_bits(typing, number):
    return types.int64(types.float64), lambda context, builder, sig, args: builder.bitcast(
        args[0], context.get_value_type(types.int64)
    )


@numba.njit(**{**INLINE, **EXACT})
def _halved(x):
    """``x = k * log(2) + r`` with ``|r| <= log(2)/2``: gives ``2**k``, ``r`` and ``(e**r - 1 - r) / r**2``."""
    shifted = x * LOG2E + ROUND
    k = shifted - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    f = INVERSE_FACTORIALS
    # Estrin's scheme: a chain of 5 products where Horner's has 11. A single row's step waits for it.
    r2 = r * r
    r4 = r2 * r2
    p = (f[10] + r * f[11]) + r2 * (f[12] + r * f[13])
    p = ((f[6] + r * f[7]) + r2 * (f[8] + r * f[9])) + r4 * p
    p = ((f[2] + r * f[3]) + r2 * (f[4] + r * f[5])) + r4 * p
    # The low bits of `shifted` hold k; 1023 is the bias of the exponent.
    return _bits_to_float((_float_to_bits(shifted) + 1023) << 52), r, p


# A NaN passes the bounds below unchanged: where it is the first operand of a comparison, that is false.


@compiled_as(elementary.exp, **EXACT)
def _(x):
    def exp(x):
        x = np.float64(x)
        x = -708.0 if x < -708.0 else x
        x = 709.0 if x > 709.0 else x
        power, r, p = _halved(x)
        return ((1.0 + r) + r * r * p) * power

    return exp


@compiled_as(elementary.expm1mx, **EXACT)
def _(x):
    def expm1mx(x):
        x = np.float64(x)
        x = 709.0 if x > 709.0 else x
        power, r, p = _halved(-708.0 if x < -708.0 else x)
        # For small x the power is 1 and r is x: what is left is the polynomial, and nothing cancels.
        return power * (r * r * p) + ((power - 1.0) + (power * r - x))

    return expm1mx


@compiled_as(elementary.log, **EXACT)
def _(x):
    def log(x):
        x = np.float64(x)
        x = SMALLEST if x < SMALLEST else x
        # x = m * 2**k with m within sqrt(2) of 1; the bits of ROUND turn the integer k into a float.
        bits = _float_to_bits(x)
        k = (bits - BITS_OF_SQRT_HALF) >> 52
        m = _bits_to_float(bits - (k << 52))
        k = _bits_to_float(k + BITS_OF_ROUND) - ROUND
        # log(m) = 2 atanh(s), |s| <= 0.172: the series in s*s <= 0.0295 needs 11 terms for 1e-17.
        s = (m - 1.0) / (m + 1.0)
        q = s * s
        p = 1.0 / 21.0
        p = 1.0 / 19.0 + q * p
        p = 1.0 / 17.0 + q * p
        p = 1.0 / 15.0 + q * p
        p = 1.0 / 13.0 + q * p
        p = 1.0 / 11.0 + q * p
        p = 1.0 / 9.0 + q * p
        p = 1.0 / 7.0 + q * p
        p = 1.0 / 5.0 + q * p
        p = 1.0 / 3.0 + q * p
        s += s
        return (
            k * LN2_HIGH + (s + (s * q * p + k * LN2_LOW)) + (x - x)
        )  # the last keeps NaN (and makes one of infinity)

    return log


@compiled_as(elementary.log1p, **EXACT)
def _(z):
    def log1p(z):
        # log(1+z) = 2 atanh(s), s = z/(2+z) <= 1/3: the series in s*s <= 1/9 needs 16 terms for 1e-16.
        z = np.float64(z)
        s = z / (2.0 + z)
        q = s * s
        q2 = q * q
        q4 = q2 * q2
        a = (1.0 + q * (1.0 / 3.0)) + q2 * (1.0 / 5.0 + q * (1.0 / 7.0))
        b = (1.0 / 9.0 + q * (1.0 / 11.0)) + q2 * (1.0 / 13.0 + q * (1.0 / 15.0))
        c = (1.0 / 17.0 + q * (1.0 / 19.0)) + q2 * (1.0 / 21.0 + q * (1.0 / 23.0))
        p = (1.0 / 25.0 + q * (1.0 / 27.0)) + q2 * (1.0 / 29.0 + q * (1.0 / 31.0))
        p = (a + q4 * b) + q4 * q4 * (c + q4 * p)
        return (s + s) * p

    return log1p


# Of numbers: Numba's make arrays of them, or take none.


@compiled_as(elementary.between)
def _(x, low, high):
    # Two selections, which leave NaN as it is. np.minimum and np.maximum of numbers ask for it, and conditions become
    # branches: SGD on sparse rows within an elastic net took 17 and 24 ns a number, not 8.
    return lambda x, low, high: min(max(x, low), high)


@compiled_as(elementary.where)
def _(condition, x, y):
    return lambda condition, x, y: x if condition else y


@compiled_as(elementary.clip)
def _(a, a_min, a_max):
    return lambda a, a_min, a_max: np.minimum(np.maximum(a, a_min), a_max)
