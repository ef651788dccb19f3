"""A user's functions of parameters and a batch: the value and the gradient, in Python or compiled, in flat arrays."""

import math

import numpy as np

from ..kernels import batch_calls, user_functions
from ..kernels.batch_calls import BOTH, GRADIENT, STEPS, VALUE
from ..kernels.layouts import frozen
from ..wording import brief
from .gradient_check import check_gradient
from .problem import is_njit, njit_of, real_number, value_or


class Place:
    """Parameters (size,), and where the gradient there is stored: both as they are, and as arrays of the nest."""

    def __init__(self, nest, weights, gradient):
        self.weights, self.gradient = weights, gradient
        self.lent = nest.arrays(frozen(weights))
        self.slopes = None if gradient is None else nest.arrays(gradient)


class BatchFunctions:
    """The functions and the form of their parameters, whose numbers lie in one array; ``njit``: all are compiled.

    What they are lent goes on being used: they can't write to it.
    """

    def __init__(self, fun, grad, grad_name, nest, njit):
        self.fun, self.grad, self.grad_name, self.nest, self.njit = fun, grad, grad_name, nest, njit

    def wanted(self, values):
        """What a step asks for, where values are recorded or not."""
        return BOTH if values or self.grad is True else GRADIENT

    def at(self, weights, gradient=None):
        """The :class:`Place` of parameters (size,), whose gradient is stored in ``gradient`` (size,)."""
        return Place(self.nest, weights, gradient)

    def call(self, place, arrays, wanted=BOTH):
        """The value at a place over a batch's arrays, NaN if not asked for; the gradient is stored if it is."""
        if self.njit:
            return self._compiled(place, arrays, wanted)
        given, value = (self.nest.made(place.lent), *arrays), math.nan
        if self.grad is True:
            value, slopes = self._pair(self.fun(*given))
        else:
            if wanted & VALUE:
                value = self._number(self.fun(*given))
            if not wanted & GRADIENT:
                return value
            if self.grad is None:
                self._differences(place, arrays)
                return value
            slopes = self.grad(*given)
        if wanted & GRADIENT:
            self.nest.store(f"what {self.grad_name} returned", slopes, place.slopes)
        return value

    def _number(self, value):
        return value if type(value) is float else real_number("fun", value)

    def _pair(self, returned):
        try:
            value, slopes = returned
        except (TypeError, ValueError):
            raise TypeError(f"fun returned {brief(returned)}; with grad=True (value, gradient) is needed.") from None
        return self._number(value), slopes

    def _differences(self, place, arrays):
        """Central differences of ``fun``."""
        moved, gradient, step = place.weights.copy(), place.gradient, STEPS[place.weights.dtype]
        given = self.nest.arrays(frozen(moved))
        for j, w in enumerate(place.weights.tolist()):
            h = step * max(1.0, abs(w))
            moved[j] = w + h
            above, high = self._number(self.fun(self.nest.made(given), *arrays)), float(moved[j])
            moved[j] = w - h
            gradient[j] = (above - self._number(self.fun(self.nest.made(given), *arrays))) / (high - float(moved[j]))
            moved[j] = w

    def check_gradient(self, arrays, x):
        """Raise where the gradient over a batch's arrays is not the derivative of ``fun`` at ``x`` (size,)."""
        if self.grad is None:
            return
        arrays, slopes = list(map(frozen, arrays)), np.zeros(x.size, x.dtype)

        def value(x):
            return value_or(math.nan, lambda x: self.call(self.at(x), arrays, VALUE), x)

        with np.errstate(all="ignore"):
            try:
                self.call(self.at(x, slopes), arrays, GRADIENT)
            except ArithmeticError:
                return  # the run says so
        name = "the gradient of fun" if self.grad is True else self.grad_name
        leaves = [
            (leaf.name.replace("x0", "params", 1), leaf.start, leaf.start + leaf.size) for leaf in self.nest.leaves
        ]
        check_gradient(name, value, value(x), slopes, x, leaves)

    def compiled(self, arrays):
        """The functions as one, compiled for arrays like those of the batches."""
        form, dtype = self.nest.form, self.nest.dtype
        try:
            return batch_calls.call_of(self.fun, self.grad, form, arrays, dtype)
        except Exception as error:  # Numba asserts and raises what it likes
            if words := batch_calls.words_for(error):
                raise TypeError(f"Numba can't compile these functions: {words}") from error
            words = f"Numba can't compile fun or grad: {user_functions.short(error)}"
            raise TypeError(f"{words} Plain Python functions with compile=False always run.") from error

    def _compiled(self, place, arrays, wanted):
        call, out = self.compiled(arrays), np.zeros(3)
        weights = place.weights.copy() if self.grad is None else place.weights  # differences move them
        arrays = [np.ascontiguousarray(array) for array in arrays]
        gradient = np.zeros(0, weights.dtype) if place.gradient is None else place.gradient
        batch = np.array([array.ctypes.data for array in arrays], np.int64)
        try:
            call.function(weights, gradient, self.lengths(arrays), batch, len(arrays[0]), wanted, out)
        except KeyError as error:
            self.raise_key(error)
        if out[1]:
            self.raise_shape(int(out[2]))
        return float(out[0]) if wanted & VALUE or self.grad is True else math.nan

    def lengths(self, arrays):
        """The lengths of the axes of parameters and batches, as compiled functions are handed them."""
        return np.array([*self.nest.lengths, *(length for array in arrays for length in array.shape[1:])], np.int64)

    def raise_key(self, error):
        """Raise for a compiled gradient that lacks a key of the parameters, else what it is."""
        keys = keys_of(self.nest.form)
        if not error.args or error.args[0] not in keys:
            raise error  # of the user's functions
        words = f"must have the keys of x0, {keys}; it lacks {error.args[0]!r}."
        raise ValueError(f"What {self.grad_name} returned {words}") from error

    def raise_shape(self, leaf):
        """Raise for a gradient of another shape than its parameters."""
        leaf = self.nest.leaves[leaf]
        place = leaf.name.removeprefix("x0")
        shapes = f"has another shape than x0{place}, {leaf.shape}, or another length."
        raise ValueError(f"What {self.grad_name} returned{f' at {place}' if place else ''} {shapes}")


def holds(form, *kinds):
    """Whether parameters of a form hold containers of some kinds."""
    if form[0] in ("number", "array"):
        return False
    items = [item for _, item in form[1]] if form[0] == "dict" else form[1]
    return form[0] in kinds or any(holds(item, *kinds) for item in items)


def keys_of(form):
    """The keys of all dicts in parameters of a form."""
    if form[0] in ("number", "array"):
        return []
    if form[0] != "dict":
        return [key for item in form[1] for key in keys_of(item)]
    return [name for key, item in form[1] for name in (key, *keys_of(item))]


def functions_of(fun, grad, grad_name, nest, compile):
    """The :class:`BatchFunctions` of what the user passed."""
    given = {"fun": fun} if grad is None or grad is True else {"fun": fun, "grad": grad}
    if compile:
        given = {name: function if is_njit(function) else njit_of(name, function) for name, function in given.items()}
    njit = [name for name, function in given.items() if is_njit(function)]
    compiled = len(njit) == len(given)
    if njit and not compiled and holds(nest.form, "dict", "list"):
        raise TypeError(
            f"{njit[0]} is compiled and {' and '.join(given.keys() - njit)} is not: Python can't hand a dict or a list "
            "to compiled functions. Pass compile=True, or decorate both with numba.njit, or none."
        )
    if grad is True:
        grad_name = f"fun, with {grad_name}=True,"
    return BatchFunctions(given["fun"], given.get("grad", grad), grad_name, nest, compiled)
