"""SciPy's sparse formats as input: what is malformed is one clear error, what is sound is hardly copied."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from conftest import slow_to_compile
from hypothesis import given
from hypothesis import strategies as st
from malformed_sparse import MALFORMED, random_rows
from scipy import sparse

import fastgd
from fastgd.inputs import arrays, sparse_rows
from fastgd.sources import sparse_checks

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
KINDS = [getattr(sparse, f"{name}_{kind}") for name in FORMATS for kind in ("array", "matrix")]
CHECKED = sparse_checks.CHECKED


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_malformed_is_named(case):
    make, words = MALFORMED[case]
    for call in (arrays.matrix, lambda X: fastgd.fit(X, np.arange(12.0))):
        with pytest.raises((ValueError, TypeError), match=re.escape(words)) as told:
            call(make())
        assert re.search(r"\bX\b", str(told.value))


@pytest.mark.parametrize("make", KINDS, ids=lambda kind: kind.__name__)
def test_every_format_is_read(make):
    dense = random_rows(12, 6)
    dense[[0, 5, 11]] = 0.0
    dense[:, 3] = 0.0
    for values in (dense, 0 * dense):
        X = make(values)
        before = [np.array(part) for part in parts_of(X)]
        rows, names, note = arrays.matrix(X)
        np.testing.assert_array_equal(rows.array(), values)
        assert names is None and (note is None) == (X.format == "csr")
        assert note is None or X.format.upper() in note
        for part, old in zip(parts_of(X), before, strict=True):
            np.testing.assert_array_equal(part, old)
        canonical(rows)


def parts_of(X):
    names = {
        "csr": "data indices indptr",
        "csc": "data indices indptr",
        "bsr": "data indices indptr",
        "coo": "data row col",
    }
    names |= {"dia": "data offsets", "lil": "", "dok": ""}
    return [getattr(X, name) for name in names[X.format].split()]


def canonical(rows):
    """What kernels take for granted."""
    assert (rows.indices.dtype, rows.starts.dtype) == (np.uint32, np.uint64)
    assert rows.values.dtype in (np.float32, np.float64)
    assert rows.starts[0] == 0 and rows.starts[-1] == rows.indices.size == rows.values.size
    starts = rows.starts.astype(int)
    for a, b in itertools.pairwise(starts):
        assert (np.diff(rows.indices[a:b].astype(int)) > 0).all() and a <= b
    assert not rows.indices.size or rows.indices.max() < rows.columns
    for array in rows[:3]:
        assert array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative and not array.flags.writeable
    sparse_rows.still_sound(rows)


@pytest.mark.parametrize("kind", "?bhilqBHILQefdg")
@pytest.mark.parametrize("name", FORMATS)
def test_numbers_of_every_type(kind, name):
    dense = (3 * random_rows()).astype(kind)
    if kind == "e":  # SciPy makes none of this type itself
        X = sparse.csr_array(dense.astype("f"))
        X.data = X.data.astype(kind)
    else:
        X = getattr(sparse, f"{name}_array")(sparse.coo_array(dense))
    rows, _, note = arrays.matrix(X)
    np.testing.assert_array_equal(rows.array(), dense.astype(float))
    assert rows.dtype == (np.float32 if kind in "ef" else np.float64)
    assert X.format != "csr" or (note is None) == (kind in "fd")


def test_canonical_rows_are_not_copied():
    for kind, pointer in itertools.product((np.float32, np.float64), (np.int32, np.int64)):
        X = sparse.csr_array(random_rows(kind=kind))
        X.indptr = X.indptr.astype(pointer)
        for part in (X.data, X.indices, X.indptr):
            part.flags.writeable = False
        rows, _, note = arrays.matrix(X)
        assert np.shares_memory(rows.values, X.data) and np.shares_memory(rows.indices, X.indices)
        assert np.shares_memory(rows.starts, X.indptr) == (pointer is np.int64)
        assert note is None
        canonical(rows)


def test_wide_indices_are_copied_once_and_told():
    X = sparse.csr_array(random_rows())
    X.indices = X.indices.astype(np.int64)
    rows, _, note = arrays.matrix(X)
    assert note == "X.indices copied, from int64 to uint32"
    assert np.shares_memory(rows.values, X.data)
    canonical(rows)
    assert fastgd.fit(X, np.arange(12.0)).choices["X"] == note
    assert "X" not in fastgd.fit(sparse.csr_array(random_rows()), np.arange(12.0)).choices


@pytest.mark.parametrize(
    "name, change",
    [
        ("big-endian", lambda a: a.astype(a.dtype.newbyteorder(">"))),
        ("strided", lambda a: np.repeat(a, 2)[::2]),
        ("reversed", lambda a: a[::-1].copy()[::-1]),
        ("unaligned", lambda a: np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(a.dtype)),
        ("longer than used", lambda a: np.append(a, a[-1:])),
    ],
)
def test_arrays_that_lie_otherwise(name, change):
    dense = random_rows()
    for parts in (["data"], ["indices"], ["indptr"], ["data", "indices", "indptr"]):
        X = sparse.csr_array(dense)
        for part in parts:
            if name != "longer than used" or part == "data" or parts == ["indices"]:
                setattr(X, part, change(getattr(X, part)))
        rows, _, note = arrays.matrix(X)
        np.testing.assert_array_equal(rows.array(), dense)
        canonical(rows)
        assert (note is None) == (parts == ["indptr"] or name == "longer than used")


def test_memory_maps_are_read_where_they_are(tmp_path):
    X = sparse.csr_array(random_rows())
    for part in ("data", "indices", "indptr"):
        np.save(tmp_path / part, getattr(X, part))
        setattr(X, part, np.load(tmp_path / f"{part}.npy", mmap_mode="r"))
    rows, _, note = arrays.matrix(X)
    assert note is None and np.shares_memory(rows.values, X.data)
    np.testing.assert_array_equal(rows.array(), random_rows())
    canonical(rows)


@given(
    n=st.integers(1, 8),
    d=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([np.int32, np.int64, np.uint32, np.int16, ">i4"]),
    count=st.integers(0, 30),
    checked=st.sampled_from([1, 2, 5, CHECKED]),
)
def test_rows_in_any_order_come_in_order(n, d, seed, kind, count, checked):
    """Unsorted columns, those that stand twice, empty rows; blocks of the check that end anywhere."""
    rng = np.random.default_rng(seed)
    X = sparse.csr_array((n, d))
    X.indptr = np.sort(np.concatenate([[0], rng.integers(0, count + 1, n - 1), [count]])).astype(np.int32)
    X.indices, X.data = rng.integers(0, d, count).astype(kind), rng.integers(-5, 5, count).astype(float)
    dense = np.zeros((n, d))
    np.add.at(dense, (np.repeat(np.arange(n), np.diff(X.indptr)), X.indices), X.data)
    before = X.indptr.copy(), X.indices.copy(), X.data.copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_checks, "CHECKED", checked)
        rows, _, note = arrays.matrix(X)
        canonical(rows)
    np.testing.assert_array_equal(rows.array(), dense)
    for part, old in zip((X.indptr, X.indices, X.data), before, strict=True):
        np.testing.assert_array_equal(part, old)
    row = np.repeat(np.arange(n), np.diff(X.indptr))
    sound = all(row[k] != row[k - 1] or X.indices[k] > X.indices[k - 1] for k in range(1, count))
    assert sound == ("sort" not in (note or ""))


@pytest.mark.parametrize("kind", [np.int32, np.int64])
@pytest.mark.parametrize("place", [CHECKED - 1, CHECKED, CHECKED + 1, 2 * CHECKED, 2 * CHECKED + 9])
def test_a_wrong_index_is_found_wherever_a_block_ends(kind, place):
    n, width = 2 * CHECKED // 10 + 2, 10
    indices = np.tile(np.arange(width), n).astype(kind)
    X = sparse.csr_array((np.ones(indices.size), indices, np.arange(0, indices.size + 1, width)), shape=(n, width))
    X.indices = indices
    assert place < indices.size
    for value in (width, -1, np.iinfo(kind).max, np.iinfo(kind).min):
        old, indices[place] = indices[place], value
        with pytest.raises(ValueError, match=rf"X.indices must be .* it holds {value} in row {place // width}\."):
            arrays.matrix(X)
        indices[place] = old
    rows, _, _ = arrays.matrix(X)
    assert rows.indices.size == indices.size
    indices[place] = indices[place - 1] if place % width else indices[place + 1]  # twice
    rows, _, note = arrays.matrix(X)
    assert rows.indices.size == indices.size - 1 and "duplicates" in note


@pytest.mark.parametrize("make", KINDS[:6], ids=lambda kind: kind.__name__)
def test_explicit_zeros_stay(make):
    X = make((np.zeros(3), (np.array([0, 1, 2]), np.array([1, 0, 1]))), shape=(3, 2))
    assert arrays.matrix(X)[0].stored == 3


@pytest.mark.parametrize("options", [{}, {"batch_size": 4}, {"batch_size": 1, "learning_rate": 0.01}])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named_as_in_dense_rows(value, options):
    dense = random_rows()
    dense[7, 2] = value
    said = []
    for X in (dense, sparse.csr_array(dense), sparse.csc_array(dense)):
        with pytest.raises(ValueError, match="X holds NaN or infinity, the first in row 7, column 2") as told:
            fastgd.fit(X, np.arange(12.0), random_state=0, **options)
        said.append(str(told.value))
        r = fastgd.fit(sparse.csr_array(random_rows()), np.arange(12.0), random_state=0)
        with pytest.raises(ValueError, match="row 7, column 2"):
            r.predict(X)
    assert len(set(said)) == 1


def test_sparse_columns_of_a_frame():
    dense = random_rows()
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csc_array(dense), columns=list("abcde"))
    rows, names, note = arrays.matrix(frame)
    assert rows.sparse and names == tuple("abcde") and "CSR" in note
    np.testing.assert_array_equal(rows.array(), dense)
    r = fastgd.fit(frame, np.arange(12.0))
    assert r.feature_names == names
    np.testing.assert_array_equal(r.predict(frame), r.predict(sparse.csr_array(dense)))
    mixed = frame.assign(a=1.0)
    assert not arrays.matrix(mixed)[0].sparse
    missing = pd.DataFrame(dense).astype(pd.SparseDtype(float, np.nan))
    np.testing.assert_array_equal(arrays.matrix(missing)[0].array(), dense)


@pytest.mark.parametrize("write", [lambda X: np.copyto(X.indices, 10**9), lambda X: np.copyto(X.indptr, 10**6)])
def test_what_is_written_afterwards_is_an_error_and_no_crash(write):
    def made():
        X = sparse.csr_array(random_rows())
        X.indptr = X.indptr.astype(np.int64)
        return X

    X = made()
    r = fastgd.fit(X, np.arange(12.0), learning_rate=0.01, epochs=2)
    write(X)
    for call in (lambda: r.objective(X, np.arange(12.0)), lambda: r.predict(X)):
        with pytest.raises(ValueError, match=r"X.ind(ices must be at least 0|ptr must start with 0)"):
            call()
    X = made()
    with pytest.raises(ValueError, match="X was changed"):
        fastgd.fit(X, np.arange(12.0), learning_rate=0.01, epochs=3, batch_size=4, callback=lambda _: write(X))


def test_sparse_targets_are_refused():
    y = sparse.csr_array(np.arange(12.0)[:, None])
    with pytest.raises(TypeError, match="y is a sparse array"):
        fastgd.fit(sparse.csr_array(random_rows()), y)


@pytest.fixture
def checks(monkeypatch):
    """The number of times that indices are read to check them, in a list."""
    counted, check = [], sparse_rows.ascends
    monkeypatch.setattr(sparse_rows, "ascends", lambda rows: counted.append(rows) or check(rows))
    return counted


TARGETS = np.arange(12.0)
CALLS = {
    "fit": lambda X: fastgd.fit(X, TARGETS),
    "fit, validation": lambda X: fastgd.fit(X, TARGETS, validation=0.2, evaluate=True, random_state=0),
    "fit, bootstrap": lambda X: fastgd.fit(X, TARGETS, bootstrap=3, random_state=0),
    "partial_fit": lambda X: fastgd.partial_fit(X, TARGETS),
    "sweep": lambda X: fastgd.sweep(X, TARGETS, alpha=[0.1, 1.0], loss=["squared_error", "huber", "poisson"]).table(),
    "sweep, cv": lambda X: fastgd.sweep(X, TARGETS, alpha=[0.1, 1.0], cv=3, random_state=0),
    "lr_find": lambda X: fastgd.lr_find(X, TARGETS, random_state=0),
    "SGDRegressor": lambda X: fastgd.SGDRegressor(tol=None, max_iter=2).fit(X, TARGETS),
    "SGDRegressor, early stopping": lambda X: fastgd.SGDRegressor(
        early_stopping=True, tol=None, max_iter=2, learning_rate="constant", random_state=0
    ).fit(X, TARGETS),
    "SGDClassifier": lambda X: fastgd.SGDClassifier(tol=None, max_iter=2).fit(X, TARGETS % 3),
    "SGDClassifier.partial_fit": lambda X: fastgd.SGDClassifier().partial_fit(X, TARGETS % 3, classes=[0, 1, 2]),
}


@slow_to_compile
@pytest.mark.parametrize("call", CALLS)
def test_a_call_checks_the_indices_once(call, checks):
    pytest.importorskip("sklearn")
    wide = sparse.csr_array(random_rows())
    wide.indices = wide.indices.astype(np.int64)
    for X in (sparse.csr_array(random_rows()), sparse.csr_matrix(random_rows(kind=int)), sparse.csc_array(wide), wide):
        checks.clear()
        CALLS[call](X)
        assert len(checks) == 1


def test_indices_are_checked_again_after_a_callback(checks):
    X = sparse.csr_array(random_rows())
    fastgd.fit(X, TARGETS, learning_rate=0.01, epochs=3, callback=lambda _: None)
    assert len(checks) == 1 + 3


def test_rows_that_were_checked_are_taken_as_they_are(checks):
    X = sparse.csr_array(random_rows())
    matrix = arrays.matrix(X)
    assert arrays.matrix(matrix) is matrix
    assert arrays.matrix(matrix.rows).rows is matrix.rows
    dense = random_rows()
    assert arrays.checked(dense) is dense
    again = arrays.matrix(arrays.checked(X[3:9]))
    np.testing.assert_array_equal(again.rows.array(), dense[3:9])
    canonical(again.rows)
    wide = arrays.checked(sparse.csr_array((X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), X.shape))
    np.testing.assert_array_equal(wide.rows.array(), dense)
    assert len(checks) == 2  # ``canonical`` asks too
