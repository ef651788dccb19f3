"""The kernels compute what the plain NumPy reference computes, at every setting."""

import inspect

import numpy as np
import pytest
from conftest import ALPHA, ELEMENTWISE, JIT_OFF, PROBLEMS, diverges, plan_of, slow_to_compile
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd
from fastgd import losses, optimizers, reference, schedules
from fastgd.parts.registry import snake_case
from fastgd.solvers.passes import Passes
from fastgd.solvers.textbook import TextbookPasses

LOSSES, OPTIMIZERS = ([snake_case(name) for name in names] for names in (ELEMENTWISE, optimizers.__all__))
BATCHES = [1, 16, None]
BOTH = {"alpha": 0.1, "l1_ratio": 0.4, "bounds": (-0.5, [0.3, 1.0, np.inf])}


def agree(X, y, rtol=1e-10, **options):
    """Both fits, compared in every number they give."""
    ours, expected = fastgd.fit(X, y, **options), reference.fit(X, y, **options)
    assert (ours.status, ours.n_epochs, ours.n_steps) == (expected.status, expected.n_epochs, expected.n_steps)
    size = 1 + np.abs(expected.coef).max() + abs(expected.intercept)
    np.testing.assert_allclose(ours.coef, expected.coef, rtol=rtol, atol=rtol * size)
    np.testing.assert_allclose(ours.intercept, expected.intercept, rtol=rtol, atol=rtol * size)
    np.testing.assert_allclose(ours.loss, expected.loss, rtol=10 * rtol, atol=10 * rtol)
    for name in ("loss", "objective", "learning_rate", "gradient_norm"):
        a, b = getattr(ours.history, name), getattr(expected.history, name)
        np.testing.assert_allclose(a, b, rtol=10 * rtol, atol=10 * rtol, err_msg=name)
    return ours, expected


def base(batch, **changes):
    """The base case; each test changes a few of its settings."""
    default = {"learning_rate": 0.02, "batch_size": batch, "epochs": 3, "random_state": 5, "evaluate": True}
    return {**default, **changes}


# To compile less: single rows of most losses are compared with scikit-learn's in test_losses.py, and a batch runs the
# code of the full batch. Where nothing is compiled, all are compared.
FEW = ["squared_error", "log_loss", "quantile", "tweedie"]


@diverges
@pytest.mark.parametrize(
    "loss, batch", [(loss, batch) for loss in LOSSES for batch in BATCHES if JIT_OFF or batch is None or loss in FEW]
)
def test_every_loss(plain, loss, batch):
    y = plain.target(getattr(losses, ELEMENTWISE[LOSSES.index(loss)]))
    agree(plain.X, y, **base(batch, loss=loss, alpha=ALPHA[batch]))


@slow_to_compile
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("penalty", [{}, BOTH], ids=["free", "penalised"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_and_without_penalty(plain, optimizer, penalty, batch):
    if optimizer not in ("sgd", "adam", "momentum") and bool(penalty) != bool(ALPHA[batch]) and not JIT_OFF:
        pytest.skip("to compile less: single rows have no penalty, batches have one")
    agree(plain.X, plain.y, **base(batch, optimizer=optimizer, learning_rate=0.003, **penalty))


@pytest.mark.parametrize("name", schedules.__all__)
def test_every_schedule(plain, name):
    schedule = schedules.Optimal(1e4) if name == "Optimal" else getattr(schedules, name)()  # a first rate of 0.1
    agree(plain.X, plain.y, **base(16, learning_rate=schedule))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem(name, batch):
    X, y, weight = PROBLEMS[name]._replace(y=PROBLEMS[name].target(losses.Mse()))
    rtol = 1e-10 if X.dtype == np.float64 else 1e-4
    agree(X, y, rtol, **base(batch, sample_weight=weight, standardize=True))


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 32, None])
def test_many_chunks_blocks_and_windows(batch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9001, 37))
    agree(X, X @ rng.standard_normal(37) + 1, **base(batch, learning_rate=1e-3, shuffle="block"))


compiled_anew = {
    "loss": st.sampled_from(LOSSES if JIT_OFF else ["squared_error"]),
    "optimizer": st.sampled_from(OPTIMIZERS if JIT_OFF else ["adam", "momentum"]),
}
at_run_time = {
    "batch_size": st.sampled_from([1, 2, 16, 79, 80, 1000, None]),
    "learning_rate": st.sampled_from([1e-3, schedules.InverseScaling(3e-3, 0.3)]),
    "shuffle": st.sampled_from(["block", "full", "replacement", False]),
    "fit_intercept": st.booleans(),
    "standardize": st.booleans(),
    "epochs": st.integers(0, 4),
    "max_steps": st.none() | st.integers(0, 200),
    "random_state": st.integers(0, 2**62),
    "sample_weight": st.none() | st.integers(0, 99).map(lambda k: np.random.default_rng(k).integers(0, 3, 80)),
    "alpha": st.sampled_from([1e-3, 0.3]),
    "l1_ratio": st.floats(0, 1),
    "bounds": st.sampled_from([None, (0.0, 0.2), (None, [0.1, 0.2, 0.3])]),
    "evaluate": st.booleans(),
}


@slow_to_compile
@settings(max_examples=120)
@given(options=st.fixed_dictionaries(compiled_anew | at_run_time))
def test_any_mix_of_settings(options):
    loss = ELEMENTWISE[LOSSES.index(options["loss"])]
    problem = PROBLEMS["plain"]
    agree(problem.X, problem.target(getattr(losses, loss)), **options)


@pytest.mark.parametrize("scaled", [True, False])
def test_what_auto_measures(problem, scaled):
    data = plan_of(problem.X, problem.target(losses.Mse()), sample_weight=problem.weight, standardize=scaled).data
    ours, expected = Passes(data, 1), TextbookPasses(data, 1)
    rtol = 1e-9 if problem.X.dtype == np.float64 else 1e-5
    for a, b in zip(ours.moments(), expected.moments(), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-20)
    np.testing.assert_allclose(ours.largest_row(), expected.largest_row(), rtol=rtol)
    # Power iteration from below, then 5 % added.
    assert 0.9 * expected.curvature() <= ours.curvature() <= 1.0001 * expected.curvature()


@pytest.mark.parametrize("batch", [None, *(pytest.param(batch, marks=pytest.mark.jit) for batch in (1, 16))])
def test_the_automatic_fit_lands_in_the_same_place(plain, batch):
    ours, expected = (fit(plain.X, plain.y, batch_size=batch, random_state=0) for fit in (fastgd.fit, reference.fit))
    assert ours.loss == pytest.approx(expected.loss, rel=1e-2)
    assert ours.choices.keys() == expected.choices.keys()


@diverges
def test_the_reference_ends_as_the_fit_does(plain):
    def interrupt(progress):
        raise KeyboardInterrupt

    for options, status in (
        ({"learning_rate": 1e3, "epochs": 500}, "diverged"),
        ({"learning_rate": 1e3, "epochs": 500, "batch_size": 1}, "diverged"),
        ({"learning_rate": 0.1, "callback": lambda progress: progress.epoch == 3}, "early_stopped"),
        ({"learning_rate": 0.1, "callback": interrupt}, "interrupted"),
        ({"learning_rate": 0.2, "tol": 1e-3, "batch_size": 16, "random_state": 0, "epochs": 200}, "converged"),
    ):
        ours, expected = fastgd.fit(plain.X, plain.y, **options), reference.fit(plain.X, plain.y, **options)
        assert ours.status == expected.status == status
        assert np.isfinite(expected.coef).all()
        if status != "diverged":
            np.testing.assert_allclose(ours.coef, expected.coef, rtol=1e-10)


def test_the_same_signature():
    assert inspect.signature(reference.fit) == inspect.signature(fastgd.fit)


FUNCTIONS = {
    "number": (lambda x: (x - 3) ** 2 + 1, lambda x: 2 * (x - 3), 10.0),
    "bowl": (lambda x: x @ x + x[0] * x[1], lambda x: 2 * x + x[::-1], [1.0, -2.0]),
    "quartic": (lambda x: np.sum(x**4) / 100, lambda x: 4 * x**3 / 100, [1.0, 2.0, 0.5]),
}


@diverges
@pytest.mark.parametrize("tol", [None, 1e-2])
@pytest.mark.parametrize("given_grad", [True, False])
@pytest.mark.parametrize("rate", [0.05, schedules.InverseScaling(0.3, 0.4), 1e3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_minimize_agrees_too(name, optimizer, rate, given_grad, tol):
    fun, grad, x0 = FUNCTIONS[name]
    options = {"grad": grad if given_grad else None, "optimizer": optimizer, "learning_rate": rate, "tol": tol}
    ours, expected = (minimize(fun, x0, **options) for minimize in (fastgd.minimize, reference.minimize))
    assert (ours.status, ours.nit, ours.success) == (expected.status, expected.nit, expected.success)
    assert type(ours.x) is type(expected.x)
    rtol = 1e-12 if given_grad else 1e-6
    np.testing.assert_allclose(ours.history.x, expected.history.x, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(ours.history.fun, expected.history.fun, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(ours.jac, expected.jac, rtol=rtol, atol=rtol)
