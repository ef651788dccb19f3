"""The records of a run's epochs, and what those that watch it ask of them."""

import math

import numpy as np

FUN, VALIDATION = range(2)  # columns


class EpochRecords:
    """The records (epochs, 4) of a run, a row an epoch, in memory that grows by doubling.

    ``held_out``: the validation values are judged in place of the means of ``fun``.
    """

    def __init__(self, records, held_out):
        self.column, self.count = VALIDATION if held_out else FUN, len(records)
        self.table, self.lowest = np.empty((max(16, 2 * self.count), 4)), np.empty(max(16, 2 * self.count))
        self.table[: self.count] = records
        judged = np.where(np.isfinite(records[:, self.column]), records[:, self.column], math.inf)
        self.lowest[: self.count] = np.minimum.accumulate(judged)

    @property
    def rows(self):
        """The records so far, a view."""
        return self.table[: self.count]

    def add(self, record):
        """Add those of an epoch; returns the value that is judged."""
        if self.count == len(self.table):
            self.table, self.lowest = (
                np.concatenate([array, np.empty_like(array)]) for array in (self.table, self.lowest)
            )
        value = record[self.column]
        before = self.lowest[self.count - 1] if self.count else math.inf
        self.table[self.count], self.lowest[self.count] = record, min(before, value) if math.isfinite(value) else before
        self.count += 1
        return value

    @property
    def is_lowest(self):
        """Whether the newest value is lower than all before."""
        before = self.lowest[self.count - 2] if self.count > 1 else math.inf
        return bool(self.lowest[self.count - 1] < before)

    def fall(self, epochs):
        """The lowest value before the last epochs, and by how much it has fallen since; None where there is none."""
        if self.count <= epochs:
            return None
        before = float(self.lowest[self.count - 1 - epochs])
        return before, before - float(np.min(self.table[self.count - epochs : self.count, self.column]))
