"""Table files of every kind, and each fault of one as one line."""

import bz2
import gzip
from typing import NamedTuple

import numpy as np
import pytest
from shell import fault, folder, frame, pd, run, write  # noqa: F401 (a fixture)

from fastgd.cli import files, reading, tables
from fastgd.cli.data import data_of
from fastgd.inputs import opened
from fastgd.sources.base import Source


class Rows(NamedTuple):
    """What a fit is given."""

    X: np.ndarray
    y: np.ndarray
    of_rows: dict
    names: tuple


def table(path, target="price", labels=False, of_rows=None, dtype=np.float64, **options):
    """What a fit would be given."""
    given = {"target": target, "float32": dtype == np.float32, "cache": None, "shown": False, "delimiter": None}
    given |= {"decimal": None, "thousands": None, "one_hot": (), "fill": None, "dropna": False}
    given |= {"weight": None, "offset": None, "columns": None, "drop": (), **(of_rows or {}), **options}
    data = data_of(path, given, labels)
    if not isinstance(data.X, Source):
        return Rows(data.X.to_numpy(), data.y, data.of_rows, tuple(data.X.columns))
    y, found = opened.vectors_of(data.X, None, {})
    return Rows(opened.matrix(data.X).rows.values, y, found, data.X.names)


BAD_FILES = {
    "empty": ("data.csv", "", "data.csv is empty"),
    "blank": ("data.csv", "\n\n", "data.csv is empty: it has no header line"),
    "no rows": ("data.csv", "a,price\n", "data.csv has a header and no rows"),
    "text": (
        "data.csv",
        "a,b,c,price\n1,2,Rome,3\n1,x,Oslo,3\n",
        "column 'b' holds numbers and text ('x' in line 3): correct it",
    ),
    "text: what to do": ("data.csv", "a,b c,price\n1,x,3\n", "column 'b c' holds text that differs in most rows ('x')"),
    "dates": ("data.csv", "day,price\n2024-02-01,3\n", "column 'day' holds dates or times ('2024-02-01' in line 2)"),
    "text target": ("data.csv", "a,price\n1,dear\n", "the target 'price' holds text ('dear' in line 2)"),
    "missing": (
        "data.csv",
        "a,price\n1,2\n,3\n",
        "column 'a' has a missing value in line 3: leave such rows out with --dropna, or fill them in with",
    ),
    "missing truth": ("data.csv", "a,b,price\nTrue,1,2\n,1,3\n", "column 'a' has a missing value in line 3"),
    "missing target": (
        "data.csv",
        "a,price\n1,NA\n",
        "'price' has a missing value in line 2: leave such rows out with --dropna.",
    ),
    "short row": ("data.csv", "a,price\n1,2\n1\n", "column 'price' has a missing value in line 3"),
    "lines": ("data.csv", '"a\nb",price\n\n"1",2\n\n,4\n', "column 'a\\nb' has a missing value in line 6"),
    "huge": ("data.csv", f"a,price\n1,2\n{10**400},2\n", "column 'a' has an infinite value in line 3: replace it"),
    "infinite": ("data.csv", "a,price\n1,2\n-inf,2\n", "column 'a' has an infinite value in line 3: replace it"),
    "long row": ("data.csv", "a,price\n1,2\n1,2,3\n", "data.csv is not a regular table: Expected 2 fields in line 3"),
    "long rows": ("data.csv", "a,price\n1,2,3\n1,2,3\n", "has rows of more fields than its header (2)"),
    "open quote": ("data.csv", 'a,price\n1,"2\n', "data.csv is not a regular table: EOF inside string"),
    "one column": ("data.csv", "price\n1\n", "one column only, 'price': a target and at least one other"),
    "twice": ("data.csv", "a,a,price\n1,2,3\n", "more than one column 'a': rename them"),
    "row index": ("data.csv", ",a,price\n0,1,2\n", "(a row index, most likely): leave it out with --drop 'Unnamed: 0'"),
    "no header": ("data.csv", "1,2\n3,4\n", "Its first line holds numbers: a header line"),
    "binary": ("data.csv", b"\x7fELF\0\0", "data.csv is a binary file, not UTF-8 text"),
    "latin-1": ("data.csv", "a,price\n1,2\ncaf\xe9,3\n".encode("latin-1"), "data.csv is not UTF-8 text: save it as"),
    "utf-16": ("data.csv", "a,price\n1,2\n".encode("utf-16"), "data.csv is UTF-16 text: save it as UTF-8"),
    "parquet in disguise": ("data.csv", b"PAR1\0\0", "is a Parquet file by its content"),
    "not gzip": ("data.csv.gz", "a,price\n1,2\n", "data.csv.gz is damaged: Not a gzipped file"),
    "cut gzip": ("data.csv.gz", gzip.compress(b"a,price\n1,2\n" * 99)[:-12], "data.csv.gz is damaged: "),
    "not parquet": ("data.parquet", b"PAR1xxxx", "data.parquet is not a whole Parquet file"),
    "unknown": ("data.xlsx", b"PK", "data.xlsx: unknown format; a .csv, .tsv or .txt file"),
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
        ("--thousands .", "a,price\n1.5,2\n", "--thousands . is the decimal sign, unless --decimal ',' is given"),
        ("--thousands , --decimal ,", "a,price\n1,2\n", "--thousands , is also the decimal sign: they must differ"),
        ("--thousands 0", "a,price\n1,2\n", "'0' is part of numbers themselves"),
        (
            "--bounds 0,1",
            "a,price\n1,2\n",
            "'0,1' is several values: pass one, or all to fastgd sweep; LOW:HIGH is one",
        ),
    ],
)
def test_bad_cells(options, content, text):
    write("data.csv", content)
    assert text in fault(f"fit data.csv --target price {options.replace(';', chr(39) + ';' + chr(39))}")


def test_a_field_too_long_to_count_lines_behind():
    write("data.csv", "a,price\n" + "1" * 200_000 + ",2\n1,2\n")
    assert "... in row 1): correct it" in fault("fit data.csv --target price")


def test_faults_of_paths(folder):  # noqa: F811
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
            "t.parquet: column 'when' holds dates or times ('2024-01-01 00:00:00' in row 0): make numbers of it",
        ),
        ("list", "t.parquet: column 'list' holds no numbers ('[1]' in row 0)"),
        ("when,list", "column 'when' holds dates"),
        ("gap", "t.parquet, row group 0, row 1: column 'gap' has a null: pass --dropna, or --fill mean"),
        ("truth", "t.parquet, row group 0, row 1: column 'truth' has a null: pass --dropna, or --fill mean"),
    ]:
        assert text in fault(f"fit t.parquet --target a.b --columns {name}")
    said = fault("fit t.parquet --target kind --columns a.b")
    assert "the target 'kind' holds text ('u' in row 0), and this loss" in said
    made[:0].to_parquet("t.parquet")
    assert "There are no rows in t.parquet" in fault("fit t.parquet --target a.b --columns gap")


def test_progress_of_reading_ends_at_the_total(monkeypatch):
    monkeypatch.setattr(files, "CHUNK_NUMBERS", 40)
    source, told = files.open_table("data.csv"), []
    tables.read(source, reading.Wanted(["age"], "price"), told.append)
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == source.total


def test_bz2_is_told_by_its_name():
    write("data.csv.bz2", bz2.compress(b"a,price\n1,2\n"))
    assert table("data.csv.bz2").X.tolist() == [[1.0]]
