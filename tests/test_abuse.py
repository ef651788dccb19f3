"""Hostile inputs on every entry point, in processes of their own: no signal, no hang, no silent NaN or infinity, and
every error names the argument. ``abuse_data`` and ``abuse_calls`` hold the inputs, ``abuse`` runs them."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("click")
pytest.importorskip("pandas")
pytest.importorskip("scipy")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

import abuse  # noqa: E402
import abuse_calls as calls  # noqa: E402
import abuse_data as data  # noqa: E402
import abuse_sweeps as sweeps  # noqa: E402

# Some share a process: to load it takes as long as the cases of an entry point.
GROUPS = [list(abuse.ENTRIES)[k::4] for k in range(4)]
SHARED = "X: ", "y: ", "sample_weight: ", "labels: ", "counts: ", "sparse: ", "as csr: "


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("share", ["third", pytest.param("all", marks=pytest.mark.long)])
@pytest.mark.parametrize("entries", GROUPS, ids=", ".join)
def test_no_input_breaks(entries, share):
    some = ["--third"] if share == "third" else []
    done = subprocess.run([sys.executable, abuse.__file__, *some, *entries], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = {name: len(list(abuse.third(name) if some else abuse.cases(name))) for name in entries}
    assert {name: one["count"] for name, one in found.items()} == expected
    findings = {name: one["findings"] for name, one in found.items() if one["findings"]}
    assert not findings, json.dumps(findings, indent=1)


def test_there_are_at_least_150_inputs_and_every_entry_point_meets_all_of_its_kinds():
    tables = [data.X_CASES, data.Y_CASES, data.LABELS, data.COUNTS, data.WEIGHTS, calls.ANYTHING, calls.CALLBACKS]
    tables += [calls.PATHS, calls.FILES, calls.LINES, *calls.FUNCTIONS.values(), *calls.SETTINGS.values()]
    tables += [sweeps.TARGETS, sweeps.CLASSES, *sweeps.LISTS.values(), *sweeps.CV.values(), *sweeps.REPLICATES.values()]
    assert sum(map(len, tables)) >= 700
    assert sum(len(list(abuse.cases(entry))) for entry in abuse.ENTRIES) >= 4500


def test_a_third_of_the_cases_has_every_input_that_several_entry_points_share():
    every, met = (
        {case.name for entry in abuse.ENTRIES for case in some(entry) if case.name.startswith(SHARED)}
        for some in (abuse.cases, abuse.third)
    )
    assert len(every) > 300
    assert met == every


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda **_: os.kill(os.getpid(), 9), "died of signal 9"),
        (lambda **_: os._exit(3), "ended with code 3"),
        (lambda **_: abuse.require(False, "coef"), "unsound: coef"),
        (lambda **_: abuse.raising(ValueError("odd")), "ValueError does not name X: odd"),
        (lambda **_: abuse.raising(ValueError("X is odd")), ""),
        (lambda **_: all(iter(lambda: True, False)), "hangs"),
    ],
)
def test_every_kind_of_end_is_told(call, words, tmp_path, monkeypatch):
    monkeypatch.setattr(abuse, "HANG", 0.5)
    case, fine = abuse.Case("X: a case", dict, "X"), abuse.Case("X: fine", lambda: {"fine": True}, "X")
    entry = abuse.Entry(lambda fine=False: None if fine else call(), {})
    folders = [str(tmp_path / name) for name in "abcd"]
    assert abuse.run(entry, [fine, case, case, fine], folders) == ["", words, words, ""]
