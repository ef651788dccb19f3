"""Written by ``python docs/tables.py``."""

from ._types import Number
from typing import Any, ClassVar, Literal, Self, TypeAlias

__all__ = ["AbsoluteError", "EpsilonInsensitive", "Gamma", "Hinge", "Huber", "LogLoss", "ModifiedHuber", "Mse", "Multinomial", "Perceptron", "Poisson", "Quantile", "SquaredEpsilonInsensitive", "SquaredError", "SquaredHinge", "Tweedie"]
_Name: TypeAlias = Literal["absolute_error", "epsilon_insensitive", "gamma", "hinge", "huber", "log_loss", "modified_huber", "mse", "multinomial", "perceptron", "poisson", "quantile", "squared_epsilon_insensitive", "squared_error", "squared_hinge", "tweedie"]

def __dir__() -> list[str]: ...

class _Part(tuple[Any, ...]):
    _fields: ClassVar[tuple[str, ...]]
    def _asdict(self) -> dict[str, Any]: ...
    def _replace(self, **fields: Any) -> Self: ...

class AbsoluteError(_Part):
    """The absolute residual: fits the median.

    :math:`|p-y|`. The slope of a perfect prediction is 0.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the absolute residual; positive.
    width : float, default 0.0
        Within this of the target the kink is smoothed, in units of the target: the loss is
        :math:`r^2/(2\\,width) + width/2` there, Huber's raised by half the width.
    """
    factor: float
    width: float
    def __new__(
        cls,
        factor: Number = 1.0,
        width: Number = 0.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def kinks(self, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...
    def best_constant(self, y: Any, weight: Any, offset: Any) -> Any: ...

class EpsilonInsensitive(_Part):
    """The absolute residual beyond ``epsilon``, as in support vector regression.

    :math:`\\max(0, |p-y| - \\epsilon)` (Vapnik 1995). The slope at the edge is 0.

    Parameters
    ----------
    epsilon : float, default 0.1
        The residual that costs nothing, in units of the target; zero or more.
    width : float, default 0.0
        Within this of the edges the kinks are smoothed, in units of the target.
    """
    epsilon: float
    width: float
    def __new__(
        cls,
        epsilon: Number = 0.1,
        width: Number = 0.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def kinks(self, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...

class Gamma(_Part):
    """Positive amounts: half the gamma deviance, with the mean ``exp(p)``.

    :math:`y e^{-p} + p - \\log y - 1`.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 1.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...
    def best_constant(self, y: Any, weight: Any, offset: Any) -> Any: ...

class Hinge(_Part):
    """The linear support vector machine.

    :math:`\\max(0, 1-z)` (Cortes and Vapnik 1995); the slope at :math:`z=1` is that of the line, as in scikit-learn.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    width : float, default 0.0
        Within this of the margin 1 the kink is smoothed.
    """
    factor: float
    width: float
    def __new__(
        cls,
        factor: Number = 1.0,
        width: Number = 0.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def kinks(self, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...

class Huber(_Part):
    """Quadratic within ``delta`` of the target, linear beyond.

    :math:`\\frac12 r^2` where :math:`|r| \\le \\delta`, else :math:`\\delta |r| - \\frac12\\delta^2`, with :math:`r = p-y`
    (Huber 1964).

    Parameters
    ----------
    delta : float, default 1.0
        Where the loss turns linear, in units of the target; positive.
    """
    delta: float
    def __new__(
        cls,
        delta: Number = 1.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...

class LogLoss(_Part):
    """Logistic regression.

    :math:`\\log(1+e^p) - y p`, half the binomial deviance.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 1.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...
    def probabilities(self, scores: Any) -> Any: ...

class ModifiedHuber(_Part):
    """Squared hinge that turns linear, robust to wrong labels.

    :math:`\\max(0, 1-z)^2` where :math:`z \\ge -1`, else :math:`-4z` (Zhang 2004).

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 1.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...
    def probabilities(self, scores: Any) -> Any: ...

class Mse(_Part):
    """The whole squared residual, as in textbooks.

    :math:`(p-y)^2`: its gradient has the factor 2.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the squared residual; positive.
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 1.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...

class Multinomial(_Part):
    """Softmax regression: several classes, whose probabilities add up to 1.

    :math:`\\log\\sum_k e^{p_k} - p_y`, half the multinomial deviance. The largest eigenvalue of its second derivative is
    at most 1/2 (Böhning 1992).

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.losses import Multinomial
    >>> slopes = np.empty(2)
    >>> value = Multinomial().value_and_slopes(np.array([0.0, 0.0]), 1, slopes)
    >>> round(float(value), 3), slopes
    (0.693, array([ 0.5, -0.5]))
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 1.0,
    ) -> Self: ...
    def value_and_slopes(self, p: Any, y: Any, slopes: Any) -> Any: ...
    def values_and_slopes(self, p: Any, y: Any, values: Any, slopes: Any) -> Any: ...
    def mean_second_derivative(self, slopes: Any, y: Any) -> Any: ...
    def second_derivatives(self, slopes: Any, y: Any, out: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...
    def probabilities(self, scores: Any) -> Any: ...

class Perceptron(_Part):
    """Rosenblatt's perceptron: only wrong signs cost.

    :math:`\\max(0, -z)` (Rosenblatt 1958); the slope at :math:`z=0` is that of the line, as in scikit-learn: zero
    weights begin to move.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 1.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...

class Poisson(_Part):
    """Counts: half the Poisson deviance, with the mean ``exp(p)``.

    :math:`e^p - y p + y \\log y - y`.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 1.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...
    def best_constant(self, y: Any, weight: Any, offset: Any) -> Any: ...

class Quantile(_Part):
    """The pinball loss: fits a quantile.

    :math:`q (y-p)` where :math:`p < y`, else :math:`(1-q) (p-y)` (Koenker and Bassett 1978), so that the share ``q``
    of the targets lies below the predictions. The slope of a perfect prediction is 0.

    Parameters
    ----------
    quantile : float, default 0.5
        The quantile ``q``, in (0, 1); 0.5 is the median, with half the absolute residual.
    width : float, default 0.0
        Within this of the target the kink is smoothed, in units of the target.
    """
    quantile: float
    width: float
    def __new__(
        cls,
        quantile: Number = 0.5,
        width: Number = 0.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def kinks(self, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...
    def best_constant(self, y: Any, weight: Any, offset: Any) -> Any: ...

class SquaredEpsilonInsensitive(_Part):
    """The squared residual beyond ``epsilon``.

    :math:`\\max(0, |p-y| - \\epsilon)^2`, without a half, as in scikit-learn.

    Parameters
    ----------
    epsilon : float, default 0.1
        The residual that costs nothing, in units of the target; zero or more.
    """
    epsilon: float
    def __new__(
        cls,
        epsilon: Number = 0.1,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...

class SquaredError(_Part):
    """Half the squared residual, as in scikit-learn.

    :math:`\\frac12 (p-y)^2`.

    Parameters
    ----------
    factor : float, default 0.5
        What multiplies the squared residual; positive.
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 0.5,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...

class SquaredHinge(_Part):
    """The linear support vector machine with squared violations.

    :math:`\\max(0, 1-z)^2`.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """
    factor: float
    def __new__(
        cls,
        factor: Number = 1.0,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...

class Tweedie(_Part):
    """Amounts with zeros: half the Tweedie deviance, with the mean ``exp(p)``.

    :math:`\\frac{e^{ap}}{a} + \\frac{y e^{-bp}}{b} - \\frac{y^a}{ab}` with :math:`a = 2 - power, b = power - 1`
    (Jørgensen 1987).

    Parameters
    ----------
    power : float, default 1.5
        The variance goes with this power of the mean; in (1, 2), whose ends are Poisson and gamma.
    """
    power: float
    def __new__(
        cls,
        power: Number = 1.5,
    ) -> Self: ...
    def value(self, p: Any, y: Any) -> Any: ...
    def slope(self, p: Any, y: Any) -> Any: ...
    def second_derivative(self, p: Any, y: Any) -> Any: ...
    def mean(self, p: Any) -> Any: ...
    def best_constant(self, y: Any, weight: Any, offset: Any) -> Any: ...
