"""The loop of a fit: slices of about 10 ms of compiled work, and between them everything that a person may ask for.

A slice's length is a function of the shape and the settings, never of the clock, so the places where the loop looks at
the loss, and with them the result, are the same on every run. ``FullBatch`` and ``Batches`` say what a slice is;
``drive`` looks at what it left: lanes that are not finite, an automatic rate too large, Ctrl-C. What follows from the
losses is decided in ``watch.py``.
"""

from dataclasses import dataclass, replace

import numpy as np

from .kernels import block_loop, full_batch, order, row_loop
from .kernels.lanes import Data, Lanes, Parts
from .kernels.rows import Scaled
from .passes import Passes
from .schedules import rates, watched
from .state import LOADED, Clock, State, state_of
from .watch import Watch

SLICE_ELEMENTS = 1 << 24
ROW_OVERHEAD = 32  # what a row costs beyond its columns, in elements
RETREAT = 0.1  # an automatic rate that diverged is multiplied by this
RETREATS = 40


@dataclass(frozen=True)
class Plan:
    """What to run: everything resolved, nothing 'auto'."""

    data: Data
    parts: Parts
    lanes: Lanes
    schedule: tuple  # its durations in steps
    batch: int
    full: bool  # whether a step takes all rows
    shuffle: object
    seed: int
    epochs: int
    max_steps: int | None
    tol: float | None
    patience: int
    n_threads: int
    rows: np.ndarray | None = None  # the rows trained on, where others are held out
    held: Data | None = None  # what is held out to validate on
    past: State | None = None  # the run that this one goes on with
    stream: bool = False  # the data are a chunk of many, to be passed once
    evaluate: bool = False
    automatic_rate: bool = False
    start_loss: float = np.inf  # the objective at the start, where it is known without a pass
    callback: object = None
    verbose: int = 0

    @property
    def watched(self):
        """Whether something looks at every epoch."""
        asked = (self.callback, self.tol, self.held, watched(self.schedule))
        return self.evaluate or any(one is not None for one in asked)


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    weights: np.ndarray  # (lanes, d + 1), the best or averaged ones where such were asked for
    state: State
    status: str
    reason: str
    retreats: int


class FullBatch:
    """An epoch is a step. Data of one chunk runs many steps in one kernel call."""

    exact = True
    margin = 1e-6  # how far a loss may rise above its start by rounding

    def __init__(self, plan):
        self.plan = plan
        self.passes = Passes(plan.data, plan.n_threads)
        lanes, width = plan.lanes.weights.shape
        cost = (self.passes.n + 1) * (self.passes.d + ROW_OVERHEAD) * lanes
        self.steps = 1 if plan.watched or self.passes.chunks > 1 else max(1, SLICE_ELEMENTS // cost)
        self.sums, self.losses = np.empty((1, lanes, width)), np.empty((1, lanes))

    def advance(self, clock, steps):
        """Up to ``steps`` steps; returns the epochs' records and whether a lane failed.

        The kernels leave a failed lane at its last finite weights; its clock and records end there.
        """
        plan = self.plan
        steps = min(steps, self.steps, plan.epochs - clock.epoch)
        rates = rates_of(plan.schedule, clock, steps, plan.lanes)
        objective, norm = np.empty((2, *rates.shape))
        if self.passes.chunks == 1:
            full_batch.small_steps(
                plan.data, plan.parts, plan.lanes, rates, clock.steps + 1, self.sums, self.losses, objective, norm
            )
        else:
            objective, norm = self.passes.step(plan.parts, plan.lanes, rates, clock.steps + 1)
        finite = np.isfinite(objective + norm).all(axis=1)
        done = steps if finite.all() else int(np.argmin(finite))
        clock.epoch += done
        clock.steps += done
        records = [
            {"loss": objective[k, 0], "gradient_norm": norm[k, 0], "learning_rate": rates[k, 0]} for k in range(done)
        ]
        return records, done < steps


class Batches:
    """Mini-batches and single rows: the order of a slice's rows is drawn, then one kernel call takes its steps."""

    exact = False
    margin = 0.1  # a running mean of losses met is noisy

    def __init__(self, plan):
        self.plan = plan
        self.n = int(plan.data.count)
        lanes, width = plan.lanes.weights.shape
        self.kind = order.KINDS[plan.shuffle]
        # Draws with replacement are all of the full size; otherwise the last batch of an epoch may be smaller.
        self.rows = -(-self.n // plan.batch) * plan.batch if self.kind == order.REPLACEMENT else self.n
        self.slice = max(1, SLICE_ELEMENTS // ((width + ROW_OVERHEAD) * lanes) // plan.batch) * plan.batch
        data = plan.data
        plain = not data.shift.any() and (data.inverse_scale == 1).all()
        self.read = data.rows if plain else Scaled(data.rows.values, data.shift, data.inverse_scale)
        self.drawn, self.drawn_for = np.empty(0, np.uint32), -1

    def order(self, epoch, row, count):
        """The rows at positions row.. of an epoch, and those to ask the memory for meanwhile."""
        out, ahead = np.empty((2, count), np.int64)
        if self.kind in (order.BLOCK, order.FULL) and self.drawn_for != epoch:
            units = self.n if self.kind == order.FULL else -(-self.n // order.BLOCK_ROWS)
            self.drawn = np.empty(units, np.uint32)
            order.permutation(self.plan.seed, epoch, self.drawn)
            self.drawn_for = epoch
        order.fill(self.kind, self.plan.seed, epoch, self.n, self.plan.batch, self.drawn, row, out, ahead)
        if self.plan.rows is None:
            return out, ahead
        return self.plan.rows[out].astype(np.int64), self.plan.rows[ahead].astype(np.int64)

    def advance(self, clock, steps):
        """Up to ``steps`` steps, at most to the epoch's end; returns its record, if any, and whether a lane failed."""
        plan, lanes = self.plan, self.plan.lanes
        # A run that stopped inside a slice goes on to where that slice would have ended.
        rows = min(self.slice - clock.row % self.slice, self.rows - clock.row, steps * plan.batch)
        taken = -(-rows // plan.batch)
        order_and_ahead = self.order(clock.epoch, clock.row, rows)
        rates = rates_of(plan.schedule, clock, taken, lanes)
        met = np.zeros(lanes.weights.shape[0]) + clock.met
        if plan.batch == 1:
            row_loop.row_steps(plan.data, self.read, plan.parts, lanes, *order_and_ahead, rates, clock.steps + 1, met)
        else:
            block_loop.batch_steps(
                plan.data, plan.parts, lanes, *order_and_ahead, plan.batch, rates, clock.steps + 1, met
            )
        clock.steps += taken
        clock.row += rows
        clock.met = met
        records = []
        if clock.row == self.rows:
            records.append({"loss": met[0] / self.rows, "learning_rate": rates[-1, 0]})
            clock.epoch, clock.row, clock.met = clock.epoch + 1, 0, 0.0
        return records, not np.isfinite(met).all()


def rates_of(schedule, clock, steps, lanes):
    """The rates (steps, lanes) of the coming steps."""
    return np.repeat(rates(schedule, clock.steps, steps, clock.factor)[:, None], lanes.weights.shape[0], axis=1)


class Snapshot:
    """The last state that was looked at and found finite."""

    def __init__(self, lanes, clock, best):
        self.arrays = [getattr(lanes, name) for name in LOADED]
        self.keep(clock, best)

    def keep(self, clock, best):
        # One assignment: Ctrl-C falls before or after it.
        self.state = [array.copy() for array in self.arrays], replace(clock), best

    def restore(self):
        copies, clock, best = self.state
        for array, copy in zip(self.arrays, copies, strict=True):
            array[:] = copy
        return replace(clock), best


def drive(plan, work=None, measure=Passes):
    """Run a plan to its end, once: its lanes are changed.

    ``work`` and ``measure`` are the reference's own, or those that fit the plan.
    """
    return Driver(plan, work or (FullBatch if plan.full else Batches)(plan), measure).run()


class Driver:
    """A run of a plan: where it stands, and the ways back."""

    def __init__(self, plan, work, measure):
        self.plan, self.work, self.watch = plan, work, Watch(plan, work, measure)
        self.clock, self.retreats = Clock(), 0
        self.certain = None  # the retreats before the first that only the run's end asked for
        self.first = Snapshot(plan.lanes, self.clock, None)
        if plan.past is not None:
            self.go_on(plan.past)
        self.last = Snapshot(plan.lanes, self.clock, self.watch.best)

    def go_on(self, past):
        """Begin where the run ``past`` stands."""
        self.retreats = past.facts["certain_retreats"]
        # A run that was to be longer might not have retreated where this one ended: it begins as it would have.
        if self.retreats == past.facts["retreats"]:
            past.load(self.plan.lanes)
            self.clock = past.clock
            self.watch.begin(past)
        if self.plan.stream:
            # Of a chunk that was interrupted, the rest is not waited for.
            self.clock.row, self.clock.met = 0, 0.0
            self.first = Snapshot(self.plan.lanes, self.clock, None)

    def run(self):
        """One slice after another, until a verdict."""
        status, reason = None, ""
        try:
            while status is None:
                status, reason = self.verdict()
                if status is None:
                    status, reason = self.advance()
        except KeyboardInterrupt:
            self.clock, self.watch.best = self.last.restore()
            status, reason = "interrupted", f"Ctrl-C after {self.clock.steps} steps."
        finally:
            self.watch.close()
        return self.outcome(status, reason)

    @property
    def left(self):
        """The steps that are left."""
        return 2**62 if self.plan.max_steps is None else self.plan.max_steps - self.clock.steps

    @property
    def may_retreat(self):
        return self.plan.automatic_rate and self.retreats < RETREATS

    def verdict(self):
        """A status and a reason where the run is over; a rate that proves too large at the end begins it anew."""
        watch, clock = self.watch, self.clock
        status, reason = watch.verdict()
        if status is None and (clock.epoch >= self.plan.epochs or self.left <= 0):
            status, reason = watch.ended(clock)
        if status is None or not self.may_retreat or watch.best is not None:
            return status, reason
        if status == "diverged" or watch.worse(clock.steps):
            self.certain = self.retreats if self.certain is None else self.certain
            self.retreat()
            return None, ""
        return status, reason

    def advance(self):
        """One slice of work, and a look at what it left; a status where that ends the run."""
        plan, watch = self.plan, self.watch
        self.clock.factor = RETREAT**self.retreats * watch.factor
        with np.errstate(all="ignore"):
            records, broken = self.work.advance(self.clock, self.left)
        whole = np.isfinite(plan.lanes.weights).all()
        if self.may_retreat and (broken or not whole or watch.rises(records)):
            self.retreat()
            return None, ""
        status, reason = None, ""
        if broken or not whole:
            if not whole or not plan.full:
                (self.clock, _), records = self.last.restore(), []
            status, reason = watch.failed(self.clock)
        watch.see(self.clock, records)
        self.last.keep(self.clock, watch.best)
        return watch.ask(self.clock) if records and status is None else (status, reason)

    def retreat(self):
        """Back to the start with a smaller rate: what an epoch too fast has left may be too far off."""
        self.clock, _ = self.first.restore()
        self.last.keep(self.clock, None)
        self.watch.begin(self.plan.past if self.plan.stream else None)
        self.retreats += 1

    def outcome(self, status, reason):
        """How the run ended."""
        watch, clock = self.watch, self.clock
        weights = watch.answer(clock.steps) if watch.best is None else watch.best[1]
        if self.plan.lanes.averages.size and clock.steps < self.plan.lanes.begin[0]:
            reason += f" Averaging was to begin with step {self.plan.lanes.begin[0]}: these are the last weights."
        if watch.best is not None:
            reason += f" The weights are those of epoch {watch.best[0]}, whose validation loss was the lowest."
        certain = self.retreats if self.certain is None else self.certain
        state = state_of(self.plan, clock, watch, self.retreats, certain)
        return Outcome(weights, state, status, reason, self.retreats)
