"""Fits with what scikit-learn's rules need beyond fit's options; many of them run together where one pass can."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..inputs import arrays
from ..inputs.options import FitOptions
from ..results.progress import print_choices
from ..solvers.compiled import COMPILED
from ..solvers.data_statistics import DataStatistics
from ..training.loop import Group, train, train_together
from .auto import choose
from .partial_fit import chunk_options
from .planning import plan_of
from .report import report
from .start import Fresh
from .sweep import kind

SHARED = ("shuffle", "average", "patience", "standardize", "fit_intercept", "n_threads")  # by the fits of one pass


@dataclass(frozen=True)
class Request:
    """One fit.

    Parameters
    ----------
    X : ndarray (n, d) or CSR
        Sparse rows are in canonical form, their indices checked by the estimator: they are not checked again.
    y : array-like
    options : dict
        Of :func:`fastgd.fit`.
    classes : ndarray or None
        The codes 0, 1, ... where targets of classes are coded already.
    scale_weights : bool
        Whether row weights are scaled to mean 1.
    start : Fresh, Warm, Resumed or Chunk
    single_targets : bool
        Whether each target is a model by itself, which ends by itself.
    order : callable or None
        ``order(epoch)``, the rows of an epoch; with shuffle="full".
    rule : callable or None
        ``rule(choice, model)``, a stopping rule with ``after_epoch`` and ``factor`` (see ``ModelRun.ask_rule``).
    """

    X: object
    y: object
    options: dict
    classes: np.ndarray | None = None
    scale_weights: bool = True
    start: Fresh = field(default_factory=Fresh)
    single_targets: bool = False
    order: object = None
    rule: object = None

    @property
    def rows(self):
        """``X`` as a ``Matrix``."""
        return arrays.matrix(arrays.checked(self.X))

    @property
    def coding(self):
        """How targets and weights become a table."""
        return {"classes": self.classes, "scale": self.scale_weights, "coded": self.classes is not None}

    def choose(self, statistics, options):
        """The choice for the table of ``statistics``."""
        return choose(options, statistics, self.start, COMPILED)

    def models(self, choice):
        """The models of a choice: one, or one for each target."""
        return choice.model.single_targets() if self.single_targets else [choice.model]


def fit_request(request):
    """The results of a fit, one for each of its models."""
    options = FitOptions.checked(request.options)
    table = arrays.table(request.rows, request.y, options.sample_weight, options.loss, **request.coding)
    choice = request.choose(DataStatistics(table, options, COMPILED), options)
    if options.verbose:
        print_choices(choice.words)
    plan = plan_of([choice], request.models(choice), order=request.order, rule=rule_of({0: (choice, request)}))
    return [report(choice, plan, k, outcome) for k, outcome in enumerate(train(plan))]


def fit_chunk(request, r):
    """The result of one more chunk, after the result ``r`` or None."""
    given = chunk_options(r, request.options)
    options, start = FitOptions.checked(given), request.start
    options = start.agree(options, given)
    table = arrays.table(request.rows, request.y, options.sample_weight, options.loss, **request.coding)
    choice = request.choose(DataStatistics(start.same_columns(table), options, COMPILED), options)
    plan = plan_of([choice], order=request.order)
    start.check(choice, plan)
    return report(choice, plan, 0, train(plan)[0])


def fit_requests(requests):
    """The results of many fits, run together where one pass can train them.

    For each there is a list of results, one for each of its models, or the exception that its options raise. Tables are
    the same if their arrays lie at the same place in memory.
    """
    known, groups, chosen, found = {}, {}, {}, []
    for number, request in enumerate(requests):
        try:
            choice = choice_of(request, known)
        except Exception as error:
            found.append(error)
            continue
        shared = *(str(getattr(choice.options, name)) for name in SHARED), request.single_targets, request.rule is None
        alone = request.order is not None and number  # each has an order of its own
        groups.setdefault((kind(choice), *shared, alone), []).append(number)
        chosen[number] = choice, request
        found.append([])
    plans = [plan_of_requests({number: chosen[number] for number in numbers}) for numbers in groups.values()]
    for plan, outcomes in zip(plans, train_together([Group(plan) for plan in plans]), strict=True):
        for k, (model, outcome) in enumerate(zip(plan.models, outcomes, strict=True)):
            found[model.number].append(report(chosen[model.number][0], plan, k, outcome))
    return found


def choice_of(request, known):
    """The choice for a request; tables and their statistics are ``known`` from the requests before."""
    options = FitOptions.checked(request.options)
    loss, classes = options.loss, None if request.classes is None else tuple(request.classes)
    data = tuple(map(place, (request.X, request.y, options.sample_weight)))
    coding = loss.labels, loss.joint, tuple(loss.domain.items()), classes, request.scale_weights
    if data not in known:
        known[data] = request.rows
    if (data, coding) not in known:
        known[data, coding] = arrays.table(known[data], request.y, options.sample_weight, loss, **request.coding)
    key = data, coding, options.fit_intercept, options.n_threads
    if key not in known:
        known[key] = DataStatistics(known[data, coding], options, COMPILED)
    return request.choose(known[key], options)


def plan_of_requests(chosen):
    """The plan of a group: ``chosen`` are choices and requests by number."""
    models = [
        replace(model, number=number)
        for number, (choice, request) in chosen.items()
        for model in request.models(choice)
    ]
    choices, first = [choice for choice, _ in chosen.values()], next(iter(chosen.values()))[1]
    return plan_of(choices, models, order=first.order, rule=rule_of(chosen))


def rule_of(chosen):
    """The stopping rule of a model, among choices and requests by number; None where they have none."""
    if all(request.rule is None for _, request in chosen.values()):
        return None

    def rule(model):
        choice, request = chosen[model.number]
        return request.rule(choice, model)

    return rule


def place(array):
    """Where an array lies in memory: the same for each view of the same numbers."""
    if not isinstance(array, np.ndarray):
        return id(array)
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str
