"""Rows whose losses are lines with kinks, for one lane: what its solver asks of them."""

import functools
from typing import NamedTuple

import numpy as np

from ..kernels import kinks
from ..kernels.gram import row_weights
from ..kernels.lanes import NO_ROLES
from ..kernels.layouts import frozen
from ..parts.penalties import Free
from .metrics import MatrixSums
from .plan import lanes_at

NARROW = 0.1  # of the nine tenths' quantile of the distances from the kinks: no width begins below
SOME = 4096  # rows of which quantiles are taken
CLIPPED = 10.0  # times that quantile: what is further away is an outlier and counts no more to the scale


class Carried(NamedTuple):
    """A loss whose slopes are the targets, so that its gradient is the transposed rows' product with these."""

    unused: float = 1.0  # Numba hands on no tuple that is empty
    joint = False

    def value(self, p, y):
        return 0.0 * y

    def slope(self, p, y):
        return y


class KinkedRows:
    """The rows of a lane: ``weight`` (n,) float64, of sum about 1; ``places``, ``low`` and ``high`` (kinks, n).

    ``penalty`` (d + 1,) is what half the squared weights are multiplied by.
    """

    def __init__(self, backend, threads, data, lane, box, weight, penalty):
        zeros = frozen(np.zeros((1, len(weight)), data.shift.dtype))
        self.data = data._replace(
            targets=zeros, weight=zeros[0, :0], offset=zeros[0, :0], roles=NO_ROLES, count=1.0, classes=1
        )
        self.backend, self.threads, self.lane, self.penalty = backend, threads, lane, penalty
        self.places, self.low, self.high = self.box = box
        self.weight, self.n = weight, len(weight)
        self.passes = backend.passes(self.data, threads)
        self.sums = np.zeros(2)

    @classmethod
    def of(cls, plan, number):
        """All rows of a lane of a plan."""
        data, lanes = plan.data, plan.lanes
        n, d = data.rows.shape
        loss = type(plan.parts.loss)(*lanes.loss[number].tolist())
        y = data.targets[lanes.target[number]].astype(np.float64)
        box = [np.empty((len(loss.kinks(y[:1])), n)) for _ in range(3)]
        for b, kink in enumerate(loss.kinks(y)):
            for array, values in zip(box, kink, strict=True):
                array[b] = values
        if data.offset.size:
            box[0] -= data.offset
        fold, replicate = int(lanes.fold[number]), int(lanes.replicate[number])
        weight = row_weights(data, fold, replicate, False, 0, n) * (lanes.scale[number] / data.count)
        penalty = np.zeros(d + 1)
        if type(plan.parts.penalty) is not Free:
            penalty[:d] = float(lanes.penalty[number, 1])
        own = lanes_at(lanes, [number], 1)
        own = own._replace(target=np.zeros(1, np.int64), fold=np.array([-1]), replicate=np.array([-1]))
        return cls(plan.backend, plan.options.n_threads, data, own, tuple(box), weight, penalty)

    def take(self, chosen, data=None, whole=False):
        """Some of the rows, by number or flag; ``data`` are theirs if they are known. ``whole``: they stand for all."""
        weight = self.weight[chosen]
        if whole:
            weight = weight * (self.weight.sum() / max(weight.sum(), 1e-300))
        if data is None:
            data = self.data._replace(rows=self.data.rows.take(chosen))
        box = tuple(np.ascontiguousarray(array[:, chosen]) for array in self.box)
        return KinkedRows(self.backend, self.threads, data, self.lane, box, weight, self.penalty)

    # Products ---------------------------------------------------------------------------------------------------------

    def scores(self, weights):
        """The rows times weights (d + 1,): (n,) float64."""
        lane = self.lane._replace(weights=weights[None].astype(self.lane.weights.dtype))
        return self.passes.scores(lane).astype(np.float64, copy=False)

    def transposed(self, numbers):
        """The transposed rows times numbers (n,): (d + 1,)."""
        targets = frozen(numbers[None].astype(self.data.shift.dtype))
        passes = self.backend.passes(self.data._replace(targets=targets), self.threads)
        zeros = self.lane._replace(weights=np.zeros_like(self.lane.weights), loss=np.ones((1, 1)))
        return passes.sums(Carried(), zeros)[0].sum(axis=0)[0]

    def metric(self, bends):
        """The matrix of the rows' products, weighted by ``bends`` (n,), and of the penalty; factorised."""
        return MatrixSums(self.data, frozen(bends), self.backend, self.threads).damped(self.penalty[0], 0.0)

    # Losses -----------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def rounding(self):
        """What the rounding of scores may add to the loss."""
        eps, steepest = np.finfo(self.data.shift.dtype).eps, np.maximum(-self.low, self.high)
        return float(eps * np.sum(self.weight * steepest * np.abs(self.places)))

    def penalty_cost(self, weights):
        """The penalty of weights."""
        return 0.5 * float(np.sum(self.penalty * weights * weights))

    def distances(self, scores):
        """How far scores are from the kinks: of some rows that count, ascending."""
        some = slice(None, None, max(1, self.n // SOME))
        away = np.abs(self.places[:, some] - scores[some])
        return np.sort(away[:, self.weight[some] > 0].reshape(-1))

    def typical(self, scores):
        """The median distance from the kinks or, where it is next to nothing, a share of the nine tenths' quantile."""
        found = self.distances(scores)
        return float(max(found[len(found) // 2], NARROW * found[len(found) * 9 // 10])) if found.size else 0.0

    def losses(self, scores):
        """The mean loss, and the mean without what lies far outside: outliers, whose loss no precision helps."""
        found = self.distances(scores)
        most = CLIPPED * float(found[len(found) * 9 // 10]) if found.size else 0.0
        kinks.losses_of(scores, *self.box, self.weight, most, self.sums)
        return float(self.sums[0]), float(self.sums[1])
