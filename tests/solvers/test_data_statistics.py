"""Statistics of targets: those of counted targets are those of all rows, and constants are the best of their kind."""

import numpy as np
import pytest
from conftest import plan_of
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array

from fastgd import fit, losses
from fastgd.inputs import arrays
from fastgd.solvers import data_statistics
from fastgd.solvers.data_statistics import best, best_constants, counted, mean_losses

N = 3000
RNG = np.random.default_rng(0)
WEIGHT = RNG.uniform(0, 3, N) * (RNG.random(N) < 0.8)
TARGETS = {
    "log_loss": RNG.random(N) < 0.3,
    "hinge": RNG.random(N) < 0.7,
    "multinomial": RNG.choice([3, 5, 9], N, p=[0.2, 0.7, 0.1]),
    "poisson": RNG.poisson(2.0, N),
    "tweedie": RNG.poisson(0.7, N),
    "absolute_error": RNG.integers(0, 50, N),
    "squared_error": RNG.integers(0, 1000, N),
}


def table_of(y, loss, weight=None, **options):
    return arrays.table(np.ones((len(y), 1)), y, weight, loss, **options)


def loss_of(name):
    return getattr(losses, "".join(map(str.capitalize, name.split("_"))))()


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("name", TARGETS)
def test_statistics_of_counted_targets_are_those_of_all_rows(name, weight):
    loss = loss_of(name)
    table = table_of(TARGETS[name], loss, weight)
    short = counted(table)
    rows = slice(None) if weight is None else weight > 0
    assert short.y.shape[1] == len(np.unique(TARGETS[name][rows]))
    constants, objectives = best(short, loss)
    # Of other rows the median is a sample's.
    if name != "absolute_error":
        np.testing.assert_allclose(constants, best_constants(table, loss), rtol=1e-12, atol=1e-14)
    expected = mean_losses(table, loss, constants)
    np.testing.assert_allclose(mean_losses(short, loss, constants), expected, rtol=1e-12)
    if objectives is not None:
        np.testing.assert_allclose(objectives, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "y",
    [
        RNG.standard_normal(N),
        RNG.integers(0, 10, N) + 0.5 * (np.arange(N) == N - 1),
        RNG.integers(0, 10, N) - 20 * (np.arange(N) == N - 1),
        RNG.integers(0, 10, N) + 5000 * (np.arange(N) == N - 1),
        RNG.integers(0, 10, (N, 2)),
        RNG.integers(0, 10, 50),
    ],
    ids=["numbers", "a fraction", "a negative number", "a large number", "several targets", "few rows"],
)
def test_other_targets_are_not_counted(y):
    table = table_of(y, losses.AbsoluteError())
    assert counted(table) is table


def test_targets_with_offsets_are_not_counted():
    table = table_of(TARGETS["poisson"], losses.Poisson(), given_offset=np.ones(N))
    assert counted(table) is table


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("name", ["log_loss", "poisson", "tweedie", "absolute_error", "squared_error"])
def test_no_constant_is_better(name, weight):
    loss = loss_of(name)
    table = table_of(TARGETS[name], loss, weight)
    objective = mean_losses(table, loss, best_constants(counted(table), loss))[0]
    found = minimize_scalar(lambda c: mean_losses(table, loss, [c])[0], bounds=(-5, 1000), options={"xatol": 1e-9})
    assert objective <= found.fun * (1 + 1e-9)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_medians_of_a_sample_are_close(weight, monkeypatch):
    y = RNG.standard_normal(N)
    exact = data_statistics.median(y, np.ones(N) if weight is None else weight)
    order = np.argsort(y)
    below = np.cumsum((np.ones(N) if weight is None else weight)[order])[np.searchsorted(y[order], exact)]
    total = N if weight is None else weight.sum()
    assert below >= 0.5 * total > below - 3.1
    monkeypatch.setattr(data_statistics, "MEDIAN", 1000)
    assert data_statistics.median(y, np.empty(0) if weight is None else weight) == pytest.approx(exact, abs=0.2)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("constant", [7.0, 0.1, 1e5 / 3, 1e-9 / 7, 123.456])
def test_constant_columns_do_not_vary(constant, sparse, weight):
    """Nor beside a column whose first row lies far from the others, nor where sparse rows store all of it."""
    X = np.column_stack([RNG.standard_normal((N, 2)), np.full(N, constant)])
    X[0, 0] = 1e7
    plan = plan_of(csr_array(X) if sparse else X, X[:, 1], sample_weight=weight)
    assert plan.data.inverse_scale[2] == 0.0
    X[:, 2] *= 1 + 1e-12 * RNG.standard_normal(N)
    assert plan_of(csr_array(X) if sparse else X, X[:, 1], sample_weight=weight).data.inverse_scale[2] > 0.0


@pytest.mark.parametrize("name", ["poisson", "gamma"])
def test_no_constant_is_better_with_wide_offsets(name):
    # For "gamma" it was one of loss 3e18, from where descents ended at 800.
    offset = 10 * np.random.default_rng(4).normal(size=N)
    loss, y = loss_of(name), TARGETS["poisson"] + (name == "gamma")
    table = table_of(y, loss, given_offset=offset)
    objective = mean_losses(table, loss, best_constants(table, loss))[0]
    found = minimize_scalar(lambda c: mean_losses(table, loss, [c])[0], bounds=(-60, 60), options={"xatol": 1e-9})
    assert objective <= found.fun + 1e-9 * abs(found.fun)


def test_weighted_medians_are_those_of_repeated_rows():
    for weight in ([1, 1, 2, 0], [0, 3, 0, 1, 2], [3, 1, 0, 2]):
        y, weight = RNG.permutation(len(weight)) * 1.5, np.array(weight)
        assert data_statistics.median(y, weight / 3.0) == np.median(np.repeat(y, weight))


def test_rows_of_weight_0_are_no_sample(monkeypatch):
    monkeypatch.setattr(data_statistics, "MEDIAN", N // 2)
    y, weight = RNG.standard_normal(N), np.arange(N) % 2 * 1.0
    y[::2] = 1e3
    assert data_statistics.median(y, weight) == pytest.approx(np.median(y[1::2]), abs=0.2)


@pytest.mark.jit
@pytest.mark.parametrize("name", ["huber", "absolute_error", "quantile"])
def test_rates_do_not_depend_on_rows_of_weight_0(name):
    """600 rows of weight 0 at the median target made the rate so small that coefficients stayed near 0."""
    X = RNG.standard_normal((400, 3))
    y = 3 + X @ [5.0, 10.0, -5.0] + RNG.standard_normal(400)
    both = np.vstack([X, RNG.standard_normal((600, 3))]), np.append(y, np.full(600, np.median(y)))
    weight = np.repeat([1.0, 0.0], [400, 600])
    model = plan_of(X, y, loss=name).models[0]
    same = plan_of(*both, loss=name, sample_weight=weight).models[0]
    np.testing.assert_allclose(same.residual_rms, model.residual_rms, rtol=1e-12)
    fits = fit(X, y, loss=name, optimizer="adam"), fit(*both, loss=name, optimizer="adam", sample_weight=weight)
    assert fits[1].objective(X, y) == pytest.approx(fits[0].objective(X, y), rel=1e-6)
