"""The losses of a model's run, epoch by epoch, and the quantities that stopping rules use.

All of them follow from the records alone, so a resumed run decides as if it had never stopped.
"""

import math

import numpy as np

ROUNDING = 8.0  # an objective below (ROUNDING * eps)**2 of its start is zero to rounding
SLOWED = 0.25  # a run has slowed down if its last half has at most this share of the whole decrease


def average(numbers):
    """The mean of a model's targets."""
    return numbers[0] if len(numbers) == 1 else math.fsum(numbers) / len(numbers)


class Trend:
    """The losses of one target; tolerances are relative to the lowest one, but to ``most`` where that is less."""

    def __init__(self, most=math.inf):
        self.most = most
        self.lowest = []  # of the epochs up to each one
        self.trained = math.inf  # the lowest training loss

    def note(self, trained, loss, tol, rounding, eps=0.0):
        """Add an epoch's training loss and the loss that is judged; returns whether the latter has stalled.

        A rise by ``rounding``, and of the whole loss by ``eps``, is none.
        """
        begun, lowest = bool(self.lowest), self.lowest[-1] if self.lowest else math.inf
        swings = False
        if rounding < math.inf and begun:
            before = self.trained
            if trained > before:  # rarely: the rest took a tenth of a sweep of 32 rates
                swings = trained > before + max(rounding * self.size(before), eps * abs(before))
        self.lowest.append(min(lowest, loss))
        self.trained = min(self.trained, trained)
        if math.isinf(lowest):  # a held-out loss may be infinite from the first epoch on
            return begun and trained < loss == math.inf
        return lowest - loss <= (tol * self.size(lowest) if tol else 0.0) and not swings

    def size(self, loss):
        """What tolerances are relative to, at some loss."""
        return min(abs(loss), self.most)

    def slowed(self, tol):
        """Whether the last half of the epochs has less than the tolerance and little of the whole decrease.

        The decrease still to come is about that of the last half if the run slows down like 1/t, and less if it slows
        down faster. A small decrease alone may also come from a rate that is too small.
        """
        fall, whole = (self.lowest[k] - self.lowest[-1] for k in ((len(self.lowest) - 1) // 2, 0))
        size = self.size(self.lowest[-1])
        return fall <= tol * size and fall <= SLOWED * whole + 1e-14 * size


class LossHistory:
    """The records of one model: dicts of an epoch's numbers, a list of one a target where each has its own.

    Parameters
    ----------
    start_loss : ndarray (targets,)
        The objective at the start; infinite where it is not known yet.
    exact : bool
        Whether the losses are objectives before each step; otherwise they are running means.
    held_out : bool
        Whether the validation loss is judged in place of the training loss.
    tol : float or None
        A smaller relative decrease counts as none.
    dtype : dtype
        Of the weights.
    scale : ndarray (targets,) or None
        The objective whose shares are zero to rounding; None is that at the start.
    most : ndarray (targets,) or None
        The largest objective that tolerances are relative to: what is above is outliers'.
    """

    def __init__(self, start_loss, exact, held_out, tol, dtype, scale=None, most=None):
        self.exact, self.judged, self.tol = exact, "validation_loss" if held_out else "loss", tol or 0.0
        self.eps = float(np.finfo(dtype).eps)
        self.rounding = max(1e-6, 64 * self.eps)
        self.given_scale = scale
        self.starts_at(start_loss)
        most = [math.inf] * len(self.start) if most is None else most
        self.records, self.trends = [], [Trend(float(value)) for value in most]
        self.stalls = 0  # how many epochs in a row did not lower a loss
        self.lowest = self.latest = math.inf  # of the means of the losses that are judged

    def starts_at(self, losses):
        """Set the objective at the start, (targets,)."""
        self.start = [float(loss) for loss in losses]
        self.scale = self.start if self.given_scale is None else [float(loss) for loss in self.given_scale]
        self.zero = [(ROUNDING * self.eps) ** 2 * abs(scale) for scale in self.scale]

    @property
    def unknown_start(self):
        """Whether the objective at the start is not known."""
        return not all(map(math.isfinite, self.start))

    def note(self, record):
        """Add the record of an epoch."""
        if self.unknown_start and self.exact:
            self.starts_at(record["loss"])
        judged = record[self.judged]
        # With momentum the full-batch loss oscillates, and while it rises it has not stalled, nor does it overfit. The
        # running mean over batches rises by noise alone.
        rounding = self.rounding if self.exact else math.inf
        stalled = [
            trend.note(trained, loss, self.tol, rounding, 64 * self.eps) or abs(loss) <= zero
            for trend, trained, loss, zero in zip(self.trends, record["loss"], judged, self.zero, strict=True)
        ]
        self.stalls = self.stalls + 1 if all(stalled) else 0
        self.latest = average(judged)
        self.lowest = min(self.lowest, self.latest)
        self.records.append(record)

    def last(self, name):
        """The newest epoch's number in a column of :class:`fastgd.results.history.History`, such as "gradient_norm".

        NaN where it was not measured or no epoch is done; for several targets as there: the mean, or the norm of all
        gradients together.
        """
        values = self.records[-1].get(name, math.nan) if self.records else math.nan
        if not isinstance(values, list):
            return values
        return math.hypot(*values) if name == "gradient_norm" else average(values)

    def vanished(self, k):
        """Whether the last two losses of target ``k`` are zero to rounding.

        Two, as momentum may move the weights away again from where the loss was zero.
        """
        last = self.records[-2:]
        return len(last) == 2 and max(abs(record["loss"][k]) for record in last) <= self.zero[k]
