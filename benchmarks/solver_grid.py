"""``python -m benchmarks solvers``: time to 1e-3 and 1e-6 of the optimum, against every peer, over a grid of cells.

Each cell is a race to an objective, as ``race.py`` has it, in a process with as many threads for everyone.
The time is the processors', of all threads. What a cell measured is a line of ``solvers.jsonl`` in the folder ``--to``;
a cell that is there is not measured again, so a run that was stopped goes on.
"""

import argparse
import json
import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np

import fastgd

from . import machine, measure, optimum, race, registry, report, solver_cells, solver_tables
from .arguments import positive

# A run of a peer's that takes so many times fastgd's time, or so many seconds, is its last
FACTOR, DEAREST = 30.0, 20.0
ALONE = 3.0  # the same in seconds, where fastgd does not reach the target
SHORTEST = 0.1  # seconds that a run may take in any case
LONGEST = 60.0  # seconds that fastgd's climb may take
LOWER = 1e-8  # how far below the optimum someone must end to be the optimum, relatively
MOST = 8.0  # seconds of the counted turns to one target
AT_ONCE = 12  # cells of one process: what some peers compile is not kept on the disk
SEPARATOR = " without "
FORCED = "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_ENABLE_INSTRUCTIONS"


# Cells, in a process of their own -------------------------------------------------------------------------------------


def both_clocks():
    """Seconds of the processors and of the wall."""
    return np.array([time.process_time(), time.perf_counter()])


def measure_cell(case, data, repeats, say=lambda name: None):
    """What a cell measured, as plain values; ``say`` is told who is about to run."""
    work = race.Work.of(case, data)
    with registry.limited(case):
        say("fastgd")
        climbs, missing = race.climbing(work)
        climbs["fastgd"].longest = LONGEST
        lowest = optimum.optimum(work, race.ours(work, fastgd)())[0]
        for name in climbs:
            say(name)
            if name != "fastgd":
                limit = dear(climbs["fastgd"], lowest)
                climbs[name].longest, climbs[name].dear = max(race.LONGEST, 2 * limit), limit
            lowest = lower(lowest, climbs[name].least(lowest))
        say("")
        targets = {
            label: to_target(work, climbs, missing, lowest, above, repeats) for label, above in race.TARGETS.items()
        }
    return {
        "cell": case.name,
        "threads": case.threads,
        "data": str(data),
        "fastgd": fastgd.__version__,
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "optimum": float(lowest),
        "floors": case.floors,
        "left out": case.out,
        "targets": targets,
    }


def lower(lowest, reached):
    return reached if reached < lowest * (1 - LOWER) else lowest


def dear(climb, lowest):
    """The seconds of a peer's run after which it is given no more effort."""
    k = climb.first(lowest * (1 + min(race.TARGETS.values())))
    if k is None:
        return ALONE
    mine = measure.timed(climb.solver(climb.efforts[k]), time.process_time)[0]
    return float(np.clip(FACTOR * mine, SHORTEST, DEAREST))


def to_target(work, climbs, missing, lowest, above, repeats):
    """The times of everyone who ends no further above the optimum, and of others why they have none."""
    runs, out = registry.parted({name: climb.run(lowest, above) for name, climb in climbs.items()} | missing)
    efforts = {name: climbs[name].first(lowest * (1 + above)) for name in runs}
    slow = {name: climbs[name].costs[k] for name, k in efforts.items() if climbs[name].costs[k] > climbs[name].dear}
    runs = {name: run for name, run in runs.items() if name not in slow}
    seconds = measure.interleave(runs, repeats, MOST, warm=True, clock=both_clocks)
    found = {"fastgd": None, "peers": {}, "out": out | {name: f"takes {spent:.2g} s" for name, spent in slow.items()}}
    for name in runs:
        climb, k = climbs[name], efforts[name]
        cpu, wall = np.array(seconds[name]).T.tolist()
        one = {"cpu": cpu, "wall": wall, "effort": climb.efforts[k], "above": climb.objectives[k] / lowest - 1}
        if name == "fastgd":
            result = race.called(work, fastgd, tol=climb.efforts[k])()
            found["fastgd"] = one | {"epochs": int(result.n_epochs), "status": result.status}
        else:
            found["peers"][name] = one
    mine = np.median(found["fastgd"]["cpu"]) if found["fastgd"] else np.inf
    unfinished = {
        name: climbs[name].dear for name in out if name in climbs and climbs[name].dearest > climbs[name].dear
    }
    found["slower"] = (
        {name: float(spent / mine) for name, spent in (unfinished | slow).items()} if mine < np.inf else {}
    )
    return found


def child(given):
    """Measure cells; the file is told who is about to run in which, and what each cell measured."""
    gone = dict(pair.split(SEPARATOR) for pair in given.without)

    def write(**line):
        with open(given.lines, "a") as file:
            file.write(json.dumps(line) + "\n")

    for name in given.one:
        case = solver_cells.cells()[name]._replace(threads=given.threads[0])
        out = {gone[name]: "did not come back in time"} if name in gone else {}
        peers = tuple(peer for peer in solver_tables.of_peers(case.peers, given.peers) if peer not in out)
        case = case._replace(peers=peers, out=case.out | out)
        data = case.small if given.smoke else case.sizes[0]
        write(found=measure_cell(case, data, given.repeats, lambda who, name=name: write(cell=name, trying=who)))
    return 0


# All cells ----------------------------------------------------------------------------------------------------------


class Group:
    """Cells that one process measures one after the other, and what it wrote of them until now."""

    def __init__(self, names, threads, given, take):
        self.names, self.threads, self.given, self.take = list(names), threads, given, take
        self.without = {}  # of a cell, the peer that did not come back
        self.heard, self.read, self.trying = time.time(), 0, ("", "")

    def run(self):
        """All cells; after the end of a process that did not measure all, another goes on without who was running."""
        while self.names and (said := self.process()):
            cell, who = self.trying
            if cell in self.names and who not in ("", "fastgd") and cell not in self.without:
                self.without[cell] = who
            else:
                cell = cell if cell in self.names else self.names[0]
                self.names.remove(cell)
                self.take({"cell": cell, "threads": self.threads, "failed": said})

    def process(self):
        """What went wrong with a process for the cells that are left, or nothing."""
        given = self.given
        with tempfile.TemporaryDirectory() as folder:
            lines = Path(folder) / "lines"
            lines.touch()
            self.read = 0
            told = ["--lines", str(lines), "--threads", str(self.threads), "--repeats", str(given.repeats)]
            told += [part for name in self.names for part in ("--one", name)]
            told += [part for pair in self.without.items() for part in ("--without", SEPARATOR.join(pair))]
            told += [part for word in given.peers for part in ("--peers", word)] + ["--smoke"] * given.smoke

            def heard():
                self.listen(lines)
                return self.heard

            said = report.process([f"{__package__}.solver_grid", *told], self.threads, given.patience, heard)
            self.listen(lines)
        return said or ("left cells out" if self.names else "")

    def listen(self, lines):
        """Take what was written since the last time."""
        whole = lines.read_text().rpartition("\n")[0].splitlines()
        for line in map(json.loads, whole[self.read :]):
            self.heard = time.time()
            if "found" in line:
                self.names.remove(line["found"]["cell"])
                self.take(line["found"])
            else:
                self.trying = line["cell"], line["trying"]
        self.read = len(whole)


def measure_all(names, given, path):
    """Measure what the file does not have yet, and print it; whether all of it could be measured."""
    there = {(line["cell"], line["threads"]) for line in solver_tables.lines_of(path) if "targets" in line}
    asked = [(name, threads) for threads in given.threads for name in names]
    left = [key for key in asked if key not in there]
    print(f"{len(left)} of {len(asked)} cells are to be measured, into {path}.", flush=True)
    keep(path, {"machine": machine.facts(), "versions": machine.versions()} if left else None)
    failed, began = [], time.perf_counter()

    def take(line):
        keep(path, line)
        failed.extend([line["cell"]] if "failed" in line else [])
        print(*solver_tables.printed(line, given.clock), "", sep="\n", flush=True)

    for threads in given.threads:
        cells = [name for name, of in left if of == threads]
        for first in range(0, len(cells), AT_ONCE):
            if given.minutes and time.perf_counter() - began > 60 * given.minutes:
                print("Time is up: the same command goes on with the cells that are left.")
                return not failed
            Group(cells[first : first + AT_ONCE], threads, given, take).run()
    return not failed


def keep(path, line):
    if line:
        with open(path, "a") as file:
            file.write(json.dumps(line) + "\n")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="benchmarks solvers", description=__doc__)
    parser.add_argument("words", nargs="*", help="only cells with all words of one of these in their name")
    parser.add_argument("-k", dest="more", action="append", default=[], help="the same")
    parser.add_argument("--rows", default="", help="only tables with so many rows: 1e4,1e5")
    parser.add_argument("--threads", type=positive, nargs="+", default=[1], help="of everyone, one run each (1)")
    parser.add_argument("--peers", action="append", default=[], help="only peers with this word in their name")
    parser.add_argument("--repeats", type=positive, default=5, help="turns (5)")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="begin no more cells after so many, a dozen at a time"
    )
    parser.add_argument("--patience", type=float, default=300.0, help="seconds that one peer may take in a cell (300)")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu", help="what ratios are of (cpu)")
    parser.add_argument("--to", type=Path, default=Path("report"), help="the folder to write into (report)")
    parser.add_argument("--list", action="store_true", help="print the names of the cells, and measure nothing")
    parser.add_argument("--tables", action="store_true", help="write the tables of what is there, and measure nothing")
    parser.add_argument("--into", type=Path, help="a page with marks of a table of solvers: write the overview there")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one turn, and of all cells a few")
    parser.add_argument("--one", action="append", help=argparse.SUPPRESS)
    parser.add_argument("--lines", help=argparse.SUPPRESS)
    parser.add_argument("--without", action="append", default=[], help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        return child(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended otherwise, it stops as with Ctrl-C
    names = list(solver_cells.cells())
    if given.smoke:
        given.repeats, given.words = 1, given.words or list(solver_cells.SMOKE)
    names = solver_cells.wanted(names, given.words + given.more, [part for part in given.rows.split(",") if part])
    if given.list:
        print(*names, sep="\n")
        return 0
    given.to.mkdir(parents=True, exist_ok=True)
    path = given.to / ("solvers.smoke.jsonl" if given.smoke else "solvers.jsonl")
    if given.smoke:
        path.unlink(missing_ok=True)
    if not given.tables and (forced := [name for name in FORCED if name in os.environ]):
        print(f"{' and '.join(forced)} chooses the kernels of BLAS, and may slow peers down: unset it for their best.")
    fine = given.tables or measure_all(names, given, path)
    solver_tables.write(solver_tables.lines_of(path), given.to, given.clock, checked=not given.smoke)
    if given.into:
        solver_tables.into(given.into, solver_tables.lines_of(path), given.clock)
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
