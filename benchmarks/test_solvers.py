"""Every solver that goes its own way, on each problem it is given: does it minimise what everyone is measured by?"""

from functools import cache

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

import fastgd

from . import optimum as optima
from . import race
from .cases import CASES
from .registry import OBJECTIVE, has
from .solver_cells import cells
from .solvers import SOLVERS, Asked

RACES = tuple(case for case in CASES if case.race == OBJECTIVE)
SLOPES = {
    "squared_error": lambda p, y: p - y,
    "log_loss": lambda p, y: expit(p) - y,
    "poisson": lambda p, y: np.exp(p) - y,
}
NEAR = {  # who comes no nearer, or too slowly
    ("scikit-learn, SGD", "log_loss"): 1e-3,
    ("Snap ML", "squared_error"): 1e-3,
    ("Snap ML", "hinge"): 2e-2,  # its intercept is penalised
    ("scikit-learn, SGD", "hinge"): 1e-3,
    ("scikit-learn, liblinear, dual", "hinge"): 1e-3,
    ("PyTorch, L-BFGS", "quantile"): 1e-3,  # it has kinks
    ("scikit-learn, saga", "multinomial"): 2e-2,  # of raw columns
}
# Of the grid a cell for each loss and kind of penalty, with the peers that no case has
GRID = [
    cells()[name]
    for name in (
        "dense gamma plain 1e4x10 alpha=1e-3",
        "dense squared_hinge plain 1e4x10 alpha=1e-3",
        "dense huber plain 1e4x10 alpha=1e-3",
        "dense quantile plain 1e4x10 alpha=0",
        "dense hinge plain 1e4x50 alpha=1e-3",
        "dense log_loss plain 5e4x200 l1 alpha=0.03",
        "sparse log_loss hashed 1e5x1000 alpha=1e-4",
        "sparse squared_error hashed 1e5x1000 alpha=1e-4",
        "sparse squared_hinge hashed 1e5x1000 alpha=1e-4",
        "sparse poisson hashed 1e5x1000 alpha=1e-4",
        "sparse log_loss hashed 1e5x1000 l1 alpha=1e-4",
        "sparse squared_error hashed 1e5x1000 l1_ratio=0.5 alpha=4e-4",
        "classes multinomial iris 150x4 alpha=1e-3",
    )
]
GRID.append(cells()["classes hinge iris 150x4 alpha=1e-3"]._replace(peers=("scikit-learn, liblinear, dual",)))
# skglm compiles for 4 s for each, and another case has the same loss and penalty.
REPEATED = {
    ("skglm", f"sparse {cell}")
    for cell in (
        "log_loss hashed 1e5x1000 alpha=1e-4",
        "poisson hashed 1e5x1000 alpha=1e-4",
        "log_loss hashed 1e5x1000 l1 alpha=1e-4",
    )
}
# It compiles for 10 s for each, the same solver as for "logistic regression, sparse rows, L2".
LONG = {
    ("skglm", case)
    for case in (
        "logistic regression, L2",
        "poisson regression, L2",
        "dense gamma plain 1e4x10 alpha=1e-3",
        "dense log_loss plain 5e4x200 l1 alpha=0.03",
        "dense huber plain 1e4x10 alpha=1e-3",
        "sparse squared_error hashed 1e5x1000 alpha=1e-4",
    )
}
ENTRIES = [
    pytest.param(case, name, id=f"{case.name}: {name}", marks=[pytest.mark.long] if (name, case.name) in LONG else [])
    for case in (*RACES, *GRID)
    for name in case.peers
    if (name, case.name) not in REPEATED
]

pytestmark = pytest.mark.slow


def work_of(case):
    return race.Work.of(case, case.small)


@cache
def optimum(name):
    """Of a case, or of a cell: those are held against SciPy in ``test_solver_grid.py``."""
    if name not in {case.name for case in RACES}:
        work = work_of(cells()[name])
        return optima.optimum(work, race.ours(work, fastgd)())[0]
    return by_scipy(name)


def by_scipy(name):
    """Of a case: by SciPy's L-BFGS-B, on coefficients in two parts, neither below zero, so that L1 is smooth."""
    work = work_of(next(case for case in RACES if case.name == name))
    X, y, n, d = work.X, work.y, *work.X.shape
    slope = SLOPES[work.case.options["loss"]]
    alpha, share = work.case.options.get("alpha", 0.0), work.case.options.get("l1_ratio", 0.0)

    def cost(parts):
        w, b = parts[:d] - parts[d:-1], parts[-1]
        slopes = slope(X @ w + b, y) / n
        smooth = X.T @ slopes + alpha * (1 - share) * w
        return work.objective((w, b)), np.concatenate([smooth + alpha * share, alpha * share - smooth, [slopes.sum()]])

    bounds = [(0.0, None)] * (2 * d) + [(None, None)]
    ends = {"ftol": 0.0, "gtol": 1e-10, "maxiter": 20_000, "maxfun": 40_000}
    return minimize(cost, np.zeros(2 * d + 1), jac=True, method="L-BFGS-B", bounds=bounds, options=ends).fun


@pytest.mark.parametrize("case", RACES, ids=lambda case: case.name)
def test_fastgd_reaches_the_optimum(case):
    work = work_of(case)
    tight = work.objective(race.ours(work, fastgd, tol=1e-15)())
    assert tight == pytest.approx(optimum(case.name), rel=1e-9)


@pytest.mark.parametrize(("case", "name"), ENTRIES)
def test_solver_climbs_to_the_optimum(monkeypatch, case, name):
    monkeypatch.setattr(race, "LONGEST", np.inf)  # not by the clock
    solver, best = SOLVERS[name], optimum(case.name)
    if not has(solver.package):
        pytest.skip(f"{solver.package} is not installed")
    work = work_of(case)
    asked = Asked.by(work)
    above = 1e-3 if (name, asked.share) == ("Snap ML", 1.0) else NEAR.get((name, asked.loss), 1e-6)
    climb = race.Climb(work, solver.of(work), solver.efforts)
    assert callable(climb.run(best, above))
    heights = np.array(climb.objectives) / best - 1
    assert heights.min() > (-1e-9 if case in RACES else -1e-7)
    assert (heights[1:] <= 5 * heights[:-1] + 1e-6).all()


@pytest.mark.parametrize("longest", [race.LONGEST, 0.0])
def test_who_never_arrives_says_so(monkeypatch, longest):
    monkeypatch.setattr(race, "LONGEST", longest)
    work = work_of(RACES[0])
    climb = race.Climb(work, lambda effort: lambda: (np.zeros(work.data.d), np.nan if effort == 1 else 0.0), (1, 2, 3))
    assert "above the optimum" in climb.run(1e-3, 1e-6)
    assert len(climb.objectives) == (3 if longest else 2)
