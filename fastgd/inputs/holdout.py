"""Validation data: a random fraction of the rows, or separate data."""

from typing import NamedTuple

import numpy as np

from ..kernels import order
from ..kernels.layouts import frozen
from ..wording import count
from . import arguments, arrays

STREAM = 2**62  # rows are drawn by the random numbers of this epoch, which no run reaches


class Holdout(NamedTuple):
    """The rows trained on and the rows held out."""

    table: arrays.Table  # of all rows; those held out have weight 0
    rows: np.ndarray | None  # the numbers of the rows trained on, uint32 or uint64; None for all
    held: arrays.Table | None  # of the validation data


def held_out(table, validation, seed, loss):
    """Split a table by ``validation``: None, a fraction of its rows, or ``(X, y)``, ``(X, y, sample_weight)``
    or ``(X, y, sample_weight, offset)``."""
    if validation is None:
        return Holdout(table, None, None)
    if isinstance(validation, tuple):
        return Holdout(table, None, other_table(table, loss, *validation))
    n = table.y.shape[1]
    kept = np.ones(n, bool)
    kept[drawn(table, validation, seed)] = False
    weight = table.weight.astype(np.float64) if table.weight.size else np.ones(n)
    weights = np.where(kept, weight, 0.0), np.where(kept, 0.0, weight)[~kept]
    for which, values in zip(("trained on", "held out"), weights, strict=True):
        if not values.any():
            hint = "pass another fraction or more rows"
            raise ValueError(f"validation={validation:g} leaves no row of positive weight to be {which}: {hint}.")
    rows = np.flatnonzero(kept).astype(np.uint32 if n <= 2**32 else np.uint64)
    dtype = table.X.dtype
    train = frozen((weights[0] / weights[0][kept].mean()).astype(dtype))
    held = table._replace(
        # Copied, so that a pass over them does not read all rows.
        X=table.X.take(~kept),
        y=frozen(np.ascontiguousarray(table.y[:, ~kept])),
        weight=arrays.row_weights(weights[1] if table.weight.size else None, len(weights[1]), dtype),
        offset=frozen(table.offset[~kept]) if table.offset.size else table.offset,
    )
    return Holdout(table._replace(weight=train), rows, held)


def drawn(table, fraction, seed):
    """The numbers of the rows to hold out, with classes the fraction of each."""
    n = table.y.shape[1]
    codes = [] if table.classes is None else range(len(table.classes))
    groups = [np.flatnonzero(table.y[0] == code) for code in codes] or [np.arange(n)]
    found = []
    for k, group in enumerate(groups):
        shuffled = np.empty(group.size, np.uint32)
        with np.errstate(over="ignore"):  # for a kernel run as plain Python
            order.permutation(seed, STREAM + k, shuffled)
        count = min(max(1, round(fraction * group.size)), group.size - 1)  # one row of each class is trained on
        found.append(group[shuffled[:count]])
    rows = np.concatenate(found)
    if rows.size == 0:
        raise ValueError(f"validation={fraction:g} needs at least 2 rows, but X has {n}.")
    return rows


def other_table(table, loss, X, y, weight=None, offset=None):
    """Validation data that the user passed, in canonical form."""
    with arguments.within("validation"):
        X, names, _ = arrays.matrix(X)
        d = table.X.shape[1]
        if X.shape[1] != d:
            raise ValueError(f"X has {count(X.shape[1], 'column')}, but the training data have {d}.")
        if names and table.names and names != table.names:
            raise ValueError(f"X has the columns {names}, but the training data have {table.names}.")
        if X.sparse != table.X.sparse:
            here, there = ("sparse", "dense") if X.sparse else ("dense", "sparse")
            raise ValueError(f"X is {here}, but the training data are {there}: convert one of them.")
        X = X.astype(table.X.dtype)
        arrays.finite_columns(X, names)
        y, _ = arrays.target(y, X.shape[0], X.dtype, loss, table.classes)
        if len(y) != len(table.y):
            has = "1 target" if len(y) == 1 else f"{count(len(y), 'target')}"
            raise ValueError(f"y has {has}, but the training data have {len(table.y)}.")
        table = table._replace(X=X, y=y, weight=arrays.row_weights(weight, X.shape[0], X.dtype))
        return arrays.with_offset(table, offset, loss)
