"""Losses that are lines with kinks: the hinge, the absolute error, quantiles, and errors that are free up to epsilon.

A lane begins with Newton's steps on the smoothed loss, on samples of the rows that grow. The end is found by a
primal-dual interior point on the rows near the kinks only: of all others the side is known, so that they add a line to
the objective (Portnoy and Koenker 1997). A pass over all rows then gives the duality gap, the proof. If rows have
changed sides more are taken. Where there are too many columns for a matrix, Newton's steps on the smoothed loss go on
to the end by conjugate gradients. Fewer dense rows than columns are solved by their dual, with a penalty (``dual.py``).
"""

import math

import numpy as np

from ..kernels.pairs import product
from ..kernels.threads import cached_property
from ..results import messages
from ..results.state import KinkedState
from . import dual
from .base import Limits, Records, Solver, Verdict, separable
from .first_order import TOL_FULL
from .interior_point import WIDE, interior_point
from .kinked_rows import KinkedRows, doubled
from .kinks import made_of_lines, too_many_rows
from .metrics import MOST_COLUMNS
from .problem import in_parts
from .samples import SAMPLE_ERROR, first_of, rows_of_sample, sample_of, sizes
from .smoothed_newton import Near, smoothed_newton

EPOCHS = 100
WIDE_EPOCHS, WIDE_TOL = 30, 1e-4
FINEST = 1e-10  # of the objective: for less, weights of separable classes grow until scores are rounding
GAP = 0.1  # of the tolerance: how small a gap the dual problem is to leave
EXACT = 1e-3  # of the tolerance: how exactly the rows near the kinks are solved; 0.3 took 3 % less time
LOOKS, FEW_LOOKS = 15, 10  # steps on a sample and on all rows, at most
WIDE_LOOKS = 10  # steps of a round where there are too many columns for a matrix
# Times sqrt(weights / rows): the share of rows that an optimum of so many rows may have on the wrong side. With 3, fits
# took 1.03 to 1.1 times as long; with 1.5 some needed a second round.
NEAR = 2.0
FEW_ROWS = 5  # a column: with fewer the interior point begins at once
COLD = 2.0  # the least slack then, in typical distances; where the start is near, WIDE
HELD = 0.1  # the share of the rows near the kinks, above which steps on all rows come first: they make it smaller
WHOLE = 0.5  # the share from which all rows are taken
LARGEST_BYTES = 1 << 27  # of the copied rows
REMEMBERED = 4  # lanes whose rows' numbers are kept between two rounds
OUTLIERS = 1e-4  # times tol * loss: what outliers add to the tolerance
TRIES = 0.5, 0.25, 0.1, 0.01  # shares of a step


class Place:
    """Where a lane stands: scores at its weights, and the losses there."""

    def __init__(self, rows, weights):
        self.weights, self.scores, self.lost = weights, rows.scores(weights), rows.lost
        self.look(rows)

    def look(self, rows):
        """Sum the losses."""
        loss, self.clipped = rows.losses(self.scores, rows.furthest(self.scores))
        cost, self.rounding = rows.penalty_cost(self.weights), rows.rounding(self.weights)
        self.objective, self.clipped = loss + cost, self.clipped + cost

    @property
    def full_objective(self):
        """The objective with the targets as they were given."""
        return self.objective + self.lost


class Kinked(Solver):
    """Interior points near the kinks: an epoch solves for the rows near them, and looks at all rows."""

    name = "interior_point"
    summary = "an interior point on the rows near the kinks of the loss, found on samples; ended by a duality gap"
    fits_rate = False
    newton = judges_tol = scale_free = True

    # About a problem --------------------------------------------------------------------------------------------------

    @classmethod
    def suits(cls, problem):
        """Full-batch problems of losses made of lines, with L2 at most."""
        options, loss = problem.options, problem.options.loss
        if (reason := in_parts(problem)) is not None:
            return reason
        if not made_of_lines(loss):
            return "the loss is not made of lines"
        if options.alpha and options.l1_ratio:
            return "the penalty has kinks"
        if too_many_rows(problem.table.X):
            return f"several numbers for each of {problem.n} rows would have to lie in memory"
        return "the coefficients have bounds" if problem.bounds is not None else None

    @classmethod
    def limits(cls, problem):
        """100 rounds; where columns are too many for a matrix, and rows for the dual, 30 and a larger tolerance."""
        X, options = problem.table.X, problem.options
        l2 = options.alpha * (1.0 if problem.penalty_factor is None else dual.common(problem.penalty_factor))
        few = dual.suits(X, l2, len(options.loss.kinks(np.zeros(1))))
        return Limits(WIDE_EPOCHS, WIDE_TOL) if problem.d >= MOST_COLUMNS and not few else Limits(EPOCHS, TOL_FULL)

    @classmethod
    def schedule(cls, problem, model, targets, scaled, epochs, words):
        """None: a step is as long as bounds allow."""
        words["learning_rate"] = "1: whole steps, shorter where a line search or bounds ask for it"
        problem.statistics.scaling(True)  # raises where columns are not finite or their squares overflow
        return super().schedule(problem, model, targets, scaled, epochs, words)

    # A run ------------------------------------------------------------------------------------------------------------

    def __init__(self, plan):
        super().__init__(plan)
        self.eps = float(np.finfo(plan.data.shift.dtype).eps)
        self.tol = TOL_FULL if plan.tol is None else plan.tol
        self.rows, self.places = {}, {}  # of the lanes: their rows, and where they stand

    @cached_property
    def samples(self):
        """Samples that grow: numbers of rows, and their data."""
        plan, data = self.plan, self.plan.data
        n, d = data.rows.shape
        known = np.arange(n) if plan.rows is None else plan.rows
        found = sizes(len(known), min(d, data.rows.stored // n) + 1, 8 * (data.rows.stored // n))
        if not found:
            return []
        chosen = known[rows_of_sample(len(known), found[-1])]
        sample = doubled(sample_of(data, chosen))
        return [(chosen[:m], first_of(sample, m)) for m in found]

    @cached_property
    def row_products(self):
        """The products of the rows, which all lanes share."""
        return dual.RowProducts(self.plan.data, self.plan.options.n_threads)

    def init(self):
        """The weights of the plan."""
        weights = self.plan.lanes.weights
        lanes = len(weights)
        none = np.zeros(lanes)
        return KinkedState(weights.copy(), np.arange(lanes) * 1.0, none, np.full(lanes, np.inf), none.copy())

    def rows_of(self, number, as_given):
        """The rows of a lane; those of few lanes are remembered."""
        if number not in self.rows:
            if len(self.rows) >= REMEMBERED:
                oldest = next(iter(self.rows))
                del self.rows[oldest]
                self.places[oldest].scores = None
            self.rows[number] = KinkedRows.of(self.plan, number, as_given)
        return self.rows[number]

    def advance(self, lanes, state, rates, clock, steps):
        """One round of all lanes."""
        records = [self.round(state, k, int(number)) for k, number in enumerate(state.lane)]
        loss, taken, norm, fall = (np.array(column) for column in zip(*records, strict=True))
        broken = ~np.isfinite(loss + norm)
        clock.epoch += 1
        clock.steps += 1
        return Records(loss[None], taken[None], norm[None], np.where(broken, 0, 1), broken, fall[None])

    def round(self, state, k, number):
        """A round of a lane: the record of where it began."""
        place = self.places.get(number)
        if place is None:
            rows = self.rows_of(number, bool(state.as_given[k]))
            place = self.places[number] = Place(rows, state.weights[k].astype(np.float64))
        if not state.as_given[k] and place.lost and self.passed(number, place):
            del self.rows[number]
            state.as_given[k], state.bound[k], state.share[k] = 1.0, np.inf, max(state.share[k], 0.0)
            place = self.places[number] = Place(self.rows_of(number, True), place.weights)
        state.bound[k] = min(state.bound[k], place.objective)  # losses are never negative
        proven = self.proven(place, state.bound[k])
        found = place.full_objective, 1.0, 0.0, float(state.bound[k]) if proven else math.inf
        if proven or state.share[k] < 0 or not math.isfinite(place.objective):
            return found[0], 0.0, 0.0, found[3]
        rows, start, share = self.rows_of(number, bool(state.as_given[k])), place, float(state.share[k])
        few = dual.suits(rows.data.rows, rows.l2, len(rows.places))
        wide = rows.wide and not few
        if place.scores is None:
            place.scores = rows.scores(place.weights)
        if few and (rows.wide or not share):
            place, bound, share = self.by_rows(rows, place, state.weights.dtype)
        elif wide:
            place, bound, share = self.smoothed(rows, place, share, state.weights.dtype)
        else:
            if not share:
                place, share = self.begun(rows, place)
            place, bound, share = self.solved(
                rows, place, share, state.weights.dtype, rows.n <= FEW_ROWS * len(place.weights)
            )
        # Where a round gains rounding alone, more of the same do, too.
        least = start.objective - (64 if wide else 4) * self.eps * abs(start.objective)
        over = share == float(state.share[k]) and not place.objective < least
        if not self.proven(place, bound) and (over or (place is start and share >= 1 and not wide)):
            share = -1.0
        if place is start:
            found = found[0], 0.0 if share < 0 else 1.0, *found[2:]
        state.weights[k], state.share[k], state.bound[k] = place.weights, share, bound
        self.places[number] = place
        return found

    def passed(self, number, place):
        """Whether scores have got beyond a target that was taken nearer, so that its side is no longer known."""
        rows = self.rows_of(number, False)
        return rows.passed(rows.scores(place.weights) if place.scores is None else place.scores)

    def tolerance(self, place):
        """The gap that is asked for: relative to the loss without what outliers add to it, but for rounding."""
        relative = max(self.tol, 8 * self.eps) * (place.clipped + OUTLIERS * place.objective)
        return relative + 8 * (place.rounding + self.eps * place.objective)

    def proven(self, place, bound):
        """Whether a bound of what is left proves the end."""
        return bound <= self.tolerance(place)

    def begun(self, rows, place):
        """Steps on samples: where they end, and the share of rows that is taken as near to the kinks."""
        D, share = len(place.weights), 1.0
        near = Near(place.weights, place.scores, 2 * rows.typical(place.scores))
        for chosen, data in self.samples:
            sample = rows.take(chosen, data, whole=True)
            near.scores = sample.scores(near.weights)
            smoothed_newton(sample, near, SAMPLE_ERROR * D / sample.n, LOOKS)
            share = min(1.0, NEAR * math.sqrt(D / sample.n))
        found = Place(rows, self.kept(near.weights)) if self.samples else place
        if not found.objective <= place.objective:  # the sample has misled
            found, near.width, share = place, 2 * rows.typical(place.scores), 1.0
        if share > HELD and rows.n > FEW_ROWS * D:
            near.weights, near.scores = found.weights, found.scores
            smoothed_newton(rows, near, SAMPLE_ERROR * D / rows.n, FEW_LOOKS)
            after = Place(rows, self.kept(near.weights))
            if after.objective <= found.objective:
                found = after
            if near.close:
                share = min(share, NEAR * math.sqrt(D / rows.n))
        return found, share

    def solved(self, rows, place, share, dtype, cold=False):
        """Solve for the rows near the kinks: the place, a bound of the decrease still possible, and the next share."""
        away = np.abs(rows.places - place.scores).min(axis=0)
        away[rows.weight <= 0] = np.inf
        count = int(share * np.count_nonzero(rows.weight))
        some = share < WHOLE and 0 < count < rows.n and count * 8 * len(place.weights) <= LARGEST_BYTES
        side = rows.weight * np.where(rows.places > place.scores, rows.high, rows.low)
        if some:
            near = away <= np.partition(away, count)[count]
            close = rows.take(near)
            outer = side.sum(axis=0)
            outer[near] = 0.0
            extra = -rows.transposed(outer)
        else:
            near, close, extra = slice(None), rows, np.zeros(len(place.weights))
        usual = (COLD if cold else WIDE) * close.typical(place.scores[near])
        away = np.abs(close.places - place.scores[near])
        bound, after = math.inf, place
        # Where outliers are many lengths away, an interior point that begins close to the kinks may be lost.
        for slack in (usual, away.mean(), away.max()):
            aim = max(EXACT * self.tolerance(place), FINEST * place.objective)
            weights, u = interior_point(close, place.weights, place.scores[near], extra, aim, float(slack))
            side[:, near] = u
            rest = rows.penalty * weights + extra - close.transposed(u.sum(axis=0))
            rounded = weights.astype(dtype).astype(np.float64)
            after = self.lower(rows, place, Place(rows, rounded)) if np.isfinite(rounded).all() else place
            bound = self.bound(rows, after, side, rest, weights, place.weights)
            if after is not place or self.proven(place, bound):
                break
        return after, bound, min(1.0, 2 * share)

    def by_rows(self, rows, place, dtype):
        """Solve the dual problem, as ``solved`` does: the place, a bound of the decrease still possible, and 1."""
        aim = max(GAP * self.tolerance(place), FINEST * place.objective)
        weights, u = dual.minimise(self.row_products, rows, float(place.weights[-1]), aim)
        rest = rows.penalty * weights - rows.transposed(u[0])
        rounded = weights.astype(dtype).astype(np.float64)
        # What rounding adds to all scores together, the intercept takes off.
        rounded[-1] += product(self.row_products.mean, weights[:-1] - rounded[:-1])
        rounded = rounded.astype(dtype).astype(np.float64)
        after = self.lower(rows, place, Place(rows, rounded)) if np.isfinite(rounded).all() else place
        return after, self.bound(rows, after, u, rest, weights, place.weights), 1.0

    def smoothed(self, rows, place, width, dtype):
        """Some of Newton's steps on the smoothed loss: the place, what is left to gain there, and the next width."""
        near = Near(place.weights, place.scores, width or 2 * rows.typical(place.scores))
        smoothed_newton(rows, near, max(self.tol, 8 * self.eps), WIDE_LOOKS)
        found = near.weights.astype(dtype).astype(np.float64)
        after = Place(rows, found) if np.isfinite(found).all() else place
        # The loss itself may rise where the smoothed one falls, but not in the end.
        kept = after if not near.close else self.lower(rows, place, after)
        return kept, near.left if near.close else kept.objective, near.width

    def bound(self, rows, place, u, rest, weights, before):
        """How far the objective at a place may be above the least: the duality gap with the multipliers u (kinks, n).

        ``rest`` (d + 1,) is what is left of the Lagrangian's gradient at ``weights``, which ``before`` led to.
        """
        away = rows.places - place.scores
        gap = np.sum(rows.weight * np.where(away > 0, rows.high, rows.low) * away - u * away)
        apart = place.weights - weights
        gap += rows.penalty_cost(apart) + 4 * abs(product(rest, weights - before)) + 4 * abs(product(rest, apart))
        return min(max(float(gap), 0.0), place.objective) if math.isfinite(gap) else place.objective

    def lower(self, rows, place, after):
        """The place after a step or, if the objective is not lower there, a part of it; or the one before."""
        noise = 64 * self.eps * abs(place.objective)
        if after.objective <= place.objective + noise:
            return after
        for share in TRIES:
            found = Place(rows, self.kept(place.weights + share * (after.weights - place.weights)))
            if found.objective < place.objective:
                return found
        return place

    def kept(self, weights):
        """Weights as a state keeps them: a resumed run begins there."""
        return weights.astype(self.plan.lanes.weights.dtype).astype(np.float64)

    def objective(self, lanes, state):
        """The objectives where the lanes stand."""
        places = [self.places.get(number) for number in state.lane.astype(int).tolist()]
        return None if None in places else np.array([place.full_objective for place in places])

    def verdict(self, state, history):
        """Converged, if the duality gap is below the tolerance, or the loss zero to rounding."""
        if self.plan.tol is None or not history.records:
            return None
        last, loss = history.records[-1], self.plan.parts.loss
        losses = last["loss"]
        if verdict := separable(loss, losses, history.scale):
            return verdict
        if all(abs(value) <= 64 * self.eps * abs(scale) for value, scale in zip(losses, history.scale, strict=True)):
            return Verdict("converged", messages.ZERO, messages.NO_MORE)
        if last["learning_rate"] == 0 and all(map(math.isfinite, last["decrement"])):
            return Verdict("converged", messages.GAP.format(tol=self.plan.tol), messages.MORE_DIGITS)
        if last["learning_rate"] == 0 and (len(losses) == 1 or self.all_tried(state, len(losses))):
            return Verdict("early_stopped", messages.STALLED, messages.LESS_ROUNDING)
        return None

    def all_tried(self, state, targets):
        """Whether no target of a model goes on; False where that is not known."""
        over = [
            share < 0 or self.proven(self.places[number], bound)
            for number, share, bound in zip(state.lane.astype(int).tolist(), state.share, state.bound, strict=True)
        ]
        return len(over) == targets and all(over)
