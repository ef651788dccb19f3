"""What both layouts answer in NumPy, against NumPy itself."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from fastgd.inputs import arrays
from fastgd.kernels import layouts


@st.composite
def tables(draw):
    """Rows that may be empty, of one type, as both layouts, with the array they stand for."""
    n, d, seed = draw(st.integers(1, 9)), draw(st.integers(1, 6)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    kind = draw(st.sampled_from([np.float32, np.float64]))
    share = draw(st.sampled_from([0.0, 0.2, 0.6, 1.0]))
    array = (rng.integers(-9, 9, (n, d)) * (rng.uniform(size=(n, d)) < share)).astype(kind)
    return array, arrays.matrix(array)[0], arrays.matrix(sparse.csr_array(array))[0]


@pytest.fixture(params=[1, 3, layouts.BLOCK], ids="blocks of {}".format)
def block(request, monkeypatch):
    """Blocks that end within rows, and one for all."""
    monkeypatch.setattr(layouts, "BLOCK", request.param)
    return request.param


@given(table=tables())
def test_shape_and_type(table):
    array, *both = table
    for rows in both:
        assert rows.shape == array.shape
        assert rows.dtype == array.dtype
        assert rows.array().dtype == np.float64
        np.testing.assert_array_equal(rows.array(), array)
        given_back = rows.given()
        np.testing.assert_array_equal(given_back.toarray() if rows.sparse else given_back, array)
    assert [rows.stored for rows in both] == [array.size, np.count_nonzero(array)]


@given(table=tables(), seed=st.integers(0, 99), size=st.sampled_from([1, 3, 7, layouts.BLOCK]))
def test_scores(table, seed, size):
    array, *both = table
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layouts, "BLOCK", size)
        for coef in (rng.standard_normal(array.shape[1]), rng.standard_normal((3, array.shape[1]))):
            exact = array.astype(float) @ coef.T
            for rows in both:
                scores = rows.scores(coef)
                assert scores.dtype == np.float64
                np.testing.assert_allclose(scores, exact, rtol=1e-12, atol=1e-12)


@given(table=tables(), seed=st.integers(0, 99))
def test_some_of_the_rows(table, seed):
    array, *both = table
    rng = np.random.default_rng(seed)
    n = len(array)
    picks = (rng.integers(0, n, 5), rng.uniform(size=n) < 0.5, np.arange(0), np.zeros(n, bool), np.arange(n)[::-1])
    for rows in both:
        for pick in picks:
            some = rows.take(pick)
            assert type(some) is type(rows)
            np.testing.assert_array_equal(some.array().reshape(-1, array.shape[1]), array[pick])
            for part in some[: 3 if rows.sparse else 1]:
                assert not part.flags.writeable
                assert part.flags.c_contiguous
                assert not np.shares_memory(part, rows.values)
        if rows.sparse:
            assert (some.indices.dtype, some.starts.dtype) == (np.uint32, np.uint64)


@given(table=tables())
def test_another_type(table):
    array, *both = table
    for rows in both:
        same = rows.astype(array.dtype)
        assert np.shares_memory(same.values, rows.values) or not rows.values.size
        for kind in (np.float32, np.float64):
            other = rows.astype(kind)
            assert other.dtype == kind
            assert not other.values.flags.writeable
            np.testing.assert_array_equal(other.array(), array)


@given(table=tables(), place=st.integers(0, 53), value=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_the_first_that_is_not_finite(table, place, value):
    array, *both = table
    assert [rows.non_finite() for rows in both] == [None, None]
    bad = array.copy()
    bad.flat[[place % bad.size, (place + 2) % bad.size]] = value
    first = tuple(map(int, np.argwhere(~np.isfinite(bad))[0]))
    for size in (1, 4, layouts.BLOCK):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layouts, "BLOCK", size)
            for given_rows in (bad, sparse.csr_array(bad)):
                assert arrays.matrix(given_rows)[0].non_finite() == first


def test_blocks_cover_all_rows(block):
    for counts in ([0, 0, 5, 0, 1, 0], [0], [7], [1] * 9, [0] * 9):
        starts = np.append(0, np.cumsum(counts))
        array = np.zeros((len(counts), 8))
        for i, count in enumerate(counts):
            array[i, :count] = 1 + np.arange(count)
        rows = arrays.matrix(sparse.csr_array(array))[0]
        np.testing.assert_array_equal(rows.starts, starts)
        ends = list(rows.blocks())
        assert ends[0][0] == 0 and ends[-1][1] == len(counts)
        assert all(a[1] == b[0] for a, b in itertools.pairwise(ends))
        np.testing.assert_array_equal(rows.scores(np.ones(8)), array.sum(axis=1))
        assert rows.non_finite() is None


def test_users_arrays_are_never_written():
    X = sparse.random_array((30, 5), density=0.3, rng=0, format="csr")
    rows = arrays.matrix(X)[0]
    for array in rows[:3]:
        assert not array.flags.writeable
    assert X.data.flags.writeable
    shown = rows.given()
    assert np.shares_memory(shown.indices, X.indices)
    for array in (shown.data, shown.indices):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
