"""scikit-learn's SGD in fastgd's parts: its schedules and steps, when its epochs end, and the rows it holds out."""

from typing import NamedTuple

import numpy as np

from ..inputs import arguments
from ..kernels import order
from ..parts import optimizers, schedules
from ..parts.registry import snake_case

LATER = {"optimal", "invscaling", "adaptive", "pa1", "pa2"}  # scikit-learn's schedules, besides "constant"
PASSIVE_AGGRESSIVE = {"pa1": optimizers.PassiveAggressive1, "pa2": optimizers.PassiveAggressive2}
SCHEDULES = LATER | {snake_case(name) for name in schedules.__all__}
SLOWEST = 1e-6  # "adaptive" lowers no rate below this
SLOWER = 5.0  # what it divides a rate by


class Rising(NamedTuple):
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
        return schedules.InverseScaling(eta0, power_t) if power_t >= 0 else Rising(eta0, power_t)
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
    """The order of scikit-learn's epochs: the same transpositions anew, of the order of the epoch before.

    ``trained`` (n,) bool says which rows are there, where others are held out.
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


class EpochRule:
    """When a run ends: its objective, or its score on held-out rows, gains less than ``tol``, ``patience`` times.

    ``tol`` is absolute, unlike fit's, and the weights are the last ones. ``adaptive`` is the rate that is divided by 5
    then instead, or None. ``penalty(weights)`` is what a record's loss lacks of the objective; ``score(weights)`` says
    how good weights are on the held-out rows, or is None.
    """

    def __init__(self, tol, patience, adaptive, penalty, score):
        self.tol, self.patience, self.adaptive, self.penalty, self.score = tol, patience, adaptive, penalty, score
        self.factor, self.count, self.best, self.before = 1.0, 0, np.inf, None

    def after_epoch(self, record, weights):
        """Take an epoch into account: a status and a reason, or (None, "")."""
        with np.errstate(all="ignore"):
            loss = self.lacking(record, weights)
        if self.tol is None:
            return None, ""
        self.count = self.count + 1 if loss > self.best - self.tol else 0
        self.best = min(self.best, loss)
        if self.count < self.patience:
            return None, ""
        if self.adaptive is not None and self.adaptive * self.factor > SLOWEST:
            self.factor, self.count = self.factor / SLOWER, 0
            return None, ""
        if self.score is not None:
            return "early_stopped", f"The score of the held-out rows has not risen by tol={self.tol:g}."
        return "converged", f"The objective fell by less than tol={self.tol:g}, {self.patience} epochs in a row."

    def lacking(self, record, weights):
        """What is to fall: the negative score, or the objective met on average, as if it changed evenly."""
        if self.score is not None:
            return -self.score(weights)
        after = self.penalty(weights)
        before, self.before = after if self.before is None else self.before, after
        return float(np.mean(record["loss"])) + 0.5 * (before + after)


def held_out_rows(y, sample_weight, share, random_state, stratified):
    """The rows (n,) bool that scikit-learn's SGD holds out."""
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

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
