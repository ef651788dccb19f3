"""The problem of a fit, before a solver is chosen."""

from dataclasses import dataclass

import numpy as np

from .data_statistics import DataStatistics

IN_CHUNKS = "the data come in chunks"  # why some solvers do not suit


@dataclass(frozen=True)
class Problem:
    """A table, the options of a fit, and where it starts."""

    options: object  # FitOptions
    statistics: DataStatistics
    start: object  # Fresh, Warm, Resumed or Chunk
    bounds: tuple | None  # (low, high), arrays (d,) in the units of the columns
    penalty_factor: np.ndarray | None  # (d,), of the penalty of each column; None where it is the same in all
    batch: int
    full: bool  # whether a step takes all rows
    single: bool  # whether no folds are fitted in the same passes
    backend: object

    @property
    def table(self):
        """The table that is trained on."""
        return self.statistics.table

    @property
    def rows(self):
        """The numbers of the rows trained on, where others are held out, or None."""
        return self.statistics.rows

    @property
    def n(self):
        """Rows trained on."""
        return self.statistics.n

    @property
    def d(self):
        """Columns."""
        return self.table.X.shape[1]

    @property
    def automatic(self):
        """Whether the learning rate is left to fit."""
        return self.options.learning_rate == "auto"


def in_parts(problem):
    """Why a solver that takes all rows at once does not suit, or None."""
    if problem.start.chunked:
        return IN_CHUNKS
    return None if problem.full else "a step takes a part of the rows"


def given_steps(options):
    """None if the choice of steps is left to fit, else a sentence that names the option which was given."""
    for name in ("optimizer", "learning_rate"):
        if getattr(options, name) not in ("auto", "newton"):
            return f"{name} is given"
    return "average is given" if options.average is not None else None
