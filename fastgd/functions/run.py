"""One run of ``minimize``: where it stands, and how it ended."""

from dataclasses import dataclass

import numpy as np

from ..results.fit_result import MinimizeHistory
from ..results.progress import StepProgress


@dataclass
class Run:
    """Where one run stands. ``status`` is None where the verdict is still to be given."""

    x: float | np.ndarray
    fun: float
    jac: float | np.ndarray | None  # None: not known
    nit: int
    status: str | None = None
    reason: str = ""
    hint: str = ""
    history: MinimizeHistory | None = None

    def progress(self, number):
        """What a callback is given, an array of its own in it; ``number`` says which run of a sweep it is."""
        return StepProgress(self.nit, self.x if isinstance(self.x, float) else self.x.copy(), self.fun, number)
