"""The tolerance never calls a run converged that is far from the optimum: any data, loss, optimizer and rate."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from conftest import ELEMENTWISE, PROBLEMS
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import fastgd
from fastgd import losses, optimizers
from fastgd.parts.registry import snake_case

SMOOTH = [snake_case(name) for name in ELEMENTWISE if getattr(losses, name).smooth and name != "Mse"]
KINDS = {snake_case(name): getattr(losses, name) for name in ELEMENTWISE}
TABLE = ["plain", "raw", "degenerate", "weighted", "outliers", "one_column", "labels"]  # with a finite optimum
FULL, BATCHES = 10, 50  # how many tolerances, of what the null model loses, a run may end above the optimum


def excess(r, name, loss, alpha=0.0):
    """How far the objective of ``r``, on scaled columns, lies above the optimum, as a share of the null model's."""
    problem, (best, null) = PROBLEMS[name], best_and_null(name, loss, alpha)
    return (r.objective(problem.X, problem.target(KINDS[loss]), problem.weight) - best) / (null - best)


@cache
def best_and_null(name, loss, alpha):
    """The optimum of a problem, and the objective of the best constant."""
    problem, part = PROBLEMS[name], KINDS[loss]()
    target = problem.target(KINDS[loss])
    y = (target == np.unique(target)[1]).astype(float) if part.labels else target.astype(float)
    weight = np.ones(len(y)) if problem.weight is None else problem.weight / problem.weight.mean()
    mean = np.average(problem.X, axis=0, weights=weight)
    scale = np.sqrt(np.average((problem.X - mean) ** 2, axis=0, weights=weight))
    Z = np.column_stack([(problem.X - mean) / np.where(scale > 1e-12 * abs(mean), scale, np.inf), np.ones(len(y))])

    def objective(w):
        p = Z @ w
        value = np.mean(weight * part.value(p, y)) + alpha / 2 * w[:-1] @ w[:-1]
        return value, Z.T @ (weight * part.slope(p, y)) / len(y) + alpha * np.append(w[:-1], 0)

    def solved(objective, size):
        options = {"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-16, "gtol": 1e-12}
        return minimize(objective, np.zeros(size), jac=True, method="L-BFGS-B", options=options).fun

    best = solved(objective, Z.shape[1])
    return best, solved(lambda b: (lambda f, g: (f, g[-1:]))(*objective(np.append(np.zeros(Z.shape[1] - 1), b))), 1)


# To compile less: every loss on the full batch, and on batches or single rows in turn.
LOOPS = [(loss, batch) for k, loss in enumerate(SMOOTH) for batch in (None, (16, 1)[k % 2])]


@pytest.mark.slow
@pytest.mark.parametrize("loss, batch", LOOPS)
def test_automatic_runs(loss, batch):
    tol, room = (1e-6, FULL) if batch is None else (1e-4, BATCHES)
    converged = 0
    for name in TABLE:
        problem = PROBLEMS[name]
        y = problem.target(KINDS[loss])
        r = fastgd.fit(problem.X, y, loss=loss, sample_weight=problem.weight, batch_size=batch, random_state=0)
        if r.status == "converged":
            converged += 1
            assert excess(r, name, loss) <= room * tol, (name, r)
    assert converged >= (3 if batch is None else 0)


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("optimizer", [snake_case(name) for name in optimizers.__all__])
def test_any_optimizer_at_any_rate(optimizer, alpha):
    problem, tol = PROBLEMS["plain"], 1e-5
    decaying = {"adamw": fastgd.optimizers.Adamw(weight_decay=0.0), "sgdw": fastgd.optimizers.Sgdw(weight_decay=0.0)}
    part = decaying.get(optimizer, optimizer)
    # Without bounds, but compiled as with them: so is every optimizer with a penalty.
    options = {"optimizer": part, "tol": tol, "epochs": 400, "alpha": alpha, "bounds": (None, None)}
    for rate in 10.0 ** np.arange(-7, 0):
        r = fastgd.fit(problem.X, problem.y, learning_rate=rate, standardize=True, **options)
        if r.status == "converged":
            assert excess(r, "plain", "squared_error", alpha) <= FULL * tol, (rate, r)


@pytest.mark.jit
@given(
    rate=st.floats(-12, 0).map(lambda k: 10.0**k),
    tol=st.floats(-7, -2).map(lambda k: 10.0**k),
    patience=st.integers(1, 8),
)
def test_a_small_rate_is_not_an_end(rate, tol, patience):
    problem = PROBLEMS["plain"]
    r = fastgd.fit(problem.X, problem.y, learning_rate=rate, tol=tol, epochs=300, patience=patience, standardize=True)
    if r.status == "converged":
        assert excess(r, "plain", "squared_error") <= FULL * tol


def test_a_run_that_starts_at_the_optimum_is_over_soon(plain):
    r = fastgd.fit(plain.X, np.full(len(plain.X), 3.0), epochs=1000, tol=1e-6, learning_rate="auto")
    assert r.status == "converged"
    assert r.n_epochs < 20


@pytest.mark.parametrize("batch", [None, 16, 1])
def test_no_tolerance_takes_all_epochs(plain, batch):
    r = fastgd.fit(plain.X, np.zeros(len(plain.X)), epochs=30, tol=None, batch_size=batch)
    assert (r.status, r.n_epochs) == ("max_epochs", 30)


class PoissonLikelihood(NamedTuple):
    """The negative log-likelihood without its constant: it may be negative."""

    def value(self, p, y):
        return np.exp(p) - y * p

    def slope(self, p, y):
        return np.exp(p) - y


@pytest.mark.jit
@pytest.mark.parametrize("batch", [None, pytest.param(32, marks=pytest.mark.jit)])
def test_a_loss_below_zero_is_no_zero(batch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    y = rng.poisson(np.exp(X @ [0.5, -0.3, 0.2] + 2)).astype(float)
    r = fastgd.fit(X, y, loss=PoissonLikelihood(), batch_size=batch, random_state=0)
    expected = fastgd.fit(X, y, loss="poisson")
    np.testing.assert_allclose(r.coef, expected.coef, atol=0.01)
