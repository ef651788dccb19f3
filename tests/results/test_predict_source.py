"""Predictions and objectives of sources are those of the same rows in memory, block by block and in files."""

import os
import tracemalloc

import numpy as np
import pytest
from pieces import Pieces
from scipy import sparse

import fastgd
from fastgd import sources
from fastgd.kernels.layouts import Dense, frozen
from fastgd.sources import blocks
from fastgd.sources.base import Block, Shard

RNG = np.random.default_rng(3)
N, D = 100, 4
X = RNG.standard_normal((N, D)) + 1.0
SCORE = X @ [1.0, -2.0, 0.5, 0.0] - 1.0
Y = SCORE + 0.1 * RNG.standard_normal(N)
LABELS = np.where(np.median(SCORE) < SCORE, "yes, or so", "no")
CLASSES = np.array(["a", "b", "c"])[np.digitize(SCORE, [-2.0, 0.0])]
WEIGHT, OFFSET = RNG.uniform(0.5, 2.0, (2, N))
NAMES = tuple("pqrs")
SIZES = 0, 13, 40, 1


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16 * D * 8)


FITS = {
    "numbers": (Y, {}),
    "targets": (np.column_stack([Y, Y**2]), {}),
    "labels": (LABELS, {"loss": "log_loss"}),
    "classes": (CLASSES, {"loss": "multinomial"}),
    "counts": (np.round(np.exp(SCORE / 2)), {"loss": "poisson"}),
}


@pytest.fixture(scope="module", params=FITS)
def fitted(request):
    """A result, its targets, and what it answers to rows."""
    y, options = FITS[request.param]
    r = fastgd.fit(X, y, **options)
    return r, y, ["decision_function", "predict", *(["predict_proba"] if r.classes is not None else [])]


def source(rows=X, y=None, **more):
    return Pieces(rows, y, sizes=SIZES, **more)


def test_blocks_of_answers(fitted):
    r, y, methods = fitted
    for method in methods:
        expected = getattr(r, method)(X)
        for given in (source(), source(y=y), source(once=True)):
            found = list(getattr(r, method)(given))
            assert [len(one) for one in found] == [16] * 6 + [4]
            joined = np.concatenate(found)
            assert joined.dtype == expected.dtype
            if joined.dtype.kind == "f":
                np.testing.assert_allclose(joined, expected, rtol=1e-13)
            else:
                assert np.array_equal(joined, expected)


@pytest.mark.parametrize("ending", ["npy", "csv", "parquet"])
def test_files_of_answers(fitted, ending, tmp_path):
    pd = pytest.importorskip("pandas")
    r, _, methods = fitted
    path = tmp_path / f"out.{ending}"
    words = {"decision_function": "score", "predict": "prediction", "predict_proba": "probability"}
    for method in methods:
        expected = getattr(r, method)(X)
        for given in (source(), source(once=True), X):
            assert getattr(r, method)(given, to=str(path)) == path
            if ending == "npy":
                found = np.load(path)
                assert found.dtype == expected.dtype
            else:
                frame = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
                word = words[method]
                several = [f"{word}_{k}" for k in range(expected.shape[-1])] if expected.ndim > 1 else [word]
                assert list(frame) == several
                found = frame.to_numpy().reshape(expected.shape)
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(found, expected, rtol=1e-13)
            else:
                assert found.tolist() == expected.tolist()
    assert os.listdir(tmp_path) == [path.name]


def test_sparse_rows():
    rows = sparse.random_array((N, D), density=0.5, format="csr", rng=np.random.default_rng(1))
    r = fastgd.fit(rows, Y)
    found = list(r.predict(source(rows)))
    assert len(found) > 2
    np.testing.assert_allclose(np.concatenate(found), r.predict(rows), rtol=1e-13)


def test_nothing_is_written_where_a_row_is_faulty(tmp_path):
    r = fastgd.fit(X, Y)
    bad = X.copy()
    bad[40, 2] = np.nan
    path = tmp_path / "out.npy"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="NaN or infinity, the first in shard 2, row 27, column 'r': drop or fill"):
        r.predict(source(bad, names=NAMES), to=path)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["out.npy"]
    bad[40] = 1e308
    with pytest.raises(ValueError, match="overflows, the first in row 40"):
        list(r.predict(source(bad, once=True)))


def test_an_offset_of_the_source_or_given():
    counts = np.round(np.exp(SCORE / 2 + OFFSET))
    r = fastgd.fit(X, counts, loss="poisson", offset=OFFSET)
    expected = r.predict(X, OFFSET)
    for found in (r.predict(source(offset=OFFSET)), r.predict(source(), OFFSET)):
        np.testing.assert_allclose(np.concatenate(list(found)), expected, rtol=1e-13)
    with pytest.raises(ValueError, match="offset is missing"):
        r.predict(source())
    with pytest.raises(ValueError, match="offset is given, and the source holds its own"):
        r.predict(source(offset=OFFSET), OFFSET)
    with pytest.raises(ValueError, match=r"offset has shape \(99,\), but X has 100 rows"):
        r.predict(source(), OFFSET[1:])
    with pytest.raises(ValueError, match="rows that are counted"):
        r.predict(source(once=True), OFFSET)


def test_faults_are_told_before_a_row_is_read(tmp_path):
    r = fastgd.fit(X, Y)
    one = source(X[:, :3].copy())
    with pytest.raises(ValueError, match="X has 3 columns, but the model was fitted on 4"):
        r.predict(one)
    with pytest.raises(ValueError, match=r"to='out\.txt' must end in \.npy, \.parquet or \.csv"):
        r.predict(one := source(), to="out.txt")
    assert one.read == 0
    with pytest.raises(FileNotFoundError):
        r.predict(source(), to=tmp_path / "none" / "out.npy")
    pd = pytest.importorskip("pandas")
    named = fastgd.fit(pd.DataFrame(X, columns=NAMES), Y)
    assert len(list(named.predict(source(names=NAMES)))) == 7
    with pytest.raises(ValueError, match="the model was fitted on"):
        named.predict(source(names=NAMES[::-1]))


def test_labels_of_a_file_are_numbers_or_strings(tmp_path):
    r = fastgd.fit(X, LABELS.astype(object), loss="log_loss")
    with pytest.raises(TypeError, match="The labels are objects"):
        r.predict(source(), to=tmp_path / "out.npy")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("weighted", [False, True])
def test_objective(fitted, weighted):
    r, y, _ = fitted
    own = {"sample_weight": WEIGHT} if weighted else {}
    expected = r.objective(X, y, **own)
    assert r.objective(source(y=y), **own) == pytest.approx(expected, rel=1e-13)
    assert r.objective(source(y=y, weight=WEIGHT)) == pytest.approx(r.objective(X, y, WEIGHT), rel=1e-13)


def test_the_objective_with_an_offset():
    counts = np.round(np.exp(SCORE / 2 + OFFSET))
    r = fastgd.fit(X, counts, loss="poisson", offset=OFFSET, alpha=0.1)
    expected = r.objective(X, counts, WEIGHT, OFFSET)
    assert r.objective(source(y=counts, weight=WEIGHT, offset=OFFSET)) == pytest.approx(expected, rel=1e-13)
    assert r.objective(source(y=counts, weight=WEIGHT), offset=OFFSET) == pytest.approx(expected, rel=1e-13)
    with pytest.raises(TypeError, match="leave out y"):
        r.objective(source(y=counts, offset=OFFSET), counts)


class Many(Pieces):
    """The rows of an array again and again."""

    def __init__(self, times):
        super().__init__(X)
        self.rows = Dense(frozen(np.tile(X, (50, 1))))
        self.shards = (Shard("rows", 50 * N),) * times

    def pieces(self, shard, parts=("X",)):
        yield Block(self.rows)


def test_no_number_for_each_row_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 15)
    r, many = fastgd.fit(X, Y), Many(400)  # so many that what other threads of the tests take meanwhile is little
    tracemalloc.start()
    try:
        path = r.predict(many, to=tmp_path / "out.npy")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < many.n * 8 / 4
    found = np.load(path, mmap_mode="r")
    assert found.shape == (many.n,)
    np.testing.assert_allclose(found[-N:], r.predict(X), rtol=1e-13)


def test_a_file_of_the_source_is_not_written_over(tmp_path):
    X = np.random.default_rng(0).standard_normal((20, 2))
    np.save(tmp_path / "X.npy", X)
    rows = sources.npy(tmp_path / "X.npy")
    for one in (rows, rows.cached(tmp_path / "cache")):
        with pytest.raises(ValueError, match=r"X.npy' is a file of the source, which would be lost"):
            fastgd.fit(X, X[:, 0]).predict(one, to=tmp_path / "X.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), X)
