"""A user's own loss of several classes: Brier's score, and what is said of classes that are none."""

from typing import NamedTuple

import numpy as np
import pytest
from conftest import JIT_OFF, slow_to_compile

import fastgd
from fastgd import reference
from fastgd.parts.losses import of_rows

RNG = np.random.default_rng(4)
N, D, CLASSES = 90, 4, 3
X = RNG.standard_normal((N, D)) + np.array([0.0, 1.0, 0.0, -1.0])
SCORES = (X - X.mean(axis=0)) / X.std(axis=0) @ RNG.standard_normal((D, CLASSES)) + 0.7 * RNG.standard_normal(
    (N, CLASSES)
)
Y = np.array(["red", "green", "blue"])[SCORES.argmax(axis=1)]
WEIGHT = RNG.uniform(0.5, 2.0, N)


class Brier(NamedTuple):
    """The squared distance of the softmax's probabilities from what happened."""

    factor: float = 1.0
    joint = True

    def value_and_slopes(self, p, y, slopes):
        share = np.exp(p - np.max(p))
        share /= np.sum(share)
        away = share.copy()
        away[y] -= 1.0
        slopes[:] = 2.0 * self.factor * share * (away - np.sum(share * away))
        return self.factor * np.sum(away * away)


class Exponential:
    """A plain class, without a softmax, of loops: one against all others, exponentially."""

    joint = True

    def value_and_slopes(self, scores, label, out):
        total = 0.0
        for k in range(len(scores)):
            sign = 1.0 if k == label else -1.0
            out[k] = -sign * np.exp(-sign * scores[k])
            total += np.exp(-sign * scores[k])
        return total


def objective(loss, coef, intercept, alpha, weight):
    codes = np.searchsorted(np.unique(Y), Y)
    values, _ = of_rows(loss, X @ coef.T + intercept, codes)
    return np.average(values, weights=weight) + 0.5 * alpha * np.sum(coef**2)


def agree(call, *arguments, rtol=1e-7, **options):
    one, other = getattr(fastgd, call)(*arguments, **options), getattr(reference, call)(*arguments, **options)
    if call == "fit":
        np.testing.assert_allclose(one.coef, other.coef, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(one.intercept, other.intercept, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(one.history.loss, other.history.loss, rtol=rtol)
    else:
        np.testing.assert_allclose(one.losses, other.losses, rtol=rtol)
    return one


OPTIONS = {"optimizer": "sgd", "learning_rate": 0.3, "standardize": True, "epochs": 6, "random_state": 0}


@slow_to_compile
@pytest.mark.parametrize(
    ("batch", "dtype"),
    [
        (batch, dtype)
        for batch in (None, 16, 1)
        for dtype in (np.float64, np.float32)
        if JIT_OFF or (batch == 16) == (dtype == np.float32)  # a user's class is compiled anew in every process
    ],
)
def test_compiled_is_the_reference(batch, dtype):
    rtol = 1e-8 if dtype == np.float64 else 1e-4
    options = {**OPTIONS, "learning_rate": 0.3 if batch is None else 0.05, "batch_size": batch, "rtol": rtol}
    r = agree("fit", X.astype(dtype), Y, loss=Brier(), sample_weight=WEIGHT, alpha=0.01, **options)
    assert r.coef.shape == (CLASSES, D)
    assert set(r.predict(X)) <= set(Y)


@slow_to_compile
@pytest.mark.jit
def test_a_fit_lowers_its_own_objective_to_a_minimum():
    alpha = 0.05
    options = {**OPTIONS, "standardize": False, "epochs": 600, "learning_rate": 0.7}
    r = fastgd.fit(X, Y, loss=Brier(), alpha=alpha, sample_weight=WEIGHT, **options)
    least = objective(Brier(), r.coef, r.intercept, alpha, WEIGHT)
    assert least == pytest.approx(r.objective(X, Y, WEIGHT), rel=1e-9)
    assert least < 0.9 * objective(Brier(), 0 * r.coef, 0 * r.intercept, alpha, WEIGHT)
    h = 1e-5
    for k, j in np.ndindex(CLASSES, D):
        step = h * np.outer(np.arange(CLASSES) == k, np.arange(D) == j)
        sides = [objective(Brier(), r.coef + side * step, r.intercept, alpha, WEIGHT) for side in (1, -1)]
        assert abs(sides[0] - sides[1]) / (2 * h) < 1e-4


@slow_to_compile
def test_a_step_is_against_the_gradient():
    """One step's change is the rate times what differences of the objective give."""
    rate, h = 0.1, 1e-6
    r = fastgd.fit(
        X,
        Y,
        loss=Brier(2.0),
        sample_weight=WEIGHT,
        **{**OPTIONS, "learning_rate": rate, "epochs": 1, "standardize": False},
    )
    zero = np.zeros((CLASSES, D)), np.zeros(CLASSES)
    for k, j in np.ndindex(CLASSES, D):
        step = h * np.outer(np.arange(CLASSES) == k, np.arange(D) == j)
        above, below = (objective(Brier(2.0), side * step, zero[1], 0.0, WEIGHT) for side in (1, -1))
        assert r.coef[k, j] == pytest.approx(-rate * (above - below) / (2 * h), rel=1e-5, abs=1e-8)


@slow_to_compile
def test_everything_on_auto():
    for loss in (Brier(), Exponential()):
        r = fastgd.fit(X, Y, loss=loss, epochs=100, alpha=0.01)
        assert r.status in ("converged", "max_epochs")
        assert np.mean(r.predict(X) == Y) > 0.7


def test_bootstrap_and_sweep():
    r = agree("fit", X, Y, loss=Brier(), bootstrap=3, **OPTIONS)
    assert r.coef_std.shape == (CLASSES, D)
    s = agree("sweep", X, Y, loss=Brier(), alpha=[0.0, 0.1], cv=3, sample_weight=WEIGHT, **OPTIONS)
    assert s.losses.shape == (2,)
    agree("sweep", X, Y, loss=[Brier(), Brier(0.5)], **OPTIONS)


class BrierAtOnce(Brier):
    """With what is optional."""

    __slots__ = ()

    def values_and_slopes(self, p, y, values, slopes):
        for k in range(p.shape[1]):
            total, square, cross = 0.0, 0.0, 0.0
            for c in range(p.shape[0]):
                slopes[c, k] = np.exp(p[c, k])
                total += slopes[c, k]
            for c in range(p.shape[0]):
                slopes[c, k] /= total
                away = slopes[c, k] - (1.0 if c == y[k] else 0.0)
                square += away * away
                cross += slopes[c, k] * away
            for c in range(p.shape[0]):
                away = slopes[c, k] - (1.0 if c == y[k] else 0.0)
                slopes[c, k] = 2.0 * self.factor * slopes[c, k] * (away - cross)
            values[k] = self.factor * square


@slow_to_compile
def test_rows_at_once_are_single_rows():
    one, other = (fastgd.fit(X, Y, loss=loss, **OPTIONS) for loss in (Brier(), BrierAtOnce()))
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-9)


class ArraysAtOnce(Brier):
    """The same with arrays that its methods make."""

    def values_and_slopes(self, p, y, values, slopes):
        for k in range(len(y)):
            found = np.empty(len(p))
            values[k] = self.value_and_slopes(p[:, k].copy(), y[k], found)
            slopes[:, k] = found


@slow_to_compile
@pytest.mark.jit
def test_rows_at_once_may_make_arrays():
    one, other = (fastgd.fit(X, Y, loss=loss, **OPTIONS) for loss in (Brier(), ArraysAtOnce()))
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-9)


@slow_to_compile
def test_sparse_rows():
    sparse = pytest.importorskip("scipy.sparse")
    rows = sparse.random_array((N, 30), density=0.2, format="csr", rng=np.random.default_rng(1))
    for batch in (None, 8) if JIT_OFF else (8,):
        agree("fit", rows, Y, loss=Brier(), batch_size=batch, **OPTIONS)


# Mistakes -------------------------------------------------------------------------------------------------------------


class Elementwise(NamedTuple):
    c: float = 1.0
    joint = True

    def value(self, p, y):
        return 0.5 * (p - y) ** 2

    def slope(self, p, y):
        return p - y


def brier(**changes):
    return type("Changed", (Brier,), {"__slots__": (), **changes})()


def without_slopes(self, p, y, slopes):
    return np.sum(p * p)


def one_slope(self, p, y, slopes):
    slopes[0] = 2 * p[0]
    return np.sum(p * p)


def wrong_slopes(self, p, y, slopes):
    slopes[:] = p
    return np.sum(p * p)


def a_row(self, p, y, slopes):
    slopes[:] = 2 * p
    return p * p


def writes(self, p, y, slopes):
    p -= 1
    slopes[:] = 2 * p
    return np.sum(p * p)


def fails(self, p, y, slopes):
    return np.sum(p + np.zeros(17))


def wrong_block(self, p, y, values, slopes):
    values[:] = 0.0
    slopes[:] = p


def wrong_matrix(self, slopes, y, out):
    out[:] = 0.0


def wrong_mean(self, slopes, y):
    return 7.0


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (brier(values_and_slopes=wrong_block), r"values_and_slopes writes the loss 0 .* value_and_slopes gives"),
        (brier(mean_second_derivative=wrong_mean), r"mean_second_derivative gives 7.* at p=.* of slopes give"),
        (brier(second_derivatives=wrong_matrix), r"(?s)second_derivatives writes .* at p=.* of slopes give"),
        (
            Elementwise(),
            r"^loss=Elementwise has joint=True but no value_and_slopes\(self, p, y, slopes\).*leave joint out",
        ),
        (brier(joint=False), r"^loss=Changed has value_and_slopes.*add joint = True"),
        (brier(value_and_slopes=without_slopes), r"does not write slopes\[0\] at p="),
        (brier(value_and_slopes=one_slope), r"does not write slopes\[1\] at p="),
        (brier(value_and_slopes=wrong_slopes), r"slopes are not the derivatives .* it writes slopes\[1\] ="),
        (brier(value_and_slopes=a_row), r"returns an array of shape \(2,\); the row's loss is needed"),
        (brier(value_and_slopes=writes), r"writes to p"),
        (brier(value_and_slopes=fails), r"value_and_slopes fails \(ValueError: .* are the scores of one row"),
        (brier(value_and_slopes=lambda self, p, y: 0.0), r"must be value_and_slopes\(self, p, y, slopes\)"),
        (brier(curvature=0.01), r"curvature=0.01 must bound the largest eigenvalue"),
        (brier(residual_only=True), r"residual_only is for losses of one score"),
    ],
)
def test_mistakes_are_sentences(loss, words):
    with pytest.raises((TypeError, ValueError), match=words):
        fastgd.fit(X, Y, loss=loss)
