"""Passes and second derivatives of joint losses against SciPy's log-sum-exp and differences."""

from types import SimpleNamespace
from typing import NamedTuple

import numba
import numpy as np
import pytest
from conftest import slow_to_compile
from scipy.sparse import csr_array, random_array
from scipy.special import logsumexp, softmax

from fastgd import losses
from fastgd.kernels.lanes import NO_ROLES, Data, make_lanes
from fastgd.kernels.layouts import CSR, Dense, frozen
from fastgd.kernels.row_weights import count
from fastgd.parts.losses import of_rows
from fastgd.parts.penalties import Free
from fastgd.parts.registry import JOINT_LOSS, complete
from fastgd.solvers.multi_lane_passes import ManyPasses


class RowByRow(NamedTuple):
    """The softmax again, of single rows only."""

    factor: float = 1.0
    joint = True

    def value_and_slopes(self, p, y, slopes):
        share = np.exp(p - np.max(p))
        total = np.sum(share)
        slopes[:] = self.factor * share / total
        slopes[y] -= self.factor
        return self.factor * (np.log(total) + np.max(p) - p[y])


class Brier(NamedTuple):
    """Not convex."""

    factor: float = 1.0
    joint = True

    def value_and_slopes(self, p, y, slopes):
        share = np.exp(p - np.max(p))
        share /= np.sum(share)
        away = share.copy()
        away[y] -= 1.0
        slopes[:] = 2.0 * self.factor * share * (away - np.sum(share * away))
        return self.factor * np.sum(away * away)


for own in (RowByRow, Brier):
    complete(own, JOINT_LOSS)


def made(n, d, classes, loss, dtype=np.float64, weighted=False, sparse=False, models=1, roles=NO_ROLES):
    """Data, the lanes of some models at random weights, and the standardised rows with a 1 behind."""
    rng = np.random.default_rng(n + d)
    weight = frozen(rng.integers(0, 3, n).astype(dtype) if weighted else np.empty(0, dtype))
    shift, scale = np.zeros(d, dtype), rng.uniform(0.5, 2.0, d).astype(dtype)
    if sparse:
        X = csr_array(random_array((n, d), density=0.2, format="csr", rng=rng).astype(dtype))
        rows, X = CSR.of(X), X.toarray()
    else:
        X = (rng.standard_normal((n, d)) + np.arange(d)).astype(dtype)
        rows, shift = Dense(frozen(X)), X.mean(axis=0).astype(dtype)
    y = frozen(rng.integers(0, classes, (1, n)).astype(dtype))
    none = frozen(np.empty(0, dtype))
    data = Data(rows, y, weight, none, shift, scale, 1.0, float(n), roles, 5, classes, none)
    ends = np.zeros(d)
    parts = {"loss": loss, "optimizer": None, "penalty": Free(), "coef": None, "fold": -1, "replicate": -1}
    lanes = make_lanes([SimpleNamespace(**parts, low=ends, high=ends, start=np.zeros(classes))] * models, dtype)
    lanes.weights[:] = rng.standard_normal(lanes.weights.shape) / np.sqrt(d)
    Z = np.column_stack([(X.astype(float) - shift) * scale, np.ones(n)])
    return data, lanes, Z


def of_scipy(Z, W, y, weight, factor):
    """The sums of gradients (classes, d + 1) and of the losses."""
    scores, y = Z @ W.astype(float).T, y.astype(int)
    slopes = softmax(scores, axis=1) - np.eye(len(W))[y]
    values = logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]
    return factor * (slopes * weight[:, None]).T @ Z, factor * np.sum(weight * values)


# The last are more than CACHED_BYTES.
SIZES = [(1, 1, 2), (7, 3, 3), (400, 5, 4), (2311, 64, 10), (300, 200, 9), (40, 700, 5), (2003, 300, 2)]


@slow_to_compile
@pytest.mark.parametrize(("n", "d", "classes"), SIZES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", [losses.Multinomial, RowByRow])
def test_sums_are_those_of_scipy(n, d, classes, dtype, kind):
    loss = kind(2.0)
    data, lanes, Z = made(n, d, classes, loss, dtype, weighted=n % 2 == 1)
    weight = data.weight.astype(float) if data.weight.size else np.ones(n)
    gradient, value = of_scipy(Z, lanes.weights, data.targets[0], weight, 2.0)
    passes = ManyPasses(data, 1)
    sums, found = passes.sums(loss, lanes)
    rtol = 1e-11 if dtype == np.float64 else 2e-4
    np.testing.assert_allclose(sums, gradient, rtol=rtol, atol=rtol * (np.abs(gradient).max() + 1e-3))
    np.testing.assert_allclose(found.sum(), value, rtol=rtol, atol=1e-12)
    assert (found[1:] == 0).all()
    np.testing.assert_array_equal(passes.loss(loss, lanes), found / data.count)


def test_models_have_their_own_folds_replicates_and_scales():
    n, classes, loss = 331, 3, losses.Multinomial()
    fold = np.arange(n) % 3
    roles = frozen(np.where(fold == np.arange(3)[:, None], -1, 1).astype(np.int8))
    data, lanes, Z = made(n, 6, classes, loss, weighted=True, models=4, roles=roles)
    lanes.fold[:] = np.repeat([-1, 0, 2, -1], classes)
    lanes.replicate[:] = np.repeat([-1, -1, 1, 2], classes)
    lanes.scale[:] = np.repeat([1.0, 1.5, 0.5, 2.0], classes)
    sums, found = ManyPasses(data, 1).sums(loss, lanes)
    for model in range(4):
        which, lane = slice(model * classes, (model + 1) * classes), model * classes
        weight = data.weight * lanes.scale[lane]
        if lanes.fold[lane] >= 0:
            weight = weight * (roles[lanes.fold[lane]] > 0)
        if lanes.replicate[lane] >= 0:
            counts, replicate = numba.njit(lambda seed, r, i: count(seed, r, i)), int(lanes.replicate[lane])
            with np.errstate(over="ignore"):
                weight = weight * [counts(data.seed, replicate, i) for i in range(n)]
        gradient, value = of_scipy(Z, lanes.weights[which], data.targets[0], weight, 1.0)
        np.testing.assert_allclose(sums[which], gradient, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(found[which].sum(), value, rtol=1e-12)


@pytest.mark.jit
@pytest.mark.parametrize("sparse", [False, True])
def test_the_bits_do_not_depend_on_threads(sparse):
    loss = losses.Multinomial()
    data, lanes, _ = made(20_000, 24, 10, loss, sparse=sparse)
    found = [ManyPasses(data, threads) for threads in (1, 2, 3)]
    for other in found[1:]:
        for one, two in zip(found[0].sums(loss, lanes), other.sums(loss, lanes), strict=True):
            np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(found[0].second_derivatives(loss, lanes), other.second_derivatives(loss, lanes))


@pytest.mark.jit
def test_a_models_bits_do_not_depend_on_the_models_beside_it():
    loss = losses.Multinomial()
    data, lanes, _ = made(700, 20, 5, loss, models=3)
    alone = type(lanes)(*(array[5:10].copy() for array in lanes))
    for many, one in zip(ManyPasses(data, 1).sums(loss, lanes), ManyPasses(data, 1).sums(loss, alone), strict=True):
        np.testing.assert_array_equal(many[5:10], one)


def test_what_is_not_finite_stays_in_its_model():
    loss = losses.Multinomial()
    data, lanes, _ = made(50, 3, 2, loss, models=2)
    lanes.weights[0] = np.nan
    sums, found = ManyPasses(data, 1).sums(loss, lanes)
    assert not np.isfinite(found[0]) and np.isfinite(sums[2:]).all() and np.isfinite(found[2:]).all()


# Second derivatives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_second_derivatives_are_the_mean_of_p_times_1_less_p(sparse, dtype):
    loss = losses.Multinomial(3.0)
    data, lanes, Z = made(201, 12, 5, loss, dtype, weighted=True, sparse=sparse, models=2)
    for model in range(2):
        p = softmax(Z @ lanes.weights[5 * model : 5 * model + 5].astype(float).T, axis=1)
        expected = 3.0 * data.weight * np.mean(p * (1 - p), axis=1)
        found = ManyPasses(data, 1).second_derivatives(loss, lanes, model)
        np.testing.assert_allclose(found, expected, rtol=1e-9 if dtype == np.float64 else 1e-4, atol=1e-7)


@slow_to_compile
@pytest.mark.parametrize("loss", [RowByRow(2.0), Brier(2.0)])
def test_those_of_a_users_loss_are_differences(loss):
    data, lanes, Z = made(60, 4, 3, loss)
    lanes.weights[:, -1] += [0.0, 30.0, -5.0]  # large scores too
    scores, expected, h = Z @ lanes.weights.T, np.zeros(60), 1e-5
    for c in range(3):
        step = h * (np.arange(3) == c)
        above, below = (of_rows(loss, scores + side * step, data.targets[0])[1] for side in (1, -1))
        expected += np.abs(above[:, c] - below[:, c]) / (2 * h) / 3
    found = ManyPasses(data, 1).second_derivatives(loss, lanes)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    if type(loss) is RowByRow:
        same = ManyPasses(data, 1).second_derivatives(losses.Multinomial(2.0), lanes)
        np.testing.assert_allclose(found, same, rtol=1e-4, atol=1e-6)


@slow_to_compile
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d", "classes"), [(1, 1, 2), (157, 4, 3), (300, 9, 5), (900, 13, 2)])
def test_the_hessian_is_that_of_the_softmax(n, d, classes, dtype):
    loss = losses.Multinomial(2.0)
    data, lanes, Z = made(n, d, classes, loss, dtype, weighted=n > 200, models=2)
    p = softmax(Z @ lanes.weights[classes:].astype(float).T, axis=1)
    weight = data.weight.astype(float) if data.weight.size else np.ones(n)
    A = 2.0 * (p[:, :, None] * np.eye(classes) - p[:, :, None] * p[:, None, :]) * weight[:, None, None]
    expected = np.einsum("iab,ij,ik->ajbk", A, Z, Z).reshape(classes * (d + 1), -1)
    found = ManyPasses(data, 1).hessian(loss, lanes, 1)
    own = ManyPasses(data, 1).hessian(RowByRow(2.0), lanes, 1)  # by differences
    np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    rtol = 1e-10 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.jit
def test_the_hessians_bits_do_not_depend_on_threads():
    loss = losses.Multinomial()
    data, lanes, _ = made(40_000, 6, 3, loss)
    one, two = (ManyPasses(data, threads).hessian(loss, lanes) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
