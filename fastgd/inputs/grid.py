"""Grids: all combinations of the values in lists, for every kind of sweep."""

import dataclasses
import itertools
import math
from typing import NamedTuple

import numpy as np

from .custom_parts import fields_of

MOST = 100_000  # points: more are a mistake


class Grid(NamedTuple):
    """The points of a grid."""

    points: list  # of dicts, one value for each argument
    settings: dict  # of lists, one value for each point, for each argument or field that varies


def expand(given, product=True, pairs=()):
    """The grid of the arguments that are lists.

    Parameters
    ----------
    given : dict of str to object
        Arguments by name. A list, tuple, range or one-dimensional array is an axis, and so is such a field of a part:
        ``Momentum(beta=[0.5, 0.9])`` is the axis "optimizer.beta". A part itself is one value, although a named tuple.
    product : bool, default True
        Every combination, the last axis varying fastest; False pairs the axes, which must have one length.
    pairs : tuple of str, default ()
        Names of arguments for which a tuple is one value.

    Returns
    -------
    Grid

    Raises
    ------
    ValueError
        If an axis is empty or has two dimensions, if axes to pair differ in length, or if there are too many points.

    Examples
    --------
    >>> from fastgd.inputs.grid import expand
    >>> expand({"learning_rate": [0.1, 1.0], "alpha": 0.5}).points
    [{'learning_rate': 0.1, 'alpha': 0.5}, {'learning_rate': 1.0, 'alpha': 0.5}]
    """
    axes = {}
    for name, value in given.items():
        if _is_axis(value) and not (name in pairs and isinstance(value, tuple)):
            axes[name] = _values(name, value)
        else:
            axes |= {
                f"{name}.{field}": _values(f"{name}.{field}", v) for field, v in fields_of(value).items() if _is_axis(v)
            }
    sizes = {name: len(values) for name, values in axes.items()}
    if not product and len(set(sizes.values())) > 1:
        raise ValueError(f"product=False pairs the lists, so they must have one length; got {sizes}.")
    count = math.prod(sizes.values()) if product else max(sizes.values(), default=1)
    if count > MOST:
        raise ValueError(f"The lists {sizes} make {count:,} points: at most {MOST:,} are allowed, so shorten them.")
    rows = list(itertools.product(*axes.values()) if product or not axes else zip(*axes.values(), strict=True))
    points = []
    for row in rows:
        point = dict(given)
        for name, value in zip(axes, row, strict=True):
            argument, _, field = name.partition(".")
            point[argument] = _with(point[argument], field, value) if field else value
        points.append(point)
    return Grid(points, {name: [row[k] for row in rows] for k, name in enumerate(axes)})


def _with(part, field, value):
    """A part with another value of a field."""
    changed = {field: value}
    return part._replace(**changed) if hasattr(part, "_replace") else dataclasses.replace(part, **changed)


def _is_axis(value):
    if type(value) in (list, tuple, range):
        return True
    dimensions = getattr(value, "ndim", 0)
    return isinstance(dimensions, int) and dimensions > 0


def _values(name, value):
    """The values along an axis; NumPy scalars become Python numbers."""
    if hasattr(value, "ndim"):
        if value.ndim != 1:
            raise ValueError(f"{name} has shape {value.shape}, but a list of settings must have one dimension.")
        value = np.asarray(value).tolist()
    values = [item.item() if isinstance(item, np.generic) else item for item in value]
    if not values:
        raise ValueError(f"{name} is an empty list: at least one value is needed.")
    return values
