"""Text in svmlight format, against scikit-learn's reader."""

import bz2
import gzip
import io
import lzma
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from fastgd.sources import svmlight, svmlight_source
from fastgd.sources.rows import SourceRows

RNG = np.random.default_rng(8)


def written(folder, text, name="a.svm"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def read(source):
    """All rows and targets."""
    blocks = [block for shard in range(len(source.shards)) for block in source.pieces(shard)]
    rows = [block.X.array() for block in blocks] or [np.zeros((0, source.columns))]
    return np.concatenate(rows), np.concatenate([block.y for block in blocks] or [[]])


@given(
    n=st.integers(1, 12),
    chunk=st.integers(1, 300),
    seed=st.integers(0, 99),
    zero_based=st.booleans(),
    comment=st.sampled_from([None, "about\n1:2 the file"]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_reads_what_scikit_learn_reads(tmp_path_factory, n, chunk, seed, zero_based, comment, dtype):
    rng = np.random.default_rng(seed)
    X = sparse.csr_array(sparse.random_array((n, 7), density=rng.uniform(), rng=rng))
    X.data *= 10.0 ** rng.integers(-300, 300, X.nnz)
    path = tmp_path_factory.mktemp("svm") / "a.svm"
    with path.open("wb") as file, np.errstate(all="ignore"):
        dump_svmlight_file(X, rng.standard_normal(n), file, zero_based=zero_based, comment=comment)
    with pytest.MonkeyPatch.context() as patch, np.errstate(over="ignore"):
        patch.setattr(svmlight_source, "CHUNK", chunk)
        expected, y = load_svmlight_file(path, n_features=7, dtype=dtype, zero_based=zero_based)
        source = pickle.loads(pickle.dumps(svmlight(path, 7, dtype=dtype, zero_based=zero_based)))
        found, targets = read(source)
        rows = SourceRows(source)
        assert rows.shape == (n, 7) and rows.stored == X.nnz
        assert np.array_equal(rows.array(), found)
    assert found.astype(dtype).tobytes() == expected.toarray().astype(found.dtype).astype(dtype).tobytes()
    assert np.array_equal(targets, y)


COMPRESS = {"a.txt": bytes, "a.gz": gzip.compress, "a.bz2": bz2.compress, "a.xz": lzma.compress}
TEXT = "1 1:0.5 3:2e0 # 0:1\n\n# 2:3\n-1\t2:1  \r\n  +2.5 qid:7 1:+1.5 2:-.25 3:nan\n1e3"
ROWS, TARGETS = [[0.5, 0, 2], [0, 1, 0], [1.5, -0.25, np.nan], [0, 0, 0]], [1, -1, 2.5, 1000]


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("name", COMPRESS)
def test_comments_spaces_signs_and_compressed_files(tmp_path, monkeypatch, name, chunk):
    monkeypatch.setattr(svmlight_source, "CHUNK", chunk)
    source = svmlight(written(tmp_path, COMPRESS[name](TEXT.encode()), name), 3)
    assert (source.n, source.stored, source.sparse, source.parts) == (4, 6, True, ("X", "y"))
    X, y = read(source)
    np.testing.assert_array_equal(X, ROWS)
    np.testing.assert_array_equal(y, TARGETS)
    (block, *_) = source.pieces(0, ("y",))
    assert block.X is None and block.y[0] == 1


def test_the_first_column_is_0_if_any_file_has_one(tmp_path):
    one = written(tmp_path, "1 1:1 2:2\n")
    both = [one, written(tmp_path, "1 0:3\n", "b.svm")]
    assert np.array_equal(read(svmlight(one, 3))[0], [[1, 2, 0]])
    assert np.array_equal(read(svmlight(one, 3, zero_based=True))[0], [[0, 1, 2]])
    assert np.array_equal(read(svmlight(both, 3))[0], [[0, 1, 2], [3, 0, 0]])
    source = svmlight(both, 3)
    assert [shard.rows for shard in source.shards] == [1, 1] and source.place(1) == f"{both[1]}, row 0"
    assert np.array_equal(read(svmlight(written(tmp_path, "1 10:1 20:2\n"), 20))[0][0].nonzero()[0], [9, 19])
    assert svmlight(one, 3).digest() != svmlight(one, 4).digest()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 1:x", "'1:x' is no pair column:number"),
        ("1 1:", "'1:' is no pair"),
        ("1 :1", "':1' is no pair"),
        ("1 1 :1", "'1' is no pair"),
        ("1 1: 1", "'1:' is no pair"),
        ("1 1:1:1", "'1:1:1' is no pair"),
        ("1 1.5:1", "'1.5:1' is no pair"),
        ("1 2", "'2' is no pair"),
        ("1 a:2", "'a:2' is no pair"),
        ("1,2 1:1", "'1,2' is no target, which must be one number"),
        ("spam 1:1", "'spam' is no target"),
        ("1:1 2:2", "it begins with '1:1', but must begin with a target"),
        ("1 4:1", "column 4 is not from 1 to 3 (zero_based='auto', n_features)"),
        ("1 -1:1", "column -1 is not from 1 to 3"),
        ("1 99999999999:1", "column 99999999999 is not from 1 to 3"),
        ("1 2:1 2:1", "column 2 stands twice"),
        ("1 2:1 1:1", "column 1 stands behind column 2"),
        ("1 2:1 \xff:1", "is no pair"),
        ("1 2:1\x001", "is no pair"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 30, 10_000])
def test_what_is_wrong_is_named_with_its_line(tmp_path, monkeypatch, line, words, chunk):
    monkeypatch.setattr(svmlight_source, "CHUNK", chunk)
    path = written(tmp_path, f"# \n1 1:1\n1 1:1 3:2\n\n{line}\n1 1:1\n")
    with pytest.raises(ValueError) as error:
        read(svmlight(path, 3))
    assert str(error.value).startswith(f"{path}, line 5: ")
    assert words in str(error.value)


@pytest.mark.parametrize("name", ["a.gz", "a.bz2", "a.xz"])
def test_a_compressed_file_that_is_cut_off(tmp_path, name):
    lines = "".join(f"{k} 1:{k}\n" for k in RNG.integers(0, 10**9, 5000))
    raw = COMPRESS[name](lines.encode())
    for some in (raw[: len(raw) // 2], b"no archive", raw[:200] + b"?" * 50 + raw[250:]):
        with pytest.raises(ValueError, match=rf"{name} can not be read to its end"):
            read(svmlight(written(tmp_path, some, name), 3))


def test_options(tmp_path):
    path = written(tmp_path, "1 1:1\n")
    for options, kind, words in [
        ({"n_features": 2.5}, TypeError, "n_features=2.5 must be a whole number"),
        ({"n_features": True}, TypeError, "n_features=True must be"),
        ({"n_features": 0}, ValueError, "n_features=0 must be from 1"),
        ({"n_features": 3, "dtype": "int32"}, ValueError, "dtype='int32' is not known"),
        ({"n_features": 3, "zero_based": "no"}, ValueError, "zero_based='no' is not known"),
    ]:
        with pytest.raises(kind, match=words):
            svmlight(path, **options)
    with pytest.raises(FileNotFoundError, match="names no file"):
        svmlight(tmp_path / "none*.svm", 3)


def test_an_empty_file_is_a_shard_without_rows(tmp_path):
    source = svmlight(
        [written(tmp_path, "", "a"), written(tmp_path, "1 2:1\n", "b"), written(tmp_path, "\n#\n", "c")], 2
    )
    assert [shard.rows for shard in source.shards] == [0, 1, 0]
    assert np.array_equal(read(source)[0], [[0, 1]])


def test_cached(tmp_path):
    X = sparse.csr_array(sparse.random_array((200, 9), density=0.3, rng=RNG))
    X.data = RNG.integers(1, 9, X.nnz).astype(float)
    file = io.BytesIO()
    dump_svmlight_file(X, np.arange(200), file)
    source = svmlight(written(tmp_path, file.getvalue()), 9, dtype="float64").cached(tmp_path / "c")
    assert np.array_equal(SourceRows(source).array(), X.toarray())
    assert np.array_equal(next(source.pieces(0)).y, np.arange(200))


def test_rows_are_not_counted_for_a_cache_if_the_first_column_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(svmlight_source, "count", None)
    path = written(tmp_path, "1 1:1\n")
    assert svmlight(path, 1, zero_based=False).cached(tmp_path / "c").n == 1
