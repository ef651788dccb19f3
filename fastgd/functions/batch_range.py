"""Steps one by one at rates that grow, for the learning-rate range test of a user's function."""

import math

import numpy as np

from ..kernels.batch_steps import RUNNING
from .batch_functions import BOTH


class FunctionSteps:
    """One batch after another of a task, at the rates of ``growth``; epochs follow each other without end."""

    def __init__(self, kind, task, setting, growth):
        self.run = kind(task, setting)
        self.run.schedule, self.run.wanted = growth, BOTH
        self.growth, self.fresh = growth, self.run.state.copy()

    def rewind(self):
        """Back to the first parameters, but not to the first batch."""
        state = self.run.state
        here = state.epoch, state.position
        state.take(self.fresh)
        state.epoch, state.position = here

    def next(self):
        """The value of the next batch before its step, and whether it and the parameters after it are finite."""
        state, order = self.run.state, self.run.order
        if state.position == order.positions:
            state.epoch, state.position = state.epoch + 1, 0
        if order.waits(state):
            order.read_for([state])
        state.sums[0], position = 0.0, state.position
        sound = self.run.steps(np.array([self.growth.rate(state.steps + 1.0)])) == RUNNING
        value = state.sums[0] / max(state.position - position, 1) if sound else math.nan
        return float(value), bool(sound and np.isfinite(state.weights).all())
