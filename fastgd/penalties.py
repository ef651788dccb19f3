"""Penalties: what pulls the weights besides the data, applied by the kernels as a proximal step.

``cost(w)`` is the penalty of one weight and ``prox(z, step, low, high)`` the minimiser over ``w`` in [low, high] of
``cost(w) + (w - z)**2 / (2 * step)`` (Parikh and Boyd 2014, section 6.5).
"""

from typing import NamedTuple

import numpy as np


class Free(NamedTuple):
    """No penalty and no bound: the step is the identity and costs nothing."""

    strength: float = 0.0

    def cost(self, w):
        return self.strength

    def prox(self, z, step, low, high):
        return z


class ElasticNet(NamedTuple):
    """``l1 * |w| + l2/2 * w**2`` within bounds; ``l1 = alpha*l1_ratio``, ``l2 = alpha*(1 - l1_ratio)``."""

    l1: float = 0.0
    l2: float = 0.0
    one: float = 1.0  # in the data's type: a literal would turn float32 arithmetic into float64

    def cost(self, w):
        return self.l1 * np.abs(w) + self.l2 * w * w / (self.one + self.one)

    def prox(self, z, step, low, high):
        pull = step * self.l1
        shrunk = (z - np.minimum(np.maximum(z, -pull), pull)) / (self.one + step * self.l2)
        return np.minimum(np.maximum(shrunk, low), high)
