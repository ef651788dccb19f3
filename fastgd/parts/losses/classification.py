"""Losses of two classes, coded 0 and 1.

``2y - 1`` is the class as -1 or 1, and ``z = (2y - 1) p`` the margin.
"""

from typing import NamedTuple

import numpy as np

from ..elementary import exp, log1p, where
from ..registry import sigmoid
from .regression import MAJORISER_SHARE, NO_WIDTH


def class_probabilities(probability, scores):
    """The class probabilities (n, K): of two classes from the scores (n,) of the second, else one against the rest.

    ``probability`` is a function of the score of a class, with ``probability(-p) == 1 - probability(p)``. Those of K
    classes are divided by their sum; where all are zero, each is 1 / K, as in scikit-learn.
    """
    scores = np.asarray(scores)
    if scores.ndim == 1:
        return np.stack([probability(-scores), probability(scores)], axis=-1)
    shares = probability(scores)
    shares = np.where(shares.sum(axis=-1, keepdims=True) > 0, shares, 1.0)
    return shares / shares.sum(axis=-1, keepdims=True)


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
    link = "logit"
    recedes = True

    @property
    def curvature(self):
        return 0.25 * self.factor

    def value(self, p, y):
        return self.factor * (np.maximum(p, 0.0) + log1p(exp(-np.abs(p))) - y * p)

    def slope(self, p, y):
        tail = exp(-np.abs(p))  # as in the value: compiled, it is computed once for both
        return self.factor * (where(p >= 0.0, 1.0, tail) / (1.0 + tail) - y)

    def second_derivative(self, p, y):
        # Far on the wrong side the loss is almost linear: a share of the parabola that touches it there from above
        # (Jaakkola and Jordan 2000).
        tail = exp(-np.abs(p))
        wrong = np.abs(1.0 / (1.0 + exp(-p)) - y)
        line = MAJORISER_SHARE * wrong / (2.0 + 2.0 * np.abs(p))
        return self.factor * np.maximum(tail / ((1.0 + tail) * (1.0 + tail)), line)

    def probabilities(self, scores):
        return class_probabilities(sigmoid, scores)


class Hinge(NamedTuple):
    r"""The linear support vector machine.

    :math:`\max(0, 1-z)` (Cortes and Vapnik 1995); the slope at :math:`z=1` is that of the line, as in scikit-learn.

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    width : float, default 0.0
        Within this of the margin 1 the kink is smoothed.
    """

    factor: float = 1.0
    width: float = 0.0
    labels = True
    smooth = False
    smoothing_field = "width"

    def value(self, p, y):
        left = 1.0 - (2.0 * y - 1.0) * p
        short = np.maximum(self.width - np.abs(left), 0.0)
        return self.factor * (np.maximum(left, 0.0) + 0.25 * short * (short / np.maximum(self.width, NO_WIDTH)))

    def slope(self, p, y):
        left = 1.0 - (2.0 * y - 1.0) * p
        smoothed = 0.5 + 0.5 * np.minimum(np.maximum(left / np.maximum(self.width, NO_WIDTH), -1.0), 1.0)
        line = left >= 0.0
        return self.factor * (1.0 - 2.0 * y) * (line + (smoothed - line) * (self.width > 0.0))

    def second_derivative(self, p, y):
        left = 1.0 - (2.0 * y - 1.0) * p
        band = np.maximum(np.abs(left) <= self.width, MAJORISER_SHARE * (left > 0.0))
        return 0.5 * self.factor * band / np.maximum(np.maximum(np.abs(left), self.width), NO_WIDTH)

    def kinks(self, y):
        return None if self.width else ((2.0 * y - 1.0, self.factor * (y - 1.0), self.factor * y),)


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


class ModifiedHuber(SquaredHinge):
    r"""Squared hinge that turns linear, robust to wrong labels.

    :math:`\max(0, 1-z)^2` where :math:`z \ge -1`, else :math:`-4z` (Zhang 2004).

    Parameters
    ----------
    factor : float, default 1.0
        What multiplies the loss; positive.
    """

    def value(self, p, y):
        short = np.maximum(1.0 - (2.0 * y - 1.0) * p, 0.0)
        inner = np.minimum(short, 2.0)
        return self.factor * inner * (short + (short - inner))

    def slope(self, p, y):
        short = np.maximum(1.0 - (2.0 * y - 1.0) * p, 0.0)
        return 2.0 * self.factor * (1.0 - 2.0 * y) * np.minimum(short, 2.0)

    def second_derivative(self, p, y):
        short = np.maximum(1.0 - (2.0 * y - 1.0) * p, 0.0)
        line = MAJORISER_SHARE * (short > 2.0) * 2.0 / (short + 2.0)
        return 2.0 * self.factor * np.maximum((short > 0.0) * (short <= 2.0), line)

    def probabilities(self, scores):
        return class_probabilities(lambda p: 0.5 * (np.clip(p, -1.0, 1.0) + 1.0), scores)  # Zhang 2004, as scikit-learn


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
    smooth = False
    least_at_zero = True

    def value(self, p, y):
        return self.factor * np.maximum((1.0 - 2.0 * y) * p, 0.0)

    def slope(self, p, y):
        return self.factor * (1.0 - 2.0 * y) * ((2.0 * y - 1.0) * p <= 0.0)
