"""What the estimators do with sources: their rows as a fit takes them, one array where they are small."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_array, check_is_fitted

from ..inputs.opened import EMPTY, check_targets, matrix, vectors_of
from ..linear.partial_fit import labels_in
from ..sources.base import OFFSET, WEIGHT, X, Y
from ..sources.blocks import blocks_of
from ..sources.rows import SourceRows
from ..sources.some_rows import SomeRows
from ..wording import count

NO_OFFSET = "The source holds an offset, which the estimators do not take: leave it out, or use fastgd.fit."


def rows_to_fit(source, y, sample_weight):
    """The rows of a source, an array or CSR matrix where they are few, its targets and its weights."""
    if OFFSET in source.parts:
        raise ValueError(NO_OFFSET)
    y, given = vectors_of(source, y, {"sample_weight": sample_weight})
    rows = matrix(source).rows
    return rows.given() if rows.in_memory else rows, y, given["sample_weight"]


def checked_targets(y, multi_output=False, y_numeric=False):
    """Targets as scikit-learn's ``validate_data`` has them, of rows that are not in memory."""
    kind = np.float64 if y_numeric and y.dtype.kind == "O" else None
    y = check_array(y, ensure_2d=False, dtype=kind, input_name="y")
    if y.ndim == 2 and not multi_output:
        raise ValueError(f"y has {count(y.shape[1], 'column')}, and one column of targets is needed.")
    return y


def is_sparse(rows):
    """Whether rows are sparse."""
    return issparse(rows) or getattr(rows, "sparse", False)


def some_rows(rows, mask):
    """The rows that a mask marks."""
    return SourceRows(SomeRows(rows.source, np.flatnonzero(mask))) if isinstance(rows, SourceRows) else rows[mask]


def products(rows, coef):
    """The rows times coefficients (m, d): (n, m)."""
    return rows.scores(coef) if isinstance(rows, SourceRows) else safe_sparse_dot(rows, coef.T, dense_output=True)


def learn_columns(estimator, source):
    """Set the attributes of the columns that an estimator was fitted on."""
    estimator.n_features_in_ = source.columns
    vars(estimator).pop("feature_names_in_", None)
    if source.names is not None:
        estimator.feature_names_in_ = np.array(source.names, dtype=object)


def check_columns(estimator, source):
    """Raise where the columns of a source are not those that an estimator was fitted on."""
    check_is_fitted(estimator)
    name, count = type(estimator).__name__, estimator.n_features_in_
    if source.columns != count:
        raise ValueError(f"X has {source.columns} features, but {name} is expecting {count} features as input.")
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and source.names is not None and tuple(source.names) != tuple(names):
        raise ValueError(
            f"The source has the columns {tuple(source.names)}, but the model was fitted on {tuple(names)}."
        )


def chunks(estimator, source, y, sample_weight, classes=None):
    """Let an estimator take the chunks of a source: its rows in blocks of 16 MB of numbers."""
    if y is not None or sample_weight is not None:
        raise TypeError("X is a source, which holds its targets and weights: leave them out.")
    check_targets(source)
    if OFFSET in source.parts:
        raise ValueError(NO_OFFSET)
    if getattr(estimator, "coef_", None) is not None:
        check_columns(estimator, source)
    names = vars(estimator).pop("feature_names_in_", source.names)
    first = None
    for block in blocks_of(source):
        more = {} if classes is None else {"classes": classes() if first is None else None}
        first = estimator.partial_fit(block.X.given(), block.y, sample_weight=block.weight, **more)
    if first is None:
        raise ValueError(EMPTY)
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    return estimator


def classes_of(estimator, source, classes):
    """The classes for the first chunk of a source: those given, or all labels of one that can be read again."""
    known = getattr(estimator, "coef_", None) is not None
    return classes if classes is not None or known or not source.repeatable else labels_in(source)


def answers(estimator, source, answer):
    """An iterator of answers to the linear scores of the blocks of a source."""
    check_columns(estimator, source)
    if OFFSET in source.parts:
        raise ValueError(NO_OFFSET)
    return (answer(scores) for _, scores in scored(estimator, source, (X,)))


def scored(estimator, source, parts):
    """Yield the blocks of a source and their linear scores."""
    coef = estimator.coef_.toarray() if issparse(estimator.coef_) else estimator.coef_
    for block in blocks_of(source, parts):
        found = products(block.X.given(), coef.reshape(-1, source.columns)) + estimator.intercept_
        yield block, estimator._shaped(found)


def predictions(estimator, source, y, sample_weight):
    """The targets, predictions and weights (or None) of a source, in one pass over it."""
    check_columns(estimator, source)
    if y is not None or Y not in source.parts:
        raise TypeError("score() takes a source that holds its targets, and no y beside it.")
    targets, found, weights = [], [], []
    for block, scores in scored(estimator, source, (X, Y, WEIGHT)):
        targets.append(np.array(block.y))
        found.append(estimator._predicted(scores))
        weights.append(block.weight)
    own = np.concatenate(weights) if WEIGHT in source.parts else sample_weight
    return np.concatenate(targets), np.concatenate(found), own
