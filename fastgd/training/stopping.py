"""Stopping rules, one class each.

A rule has a method ``verdict(history)``, called at the start and after each epoch: a :class:`Verdict` ends the run,
None lets it go on. ``history`` is a :class:`fastgd.training.history.LossHistory`: ``history.last("gradient_norm")`` is
the newest epoch's number in a column of the result's history, NaN where there is none; ``history.records`` has those of
all epochs. A new rule is one class here and a line in :func:`rules_of`.
"""

import math

from ..results import messages
from ..results.messages import Verdict
from ..wording import count

LEFT = 10.0  # the decrease still to come may be so many tolerances


class ZeroLoss:
    """The losses of all targets are zero to rounding."""

    def verdict(self, history):
        """Converged, if they are in the last two epochs."""
        if all(map(history.vanished, range(len(history.zero)))):
            return Verdict("converged", messages.ZERO, messages.NO_MORE)
        return None


class Patience:
    """The validation loss has not decreased for some epochs."""

    def __init__(self, patience):
        self.patience = patience

    def verdict(self, history):
        """Stopped early."""
        if history.records and history.stalls >= self.patience:
            return Verdict("early_stopped", messages.VALIDATION.format(epochs=count(self.patience, "epoch")))
        return None


class RelativeDecrease:
    """The loss has decreased by less than ``tol`` times itself for some epochs.

    A rate that is too small, or one that makes the loss oscillate about the optimum, has the same effect. So the
    decrease must have slowed down too and, on the full batch of a smooth loss, the gradient must have decreased as far.
    """

    def __init__(self, tol, patience, smooth, automatic=True):
        self.tol, self.patience, self.smooth, self.automatic = tol, patience, smooth, automatic

    def verdict(self, history):
        """Converged, if all targets have."""
        if not history.records or history.stalls < self.patience:
            return None
        if not all(self.settled(history, k) for k in range(len(history.trends))):
            return None
        advice = messages.MORE_DIGITS if self.automatic else messages.MORE_DIGITS_GIVEN
        return Verdict(
            "converged", messages.RELATIVE_DECREASE.format(tol=self.tol, epochs=count(self.patience, "epoch")), advice
        )

    def settled(self, history, k):
        """Whether the loss of target ``k`` has slowed down, and its gradient decreased as far."""
        trend = history.trends[k]
        if history.vanished(k):
            return True
        if not trend.slowed(self.tol):
            return False
        if not history.exact or not self.smooth:
            return True
        first, norm = (history.records[end]["gradient_norm"][k] for end in (0, -1))
        size, fallen = trend.size(trend.lowest[-1]), trend.lowest[0] - trend.lowest[-1]
        # The square of the gradient is proportional to the decrease still to come.
        share = min(LEFT * self.tol * size / fallen, 0.01) if fallen > 0 else 0.01
        return norm <= max(math.sqrt(share) * first, 1e-5 * math.sqrt(size), history.rounding * first)


def rules_of(plan, model, solver):
    """The stopping rules of a run of ``model``; where there is one, no slice of work is longer than an epoch."""
    options, rules = plan.options, []
    if plan.tol is not None and not solver.judges_tol:
        rules.append(ZeroLoss())
    if plan.held is not None:
        rules.append(Patience(patience_of(plan, model, solver)))
    elif plan.tol is not None and not solver.judges_tol:
        rules.append(RelativeDecrease(plan.tol, options.patience, model.loss.smooth, plan.automatic))
    return rules


def patience_of(plan, model, solver):
    """The epochs to wait: with momentum a step acts for 1 / (1 - beta) steps, so a rise may last as long."""
    if not solver.exact or model.optimizer is None:
        return plan.options.patience
    return math.ceil(plan.options.patience / model.optimizer.damping - 1e-9)
