"""Whether a run's losses lie above its start's: then its learning rate is too large."""

import math

CHUNK_MARGIN = 9.0  # chunks have diverged where their loss is ten times that of the first constant


class RiseCheck:
    """Compares the losses of a :class:`LossHistory` with the start's.

    Parameters
    ----------
    history : LossHistory
    smooth : bool
        Whether the loss is: steps along a subgradient may rise at first.
    margin : float
        The share of itself by which a loss may rise without a fault.
    chunked : bool
        Whether the data come in chunks: a chunk may be a row that the constant happens to fit.
    """

    def __init__(self, history, smooth, margin, chunked):
        self.history, self.smooth, self.chunked = history, smooth, chunked
        self.margin = CHUNK_MARGIN if chunked else max(margin, history.rounding)

    def rises(self, new):
        """Whether the newest epochs' losses lie above the start's, where only too large a rate can be the cause.

        Steps along a subgradient may rise at first: hinge from its best constant did at any rate.
        """
        return (self.smooth or not self.history.exact) and self.above_start(new)

    def above_start(self, new=()):
        """Whether the last epoch's loss, or that of any of the ``new`` ones, lies above the start's."""
        history = self.history
        records = [*history.records[:1], *(new or history.records[-1:])]
        return bool(records) and any(
            self._margin_passed([record["loss"][k] for record in records], start, zero)
            for k, (start, zero) in enumerate(zip(history.start, history.zero, strict=True))
        )

    def _margin_passed(self, losses, start, zero):
        # The full batch's first loss is the start's, computed with the data's own rounding.
        start = losses[0] if self.history.exact else start if self.chunked else min(start, losses[0])
        return max(losses[1:] or losses) > start + self.margin * abs(start) + zero

    def risen(self, objective, unknown=False):
        """Whether an objective (targets,) lies above the start's.

        ``unknown`` is the answer where it is NaN: of rows never visited, or of scores that overflow.
        """
        history = self.history
        margin = self.margin if self.chunked else history.rounding
        return any(
            unknown if math.isnan(value) else value > start + margin * abs(start) + zero
            for value, start, zero in zip(objective, history.start, history.zero, strict=True)
        )

    def doubtful(self, clock):
        """Whether the records can't tell how the present weights do: then it takes a pass to know."""
        history = self.history
        if not history.exact:
            return clock.row > 0
        if clock.steps == 0 or len(history.records) < 2:
            return clock.steps > 0
        before, last = (history.records[k]["loss"] for k in (-2, -1))
        # The last step, which no record tells of, may undo a decrease that is hardly one.
        return any(
            new > start - 0.01 * abs(start) or new > old
            for new, old, start in zip(last, before, history.start, strict=True)
        )
