"""The rows of a source for batches of a fit: buffers of its rows in an order drawn anew, as data of the plan."""

import functools

import numpy as np

from ..kernels import order
from ..kernels.row_weights import counts
from ..sources.shuffled import BETWEEN, BETWEEN_IN_STAGES, Buffers, Epochs, warn_of_order
from .reduction import part_of


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
