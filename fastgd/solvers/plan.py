"""The plan of a run: one group of models that share rows, batches and the classes of their parts."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..kernels.lanes import Data, Lanes, Parts
from ..kernels.threads import cached_property
from ..parts.schedules import rates
from .problem import Problem


class RowLimit(NamedTuple):
    """What holds back the steps of single rows of a stream."""

    rate: np.ndarray  # (lanes,), the largest for a row of size 1, at first
    usual: np.ndarray  # (lanes,), the rate at first; as rates fall below it, so do the largest, by the root
    sizes: np.ndarray  # (lanes, n), of the rows


@dataclass(frozen=True)
class Model:
    """One model of a group: its parts, and its start. It has one lane for each target or class."""

    loss: tuple
    optimizer: tuple | None  # None where the solver has none
    penalty: tuple
    schedule: tuple | None  # its durations in steps
    rate_multiplier: np.ndarray  # (lanes,), of the schedule's rates
    low: np.ndarray  # (d,), of the scaled coefficients
    high: np.ndarray  # (d,)
    centre: np.ndarray  # (targets,), subtracted from the targets, and added to the intercepts at the end
    start: np.ndarray  # (lanes,), the intercepts that a run starts with
    start_loss: np.ndarray  # (targets,), the objective there; infinite where only a pass can tell
    constant_loss: np.ndarray  # (targets,), the objective of the intercepts alone; for chunks over all rows so far
    residual_rms: np.ndarray  # (targets,), of the start's constants, held down where outliers make it; 1 for classes
    fold: int = -1
    replicate: int = -1
    row_limit: RowLimit | None = None  # of a stream at an automatic rate
    number: int = 0  # the number of its setting in a sweep
    target: int = 0  # the number of its first target
    coef: np.ndarray | None = None  # (lanes, d), the scaled coefficients that a run starts with; None for zeros

    def of_other_rows(self, **changes):
        """The model with other rows, so that the objective at its start is not known."""
        return replace(self, start_loss=np.full(len(self.start_loss), np.inf), **changes)

    def single_targets(self):
        """A model for each target."""
        arrays = ("rate_multiplier", "centre", "start", "start_loss", "constant_loss", "residual_rms", "coef")
        parts = {name: getattr(self, name) for name in arrays}
        return [
            replace(self, target=k, **{name: part if part is None else part[k : k + 1] for name, part in parts.items()})
            for k in range(len(self.start))
        ]


@dataclass(frozen=True)
class Plan(Problem):
    """A run in full: every option resolved, none "auto"."""

    data: Data
    parts: Parts
    lanes: Lanes
    models: tuple  # of Model; each has ``width`` lanes, in this order
    solver: type
    many: bool  # whether kernels of many lanes run it, also when only some of its models still run
    epochs: int
    tol: float | None
    held: Data | None = None  # the validation data
    every_epoch: bool = False  # whether a slice must not be longer than an epoch, whatever the options
    order: object = None  # order(epoch): the order of an epoch's rows, in place of a shuffle's own
    rule: object = None  # rule(model): a stopping rule of the caller, with a factor of the learning rate
    keep: object = None  # keep(outcome), between slices: outcome() is how the run of the only model would end there

    @cached_property
    def width(self):
        """The lanes of a model."""
        return len(self.lanes.weights) // len(self.models)

    def passes(self, data):
        """The passes over data, for the plan's number of lanes."""
        passes = self.backend.passes(data, self.options.n_threads)
        return passes.many() if self.many else passes

    def of(self, chosen):
        """The plan of some of its models, with lanes of their own."""
        lanes = lanes_at(self.lanes, chosen, self.width)
        return replace(self, models=tuple(self.models[k] for k in chosen), lanes=lanes)


def rows_of_models(models, width):
    """The lanes of some models."""
    return (np.asarray(models, np.int64)[:, None] * width + np.arange(width)).reshape(-1)


def lanes_at(lanes, models, width):
    """The lanes of some models: the same object if these are all, else a copy."""
    if len(models) * width == len(lanes.weights) and list(models) == list(range(len(models))):
        return lanes
    rows = rows_of_models(models, width)
    return Lanes(*(np.ascontiguousarray(array[rows]) for array in lanes))


def lanes_with(lanes, state):
    """The lanes as kernels take them, with the arrays of a solver's state in their fields."""
    arrays = vars(state)
    return lanes._replace(**{name: arrays[name] for name in STATE & arrays.keys()})


STATE = {"weights", "slots", "carry", "averages"}


def are_many(data, lanes):
    """Whether the kernels of many lanes are needed: more than one lane, or row weights of a fold or replicate."""
    return len(lanes.weights) > 1 or lanes.fold[0] >= 0 or lanes.replicate[0] >= 0 or data.classes > 1


def unweighted(lanes):
    """The lanes with the rows' own weights, whatever their folds and replicates."""
    none = np.full_like(lanes.fold, -1)
    return lanes._replace(fold=none, replicate=none, scale=np.ones_like(lanes.scale))


def rate_table(models, factors, width, first, count):
    """The rates (count, lanes) of the steps ``first + 1`` on, or (1, lanes) where no schedule changes within an epoch.

    ``factors`` multiply each model's schedule; a model without one has the factors alone.
    """
    if all(model.schedule is None or model.schedule.steady for model in models):
        count = 1  # a number for each step and lane costs single rows as much as the steps do
    table, known = np.empty((count, len(models), width)), {}
    for k, (model, factor) in enumerate(zip(models, factors, strict=True)):
        key = id(model.schedule), factor  # a user's schedule may not be hashable
        if key not in known:
            known[key] = factor if model.schedule is None else rates(model.schedule, first, count, factor)[:, None]
        np.multiply(known[key], model.rate_multiplier, out=table[:, k])
    return table.reshape(count, -1)
