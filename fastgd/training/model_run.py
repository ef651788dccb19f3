"""The run of one model: its losses, the rules that may end it, its learning-rate factor and its best weights."""

import math
import time

import numpy as np

from ..parts.schedules import watched
from ..results import messages
from ..results.messages import Verdict
from ..results.state import history_arrays
from ..solvers.data_statistics import robust
from ..wording import count
from .divergence import RiseCheck
from .history import LossHistory
from .stopping import rules_of

RECENT, FEW = 1000, 32  # rows over which the losses of a stream are judged, and too few for it


class ModelRun:
    """The run of ``model``, one of the models of ``plan``, by ``solver``: its losses, rules and best weights."""

    def __init__(self, plan, model, solver):
        self.plan, self.model, self.solver = plan, model, solver
        dtype = plan.lanes.weights.dtype
        # Weights that were given may be far off: what is zero to rounding is a share of the best constant's loss then.
        scale = None if model.coef is None else model.constant_loss
        # Of robust losses no more than where all targets are as far as they usually are: the rest is outliers'.
        most = None
        if robust(model.loss):
            most = model.loss.value(model.residual_rms, np.zeros(len(model.residual_rms)))
            most = np.where(most > 0, most, np.inf)  # 0, as within an epsilon, is no size
        self.history = LossHistory(model.start_loss, solver.exact, plan.held is not None, plan.tol, dtype, scale, most)
        self.rise = RiseCheck(self.history, model.loss, solver.margin, plan.start.chunked)
        self.rules = rules_of(plan, model, solver)
        self.rule = None if plan.rule is None else plan.rule(model)  # a stopping rule of the caller
        self.ruling = None  # its verdict on the newest epoch
        self.plateau = model.schedule and watched(model.schedule)
        self.plateau_factor, self.memory = 1.0, self.plateau.memory if self.plateau else ()
        self.best = None  # the epoch of the lowest validation loss and its weights
        self.before = None  # the run of the chunks before, whose records are not read again
        self.began = time.perf_counter()

    def go_on(self, past):
        """Start from the state of the run ``past``.

        Of a stream only the present chunk is recorded, or each chunk would cost as much as all before it.
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
            self.plateau_factor, *memory = past.plateau
            self.memory = tuple(memory)

    def note(self, record):
        """Add the record of an epoch: a dict of lists, a number for each target."""
        self.history.note(record)
        if self.plateau:
            self.plateau_factor, self.memory = self.plateau.after_epoch(self.history.latest, self.memory)

    @property
    def watched(self):
        """Whether every epoch is looked at: by a stopping rule, or by a schedule that follows the loss."""
        return bool(self.rules) or self.rule is not None or self.plateau is not None

    @property
    def factor(self):
        """What multiplies the learning rates from now on: the schedule's factor times that of the caller's rule."""
        return self.plateau_factor * (1.0 if self.rule is None else self.rule.factor)

    def apply_rule(self, weights):
        """Apply the caller's rule, if there is one, to the newest epoch, which ended at ``weights``.

        ``after_epoch(record, weights)`` is a :class:`Verdict`, or None to go on; ``factor`` multiplies the rates from
        now on.
        """
        if self.rule is not None:
            self.ruling = self.rule.after_epoch(self.history.records[-1], weights)

    def verdict(self, state):
        """The verdict that ends the run, or None; ``state`` is that of the solver."""
        found = self.ruling or self.solver.verdict(state, self.history)
        for rule in self.rules:
            found = found or rule.verdict(self.history)
        return found

    def stuck_above(self, objective):
        """Whether a run on batches has settled at losses above the start's, which a rate too large may cause."""
        return (
            self.rule is None
            and not self.history.exact
            and self.rise.above_start()
            and self.rise.risen(objective(), unknown=True)
        )

    def at_limit(self, clock, objective):
        """The verdict on a run whose epochs or steps are all done; ``objective()`` is that of the present weights."""
        plan, start = self.plan, self.plan.start
        if start.chunked:
            if self.solver.fits_rate and self.stream_above_constant():
                return Verdict("diverged", messages.ABOVE_CONSTANT)
            return Verdict("max_epochs", messages.CHUNKS.format(epoch=clock.epoch))
        # The recorded losses of batches may lie above the start although the objective does not: only a pass can tell.
        above = self.rise.above_start()
        doubtful = self.rule is None and (above or (self.best is None and self.rise.doubtful(clock)))
        # A line search never raises the loss, but a loss with kinks is smoothed, and its own value may rise at first.
        if doubtful and self.solver.fits_rate and self.rise.risen(objective(), unknown=above):
            return Verdict("diverged", messages.ABOVE_START)
        if clock.epoch > plan.epochs:
            reason = messages.MORE_EPOCHS
        elif plan.options.max_steps is not None and clock.steps >= plan.options.max_steps:
            reason = messages.ALL_STEPS
        else:
            reason = messages.ALL_EPOCHS if plan.epochs != 1 else messages.ONE_EPOCH
        behind = count(clock.epoch, "whole epoch" if reason is messages.ALL_STEPS else "epoch")
        numbers = {"behind": behind, "epochs": plan.epochs, "max_steps": plan.options.max_steps}
        return Verdict("max_epochs", reason.format(**numbers))

    def stream_above_constant(self):
        """Whether a stream's losses of late, each before its step, are far above those of the best constant."""
        rows, start = self.plan.n, self.plan.start
        last = np.array([record["loss"] for record in self.history.records])
        if self.before is not None:
            last = np.concatenate([self.before.history["loss"][-math.ceil(RECENT / rows) :], last])
        last = last[-math.ceil(RECENT / rows) :]
        weight, before = self.plan.data.weight, start.behind.weight / start.rows_seen(0) if start.past else 0.0
        usual = max(weight.mean() if weight.size else 1.0, before)  # losses are recorded with their weights
        return len(last) * rows >= FEW and self.rise.risen((last.mean(axis=0) / usual).tolist())

    def history_until(self, epoch):
        """The history as arrays, up to an epoch."""
        seen = self.before.epoch if self.before else 0
        before = self.before.history if self.before else None
        return history_arrays(self.history.records[: epoch - seen], len(self.history.start), before)
