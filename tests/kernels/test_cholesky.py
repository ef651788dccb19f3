"""Cholesky's factor against NumPy's solutions, also where columns follow from others."""

import numpy as np
import pytest

from fastgd.kernels.cholesky import Factor, whitening

SIZES = [1, 2, 6, 7, 8, 9, 16, 33, 70, 131]  # ends of vectors, of blocks of rows, and of three vectors at once


def moments(D, seed=0):
    """Second moments of columns whose scales lie far apart."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2 * D + 5, D)) * 10.0 ** rng.integers(-6, 7, D)
    return X.T @ X


def scaled(matrix):
    """The matrix with a diagonal of ones, and the scales."""
    scale = 1.0 / np.sqrt(np.diag(matrix))
    return matrix * np.outer(scale, scale), scale


@pytest.mark.parametrize("D", SIZES)
def test_solutions_are_those_of_numpy(D):
    matrix, g = moments(D), np.random.default_rng(1).standard_normal((3, D))
    unit, scale = scaled(matrix)
    expected = np.linalg.solve(unit, (g * scale).T).T * scale
    factor = Factor(np.triu(matrix))  # nothing below the diagonal is read
    assert not factor.dependent.any()
    found = factor.solve(g)
    np.testing.assert_allclose(found / scale, expected / scale, rtol=1e-9, atol=1e-9 * abs(expected / scale).max())
    for row, one in zip(g, found, strict=True):
        single = factor.solve(row)
        assert single.shape == (D,)
        assert np.array_equal(single, one)


@pytest.mark.parametrize("D", SIZES)
def test_the_right_hand_side_and_the_matrix_stay(D):
    matrix, g = moments(D), np.ones(D, np.float32)
    before = matrix.copy()
    x = Factor(matrix).solve(g)
    assert x.dtype == np.float64
    assert np.array_equal(matrix, before)
    assert (g == 1).all()
    assert np.array_equal(Factor(np.asfortranarray(matrix)).solve(g), x)


@pytest.mark.parametrize("D", [6, 21, 100])
def test_columns_that_follow_from_others_are_left_out(D):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((2 * D, D)) * 10.0 ** rng.integers(-3, 4, D)
    out = [2, D // 2, D - 1]
    X[:, 2] = 0.0
    X[:, out[1]] = X[:, 0] - 3 * X[:, 1]
    X[:, D - 1] = X[:, D - 2]
    factor = Factor(X.T @ X, 1e-12)
    assert np.flatnonzero(factor.dependent).tolist() == out
    kept = ~factor.dependent
    y = rng.standard_normal(2 * D)
    x = factor.solve(X.T @ y)
    assert (x[~kept] == 0).all()
    # The residuals are as small as least squares of the kept columns leave them.
    Z = X[:, kept] / abs(X[:, kept]).max(axis=0)
    expected = y - Z @ np.linalg.lstsq(Z, y)[0]
    np.testing.assert_allclose(y - X @ x, expected, atol=1e-9)


@pytest.mark.parametrize("D", [2, 7, 33, pytest.param(131, marks=pytest.mark.jit)])
def test_solutions_without_some_columns_are_those_of_the_others(D):
    matrix, g = moments(D), np.random.default_rng(1).standard_normal(D)
    unit, scale = scaled(matrix)
    factor, kept = Factor(matrix), np.ones(D, bool)
    for column in np.random.default_rng(3).permutation(D)[: D - 1].tolist():
        factor.leave_out(column)
        kept[column] = False
        expected, found = np.zeros(D), factor.solve(g) / scale
        expected[kept] = np.linalg.solve(unit[np.ix_(kept, kept)], (g * scale)[kept])
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * abs(expected).max())
        assert np.array_equal(factor.dependent, ~kept)


def test_scales_by_powers_of_two_change_no_digit():
    D, powers = 40, 2.0 ** np.random.default_rng(3).integers(-200, 200, 40)
    matrix, g = scaled(moments(D))[0], np.random.default_rng(4).standard_normal(D)
    # Even powers: the roots of the diagonal are exact.
    other = Factor(matrix * np.outer(powers, powers)).solve(g * powers)
    np.testing.assert_allclose(other * powers, Factor(matrix).solve(g), rtol=1e-14)


def test_shares_of_each_column():
    matrix = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert Factor(matrix, np.array([0.0, 0.1, 1.0])).dependent.tolist() == [False, False, True]
    assert Factor(matrix, np.array([0.0, 0.2, 0.5])).dependent.tolist() == [False, True, False]


@pytest.mark.parametrize("bad", [np.nan, -1.0, 0.0])
def test_a_column_without_positive_square_is_left_out(bad):
    matrix = moments(12)
    matrix[5, 5] = bad
    if np.isnan(bad):
        matrix[5], matrix[:, 5] = bad, bad
    factor, others = Factor(matrix), np.arange(12) != 5
    assert factor.dependent.tolist() == (~others).tolist()
    g = np.ones(12)
    np.testing.assert_allclose(
        factor.solve(g)[others], Factor(matrix[np.ix_(others, others)]).solve(g[others]), rtol=1e-9
    )


@pytest.mark.parametrize("D", SIZES)
def test_whitening_makes_the_matrix_one(D):
    matrix, out = moments(D), np.full((D, D), np.nan)
    whitening(matrix, 1e-12, out)
    assert (np.triu(out, 1) == 0).all()
    np.testing.assert_allclose(out @ matrix @ out.T, np.eye(D), atol=1e-9)


@pytest.mark.parametrize("D", SIZES)
def test_the_factor_is_that_of_numpy(D):
    unit, _ = scaled(moments(D))
    np.testing.assert_allclose(Factor(unit).lower(), np.linalg.cholesky(unit), rtol=1e-9, atol=1e-9)
    twice = np.block([[unit, unit], [unit, unit]])
    lower = Factor(twice).lower()
    np.testing.assert_allclose(lower[:D, :D], np.linalg.cholesky(unit), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(lower[D:], 0.0)
