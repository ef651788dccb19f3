"""Held-out rows: which they are, when they end a run, whose weights are given back; and averaged weights."""

import numpy as np
import pandas as pd
import pytest
from conftest import ELEMENTWISE, PROBLEMS, diverges, plan_of
from hypothesis import given
from hypothesis import strategies as st

import fastgd
from fastgd import losses, reference

BATCHES = [None, 16, 1]
GIVEN = {"learning_rate": 0.05, "random_state": 0}


def noisy(n=60, d=30):
    """More columns than the rows bear: a fit of them all overfits."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, d))
    return X, X[:, 0] + 2 * rng.standard_normal(n)


# Which rows ---------------------------------------------------------------------------------------------------------


@given(n=st.integers(2, 300), share=st.floats(0.01, 0.99), seed=st.integers(0, 2**62))
def test_a_share_of_the_rows_is_held_out_and_the_rest_trained_on(n, share, seed):
    X = np.arange(float(n))[:, None]
    plan = plan_of(X, X[:, 0], validation=share, learning_rate=0.1, random_state=seed)
    held, trained = plan.held.rows.values[:, 0], X[plan.rows, 0]
    assert len(held) == min(max(1, round(share * n)), n - 1)
    assert sorted([*held, *trained]) == list(range(n))
    np.testing.assert_array_equal(plan.data.weight, np.isin(X[:, 0], trained))
    assert (plan.data.count, plan.held.count) == (len(trained), len(held))


def test_other_seeds_hold_out_other_rows(plain):
    drawn = {tuple(plan_of(plain.X, plain.y, validation=0.3, random_state=k).rows) for k in range(20)}
    assert len(drawn) == 20


def test_every_row_is_held_out_about_as_often():
    X = np.arange(50.0)[:, None]
    counts = np.zeros(50)
    for seed in range(400):
        counts[
            plan_of(X, X[:, 0], validation=0.2, learning_rate=0.1, random_state=seed).held.rows.values[:, 0].astype(int)
        ] += 1
    assert counts.sum() == 4000
    assert abs(counts - 80).max() < 4.5 * np.sqrt(400 * 0.2 * 0.8)


def test_each_class_is_held_out_in_its_share():
    X = np.arange(100.0)[:, None]
    y = np.where(X[:, 0] < 10, "rare", "common")
    plan = plan_of(X, y, loss="log_loss", validation=0.2, learning_rate=0.1, random_state=0)
    assert (plan.held.rows.values < 10).sum() == 2
    assert plan.held.count == 20


@pytest.mark.parametrize("batch", BATCHES)
def test_a_share_is_the_same_as_fitting_the_other_rows(plain, batch):
    """The rows trained on alone, with the held-out ones as data of their own: the same run."""
    X, y, weight = plain.X, plain.y, PROBLEMS["weighted"].weight
    options = {**GIVEN, "batch_size": batch, "epochs": 6, "shuffle": "full", "standardize": True}
    a = fastgd.fit(X, y, validation=0.25, sample_weight=weight, **options)
    rows = plan_of(X, y, validation=0.25, sample_weight=weight, **options).rows
    held = np.setdiff1d(np.arange(len(X)), rows)
    b = fastgd.fit(X[rows], y[rows], sample_weight=weight[rows], validation=(X[held], y[held], weight[held]), **options)
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-9)
    np.testing.assert_allclose(a.history.loss, b.history.loss, rtol=1e-9)
    np.testing.assert_allclose(a.history.validation_loss, b.history.validation_loss, rtol=1e-9)
    assert a.loss == pytest.approx(b.loss, rel=1e-9)
    assert (a.n_steps, a.best_epoch) == (b.n_steps, b.best_epoch)


@pytest.mark.parametrize("batch", BATCHES)
def test_data_of_their_own_do_not_touch_the_training(plain, batch):
    options = {**GIVEN, "batch_size": batch, "epochs": 5}
    a = fastgd.fit(plain.X, plain.y, **options)
    b = fastgd.fit(plain.X, plain.y, validation=(plain.X[:9], plain.y[:9]), **options)
    np.testing.assert_array_equal(a.history.loss, b.history.loss)


# The curve, the stop and the best weights ---------------------------------------------------------------------------


@pytest.mark.parametrize("batch", BATCHES)
def test_the_curve_is_the_mean_loss_of_the_held_out_rows(plain, batch):
    X, y = noisy()
    weight = np.linspace(1, 3, 20)
    seen = []
    r = fastgd.fit(
        X[:40], y[:40], validation=(X[40:], y[40:], weight), batch_size=batch, epochs=8, patience=100, alpha=0.1,
        callback=lambda progress: seen.append(progress.validation_loss), **GIVEN
    )  # fmt: skip
    assert (r.status, r.n_epochs) == ("max_epochs", 8)
    np.testing.assert_array_equal(r.history.validation_loss, seen)
    at_best = 0.5 * np.average((r.predict(X[40:]) - y[40:]) ** 2, weights=weight)
    assert at_best == pytest.approx(min(seen), rel=1e-12)  # without the penalty
    assert r.best_epoch == 1 + np.argmin(seen)


@diverges
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("patience", [1, 3])
def test_an_overfit_is_stopped_and_the_best_weights_given_back(batch, patience):
    X, y = noisy()
    options = {**GIVEN, "batch_size": batch, "validation": (X[40:], y[40:]), "epochs": 300, "patience": patience}
    r = fastgd.fit(X[:40], y[:40], **options)
    curve = r.history.validation_loss
    assert r.status == "early_stopped"
    assert curve.size == r.n_epochs < 300
    assert r.best_epoch == 1 + np.argmin(curve)
    assert r.n_epochs >= r.best_epoch + patience
    assert f"epoch {r.best_epoch}" in r.message
    alone = fastgd.fit(X[:40], y[:40], epochs=r.best_epoch, batch_size=batch, **GIVEN)
    np.testing.assert_array_equal(r.coef, alone.coef)
    assert r.intercept == alone.intercept


def test_a_swing_of_momentum_is_no_overfit(plain):
    options = {"optimizer": "momentum", "learning_rate": 0.5, "epochs": 400, "validation": 0.2, "random_state": 0}
    r, settled = (fastgd.fit(plain.X, plain.y, patience=patience, **options) for patience in (5, 400))
    assert r.history.validation_loss.min() <= 1.05 * settled.history.validation_loss[-1]


@diverges
@pytest.mark.parametrize("validation", [0.25, "data"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_loss_and_the_reference(plain, name, validation):
    loss = getattr(losses, name)()
    y = plain.target(loss)
    given = (plain.X[::4], y[::4]) if validation == "data" else validation
    options = {"loss": loss, "validation": given, "epochs": 4, "learning_rate": 0.02, "random_state": 0, "alpha": 0.1}
    a, b = fastgd.fit(plain.X, y, **options), reference.fit(plain.X, y, **options)
    np.testing.assert_allclose(a.history.validation_loss, b.history.validation_loss, rtol=1e-9)
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-8, atol=1e-10)
    assert a.best_epoch == b.best_epoch


@diverges
def test_a_diverging_run_keeps_the_best_weights_it_had():
    X, y = noisy()
    r = fastgd.fit(X, y, validation=0.2, learning_rate=0.9, epochs=3000, patience=3000, random_state=0)
    assert r.status == "diverged"
    assert r.best_epoch == 1 + np.nanargmin(r.history.validation_loss)
    assert np.isfinite(r.coef).all()


@pytest.mark.slow
def test_early_stopping_is_no_worse_than_patience():
    """Clean data that nobody can overfit: momentum's overshoot is no reason to stop."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(5000, 10)) @ rng.normal(size=(10, 10))
    y = rng.random(5000) < 1 / (1 + np.exp(-X @ rng.normal(size=10)))
    for seed in range(4):
        r, late = (
            fastgd.fit(X, y, loss="log_loss", validation=0.1, random_state=seed, patience=patience)
            for patience in (5, 100)
        )
        assert r.history.validation_loss.min() <= 1.02 * late.history.validation_loss.min()


# What is refused ----------------------------------------------------------------------------------------------------

X, Y = PROBLEMS["plain"].X, PROBLEMS["plain"].y
NAMED = pd.DataFrame(X, columns=["a", "b", "c"])
WRONG = {
    "0": (0.0, ValueError, "validation=0"),
    "1": (1.0, ValueError, "validation=1"),
    "a word": ("0.1", TypeError, "validation='0.1'"),
    "True": (True, TypeError, "validation=True"),
    "one array": ((X,), ValueError, "validation must be"),
    "other columns": ((X[:, :2], Y), ValueError, "validation: X has 2 columns"),
    "other length": ((X, Y[:5]), ValueError, "validation: y has 5 rows, but X has 80"),
    "NaN": ((np.where(X > 2, np.nan, X), Y), ValueError, "validation: X holds NaN"),
    "NaN in y": ((X, np.where(Y > 2, np.nan, Y)), ValueError, "validation: y holds NaN"),
    "negative weight": ((X, Y, -np.ones(80)), ValueError, "validation: sample_weight is negative"),
    "an array": (X, TypeError, "validation="),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_name_the_argument(name):
    given, kind, words = WRONG[name]
    with pytest.raises(kind) as error:
        fastgd.fit(X, Y, validation=given, epochs=1)
    assert words in str(error.value)


def test_errors_of_names_labels_and_small_tables():
    with pytest.raises(ValueError, match="validation: X has the columns"):
        fastgd.fit(NAMED, Y, validation=(NAMED[["b", "a", "c"]], Y), epochs=1)
    with pytest.raises(ValueError, match="validation: y holds the classes 'maybe'"):
        fastgd.fit(
            X, np.where(Y > 2, "yes", "no"), loss="log_loss", validation=(X[:3], ["yes", "maybe", "no"]), epochs=1
        )
    with pytest.raises(ValueError, match="at least 2 rows"):
        fastgd.fit(X[:1], Y[:1], validation=0.5, epochs=1)
    with pytest.raises(ValueError, match="positive weight"):
        fastgd.fit(X[:2], Y[:2], validation=0.5, sample_weight=[0, 1], epochs=1)


# Averages -----------------------------------------------------------------------------------------------------------


@diverges
@pytest.mark.parametrize("begin", [True, 1, 7])
@pytest.mark.parametrize("batch", BATCHES)
def test_the_average_is_the_mean_of_the_weights_after_each_step(plain, batch, begin):
    options = {**GIVEN, "batch_size": batch, "shuffle": False}
    steps = [fastgd.fit(plain.X, plain.y, max_steps=k, **options) for k in range(1, 13)]
    r = fastgd.fit(plain.X, plain.y, max_steps=12, average=begin, **options)
    averaged = steps[int(begin) - 1 :]
    np.testing.assert_allclose(r.coef, np.mean([s.coef for s in averaged], axis=0), rtol=1e-12)
    assert r.intercept == pytest.approx(np.mean([s.intercept for s in averaged]), rel=1e-12)
    before = fastgd.fit(plain.X, plain.y, max_steps=12, average=13, **options)
    np.testing.assert_array_equal(before.coef, steps[-1].coef)


def test_averaging_gets_closer_than_the_last_weights(plain):
    least = fastgd.fit(plain.X, plain.y, epochs=3000).objective(plain.X, plain.y)
    options = {"batch_size": 1, "epochs": 30, "learning_rate": 0.05, "random_state": 0}
    last, averaged = (fastgd.fit(plain.X, plain.y, average=average, **options) for average in (False, 800))
    excess = [r.objective(plain.X, plain.y) - least for r in (last, averaged)]
    assert excess[1] < 0.1 * excess[0]


def test_evaluated_and_validated_are_the_averaged_weights(plain):
    r = fastgd.fit(plain.X, plain.y, average=True, evaluate=True, epochs=7, batch_size=16, **GIVEN)
    assert r.history.objective[-1] == pytest.approx(r.loss, rel=1e-14)
    held = plain.X[:20], plain.y[:20]
    r = fastgd.fit(plain.X, plain.y, average=True, validation=held, patience=50, epochs=7, batch_size=16, **GIVEN)
    assert min(r.history.validation_loss) == pytest.approx(
        0.5 * np.mean((r.predict(held[0]) - held[1]) ** 2), rel=1e-12
    )


@pytest.mark.parametrize("given", [0, -1, 1.5, "yes"])
def test_average_is_a_step(plain, given):
    with pytest.raises((ValueError, TypeError), match="average="):
        fastgd.fit(plain.X, plain.y, average=given)


def test_validation_targets_are_as_many(plain):
    y = np.column_stack([plain.y, plain.y])
    with pytest.raises(ValueError, match="validation: y has 1 target, but the training data have 2"):
        fastgd.fit(plain.X, y, validation=(plain.X, plain.y), epochs=1)
