"""``python -m benchmarks.selftest``: is the gate to be trusted? It is silent on equal code, and finds what is planted.

Every run holds the tree against numbers that were measured here a moment ago. Plants are edits of a copy of the tree:
a loop is lengthened, its result counts for nothing. CI repeats a few; ``--runs 50`` takes long.
"""

import argparse
import ast
import shutil
import tempfile
import textwrap
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from fastgd.kernels.threads import available_threads

from . import baseline, gate, instructions
from .arguments import chosen, positive
from .gated import GATED


class Plant(NamedTuple):
    """An edit that makes a case slower."""

    name: str
    check: str  # which has to find it
    case: str
    edit: Callable  # of the folder of a tree


def replaced(file, old, new):
    """An edit: ``old`` becomes ``new`` in a file."""

    def edit(folder):
        path = folder / file
        source = path.read_text()
        if old not in source:
            raise SystemExit(f"{file} no longer has the lines that are to be edited: {old!r}.")
        path.write_text(source.replace(old, new))

    return edit


def begun(where, function, code):
    """An edit: a function in a folder begins with ``code``."""

    def edit(folder):
        path, found = named(folder / where, function)
        inserted(path, found.body[0].lineno - 1, textwrap.indent(code, found.body[0].col_offset * " "))

    return edit


AGAIN = """        again = dtype(0)
        for _ in range({times}):
            for j in range({numbers}):
                again = again * weights[j] + rows.at(now, j)
        if again == 12345.0:
            total += 1.0
"""
NEXT_ROW = "        now, following = following, later\n"


def lengthened(times, numbers):
    """An edit: each step of a single row goes through some numbers of it again, one after another."""
    return replaced("fastgd/kernels/row_loop.py", NEXT_ROW, AGAIN.format(times=times, numbers=numbers) + NEXT_ROW)


def named(folder, function):
    """The file in a folder that defines a function, and its syntax tree."""
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                return path, node
    raise SystemExit(f"{folder} defines no function {function!r} any more: name the one that took its place.")


def inserted(path, line, code):
    """Insert code behind a line of a file."""
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:line], code, *lines[line:]]))


PLANTS = (
    Plant("5 % more instructions", "instructions", "SGD, single rows", lengthened(1, "d // 4")),
    # One turn was hidden by waiting for the rows (1.0 to 1.1 times on a busy AMD EPYC); three take 2.0 to 2.1 times.
    Plant("at least 30 % more time", "ratios", "SGD, single rows", lengthened(3, "d // 4")),
)


def planted(edit, folder):
    """A copy of the tree with an edit."""
    folder.mkdir(exist_ok=True)
    for part in ("fastgd", "benchmarks"):
        shutil.copytree(gate.TREE / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    edit(folder)
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
        tree = planted(plant.edit, folder / f"{check}{number}")
        # Counts come out alike each time: one run tells.
        for k in range(runs if check == "ratios" else 1):
            yield Trial(f"{plant.name}, run {k + 1}", check, [plant.case], committed, tree, True)


# How many at a time: a count is the same whatever else runs, seconds are not.
TOGETHER = {"instructions": available_threads(), "ratios": 1}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="benchmarks.selftest", description=__doc__)
    parser.add_argument("--runs", type=positive, default=3)
    parser.add_argument("--checks", default=",".join(TOGETHER), help="one of these, or both with a comma (default)")
    parser.add_argument("words", nargs="*", help="only cases with one of these words in their name; plants stay")
    given = parser.parse_args(arguments)
    names, checks = chosen(GATED, given.words), given.checks.split(",")
    if unknown := set(checks) - set(TOGETHER):  # with 1: argparse's 2 would be a verdict
        raise SystemExit(f"--checks takes {','.join(TOGETHER)}, not {', '.join(map(repr, sorted(unknown)))}")
    right, unknown = [], False
    with tempfile.TemporaryDirectory() as folder:
        for check in checks:
            if check == "instructions" and (why := instructions.missing()):
                print(f"no instructions are counted: {why}")
                unknown = True
                continue
            committed = measured(sorted({*names, *(plant.case for plant in PLANTS)}), check)
            planned = trials(check, names, committed, given.runs, Path(folder))
            with ThreadPool(TOGETHER[check]) as pool:
                right += pool.map(Trial.right, planned, chunksize=1)
    print(f"{sum(right)} of {len(right)} verdicts were right")
    return 1 if not all(right) else 2 if unknown else 0


if __name__ == "__main__":
    raise SystemExit(main())
