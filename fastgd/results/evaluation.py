"""The objective of a fitted model on any data, in one NumPy pass."""

import numpy as np

from ..inputs import arrays
from ..inputs.part_serialization import part_of_run
from ..parts import losses
from ..parts.penalties import ElasticNet


def objective(result, X, y, sample_weight=None, offset=None):
    """The mean of weight * loss over targets and rows, weights scaled to mean 1, plus the penalty of a result."""
    state, loss = result.state, part_of_run(result.state, "loss", losses)
    scores = result.decision_function(X, offset)
    n = len(scores)
    y, _ = arrays.target(y, n, state.shift.dtype, loss, result.classes)
    weight = arrays.row_weights(sample_weight, n, np.dtype(np.float64))
    with np.errstate(all="ignore"):
        if loss.joint:
            values = losses.of_rows(loss, scores, y[0].astype(np.float64))[0][:, None]
        else:
            values = loss.value(scores.reshape(n, -1), y.T.astype(np.float64))
        mean = float((values * weight[:, None] if weight.size else values).mean(axis=0).mean())
        return mean + penalty(result) / values.shape[1]


def penalty(result):
    """The penalty of a result's coefficients: of the scaled ones, where columns are standardised."""
    state = result.state
    alpha, l1_ratio = state.options["alpha"], state.options["l1_ratio"]
    coef = result.coef
    if state.resolved["standardize"]:
        coef = coef / np.where(state.inverse_scale > 0, state.inverse_scale, 1.0).astype(np.float64)
    factor = 1.0 if state.penalty_factor is None else state.penalty_factor
    return float(np.sum(factor * ElasticNet(alpha * l1_ratio, alpha * (1 - l1_ratio)).cost(coef)))
