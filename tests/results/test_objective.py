"""The objective, probabilities and options of a result against formulas written out; and what a result keeps alive."""

import gc
import weakref

import numpy as np
import pytest
from conftest import slow_to_compile
from scipy.special import xlogy

import fastgd

RNG = np.random.default_rng(5)
N, D = 40, 3
X = RNG.standard_normal((N, D)) * [1.0, 4.0, 0.3] + [1.0, -2.0, 0.0]
SCORE = 0.3 + X @ [0.8, -0.3, 1.5]
Y = SCORE + 0.5 * RNG.standard_normal(N)
COUNTS = RNG.poisson(np.exp(0.4 * SCORE)).astype(float)
LABELS = np.where(SCORE + RNG.logistic(size=N) > np.median(SCORE), "yes", "no")
CLASSES = np.array(["a", "b", "c"])[np.digitize(SCORE + RNG.logistic(size=N), [-0.5, 1.5])]
WEIGHT = RNG.integers(0, 4, N).astype(float)
OFFSET = RNG.normal(0.0, 0.5, N)

FORMULAS = {
    "squared_error": lambda p, y: (p - y) ** 2 / 2,
    "mse": lambda p, y: (p - y) ** 2,
    "absolute_error": lambda p, y: abs(p - y),
    "poisson": lambda p, y: np.exp(p) - y * p + xlogy(y, y) - y,
    "log_loss": lambda p, y: np.log1p(np.exp(-np.where(y == "yes", p, -p))),
    "hinge": lambda p, y: np.maximum(0.0, 1 - np.where(y == "yes", p, -p)),
    "squared_hinge": lambda p, y: np.maximum(0.0, 1 - np.where(y == "yes", p, -p)) ** 2,
}
TARGETS = {"poisson": COUNTS, "log_loss": LABELS, "hinge": LABELS, "squared_hinge": LABELS}


def by_hand(r, values, weight=None, alpha=0.0, l1_ratio=0.0, scaled=True, targets=1, X=X):
    """The mean of weights of mean 1 times losses (n,) or (n, targets), and the penalty of coefficients as scaled."""
    w = np.ones(len(values)) if weight is None else weight / weight.mean()
    mean = np.average(X, axis=0, weights=w)
    scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w)) if scaled else 1.0
    c = np.atleast_2d(r.coef) * scale
    penalty = alpha * (l1_ratio * abs(c).sum() + (1 - l1_ratio) / 2 * (c**2).sum())
    return np.mean(w * values.reshape(len(w), -1).mean(axis=1)) + penalty / targets


@pytest.mark.parametrize("loss", FORMULAS)
def test_losses(loss):
    y = TARGETS.get(loss, Y)
    r = fastgd.fit(X, y, loss=loss, alpha=0.1 if loss == "hinge" else 0.0)
    assert r.objective(X, y) == pytest.approx(
        by_hand(r, FORMULAS[loss](X @ r.coef + r.intercept, y), alpha=0.1 if loss == "hinge" else 0.0), rel=1e-9
    )


@pytest.mark.parametrize("options", [{"alpha": 0.3}, {"alpha": 0.3, "l1_ratio": 0.4}, {"alpha": 0.2, "l1_ratio": 1.0}])
@pytest.mark.parametrize("scaled", [True, False])
def test_the_penalty_is_one_of_scaled_coefficients(options, scaled):
    r = fastgd.fit(X, Y, sample_weight=WEIGHT, standardize=scaled, **options)
    hand = by_hand(r, (X @ r.coef + r.intercept - Y) ** 2 / 2, WEIGHT, scaled=scaled, **options)
    assert r.objective(X, Y, sample_weight=WEIGHT) == pytest.approx(hand, rel=1e-9)
    assert r.objective(X, Y, sample_weight=7 * WEIGHT) == pytest.approx(hand, rel=1e-9)
    assert r.objective(X, Y) != pytest.approx(hand, rel=1e-3)
    assert r.loss == pytest.approx(hand, rel=1e-9)  # the solver knows it


def test_several_targets():
    """The mean of the targets' objectives."""
    Y2 = np.column_stack([Y, 10 - 3 * Y + OFFSET])
    r = fastgd.fit(X, Y2, alpha=0.2)
    off = X @ r.coef.T + r.intercept - Y2
    hand = by_hand(r, off**2 / 2, alpha=0.2, targets=2)
    assert r.objective(X, Y2) == pytest.approx(hand, rel=1e-9)
    assert r.loss == pytest.approx(hand, rel=1e-9)
    parts = [fastgd.fit(X, y, alpha=0.2).objective(X, y) for y in Y2.T]
    assert hand == pytest.approx(np.mean(parts), rel=1e-6)


@slow_to_compile
def test_classes():
    r = fastgd.fit(X, CLASSES, loss="multinomial", alpha=0.1, epochs=30, evaluate=True)
    scores = X @ r.coef.T + r.intercept
    right = scores[np.arange(N), np.searchsorted(["a", "b", "c"], CLASSES)]
    hand = by_hand(r, np.log(np.exp(scores).sum(axis=1)) - right, alpha=0.1)
    assert r.objective(X, CLASSES) == pytest.approx(hand, rel=1e-9)
    assert r.loss == pytest.approx(hand, rel=1e-9)  # evaluate


def test_an_offset():
    r = fastgd.fit(X, COUNTS, loss="poisson", offset=OFFSET, sample_weight=WEIGHT)
    p = X @ r.coef + r.intercept + OFFSET
    hand = by_hand(r, FORMULAS["poisson"](p, COUNTS), WEIGHT)
    assert r.objective(X, COUNTS, WEIGHT, OFFSET) == pytest.approx(hand, rel=1e-9)
    assert r.loss == pytest.approx(hand, rel=1e-9)
    with pytest.raises(ValueError, match="offset is missing"):
        r.objective(X, COUNTS)


def test_other_data_are_held_to_the_scales_that_were_trained_on():
    """Half of the rows: the penalty is that of all."""
    r = fastgd.fit(X, Y, alpha=0.3)
    penalty = 0.15 * np.sum((r.coef * X.std(axis=0)) ** 2)
    rows = slice(0, 20)
    hand = np.mean((X[rows] @ r.coef + r.intercept - Y[rows]) ** 2) / 2 + penalty
    assert r.objective(X[rows], Y[rows]) == pytest.approx(hand, rel=1e-9)


def test_float32_is_summed_in_float64():
    r = fastgd.fit(X.astype(np.float32), Y.astype(np.float32))
    p = X.astype(np.float32).astype(float) @ r.coef + r.intercept
    hand = np.mean((p - Y.astype(np.float32).astype(float)) ** 2) / 2
    assert r.objective(X.astype(np.float32), Y.astype(np.float32)) == pytest.approx(hand, rel=1e-6)


# The stored loss ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "log_loss"},
        {"loss": "squared_hinge", "alpha": 0.1},
        {"loss": "hinge", "alpha": 0.1, "evaluate": True},
        {"batch_size": 8, "epochs": 6},  # staged SGD
        {"batch_size": 8, "learning_rate": 0.01, "epochs": 3, "evaluate": True},
        {"learning_rate": 0.01, "epochs": 3, "evaluate": True},
        {"max_steps": 2},
    ],
)
def test_where_the_loss_is_exact(options):
    loss = options.get("loss", "squared_error")
    y = TARGETS.get(loss, Y)
    r = fastgd.fit(X, y, random_state=0, **options)
    hand = by_hand(r, FORMULAS[loss](X @ r.coef + r.intercept, y), alpha=options.get("alpha", 0.0))
    assert r.loss == pytest.approx(hand, rel=1e-8)


def test_the_loss_of_other_runs_is_the_last_that_was_computed():
    r = fastgd.fit(X, Y, learning_rate=0.01, epochs=3)
    assert r.loss == r.history.loss[-1]
    one = fastgd.fit(X, Y, learning_rate=0.01, epochs=2)
    assert r.loss == pytest.approx(np.mean((X @ one.coef + one.intercept - Y) ** 2) / 2, rel=1e-9)
    r = fastgd.fit(X, Y, learning_rate=0.01, batch_size=8, epochs=3, random_state=0)
    assert r.loss == r.history.loss[-1]


# Probabilities ------------------------------------------------------------------------------------------------------


@slow_to_compile
def test_probabilities():
    p = fastgd.fit(X, LABELS, loss="log_loss")
    second = 1 / (1 + np.exp(-(X @ p.coef + p.intercept)))
    np.testing.assert_allclose(p.predict_proba(X), np.column_stack([1 - second, second]), rtol=1e-9)
    assert p.classes.tolist() == ["no", "yes"]
    p = fastgd.fit(X, LABELS, loss="modified_huber", alpha=0.01)
    second = (np.clip(X @ p.coef + p.intercept, -1, 1) + 1) / 2
    np.testing.assert_allclose(p.predict_proba(X), np.column_stack([1 - second, second]), rtol=1e-9, atol=1e-12)
    p = fastgd.fit(X, CLASSES, loss="multinomial", epochs=20)
    e = np.exp(X @ p.coef.T + p.intercept)
    np.testing.assert_allclose(p.predict_proba(X), e / e.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_array_equal(p.classes[p.predict_proba(X).argmax(axis=1)], p.predict(X))


def test_probabilities_with_an_offset():
    p = fastgd.fit(X, LABELS, loss="log_loss", offset=OFFSET)
    second = 1 / (1 + np.exp(-(X @ p.coef + p.intercept + OFFSET)))
    np.testing.assert_allclose(p.predict_proba(X, OFFSET)[:, 1], second, rtol=1e-9)
    with pytest.raises(ValueError, match="offset is missing"):
        p.predict_proba(X)


def test_far_scores_are_probabilities_too():
    p = fastgd.fit(X, LABELS, loss="log_loss")
    far = np.array([[1e8, 0.0, 0.0], [-1e8, 0.0, 0.0]])
    assert sorted(p.predict_proba(far)[0].tolist()) == [0.0, 1.0]
    np.testing.assert_array_equal(p.predict_proba(far).sum(axis=1), [1.0, 1.0])


@pytest.mark.parametrize("loss, y, name", [("hinge", LABELS, "Hinge"), ("squared_error", Y, "SquaredError")])
def test_losses_without_probabilities_say_so(loss, y, name):
    r = fastgd.fit(X, y, loss=loss, alpha=0.1)
    with pytest.raises(AttributeError, match=f"{name} gives no probabilities: fit with log_loss"):
        r.predict_proba(X)


# Options ------------------------------------------------------------------------------------------------------------


def test_the_options_of_quasi_newton_steps():
    o = fastgd.fit(X, Y, alpha=0.1, random_state=3, n_threads=1).options
    assert o["solver"] == "quasi_newton"
    assert (o["optimizer"], o["learning_rate"]) == ("newton", None)
    assert (o["batch_size"], o["epochs"], o["tol"], o["standardize"]) == (N, 1000, 1e-6, True)
    assert o["loss"] == {"name": "squared_error", "fields": {"factor": 0.5}}
    assert (o["alpha"], o["l1_ratio"], o["random_state"]) == (0.1, 0.0, 3)
    assert (o["fit_intercept"], o["average"], o["shuffle"], o["patience"]) == (True, None, "block", 5)


def test_the_options_of_staged_sgd():
    o = fastgd.fit(X, Y, batch_size=8, random_state=3, epochs=4).options
    assert o["solver"] == "staged_sgd"
    assert (o["optimizer"], o["learning_rate"], o["batch_size"], o["epochs"], o["tol"]) == (None, None, 8, 4, None)


def test_the_options_of_first_order_steps():
    r = fastgd.fit(X, Y, optimizer="momentum", learning_rate=0.01, batch_size=100, epochs=4, tol=1e-3, shuffle=True)
    o = r.options
    assert (o["solver"], o["batch_size"], o["standardize"], o["tol"], o["shuffle"]) == (
        "first_order", N, False, 1e-3, "block",
    )  # fmt: skip
    assert o["optimizer"]["name"] == "momentum"
    assert o["optimizer"]["fields"]["beta"] == 0.9
    assert o["learning_rate"]["fields"] == {"initial": 0.01}
    o["alpha"] = 99.0
    assert r.options["alpha"] == 0.0  # a copy


def test_what_auto_became_for_a_given_optimizer():
    o = fastgd.fit(X, Y, optimizer="sgd", epochs=4).options
    assert (o["solver"], o["standardize"]) == ("first_order", True)
    assert 0 < o["learning_rate"]["fields"]["initial"] < 2


# What a result keeps alive ------------------------------------------------------------------------------------------


def made():
    """An array that no one else holds, and a reference that does not keep it."""
    mine = np.array(X)
    return mine, weakref.ref(mine)


def outlives(make):
    """Whether the rows outlive the call by what it gives back: ``make`` takes them."""
    mine, alive = made()
    result = make(mine)
    del mine
    gc.collect()
    assert result is not None
    return alive() is not None


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 8, "epochs": 2},
        {"learning_rate": 0.01, "epochs": 2},
        {"optimizer": "sgd", "epochs": 2, "batch_size": 4},
        {"validation": 0.25, "epochs": 2},
        {"bootstrap": 3, "epochs": 2},
    ],
)
def test_a_result_does_not_keep_the_rows(options):
    assert not outlives(lambda mine: fastgd.fit(mine, Y, random_state=0, **options))


@pytest.mark.slow
@pytest.mark.jit
def test_results_of_chunks_and_estimators_do_not_keep_the_rows():
    assert not outlives(lambda mine: fastgd.partial_fit(mine, Y))
    assert not outlives(lambda mine: fastgd.partial_fit(mine, Y, fastgd.partial_fit(X, Y, random_state=0)))
    assert not outlives(lambda mine: fastgd.SGDRegressor(max_iter=2, tol=None, random_state=0).fit(mine, Y))
    assert not outlives(lambda mine: fastgd.SGDRegressor(random_state=0).partial_fit(mine, Y))
    assert not outlives(lambda mine: fastgd.SGDClassifier(max_iter=2, tol=None, random_state=0).fit(mine, CLASSES))


def test_a_result_of_a_sweep_does_not_keep_the_rows():
    assert not outlives(lambda mine: fastgd.sweep(mine, Y, alpha=[0.0, 0.1]).results[0])
