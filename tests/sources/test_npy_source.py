"""Arrays in .npy files: whatever numbers they hold, and what is wrong with them."""

import pickle

import numpy as np
import pytest

from fastgd.sources import npy
from fastgd.sources.rows import SourceRows

RNG = np.random.default_rng(5)
PLAIN = RNG.standard_normal((40, 3))


def saved(folder, name, array, **options):
    np.save(folder / f"{name}.npy", array, **options)
    return folder / f"{name}.npy"


KINDS = {
    "float64": (PLAIN, np.float64, True),
    "float32": (PLAIN.astype(np.float32), np.float32, True),
    "Fortran order": (np.asfortranarray(PLAIN), np.float64, False),
    "float16": (PLAIN.astype(np.float16), np.float32, False),
    "big-endian": (PLAIN.astype(">f4"), np.float32, False),
    "whole": (RNG.integers(-(2**53), 2**53, (40, 3), endpoint=True), np.float64, False),
    "bytes": (RNG.integers(0, 255, (40, 3)).astype(np.uint8), np.float64, False),
    "flags": (PLAIN > 0, np.float64, False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_numbers(tmp_path, monkeypatch, kind):
    X, dtype, view = KINDS[kind]
    monkeypatch.setattr("fastgd.sources.npy_source.PIECE_BYTES", 200)
    source = npy(saved(tmp_path, "X", X))
    assert (source.n, source.columns, source.dtype, source.parts) == (40, 3, dtype, ("X",))
    pieces = list(source.pieces(0))
    assert (len(pieces) == 1) == view
    values = [piece.X.values for piece in pieces]
    assert all(some.dtype == dtype and some.flags.c_contiguous and not some.flags.writeable for some in values)
    assert np.shares_memory(values[0], source.array("X")) == view
    assert np.array_equal(np.concatenate(values), X.astype(dtype))
    rows = SourceRows(pickle.loads(pickle.dumps(source)))
    assert np.array_equal(rows.array(), X.astype(dtype))
    assert np.array_equal(rows.take([7, 0, 7]).values, X[[7, 0, 7]].astype(dtype))


def test_targets_of_any_kind(tmp_path):
    X = saved(tmp_path, "X", PLAIN)
    for y in (PLAIN[:, 0], PLAIN[:, :2], np.where(PLAIN[:, 0] > 0, "yes", "no"), np.arange(40) * 2**55):
        source = npy(X, saved(tmp_path, "y", y), weight=saved(tmp_path, "w", np.ones(40, np.uint8)))
        (block,) = source.pieces(0, ("y", "weight"))
        assert block.X is None and block.offset is None and block.rows == 40
        assert np.array_equal(block.y, y) and block.y.dtype == y.dtype
    assert source.digest() != npy(X).digest()


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1])
def test_whole_numbers_that_float64_has_not(tmp_path, value):
    X = np.zeros((40, 3), np.int64)
    X[33, 2] = value
    source = npy(saved(tmp_path, "X", X))
    with pytest.raises(ValueError, match=rf"X.npy, row 33, column 2: {value} is beyond 2\*\*53"):
        SourceRows(source).array()
    with pytest.raises(ValueError, match="row 33, column 2"):
        list(source.pieces(0))
    X = np.full((2, 1), 2**53, np.uint64)
    assert np.array_equal(SourceRows(npy(saved(tmp_path, "X", X))).array(), [[2.0**53]] * 2)


class Any:
    """What pickle would run."""


WRONG = {
    "no rows": (np.ones((0, 3)), ValueError, "0 rows of 3 columns"),
    "no columns": (np.ones((3, 0)), ValueError, "3 rows of 0 columns"),
    "one axis": (np.ones(3), ValueError, r"has shape \(3,\): an array \(rows, columns\)"),
    "three axes": (np.ones((3, 1, 1)), ValueError, r"has shape \(3, 1, 1\)"),
    "complex": (np.ones((3, 1), complex), TypeError, "holds complex128: numbers are needed"),
    "strings": (np.full((3, 1), "1"), TypeError, "holds <U1"),
    "times": (np.zeros((3, 1), "M8[s]"), TypeError, "holds datetime64"),
    "fields": (np.zeros((3, 1), [("a", float)]), TypeError, "numbers are needed"),
    "objects": (np.full((3, 1), Any(), object), ValueError, "objects.*: save numbers or fixed-width strings"),
}


@pytest.mark.parametrize("case", WRONG)
def test_no_array_of_numbers(tmp_path, case):
    X, kind, words = WRONG[case]
    with pytest.raises(kind, match=words) as error:
        npy(saved(tmp_path, "X", X))
    assert "X.npy" in str(error.value)


@pytest.mark.parametrize(
    ("part", "array", "kind", "words"),
    [
        ("y", np.ones(39), ValueError, "has 39 rows, but .*X.npy 40"),
        ("y", np.ones(()), ValueError, r"has shape \(\): one number a row is needed for y"),
        ("y", np.ones((40, 0)), ValueError, "one number a row"),
        ("y", np.ones((40, 1, 1)), ValueError, "one number a row"),
        ("y", np.ones(40, complex), TypeError, "holds complex128: numbers are needed for y"),
        ("weight", np.ones((40, 1)), ValueError, r"has shape \(40, 1\): one number a row is needed for weight"),
        ("weight", np.full(40, "1"), TypeError, "holds <U1: numbers are needed for weight"),
        ("offset", np.ones(41), ValueError, "has 41 rows"),
        ("offset", np.zeros(40, "M8[s]"), TypeError, "for offset"),
    ],
)
def test_vectors_that_do_not_fit(tmp_path, part, array, kind, words):
    X = saved(tmp_path, "X", PLAIN)
    with pytest.raises(kind, match=words) as error:
        npy(X, **{part: saved(tmp_path, part, array)})
    assert f"{part}.npy" in str(error.value)


@pytest.mark.parametrize("keep", [0, 5, 60, 130, 1000])
def test_a_file_that_is_cut_off(tmp_path, keep):
    path = saved(tmp_path, "X", PLAIN)
    raw = path.read_bytes()
    path.write_bytes(raw[:keep])
    assert keep < len(raw)
    with pytest.raises(ValueError, match=r"X.npy can not be read as a .npy file"):
        npy(path)


def test_other_files(tmp_path):
    np.savez(tmp_path / "X.npz", X=PLAIN)
    (tmp_path / "X.txt").write_text("1,2,3\n")
    for name in ("X.npz", "X.txt"):
        with pytest.raises(ValueError, match=rf"{name} can not be read as a .npy file"):
            npy(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"X='.*none.npy' is no file"):
        npy(tmp_path / "none.npy")
    with pytest.raises(FileNotFoundError, match=r"weight='.*none.npy' is no file"):
        npy(saved(tmp_path, "X", PLAIN), weight=tmp_path / "none.npy")
    with pytest.raises(ValueError, match=r"names holds 2 names, but .*X.npy has 3 columns"):
        npy(tmp_path / "X.npy", names=["a", "b"])
    assert npy(tmp_path / "X.npy", names=["a", "b", "c"]).names == ("a", "b", "c")


def test_a_file_that_was_changed_meanwhile(tmp_path):
    source = npy(saved(tmp_path, "X", PLAIN))
    elsewhere = pickle.dumps(source)
    saved(tmp_path, "X", PLAIN[:30])
    with pytest.raises(ValueError, match=r"X.npy now holds \(\(30, 3\), '<f8'\), and \(\(40, 3\), '<f8'\) when"):
        list(pickle.loads(elsewhere).pieces(0))
