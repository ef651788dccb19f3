"""One run of ``minimize``: how it steps, when it ends, where it stands, and why it ended in words."""

import math
from dataclasses import dataclass

import numpy as np

from ..inputs import arguments
from ..parts import optimizers, schedules
from ..results.messages import MINIMIZE_ADVICE, RAISED_ADVICE
from ..results.minimize_result import MinimizeHistory, MinimizeResult
from ..results.progress import StepProgress
from ..wording import count

ZERO = 1e-8  # a gradient of this size, times max(1, that of the start), is zero to rounding
RISE = 1e-12  # how far, relatively, fun may lie above its start by rounding


@dataclass(frozen=True)
class RunSettings:
    """How one run steps."""

    optimizer: object
    schedule: object

    @classmethod
    def checked(cls, optimizer, learning_rate, max_iter):
        arguments.single("learning_rate", learning_rate, "fastgd.minimize_sweep")
        arguments.single("optimizer", optimizer, "fastgd.minimize_sweep")
        schedule = arguments.schedule("learning_rate", learning_rate)
        if schedules.watched(schedule) is not None:
            raise ValueError(
                f"learning_rate={schedule!r} watches epochs, which functions without data have none of: take another "
                "schedule, or pass data=."
            )
        schedule = schedules.in_steps(schedule, steps_per_epoch=1, epochs=max_iter)
        return cls(arguments.part("optimizer", optimizer, optimizers), schedule)

    def rates(self, first, count):
        """The rates (count,) of the steps ``first + 1`` on."""
        return schedules.rates(self.schedule, first, count)


@dataclass(frozen=True)
class Limits:
    """What ends a run, and what is reported on the way."""

    max_iter: int | None
    tol: float | None
    history: bool
    callback: object
    verbose: int

    @classmethod
    def checked(cls, max_iter, tol, history, callback, verbose):
        return cls(
            max_iter=None if max_iter is None else arguments.whole("max_iter", max_iter, low=0),
            tol=None if tol is None else arguments.number("tol", tol, low=0.0),
            history=arguments.truth("history", history),
            callback=arguments.callback(callback),
            verbose=arguments.verbosity(verbose),
        )


def next_size(steps, seconds, aim):
    """The steps of the slice after one of ``steps`` that took ``seconds``, where slices are to take ``aim``."""
    if seconds > aim:
        return max(1, int(steps * aim / seconds))
    return steps * (4 if seconds < aim / 4 else 1)


@dataclass
class Run:
    """Where a run stands; ``status`` is None until something ends it before ``max_iter`` and ``tol`` do."""

    x: float | np.ndarray
    fun: float
    jac: float | np.ndarray | None  # None: not known
    nit: int
    status: str | None = None
    reason: str = ""
    raised: str = ""  # the arithmetic error that ended the run, in words
    hint: str = ""
    history: MinimizeHistory | None = None

    def ask(self, callback, number):
        """Call the callback, if any; ``number`` is the run's place in a sweep. True ends the run."""
        if callback is not None:
            x = self.x if isinstance(self.x, float) else self.x.copy()
            if arguments.is_true("callback", callback(StepProgress(self.nit, x, self.fun, number))):
                self.status, self.reason = "early_stopped", f"The callback returned True after iteration {self.nit}."

    def interrupt(self, began=True):
        """End by Ctrl-C."""
        reason = f"Ctrl-C after iteration {self.nit}." if began else "Ctrl-C came before this run began."
        self.status, self.reason = "interrupted", reason

    def diverge(self, raised=""):
        """End by a value that is not finite, in the step after this point; ``raised`` is an error that made it so."""
        cause = f": {raised}. x" if raised else "; x"
        reason = f"x or fun became infinite or NaN in iteration {self.nit + 1}{cause} is the last finite point."
        self.status, self.reason, self.raised = "diverged", reason, raised

    def result(self, problem, limits):
        """The result, with the status and the message."""
        if self.status is None:
            self.status, self.reason = self._verdict(problem, limits)
        advice = MINIMIZE_ADVICE[self.status]
        if self.status == "diverged":
            advice = self._remedy(problem) or (RAISED_ADVICE if self.raised else advice)
        message = [self.reason, advice]
        if problem.grad is None:
            entries = 1 if problem.scalar else problem.x0.size
            message.append(
                f"Derivatives were central differences, {count(2 * entries, 'evaluation')} of fun an iteration."
            )
        if self.hint:
            message.append(self.hint)
        jac = self.jac if self.jac is not None else problem.jac0 * math.nan
        return MinimizeResult(self.x, self.fun, jac, self.nit, self.status, " ".join(message), self.history)

    def _remedy(self, problem):
        """What to do about a run that diverged by another cause than its learning rate; None where none is seen."""
        if problem.raised:
            return "Choose another x0, or correct the function."
        if not math.isfinite(problem.fun0):
            return "Choose an x0 where fun is finite."
        if not math.isfinite(problem.largest_entry(problem.jac0)):
            return "Choose an x0 where the gradient is finite, or correct the gradient."
        return None

    def _verdict(self, problem, limits):
        """Status and reason of a run that reached ``max_iter``, ``tol`` or a gradient that is not finite."""
        largest, start = problem.largest_entry(self.jac), problem.largest_entry(problem.jac0)
        after = f"after iteration {self.nit}"
        if problem.raised:
            return "diverged", f"{problem.raised} at x0."
        if not math.isfinite(self.fun):
            return "diverged", f"fun is {self.fun} at x0."
        if not math.isfinite(largest):
            cause = f": {self.raised}" if self.raised else ""
            return "diverged", f"The gradient became infinite or NaN {after}{cause}."
        if self.fun > problem.fun0 + RISE * abs(problem.fun0):
            return "diverged", f"fun rose above its start: {self.fun:.6g} {after}, {problem.fun0:.6g} at x0."
        if limits.tol is not None and largest <= limits.tol:
            return "converged", f"The largest entry of the gradient, {largest:.3g}, is within tol={limits.tol:g}."
        if largest <= ZERO * max(1.0, start):
            return "converged", f"The gradient is zero to rounding (largest entry {largest:.3g}) {after}."
        reason = f"All max_iter={limits.max_iter} iterations are done; the largest entry of the gradient is"
        return "max_iter", f"{reason} {largest:.3g}."
