"""Sparse rows in .npy files."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from fastgd.sources import csr, csr_source
from fastgd.sources.rows import SourceRows

RNG = np.random.default_rng(6)


def saved(folder, X, kind=np.int32, **others):
    """The folder with the arrays of X."""
    folder.mkdir(exist_ok=True)
    X = sparse.csr_array(X)
    arrays = {"data": X.data, "indices": X.indices.astype(kind), "indptr": X.indptr.astype(kind)} | others
    for name, array in arrays.items():
        if array is not None:
            np.save(folder / f"{name}.npy", array)
    return folder


def random_rows(n=30, d=11, density=0.3):
    return sparse.csr_array(sparse.random_array((n, d), density=density, rng=RNG))


@pytest.mark.parametrize("indices", [np.int32, np.int64, np.uint32, np.uint64, ">i4", np.int16])
@pytest.mark.parametrize("values", [np.float64, np.float32, np.float16, np.int64, ">f8", bool])
def test_rows_of_any_types(tmp_path, monkeypatch, indices, values):
    monkeypatch.setattr(csr_source, "PIECE_BYTES", 300)
    X = random_rows()
    X.data = np.ceil(X.data * 8).astype(values).astype(float)
    dense, X.data = X.toarray(), X.data.astype(values)
    source = pickle.loads(pickle.dumps(csr(saved(tmp_path, X, indices, y=np.arange(30)), n_features=11)))
    kind = np.float32 if values in (np.float32, np.float16) else np.float64
    assert (source.n, source.columns, source.dtype, source.stored) == (30, 11, kind, X.nnz)
    blocks = list(source.pieces(0))
    assert len(blocks) > 3
    for block in blocks:
        rows = block.X
        assert (rows.indices.dtype, rows.starts.dtype, rows.starts[0]) == (np.uint32, np.uint64, 0)
        assert not any(array.flags.writeable for array in rows.flat())
        native = values in (np.float64, np.float32)
        assert np.shares_memory(rows.values, source.array("data")) == native
        assert np.shares_memory(rows.indices, source.array("indices")) == (indices in (np.int32, np.uint32))
    assert np.array_equal(np.concatenate([block.X.array() for block in blocks]), dense)
    assert np.array_equal(np.concatenate([block.y for block in blocks]), np.arange(30))


@given(data=st.data(), n=st.integers(1, 20), d=st.integers(1, 8), size=st.integers(1, 25), piece=st.integers(1, 400))
def test_any_blocks_are_those_of_the_array(tmp_path_factory, data, n, d, size, piece):
    X = np.where(RNG.uniform(size=(n, d)) < data.draw(st.sampled_from([0, 0.2, 1])), RNG.standard_normal((n, d)), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csr_source, "PIECE_BYTES", piece)
        rows = SourceRows(csr(saved(tmp_path_factory.mktemp("csr"), X), n_features=d))
        assert np.array_equal(np.concatenate([some.array() for _, some in rows.blocks(size)]), X)
        numbers = data.draw(st.lists(st.integers(0, n - 1)))
        assert np.array_equal(rows.take(numbers).array(), X[numbers])


def test_columns_are_given_stored_or_found(tmp_path):
    X = sparse.csr_array(np.array([[0.0, 1, 0, 0], [0, 0, 2, 0]]))
    folder = saved(tmp_path / "a", X)
    assert csr(folder).columns == 3
    assert csr(folder, n_features=9).columns == 9
    np.save(folder / "shape.npy", X.shape)
    assert csr(folder).columns == 4
    assert csr(folder, n_features=7).columns == 7
    np.save(folder / "shape.npy", (3, 4))
    with pytest.raises(ValueError, match=r"shape.npy holds \[3, 4\], but .*a has 2 rows"):
        csr(folder)
    (folder / "shape.npy").write_bytes(b"2, 4")
    with pytest.raises(ValueError, match=r"shape.npy can not be read as a .npy file"):
        csr(folder)
    for wrong in (2.5, "3", True):
        with pytest.raises(TypeError, match=f"n_features={wrong!r} must be a whole number"):
            csr(folder, n_features=wrong)
    empty = saved(tmp_path / "b", np.zeros((3, 2)))
    assert np.array_equal(SourceRows(csr(empty, n_features=2)).array(), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"n_features=0 of .*b must be from 1"):
        csr(empty)


def test_vectors_in_the_folder_or_elsewhere(tmp_path):
    folder = saved(tmp_path / "a", random_rows(), y=np.ones(30), weight=np.full(30, 2.0))
    np.save(tmp_path / "other.npy", np.zeros((30, 2)))
    (first, *_) = csr(folder).pieces(0)
    assert (first.y[0], first.weight[0], first.offset) == (1, 2, None)
    (first, *_) = csr(folder, tmp_path / "other.npy", names=[str(k) for k in range(11)]).pieces(0, ("y",))
    assert first.X is None and first.y.shape == (30, 2)


def test_numbers_behind_the_last_row_are_not_read(tmp_path):
    X = random_rows()
    longer = {"data": np.append(X.data, 9.0), "indices": np.append(X.indices, 99)}
    source = csr(saved(tmp_path, X, **longer))
    assert (source.columns, source.stored) == (11, X.nnz)
    assert np.array_equal(SourceRows(source).array(), X.toarray())


def put(array, place, value):
    array = np.array(array)
    array[place] = value
    return array


FULL = sparse.csr_array(np.ones((30, 4)))  # row k has the numbers 4 k to 4 k + 3
WRONG = {
    "out of range": ("indices", put(FULL.indices, 50, 4), "indices.npy, row 12: column 4 is not below the number"),
    "negative": ("indices", put(FULL.indices, 51, -1), "indices.npy, row 12: column"),
    "negative, 8 bytes": ("indices", put(FULL.indices.astype(np.int64), 51, -1), "row 12: column -1 is not below"),
    "large, 8 bytes": ("indices", put(FULL.indices.astype(np.int64), 50, 2**32 + 2), "row 12: column 4294967298 is"),
    "out of range, the last": ("indices", put(FULL.indices, 119, 7), "row 29: column 7 is not"),
    "twice": ("indices", put(FULL.indices, 50, 1), "indices.npy, row 12: column 1 stands twice"),
    "descends": ("indices", put(FULL.indices, 50, 0), "row 12: column 0 stands behind column 1"),
    "starts descend": ("indptr", put(FULL.indptr, 12, 40), "indptr.npy, row 11: its numbers go from 44 to 40 of 120"),
    "starts negative": ("indptr", put(FULL.indptr, 12, -5), "indptr.npy, row 11: its numbers go from 44 to -5"),
    "starts beyond": ("indptr", put(FULL.indptr, 12, 999), "indptr.npy, row 11: its numbers go from 44 to 999 of 120"),
    "beyond 2**53": ("data", put(np.ones(120, np.int64), 50, 2**60), "data.npy, row 12: 1152921504606846976 is beyond"),
}


@pytest.mark.parametrize("piece", [1, 200, 1 << 20])
@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_row(tmp_path, monkeypatch, case, piece):
    monkeypatch.setattr(csr_source, "PIECE_BYTES", piece)
    name, array, words = WRONG[case]
    source = csr(saved(tmp_path, FULL, **{name: array}), n_features=4)
    for _ in range(2):
        with pytest.raises(ValueError) as error:
            list(source.pieces(0))
        assert words in str(error.value)
        with pytest.raises(ValueError) as error:
            list(SourceRows(source).blocks(7))
        assert words in str(error.value)


def test_only_the_rows_that_are_asked_for_are_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(csr_source, "PIECE_BYTES", 300)
    source = csr(saved(tmp_path, FULL), n_features=4)
    seen, check = [], csr_source.Csr._check
    monkeypatch.setattr(csr_source.Csr, "_check", lambda self, lo, hi: seen.append((lo, hi)) or check(self, lo, hi))
    step = source.step
    source.between(0, 1, ("X",))
    source.between(step - 1, step + 1)
    pickle.loads(pickle.dumps(source)).between(0, 1)
    source.between(0, 2 * step)
    assert seen == [(0, step), (step, 2 * step), (0, step)]


@pytest.mark.parametrize(
    ("arrays", "kind", "words"),
    [
        ({"indptr": np.array([0])}, ValueError, "indptr.npy has 1 entries"),
        ({"indptr": put(FULL.indptr, 0, 1)}, ValueError, "indptr.npy goes from 1 to 120"),
        ({"indptr": FULL.indptr.astype(float)}, TypeError, "indptr.npy holds float64 of shape"),
        ({"indices": FULL.indices[:-1]}, ValueError, "indices.npy has 119 and data.npy 120 numbers"),
        ({"indices": FULL.indices.reshape(2, -1)}, TypeError, r"indices.npy holds int32 of shape \(2, 60\): whole"),
        ({"data": FULL.data.astype(complex)}, TypeError, "data.npy holds complex128"),
        ({"data": None}, FileNotFoundError, r"has no data.npy: save X.data, X.indices and X.indptr"),
        ({"y": np.ones(3)}, ValueError, "y.npy has 3 rows, but .* 30"),
    ],
)
def test_arrays_that_are_no_rows(tmp_path, arrays, kind, words):
    with pytest.raises(kind, match=words) as error:
        csr(saved(tmp_path, FULL, **arrays))
    assert str(tmp_path) in str(error.value)


def test_columns_beyond_those_given(tmp_path):
    source = csr(saved(tmp_path, FULL), n_features=3)
    with pytest.raises(ValueError, match="row 0: column 3 is not below the number of columns, 3"):
        SourceRows(source).array()
    with pytest.raises(ValueError, match="names holds 1 names"):
        csr(tmp_path, names=["a"])
