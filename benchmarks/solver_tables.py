"""What ``python -m benchmarks solvers`` measured, in words: lines, tables, CSV, what is below its floor."""

import csv
import json
import runpy
import statistics
from typing import NamedTuple

from . import measure, race, report_tables
from .solver_cells import cells

HEAD = (
    "cell",
    "threads",
    "fastgd to 1e-3",
    "to 1e-6",
    "epochs",
    "times faster than the next, to 1e-3",
    "to 1e-6",
    "than all others, to 1e-6",
)


class Best(NamedTuple):
    """The peer nearest to fastgd, or ahead of it."""

    ratio: float
    peer: str


def lines_of(path):
    """The lines of a file of cells, of each cell the last; half a line, of a run that was killed, is none."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
    newest = {(line["cell"], line["threads"]): line for line in lines if "cell" in line}
    return [line for line in lines if "machine" in line][-1:] + list(newest.values())


def of_peers(names, words):
    """Peers with one of the words in their name; all of them without words."""
    return tuple(name for name in names if not words or any(word.lower() in name.lower() for word in words))


def ratios(target, clock):
    """How many times faster than each peer fastgd was."""
    if not target["fastgd"]:
        return {}
    mine = target["fastgd"][clock]
    turns = {name: peer[clock] for name, peer in target["peers"].items()}
    return {
        name: measure.ratio(mine[: len(theirs)], theirs[: len(mine)])
        for name, theirs in turns.items()
        if theirs and mine
    }


def best(target, clock):
    """The smallest ratio; a peer that got there where fastgd did not is infinitely ahead."""
    if not target["fastgd"]:
        fastest = min(target["peers"], key=lambda name: statistics.median(target["peers"][name][clock]), default=None)
        return Best(0.0, fastest) if fastest else None
    found = ratios(target, clock)
    return min((Best(ratio.median, name) for name, ratio in found.items()), default=None)


def milliseconds(one, clock):
    return report_tables.duration(statistics.median(one[clock])) if one and one[clock] else "does not reach it"


def nearest(target, clock):
    """The smallest ratio in words."""
    found = best(target, clock)
    if found is None:
        return "nobody else reaches it" if target["fastgd"] else "nobody reaches it"
    if not target["fastgd"]:
        return f"{found.peer} reaches it, in {milliseconds(target['peers'][found.peer], clock)}"
    return f"{found.ratio:.3g} {found.peer}"


def everyone(target, clock):
    """All ratios, and who has none, in words."""
    found = sorted(ratios(target, clock).items(), key=lambda pair: pair[1].median)
    words = [f"{ratio.median:.3g} ({ratio.low:.3g} to {ratio.high:.3g}) {name}" for name, ratio in found]
    if not target["fastgd"]:
        words = [f"{name} in {milliseconds(one, clock)}" for name, one in target["peers"].items()]
    words += [f"> {factor:.0f} {name}" for name, factor in target["slower"].items()]
    return "; ".join(
        [*words, *(f"{name} {why}" for name, why in target["out"].items() if name not in target["slower"])]
    )


def printed(line, clock):
    """The lines of a cell on the terminal."""
    yield f"{line['cell']}, {line['threads']} thread{'s' * (line['threads'] > 1)}"
    if "failed" in line:
        yield f"  {line['failed']}"
        return
    for label, target in line["targets"].items():
        mine = target["fastgd"]
        how = f", {mine['epochs']} epochs, tol={mine['effort']:g}, {mine['status']}" if mine else ""
        yield f"  {label}: fastgd {milliseconds(mine, clock)}{how}"
        yield from (f"      {part}" for part in everyone(target, clock).split("; ") if part)


def below(line, clock):
    """Of a cell, the targets at which it is not as far ahead of the next peer as it is to be."""
    for label, target in line.get("targets", {}).items():
        found = best(target, clock)
        if found and found.ratio < line["floors"].get(found.peer, 1.0):
            yield label, found, line["floors"].get(found.peer, 1.0)
        elif found is None and not target["fastgd"]:
            yield label, Best(0.0, "nobody"), 1.0


def row(line, clock):
    """A cell's line of the table."""
    if "failed" in line:
        return line["cell"], line["threads"], line["failed"], "", "", "", "", ""
    coarse, fine = (line["targets"][label] for label in race.TARGETS)
    epochs = ", ".join(str(one["fastgd"]["epochs"]) for one in (coarse, fine) if one["fastgd"])
    times = [milliseconds(one["fastgd"], clock) for one in (coarse, fine)]
    return (
        line["cell"],
        line["threads"],
        *times,
        epochs,
        nearest(coarse, clock),
        nearest(fine, clock),
        everyone(fine, clock),
    )


def overview(lines, clock):
    """A row for each kind of table and loss: the middle and the least of the smallest ratios of its cells."""
    groups = {}
    for line in lines:
        if "targets" in line:
            words = line["cell"].split()
            rows = words[3].partition("x")[0] if words[0] == "dense" else words[3]
            groups.setdefault((words[0], words[1], rows, line["threads"]), []).append(line)
    for (kind, loss, rows, threads), group in groups.items():
        cells_of = [kind, loss, rows, threads, len(group)]
        for label in race.TARGETS:
            found = [best(line["targets"][label], clock) for line in group]
            numbers = [one.ratio for one in found if one]
            if numbers:
                least = min(one for one in found if one)
                cells_of.append(f"{statistics.median(numbers):.3g}, least {least.ratio:.3g} ({least.peer})")
            else:
                cells_of.append("nobody else reaches it")
        yield cells_of


def short(lines, clock="cpu"):
    """The table of the documentation: a row for each kind of table and loss."""
    head = "table", "loss", "rows", "threads", "cells", "ahead of the next to 1e-3: median, least", "to 1e-6"
    return report_tables.table(head, overview(lines, clock))


def into(page, lines, clock):
    """Write the overview between the marks of a page, with where it was measured."""
    facts = next(line for line in lines if "machine" in line)
    machine, versions = report_tables.measured_how(facts)
    body = f"{short(in_order(of_cells(lines)), clock)}\n\nMeasured on {machine}, with {versions}."
    placed = runpy.run_path(str(report_tables.ROOT / "docs" / "tables.py"))["placed"]
    page.write_text(placed(page.read_text(), "solvers", body))


def of_cells(lines):
    return [line for line in lines if "cell" in line]


def missed(lines, clock):
    """Rows of what is below its floor."""
    for line in lines:
        for label, found, floor in below(line, clock):
            yield line["cell"], line["threads"], label, f"{found.ratio:.3g}", found.peer, f"{floor:g}"


def markdown(lines, clock, checked=True):
    """All of it."""
    facts = next((line for line in lines if "machine" in line), None)
    lines = in_order(of_cells(lines))
    parts = ["# Time to the optimum", RULES]
    if facts:
        parts += [f"{words}." for words in report_tables.measured_how(facts)]
    parts += [
        "## Overview",
        short(lines, clock),
        "## Cells",
        report_tables.table(HEAD, (row(line, clock) for line in lines)),
    ]
    if checked:
        head = "cell", "threads", "target", "ratio", "peer", "to be"
        parts += ["## Below the floor", report_tables.table(head, missed(lines, clock))]
    gone = {(name, why) for line in lines for name, why in line.get("left out", {}).items()}
    parts += ["## Who is left out", report_tables.table(("who", "why"), sorted(gone))]
    return "\n\n".join(parts) + "\n"


RULES = """\
Each is given the least effort (tolerance, iterations) that ends within the target of the optimum, relatively; the
objective is computed outside, in float64. Times are of the processors, all threads, medians of interleaved turns;
ratios are peer's time over fastgd's, with quartiles. `> 30` is a peer whose run took so many times fastgd's time and
was not there yet."""


def in_order(lines):
    """In the order of the grid."""
    place = {name: k for k, name in enumerate(cells())}
    return sorted(lines, key=lambda line: (line["threads"], place.get(line["cell"], len(place))))


def write(lines, folder, clock, checked):
    """The table in Markdown, all times as CSV, and on the terminal what is below its floor."""
    (folder / "solvers.md").write_text(markdown(lines, clock, checked))
    with open(folder / "solvers.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("cell", "threads", "target", "who", "effort", "above", "cpu seconds", "wall seconds", "why not"))
        for line in in_order([line for line in lines if "targets" in line]):
            for label, target in line["targets"].items():
                runs = {"fastgd": target["fastgd"]} | target["peers"]
                for name, one in runs.items():
                    if one and one["cpu"]:
                        times = statistics.median(one["cpu"]), statistics.median(one["wall"])
                        rows.writerow(
                            (line["cell"], line["threads"], label, name, one["effort"], one["above"], *times, "")
                        )
                for name, why in target["out"].items():
                    rows.writerow((line["cell"], line["threads"], label, name, "", "", "", "", why))
    if checked:
        under = list(missed(in_order(of_cells(lines)), clock))
        print(f"{len(under)} below their floor:" if under else "None is below its floor.")
        print(
            *(f"  {cell}, {n} threads, {to}: {got} x {peer}, to be {floor}" for cell, n, to, got, peer, floor in under),
            sep="\n",
        )
    print(f"Written: {folder / 'solvers.md'}, solvers.csv")
