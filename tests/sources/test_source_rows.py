"""Rows of a source in blocks of any size and by number, whatever its shards and pieces are."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from fastgd.kernels.layouts import CSR, Dense
from fastgd.sources.base import Block, Shard, Source
from fastgd.sources.rows import SourceRows, joined_rows, slice_of

D = 5


class OneMemory(Source):
    """Pieces that all lie in the same memory, as those of a decoder may: what is kept of one is overwritten.

    Unless they are ``lasting``.
    """

    def __init__(self, X, cuts, is_sparse, lasting=False):
        """``cuts``: of each shard, the rows of its pieces."""
        self.lasting = lasting
        self.X, self.cuts, self.sparse = X, cuts, is_sparse
        self.columns, self.dtype, self.parts = X.shape[1], X.dtype, ("X",)
        self.shards = tuple(Shard(f"part {k}", sum(pieces)) for k, pieces in enumerate(cuts))
        self.read = []

    @property
    def stored(self):
        return int(np.count_nonzero(self.X)) if self.sparse else self.X.size

    def pieces(self, shard, parts=("X",)):
        self.read.append(shard)
        lo, room = int(self.starts[shard]), []
        for rows in self.cuts[shard]:
            for array in () if self.lasting else room:
                array[...] = 77
            some = self.X[lo : lo + rows]
            arrays = some_sparse(some).flat() if self.sparse else (some,)
            room = [np.array(array) for array in arrays]
            yield Block(CSR(*room, self.columns) if self.sparse else Dense(*room))
            lo += rows

    def digest(self):
        return "rows"


def some_sparse(X):
    return CSR.of(sparse.csr_array(X))


@st.composite
def sources(draw):
    """A source with its array; shards and pieces may be empty."""
    cuts = draw(st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=1, max_size=4))
    n = sum(map(sum, cuts))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    X = rng.standard_normal((n, D)) * (rng.uniform(size=(n, D)) < draw(st.sampled_from([0.0, 0.3, 1.0])))
    X = X.astype(draw(st.sampled_from([np.float32, np.float64])))
    return OneMemory(X, cuts, draw(st.booleans()), draw(st.booleans()))


def kept(rows):
    """The rows as an array, which is checked to be as kernels want it."""
    arrays = [array for array in rows.flat() if array is not None]
    assert all(array.flags.c_contiguous and not array.flags.writeable for array in arrays)
    if rows.sparse:
        assert (rows.indices.dtype, rows.starts.dtype, rows.starts[0]) == (np.uint32, np.uint64, 0)
        assert rows.starts[-1] == len(rows.indices) == len(rows.values)
    return rows.array()


@given(source=sources(), size=st.integers(1, 30))
def test_blocks_are_those_of_the_array(source, size):
    rows, expected = SourceRows(source), 0
    for first, block in rows.blocks(size):
        assert first == expected and block.dtype == source.dtype
        assert np.array_equal(kept(block), source.X[first : first + size])
        expected += block.shape[0]
    assert expected == len(source.X)
    some = list(rows.blocks())
    assert len(some) == min(1, len(source.X))


@given(source=sources(), size=st.integers(1, 30), data=st.data())
def test_a_cache_holds_the_same_rows(tmp_path_factory, source, size, data):
    n = len(source.X)
    if not n:
        return
    rows = SourceRows(source.cached(tmp_path_factory.mktemp("rows")))
    assert rows.source.shards == source.shards
    assert (rows.shape, rows.dtype, rows.stored) == (source.X.shape, source.X.dtype, source.stored)
    assert np.array_equal(np.concatenate([kept(block) for _, block in rows.blocks(size)]), source.X)
    pieces = [kept(block.X) for shard in range(len(source.shards)) for block in rows.source.pieces(shard)]
    assert np.array_equal(np.concatenate(pieces), source.X)
    numbers = data.draw(st.lists(st.integers(0, n - 1), max_size=9))
    assert np.array_equal(kept(rows.take(numbers)), source.X[numbers])


@given(source=sources(), data=st.data())
def test_rows_by_number_or_flag(source, data):
    n = len(source.X)
    numbers = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=20) if n else st.just([])), np.int64)
    rows = SourceRows(source)
    assert np.array_equal(kept(rows.take(numbers)), source.X[numbers])
    assert set(source.read) == set(np.searchsorted(source.starts, numbers, "right") - 1), "only shards that have some"
    flags = np.isin(np.arange(n), numbers)
    assert np.array_equal(kept(rows.take(flags)), source.X[flags])


@given(source=sources(), m=st.sampled_from([(), (3,)]))
def test_scores_and_numbers_that_are_not_finite(source, m):
    if not len(source.X):
        return
    coef = np.random.default_rng(0).standard_normal((*m, D))
    rows = SourceRows(source)
    np.testing.assert_allclose(rows.scores(coef), source.X.astype(float) @ coef.T, rtol=1e-12, atol=1e-12)
    assert rows.non_finite() is None
    assert np.array_equal(rows.array(), source.X)
    row = len(source.X) // 2
    source.X[row, 3] = np.nan
    assert rows.non_finite() == (row, 3)


@given(data=st.data(), is_sparse=st.booleans(), n=st.integers(0, 9))
def test_slices_joined_are_the_rows(data, is_sparse, n):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, D)) * (rng.uniform(size=(n, D)) < 0.4)
    rows = some_sparse(X) if is_sparse else Dense(X)
    edges = [0, *sorted(data.draw(st.lists(st.integers(0, n), max_size=4))), n]
    pairs = list(itertools.pairwise(edges))
    parts = [slice_of(rows, lo, hi) for lo, hi in pairs]
    for part, (lo, hi) in zip(parts, pairs, strict=True):
        assert np.array_equal(part.array(), X[lo:hi])
        assert part.stored == 0 or np.shares_memory(part.values, rows.values)
    like = SourceRows(OneMemory(X, [[n]], is_sparse))
    assert np.array_equal(joined_rows(parts, like).array(), X)
    assert joined_rows([], like).shape == (0, D)


def test_places_and_types():
    rows = SourceRows(OneMemory(np.zeros((5, D)), [[2], [], [1, 2]], False))
    assert [rows.place(row) for row in (0, 2, 4)] == ["part 0, row 0", "part 2, row 0", "part 2, row 2"]
    assert rows.astype(np.float64) is rows
    with pytest.raises(TypeError, match=r"holds float64, and float32 is needed: open it with dtype="):
        rows.astype(np.float32)


def test_foreseen_rows_of_a_pass_that_ended_early_come_once():
    X = np.arange(60.0).reshape(12, D)
    rows, wanted = SourceRows(OneMemory(X, [[4, 4], [4]], False)), np.array([0, 5, 9])
    rows.foresee(wanted)
    early = rows.blocks(1)
    next(early)
    early.close()
    assert sum(len(block.values) for _, block in rows.blocks(4)) == 12
    rows.source.read.clear()
    np.testing.assert_array_equal(rows.take(wanted).values, X[wanted])
    assert rows.source.read == []
