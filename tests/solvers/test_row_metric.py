"""The metric of few rows with many columns, against the matrix of the columns, and fits that come to it."""

import numpy as np
import pytest
from conftest import plan_of
from scipy.sparse import csr_array

import fastgd
from fastgd.kernels.gram import products_of_sparse_rows
from fastgd.kernels.lanes import NO_ROLES, Data
from fastgd.kernels.layouts import CSR, Dense, frozen
from fastgd.solvers import metrics, row_metric
from fastgd.solvers.compiled import COMPILED
from fastgd.solvers.gram import products_of_rows
from fastgd.solvers.metrics import ArrowSums, MatrixSums, Unit
from fastgd.solvers.plan import lanes_at
from fastgd.solvers.stages import Stage

N, D = 12, 30
RNG = np.random.default_rng(4)
DENSE = RNG.standard_normal((N, D))
SPARSE = np.where(RNG.uniform(size=(N, D)) < 0.3, DENSE, 0.0)
BENDS = np.append(RNG.uniform(0.1, 2.0, N - 2), [0.0, 0.0])  # as of rows beyond their margins
SCALE = RNG.uniform(0.5, 2.0, D)


def data_of(sparse, constant, dtype=np.float64):
    """Few rows as kernels read them; dense ones are shifted."""
    rows = CSR.of(csr_array(SPARSE.astype(dtype))) if sparse else Dense(frozen(DENSE.astype(dtype)))
    none, y = frozen(np.empty(0, dtype)), frozen(np.zeros((1, N), dtype))
    shift = np.zeros(D) if sparse else DENSE.mean(axis=0)
    return Data(rows, y, none, none, shift.astype(dtype), SCALE.astype(dtype), constant, float(N), NO_ROLES, 5, 1, none)


def standardised(data):
    """The scaled columns."""
    return (data.rows.array() - data.shift.astype(float)) * data.inverse_scale.astype(float)


@pytest.mark.parametrize("constant", [0.0, 1.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_it_is_the_inverse_of_second_derivatives_and_penalty(sparse, constant):
    data = data_of(sparse, constant)
    sums = row_metric.RowSums(data, BENDS, products_of_rows(data, 1)[0], COMPILED, 1)
    Z = np.column_stack([standardised(data), np.full(N, constant)])
    H = Z.T @ (BENDS[:, None] * Z) / N
    some = slice(None) if constant else slice(-1)
    for l2, share in ((0.1, 0.0), (1e-5, 0.0), (0.1, 0.5)):
        ridge = l2 + share * np.trace(H[:-1, :-1]) / D
        whole = H + np.diag([ridge] * D + [0.0])
        metric, g, step = sums.damped(l2, share), RNG.standard_normal(D + 1), np.zeros(D + 1)
        step[some] = np.linalg.solve(whole[some, some], g[some])
        np.testing.assert_allclose(metric.solve(g), step, rtol=1e-7, atol=1e-9 * np.abs(step).max())
        assert metric.distance(g) == pytest.approx(np.sqrt(g @ H @ g / BENDS.mean()))
    assert sums.damped(0.1, np.inf) is Unit


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_products_of_sparse_rows(dtype):
    data = data_of(True, 1.0, dtype)
    Z = standardised(data)
    np.testing.assert_allclose(products_of_sparse_rows(data.rows, data.inverse_scale), Z @ Z.T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "suited"),
    [
        ({"alpha": 1e-3}, True),
        ({}, False),
        ({"alpha": 1e-3, "l1_ratio": 0.5}, False),
        ({"alpha": 1e-3, "bounds": (0, None)}, False),
    ],
    ids=["L2", "no penalty", "L1", "bounds"],
)
def test_it_needs_few_rows_and_l2_alone(monkeypatch, options, suited):
    monkeypatch.setattr(metrics, "MOST_COLUMNS", 20)
    plan = plan_of(DENSE, RNG.standard_normal(N), **options)
    assert row_metric.suits(plan, plan.data) == suited
    monkeypatch.setattr(row_metric, "LARGEST_MATRIX", N - 1)
    assert not row_metric.suits(plan, plan.data)


LOSSES = {"squared_error": "SquaredError", "poisson": "Poisson", "squared_hinge": "SquaredHinge"}


@pytest.mark.jit
@pytest.mark.parametrize("loss", LOSSES)
def test_sparse_rows_come_to_it_where_steps_by_an_arrow_cost_more(monkeypatch, loss):
    """Of 400 rows of 2**20 columns, 1,000 steps of a squared hinge ended 9e-5 above the optimum."""
    rng = np.random.default_rng(0)
    X = csr_array(rng.standard_normal((150, 900)) * (rng.random((150, 900)) < 0.04))
    score = X @ rng.standard_normal(900)
    y = {"poisson": rng.poisson(np.exp(0.5 * score)) * 1.0, "squared_hinge": (score > 0) * 1.0}.get(loss, score)
    options = {"loss": loss, "alpha": 1e-6, "standardize": False, "tol": 1e-6}
    found = fastgd.fit(X, y, **options)
    assert found.state.solver.as_matrix.all()
    assert found.status == "converged"

    def objective(r):
        losses = getattr(fastgd.losses, LOSSES[loss])().value(X @ r.coef + r.intercept, y)
        return np.mean(losses) + 5e-7 * (r.coef @ r.coef)

    part = fastgd.fit(X, y, epochs=found.n_epochs - 1, **options)
    again = fastgd.fit(X, y, epochs=1000, resume=part, **options)
    np.testing.assert_array_equal(again.coef, found.coef)
    monkeypatch.setattr(metrics, "MOST_SPARSE_COLUMNS", 1_000)  # a matrix of the columns from the start
    columns = fastgd.fit(X, y, **options | {"tol": 1e-12})
    assert not columns.state.solver.as_matrix.any()
    assert objective(found) <= objective(columns) + 1e-5 * abs(objective(columns))


def test_it_is_not_taken_where_rounding_leaves_no_digits():
    """A step is divided by the penalty, and most of it subtracted before."""
    data = data_of(False, 1.0, np.float32)
    products = products_of_rows(data, 1)[0]
    assert row_metric.is_exact(data, BENDS, products, 1e-2)
    assert not row_metric.is_exact(data, BENDS, products, 1e-6)
    assert row_metric.is_exact(data_of(False, 1.0), BENDS, products, 1e-6)


@pytest.mark.parametrize(("lanes_that_fit", "kind"), [(2, MatrixSums), (1, ArrowSums)])
def test_without_digits_columns_make_a_matrix_where_those_of_all_lanes_fit(monkeypatch, lanes_that_fit, kind):
    monkeypatch.setattr(metrics, "MOST_COLUMNS", 20)
    monkeypatch.setattr(metrics, "TOGETHER_BYTES", 16 * lanes_that_fit * (D + 1) ** 2)
    plan = plan_of(DENSE.astype(np.float32), RNG.standard_normal((N, 2)).astype(np.float32), alpha=1e-9)
    found = Stage(plan, plan.data).sums(lanes_at(plan.lanes, [0], 1), lambda: np.ones(D), as_matrix=True)
    assert type(found) is kind
