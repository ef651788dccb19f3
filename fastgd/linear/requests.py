"""Fits with what scikit-learn's rules need beyond fit's options; many of them run together where one pass can."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..inputs import arrays
from ..inputs.options import FitOptions
from ..results.progress import print_choices
from ..solvers.compiled import COMPILED
from ..training.loop import train, train_together
from .auto import Choices
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
    names : tuple or None
        The names of the columns.
    rule : callable or None
        ``rule(choice, model)``, a stopping rule with ``after_epoch`` and ``factor`` (see ``ModelRun.apply_rule``).
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
    names: tuple | None = None

    def models(self, choice):
        """The models of a choice: one, or one for each target."""
        return choice.model.single_targets() if self.single_targets else [choice.model]


def fit_request(request):
    """The results of a fit, one for each of its models."""
    choice = choice_of(request, Choices(COMPILED))
    if choice.options.verbose > 0 and not request.start.chunked:
        print_choices(choice.words)
    plan = plan_of_requests({0: (choice, request)})
    return [report(choice, plan, k, outcome) for k, outcome in enumerate(train(plan))]


def fit_chunk(request, r):
    """The result of one more chunk, after the result ``r`` or None."""
    return fit_request(replace(request, options=chunk_options(r, request.options)))[0]


def fit_requests(requests):
    """The results of many fits, run together where one pass can train them.

    For each there is a list of results, one for each of its models, or the exception that its options raise.
    """
    choices, groups, chosen, found = Choices(COMPILED), {}, {}, []
    for number, request in enumerate(requests):
        try:
            choice = choice_of(request, choices)
        except Exception as error:
            found.append(error)
            continue
        shared = *(str(getattr(choice.options, name)) for name in SHARED), request.single_targets, request.rule is None
        alone = request.order is not None and number  # each has an order of its own
        groups.setdefault((kind(choice), *shared, alone), []).append(number)
        chosen[number] = choice, request
        found.append([])
    plans = [plan_of_requests({number: chosen[number] for number in numbers}) for numbers in groups.values()]
    for plan, outcomes in zip(plans, train_together(plans), strict=True):
        for k, (model, outcome) in enumerate(zip(plan.models, outcomes, strict=True)):
            found[model.number].append(report(chosen[model.number][0], plan, k, outcome))
    return found


def choice_of(request, choices):
    """The choice for a request, among ``choices`` that share what they can."""
    choices.rows(request.X, lambda X: arrays.matrix(arrays.checked(X))._replace(names=request.names))
    coding = {"classes": request.classes, "scale": request.scale_weights, "coded": request.classes is not None}
    options = FitOptions.checked(request.options)
    return choices.of(request.X, request.y, options, request.start, request.options, **coding)


def plan_of_requests(chosen):
    """The plan of a group: ``chosen`` are choices and requests by number; all or none of them have a stopping rule."""
    models = [
        replace(model, number=number)
        for number, (choice, request) in chosen.items()
        for model in request.models(choice)
    ]
    choices, first = [choice for choice, _ in chosen.values()], next(iter(chosen.values()))[1]

    def rule(model):
        choice, request = chosen[model.number]
        return request.rule(choice, model)

    return plan_of(choices, models, order=first.order, rule=first.rule and rule)
