"""Penalties and bounds of the weights, applied by the kernels as a proximal step.

``cost(w)`` is the penalty of one weight and ``prox(z, step, low, high, factors, j)`` the minimiser over ``w`` in
[low, high] of ``cost(w) + (w - z)**2 / (2 * step)`` (Parikh and Boyd 2014, section 6.5). ``slope(w, g, low, high)`` is
the smallest subgradient of the objective whose loss has the gradient ``g``: zero at the optimum alone, also on a bound.

``prox`` is ``shrink(z, pull(step), 1 / divisor(step), low, high)``. Several proximal steps in a row are one ``shrink``,
too, with another pull and share: so sparse and dense rows have the same rule (``kernels/lazy.py``).

The strengths of L1 and L2 may have factors in each column: ``factors`` (2 * d,), those of column j at 2 * j, of which
:class:`FactoredNet` takes the proximal step and which :class:`ElasticNet` does not read. ``cost`` and ``slope`` are
handed a column's two as ``by_l1`` and ``by_l2``.
"""

from typing import NamedTuple

import numpy as np

from .elementary import between, where


class Free(NamedTuple):
    """No penalty and no bound: the step is the identity and costs nothing. Its fields are those of ElasticNet()."""

    l1: float = 0.0
    l2: float = 0.0
    one: float = 1.0

    def cost(self, w, by_l1=1.0, by_l2=1.0):
        return self.l1

    def prox(self, z, step, low, high, factors=(), j=0):
        return z

    def shrink(self, z, pull, share, low, high):
        return z * share

    def pull(self, step):
        return 0.0

    def divisor(self, step):
        return 1.0

    def slope(self, w, g, low, high, by_l1=1.0, by_l2=1.0):
        return g


class ElasticNet(NamedTuple):
    """``l1 * |w| + l2/2 * w**2`` within bounds; ``l1 = alpha*l1_ratio``, ``l2 = alpha*(1 - l1_ratio)``."""

    l1: float = 0.0
    l2: float = 0.0
    one: float = 1.0  # in the data's type: a literal would turn float32 arithmetic into float64

    def cost(self, w, by_l1=1.0, by_l2=1.0):
        return by_l1 * self.l1 * np.abs(w) + by_l2 * self.l2 * w * w / (self.one + self.one)

    def prox(self, z, step, low, high, factors=(), j=0):
        return self.shrink(z, self.pull(step), self.one / self.divisor(step), low, high)

    def shrink(self, z, pull, share, low, high):
        return between((z - between(z, -pull, pull)) * share, low, high)

    def pull(self, step):
        return step * self.l1

    def divisor(self, step):
        return self.one + step * self.l2

    def slope(self, w, g, low, high, by_l1=1.0, by_l2=1.0):
        side, l1 = np.sign(w), by_l1 * self.l1
        slope = g + by_l2 * self.l2 * w + l1 * side
        slope = slope - (self.one - np.abs(side)) * np.minimum(np.maximum(g, -l1), l1)
        # On a bound only what would move the weight inwards counts.
        zero = self.one - self.one
        slope = where(w <= low, np.minimum(slope, zero), slope)
        return where(w >= high, np.maximum(slope, zero), slope)


class FactoredNet(ElasticNet):
    """:class:`ElasticNet` with factors: a proximal step of a strength times a factor is one of a step times it."""

    def prox(self, z, step, low, high, factors=(), j=0):
        pull, divisor = self.pull(step * factors[2 * j]), self.divisor(step * factors[2 * j + 1])
        return self.shrink(z, pull, self.one / divisor, low, high)
