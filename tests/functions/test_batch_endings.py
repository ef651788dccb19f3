"""How ``minimize`` over data ends, what it records and tells, and that a run goes on as if it had never stopped."""

import copy
import functools
import pickle
import re

import numba
import numpy as np
import pytest
from batch_models import (
    LINEAR,
    LINEAR_GRAD,
    QUADRATIC,
    QUADRATIC_GRAD,
    X0,
    D,
    N,
    X,
    Y,
    flat,
    linear,
    linear_grad,
    linear_thrice,
    quadratic,
    quadratic_grad,
    same,
    thrice,
)  # fmt: skip
from conftest import diverges

import fastgd
from fastgd import reference
from fastgd.functions import batch_run

RNG = np.random.default_rng(5)
HELD = RNG.standard_normal((20, D)), RNG.standard_normal(20)
GIVEN = {"data": (X, Y), "batch_size": 8, "random_state": 3, "epochs": 4, "learning_rate": 0.05}
run = functools.partial(fastgd.minimize, linear, X0, linear_grad)
fast = functools.partial(fastgd.minimize, LINEAR, X0, LINEAR_GRAD)


# Validation -----------------------------------------------------------------------------------------------------------


def test_the_parameters_of_the_lowest_validation_value_are_returned():
    seen = []
    o = linear_thrice(validation=HELD, patience=3, epochs=50, learning_rate=0.1)
    run(**{**GIVEN, "learning_rate": 0.1, "epochs": 50}, validation=HELD, patience=3,
        callback=lambda progress: seen.append((progress.validation_fun, progress.x)))  # fmt: skip
    held = [linear(x, *HELD) for _, x in seen]
    np.testing.assert_allclose(o.history.validation_fun, held, rtol=1e-12)
    np.testing.assert_allclose([value for value, _ in seen], held, rtol=1e-12)
    best = int(np.argmin(held))
    assert o.status == "early_stopped" and o.n_epochs == best + 1 + 3 < 50
    np.testing.assert_allclose(flat(o.x), flat(seen[best][1]), rtol=1e-12)
    assert o.fun == pytest.approx(linear(o.x, X, Y), rel=1e-12)
    assert "for 3 epochs" in o.message and f"x is that of epoch {best + 1}" in o.message


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_share_of_the_rows_is_held_out(share):
    trained, held = set(), set()

    def fun(x, rows):
        if len(rows) == int(share * N):  # all that are held out, at once
            held.update(rows.astype(int).tolist())
        return 0.5 * x * x

    def grad(x, rows):
        trained.update(rows.astype(int).tolist())
        return x

    rows = np.arange(float(N))
    options = {"batch_size": 2, "epochs": 2, "check_gradient": False, "learning_rate": 1e-3, "history": False}
    o = fastgd.minimize(fun, 1.0, grad, data=rows, validation=share, random_state=1, **options)
    assert len(held) == int(share * N) and trained == set(range(N)) - held
    assert o.nit == 2 * -(-len(trained) // 2)
    first, held = set(held), set()
    fastgd.minimize(fun, 1.0, grad, data=rows, validation=share, random_state=2, **options)
    assert held != first


def test_validation_is_that_of_fits():
    given = {"validation": HELD, "patience": 2, "epochs": 40, "batch_size": 8, "random_state": 3, "learning_rate": 0.1}
    o = linear_thrice(**given)
    r = fastgd.fit(X, Y, standardize=False, optimizer="sgd", **given)
    np.testing.assert_allclose(np.append(r.coef, r.intercept), flat(o.x), rtol=1e-10)
    np.testing.assert_allclose(o.history.validation_fun, r.history.validation_loss, rtol=1e-10)
    assert (o.n_epochs, o.status) == (r.n_epochs, r.status)
    linear_thrice(validation=0.3, learning_rate=0.05, epochs=6)


@pytest.mark.parametrize("validation", [(X[:0], Y[:0]), (X,), X, (X[:, :2], Y), (X, Y, Y), 1.5, 0.0, 1e-3, True,
                                        "a", (X, Y[:5]), (X, None), 3])  # fmt: skip
def test_validation_that_is_none(validation):
    with pytest.raises((ValueError, TypeError), match="validation"):
        run(**GIVEN, validation=validation)


def test_a_validation_value_that_is_not_finite_is_told():
    o = run(**{**GIVEN, "epochs": 20}, validation=(np.where(X > 1, np.nan, X), Y))
    assert (o.status, o.n_epochs) == ("early_stopped", 6) and "It is infinite or NaN" in o.message
    assert np.isfinite(o.fun) and np.isfinite(flat(o.x)).all()


# Ends -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [0, 1, 5, 7, 20, 99])
def test_exactly_so_many_steps(steps):
    o = linear_thrice(max_iter=steps, learning_rate=0.05)
    assert o.nit == min(steps, 20) and o.n_epochs == o.nit // 5 == o.history.fun.size
    assert o.status == ("max_epochs" if steps >= 20 else "max_iter")
    if steps == 0:
        np.testing.assert_array_equal(flat(o.x), flat(X0))


@pytest.mark.parametrize("epochs", [0, 1])
def test_few_epochs(epochs):
    o = linear_thrice(epochs=epochs, learning_rate=0.05)
    assert (o.nit, o.n_epochs, o.history.fun.shape) == (5 * epochs, epochs, (epochs,))
    assert o.fun == pytest.approx(linear(o.x, X, Y))


def test_tol_is_about_the_epochs_means():
    o = linear_thrice(tol=1e-3, patience=2, epochs=200, learning_rate=0.05, shuffle=False)
    values = o.history.fun
    assert o.status == "converged" and o.success and o.n_epochs < 200

    def over(k):
        return k > 2 and values[: k - 2].min() - values[k - 2 : k].min() <= 1e-3 * values[: k - 2].min()

    assert [over(k) for k in range(1, values.size + 1)] == [False] * (values.size - 1) + [True]
    assert "tol=0.001" in o.message


def test_a_gradient_of_zero_is_convergence():
    o = thrice(QUADRATIC, QUADRATIC_GRAD, np.zeros(D), X, epochs=400, learning_rate=0.5)
    assert o.status == "converged" and "zero to rounding" in o.message
    assert np.abs(o.jac).max() < 1e-8


def test_the_history_is_the_mean_before_each_step():
    values = []

    def fun(p, X, y):
        values.append(linear(p, X, y) * len(y))
        return values[-1] / len(y)

    o = fastgd.minimize(fun, X0, linear_grad, **GIVEN, check_gradient=False)
    np.testing.assert_allclose(o.history.fun, np.sum(np.reshape(values[:20], (4, 5)), axis=1) / N, rtol=1e-14)
    assert o.history.seconds.shape == (4,) and (np.diff(o.history.seconds) >= 0).all()
    assert np.isnan(o.history.validation_fun).all()


def test_values_are_not_asked_for_without_a_history():
    calls = []

    def fun(p, X, y):
        calls.append(len(y))
        return linear(p, X, y)

    o = fastgd.minimize(fun, X0, linear_grad, **GIVEN, history=False, check_gradient=False)
    assert sum(calls) == 2 * N  # the value at the end, and that at the start it is compared with
    assert np.isnan(o.history.fun).all()
    same(o, linear_thrice(history=False, learning_rate=0.05), rtol=1e-14)


# Callbacks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [run, pytest.param(fast, marks=pytest.mark.jit)])
def test_a_callback_is_asked_after_each_epoch(call):
    seen = []

    def callback(progress):
        seen.append(progress)
        progress.x["w"][:] = np.nan  # a copy
        return progress.epoch == 3

    o = call(**{**GIVEN, "epochs": 9}, callback=callback)
    assert o.status == "early_stopped" and "returned True after epoch 3" in o.message
    assert [(p.epoch, p.nit, p.run) for p in seen] == [(1, 5, 0), (2, 10, 0), (3, 15, 0)]
    np.testing.assert_array_equal([p.fun for p in seen], o.history.fun)
    np.testing.assert_array_equal([p.seconds for p in seen], o.history.seconds)
    np.testing.assert_allclose(flat(o.x), flat(call(**{**GIVEN, "epochs": 3}).x), rtol=0)


def test_what_callbacks_return_and_raise():
    with pytest.raises(TypeError, match=r"callback returned 1.*True"):
        run(**GIVEN, callback=lambda progress: 1)
    with pytest.raises(LookupError, match="mine"):
        run(**GIVEN, callback=raises(LookupError("mine")))
    assert run(**GIVEN, callback=raises(KeyboardInterrupt())).nit == 5
    with pytest.raises(TypeError, match="callback"):
        run(**GIVEN, callback=3)


def raises(error, after=0):
    """A function that raises an error after so many calls."""
    calls = []

    def function(*given):
        calls.append(1)
        if len(calls) > after:
            raise error

    return function


# Divergence -----------------------------------------------------------------------------------------------------------


@diverges
@pytest.mark.parametrize("rate", [5.0, 1e3, 1e200])
@pytest.mark.parametrize("history", [True, False])
def test_divergence_is_told(rate, history):
    o = linear_thrice(learning_rate=rate, epochs=300, history=history, rtol=1e-2 if rate == 5 else 1e-6)
    assert o.status == "diverged" and "Lower learning_rate" in o.message
    assert np.isfinite(flat(o.x)).all() and np.isfinite(o.fun)


@diverges
def test_a_rise_is_divergence():
    o = linear_thrice(learning_rate=3.0, epochs=1)
    assert o.status == "diverged" and "rose above its start" in o.message


@diverges
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", [0, 1])
def test_data_that_are_not_finite_are_named(which, bad):
    data = X.copy(), Y.copy()
    data[which][17] = bad
    for o in (
        linear_thrice(data=data, learning_rate=0.05),
        fastgd.minimize(linear, X0, linear_grad, **{**GIVEN, "data": data}, history=False),
    ):
        assert o.status == "diverged" and f"data[{which}] holds NaN or infinity, first in row 17" in o.message
        assert np.isfinite(flat(o.x)).all()


@diverges
@pytest.mark.parametrize("error", [ZeroDivisionError, OverflowError, FloatingPointError])
def test_arithmetic_errors_are_divergence(error):
    def fun(p, X, y):
        if abs(p["b"]) > 0.2:
            raise error("here")
        return linear(p, X, y)

    o = fastgd.minimize(fun, X0, linear_grad, **GIVEN)
    assert o.status == "diverged" and re.search(
        rf"step \d: fun or grad raised {error.__name__}: here \(test_batch_endings.py, line \d+\)", o.message
    )
    assert abs(o.x["b"]) <= 0.2 and np.isfinite(o.fun)


def climbing(x, rows):
    """A value that falls without end, and a gradient that is as large as may be."""
    return -1e-300 * x, -1e153


def raising(x, rows):
    if x > 5.0:
        raise ZeroDivisionError
    return -x, -1.0


CLIMBING, RAISING = numba.njit(climbing), numba.njit(raising)


@diverges
@pytest.mark.jit
@pytest.mark.parametrize(("fun", "rate", "nit"), [(CLIMBING, 1e153, 179), (RAISING, 0.01, 500)])
def test_where_a_run_diverges_is_no_matter_of_slices(fun, rate, nit, monkeypatch):
    call = functools.partial(fastgd.minimize, x0=1e-9, grad=True, data=np.zeros(1000), batch_size=1, epochs=1)
    call = functools.partial(call, learning_rate=rate, check_gradient=False)
    for size in (1, 10, 10**6):
        monkeypatch.setattr(batch_run, "FIRST_SLICE", size)
        for one in (fun, fun.py_func):
            o = call(one)
            assert (o.status, o.nit) == ("diverged", nit)
            assert ("x is the start" in o.message) == (o.x == 1e-9) == (fun is RAISING)
            assert ("x is the last finite point" in o.message) == (fun is CLIMBING)


def test_other_errors_are_raised():
    for error in (ValueError("mine"), LookupError("mine"), MemoryError("mine"), SystemExit("mine")):
        for function in (0, 1):
            given = [linear, linear_grad]
            given[function] = raises(error)
            with pytest.raises(type(error), match="mine"):
                fastgd.minimize(given[0], X0, given[1], **GIVEN)


# Results --------------------------------------------------------------------------------------------------------------


def test_results_are_saved_copied_and_shown(tmp_path):
    o = run(**GIVEN, validation=HELD)
    o.save(tmp_path / "run.npz")
    for twin in (fastgd.load(tmp_path / "run.npz"), pickle.loads(pickle.dumps(o)), copy.deepcopy(o), copy.copy(o)):
        same(twin, o)
        assert (twin.message, list(twin.x), type(twin.x["b"])) == (o.message, ["w", "b"], float)
    assert repr(o).startswith(f"MinimizeResult: {o.status} after 20 iterations")
    pytest.importorskip("matplotlib")
    ax = o.plot()
    assert [line.get_label() for line in ax.lines] == ["training", "validation"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "fun")


def test_progress_is_shown(capsys):
    pytest.importorskip("tqdm")
    run(**GIVEN, verbose=1)
    assert "4/4" in capsys.readouterr().err


def test_slices_of_any_length_have_the_same_numbers(monkeypatch):
    whole = fast(**GIVEN, optimizer="adam")
    for seconds in (0.0, 1e-6, 1e9):
        monkeypatch.setattr(batch_run, "SLICE_SECONDS", seconds)
        same(fast(**GIVEN, optimizer="adam"), whole)


def test_a_callback_does_not_cut_slices_shorter_than_epochs(monkeypatch):
    slices, one = [], batch_run.BatchRun._slice
    monkeypatch.setattr(batch_run.BatchRun, "_slice", lambda run: slices.append(one(run)) or slices[-1])
    monkeypatch.setattr(batch_run, "SLICE_SECONDS", 1e9)
    run(**{**GIVEN, "batch_size": 1, "epochs": 3}, callback=lambda progress: None)
    assert slices == [1, 4, 16, N - 21, N, N]


def test_the_reference_has_no_callbacks():
    for name in ("callback", "resume", "verbose", "compile"):
        with pytest.raises(TypeError, match=f"minimize.* {name!r}"):
            reference.minimize(linear, X0, linear_grad, **GIVEN, **{name: None})


def test_a_value_that_grows_on_the_way_is_no_divergence_where_it_ends_low():
    o = fastgd.minimize(quadratic, np.full(D, 5.0), quadratic_grad, data=X, batch_size=1, learning_rate=0.5)
    assert o.status == "max_epochs" and o.fun < quadratic(np.full(D, 5.0), X)
