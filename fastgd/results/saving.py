"""Saved models: the typed content of a file, and which of its fields must agree."""

import os
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ..inputs.options import FIELDS, canonical, names
from ..inputs.part_serialization import part_from_dict, part_to_dict
from ..parts import losses, optimizers, schedules
from . import npz
from .batch_state import BatchState
from .bootstrap import Replicates
from .messages import ADVICE, MINIMIZE_ADVICE
from .serialization import Array, Size, decode, encode
from .state import FirstOrderState, RunState


@dataclass(frozen=True)
class SavedModel:
    """The content of a file: each field in its metadata or, where it is an array, a member of its name."""

    coef: Annotated[np.ndarray, Array("float64", "*outputs columns", finite=True)]
    intercept: Annotated[np.ndarray, Array("float64", "*outputs", finite=True)]
    loss: float
    status: Literal[tuple(ADVICE)]
    message: str
    choices: dict[str, str]
    feature_names: Annotated[tuple[str, ...], Size("columns")] | None
    classes: np.ndarray | None
    object_classes: bool
    replicates: Replicates | None
    encoding: dict | None  # of the command line, which checks it
    state: RunState


@dataclass(frozen=True)
class SavedMinimization:
    """The content of a file of a minimisation over data."""

    params: list  # the form of the parameters
    x: Annotated[np.ndarray, Array("params", "params")]
    jac: Annotated[np.ndarray, Array("params", "params")]
    fun: float
    status: Literal[tuple(MINIMIZE_ADVICE)]
    message: str
    state: BatchState


def write(path, model):
    """Write a :class:`SavedModel` or a :class:`SavedMinimization`, whole or not at all."""
    metadata, arrays = encode(model)
    decode(type(model), metadata, arrays)  # an error now, and not when the file is read
    npz.write(path, metadata, arrays)


def read(path):
    """What was saved in a file, each field as it is annotated and in agreement with the others."""
    metadata, arrays = npz.read(path)
    try:
        if "params" in metadata:
            return decode(SavedMinimization, metadata, arrays)
        model = decode(SavedModel, metadata, arrays)
        for name, agrees in AGREEMENTS.items():
            if not agrees(model, model.state):
                raise ValueError(f"{name!r} contradicts the rest.")
    except ValueError as error:
        raise ValueError(f"{os.fsdecode(path)!r} is not a fastgd model: {error} {npz.REMEDY}") from None
    return model


def _is_part(facts, module):
    """Whether facts are those of a part; of a user's own class no more is known than their types."""
    if type(facts) is dict and "stamp" in facts:
        name, fields = facts.get("name"), facts.get("fields")
        named = type(name) is type(facts["stamp"]) is str and type(fields) is dict
        return named and all(type(value) in (str, float) for value in fields.values())
    try:
        return part_to_dict(part_from_dict(facts, module, "")) == facts
    except Exception:  # what a constructor says to fields that are not its own is an open list
        return False


def _is_part_of_solver(facts, module, solver):
    """Whether facts are those of a part, where the solver has such parts."""
    return _is_part(facts, module) if isinstance(solver, FirstOrderState) else facts is None


def _is_option(name, value):
    """Whether a value is the canonical one of an option that a run keeps."""
    if (module := FIELDS[name].metadata["part"]) and type(value) is dict:
        return _is_part(value, module)
    try:
        return (name, value) == ("validation", "data") or repr(canonical(name, value)) == repr(value)
    except (TypeError, ValueError):
        return False


def _is_class_labels(model):
    """Whether the classes are labels in order, as many as the model tells apart."""
    labels, count = model.classes, 2 if model.coef.ndim == 1 else len(model.coef)
    return labels.shape == (count,) and bool((labels[:-1] < labels[1:]).all())


def _is_loss_of(model):
    """Whether the loss is one for such targets; a custom class is unknown before it is given."""
    facts, classes = model.state.options["loss"], model.classes is not None
    if "stamp" in facts:
        return True
    loss = part_from_dict(facts, losses, "loss")
    several = classes and model.coef.ndim == 2
    return (loss.labels, loss.joint, loss.link != "identity" and not loss.labels) == (
        classes,
        several,
        model.state.link,
    )


# What has to hold of the fields of a model (m) and its state (s), beyond their annotations.
AGREEMENTS = {
    "coef": lambda m, s: m.coef.ndim in (1, 2) and m.coef.size // m.coef.shape[-1] == len(s.start) >= m.coef.ndim,
    "classes": lambda m, s: m.classes is None or _is_class_labels(m),
    "state.centre": lambda m, s: len(s.centre) == (len(s.start) if m.classes is None else 1),
    "state.options": lambda m, s: (
        s.options.keys() == set(names(kept=True)) and all(_is_option(*given) for given in s.options.items())
    ),
    "state.options.loss": lambda m, s: _is_loss_of(m),
    "state.resolved": lambda m, s: s.resolved.get("standardize") in (True, False, "scale"),
    "state.moments": lambda m, s: (
        s.moments.mean.size in (0, s.shift.size) and (s.moments.variance >= 0).all() and (s.moments.spread >= 0).all()
    ),
    "state.optimizer": lambda m, s: _is_part_of_solver(s.optimizer, optimizers, s.solver),
    "state.schedule": lambda m, s: _is_part_of_solver(s.schedule, schedules, s.solver),
    "state.confirmed_backoffs": lambda m, s: s.confirmed_backoffs <= s.backoffs,
    "state.backoffs": lambda m, s: not s.backoffs or s.options["learning_rate"] == "auto",
    "state.chunked": lambda m, s: not s.chunked or s.options["validation"] is None,
    "state.best_epoch": lambda m, s: (s.best_epoch or 0) <= s.epoch and (s.best is None) == (s.best_epoch is None),
    "state.penalty_factor": lambda m, s: s.penalty_factor is None or np.all(s.penalty_factor >= 0),
    "state.low": lambda m, s: (s.low is None) == (s.high is None) and (s.low is None or np.all(s.low <= s.high)),
}
