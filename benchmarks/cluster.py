"""``python -m benchmarks cluster``: the time of a pass on a cluster, measured on a few processes, simulated beyond.

A file of random float64 rows is fitted with full-batch momentum on local clusters of 1, 2 and 3 processes; a pass is
what a step more costs. Beside it stand the cost model of ``fastgd.engines``, with constants measured on that very
cluster in two seconds, and the simulator (``cluster_simulator.py``) with the same constants and no failures. All
processes share this machine's processors and memory, so more of them than processors cannot be faster; a pass is the
least of three, and what else the machine had to do is in all numbers. Beyond that the simulator goes on with machines
of their own: one process each, that reads as fast as one here, 10 Gbit/s between them, 0.5 GB/s of storage each, one
loss in 1,000 hours of a machine, noticed after 30 s.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

import fastgd
from fastgd import sources
from fastgd.engines import Dask
from fastgd.engines.cost import Constants, measured, pass_seconds

from .cluster_simulator import Cluster, passes
from .machine import facts

COLUMNS, WORKERS = 50, (1, 2, 3)
FEW, MANY, REPEATS = 2, 22, 3  # steps whose difference is that of passes; the least of some repeats counts
BEYOND, SIZES = (4, 16, 64, 256), (40e9, 1e12, 10e12)
SPREAD = 0.15  # of the simulated machines' task times: stragglers
NETWORK, STORAGE, LOST, NOTICED = 1.25e9, 5e8, 1e-3, 30.0
CAPTION = "measured on local processes (points); simulated on machines of their own (lines)"


def write_rows(folder, gigabytes):
    """A source of random rows of about a size."""
    n, random = int(gigabytes * 1e9 / 8 / COLUMNS), np.random.default_rng(0)
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float64, (n, COLUMNS))
    for lo in range(0, n, 1 << 18):
        X[lo : lo + (1 << 18)] = random.standard_normal(X[lo : lo + (1 << 18)].shape)
    np.save(folder / "y.npy", np.asarray(X[:, 0]) + random.standard_normal(n))
    del X
    return sources.npy(folder / "X.npy", folder / "y.npy")


def seconds_of_a_pass(fit):
    """What a step more costs."""

    def timed(steps):
        began = time.perf_counter()
        fit(optimizer="momentum", learning_rate=0.1, epochs=steps, tol=None)
        return time.perf_counter() - began

    timed(1)
    few, many = (min(timed(steps) for _ in range(REPEATS)) for steps in (FEW, MANY))
    return max(many - few, 1e-9) / (MANY - FEW)


def in_memory(folder):
    """A pass on this machine, without a cluster."""
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    return seconds_of_a_pass(lambda **options: fastgd.fit(X, y, **options))


def on_processes(source, workers):
    """A pass on a local cluster: measured, by the model, simulated; and the constants."""
    from distributed import Client, LocalCluster

    options = {"dashboard_address": ":0", "memory_limit": 0, "threads_per_worker": 1}
    with LocalCluster(n_workers=workers, processes=True, **options) as cluster, Client(cluster) as client:
        engine = Dask(client)
        found = seconds_of_a_pass(lambda **given: fastgd.fit(source, engine=engine, **given))
        bundles, size = len(engine.rows(source).edges) - 1, source.stored * 8
        constants = quietest([measured(client, source, workers, 1) for _ in range(REPEATS)])
        sent = 8.0 * (COLUMNS + 1)
        model = sum(pass_seconds(constants, size, bundles, workers, sent))
        like = Cluster(
            workers, size, bundles=bundles, sent=sent, latency=constants.latency, task=constants.task,
            rate=constants.rate, network=constants.network, spread=0.0,
        )  # fmt: skip
        return found, model, passes(like, 1)[0].mean(), constants


def quietest(found):
    """Of some measurements of the constants, each where the machine had least else to do."""
    least = {"latency", "task"}
    columns = zip(*found, strict=True)
    return Constants(
        *((min if name in least else max)(some) for name, some in zip(Constants._fields, columns, strict=True))
    )


def beyond(constants):
    """The simulated seconds of a pass on machines of their own, for each size and number of workers."""
    found = {}
    for size in SIZES:
        for workers in (*WORKERS[:2], *BEYOND):
            cluster = Cluster(
                workers, size, sent=8.0 * (COLUMNS + 1), latency=constants.latency, task=constants.task,
                rate=constants.rate, network=NETWORK, spread=SPREAD, lost_an_hour=LOST, noticed=NOTICED,
                storage=STORAGE,
            )  # fmt: skip
            seconds, lost = passes(cluster, 200)
            found[size, workers] = np.median(seconds), seconds.mean(), lost / seconds.sum() * 3600
    return found


def table(head, rows):
    """In Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "--:|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def measured_table(size, here, found):
    """What was measured beside what was computed."""
    rows = [
        (str(workers), f"{seconds:.3f}", f"{model:.3f}", f"{simulated:.3f}", f"{constants.rate / 1e9:.2f}",
         f"{1e3 * constants.latency:.0f}", f"{1e3 * constants.task:.1f}")
        for workers, (seconds, model, simulated, constants) in found.items()
    ]  # fmt: skip
    head = (
        "processes", "a pass, s", "cost model, s", "simulated, s", "GB/s each", "latency, ms", "a task, ms",
    )  # fmt: skip
    return f"{size / 1e9:.2g} GB; a pass of this machine without a cluster takes {here:.3f} s.\n\n{table(head, rows)}"


def simulated_table(found):
    """Seconds, and what share of perfect speed-up that is."""
    rows = []
    for size in SIZES:
        one = found[size, 1][0]
        for workers in sorted({workers for _, workers in found}):
            median, mean, losses = found[size, workers]
            rows.append(
                (f"{size / 1e9:,.0f}", str(workers), f"{median:.3g}", f"{mean:.3g}", f"{one / workers / median:.0%}",
                 f"{3600 / mean:,.0f}", f"{losses:.2g}")
            )  # fmt: skip
    head = ("GB", "workers", "median pass, s", "mean, s", "of perfect speed-up", "passes an hour", "losses an hour")
    return table(head, rows)


def picture(path, size, found, simulated):
    """Time against workers."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.6, 4.2), layout="constrained")
    for total in SIZES:
        workers = sorted({workers for _, workers in simulated})
        seconds = [simulated[total, w][0] for w in workers]
        label = f"{total / 1e9:,.0f} GB, simulated"
        (line,) = axes.loglog(workers, seconds, "--", marker=".", label=label)
        axes.loglog(workers, [seconds[0] / w for w in workers], ":", color=line.get_color(), alpha=0.5)
    few = list(found)
    axes.loglog(few, [found[w][0] for w in few], "ko-", label=f"{size / 1e9:.2g} GB, measured on {os.cpu_count()} CPUs")
    axes.set(xlabel="workers of one thread", ylabel="seconds a pass", title="A pass over all rows")
    axes.set_xticks([1, 2, 3, *BEYOND], [1, 2, 3, *BEYOND], minor=False)
    axes.xaxis.minorticks_off()
    figure.legend(title="dotted: perfect speed-up", loc="outside right upper")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(arguments=None):
    """Measure, simulate, print the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks cluster", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of the rows that are fitted here")
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS, help="local processes to measure")
    parser.add_argument("--to", type=Path, default=None, help="write the page here, and a picture beside it")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        source = write_rows(Path(folder), given.gigabytes)
        size = source.stored * 8
        here, found = in_memory(Path(folder)), {}
        for workers in given.workers:
            found[workers] = on_processes(source, workers)
            print(workers, *(f"{seconds:.3f}" for seconds in found[workers][:3]), found[workers][3], flush=True)
    simulated = beyond(found[min(found)][3])
    machine = "\n".join(f"- {name}: {value}" for name, value in facts().items())
    parts = (
        "# A pass on a cluster", __doc__.partition("\n")[2].strip(),
        "## Measured", measured_table(size, here, found),
        "## Simulated", simulated_table(simulated),
        "## The machine", machine,
    )  # fmt: skip
    text = "\n\n".join(parts)
    print(text)
    if given.to is not None:
        name = given.to.with_suffix(".png")
        picture(name, size, found, simulated)
        image = f"![Seconds a pass against the number of workers: {CAPTION}]({name.name})"
        given.to.write_text(text.replace("## Measured", f"{image}\n\n## Measured") + "\n")
    return 0
