"""How good predictions are, as one number of at most 1: R2, accuracy and D2, with weights and several targets."""

import numpy as np

ACCURACY, R2, D2 = "accuracy", "R2", "D2"


def measure_of(loss):
    """What the score of a model of this loss is, as its class says."""
    if loss.labels:
        return ACCURACY
    return R2 if loss.best_constant is None else D2


def r_squared(y, predictions, weight=None):
    """R squared of predictions (n,) or (n, targets), of several targets the mean.

    As scikit-learn's ``r2_score``: of targets that are all the same 1 where they are met and else 0, NaN of one row.

    Examples
    --------
    >>> r_squared([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """
    y, predictions = columns(y), columns(predictions)
    return explained(squares(y - predictions, weight), spread(y, weight), len(y))


def accuracy(y, predictions, weight=None):
    """The share of the weight of the labels (n,) that are met."""
    met = np.asarray(y) == np.asarray(predictions)
    return float(np.average(met, weights=weight))


def explained(left, whole, rows):
    """The mean over the targets of 1 - ``left`` / ``whole``: which share of a sum (targets,) a model explains."""
    if rows < 2:
        return float("nan")
    left, whole = np.asarray(left, np.float64), np.asarray(whole, np.float64)
    with np.errstate(all="ignore"):
        found = np.where(whole <= 0, np.where(left > 0, 0.0, 1.0), 1.0 - left / whole)  # NaN stays
    return float(found.mean())


def spread(y, weight=None):
    """The sums (targets,) of the squares about the means of the targets (n, targets)."""
    with np.errstate(all="ignore"):
        return squares(y - np.average(y, axis=0, weights=weight), weight)


def squares(residuals, weight):
    """The sums over the rows of squared residuals (n, targets), each times the weight of its row."""
    with np.errstate(all="ignore"):
        values = np.square(residuals)
        return values.sum(axis=0) if weight is None else weight @ values


def columns(values):
    """Numbers (n,) or (n, targets) as float64 (n, targets)."""
    values = np.asarray(values, np.float64)
    return values.reshape(len(values), -1)
