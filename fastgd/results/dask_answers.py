"""What a model answers to a Dask collection: another one, which is computed where and when the user wants it."""

import numpy as np

from .linear_scores import check_columns, check_offset


def is_collection(X):
    """Whether X is an array or a data frame of Dask."""
    return hasattr(X, "__dask_graph__")


def over_collection(result, answer, given, offset, word):
    """The answers to the rows of a collection, partition by partition, as an array, a series or a data frame."""
    if offset is not None:
        raise ValueError("offset is for rows in memory and sources: pass fastgd.sources.dask(X, offset=...).")
    check_offset(result)
    # A row of zeros shows the type and the shape of answers.
    form = answer(np.zeros((1, result.coef.shape[-1])), None)
    if hasattr(given, "map_partitions"):
        check_columns(result, len(given.columns), tuple(map(str, given.columns)))
        return given.map_partitions(of_frame, answer, form, word, meta=framed(form[:0], given._meta.index, word))
    check_columns(result, given.shape[1], None)
    given = given.rechunk({1: -1})
    shape = {"drop_axis": 1} if form.ndim == 1 else {"chunks": (given.chunks[0], form.shape[1:])}
    return given.map_blocks(of_array, answer, form, meta=form[:0], dtype=form.dtype, **shape)


def of_array(X, answer, form):
    """The answers to a block."""
    return answer(X, None) if len(X) else form[:0]


def of_frame(X, answer, form, word):
    """The answers to a partition, with its index."""
    return framed(of_array(X, answer, form), X.index, word)


def framed(values, index, word):
    """Answers as a series, or a data frame of a column for each target or class."""
    import pandas as pd

    if values.ndim == 1:
        return pd.Series(values, index=index, name=word)
    return pd.DataFrame(values, index=index, columns=[f"{word}_{k}" for k in range(values.shape[1])])
