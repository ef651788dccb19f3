"""Batches without any setting: stages of implicit steps in whitened coordinates, each averaged.

A stage has fixed coordinates, in which the curvature of the objective where it begins is the identity (the inverse
Cholesky factor of the mean of ``bend * row row^T``): collinear columns cost no more steps than independent ones, and
the rate has no unit. Its steps are implicit in each row's score (Toulis and Airoldi 2017): no outlying row can
overshoot. Rates fall as ``t**-0.75`` and the steps are averaged, the later ones more (Shamir and Zhang 2013). The mean
is looked at after every epoch; at the stage's end the best so far is where the next and longer one begins. A stage that
rose is forgotten, and the next one has a quarter of its rate.

Tried and lost, shares within 1 % on 80 tasks a loss, biased to ill-conditioned ones, after 2e5 rows met in batches of 1
and 32 (as stages: 99 to 100 %). Implicit averaged steps on columns standardised alone: squared error 91 and 81 %,
quantile 90 and 85, log-loss 59 and 61, poisson 78 and 69. Whitened once, by the columns alone: 100 % of squared errors,
but log-loss 86 and 83 at the best rate tried, for tables that are nearly separable, and poisson 98 and 94. Powers of
0.25 and 0.5 without stages lost 7 and 2 of a hundred to 0.75 (quantile). In stages, explicit steps lost 2 of a hundred
(log-loss, poisson), the last place for the mean none, but 5 of those within 0.1 % (quantile).
"""

import math

import numpy as np

from ..kernels import white
from ..results.messages import APART, ZERO
from .first_order import ROW_OVERHEAD, SLICE_ELEMENTS, Batches, Epochs
from .passes import Passes

WIDEST = 200  # columns: a row costs half the square of them
FIRST_ROWS, GROWTH = 5000, 1.5  # rows that a stage meets, to the end of the epoch
ENOUGH = 500_000  # rows met, where the data are so few that 20 epochs are less
LONGEST = 10_000  # epochs
POWER = 0.75
FORGET = 4.0  # steps of a stage enter its mean with about the fourth power of their number
FLOOR = 1e-3  # the least bend of a row, as a share of the mean one
FLOOR_LINK = 1e-6  # of losses that flatten out: with 1e-3, separable tables got 1e3 times too small a step
BACK, FORTH = 0.25, 2.0  # what the rate is multiplied by after a stage that rose, and after one that did not
SEPARATED = 1e-6  # the share of its start that the loss of classes falls to only where nothing holds it
SLACK = 1e-4  # the share of itself that the objective may rise by noise
WIDTH_SMOOTH, WIDTH = 1e-3, 1.0  # of the difference that bends a loss of more than residuals


def suits(settings, table, bounds, batch, n, stream):
    """Whether a fit by batches leaves all to us: nothing is set that speaks of steps, and one model is asked for."""
    return (
        batch < n
        and settings.optimizer == "auto"
        and settings.learning_rate == "auto"
        and not (stream or settings.average or settings.bootstrap)
        and settings.validation is None
        and settings.alpha == 0
        and bounds is None
        and len(table.y) == 1
        and not settings.loss.joint
        and table.X.shape[1] <= WIDEST
    )


def first_rate(d, batch):
    """The rate of a stage's first step: the expected square of a whitened row is d + 1, that of their mean less."""
    return 1.0 / (1.0 + (d + 1) / batch)


def chosen_epochs(n, least):
    """How many epochs at most."""
    return max(least, min(-(-ENOUGH // n), LONGEST))


def describe(words, rate, batch):
    """Say what was chosen and why."""
    words["optimizer"] = (
        "stages of implicit steps in coordinates whitened by the curvature, as collinear columns and rows that lie far "
        "out would hold plain steps up"
    )
    words["learning_rate"] = (
        f"from {rate:.4g} in each stage, falling as t**-{POWER:g}: 1 / (1 + whitened coordinates / {batch} rows)"
    )
    words["average"] = "the mean of the steps of a stage, the later ones more; the best one after an epoch is kept"


class Book:
    """Where a stage stands: views of the state of the plan's only lane."""

    NUMBERS = ("factor", "first", "length", "loss_sum", "anchor_objective", "objective", "fall", "fall_before")

    def __init__(self, lanes):
        rows = lanes.slots[0]
        D = rows.shape[1]
        self.triangle, (self.place, self.mean, self.anchor) = rows[:D], rows[D : D + 3]
        self.numbers, self.best = rows[D + 3 :, 0], lanes.averages[0]

    @staticmethod
    def lanes(lanes, first_epoch):
        """The lanes with room for it; until the first epoch is over, its mean is what a run would give back."""
        D = lanes.weights.shape[1]
        return lanes._replace(
            slots=np.zeros((1, D + 3 + len(Book.NUMBERS), D)),
            averages=np.zeros((1, D)),
            begin=np.full(1, first_epoch),
        )

    def point(self):
        """The weights (D,) that the mean of the stage so far stands for."""
        # Not a product of matrices: the bits of those depend on BLAS's threads.
        return self.anchor + (self.triangle * self.mean[:, None]).sum(axis=0)


def _number(k):
    def read(self):
        return float(self.numbers[k])

    def write(self, value):
        self.numbers[k] = value

    return property(read, write)


for _k, _name in enumerate(Book.NUMBERS):
    setattr(Book, _name, _number(_k))


class Kernels(Batches):
    """What a stage asks of the data, compiled."""

    def __init__(self, plan):
        super().__init__(plan)
        D = plan.lanes.weights.shape[1]
        self.slice = max(1, SLICE_ELEMENTS // (D * D // 2 + 2 * D + ROW_OVERHEAD) // plan.batch) * plan.batch
        self.passes = Passes(plan.data, plan.n_threads)

    def take(self, lanes, book, clock, rows, rates, t, loss_sum):
        """The steps at ``rates`` (steps,) of the next ``rows`` rows, ``t`` behind the stage's beginning."""
        plan, order_and_ahead = self.plan, self.order(clock.epoch, clock.row, rows)
        white.white_steps(
            plan.data, plan.parts, lanes, *order_and_ahead, plan.batch, rates, t,
            book.triangle, book.anchor, book.place, book.mean, FORGET, loss_sum,
        )  # fmt: skip

    def whiten(self, lanes, weights, width, floor, share, out):
        """The whitening triangle at weights (D,), into ``out``."""
        matrix = np.zeros_like(out)
        white.curvature(self.plan.data, self.plan.parts, lanes, weights, width, floor, matrix)
        white.whitening(matrix, share, out)


class Stages:
    """The work of a plan of one lane: ``engine`` (its class) takes the steps, this decides between them."""

    exact = False
    margin = math.inf  # a rise of the losses met is forgotten by itself
    engine = Kernels

    def __init__(self, plan):
        self.plan, self.asked = plan, self.engine(plan)
        loss, eps = plan.parts.loss, float(np.finfo(plan.data.shift.dtype).eps)
        # What the sums of products leave of a pivot by rounding; and weights of float32 hold no more digits.
        self.share = max(64 * np.finfo(np.float64).eps * math.sqrt(plan.data.count), eps)
        self.width, self.floor = 0.0, FLOOR
        if not loss.residual_only:  # residuals are no measure of scores
            self.width, self.floor = WIDTH_SMOOTH if loss.smooth else WIDTH, FLOOR_LINK

    def advance(self, lanes, rates, clock, steps):
        """Up to ``steps`` steps, at most to the epoch's end; ``rates`` gives that of a stage's first step."""
        plan, asked, book = self.plan, self.asked, Book(lanes)
        if book.length == 0:
            self.start(lanes, book)
        rows = min(asked.slice - clock.row % asked.slice, asked.rows - clock.row, steps * plan.batch)
        taken = -(-rows // plan.batch)
        t, loss_sum = clock.steps - int(book.first), np.zeros(1) + clock.loss_sum
        first = float(rates(clock.steps, 1)[0, 0]) * book.factor
        table = first * (1.0 + np.arange(t, t + taken) / book.anchor.size) ** -POWER
        asked.take(lanes, book, clock, rows, table, t, loss_sum)
        clock.steps, clock.row, clock.loss_sum = clock.steps + taken, clock.row + rows, loss_sum
        loss = np.empty((0, 1))
        if clock.row == asked.rows:
            # Where numbers overflowed, the next stage begins from the objective before them.
            loss = np.where(np.isfinite(loss_sum), loss_sum / asked.rows, book.objective)[None]
            self.look(lanes, book, clock.steps)
            clock.epoch, clock.row, clock.loss_sum = clock.epoch + 1, 0, 0.0
        point = book.point()
        lanes.weights[0] = point if np.isfinite(point).all() else book.best
        return Epochs(loss, table[-1:, None], None, np.full(1, len(loss)), np.zeros(1, bool))

    def value_at(self, lanes, weights):
        """The objective at weights (D,); infinite where it is not finite."""
        if not np.isfinite(weights).all():
            return math.inf
        at = lanes._replace(weights=weights[None].astype(lanes.weights.dtype))
        with np.errstate(all="ignore"):
            value = float(self.asked.passes.loss(self.plan.parts.loss, at)[0])
        return value if math.isfinite(value) else math.inf

    def start(self, lanes, book):
        """The first stage begins at the weights."""
        book.best[:] = lanes.weights[0]
        book.objective = self.value_at(lanes, book.best)
        book.factor, book.length, book.fall, book.fall_before = 1.0, FIRST_ROWS, math.inf, math.inf
        self.begin(lanes, book, 0)

    def begin(self, lanes, book, steps):
        """A stage begins at the best weights after so many steps."""
        if steps == 0 or (book.anchor != book.best).any():
            book.anchor[:], book.anchor_objective = book.best, book.objective
            self.asked.whiten(lanes, book.anchor, self.width, self.floor, self.share, book.triangle)
        book.place[:], book.mean[:], book.first, book.loss_sum = 0.0, 0.0, steps, 0

    def look(self, lanes, book, steps):
        """After an epoch: keep the mean of the stage if it is the best so far, and end the stage if it is long enough.

        What follows depends on the state alone, not on where a run is to end: it may go on.
        """
        point = book.point()
        objective = self.value_at(lanes, point)
        if objective < book.objective:
            book.best[:], book.objective = point, objective
        book.loss_sum += self.asked.rows
        if book.loss_sum < book.length and objective < math.inf:
            return
        rose = not objective <= book.anchor_objective + SLACK * abs(book.anchor_objective)
        book.fall_before = book.fall
        book.fall = math.inf if rose else (book.anchor_objective - book.objective) / (abs(book.objective) or 1.0)
        book.factor = BACK * book.factor if rose else min(1.0, FORTH * book.factor)
        book.length *= GROWTH
        self.begin(lanes, book, steps)

    def verdict(self, lanes, course):
        """The status of a run that need not go on, and why."""
        book, tol = Book(lanes), self.plan.tol
        if tol is None or book.length == 0:
            return None, ""
        if abs(book.objective) <= course.zero[0]:
            return "converged", ZERO
        if self.plan.parts.loss.labels and 0 <= book.objective <= SEPARATED * course.start[0]:
            return "converged", APART
        if max(book.fall, book.fall_before) <= tol:
            return "converged", f"The objective fell by less than tol={tol:g} of itself, two stages in a row."
        return None, ""
