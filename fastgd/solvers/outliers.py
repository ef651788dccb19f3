"""The size of an objective without what outliers add to it, which no step can take away."""

import numpy as np

from .data_statistics import middle
from .passes import penalty_costs
from .plan import lanes_at
from .samples import sample_of

ROWS, NUMBERS = 1024, 1 << 20  # of the sample, at most
CLIPPED = 20.0  # times the median loss: the rest of a larger one is an outlier's


class SizeWithoutOutliers:
    """The objective at weights (d + 1,) of a lane, each loss of some of the rows clipped at many typical ones.

    Infinite where the typical loss is 0, as within the epsilon of "epsilon_insensitive": no smaller size is known then.
    """

    def __init__(self, plan, data, lanes, number):
        n, d = data.rows.shape
        most = max(1, min(ROWS, NUMBERS // (d + 1)))
        known = np.arange(n) if plan.rows is None else plan.rows
        if data.weight.size and data.weight[known].any():
            known = known[data.weight[known] > 0]
        self.data = sample_of(data, known[:: -(-len(known) // most)])
        self.passes, self.penalty = plan.backend.passes(self.data, 1), plan.parts.penalty
        own = lanes_at(lanes, [number], 1)
        self.loss = type(plan.parts.loss)(*own.loss[0].tolist())
        self.y = self.data.targets[own.target[0]].astype(np.float64)
        none = np.full(1, -1)
        self.lane = own._replace(weights=own.weights.copy(), fold=none, replicate=none)

    def __call__(self, weights):
        """The clipped objective at weights."""
        lane, data = self.lane, self.data
        lane.weights[0] = weights
        scores = self.passes.scores(lane).astype(np.float64)
        if data.offset.size:
            scores = scores + data.offset
        losses = self.loss.value(scores, self.y)
        if data.weight.size and not data.weight.any():
            return np.inf
        typical = middle(losses, data.weight)
        if typical == 0:
            return np.inf
        share = data.weight if data.weight.size else None
        clipped = np.average(np.minimum(losses, CLIPPED * typical), weights=share)
        return float(clipped + penalty_costs(self.penalty, lane, self.data)[0])
