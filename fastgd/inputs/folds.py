"""Cross-validation: which rows each fold trains on and which it holds out.

A fold is no copy of data but an array of *roles*, one small integer for each row of the table: 1, 2, ... is how often
the fold trains on the row, -1 means that the row is held out to test on, and 0 that it is not used.
"""

import numbers
from typing import NamedTuple

import numpy as np

from ..wording import brief
from . import arguments

MOST = 1000  # folds
VALID = "a number of folds such as 5, pairs (train, test) of row numbers or masks, or a scikit-learn splitter"


class Folds(NamedTuple):
    """The role of each row in each fold."""

    roles: np.ndarray  # (folds, n) int8: > 0 how often a row is trained on, 0 not used, -1 held out to test on


def folds_of(cv, X, y, classes, seed, groups=None):
    """The folds of an argument ``cv``.

    Parameters
    ----------
    cv : int, iterable of pairs, or scikit-learn splitter
        A number k of folds, drawn at random: every row is tested on once, and the sizes of the folds differ by at most
        one; with class labels, so do the rows of each class. Or pairs ``(train, test)`` of integer arrays or boolean
        masks; a row repeated in ``train`` counts as often. Or an object with ``split`` and ``get_n_splits``.
    X : ndarray (n, d)
        Passed to splitters only.
    y : ndarray (targets, n)
        Numbers, or the codes 0, 1, ... of the classes.
    classes : array-like (K,) or None
        The labels behind the codes.
    seed : int
        Seed of the random folds.
    groups : array-like (n,) or None, default None
        Passed to splitters only.

    Returns
    -------
    Folds

    Raises
    ------
    ValueError, TypeError
        The message names the split and the row; a splitter's own error begins with "cv: ".

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.inputs.folds import folds_of
    >>> X, y = np.zeros((4, 1)), np.zeros((1, 4))
    >>> folds_of([([0, 0, 1], [3]), ([1, 2], [0])], X, y, None, seed=0).roles
    array([[ 2,  1,  0, -1],
           [-1,  1,  1,  0]], dtype=int8)
    """
    if isinstance(cv, type):
        raise TypeError(f"cv={cv.__name__} is a class: call it, e.g. cv={cv.__name__}().")
    if hasattr(cv, "split") and hasattr(cv, "get_n_splits"):
        target = y[0] if len(y) == 1 else y.T
        return _given(lambda: cv.split(X, target, groups), y, classes)
    if groups is not None:
        example = "cv=sklearn.model_selection.GroupKFold(5)"
        raise ValueError(f"groups are for splitters, e.g. {example}; got cv={brief(cv)}.")
    if isinstance(cv, numbers.Real) and not isinstance(cv, (bool, np.bool_)):
        return _drawn(_count(cv, y.shape[1]), y, classes, seed)
    if isinstance(cv, (str, bytes)) or not hasattr(cv, "__iter__"):
        raise TypeError(f"cv={brief(cv)} must be {VALID}.")
    return _given(lambda: cv, y, classes)


def _count(cv, n):
    """The number of folds, at most the number of rows ``n``."""
    if 0 < cv < 1:
        share = f"{float(cv):g}"
        raise ValueError(f"cv={share} must be a whole number of folds; to hold out once pass validation={share}.")
    k = arguments.whole("cv", cv, 2)
    if k > MOST:
        raise ValueError(f"cv={k} is more than {MOST} folds: 5 or 10 are usual.")
    if k > n:
        raise ValueError(f"cv={k} needs at least {k} rows, but X has {n}: pass a smaller cv or more rows.")
    return k


def _drawn(k, y, classes, seed):
    """``k`` random folds, each class spread evenly over them."""
    n = y.shape[1]
    order = np.random.default_rng(seed).permutation(n)
    if classes is not None:
        for codes in y:
            rows = np.bincount(codes.astype(np.intp), minlength=len(classes))
            if rows.min() < 2:
                label, count = brief(np.asarray(classes)[rows.argmin()].tolist(), 60), rows.min()
                words = f"has {count} {'row' if count == 1 else 'rows'}, so some fold has none to train on"
                raise ValueError(f"cv={k}: class {label} {words}. Drop or merge classes of fewer than 2 rows.")
        # Dealt out class by class, so that all rows and those of each class are spread evenly.
        order = order[np.lexsort(y[:, order])]
    roles = np.ones((k, n), np.int8)
    roles[np.arange(n) % k, order] = -1
    return Folds(roles)


def _given(splits, y, classes):
    """The folds of the pairs (train, test) that ``splits()`` yields."""
    n = y.shape[1]
    roles = []
    # One pair at a time: row numbers take eight times the memory of roles.
    for k, pair in enumerate(_named(splits)):
        if k == MOST:
            raise ValueError(f"cv yields more than {MOST} splits: pass fewer.")
        roles.append(_roles(k, pair, n))
        if classes is not None and any((codes[roles[k] > 0] == codes[np.argmax(roles[k])]).all() for codes in y):
            raise ValueError(f"cv: split {k} trains on one class only: stratify the splits or shuffle the rows.")
    if not roles:
        hint = "A generator is empty once used."
        raise ValueError(f"cv yields no splits: at least one pair (train, test) is needed. {hint}")
    return Folds(np.stack(roles))


def _named(splits):
    """The pairs; an error of the iterator or splitter is raised with "cv: " before it."""
    try:
        yield from splits()
    except Exception as error:
        raise ValueError(f"cv: {str(error) or type(error).__name__}") from error


def _roles(k, pair, n):
    """The roles (n,) of split ``k``."""
    try:
        train, test = pair
    except (TypeError, ValueError):
        hint = "One split is a list of one pair: cv=[(train, test)]."
        raise ValueError(f"cv: split {k} must be a pair (train, test), got {brief(pair, 60)}. {hint}") from None
    trained, tested = (_counts(f"{name} of split {k}", rows, n) for name, rows in (("train", train), ("test", test)))
    for counts, most, verb in ((trained, 127, "trains on"), (tested, 1, "tests on")):
        if counts.max() > most:
            row = int(np.argmax(counts > most))
            raise ValueError(f"cv: split {k} {verb} row {row} {counts[row]} times; at most {most} is possible.")
    both = (trained > 0) & (tested > 0)
    if both.any():
        raise ValueError(f"cv: split {k} trains and tests on row {int(both.argmax())}: remove it from one of them.")
    return trained.astype(np.int8) - tested.astype(np.int8)


def _counts(name, rows, n):
    """How often each of ``n`` rows occurs in row numbers, or is true in a mask."""
    try:
        rows = np.asarray(rows)
    except ValueError as error:
        raise ValueError(f"cv: {name} can't be converted to an array: {error}.") from None
    if rows.ndim != 1:
        hint = "" if rows.ndim else " One split is a list of one pair: cv=[(train, test)]."
        raise ValueError(f"cv: {name} must have one dimension, got shape {rows.shape}.{hint}")
    if not rows.size:
        raise ValueError(f"cv: {name} is empty: at least one row is needed.")
    if rows.dtype.kind == "b":
        if rows.size != n:
            raise ValueError(f"cv: {name} is a mask of {rows.size} rows, but X has {n}.")
        if not rows.any():
            raise ValueError(f"cv: {name} is a mask that selects no row: at least one is needed.")
        return rows.view(np.int8)
    if rows.dtype.kind not in "iu":
        raise TypeError(f"cv: {name} has dtype {rows.dtype}: pass integer row numbers or a boolean mask.")
    for outside, words in ((rows < 0, "row numbers start at 0"), (rows >= n, f"X has {n} rows, 0 to {n - 1}")):
        if outside.any():
            raise ValueError(f"cv: {name} holds the row {rows[outside.argmax()]}: {words}.")
    return np.bincount(rows.astype(np.intp), minlength=n)
