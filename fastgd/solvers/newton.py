"""Newton's method on the full batch, with a line search.

A step solves a linear system with the Hessian, the Gram matrix of the rows weighted by the second derivative of the
loss at each. So it depends neither on the scales of the columns nor on their correlation, and has no learning rate.
"""

import functools
import math

import numpy as np

from ..kernels import cholesky, curvature
from ..kernels.layouts import frozen
from ..parts.penalties import Free
from ..results import messages
from ..results.state import NewtonState
from .base import Limits, Records, Solver, Verdict, separable
from .first_order import TOL_FULL
from .gram import LARGEST_BYTES, Grams, centre_of, weightings
from .passes import length, penalty_costs
from .plan import lanes_at, lanes_with
from .problem import IN_CHUNKS

EPOCHS = 200
LARGEST = 1024  # columns, with the constant: a matrix of 8 MB
DEPENDENT = {4: 1e-7, 8: 1e-14}  # a column with a smaller share of its square independent of others gets 0; by itemsize
CANCELLED = 1e-16  # the share of a sum of squares that rounding alone may leave of it
ENOUGH = 1e-4  # the share of the predicted decrease that a step must reach (Armijo 1966)
DAMPINGS = 0.0, 1e-8, 1e-4, 1.0  # tried in turn while no length of a step lowers the loss (Levenberg 1944)
UNSEEN = 1e-3  # times eps * |loss|: a step that predicts a smaller decrease is not taken
SHORTEST = 1e-9  # the shortest length, of a whole step's 1
NOISE = 16  # times eps * |loss|: the rise of the loss that rounding may cause
NARROWEST = 1e-9  # the smallest width, as a share of the first
NARROWER = 0.1  # a width is multiplied by it when the smoothed loss has converged
SETTLED = 1e-2  # times |loss|: the smoothed loss has converged when the decrement is below
WITHOUT_TOL = 1e-8  # the tolerance of smoothing and damping where tol is None
CLOSE = 10  # in tolerances: a smoothed loss no further above the loss is final
NEAR = 0.2  # by how much scores may differ, in the root mean square, of lanes that share second derivatives
FEW = 8  # up to so many models share none: their own cost less than the further steps that shared ones need
SHARED = 1e5  # a shared decrement counts so many times, as such a step leaves more behind than Newton's
SWEEPS = 2000
PERFECT = 1e4  # in eps: residuals below this share of the start's are zero to rounding
TIGHT = 1e-15  # coordinate descent ends when no coordinate lowers the quadratic by this share of its scale


class Derivatives:
    """The first and second derivatives of lanes' mean losses, and steps solved with them."""

    def __init__(self, plan):
        self.plan, self.count, self.loss = plan, plan.data.count, plan.parts.loss
        self.data = plan.data._replace(targets=plan.data.targets[:1])  # moments of others are not needed
        kept = len(weightings(plan.lanes)) * (plan.data.shift.size + 2) ** 2 * 8
        self.at_once = self.loss.squared and kept <= LARGEST_BYTES
        self.one = plan.backend.passes(plan.data, plan.options.n_threads)
        self.passes = self.one.many() if plan.many else self.one
        self.share = DEPENDENT[plan.lanes.weights.itemsize]
        self.shares = len(plan.models) > FEW and not self.at_once and all(m.replicate < 0 for m in plan.models)
        self.remembered = []  # for recent lanes: fold, target and loss; weights; second derivatives there

    def first(self, lanes):
        """The mean losses (lanes,) and their gradients (lanes, d + 1)."""
        sums, losses = self.passes.sums(self.loss, lanes)
        return losses.sum(axis=0) / self.count, sums.sum(axis=0) / self.count

    def second(self, lanes, lane):
        """The second derivatives (d + 1, d + 1) at one lane's weights, of columns that are centred once more."""
        if self.at_once:
            pair = int(lanes.fold[lane]), int(lanes.replicate[lane])
            return 2.0 * lanes.loss[lane, 0] * self.squared.products[self.squared.pairs.index(pair)]
        data = self.plan.data
        out = np.empty(self.one.n, data.shift.dtype)
        self.one.over_chunks(
            lambda a, b: curvature.second_derivatives(data, self.loss, lanes, lane, self.one.chunk, a, b, out)
        )
        if not out.any():  # no row has a second derivative, e.g. all lie beyond their margins: the penalty alone counts
            return np.zeros((data.shift.size + 1, data.shift.size + 1))
        grams = Grams(self.data._replace(weight=frozen(out)), lanes_at(lanes, [lane], 1), self.plan.options.n_threads)
        return grams.products[0] * (grams.totals[0] * lanes.scale[lane] / self.count)

    def second_near(self, lanes, lane):
        """The second derivatives at one lane's weights, or those of a lane close to it; and whether they are shared.

        64 lanes of a log loss (4e4 x 50) needed 305 matrices of 20 ms each before they were shared; now 15.
        """
        if not self.shares:
            return self.second(lanes, lane), False
        kind = int(lanes.fold[lane]), int(lanes.target[lane]), *lanes.loss[lane]
        here = lanes.weights[lane].astype(np.float64)
        for other, there, H in reversed(self.remembered):
            if other == kind and self.near(here - there, H):
                return H, bool((here != there).any())
        H = self.second(lanes, lane)
        self.remembered = [*self.remembered[-max(1, LARGEST_BYTES // H.nbytes) + 1 :], (kind, here, H)]
        return H, False

    def near(self, away, H):
        """Whether the second derivatives ``H`` may be used at weights that differ by ``away``."""
        if not away.any():
            return True
        away = np.append(away[:-1], away[-1] + away[:-1] @ self.offset)
        return self.loss.self_concordant and away @ H @ away <= NEAR**2 * H[-1, -1]

    @functools.cached_property
    def squared(self):
        """The Gram matrices of all weightings of the rows, read once."""
        return Grams(self.data, self.plan.lanes, self.plan.options.n_threads)

    @functools.cached_property
    def offset(self):
        """The further shift of the standardised columns with which the Gram matrix is computed, (d,)."""
        data = self.plan.data
        return (centre_of(data) - data.shift) * data.inverse_scale.astype(np.float64)

    def move(self, lanes, lane, gradient, damping):
        """The move (d + 1,) of one lane to the minimum of its quadratic, and whether its second derivatives are shared.

        ``damping`` is the share of the largest second derivative that is added to all of them.
        """
        H, shared = self.second_near(lanes, lane)
        H = damped(H, gradient, damping)
        part, fields = self.plan.parts.penalty, lanes.penalty[lane : lane + 1].astype(np.float64)
        low, high = lanes.low[lane].astype(np.float64), lanes.high[lane].astype(np.float64)
        weights = lanes.weights[lane].astype(np.float64)
        constant, offset = self.plan.data.constant, self.offset
        if constant:
            g = gradient.copy()
            g[:-1] -= offset * gradient[-1]
        else:  # the columns are not centred then
            g, J = gradient, np.vstack([np.eye(len(offset)), offset])
            H = np.pad(J.T @ H @ J, (0, 1))
        move = self.solve(H, g, part, fields, low, high, weights)
        if constant:
            move[-1] -= move[:-1] @ offset
        return move, shared

    def solve(self, H, g, part, fields, low, high, weights):
        """The move to the minimum of ``g @ move + move @ H @ move / 2`` and the penalty within bounds."""
        if isinstance(part, Free) or (fields[0, 0] == 0 and not np.isfinite([low, high]).any()):
            if not isinstance(part, Free):
                g = np.append(g[:-1] + fields[0, 1] * weights[:-1], g[-1])
                H = H + np.diag(np.append(np.full(len(low), fields[0, 1]), 0.0))
            return self.least_squares(H, g)
        moved = weights.copy()
        tolerance = TIGHT * float(g @ (g / np.maximum(np.diag(H), 1e-300)))
        curvature.descend_coordinates(np.ascontiguousarray(H), g, part, fields, low, high, moved, SWEEPS, tolerance)
        return moved - weights

    def least_squares(self, H, g):
        """The solution of ``H @ move = -g``; the constant first, as the weighted rows may lie far from the centre."""
        mean = H[-1, :-1] / H[-1, -1] if H[-1, -1] > 0 else np.zeros(len(g) - 1)
        products = H[:-1, :-1] - np.outer(mean, H[-1, :-1])
        least = self.share * np.diag(products) + CANCELLED * np.diag(H)[:-1]
        move, rest = np.zeros((2, 1, len(g) - 1))
        cholesky.minimise(products, (mean * g[-1] - g[:-1])[None], least, move, rest)
        last = -g[-1] / H[-1, -1] - mean @ move[0] if H[-1, -1] > 0 else 0.0
        return np.append(move[0], last)


class Newton(Solver):
    """Newton's method: an epoch is one step, with the passes of its line search.

    A loss with kinks is smoothed within a width that becomes narrower as descent goes on, until smoothing changes the
    loss by less than some tolerances.
    """

    name = "newton"
    summary = "full-batch Newton steps (Hessian solve); invariant to the scale of the columns"
    fits_rate = False
    judges_tol = scale_free = True

    # About a problem --------------------------------------------------------------------------------------------------

    @classmethod
    def suits(cls, problem):
        """Full-batch problems with a second derivative and up to 1,023 columns."""
        if problem.start.chunked:
            return IN_CHUNKS
        return cls.suits_shape(problem.options.loss, problem.d) if problem.full else "a step takes a part of the rows"

    @classmethod
    def suits_shape(cls, loss, d):
        """None if the loss and the number of columns allow Newton's steps, else the reason why not."""
        if loss.second_derivative is None:
            return "the loss has no second derivative"
        return f"X has {d} columns, and the limit is {LARGEST - 1}" if d >= LARGEST else None

    @classmethod
    def limits(cls, problem):
        """200 steps."""
        return Limits(EPOCHS, TOL_FULL)

    @classmethod
    def schedule(cls, problem, model, targets, scaled, epochs, words):
        """None: a step is whole, or as long as a line search finds."""
        words["learning_rate"] = "1: whole steps, shorter where the loss would rise (Armijo line search)"
        problem.statistics.scaling(True)  # raises where columns are not finite or their squares overflow
        return super().schedule(problem, model, targets, scaled, epochs, words)

    # A run ------------------------------------------------------------------------------------------------------------

    def __init__(self, plan):
        super().__init__(plan)
        self.derivatives = plan.backend.derivatives(plan)
        self.eps = float(np.finfo(plan.data.shift.dtype).eps)
        self.known = {}  # losses and gradients of recent lanes, by ``keys``
        name = plan.parts.loss.smoothing_field
        self.field = None if name is None else plan.parts.loss._fields.index(name)

    def init(self):
        """The weights of the plan; the first smoothing width is the spread of the targets."""
        width = np.concatenate([model.residual_rms for model in self.plan.models])
        return NewtonState(self.plan.lanes.weights, width, width).take()

    def advance(self, lanes, state, rates, clock, steps):
        """One step of all lanes."""
        lanes = lanes_with(lanes, state)
        smoothed = self.smoothed(lanes, state)
        objective, gradients = self.evaluate(smoothed)
        own = objective if smoothed is lanes else self.evaluate(lanes)[0]
        norm = np.array([self.norm(smoothed, lane, gradients[lane]) for lane in range(len(own))])
        broken = ~np.isfinite(own + norm)
        taken, falls = self.step(smoothed, objective, gradients, ~broken)
        if smoothed is not lanes:
            lanes.weights[:] = smoothed.weights
            falls = self.narrow(lanes, state, smoothed.loss[:, self.field], objective, own, falls)
        self.known = dict(list(self.known.items())[-4 * len(own) :])
        clock.epoch += 1
        clock.steps += 1
        return Records(own[None], taken[None], norm[None], np.where(broken, 0, 1), broken, falls[None])

    def verdict(self, state, history):
        """Converged, if the Newton decrement is below the tolerance, or the loss zero to rounding."""
        tol = self.plan.tol
        if tol is None or not history.records:
            return None
        last, loss = history.records[-1], self.plan.parts.loss
        losses, falls = last["loss"], last["decrement"]
        if verdict := separable(loss, losses, history.scale):
            return verdict
        squares = loss.residual_only and loss.smooth
        share = (PERFECT * self.eps) ** 2 if squares else 64 * self.eps
        least = [share * abs(scale) for scale in history.scale]
        if not squares and all(abs(value) <= end for value, end in zip(losses, least, strict=True)):
            return Verdict("converged", messages.ZERO, messages.NO_MORE)
        bound = max(tol, 64 * self.eps)
        if all(fall <= max(bound * abs(value), end) for fall, value, end in zip(falls, losses, least, strict=True)):
            return Verdict("converged", messages.DECREMENT.format(tol=tol), messages.MORE_DIGITS)
        if last["learning_rate"] == 0 and len(falls) == 1 and math.isfinite(falls[0]):
            return Verdict("converged", messages.NO_DECREASE, messages.MORE_DIGITS)
        return None

    # Objectives and gradients -----------------------------------------------------------------------------------------

    def keys(self, lanes):
        """A key for each lane, equal where losses and gradients are."""
        parts = lanes.fold, lanes.replicate, lanes.target, lanes.loss, lanes.weights
        return [b"".join(np.ascontiguousarray(part[lane]).tobytes() for part in parts) for lane in range(len(parts[0]))]

    def objective(self, lanes, state):
        """The objectives where the last step's line search has computed them."""
        lanes = lanes_with(lanes, state)
        return self.evaluate(lanes)[0] if all(key in self.known for key in self.keys(lanes)) else None

    def evaluate(self, lanes):
        """The objectives (lanes,) and the gradients of the losses (lanes, d + 1)."""
        keys = self.keys(lanes)
        # A pass computes new lanes only: one of several that are equal, and none that did not move.
        new = {key: lane for lane, key in enumerate(keys) if key not in self.known}
        if new:
            some = lanes if len(new) == len(keys) else lanes_at(lanes, list(new.values()), 1)
            self.known |= dict(zip(new, zip(*self.derivatives.first(some), strict=True), strict=True))
        losses, gradients = map(np.array, zip(*(self.known[key] for key in keys), strict=True))
        return losses + penalty_costs(self.plan.parts.penalty, lanes), gradients

    def norm(self, lanes, lane, gradient):
        """The norm of the smallest subgradient of a lane's objective."""
        penalty = type(self.plan.parts.penalty)(*lanes.penalty[lane].astype(np.float64))
        bounds = lanes.low[lane], lanes.high[lane]
        slope = penalty.slope(lanes.weights[lane, :-1].astype(np.float64), gradient[:-1], *bounds)
        return length(np.append(slope, gradient[-1]))

    # Steps ------------------------------------------------------------------------------------------------------------

    def step(self, lanes, objective, gradients, wanted):
        """Move the lanes that are ``wanted``; returns the lengths of their steps, and the predicted decreases."""
        taken, falls = np.zeros((2, len(objective)))
        stricter = max(1.0, min(SHARED, (self.plan.tol or WITHOUT_TOL) / (64 * self.eps)))
        for damping in DAMPINGS:
            moves, predicted, shared = self.moves(lanes, gradients, wanted, damping)
            taken = np.maximum(taken, self.search(lanes, objective, moves, predicted))
            falls[wanted] = (predicted * np.where(shared, stricter, 1.0))[wanted]
            wanted = (taken == 0) & (predicted > (self.plan.tol or WITHOUT_TOL) * np.abs(objective))
            if not wanted.any():
                break
        wanted &= falls > np.abs(objective)
        if wanted.any():  # a quadratic that predicts a decrease of more than the loss is of no use: exp(-30) is flat
            moves, predicted, _ = self.moves(lanes, gradients, wanted, math.inf)
            taken = np.maximum(taken, self.search(lanes, objective, moves, predicted))
        return taken, falls

    def moves(self, lanes, gradients, wanted, damping):
        """Whole steps (lanes, d + 1), the decreases (lanes,) they predict, and which use shared derivatives."""
        shared = np.zeros(len(lanes.weights), bool)
        moves, penalty = np.zeros(lanes.weights.shape), self.plan.parts.penalty
        for lane in np.flatnonzero(wanted):
            moves[lane], shared[lane] = self.derivatives.move(lanes, lane, gradients[lane], damping)
        falls = -(moves * gradients).sum(axis=1)
        if not isinstance(penalty, Free):
            whole = lanes._replace(weights=lanes.weights.astype(np.float64))
            after = whole._replace(weights=whole.weights + moves)
            falls += penalty_costs(penalty, whole) - penalty_costs(penalty, after)
        bad = ~(falls > 0)
        moves[bad], falls[bad] = 0.0, 0.0
        return moves, falls, shared

    def search(self, lanes, objective, moves, falls):
        """Take the longest steps that lower the objective enough (Armijo); their lengths (lanes,), at most 1."""
        length = np.where(falls > UNSEEN * self.eps * np.abs(objective), 1.0, 0.0)
        begun, dtype = lanes.weights.copy(), lanes.weights.dtype
        open_ = np.flatnonzero(length)
        while open_.size:
            lanes.weights[open_] = (begun[open_] + length[open_, None] * moves[open_]).astype(dtype)
            self.clip(lanes)
            reached, _ = self.evaluate(lanes)
            worst = objective - ENOUGH * length * falls + NOISE * self.eps * np.abs(objective)
            open_ = open_[~(reached[open_] <= worst[open_])]
            for lane in open_:
                length[lane] = shorter(length[lane], falls[lane], reached[lane] - objective[lane])
            lanes.weights[open_] = begun[open_]
            open_ = open_[length[open_] > SHORTEST]
        length[length <= SHORTEST] = 0.0
        return length

    def clip(self, lanes):
        """Clip weights that rounding has moved beyond their bounds."""
        if not isinstance(self.plan.parts.penalty, Free):
            np.clip(lanes.weights[:, :-1], lanes.low, lanes.high, out=lanes.weights[:, :-1])

    # Losses with kinks ------------------------------------------------------------------------------------------------

    def smoothed(self, lanes, state):
        """The lanes with the loss smoothed within the present width."""
        if self.field is None:
            return lanes
        fields = lanes.loss.copy()
        fields[:, self.field] = np.maximum(fields[:, self.field], state.width)
        return lanes._replace(loss=fields, weights=lanes.weights.copy())

    def narrow(self, lanes, state, width, objective, own, falls):
        """Reduce the width of converged lanes; returns the decrements, infinite while smoothing still matters."""
        tol = self.plan.tol or WITHOUT_TOL
        last = (width <= lanes.loss[:, self.field]) | (objective - own <= CLOSE * tol * np.abs(own))
        last |= state.width <= max(64 * self.eps, NARROWEST) * state.first_width
        settled = ~last & (falls <= SETTLED * np.abs(objective))
        state.width[settled] *= NARROWER
        return np.where(last, falls * np.where(objective > 0, own / objective, 1.0), np.inf)


def damped(H, gradient, damping):
    """Second derivatives with a share of the largest added to all; an infinite one makes a step of length 1."""
    if math.isinf(damping) or not (np.isfinite(H).all() and H.any()):
        return np.eye(len(H)) * (length(gradient) if math.isinf(damping) else 1.0)
    return H + damping * max(np.diag(H).max(), 1e-300) * np.eye(len(H)) if damping else H


def shorter(length, fall, rise):
    """The next length to try: the minimum of the interpolating parabola, between a tenth and a half of ``length``."""
    if not np.isfinite(rise):
        return 0.1 * length
    return length * min(max(0.5 * length * fall / (rise + length * fall), 0.1), 0.5)
