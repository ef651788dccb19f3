"""A line search finds the minimum of a cubic, and lowers what it is given."""

import math

import pytest

from fastgd.solvers.line_search import shorter


def test_the_next_length_is_the_cubics_minimum():
    """Of (x - 0.3)**2 (x + 1) from 0 the minimum is 0.3."""

    def value(x):
        return (x - 0.3) ** 2 * (x + 1)

    def slope(x):
        return 2 * (x - 0.3) * (x + 1) + (x - 0.3) ** 2

    assert shorter(1.0, value(0), slope(0), value(1), slope(1)) == pytest.approx(0.3)
    assert shorter(0.8, value(0), slope(0), value(0.8), slope(0.8)) == pytest.approx(0.3)


@pytest.mark.parametrize("end", [math.inf, math.nan, 1e300])
def test_a_step_too_far_is_shortened_to_a_tenth(end):
    assert shorter(1.0, 1.0, -1.0, end, math.nan) == pytest.approx(0.1)


def test_lengths_stay_between_a_tenth_and_a_half():
    assert shorter(1.0, 1.0, -1.0, 1.0 - 1e-12, 1e-9) <= 0.5
    assert shorter(1.0, 1.0, -1e-9, 1.0 + 1e9, 1e9) == pytest.approx(0.1)
