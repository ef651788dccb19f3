"""Runs of ``minimize`` over data that are stopped, by Ctrl-C or a limit, go on as if they never had been."""

import copy
import functools
import pickle

import numpy as np
import pytest
from batch_models import LINEAR, LINEAR_GRAD, X0, D, N, X, Y, flat, linear, linear_grad, same

import fastgd
from fastgd import optimizers, schedules

RNG = np.random.default_rng(5)
HELD = RNG.standard_normal((20, D)), RNG.standard_normal(20)
GIVEN = {"data": (X, Y), "batch_size": 8, "random_state": 3, "epochs": 4, "learning_rate": 0.05}
run = functools.partial(fastgd.minimize, linear, X0, linear_grad)
fast = functools.partial(fastgd.minimize, LINEAR, X0, LINEAR_GRAD)


def interrupts_at(k, error=KeyboardInterrupt):
    """The linear model, whose gradient is interrupted at call k."""
    calls = []

    def grad(p, X, y):
        calls.append(1)
        if len(calls) == k:
            raise error
        return linear_grad(p, X, y)

    return grad


@pytest.mark.parametrize("k", [1, 2, 7, 11, 20])
def test_ctrl_c_ends_at_a_step_from_which_a_run_goes_on(k):
    o = fastgd.minimize(linear, X0, interrupts_at(k), **GIVEN, check_gradient=False)
    assert o.status == "interrupted" and o.nit <= k - 1 and "Ctrl-C" in o.message
    assert np.isfinite(flat(o.x)).all() and np.isfinite(o.fun)
    same(run(**GIVEN, resume=o), run(**GIVEN))


@pytest.mark.parametrize("k", range(1, 21))  # 3 epochs of 5 batches and one look, and two at the end
def test_ctrl_c_at_any_call_leads_to_a_run_that_goes_on(k):
    """Also while rows are looked at after an epoch, or at the end: epochs are recorded whole or not at all."""
    calls = []

    def fun(p, X, y):
        calls.append(1)
        if len(calls) == k:
            raise KeyboardInterrupt
        return linear(p, X, y)

    given = {**GIVEN, "validation": (X[:5], Y[:5]), "epochs": 3, "check_gradient": False}
    o = fastgd.minimize(fun, X0, linear_grad, **given)
    assert o.status == "interrupted" and o.n_epochs == len(o.history.fun) == o.state.epoch
    whole = fastgd.minimize(linear, X0, linear_grad, **given)
    same(fastgd.minimize(linear, X0, linear_grad, **given, resume=o), whole)


KINDS = {
    "momentum": {"optimizer": "momentum"},
    "adam": {"optimizer": "adam", "shuffle": "full"},
    "averages": {"average": 3, "shuffle": False},
    "validation": {"validation": 0.2, "patience": 50},
    "plateau": {"learning_rate": schedules.Plateau(0.3, patience=0.0, threshold=0.3)},
    "one cycle": {"learning_rate": schedules.OneCycle(0.1)},
    "replacement": {"shuffle": "replacement", "alpha": 0.1},
    "bounds": {"bounds": (-0.6, 0.8), "alpha": 0.1, "l1_ratio": 0.5, "optimizer": optimizers.Rmsprop(momentum=0.5)},
    "full": {"batch_size": None, "clip_norm": 0.5},
}


@pytest.mark.parametrize("call", [run, pytest.param(fast, marks=pytest.mark.jit)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_with_the_same_bits(call, kind, tmp_path):
    given = {**GIVEN, **KINDS[kind]}
    whole = call(**given)
    part = call(**given, callback=lambda progress: progress.epoch == 2)
    part.save(tmp_path / "run.npz")
    ends = [part, part.state, fastgd.load(tmp_path / "run.npz"), pickle.loads(pickle.dumps(part)), copy.deepcopy(part)]
    if kind != "one cycle":  # whose rates go by the length of the run
        inside = call(**given, max_iter=3)
        inside.save(tmp_path / "inside.npz")
        ends += [inside, call(**given, max_iter=13, resume=fastgd.load(tmp_path / "inside.npz"))]
        assert inside.nit == 3
    for end in ends:
        before = copy.deepcopy(getattr(end, "state", end))
        same(call(**given, resume=end), whole)
        for name, value in vars(getattr(end, "state", end)).items():
            np.testing.assert_array_equal(value, getattr(before, name))


def test_a_run_that_is_done_goes_on_with_more_epochs():
    o = run(**{**GIVEN, "epochs": 2})
    same(run(**{**GIVEN, "epochs": 2}, resume=o), o)
    same(run(**GIVEN, resume=o), run(**GIVEN))


@pytest.mark.parametrize("ends", [{"tol": 1e-2}, {"validation": HELD}])
def test_a_run_that_has_ended_by_itself_does_not_go_on(ends):
    given = {**GIVEN, "epochs": 400, "patience": 2, **ends}
    o = run(**given)
    assert o.status in ("converged", "early_stopped") and o.n_epochs < 400
    same(run(**given, resume=o), o)
    same(run(**given, resume=run(**given, max_iter=o.nit)), o)
    assert run(**{**given, "patience": 4}, resume=o).n_epochs > o.n_epochs


def test_plain_and_compiled_functions_go_on_with_each_others_runs():
    part = run(**GIVEN, max_iter=7)
    same(fast(**GIVEN, resume=part), run(**GIVEN), rtol=1e-12)


CHANGED = {
    "x0": {"x0": {"w": np.zeros(D - 1), "b": 0.0}, "data": (X[:, 1:], Y)},
    "data": {"data": (X[1:], Y[1:])},
    "optimizer": {"optimizer": "adam"},
    "learning_rate": {"learning_rate": 0.06},
    "batch_size": {"batch_size": 9},
    "shuffle": {"shuffle": "full"},
    "random_state": {"random_state": 4},
    "alpha": {"alpha": 0.2},
    "l1_ratio": {"l1_ratio": 0.1},
    "average": {"average": True},
    "validation": {"validation": HELD},
    "clip_norm": {"clip_norm": 1.0},
    "bounds": {"bounds": (0.0, 1.0)},
    "penalty_factor": {"penalty_factor": 2.0},
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_run_goes_on_with_the_same_settings_only(name):
    given = {**GIVEN, "alpha": 0.1}
    part = run(**given, max_iter=7)
    given |= CHANGED[name]
    x0 = given.pop("x0", X0)
    with pytest.raises(ValueError, match=rf"resume: the run had {name}: .*this call has.*Pass the same"):
        fastgd.minimize(linear, x0, linear_grad, **given, resume=part)


def test_a_run_goes_on_with_its_own_seed():
    given = {**GIVEN, "random_state": None}
    part = run(**given, max_iter=7)
    same(run(**given, resume=part), run(**{**given, "random_state": int(part.state.settings["random_state"])}))


CONTRADICTIONS = {
    "weights": np.zeros(3),
    "slots": np.zeros((1, 2, D + 2)),
    "averages": np.zeros(D + 2),
    "best": np.zeros(D),
    "start": np.zeros(D + 2, np.float32),
    "records": np.zeros((2, 3)),
    "sums": [0.0],
    "position": N,
    "steps": -1,
    "plateau": [],
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_state_that_contradicts_itself_is_told(name):
    state = run(**GIVEN, max_iter=7).state
    setattr(state, name, CONTRADICTIONS[name])
    with pytest.raises(ValueError, match=r"^resume: its "):
        run(**GIVEN, resume=state)


def test_what_resume_does_not_take():
    for other in (3, X0, fastgd.minimize(lambda x: x * x, 1.0), fastgd.fit(X, Y)):
        with pytest.raises(TypeError, match="resume="):
            run(**GIVEN, resume=other)
    with pytest.raises(OSError, match="no_run"):
        run(**GIVEN, resume="no_run.npz")
    with pytest.raises(ValueError, match="resume is for functions of data"):
        fastgd.minimize(lambda x: x * x, 1.0, resume=run(**GIVEN))
    with pytest.raises(ValueError, match=r"save\(\) is for minimisations over data"):
        fastgd.minimize(lambda x: x * x, 1.0).save("run")
