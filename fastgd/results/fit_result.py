"""What a run gives back: results, their history, their sentences and their plots."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..inputs import arrays
from ..inputs.arguments import number
from ..inputs.arrays import finite_columns, matrix
from ..inputs.part_serialization import part_at
from ..parts import losses
from .evaluation import objective
from .state import PER_TARGET, RunState


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


class Replicates(NamedTuple):
    """The bootstrap replicates of a model."""

    coef: np.ndarray  # (replicates, d), or (replicates, m, d) for m targets or classes
    intercept: np.ndarray  # (replicates,) or (replicates, m)


@dataclass(frozen=True, repr=False, eq=False)
class FitResult:
    """A fitted model and how it came about; made by :func:`fastgd.fit`.

    Attributes
    ----------
    coef : ndarray (d,) of float64, or (m, d) for m targets or classes
        Coefficients in the units of the user's columns.
    intercept : float, or ndarray (m,)
        0.0 with ``fit_intercept=False``.
    loss : float
        The objective of the training data that the run computed last: at these coefficients where the solver knows it
        there (Newton's method, staged SGD, ``evaluate=True``), else before the last full-batch step, or the mean of the
        losses of the last epoch's batches. :meth:`objective` computes it on any data.
    status : str
        'converged', 'max_epochs', 'early_stopped', 'diverged' or 'interrupted'.
    message : str
        Why the run ended, and what to do next.
    n_epochs, n_steps : int
        Whole passes and steps of the run.
    best_epoch : int or None
        With validation, the epoch whose weights these are.
    choices : dict of str to str
        What was chosen for each setting left at 'auto', in words.
    history : History
    classes : ndarray (classes,) or None
        The labels, sorted; ``predict`` gives them back.
    feature_names : tuple of str or None
        The columns' names where X had them.
    state : RunState
        All that the run needs to go on: ``fastgd.fit(..., resume=r)`` and ``fastgd.partial_fit(X, y, r)``.
    replicates : Replicates or None
        With ``bootstrap``, ``coef`` and ``intercept`` of each replicate, the first index its number.
    """

    coef: np.ndarray
    intercept: float | np.ndarray
    loss: float
    status: str
    message: str
    n_epochs: int
    n_steps: int
    choices: dict
    history: History
    classes: np.ndarray | None = None
    feature_names: tuple | None = None
    best_epoch: int | None = None
    replicates: Replicates | None = None
    state: RunState | None = None

    @property
    def options(self):
        """The options as values: what "auto" became (dict); parts are dicts of a name and fields.

        ``options["solver"]`` names the solver; ``choices`` has the reasons in words.
        """
        return dict(self.state.resolved)

    def objective(self, X, y, sample_weight=None, offset=None):
        """The objective of this model on data, the mean of its targets': a pass.

        Parameters
        ----------
        X, y, sample_weight, offset
            As for :func:`fastgd.fit`; targets of classes are labels.

        Returns
        -------
        float

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd
        >>> x = np.arange(4.0)
        >>> r = fastgd.fit(x[:, None], 2 * x + 1)
        >>> round(r.objective(x[:, None], 2 * x), 6)  # off by 1 everywhere: half the squared residual
        0.5
        """
        return objective(self, X, y, sample_weight, offset)

    @property
    def coef_std(self):
        """The standard errors of ``coef``: the replicates' standard deviation."""
        return self._replicates.coef.std(axis=0, ddof=1)

    @property
    def intercept_std(self):
        """The standard error of ``intercept``."""
        return self._replicates.intercept.std(axis=0, ddof=1)

    def coef_interval(self, level=0.95):
        """Percentile intervals of ``coef`` (Efron 1981): lower and upper ends.

        Parameters
        ----------
        level : float, default 0.95
            How often such an interval is to cover the coefficient, in (0, 1).

        Returns
        -------
        (ndarray, ndarray), each of the shape of ``coef``

        Raises
        ------
        AttributeError
            Where the fit was not asked for replicates.

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd
        >>> x = np.linspace(-1, 1, 400)
        >>> y = 3 * x + np.random.default_rng(0).normal(size=400)
        >>> low, high = fastgd.fit(x[:, None], y, bootstrap=200, random_state=0).coef_interval(0.99)
        >>> bool(low[0] < 3 < high[0])
        True
        """
        return self._interval(self._replicates.coef, level)

    def intercept_interval(self, level=0.95):
        """The percentile interval of ``intercept``: its lower and upper end; as for :meth:`coef_interval`."""
        return self._interval(self._replicates.intercept, level)

    def _interval(self, values, level):
        level = number("level", level, above=0.0, below=1.0)
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    @property
    def _replicates(self):
        if self.replicates is None:
            raise AttributeError("Standard errors and intervals need replicates: fit with bootstrap=200, for example.")
        return self.replicates

    def save(self, path):
        """Write the model and all that its run needs to go on to one file (npz, without pickle); see :func:`load`.

        The file is there as a whole or, should anything fail, as it was before.

        Raises
        ------
        TypeError
            Where the labels are neither numbers nor strings.
        OSError
            Where the file can't be written.
        """
        from .saving import save  # which reads results too

        save(self, path)

    def decision_function(self, X, offset=None):
        """The linear score ``X @ coef.T + intercept + offset``, float64: (n,), or (n, m) for m targets or classes.

        For two classes positive means the second.
        """
        X, names, _ = matrix(X)
        if X.shape[1] != self.coef.shape[-1]:
            raise ValueError(f"X has {X.shape[1]} columns, but the model was fitted on {self.coef.shape[-1]}.")
        if names and self.feature_names and names != self.feature_names:
            again = ": pass X[list(r.feature_names)]" if sorted(names) == sorted(self.feature_names) else ""
            raise ValueError(f"X has the columns {names}, but the model was fitted on {self.feature_names}{again}.")
        with np.errstate(all="ignore"):
            scores = X.scores(self.coef) + self.intercept
        scores = self._with_offset(scores, offset)
        if not np.isfinite(scores).all():
            finite_columns(X, names)
            row = np.argwhere(~np.isfinite(scores))[0][0]
            raise ValueError(f"X has values whose score overflows, the first in row {row}.")
        return scores

    def _with_offset(self, scores, offset):
        if offset is None:
            if self.state is not None and self.state.offset:
                raise ValueError(
                    "offset is missing: the model was fitted with one. Pass offset=, an array (rows,); zeros predict "
                    "for an offset of 0."
                )
            return scores
        offset = arrays.offset(offset, len(scores), np.dtype(np.float64))
        return scores + (offset if scores.ndim == 1 else offset[:, None])

    def predict(self, X, offset=None):
        """The mean, (n,) or (n, m) for m targets; for classes the label (n,) whose score wins.

        Poisson, gamma and tweedie models predict ``exp`` of the score. A model that was fitted with an ``offset`` asks
        for one, an array (n,).
        """
        scores = self.decision_function(X, offset)
        if self.classes is not None and self.coef.ndim == 2:
            return self.classes[scores.argmax(axis=1)]
        if self.classes is not None:
            return self.classes[(scores > 0).astype(np.intp)]
        return part_at(self.state, "loss", losses).mean(scores) if self.state.link else scores

    @property
    def columns(self):
        """The entries of this run in a sweep's table."""
        held = {"validation_loss": float(np.min(self.history.validation_loss, initial=np.inf))}
        known = np.isfinite(self.history.validation_loss).any()
        return {"loss": self.loss, **(held if known else {}), "n_epochs": self.n_epochs}

    def plot(self, ax=None, **options):
        """Draw the loss of each epoch (matplotlib, with options for its line); returns the axes."""
        ax = ax or figure()[1]
        epochs = np.arange(1, self.history.loss.size + 1)
        ax.plot(epochs, self.history.loss, **{"label": "loss", **options})
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
        if self.coef.ndim == 1:
            words = f"{self.coef.size} coefficients, intercept {self.intercept:.6g}"
        else:
            kind = "targets" if self.classes is None else "classes"
            words = f"{self.coef.shape[1]} coefficients for each of {len(self.coef)} {kind}"
        lines += [f"  {self.message}", f"  {words}"]
        return "\n".join(lines + [f"  {name}: {words}" for name, words in self.choices.items()])


def figure(**options):
    """A new figure and its axes (matplotlib)."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("plot() needs matplotlib: python -m pip install 'fastgd[plot]'") from None
    return plt.subplots(layout="constrained", **options)


@dataclass(frozen=True, eq=False)
class MinimizeHistory:
    """The course of a minimisation, the start included.

    Attributes
    ----------
    x : ndarray (nit + 1,) for a number, (nit + 1, d) for a vector
    fun : ndarray (nit + 1,)
    """

    x: np.ndarray
    fun: np.ndarray


@dataclass(frozen=True, repr=False, eq=False)
class MinimizeResult:
    """Where a minimisation ended; made by :func:`fastgd.minimize`. The names are SciPy's.

    Attributes
    ----------
    x : float or ndarray (d,) of float64
        A number where the start was one; always finite.
    fun : float
        The value at ``x``.
    jac : float or ndarray (d,)
        The gradient at ``x``; NaN where it was not known when the run was interrupted.
    nit : int
        Iterations behind ``x``.
    status : str
        'converged', 'max_iter', 'early_stopped', 'diverged' or 'interrupted'.
    message : str
        Why the run ended, and what to do next.
    history : MinimizeHistory or None
    """

    x: float | np.ndarray
    fun: float
    jac: float | np.ndarray
    nit: int
    status: str
    message: str
    history: MinimizeHistory | None = None

    @property
    def success(self):
        """Whether the status is 'converged'."""
        return self.status == "converged"

    @property
    def columns(self):
        """The entries of this run in a sweep's table: ``fun``, ``x`` where it is a number, and ``nit``."""
        return {"fun": self.fun, **({"x": self.x} if isinstance(self.x, float) else {}), "nit": self.nit}

    def plot(self, ax=None, **options):
        """Draw ``fun`` after each iteration (matplotlib, with options for its line); returns the axes."""
        if self.history is None:
            raise ValueError("plot() needs the history: call minimize with history=True.")
        ax = ax or figure()[1]
        ax.plot(self.history.fun, **options)
        log_where_wide(ax)
        ax.set(xlabel="iteration", ylabel="fun")
        return ax

    def __repr__(self):
        lines = [f"{type(self).__name__}: {self.status} after {self.nit} iterations", f"  {self.message}"]
        return "\n".join([*lines, f"  fun: {self.fun!r}", f"  x: {self.x!r}"])


def log_where_wide(ax, lines=None):
    """A logarithmic axis for losses that are positive and span more than a factor of 50."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in lines or ax.lines])
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size and drawn.min() > 0 and drawn.max() > 50 * drawn.min():
        ax.set_yscale("log")
