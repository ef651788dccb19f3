"""``lr_find``: the learning-rate range test, and the rules that read a rate off its curve."""

import bisect
import inspect
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from . import checks
from .choose import prepared
from .drive import Batches, FullBatch
from .fit import fit
from .passes import Passes
from .progress import Bar
from .results import _axes
from .state import LOADED, Clock

BETA = 0.98  # of the smoothing
BLOW_UP = 4.0  # times the least loss ends a test
AT_LEAST = 10  # steps: the rules leave out a tenth of them and the last 5
FALL = 1e-3  # a loss that falls by less than this share of the start's has not fallen

NO_MEANING = {
    "learning_rate": "it is what is looked for",
    "epochs": "num is the number of steps",
    "max_steps": "num is the number of steps",
    "tol": "the test ends with num steps or where the loss blows up",
    "patience": "the test ends with num steps or where the loss blows up",
    "validation": "the losses are those of the batches",
    "evaluate": "the losses are those of the batches",
    "callback": "there are no epochs to call it after",
    "average": "the losses are those of the batches",
    "resume": "it begins with the weights that a fit begins with",
}


# Rules --------------------------------------------------------------------------------------------------------------


def cut(rates, losses, num):
    """What the rules see of a test of ``num`` steps (fastai): neither its first tenth nor its last 5 points, and
    nothing from the first NaN on."""
    rates, losses = rates[num // 10 : -5], losses[num // 10 : -5]
    bad = np.flatnonzero(np.isnan(losses))
    return (rates[: bad[0]], losses[: bad[0]]) if bad.size else (rates, losses)


def descent(losses):
    """The length of the longest strictly decreasing subsequence, and the first index where one of that length ends."""
    tails, length, end = [], 0, 0
    for i, loss in enumerate(losses):
        k = bisect.bisect_left(tails, -loss)
        tails[k : k + 1] = [-loss]
        if k + 1 > length:
            length, end = k + 1, i
    return length, end


def valley(rates, losses):
    """About the middle of the longest descent (fastai's ``valley``).

    With m the length of the longest strictly decreasing subsequence of the losses and e the index where the first such
    ends, it is the rate at ``e - m + m // 3 + m // 6``, and the first rate where nothing decreases. (For e = 1 and
    m = 2 that index is -1, the last rate, in fastai too; ``lr_find`` asks for three points that fall.)
    """
    m, e = descent(losses)
    return rates[0 if m < 2 else e - m + m // 3 + m // 6]


def slide(rates, losses):
    """Where the steady fall before the end begins to slow down (fastai's ``slide``).

    The slopes g of the losses, a point apart, are compared 15 points apart, from the end on backwards: it is the rate
    at the left of the last pair before the two differ by 0.005 or less. That threshold is in the units of the loss, so
    this rule depends on the scale of the loss: with targets in the thousands it means next to nothing.
    """
    g = np.gradient(losses)
    right, left = -1, -16
    rate = rates[left]
    while left >= -len(losses) and abs(g[right] - g[left]) > 0.005:
        rate = rates[left]
        right, left = right - 1, left - 1
    return rate


def minimum(rates, losses):
    """A tenth of the rate of the least loss (fastai's ``minimum``); so it may lie below the rates tested."""
    return rates[np.argmin(losses)] / 10


def steep(rates, losses):
    """Where the loss falls fastest (fastai's ``steep``): the least slope ``dloss / dln(rate)`` between two points.

    Slopes are in the units of the loss, and a single step of a noisy or badly scaled loss may be the steepest: this
    rule depends on the scale of the loss's noise.
    """
    return rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))]


RULES = {  # the rule, what it needs, in words
    "valley": (valley, lambda losses: descent(losses)[0] >= 3, "three points that fall"),
    "slide": (slide, lambda losses: len(losses) >= 16, "16 points"),
    "minimum": (minimum, lambda losses: len(losses) >= 1, "a point"),
    "steep": (steep, lambda losses: np.any(np.diff(losses) < 0), "two points that fall"),
}


def suggested(rates, losses, num):
    """The suggestions of all rules that can be applied to a curve, and a sentence on those that can't."""
    rates, losses = cut(rates, losses, num)
    found, missing = {}, []
    with np.errstate(all="ignore"):
        for name, (rule, fits, needs) in RULES.items():
            if fits(losses):
                found[name] = float(rule(rates, losses))
            else:
                missing.append(f"No {name!r}: it needs {needs}, and the rules see {len(losses)} points.")
    return found, " ".join(missing)


# The result ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False, eq=False)
class LrFind:
    """The curve of a learning-rate range test and what the rules read off it; made by :func:`fastgd.lr_find`.

    Attributes
    ----------
    learning_rates : ndarray (steps,)
        The rate of each step; the steps end where the loss blows up.
    losses : ndarray (steps,)
        The loss before each step, smoothed on batches; never NaN or infinite.
    raw_losses : ndarray (steps,)
        The loss of each batch before its step; on the full batch the objective.
    suggestions : dict of str to float
        The rate that each rule suggests. A rule that can't be applied is absent, and ``message`` says why.
    status : str
        'found'; 'falling' where the loss still falls at the last rate; 'flat' where it does not fall at all;
        'diverged' where it blows up before it falls, or too soon for a rule.
    message : str
        What was seen, and what to do next.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    raw_losses: np.ndarray
    suggestions: dict
    status: str
    message: str

    def suggestion(self, rule="valley"):
        """The learning rate that a rule suggests.

        Raises
        ------
        ValueError
            Where the rule is not known, or can't be applied to this curve.
        """
        checks.one_of("rule", rule, tuple(RULES))
        if rule not in self.suggestions:
            others = ", ".join(map(repr, self.suggestions))
            hint = f" Rules with a suggestion: {others}." if others else ""
            raise ValueError(f"rule={rule!r} has no suggestion here. {self.message}{hint}")
        return self.suggestions[rule]

    def plot(self, ax=None):
        """Draw the loss against the rate, the suggestions marked (matplotlib); returns the axes."""
        ax = ax or _axes()
        if not np.array_equal(self.losses, self.raw_losses):
            ax.plot(self.learning_rates, self.raw_losses, ".", color="0.75", label="loss of a batch")
        ax.plot(self.learning_rates, self.losses, label="loss")
        for k, (rule, rate) in enumerate(self.suggestions.items()):
            ax.axvline(rate, color=f"C{k + 1}", linestyle="--", label=f"{rule}: {rate:.3g}")
        if self.losses.size:
            # What has blown up would leave the rest a flat line.
            high, low = max(self.losses[0], BLOW_UP * self.losses.min()), self.losses.min()
            if high > low:
                high = min(high, self.losses.max())
                ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        ax.set_xscale("log")
        ax.legend()
        ax.set(xlabel="learning rate", ylabel="loss", title=f"{self.status} after {self.losses.size} steps")
        return ax

    def __repr__(self):
        lines = [f"{type(self).__name__}: {self.status} after {self.losses.size} steps", f"  {self.message}"]
        return "\n".join(lines + [f"  {rule}: {rate:.4g}" for rule, rate in self.suggestions.items()])


# The test -----------------------------------------------------------------------------------------------------------


class Growth(NamedTuple):
    """Rates that grow by one factor a step, from ``start``; ``stop`` would be the rate of the step after ``num``."""

    start: float
    stop: float
    num: float

    def rate(self, t):
        share = (t - 1) / self.num
        return self.start ** (1 - share) * self.stop**share  # a quotient of the two may overflow


class Steps:
    """One batch after another of a plan, at rates that grow: all that this module knows of plans and their loops."""

    def __init__(self, plan, work, growth):
        self.first = plan.lanes
        lanes = plan.lanes._replace(**{name: getattr(plan.lanes, name).copy() for name in LOADED})
        self.plan = replace(plan, lanes=lanes, schedule=growth, epochs=2**62)
        self.work = (work or (FullBatch if plan.full else Batches))(self.plan)
        self.clock = Clock()
        n = int(plan.data.count)
        self.rows = -(-n // plan.batch) * plan.batch if plan.shuffle == "replacement" else n  # an epoch's

    def next(self):
        """The mean loss of the next batch before its step; NaN where that or the weights after it are not finite."""
        clock = self.clock
        clock.met, row, epoch = 0.0, clock.row, clock.epoch
        with np.errstate(all="ignore"):
            records, failed = self.work.advance(clock, 1)
        if failed or not np.isfinite(self.plan.lanes.weights).all():
            return np.nan
        if clock.epoch == epoch:
            return float(np.sum(clock.met)) / (clock.row - row)
        rows = self.rows - row  # a record is of the whole epoch, of which this batch alone was counted
        return float(records[0]["loss"]) * (1.0 if self.plan.full else self.rows / rows)

    def rewind(self):
        """Back to the first weights, but not to the first batch."""
        for name in LOADED:
            getattr(self.plan.lanes, name)[:] = getattr(self.first, name)


class Curve(NamedTuple):
    """A test."""

    rates: np.ndarray
    raw: np.ndarray
    losses: np.ndarray
    blown: bool  # whether it ended before its last step


class Ground:
    """What tests of one plan share: its batches, and their losses at the weights that a fit begins with.

    A batch's loss with learning, next to the same batch's without, tells a fall from noise.
    """

    def __init__(self, plan, work, num):
        self.plan, self.work, self.num = plan, work, num
        steps = Steps(plan, work, Growth(1e-7, 1e-7, num))
        still = []
        for _ in range(1 if plan.full else num):
            steps.rewind()
            still.append(steps.next())
        self.still = np.broadcast_to(still, num) if plan.full else np.array(still)
        self.beta = 0.0 if plan.full else BETA

    def test(self, start, stop, bar=None):
        """The curve from ``start`` to ``stop``.

        The first tenth of the points, which the rules don't see, never ends a test on batches: the mean of one or two
        noisy losses may well be a quarter of the next one.
        """
        growth = Growth(start, stop, self.num)
        steps, raw = Steps(self.plan, self.work, growth), []
        losses, least, sum_ = [], np.inf, 0.0
        for k in range(self.num):
            loss = steps.next()
            if not np.isfinite(loss):
                break
            sum_ = self.beta * sum_ + (1 - self.beta) * loss
            raw.append(loss)
            losses.append(sum_ / (1 - self.beta ** (k + 1)))
            if bar is not None:
                bar.update(k + 1, loss)
            if self.plan.full or k >= self.num // 10:
                least = min(least, losses[-1])
                if losses[-1] > BLOW_UP * least:
                    break
        blown = len(raw) < self.num or losses[-1] > BLOW_UP * least
        return Curve(growth.rate(np.arange(1.0, len(raw) + 1)), np.array(raw), np.array(losses), blown)

    def ratios(self, raw):
        """Running means of the losses as shares of what they would be without learning."""
        still = self.still[: len(raw)]
        beta = 0.0 if self.plan.full else 0.9
        tiny = 1e-6 * (np.mean(still) if len(still) else 0.0) or 1.0  # of 0 / 0 it makes 1
        return (smooth(raw, beta) + tiny) / (smooth(still, beta) + tiny)


def smooth(values, beta):
    """Exponentially weighted means, corrected for their bias to the zero they begin with."""
    out, mean = np.empty(len(values)), 0.0
    for k, value in enumerate(values):
        mean = beta * mean + (1 - beta) * value
        out[k] = mean / (1 - beta ** (k + 1))
    return out
