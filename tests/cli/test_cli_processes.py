"""The command line as processes of their own."""

import os
import shlex
import subprocess
import sys

import pytest
from shell import folder  # noqa: F401 (a fixture)


def process(line, **options):
    command = [sys.executable, "-W", "error", "-m", "fastgd", *shlex.split(line)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.slow
def test_a_process_of_its_own():
    done = process("fit data.csv --target price --epochs 3")
    assert done.returncode == 0, done.stderr
    assert "max_epochs after 3 epochs" in done.stdout
    assert done.stderr == ""
    done = process("fit data.csv --target prise")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fastgd fit: data.csv has no column 'prise' for --target. Did you mean 'price'?")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_outputs_that_fail():
    """A reader that leaves early is no fault to speak of; a full disk is one line."""
    code = "import sys; from fastgd.__main__ import main; sys.exit(main(['info']))"
    reading, writing = os.pipe()
    os.close(reading)
    for place, code_wanted, lines in ((writing, 141, 0), (os.open("/dev/full", os.O_WRONLY), 2, 1)):
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=place, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(place)
        assert (done.returncode, len(done.stderr.splitlines())) == (code_wanted, lines), done.stderr


def test_an_output_that_the_shell_has_closed(monkeypatch):
    from fastgd.cli.app import app

    monkeypatch.setattr(sys, "stdout", None)
    assert app.main(["info"], standalone_mode=False) == 0


def test_without_click(monkeypatch, capsys):
    from fastgd.__main__ import main

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["fit"]) == 2
    assert capsys.readouterr().err == "fastgd: the command line needs click: python -m pip install 'fastgd[cli]'\n"
    assert main(["demo"]) == 2
    assert "'fastgd[demo]'" in capsys.readouterr().err


def test_lines_about_compiling_are_about_options():
    from fastgd.cli.program import as_options
    from fastgd.kernels.notice import LINE

    said = as_options(LINE.format(kernel="k", kept="Kept."))
    assert "fastgd warmup compiles" in said
    assert "--quiet leaves out this line" in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('pass loss="multinomial".', "pass --loss multinomial."),
        ("standardize=True helps too", "--standardize helps too"),
        (
            "Lower learning_rate (a tenth is a good next try), or leave it at 'auto'; x",
            "Lower --learning-rate (a tenth is a good next try), or leave it out; x",
        ),
        ("loss='hubr' is not known.", "--loss='hubr' is not known."),
        (
            "resume: the run was started with alpha=0.0, not 1.0.",
            "--resume: the run was started with --alpha 0.0, not 1.0.",
        ),
        ("set NUMBA_CACHE_DIR=x; a column 'alpha=1' stays", "set NUMBA_CACHE_DIR=x; a column 'alpha=1' stays"),
    ],
)
def test_advice_is_about_options(text, expected):
    from fastgd.cli.program import as_options

    assert as_options(text) == expected
