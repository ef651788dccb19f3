"""``fastgd predict`` and ``info``: saved models, and what they answer."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from shell import coefficients, fault, folder, frame, pd, run, write  # noqa: F401 (a fixture)

import fastgd
from fastgd.cli import files


@pytest.fixture
def model(monkeypatch):
    """A model of the columns age and income; ``load`` gives it for any file."""
    write("model.npz", "stands for one")
    made = frame()
    result = fastgd.fit(made[["age", "income"]], made["price"], epochs=3)
    monkeypatch.setattr(fastgd, "load", lambda path: result, raising=False)
    return result


def test_predict_finds_columns_by_name(model):
    made = frame()
    expected = model.predict(made[["age", "income"]])
    made.assign(city="Rome")[["city", "income", "price", "age"]].to_csv("new.csv", index=False)
    lines = run("predict model.npz new.csv").stdout.splitlines()
    assert lines[0] == "prediction"
    # pandas before 3 reads numbers that are wrong in the last digit.
    np.testing.assert_allclose([float(line) for line in lines[1:]], expected, rtol=1e-14)
    assert run("predict model.npz new.csv --out there.csv").stdout == ""
    with open("there.csv") as file:
        assert file.read().split() == lines
    assert run("predict model.npz new.csv --score").stdout.splitlines()[0] == "score"


def test_predict_in_chunks_is_the_same(model, monkeypatch):
    whole = run("predict model.npz data.csv").stdout
    monkeypatch.setattr(files, "CHUNK_NUMBERS", 40)
    assert run("predict model.npz data.csv").stdout == whole


def test_predict_labels(monkeypatch):
    made = frame()
    result = fastgd.fit(made[["age"]], np.where(made["age"] > 40, "old, or so", "young"), loss="log_loss")
    monkeypatch.setattr(fastgd, "load", lambda path: result, raising=False)
    write("model.npz", "")
    found = pd.read_csv(io.StringIO(run("predict model.npz data.csv").stdout))
    assert found["prediction"].tolist() == result.predict(made[["age"]]).tolist()
    assert set(found["prediction"]) == {"old, or so", "young"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("age,b\n1,2\n", "new.csv has no column 'income', which the model needs"),
        ("a,b\n1,2\n", "new.csv has no columns 'age', 'income', which the model needs"),
        ("age income\n1 2\n", "the columns seem to be separated by space: pass --delimiter space"),
        ("age,income,age\n1,2,3\n", "more than one column 'age', which the model needs"),
        ("age,income\n1,x\n", "column 'income' holds text ('x' in line 2): encode it as for the fit"),
        ("age,income\n1,\n", "column 'income' has a missing value in line 2: fill it or remove the row."),
        ("age,income\n", "has a header and no rows"),
    ],
)
def test_predict_faults(model, folder, content, text):  # noqa: F811
    write("new.csv", content)
    assert text in fault("predict model.npz new.csv --out out.csv")
    assert sorted(os.listdir(folder)) == ["data.csv", "model.npz", "new.csv"], "nothing half written stays"
    assert "the folder no does not exist" in fault("predict model.npz data.csv --out no/out.csv")


def test_a_model_without_names(model, monkeypatch):
    made = frame()
    bare = fastgd.fit(made[["age", "income"]].to_numpy(float), made["price"], epochs=1)
    monkeypatch.setattr(fastgd, "load", lambda path: bare)
    assert "2 coefficients without names, and data.csv has 4 columns" in fault("predict model.npz data.csv")
    made[["age", "income"]].to_csv("new.csv", index=False)
    lines = run("predict model.npz new.csv").stdout.splitlines()[1:]
    assert [float(line) for line in lines] == bare.predict(made[["age", "income"]]).tolist()
    assert "column 1" in run("info model.npz").stdout


def test_no_model(monkeypatch):
    def damaged(path):
        raise OSError("cut off\nin the middle")

    monkeypatch.setattr(fastgd, "load", damaged, raising=False)
    for line in ("predict {} data.csv", "info {}"):
        assert "none.npz: there is no such file" in fault(line.format("none.npz"))
        said = fault(line.format("data.csv"))
        assert "data.csv is no model that fit --save wrote, or is damaged: cut off in the middle" in said


def test_info(model):
    out = run("info model.npz").stdout
    assert repr(model) in out
    assert coefficients(out)["age"] == pytest.approx(model.coef[0], rel=1e-6)
    assert fastgd.__version__ in run("info").stdout


def test_save_and_predict():
    run("fit data.csv --target price --tol 1e-12 --quiet --save model.npz")
    run("predict model.npz data.csv --out out.csv")
    np.testing.assert_allclose(pd.read_csv("out.csv")["prediction"], frame()["price"], rtol=1e-3)
    assert "converged" in run("info model.npz").stdout
    with open("model.npz", "rb") as file:
        start = file.read(300)
    write("model.npz", start)
    assert "model.npz is no model" in fault("predict model.npz data.csv")


def test_an_offset_is_fitted_and_predicted_with():
    made = frame()
    made["known"] = 5 * made["age"]
    made["price"] += made["known"]
    made.to_csv("data.csv", index=False)
    run("fit data.csv --target price --offset known --tol 1e-12 --quiet --save model.npz")
    expected = fastgd.fit(made[["age", "income", "owns"]].astype(float), made["price"], offset=made["known"], tol=1e-12)
    assert np.array_equal(fastgd.load("model.npz").coef, expected.coef)
    lines = run("predict model.npz data.csv --offset known").stdout.splitlines()[1:]
    np.testing.assert_allclose([float(line) for line in lines], made["price"], rtol=1e-3)
    assert "model.npz was fitted with an offset: name the column of the new one with --offset" in fault(
        "predict model.npz data.csv"
    )
    assert "no column 'knwn' for --offset. Did you mean 'known'?" in fault("predict model.npz data.csv --offset knwn")
    assert "no column 'knwn' for --offset" in fault("fit data.csv --target price --offset knwn")
    assert "--offset 'price' is the target" in fault("fit data.csv --target price --offset price")
    assert "--columns names 'known', which is the offset" in fault(
        "fit data.csv --target price --offset known --columns known"
    )


def test_files_that_are_read_are_kept(tmp_path, monkeypatch, capfd):
    from fastgd.__main__ import main

    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,y\n1,2\n2,4\n3,6\n")
    before = Path("t.csv").read_text()
    for words in ("fit t.csv --target y --save t.csv", "fit t.csv --target y --save m.pkl"):
        assert main(words.split()) == 2
        assert "must end in .npz: " in capfd.readouterr().err
    assert main(["predict", "m.npz", "t.csv", "--out", "p.xyz"]) == 2
    assert "p.xyz must end in .csv, .parquet or .npy" in capfd.readouterr().err
    assert main(["fit", "t.csv", "--target", "y", "--save", "m.npz", "--quiet"]) == 0
    assert main(["predict", "m.npz", "t.csv", "--out", "t.csv"]) == 2
    assert "is a file that is read" in capfd.readouterr().err
    assert Path("t.csv").read_text() == before
    assert main(["fit", "t.csv", "--target", "y", "--learning-rate", "100", "--save", "d.npz", "--quiet"]) == 1
    assert "not saved" in capfd.readouterr().err
    assert not Path("d.npz").exists()
