"""The one reduction over rows: the same bits however the rows are cut, for any threads, and wherever they lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgd.kernels.lanes import NO_ROLES, Data
from fastgd.kernels.layouts import Dense, frozen
from fastgd.solvers.reduction import TreeSum, chunks_of, part_of, partial_sums, tree_sum


def in_the_order_of_the_tree(numbers):
    """The sum of numbers as the docstring of the module says it."""
    while len(numbers) > 1:
        pairs = [numbers[k] + numbers[k + 1] for k in range(0, len(numbers) - 1, 2)]
        numbers = pairs + numbers[len(numbers) - len(numbers) % 2 :]
    return numbers[0]


def numbers_of(count):
    """Numbers whose sums depend on the order."""
    return np.random.default_rng(count).standard_normal(count) * 10.0 ** np.arange(count).clip(0, 12)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 64, 65, 1000])
def test_sums_are_those_of_a_binary_tree(count):
    numbers = numbers_of(count)
    assert tree_sum(numbers.copy()) == in_the_order_of_the_tree(numbers.tolist())


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 70), st.integers(0, 4), st.randoms(use_true_random=False))
def test_nodes_may_come_in_any_order(count, level, random):
    numbers, total, size = numbers_of(count), TreeSum(count), 1 << level
    level = min(level, (count - 1).bit_length())
    size = 1 << level
    nodes = list(range(-(-count // size)))
    random.shuffle(nodes)
    for node in nodes:
        assert total.result is None
        total.add(level, node, [tree_sum(numbers[node * size : (node + 1) * size].copy()[:, None])])
    assert total.result[0][0] == in_the_order_of_the_tree(numbers.tolist())


def data_of(n, d, targets=1, folds=0):
    """Data in memory."""
    random, none = np.random.default_rng(n), np.empty(0)
    roles = random.integers(-1, 3, (folds, n)).astype(np.int8) if folds else NO_ROLES
    numbers = (frozen(random.standard_normal(shape)) for shape in ((n, d), (targets, n), n))
    X, y, weight = numbers
    return Data(Dense(X), y, weight, none, np.zeros(d), np.ones(d), 1.0, float(n), roles, 0, 1, none)


def column_sums(data, power, chunk, first, last, sums, counts):
    """A kernel: the sums of powers of each chunk's rows times weights and targets, and its rows' numbers."""
    n = data.rows.shape[0]
    for c in range(first, last):
        some = slice(c * chunk, min((c + 1) * chunk, n))
        weight = data.weight[some] * data.targets[:, some].sum(axis=0)
        if data.roles.size:
            weight = weight * data.roles[:, some].sum(axis=0)
        sums[c] = (weight[:, None] * data.rows.values[some] ** power).sum(axis=0)
        counts[c] = data.first + some.start, some.stop - some.start


@pytest.mark.parametrize("targets, folds", [(1, 0), (2, 3)])
@pytest.mark.parametrize("n", [1, 7, 64, 100, 333])
def test_threads_strides_and_parts_give_the_same_bits(n, targets, folds):
    data, chunk, shapes = data_of(n, 5, targets, folds), 8, [(5,), (2,)]
    expected = partial_sums(data, chunk, column_sums, (3,), shapes)
    assert expected[1][1] == n
    for n_threads in (1, 3):
        for stride in (1, 2, 5, 100):
            found = chunks_of(data, chunk, n_threads).sums(column_sums, (3,), shapes, stride)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)
    level, total = 2, TreeSum(-(-n // chunk))
    for node in range(-(-n // (chunk << level))):
        lo, hi = node * chunk << level, min((node + 1) * chunk << level, n)
        level = min(level, (total.count - 1).bit_length())
        total.add(level, node, partial_sums(part_of(data, lo, hi), chunk, column_sums, (3,), shapes))
    np.testing.assert_array_equal(total.result[0], expected[0])


def test_entries_by_chunk_and_by_row():
    data = data_of(100, 3)
    sums, counts, rows = np.empty((13, 3)), np.empty((13, 2)), np.empty(100)
    chunks = chunks_of(data, 8, 2)
    chunks.by_chunk(column_sums, (1,), (sums, counts))
    assert counts[:, 1].sum() == 100 and (counts[:, 0] == np.arange(13) * 8).all()

    def first_column(data, chunk, first, last, out):
        some = slice(first * chunk, min(last * chunk, data.rows.shape[0]))
        out[some] = data.rows.values[some, 0]

    chunks.by_row(first_column, (), rows)
    np.testing.assert_array_equal(rows, data.rows.values[:, 0])
