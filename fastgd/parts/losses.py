"""Losses: one small class each, elementwise in the prediction ``p`` and the target ``y``.

``value(p, y)`` is the loss and ``slope(p, y)`` its derivative in ``p``; the gradient in the weights is ``slope * x``.
The methods are plain NumPy: the reference runs them on arrays, the kernels compile them. What else there is to know of
a loss are its traits, with the usual values in ``TRAITS``:

- ``curvature`` bounds the second derivative in ``p`` (it sets the automatic learning rate); infinite where none does
- ``smooth`` says that the slope has no jumps
- ``labels`` says that the targets are two classes, coded 0 and 1; of a joint loss any number of them, from 0 on
- ``residual_only`` says that the loss is a function of ``p - y`` alone
- ``joint`` says that the scores of all classes make one loss, row by row. Such a loss has, in place of ``value`` and
  ``slope``, one method ``value_and_slopes(p, y, slopes)``: ``p`` (classes,) are the scores of one row and ``y`` the
  number of its class; it writes the derivatives in ``p`` into ``slopes`` (classes,), float64, and returns the loss. It
  never writes to ``p``. As value and slopes are asked for at once, no exponential is computed twice
- ``domain`` says which targets are allowed, as ``checks.number`` is told: ``{"low": 0.0}`` or ``{"above": 0.0}``
- ``mean(p)`` is the mean of the target that a score predicts, where it is not the score itself
- ``limits`` says which values a field may have, where not all from 0 on
- ``squared`` says that the loss is the squared residual times the first field, ``factor``
- ``second_derivative(p, y)`` is the second derivative in ``p``, or a positive substitute where that jumps; Newton's
  method needs it, and a loss without one is left to the optimizers
- ``smoothing_field`` names the field that smooths the kinks of a loss; Newton's method starts with a large value

To add a loss, write one class here: its name in ``snake_case`` becomes its string name.
"""

from typing import NamedTuple

import numpy as np

from .elementary import exp, expm1mx, log, log1p
from .registry import POSITIVE, catalogue

# Regression ---------------------------------------------------------------------------------------------------------


class SquaredError(NamedTuple):
    r"""Half the squared residual, as in scikit-learn.

    :math:`\frac12 (p-y)^2`.

    Parameters
    ----------
    factor : float, default 0.5
        What multiplies the squared residual; positive.
    """

    factor: float = 0.5
    residual_only = True
    squared = True
    limits = {"factor": POSITIVE}

    @property
    def curvature(self):
        return 2.0 * self.factor

    def value(self, p, y):
        return self.factor * (p - y) * (p - y)

    def slope(self, p, y):
        return (self.factor + self.factor) * (p - y)

    def second_derivative(self, p, y):
        return (self.factor + self.factor) * (p == p)


class Mse(NamedTuple):
    r"""The whole squared residual, as in textbooks.

    :math:`(p-y)^2`: its gradient has the factor 2.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the squared residual; positive.
    """

    factor: float = 1.0
    residual_only = True
    squared = True
    limits = {"factor": POSITIVE}
    curvature = SquaredError.curvature
    value = SquaredError.value
    slope = SquaredError.slope
    second_derivative = SquaredError.second_derivative


# Robust regression and quantiles ------------------------------------------------------------------------------------
#
# |r| has a corner. Rounded within ``width`` it is |r| + max(width - |r|, 0)**2 / (2 * width), whose slope is
# r / width there; and the line beyond is given a part of the bend of the parabola that touches it from above, or a step
# could be solved for without most rows: on 52 tables the median's Newton steps with the band's rows alone ended up to
# 34 % above the optimum, with the whole of the parabola took 34 steps and not 25 (Hunter and Lange 2000).

NO_WIDTH = 1e-150  # in place of a width of zero: a quotient by it is finite
TOUCHING = 0.3


class Huber(NamedTuple):
    r"""Quadratic within ``delta`` of the target, linear beyond.

    :math:`\frac12 r^2` where :math:`|r| \le \delta`, else :math:`\delta |r| - \frac12\delta^2`, with :math:`r = p-y`
    (Huber 1964).

    Parameters
    ----------
    delta : float, default 1.0
        Where the loss turns linear, in units of the target; positive.
    """

    delta: float = 1.0
    limits = {"delta": POSITIVE}
    curvature = 1.0
    residual_only = True
    smoothing_field = "delta"

    def value(self, p, y):
        inner = np.minimum(np.abs(p - y), self.delta)
        return inner * (np.abs(p - y) - 0.5 * inner)

    def slope(self, p, y):
        return np.minimum(np.maximum(p - y, -self.delta), self.delta)

    def second_derivative(self, p, y):
        away = np.abs(p - y)
        return np.maximum(away <= self.delta, TOUCHING * self.delta / np.maximum(away, self.delta))


class AbsoluteError(NamedTuple):
    r"""The absolute residual: fits the median.

    :math:`|p-y|`. The slope of a perfect prediction is 0.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the absolute residual; positive.
    width : float, default 0.0
        Within this of the target the corner is rounded, in units of the target: the loss is
        :math:`r^2/(2\,width) + width/2` there, Huber's raised by half the width.
    """

    factor: float = 1.0
    width: float = 0.0
    limits = {"factor": POSITIVE}
    smooth = False
    residual_only = True
    smoothing_field = "width"

    def value(self, p, y):
        short = np.maximum(self.width - np.abs(p - y), 0.0)
        return self.factor * (np.abs(p - y) + 0.5 * short * (short / np.maximum(self.width, NO_WIDTH)))

    def slope(self, p, y):
        inner = np.minimum(np.abs(p - y) / np.maximum(self.width, NO_WIDTH), 1.0)
        return self.factor * np.sign(p - y) * inner

    def second_derivative(self, p, y):
        away = np.abs(p - y)
        band = away <= self.width
        return self.factor * np.maximum(band, TOUCHING) / np.maximum(np.maximum(away, self.width), NO_WIDTH)


class Quantile(NamedTuple):
    r"""The pinball loss: fits a quantile.

    :math:`q (y-p)` where :math:`p < y`, else :math:`(1-q) (p-y)` (Koenker and Bassett 1978), so that the share ``q``
    of the targets lies below the predictions. The slope of a perfect prediction is 0.

    Parameters
    ----------
    quantile : float, default 0.5
        The quantile ``q``, in (0, 1); 0.5 is the median, with half the absolute residual.
    width : float, default 0.0
        Within this of the target the corner is rounded, in units of the target.
    """

    quantile: float = 0.5
    width: float = 0.0
    limits = {"quantile": {"above": 0.0, "below": 1.0}}
    smooth = False
    residual_only = True
    smoothing_field = "width"

    def value(self, p, y):
        short = np.maximum(self.width - np.abs(p - y), 0.0)
        line = (1.0 - self.quantile) * np.maximum(p - y, 0.0) + self.quantile * np.maximum(y - p, 0.0)
        return line + 0.25 * short * (short / np.maximum(self.width, NO_WIDTH))

    def slope(self, p, y):
        inner = np.minimum(np.abs(p - y) / np.maximum(self.width, NO_WIDTH), 1.0)
        return 0.5 * np.sign(p - y) * inner + (0.5 - self.quantile) * np.maximum(p != y, self.width > 0.0)

    def second_derivative(self, p, y):
        away = np.abs(p - y)
        band = away <= self.width
        return 0.5 * np.maximum(band, TOUCHING) / np.maximum(np.maximum(away, self.width), NO_WIDTH)


# Insensitive regression: r - min(max(r, -epsilon), epsilon) is what a residual has beyond epsilon -------------------


class EpsilonInsensitive(NamedTuple):
    r"""The absolute residual beyond ``epsilon``, as in support vector regression.

    :math:`\max(0, |p-y| - \epsilon)` (Vapnik 1995). The slope at the edge is 0.

    Parameters
    ----------
    epsilon : float, default 0.1
        The residual that costs nothing, in units of the target; zero or more.
    width : float, default 0.0
        Within this of the edges the corners are rounded, in units of the target.
    """

    epsilon: float = 0.1
    width: float = 0.0
    smooth = False
    residual_only = True
    smoothing_field = "width"

    # The loss is half the sum of the distances from the two edges, less epsilon.

    def value(self, p, y):
        below = np.maximum(self.width - np.abs(p - y + self.epsilon), 0.0)
        above = np.maximum(self.width - np.abs(p - y - self.epsilon), 0.0)
        extra = 0.25 * (below * below + above * above) / np.maximum(self.width, NO_WIDTH)
        return np.maximum(np.abs(p - y) - self.epsilon, 0.0) + extra

    def slope(self, p, y):
        width = np.maximum(self.width, NO_WIDTH)
        below = np.minimum(np.maximum((p - y + self.epsilon) / width, -1.0), 1.0)
        above = np.minimum(np.maximum((p - y - self.epsilon) / width, -1.0), 1.0)
        smoothing_field = 0.5 * (below + above)
        line = np.sign((p - y) - np.minimum(np.maximum(p - y, -self.epsilon), self.epsilon))
        return line + (smoothing_field - line) * (self.width > 0.0)

    def second_derivative(self, p, y):
        below, above = np.abs(p - y + self.epsilon), np.abs(p - y - self.epsilon)
        width = np.maximum(self.width, NO_WIDTH)
        left = np.maximum(below <= self.width, TOUCHING * (p < y - self.epsilon)) / np.maximum(below, width)
        right = np.maximum(above <= self.width, TOUCHING * (p > y + self.epsilon)) / np.maximum(above, width)
        return 0.5 * (left + right)


class SquaredEpsilonInsensitive(NamedTuple):
    r"""The squared residual beyond ``epsilon``.

    :math:`\max(0, |p-y| - \epsilon)^2`, without a half, as in scikit-learn.

    Parameters
    ----------
    epsilon : float, default 0.1
        The residual that costs nothing, in units of the target; zero or more.
    """

    epsilon: float = 0.1
    curvature = 2.0
    residual_only = True

    def value(self, p, y):
        beyond = np.maximum(np.abs(p - y) - self.epsilon, 0.0)
        return beyond * beyond

    def slope(self, p, y):
        return 2.0 * ((p - y) - np.minimum(np.maximum(p - y, -self.epsilon), self.epsilon))

    def second_derivative(self, p, y):
        return 2.0 * (np.abs(p - y) > self.epsilon)


# Two classes: 2y - 1 is the class as -1 or 1, and z = (2y - 1) p the margin -----------------------------------------


class LogLoss(NamedTuple):
    r"""Logistic regression.

    :math:`\log(1+e^p) - y p`, half the binomial deviance.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """

    factor: float = 1.0
    labels = True
    limits = {"factor": POSITIVE}

    @property
    def curvature(self):
        return 0.25 * self.factor

    def value(self, p, y):
        return self.factor * (np.maximum(p, 0.0) + log1p(exp(-np.abs(p))) - y * p)

    def slope(self, p, y):
        return self.factor * (1.0 / (1.0 + exp(-p)) - y)

    def second_derivative(self, p, y):
        # Far on the wrong side the loss is a line, too (Jaakkola and Jordan 2000: the parabola that touches it there).
        tail = exp(-np.abs(p))
        wrong = np.abs(1.0 / (1.0 + exp(-p)) - y)
        line = TOUCHING * wrong / (2.0 + 2.0 * np.abs(p))
        return self.factor * np.maximum(tail / ((1.0 + tail) * (1.0 + tail)), line)


class Hinge(NamedTuple):
    r"""The linear support vector machine.

    :math:`\max(0, 1-z)` (Cortes and Vapnik 1995); the slope at :math:`z=1` is that of the line, as in scikit-learn.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    width : float, default 0.0
        Within this of the margin 1 the corner is rounded.
    """

    factor: float = 1.0
    width: float = 0.0
    labels = True
    limits = {"factor": POSITIVE}
    smooth = False
    smoothing_field = "width"

    def value(self, p, y):
        left = 1.0 - (2.0 * y - 1.0) * p
        short = np.maximum(self.width - np.abs(left), 0.0)
        return self.factor * (np.maximum(left, 0.0) + 0.25 * short * (short / np.maximum(self.width, NO_WIDTH)))

    def slope(self, p, y):
        left = 1.0 - (2.0 * y - 1.0) * p
        smoothing_field = 0.5 + 0.5 * np.minimum(np.maximum(left / np.maximum(self.width, NO_WIDTH), -1.0), 1.0)
        line = left >= 0.0
        return self.factor * (1.0 - 2.0 * y) * (line + (smoothing_field - line) * (self.width > 0.0))

    def second_derivative(self, p, y):
        left = 1.0 - (2.0 * y - 1.0) * p
        band = np.maximum(np.abs(left) <= self.width, TOUCHING * (left > 0.0))
        return 0.5 * self.factor * band / np.maximum(np.maximum(np.abs(left), self.width), NO_WIDTH)


class SquaredHinge(NamedTuple):
    r"""The linear support vector machine with squared violations.

    :math:`\max(0, 1-z)^2`.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """

    factor: float = 1.0
    labels = True
    limits = {"factor": POSITIVE}

    @property
    def curvature(self):
        return 2.0 * self.factor

    def value(self, p, y):
        short = np.maximum(1.0 - (2.0 * y - 1.0) * p, 0.0)
        return self.factor * short * short

    def slope(self, p, y):
        return 2.0 * self.factor * (1.0 - 2.0 * y) * np.maximum(1.0 - (2.0 * y - 1.0) * p, 0.0)

    def second_derivative(self, p, y):
        return 2.0 * self.factor * ((2.0 * y - 1.0) * p < 1.0)


class ModifiedHuber(NamedTuple):
    r"""Squared hinge that turns linear, robust to wrong labels.

    :math:`\max(0, 1-z)^2` where :math:`z \ge -1`, else :math:`-4z` (Zhang 2004).

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """

    factor: float = 1.0
    labels = True
    limits = {"factor": POSITIVE}
    curvature = SquaredHinge.curvature

    def value(self, p, y):
        short = np.maximum(1.0 - (2.0 * y - 1.0) * p, 0.0)
        inner = np.minimum(short, 2.0)
        return self.factor * inner * (short + (short - inner))

    def slope(self, p, y):
        short = np.maximum(1.0 - (2.0 * y - 1.0) * p, 0.0)
        return 2.0 * self.factor * (1.0 - 2.0 * y) * np.minimum(short, 2.0)

    def second_derivative(self, p, y):
        short = np.maximum(1.0 - (2.0 * y - 1.0) * p, 0.0)
        return (
            2.0
            * self.factor
            * np.maximum((short > 0.0) * (short <= 2.0), TOUCHING * (short > 2.0) * 2.0 / (short + 2.0))
        )


class Perceptron(NamedTuple):
    r"""Rosenblatt's perceptron: only wrong signs cost.

    :math:`\max(0, -z)` (Rosenblatt 1958); the slope at :math:`z=0` is that of the line, as in scikit-learn: zero
    weights begin to move.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """

    factor: float = 1.0
    labels = True
    limits = {"factor": POSITIVE}
    smooth = False

    def value(self, p, y):
        return self.factor * np.maximum((1.0 - 2.0 * y) * p, 0.0)

    def slope(self, p, y):
        return self.factor * (1.0 - 2.0 * y) * ((2.0 * y - 1.0) * p <= 0.0)


# Several classes: a score, and so a lane, for each ------------------------------------------------------------------


class Multinomial(NamedTuple):
    r"""Softmax regression: several classes, whose probabilities add up to 1.

    :math:`\log\sum_k e^{p_k} - p_y`, half the multinomial deviance. The largest eigenvalue of its second derivative is
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

    factor: float = 1.0
    labels = True
    joint = True
    limits = {"factor": POSITIVE}

    @property
    def curvature(self):
        return 0.5 * self.factor

    def value_and_slopes(self, p, y, slopes):
        highest = p[0]
        for k in range(p.size):
            highest = max(highest, p[k])
        total = 0.0
        for k in range(p.size):
            slopes[k] = exp(p[k] - highest)
            total += slopes[k]
        for k in range(p.size):
            slopes[k] = self.factor * (slopes[k] / total - (1.0 if k == y else 0.0))
        return self.factor * (log(total) + np.float64(highest - p[y]))


# Counts and amounts: p is the logarithm of the mean. The half deviances are written in u = p - log(y), where their
# terms don't cancel; y = 0 has no logarithm and a formula of its own. ``x * (y == 0)`` chooses, as x is never infinite.


class Poisson(NamedTuple):
    r"""Counts: half the Poisson deviance, with the mean ``exp(p)``.

    :math:`e^p - y p + y \log y - y`.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """

    factor: float = 1.0
    domain = {"low": 0.0}
    limits = {"factor": POSITIVE}

    def mean(self, p):
        return exp(p)

    def value(self, p, y):
        return self.factor * (y * expm1mx(p - log(y)) + exp(p) * (y == 0.0))

    def slope(self, p, y):
        return self.factor * (exp(p) - y)

    def second_derivative(self, p, y):
        return self.factor * exp(p)


class Gamma(NamedTuple):
    r"""Positive amounts: half the gamma deviance, with the mean ``exp(p)``.

    :math:`y e^{-p} + p - \log y - 1`.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """

    factor: float = 1.0
    domain = POSITIVE
    limits = {"factor": POSITIVE}
    mean = Poisson.mean

    def value(self, p, y):
        return self.factor * expm1mx(log(y) - p)

    def slope(self, p, y):
        return self.factor * (1.0 - exp(log(y) - p))

    def second_derivative(self, p, y):
        return self.factor * exp(log(y) - p)


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
    domain = {"low": 0.0}
    limits = {"power": {"above": 1.0, "below": 2.0}}
    mean = Poisson.mean

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


def _mean(self, p):
    return p


TRAITS = {
    "curvature": np.inf,
    "labels": False,
    "joint": False,
    "residual_only": False,
    "squared": False,
    "smoothing_field": None,
    "second_derivative": None,
    "smooth": True,
    "domain": {},
    "limits": {},
    "mean": _mean,
}

__all__ = catalogue(globals(), ("slope", "value_and_slopes"), TRAITS)


def has_link(loss):
    """Whether the mean that a score predicts is not the score itself."""
    return type(loss).mean is not _mean


def of_rows(loss, p, y):
    """The losses (n,) and slopes (n, classes) of a joint loss at scores (n, classes), row by row."""
    values, slopes = np.empty(len(p)), np.empty(p.shape)
    for k in range(len(p)):
        values[k] = loss.value_and_slopes(p[k], int(y[k]), slopes[k])
    return values, slopes
