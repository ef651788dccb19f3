"""The command line on what is read piece by piece: patterns, large files, caches."""

import os
import shlex

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

from click.testing import CliRunner  # noqa: E402

import fastgd  # noqa: E402
from fastgd.cli import app as commands  # noqa: E402
from fastgd.cli import source_files, tables  # noqa: E402
from fastgd.inputs import opened  # noqa: E402

RNG = np.random.default_rng(3)
N = 300


def frame():
    made = pd.DataFrame({"age": RNG.integers(18, 80, N), "income": RNG.lognormal(10, 1, N), "w": RNG.uniform(1, 2, N)})
    made["owns"] = RNG.uniform(size=N) < 0.5
    made["price"] = 3 + 2.0 * made["age"] - 1e-4 * made["income"] + 7 * made["owns"] + RNG.normal(size=N)
    made["class"] = np.where(made["price"] > made["price"].median(), "dear", "cheap")
    return made


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Three Parquet and three CSV files whose rows are not in memory, and all of them in one file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(opened, "LOADED_BYTES", 0)
    made = frame()
    os.mkdir("parts")
    for k, rows in enumerate(np.array_split(np.arange(N), 3)):
        made.iloc[rows].to_parquet(f"parts/{k}.parquet", row_group_size=40)
        made.iloc[rows].to_csv(f"parts/{k}.csv", index=False)
    made.to_csv("whole.csv", index=False)
    made.to_parquet("whole.parquet")
    return tmp_path


def run(line, code=0):
    done = CliRunner().invoke(commands.app, shlex.split(line), prog_name="fastgd")
    assert done.exit_code == code, done.output
    return done


def fault(line):
    done = run(line, 2)
    (said,) = done.stderr.splitlines()
    return said


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize(
    "options",
    [
        "--target price --drop class",
        "--target price --drop class --weight w --float32",
        "--target class --loss log_loss --drop price",
        "--target price --columns age,owns --offset income",
    ],
)
def test_a_pattern_is_the_whole_table(kind, options):
    expected = run(f"fit whole.csv {options} --save expected.npz").stdout
    found = run(f"fit 'parts/*.{kind}' {options} --save found.npz").stdout
    expected_model, model = fastgd.load("expected.npz"), fastgd.load("found.npz")
    np.testing.assert_array_equal(model.coef, expected_model.coef)
    assert model.feature_names == expected_model.feature_names
    if expected_model.classes is not None:
        assert model.classes.tolist() == expected_model.classes.tolist()
    assert found == expected


def test_a_large_file(monkeypatch):
    expected = run("fit whole.csv --target price --drop class").stdout
    monkeypatch.setattr(source_files, "LARGE", 100)
    monkeypatch.setattr(tables, "read", lambda *_: pytest.fail("the table is not to be read"))
    for name in ("whole.csv", "whole.parquet"):
        assert run(f"fit {name} --target price --drop class").stdout == expected


def test_a_cache():
    expected = run("fit whole.csv --target price --drop class").stdout
    for _ in range(2):
        assert run("fit 'parts/*.csv' --target price --drop class --cache cache").stdout == expected
    assert os.listdir("cache")


def test_sweeps_and_learning_rates():
    for line in (
        "sweep {} --target price --drop class --alpha 0.01,0.1,1 --all",
        "sweep {} --target price --drop class --alpha 0.01,0.1 --cv 3 --save m.npz --seed 0",
        "lr-find {} --target price --drop class --seed 0 --batch-size full",
    ):
        found, expected = (run(line.format(name)).stdout for name in ("'parts/*.parquet'", "whole.csv"))
        assert found.replace("'parts/*.parquet'", "whole.csv") == expected


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_predictions(kind):
    run("fit whole.csv --target price --columns age,income --quiet --save m.npz")
    expected = run("predict m.npz whole.csv").stdout
    assert run(f"predict m.npz 'parts/*.{kind}'").stdout == expected
    values = [float(line) for line in expected.splitlines()[1:]]
    for out in ("out.csv", "out.parquet", "out.npy"):
        assert run(f"predict m.npz 'parts/*.{kind}' --out {out}").stdout == ""
        read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "npy": lambda path: {"prediction": np.load(path)}}
        np.testing.assert_allclose(read[out[4:]](out)["prediction"], values, rtol=1e-12)
    run("predict m.npz whole.csv --score --out small.npy")
    np.testing.assert_allclose(np.load("small.npy"), values, rtol=1e-12)
    done = run(f"predict m.npz 'parts/*.{kind}' --progress --out out.csv")
    assert "predicting" in done.stderr


def test_predictions_with_an_offset():
    run("fit whole.csv --target price --columns age --offset income --quiet --save m.npz")
    expected = run("predict m.npz whole.csv --offset income").stdout
    assert run("predict m.npz 'parts/*.parquet' --offset income").stdout == expected
    assert "name the column of the new one with --offset" in fault("predict m.npz 'parts/*.parquet'")


def test_faults():
    assert "none*.csv: there is no such file" in fault("fit 'none*.csv' --target price")
    assert "'parts/*' names" not in fault("fit parts --target price")
    assert "parts/* names files of several kinds, .csv, .parquet" in fault("fit 'parts/*' --target price")
    assert "has no column 'prise' for --target. Did you mean 'price'?" in fault("fit 'parts/*.csv' --target prise")
    pd.DataFrame({"a": [1.0, 1e60], "price": [1.0, 2.0]}).to_parquet("large.parquet")
    assert "overflow float32: omit --float32" in fault("fit large.parquet --target price --float32")
    frame().set_axis(np.arange(N) * 2).to_parquet("index.parquet")
    for name in ("index.parquet", "index.par*"):
        said = fault(f"fit '{name}' --target price --drop class")
        assert "(a row index, most likely): leave it out with --drop '__index_level_0__'" in said
    made = pd.read_parquet("parts/1.parquet")
    made["age"] = made["age"].astype("Int64")
    made.iloc[7, 0] = pd.NA
    made.to_parquet("parts/1.parquet", row_group_size=40)
    said = fault("fit 'parts/*.parquet' --target price --drop class")
    assert "parts/1.parquet" in said
    assert "'age'" in said
    run("fit whole.csv --target price --columns age,income --quiet --save m.npz")
    said = fault("predict m.npz 'parts/*.csv' --out parts/out.csv")
    assert "parts/out.csv would be among the files of 'parts/*.csv' the next time: write elsewhere" in said
    assert sorted(os.listdir("parts")) == [f"{k}.{kind}" for k in range(3) for kind in ("csv", "parquet")]
    assert "is a file that is read" in fault("sweep 'parts/*.csv' --target price --drop class --table parts/0.csv")


@pytest.mark.slow
def test_on_a_cluster(folder):
    pytest.importorskip("distributed")
    from clusters import local

    expected = run("fit whole.csv --target price --drop class").stdout
    with local(1) as client:
        address = client.scheduler.address
        assert run(f"fit 'parts/*.parquet' --target price --drop class --dask {address}").stdout == expected
