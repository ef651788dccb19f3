"""``bootstrap``: replicates are fits with drawn weights, and their spread is the estimate's."""

import pickle

import numpy as np
import pytest
from conftest import JIT_OFF, diverges
from scipy.stats import binomtest

import fastgd
from fastgd import reference
from fastgd.solvers import textbook

RNG = np.random.default_rng(21)
N = 50
X = RNG.standard_normal((N, 2)) + np.array([0.0, 3.0])
Y = 1 + X @ [2.0, -1.0] + 0.5 * RNG.standard_normal(N)
KINDS = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + RNG.standard_normal(N), [-0.5, 0.5])]
FEW = {"epochs": 4, "learning_rate": 0.05, "random_state": 6}


@pytest.mark.parametrize("batch", [7, None])
def test_a_replicate_is_the_fit_with_its_counts_as_weights(batch):
    r = fastgd.fit(X, Y, bootstrap=5, batch_size=batch, **FEW)
    assert r.replicates.coef.shape == (5, 2)
    assert r.replicates.intercept.shape == (5,)
    for b in range(5):
        counts = textbook.drawn_counts(6, b, N)
        one = fastgd.fit(X, Y, sample_weight=counts, batch_size=batch, **FEW)
        np.testing.assert_allclose(r.replicates.coef[b], one.coef, rtol=1e-8)
        np.testing.assert_allclose(r.replicates.intercept[b], one.intercept, rtol=1e-8)
        rows = np.repeat(np.arange(N), counts)
        if batch is None:
            again = fastgd.fit(X[rows], Y[rows], **FEW)
            np.testing.assert_allclose(r.replicates.coef[b], again.coef, rtol=1e-10)
    plain = fastgd.fit(X, Y, batch_size=batch, **FEW)
    np.testing.assert_allclose(r.coef, plain.coef, rtol=1e-10)
    assert (r.status, r.message, r.n_steps) == (plain.status, plain.message, plain.n_steps)
    np.testing.assert_allclose(r.history.loss, plain.history.loss, rtol=1e-10)


def test_the_counts_multiply_the_users_weights():
    weight = RNG.integers(1, 4, N)
    r = fastgd.fit(X, Y, sample_weight=weight, bootstrap=3, **FEW)
    for b in range(3):
        counts = textbook.drawn_counts(6, b, N)
        one = fastgd.fit(X, Y, sample_weight=weight * counts, **FEW)
        np.testing.assert_allclose(r.replicates.coef[b], one.coef, rtol=1e-8)


def test_the_counts_are_poisson():
    counts = np.array([textbook.drawn_counts(1, b, 2000) for b in range(20)])
    assert counts.mean() == pytest.approx(1, abs=0.02)
    assert counts.var() == pytest.approx(1, abs=0.05)
    assert abs(np.corrcoef(counts)[np.triu_indices(20, 1)]).max() < 0.12
    assert len({textbook.drawn_counts(seed, 0, N).tobytes() for seed in range(20)}) == 20


def test_the_seed_decides_and_more_replicates_begin_with_the_same():
    few, more = (fastgd.fit(X, Y, bootstrap=count, **FEW).replicates for count in (4, 9))
    np.testing.assert_allclose(more.coef[:4], few.coef, rtol=1e-12)
    other = fastgd.fit(X, Y, bootstrap=4, **{**FEW, "random_state": 7}).replicates
    assert (other.coef != few.coef).all()
    again = fastgd.fit(X, Y, bootstrap=4, n_threads=3, **FEW).replicates
    np.testing.assert_array_equal(again.coef, few.coef)


@pytest.mark.parametrize("batch", [7, None])
def test_the_reference_agrees(batch):
    ours, expected = (fit(X, Y, bootstrap=4, batch_size=batch, **FEW) for fit in (fastgd.fit, reference.fit))
    np.testing.assert_allclose(ours.replicates.coef, expected.replicates.coef, rtol=1e-10)
    np.testing.assert_allclose(ours.coef_std, expected.coef_std, rtol=1e-8)


def test_what_is_told_of_them():
    r = fastgd.fit(X, Y, bootstrap=40, **FEW)
    np.testing.assert_allclose(r.coef_std, np.std(r.replicates.coef, axis=0, ddof=1))
    assert r.intercept_std == pytest.approx(np.std(r.replicates.intercept, ddof=1))
    low, high = r.coef_interval(0.8)
    np.testing.assert_allclose([low, high], np.quantile(r.replicates.coef, [0.1, 0.9], axis=0))
    np.testing.assert_allclose(r.intercept_interval(), np.quantile(r.replicates.intercept, [0.025, 0.975]))
    wide = r.coef_interval(0.99)
    assert (wide[0] <= low).all()
    assert (wide[1] >= high).all()
    assert r.choices["bootstrap"] == "40 replicates"


@pytest.mark.parametrize(
    ("y", "loss", "shape"), [(np.column_stack([Y, -Y]), "squared_error", (2, 2)), (KINDS, "multinomial", (3, 2))]
)
def test_several_targets_and_classes(y, loss, shape):
    r = fastgd.fit(X, y, loss=loss, bootstrap=6, **FEW)
    assert r.replicates.coef.shape == (6, *shape)
    assert r.replicates.intercept.shape == (6, shape[0])
    assert r.coef_std.shape == r.coef.shape == shape
    one = fastgd.fit(X, y, loss=loss, sample_weight=textbook.drawn_counts(6, 2, N), **FEW)
    np.testing.assert_allclose(r.replicates.coef[2], one.coef, rtol=1e-8, atol=1e-12)


def test_saved_and_pickled(tmp_path):
    r = fastgd.fit(X, Y, bootstrap=7, **FEW)
    r.save(tmp_path / "model.npz")
    for copy in (fastgd.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(r))):
        np.testing.assert_array_equal(copy.replicates.coef, r.replicates.coef)
        np.testing.assert_array_equal(copy.coef_std, r.coef_std)
        np.testing.assert_array_equal(copy.intercept_interval(0.5), r.intercept_interval(0.5))
    assert fastgd.fit(X, Y, resume=r, **{**FEW, "epochs": 6}).n_epochs == 6


@pytest.mark.slow
@pytest.mark.jit
def test_standard_errors_are_those_of_the_formula():
    """Of independent errors of one size, sigma**2 (A.T A)**-1; 600 replicates are sure to about 3 %."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((600, 3)) @ np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 4.0]]) + 1.0
    y = X @ [1.0, -2.0, 0.1] + rng.standard_normal(600)
    r = fastgd.fit(X, y, bootstrap=600, random_state=0, learning_rate=0.9, standardize=True, epochs=100)
    A = np.column_stack([X, np.ones(600)])
    rest = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    exact = np.sqrt(np.diag(np.linalg.inv(A.T @ A)) * (rest @ rest) / (600 - 4))
    np.testing.assert_allclose(np.append(r.coef_std, r.intercept_std), exact, rtol=0.12)
    # The mean of the replicates is the estimate, to what 600 of them are sure to.
    assert (abs(r.replicates.coef.mean(axis=0) - r.coef) < 5 * r.coef_std / np.sqrt(600)).all()


@pytest.mark.slow
@pytest.mark.jit
def test_intervals_cover_the_truth_at_their_rate():
    """100 data sets of 150 rows, 4 coefficients each; 90 % intervals of percentiles."""
    truth, covered = np.array([1.0, -1.0, 0.0, 2.0]), 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((150, 4))
        y = 3 + X @ truth + rng.standard_normal(150)
        r = fastgd.fit(X, y, bootstrap=150, random_state=seed, learning_rate=0.7, epochs=15)
        low, high = r.coef_interval(0.9)
        covered += int(np.sum((low <= truth) & (truth <= high)))
    tried = 400
    assert binomtest(covered, tried, 0.9).pvalue > 1e-3, covered / tried


def test_automatic_runs_have_replicates_that_converge():
    r = fastgd.fit(X, Y, bootstrap=8, random_state=0)
    for b in range(8):
        counts = textbook.drawn_counts(0, b, N)
        A = np.sqrt(counts)[:, None] * np.column_stack([X, np.ones(N)])
        exact = np.linalg.lstsq(A, np.sqrt(counts) * Y, rcond=None)[0]
        np.testing.assert_allclose(r.replicates.coef[b], exact[:2], atol=2e-3)


@diverges
def test_replicates_that_diverge_are_left_out():
    x = np.zeros((30, 1))
    x[0] = 30.0  # a replicate that draws this row often has a curvature that the rate can't bear
    x[1:] = RNG.standard_normal((29, 1))
    y = x[:, 0] + RNG.standard_normal(30)
    rate = 1.2 / (x[:, 0] @ x[:, 0] / 30)
    count, epochs = (12, 100) if JIT_OFF else (60, 2000)
    r = fastgd.fit(x, y, bootstrap=count, learning_rate=rate, epochs=epochs, random_state=0, fit_intercept=False)
    assert r.status != "diverged"
    lost = count - len(r.replicates.coef)
    assert lost > 0
    assert r.choices["bootstrap"] == f"{count} replicates, {lost} of which diverged and are left out"
    r = fastgd.fit(x, y, bootstrap=3, learning_rate=1e9, epochs=epochs)
    assert (r.status, r.replicates) == ("diverged", None)
    assert r.choices["bootstrap"] == "no replicates: they diverged; lower learning_rate"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"bootstrap": -1}, ValueError, "bootstrap=-1 must be at least 0"),
        ({"bootstrap": 2.5}, TypeError, "bootstrap=2.5 must be a whole number"),
        ({"bootstrap": "200"}, TypeError, "bootstrap='200'"),
        ({"bootstrap": True}, TypeError, "bootstrap=True"),
    ],
)
def test_bad_arguments_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        fastgd.fit(X, Y, **arguments)


def test_other_errors():
    r = fastgd.fit(X, Y, **FEW)
    for ask in ("coef_std", "intercept_std"):
        with pytest.raises(AttributeError, match="need replicates: fit with bootstrap=200"):
            getattr(r, ask)
    with pytest.raises(AttributeError, match="need replicates"):
        r.coef_interval()
    with pytest.raises(ValueError, match="resume goes on with one model"):
        fastgd.fit(X, Y, bootstrap=3, resume=r, **FEW)
    with pytest.raises(TypeError, match="bootstrap"):
        fastgd.partial_fit(X, Y, bootstrap=3)
    drawn = fastgd.fit(X, Y, bootstrap=3, **FEW)
    for level in (0.0, 1.0, -1, np.nan):
        with pytest.raises(ValueError, match="level="):
            drawn.coef_interval(level)
    with pytest.raises(TypeError, match="level="):
        drawn.coef_interval("95%")
    with pytest.raises(ValueError, match="bootstrap: a replicate draws no row of positive weight"):
        fastgd.fit(X[:1], Y[:1], bootstrap=20, random_state=0)
