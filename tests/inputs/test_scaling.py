"""Scaling: columns of unit variance read without a copy, and the way back to the user's units."""

import numpy as np
import pytest
from conftest import PROBLEMS, plan_of
from scipy import sparse

from fastgd.inputs.scaling import Scaling
from fastgd.solvers.passes import Passes


def moments(X, weight=None):
    """What the compiled pass measures."""
    plan = plan_of(X, np.arange(X.shape[0]), sample_weight=weight, learning_rate=0.1)
    return Passes(plan.data, 1).moments()


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_pass_measures_mean_and_variance(name):
    X, _, weight = PROBLEMS[name]
    mean, variance = moments(X, weight)
    exact = np.average(X.astype(float), axis=0, weights=weight)
    np.testing.assert_allclose(mean, exact, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(variance, np.average((X - exact) ** 2, axis=0, weights=weight), rtol=1e-9, atol=1e-25)


def test_moments_of_many_chunks_do_not_cancel():
    n = 1500  # chunks are of 256 rows at this width
    X = 1e9 + np.random.default_rng(0).standard_normal((n, 600))
    mean, variance = moments(X)
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(variance, X.var(axis=0), rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("d", [1, 3, 7, 64, 70, 520])  # several rows at once, one, and rows left at the end
@pytest.mark.parametrize("first", [0.0, 1e8, -1e12])
def test_moments_where_the_first_row_lies_far_from_the_others(first, d, weighted):
    rng = np.random.default_rng(1)
    X, weight = 5.0 + rng.standard_normal((203, d)), None
    X[0], X[:, d // 2] = first, 0.1
    if weighted:
        weight = rng.uniform(0.5, 2.0, 203)
        weight[0] = 0.0
    mean, variance = moments(X, weight)
    exact = np.average(X.astype(np.longdouble), axis=0, weights=weight)
    expected = np.average((X - exact) ** 2, axis=0, weights=weight).astype(float)
    assert (abs(mean - exact) <= 1e-13 * (abs(exact) + np.sqrt(expected))).all()
    np.testing.assert_allclose(variance, expected, rtol=1e-11, atol=1e-28)


@pytest.mark.parametrize("far", [0.0, 1e7])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_of_sparse_rows(weighted, far):
    rng = np.random.default_rng(2)
    X = sparse.random_array((300, 40), density=0.2, format="lil", rng=rng)
    X[:, 3] = far + rng.standard_normal((300, 1))
    X[:, 4] = 0.1
    weight = rng.uniform(0, 2, 300) if weighted else None
    mean, variance = moments(X.tocsr(), weight)
    exact = np.average(X.toarray().astype(np.longdouble), axis=0, weights=weight)
    expected = np.average((X.toarray() - exact) ** 2, axis=0, weights=weight).astype(float)
    np.testing.assert_allclose(mean, exact.astype(float), rtol=1e-13)
    np.testing.assert_allclose(variance, expected, rtol=1e-9, atol=1e-28)


def test_a_column_that_does_not_vary_has_no_variance():
    X = np.repeat([[0.1, 1e300, -7.3]], 1001, axis=0)
    mean, variance = moments(X)
    assert mean.tolist() == X[0].tolist()
    assert variance.tolist() == [0, 0, 0]


@pytest.mark.parametrize("centre, intercept", [(True, True), (False, True), (False, False)])
def test_scaled_columns_have_unit_variance(problem, centre, intercept):
    X = problem.X.astype(float)
    scaling = Scaling.standard(X.mean(axis=0), X.var(axis=0), np.dtype(float), centre, intercept)
    Z = (X - scaling.shift) * scaling.inverse_scale
    varies = np.ptp(X, axis=0) > 0
    np.testing.assert_allclose(Z[:, varies].std(axis=0), 1, rtol=1e-9)
    if centre:
        np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-9)
    if intercept:
        assert not Z[:, ~varies].any()
    else:
        np.testing.assert_allclose(Z[:, ~varies], np.sign(X[:, ~varies]))


@pytest.mark.parametrize("centre, intercept", [(True, True), (False, True), (False, False)])
def test_weights_go_back_to_the_users_units(problem, centre, intercept):
    X = problem.X.astype(float)
    scaling = Scaling.standard(X.mean(axis=0), X.var(axis=0), np.dtype(float), centre, intercept)
    weights = np.random.default_rng(1).standard_normal((2, X.shape[1] + 1)) * np.append(np.ones(X.shape[1]), intercept)
    coef, intercept = scaling.to_user(weights)
    Z = (X - scaling.shift) * scaling.inverse_scale
    scores = Z @ weights[:, :-1].T + weights[:, -1]
    np.testing.assert_allclose(X @ coef.T + intercept, scores, rtol=1e-9, atol=1e-9)


def test_coefficients_go_there_and_back_within_bounds():
    scaling = Scaling(np.zeros(3), np.array([0.1, 0.0, 1 / 3]))
    coef = np.array([2.0, 3.0, 0.7])
    there = np.append(scaling.to_scaled(coef), 0.0)
    back, _ = scaling.to_user(there[None], bounds=(np.full(3, -1.0), np.array([2.0, 5.0, 0.7])))
    np.testing.assert_allclose(back[0], [2.0, 0.0, 0.7], rtol=1e-15)
    assert back[0, 2] <= 0.7


def test_none_changes_nothing():
    shift, inverse_scale = Scaling.none(2, np.float32)
    assert shift.dtype == inverse_scale.dtype == np.float32
    assert not shift.any()
    assert (inverse_scale == 1).all()
