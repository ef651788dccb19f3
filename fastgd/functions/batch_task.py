"""What the runs of one call over data have in common, made of what the user passed, and what differs between them."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..inputs import arguments
from ..inputs.nest import nest_of
from ..kernels.notice import notice
from ..parts import optimizers
from ..results.batch_state import BatchState
from ..results.progress import BatchProgress
from ..sources.base import Source
from ..wording import brief
from .batch_data import BatchData
from .batch_functions import BatchFunctions, functions_of
from .batch_options import BatchOptions
from .batch_penalty import Penalty, penalty_of
from .batch_sources import source_data
from .problem import one_gradient
from .run import Limits

CHECKED = 8  # rows that the gradient is compared with differences on


class Setting(NamedTuple):
    """What differs between the runs of a sweep."""

    optimizer: tuple
    schedule: tuple
    seed: int
    alpha: float
    penalty: Penalty


@dataclass
class Task:
    """What the runs of a call have in common."""

    functions: BatchFunctions
    data: BatchData
    held: BatchData | None
    options: BatchOptions
    limits: Limits
    start: np.ndarray  # (size,)
    resumed: BatchState | None = None
    orders: dict = field(default_factory=dict)

    def order_of(self, seed):
        """The order of the rows of a run: of a source, runs of one seed share it, as they share what is read."""
        options = self.options
        if seed not in self.orders or not self.orders[seed].shared:
            self.orders[seed] = self.data.order(options.batch_size or self.data.n, options.shuffle, seed)
        return self.orders[seed]

    def close(self):
        """End the reading of a source."""
        for order in self.orders.values():
            order.close()

    @property
    def values_wanted(self):
        """Whether the values of batches are asked for where they are not free."""
        return self.limits.history or (self.limits.tol is not None and self.held is None)

    def progress(self, run):
        """What a callback is given."""
        value, held, rate, seconds = run.state.records[-1].tolist()
        x = self.functions.nest.of(run.answer())
        return BatchProgress(run.state.epoch, run.state.steps, x, value, held, rate, seconds, run.number)


def task_of(fun, x0, grad, data, given, points, limits, resumed=None):
    """The :class:`Task` of a call, and a :class:`Setting` for each of its points."""
    notice.begin(limits.verbose >= 0)
    given = dict(given)
    grad_name, grad = one_gradient(grad, given.pop("jac"))
    compile, check = (arguments.truth(name, given.pop(name)) for name in ("compile", "check_gradient"))
    if not callable(fun):
        raise TypeError(f"fun={brief(fun)} must be callable.")
    nest, start = nest_of(x0, dtype=data.dtype if isinstance(data, Source) else None)
    functions = functions_of(fun, grad, grad_name, nest, compile)
    for name in ("optimizer", "learning_rate", "alpha", "random_state"):
        arguments.single(name, points[0].get(name, given.get(name)), "fastgd.minimize_sweep")
    if resumed is not None and given["random_state"] is None and resumed.settings.get("random_state", "").isdecimal():
        given["random_state"] = int(resumed.settings["random_state"])
    first = {name: points[0].get(name, given[name]) for name in ("alpha", "random_state")}
    options = BatchOptions.checked(given | first)
    rows = source_data(data) if isinstance(data, Source) else BatchData.checked("data", data, nest.dtype)
    held = None
    if check:
        functions.check_gradient(next(rows.blocks(CHECKED)), start)
    if isinstance(options.validation, float):
        rows, held = rows.split(options.validation, options.random_state)
    elif options.validation is not None:
        held = BatchData.checked("validation", options.validation, nest.dtype)
        if [a.shape[1:] for a in held.like] != [a.shape[1:] for a in rows.like]:
            raise ValueError("validation must hold arrays as data does, but for their rows.")
    settings = [setting_of(point, options, nest) for point in points]
    start = np.clip(start, settings[0].penalty.low, settings[0].penalty.high)  # the bounds are those of all points
    return Task(functions, rows, held, options, limits, start, resumed), settings


def setting_of(point, options, nest):
    """The :class:`Setting` of a point of a grid."""
    alpha = arguments.number("alpha", point.get("alpha", options.alpha), low=0.0)
    return Setting(
        arguments.part("optimizer", point["optimizer"], optimizers),
        arguments.schedule("learning_rate", point["learning_rate"]),
        options.random_state if "random_state" not in point else arguments.seed(point["random_state"]),
        alpha,
        penalty_of(nest, alpha, options.l1_ratio, options.penalty_factor, options.bounds),
    )
