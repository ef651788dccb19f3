"""Whole fits: right on raw columns, safe on any loss, the same in lanes, in the reference and after a stop."""

import warnings

import numpy as np
import pytest
from conftest import ELEMENTWISE, plan_of
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from sklearn import linear_model

import fastgd
from fastgd import losses, reference
from fastgd.parts.registry import snake_case
from fastgd.solvers import quasi_newton
from fastgd.solvers.first_order import FirstOrder

RNG = np.random.default_rng(11)
N = 240
RAW = np.column_stack(
    [
        RNG.integers(1960, 2024, N),
        RNG.lognormal(15, 2, N),
        RNG.uniform(0, 1e-6, N),
        np.full(N, 7.0),
        RNG.standard_normal(N) + 1e5,
    ]
)
RAW = np.column_stack([RAW, RAW[:, 0] ** 2, 2.54 * RAW[:, 2]])
SCORE = (RAW[:, 0] - 1990) / 20 + RAW[:, 2] * 1e6 - 0.5 + 0.3 * RNG.standard_normal(N)
TARGETS = {
    "number": 3e4 + 1e3 * (SCORE + np.log(RAW[:, 1]) / 4),
    "label": np.where(SCORE + 0.5 * RNG.standard_normal(N) > 0, "yes", "no"),
    "count": RNG.poisson(np.exp(0.5 * SCORE)).astype(float),
    "amount": np.exp(0.5 * SCORE) * RNG.gamma(2.0, 0.5, N),
}
BENDING = [snake_case(name) for name in ELEMENTWISE if getattr(losses, name).second_derivative is not None]
every_loss = pytest.mark.parametrize("name", BENDING)


def part(name):
    return getattr(losses, ELEMENTWISE[[snake_case(n) for n in ELEMENTWISE].index(name)])()


def target(name):
    loss = part(name)
    if loss.labels:
        return TARGETS["label"]
    return TARGETS["amount" if name == "gamma" else "count"] if loss.domain else TARGETS["number"]


def objective(name, r, X=RAW):
    """The mean loss of a result, anew."""
    y = target(name)
    return part(name).value(r.decision_function(X), (y == "yes").astype(float) if part(name).labels else y).mean()


def linear_program(q):
    """The least mean of pinball losses on the raw columns, scaled for the solver."""
    varied = RAW.std(axis=0) > 0
    Z = (RAW[:, varied] - RAW[:, varied].mean(axis=0)) / RAW[:, varied].std(axis=0)
    found = linear_model.QuantileRegressor(quantile=q, alpha=0).fit(Z, TARGETS["number"])
    return losses.Quantile(q).value(found.predict(Z), TARGETS["number"]).mean()


def best(name):
    """The least objective that a quasi-Newton method of SciPy finds on orthogonal columns, from several starts."""
    loss, y = part(name), target(name)
    y = (y == "yes").astype(float) if loss.labels else y
    U, s, _ = np.linalg.svd((RAW - RAW.mean(axis=0)) / np.where(RAW.std(axis=0) > 0, RAW.std(axis=0), 1))
    Q = np.column_stack([U[:, : len(s)][:, s > 1e-9 * s[0]] * np.sqrt(N), np.ones(N)])
    scale = y.std() if loss.residual_only else 1.0
    centre = np.median(y) if loss.residual_only else 0.0

    def value(w):
        p = centre + scale * (Q @ w)
        return loss.value(p, y).mean(), scale * Q.T @ loss.slope(p, y) / N

    w = np.zeros(Q.shape[1])
    for _ in range(5):
        w = optimize.minimize(value, w, jac=True, method="BFGS", options={"gtol": 1e-14, "maxiter": 5000}).x
    return value(w)[0]


# Optima -------------------------------------------------------------------------------------------------------------


@pytest.mark.jit
@every_loss
def test_raw_columns_need_nothing(name):
    r = fastgd.fit(RAW, target(name), loss=name)
    assert r.status == "converged"
    assert r.options["solver"] in ("newton", "quasi_newton", "interior_point")
    assert r.coef[3] == 0.0, "a column that does not vary"
    found, start = objective(name, r), r.history.loss[0]
    assert r.objective(RAW, target(name)) == pytest.approx(found, rel=1e-9)
    # The last step on a smoothed loss has not computed the loss itself.
    assert r.loss == pytest.approx(found, rel=1e-9 if part(name).smooth else 1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = best(name)
    assert found <= expected + 1e-4 * start


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_quantiles_are_those_of_linear_programming(q):
    r = fastgd.fit(RAW, TARGETS["number"], loss=losses.Quantile(q))
    assert objective_of(losses.Quantile(q), r) <= linear_program(q) + 3e-5 * r.history.loss[0]
    assert np.mean(TARGETS["number"] <= r.predict(RAW)) == pytest.approx(q, abs=0.03)


def objective_of(loss, r):
    return loss.value(r.predict(RAW), TARGETS["number"]).mean()


def test_huber_of_targets_far_larger_than_delta_is_the_median():
    y = 1e6 * TARGETS["number"]
    r = fastgd.fit(RAW, y, loss="huber")
    median = fastgd.fit(RAW, y, loss="absolute_error")
    np.testing.assert_allclose(r.loss, median.loss, rtol=5e-5)


PENALTIES = {
    "ridge": ({"alpha": 0.1}, linear_model.Ridge(alpha=0.1 * N, tol=1e-12)),
    "lasso": ({"alpha": 20.0, "l1_ratio": 1.0}, linear_model.Lasso(alpha=20.0, tol=1e-12, max_iter=10**6)),
    "elastic net": (
        {"alpha": 20.0, "l1_ratio": 0.5},
        linear_model.ElasticNet(alpha=20.0, l1_ratio=0.5, tol=1e-12, max_iter=10**6),
    ),
    "no negative ones": ({"bounds": (0, None)}, linear_model.LinearRegression(positive=True)),
}


@pytest.mark.parametrize("options, model", PENALTIES.values(), ids=PENALTIES)
def test_penalties_and_bounds_reach_scikit_learns_optimum(options, model):
    X = RAW[:, [0, 1, 2, 4]]
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    r = fastgd.fit(X, TARGETS["number"], **options)
    model.fit(Z, TARGETS["number"])
    scaled = r.coef * X.std(axis=0)
    np.testing.assert_allclose(scaled, model.coef_, atol=1e-6 * np.abs(model.coef_).max())
    np.testing.assert_array_equal(scaled == 0, model.coef_ == 0)


def test_the_lasso_of_classes_reaches_scikit_learns_optimum():
    Z = (RAW[:, [0, 2, 4]] - RAW[:, [0, 2, 4]].mean(axis=0)) / RAW[:, [0, 2, 4]].std(axis=0)
    options = {"C": 1 / (0.02 * N), "l1_ratio": 1.0, "solver": "saga", "tol": 1e-10, "max_iter": 20_000}
    model = linear_model.LogisticRegression(**options).fit(Z, TARGETS["label"])
    r = fastgd.fit(Z, TARGETS["label"], loss="log_loss", alpha=0.02, l1_ratio=1.0, tol=1e-10)
    np.testing.assert_allclose(r.coef, model.coef_[0], atol=1e-5)


# Any units ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.lists(st.floats(-8, 8), min_size=5, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5))
@pytest.mark.parametrize(
    "name", ["squared_error", "log_loss", pytest.param("quantile", marks=pytest.mark.jit), "poisson"]
)
def test_units_and_origins_of_columns_do_not_matter(name, powers, moved):
    X = RAW[:, [0, 1, 2, 4, 6]]
    other = X * 10.0 ** np.array(powers) + 1e6 * np.array(moved) * (10.0 ** np.array(powers) * X.std(axis=0) > 1e-2)
    r, s = fastgd.fit(X, target(name), loss=name), fastgd.fit(other, target(name), loss=name)
    assert s.status == "converged"
    assert objective(name, s, other) == pytest.approx(objective(name, r, X), rel=1e-6)


@pytest.mark.jit
@pytest.mark.parametrize("power", [-12, *(pytest.param(power, marks=pytest.mark.jit) for power in (-6, 6)), 12])
@pytest.mark.parametrize("name, degree", [("squared_error", 2), ("quantile", 1), ("absolute_error", 1)])
def test_the_unit_of_the_target_does_not_matter(name, degree, power):
    unit = 10.0**power
    r, s = fastgd.fit(RAW, target(name), loss=name), fastgd.fit(RAW, unit * target(name), loss=name)
    assert s.loss / unit**degree == pytest.approx(r.loss, rel=1e-5)


# Safety -------------------------------------------------------------------------------------------------------------


def test_no_step_raises_a_smooth_loss():
    rng = np.random.default_rng(2)
    X = rng.standard_t(1.5, (300, 4))
    y = rng.poisson(np.exp(np.clip(X[:, 0], -3, 3))).astype(float)
    r = fastgd.fit(X, y, loss="poisson")
    assert r.status == "converged"
    assert (np.diff(r.history.loss) <= 1e-12 * r.history.loss[0]).all()
    assert (r.history.learning_rate < 1).any(), "none was too long: this tests nothing"


def test_classes_that_can_be_told_apart_end_with_finite_weights_and_words():
    X = np.random.default_rng(3).standard_normal((60, 2))
    r = fastgd.fit(X, X[:, 0] > 0.1, loss="log_loss")
    assert r.status == "converged"
    assert "separable" in r.message and "alpha" in r.message
    assert np.isfinite(r.coef).all() and np.abs(r.coef).max() < 1e6
    assert (r.predict(X) == (X[:, 0] > 0.1)).all()
    assert "separable" not in fastgd.fit(X, X[:, 0] > 0.1, loss="log_loss", alpha=1e-3).message


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_who_has_given_too_small_a_penalty_is_told_to_raise_it(loss):
    X = np.random.default_rng(3).standard_normal((60, 2))
    small = fastgd.fit(X, X[:, 0] > 0.1, loss=loss, alpha=1e-12)
    assert "separable" in small.message and "raise it" in small.message
    enough = fastgd.fit(X, X[:, 0] > 0.1, loss=loss, alpha=1e-4)
    assert "separable" not in enough.message
    assert np.linalg.norm(enough.coef) < np.linalg.norm(small.coef)


@every_loss
def test_columns_that_depend_on_each_other_are_no_trouble(name):
    X = np.column_stack([RAW[:, [0, 2]], RAW[:, 0] - RAW[:, 2] * 1e6, RAW[:, 0], np.ones(N)])
    alone, r = fastgd.fit(RAW[:, [0, 2]], target(name), loss=name), fastgd.fit(X, target(name), loss=name)
    assert np.isfinite(r.coef).all()
    assert r.loss == pytest.approx(alone.loss, rel=1e-4)


@pytest.mark.parametrize("rows", [1, 2, 3])
@every_loss
def test_fewer_rows_than_columns_are_fitted(name, rows):
    if part(name).labels:
        rows = [*np.flatnonzero(TARGETS["label"] == "no")[:rows].tolist(), np.argmax(TARGETS["label"] == "yes")]
    else:
        rows = np.arange(rows)
    r = fastgd.fit(RAW[rows], target(name)[rows], loss=name)
    assert np.isfinite(r.coef).all() and r.status in ("converged", "max_epochs")


def test_a_loss_with_corners_may_be_fitted_in_a_few_epochs():
    r = fastgd.fit(RAW, TARGETS["number"], loss="quantile", epochs=2)
    assert (r.status, r.n_epochs) == ("max_epochs", 2)
    assert np.isinf(r.history.decrement[0]), "nothing is proven before the first round"


# Which runs go so ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"learning_rate": 0.1}, {"optimizer": "momentum"}, {"batch_size": 8}, {"average": True}, {"loss": "perceptron"}],
)
def test_what_the_user_sets_is_kept(options):
    plan = plan_of(RAW[:, [0, 2]], TARGETS["label"] if "loss" in options else TARGETS["number"], **options)
    assert plan.solver.name in ("first_order", "staged_sgd")


def test_so_many_columns_are_left_to_first_order(monkeypatch):
    options = {"loss": "absolute_error", "bounds": (0, None)}
    assert plan_of(RAW, TARGETS["number"], **options).solver is quasi_newton.QuasiNewton
    monkeypatch.setattr(quasi_newton, "MOST_COLUMNS", RAW.shape[1])
    assert plan_of(RAW, TARGETS["number"], **options).solver is FirstOrder


# One way of many ----------------------------------------------------------------------------------------------------

OPTIONS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "raw columns": {"standardize": False},
    "neither": {"standardize": False, "fit_intercept": False},
    "weights": {"sample_weight": RNG.integers(0, 3, N).astype(float)},
    "lasso": {"alpha": 0.01, "l1_ratio": 1.0},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", ["squared_error", "log_loss", "hinge", "poisson"])
def test_the_reference_takes_the_same_steps(name, options):
    X = RAW[:, [0, 2, 4]] / [1e3, 1e-6, 1e5]
    r, expected = (f(X, target(name), loss=name, **options) for f in (fastgd.fit, reference.fit))
    assert (r.status, r.n_epochs) == (expected.status, expected.n_epochs)
    # On raw columns the first steps of hinge answer a change of the data by 1e-15 with one of the loss by 1e-6.
    np.testing.assert_allclose(r.history.loss, expected.history.loss, rtol=1e-5, atol=1e-12)
    assert r.history.loss[-1] == pytest.approx(expected.history.loss[-1], rel=1e-8, abs=1e-12)
    np.testing.assert_allclose(r.coef, expected.coef, rtol=1e-4, atol=1e-6 * np.abs(expected.coef).max())


@pytest.mark.parametrize("name", ["squared_error", "log_loss", pytest.param("quantile", marks=pytest.mark.jit)])
def test_lanes_are_fits(name):
    settings = {"alpha": [0.0, 0.1], "loss": name}
    s = fastgd.sweep(RAW, target(name), **settings)
    for alpha, result in zip(settings["alpha"], s.results, strict=True):
        alone = fastgd.fit(RAW, target(name), loss=name, alpha=alpha)
        assert (result.status, result.n_epochs) == (alone.status, alone.n_epochs)
        assert result.objective(RAW, target(name)) == pytest.approx(alone.objective(RAW, target(name)), rel=1e-9)


def test_folds_are_fits_on_their_rows():
    options = {"loss": "log_loss", "tol": 1e-12}
    c = fastgd.sweep(RAW, TARGETS["label"], alpha=[0.0], cv=[(np.arange(60, N), np.arange(60))], **options)
    alone = fastgd.fit(RAW[60:], TARGETS["label"][60:], **options)
    held = (TARGETS["label"][:60] == "yes").astype(float)
    assert c.losses[0] == pytest.approx(
        losses.LogLoss().value(alone.decision_function(RAW[:60]), held).mean(), rel=1e-6
    )


def test_several_targets_are_as_many_fits():
    Y = np.column_stack([TARGETS["number"], TARGETS["count"]])
    both = fastgd.fit(RAW, Y)
    for k in range(2):
        alone = fastgd.fit(RAW, Y[:, k])
        np.testing.assert_allclose(both.decision_function(RAW)[:, k], alone.decision_function(RAW), rtol=1e-7)


@pytest.mark.parametrize("name", ["log_loss", "quantile", "poisson"])
def test_a_stopped_run_goes_on_bit_for_bit(name):
    whole = fastgd.fit(RAW, target(name), loss=name)
    begun = fastgd.fit(RAW, target(name), loss=name, epochs=2)
    again = fastgd.fit(RAW, target(name), loss=name, resume=begun)
    assert again.n_epochs == whole.n_epochs
    np.testing.assert_array_equal(again.coef, whole.coef)
    np.testing.assert_array_equal(again.history.decrement, whole.history.decrement)


@pytest.mark.jit
def test_any_number_of_threads_gives_the_same_bits():
    X = np.random.default_rng(4).standard_normal((40_000, 6))
    y = X[:, 0] + X[:, 5] > 0
    X = X[:, :5].copy()
    one, three = (fastgd.fit(X, y, loss="log_loss", n_threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.coef, three.coef)


@pytest.mark.parametrize("engine", [fastgd, reference])
@pytest.mark.parametrize("intercept", [pytest.param(-800.0, marks=pytest.mark.jit), -60.0, -30.0, -10.0])
def test_a_start_where_the_loss_is_next_to_straight_is_left(engine, intercept):
    """exp(-30) has a slope, and no curvature to speak of: Newton's step is far too long, and no optimum is near."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = rng.poisson(2.0, 60)
    best = engine.fit(X, y, loss="poisson")
    far = engine.fit(X, y, loss="poisson", start=([0.0, 0.0, 0.0], intercept))
    assert far.status == "converged"
    if intercept > -700.0:  # exp(-800) is no number
        np.testing.assert_allclose([*far.coef, far.intercept], [*best.coef, best.intercept], rtol=1e-2, atol=1e-3)
