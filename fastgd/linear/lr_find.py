"""``lr_find``: the learning-rate range test."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..functions.batch_options import BATCH_DEFAULTS
from ..functions.batch_range import FunctionSteps
from ..functions.batch_run import BatchRun
from ..functions.batch_task import task_of
from ..functions.minimize import OF_FUNCTIONS
from ..functions.run import Limits
from ..inputs import arrays
from ..inputs.options import FitOptions, only_known, reasons, signature_of
from ..parts.registry import unknown_option
from ..results.progress import Bar
from ..results.state import Clock
from ..solvers.compiled import COMPILED
from ..training.range_test import Hints, RangeTest, checked_span, found, range_test
from .auto import Choices
from .placed import let_go, placed
from .planning import plan_of
from .start import Fresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from .._types import Gradient, LrFind, Parameters, Rows

NOT_RANGE = reasons("not_range")
FEW_ROWS = 1000  # by which sizes of columns are told
UNEVEN = 1e3  # how far sizes of columns lie apart that are worth a word
HINTS_OF_FUNCTIONS = Hints(
    none="Look at the data and fun, or choose another x0.",
    flat="else x0 may be a minimum, the gradient be wrong, or alpha be too large.",
    early="choose another x0, or rescale the data.",
    next="Pass learning_rate=f.suggestion() to fastgd.minimize, with the same options.",
)
FUNCTION_OPTIONS = {
    name: default
    for name, default in {**BATCH_DEFAULTS, **OF_FUNCTIONS, "optimizer": "sgd", "verbose": 0, "data": None}.items()
    if name not in NOT_RANGE
}


class Steps:
    """One batch after another of a plan, at rates that grow: the only class here that works with plans and solvers."""

    def __init__(self, plan, growth):
        self.plan, self.growth = replace(plan, epochs=2**62), growth
        self.solver = plan.solver.bind(self.plan)
        self.clock = Clock()
        n = int(plan.data.count)
        # Of an epoch: draws with replacement are all of the full size.
        self.rows = -(-n // plan.batch) * plan.batch if plan.options.shuffle == "replacement" else n
        self.rewind()

    def rewind(self):
        """Back to the first weights, but not to the first batch."""
        self.state = self.solver.init()

    def rates(self, first, count):
        """The rates (count, lanes) of the coming steps."""
        grown = self.growth.rate(np.arange(first + 1.0, first + 1.0 + count))
        return np.repeat(grown[:, None], self.plan.width, axis=1)

    def next(self):
        """The mean loss of the next batch before its step, and whether it and the weights after it are finite."""
        clock = self.clock
        clock.loss_sum, row, epoch = 0.0, clock.row, clock.epoch
        with np.errstate(all="ignore"):
            records = self.solver.advance(self.plan.lanes, self.state, self.rates, clock, 1)
            if self.plan.full:
                loss = np.sum(records.loss)
            elif clock.epoch == epoch:
                loss = np.sum(clock.loss_sum) / (clock.row - row)
            else:  # a record is the mean over the epoch, in which this batch alone was counted
                loss = np.sum(records.loss) * self.rows / (self.rows - row)
        loss = float(loss) / len(self.plan.models[0].centre)  # of several targets the mean
        finite = not records.broken.any() and np.isfinite(loss) and np.isfinite(self.state.weights).all()
        return loss, bool(finite)


def lr_find(
    X: Rows | Callable[..., Any],
    y: ArrayLike | Parameters | None = None,
    grad: Gradient | None = None,
    *,
    start: float | Literal["auto"] = "auto",
    stop: float | Literal["auto"] = "auto",
    num: int = 100,
    **fit_options: Any,
) -> LrFind:
    """Find a learning rate by the range test: steps at rates that grow from tiny to too large (Smith 2017).

    Step k = 0, 1, ... is taken on the next batch at the rate ``start * (stop / start)**(k / num)``. The loss falls once
    the rates begin to matter and blows up where they are too large; rules read a rate off that curve. Four are
    fastai's: "valley" (about the middle of the longest descent), "slide", "minimum" and "steep". On batches they are
    for schedules whose rate falls in the end, such as ``fastgd.schedules.OneCycle(f.suggestion("valley"))``, and too
    high to be kept. "constant", the default, is a share of "valley" that may be: all of it on the full batch, a tenth
    on batches of 32, a thirtieth on single rows. "slide" and "steep" depend on the scale of the loss and are unreliable
    for targets in the thousands.

    The rate is for ``fit(X, y, learning_rate=f.suggestion(), ...)`` with the same options, so the test reads the data
    as that fit does: as a full batch unless ``batch_size`` is given, raw columns unless ``standardize=True``, with
    "sgd" unless another ``optimizer`` is named. (``fit`` with its own ``learning_rate="auto"`` needs none of this.)

    A function of your own takes the test as ``lr_find(fun, x0, grad, data=(X, y), batch_size=32)``: the arguments of
    :func:`fastgd.minimize`, but those that are not about single steps.

    Parameters
    ----------
    X : array-like (n, d), or callable
    y : array-like (n,), or the start ``x0`` of a function
        As for :func:`fastgd.fit`; of a function, as for :func:`fastgd.minimize`.
    grad : callable, True or None
        As for :func:`fastgd.minimize`; of a function alone.
    start, stop : "auto" or float, default "auto"
        The first rate, and the one that the step after the last would have. "auto" tests from 1e-7 to 10, moves that
        range up or down by powers of ten until it holds both the decrease and the divergence of the loss, and then
        tests from a hundredth to ten times the rate of the least loss (raw columns in the millions need 1e-13).
    num : int, default 100
        Steps of a test, at least 10. Where they are more than an epoch has, the next one begins. "auto" takes some
        times as many. Batches of one or a few rows need more, say 1000: a hundred rows may look much like each other.
    **fit_options
        Of a function: ``data`` and the options of :func:`fastgd.minimize` but ``learning_rate``, ``epochs``,
        ``validation``, ``patience``, ``average``, ``max_iter``, ``tol``, ``history``, ``callback`` and ``resume``. Else
        any option of :func:`fastgd.fit` but ``learning_rate``, ``epochs``, ``max_steps``, ``tol``, ``patience``,
        ``validation``, ``evaluate``, ``callback``, ``average``, ``bootstrap``, ``start`` and ``resume``.

    Returns
    -------
    LrFind
        ``learning_rates``, ``losses``, ``suggestion(rule)``, ``suggestions``, ``status``, ``message``, ``plot()``.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do. A curve off which no rule can read a rate is no error: its
        ``status`` and ``message`` say so.

    Notes
    -----
    On batches the losses are smoothed, ``s = 0.98 * s + 0.02 * loss`` over ``1 - 0.98**(k + 1)``. The full batch has no
    noise, and smoothing would only lag behind: its losses are the objective itself. A test ends where the loss is above
    4 times its least (unless it is so without learning too, by noise), or no longer finite. The rules leave out the
    first ``num // 10`` and the last 5 points, as fastai's do. Ctrl-C is raised.

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", 2017. fastai, ``callback/schedule.py``.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd
    >>> X = np.random.default_rng(0).standard_normal((200, 3))
    >>> y = X @ [1.0, -2.0, 3.0] + 4
    >>> f = fastgd.lr_find(X, y)
    >>> f.status
    'found'
    >>> r = fastgd.fit(X, y, learning_rate=f.suggestion())
    >>> r.coef.round(2)
    array([ 1., -2.,  3.])
    """
    if callable(X):
        return lr_find_of_function(X, y, grad, start, stop, num, fit_options)
    no_gradient(grad)
    only_known(lr_find, fit_options, NOT_RANGE)
    return lr_find_by(COMPILED, X, y, start, stop, num, fit_options)


lr_find.__signature__ = signature_of(lr_find, but=NOT_RANGE)


def no_gradient(grad):
    """Raise for a gradient of what is no function."""
    if grad is not None:
        raise TypeError("grad is for lr_find(fun, x0, grad, data=...), whose first argument is a function.")


def lr_find_of_function(fun, x0, grad, start, stop, num, given, kind=BatchRun):
    """The result of a test of a user's function over data; ``kind`` is the class of its runs."""
    start, stop, num = checked_span(start, stop, num)
    only_known(lr_find, [name for name in given if name in NOT_RANGE], NOT_RANGE)
    for name in given:
        if name not in FUNCTION_OPTIONS:
            raise unknown_option("lr_find", name, FUNCTION_OPTIONS)
    values = {**BATCH_DEFAULTS, **FUNCTION_OPTIONS, **given}
    optimizer, verbose, data = (values.pop(name) for name in ("optimizer", "verbose", "data"))
    if data is None:
        raise ValueError("lr_find of a function needs the data that its batches are drawn from: pass data=(X, y).")
    limits = Limits.checked(None, None, True, None, verbose)
    point = {"optimizer": optimizer, "learning_rate": 1.0}
    task, (setting,) = task_of(fun, x0, grad, data, values, [point], limits)
    bar, batch = Bar(limits.verbose > 0, None, "step"), task.options.batch_size
    batch = None if batch is None or batch >= task.data.n else batch
    try:
        test = RangeTest(functools.partial(FunctionSteps, kind, task, setting), batch, task.start.dtype, num, bar)
        if not np.isfinite(test.baseline).all():
            raise ValueError(
                task.data.not_finite()
                or "fun or its gradient is infinite or NaN at x0: choose an x0 where they are finite, or correct them."
            )
        curve, low, high = range_test(test, start, stop, num)
    finally:
        bar.close()
        task.close()
    return found(test, curve, low, high, num, HINTS_OF_FUNCTIONS)


def lr_find_by(backend, X, y, start, stop, num, fit_options):
    """The result of a test by a backend: the compiled one, or NumPy."""
    start, stop, num = checked_span(start, stop, num)
    X, y, fit_options = placed(X, y, fit_options)
    options = FitOptions.checked({**fit_options, "learning_rate": 1.0, "epochs": num})
    if options.optimizer == "newton":
        raise ValueError('optimizer="newton" has no learning rate to look for: leave it out, or pass another one.')
    choice = Choices(backend, shared=False).of(X, y, options, Fresh())
    plan = plan_of([choice])
    bar = Bar(options.verbose > 0, None, "step")
    batch = None if plan.full else plan.batch
    test = RangeTest(functools.partial(Steps, plan), batch, plan.lanes.weights.dtype, num, bar)
    if not np.isfinite(test.baseline).all():
        arrays.finite_columns(choice.table.X, choice.table.names)
    try:
        curve, low, high = range_test(test, start, stop, num)
    finally:
        bar.close()
    if curve.diverged:
        arrays.finite_columns(choice.table.X, choice.table.names)
    warned = words_of_sizes(choice) if curve.fell else ""
    let_go(choice.table.X)
    result = found(test, curve, low, high, num)
    return replace(result, message=f"{result.message} {warned}".strip())


def words_of_sizes(choice):
    """What to do where columns have sizes so different that no one rate suits them."""
    X = choice.table.X
    if choice.scaled or not X.in_memory or X.sparse:
        return ""
    some = X.values[:: max(1, len(X.values) // FEW_ROWS)].astype(np.float64)
    sizes = np.abs(some).mean(axis=0)  # in NumPy: to compile the sums of all rows took a tenth of a first call
    sizes = sizes[sizes > 0]
    if sizes.size < 2 or sizes.max() < UNEVEN * sizes.min():
        return ""
    ratio = sizes.max() / sizes.min()
    return f"Columns differ in size by a factor of {ratio:.0e}: standardize=True, here and in fit, is for such data."
