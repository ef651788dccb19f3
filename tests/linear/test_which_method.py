"""Which method fits all rows, by the loss, the penalty and the bounds: the table of docs/how_it_works/auto.md."""

from typing import NamedTuple

import numpy as np
import pytest
from conftest import plan_of

from fastgd import losses
from fastgd.parts.registry import snake_case

RNG = np.random.default_rng(5)
X, WIDE = RNG.standard_normal((40, 3)), RNG.standard_normal((6, 1024))
LINES = "hinge", "absolute_error", "quantile", "epsilon_insensitive"
LASSO, RIDGE, BOUNDS = {"alpha": 0.1, "l1_ratio": 0.5}, {"alpha": 0.1}, {"bounds": (0, None)}


class Cube(NamedTuple):
    """A loss that has neither a second derivative nor kinks."""

    factor: float = 1.0

    def value(self, p, y):
        return self.factor * np.abs(p - y) ** 3

    def slope(self, p, y):
        return 3.0 * self.factor * (p - y) * np.abs(p - y)


class Bent(Cube):
    """The same with a second derivative."""

    def second_derivative(self, p, y):
        return 6.0 * self.factor * np.abs(p - y)


def method_of(loss, X=X, **options):
    """The name of the method that fits a loss."""
    return plan_of(X, np.arange(len(X)) % 2 + 1.0, loss=loss, **options).solver.name


def names(smooth):
    """The built-in losses of one score that are smooth, or that are not."""
    found = [name for name in losses.__all__ if getattr(losses, name).smooth == smooth]
    return [snake_case(name) for name in found if not getattr(losses, name).joint]


@pytest.mark.parametrize("options", [{}, RIDGE, LASSO, BOUNDS], ids=str)
@pytest.mark.parametrize("loss", names(smooth=True))
def test_smooth_losses(loss, options):
    assert method_of(loss, **options) == method_of(loss, WIDE, **options) == "quasi_newton"


def test_losses_of_several_classes():
    for options in ({}, RIDGE, LASSO, BOUNDS):
        assert method_of("multinomial", **options) == "quasi_newton"


@pytest.mark.parametrize("loss", LINES)
def test_losses_made_of_lines(loss):
    assert set(names(smooth=False)) == {*LINES, "perceptron"}
    assert method_of(loss) == method_of(loss, **RIDGE) == method_of(loss, WIDE) == "interior_point"
    assert method_of(loss, **LASSO) == method_of(loss, **BOUNDS) == "quasi_newton"
    assert method_of(loss, WIDE, **LASSO) == method_of(loss, WIDE, **BOUNDS) == "first_order"


def test_a_loss_with_a_width_is_not_made_of_lines():
    assert method_of(losses.AbsoluteError(width=0.1)) == "quasi_newton"


def test_what_is_left():
    assert method_of("perceptron") == "first_order"
    assert method_of(Cube()) == "first_order"
    assert method_of(Bent()) == method_of(Bent(), **LASSO) == "quasi_newton"


def test_given_steps():
    for given in ({"learning_rate": 0.1}, {"optimizer": "momentum"}, {"average": True}):
        assert method_of("log_loss", **given) == "first_order"
    assert method_of("log_loss", batch_size=8) == "staged_sgd"
