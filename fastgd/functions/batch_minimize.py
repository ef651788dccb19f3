"""``minimize`` and its sweep over data: the runs of a user's functions on batches, on all cores."""

import functools
import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..inputs import arguments
from ..inputs.nest import nest_of
from ..kernels.notice import notice
from ..kernels.threads import available_threads, run_tasks
from ..parts import optimizers
from ..parts.registry import brief
from ..results.batch_state import BatchHistory, BatchState
from ..results.messages import MINIMIZE_ADVICE, RAISED_ADVICE
from ..results.minimize_result import MinimizeResult
from ..results.progress import Bar, BatchProgress
from ..sources.base import Source
from .batch_data import BatchData
from .batch_functions import GRADIENT, VALUE, BatchFunctions, frozen, functions_of
from .batch_options import BatchOptions
from .batch_penalty import Penalty, penalty_of
from .batch_run import RISE, BatchRun
from .batch_sources import source_data
from .gradient_check import check_gradient
from .problem import one_gradient
from .run import ZERO, Limits

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
        """The order of the rows of a run: of a source, runs of one seed share it."""
        options = self.options
        if seed not in self.orders or not self.orders[seed].shared:
            self.orders[seed] = self.data.order(options.batch_size or self.data.n, options.shuffle, seed)
        return self.orders[seed]

    @property
    def values_wanted(self):
        """Whether the values of batches are asked for where they are not free."""
        return self.limits.history or (self.limits.tol is not None and self.held is None)

    def state_of(self, run):
        """The state that a run begins with: fresh, or that of the run it goes on with."""
        settings = self.settings_of(run)
        if self.resumed is not None:
            return self.go_on(settings)
        size, dtype = self.start.size + 1, self.functions.nest.dtype
        begun = np.append(self.start, dtype.type(0))
        memory = [] if run.watching is None else list(run.watching.memory)
        return BatchState(
            weights=begun.copy(),
            slots=np.zeros((1, run.optimizer.slots, size), dtype),
            carry=np.ones(2),
            averages=np.zeros(0 if self.options.average is None else size),
            sums=np.zeros(1),
            best=np.zeros(0, dtype),
            start=begun,
            records=np.zeros((0, 4)),
            first=-math.inf,
            plateau=[1.0, *memory],
            settings=settings,
        )

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

    def go_on(self, settings):
        """The state of the run before, checked against this call's settings."""
        for name, value in self.resumed.settings.items():
            if settings.get(name) != value:
                raise ValueError(
                    f"resume: the run had {name}: {value}; this call has {settings.get(name)}. Pass the same."
                )
        return self.resumed.copy()

    def progress(self, run):
        """What a callback is given."""
        value, held, rate, seconds = run.state.records[-1].tolist()
        x = self.functions.nest.of(run.answer())
        return BatchProgress(run.state.epoch, run.state.steps, x, value, held, rate, seconds, run.number)


def minimize_batches(fun, x0, grad, data, given, points, limits, resume=None, kind=BatchRun):
    """The results of runs over batches, one for each of ``points``, dicts of what differs between them.

    ``given`` are the options of runs over data by name, those of ``fun`` and ``grad`` among them; ``kind`` is the class
    of the runs.
    """
    task, settings = task_of(fun, x0, grad, data, given, points, limits, resumed_state(resume))
    runs = [kind(task, setting, k) for k, setting in enumerate(settings)]
    interrupted = drive(runs, limits)
    return finished(runs, interrupted)


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
    first = {name: points[0].get(name, given[name]) for name in ("alpha", "random_state")}
    options = BatchOptions.checked(given | first)
    rows, held = source_data(data) if isinstance(data, Source) else BatchData.checked("data", data, nest.dtype), None
    if check:
        checked_gradient(functions, rows, start)
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


def resumed_state(resume):
    """The state of what ``resume`` is given."""
    if resume is None:
        return None
    state = getattr(resume, "state", resume)
    if not isinstance(state, BatchState):
        raise TypeError(f"resume={type(resume).__name__} must be a result of minimize with data, or its state.")
    return state


def checked_gradient(functions, data, start):
    """Compare the gradient with differences on a few rows."""
    if functions.grad is None:
        return
    arrays = list(map(frozen, next(data.blocks(CHECKED))))

    def value(x):
        with np.errstate(all="ignore"):
            try:
                return functions.call(functions.at(x), arrays, VALUE)
            except ArithmeticError:
                return math.nan

    slopes = np.zeros(start.size, start.dtype)
    with np.errstate(all="ignore"):
        try:
            functions.call(functions.at(start, slopes), arrays, GRADIENT)
        except ArithmeticError:
            return  # the run says so
    name = "the gradient of fun" if functions.grad is True else functions.grad_name
    leaves = [
        (leaf.name.replace("x0", "params", 1), leaf.start, leaf.start + leaf.size) for leaf in functions.nest.leaves
    ]
    check_gradient(name, value, value(start), slopes, start, leaves)


def drive(runs, limits):
    """Take all runs to their ends, a slice of each in turn, on all cores; returns whether Ctrl-C ended them."""
    n_threads = 1 if limits.callback is not None else threads_of(runs)
    bar, seen = Bar(limits.verbose > 0, runs[0].options.epochs, "epoch"), [run.state.epoch for run in runs]
    try:
        while live := [run for run in runs if not run.ended]:
            for here in {id(run.order): run.order for run in live}.values():
                states = [run.state for run in live if run.order is here]
                if all(map(here.waits, states)):
                    here.go_on(states)
            # A callback is asked after each epoch.
            slices = [run.advance if limits.callback is None else run.to_epoch for run in live]
            run_tasks(functools.partial(_call, slices), len(live), n_threads)
            for run in live:
                if limits.callback is not None and run.state.epoch > seen[run.number]:
                    run.ask(limits.callback)
                seen[run.number] = run.state.epoch
            if len(runs[0].state.records):
                bar.update(runs[0].state.epoch, runs[0].state.records[-1][0])
    except KeyboardInterrupt:
        for run in runs:
            run.interrupt()
        return True
    finally:
        bar.close()
        for run in runs:
            run.order.close()
    return False


def _call(functions, k):
    """Call one of some functions."""
    functions[k]()


def threads_of(runs):
    """How many threads runs go on: functions in Python take turns anyway."""
    return 1 if any(run.function is None for run in runs) else available_threads()


def finished(runs, interrupted):
    """The results of runs that have ended."""
    if interrupted:
        return [result_of(run) for run in runs]
    found = [None] * len(runs)

    def work(k):
        found[k] = result_of(runs[k])

    run_tasks(work, len(runs), threads_of(runs))
    return found


def result_of(run):
    """The result of a run: the parameters, what they are worth over all rows, the status and what to do next."""
    task, state, nest = run.task, run.state, run.task.functions.nest
    chosen = [] if not state.best.size else [state.best]
    status, reason = run.verdict
    value, x, slopes = math.nan, state.start[:-1], np.full(nest.size, math.nan)
    for candidate in (*chosen, run.answer(), state.start[:-1]):
        slopes = np.zeros(nest.size)
        value = run.mean(candidate, run.order.data, slopes) + run.penalty.cost(candidate)
        x = candidate
        if math.isfinite(value):
            break
    advice = MINIMIZE_ADVICE[status]
    if status in ("max_epochs", "max_iter", "converged", "early_stopped") and rose(run, value):
        status, reason = "diverged", f"fun rose above its start: it is {value:.6g} after {state.epoch} epochs. {reason}"
    if status == "diverged":
        advice = task.data.not_finite() or (RAISED_ADVICE if run.raised else MINIMIZE_ADVICE["diverged"])
    if chosen:
        reason += f" x is that of epoch {state.best_epoch}, whose validation value was the lowest."
    if status.startswith("max_") and np.isfinite(slopes).all() and run.penalty.free and np.abs(slopes).max() <= ZERO:
        status, reason, advice = (
            "converged",
            f"The gradient is zero to rounding after {state.epoch} epochs.",
            MINIMIZE_ADVICE["converged"],
        )
    message = [reason, advice]
    if task.functions.grad is None:
        message.append(f"Derivatives were central differences, {2 * nest.size} evaluations of fun a step.")
    with np.errstate(all="ignore"):
        jac = nest.of(slopes.astype(nest.dtype))
    history = BatchHistory(*state.records.T.copy())
    return MinimizeResult(nest.of(x), value, jac, state.steps, status, " ".join(message), history, state.epoch, state)


def rose(run, value):
    """Whether the objective at the end lies above the one at the start."""
    state = run.state
    if not math.isfinite(value):
        return True
    if value <= state.first:
        return False  # to know the whole mean at the start would take a pass
    begun = run.mean(state.start[:-1], run.order.data) + run.penalty.cost(state.start[:-1])
    return value > begun + RISE * abs(begun)
