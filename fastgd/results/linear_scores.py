"""The linear scores of rows by a model, and what rows must be for it: its columns, and an offset where it had one."""

import numpy as np

from ..inputs import arrays
from ..wording import count


def linear_scores(result, X, offset, place="row {}".format):
    """The scores (n,) or (n, m) of rows in memory; an error names the rows by ``place``."""
    X, names, _ = arrays.matrix(X)
    check_columns(result, X.shape[1], names)
    with np.errstate(all="ignore"):
        scores = X.scores(result.coef) + result.intercept
    scores = _with_offset(result, scores, offset)
    if not np.isfinite(scores).all():
        arrays.finite_columns(X, names, place)
        row = np.argwhere(~np.isfinite(scores))[0][0]
        raise ValueError(f"X has values whose score overflows, the first in {place(row)}.")
    return scores


def check_columns(result, columns, names):
    """Raise where rows of so many columns, of these names or None, are not those of the model."""
    if columns != result.coef.shape[-1]:
        lacking = [name for name in result.feature_names or () if name not in names] if names else []
        which = f" X lacks {', '.join(map(repr, lacking[:5]))}{', ...' if len(lacking) > 5 else ''}." if lacking else ""
        raise ValueError(
            f"X has {count(columns, 'column')}, but the model was fitted on {result.coef.shape[-1]}.{which}"
        )
    if names and result.feature_names and names != result.feature_names:
        again = ": pass X[list(r.feature_names)]" if sorted(names) == sorted(result.feature_names) else ""
        raise ValueError(f"X has the columns {names}, but the model was fitted on {result.feature_names}{again}.")


def check_offset(result):
    """Raise where the model needs an offset."""
    if result.state is not None and result.state.offset:
        raise ValueError(
            "offset is missing: the model was fitted with one. Pass offset=, an array (rows,); zeros predict "
            "for an offset of 0."
        )


def _with_offset(result, scores, offset):
    if offset is None:
        check_offset(result)
        return scores
    offset = arrays.offset(offset, len(scores), np.dtype(np.float64))
    return scores + (offset if scores.ndim == 1 else offset[:, None])
