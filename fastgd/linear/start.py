"""Where a run starts: fresh, at given weights, or where another run stopped. Those of chunks: ``chunks.py``."""

import os
from typing import NamedTuple

import numpy as np

from ..inputs import arrays
from ..inputs.part_serialization import part_of_run, part_to_dict
from ..inputs.scaling import Scaling
from ..parts import optimizers, schedules
from ..results.fit_result import FitResult
from ..results.loading import load
from ..solvers.batches import order_of
from .kept_options import KEPT, bounds_shown, described, shown


class Targets(NamedTuple):
    """What a run starts with, for each target."""

    constants: np.ndarray  # (lanes,), the constant scores of the start
    centre: np.ndarray  # (targets,), subtracted from the targets
    start: np.ndarray  # (lanes,), the intercepts
    constant_loss: np.ndarray  # (targets,), the objective of the constants; for chunks over all rows so far
    start_loss: np.ndarray  # (targets,), the objective at the start; infinite where only a pass can tell
    coef: np.ndarray | None  # (lanes, d), the scaled coefficients; None for zeros


class Fresh:
    """A run that starts at the best constants, measured on the data; the other starts are subclasses."""

    chunked = False  # whether the data come in chunks
    past = None  # the RunState of the run to go on with
    first_step = 0  # steps behind this run
    argument = "resume"  # the argument that error messages name
    not_staged = None  # the reason why staged SGD does not suit, if any

    # Options and data -------------------------------------------------------------------------------------------------

    def agree(self, options, given):
        """The options, where they agree with the run's; ``given`` are those that the user named."""
        return options

    def same_columns(self, table):
        """The table, where its columns and labels are the run's."""
        return table

    def words(self):
        """The choices that are settled before the data are measured."""
        return {}

    def batch(self, options, n, words):
        """Rows a step."""
        if options.batch_size == "auto":
            words["batch_size"] = f"all {n} rows a step (full batch)"
        return n if options.batch_size in ("auto", "full") else min(options.batch_size, n)

    def is_full(self, options, batch, n):
        """Whether a step takes all rows."""
        return batch == n

    # What is measured -------------------------------------------------------------------------------------------------

    def scaling(self, statistics, standardize):
        """The scaling of the columns."""
        return statistics.scaling(standardize)

    def moments(self, problem, scaling, scaled):
        """The moments of all chunks so far, or None."""
        return

    def targets(self, problem, scaling):
        """Constant scores and intercepts to start with."""
        options, statistics, table = problem.options, problem.statistics, problem.table
        outputs = len(table.classes) if options.loss.joint else len(table.y)
        measured = problem.automatic and options.fit_intercept
        constants = statistics.constants(options.loss) if measured else np.zeros(outputs)
        # If the loss depends on the residual alone, the constant is subtracted from the target: float32 keeps digits.
        centred = options.loss.residual_only
        centre = constants if centred else np.zeros(len(table.y))
        start = constants - centre if centred else constants
        loss = statistics.constant_loss(options.loss, constants)
        return self.move(Targets(constants, centre, start, loss, loss, None), scaling)

    def move(self, targets, scaling):
        """The targets of a run that does not start at constants."""
        return targets

    def rows_seen(self, n):
        """The rows of all chunks so far."""
        return n + (self.past.rows_seen if self.chunked and self.past else 0)

    def optimizer(self, options):
        """The optimizer of the run that goes on, or None."""
        return

    def schedule(self, options):
        """The schedule of the run that goes on and its multiplier in each lane, or None."""
        return

    def check_schedule(self, schedule):
        """Raise where a schedule has no meaning."""

    def epochs(self, epochs):
        """How many epochs the run has at most, those behind it included."""
        return epochs

    # A run ------------------------------------------------------------------------------------------------------------

    def fill(self, plan, scaling):
        """Set what the lanes of the plan start with besides weights."""

    def enter(self, loop):
        """Set a loop to the state of the run, if there is one."""

    def check(self, choice, plan):
        """Raise where data or choices do not fit the run."""


class Warm(Fresh):
    """A fresh run that starts at given weights, in the units of the columns.

    Parameters
    ----------
    coef : ndarray (lanes, d)
    intercept : ndarray (lanes,)
    averages : pair of two such arrays or None
        The averaged weights so far.
    steps : int
        Steps done before; schedules and averages go on counting from there.
    """

    not_staged = "start is given"

    def __init__(self, coef, intercept, averages=None, steps=0):
        self.coef, self.intercept, self.averages, self.first_step = coef, intercept, averages, steps

    def move(self, targets, scaling):
        """The weights given, scaled."""
        if self.coef.shape != (len(targets.start), scaling.shift.size):
            raise ValueError(
                f"start has coefficients of shape {self.coef.shape}; {(len(targets.start), scaling.shift.size)} is "
                "needed: one row for each target or class, one column for each column of X."
            )
        coef, start = scaling.from_user(self.coef, self.intercept - targets.centre)
        return targets._replace(coef=coef, start=start)

    def fill(self, plan, scaling):
        """The averages so far, and the weights of optimizers that keep those before a step."""
        optimizer = plan.parts.optimizer
        for k, power in enumerate(optimizer.slot_powers if optimizer else ()):
            if power == "weight":
                plan.lanes.slots[:, k] = plan.lanes.weights
        if self.averages is not None and plan.lanes.averages.size:
            coef, intercept = scaling.from_user(*self.averages)
            centre = np.concatenate([model.centre for model in plan.models])
            plan.lanes.averages[:] = np.column_stack([coef, intercept - centre])


class Resumed(Fresh):
    """A run that goes on where another stopped, with the same numbers as a run that never stopped."""

    def __init__(self, run, argument="resume"):
        self.run, self.past, self.argument = run, run.state, argument

    def agree(self, options, given):
        """The options, with the run's seed where none is given; one error names all options that differ."""
        before = self.past.options
        if not isinstance(given.get("random_state"), (int, np.integer)):
            options = options.replace(random_state=before["random_state"])
        if (options.offset is not None) != self.past.offset:
            has = "an offset" if self.past.offset else "no offset"
            raise ValueError(f"{self.argument}: the run was started with {has}. Pass the same kind of data.")
        now = described(options)
        changed = [name for name in KEPT if now[name] != before[name]]
        if changed:
            words = ", ".join(f"{name}={shown(before[name])}, not {shown(now[name])}" for name in changed)
            raise ValueError(
                f"{self.argument}: the run was started with {words}. Pass the same, or start a new run without "
                f"{self.argument}."
            )
        return options

    def same_columns(self, table):
        """The table with the run's column names if it has none."""
        argument, run, past = self.argument, self.run, self.past
        d = table.X.shape[1]
        if d != past.shift.size:
            raise ValueError(f"{argument}: X has {d} columns, but the run was on {past.shift.size}: pass these.")
        if table.X.sparse and past.shift.any():
            raise ValueError(f"{argument}: the run was on dense columns that were centred: pass X.toarray().")
        if table.X.dtype != past.shift.dtype:
            raise ValueError(f"{argument}: X is {table.X.dtype}, but the run was on {past.shift.dtype}: convert X.")
        if len(table.y) != len(past.centre):
            raise ValueError(
                f"{argument}: y has {len(table.y)} targets, but the run was on {len(past.centre)}: pass these."
            )
        if table.names and run.feature_names and table.names != run.feature_names:
            raise ValueError(
                f"{argument}: X has the columns {table.names}, but the run was on {run.feature_names}: pass these, in "
                "this order."
            )
        if table.classes is not None and table.classes.tolist() != run.classes.tolist():
            now, then = arrays.shown(table.classes), arrays.shown(run.classes)
            raise ValueError(f"{argument}: y holds the classes {now}, but the run was on {then}: pass these.")
        return table._replace(names=table.names or run.feature_names)

    def words(self):
        """The run's choices, without those that may change."""
        return {name: words for name, words in self.past.choices.items() if name not in ("epochs", "tol")}

    def scaling_and_whether(self, problem):
        """The run's scaling of the columns, and whether there is one."""
        dtype = problem.table.X.dtype
        scaling = Scaling(self.past.shift.astype(dtype), self.past.inverse_scale.astype(dtype))
        return scaling, bool((scaling.inverse_scale != 1).any())

    def targets(self, problem, scaling):
        """The run's constants."""
        past = self.past
        centre, start, loss = (np.array(numbers) for numbers in (past.centre, past.start, past.start_loss))
        constants = start + (centre if problem.options.loss.residual_only else 0.0)
        return Targets(constants, centre, start, loss, loss, None)

    def optimizer(self, options):
        """The run's, where it was chosen."""
        if options.optimizer != "auto":
            return None
        return part_of_run(self.past, "optimizer", optimizers)

    def schedule(self, options):
        """The run's, where it was chosen."""
        if options.learning_rate != "auto":
            return None
        return part_of_run(self.past, "schedule", schedules), np.array(self.past.rate_multiplier)

    def enter(self, loop):
        """Set a loop to the state of the run, or to the restart that a longer run would have made instead."""
        past = self.past
        self.check_state(loop.running.state)
        if past.confirmed_backoffs == past.backoffs == loop.backoff.count:
            loop.go_on(past)

    def check(self, choice, plan):
        """Raise where data or choices do not fit the run."""
        past, argument = self.past, self.argument
        if plan.data.count != past.rows and not self.chunked:
            raise ValueError(
                f"{argument}: X has {int(plan.data.count)} rows to train on, but the run was on {past.rows}: "
                "pass these, or the weights as start for a new run."
            )
        before, now = (one or "rows in memory" for one in (past.source, order_of(plan)))
        if before != now and not self.chunked:
            raise ValueError(
                f"{argument}: batches took the rows in the order of {before}, and now would in that of {now}: pass the "
                "same source, or the weights as start for a new run."
            )
        schedule = choice.model.schedule and part_to_dict(choice.model.schedule)
        if schedule != past.schedule:
            raise ValueError(
                f"{argument}: the schedule's durations follow the run's length: they were {shown(past.schedule)} in "
                f"steps, and would be {shown(schedule)} now. Give them in epochs, or the same epochs as before."
            )
        now, before = choice.bounds or (None, None), (past.low, past.high)
        if not all(map(np.array_equal, now, before)):
            before, now = (bounds_shown(*bounds) for bounds in (before, now))
            raise ValueError(f"{argument}: the run was started with bounds={before}, not {now}: pass the same.")
        now, before = choice.penalty_factor, past.penalty_factor
        if not np.array_equal(now, before):
            before, now = (None if one is None else f"[{arrays.shown(one)}]" for one in (before, now))
            raise ValueError(f"{argument}: the run was started with penalty_factor={before}, not {now}: pass the same.")
        batches = -(-int(plan.data.count) // plan.batch)
        if not self.chunked and (past.row % plan.batch or not 0 <= past.row < batches * plan.batch):
            raise ValueError(
                f"{argument}: the run stopped at row {past.row} of an epoch, which no batch of {plan.batch} of the "
                f"{int(plan.data.count)} rows begins with: pass the same data and batch_size."
            )

    def check_state(self, here):
        """Raise where the state's arrays differ in type or shape from the solver's: kernels do not check them."""
        past, argument = self.past.solver, self.argument
        if not (isinstance(here, type(past)) or isinstance(past, type(here))):
            raise ValueError(f"{argument}: the state is a {type(past).__name__}; a {type(here).__name__} is needed.")
        for name, needed in vars(here).items():
            saved = getattr(past, name, needed)  # one class may have fields of its own, which start afresh
            if (needed.shape, needed.dtype) != (saved.shape, saved.dtype):
                kinds = f"{saved.dtype} of shape {saved.shape}; {needed.dtype} of shape {needed.shape}"
                raise ValueError(f"{argument}: the state's {name} are {kinds} is needed.")


# What the user passes ---------------------------------------------------------------------------------------------


def start_of(options):
    """The start of a fit with these options."""
    if options.resume is not None:
        if options.start is not None:
            raise ValueError("start and resume both say where the run starts: pass one of them.")
        return Resumed(run_of(options.resume, "resume"), "resume")
    return Fresh() if options.start is None else Warm(*given_weights(options.start))


def given_weights(start):
    """Coefficients (lanes, d) and intercepts (lanes,) of a result, or of a pair of them."""
    if isinstance(start, (str, os.PathLike)):
        start = load(start)
    if isinstance(start, FitResult):
        start = start.coef, start.intercept
    if not isinstance(start, (tuple, list)) or len(start) != 2:
        raise TypeError(
            f"start must be a result of fit, the path of a saved one, or (coef, intercept), got {type(start).__name__}."
        )
    coef, intercept = (arrays.as_float("start", one).astype(np.float64) for one in start)
    if coef.ndim > 2 or intercept.ndim > 1 or intercept.size not in (1, len(np.atleast_2d(coef))):
        raise ValueError(f"start: coef has shape {coef.shape} and intercept {intercept.shape}; (d,) and a number, or "
                         "(m, d) and (m,) are needed.")  # fmt: skip
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise ValueError("start holds NaN or infinity: pass finite coefficients.")
    coef = np.atleast_2d(coef)
    return coef, np.broadcast_to(np.atleast_1d(intercept), len(coef)).copy()


def run_of(given, argument, chunked=False):
    """The result that an argument stands for: None, a result, or the path of a saved one."""
    if given is None:
        return None
    if not isinstance(given, (FitResult, str, os.PathLike)):
        raise TypeError(f"{argument} must be a result of fit or the path of a saved one, got {type(given).__name__}.")
    result = given if isinstance(given, FitResult) else load(given)
    if result.state is None:
        raise ValueError(f"{argument}: this result holds no state to go on from: pass one of fit or partial_fit.")
    if result.state.chunked != chunked:
        here, there = ("partial_fit", "fit") if chunked else ("fit", "partial_fit")
        raise ValueError(
            f"{argument} is a result of {there}, which {here} can't go on with: pass one of {here}, or start a new run "
            f"without {argument}."
        )
    return result
