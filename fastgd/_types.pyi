"""What public calls take, as editors and type checkers read it: there is no such module at run time.

Parts, rows and parameters are whatever has the right methods. A name is any string, so that one in a variable is no
error; editors complete those that there are.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .engines import Dask
from .losses import _Name as LossName
from .optimizers import _Name as OptimizerName
from .results.fit_result import FitResult
from .results.minimize_result import MinimizeResult
from .schedules import _Name as ScheduleName
from .sources.base import Source as Source

T = TypeVar("T")

class Table(Protocol):
    """A data frame, a sparse matrix, a collection of Dask."""

    @property
    def shape(self) -> Any: ...

class Loss(Protocol):
    """A loss of a score."""

    def value(self, p: Any, y: Any, /) -> Any: ...
    def slope(self, p: Any, y: Any, /) -> Any: ...

class JointLoss(Protocol):
    """A loss of the scores of all classes."""

    def value_and_slopes(self, p: Any, y: Any, slopes: Any, /) -> Any: ...

class Optimizer(Protocol):
    """The rule that turns a gradient into a move."""

    def prepare(self, lr: Any, t: Any, carry: Any, /) -> Any: ...
    def move(self, c: Any, w: Any, g: Any, s: Any, /) -> Any: ...

class Schedule(Protocol):
    """The learning rate as a function of the step."""

    def rate(self, t: Any, /) -> Any: ...

class Splitter(Protocol):
    """scikit-learn's splitters."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any: ...

class Box(Protocol):
    """scipy.optimize.Bounds."""

    lb: Any
    ub: Any

class ArrowStream(Protocol):
    """A table or a reader of Arrow's."""

    def __arrow_c_stream__(self, requested_schema: Any = None, /) -> Any: ...

# What options take; of a sweep's axes also several values.
Values: TypeAlias = Sequence[T] | NDArray[Any]
Number: TypeAlias = float | Sequence[float] | NDArray[Any]  # a field of a part
Rows: TypeAlias = ArrayLike | Table | Source | ArrowStream
AnyLoss: TypeAlias = LossName | str | Loss | JointLoss
AnyOptimizer: TypeAlias = OptimizerName | str | Optimizer
Rate: TypeAlias = float | ScheduleName | str | Schedule
Side: TypeAlias = ArrayLike | None
Bounds: TypeAlias = tuple[Side, Side] | Box
Shuffle: TypeAlias = Literal["block", "full", "replacement"] | bool
Validation: TypeAlias = float | tuple[Any, ...] | list[Any]
Seed: TypeAlias = int | np.random.Generator | np.random.RandomState
Callback: TypeAlias = Callable[[Any], Any]
Path: TypeAlias = str | os.PathLike[str]
Paths: TypeAlias = Path | Sequence[Path]
Start: TypeAlias = FitResult | tuple[ArrayLike, ArrayLike] | Path
Folds: TypeAlias = int | Iterable[Any] | Splitter
Scoring: TypeAlias = str | Callable[..., Any]
Parameters: TypeAlias = Any  # numbers, arrays, and dicts, lists and tuples of these in each other
PerParameter: TypeAlias = float | ArrayLike | Mapping[str, Any] | Sequence[Any]
Gradient: TypeAlias = Callable[..., Any] | Literal[True]
Engine: TypeAlias = Literal["dask"] | Dask
RunOf: TypeAlias = FitResult | Path
MinimizeRun: TypeAlias = MinimizeResult | Path
