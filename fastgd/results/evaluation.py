"""The objective and the score of a fitted model on any data, each in one NumPy pass."""

from typing import NamedTuple

import numpy as np

from ..inputs import arrays
from ..inputs.opened import vectors_of
from ..inputs.part_serialization import part_of_run
from ..parts import losses
from ..parts.penalties import ElasticNet
from ..sources.base import OFFSET, Source
from ..wording import count
from .dask_answers import is_collection
from .quality import ACCURACY, D2, accuracy, columns, explained, measure_of, spread, squares


class Rows(NamedTuple):
    """Data that a model is judged by."""

    y: object  # as given
    n: int
    weight: np.ndarray  # (n,) of mean 1, or empty
    offset: object  # as given
    blocks: object  # iterable of the linear scores of some rows after others


def rows_of(result, X, y, sample_weight, offset):
    """The rows of data, in memory or of a source, as a result scores them."""
    if is_collection(X):
        raise TypeError("X is a Dask collection: pass fastgd.sources.dask(X, y) in place of X and y.")
    if isinstance(X, Source):
        y, given = vectors_of(X, y, {"sample_weight": sample_weight, "offset": offset})
        blocks = result.decision_function(X, None if OFFSET in X.parts else offset)
        n, sample_weight, offset = X.n, given["sample_weight"], given["offset"]
    else:
        blocks = [result.decision_function(X, offset)]
        n = len(blocks[0])
    return Rows(y, n, arrays.row_weights(sample_weight, n, np.dtype(np.float64)), offset, blocks)


def numbered(blocks):
    """Pairs of a slice of rows and their scores."""
    first = 0
    for scores in blocks:
        rows = slice(first, first + len(scores))
        yield rows, scores
        first = rows.stop


def objective(result, X, y, sample_weight=None, offset=None):
    """The mean of weight * loss over targets and rows, weights scaled to mean 1, plus the penalty of a result."""
    state, loss = result.state, part_of_run(result.state, "loss", losses)
    data = rows_of(result, X, y, sample_weight, offset)
    y, _ = arrays.target(data.y, data.n, state.shift.dtype, loss, result.classes)
    check_targets(result, y)
    sums = [loss_sums(loss, scores, y[:, rows], data.weight[rows]) for rows, scores in numbered(data.blocks)]
    mean = float((np.sum(sums, axis=0) / data.n).mean())
    return mean + penalty(result) / len(sums[0])


def check_targets(result, y):
    """Raise where targets (targets, n) are not as many as the model's."""
    fitted = 1 if result.classes is not None else len(np.atleast_2d(result.coef))
    if len(y) != fitted:
        raise ValueError(f"y has {count(len(y), 'target')}, but the model was fitted to {fitted}.")


def score(result, X, y, sample_weight=None, offset=None):
    """The accuracy, R2 or D2 of a result, by its loss (``measure_of``); of several targets the mean."""
    loss = part_of_run(result.state, "loss", losses)
    data = rows_of(result, X, y, sample_weight, offset)
    if measure_of(loss) == ACCURACY:
        return accuracy_of(result, data)
    y, _ = arrays.target(data.y, data.n, np.dtype(np.float64), loss)
    check_targets(result, y)
    y, weight = columns(y.T), data.weight if data.weight.size else None
    d2, left = measure_of(loss) == D2, 0.0
    for rows, scores in numbered(data.blocks):
        some = data.weight[rows] if data.weight.size else None
        if d2:
            left = left + loss_sums(loss, scores, y[rows].T, data.weight[rows])
        else:
            means = columns(loss.mean(scores) if result.state.link else scores)
            left = left + squares(y[rows] - means, some)
    whole = null_losses(loss, y, data) if d2 else spread(y, weight)
    return explained(left, whole, data.n)


def accuracy_of(result, data):
    """The share of the weight of rows whose label a result predicts."""
    labels = np.asarray(data.y)
    labels = labels.reshape(-1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (data.n,):
        raise ValueError(f"y has shape {labels.shape}, but X has {count(data.n, 'row')}: shape ({data.n},) is needed.")
    if labels.dtype.kind == "f":
        arrays.all_finite("y", labels, labels)
    known, found = result.classes.tolist(), arrays.labels_of("y", labels)
    if not any(label in known for label in found.tolist()):
        what = f"y holds the classes {arrays.shown(found)}"
        raise ValueError(f"{what}, but the model's classes are {arrays.shown(result.classes)}.")
    predictions = np.concatenate([result._labels_of(scores) for scores in data.blocks])
    return accuracy(labels, predictions, data.weight if data.weight.size else None)


def null_losses(loss, y, data):
    """The sums (targets,) of weight * loss of targets (n, targets) at the best constant of each, beside the offset.

    0 of targets that are all the same, whose best constant is it but for rounding.
    """
    offset = arrays.offset(data.offset, data.n, np.dtype(np.float64)) if data.offset is not None else np.zeros(data.n)
    weight = data.weight if data.weight.size else np.ones(data.n)
    scores = [loss.best_constant(one, weight, offset) + offset for one in y.T]
    sums = loss_sums(loss, np.column_stack(scores), y.T, data.weight)
    return np.where(np.ptp(y[weight > 0], axis=0) > 0, sums, 0.0) if data.offset is None else sums


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
