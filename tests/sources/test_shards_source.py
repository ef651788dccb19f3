"""Shards that a function of the user loads."""

import functools
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from fastgd.sources import shards, shards_source
from fastgd.sources.rows import SourceRows

RNG = np.random.default_rng(9)
TABLES = [RNG.standard_normal((n, 3)) for n in (4, 0, 5)]
TARGETS = [np.arange(len(X)) for X in TABLES]


def load(k):
    return TABLES[k], TARGETS[k], None, np.full(len(TABLES[k]), 0.5)


def of(**changed):
    """A function whose shard 2 has other parts."""

    def load_changed(k):
        parts = dict(zip(("X", "y", "weight", "offset"), load(k), strict=True))
        return tuple((parts | (changed if k == 2 else {})).values())

    return load_changed


def test_rows_of_all_shards():
    source = pickle.loads(pickle.dumps(shards(load, range(3), names=["a", "b", "c"])))
    assert repr(source) == "Shards(3 shards of 3 columns, float64)"
    assert (source.n, source.columns, source.names) == (9, 3, ("a", "b", "c"))
    assert source.parts == ("X", "y", "offset")
    assert repr(source) == "Shards(9 rows of 3 columns, float64)"
    assert np.array_equal(SourceRows(source).array(), np.concatenate(TABLES))
    assert not list(source.pieces(1))
    (block,) = source.pieces(2, ("y", "offset"))
    assert block.X is None and block.weight is None
    assert block.y.tolist() == [0, 1, 2, 3, 4] and block.offset.tolist() == [0.5] * 5
    assert source.place(5) == "shard 2 (2), row 1"


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int8, bool, ">f8"])
def test_numbers_of_any_type(kind):
    source = shards(lambda k: (TABLES[k] * 9).astype(kind), [0, 2])
    assert (source.dtype, source.parts) == (np.float32 if kind in (np.float32, np.float16) else np.float64, ("X",))
    expected = np.concatenate([(TABLES[k] * 9).astype(kind) for k in (0, 2)])
    assert np.array_equal(SourceRows(source).array(), expected.astype(float))


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "csc_array", "coo_array"])
def test_sparse_rows(kind):
    tables = [np.where(RNG.uniform(size=(n, 6)) < 0.4, RNG.standard_normal((n, 6)), 0) for n in (5, 0, 7)]
    source = shards(lambda k: (getattr(sparse, kind)(tables[k]), tables[k][:, 0]), range(3))
    X = np.concatenate(tables)
    assert (source.sparse, source.n, source.stored) == (True, 12, np.count_nonzero(X))
    assert np.array_equal(SourceRows(source).array(), X)


def test_columns_of_sparse_rows_come_in_order():
    X = sparse.csr_array((np.arange(1.0, 7), [2, 0, 1, 1, 2, 2], [0, 2, 4, 6]), shape=(3, 3))
    before = X.indices.copy(), X.data.copy()
    assert np.array_equal(SourceRows(shards(lambda k: X, [0])).array(), X.toarray())
    assert np.array_equal(X.indices, before[0]) and np.array_equal(X.data, before[1])
    X = sparse.csr_array(np.ones((3, 3)))
    X.indices[4] = 9
    with pytest.raises(ValueError, match=r"shard 0 \('s'\): X is not a valid CSR array"):
        shards(lambda k: X, "s")


def test_rows_that_are_given_are_not_counted():
    loaded = []
    source = shards(lambda k: loaded.append(k) or load(k), range(3), rows=[4, 0, 5])
    assert (source.n, loaded) == (9, [0])
    assert np.array_equal(SourceRows(source).array(), np.concatenate(TABLES))
    source = shards(load, range(3), rows=[4, 1, 5])
    with pytest.raises(ValueError, match=r"shard 1 \(1\) has 0 rows, but 1 were expected: each loading"):
        SourceRows(source).array()
    for rows in ([4, 0], [4, 0, -1]):
        with pytest.raises(ValueError, match=r"must be a number of rows for each of 3 specs"):
            shards(load, range(3), rows=rows)


def test_another_number_of_rows_at_a_second_loading():
    sizes = iter([3, 3, 4])
    source = shards(lambda k: np.ones((next(sizes), 2)), [None])
    assert source.n == 3
    with pytest.raises(ValueError, match=r"shard 0 \(None\) has 4 rows, but 3 were expected"):
        list(source.pieces(0))


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"X": np.ones((5, 2))}, ValueError, "shard 2 (2) has columns 2 of X, but shard 0 (0) 3"),
        ({"X": np.ones((5, 3), np.float32)}, ValueError, "has dtype float32 of X, but shard 0 (0) float64"),
        ({"X": sparse.csr_array(np.ones((5, 3)))}, ValueError, "has sparse True of X, but shard 0 (0) False"),
        ({"X": np.ones(5)}, ValueError, "shard 2 (2): X has shape (5,), but must be (rows, columns)"),
        ({"X": [[1, 2, 3], [1]]}, ValueError, "shard 2 (2): X can't be converted to an array"),
        ({"X": np.full((5, 3), "a")}, TypeError, "shard 2 (2): X holds <U1: numbers are needed"),
        (
            {"X": np.full((5, 3), 2**60)},
            ValueError,
            "shard 2 (2), row 0, column 0: 1152921504606846976 is beyond 2**53",
        ),
        ({"y": None}, ValueError, "shard 2 (2) has X and offset, but shard 0 (0) X and y and offset"),
        ({"y": np.ones(4)}, ValueError, "shard 2 (2): y has 4 rows, but 5 were expected"),
        ({"y": np.ones((5, 1, 1))}, ValueError, "shard 2 (2): y has shape (5, 1, 1)"),
        ({"y": np.ones(5, complex)}, TypeError, "shard 2 (2): y holds complex128"),
        ({"offset": np.ones((5, 1))}, ValueError, "offset has shape (5, 1), but must have one number a row"),
        ({"offset": np.full(5, "a")}, TypeError, "offset holds <U1, but must hold numbers"),
        ({"weight": np.ones(5)}, ValueError, "has X and y and weight and offset, but shard 0"),
        ({"more": 1}, TypeError, "load returned 5 values for shard 2 (2): (X, y), (X, y, weight) or"),
    ],
)
def test_a_shard_that_differs(changed, kind, words):
    source = shards(of(**changed), range(3))
    with pytest.raises(kind) as error:
        _ = source.n
    assert words in str(error.value)


def test_errors_of_the_function_name_the_shard():
    def broken(spec):
        if spec["part"]:
            raise OSError("gone")
        return np.ones((2, 2))

    source = shards(broken, [{"part": 0}, {"part": 1}])
    with pytest.raises(RuntimeError, match=r"load raised OSError for shard 1 \({'part': 1}\): gone") as error:
        _ = source.n
    assert isinstance(error.value.__cause__, OSError)


def test_arguments():
    for call, kind, words in [
        (lambda: shards(3, [1]), TypeError, "load=3 must be a function"),
        (lambda: shards(load, []), ValueError, "specs is empty"),
        (lambda: shards(load, [0], names=["a"]), ValueError, "names holds 1 names, but shard 0"),
        (lambda: shards(lambda k: None, [0]), TypeError, "load returned"),
        (lambda: shards(lambda k: (), [0]), TypeError, "load returned"),
    ]:
        with pytest.raises(kind, match=words):
            call()


def with_a_value(value):
    return lambda k: np.full((2, 2), value)


class Loader:
    def __init__(self, value):
        self.value = value

    def __call__(self, k):
        return np.full((2, 2), self.value)

    def method(self, k):
        return np.full((2, 2), k)

    def __repr__(self):
        return f"Loader({self.value})"


def scaled(k, by=1):
    return np.full((2, 2), by) if k in {"a", "b", "c"} else np.zeros((2, 2))


def digests():
    functions = [
        load,
        with_a_value(1),
        with_a_value(2),
        functools.partial(scaled, by=2),
        functools.partial(scaled, by=3),
        scaled,
        Loader(1),
        Loader(2),
        Loader(1).method,
        lambda k: next(np.ones((2, 2)) for _ in range(1)),
        lambda k: next(np.zeros((2, 2)) for _ in range(1)),
    ]
    found = [shards(one, [0]).digest() for one in functions]
    return [*found, shards(load, [0, 1]).digest(), shards(load, [0], names="abc").digest()]


def test_digests_differ_with_the_function_and_are_the_same_in_another_process():
    found = digests()
    assert len(set(found)) == len(found)
    code = "from sources.test_shards_source import digests; print(digests())"
    folder = Path(__file__).parents[1]
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder).stdout
    assert said.strip() == str(found)


def test_what_has_no_code():
    assert shards_source.code_of(len) == "<built-in function len>"


def test_cached(tmp_path):
    loaded = []
    found = shards(lambda k: loaded.append(k) or load(k), range(3)).cached(tmp_path / "once")
    assert (found.n, loaded) == (9, [0, 0, 1, 2]), "once for the types, and once for the rows"
    source = shards(load, range(3)).cached(tmp_path / "c")
    assert np.array_equal(SourceRows(source).array(), np.concatenate(TABLES))
    assert [shard.rows for shard in source.shards] == [4, 0, 5]
    with pytest.raises(ValueError, match="other files or options"):
        _ = shards(of(), range(3)).cached(tmp_path / "c").n
