"""Schedules: the learning rate as a pure function of the step ``t`` = 1, 2, ...

The driver calls ``rate(t)`` on an array of steps, a slice ahead of the kernel, so a schedule is never compiled (inside
the kernel a power costs as much as a whole row).

Users give durations in epochs, and 0 is the rest of the run. What runs is ``in_steps`` of what they gave: the same
class with its durations in steps, as ``rate`` takes them. ``minimize`` counts an iteration as an epoch. A rate may fall
to zero at a run's end; callers floor it at the smallest float.

To add a schedule, write one class here: its name in ``snake_case`` becomes its string name. ``durations`` names its
fields in epochs; ``limits`` says which values a field may have, where not all from 0 on (a duration that can't be the
rest of the run is positive). A field called ``then`` is another schedule, which follows after ``period``. A class with
``memory`` and ``after_epoch(loss, memory)`` is told the loss of each epoch, as ``Plateau`` is. One that is ``steady``
has the same rate at every step of an epoch.
"""

import math
from typing import NamedTuple

import numpy as np

from .registry import POSITIVE, catalogue

AT_LEAST_ONE = {"low": 1.0}
SHARE = {"low": 0.0, "high": 1.0}
# 0.07 epochs of 100 steps are 7.000000000000001 steps, and 7 steps are a whole period of them. (A share of what has
# passed: with 1e-9 periods more, a run of 1e9 steps began anew at its last one.)
ROUND_UP = 1.0 + 8 * float(np.finfo(np.float64).eps)


def in_steps(schedule, steps_per_epoch, epochs, alpha=0.0):
    """A schedule with its durations in steps, of a run whose length is known.

    Parameters
    ----------
    schedule : schedule
        As the user gave it and ``checks.schedule`` let it in: its durations in epochs, 0 for the rest of the run.
    steps_per_epoch : int
        At least 1.
    epochs : float
        Of the whole run, with those before it was resumed. A run that ends inside an epoch has a fraction.
    alpha : float, default 0.0
        The penalty's, for ``Optimal`` without one of its own.

    Returns
    -------
    schedule
        Of the same class; ``rate`` takes its steps.

    Raises
    ------
    ValueError
        If ``Optimal`` has no alpha.

    Examples
    --------
    >>> from fastgd import schedules
    >>> schedules.in_steps(schedules.Warmup(schedules.Polynomial(0.1), period=2.0), steps_per_epoch=50, epochs=10)
    Warmup(then=Polynomial(initial=0.1, final=0.0, power=1.0, period=400.0), period=100.0, start=0.0)
    """
    return _resolved(schedule, steps_per_epoch, steps_per_epoch * epochs, alpha)


def _resolved(schedule, unit, total, alpha):
    """The schedule of ``total`` steps, ``unit`` of them an epoch."""
    # A run that ends in its warm-up leaves nothing to what follows; one step keeps its rate(1) defined.
    fields = {name: getattr(schedule, name) * unit or max(float(total), 1.0) for name in schedule.durations}
    if hasattr(schedule, "then"):
        fields["then"] = _resolved(schedule.then, unit, total - fields["period"], alpha)
    if isinstance(schedule, Optimal):
        fields["alpha"] = _known_alpha(schedule.alpha or alpha)
    return schedule._replace(**fields)


def rates(schedule, first, count, factor=1.0):
    """The rates (count,) of the steps ``first + 1`` on, times ``factor``; positive, also where a schedule ends at 0."""
    t = np.arange(first + 1, first + 1 + count, dtype=np.float64)
    with np.errstate(all="ignore"):
        return np.maximum(schedule.rate(t) * factor + 0.0 * t, np.finfo(np.float64).tiny)


def horizon(schedule):
    """Whether the rates depend on the run's length: a duration, as the user gave it, is the rest of the run."""
    return any(getattr(schedule, name) == 0 for name in schedule.durations) or (
        hasattr(schedule, "then") and horizon(schedule.then)
    )


def watched(schedule):
    """The schedule that is told the loss of each epoch: this one, the one after its warm-up, or None."""
    if hasattr(schedule, "after_epoch"):
        return schedule
    return watched(schedule.then) if hasattr(schedule, "then") else None


def _known_alpha(alpha):
    if alpha == 0:
        raise ValueError(
            "learning_rate: the schedule Optimal needs an alpha above 0, the fit's or its own: pass "
            "fastgd.schedules.Optimal(alpha=1e-4), for example."
        )
    return alpha


def _known(period):
    if period == 0:
        raise ValueError(
            "period=0.0 is the rest of a run, whose length is not known here: give a period, or take "
            "fastgd.schedules.in_steps(schedule, steps_per_epoch, epochs) first."
        )
    return period


def _half_cosine(start, end, share):
    """From ``start`` to ``end`` along half a cosine, (1 + cos(pi s)) / 2; as a square its end keeps all digits."""
    return end + (start - end) * np.cos(0.5 * np.pi * share) ** 2


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
    r""":math:`\eta_t = \eta_1 / t^p` (scikit-learn's ``invscaling``).

    Parameters
    ----------
    initial : float, default 0.01
        The rate of the first step; positive.
    power : float, default 0.25
        The exponent; 0.5 is the classical choice for convex losses.

    Examples
    --------
    >>> InverseScaling(0.1, power=0.5).rate(np.array([1, 4, 100]))
    array([0.1 , 0.05, 0.01])
    """

    initial: float = 0.01
    power: float = 0.25
    limits = {"initial": POSITIVE}

    def rate(self, t):
        return self.initial * np.power(t, -self.power)


class Optimal(NamedTuple):
    r""":math:`\eta_t = 1 / (\alpha (t_0 + t - 1))` with :math:`t_0 = \alpha^{-3/4}` (Bottou 2012).

    scikit-learn's ``optimal``, for losses with an L2 penalty of weight alpha. The first rate is :math:`\alpha^{-1/4}`,
    large: scaled columns bear it.

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

    def rate(self, t):
        alpha = _known_alpha(self.alpha)
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
        left = 1.0 - np.minimum((t - 1.0) / _known(self.period), 1.0)
        return self.final + (self.initial - self.final) * np.power(left, self.power)


class Cosine(NamedTuple):
    r"""Half a cosine from ``initial`` to ``final``, begun anew after each cycle (SGDR, Loshchilov & Hutter 2017).

    Parameters
    ----------
    initial : float, default 0.01
        The rate of each cycle's first step; positive.
    final : float, default 0.0
        The rate that each cycle's last step is just short of.
    period : float, default 0.0
        The first cycle, in epochs; 0 is the rest of the run, without a restart.
    growth : float, default 1.0
        Each cycle is so many times as long as the last; from 1 to 1000.

    Examples
    --------
    >>> Cosine(0.1, period=2, growth=2).rate(np.arange(1, 8)).round(3)
    array([0.1  , 0.05 , 0.1  , 0.085, 0.05 , 0.015, 0.1  ])
    """

    initial: float = 0.01
    final: float = 0.0
    period: float = 0.0
    growth: float = 1.0
    durations = ("period",)
    limits = {"initial": POSITIVE, "growth": {"low": 1.0, "high": 1000.0}}

    def rate(self, t):
        passed = (t - 1.0) / _known(self.period)
        if self.growth == 1:
            share = passed - np.floor(passed * ROUND_UP)
        else:
            # Cycle c begins at (g^c - 1) / (g - 1) periods.
            log = math.log(self.growth)
            cycle = np.floor(np.log1p(passed * (self.growth - 1.0)) / log * ROUND_UP)
            share = (passed - np.expm1(cycle * log) / (self.growth - 1.0)) * np.exp(-cycle * log)
        return _half_cosine(self.initial, self.final, np.clip(share, 0.0, 1.0))


class OneCycle(NamedTuple):
    r"""Up to the highest rate and down to almost nothing, along cosines (Smith & Topin 2018, PyTorch's ``OneCycleLR``).

    Parameters
    ----------
    peak : float, default 0.01
        The highest rate; positive.
    start : float, default 25.0
        The first rate is ``peak / start``; at least 1.
    end : float, default 1e4
        The last rate is ``peak / start / end``; at least 1.
    share : float, default 0.3
        Of the period, in which the rate rises; between 0 and 1.
    period : float, default 0.0
        In epochs; 0 is the rest of the run. The last rate stays afterwards.

    Examples
    --------
    >>> OneCycle(1.0, period=10).rate(np.arange(1, 11)).round(2)
    array([0.04, 0.52, 1.  , 0.95, 0.81, 0.61, 0.39, 0.19, 0.05, 0.  ])
    """

    peak: float = 0.01
    start: float = 25.0
    end: float = 1e4
    share: float = 0.3
    period: float = 0.0
    durations = ("period",)
    limits = {
        "peak": POSITIVE,
        "start": AT_LEAST_ONE,
        "end": AT_LEAST_ONE,
        "share": {"above": 0.0, "below": 1.0},
    }

    def rate(self, t):
        # As in PyTorch the peak is the last step that rises, and of less than a step of rise nothing is left.
        top, first = self.share * _known(self.period) - 1.0, self.peak / self.start
        up = np.minimum((t - 1.0) / max(top, 1e-9), 1.0)
        down = np.clip((t - 1.0 - top) / (self.period * (1.0 - self.share)), 0.0, 1.0)
        rising, falling = _half_cosine(first, self.peak, up), _half_cosine(self.peak, first / self.end, down)
        return np.where(t - 1.0 <= top, rising, falling)[()]


class Plateau(NamedTuple):
    """Multiplied by ``factor`` whenever the epochs' loss has stopped falling (PyTorch's ``ReduceLROnPlateau``).

    Watches the epochs of a fit; ``minimize`` has none.

    Parameters
    ----------
    initial : float, default 0.01
        The first rate; positive.
    factor : float, default 0.1
        What multiplies the rate; between 0 and 1.
    patience : float, default 10.0
        Epochs in a row without a better loss that are borne; the next one lowers the rate.
    threshold : float, default 1e-4
        A loss is better if it is below the best by more than this share of it; below 1.
    cooldown : float, default 0.0
        Epochs after a lower rate that are not counted.
    least : float, default 0.0
        The lowest rate.

    Examples
    --------
    >>> plateau, rates = Plateau(0.5, patience=1.0), []
    >>> memory = plateau.memory
    >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
    ...     multiplier, memory = plateau.after_epoch(loss, memory)
    ...     rates.append(plateau.initial * multiplier)
    >>> rates
    [0.5, 0.5, 0.5, 0.05, 0.05]
    """

    initial: float = 0.01
    factor: float = 0.1
    patience: float = 10.0
    threshold: float = 1e-4
    cooldown: float = 0.0
    least: float = 0.0
    steady = True
    limits = {
        "initial": POSITIVE,
        "factor": {"above": 0.0, "below": 1.0},
        "threshold": {"low": 0.0, "below": 1.0},
    }
    memory = (1.0, math.inf, 0.0, 0.0)  # the rate's multiplier, the best loss, epochs since it, epochs of cooldown left

    def rate(self, t):
        return self.initial + 0.0 * t

    def after_epoch(self, loss, memory):
        """What multiplies the rate from now on, and the memory for the next epoch: floats, to be saved and resumed.

        Parameters
        ----------
        loss : float
            Of the epoch.
        memory : tuple of float
            From the epoch before; at the start ``Plateau.memory``.

        Returns
        -------
        multiplier : float
            Of the rates of the steps to come, all lowerings so far together.
        memory : tuple of float
        """
        multiplier, best, bad, cooling = memory
        # PyTorch compares with best * (1 - threshold), above the best where that is negative.
        if loss < best * (1.0 - math.copysign(self.threshold, best)):
            best, bad = float(loss), 0.0
        else:
            bad += 1.0
        if cooling > 0:
            cooling, bad = cooling - 1.0, 0.0
        if bad > self.patience:
            multiplier = min(multiplier, max(multiplier * self.factor, self.least / self.initial))
            bad, cooling = 0.0, self.cooldown
        return multiplier, (multiplier, best, bad, cooling)


class Warmup(NamedTuple):
    r"""A linear rise to the first rate of another schedule, which follows (Goyal et al. 2017).

    The rise is ``start + (1 - start) * t / period`` of that rate, so the first step has a rate above 0.

    Parameters
    ----------
    then : schedule, number or str, default Constant()
        The schedule after the warm-up, any but a warm-up; its rest of the run begins there.
    period : float, default 1.0
        In epochs; positive.
    start : float, default 0.0
        The share of the rate that the rise begins from, in [0, 1].

    Examples
    --------
    >>> Warmup(Step(0.1, 0.5, period=2), period=4).rate(np.arange(1, 9))
    array([0.025, 0.05 , 0.075, 0.1  , 0.1  , 0.1  , 0.05 , 0.05 ])
    """

    then: object = Constant()
    period: float = 1.0
    start: float = 0.0
    durations = ("period",)
    limits = {"period": POSITIVE, "start": SHARE}

    def rate(self, t):
        rise = np.minimum(self.start + (1.0 - self.start) * (t / self.period), 1.0)
        return rise * self.then.rate(np.maximum(t - self.period, 1.0))


TRAITS = {"limits": {}, "durations": (), "steady": False}

__all__ = catalogue(globals(), ("rate",), TRAITS)
