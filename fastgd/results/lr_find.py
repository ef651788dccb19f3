"""What a learning-rate range test leaves: its curve, and what the rules read off it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..inputs import arguments
from ..wording import count
from .lr_rules import NAMES
from .plots import legend_below, new_axes, scale_of
from .shown import Shown

USUAL = "constant"  # the rule of ``suggestion()``
DIVERGED = 4.0  # times the least loss ends a test


@dataclass(frozen=True, repr=False, eq=False)
class LrFind:
    """The curve of a learning-rate range test and what the rules read off it; made by :func:`fastgd.lr_find`.

    Attributes
    ----------
    learning_rates : ndarray (steps,)
        The rate of each step; the steps end where the loss diverges.
    losses : ndarray (steps,)
        The loss before each step, smoothed on batches; never NaN or infinite.
    raw_losses : ndarray (steps,)
        The loss of each batch before its step; on the full batch the objective.
    suggestions : dict of str to float
        The rate that each rule suggests. A rule that can't be applied is absent, and ``message`` says why.
    status : str
        'found'; 'falling' where the loss still falls at the last rate; 'flat' where it does not fall at all;
        'diverged' where it diverges before it falls, or too early for a rule.
    message : str
        What the curve shows, and what to do next.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    raw_losses: np.ndarray
    suggestions: dict[str, float]
    status: str
    message: str

    def suggestion(self, rule: Literal["constant", "valley", "slide", "minimum", "steep"] | str = "constant") -> float:
        """The learning rate that a rule suggests: of "constant" one to keep, of the others peaks of a schedule.

        Raises
        ------
        ValueError
            Where the rule is not known, or can't be applied to this curve.
        """
        arguments.one_of("rule", rule, NAMES)
        if rule not in self.suggestions:
            others = ", ".join(map(repr, self.suggestions))
            hint = f" Rules with a suggestion: {others}." if others else ""
            raise ValueError(f"rule={rule!r} has no suggestion here. {self.message}{hint}")
        return self.suggestions[rule]

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss against the rate, the suggestions marked (matplotlib); returns the axes."""
        ax = ax or new_axes(figsize=(6.4, 5.2))
        if not np.array_equal(self.losses, self.raw_losses):
            ax.plot(self.learning_rates, self.raw_losses, ".", color="0.75", label="loss of a batch")
        ax.plot(self.learning_rates, self.losses, label="loss")
        for k, (rule, rate) in enumerate(self.suggestions.items()):
            style = {"linestyle": "-", "linewidth": 2.5} if rule == USUAL else {"linestyle": "--"}
            words = f"{rule}: {rate:.3g}" + (" (suggestion())" if rule == USUAL else "")
            ax.axvline(rate, color=f"C{k + 1}", label=words, **style)
        if self.losses.size:
            # Losses that diverge, and those of single batches, would flatten the rest of the curve.
            low = self.losses.min()
            high = min(self.losses.max(), max(self.losses[0], DIVERGED * low))
            if scale_of(np.array([low, high])) == "log":
                ax.set_yscale("log")
                ax.set_ylim(low / 2, high * 2)
            elif high - low > 1e-9 * abs(high):
                ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        ax.set_xscale("log")
        ax.set(xlabel="learning rate", ylabel="loss", title=f"{self.status} after {count(self.losses.size, 'step')}")
        legend_below(ax)
        return ax

    def __repr__(self):
        return self._shown().text()

    def _repr_html_(self):
        return self._shown().html()

    def _shown(self):
        title = f"{type(self).__name__}: {self.status} after {count(self.losses.size, 'step')}"
        return Shown(title, {None: self.message, **{rule: f"{rate:.4g}" for rule, rate in self.suggestions.items()}})
