"""Saved models: what is in the file of one, and what that has to be for kernels and sentences to trust it."""

import math
import os

import numpy as np

from ..inputs.part_serialization import part_facts, part_of
from ..inputs.scaling import Scaling
from ..parts import losses, optimizers, schedules
from . import npz
from .fit_result import FitResult, History, Replicates
from .messages import ADVICE
from .state import PER_TARGET, RECORDED, RunState

REPLICATES = ("replicates.coef", "replicates.intercept")
COUNT = 2**53  # steps beyond it are no longer whole numbers as float64


def save(result, path):
    """Write a result to a file; see :meth:`fastgd.FitResult.save`."""
    facts = {name: getattr(result, name) for name in ("status", "message", "choices")}
    facts |= {"intercept": np.atleast_1d(result.intercept).tolist()}
    facts |= {"names": result.feature_names and list(result.feature_names), "state": result.state.facts}
    arrays = {"coef": result.coef, **{f"state.{name}": array for name, array in result.state.arrays.items()}}
    if result.replicates is not None:
        arrays |= {f"replicates.{name}": array for name, array in result.replicates._asdict().items()}
    if result.classes is not None:
        arrays["classes"] = _plain_labels(result.classes)
        facts["objects"] = result.classes.dtype.kind == "O"
    npz.write(path, facts, arrays)


def load(path):
    """Read a model that :meth:`fastgd.FitResult.save` wrote.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    FitResult
        Predicts as the saved one, to the last bit, and goes on as it: ``resume=``, :func:`fastgd.partial_fit`. Its
        ``loss`` can't be read, as the training data are not in the file.

    Raises
    ------
    ValueError
        Where the file is not a whole fastgd model. Nothing in it is ever executed or expanded.
    OSError
        Where it can't be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import fastgd
    >>> r = fastgd.fit(np.arange(6.0).reshape(-1, 1), np.arange(6.0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.npz")
    ...     r.save(path)
    ...     s = fastgd.load(path)
    >>> bool(s.coef[0] == r.coef[0]), s.status
    (True, 'converged')
    """
    facts, arrays = npz.read(path)
    try:
        required(facts, arrays, ADVICE)
    except ValueError as error:
        reason = f"it lacks or misstates {error}"
        raise ValueError(f"{os.fsdecode(path)!r} is not a fastgd model: {reason}. Save the model again.") from None
    return _result(facts, arrays)


def _result(facts, arrays):
    """The result that a file tells of."""
    state = RunState(
        facts["state"],
        {name.removeprefix("state."): array for name, array in arrays.items() if name.startswith("state.")},
    )
    return FitResult(
        coef=arrays["coef"],
        intercept=facts["intercept"][0] if arrays["coef"].ndim == 1 else np.array(facts["intercept"]),
        status=facts["status"],
        message=facts["message"],
        n_epochs=state.facts["epoch"],
        n_steps=state.facts["steps"],
        choices=facts["choices"],
        history=History.of(state),
        classes=arrays["classes"].astype(object) if facts.get("objects") else arrays.get("classes"),
        feature_names=facts["names"] and tuple(facts["names"]),
        best_epoch=state.facts["best_epoch"],
        replicates=Replicates(*(arrays[name] for name in REPLICATES)) if REPLICATES[0] in arrays else None,
        state=state,
    )


def _plain_labels(classes):
    """Labels as numbers or strings, which a file can hold."""
    plain = np.array(classes.tolist())
    if plain.dtype.kind not in "biufU" or plain.tolist() != classes.tolist():
        raise TypeError(f"save() can't store the labels {classes.tolist()}: use numbers or strings.")
    return plain if classes.dtype.kind == "O" else classes


# What facts and arrays have to be ----------------------------------------------------------------------------------


def required(facts, arrays, statuses):
    """Raise a ValueError that names the first thing that is missing or misstated; ``statuses`` are those of a fit."""
    _each(facts, FACTS, "")
    state = facts["state"]
    settings = state.get("settings")
    _need(isinstance(settings, dict), "state.settings")
    _each(state, STATE, "state.")
    _each(settings, SETTINGS, "state.settings.")
    _need(facts["status"] in statuses, "status")
    _need(state["certain_retreats"] <= state["retreats"], "state.certain_retreats")
    _need(
        state["retreats"] == 0 or (settings["learning_rate"] == "auto" and "learning_rate" in state["words"]), "words"
    )
    _need(not state["stream"] or settings["validation"] is None, "state.stream")
    _arrays(state, arrays, facts["intercept"])
    _coefficients(state, arrays)
    names, classes = facts["names"], arrays.get("classes")
    _need(names is None or len(names) == arrays["coef"].shape[-1], "names")
    if "stamp" not in settings["loss"]:  # of a user's own loss nothing is known yet
        loss = part_of(settings["loss"], losses, "loss")
        _need(loss.labels == (classes is not None), "classes")
        _need(loss.joint == (classes is not None and arrays["coef"].ndim == 2), "coef")
        _need((loss.link != "identity" and not loss.labels) == state["link"], "state.link")
    if classes is not None:
        _need(classes.ndim == 1 and classes.size > 1 and bool((classes[:-1] < classes[1:]).all()), "classes")
        _need(type(facts.get("objects")) is bool, "classes")
        _need(len(state["start"]) == (1 if classes.size == 2 and arrays["coef"].ndim == 1 else classes.size), "classes")


def _arrays(state, arrays, intercepts):
    """Every array of the state is there, of the shape and type that the others ask for."""
    _need("coef" in arrays and "state.weights" in arrays and "state.slots" in arrays, "arrays")
    coef, weights, slots = (arrays[name] for name in ("coef", "state.weights", "state.slots"))
    _need(coef.ndim in (1, 2) and coef.size > 0 and coef.dtype == np.float64 and _finite(coef), "coef")
    _need(weights.dtype.name in ("float32", "float64") and _finite(weights), "state.weights")
    _need(slots.ndim == 3, "state.slots")
    (m, d), lane = np.atleast_2d(coef).shape, weights.dtype
    _need(len(intercepts) == m and all(map(math.isfinite, intercepts)), "intercept")
    targets = 1 if "classes" in arrays else m
    _need(coef.ndim == 1 or m > 1, "coef")
    for name, size in {"pace": m, "start": m, "centre": targets, "start_loss": targets}.items():
        _need(len(state[name]) == size and all(map(math.isfinite, state[name])), f"state.{name}")
    own = "float32" if arrays.get("state.shift", coef).dtype == np.float32 else "float64"  # the data's type
    averaged = _averaged_from(state, arrays) is not None
    staged = averaged and state["settings"]["average"] is None
    shapes = {
        "weights": ((m, d + 1), lane),
        "slots": ((m, slots.shape[1], d + 1), np.dtype(np.float64) if staged else lane),
        "carry": ((m, 2), "float64"),
        "averages": ((m, (d + 1) * averaged), "float64"),
        "loss_sum": ((m,), "float64"),
        "shift": ((d,), own),
        "inverse_scale": ((d,), own),
        **{
            f"history.{name}": ((state["epoch"], targets) if name in PER_TARGET else (state["epoch"],), "float64")
            for name in RECORDED
        },
    }
    if state["best_epoch"] is not None:
        _need(state["best_epoch"] <= state["epoch"], "state.best_epoch")
        shapes["best"] = (m, d + 1), lane
    if "state.low" in arrays or "state.high" in arrays:
        shapes |= dict.fromkeys(("low", "high"), ((d,), "float64"))
    for name, (shape, dtype) in shapes.items():
        found = arrays.get(f"state.{name}")
        _need(found is not None and found.shape == shape and found.dtype == dtype, f"state.{name}")
    if REPLICATES[0] in arrays or REPLICATES[1] in arrays:
        _replicates(arrays, coef)
    known = {"coef", "classes", *REPLICATES, *(f"state.{name}" for name in shapes)}
    for name in arrays:
        _need(name in known, name)
    for name in ("state.shift", "state.inverse_scale", "state.loss_sum"):
        _need(_finite(arrays[name]), name)
    if "low" in shapes:
        _need(np.all(arrays["state.low"] <= arrays["state.high"]), "state.low")


def _replicates(arrays, coef):
    """Replicates of the shapes of coefficients and intercepts."""
    for name, shape in zip(REPLICATES, (coef.shape, coef.shape[:-1]), strict=True):
        found = arrays.get(name)
        _need(found is not None and found.dtype == np.float64 and found.shape[1:] == shape and _finite(found), name)
        _need(found.ndim == len(shape) + 1 and len(found) == len(arrays[REPLICATES[0]]) > 0, name)


def _coefficients(state, arrays):
    """The coefficients are those that the weights give: what predicts and what goes on is one model."""
    weights, average = arrays["state.weights"], _averaged_from(state, arrays)
    if state["best_epoch"] is not None:
        answer = arrays["state.best"]
    elif average is not None and state["steps"] >= average:
        answer = arrays["state.averages"].astype(weights.dtype)
    else:
        answer = weights
    bounds = (arrays["state.low"], arrays["state.high"]) if "state.low" in arrays else None
    coef, _ = Scaling(arrays["state.shift"], arrays["state.inverse_scale"]).to_user(answer, bounds)
    # Where they overflowed they are all zero.
    _need(np.array_equal(np.atleast_2d(arrays["coef"]), coef) or not arrays["coef"].any(), "coef")


def _averaged_from(state, arrays):
    """The step from which on the answer is a mean, or None; of stages that of the first epoch's end."""
    average, batch = state["settings"]["average"], state["settings"]["batch_size"]
    if average is None and type(batch) is int and "state.averages" in arrays and arrays["state.averages"].size:
        return -(-state["rows"] // batch)
    return average


def _need(condition, name):
    if not condition:
        raise ValueError(name)


def _each(facts, table, place):
    for name, test in table.items():
        _need(name in facts and test(facts[name]), f"{place}{name}")


def _finite(array):
    return bool(np.isfinite(array).all())


def _whole(low, high=COUNT):
    return lambda value: type(value) is int and low <= value <= high


def _real(low=-math.inf, high=math.inf):
    return lambda value: type(value) is float and math.isfinite(value) and low <= value <= high


def _a(kind):
    return lambda value: type(value) is kind


def _or(test, *words):
    return lambda value: any(type(value) is type(word) and value == word for word in words) or test(value)


def _texts(value):
    return type(value) is dict and all(type(text) is str for text in value.values())


def _names(value):
    return type(value) is list and all(type(name) is str for name in value)


def _floats(value):
    return type(value) is list and len(value) > 0 and all(type(item) is float for item in value)


def _part(module):
    """A part's name and fields, such as ``part_facts`` gives and ``part_of`` takes."""

    def test(facts):
        if type(facts) is dict and "stamp" in facts:
            return _own_part(facts)
        try:
            return part_facts(part_of(facts, module, "")) == facts
        except Exception:  # what a constructor says to fields that are not its own is an open list
            return False

    return test


def _own_part(facts):
    fields = facts.get("fields")
    return (
        type(facts.get("name")) is str
        and type(facts["stamp"]) is str
        and type(fields) is dict
        and all(type(value) in (str, float) for value in fields.values())
    )


FACTS = {
    "intercept": _floats,
    "status": _a(str),
    "message": _a(str),
    "choices": _texts,
    "names": _or(_names, None),
    "state": _a(dict),
}
STATE = {
    "epoch": _whole(0),
    "row": _whole(0),
    "steps": _whole(0),
    "retreats": _whole(0),
    "certain_retreats": _whole(0),
    "best_epoch": _or(_whole(1), None),
    "plateau": _or(_floats, None),
    "link": _a(bool),
    "optimizer": _part(optimizers),
    "schedule": _part(schedules),
    "pace": _floats,
    "centre": _floats,
    "start": _floats,
    "start_loss": _floats,
    "rows": _whole(1),
    "stream": _a(bool),
    "passed": _whole(1),
    "words": _texts,
}
SETTINGS = {
    "loss": _part(losses),
    "optimizer": _or(_part(optimizers), "auto"),
    "learning_rate": _or(_part(schedules), "auto"),
    "batch_size": _or(_whole(1, 2**62), "auto", None),
    "alpha": _real(0.0),
    "l1_ratio": _real(0.0, 1.0),
    "fit_intercept": _a(bool),
    "standardize": _or(_a(bool), "auto", "scale"),
    "shuffle": _or(lambda value: False, "block", "full", "replacement", False),
    "validation": _or(_real(0.0, 1.0), "data", None),
    "average": _or(_whole(1, 2**62), None),
    "random_state": _whole(0, 2**62),
    "lazy": _a(bool),
}
