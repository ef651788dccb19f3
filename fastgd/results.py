"""What a run gives back: results, their history, their sentences and their plots."""

import functools
from dataclasses import dataclass, field

import numpy as np

ADVICE = {
    "converged": "Nothing needs doing.",
    "max_epochs": "If the loss was still falling, give more epochs.",
    "max_iter": "If it was still falling, give more iterations or a larger learning_rate.",
    "early_stopped": "The weights are those at the stop.",
    "diverged": "Lower learning_rate (a tenth is a good next try), pass standardize=True, or leave learning_rate='auto'.",
    "interrupted": "The weights are the last finite ones; call again to go on from the start.",
}


@dataclass(frozen=True)
class History:
    """The course of a fit, one entry an epoch; what would have cost an extra pass is NaN.

    Attributes
    ----------
    loss : ndarray (n_epochs,)
        Full batch: the objective at the weights before each step. Otherwise: the running mean of the losses met.
    objective : ndarray (n_epochs,)
        The objective on the whole data after each epoch (``evaluate=True``).
    validation_loss : ndarray (n_epochs,)
        NaN (no validation data yet).
    learning_rate : ndarray (n_epochs,)
        The rate of the epoch's last step.
    gradient_norm : ndarray (n_epochs,)
        Full batch: the Euclidean norm of the gradient before each step, on the scaled columns.
    seconds : ndarray (n_epochs,)
        Time since the start of the run.
    """

    loss: np.ndarray
    objective: np.ndarray
    validation_loss: np.ndarray
    learning_rate: np.ndarray
    gradient_norm: np.ndarray
    seconds: np.ndarray

    @classmethod
    def of(cls, records):
        """From one dict an epoch."""
        names = cls.__dataclass_fields__
        return cls(**{name: np.array([record.get(name, np.nan) for record in records]) for name in names})


@dataclass(frozen=True, repr=False)
class FitResult:
    """A fitted model and how it came about; made by :func:`fastgd.fit`.

    Attributes
    ----------
    coef : ndarray (d,) of float64
        Coefficients in the units of the user's columns.
    intercept : float
        0.0 with ``fit_intercept=False``.
    status : str
        'converged', 'max_epochs', 'early_stopped', 'diverged' or 'interrupted'.
    message : str
        Why the run ended, and what to do next.
    n_epochs, n_steps : int
        Whole passes and steps that the weights have behind them.
    choices : dict of str to str
        What was chosen for each setting left at 'auto', in words.
    history : History
    classes : ndarray (2,) or None
        The two labels, sorted; ``predict`` gives them back.
    feature_names : tuple of str or None
        The columns' names where X had them.
    """

    coef: np.ndarray
    intercept: float
    status: str
    message: str
    n_epochs: int
    n_steps: int
    choices: dict
    history: History
    classes: np.ndarray | None = None
    feature_names: tuple | None = None
    _objective: object = field(default=None)

    @functools.cached_property
    def loss(self):
        """The objective of the training data at these coefficients, computed when first read (one pass)."""
        if self._objective is None:
            raise AttributeError("loss needs the training data, which a copied or pickled result does not hold.")
        return self._objective()

    def __getstate__(self):
        return {**self.__dict__, "_objective": None}

    def decision_function(self, X):
        """The linear score ``X @ coef + intercept``, (n,) float64; for two classes positive means the second."""
        from .checks import matrix

        X, names = matrix(X)
        if X.shape[1] != self.coef.size:
            raise ValueError(f"X has {X.shape[1]} columns, but the model was fitted on {self.coef.size}.")
        if names and self.feature_names and names != self.feature_names:
            raise ValueError(f"X has the columns {names}, but the model was fitted on {self.feature_names}.")
        scores = np.empty(X.shape[0])
        for start in range(0, X.shape[0], 65536):  # float64 without a float64 copy of X
            scores[start : start + 65536] = X[start : start + 65536] @ self.coef
        return scores + self.intercept

    def predict(self, X):
        """The mean (n,), or for two classes the label whose score wins."""
        scores = self.decision_function(X)
        return scores if self.classes is None else self.classes[(scores > 0).astype(np.intp)]

    def plot(self, ax=None):
        """Draw the loss of each epoch (matplotlib); returns the axes."""
        ax = ax or _axes()
        epochs = np.arange(1, self.history.loss.size + 1)
        ax.plot(epochs, self.history.loss, label="loss")
        if np.isfinite(self.history.objective).any():
            ax.plot(epochs, self.history.objective, label="objective after the epoch")
            ax.legend()
        positive = self.history.loss[np.isfinite(self.history.loss)]
        if positive.size and positive.min() > 0 and positive.max() > 50 * positive.min():
            ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel="loss", title=f"{self.status} after {self.n_epochs} epochs")
        return ax

    def __repr__(self):
        lines = [f"{type(self).__name__}: {self.status} after {self.n_epochs} epochs ({self.n_steps} steps)"]
        lines += [f"  {self.message}", f"  {self.coef.size} coefficients, intercept {self.intercept:.6g}"]
        return "\n".join(lines + [f"  {name}: {words}" for name, words in self.choices.items()])


def _axes():
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("plot() needs matplotlib: python -m pip install 'fastgd[plot]'") from None
    return plt.subplots(layout="constrained")[1]
