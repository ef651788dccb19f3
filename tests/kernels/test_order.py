"""Row order: permutations, distinct draws, a function of (seed, epoch) alone, the same as the reference's."""

import itertools

import numpy as np
import pytest
from scipy import stats

from fastgd.kernels import order
from fastgd.solvers import textbook

SHUFFLES = ["block", "full", "replacement", False]


def rows(shuffle, seed, epoch, n, batch=1, start=0, count=None):
    """The rows at positions start.. of an epoch, as the drive asks the kernels for them."""
    kind = order.KINDS[shuffle]
    positions = -(-n // batch) * batch if shuffle == "replacement" else n
    out, ahead = np.empty((2, positions - start if count is None else count), np.int64)
    drawn = np.empty(n if kind == order.FULL else -(-n // order.BLOCK_ROWS), np.uint32)
    with np.errstate(over="ignore"):
        order.permutation(seed, epoch, drawn)
        order.fill(kind, seed, epoch, n, batch, drawn, start, out, ahead)
    assert ((ahead >= 0) & (ahead < n)).all()
    return out


@pytest.mark.parametrize("shuffle", ["block", "full", False])
def test_an_epoch_holds_every_row_once(shuffle):
    for n in range(1, 301):
        np.testing.assert_array_equal(np.sort(rows(shuffle, 3, n, n)), np.arange(n))


@pytest.mark.jit
@pytest.mark.parametrize("n", [4095, 4096, 4097, 64 * 64 * 3 + 1, 100_000, 1_000_003])
@pytest.mark.parametrize("shuffle", ["block", "full"])
def test_a_large_epoch_holds_every_row_once(shuffle, n):
    np.testing.assert_array_equal(np.sort(rows(shuffle, 2**62, 5, n)), np.arange(n))


@pytest.mark.parametrize("batch", [1, 2, 7, 64, 65, 200, 299, 300])
def test_replacement_draws_distinct_rows_within_a_batch(batch):
    drawn = rows("replacement", 11, 0, 300, batch)
    for start in range(0, 300, batch):
        assert np.unique(drawn[start : start + batch]).size == batch
    assert drawn.min() >= 0
    assert drawn.max() < 300
    assert not np.array_equal(drawn[:batch], drawn[batch : 2 * batch])


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_order_is_a_function_of_seed_and_epoch_whatever_the_slices(shuffle):
    n, batch = 9000, 75
    whole = rows(shuffle, 5, 2, n, batch)
    cuts = [0, 75, 4050, 4125, 8250, 9000]
    parts = [rows(shuffle, 5, 2, n, batch, a, b - a) for a, b in itertools.pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    if shuffle:
        for seed, epoch in ((6, 2), (5, 3)):
            assert np.mean(rows(shuffle, seed, epoch, n, batch) == whole) < 0.01


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 200, 4096, 4097, 9000])
@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_kernels_draw_what_the_reference_draws(shuffle, n):
    for seed, epoch, batch in ((0, 0, 1), (12345, 7, 32), (2**62 - 1, 2**40, 100)):
        batch = min(batch, n)
        np.testing.assert_array_equal(
            rows(shuffle, seed, epoch, n, batch), textbook.row_order(shuffle, seed, epoch, n, batch)
        )


@pytest.mark.parametrize("n", [5, 65, 130])
@pytest.mark.parametrize("shuffle", ["block", "full"])
def test_every_row_comes_first_equally_often(shuffle, n):
    epochs = 40 * n if n < 100 else 20 * n
    first = [textbook.row_order(shuffle, 0, epoch, n, 1)[0] for epoch in range(epochs)]
    assert stats.chisquare(np.bincount(first, minlength=n)).pvalue > 1e-3


@pytest.mark.parametrize("n, batch", [(5, 1), (5, 2), (7, 5), (100, 16)])
def test_every_row_is_drawn_equally_often(n, batch):
    counts = np.bincount(np.concatenate([textbook.drawn(batch, n, textbook.stream(1, k, 16)) for k in range(30 * n)]))
    # Distinct rows in a batch: the counts vary less than independent draws, by (n - batch)/(n - 1).
    statistic = np.sum((counts - 30 * batch) ** 2) / (30 * batch) * (n - 1) / (n - batch)
    assert 1e-3 < stats.chi2.sf(statistic, n - 1) < 1 - 1e-3


def test_block_order_reads_whole_blocks_within_a_window():
    drawn = rows("block", 0, 0, order.BLOCK_ROWS * order.WINDOW_BLOCKS * 2)
    for window in np.split(drawn, 2):
        assert np.unique(window // order.BLOCK_ROWS).size == order.WINDOW_BLOCKS
