"""Of few rows descents go in the span of the rows, where the optimum lies; they stop and go on as any other."""

import numpy as np
import pytest
from conftest import JIT_OFF, plan_of
from resumed import facts_of
from scipy.optimize import minimize

import fastgd
from fastgd import losses
from fastgd.solvers.spaces import AllColumns, RowSpan, space_of

RNG = np.random.default_rng(3)
N, D = 40, 1100
X = RNG.standard_t(2, (N, D)) * 10.0 ** RNG.integers(-2, 3, D) + RNG.integers(-3, 4, D)
LABELS = RNG.random(N) < 0.4
COUNTS = RNG.poisson(2.0, N).astype(float)
CLASSES = RNG.integers(0, 3, N)
Y = RNG.standard_normal(N)


def space(rows=X, **options):
    """The space of a fit."""
    return space_of(plan_of(rows, Y[: len(rows)], **options))


def test_only_fits_without_kinks_of_few_dense_rows_go_there():
    assert type(space()) is RowSpan
    assert type(space(alpha=0.1)) is RowSpan
    assert type(space(rows=X[:, :1000])) is AllColumns
    assert type(space(alpha=0.1, l1_ratio=0.5)) is AllColumns
    assert type(space(bounds=(0, None))) is AllColumns
    assert type(space(start=(np.ones(D), 0.0))) is AllColumns  # what is outside of the span stays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("standardize", [True, False])
def test_scores_and_lengths_are_kept(standardize, dtype):
    found = space(X.astype(dtype), standardize=standardize)
    data, eps = found.plan.data, np.finfo(dtype).eps
    Z = (X.astype(dtype).astype(float) - data.shift) * data.inverse_scale
    inner = RNG.standard_normal((2, N + 1)).astype(dtype)
    if standardize:
        inner[:, N - 1] = 0.0  # centred rows are dependent: the last one adds nothing
    weights = np.zeros((2, D + 1), dtype)
    found.store(inner, weights)
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), np.linalg.norm(inner, axis=1), rtol=1e4 * eps)
    scores = weights[:, :-1] @ Z.T + weights[:, -1:]
    np.testing.assert_allclose(
        scores, inner[:, :-1] @ found.data.rows.values.T + inner[:, -1:], atol=1e5 * eps * np.abs(scores).max()
    )
    np.testing.assert_allclose(found.inner(weights), inner, atol=1e6 * eps * np.abs(inner).max())


def test_row_weights_and_offsets_change_no_coordinate():
    # Weights of models were multiplied by those of the rows: the loss was 0.0005, and that of the result 0.19.
    weight, offset = np.arange(N) % 4.0, 3.0 * RNG.standard_normal(N)
    found = space(sample_weight=weight, offset=offset)
    inner, weights = np.zeros((1, N + 1)), np.zeros((1, D + 1))
    inner[0, : N - 1] = RNG.standard_normal(N - 1)
    found.store(inner, weights)
    Z = (X - found.plan.data.shift) * found.plan.data.inverse_scale
    np.testing.assert_allclose(weights[0, :-1] @ Z.T, inner[0, :-1] @ found.data.rows.values.T, atol=1e-9)
    np.testing.assert_allclose(found.inner(weights), inner, atol=1e-9)
    r = fastgd.fit(X, LABELS, loss="log_loss", alpha=0.01, sample_weight=weight, offset=offset)
    assert r.objective(X, LABELS, weight, offset) == pytest.approx(r.loss, rel=1e-6)


def test_equal_rows_add_nothing():
    found = space(np.vstack([X[:20], X[:20]]), standardize=False)
    assert np.count_nonzero(np.abs(found.data.rows.values).max(axis=0)) == 20
    r = fastgd.fit(np.vstack([X[:20], X[:20]]), np.tile(COUNTS[:20], 2), loss="poisson", alpha=0.1)
    alone = fastgd.fit(X[:20], COUNTS[:20], loss="poisson", alpha=0.1)
    np.testing.assert_allclose(r.coef, alone.coef, atol=1e-3 * np.abs(alone.coef).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "y"),
    [("log_loss", LABELS), ("poisson", COUNTS), ("squared_error", Y), ("huber", Y)],
    ids=lambda v: str(v)[:9],
)
@pytest.mark.parametrize("alpha", [1e-3, 1.0])
def test_it_is_the_optimum(loss, y, alpha):
    rows = X / np.abs(X).max(axis=0)
    r = fastgd.fit(rows, y, loss=loss, alpha=alpha, standardize=False)
    assert r.status == "converged"
    part = {"log_loss": losses.LogLoss, "poisson": losses.Poisson, "squared_error": losses.SquaredError}.get(
        loss, losses.Huber
    )()
    objective = r.objective(rows, y)
    assert objective == pytest.approx(r.loss, rel=1e-6)

    def value(w):
        p, target = rows @ w[:-1] + w[-1], np.asarray(y, float)
        slopes = part.slope(p, target) / N
        cost = part.value(p, target).mean() + 0.5 * alpha * (w[:-1] @ w[:-1])
        return cost, np.append(rows.T @ slopes + alpha * w[:-1], slopes.sum())

    start = np.append(np.zeros(D), r.intercept)
    best = minimize(value, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-10})
    assert objective <= best.fun * (1 + 1e-5)


def test_a_start_has_its_scores():
    coef = RNG.standard_normal(D) / 100
    r = fastgd.fit(X, LABELS, loss="log_loss", alpha=0.1, start=(coef, 0.5), epochs=1)
    begun = losses.LogLoss().value(X @ coef + 0.5, LABELS.astype(float)).mean()
    assert r.history.loss[0] <= begun + 0.05 * np.sum((coef * X.std(axis=0)) ** 2)
    far = fastgd.fit(X, LABELS, loss="log_loss", alpha=0.1, start=(coef, 0.5))
    assert far.loss == pytest.approx(fastgd.fit(X, LABELS, loss="log_loss", alpha=0.1).loss, rel=2e-5)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("y", "options"),
    [(LABELS, {"loss": "log_loss"}), (CLASSES, {"loss": "multinomial"}), (COUNTS, {"loss": "poisson", "alpha": 0.0})],
    ids=["binary", "classes", "no penalty"],
)
def test_a_stopped_run_goes_on_bit_for_bit(y, options, tmp_path):
    options = {"tol": 1e-10, "random_state": 0, "alpha": 1e-3, **options}
    whole = fastgd.fit(X, y, **options)
    assert whole.n_epochs >= 3
    for epochs in (1, whole.n_epochs // 2):
        fastgd.fit(X, y, epochs=epochs, **options).save(tmp_path / "run")
        assert facts_of(fastgd.fit(X, y, resume=tmp_path / "run", **options)) == facts_of(whole)


@pytest.mark.jit
def test_any_number_of_threads_gives_the_same_bits():
    rows = RNG.standard_normal((300, 3000))
    y = rows[:, :5].sum(axis=1) + RNG.logistic(size=300) > 0
    one, *others = (fastgd.fit(rows, y, loss="log_loss", alpha=0.01, n_threads=n) for n in (1, 2, 3))
    for r in others:
        np.testing.assert_array_equal(r.coef, one.coef)


def test_lanes_are_single_fits():
    s = fastgd.sweep(X, LABELS, loss="log_loss", alpha=[1e-3, 0.1, 10.0])
    for alpha, r in zip([1e-3, 0.1, 10.0], s.results, strict=True):
        alone = fastgd.fit(X, LABELS, loss="log_loss", alpha=alpha)
        assert r.loss == pytest.approx(alone.loss, rel=1e-5)
    folds = fastgd.sweep(X, LABELS, loss="log_loss", alpha=[0.1, 10.0], cv=4 if not JIT_OFF else 2)
    assert np.isfinite(folds.losses).all()
