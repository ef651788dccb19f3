"""Fits of hostile data by the default method: each ends, and says how, near the best objective known."""

import numpy as np
import pytest

import fastgd


def test_a_step_lost_in_the_rounding_of_the_weights_is_the_last():
    # In float32 the step is smaller than the last digit of the intercept: it was taken 1000 times.
    X, y = np.float32([[0, 0, 1]]), np.array([0.04375737])
    r = fastgd.fit(X, y, loss="gamma", alpha=1e-4, l1_ratio=1.0)
    assert r.status == "converged"
    assert r.n_epochs < 10
    assert np.exp(r.intercept) == pytest.approx(y[0], rel=1e-6)


@pytest.mark.jit
@pytest.mark.parametrize("options", [{}, {"alpha": 1e-300, "l1_ratio": 0.5}])
def test_targets_that_the_constant_fits_are_converged(options):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 400)), np.round(3 * rng.normal(size=200))
    r = fastgd.fit(X, y, loss="mse", sample_weight=np.eye(200)[7], **options)
    assert r.status == "converged"
    assert r.n_epochs == 1
    assert (r.loss, r.intercept) == (0.0, y[7])


def test_more_columns_than_rows_end_where_only_rounding_is_left():
    # Neither second derivatives nor the gradient lead further down, and what is left is not known.
    rng = np.random.default_rng(1)
    X = rng.normal(size=(10, 30)) + 10.0 ** rng.uniform(0, 5, 30)
    r = fastgd.fit(X, rng.normal(size=10), fit_intercept=False)
    assert r.status == "converged"
    assert r.n_epochs < 100
    assert r.loss < 1e-15


@pytest.mark.parametrize("seed", [5, 45])
def test_huber_of_few_rows_far_beyond_its_width_is_near_the_optimum(seed):
    # Second derivatives shrink on and on as rows get beyond the kinks: it ended 7e-5 above.
    rng = np.random.default_rng(seed)
    X, offset = rng.normal(size=(30, 1)), 1e3 * rng.normal(size=30)
    y = X[:, 0] + rng.normal(size=30)
    r, best = (fastgd.fit(X, y, loss="huber", offset=offset, tol=tol) for tol in (1e-6, 1e-12))
    assert r.status == "converged"
    assert r.objective(X, y, offset=offset) <= best.objective(X, y, offset=offset) * (1 + 1e-5)


@pytest.mark.jit
@pytest.mark.parametrize("seed", [9, 12, 22, 32])
def test_a_squared_hinge_of_few_rows_within_bounds_is_near_the_optimum(seed):
    # Each row that gets beyond its margin changes the second derivatives: it ended up to 14 % above, or never.
    rng = np.random.default_rng(seed)
    X = rng.poisson(0.5, (10, 30)).astype(float)
    y = (X @ rng.normal(size=30) > 0).astype(int)
    options = {"offset": 10 * rng.normal(size=10), "alpha": 1e-4, "bounds": (0, None), "loss": "squared_hinge"}
    r, best = (fastgd.fit(X, y, tol=tol, **options) for tol in (1e-6, 1e-12))
    objective, least = (one.objective(X, y, offset=options["offset"]) for one in (r, best))
    assert (r.status, best.status) == ("converged", "converged")
    assert objective <= least * (1 + 5e-5)


class Cauchy:
    """A loss of the user's, whose second derivatives are wrong in the classes below."""

    def value(self, p, y):
        return np.log1p((p - y) * (p - y))

    def slope(self, p, y):
        return 2 * (p - y) / (1 + (p - y) * (p - y))


class TooSteep(Cauchy):
    def second_derivative(self, p, y):
        return 1e6 * (1 + (p - y) * (p - y))


class Flat(Cauchy):
    def second_derivative(self, p, y):
        return 0.0 * (p - y)


@pytest.mark.jit
@pytest.mark.parametrize("kind", [TooSteep, Flat])
def test_wrong_second_derivatives_do_not_end_a_fit_at_its_start(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 5))
    r = fastgd.fit(X, X.sum(axis=1) + rng.standard_t(1, size=2000), loss=kind())
    assert r.loss < 1.4  # the least is 1.342, the start 1.978


@pytest.mark.parametrize("tol", [1e-6, 1e-8, 1e-12])
def test_a_hinge_of_classes_that_two_rows_keep_apart_has_no_infinite_weights(tol):
    # More digits were asked of the gap than weights have: these grew to 1e16, and the loss was rounding, 0.18.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 50)) + 10.0 ** rng.uniform(0, 5, 50)
    y = (X - X.mean(axis=0)) @ rng.normal(size=50) > 0
    X[0], y[0] = X[-1], not y[-1]
    r = fastgd.fit(X, y.astype(int), loss="hinge", tol=tol)
    margins = (2 * y - 1) * (X @ r.coef + r.intercept)
    assert r.status == "converged"
    assert np.maximum(0, 1 - margins).mean() == pytest.approx(0.04, rel=0.02)


@pytest.mark.jit
def test_lines_in_float32_are_as_good_as_its_rounding():
    # The rounding of the weights kept the duality gap above the tolerance for 100 rounds.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 50)).astype(np.float32), rng.normal(size=50)
    y[0] = 1e12
    options = {"loss": "epsilon_insensitive", "alpha": 1e-10, "fit_intercept": False}
    r = fastgd.fit(X, y, **options)
    assert r.status == "converged"
    assert r.loss == pytest.approx(fastgd.fit(X.astype(float), y, **options).loss, rel=1e-5)


@pytest.mark.parametrize("options", [{"bounds": (0, 0)}, {"bounds": (1, 2)}, {"alpha": 1e300, "l1_ratio": 1.0}])
@pytest.mark.parametrize("loss", ["squared_error", "squared_hinge", "poisson"])
@pytest.mark.parametrize("shape", [(40, 3), (20, 40)])
def test_weights_that_all_rest_at_a_kink_are_converged(loss, options, shape):
    X = np.random.default_rng(0).normal(size=shape)
    r = fastgd.fit(X, (X[:, 0] > 0).astype(int), loss=loss, fit_intercept=False, **options)
    assert r.status == "converged"
    assert r.n_epochs < 100


def test_bounds_of_columns_whose_second_derivatives_overflow():
    # No weight was free, and a matrix without columns was solved.
    X, y = np.array([[1e150], [-2e150]]), np.array([1e9, 1e-3])
    r = fastgd.fit(X, y, loss="gamma", bounds=(1, 2))
    assert np.isfinite(r.coef).all()
