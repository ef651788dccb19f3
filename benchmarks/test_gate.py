"""The gate: what is gone, new, broken, unknown or slower is said. `selftest` tries its measurements themselves."""

import json
import os
import subprocess
import sys

import pytest

from . import __main__ as driver
from . import baseline, gate, instructions, selftest
from .gated import FUSED, GATED

NAME = "tiny: what a call costs"
EMPTY = {"cases": sorted(GATED), "signatures": {}, "instructions": {}, "ratios": {}}
PLANT = selftest.Plant("nothing", "ratios", NAME, "benchmarks/cases.py", "CASES = (", "CASES = (")


def tree(folder, file=PLANT.file, old=PLANT.old, new=PLANT.new):
    """A copy of the tree with an edit."""
    return selftest.planted(PLANT._replace(file=file, old=old, new=new), folder)


def run(folder, *arguments, **more):
    """The gate of a tree as a command: its exit code and what it printed."""
    environment = os.environ | {"PYTHONPATH": str(folder)} | more
    command = [sys.executable, "-m", "benchmarks", "gate", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def told(findings):
    return [(finding.about, finding.verdict) for finding in findings]


class Measured(gate.Gate):
    """A gate that is told what it measures: a list of ratios, one a batch, and counts."""

    def __init__(self, committed, batches=(), counts=None):
        super().__init__([NAME], EMPTY | committed)
        self.batches, self.counts = list(batches), counts

    def _ratios(self, names, tree):
        return {NAME: self.batches.pop(0)}, []

    def _counts(self, tree):
        return {NAME: self.counts}, []


@pytest.mark.parametrize(
    ("batches", "verdict"),
    [([0.5], gate.FINE), ([0.62], gate.FINE), ([0.7, 0.5], gate.FINE), ([0.7, 0.7], gate.FAILED), ([0.1], gate.FINE)],
)
def test_a_slow_ratio_is_timed_once_more(batches, verdict):
    one = Measured({"ratios": {baseline.machine(): {NAME: 0.5}}}, batches)
    assert told(one.ratios()) == [(NAME, verdict)]
    assert not one.batches


@pytest.mark.parametrize(("count", "verdict"), [(1020, gate.FINE), (1021, gate.FAILED), (900, gate.FINE)])
def test_more_instructions_than_two_per_cent(count, verdict, monkeypatch):
    monkeypatch.setattr(instructions, "missing", lambda: "")
    monkeypatch.setitem(gate.KEYS, "instructions", lambda: "key")
    found = Measured({"instructions": {"key": {NAME: 1000}}}, counts=count).instructions()
    assert told(found) == [(NAME, verdict)]
    assert ("record" in found[0].words) == (count == 900)


def test_another_machine_measures_the_commit_of_the_baseline(monkeypatch, tmp_path):
    monkeypatch.setattr(baseline, "recorded_at", lambda: "HEAD")
    found = Measured({}, [0.7, 0.5, 0.7]).ratios()
    assert told(found) == [(NAME, gate.FAILED)]
    assert "measured here" in found[0].words


@pytest.mark.parametrize("commit", ["", "0" * 40])
def test_without_a_history_there_is_no_verdict(commit, monkeypatch):
    monkeypatch.setattr(baseline, "recorded_at", lambda: commit)
    assert told(Measured({}, [0.7]).ratios()) == [(NAME, gate.UNKNOWN)]


@pytest.mark.parametrize(("cases", "about"), [([NAME], "a case that was"), ([], NAME)])
def test_a_case_that_is_gone_or_new(cases, about, monkeypatch):
    monkeypatch.setattr(gate, "GATED", {name: GATED[name] for name in cases})
    listed = ["a case that was", *cases] if cases else []
    if not cases:
        monkeypatch.setattr(gate, "GATED", {NAME: GATED[NAME]})
    assert (about, gate.FAILED) in told(gate.Gate([], EMPTY | {"cases": listed}).presence())


def test_the_baseline_names_the_cases_of_the_registry():
    committed = baseline.read()
    assert committed["cases"] == sorted(GATED)
    for numbers in (*committed["instructions"].values(), *committed["ratios"].values()):
        assert sorted(numbers) == sorted(GATED)


def test_packed_fused_multiply_adds_are_told_from_others():
    assert FUSED.findall("\tvfmadd231pd\t(%rax), %ymm0, %ymm1\n\tvfnmadd213ps %zmm1, %zmm2, %zmm3") != []
    assert FUSED.findall("vfmadd231sd %xmm0\n vmulpd %ymm0\n vfmadd231ss %xmm1") == []


@pytest.mark.parametrize("arguments", [["nosuch"], ["tiny", "nosuch"], ["--checks", "nosuch"], ["--checks", ""]])
def test_a_misspelt_word_is_no_verdict(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        gate.main(arguments)
    assert repr(arguments[-1]) in capsys.readouterr().err


@pytest.mark.parametrize("main", [driver.main, selftest.main])
@pytest.mark.parametrize("arguments", [["nosuch"], ["--repeats", "0"], ["--runs", "0"]])
def test_nothing_is_measured_of_a_mistake(main, arguments):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


@pytest.mark.jit
def test_a_check_without_anything_to_measure(capsys):
    with pytest.raises(SystemExit, match="2"):
        gate.main(["tiny", "--checks", "fused"])
    assert "nothing to measure" in capsys.readouterr().err


@pytest.mark.jit
@pytest.mark.parametrize(
    "text", ["{", "[]", json.dumps(EMPTY | {"ratio": {}}), json.dumps(EMPTY | {"ratios": {"": {"": 0}}})]
)
def test_a_damaged_baseline(text, monkeypatch, tmp_path, capsys):
    file = tmp_path / "baseline.json"
    file.write_text(text)
    monkeypatch.setattr(baseline, "FILE", file)
    assert gate.main(["tiny"]) == 1
    assert "is damaged" in capsys.readouterr().out


def test_the_first_commit_of_a_shallow_clone_is_not_the_baselines(monkeypatch):
    said = {"log": b"abc \n", "rev-parse": b"true\n"}
    monkeypatch.setattr(baseline, "git", lambda command, *_: said[command])
    assert baseline.recorded_at() == ""
    said["log"] = b"abc def\n"
    assert baseline.recorded_at() == "abc"
    said |= {"log": b"abc \n", "rev-parse": b"false\n"}
    assert baseline.recorded_at() == "abc"
    said["log"] = b""
    assert baseline.recorded_at() == ""


@pytest.mark.jit
@pytest.mark.parametrize(("verdict", "code"), [(gate.FINE, 0), (gate.UNKNOWN, 2), (gate.FAILED, 1)])
def test_only_what_is_sound_is_recorded(verdict, code, monkeypatch, tmp_path):
    monkeypatch.setattr(baseline, "FILE", tmp_path / "baseline.json")
    baseline.write(EMPTY | {"cases": []})
    before = baseline.read()
    monkeypatch.setattr(gate.Gate, "fused", lambda self: [gate.Finding("fused", "a kernel", verdict)])
    monkeypatch.setattr(gate.Gate, "_ratios", lambda self, names, tree: ({NAME: 0.5}, []))
    assert gate.main(["tiny", "--record", "--checks", "presence,fused,ratios"]) == code
    recorded = EMPTY | {"ratios": {baseline.machine(): {NAME: 0.5}}}
    assert baseline.read() == (before if verdict == gate.FAILED else recorded)


def test_a_count_that_hangs(monkeypatch):
    monkeypatch.setattr(instructions, "HOURS", 1e-5)
    least, done = instructions.count(["-c", "while True: pass"], {})
    assert least == {} and done.returncode
    assert "took more than" in done.stderr


# As a command, on copies of the tree ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.jit
def test_a_renamed_case(tmp_path):
    code, words = run(tree(tmp_path, old=f'"{NAME}"', new='"small"'), "--checks", "presence")
    assert code == 1, words
    assert "gone" in words and "small" in words


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize(
    ("fault", "words"),
    [("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "-11"), ("raise ValueError('no')", "ValueError: no")],
)
def test_a_case_that_breaks_is_named_and_the_others_go_on(fault, words, tmp_path):
    head = '    """Coefficients (targets, d) and intercepts (targets,) in the user\'s units."""\n'
    broken = f"{head}    if weights.shape[-1] == 6:  # the tiny case's\n        {fault}\n"
    code, printed = run(tree(tmp_path, "fastgd/fit.py", head, broken), "tiny", "rosenbrock", "--checks", "reference")
    assert code == 1, printed
    assert f"presence      {NAME}" in printed and words in printed
    assert "fine     reference     minimize, Rosenbrock" in printed


@pytest.mark.slow
@pytest.mark.jit
def test_without_valgrind_it_says_so(tmp_path):
    code, words = run(gate.TREE, "tiny", "--checks", "instructions", PATH="/nowhere")
    assert code == 2, words
    assert "valgrind is not installed" in words


def test_a_question_that_takes_too_long(monkeypatch):
    monkeypatch.setattr(gate, "MINUTES", 1e-4)
    faults = gate.ask("checked", [NAME]).faults
    assert [fault.verdict for fault in faults] == [gate.FAILED]
    assert "minutes" in faults[0].words


def test_numbers_are_json():
    assert json.loads(baseline.FILE.read_text()) == baseline.read()
