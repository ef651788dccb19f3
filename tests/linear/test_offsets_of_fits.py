"""An offset of the scores: closed forms, objectives written out, steps by hand; in every solver; what is refused."""

import numpy as np
import pytest
from conftest import JIT_OFF, plan_of, slow_to_compile
from scipy import sparse
from scipy.optimize import linprog, minimize
from scipy.special import expit, xlogy

import fastgd
from fastgd import reference

RNG = np.random.default_rng(6)
N, D = 60, 3
X = RNG.standard_normal((N, D))
SCORE = 0.2 + X @ [0.6, -0.4, 0.3]
OFFSET = RNG.normal(0.3, 0.8, N)
EXPOSURE = np.exp(OFFSET)
COUNTS = RNG.poisson(EXPOSURE * np.exp(SCORE)).astype(float)
Y = SCORE + OFFSET + 0.3 * RNG.standard_normal(N)
POSITIVE = np.exp(SCORE + OFFSET) * RNG.gamma(3.0, 1 / 3, N)
SIGN = np.where(SCORE + OFFSET + RNG.logistic(size=N) > 0, 1.0, -1.0)
LABELS = np.where(SIGN > 0, "yes", "no")
CLASSES = np.digitize(SCORE + OFFSET + RNG.logistic(size=N), [-0.7, 0.9])
RESIDUAL = ["absolute_error", "epsilon_insensitive", "huber", "mse", "quantile", "squared_epsilon_insensitive"]

# Mean losses of scores, written out.
OBJECTIVES = {
    "log_loss": lambda p: np.mean(np.logaddexp(0.0, -SIGN * p)),
    "squared_hinge": lambda p: np.mean(np.maximum(0.0, 1 - SIGN * p) ** 2),
    "modified_huber": lambda p: np.mean(np.where(SIGN * p >= -1, np.maximum(0.0, 1 - SIGN * p) ** 2, -4 * SIGN * p)),
    "poisson": lambda p: np.mean(np.exp(p) - COUNTS * p),
    "gamma": lambda p: np.mean(POSITIVE * np.exp(-p) + p),
    "tweedie": lambda p: np.mean(POSITIVE * np.exp(-p / 2) / 0.5 + np.exp(p / 2) / 0.5),  # of power 1.5
}
TARGETS = {"poisson": COUNTS, "gamma": POSITIVE, "tweedie": POSITIVE}


def fit(y, offset=OFFSET, X=X, **options):
    """A fit with an offset."""
    return fastgd.fit(X, y, offset=offset, **{"random_state": 0, **options})


def by_scipy(objective, X=X, offset=OFFSET):
    """The coefficients and the intercept that minimise a function of the scores."""
    A = np.column_stack([X, np.ones(len(X))])
    found = minimize(lambda w: objective(A @ w + offset), np.zeros(A.shape[1]), method="BFGS", options={"gtol": 1e-8})
    return found.x[:-1], found.x[-1]


def close(r, solution, **tolerances):
    """Assert that a result is a solution."""
    np.testing.assert_allclose(r.coef, solution[0], **{"rtol": 1e-3, **tolerances})
    np.testing.assert_allclose(r.intercept, solution[1], **{"rtol": 1e-3, **tolerances})


def test_the_start_allows_for_the_offset():
    for share in (None, RNG.random(N)):
        plain = fastgd.fit(X, LABELS, loss="log_loss", optimizer="sgd", epochs=0, sample_weight=share)
        r = fit(LABELS, np.full(N, 3.0), loss="log_loss", optimizer="sgd", epochs=0, sample_weight=share)
        np.testing.assert_allclose(r.intercept, plain.intercept - 3.0, rtol=1e-12)
        np.testing.assert_allclose(r.loss, plain.loss, rtol=1e-12)


# Every loss ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_the_minimum_of_the_objective_written_out(loss):
    r = fit(TARGETS.get(loss, LABELS), loss=loss, tol=1e-12)
    close(r, by_scipy(OBJECTIVES[loss]), atol=1e-4)
    with_none = fastgd.fit(X, TARGETS.get(loss, LABELS), loss=loss, tol=1e-12)
    assert abs(with_none.coef - r.coef).max() > 0.01


def test_counts_with_an_exposure_are_rates_with_weights():
    """exp(p + log E) - c p is E (exp(p) - (c / E) p)."""
    counts = fit(COUNTS, np.log(EXPOSURE), loss="poisson", tol=1e-12)
    rates = fastgd.fit(X, COUNTS / EXPOSURE, sample_weight=EXPOSURE, loss="poisson", tol=1e-12)
    np.testing.assert_allclose(counts.coef, rates.coef, rtol=1e-6)
    np.testing.assert_allclose(counts.predict(X, OFFSET), EXPOSURE * rates.predict(X), rtol=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", *RESIDUAL])
def test_a_loss_of_the_residual_has_it_in_its_targets(loss):
    moved, plain = fit(Y, loss=loss), fastgd.fit(X, Y - OFFSET, loss=loss, random_state=0)
    np.testing.assert_allclose(moved.coef, plain.coef, rtol=1e-9)
    np.testing.assert_allclose(moved.predict(X, OFFSET), plain.predict(X) + OFFSET, rtol=1e-9)
    assert moved.objective(X, Y, offset=OFFSET) == pytest.approx(plain.objective(X, Y - OFFSET), rel=1e-9)


def test_squared_error_by_least_squares():
    A = np.column_stack([X, np.ones(N)])
    w = np.linalg.lstsq(A, Y - OFFSET, rcond=None)[0]
    close(fit(Y), (w[:-1], w[-1]), rtol=1e-9)


def test_hinge_by_linear_programming():
    """The least mean of slacks s >= 0, s >= 1 - sign * (score + offset)."""
    A = np.column_stack([X, np.ones(N)]) * SIGN[:, None]
    cost = np.append(np.zeros(D + 1), np.full(N, 1 / N))
    bounds = [(None, None)] * (D + 1) + [(0, None)] * N
    found = linprog(cost, A_ub=np.column_stack([-A, -np.eye(N)]), b_ub=SIGN * OFFSET - 1, bounds=bounds)
    r = fit(LABELS, loss="hinge", tol=1e-9)
    hand = np.mean(np.maximum(0.0, 1 - SIGN * (X @ r.coef + r.intercept + OFFSET)))
    assert hand == pytest.approx(found.fun, rel=1e-5)
    assert r.objective(X, LABELS, offset=OFFSET) == pytest.approx(hand, rel=1e-9)


def test_several_targets_share_it():
    r = fit(np.column_stack([COUNTS, COUNTS[::-1]]), loss="poisson", tol=1e-12)
    for k, counts in enumerate((COUNTS, COUNTS[::-1])):
        solution = by_scipy(lambda p, counts=counts: np.mean(np.exp(p) - counts * p))
        np.testing.assert_allclose(r.coef[k], solution[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(r.predict(X, OFFSET), np.exp(X @ r.coef.T + r.intercept + OFFSET[:, None]), rtol=1e-9)


# Every solver -------------------------------------------------------------------------------------------------------


def steps_by_hand(batch, rate, epochs, rows=N):
    """Plain steps of the Poisson loss in the rows' own order, from zeros."""
    w, b = np.zeros(D), 0.0
    for _ in range(epochs):
        for first in range(0, rows, batch):
            i = slice(first, min(first + batch, rows))
            slope = np.exp(X[i] @ w + b + OFFSET[i]) - COUNTS[i]
            w, b = w - rate * slope @ X[i] / len(slope), b - rate * slope.mean()
    return w, b


@slow_to_compile
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("batch", [1, 16, N])
def test_first_order_steps_by_hand(form, batch):
    options = {"loss": "poisson", "optimizer": "sgd", "learning_rate": 0.02, "epochs": 2, "shuffle": False}
    r = fit(COUNTS, X=form(X), batch_size=batch, **options)
    close(r, steps_by_hand(batch, 0.02, 2), rtol=1e-9)
    plain = reference.fit(form(X), COUNTS, offset=OFFSET, batch_size=batch, random_state=0, **options)
    close(plain, steps_by_hand(batch, 0.02, 2), rtol=1e-9)


def test_the_loss_before_the_first_step():
    r = fit(COUNTS, loss="poisson", learning_rate=0.02, epochs=1)
    hand = EXPOSURE - COUNTS * OFFSET + xlogy(COUNTS, COUNTS) - COUNTS
    assert r.history.loss[0] == pytest.approx(hand.mean(), rel=1e-9)


@pytest.mark.parametrize(
    "options, rtol",
    [
        ({}, 1e-3),  # quasi-Newton steps
        ({"optimizer": "momentum", "tol": 1e-9}, 1e-2),
        ({"batch_size": 8, "epochs": 40}, 0.1),  # staged SGD
    ],
)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_automatic_runs_reach_the_optimum(form, options, rtol):
    r = fit(LABELS, X=form(X), loss="log_loss", **options)
    best = OBJECTIVES["log_loss"](X @ (solution := by_scipy(OBJECTIVES["log_loss"]))[0] + solution[1] + OFFSET)
    close(r, solution, rtol=rtol, atol=rtol)
    assert OBJECTIVES["log_loss"](X @ r.coef + r.intercept + OFFSET) <= best * (1 + rtol / 10)


@pytest.mark.parametrize("options", [{}, {"batch_size": 8, "epochs": 3}, {"optimizer": "adam", "epochs": 30}])
def test_a_constant_offset_comes_off_the_intercept(options):
    """With a log link the automatic start is the best constant beside the offset, so that the whole run is the same."""
    options = {"loss": "poisson", **options}
    moved, plain = fit(COUNTS, np.full(N, 0.7), **options), fit(COUNTS, np.zeros(N), **options)
    np.testing.assert_allclose(moved.coef, plain.coef, rtol=1e-6, atol=1e-8)
    assert moved.intercept == pytest.approx(plain.intercept - 0.7, abs=1e-6)
    np.testing.assert_allclose(moved.history.loss, plain.history.loss, rtol=1e-6)


def test_no_offset_is_one_of_zeros():
    for options in ({}, {"batch_size": 4, "learning_rate": 0.01, "epochs": 2}):
        zeros = fit(COUNTS, np.zeros(N), loss="poisson", **options)
        none = fastgd.fit(X, COUNTS, loss="poisson", random_state=0, **options)
        np.testing.assert_allclose(zeros.coef, none.coef, rtol=1e-9)


def test_validation_data_have_an_offset_of_their_own():
    held = slice(0, 20)
    data = X[held], COUNTS[held], None, OFFSET[held]
    r = fastgd.fit(
        X[20:], COUNTS[20:], loss="poisson", offset=OFFSET[20:], validation=data, learning_rate=0.05, epochs=5
    )
    p, y = X[held] @ r.coef + r.intercept + OFFSET[held], COUNTS[held]
    hand = np.exp(p) - y * p + xlogy(y, y) - y
    assert r.history.validation_loss[r.best_epoch - 1] == pytest.approx(hand.mean(), rel=1e-9)
    for validation, offset in ((data, None), (data[:2], OFFSET[20:]), (data[:3], OFFSET[20:])):
        with pytest.raises(ValueError, match=r"^offset and the offset of validation go together"):
            fastgd.fit(X[20:], COUNTS[20:], loss="poisson", validation=validation, offset=offset)


def test_a_share_held_out_takes_its_offset_along():
    """A constant one changes no loss; and one of the residuals is in their targets, of whichever rows."""
    options = {"loss": "poisson", "validation": 0.25, "epochs": 10, "tol": None}
    moved, plain = fit(COUNTS, np.full(N, 0.7), **options), fit(COUNTS, np.zeros(N), **options)
    np.testing.assert_allclose(moved.history.validation_loss, plain.history.validation_loss, rtol=1e-6)
    moved = fit(Y, validation=0.25, epochs=20)
    plain = fastgd.fit(X, Y - OFFSET, validation=0.25, epochs=20, random_state=0)
    np.testing.assert_allclose(moved.history.validation_loss, plain.history.validation_loss, rtol=1e-9)


def test_the_loss_of_a_share_held_out_by_hand():
    options = {"loss": "poisson", "validation": 0.25, "epochs": 3, "learning_rate": 0.05, "random_state": 0}
    rows = np.setdiff1d(np.arange(N), plan_of(X, COUNTS, offset=OFFSET, **options).rows)
    assert len(rows) == 15
    r = fit(COUNTS, **options)
    p, y = X[rows] @ r.coef + r.intercept + OFFSET[rows], COUNTS[rows]
    hand = np.mean(np.exp(p) - y * p + xlogy(y, y) - y)
    assert r.history.validation_loss[r.best_epoch - 1] == pytest.approx(hand, rel=1e-9)


def test_folds_take_their_offsets_along():
    train = np.arange(N) % 3 != 0
    folds = [(np.flatnonzero(train), np.flatnonzero(~train)), (np.flatnonzero(~train), np.flatnonzero(train))]
    s = fastgd.sweep(X, LABELS, loss="log_loss", alpha=[0.0], offset=OFFSET, cv=folds, tol=1e-12)
    held = []
    for r, rows in zip(s.results[0], (train, ~train), strict=True):
        solution = by_scipy(lambda p, rows=rows: np.mean(np.logaddexp(0, -SIGN[rows] * p)), X[rows], OFFSET[rows])
        close(r, solution, atol=1e-3)
        held.append(np.mean(np.logaddexp(0, -SIGN[~rows] * (X[~rows] @ r.coef + r.intercept + OFFSET[~rows]))))
    assert s.losses[0] == pytest.approx(np.mean(held), rel=1e-9)
    with pytest.raises(ValueError, match="offset is missing"):
        s.results[0][0].predict(X)


def test_scores_of_predictions_are_refused():
    with pytest.raises(ValueError, match=r"^scoring asks for predictions without an offset"):
        fastgd.sweep(X, Y, alpha=[0.0, 1.0], cv=3, scoring="r2", offset=OFFSET)


def test_bootstrap_replicates():
    """A replicate of counts with exposures is that of rates with weights: its draws multiply either."""
    options = {"loss": "poisson", "bootstrap": 5, "tol": 1e-12, "random_state": 1}
    counts = fastgd.fit(X, COUNTS, offset=np.log(EXPOSURE), **options)
    rates = fastgd.fit(X, COUNTS / EXPOSURE, sample_weight=EXPOSURE, **options)
    np.testing.assert_allclose(counts.replicates.coef, rates.replicates.coef, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(counts.coef_std, rates.coef_std, rtol=1e-5)


def test_chunks():
    r = None
    for first in range(0, 48, 24):
        rows = slice(first, first + 24)
        r = fastgd.partial_fit(
            X[rows], COUNTS[rows], r, loss="poisson", offset=OFFSET[rows], learning_rate=0.02, batch_size=8
        )
    close(r, steps_by_hand(8, 0.02, 1, rows=48), rtol=1e-9)
    with pytest.raises(ValueError, match=r"^r: the run was started with an offset\. Pass the same kind of data"):
        fastgd.partial_fit(X, COUNTS, r, loss="poisson", learning_rate=0.02, batch_size=8)


@pytest.mark.parametrize(
    "options",
    [{"tol": None}, {"batch_size": 8, "learning_rate": 0.02}, {"batch_size": 8}, {"optimizer": "momentum"}],
)
def test_resumed_bit_for_bit(options, tmp_path):
    options = {"loss": "log_loss", **options}
    part, whole = fit(LABELS, epochs=2, **options), fit(LABELS, epochs=4, **options)
    part.save(tmp_path / "part.npz")
    for run in (part, tmp_path / "part.npz"):
        assert fit(LABELS, epochs=4, resume=run, **options).coef.tobytes() == whole.coef.tobytes()
    with pytest.raises(ValueError, match=r"^resume: the run was started with an offset"):
        fit(LABELS, None, epochs=4, resume=part, **options)
    none = fit(LABELS, None, epochs=2, **options)
    with pytest.raises(ValueError, match=r"^resume: the run was started with no offset"):
        fit(LABELS, epochs=4, resume=none, **options)


@pytest.mark.skipif(not JIT_OFF, reason="one more compilation for each of two types")
def test_float32():
    r = fit(COUNTS.astype(np.float32), OFFSET, X=X.astype(np.float32), loss="poisson")
    close(r, by_scipy(OBJECTIVES["poisson"]), rtol=1e-2, atol=1e-3)


# Predictions --------------------------------------------------------------------------------------------------------


def test_predictions_by_hand():
    r = fit(COUNTS, loss="poisson")
    score = X @ r.coef + r.intercept + OFFSET
    np.testing.assert_allclose(r.decision_function(X, OFFSET), score, rtol=1e-12)
    np.testing.assert_allclose(r.predict(X, OFFSET), np.exp(score), rtol=1e-12)
    r = fit(LABELS, loss="log_loss")
    score = X @ r.coef + r.intercept + OFFSET
    np.testing.assert_allclose(r.predict_proba(X, OFFSET)[:, 1], expit(score), rtol=1e-9)
    np.testing.assert_array_equal(r.predict(X, OFFSET), np.where(score > 0, "yes", "no"))


@pytest.mark.parametrize("saved", [False, True])
def test_a_model_keeps_asking_for_it(saved, tmp_path):
    r = fit(LABELS, loss="log_loss")
    if saved:
        r.save(tmp_path / "model.npz")
        r = fastgd.load(tmp_path / "model.npz")
    for ask in (r.predict, r.decision_function, r.predict_proba):
        with pytest.raises(ValueError, match=r"^offset is missing: the model was fitted with one\. Pass offset="):
            ask(X)
    with pytest.raises(ValueError, match="offset is missing"):
        r.objective(X, LABELS)
    np.testing.assert_allclose(r.decision_function(X, np.zeros(N)), X @ r.coef + r.intercept, rtol=1e-12)


def test_a_model_without_one_may_be_given_one():
    r = fastgd.fit(X, COUNTS, loss="poisson")
    np.testing.assert_allclose(r.predict(X, OFFSET), r.predict(X) * EXPOSURE, rtol=1e-9)


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [fastgd.fit, fastgd.partial_fit, fastgd.sweep, fastgd.lr_find, reference.fit])
@pytest.mark.parametrize(
    "offset, words",
    [
        (OFFSET[:-1], rf"^offset has shape \({N - 1},\), but X has {N} rows: shape \({N},\) is needed"),
        (OFFSET[:, None], rf"^offset has shape \({N}, 1\)"),
        (0.5, r"^offset has shape \(\)"),
        (np.where(np.arange(N) == 7, np.nan, OFFSET), "^offset .*7"),
        (np.where(np.arange(N) == 7, np.inf, OFFSET), "^offset .*7"),
        (["a"] * N, "^offset"),
    ],
)
def test_what_is_no_offset_is_named(call, offset, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call(X, COUNTS, loss="poisson", offset=offset)


def test_predictions_name_it_too():
    r = fit(COUNTS, loss="poisson")
    with pytest.raises(ValueError, match=r"^offset has shape \(5,\), but X has 60 rows"):
        r.predict(X, OFFSET[:5])
    with pytest.raises(ValueError, match=r"^offset .*3"):
        r.predict(X, np.where(np.arange(N) == 3, np.nan, OFFSET))


@pytest.mark.parametrize("size", [-2000.0, -800.0, -740.0, 740.0, 800.0])
@pytest.mark.parametrize("weight", [None, np.arange(N) % 3])
def test_an_offset_that_is_far_from_zero_moves_the_intercept_alone(size, weight):
    """Its exponential under- or overflows; that of the sum with the intercept does not."""
    here = fastgd.fit(X, COUNTS, loss="poisson", sample_weight=weight)
    far = fastgd.fit(X, COUNTS, loss="poisson", sample_weight=weight, offset=np.full(N, size))
    assert far.status == "converged"
    np.testing.assert_allclose(far.coef, here.coef, rtol=1e-4)
    np.testing.assert_allclose(far.intercept + size, here.intercept, rtol=1e-4)
