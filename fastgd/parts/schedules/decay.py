"""Rates that are constant or fall once and for all."""

from typing import NamedTuple

import numpy as np

from ..registry import POSITIVE
from .run import ROUND_UP, known_alpha, known_period


class Constant(NamedTuple):
    """The same rate at every step.

    Parameters
    ----------
    initial : float, default 0.01
        The rate; positive.
    """

    initial: float = 0.01
    steady = True
    limits = {"initial": POSITIVE}

    def rate(self, t):
        return self.initial + 0.0 * t


class InverseScaling(NamedTuple):
    r""":math:`\eta_t = \eta_1 (1 + (t - 1) / \tau)^{-p}`; with :math:`\tau = 1` scikit-learn's ``invscaling``.

    Parameters
    ----------
    initial : float, default 0.01
        The rate of the first step; positive.
    power : float, default 0.25
        The exponent; 0.5 is the classical choice for convex losses.
    delay : float, default 1.0
        :math:`\tau`, the steps during which the rate falls little; positive.

    Examples
    --------
    >>> InverseScaling(0.1, power=0.5).rate(np.array([1, 4, 100]))
    array([0.1 , 0.05, 0.01])
    >>> InverseScaling(0.1, power=0.5, delay=33).rate(np.array([1, 100]))
    array([0.1 , 0.05])
    """

    initial: float = 0.01
    power: float = 0.25
    delay: float = 1.0
    limits = {"initial": POSITIVE, "delay": POSITIVE}

    def rate(self, t):
        return self.initial * np.power((t - 1.0) / self.delay + 1.0, -self.power)


class Optimal(NamedTuple):
    r""":math:`\eta_t = 1 / (\alpha (t_0 + t - 1))` with :math:`t_0 = \alpha^{-3/4}` (Bottou 2012).

    scikit-learn's ``optimal``, for losses with an L2 penalty of weight alpha. The first rate is :math:`\alpha^{-1/4}`,
    large: it suits scaled columns.

    Parameters
    ----------
    alpha : float, default 0.0
        The penalty's weight; 0 is the ``alpha`` of the fit.

    Raises
    ------
    ValueError
        If neither this nor the fit has an alpha above 0.

    Examples
    --------
    >>> Optimal(alpha=1e-4).rate(np.array([1, 1001, 9001])).round(6)
    array([10.,  5.,  1.])
    """

    alpha: float = 0.0
    alpha_of_fit = True

    def rate(self, t):
        alpha = known_alpha(self.alpha)
        return 1.0 / (alpha**0.25 + alpha * (t - 1.0))


class Step(NamedTuple):
    r""":math:`\eta_t = \eta_1 f^{\lfloor (t-1)/p \rfloor}`: multiplied after every period (PyTorch's ``StepLR``).

    Parameters
    ----------
    initial : float, default 0.01
        The rate of the first period; positive.
    factor : float, default 0.1
        What multiplies the rate; positive, below 1 for a rate that falls.
    period : float, default 10.0
        In epochs; positive.

    Examples
    --------
    >>> Step(0.1, factor=0.5, period=2).rate(np.arange(1, 7))
    array([0.1  , 0.1  , 0.05 , 0.05 , 0.025, 0.025])
    """

    initial: float = 0.01
    factor: float = 0.1
    period: float = 10.0
    durations = ("period",)
    limits = {"initial": POSITIVE, "factor": POSITIVE, "period": POSITIVE}

    def rate(self, t):
        return self.initial * np.power(self.factor, np.floor((t - 1.0) / self.period * ROUND_UP))


class Exponential(NamedTuple):
    r""":math:`\eta_t = \eta_1 f^{(t-1)/p}`: multiplied by ``factor`` over every period, a little at each step.

    Parameters
    ----------
    initial : float, default 0.01
        The rate of the first step; positive.
    factor : float, default 0.95
        What a period multiplies the rate by; positive, below 1 for a rate that falls.
    period : float, default 1.0
        In epochs; positive.

    Examples
    --------
    >>> Exponential(0.1, factor=0.25, period=2).rate(np.arange(1, 5))
    array([0.1   , 0.05  , 0.025 , 0.0125])
    """

    initial: float = 0.01
    factor: float = 0.95
    period: float = 1.0
    durations = ("period",)
    limits = {"initial": POSITIVE, "factor": POSITIVE, "period": POSITIVE}

    def rate(self, t):
        return self.initial * np.power(self.factor, (t - 1.0) / self.period)


class Polynomial(NamedTuple):
    r"""From ``initial`` to ``final`` as :math:`(1 - (t-1)/p)^q`, then ``final`` (PyTorch's ``PolynomialLR``).

    Parameters
    ----------
    initial : float, default 0.01
        The rate of the first step; positive.
    final : float, default 0.0
        The rate after the period; the last step of the period is just short of it.
    power : float, default 1.0
        The exponent q; positive. 1 is linear.
    period : float, default 0.0
        In epochs; 0 is the rest of the run.

    Examples
    --------
    >>> Polynomial(0.8, period=4).rate(np.arange(1, 6)).round(9)
    array([0.8, 0.6, 0.4, 0.2, 0. ])
    """

    initial: float = 0.01
    final: float = 0.0
    power: float = 1.0
    period: float = 0.0
    durations = ("period",)
    limits = {"initial": POSITIVE, "power": POSITIVE}

    def rate(self, t):
        left = 1.0 - np.minimum((t - 1.0) / known_period(self.period), 1.0)
        return self.final + (self.initial - self.final) * np.power(left, self.power)
