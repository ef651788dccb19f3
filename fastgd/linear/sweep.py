"""``sweep``: many settings of a fit, and their folds, in one pass over the data a group."""

import functools
import inspect
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..inputs import checks
from ..inputs.folds import Scores, folds_of
from ..inputs.grid import expand
from ..inputs.settings import Settings
from ..parts.registry import brief
from ..results.sweep_results import CrossValidation, Results, SweepResult
from ..solvers.data_statistics import Survey
from ..solvers.passes import Passes
from ..solvers.plan import Plan
from ..training.loop import Group, finish
from ..training.monitor import Watch
from .auto import Choice, choose, plan_of
from .entry import USUAL
from .fit import fit, report
from .scoring import scorer_of

DEFAULTS = {name: p.default for name, p in inspect.signature(fit).parameters.items() if p.default is not p.empty}
SHARED = ("shuffle", "average", "patience", "standardize", "fit_intercept", "n_threads")  # by the fits of one pass
AXES = ("loss", "optimizer", "learning_rate", "batch_size", "alpha", "l1_ratio", "bounds", "random_state")
ELSEWHERE = {"resume": "resume one of its results with fit", "bootstrap": "bootstrap one of its settings with fit"}


def sweep(X, y, *, product=True, cv=None, groups=None, scoring=None, refit=False, keep=None, **options):
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
        For splitters that ask for groups.
    scoring : str, callable or None, default None
        With ``cv``, what settings are compared by in place of the loss: the name of one of scikit-learn's scorers, or a
        callable ``(estimator, X, y)``; larger is better.
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
        ``validation`` or ``cv`` runs are compared by their training objectives: of different losses or penalties these
        say little.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do.

    Notes
    -----
    A run that diverges keeps its last finite weights, and its message says when. After Ctrl-C the runs that had not
    ended are "interrupted", and nothing is scored or fitted again. A callback's ``run`` says which setting it is called
    for and its ``fold`` which fold; a true answer ends the setting's runs.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> s = fastgd.sweep(X, np.array([1.0, 3.0, 5.0, 7.0]), learning_rate=[1e-4, 0.1, 10.0], epochs=500)
    >>> s.status, s.best.coef.round(2)
    (['slow', 'slow', 'diverged'], array([2.]))
    """
    return swept(X, y, product, cv, groups, scoring, refit, keep, options)


def swept(X, y, product, cv, groups, scoring, refit, keep, options, work=None, measure=Passes, fit=fit):
    """A sweep by the kernels, or by the reference's ``work`` and ``measure``."""
    points, settings = settings_of(options, product)
    scorer = scorer_of(scoring)
    cross = cv is not None
    checks.one_of("refit", refit, (False, True, "simplest"))
    for name, given in {"groups": groups, "scoring": scoring, "refit": None if refit is False else refit}.items():
        if given is not None and not cross:
            raise ValueError(f"{name} is for cross-validation: pass cv, for example cv=5.")
    if cross and options.get("validation") is not None:
        raise ValueError("validation and cv both hold rows out: pass one of them.")
    choices = Choices(X, y, measure, alone=not cross)
    chosen = [choices.of(point) for point in points]
    folds = None
    if cross:
        table = chosen[0].table
        folds = folds_of(cv, table.X.given(), table.y, table.classes, chosen[0].settings.random_state, groups)
    members = grouped(chosen, folds, halvings(keep, chosen))
    finished = finish([Group(member.plan, work, measure) for member in members])
    runs = Runs(chosen, members, finished, folds, measure)
    if any(outcome.status == "diverged" for outcomes in finished for outcome in outcomes):
        checks.finite_columns(chosen[0].table.X, chosen[0].table.names)
    if not cross:
        objectives = functools.cache(lambda: runs.losses(Watch.objective)[:, 0])
        results = Results(len(chosen), lambda k: runs.result(k, 0, objective=lambda: float(objectives()[k])))
        losses = objectives if members[0].plan.held is None else lambda: runs.losses(Watch.compared)[:, 0]
        return SweepResult(results, settings, losses, runs.statuses(0))

    def fitted(k):
        return fit(X, y, **points[k])

    count = len(folds.roles)
    results = Results(len(chosen), lambda k: [runs.result(k, f) for f in range(count)])
    interrupted = any(outcome.status == "interrupted" for outcomes in finished for outcome in outcomes)
    if scorer is None:
        held = runs.losses(Watch.compared)
    else:
        held = np.full((len(chosen), count), np.nan) if interrupted else runs.scored(scorer, X, y)
    order = [choice.settings.alpha for choice in chosen]
    statuses = [[runs.outcome(k, f).status for f in range(count)] for k in range(len(chosen))]
    # A run that diverged has its last finite weights, whose loss says nothing of the setting.
    scores = Scores(np.where(np.array(statuses) == "diverged", np.inf, held))
    found = CrossValidation(results, settings, None, statuses, scores, order, fitted)
    if refit and not interrupted:
        _ = found.simplest if refit == "simplest" else found.best
    return found


def settings_of(options, product):
    """The arguments of the fit of each point of the grid, and the settings that vary."""
    for name in options:
        if name in ELSEWHERE:
            raise TypeError(f"sweep() has no option {name}: {ELSEWHERE[name]}.")
        if name not in DEFAULTS:
            raise TypeError(f"sweep() got an unexpected option {name!r}.")
    given = {name: value for name, value in DEFAULTS.items() if name not in ELSEWHERE} | options
    if not isinstance(given["random_state"], (list, tuple, range, np.ndarray)):
        given["random_state"] = checks.seed(given["random_state"])  # one for all
    axes = sorted(AXES, key=[*options, *AXES].index)  # as the user named them
    grid = expand({name: given[name] for name in axes}, checks.truth("product", product), pairs=("bounds",))
    return [{**given, **point} for point in grid.points], grid.settings


class Choices:
    """The choices for points of a grid on one table; what they share is asked once."""

    def __init__(self, X, y, measure, alone):
        self.X, self.y, self.measure, self.alone = X, y, measure, alone
        self.tables, self.surveys = {}, {}

    def of(self, point, entry=USUAL):
        """The choice for a point: the arguments of a fit but ``X`` and ``y``; it begins as ``entry`` says."""
        point = dict(point)
        weight, bounds = point.pop("sample_weight"), point.pop("bounds")
        settings, coded = Settings.checked(**point), entry.classes is not None
        loss, classes = settings.loss, tuple(entry.classes) if coded else None
        key = loss.labels, loss.joint, tuple(loss.domain.items()), classes, entry.scale
        if key not in self.tables:
            found = checks.table(self.X, self.y, weight, loss, entry.classes, entry.scale, coded)
            # The rows themselves are checked and made canonical once.
            first = next((table for (*_, scale), table in self.tables.items() if scale == entry.scale), found)
            self.tables[key] = found._replace(X=first.X, weight=first.weight)
        # Rows are held out by the seed; all else a survey answers is asked with the settings.
        held = None if settings.validation is None else (settings.random_state, key)
        known = key, held, settings.fit_intercept, settings.n_threads
        if known not in self.surveys:
            self.surveys[known] = Survey(self.tables[key], settings, self.measure)
        return choose(self.surveys[known], settings, bounds, alone=self.alone, entry=entry)


class Member(NamedTuple):
    """A group: its plan, and the number of the setting behind each ``folds`` of its models."""

    plan: Plan
    settings: list


def grouped(chosen, folds, keep):
    """The groups of choices that one pass can train."""
    groups = {}
    for k, choice in enumerate(chosen):
        groups.setdefault(kind(choice), []).append(k)
    members = []
    for numbers in groups.values():
        models = [replace(chosen[k].model, number=k) for k in numbers]
        if folds is not None:
            models = [
                replace(model, fold=f, start_loss=np.full(len(model.start_loss), np.inf))
                for model in models
                for f in range(len(folds.roles))
            ]
        plan = plan_of([chosen[k] for k in numbers], models, folds)
        members.append(Member(replace(plan, keep=keep), numbers))
    return members


def kind(choice: Choice):
    """What choices of one group have in common."""
    settings, model = choice.settings, choice.model
    schedules, schedule = [], model.schedule
    while schedule is not None:
        schedules.append(type(schedule))
        schedule = getattr(schedule, "then", None)
    parts = type(model.loss), type(model.optimizer), *schedules
    alone = choice.method == "stages" and id(choice)  # stages are of one lane
    run = choice.batch, choice.method, alone, choice.automatic, settings.random_state, choice.epochs, choice.tol
    return id(choice.survey), parts, *run, *(str(getattr(settings, name)) for name in SHARED)


def halvings(keep, chosen):
    """The epochs after which the worse half is dropped."""
    last = max(choice.epochs for choice in chosen)
    if keep is None:
        return ()
    if isinstance(keep, str):
        checks.one_of("keep", keep, ("halving",))
        return tuple(2**k for k in range(30) if 2**k < last)
    try:
        epochs = [checks.whole("keep", epoch, low=1) for epoch in keep]
    except TypeError:
        raise TypeError(
            f'keep={brief(keep)} must be "halving", a list of epochs such as [2, 5, 10], or None.'
        ) from None
    return tuple(sorted(set(epochs)))


class Runs:
    """The outcomes of all models of a sweep, found by setting and fold."""

    def __init__(self, chosen, members, finished, folds, measure):
        self.chosen, self.members, self.finished, self.measure = chosen, members, finished, measure
        self.folds = 1 if folds is None else len(folds.roles)
        self.roles = None if folds is None else folds.roles
        self.place = {k: (g, i) for g, member in enumerate(members) for i, k in enumerate(member.settings)}

    def outcome(self, k, fold):
        """How the run of a setting in a fold ended."""
        group, position = self.place[k]
        return self.finished[group][position * self.folds + fold]

    def statuses(self, fold):
        return [self.outcome(k, fold).status for k in range(len(self.chosen))]

    def result(self, k, fold, objective=None):
        """The result of a setting in a fold."""
        group, position = self.place[k]
        number = position * self.folds + fold
        plan = self.members[group].plan
        return report(self.chosen[k], plan, number, self.finished[group][number], self.measure, objective)

    def losses(self, measure):
        """What a method of ``Watch`` measures, (settings, folds)."""
        found = np.empty((len(self.chosen), self.folds))
        for member, outcomes in zip(self.members, self.finished, strict=True):
            watch, lanes = final(member.plan, outcomes, self.measure)
            found[member.settings] = measure(watch, lanes, 0).mean(axis=1).reshape(-1, self.folds)
        return found

    def scored(self, scorer, X, y):
        """Minus the scores (settings, folds) on what the folds hold out."""
        found = np.empty((len(self.chosen), self.folds))
        for f, roles in enumerate(self.roles):
            rows = np.flatnonzero(roles < 0)
            table = self.chosen[0].table
            held, target = table.X.take(rows).given(), np.asarray(y).reshape(len(roles), -1)[rows]
            target = target[:, 0] if target.shape[1] == 1 else target
            for k in range(len(self.chosen)):
                found[k, f] = -scorer(self.result(k, f), held, target)
        return found


def final(plan, outcomes, measure):
    """What looks at a plan's data, and its lanes with the weights that runs gave back."""
    weights = np.concatenate([outcome.weights for outcome in outcomes]).astype(plan.lanes.weights.dtype)
    lanes = plan.lanes._replace(weights=weights, averages=np.empty((len(weights), 0)))
    return Watch(replace(plan, verbose=0), measure), lanes


def fit_all(requests):
    """The results of many fits, run together where one pass can train them.

    ``requests`` are pairs of the arguments of a fit, by name, and the ``Entry`` that it begins with. For each there is
    a list of results, one for each of its models, or the exception that its arguments raise. Tables are told apart by
    where their arrays lie in memory.
    """
    tables, groups, chosen, found = {}, {}, {}, []
    for number, (given, entry) in enumerate(requests):
        given = {name: value for name, value in given.items() if name != "resume"}
        X, y, weight = given.pop("X"), given.pop("y"), given["sample_weight"]
        choices = tables.setdefault(tuple(map(place, (X, y, weight))), Choices(X, y, Passes, alone=True))
        try:
            choice = choices.of(given, entry)
        except Exception as error:
            found.append(error)
            continue
        alone = entry.order is not None and number  # each has an order of its own
        groups.setdefault((kind(choice), entry.apart, entry.rule is None, alone), []).append(number)
        chosen[number] = choice, entry
        found.append([])
    plans = [entered_plan(numbers, chosen) for numbers in groups.values()]
    for plan, outcomes in zip(plans, finish([Group(plan) for plan in plans]), strict=True):
        for k, (model, outcome) in enumerate(zip(plan.models, outcomes, strict=True)):
            found[model.number].append(report(chosen[model.number][0], plan, k, outcome))
    return found


def entered_plan(numbers, chosen):
    """The plan of the fits of these numbers, whose choices and entries are ``chosen``."""
    asked = [(number, *chosen[number]) for number in numbers]
    models = [replace(model, number=number) for number, choice, entry in asked for model in entry.models(choice)]
    _, first, entry = asked[0]
    plan = entry.admit(first, plan_of([choice for _, choice, _ in asked], models))
    if entry.rule is None:
        return plan

    def rule(model):
        choice, entry = chosen[model.number]
        return entry.rule(choice, model)

    return replace(plan, rule=rule)


def place(array):
    """Where an array lies in memory: the same for each view of the same numbers."""
    if not isinstance(array, np.ndarray):
        return id(array)
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str
