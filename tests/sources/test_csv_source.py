"""Text files against what pandas reads of them, and the errors for faults in them."""

import gzip
import pickle

import numpy as np
import pandas as pd
import pytest
from arrow_tables import check_rows, read

from fastgd.sources import csv
from fastgd.sources import csv_source as module

RNG = np.random.default_rng(6)


def frame(n=20, **more):
    """Columns of all kinds."""
    numbers = {"a": RNG.normal(size=n), "b": RNG.integers(-9, 9, n), "c": RNG.uniform(size=n) > 0.5}
    texts = {"text": [f"row {k}" for k in range(n)], "day": pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d")}
    return pd.DataFrame(numbers | texts | {"y": RNG.normal(size=n)} | more)


def written(folder, *frames, **options):
    """Files of some frames."""
    for k, some in enumerate(frames):
        some.to_csv(folder / f"part-{k}.csv", index=False, **options)
    return str(folder / "*.csv")


def of(text, folder):
    """A file of a text."""
    (folder / "x.csv").write_text(text)
    return folder / "x.csv"


@pytest.fixture
def small(monkeypatch):
    """Blocks of some lines only."""
    monkeypatch.setattr(module, "BLOCK", 200)


def test_gives_the_rows_of_the_files(tmp_path, small):
    frames = [frame(0), frame(40), frame(0), frame(13)]
    source = csv(written(tmp_path, *frames), "y")
    X, y, *_ = read(source)
    whole = pd.concat([pd.read_csv(tmp_path / f"part-{k}.csv") for k in (1, 3)])
    assert source.names == ("a", "b", "c") and [shard.rows for shard in source.shards] == [0, 40, 0, 13]
    near = {"rtol": 1e-14}  # pandas before 3 is wrong in the last digit
    np.testing.assert_allclose(X, whole[["a", "b", "c"]].to_numpy(float), **near)
    np.testing.assert_allclose(y, whole["y"], **near)
    assert source.place(41) == f"{tmp_path}/part-3.csv, row 1"
    check_rows(source, X)
    np.testing.assert_array_equal(read(pickle.loads(pickle.dumps(source)))[0], X)
    assert read(csv(written(tmp_path, *frames), "y", dtype="float32"))[0].dtype == np.float32


def test_weights_offsets_and_several_targets(tmp_path):
    some = frame(o=range(20))
    path = written(tmp_path, some)
    X, y, weight, offset = read(csv(path, ["y", "b"], ["c"], weight="a", offset="o"))
    np.testing.assert_array_equal(X, some[["c"]])
    for found, names in ((y, ["y", "b"]), (weight, "a"), (offset, "o")):
        np.testing.assert_allclose(found, some[names], rtol=1e-15)


def test_other_delimiters_compressed_files_and_line_ends_in_quotes(tmp_path, small):
    some = frame(30, label=['a "b"\nc;d', "no"] * 15)
    written(tmp_path, some, sep=";")
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress((tmp_path / "part-0.csv").read_bytes()))
    X, y, *_ = read(csv(path, "label", ["b"], delimiter=";"))
    np.testing.assert_array_equal(X, some[["b"]])
    assert y.tolist() == some["label"].tolist()


@pytest.mark.parametrize(
    ("first", "later", "labels"),
    [
        ("1", "2", [1, 2]),
        ("1", "2.5", [1.0, 2.5]),
        ("1", "x", ["1", "x"]),
        ("1.5", "x", ["1.5", "x"]),
        ("true", "false", [True, False]),
        ("true", "x", ["true", "x"]),
        ("no", '"NA"', ["no", "NA"]),
        ("1", "9223372036854775808", [1.0, 2.0**63]),
    ],
)
@pytest.mark.parametrize("files", [1, 2])
def test_the_type_of_the_target_is_that_of_all_its_values(tmp_path, small, first, later, labels, files):
    lines = [f"0.5,{first}\n"] * 100
    parts = [["x,y\n", *lines, *[f"1.5,{later}\n"] * 100]]
    if files == 2:
        parts = [["x,y\n", *lines], ["x,y\n", *[f"1.5,{later}\n"] * 100]]
    for k, some in enumerate(parts):
        (tmp_path / f"{k}.csv").write_text("".join(some))
    source = csv(tmp_path / "*.csv", "y")
    y = read(source)[1]
    assert y.tolist() == [labels[0]] * 100 + [labels[1]] * 100
    assert y.dtype.kind == np.array(labels).dtype.kind and source.n == 200


def test_numbers_may_be_whole_in_one_file_and_not_in_another(tmp_path, small):
    for k, value in enumerate(["1", "1.5", "-3"]):
        (tmp_path / f"{k}.csv").write_text("x,y\n" + f"{value},1\n" * 100)
    (tmp_path / "3.csv").write_text("x,y\n" + "1,1\n" * 100 + "0.25,1\n" * 100)
    X = read(csv(tmp_path, "y"))[0]
    np.testing.assert_array_equal(X[::100, 0], [1, 1.5, -3, 1, 0.25])


def test_a_line_longer_than_a_block(tmp_path, small):
    X = RNG.integers(0, 9, (3, 500))
    written(tmp_path, pd.DataFrame(X, columns=[f"column {k}" for k in range(500)]))
    np.testing.assert_array_equal(read(csv(tmp_path))[0], X)
    path = of("x,text\n" + "1,a\n" * 99 + f"2,{'b' * 5000}\n", tmp_path)
    assert read(csv(path))[0].sum() == 101


def test_the_digest_goes_by_files_and_options(tmp_path):
    path = written(tmp_path, frame())
    digests = {csv(path, "y").digest(), csv(path, "a").digest(), csv(path, "y", ["a"]).digest()}
    written(tmp_path, frame(21))
    assert len(digests | {csv(path, "y").digest()}) == 4


# Faults -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("null", ["", "NA", "nan", "null"])
@pytest.mark.parametrize("name", ["a", "y", "label", "w"])
def test_a_null_is_named(tmp_path, small, name, null):
    values = {"a": "0.5", "y": "1", "label": "yes", "w": "2"}
    line = ",".join(values.values()) + "\n"
    odd = ",".join((values | {name: null}).values()) + "\n"
    path = of("a,y,label,w\n" + line * 60 + odd + line * 9, tmp_path)
    source = csv(path, "label" if name == "label" else "y", "a", weight="w")
    with pytest.raises(ValueError, match=rf"x.csv, row 60: column '{name}' has a null: fill it"):
        read(source)


def test_text_among_numbers_is_named(tmp_path, small):
    path = of("a,y\n" + "0.5,1\n" * 99 + "12O,1\n", tmp_path)
    with pytest.raises(ValueError, match=r"x.csv can not be read \(.*invalid value '12O'\): correct the file, or"):
        read(csv(path, "y"))
    path = of("a,y,w\n" + "0.5,1,2\n" * 99 + "1,x,2\n", tmp_path)
    with pytest.raises(ValueError, match=r"x.csv can not be read \(.*invalid value 'x'\)"):
        read(csv(path, ["y", "w"], "a"))
    with pytest.raises(TypeError, match="column 'a', in features, holds text"):
        csv(of("a,y\nx,1\n", tmp_path), "y", "a")
    with pytest.raises(TypeError, match="column 'a', in features, holds dates"):
        csv(of("a,y\n2024-01-01,1\n", tmp_path), "y", "a")


def test_lines_of_other_lengths_are_named(tmp_path, small):
    for line in ("1", "1,2,3"):
        path = of("a,y\n" + "0.5,1\n" * 99 + line + "\n", tmp_path)
        with pytest.raises(ValueError, match=r"x.csv can not be read \(.*[Rr]ow #101: Expected 2 columns, got [13]"):
            csv(path, "y")


def test_whole_numbers_that_float64_does_not_hold_are_named(tmp_path):
    numbers = [2**53 - 1, 1 - 2**53, 7, 2**53 + 1]
    path = of("a,y\n" + "".join(f"{value},1\n" for value in numbers), tmp_path)
    with pytest.raises(ValueError, match=r"x.csv, row 3: column 'a' has a whole number beyond 2\*\*53"):
        read(csv(path, "y"))
    path = of("a,y\n" + "".join(f"{value},1\n" for value in numbers[:3]), tmp_path)
    np.testing.assert_array_equal(read(csv(path, "y"))[0][:, 0], np.array(numbers[:3], float))


def test_files_of_other_columns_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"part-1.csv has no column of numbers 'a', which .*part-0.csv has"):
        csv(written(tmp_path, frame(), frame(a="text")), "y")
    with pytest.raises(ValueError, match=r"part-1.csv has a column 'z', which .*part-0.csv does not have"):
        csv(written(tmp_path, frame(), frame(z=1)), "y")
    with pytest.raises(ValueError, match=r"part-1.csv has no column 'y'"):
        csv(written(tmp_path, frame(), frame().drop(columns="y")), "y")


def test_files_that_are_empty_or_hold_no_text(tmp_path):
    with pytest.raises(ValueError, match=r"x.csv can not be read \(Empty CSV file\)"):
        csv(of("", tmp_path), "y")
    with pytest.raises(ValueError, match=r"There are no rows in .*x.csv"):
        csv(of("a,y\n", tmp_path), "y")
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,y\n1,\xff\xfe\n")
    with pytest.raises(TypeError, match=r"x.csv: column 'y', in target, holds bytes that are no UTF-8 text"):
        csv(path, "y")
    with pytest.raises(ValueError, match=r"x.csv can not be read \(CSV parse error: Empty CSV file"):
        csv(of("a" * 9999, tmp_path), "y")
    path.write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * 9999))
    path.rename(tmp_path / "x.csv.gz")
    whole = (tmp_path / "x.csv.gz").read_bytes()
    (tmp_path / "x.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(ValueError, match=r"x.csv.gz can not be read"):
        csv(tmp_path / "x.csv.gz", "y")


def test_a_column_without_a_name(tmp_path):
    frame().to_csv(tmp_path / "x.csv")
    with pytest.raises(ValueError, match="has a column without a name"):
        csv(tmp_path / "x.csv", "y")


def test_a_delimiter_is_one_character(tmp_path):
    (tmp_path / "x.csv").write_text("a;y\n1;2\n")
    for delimiter in (";;", None):
        with pytest.raises(ValueError, match=r"delimiter=.* must be one character"):
            csv(tmp_path / "x.csv", "y", delimiter=delimiter)
