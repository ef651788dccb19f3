"""The rows of a source with their targets, weights and offsets, in blocks, once."""

from typing import NamedTuple

import numpy as np

from .ahead import ahead
from .base import ALL, VECTORS, Block, Source, X
from .rows import BLOCK_BYTES, dense_blocks, sparse_blocks


class Shape(NamedTuple):
    """What the rows of all blocks have in common."""

    source: Source
    shape: tuple
    dtype: np.dtype
    columns: int
    sparse: bool


def blocks_of(source, parts=ALL, size=None):
    """Blocks of ``size`` rows, the last one fewer, with those of ``parts`` that the source has; read ahead.

    A block is valid until the next one is asked for. X is always read. A source that can be read once is read so.
    """
    if size is None:
        size = block_rows(source)
    return ahead(joined(source, tuple(part for part in ALL if part in parts or part == X), size))


def block_rows(source):
    """How many rows have ``BLOCK_BYTES`` of numbers, at least one."""
    if source.sparse:
        return max(1, BLOCK_BYTES * source.n // (source.stored * source.dtype.itemsize + 1))
    return max(1, BLOCK_BYTES // (source.columns * source.dtype.itemsize))


def joined(source, parts, size):
    """Pieces as blocks of ``size`` rows."""
    if source.mapped:
        for lo in range(0, source.n, size):
            source.unchanged()
            yield source.between(lo, min(lo + size, source.n), parts)
        return
    held = {part: [] for part in VECTORS if part in parts and part in source.parts}

    def pieces():
        for shard in range(len(source.shards)):
            for block in source.pieces(shard, parts):
                for part, waiting in held.items():
                    values = getattr(block, part)
                    waiting.append(values if source.lasting else np.array(values))
                yield block.X

    rows = source.n if source.repeatable else size
    like = Shape(source, (rows, source.columns), source.dtype, source.columns, source.sparse)
    for _, found in (sparse_blocks if source.sparse else dense_blocks)(pieces(), size, like):
        yield Block(found, **{part: first_of(waiting, found.shape[0]) for part, waiting in held.items()})


def first_of(waiting, rows):
    """The first ``rows`` values of a list of arrays, which loses them."""
    found, missing = [], rows
    while missing:
        values = waiting.pop(0)
        found.append(values[:missing])
        if len(values) > missing:
            waiting.insert(0, values[missing:])
        missing -= len(found[-1])
    return found[0] if len(found) == 1 else np.concatenate(found)


def place_of(source, first):
    """A function that says where a row of the block from row ``first`` on is."""
    return lambda row: source.place(first + row) if source.repeatable else f"row {first + row}"
