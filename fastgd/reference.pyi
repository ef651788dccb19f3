"""Written by ``python docs/tables.py``."""

from ._types import AnyOptimizer, Gradient, Parameters, PerParameter, Rate, Seed, Shuffle, Validation
from collections.abc import Callable
from typing import Any
from . import MinimizeResult
from . import fit as fit
from . import lr_find as lr_find
from . import sweep as sweep

__all__ = ["fit", "lr_find", "minimize", "sweep"]

def __dir__() -> list[str]: ...

def minimize(
    fun: Callable[..., Any],
    x0: Parameters,
    grad: Gradient | None = None,
    *,
    jac: Gradient | None = None,
    data: Any = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    shuffle: Shuffle = "block",
    validation: Validation | None = None,
    patience: int = 5,
    optimizer: AnyOptimizer = "sgd",
    learning_rate: Rate = 0.1,
    clip_norm: float | None = None,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    penalty_factor: PerParameter | None = None,
    bounds: tuple[PerParameter | None, PerParameter | None] | None = None,
    average: bool | int = False,
    max_iter: int | None = None,
    tol: float | None = None,
    history: bool = True,
    random_state: Seed | None = None,
    check_gradient: bool = True,
) -> MinimizeResult: ...
