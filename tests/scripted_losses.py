"""A solver whose losses are a script: what the loop decides is worked out by hand from the numbers in a test."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fastgd.linear.fit import fit_by
from fastgd.results.state import SolverState, Weights
from fastgd.solvers.base import Limits, Records, Solver
from fastgd.solvers.compiled import COMPILED
from fastgd.solvers.passes import Passes

START = 8.0
X, Y = np.arange(8.0)[:, None], np.array([4.0, -4.0] * 4)  # of mean 0, and half the mean square is START


@dataclass(frozen=True, eq=False)
class ScriptedState(SolverState):
    """The weights: every number in them is the number of epochs done."""

    weights: Weights


class Scripted(Solver):
    """Epoch ``k`` has the loss ``script(back-offs)[k - 1]``, and every weight is ``k`` after it."""

    name, takes_steps = "scripted", True
    script: ClassVar = None
    asked: ClassVar[list] = []  # the back-offs of each epoch that was run

    @classmethod
    def suits(cls, problem):
        """Any problem."""
        return

    @classmethod
    def limits(cls, problem):
        """Ten epochs."""
        return Limits(10, 0.01)

    def init(self):
        """Zeros."""
        return ScriptedState(np.zeros_like(self.plan.lanes.weights))

    def advance(self, lanes, state, rates, clock, steps):
        """An epoch, which is a step."""
        table = rates(clock.steps, 1)
        backoffs = round(-float(np.log10(table[0, 0])))
        self.asked.append(backoffs)
        clock.epoch, clock.steps = clock.epoch + 1, clock.steps + 1
        state.weights[:] = clock.epoch
        loss = np.full((1, len(state.weights)), type(self).script(backoffs)[clock.epoch - 1])
        good = np.isfinite(loss).all(axis=0)
        return Records(loss, table, np.zeros_like(loss), good.astype(int), ~good)


class ScriptedPasses(Passes):
    """Validation losses by a script too: ``held[k - 1]`` at the weights of epoch ``k``; objectives are its losses."""

    held_script: ClassVar = None
    objective_script: ClassVar = None

    def loss(self, loss, lanes):
        """The scripted loss at the weights of an epoch."""
        epoch = int(lanes.weights[0, -1])
        script = self.held_script if self.n == 2 else self.objective_script
        return np.full(len(lanes.weights), script[epoch - 1] if epoch else START)


def run(losses, held=None, objectives=None, exact=True, **options):
    """The result of a fit whose losses are ``losses``, a list or one for each number of back-offs (a function).

    ``held`` are validation losses, ``objectives`` those that a pass over the data finds, by default the losses that the
    next epoch starts with.
    """
    script = losses if callable(losses) else lambda backoffs: losses
    solver = type("ScriptedRun", (Scripted,), {"script": staticmethod(script), "exact": exact, "asked": []})
    objectives = objectives or [*script(0)[1:], script(0)[-1]]
    scripts = {"held_script": held, "objective_script": objectives}
    backend = dataclasses.replace(COMPILED, passes=type("RunPasses", (ScriptedPasses,), scripts), solvers=(solver,))
    if held is not None:
        options["validation"] = X[:2], Y[:2]
    result = fit_by(backend, X, Y, {"epochs": 10, **options})
    return result, solver.asked
