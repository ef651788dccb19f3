"""The command line: what it prints, what it writes, and each fault as one line with the right exit code."""

import bz2
import gzip
import inspect
import io
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

from click.testing import CliRunner  # noqa: E402

import fastgd  # noqa: E402
from fastgd.cli import app as commands  # noqa: E402
from fastgd.cli import files, options, tables  # noqa: E402
from fastgd.inputs import opened  # noqa: E402
from fastgd.sources.base import Source  # noqa: E402

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
    monkeypatch.chdir(tmp_path)
    frame().to_csv("data.csv", index=False)
    return tmp_path


def run(line, code=0):
    done = CliRunner().invoke(commands.app, shlex.split(line), prog_name="fastgd")
    assert done.exit_code == code, done.output
    return done


def fault(line, code=2):
    """The one line that a faulty call leaves."""
    done = run(line, code)
    assert done.stdout == ""
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"fastgd {line.split()[0]}: ")
    return said


def write(name, content):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def table(path, target="price", labels=False, of_rows=None, dtype=np.float64, **options):
    """What a fit would be given."""
    given = {"target": target, "float32": dtype == np.float32, "cache": None, "shown": False, "delimiter": None}
    given |= {"weight": None, "offset": None, "columns": None, "drop": (), **(of_rows or {}), **options}
    data = tables.data_of(path, given, labels)
    if not isinstance(data.X, Source):
        return tables.Table(data.X.to_numpy(), data.y, data.of_rows, tuple(data.X.columns))
    y, found = opened.vectors_of(data.X, None, {})
    return tables.Table(opened.matrix(data.X).rows.values, y, found, data.X.names)


# Fits ---------------------------------------------------------------------------------------------------------------


def coefficients(text):
    lines = text.split("coefficient\n")[1].splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines}


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
    expected |= {"validation": None, "standardize": "auto", "average": False}
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
        ("--target price --learning-rate constnt", "--learning-rate='constnt' is not known. Did you mean 'constant'?"),
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
        ("--target price --loss log_loss", "y must hold two classes for this loss, got 60"),
    ],
)
def test_bad_options(options, text):
    assert text in fault(f"fit data.csv {options}")


def test_a_bad_option_is_told_before_the_file_is_read(monkeypatch):
    monkeypatch.setattr(tables, "read", lambda *_: pytest.fail("nothing may be read"))
    fault("fit data.csv --target price --alpha -1")


def test_calls_without_a_known_command():
    for line in ("", "nothing"):
        done = run(line, 2)
        assert done.stdout == ""
        assert "fastgd --help shows how to call it" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert "predict" in run("--help").stdout
    assert run("--version").stdout == f"fastgd, version {fastgd.__version__}\n"


# Tables -------------------------------------------------------------------------------------------------------------

BAD_FILES = {
    "empty": ("data.csv", "", "data.csv is empty"),
    "blank": ("data.csv", "\n\n", "data.csv is empty: it has no header line"),
    "no rows": ("data.csv", "a,price\n", "data.csv has a header and no rows"),
    "text": (
        "data.csv",
        "a,b,c,price\n1,2,Rome,3\n1,x,Oslo,3\n",
        "columns 'b' ('x' in line 3), 'c' ('Rome' in line 2)",
    ),
    "text: what to do": ("data.csv", "a,b c,price\n1,x,3\n", "as numbers, or leave it out with --drop 'b c'"),
    "dates": ("data.csv", "day,price\n2024-02-01,3\n", "column 'day' ('2024-02-01' in line 2) holds text or dates"),
    "text target": ("data.csv", "a,price\n1,dear\n", "the target 'price' holds text ('dear' in line 2)"),
    "missing": (
        "data.csv",
        "a,price\n1,2\n,3\n",
        "column 'a' has a missing value in line 3: fill it or remove the row",
    ),
    "missing truth": ("data.csv", "a,b,price\nTrue,1,2\n,1,3\n", "column 'a' has a missing value in line 3"),
    "missing target": (
        "data.csv",
        "a,price\n1,NA\n",
        "'price' has a missing value in line 2: fill it or remove the row.",
    ),
    "short row": ("data.csv", "a,price\n1,2\n1\n", "column 'price' has a missing value in line 3"),
    "lines": ("data.csv", '"a\nb",price\n\n"1",2\n\n,4\n', "column 'a\\nb' has a missing value in line 6"),
    "huge": ("data.csv", f"a,price\n1,2\n{10**400},2\n", "column 'a' has an infinite value in line 3: replace it"),
    "infinite": ("data.csv", "a,price\n1,2\n-inf,2\n", "column 'a' has an infinite value in line 3: replace it"),
    "long row": ("data.csv", "a,price\n1,2\n1,2,3\n", "data.csv is not a regular table: Expected 2 fields in line 3"),
    "long rows": ("data.csv", "a,price\n1,2,3\n1,2,3\n", "has rows of more fields than its header (2)"),
    "open quote": ("data.csv", 'a,price\n1,"2\n', "data.csv is not a regular table: EOF inside string"),
    "semicolons": ("data.csv", "a;price\n1;2\n", "one column only, 'a;price': the columns seem to be separated by ';'"),
    "one column": ("data.csv", "price\n1\n", "one column only, 'price': a target and at least one other"),
    "twice": ("data.csv", "a,a,price\n1,2,3\n", "more than one column 'a': rename them"),
    "row index": ("data.csv", ",a,price\n0,1,2\n", "(a row index, most likely): leave it out with --drop 'Unnamed: 0'"),
    "no header": ("data.csv", "1,2\n3,4\n", "Its first line holds numbers: a header line"),
    "binary": ("data.csv", b"\x7fELF\0\0", "data.csv is a binary file, not UTF-8 text"),
    "latin-1": ("data.csv", "a,price\n1,2\ncaf\xe9,3\n".encode("latin-1"), "data.csv is not UTF-8 text: save it as"),
    "parquet in disguise": ("data.csv", b"PAR1\0\0", "is a Parquet file by its content"),
    "not gzip": ("data.csv.gz", "a,price\n1,2\n", "data.csv.gz is damaged: Not a gzipped file"),
    "cut gzip": ("data.csv.gz", gzip.compress(b"a,price\n1,2\n" * 99)[:-12], "data.csv.gz is damaged: "),
    "not parquet": ("data.parquet", b"PAR1xxxx", "data.parquet is not a whole Parquet file"),
    "unknown": ("data.xlsx", b"PK", "data.xlsx: unknown format; a .csv or .tsv file"),
}


@pytest.mark.parametrize(("name", "content", "text"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files(name, content, text):
    write(name, content)
    assert text in fault(f"fit {name} --target price")


@pytest.mark.parametrize(
    ("options", "content", "text"),
    [
        ("--loss log_loss", "a,price\n1,x\n2,x\n", "the target 'price' holds one class only, 'x'"),
        ("--loss log_loss", "a,price\n1,x\n2,\n", "column 'price' has a missing value in line 3"),
        ("--loss log_loss", "a,price\n" + "".join(f"1,{k}\n" for k in range(1500)), "more than 1000 different values"),
        ("--float32", "a,price\n1,2\n1e60,3\n", "column 'a' overflows float32 in line 3: omit --float32"),
        ("--weight w", "a,w,price\n1,1,2\n1,-2,2\n", "the weight 'w' is negative in line 3"),
        ("--delimiter ;", "a;b,price\n1;2\n", "no column 'price'"),
    ],
)
def test_bad_cells(options, content, text):
    write("data.csv", content)
    assert text in fault(f"fit data.csv --target price {options.replace(';', chr(39) + ';' + chr(39))}")


def test_a_field_too_long_to_count_lines_behind():
    write("data.csv", "a,price\n" + "1" * 200_000 + ",2\n1,2\n")
    assert "... in row 1) holds text" in fault("fit data.csv --target price")


def test_faults_of_paths(folder):
    assert "none.csv: there is no such file" in fault("fit none.csv --target price")
    (folder / "rows.csv").mkdir()
    assert "rows.csv is a folder" in fault("fit rows.csv --target price")


@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.csv.gz", "data.csv.bz2", "data.csv.xz", "data.parquet"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_every_format_gives_the_same_table(monkeypatch, name, dtype, chunk):
    monkeypatch.setattr(files, "CHUNK_NUMBERS", 4 * chunk)
    made = frame()
    if name.endswith("parquet"):
        made.to_parquet(name)
    else:
        made.to_csv(name, index=False, sep="\t" if ".tsv" in name else ",")
    found = table(name, of_rows={"weight": "age"}, dtype=dtype)
    assert found.names == ("income", "owns")
    assert found.X.dtype == dtype
    assert found.X.flags.c_contiguous
    np.testing.assert_allclose(
        found.X, made[["income", "owns"]].to_numpy(dtype), rtol=1e-15 if dtype == np.float64 else 1e-7
    )
    np.testing.assert_allclose(found.y, made["price"], rtol=1e-15)
    assert np.array_equal(found.of_rows["sample_weight"], made["age"])


def test_unusual_headers():
    write("data.csv", '\ufeffa, "b,c" ,price,a.1,é\n1,2,3,4,5\n')
    found = table("data.csv", columns='é,"b,c"', target="a")
    assert (found.names, found.X.tolist(), found.y.tolist()) == (("é", "b,c"), [[5.0, 2.0]], [1.0])
    assert table("data.csv", drop=["b,c", "price"], target="a").names == ("a.1", "é")
    write("data.csv", "a,a,b,price\n1,2,3,4\n")
    assert table("data.csv", drop=["a"]).X.tolist() == [[3.0]]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["b", "a", "b"], ["b", "a", "b"]),
        ([1, 0, 1], [1, 0, 1]),
        ([0.5, 1.0, 1.0], [0.5, 1.0, 1.0]),
        ([True, False, True], [True, False, True]),
        (["01", "1", "1"], ["01", "1", "1"]),
    ],
)
def test_labels_keep_their_kind(monkeypatch, kind, labels, expected):
    monkeypatch.setattr(files, "CHUNK_NUMBERS", 4)  # two rows a chunk
    made = pd.DataFrame({"x": [1, 2, 3], "y": labels})
    made.to_parquet("t.parquet") if kind == "parquet" else made.to_csv("t.csv", index=False)
    found = table(f"t.{kind}", "y", labels=True).y
    assert found.tolist() == expected
    assert found.dtype.kind == np.array(expected).dtype.kind


def test_parquet_columns():
    """Dates and nested values are refused by name, nulls are missing, categories are labels, dots are plain."""
    made = pd.DataFrame({"a.b": [1, 2], "when": pd.to_datetime(["2024-01-01"] * 2), "list": [[1], [2]]})
    made["kind"] = pd.Categorical(["u", "v"])
    made["gap"] = pd.array([1, None], dtype="Int64")
    made["truth"] = pd.array([True, None], dtype="boolean")
    made.to_parquet("t.parquet")
    assert table("t.parquet", "kind", labels=True, columns="a.b").y.tolist() == ["u", "v"]
    for name, text in [
        (
            "when",
            "t.parquet: column 'when' (timestamp[us]) holds no numbers: encode it as numbers, or leave it out with",
        ),
        ("list", "t.parquet: column 'list' (list<element: int64>) holds no numbers"),
        ("when,list", "with --drop when --drop list"),
        ("gap", "t.parquet, row group 0, row 1: column 'gap' has a null: fill it"),
        ("truth", "t.parquet, row group 0, row 1: column 'truth' has a null: fill it"),
    ]:
        assert text in fault(f"fit t.parquet --target a.b --columns {name}")
    said = fault("fit t.parquet --target kind --columns a.b")
    assert "the target 'kind' holds text (dictionary<values=string, indices=int8, ordered=0>), and this loss" in said
    made[:0].to_parquet("t.parquet")
    assert "There are no rows in t.parquet" in fault("fit t.parquet --target a.b --columns gap")


def test_progress_of_reading_ends_at_the_total(monkeypatch):
    monkeypatch.setattr(files, "CHUNK_NUMBERS", 40)
    source, told = files.open_table("data.csv"), []
    tables.read(source, ["age"], "price", False, told=told.append)
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == source.total


# Models -------------------------------------------------------------------------------------------------------------


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
        ("age;income\n1;2\n", "the columns seem to be separated by ';'"),
        ("age,income,age\n1,2,3\n", "more than one column 'age', which the model needs"),
        ("age,income\n1,x\n", "column 'income' ('x' in line 2) holds text or dates: encode it as for the fit"),
        ("age,income\n1,\n", "column 'income' has a missing value in line 2: fill it or remove the row."),
        ("age,income\n", "has a header and no rows"),
    ],
)
def test_predict_faults(model, folder, content, text):
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


@pytest.mark.parametrize(("cell", "text"), [("", "a missing value in line 3"), ("x", "('x' in line 3) holds text")])
def test_a_column_that_is_needed_is_not_to_be_dropped(cell, text):
    write("data.csv", f"a,w,price\n1,1,2\n1,{cell},2\n")
    said = fault("fit data.csv --target price --weight w")
    assert text in said
    assert "--drop" not in said


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


# Processes ----------------------------------------------------------------------------------------------------------


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


def test_without_click(monkeypatch, capsys):
    from fastgd.__main__ import main

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["fit"]) == 2
    assert capsys.readouterr().err == "fastgd: the command line needs click: python -m pip install 'fastgd[cli]'\n"


def test_bz2_is_told_by_its_name():
    write("data.csv.bz2", bz2.compress(b"a,price\n1,2\n"))
    assert table("data.csv.bz2").X.tolist() == [[1.0]]


def test_files_that_are_read_are_kept(tmp_path, monkeypatch, capfd):
    from fastgd.__main__ import main

    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,y\n1,2\n2,4\n3,6\n")
    before = Path("t.csv").read_text()
    for words in ("fit t.csv --target y --save t.csv", "fit t.csv --target y --save ./t.csv"):
        assert main(words.split()) == 2
        assert "is a file that is read" in capfd.readouterr().err
    assert main(["fit", "t.csv", "--target", "y", "--save", "m.npz", "--quiet"]) == 0
    for words in ("predict m.npz t.csv --out t.csv", "predict m.npz t.csv --out m.npz"):
        assert main(words.split()) == 2
        assert "is a file that is read" in capfd.readouterr().err
    assert Path("t.csv").read_text() == before
    assert main(["fit", "t.csv", "--target", "y", "--learning-rate", "100", "--save", "d.npz", "--quiet"]) == 1
    assert "not saved" in capfd.readouterr().err
    assert not Path("d.npz").exists()
