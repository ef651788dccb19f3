"""The options of ``minimize`` that are about data, each checked by itself."""

from dataclasses import dataclass

import numpy as np

from ..inputs import arguments
from ..inputs.options import SHUFFLES

EPOCHS = 10


def _or(otherwise, check, *given, **limits):
    """A function (name, value) that returns ``otherwise`` for None, and else what ``check`` does."""
    return lambda name, value: otherwise if value is None else check(name, value, *given, **limits)


def _validation(name, value):
    return value if isinstance(value, (tuple, list)) or np.ndim(value) else arguments.validation(value)


# Those that are not here are checked with the parameters or the data.
CHECKS = {
    "batch_size": lambda name, value: None if value in ("full", None) else arguments.batch_size(name, value),
    "epochs": _or(EPOCHS, arguments.whole, 0),
    "shuffle": lambda name, value: "block" if value is True else arguments.one_of(name, value, SHUFFLES),
    "alpha": lambda name, value: arguments.number(name, value, low=0.0),
    "l1_ratio": lambda name, value: arguments.number(name, value, low=0.0, high=1.0),
    "average": lambda name, value: arguments.average(value),
    "clip_norm": _or(np.inf, arguments.number, above=0.0),
    "validation": _validation,
    "patience": lambda name, value: arguments.whole(name, value, 1),
    "random_state": lambda name, value: arguments.seed(value),
}


@dataclass(frozen=True)
class BatchOptions:
    """What all runs over data go by."""

    batch_size: int | None
    epochs: int
    shuffle: object
    alpha: float
    l1_ratio: float
    penalty_factor: object
    bounds: object
    average: int | None
    clip_norm: float
    validation: object
    patience: int
    random_state: int

    @classmethod
    def checked(cls, given):
        """The options of a dict, in their canonical forms, or one error that names the option."""
        return cls(**{name: CHECKS[name](name, value) if name in CHECKS else value for name, value in given.items()})
