"""Schedules: pure functions of the step, on numbers and on arrays, and followed by the fit."""

import numpy as np
import pytest

import fastgd
from fastgd import schedules

every_schedule = pytest.mark.parametrize("name", schedules.__all__)
T = np.arange(1.0, 5001.0)


@every_schedule
def test_rates_are_positive_finite_and_the_same_one_by_one(name):
    schedule = getattr(schedules, name)()
    rates = schedule.rate(T)
    assert rates.shape == T.shape
    assert np.all((rates > 0) & np.isfinite(rates))
    np.testing.assert_allclose([schedule.rate(t) for t in T], rates, rtol=1e-14)


@every_schedule
def test_the_fit_follows_the_schedule(name, plain):
    schedule = getattr(schedules, name)()
    r = fastgd.fit(plain.X, plain.y, learning_rate=schedule, batch_size=16, epochs=4)
    np.testing.assert_allclose(r.history.learning_rate, schedule.rate(np.array([5.0, 10.0, 15.0, 20.0])), rtol=1e-14)


def test_values():
    np.testing.assert_array_equal(schedules.Constant(0.3).rate(T), 0.3)
    np.testing.assert_allclose(
        schedules.InverseScaling(0.5, 0.5).rate(np.array([1, 4, 100])), [0.5, 0.25, 0.05], rtol=1e-15
    )


@every_schedule
def test_the_first_rate_is_the_initial_one(name):
    schedule = getattr(schedules, name)(0.7)
    assert schedule.rate(1.0) == pytest.approx(0.7)
