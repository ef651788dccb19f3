"""``python -m benchmarks gate``: may this code go in, as far as its speed goes? It exits with 0 yes, 1 no, 2 in part.

What is asked, the cheapest first; no answer hangs on a clock alone:

presence      every case that the baseline names is there, and no other; all run to their end
reference     each case's objective is the NumPy reference's
signatures    as many combinations of types were compiled as the baseline says, kernel by kernel
fused         the listed kernels have packed fused multiply-adds
compiled      lines of LLVM's code that each kind of first call compiles, within 2 % of the baseline; all cases' run
instructions  counted by callgrind, within 2 % of the baseline
ratios        the least seconds over the NumPy reference's, in turn, by three processes: not above 1.25 times the
              baseline's, or a second batch of processes says otherwise; nothing was compiled while the clock ran

``--record`` writes the numbers of this machine into the baseline, where all cases run and agree with the reference.
Words select cases by their names.
"""

import argparse
import json
import os
import sys
import tempfile
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from numba import config

import fastgd
from fastgd.kernels.threads import available_threads

from . import baseline, instructions, processes
from .arguments import chosen
from .first_calls import FIRST_CALLS
from .gated import GATED
from .machine import THREAD_VARIABLES

TREE = Path(__file__).parent.parent
FINE, FAILED, UNKNOWN = "fine", "FAILED", "UNKNOWN"
APART = 1e-6  # of the objectives, relatively
MORE_INSTRUCTIONS, MORE_LINES, MORE_SECONDS = 0.02, 0.02, 1.25
PROCESSES = 3
MINUTES = 15  # until a process is given up


class Finding(NamedTuple):
    """One line of the verdict."""

    check: str
    about: str
    verdict: str
    words: str = ""


class Asked(NamedTuple):
    """What processes answered, one after another where some broke."""

    answers: dict  # {case: answer}
    signatures: dict
    faults: list  # Findings


# Asking -------------------------------------------------------------------------------------------------------------


def environment(tree):
    """A process's: the package and these questions come from a tree, nothing runs on a second thread."""
    return {**os.environ, "PYTHONPATH": str(tree), **dict.fromkeys(THREAD_VARIABLES, "1")}


def ask(question, names, tree=TREE, **more):
    """Ask a process of its own; where it is killed, the next one is asked for the cases that are left."""
    answers, faults, names = {}, [], list(names)
    while names:
        command = [sys.executable, "-m", "benchmarks.gated", question, *names]
        done = processes.ended(command, 60 * MINUTES, cwd=tree, env=environment(tree) | more)
        lines = lines_of(done.output)
        answers |= {line["case"]: line for line in lines if "case" in line}
        if done.fine and lines and "signatures" in lines[-1]:
            return Asked(answers, lines[-1]["signatures"], faults)
        at, words = last_at(lines), f"{question}: {done.words}"
        if at is None or at in answers:  # it was between cases, before the first, or at its end
            return Asked(answers, {}, [*faults, Finding("presence", ", ".join(names), FAILED, words)])
        faults.append(Finding("presence", at, FAILED, words))
        names = names[names.index(at) + 1 :]
    return Asked(answers, {}, faults)


def lines_of(output):
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def last_at(lines):
    """The case that a process was at, if at any."""
    return next((line["at"] for line in reversed(lines) if "at" in line), None)


# The checks ---------------------------------------------------------------------------------------------------------


def instruction_key():
    """What counts depend on."""
    return f"{instructions.toolchain()}, {baseline.toolchain()}"


class Gate:
    """The checks of some cases; what they measured is kept, to be recorded.

    Where it is to be recorded, what the baseline lacks is not asked of another commit, and no case is too many or few.
    """

    def __init__(self, names, committed, tree=TREE, recording=False):
        self.names, self.committed, self.tree, self.recording = names, committed, tree, recording
        self.measured = {}

    def presence(self):
        """The registry against the baseline's list; whether a case runs to its end is seen by the others."""
        if self.recording:
            return []
        listed = set(self.committed["cases"])
        gone = [Finding("presence", name, FAILED, "is in the baseline, but gone") for name in listed - set(GATED)]
        new = [Finding("presence", name, FAILED, "is not in the baseline: --record") for name in set(GATED) - listed]
        return gone + new or [Finding("presence", f"{len(GATED)} cases", FINE)]

    def reference(self):
        """Objectives; and as many signatures as the baseline has, of each kernel, where all cases run."""
        asked = ask("checked", self.names, self.tree)
        found = [
            Finding("reference", name, FINE if answer["apart"] <= APART else FAILED, f"{answer['apart']:.0e} apart")
            for name, answer in asked.answers.items()
        ]
        if asked.faults or set(self.names) != set(GATED):
            return asked.faults + found
        self.measured["signatures"] = has = asked.signatures
        expected = self.committed["signatures"]
        more = [
            Finding("signatures", kernel, FAILED, f"{has.get(kernel, 0)}, not {expected.get(kernel, 0)}")
            for kernel in sorted(expected.keys() | has.keys())
            if expected.get(kernel) != has.get(kernel)
        ]
        return found + (more or [Finding("signatures", f"{sum(has.values())} in all", FINE)])

    def fused(self):
        """Packed fused multiply-adds in the kernels that are listed, compiled anew: a cache keeps no assembly."""
        if "fma" not in fastgd.show_config("dicts")["cpu"]["features"]:
            return [Finding("fused", "all kernels", UNKNOWN, "this CPU has no FMA as x86 has it")]
        listed = [name for name in self.names if GATED[name].kernels]
        with tempfile.TemporaryDirectory() as cache:
            asked = ask("fused", listed, self.tree, NUMBA_CACHE_DIR=cache)
        return asked.faults + [
            Finding("fused", kernel, FINE if count else FAILED, f"{count} packed")
            for answer in asked.answers.values()
            for kernel, count in answer["fused"].items()
        ]

    def compiled(self):
        """What first calls compile, in processes of their own, against the baseline's lines."""
        if set(self.names) != set(GATED):
            return []
        lines, faults = self._lines(self.tree)
        key = baseline.toolchain()
        base, words = self._base("compiled", key, lambda tree: self._lines(tree)[0])
        self.measured["compiled"] = {key: lines}
        return faults + [
            self._held("compiled", name, lines[name], base.get(name), 1 + MORE_LINES, words) for name in lines
        ]

    def _lines(self, tree):
        lines, faults = {}, []
        for name in FIRST_CALLS:
            with tempfile.TemporaryDirectory() as cache:
                asked = ask("compiled", [name], tree, NUMBA_CACHE_DIR=cache, **instructions.PINNED)
            faults += asked.faults
            lines |= {call: answer["lines"] for call, answer in asked.answers.items()}
        return lines, faults

    def instructions(self):
        """Counts against the baseline's."""
        if why := instructions.missing():
            return [Finding("instructions", "all cases", UNKNOWN, why)]
        counts, faults = self._counts(self.tree)
        key = instruction_key()
        base, words = self._base("instructions", key, lambda tree: self._counts(tree)[0])
        self.measured["instructions"] = {key: counts}
        return faults + [
            self._held("instructions", name, counts[name], base.get(name), 1 + MORE_INSTRUCTIONS, words)
            for name in counts
        ]

    def _counts(self, tree):
        command = ["-m", "benchmarks.gated", "counted", *self.names]
        least, done = instructions.count(command, environment(tree), tree)
        words = f"counted: at {last_at(lines_of(done.output))}, it {done.words}"
        gone = [Finding("presence", name, FAILED, words) for name in self.names if name not in least]
        return least, gone

    def ratios(self):
        """The least seconds over the reference's against the baseline's; what is above is timed once more."""
        key = baseline.machine()
        first, faults = self._ratios(self.names, self.tree)
        base, words = self._base("ratios", key, lambda tree: self._ratios(self.names, tree)[0])
        self.measured["ratios"] = {key: first}
        above = [name for name in first if base.get(name) and first[name] > MORE_SECONDS * base[name]]
        second, more = self._ratios(above, self.tree) if above else ({}, [])
        now = {name: min(first[name], second.get(name, first[name])) for name in first}
        return (
            faults + more + [self._held("ratios", name, now[name], base.get(name), MORE_SECONDS, words) for name in now]
        )

    def _ratios(self, names, tree):
        asked = [ask("timed", names, tree) for _ in range(PROCESSES)]
        faults = [fault for one in asked for fault in one.faults]
        found = {}
        for name in names:
            answers = [one.answers[name] for one in asked if name in one.answers]
            if answers:
                found[name] = min(a["ours"] for a in answers) / min(a["reference"] for a in answers)
        return found, faults

    def _base(self, check, key, measure):
        """The committed numbers of a key; else what the commit that wrote them gives here and now."""
        if key in self.committed[check]:
            return self.committed[check][key], "the baseline"
        if self.recording:
            return {}, "the baseline, into which it goes"
        commit = baseline.recorded_at()
        with baseline.tree_of(commit) as tree:
            if tree is None:
                return {}, f"the baseline, which does not know {key}; nor is there the history to measure it"
            return measure(tree), f"commit {commit[:9]}, measured here"

    def _held(self, check, name, now, base, limit, words):
        if base is None:
            return Finding(check, name, UNKNOWN, f"{now:.5g}: nothing to compare with in {words}")
        verdict = FINE if now <= limit * base else FAILED
        better = ", less: --record it" if now < base / limit else ""
        return Finding(check, name, verdict, f"{now / base:.3f} x {words} {base:.4g}{better}")


CHECKS = ("presence", "reference", "fused", "compiled", "instructions", "ratios")


def record(gate, committed):
    """Write what was measured into the baseline; other machines' numbers stay."""
    partial = set(gate.names) != set(GATED)
    for check in baseline.KEYED:
        for key, numbers in gate.measured.get(check, {}).items():
            kept = committed[check].get(key, {}) if partial else {}
            committed[check][key] = kept | numbers
    committed["signatures"] = gate.measured.get("signatures", committed["signatures"])
    committed["cases"] = sorted(GATED)
    baseline.write(committed)


def told(finding):
    """The finding, which is printed."""
    print(f"{finding.verdict:8} {finding.check:13} {finding.about:34} {finding.words}", flush=True)
    return finding


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="benchmarks gate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="only cases with one of these words in their name")
    parser.add_argument("--checks", default=",".join(CHECKS), help="some of these, with commas (default: all)")
    parser.add_argument("--record", action="store_true", help="write this machine's numbers into the baseline")
    given = parser.parse_args(arguments)
    names, checks = chosen(GATED, given.words), given.checks.split(",")
    if unknown := set(checks) - set(CHECKS):  # with 1: argparse's 2 would be a verdict
        raise SystemExit(f"--checks takes some of {','.join(CHECKS)}, not {', '.join(map(repr, sorted(unknown)))}")
    if config.DISABLE_JIT:
        raise SystemExit("compiled code is what is measured: unset NUMBA_DISABLE_JIT")
    try:
        committed = baseline.read()
    except ValueError as error:
        raise SystemExit(f"{baseline.FILE} {error}") from None
    gate, found = Gate(names, committed, recording=given.record), []
    clockless = [check for check in checks if check != "ratios"]
    with ThreadPool(available_threads()) as pool:  # what hangs on no clock is asked side by side, the dearest first
        asked = [pool.apply_async(getattr(gate, check)) for check in reversed(clockless)]
        for findings in reversed(asked):
            found += map(told, findings.get())
    if "ratios" in checks:
        found += map(told, gate.ratios())
    if not found:
        raise SystemExit(f"{given.checks} has nothing to measure in {', '.join(names)}")
    counted = [one for one in found if not (given.record and one.check in gate.measured)]
    verdicts = {one.verdict for one in counted}
    if odd := [one for one in counted if one.verdict != FINE]:
        print("\nNot fine:")  # once more at the end, where a log that was cut still has it
        list(map(told, odd))
    if given.record and FAILED in verdicts:
        print("Nothing was recorded: what FAILED comes first.")
    elif given.record:
        record(gate, committed)
        print(f"Recorded: commit {baseline.FILE.name}.")
    return 1 if FAILED in verdicts else 2 if UNKNOWN in verdicts else 0
