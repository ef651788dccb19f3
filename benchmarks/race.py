"""How a case becomes runs that can be timed: of fastgd, of its NumPy reference, of peers."""

from typing import NamedTuple

import numpy as np

import fastgd

from . import data as datasets
from . import functions
from .measure import Timed
from .peers import PEERS
from .registry import NOT_INSTALLED, OBJECTIVE, Case, Data, has, peer
from .solvers import SOLVERS

OURS = {"fastgd": fastgd, "NumPy reference": fastgd.reference}
TARGETS = (1e-3, 1e-6)  # how far above the optimum, relatively, a race to an objective may end


class Work(NamedTuple):
    """A case at one of its sizes, with the data."""

    case: Case
    data: Data
    X: object
    y: np.ndarray | None

    @classmethod
    def of(cls, case, data):
        if case.call == "minimize":
            return cls(case, data, functions.START, None)
        return cls(case, data, *datasets.made(data, case.options.get("loss", "squared_error")))

    def objective(self, found):
        """Of coefficients and intercepts; what is a number already stays one."""
        return datasets.objective(self.case.options, self.X, self.y, *found) if isinstance(found, tuple) else found


def groups(case, data):
    """{label: {name: run}}: who is timed together; words in place of a run say why there is none.

    A race of steps is one group without a label; a race to an objective has a group for each target. A run returns a
    function that gives the objective, or `Timed` with one.
    """
    work = Work.of(case, data)
    if case.race == OBJECTIVE:
        return racing(work)
    runs = {name: stepping(work, name) for name in entrants(case)}
    return {"": {name: finished(work, run) if callable(run) else run for name, run in runs.items()}}


def labels(case):
    """The labels of a case's groups, and how far objectives may lie apart in each."""
    return {to(target): target for target in TARGETS} if case.race == OBJECTIVE else {"": case.within}


def entrants(case):
    """The names of who is in a case's groups."""
    return [name for name in OURS if name in ("fastgd", *case.peers)] + [n for n in case.peers if n not in OURS]


def to(target):
    return f"to {target:g}"


def stepping(work, name):
    """How someone takes the steps of a case, or why not."""
    return ours(work, OURS[name]) if name in OURS else peer(PEERS[name].package, PEERS[name].make, work)


def finished(work, run):
    """A run whose objective is computed outside of the timing, for all in the same way."""

    def once():
        found = run()
        if isinstance(found, Timed):
            return Timed(found.seconds, lambda: work.objective(found()))
        return lambda: work.objective(found() if callable(found) else found)

    return once


def ours(work, library, **more):
    """A call of fastgd's, or of its reference's."""
    case = work.case
    if case.call == "minimize":
        compiled = library is fastgd
        fun, grad = functions.compiled() if compiled else (functions.value, functions.gradient)
        return lambda: library.minimize(fun, work.X, grad, history=False, **case.options).fun
    options = {"random_state": 0, "n_threads": case.threads, **case.options, **more}
    call = getattr(library, case.call)
    if case.call == "sweep":
        return lambda: stacked(call(work.X, work.y, **options))
    if case.call == "lr_find":
        return lambda: float(call(work.X, work.y, **options).losses[-1])
    return lambda: pair(call(work.X, work.y, **options))


def pair(result):
    """Coefficients and intercept."""
    return result.coef, result.intercept


def stacked(swept):
    """Of all models of a sweep, made outside of the timing."""

    def found():
        pairs = [pair(result) for result in swept.results]
        return tuple(np.stack(values) for values in zip(*pairs, strict=True))

    return found


# To an objective ----------------------------------------------------------------------------------------------------


def racing(work):
    """For each target, what each solver does with the least effort that reaches it."""
    tight = work.objective(ours(work, fastgd, tol=1e-15)())
    solvers = {"fastgd": lambda tol: ours(work, fastgd, tol=tol)}
    efforts = {"fastgd": [10.0**-k for k in range(1, 13)]}
    for name in work.case.peers:
        solver = SOLVERS[name]
        if has(solver.package):
            solvers[name], efforts[name] = solver.of(work), solver.efforts
    climbs = {name: Climb(work, solvers[name], efforts[name]) for name in solvers}
    optimum = min([tight, *(climb.lowest(tight) for climb in climbs.values())])
    missing = {name: NOT_INSTALLED for name in work.case.peers if name not in solvers}
    return {
        to(target): {name: climb.run(optimum * (1 + target)) for name, climb in climbs.items()} | missing
        for target in TARGETS
    }


class Climb:
    """A solver with more and more effort; what it reached with each is remembered."""

    def __init__(self, work, solver, efforts):
        self.work, self.solver, self.efforts, self.met = work, solver, efforts, []

    def reached(self, k):
        while len(self.met) <= k:
            self.met.append(self.work.objective(self.solver(self.efforts[len(self.met)])()))
        return self.met[k]

    def lowest(self, goal):
        """The objective of the least effort within the smallest target of a goal, or the lowest of all."""
        self.run(goal * (1 + TARGETS[-1]))
        return min(self.met)

    def run(self, highest):
        """The run of the least effort that ends no higher, or why there is none."""
        for k, effort in enumerate(self.efforts):
            if self.reached(k) <= highest:
                return finished(self.work, self.solver(effort))
        return f"ends {min(self.met) / highest - 1:.1g} above, with all the effort it was given"
