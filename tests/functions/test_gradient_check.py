"""Right gradients of any function are let in, wrong ones are told, and nothing is said where differences can't tell."""

import itertools
import math

import numba
import numpy as np
import pytest
from batch_models import LINEAR, X0, X, Y, linear, linear_grad
from conftest import diverges
from hypothesis import given
from hypothesis import strategies as st

import fastgd
from fastgd.functions.gradient_check import check_gradient

TERMS = [
    (np.sin, np.cos),
    (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    (lambda z: z**2, lambda z: 2 * z),
    (lambda z: z**3 - z, lambda z: 3 * z**2 - 1),
    (lambda z: np.exp(z / 4), lambda z: np.exp(z / 4) / 4),
    (lambda z: np.log1p(z**2), lambda z: 2 * z / (1 + z**2)),
    (lambda z: np.logaddexp(0, z), lambda z: 1 / (1 + np.exp(-z))),
]


@st.composite
def functions(draw, most=6):
    """A random smooth function, its gradient, and a point."""
    size, seed = draw(st.integers(1, most)), draw(st.integers(0, 2**32 - 1))
    terms = draw(st.lists(st.sampled_from(TERMS), min_size=1, max_size=4))
    scale, offset = 10.0 ** draw(st.integers(-12, 12)), draw(st.sampled_from([0.0, 1.0, -30.0]))
    rng = np.random.default_rng(seed)
    A, shift, factors = rng.standard_normal((len(terms), size)), rng.standard_normal(len(terms)), rng.uniform(0.5, 2, 4)

    def value(x):
        z = A @ x + shift
        return float(scale * (offset + sum(a * f(zk) for (f, _), zk, a in zip(terms, z, factors, strict=False))))

    def gradient(x):
        z = A @ x + shift
        return scale * (A.T @ [a * slope(zk) for (_, slope), zk, a in zip(terms, z, factors, strict=False)])

    return value, gradient, rng.standard_normal(size) * draw(st.sampled_from([0.0, 1.0, 3.0]))


def looked_at(value, slopes, x, parts=1):
    """Look at a gradient, of parameters in as many arrays of one length as may be."""
    edges = np.linspace(0, x.size, parts + 1).astype(int)
    leaves = [(f"params[{k}]", lo, hi) for k, (lo, hi) in enumerate(itertools.pairwise(edges))]
    check_gradient("grad", value, value(x), slopes, x, leaves)


@given(functions(most=40), st.integers(1, 5))
def test_right_gradients_are_let_in(function, parts):
    value, gradient, x = function
    looked_at(value, gradient(x), x, parts)


@given(functions(most=40), st.integers(1, 5))
def test_right_gradients_are_let_in_at_float32(function, parts):
    value, gradient, x = function
    x = x.astype(np.float32)

    def rounded(x):
        return float(np.float32(value(x.astype(np.float64))))

    if np.isfinite(rounded(x)):
        with np.errstate(all="ignore"):
            looked_at(rounded, gradient(x.astype(np.float64)).astype(np.float32), x, parts)


@given(functions(most=40), st.sampled_from([-1.0, 0.0, 0.5, 0.9, 1.1, 2.0, 1e3]), st.integers(1, 5))
def test_gradients_of_another_sign_or_factor_are_told(function, factor, parts):
    value, gradient, x = function
    right = gradient(x)
    # Along the directions that are looked at there has to be something: a function may be flat along one.
    signs = np.where(np.random.default_rng(0).random(x.size) < 0.5, -1.0, 1.0)
    along = abs(right @ signs) if x.size > 4 else np.abs(right).max()
    if along < 1e-3 * max(np.abs(right).sum(), abs(value(x))):
        return
    with pytest.raises(ValueError, match=r"grad is not the derivative of fun: along .* at x0.*check_gradient=False"):
        looked_at(value, factor * right, x, parts)


@given(functions(most=4), st.integers(0, 3), st.sampled_from([0.9, 1.1]))
def test_one_wrong_number_of_few_is_told_and_named(function, j, factor):
    value, gradient, x = function
    wrong, j = gradient(x), j % x.size
    if abs(wrong[j]) < 1e-3 * max(np.abs(wrong).max(), abs(value(x))):
        return
    wrong[j] *= factor
    with pytest.raises(ValueError, match=rf"along params\[0\]{rf'.{j}.' if x.size > 1 else ''} at x0"):
        looked_at(value, wrong, x)


@given(functions(most=4), st.integers(0, 1))
def test_any_slope_between_those_of_a_kink_is_let_in(function, side):
    value, gradient, x = function
    value_there, slopes = value(x), gradient(x)
    scale = max(np.abs(slopes).max(), abs(value_there), 1e-300)

    def kinked(z):
        return value(z) + scale * np.abs(z - x).sum()

    for share in (-1.0, 0.0, 0.5, 1.0):
        looked_at(kinked, slopes + share * scale, x)
    with pytest.raises(ValueError, match="grad is not the derivative"):
        looked_at(kinked, slopes + (1.5 if side else -1.5) * scale, x)


def test_what_differences_can_not_tell():
    wrong = np.array([5.0])
    x = np.ones(1)
    calls = iter(range(100))
    looked_at(lambda z: float(next(calls)), wrong, x)  # not the same at the same point
    looked_at(lambda z: math.nan, wrong, x)
    looked_at(lambda z: math.inf if z[0] != 1 else 1.0, wrong, x)
    looked_at(lambda z: float(z[0] ** 2), np.array([np.nan]), x)
    looked_at(lambda z: 1e300 * float(z[0] > 1), wrong, x)  # a jump
    looked_at(lambda z: float(np.sin(1e9 * z[0])), wrong, x)  # too fast for any step
    looked_at(lambda z: 1.0, np.zeros(1), x)
    with pytest.raises(ValueError, match=r"at the rate 0 by differences, 5 by grad"):
        looked_at(lambda z: 1.0, wrong, x)


# As minimize asks it ------------------------------------------------------------------------------------------------


def wrong_b(p, X, y):
    gradient = linear_grad(p, X, y)
    return {"w": gradient["w"], "b": -gradient["b"]}


@diverges
def test_minimize_names_the_parameter():
    for call in (fastgd.minimize, fastgd.minimize_sweep, fastgd.lr_find):
        with pytest.raises(ValueError, match=r"grad is not the derivative of fun: along params\['b'\] at x0"):
            call(linear, X0, wrong_b, data=(X, Y), batch_size=8)
        with pytest.raises(ValueError, match=r"jac is not the derivative of fun: along params\['b'\] at x0"):
            call(linear, X0, jac=wrong_b, data=(X, Y))
        with pytest.raises(ValueError, match=r"the gradient of fun is not the derivative of fun"):
            call(lambda *given: (linear(*given), wrong_b(*given)), X0, True, data=(X, Y))
        call(linear, X0, wrong_b, data=(X, Y), batch_size=8, check_gradient=False)
    with pytest.raises(TypeError, match="check_gradient=1 must be True or False"):
        fastgd.minimize(linear, X0, wrong_b, data=(X, Y), check_gradient=1)


def test_the_reference_looks_too():
    for x0 in (3.0, np.ones(3), np.ones(9)):
        with pytest.raises(ValueError, match="grad is not the derivative of fun"):
            fastgd.reference.minimize(lambda x: np.sum(x * x), x0, lambda x: x)
        assert fastgd.reference.minimize(lambda x: np.sum(x * x), x0, lambda x: 2 * x).success
        fastgd.reference.minimize(lambda x: np.sum(x * x), x0, lambda x: x, check_gradient=False)
    with pytest.raises(ValueError, match=r"grad is not the derivative of fun: along params\['b'\]"):
        fastgd.reference.minimize(linear, X0, wrong_b, data=(X, Y))


def test_a_source_and_single_numbers_and_float32():
    with pytest.raises(ValueError, match="along params at x0, fun changes at the rate"):
        fastgd.minimize(lambda x, y: np.mean((x - y) ** 2), 1.0, lambda x, y: np.mean(x - y), data=Y)
    single = {"w": np.zeros(3, np.float32), "b": np.float32(0)}
    with pytest.raises(ValueError, match=r"along params\['b'\] at x0"):
        fastgd.minimize(linear, single, wrong_b, data=(X, Y))
    fastgd.minimize(linear, single, linear_grad, data=(X, Y), epochs=1)


def wrong_w(p, X, y):
    of_b = 0.0
    for i in range(y.size):
        of_b += (p["b"] - y[i]) / y.size
    return {"w": np.full(3, -9.0), "b": of_b}


@pytest.mark.jit
def test_compiled_gradients_are_looked_at():

    with pytest.raises(ValueError, match=r"grad is not the derivative of fun: along params\['w'\]\[0\] at x0"):
        fastgd.minimize(LINEAR, X0, numba.njit(wrong_w), data=(X, Y), batch_size=8)
    half = numba.njit(lambda p, X, y: {"w": np.zeros(3)})
    for look in (True, False):
        with pytest.raises(ValueError, match=r"grad returned must have the keys of x0, \['w', 'b'\]; it lacks 'b'\."):
            fastgd.minimize(LINEAR, X0, half, data=(X, Y), batch_size=8, check_gradient=look)


def test_few_rows_are_looked_at():
    calls = []

    def fun(x, y):
        calls.append(len(y))
        return 0.5 * np.mean((x - y) ** 2)

    fastgd.minimize(fun, 1.0, lambda x, y: np.mean(x - y), data=np.arange(1000.0), epochs=0)
    assert set(calls[:-1]) <= {8, 1000} and calls.count(8) in range(3, 8)


# Functions without data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 50])
def test_one_wrong_entry_of_a_gradient_is_told(size):
    def wrong(x):
        gradient = 2.0 * x
        gradient[1] = 0.0
        return gradient

    with pytest.raises(ValueError, match=r"along x\[1\] at" if size == 2 else "along a random direction"):
        fastgd.minimize(lambda x: x @ x, np.arange(1.0, 1.0 + size), wrong)


@diverges
@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1e8, 1e150])
def test_right_gradients_of_any_scale_are_let_in(scale):
    for x0, power in itertools.product((1e-12, 1.0, -3e6), (1, 2, 4)):
        fastgd.minimize(lambda x: scale * x**power, x0, lambda x: scale * power * x ** (power - 1), max_iter=0)  # noqa: B023
    fastgd.minimize(lambda x: np.exp(scale * x), 1.0, lambda x: scale * np.exp(scale * x), max_iter=0)
    fastgd.minimize(lambda x: np.sin(x / scale), 1.0, lambda x: np.cos(x / scale) / scale, max_iter=0)


@diverges
def test_functions_that_no_differences_tell_of_are_let_in():
    noise = np.random.default_rng(0)
    fastgd.minimize(lambda x: x**2 + noise.normal(), 1.0, lambda x: -x, max_iter=1)
    fastgd.minimize(lambda x: float(x > 0), 0.0, lambda x: 1.0, max_iter=1)
    fastgd.minimize(lambda x: np.abs(x).sum(), [0.0, 1.0], lambda x: np.where(x >= 0, 1.0, -1.0), max_iter=1)
