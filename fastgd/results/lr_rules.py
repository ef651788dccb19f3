"""Rules that read a learning rate off the curve of a range test: fastai's, in words and numbers, and one of ours.

Each of fastai's is a function of the rates and the losses at them, as ``cut`` returns them, and returns a rate.
"constant" is a share of "valley".
"""

import bisect

import numpy as np


def cut(rates, losses, num):
    """The points of a test of ``num`` steps that rules use (fastai): all but the first tenth and the last 5, and
    none from the first NaN on."""
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
    this rule depends on the scale of the loss: it is unreliable for targets in the thousands.
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


NAMES = ("constant", *RULES)


def constant_share(batch):
    """The share of "valley" that suits a constant rate, by the rows a step takes; None is the full batch.

    The test meets large rates for few steps, too few to show their noise, which a rate that falls in the end averages
    away and a constant one keeps. Of 42 fits of 20 epochs (14 optimizers, 3 problems) on batches of 1, 8, 32 and 256
    rows, 7, 12, 29 and 71 % were good at "valley": within 1 % of the way from the start to the optimum, or twice the
    least of any rate's. At this share of it 67, 88, 95 and 88 % were, and none was far off; with ``OneCycle`` to
    "valley" itself 88, 98, 100 and 90 %. The best rate of short runs did no better (93 % on batches of 32, 32 % on
    single rows), for many more steps.
    """
    return 1.0 if batch is None else min(1.0, batch ** (1 / 3) / 30)


def suggested(rates, losses, num, share=1.0):
    """The suggestions of all rules that can be applied to a curve, and a sentence on those that can't.

    ``share`` is that of "valley" for a constant rate.
    """
    rates, losses = cut(rates, losses, num)
    found, missing = {}, []
    with np.errstate(all="ignore"):
        for name, (rule, fits, needs) in RULES.items():
            if fits(losses):
                found[name] = float(rule(rates, losses))
            else:
                missing.append(f"No {name!r}: it needs {needs}, and the rules see {len(losses)} points.")
    if "valley" in found:
        found = {"constant": share * found["valley"], **found}
    return found, " ".join(missing)
