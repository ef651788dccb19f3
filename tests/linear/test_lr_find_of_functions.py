"""The learning-rate range test of a user's function over data: the curve by hand, and that of the same fit."""

import numpy as np
import pytest
from batch_models import (
    LINEAR,
    LINEAR_GRAD,
    QUADRATIC,
    QUADRATIC_GRAD,
    X0,
    D,
    X,
    Y,
    flat,
    linear,
    linear_grad,
    quadratic,
    quadratic_grad,
)

import fastgd
from fastgd import optimizers


def find(fun=linear, x0=X0, grad=linear_grad, data=(X, Y), **options):
    return fastgd.lr_find(fun, x0, grad, data=data, **{"random_state": 3, **options})


@pytest.mark.parametrize(("batch_size", "beta"), [(None, 0.0), (8, 0.98), (37, 0.0), (1, 0.98)])
def test_the_curve_by_hand(batch_size, beta):
    f = find(batch_size=batch_size, shuffle=False, start=1e-4, stop=0.5, num=40)
    size = batch_size or 37
    batches = [slice(lo, lo + size) for lo in range(0, 37, size)]
    w, mean, raw, smoothed = np.zeros(D + 1), 0.0, [], []
    # The test's first pass over the batches, at the start, is one of the epochs.
    first = 1 if beta == 0 else 40
    for k in range(40):
        rows = batches[(k if size == 37 else k + 0 * first) % len(batches)]
        p = {"w": w[:-1], "b": w[-1]}
        raw.append(linear(p, X[rows], Y[rows]))
        mean = beta * mean + (1 - beta) * raw[-1]
        smoothed.append(mean / (1 - beta ** (k + 1)))
        w = w - 1e-4 * (0.5 / 1e-4) ** (k / 40) * flat(linear_grad(p, X[rows], Y[rows]))
    np.testing.assert_allclose(f.raw_losses, raw[: f.raw_losses.size], rtol=1e-9)
    np.testing.assert_allclose(f.losses, smoothed[: f.losses.size], rtol=1e-9)
    assert f.losses.size == 40


@pytest.mark.parametrize("options", [
    {}, {"batch_size": 8}, {"batch_size": 8, "shuffle": "full", "start": 1e-5}, {"batch_size": 1, "stop": 100.0},
    {"batch_size": 8, "optimizer": optimizers.Momentum(0.9)}, {"optimizer": "adam"}, {"batch_size": 5, "num": 30},
])  # fmt: skip
def test_the_curve_is_that_of_a_fit(options):
    found = find(**options)
    fit = fastgd.lr_find(X, Y, standardize=False, random_state=3, **{"batch_size": None, "optimizer": "sgd", **options})
    assert (found.status, found.learning_rates.size) == (fit.status, fit.learning_rates.size)
    for name in ("learning_rates", "raw_losses", "losses"):
        np.testing.assert_allclose(getattr(found, name), getattr(fit, name), rtol=1e-6)
    assert found.suggestions.keys() == fit.suggestions.keys()
    np.testing.assert_allclose(list(found.suggestions.values()), list(fit.suggestions.values()), rtol=1e-6)


@pytest.mark.jit
def test_compiled_functions_have_the_curve_of_plain_ones():
    for options in ({"batch_size": 8}, {"optimizer": "adam", "clip_norm": 1.0}):
        found, plain = find(LINEAR, grad=LINEAR_GRAD, **options), find(**options)
        assert (found.status, found.message) == (plain.status, plain.message)
        np.testing.assert_allclose(found.losses, plain.losses, rtol=1e-8)


@pytest.mark.jit
def test_the_reference_has_the_same_curve():
    options = {"data": (X, Y), "batch_size": 8, "random_state": 3, "num": 60, "optimizer": "adam"}
    ours, expected = (call.lr_find(linear, X0, linear_grad, **options) for call in (fastgd, fastgd.reference))
    np.testing.assert_allclose(ours.raw_losses, expected.raw_losses, rtol=1e-9)
    assert ours.suggestions == pytest.approx(expected.suggestions)
    with pytest.raises(TypeError, match="grad is for lr_find"):
        fastgd.reference.lr_find(X, Y, linear_grad)


def test_the_suggestion_trains():
    f = find(QUADRATIC, np.full(D, 3.0), QUADRATIC_GRAD, X, batch_size=8)
    assert f.status == "found" and "fell by" in f.message
    o = fastgd.minimize(QUADRATIC, np.full(D, 3.0), QUADRATIC_GRAD, data=X, batch_size=8,
                        learning_rate=f.suggestion())  # fmt: skip
    assert o.status == "max_epochs" and o.fun < 0.5 * quadratic(np.full(D, 3.0), X)


def test_what_has_no_rate():
    f = find(quadratic, X.mean(axis=0), quadratic_grad, X)
    assert f.status == "flat"
    f = find(lambda x, y: 0.0 * x, 1.0, lambda x, y: 0.0, Y)
    assert f.status == "flat" and "0 before the first step" in f.message
    bad = Y.copy()
    bad[3] = np.nan
    with pytest.raises(ValueError, match=r"data\[1\] holds NaN or infinity, first in row 3"):
        find(data=(X, bad))
    for batch_size in (None, 8):
        with pytest.raises(ValueError, match=r"infinite or NaN at x0: choose an x0"):
            find(lambda p, X, y: np.nan, batch_size=batch_size)


def test_errors():
    with pytest.raises(ValueError, match=r"needs the data.*pass data=\(X, y\)"):
        fastgd.lr_find(linear, X0, linear_grad)
    for name in ("epochs", "validation", "patience", "average", "learning_rate", "callback", "resume", "tol"):
        with pytest.raises(TypeError, match=rf"lr_find\(\) does not take {name}: .*Leave it out"):
            find(**{name: None})
    for name in ("loss", "cv", "max_iter", "history"):
        with pytest.raises(TypeError, match=f"lr_find.* {name!r}"):
            find(**{name: None})
    with pytest.raises(TypeError, match="grad is for lr_find"):
        fastgd.lr_find(X, Y, linear_grad)
    with pytest.raises(TypeError, match="'data'"):
        fastgd.lr_find(X, Y, data=(X, Y))
    for options in ({"start": 1.0, "stop": 0.5}, {"num": 3}, {"start": "a"}, {"stop": -1.0}, {"batch_size": 0}):
        with pytest.raises((ValueError, TypeError), match=next(iter(options))):
            find(**options)
    with pytest.raises(TypeError, match="optimizer"):
        find(optimizer=["sgd", "adam"])


def test_what_functions_raise_comes_through():
    def fun(p, X, y):
        if abs(p["b"]) > 0.1:
            raise LookupError("mine")
        return linear(p, X, y)

    with pytest.raises(LookupError, match="mine"):
        find(fun, batch_size=8)
