"""How a case becomes runs that can be timed: of fastgd, of its NumPy reference, of peers."""

import contextlib
import signal
import threading
import time
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

import fastgd

from . import data as datasets
from . import functions, measure
from .measure import Timed
from .peers import PEERS
from .registry import OBJECTIVE, Case, Data, failure, parted, peer
from .solvers import SOLVERS, TOLERANCES

OURS = {"fastgd": fastgd, "NumPy reference": fastgd.reference}
# How far above the optimum, relatively, a race to an objective may end
TARGETS = {"to 1e-3": 1e-3, "to 1e-6": 1e-6}
LONGEST = 10.0  # seconds, after which a solver is given no more effort; those of its first run don't count


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
        return cls(case, data, *datasets.made(data, case.options.get("loss", "squared_error"), case.several))

    def objective(self, found):
        """Of coefficients and intercepts; what is a number already stays one."""
        return datasets.objective(self.case.options, self.X, self.y, *found) if isinstance(found, tuple) else found


def groups(case, data):
    """{label: {name: run}}: who is timed together; words in place of a run say why there is none.

    A race of steps is one group without a label; a race to an objective has a group for each target. A run returns a
    function that gives the objective, or `Timed` with one.
    """
    known = SOLVERS if case.race == OBJECTIVE else OURS | PEERS
    if unknown := set(case.peers) - set(known):
        raise ValueError(f"a case's peers are some of {'; '.join(known)}, not {'; '.join(sorted(unknown))}")
    work = Work.of(case, data)
    if case.race == OBJECTIVE:
        return racing(work)
    runs = {name: stepping(work, name) for name in entrants(case)}
    return {"": {name: finished(work, run) if callable(run) else run for name, run in runs.items()}}


def labels(case):
    """The labels of a case's groups."""
    return list(TARGETS) if case.race == OBJECTIVE else [""]


def entrants(case):
    """The names of who is in a case's groups."""
    return [name for name in OURS if name in ("fastgd", *case.peers)] + [n for n in case.peers if n not in OURS]


def stepping(work, name):
    """How someone takes the steps of a case, or why not."""
    return ours(work, OURS[name]) if name in OURS else peer(PEERS[name].package, PEERS[name].make, work)


def within(case, label):
    """How far apart objectives may lie; of a target twice it, as on several threads no two runs need be alike."""
    return 2 * TARGETS[label] if label in TARGETS else case.within


def finished(work, run):
    """A run whose objective is computed outside of the timing, for all in the same way."""

    def once():
        found = run()
        if isinstance(found, Timed):
            return Timed(found.seconds, lambda: work.objective(found()))
        return lambda: work.objective(settled(found))

    return once


def ours(work, library, **more):
    """A call of fastgd's, or of its reference's."""
    case = work.case
    if case.call == "minimize":
        compiled = library is fastgd
        fun, grad = functions.compiled() if compiled else (functions.value, functions.gradient)
        return lambda: library.minimize(fun, work.X, grad, history=False, **case.options).fun
    call = called(work, library, **more)
    if case.call == "sweep":
        return lambda: stacked(call())
    if case.call == "lr_find":
        return lambda: float(call().losses[-1])
    return lambda: pair(call())


def called(work, library, **more):
    """A call on the rows of a case, with its options and more; what it returns is the library's own."""
    options = {"random_state": 0, "n_threads": work.case.threads, **work.case.options, **more}
    if work.case.several and options["loss"] != "multinomial":
        return lambda: against_the_rest(work, library, **options)
    return lambda: getattr(library, work.case.call)(work.X, work.y, **options)


def against_the_rest(work, library, loss, alpha, n_threads, **options):
    """A model for each class against all others, as the classifier makes them, with the names of a result's fields."""
    model = library.SGDClassifier(loss, alpha=alpha, n_jobs=n_threads, **options).fit(work.X, work.y)
    return SimpleNamespace(coef=model.coef_, intercept=model.intercept_, n_epochs=np.max(model.n_iter_), status="ended")


def settled(found):
    """What a run found, made now where it is made when it is asked for."""
    return found() if callable(found) else found


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
    climbs, missing = climbing(work)
    optimum = min(tight, *(climb.least(tight) for climb in climbs.values()))
    return {
        label: {name: climb.run(optimum, above) for name, climb in climbs.items()} | missing
        for label, above in TARGETS.items()
    }


def climbing(work):
    """A climb for fastgd and for each peer that there is; of the others, why there is none."""
    climbs = {"fastgd": Climb(work, lambda tol: ours(work, fastgd, tol=tol), TOLERANCES)}
    there, missing = parted({name: peer(SOLVERS[name].package, SOLVERS[name].of, work) for name in work.case.peers})
    return climbs | {name: Climb(work, solver, SOLVERS[name].efforts) for name, solver in there.items()}, missing


class Climb:
    """A solver that is given more and more effort; what it reached with each is remembered.

    It ends once all runs but the first took ``longest`` seconds together, or one of them, done twice, ``dear`` seconds
    of the processors' time: more effort takes longer.
    """

    def __init__(self, work, solver, efforts):
        self.work, self.solver, self.efforts = work, solver, efforts
        self.objectives, self.seconds, self.failed = [], 0.0, ""
        self.longest, self.dear = None, np.inf
        self.costs = []  # CPU seconds of each run
        self.dearest = 0.0  # of the dearest, also of one that did not end

    @property
    def ended(self):
        longest = LONGEST if self.longest is None else self.longest
        return self.seconds > longest or self.dearest > self.dear

    def step(self):
        """Give it the next effort, if there is one and time for it; whether it was so."""
        if self.failed or len(self.objectives) == len(self.efforts) or self.ended:
            return False
        began = time.perf_counter()
        try:
            run = self.solver(self.efforts[len(self.objectives)])
            with alarm(8 * self.dear + COMPILING):
                busy, found = measure.timed(run, time.process_time)
                if busy > self.dear:  # unless it compiled: some do so in later runs, too
                    began = time.perf_counter()
                    busy, found = measure.timed(run, time.process_time)
        except TooLong:
            self.dearest = np.inf
            return False
        except Exception as error:
            self.failed = failure(error)
            return False
        self.dearest = max(self.dearest, busy)
        if self.objectives:  # the first compiles
            self.seconds += time.perf_counter() - began
        self.costs.append(busy)
        height = self.work.objective(found)
        self.objectives.append(height if np.isfinite(height) else np.inf)
        return True

    def first(self, highest):
        """The first effort, by number, that ends no higher; None where there is none."""
        while not any(height <= highest for height in self.objectives):
            if not self.step():
                return None
        return next(k for k, height in enumerate(self.objectives) if height <= highest)

    def least(self, goal):
        """The lowest objective reached on the way to a goal."""
        self.first(goal * (1 + min(TARGETS.values())))
        return min(self.objectives, default=np.inf)

    def run(self, optimum, above):
        """The run of the least effort that ends no further above the optimum, or why there is none."""
        k = self.first(optimum * (1 + above))
        if k is None and self.failed:
            return self.failed
        if k is None and not self.objectives:
            return "did not end its first run"
        if k is None:
            return (
                f"ends {min(self.objectives) / optimum - 1:.0e} above the optimum, after {self.seconds:.0f} s of trying"
            )
        return finished(self.work, self.solver(self.efforts[k]))


COMPILING = 30.0  # seconds that a run may take besides


class TooLong(Exception):
    """A run that was ended before it was done."""


@contextlib.contextmanager
def alarm(seconds):
    """End what is inside, as soon as it is in Python, once it took so many seconds; only where signals arrive."""
    if not np.isfinite(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
