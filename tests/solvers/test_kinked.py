"""Losses that are lines with kinks: ends are optima of linear and quadratic programmes, with a proof, on any rows."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from sklearn import linear_model, svm

import fastgd
from fastgd import losses, reference
from fastgd.solvers import kinked, kinked_rows
from fastgd.solvers.interior_point import interior_point
from fastgd.solvers.kinked import Kinked
from fastgd.solvers.kinked_rows import KinkedRows
from fastgd.solvers.smoothed_newton import Near, smoothed_newton

RNG = np.random.default_rng(18)
N = 200
X = RNG.standard_normal((N, 4)) * [1.0, 1e3, 1e-3, 1.0] + [0.0, 1e4, 0.0, -5.0]
Y = X @ [1.0, 1e-3, 1e3, -1.0] + RNG.standard_normal(N)
LABELS = Y + 0.3 * RNG.standard_normal(N) > np.median(Y)
LOSSES = {
    "median": losses.AbsoluteError(),
    "quarter": losses.Quantile(0.25),
    "low": losses.Quantile(0.01),
    "high": losses.Quantile(0.99),
    "insensitive": losses.EpsilonInsensitive(0.5),
    "hinge": losses.Hinge(),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
of_numbers = pytest.mark.parametrize("loss", [one for one in LOSSES.values() if not one.labels])


def least(loss, X, y, weight=None, alpha=0.0, offset=0.0):
    """The least mean loss by linear programming; the columns are scaled for the solver."""
    Z = np.column_stack([(X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0), np.ones(len(X))])
    weight = np.ones(len(y)) if weight is None else weight
    weight = weight / weight.sum()
    A, b, cost, k = [], [], [np.zeros(Z.shape[1])], len(loss.kinks(y))
    for place, low, high in loss.kinks(y):
        # t >= high * (place - z w) and t >= low * (place - z w), a t for each row and kink
        for slope in (np.broadcast_to(low, y.shape), np.broadcast_to(high, y.shape)):
            ts = np.zeros((len(y), k * len(y)))
            ts[:, (len(cost) - 1) * len(y) : len(cost) * len(y)] = -np.eye(len(y))
            A.append(np.hstack([-slope[:, None] * Z, ts]))
            b.append(-slope * (place - offset))
        cost.append(weight)
    bounds = [(None, None)] * Z.shape[1] + [(None, None)] * (k * len(y))
    found = optimize.linprog(np.concatenate(cost), np.vstack(A), np.concatenate(b), bounds=bounds, method="highs")
    return found.fun


def target(loss, y=Y):
    return LABELS if loss.labels else y


def mean_loss(loss, r, X, y, weight=None):
    return np.average(loss.value(r.decision_function(X), y.astype(float)), weights=weight)


def assert_optimal(loss, r, X, y, weight=None, rel=1e-6, slack=0.0):
    assert r.status == "converged", r.message
    assert r.options["solver"] == "interior_point"
    found, expected = mean_loss(loss, r, X, y, weight), least(loss, X, y.astype(float), weight)
    assert expected * (1 - 1e-7) - 1e-12 - slack <= found <= expected * (1 + rel) + slack + 1e-13 * np.abs(y).max()
    return found


# Optima -------------------------------------------------------------------------------------------------------------


@every_loss
def test_ends_are_those_of_linear_programming(loss):
    y = target(loss)
    r = fastgd.fit(X, y, loss=loss)
    assert_optimal(loss, r, X, y)
    assert "duality gap" in r.message
    assert r.loss == pytest.approx(mean_loss(loss, r, X, y), rel=1e-12)
    assert r.history.decrement[-1] <= 1e-6 * r.loss


@every_loss
def test_weights_are_repeated_rows(loss):
    weight = RNG.integers(0, 3, N).astype(float)
    y, times = target(loss), weight.astype(int)
    r = fastgd.fit(X, y, loss=loss, sample_weight=weight)
    repeated = fastgd.fit(np.repeat(X, times, axis=0), np.repeat(y, times), loss=loss)
    assert mean_loss(loss, r, X, y, weight) == pytest.approx(mean_loss(loss, repeated, X, y, weight), rel=2e-6)


@every_loss
def test_offsets_move_the_kinks(loss):
    y, offset = target(loss).astype(float), RNG.standard_normal(N)
    r = fastgd.fit(X, target(loss), loss=loss, offset=offset)
    found = loss.value(X @ np.ravel(r.coef) + r.intercept + offset, y).mean()
    assert found == pytest.approx(least(loss, X, y, offset=offset), rel=1e-6)


@pytest.mark.parametrize("q", [0.01, 0.5, 0.9])
def test_one_constant_column_gives_the_weighted_quantile(q):
    weight = RNG.random(N)
    r = fastgd.fit(np.zeros((N, 1)), Y, loss=losses.Quantile(q), sample_weight=weight)
    order = np.argsort(Y)
    share = np.cumsum(weight[order]) / weight.sum()
    assert r.intercept == pytest.approx(Y[order][np.searchsorted(share, q)], abs=1e-3 * Y.std())


@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 1.0])
def test_the_hinge_with_a_penalty_is_libsvms(alpha):
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    r = fastgd.fit(Z, LABELS, loss="hinge", alpha=alpha)
    model = svm.SVC(kernel="linear", C=1 / (alpha * N), tol=1e-8).fit(Z, LABELS)
    scores = model.decision_function(Z)
    expected = losses.Hinge().value(scores, LABELS.astype(float)).mean() + alpha / 2 * (model.coef_**2).sum()
    assert r.status == "converged"
    assert r.loss == pytest.approx(expected, rel=2e-6)
    np.testing.assert_allclose(r.coef, model.coef_[0], atol=5e-3 * np.abs(model.coef_).max())


def test_the_insensitive_loss_with_a_penalty_is_libsvms():
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    r = fastgd.fit(Z, Y, loss=losses.EpsilonInsensitive(0.5), alpha=0.01)
    model = svm.SVR(kernel="linear", C=1 / (0.01 * N), epsilon=0.5, tol=1e-8).fit(Z, Y)
    np.testing.assert_allclose(r.coef, model.coef_[0], rtol=2e-3)


@pytest.mark.jit
@pytest.mark.parametrize("q", [0.01, 0.5, 0.9])
def test_many_rows_are_solved_by_those_near_the_kinks(q, monkeypatch):
    """Only a part of the rows is copied, and the end is the optimum of all."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((4_500, 3))
    y = X.sum(axis=1) + rng.standard_t(2, len(X))
    taken = []
    monkeypatch.setattr(
        kinked, "interior_point", lambda rows, *rest: taken.append(rows.n) or interior_point(rows, *rest)
    )
    r = fastgd.fit(X, y, loss=losses.Quantile(q))
    model = linear_model.QuantileRegressor(quantile=q, alpha=0).fit(X, y)
    found, expected = (losses.Quantile(q).value(one.predict(X), y).mean() for one in (r, model))
    assert max(taken) < len(X) / 3
    assert r.status == "converged"
    assert found == pytest.approx(expected, rel=1e-6)


# Rows that mislead --------------------------------------------------------------------------------------------------


@of_numbers
@pytest.mark.parametrize("outliers, value", [(2, 1e6), (10, 99999999.0)])
def test_outliers_do_not_hide_the_others(loss, outliers, value):
    """Widths and ends that are shares of the loss see nothing but the outliers: coefficients were off by 1.16."""
    y = Y.copy()
    y[:outliers] = value
    r = fastgd.fit(X, y, loss=loss)
    expected = least(loss, X, y)
    assert r.status == "converged"
    if getattr(loss, "quantile", 0.5) < 1 - outliers / N:
        assert mean_loss(loss, r, X, y) - expected <= 1e-4 * mean_loss(loss, fastgd.fit(X, Y, loss=loss), X, Y)
    else:
        assert mean_loss(loss, r, X, y) == pytest.approx(expected, rel=1e-6)


@of_numbers
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("outliers, value", [(2, -1e6), (10, 99999999.0), (5, 1e10), (60, -1e8), (10, 1e14)])
def test_outliers_cost_no_digits(loss, outliers, value, dtype):
    """Five of 1e10 had coefficients off by 0.02, in float32 by 0.1. A target acts by its side: 1e4 is as far."""
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((N, 3))
    y = 3 + rows @ [1.0, 2.0, -1.0] + rng.standard_normal(N)
    quantile = getattr(loss, "quantile", 0.5)
    if outliers / N >= (1 - quantile if value > 0 else quantile):
        pytest.skip("the outliers are in the quantile")
    far, near = y.copy(), y.copy()
    far[:outliers], near[:outliers] = value, np.sign(value) * 1e4
    rows = rows.astype(dtype)
    r = fastgd.fit(rows, far, loss=loss)
    assert r.status == "converged"
    expected = least(loss, rows.astype(float), near)
    outside = mean_loss(loss, r, rows[:outliers], near[:outliers]) * outliers / N  # of the outliers, at 1e4
    assert mean_loss(loss, r, rows, near) - expected <= 1e-5 * (expected - outside) + 1e-7
    assert r.loss == pytest.approx(mean_loss(loss, r, rows, far), rel=1e-6)
    model = fastgd.SGDRegressor(loss=loss, penalty=None).fit(rows, far)
    np.testing.assert_allclose(model.coef_, r.coef, atol=5e-3)


@pytest.mark.jit
@pytest.mark.parametrize("loss", [losses.AbsoluteError(), losses.Quantile(0.25), losses.EpsilonInsensitive(0.5)])
def test_rows_that_are_far_off_in_columns_and_target_are_fitted(loss):
    """Their scores get beyond where their targets were taken to."""
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((N, 2))
    rows[:6, 0] = [1e7, -2e7, 3e7, 1e7, 4e7, -1e7]
    y = rows @ [2.0, -1.0] + rng.standard_normal(N)
    y[6:8] = 1e9
    whole = fastgd.fit(rows, y, loss=loss)
    assert whole.status == "converged"
    assert mean_loss(loss, whole, rows, y) == pytest.approx(least(loss, rows, y), rel=1e-6)
    np.testing.assert_allclose(whole.coef[0], 2.0, rtol=1e-5)
    for epochs in range(1, whole.n_epochs):
        part = fastgd.fit(rows, y, loss=loss, epochs=epochs, tol=1e-6)
        resumed = fastgd.fit(rows, y, loss=loss, resume=part)
        np.testing.assert_array_equal(resumed.coef, whole.coef)


def test_one_outlier_among_ties_is_no_trouble():
    """An interior point that begins close to the kinks is lost here, and begins anew with larger slacks."""
    rng = np.random.default_rng(10710)
    X, y, loss = rng.standard_t(1.2, (16, 10)), np.zeros(16), losses.EpsilonInsensitive(0.3)
    y[0] = 1e4
    assert_optimal(loss, fastgd.fit(X, y, loss=loss), X, y)


TARGETS = {
    "whole numbers": np.round(Y),
    "two values": (Y > 0).astype(float),
    "constant": np.full(N, 3.7),
    "mostly zero": np.where(RNG.random(N) < 0.8, 0.0, Y),
    "nearly all zero": np.where(RNG.random(N) < 0.97, 0.0, Y),
    "heavy tails": X[:, 0] + RNG.standard_t(1, N),
    "exact": X[:, 0] - X[:, 3],
    "far away": Y + 1e8,
}


@of_numbers
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
def test_ties_and_tails_are_no_trouble(loss, y):
    assert_optimal(loss, fastgd.fit(X, y, loss=loss), X, y, slack=1e-12 * np.abs(y).max())


@every_loss
@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_few_rows_are_fitted(loss, rows):
    X = np.random.default_rng(rows).standard_normal((rows, 6))
    y = np.arange(rows) % 2 == 0 if loss.labels else Y[:rows]
    if loss.labels and rows == 1:
        return
    r = fastgd.fit(X, y, loss=loss)
    assert np.isfinite(r.coef).all() and r.status == "converged"
    assert mean_loss(loss, r, X, y) <= 1e-6 * np.abs(y).max()


@every_loss
def test_dependent_columns_are_no_trouble(loss):
    y = target(loss)
    more = np.column_stack([X, X[:, 0] + X[:, 3], np.full(N, 2.0)])
    r = fastgd.fit(more, y, loss=loss)
    assert_optimal(loss, r, X=more, y=y)


@every_loss
def test_the_ends_of_float32_are_near(loss):
    y = target(loss)
    r = fastgd.fit(X.astype(np.float32), y, loss=loss)
    assert r.status == "converged"
    assert mean_loss(loss, r, X, y) == pytest.approx(least(loss, X, y.astype(float)), rel=1e-3)


def test_separable_classes_are_told():
    y = X[:, 0] > 0.1
    r = fastgd.fit(X, y, loss="hinge")
    assert r.status == "converged"
    assert (r.predict(X) == y).all()
    assert np.isfinite(r.coef).all()


@given(st.integers(0, 10**6), st.sampled_from(["median", "quarter", "high"]), st.sampled_from([1e-6, 1e6]))
def test_the_unit_of_the_target_does_not_matter_to_lines(seed, name, unit):
    rng = np.random.default_rng(seed)
    X, loss = rng.standard_normal((60, 3)), LOSSES[name]
    y = np.round(X[:, 0] + rng.standard_t(2, 60), int(rng.integers(0, 4)))
    r, s = fastgd.fit(X, y, loss=loss), fastgd.fit(X, unit * y, loss=loss)
    assert (r.status, s.status) == ("converged", "converged")
    assert s.loss / unit == pytest.approx(r.loss, rel=3e-6, abs=1e-14)


@given(st.integers(0, 10**6))
def test_any_small_table_ends_at_the_optimum(seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(4, 40), rng.integers(1, 6)
    X = np.round(rng.standard_normal((n, d)), int(rng.integers(0, 3)))
    y = np.round(rng.standard_t(1.5, n), int(rng.integers(0, 3)))
    weight = rng.integers(0, 3, n).astype(float)
    weight[0] = 1.0
    loss = [losses.Quantile(0.5), losses.Quantile(0.9), losses.EpsilonInsensitive(0.3)][seed % 3]
    r = fastgd.fit(X, y, loss=loss, sample_weight=weight)
    assert_optimal(loss, r, X, y, weight, slack=1e-12)


# One way of many ----------------------------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize(
    "options", [{}, {"fit_intercept": False}, {"standardize": False}, {"alpha": 0.01}], ids=lambda o: "-".join(o) or "0"
)
def test_the_reference_ends_in_the_same_place(loss, options):
    r, expected = (f(X / [1, 1e3, 1e-3, 1], target(loss), loss=loss, **options) for f in (fastgd.fit, reference.fit))
    assert r.status == expected.status == "converged"
    assert r.loss == pytest.approx(expected.loss, rel=2e-6)


@every_loss
def test_sparse_rows_give_the_same(loss):
    from scipy.sparse import csr_array

    Z = RNG.standard_normal((N, 6)) * (RNG.random((N, 6)) < 0.4)
    y = target(loss, Z.sum(axis=1) + 0.1 * RNG.standard_normal(N))
    dense, sparse = fastgd.fit(Z, y, loss=loss), fastgd.fit(csr_array(Z), y, loss=loss)
    assert sparse.status == "converged"
    assert sparse.loss == pytest.approx(dense.loss, rel=2e-6)


@every_loss
def test_a_stopped_round_goes_on_bit_for_bit(loss):
    y = target(loss)
    whole = fastgd.fit(X, y, loss=loss, tol=1e-6)
    begun = fastgd.fit(X, y, loss=loss, tol=1e-6, epochs=1)
    again = fastgd.fit(X, y, loss=loss, tol=1e-6, resume=begun)
    np.testing.assert_array_equal(again.coef, whole.coef)
    np.testing.assert_array_equal(again.history.loss, whole.history.loss)
    np.testing.assert_array_equal(again.history.decrement, whole.history.decrement)


def test_targets_settings_and_folds_are_fits():
    loss = losses.Quantile(0.3)
    both = fastgd.fit(X, np.column_stack([Y, Y**2]), loss=loss)
    s = fastgd.sweep(X, Y, loss=loss, alpha=[0.0, 0.1])
    c = fastgd.sweep(X, Y, loss=loss, alpha=[0.0, 0.1], cv=[(np.arange(50, N), np.arange(50))])
    alone = fastgd.fit(X, Y, loss=loss)
    assert both.decision_function(X)[:, 0] == pytest.approx(alone.decision_function(X), abs=1e-3)
    assert s.results[0].loss == pytest.approx(alone.loss, rel=2e-6)
    part = fastgd.fit(X[50:], Y[50:], loss=loss)
    assert c.losses[0] == pytest.approx(loss.value(part.predict(X[:50]), Y[:50]).mean(), rel=1e-3)


@pytest.mark.jit
def test_any_number_of_threads_gives_the_same_bits_of_quantiles():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((30_000, 6))
    y = X.sum(axis=1) + rng.standard_normal(len(X))
    one, three = (fastgd.fit(X, y, loss="quantile", n_threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.coef, three.coef)


@pytest.mark.parametrize(
    "options",
    [{"loss": losses.Quantile(0.5, width=0.1)}, {"bounds": (0, None)}, {"alpha": 0.1, "l1_ratio": 0.5}],
    ids=["smoothed", "bounds", "lasso"],
)
def test_what_it_does_not_suit_is_left_to_others(options):
    r = fastgd.fit(X, Y, **{"loss": "quantile", **options})
    assert r.options["solver"] != Kinked.name


class Steps(NamedTuple):
    """A loss of a user's own, of two kinks: it grows faster for large errors."""

    reach: float = 1.0
    smooth = False

    def value(self, p, y):
        return np.abs(p - y) + np.maximum(np.abs(p - y) - self.reach, 0.0)

    def slope(self, p, y):
        return np.sign(p - y) * (1.0 + (np.abs(p - y) > self.reach))

    def kinks(self, y):
        return (y, -1.0, 1.0), (y - self.reach, 0.0, 1.0), (y + self.reach, -1.0, 0.0)


class Wrong(Steps):
    """Its lines do not add up to it."""

    def kinks(self, y):
        return ((y, -1.0, 1.0),)


@pytest.mark.jit
def test_lines_of_a_users_own_loss_are_solved():
    r = fastgd.fit(X, Y, loss=Steps())
    assert r.status == "converged" and r.options["solver"] == "interior_point"
    assert Steps().value(r.predict(X), Y).mean() == pytest.approx(least(Steps(), X, Y), rel=1e-6)
    with pytest.raises(ValueError, match=r"the lines of kinks\(y\) do not add up to value"):
        fastgd.fit(X, Y, loss=Wrong())


# The two methods ----------------------------------------------------------------------------------------------------


def rows_of(loss, monkeypatch):
    """The rows of a fit's lane, and where it began."""
    found = []
    of = KinkedRows.of.__func__
    monkeypatch.setattr(KinkedRows, "of", classmethod(lambda *args: found.append(of(*args)) or found[-1]))
    fastgd.fit(X, target(loss), loss=loss, alpha=0.01)
    return found[0]


@every_loss
def test_multipliers_are_feasible_and_prove_the_end(loss, monkeypatch):
    rows = rows_of(loss, monkeypatch)
    start = np.zeros(5)
    weights, u = interior_point(rows, start, rows.scores(start), np.zeros(5), 1e-9)
    assert (u >= rows.weight * rows.low).all() and (u <= rows.weight * rows.high).all()
    np.testing.assert_allclose(rows.penalty * weights, rows.transposed(u.sum(axis=0)), atol=1e-8)
    primal = rows.losses(rows.scores(weights), np.inf)[0] + rows.penalty_cost(weights)
    dual = np.sum(u * rows.places) - rows.penalty_cost(weights)
    assert 0 <= primal - dual <= 1e-8


@pytest.mark.jit
@every_loss
def test_newtons_steps_on_the_smoothed_loss_come_near(loss, monkeypatch):
    rows = rows_of(loss, monkeypatch)
    start = np.zeros(5)
    near = Near(start, rows.scores(start), 2 * rows.typical(rows.scores(start)))
    smoothed_newton(rows, near, 1e-2, 30)
    weights, _ = interior_point(rows, start, rows.scores(start), np.zeros(5), 1e-9)
    found, least = (rows.losses(rows.scores(w), np.inf)[0] + rows.penalty_cost(w) for w in (near.weights, weights))
    assert near.close and least <= found <= 1.1 * least
    np.testing.assert_allclose(near.scores, rows.scores(near.weights), atol=1e-9 * np.abs(near.scores).max())


# More columns than a matrix is for ----------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_many_columns_end_in_the_same_place(loss, alpha, monkeypatch):
    """Conjugate gradients on the smoothed loss."""
    y, options = target(loss), {"loss": loss, "alpha": alpha}
    expected = fastgd.fit(X, y, **options)
    monkeypatch.setattr(kinked_rows, "MOST_COLUMNS", 1)
    r = fastgd.fit(X, y, **options)
    assert r.options["solver"] == "interior_point"
    assert r.loss <= expected.loss * (1 + (1e-4 if r.status == "converged" else 1e-2))
    assert r.loss >= expected.loss * (1 - 2e-6)


@pytest.mark.slow
@pytest.mark.jit  # minutes otherwise
def test_sparse_text_is_fitted_to_the_end():
    from scipy.sparse import random_array

    rng = np.random.default_rng(5)
    X = random_array((300, 2000), density=0.01, rng=rng).tocsr()
    y = X[:, :50].sum(axis=1) + 0.05 * rng.standard_normal(300) > 0.25
    r = fastgd.fit(X, y, loss="hinge", alpha=1e-3, standardize=False)
    model = svm.SVC(kernel="linear", C=1 / (1e-3 * 300), tol=1e-8).fit(X.toarray(), y)
    scores = model.decision_function(X.toarray())
    expected = losses.Hinge().value(scores, y.astype(float)).mean() + 1e-3 / 2 * (model.coef_**2).sum()
    assert r.status == "converged"
    assert r.loss == pytest.approx(expected, rel=1e-4)
    begun = fastgd.fit(X, y, loss="hinge", alpha=1e-3, standardize=False, tol=1e-4, epochs=2)
    again = fastgd.fit(X, y, loss="hinge", alpha=1e-3, standardize=False, tol=1e-4, resume=begun)
    np.testing.assert_array_equal(again.coef, r.coef)


def test_an_interrupted_round_leaves_where_it_began(monkeypatch):
    loss, calls = losses.Quantile(0.3), []

    def interrupted(rows, *rest):
        calls.append(rows.n)
        raise KeyboardInterrupt

    whole = fastgd.fit(X, Y, loss=loss)
    with monkeypatch.context() as context:
        context.setattr(kinked, "interior_point", interrupted)
        r = fastgd.fit(X, Y, loss=loss)
    assert (r.status, r.n_epochs, len(calls)) == ("interrupted", 0, 1)
    np.testing.assert_array_equal(fastgd.fit(X, Y, loss=loss, resume=r).coef, whole.coef)


def test_rows_of_few_lanes_are_kept(monkeypatch):
    """The end of each is the same, whether its rows' numbers are kept between rounds or not."""
    Z = np.column_stack([Y * k + k * X[:, 0] ** 2 for k in range(1, 8)])
    both = []
    for kept in (1, 100):
        monkeypatch.setattr(kinked, "REMEMBERED", kept)
        both.append(fastgd.fit(X, Z, loss=losses.Quantile(0.3)))
    np.testing.assert_array_equal(both[0].coef, both[1].coef)
    assert both[0].status == "converged"
