"""Losses made of lines on fewer rows than columns: ends are those of LIBSVM, from the products of the rows."""

import numpy as np
import pytest
from conftest import plan_of
from scipy.sparse import csr_array
from sklearn import svm

import fastgd
from fastgd import losses
from fastgd.kernels.layouts import CSR, Dense
from fastgd.solvers import dual, gram
from fastgd.solvers.kinked import Kinked

RNG = np.random.default_rng(4)
N, D = 40, 90
PLAIN = RNG.standard_normal((N, D))
Y = PLAIN @ RNG.standard_normal(D) / 5 + RNG.standard_normal(N)
LABELS = np.greater(Y, np.quantile(Y, 0.3)).astype(float)
TABLES = {
    "plain": PLAIN,
    "correlated": np.sqrt(0.95) * RNG.standard_normal((N, 1)) + np.sqrt(0.05) * PLAIN,
    "far from zero": PLAIN + 100.0,
    "equal rows": np.repeat(PLAIN[: N // 2], 2, axis=0),
}
every_table = pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
every_alpha = pytest.mark.parametrize("alpha", [1e-3, 0.1, 10.0])


def objective(loss, r, X, y, alpha, weight=None):
    value = np.average(loss.value(X @ np.ravel(r[0]) + float(np.ravel(r[1])[0]), y), weights=weight)
    return value + alpha / 2 * np.sum(np.square(r[0]))


@every_alpha
@every_table
def test_the_hinge_is_libsvms(X, alpha):
    weight = RNG.random(N) * (np.arange(N) % 5 > 0)
    r = fastgd.fit(X, LABELS, loss="hinge", alpha=alpha, standardize=False, sample_weight=weight)
    other = svm.SVC(kernel="linear", C=1 / (alpha * weight.sum()), tol=1e-9).fit(X, LABELS, sample_weight=weight)
    assert r.status == "converged" and r.n_epochs <= 4
    found, expected = (
        objective(losses.Hinge(), ends, X, LABELS, alpha, weight)
        for ends in ((r.coef, r.intercept), (other.coef_, other.intercept_))
    )
    assert found <= expected * (1 + 1e-6) + 1e-12


@every_alpha
@every_table
def test_absolute_errors_are_libsvms(X, alpha):
    r = fastgd.fit(X, Y, loss="absolute_error", alpha=alpha, standardize=False)
    other = svm.SVR(kernel="linear", C=1 / (alpha * N), epsilon=0.0, tol=1e-9).fit(X, Y)
    assert r.status == "converged" and r.n_epochs <= 4
    found, expected = (
        objective(losses.AbsoluteError(), ends, X, Y, alpha)
        for ends in ((r.coef, r.intercept), (other.coef_, other.intercept_))
    )
    assert found <= expected * (1 + 1e-6) + 1e-12


def test_without_an_intercept_it_is_liblinears():
    r = fastgd.fit(PLAIN, LABELS, loss="hinge", alpha=0.1, standardize=False, fit_intercept=False)
    other = svm.LinearSVC(loss="hinge", C=1 / (0.1 * N), tol=1e-10, fit_intercept=False, max_iter=10**6)
    np.testing.assert_allclose(r.coef, other.fit(PLAIN, LABELS).coef_[0], atol=1e-4)
    assert r.intercept == 0.0 and r.status == "converged"


@pytest.mark.parametrize("options", [{}, {"standardize": False}, {"fit_intercept": False}], ids=str)
@pytest.mark.parametrize("loss", [losses.Hinge(), losses.Quantile(0.9), losses.AbsoluteError()], ids=str)
def test_the_ends_are_those_of_interior_points(loss, options, monkeypatch):
    y = LABELS if loss.labels else Y
    found = fastgd.fit(PLAIN, y, loss=loss, alpha=0.05, **options)
    monkeypatch.setattr(dual, "suits", lambda *args: False)
    expected = fastgd.fit(PLAIN, y, loss=loss, alpha=0.05, **options)
    assert found.status == expected.status == "converged"
    np.testing.assert_allclose(found.loss, expected.loss, rtol=2e-6)


def test_a_penalty_that_leaves_the_constant_is_no_trouble():
    """All multipliers are at an end of their boxes, so that none says how the intercept has to move."""
    y = (np.arange(N) < 7).astype(float)
    r = fastgd.fit(PLAIN, y, loss="hinge", alpha=1e9)
    assert r.status == "converged"
    np.testing.assert_allclose(r.loss, 2 * y.mean(), rtol=1e-6)


@pytest.mark.parametrize("constant", [True, False])
def test_products_are_those_of_numpy(constant, monkeypatch):
    monkeypatch.setattr(gram, "COPIED_BYTES", 8 * N * 32)
    plan = plan_of(PLAIN + 3.0, LABELS, loss="hinge", alpha=0.1, standardize="scale", fit_intercept=constant)
    found = dual.RowProducts(plan.data, 1)
    Z = (PLAIN + 3.0) * plan.data.inverse_scale
    centred = Z - Z.mean(axis=0) * constant
    np.testing.assert_allclose(found.mean, Z.mean(axis=0) * constant, rtol=1e-12)
    np.testing.assert_allclose(found.matrix - found.level, centred @ centred.T, atol=1e-10 * np.sum(Z**2))


@pytest.mark.jit
def test_all_lanes_share_the_products(monkeypatch):
    made, real = [], dual.RowProducts.__init__
    monkeypatch.setattr(dual.RowProducts, "__init__", lambda self, *args: (made.append(1), real(self, *args))[1])
    s = fastgd.sweep(PLAIN, LABELS, loss="hinge", alpha=[0.01, 0.1], cv=3, random_state=0)
    assert len(made) == 1
    assert all(r.status == "converged" for folds in s.results for r in folds)
    both = fastgd.fit(PLAIN, np.column_stack([Y, Y**2]), loss="absolute_error", alpha=0.1)
    alone = [fastgd.fit(PLAIN, y, loss="absolute_error", alpha=0.1) for y in (Y, Y**2)]
    np.testing.assert_allclose(both.coef, [r.coef for r in alone], atol=1e-5)


def test_a_stopped_round_goes_on_bit_for_bit_on_any_number_of_threads():
    whole = fastgd.fit(PLAIN, LABELS, loss="hinge", alpha=0.1, n_threads=1)
    first = fastgd.fit(PLAIN, LABELS, loss="hinge", alpha=0.1, epochs=1, n_threads=2)
    again = fastgd.fit(PLAIN, LABELS, loss="hinge", alpha=0.1, epochs=whole.n_epochs, tol=1e-6, resume=first)
    assert np.array_equal(again.coef, whole.coef) and again.loss == whole.loss


def test_it_suits_few_dense_rows_with_a_penalty_and_one_kink():
    few, many = Dense(np.zeros((N, D))), Dense(np.zeros((D, N)))
    assert dual.suits(few, 0.1, 1)
    assert not dual.suits(many, 0.1, 1)
    assert not dual.suits(CSR.of(csr_array(few.values)), 0.1, 1)
    assert not dual.suits(few, 0.0, 1)
    assert not dual.suits(few, 0.1, 2)
    wide = np.zeros((20, 1024))
    assert plan_of(wide, np.arange(20) % 2, loss="hinge", alpha=0.1).tol == 1e-6
    assert plan_of(wide, np.arange(20) % 2, loss="hinge").tol == 1e-4
    twice = np.full(1024, 2.0)
    assert plan_of(wide, np.arange(20) % 2, loss="hinge", alpha=0.05, penalty_factor=twice).tol == 1e-6
    twice[0] = 1.0
    assert plan_of(wide, np.arange(20) % 2, loss="hinge", alpha=0.05, penalty_factor=twice).tol == 1e-4
    assert plan_of(wide, np.arange(20) % 2, loss="hinge").solver is Kinked


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("y", [Y, np.column_stack([Y, Y[::-1]])], ids=["one", "two"])
def test_what_rounding_hides_ends_the_run(y, dtype):
    # Rounded weights miss the kinks by more than the tolerance: the same round was taken 100 times.
    r = fastgd.fit(PLAIN.astype(dtype), y, loss="absolute_error", alpha=1e-3, tol=1e-9)
    assert r.n_epochs < 15
    assert r.status == ("early_stopped" if dtype == np.float32 else "converged")


@pytest.mark.jit
def test_a_shortened_step_of_float32_is_kept_as_it_is_saved():
    # The run went on from weights in float64, and a resumed one from those in float32.
    rng = np.random.default_rng(38)
    X, y = np.float32(rng.normal(size=(20, 20)) + 10.0 ** rng.uniform(0, 3, 20)), rng.normal(size=20)
    options = {"loss": "absolute_error", "alpha": 1e-6, "tol": 1e-6}
    whole = fastgd.fit(X, y, epochs=100, **options)
    for epochs in range(1, whole.n_epochs):
        r = fastgd.fit(X, y, epochs=100, resume=fastgd.fit(X, y, epochs=epochs, **options), **options)
        assert r.n_epochs == whole.n_epochs
        np.testing.assert_array_equal(r.coef, whole.coef)
