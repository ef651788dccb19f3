"""The snippets of README and docs/, and README's commands, run as written, in order; tables are the classes'."""

import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

README = Path(__file__).parent.parent / "README.md"
GUIDE = README.parent / "docs" / "guide"
AUTO = README.parent / "docs" / "how_it_works" / "auto.md"
OWN_MODELS = GUIDE / "own_models.md"
PAGES = {  # and words that are printed
    README: ("diverged", "the same bits: True"),
    AUTO: ("linearly separable",),
}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("matplotlib").use("Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    assert len(snippets) >= 4
    namespace = {}
    for snippet in snippets:
        exec(compile(snippet, str(page), "exec"), namespace)
    out = capsys.readouterr().out
    shown = re.search(r"```text\n(FitResult.*?)```", page.read_text(), flags=re.DOTALL)[1]
    for line in shown.splitlines():  # up to the first number: the rest is the machine's rounding
        assert re.split(r"\d", line)[0] in out, line
    for words in PAGES[page]:
        assert words in out
    pyplot.close("all")


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize(("every", "rows"), [(8, 40_919), pytest.param(1, 327_346, marks=pytest.mark.long)])
def test_the_page_on_data_larger_than_memory(every, rows, tmp_path, monkeypatch, capfd):
    """Its snippets and commands, in order, on every so many flights."""
    from fastgd.__main__ import main
    from fastgd.cli import demo

    X, y, dropped = demo.flights(np.float32)
    assert (X.shape, len(y), dropped) == ((327_346, 37), 327_346, 9430)
    monkeypatch.setattr(demo, "flights", lambda dtype: (X[::every].astype(dtype), y[::every].astype(dtype), dropped))
    monkeypatch.chdir(tmp_path)
    page, namespace = GUIDE / "out_of_core.md", {}
    said = {}
    for language, text in re.findall(r"```(\w+)\n(.*?)```", page.read_text(), flags=re.DOTALL):
        if language == "python":
            exec(compile(text, str(page), "exec"), namespace)
        for command in re.findall(r"^fastgd (.*)$", text if language == "sh" else "", flags=re.MULTILINE):
            assert main(shlex.split(command)) == 0, (command, capfd.readouterr())
            said[command.split()[0]] = capfd.readouterr().out
    assert f"{rows:,} rows, 37 columns" in said["fit"]
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith(f"Parquet({rows:,} rows of 37 columns, float32) converged ")
    assert lines[1] == "True"
    for name in ("delays.npy", "delays.parquet"):
        found = np.load(name) if name.endswith("npy") else pd.read_parquet(name)
        assert len(found) == rows
    assert f"Parquet({rows:,} rows of 37 columns, float64)" in lines


@pytest.mark.slow
@pytest.mark.jit
def test_the_page_on_own_models(tmp_path, monkeypatch, capfd):
    """Its snippets, in order: what they print is what the page says of them."""
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(tmp_path)
    names = {}
    for snippet in re.findall(r"```python\n(.*?)```", OWN_MODELS.read_text(), flags=re.DOTALL):
        exec(compile(snippet, str(OWN_MODELS), "exec"), names)
    lines = capfd.readouterr().out.splitlines()
    net = names["net"]
    assert net.status == "early_stopped"
    assert net.n_epochs - net.history.validation_fun.argmin() == 11
    assert float(next(line for line in lines if line.startswith("right: ")).split()[1]) > 0.96
    assert "the same bits: True" in lines
    assert names["small"].x["W2"].max() <= 1.0
    missed = 2 * names["m"].history.validation_fun.min()
    assert 0.3**2 / 2 < missed < 1.5 * 0.3**2, "the noise, and little more"
    for run in (names["s"].best, names["streamed"]):
        np.testing.assert_allclose(run.x["w"], names["true"], atol=0.1)
    np.testing.assert_allclose([names["fitted"].x["top"], names["fitted"].x["half"]], [3.0, 1.5], atol=0.1)
    script = runpy.run_path(str(OWN_MODELS.with_suffix(".py")))
    script["draw"](net, tmp_path / "own_models.png")
    pixels = plt.imread(tmp_path / "own_models.png")[..., :3]
    assert 1e-3 < (pixels.max(axis=2) - pixels.min(axis=2) > 0.3).mean() < 0.2, "lines"
    plt.close("all")


@pytest.mark.slow
@pytest.mark.jit
def test_the_picture_of_the_default(tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    script = runpy.run_path(str(AUTO.with_suffix(".py")))
    script["main"](tmp_path / "auto.png", passes=300, of_sgd=20)
    pixels = plt.imread(tmp_path / "auto.png")[..., :3]
    coloured = (pixels.max(axis=2) - pixels.min(axis=2) > 0.3).mean()
    assert 1e-3 < coloured < 0.2, "lines"
    X, y = script["load_diabetes"](return_X_y=True, scaled=False)
    losses = script["curves"](X, y, passes=300, of_sgd=20)
    ends = [script["excess"](X, y)(found)[-1] for found in losses.values()]
    assert ends[-1] < 1e-9
    assert min(ends[:-1]) > 0
    assert ends[0] > ends[1] > ends[2]
    assert ends[4] > 1e10 > 1 > ends[3]


def test_files_named():
    for page in (*PAGES, OWN_MODELS):
        for name in re.findall(r"\]\((\S+?)\)", page.read_text()):
            assert (page.parent / name).exists(), name
    text = README.read_text()
    package = README.parent / "fastgd"
    for folder in package.iterdir():
        if (folder / "__init__.py").exists():
            assert f"  {folder.name}/" in text, f"README's map lacks {folder.name}/"


@pytest.mark.slow
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
    script = runpy.run_path(str(README.parent / "docs" / "tables.py"))
    assert script["written"](script["CHOOSING"].read_text()) == script["CHOOSING"].read_text(), (
        "run python docs/tables.py"
    )
    page = script["PARTS"].read_text()
    assert script["written_protocols"](page) == page, "run python docs/tables.py"
