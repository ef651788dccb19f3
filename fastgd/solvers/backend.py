"""The backend, which does the arithmetic: compiled kernels or plain NumPy. One object, which a plan holds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backend:
    """The classes that do arithmetic on rows, and the solvers that are made of them."""

    name: str
    compiles: bool  # whether parts are compiled
    passes: type  # (data, n_threads): sums over all rows
    second_derivatives: object  # (data, loss, lanes, n_threads): a row's weight times the loss's second derivative
    staged_steps: type  # (plan): the steps of staged SGD
    first_order: object  # (plan): the class of the loop of first-order steps that runs the plan
    solvers: tuple  # of Solver classes, the preferred one first
