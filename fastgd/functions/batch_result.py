"""The result of a run over data: the parameters, what they are worth over all rows, the status and what to do next."""

import math

import numpy as np

from ..results.batch_state import BatchHistory
from ..results.messages import MINIMIZE_ADVICE, RAISED_ADVICE
from ..results.minimize_result import MinimizeResult
from ..wording import count
from .batch_functions import VALUE
from .run import ZERO

SAMPLED = 4096  # rows
RISE = 1e-9  # how far, relatively, the mean of fun may lie above its start by rounding


def result_of(run):
    """The result of a run that has ended."""
    task, state, nest = run.task, run.state, run.task.functions.nest
    status, reason = run.verdict
    if status == "interrupted":  # a pass may take long, and another Ctrl-C would lose the run
        x = state.best if state.best.size else run.answer()
        value, slopes = latest_value(run), np.full(nest.size, math.nan)
        reason, lost = reason + " fun is the last mean that was met.", False
    else:
        x, value, slopes, lost = best_finite(run)
        status, reason = judged(run, x, value, slopes, lost)
    advice = MINIMIZE_ADVICE[status]
    if status == "diverged":
        advice = task.data.not_finite() or remedy(run, value, slopes) or advice
    elif status == "interrupted":
        advice = "Pass this result as resume to go on."
    elif status == "early_stopped" and state.best.size:
        advice = ""
    message = [words for words in (reason, returned(run, lost), advice) if words]
    if task.functions.grad is None:
        message.append(f"Derivatives were central differences, {count(2 * nest.size, 'evaluation')} of fun a step.")
    with np.errstate(all="ignore"):
        jac = nest.of(slopes.astype(nest.dtype))
    history = BatchHistory(*state.records.T.copy())
    return MinimizeResult(nest.of(x), value, jac, state.steps, status, " ".join(message), history, state.epoch, state)


def returned(run, lost):
    """Which parameters the result has, in words, where they are others than the last; ``lost``: no other is finite."""
    if lost:
        return "x is the start."
    if run.state.best.size:
        return f"x is that of epoch {run.state.best_epoch}, whose validation value was the lowest."
    return "x is the last finite point." if run.verdict[0] == "diverged" else ""


def remedy(run, value, slopes):
    """What to do about a run that diverged by another cause than its learning rate; None where none is seen."""
    if not math.isfinite(value):  # parameters that are returned have a finite one, unless even those of the start don't
        return "Choose an x0 where fun is finite, or correct fun."
    if run.raised:
        return RAISED_ADVICE
    if not np.isfinite(slopes).all():
        return "Choose an x0 where the gradient is finite, or correct the gradient."
    return None


def latest_value(run):
    """The mean of the last epoch or, before its end, over the rows so far; at the start, over a sample."""
    state = run.state
    if len(state.records) and math.isfinite(state.records[-1, 0]):
        return float(state.records[-1, 0])
    if state.position and run.wanted & VALUE:
        return float(state.sums[0] / state.position)
    return run.mean(run.answer(), run.order.data.sample(SAMPLED))


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


def judged(run, x, value, slopes, lost):
    """The status and the reason of a run, by what its parameters are worth."""
    state, (status, reason) = run.state, run.verdict
    if status == "diverged":
        return status, reason
    if lost or not math.isfinite(value):
        return "diverged", f"fun is infinite or NaN after {count(state.epoch, 'epoch')}. {reason}"
    at_rest = status.startswith("max_") and run.penalty.free and np.abs(slopes).max() <= ZERO
    if rose(run, x, value, ZERO if at_rest else 0.0):
        return "diverged", f"fun rose above its start: it is {value:.6g} after {count(state.epoch, 'epoch')}. {reason}"
    if at_rest:
        return "converged", f"The gradient is zero to rounding after {count(state.epoch, 'epoch')}."
    return status, reason


def rose(run, x, value, slack):
    """Whether the objective at the end lies above the one at the start by more than rounding, or some slack.

    A sample tells of most runs that it does not: to know the mean over all rows at the start takes a pass.
    """
    data, start = run.order.data, run.state.start[:-1]
    if data.n > SAMPLED:
        some = data.sample(SAMPLED)
        begun, now = (run.mean(weights, some) + run.penalty.cost(weights) for weights in (start, x))
        if not now > begun + max(RISE * abs(begun), slack):
            return False
    begun = run.mean(start, data) + run.penalty.cost(start)
    return value > begun + max(RISE * abs(begun), slack)
