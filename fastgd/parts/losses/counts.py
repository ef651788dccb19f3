"""Losses of counts and amounts, whose scores are logarithms of means.

The half deviances are written in ``u = p - log(y)``, where their terms do not cancel; ``y = 0`` has no logarithm and a
formula of its own. ``x * (y == 0)`` selects it, as ``x`` is never infinite.
"""

from typing import NamedTuple

import numpy as np

from ..elementary import exp, expm1mx, log
from ..registry import POSITIVE

LEAST = -700.0  # the score of a mean of zero


def log_ratio(power, y, weight, offset):
    """The constant score of the least Tweedie deviance; 1 and 2 are the powers of Poisson and gamma."""
    largest = np.max(offset)  # taken off, so that no exponential overflows
    above = np.sum(weight * y * np.exp((1.0 - power) * (offset - largest)))
    below = np.sum(weight * np.exp((2.0 - power) * (offset - largest)))
    return np.log(above / below) - largest if above > 0.0 else LEAST


class Poisson(NamedTuple):
    r"""Counts: half the Poisson deviance, with the mean ``exp(p)``.

    :math:`e^p - y p + y \log y - y`.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """

    factor: float = 1.0
    link = "log"
    recedes = True
    domain = {"low": 0.0}

    def value(self, p, y):
        return self.factor * (y * expm1mx(p - log(y)) + exp(p) * (y == 0.0))

    def slope(self, p, y):
        return self.factor * (exp(p) - y)

    def second_derivative(self, p, y):
        return self.factor * exp(p)

    def best_constant(self, y, weight, offset):
        return log_ratio(1.0, y, weight, offset)


class Gamma(NamedTuple):
    r"""Positive amounts: half the gamma deviance, with the mean ``exp(p)``.

    :math:`y e^{-p} + p - \log y - 1`.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """

    factor: float = 1.0
    link = "log"
    domain = POSITIVE

    def value(self, p, y):
        return self.factor * expm1mx(log(y) - p)

    def slope(self, p, y):
        return self.factor * (1.0 - exp(log(y) - p))

    def second_derivative(self, p, y):
        return self.factor * exp(log(y) - p)

    def best_constant(self, y, weight, offset):
        return log_ratio(2.0, y, weight, offset)


class Tweedie(NamedTuple):
    r"""Amounts with zeros: half the Tweedie deviance, with the mean ``exp(p)``.

    :math:`\frac{e^{ap}}{a} + \frac{y e^{-bp}}{b} - \frac{y^a}{ab}` with :math:`a = 2 - power, b = power - 1`
    (Jørgensen 1987).

    Parameters
    ----------
    power : float, default 1.5
        The variance goes with this power of the mean; in (1, 2), whose ends are Poisson and gamma.
    """

    power: float = 1.5
    link = "log"
    recedes = True
    domain = {"low": 0.0}
    limits = {"power": {"above": 1.0, "below": 2.0}}

    def value(self, p, y):
        a, b = 2.0 - self.power, self.power - 1.0
        log_y = log(y + (y == 0.0))
        u = p - log_y
        above = exp(a * log_y) * (b * expm1mx(a * u) + a * expm1mx(-b * u))
        return (above * (y > 0.0) + b * exp(a * p) * (y == 0.0)) / (a * b)

    def slope(self, p, y):
        return exp((2.0 - self.power) * p) - y * exp((1.0 - self.power) * p)

    def second_derivative(self, p, y):
        a, b = 2.0 - self.power, self.power - 1.0
        return a * exp(a * p) + b * y * exp(-b * p)

    def best_constant(self, y, weight, offset):
        return log_ratio(self.power, y, weight, offset)
