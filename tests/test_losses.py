"""Losses: slopes, values, curvature, and their compiled exponential and logarithm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics

from fastgd import losses

LOSSES = [getattr(losses, name)() for name in losses.__all__]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=losses.__all__)
scores = st.floats(-1e3, 1e3)


def grid(loss):
    """Scores (off the kinks) and targets of every pair."""
    y = np.array([0.0, 1.0]) if loss.labels else np.array([-2.0, -0.5, 0.0, 1.0, 3.0])
    p, y = np.meshgrid(np.linspace(-4, 4, 81) + 0.0137, y)
    return p.ravel(), y.ravel()


@every_loss
def test_slope_is_the_derivative_of_value(loss):
    p, y = grid(loss)
    h = 1e-6
    np.testing.assert_allclose(loss.slope(p, y), (loss.value(p + h, y) - loss.value(p - h, y)) / (2 * h), atol=1e-8)


@every_loss
def test_curvature_bounds_the_second_derivative(loss):
    p, y = grid(loss)
    second = (loss.slope(p + 1e-4, y) - loss.slope(p - 1e-4, y)) / 2e-4
    assert second.max() <= loss.curvature * (1 + 1e-9)
    assert second.max() >= 0.9 * loss.curvature, "the bound is loose: automatic rates would be too small"


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
    chord = (loss.value(p, y) + loss.value(q, y)) / 2
    assert loss.value((p + q) / 2, y) <= chord + 1e-9 * (1 + chord)
    assert loss.value(p, y) >= 0
    assert (loss.slope(p, y) - loss.slope(q, y)) * (p - q) >= 0


def test_values_agree_with_the_libraries():
    p, y = grid(losses.SquaredError())
    np.testing.assert_allclose(losses.SquaredError().value(p, y), 0.5 * (p - y) ** 2, rtol=1e-15)
    np.testing.assert_allclose(losses.Mse().value(p, y).mean(), metrics.mean_squared_error(y, p), rtol=1e-14)
    for delta in (0.3, 1.0, 2.5):
        np.testing.assert_allclose(losses.Huber(delta).value(p, y), special.huber(delta, p - y), rtol=1e-13, atol=1e-16)
    p, y = grid(losses.LogLoss())
    np.testing.assert_allclose(losses.LogLoss().value(p, y), np.logaddexp(0, p) - y * p, rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(losses.LogLoss().value(p, y).mean(), metrics.log_loss(y, special.expit(p)), rtol=1e-13)
    np.testing.assert_allclose(losses.LogLoss().slope(p, y), special.expit(p) - y, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("p", [-1e308, -1e4, -745.0, 745.0, 1e4, 1e308])
def test_log_loss_saturates_and_never_overflows(p):
    loss = losses.LogLoss()
    assert loss.value(p, 0.0) == pytest.approx(max(p, 0.0), rel=1e-15, abs=1e-300)
    assert loss.value(p, 1.0) == pytest.approx(max(-p, 0.0), rel=1e-15, abs=1e-300)
    assert loss.slope(p, 0.0) == pytest.approx(float(p > 0), abs=1e-300)


@pytest.mark.jit
def test_the_compiled_exp_and_log1p_are_as_good_as_numpys():
    import numba

    import fastgd.kernels.lanes  # noqa: F401  (registers the twins)

    exp, log1p = (numba.vectorize(["float64(float64)"])(f) for f in (_exp, _log1p))
    x = np.concatenate([np.linspace(-708, 709, 20_001), np.linspace(-1, 1, 20_001)])
    np.testing.assert_allclose(exp(x), np.exp(x), rtol=1e-15)
    np.testing.assert_allclose(
        exp(np.array([-1e308, -np.inf, 1e308, np.inf])), np.exp([-708, -708, 709, 709]), rtol=1e-15
    )
    z = np.concatenate([np.linspace(0, 1, 20_001), np.geomspace(1e-300, 1, 301)])
    np.testing.assert_allclose(log1p(z), np.log1p(z), rtol=1e-15)
    assert np.isnan(exp(np.nan))
    assert np.isnan(log1p(np.nan))


def _exp(x):
    return losses.exp(x)


def _log1p(z):
    return losses.log1p(z)
