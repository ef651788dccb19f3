"""Grids: the settings that lists of values span; all sweeps share it."""

import dataclasses
import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

MOST = 100_000  # points: more is a slip


class Grid(NamedTuple):
    """The points of a grid."""

    points: list  # of dicts, a value for each argument
    settings: dict  # of lists, a value a point for each argument or field that varies


def expand(given, product=True, pairs=()):
    """The grid of settings that arguments span.

    Parameters
    ----------
    given : dict of str to object
        Arguments by name. A list, tuple, range or one-dimensional array is an axis, and so is such a field of a part:
        ``Momentum(beta=[0.5, 0.9])`` is the axis "optimizer.beta". A part itself, though a named tuple, is one value.
    product : bool, default True
        Every combination, the last axis running fastest; False pairs the axes, which must be of one length.
    pairs : tuple of str, default ()
        Arguments for which a tuple is one value.

    Returns
    -------
    Grid

    Raises
    ------
    ValueError
        Naming an axis that is empty, has more than one dimension, or can't be paired.

    Examples
    --------
    >>> from fastgd.grid import expand
    >>> expand({"learning_rate": [0.1, 1.0], "alpha": 0.5}).points
    [{'learning_rate': 0.1, 'alpha': 0.5}, {'learning_rate': 1.0, 'alpha': 0.5}]
    """
    axes = {}
    for name, value in given.items():
        if _is_axis(value) and not (name in pairs and isinstance(value, tuple)):
            axes[name] = _values(name, value)
        else:
            axes |= {f"{name}.{field}": _values(f"{name}.{field}", v) for field, v in _fields(value) if _is_axis(v)}
    sizes = {name: len(values) for name, values in axes.items()}
    if not product and len(set(sizes.values())) > 1:
        raise ValueError(f"product=False pairs the lists, so they must be as long as each other, got {sizes}.")
    count = math.prod(sizes.values()) if product else max(sizes.values(), default=1)
    if count > MOST:
        raise ValueError(f"the lists {sizes} make {count:,} points: at most {MOST:,} are run, make them shorter.")
    rows = list(itertools.product(*axes.values()) if product or not axes else zip(*axes.values(), strict=True))
    points = []
    for row in rows:
        point = dict(given)
        for name, value in zip(axes, row, strict=True):
            argument, _, field = name.partition(".")
            point[argument] = _with(point[argument], field, value) if field else value
        points.append(point)
    return Grid(points, {name: [row[k] for row in rows] for k, name in enumerate(axes)})


def _fields(value):
    """The fields of a part, a named tuple or a dataclass of the user's own."""
    if hasattr(type(value), "_asdict"):
        return value._asdict().items()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    return ()


def _with(part, field, value):
    """A part with another value of a field."""
    return (part._replace if hasattr(part, "_replace") else functools.partial(dataclasses.replace, part))(
        **{field: value}
    )


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
