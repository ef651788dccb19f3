"""Dask arrays and data frames as sources."""

import pickle

import dask
import dask.array as da
import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from fastgd import sources
from fastgd.sources.rows import SourceRows

RNG = np.random.default_rng(11)
X = RNG.standard_normal((50, 4))
FRAME = pd.DataFrame({"a": X[:, 0], "b": np.arange(50), "c": X[:, 1] > 0, "d": X[:, 2].astype(np.float32)})


def read(source, part):
    blocks = [block for k in range(len(source.shards)) for block in source.pieces(k)]
    return np.concatenate([getattr(block, part) for block in blocks])


def sent(source):
    return pickle.loads(pickle.dumps(source))


@pytest.mark.parametrize("chunks", [(50, 4), (7, 4), (7, 3), ((0, 20, 0, 30), (4,))])
def test_arrays(chunks):
    x = da.from_array(X, chunks)
    source = sent(sources.dask(x, x[:, 0], weight=da.ones(50, chunks=11), offset=da.from_array(X[:, 1], 50)))
    assert (source.n, source.columns, source.dtype, source.sparse) == (50, 4, np.float64, False)
    assert source.parts == ("X", "y", "weight", "offset")
    assert [shard.rows for shard in source.shards] == list(x.chunks[0]), "without loading"
    assert np.array_equal(SourceRows(source).array(), X)
    assert np.array_equal(read(source, "y"), X[:, 0])
    assert np.array_equal(read(source, "offset"), X[:, 1])


@pytest.mark.parametrize(("kind", "dtype"), [("f4", "f4"), ("f2", "f4"), ("i8", "f8"), (">f4", "f4"), (bool, "f8")])
def test_numbers_of_any_type(kind, dtype):
    source = sources.dask(da.from_array((9 * X).astype(kind), (20, 4)))
    assert source.dtype == dtype
    assert np.array_equal(SourceRows(source).array(), (9 * X).astype(kind).astype(float))


def test_chunks_of_unknown_size_are_counted():
    x = da.from_array(X, (7, 4))
    x = x[x[:, 0] > 1.2]
    assert np.isnan(x.shape[0])
    source = sent(sources.dask(x, x[:, :2]))
    expected = X[X[:, 0] > 1.2]
    assert repr(source) == "Dask(8 shards of 4 columns, float64)"
    assert source.n == len(expected)
    assert 0 in [shard.rows for shard in source.shards]
    assert np.array_equal(SourceRows(source).array(), expected)
    assert np.array_equal(read(source, "y"), expected[:, :2])


def test_sparse_chunks():
    rows = np.where(np.abs(X) > 1, X, 0)
    x = da.from_array(rows, (20, 2)).map_blocks(sparse.csr_array)
    source = sources.dask(x)
    assert (source.sparse, source.n, source.stored) == (True, 50, np.count_nonzero(rows))
    assert np.array_equal(SourceRows(source).array(), rows)


def test_data_frames():
    frame = dd.from_pandas(FRAME, npartitions=3)
    frame = frame[frame.a > 0.5]
    labels = frame.c.map({True: "yes", False: "no"}, meta=("c", object))
    source = sent(sources.dask(frame, labels, weight=frame.d))
    expected = FRAME[FRAME.a > 0.5]
    assert (source.columns, source.names, source.dtype) == (4, ("a", "b", "c", "d"), np.float64)
    assert source.n == len(expected)
    assert np.array_equal(SourceRows(source).array(), expected.to_numpy(float))
    assert read(source, "y").tolist() == expected.c.map({True: "yes", False: "no"}).tolist()
    assert np.array_equal(read(source, "weight"), expected.d)
    (block, *_) = source.pieces(0, ("weight",))
    assert block.X is None and block.y is None and block.rows
    assert read(source, "weight").dtype == np.float32
    small = sources.dask(dd.from_pandas(FRAME[["d"]], npartitions=2), names=["size"])
    assert (small.dtype, small.names) == (np.float32, ("size",))


def test_partitions_without_rows():
    frame = dd.from_pandas(FRAME, npartitions=4)
    for kept in (frame.a > 2, frame.b < 5):
        source = sources.dask(frame[kept], frame[kept].b)
        expected = FRAME[FRAME.a > 2] if kept is not None and source.n < 5 else FRAME[FRAME.b < 5]
        assert source.n == len(expected)
        assert np.array_equal(SourceRows(source).array(), expected.to_numpy(float))


def test_missing_values_and_text(tmp_path):
    frame = pd.DataFrame(
        {
            "x": pd.array([1, None, 3], "Int64"),
            "y": pd.array(["a", "b", "a"], "string[pyarrow]"),
            "n": pd.array([1, None, 2], "Int32"),
            "w": pd.array([1, 2, 3], "Int32"),
            "kind": pd.Categorical(["u", "v", "u"]),
        }
    )
    frame = dd.from_pandas(frame, npartitions=2)
    source = sources.dask(frame[["x"]], frame.y, weight=frame.w)
    np.testing.assert_array_equal(SourceRows(source).array(), [[1], [np.nan], [3]])
    assert read(source, "y").tolist() == ["a", "b", "a"]
    assert read(source, "weight").dtype == np.int32
    np.testing.assert_array_equal(read(sources.dask(frame[["w"]], frame.n), "y"), [1, np.nan, 2])
    assert read(sources.dask(frame[["w"]], frame.kind), "y").tolist() == ["u", "v", "u"]
    with pytest.raises(TypeError, match="X has columns that hold no numbers: y, kind: encode or drop them"):
        sources.dask(frame)
    assert read(source.cached(tmp_path), "y").tolist() == ["a", "b", "a"]


def test_whole_numbers_beyond_those_of_float64():
    frame = dd.from_pandas(pd.DataFrame({"id": [1, 2, 2**60, 3]}), npartitions=2)
    with pytest.raises(ValueError, match=r"partition 1, column id: 1152921504606846976 is beyond 2\*\*53"):
        _ = sources.dask(frame).n
    with pytest.raises(ValueError, match=r"partition 1, row 0, column 0: -9007199254740993 is beyond"):
        SourceRows(sources.dask(da.from_array(np.array([[1], [-(2**53) - 1]]), (1, 1)))).array()


def test_each_partition_is_computed_alone_in_this_thread():
    import threading

    seen = []

    def block(k):
        seen.append((int(k[0]), threading.get_ident()))
        return np.full((2, 1), k[0], float)

    x = da.from_array(np.arange(3), 1).map_blocks(
        block, new_axis=1, chunks=((2, 2, 2), (1,)), dtype=float, meta=np.ones((0, 0))
    )
    source = sources.dask(x)
    (rows,) = source.pieces(1)
    assert rows.X.values.tolist() == [[1], [1]]
    assert seen == [(1, threading.get_ident())]


def test_a_partition_that_fails_is_named():
    def block(values):
        if values[0, 0] == 1:
            raise OSError("gone")
        return values

    x = da.from_array(np.repeat(np.arange(3.0), 2)[:, None], (2, 1)).map_blocks(block, meta=np.ones((0, 0)))
    source = sources.dask(x)
    assert len(list(source.pieces(0))) == 1
    with pytest.raises(RuntimeError, match="partition 1 raised OSError: gone"):
        list(source.pieces(1))


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda x: (X,), TypeError, "X is ndarray: a dask array or data frame is needed"),
        (lambda x: (x, X[:, 0]), TypeError, "y is ndarray"),
        (lambda x: (x[:, 0],), ValueError, "X has 1 axes"),
        (lambda x: (x.astype(complex),), TypeError, "X holds complex128"),
        (lambda x: (x[:, x[0] > 0],), ValueError, "X has nan columns"),
        (lambda x: (x, x[:30, 0]), ValueError, "do not fit each other: X 5, y 3. Take all from one collection"),
        (lambda x: (x, dask.delayed(X)), TypeError, "y is Delayed"),
    ],
)
def test_collections_that_do_not_fit(make, kind, words):
    with pytest.raises(kind) as error:
        sources.dask(*make(da.from_array(X, (10, 4))))
    assert words in str(error.value)


def test_parts_that_do_not_fit():
    x = da.from_array(X, (10, 4))
    source = sources.dask(x, x[x[:, 0] > 0][:, 1])
    with pytest.raises(ValueError, match=r"partition 0: y has \d rows, but 10 were expected"):
        list(source.pieces(0))
    with pytest.raises(ValueError, match="names holds 1 names, but X has 4 columns"):
        sources.dask(x, names=["a"])


def test_what_was_persisted_on_a_cluster_is_refused():
    x, frame = da.from_array(X, (10, 4)), dd.from_pandas(FRAME, npartitions=2)
    assert sources.dask(x.persist(scheduler="synchronous")).n == 50
    with distributed.Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        for one in (x, frame):
            with pytest.raises(TypeError, match=r"X was persisted on a cluster, .* as it was before persist\(\)"):
                sources.dask(client.persist(one))


def test_digests():
    x = da.from_array(X, (10, 4))
    found = [sources.dask(x), sources.dask(x + 1), sources.dask(x, x[:, 0]), sources.dask(x, weight=x[:, 0])]
    assert len({source.digest() for source in found}) == 4
    assert sources.dask(da.from_array(X, (10, 4))).digest() == found[0].digest()
