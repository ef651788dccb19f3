"""A descent stops and goes on bit for bit, ends where its words say, and bears what has no optimum or no curvature."""

import math

import numpy as np
import pytest
from conftest import JIT_OFF, slow_to_compile
from resumed import facts_of, same, stop_after
from scipy.sparse import csr_array

import fastgd
from fastgd import losses
from fastgd.solvers import quasi_newton
from fastgd.solvers.current_metric import DAMPINGS, CurrentMetric

RNG = np.random.default_rng(13)
N, D = 6_000 if not JIT_OFF else 2_200, 4
X = RNG.standard_normal((N, D)) * [1.0, 5.0, 0.1, 1.0] + [0.0, 1.0, 0.0, -3.0]
SCORE = (X - X.mean(axis=0)) / X.std(axis=0) @ [1.0, -1.0, 0.5, 0.0]
LABELS = SCORE + RNG.logistic(size=N) > 0
COUNTS = RNG.poisson(np.exp(SCORE)).astype(float)
HEAVY = RNG.standard_t(1.5, (300, 4))  # on which steps have to be short
HEAVY_COUNTS = RNG.poisson(np.exp(np.clip(HEAVY[:, 0], -3, 3))).astype(float)
FLAT = np.random.default_rng(0).standard_normal((60, 3))  # exp(-60) has neither slope nor curvature to speak of
FLAT_COUNTS = np.random.default_rng(0).poisson(2.0, 60)
CLASSES = np.digitize(SCORE + RNG.logistic(size=N), [-1.0, 1.0])
SPARSE = np.where(RNG.uniform(size=X.shape) < 0.3, X, 0.0)

RUNS = {
    "samples": (X, LABELS, {"loss": "log_loss", "tol": 1e-12}),
    "float32": (X.astype(np.float32), LABELS, {"loss": "log_loss", "tol": 1e-12}),
    "sparse": (csr_array(SPARSE), LABELS, {"loss": "log_loss", "tol": 1e-12}),
    "penalty": (X, COUNTS, {"loss": "poisson", "tol": 1e-12, "alpha": 0.01}),
    "huber": (X, SCORE + RNG.standard_t(2, N), {"loss": "huber", "tol": 1e-12}),
    "short steps": (HEAVY, HEAVY_COUNTS, {"loss": "poisson", "tol": 1e-12}),
    "damped": (FLAT, FLAT_COUNTS, {"loss": "poisson", "tol": 1e-12, "start": ([0.0, 0.0, 0.0], -60.0)}),
    "classes": (X[:600], CLASSES[:600], {"loss": "multinomial", "tol": 1e-12}),
    "classes with a shared matrix": (csr_array(SPARSE), CLASSES, {"loss": "multinomial", "tol": 1e-9}),
    "weights": (X, LABELS, {"loss": "log_loss", "sample_weight": RNG.integers(0, 3, N) * 1.0, "tol": 1e-12}),
    "targets": (X, np.column_stack([SCORE, SCORE**2]) + RNG.standard_normal((N, 2)), {"loss": "huber", "tol": 1e-12}),
    "held out": (X, LABELS, {"loss": "log_loss", "tol": 1e-12, "validation": 0.3, "random_state": 0}),
}
# Nothing compiled, all of them take minutes.
every_run = pytest.mark.parametrize("run", ["samples", "short steps"] if JIT_OFF else RUNS)


def fit(run, **options):
    """A fit of the table, on one thread."""
    rows, y, given = RUNS[run]
    options = {"n_threads": 1, "epochs": 1000, "random_state": 0} | given | options
    if options.get("resume") is not None:
        options.pop("start", None)
    return fastgd.fit(rows, y, **options)


def stops(run):
    """The epochs at which a run is stopped: every one, behind the eighth every fifth."""
    return [k for k in range(1, run.n_epochs) if k < 8 or k % 5 == 0]


# Stopping and going on ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.jit
@every_run
def test_it_goes_on_after_every_epoch(run, tmp_path):
    whole = fit(run)
    assert whole.options["solver"] == "quasi_newton"
    assert whole.status in ("converged", "early_stopped")
    assert whole.n_epochs >= 3, "too few: this tests little"
    for k in stops(whole):
        part = fit(run, epochs=k)
        assert (part.status, part.n_epochs) == ("max_epochs", k)
        part.save(tmp_path / "run.npz")
        same(fit(run, resume=part), whole)
        same(fit(run, resume=tmp_path / "run.npz"), whole)


@slow_to_compile
@every_run
@pytest.mark.parametrize("how", ["returns", "raises"])
def test_it_goes_on_after_a_callback(run, how):
    whole = fit(run)
    for k in stops(whole)[::2]:
        part = fit(run, callback=stop_after(k, how))
        assert part.n_epochs == k
        assert part.status == ("interrupted" if how == "raises" else "early_stopped")
        same(fit(run, resume=part), whole)


def test_it_goes_on_step_by_step():
    whole, r = fit("short steps"), None
    for k in range(1, whole.n_epochs + 1):
        r = fit("short steps", epochs=k, resume=r)
    same(fit("short steps", resume=r), whole)
    assert (whole.history.learning_rate < 1).any(), "none was short: this tests nothing"


def test_damped_metrics_are_kept(monkeypatch):
    seen, summed = set(), CurrentMetric.sum

    def noted(self, stage, weights, rows, damping=0, forget=False):
        seen.add(damping)
        return summed(self, stage, weights, rows, damping, forget)

    monkeypatch.setattr(CurrentMetric, "sum", noted)
    r = fit("damped")
    assert max(seen) > 0, "none was damped: this tests nothing"
    assert math.isinf(DAMPINGS[-1])
    best = fastgd.fit(FLAT, FLAT_COUNTS, loss="poisson", tol=1e-12)
    assert r.loss == pytest.approx(best.loss, rel=1e-10)


@slow_to_compile
@pytest.mark.parametrize("run", ["samples", "classes", "sparse", "huber"])
def test_a_smaller_tolerance_goes_on(run):
    first = fit(run, tol=1e-4)
    assert first.status == "converged"
    more = fit(run, tol=1e-12, resume=first)
    assert more.status == "converged"
    assert more.n_epochs > first.n_epochs
    assert more.loss == pytest.approx(fit(run).loss, rel=1e-11)
    assert fit(run, tol=1e-4, resume=first).n_epochs <= first.n_epochs + 1


@pytest.mark.parametrize("k", [1, 2, 3])
def test_steps_may_be_counted_instead(k):
    r = fit("samples", max_steps=k)
    assert (r.n_steps, r.n_epochs) == (k, k)
    same_as = fit("samples", epochs=k)
    np.testing.assert_array_equal(r.coef, same_as.coef)


@slow_to_compile
@every_run
def test_what_is_recorded_of_each_epoch(run):
    seen, r = [], fit(run, tol=1e-6)
    again = fit(run, tol=1e-6, callback=lambda progress: seen.append(progress.epoch) and None)
    assert facts_of(again)["coef"] == facts_of(r)["coef"]
    assert seen == list(range(1, r.n_epochs + 1))
    for name in ("loss", "decrement", "gradient_norm", "learning_rate"):
        column = getattr(r.history, name)
        assert len(column) == r.n_epochs
        assert np.isfinite(column).all() if name != "decrement" else not np.isnan(column).any()
    loss = r.history.loss
    assert (np.diff(loss, axis=0) <= 1e-7 * np.abs(loss[:-1])).all()
    if run != "held out":  # whose weights are the best ones
        assert np.all(r.loss <= loss[-1] * (1 + 1e-7))


def test_losses_and_norms_are_those_before_each_step():
    r = fit("samples")
    for k in range(1, r.n_epochs):
        part = fit("samples", epochs=k)
        assert r.history.loss[k] == pytest.approx(part.objective(X, LABELS), rel=1e-12)
        slope = losses.LogLoss().slope(part.decision_function(X), LABELS.astype(float)) / N
        Z = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(N)])
        assert r.history.gradient_norm[k] == pytest.approx(np.linalg.norm(slope @ Z), rel=1e-6, abs=1e-12)


def test_without_a_tolerance_all_epochs_are_run():
    r = fit("samples", tol=None, epochs=30)
    assert (r.status, r.n_epochs, len(r.history.loss)) == ("max_epochs", 30, 30)
    assert r.loss == pytest.approx(fit("samples").loss, rel=1e-11)
    half = fit("samples", tol=None, epochs=13)
    same(fit("samples", tol=None, epochs=30, resume=half), r)


def test_the_decrement_is_about_what_is_left():
    r = fit("samples")
    left = r.history.loss[1:] - r.loss
    some = left > 1e-10
    assert some.any()
    assert (left[some] <= 100 * r.history.decrement[:-1][some]).all()


def test_early_stopping_keeps_the_best_weights():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((120, 60))
    y = rows[:, 0] + 2 * rng.standard_normal(120) > 0
    r = fastgd.fit(rows[:80], y[:80], loss="log_loss", validation=(rows[80:], y[80:]), patience=2)
    curve = r.history.validation_loss
    assert (r.status, r.options["solver"]) == ("early_stopped", "quasi_newton")
    assert r.best_epoch == 1 + np.argmin(curve)
    held = losses.LogLoss().value(r.decision_function(rows[80:]), y[80:].astype(float)).mean()
    assert held == pytest.approx(curve.min(), rel=1e-9)


# Threads --------------------------------------------------------------------------------------------------------------


@pytest.mark.jit
@pytest.mark.parametrize("run", ["dense", "sparse", "classes"])
def test_any_number_of_threads_gives_the_same_bits(run):
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((60_000, 7))
    score = rows @ np.linspace(-1, 1, 7)
    y = score + rng.logistic(size=60_000) > 0
    if run == "sparse":
        rows = csr_array(np.where(rng.uniform(size=rows.shape) < 0.4, rows, 0.0))
    loss = "log_loss"
    if run == "classes":
        y, loss = np.digitize(score, [-1.0, 1.0]) + rng.integers(0, 2, 60_000), "multinomial"
    one, *others = (fastgd.fit(rows, y, loss=loss, n_threads=n) for n in (1, 2, 3))
    for r in others:
        np.testing.assert_array_equal(r.coef, one.coef)
        np.testing.assert_array_equal(r.history.loss, one.history.loss)
        np.testing.assert_array_equal(r.history.decrement, one.history.decrement)


# What there is to be said of data -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("options", [{}, {"standardize": False}])
@pytest.mark.parametrize("rows", [100, N])
def test_numbers_that_are_none_are_named(rows, options, bad, sparse):
    table = X[:rows].copy()
    table[rows - 17, 2] = bad
    with pytest.raises(ValueError, match=rf"^X holds NaN or infinity, the first in row {rows - 17}, column 2"):
        fastgd.fit(csr_array(table) if sparse else table, LABELS[:rows], loss="log_loss", **options)


@pytest.mark.parametrize("loss", ["log_loss", "multinomial"])
@pytest.mark.parametrize("standardize", ["auto", False])
@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1e200), (np.float64, 1e-200)])
def test_squares_out_of_range_are_named(dtype, scale, standardize, loss):
    table = X[:200].copy()
    table[:, 1] *= scale
    try:
        r = fastgd.fit(table.astype(dtype), LABELS[:200], loss=loss, standardize=standardize)
    except ValueError as error:
        assert "column 1" in str(error)
    else:
        assert np.isfinite(r.coef).all()
        assert standardize is False
        assert r.loss < math.log(2)


# Losses without a minimum, without curvature --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["squared_error", "huber", "squared_epsilon_insensitive"])
def test_a_loss_of_zero_is_the_end(name):
    for seed in range(4):  # rounding decides how the last steps go
        rows = np.random.default_rng(seed).standard_normal((500, 4)) * [1.0, 5.0, 0.1, 1.0] + [0.0, 1.0, 0.0, -3.0]
        y = rows @ [1.0, 2.0, 3.0, 0.0] + 5
        r = fastgd.fit(rows, y, loss=name)
        assert r.status == "converged"
        assert r.n_epochs <= 30
        assert r.loss <= 1e-10 * y.var()
    r = fastgd.fit(X[:500], np.full(500, 3.0), loss=name)
    assert (r.status, r.loss) == ("converged", 0.0)
    np.testing.assert_array_equal(r.coef, 0.0)


@pytest.mark.parametrize("name", ["squared_hinge", "modified_huber"])
def test_rows_beyond_their_margins_have_no_second_derivative(name):
    y = X[:, 1] > 1.0
    r = fastgd.fit(X, y, loss=name)
    assert r.status == "converged"
    assert np.isfinite(r.coef).all()
    assert (r.predict(X) == y).mean() > 0.97
    begun = fastgd.fit(X, y, loss=name, start=(np.array([0.0, 1e3, 0.0, 0.0]), -1e3))
    assert begun.status == "converged"
    assert begun.loss <= 1e-6


@pytest.mark.parametrize("name", ["log_loss", "squared_hinge"])
def test_weights_far_on_the_wrong_side_come_back(name):
    far = fastgd.fit(X, LABELS, loss=name, start=(np.array([-50.0, 10.0, 30.0, 9.0]), 100.0))
    near = fastgd.fit(X, LABELS, loss=name, tol=1e-10)
    assert far.status == "converged"
    assert far.loss <= near.loss * (1 + 2e-6)


def test_rows_without_weight_are_not_there():
    weight = (np.arange(N) % 3 == 0).astype(float)
    wild = np.where(weight[:, None] > 0, X, 1e3 * X[::-1])
    r = fastgd.fit(wild, LABELS, loss="log_loss", sample_weight=weight, tol=1e-12)
    alone = fastgd.fit(X[weight > 0], LABELS[weight > 0], loss="log_loss", tol=1e-12)
    np.testing.assert_allclose([*r.coef, r.intercept], [*alone.coef, alone.intercept], rtol=1e-5, atol=1e-7)


# Many models ----------------------------------------------------------------------------------------------------------


@pytest.mark.jit
def test_the_models_of_a_sweep_are_single_fits():
    alphas = [0.0, 1e-3, 0.1, 10.0]
    s = fastgd.sweep(X, LABELS, loss="log_loss", alpha=alphas, n_threads=1)
    for alpha, r in zip(alphas, s.results, strict=True):
        alone = fastgd.fit(X, LABELS, loss="log_loss", alpha=alpha, n_threads=1)
        assert (r.status, r.n_epochs, r.options["solver"]) == (alone.status, alone.n_epochs, "quasi_newton")
        np.testing.assert_allclose(r.history.loss, alone.history.loss, rtol=1e-10)
        np.testing.assert_allclose(r.coef, alone.coef, rtol=1e-7, atol=1e-9)


def test_the_targets_of_a_fit_are_single_fits():
    rows, Y, options = RUNS["targets"]
    both = fastgd.fit(rows, Y, **options)
    for k in range(2):
        alone = fastgd.fit(rows, Y[:, k], **options)
        np.testing.assert_allclose(both.coef[k], alone.coef, rtol=1e-5, atol=1e-6)


def test_folds_are_fits_on_their_rows():
    train = np.arange(N) % 4 != 0
    folds = [(np.flatnonzero(train), np.flatnonzero(~train))]
    options = {"loss": "log_loss", "tol": 1e-12}
    s = fastgd.sweep(X, LABELS, alpha=[0.0, 0.1], cv=folds, **options)
    for alpha, loss in zip([0.0, 0.1], s.losses, strict=True):
        # Columns are scaled as all rows are.
        scaled = X / X.std(axis=0)
        alone = fastgd.fit(scaled[train], LABELS[train], alpha=alpha, standardize=False, **options)
        held = losses.LogLoss().value(alone.decision_function(scaled[~train]), LABELS[~train].astype(float)).mean()
        assert loss == pytest.approx(held, rel=1e-6)


@pytest.mark.jit
def test_a_bootstrap_has_the_spread_of_theory():
    rows, y = X[:1500], SCORE[:1500] + RNG.standard_normal(1500)
    r = fastgd.fit(rows, y, loss="huber", bootstrap=60, random_state=0)
    assert r.options["solver"] == "quasi_newton"
    spread = r.replicates.coef.std(axis=0) * rows.std(axis=0) * math.sqrt(1500)
    assert (spread > 0.4).all()
    assert (spread < 2.0).all()
    np.testing.assert_allclose(r.replicates.coef.mean(axis=0), r.coef, atol=0.1 / rows.std(axis=0).min())


def test_the_cost_of_steps_sets_how_many_a_slice_takes(monkeypatch):
    monkeypatch.setattr(quasi_newton, "SLICE_ELEMENTS", 1)
    one = fit("samples")
    monkeypatch.undo()
    same(one, fit("samples"))


@slow_to_compile
@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "multinomial"])
def test_what_rounding_hides_is_told(loss):
    rng = np.random.default_rng(1)
    rows = (rng.standard_normal((80, 4)) + np.array([0.0, 1e6, 1e7, 1e8])).astype(np.float32)
    y = rng.integers(0, 3 if loss == "multinomial" else 2, 80)
    r = fastgd.fit(rows, y, loss=loss, standardize=False)
    assert (r.status, r.n_epochs < 200) == ("early_stopped", True)
    assert r.message.startswith("Stopped early: rounding hides whether any step lowers the loss further. standardize=")
    assert r.loss <= r.history.loss[0]
    assert fastgd.fit(rows.astype(float), y, loss=loss).status == "converged"
