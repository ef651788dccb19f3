"""The command ``sweep``: its lists, what it prints and writes, its faults and exit codes."""

import csv
import inspect
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import slow_to_compile

pytest.importorskip("click")
pytest.importorskip("pyarrow")
pytest.importorskip("pandas")

import click
from hypothesis import given
from hypothesis import strategies as st
from shell import fault, folder, frame, run  # noqa: F401 (a fixture for all)

import fastgd
from fastgd.cli import app as commands
from fastgd.cli import sweep as command
from fastgd.cli import tables
from fastgd.results.comparability import COMPARABLE

BASE = "sweep data.csv --target price --standardize --batch-size 20 --epochs 6 "
RATES = "--learning-rate 1e-4:10:12 "
DIVERGING = "sweep data.csv --target price --batch-size 20 --epochs 3 --learning-rate 10,100 "


def data(**options):
    """The data of the table, and the settings of ``BASE``."""
    made = frame()
    given = {"standardize": True, "batch_size": 20, "epochs": 6}
    return {
        "X": made[["age", "income", "owns"]].astype(float),
        "y": made["price"],
        "random_state": 4,
        **given,
        **options,
    }


def rows(text):
    """The lines of the table that is printed."""
    lines = text.split("\n\n")[0].splitlines()
    return [dict(zip(lines[0].split(), line.split(), strict=True)) for line in lines[1:]]


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


# Lists --------------------------------------------------------------------------------------------------------------


def parsed(name, text):
    (param,) = [param for param in command.sweep.params if param.name == name]
    return param.type.convert(text, param, None)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("learning_rate", "0.1", 0.1),
        ("learning_rate", "0.1, 1", [0.1, 1.0]),
        ("learning_rate", "auto,inverse_scaling,0.1", ["auto", "inverse_scaling", 0.1]),
        ("learning_rate", "1e-4:1:5", [1e-4, 1e-3, 1e-2, 0.1, 1.0]),
        ("learning_rate", "1:1e-2:3", [1.0, 0.1, 0.01]),
        ("learning_rate", "3:7:1", 3.0),
        ("alpha", "0,1e-3:1e-1:3,5", [0.0, 1e-3, 1e-2, 0.1, 5.0]),
        ("l1_ratio", "0,0.5,1", [0.0, 0.5, 1.0]),
        ("batch_size", "auto,full,32", ["auto", None, 32]),
        ("random_state", "1,2", [1, 2]),
        ("loss", "huber", "huber"),
        ("optimizer", "sgd,adam", ["sgd", "adam"]),
    ],
)
def test_lists(name, text, expected):
    found = parsed(name, text)
    if isinstance(expected, list) and all(isinstance(value, float) for value in expected):
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert type(found) is type(expected)
    assert isinstance(found, float) or found == expected or ":" in text


@given(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12), st.integers(2, 60))
def test_ranges_go_in_equal_ratios_from_end_to_end(start, stop, count):
    found = parsed("alpha", f"{start!r}:{stop!r}:{count}")
    assert len(found) == count
    assert (found[0], found[-1]) == (start, stop)
    np.testing.assert_allclose(np.divide(found[1:], found[:-1]), (stop / start) ** (1 / (count - 1)), rtol=1e-10)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("--learning-rate 1e-4:1", "'--learning-rate': '1e-4:1' must be START:STOP:COUNT, e.g. 1e-4:1:16"),
        ("--learning-rate 1e-4:x:3", "'1e-4:x:3' must be START:STOP:COUNT"),
        ("--learning-rate 1e-4:1:2.5", "'1e-4:1:2.5' must be START:STOP:COUNT"),
        ("--learning-rate 1e-4:1:0", "'1e-4:1:0' asks for 0 values: the count must be 1 to 100,000"),
        ("--learning-rate 1:2:1000000", "asks for 1000000 values"),
        ("--alpha 0:1e-2:5", "both ends must be finite and above 0. 0 is a value of its own: 0,0.01:1:5"),
        ("--alpha=-1:1:5", "both ends must be finite and above 0."),
        ("--alpha 1:inf:5", "both ends must be finite and above 0."),
        ("--alpha nan:1:5", "both ends must be finite and above 0."),
        ("--alpha 0,,1", "'--alpha': '0,,1' has an empty place: put one comma between values"),
        ("--alpha 0,x", "'--alpha': 'x' is not a valid float"),
        ("--alpha 0,-1", "--alpha=-1 must be at least 0"),
        ("--l1-ratio 0:1:3,2", "both ends"),
        ("--l1-ratio 0,2", "--l1-ratio=2 must be in [0, 1]"),
        ("--learning-rate 0.1,0", "--learning-rate=0 must be greater than 0"),
        ("--learning-rate 0.1,constnt", "'--learning-rate': 'constnt' is not known. Did you mean 'constant'?"),
        ("--loss huber,hubr", "--loss='hubr' is not known. Did you mean 'huber'?"),
        ("--loss huber,log_loss", "--loss: log_loss is for classes and huber for numbers: sweep them apart."),
        ("--optimizer sgd,adm", "--optimizer='adm' is not known. Did you mean 'adam'?"),
        ("--batch-size 8,some", "'some' is none of auto|full|N."),
        ("--batch-size 8,0", "--batch-size=0 must be at least 1"),
        ("--seed 1,-1", "--seed=-1 must be at least 0"),
        ("--seed 1.5", "'1.5' is not a valid integer"),
        ("--paired --alpha 0,1,2 --seed 1,2", "--paired needs lists as long as each other, got alpha 3, seed 2."),
        ("--learning-rate 1e-4:1:1000 --alpha 1e-4:1:1000", "1,000,000 combinations are more than 100,000"),
        ("--cv 1", "--cv=1 must be at least 2"),
        ("--cv 1000", "--cv=1000 needs at least 1000 rows, but X has 60"),
        ("--cv 3 --validation 0.2", "--validation and --cv both hold rows out"),
        ("--scoring r2", "--scoring is for cross-validation: pass --cv too, e.g. --cv 5."),
        ("--simplest --save m.npz", "--simplest is for cross-validation: pass --cv too"),
        ("--simplest --cv 3", "--simplest chooses what is saved: pass --save too."),
        ("--keep worst", "'worst' is not 'halving'"),
        ("--epochs 1,2", "'--epochs': '1,2' is none of auto|N."),
        ("--plot loss.doc", "loss.doc must end in one of"),
        ("--table data.csv", "data.csv is a file that is read"),
        ("--table no/t.csv", "the folder no does not exist"),
    ],
)
def test_bad_options(options, text):
    assert text in fault(f"sweep data.csv --target price {options}")


def test_an_unknown_scorer():
    pytest.importorskip("sklearn")
    said = fault("sweep data.csv --target price --cv 3 --scoring accurcy")
    assert "--scoring='accurcy' is not known. Did you mean 'accuracy'" in said


def test_bad_values_are_told_before_the_file_is_read(monkeypatch):
    monkeypatch.setattr(tables, "read", lambda *_: pytest.fail("nothing may be read"))
    for options in ("--alpha 0,0.1,-1", "--cv 1", "--paired --alpha 0,1 --seed 1,2,3", "--loss mse,hinge"):
        fault(f"sweep data.csv --target price {options}")


# Arguments ----------------------------------------------------------------------------------------------------------


def test_options_are_the_arguments_of_sweep(monkeypatch):
    calls = []

    def sweep(X, y, **options):
        calls.append({"X": X, "y": y, **options})
        raise ValueError("seen")

    monkeypatch.setattr(fastgd, "sweep", sweep)
    line = "sweep data.csv --target price --loss huber,mse --learning-rate 0.1,1 --alpha 0,1 --batch-size full,8 "
    line += "--seed 1,2 --paired --cv 3 --keep halving --epochs 7 --weight owns --drop age --no-standardize --float32"
    assert fault(line) == "fastgd sweep: seen"
    found = calls.pop()
    assert list(found.pop("X").columns) == ["income"]
    assert np.array_equal(found.pop("y"), frame()["price"])
    assert np.array_equal(found.pop("sample_weight"), frame()["owns"])
    expected = {"loss": ["huber", "mse"], "learning_rate": [0.1, 1.0], "alpha": [0.0, 1.0], "batch_size": [None, 8]}
    expected |= {
        "random_state": [1, 2],
        "product": False,
        "cv": 3,
        "keep": "halving",
        "epochs": 7,
        "standardize": False,
    }
    assert {name: found[name] for name in expected} == expected


def test_every_option_of_fit_is_one_of_sweep():
    ours = {param.name: param for param in command.sweep.params}
    alone = {"bootstrap", "resume"}
    for param in (param for param in commands.fit.params if param.name not in alone):
        assert ours[param.name].opts == param.opts
        assert ours[param.name].default == param.default
    assert set(ours) - {param.name for param in commands.fit.params} == {
        *("paired", "cv", "scoring", "keep", "every", "table", "simplest")
    }
    assert set(inspect.signature(fastgd.sweep).parameters) >= {"product", "cv", "scoring", "keep"}


# Output -------------------------------------------------------------------------------------------------------------


@slow_to_compile
def test_the_best_runs_are_printed_and_all_are_in_the_table():
    done = run(BASE + RATES + "--alpha 0,1 --seed 4 --table all.csv")
    assert done.stderr == ""
    s = fastgd.sweep(**data(learning_rate=np.geomspace(1e-4, 10, 12), alpha=[0.0, 1.0]))
    written = table("all.csv")
    assert [float(row["objective"]) for row in written] == s.losses.tolist()
    assert [float(row["learning_rate"]) for row in written] == s.settings["learning_rate"]
    assert [row["status"] for row in written] == s.status
    printed = rows(done.stdout)
    assert len(printed) == 10
    losses = [float(row["objective"]) for row in printed]
    assert losses == sorted(losses)
    np.testing.assert_allclose(losses[0], s.losses.min(), rtol=1e-5)
    lost = s.status.count("diverged")
    assert 0 < lost < 24
    words = ", ".join(f"{name}={value:.6g}" for name, value in s.best_settings.items())
    best, note = done.stdout.splitlines()[-2:]
    assert best == f"Best: an objective of {s.losses.min():.6g} with {words}; {lost} of 24 runs diverged."
    assert note.startswith("Alpha varies and ") and "pass --cv 5 or --validation 0.2 to" in note
    everything = rows(run(BASE + RATES + "--alpha 0,1 --seed 4 --all").stdout)
    assert len(everything) == 24
    assert everything[:10] == printed
    assert [row["status"] for row in everything[-lost:]] == ["diverged"] * lost


def test_the_best_model_is_saved():
    run(BASE + RATES + "--seed 4 --quiet --save best.npz")
    best = fastgd.sweep(**data(learning_rate=np.geomspace(1e-4, 10, 12))).best
    assert np.array_equal(fastgd.load("best.npz").coef, best.coef)
    assert "prediction" in run("predict best.npz data.csv").stdout


@pytest.mark.slow
@pytest.mark.parametrize("simplest", [False, True])
def test_cross_validation(simplest):
    made = frame()
    made["price"] += np.random.default_rng(5).normal(scale=50, size=60)
    made.to_csv("data.csv", index=False)
    line = "sweep data.csv --target price --cv 4 --alpha 0,1e-4:10:8 --seed 4 --save best.npz --table all.csv "
    done = run(line + "--simplest" * simplest)
    options = data(y=made["price"], standardize="auto", batch_size="auto", epochs="auto")
    alphas = [0.0, *np.geomspace(1e-4, 10, 8).tolist()]
    s = fastgd.sweep(alpha=alphas, cv=4, **options)
    best, simple = alphas[s.best_index], alphas[s.simplest_index]
    assert best != simple
    alone = fastgd.fit(alpha=simple if simplest else best, **options)
    assert np.array_equal(fastgd.load("best.npz").coef, alone.coef)
    mean, error = s.scores.mean[s.best_index], s.scores.standard_error[s.best_index]
    assert done.stdout.splitlines()[-1] == (
        f"Best: a mean loss of {mean:.6g} ± {error:.6g} with alpha={best:.6g}; the simplest within one standard error: "
        f"alpha={simple:.6g}; none of 9 settings diverged."
    )
    assert list(rows(done.stdout)[0]) == ["alpha", "mean_loss", "standard_error", "status"]
    np.testing.assert_array_equal(
        [[float(row[f"fold_{f}"]) for f in range(4)] for row in table("all.csv")], s.scores.losses
    )


@pytest.mark.slow
def test_scores_are_larger_where_better():
    pytest.importorskip("sklearn")
    done = run(BASE + "--learning-rate 1e-3,0.1 --cv 3 --scoring r2 --seed 4 --table all.csv")
    s = fastgd.sweep(**data(learning_rate=[1e-3, 0.1]), cv=3, scoring="r2")
    written = table("all.csv")
    assert [float(row["mean_score"]) for row in written] == (-s.scores.mean).tolist()
    assert [float(row["fold_2"]) for row in written] == (-s.scores.losses[:, 2]).tolist()
    found = rows(done.stdout)
    assert float(found[0]["mean_score"]) > float(found[1]["mean_score"])
    assert f"Best: a mean score of {found[0]['mean_score']} ± " in done.stdout


def test_held_out_rows_compare_runs():
    done = run(BASE + RATES + "--validation 0.25 --seed 4")
    s = fastgd.sweep(**data(learning_rate=np.geomspace(1e-4, 10, 12), validation=0.25))
    assert "validation_loss" in rows(done.stdout)[0]
    assert done.stdout.splitlines()[-1].startswith("Best: a validation loss of ")
    assert f"learning_rate={s.best_settings['learning_rate']:.6g};" in done.stdout


def test_different_losses_are_not_ranked():
    done = run(BASE + "--loss huber,mse --seed 4")
    assert [row["loss"] for row in rows(done.stdout)] == ["huber", "mse"]
    said = done.stdout.splitlines()[-1]
    assert said.startswith("The runs have different losses (huber, mse)") and said.endswith("by a score.")
    assert "Pass --cv 5 --scoring r2 to" in said
    assert "--save: runs of different losses have no best one" in fault(BASE + "--loss huber,mse --save m.npz")


def test_names_batches_and_pairs():
    done = run("sweep data.csv --target price --optimizer sgd,adam --batch-size full,20 --paired --epochs 2")
    found = {row["optimizer"]: row["batch_size"] for row in rows(done.stdout)}
    assert found == {"sgd": "full", "adam": "20"}


def test_a_single_run():
    done = run(BASE)
    assert len(rows(done.stdout)) == 1
    assert re.search(r"Best: an objective of \d[\d.]*(e[+-]\d+)?\.\n$", done.stdout)


def test_plots():
    run(BASE + RATES + "--quiet --plot runs.png")
    run(BASE + "--alpha 0,0.1,1 --cv 3 --quiet --plot folds.svg")
    assert Path("runs.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in Path("folds.svg").read_bytes()


def test_progress_goes_to_stderr():
    done = run(BASE + RATES + "--progress --quiet")
    assert done.stdout == ""
    assert "reading" in done.stderr


# Ends ---------------------------------------------------------------------------------------------------------------


def test_where_every_run_diverges_nothing_is_saved():
    done = run(DIVERGING + "--save best.npz --table all.csv --plot runs.png", 1)
    assert done.stdout.endswith("\n\nAll 2 runs diverged.\n")
    assert done.stderr == (
        "fastgd sweep: diverged: every run. Give smaller rates, or --standardize. No model is saved.\n"
    )
    assert not Path("best.npz").exists()
    assert [row["status"] for row in table("all.csv")] == ["diverged"] * 2
    assert Path("runs.png").exists()


def test_where_the_best_setting_diverges_on_all_rows(monkeypatch):
    from fastgd.results.sweep_results import CrossValidation

    real = CrossValidation.refit
    monkeypatch.setattr(
        CrossValidation, "refit", lambda *given: replace(real(*given), status="diverged", message="Why.")
    )
    said = run(BASE + "--alpha 0,1 --cv 3 --quiet --save best.npz", 1).stderr
    assert said == "fastgd sweep: diverged on all rows: Why. No model is saved.\n"
    assert not Path("best.npz").exists()


def test_an_interrupted_sweep_exits_130(monkeypatch):
    real = fastgd.sweep

    def sweep(X, y, **options):
        found = real(X, y, **options)
        return replace(found, _statuses=["interrupted", *found._statuses[1:]])

    monkeypatch.setattr(fastgd, "sweep", sweep)
    done = run(BASE + "--learning-rate 0.1,0.01 --save best.npz", 130)
    assert "interrupted" in done.stdout
    assert fastgd.load("best.npz").n_epochs == 6


def test_a_run_that_diverged_is_never_the_best():
    class Result:
        status = ["diverged", "max_epochs", "max_epochs"]
        losses = np.array([1.0, np.nan, 2.0])
        settings = {"alpha": [0.1, 0.2, 0.3]}
        comparability = COMPARABLE

        def table(self):
            return {**self.settings, "objective": self.losses.tolist(), "status": self.status}

    found = command.Ranking.of(Result())
    assert found.order == [2, 1, 0]
    assert found.sentence() == "Best: an objective of 2 with alpha=0.3; 1 of 3 runs diverged."


def test_the_command_is_one_of_the_program():
    assert commands.app.commands["sweep"] is command.sweep
    assert isinstance(command.sweep, click.Command)
    assert "START:STOP:COUNT" in run("sweep --help").stdout
