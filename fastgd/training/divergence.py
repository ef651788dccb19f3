"""Whether the losses of a run lie above the loss at its start: then its learning rate is too large."""

import math

CHUNK_MARGIN = 9.0  # a stream has diverged if its loss is ten times that of the first constant


class RiseCheck:
    """Compares the losses of a :class:`LossHistory` with the loss at the start.

    Parameters
    ----------
    history : LossHistory
    loss : loss
        Steps along a subgradient of one that is not ``smooth`` may raise it at first. Where it is ``least_at_zero`` it
        rises from there as the model learns: only numbers that are not finite tell of a rate too large.
    margin : float
        The share of itself by which a loss may rise although the rate is right.
    chunked : bool
        Whether the data come in chunks: a chunk may be one row that the constant happens to fit.
    """

    def __init__(self, history, loss, margin, chunked):
        self.history, self.smooth, self.chunked = history, loss.smooth, chunked
        self.compares = not loss.least_at_zero
        self.margin = CHUNK_MARGIN if chunked else max(margin, history.rounding)
        self.before = None  # of a chunk, the objectives (targets,) at the weights before it, where they were asked for

    def rises(self, new):
        """Whether the newest epochs' losses lie above the start's and only a rate too large can be the cause.

        Steps along a subgradient may raise the loss at first: hinge from its best constant did at any rate.
        """
        return (self.smooth or not self.history.exact) and self.above_start(new)

    def above_start(self, new=()):
        """Whether the last epoch's loss, or that of any of the ``new`` ones, lies above the start's."""
        history, starts = self.history, self.history.start
        records = [*history.records[:1], *(new or history.records[-1:])]
        if self.before is not None:
            starts = [max(start, before) for start, before in zip(starts, self.before, strict=True)]
        return (
            self.compares
            and bool(records)
            and any(
                self._margin_passed([record["loss"][k] for record in records], start, zero)
                for k, (start, zero) in enumerate(zip(starts, history.zero, strict=True))
            )
        )

    def _margin_passed(self, losses, start, zero):
        # On the full batch the first loss is that of the start, computed in the data's precision.
        start = losses[0] if self.history.exact else start if self.chunked else min(start, losses[0])
        return max(losses[1:] or losses) > start + self.margin * abs(start) + zero

    def risen(self, objective, unknown=False):
        """Whether an objective (targets,) lies above the start's.

        ``unknown`` is returned where it is NaN, as where scores overflow.
        """
        history = self.history
        margin = self.margin if self.chunked else history.rounding
        return any(
            unknown if math.isnan(value) else self.compares and value > start + margin * abs(start) + zero
            for value, start, zero in zip(objective, history.start, history.zero, strict=True)
        )

    def doubtful(self, clock):
        """Whether the records leave open if the present objective is above the start's: then only a pass can tell."""
        history = self.history
        if not history.exact:
            return clock.row > 0
        if clock.steps == 0 or len(history.records) < 2:
            return clock.steps > 0
        before, last = (history.records[k]["loss"] for k in (-2, -1))
        # The last step is in no record yet; it may undo a decrease that was small.
        return any(
            new > start - 0.01 * abs(start) or new > old
            for new, old, start in zip(last, before, history.start, strict=True)
        )
