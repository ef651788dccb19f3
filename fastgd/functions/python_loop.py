"""The loop over plain Python functions."""

import math
import time

import numpy as np

from ..parts.optimizers import decayed
from ..results.minimize_result import MinimizeHistory
from ..results.progress import Bar
from .problem import told
from .run import Run

RATES = 1024  # steps whose rates are computed at once
HINT_SECONDS, HINT_STEPS = 0.5, 1000  # a run longer than both is told of compile=True


def python_loop(problem, settings, limits, number=0):
    """One run in Python; ``number`` is its place in a sweep."""
    optimizer, as_point = settings.optimizer, float if problem.scalar else np.asarray
    run = Run(problem.x0, problem.fun0, problem.jac0, 0)
    slots, carry = (0.0 * problem.x0,) * optimizer.slots, (1.0, 1.0)
    xs, values, rates = [run.x], [run.fun], []
    began, bar = time.perf_counter(), Bar(limits.verbose > 0, limits.max_iter, "step")
    try:
        with np.errstate(all="ignore"):
            while run.status is None and run.nit < limits.max_iter and math.isfinite(run.fun):
                largest = problem.largest_entry(run.jac)
                if not math.isfinite(largest) or (limits.tol is not None and largest <= limits.tol):
                    break
                t = run.nit + 1
                if (t - 1) % RATES == 0:
                    rates = settings.rates(t - 1, min(RATES, limits.max_iter - t + 1)).tolist()
                value, raised = math.nan, ""
                try:
                    c, carry = optimizer.prepare(rates[(t - 1) % RATES], t, carry)
                    change, _, slots = optimizer.move(c, run.x, run.jac, slots)
                    x = as_point(decayed(optimizer, c, run.x) + change)
                except ArithmeticError:
                    x = math.nan
                try:
                    value = problem.value(x) if np.isfinite(x).all() else math.nan
                except ArithmeticError as error:
                    raised = told("fun", error)
                if not math.isfinite(value):
                    run.diverge(raised)
                    break
                if limits.history:
                    xs.append(x)
                    values.append(value)
                # One assignment: Ctrl-C falls before or after it, and a history that is one entry ahead is cut off.
                run = Run(x, value, None, t)
                try:
                    run.jac = problem.gradient(x)
                except ArithmeticError as error:
                    run.jac, run.raised = problem.jac0 * math.nan, told(problem.derivative, error)
                bar.update(t, value)
                run.ask(limits.callback, number)
    except KeyboardInterrupt:
        run.interrupt()
    finally:
        bar.close()
    if time.perf_counter() - began > HINT_SECONDS and run.nit >= HINT_STEPS:
        run.hint = "compile=True would compile fun and grad, for a long run the faster way."
    if limits.history:
        run.history = MinimizeHistory(np.array(xs[: run.nit + 1]), np.array(values[: run.nit + 1]))
    return run
