"""A stage of squared residuals: one pass sums a Gram matrix for all lanes, which then answers every look."""

import math

import numpy as np

from ..kernels.cholesky import Factor
from ..kernels.coordinates import image
from ..kernels.pairs import product
from .gram import LARGEST_BYTES, Grams, is_partition, weightings
from .metrics import DEPENDENT, Matrix, MatrixSums, Unit, kind_of, with_diagonal
from .samples import LEAST, PER_COLUMN
from .stages import Stage

# A sum of the products takes n * D * D operations of two, D more by this, as rows are gathered. A pass takes as long as
# so many an element, and a descent by passes about five of them, with the matrix of a sample.
GATHERING, PASS, PASSES = 48, 40, 5
LANES_A_PASS = 4  # whose gradients cost as much as reading the rows does
SURE = 1e-6  # the share of the targets' square that must be left, for sums of products to tell how much it is


def pays(plan, data):
    """Whether the Gram matrices of all weightings cost less than passes: a function of shapes and settings only."""
    if not plan.parts.loss.squared or kind_of(data) is not MatrixSums or not data.shift.size:
        return False
    n, D, lanes = data.rows.shape[0], data.shift.size + 1, len(plan.lanes.weights)
    distinct = len(weightings(plan.lanes))
    whole = is_partition(data.roles)
    kept = max(distinct, len(data.roles)) if whole else distinct
    if kept * (D + len(data.targets)) ** 2 * 8 > LARGEST_BYTES:
        return False
    if data.rows.sparse or n < 4 * max(PER_COLUMN * D, LEAST):  # no sample: the matrix of all rows is summed anyway
        return True
    passes = PASSES * PASS * max(lanes, LANES_A_PASS) / LANES_A_PASS * data.rows.dtype.itemsize / 8
    return (1 if whole else distinct) * (D + GATHERING + 2 * len(data.targets)) < passes


class GramStage(Stage):
    """All rows, of which nothing is read after their products: parabolas are exact."""

    short = steps = True
    may_be_matrix = False

    def __init__(self, plan, data):
        self.data, self.penalty, self.dtype = data, plan.parts.penalty, plan.lanes.weights.dtype
        self.rows, self.width = data.rows.shape[0], data.shift.size + 1
        self.metric_rows = self.rows
        self.grams = Grams(data, plan.lanes, plan.options.n_threads)
        self.gram = self.grams.sums
        self.whole = self.sure()
        self.ends = {}  # where the last lane of its kind came to

    def sure(self):
        """Whether objectives are known so well that no further pass need prove them.

        They are not where next to nothing is left of the targets, nor where columns depend on others.
        """
        products, minimiser = self.gram.products[:, None], self.gram.minimiser
        dependent = (minimiser == 0.0) & (np.diagonal(products, axis1=2, axis2=3) > 0.0) & (self.gram.rest != 0.0)
        return bool((self.gram.least >= SURE * self.grams.squares).all() and not dependent.any())

    def look(self, lanes):
        """The objectives (lanes,) and the gradients (lanes, d + 1) of all but L1; as ``kernels/gram.py`` does it."""
        sums, constant = self.gram, self.data.constant
        weights = lanes.weights.astype(np.float64)
        objectives, gradients = np.empty(len(weights)), np.empty(weights.shape)
        for k, q in enumerate(self.grams.indices(lanes).tolist()):
            target, factor = int(lanes.target[k]), float(lanes.loss[k, 0])
            away = weights[k] - sums.minimiser[q, target]
            level = product(sums.offset, weights[k, :-1]) - sums.level[target]
            away[-1] = weights[k, -1] * constant + level - sums.minimiser[q, target, -1]
            rest = sums.rest[q, target]
            slope = image(sums.products[q], away) + rest
            mean = product(away, slope + rest) + sums.least[q, target]
            objectives[k] = factor * (0.0 if mean < 0.0 else mean)
            gradients[k, :-1] = 2.0 * factor * (slope[:-1] + sums.offset * slope[-1])
            gradients[k, -1] = 2.0 * factor * slope[-1] * constant
        self.penalise(lanes, objectives, gradients)
        return objectives, gradients

    def metric_cost(self, rows, as_matrix):
        """None: the matrix is there."""
        return 0.0

    def sums(self, lanes, spreads, as_matrix=False):
        """The second derivatives for the first of some lanes."""
        diagonal = self.gram.products[int(self.grams.indices(lanes)[0])].diagonal()[:-1]
        if not np.isfinite(diagonal).all() or not (diagonal > 0)[self.data.inverse_scale != 0].all():
            spreads()  # raises where the squares of a column overflow, or underflow to zero
        return ExactSums(self, lanes)

    def second_derivatives(self, lanes):
        """The second derivatives (d + 1, d + 1) of the objective of the first of some lanes, without its penalty."""
        q, factor = int(self.grams.indices(lanes)[0]), 2.0 * float(lanes.loss[0, 0])
        if factor == 1.0 and self.data.constant:
            return self.gram.products[q]
        products = factor * self.gram.products[q]
        if not self.data.constant:  # columns are not centred then
            offset = self.gram.offset
            products[:-1] += np.multiply.outer(offset, products[-1])
            products[:, :-1] += np.multiply.outer(products[:, -1], offset)
            products[-1], products[:, -1] = 0.0, 0.0
        return products


class ExactSums:
    """The second derivatives of squares, which are the same everywhere."""

    total = 1.0  # of no row it is 0

    def __init__(self, stage, lanes):
        self.stage, self.lanes = stage, lanes

    def damped(self, l2, share):
        """The metric with a penalty, and a share of the diagonal added to it."""
        return Unit if math.isinf(share) else ExactMatrix(self.stage, self.lanes, l2, share)


class ExactMatrix(Matrix):
    """The metric of squares: not kept, as many lanes may have large ones."""

    exact = True

    def __init__(self, stage, lanes, l2, share):
        self.stage, self.lanes, self.l2, self.share = stage, lanes, l2, share
        self.offset = stage.gram.offset if stage.data.constant else None
        self.kind = int(lanes.fold[0]), int(lanes.replicate[0]), int(lanes.target[0]), *lanes.loss[0].tolist()

    @property
    def matrix(self):
        """The matrix with a penalty, and a share of the diagonal added to it."""
        found = self.stage.second_derivatives(self.lanes)
        return with_diagonal(found.copy(), self.l2, self.share) if np.any(self.l2) or self.share else found

    @property
    def factor(self):
        """The matrix, factorised."""
        return Factor(self.matrix, DEPENDENT[self.stage.data.shift.itemsize])

    @staticmethod
    def distance(move):
        """None."""
        return 0.0

    @staticmethod
    def missed(g):
        """Nothing: what depends on others does so on all rows."""
        return 0.0

    @property
    def last_end(self):
        """The weights (d + 1,) of centred columns that the last lane with the same rows and targets came to, or None.

        From there it is not far: lanes of a path of penalties follow one another.
        """
        return self.stage.ends.get(self.kind)

    @last_end.setter
    def last_end(self, weights):
        self.stage.ends[self.kind] = weights
