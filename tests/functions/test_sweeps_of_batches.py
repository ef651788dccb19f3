"""``minimize_sweep`` over data: each run is that of minimize alone, whatever runs beside it."""

import _thread
import os
import pickle
import subprocess
import sys

import hangs
import numpy as np
import pytest
from batch_models import LINEAR, LINEAR_GRAD, X0, X, Y, flat, linear, linear_grad, same
from conftest import JIT_OFF

import fastgd
from fastgd import optimizers
from fastgd.functions import batch_minimize
from fastgd.functions.batch_run import BatchRun

GIVEN = {"data": (X, Y), "batch_size": 8, "epochs": 4}
RNG = np.random.default_rng(8)
HELD = RNG.standard_normal((20, 3)), RNG.standard_normal(20)


@pytest.fixture(params=["plain", pytest.param("compiled", marks=pytest.mark.jit)])
def model(request):
    """The functions of the linear model."""
    return (linear, linear_grad) if request.param == "plain" else (LINEAR, LINEAR_GRAD)


def sweep(model, **options):
    return fastgd.minimize_sweep(model[0], X0, model[1], **{**GIVEN, "random_state": 3, **options})


def alone(model, **options):
    return fastgd.minimize(model[0], X0, model[1], **{**GIVEN, "random_state": 3, **options})


AXES = {
    "learning_rate": [0.02, 0.1],
    "optimizer": ["sgd", optimizers.Momentum(0.8), "adam"],
    "alpha": [0.0, 0.3],
    "random_state": [3, 4],
}


@pytest.mark.parametrize("threads", [1, 3])
def test_each_run_is_that_of_minimize(model, threads, monkeypatch):
    monkeypatch.setattr(batch_minimize, "available_threads", lambda: threads)
    s = sweep(model, **AXES, l1_ratio=0.5, average=4)
    assert len(s.results) == 24 and list(s.settings) == ["alpha", "random_state", "learning_rate", "optimizer"]
    for k, o in enumerate(s.results):
        setting = {name: values[k] for name, values in s.settings.items()}
        same(o, alone(model, **setting, l1_ratio=0.5, average=4))
    assert s.best_index == int(np.argmin([o.fun for o in s.results]))
    assert s.status == ["max_epochs"] * 24


def test_validation_chooses_the_best_run(model):
    s = sweep(model, learning_rate=[1e-4, 0.05, 0.3], validation=HELD, patience=2, epochs=30)
    lowest = [o.history.validation_fun.min() for o in s.results]
    np.testing.assert_array_equal(s.losses, lowest)
    assert s.best is s.results[int(np.argmin(lowest))]
    assert s.best_index != int(np.argmin([o.fun for o in s.results]))
    for rate, o in zip((1e-4, 0.05, 0.3), s.results, strict=True):
        same(o, alone(model, learning_rate=rate, validation=HELD, patience=2, epochs=30))


def test_a_share_held_out_is_that_of_the_first_seed(model):
    s = sweep(model, random_state=[3, 4], validation=0.3)
    same(s.results[0], alone(model, random_state=3, validation=0.3))
    assert not np.array_equal(flat(s.results[0].x), flat(s.results[1].x))


def test_runs_without_a_seed_share_the_order(model):
    s = sweep(model, random_state=None, learning_rate=[0.05, 0.05])
    same(*s.results)


def test_a_run_that_diverged_is_one_of_the_sweep(model):
    s = sweep(model, learning_rate=[0.05, 1e200, 5.0], epochs=40)
    assert s.status == ["max_epochs", "diverged", "diverged"] and s.best_index == 0
    assert all(np.isfinite(flat(o.x)).all() and np.isfinite(o.fun) for o in s.results)


def test_pairs_fields_and_a_sweep_of_one(model):
    s = sweep(model, learning_rate=[0.05, 0.1], optimizer=optimizers.Momentum([0.0, 0.5]), product=False)
    assert s.table()["optimizer.beta"] == [0.0, 0.5]
    same(s.results[1], alone(model, learning_rate=0.1, optimizer=optimizers.Momentum(0.5)))
    s = sweep(model)
    assert len(s.results) == 1 and "x" not in s.table() and list(s.table()) == ["fun", "nit", "status"]
    s = pickle.loads(pickle.dumps(sweep(model, learning_rate=[0.05, 0.1])))
    same(s.results[1], alone(model, learning_rate=0.1))


def test_a_callback_is_told_the_run_and_ends_it(model):
    seen = []

    def callback(progress):
        seen.append((progress.run, progress.epoch))
        return progress.run == 1 and progress.epoch == 2

    s = sweep(model, learning_rate=[0.02, 0.05, 0.1], callback=callback)
    assert [o.n_epochs for o in s.results] == [4, 2, 4]
    assert s.status == ["max_epochs", "early_stopped", "max_epochs"]
    assert sorted(seen) == [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (2, 4)]


def test_an_error_of_a_run_is_that_of_the_sweep():
    def fun(p, X, y):
        if p["b"] > 0.3:
            raise LookupError("mine")
        return linear(p, X, y)

    with pytest.raises(LookupError, match="mine"):
        sweep((fun, linear_grad), learning_rate=[1e-9, 0.1, 1e-9])


def test_ctrl_c_ends_all_runs_in_python():
    calls = []

    def grad(p, X, y):
        calls.append(1)
        if len(calls) == 25:
            raise KeyboardInterrupt
        return linear_grad(p, X, y)

    s = sweep((linear, grad), learning_rate=[0.02, 0.05, 0.1], check_gradient=False, epochs=400)
    assert "interrupted" in s.status and set(s.status) <= {"interrupted", "max_epochs"}
    assert all(np.isfinite(flat(o.x)).all() for o in s.results)
    for rate, o in zip((0.02, 0.05, 0.1), s.results, strict=True):  # each goes on as if it had not stopped
        options = {"learning_rate": rate, "epochs": 20 + o.n_epochs}
        same(alone((linear, linear_grad), **options, resume=o), alone((linear, linear_grad), **options))


@pytest.mark.skipif(JIT_OFF, reason="needs compiled functions")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_all_runs_in_compiled_code(threads, monkeypatch):
    monkeypatch.setattr(batch_minimize, "available_threads", lambda: threads)
    slices, one = [], BatchRun._slice

    def interrupted(run):
        slices.append(run.number)
        if len(slices) == 10:
            _thread.interrupt_main()
        return one(run)

    monkeypatch.setattr(BatchRun, "_slice", interrupted)
    s = sweep((LINEAR, LINEAR_GRAD), learning_rate=[1e-9, 2e-9, 3e-9], epochs=10**9)
    assert s.status == ["interrupted"] * 3
    assert all(np.isfinite(o.fun) for o in s.results) and s.results[0].nit > 0
    assert all("Pass this result as resume to go on" in o.message for o in s.results)


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.jit
def test_functions_that_are_parallel_themselves_do_not_end_the_process():
    code = """
import numba, numpy as np, fastgd
from fastgd.functions import batch_minimize
batch_minimize.available_threads = lambda: 3

@numba.njit(parallel=True)
def fun(x, y):
    total = 0.0
    for i in numba.prange(y.size):
        total += (x - y[i]) ** 2
    return total / y.size

@numba.njit
def grad(x, y):
    return 2 * (x - y.mean())

s = fastgd.minimize_sweep(fun, 0.0, grad, data=np.arange(40.0), batch_size=8, learning_rate=[0.01, 0.02, 0.03, 0.04])
print(s.status, numba.threading_layer())
"""
    environment = {**os.environ, "NUMBA_THREADING_LAYER": "workqueue"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    out, err = hangs.said_by(process)
    assert process.returncode == 0, err
    assert out.split() == ["['max_epochs',", "'max_epochs',", "'max_epochs',", "'max_epochs']", "workqueue"]


def test_errors():
    for name, value, error in (
        ("learning_rate", [], "learning_rate"),
        ("learning_rate", [0.1, -1.0], "learning_rate"),
        ("learning_rate", [0.1, "x"], "learning_rate"),
        ("optimizer", ["sgd", "none"], "optimizer"),
        ("alpha", [0.1, -1], "alpha"),
        ("random_state", [1, -1], "random_state"),
        ("batch_size", [8, 16], "batch_size"),
        ("epochs", [1, 2], "epochs"),
        ("shuffle", ["block", "full"], "shuffle"),
        ("l1_ratio", [0.0, 1.0], "l1_ratio"),
        ("clip_norm", [1.0, 2.0], "clip_norm"),
        ("average", [True, False], "average"),
        ("patience", [1, 2], "patience"),
        ("product", 1, "product"),
    ):
        with pytest.raises((ValueError, TypeError), match=error):
            sweep((linear, linear_grad), **{name: value})
    with pytest.raises(TypeError, match="resume"):
        sweep((linear, linear_grad), resume=alone((linear, linear_grad)))
