"""The result of a sweep: its runs, their table, the best of them, and plots."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from ..kernels.threads import cached_property
from ..wording import count
from .comparability import COMPARABLE, Comparability
from .divergence import warn_of_divergence
from .plots import new_axes, plot_histories, plot_losses
from .scores import Scores
from .shown_runs import SHOWN_RUNS, shown_of_runs, table_of_runs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._types import Path, Rows
    from .fit_result import FitResult

R = TypeVar("R")  # the class of the results


class Results(Sequence):
    """Results that are made when they are first read: ``make(k)`` is the k-th."""

    def __init__(self, count, make):
        self._runs, self._make = range(count), functools.cache(make)

    def __len__(self):
        return len(self._runs)

    def __getitem__(self, k):
        found = self._runs[k]
        return list(map(self._make, found)) if isinstance(k, slice) else self._make(found)

    def __repr__(self):
        return f"<{len(self)} results>"

    def __getstate__(self):
        return list(self)

    def __setstate__(self, made):
        self.__init__(len(made), made.__getitem__)


@dataclass(frozen=True, repr=False, eq=False)
class SweepResult(Generic[R]):
    """The runs of a sweep; made by :func:`fastgd.sweep` and :func:`fastgd.minimize_sweep`.

    Attributes
    ----------
    results : sequence
        One result a run, in the order of the settings, the last named setting running fastest.
    settings : dict of str to list
        The settings that vary, one value a run.
    status : list of str
        How each run ended, in the words of its result.
    comparability : Comparability
        Whether the runs can be compared, ``comparability.refusal`` or ``comparability.caution`` saying why not.
    """

    results: Sequence[R]
    settings: dict[str, list[Any]]
    _losses: Any  # an array (runs,), or a function that gives it
    _statuses: Any = field(default=None)
    comparability: Comparability = COMPARABLE
    _in_memory: bool = True  # whether the losses take no pass over files

    @cached_property
    def losses(self) -> np.ndarray:
        """The losses that runs are compared by, (runs,), smaller is better.

        For a fit the objective, of all runs in one pass when first read, or with ``validation`` the held-out loss.
        Objectives of different losses or penalties are not comparable: pass ``validation`` or ``cv``.
        """
        return self._losses() if callable(self._losses) else self._losses

    def __getstate__(self):
        losses = self.losses
        for run in self.results:
            _ = run._table_row  # a copy does not hold the data that this needs
        return {**self.__dict__, "_losses": losses}

    @property
    def best_index(self) -> int:
        """Which run has the smallest finite loss; one that diverged only where all did.

        A ValueError where no run has one, and of runs with different losses, whose values have different units.
        """
        self.comparability.check()
        good = np.isfinite(self.losses)
        if not good.any():
            raise ValueError("No run has a finite loss: sweep smaller learning rates, or check the start.")
        sound = good & (np.array(self.status) != "diverged")
        return int(np.argmin(np.where(sound if sound.any() else good, self.losses, np.inf)))

    @property
    def best(self) -> R:
        """The result with the smallest finite loss; a UserWarning where the settings alone decide which that is."""
        self.comparability.warn()
        return self.results[self.best_index]

    def score(
        self,
        X: Rows,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> float:
        """The score of the best run on data: :meth:`FitResult.score`."""
        return self.best.score(X, y, sample_weight, offset)

    def predict(self, X: Rows, offset: ArrayLike | None = None, to: Path | None = None) -> Any:
        """The predictions of the best run: :meth:`FitResult.predict`."""
        return self.best.predict(X, offset, to)

    def predict_proba(self, X: Rows, offset: ArrayLike | None = None, to: Path | None = None) -> Any:
        """The class probabilities of the best run: :meth:`FitResult.predict_proba`."""
        return self.best.predict_proba(X, offset, to)

    @property
    def best_settings(self) -> dict[str, Any]:
        """The settings that vary, at their best values."""
        return {name: values[self.best_index] for name, values in self.settings.items()}

    @property
    def status(self) -> list[str]:
        """The status of each run (list of str)."""
        return list(self._statuses or [run.status for run in self.results])

    def table(self) -> dict[str, list[Any]]:
        """A dict of columns (lists, one entry a run): the settings that vary, what each run reached, its status.

        Of fits that is the "objective" (and with ``validation`` the "validation_loss"), of minimisations "fun".
        """
        columns = [run._table_row for run in self.results]
        return {**self.settings, **{name: [of[name] for of in columns] for name in columns[0]}, "status": self.status}

    def to_dataframe(self) -> Any:
        """The table as a data frame (pandas)."""
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("to_dataframe() needs pandas: python -m pip install pandas") from None
        return pd.DataFrame(self.table())

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses against the first setting of numbers, and the course of each run (matplotlib).

        Both mark the best run, and with red crosses at the upper edge the runs that diverged.

        Parameters
        ----------
        ax : matplotlib axes, a pair of them or None, default None
            Where to draw: one is for the courses alone; None makes a figure of both, or of the losses alone where the
            runs have no history.

        Returns
        -------
        axes, or an array (2,) of axes
            Where it is drawn.
        """
        if ax is None:
            courses = all(run.history is not None for run in self.results)
            ax = new_axes(ncols=1 + courses, figsize=(6 * (1 + courses), 5))
            if not courses:
                plot_losses(ax, self)
                return ax
        if np.size(ax) == 2:
            plot_losses(ax[0], self)
        plot_histories(np.ravel(ax)[-1], self)
        return ax

    def __repr__(self):
        return self._shown().text()

    def _repr_html_(self):
        shown = self._shown()
        shown.notebook.append(table_of_runs(self, most=SHOWN_RUNS))
        return shown.html()

    def _shown(self):
        """What is shown of the runs."""
        return shown_of_runs(self, count(len(self.results), "run"), self._criterion)

    @property
    def _criterion(self):
        """What runs are compared by: a column of the table."""
        names = self.results[0]._table_row
        return next(name for name in ("validation_loss", "objective", "fun") if name in names)


@dataclass(frozen=True, repr=False, eq=False)
class CrossValidation(SweepResult[Any]):
    """The folds of a sweep with ``cv``; made by :func:`fastgd.sweep`.

    Attributes
    ----------
    results : sequence of lists
        For each setting, the result of each fold.
    settings : dict of str to list
        The settings that vary, one value a setting.
    scores : Scores
        ``scores.losses`` (settings, folds): the loss of the rows that each fold holds out, or minus the score that
        ``scoring`` gives; ``scores.mean`` and ``scores.standard_error`` (settings,) over the folds.
    """

    scores: Scores = None  # type: ignore[assignment]
    _order: Any = None  # (settings,) how simple each setting is
    _fitted: Any = None  # a function that fits a setting on all rows

    @property
    def losses(self) -> np.ndarray:
        """The mean over the folds of their held-out losses, (settings,)."""
        return self.scores.mean

    def __getstate__(self):
        return {**self.__dict__, "_losses": None, "_fitted": None}

    @property
    def best_index(self) -> int:
        """Which setting has the smallest mean loss."""
        self.comparability.check()
        return self.scores.best

    @property
    def simplest_index(self) -> int:
        """Which setting is the simplest within one standard error of the best: the strongest penalty."""
        self.comparability.check()
        return self.scores.simplest(self._order)

    def refit(self, index: int | None = None) -> FitResult:
        """Fit a setting, by default the best one, on all rows: a :class:`fastgd.FitResult`."""
        if self._fitted is None:
            raise ValueError("refit needs the training data, which a copied or pickled result does not hold.")
        return warn_of_divergence(self._fitted(self.best_index if index is None else range(len(self.results))[index]))

    @cached_property
    def best(self) -> FitResult:
        """The best setting fitted on all rows, when first read."""
        self.comparability.warn()
        return self.refit()

    @cached_property
    def simplest(self) -> FitResult:
        """The simplest setting within one standard error of the best, fitted on all rows, when first read."""
        return self.refit(self.simplest_index)

    @property
    def status(self) -> list[str]:
        """The status of each setting: the worst of its folds."""
        worst = ("diverged", "interrupted", "max_epochs", "early_stopped", "converged")
        return [min(statuses, key=worst.index) for statuses in self._statuses]

    def plot(self, ax: Any = None) -> Any:
        """Draw the mean losses with their standard errors against the first setting of numbers (matplotlib).

        The best setting and the simplest one within one standard error are marked, and with red crosses at the upper
        edge the settings of which a fold diverged.

        Parameters
        ----------
        ax : matplotlib axes or None, default None
            Where to draw; None makes a figure.

        Returns
        -------
        axes
        """
        ax = new_axes(figsize=(7, 5)) if ax is None else ax
        scores = self.scores
        ylabel = f"{scores.name.replace('_', ' ')} of {count(scores.losses.shape[1], 'fold')}"
        plot_losses(ax, self, scores.standard_error, ylabel, "settings", scores.mean_shown)
        return ax

    def table(self) -> dict[str, list[Any]]:
        """A dict of columns (lists, one entry a setting): the settings, means over the folds, errors, folds, status.

        The mean is "mean_loss" or, with ``scoring``, "mean_score", as the scorer gives it.
        """
        scores = self.scores
        columns = {scores.name: scores.mean_shown.tolist(), "standard_error": scores.standard_error.tolist()}
        columns |= {f"fold_{f}": values.tolist() for f, values in enumerate(scores.shown.T)}
        return {**self.settings, **columns, "status": self.status}

    @property
    def _criterion(self):
        return self.scores.name

    def _shown(self):
        settings, folds = self.scores.losses.shape
        return shown_of_runs(self, f"{count(settings, 'setting')} of {count(folds, 'fold')}", self._criterion)
