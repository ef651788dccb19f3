"""Joint losses: the scores of all classes make one loss, row by row."""

from typing import NamedTuple

import numpy as np

from ..elementary import exp, log
from ..registry import sigmoid, softmax
from .classification import class_probabilities


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
    joint = True
    link = "softmax"
    recedes = True

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

    def values_and_slopes(self, p, y, values, slopes):
        classes, rows = p.shape
        for k in range(rows):
            values[k] = p[0, k]
        for c in range(1, classes):
            for k in range(rows):
                values[k] = max(values[k], p[c, k])
        for c in range(classes):
            for k in range(rows):
                p[c, k] -= values[k]
        for k in range(rows):
            values[k] = 0.0
        for c in range(classes):
            for k in range(rows):
                slopes[c, k] = exp(p[c, k])
                values[k] += slopes[c, k]
        for c in range(classes):
            for k in range(rows):
                slopes[c, k] = self.factor * (slopes[c, k] / values[k] - (1.0 if c == y[k] else 0.0))
        for k in range(rows):
            values[k] = self.factor * (log(values[k]) - p[y[k], k])

    def mean_second_derivative(self, slopes, y):
        total = 0.0
        for k in range(slopes.size):
            share = slopes[k] / self.factor + (1.0 if k == y else 0.0)
            total += max(share * (1.0 - share), 0.0)
        return self.factor * total / slopes.size

    def second_derivatives(self, slopes, y, out):
        for k in range(slopes.size):
            share = slopes[k] / self.factor + (1.0 if k == y else 0.0)
            for c in range(k):
                out[k, c] = out[c, k] = -share * (slopes[c] + (self.factor if c == y else 0.0))
            out[k, k] = self.factor * max(share * (1.0 - share), 0.0)

    def probabilities(self, scores):
        return class_probabilities(sigmoid, scores) if np.ndim(scores) == 1 else softmax(scores)


def of_rows(loss, p, y):
    """The losses (n,) and slopes (n, classes) of a joint loss at scores (n, classes), row by row."""
    values, slopes = np.empty(len(p)), np.empty(p.shape)
    for k in range(len(p)):
        values[k] = loss.value_and_slopes(p[k], int(y[k]), slopes[k])
    return values, slopes
