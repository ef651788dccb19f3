"""A source in place of X and y: its vectors are read, its X is read when a pass needs it."""

import numpy as np

from ..kernels.layouts import frozen
from ..sources.base import OFFSET, VECTORS, WEIGHT, Source, Y
from ..sources.room import room
from ..sources.rows import SourceRows
from .arrays import Matrix

EMPTY = "The source is empty: none of its shards has a row."
LOADED_BYTES = 1 << 26  # a source whose X takes no more is read into memory once


def opened(X, y, given, rows_of=None):
    """X, y and the options given, where X is a source with what it holds; anything else is returned as it is.

    ``rows_of(source)`` are the rows where an engine puts them; by default they are read where they lie.

    What has one number a row, y, weights and offsets, is kept: in memory, or in a temporary file where rows are many.
    """
    if not isinstance(X, Source):
        if rows_of is not None:
            raise TypeError(
                "engine is for sources, whose rows its workers read by themselves: pass one of fastgd.sources in place "
                "of X and y."
            )
        return X, y, given
    y, found = vectors_of(X, y, given)
    return matrix(X, rows_of), y, found


def vectors_of(source, y, given):
    """The targets of a source, and what is given with its weights and offsets as "sample_weight" and "offset"."""
    if y is not None:
        raise TypeError("X is a source, which holds its targets: leave out y.")
    check_targets(source)
    found = dict(given)
    for part, name in ((WEIGHT, "sample_weight"), (OFFSET, "offset")):
        if part in source.parts and found.get(name) is not None:
            raise ValueError(f"{name} is given, and the source holds its own: leave out one of them.")
    repeatable(source)
    some_rows(source)
    held = vectors(source)
    if WEIGHT in held:
        found["sample_weight"] = held[WEIGHT]
    if OFFSET in held:
        found["offset"] = held[OFFSET]
    return held[Y], found


def check_targets(source):
    """Raise for a source without targets."""
    if Y not in source.parts:
        raise ValueError("The source has no targets: name their column, target=..., when it is opened.")


def repeatable(source):
    """Raise for a source that can be read once only."""
    if not source.repeatable:
        raise ValueError(
            "The source can be read once, and its rows are needed several times: pass source.cached(folder), or the "
            "source to partial_fit."
        )


def some_rows(source):
    """Raise for a source without rows."""
    if source.n == 0:
        raise ValueError(EMPTY)


def matrix(source, rows_of=None):
    """The X of a source: where an engine puts it, or in memory where it is small."""
    some_rows(source)
    rows = SourceRows(source) if rows_of is None else rows_of(source)
    if rows_of is None and source.stored * source.dtype.itemsize <= LOADED_BYTES:
        rows = rows.loaded()
    return Matrix(rows, None if source.names is None else tuple(source.names))


def vectors(source):
    """The targets, weights and offsets of all rows that a source has: a dict of arrays."""
    wanted = tuple(part for part in VECTORS if part in source.parts)
    found, labels, kinds, row = {}, {part: [] for part in wanted}, {}, 0
    for shard in range(len(source.shards)):
        for block in source.pieces(shard, wanted):
            for part in wanted:
                values = np.asarray(getattr(block, part))
                kind = values.shape[1:], values.dtype.kind in "biuf"
                if kinds.setdefault(part, kind) != kind:
                    raise ValueError(
                        f"{source.place(row)}: {part} holds {values.dtype} of shape {('n', *kind[0])}, unlike the rows "
                        "before it: all shards need one shape, and either numbers or labels."
                    )
                if not kind[1]:  # labels, of any length
                    labels[part].append(np.array(values))
                    continue
                if part not in found:
                    found[part] = room((source.n, *values.shape[1:]), values.dtype)
                found[part] = wide_enough(found[part], row, values.dtype)
                found[part][row : row + len(values)] = values
            row += block.rows
    found |= {part: np.concatenate(blocks) for part, blocks in labels.items() if blocks}
    return {part: frozen(values) for part, values in found.items()}


def wide_enough(array, filled, dtype):
    """An array whose first rows are filled, of a type that holds numbers of ``dtype`` too, as NumPy joins them."""
    both = np.result_type(array.dtype, dtype)
    if both == array.dtype:
        return array
    wider = room(array.shape, both)
    wider[:filled] = array[:filled]
    return wider
