"""Sweeps: many settings in one call; ``minimize_sweep``, and the grid expander that all sweeps share."""

import itertools
from typing import NamedTuple

import numpy as np

from . import checks
from .functions import Problem
from .minimize import Limits, Rule
from .results import SweepResult
from .runs import run_all


class Grid(NamedTuple):
    """The points of a grid."""

    points: list  # of dicts, a value for each argument
    settings: dict  # of lists, a value a point for each argument or field that varies


def expand(given, product=True):
    """The grid of settings that arguments span.

    Parameters
    ----------
    given : dict of str to object
        Arguments by name. A list, tuple, range or one-dimensional array is an axis, and so is such a field of a part:
        ``Momentum(beta=[0.5, 0.9])`` is the axis "optimizer.beta". A part itself, though a named tuple, is one value.
    product : bool, default True
        Every combination, the last axis running fastest; False pairs the axes, which must be of one length.

    Returns
    -------
    Grid

    Raises
    ------
    ValueError
        Naming an axis that is empty, has more than one dimension, or can't be paired.

    Examples
    --------
    >>> from fastgd.sweep import expand
    >>> expand({"learning_rate": [0.1, 1.0], "alpha": 0.5}).points
    [{'learning_rate': 0.1, 'alpha': 0.5}, {'learning_rate': 1.0, 'alpha': 0.5}]
    """
    axes = {}
    for name, value in given.items():
        if _is_axis(value):
            axes[name] = _values(name, value)
        elif hasattr(type(value), "_asdict"):
            axes |= {
                f"{name}.{field}": _values(f"{name}.{field}", v) for field, v in value._asdict().items() if _is_axis(v)
            }
    sizes = {name: len(values) for name, values in axes.items()}
    if not product and len(set(sizes.values())) > 1:
        raise ValueError(f"product=False pairs the lists, so they must be as long as each other, got {sizes}.")
    rows = list(itertools.product(*axes.values()) if product or not axes else zip(*axes.values(), strict=True))
    points = []
    for row in rows:
        point = dict(given)
        for name, value in zip(axes, row, strict=True):
            argument, _, field = name.partition(".")
            point[argument] = point[argument]._replace(**{field: value}) if field else value
        points.append(point)
    return Grid(points, {name: [row[k] for row in rows] for k, name in enumerate(axes)})


def _is_axis(value):
    return type(value) in (list, tuple, range) or (
        isinstance(dimensions := getattr(value, "ndim", 0), int) and dimensions > 0
    )


def _values(name, value):
    """The values along an axis; NumPy's numbers become Python's."""
    if hasattr(value, "ndim"):
        if value.ndim != 1:
            raise ValueError(f"{name} has shape {value.shape}: a list of settings has one dimension.")
        value = np.asarray(value).tolist()
    values = [item.item() if isinstance(item, np.generic) else item for item in value]
    if not values:
        raise ValueError(f"{name} is an empty list: at least one value is needed.")
    return values


def minimize_sweep(
    fun,
    x0,
    grad=None,
    learning_rate=0.1,
    optimizer="sgd",
    product=True,
    max_iter=100,
    tol=None,
    history=True,
    compile=False,
    callback=None,
    verbose=0,
):
    """Minimise a function with many settings, all from one start.

    Parameters
    ----------
    fun, x0, grad
        As for :func:`fastgd.minimize`. Compiled functions run all settings of one optimizer class in one kernel; a run
        that has ended costs no more time.
    learning_rate : float, str, part, or a list or array of these, default 0.1
        A list is an axis of the grid, here and in the fields of a part: ``InverseScaling([0.1, 1.0])``.
    optimizer : str, part, or a list of these, default "sgd"
        E.g. ``["sgd", fastgd.optimizers.Momentum(0.9)]``, or ``fastgd.optimizers.Momentum(beta=[0.5, 0.9])``.
    product : bool, default True
        Every combination of the lists, the optimizers running fastest; False pairs the lists, which must be as long as
        each other.
    max_iter, tol, history, compile, callback, verbose
        As for :func:`fastgd.minimize`, for each run; never lists. A callback's ``run`` says which run it is called for,
        and a true answer ends that run.

    Returns
    -------
    SweepResult
        ``results``, ``best`` (the smallest finite ``fun``), ``status`` ("slow" where all iterations were used),
        ``table()``, ``plot()``. After Ctrl-C the runs that had not ended are "interrupted".

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do.

    Examples
    --------
    >>> import fastgd
    >>> s = fastgd.minimize_sweep(lambda x: x**2, 10.0, lambda x: 2 * x, learning_rate=[0.01, 0.5, 1.1], max_iter=20)
    >>> s.status
    ['slow', 'converged', 'diverged']
    >>> s.best.x, s.table()["learning_rate"]
    (0.0, [0.01, 0.5, 1.1])
    """
    grid = expand({"learning_rate": learning_rate, "optimizer": optimizer}, checks.truth("product", product))
    limits = Limits.checked(max_iter, tol, history, callback, verbose)
    rules = [Rule.checked(point["optimizer"], point["learning_rate"], limits.max_iter) for point in grid.points]
    results = run_all(Problem.checked(fun, x0, grad, compile), rules, limits)
    return SweepResult(results, grid.settings, np.array([result.fun for result in results]))
