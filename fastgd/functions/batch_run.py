"""One run over batches: slices of steps, and what happens at the end of an epoch."""

import math
import time

import numpy as np

from ..inputs import arguments, custom_parts
from ..kernels import batch_steps
from ..kernels.addresses import address
from ..kernels.layouts import frozen
from ..kernels.part_functions import move_weights
from ..parts import schedules
from ..wording import count
from .batch_functions import BOTH, VALUE
from .batch_records import VALIDATION, EpochRecords
from .batch_start import state_of
from .problem import told
from .run import next_size

SLICE_SECONDS = 0.03
FIRST_SLICE = 1  # step
RAISED = -1  # beside the statuses of kernels: a compiled function raised, and in which of the steps is not known
EVALUATED = 1024  # rows whose mean is asked for at once, or as many as a batch has


class BatchRun:
    """A run of one optimizer with one schedule and one seed; ``verdict`` is its status and the reason once it ended."""

    def __init__(self, task, setting, number=0):
        self.task, self.setting, self.number = task, setting, number
        self.functions, self.options = task.functions, task.options
        options, nest = task.options, task.functions.nest
        self.order = task.order_of(setting.seed)
        epochs = options.epochs
        if task.limits.max_iter is not None:
            epochs = min(epochs, task.limits.max_iter / self.order.steps)
        self.optimizer, self.penalty = setting.optimizer, setting.penalty
        self.schedule = schedules.in_steps(setting.schedule, self.order.steps, epochs, setting.alpha)
        self.watching = schedules.watched(self.schedule)
        self.wanted = self.functions.wanted(task.values_wanted or self.watching is not None)
        custom_parts.compile_custom_part("optimizer", self.optimizer, nest.dtype)
        self.move = address(move_weights, nest.dtype, type(self.optimizer), type(self.penalty.part))
        self.state = state_of(self)
        self.began, self.size, self.ended = time.perf_counter(), FIRST_SLICE, False
        self.verdict, self.raised = None, ""
        self.before, self.inside = self.state.copy(), False  # the state at the beginning of a slice; whether in one
        self.records = EpochRecords(self.state.records, task.held is not None)
        self._buffers()
        if self.records.count and self.state.position == 0:  # a run that went on from its end would not be the same
            self._judge()
        self._check_over()

    # Slices of steps ----------------------------------------------------------------------------------------------

    def _buffers(self):
        """What kernels are handed, made once."""
        state, penalty, dtype = self.state, self.penalty, self.functions.nest.dtype
        self.fields = np.array(self.optimizer, np.float64)
        averaging = np.array([0 if self.options.average is None else self.options.average], np.int64)
        averages = state.averages if state.averages.size else np.zeros(1)
        self.part = (
            self.fields, np.array(penalty.part, dtype), state.carry, state.weights, state.slots, penalty.low,
            penalty.high, penalty.factors, averages, averaging,
        )  # fmt: skip
        self.weights = state.weights[:-1]
        self.gradient = np.zeros(self.weights.size + 1, dtype)
        arrays, batch = self.order.data.like, self.order.batch
        self.gathers = self.order.gathers
        room = batch if self.gathers else 0
        self.batch = [np.empty((room, *array.shape[1:]), array.dtype) for array in arrays]
        self.place = self.functions.at(self.weights, self.gradient[:-1])
        self.sources, self.present = np.zeros(len(arrays), np.int64), None
        self.sizes = np.array([array.itemsize * math.prod(array.shape[1:]) for array in arrays], np.int64)
        self.targets = np.array([array.ctypes.data for array in self.batch], np.int64)
        self.lengths = self.functions.lengths(arrays)
        self.out = np.zeros(3)
        self.function = self.functions.compiled(arrays) if self.functions.njit else None

    def advance(self, within_epoch=False):
        """Go on for about ``SLICE_SECONDS``, or to the end of the epoch; no number depends on where this ends."""
        epoch, end = self.state.epoch, time.perf_counter() + SLICE_SECONDS
        while not self.ended and not self.order.waits(self.state):
            begun = time.perf_counter()
            steps = self._slice()
            took = time.perf_counter() - begun
            if took > SLICE_SECONDS or steps == self.size:  # one cut short tells nothing of longer ones
                self.size = next_size(steps, took, SLICE_SECONDS)
            if begun + took >= end or (within_epoch and self.state.epoch > epoch):
                return

    def _slice(self):
        """Some steps within an epoch, and what its end asks for; returns how many, or 0 to take them again."""
        state, order = self.state, self.order
        steps = min(self.size, -(-order.left(state) // order.batch))
        if self.task.limits.max_iter is not None:
            steps = min(steps, self.task.limits.max_iter - state.steps)
        self.before.take(state)
        self.inside = True  # until then Ctrl-C leads back to the state before
        rates = schedules.rates(self.schedule, state.steps, steps, state.plateau[0])
        status = self.steps(rates)
        lost = status == RAISED or not np.isfinite(state.weights).all()
        if lost:
            state.take(self.before)
        if lost and steps > 1:  # again, one by one: where a run ends must not depend on where slices do
            self.size, self.raised, self.inside = 1, "", False
            return 0
        if lost or status != batch_steps.RUNNING:
            self._diverge()
        elif state.position == order.positions:
            self._end_epoch(float(rates[-1]))
        self.inside = False
        self._check_over()
        return steps

    def steps(self, rates):
        """Steps on the next batches of the epoch at some rates; returns how it stands, as kernels do."""
        state, order = self.state, self.order
        if order.arrays is not self.present:
            self.present = order.arrays
            self.sources[:] = [array.ctypes.data for array in order.arrays]
        count = min(len(rates) * order.batch, order.left(state))
        rows = order.rows(state, count)
        take = self._compiled_steps if self.function else self._python_steps
        with np.errstate(all="ignore"):
            status, done = take(rates, rows, count)
        state.steps += done
        state.position += min(done * order.batch, count)
        if status == batch_steps.BAD_SHAPE:
            self.functions.raise_shape(int(self.out[2]))
        return status

    def _compiled_steps(self, rates, rows, count):
        state = self.state
        # The kernel writes where batches are, if they are not copied.
        targets = self.targets if self.gathers else self.targets.copy()
        arrays = self.sources, self.sizes, targets, self.order.first(state), count
        self.out[:] = 0.0
        try:
            return batch_steps.advance(
                self.function.address, self.move, self.part, self.weights, self.lengths, rates, state.steps + 1, rows,
                self.order.batch, arrays, self.gradient, self.options.clip_norm, self.wanted, state.sums, self.out,
            )  # fmt: skip
        except KeyError as error:
            return self.functions.raise_key(error)
        except ArithmeticError as error:
            self.raised = told("fun or grad", error)
            return RAISED, 0

    def _python_steps(self, rates, rows, count):
        state, batch, clip = self.state, self.order.batch, self.options.clip_norm
        call, place, lent = self.functions.call, self.place, list(map(frozen, self.batch))
        for k, rate in enumerate(rates.tolist()):
            lo, hi = k * batch, min((k + 1) * batch, count)
            if self.gathers:
                batch_steps.gather(rows, lo, hi, self.sources, self.sizes, self.targets)
                arrays = lent if hi - lo == batch else [array[: hi - lo] for array in lent]
            else:
                first = self.order.first(state) + lo
                arrays = [frozen(array[first : first + hi - lo]) for array in self.present]
            try:
                value = call(place, arrays, self.wanted)
            except ArithmeticError as error:
                self.raised = told("fun or grad", error)
                return batch_steps.BAD_VALUE, k
            if self.wanted & VALUE:
                if not math.isfinite(value):
                    return batch_steps.BAD_VALUE, k
                state.sums[0] += value * (hi - lo)
            if not batch_steps.step(self.move, self.part, rate, state.steps + 1 + k, self.gradient, clip):
                return batch_steps.BAD_GRADIENT, k
        return batch_steps.RUNNING, len(rates)

    # Ends -----------------------------------------------------------------------------------------------------------

    def _end_epoch(self, rate):
        """Record the epoch, and ask what watches its losses."""
        state, task = self.state, self.task
        value = state.sums[0] / self.order.positions if self.wanted & VALUE else math.nan
        held = math.nan if task.held is None else self.mean(self.answer(), task.held)
        judged = self.records.add([value, held, rate, time.perf_counter() - self.began])
        state.records = self.records.rows
        state.sums[0], state.position, state.epoch = 0.0, 0, state.epoch + 1
        if task.held is not None and self.records.is_lowest:
            state.best, state.best_epoch = self.answer().copy(), state.epoch
        if self.watching is not None:
            state.plateau[0], memory = self.watching.after_epoch(float(judged), tuple(state.plateau[1:]))
            state.plateau[1:] = list(memory)
        self._judge()

    def _judge(self):
        """End the run if the newest epochs say so."""
        tol, patience, held_out = self.task.limits.tol, self.options.patience, self.task.held is not None
        found = self.records.fall(patience) if held_out or tol is not None else None
        if found is None:
            return
        lowest, fall = found
        if held_out and not fall > 0:
            bad = "" if math.isfinite(self.records.rows[-1, VALIDATION]) else " It is infinite or NaN."
            self.end("early_stopped", f"The validation value has not decreased for {count(patience, 'epoch')}.{bad}")
        elif tol is not None and fall <= tol * abs(lowest):
            what = "the validation value" if held_out else "fun"
            self.end(
                "converged",
                f"The mean of {what} fell by less than tol={tol:g} of itself in {count(patience, 'epoch')}.",
            )

    def _check_over(self):
        """End the run if its epochs or steps are done."""
        state, most = self.state, self.task.limits.max_iter
        if self.ended:
            return
        if state.epoch >= self.options.epochs:
            self.end("max_epochs", f"All epochs={self.options.epochs} are done.")
        elif most is not None and state.steps >= most:
            self.end("max_iter", f"All max_iter={most} steps are done.")

    def _diverge(self):
        cause = f": {self.raised}" if self.raised else ""
        self.end("diverged", f"x, fun or its gradient became infinite or NaN in step {self.state.steps + 1}{cause}.")

    def end(self, status, reason):
        """End the run."""
        self.ended, self.verdict = True, (status, reason)

    def interrupt(self):
        """End by Ctrl-C: at the last slice that was finished."""
        if self.inside:
            self.state.take(self.before)
            self.inside = False
        if not self.ended:
            self.end("interrupted", f"Ctrl-C after step {self.state.steps}.")

    def ask(self, callback):
        """Call back after an epoch; True ends the run."""
        if arguments.is_true("callback", callback(self.task.progress(self))):
            self.end("early_stopped", f"The callback returned True after epoch {self.state.epoch}.")

    # What a run is worth ----------------------------------------------------------------------------------------------

    def answer(self):
        """The parameters (size,) that would be returned now, but for validation's best ones."""
        begin = self.options.average
        if begin is not None and self.state.steps >= begin:
            return self.state.averages[:-1].astype(self.weights.dtype)
        return self.weights

    def mean(self, weights, data, gradient=None):
        """The mean of ``fun`` over rows, in blocks; to ``gradient`` (size,) float64 that of the gradients is added."""
        total, size = 0.0, max(EVALUATED, self.order.batch)
        own = None if gradient is None else np.zeros(weights.size, weights.dtype)
        place = self.functions.at(weights, own)
        with np.errstate(all="ignore"):
            for arrays in data.blocks(size):
                rows = len(arrays[0])
                try:
                    value = self.functions.call(place, list(map(frozen, arrays)), VALUE if own is None else BOTH)
                except ArithmeticError:
                    return math.nan
                total += value * rows
                if own is not None:
                    gradient += own.astype(np.float64) * (rows / data.n)
        return total / data.n
