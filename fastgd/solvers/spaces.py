"""The weights that descents move: of all columns, of those that have any numbers, or of the span of few rows."""

import numpy as np

from ..kernels.cholesky import Factor
from ..kernels.lanes import NO_ROLES
from ..kernels.layouts import CSR, Dense, frozen
from ..parts.penalties import Free
from .gram import products_of_rows
from .metrics import ArrowSums, kind_of
from .passes import lane_of
from .strengths import factors_at

MOST_NUMBERS = 16  # a column, of sparse rows that may have columns without any
COPIED = 1 << 22  # indices of sparse rows that may be copied, so that columns without a number cost nothing
FEW_ROWS, WIDE = 512, 2  # of a span, at most; columns for each row, at least
DEPENDENT = {4: 1e-10, 8: 1e-12}  # a row with a smaller share of its square independent of others adds none to a span


def space_of(plan):
    """The space in which descents cost least: a function of shapes, options and which columns are empty."""
    if spans(plan):
        return RowSpan(plan)
    used = used_columns(plan)
    return AllColumns(plan) if used is None else SomeColumns(plan, used)


class AllColumns:
    """The weights as they are."""

    moved = False  # whether weights are others than the lanes', so that a state has to keep both

    def __init__(self, plan):
        self.plan, self.data, self.place = plan, plan.data, slice(None)

    def inner(self, weights):
        """The weights (lanes, width) that descents move, for those (lanes, d + 1) of all columns."""
        return weights[:, self.place]

    def store(self, inner, weights):
        """Put weights of descents into those of all columns."""
        weights[:, self.place] = inner

    def spreads(self):
        """The variances over all rows of the columns as they are scaled; raises where squares over- or underflow."""
        inverse = self.plan.statistics.scaling(True).inverse_scale[self.columns]
        with np.errstate(all="ignore"):
            return np.where(inverse > 0, (self.data.inverse_scale / inverse.astype(np.float64)) ** 2, 0.0)

    @property
    def columns(self):
        """Where the columns are among all of them."""
        return slice(None)

    def left_out(self, dependent):
        """The columns (d,) among all, of flags (columns,)."""
        found = np.zeros(self.plan.data.shift.size, bool)
        found[self.columns] = dependent
        return found


class SomeColumns(AllColumns):
    """The weights of some columns, in which all numbers are; the others are 0 and stay so."""

    def __init__(self, plan, used):
        super().__init__(plan)
        data, place = plan.data, np.zeros(plan.data.rows.columns, np.uint32)
        place[used] = np.arange(used.size, dtype=np.uint32)
        rows = CSR(data.rows.values, frozen(place[data.rows.indices]), data.rows.starts, used.size)
        self.data = data._replace(
            rows=rows,
            shift=data.shift[used],
            inverse_scale=data.inverse_scale[used],
            factors=factors_at(data, used),
        )
        self.place = np.append(used, data.shift.size)

    def spreads(self):
        """Those of these columns alone: of 2**20 columns they took most of a fit of 400 rows."""
        variance = self.plan.backend.passes(self.data, self.plan.options.n_threads).moments()[1]
        variance *= self.data.inverse_scale.astype(np.float64) ** 2
        return variance if ((variance > 0) & np.isfinite(variance)).all() else super().spreads()

    @property
    def columns(self):
        """Where the columns are among all of them."""
        return self.place[:-1]


class RowSpan(AllColumns):
    """The span of few rows with many columns, in which the optimum lies: no direction out of it changes a loss.

    Its coordinates are those of orthonormal rows ``whitening @ rows``, so that L2 is what it was. By them, a row is one
    of the Gram matrix of the rows, whitened: a table of as many columns as rows. Rows that follow from others add none.
    Over all columns, fits of 100 and 300 rows with heavy tails took hundreds of steps, and some ended at twice the
    optimum; of the same fits in the span all ended within 1e-5.
    """

    moved = True

    def __init__(self, plan):
        super().__init__(plan)
        threads, none = plan.options.n_threads, plan.data.weight[:0]
        data = plan.data._replace(weight=none, offset=none, roles=NO_ROLES, classes=1)  # rows as they are
        self.passes = plan.backend.passes(data, threads)
        self.lane = lane_of(np.zeros(data.shift.size + 1), self.passes.lane_type(data.shift.dtype))
        products, _ = products_of_rows(data, threads)
        self.whitening = np.zeros_like(products)
        factor = Factor(products, DEPENDENT[data.shift.itemsize])
        factor.whitening(self.whitening)
        table = factor.lower()
        # Not by BLAS, whose bits depend on its threads.
        rest = np.flatnonzero(factor.dependent)
        table[rest] = np.einsum("ij,kj->ik", products[rest], self.whitening)
        dtype, n = data.shift.dtype, len(products)
        self.data = plan.data._replace(
            rows=Dense(frozen(table.astype(dtype))), shift=np.zeros(n, dtype), inverse_scale=np.ones(n, dtype)
        )

    def inner(self, weights):
        """The weights (lanes, rows + 1) with the same scores."""
        found = np.empty((len(weights), len(self.whitening) + 1), weights.dtype)
        found[:, -1] = weights[:, -1]
        for own, row in zip(weights, found, strict=True):
            lane = self.lane._replace(weights=own[None].astype(self.lane.weights.dtype))
            scores = self.passes.scores(lane) - own[-1] * self.data.constant
            row[:-1] = np.einsum("ij,j->i", self.whitening, scores)
        return found

    def store(self, inner, weights):
        """Put weights of descents into those of all columns."""
        weights[:, -1] = inner[:, -1]
        for own, row in zip(inner, weights, strict=True):
            row[:-1] = self.passes.transposed(self.lane, np.einsum("ij,i->j", self.whitening, own[:-1]))[:-1]

    def spreads(self):
        """The variances over all rows of the coordinates."""
        return self.data.rows.values.var(axis=0, dtype=np.float64)

    def left_out(self, dependent):
        """None: a coordinate is no column."""
        return np.zeros(self.plan.data.shift.size, bool)


def spans(plan):
    """Whether descents move weights in the span of the rows."""
    data, lanes = plan.data, plan.lanes
    n, d = data.rows.shape
    if data.rows.sparse or kind_of(data) is not ArrowSums or n > FEW_ROWS or WIDE * n > d or not data.rows.in_memory:
        return False
    if data.factors.size or np.isfinite(lanes.low).any() or np.isfinite(lanes.high).any():
        return False
    if type(plan.parts.penalty) is Free:  # what a start has outside of the span stays
        return not lanes.weights[:, :-1].any()
    return not lanes.penalty[:, 0].any() and bool((lanes.penalty[:, 1] > 0).all())


def used_columns(plan):
    """The numbers of the columns that have any numbers, where these are few; else None.

    400 rows with 2**20 columns took 100 times as long with the others.
    """
    rows = plan.data.rows
    few = rows.sparse and min(rows.stored, COPIED) < MOST_NUMBERS * rows.columns  # else most columns have some
    if not (few and rows.in_memory) or rows.stored > COPIED or plan.lanes.weights[:, :-1].any():
        return None
    used = np.zeros(rows.columns, bool)
    used[rows.indices] = True
    used = np.flatnonzero(used)
    return used if used.size <= rows.columns // 2 else None
