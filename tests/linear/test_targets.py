"""Several targets and several classes in one model."""

import pickle

import numpy as np
import pytest
from conftest import JIT_OFF
from scipy.special import logsumexp
from sklearn.linear_model import LinearRegression, LogisticRegression

import fastgd
from fastgd import optimizers, reference
from fastgd.parts.registry import snake_case
from fastgd.results.serialization import encode

RNG = np.random.default_rng(9)
N = 45
X = RNG.standard_normal((N, 3)) + np.array([1.0, 0.0, -2.0])
TARGETS = X @ RNG.standard_normal((3, 4)) + [0.0, 1.0, -3.0, 20.0] + 0.3 * RNG.standard_normal((N, 4))
SCORE = X @ [1.0, -1.0, 0.5]
KINDS = np.array(["ash", "beech", "cedar"])[np.digitize(SCORE + RNG.standard_normal(N), [1.0, 3.0])]
ONCE = {"learning_rate": 0.02, "epochs": 3, "random_state": 2}
OPTIMIZERS = [snake_case(name) for name in optimizers.__all__]


def bits(r):
    """All of a model that is to be the same."""
    arrays = {**encode(r.state)[1], "coef": r.coef, "intercept": np.asarray(r.intercept)}
    arrays |= {f"history.{name}": column for name, column in vars(r.history).items()}
    return {name: (a.shape, a.tobytes()) for name, a in arrays.items() if not name.endswith("seconds")} | {
        "words": (r.status, r.message, r.choices, r.n_steps)
    }


def each_alone(r, X, Y, rtol=1e-8, **options):
    """Assert that each target's model is its own fit."""
    assert r.coef.shape == (Y.shape[1], X.shape[1])
    assert r.intercept.shape == (Y.shape[1],)
    for k, y in enumerate(Y.T):
        one = fastgd.fit(X, y, **options)
        size = np.abs(one.coef).max()
        np.testing.assert_allclose(r.coef[k], one.coef, rtol, rtol * size)
        np.testing.assert_allclose(r.intercept[k], one.intercept, rtol, rtol * size)


# Several targets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS if JIT_OFF else ["sgd", "momentum"])
@pytest.mark.parametrize("batch", [1, 7, None])
def test_each_target_is_its_own_fit(batch, optimizer):
    options = {**ONCE, "batch_size": batch, "optimizer": optimizer}
    each_alone(fastgd.fit(X, TARGETS, **options), X, TARGETS, **options)
    options |= {"sample_weight": RNG.integers(0, 3, N), "average": True, "standardize": True}
    options |= {} if optimizer == "sgd" and not JIT_OFF else {"alpha": 0.1, "bounds": (-0.5, 0.5)}
    each_alone(fastgd.fit(X, TARGETS, **options), X, TARGETS, **options)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["huber", "poisson", "gamma", "tweedie"] if JIT_OFF else ["poisson"])
@pytest.mark.parametrize("batch", [7, None] if JIT_OFF else [7])
def test_targets_of_other_losses(loss, batch):
    options = {**ONCE, "loss": loss, "batch_size": batch}
    Y = np.exp(TARGETS / 30)
    each_alone(fastgd.fit(X, Y, **options), X, Y, **options)


SIZES = np.array([1e-3, 1.0, 1e3, 1e-1])


@pytest.mark.parametrize("batch", [None, 7])
def test_targets_of_very_different_sizes_are_each_fitted_well(batch):
    """As automatic as can be; scikit-learn's exact solution as the oracle."""
    Y = SIZES * TARGETS + [0.0, 5.0, 1e6, 0.0]
    r = fastgd.fit(X, Y, batch_size=batch, random_state=0)
    exact = LinearRegression().fit(X, Y)
    best = np.mean((exact.predict(X) - Y) ** 2, axis=0)
    found = np.mean((r.predict(X) - Y) ** 2, axis=0)
    assert (found <= best * (1 + (1e-6 if batch is None else 0.05))).all(), found / best
    if batch is None:
        assert r.status == "converged"
        size = np.abs(exact.coef_).max(axis=1, keepdims=True)
        np.testing.assert_allclose(r.coef / size, exact.coef_ / size, atol=1e-3)


def test_the_automatic_fit_of_each_target_is_that_of_the_target_alone():
    Y = SIZES * TARGETS
    r = fastgd.fit(X, Y, epochs=30)
    each_alone(r, X, Y, epochs=30)


def test_shapes():
    r = fastgd.fit(X, TARGETS, **ONCE)
    assert (r.coef.shape, r.intercept.shape) == ((4, 3), (4,))
    assert r.predict(X).shape == r.decision_function(X).shape == (N, 4)
    np.testing.assert_allclose(r.predict(X), X @ r.coef.T + r.intercept, rtol=1e-13)
    assert all(column.shape == (3,) for column in vars(r.history).values())
    assert "3 coefficients for each of 4 targets" in repr(r)
    one = fastgd.fit(X, TARGETS[:, :1], **ONCE)
    assert one.coef.shape == (3,)
    assert isinstance(one.intercept, float)
    assert one.predict(X).shape == (N,)


@pytest.mark.parametrize("batch", [7, None])
def test_the_history_is_of_the_means(batch):
    options = {**ONCE, "batch_size": batch, "evaluate": True, "validation": 0.2}
    r = fastgd.fit(X, TARGETS, **options)
    each = [fastgd.fit(X, y, **options).history for y in TARGETS.T]
    for name in ("loss", "objective", "validation_loss"):
        mean = np.mean([getattr(history, name) for history in each], axis=0)
        np.testing.assert_allclose(getattr(r.history, name), mean, rtol=1e-10, err_msg=name)
    if batch is None:
        norm = np.sqrt(np.sum([history.gradient_norm**2 for history in each], axis=0))
        np.testing.assert_allclose(r.history.gradient_norm, norm, rtol=1e-10)
    assert r.best_epoch == 1 + int(np.argmin(r.history.validation_loss))
    last = fastgd.fit(X, TARGETS, **ONCE, batch_size=batch)
    assert last.objective(X, TARGETS) == pytest.approx(np.mean((last.predict(X) - TARGETS) ** 2) / 2, rel=1e-12)


@pytest.mark.parametrize(("batch", "dtype"), [(7, np.float64), (None, np.float64), (None, np.float32)])
def test_saved_pickled_and_gone_on_with(batch, dtype, tmp_path):
    X = globals()["X"].astype(dtype)
    options = {"learning_rate": 0.02, "random_state": 2, "batch_size": batch, "average": True}
    whole = fastgd.fit(X, TARGETS, epochs=6, **options)
    part = fastgd.fit(X, TARGETS, epochs=2, **options)
    part.save(tmp_path / "model.npz")
    for r in (part, fastgd.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(part))):
        assert bits(r) == bits(part)
        np.testing.assert_array_equal(r.predict(X), part.predict(X))
        assert bits(fastgd.fit(X, TARGETS, epochs=6, resume=r, **options)) == bits(whole)
    for y, count in ((TARGETS[:, :3], 3), (TARGETS[:, 0], 1)):
        with pytest.raises(ValueError, match=f"resume: y has {count} targets, but the run was on 4"):
            fastgd.fit(X, y, epochs=6, resume=part, **options)


def test_chunks_of_targets():
    options = {"learning_rate": 0.02, "batch_size": 5}
    r = None
    for rows in np.split(np.arange(N), [10, 25]):
        r = fastgd.partial_fit(X[rows], TARGETS[rows], r, **options)
    whole = fastgd.fit(X, TARGETS, epochs=1, shuffle=False, **options)
    np.testing.assert_array_equal(r.coef, whole.coef)
    np.testing.assert_array_equal(r.intercept, whole.intercept)


def test_chunks_of_other_targets_are_refused():
    r = fastgd.partial_fit(X[:10], TARGETS[:10])
    with pytest.raises(ValueError, match="r: y has 2 targets, but the run was on 4"):
        fastgd.partial_fit(X[:10], TARGETS[:10, :2], r)


@pytest.mark.parametrize("batch", [7, None])
def test_a_sweep_of_targets(batch):
    options = {**ONCE, "batch_size": batch}
    lists = {"learning_rate": [0.001, 0.02], "alpha": [0.0, 0.1]}
    s = fastgd.sweep(X, TARGETS, **{**options, **lists})
    for k, (rate, alpha) in enumerate(zip(*s.settings.values(), strict=True)):
        one = fastgd.fit(X, TARGETS, **{**options, "learning_rate": rate, "alpha": alpha})
        np.testing.assert_allclose(s.results[k].coef, one.coef, rtol=1e-9)
        assert s.losses[k] == pytest.approx(one.objective(X, TARGETS), rel=1e-10)
    assert s.results[0].predict(X).shape == (N, 4)


def test_permuting_targets_permutes_models():
    order = [2, 0, 3, 1]
    for batch in (7, None):
        r = fastgd.fit(X, TARGETS, **ONCE, batch_size=batch)
        permuted = fastgd.fit(X, TARGETS[:, order], **ONCE, batch_size=batch)
        np.testing.assert_array_equal(permuted.coef, r.coef[order])
        np.testing.assert_array_equal(permuted.intercept, r.intercept[order])


@pytest.mark.parametrize("batch", [7, None])
def test_the_reference_agrees(batch):
    for y, loss in ((TARGETS, "squared_error"), (KINDS, "multinomial")):
        options = {**ONCE, "loss": loss, "batch_size": batch, "alpha": 0.1}
        ours, expected = (fit(X, y, **options) for fit in (fastgd.fit, reference.fit))
        np.testing.assert_allclose(ours.coef, expected.coef, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ours.history.loss, expected.history.loss, rtol=1e-10)


# Classes ------------------------------------------------------------------------------------------------------------


def cross_entropy(r, y):
    """The mean loss, from its definition."""
    scores = r.decision_function(X)
    return np.mean(logsumexp(scores, axis=1) - scores[np.arange(N), np.searchsorted(r.classes, y)])


@pytest.mark.skipif(not JIT_OFF, reason="to compile less")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_lowers_the_multinomial_loss(optimizer):
    rate = {"adadelta": 30.0, "sgd": 0.3, "nesterov": 0.1}.get(optimizer, 0.05)
    options = {"optimizer": optimizer, "learning_rate": rate, "alpha": 0.1, "epochs": 60, "standardize": True}
    r = fastgd.fit(X, KINDS, loss="multinomial", **options)
    assert r.history.loss[-1] < r.history.loss[0]


@pytest.mark.jit
def test_multinomial_reaches_the_optimum_of_scikit_learn():
    """Its C is 1 / (n alpha)."""
    alpha = 0.05
    options = {"alpha": alpha, "learning_rate": 0.3, "standardize": False, "epochs": 2000}
    r = fastgd.fit(X, KINDS, loss="multinomial", optimizer="momentum", **options)
    exact = LogisticRegression(C=1 / (N * alpha), tol=1e-12, max_iter=10_000).fit(X, KINDS)
    scores = exact.decision_function(X)
    best = np.mean(logsumexp(scores, axis=1) - scores[np.arange(N), np.searchsorted(exact.classes_, KINDS)])
    best += alpha / 2 * np.sum(exact.coef_**2)
    assert r.objective(X, KINDS) == pytest.approx(best, rel=1e-8)
    assert r.objective(X, KINDS) == pytest.approx(cross_entropy(r, KINDS) + alpha / 2 * np.sum(r.coef**2), rel=1e-12)
    np.testing.assert_allclose(r.coef, exact.coef_, atol=1e-5)
    np.testing.assert_array_equal(r.predict(X), exact.predict(X))


LABELS = {
    "strings": KINDS,
    "numbers": np.searchsorted(["ash", "beech", "cedar"], KINDS) * 10 - 5,
    "objects": np.array([{"ash": "x", "beech": "yy", "cedar": "z"}[kind] for kind in KINDS], object),
    "truths": KINDS == "beech",
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_come_back(kind, tmp_path):
    y = LABELS[kind]
    r = fastgd.fit(X, y, loss="multinomial", **ONCE)
    assert r.classes.tolist() == sorted(set(y.tolist()))
    assert set(r.predict(X).tolist()) <= set(y.tolist())
    assert r.coef.shape == (len(r.classes), 3)
    assert r.predict(X).shape == (N,)
    assert r.decision_function(X).shape == (N, len(r.classes))
    r.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(fastgd.load(tmp_path / "model.npz").predict(X), r.predict(X))


@pytest.mark.jit
@pytest.mark.parametrize("alpha", [0.02, 0.5])
def test_two_classes_are_the_logistic_model_of_half_the_penalty(alpha):
    """With weights w and -w, the logistic model's 2w costs alpha/2 * 4 w**2 there and alpha/2 * 2 w**2 here."""
    y = KINDS == "ash"
    options = {"learning_rate": 0.5, "optimizer": "momentum", "epochs": 600}
    two = fastgd.fit(X, y, loss="multinomial", alpha=alpha, **options)
    one = fastgd.fit(X, y, loss="log_loss", alpha=alpha / 2, **options)
    np.testing.assert_allclose(two.coef[1] - two.coef[0], one.coef, atol=1e-6)
    np.testing.assert_allclose(two.coef.sum(axis=0), 0, atol=1e-8)
    assert two.objective(X, y) == pytest.approx(one.objective(X, y), rel=1e-8)
    np.testing.assert_array_equal(two.predict(X), one.predict(X))


@pytest.mark.parametrize("batch", [7, None])
def test_classes_go_on_and_are_validated(batch):
    options = {"loss": "multinomial", "learning_rate": 0.05, "random_state": 2, "batch_size": batch}
    options |= {"optimizer": "sgd", "validation": 0.3}
    whole = fastgd.fit(X, KINDS, epochs=6, **options)
    part = fastgd.fit(X, KINDS, epochs=2, **options)
    assert bits(fastgd.fit(X, KINDS, epochs=6, resume=part, **options)) == bits(whole)
    assert whole.history.validation_loss.shape == (6,)
    held = X[:10], KINDS[:10]
    r = fastgd.fit(X, KINDS, epochs=3, **{**options, "validation": held})
    scores = r.decision_function(held[0])
    mean = np.mean(logsumexp(scores, axis=1) - scores[np.arange(10), np.searchsorted(r.classes, held[1])])
    assert r.history.validation_loss[-1] == pytest.approx(mean, rel=1e-12)


def test_classes_in_chunks():
    options = {"loss": "multinomial", "learning_rate": 0.05, "batch_size": 5}
    kinds, r = ["ash", "beech", "cedar"], None
    order = np.argsort(KINDS, kind="stable")  # the first chunk holds one class only
    for rows in np.split(order, [5, 25]):
        r = fastgd.partial_fit(X[rows], KINDS[rows], r, classes=kinds, **options)
    whole = fastgd.fit(X[order], KINDS[order], epochs=1, shuffle=False, **options)
    np.testing.assert_array_equal(r.coef, whole.coef)
    assert r.classes.tolist() == kinds
    with pytest.raises(ValueError, match=r"\by\b"):
        fastgd.partial_fit(X[:5], ["oak"] * 5, r)


def test_a_sweep_of_classes():
    s = fastgd.sweep(X, KINDS, loss="multinomial", learning_rate=[0.01, 0.1, 1e300], alpha=[0.01, 0.1], epochs=4)
    assert s.status == ["max_epochs"] * 4 + ["diverged"] * 2
    for k in range(4):
        rate, alpha = (values[k] for values in s.settings.values())
        one = fastgd.fit(X, KINDS, loss="multinomial", learning_rate=rate, alpha=alpha, epochs=4)
        np.testing.assert_allclose(s.results[k].coef, one.coef, rtol=1e-9, atol=1e-14)
    assert all(np.isfinite(r.coef).all() for r in s.results)


def test_weights_of_classes_are_rows():
    weight = RNG.integers(0, 3, N)
    times = np.repeat(np.arange(N), weight)
    options = {"loss": "multinomial", "learning_rate": 0.1, "epochs": 5}
    r = fastgd.fit(X, KINDS, sample_weight=weight, **options)
    repeated = fastgd.fit(X[times], KINDS[times], **options)
    np.testing.assert_allclose(r.coef, repeated.coef, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("y", "loss", "words"),
    [
        (np.zeros(N), "multinomial", "one class|two classes|at least two"),
        (KINDS, "log_loss", "multinomial|two"),
        (np.column_stack([KINDS, KINDS]), "multinomial", r"\by\b"),
        (np.full((N, 2), np.nan), "squared_error", r"\by\b"),
        (np.column_stack([TARGETS[:, 0], np.full(N, np.inf)]), "squared_error", r"\by\b"),
        (-np.abs(TARGETS), "poisson", r"\by\b"),
        (TARGETS[:-1], "squared_error", "y has 44 rows, but X has 45"),
        (TARGETS[None], "squared_error", r"y must have shape \(rows,\) or \(rows, targets\)"),
    ],
)
def test_bad_targets_are_named(y, loss, words):
    with pytest.raises(ValueError, match=words):
        fastgd.fit(X, y, loss=loss)
