"""Fits of one table that begin and end as their entries say, run together where one pass can train them."""

from dataclasses import replace

import numpy as np

from ..inputs import arrays
from ..inputs.settings import Settings
from ..linear.auto import choose, plan_of
from ..linear.fit import report
from ..linear.sweep import kind
from ..solvers.data_statistics import Survey
from ..solvers.passes import Passes
from ..training.loop import Group, finish

APART = ("X", "y", "sample_weight", "bounds", "resume")  # which settings do not hold
SHARED = ("shuffle", "average", "patience", "standardize", "fit_intercept", "n_threads")  # besides ``kind``


class Together:
    """Fits to be run: each is added, which raises what is wrong with it, and then all are run.

    Tables are told apart by their arrays, which have to stay as they are meanwhile.
    """

    def __init__(self):
        self.surveys, self.groups, self.asked = {}, {}, []

    def add(self, given, entry):
        """Ask for a fit, by its arguments; the number that its results will have."""
        settings, number = Settings.checked(**{k: v for k, v in given.items() if k not in APART}), len(self.asked)
        survey = self.survey(settings, entry, **{name: given[name] for name in ("X", "y", "sample_weight")})
        choice = choose(survey, settings, given["bounds"], alone=True, entry=entry)
        alone = entry.order is not None and number  # each has an order of its own
        key = kind(choice), entry.apart, entry.rule is None, alone, *(str(getattr(settings, name)) for name in SHARED)
        self.groups.setdefault(key, []).append(number)
        self.asked.append((choice, entry))
        return number

    def survey(self, settings, entry, X, y, sample_weight):
        """What is known of a table, which fits share."""
        loss, classes = settings.loss, entry.classes
        coded = None if classes is None else tuple(classes)
        kinds = loss.labels, loss.joint, tuple(loss.domain.items()), coded, entry.scale
        key = *map(place, (X, y, sample_weight)), *kinds, settings.fit_intercept, settings.n_threads
        if key not in self.surveys:
            table = arrays.table(X, y, sample_weight, loss, classes, entry.scale, classes is not None)
            self.surveys[key] = (X, y, sample_weight), Survey(table, settings, Passes)
        return self.surveys[key][1]

    def run(self):
        """The results of each fit, a list of one for each of its models."""
        found = [[] for _ in self.asked]
        plans = [self.plan(numbers) for numbers in self.groups.values()]
        for plan, outcomes in zip(plans, finish([Group(plan) for plan in plans]), strict=True):
            for k, (model, outcome) in enumerate(zip(plan.models, outcomes, strict=True)):
                found[model.number].append(report(self.asked[model.number][0], plan, k, outcome))
        return found

    def plan(self, numbers):
        """The plan of the fits of a group."""
        asked = [self.asked[k] for k in numbers]
        pairs = zip(numbers, asked, strict=True)
        models = [replace(model, number=k) for k, (choice, entry) in pairs for model in entry.models(choice)]
        first, entry = asked[0]
        plan = entry.admit(first, plan_of([choice for choice, _ in asked], models))
        return plan if entry.rule is None else replace(plan, rule=self.rule)

    def rule(self, model):
        """The rule of one of the models."""
        choice, entry = self.asked[model.number]
        return entry.rule(choice, model)


def place(array):
    """Where an array lies in memory: the same for each view of the same numbers."""
    if not isinstance(array, np.ndarray):
        return id(array)
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str
