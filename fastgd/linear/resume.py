"""Going on with a run: what of its settings a state holds, and whether those given now agree with it."""

import os
from dataclasses import replace

import numpy as np

from ..inputs import checks
from ..inputs.part_serialization import part_at, part_facts
from ..parts import losses, optimizers, schedules
from ..results.fit_result import FitResult
from ..results.saving import load
from ..results.state import LOADED

# What may not change while a run is interrupted, and the modules of the parts among it.
PARTS = {"loss": losses, "optimizer": optimizers, "learning_rate": schedules}
KEPT = (
    *PARTS,
    "batch_size",
    "alpha",
    "l1_ratio",
    "fit_intercept",
    "standardize",
    "shuffle",
    "validation",
    "average",
    "lazy",
    "random_state",
)


def described(settings):
    """The settings of a run as facts: what a file can hold, and what is compared when it goes on."""
    facts = {name: getattr(settings, name) for name in KEPT}
    facts |= {name: part_facts(facts[name]) for name in PARTS if facts[name] != "auto"}
    if isinstance(settings.validation, tuple):
        facts["validation"] = "data"
    return facts


def result_from(given, argument, stream=False):
    """The result that an argument stands for: None, a result, or the path of a saved one; ``stream``: of chunks."""
    if given is None:
        return None
    result = given if isinstance(given, FitResult) else _loaded(given, argument)
    if result.state is None:
        raise ValueError(f"{argument}: this result holds no state to go on from: pass one of fit or partial_fit.")
    if result.state.facts["stream"] != stream:
        here, there = ("partial_fit", "fit") if stream else ("fit", "partial_fit")
        raise ValueError(
            f"{argument} is a result of {there}, which {here} can't go on with: pass one of {here}, or begin anew "
            f"without {argument}."
        )
    return result


def _loaded(given, argument):
    if not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"{argument} must be a result of fit or the path of a saved one, got {type(given).__name__}.")
    return load(given)


def settings_before(past, options):
    """The arguments that the run ``past`` was begun with; a user's own parts come from ``options`` after a restart."""
    facts = past.facts["settings"]
    return {
        name: part_at(past, name, PARTS[name]) if isinstance(fact, dict) and name not in options else fact
        for name, fact in ((name, facts[name]) for name in KEPT)
    }


def same_columns(table, run, argument="resume"):
    """The table, where its columns and labels are those of the result ``run``; with its names if it has none."""
    d, shift = table.X.shape[1], run.state.arrays["shift"]
    if d != shift.size:
        raise ValueError(f"{argument}: X has {d} columns, but the run was on {shift.size}.")
    if table.X.sparse and shift.any():
        raise ValueError(f"{argument}: the run was on dense columns that were centred: pass X.toarray().")
    if table.X.dtype != shift.dtype:
        raise ValueError(f"{argument}: X is {table.X.dtype}, but the run was on {shift.dtype}: convert X.")
    if len(table.y) != len(run.state.facts["centre"]):
        then = len(run.state.facts["centre"])
        raise ValueError(f"{argument}: y has {len(table.y)} targets, but the run was on {then}.")
    if table.names and run.feature_names and table.names != run.feature_names:
        raise ValueError(f"{argument}: X has the columns {table.names}, but the run was on {run.feature_names}.")
    if table.classes is not None and table.classes.tolist() != run.classes.tolist():
        now, then = checks.shown(table.classes), checks.shown(run.classes)
        raise ValueError(f"{argument}: y holds the classes {now}, but the run was on {then}.")
    return table._replace(names=table.names or run.feature_names)


def agreed(settings, given, past, argument="resume"):
    """The settings of the run ``past``, where those given agree with it; else one error that names all that do not."""
    before = past.facts["settings"]
    if not isinstance(given["random_state"], (int, np.integer)):
        settings = replace(settings, random_state=before["random_state"])
    now = described(settings)
    changed = [name for name in KEPT if now[name] != before[name]]
    if changed:
        words = ", ".join(f"{name}={_shown(before[name])}, not {_shown(now[name])}" for name in changed)
        raise ValueError(
            f"{argument}: the run was begun with {words}. Pass the same, or begin anew without {argument}."
        )
    return settings


def _shown(fact):
    if not isinstance(fact, dict):
        return repr(fact)
    fields = ", ".join(f"{name}={_shown(value)}" for name, value in fact["fields"].items() if value != "")
    return f"{fact['name']}({fields})"


def facts_and_arrays(choice, plan):
    """What of a choice, a model of ``plan``, has to go on with the run, besides where it stands."""
    model, scaling = choice.model, choice.scaling
    facts = {
        "settings": described(choice.settings),
        "link": model.loss.link != "identity",
        "optimizer": part_facts(model.optimizer),
        "schedule": part_facts(model.schedule),
        "pace": model.pace.tolist(),
        "centre": model.centre.tolist(),
        "start": model.start.tolist(),
        "start_loss": model.constant_loss.tolist(),
        "rows": int(plan.data.count),
        "stream": plan.stream,
        "passed": choice.passed,
        "words": choice.words,
    }
    arrays = {"shift": scaling.shift, "inverse_scale": scaling.inverse_scale}
    if choice.bounds is not None:
        arrays |= {"low": choice.bounds[0], "high": choice.bounds[1]}
    parts = {"loss": model.loss, "optimizer": model.optimizer, "schedule": model.schedule}
    if choice.settings.learning_rate != "auto":
        parts["learning_rate"] = choice.settings.learning_rate
    return facts, arrays, parts


def check(choice, plan, past, argument="resume"):
    """Raise where the data or what was chosen does not fit the state: its arrays go into kernels unchecked."""
    for name in LOADED:
        lanes, saved = getattr(plan.lanes, name), past.arrays[name]
        if (lanes.shape, lanes.dtype) != (saved.shape, saved.dtype):
            kinds = f"{saved.dtype} of shape {saved.shape}; {lanes.dtype} of shape {lanes.shape}"
            raise ValueError(f"{argument}: the state's {name} are {kinds} is needed.")
    facts, arrays, _ = facts_and_arrays(choice, plan)
    if not plan.stream and facts["rows"] != past.facts["rows"]:
        raise ValueError(
            f"{argument}: X has {facts['rows']} rows to train on, but the run was on {past.facts['rows']}."
        )
    if facts["schedule"] != past.facts["schedule"]:
        before, now = _shown(past.facts["schedule"]), _shown(facts["schedule"])
        raise ValueError(
            f"{argument}: the schedule's durations follow the run's length: they were {before} in steps, and would be "
            f"{now} now. Give them in epochs, or the same epochs as before."
        )
    for name in {"low", "high"} & {*arrays, *past.arrays}:
        if not np.array_equal(arrays.get(name), past.arrays.get(name)):
            raise ValueError(f"{argument}: bounds ({name}) are not those that the run was begun with.")
    row, batches = past.facts["row"], -(-plan.data.count // plan.batch)
    if not plan.stream and (row % plan.batch or not 0 <= row < batches * plan.batch):
        raise ValueError(f"{argument}: the state's position, row {row} of an epoch, lies beyond the data.")
