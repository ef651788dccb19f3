"""From choices to a plan: the models of one group, their data and their lanes."""

from dataclasses import fields, replace

import numpy as np

from ..kernels.lanes import Parts, make_lanes
from ..kernels.layouts import frozen
from ..parts import penalties
from ..solvers.plan import Plan, are_many
from ..solvers.problem import Problem

OF_PROBLEM = tuple(field.name for field in fields(Problem))


def plan_of(choices, models=None, folds=None, **more):
    """The plan of choices of one group: for their models or for those given, all with the same classes of parts.

    ``folds`` are those that the models' numbers refer to; ``more`` are fields of :class:`Plan`.
    """
    first = choices[0]
    options, backend = first.options, first.backend
    models = of_one_penalty(models or [choice.model for choice in choices])
    parts = Parts(models[0].loss, models[0].optimizer, models[0].penalty)
    centres = list(dict.fromkeys(tuple(model.centre) for model in models))
    lanes = make_lanes(models, backend.passes.lane_type(first.table.X.dtype), options.average)
    set_targets(lanes, models, centres, len(first.table.y))
    data = with_targets(first, first.statistics.data(first.scaling), first.table, centres)
    if any(model.replicate >= 0 for model in models):
        data = data._replace(seed=options.random_state)
        totals = backend.passes(data, options.n_threads).many().totals(lanes)
        if not totals.all():
            raise ValueError("bootstrap: a replicate draws no row of positive weight: there are too few rows for it.")
        lanes.scale[:] = data.count / totals
    if folds is not None:
        data = data._replace(roles=frozen(folds.roles))
        lanes.scale[:] = (data.count / fold_weights(folds.roles, data.weight))[lanes.fold]
    many = are_many(data, lanes)
    if options.parallel and (first.full or many or not data.rows.sparse):
        raise ValueError(
            "parallel='hogwild' is for one model on batches of sparse rows: leave it out, or pass a SciPy sparse "
            "matrix and batch_size=1."
        )
    plan = Plan(
        **{name: getattr(first, name) for name in OF_PROBLEM},
        data=data,
        parts=parts,
        lanes=lanes,
        models=models,
        solver=first.solver,
        many=many,
        epochs=first.epochs,
        tol=first.tol,
        held=held_data(first, centres),
        **more,
    )
    first.start.fill(plan, first.scaling)
    first.start.check(first, plan)
    return plan


def of_one_penalty(models):
    """The models; where some have a penalty, the others get one of strength 0."""
    kinds = [type(model.penalty) for model in models]
    kind = next((kind for kind in kinds if kind is not penalties.Free), kinds[0])
    return tuple(model if type(model.penalty) is kind else replace(model, penalty=kind()) for model in models)


def set_targets(lanes, models, centres, targets):
    """Which row of the data's targets each lane is trained on."""
    for k, model in enumerate(models):
        width = len(model.start)
        own = 0 if model.loss.joint else model.target + np.arange(width)
        lanes.target[k * width : (k + 1) * width] = centres.index(tuple(model.centre)) * targets + own


def with_targets(choice, data, table, centres):
    """Data with the targets of a table, once for each of the centres, which are subtracted from them."""
    loss, statistics = choice.options.loss, choice.statistics
    rows = [statistics.targets(table, loss, np.array(centre)) for centre in centres]
    classes = len(table.classes) if loss.joint else 1
    stacked = rows[0] if len(rows) == 1 else frozen(np.concatenate(rows))
    return data._replace(targets=stacked, classes=classes, offset=table.offset, factors=choice.factors)


def held_data(choice, centres):
    """The data held out to validate on, or None."""
    statistics = choice.statistics
    held = statistics.held
    if held is None:
        return None
    data = statistics.data(choice.scaling)._replace(rows=held.X, weight=held.weight, count=float(held.X.shape[0]))
    return with_targets(choice, data, held, centres)


def fold_weights(roles, weight):
    """The sums of the weights of the rows that each fold trains on."""
    found = np.empty(len(roles))
    for f, role in enumerate(roles):
        trained = np.maximum(role, 0)
        found[f] = np.sum(trained * weight.astype(np.float64)) if weight.size else trained.sum(dtype=np.float64)
        if found[f] == 0 or (weight.size and not weight[role < 0].any()):
            raise ValueError(f"cv: all rows that split {f} trains on, or that it tests on, have weight zero.")
    return found
