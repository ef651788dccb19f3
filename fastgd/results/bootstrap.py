"""Bootstrap replicates: how much a model's coefficients vary with the data."""

from typing import Annotated, NamedTuple

import numpy as np

from ..inputs.arguments import number
from .serialization import Array


class Replicates(NamedTuple):
    """The bootstrap replicates of a model."""

    # (replicates, d), or (replicates, m, d) for m targets or classes
    coef: Annotated[np.ndarray, Array("float64", "replicates *outputs columns", finite=True)]
    # (replicates,) or (replicates, m)
    intercept: Annotated[np.ndarray, Array("float64", "replicates *outputs", finite=True)]


def percentile_interval(values, level):
    """The lower and upper ends of the interval that holds a share ``level`` of the first axis of ``values``."""
    level = number("level", level, above=0.0, below=1.0)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
