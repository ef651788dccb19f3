"""Rates along cosines."""

import math
from typing import NamedTuple

import numpy as np

from ..registry import POSITIVE
from .run import ROUND_UP, known_period

AT_LEAST_ONE = {"low": 1.0}


def half_cosine(start, end, share):
    """From ``start`` to ``end`` along half a cosine, (1 + cos(pi s)) / 2; as a square its end keeps all digits."""
    return end + (start - end) * np.cos(0.5 * np.pi * share) ** 2


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
        passed = (t - 1.0) / known_period(self.period)
        if self.growth == 1:
            share = passed - np.floor(passed * ROUND_UP)
        else:
            # Cycle c begins at (g^c - 1) / (g - 1) periods.
            log = math.log(self.growth)
            cycle = np.floor(np.log1p(passed * (self.growth - 1.0)) / log * ROUND_UP)
            share = (passed - np.expm1(cycle * log) / (self.growth - 1.0)) * np.exp(-cycle * log)
        return half_cosine(self.initial, self.final, np.clip(share, 0.0, 1.0))


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
        top, first = self.share * known_period(self.period) - 1.0, self.peak / self.start
        up = np.minimum((t - 1.0) / max(top, 1e-9), 1.0)
        down = np.clip((t - 1.0 - top) / (self.period * (1.0 - self.share)), 0.0, 1.0)
        rising, falling = half_cosine(first, self.peak, up), half_cosine(self.peak, first / self.end, down)
        return np.where(t - 1.0 <= top, rising, falling)[()]
