"""The loop of a run: slices of about 10 ms of compiled work, and the checks between them.

The models of a plan run in step. A model that has ended leaves with its lanes and costs no more time. A model whose
automatic rate proves too large restarts with a smaller one, in a loop of its own after this one.
"""

import functools
import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..kernels.lanes import Lanes
from ..results import messages
from ..results.messages import Verdict
from ..results.state import Clock, SolverState
from ..solvers.plan import lanes_at, rate_table, rows_of_models
from ..wording import count
from .backoff import Backoff
from .history import average
from .model_run import ModelRun
from .monitor import Monitor


@dataclass(frozen=True)
class Outcome:
    """How the run of a model ended, and its state then."""

    weights: np.ndarray  # (lanes of the model, d + 1), with validation the best ones, with average the mean
    objective: float  # at these weights where it is known, else that of the last epoch
    verdict: Verdict
    clock: Clock
    solver_state: SolverState
    history: dict  # of arrays
    best: tuple | None  # the epoch of the lowest validation loss and its weights
    plateau: list | None
    backoffs: int
    confirmed_backoffs: int
    left_out: np.ndarray | None = None  # (d,) bool, the columns that depend on others
    selection_loss: float = np.inf  # the last loss that models are compared by; infinite where the run diverged

    @property
    def status(self):
        """How the run ended."""
        return self.verdict.status


def train(plan):
    """Run a plan to its end; returns the outcome of each of its models."""
    return train_together([plan])[0]


def train_together(plans, keep=()):
    """Run plans to their ends: a list of outcomes for each. After the epochs ``keep`` the worse half is dropped."""
    groups, interrupted = [Group(plan) for plan in plans], False
    for epoch in (*keep, None):
        for group in groups:
            interrupted = group.run(epoch, interrupted)
        try:
            if epoch is not None and not interrupted:
                drop_half(groups, epoch)
        except KeyboardInterrupt:
            interrupted = True
    return [[group.outcomes[k] for k in range(len(group.plan.models))] for group in groups]


def drop_half(groups, epoch):
    """End the worse half of the settings that still run; the loss of a setting is the mean over its folds."""
    losses = {}
    for group in groups:
        for number, loss in group.standings():
            losses.setdefault(number, []).append(loss)
    for group in groups:
        for number, loss in group.ended():
            if number in losses:  # some of its folds still run
                losses[number].append(loss)
    ranked = sorted(losses, key=lambda number: average(losses[number]))
    for number in ranked[(len(ranked) + 1) // 2 :]:
        for group in groups:
            group.drop(number, messages.DROPPED.format(epoch=epoch))


class Group:
    """The runs of a plan's models: a loop for all of them, then one for each restart."""

    def __init__(self, plan):
        self.plan, self.outcomes, self.interrupted = plan, {}, False
        past = None if plan.start.chunked else plan.start.past  # each chunk has rates that suit all rows so far
        self.loops = [self.loop(dict.fromkeys(range(len(plan.models))), past.confirmed_backoffs if past else 0)]

    def loop(self, models, backoffs):
        """A loop over some of the models."""
        enabled = self.plan.automatic and self.plan.solver.fits_rate
        return Loop(self.plan, Backoff(backoffs, models, enabled), self.outcomes)

    def run(self, until=None, interrupted=False):
        """Run to the end of epoch ``until``, or of all runs; returns whether Ctrl-C has ended these or earlier ones."""
        self.interrupted |= interrupted
        for loop in self.loops:
            loop.run(until, self.interrupted)
            self.interrupted |= loop.interrupted
            if loop.backoff.again:
                again, loop.backoff.again = loop.backoff.again, {}
                self.loops.append(self.loop(again, loop.backoff.count + 1))
        return self.interrupted

    def standings(self):
        """For each model that still runs: the number of its setting, and the loss it is compared by."""
        return [pair for loop in self.loops for pair in loop.standings()]

    def ended(self):
        """For each model that has ended: the number of its setting, and the loss it is compared by."""
        return [(self.plan.models[k].number, outcome.selection_loss) for k, outcome in self.outcomes.items()]

    def drop(self, number, reason):
        """End the runs of a setting."""
        for loop in self.loops:
            gone = [k for k, run in enumerate(loop.running.runs) if run.model.number == number]
            for k in gone:
                loop.end(k, Verdict("early_stopped", reason))
            loop.leave(gone)


class Running(NamedTuple):
    """The models that are still running: their numbers in the plan, settings of their lanes, the solver's state."""

    numbers: tuple
    lanes: Lanes
    state: SolverState
    runs: tuple  # of ModelRun


class Snapshot:
    """The last state that was checked and found finite."""

    def __init__(self, loop):
        self.running, self.clock = loop.running._replace(state=loop.running.state.take()), loop.clock.copy()
        self.bests = [run.best for run in loop.running.runs]


class Loop:
    """Runs some models of a plan in step, those of ``backoff``; fills ``outcomes``."""

    def __init__(self, plan, backoff, outcomes):
        numbers = tuple(backoff.confirmed)
        self.plan = plan = plan.of(numbers)
        self.solver = plan.solver.bind(plan)
        self.monitor = Monitor(plan, self.solver)
        runs = tuple(ModelRun(plan, model, self.solver) for model in plan.models)
        looked_at = plan.options.callback is not None or plan.options.evaluate or plan.every_epoch
        self.solver.watched = looked_at or any(run.watched for run in runs)
        self.running = Running(numbers, plan.lanes, self.solver.init(), runs)
        self.backoff, self.outcomes = backoff, outcomes
        self.interrupted, self.clock = False, Clock(steps=plan.start.first_step)
        plan.start.enter(self)
        # Of a chunk, the state before it, until what its loss was is asked for.
        self.before = self.running.state.take() if plan.start.chunked and backoff.enabled else None
        self.last = Snapshot(self)

    def go_on(self, past):
        """Start from the state of the run ``past``."""
        self.running.state.load(past.solver)
        self.clock = past.clock
        self.running.runs[0].go_on(past)

    def run(self, until=None, interrupted=False):
        """One slice after another, until all models have a verdict or epoch ``until`` is over."""
        try:
            if interrupted:
                raise KeyboardInterrupt
            self.evaluate_starts()
            while self.running.numbers and (until is None or self.clock.epoch < until or self.over):
                self.judge()
                if self.running.numbers:
                    self.advance()
        except KeyboardInterrupt:
            self.interrupted = True
            self.back_to_last()
            for k, number in enumerate(self.running.numbers):
                if number not in self.outcomes:
                    self.end(
                        k, Verdict("interrupted", messages.INTERRUPTED.format(steps=count(self.clock.steps, "step")))
                    )
            self.leave(range(len(self.running.numbers)))
        finally:
            self.solver.close()
            if not self.running.numbers:
                self.monitor.close(ended=not self.interrupted)

    def evaluate_starts(self):
        """Compute the objectives at the start where they are not known; full-batch steps compute them anyway."""
        _, lanes, state, runs = self.running
        if self.solver.exact or self.plan.rule is not None or not any(run.history.unknown_start for run in runs):
            return
        for run, start in zip(runs, self.monitor.present_objective(lanes, state, 0), strict=True):
            if run.history.unknown_start:
                run.history.starts_at(start)

    def standings(self):
        """For each model: the number of its setting, and the loss it is compared by."""
        _, lanes, state, runs = self.running
        if not runs:
            return []
        losses = self.monitor.selection_loss(lanes, self.solver.answer(state, self.clock.steps))
        return [(run.model.number, loss) for run, loss in zip(runs, losses.mean(axis=1).tolist(), strict=True)]

    @property
    def left(self):
        """The number of steps left."""
        most = self.plan.options.max_steps
        return 2**62 if most is None else most - self.clock.steps

    @property
    def over(self):
        """Whether all epochs or steps are done."""
        return self.clock.epoch >= self.plan.epochs or self.left <= 0

    def judge(self):
        """End the runs that are over; those whose rates prove too large are to restart."""
        clock, (_, lanes, state, runs), done = self.clock, self.running, []
        objectives = functools.cache(lambda: self.monitor.present_objective(lanes, state, clock.steps).tolist())
        for k, run in enumerate(runs):
            objective = functools.partial(lambda k: objectives()[k], k)
            verdict = run.verdict(state)
            if verdict is None and self.over:
                verdict = run.at_limit(clock, objective)
            if verdict is None:
                continue
            if verdict.status == "converged" and run.stuck_above(objective):
                verdict = Verdict("diverged", messages.ABOVE_START)
            done.append(k)
            may_restart = self.backoff.enabled and run.best is None and not self.plan.start.chunked
            if may_restart and self.too_fast(run, verdict, objective):
                self.backoff.request(self.running.numbers[k], at_end=True)
            else:
                self.end(k, verdict)
        self.leave(done)

    def too_fast(self, run, verdict, objective):
        """Whether a run that has ended had too large a rate.

        On batches the objective may be above the start's although the recorded losses are not.
        """
        return verdict.status == "diverged" or (not self.solver.exact and run.rise.risen(objective()))

    def advance(self):
        """One slice of work, and the checks of its result."""
        before, (numbers, lanes, state, runs) = self.clock.copy(), self.running
        with np.errstate(all="ignore"):
            done = self.solver.advance(lanes, state, self.rates, self.clock, self.left)
        whole, sound = self.by_model(np.isfinite(state.weights).all(axis=1)), self.by_model(~done.broken)
        records, gone = self.monitor.records(done), []
        for k, run in enumerate(runs):
            finite = sound[k] and whole[k]
            if self.backoff.enabled and not (finite and not self.rises(run, records[k])):
                self.backoff.request(numbers[k])
            elif not finite:
                self.fail(k, before, records[k], at_end=whole[k] and self.plan.full)
            else:
                continue
            gone.append(k)
        self.leave(gone, snapshot=False)
        records = [new for k, new in enumerate(records) if k not in gone]
        _, lanes, state, runs = self.running
        self.monitor.record_epochs(lanes, state, self.clock, runs, records)
        self.last = Snapshot(self)
        if self.plan.keep is not None and self.running.numbers:
            self.plan.keep(self.present)
        if any(records):
            ended = self.monitor.call_back(self.clock, runs)
            for k in ended:
                self.end(k, Verdict("early_stopped", messages.CALLBACK.format(epoch=self.clock.epoch)))
            self.leave(ended)

    def rises(self, run, records):
        """Whether the newest losses lie so far above the start's that only a rate too large can be the cause."""
        if run.rise.rises(records):
            self.measure_start()
        return run.rise.rises(records)

    def measure_start(self):
        """Compute the objective of a chunk at the weights before it, so that its losses are not judged by less."""
        if self.before is not None:
            _, lanes, _, (run,) = self.running
            losses = self.monitor.present_objective(lanes, self.before, self.clock.steps)[0]
            run.rise.before, self.before = np.nan_to_num(losses, nan=-np.inf).tolist(), None

    def rates(self, first, count):
        """The rates (count, lanes) of the steps ``first + 1`` on."""
        runs = self.running.runs
        factors = [self.backoff.factor * run.factor for run in runs]
        return rate_table([run.model for run in runs], factors, self.plan.width, first, count)

    def by_model(self, flags):
        """Which models have all their lanes' flags set."""
        return (flags.reshape(-1, self.plan.width).all(axis=1) if self.plan.width > 1 else flags).tolist()

    def fail(self, k, before, records, at_end):
        """End a run that is no longer finite: with the kernels' last state (``at_end``), or the last snapshot."""
        run, lanes, state, clock = self.running.runs[k], self.running.lanes, self.last.running.state, self.last.clock
        if at_end:
            done, rows = len(records), rows_of_models([k], self.plan.width)
            state, clock = self.running.state, replace(before, epoch=before.epoch + done, steps=before.steps + done)
            own = lanes_at(lanes, [k], self.plan.width)
            self.monitor.record_epochs(own, state.take(rows), clock, [run], [records])
        self.end(k, Verdict("diverged", messages.NOT_FINITE.format(epoch=clock.epoch), finite=False), state, clock)

    def back_to_last(self):
        """Return to the last snapshot."""
        last = self.last
        self.running, self.clock = last.running, last.clock.copy()
        for run, best in zip(last.running.runs, last.bests, strict=True):
            run.best = best
        self.backoff.withdraw(last.running.numbers)

    def leave(self, gone, snapshot=True):
        """Remove models from the loop."""
        if not len(gone):
            return
        numbers, lanes, state, runs = self.running
        kept = [k for k in range(len(numbers)) if k not in gone]
        self.clock.loss_sum = self.loss_sum(kept)
        self.running = Running(
            tuple(numbers[k] for k in kept),
            lanes_at(lanes, kept, self.plan.width),
            state.take(rows_of_models(kept, self.plan.width)),
            tuple(runs[k] for k in kept),
        )
        if snapshot:
            self.last = Snapshot(self)

    def loss_sum(self, models, clock=None):
        """The loss sums of the running epoch, for the lanes of some models."""
        found = (clock or self.clock).loss_sum
        return found if np.ndim(found) == 0 else found.reshape(-1, self.plan.width)[models].reshape(-1)

    def present(self):
        """The outcome of the only model if its run were interrupted now; its state is the running one."""
        words = messages.INTERRUPTED.format(steps=count(self.clock.steps, "step"))
        return self.outcome(0, Verdict("interrupted", words), loss=self.running.runs[0].history.latest)

    def end(self, k, verdict, state=None, clock=None):
        """Store the outcome of a model whose run has ended: now, or with the given state and clock."""
        self.outcomes[self.running.numbers[k]] = self.outcome(k, verdict, state, clock)

    def outcome(self, k, verdict, state=None, clock=None, loss=None):
        """How the run of a model ends now, or with the given state and clock; ``loss`` is given for want of a pass."""
        number, run, clock = self.running.numbers[k], self.running.runs[k], clock or self.clock
        loss_sum = np.zeros(self.plan.width) + self.loss_sum([k], clock)
        clock = Clock(clock.epoch, clock.row, clock.steps, loss_sum)
        state = state or self.running.state
        # That of the only model is changed no more: of 2**20 columns a copy took as long as three steps.
        if len(self.running.numbers) > 1:
            state = state.take(rows_of_models([k], self.plan.width))
        weights, reason = self.solver.answer(state, clock.steps), verdict.reason
        begin = self.plan.options.average
        if begin is not None and clock.steps < begin:
            reason += " " + messages.NOT_AVERAGED.format(begin=begin)
        if run.best is not None:
            weights = run.best[1]
            reason += " " + messages.BEST_EPOCH.format(epoch=run.best[0])
        return Outcome(
            weights=weights,
            objective=self.last_objective(k, run, state, verdict) if loss is None else loss,
            verdict=verdict._replace(reason=reason),
            clock=clock,
            solver_state=state,
            history=run.history_until(clock.epoch),
            best=run.best,
            plateau=[run.plateau_factor, *run.memory] if run.plateau else None,
            backoffs=self.backoff.count,
            confirmed_backoffs=self.backoff.confirmed_count(number),
            left_out=self.solver.left_out(state),
            selection_loss=np.inf if verdict.status == "diverged" else run.history.latest,
        )

    def single(self, run):
        """Whether a run is that of the only model but for replicates."""
        return run.model.replicate < 0 and sum(model.replicate < 0 for model in self.plan.models) == 1

    def last_objective(self, k, run, state, verdict):
        """The objective at the returned weights where it is known, else the last recorded loss."""
        records, epoch = run.history.records, run.best[0] if run.best else None
        if epoch is None and verdict.status != "diverged" and (self.solver.objective_is_free or self.single(run)):
            own = lanes_at(self.running.lanes, [k], self.plan.width)
            with np.errstate(all="ignore"):
                known = self.solver.objective(own, state)
            if known is not None:
                return float(self.monitor.by_model(known)[0].mean())
        if not records:
            start = run.history.start
            if run.history.unknown_start:
                own = lanes_at(self.running.lanes, [k], self.plan.width)
                start = self.monitor.objective(own, state.weights)[0].tolist()
            return average(start)
        last = records[min(epoch or len(records), len(records)) - 1]
        measured = average(last.get("objective", [math.nan]))
        if not math.isnan(measured):
            return measured
        if epoch is not None and self.solver.exact and epoch < len(records):
            return average(records[epoch]["loss"])  # before the next step
        return average(last["loss"])
