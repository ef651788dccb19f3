"""Lanes: the models that one pass trains, their settings and their state.

A lane is one model: a row of every array here. A single fit is one lane.
"""

from typing import NamedTuple

import numpy as np

from ..parts.penalties import ElasticNet, Free
from . import elementary  # noqa: F401  (registers the compiled twins that losses call)
from .addresses import address
from .part_functions import loss_block, move_weights

PENALTY = ElasticNet()  # also of models without a penalty, whose fields are zeros
NO_ROLES = np.empty((0, 0), np.int8)
NO_ROLES.flags.writeable = False
FLUSH_ROWS = 256  # sums in the data's own type run about as long, then go on in float64


class Data(NamedTuple):
    """What a pass reads. ``T`` is the data's type, float32 or float64; d the number of columns."""

    rows: tuple  # Dense or CSR
    targets: np.ndarray  # (number of targets, n) T
    weight: np.ndarray  # (n,) T, of mean 1 over the rows trained on; (0,) where all rows weigh the same
    offset: np.ndarray  # (n,) T, added to every score of a row; (0,) for none
    shift: np.ndarray  # (d,) T, what is subtracted from a column
    inverse_scale: np.ndarray  # (d,) T, what it is then multiplied by
    constant: float  # the value of the column behind them that the intercept multiplies: 1.0, or 0.0 for none
    count: float  # how many rows are trained on; the others have weight 0
    roles: np.ndarray  # (folds, n) int8: > 0 how often a fold trains on the row, 0 not, -1 held out; or (0, 0)
    seed: int  # of the weights of bootstrap replicates
    classes: int  # lanes that a joint loss takes together, one a class; 1 for any other
    factors: np.ndarray  # (2 * d,) T, what L1 and L2 of column j are multiplied by, at 2 * j; (0,) for none
    first: int = 0  # the number of the first row among all: the weights of replicates are hashed from it


class Parts(NamedTuple):
    """Which loss, optimizer and penalty: their classes choose the functions; their fields are in ``Lanes``."""

    loss: tuple
    optimizer: tuple
    penalty: tuple


class Lanes(NamedTuple):
    """The settings and the state of every lane. The last of the weights is the intercept, 0 where there is none."""

    target: np.ndarray  # (lanes,) int64, the row of Data.targets
    fold: np.ndarray  # (lanes,) int64, the row of Data.roles, or -1: all rows count
    replicate: np.ndarray  # (lanes,) int64, the bootstrap replicate whose counts weigh the rows, or -1
    scale: np.ndarray  # (lanes,) float64, makes the weights of a lane's rows add up to Data.count
    loss: np.ndarray  # (lanes, fields) float64
    optimizer: np.ndarray  # (lanes, fields) float64
    penalty: np.ndarray  # (lanes, fields) T
    low: np.ndarray  # (lanes, d) T
    high: np.ndarray  # (lanes, d) T
    weights: np.ndarray  # (lanes, d + 1) T, of the standardised columns
    slots: np.ndarray  # (lanes, slots, d + 1) T
    carry: np.ndarray  # (lanes, 2) float64
    averages: np.ndarray  # (lanes, d + 1) float64, the mean of the weights since step ``begin``; or (lanes, 0)
    begin: np.ndarray  # (lanes,) int64


def make_lanes(models, dtype, average=None):
    """Fresh lanes of some models (see ``plan.Model``), all with parts of the same classes.

    Weights are those to begin with, else zero, at the nearest bound; ``average`` is the step from which on they are
    averaged, or None.
    """
    widths = [len(model.start) for model in models]
    lanes, d = sum(widths), models[0].low.size

    def table(rows, dtype):
        made = np.array(rows, dtype)
        return made if lanes == len(models) else np.repeat(made, widths, axis=0)

    low, high = (table([getattr(model, side) for model in models], dtype) for side in ("low", "high"))
    weights = np.zeros((lanes, d + 1), dtype)
    for k, model in enumerate(models):
        if model.coef is not None:
            weights[k * widths[k] : (k + 1) * widths[k], :d] = model.coef
    np.clip(weights[:, :d], low, high, out=weights[:, :d])
    weights[:, d] = np.concatenate([model.start for model in models])
    return Lanes(
        target=np.zeros(lanes, np.int64),
        fold=table([model.fold for model in models], np.int64),
        replicate=table([model.replicate for model in models], np.int64),
        scale=np.ones(lanes),
        loss=table([model.loss for model in models], np.float64),
        optimizer=table([model.optimizer or () for model in models], np.float64),
        penalty=table([model.penalty for model in models], dtype),
        low=low,
        high=high,
        weights=weights,
        slots=np.zeros((lanes, models[0].optimizer.slots if models[0].optimizer else 0, d + 1), dtype),
        carry=np.ones((lanes, 2)),
        averages=np.zeros((lanes, 0 if average is None else d + 1)),
        begin=np.full(lanes, average or 1),
    )


def loss_of(loss, lanes):
    """The address of what a loss does to a block."""
    return address(loss_block, lanes.weights.dtype, type(loss))


class Move(NamedTuple):
    """How a step moves weights."""

    address: int  # of the ``move_weights`` of the optimizer and the penalty
    free: bool  # whether there is neither a penalty nor a bound


def move_of(parts, lanes):
    """How steps of an optimizer with a penalty move the weights."""
    found = address(move_weights, lanes.weights.dtype, type(parts.optimizer), type(parts.penalty))
    return Move(found, type(parts.penalty) is Free)
