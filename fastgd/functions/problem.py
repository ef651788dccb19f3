"""The user's functions: checked, called, differentiated."""

import contextlib
import math
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..inputs import arguments, arrays
from ..wording import brief
from .gradient_check import check_gradient

PACKAGE = Path(__file__).parents[1]
STEP = float(np.cbrt(np.finfo(np.float64).eps))  # of the central differences, times max(1, |x|)


@dataclass(frozen=True)
class Problem:
    """The checked functions and their start. Points are floats where ``scalar`` is true, else arrays (d,)."""

    fun: object
    grad: object  # None: central differences
    grad_name: str  # what errors call the gradient
    scalar: bool
    compiled: bool  # both functions are Numba's
    compiled_here: bool  # ... and one of them was compiled for this call
    x0: float | np.ndarray
    fun0: float = math.nan
    jac0: float | np.ndarray = math.nan
    raised: str = ""  # the arithmetic error that a function raised at the start, in words

    @classmethod
    def checked(cls, fun, x0, grad, jac, compile, check=True):
        """The problem, its functions called once at the start."""
        if not callable(fun):
            raise TypeError(f"fun={brief(fun)} must be callable.")
        grad_name, grad = one_gradient(grad, jac)
        x0 = _start(x0)
        pair = grad is True
        functions = {"fun": fun} if grad is None or pair else {"fun": fun, "grad": grad}
        plain = [name for name, function in functions.items() if not is_njit(function)]
        if arguments.truth("compile", compile):
            functions |= {name: njit_of(name, functions[name]) for name in plain}
        # NUMBA_DISABLE_JIT leaves functions as they are.
        compiled = all(map(is_njit, functions.values()))
        if pair:
            grad_name = f"fun, with {grad_name}=True,"
            functions["fun"], functions["grad"] = split_pair(functions["fun"], grad_name, x0)
        compiled_here = compiled and bool(plain)
        grad = functions.get("grad")
        problem = cls(functions["fun"], grad, grad_name, isinstance(x0, float), compiled, compiled_here, x0)
        fun0, jac0, raised = math.nan, x0 * math.nan, ""
        try:  # an arithmetic error is as infinite as a value that overflows without one
            fun0 = named_call("fun", problem.value, x0)
            jac0 = named_call(grad_name, problem.gradient, x0)
        except ArithmeticError as error:
            raised = told("fun" if math.isnan(fun0) else problem.derivative, error)
        problem = replace(problem, fun0=fun0, jac0=jac0, raised=raised)
        if arguments.truth("check_gradient", check):
            problem.check_gradient()
        return problem

    @property
    def derivative(self):
        """What errors of the gradient are errors of."""
        return "fun" if self.grad is None else self.grad_name

    def value(self, x):
        """``fun`` as a float."""
        # A copy: the function may keep or change what it is given.
        value = self.fun(x if self.scalar else x.copy())
        return value if type(value) is float else real_number("fun", value)

    def gradient(self, x):
        """``grad``, a float or an array (d,) of float64."""
        if self.grad is None:
            return self.differences(x)
        if self.scalar:
            value = self.grad(x)
            return value if type(value) is float else real_number(self.grad_name, value)
        gradient = self.grad(x.copy())
        if type(gradient) is not np.ndarray or gradient.dtype.kind != "f":
            gradient = arrays.numeric(f"what {self.grad_name} returned", gradient)
        if gradient.shape != x.shape:
            shapes = f"returned shape {gradient.shape}; x0 has shape {x.shape}, and so must the gradient."
            raise ValueError(f"{self.grad_name} {shapes}")
        return gradient.astype(np.float64)

    def differences(self, x):
        """Central differences of ``fun``."""
        if self.scalar:
            h = STEP * max(1.0, abs(x))
            return (self.value(x + h) - self.value(x - h)) / (2.0 * h)
        gradient = np.empty_like(x)
        for j, w in enumerate(x.tolist()):
            h = STEP * max(1.0, abs(w))
            above, below = x.copy(), x.copy()
            above[j], below[j] = w + h, w - h
            gradient[j] = (self.value(above) - self.value(below)) / (2.0 * h)
        return gradient

    def check_gradient(self):
        """Raise where the gradient is not the derivative of ``fun`` at the start."""
        if self.grad is None or self.raised:
            return
        x, slopes = np.atleast_1d(self.x0), np.atleast_1d(self.jac0)

        def value(x):
            return value_or(math.nan, self.value, float(x[0]) if self.scalar else x)

        check_gradient(self.grad_name.rstrip(","), value, self.fun0, slopes, x, [("x", 0, x.size)])

    def point(self, row):
        """A point of its own from the row (d,) of an array."""
        return float(row[0]) if self.scalar else row.copy()

    def largest_entry(self, gradient):
        """The size of a gradient's largest entry."""
        return abs(gradient) if self.scalar else float(np.abs(gradient).max())


def one_gradient(grad, jac):
    """``grad`` or its SciPy name ``jac``: the name that was given, and a callable, True (fun returns both) or None."""
    if grad is not None and jac is not None:
        raise TypeError("grad and jac are two names of one argument, the gradient: pass one of them.")
    name, given = ("grad", grad) if jac is None else ("jac", jac)
    if given is True or callable(given):
        return name, given
    if given is None or given is False:
        return name, None
    raise TypeError(
        f"{name}={brief(given)} must be callable, True where fun returns (value, gradient), or None for central "
        "differences."
    )


def split_pair(fun, name, x0):
    """A function that returns (value, gradient) as two functions; tried at ``x0``, for an error that names it."""
    split = PairAsTwo(name, fun)
    with contextlib.suppress(ArithmeticError):
        named_call("fun", split.value, x0 if isinstance(x0, float) else x0.copy())
    if is_njit(fun):
        from ..kernels import user_functions

        return user_functions.pair_as_two(fun)
    return split.value, split.gradient


class PairAsTwo:
    """The value and the gradient of a function that returns both, called once at each point."""

    def __init__(self, name, fun):
        self.name, self.fun, self.last = name, fun, None

    def value(self, x):
        """The value."""
        return self._both(x)[0]

    def gradient(self, x):
        """The gradient."""
        return self._both(x)[1]

    def _both(self, x):
        if self.last is None or not np.array_equal(self.last[0], x):
            at = np.copy(x)  # fun may write to x
            returned = self.fun(x)
            try:
                value, gradient = returned
            except (TypeError, ValueError):
                raise TypeError(f"{self.name} returned {brief(returned)}; (value, gradient) is needed.") from None
            self.last = at, (value, gradient)
        return self.last[1]


def is_njit(function):
    """Whether a function is one of Numba's, found without importing Numba."""
    return hasattr(function, "py_func") and hasattr(function, "targetoptions")


def _start(x0):
    """``x0`` as a float or a float64 array (d,) of its own."""
    if x0 is None:  # NumPy would make it NaN
        raise TypeError("x0=None must be a number or an array of numbers.")
    if isinstance(x0, dict):
        raise TypeError("x0 is a dict: of a function without data it is a number or an array; pass one, or data=.")
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


def real_number(name, value):
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


def njit_of(name, function):
    """A plain function, compiled (at its first call)."""
    from ..kernels import user_functions

    try:
        return user_functions.compiled(function)
    except Exception as error:  # Numba asserts and raises what it likes on things that are no functions
        raise TypeError(f"compile=True can't compile {name}: {user_functions.short(error)}") from error


def named_call(name, call, *arguments):
    """Call without NumPy's warnings; an error of Numba's compiler becomes one that names the function."""
    try:
        with np.errstate(all="ignore"):
            return call(*arguments)
    except Exception as error:
        if not type(error).__module__.startswith("numba."):
            raise
        from ..kernels import user_functions

        words = f"Numba can't compile {name}: {user_functions.short(error)}"
        raise TypeError(f"{words} Plain Python functions with compile=False always run.") from error


def told(name, error):
    """The exception that a function raised, in words, with the place where that is known."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    # Compiled functions have no frame of their own.
    place = "" if PACKAGE in Path(frame.filename).parents else f" ({Path(frame.filename).name}, line {frame.lineno})"
    return f"{name} raised {type(error).__name__}: {error}{place}"


def value_or(otherwise, call, x):
    """Call without NumPy's warnings; ``otherwise`` where that raises an arithmetic error."""
    with np.errstate(all="ignore"):
        try:
            return call(x)
        except ArithmeticError:
            return otherwise
