"""The course of a model: its losses epoch by epoch, and what follows from them.

What decides is a function of the history alone, so a run that goes on from a saved state decides as if it had never
stopped. A model of several targets is done when all of them are.
"""

import math
import time

import numpy as np

from ..parts.schedules import watched
from ..results.messages import ABOVE, ABOVE_FIRST, APART, ZERO
from ..solvers.staged_sgd import SEPARATED

ROUNDING = 8.0  # an objective below (ROUNDING * eps)**2 of its start is zero to rounding
LEFT = 10.0  # how many tolerances may be left of the loss's fall
CHUNK_MARGIN = 9.0  # a stream has diverged where its loss is ten times that of the first constant
PERFECT = 1e4  # roundings of the scores: a fit as good as numbers can be
SLOWED = 0.25  # the largest share of a run's whole fall that its last half may hold once it has slowed down


class Course:
    """What is known of a run of ``model``, one of the models of ``plan``; ``work`` says how exact its losses are."""

    def __init__(self, plan, model, work):
        self.plan, self.model, self.exact = plan, model, work.exact
        self.plateau = watched(model.schedule)
        # What a step of momentum begins lasts 1 / (1 - beta) steps: a swing must not be taken for an overfit.
        slow = self.exact and plan.held is not None
        self.patience = math.ceil(plan.patience / model.optimizer.damping - 1e-9) if slow else plan.patience
        self.eps = float(np.finfo(plan.lanes.weights.dtype).eps)
        self.rounding = max(1e-6, 64 * self.eps)
        # A chunk of a stream may be a row that the constant happens to fit.
        self.margin = CHUNK_MARGIN if plan.stream else max(work.margin, self.rounding)
        self.rule = None if plan.rule is None else plan.rule(model)
        self.starts_at(model.start_loss)
        self.begin(None)

    def starts_at(self, losses):
        """Learn the objective at the start, (targets,), where it was not known."""
        self.start = [float(loss) for loss in losses]
        self.zero = [(ROUNDING * self.eps) ** 2 * abs(start) for start in self.start]

    @property
    def unknown(self):
        """Whether the objective at the start is not known."""
        return not all(map(math.isfinite, self.start))

    def begin(self, past):
        """Begin: a run from its start, or one that goes on from the state ``past``.

        Of a stream only the present chunk is looked at, or each would cost as much as all before it.
        """
        records = [] if past is None or self.plan.stream else past.records
        self.records, self.best = [], past and past.best
        self.seen = past.facts["epoch"] if past is not None and self.plan.stream else 0  # epochs not in the records
        self.trends = [Trend() for _ in self.start]
        self.stalls = 0  # how many epochs in a row did not lower a loss
        self.lowest = self.latest = math.inf  # of the means of the losses that are judged
        self.ruling = None, ""
        self.factor, self.memory = 1.0, self.plateau.memory if self.plateau else ()
        if self.seen and self.plateau:
            self.factor, *memory = past.facts["plateau"]
            self.memory = tuple(memory)
        self.began = time.perf_counter() - (past.seconds if past is not None else 0.0)
        for record in records:
            self.note(record)

    def note(self, record):
        """Take an epoch into account: a dict of lists, a number for each target."""
        if self.unknown and self.exact:
            self.starts_at(record["loss"])
        judged = record["loss"] if self.plan.held is None else record["validation_loss"]
        tol, rounding = self.plan.tol or 0.0, self.rounding
        stalled = [
            # Momentum on the full batch swings, and a loss that rises moves still: it is neither an end nor an overfit.
            # The running mean of batches rises by noise.
            trend.note(trained, loss, tol, rounding if self.exact else math.inf) or abs(loss) <= zero
            for trend, trained, loss, zero in zip(self.trends, record["loss"], judged, self.zero, strict=True)
        ]
        self.stalls = self.stalls + 1 if all(stalled) else 0
        mean = self.latest = average(judged)
        self.lowest = min(self.lowest, mean)
        if self.plateau:
            self.factor, self.memory = self.plateau.after_epoch(mean, self.memory)
        self.records.append(record)

    def obey(self, weights):
        """Ask the rule, if there is one, about the newest epoch, which left the ``weights`` (lanes, d + 1).

        ``after_epoch(record, weights)`` is a status and a reason, or (None, "") to go on; ``factor`` multiplies the
        rates from now on.
        """
        if self.rule is not None:
            self.ruling = self.rule.after_epoch(self.records[-1], weights)
            self.factor = self.rule.factor

    # Verdicts -----------------------------------------------------------------------------------------------------

    def verdict(self):
        """The status of a run that need not go on, and why."""
        plan, records = self.plan, self.records
        if self.ruling[0] is not None:
            return self.ruling
        # Twice: momentum may carry the weights away again from where the loss was zero.
        if plan.tol is not None and all(map(self.vanished, range(len(self.zero)))):
            return "converged", ZERO
        if plan.method == "newton" and plan.tol is not None and records:
            return self.promised()
        if self.stalls < self.patience or not records:
            return None, ""
        if plan.held is not None:
            return "early_stopped", f"The validation loss has not fallen for {self.patience} epochs."
        if plan.tol is not None and all(map(self.settled, range(len(self.trends)))):
            return (
                "converged",
                f"The loss fell by less than tol={plan.tol:g} of itself, {plan.patience} epochs in a row.",
            )
        return None, ""

    def promised(self):
        """The verdict on a run of Newton's steps, by what the last one's slope promised."""
        plan, last = self.plan, self.records[-1]
        losses, falls = last["loss"], last["decrement"]
        if self.model.loss.labels and max(map(abs, losses)) <= SEPARATED * min(self.start):
            return "converged", APART
        tol = max(plan.tol, 64 * self.eps)
        squares = self.model.loss.residual_only and self.model.loss.smooth
        share = (PERFECT * self.eps) ** 2 if squares else 64 * self.eps
        least = [share * abs(start) for start in self.start]
        if not squares and all(abs(loss) <= end for loss, end in zip(losses, least, strict=True)):
            return "converged", ZERO
        if all(fall <= max(tol * abs(loss), end) for fall, loss, end in zip(falls, losses, least, strict=True)):
            return "converged", f"The next step promised to lower the loss by less than tol={plan.tol:g} of itself."
        if last["learning_rate"] == 0 and len(falls) == 1 and math.isfinite(falls[0]):
            return "converged", "No step lowers the loss any further."
        if plan.held is not None and self.stalls >= self.patience:
            return "early_stopped", f"The validation loss has not fallen for {self.patience} epochs."
        return None, ""

    def vanished(self, k):
        """Whether the last two losses of target ``k`` are zero to rounding."""
        last = self.records[-2:]
        return len(last) == 2 and max(abs(record["loss"][k]) for record in last) <= self.zero[k]

    def settled(self, k):
        """Whether the loss of target ``k`` has slowed down, and its gradient on the full batch fallen as far.

        A loss that falls no more may only have a rate too small, or one that makes it swing about the optimum.
        """
        trend, tol = self.trends[k], self.plan.tol
        if self.vanished(k):
            return True
        if not trend.slowed(tol):
            return False
        if not self.exact or not self.model.loss.smooth:
            return True
        first, norm = (self.records[end]["gradient_norm"][k] for end in (0, -1))
        size, fallen = abs(trend.lowest[-1]), trend.lowest[0] - trend.lowest[-1]
        # The gradient's square goes with what is left.
        share = min(LEFT * tol * size / fallen, 0.01) if fallen > 0 else 0.01
        return norm <= max(math.sqrt(share) * first, 1e-5 * math.sqrt(size), self.rounding * first)

    def risen(self, objective, unknown=False):
        """Whether an objective (targets,) lies above the start's.

        ``unknown`` is the answer where it is NaN: of rows never visited, or of scores that overflow.
        """
        margin = self.margin if self.plan.stream else self.rounding
        return any(
            unknown if math.isnan(value) else value > start + margin * abs(start) + zero
            for value, start, zero in zip(objective, self.start, self.zero, strict=True)
        )

    def rises(self, new):
        """Whether the newest epoch's loss lies above the start's, where that can't be but by too large a rate.

        Steps along a subgradient may rise at first: hinge from its best constant did at any rate.
        """
        return (self.model.loss.smooth or not self.exact) and self.above_start(new)

    def above_start(self, new=()):
        """Whether the last epoch's loss, or that of any of the ``new`` ones, lies above the start's."""
        records = [*self.records[:1], *(new or self.records[-1:])]
        return bool(records) and any(
            self.margin_passed([record["loss"][k] for record in records], start, zero)
            for k, (start, zero) in enumerate(zip(self.start, self.zero, strict=True))
        )

    def margin_passed(self, losses, start, zero):
        """Whether losses, the first of the run's beginning, come to lie above the start by more than the margin."""
        # The full batch's first loss is the start's, met with the data's own rounding.
        start = losses[0] if self.exact else start if self.plan.stream else min(start, losses[0])
        return max(losses[1:] or losses) > start + self.margin * abs(start) + zero

    def doubtful(self, clock):
        """Whether the records can't tell how the present weights do: then it takes a pass to know."""
        if not self.exact:
            return clock.row > 0
        if clock.steps == 0 or len(self.records) < 2:
            return clock.steps > 0
        before, last = (self.records[k]["loss"] for k in (-2, -1))
        # The last step, which no record tells of, may undo a fall that is hardly one.
        return any(
            new > start - 0.01 * abs(start) or new > old
            for new, old, start in zip(last, before, self.start, strict=True)
        )

    def stuck_above(self, objective):
        """Whether batches have settled at losses above the start's: a rate too large may do so."""
        return self.rule is None and not self.exact and self.above_start() and self.risen(objective(), unknown=True)

    def ended(self, clock, objective):
        """The status of a run that did all it was asked to; ``objective()`` is that of the present weights."""
        plan = self.plan
        # What batches met may lie above the start where the objective does not: only a pass can tell.
        above = self.above_start()
        doubtful = self.rule is None and (above or (self.best is None and self.doubtful(clock)))
        # Newton's steps lower the loss; one with corners may be rounded so widely at first that its own value rises.
        if doubtful and plan.method != "newton" and self.risen(objective(), unknown=above):
            return "diverged", ABOVE_FIRST if plan.stream else ABOVE
        if plan.stream:
            return "max_epochs", f"Chunks done: {clock.epoch}."
        if clock.epoch > plan.epochs:
            return "max_epochs", f"The run has {clock.epoch} epochs behind it, more than epochs={plan.epochs}."
        if plan.max_steps is not None and clock.steps >= plan.max_steps:
            return "max_epochs", f"All max_steps={plan.max_steps} steps are done ({clock.epoch} whole epochs)."
        return "max_epochs", f"All {plan.epochs} epochs are done."


class Trend:
    """The losses of one target."""

    def __init__(self):
        self.lowest = []  # of the epochs up to each one
        self.trained = math.inf  # the lowest training loss

    def note(self, trained, loss, tol, rounding):
        """Take an epoch's training loss and the loss that is judged into account; whether the latter has stalled."""
        lowest = self.lowest[-1] if self.lowest else math.inf
        swings = trained > self.trained + rounding * abs(self.trained) if rounding < math.inf else False
        self.lowest.append(min(lowest, loss))
        self.trained = min(self.trained, trained)
        return math.isfinite(lowest) and lowest - loss <= tol * abs(lowest) and not swings

    def slowed(self, tol):
        """Whether the last half of the epochs fell by less than the tolerance, and by little of the whole fall.

        What is still to come is about as much as the last half of a run that slows down like 1/t, and less where it
        slows down faster. A small fall alone would also be a rate that is too small.
        """
        fall, whole = (self.lowest[k] - self.lowest[-1] for k in ((len(self.lowest) - 1) // 2, 0))
        size = abs(self.lowest[-1])
        return fall <= tol * size and fall <= SLOWED * whole + 1e-14 * size


def average(numbers):
    """The mean of a model's targets."""
    return numbers[0] if len(numbers) == 1 else math.fsum(numbers) / len(numbers)
