"""``python -m benchmarks.selftest``: is the gate to be trusted? It is silent on equal code, and finds what is planted.

Every run holds the tree against numbers that were measured here a moment ago. Plants are edits of a copy of the tree:
a loop is lengthened, its result counts for nothing. CI repeats a few; ``--runs 50`` takes long.
"""

import argparse
import shutil
import tempfile
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from fastgd.kernels.threads import available_threads

from . import baseline, gate, instructions
from .arguments import chosen, positive
from .gated import GATED


class Plant(NamedTuple):
    """An edit that makes a case slower: ``old`` becomes ``new`` in a file."""

    name: str
    check: str  # which has to find it
    case: str
    file: str
    old: str
    new: str


ROW_DOT = """            for j in range(d):
                p += rows.at(i, j) * weights[lane, j]
"""
AGAIN = """            again = p
            for k{0} in range({1}):
                for j in range({2}):
                    again += rows.at(i, j) * weights[lane, j]
            p += again * weights.dtype.type(1e-30)
"""
PLANTS = (
    Plant(
        "5 % more instructions",
        "instructions",
        "SGD, single rows",
        "fastgd/kernels/row_loop.py",
        ROW_DOT,
        ROW_DOT + AGAIN.format(1, 1, "d // 8"),
    ),
    Plant(
        "30 % more time",
        "ratios",
        "SGD, single rows",
        "fastgd/kernels/row_loop.py",
        ROW_DOT,
        ROW_DOT + AGAIN.format(2, 3, "5 * d // 8"),
    ),
)


def planted(plant, folder):
    """A copy of the tree with the edit."""
    folder.mkdir(exist_ok=True)
    for part in ("fastgd", "benchmarks"):
        shutil.copytree(gate.TREE / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / plant.file
    source = path.read_text()
    if plant.old not in source:
        raise SystemExit(f"{plant.file} no longer has the lines that {plant.name!r} is planted behind.")
    path.write_text(source.replace(plant.old, plant.new))
    return folder


def measured(names, check):
    """Numbers of this tree, as a baseline has them."""
    one = gate.Gate(names, baseline.EMPTY, recording=True)
    getattr(one, check)()
    return baseline.EMPTY | one.measured


class Trial(NamedTuple):
    """A run of one check, and whether it has to raise an alarm."""

    name: str
    check: str
    names: list
    committed: dict
    tree: Path
    alarm: bool

    def right(self):
        """Run it and print what it said; returns whether that is right.

        What breaks or is unknown is wrong in either case: neither is a verdict on speed.
        """
        found = getattr(gate.Gate(self.names, self.committed, self.tree), self.check)()
        awaited = self.check, gate.FAILED if self.alarm else gate.FINE
        odd = [finding for finding in found if (finding.check, finding.verdict) != awaited]
        right = bool(found) and not odd
        words = "; ".join(f"{finding.about}: {finding.words}" for finding in (odd or found)[:2])
        alarm = any(finding.verdict == gate.FAILED for finding in found)
        said = f"{self.check}, {'alarm' if alarm else 'silence'}"
        print(f"{'right' if right else 'WRONG'}  {self.name:30} {said:24} {words}", flush=True)
        return right


def trials(check, names, committed, runs, folder):
    """Equal code, then what is planted for a check to find."""
    yield from (Trial(f"equal code, run {k + 1}", check, names, committed, gate.TREE, False) for k in range(runs))
    for number, plant in enumerate(plant for plant in PLANTS if plant.check == check):
        tree = planted(plant, folder / f"{check}{number}")
        # Counts come out alike each time: one run tells.
        for k in range(runs if check == "ratios" else 1):
            yield Trial(f"{plant.name}, run {k + 1}", check, [plant.case], committed, tree, True)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="benchmarks.selftest", description=__doc__)
    parser.add_argument("--runs", type=positive, default=3)
    parser.add_argument("words", nargs="*", help="only cases with one of these words in their name; plants stay")
    given = parser.parse_args(arguments)
    names = chosen(GATED, given.words)
    right, unknown = [], False
    with tempfile.TemporaryDirectory() as folder:
        for check, together in (("instructions", available_threads()), ("ratios", 1)):
            if check == "instructions" and (why := instructions.missing()):
                print(f"no instructions are counted: {why}")
                unknown = True
                continue
            committed = measured(sorted({*names, *(plant.case for plant in PLANTS)}), check)
            planned = trials(check, names, committed, given.runs, Path(folder))
            with ThreadPool(together) as pool:  # a count is the same whatever else runs, seconds are not
                right += pool.map(Trial.right, planned, chunksize=1)
    print(f"{sum(right)} of {len(right)} verdicts were right")
    return 1 if not all(right) else 2 if unknown else 0


if __name__ == "__main__":
    raise SystemExit(main())
