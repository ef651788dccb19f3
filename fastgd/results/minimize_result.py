"""The result of a minimisation."""

from dataclasses import dataclass

import numpy as np

from .batch_state import BatchHistory, BatchState
from .plots import log_where_wide, new_axes


@dataclass(frozen=True, eq=False)
class MinimizeHistory:
    """The history of a minimisation, the start included.

    Attributes
    ----------
    x : ndarray (nit + 1,) for a number, (nit + 1, d) for a vector
    fun : ndarray (nit + 1,)
    """

    x: np.ndarray
    fun: np.ndarray


@dataclass(frozen=True, repr=False, eq=False)
class MinimizeResult:
    """The result of :func:`fastgd.minimize`. The names are SciPy's.

    Attributes
    ----------
    x : float or ndarray (d,) of float64
        A number where the start was one; always finite.
    fun : float
        The value at ``x``.
    jac : float or ndarray (d,)
        The gradient at ``x``; NaN where it was not known when the run was interrupted.
    nit : int
        Iterations done.
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
    history: MinimizeHistory | BatchHistory | None = None
    n_epochs: int | None = None
    state: BatchState | None = None

    @property
    def success(self):
        """Whether the status is 'converged'."""
        return self.status == "converged"

    @property
    def loss(self):
        """What runs of a sweep are compared by: the lowest validation value where there is one, else ``fun``."""
        if self.n_epochs is None or not np.isfinite(self.history.validation_fun).any():
            return self.fun
        return float(np.nanmin(self.history.validation_fun))

    @property
    def columns(self):
        """The entries of this run in a sweep's table: ``fun``, ``x`` where it is a number, and ``nit``."""
        return {"fun": self.fun, **({"x": self.x} if isinstance(self.x, float) else {}), "nit": self.nit}

    def plot(self, ax=None, **options):
        """Draw ``fun`` after each iteration (matplotlib, with options for its line); returns the axes."""
        if self.history is None:
            raise ValueError("plot() needs the history: call minimize with history=True.")
        ax = ax or new_axes()
        ax.plot(self.history.fun, **options)
        log_where_wide(ax)
        ax.set(xlabel="iteration", ylabel="fun")
        return ax

    def __repr__(self):
        lines = [f"{type(self).__name__}: {self.status} after {self.nit} iterations", f"  {self.message}"]
        return "\n".join([*lines, f"  fun: {self.fun!r}", f"  x: {self.x!r}"])
