"""Where a chunk of a stream starts: with nothing, at given weights, or after the chunks before.

At an automatic rate, scales of columns and learning rates follow the moments of all that the stream has met.
"""

import os

import numpy as np

from ..inputs import custom_parts
from ..inputs.part_serialization import part_of_run
from ..inputs.scaling import Scaling
from ..parts import schedules
from ..results.fit_result import FitResult
from ..results.loading import load
from ..solvers.problem import IN_CHUNKS
from ..solvers.stream_moments import column_moments, moments
from .start import Fresh, Resumed, Warm, given_weights

STREAM_BATCH = 32
# How often rows that were fitted count as passed. Of 500 fitted rows and streams of their kind, progressive losses of
# squares were 10 % above scikit-learn's with 1, 4 % with 10, 2 % with 30.
FITTED = 50


class _Chunked:
    """The first chunk of a stream and later ones: what they have in common."""

    chunked = True
    argument = "r"
    not_staged = IN_CHUNKS
    behind = None  # the moments of the rows before
    passed = 0.0  # rows that an automatic rate counts as passed before the first chunk

    def batch(self, options, n, words):
        """Rows a step; "auto" is single rows where the steps are chosen too, else a small batch."""
        size = options.batch_size
        if size == "auto":
            size = 1 if options.learning_rate == options.optimizer == "auto" else STREAM_BATCH
            words["batch_size"] = "single rows" if size == 1 else f"{size} rows a step"
        if size == "full":
            return n
        # A chunk shorter than a batch is a short batch, so that chunks and one table of them take the same steps.
        return min(size, n) if options.shuffle == "replacement" else size

    def is_full(self, options, batch, n):
        """Whether a step takes the whole chunk: only where ``batch_size`` says so."""
        return batch == n and options.batch_size == "full"

    def scaling(self, statistics, standardize):
        """That of the columns of all rows so far; one that has not varied yet may do so later."""
        if not standardize:
            return statistics.scaling(False)
        mean, variance = column_moments(self.behind, statistics)
        if not statistics.table.X.sparse:
            # Few rows that are nearly equal say nothing of how far a column varies: five within 1e-6 led to
            # coefficients of 1e5.
            rows = statistics.n + (0.0 if self.behind is None else self.behind.column_weight)
            with np.errstate(over="ignore"):
                least = (mean / rows**2) ** 2
            variance = variance + np.where(least < np.inf, least, 0.0)
        return statistics.scaling_of(mean, variance, standardize)

    def moments(self, problem, scaling, scaled):
        """The moments of all rows so far."""
        return moments(self.behind, problem, scaling, scaled)

    def weights(self, targets, scaling):
        """The weights (lanes, d + 1) that the chunk starts with, of the scaled columns and for targets as they are."""
        coef = np.zeros((len(targets.start), scaling.shift.size)) if targets.coef is None else targets.coef
        centre = targets.centre if len(targets.centre) == len(coef) else 0.0
        return np.column_stack([coef, targets.start + centre])

    def check_schedule(self, schedule):
        """Raise for a duration of 0, the rest of the run, which is not known."""
        if schedules.horizon(schedule):
            raise ValueError(
                f"learning_rate={schedule!r} has a duration of 0, the rest of the run: give it a length in epochs, "
                "which are chunks here."
            )

    def epochs(self, epochs):
        """One epoch more than the run has done."""
        return 1 if self.past is None else self.past.epoch + 1


class FirstChunk(_Chunked, Fresh):
    """The first chunk of a stream."""


class WarmChunk(_Chunked, Warm):
    """The first chunk of a stream that starts at given weights; ``behind`` are the moments of the rows they fit.

    At an automatic rate these rows count as if they had come in chunks, many times.
    """

    def __init__(self, coef, intercept, averages=None, steps=0, behind=None):
        super().__init__(coef, intercept, averages, steps)
        self.behind = behind

    @property
    def passed(self):
        """How many rows an automatic rate counts as passed."""
        return 0.0 if self.behind is None else FITTED * self.behind.weight

    def same_columns(self, table):
        """The table; moments of other columns or targets than its own are left out."""
        behind = self.behind
        fits = behind is not None and behind.mean.size in (0, table.X.shape[1])
        if not fits or len(behind.target_mean) != len(table.y):
            self.behind = None
        return super().same_columns(table)


class NextChunk(_Chunked, Resumed):
    """A later chunk of a stream."""

    @property
    def behind(self):
        """The moments of the chunks before."""
        return self.past.moments

    def scaling_and_whether(self, problem):
        """That of the columns of all rows so far, where the first chunk was scaled.

        An optimizer whose state cannot be expressed in another scaling keeps the first chunk's.
        """
        optimizer, scaled = problem.options.optimizer, self.behind.mean.size > 0
        if scaled and optimizer != "auto" and len(optimizer.slot_powers) != optimizer.slots:
            return super().scaling_and_whether(problem)[0], True
        # False where sparse columns are scaled for the steps' sake alone.
        standardize = scaled and (self.past.resolved["standardize"] or scaled)
        return self.scaling(problem.statistics, standardize), scaled

    def targets(self, problem, scaling):
        """The first chunk's constants, with their objective on all rows so far."""
        found = super().targets(problem, scaling)
        here = problem.statistics.constant_loss(problem.options.loss, found.constants)
        share = problem.n / self.rows_seen(problem.n)
        loss = found.constant_loss + (here - found.constant_loss) * share
        return found._replace(constant_loss=loss, start_loss=np.maximum(loss, here))

    def weights(self, targets, scaling):
        """The weights (lanes, d + 1) that the chunk starts with, of the scaled columns and for targets as they are."""
        return np.column_stack(scaling.from_user(np.atleast_2d(self.run.coef), np.atleast_1d(self.run.intercept)))

    def schedule(self, options):
        """The first chunk's schedule: durations count chunks of that length."""
        if custom_parts.is_custom(options.learning_rate):
            return None
        return part_of_run(self.past, "schedule", schedules), np.array(self.past.rate_multiplier)

    def enter(self, loop):
        """Set a loop to the state of the run, in the present scaling; the rest of an interrupted chunk is skipped."""
        self.check_state(loop.running.state)
        loop.go_on(self.past)
        plan = loop.plan
        before, now = (Scaling(one.shift, one.inverse_scale) for one in (self.past, plan.data))
        if not all(map(np.array_equal, before, now)):
            rescale(loop.running.state, plan.parts.optimizer, before, now, self.behind.weight)
        loop.clock.row, loop.clock.loss_sum = 0, 0.0


def rescale(state, optimizer, before, now, rows):
    """Express the state of first-order steps after so many rows in another scaling.

    The model stays the same. But a coefficient is known to about 1 / (scale * sqrt(rows)): where the scale grows by
    more than sqrt(rows) / 3, as that of a column does which hardly varied at first, the rest is rounding or noise.
    """
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        inverse, inverse_now = (one.inverse_scale.astype(np.float64) for one in (before, now))
        shift = inverse * (now.shift.astype(np.float64) - before.shift)
        ratio = np.where((inverse > 0) & (inverse_now > 0), inverse / inverse_now, 1.0)
    known = np.minimum(1.0, max(1.0, np.sqrt(rows) / 3.0) / ratio)

    def moved(weights):
        weights[..., :-1] *= known
        weights[..., -1] += weights[..., :-1] @ shift
        weights[..., :-1] *= ratio

    moved(state.weights)
    if state.averages.shape[-1]:
        moved(state.averages)
    for k, power in enumerate(optimizer.slot_powers):
        if power == "weight":
            moved(state.slots[:, k])
        else:
            state.slots[:, k, :-1] *= ratio ** -float(power)


def chunk_start(options, r):
    """The start of a chunk with these options, after the run of the chunks before."""
    if r is not None:
        if options.start is not None:
            raise ValueError("start is for the first chunk: leave it out, or start a new run without r.")
        return NextChunk(r, "r")
    if options.start is None:
        return FirstChunk()
    given = load(options.start) if isinstance(options.start, (str, os.PathLike)) else options.start
    behind = given.state.moments if isinstance(given, FitResult) and given.state is not None else None
    return WarmChunk(*given_weights(given), behind=behind)
