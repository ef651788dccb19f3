"""The history of a fit, epoch by epoch."""

from dataclasses import dataclass

import numpy as np

from .state import PER_TARGET


@dataclass(frozen=True, eq=False)
class History:
    """The course of a fit, one entry an epoch; what would have cost an extra pass is NaN.

    Attributes
    ----------
    loss : ndarray (n_epochs,)
        Full batch: the objective at the weights before each step. Otherwise: the running mean of the losses met.
    objective : ndarray (n_epochs,)
        The objective on the whole data after each epoch (``evaluate=True``).
    validation_loss : ndarray (n_epochs,)
        The mean loss of what ``validation`` holds out, after each epoch, without the penalty.
    learning_rate : ndarray (n_epochs,)
        The rate of the epoch's last step; of several targets the first one's.
    gradient_norm : ndarray (n_epochs,)
        Full batch: the Euclidean norm of the objective's smallest subgradient before each step, on the scaled columns;
        without a penalty or bounds the gradient's.
    decrement : ndarray (n_epochs,)
        Newton's steps: what the step's slope promises to take off the objective, about twice what is left of it close
        to the optimum (the squared Newton decrement); infinite while a loss with corners is still rounded too much.
    seconds : ndarray (n_epochs,)
        Time since the start of the run.
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
        """Of a run that stands at ``state``: of several targets the means, and the norm of all gradients together."""
        arrays = {name: state.history[name] for name in cls.__dataclass_fields__}
        with np.errstate(all="ignore"):  # a run that diverged has losses near the largest number
            means = {name: arrays[name].mean(axis=1) for name in PER_TARGET}
            norms = arrays["gradient_norm"]
            means["gradient_norm"] = norms[:, 0] if norms.shape[1] == 1 else np.sqrt((norms**2).sum(axis=1))
        return cls(**{**{name: array.copy() for name, array in arrays.items()}, **means})
