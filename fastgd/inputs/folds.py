"""Cross-validation on the host: which rows each fold trains on and tests on, and what the folds' losses tell.

A fold needs no data of its own. It is a row of *roles*, one small integer for each row of the table: 1, 2, ... is how
often the fold trains on the row, -1 says that the row is held out to be tested on, and 0 that it is not used at all.
"""

import numbers
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..parts.registry import brief
from . import arguments, arrays

MOST = 1000  # folds
VALID = "a number of folds such as 5, pairs (train, test) of row numbers or masks, or a scikit-learn splitter"


class Folds(NamedTuple):
    """What each fold does with each row."""

    roles: np.ndarray  # (folds, n) int8: > 0 how often a row is trained on, 0 not used, -1 held out to test on


def folds_of(cv, X, y, classes, seed, groups=None):
    """The folds that ``cv`` asks for.

    Parameters
    ----------
    cv : int, iterable of pairs, or scikit-learn splitter
        A number k of folds, drawn at random: every row is tested on once, and the folds' sizes (of class labels also
        those of each class) differ by one at most. Or pairs ``(train, test)`` of integer arrays or boolean masks; a row
        repeated in ``train`` counts as often. Or an object with ``split`` and ``get_n_splits``.
    X : ndarray (n, d)
        Handed to splitters only.
    y : ndarray (targets, n)
        Numbers, or the codes 0, 1, ... of the classes.
    classes : array-like (K,) or None
        The labels behind the codes.
    seed : int
        Of the drawing.
    groups : array-like (n,) or None, default None
        Handed to splitters only.

    Returns
    -------
    Folds

    Raises
    ------
    ValueError, TypeError
        Naming the split and the row, what was given and what to do; a splitter's own error begins with "cv: ".

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.folds import folds_of
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
        raise ValueError(f"groups are for splitters, e.g. {example}, got cv={brief(cv)}.")
    if isinstance(cv, numbers.Real) and not isinstance(cv, (bool, np.bool_)):
        return _drawn(_count(cv, y.shape[1]), y, classes, seed)
    if isinstance(cv, (str, bytes)) or not hasattr(cv, "__iter__"):
        raise TypeError(f"cv={brief(cv)} must be {VALID}.")
    return _given(lambda: cv, y, classes)


def _count(cv, n):
    """A number of folds that ``n`` rows can be cut into."""
    if 0 < cv < 1:
        share = f"{float(cv):g}"
        raise ValueError(f"cv={share} must be a whole number of folds; to hold out a share once: validation={share}.")
    k = arguments.whole("cv", cv, 2)
    if k > MOST:
        raise ValueError(f"cv={k} is more than {MOST} folds: 5 or 10 are usual.")
    if k > n:
        raise ValueError(f"cv={k} needs at least {k} rows, but X has {n}: pass a smaller cv or more rows.")
    return k


def _drawn(k, y, classes, seed):
    """Folds of rows drawn at random, each class spread evenly over them."""
    n = y.shape[1]
    order = np.random.default_rng(seed).permutation(n)
    if classes is not None:
        for codes in y:
            rows = np.bincount(codes.astype(np.intp), minlength=len(classes))
            if rows.min() < 2:
                label, count = brief(np.asarray(classes)[rows.argmin()].tolist(), 60), rows.min()
                words = f"has {count} {'row' if count == 1 else 'rows'}, none to train on in some fold"
                raise ValueError(f"cv={k}: the class {label} {words}. Drop or merge classes of fewer than 2 rows.")
        # Dealt out class after class, both the whole and each class are spread evenly.
        order = order[np.lexsort(y[:, order])]
    roles = np.ones((k, n), np.int8)
    roles[np.arange(n) % k, order] = -1
    return Folds(roles)


def _given(splits, y, classes):
    """Folds from the pairs (train, test) that the call ``splits`` gives."""
    n = y.shape[1]
    roles = []
    # One pair at a time: row numbers take eight times the memory of roles.
    for k, pair in enumerate(_named(splits)):
        if k == MOST:
            raise ValueError(f"cv gives more than {MOST} splits: pass fewer.")
        roles.append(_roles(k, pair, n))
        if classes is not None and any((codes[roles[k] > 0] == codes[np.argmax(roles[k])]).all() for codes in y):
            words = "stratify the splits or shuffle the rows"
            raise ValueError(f"cv: split {k} trains on rows of one class only: {words}.")
    if not roles:
        raise ValueError("cv gives no splits: one pair (train, test) is the least. A generator is empty once used.")
    return Folds(np.stack(roles))


def _named(splits):
    """The pairs; what goes wrong while they are made names cv."""
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
            times = f"{most} times is the most" if most > 1 else "once is enough"
            raise ValueError(f"cv: split {k} {verb} row {row} {counts[row]} times: {times}.")
    both = (trained > 0) & (tested > 0)
    if both.any():
        raise ValueError(f"cv: split {k} trains and tests on row {int(both.argmax())}: take it out of one of them.")
    return trained.astype(np.int8) - tested.astype(np.int8)


def _counts(name, rows, n):
    """How often each of ``n`` rows is among some row numbers or is true in a mask."""
    try:
        rows = np.asarray(rows)
    except ValueError as error:
        raise ValueError(f"cv: {name} can't be made an array: {error}.") from None
    if rows.ndim != 1:
        hint = "" if rows.ndim else " One split is a list of one pair: cv=[(train, test)]."
        raise ValueError(f"cv: {name} must have one dimension, got shape {rows.shape}.{hint}")
    if not rows.size:
        raise ValueError(f"cv: {name} is empty: at least one row is needed.")
    if rows.dtype.kind == "b":
        if rows.size != n:
            raise ValueError(f"cv: {name} is a mask of {rows.size} rows, but X has {n}.")
        if not rows.any():
            raise ValueError(f"cv: {name} is a mask of no row: at least one is needed.")
        return rows.view(np.int8)
    if rows.dtype.kind not in "iu":
        raise TypeError(f"cv: {name} is of type {rows.dtype}: integer row numbers or a boolean mask are needed.")
    for outside, words in ((rows < 0, "rows are counted from 0"), (rows >= n, f"X has {n} rows, 0 to {n - 1}")):
        if outside.any():
            raise ValueError(f"cv: {name} holds the row {rows[outside.argmax()]}: {words}.")
    return np.bincount(rows.astype(np.intp), minlength=n)


@dataclass(frozen=True, eq=False)
class Scores:
    """The held-out loss of each setting in each fold, and which settings it speaks for.

    Attributes
    ----------
    losses : ndarray (settings, folds)
        Smaller is better; for a scorer, minus the score.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.folds import Scores
    >>> s = Scores(np.array([[3.0, 5.0], [2.0, 4.0], [9.0, 9.0]]))
    >>> s.mean, s.best, s.simplest([1.0, 0.1, 10.0])
    (array([4., 3., 9.]), 1, 0)
    """

    losses: np.ndarray

    @property
    def mean(self):
        """(settings,) The mean over the folds; infinite where a fold's loss is not finite."""
        with np.errstate(all="ignore"):
            mean = self.losses.mean(axis=1)
        return np.where(np.isfinite(self.losses).all(axis=1) & np.isfinite(mean), mean, np.inf)

    @property
    def standard_error(self):
        """(settings,) Of the mean: the folds' standard deviation over the root of their number.

        NaN for one fold, and where a fold's loss is not finite.
        """
        folds = self.losses.shape[1]
        if folds == 1:
            return np.full(len(self.losses), np.nan)
        with np.errstate(all="ignore"):
            return self.losses.std(axis=1, ddof=1) / np.sqrt(folds)

    @property
    def best(self):
        """The index of the smallest finite mean, the first of equals."""
        mean = self.mean
        if not np.isfinite(mean).any():
            raise ValueError(
                "No setting has a finite loss in every fold: give smaller learning rates, or check X, y and scoring."
            )
        return int(np.argmin(mean))

    def simplest(self, order):
        """The index of the simplest setting whose mean is within one standard error of the best one's.

        The one-standard-error rule (Breiman, Friedman, Olshen and Stone 1984; glmnet's ``lambda.1se``).

        Parameters
        ----------
        order : array-like (settings,)
            Larger is simpler, e.g. the strength of the penalty. Of equals the smaller mean is taken.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            Where no mean is finite, or ``order`` is not one number a setting.
        """
        order = arrays.numeric("order", order).astype(np.float64)
        if order.shape != (len(self.losses),) or np.isnan(order).any():
            raise ValueError(
                f"order must be one number for each of {len(self.losses)} settings, got {brief(order, 60)}."
            )
        mean, best = self.mean, self.best
        error = self.standard_error[best]
        limit = mean[best] + (error if np.isfinite(error) else 0.0)
        near = np.flatnonzero(np.isfinite(mean) & (mean <= limit))
        return int(min(near, key=lambda k: (-order[k], mean[k])))
