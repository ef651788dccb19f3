"""Losses: one small class each, elementwise in the prediction ``p`` and the target ``y``.

``value(p, y)`` is the loss and ``slope(p, y)`` its derivative in ``p``; the gradient in the weights is ``slope * x``.
The methods are plain NumPy: the reference runs them on arrays, the kernels compile them. What else there is to know of
a loss are its traits, with the usual values in ``TRAITS``:

- ``curvature`` bounds the second derivative in ``p`` (it sets the automatic learning rate); infinite where none does
- ``smooth`` says that the slope has no jumps
- ``labels`` says that the targets are two classes, coded 0 and 1
- ``shifts`` says that the loss goes by ``p - y`` alone
- ``domain`` says which targets are allowed, as ``checks.number`` is told: ``{"low": 0.0}`` or ``{"above": 0.0}``
- ``mean(p)`` is the mean of the target that a score predicts, where it is not the score itself
- ``limits`` says which values a field may have, where not all from 0 on

To add a loss, write one class here: its name in ``snake_case`` becomes its string name.
"""

from typing import NamedTuple

import numpy as np

from ._parts import POSITIVE, catalogue


def exp(x):
    """``e**x``, saturating instead of overflowing (kernels have a vectorised twin: ``kernels/elementary.py``)."""
    return np.exp(np.minimum(np.maximum(x, -708.0), 709.0))


def log1p(z):
    """``log(1 + z)`` for ``z`` in [0, 1] (kernels have a vectorised twin: ``kernels/elementary.py``)."""
    return np.log1p(z)


class SquaredError(NamedTuple):
    r"""Half the squared residual, :math:`\frac12 (p-y)^2`, scikit-learn's convention.

    Parameters
    ----------
    factor : float, default 0.5
        What multiplies the squared residual; positive.
    """

    factor: float = 0.5
    shifts = True
    limits = {"factor": POSITIVE}

    @property
    def curvature(self):
        return 2.0 * self.factor

    def value(self, p, y):
        return self.factor * (p - y) * (p - y)

    def slope(self, p, y):
        return (self.factor + self.factor) * (p - y)


class Mse(NamedTuple):
    r"""The whole squared residual, :math:`(p-y)^2`, the textbooks' convention (its gradient has the factor 2).

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the squared residual; positive.
    """

    factor: float = 1.0
    shifts = True
    limits = {"factor": POSITIVE}
    curvature = SquaredError.curvature
    value = SquaredError.value
    slope = SquaredError.slope


class Huber(NamedTuple):
    r"""Quadratic within ``delta`` of the target, linear beyond (Huber 1964).

    :math:`\frac12 r^2` where :math:`|r| \le \delta`, else :math:`\delta |r| - \frac12\delta^2`, with :math:`r = p-y`.

    Parameters
    ----------
    delta : float, default 1.0
        Where the loss turns linear, in units of the target; positive.
    """

    delta: float = 1.0
    limits = {"delta": POSITIVE}
    curvature = 1.0
    shifts = True

    def value(self, p, y):
        inner = np.minimum(np.abs(p - y), self.delta)
        return inner * (np.abs(p - y) - 0.5 * inner)

    def slope(self, p, y):
        return np.minimum(np.maximum(p - y, -self.delta), self.delta)


class LogLoss(NamedTuple):
    r"""Logistic loss of two classes coded 0 and 1, :math:`\log(1+e^p) - y p` (the binomial deviance over 2).

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


def _mean(self, p):
    return p


TRAITS = {
    "curvature": np.inf,
    "labels": False,
    "shifts": False,
    "smooth": True,
    "domain": {},
    "limits": {},
    "mean": _mean,
}

__all__ = catalogue(globals(), "slope", TRAITS)


def has_link(loss):
    """Whether the mean that a score predicts is not the score itself."""
    return type(loss).mean is not _mean
