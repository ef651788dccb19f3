"""``minimize_sweep`` and what it returns."""

import _thread
import threading

import numba
import numpy as np
import pytest
from conftest import JIT_OFF, diverges, slow_to_compile

import fastgd
from fastgd.parts.optimizers import Adam, Momentum, Sgd
from fastgd.parts.schedules import InverseScaling


def square(x):
    return x**2


def square_grad(x):
    return 2 * x


def bowl(x):
    return x[0] ** 2 + 2.0 * x[1] ** 2


def bowl_grad(x):
    return np.array([2.0 * x[0], 4.0 * x[1]])


NJIT = {function: numba.njit(function) for function in (square, square_grad, bowl, bowl_grad)}


@pytest.fixture(params=["python", pytest.param("njit", marks=pytest.mark.skipif(JIT_OFF, reason="needs Numba"))])
def mode(request):
    """Turns a plain function into the one to test."""
    return (lambda function: function) if request.param == "python" else NJIT.get


RATES = [0.01, 0.1, 0.5, 0.9, 1.1]


def test_five_rates_of_the_textbook(mode):
    s = fastgd.minimize_sweep(mode(square), 10.0, mode(square_grad), learning_rate=RATES, max_iter=20)
    assert s.status == ["max_iter", "max_iter", "converged", "max_iter", "diverged"]
    np.testing.assert_allclose([run.x for run in s.results], 10 * (1 - 2 * np.array(RATES)) ** 20, rtol=1e-12)
    table = s.table()
    assert list(table) == ["learning_rate", "fun", "x", "nit", "status"]
    assert table["learning_rate"] == RATES
    assert table["nit"] == [20] * 5
    assert s.best is s.results[2]


@diverges
@slow_to_compile
@pytest.mark.parametrize("history", [True, False])
def test_each_run_is_the_run_alone(mode, history):
    rates = [1e-3, InverseScaling(0.3, 0.5), 0.1, 3.0, 0.2]
    optimizers = ["sgd", Momentum(0.5), Momentum(0.9), Sgd(0.5)]
    options = {"max_iter": 1500, "tol": 1e-6, "history": history}
    options |= {"learning_rate": rates, "optimizer": optimizers}
    s = fastgd.minimize_sweep(mode(bowl), [10.0, -4.0], mode(bowl_grad), **options)
    assert len(s.results) == 20
    for rate, optimizer, run in zip(s.settings["learning_rate"], s.settings["optimizer"], s.results, strict=True):
        options |= {"learning_rate": rate, "optimizer": optimizer}
        alone = fastgd.minimize(mode(bowl), [10.0, -4.0], mode(bowl_grad), **options)
        np.testing.assert_array_equal(run.x, alone.x)
        assert (run.fun, run.nit, run.message) == (alone.fun, alone.nit, alone.message)
        if history:
            np.testing.assert_array_equal(run.history.x, alone.history.x)
            np.testing.assert_array_equal(run.history.fun, alone.history.fun)
    assert "x" not in s.table()
    assert {"converged", "diverged", "max_iter"} == set(s.status)


def test_pairs_and_fields():
    s = fastgd.minimize_sweep(
        square, 10.0, square_grad, learning_rate=[0.1, 0.2], optimizer=Momentum([0.0, 0.5]), product=False, max_iter=5
    )
    assert s.table()["optimizer.beta"] == [0.0, 0.5]
    assert [run.x for run in s.results] == [
        fastgd.minimize(square, 10.0, square_grad, optimizer=Momentum(beta), learning_rate=rate, max_iter=5).x
        for rate, beta in ((0.1, 0.0), (0.2, 0.5))
    ]


def test_one_setting_is_a_sweep_of_one():
    s = fastgd.minimize_sweep(square, 10.0, square_grad, max_iter=5)
    assert len(s.results) == 1
    assert list(s.table()) == ["fun", "x", "nit", "status"]


@diverges
def test_best_is_the_smallest_finite():
    with pytest.raises(ValueError, match="No run has a finite loss"):
        _ = fastgd.minimize_sweep(lambda x: np.nan, 1.0, square_grad, learning_rate=[0.1, 0.2]).best
    assert (
        fastgd.minimize_sweep(square, 10.0, square_grad, learning_rate=[3.0, 0.1, 5.0], max_iter=4000).best.fun < 1e-9
    )


def test_ctrl_c_ends_all_runs_in_python():
    calls = []

    def interrupted(x):
        calls.append(x)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return x**2

    options = {"max_iter": 5, "check_gradient": False}
    s = fastgd.minimize_sweep(interrupted, 10.0, square_grad, learning_rate=[0.1, 0.2, 0.3], **options)
    assert s.status == ["max_iter", "interrupted", "interrupted"]
    assert [run.nit for run in s.results] == [5, 1, 0]
    assert len(calls) == 8
    assert "before this run began" in s.results[2].message


@pytest.mark.skipif(JIT_OFF, reason="needs Numba")
def test_ctrl_c_ends_all_runs_in_compiled_code():
    fun, grad = NJIT[bowl], NJIT[bowl_grad]
    fastgd.minimize(fun, [1.0, 1.0], grad, max_iter=2, history=False)
    timer = threading.Timer(0.05, _thread.interrupt_main)
    timer.start()
    s = fastgd.minimize_sweep(
        fun,
        [1.0, 1.0],
        grad,
        learning_rate=[1e-12, 1e-13, 10.0],
        optimizer=["sgd", Adam()],
        history=False,
        max_iter=10**9,
    )
    timer.join()
    assert s.status[::2] == ["interrupted", "interrupted", "diverged"]
    assert s.status[1::2] == ["interrupted"] * 3
    assert s.results[0].nit == s.results[2].nit > 0
    assert s.results[1].nit == 0


def test_a_callback_is_told_the_run_and_ends_it(mode):
    seen = set()

    def callback(progress):
        seen.add(progress.run)
        return progress.run == 1

    s = fastgd.minimize_sweep(
        mode(square), 10.0, mode(square_grad), learning_rate=[1e-3, 1e-4], max_iter=3000, callback=callback
    )
    assert seen == {0, 1}
    assert s.status == ["max_iter", "early_stopped"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"learning_rate": [0.1, -1.0]}, ValueError, "learning_rate"),
        ({"learning_rate": []}, ValueError, "learning_rate is an empty list"),
        ({"learning_rate": [[0.1]]}, TypeError, "learning_rate"),
        ({"optimizer": ["sgd", "adm"]}, ValueError, "Did you mean 'adam'"),
        ({"optimizer": Momentum([0.5, 2.0])}, ValueError, r"optimizer.beta=2(.0)? must be"),
        ({"max_iter": [1, 2]}, TypeError, "max_iter"),
        ({"tol": [1e-3]}, TypeError, "tol"),
        ({"product": 1}, TypeError, "product=1 must be True or False"),
    ],
)
def test_bad_arguments_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        fastgd.minimize_sweep(square, 10.0, **arguments)


def test_plots_and_repr():
    matplotlib = pytest.importorskip("matplotlib")
    s = fastgd.minimize_sweep(square, 10.0, square_grad, learning_rate=RATES, max_iter=20)
    title, best = repr(s).splitlines()
    assert title == "SweepResult: 5 runs over learning_rate (3 max_iter, 1 converged, 1 diverged)"
    assert best.startswith("  best: learning_rate=0.5: fun 0")
    ax = s.plot()[1]
    assert [line.get_label() for line in ax.lines] == [f"learning_rate={rate:g}" for rate in RATES]
    assert all(line.get_ydata().size == 21 for line in ax.lines)
    ax = fastgd.minimize_sweep(square, 10.0, square_grad, learning_rate=[1e-3, 1e-2, 0.1], history=False).plot()
    assert ax.get_xlabel() == "learning_rate"
    assert ax.get_xscale() == ax.get_yscale() == "log"
    ax = fastgd.minimize_sweep(square, 10.0, square_grad, optimizer=["sgd", "adam"], history=False).plot()
    assert ax.get_xlabel() == "optimizer"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["sgd", "adam"]
    matplotlib.pyplot.close("all")
