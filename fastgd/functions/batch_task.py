"""What the runs of one call over data have in common, made of what the user passed, and what differs between them."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..inputs import arguments
from ..inputs.nest import nest_of
from ..kernels.notice import notice
from ..parts import optimizers
from ..parts.registry import brief
from ..results import npz
from ..results.batch_state import BatchState
from ..results.progress import BatchProgress
from ..sources.base import Source
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

    def state_of(self, run):
        """The state that a run begins with: fresh, or that of the run it goes on with."""
        settings = self.settings_of(run)
        size, dtype = self.start.size + 1, self.functions.nest.dtype
        begun = np.append(self.start, dtype.type(0))
        memory = [] if run.watching is None else list(run.watching.memory)
        fresh = BatchState(
            weights=begun.copy(),
            slots=np.zeros((1, run.optimizer.slots, size), dtype),
            carry=np.ones(2),
            averages=np.zeros(0 if self.options.average is None else size),
            sums=np.zeros(1),
            best=np.zeros(0, dtype),
            start=begun,
            records=np.zeros((0, 4)),
            plateau=[1.0, *memory],
            settings=settings,
        )
        return fresh if self.resumed is None else self.go_on(fresh, run.order.positions)

    def settings_of(self, run):
        """What a run that goes on must have the same, in words."""
        options, setting, nest = self.options, run.setting, self.functions.nest
        places = [f"{leaf.name} {'number' if leaf.number else leaf.shape}" for leaf in nest.leaves]
        return {
            "x0": f"{', '.join(places)} of {nest.dtype}",
            "validation": "None" if self.held is None else f"{self.held.n} rows",
            "data": run.order.words,
            "optimizer": repr(setting.optimizer),
            "learning_rate": repr(run.schedule) + (", its durations in steps" if setting.schedule.durations else ""),
            "batch_size": str(run.order.batch),
            "shuffle": str(options.shuffle),
            "random_state": str(setting.seed),
            "alpha": repr(setting.alpha),
            "l1_ratio": repr(options.l1_ratio),
            **setting.penalty.settings,
            "average": str(options.average),
            "clip_norm": str(options.clip_norm),
        }

    def go_on(self, fresh, positions):
        """The state of the run before, checked against this call's settings and the state it would begin with."""
        state = self.resumed
        for name, value in fresh.settings.items():
            if state.settings.get(name) != value:
                period = " (a schedule that is to go on beyond its run needs a period)" if "period" in value else ""
                raise ValueError(
                    f"resume: the run had {name}: {state.settings.get(name)}; this call has {value}. Pass the same"
                    f"{period}."
                )
        # Kernels go by these: what contradicts the rest would have them read and write elsewhere.
        sizes = {"records": (len(state.records), 4), "best": (len(state.best) and self.start.size,)}
        for name, array in vars(fresh).items():
            if isinstance(array, np.ndarray):
                there, shape = getattr(state, name), sizes.get(name, array.shape)
                if not isinstance(there, np.ndarray) or (there.dtype, there.shape) != (array.dtype, shape):
                    raise ValueError(f"resume: its {name!r} must be {array.dtype} of shape {shape}. {npz.REMEDY}")
        whole = (state.steps, state.epoch, state.position)
        if min(whole) < 0 or state.position >= positions or len(state.plateau) != len(fresh.plateau):
            raise ValueError(f"resume: its place in the epoch contradicts the data. {npz.REMEDY}")
        return state.copy()

    def progress(self, run):
        """What a callback is given."""
        value, held, rate, seconds = run.state.records[-1].tolist()
        x = self.functions.nest.of(run.answer())
        return BatchProgress(run.state.epoch, run.state.steps, x, value, held, rate, seconds, run.number)


def task_of(fun, x0, grad, data, given, points, limits, resumed=None):
    """The :class:`Task` of a call, and a :class:`Setting` for each of its points."""
    notice.wanted = limits.verbose >= 0
    given = dict(given)
    grad_name, grad = one_gradient(grad, given.pop("jac"))
    compile, check = (arguments.truth(name, given.pop(name)) for name in ("compile", "check_gradient"))
    if not callable(fun):
        raise TypeError(f"fun={brief(fun)} must be callable.")
    nest, start = nest_of(x0, dtype=data.dtype if isinstance(data, Source) else None)
    functions = functions_of(fun, grad, grad_name, nest, compile)
    for name in ("optimizer", "learning_rate", "alpha", "random_state"):
        arguments.single(name, points[0].get(name, given.get(name)), "fastgd.minimize_sweep")
    if resumed is not None and given["random_state"] is None and resumed.settings.get("random_state", "").isdigit():
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
