"""Rows whose losses are lines with kinks, for one lane: what its solver asks of them."""

import numpy as np

from ..kernels import kinks
from ..kernels.cholesky import Factor
from ..kernels.lanes import NO_ROLES
from ..kernels.layouts import frozen
from ..kernels.row_weights import row_weights
from ..kernels.threads import cached_property
from ..parts.penalties import Free
from .dual import common
from .gram import centre_of, weighted_gram
from .metrics import MOST_COLUMNS, solved
from .plan import lanes_at
from .strengths import l2_of

NARROW = 0.1  # of the nine tenths' quantile of the distances from the kinks: no width begins below
SOME = 4096  # rows of which quantiles are taken
DOUBLED = 1 << 20  # numbers of float32 rows that are read as float64, as copied ones are
AT_KINK = 1e-13  # times the largest distance: what is closer is at a kink, but for rounding
REACH = 1e4  # times the median distance of targets from their median: what is further away is taken as near as that
CLIPPED = 25.0  # times the median distance: what is further away is an outlier and counts no more to the scale


def doubled(data):
    """Data of float64 rows; in float32 an interior point ends some digits further from where lines meet."""
    kind, rows = np.float64, data.rows
    return data._replace(
        rows=(rows if rows.in_memory else rows.loaded()).astype(kind),
        targets=frozen(data.targets.astype(kind, copy=False)),
        weight=frozen(data.weight.astype(kind, copy=False)),
        offset=frozen(data.offset.astype(kind, copy=False)),
        shift=data.shift.astype(kind, copy=False),
        inverse_scale=data.inverse_scale.astype(kind, copy=False),
    )


def nearer(box, weight):
    """Move kinks (3, kinks, n) that are far off nearer, all of a row alike; None where there are none.

    Returns what the loss is less by, where scores do not get beyond them, and which rows are above all scores and which
    below.
    """
    places, low, high = box
    known = np.flatnonzero(weight)
    if not known.size:
        return None
    some = places[0, known[:: max(1, len(known) // SOME)]]
    centre = np.median(some)
    reach = REACH * np.median(np.abs(some - centre))
    least, most = places.min(axis=0), places.max(axis=0)
    above, below = np.flatnonzero(least > centre + reach), np.flatnonzero(most < centre - reach)
    if not reach > 0 or not above.size + below.size:
        return None
    up, down = least[above] - (centre + reach), most[below] - (centre - reach)
    places[:, above] -= up
    places[:, below] -= down
    lost = np.sum(weight[above] * high[:, above].sum(axis=0) * up) + np.sum(
        weight[below] * low[:, below].sum(axis=0) * down
    )
    return float(lost), above, below


class Solved:
    """A factorised matrix of centred columns; ``solve`` is for the columns as they are."""

    def __init__(self, factor, offset):
        self.factor, self.offset = factor, offset

    def solve(self, g):
        """The inverse times g."""
        return solved(self.factor, self.offset, g)


class KinkedRows:
    """The rows of a lane: ``weight`` (n,) float64, of sum about 1; ``box`` (3, kinks, n): places, low and high.

    ``penalty`` (d + 1,) is what half the squared weights are multiplied by, and ``l2`` that of the columns, a number
    where it is the same in all.
    """

    def __init__(self, backend, threads, data, lane, box, weight, penalty):
        targets = frozen(np.zeros((1, len(weight)), data.shift.dtype))
        self.data = data._replace(
            targets=targets, weight=targets[0, :0], offset=targets[0, :0], roles=NO_ROLES, count=1.0, classes=1
        )
        self.backend, self.threads, self.penalty = backend, threads, penalty
        self.lane = lane._replace(weights=lane.weights.astype(backend.passes.lane_type(data.shift.dtype)))
        self.places, self.low, self.high = self.box = box
        self.l2 = common(penalty[:-1])
        self.weight, self.n = weight, len(weight)
        self.wide = data.shift.size >= MOST_COLUMNS
        self.passes = backend.passes(self.data, threads)
        self.sums = np.zeros(3)
        self.lost, self.above, self.below = 0.0, None, None

    @classmethod
    def of(cls, plan, number, as_given=True):
        """All rows of a lane of a plan; if not ``as_given``, targets that are far off are taken nearer.

        A target acts by its side alone, as long as scores do not get beyond it. Nearer, it leaves the others their
        digits: with five of 200 at 1e10, coefficients were off by 0.02, the loss of the others by 5e-4.
        """
        data, lanes = plan.data, plan.lanes
        if not data.rows.in_memory:  # they are read a hundred times
            data = data._replace(rows=data.rows.decoded())
        n, d = data.rows.shape
        loss = type(plan.parts.loss)(*lanes.loss[number].tolist())
        y = data.targets[lanes.target[number]].astype(np.float64)
        box = np.empty((3, len(loss.kinks(y[:1])), n))
        for b, kink in enumerate(loss.kinks(y)):
            for array, values in zip(box, kink, strict=True):
                array[b] = values
        if data.offset.size:
            box[0] -= data.offset
        fold, replicate = int(lanes.fold[number]), int(lanes.replicate[number])
        weight = row_weights(data, fold, replicate, False, 0, n) * (lanes.scale[number] / data.count)
        moved = None if as_given or not loss.residual_only else nearer(box, weight)
        penalty = np.zeros(d + 1)
        if type(plan.parts.penalty) is not Free:
            penalty[:d] = l2_of(data, float(lanes.penalty[number, 1]))
        own = lanes_at(lanes, [number], 1)
        own = own._replace(target=np.zeros(1, np.int64), fold=np.array([-1]), replicate=np.array([-1]))
        data = doubled(data) if data.rows.stored <= DOUBLED else data
        rows = cls(plan.backend, plan.options.n_threads, data, own, box, weight, penalty)
        rows.lost, rows.above, rows.below = moved or (0.0, None, None)
        return rows

    def passed(self, scores):
        """Whether scores (n,) have got beyond a target that was taken nearer."""
        if self.above is None:
            return False
        above, below = self.above, self.below
        return bool((scores[above] > self.places[:, above]).any() or (scores[below] < self.places[:, below]).any())

    def take(self, chosen, data=None, whole=False):
        """Some of the rows, by number or flag; ``data`` are theirs if they are known. ``whole``: they stand for all."""
        weight = self.weight[chosen]
        if whole:
            weight = weight * (self.weight.sum() / max(weight.sum(), 1e-300))
        if data is None:
            data = doubled(self.data._replace(rows=self.data.rows.take(chosen)))
        box = np.ascontiguousarray(self.box[:, :, chosen])
        return KinkedRows(self.backend, self.threads, data, self.lane, box, weight, self.penalty)

    # Products ---------------------------------------------------------------------------------------------------------

    def scores(self, weights):
        """The rows times weights (d + 1,): (n,) float64."""
        lane = self.lane._replace(weights=weights[None].astype(self.lane.weights.dtype))
        return self.passes.scores(lane).astype(np.float64, copy=False)

    def transposed(self, numbers):
        """The transposed rows times numbers (n,): (d + 1,)."""
        return self.passes.transposed(self.lane, numbers)

    @cached_property
    def centred(self):
        """The data with columns that are centred once more for matrices, and by how much."""
        if not self.data.constant:
            return self.data, None
        shift = centre_of(self.data).astype(self.data.shift.dtype)
        return self.data._replace(shift=shift), (shift - self.data.shift.astype(np.float64)) * self.data.inverse_scale

    def metric(self, bends):
        """The matrix of the rows' products, weighted by ``bends`` (n,), and of the penalty; factorised."""
        data, offset = self.centred
        matrix = weighted_gram(data, bends, self.threads)
        k = np.arange(len(matrix))
        matrix[k, k] += self.penalty
        return Solved(Factor(matrix), offset)

    def spreads(self):
        """The variances of the standardised columns."""
        return self.passes.moments()[1] * self.data.inverse_scale.astype(np.float64) ** 2

    # Losses -----------------------------------------------------------------------------------------------------------

    def rounding(self, weights):
        """About what the rounding of scores adds to the loss."""
        steepness, height = self.steepness
        return float(np.finfo(self.data.shift.dtype).eps * (height + steepness * np.sum(np.abs(weights))))

    @cached_property
    def steepness(self):
        """The steepest slopes of all rows, summed by their weights, and these times the places of the kinks."""
        steepest = self.weight * np.maximum(-self.low, self.high)
        return float(np.sum(steepest)), float(np.sum(steepest * np.abs(self.places)))

    def penalty_cost(self, weights):
        """The penalty of weights."""
        return 0.5 * float(np.sum(self.penalty * weights * weights))

    def distances(self, scores):
        """How far scores are from the kinks, ascending: of some rows that count, but for scores at a kink."""
        some = slice(None, None, max(1, self.n // SOME))
        away = np.abs(self.places[:, some] - scores[some])
        away = np.sort(away[:, self.weight[some] > 0].reshape(-1))
        return away[np.searchsorted(away, AT_KINK * away[-1], "right") :] if away.size else away

    def typical(self, scores):
        """The median distance from the kinks or, where it is next to nothing, a share of the nine tenths' quantile."""
        found = self.distances(scores)
        return float(max(found[len(found) // 2], NARROW * found[len(found) * 9 // 10])) if found.size else 0.0

    def furthest(self, scores):
        """The distance from the kinks beyond which scores are outliers."""
        found = self.distances(scores)
        return CLIPPED * float(found[len(found) // 2]) if found.size else 0.0

    def losses(self, scores, most):
        """The mean loss, and the mean without what lies further outside than ``most``, which no precision helps.

        What ``smoothed`` has left in ``scratch`` is lost.
        """
        loss, _, clipped = self.smoothed(scores, 1.0, most)
        return loss, clipped

    @cached_property
    def scratch(self):
        """Room for the slopes and the second derivatives of each row."""
        return np.empty((2, self.n))

    def smoothed(self, scores, width, most):
        """Losses smoothed within a width of their kinks, whose slopes and second derivatives are left in ``scratch``.

        Returns the mean loss, not smoothed; the duality gap of these slopes; and the mean loss without outliers, as
        ``losses`` does.
        """
        kinks.smoothed(scores, self.box, self.weight, width, most, *self.scratch, self.sums)
        return self.sums.tolist()
