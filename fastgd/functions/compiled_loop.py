"""The loop over compiled functions: the runs of one optimizer class are lanes of one kernel, driven in slices."""

import contextlib
import math
import time

import numpy as np

from ..inputs import custom_parts
from ..kernels import minimize_loop, user_functions
from ..kernels.notice import notice
from ..parts import schedules
from ..results.minimize_result import MinimizeHistory
from ..results.progress import Bar
from .problem import named_call, told, value_or
from .run import Run, next_size

SLICE_SECONDS = 0.02
FIRST_SLICE = 1  # step: 64 of a slow gradient (46 ms) held Ctrl-C for 4 s; growing from 1 to 64 costs 0.1 ms
HISTORY_NUMBERS = 1 << 22  # that a history first has room for: 32 MB, which cost nothing until they are written


def compiled_loop(problem, settings, numbers, limits):
    """The runs of ``settings``, whose optimizers are of one class; ``numbers`` are their places in a sweep.

    A slice grows until it takes about ``SLICE_SECONDS``: the clock may decide because no number depends on where a
    slice ends.
    """
    notice.begin(limits.verbose >= 0)
    runs = CompiledRuns(problem, settings, numbers, limits)
    first = notice.while_compiling("the loop over your function", None, lasting=False)  # which the first slice compiles
    size, bar = FIRST_SLICE, Bar(limits.verbose > 0, limits.max_iter, "step")
    try:
        while runs.done < limits.max_iter and runs.running().size:
            steps = min(size, limits.max_iter - runs.done)
            with first if runs.done == 0 else contextlib.nullcontext():
                seconds = runs.advance(steps)
            size = next_size(steps, seconds, SLICE_SECONDS)
            if limits.callback is not None or limits.verbose > 0:
                runs.report(bar)
    except KeyboardInterrupt:
        runs.interrupt()
    finally:
        bar.close()
    return [runs.ended(lane) for lane in range(len(settings))]


class CompiledRuns:
    """Runs as lanes of one kernel: ``lanes`` is their state, ``done`` the steps taken, ``runs`` those that ended."""

    def __init__(self, problem, settings, numbers, limits):
        self.problem, self.settings, self.numbers, self.limits = problem, settings, numbers, limits
        x0 = np.atleast_1d(problem.x0)
        self.grad = problem.grad
        if self.grad is not None and not problem.scalar:
            self.grad = user_functions.without_array(self.grad, x0, problem.jac0)
        self.kernel = minimize_loop.loop() if problem.compiled_here else minimize_loop.advance
        optimizers = [one.optimizer for one in settings]
        custom_parts.compile_custom_part("optimizer", optimizers[0], np.float64)
        stride = 1 if limits.history else minimize_loop.STRIDE
        self.lanes = minimize_loop.starts_of(optimizers, x0, problem.fun0, stride)
        self.constant_rates = all(isinstance(one.schedule, schedules.Constant) for one in settings)
        self.history = HistoryBuffer(x0, problem.fun0, len(settings)) if limits.history else None
        self.runs, self.raised = [None] * len(settings), [""] * len(settings)
        self.done = 0
        if problem.raised or not math.isfinite(problem.fun0):
            self.lanes.status[:] = minimize_loop.STOPPED

    def running(self):
        """The lanes that go on."""
        return np.flatnonzero(self.lanes.status == minimize_loop.RUNNING)

    def advance(self, steps):
        """Take the running lanes so many steps on; returns the seconds that the kernel took."""
        problem, lanes, tol = self.problem, self.lanes, self.limits.tol
        count, d = lanes.point.shape
        stop = self.done + steps
        base = self.done - self.done % minimize_loop.STRIDE
        entries = 1 if self.constant_rates else stop - base
        rates = np.stack([one.rates(base, entries) for one in self.settings], axis=1)
        history = self.history.arrays_of(stop + 1) if self.history else (np.empty((0, count, d)), np.empty((0, count)))
        functions = problem.fun, self.grad, self.settings[0].optimizer, 0.0 if problem.scalar else None
        span = base, stop, self.limits.max_iter, -1.0 if tol is None else tol
        began = time.perf_counter()
        while True:
            try:
                named_call("the loop over fun and grad", self.kernel, *functions, lanes, rates, *span, *history)
                break
            except ArithmeticError as error:
                self.raised[lanes.active[0]] = told("fun" if problem.grad is None else "fun or grad", error)
                minimize_loop.recover(lanes)
        seconds = time.perf_counter() - began
        if (lanes.status == minimize_loop.BAD_SHAPE).any():
            raise ValueError(f"{problem.grad_name} returned a gradient of another length than x0, {d}.")
        self.done = stop
        return seconds

    def report(self, bar):
        """Show where the running lanes are and ask the callback, whose answer True ends a run."""
        for lane in self.running():
            run = self.current(lane)
            bar.update(self.done, run.fun)
            run.ask(self.limits.callback, self.numbers[lane])
            if run.status is not None:
                self.runs[lane], self.lanes.status[lane] = run, minimize_loop.STOPPED

    def interrupt(self):
        """End the running lanes where they are."""
        for lane in self.running():
            self.runs[lane] = self.current(lane)
            self.runs[lane].interrupt()

    def current(self, lane):
        """A lane's run at its latest step, or where the kernel last read ``fun`` if that is not finite."""
        x = self.problem.point(self.lanes.point[lane])
        value = value_or(math.nan, self.problem.value, x)
        if np.isfinite(x).all() and math.isfinite(value):
            return Run(x, value, None, int(self.lanes.step[lane]))
        return self.last_read(lane)

    def last_read(self, lane):
        """A lane's run where the kernel last read ``fun``."""
        lanes = self.lanes
        return Run(self.problem.point(lanes.x[lane]), float(lanes.fun[lane]), None, int(lanes.nit[lane]))

    def ended(self, lane):
        """The run of a lane, with its gradient and history."""
        problem, run = self.problem, self.runs[lane]
        if run is None:
            run = self.last_read(lane)
            if self.lanes.status[lane] == minimize_loop.BAD_VALUE:
                run.diverge(self.raised[lane])
        try:
            run.jac = named_call(problem.grad_name, problem.gradient, run.x)
        except ArithmeticError as error:
            run.jac, run.raised = problem.jac0 * math.nan, told(problem.derivative, error)
        if self.history:
            xs, values = self.history.of(lane, run.nit + 1)
            run.history = MinimizeHistory(xs[:, 0] if problem.scalar else xs, values)
        return run


class HistoryBuffer:
    """The histories of all lanes in one buffer: it grows fourfold, so Ctrl-C waits for one copy at most."""

    def __init__(self, x0, value, lanes):
        entries = max(1, HISTORY_NUMBERS // (lanes * (x0.size + 1)))
        self.arrays = np.empty((entries, lanes, x0.size)), np.empty((entries, lanes))
        self.arrays[0][0], self.arrays[1][0] = x0, value

    def arrays_of(self, entries):
        """The arrays (entries or more, lanes, d) and (entries or more, lanes)."""
        had = len(self.arrays[0])
        if entries > had:
            grown = [np.empty((max(4 * had, entries), *array.shape[1:])) for array in self.arrays]
            for new, old in zip(grown, self.arrays, strict=True):
                new[:had] = old
            self.arrays = grown
        return self.arrays

    def of(self, lane, entries):
        """The first entries of a lane, contiguous."""
        return [np.ascontiguousarray(array[:entries, lane]) for array in self.arrays]
