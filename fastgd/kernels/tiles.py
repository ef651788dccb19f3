"""Tiles: some lanes side by side, the layout in which vectors run across the lanes.

``Lanes`` (natural layout, a row a lane) stay the truth between slices of work; ``pack`` copies them into tiles and
``unpack`` copies back what a slice has changed. Places beyond the last lane of a tile copy that lane and are ignored.
"""

from typing import NamedTuple

import numpy as np

from .emit import BYTES
from .products import aligned

MOST_LANES = 32  # a tile: its weights and gradient stay in the first-level cache


class Tiles(NamedTuple):
    """The fields of ``Lanes`` (which see), lanes last, W places a tile; the number of a tile is the first index."""

    lane: np.ndarray  # (tiles,) int64, the first lane
    size: np.ndarray  # (tiles,) int64, the lanes; the places behind them are padding
    same: np.ndarray  # (tiles, W) int64, up to where the places have the same target, fold and replicate
    weighted: np.ndarray  # (tiles,) bool, whether any lane weighs rows by folds, replicates or scales
    target: np.ndarray  # (tiles, W) int64
    fold: np.ndarray  # (tiles, W) int64
    replicate: np.ndarray  # (tiles, W) int64
    scale: np.ndarray  # (tiles, W) float64
    loss: np.ndarray  # (tiles, fields, W) float64
    optimizer: np.ndarray  # (tiles, fields, W) float64
    penalty: np.ndarray  # (tiles, fields, W) T
    low: np.ndarray  # (tiles, d, W) T
    high: np.ndarray  # (tiles, d, W) T
    weights: np.ndarray  # (tiles, d + 1, W) T
    slots: np.ndarray  # (tiles, d + 1, W / V, slots, V) T, for vectors of V lanes
    carry: np.ndarray  # (tiles, 2, W) float64
    averages: np.ndarray  # (tiles, d + 1, W) float64; or (tiles, 0, W)
    begin: np.ndarray  # (tiles, W) int64


# Where the axes of the natural layout, counted behind that of the lanes, go.
AXES = {1: (0, 1), 2: (0, 2, 1), 3: (0, 3, 2, 1)}
CHANGED = ("weights", "slots", "carry", "averages")
ONLY_MOVES = ("low", "high", "slots", "averages")
COPIED = 512  # columns of all a tile's lanes at once


def places(count, classes, dtype, threads=1):
    """The lane at each place (tiles, W) and the sizes (tiles,): whole models of ``classes`` lanes, shared evenly.

    There are tiles for all ``threads``, but none of less than a vector.
    """
    vector = BYTES // np.dtype(dtype).itemsize
    models = count // classes
    tiles = max(-(-models // max(1, MOST_LANES // classes)), min(threads, models, count // vector))
    most = -(-models // tiles)
    first = np.arange(tiles) * most * classes
    size = np.minimum(first + most * classes, count) - first
    first, size = first[size > 0], size[size > 0]
    width = -(-most * classes // vector) * vector
    return first[:, None] + np.minimum(np.arange(width), size[:, None] - 1), size


def pack(lanes, classes=1, threads=1, moves=True):
    """Lanes in the layout of tiles, at least one for each of the threads; a copy.

    Tiles whose weights don't move are without bounds and state.
    """
    at, size = places(len(lanes.weights), classes, lanes.weights.dtype, threads)
    packed = {}
    for name, array in lanes._asdict().items():
        if name in ONLY_MOVES and not moves:
            array = array[..., :0]
        packed[name] = in_tiles(array, at)
    packed["slots"] = aligned_copy(by_vectors(packed["slots"]))
    rows = [packed[name] for name in ("target", "fold", "replicate")]
    changes = np.any([row[:, 1:] != row[:, :-1] for row in rows], axis=0)
    same = np.full(at.shape, at.shape[1])
    for place in range(at.shape[1] - 2, -1, -1):
        same[:, place] = np.where(changes[:, place], place + 1, same[:, place + 1])
    # Of all tiles alike: they share the workspace in which the weights of a row are written.
    weighted = np.any(lanes.fold >= 0) or np.any(lanes.replicate >= 0) or np.any(lanes.scale != 1.0)
    weighted = np.full(len(at), weighted)
    return Tiles(lane=at[:, 0].copy(), size=size, same=same, weighted=weighted, **packed)


def in_tiles(array, at):
    """A copy of what the lanes ``at`` the places have, lanes last; by blocks that stay in the cache: 5 times faster."""
    shape = at.shape + array.shape[1:]
    axes = AXES[array.ndim]
    copy = aligned([shape[axis] for axis in axes], array.dtype)
    if array.ndim == 1:
        copy[...] = array[at]
        return copy
    for tile, lanes in enumerate(at):
        for first in range(0, shape[-1], COPIED):
            block = array[lanes, ..., first : first + COPIED]
            copy[tile, first : first + COPIED] = block.T
    return copy


def aligned_copy(array):
    """A copy at a multiple of a vector's size."""
    copy = aligned(array.shape, array.dtype)
    copy[...] = array
    return copy


def by_vectors(slots):
    """The slots (tiles, d + 1, slots, W) grouped by vectors: (tiles, d + 1, W / V, slots, V)."""
    vector = BYTES // slots.itemsize
    return slots.reshape(*slots.shape[:3], slots.shape[3] // vector, vector).swapaxes(2, 3)


def unpack(tiles, lanes):
    """Copy what steps have changed back into ``lanes``."""
    for name in CHANGED:
        array, packed = getattr(lanes, name), getattr(tiles, name)
        if name == "slots":
            packed = packed.swapaxes(2, 3).reshape(*packed.shape[:2], packed.shape[3], tiles.same.shape[1])
        for tile, (lane, size) in enumerate(zip(tiles.lane, tiles.size, strict=True)):
            for first in range(0, array.shape[-1], COPIED):
                block = packed[tile, first : first + COPIED, ..., :size]
                array[lane : lane + size, ..., first : first + COPIED] = block.T
