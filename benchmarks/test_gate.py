"""The gate: what is gone, new, broken, unknown or slower is said. `selftest` tries its measurements themselves."""

import json
import os
import subprocess
import sys

import pytest

from fastgd.kernels import environment

from . import __main__ as driver
from . import baseline, gate, gated, instructions, measure, selftest
from .gated import FUSED, GATED

NAME = "tiny: what a call costs"
EMPTY = baseline.EMPTY | {"cases": sorted(GATED)}


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

    def _lines(self, tree):
        return {"fit": self.counts}, []


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
    monkeypatch.setattr(gate, "instruction_key", lambda: "key")
    found = Measured({"instructions": {"key": {NAME: 1000}}}, counts=count).instructions()
    assert told(found) == [(NAME, verdict)]
    assert ("record" in found[0].words) == (count == 900)


@pytest.mark.parametrize(("lines", "verdict"), [(1020, gate.FINE), (1021, gate.FAILED), (900, gate.FINE)])
def test_more_lines_to_compile_than_two_per_cent(lines, verdict):
    one = Measured({"compiled": {baseline.toolchain(): {"fit": 1000}}}, counts=lines)
    assert one.compiled() == []  # of some cases: nothing is asked of first calls
    one.names = list(GATED)
    assert told(one.compiled()) == [("fit", verdict)]


@pytest.mark.jit
@pytest.mark.slow
def test_what_a_first_call_compiles_is_counted_the_same_each_time(monkeypatch):
    name = "fit, single rows"  # compiles least
    monkeypatch.setattr(gate, "FIRST_CALLS", {name: None})
    asked = [gate.Gate(list(GATED), EMPTY)._lines(gate.TREE) for _ in range(2)]
    (lines, faults), (again, _) = asked
    assert faults == []
    assert lines == again == {name: lines[name]}
    assert 1000 < lines[name] < 50000


@pytest.mark.skipif(not baseline.git("rev-parse", "HEAD"), reason="there is no history here")
def test_another_machine_measures_the_commit_of_the_baseline(monkeypatch):
    monkeypatch.setattr(baseline, "recorded_at", lambda: "HEAD")
    found = Measured({}, [0.7, 0.5, 0.7]).ratios()
    assert told(found) == [(NAME, gate.FAILED)]
    assert "measured here" in found[0].words


@pytest.mark.parametrize("commit", ["", "0" * 40])
def test_without_a_history_there_is_no_verdict(commit, monkeypatch):
    monkeypatch.setattr(baseline, "recorded_at", lambda: commit)
    assert told(Measured({}, [0.7]).ratios()) == [(NAME, gate.UNKNOWN)]


@pytest.mark.skipif(not baseline.git("rev-parse", "HEAD"), reason="there is no history here")
def test_a_history_that_is_cut_off_is_none(monkeypatch, tmp_path):
    """Every file of its one commit seems to have been written there: the gate would hold code to itself."""
    cloned = ["git", "clone", "--quiet", "--depth", "1", gate.TREE.as_uri(), str(tmp_path / "clone")]
    subprocess.run(cloned, check=True, capture_output=True)
    monkeypatch.setattr(baseline, "HERE", tmp_path / "clone" / "benchmarks")
    monkeypatch.setattr(baseline, "FILE", baseline.HERE / "baseline.json")
    assert baseline.git("log", "-1", "--", str(baseline.FILE))
    assert baseline.recorded_at() == ""


def test_without_git_there_is_no_history(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert baseline.recorded_at() == ""


@pytest.mark.parametrize(("listed", "about"), [(["a case that was", NAME], "a case that was"), ([], NAME)])
def test_a_case_that_is_gone_or_new(listed, about, monkeypatch):
    monkeypatch.setattr(gate, "GATED", {NAME: GATED[NAME]})
    assert told(gate.Gate([], EMPTY | {"cases": listed}).presence()) == [(about, gate.FAILED)]


@pytest.mark.parametrize(("apart", "verdict"), [(1e-7, gate.FINE), (1e-5, gate.FAILED), (float("nan"), gate.FAILED)])
def test_an_objective_that_is_not_the_references(apart, verdict, monkeypatch):
    monkeypatch.setattr(gate, "ask", lambda *_: gate.Asked({NAME: {"apart": apart}}, {}, []))
    assert told(gate.Gate([NAME], EMPTY).reference()) == [(NAME, verdict)]


@pytest.mark.parametrize(("compiled", "verdict"), [({"a": 2}, gate.FINE), ({"a": 3}, gate.FAILED), ({}, gate.FAILED)])
def test_signatures_are_as_many_as_the_baselines(compiled, verdict, monkeypatch):
    monkeypatch.setattr(gate, "ask", lambda *_: gate.Asked({}, compiled, []))
    [found] = gate.Gate(list(GATED), EMPTY | {"signatures": {"a": 2}}).reference()
    assert (found.check, found.verdict) == ("signatures", verdict)


@pytest.mark.parametrize(("count", "verdict"), [(4, gate.FINE), (0, gate.FAILED)])
def test_a_kernel_without_fused_multiply_adds(count, verdict, monkeypatch):
    monkeypatch.setattr(gate.fastgd, "show_config", lambda _: {"cpu": {"features": ["fma"]}})
    monkeypatch.setattr(gate, "ask", lambda *_, **__: gate.Asked({NAME: {"fused": {"a loop": count}}}, {}, []))
    assert told(gate.Gate([NAME], EMPTY).fused()) == [("a loop", verdict)]


@pytest.mark.jit
def test_compiling_while_the_clock_runs():
    from numba import njit

    with pytest.raises(AssertionError, match=r"compiled or loaded while being timed: .*late"), measure.no_compiling():

        @njit
        def late(x):
            return x

        late(1)


@pytest.mark.jit
@pytest.mark.parametrize(("apart", "code"), [(0.0, 0), (1.0, 1)])
def test_what_is_wrong_is_not_recorded(apart, code, monkeypatch, tmp_path):
    file = tmp_path / "baseline.json"
    file.write_text(json.dumps(baseline.EMPTY))
    monkeypatch.setattr(baseline, "FILE", file)
    monkeypatch.setattr(gate, "ask", lambda *_: gate.Asked({name: {"apart": apart} for name in GATED}, {"a": 2}, []))
    assert gate.main(["--record", "--checks", "presence,reference"]) == code
    recorded = EMPTY | {"signatures": {"a": 2}}
    assert baseline.read() == (baseline.EMPTY if code else recorded)


@pytest.mark.jit
def test_the_kernels_that_cases_name_are_there():
    known = {gated.short(measure.name_of(kernel)) for kernel in environment.dispatchers()}
    assert {kernel for case in GATED.values() for kernel in case.kernels} <= known


@pytest.mark.parametrize("plant", selftest.PLANTS, ids=[plant.name for plant in selftest.PLANTS])
def test_what_is_planted_is_code(plant, tmp_path):
    before = {path.name: path.read_text() for path in (gate.TREE / "fastgd/kernels").glob("*.py")}
    folder = selftest.planted(plant.edit, tmp_path) / "fastgd/kernels"
    [edited] = [path for path in folder.glob("*.py") if path.read_text() != before[path.name]]
    compile(edited.read_text(), edited.name, "exec")
    assert "if again == 12345.0" in edited.read_text()


def test_a_plant_whose_place_is_gone(tmp_path):
    for edit in (
        selftest.begun("fastgd/linear", "no_call", "pass"),
        selftest.replaced("benchmarks/cases.py", "no such line", ""),
    ):
        with pytest.raises(SystemExit, match=r"no_call|no such line"):
            edit(gate.TREE)


@pytest.mark.parametrize(
    ("check", "verdict", "alarm", "right"),
    [
        ("ratios", gate.FINE, False, True),
        ("ratios", gate.FAILED, True, True),
        ("ratios", gate.FAILED, False, False),
        ("ratios", gate.UNKNOWN, False, False),
        ("presence", gate.FAILED, True, False),
    ],
)
def test_what_breaks_is_no_alarm(check, verdict, alarm, right, monkeypatch):
    monkeypatch.setattr(gate.Gate, "ratios", lambda _: [gate.Finding(check, NAME, verdict)])
    assert selftest.Trial("", "ratios", [NAME], EMPTY, gate.TREE, alarm).right() == right


def test_the_baseline_names_the_cases_of_the_registry():
    committed = baseline.read()
    assert committed["cases"] == sorted(GATED)
    for numbers in (*committed["instructions"].values(), *committed["ratios"].values()):
        assert sorted(numbers) == sorted(GATED)


def test_packed_fused_multiply_adds_are_told_from_others():
    assert FUSED.findall("\tvfmadd231pd\t(%rax), %ymm0, %ymm1\n\tvfnmadd213ps %zmm1, %zmm2, %zmm3") != []
    assert FUSED.findall("vfmadd231sd %xmm0\n vmulpd %ymm0\n vfmadd231ss %xmm1") == []


@pytest.mark.parametrize("arguments", [["nosuch"], ["tiny", "nosuch"], ["--checks", "nosuch"], ["--checks", ""]])
def test_a_misspelt_word_is_no_verdict(arguments):
    with pytest.raises(SystemExit, match=repr(arguments[-1])):  # words: with code 1, as 2 would be a verdict
        gate.main(arguments)


def test_a_check_that_the_selftest_does_not_have():
    with pytest.raises(SystemExit, match="'fused'"):
        selftest.main(["--checks", "ratios,fused"])


@pytest.mark.parametrize("main", [driver.main, selftest.main])
@pytest.mark.parametrize("arguments", [["nosuch"], ["--repeats", "0"], ["--runs", "0"]])
def test_nothing_is_measured_of_a_mistake(main, arguments):
    with pytest.raises(SystemExit, match=r"^2$|'nosuch'"):
        main(arguments)


@pytest.mark.jit
def test_a_check_without_anything_to_measure():
    with pytest.raises(SystemExit, match="nothing to measure"):
        gate.main(["tiny", "--checks", "fused"])


@pytest.mark.jit
@pytest.mark.parametrize(
    "text", ["{", "[]", json.dumps(EMPTY | {"ratio": {}}), json.dumps(EMPTY | {"ratios": {"": {"": 0}}})]
)
def test_a_damaged_baseline(text, monkeypatch, tmp_path):
    file = tmp_path / "baseline.json"
    file.write_text(text)
    monkeypatch.setattr(baseline, "FILE", file)
    with pytest.raises(SystemExit, match="is damaged"):
        gate.main(["tiny"])


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
    monkeypatch.setattr(instructions, "MINUTES", 1e-3)
    least, done = instructions.count(["-c", "while True: pass"], {})
    assert least == {} and not done.fine
    assert "took more than" in done.words


# As a command, on copies of the tree ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.jit
def test_a_renamed_case(tmp_path):
    renamed = selftest.replaced("benchmarks/cases.py", f'"{NAME}"', '"small"')
    code, words = run(selftest.planted(renamed, tmp_path), "--checks", "presence")
    assert code == 1, words
    assert "gone" in words and "small" in words


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize(
    ("fault", "words"),
    [("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "-11"), ("raise ValueError('no')", "ValueError: no")],
)
def test_a_case_that_breaks_is_named_and_the_others_go_on(fault, words, tmp_path):
    broken = selftest.begun("fastgd/linear", "fit", f"if X.shape[1] == 5:  # the tiny case's\n    {fault}\n")
    tree = selftest.planted(broken, tmp_path)
    code, printed = run(tree, "tiny", "rosenbrock", "--checks", "reference")
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
