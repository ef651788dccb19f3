"""What tests of the command line share: a small table, and calls of commands."""

import shlex

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

from click.testing import CliRunner  # noqa: E402

from fastgd.cli import app as commands  # noqa: E402

NAMES = ["age", "income", "owns", "price"]


def frame():
    """Raw columns of unlike sizes, a truth value among them; price is linear in them."""
    rng = np.random.default_rng(3)
    made = pd.DataFrame({"age": rng.integers(18, 80, 60), "income": rng.lognormal(10, 1, 60)})
    made["owns"] = rng.uniform(size=60) < 0.5
    made["price"] = 3 + 2.0 * made["age"] - 1e-4 * made["income"] + 7 * made["owns"]
    return made


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder with the table in data.csv."""
    monkeypatch.chdir(tmp_path)
    frame().to_csv("data.csv", index=False)
    return tmp_path


def run(line, code=0):
    done = CliRunner().invoke(commands.app, shlex.split(line), prog_name="fastgd")
    assert done.exit_code == code, done.output
    return done


def fault(line, code=2, more=None):
    """The one line that a faulty call leaves; below it may be the options that are missing, ``more``."""
    done = run(line, code)
    assert done.stdout == ""
    said, *rest = done.stderr.splitlines()
    assert said.startswith(f"fastgd {line.split()[0]}: ")
    if rest:
        (command,) = rest
        assert command.startswith(f"Try: fastgd {line.split()[0]} ")
    if more is not None:
        assert rest
        assert rest[0].endswith(more), rest[0]
    return said


def write(name, content):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def coefficients(text):
    lines = text.split("coefficient\n")[1].splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines}
