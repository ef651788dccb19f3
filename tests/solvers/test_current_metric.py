"""When a metric is summed anew: as a matrix where steps by an arrow would cost more, and to judge the end."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize, special

import fastgd
from fastgd.solvers import metrics
from fastgd.solvers.current_metric import CurrentMetric

pytestmark = pytest.mark.jit  # hundreds of columns
N, D, ALPHA = 500, 400, 1e-4
WITHIN = 1e-5  # of the optimum, relatively


@pytest.fixture(autouse=True)
def arrows(monkeypatch):
    """Arrows from fewer columns on, so that tables are small."""
    monkeypatch.setattr(metrics, "MOST_COLUMNS", 64)


def table(loss, n=N, d=D, common=0.95):
    """Columns that are correlated by a common one, on nearly as many rows, and targets that a score tells about."""
    rng = np.random.default_rng(2)
    X = np.sqrt(1 - common**2) * rng.standard_normal((n, d)) + common * rng.standard_normal((n, 1))
    score = X @ rng.standard_normal(d) / np.sqrt(d)
    if loss == "log_loss":
        return X, (score + rng.standard_normal(n) > 0).astype(float)
    return X, score + rng.standard_normal(n)


def objective(loss, X, y, w, alpha=ALPHA):
    """The objective and its gradient at weights (d + 1,)."""
    p, coef = X @ w[:-1] + w[-1], np.append(w[:-1], 0.0)
    if loss == "log_loss":
        value, slope = np.mean(np.logaddexp(0, p) - y * p), special.expit(p) - y
    else:
        value, slope = np.mean((p - y) ** 2) / 2, p - y
    return value + alpha / 2 * (coef @ coef), np.append(X.T @ slope, slope.sum()) / len(y) + alpha * coef


def optimum(loss, X, y, alpha=ALPHA):
    """The least objective: of squares in closed form, of log loss by Newton's steps."""
    A, penalty = np.column_stack([X, np.ones(len(X))]), alpha * np.diag(np.append(np.ones(X.shape[1]), 0.0))
    if loss == "squared_error":
        w = np.linalg.solve(A.T @ A / len(y) + penalty, A.T @ y / len(y))
        return objective(loss, X, y, w)[0]

    w = np.zeros(A.shape[1])
    for _ in range(20):
        share = special.expit(A @ w)
        value, gradient = objective(loss, X, y, w, alpha)
        w = w - np.linalg.solve((A.T * (share * (1 - share))) @ A / len(y) + penalty, gradient)
    assert np.linalg.norm(gradient) < 1e-12
    return value


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_an_arrow_gives_way_to_a_matrix_where_steps_cost_more(loss):
    """Steps by the arrow alone do not reach the optimum in a thousand."""
    X, y = table(loss)
    options = {"loss": loss, "alpha": ALPHA, "standardize": False}
    r = fastgd.fit(X, y, **options)
    least = optimum(loss, X, y)
    assert r.state.solver.as_matrix.all()
    assert r.status == "converged"
    assert objective(loss, X, y, np.append(r.coef, r.intercept))[0] <= least * (1 + WITHIN)


def test_bounds_are_met_by_a_matrix_too():
    X, y = table("squared_error", N, 200, common=0.99)
    r = fastgd.fit(X, y, alpha=ALPHA, standardize=False, bounds=(-0.5, 0.5))
    assert r.state.solver.as_matrix.all()
    assert r.status == "converged"
    rows = np.column_stack([X, np.ones(N)]) / np.sqrt(N), np.sqrt(ALPHA) * np.eye(201)[:200]
    most = np.append(np.full(200, 0.5), np.inf)
    sides = np.append(y / np.sqrt(N), np.zeros(200))
    best = optimize.lsq_linear(np.vstack(rows), sides, bounds=(-most, most), tol=1e-12)
    assert (abs(best.x[:-1]) > 0.5 - 1e-6).sum() > 3, "else bounds say nothing"
    reached = objective("squared_error", X, y, np.append(r.coef, r.intercept))[0]
    assert reached <= best.cost * (1 + WITHIN)


def test_easy_columns_stay_with_an_arrow():
    X, y = table("log_loss", 4 * N, common=0.0)
    r = fastgd.fit(X, y, loss="log_loss", alpha=1e-3, standardize=False)
    assert not r.state.solver.as_matrix.any()


def test_the_end_is_not_judged_by_the_steepest_direction(monkeypatch):
    """The newest pair lay along the common column, where curvature is 1,000 times that of others: 1.5e-5 were left."""
    monkeypatch.setattr(metrics, "LARGEST_MATRIX", 0)
    X, y = table("log_loss", 2_000, 200, common=0.99)
    r = fastgd.fit(X, y, loss="log_loss", alpha=1e-3, standardize=False)
    reached = objective("log_loss", X, y, np.append(r.coef, r.intercept), 1e-3)[0]
    assert r.status == "converged"
    assert reached <= optimum("log_loss", X, y, 1e-3) * (1 + 3e-6)


@pytest.mark.parametrize("loss", ["log_loss", "multinomial"])
def test_a_matrix_is_resumed(loss):
    """Bit for bit, from before it was taken and from after."""
    X, y = table("log_loss")
    X, y = X[:, :100], y + (loss == "multinomial") * (X[:, 0] > 1)
    options = {"loss": loss, "alpha": 1e-6, "standardize": False, "tol": 1e-12}
    whole = fastgd.fit(X, y, epochs=400, **options)
    assert whole.state.solver.as_matrix.all()
    for epochs in (5, whole.n_epochs - 2):
        part = fastgd.fit(X, y, epochs=epochs, **options)
        again = fastgd.fit(X, y, epochs=400, resume=part, **options)
        np.testing.assert_array_equal(again.coef, whole.coef)


@pytest.mark.parametrize("scaled", [True, False])
def test_only_an_arrow_gives_way_to_a_matrix(scaled):
    """A working set measures no steps: its promises would be forgotten for nothing."""
    cost = 40.0
    stage = SimpleNamespace(
        whole=True, may_be_matrix=True, rows=N, metric_rows=N, metric_cost=lambda rows, as_matrix: cost
    )
    metric = CurrentMetric(SimpleNamespace(metric=SimpleNamespace(scaled=scaled)), None, False)
    metric.read = cost * N
    assert metric.slow(stage, cost) is scaled
    assert not metric.slow(stage, 1.0), "no step is left that would be saved"
    metric.read -= N
    assert not metric.slow(stage, cost), "passes have not cost as much"
    metric.renewals = 1
    assert metric.slow(stage, cost) is scaled, "those before count, too"
