"""The warning of runs that ended as diverged."""

import warnings

from ..wording import level_outside
from .messages import ADVICE


class DivergenceWarning(RuntimeWarning):
    """A run diverged: its coefficients are no model. The message says which setting to change.

    Examples
    --------
    >>> import warnings
    >>> import fastgd
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     r = fastgd.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], learning_rate=10.0, epochs=100)
    >>> r.status, told[0].category.__name__
    ('diverged', 'DivergenceWarning')
    """


def warn_of_divergence(result, category=DivergenceWarning):
    """Warn of a result that diverged, at the line that called fastgd; returns the result."""
    if result.status == "diverged":
        _warn(result.message, category)
    return result


def warn_where_all_diverged(found, advice=ADVICE["diverged"]):
    """Warn of a sweep whose runs all diverged; returns it. That some do is what a sweep is to find out."""
    status = found.status
    if status and all(one == "diverged" for one in status):
        words = f"All {len(status)} runs diverged." if len(status) > 1 else "The run diverged."
        _warn(f"{words} {advice}", DivergenceWarning)
    return found


def _warn(message, category):
    """Warn at the line that called fastgd."""
    warnings.warn(message, category, stacklevel=level_outside())
