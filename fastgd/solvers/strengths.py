"""The strengths of L1 and L2: the same in all columns, or times the factors that data have for each."""

import numpy as np

from ..kernels.layouts import frozen
from ..kernels.pairs import product


def l1_of(data, l1):
    """A strength of L1, or those (lanes, 1) of lanes: as they are, or in each column, (d,) or (lanes, d)."""
    return l1 * data.factors[0::2].astype(np.float64) if data.factors.size else l1


def l2_of(data, l2):
    """As ``l1_of``, of L2."""
    return l2 * data.factors[1::2].astype(np.float64) if data.factors.size else l2


def factors_at(data, columns):
    """The factors of some columns, by their numbers."""
    return frozen(data.factors.reshape(-1, 2)[columns].reshape(-1)) if data.factors.size else data.factors


def square(l2, weights):
    """The sum of squares of weights (d,), times a strength of L2 or one for each."""
    return l2 * product(weights, weights) if np.ndim(l2) == 0 else product(l2 * weights, weights)
