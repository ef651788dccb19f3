"""The loop over compiled functions: the runs of one optimizer class are lanes of one kernel, driven in slices."""

import math
import time

import numpy as np

from ..inputs import arguments, custom_parts
from ..kernels import descend, user_functions
from ..parts import schedules
from ..results.fit_result import MinimizeHistory
from ..results.progress import Bar
from .problem import explained, unless_arithmetic
from .run import Run

SLICE_SECONDS = 0.02
FIRST_SLICE = 1  # step: 64 of a slow gradient (46 ms) held Ctrl-C for 4 s; growing from 1 to 64 costs 0.1 ms
HISTORY_NUMBERS = 1 << 22  # that a history first has room for: 32 MB, which cost nothing until they are written


def compiled_loop(problem, rules, members, limits):
    """The runs ``members`` of ``rules``, whose optimizers are of one class.

    A slice grows until it takes about ``SLICE_SECONDS``: the clock may decide because no number depends on where a
    slice ends.
    """
    runs = CompiledRuns(problem, [rules[k] for k in members], members, limits)
    size, bar = FIRST_SLICE, Bar(limits.verbose, limits.max_iter, "step")
    try:
        while runs.done < limits.max_iter and runs.running().size:
            steps = min(size, limits.max_iter - runs.done)
            size = next_size(steps, runs.advance(steps))
            if limits.callback is not None or limits.verbose:
                runs.tell(bar)
    except KeyboardInterrupt:
        runs.interrupt()
    finally:
        bar.close()
    return runs.ended()


def next_size(steps, seconds):
    """The steps of the slice after one of ``steps`` that took ``seconds``."""
    if seconds > SLICE_SECONDS:
        return max(1, int(steps * SLICE_SECONDS / seconds))
    return steps * (4 if seconds < SLICE_SECONDS / 4 else 1)


class CompiledRuns:
    """Runs as lanes of one kernel: ``lanes`` is their state, ``done`` how far the slices are, ``runs`` who ended."""

    def __init__(self, problem, rules, members, limits):
        self.problem, self.rules, self.members, self.limits = problem, rules, members, limits
        x0 = np.atleast_1d(problem.x0)
        self.grad = problem.grad
        if self.grad is not None and not problem.number:
            self.grad = user_functions.without_array(self.grad, x0, problem.jac0)
        self.kernel = descend.loop() if problem.own else descend.advance
        optimizers = [rule.optimizer for rule in rules]
        custom_parts.compile_custom_part("optimizer", optimizers[0], np.float64)
        stride = 1 if limits.history else descend.STRIDE
        self.lanes = descend.starts_of(optimizers, x0, problem.fun0, stride)
        self.constant = all(isinstance(rule.schedule, schedules.Constant) for rule in rules)
        self.past = Past(x0, problem.fun0, len(rules)) if limits.history else None
        self.runs = [None] * len(rules)
        self.done = 0
        if not math.isfinite(problem.fun0):
            self.lanes.status[:] = descend.STOPPED

    def running(self):
        """The lanes that go on."""
        return np.flatnonzero(self.lanes.status == descend.RUNNING)

    def advance(self, steps):
        """Take the running lanes so many steps on; returns the seconds that the kernel took."""
        problem, lanes, tol = self.problem, self.lanes, self.limits.tol
        count, d = lanes.point.shape
        stop = self.done + steps
        base = self.done - self.done % descend.STRIDE
        rates = np.stack([rule.rates(base, 1 if self.constant else stop - base) for rule in self.rules], axis=1)
        room = self.past.room(stop + 1) if self.past else (np.empty((0, count, d)), np.empty((0, count)))
        functions = problem.fun, self.grad, self.rules[0].optimizer, 0.0 if problem.number else None
        span = base, stop, self.limits.max_iter, -1.0 if tol is None else tol
        began = time.perf_counter()
        while True:
            try:
                explained("the loop over fun and grad", self.kernel, *functions, lanes, rates, *span, *room)
                break
            except ArithmeticError:
                descend.recover(lanes)
        seconds = time.perf_counter() - began
        if (lanes.status == descend.BAD_SHAPE).any():
            raise ValueError(f"grad returned a gradient of another length than x0, {d}.")
        self.done = stop
        return seconds

    def tell(self, bar):
        """Show where the running lanes are and ask the callback, whose true answer ends a run."""
        for lane in self.running():
            run = self.seen(lane)
            bar.update(self.done, run.fun)
            told = run.progress(self.members[lane])
            if self.limits.callback is not None and arguments.truthy("callback", self.limits.callback(told)):
                run.status, run.reason = "early_stopped", f"The callback returned True after iteration {run.nit}."
                self.runs[lane], self.lanes.status[lane] = run, descend.STOPPED

    def interrupt(self):
        """End the running lanes where they are."""
        for lane in self.running():
            run = self.runs[lane] = self.seen(lane)
            run.status, run.reason = "interrupted", f"Ctrl-C after iteration {run.nit}."

    def seen(self, lane):
        """A lane's run where it works, or at its last look where that is not finite."""
        point = self.problem.point(self.lanes.point[lane])
        value = unless_arithmetic(self.problem.value, point, math.nan)
        if np.isfinite(point).all() and math.isfinite(value):
            return Run(point, value, None, int(self.lanes.step[lane]))
        return self.looked_at(lane)

    def looked_at(self, lane):
        """A lane's run at its last look."""
        lanes = self.lanes
        return Run(self.problem.point(lanes.x[lane]), float(lanes.fun[lane]), None, int(lanes.nit[lane]))

    def ended(self):
        """The runs of all lanes, with their gradients and histories."""
        return [self._ended(lane) for lane in range(len(self.runs))]

    def _ended(self, lane):
        problem, run = self.problem, self.runs[lane]
        if run is None:
            run = self.looked_at(lane)
            if self.lanes.status[lane] == descend.BAD_VALUE:
                run.status = "diverged"
                run.reason = f"x or fun became infinite or NaN in iteration {run.nit + 1}; x is the last finite point."
        run.jac = unless_arithmetic(problem.gradient, run.x, problem.jac0 * math.nan)
        if self.past:
            xs, values = self.past.of(lane, run.nit + 1)
            run.history = MinimizeHistory(xs[:, 0] if problem.number else xs, values)
        return run


class Past:
    """The histories of all lanes in one buffer: it grows fourfold, so Ctrl-C waits for one copy at most."""

    def __init__(self, x0, value, lanes):
        entries = max(1, HISTORY_NUMBERS // (lanes * (x0.size + 1)))
        self.arrays = np.empty((entries, lanes, x0.size)), np.empty((entries, lanes))
        self.arrays[0][0], self.arrays[1][0] = x0, value

    def room(self, entries):
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
