"""The scores of cross-validation: held-out losses, their means and errors, and the settings they select."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..inputs import arrays
from ..parts.registry import brief

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Scores:
    """The held-out loss of each setting in each fold, and the settings it selects.

    Attributes
    ----------
    losses : ndarray (settings, folds)
        Smaller is better; for a scorer, minus the score.
    scored : bool
        Whether they are of a scorer.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.results.scores import Scores
    >>> s = Scores(np.array([[3.0, 5.0], [2.0, 4.0], [9.0, 9.0]]))
    >>> s.mean, s.best, s.simplest([1.0, 0.1, 10.0])
    (array([4., 3., 9.]), 1, 0)
    """

    losses: np.ndarray
    scored: bool = False

    @property
    def mean(self) -> np.ndarray:
        """(settings,) The mean over the folds; infinite where a fold's loss is not finite."""
        with np.errstate(all="ignore"):
            mean = self.losses.mean(axis=1)
        return np.where(np.isfinite(self.losses).all(axis=1) & np.isfinite(mean), mean, np.inf)

    @property
    def standard_error(self) -> np.ndarray:
        """(settings,) Of the mean: the standard deviation over the folds, divided by the root of their number.

        NaN for one fold, and where a fold's loss is not finite.
        """
        folds = self.losses.shape[1]
        if folds == 1:
            return np.full(len(self.losses), np.nan)
        with np.errstate(all="ignore"):
            return self.losses.std(axis=1, ddof=1) / np.sqrt(folds)

    @property
    def shown(self) -> np.ndarray:
        """(settings, folds) The losses or, of a scorer, the scores as it gives them."""
        return -self.losses if self.scored else self.losses

    @property
    def mean_shown(self) -> np.ndarray:
        """(settings,) The means of these."""
        return -self.mean if self.scored else self.mean

    @property
    def name(self) -> str:
        """What a mean is called: "mean_loss" or "mean_score"."""
        return "mean_score" if self.scored else "mean_loss"

    @property
    def best(self) -> int:
        """The index of the smallest finite mean, the first of equal ones."""
        mean = self.mean
        if not np.isfinite(mean).any():
            raise ValueError(
                "No setting has a finite loss in every fold: pass smaller learning rates, or check X, y and scoring."
            )
        return int(np.argmin(mean))

    def simplest(self, order: ArrayLike) -> int:
        """The index of the simplest setting whose mean is within one standard error of the best one's.

        The one-standard-error rule (Breiman, Friedman, Olshen and Stone 1984; glmnet's ``lambda.1se``).

        Parameters
        ----------
        order : array-like (settings,)
            Larger is simpler, e.g. the strength of the penalty. Of equal ones the smaller mean wins.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If no mean is finite, or ``order`` is not one number for each setting.
        """
        order = arrays.numeric("order", order).astype(np.float64)
        if order.shape != (len(self.losses),) or np.isnan(order).any():
            raise ValueError(
                f"order must be one number for each of {len(self.losses)} settings, got {brief(order, 60)}."
            )
        mean, best = self.mean, self.best
        error = self.standard_error[best]
        limit = mean[best] + (error if np.isfinite(error) else 0.0)
        near = np.flatnonzero(np.isfinite(mean) & (mean <= limit))
        return int(min(near, key=lambda k: (-order[k], mean[k])))
