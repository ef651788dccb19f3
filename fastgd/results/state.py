"""Where a run stands: all that it needs to go on as if it had never stopped."""

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

PER_TARGET = ("loss", "objective", "validation_loss", "gradient_norm", "decrement")
RECORDED = (*PER_TARGET, "learning_rate", "seconds")


class SolverState:
    """What a solver carries from step to step: a frozen dataclass of arrays with a row for each lane.

    A subclass is known by its name: a saved run names the class of its state.
    """

    classes: ClassVar[dict] = {}

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        SolverState.classes[cls.__name__] = cls

    def take(self, rows=slice(None)):
        """A copy, of some lanes."""
        return type(self)(*(np.array(getattr(self, known.name)[rows]) for known in dataclasses.fields(self)))

    def load(self, other):
        """Take the numbers of another state of this class in place."""
        for known in dataclasses.fields(self):
            getattr(self, known.name)[...] = getattr(other, known.name)


@dataclass(frozen=True, eq=False)
class FirstOrderState(SolverState):
    """Of steps against the gradient: the weights and what the optimizer carries."""

    weights: np.ndarray  # (lanes, d + 1) T, of the scaled columns, the intercept last
    slots: np.ndarray  # (lanes, slots, d + 1) T
    carry: np.ndarray  # (lanes, 2) float64
    averages: np.ndarray  # (lanes, d + 1) float64, means of the weights; (lanes, 0) where none are asked for


@dataclass(frozen=True, eq=False)
class NewtonState(SolverState):
    """Of Newton's method: the weights and how widely kinks of the loss are smoothed."""

    weights: np.ndarray  # (lanes, d + 1) T
    width: np.ndarray  # (lanes,) float64, the present smoothing width
    first_width: np.ndarray  # (lanes,) float64, the one that the run started with


@dataclass(frozen=True, eq=False)
class StagedState(SolverState):
    """Of staged SGD, one lane: where the stage stands, in its own coordinates.

    ``position``, ``mean`` and ``origin`` are (1, D), D = d + 1; numbers are (1,), float64.
    """

    weights: np.ndarray  # (1, D) T, what the mean of the stage stands for
    whitening: np.ndarray  # (1, D, D) float64, rows are the stage's coordinates
    position: np.ndarray  # in whitened coordinates, from the origin
    mean: np.ndarray  # of the stage's positions
    origin: np.ndarray  # the weights where the stage started
    best: np.ndarray  # the best weights so far
    factor: np.ndarray  # multiplies the stage's learning rate
    first_step: np.ndarray  # the run's steps before the stage
    length: np.ndarray  # rows that the stage is to visit; 0 before the first
    visited: np.ndarray  # rows
    origin_objective: np.ndarray
    objective: np.ndarray  # of the best weights
    fall: np.ndarray  # relative decrease of the last stage; infinite where it rose
    fall_before: np.ndarray  # of the stage before


@dataclass
class Clock:
    """Where a run stands in its epochs."""

    epoch: int = 0  # whole epochs done
    row: int = 0  # rows done of the running one
    steps: int = 0
    loss_sum: object = 0.0  # (lanes,), of the running epoch's losses, each evaluated before its step

    def copy(self):
        """A clock that stands still."""
        return dataclasses.replace(self)


@dataclass(frozen=True, eq=False)
class RunState:
    """A run that can go on: ``fit(..., resume=r)`` and ``partial_fit(X, y, r)`` do."""

    options: dict  # those that a run that goes on must have, as given: numbers, strings, parts as dicts
    resolved: dict  # what the options became, likewise
    choices: dict  # the same in words
    link: bool  # whether ``predict`` applies the loss's inverse link
    optimizer: dict | None  # as run; None where the solver has none
    schedule: dict | None
    rate_multiplier: list  # of the schedule, one a lane
    centre: list  # taken off the targets, one a target
    start: list  # intercepts that the run started with, one a lane
    start_loss: list  # the objectives there, one a target
    rows: int  # trained on
    rows_seen: int  # of all chunks
    chunked: bool  # whether the data come in chunks
    offset: bool  # whether scores have an offset
    epoch: int
    row: int
    steps: int
    backoffs: int  # how often the run started anew with a smaller learning rate
    confirmed_backoffs: int  # of these, the ones that a longer run would have made too
    best_epoch: int | None
    plateau: list | None  # the factor of a schedule that watches the loss, and its memory
    loss_sum: np.ndarray
    shift: np.ndarray
    inverse_scale: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    best: np.ndarray | None  # the weights of the best epoch
    history: dict  # of arrays (epochs, targets), or (epochs,) for "learning_rate" and "seconds"
    solver: SolverState
    parts: dict = field(default_factory=dict)  # the loss, optimizer and schedule themselves, where they are at hand

    def __getstate__(self):
        return {**self.__dict__, "parts": {}}

    @property
    def clock(self):
        """A clock that stands where the run does."""
        return Clock(self.epoch, self.row, self.steps, self.loss_sum.copy())

    @property
    def records(self):
        """The history as one dict an epoch, with a list of numbers, one a target, where each has its own."""
        columns = [self.history[name].tolist() for name in RECORDED]
        return [dict(zip(RECORDED, row, strict=True)) for row in zip(*columns, strict=True)]

    @property
    def seconds(self):
        """The time the run has taken."""
        seconds = self.history["seconds"]
        return float(seconds[-1]) if seconds.size else 0.0


def history_arrays(records, targets, before=None):
    """The arrays of a history of records (dicts of numbers, or lists of one a target), after those ``before``."""
    arrays = {}
    for name in RECORDED:
        shape = (targets,) if name in PER_TARGET else ()
        none = [np.nan] * targets if shape else np.nan
        column = np.array([record.get(name, none) for record in records], np.float64).reshape(len(records), *shape)
        arrays[name] = column if before is None else np.concatenate([before[name], column])
    return arrays
