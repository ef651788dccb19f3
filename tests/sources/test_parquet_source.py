"""Parquet files against what pyarrow reads of them, and the errors for faults in them."""

import decimal
import pickle
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrow_tables import check_rows, read
from hypothesis import given
from hypothesis import strategies as st

from fastgd import sources
from fastgd.sources import arrow_columns, parquet
from fastgd.sources.base import PIECE_BYTES
from fastgd.sources.rows import SourceRows

RNG = np.random.default_rng(3)
VERSION = int(pa.__version__.partition(".")[0])  # of pyarrow, not all of which write what is tested here


def table(n=20, **more):
    """Five columns of all roles."""
    columns = {"a": RNG.normal(size=n), "b": RNG.integers(-9, 9, n), "c": RNG.uniform(size=n) > 0.5}
    columns |= {"y": RNG.normal(size=n), "w": RNG.uniform(size=n).astype(np.float32), "o": RNG.integers(0, 5, n)}
    return pa.table(columns | more)


def written(folder, *tables, rows=7):
    """Files of some tables."""
    for k, some in enumerate(tables):
        pq.write_table(some, folder / f"part-{k}.parquet", row_group_size=rows)
    return str(folder / "*.parquet")


def stacked(some, *names):
    """Columns as pyarrow has them."""
    return np.column_stack([some[name].to_numpy().astype(float) for name in names])


def test_columns_of_all_roles(tmp_path):
    tables = [table(20), table(0), table(13)]
    whole = pa.concat_tables(tables)
    source = parquet(written(tmp_path, *tables), target="y", weight="w", offset="o")
    X, y, weight, offset = read(source)
    assert source.names == ("a", "b", "c") and source.parts == ("X", "y", "weight", "offset")
    np.testing.assert_array_equal(X, stacked(whole, "a", "b", "c"))
    np.testing.assert_array_equal(y, whole["y"].to_numpy())
    assert weight.dtype == offset.dtype == np.float64
    np.testing.assert_array_equal(weight, whole["w"].to_numpy().astype(float))
    np.testing.assert_array_equal(offset, whole["o"].to_numpy())
    assert [shard.rows for shard in source.shards if shard.rows] == [7, 7, 6, 7, 6]
    assert source.place(22) == f"{tmp_path}/part-2.parquet, row group 0, row 2"
    check_rows(source, X)


def test_rows_to_predict_have_no_other_parts(tmp_path):
    source = parquet(written(tmp_path, table()), features=["b", "a"])
    assert source.parts == ("X",) and source.names == ("b", "a")
    assert read(source)[1:] == (None, None, None)


def test_only_what_is_asked_for_is_decoded(tmp_path, monkeypatch):
    source, asked = parquet(written(tmp_path, table()), target="y", weight="w"), []
    batches = source.batches
    monkeypatch.setattr(source, "batches", lambda k, names, rows: asked.append(names) or batches(k, names, rows))
    assert [part is None for part in read(source, ("y",))] == [True, False, True, True]
    assert asked == [["y"]] * 3
    asked.clear()
    read(source, ("X", "weight"))
    assert asked == [["a", "b", "c", "o", "w"]] * 3
    assert list(source.pieces(0, ("offset",))) == []


def test_features_by_name_and_pattern(tmp_path):
    some = pa.table({"f1": [1.0], "g[1]": [2.0], "f2": [3.0], "fy": [4.0], "[odd]": [5.0]})
    path = written(tmp_path, some)
    assert parquet(path, "fy", ["f*", "g[1]"]).names == ("f1", "f2", "g[1]")
    assert parquet(path, "fy", "f?").names == ("f1", "f2")
    assert parquet(path, "fy", ["f2", "f*"]).names == ("f2", "f1")
    assert parquet(path, features=["[odd]"]).names == ("[odd]",)
    with pytest.raises(ValueError, match=r"no column that matches 'h\*'"):
        parquet(path, "fy", "h*")
    with pytest.raises(ValueError, match="'fy' is among the features"):
        parquet(path, "fy", ["fy"])
    with pytest.raises(ValueError, match="'fy' is named twice"):
        parquet(path, "fy", weight="fy")


@pytest.mark.parametrize(
    ("kinds", "dtype"),
    [
        (["f4"], "f4"),
        (["f2", "f4", "i2", "u2", "b1"], "f4"),
        (["f2"], "f4"),
        (["f4", "i4"], "f8"),
        (["i1", "b1"], "f8"),
        (["f4", "f8"], "f8"),
    ],
)
def test_the_type_follows_from_the_columns(tmp_path, kinds, dtype):
    columns = {f"f{k}": np.array([0, 1, 1], kind) for k, kind in enumerate(kinds)}
    path = written(tmp_path, pa.table(columns))
    assert parquet(path).dtype == read(parquet(path))[0].dtype == dtype
    for other in ("float32", "float64"):
        X = read(parquet(path, dtype=other))[0]
        assert X.dtype == other
        np.testing.assert_array_equal(X, np.column_stack(list(columns.values())))
    with pytest.raises(TypeError, match="dtype=int64 is not float32 or float64"):
        parquet(path, dtype=int)


def test_several_targets(tmp_path):
    some = table()
    path = written(tmp_path, some, some)
    for names in (["y", "o"], pd.Index(["y", "o"]), iter("yo")):
        source = parquet(path, names, iter("ab"))
        np.testing.assert_array_equal(read(source)[1], stacked(pa.concat_tables([some] * 2), "y", "o"))
        assert source.names == ("a", "b")
    assert read(parquet(path, ["y"]))[1].shape == (40, 1)
    with pytest.raises(TypeError, match="column 'name', in target, holds text"):
        parquet(written(tmp_path, table(name=["x"] * 20)), ["y", "name"])


LABELS = ["no", "yes", "no", "maybe", "yes"] * 4


@pytest.mark.parametrize(
    "labels",
    [
        pa.array(LABELS),
        pa.array(LABELS, pa.large_string()),
        pytest.param(
            pa.array(LABELS, pa.string_view()), marks=pytest.mark.skipif(VERSION < 21, reason="pyarrow can't write it")
        ),
        pa.array(LABELS).dictionary_encode(),
        pa.array([len(label) for label in LABELS]),
        pa.array([len(label) for label in LABELS]).dictionary_encode(),
        pa.array([label == "no" for label in LABELS]),
        pa.array([2**60 + len(label) for label in LABELS]),
    ],
    ids=lambda labels: str(labels.type)[:30],
)
def test_labels_come_as_they_are(tmp_path, labels):
    source = parquet(written(tmp_path, table(label=labels)), "label")
    assert "label" not in source.names
    assert read(source)[1].tolist() == labels.to_pylist()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_column_of_lists_is_several_columns_and_not_copied(tmp_path, kind):
    values = RNG.normal(size=(20, 3)).astype(kind)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 3)
    source = parquet(written(tmp_path, pa.table({"emb": lists, "y": values[:, 0]})), "y")
    assert source.names == ("emb[0]", "emb[1]", "emb[2]") and source.dtype == kind
    check_rows(source, values)
    block = next(source.pieces(0)).X.values
    assert not block.flags.owndata and block.flags.c_contiguous and block.flags.aligned
    both = parquet(written(tmp_path, table(20, emb=lists)), features=["a", "emb", "b"])
    assert both.columns == 5 and both.dtype == np.float64
    np.testing.assert_array_equal(read(both)[0][:, 1:4], values)
    np.testing.assert_array_equal(read(parquet(str(tmp_path), "emb", "a"))[1], values)
    with pytest.raises(TypeError, match="the target 'emb' holds lists: it must be the only target"):
        parquet(str(tmp_path), ["y", "emb"])
    np.testing.assert_array_equal(read(parquet(str(tmp_path), "y", "emb", dtype=np.float64))[0], values)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=4), st.integers(1, 30), st.integers(1, 12), st.data())
def test_any_split_gives_the_same_rows(tmp_path_factory, splits, size, rows, data):
    """Of files into row groups, of those into record batches, and in blocks of any size."""
    folder, made, some = tmp_path_factory.mktemp("split"), [], table(40)
    start = 0
    for k, groups in enumerate([*splits, [3]]):
        with pq.ParquetWriter(folder / f"{k:03}.parquet", some.schema) as file:
            for count in groups:
                made.append(some.slice(start % 30, count))
                file.write_table(made[-1])
                start += count
    whole = pa.concat_tables(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow_columns.Columns, "rows", lambda self, parts: rows)
        source = parquet(folder, "y")
        X = stacked(whole, *source.names)
        check_rows(source, X, [size])
        np.testing.assert_array_equal(read(source)[1], whole["y"].to_numpy())
        numbers = np.array(data.draw(st.lists(st.integers(0, len(X) - 1), max_size=20)), int)
        np.testing.assert_array_equal(SourceRows(source).take(numbers).values, X[numbers])


def test_a_source_can_be_sent(tmp_path):
    source = parquet(written(tmp_path, table()), "y")
    X = read(source)[0]
    sent = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(read(sent)[0], X)
    assert sent.digest() == source.digest() and repr(sent) == "Parquet(20 rows of 5 columns, float64)"


def test_the_digest_goes_by_files_and_columns(tmp_path):
    path = written(tmp_path, table())
    made = [parquet(path, "y"), parquet(path, "a"), parquet(path, "y", ["a"]), parquet(path, "y", dtype="float32")]
    made += [parquet(path, "y", ["a", "b"]), parquet(path, "y", ["b", "a"]), parquet(path, ["y"])]
    digests = {source.digest() for source in made}
    written(tmp_path, table(21))
    assert len(digests | {parquet(path, "y").digest()}) == len(made) + 1


@pytest.mark.skipif(VERSION < 23, reason="pyarrow itself held twice as much")
@pytest.mark.parametrize("groups", [1, 40])
def test_no_more_is_in_memory_than_a_piece(tmp_path, groups):
    """Of one large row group, of which pyarrow holds all by itself, and of many."""
    n = 400_000
    columns = {f"f{k}": RNG.normal(size=n).astype(np.float32) for k in range(10)}
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=n // groups, use_dictionary=False)
    source, before = parquet(path), pa.total_allocated_bytes()
    held, rows = [], 0
    for shard in range(groups):
        for block in source.pieces(shard):
            held.append(pa.total_allocated_bytes() - before + block.X.values.nbytes)
            rows += block.rows
    assert rows == n and max(held) < 1.25 * PIECE_BYTES < 0.7 * n * 40


def test_nan_is_data_and_its_place_is_known(tmp_path):
    source = parquet(written(tmp_path, table(a=[np.nan] * 20)), "y")
    assert np.isnan(read(source)[0][:, 0]).all()
    assert source.place(19).endswith("part-0.parquet, row group 2, row 5")


# Faults -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "role"), [("a", {}), ("y", {}), ("w", {"weight": "w"}), ("o", {"offset": "o"})])
def test_a_null_is_named(tmp_path, column, role):
    some = table()
    values = pa.array([None if k == 16 else 1 for k in range(20)]).cast(some.schema.field(column).type)
    source = parquet(written(tmp_path, some, some.drop_columns(column).append_column(column, values)), "y", **role)
    with pytest.raises(ValueError, match=rf"part-1.parquet, row group 2, row 2: column '{column}' has a null: fill it"):
        read(source)


def test_nulls_in_labels_and_lists_are_named(tmp_path):
    source = parquet(written(tmp_path, table(label=pa.array([*LABELS[:-1], None]).dictionary_encode())), "label")
    with pytest.raises(ValueError, match="row group 2, row 5: column 'label' has a null"):
        read(source)
    lists = pa.array([[1.0, 2.0]] * 9 + [[1.0, None]] + [[1.0, 2.0]] * 10, pa.list_(pa.float64(), 2))
    with pytest.raises(ValueError, match="row group 1, row 2: column 'emb' has a null in its list"):
        read(parquet(written(tmp_path, table(emb=lists))))


@pytest.mark.skipif(VERSION < 26, reason="pyarrow can't write it, or not read it")
def test_lists_that_are_null_are_named(tmp_path):
    lists = pa.array([[1.0, 2.0]] * 9 + [None] + [[1.0, 2.0]] * 10, pa.list_(pa.float64(), 2))
    with pytest.raises(ValueError, match="row group 1, row 2: column 'emb' has a null:"):
        read(parquet(written(tmp_path, table(emb=lists)), features="emb"))


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63])
def test_whole_numbers_that_float64_does_not_hold_are_named(tmp_path, value):
    kind = pa.uint64() if value == 2**63 else pa.int64()
    edge = 2**53 if kind == pa.uint64() else -(2**53)
    path = written(tmp_path, table(id=pa.array([2**53, edge] * 8 + [value] + [0] * 3, kind)))
    with pytest.raises(ValueError, match=r"row group 2, row 2: column 'id' has a whole number beyond 2\*\*53"):
        read(parquet(path, "y"))
    with pytest.raises(ValueError, match=r"row group 2, row 2: column 'id' has a whole number beyond 2\*\*53"):
        read(parquet(path, "y", ["a"], weight="id"))
    source = parquet(written(tmp_path, table(id=pa.array([2**53, edge] * 10, kind))), "y")
    assert set(read(source)[0][:, source.names.index("id")]) == {2.0**53, float(edge)}


def test_numbers_that_overflow_float32_are_named(tmp_path):
    with pytest.raises(ValueError, match="row group 0: column 'big' has numbers that overflow float32: open it with"):
        read(parquet(written(tmp_path, table(big=[1e300] * 20)), dtype="float32"))


def test_files_of_other_columns_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"part-1.parquet has no column of numbers 'a', which .*part-0.parquet has"):
        parquet(written(tmp_path, table(), table().drop_columns("a")), "y")
    with pytest.raises(ValueError, match=r"part-1.parquet has a column 'z', which .*part-0.parquet does not have"):
        parquet(written(tmp_path, table(), table(z=[1] * 20)), "y")
    with pytest.raises(TypeError, match=r"column 'a' holds int64 in .*part-1.parquet, but double in .*part-0"):
        parquet(written(tmp_path, table(), table(a=[1] * 20)), "y")
    with pytest.raises(ValueError, match=r"part-1.parquet has no column 'y'"):
        parquet(written(tmp_path, table(), table().drop_columns("y")), "y")


def test_the_order_of_columns_and_columns_not_asked_for_may_differ(tmp_path):
    tables = [table(), table(z=["text"] * 20).select(["y", "c", "z", "a", "b", "w", "o"])]
    source = parquet(written(tmp_path, *tables), "y")
    names = ("a", "b", "c", "w", "o")
    assert source.names == names
    np.testing.assert_array_equal(read(source)[0], np.concatenate([stacked(some, *names) for some in tables]))


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    path = written(tmp_path, table(arr_delay=[1] * 20))
    with pytest.raises(ValueError, match=r"has no column 'arr_dleay'. Did you mean 'arr_delay'\? It has 'a', 'b'"):
        parquet(path, "arr_dleay")
    with pytest.raises(ValueError, match=r"has no column 'zzz'. It has 'a', "):
        parquet(path, "y", ["zzz"])
    with pytest.raises(ValueError, match="has no column 'zzz'"):
        parquet(path, "y", weight="zzz")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["x"] * 20, r"holds text \(string\): encode it as numbers, or choose other columns"),
        (pa.array(["x"] * 20).dictionary_encode(), "holds text"),
        ([decimal.Decimal("1.5")] * 20, "holds decimals .*cast them to float64"),
        (np.array(["2024-01-01"] * 20, "M8[D]"), "holds dates or times .*such as days"),
        ([[1.0]] * 20, "holds no numbers"),
        (pa.array([[]] * 20, pa.list_(pa.float64(), 0)), "holds no numbers"),
        ([b"x"] * 20, "holds bytes that are no UTF-8 text"),
        ([None] * 20, "holds no numbers"),
    ],
)
def test_columns_that_hold_no_numbers_are_named(tmp_path, values, words):
    path = written(tmp_path, table(odd=values))
    with pytest.raises(TypeError, match=f"part-0.parquet: column 'odd', in features, {words}"):
        parquet(path, "y", ["a", "odd"])
    with pytest.raises(TypeError, match="column 'odd', in weight, holds"):
        parquet(path, "y", "a", weight="odd")
    if "decimals" not in words:
        assert parquet(path, "y").names == ("a", "b", "c", "w", "o")
    else:
        with pytest.raises(TypeError, match="column 'odd', in features, holds decimals"):
            parquet(path, "y")
    if "text" not in words:
        with pytest.raises(TypeError, match="column 'odd', in target, holds"):
            parquet(path, "odd", "a")


def test_a_table_without_numbers(tmp_path):
    with pytest.raises(ValueError, match=r"part-0.parquet has no column of numbers beside"):
        parquet(written(tmp_path, pa.table({"y": [1.0], "t": ["x"]})), "y")


@pytest.mark.parametrize("value", [3, [], [None], ["y", 1]])
def test_names_that_are_none(tmp_path, value):
    path = written(tmp_path, table())
    with pytest.raises(TypeError, match=r"target=.*: the name of a column, or a list of names, is needed"):
        parquet(path, value)
    with pytest.raises(TypeError, match=r"features=.*: the name of a column, or a list of names, is needed"):
        parquet(path, "y", value)
    with pytest.raises(TypeError, match=r"weight=.* is not the name of a column"):
        parquet(path, "y", weight=value)


def test_a_column_twice_and_one_without_a_name(tmp_path):
    path = written(tmp_path, pa.table([[1.0], [2.0], [3.0]], ["a", "b", "a"]))
    with pytest.raises(ValueError, match="has more than one column 'a': rename them"):
        parquet(path, "b")
    path = written(tmp_path, pa.table([[1.0], [2.0], [3.0]], ["a", "b", ""]))
    with pytest.raises(ValueError, match="has a column without a name"):
        parquet(path, "b")
    assert parquet(path, "b", ["a"]).names == ("a",)


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, -1])
def test_a_file_that_is_cut_off_or_none(tmp_path, keep):
    written(tmp_path, table(), table())
    path = tmp_path / "part-1.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(
        ValueError, match=r"part-1.parquet can not be read \(.*\): it is cut off, damaged or of another"
    ):
        parquet(tmp_path, "y")


def test_damaged_pages_are_named(tmp_path):
    path = tmp_path / "part-0.parquet"
    pq.write_table(table(4000), path, row_group_size=1000, use_dictionary=False, compression="zstd")
    source = parquet(path, "y", "a")
    column = pq.read_metadata(path).row_group(2).column(0)
    damaged = bytearray(path.read_bytes())
    middle = slice(column.data_page_offset, column.data_page_offset + column.total_compressed_size)
    damaged[middle] = b"\xff" * column.total_compressed_size
    path.write_bytes(damaged)
    source = parquet(path, "y", "a")
    assert next(source.pieces(1)).rows == 1000
    with pytest.raises(ValueError, match=r"part-0.parquet, row group 2 can not be read"):
        list(source.pieces(2))


def test_a_footer_is_read_once_for_all_row_groups(tmp_path, monkeypatch):
    source = parquet(written(tmp_path, table(), table()), "y")
    footers, opened = [], pq.ParquetFile

    def watched(*args, metadata, **options):
        footers.append(metadata)
        return opened(*args, metadata=metadata, **options)

    monkeypatch.setattr(pq, "ParquetFile", watched)
    read(source)
    assert [footer is None for footer in footers] == [True, False, False, True, False, False]
    assert "_open" not in pickle.loads(pickle.dumps(source)).__dict__


def test_a_file_that_has_changed_or_gone(tmp_path):
    source = parquet(written(tmp_path, table(20), rows=20), "y")
    sent = pickle.dumps(source)  # another process may find other files
    written(tmp_path, table(10), rows=20)
    with pytest.raises(ValueError, match=r"part-0.parquet has changed since the source was opened"):
        read(source)
    with pytest.raises(ValueError, match="row group 0 had 20 rows when it was opened, and has 10 now: open"):
        read(pickle.loads(sent))
    written(tmp_path, table(30), rows=30)
    with pytest.raises(ValueError, match="row group 0 had 20 rows when it was opened, and has more now: open"):
        read(pickle.loads(sent))
    for other in (table().drop_columns("a"), table(a=["text"] * 20)):
        written(tmp_path, other, rows=20)
        with pytest.raises(ValueError, match="row group 0 had other columns when it was opened"):
            read(pickle.loads(sent))
    (tmp_path / "part-0.parquet").unlink()
    with pytest.raises(ValueError, match=r"part-0.parquet can not be read \(.*No such file"):
        read(source)


def test_empty_files_are_no_fault_unless_all_are(tmp_path):
    with pytest.raises(ValueError, match=r"There are no rows in .*part-0.parquet and 1 more files"):
        parquet(written(tmp_path, table(0), table(0)), "y")
    assert parquet(written(tmp_path, table(0), table(0), table(1)), "y").n == 1


def test_paths_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="names no file"):
        parquet(tmp_path / "none.parquet")
    (tmp_path / "year=2024").mkdir()
    with pytest.raises(FileNotFoundError, match="names no file: check the path, or pass a pattern such as"):
        parquet(tmp_path)
    pq.write_table(table(), tmp_path / "year=2024" / "x.parquet")
    assert parquet(f"{tmp_path}/**/*.parquet", "y").names == ("a", "b", "c", "w", "o")


def test_without_pyarrow(monkeypatch):
    for name in [*(name for name in sys.modules if name.startswith("pyarrow")), "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("arrow_columns", "arrow_table", "parquet_source"):
        monkeypatch.delitem(sys.modules, f"fastgd.sources.{name}")
    monkeypatch.delattr(sources, "parquet")
    with pytest.raises(ImportError, match=r"needs pyarrow: python -m pip install 'fastgd\[arrow\]'"):
        sources.parquet("data.parquet")


def test_a_file_is_named_once(tmp_path):
    path = written(tmp_path, table())
    with pytest.raises(ValueError, match=r"paths names .*part-0.parquet twice, and its rows would count twice"):
        parquet([path, tmp_path / "part-0.parquet"], "y")
