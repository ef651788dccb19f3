"""``minimize``: gradient descent on a user's own function, in Python or, on compiled functions, in one kernel."""

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from . import checks, optimizers, schedules
from .functions import Problem, explained, unless_arithmetic
from .progress import Bar
from .results import MinimizeHistory, MinimizeResult

ZERO = 1e-8  # a gradient of this size, times max(1, that of the start), is zero to rounding
RISE = 1e-12  # how far, relatively, fun may lie above its start by rounding
SLICE_SECONDS = 0.02
FIRST_SLICE = 64
HISTORY_NUMBERS = 1 << 22  # that a history first has room for: 32 MB, which cost nothing until they are written
RATES = 1024  # steps whose rates the Python loop asks for at once
HINT_SECONDS, HINT_STEPS = 0.5, 1000

ADVICE = {
    "converged": "Nothing needs doing.",
    "max_iter": "If fun was still falling, give more iterations or a larger learning_rate.",
    "early_stopped": "x is where it stood then.",
    "diverged": "Lower learning_rate: a tenth is a good next try.",
    "interrupted": "Pass x as x0 to go on.",
}


def minimize(
    fun,
    x0,
    grad=None,
    optimizer="sgd",
    learning_rate=0.1,
    max_iter=100,
    tol=None,
    history=True,
    compile=False,
    callback=None,
    verbose=0,
):
    r"""Minimise a function by gradient descent.

    Parameters
    ----------
    fun : callable
        Of a float where ``x0`` is a number, else of a float64 array (d,); returns one real number. Functions made by
        ``numba.njit`` run compiled, where ``grad`` is one too or None; plain functions run in Python.
    x0 : float or array-like (d,)
        The start; finite.
    grad : callable or None, default None
        The gradient: a number, or d numbers in an array or any sequence. None takes central differences of step
        ``cbrt(eps) * max(1, |x_j|)``, 2d evaluations of ``fun`` an iteration.
    optimizer : str or part, default "sgd"
        "sgd", "momentum", "adam", or e.g. ``fastgd.optimizers.Adam(beta1=0.8)``.
    learning_rate : float, str or part, default 0.1
        A number is constant; ``fastgd.schedules.InverseScaling(0.1, power=0.5)`` falls.
    max_iter : int, default 100
        Exactly so many iterations, unless ``tol``, the callback, Ctrl-C or a value that is not finite ends the run.
    tol : float or None, default None
        End once no entry of the gradient is larger than this in size, which is looked at before each step.
    history : bool, default True
        Record ``x`` and ``fun`` at the start and after each iteration.
    compile : bool, default False
        Compile plain Python functions (``numba.njit``) for this call: 1 to 2 s, for runs longer than that. The
        functions' globals are constants then. To compile once for many calls, decorate them with ``numba.njit``.
    callback : callable or None, default None
        Called with an object of ``nit``, ``x``, ``fun`` and ``run`` (0) after each iteration; in compiled runs between
        slices of about 20 ms. A true answer ends the run.
    verbose : int, default 0
        1 shows a progress bar (tqdm).

    Returns
    -------
    MinimizeResult
        ``x``, ``fun``, ``jac``, ``nit``, ``success``, ``status``, ``message``, ``history.x``, ``history.fun``. ``x``
        and ``jac`` are floats where ``x0`` is a number.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do.

    Notes
    -----
    The status is

    - "converged" (the only success): ``tol`` was met; or at the end no entry of the gradient was larger than 1e-8 times
      max(1, the largest at the start): zero to rounding.
    - "max_iter": all iterations are done, and neither of the above.
    - "diverged": ``fun``, the gradient or ``x`` became infinite or NaN (an ``OverflowError`` or ``ZeroDivisionError``
      of the functions counts as that), or ``fun`` ended above its start. ``x`` is the last point where it and ``fun``
      were finite.
    - "early_stopped": the callback said so.
    - "interrupted": Ctrl-C.

    Compiled runs without a history read ``fun`` every 1024 steps and, should it not be finite there, take those steps
    again one by one. So they end where a run that reads it at each step ends, unless ``fun`` was infinite or NaN on the
    way alone.

    Examples
    --------
    >>> import fastgd
    >>> o = fastgd.minimize(lambda x: (x - 3) ** 2 + 1, 10.0, lambda x: 2 * (x - 3), max_iter=30)
    >>> round(o.x, 4), round(o.fun, 4), o.status
    (3.0087, 1.0001, 'max_iter')
    >>> o.history.x[:3].round(2)
    array([10.  ,  8.6 ,  7.48])
    >>> o = fastgd.minimize(lambda x: x @ x, [1.0, 2.0], lambda x: 2 * x, tol=1e-6)
    >>> o.status, o.success, o.nit
    ('converged', True, 69)
    """
    rule = Rule.checked(optimizer, learning_rate)
    limits = Limits.checked(max_iter, tol, history, callback, verbose)
    return run_all(Problem.checked(fun, x0, grad, compile), [rule], limits)[0]


@dataclass(frozen=True)
class Rule:
    """How one run steps."""

    optimizer: object
    schedule: object

    @classmethod
    def checked(cls, optimizer, learning_rate):
        return cls(checks.part("optimizer", optimizer, optimizers), checks.schedule("learning_rate", learning_rate))

    def rates(self, first, count):
        """The rates (count,) of the steps ``first + 1`` on."""
        t = np.arange(first + 1, first + 1 + count, dtype=np.float64)
        with np.errstate(all="ignore"):
            return np.maximum(self.schedule.rate(t), np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Limits:
    """When a run ends, and what is told on the way."""

    max_iter: int
    tol: float | None
    history: bool
    callback: object
    verbose: int

    @classmethod
    def checked(cls, max_iter, tol, history, callback, verbose):
        if callback is not None and not callable(callback):
            raise TypeError(f"callback={callback!r} must be callable.")
        return cls(
            max_iter=checks.whole("max_iter", max_iter, low=0),
            tol=None if tol is None else checks.number("tol", tol, low=0.0),
            history=checks.truth("history", history),
            callback=callback,
            verbose=checks.whole("verbose", int(verbose) if isinstance(verbose, bool) else verbose, low=0),
        )


@dataclass(frozen=True)
class Progress:
    """What a callback is given.

    Attributes
    ----------
    nit : int
        Iterations done.
    x : float or ndarray (d,)
    fun : float
    run : int
        Which run of a sweep; 0 in ``minimize``.
    """

    nit: int
    x: float | np.ndarray
    fun: float
    run: int = 0


# The runs -----------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """How one run ended. ``status`` is None where the verdict is still to be given."""

    x: float | np.ndarray
    fun: float
    jac: float | np.ndarray | None  # None: not known
    nit: int
    status: str | None = None
    reason: str = ""
    hint: str = ""
    history: MinimizeHistory | None = None


def run_all(problem, rules, limits):
    """A result for each rule; a Ctrl-C ends them all."""
    runs = [None] * len(rules)
    if problem.compiled:
        # One call of a kernel advances all runs whose optimizers are of one class.
        for kind in dict.fromkeys(type(rule.optimizer) for rule in rules):
            members = [k for k, rule in enumerate(rules) if type(rule.optimizer) is kind]
            stopped = any(run is not None and run.status == "interrupted" for run in runs)
            these = replace(limits, max_iter=0) if stopped else limits
            for k, run in zip(members, _compiled_loop(problem, rules, members, these), strict=True):
                runs[k] = _not_begun(run) if stopped else run
    else:
        for k, rule in enumerate(rules):
            stopped = k > 0 and runs[k - 1].status == "interrupted"
            runs[k] = _python_loop(problem, rule, replace(limits, max_iter=0) if stopped else limits, k)
            runs[k] = _not_begun(runs[k]) if stopped else runs[k]
    return [_result(problem, run, limits) for run in runs]


def _not_begun(run):
    return replace(run, status="interrupted", reason="Ctrl-C came before this run began.")


def _result(problem, run, limits):
    """The verdict on a run, in words."""
    if run.status is None:
        run.status, run.reason = _verdict(problem, run, limits)
    words = [run.reason, ADVICE[run.status]]
    if problem.grad is None:
        entries = 1 if problem.number else problem.x0.size
        words.append(f"Derivatives were central differences, {2 * entries} evaluations of fun an iteration.")
    if run.hint:
        words.append(run.hint)
    jac = run.jac if run.jac is not None else problem.jac0 * math.nan
    return MinimizeResult(run.x, run.fun, jac, run.nit, run.status, " ".join(words), run.history)


def _verdict(problem, run, limits):
    """The status of a run that nobody stopped, and why."""
    largest, start = problem.largest(run.jac), problem.largest(problem.jac0)
    if not math.isfinite(run.fun):
        return "diverged", f"fun is {run.fun} at x0."
    if not math.isfinite(largest):
        return "diverged", f"The gradient became infinite or NaN after iteration {run.nit}."
    if run.fun > problem.fun0 + RISE * abs(problem.fun0):
        return (
            "diverged",
            f"fun rose above its start: {run.fun:.6g} after iteration {run.nit}, {problem.fun0:.6g} at x0.",
        )
    if limits.tol is not None and largest <= limits.tol:
        return "converged", f"The largest entry of the gradient, {largest:.3g}, is within tol={limits.tol:g}."
    if largest <= ZERO * max(1.0, start):
        return (
            "converged",
            f"The gradient is zero to rounding (largest entry {largest:.3g}) after {run.nit} iterations.",
        )
    done = f"All max_iter={limits.max_iter} iterations are done"
    return "max_iter", f"{done}; the largest entry of the gradient is {largest:.3g}."


BROKE = "{} became infinite or NaN in iteration {}; x is the last finite point."


def _python_loop(problem, rule, limits, number=0):
    """One run in Python."""
    optimizer, as_number = rule.optimizer, float if problem.number else np.asarray
    run = Run(problem.x0, problem.fun0, problem.jac0, 0)
    slots, carry = (0.0 * problem.x0,) * optimizer.slots, (1.0, 1.0)
    xs, values, rates = [run.x], [run.fun], []
    began, bar = time.perf_counter(), Bar(limits.verbose, limits.max_iter, "step")
    try:
        with np.errstate(all="ignore"):
            while run.nit < limits.max_iter and math.isfinite(run.fun):
                largest = problem.largest(run.jac)
                if not math.isfinite(largest) or (limits.tol is not None and largest <= limits.tol):
                    break
                t = run.nit + 1
                if (t - 1) % RATES == 0:
                    rates = rule.rates(t - 1, min(RATES, limits.max_iter - t + 1)).tolist()
                try:
                    c, carry = optimizer.prepare(rates[(t - 1) % RATES], t, carry)
                    change, _, slots = optimizer.move(c, run.x, run.jac, slots)
                    x = as_number(run.x + change)
                    value = problem.value(x) if np.isfinite(x).all() else math.nan
                except ArithmeticError:
                    value = math.nan
                if not math.isfinite(value):
                    run.status, run.reason = "diverged", BROKE.format("x or fun", t)
                    break
                if limits.history:
                    xs.append(x)
                    values.append(value)
                # One assignment, Ctrl-C falls before or after it; what the history has too much is cut off.
                run = Run(x, value, None, t)
                try:
                    run.jac = problem.gradient(x)
                except ArithmeticError:
                    run.jac = problem.jac0 * math.nan
                bar.update(t, value)
                if limits.callback is not None and limits.callback(_progress(run, number)):
                    run.status, run.reason = "early_stopped", f"The callback returned True after iteration {t}."
                    break
    except KeyboardInterrupt:
        run.status, run.reason = "interrupted", f"Ctrl-C after iteration {run.nit}."
    finally:
        bar.close()
    if time.perf_counter() - began > HINT_SECONDS and run.nit >= HINT_STEPS:
        run.hint = "compile=True would compile fun and grad, for a long run the faster way."
    if limits.history:
        run.history = MinimizeHistory(np.array(xs[: run.nit + 1]), np.array(values[: run.nit + 1]))
    return run


def _progress(run, number):
    return Progress(run.nit, run.x if isinstance(run.x, float) else run.x.copy(), run.fun, number)


def _compiled_loop(problem, rules, members, limits):
    """The runs ``members``, optimizers of one class, as lanes of one kernel, driven in slices.

    A slice grows until it takes about ``SLICE_SECONDS``: the clock may decide because no number depends on where a
    slice ends.
    """
    from .kernels import descend, user_functions

    x0 = np.atleast_1d(problem.x0)
    grad = problem.grad
    if grad is not None and not problem.number:
        grad = user_functions.without_array(grad, x0, problem.jac0)
    advance = descend.loop() if problem.own else descend.advance
    part = rules[members[0]].optimizer
    rules = [rules[k] for k in members]
    lanes = descend.starts_of(
        [rule.optimizer for rule in rules], x0, problem.fun0, 1 if limits.history else descend.STRIDE
    )
    constant = all(isinstance(rule.schedule, schedules.Constant) for rule in rules)
    tol = -1.0 if limits.tol is None else limits.tol
    runs = [Run(problem.x0, problem.fun0, None, 0) for _ in members]
    past = Past(x0, problem.fun0, len(members)) if limits.history else None
    no_past = np.empty((0, len(members), x0.size)), np.empty((0, len(members)))
    done, size, bar = 0, FIRST_SLICE, Bar(limits.verbose, limits.max_iter, "step")
    if not math.isfinite(problem.fun0):
        lanes.status[:] = descend.STOPPED
    try:
        while done < limits.max_iter and (lanes.status == descend.RUNNING).any():
            stop = min(done + size, limits.max_iter)
            base = done - done % descend.STRIDE
            rates = np.stack([rule.rates(base, 1 if constant else stop - base) for rule in rules], axis=1)
            room = past.room(stop + 1) if past else no_past
            span = base, stop, limits.max_iter
            began = time.perf_counter()
            while True:
                try:
                    explained(
                        "the loop over fun and grad",
                        advance,
                        *(
                            problem.fun,
                            grad,
                            part,
                            0.0 if problem.number else None,
                            lanes,
                            rates,
                            *span,
                            tol,
                            *room,
                        ),
                    )
                    break
                except ArithmeticError:
                    descend.recover(lanes)
            seconds = time.perf_counter() - began
            size = max(1, stop - done) * (4 if seconds < SLICE_SECONDS / 4 else 1)
            if seconds > SLICE_SECONDS:
                size = max(1, int(size * SLICE_SECONDS / seconds))
            if (lanes.status == descend.BAD_SHAPE).any():
                raise ValueError(f"grad returned a gradient of another length than x0, {x0.size}.")
            done = stop
            for lane in np.flatnonzero(lanes.status == descend.RUNNING):
                if limits.callback is not None or limits.verbose:
                    seen = _seen(problem, lanes, lane)
                    bar.update(done, seen.fun)
                    if limits.callback is not None and limits.callback(_progress(seen, members[lane])):
                        seen.status = "early_stopped"
                        seen.reason = f"The callback returned True after iteration {seen.nit}."
                        runs[lane], lanes.status[lane] = seen, descend.STOPPED
    except KeyboardInterrupt:
        for lane in np.flatnonzero(lanes.status == descend.RUNNING):
            runs[lane] = _seen(problem, lanes, lane)
            runs[lane].status = "interrupted"
            runs[lane].reason = f"Ctrl-C after iteration {runs[lane].nit}."
    finally:
        bar.close()
    return [_lane_run(problem, lanes, lane, run, past) for lane, run in enumerate(runs)]


class Past:
    """The histories of all lanes in one buffer: it grows fourfold and is never joined, so Ctrl-C waits for no copy."""

    def __init__(self, x0, value, lanes):
        entries = max(1, HISTORY_NUMBERS // (lanes * (x0.size + 1)))
        self.arrays = np.empty((entries, lanes, x0.size)), np.empty((entries, lanes))
        self.arrays[0][0], self.arrays[1][0] = x0, value

    def room(self, entries):
        """The arrays (entries or more, lanes, d) and (entries or more, lanes)."""
        had = len(self.arrays[0])
        if entries > had:
            grown = [np.empty((max(4 * had, entries), *array.shape[1:])) for array in self.arrays]
            for new, old in zip(grown, self.arrays, strict=True):
                new[:had] = old
            self.arrays = grown
        return self.arrays

    def of(self, lane, entries):
        """The first entries of a lane, contiguous."""
        return [np.ascontiguousarray(array[:entries, lane]) for array in self.arrays]


def _seen(problem, lanes, lane):
    """A lane's run where it works, or at its last look where that is not finite."""
    point = problem.point(lanes.point[lane])
    value = unless_arithmetic(problem.value, point, math.nan)
    if np.isfinite(point).all() and math.isfinite(value):
        return Run(point, value, None, int(lanes.step[lane]))
    return Run(problem.point(lanes.x[lane]), float(lanes.fun[lane]), None, int(lanes.nit[lane]))


def _lane_run(problem, lanes, lane, run, past):
    """The run of a lane that ended."""
    from .kernels import descend

    if run.status is None:
        run = Run(problem.point(lanes.x[lane]), float(lanes.fun[lane]), None, int(lanes.nit[lane]))
        if lanes.status[lane] == descend.BAD_VALUE:
            run.status, run.reason = "diverged", BROKE.format("x or fun", run.nit + 1)
    run.jac = unless_arithmetic(problem.gradient, run.x, problem.jac0 * math.nan)
    if past:
        xs, values = past.of(lane, run.nit + 1)
        run.history = MinimizeHistory(xs[:, 0] if problem.number else xs, values)
    return run
