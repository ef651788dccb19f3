"""Many lanes on sparse rows: what they are on the same rows written out, at the cost of their numbers."""

import numpy as np
import pytest
from conftest import plan_of
from scipy import sparse

import fastgd
from fastgd.kernels import full_batch, multi_sums
from fastgd.solvers import multi_lane, multi_lane_passes
from fastgd.solvers.gram import Grams
from fastgd.solvers.multi_lane import steps
from fastgd.solvers.multi_lane_passes import ManyPasses
from fastgd.solvers.reduction import tree_sum

N, D = 231, 23
RATES = np.geomspace(1e-3, 0.1, 9)  # of two vectors of lanes, the second with padding


def made_rows(n=N, d=D, density=0.15, dtype=np.float64):
    """Rows of which one is empty, with a column that is never touched, and their targets."""
    rng = np.random.default_rng(4)
    X = sparse.random_array((n, d), density=density, format="lil", rng=rng, data_sampler=rng.standard_normal)
    X[5], X[:, 3] = 0, 0
    X = X.tocsr().astype(dtype)
    return X, X @ rng.standard_normal(d) + 0.3 * rng.standard_normal(n)


X, Y = made_rows()
LABELS = (Y > 0).astype(int)
SWEPT = {"random_state": 0, "epochs": 3, "tol": None, "learning_rate": RATES, "loss": "log_loss"}


def models(found):
    """All numbers of a result's models."""
    runs = found.results if hasattr(found, "results") else [found]
    found = [r for run in runs for r in (run if isinstance(run, list) else [run])]
    return np.array([np.append(np.ravel(r.coef), r.intercept) for r in found])


def agree(call, y, **options):
    """The same models from sparse rows and from the same rows written out."""
    there, here = (models(call(rows, y, standardize="scale", **options)) for rows in (X.toarray(), X))
    np.testing.assert_allclose(here, there, rtol=1e-10, atol=1e-10)
    assert np.abs(here).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("batch", [None, 1, 16, 300])
def test_plain_sweeps_agree(batch):
    agree(fastgd.sweep, LABELS, **SWEPT, batch_size=batch, optimizer="sgd")


@pytest.mark.slow
@pytest.mark.parametrize("batch", [None, 1, 16, 300])
@pytest.mark.parametrize("alpha, l1_ratio, bounds", [(0.05, 0.0, None), (0.05, 0.5, None), (0.05, 0.9, (-0.2, 0.1))])
def test_penalised_sweeps_agree(batch, alpha, l1_ratio, bounds):
    alphas = [0.0, alpha]
    options = {**SWEPT, "learning_rate": RATES[::2]}
    agree(fastgd.sweep, LABELS, **options, batch_size=batch, alpha=alphas, l1_ratio=l1_ratio, bounds=bounds)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer, alpha", [("adagrad", 0.0), ("adagrad", 0.1), ("adam", 0.1), ("momentum", 0.0)])
@pytest.mark.parametrize("batch", [1, 16])
def test_optimizers_agree(optimizer, alpha, batch):
    agree(fastgd.sweep, LABELS, **SWEPT, batch_size=batch, optimizer=optimizer, alpha=alpha)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [None, 16])
def test_averages_agree(batch):
    agree(fastgd.sweep, LABELS, **SWEPT, batch_size=batch, alpha=0.05, average=True)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [None, 16])
def test_other_kinds_of_lanes_agree(batch):
    weight = np.random.default_rng(0).integers(0, 3, N).astype(float)
    options = {"random_state": 0, "epochs": 3, "tol": None, "learning_rate": 0.02, "batch_size": batch}
    classes = np.argsort(np.argsort(Y)) * 3 // N
    agree(fastgd.sweep, LABELS, **{**SWEPT, "batch_size": batch, "cv": 3})
    agree(fastgd.fit, LABELS, **options, loss="log_loss", bootstrap=3, sample_weight=weight)
    agree(fastgd.fit, np.stack([Y, -2 * Y, Y**2], axis=1), **options)
    agree(fastgd.fit, classes, **options, loss="multinomial")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float32_is_close(dtype):
    rows = X.astype(dtype)
    found = [models(fastgd.sweep(r, LABELS, **SWEPT, batch_size=16, alpha=0.05)) for r in (rows, rows.toarray())]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-5 if dtype is np.float32 else 1e-12)


# Lanes and threads --------------------------------------------------------------------------------------------------


def planned(batch, alpha, count=9):
    """A plan of so many lanes."""
    plan = plan_of(X, LABELS, loss="log_loss", learning_rate=0.1, batch_size=batch, alpha=alpha, epochs=1, tol=None)
    lanes = type(plan.lanes)(*(np.repeat(array, count, axis=0) for array in plan.lanes))
    lanes.weights[:] = 0.1 * np.random.default_rng(1).standard_normal(lanes.weights.shape)
    return plan.data, plan.parts, lanes


def run(plan, which, batch, threads=1):
    """The weights of some of a plan's lanes after some steps, and their losses."""
    data, parts, lanes = plan
    lanes = type(lanes)(*(array[which].copy() for array in lanes))
    rates = np.ascontiguousarray(np.geomspace(0.01, 0.3, 9)[which][None])
    if batch is None:
        found = ManyPasses(data, threads).step(parts, lanes, rates, 1)[0][0]
    else:
        rows = np.random.default_rng(2).permutation(N)
        found = np.zeros(len(which))
        steps(data, parts, lanes, rows, rows, batch, rates, 1, found, n_threads=threads)
    return lanes.weights, found


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("batch", [None, 1, 16])
def test_bits_are_a_lanes_own(batch, alpha, monkeypatch):
    plan = planned(batch, alpha)
    every = run(plan, np.arange(9), batch)
    for module in (multi_lane, multi_lane_passes):
        monkeypatch.setattr(module, "SMALL_WORK", 0)
    monkeypatch.setattr("fastgd.kernels.tiles.MOST_LANES", 8)
    for which, threads in [(np.array([7]), 1), (np.array([8, 2, 5]), 1), (np.arange(9), 3)]:
        some = run(plan, which, batch, threads)
        for here, there in zip(some, every, strict=True):
            np.testing.assert_array_equal(here, there[which])


@pytest.mark.slow
def test_sums_added_at_once_are_those_of_the_chunks(monkeypatch):
    data, parts, lanes = planned(None, 0.0)
    lanes = type(lanes)(*(array.copy() for array in lanes))
    monkeypatch.setattr(full_batch, "chunk_rows", lambda rows: 64)
    passes = ManyPasses(data, 2)
    assert passes.chunks.count == -(-N // 64)
    assert passes.add_at_once(lanes)
    whole, losses = passes.sums(parts.loss, lanes)
    apart, each = np.empty((passes.chunks.count, 9, D + 1)), np.empty((passes.chunks.count, 9))
    passes.chunks.by_chunk(multi_sums.multi_sums, (parts.loss, passes.tiles(lanes)), (apart, each))
    for c in range(1, passes.chunks.count):
        apart[0] += apart[c]
    np.testing.assert_array_equal(whole, apart[0])
    np.testing.assert_array_equal(losses, tree_sum(each))


# Gram matrices ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("density", [0.05, 0.6])
def test_gram_matrices_are_the_products(density):
    rows, y = made_rows(n=3001, d=60, density=density)
    plan = plan_of(rows, y, learning_rate=0.1, sample_weight=np.arange(3001.0))
    grams = Grams(plan.data, plan.lanes, 2)
    weight = np.arange(3001.0) / np.arange(3001.0).sum()
    Z = np.column_stack([rows.toarray(), np.ones(3001)])
    target = plan.data.targets[0] - grams.level
    np.testing.assert_allclose(grams.products[0], Z.T @ (weight[:, None] * Z), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(grams.moments[0, 0], Z.T @ (weight * target), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(grams.squares[0, 0], weight @ target**2, rtol=1e-12)


@pytest.mark.slow
def test_default_fits_agree():
    agree(lambda rows, y, standardize: fastgd.fit(rows, y, standardize=standardize), Y)
