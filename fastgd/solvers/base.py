"""The protocol of a solver, a method of descent. The training loop uses nothing else of it.

A new solver is one class here beside the others, or in a file of a user's own: put it before the others in the
``solvers`` of a backend (``dataclasses.replace(COMPILED, solvers=(Mine, *COMPILED.solvers))``).
"""

from typing import ClassVar, NamedTuple

import numpy as np

from ..results import messages
from ..results.messages import Verdict

SEPARATED = 1e-6  # a loss of classes below this share of its start: they are linearly separable


class Limits(NamedTuple):
    """The epochs and the tolerance of a run that is given none."""

    epochs: int
    tol: float


class Records(NamedTuple):
    """What a slice of work reports: the epochs that it finished, and the lanes that failed."""

    loss: np.ndarray  # (epochs, lanes)
    learning_rate: np.ndarray  # (epochs, lanes), of the last step
    gradient_norm: np.ndarray | None  # (epochs, lanes), where it costs no pass
    good: np.ndarray  # (lanes,) how many of the epochs were finite
    broken: np.ndarray  # (lanes,) bool, whether a lane failed in the slice
    decrement: np.ndarray | None = None  # (epochs, lanes), the decrease that is still possible, as the solver knows it


class Solver:
    """A method of descent: the class methods are about a problem, an instance runs a plan.

    Attributes
    ----------
    name : str
        As ``options["solver"]`` of a result has it.
    summary : str
        What it does, in a line, for ``choices``.
    exact : bool
        Whether recorded losses are objectives, before each step; otherwise they are running means of losses.
    margin : float
        The share of itself by which a loss may rise above the start's although the learning rate is right.
    fits_rate : bool
        Whether a run whose automatic learning rate proves too large restarts with a tenth of it.
    objective_is_free : bool
        Whether ``objective`` may be asked for each of many models.
    many_models : bool
        Whether one run may have several models.
    takes_steps : bool
        Whether it takes the optimizer, learning rate or average that the user gives; others are not chosen then.
    newton : bool
        Whether it is what ``optimizer="newton"`` asks for.
    judges_tol : bool
        Whether ``verdict`` decides by ``tol``; otherwise the relative decrease of the losses does.
    scale_free : bool
        Whether its steps on all rows do not depend on the scales of the columns.
    watched : bool
        Whether every epoch is looked at, so that no slice may be longer than one; set by the training loop.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    exact: ClassVar[bool] = True
    margin: ClassVar[float] = 1e-6
    fits_rate: ClassVar[bool] = True
    takes_steps: ClassVar[bool] = False
    newton: ClassVar[bool] = False
    judges_tol: ClassVar[bool] = False
    scale_free: ClassVar[bool] = False
    many_models: ClassVar[bool] = True
    objective_is_free: ClassVar[bool] = True
    watched = False

    # About a problem --------------------------------------------------------------------------------------------------

    @classmethod
    def suits(cls, problem):
        """None if the solver can run a :class:`Problem`, else the reason why it can not, for ``choices``.

        Given options of steps are not its concern: see ``takes_steps``.
        """
        raise NotImplementedError

    @classmethod
    def wants_scale(cls, problem):
        """Whether columns are to be scaled for the steps' sake, where the penalty acts on them as they are."""
        return not cls.scale_free

    @classmethod
    def limits(cls, problem):
        """The :class:`Limits` of a run on such a problem."""
        raise NotImplementedError

    @classmethod
    def optimizer(cls, problem, targets, words):
        """The optimizer, or None if the solver uses none; its description goes into ``words``."""
        return

    @classmethod
    def schedule(cls, problem, model, targets, scaled, epochs, words):
        """A schedule (or None) and its multiplier in each lane; their description goes into ``words``."""
        return None, np.ones(len(model.start))

    @classmethod
    def bind(cls, plan):
        """The solver of a plan."""
        return cls(plan)

    # A run ------------------------------------------------------------------------------------------------------------

    def __init__(self, plan):
        self.plan = plan

    def init(self):
        """The state (see :class:`fastgd.results.state.SolverState`) that a run of the plan starts with."""
        raise NotImplementedError

    def advance(self, lanes, state, rates, clock, steps):
        """A slice of about 10 ms, at most to the epoch's end and of at most ``steps`` steps: its :class:`Records`.

        It is called where NumPy ignores overflow, which is found in the numbers.

        ``state`` and ``clock`` are changed. ``rates(first, count)`` gives learning rates (count, lanes) of the steps
        ``first + 1`` on, or (1, lanes) where they are the same. A slice's length is a function of shapes and options,
        never of the time, so that a run has the same bits each time.
        """
        raise NotImplementedError

    def verdict(self, state, history):
        """A :class:`Verdict` by the solver's own measure of progress, or None to go on."""
        return

    def objective(self, lanes, state):
        """The objectives (lanes,) at the weights, where they are known without a pass over the data; or None."""
        return

    def left_out(self, state):
        """Which columns (d,) depend on others, so that the coefficient stays 0 in every lane; or None if not known."""
        return

    def close(self):
        """End what goes on beside a run; it may go on after that."""

    def answer(self, state, steps):
        """The weights (lanes, d + 1) that a run returns after so many steps."""
        return state.weights


def separable(loss, objectives, scale):
    """The verdict on a loss of classes whose objectives are next to nothing of those ``scale``; else None."""
    if loss.labels and max(map(abs, objectives)) <= SEPARATED * min(scale):
        # A hinge's loss is zero at weights that are finite.
        return Verdict("converged", messages.SEPARABLE if loss.recedes else messages.SEPARATED, messages.NO_MORE)
    return None
