"""The result of a run over data: the parameters, what they are worth over all rows, the status and what to do next."""

import math

import numpy as np

from ..results.batch_state import BatchHistory
from ..results.messages import MINIMIZE_ADVICE, RAISED_ADVICE
from ..results.minimize_result import MinimizeResult
from .run import ZERO

RISE = 1e-9  # how far, relatively, the mean of fun may lie above its start by rounding


def result_of(run):
    """The result of a run that has ended."""
    task, state, nest = run.task, run.state, run.task.functions.nest
    status, reason = run.verdict
    if status == "interrupted":  # a pass may take long, and another Ctrl-C would lose the run
        x, value, slopes = run.answer(), latest_value(state), np.full(nest.size, math.nan)
        reason += " fun is the last mean that was met."
    else:
        x, value, slopes, lost = best_finite(run)
        status, reason = judged(run, value, slopes, lost)
    advice = MINIMIZE_ADVICE[status]
    if status == "diverged":
        advice = task.data.not_finite() or remedy(run, value, slopes) or advice
    elif status == "interrupted":
        advice = "Pass this result as resume to go on."
    elif state.best.size:
        reason += f" x is that of epoch {state.best_epoch}, whose validation value was the lowest."
    message = [reason, advice]
    if task.functions.grad is None:
        message.append(f"Derivatives were central differences, {2 * nest.size} evaluations of fun a step.")
    with np.errstate(all="ignore"):
        jac = nest.of(slopes.astype(nest.dtype))
    history = BatchHistory(*state.records.T.copy())
    return MinimizeResult(nest.of(x), value, jac, state.steps, status, " ".join(message), history, state.epoch, state)


def remedy(run, value, slopes):
    """What to do about a run that diverged by another cause than its learning rate; None where none is seen."""
    if not math.isfinite(value):  # parameters that are returned have a finite one, unless even those of the start don't
        return "Choose an x0 where fun is finite, or correct fun."
    if run.raised:
        return RAISED_ADVICE
    if not np.isfinite(slopes).all():
        return "Choose an x0 where the gradient is finite, or correct the gradient."
    return None


def latest_value(state):
    """The value that was met last: the mean of the last epoch or, before its end, that of the first batch."""
    if len(state.records):
        return float(state.records[-1, 0])
    return state.first if math.isfinite(state.first) else math.nan


def best_finite(run):
    """The parameters to return, their objective over all rows, the mean gradient, and whether better ones are lost.

    That is where the objective is not finite at the last parameters, so that those of the start are returned.
    """
    state, found = run.state, []
    for x in (state.best if state.best.size else run.answer(), state.start[:-1]):
        slopes = np.zeros(x.size)
        value = run.mean(x, run.order.data, slopes) + run.penalty.cost(x)
        found.append((x, value, slopes, bool(found)))
        if math.isfinite(value):
            break
    return found[-1]


def judged(run, value, slopes, lost):
    """The status and the reason of a run, by what its parameters are worth."""
    state, (status, reason) = run.state, run.verdict
    if status == "diverged":
        return status, reason
    if lost or not math.isfinite(value):
        return "diverged", f"fun is infinite or NaN after {state.epoch} epochs; x is the start. {reason}"
    at_rest = status.startswith("max_") and run.penalty.free and np.abs(slopes).max() <= ZERO
    if rose(run, value, ZERO if at_rest else 0.0):
        return "diverged", f"fun rose above its start: it is {value:.6g} after {state.epoch} epochs. {reason}"
    if at_rest:
        return "converged", f"The gradient is zero to rounding after {state.epoch} epochs."
    return status, reason


def rose(run, value, slack):
    """Whether the objective at the end lies above the one at the start by more than rounding, or some slack."""
    state = run.state
    if value <= state.first:
        return False  # to know the whole mean at the start would take a pass
    begun = run.mean(state.start[:-1], run.order.data) + run.penalty.cost(state.start[:-1])
    return value > begun + max(RISE * abs(begun), slack)
