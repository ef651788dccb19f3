"""``fastgd lr-find``: what it prints and draws, and each fault as one line."""

import inspect

import numpy as np
import pytest
from shell import commands, fault, folder, frame, run  # noqa: F401  (folder is a fixture)

import fastgd
from fastgd.cli import options, tables

LINE = "lr-find data.csv --target price "


def rates(text):
    lines = text.split("learning rate\n")[1].split("\n\n")[0].splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines}


def found(**options):
    return fastgd.lr_find(frame()[["age", "income", "owns"]].astype(float), frame()["price"], **options)


def test_it_prints_the_rates_of_all_rules():
    done = run(LINE + "--batch-size 20 --seed 1")
    expected = found(batch_size=20, random_state=1, standardize=True)
    assert rates(done.stdout) == pytest.approx(expected.suggestions, rel=1e-5)
    assert done.stdout.startswith("status")
    assert "f.suggestion" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith(
        "Fit with: fastgd fit data.csv --target price --batch-size 20 --seed 1 --standardize --learning-rate 0."
    )
    assert done.stderr == ""


@pytest.mark.parametrize("rule", ["constant", "valley", "minimum"])
def test_one_rule_alone_is_an_argument_of_fit(rule):
    rate = run(LINE + f"--rule {rule}").stdout
    assert float(rate) == pytest.approx(found(standardize=True).suggestion(rule), rel=1e-5)
    assert (
        "max_epochs after 9"
        in run(f"fit data.csv --target price --epochs 9 --standardize --learning-rate {rate}").stdout
    )


def test_options_are_the_arguments_of_lr_find(monkeypatch):
    calls = []

    def lr_find(X, y, sample_weight=None, **options):
        calls.append((X, y, sample_weight, options))
        raise ValueError("seen")

    monkeypatch.setattr(fastgd, "lr_find", lr_find)
    line = LINE + "--loss huber --optimizer adam --batch-size full --alpha 0.1 --l1-ratio 0.5 --no-intercept --seed 4 "
    line += "--threads 2 --float32 --weight owns --drop age --start 1e-3 --stop 2 --num 50 --no-standardize"
    assert fault(line) == "fastgd lr-find: seen"
    X, y, weight, given = calls.pop()
    assert list(X.columns) == ["income"]
    assert (X.dtypes == "float32").all()
    assert np.array_equal(y, frame()["price"])
    assert np.array_equal(weight, frame()["owns"])
    expected = {"loss": "huber", "optimizer": "adam", "batch_size": None, "alpha": 0.1, "l1_ratio": 0.5, "num": 50}
    expected |= {"fit_intercept": False, "random_state": 4, "n_threads": 2, "start": 1e-3, "stop": 2.0, "verbose": 0}
    expected |= {"standardize": False, "bounds": None, "shuffle": "block"}
    assert given == expected


def test_defaults_are_those_of_lr_find():
    given = commands.lr_find.make_context("lr-find", ["data.csv", "--target", "price"]).params
    arguments = inspect.signature(fastgd.lr_find).parameters
    assert {name: given[name] for name in ("start", "stop", "num")} == {
        name: arguments[name].default for name in ("start", "stop", "num")
    }
    fits = inspect.signature(fastgd.fit).parameters
    for name, value in options.fit_arguments(given).items():
        assert value == fits[name].default, name


def test_plot(folder):  # noqa: F811
    run(LINE + "--plot curve.png")
    assert (folder / "curve.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_curve_without_suggestions_exits_1():
    done = run(LINE + "--start 1 --stop 10 --no-standardize", 1)
    assert done.stdout.startswith("status  diverged after")
    assert "learning rate\n" not in done.stdout
    (said,) = done.stderr.splitlines()
    assert said.startswith("fastgd lr-find: diverged: Tested from 1 to 10")


def test_progress_goes_to_stderr():
    done = run(LINE + "--progress --rule valley")
    assert len(done.stdout.split()) == 1
    assert "reading" in done.stderr
    assert "step" in done.stderr


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("--num 9", "--num=9 must be at least 10"),
        ("--num ten", "'ten' is not a valid integer"),
        ("--start 0", "--start=0 must be in"),
        ("--start low", "'low' is none of auto|NUMBER"),
        ("--start 2 --stop 1", "--start=2 must be less than --stop 1"),
        ("--rule valey", "'valey' is not one of 'constant', 'valley', 'slide', 'minimum', 'steep'"),
        (
            "--rule slide --start 1 --stop 10 --no-standardize",
            "--rule='slide' has no suggestion here. Tested from 1 to 10",
        ),
        ("--loss hubr", "Did you mean 'huber'?"),
        ("--alpha -1", "--alpha=-1 must be at least 0"),
        ("--learning-rate 1", "No such option '--learning-rate'"),
        ("--target pric", "no column 'pric' for --target. Did you mean 'price'?"),
        ("--plot curve.doc", "curve.doc must end in one of"),
    ],
)
def test_bad_options(given, text):
    assert text in fault(LINE + given)


def test_a_bad_option_is_told_before_the_file_is_read(monkeypatch):
    monkeypatch.setattr(tables, "read", lambda *_: pytest.fail("nothing may be read"))
    for given in ("--alpha -1", "--num 3", "--stop -1"):
        fault(LINE + given)
