"""The result of a minimisation."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs.nest import Nest, nest_of
from ..wording import count
from . import npz, saving
from .batch_state import BatchHistory, BatchState
from .plots import FEW_POINTS, legend_below, log_where_wide, mark_best, new_axes, whole_numbers
from .shown import Shown

if TYPE_CHECKING:
    from .._types import Path

SHOWN = 100


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
        A number where the start was one; always finite. Of a run over data in the form and the type of the start.
    fun : float
        The value at ``x``; over data the mean over all rows trained on, with the penalty.
    jac : float or ndarray (d,)
        The gradient at ``x``, in its form and without the penalty; NaN where it was not known when the run was
        interrupted.
    nit : int
        Iterations done.
    status : str
        'converged', 'max_iter', 'max_epochs', 'early_stopped', 'diverged' or 'interrupted'.
    message : str
        Why the run ended, and what to do next.
    history : MinimizeHistory or None, of a run over data BatchHistory
    n_epochs : int or None
        Epochs done, of a run over data.
    state : BatchState or None
        What a run over data goes on from: ``minimize(..., resume=...)`` takes it, and the result.
    """

    x: Any
    fun: float
    jac: Any
    nit: int
    status: str
    message: str
    history: Any = None  # MinimizeHistory, BatchHistory or None
    n_epochs: int | None = None
    state: BatchState | None = None

    @property
    def success(self) -> bool:
        """Whether the status is 'converged'."""
        return self.status == "converged"

    @property
    def loss(self) -> float:
        """What runs of a sweep are compared by: the lowest validation value where there is one, else ``fun``."""
        if self.n_epochs is None or not np.isfinite(self.history.validation_fun).any():
            return self.fun
        return float(np.nanmin(self.history.validation_fun))

    @property
    def _table_row(self) -> dict[str, Any]:
        """The entries of this run in a sweep's table: ``fun``, ``x`` where it is a number, and ``nit``."""
        return {"fun": self.fun, **({"x": self.x} if isinstance(self.x, float) else {}), "nit": self.nit}

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw ``fun`` after each iteration or epoch (matplotlib, with options for its line); returns the axes."""
        if self.history is None:
            raise ValueError("plot() needs the history: call minimize with history=True.")
        ax = ax or new_axes()
        if self.n_epochs is None:
            few = {"marker": "."} if len(self.history.fun) <= FEW_POINTS else {}
            ax.plot(self.history.fun, **{**few, **options})
        else:
            self._plot_epochs(ax, options)
        log_where_wide(ax)
        ax.set(xlabel="iteration" if self.n_epochs is None else "epoch", ylabel="fun", title=self._ended)
        whole_numbers(ax)
        if self.n_epochs is not None:
            legend_below(ax)
        return ax

    def _plot_epochs(self, ax, options):
        epochs, held = np.arange(1, self.n_epochs + 1), self.history.validation_fun
        (line,) = ax.plot(epochs, self.history.fun, **{"label": "training", **options})
        if np.isfinite(held).any():
            ax.plot(epochs, held, **{**options, "color": line.get_color(), "linestyle": "--", "label": "validation"})
            best = int(np.nanargmin(held))
            mark_best(ax, best + 1, held[best], f"best epoch: {best + 1}")

    def save(self, path: Path) -> None:
        """Write a minimisation over data to a file that :func:`fastgd.load` reads and ``resume=`` goes on from.

        Without pickle, and whole or not at all. A named tuple of parameters is a tuple when it is read.

        Parameters
        ----------
        path : str or path
            Named as given; see :meth:`FitResult.save`.
        """
        if self.state is None:
            raise ValueError("save() is for minimisations over data: those without have x, an array or a number.")
        nest, x = nest_of(self.x)
        jac = nest_of(self.jac, finite=False)[1].astype(x.dtype)
        saved = saving.SavedMinimization(nest.facts(), x, jac, self.fun, self.status, self.message, self.state)
        saving.write(path, saved)

    def __repr__(self):
        return self._shown().text()

    def _repr_html_(self):
        return self._shown().html()

    def _shown(self):
        facts = {None: self.message, "fun": repr(self.fun), "x": shown(self.x)}
        return Shown(f"{type(self).__name__}: {self._ended}", facts)

    @property
    def _ended(self):
        return f"{self.status} after {count(self.nit, 'iteration')}"


def shown(x):
    """Parameters in words: of arrays of more than ``SHOWN`` numbers their shapes."""
    if isinstance(x, dict):
        return "{" + ", ".join(f"{key!r}: {shown(item)}" for key, item in x.items()) + "}"
    if isinstance(x, (list, tuple)):
        return f"{'(' if isinstance(x, tuple) else '['}{', '.join(map(shown, x))}{')' if isinstance(x, tuple) else ']'}"
    return f"{x.dtype} {x.shape}" if np.size(x) > SHOWN else repr(x)


def minimization_of(path, saved):
    """The result of what a file holds."""
    try:
        nest = Nest.from_facts(saved.params, saved.x.dtype)
        if nest.size != saved.x.size or nest.size + 1 != saved.state.weights.size:
            raise ValueError("'params' contradicts the rest.")
    except ValueError as error:
        raise ValueError(f"{os.fsdecode(path)!r} is not a fastgd model: {error} {npz.REMEDY}") from None
    state = saved.state
    return MinimizeResult(
        nest.of(saved.x), saved.fun, nest.of(saved.jac), state.steps, saved.status, saved.message,
        BatchHistory(*state.records.T.copy()), state.epoch, state,
    )  # fmt: skip
