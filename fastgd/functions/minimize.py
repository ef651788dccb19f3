"""``minimize``: gradient descent on a user's own function, in Python or, on compiled functions, in one kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..parts.registry import known_options
from ..results.divergence import warn_of_divergence
from .batch_options import BATCH_DEFAULTS
from .problem import Problem
from .python_loop import python_loop
from .run import Limits, RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._types import AnyOptimizer, Callback, Gradient, MinimizeResult, MinimizeRun, Parameters, Rate


@known_options
def minimize(
    fun: Callable[..., Any],
    x0: Parameters,
    grad: Gradient | None = None,
    *,
    jac: Gradient | None = None,
    data: Any = None,
    batch_size=None,
    epochs=None,
    shuffle="block",
    validation=None,
    patience=5,
    optimizer: AnyOptimizer = "sgd",
    learning_rate: Rate = 0.1,
    clip_norm=None,
    alpha=0.0,
    l1_ratio=0.0,
    penalty_factor=None,
    bounds=None,
    average=False,
    max_iter: int | None = None,
    tol: float | None = None,
    history: bool = True,
    random_state=None,
    check_gradient: bool = True,
    compile: bool = False,
    callback: Callback | None = None,
    verbose: int = 0,
    resume: MinimizeRun | None = None,
) -> MinimizeResult:
    r"""Minimise a function by gradient descent: of parameters alone or, with ``data``, in batches of rows.

    Parameters
    ----------
    fun : callable
        Of the parameters: a float where ``x0`` is a number, else a float64 array (d,); returns one real number. With
        ``data`` of the parameters, in the form of ``x0``, and of the arrays of a batch, ``fun(params, X, y)``: the
        *mean* over the batch's rows. Functions made by ``numba.njit`` run compiled, where ``grad`` is one too, True or
        None; plain functions run in Python.
    x0 : float or array-like (d,)
        The start; finite. With ``data`` also arrays of any shape, and dicts, lists, tuples and named tuples of these
        in each other (compiled functions get tuples for lists).
    grad : callable, True or None, default None
        The gradient: a number, or d numbers in an array or any sequence; with ``data`` in the form of ``x0``. True:
        ``fun`` returns (value, gradient). None takes central differences of step ``cbrt(eps) * max(1, |x_j|)``, 2d
        evaluations of ``fun`` a step.
    jac : callable, True or None, default None
        SciPy's name of ``grad``; one of the two may be given.
    data : array, tuple of arrays, or source, default None
        Arrays with as many rows as each other: (n,), (n, d), (n, 8, 8) and so on. Floating-point numbers get the type
        of the parameters, integers and booleans keep theirs. One of :mod:`fastgd.sources`, for data larger than memory,
        gives ``fun`` X, and y, weight and offset where it has them; the parameters get its type.
    batch_size : int or None, default None
        Rows of a step, with ``data``; None is all of them. The last batch of an epoch may be smaller. What functions
        are lent can't be written to, and is used again: copy what you keep.
    epochs : int or None, default None
        Passes over ``data`` in all, with those before a run was resumed; None is 10.
    shuffle : {"block", "full", "replacement", False}, default "block"
        The order of rows, as of :func:`fastgd.fit`: a function of ``random_state`` and the epoch alone.
    validation : float, tuple of arrays or None, default None
        A share of the rows, drawn, or arrays like ``data``, on which the mean of ``fun`` is measured after each epoch.
        The result has the parameters of the epoch where it was lowest.
    patience : int, default 5
        Epochs in a row without a lower validation value, or with a decrease within ``tol``, that end the run.
    optimizer : str or part, default "sgd"
        "sgd", "momentum", "adam", or e.g. ``fastgd.optimizers.Adam(beta1=0.8)``.
    learning_rate : float, str or part, default 0.1
        A number is constant; ``fastgd.schedules.InverseScaling(0.1, power=0.5)`` falls. Durations of schedules are in
        iterations, with ``data`` in epochs; 0 is the rest of the run.
    clip_norm : float or None, default None
        With ``data``: gradients of a larger Euclidean norm, that of all parameters together, are cut to this one.
    alpha, l1_ratio : float, default 0.0
        With ``data``: the penalty ``alpha * (l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|^2)`` of all parameters, a
        proximal step after each step. (``weight_decay`` of :class:`~fastgd.optimizers.Adamw` is no penalty.)
    penalty_factor : None, or in the form of x0
        What ``alpha`` is multiplied by for each parameter: e.g. ``{"W": 1, "b": 0}``, where a number is for all of an
        array.
    bounds : pair (low, high) or None, default None
        With ``data``: each a number, None, or in the form of ``x0`` as ``penalty_factor``.
    average : bool or int, default False
        With ``data``: return the mean of the parameters after the steps from the first one on, or from this one.
    max_iter : int or None, default None
        Exactly so many iterations, unless ``tol``, the callback, Ctrl-C or a value that is not finite ends the run.
        None is 100; with ``data`` no limit but ``epochs``.
    tol : float or None, default None
        End once no entry of the gradient is larger than this in size, which is looked at before each step. With
        ``data``: once the mean of ``fun`` over an epoch, or the validation value, has decreased by less than this share
        of itself in ``patience`` epochs.
    history : bool, default True
        Record ``x`` and ``fun`` at the start and after each iteration. With ``data``, where ``grad`` is a function of
        its own, ``fun`` is evaluated for the history on each batch, and False saves that.
    random_state : int, generator or None, default None
        With ``data``: the seed of the order of rows, and of the rows held out. None draws one.
    check_gradient : bool, default True
        Compare the gradient with differences of ``fun`` at ``x0``, over 8 rows of ``data``; a wrong one is an error.
        Some evaluations of ``fun``: 3, and 2 to 34 more with few or several arrays of parameters.
    compile : bool, default False
        Compile plain Python functions (``numba.njit``) for this call: 1 to 2 s, for runs longer than that. The
        functions' globals are constants then. To compile once for many calls, decorate them with ``numba.njit``.
    callback : callable or None, default None
        Called with an object of ``nit``, ``x``, ``fun`` and ``run`` (0) after each iteration; in compiled runs between
        slices of about 20 ms; with ``data`` after each epoch, with ``epoch``, ``validation_fun``, ``learning_rate`` and
        ``seconds`` besides. True ends the run, None and False don't.
    verbose : int, default 0
        1 shows a progress bar (tqdm); -1 leaves out the line that tells, on a terminal or in a notebook, that code is
        being compiled, and the warning, elsewhere, that it is in each process anew.
    resume : MinimizeResult, path or None, default None
        With ``data``: the result of a run to go on with, or the file in which it was saved. All options but ``epochs``,
        ``max_iter``, ``tol`` and ``patience`` must be the same; the numbers are those of a run that never stopped.

    Returns
    -------
    MinimizeResult
        ``x``, ``fun``, ``jac``, ``nit``, ``success``, ``status``, ``message``, ``history.x``, ``history.fun``. ``x``
        and ``jac`` are floats where ``x0`` is a number. With ``data`` both have the form of ``x0``, ``fun`` (with the
        penalty) and ``jac`` (without) are those of all rows trained on, at ``x``; besides there are ``n_epochs``,
        ``history.validation_fun``, ``.learning_rate`` and ``.seconds``, one entry an epoch, ``state`` and ``save``.

    Warns
    -----
    fastgd.DivergenceWarning
        Where the run ends "diverged".

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do.

    Notes
    -----
    The status is

    - "converged" (the only success): ``tol`` was met; or at the end no entry of the gradient was larger than 1e-8 times
      max(1, the largest at the start): zero to rounding. With ``data``: larger than 1e-8, without penalty and bounds.
    - "max_iter", or "max_epochs" with ``data``: all iterations or epochs are done, and neither of the above.
    - "diverged": ``fun``, the gradient or ``x`` became infinite or NaN (an ``OverflowError`` or ``ZeroDivisionError``
      of the functions counts as that, and the message names it; other exceptions are raised), or ``fun`` ended above
      its start. ``x`` is the last point where it and ``fun`` were finite; with ``data`` the last finite one or, where
      ``fun`` is not finite over all rows there, the start.
    - "early_stopped": the callback said so, or the validation value had not fallen for ``patience`` epochs.
    - "interrupted": Ctrl-C. With ``data`` ``fun`` is the mean over the last epoch then, and ``jac`` is NaN.

    Compiled runs without a history read ``fun`` every 1024 steps and, should it not be finite there, take those steps
    again one by one. So they end where a run that reads it at each step ends, unless ``fun`` was infinite or NaN on the
    way alone.

    Compiled functions of data run in a loop without Python between the steps. With parameters in a dict of arrays that
    all have one number of axes, gradients in such a dict take Numba some seconds more to compile: a tuple does not.

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

    A line, in batches of 10 rows:

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)
    >>> y = 2 * x + 1
    >>> def fun(params, x, y):
    ...     missed = params["slope"] * x + params["constant"] - y
    ...     return np.mean(missed**2), {"slope": np.mean(2 * missed * x), "constant": np.mean(2 * missed)}
    >>> start = {"slope": 0.0, "constant": 0.0}
    >>> o = fastgd.minimize(fun, start, True, data=(x, y), batch_size=10, epochs=20, random_state=0)
    >>> {name: round(value, 3) for name, value in o.x.items()}
    {'slope': 2.0, 'constant': 1.0}
    """
    given = {name: value for name, value in locals().items() if name in (*BATCH_DEFAULTS, *OF_FUNCTIONS)}
    if data is not None:
        limits = Limits.checked(max_iter, tol, history, callback, verbose)
        point = {"optimizer": optimizer, "learning_rate": learning_rate}
        from .batch_minimize import minimize_batches  # loads Numba

        return warn_of_divergence(minimize_batches(fun, x0, grad, data, given, [point], limits, resume)[0])
    need_data(given, resume)
    limits = Limits.checked(100 if max_iter is None else max_iter, tol, history, callback, verbose)
    settings = RunSettings.checked(optimizer, learning_rate, limits.max_iter)
    problem = Problem.checked(fun, x0, grad, jac, compile, check_gradient)
    return warn_of_divergence(run_all(problem, [settings], limits)[0])


OF_FUNCTIONS = {"jac": None, "check_gradient": True, "compile": False}


def need_data(given, resume=None):
    """Raise for an option that only runs over data have."""
    for name, usual in {**BATCH_DEFAULTS, "resume": None}.items():
        value = {**given, "resume": resume}[name]
        if value is not usual and not (isinstance(value, (int, float, str)) and value == usual):
            raise ValueError(f"{name} is for functions of data: pass data=(X, y), or leave it out.")


def run_all(problem, settings, limits):
    """A result for each of the settings; a Ctrl-C ends them all."""
    runs, interrupted = [None] * len(settings), False
    for numbers in _together(problem, settings):
        left = replace(limits, max_iter=0) if interrupted else limits
        if problem.compiled:
            from .compiled_loop import compiled_loop  # loads Numba

            ended = compiled_loop(problem, [settings[k] for k in numbers], numbers, left)
        else:
            ended = [python_loop(problem, settings[k], left, k) for k in numbers]
        for k, run in zip(numbers, ended, strict=True):
            if interrupted:
                run.interrupt(began=False)
            runs[k] = run
        interrupted = interrupted or any(run.status == "interrupted" for run in ended)
    return [run.result(problem, limits) for run in runs]


def _together(problem, settings):
    """Numbers of the runs that share a loop: where compiled, all of one optimizer class; else each run is alone."""
    if not problem.compiled:
        return [[k] for k in range(len(settings))]
    kinds = dict.fromkeys(type(one.optimizer) for one in settings)
    return [[k for k, one in enumerate(settings) if type(one.optimizer) is kind] for kind in kinds]
