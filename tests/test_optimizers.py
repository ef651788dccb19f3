"""Optimizers: each against its textbook, step by step, and all of them against penalised optima found by others."""

import numpy as np
import pytest
from conftest import JIT_OFF, PROBLEMS
from scipy.optimize import Bounds, minimize
from sklearn.linear_model import ElasticNet

import fastgd
from fastgd import losses, optimizers, reference, schedules
from fastgd._parts import snake_case

OPTIMIZERS = [snake_case(name) for name in optimizers.__all__]


def path(optimizer, gradients, rates):
    """The weights after each step from zero, by the part's own methods."""
    w = np.zeros(gradients.shape[1])
    slots, carry, weights = tuple(np.zeros((optimizer.slots, w.size))), (1.0, 1.0), []
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        c, carry = optimizer.prepare(rate, t, carry)
        change, step, slots = optimizer.move(c, w, g, slots)
        assert np.all(step > 0)
        assert len(slots) == optimizer.slots
        w = w + change
        weights.append(w)
    return np.array(weights)


@pytest.fixture
def gradients():
    return np.random.default_rng(0).standard_normal((50, 3)) * [1e-3, 1.0, 1e3]


RATES = 0.1 / np.sqrt(np.arange(1, 51))


def test_sgd_is_the_textbook_step(gradients):
    np.testing.assert_allclose(
        path(optimizers.Sgd(), gradients, RATES), -np.cumsum(RATES[:, None] * gradients, 0), rtol=1e-12
    )
    np.testing.assert_array_equal(
        path(optimizers.Sgd(2.0), gradients, RATES), path(optimizers.Sgd(), gradients, 2 * RATES)
    )


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_momentum_is_the_textbook_velocity(gradients, beta):
    w, v, expected = 0.0, 0.0, []
    for g, rate in zip(gradients, RATES, strict=True):
        v = beta * v - rate * g
        w = w + v
        expected.append(w)
    np.testing.assert_allclose(path(optimizers.Momentum(beta), gradients, RATES), expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("beta1, beta2, epsilon", [(0.9, 0.999, 1e-8), (0.5, 0.9, 1e-2), (0.0, 0.0, 1e-8)])
def test_adam_is_algorithm_1_of_the_paper(gradients, beta1, beta2, epsilon):
    w, m, v, expected = 0.0, 0.0, 0.0, []
    for t, (g, rate) in enumerate(zip(gradients, RATES, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        w = w - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
        expected.append(w)
    np.testing.assert_allclose(path(optimizers.Adam(beta1, beta2, epsilon), gradients, RATES), expected, rtol=1e-11)


PENALTIES = {
    "none": {},
    "l2": {"alpha": 0.3},
    "l1": {"alpha": 0.3, "l1_ratio": 1.0},
    "elastic_net": {"alpha": 0.4, "l1_ratio": 0.5},
    "bounds": {"bounds": ([0.0, -np.inf, -0.2], [np.inf, 0.1, 0.2])},
    "l1_and_bounds": {"alpha": 0.2, "l1_ratio": 1.0, "bounds": (None, 0.5)},
}


def outside_optimum(X, y, alpha=0.0, l1_ratio=0.0, bounds=(None, None)):
    """Coefficients and intercept of penalised least squares, by scikit-learn or by L-BFGS-B on w = u - v."""
    n, d = X.shape
    if bounds == (None, None) and alpha > 0:
        model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000).fit(X, y)
        return model.coef_, model.intercept_
    low, high = (
        np.broadcast_to(none if side is None else side, d) for side, none in zip(bounds, (-np.inf, np.inf), strict=True)
    )

    def objective(z):
        w = z[:d] - z[d : 2 * d]
        r = X @ w + z[-1] - y
        g = X.T @ r / n + alpha * (1 - l1_ratio) * w
        value = 0.5 * np.mean(r**2) + alpha * (l1_ratio * z[:-1].sum() + (1 - l1_ratio) / 2 * w @ w)
        return value, np.concatenate([g + alpha * l1_ratio, -g + alpha * l1_ratio, [r.mean()]])

    box = Bounds(
        np.concatenate([np.maximum(low, 0), np.maximum(-high, 0), [-np.inf]]),
        np.concatenate([np.maximum(high, 0), np.maximum(-low, 0), [np.inf]]),
    )
    z = minimize(objective, np.zeros(2 * d + 1), jac=True, bounds=box, options={"ftol": 1e-16, "gtol": 1e-10}).x
    return z[:d] - z[d:-1], z[-1]


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_reaches_the_penalised_optimum(optimizer, penalty):
    X, y, _ = PROBLEMS["plain"]
    fit = reference.fit if JIT_OFF else fastgd.fit
    rate = schedules.InverseScaling(0.2, 0.5)
    r = fit(X, y, optimizer=optimizer, learning_rate=rate, epochs=5000, **PENALTIES[penalty])
    coef, intercept = outside_optimum(X, y, **PENALTIES[penalty])
    np.testing.assert_allclose(r.coef, coef, atol=1e-5)
    assert r.intercept == pytest.approx(intercept, abs=1e-5)
    np.testing.assert_array_equal(r.coef == 0, np.abs(coef) < 1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_bounds_hold_in_the_users_units_when_columns_are_scaled(optimizer):
    X, y, _ = PROBLEMS["raw"]
    low, high = np.array([0.0, -1e-7, -np.inf, -1e-3]), np.array([1e-2, 1e-7, 10.0, np.inf])
    r = fastgd.fit(X, y, optimizer=optimizer, bounds=(low, high), epochs=200)
    assert np.all((low <= r.coef) & (r.coef <= high))
    assert r.coef[2] == high[2]  # without bounds about 3400


@pytest.mark.parametrize("loss", losses.__all__)
def test_optimizers_start_afresh_in_every_fit(loss, plain):
    y = plain.target(getattr(losses, loss))
    a, b = (fastgd.fit(plain.X, y, loss=snake_case(loss), epochs=3) for _ in range(2))
    np.testing.assert_array_equal(a.coef, b.coef)
