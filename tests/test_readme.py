"""README's snippets and commands run as written, in order; its tables are the classes'."""

import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

README = Path(__file__).parent.parent / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


@pytest.mark.slow
def test_snippets(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    namespace = {}
    assert len(SNIPPETS) >= 4
    for snippet in SNIPPETS:
        exec(compile(snippet, str(README), "exec"), namespace)
    out = capsys.readouterr().out
    shown = re.search(r"```text\n(FitResult.*?)```", README.read_text(), flags=re.DOTALL)[1]
    for line in shown.splitlines():  # up to the first number: the rest is the machine's rounding
        assert re.split(r"\d", line)[0] in out, line
    assert "diverged" in out
    matplotlib.pyplot.close("all")


def test_files_named():
    text = README.read_text()
    for name in re.findall(r"\]\((\S+?)\)", text):
        assert (README.parent / name).exists(), name
    package = README.parent / "fastgd"
    for path in package.glob("*.py"):
        if not path.name.startswith("_"):
            assert path.name in text, f"README's map lacks {path.name}"


@pytest.mark.jit
def test_the_commands(tmp_path, monkeypatch, capfd):
    from fastgd.__main__ import main

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    flights = pd.DataFrame({"dep_delay": rng.normal(size=200), "carrier": "AA", "origin": "JFK"})
    flights["arr_delay"] = 2 * flights["dep_delay"] + 1
    flights.to_csv("flights.csv", index=False)
    flights[["dep_delay"]].to_parquet("new.parquet")
    shell = "".join(re.findall(r"```sh\n(.*?)```", README.read_text(), flags=re.DOTALL))
    commands = re.findall(r"^fastgd (.*?)(?:  #.*)?$", shell, flags=re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["fit", "sweep", "lr-find", "predict", "info", "warmup"]
    for command in commands:
        assert main(shlex.split(command)) == 0, (command, capfd.readouterr())
    predicted = pd.read_csv("predictions.csv")["prediction"]
    np.testing.assert_allclose(predicted, flights["arr_delay"], atol=0.01)


def test_the_tables_are_the_classes():
    written = runpy.run_path(str(README.parent / "docs" / "tables.py"))["written"]
    assert written(README.read_text()) == README.read_text(), "run python docs/tables.py"
