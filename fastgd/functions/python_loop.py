"""The runs: the loop in Python, and the verdict on every run in words."""

import math
import time
from dataclasses import replace

import numpy as np

from ..inputs import arguments
from ..parts.optimizers import decayed
from ..results.fit_result import MinimizeHistory, MinimizeResult
from ..results.progress import Bar
from .run import Run

ZERO = 1e-8  # a gradient of this size, times max(1, that of the start), is zero to rounding
RISE = 1e-12  # how far, relatively, fun may lie above its start by rounding
RATES = 1024  # steps whose rates the Python loop asks for at once
HINT_SECONDS, HINT_STEPS = 0.5, 1000

ADVICE = {
    "converged": "Nothing needs doing.",
    "max_iter": "If fun was still falling, give more iterations or a larger learning_rate.",
    "early_stopped": "x is where it stood then.",
    "diverged": "Lower learning_rate: a tenth is a good next try.",
    "interrupted": "Pass x as x0 to go on.",
}


def run_all(problem, rules, limits):
    """A result for each rule; a Ctrl-C ends them all."""
    runs = [None] * len(rules)
    if problem.compiled:
        from .compiled_loop import compiled_loop  # loads Numba

        # One call of a kernel advances all runs whose optimizers are of one class.
        for kind in dict.fromkeys(type(rule.optimizer) for rule in rules):
            members = [k for k, rule in enumerate(rules) if type(rule.optimizer) is kind]
            stopped = any(run is not None and run.status == "interrupted" for run in runs)
            these = replace(limits, max_iter=0) if stopped else limits
            for k, run in zip(members, compiled_loop(problem, rules, members, these), strict=True):
                runs[k] = _not_begun(run) if stopped else run
    else:
        for k, rule in enumerate(rules):
            stopped = k > 0 and runs[k - 1].status == "interrupted"
            runs[k] = python_loop(problem, rule, replace(limits, max_iter=0) if stopped else limits, k)
            runs[k] = _not_begun(runs[k]) if stopped else runs[k]
    return [_result(problem, run, limits) for run in runs]


def _not_begun(run):
    return replace(run, status="interrupted", reason="Ctrl-C came before this run began.")


def _result(problem, run, limits):
    """The verdict on a run, in words."""
    if run.status is None:
        run.status, run.reason = _verdict(problem, run, limits)
    words = [run.reason, ADVICE[run.status]]
    if problem.grad is None:
        entries = 1 if problem.number else problem.x0.size
        words.append(f"Derivatives were central differences, {2 * entries} evaluations of fun an iteration.")
    if run.hint:
        words.append(run.hint)
    jac = run.jac if run.jac is not None else problem.jac0 * math.nan
    return MinimizeResult(run.x, run.fun, jac, run.nit, run.status, " ".join(words), run.history)


def _verdict(problem, run, limits):
    """The status of a run that nobody stopped, and why."""
    largest, start = problem.largest(run.jac), problem.largest(problem.jac0)
    if not math.isfinite(run.fun):
        return "diverged", f"fun is {run.fun} at x0."
    if not math.isfinite(largest):
        return "diverged", f"The gradient became infinite or NaN after iteration {run.nit}."
    if run.fun > problem.fun0 + RISE * abs(problem.fun0):
        return (
            "diverged",
            f"fun rose above its start: {run.fun:.6g} after iteration {run.nit}, {problem.fun0:.6g} at x0.",
        )
    if limits.tol is not None and largest <= limits.tol:
        return "converged", f"The largest entry of the gradient, {largest:.3g}, is within tol={limits.tol:g}."
    if largest <= ZERO * max(1.0, start):
        return (
            "converged",
            f"The gradient is zero to rounding (largest entry {largest:.3g}) after {run.nit} iterations.",
        )
    done = f"All max_iter={limits.max_iter} iterations are done"
    return "max_iter", f"{done}; the largest entry of the gradient is {largest:.3g}."


def python_loop(problem, rule, limits, number=0):
    """One run in Python."""
    optimizer, as_number = rule.optimizer, float if problem.number else np.asarray
    run = Run(problem.x0, problem.fun0, problem.jac0, 0)
    slots, carry = (0.0 * problem.x0,) * optimizer.slots, (1.0, 1.0)
    xs, values, rates = [run.x], [run.fun], []
    began, bar = time.perf_counter(), Bar(limits.verbose, limits.max_iter, "step")
    try:
        with np.errstate(all="ignore"):
            while run.nit < limits.max_iter and math.isfinite(run.fun):
                largest = problem.largest(run.jac)
                if not math.isfinite(largest) or (limits.tol is not None and largest <= limits.tol):
                    break
                t = run.nit + 1
                if (t - 1) % RATES == 0:
                    rates = rule.rates(t - 1, min(RATES, limits.max_iter - t + 1)).tolist()
                try:
                    c, carry = optimizer.prepare(rates[(t - 1) % RATES], t, carry)
                    change, _, slots = optimizer.move(c, run.x, run.jac, slots)
                    x = as_number(decayed(optimizer, c, run.x) + change)
                    value = problem.value(x) if np.isfinite(x).all() else math.nan
                except ArithmeticError:
                    value = math.nan
                if not math.isfinite(value):
                    run.status = "diverged"
                    run.reason = f"x or fun became infinite or NaN in iteration {t}; x is the last finite point."
                    break
                if limits.history:
                    xs.append(x)
                    values.append(value)
                # One assignment, Ctrl-C falls before or after it; what the history has too much is cut off.
                run = Run(x, value, None, t)
                try:
                    run.jac = problem.gradient(x)
                except ArithmeticError:
                    run.jac = problem.jac0 * math.nan
                bar.update(t, value)
                if limits.callback is not None and arguments.truthy("callback", limits.callback(run.progress(number))):
                    run.status, run.reason = "early_stopped", f"The callback returned True after iteration {t}."
                    break
    except KeyboardInterrupt:
        run.status, run.reason = "interrupted", f"Ctrl-C after iteration {run.nit}."
    finally:
        bar.close()
    if time.perf_counter() - began > HINT_SECONDS and run.nit >= HINT_STEPS:
        run.hint = "compile=True would compile fun and grad, for a long run the faster way."
    if limits.history:
        run.history = MinimizeHistory(np.array(xs[: run.nit + 1]), np.array(values[: run.nit + 1]))
    return run
