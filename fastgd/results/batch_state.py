"""What a run of ``minimize`` over batches leaves: its history, and the state that it goes on from."""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from .serialization import Array
from .state import Count


@dataclass(frozen=True, eq=False)
class BatchHistory:
    """The history of a minimisation over batches, one entry an epoch.

    Attributes
    ----------
    fun : ndarray (epochs,)
        The mean of ``fun`` over the epoch's batches, each before its step; NaN where it was not asked for.
    validation_fun : ndarray (epochs,)
        The mean over the validation rows after the epoch; NaN without ``validation``.
    learning_rate : ndarray (epochs,)
        The rate of the epoch's last step.
    seconds : ndarray (epochs,)
        Since the run began.
    """

    fun: np.ndarray
    validation_fun: np.ndarray
    learning_rate: np.ndarray
    seconds: np.ndarray


STEPPED = ("weights", "slots", "carry", "averages", "sums")  # the arrays that steps change in place


@dataclass(eq=False)
class BatchState:
    """The state of a run over batches: with it the run goes on as if it had never stopped.

    The numbers of the parameters lie one behind another; behind them is one more, which is always 0.
    """

    weights: Annotated[np.ndarray, Array("params", "size", finite=True)]
    slots: Annotated[np.ndarray, Array("params", "1 slots size")]
    carry: Annotated[np.ndarray, Array("float64", "2")]
    averages: Annotated[np.ndarray, Array("float64", "averages")]  # of width 0 without averaging
    sums: Annotated[np.ndarray, Array("float64", "1")]  # of the values in the epoch, times the rows of their batches
    best: Annotated[np.ndarray, Array("params", "best")]  # of the lowest validation value; of width 0 before the first
    start: Annotated[np.ndarray, Array("params", "size")]
    records: Annotated[np.ndarray, Array("float64", "epochs 4")]  # of each epoch, in the order of ``BatchHistory``
    plateau: list[float]  # the rate's factor, and the memory of the schedule that watches the epochs
    steps: Count = 0
    epoch: Count = 0
    position: Count = 0  # rows of the epoch that are done
    best_epoch: Count = 0
    settings: dict[str, str] = field(default_factory=dict)  # what a run that goes on must have the same

    def copy(self):
        """Another state, with its own of the arrays that steps change in place."""
        changed = {name: getattr(self, name).copy() for name in STEPPED}
        return dataclasses.replace(self, plateau=list(self.plateau), **changed)

    def take(self, other):
        """Take the numbers of another state of the same run, in the arrays that are here."""
        for name in STEPPED:
            getattr(self, name)[...] = getattr(other, name)
        self.plateau[:] = other.plateau
        for name in ("steps", "epoch", "position", "best", "best_epoch", "records"):
            setattr(self, name, getattr(other, name))
