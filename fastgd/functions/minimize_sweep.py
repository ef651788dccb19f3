"""``minimize_sweep``: a user's own function minimised with many settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs import arguments
from ..inputs.grid import expand
from ..parts.registry import known_options
from ..results.comparability import comparability_of_settings
from ..results.divergence import warn_where_all_diverged
from ..results.messages import MINIMIZE_ADVICE
from ..results.sweep_results import SweepResult
from .batch_options import BATCH_DEFAULTS
from .minimize import OF_FUNCTIONS, need_data, run_all
from .problem import Problem
from .run import Limits, RunSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._types import AnyOptimizer, Callback, Gradient, MinimizeResult, Parameters, Rate, Seed, Values
ADVICE = MINIMIZE_ADVICE["diverged"]


@known_options
def minimize_sweep(
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
    learning_rate: Rate | Values[Rate] = 0.1,
    optimizer: AnyOptimizer | Values[AnyOptimizer] = "sgd",
    clip_norm=None,
    alpha: float | Values[float] = 0.0,
    l1_ratio=0.0,
    penalty_factor=None,
    bounds=None,
    average=False,
    product: bool = True,
    max_iter: int | None = None,
    tol: float | None = None,
    history: bool = True,
    random_state: Seed | Values[Seed] | None = None,
    check_gradient: bool = True,
    compile: bool = False,
    callback: Callback | None = None,
    verbose: int = 0,
) -> SweepResult[MinimizeResult]:
    """Minimise a function with many settings, all from one start.

    Compiled functions run all settings of one optimizer class in one kernel; over ``data``, the runs share the order of
    rows, and all cores.

    Parameters
    ----------
    fun, x0, grad, jac
        As for :func:`fastgd.minimize`. A run that has ended costs no more time.
    data, batch_size, epochs, shuffle, validation, patience, clip_norm, l1_ratio, penalty_factor, bounds, average
        As for :func:`fastgd.minimize`; never lists.
    learning_rate : float, str, part, or a list or array of these, default 0.1
        A list is an axis of the grid, here and in the fields of a part: ``InverseScaling([0.1, 1.0])``.
    optimizer : str, part, or a list of these, default "sgd"
        E.g. ``["sgd", fastgd.optimizers.Momentum(0.9)]``, or ``fastgd.optimizers.Momentum(beta=[0.5, 0.9])``.
    alpha, random_state : a number, or a list of these
        With ``data``. Runs of different seeds have different orders of rows.
    product : bool, default True
        Every combination of the lists, the optimizers running fastest; False pairs the lists, which must be as long as
        each other.
    max_iter, tol, history, check_gradient, compile, callback, verbose
        As for :func:`fastgd.minimize`, for each run; never lists. A callback's ``run`` says which run it is called for,
        and True ends that run.

    Returns
    -------
    SweepResult
        ``results``, ``best`` (the smallest finite ``fun`` or, with ``validation``, the smallest validation value),
        ``status``, ``table()``, ``plot()``. After Ctrl-C the runs that had not ended are "interrupted".

    Warns
    -----
    fastgd.DivergenceWarning
        Where all runs diverge.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do.

    Examples
    --------
    >>> import fastgd
    >>> s = fastgd.minimize_sweep(lambda x: x**2, 10.0, lambda x: 2 * x, learning_rate=[0.01, 0.5, 1.1], max_iter=20)
    >>> s.status
    ['max_iter', 'converged', 'diverged']
    >>> s.best.x, s.table()["learning_rate"]
    (0.0, [0.01, 0.5, 1.1])
    """
    given, axes = {name: value for name, value in locals().items() if name in (*BATCH_DEFAULTS, *OF_FUNCTIONS)}, {}
    if data is None:
        need_data(given)
    else:
        seed = arguments.seed(None) if random_state is None else random_state
        axes = {"alpha": alpha, "random_state": seed}
    axes |= {"learning_rate": learning_rate, "optimizer": optimizer}
    grid = expand(axes, arguments.truth("product", product))
    if data is not None:
        from .batch_minimize import minimize_batches  # loads Numba

        limits = Limits.checked(max_iter, tol, history, callback, verbose)
        results = minimize_batches(fun, x0, grad, data, given, grid.points, limits)
        comparability = comparability_of_settings(grid.settings, given["validation"] is not None)
        found = SweepResult(
            results, grid.settings, np.array([result.loss for result in results]), comparability=comparability
        )
        return warn_where_all_diverged(found, ADVICE)
    limits = Limits.checked(100 if max_iter is None else max_iter, tol, history, callback, verbose)
    settings = [
        RunSettings.checked(point["optimizer"], point["learning_rate"], limits.max_iter) for point in grid.points
    ]
    results = run_all(Problem.checked(fun, x0, grad, jac, compile, check_gradient), settings, limits)
    found = SweepResult(results, grid.settings, np.array([result.fun for result in results]))
    return warn_where_all_diverged(found, ADVICE)
