"""Arrow IPC files and files of streams against the tables that were written."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
from arrow_tables import check_rows, read
from pyarrow import feather

from fastgd.sources import arrow

RNG = np.random.default_rng(4)
NUMBERS = RNG.normal(size=(20, 3))


def table(n=20, **more):
    """Two columns of numbers, one of labels, targets and lists of numbers."""
    lists = pa.FixedSizeListArray.from_arrays(pa.array(NUMBERS[:n].ravel()), 3)
    labels = pa.array(["no", "yes", "no", "maybe", "no"] * 4)[:n].dictionary_encode()
    numbers = {"a": RNG.normal(size=n).astype(np.float32), "b": RNG.integers(-9, 9, n)}
    return pa.table(numbers | {"y": RNG.normal(size=n), "emb": lists, "label": labels} | more)


def written(path, some, form, rows=7):
    """A file."""
    options = pa.ipc.IpcWriteOptions(compression="zstd" if form == "compressed" else None)
    new = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
    with new(path, some.schema, options=options) as file:
        file.write_table(some, max_chunksize=rows)
    return path


FORMS = ["file", "compressed", "stream"]


@pytest.mark.parametrize("form", FORMS)
def test_gives_the_rows_of_the_files(tmp_path, form):
    tables = [table(20), table(0), table(11)]
    for k, some in enumerate(tables):
        written(tmp_path / f"{k}.arrow", some, form)
    source = arrow(str(tmp_path / "*.arrow"), "label", ["b", "a"], weight="y")
    whole = pa.concat_tables(tables, promote_options="permissive")
    X, y, weight, offset = read(source)
    np.testing.assert_array_equal(X, np.column_stack([whole["b"], whole["a"]]).astype(float))
    assert y.tolist() == whole["label"].to_pylist() and offset is None
    np.testing.assert_array_equal(weight, whole["y"])
    rows = [shard.rows for shard in source.shards if shard.rows]
    assert rows == ([20, 11] if form == "stream" else [7, 7, 6, 7, 4])
    where = f"{tmp_path}/2.arrow"
    assert source.place(29) == (f"{where}, row 9" if form == "stream" else f"{where}, record batch 1, row 2")
    check_rows(source, X)
    assert read(source, ("y",))[0] is None
    np.testing.assert_array_equal(read(pickle.loads(pickle.dumps(source)))[0], X)


@pytest.mark.parametrize("form", FORMS)
def test_lists_of_numbers_are_not_copied(tmp_path, form):
    source = arrow(written(tmp_path / "x.arrow", table(), form), "y", "emb")
    check_rows(source, NUMBERS)
    pieces = [block.X.values for shard in range(len(source.shards)) for block in source.pieces(shard)]
    assert not any(piece.flags.owndata for piece in pieces) and all(piece.flags.c_contiguous for piece in pieces)
    np.testing.assert_array_equal(np.concatenate(pieces), NUMBERS), "although all pieces have been asked for"


def test_a_large_record_batch_comes_in_pieces(tmp_path, monkeypatch):
    some = table()
    source = arrow(written(tmp_path / "x.arrow", some, "file", rows=100), "y", ["a", "emb"])
    monkeypatch.setattr(type(source.chosen), "rows", lambda self, parts: 6)
    assert [block.rows for block in source.pieces(0)] == [6, 6, 6, 2]
    np.testing.assert_array_equal(read(source)[0], np.column_stack([some["a"], NUMBERS]))
    np.testing.assert_array_equal(read(arrow(tmp_path / "x.arrow", "y", "emb"))[0], NUMBERS)
    with pytest.raises(ValueError, match="record batch 0, row 13: column 'a' has a null"):
        values = pa.array([None if k == 13 else 0.0 for k in range(20)])
        read(arrow(written(tmp_path / "x.arrow", table(a=values), "file", rows=100), "y"))


def test_numbers_stay_in_the_file_until_they_are_asked_for(tmp_path):
    path = written(tmp_path / "x.arrow", pa.table({"a": np.zeros(500_000), "b": np.zeros(500_000)}), "file", 500_000)
    before = pa.total_allocated_bytes()
    for _ in arrow(path, "b").pieces(0):
        assert pa.total_allocated_bytes() - before < 100_000


def test_feather_files_are_read(tmp_path):
    some = table()
    feather.write_feather(some, tmp_path / "x.feather", chunksize=8)
    assert [shard.rows for shard in arrow(tmp_path / "x.feather", "y", ["a"]).shards] == [8, 8, 4]
    np.testing.assert_array_equal(read(arrow(tmp_path / "x.feather", "y", ["a"]))[1], some["y"])


def test_categories_of_numbers_are_labels_and_no_features(tmp_path):
    path = written(tmp_path / "x.arrow", table(kind=pa.array([3, 1, 3, 2] * 5).dictionary_encode()), "file")
    assert "kind" not in arrow(path, "y").names
    assert read(arrow(path, "kind", ["a"]))[1].tolist() == [3, 1, 3, 2] * 5
    with pytest.raises(TypeError, match="column 'kind', in features, holds categories"):
        arrow(path, "y", "kind")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("keep", [0, 4, 0.3, 0.7])
def test_a_file_that_is_cut_off(tmp_path, form, keep):
    path = written(tmp_path / "x.arrow", table(), form)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match=r"x.arrow can not be read \(.*\): it is cut off"):
        read(arrow(path, "y", ["a"]))


def test_a_stream_that_is_cut_off_behind_a_batch(tmp_path):
    path = written(tmp_path / "x.arrow", table(), "stream")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"x.arrow can not be read \(the mark of its end is not there\)"):
        arrow(path, "y", ["a"])


@pytest.mark.parametrize("width", [2**30, -3])
def test_a_width_of_lists_that_is_damaged(tmp_path, width):
    path = written(tmp_path / "x.arrow", pa.table({"emb": pa.array([[1.0] * 77], pa.list_(pa.float64(), 77))}), "file")
    path.write_bytes(path.read_bytes().replace(np.int32(77).tobytes(), np.int32(width).tobytes()))
    with pytest.raises(TypeError, match="column 'emb', in features, holds no numbers"):
        arrow(path, features="emb")


def test_names_that_are_damaged(tmp_path):
    path = written(tmp_path / "x.arrow", pa.table({"column a": [1.0]}), "file")
    path.write_bytes(path.read_bytes().replace(b"column a", b"column \xff"))
    with pytest.raises(ValueError, match=r"x.arrow can not be read \('utf-8' codec"):
        arrow(path)


def test_labels_that_are_damaged(tmp_path):
    """Their offsets may lead to memory that is not there: a crash, if nobody looked."""
    labels = [f"label {k}" for k in range(20)]
    path = written(tmp_path / "x.arrow", pa.table({"a": np.zeros(20), "label": labels}), "file", rows=100)
    whole = path.read_bytes()
    offsets = np.arange(0, 20, dtype=np.int32) * 7
    at = whole.index(offsets[:8].tobytes())
    path.write_bytes(whole[: at + 12] + np.int32(2**30).tobytes() + whole[at + 16 :])
    with pytest.raises(ValueError, match=r"x.arrow, record batch 0 can not be read \(.*[Oo]ffset"):
        read(arrow(path, "label"))
    path.write_bytes(whole.replace(b"label 12", b"label \xff\xff"))
    with pytest.raises(ValueError, match=r"x.arrow, record batch 0 can not be read \(.*UTF8"):
        read(arrow(path, "label"))


def test_a_null_among_the_labels_of_a_dictionary(tmp_path):
    labels = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 2] * 5), ["no", "yes", None])
    path = written(tmp_path / "x.arrow", table(kind=labels), "file")
    with pytest.raises(ValueError, match="record batch 0, row 3: column 'kind' has a null"):
        read(arrow(path, "kind", ["a"]))


def test_a_file_of_another_format(tmp_path):
    path = tmp_path / "x.arrow"
    path.write_text("a,b\n1,2\n" * 100)
    with pytest.raises(ValueError, match=r"x.arrow can not be read"):
        arrow(path, "b")


def test_a_file_that_has_changed(tmp_path):
    source = arrow(written(tmp_path / "x.arrow", table(), "file"), "y", ["a"])
    sent = pickle.dumps(source)  # another process may find another file
    written(tmp_path / "x.arrow", table(10), "file")
    with pytest.raises(ValueError, match=r"x.arrow has changed since the source was opened"):
        read(source)
    with pytest.raises(ValueError, match="record batch 1 had 7 rows when it was opened, and has 3 now"):
        read(pickle.loads(sent))
    with pytest.raises(ValueError, match="record batch 2 had 6 rows when it was opened, and has 0 now"):
        next(pickle.loads(sent).pieces(2))
