"""What a stream has met so far: the moments that its scaling and its learning rates follow."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from .serialization import Array, Range

Columns = Annotated[np.ndarray, Array("float64", "measured", finite=True)]
Targets = Annotated[np.ndarray, Array("float64", "targets", finite=True)]
Positive = Annotated[float, Range(0.0)]


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted moments of rows, in float64; 0 is not known."""

    weight: Positive  # the sum of the rows' weights
    mean_weight: Positive  # of a row of the stream
    column_weight: Positive  # that of the rows whose columns were measured
    mean: Columns  # of the columns; of width 0 where they are not measured
    variance: Columns
    square: Positive  # the mean square of a row as it is read, the intercept's 1 included
    eigenvalue: Positive  # the largest of the second moments of rows; measured for batches alone
    steepness: Targets  # the mean curvature along rows, over that which the square and the constant's curvature make
    target_mean: Targets
    spread: Targets  # of the targets about the scores before their steps, where these have a unit

    def target(self, k):
        """The moments with those of target ``k`` alone; of all for None."""
        if k is None:
            return self
        return replace(self, **{name: getattr(self, name)[k : k + 1] for name in OF_TARGETS})


OF_TARGETS = "steepness", "target_mean", "spread"


def stacked(found):
    """The moments of several models of the same rows, as those of one model of all their targets."""
    return replace(found[0], **{name: np.concatenate([getattr(one, name) for one in found]) for name in OF_TARGETS})


def mixed(before, now, share):
    """Numbers of some rows and newer ones together, the share of these in all given; 0 before is not known."""
    return np.where(np.equal(before, 0), now, before + share * (now - before))


def together(before, now, share):
    """Mean and variance of some rows and newer ones, whose share in all is given (Chan, Golub and LeVeque 1983)."""
    (mean, variance), (mean_now, variance_now) = before, now
    away = mean_now - mean
    return mean + share * away, (1 - share) * variance + share * variance_now + share * (1 - share) * away * away
