"""The history of a fit, epoch by epoch."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..wording import count
from .state import PER_TARGET


@dataclass(frozen=True, repr=False, eq=False)
class History:
    """The history of a fit, one entry an epoch; values that would have cost an extra pass are NaN.

    Attributes
    ----------
    loss : ndarray (n_epochs,)
        Full batch: the objective on all rows at the weights before each step; of quasi-Newton steps the first one is
        where steps on samples of the rows have led. Otherwise: the mean over the epoch of the losses, each evaluated
        before its step.
    objective : ndarray (n_epochs,)
        The objective on the whole data after each epoch (``evaluate=True``).
    validation_loss : ndarray (n_epochs,)
        The mean loss of the validation data after each epoch, without the penalty.
    learning_rate : ndarray (n_epochs,)
        The rate of the epoch's last step; of several targets the first one's. Steps without a rate have their length,
        1 for a whole one and 0 where none was taken.
    gradient_norm : ndarray (n_epochs,)
        Full batch: the Euclidean norm of the objective's smallest subgradient before each step, on the scaled columns;
        without a penalty or bounds the gradient's. 0 for interior points.
    decrement : ndarray (n_epochs,)
        The decrease of the objective that is still possible. Quasi-Newton steps: after the step, estimated from what
        the last steps promised and by how much each promised less than the one before; infinite while second
        derivatives are damped. Interior points: before the step and at most, the duality gap; infinite where it is not
        below the tolerance yet. Infinite while the smoothing of a loss with kinks still matters, too.
    seconds : ndarray (n_epochs,)
        Time since the start of the run, that of compiling included.
    """

    loss: np.ndarray
    objective: np.ndarray
    validation_loss: np.ndarray
    learning_rate: np.ndarray
    gradient_norm: np.ndarray
    decrement: np.ndarray
    seconds: np.ndarray

    @classmethod
    def of(cls, state):
        """The history in a ``state``: for several targets the means, and the norm of all gradients together."""
        arrays = {name: state.history[name] for name in cls.__dataclass_fields__}
        with np.errstate(all="ignore"):  # a run that diverged has losses near the largest number
            means = {name: arrays[name].mean(axis=1) for name in PER_TARGET}
            norms = arrays["gradient_norm"]
            means["gradient_norm"] = norms[:, 0] if norms.shape[1] == 1 else np.sqrt((norms**2).sum(axis=1))
        return cls(**{**{name: array.copy() for name, array in arrays.items()}, **means})

    def to_dataframe(self) -> Any:
        """The history as a data frame (pandas): a row an epoch, numbered from 1; columns without a number left out."""
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("to_dataframe() needs pandas: python -m pip install pandas") from None
        return pd.DataFrame(self._known(), index=pd.RangeIndex(1, self.loss.size + 1, name="epoch"))

    def _known(self):
        """The columns that have a number."""
        arrays = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: array for name, array in arrays.items() if name == "loss" or not np.isnan(array).all()}

    def __repr__(self):
        ends = {name: (f"{array[0]:.6g}", f"{array[-1]:.6g}") for name, array in self._known().items() if array.size}
        columns = [f"{name} {' to '.join(dict.fromkeys(of))}" for name, of in ends.items()]
        return f"{type(self).__name__}: {count(self.loss.size, 'epoch')}; " + ", ".join(columns)
