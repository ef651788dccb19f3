"""The state of a run: all that it needs to go on with the same numbers as a run that never stopped."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, TypedDict

import numpy as np

from .moments import Moments
from .serialization import Array, Range, Size

PER_TARGET = ("loss", "objective", "validation_loss", "gradient_norm", "decrement")
RECORDED = (*PER_TARGET, "learning_rate", "seconds")

# The annotations that files are checked against, so that kernels can rely on them. A lane's weights are those of the
# scaled columns, the intercept last, in the type of the plan's lanes.
Count = Annotated[int, Range(0, 2**53)]  # steps beyond it are no longer whole numbers as float64
Number = Annotated[float, Range()]
PerLane = Annotated[list[Number], Size("lanes")]
PerTarget = Annotated[list[Number], Size("targets")]
Weights = Annotated[np.ndarray, Array("lane", "lanes columns+1", finite=True)]
LaneNumber = Annotated[np.ndarray, Array("float64", "lanes")]
LaneVector = Annotated[np.ndarray, Array("float64", "lanes columns+1")]
Column = Annotated[np.ndarray, Array("data", "columns", finite=True)]
Factor = Annotated[np.ndarray, Array("float64", "columns", finite=True)]
Bound = Annotated[np.ndarray, Array("float64", "columns")]
TargetRecords = Annotated[np.ndarray, Array("float64", "epochs targets")]
Records = Annotated[np.ndarray, Array("float64", "epochs")]


class SolverState:
    """The state of a solver between steps: a frozen dataclass of arrays with a row for each lane.

    A subclass is known by its name: a saved run names the class of its state. So a class of this name in another module
    is an error; in the same one it is the class defined anew.
    """

    classes: ClassVar[dict] = {}

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        known = SolverState.classes.get(cls.__name__, cls)
        if known.__module__ != cls.__module__:
            raise TypeError(
                f"{cls.__name__} is a state of {known.__module__} already, and files know states by their names: give "
                f"the class of {cls.__module__} another name."
            )
        SolverState.classes[cls.__name__] = cls

    def take(self, rows=None):
        """A copy, of some lanes."""
        arrays = vars(self).values()
        return type(self)(*[array.copy() if rows is None else array[rows] for array in arrays])

    def load(self, other):
        """Take the numbers of another state in place, as far as it has them."""
        for name in vars(self).keys() & vars(other).keys():
            vars(self)[name][...] = getattr(other, name)


@dataclass(frozen=True, eq=False)
class FirstOrderState(SolverState):
    """The state of first-order steps: the weights and the optimizer's state."""

    weights: Weights
    slots: Annotated[np.ndarray, Array("lane", "lanes slots columns+1")]
    carry: Annotated[np.ndarray, Array("float64", "lanes 2")]
    averages: Annotated[np.ndarray, Array("float64", "lanes averages")]  # of the weights; of width 0 without averaging


@dataclass(frozen=True, eq=False)
class SingleRowsState(FirstOrderState):
    """The state of steps on single dense rows, each of whose scores is taken before the step of the row before it."""

    next_score: LaneNumber  # of the next row, where a run stops between these two; NaN where it is not taken yet


@dataclass(frozen=True, eq=False)
class QuasiNewtonState(SolverState):
    """The state of quasi-Newton steps: the weights, the pairs of L-BFGS, and where the metric was summed."""

    weights: Weights
    moved: Annotated[np.ndarray, Array("float64", "lanes moved")]  # weights in a space of their own; else of width 0
    anchor: Annotated[np.ndarray, Array("float64", "lanes used")]  # where the metric's second derivatives are
    moves: Annotated[np.ndarray, Array("float64", "lanes pairs used")]  # a ring with one free place
    changes: Annotated[np.ndarray, Array("float64", "lanes pairs used")]  # of the gradients, by these moves
    lane: LaneNumber  # of the plan
    first: LaneNumber  # the place of the oldest pair
    count: LaneNumber  # of the pairs
    rows: LaneNumber  # of the metric; 0 before the first
    damping: LaneNumber  # the number of the metric's damping
    read: LaneNumber  # rows, since the metric was summed
    renewals: LaneNumber  # of the metric
    as_matrix: LaneNumber  # whether the metric is a matrix where an arrow costs less
    kink_width: LaneNumber  # within which the loss is smoothed; 0 where it is not
    standing: LaneNumber  # steps in a row that lowered the objective by rounding alone
    size: LaneNumber  # of the objective without outliers, where it was measured; 0 where it was not
    promises: Annotated[np.ndarray, Array("float64", "lanes promises")]  # of the last steps by the metric; 0 for none
    # The tolerance with which a lane ended before others, else 0; the objective, the norm and the decrement then.
    ended: Annotated[np.ndarray, Array("float64", "lanes 4")]

    def take(self, rows=None):
        """A copy, of some lanes. That of all or of several in a row shares the pairs: rings change where they are free.

        Copied each time that a lane ends, the rings of 20 penalties and 10,000 columns took half of the time.
        """
        arrays = dict(vars(self))
        several = rows is not None and len(rows) > 1 and rows[-1] - rows[0] + 1 == len(rows)
        shared = slice(None) if rows is None else slice(rows[0], rows[-1] + 1) if several else rows
        pairs = {name: arrays.pop(name)[shared] for name in ("moves", "changes")}
        copies = {name: array.copy() if rows is None else array[rows] for name, array in arrays.items()}
        return type(self)(**pairs, **copies)


@dataclass(frozen=True, eq=False)
class KinkedState(SolverState):
    """The state of interior points: the weights, and what is known of them."""

    weights: Weights
    lane: LaneNumber  # of the plan
    share: LaneNumber  # of the rows that are near the kinks, or the width of many columns; 0 at first, -1 at last
    bound: LaneNumber  # of the decrease still possible; infinite where none is known
    as_given: LaneNumber  # whether targets that are far off are where they were given, not nearer


@dataclass(frozen=True, eq=False)
class StagedState(SolverState):
    """The state of staged SGD, one lane: the stage's coordinates, position and mean, and the best weights."""

    weights: Weights  # the mean of the stage in the scaled columns' coordinates
    whitening: Annotated[np.ndarray, Array("float64", "lanes columns+1 columns+1")]  # rows are the stage's coordinates
    position: LaneVector  # in whitened coordinates, from the origin
    mean: LaneVector  # of the stage's positions
    origin: LaneVector  # the weights where the stage started
    best: LaneVector  # the best weights so far
    factor: LaneNumber  # multiplies the stage's learning rate
    first_step: LaneNumber  # the run's steps before the stage
    length: LaneNumber  # rows of the stage in all; 0 before the first stage
    visited: LaneNumber  # rows of the stage so far
    origin_objective: LaneNumber
    objective: LaneNumber  # of the best weights
    fall: LaneNumber  # relative decrease of the last stage; infinite where it rose
    fall_before: LaneNumber  # of the stage before


@dataclass
class Clock:
    """The position of a run: epochs, rows and steps done."""

    epoch: int = 0  # whole epochs done
    row: int = 0  # rows done of the running one
    steps: int = 0
    loss_sum: object = 0.0  # (lanes,), of the running epoch's losses, each evaluated before its step

    def copy(self):
        """A copy."""
        return Clock(self.epoch, self.row, self.steps, self.loss_sum)


class RunHistory(TypedDict):
    """What was recorded of each epoch; NaN where it was not measured."""

    loss: TargetRecords
    objective: TargetRecords
    validation_loss: TargetRecords
    gradient_norm: TargetRecords
    decrement: TargetRecords
    learning_rate: Records
    seconds: Records


@dataclass(eq=False)  # a frozen one takes twice the time to make
class RunState:
    """The state from which ``fit(..., resume=r)`` and ``partial_fit(X, y, r)`` go on."""

    options: dict  # as given, those that a resumed run must keep: numbers, strings, parts as dicts
    resolved: dict  # what the options became, likewise
    choices: dict[str, str]  # the same in words
    link: bool  # whether ``predict`` applies the loss's inverse link
    optimizer: dict | None  # as run; None where the solver has none
    schedule: dict | None
    rate_multiplier: PerLane  # of the schedule
    centre: PerTarget  # subtracted from the targets
    start: PerLane  # intercepts that the run started with
    start_loss: PerTarget  # the objectives there
    rows: Annotated[int, Range(1, 2**53)]  # trained on
    rows_seen: Annotated[int, Range(1, 2**53)]  # of all chunks
    chunked: bool  # whether the data come in chunks
    offset: bool  # whether scores have an offset
    source: str | None  # in batches, what decides the order of the rows of a source; None for an array's
    epoch: Annotated[Count, Size("epochs")]
    row: Count
    steps: Count
    backoffs: Count  # how often the run restarted with a smaller learning rate
    confirmed_backoffs: Count  # of these, those that a longer run would have made too
    best_epoch: Annotated[int, Range(1, 2**53)] | None
    plateau: list[float] | None  # the factor of a schedule that watches the loss, and its memory
    loss_sum: Annotated[np.ndarray, Array("float64", "lanes", finite=True)]
    shift: Column
    inverse_scale: Column
    low: Bound | None
    high: Bound | None
    penalty_factor: Factor | None  # None: the same penalty for all columns
    best: Weights | None  # those of the best epoch
    moments: Moments  # of the rows so far
    history: RunHistory
    solver: SolverState
    # The loss, optimizer and schedule themselves, where they are at hand.
    parts: dict = field(default_factory=dict, metadata={"saved": False})
    finite: bool = field(default=True, metadata={"saved": False})  # False: it ended as a number was infinite or NaN

    def __getstate__(self):
        return {**self.__dict__, "parts": {}}

    @property
    def clock(self):
        """The clock of the run."""
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
