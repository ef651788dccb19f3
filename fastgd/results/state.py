"""Where a run stands: all that it needs to go on as if it had never stopped."""

from dataclasses import dataclass, field

import numpy as np

EACH_TARGET = ("loss", "objective", "validation_loss", "gradient_norm", "decrement")
RECORDED = (*EACH_TARGET, "learning_rate", "seconds")


@dataclass
class Clock:
    """Where a run stands in its epochs."""

    epoch: int = 0  # whole epochs done
    row: int = 0  # rows done of the running one
    steps: int = 0
    loss_sum: object = 0.0  # sums (lanes,) of the losses met in the running epoch

    def copy(self):
        """A clock that stands still."""
        return Clock(self.epoch, self.row, self.steps, self.loss_sum)


@dataclass(frozen=True, eq=False)
class State:
    """A run that can go on; ``fit(..., resume=r)`` and ``partial_fit(X, y, r)`` do.

    Attributes
    ----------
    facts : dict
        Position, choices and settings: numbers, strings, and lists and dicts of them.
    arrays : dict of str to ndarray
        Weights, the optimizer's slots, averages, the best weights, the scaling of the columns, the history.
    parts : dict of str to part
        The loss, optimizer and schedule themselves, where they are at hand.
    """

    facts: dict
    arrays: dict
    parts: dict = field(default_factory=dict)

    def __getstate__(self):
        return {**self.__dict__, "parts": {}}

    @property
    def clock(self):
        """A clock that stands where the run does."""
        facts = self.facts
        return Clock(facts["epoch"], facts["row"], facts["steps"], loss_sum=self.arrays["loss_sum"].copy())

    @property
    def records(self):
        """The history as one dict an epoch, with a list of numbers, one a target, where each has its own."""
        columns = [self.arrays[f"history.{name}"].tolist() for name in RECORDED]
        return [dict(zip(RECORDED, row, strict=True)) for row in zip(*columns, strict=True)]

    @property
    def seconds(self):
        """The time the run has taken."""
        seconds = self.arrays["history.seconds"]
        return float(seconds[-1]) if seconds.size else 0.0

    @property
    def best(self):
        """The number of the epoch whose validation loss was the lowest and its weights, or None."""
        epoch = self.facts["best_epoch"]
        return None if epoch is None else (epoch, self.arrays["best"])

    def load(self, lanes):
        """Put the weights and what belongs to them into ``lanes``."""
        for name in LOADED:
            getattr(lanes, name)[...] = self.arrays[name]


LOADED = ("weights", "slots", "carry", "averages")


def state_of(plan, lanes, clock, course, retreats, certain):
    """The state of the run of a model of ``plan`` at ``clock``; ``lanes`` are its own.

    ``certain`` is how many of the retreats a longer run would have made too.
    """
    arrays = {name: getattr(lanes, name).copy() for name in LOADED}
    arrays["loss_sum"] = np.zeros(len(lanes.weights)) + clock.loss_sum
    records = course.records[: clock.epoch - course.seen]
    for name in RECORDED:
        targets = (len(course.start),) if name in EACH_TARGET else ()
        none = [np.nan] * len(course.start) if targets else np.nan
        column = np.array([record.get(name, none) for record in records], np.float64).reshape(len(records), *targets)
        arrays[f"history.{name}"] = (
            np.concatenate([plan.past.arrays[f"history.{name}"], column]) if course.seen else column
        )
    if course.best is not None:
        arrays["best"] = course.best[1]
    facts = {
        "epoch": clock.epoch,
        "row": clock.row,
        "steps": clock.steps,
        "retreats": retreats,
        "certain_retreats": certain,
        "best_epoch": None if course.best is None else course.best[0],
        "plateau": None if course.plateau is None else [course.factor, *course.memory],
    }
    return State(facts, arrays)
