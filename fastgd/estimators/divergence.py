"""The warnings of fits that diverged."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..results.divergence import DivergenceWarning, warn_of_divergence
from ..wording import level_outside

FAR_ABOVE = 10.0  # times the loss at the start: scikit-learn's rules let a run end there
RISEN = (
    "Diverged: the mean loss of the last epoch is {loss:.3g}, and {start:.3g} at the start. Lower eta0, or leave "
    'learning_rate at "auto", which scales the columns and needs no rate.'
)


class EstimatorDivergenceWarning(DivergenceWarning, ConvergenceWarning):
    """fastgd's warning and scikit-learn's, so that filters of either hold."""


def warn_of_chunk(results, before):
    """Warn of streams that diverge from this chunk on; ``before`` are the results of the chunk before, or None."""
    for k, result in enumerate(results):
        if not (before and before[k].status == "diverged"):
            warn_of_divergence(result, EstimatorDivergenceWarning)


def warn_of_fits(results):
    """Warn of fits that diverged, also of those that ended far above their start by scikit-learn's rules."""
    for result in results:
        warn_of_divergence(result, EstimatorDivergenceWarning)
        losses, start = result.history.loss, float(np.mean(result.state.start_loss))
        if result.status != "diverged" and losses.size and losses[-1] > FAR_ABOVE * start > 0:
            words = RISEN.format(loss=losses[-1], start=start)
            warnings.warn(words, EstimatorDivergenceWarning, stacklevel=level_outside())
