"""What the loss takes of a block of rows in every lane of a tile besides scores: targets, weights and offsets."""

from typing import NamedTuple

import numpy as np

from ._jit import inlined
from .addresses import address, arguments, call
from .lane_vectors import assume_noalias, for_each_lane, simd_width
from .multi_rows import rows_at_once
from .products import aligned
from .row_weights import fill_weights
from .rows import row_at


class Workspace(NamedTuple):
    """What a thread works on."""

    Z: np.ndarray  # (rows, d + 1) T, standardised rows; (0, d + 1) where they are sparse
    S: np.ndarray  # (rows, W) T, their scores, then slopes
    y: np.ndarray  # (rows, W) T, their targets
    weight: np.ndarray  # (rows, W) float64, their weights; 1 where rows are not weighted
    slopes: np.ndarray  # (W,) float64, those of one row, where a joint loss writes them


def workspace(data, weights, most):
    """A workspace for tiles of ``weights`` (tiles, d + 1, W) that takes at most ``most`` rows at once."""
    (_, height, width), dtype = weights.shape, weights.dtype
    rows = rows_at_once(data, most)
    made = Workspace(
        aligned((0 if data.rows.sparse else rows, height), dtype),
        aligned((rows, width), dtype),
        aligned((rows, width), dtype),
        aligned((rows, width), np.float64),
        np.empty(width),
    )
    made.weight.fill(1.0)
    return made


class RowFields(NamedTuple):
    """What ``fill_rows`` reads of data and tiles, under their names there."""

    targets: np.ndarray
    weight: np.ndarray
    roles: np.ndarray
    seed: int
    first: int
    offset: np.ndarray
    target: np.ndarray
    fold: np.ndarray
    replicate: np.ndarray
    scale: np.ndarray
    same: np.ndarray
    weigh: int  # the address of what weighs rows, or 0 where no lane does


def row_fields(data, tiles):
    """The address of ``fill_rows``, and the fields that it reads.

    What is called by its address finds numbers where it was compiled to expect them: tables of some rows alone may not
    be C-contiguous.
    """
    weighs = data.weight.size > 0 or tiles.weighted.any()
    return address(fill_rows, tiles.weights.dtype), RowFields(
        np.ascontiguousarray(data.targets), data.weight, np.ascontiguousarray(data.roles), data.seed, data.first,
        data.offset, tiles.target, tiles.fold, tiles.replicate, tiles.scale, tiles.same,
        address(fill_weights, tiles.weights.dtype) if weighs else 0,
    )  # fmt: skip


@arguments("int I1 int int T2 F2 T2 T2 T1 B2 int int T1 I2 I2 I2 F2 I2 int")
def fill_rows():
    """Targets, weights and offsets of rows."""

    def fill_rows(
        tile, order, lo, rows, y, shares, S,
        targets, weight, roles, seed, first, offset, target, fold, replicate, scale, same, weigh,
    ):  # fmt: skip
        """Targets ``y`` and weights ``shares`` of the ``rows`` rows at ``lo`` in every lane of a tile, all (rows, W).

        Weights are left as they are, 1, where no row has any. Offsets are added to the scores ``S``.
        """
        assume_noalias()
        for start in range(0, y.shape[1], simd_width(y)):
            number, until = target[tile, start], same[tile, start]
            for k in range(rows):
                i = np.uint64(row_at(order, lo + k))
                for_each_lane(fill_lane, y, start, (targets[number, i], y, np.uint64(k)))
                for lane in range(until, start + simd_width(y)):
                    y[k, lane] = targets[target[tile, lane], i]
        if weigh != 0:
            call(weigh, weight, roles, seed, first, fold, replicate, scale, same, tile, order, lo, rows, shares)
        for k in range(rows if offset.size > 0 else 0):
            number = offset[np.uint64(row_at(order, lo + k))]
            for lane in range(S.shape[1]):
                S[k, lane] += number

    return fill_rows


@inlined
def fill_lane(lane, start, number, out, k):
    """The same number in each lane of a row."""
    out[k, lane] = number
