"""Schedules: the learning rate as a pure function of the step ``t`` = 1, 2, ...

The driver calls ``rate(t)`` on an array of steps, a slice ahead of the kernel, so a schedule is never compiled (inside
the kernel a power costs as much as a whole row).

To add a schedule, write one class here: its name in ``snake_case`` becomes its string name.
"""

from typing import NamedTuple

import numpy as np

from ._parts import POSITIVE, catalogue


class Constant(NamedTuple):
    """The same rate at every step.

    Parameters
    ----------
    initial : float, default 0.01
        The rate; positive.
    """

    initial: float = 0.01
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
    """

    initial: float = 0.01
    power: float = 0.25
    limits = {"initial": POSITIVE}

    def rate(self, t):
        return self.initial * np.power(t, -self.power)


TRAITS = {"limits": {}}

__all__ = catalogue(globals(), "rate", TRAITS)


def in_steps(schedule, steps_per_epoch, epochs, alpha=0.0):
    return schedule


def watched(schedule):
    return None


def horizon(schedule):
    return False
