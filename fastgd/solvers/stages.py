"""A stage of a descent: some rows, a sample or all, and what is asked of them."""

import copy
from typing import NamedTuple

import numpy as np

from ..kernels.layouts import frozen
from ..kernels.threads import cached_property
from ..parts.penalties import Free
from . import row_metric
from .gram import products_of_rows
from .joint_metrics import AllSums, SharedSums, suits_all
from .metrics import MatrixSums, kind_of, matrix_cost, may_be_matrix
from .passes import penalty_costs
from .strengths import l2_of

STEPS = 4  # a sample on which steps are taken is at most so small a part of the rows
SHORT = 1 << 18  # numbers: a pass over them takes less than 0.05 ms


class Smoothing(NamedTuple):
    """The width within which the kinks of a loss are smoothed, and the number of the loss's field that is it."""

    field: int
    width: float

    def of(self, fields):
        """The fields (lanes, fields) of losses, their widths no smaller than this one."""
        fields = fields.copy()
        fields[:, self.field] = np.maximum(fields[:, self.field], self.width)
        return fields


class Stage:
    """Some rows: ``look`` gives objectives and gradients, ``sums`` second derivatives of which metrics are made.

    ``rows`` counts them, ``width`` the weights of a model; ``whole``: whether they are all; ``steps``: whether steps
    are taken, or second derivatives alone; ``short``: whether a look costs next to nothing; ``metric_rows``: those of
    its first metric; ``may_be_matrix``: whether a metric may be a matrix where an arrow costs less, ``by_rows`` one of
    the rows' products or ``by_columns`` of theirs.
    """

    smoothing = None

    def __init__(self, plan, data, whole=True, metric_rows=None):
        self.loss, self.penalty, self.data, self.whole = plan.parts.loss, plan.parts.penalty, data, whole
        self.backend, self.threads = plan.backend, plan.options.n_threads
        self.dtype = plan.lanes.weights.dtype
        self.rows, self.width = data.rows.shape[0], data.classes * (data.shift.size + 1)
        self.steps = whole or STEPS * self.rows <= plan.data.count
        self.short = data.rows.stored <= SHORT
        self.metric_rows = metric_rows or self.rows
        self.by_rows = whole and row_metric.suits(plan, data)
        self.by_columns = may_be_matrix(data, len(plan.lanes.weights) // data.classes)
        self.may_be_matrix = self.by_rows or self.by_columns
        self.passes = plan.passes(data)

    def metric_cost(self, rows, as_matrix):
        """What a metric of some of the rows costs, in passes."""
        if as_matrix:
            return row_metric.cost(self.data) if self.by_rows else matrix_cost(self.data, rows)
        return sums_class(self.data).cost(self.data) * rows / self.rows

    def smoothed(self, field, width):
        """The stage with the loss smoothed within a width, which is its field of this number."""
        found = copy.copy(self)
        found.smoothing = Smoothing(field, width)
        found.metric_rows = found.rows  # the rows near the kinks are few
        return found

    def in_type(self, weights):
        """The weights in the type of the lanes, as float64."""
        return weights if self.dtype == np.float64 else weights.astype(self.dtype).astype(np.float64)

    @cached_property
    def row_products(self):
        """The products (n, n) of the standardised rows with each other."""
        return products_of_rows(self.data, self.threads)[0]

    def look(self, lanes):
        """The objectives (models,) and the gradients (models, weights) of all but L1: of a lane, or of all classes."""
        gradients, losses = self.passes.sums(self.loss, self.with_width(lanes))
        objectives = losses / self.data.count
        gradients /= self.data.count
        self.penalise(lanes, objectives, gradients)
        if self.data.classes > 1:
            objectives, gradients = (
                objectives.reshape(-1, self.data.classes).sum(axis=1),
                gradients.reshape(-1, self.width),
            )
        return objectives, gradients

    def penalise(self, lanes, objectives, gradients):
        """Add the penalty to the objectives (lanes,), and L2's part to the gradients (lanes, d + 1), in place."""
        if type(self.penalty) is not Free:
            objectives += penalty_costs(self.penalty, lanes, self.data)
            gradients[:, :-1] += l2_of(self.data, lanes.penalty[:, 1:2].astype(np.float64)) * lanes.weights[:, :-1]

    def with_width(self, lanes):
        """The lanes with the width within which the loss is smoothed."""
        return lanes if self.smoothing is None else lanes._replace(loss=self.smoothing.of(lanes.loss))

    def sums(self, lanes, spreads, as_matrix=False):
        """The sums of second derivatives at the weights of lanes, those of one model.

        ``spreads()`` is the variance of each column over all rows; ``as_matrix``: whatever that costs.
        """
        if sums_class(self.data) is AllSums:
            return AllSums(self.data, self.loss, lanes, spreads, self.backend, self.threads)
        bends = frozen(self.backend.second_derivatives(self.data, self.loss, self.with_width(lanes), self.threads))
        if as_matrix and self.by_rows:
            if row_metric.is_exact(self.data, bends, self.row_products, float(lanes.penalty[0, 1])):
                return row_metric.RowSums(self.data, bends, self.row_products, self.backend, self.threads)
            as_matrix = self.by_columns
        kind = MatrixSums if as_matrix else kind_of(self.data)
        given = self.data, bends, spreads, self.backend, self.threads
        return kind(*given) if self.data.classes == 1 else SharedSums(*given, kind)


def sums_class(data):
    """The class of sums of second derivatives for data."""
    if data.classes == 1:
        return kind_of(data)
    return AllSums if suits_all(data) else SharedSums
