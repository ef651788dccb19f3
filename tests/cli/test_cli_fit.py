"""``fastgd fit``: its options, what it prints, and each fault of a call as one line."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
from shell import NAMES, coefficients, commands, fault, folder, frame, run, write  # noqa: F401 (a fixture)

import fastgd
from fastgd.cli import options, tables


def test_fit_prints_the_coefficients():
    done = run("fit data.csv --target price --tol 1e-12")
    found = coefficients(done.stdout)
    assert list(found) == ["(intercept)", *NAMES[:3]]
    np.testing.assert_allclose(list(found.values()), [3, 2, -1e-4, 7], rtol=1e-3)
    assert done.stdout.startswith("status")
    assert "converged after" in done.stdout
    assert "60 rows, 3 columns, float64" in done.stdout
    assert done.stderr == ""


def test_options_are_the_arguments_of_fit(monkeypatch):
    calls = []

    def fit(X, y, sample_weight=None, **options):
        calls.append((X, y, sample_weight, options))
        raise ValueError("seen")

    fit.__signature__ = inspect.signature(fastgd.fit)
    monkeypatch.setattr(fastgd, "fit", fit)
    line = "fit data.csv --target price --loss huber --optimizer adam --learning-rate {} --batch-size {} --alpha 0.1 "
    line += "--l1-ratio 0.5 --epochs {} --tol {} --no-intercept --seed 4 --threads 2 --float32 --weight owns --drop age"
    assert fault(line.format("0.5", "full", "7", "none")) == "fastgd fit: seen"
    X, y, weight, options = calls.pop()
    assert list(X.columns) == ["income"]
    assert (X.dtypes == "float32").all()
    assert np.array_equal(y, frame()["price"])
    assert np.array_equal(weight, frame()["owns"])
    expected = {"loss": "huber", "optimizer": "adam", "learning_rate": 0.5, "batch_size": None, "alpha": 0.1}
    expected |= {"l1_ratio": 0.5, "epochs": 7, "tol": None, "fit_intercept": False, "random_state": 4, "n_threads": 2}
    expected |= {"validation": None, "standardize": "auto", "average": False, "bootstrap": 0, "bounds": None}
    expected |= {"max_steps": None, "patience": 5, "shuffle": "block"}
    assert options == {**expected, "verbose": 0}
    fault(line.format("inverse_scaling", "16", "auto", "1e-3"))
    options = calls.pop()[-1]
    names = ("learning_rate", "batch_size", "epochs", "tol")
    assert [options[name] for name in names] == ["inverse_scaling", 16, "auto", 1e-3]


def test_defaults_are_those_of_fit():
    given = commands.fit.make_context("fit", ["data.csv", "--target", "price"]).params
    arguments = inspect.signature(fastgd.fit).parameters
    for name, value in options.fit_arguments(given).items():
        assert value == arguments[name].default, name


@pytest.mark.parametrize("option", ["--validation 0.25", "--average"])
def test_held_out_rows_and_averages(option):
    name = option.split()[0][2:]
    if name not in inspect.signature(fastgd.fit).parameters:
        pytest.skip(f"fit has no {name} yet")
    assert "(intercept)" in run(f"fit data.csv --target price --batch-size 20 --epochs 2 {option}").stdout


def test_fit_of_classes():
    made = frame()
    made["class"] = np.where(made["age"] > 40, "old", "young")
    made.to_csv("data.csv", index=False)
    done = run("fit data.csv --target class --loss log_loss --columns age,income")
    assert coefficients(done.stdout)["age"] < 0


def test_a_diverged_fit_exits_1():
    done = run("fit data.csv --target price --learning-rate 10 --quiet", 1)
    assert done.stdout == ""
    assert done.stderr.startswith("fastgd fit: diverged: ")
    assert len(done.stderr.splitlines()) == 1


def test_an_interrupted_fit_exits_130(monkeypatch):
    real = fastgd.fit
    monkeypatch.setattr(fastgd, "fit", lambda *a, **k: replace(real(*a, **k), status="interrupted"))
    monkeypatch.setattr(options, "checked", lambda asked: type("Settings", (), {"loss": fastgd.losses.Mse()}))
    assert "interrupted after" in run("fit data.csv --target price", 130).stdout


def test_ctrl_c_elsewhere_exits_130(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "read", interrupted)
    assert run("fit data.csv --target price", 130).stdout == ""


def test_progress_goes_to_stderr():
    done = run("fit data.csv --target price --progress --quiet")
    assert done.stdout == ""
    assert "reading" in done.stderr
    assert "epoch" in done.stderr


def test_plot():
    run("fit data.csv --target price --quiet --plot loss.png")
    with open("loss.png", "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("", "Missing option '--target'"),
        ("--target pric", "data.csv has no column 'pric' for --target. Did you mean 'price'?"),
        ("--target price --weight AGE", "no column 'AGE' for --weight. Did you mean 'age'?"),
        ("--target price --drop income,wage", "no column 'wage' for --drop"),
        ("--target price --columns x,z", "no columns 'x', 'z' for --columns"),
        ("--target price --columns age,price", "--columns names 'price', which is the target"),
        ("--target price --columns age,age", "--columns names 'age' twice"),
        ("--target price --columns age --drop age", "--columns names 'age' and --drop leaves it out"),
        ("--target price --drop price", "--drop leaves no target"),
        ("--target price --drop age,income,owns", "--drop leaves no column to fit on"),
        ("--target price --weight price", "--weight 'price' is the target"),
        ("--target price --loss hubr", "--loss='hubr' is not known. Did you mean 'huber'?"),
        ("--target price --optimizer adm", "--optimizer='adm' is not known. Did you mean 'adam'?"),
        ("--target price --learning-rate 0", "--learning-rate=0 must be greater than 0"),
        (
            "--target price --learning-rate constnt",
            "'--learning-rate': 'constnt' is not known. Did you mean 'constant'?",
        ),
        ("--target price --batch-size some", "'--batch-size': 'some' is none of auto|full|N."),
        (
            "--target price --learning-rate 1e-3:1:16",
            "'--learning-rate': '1e-3:1:16' is several values: pass one, or all",
        ),
        ("--target price --alpha 0,1", "'--alpha': '0,1' is several values: pass one, or all to fastgd sweep."),
        ("--target price --epochs 1.5", "'--epochs': '1.5' is none of auto|N."),
        ("--target price --alpha -1", "--alpha=-1 must be at least 0"),
        ("--target price --l1-ratio 2", "--l1-ratio=2 must be in [0, 1]"),
        ("--target price --threads 0", "--threads=0 must be at least 1"),
        ("--target price --seed -1", "--seed=-1 must be at least 0"),
        ("--target price --save there/m.npz", "the folder there does not exist"),
        ("--target price --save .", "is a folder"),
        ("--target price --plot loss.doc", "loss.doc must end in one of"),
        ("--target price --delimiter ;;", "';;' must be one character"),
        ("--target price --unknown", "No such option '--unknown'"),
        ("--target price --lr 0.1", "No such option '--lr'. Did you mean '--learning-rate'?"),
        ("--target price --max-iter 9", "Did you mean '--epochs'?"),
        ("--target price --learning-rate fast", "'fast' is not known. Valid are: 'auto', 'constant', 'cosine',"),
        ("--target price --learning-rate fast", "'step', 'warmup', or a number."),
        (
            "--target price --loss huber:delt=2",
            "huber is given the field 'delt', which it does not have: its fields are delta.",
        ),
        ("--target price --loss hubr:2", "'hubr' is not known. Did you mean 'huber'?"),
        ("--target price --loss quantile:high", "'high' is no number for the field quantile of quantile."),
        ("--target price --loss quantile:2", "--loss: quantile=2 must be"),
        ("--target price --optimizer adam:beta1=1:beta1=2", "adam is given the field twice"),
        ("--target price --bounds low", "'low' must be LOW:HIGH, two numbers, e.g. 0:"),
        ("--target price --fill median,mean", "'median,mean' is none of mean, median, zero or a finite number."),
        ("--target price --save model.pkl", "model.pkl must end in .npz: model.npz, for example."),
        ("--target price --one-hot agee", "no column 'agee' for --one-hot. Did you mean 'age'?"),
        ("--target price --one-hot price", "--one-hot names 'price', which is no column to fit on."),
        ("--target price --loss log_loss", "y must hold two classes for this loss, got 60"),
    ],
)
def test_bad_options(options, text):
    assert text in fault(f"fit data.csv {options}")


def test_a_bad_option_is_told_before_the_file_is_read(monkeypatch):
    monkeypatch.setattr(tables, "read", lambda *_: pytest.fail("nothing may be read"))
    fault("fit data.csv --target price --alpha -1")


def test_calls_without_a_known_command():
    done = run("nothing", 2)
    assert done.stdout == ""
    assert "fastgd --help shows how to call it" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert run("").stdout == run("--help").stdout
    assert "predict" in run("--help").stdout
    assert run("--version").stdout == f"fastgd, version {fastgd.__version__}\n"


@pytest.mark.parametrize(
    ("cell", "text"), [("", "a missing value in line 3"), ("x", "holds numbers and text ('x' in line 3): correct it")]
)
def test_a_column_that_is_needed_is_not_to_be_dropped(cell, text):
    write("data.csv", f"a,w,price\n1,1,2\n1,{cell},2\n")
    said = fault("fit data.csv --target price --weight w")
    assert text in said
    assert "--drop " not in said
    assert "--one-hot" not in said


def test_warmup_says_what_took_how_long(monkeypatch):
    from fastgd import config

    asked = []
    done = {"loss": "huber", "optimizer": "auto", "dtype": "float32", "penalty": False, "batch_size": None}
    done |= {"learning_rate": 0.1, "sweep": True, "compiled": 3, "loaded": 2, "seconds": 1.26}
    monkeypatch.setattr(config, "warm_up_each", lambda *settings: asked.append(settings) or iter([done]))
    lines = run("warmup --loss huber --dtype float32 --batch-size full --batch-size 8").stdout.splitlines()
    assert lines[0] == "   1.3 s  huber, auto, float32, batch size full, rate 0.1, sweep: 3 compiled, 2 loaded"
    assert "3 kernel combinations compiled; " in lines[1]
    assert asked == [(("huber",), ("auto",), ("float32",), [None, 8], (False,), ("auto", 0.1), (False, True))]
