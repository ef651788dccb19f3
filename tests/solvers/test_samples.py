"""Samples of rows: spread over all rows, nested, the same each time, with all that belongs to a row."""

import itertools

import numpy as np
import pytest
from conftest import plan_of
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from fastgd.solvers import samples
from fastgd.solvers.quasi_newton import QuasiNewton
from fastgd.solvers.samples import RUN, first_of, rows_of_sample, sample_of, sizes
from fastgd.solvers.spaces import used_columns
from fastgd.solvers.stage_order import stages_of

RNG = np.random.default_rng(4)
N, D = 20_000, 6
X = RNG.standard_normal((N, D))
X[:, 0] = np.arange(N)  # says which row it is
Y = X[:, 1:] @ np.arange(1.0, D) + RNG.standard_normal(N)


def data_of(X=X, y=Y, **options):
    """The data that kernels read."""
    plain = {"n_threads": 1, "standardize": False, "fit_intercept": False, "loss": "huber"}
    plan = plan_of(X, y, **plain | options)
    assert plan.solver is QuasiNewton
    return plan, plan.data


# Which rows ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 400), st.integers(RUN, 10**6))
def test_the_rows_differ_and_exist(runs, more):
    n = 4 * runs * RUN + more
    rows = rows_of_sample(n, runs * RUN)
    assert len(np.unique(rows)) == len(rows) == runs * RUN
    assert rows.min() >= 0
    assert rows.max() < n


@pytest.mark.parametrize(("n", "m"), [(20_000, 2_496), (999, 240), (10**6, 60_000)])
def test_each_stratum_has_one_run(n, m):
    rows = rows_of_sample(n, m).reshape(-1, RUN)
    np.testing.assert_array_equal(rows - rows[:, :1], np.tile(np.arange(RUN), (len(rows), 1)))
    stratum, begins = n / len(rows), np.sort(rows[:, 0])
    assert (begins > np.arange(len(rows)) * stratum - 1).all()
    assert (begins + RUN <= np.arange(1, len(rows) + 1) * stratum).all()


def test_the_first_rows_are_a_sample_too():
    """Of tenths of all rows a prefix has as many as a random choice of runs would have."""
    n, m = 1_000_000, 64_000
    rows = rows_of_sample(n, m)
    for part in (m // 8, m // 64):
        counts = np.bincount(rows[:part] // (n // 10), minlength=10) / RUN
        expected = part / RUN / 10
        assert np.abs(counts - expected).max() < 4 * np.sqrt(expected)


def test_the_rows_are_the_same_each_time():
    np.testing.assert_array_equal(rows_of_sample(N, 2000), rows_of_sample(N, 2000))


# How many -----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10**8), st.integers(1, 5000), st.integers(1, 10**5))
def test_samples_grow_within_their_limits(n, columns, row_bytes):
    found = sizes(n, columns, row_bytes)
    assert found == sorted(set(found))
    for m in found:
        assert m % RUN == 0
        assert max(samples.PER_COLUMN * columns, samples.LEAST) <= m <= n // 2  # beyond a quarter for metrics alone
        assert m * row_bytes <= samples.LARGEST_BYTES
    for smaller, larger in itertools.pairwise(found):
        assert smaller <= larger / samples.SHARE
    if found:
        assert found[-1] <= max(samples.ENOUGH, samples.PER_COLUMN) * columns


def test_of_few_rows_there_are_no_samples():
    assert sizes(1999, 6, 48) == []
    assert sizes(20_000, 1000, 8000) == []
    assert sizes(20_000, 6, 48) == [2496]
    assert sizes(10**6, 50, 400) == [768, 6240, 50_000]


# What goes along ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparse", [False, True])
def test_all_that_belongs_to_a_row_goes_along(sparse):
    weight, offset = RNG.uniform(0.5, 2.0, N), RNG.standard_normal(N)
    _, data = data_of(csr_array(X) if sparse else X, Y > 0, sample_weight=weight, offset=offset, loss="log_loss")
    rows = rows_of_sample(N, 2496)
    found = sample_of(data, rows)
    np.testing.assert_array_equal(found.rows.array(), X[rows])
    np.testing.assert_array_equal(found.targets, data.targets[:, rows])
    np.testing.assert_array_equal(found.weight, data.weight[rows])
    np.testing.assert_array_equal(found.offset, data.offset[rows])
    np.testing.assert_allclose(found.weight / data.weight.mean(), weight[rows] / weight.mean())
    assert found.count == pytest.approx(data.weight[rows].sum())
    few = first_of(found, 320)
    np.testing.assert_array_equal(few.rows.array(), X[rows[:320]])
    np.testing.assert_array_equal(few.targets, data.targets[:, rows[:320]])
    np.testing.assert_array_equal(few.offset, offset[rows[:320]])
    assert few.count == pytest.approx(data.weight[rows[:320]].sum())
    assert np.shares_memory(few.rows.values, found.rows.values)
    assert np.shares_memory(few.weight, found.weight)
    assert np.shares_memory(few.offset, found.offset)
    assert not found.rows.values.flags.writeable
    assert not few.targets.flags.writeable


@pytest.mark.parametrize("sparse", [False, True])
def test_without_weights_rows_are_counted(sparse):
    _, data = data_of(csr_array(X) if sparse else X)
    found = sample_of(data, rows_of_sample(N, 2496))
    assert (found.count, first_of(found, 160).count) == (2496.0, 160.0)
    assert (found.weight.size, found.offset.size) == (0, 0)
    assert found.rows.shape == (2496, D)


# Stages -------------------------------------------------------------------------------------------------------------


def test_stages_grow_to_all_rows():
    plan, data = data_of()
    stages = stages_of(plan, data)
    assert [stage.rows for stage in stages] == [2496, N]
    assert [stage.whole for stage in stages] == [False, True]
    assert stages[-1].metric_rows == 2496
    assert stages[-1].data is data


def test_rows_held_out_are_never_drawn():
    plan, data = data_of(validation=0.4, random_state=1)
    trained = set(plan.rows.tolist())
    stages = stages_of(plan, data)
    assert len(stages) == 2
    drawn = stages[0].data.rows.values[:, 0].astype(int)
    assert len(np.unique(drawn)) == len(drawn)
    assert set(drawn.tolist()) <= trained


def test_samples_of_rows_without_weight_are_left_out():
    weight = np.zeros(N)
    weight[:3] = 1.0
    plan, data = data_of(sample_weight=weight)
    assert all(stage.data.count > 0 for stage in stages_of(plan, data))


def test_where_folds_weigh_rows_there_are_no_samples():
    plan, data = data_of(bootstrap=2, random_state=0)
    assert [stage.rows for stage in stages_of(plan, data)] == [N]


def test_columns_without_numbers_are_left_out():
    rows = random_array((50, 80), density=0.01, format="csr", rng=np.random.default_rng(0))
    plan, _ = data_of(csr_array(rows), np.arange(50.0))
    used = used_columns(plan)
    np.testing.assert_array_equal(used, np.flatnonzero(rows.toarray().any(axis=0)))
    assert used_columns(data_of(csr_array(rows)[:, used], np.arange(50.0))[0]) is None
    coef = np.zeros(80)
    coef[-1] = 1.0
    assert used_columns(data_of(csr_array(rows), np.arange(50.0), start=(coef, 0.0))[0]) is None
    assert used_columns(data_of(X[:50], Y[:50])[0]) is None
