"""The rows of a source for batches of a fit: buffers of its rows in an order drawn anew, as data of the plan."""

import functools
import warnings

import numpy as np

from ..kernels import order
from ..kernels.notice import level_outside
from ..kernels.row_weights import counts
from ..sources.shuffled import Buffers, Epochs
from .reduction import part_of

# Of the targets' variance, beyond chance: with more of it between buffers there is a warning. Excess of SGD's steps
# over a full shuffle's, flights by 64 shards, 8 in turn: in the order of dates (0.001) 1 to 2 %, of targets (0.012 to
# 0.027) 6 and 8 %; by 8 shards in the order of targets (0.05) 31 and 34 %. Stages, which end at 2e-5 of what a fit
# gains above the optimum on shuffled rows and at 6e-5 on an array's blocks, ended at 0.001 to 0.01 on such shards.
BETWEEN, BETWEEN_IN_STAGES = 1e-2, 1e-4


class PlanBuffers(Buffers):
    """The buffers of a plan's epochs: pairs of data, and the numbers of the buffer's rows there or None."""

    def __init__(self, plan, slice, kind):
        data, rows = plan.data, plan.data.rows
        self.replicates = max(0, int(plan.lanes.replicate.max()) + 1)
        more = (len(data.targets) + 2) * rows.dtype.itemsize + len(data.roles) + self.replicates
        shuffled, seed = kind != order.SEQUENTIAL, plan.options.random_state
        epochs = Epochs(rows.source, plan.rows, more, slice, shuffled, seed)
        super().__init__(epochs, plan.epochs, functools.partial(data_of, data, self.replicates))
        if self.epochs.shuffled and not rows.source.mapped and not rows.told:
            warn_of_order(self.epochs, data.targets, BETWEEN if plan.solver.takes_steps else BETWEEN_IN_STAGES)
            rows.told = True

    def folds(self, lanes):
        """The lanes as the buffers' data have their row weights: the counts of replicates are those of folds there."""
        if self.epochs.whole or self.epochs.table is not None or not self.replicates:
            return lanes
        return lanes._replace(fold=lanes.replicate, replicate=np.full_like(lanes.replicate, -1))


def data_of(data, replicates, buffer):
    """The data of a buffer, and the numbers of its rows there where they are others than 0, 1, 2 and so on.

    ``data`` are those of all rows.
    """
    numbers = buffer.numbers
    if buffer.among:
        return data._replace(rows=buffer.rows), numbers
    if numbers is None:
        return part_of(data, buffer.lo, buffer.hi, buffer.rows), None
    roles = np.ascontiguousarray(data.roles[:, numbers]) if data.roles.size else data.roles
    if replicates:
        with np.errstate(over="ignore"):
            roles = counts(data.seed, replicates, numbers)
    gathered = data._replace(
        rows=buffer.rows,
        targets=np.ascontiguousarray(data.targets[:, numbers]),
        weight=data.weight[numbers] if data.weight.size else data.weight,
        offset=data.offset[numbers] if data.offset.size else data.offset,
        roles=roles,
    )
    return gathered, None


def warn_of_order(epochs, targets, most):
    """Warn where the buffers of an epoch are no samples of all rows, as their targets (m, n) tell."""
    source, share, others = epochs.source, between_buffers(epochs, targets), epochs.count - 1
    chance = (others + 4.0 * np.sqrt(2.0 * others) + 8.0) / epochs.n  # of shuffled rows it is less
    if share > chance + most:
        warnings.warn(
            f"{share:.2%} of the targets' variance lies between the {epochs.count} buffers from which an epoch's "
            f"batches are drawn, one after another: the rows of the source are in an order, and its "
            f"{len(source.shards)} shards can only be read from their beginning, {epochs.turns} at a time. Steps "
            "follow that order, as on rows that are not shuffled. Pass source.cached(folder), whose rows are read "
            "anywhere, write smaller shards, or shuffle the rows once.",
            UserWarning,
            stacklevel=level_outside(),
        )


def between_buffers(epochs, y):
    """The share of the targets' variance that lies between the buffers of an epoch: next to 0 of shuffled rows."""
    first, end = epochs.runs(0)
    behind, means, squares, rows = np.cumsum(end - first), [], 0.0, []
    centre = y[:, : epochs.run].mean(axis=1, dtype=np.float64)[:, None]
    for k in range(epochs.count):
        total = 0.0
        for lo, hi in zip(*epochs.part(first, end, behind, k), strict=True):
            some = y[:, lo:hi] if epochs.rows is None else y[:, epochs.rows[lo:hi]]
            total += (some - centre).sum(axis=1)
            squares += ((some - centre) ** 2).sum(axis=1)
        rows.append(min((k + 1) * epochs.size, epochs.n) - k * epochs.size)
        means.append(total / rows[-1])
    mean = np.average(means, axis=0, weights=rows)
    between = np.average((np.array(means) - mean) ** 2, axis=0, weights=rows)
    return float(np.max(between / np.maximum(squares / epochs.n - mean**2, 1e-300)))
