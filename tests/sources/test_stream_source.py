"""Tables and streams of pyarrow, pandas and polars, and of whatever else has the protocol."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrow_tables import check_rows, read

from fastgd.sources import parquet, stream

RNG = np.random.default_rng(5)
A, B, Y = RNG.normal(size=30), RNG.integers(0, 9, 30), ["no", "yes", "no"] * 10
TABLE = pa.table({"a": A, "b": B, "y": Y})
X = np.column_stack([A, B])


class Query:
    """What can be read once, such as the answer of a database."""

    def __init__(self, table):
        self.reader = table.to_reader(max_chunksize=7)

    def __arrow_c_stream__(self, requested_schema=None):
        return self.reader.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        pa.concat_tables([TABLE.slice(0, 11), TABLE.slice(11)]),
        TABLE.to_batches()[0],
        TABLE.to_pandas(),
        TABLE.to_pandas().astype({"y": "category"}),
        pl.from_arrow(TABLE),
        pl.from_arrow(TABLE).with_columns(pl.col("y").cast(pl.Categorical)),
    ],
    ids=["Table", "chunks", "RecordBatch", "pandas", "pandas category", "polars", "polars category"],
)
def test_tables_are_read_as_often_as_needed(table):
    source = stream(table, "y")
    assert source.repeatable and source.n == 30 and source.names == ("a", "b")
    for _ in range(2):
        found, y, *_ = read(source)
        np.testing.assert_array_equal(found, X)
        assert y.tolist() == Y
    check_rows(source, X)
    assert source.place(12) == f"The {type(table).__name__}, row 12"
    sent = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(read(sent)[0], X)
    assert sent.digest() == source.digest() != stream(table, "y", "a").digest()


def test_the_digest_of_a_table_goes_by_its_numbers():
    digests = {stream(TABLE.slice(k), "y").digest() for k in range(3)}
    other = TABLE.set_column(0, "a", pa.array(np.where(np.arange(30) == 29, 0, A)))
    labels = TABLE.set_column(2, "y", pa.array(["no"] * 30))
    assert len(digests | {stream(other, "y").digest(), stream(labels, "y").digest()}) == 5


@pytest.mark.parametrize("opened", [Query, lambda table: table.to_reader(max_chunksize=7)], ids=["query", "reader"])
def test_a_stream_is_read_once(opened):
    source = stream(opened(TABLE), "y")
    assert not source.repeatable and source.n == 0 and "one pass" in repr(source)
    found, y, *_ = read(source)
    np.testing.assert_array_equal(found, X)
    assert y.tolist() == Y
    assert source.place(12).endswith(", row 12")
    with pytest.raises(ValueError, match="has been read, and can be read once: pass a table"):
        read(source)
    with pytest.raises(TypeError, match="can be read in its own process only"):
        pickle.dumps(source)
    assert source.digest() != stream(opened(TABLE), "y").digest()


def test_a_stream_can_be_cached(tmp_path):
    cached = stream(Query(TABLE), "y").cached(tmp_path)
    check_rows(cached, X)
    assert read(cached)[1].tolist() == Y
    check_rows(pickle.loads(pickle.dumps(cached)), X)


def test_pandas_without_values_of_its_own_is_a_null():
    frame = TABLE.to_pandas().astype({"b": "Int64"})
    frame.loc[4, "b"] = pd.NA
    with pytest.raises(ValueError, match="The DataFrame, row 4: column 'b' has a null: fill it"):
        read(stream(frame, "y"))


def test_the_index_of_a_frame_is_no_feature(tmp_path):
    for frame in (TABLE.to_pandas()[A > 0], TABLE.to_pandas()[A > 0].set_index("b")):
        frame.to_parquet(tmp_path / "x.parquet")
        assert pq.read_schema(tmp_path / "x.parquet").names[-1] in ("__index_level_0__", "b")
        names = tuple(name for name in frame.columns if name != "y")
        assert stream(frame, "y").names == parquet(tmp_path, "y").names == names
    assert stream(frame, "y", ["b", "a"]).names == ("b", "a")


def test_a_polars_array_is_several_columns():
    frame = pl.DataFrame({"emb": X, "y": Y}, schema_overrides={"emb": pl.Array(pl.Float64, 2)})
    check_rows(stream(frame, "y"), X)


def test_a_stream_that_fails():
    def batches():
        yield TABLE.to_batches()[0]
        raise OSError("the connection is lost")

    source = stream(pa.RecordBatchReader.from_batches(TABLE.schema, batches()), "y")
    with pytest.raises(ValueError, match=r"The RecordBatchReader can not be read \(.*the connection is lost"):
        read(source)


def test_what_is_no_table():
    with pytest.raises(TypeError, match="ndarray has no __arrow_c_stream__: a table or stream of"):
        stream(X)
    with pytest.raises(TypeError, match="The ChunkedArray is no table"):
        stream(pa.chunked_array([[1.0]]))
    with pytest.raises(ValueError, match="There are no rows in The Table"):
        stream(TABLE.slice(0, 0), "y")
    with pytest.raises(ValueError, match="The Table has no column 'z'"):
        stream(TABLE, "z")
