"""``python -m benchmarks sources``: fits of rows in Parquet files, against what users would pick.

The same rows, 50 float32 columns with a common factor, of about unit scale, are fitted without a penalty from Parquet
files (``fastgd.fit(parquet)``), from the blocks that ``cached`` writes of them, and from arrays in memory; in one epoch
of batches; by scikit-learn's ``partial_fit`` over chunks that pyarrow reads, at the best of some learning rates; by
Vowpal Wabbit from its cache; and by dask-ml's L-BFGS, where these are installed. Peers take as many epochs as bring
them within 0.1 % of the optimum, at most 20. Each run is a process of its own, whose imports and first small fit do not
count; memory is the peak of what belongs to no file, beyond what is there then. Runs are interleaved. Other work runs
on the machine: seconds are medians and compare within this page only; the last column is the median, over turns, of
the seconds of the wall divided by those of ``fit(parquet)`` in the same turn.
"""

import argparse
import importlib.util
import statistics
import tempfile
from pathlib import Path

import numpy as np

import fastgd

from . import source_rows, source_ways
from .arguments import positive
from .machine import facts
from .source_rows import GROUP, TARGETS, mean_loss

NEAR, MOST = 1e-3, 20  # how far above the optimum peers may end, and their epochs
RATES = (None, 1e-3, 1e-2, 1e-1)  # of scikit-learn
HEAD = ("way", "wall, s", "CPU, s", "memory, MB", "above the optimum", "times fit(parquet)")
OURS = {
    "fit(parquet)": ("parquet", {}),
    "fit(parquet.cached)": ("cached", {}),
    "fit(arrays in memory)": ("memory", {}),
}
BATCHES = {
    "an epoch of batches of 32, parquet": ("parquet", {"epochs": 1, "batch_size": 32}),
    "an epoch of batches of 256, parquet": ("parquet", {"epochs": 1, "batch_size": 256}),
    "an epoch of batches of 256, cached": ("cached", {"epochs": 1, "batch_size": 256}),
}


def there(package):
    """Whether a package is installed."""
    return importlib.util.find_spec(package) is not None


def tuned_sklearn(folder, loss, optimum):
    """The settings of scikit-learn's way: the best rate after an epoch, and the epochs; found in memory."""
    X, y = source_rows.in_memory(folder, loss)
    classes = {"classes": [0, 1]} if loss == "log_loss" else {}

    def epoch(model):
        for lo in range(0, len(y), GROUP):
            model.partial_fit(X[lo : lo + GROUP], y[lo : lo + GROUP], **classes)
        return mean_loss(folder, loss, model.coef_, model.intercept_)

    models = {rate: source_ways.sgd(loss, rate) for rate in RATES}
    found = {rate: epoch(model) for rate, model in models.items()}
    rate = min(found, key=found.get)
    ends = [found[rate]]
    while ends[-1] > (1 + NEAR) * optimum and len(ends) < MOST:
        ends.append(epoch(models[rate]))
    return {"rate": rate, "epochs": len(ends) if ends[-1] <= (1 + NEAR) * optimum else int(np.argmin(ends)) + 1}


def tuned_vw(folder, loss, optimum):
    """The passes that Vowpal Wabbit needs over its cache."""
    found = {}
    for passes in (1, 2, 4, 8, 16, MOST):
        run = source_ways.ran("vw", folder, loss, epochs=passes)
        found[passes] = mean_loss(folder, loss, run.coef, run.intercept)
        if found[passes] <= (1 + NEAR) * optimum:
            return {"epochs": passes}
    return {"epochs": min(found, key=found.get)}


def several(count, what):
    """A number of things."""
    return f"{count} {what}{'' if count == 1 else 's' if not what.endswith('s') else 'es'}"


def compared(folder, loss, optimum, ours, repeats):
    """The runs of each way, in turns; what takes long is done once.

    Where not all of our ways are asked for, for rows by date, scikit-learn is the only peer.
    """
    found, ways = {}, dict(ours)

    def run(label, name, settings):
        try:
            one = source_ways.ran(name, folder, loss, **settings)
        except RuntimeError as error:
            found.setdefault(label, [])
            print(f"{label}: {error}", flush=True)
            return
        found.setdefault(label, []).append(one)
        print(f"{one.wall:8.2f} s {one.cpu:8.2f} CPU s {one.megabytes:7.0f} MB  {loss}, {label}", flush=True)

    settings = tuned_sklearn(folder, loss, optimum)
    rate = "its own rate" if settings["rate"] is None else f"rate {settings['rate']:g}"
    ways[f"scikit-learn, {several(settings['epochs'], 'epoch')}, {rate}"] = ("scikit-learn", settings)
    whole = "fit(arrays in memory)" in ours
    if there("vowpalwabbit") and whole:
        run("Vowpal Wabbit: writing its text", "vw text", {})
        run("Vowpal Wabbit: the first pass, which writes its cache", "vw", {"fresh": True})
        settings = tuned_vw(folder, loss, optimum)
        ways[f"Vowpal Wabbit, {several(settings['epochs'], 'pass')} over its cache"] = ("vw", settings)
    if whole:
        run("cached: writing the blocks", "caching", {})
    for turn in range(repeats):
        for label in list(ways)[:: -1 if turn % 2 else 1]:
            run(label, *ways[label])
    if there("dask_ml") and whole:
        run("dask-ml, L-BFGS", "dask-ml", {})
    order = [*ways, *(label for label in found if label not in ways)]
    return {label: found[label] for label in order}


def optimum_of(folder, loss):
    """The least objective: in memory, to the last digits."""
    fitted = fastgd.fit(*source_rows.in_memory(folder, loss), loss=loss, tol=1e-9)
    return mean_loss(folder, loss, fitted.coef, fitted.intercept)


def rows_of(folder, loss, optimum, found):
    """The lines of the table."""
    base = [run.wall for run in next(iter(found.values()))]
    for label, runs in found.items():
        if not runs:
            yield label, *("failed" for _ in HEAD[1:])
            continue
        ends = [mean_loss(folder, loss, run.coef, run.intercept) / optimum - 1 for run in runs if run.coef]
        above = f"{max(0.0, statistics.median(ends)):.1e}" if ends else ""
        ratio = statistics.median(run.wall / of for run, of in zip(runs, base, strict=False))
        wall, cpu = (statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu"))
        memory = max(run.megabytes for run in runs)
        yield label, f"{wall:.2f}", f"{cpu:.2f}", f"{memory:.0f}", above, f"{ratio:.2f}"


def table(head, lines):
    """In Markdown, the first column to the left."""
    body = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1), *body])


def shares(folder):
    """Where the time goes, in runs apart from those of the tables."""
    for loss in TARGETS:
        for label, (name, settings) in {**OURS, **BATCHES}.items():
            if name == "memory":
                continue
            parts = source_ways.ran(name, folder, loss, parts=True, **settings).parts
            yield f"{loss}, {label}", *(f"{share:.2f}" for share in parts.values())


def speed_of_cached(found):
    """In memory's seconds over those of the blocks, the median of turns."""
    turns = zip(found["fit(arrays in memory)"], found["fit(parquet.cached)"], strict=True)
    return statistics.median(memory.wall / cached.wall for memory, cached in turns)


def measured(folder, gigabytes, repeats):
    """The parts of the page."""
    page, ratios = [], {}
    for order, by_date in (("shuffled", False), ("by date", True)):
        rows = folder / order.replace(" ", "_")
        n = source_rows.write(rows, gigabytes, by_date)
        for loss in TARGETS:
            _ = source_rows.cached(rows, loss).n
            optimum = optimum_of(rows, loss)
            ours = {"fit(parquet)": OURS["fit(parquet)"], **BATCHES} if by_date else OURS | BATCHES
            found = compared(rows, loss, optimum, ours, repeats)
            lines = table(HEAD, rows_of(rows, loss, optimum, found))
            page.append(f"## {loss}, {n:,} rows, {order}\n\n{lines}")
            if not by_date:
                ratios[loss] = speed_of_cached(found)
            print(page[-1], flush=True)
        if not by_date:
            split = table(("way", "decode", "copy", "kernels", "waiting"), shares(rows))
    words = ", ".join(f"{ratio:.2f} for {loss}" for loss, ratio in ratios.items())
    page.append(
        "## Where the time goes\n\nShares of the processor's time: decoding Parquet, copying (columns to rows, rows to "
        "blocks and buffers), kernels and all else. Waiting is the share of the wall's time in which the kernels wait "
        f"for a block; another thread reads.\n\n{split}\n\nThe speed of `fit(parquet.cached)`, that of arrays in "
        f"memory being 1: {words} (the files are in the system's cache)."
    )
    return page


def main(arguments=None):
    """Print the tables, and write the page."""
    parser = argparse.ArgumentParser(prog="benchmarks sources", description=__doc__)
    parser.add_argument("--gb", type=float, default=1.0, help="of float32 numbers (default 1)")
    parser.add_argument("--repeats", type=positive, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where a folder for the files is made")
    parser.add_argument("--to", type=Path, default=None, help="write the page here")
    given = parser.parse_args(arguments)
    machine = "\n".join(f"- {name}: {value}" for name, value in facts().items())
    with tempfile.TemporaryDirectory(prefix="fastgd_sources", dir=given.folder) as folder:
        page = measured(Path(folder), given.gb, given.repeats)
    print(page[-1])
    if given.to is not None:
        about = __doc__.partition("\n")[2].strip()
        given.to.write_text("\n\n".join(["# Sources", about, machine, *page]) + "\n")
    return 0
