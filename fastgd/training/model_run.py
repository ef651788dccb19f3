"""The run of one model: its losses, the rules that may end it, its learning-rate factor and its best weights."""

import time

from ..parts.schedules import watched
from ..results import messages
from ..results.state import history_arrays
from ..solvers.base import Verdict
from .divergence import RiseCheck
from .history import LossHistory
from .stopping import rules_of


class ModelRun:
    """What is known of a run of ``model``, one of the models of ``plan``, by ``solver``."""

    def __init__(self, plan, model, solver):
        self.plan, self.model, self.solver = plan, model, solver
        dtype = plan.lanes.weights.dtype
        self.history = LossHistory(model.start_loss, solver.exact, plan.held is not None, plan.tol, dtype)
        self.rise = RiseCheck(self.history, model.loss.smooth, solver.margin, plan.start.chunked)
        self.rules = rules_of(plan, model, solver)
        self.rule = None if plan.rule is None else plan.rule(model)  # the caller's own
        self.ruling = None  # its verdict on the newest epoch
        self.plateau = model.schedule and watched(model.schedule)
        self.factor, self.memory = 1.0, self.plateau.memory if self.plateau else ()
        self.best = None  # the epoch of the lowest validation loss and its weights
        self.before = None  # the run of the chunks before, whose records are not looked at again
        self.began = time.perf_counter()

    def go_on(self, past):
        """Start where the run ``past`` stands.

        Of chunks only the present one is looked at, or each would cost as much as all before it.
        """
        if past.best is not None:
            self.best = past.best_epoch, past.best
        self.began -= past.seconds
        if not self.plan.start.chunked:
            for record in past.records:
                self.note(record)
            return
        self.before = past
        if past.epoch and self.plateau:
            self.factor, *memory = past.plateau
            self.memory = tuple(memory)

    def note(self, record):
        """Take an epoch into account: a dict of lists, a number for each target."""
        self.history.note(record)
        if self.plateau:
            self.factor, self.memory = self.plateau.after_epoch(self.history.latest, self.memory)

    def ask_rule(self, weights):
        """Ask the caller's own rule, if there is one, about the newest epoch, which left the ``weights``.

        ``after_epoch(record, weights)`` is a status and a reason, or (None, "") to go on; ``factor`` multiplies the
        rates from now on.
        """
        if self.rule is not None:
            status, reason = self.rule.after_epoch(self.history.records[-1], weights)
            self.ruling = None if status is None else Verdict(status, reason)
            self.factor = self.rule.factor

    def verdict(self, state):
        """Why the run need not go on, or None; ``state`` is that of the solver."""
        found = self.ruling or self.solver.verdict(state, self.history)
        for rule in self.rules:
            found = found or rule.verdict(self.history)
        return found

    def stuck_above(self, objective):
        """Whether batches have settled at losses above the start's: a rate too large may do so."""
        return (
            self.rule is None
            and not self.history.exact
            and self.rise.above_start()
            and self.rise.risen(objective(), unknown=True)
        )

    def at_limit(self, clock, objective):
        """The verdict on a run that did all it was asked to; ``objective()`` is that of the present weights."""
        plan, start = self.plan, self.plan.start
        # What batches met may lie above the start where the objective does not: only a pass can tell.
        above = self.rise.above_start()
        doubtful = self.rule is None and (above or (self.best is None and self.rise.doubtful(clock)))
        # Line searches lower the loss; one with kinks may be smoothed so widely at first that its own value rises.
        if doubtful and self.solver.fits_rate and self.rise.risen(objective(), unknown=above):
            return Verdict("diverged", messages.ABOVE_FIRST_CHUNK if start.chunked else messages.ABOVE_START)
        if start.chunked:
            reason = messages.CHUNKS
        elif clock.epoch > plan.epochs:
            reason = messages.MORE_EPOCHS
        elif plan.options.max_steps is not None and clock.steps >= plan.options.max_steps:
            reason = messages.ALL_STEPS
        else:
            reason = messages.ALL_EPOCHS
        numbers = {"epoch": clock.epoch, "epochs": plan.epochs, "max_steps": plan.options.max_steps}
        return Verdict("max_epochs", reason.format(**numbers))

    def history_until(self, epoch):
        """The history as arrays, up to an epoch."""
        seen = self.before.epoch if self.before else 0
        before = self.before.history if self.before else None
        return history_arrays(self.history.records[: epoch - seen], len(self.history.start), before)
