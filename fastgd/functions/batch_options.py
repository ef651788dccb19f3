"""The options of ``minimize`` that are about data, each with its default and its check: fit's where it has one."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from ..inputs import arguments
from ..inputs.options import FIELDS

if TYPE_CHECKING:
    from .._types import PerParameter, Seed, Shuffle, Validation

EPOCHS = 10


def option(default, check=None):
    """A field of ``BatchOptions``; ``check(name, value)`` is None for what is checked with the parameters."""
    return field(default=default, metadata={"check": check})


def of_fit(name):
    """A field as ``FitOptions`` has it."""
    return option(FIELDS[name].default, FIELDS[name].metadata["check"])


def _validation(name, value):
    return value if isinstance(value, (tuple, list)) or np.ndim(value) else arguments.validation(value)


def _batch_size(name, value):
    return None if value in ("full", None) else arguments.batch_size(name, value)


def _epochs(name, value):
    return EPOCHS if value is None else arguments.whole(name, value, low=0)


def _clip_norm(name, value):
    return np.inf if value is None else arguments.number(name, value, above=0.0)


@dataclass(frozen=True)
class BatchOptions:
    """What all runs over data go by; the annotations are what users may pass."""

    batch_size: int | None = option(None, _batch_size)
    epochs: int | None = option(None, _epochs)
    shuffle: Shuffle = of_fit("shuffle")
    validation: Validation | None = option(None, _validation)
    patience: int = of_fit("patience")
    clip_norm: float | None = option(None, _clip_norm)
    alpha: float = of_fit("alpha")
    l1_ratio: float = of_fit("l1_ratio")
    penalty_factor: PerParameter | None = option(None)
    bounds: tuple[PerParameter | None, PerParameter | None] | None = option(None)
    average: bool | int = of_fit("average")
    random_state: Seed | None = of_fit("random_state")

    @classmethod
    def checked(cls, given):
        """The options of a dict, in their canonical forms, or one error that names the option."""
        checks = {known.name: known.metadata["check"] for known in fields(cls)}
        return cls(**{name: checks[name](name, value) if checks[name] else value for name, value in given.items()})


BATCH_DEFAULTS = {known.name: known.default for known in fields(BatchOptions)}
