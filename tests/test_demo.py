"""The demo, as README runs it."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("pandas")


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="the flights take minutes as plain Python")
def test_demo(tmp_path):
    picture = tmp_path / "loss.png"
    command = [sys.executable, "-W", "error", "-m", "fastgd", "demo", "--picture", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "336,776 flights; 9,430 without an arrival delay dropped." in done.stdout
    scores = [
        float(line.split()[-2]) for line in done.stdout.splitlines() if "float" in line and line.split()[-1].isdigit()
    ]
    assert len(scores) >= 5
    assert min(scores) > 0.87
    assert "epoch" in done.stderr, "progress is shown"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_missing_data_is_one_line(monkeypatch, capsys):
    import importlib.metadata

    from fastgd.__main__ import main

    monkeypatch.setattr(importlib.metadata, "files", lambda name: None)
    assert main(["demo"]) == 2
    assert "fastgd[demo]" in capsys.readouterr().err
