"""The penalty and the bounds of a user's parameters, as one number for each."""

import zlib
from typing import NamedTuple

import numpy as np

from ..inputs import arrays
from ..parts import penalties


class Penalty(NamedTuple):
    """What kernels are handed: a penalty part, and arrays of one number a parameter."""

    part: tuple
    low: np.ndarray  # (size,) of the parameters' type
    high: np.ndarray
    factors: np.ndarray  # (2 * size,), those of L1 and L2 in turn; (0,) for none

    @property
    def free(self):
        """Whether there is neither a penalty nor a bound."""
        return type(self.part) is penalties.Free

    def cost(self, weights):
        """The penalty of parameters (size,)."""
        if self.free:
            return 0.0
        wide = weights.astype(np.float64)
        l1, l2 = (self.factors[0::2], self.factors[1::2]) if self.factors.size else (1.0, 1.0)
        return float(np.sum(self.part.cost(wide, l1, l2)))

    @property
    def settings(self):
        """What a run that goes on must have the same, in words."""
        bounded = np.isfinite(self.low).any() or np.isfinite(self.high).any()
        return {
            "bounds": f"({_shown(self.low)}, {_shown(self.high)})" if bounded else "None",
            "penalty_factor": _shown(self.factors[::2]) if self.factors.size else "None",
        }


def _shown(values):
    """Some numbers in words, others in other words."""
    more = f" with CRC {zlib.crc32(values.tobytes()):08x}" if values.size > 5 else ""
    return f"[{arrays.shown(values)}]{more}"


def penalty_of(nest, alpha, l1_ratio, factor, bounds):
    """The :class:`Penalty` of the options; ``factor`` and both bounds are numbers or in the form of the parameters."""
    size, dtype = nest.size, nest.dtype
    low, high = np.full(size, -np.inf, dtype), np.full(size, np.inf, dtype)
    factors = np.ones(0, dtype)
    if bounds is not None:
        low, high = _sides(nest, bounds)
    if factor is not None:
        given = nest.spread("penalty_factor", factor, 1.0)
        if not ((given >= 0) & (given < np.inf)).all():
            raise ValueError("penalty_factor must hold finite numbers of at least 0: 0 is no penalty.")
        factors = np.repeat(given, 2)
    if alpha == 0 and bounds is None:
        return Penalty(penalties.Free(), low, high, np.ones(0, dtype))
    kind = penalties.FactoredNet if factors.size else penalties.ElasticNet
    return Penalty(kind(alpha * l1_ratio, alpha * (1.0 - l1_ratio)), low, high, factors)


def _sides(nest, bounds):
    """The lower and the upper bounds, (size,) each."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):  # SciPy's
        bounds = bounds.lb, bounds.ub
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise ValueError("bounds must be a pair (low, high), each a number, None, or in the form of x0.")
    low, high = nest.spread("bounds (low)", bounds[0], -np.inf), nest.spread("bounds (high)", bounds[1], np.inf)
    empty = ~(low <= high) | (low == np.inf) | (high == -np.inf)
    if empty.any():
        j = int(np.argmax(empty))
        raise ValueError(
            f"bounds of {nest.place(j)} are empty or NaN: low={low[j]} and high={high[j]}; low must not exceed high."
        )
    return low, high
