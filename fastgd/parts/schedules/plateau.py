"""A rate that falls where the loss does not."""

import math
from typing import NamedTuple

from ..registry import POSITIVE
from .decay import Constant


class Plateau(NamedTuple):
    """Multiplied by ``factor`` whenever the epochs' loss has stopped falling (PyTorch's ``ReduceLROnPlateau``).

    Watches the epochs of a fit; ``minimize`` has none.

    Parameters
    ----------
    initial : float, default 0.01
        The first rate; positive.
    factor : float, default 0.1
        What multiplies the rate; between 0 and 1.
    patience : float, default 10.0
        Epochs in a row without a better loss that do not lower the rate; the next one does.
    threshold : float, default 1e-4
        A loss is better if it is below the best by more than this share of it; below 1.
    cooldown : float, default 0.0
        Epochs after a lower rate that are not counted.
    least : float, default 0.0
        The lowest rate.

    Examples
    --------
    >>> plateau, rates = Plateau(0.5, patience=1.0), []
    >>> memory = plateau.memory
    >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
    ...     multiplier, memory = plateau.after_epoch(loss, memory)
    ...     rates.append(plateau.initial * multiplier)
    >>> rates
    [0.5, 0.5, 0.5, 0.05, 0.05]
    """

    initial: float = 0.01
    factor: float = 0.1
    patience: float = 10.0
    threshold: float = 1e-4
    cooldown: float = 0.0
    least: float = 0.0
    steady = True
    limits = {
        "initial": POSITIVE,
        "factor": {"above": 0.0, "below": 1.0},
        "threshold": {"low": 0.0, "below": 1.0},
    }
    memory = (1.0, math.inf, 0.0, 0.0)  # the rate's multiplier, the best loss, epochs since it, epochs of cooldown left

    rate = Constant.rate

    def after_epoch(self, loss, memory):
        """What multiplies the rate from now on, and the memory for the next epoch: floats, to be saved and resumed.

        Parameters
        ----------
        loss : float
            Of the epoch.
        memory : tuple of float
            From the epoch before; at the start ``Plateau.memory``.

        Returns
        -------
        multiplier : float
            Of the rates of the steps to come, all lowerings so far together.
        memory : tuple of float
        """
        multiplier, best, bad, cooling = memory
        # PyTorch compares with best * (1 - threshold), above the best where that is negative.
        if loss < best * (1.0 - math.copysign(self.threshold, best)):
            best, bad = float(loss), 0.0
        else:
            bad += 1.0
        if cooling > 0:
            cooling, bad = cooling - 1.0, 0.0
        if bad > self.patience:
            multiplier = min(multiplier, max(multiplier * self.factor, self.least / self.initial))
            bad, cooling = 0.0, self.cooldown
        return multiplier, (multiplier, best, bad, cooling)
