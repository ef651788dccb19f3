"""scikit-learn's SGD in fastgd's parts: its schedules and steps, its row order and held-out rows, when a run ends."""

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_random_state

from ..inputs import arguments
from ..kernels import order
from ..parts import optimizers, schedules
from ..parts.registry import snake_case
from ..results.messages import MORE_DIGITS_GIVEN, Verdict

LATER = {"optimal", "invscaling", "adaptive", "pa1", "pa2"}  # scikit-learn's schedules, besides "constant"
PASSIVE_AGGRESSIVE = {"pa1": optimizers.PassiveAggressive1, "pa2": optimizers.PassiveAggressive2}
SCHEDULES = LATER | {snake_case(name) for name in schedules.__all__}
SMALLEST_RATE = 1e-6  # "adaptive" lowers no rate below this
ADAPTIVE_DIVISOR = 5.0  # what "adaptive" divides a rate by
SEEDS = np.iinfo(np.int32).max


class RisingRate(NamedTuple):
    """``invscaling`` with a negative ``power_t``, which scikit-learn has deprecated."""

    initial: float = 0.01
    power: float = 0.0

    def rate(self, t):
        return self.initial * np.power(t, -self.power)


def schedule_of(name, eta0, power_t, alpha):
    """The schedule of a scikit-learn name, of one of ours with the first rate ``eta0``, or the one that was given."""
    if name == "optimal" and alpha == 0:
        raise ValueError(
            "alpha must be > 0 since learning_rate is 'optimal'. alpha is used to compute the optimal learning rate."
        )
    if not isinstance(name, str):
        return name
    if name == "optimal":
        return schedules.Optimal(alpha)
    if name == "invscaling":
        return schedules.InverseScaling(eta0, power_t) if power_t >= 0 else RisingRate(eta0, power_t)
    if name in ("adaptive", *PASSIVE_AGGRESSIVE):
        return schedules.Constant(eta0)
    part = arguments.part("learning_rate", name, schedules)
    first = {"initial": eta0, "peak": eta0, "then": schedules.Constant(eta0)}
    return part._replace(**{field: value for field, value in first.items() if field in part._fields})


def optimizer_of(name, momentum):
    """The optimizer with its momentum, where one is given."""
    if momentum is None:
        return name
    if name in ("auto", "sgd", "momentum"):
        return optimizers.Momentum(momentum)
    if name == "nesterov":
        return optimizers.Nesterov(momentum)
    if name == "rmsprop":
        return optimizers.Rmsprop(momentum=momentum)
    raise ValueError(
        f"momentum={momentum} is for 'sgd', 'momentum', 'nesterov' and 'rmsprop': set it in the optimizer."
    )


def step_of(schedule, decay, by_row):
    """The optimizer whose steps are scikit-learn's: its L2 penalty is a ``decay`` of the weights before the step."""
    if schedule in PASSIVE_AGGRESSIVE:
        if not by_row:
            raise ValueError(f"learning_rate={schedule!r} sizes the step of a row: leave batch_size at 'auto', or 1.")
        return PASSIVE_AGGRESSIVE[schedule](decay)
    return optimizers.ClippedSgdw(decay) if by_row else optimizers.Sgdw(decay)


class ShuffledOrder:
    """scikit-learn's row order: each epoch applies the same transpositions to the order of the epoch before.

    ``trained`` (n,) bool marks the rows trained on where others are held out; None is all.
    """

    def __init__(self, seed, n, trained=None):
        self.swaps = np.empty(n, np.uint32)
        order.transposed(seed, self.swaps)
        self.rows, self.epoch = np.arange(n, dtype=np.uint32), -1
        self.trained = trained
        self.places = None if trained is None else np.cumsum(trained, dtype=np.int64) - 1

    def __call__(self, epoch):
        while self.epoch < epoch:
            self.rows, self.epoch = self.rows[self.swaps], self.epoch + 1
        return self.rows if self.trained is None else self.places[self.rows[self.trained[self.rows]]]


def random_draws(random_state, hold_out, models):
    """The mask of ``hold_out()`` and the seeds of the row orders, drawn in scikit-learn's sequence.

    ``models`` is how many models a classifier trains, one for each seed; None is a regressor, with one seed.
    """
    if models is None:
        mask = hold_out()
        return mask, [int(check_random_state(random_state).randint(0, SEEDS))]
    random = check_random_state(random_state)
    if models == 1:
        random.randint(1, SEEDS)
        return hold_out(), [int(random.randint(SEEDS))]
    mask, random = hold_out(), check_random_state(random_state)
    each = [np.random.RandomState(seed) for seed in random.randint(SEEDS, size=models)]
    for one in each:
        one.randint(1, SEEDS)
    return mask, [int(one.randint(SEEDS)) for one in each]


class EpochRule:
    """Ends a run whose objective, or score on held-out rows, gains less than ``tol`` for ``patience`` epochs.

    ``tol`` is absolute, unlike fit's, and the last weights are kept. ``adaptive`` is the rate that is divided by 5
    instead of ending, or None. ``l1`` and ``l2`` are the strengths of the penalties that an epoch's loss lacks, times
    ``penalty_factor`` (d,), or None; ``score(weights)`` is the score on the held-out rows, or None.
    """

    def __init__(self, tol, patience, adaptive, l1, l2, penalty_factor, score):
        self.tol, self.patience, self.adaptive, self.l1, self.l2, self.score = tol, patience, adaptive, l1, l2, score
        self.penalty_factor = penalty_factor
        self.factor, self.count, self.best, self.penalty_before = 1.0, 0, np.inf, None

    def after_epoch(self, record, weights):
        """Take an epoch into account: a :class:`Verdict`, or None to go on."""
        with np.errstate(all="ignore"):
            loss = self.measured(record, weights)
        if self.tol is None:
            return None
        self.count = self.count + 1 if loss > self.best - self.tol else 0
        self.best = min(self.best, loss)
        if self.count < self.patience:
            return None
        if self.adaptive is not None and self.adaptive * self.factor > SMALLEST_RATE:
            self.factor, self.count = self.factor / ADAPTIVE_DIVISOR, 0
            return None
        if self.score is not None:
            return Verdict("early_stopped", f"The score of the held-out rows has not risen by tol={self.tol:g}.")
        reason = f"The objective fell by less than tol={self.tol:g}, {self.patience} epochs in a row."
        return Verdict("converged", reason, MORE_DIGITS_GIVEN)

    def measured(self, record, weights):
        """The negative score, or the epoch's mean objective, its penalty taken as the mean of before and after."""
        if self.score is not None:
            return -self.score(weights)
        coef = weights[:, :-1].astype(np.float64)
        sizes, squares = np.abs(coef), coef**2
        if self.penalty_factor is not None:
            sizes, squares = sizes * self.penalty_factor, squares * self.penalty_factor
        after = float(np.mean(self.l1 * sizes.sum(axis=1) + 0.5 * self.l2 * squares.sum(axis=1)))
        before, self.penalty_before = after if self.penalty_before is None else self.penalty_before, after
        return float(np.mean(record["loss"])) + 0.5 * (before + after)


def held_out_rows(y, sample_weight, share, random_state, stratified):
    """The rows (n,) bool that scikit-learn's SGD holds out."""
    split = StratifiedShuffleSplit if stratified else ShuffleSplit
    n = len(y)
    train, held = next(split(test_size=share, random_state=random_state).split(np.zeros((n, 1)), y))
    if sample_weight is not None and not np.any(sample_weight[held] > 0):
        raise ValueError("The sample weights for validation set are all zero, consider using a different random state.")
    if not len(train) or not len(held):
        raise ValueError(
            f"Splitting {n} samples into a train set and a validation set with validation_fraction={share!r} led to an "
            f"empty set ({len(train)} and {len(held)} samples). Please either change validation_fraction, increase "
            "number of samples, or disable early_stopping."
        )
    mask = np.zeros(n, bool)
    mask[held] = True
    return mask
