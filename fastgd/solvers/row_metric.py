"""The metric of few rows with many columns and L2, by the products of the rows with each other (Woodbury 1950).

With second derivatives ``W`` (n,) of rows ``Z`` (n, d) and a penalty ``r``, and ``S`` the root of ``W``, the inverse is
``(Z'WZ + r)^-1 = (1 - Z'S M^-1 SZ) / r`` with ``M = r + S ZZ' S`` of n rows and columns. The constant, which has no
penalty, is a border of that.
"""

import math

import numpy as np

from ..kernels.cholesky import Factor
from ..kernels.coordinates import NONE
from ..kernels.lanes import NO_ROLES
from ..kernels.pairs import product
from ..kernels.threads import cached_property
from ..parts.penalties import Free
from .metrics import FACTORISED, LARGEST_MATRIX, PRODUCTS, SPARSE_PASS, TOGETHER_BYTES, ArrowSums, Unit, kind_of
from .passes import lane_of

# In numbers of a dense pass: what a step takes beyond its pass, and a number of a sparse row for each row.
STEP, SPARSE_PRODUCT = 1 << 17, 0.6
DIGITS = 1e-3  # the largest share of a step that may be rounding


def suits(plan, data):
    """Whether the metric of all rows may be made of their products: few rows, each weight with the same L2 alone."""
    lanes, n, models = plan.lanes, data.rows.shape[0], len(plan.lanes.weights)
    if data.classes > 1 or kind_of(data) is not ArrowSums or type(plan.parts.penalty) is Free:
        return False
    if not data.rows.in_memory:
        return False
    if n > min(data.shift.size, LARGEST_MATRIX) or 16 * models * n * n > TOGETHER_BYTES:
        return False
    apart = data.factors.size or np.isfinite(lanes.low).any() or np.isfinite(lanes.high).any()
    return not apart and not lanes.penalty[:, 0].any() and bool((lanes.penalty[:, 1] > 0).all())


def cost(data):
    """The passes that the products, which are kept, and a factor cost."""
    rows, n = data.rows, data.rows.shape[0]
    a_product, a_number = (SPARSE_PRODUCT, SPARSE_PASS) if rows.sparse else (1 / PRODUCTS, 1)
    return (a_product * n * rows.stored + n**3 / FACTORISED) / (a_number * rows.stored + STEP)


def is_exact(data, bends, products, l2):
    """Whether rounding leaves digits: the penalty is divided by, and what it is beside is subtracted before."""
    largest = float(np.sum(bends * products.diagonal())) / data.count
    return float(np.finfo(data.shift.dtype).eps) * largest <= DIGITS * l2


class RowSums:
    """Second derivatives of all rows, and the products (n, n) of the standardised rows."""

    def __init__(self, data, bends, products, backend, threads):
        none = data.weight[:0]
        self.passes = backend.passes(data._replace(weight=none, offset=none, roles=NO_ROLES), threads)
        self.weight, self.products = bends.astype(np.float64) / data.count, products
        self.total, self.constant, self.width = float(self.weight.sum()), bool(data.constant), data.shift.size
        self.lane = lane_of(np.zeros(self.width + 1), self.passes.lane_type(data.shift.dtype))

    def scores(self, weights):
        """The rows times weights (d + 1,), with the constant as it is: (n,)."""
        lane = self.lane._replace(weights=weights[None].astype(self.lane.weights.dtype))
        return self.passes.scores(lane).astype(np.float64)

    def transposed(self, numbers):
        """The transposed rows times numbers (n,): (d,)."""
        return self.passes.transposed(self.lane, numbers)[:-1]

    def damped(self, l2, share):
        """The metric with a penalty, and a share of the mean of the diagonal added to it."""
        if math.isinf(share):
            return Unit
        return ByRows(self, l2 + share * float(np.sum(self.weight * self.products.diagonal())) / self.width)


class ByRows:
    """The inverse of second derivatives and a penalty, by a matrix of the rows."""

    scaled = keeps = exact = False
    alike, offset, matrix, dependent = NONE, None, None, None

    def __init__(self, sums, ridge):
        self.sums, self.ridge, self.root = sums, ridge, np.sqrt(sums.weight)

    @cached_property
    def factor(self):
        """``M``, factorised."""
        matrix = self.root[:, None] * self.sums.products * self.root
        np.fill_diagonal(matrix, matrix.diagonal() + self.ridge)
        return Factor(matrix)

    @cached_property
    def border(self):
        """The inverse times the constant's products with the columns, and what of its own second derivative is left."""
        inner = self.factor.solve(self.root)
        return self.sums.transposed(self.root * inner), self.ridge * product(self.root, inner)

    def distance(self, move):
        """By how much a move changes the scores, in the root mean square over the rows by their second derivatives."""
        scores = self.sums.scores(move)
        return math.sqrt(product(self.sums.weight * scores, scores) / self.sums.total) if self.sums.total > 0 else 0.0

    @staticmethod
    def missed(g):
        """Nothing: no column is left out."""
        return 0.0

    def solve(self, g):
        """The inverse times g."""
        step, sums = np.append(g[:-1], 0.0), self.sums
        step[:-1] -= sums.transposed(self.root * self.factor.solve(self.root * sums.scores(step)))
        step /= self.ridge
        if sums.constant:
            border, left = self.border
            step[-1] = (g[-1] - product(border, g[:-1])) / left if left > 0 else 0.0
            step[:-1] -= step[-1] * border
        return step
