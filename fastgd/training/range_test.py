"""The learning-rate range test: steps at rates that grow, and where their losses fall and rise.

It knows no data: what is tested takes steps one by one (``rewind()``, ``next()``), at rates of a :class:`Growth`.
"""

from typing import NamedTuple

import numpy as np

from ..inputs import arguments
from ..results.lr_find import DIVERGED, LrFind
from ..results.lr_rules import constant_share, cut, suggested
from ..wording import count

BETA = 0.98  # of the smoothing
AT_LEAST = 10  # steps: the rules leave out a tenth of them and the last 5
FROM, TO = 1e-7, 10.0  # the range that the search starts with
HIGHEST = 1e25
BELOW, ABOVE = 0.01, 10.0  # the range about the rate of the least loss
RATIO_BETA = 0.9
NEAR = 0.05  # a loss within this share of its whole decrease is close to its least
FALL = 1e-3  # a decrease by less than this share of the start's loss is none


class Growth(NamedTuple):
    """Rates that grow by one factor a step, from ``start``; ``stop`` would be the rate of the step after ``num``."""

    start: float
    stop: float
    num: float

    def rate(self, t):
        share = (t - 1) / self.num
        return self.start ** (1 - share) * self.stop**share  # a quotient of the two may overflow


def smoothed(values, beta):
    """Yield the exponentially weighted means up to each value, corrected for their bias to their initial value 0."""
    total, weight = 0.0, 1.0
    for value in values:
        total, weight = beta * total + (1 - beta) * value, beta * weight
        yield total / (1 - weight)


class Curve(NamedTuple):
    """A test, with one number a step."""

    rates: np.ndarray
    raw: np.ndarray  # each batch's loss before its step
    losses: np.ndarray  # smoothed
    shares: np.ndarray  # divided by the loss of the same batches at the first weights
    diverged: bool  # whether it ended by its loss

    @property
    def fell(self):
        return self.shares.size > 0 and self.shares.min() < 1 - FALL

    @property
    def lowest(self):
        """The rate of the least loss; if the loss stays close to it, the first rate that came close."""
        least = self.shares.min()
        return self.rates[np.argmax(self.shares <= least + NEAR * (1 - least))]

    @property
    def still_decreasing(self):
        """Whether a good part of the fall is in the last tenth of the points."""
        last = self.shares[-max(3, self.shares.size // 10) :]
        return last[0] - last[-1] > NEAR * (1 - self.shares.min())


class RangeTest:
    """What the tests of one problem share: its batches, and their losses at the first weights.

    A batch's loss divided by its loss at the first weights tells a decrease from noise.

    Parameters
    ----------
    steps_of : callable
        Of a :class:`Growth`: an object that takes steps at its rates. ``next()`` returns the loss of the next batch
        before its step, and whether all is finite; ``rewind()`` returns to the first weights, not to the first batch.
    batch : int or None
        Rows of a batch; None is the full batch.
    dtype : dtype
        Of the weights.
    num : int
        Steps of a test.
    bar : Bar
    """

    def __init__(self, steps_of, batch, dtype, num, bar):
        self.steps_of, self.batch, self.bar, self.taken = steps_of, batch, bar, 0
        self.beta, self.ratio_beta = (0.0, 0.0) if batch is None else (BETA, RATIO_BETA)
        self.floor = 1e4 * float(np.finfo(dtype).tiny)  # the smallest first rate that is tried
        steps, baseline = steps_of(Growth(FROM, TO, num)), []
        for _ in range(1 if batch is None else num):
            steps.rewind()
            baseline.append(steps.next()[0])
        self.baseline = np.resize(baseline, num)
        self.tiny = 1e-6 * float(np.abs(self.baseline).mean()) or 1.0  # for losses of 0
        self.has_signal = bool(self.baseline.any())  # a loss of 0 can't fall

    def share(self, mean, unmoved):
        """A mean of losses divided by that of the same batches at the first weights."""
        return 1.0 + (mean - unmoved) / (abs(unmoved) + self.tiny)  # a custom loss may be negative

    def curve(self, start, stop, num):
        """The curve of rates from ``start`` to ``stop``.

        It ends where the smoothed loss is above 4 times its least, unless the same batches' losses at the first weights
        show that this is noise: the loss of the first row or two is often less than a quarter of the next one's.
        """
        growth, raw, losses, rises = Growth(start, stop, num), [], [], False
        least = least_share = np.inf
        means = smoothed(self.finite_losses(growth, num, raw), self.beta)
        for mean, unmoved in zip(means, smoothed(self.baseline, self.beta), strict=False):
            losses.append(mean)
            share = self.share(mean, unmoved)
            least, least_share = min(least, mean), min(least_share, share)
            rises = share - least_share > (DIVERGED / 2 - 1) * abs(least_share)  # relative to the baseline: no noise
            rises = bool(rises and mean - least > (DIVERGED - 1) * abs(least))
            self.taken += 1
            self.bar.update(self.taken, raw[-1])
            if rises:
                break
        pairs = zip(smoothed(raw, self.ratio_beta), smoothed(self.baseline, self.ratio_beta), strict=False)
        return Curve(
            rates=growth.rate(np.arange(1.0, len(raw) + 1)),
            raw=np.array(raw),
            losses=np.array(losses),
            shares=np.array([self.share(*pair) for pair in pairs]),
            diverged=rises or len(raw) < num,
        )

    def finite_losses(self, growth, num, raw):
        """Yield the losses of ``num`` steps until one is not finite, each added to ``raw`` before."""
        steps = self.steps_of(growth)
        for loss, finite in (steps.next() for _ in range(num)):
            if not finite:
                return
            raw.append(loss)
            yield loss


def range_test(test, start, stop, num):
    """The curve from ``start`` to ``stop``, and these two; where they are None they are chosen on the data.

    The range is a hundredth to ten times the rate of the least loss. (A loss without noise falls from the first step
    on, and ``valley`` suggests the middle of its descent. Over 1e-7 to 10 the fit at that rate converged in 26 % of 171
    full-batch cases of data, loss and optimizer, with smoothed losses in 32 %, and with batches of 32 in 58 % of 163;
    with the range about the least loss, in 99 % of the full-batch cases and 97 % of the others, 1,123 in all.)
    """
    if None not in (start, stop):
        return test.curve(start, stop, num), start, stop
    # On the full batch a search of more steps reaches the least loss at rates smaller than the fast ones.
    rate, low, high = searched(test, start, stop, min(num, 100) if test.batch is None else num)
    if rate is not None:
        low = start or min(rate * BELOW, (stop or np.inf) / 1e3)
        high = stop or max(rate * ABOVE, low * 1e3)
    curve = test.curve(low, high, num)
    # With fewer small rates before them, large rates may diverge earlier.
    while rate is not None and curve.diverged and not curve.fell and start is None and low > test.floor:
        low, high = low / 10, stop or high / 10
        curve = test.curve(low, high, num)
    return curve, low, high


def searched(test, start, stop, num):
    """The rate of the least loss, or None where it does not fall, and the last range that was tested.

    That is 1e-7 to 10, moved up while the loss has not decreased or still does, and down while it diverges early.
    """
    low = start or min(FROM, (stop or np.inf) / 1e3)
    high = stop or max(TO, low * 1e3)
    lowered = False
    while True:
        curve = test.curve(low, high, num)
        early = curve.diverged and (not curve.fell or curve.lowest < 1e3 * low)
        late = not curve.diverged and (not curve.fell or curve.still_decreasing)
        if early and start is None and low > test.floor and test.has_signal:
            # Rates at which the loss diverged are not tested again: the points are as dense as they were.
            high = stop or (curve.rates[-1] if curve.rates.size else low)
            low, lowered = low * 1e-4, True
        elif late and stop is None and high < HIGHEST and test.has_signal and not lowered:
            low, high = start or low * 1e4, high * 1e4
        else:
            return curve.lowest if curve.fell else None, low, high


class Hints(NamedTuple):
    """What to do, in words, where a test finds no rate."""

    none: str = "Look at y, or choose another loss."
    flat: str = "else y may have nothing to do with X, or alpha be too large."
    early: str = "or scale the columns. standardize=True may help too."
    next: str = "Fit with learning_rate=f.suggestion() and the same options."


OF_FITS = Hints()


def found(test, curve, low, high, num, hints=OF_FITS):
    """The result of a test from its curve between two rates."""
    status, words = verdict(curve, test.has_signal, f"from {low:.3g} to {high:.3g}", num, hints)
    read = status in ("found", "falling")
    share = constant_share(test.batch)
    suggestions, missing = suggested(curve.rates, curve.losses, num, share) if read else ({}, "")
    return LrFind(curve.rates, curve.losses, curve.raw, suggestions, status, f"{words} {missing}".strip())


def checked_span(start, stop, num):
    """Checked arguments; a rate that is "auto" is None."""
    num = arguments.whole("num", num, low=AT_LEAST)
    start, stop = _rate("start", start), _rate("stop", stop)
    if start is not None and stop is not None and start >= stop:
        raise ValueError(f"start={start:g} must be less than stop={stop:g}.")
    return start, stop, num


def _rate(name, value):
    """A rate, or None for "auto"."""
    if isinstance(value, str):
        if value != "auto":
            raise TypeError(f"{name}={value!r} must be a number or 'auto'.")
        return None
    return arguments.number(name, value, low=1e-300, high=1e300)  # powers of ten beyond are still numbers


def verdict(curve, has_signal, span, num, hints=OF_FITS):
    """A status, and the words for what the curve shows and what to do next."""
    points = curve.losses.size
    if not has_signal:
        return "flat", f"The loss is 0 before the first step: no rate can lower it. {hints.none}"
    if curve.diverged and not (curve.fell and cut(curve.rates, curve.losses, num)[0].size >= 3):
        last = f"at a rate of {curve.rates[-1]:.3g}, after {count(points, 'step')}" if points else "in the first step"
        seen = "too few for the rules" if curve.fell else "and did not fall before"
        hint = "Raise num, or lower start." if curve.fell else f"Lower start where it was given, {hints.early}"
        return "diverged", f"Tested {span}, the loss blew up {last}, {seen}. {hint}"
    if not curve.fell:
        return "flat", f"Tested {span}, the loss did not fall. Raise stop where it was given; {hints.flat}"
    words = f"Tested {span}, the loss fell by {100 * (1 - curve.shares.min()):.3g} %"
    if curve.diverged:
        words += f" and blew up at a rate of {curve.rates[-1]:.3g}"
    elif curve.still_decreasing:
        return "falling", f"{words} and was still falling. For a larger suggestion raise stop, or leave it at 'auto'."
    return "found", f"{words}. {hints.next}"
