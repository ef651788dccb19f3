"""Losses: slopes, values, curvature, their compiled elementary functions, and fits against other solvers."""

import numpy as np
import pytest
from conftest import ELEMENTWISE, PROBLEMS, slow_to_compile
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special
from sklearn import linear_model, metrics, svm

import fastgd
from fastgd import losses, schedules
from fastgd.parts import elementary

LOSSES = [getattr(losses, name)() for name in ELEMENTWISE]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=ELEMENTWISE)
scores = st.floats(-1e3, 1e3)
FAR = np.array([-1e308, -1e4, -745.0, 745.0, 1e4, 1e308])


def targets(loss):
    """A few targets of the kind that a loss is for."""
    if loss.labels:
        return np.array([0.0, 1.0])
    if loss.domain:
        return np.array(([0.0] if "low" in loss.domain else []) + [0.1, 0.5, 1.0, 3.0, 20.0])
    return np.array([-2.0, -0.5, 0.0, 1.0, 3.0])


def grid(loss):
    """Scores (off the kinks) and targets of every pair."""
    p, y = np.meshgrid(np.linspace(-4, 4, 81) + 0.0137, targets(loss))
    return p.ravel(), y.ravel()


# Slopes and values --------------------------------------------------------------------------------------------------


@every_loss
def test_slope_is_the_derivative_of_value(loss):
    p, y = grid(loss)
    h = 1e-6
    expected = (loss.value(p + h, y) - loss.value(p - h, y)) / (2 * h)
    np.testing.assert_allclose(loss.slope(p, y), expected, rtol=1e-8, atol=1e-8)


@every_loss
def test_curvature_bounds_the_second_derivative(loss):
    p, y = grid(loss)
    second = (loss.slope(p + 1e-4, y) - loss.slope(p - 1e-4, y)) / 2e-4
    assert second.max() <= loss.curvature * (1 + 1e-9)
    if np.isfinite(loss.curvature):
        assert second.max() >= 0.9 * loss.curvature, "the bound is loose: automatic rates would be too small"
    else:
        assert not loss.smooth or loss.domain, "a smooth loss without a bound is one of an exponential"


@every_loss
def test_a_slope_jumps_only_where_the_loss_says_so(loss):
    p, y = np.meshgrid(np.linspace(-4, 4, 801), targets(loss))
    jumps = np.abs(loss.slope(p + 1e-9, y) - loss.slope(p - 1e-9, y))
    assert (jumps.max() < 1e-3) == loss.smooth


@every_loss
def test_losses_that_say_so_go_by_the_residual_alone(loss):
    p, y = (a[grid(loss)[1] > 0] for a in grid(loss))
    same = np.allclose(loss.value(p + 0.25, y + 0.25), loss.value(p, y), rtol=1e-9, atol=1e-12)
    assert same == loss.residual_only


@every_loss
def test_a_number_gives_what_an_array_gives(loss):
    p, y = grid(loss)
    for method in (loss.value, loss.slope):
        np.testing.assert_allclose(
            [method(a, b) for a, b in zip(p, y, strict=True)], method(p, y), rtol=1e-15, atol=1e-16
        )


@every_loss
@given(p=scores, q=scores, y=st.floats(-1e3, 1e3), label=st.booleans())
def test_losses_are_convex_and_never_negative(loss, p, q, y, label):
    y = float(label) if loss.labels else y
    if loss.domain:
        p, q, y = 0.03 * p, 0.03 * q, abs(y) if abs(y) > 1e-3 else loss.domain.get("low", 1e-3)
    chord = (loss.value(p, y) + loss.value(q, y)) / 2
    assert loss.value((p + q) / 2, y) <= chord + 1e-9 * (1 + chord)
    assert loss.value(p, y) >= 0
    a, b = loss.slope(p, y), loss.slope(q, y)
    assert (a - b) * (p - q) >= -1e-14 * (abs(a) + abs(b)) * abs(p - q) * bool(loss.domain)


@every_loss
def test_the_least_loss_is_at_the_target(loss):
    y = targets(loss)
    y = y[y > 0] if loss.domain else y
    perfect = np.log(y) if loss.domain else np.where(y > 0, 1e3, -1e3) if loss.labels else y
    np.testing.assert_allclose(loss.value(perfect, y), 0, atol=1e-30)
    np.testing.assert_allclose(loss.slope(perfect, y), 0, atol=1e-14)


KINKS = [
    (losses.AbsoluteError(), 0.0, 0.0, 0.0),
    (losses.Quantile(0.3), 2.0, 2.0, 0.0),
    (losses.EpsilonInsensitive(0.5), 0.5, 0.0, 0.0),
    (losses.EpsilonInsensitive(0.5), -0.5, 0.0, 0.0),
    (losses.EpsilonInsensitive(0.0), 1.0, 1.0, 0.0),
    (losses.Hinge(), 1.0, 1.0, -1.0),
    (losses.Hinge(), -1.0, 0.0, 1.0),
    (losses.Perceptron(), 0.0, 1.0, -1.0),
    (losses.Perceptron(), 0.0, 0.0, 1.0),
]


@pytest.mark.parametrize("loss, p, y, expected", KINKS)
def test_slopes_at_the_kinks(loss, p, y, expected):
    assert loss.slope(p, y) == expected
    q = p + np.array([-1.0, -0.1, 0.1, 1.0])
    assert (loss.value(q, y) >= loss.value(p, y) + expected * (q - p) - 1e-15).all(), "not a subgradient"


def test_values_agree_with_the_libraries():
    p, y = grid(losses.SquaredError())
    np.testing.assert_allclose(losses.SquaredError().value(p, y), 0.5 * (p - y) ** 2, rtol=1e-15)
    np.testing.assert_allclose(losses.Mse().value(p, y).mean(), metrics.mean_squared_error(y, p), rtol=1e-14)
    np.testing.assert_allclose(losses.AbsoluteError().value(p, y).mean(), metrics.mean_absolute_error(y, p), rtol=1e-14)
    for delta in (0.3, 1.0, 2.5):
        np.testing.assert_allclose(losses.Huber(delta).value(p, y), special.huber(delta, p - y), rtol=1e-13, atol=1e-16)
    for q in (0.1, 0.5, 0.8):
        expected = metrics.mean_pinball_loss(y, p, alpha=q)
        np.testing.assert_allclose(losses.Quantile(q).value(p, y).mean(), expected, rtol=1e-14)
    for epsilon in (0.0, 0.1, 2.0):
        beyond = np.where(np.abs(p - y) > epsilon, np.abs(p - y) - epsilon, 0)
        np.testing.assert_allclose(losses.EpsilonInsensitive(epsilon).value(p, y), beyond, rtol=1e-14)
        np.testing.assert_allclose(losses.SquaredEpsilonInsensitive(epsilon).value(p, y), beyond**2, rtol=1e-14)


def test_values_of_classes_agree_with_the_libraries():
    p, y = grid(losses.LogLoss())
    z = np.where(y == 1, p, -p)
    np.testing.assert_allclose(losses.LogLoss().value(p, y), np.logaddexp(0, p) - y * p, rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(losses.LogLoss().value(p, y).mean(), metrics.log_loss(y, special.expit(p)), rtol=1e-13)
    np.testing.assert_allclose(losses.LogLoss().slope(p, y), special.expit(p) - y, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(losses.Hinge().value(p, y).mean(), metrics.hinge_loss(y, p), rtol=1e-14)
    np.testing.assert_allclose(losses.SquaredHinge().value(p, y), np.where(z < 1, 1 - z, 0) ** 2, rtol=1e-14)
    expected = np.select([z >= 1, z >= -1], [0, (1 - z) ** 2], -4 * z)
    np.testing.assert_allclose(losses.ModifiedHuber().value(p, y), expected, rtol=1e-14)
    np.testing.assert_allclose(losses.Perceptron().value(p, y), np.where(z < 0, -z, 0), rtol=1e-14)


DEVIANCES = [
    (losses.Poisson(), metrics.mean_poisson_deviance, {}),
    (losses.Gamma(), metrics.mean_gamma_deviance, {}),
    *((losses.Tweedie(power), metrics.mean_tweedie_deviance, {"power": power}) for power in (1.01, 1.5, 1.9)),
]


@pytest.mark.parametrize("loss, deviance, options", DEVIANCES)
def test_half_deviances(loss, deviance, options):
    for p, y in zip(*grid(loss), strict=True):
        expected = deviance([y], np.exp([p]), **options) / 2
        np.testing.assert_allclose(loss.value(p, y), expected, rtol=1e-11, atol=1e-12)
        assert loss.mean(p) == np.exp(p)


@pytest.mark.parametrize("loss, power", [(losses.Poisson(), 1), (losses.Gamma(), 2), (losses.Tweedie(1.3), 1.3)])
@pytest.mark.parametrize("y", [1e-3, 1.0, 7e5])
def test_half_deviances_near_a_perfect_fit(loss, power, y):
    away = 1e-6
    # The deviance is y**(2 - power) * away**2 there; its formula as printed has lost half its digits or more.
    expected = y ** (2 - power) * away**2 / 2
    np.testing.assert_allclose(loss.value(np.log(y) + away, y), expected, rtol=1e-5)
    np.testing.assert_allclose(loss.value(np.log(y) - away, y), expected, rtol=1e-5)


@every_loss
def test_far_scores_saturate_and_are_never_nan(loss):
    p, y = np.meshgrid(FAR, targets(loss))
    with np.errstate(over="ignore"):
        value, slope = loss.value(p, y), loss.slope(p, y)
    assert not np.isnan(value).any()
    assert not np.isnan(slope).any()
    assert (np.maximum(value[:, 0], value[:, -1]) >= 1e250).all()
    assert (slope[:, 0] <= 1e-300).all()
    assert (slope[:, -1] >= -1e-300).all()


@every_loss
def test_float32_saturates_no_sooner(loss):
    p, y = (a.astype(np.float32) for a in np.meshgrid([-300.0, -100.0, -1.0, 1.0, 100.0, 300.0], targets(loss)))
    for method in (loss.value, loss.slope):
        np.testing.assert_allclose(method(p, y), method(p.astype(float), y.astype(float)), rtol=1e-6)


@pytest.mark.parametrize("p", FAR)
def test_log_loss_saturates_and_never_overflows(p):
    loss = losses.LogLoss()
    assert loss.value(p, 0.0) == pytest.approx(max(p, 0.0), rel=1e-15, abs=1e-300)
    assert loss.value(p, 1.0) == pytest.approx(max(-p, 0.0), rel=1e-15, abs=1e-300)
    assert loss.slope(p, 0.0) == pytest.approx(float(p > 0), abs=1e-300)


# What a score says of the target --------------------------------------------------------------------------------------


@every_loss
def test_the_slope_is_zero_at_the_mean_of_the_target(loss):
    if loss.link == "identity":
        np.testing.assert_array_equal(loss.mean(SCORES), SCORES)
    else:  # maximum likelihood in a natural or logarithmic parameter
        y = np.array([0.2, 0.7, 0.9])
        link = {"log": np.log, "logit": special.logit}[loss.link]
        np.testing.assert_allclose(loss.mean(link(y)), y)
        np.testing.assert_allclose(loss.slope(link(y), y), 0.0, atol=1e-12)


SCORES = np.array([-800.0, -3.0, -1.0, -0.2, 0.0, 0.5, 1.0, 40.0])


@pytest.mark.parametrize("name", ["log_loss", "modified_huber"])
def test_probabilities_are_scikit_learns(name):
    loss = {"log_loss": losses.LogLoss, "modified_huber": losses.ModifiedHuber}[name]()
    for classes in (2, 3):
        model = linear_model.SGDClassifier(loss=name, max_iter=1, tol=None)
        X = np.random.default_rng(0).standard_normal((60, 4))
        model.fit(X, np.arange(60) % classes)
        model.coef_ *= 3.0
        scores = model.decision_function(X)
        np.testing.assert_allclose(loss.probabilities(scores), model.predict_proba(X), rtol=1e-9, atol=1e-15)
    nowhere = loss.probabilities(np.full((1, 3), -2.0))
    np.testing.assert_allclose(nowhere, 1 / 3)


def test_probabilities_of_several_classes_are_the_softmax():
    scores = np.random.default_rng(0).standard_normal((20, 4)) * [1.0, 10.0, 100.0, 1000.0]
    found = losses.Multinomial().probabilities(scores)
    np.testing.assert_allclose(found, special.softmax(scores, axis=1), rtol=1e-12)
    two = np.column_stack([0 * SCORES, SCORES])
    np.testing.assert_allclose(losses.Multinomial().probabilities(SCORES), special.softmax(two, axis=1), rtol=1e-12)


def test_probabilities_are_exact_where_they_are_tiny():
    found = losses.LogLoss().probabilities(SCORES)
    np.testing.assert_allclose(found, special.expit(np.column_stack([-SCORES, SCORES])), rtol=1e-12)


@every_loss
def test_only_losses_of_classes_have_probabilities(loss):
    assert loss.probabilities is None or (loss.labels and loss.mean(0.0) in (0.0, 0.5))


# Compiled -----------------------------------------------------------------------------------------------------------


def vectorized(function):
    import numba

    import fastgd.kernels.lanes  # noqa: F401  (registers the twins)

    return numba.vectorize(["float64(float64)"])(function)


@pytest.mark.jit
def test_the_compiled_exp_and_log1p_are_as_good_as_numpys():
    exp, log1p = vectorized(_exp), vectorized(_log1p)
    x = np.concatenate([np.linspace(-708, 709, 20_001), np.linspace(-1, 1, 20_001)])
    np.testing.assert_allclose(exp(x), np.exp(x), rtol=1e-15)
    np.testing.assert_allclose(
        exp(np.array([-1e308, -np.inf, 1e308, np.inf])), np.exp([-708, -708, 709, 709]), rtol=1e-15
    )
    z = np.concatenate([np.linspace(0, 1, 20_001), np.geomspace(1e-300, 1, 301)])
    np.testing.assert_allclose(log1p(z), np.log1p(z), rtol=1e-15)
    assert np.isnan(exp(np.nan))
    assert np.isnan(log1p(np.nan))


@pytest.mark.jit
def test_the_compiled_log_is_as_good_as_numpys():
    log = vectorized(_log)
    x = np.concatenate([np.geomspace(2.3e-308, 1.7e308, 20_001), np.linspace(0.5, 2, 20_001)])
    near = np.geomspace(1e-15, 0.1, 301)
    x = np.concatenate([x, 1 + near, 1 - near])
    np.testing.assert_allclose(log(x), np.log(x), rtol=1e-15)
    np.testing.assert_array_equal(log(x), np.array([log(one) for one in x]))
    for tiny in (0.0, 5e-324):
        assert elementary.log(tiny) == pytest.approx(np.log(2.0**-1022), rel=1e-15)
        assert log(tiny) == pytest.approx(np.log(2.0**-1022), rel=1e-15)
    with np.errstate(invalid="ignore"):
        assert np.isnan(log(np.nan))


@pytest.mark.jit
def test_the_compiled_expm1mx_is_better_than_numpys():
    expm1mx = vectorized(_expm1mx)
    x = np.concatenate([np.linspace(-708, 709, 20_001), [-1e308, -1e4, 0.0]])
    np.testing.assert_allclose(expm1mx(x), np.exp(x) - 1 - x, rtol=1e-14, atol=1e-15)
    assert (expm1mx(x) >= 0).all()
    assert expm1mx(1e308) == expm1mx(np.inf) == expm1mx(709.0)
    assert expm1mx(-np.inf) == np.inf
    assert np.isnan(expm1mx(np.nan))
    small = np.concatenate([np.linspace(-0.7, 0.7, 2001), np.geomspace(1e-150, 0.1, 301)])
    terms = [small**k / special.factorial(k) for k in range(20, 1, -1)]
    np.testing.assert_allclose(expm1mx(small), np.sum(terms, axis=0), rtol=3e-15)
    np.testing.assert_allclose(elementary.expm1mx(small), expm1mx(small), rtol=1e-15, atol=1e-16)


@slow_to_compile
@pytest.mark.jit
@every_loss
def test_compiled_losses_give_what_numpy_gives(loss):
    import numba

    from fastgd.kernels._jit import OPTIONS

    @numba.njit(**OPTIONS)
    def compiled(loss, p, y, value, slope):
        for k in range(p.size):
            value[k] = loss.value(p[k], y[k])
            slope[k] = loss.slope(p[k], y[k])

    p, y = np.meshgrid(np.concatenate([np.linspace(-30, 30, 301), [-0.1, 0.1], FAR]), targets(loss))
    p, y = p.ravel(), y.ravel()
    value, slope = np.empty((2, p.size))
    compiled(loss, p, y, value, slope)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(value, loss.value(p, y), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(slope, loss.slope(p, y), rtol=1e-12, atol=1e-14)


def _exp(x):
    return elementary.exp(x)


def _log1p(z):
    return elementary.log1p(z)


def _log(x):
    return elementary.log(x)


def _expm1mx(x):
    return elementary.expm1mx(x)


# Fits against other solvers -----------------------------------------------------------------------------------------

ALPHA = 0.1
C = 1 / (ALPHA * 80)  # the same penalty in the words of support vector machines
STEADY, FALLING = 0.1, schedules.InverseScaling(1.0, power=0.5)


def fitted_targets(loss):
    """The targets of the plain problem, made such as the loss is for; some labels are wrong."""
    y = PROBLEMS["plain"].y
    if loss.labels:
        return np.where(np.arange(80) % 7 == 0, y <= 2, y > 2).astype(float)
    if loss.domain:
        y = np.exp((y - y.mean()) / 2)
        return np.round(y) if "low" in loss.domain else y
    return y


def lbfgs(loss, X, y):
    """The optimum of a smooth loss by quasi-Newton steps."""

    def objective(w):
        p = X @ w[:-1] + w[-1]
        slope = loss.slope(p, y) / y.size
        value = loss.value(p, y).mean() + ALPHA / 2 * w[:-1] @ w[:-1]
        return value, np.append(X.T @ slope + ALPHA * w[:-1], slope.sum())

    return optimize.minimize(objective, np.zeros(X.shape[1] + 1), jac=True, options={"gtol": 1e-10, "maxiter": 1000}).x


def sklearns(model):
    """The optimum by a model of scikit-learn."""

    def solve(loss, X, y):
        model.fit(X, y)
        return np.append(model.coef_, model.intercept_)

    return solve


exact = {"tol": 1e-10, "max_iter": 10_000}
FITS = [
    (losses.AbsoluteError(), FALLING, sklearns(svm.SVR(kernel="linear", epsilon=0.0, C=C, tol=1e-9))),
    (losses.EpsilonInsensitive(0.2), FALLING, sklearns(svm.SVR(kernel="linear", epsilon=0.2, C=C, tol=1e-9))),
    (losses.Quantile(0.3), FALLING, sklearns(linear_model.QuantileRegressor(quantile=0.3, alpha=ALPHA))),
    (losses.Hinge(), FALLING, sklearns(svm.SVC(kernel="linear", C=C, tol=1e-9))),
    (losses.SquaredEpsilonInsensitive(0.2), STEADY, lbfgs),
    (losses.SquaredHinge(), STEADY, lbfgs),
    (losses.ModifiedHuber(), STEADY, lbfgs),
    (losses.LogLoss(), STEADY, sklearns(linear_model.LogisticRegression(C=C, **exact))),
    (losses.Poisson(), STEADY, sklearns(linear_model.PoissonRegressor(alpha=ALPHA, **exact))),
    (losses.Gamma(), STEADY, sklearns(linear_model.GammaRegressor(alpha=ALPHA, **exact))),
    (losses.Tweedie(1.5), STEADY, sklearns(linear_model.TweedieRegressor(power=1.5, link="log", alpha=ALPHA, **exact))),
]


@pytest.mark.jit
@pytest.mark.slow
@pytest.mark.parametrize("loss, rate, solve", FITS, ids=[type(loss).__name__ for loss, _, _ in FITS])
def test_a_fit_reaches_the_optimum_of_another_solver(plain, loss, rate, solve):
    X, y = plain.X, fitted_targets(loss)
    l1_ratio = float(isinstance(loss, losses.Quantile))  # QuantileRegressor has the lasso's penalty
    expected = solve(loss, X, y)
    r = fastgd.fit(X, y, loss=loss, alpha=ALPHA, l1_ratio=l1_ratio, learning_rate=rate, epochs=3000)

    def objective(w):
        penalty = l1_ratio * np.abs(w[:-1]).sum() + (1 - l1_ratio) / 2 * w[:-1] @ w[:-1]
        return loss.value(X @ w[:-1] + w[-1], y).mean() + ALPHA * penalty

    found = np.append(r.coef, r.intercept)
    assert objective(found) == pytest.approx(objective(expected), rel=1e-10 if loss.smooth else 1e-4)
    assert r.objective(X, y) == pytest.approx(objective(found), rel=1e-12)
    np.testing.assert_allclose(found, expected, atol=1e-6 if loss.smooth else 1e-2)
    np.testing.assert_allclose(
        r.decision_function(X), X @ expected[:-1] + expected[-1], atol=1e-5 if loss.smooth else 0.03
    )


def sgd(model, name, **options):
    return model(
        loss=name, penalty=None, learning_rate="constant", eta0=0.05, max_iter=3, tol=None, shuffle=False, **options
    )


PATHS = [
    (losses.SquaredError(), sgd(linear_model.SGDRegressor, "squared_error")),
    (losses.Huber(0.4), sgd(linear_model.SGDRegressor, "huber", epsilon=0.4)),
    (losses.EpsilonInsensitive(0.2), sgd(linear_model.SGDRegressor, "epsilon_insensitive", epsilon=0.2)),
    (losses.SquaredEpsilonInsensitive(0.2), sgd(linear_model.SGDRegressor, "squared_epsilon_insensitive", epsilon=0.2)),
    (losses.LogLoss(), sgd(linear_model.SGDClassifier, "log_loss")),
    (losses.Hinge(), sgd(linear_model.SGDClassifier, "hinge")),
    (losses.SquaredHinge(), sgd(linear_model.SGDClassifier, "squared_hinge")),
    (losses.ModifiedHuber(), sgd(linear_model.SGDClassifier, "modified_huber")),
    (losses.Perceptron(), sgd(linear_model.SGDClassifier, "perceptron")),
]


@slow_to_compile
@pytest.mark.parametrize("loss, model", PATHS, ids=[type(loss).__name__ for loss, _ in PATHS])
def test_row_by_row_the_path_is_scikit_learns(plain, loss, model):
    y = fitted_targets(loss)
    model.fit(plain.X, y)
    options = {"batch_size": 1, "learning_rate": 0.05, "epochs": 3, "shuffle": False}
    r = fastgd.fit(plain.X, y, loss=loss, **options)
    np.testing.assert_allclose(np.append(r.coef, r.intercept), np.append(model.coef_, model.intercept_), rtol=1e-11)
