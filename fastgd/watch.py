"""What is looked at between slices: tolerance, held-out data, divergence, the callback; and the sentence at the end.

What decides is a function of the history alone, so a run that goes on from a saved state decides as if it had never
stopped.
"""

import math
import time

import numpy as np

from . import checks
from .passes import penalty_cost
from .progress import Bar, EpochProgress
from .schedules import watched

ROUNDING = 8.0  # an objective below (ROUNDING * eps)**2 of its start is zero to rounding
LEFT = 10.0  # how many tolerances may be left of the loss's fall
CHUNK_MARGIN = 9.0  # a stream has diverged where its loss is ten times that of the first constant
SLOWED = 0.25  # the largest share of a run's whole fall that its last half may hold once it has slowed down


class Watch:
    """Looks at a run of ``plan``; ``work`` says how exact its losses are, ``measure`` makes passes over data."""

    def __init__(self, plan, work, measure):
        self.plan, self.exact = plan, work.exact
        self.passes = measure(plan.data, plan.n_threads)
        self.held = None if plan.held is None else measure(plan.held, plan.n_threads)
        self.plateau = watched(plan.schedule)
        # What a step of momentum begins lasts 1 / (1 - beta) steps: a swing must not be taken for an overfit.
        slow = self.exact and self.held is not None
        self.patience = math.ceil(plan.patience / plan.parts.optimizer.damping - 1e-9) if slow else plan.patience
        self.start = plan.start_loss if np.isfinite(plan.start_loss) else self.objective(0)
        eps = float(np.finfo(plan.lanes.weights.dtype).eps)
        self.rounding = max(1e-6, 64 * eps)
        # A chunk of a stream may be a row that the constant happens to fit.
        self.margin = CHUNK_MARGIN if plan.stream else max(work.margin, self.rounding)
        self.zero = (ROUNDING * eps) ** 2 * abs(self.start)
        self.bar = Bar(plan.verbose, plan.epochs, "epoch")
        self.begin(None)

    # The history, and what follows from it ------------------------------------------------------------------------

    def begin(self, past):
        """Begin to look: at a run from its start, or at one that goes on from the state ``past``.

        Of a stream only the present chunk is looked at, or each would cost as much as all before it.
        """
        records = [] if past is None or self.plan.stream else past.records
        self.records, self.best = [], past and past.best
        self.seen = past.facts["epoch"] if past is not None and self.plan.stream else 0  # epochs not in the records
        self.lowest, self.stalls = [], 0  # the lowest loss of the epochs up to each one; how many did not lower it
        self.trained = np.inf  # the lowest training loss
        self.factor, self.memory = 1.0, self.plateau.memory if self.plateau else ()
        if self.seen and self.plateau:
            self.factor, *memory = past.facts["plateau"]
            self.memory = tuple(memory)
        self.began = time.perf_counter() - (past.seconds if past is not None else 0.0)
        for record in records:
            self.note(record)

    def note(self, record):
        """Take an epoch's record into account."""
        trained = record["loss"]
        loss = trained if self.held is None else record["validation_loss"]
        lowest = self.lowest[-1] if self.lowest else np.inf
        fall = lowest - loss
        # Momentum on the full batch swings, and a loss that rises moves still: it is neither an end nor an overfit.
        # The running mean of batches rises by noise.
        swings = self.exact and trained > self.trained + self.rounding * abs(self.trained)
        stalled = np.isfinite(lowest) and fall <= (self.plan.tol or 0.0) * abs(lowest) and not swings
        self.stalls = self.stalls + 1 if stalled else 0
        self.lowest.append(min(lowest, loss))
        self.trained = min(self.trained, trained)
        if self.plateau:
            self.factor, self.memory = self.plateau.after_epoch(loss, self.memory)
        self.records.append(record)

    def see(self, clock, records):
        """Measure what is asked for after the epochs that a slice finished, and note them."""
        plan = self.plan
        for record in records:
            record["seconds"] = time.perf_counter() - self.began
        if records and plan.evaluate:
            records[-1]["objective"] = self.objective(clock.steps)
        if records and self.held is not None:
            records[-1]["validation_loss"] = self.validation_loss(clock.steps)
        for record in records:
            lowest = self.lowest[-1] if self.lowest else np.inf
            self.note(record)
            if self.held is not None and record["validation_loss"] < lowest:
                self.best = clock.epoch, self.answer(clock.steps).copy()

    def ask(self, clock):
        """Tell of the epoch; a status where the callback ends the run."""
        plan, last = self.plan, self.records[-1]
        self.bar.update(clock.epoch, last["loss"])
        if plan.callback is None:
            return None, ""
        told = ("loss", "objective", "validation_loss", "learning_rate", "seconds")
        numbers = {name: float(last.get(name, np.nan)) for name in told}
        if checks.truthy("callback", plan.callback(EpochProgress(clock.epoch, clock.steps, **numbers))):
            return "early_stopped", f"The callback said so after epoch {clock.epoch}."
        return None, ""

    # Passes over data ---------------------------------------------------------------------------------------------

    def answer(self, steps):
        """The weights (lanes, d + 1) that the run would give back after so many steps."""
        lanes = self.plan.lanes
        if lanes.averages.shape[1] == 0:
            return lanes.weights
        begun = steps >= lanes.begin
        return np.where(begun[:, None], lanes.averages, lanes.weights).astype(lanes.weights.dtype)

    def objective(self, steps):
        """The objective at the present weights: a pass over the data."""
        lanes, parts = self.plan.lanes._replace(weights=self.answer(steps)), self.plan.parts
        with np.errstate(all="ignore"):
            return float(self.passes.loss(parts.loss, lanes)[0] + penalty_cost(parts.penalty, lanes))

    def validation_loss(self, steps):
        """The mean loss of what is held out at the present weights; infinite where it is not finite."""
        lanes = self.plan.lanes._replace(weights=self.answer(steps), target=np.zeros_like(self.plan.lanes.target))
        with np.errstate(all="ignore"):
            loss = float(self.held.loss(self.plan.parts.loss, lanes)[0])
        return loss if np.isfinite(loss) else np.inf

    # Verdicts -----------------------------------------------------------------------------------------------------

    def verdict(self):
        """The status of a run that need not go on, and why."""
        plan, records = self.plan, self.records
        # Twice: momentum may carry the weights away again from where the loss was zero.
        if (
            plan.tol is not None
            and len(records) > 1
            and max(abs(record["loss"]) for record in records[-2:]) <= self.zero
        ):
            return "converged", "The loss is zero to rounding."
        if self.stalls < self.patience or not records:
            return None, ""
        if self.held is not None:
            return "early_stopped", f"The validation loss has not fallen for {self.patience} epochs."
        if plan.tol is not None and self.slowed() and self.settled():
            return (
                "converged",
                f"The loss fell by less than tol={plan.tol:g} of itself, {plan.patience} epochs in a row.",
            )
        return None, ""

    def slowed(self):
        """Whether the last half of the epochs fell by less than the tolerance, and by little of the whole fall.

        What is still to come is about as much as the last half of a run that slows down like 1/t, and less where it
        slows down faster. A small fall alone would also be a rate that is too small.
        """
        fall, whole = (self.lowest[k] - self.lowest[-1] for k in ((len(self.lowest) - 1) // 2, 0))
        size = abs(self.lowest[-1])
        return fall <= self.plan.tol * size and fall <= SLOWED * whole + 1e-14 * size

    def settled(self):
        """Whether the gradient of the full batch fell as far as the loss has to: its square goes with what is left.

        A loss that falls no more may only have a rate too small, or one that makes it swing about the optimum.
        """
        if not self.exact or not self.plan.parts.loss.smooth:
            return True
        first, norm, size = self.records[0]["gradient_norm"], self.records[-1]["gradient_norm"], abs(self.lowest[-1])
        fallen = self.lowest[0] - self.lowest[-1]
        share = min(LEFT * self.plan.tol * size / fallen, 0.01) if fallen > 0 else 0.01
        return norm <= max(np.sqrt(share) * first, 1e-5 * np.sqrt(size), self.rounding * first)

    def risen(self, steps, unknown=False):
        """Whether the objective at the present weights lies above the start's: a pass over the data.

        ``unknown`` is the answer where it is NaN: of rows never visited, or of scores that overflow.
        """
        value, margin = self.objective(steps), self.margin if self.plan.stream else self.rounding
        return unknown if np.isnan(value) else value > self.start + margin * abs(self.start) + self.zero

    def worse(self, steps):
        """Whether batches led to a larger objective than the start's, which the losses met need not show."""
        return not self.exact and not self.plan.stream and self.risen(steps)

    def rises(self, new):
        """Whether the newest epoch's loss lies above the start's, where that can't be but by too large a rate.

        Steps along a subgradient may rise at first: hinge from its best constant did at any rate.
        """
        return (self.plan.parts.loss.smooth or not self.exact) and self.above_start(new)

    def above_start(self, new=()):
        """Whether the last epoch's loss, or that of any of the ``new`` ones, lies above the start's."""
        losses = [record["loss"] for record in (*self.records[:1], *(new or self.records[-1:]))]
        if not losses:
            return False
        # The full batch's first loss is the start's, met with the data's own rounding.
        start = losses[0] if self.exact else self.start if self.plan.stream else min(self.start, losses[0])
        return max(losses[1:] or losses) > start + self.margin * abs(start) + self.zero

    def doubtful(self, clock):
        """Whether the records can't tell how the present weights do: then it takes a pass to know."""
        if not self.exact:
            return clock.row > 0
        if clock.steps == 0 or len(self.records) < 2:
            return clock.steps > 0
        last = self.records[-1]["loss"]
        hardly = last > self.start - 0.01 * abs(self.start)  # the last step, which no record tells of, may undo it
        return hardly or last > self.records[-2]["loss"]

    def ended(self, clock):
        """The status of a run that did all it was asked to."""
        plan = self.plan
        # What batches met may lie above the start where the objective does not: only a pass can tell.
        above = self.above_start()
        if self.best is None and (above or self.doubtful(clock)) and self.risen(clock.steps, unknown=above):
            than = "ten times that of the constant that the first chunk began with" if plan.stream else "its start"
            return "diverged", f"The loss ended above {than}."
        if plan.stream:
            return "max_epochs", f"Chunks done: {clock.epoch}."
        if clock.epoch > plan.epochs:
            return "max_epochs", f"The run has {clock.epoch} epochs behind it, more than epochs={plan.epochs}."
        if plan.max_steps is not None and clock.steps >= plan.max_steps:
            return "max_epochs", f"All max_steps={plan.max_steps} steps are done ({clock.epoch} whole epochs)."
        return "max_epochs", f"All {plan.epochs} epochs are done."

    def failed(self, clock):
        return "diverged", (
            f"The loss or a weight became infinite or NaN after epoch {clock.epoch}; the last finite weights are kept."
        )

    def close(self):
        self.bar.close()
