"""Batches without settings: stages of implicit steps in whitened coordinates."""

import numpy as np
import pytest
from conftest import JIT_OFF, PROBLEMS, slow_to_compile
from hypothesis import given
from hypothesis import strategies as st

import fastgd
from fastgd import losses, reference
from fastgd.kernels import cholesky, part_functions
from fastgd.solvers import staged_sgd

LOSSES = ["squared_error", "huber", "quantile", "log_loss", "hinge", "poisson"]
BATCHES = [1, 32]
implicit_slope = getattr(part_functions.implicit_slope, "py_func", part_functions.implicit_slope)


@pytest.fixture
def short(monkeypatch):
    """Stages of a few epochs of the tests' small tables."""
    monkeypatch.setattr(staged_sgd, "FIRST_ROWS", 100)


def raw(n=400):
    """Columns whose scales, and collinearity, plain steps can't bear, and an outlying row; numbers as targets."""
    rng = np.random.default_rng(5)
    years, income = rng.integers(1990, 2024, n).astype(float), rng.lognormal(10, 1.5, n)
    income[7] *= 100
    X = np.column_stack([years, years**2, income, income * 1.2 + rng.normal(size=n), np.full(n, 3.0), years])
    return X, (years - 2007) ** 2 / 50 + np.log(income) + rng.normal(size=n)


def target(y, loss):
    """Numbers, two classes or counts, as the loss wants them."""
    part = getattr(losses, "".join(word.title() for word in loss.split("_")))()
    if part.labels:
        return (y > np.median(y)).astype(float)
    return np.round(np.exp((y - y.mean()) / y.std())) if part.domain else y


def excess(r, X, y):
    """How far the objective lies above the least squares', as a share of that of the mean."""
    Z = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    fitted = y.mean() + Z @ np.linalg.lstsq(Z, y - y.mean(), rcond=1e-12)[0]
    return (2 * r.objective(X, y) - np.mean((y - fitted) ** 2)) / y.var()


# The numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", ["block", "full", "replacement", False])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_reference_takes_the_same_steps(short, loss, batch, shuffle):
    if JIT_OFF and shuffle != "full":
        pytest.skip("slow in plain Python")
    p = PROBLEMS["weighted"]
    options = {"loss": loss, "batch_size": batch, "epochs": 6, "random_state": 2, "shuffle": shuffle}
    ours, expected = (
        fit(p.X, target(p.y, loss), sample_weight=p.weight, **options) for fit in (fastgd.fit, reference.fit)
    )
    np.testing.assert_allclose(ours.coef, expected.coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.history.loss, expected.history.loss, rtol=1e-7)
    assert ours.choices == expected.choices


@given(
    loss=st.sampled_from([losses.SquaredError(), losses.Huber(), losses.LogLoss(), losses.Poisson()]),
    p=st.floats(-5, 5),
    y=st.sampled_from([0, 1, 10_000_000]),
    reach=st.floats(1e-6, 1e6),
)
def test_an_implicit_step_never_passes_the_rows_own_optimum(loss, p, y, reach):
    y = min(y, 1) if loss.labels else y
    first, s = loss.slope(p, y), implicit_slope(loss, p, float(y), reach)
    assert s * first >= 0
    assert abs(s) <= abs(first)
    # It is met to a few hundredths; from beyond the root the row itself would pull back.
    assert loss.slope(p - 0.9 * reach * s, y) * np.sign(first) >= -1e-9 * (1 + y)


def test_of_squared_errors_it_is_a_formula():
    for reach in (1e-3, 1.0, 1e3):
        expected = (2.0 - 0.5) / (1.0 + reach)
        assert implicit_slope(losses.SquaredError(), 2.0, 0.5, reach) == pytest.approx(expected, rel=0.06)


def test_whitening_leaves_out_what_follows_from_others():
    X = np.random.default_rng(0).normal(size=(50, 3)) @ np.diag([1.0, 1e4, 1e-4])
    X = np.column_stack([X[:, :2], X[:, 0] - X[:, 1], X[:, 2]])
    matrix, out = X.T @ X / len(X), np.empty((4, 4))
    cholesky.whitening(matrix, 1e-10, out)
    np.testing.assert_allclose(out @ matrix @ out.T, np.diag([1.0, 1.0, 0.0, 1.0]), atol=1e-6)


# On raw tables ------------------------------------------------------------------------------------------------------


@pytest.mark.jit
@pytest.mark.parametrize("batch", BATCHES)
def test_raw_tables_need_no_setting(batch):
    X, y = raw()
    assert excess(fastgd.fit(X, y, batch_size=batch, random_state=0), X, y) < 0.001
    assert excess(fastgd.fit(X, y, batch_size=batch, random_state=0, optimizer="sgd"), X, y) > 0.01  # plain steps


@slow_to_compile
@pytest.mark.jit
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scales_make_no_difference(batch, scale):
    X, y = raw()
    factors = np.array([1e-8, 1e8, 1e3, 1e-3, 1.0, 1e5])
    before = excess(fastgd.fit(X, y, batch_size=batch, random_state=0), X, y)
    r = fastgd.fit(X * factors, y * scale, batch_size=batch, random_state=0)
    fitted = y - (y - r.predict(X * factors) / scale)
    after = (np.mean((y - fitted) ** 2) - 2 * fastgd.fit(X, y, batch_size=batch, random_state=0).loss) / y.var()
    assert abs(after) <= before + 1e-4


@pytest.mark.jit
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("loss", ["log_loss", "poisson"])
def test_what_has_no_finite_optimum_or_overflows_ends_finite(loss, batch):
    X, y = raw()
    y = (y > np.median(y)) * 1.0 if loss == "log_loss" else np.where(np.arange(len(y)) == 3, 1e7, np.arange(len(y)) % 3)
    X = np.column_stack([X, 1e6 * y * (loss == "log_loss")])
    r = fastgd.fit(X, y, loss=loss, batch_size=batch, random_state=0)
    assert np.isfinite(r.coef).all()
    assert r.status != "diverged"
    start = np.log(2) if loss == "log_loss" else np.mean(losses.Poisson().value(np.log(y.mean()), y))
    assert r.loss < (0.01 if loss == "log_loss" else 1.0) * start


@pytest.mark.jit
def test_a_fit_that_settles_says_so():
    r = fastgd.fit(*raw(), batch_size=1, random_state=0)
    assert r.status == "converged"
    assert "two stages in a row" in r.message
    assert {"solver", "learning_rate", "average"} <= r.choices.keys()


def test_a_stage_that_rose_is_forgotten(short, monkeypatch):
    monkeypatch.setattr(staged_sgd, "first_rate", lambda d, batch: 1e9)
    p, seen = PROBLEMS["plain"], []
    options = {"loss": "poisson", "random_state": 0, "epochs": 12, "evaluate": True, "batch_size": 32}
    r = fastgd.fit(p.X, target(p.y, "poisson"), callback=lambda e: seen.append(e.objective), **options)
    assert len(seen) == 12
    assert np.isfinite(seen).all()
    assert (np.diff(seen) <= 0).all()  # what is kept is the best so far
    assert r.history.learning_rate[-1] < r.history.learning_rate[0]


# What it does not touch ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": "sgd"},
        {"learning_rate": 0.01},
        {"alpha": 0.1},
        {"bounds": (0, None)},
        {"average": True},
        {"validation": 0.2},
        {"bootstrap": 2},
        {"batch_size": None},
        {"batch_size": 1000},
    ],
    ids=str,
)
def test_what_is_set_is_kept(given):
    p = PROBLEMS["plain"]
    r = fastgd.fit(p.X, p.y, **{"batch_size": 16, "epochs": 2, "random_state": 0} | given)
    assert r.options["solver"] != "staged_sgd"
    assert not r.choices.get("solver", "").startswith("staged")
    assert "average" not in r.choices


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("stop", [{"epochs": 5}, {"max_steps": 7}, {"max_steps": 333}], ids=str)
def test_going_on_is_the_same_to_the_last_bit(short, tmp_path, batch, stop):
    p = PROBLEMS["raw"]
    options = {"batch_size": batch, "random_state": 1, "tol": None}
    whole = fastgd.fit(p.X, p.y, epochs=12, **options)
    part = fastgd.fit(p.X, p.y, **{"epochs": 12} | stop, **options)
    assert part.n_steps < whole.n_steps or batch == 32
    part.save(tmp_path / "run.npz")
    for before in (part, tmp_path / "run.npz"):
        again = fastgd.fit(p.X, p.y, epochs=12, resume=before, **options)
        np.testing.assert_array_equal(again.coef, whole.coef)
        np.testing.assert_array_equal(again.history.loss, whole.history.loss)
    assert again.choices.keys() == whole.choices.keys()


def test_before_the_first_epoch_is_over_the_steps_so_far_count():
    p = PROBLEMS["plain"]
    r = fastgd.fit(p.X, p.y, batch_size=1, max_steps=40, random_state=0)
    assert r.n_steps == 40
    assert np.abs(r.coef).max() > 0.1
    assert r.objective(p.X, p.y) < 0.5 * p.y.var() / 2
