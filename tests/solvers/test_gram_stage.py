"""Looks at squared residuals from their Gram matrix are those of passes, and one pass is all that a fit reads."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from conftest import plan_of
from sklearn import linear_model

import fastgd
from fastgd.solvers import gram_stage, stage_order, stages
from fastgd.solvers.plan import lanes_at
from fastgd.solvers.quasi_newton import QuasiNewton

RNG = np.random.default_rng(8)
N, D = 300, 6
X = RNG.standard_normal((N, D)) * np.geomspace(0.1, 10, D) + 3.0
Y = X @ np.linspace(-1, 1, D) + RNG.standard_normal(N)
SPARSE = scipy.sparse.random_array((N, 12), density=0.3, rng=RNG, format="csr")
OPTIONS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "raw columns": {"standardize": False},
    "neither": {"standardize": False, "fit_intercept": False},
    "weights": {"sample_weight": RNG.integers(0, 3, N).astype(float)},
    "penalty": {"alpha": 0.3, "l1_ratio": 0.4},
    "the whole square": {"loss": "mse"},
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def both(plan):
    """The two stages of all rows of a plan."""
    return gram_stage.GramStage(plan, plan.data), stages.Stage(plan, plan.data)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rows", [X, SPARSE], ids=["dense", "sparse"])
@every_option
def test_looks_are_those_of_passes(rows, options, dtype):
    plan = plan_of(rows.astype(dtype), Y, **options)
    gram, whole = both(plan)
    weights = RNG.standard_normal((1, rows.shape[1] + 1))
    weights[0, -1] *= plan.data.constant
    lanes = plan.lanes._replace(weights=weights.astype(dtype))
    (objective, gradient), (expected, slope) = gram.look(lanes), whole.look(lanes)
    rtol = 1e-10 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(objective, expected, rtol=rtol)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=rtol * np.abs(slope).max())


@every_option
def test_second_derivatives_are_those_of_all_rows(options):
    plan = plan_of(X, Y, **options)
    gram, whole = both(plan)
    expected = whole.sums(plan.lanes, None).damped(0.5, 0.0)
    found = gram.sums(plan.lanes, None).damped(0.5, 0.0)
    g = RNG.standard_normal(D + 1) * np.append(np.ones(D), plan.data.constant)
    np.testing.assert_allclose(found.solve(g), expected.solve(g), rtol=1e-8)


def test_folds_and_targets_are_lanes_of_one_pass(monkeypatch):
    count, real = [], gram_stage.Grams.__init__
    monkeypatch.setattr(gram_stage.Grams, "__init__", lambda self, *args: (count.append(1), real(self, *args))[1])
    monkeypatch.setattr(stages.Stage, "look", None)
    alphas = [1.0, 0.1, 0.01]
    s = fastgd.sweep(X, Y, alpha=alphas, l1_ratio=1.0, cv=3, random_state=0)
    assert len(count) == 1
    for alpha, folds in zip(alphas, s.results, strict=True):
        for result in folds:
            assert result.status == "converged" and 0 < result.loss < np.mean(Y**2) + alpha
    both = fastgd.fit(X, np.column_stack([Y, Y**2]), alpha=0.1, l1_ratio=1.0)
    np.testing.assert_allclose(both.coef[0], fastgd.fit(X, Y, alpha=0.1, l1_ratio=1.0).coef, rtol=1e-6)


@pytest.mark.parametrize("rows", [X, SPARSE], ids=["dense", "sparse"])
def test_a_path_is_scikit_learns(rows):
    dense = rows.toarray() if scipy.sparse.issparse(rows) else rows
    alphas = np.geomspace(3, 1e-3, 12)
    s = fastgd.sweep(rows, Y, alpha=alphas.tolist(), l1_ratio=1.0, standardize=False)
    _, expected, _ = linear_model.lasso_path(dense - dense.mean(axis=0), Y - Y.mean(), alphas=alphas, tol=1e-12)
    np.testing.assert_allclose(np.array([r.coef for r in s.results]).T, expected, atol=1e-6 * np.abs(expected).max())


def test_next_to_nothing_left_or_dependent_columns_are_proved_by_a_pass():
    for rows, y in ((X, X @ np.ones(D)), (np.column_stack([X, X[:, 0] + X[:, 1]]), Y)):
        plan = plan_of(rows, y)
        found = stage_order.stages_of(plan, plan.data)
        assert [type(stage) for stage in found] == [gram_stage.GramStage, stages.Stage]
        assert not found[0].whole and found[1].whole
    r = fastgd.fit(X, X @ np.ones(D) + 1.0)
    np.testing.assert_allclose(r.coef, 1.0, rtol=1e-9)
    assert r.status == "converged" and r.loss < 1e-20
    plan = plan_of(X, Y)
    assert [type(stage) for stage in QuasiNewton(plan).stages] == [gram_stage.GramStage]


def test_it_pays_where_columns_are_few_or_lanes_share_it():
    plan = plan_of(X, Y)

    def pays(n, d, lanes=1, dtype=np.float64):
        rows = np.broadcast_to(dtype(1.0), (n, d))
        data = plan.data._replace(rows=plan.data.rows._replace(values=rows), shift=np.zeros(d, dtype))
        return gram_stage.pays(replace(plan, lanes=lanes_at(plan.lanes, [0] * lanes, 1)), data)

    assert pays(100, 5) and pays(10**6, 50) and pays(10**6, 100) and not pays(10**6, 400)
    assert pays(10**6, 400, lanes=50)
    assert pays(1000, 400), "no sample of so few rows: the matrix is of all rows anyway"
    assert pays(10**6, 30, dtype=np.float32) and not pays(10**6, 100, dtype=np.float32)
    assert not pays(10**6, 2000, lanes=50), "the matrix is too large"
    classes = plan_of(X, Y > 0, loss="log_loss")
    assert not gram_stage.pays(classes, classes.data)


def test_lanes_that_are_resumed_do_not_begin_where_others_came_to():
    axes = {"alpha": [1.0, 0.3, 0.1], "l1_ratio": 1.0}
    whole = fastgd.sweep(X, Y, **axes)
    for result in whole.results:
        alone = fastgd.fit(X, Y, alpha=result.options["alpha"], l1_ratio=1.0)
        begun = fastgd.fit(X, Y, alpha=result.options["alpha"], l1_ratio=1.0, epochs=1)
        again = fastgd.fit(X, Y, alpha=result.options["alpha"], l1_ratio=1.0, resume=begun)
        np.testing.assert_array_equal(again.coef, alone.coef)
        np.testing.assert_allclose(result.coef, alone.coef, rtol=1e-6)
