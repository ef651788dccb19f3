"""What ``print`` and a notebook show of a sweep: how its runs ended, the best settings, the first rows of the table."""

import numpy as np

from .shown import Shown, ShownTable, number

SHOWN_RUNS = 10
OTHERS = "fold_"  # columns of single folds, which are left out


def shown_of_runs(result, runs, criterion):
    """The title, the best run and what a user must know before comparing runs."""
    status = result.status
    ends = ", ".join(f"{status.count(one)} {one}" for one in dict.fromkeys(status))
    facts = {}
    if result.ranking.refusal is None:
        facts = best_facts(result, criterion)
    if result.ranking.note:
        facts["note"] = result.ranking.note
    over = f" over {', '.join(result.settings)}" if result.settings else ""
    return Shown(f"{type(result).__name__}: {runs}{over} ({ends})", facts)


def best_facts(result, criterion):
    """The best settings and their value; of cross-validation the simplest within one standard error too."""
    if callable(result._losses) and not result._in_memory:
        return {"best": "read s.best: that compares the runs by one pass over the files"}
    try:
        marks = {"best": result.best_index}
    except ValueError as error:  # no run has a finite loss
        return {"best": str(error)}
    scores = getattr(result, "scores", None)
    if scores is not None:
        simplest = result.simplest_index
        if simplest != marks["best"]:
            marks["simplest within one standard error"] = simplest
    return {name: of_run(result, k, criterion, scores) for name, k in marks.items()}


def of_run(result, k, criterion, scores):
    """The settings and the value of a run."""
    settings = ", ".join(f"{name}={words(of[k])}" for name, of in result.settings.items())
    reached = (result.losses if scores is None else scores.mean_shown)[k]
    value = f"{criterion.replace('_', ' ')} {reached:.6g}"
    if scores is not None and np.isfinite(scores.standard_error[k]):
        value += f" ± {scores.standard_error[k]:.2g}"
    return f"{settings}: {value}" if settings else value


def words(value):
    """The value of a setting."""
    return number(value) if isinstance(value, (float, str)) else repr(value)


def table_of_runs(result, most):
    """The best of the runs, or the first ones of those that are not ranked."""
    table = {name: of for name, of in result.table().items() if not name.startswith(OTHERS)}
    order = range(len(result.results))
    if result.ranking.refusal is None:
        diverged = np.array(result.status) == "diverged"
        order = np.lexsort((np.nan_to_num(np.asarray(result.losses, float), nan=np.inf), diverged)).tolist()
    kind = "best" if result.ranking.refusal is None else "first"
    caption = f"the {kind} {most} of {len(order)} runs" if len(order) > most else "all runs"
    rows = [(str(k), *(words(of[k]) for of in table.values())) for k in order[:most]]
    return ShownTable(caption, ("run", *table), rows)
