"""A rise before another schedule."""

from typing import NamedTuple

import numpy as np

from ..registry import POSITIVE
from .decay import Constant


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
    >>> from fastgd.schedules import Step, Warmup
    >>> Warmup(Step(0.1, 0.5, period=2), period=4).rate(np.arange(1, 9))
    array([0.025, 0.05 , 0.075, 0.1  , 0.1  , 0.1  , 0.05 , 0.05 ])
    """

    then: object = Constant()
    period: float = 1.0
    start: float = 0.0
    durations = ("period",)
    limits = {"period": POSITIVE, "start": {"low": 0.0, "high": 1.0}}

    def rate(self, t):
        rise = np.minimum(self.start + (1.0 - self.start) * (t / self.period), 1.0)
        return rise * self.then.rate(np.maximum(t - self.period, 1.0))
