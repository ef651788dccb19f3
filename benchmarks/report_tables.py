"""What a report says in words: rows, rules, the Markdown table, a short one with a fingerprint of the cases."""

import hashlib
import json
import re
import runpy
import statistics
from pathlib import Path
from typing import NamedTuple

from . import cases
from .measured import Measured, verdict_on
from .registry import apart

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance" / "index.md"
RULES = (
    "Threads are equal on both sides: where a case is on one thread, OMP_NUM_THREADS and its like are 1 for the whole "
    "process and PyTorch is told so; else everyone may use all that the process may. JAX is not told: it may use all "
    "processors in every case, which can only help it.",
    "Everyone is given the same arrays in the same data type. Vowpal Wabbit has float32 alone.",
    "Nobody's first run counts: it gives the objective, and warms compilers, caches and pools on both sides. What it "
    "costs fastgd is measured apart: the first fit with an empty cache and with a full one, and the import.",
    "Runs are interleaved: everyone in turn, every other turn backwards, with a pause for threads that still spin. A "
    "ratio is the median of those turn by turn; beside it stand their quartiles, and the number of turns. Slow "
    "races have fewer turns: three, and less where one takes many seconds.",
    "Where everyone takes the same steps, the objectives reached are computed by one function in float64, outside of "
    "the timing, and compared: who ends too far from fastgd's is not timed, and is named.",
    "Where everyone goes a way of its own, what is timed is the least effort (tolerance, iterations) that ends within "
    "a target of the lowest objective known, relatively; looking for it is not timed. Who never gets there is named.",
    "Times are of the wall clock, with data in memory. Of Vowpal Wabbit only the thread that learns is timed, by its "
    "own clock: parsing, reading its cache and waiting are not.",
    "The data are made from a seed, with nothing tuned for anyone; peers are written as their users write them.",
    "Nobody is dropped in silence: who is left out, is not installed, fails or never gets there is listed with the "
    "reason. Ratios below 1, where fastgd is slower, are shown as all others.",
)


class Row(NamedTuple):
    """A line of the full table."""

    case: str
    data: str
    peer: str
    faster: str = ""
    quartiles: str = ""
    ours: str = ""
    theirs: str = ""
    objective: str = ""
    note: str = ""

    @property
    def odd(self):
        """Whether one should look at it: all notes but of promises that were kept."""
        return self.note and not re.fullmatch(r"(floor|limit) \S+ reached", self.note)


HEAD = Row(
    "case", "data", "peer", "times faster", "quartiles, turns", "fastgd", "peer's time", "objective over ours", "note"
)


def rows(name, entry):
    """Rows of an entry that has races, with those that failed."""
    floors, limits = entry.get("floors", {}), entry.get("limits", {})
    for race in map(found_in, entry.get("races", ())):
        for peer, ratio in race.ratios.items():
            ours, theirs = (duration(statistics.median(race.seconds[who])) for who in ("fastgd", peer))
            spread = f"{ratio.low:.3g} to {ratio.high:.3g} of {len(race.seconds[peer])}"
            away = above(race, peer)
            verdict = verdict_on(ratio.median, floors.get(peer), limits.get(peer))
            yield Row(name, race.label, peer, f"{ratio.median:.3g}", spread, ours, theirs, away, verdict)
        for peer, why in race.out.items():
            yield Row(name, race.label, peer, objective=above(race, peer), note=why)
    if entry["failed"]:
        yield Row(name, "", "", note=entry["failed"])


def found_in(race):
    return Measured(**race)


def above(race, peer):
    """How far a peer's objective lies above fastgd's, relatively, in words."""
    ours, theirs = (race.objectives.get(who) for who in ("fastgd", peer))
    if not ours or not theirs:
        return ""
    if None in ours + theirs:
        return "not finite"
    furthest = apart(ours, theirs)
    return f"{furthest:+.0e}" if furthest else "0"


def duration(seconds):
    """Seconds as one reads them."""
    unit, size = next(pair for pair in (("s", 1), ("ms", 1e-3), ("us", 1e-6)) if seconds >= pair[1] or pair[0] == "us")
    return f"{seconds / size:.3g} {unit}"


def shown(value):
    """An option's value in words."""
    if isinstance(value, (list, tuple)):
        return f"{len(value)} from {value[0]:.3g} to {value[-1]:.3g}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def code(results):
    """0 where everything was measured and agrees."""
    entries = results["entries"].values()
    return int(any(entry["failed"] or not all(race["agree"] for race in entry.get("races", ())) for entry in entries))


def left_out(results):
    """(case, peer, why) of everyone who was not compared."""
    for name, entry in results["entries"].items():
        gone = dict(entry.get("out", {}))
        for race in map(found_in, entry.get("races", ())):
            gone |= {f"{peer} ({race.label})": why for peer, why in race.out.items()}
        yield from ((name, peer, why) for peer, why in gone.items())


def limits(results):
    """Rows of the numbers of whole processes: name, value, limit, unit, verdict."""
    for name, entry in results["entries"].items():
        if entry["kind"] == "limit":
            value = entry.get("value")
            words = entry["failed"] if value is None else "reached" if value <= entry["limit"] else "MISSED"
            shown_value = "" if value is None else f"{value:.3g}"
            yield name, shown_value, f"{entry['limit']:g}", entry["unit"], words


def measured_how(results):
    """The machine and the versions in two lines."""
    facts = "; ".join(f"{name}: {value}" for name, value in results["machine"].items())
    return facts, ", ".join(f"{name} {version}" for name, version in results["versions"].items())


# Markdown -----------------------------------------------------------------------------------------------------------


def table(head, lines):
    """A Markdown table."""
    escaped = [
        [str(cell).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ") for cell in line] for line in lines
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in [list(head), ["---"] * len(head), *escaped])


def markdown(results):
    """The whole report in Markdown, but for the pictures."""
    entries = results["entries"].items()
    every = [row for name, entry in entries if entry["kind"] != "limit" for row in rows(name, entry)]
    machine, versions = measured_how(results)
    parts = [
        "# fastgd and its peers",
        f"{machine}.",
        f"{versions}. Measured: {results['how']}; fingerprint of the cases: {results['fingerprint']}.",
        "## Times faster than peers",
        table(HEAD, every),
        "## Starts and memory",
        table(("", "value", "limit", "unit", ""), limits(results)),
        "## Who is left out",
        table(("case", "who", "why"), left_out(results)),
        "## Rules",
        "\n".join(f"- {rule}" for rule in RULES),
    ]
    return "\n\n".join(parts) + "\n"


# The documentation --------------------------------------------------------------------------------------------------


def fingerprint():
    """A short hash of what the registry's cases compute: it changes when the table has to be made again."""
    words = []
    for case in cases.CASES:
        options = [f"{name}={shown(value)}" for name, value in sorted(case.options.items())]
        sizes = [list(data) for data in case.sizes]
        words.append((case.name, case.call, case.race, sizes, options, case.peers, case.threads))
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:12]


def short_row(name, entry):
    """A case at its main size: its data, fastgd's time, and the ratio to each peer."""
    races = list(map(found_in, entry["races"]))
    if not races:
        return name, "", "", entry["failed"]
    race = [race for race in races if race.size == races[0].size][-1]  # of an objective's targets the tightest
    cells = [f"{peer} {spread(ratio, race.seconds[peer])}" for peer, ratio in race.ratios.items()]
    cells += [f"{peer} {why}" for peer, why in race.out.items()]
    ours = duration(statistics.median(race.seconds["fastgd"])) if "fastgd" in race.seconds else ""
    return name, race.label, ours, "; ".join(cells)


def spread(ratio, turns):
    """A ratio and its quartiles; one turn has none."""
    return f"{ratio.median:.3g}" + (f" ({ratio.low:.3g} to {ratio.high:.3g})" if len(turns) > 1 else "")


def short(results):
    """The table of the page "Performance": a line for each case, and where it was measured."""
    entries = [(name, entry) for name, entry in results["entries"].items() if entry["kind"] in ("steps", "objective")]
    lines = [short_row(name, entry) for name, entry in entries]
    facts, versions = results["machine"], results["versions"]
    where = ", ".join([facts["processor"], f"{facts['CPUs']} CPUs", facts["memory"], facts["system"], facts["date"]])
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    where = f"Measured on {where} (load before: {facts['load before']}), with {packages}"
    mark = f"<!-- cases {results['fingerprint']} -->"
    head = "case", "data", "fastgd", "times faster than"
    return f"{mark}\n{table(head, lines)}\n\n{where}."


def into_docs(results, page=PAGE):
    """Write the page's table; only a measurement of all cases at their own sizes will do."""
    missing = {case.name for case in cases.CASES} - set(results["entries"])
    if missing or results["mode"] == "smoke" or results.get("stopped"):
        told = f"was stopped, or lacks {missing}" if results["mode"] != "smoke" else "is of tiny sizes"
        raise SystemExit(f"The page takes a whole measurement; this one {told}.")
    placed = runpy.run_path(str(ROOT / "docs" / "tables.py"))["placed"]
    page.write_text(placed(page.read_text(), "speed", short(results)))


def page_fingerprint(text):
    """The fingerprint that the page's table was made with."""
    return re.search(r"<!-- table of speed -->\n<!-- cases (\w+) -->\n", text)[1]
