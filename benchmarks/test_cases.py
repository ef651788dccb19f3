"""Every comparison at its smallest size, and the commands that the guide shows; ``test_race.py`` has the cases."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastgd

from .comparisons import COMPARISONS
from .fit_comparisons import loss_rows, optimizer_rows
from .registry import agree, parted, reached

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.name)
def test_comparison(comparison):
    runs, _ = parted(comparison.make(*comparison.small))
    assert agree(reached(runs), max(comparison.within, 0.05))
    assert set(comparison.grows) <= set(runs)


@pytest.mark.parametrize(("make", "parts"), [(optimizer_rows, fastgd.optimizers), (loss_rows, fastgd.losses)])
def test_every_part_is_timed(make, parts):
    runs = make(10, 2, np.float64)
    assert len(runs) == sum(not getattr(getattr(parts, name), "joint", False) for name in parts.__all__)
    assert {name for case in COMPARISONS if case.make is make for name in case.limits} < set(runs)


ROOT = Path(__file__).parents[1]
COMMAND = r"^python -m (benchmarks|pytest benchmarks)(.*?)(?: --quick| --docs)?(?:  +#.*)?$"
COMMANDS = re.findall(COMMAND, (ROOT / "docs" / "guide" / "track_speed.md").read_text(), re.MULTILINE)
SHORTER = {  # arguments that make a command quick
    "report": ["--smoke", "tiny"],
    "solvers": ["--smoke", "hinge iris 150x4 alpha=1e-3"],
    "gate": ["tiny", "--checks", "presence,reference"],
    "pytest": ["--collect-only", "--quiet"],
    "streams": ["quantile 0.5, plain, chunks of 100"],
    "bandwidth": ["--smoke", "--threads", "2"],  # on one thread in test_bandwidth.py
}


@pytest.mark.jit
@pytest.mark.parametrize(("what", "rest"), dict.fromkeys(COMMANDS))
def test_a_command_of_the_guide(what, rest, tmp_path):
    command = [*what.split(), *shlex.split(rest)]
    word = next((word for word in command if word in SHORTER), None)
    more = SHORTER.get(word, ["--smoke"]) + (["--to", str(tmp_path)] if word in ("report", "solvers") else [])
    # A worker of pytest-xdist marks its environment, and pytest-benchmark warns of it there.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-m", *command, *more], check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert word != "report" or (tmp_path / "report.html").exists()


def test_the_guide_has_commands():
    assert len(COMMANDS) >= 5
