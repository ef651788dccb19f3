"""What computes: the compiled kernels, or plain NumPy. One object, which a plan holds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backend:
    """The classes that do arithmetic on rows, and the solvers that are made of them."""

    name: str
    compiles: bool  # whether parts are compiled
    passes: type  # (data, n_threads, many): what is asked of all rows at once
    derivatives: type  # (plan): of Newton's method
    staged_steps: type  # (plan): of staged SGD
    first_order: tuple  # the loops of first-order steps, of which the first whose ``runs(plan)`` is true is taken
    solvers: tuple  # of Solver, the better one first
