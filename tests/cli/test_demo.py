"""The demo, as README runs it."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pandas")


# The demo of every eighth flight; test_readme.py counts them all.
EIGHTH = """
import sys
from fastgd.__main__ import main
from fastgd.cli import demo

whole = demo.frame
demo.frame = lambda: whole()[::8]
sys.exit(main(sys.argv[1:]))
"""
SHARES = [
    pytest.param(["-c", EIGHTH], "42,097 flights; 1,216 without", id="an eighth"),
    pytest.param(["-m", "fastgd"], "336,776 flights; 9,430 without", id="all", marks=pytest.mark.long),
]


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="the flights take minutes as plain Python")
@pytest.mark.parametrize(("started", "said"), SHARES)
def test_demo(tmp_path, started, said):
    from fastgd.cli import demo

    picture = tmp_path / "loss.png"
    command = [sys.executable, "-W", "error", *started, "demo", "--picture", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{said} an arrival delay dropped." in done.stdout
    assert re.search(r"Fitting the delay of [\d,]+ flights on 37 raw columns", done.stdout)
    assert ("This runs the checkout in " in done.stdout) == (demo.checkout() is not None)
    assert re.search(r"the default, with Newton's steps, ends at 11\d\.", done.stdout)
    assert "SGDRegressor" in done.stdout
    table = [line for line in done.stdout.splitlines() if "float" in line and line.split()[-1].isdigit()]
    # scikit-learn's SGD goes to -1e17 on some of the flights.
    scores = [float(line.split()[-2]) for line in table if "SGDRegressor" not in line or EIGHTH not in started]
    assert len(table) >= 7
    assert min(scores) > 0.87
    assert "epoch" in done.stderr, "progress is shown"
    for path in (picture, tmp_path / "loss_sweep.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    words = r"64 learning rates, 30 epochs .*: ([\d.]+) s in one sweep\.\n"
    words += r"One such fit takes ([\d.]+) s, and 64 times that is ([\d.]+) s: a fit reads all"
    together, alone, many = map(float, re.search(words, done.stdout).groups())
    assert together > 0
    assert many == pytest.approx(64 * alone, abs=64 * 0.006)
    best, lost = re.search(r"The best rate is ([\d.]+), with a loss of [\d.]+; (\d+) diverged\.", done.stdout).groups()
    assert 0.1 < float(best) < 1
    assert 5 < int(lost) < 30


def test_the_sweep_of_rates(tmp_path, monkeypatch, capsys):
    plt = pytest.importorskip("matplotlib.pyplot")
    from fastgd.cli import demo

    monkeypatch.setattr(demo, "RATES", np.geomspace(1e-4, 10, 9))
    X = np.random.default_rng(0).normal(size=(100, 3))
    sweep = demo.sweep_rates(X, 5 + X.sum(axis=1))
    lost = sweep.status.count("diverged")
    assert 0 < lost < 9
    said = capsys.readouterr().out
    assert said.startswith("9 learning rates, 30 epochs")
    assert f"The best rate is {sweep.best_settings['learning_rate']:.3g}, with a loss of " in said
    assert f"; {lost} diverged." in said
    demo.save_sweep(sweep, tmp_path / "rates.png")
    pixels = plt.imread(tmp_path / "rates.png")[..., :3]
    assert pixels.shape == (600, 1440, 3)
    for half in (pixels[:, :720], pixels[:, 720:]):
        coloured = (half.max(axis=2) - half.min(axis=2) > 0.3).mean()
        assert 1e-3 < coloured < 0.2, "lines and crosses in both panels"


def test_missing_data_is_one_line(monkeypatch, capsys):
    import importlib.metadata

    from fastgd.__main__ import main

    monkeypatch.setattr(importlib.metadata, "files", lambda name: None)
    assert main(["demo"]) == 2
    assert "fastgd[demo]" in capsys.readouterr().err
