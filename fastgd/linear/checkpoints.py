"""Files from which a fit goes on whose process was killed."""

import os
import time
from dataclasses import replace

from .report import kept


def with_checkpoints(choice, plan):
    """The plan, with a file that is written from time to time where the engine of the fit has a path for it."""
    engine = choice.options.engine
    path = getattr(engine, "checkpoint", None)
    if path is None:
        return plan
    if len(plan.models) > 1:
        raise ValueError("checkpoint keeps the run of one model: leave out bootstrap, or the engine's checkpoint.")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise FileNotFoundError(f"checkpoint={str(path)!r} is in a folder that is not there: make it first.")
    return replace(plan, keep=Checkpoints(choice, plan, path, engine.checkpoint_every))


class Checkpoints:
    """Writes how a run would end, every so many seconds: no number depends on when."""

    def __init__(self, choice, plan, path, every):
        self.choice, self.plan, self.path, self.every = choice, plan, path, every
        self.written = time.monotonic()

    def __call__(self, outcome):
        """Write the file if it is time to; ``outcome()`` is how the run would end."""
        if time.monotonic() - self.written >= self.every:
            kept(self.choice, self.plan, outcome()).save(self.path)
            self.written = time.monotonic()
