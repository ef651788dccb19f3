"""What to run: one group of models that share their rows, their batches and the kinds of their parts."""

import functools
from dataclasses import dataclass, replace

import numpy as np

from ..kernels.lanes import Data, Lanes, Parts
from ..parts.schedules import rates, watched
from ..results.state import LOADED, State


@dataclass(frozen=True)
class Model:
    """One model of a group: its parts, and where it starts. Its lanes are one for each target or class."""

    loss: tuple
    optimizer: tuple
    penalty: tuple
    schedule: tuple  # its durations in steps
    pace: np.ndarray  # (lanes,), what the schedule's rates are multiplied by
    low: np.ndarray  # (d,), of the scaled coefficients
    high: np.ndarray  # (d,)
    centre: np.ndarray  # (targets,), what was taken off the targets, and goes back into the intercepts
    start: np.ndarray  # (lanes,), the intercepts that a run begins with
    start_loss: np.ndarray  # (targets,), the objective there; infinite where it takes a pass to know
    constant_loss: np.ndarray  # (targets,), that of the intercepts alone; of a stream, of all rows so far
    size: np.ndarray  # (targets,), how far the targets lie from where the run starts
    fold: int = -1
    replicate: int = -1
    number: int = 0  # which run of a sweep
    target: int = 0  # the first of the targets that are its own
    coef: np.ndarray | None = None  # (lanes, d), the scaled coefficients that a run begins with; None for none


@dataclass(frozen=True)
class Plan:
    """What to run: everything resolved, nothing 'auto'."""

    data: Data
    parts: Parts
    lanes: Lanes
    models: tuple  # of Model; each has ``width`` lanes, in this order
    batch: int
    full: bool  # whether a step takes all rows
    method: str  # "newton": steps solve with the curvature; "stages": of whitened batches; "steps": the optimizer's
    shuffle: object
    seed: int
    many: bool  # whether the kernels of many lanes run it; some of its models, or one left alone, are run as all were
    epochs: int
    max_steps: int | None
    tol: float | None
    patience: int
    n_threads: int
    rows: np.ndarray | None = None  # the rows trained on, where others are held out
    held: Data | None = None  # what is held out to validate on
    past: State | None = None  # the run that this one, of a single model, goes on with
    stream: bool = False  # the data are a chunk of many, to be passed once
    parallel: str | None = None  # "hogwild": several threads step copies of the weights
    lazy: bool = False  # of sparse rows a step moves the columns of its rows alone
    evaluate: bool = False
    automatic_rate: bool = False
    first: int = 0  # steps behind this run, from which schedules and averages count on
    rule: object = None  # rule(model): what says when the run of a model ends, beside its course (see Course.obey)
    order: object = None  # order(epoch): the order of an epoch's rows, in place of a shuffle's own
    keep: tuple = ()  # of epochs after which the worst half of the models is dropped
    callback: object = None
    verbose: int = 0

    @functools.cached_property
    def width(self):
        """The lanes of a model."""
        return len(self.lanes.weights) // len(self.models)

    @functools.cached_property
    def watched(self):
        """Whether something looks at every epoch."""
        asked = (self.callback, self.rule, self.tol, self.held, *(watched(model.schedule) for model in self.models))
        return self.evaluate or bool(self.keep) or any(one is not None for one in asked)

    def of(self, chosen):
        """The plan of some of its models, with lanes of their own."""
        lanes = lanes_at(self.lanes, chosen, self.width)
        return replace(self, models=tuple(self.models[k] for k in chosen), lanes=lanes)


def lanes_at(lanes, models, width):
    """The lanes of some models: a copy of their state, and of their settings where they are not all lanes."""
    rows = (np.asarray(models, np.int64)[:, None] * width + np.arange(width)).reshape(-1)
    if np.array_equal(rows, np.arange(len(lanes.weights))):
        return lanes._replace(**{name: getattr(lanes, name).copy() for name in LOADED})
    return Lanes(*(np.ascontiguousarray(array[rows]) for array in lanes))


def are_many(data, lanes):
    """Whether lanes are more than one model with the weights of all rows."""
    return len(lanes.weights) > 1 or lanes.fold[0] >= 0 or lanes.replicate[0] >= 0 or data.classes > 1


def unweighted(lanes):
    """The lanes with the rows' own weights, whatever their folds and replicates."""
    none = np.full_like(lanes.fold, -1)
    return lanes._replace(fold=none, replicate=none, scale=np.ones_like(lanes.scale))


def rate_table(models, factors, width, first, count):
    """The rates (count, lanes) of the steps ``first + 1`` on, or (1, lanes) where no schedule changes within an epoch.

    ``factors`` multiply each model's schedule.
    """
    if all(model.schedule.steady for model in models):
        count = 1  # a number for each step and lane costs single rows as much as the steps do
    table, known = np.empty((count, len(models), width)), {}
    for k, (model, factor) in enumerate(zip(models, factors, strict=True)):
        key = id(model.schedule), factor  # a user's own may not be hashable
        if key not in known:
            known[key] = rates(model.schedule, first, count, factor)[:, None]
        np.multiply(known[key], model.pace, out=table[:, k])
    return table.reshape(count, -1)
