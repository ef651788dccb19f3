"""The objective of a fitted model on any data, in one NumPy pass."""

import numpy as np

from ..inputs import arrays
from ..inputs.opened import vectors_of
from ..inputs.part_serialization import part_of_run
from ..parts import losses
from ..parts.penalties import ElasticNet
from ..sources.base import OFFSET, Source


def objective(result, X, y, sample_weight=None, offset=None):
    """The mean of weight * loss over targets and rows, weights scaled to mean 1, plus the penalty of a result."""
    state, loss, blocks = result.state, part_of_run(result.state, "loss", losses), None
    if isinstance(X, Source):
        y, given = vectors_of(X, y, {"sample_weight": sample_weight, "offset": offset})
        sample_weight, n = given["sample_weight"], X.n
        blocks = result.decision_function(X, None if OFFSET in X.parts else offset)
    else:
        blocks = [result.decision_function(X, offset)]
        n = len(blocks[0])
    y, _ = arrays.target(y, n, state.shift.dtype, loss, result.classes)
    weight = arrays.row_weights(sample_weight, n, np.dtype(np.float64))
    sums, first = [], 0
    for scores in blocks:
        rows = slice(first, first + len(scores))
        sums.append(loss_sums(loss, scores, y[:, rows], weight[rows]))
        first = rows.stop
    mean = float((np.sum(sums, axis=0) / n).mean())
    return mean + penalty(result) / len(sums[0])


def loss_sums(loss, scores, y, weight):
    """The sums (targets,) of weight * loss over some rows."""
    with np.errstate(all="ignore"):
        if loss.joint:
            values = losses.of_rows(loss, scores, y[0].astype(np.float64))[0][:, None]
        else:
            values = loss.value(scores.reshape(len(scores), -1), y.T.astype(np.float64))
        return (values * weight[:, None] if weight.size else values).sum(axis=0)


def penalty(result):
    """The penalty of a result's coefficients: of the scaled ones, where columns are standardised."""
    state = result.state
    alpha, l1_ratio = state.options["alpha"], state.options["l1_ratio"]
    coef = result.coef
    if state.resolved["standardize"]:
        coef = coef / np.where(state.inverse_scale > 0, state.inverse_scale, 1.0).astype(np.float64)
    factor = 1.0 if state.penalty_factor is None else state.penalty_factor
    return float(np.sum(factor * ElasticNet(alpha * l1_ratio, alpha * (1 - l1_ratio)).cost(coef)))
