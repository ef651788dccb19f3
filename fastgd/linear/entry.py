"""How a run may begin and end otherwise than ``fit`` has it: what the estimators ask for beside fit's arguments."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Entry:
    """Where a run begins, and who says when it ends."""

    classes: np.ndarray | None = None  # the codes 0, 1, ... where targets of classes are coded already
    scale: bool = True  # whether the row weights are scaled to mean 1
    coef: np.ndarray | None = None  # (lanes, d), the coefficients to begin with, in the user's units
    intercept: np.ndarray | None = None  # (lanes,), the intercepts with them
    averages: tuple | None = None  # coefficients and intercepts so far averaged
    steps: int = 0  # behind this run, from which schedules and averages count on
    apart: bool = False  # each target is a model by itself, which ends by itself
    order: object = None  # order(epoch): the rows of an epoch; with shuffle="full"
    rule: object = None  # rule(choice, model): an object with after_epoch and factor (see Course.obey)

    def models(self, choice):
        """The models of a choice: one, or one for each target."""
        if not self.apart:
            return [choice.model]
        each = ("pace", "centre", "start", "start_loss", "constant_loss", "size", "coef")
        parts = {name: getattr(choice.model, name) for name in each}
        return [
            replace(
                choice.model,
                target=k,
                **{name: part if part is None else part[k : k + 1] for name, part in parts.items()},
            )
            for k in range(len(choice.model.start))
        ]

    def admit(self, choice, plan):
        """The plan of a choice, entered here."""
        if self.averages is not None and plan.lanes.averages.size:
            coef, intercept = choice.scaling.from_user(*self.averages)
            plan.lanes.averages[:] = np.column_stack(
                [coef, intercept - np.concatenate([m.centre for m in plan.models])]
            )
        rule = None if self.rule is None else lambda model: self.rule(choice, model)
        return replace(plan, first=self.steps, rule=rule, order=self.order)


USUAL = Entry()
