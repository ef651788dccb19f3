"""``python -m benchmarks report``: everything measured, as a file of numbers, a page with pictures and a table.

Each case is measured in a process of its own, so that a crash or threads of its own stop there; what is measured is
written as it comes, and Ctrl-C makes a report of what there is.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from fastgd.kernels.threads import available_threads

from . import cases, comparisons, machine, measured, registry, report_page, report_tables
from .arguments import chosen
from .fit_comparisons import gradient

ROOT = Path(__file__).parent.parent
NOT_YET = "was not measured"


class Mode(NamedTuple):
    """How much is measured."""

    words: str
    repeats: int
    most: float  # seconds of a race's counted turns, after which it is cut short
    sizes: object  # of a case or a comparison


def own(case):
    """Whether a comparison is of fastgd against its own runs, which no picture shows."""
    return isinstance(case, registry.Comparison) and not case.grows and case.make is not gradient


def all_sizes(case):
    return case.sizes[:1] if own(case) else case.sizes


def main_size(case):
    return () if own(case) else case.sizes[:1]


MODES = {
    "full": Mode("all sizes; of fastgd against its own runs the first", 7, 3.0, all_sizes),
    "quick": Mode("the first size of each, without fastgd's own runs, starts and memory", 5, 1.0, main_size),
    "smoke": Mode("tiny sizes, whose times mean nothing", 1, 0.0, lambda case: (case.small,)),
}


def everything():
    """All that can be measured, by name."""
    return {what.name: what for what in cases.CASES + comparisons.COMPARISONS + cases.LIMITS}


# One entry, in a process of its own ---------------------------------------------------------------------------------


def measure_one(name, mode, lines):
    """Measure an entry of the registry; each race is a line of the file ``lines`` once it is there."""
    what = everything()[name]

    def keep(**found):
        with open(lines, "a") as file:
            file.write(json.dumps(found) + "\n")

    if isinstance(what, registry.Limit):
        value = what.make()
        measured.print_limit(what, value)
        keep(value=value)
        return
    for found in measured.races(what, mode.sizes(what), mode.repeats, mode.most):
        measured.print_race(what, found, checked=mode is not MODES["smoke"])
        keep(race=found._asdict())


def child(name, mode, lines, threads, patience):
    """Run ``measure_one`` in a process; returns what went wrong with it, or nothing."""
    return process([f"{__package__}.report", "--one", name, "--mode", mode, "--lines", lines], threads, patience)


def process(words, threads, patience, heard=None):
    """Run a module in a process, its libraries being told their threads; returns what went wrong, or nothing.

    It may take ``patience`` seconds, or be silent for so long: ``heard``, asked every second, is the time of its last
    sign.
    """
    command = [sys.executable, "-m", *words]
    limits = dict.fromkeys(machine.THREAD_VARIABLES, str(threads)) if threads else {}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # A session of its own: whatever processes a peer starts can be ended with it.
    running = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path, **limits}, start_new_session=True)
    try:
        code = waited(running, patience, heard)
    except BaseException as error:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            return f"took more than {patience:g} seconds"
        raise
    if code < 0:
        memory = ", which is what happens when memory is short" if code == -signal.SIGKILL else ""
        return f"was ended by {signal.Signals(-code).name}{memory}"
    return f"ended with code {code}" if code else ""


def waited(running, patience, heard):
    """The code that a process ends with."""
    if heard is None:
        return running.wait(patience)
    began = time.time()
    while True:
        try:
            return running.wait(1.0)
        except subprocess.TimeoutExpired:
            if time.time() - max(began, heard()) > patience:
                raise subprocess.TimeoutExpired(running.args, patience) from None


# All entries --------------------------------------------------------------------------------------------------------


def planned(what, mode):
    """What is known of an entry before it is measured; nothing is promised of a smoke run's sizes."""
    if isinstance(what, registry.Limit):
        return {"kind": "limit", "unit": what.unit, "limit": what.limit, "failed": NOT_YET}
    if isinstance(what, registry.Case):
        options = {name: report_tables.shown(value) for name, value in what.options.items()}
        more = {"kind": what.race, "out": what.out, "options": options, "call": what.call, "threads": what.threads}
    else:
        bandwidth = what.make is gradient
        more = {"kind": "bandwidth" if bandwidth else "growth" if what.grows else "own", "threads": what.threads}
        more |= {"grows": what.grows, "axis": what.axis}
    if mode != "smoke":
        more |= {"floors": what.floors, "limits": getattr(what, "limits", {})}
    return {**more, "threads": more["threads"] or available_threads(), "races": [], "failed": NOT_YET}


def taken(mode):
    """Names of what a mode measures."""

    def has_part(what):
        return mode == "full" if isinstance(what, registry.Limit) else MODES[mode].sizes(what)

    return [name for name, what in everything().items() if has_part(what)]


def measure_all(names, mode, path, patience):
    """Measure entries one after the other into a file of results."""
    every = everything()
    results = {
        "mode": mode,
        "how": MODES[mode].words,
        "fingerprint": report_tables.fingerprint(),
        "machine": machine.facts(),
        "versions": machine.versions(),
        "entries": {name: planned(every[name], mode) for name in names},
    }
    began = time.perf_counter()
    try:
        for k, name in enumerate(names):
            print(f"-- {k + 1} of {len(names)}, {time.perf_counter() - began:.0f} s: {name}", flush=True)
            measure_entry(name, results["entries"][name], getattr(every[name], "threads", None), mode, patience)
            if failed := results["entries"][name]["failed"]:
                print(f"{name} {failed}")
            results["seconds"] = time.perf_counter() - began
            results["machine"]["load after"] = machine.load()
            save(results, path)
    except KeyboardInterrupt:
        print("Stopped: the report has what was measured until now.")
        results["stopped"] = True
        save(results, path)
    return results


def measure_entry(name, entry, threads, mode, patience):
    """Measure one entry into its dict; what it had measured before it failed stays."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        lines.touch()
        try:
            entry["failed"] = child(name, mode, str(lines), threads, patience)
        finally:
            whole = lines.read_text().rpartition("\n")[0]  # who is killed may leave half a line
            for found in map(json.loads, whole.splitlines()):
                if "race" in found:
                    entry["races"].append(found["race"])
                else:
                    entry["value"] = found["value"]
            entry["took"] = time.perf_counter() - began


def save(results, path):
    """Write a file whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(results, file, indent=1)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def render(results, folder):
    """Write the page and the table beside the results."""
    markdown, page = report_tables.markdown(results), report_page.page(results)
    (folder / "report.md").write_text(markdown)
    (folder / "report.html").write_text(page)
    print(f"Written: {folder / 'report.html'}, report.md, results.json")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="benchmarks report", description=__doc__)
    parser.add_argument("words", nargs="*", help="measure only what has one of these words in its name")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_const", dest="mode", const="quick", help="the main size of each alone")
    how.add_argument("--smoke", action="store_const", dest="mode", const="smoke", help="tiny sizes, one turn")
    how.add_argument("--from", dest="results", type=Path, help="measure nothing: results.json of an earlier run")
    parser.add_argument("--to", type=Path, default=Path("report"), help="the folder to write into (report)")
    parser.add_argument("--docs", action="store_true", help="write the short table into the documentation")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds that one case may take")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    parser.set_defaults(mode="full")
    parser.add_argument("--lines", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        return measure_one(given.one, MODES[given.mode], given.lines)
    if given.words and given.results:
        parser.error("--from takes all of a file: leave out the words")
    if given.docs and (given.words or given.mode == "smoke"):
        parser.error("--docs takes a whole measurement: leave out --smoke and words")
    names = chosen(taken(given.mode), given.words)
    try:
        given.to.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=given.to).close()
    except OSError as error:
        parser.error(f"--to is not a folder that can be written into: {error}")
    if given.results:
        try:
            results = json.loads(given.results.read_text())
            render(results, given.to)
        except Exception as error:  # whatever a hand may have made of it
            parser.error(f"{given.results} is not a report's results.json: {type(error).__name__}: {error}")
        save(results, given.to / "results.json")
    else:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended otherwise, it stops as with Ctrl-C
        results = measure_all(names, given.mode, given.to / "results.json", given.patience)
        render(results, given.to)
    if given.docs:
        report_tables.into_docs(results)
    return 130 if results.get("stopped") else report_tables.code(results)


if __name__ == "__main__":
    raise SystemExit(main())
