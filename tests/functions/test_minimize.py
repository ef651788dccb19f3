"""``minimize`` on textbook cases, in Python and compiled, against loops of ten lines."""

import _thread
import doctest
import functools
import importlib
import math
import re
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest
from conftest import JIT_OFF, diverges, slow_to_compile
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd
from fastgd.functions import compiled_loop
from fastgd.functions.run import next_size
from fastgd.kernels import minimize_loop, user_functions
from fastgd.parts.optimizers import Adam, Momentum, Sgd
from fastgd.parts.schedules import InverseScaling

WORDS = ["converged", "max_iter", "early_stopped", "diverged", "interrupted"]


def square(x):
    return x**2


def square_grad(x):
    return 2 * x


def shifted(x):
    return (x - 3) ** 2 + 1


def shifted_grad(x):
    return 2 * (x - 3)


def bowl(x):
    return x[0] ** 2 + 2.0 * x[1] ** 2


def bowl_grad(x):
    return np.array([2.0 * x[0], 4.0 * x[1]])


def rosenbrock(x):
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def rosenbrock_grad(x):
    return np.array([-400.0 * x[0] * (x[1] - x[0] ** 2) - 2.0 * (1.0 - x[0]), 200.0 * (x[1] - x[0] ** 2)])


def nan_gradient_below_one(x):
    return 2 * x if x > 1 else x * np.nan


def nan_below_one(x):
    return x**2 if x > 1 else np.nan


def raises_below_one(x):
    if x <= 1:
        raise ZeroDivisionError("division by zero")
    return x * x


PLAIN = (
    *(square, square_grad, shifted, shifted_grad, bowl, bowl_grad, rosenbrock, rosenbrock_grad),
    *(nan_gradient_below_one, nan_below_one, raises_below_one),
)
needs_numba = pytest.mark.skipif(JIT_OFF, reason="needs compiled functions")
COMPILED = [needs_numba, pytest.mark.slow]  # twins of cases in Python


class Interpreted:
    """Looks like a compiled function, so that NUMBA_DISABLE_JIT runs the kernel as plain Python."""

    def __init__(self, function):
        self.py_func, self.targetoptions = function, {}

    def __call__(self, x):
        return self.py_func(x)


NJIT = {function: (Interpreted if JIT_OFF else numba.njit)(function) for function in PLAIN}


@pytest.fixture(params=["python", pytest.param("njit", marks=slow_to_compile)])
def mode(request):
    """Turns a plain function into the one to test."""
    return (lambda function: function) if request.param == "python" else NJIT.get


def close(a, b):
    return np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-300)


# Textbook numbers ---------------------------------------------------------------------------------------------------


def test_square_fifty_steps(mode):
    o = fastgd.minimize(mode(square), 10.0, mode(square_grad), learning_rate=0.1, max_iter=50)
    close(o.x, 10 * 0.8**50)
    close(o.fun, 100 * 0.64**50)
    close(o.jac, 20 * 0.8**50)
    assert type(o.x) is type(o.fun) is type(o.jac) is float
    assert (o.nit, o.status, o.success) == (50, "max_iter", False)


def test_shifted_square_and_its_history(mode):
    o = fastgd.minimize(mode(shifted), 10, mode(shifted_grad), learning_rate=0.1, max_iter=30)
    xs = [10.0]
    for _ in range(30):
        xs.append(xs[-1] - 0.1 * (2 * (xs[-1] - 3)))
    assert o.history.x.shape == o.history.fun.shape == (31,)
    close(o.history.x, xs)
    close(o.history.fun, [(x - 3) ** 2 + 1 for x in xs])
    close(o.history.x, 3 + 7 * 0.8 ** np.arange(31))
    assert (o.x, o.fun) == (o.history.x[-1], o.history.fun[-1])


@diverges
@pytest.mark.parametrize(
    ("rate", "status"),
    [(0.01, "max_iter"), (0.1, "max_iter"), (0.5, "converged"), (0.9, "max_iter"), (1.1, "diverged")],
)
def test_square_at_five_rates(mode, rate, status):
    o = fastgd.minimize(mode(square), 10.0, mode(square_grad), learning_rate=rate, max_iter=20)
    close(o.x, 10 * (1 - 2 * rate) ** 20)
    assert (o.status, o.nit) == (status, 20)
    if rate == 1.1:
        close(o.x, 383.3759992447475)
        assert "rose above its start" in o.message


@pytest.mark.parametrize("start", [10.0, [10.0, -4.0]])
def test_momentum_against_the_plain_rule(mode, start):
    fun, grad = (square, square_grad) if isinstance(start, float) else (bowl, bowl_grad)
    o = fastgd.minimize(mode(fun), start, mode(grad), optimizer=Momentum(0.9), learning_rate=0.1, max_iter=20)
    x, v = np.array(start), 0.0
    for k in range(20):
        # Sums of opposite signs: what is lost to rounding is relative to the start, not to what is left.
        np.testing.assert_allclose(o.history.x[k], x, rtol=1e-12, atol=1e-12)
        v = 0.9 * v - 0.1 * grad(x)
        x = x + v
    np.testing.assert_allclose(o.x, x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("start", [10.0, [10.0, -4.0]])
def test_adam_step_by_step_against_the_paper(mode, start):
    fun, grad = (square, square_grad) if isinstance(start, float) else (bowl, bowl_grad)
    o = fastgd.minimize(mode(fun), start, mode(grad), optimizer=Adam(), learning_rate=0.1, max_iter=200)
    x, m, v, beta1, beta2 = np.array(start), 0.0, 0.0, 0.9, 0.999
    for t in range(1, 201):
        g = grad(x)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        x = x - 0.1 * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)
        np.testing.assert_allclose(o.history.x[t], x, rtol=1e-12, atol=1e-12)


def test_rosenbrock_without_history_against_the_plain_loop(mode):
    steps = 3000  # beyond two looks of the compiled loop
    o = fastgd.minimize(
        mode(rosenbrock), [-1.2, 1], mode(rosenbrock_grad), learning_rate=1e-3, max_iter=steps, history=False
    )
    x = np.array([-1.2, 1.0])
    for _ in range(steps):
        x = x - 1e-3 * rosenbrock_grad(x)
    close(o.x, x)
    close(o.fun, rosenbrock(x))
    assert o.history is None
    assert o.jac.shape == o.x.shape == (2,)


def test_a_history_that_grows(mode, monkeypatch):
    monkeypatch.setattr(compiled_loop, "HISTORY_NUMBERS", 10)
    o = fastgd.minimize(mode(bowl), [10.0, -4.0], mode(bowl_grad), max_iter=300)
    np.testing.assert_allclose(o.history.x, [10.0, -4.0] * np.array([0.8, 0.6]) ** np.arange(301)[:, None], rtol=1e-12)
    close(o.history.fun, [bowl(x) for x in o.history.x])


def test_a_schedule(mode):
    o = fastgd.minimize(mode(square), 10.0, mode(square_grad), learning_rate=InverseScaling(0.3, 0.5), max_iter=2500)
    x = 10.0
    for t in range(1, 2501):
        x -= 0.3 / t**0.5 * 2 * x
    np.testing.assert_allclose(o.x, x, rtol=1e-11)
    assert o.status == "converged"
    named = fastgd.minimize(mode(square), 10.0, mode(square_grad), learning_rate="inverse_scaling", max_iter=3)
    close(named.history.x[1], 10.0 - 0.01 * 20)


def test_tol_is_on_the_largest_entry(mode):
    o = fastgd.minimize(mode(bowl), [10.0, -4.0], mode(bowl_grad), tol=1e-3, max_iter=1000)
    xs = np.array([10.0, -4.0]) * np.array([0.8, 0.6]) ** np.arange(1001)[:, None]
    assert o.nit == int(np.argmax(np.abs([2.0, 4.0] * xs).max(axis=1) <= 1e-3))
    assert (o.status, o.success) == ("converged", True)
    assert "tol=0.001" in o.message
    at_once = fastgd.minimize(mode(bowl), [0.0, 0.0], mode(bowl_grad), tol=0.0, max_iter=1000)
    assert (at_once.nit, at_once.status) == (0, "converged")


def test_no_iterations(mode):
    o = fastgd.minimize(mode(square), 10.0, mode(square_grad), max_iter=0)
    assert (o.x, o.fun, o.jac, o.nit, o.status) == (10.0, 100.0, 20.0, 0, "max_iter")
    assert o.history.x.tolist() == [10.0]


# Without a gradient -------------------------------------------------------------------------------------------------


def test_central_differences(mode):
    o = fastgd.minimize(mode(bowl), [10.0, -4.0], learning_rate=0.1, max_iter=50)
    np.testing.assert_allclose(o.x, np.array([10.0, -4.0]) * np.array([0.8, 0.6]) ** 50, rtol=1e-6, atol=1e-9)
    assert "central differences, 4 evaluations of fun an iteration" in o.message


def test_central_differences_of_a_number(mode):
    o = fastgd.minimize(mode(square), 10.0, learning_rate=0.1, max_iter=50)
    np.testing.assert_allclose(o.x, 10 * 0.8**50, rtol=1e-6)
    assert "central differences, 2 evaluations" in o.message


# The gradient by SciPy's names ---------------------------------------------------------------------------------------


def square_pair(x):
    return x**2, 2 * x


def bowl_pair(x):
    return x[0] ** 2 + 2.0 * x[1] ** 2, np.array([2.0 * x[0], 4.0 * x[1]])


njitted = functools.cache(numba.njit)  # compiled once for all tests


def test_jac_is_grad(mode):
    for sweep in (fastgd.minimize, lambda *a, **k: fastgd.minimize_sweep(*a, **k).best):
        ours = sweep(mode(bowl), [10.0, -4.0], jac=mode(bowl_grad), max_iter=20)
        np.testing.assert_array_equal(ours.x, fastgd.minimize(mode(bowl), [10.0, -4.0], mode(bowl_grad), max_iter=20).x)


@pytest.mark.parametrize("name", ["jac", "grad"])
@pytest.mark.parametrize("njit", [False, pytest.param(True, marks=COMPILED)])
@pytest.mark.parametrize(
    ("pair", "fun", "grad", "x0"),
    [(square_pair, square, square_grad, 10.0), (bowl_pair, bowl, bowl_grad, [10.0, -4.0])],
)
@pytest.mark.parametrize("history", [True, False])
def test_fun_may_return_both(name, njit, pair, fun, grad, x0, history):
    pair = njitted(pair) if njit else pair
    ours = fastgd.minimize(pair, x0, **{name: True}, max_iter=50, history=history)
    alone = fastgd.minimize(fun, x0, grad, max_iter=50)
    np.testing.assert_allclose(ours.x, alone.x, rtol=1e-14)
    assert (ours.fun, ours.status) == (pytest.approx(alone.fun, rel=1e-14), alone.status)
    np.testing.assert_allclose(ours.jac, alone.jac, rtol=1e-14)
    expected = fastgd.reference.minimize(pair, x0, jac=True, max_iter=50)
    np.testing.assert_allclose(ours.x, expected.x, rtol=1e-12)


def test_both_are_computed_once_a_point():
    calls = []

    def pair(x):
        calls.append(x.copy())
        x *= 2.0  # what a function is given is its own
        return x @ x / 4, x

    o = fastgd.minimize(pair, [1.0, 2.0], jac=True, max_iter=5, check_gradient=False)
    np.testing.assert_array_equal(calls, o.history.x)


@slow_to_compile
@needs_numba
def test_both_compile_once():
    pair = numba.njit(bowl_pair)
    fastgd.minimize(pair, [1.0, 2.0], jac=True, max_iter=2)
    before = len(minimize_loop.advance.overloads)
    fastgd.minimize(pair, [3.0, 2.0], jac=True, max_iter=2)
    assert len(minimize_loop.advance.overloads) == before
    close(fastgd.minimize(bowl_pair, [1.0, 2.0], jac=True, max_iter=2, compile=True).x, [0.64, 0.72])


def test_jac_false_is_central_differences_as_in_scipy():
    assert "central differences" in fastgd.minimize(bowl, [1.0, 2.0], jac=False, max_iter=1).message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"grad": square_grad, "jac": square_grad}, "grad and jac are two names of one argument"),
        ({"jac": "3-point"}, r"jac='3-point' must be callable, True where fun returns \(value, gradient\), or None"),
        ({"jac": True}, r"fun, with jac=True, returned 1.0; \(value, gradient\) is needed"),
        ({"grad": True}, r"fun, with grad=True, returned 1.0"),
        ({"jac": True, "compile": True}, r"fun, with jac=True, returned 1.0"),
        (
            {"optimizer": "sgd", "fun": lambda x: (1.0, "a"), "jac": True},
            "fun, with jac=True, returned 'a'; one real number",
        ),
        ({"fun": lambda x: ("a", 1.0), "jac": True}, "fun returned 'a'"),
        ({"fun": lambda x: (1.0, np.ones(2)), "jac": True}, r"fun, with jac=True, returned shape \(2,\)"),
    ],
)
def test_bad_gradients_are_named(arguments, words):
    for call in (fastgd.minimize, fastgd.minimize_sweep):
        with pytest.raises((TypeError, ValueError), match=words):
            call(**{"fun": square, "x0": 1.0, **arguments})


def test_what_follows_the_gradient_is_given_by_name():
    for call in (fastgd.minimize, fastgd.minimize_sweep, fastgd.reference.minimize):
        with pytest.raises(TypeError, match="positional"):
            call(square, 1.0, square_grad, "adam")


# Ends ---------------------------------------------------------------------------------------------------------------


@diverges
@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("rate", [3.0, 1e8])
def test_divergence_stops_at_the_last_finite_value(mode, history, rate):
    o = fastgd.minimize(mode(square), 10.0, mode(square_grad), learning_rate=rate, max_iter=5000, history=history)
    x, steps = 10.0, 0
    while math.isfinite((x - rate * 2 * x) * (x - rate * 2 * x)):
        x, steps = x - rate * 2 * x, steps + 1
    close(o.x, x)
    assert o.nit == steps
    assert o.status == "diverged"
    assert not o.success
    assert "infinite or NaN" in o.message
    if history:
        assert o.history.fun.size == steps + 1
        assert np.isfinite(o.history.fun).all()


@diverges
@pytest.mark.parametrize("history", [True, False])
def test_a_gradient_that_becomes_nan(mode, history):
    o = fastgd.minimize(mode(square), 10.0, mode(nan_gradient_below_one), max_iter=3000, history=history)
    close(o.x, 10 * 0.8**11)
    assert (o.nit, o.status) == (11, "diverged")
    assert "gradient became" in o.message


@diverges
@pytest.mark.parametrize("history", [True, False])
def test_a_value_that_becomes_nan(mode, history):
    o = fastgd.minimize(mode(nan_below_one), 10.0, mode(square_grad), max_iter=3000, history=history)
    close(o.x, 10 * 0.8**10)
    assert (o.nit, o.status) == (10, "diverged")


@diverges
@pytest.mark.parametrize("history", [True, False])
def test_an_arithmetic_error_counts_as_not_finite(mode, history):
    o = fastgd.minimize(mode(raises_below_one), 10.0, mode(square_grad), max_iter=3000, history=history)
    close(o.x, 10 * 0.8**10)
    assert (o.nit, o.status) == (10, "diverged")


@diverges
def test_overflow_errors_of_python_numbers():
    wrong = {"grad": lambda x: -math.exp(x), "check_gradient": False}
    o = fastgd.minimize(lambda x: math.exp(x), 1.0, learning_rate=1.0, max_iter=50, **wrong)
    assert o.status == "diverged"
    assert math.isfinite(o.fun)


@diverges
def test_a_start_where_fun_is_not_finite(mode):
    o = fastgd.minimize(mode(bowl), [1e200, 0.0], mode(bowl_grad))
    assert (o.x.tolist(), o.fun, o.nit, o.status) == ([1e200, 0.0], math.inf, 0, "diverged")
    assert "fun is inf at x0. Choose an x0 where fun is finite." in o.message


@diverges
@pytest.mark.parametrize("scale", [-1.0, 0.5, 0.97, 3.0])
def test_a_wrong_gradient_is_told(mode, scale):
    given = {"jac": lambda x: scale * square_grad(x), "max_iter": 10}
    words = (
        f"jac is not the derivative of fun: along x at x0, fun changes at the rate 20 by .*, {20 * scale:.4g} by jac"
    )
    for call in (fastgd.minimize, fastgd.minimize_sweep):
        with pytest.raises(ValueError, match=words):
            call(mode(square), 10.0, **given)
    o = fastgd.minimize(mode(square), 10.0, check_gradient=False, learning_rate=0.01, **given)
    close(o.x, 10.0 * (1 - 0.02 * scale) ** 10)


@diverges
def test_a_right_gradient_is_not(mode):
    for start in (10.0, [-1.2, 1.0]):
        fun, grad = (square, square_grad) if start == 10.0 else (rosenbrock, rosenbrock_grad)
        o = fastgd.minimize(mode(fun), start, mode(grad), learning_rate=5.0, max_iter=10)
        assert o.status == "diverged"
        assert o.message.endswith("Lower learning_rate: a tenth is a good next try.")


@diverges
def test_a_kink_at_the_start_is_no_wrong_gradient():
    o = fastgd.minimize(lambda x: abs(x), 0.0, lambda x: 1.0 if x >= 0 else -1.0, learning_rate=3.0, max_iter=3)
    assert o.status == "diverged"
    assert "Lower learning_rate" in o.message


def test_an_error_of_the_function_comes_through():
    def broken(x):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fastgd.minimize(broken, 1.0)


def test_ctrl_c_in_python():
    calls = []

    def interrupted(x):
        calls.append(x)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return x**2

    o = fastgd.minimize(interrupted, 10.0, square_grad, check_gradient=False)
    close(o.x, 10 * 0.8**5)  # the start and five steps were evaluated
    assert (o.nit, o.status, o.history.x.size) == (5, "interrupted", 6)


@slow_to_compile
@needs_numba
@pytest.mark.parametrize("history", [True, False])
def test_ctrl_c_in_compiled_code(history):
    fun, grad = NJIT[rosenbrock], NJIT[rosenbrock_grad]
    fastgd.minimize(fun, [-1.2, 1.0], grad, learning_rate=1e-3, max_iter=3, history=history)
    timer = threading.Timer(0.05, _thread.interrupt_main)
    timer.start()
    o = fastgd.minimize(fun, [-1.2, 1.0], grad, learning_rate=1e-6, max_iter=10**9, history=history)
    timer.join()
    assert o.status == "interrupted"
    assert 0 < o.nit < 10**9
    again = fastgd.minimize(fun, [-1.2, 1.0], grad, learning_rate=1e-6, max_iter=o.nit, history=False)
    np.testing.assert_array_equal(o.x, again.x)
    if history:
        assert o.history.fun.shape == (o.nit + 1,)
        assert o.history.fun[-1] == o.fun


def test_callback(mode):
    seen = []

    def callback(progress):
        seen.append((progress.nit, progress.x, progress.fun, progress.run))
        return progress.nit >= 5

    o = fastgd.minimize(mode(square), 10.0, mode(square_grad), max_iter=10**6, callback=callback)
    assert o.status == "early_stopped"
    assert seen[-1] == (o.nit, o.x, o.fun, 0)
    close([x for _, x, _, _ in seen], [10 * 0.8**nit for nit, *_ in seen])
    assert seen[0][0] == 1  # a slow compiled function holds Ctrl-C no longer than it must
    if mode(square) is square:  # in Python
        assert [nit for nit, *_ in seen] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("answer", [3.0, "stop", np.ones(2), []])
def test_only_true_ends_a_run(mode, answer):
    with pytest.raises(TypeError, match=r"^callback returned .*: return True to end the run, else None or False\.$"):
        fastgd.minimize(mode(square), 10.0, mode(square_grad), callback=lambda progress: answer)
    for goes_on in (None, False, np.False_):
        assert fastgd.minimize(mode(square), 10.0, mode(square_grad), callback=lambda _: goes_on).nit == 100  # noqa: B023
    o = fastgd.minimize(mode(square), 10.0, mode(square_grad), callback=lambda progress: np.True_)
    assert o.status == "early_stopped"


@pytest.mark.parametrize("function", [fastgd.minimize, fastgd.minimize_sweep])
def test_an_unknown_option_names_the_nearest(function):
    with pytest.raises(TypeError, match=rf"^{function.__name__}\(\) got .*'maxiter'\. Did you mean .*'max_iter'\?$"):
        function(square, 10.0, maxiter=3)
    with pytest.raises(TypeError, match="positional"):
        function(square, 10.0, square_grad, square_grad)


def test_several_values_are_for_minimize_sweep():
    with pytest.raises(
        TypeError, match=r"learning_rate=\[0.1, 0.2\] holds several values: .* fastgd\.minimize_sweep\.$"
    ):
        fastgd.minimize(square, 10.0, learning_rate=[0.1, 0.2])


def test_slices_grow_to_their_time():
    sizes = [next_size(64, 0.02 * part, 0.02) for part in (0.01, 0.3, 1.0, 2.0, 1e3)]
    assert sizes == [256, 64, 64, 32, 1]


def test_progress_bar(mode, capsys):
    pytest.importorskip("tqdm")
    fastgd.minimize(mode(square), 10.0, mode(square_grad), verbose=1)
    assert "100" in capsys.readouterr().err


# Compiling ----------------------------------------------------------------------------------------------------------


def test_python_mode_imports_no_numba():
    script = (
        "import sys, fastgd; fastgd.minimize(lambda x: x**2, 1.0); fastgd.minimize_sweep(lambda x: x**2, 1.0, tol=1.0);"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@needs_numba
def test_nothing_compiles_the_second_time():
    fun, grad = NJIT[bowl], NJIT[bowl_grad]

    def compiled():
        twin = user_functions.without_array(grad, np.ones(2), None)
        return [len(f.overloads) for f in (minimize_loop.advance, fun, grad, twin)]

    fastgd.minimize(fun, [1.0, 2.0], grad, optimizer=Momentum(0.9), learning_rate=0.1)
    before = compiled()
    fastgd.minimize(fun, np.array([3, -1]), grad, optimizer=Momentum(0.5), learning_rate=0.2, max_iter=9, tol=1e-9)
    schedule = InverseScaling(0.1, 0.3)
    fastgd.minimize_sweep(
        fun, [1.0, 2.0], grad, learning_rate=[schedule, 0.1], optimizer=Momentum(0.1), max_iter=7, history=False
    )
    assert compiled() == before


@needs_numba
def test_a_returned_array_literal_becomes_a_tuple():
    fun, grad = NJIT[rosenbrock], NJIT[rosenbrock_grad]
    x = np.array([-1.2, 1.0])
    twin = user_functions.without_array(grad, x, grad(x))
    assert twin is not grad
    assert isinstance(twin(x), tuple)
    close(twin(x), grad(x))
    assert fun(x) == rosenbrock(x)


def appended(x):
    parts = [x[0]]
    parts.append(x[1])
    return np.array(parts)


def sometimes(x):
    if x[0] > 0:
        return np.array([x[0], x[1]])
    return 2 * x


def used_again(x):
    parts = [x[0], x[1]]
    made = np.array(parts)
    parts.append(1.0)
    return made


@pytest.mark.parametrize("function", [appended, sometimes, used_again])
def test_other_arrays_stay_as_they_are(function):
    grad, x = (Interpreted if JIT_OFF else numba.njit)(function), np.array([-1.2, 1.0])
    twin = user_functions.without_array(grad, x, grad(x))
    np.testing.assert_array_equal(twin(x), grad(x))
    assert not isinstance(twin(x), tuple)


def tuple_grad(x):
    return 2.0 * x[0], 4 * x[1]


def list_grad(x):
    return [2.0 * x[0], 4.0 * x[1]]


def integer_grad(x):
    return np.array([1, 2])


@diverges
@slow_to_compile
@pytest.mark.parametrize("grad", [tuple_grad, list_grad, integer_grad])
@pytest.mark.parametrize("compile", [False, True])
def test_gradients_of_any_sequence(grad, compile):
    o = fastgd.minimize(bowl, [10.0, -4.0], grad, max_iter=5, compile=compile, check_gradient=False)
    x = np.array([10.0, -4.0])
    for _ in range(5):
        x = x - 0.1 * np.array(grad(x))
    close(o.x, x)
    close(o.jac, grad(x))


@slow_to_compile
def test_mixed_functions_run_in_python_and_compile_the_rest():
    o = fastgd.minimize(NJIT[square], 10.0, square_grad, max_iter=5)
    p = fastgd.minimize(NJIT[square], 10.0, square_grad, max_iter=5, compile=True)
    close(o.x, 10 * 0.8**5)
    close(p.x, 10 * 0.8**5)


@needs_numba
def test_what_numba_refuses_is_said():
    with pytest.raises(TypeError, match=r"can't compile fun.*compile=False") as raised:
        fastgd.minimize(lambda x: [].missing, 1.0, compile=True)
    assert raised.value.__cause__ is not None
    with pytest.raises(TypeError, match="can't compile grad"):
        fastgd.minimize(square, 1.0, lambda x: subprocess.run(x), compile=True)
    with pytest.raises(TypeError, match="compile=True can't compile fun"):
        fastgd.minimize(type("F", (), {"__call__": lambda self, x: x})(), 1.0, compile=True)


def changed_length(x):
    return np.ones(2 if x[0] > 0 else 3) * x[0]


@slow_to_compile
@pytest.mark.parametrize("compile", [False, True])
def test_a_gradient_that_changes_its_length(compile):
    with pytest.raises(ValueError, match="grad returned"):
        fastgd.minimize(bowl, [1.0, 1.0], changed_length, learning_rate=2.0, compile=compile, check_gradient=False)


def test_functions_may_change_what_they_are_given():
    def rude(x):
        x *= 2.0
        return float(x @ x) / 4

    o = fastgd.minimize(rude, [10.0, -4.0], lambda x: np.multiply(x, 2, out=x), max_iter=5)
    close(o.x, np.array([10.0, -4.0]) * 0.8**5)
    x0 = np.array([1.0, 2.0])
    fastgd.minimize(rude, x0, max_iter=2)
    assert x0.tolist() == [1.0, 2.0]


# The door -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"fun": 3}, TypeError, "fun=3 must be callable"),
        ({"grad": 3}, TypeError, "grad=3 must be callable"),
        ({"callback": 3}, TypeError, "callback=3 must be callable"),
        ({"x0": float("nan")}, ValueError, "x0 is NaN"),
        ({"x0": [1.0, np.inf]}, ValueError, r"x0\[1\] is NaN or infinite"),
        ({"x0": np.ones((2, 2))}, ValueError, r"x0 must be a number or one-dimensional, got shape \(2, 2\)"),
        ({"x0": []}, ValueError, "x0 is empty"),
        ({"x0": 1j}, TypeError, "x0 has dtype complex"),
        ({"x0": "a"}, TypeError, "x0 has dtype"),
        ({"x0": None}, TypeError, "x0=None"),
        ({"x0": object()}, TypeError, "x0 holds objects"),
        ({"x0": 10**400}, ValueError, "x0"),
        ({"x0": [[1.0], [1.0, 2.0]]}, ValueError, "x0 can't be converted to an array"),
        ({"fun": lambda x: "a"}, TypeError, "fun returned 'a'"),
        ({"fun": lambda x: None}, TypeError, "fun returned None"),
        ({"fun": lambda x: 1j}, TypeError, "fun returned 1j"),
        ({"fun": lambda x: True}, TypeError, "fun returned True"),
        ({"fun": lambda x: np.ones(1)}, ValueError, r"fun returned shape \(1,\)"),
        ({"grad": lambda x: np.ones(1)}, ValueError, r"grad returned shape \(1,\)"),
        ({"x0": [1.0, 2.0], "fun": np.sum, "grad": lambda x: 1.0}, ValueError, r"grad returned shape \(\)"),
        ({"x0": [1.0, 2.0], "fun": np.sum, "grad": lambda x: np.ones(3)}, ValueError, r"grad returned shape \(3,\)"),
        (
            {"x0": [1.0, 2.0], "fun": np.sum, "grad": lambda x: x * 1j},
            TypeError,
            "what grad returned has dtype complex",
        ),
        ({"learning_rate": 0}, ValueError, "learning_rate=0 must be greater than 0"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate"),
        ({"learning_rate": math.nan}, ValueError, "learning_rate"),
        ({"learning_rate": "inverse_scalin"}, ValueError, "Did you mean 'inverse_scaling'"),
        ({"learning_rate": [0.1]}, TypeError, "learning_rate"),
        ({"max_iter": -1}, ValueError, "max_iter=-1 must be at least 0"),
        ({"max_iter": 1.5}, TypeError, "max_iter=1.5 must be a whole number"),
        ({"tol": -1.0}, ValueError, "tol=-1 must be at least 0"),
        ({"optimizer": "adm"}, ValueError, "optimizer='adm' is not known. Did you mean 'adam'"),
        ({"optimizer": Adam}, TypeError, "Call it"),
        ({"optimizer": Momentum(1.5)}, ValueError, "optimizer.beta=1.5 must be"),
        ({"history": 1}, TypeError, "history=1 must be True or False"),
        ({"compile": "yes"}, TypeError, "compile='yes' must be True or False"),
    ],
)
def test_bad_arguments_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        fastgd.minimize(**{"fun": square, "x0": 1.0, **arguments})


@pytest.mark.parametrize("x0", [10, np.float32(10), np.int8(10), np.array(10.0), np.array(10, dtype=object)])
def test_numbers_of_any_kind(x0):
    o = fastgd.minimize(square, x0, square_grad, max_iter=3)
    assert type(o.x) is float
    close(o.x, 5.12)


def test_vectors_of_any_kind():
    for x0 in ([1, 2], (1, 2), range(1, 3), np.array([1, 2], np.int8), np.array([1.0, 9.0, 2.0])[::2]):
        o = fastgd.minimize(bowl, x0, bowl_grad, max_iter=3)
        close(o.x, [0.8**3, 2 * 0.6**3])
        assert o.history.x.shape == (4, 2)


# Properties ---------------------------------------------------------------------------------------------------------

finite = st.floats(-100, 100)


@given(
    st.lists(st.tuples(st.floats(0.1, 10.0), finite, finite), min_size=1, max_size=4),
    st.sampled_from([Sgd(), Momentum(0.5)]),
)
@settings(max_examples=30)
def test_quadratics_reach_their_optimum(terms, optimizer):
    curvature, centre, start = np.array(terms).T
    o = fastgd.minimize(
        lambda x: 0.5 * np.sum(curvature * (x - centre) ** 2),
        start,
        lambda x: curvature * (x - centre),
        optimizer=optimizer,
        learning_rate=1.0 / curvature.max(),
        tol=1e-9,
        max_iter=20_000,
    )
    assert o.status == "converged"
    np.testing.assert_allclose(o.x, centre, rtol=0, atol=1e-8)
    assert o.history.x.shape == (o.nit + 1, start.size)
    assert o.history.fun.shape == (o.nit + 1,)


@diverges
@pytest.mark.slow
@given(
    st.floats(-8, 8), st.booleans(), st.booleans(), st.integers(0, 3000), st.sampled_from([Sgd(), Momentum(), Adam()])
)
@settings(max_examples=60)
def test_nothing_turns_non_finite_in_silence(exponent, history, njit, steps, optimizer):
    fun, grad = (NJIT[rosenbrock], NJIT[rosenbrock_grad]) if njit else (rosenbrock, rosenbrock_grad)
    steps = steps if njit else steps // 30
    o = fastgd.minimize(
        fun, [-1.2, 1.0], grad, optimizer=optimizer, learning_rate=10**exponent, max_iter=steps, history=history
    )
    assert np.isfinite(o.x).all()
    assert math.isfinite(o.fun)
    assert o.nit <= steps
    assert o.status in WORDS
    assert o.nit == steps or o.status == "diverged"
    close(o.fun, rosenbrock(o.x))
    assert o.status == "diverged" or np.isfinite(o.jac).all()
    assert not history or o.history.fun.shape == (o.nit + 1,)


@diverges
@given(st.floats(-6, 4), st.integers(1, 2500))
@settings(max_examples=20)
def test_a_history_changes_no_number(exponent, steps):
    runs = [
        fastgd.minimize(
            NJIT[rosenbrock], [-1.2, 1.0], NJIT[rosenbrock_grad], learning_rate=10**exponent, max_iter=steps, history=h
        )
        for h in (True, False)
    ]
    assert runs[0].nit == runs[1].nit
    assert runs[0].message == runs[1].message
    np.testing.assert_array_equal(runs[0].x, runs[1].x)


# What comes back ----------------------------------------------------------------------------------------------------


def test_repr_and_plot():
    o = fastgd.minimize(square, 10.0, square_grad, max_iter=50)
    assert repr(o).startswith("MinimizeResult: max_iter after 50 iterations")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    ax = o.plot()
    assert ax.lines[0].get_ydata().size == 51
    assert ax.get_yscale() == "log"
    with pytest.raises(ValueError, match="history=True"):
        fastgd.minimize(square, 10.0, square_grad, history=False).plot()
    matplotlib.pyplot.close("all")


def test_the_examples_in_the_documentation():
    for name in ("fastgd.functions.minimize", "fastgd.functions.minimize_sweep"):
        assert doctest.testmod(importlib.import_module(name)).failed == 0


def writes_to_x(x):
    x -= 3.0
    return (x * x).sum()


def gradient_in_place(x):
    x -= 3.0
    x *= 2.0
    return x


def reversed_view(x):
    return x[::-1]


@slow_to_compile
@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=pytest.mark.jit)])
def test_functions_may_write_to_what_they_are_lent(compile):
    o = fastgd.minimize(writes_to_x, [0.0, 0.0], gradient_in_place, max_iter=200, compile=compile)
    np.testing.assert_allclose(o.x, 3.0, rtol=1e-6)
    o = fastgd.minimize(lambda x: x[0] * x[1], [1.0, 2.0], reversed_view, max_iter=3, compile=compile)
    np.testing.assert_allclose(o.x, [0.428, 1.759], rtol=1e-12)


# Exceptions of the user's functions -----------------------------------------------------------------------------------


def quotient(x):
    return x // 0


def quotient_below_one(x):
    return x * x if x > 1 else float(1 // int(x * 0))


def quotient_at_two(x):
    return 2 * x if x > 2 else float(1 // int(x * 0))


RAISED = {
    "fun at x0": (quotient, 2.0, square_grad, "fun raised ZeroDivisionError: .* at x0. Choose another x0, or correct"),
    "grad at x0": (square, 2.0, quotient, "grad raised ZeroDivisionError: .* at x0. Choose another x0"),
    "fun later": (
        quotient_below_one,
        2.0,
        square_grad,
        r".* in iteration 4: fun( or grad)? raised ZeroDivisionError: ",
    ),
    "grad later": (square, 4.0, quotient_at_two, r".* iteration \d: (fun or )?grad raised ZeroDivisionError: "),
    "differences": (quotient_below_one, 2.0, None, r".* in iteration \d: fun raised ZeroDivisionError: "),
}
for function in (quotient, quotient_below_one, quotient_at_two):
    NJIT[function] = (Interpreted if JIT_OFF else numba.njit)(function)


@diverges
@pytest.mark.parametrize("functions", [{}, NJIT], ids=["python", "compiled"])
@pytest.mark.parametrize("case", RAISED)
def test_an_arithmetic_error_is_named(case, functions):
    fun, x0, grad, words = RAISED[case]
    for history in (True, False):
        o = fastgd.minimize(functions.get(fun, fun), x0, functions.get(grad, grad), learning_rate=0.1, history=history)
        assert o.status == "diverged"
        assert re.match(words, o.message), o.message
        assert "or correct the function" in o.message
        assert ("test_minimize.py, line" in o.message) or functions


def test_a_sweep_names_the_error_of_each_run():
    s = fastgd.minimize_sweep(raises_below_one, 2.0, square_grad, learning_rate=[1e-6, 0.1])
    assert [o.status for o in s.results] == ["max_iter", "diverged"]
    assert "raised" not in s.results[0].message
    assert ": fun raised ZeroDivisionError: division by zero (test_minimize.py, line " in s.results[1].message


@pytest.mark.parametrize("error", [ValueError, KeyError, FloatingPointError])
def test_other_errors_of_callbacks_and_functions_are_raised(error):
    def fails(*_):
        raise error("mine")

    with pytest.raises(error, match="mine"):
        fastgd.minimize(square, 2.0, square_grad, callback=fails)
    if error is not FloatingPointError:  # an arithmetic error
        with pytest.raises(error, match="mine"):
            fastgd.minimize(fails, 2.0, square_grad)
