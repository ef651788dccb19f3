"""Written by ``python docs/tables.py``."""

from ._types import Number, Rate
from typing import Any, ClassVar, Literal, Self, TypeAlias

__all__ = ["Constant", "Cosine", "Exponential", "InverseScaling", "OneCycle", "Optimal", "Plateau", "Polynomial", "Step", "Warmup"]
_Name: TypeAlias = Literal["constant", "cosine", "exponential", "inverse_scaling", "one_cycle", "optimal", "plateau", "polynomial", "step", "warmup"]

def __dir__() -> list[str]: ...

class _Part(tuple[Any, ...]):
    _fields: ClassVar[tuple[str, ...]]
    def _asdict(self) -> dict[str, Any]: ...
    def _replace(self, **fields: Any) -> Self: ...

class Constant(_Part):
    """The same rate at every step.

    Parameters
    ----------
    initial : float, default 0.01
        The rate; positive.
    """
    initial: float
    def __new__(
        cls,
        initial: Number = 0.01,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...

class Cosine(_Part):
    """Half a cosine from ``initial`` to ``final``, begun anew after each cycle (SGDR, Loshchilov & Hutter 2017).

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
    initial: float
    final: float
    period: float
    growth: float
    def __new__(
        cls,
        initial: Number = 0.01,
        final: Number = 0.0,
        period: Number = 0.0,
        growth: Number = 1.0,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...

class Exponential(_Part):
    """:math:`\\eta_t = \\eta_1 f^{(t-1)/p}`: multiplied by ``factor`` over every period, a little at each step.

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
    initial: float
    factor: float
    period: float
    def __new__(
        cls,
        initial: Number = 0.01,
        factor: Number = 0.95,
        period: Number = 1.0,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...

class InverseScaling(_Part):
    """:math:`\\eta_t = \\eta_1 (1 + (t - 1) / \\tau)^{-p}`; with :math:`\\tau = 1` scikit-learn's ``invscaling``.

    Parameters
    ----------
    initial : float, default 0.01
        The rate of the first step; positive.
    power : float, default 0.25
        The exponent; 0.5 is the classical choice for convex losses.
    delay : float, default 1.0
        :math:`\\tau`, the steps during which the rate falls little; positive.

    Examples
    --------
    >>> InverseScaling(0.1, power=0.5).rate(np.array([1, 4, 100]))
    array([0.1 , 0.05, 0.01])
    >>> InverseScaling(0.1, power=0.5, delay=33).rate(np.array([1, 100]))
    array([0.1 , 0.05])
    """
    initial: float
    power: float
    delay: float
    def __new__(
        cls,
        initial: Number = 0.01,
        power: Number = 0.25,
        delay: Number = 1.0,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...

class OneCycle(_Part):
    """Up to the highest rate and down to almost nothing, along cosines (Smith & Topin 2018, PyTorch's ``OneCycleLR``).

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
    peak: float
    start: float
    end: float
    share: float
    period: float
    def __new__(
        cls,
        peak: Number = 0.01,
        start: Number = 25.0,
        end: Number = 10000.0,
        share: Number = 0.3,
        period: Number = 0.0,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...

class Optimal(_Part):
    """:math:`\\eta_t = 1 / (\\alpha (t_0 + t - 1))` with :math:`t_0 = \\alpha^{-3/4}` (Bottou 2012).

    scikit-learn's ``optimal``, for losses with an L2 penalty of weight alpha. The first rate is :math:`\\alpha^{-1/4}`,
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
    alpha: float
    def __new__(
        cls,
        alpha: Number = 0.0,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...

class Plateau(_Part):
    """Multiplied by ``factor`` whenever the epochs' loss has stopped falling (PyTorch's ``ReduceLROnPlateau``).

    Watches the epochs of a fit; ``minimize`` has none.

    Parameters
    ----------
    initial : float, default 0.01
        The first rate; positive.
    factor : float, default 0.1
        What multiplies the rate; between 0 and 1.
    patience : float, default 10.0
        Epochs in a row without a better loss that do not lower the rate; the next one does.
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
    initial: float
    factor: float
    patience: float
    threshold: float
    cooldown: float
    least: float
    def __new__(
        cls,
        initial: Number = 0.01,
        factor: Number = 0.1,
        patience: Number = 10.0,
        threshold: Number = 0.0001,
        cooldown: Number = 0.0,
        least: Number = 0.0,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...
    def after_epoch(self, loss: Any, memory: Any) -> Any: ...

class Polynomial(_Part):
    """From ``initial`` to ``final`` as :math:`(1 - (t-1)/p)^q`, then ``final`` (PyTorch's ``PolynomialLR``).

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
    initial: float
    final: float
    power: float
    period: float
    def __new__(
        cls,
        initial: Number = 0.01,
        final: Number = 0.0,
        power: Number = 1.0,
        period: Number = 0.0,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...

class Step(_Part):
    """:math:`\\eta_t = \\eta_1 f^{\\lfloor (t-1)/p \\rfloor}`: multiplied after every period (PyTorch's ``StepLR``).

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
    initial: float
    factor: float
    period: float
    def __new__(
        cls,
        initial: Number = 0.01,
        factor: Number = 0.1,
        period: Number = 10.0,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...

class Warmup(_Part):
    """A linear rise to the first rate of another schedule, which follows (Goyal et al. 2017).

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
    then: Any
    period: float
    start: float
    def __new__(
        cls,
        then: Rate = ...,
        period: Number = 1.0,
        start: Number = 0.0,
    ) -> Self: ...
    def rate(self, t: Any) -> Any: ...
