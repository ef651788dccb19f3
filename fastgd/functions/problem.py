"""The user's functions: checked, called, differentiated."""

import contextlib
import math
from dataclasses import dataclass, replace

import numpy as np

from ..inputs import arguments, arrays
from ..parts.registry import brief

STEP = float(np.cbrt(np.finfo(np.float64).eps))  # of the central differences, times max(1, |x|)


@dataclass(frozen=True)
class Problem:
    """The checked functions and their start. Points are floats where ``number`` is true, else arrays (d,)."""

    fun: object
    grad: object
    number: bool
    compiled: bool  # both functions are Numba's
    own: bool  # ... and one of them was compiled for this call
    x0: float | np.ndarray
    fun0: float = math.nan
    jac0: float | np.ndarray = math.nan

    @classmethod
    def checked(cls, fun, x0, grad, compile):
        """The problem, its functions called once at the start."""
        if not callable(fun):
            raise TypeError(f"fun={brief(fun)} must be callable.")
        if grad is not None and not callable(grad):
            raise TypeError(f"grad={brief(grad)} must be callable, or None for central differences.")
        x0 = _start(x0)
        plain = [name for name, f in (("fun", fun), ("grad", grad)) if f is not None and not is_njit(f)]
        if arguments.truth("compile", compile):
            fun = _njit("fun", fun) if "fun" in plain else fun
            grad = _njit("grad", grad) if "grad" in plain else grad
        # NUMBA_DISABLE_JIT leaves functions as they are.
        compiled = is_njit(fun) and (grad is None or is_njit(grad))
        problem = cls(fun, grad, isinstance(x0, float), compiled, compiled and bool(plain), x0)
        fun0, jac0 = math.nan, x0 * math.nan
        with contextlib.suppress(ArithmeticError):  # as infinite as a value that overflows without an error
            fun0 = explained("fun", problem.value, x0)
            jac0 = explained("grad", problem.gradient, x0)
        return replace(problem, fun0=fun0, jac0=jac0)

    def value(self, x):
        """``fun`` as a float."""
        # A copy: the function may keep or change what it is given.
        value = self.fun(x if self.number else x.copy())
        return value if type(value) is float else _one_number("fun", value)

    def gradient(self, x):
        """``grad``, a float or an array (d,) of float64."""
        if self.grad is None:
            return self.differences(x)
        if self.number:
            value = self.grad(x)
            return value if type(value) is float else _one_number("grad", value)
        gradient = self.grad(x.copy())
        if type(gradient) is not np.ndarray or gradient.dtype.kind != "f":
            gradient = arrays.numeric("what grad returned", gradient)
        if gradient.shape != x.shape:
            raise ValueError(f"grad returned shape {gradient.shape}; x0 has shape {x.shape}, and so must the gradient.")
        return gradient.astype(np.float64)

    def differences(self, x):
        """Central differences of ``fun``."""
        if self.number:
            h = STEP * max(1.0, abs(x))
            return (self.value(x + h) - self.value(x - h)) / (2.0 * h)
        gradient = np.empty_like(x)
        for j, w in enumerate(x.tolist()):
            h = STEP * max(1.0, abs(w))
            above, below = x.copy(), x.copy()
            above[j], below[j] = w + h, w - h
            gradient[j] = (self.value(above) - self.value(below)) / (2.0 * h)
        return gradient

    def point(self, row):
        """A point of its own from the row (d,) of an array."""
        return float(row[0]) if self.number else row.copy()

    def largest(self, gradient):
        """The size of a gradient's largest entry."""
        return abs(gradient) if self.number else float(np.abs(gradient).max())


def is_njit(function):
    """Whether a function is one of Numba's, found without importing Numba."""
    return hasattr(function, "py_func") and hasattr(function, "targetoptions")


def _start(x0):
    """``x0`` as a float or a float64 array (d,) of its own."""
    if x0 is None:  # NumPy would make it NaN
        raise TypeError("x0=None must be a number or an array of numbers.")
    try:
        with np.errstate(all="ignore"):
            values = arrays.numeric("x0", x0).astype(np.float64)
    except OverflowError:
        raise ValueError("x0 holds a number too large for float64.") from None
    if values.ndim > 1:
        raise ValueError(f"x0 must be a number or one-dimensional, got shape {values.shape}: pass x0.ravel().")
    if values.size == 0:
        raise ValueError("x0 is empty: at least one number is needed.")
    if not np.isfinite(values).all():
        place = f"x0[{int(np.argmin(np.isfinite(values)))}]" if values.ndim else "x0"
        raise ValueError(f"{place} is NaN or infinite: the start must be finite.")
    return values if values.ndim else float(values)


def _one_number(name, value):
    """A float from what a function returned."""
    try:
        array = np.asarray(value)
    except Exception:
        raise TypeError(f"{name} returned {brief(value)}; one real number is needed.") from None
    if array.ndim > 0:
        raise ValueError(f"{name} returned shape {array.shape}; one number is needed.")
    if isinstance(value, (bool, np.bool_, np.ma.MaskedArray)) or array.dtype.kind not in "iuf":
        raise TypeError(f"{name} returned {brief(value)}; one real number is needed.")
    return float(value)


def _njit(name, function):
    """A plain function, compiled (at its first call)."""
    from ..kernels import user_functions

    try:
        return user_functions.compiled(function)
    except Exception as error:  # Numba asserts and raises what it likes on things that are no functions
        raise TypeError(f"compile=True can't compile {name}: {user_functions.short(error)}") from error


def explained(name, call, *arguments):
    """Call, without warnings; an error of Numba's compiler becomes one that names the function."""
    try:
        with np.errstate(all="ignore"):
            return call(*arguments)
    except Exception as error:
        if not type(error).__module__.startswith("numba."):
            raise
        from ..kernels import user_functions

        words = f"Numba can't compile {name}: {user_functions.short(error)}"
        raise TypeError(f"{words} Plain Python functions with compile=False always run.") from error


def unless_arithmetic(call, x, otherwise):
    """Call without warnings; ``otherwise`` where that raises an arithmetic error."""
    with np.errstate(all="ignore"):
        try:
            return call(x)
        except ArithmeticError:
            return otherwise
