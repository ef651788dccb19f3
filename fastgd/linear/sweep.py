"""``sweep``: many settings of a fit, and their folds, in one pass over the data a group."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..inputs import arguments, arrays
from ..inputs.folds import folds_of
from ..inputs.grid import expand
from ..inputs.options import FitOptions, defaults, names, only_known, reasons, signature_of
from ..results.comparability import COMPARABLE, comparability_of
from ..results.divergence import warn_where_all_diverged
from ..results.progress import print_choices
from ..results.scores import Scores
from ..results.sweep_results import CrossValidation, Results, SweepResult
from ..solvers.compiled import COMPILED
from ..training.loop import train_together
from ..training.monitor import Evaluation
from ..wording import brief
from .auto import Choice, Choices
from .fit import fit_by
from .placed import let_go, placed
from .planning import plan_of
from .report import report
from .scoring import scorer_of, warn_of_unweighted
from .start import given_weights, start_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from .._types import FitResult, Folds, Rows, Scoring

AXES = names(axis=True)
NOT_SWEEP = reasons("not_sweep")


def sweep(
    X: Rows,
    y: ArrayLike | None = None,
    *,
    product: bool = True,
    cv: Folds | None = None,
    groups: ArrayLike | None = None,
    scoring: Scoring | None = None,
    refit: bool | Literal["simplest"] = False,
    keep: Literal["halving"] | Sequence[int] | None = None,
    **options: Any,
) -> SweepResult[FitResult]:
    """Fit a linear model with many settings, all in one pass over the data.

    Every setting, and with ``cv`` every fold of it, is a lane: a step reads the rows once and moves all lanes. What
    changes the passes themselves (the class of the loss, the optimizer or the schedule, the batch size, the seed)
    makes groups, one run after another. A run that has ended costs no more time.

    Parameters
    ----------
    X, y
        As for :func:`fastgd.fit`.
    product : bool, default True
        Every combination of the lists, the last one running fastest; False pairs the lists, which must be as long as
        each other.
    cv : int, iterable of pairs, scikit-learn splitter or None, default None
        Cross-validation: a number of folds, drawn at random by ``random_state`` (of classes, of each); pairs of row
        numbers or masks to train and to test on; or an object with ``split``. Columns are scaled by all rows, so that a
        penalty means the same in every fold. Of a list of seeds the first draws the folds; of a list of losses the
        first says whether they are drawn by class.
    groups : array-like (n,) or None, default None
        For splitters that need groups.
    scoring : str, callable or None, default None
        With ``cv``, what settings are compared by in place of the loss: the name of one of scikit-learn's scorers, or a
        callable ``(estimator, X, y)``, which may take ``sample_weight``; larger is better. A scorer that takes no
        weights, where there are some, is a UserWarning.
    refit : bool or "simplest", default False
        With ``cv``, fit the ``best`` setting (or the ``simplest`` within one standard error of it) on all rows at once;
        else that is done when they are first read.
    keep : "halving", list of int or None, default None
        Drop the worse half of the runs after epochs 1, 2, 4, 8, ... or after the epochs given.
    **options
        Those of :func:`fastgd.fit`, but ``resume`` and ``bootstrap``. ``loss``, ``optimizer``, ``learning_rate``,
        ``batch_size``, ``alpha``, ``l1_ratio``, ``bounds`` (a list of pairs), ``random_state`` and fields of parts, as
        in ``fastgd.optimizers.Momentum(beta=[0.5, 0.9])``, may be lists.

    Returns
    -------
    SweepResult or, with ``cv``, CrossValidation
        ``results``, ``best``, ``losses``, ``status``, ``table()``, ``to_dataframe()``, ``plot()``. Without
        ``validation`` or ``cv`` runs are compared by their training objectives, of which the smallest penalty always
        has the smallest: reading ``best`` warns of that. Runs of different losses have no ``best``, but by a
        ``scoring``.

    Warns
    -----
    fastgd.DivergenceWarning
        Where all runs diverge, or a setting that is fitted again on all rows does.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do.

    Notes
    -----
    A run that diverges keeps its last finite weights, and its message says when. After Ctrl-C the runs that had not
    ended are "interrupted", and nothing is scored or fitted again. A callback's ``run`` says which setting it is called
    for and its ``fold`` which fold; True ends the setting's runs.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> s = fastgd.sweep(X, np.array([1.0, 3.0, 5.0, 7.0]), learning_rate=[1e-4, 0.1, 10.0], epochs=500)
    >>> s.status, s.best.coef.round(2)
    (['max_epochs', 'max_epochs', 'diverged'], array([2.]))
    """
    only_known(sweep, options, NOT_SWEEP)
    return warn_where_all_diverged(sweep_by(COMPILED, X, y, options, product, cv, groups, scoring, refit, keep))


sweep.__signature__ = signature_of(sweep, but=NOT_SWEEP)


def sweep_by(backend, X, y, options, product, cv, groups, scoring, refit, keep):
    """A sweep by a backend: the compiled one, or NumPy."""
    if options.get("start") is not None:
        options = {**options, "start": given_weights(options["start"])}  # read once, not at each point
    X, y, options = placed(X, y, options)
    points, settings = settings_of(options, product)
    scorer, cross = scorer_of(scoring), cv is not None
    check_cross_validation(cross, options, groups, scoring, refit)
    if scorer is not None and options.get("sample_weight") is not None and not scorer.weighted:
        warn_of_unweighted(scoring)
    choices = Choices(backend, single=not cross)
    checked = map(FitOptions.checked, points)
    chosen = [choices.of(X, y, options, start_of(options)) for options in checked]
    held_out = cross or chosen[0].options.validation is not None
    comparability = (
        COMPARABLE if scorer else comparability_of([choice.model.loss for choice in chosen], settings, held_out)
    )
    if refit:
        comparability.check()  # before anything is trained
    folds = None
    if cross:
        table = chosen[0].table
        folds = folds_of(cv, table.X.given(), table.y, table.classes, chosen[0].options.random_state, groups)
    epochs = halvings(keep, chosen)
    plans = grouped(chosen, folds, bool(epochs))
    if chosen[0].options.verbose > 0:
        print_choices(*(chosen[plan.models[0].number].words for plan in plans))
    runs = Runs(chosen, plans, train_together(plans, epochs), folds)
    if runs.any_status("diverged"):
        arrays.finite_columns(chosen[0].table.X, chosen[0].table.names)
    let_go(chosen[0].table.X)
    if not cross:
        return plain_result(runs, settings, comparability)
    return cross_result(runs, settings, comparability, scorer, X, y, refit, lambda k: fit_by(backend, X, y, points[k]))


def check_cross_validation(cross, options, groups, scoring, refit):
    """Raise for arguments that need ``cv``, or that exclude it."""
    arguments.one_of("refit", refit, (False, True, "simplest"))
    for name, given in {"groups": groups, "scoring": scoring, "refit": None if refit is False else refit}.items():
        if given is not None and not cross:
            raise ValueError(f"{name} is for cross-validation: pass cv, for example cv=5.")
    if scoring is not None and options.get("offset") is not None:
        raise ValueError("scoring asks for predictions without an offset: leave out scoring, to compare by the loss.")
    if cross and options.get("validation") is not None:
        raise ValueError("validation and cv both hold rows out: pass one of them.")


def plain_result(runs, settings, comparability):
    """The result of a sweep without folds."""
    objectives = functools.cache(lambda: runs.losses(Evaluation.objective)[:, 0])
    results = Results(len(runs.chosen), lambda k: runs.result(k, 0, float(objectives()[k])))
    held = runs.plans[0].held is not None
    losses = (lambda: runs.losses(Evaluation.selection_loss)[:, 0]) if held else objectives
    in_memory = getattr(runs.chosen[0].table.X, "in_memory", False)
    return SweepResult(results, settings, losses, runs.statuses(0), comparability, in_memory)


def cross_result(runs, settings, comparability, scorer, X, y, refit, fit_setting):
    """The result of a sweep over folds."""
    settings_count, folds = len(runs.chosen), runs.folds
    results = Results(settings_count, lambda k: [runs.result(k, f) for f in range(folds)])
    interrupted = runs.any_status("interrupted")
    if scorer is None:
        held = runs.losses(Evaluation.selection_loss)
    else:
        held = np.full((settings_count, folds), np.nan) if interrupted else runs.scored(scorer, X, y)
    order = [choice.options.alpha for choice in runs.chosen]
    statuses = [list(each) for each in zip(*map(runs.statuses, range(folds)), strict=True)]
    # A diverged run has its last finite weights, whose loss says nothing about the setting.
    scored = scorer is not None
    scores = Scores(np.where(np.array(statuses) == "diverged", np.inf, held), scored)
    found = CrossValidation(
        results, settings, None, statuses, comparability, scores=scores, _order=order, _fitted=fit_setting
    )
    if refit and not interrupted:
        _ = found.simplest if refit == "simplest" else found.best
    return found


def settings_of(options, product):
    """The options of the fit of each point of the grid, and the settings that vary."""
    given = {**defaults(), **options}
    if not isinstance(given["random_state"], (list, tuple, range, np.ndarray)):
        given["random_state"] = arguments.seed(given["random_state"])  # one for all
    axes = sorted(AXES, key=[*options, *AXES].index)  # as the user named them
    grid = expand({name: given[name] for name in axes}, arguments.truth("product", product), pairs=("bounds",))
    # Options that the user did not name keep their defaults, which need no check at each point.
    named = {*options, "random_state"}
    points = [{**options, **{name: value for name, value in point.items() if name in named}} for point in grid.points]
    return points, grid.settings


def grouped(chosen, folds, every_epoch):
    """A plan for each group of choices that one pass can train; the numbers of its models are those of the choices."""
    groups = {}
    for k, choice in enumerate(chosen):
        groups.setdefault(kind(choice), []).append(k)
    plans = []
    for numbers in groups.values():
        models = [replace(chosen[k].model, number=k) for k in numbers]
        if folds is not None:
            models = [model.of_other_rows(fold=f) for model in models for f in range(len(folds.roles))]
        plans.append(plan_of([chosen[k] for k in numbers], models, folds, every_epoch=every_epoch))
    return plans


def kind(choice: Choice):
    """A key that is equal for choices which one pass can train together."""
    options, model = choice.options, choice.model
    parts = [type(model.loss), type(model.optimizer)]
    schedule = model.schedule
    while schedule is not None:
        parts.append(type(schedule))
        schedule = getattr(schedule, "then", None)
    alone = None if choice.solver.many_models else id(choice)
    run = choice.batch, choice.solver, alone, choice.automatic, options.random_state, choice.epochs, choice.tol
    return id(choice.statistics), id(choice.scaling), choice.factors.tobytes(), tuple(parts), *run


def halvings(keep, chosen):
    """The epochs after which the worse half is dropped."""
    last = max(choice.epochs for choice in chosen)
    if keep is None:
        return ()
    if isinstance(keep, str):
        arguments.one_of("keep", keep, ("halving",))
        return tuple(2**k for k in range(30) if 2**k < last)
    try:
        epochs = [arguments.whole("keep", epoch, low=1) for epoch in keep]
    except TypeError:
        raise TypeError(
            f'keep={brief(keep)} must be "halving", a list of epochs such as [2, 5, 10], or None.'
        ) from None
    return tuple(sorted(set(epochs)))


class Runs:
    """The outcomes of all models of a sweep, found by setting and fold (0 where there are none)."""

    def __init__(self, chosen, plans, finished, folds):
        self.chosen, self.plans, self.finished = chosen, plans, finished
        self.roles = None if folds is None else folds.roles
        self.folds = 1 if folds is None else len(folds.roles)
        self.found = {
            (model.number, max(model.fold, 0)): (plan, k, outcome)
            for plan, outcomes in zip(plans, finished, strict=True)
            for k, (model, outcome) in enumerate(zip(plan.models, outcomes, strict=True))
        }

    def any_status(self, status):
        """Whether any run ended so."""
        return any(outcome.status == status for _, _, outcome in self.found.values())

    def statuses(self, fold):
        """How the runs of a fold ended."""
        return [self.found[k, fold][2].status for k in range(len(self.chosen))]

    def result(self, k, fold, objective=None):
        """The result of a setting in a fold."""
        return report(self.chosen[k], *self.found[k, fold], objective)

    def losses(self, measure):
        """The losses (settings, folds) that a method of ``Evaluation`` measures."""
        found = np.empty((len(self.chosen), self.folds))
        for plan, outcomes in zip(self.plans, self.finished, strict=True):
            weights = np.concatenate([outcome.weights for outcome in outcomes]).astype(plan.lanes.weights.dtype)
            losses = measure(Evaluation(plan), plan.lanes, weights).mean(axis=1)
            for model, loss in zip(plan.models, losses, strict=True):
                found[model.number, max(model.fold, 0)] = loss
        return found

    def scored(self, scorer, X, y):
        """Minus the scores (settings, folds) on the rows that the folds hold out, with their weights."""
        found, table = np.empty((len(self.chosen), self.folds)), self.chosen[0].table
        for f, roles in enumerate(self.roles):
            rows = np.flatnonzero(roles < 0)
            weight = table.weight[rows] if table.weight.size else None
            held, target = table.X.take(rows).given(), np.asarray(y).reshape(len(roles), -1)[rows]
            target = target[:, 0] if target.shape[1] == 1 else target
            for k in range(len(self.chosen)):
                found[k, f] = -scorer(self.result(k, f), held, target, weight)
        return found
