"""From the outcome of a run to its result, in the units of the columns."""

from dataclasses import replace

import numpy as np

from ..inputs import arrays
from ..inputs.options import names
from ..inputs.part_serialization import part_to_dict
from ..results import messages
from ..results.bootstrap import Replicates
from ..results.fit_result import FitResult
from ..results.history import History
from ..results.messages import Verdict
from ..results.moments import Moments
from ..results.state import RunState
from ..solvers.batches import order_of
from ..training.backoff import FACTOR
from .auto import listed
from .dependent_columns import dependent_columns
from .kept_options import described
from .separation import separated

SHOWN = names(shown=True)


def report(choice, plan, number, outcome, objective=None):
    """The result of one model of a finished plan; ``objective`` is its exact value where that is known."""
    table, model = choice.table, plan.models[number]
    unknown = plan.options.evaluate and not np.isfinite(outcome.history["objective"][-1:]).all()
    if unknown or outcome.status == "diverged":
        arrays.finite_columns(table.X, table.names)
    coef, intercept = user_weights(choice, model, outcome.weights)
    if not np.isfinite(coef).all() or not np.isfinite(intercept).all():
        # Finite weights of the scaled columns may overflow in the user's units.
        outcome = replace(outcome, verdict=Verdict("diverged", messages.OVERFLOW))
        coef, intercept = np.zeros_like(coef), np.zeros_like(intercept) + model.centre
    words = dict(choice.words)
    if outcome.backoffs:
        times = "once" if outcome.backoffs == 1 else f"{outcome.backoffs} times"
        before = words.get("learning_rate", "set by the solver")
        words["learning_rate"] = (
            f"{before}; the loss rose above its start {times}, so the run restarted with "
            f"{FACTOR**outcome.backoffs:g} of this rate"
        )
    dependent = np.flatnonzero(dependent_columns(choice, outcome))
    if dependent.size:
        words["dependent_columns"] = listed(dependent, choice, "depend on others")
    message = f"{outcome.verdict.reason} {advice(plan, outcome.verdict)}".rstrip()
    if (found := separated(choice, plan, model, outcome)) is not None:
        words["separation"] = found
        message = message if found in message else f"{message} {found}"
    return result_of(choice, plan, model, outcome, (coef, intercept), words, message, objective)


def kept(choice, plan, outcome):
    """The result of a run that still goes on, without what needs a look at the rows."""
    model = plan.models[0]
    weights = user_weights(choice, model, outcome.weights)
    return result_of(choice, plan, model, outcome, weights, dict(choice.words), outcome.verdict.reason)


def result_of(choice, plan, model, outcome, weights, words, message, objective=None):
    """The result with coefficients and intercepts in the user's units."""
    table, (coef, intercept) = choice.table, weights
    state = state_of(choice, plan, model, outcome)
    one = len(coef) == 1
    return FitResult(
        coef=coef[0] if one else coef,
        intercept=float(intercept[0]) if one else intercept,
        loss=float(outcome.objective if objective is None else objective),
        status=outcome.status,
        message=message,
        n_epochs=state.epoch,
        n_steps=state.steps,
        best_epoch=state.best_epoch,
        choices=words,
        history=History.of(state),
        classes=table.classes,
        feature_names=table.names,
        state=state,
    )


def user_weights(choice, model, weights):
    """Coefficients (targets, d) and intercepts (targets,) in the user's units."""
    with np.errstate(all="ignore"):
        coef, intercept = choice.scaling.to_user(weights, choice.bounds)
        return coef, intercept + model.centre


def advice(plan, verdict):
    """What to do next: as the verdict says, or by its status."""
    if verdict.advice is not None:
        return verdict.advice
    if plan.start.chunked and verdict.status == "max_epochs":
        return messages.NEXT_CHUNK
    automatic = plan.automatic and plan.options.standardize is not False
    return messages.TOO_LARGE if verdict.status == "diverged" and automatic else messages.ADVICE[verdict.status]


def state_of(choice, plan, model, outcome):
    """The state from which the run can go on."""
    low, high = choice.bounds or (None, None)
    parts = {"loss": model.loss, "optimizer": model.optimizer, "schedule": model.schedule}
    if choice.options.learning_rate != "auto":
        parts["learning_rate"] = choice.options.learning_rate
    kept = described(choice.options)
    optimizer = model.optimizer and part_to_dict(model.optimizer)
    schedule = model.schedule and part_to_dict(model.schedule)
    return RunState(
        options=kept,
        resolved=resolved_options(kept, choice, plan, optimizer, schedule),
        choices=choice.words,
        link=model.loss.link != "identity" and not model.loss.labels,
        optimizer=optimizer,
        schedule=schedule,
        rate_multiplier=model.rate_multiplier.tolist(),
        centre=model.centre.tolist(),
        start=model.start.tolist(),
        start_loss=model.constant_loss.tolist(),
        rows=int(plan.data.count),
        rows_seen=choice.start.rows_seen(choice.n),
        chunked=plan.start.chunked,
        offset=choice.options.offset is not None,
        source=order_of(plan),
        **vars(outcome.clock),
        backoffs=outcome.backoffs,
        confirmed_backoffs=outcome.confirmed_backoffs,
        best_epoch=outcome.best and outcome.best[0],
        plateau=outcome.plateau,
        **choice.scaling._asdict(),
        low=low,
        high=high,
        penalty_factor=choice.penalty_factor,
        best=outcome.best and outcome.best[1],
        moments=moments_of(choice, model, outcome),
        history=outcome.history,
        solver=outcome.solver_state,
        parts={name: part for name, part in parts.items() if part is not None},
        finite=outcome.verdict.finite,
    )


def moments_of(choice, model, outcome):
    """What later chunks of a stream take over; of a fit, what is known at its end without a pass."""
    start = choice.start
    if start.chunked:
        # A chunk that led to infinite numbers is left out.
        return choice.moments if outcome.verdict.finite or start.behind is None else start.behind
    mean, variance = choice.statistics.column_moments() if choice.scaled else np.zeros((2, 0))
    count = len(model.centre)
    constants = np.zeros(count) if model.loss.joint else model.start + model.centre
    with np.errstate(over="ignore"):
        means = np.nan_to_num(np.asarray(model.loss.mean(constants), np.float64))
    unknown = np.zeros(count)
    rows = float(choice.n)
    return Moments(rows, 0.0, rows * bool(choice.scaled), mean, variance, 0.0, 0.0, unknown, means, unknown)


def resolved_options(kept, choice, plan, optimizer, schedule):
    """What the options became, as plain values: ``FitResult.options``."""
    options = choice.options
    found = kept | {
        "solver": plan.solver.name,
        "optimizer": "newton" if plan.solver.newton else optimizer,
        "learning_rate": schedule,
        "batch_size": min(plan.batch, choice.n) if not plan.start.chunked else plan.batch,
        "standardize": choice.standardize,
        "epochs": choice.epochs,
        "tol": choice.tol,
    }
    return found | {name: getattr(options, name) for name in SHOWN}


def with_replicates(result, choice, outcomes):
    """The result with the coefficients of its bootstrap replicates."""
    sound = [outcome for outcome in outcomes if outcome.status != "diverged"]
    stopped = sum(outcome.status == "interrupted" for outcome in outcomes)
    if len(sound) < 2 or all(outcome.clock.steps == 0 for outcome in sound):
        hint = "" if choice.automatic else "; lower learning_rate"
        words = "no replicates: " + ("they were interrupted" if stopped else f"they diverged{hint}")
        return replace(result, choices={**result.choices, "bootstrap": words})
    found = [user_weights(choice, choice.model, outcome.weights) for outcome in sound]
    shape = np.shape(result.intercept)
    coef = np.array([coef for coef, _ in found]).reshape(len(found), *result.coef.shape)
    intercept = np.array([intercept for _, intercept in found]).reshape(len(found), *shape)
    lost = len(outcomes) - len(sound)
    words = f"{len(outcomes)} replicates" + (f", {lost} of which diverged and are left out" if lost else "")
    words += f", {stopped} of which were interrupted: their spread is not yet the model's" if stopped else ""
    return replace(result, replicates=Replicates(coef, intercept), choices={**result.choices, "bootstrap": words})
