"""Steps on batches in plain NumPy, one line for each thing that is done: what the kernels must agree with."""

import math

import numpy as np

from ..kernels.batch_steps import BAD_GRADIENT, BAD_VALUE, RUNNING
from ..parts.optimizers import decayed
from .batch_functions import VALUE
from .batch_run import BatchRun
from .problem import told


class TextbookRun(BatchRun):
    """A run whose functions are called from Python and whose steps are NumPy's."""

    def _python_steps(self, rates, rows, count):
        state, optimizer, penalty, size = self.state, self.optimizer, self.penalty, self.weights.size
        rows = rows if self.gathers else self.order.first(state) + np.arange(count)
        gradient, columns = np.zeros(size, self.weights.dtype), np.arange(size)
        place = self.functions.at(self.weights, gradient)
        for k, rate in enumerate(rates.tolist()):
            chosen = rows[k * self.order.batch : min((k + 1) * self.order.batch, count)]
            try:
                arrays = [array[chosen] for array in self.present]
                value = self.functions.call(place, arrays, self.wanted)
            except ArithmeticError as error:
                self.raised = told("fun or grad", error)
                return BAD_VALUE, k
            if self.wanted & VALUE and not math.isfinite(value):
                return BAD_VALUE, k
            norm = np.sqrt(np.sum(gradient.astype(np.float64) ** 2))
            if not np.isfinite(norm):
                return BAD_GRADIENT, k
            if norm > self.options.clip_norm:
                gradient *= self.options.clip_norm / norm
            t, w, slots = state.steps + 1 + k, self.weights.copy(), tuple(state.slots[0, :, :-1])
            c, state.carry[:] = optimizer.prepare(rate, t, tuple(state.carry))
            change, step, after = optimizer.move(c, w, gradient, slots)
            moved = decayed(optimizer, c, w) + change
            self.weights[:] = penalty.part.prox(moved, step, penalty.low, penalty.high, penalty.factors, columns)
            for slot, values in zip(state.slots[0], after, strict=True):
                slot[:-1] = values
            if self.options.average is not None and t >= self.options.average:
                state.averages[:-1] += (self.weights - state.averages[:-1]) / (t - self.options.average + 1)
            if self.wanted & VALUE:
                state.sums[0] += value * len(chosen)
        return RUNNING, len(rates)
