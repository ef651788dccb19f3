"""What the tests of all sources of Arrow tables share."""

import numpy as np

from fastgd.sources.base import ALL
from fastgd.sources.rows import SourceRows


def read(source, parts=ALL):
    """All rows of a source: (X, y, weight, offset), copied as soon as a piece is there."""
    found = [[] for _ in ALL]
    for shard in range(len(source.shards)):
        for block in source.pieces(shard, parts):
            for k, part in enumerate(block):
                if part is not None:
                    found[k].append(np.array(part.values if k == 0 else part))
    return tuple(np.concatenate(some) if some else None for some in found)


def check_rows(source, X, sizes=(1, 3, 7, 1000)):
    """That SourceRows gives the rows of X in blocks of any size, and any of them by number."""
    rows = SourceRows(source)
    assert rows.shape == X.shape and rows.dtype == X.dtype
    for size in sizes:
        found = [(first, block.values.copy()) for first, block in rows.blocks(size)]
        assert [first for first, _ in found] == list(range(0, len(X), size))
        assert all(len(block) == size for _, block in found[:-1])
        np.testing.assert_array_equal(np.concatenate([block for _, block in found]), X)
    numbers = np.random.default_rng(0).integers(0, len(X), 20)
    np.testing.assert_array_equal(rows.take(numbers).values, X[numbers])
    np.testing.assert_array_equal(rows.take(numbers[:0]).values, X[:0])
    flags = np.arange(len(X)) % 3 == 0
    np.testing.assert_array_equal(rows.take(flags).values, X[flags])
