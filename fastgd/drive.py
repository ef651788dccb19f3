"""The loop of a fit: slices of about 10 ms of compiled work, and between them everything that a person may ask for.

A slice's length is a function of the shape and the settings, never of the clock, so the places where the loop looks at
the loss, and with them the result, are the same on every run. ``FullBatch`` and ``Batches`` say what a slice is;
``drive`` looks at what it left: non-finite lanes, the tolerance, the callback, Ctrl-C.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from .kernels import block_loop, full_batch, order, row_loop
from .kernels.lanes import Data, Lanes, Parts
from .kernels.rows import Scaled
from .passes import Passes
from .progress import Bar, EpochProgress

SLICE_ELEMENTS = 1 << 24
ROW_OVERHEAD = 32  # what a row costs beyond its columns, in elements
RETREAT = 0.1  # an automatic rate that diverged is multiplied by this
RETREATS = 40
ROUNDING = 8.0  # an objective below (ROUNDING * eps)**2 of its start is zero to rounding


@dataclass(frozen=True)
class Plan:
    """What to run: everything resolved, nothing 'auto'."""

    data: Data
    parts: Parts
    lanes: Lanes
    schedule: tuple
    batch: int
    shuffle: object
    seed: int
    epochs: int
    max_steps: int | None
    tol: float | None
    patience: int
    n_threads: int
    evaluate: bool = False
    automatic_rate: bool = False
    settle: bool = False  # the tolerance also asks the gradient to have fallen: the rate may just be too small
    start_loss: float = np.inf  # the objective at the start, where it is known without a pass
    callback: object = None
    verbose: int = 0


@dataclass
class Clock:
    """Where a run stands."""

    epoch: int = 0  # whole epochs done
    row: int = 0  # rows done of the running one
    steps: int = 0
    factor: float = 1.0  # of the schedule's rate
    met: object = 0.0  # sums (lanes,) of the losses met in the running epoch


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    weights: np.ndarray
    records: list  # a dict for each whole epoch
    clock: Clock
    status: str
    reason: str
    retreats: int


class FullBatch:
    """An epoch is a step. Data of one chunk runs many steps in one kernel call."""

    margin = 1e-6  # how far a loss may rise above its start by rounding

    def __init__(self, plan):
        self.plan = plan
        self.passes = Passes(plan.data, plan.n_threads)
        lanes, width = plan.lanes.weights.shape
        cost = (self.passes.n + 1) * (self.passes.d + ROW_OVERHEAD) * lanes
        watched = plan.callback is not None or plan.evaluate or plan.tol is not None
        self.steps = 1 if watched or self.passes.chunks > 1 else max(1, SLICE_ELEMENTS // cost)
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

    margin = 0.1  # a running mean of losses met is noisy

    def __init__(self, plan):
        self.plan = plan
        self.passes = Passes(plan.data, plan.n_threads)
        self.n = self.passes.n
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
        return out, ahead

    def advance(self, clock, steps):
        """Up to ``steps`` steps, at most to the epoch's end; returns its record, if any, and whether a lane failed."""
        plan, lanes = self.plan, self.plan.lanes
        rows = min(self.slice, self.rows - clock.row, steps * plan.batch)
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
    t = np.arange(clock.steps + 1, clock.steps + 1 + steps, dtype=np.float64)
    rates = np.maximum(schedule.rate(t) * clock.factor, np.finfo(np.float64).tiny)
    return np.repeat(rates[:, None], lanes.weights.shape[0], axis=1)


class Saved:
    """The last state that was looked at and found finite."""

    def __init__(self, lanes, clock):
        self.arrays = lanes.weights, lanes.slots, lanes.carry
        self.keep(clock)

    def keep(self, clock):
        # One assignment: Ctrl-C falls before or after it.
        self.state = [array.copy() for array in self.arrays], replace(clock)

    def restore(self):
        copies, clock = self.state
        for array, copy in zip(self.arrays, copies, strict=True):
            array[:] = copy
        return replace(clock)


def drive(plan):
    """Run a plan to its end."""
    full = plan.batch >= plan.data.targets.shape[1]
    work = (FullBatch if full else Batches)(plan)
    watch = Watch(plan, work)
    clock = Clock()
    first, saved = Saved(plan.lanes, clock), Saved(plan.lanes, clock)
    retreats = 0
    status, reason = None, ""

    def retreat():
        # To the start: what an epoch too fast has left may be too far off to come back from.
        clock = replace(first.restore(), factor=RETREAT ** (retreats + 1))
        saved.keep(clock)
        watch.forget()
        return clock, retreats + 1

    try:
        while status is None:
            left = 2**62 if plan.max_steps is None else plan.max_steps - clock.steps
            may_retreat = plan.automatic_rate and retreats < RETREATS
            if clock.epoch >= plan.epochs or left <= 0:
                if may_retreat and watch.worse():
                    clock, retreats = retreat()
                    continue
                status, reason = watch.ended(clock)
                break
            with np.errstate(all="ignore"):
                records, broken = work.advance(clock, left)
            whole = np.isfinite(plan.lanes.weights).all()
            if may_retreat and (broken or not whole or watch.above_start(records)):
                clock, retreats = retreat()
                continue
            if broken or not whole:
                if not whole or not full:
                    clock, records = saved.restore(), []
                status, reason = watch.failed(clock)
            watch.records += records
            saved.keep(clock)
            if records and status is None:
                status, reason = watch.look(clock, len(records))
                if status == "converged" and may_retreat and watch.worse():
                    clock, retreats = retreat()
                    status = None
    except KeyboardInterrupt:
        clock = saved.restore()
        status, reason = "interrupted", f"Ctrl-C after {clock.steps} steps."
    finally:
        watch.close()
    return Outcome(plan.lanes.weights, watch.records[: clock.epoch], clock, status, reason, retreats)


class Watch:
    """What is looked at between slices: tolerance, callback, progress, and the sentence at the end."""

    def __init__(self, plan, work):
        self.plan, self.passes = plan, work.passes
        self.exact = isinstance(work, FullBatch)
        self.began = time.perf_counter()
        self.forget()
        self.start = plan.start_loss if np.isfinite(plan.start_loss) else self.objective()
        self.rounding = max(FullBatch.margin, 64 * float(np.finfo(plan.lanes.weights.dtype).eps))
        self.margin = max(work.margin, self.rounding)
        self.zero = (ROUNDING * np.finfo(plan.lanes.weights.dtype).eps) ** 2 * abs(self.start)
        self.bar = Bar(plan.verbose, plan.epochs, "epoch")

    def forget(self):
        """Begin to look anew."""
        self.records = []
        self.best, self.stalls = np.inf, 0

    def objective(self):
        """The objective at the present weights: a pass over the data."""
        with np.errstate(all="ignore"):
            return self.passes.objective(self.plan.parts, self.plan.lanes)[0]

    def risen(self):
        """Whether the objective at the present weights lies above the start's: a pass over the data."""
        return self.objective() > self.start * (1 + self.rounding) + self.zero

    def worse(self):
        """Whether batches led to a larger objective than the start's, which the losses met need not show."""
        return not self.exact and self.risen()

    def look(self, clock, new):
        """Look at the epochs that the last slice finished; a status where the run should end."""
        plan, seconds = self.plan, time.perf_counter() - self.began
        for record in self.records[-new:]:
            record["seconds"] = seconds
            fall = self.best - record["loss"]
            # Momentum on the full batch swings: a loss that rises moves still. A rising running mean is noise.
            stalled = (abs(fall) if self.exact else fall) < (plan.tol or 0.0) * abs(self.best)
            self.stalls = self.stalls + 1 if stalled else 0
            self.best = min(self.best, record["loss"])
        last = self.records[-1]
        if plan.evaluate:
            last["objective"] = self.objective()
        self.bar.update(clock.epoch, last["loss"])
        seen = EpochProgress(clock.epoch, clock.steps, float(last["loss"]), float(last["learning_rate"]), seconds)
        if plan.callback is not None and np.any(plan.callback(seen)):
            return "early_stopped", f"The callback returned True after epoch {clock.epoch}."
        # Twice: momentum may carry the weights away again from where the loss was zero.
        if (
            plan.tol is not None
            and len(self.records) > 1
            and max(record["loss"] for record in self.records[-2:]) <= self.zero
        ):
            return "converged", "The loss is zero to rounding."
        if plan.tol is not None and self.stalls >= plan.patience and self.settled():
            return (
                "converged",
                f"The loss fell by less than tol={plan.tol:g} of itself, {plan.patience} epochs in a row.",
            )
        return None, ""

    def settled(self):
        """Whether the full batch's gradient fell to a tenth, or to what can't lower the loss by 1e-10 of itself."""
        norm = self.records[-1].get("gradient_norm", 0.0)
        small = max(0.1 * self.records[0].get("gradient_norm", 0.0), 1e-5 * np.sqrt(abs(self.best)))
        return not self.plan.settle or norm <= small

    def above_start(self, new=()):
        """Whether the last epoch's loss lies above the start's."""
        losses = [record["loss"] for record in (*self.records[:1], *self.records[-1:], *new)]
        if not losses:
            return False
        # The full batch's first loss is the start's, met with the data's own rounding.
        start = losses[0] if self.exact else min(self.start, losses[0])
        return losses[-1] > start + self.margin * abs(start) + self.zero

    def doubtful(self, clock):
        """Whether the records can't tell how the present weights do: then it takes a pass to know."""
        if not self.exact:
            return clock.row > 0
        return clock.steps > 0 and (len(self.records) < 2 or self.records[-1]["loss"] > self.records[-2]["loss"])

    def ended(self, clock):
        """The status of a run that did all it was asked to."""
        plan = self.plan
        if self.above_start() or (self.doubtful(clock) and self.risen()):
            return "diverged", "The loss ended above its start."
        if plan.max_steps is not None and clock.steps >= plan.max_steps:
            return "max_epochs", f"All max_steps={plan.max_steps} steps are done ({clock.epoch} whole epochs)."
        return "max_epochs", f"All {plan.epochs} epochs are done."

    def failed(self, clock):
        return "diverged", (
            f"The loss or a weight became infinite or NaN after epoch {clock.epoch}; the last finite weights are kept."
        )

    def close(self):
        self.bar.close()
