"""L1 and bounds on several classes under quasi-Newton steps: no subgradient is left, and scikit-learn's optimum."""

import warnings
from typing import NamedTuple

import numpy as np
import pytest
from conftest import plan_of, slow_to_compile
from scipy.sparse import csr_array
from scipy.special import softmax
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression

import fastgd
from fastgd import reference
from fastgd.solvers import joint_metrics
from fastgd.solvers.coordinates import Coordinates
from fastgd.solvers.quasi_newton import QuasiNewton

SMALL = {"loss": "multinomial", "standardize": False}


def scaled(X):
    """The columns that vary, with variance 1."""
    X = X[:, X.std(axis=0) > 0]
    return (X - X.mean(axis=0)) / X.std(axis=0)


def labels(X, classes, seed=3):
    """The highest of a score each, of a tenth of the columns."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((X.shape[1], classes)) * (rng.random((X.shape[1], classes)) < 0.2)
    scores = X @ weights
    return (scores / scores.std() * 2 + rng.gumbel(size=scores.shape)).argmax(axis=1)


def chained(n, d):
    """Columns that are each correlated 0.95 with the one before."""
    X = np.random.default_rng(6).standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = 0.95 * X[:, j - 1] + np.sqrt(1 - 0.95**2) * X[:, j]
    return X


def words(n, d, numbers):
    """Sparse rows, some columns far more frequent than others."""
    rng = np.random.default_rng(8)
    columns = (d * rng.random(n * numbers) ** 3).astype(np.int32)
    X = csr_array((rng.random(n * numbers), (np.repeat(np.arange(n), numbers), columns)), shape=(n, d))
    X.sum_duplicates()
    return csr_array((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape)


ROWS = {
    "iris": scaled(load_iris().data),
    "wine": scaled(load_wine().data),
    "digits": scaled(load_digits().data)[::4],
    "chained": chained(700, 20),
    "wide": chained(60, 100),
    "sparse": words(500, 300, 8),
}
CLASSES = {"iris": load_iris().target, "wine": load_wine().target, "digits": load_digits().target[::4]}
CLASSES |= {name: labels(X, 4) for name, X in ROWS.items() if name not in CLASSES}
PENALTIES = {
    "lasso": {"alpha": 0.02, "l1_ratio": 1.0},
    "weak lasso": {"alpha": 0.002, "l1_ratio": 1.0},
    "elastic net": {"alpha": 0.02, "l1_ratio": 0.5},
    "positive": {"alpha": 0.01, "bounds": (0, None)},
    "box": {"alpha": 0.01, "bounds": (-0.1, 0.15)},
    "lasso in a box": {"alpha": 0.02, "l1_ratio": 1.0, "bounds": (-0.2, 0.2)},
}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)


def some(*names):
    """Cases of some rows; as plain Python those of iris alone, which are few."""
    return pytest.mark.parametrize(
        "rows", [name if name == "iris" else pytest.param(name, marks=pytest.mark.jit) for name in names]
    )


def of_softmax(X, y, coef, intercept):
    """The mean log loss and its slopes in the scores (n, classes)."""
    share = softmax(X @ coef.T + intercept, axis=1)
    known = np.arange(len(y)), y
    value = -np.log(share[known]).mean()
    share[known] -= 1.0
    return value, share


def at_rest(X, y, r, alpha=0.0, l1_ratio=0.0, bounds=(None, None), of=of_softmax):
    """The objective of a result, and the largest of its smallest subgradient, in NumPy."""
    value, slopes = of(X, y, r.coef, r.intercept)
    l1, l2, coef = alpha * l1_ratio, alpha * (1 - l1_ratio), r.coef
    g = (X.T @ slopes).T / len(y) + l2 * coef
    rest = np.where(coef != 0, g + l1 * np.sign(coef), np.sign(g) * np.maximum(np.abs(g) - l1, 0.0))
    low, high = (side if b is None else b for b, side in zip(bounds, (-np.inf, np.inf), strict=True))
    # On a bound, what would move the coefficient further is at rest.
    rest = np.where(coef <= low, np.minimum(g + l1 * np.sign(low if low != 0 else 1.0), 0.0), rest)
    rest = np.where(coef >= high, np.maximum(g + l1 * np.sign(high), 0.0), rest)
    cost = l1 * np.abs(coef).sum() + l2 / 2 * (coef**2).sum()
    return value + cost, max(np.abs(rest).max(), np.abs(slopes.mean(axis=0)).max())


def optimum(X, y, alpha, l1_ratio):
    """scikit-learn's coefficients and objective."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=1 / (alpha * len(y)), l1_ratio=l1_ratio, solver="saga", tol=1e-9, max_iter=10**5)
        return model.fit(X, y)


@every_penalty
@some(*ROWS)
def test_no_subgradient_is_left(rows, penalty):
    X, y = ROWS[rows], CLASSES[rows]
    r, tight = (fastgd.fit(X, y, tol=tol, **SMALL, **penalty) for tol in (1e-6, 1e-11))
    assert r.options["solver"] == "quasi_newton"
    assert r.status == tight.status == "converged"
    best, rest = at_rest(X, y, tight, **penalty)
    assert rest <= 2e-5, "the tolerance is on the objective: its root is what is left of the slope"
    assert at_rest(X, y, r, **penalty)[0] <= best * (1 + 3e-6)
    assert tight.loss == pytest.approx(best, rel=1e-9)
    low, high = penalty.get("bounds", (None, None))
    assert low is None or (r.coef >= low).all()
    assert high is None or (r.coef <= high).all()
    assert low != 0 or (r.coef == 0).any()
    assert high != 0.15 or (r.coef == 0.15).any()
    if penalty.get("l1_ratio") and "bounds" not in penalty:
        assert 0 < np.count_nonzero(tight.coef == 0) < tight.coef.size


@pytest.mark.parametrize("penalty", ["lasso", "elastic net"])
@some("iris", "wine", "sparse")
def test_the_optimum_is_scikit_learns(rows, penalty):
    X, y = ROWS[rows], CLASSES[rows]
    model = optimum(X, y, **PENALTIES[penalty])
    r = fastgd.fit(X, y, tol=1e-12, **SMALL, **PENALTIES[penalty])
    np.testing.assert_array_equal(r.coef == 0, model.coef_ == 0)
    np.testing.assert_allclose(r.coef, model.coef_, atol=2e-4)
    default = fastgd.fit(X, y, **SMALL, **PENALTIES[penalty])
    assert at_rest(X, y, default, **PENALTIES[penalty])[0] <= (1 + 2e-6) * at_rest(X, y, r, **PENALTIES[penalty])[0]


@pytest.mark.jit
@pytest.mark.parametrize("tiny", [0, 1 << 30])
@some("iris", "chained")
def test_both_metrics_have_the_same_optimum(rows, tiny, monkeypatch):
    monkeypatch.setattr(joint_metrics, "TINY", tiny)
    X, y = ROWS[rows], CLASSES[rows]
    for name in ("lasso", "positive"):
        r = fastgd.fit(X, y, tol=1e-11, **SMALL, **PENALTIES[name])
        assert (r.status, at_rest(X, y, r, **PENALTIES[name])[1] <= 2e-5) == ("converged", True)


@pytest.mark.jit
def test_badly_scaled_columns_far_from_zero():
    X, y = ROWS["chained"], CLASSES["chained"]
    units = np.geomspace(1e-3, 1e3, X.shape[1])
    r = fastgd.fit(X, y, loss="multinomial", alpha=0.01, l1_ratio=1.0, tol=1e-11)
    other = fastgd.fit(X * units + 5 * units, y, loss="multinomial", alpha=0.01, l1_ratio=1.0, tol=1e-11)
    assert other.status == "converged"
    assert other.loss == pytest.approx(r.loss, rel=1e-9)
    np.testing.assert_allclose(other.coef * units, r.coef, atol=1e-4)


@pytest.mark.jit
def test_nearly_dependent_columns():
    # Sweeps alone left 18 % after 1000 steps.
    rng = np.random.default_rng(1)
    X = 3 * rng.normal(size=(100, 3)) @ rng.normal(size=(3, 40)) + 0.01 * rng.normal(size=(100, 40))
    y, options = rng.integers(0, 6, 100), {"alpha": 1e-5, "l1_ratio": 0.5, "standardize": False}
    r, best = (fastgd.fit(X, y, loss="multinomial", tol=tol, **options) for tol in (1e-6, 1e-10))
    assert (r.status, best.status) == ("converged", "converged")
    assert r.n_epochs < 100
    assert r.loss <= best.loss * (1 + 1e-4)


@pytest.mark.jit
def test_a_penalty_above_all_slopes_leaves_the_intercepts_alone():
    X, y = ROWS["sparse"], CLASSES["sparse"]
    r = fastgd.fit(X, y, alpha=1e3, l1_ratio=1.0, **SMALL)
    assert (r.status, np.count_nonzero(r.coef)) == ("converged", 0)
    np.testing.assert_allclose(softmax(r.intercept), np.bincount(y) / len(y), rtol=1e-3)


@pytest.mark.jit
def test_without_an_intercept():
    X, y = ROWS["chained"], CLASSES["chained"]
    r = fastgd.fit(X, y, fit_intercept=False, tol=1e-11, **SMALL, **PENALTIES["lasso"])
    _, slopes = of_softmax(X, y, r.coef, 0.0)
    g = (X.T @ slopes).T / len(y)
    assert (np.abs(g) <= 0.02 + 2e-5).all()
    np.testing.assert_allclose(g[r.coef != 0], -0.02 * np.sign(r.coef[r.coef != 0]), atol=2e-5)
    assert not np.any(r.intercept)


@pytest.mark.jit
def test_bounds_of_single_columns_hold_for_each_class():
    X, y = ROWS["chained"], CLASSES["chained"]
    low = np.where(np.arange(20) < 3, 0.25, -np.inf)
    r = fastgd.fit(X, y, alpha=0.01, bounds=(low, np.full(20, np.inf)), **SMALL)
    assert (r.coef[:, :3] >= 0.25).all() and (r.coef[:, :3] == 0.25).any()
    assert (r.coef[:, 3:] < 0).any()


@pytest.mark.jit
def test_samples_and_row_weights():
    X = np.random.default_rng(2).standard_normal((20_000, 5))
    y = labels(X, 3)
    weight = np.arange(len(y)) % 3 * 1.0
    options = {**SMALL, "alpha": 0.02, "l1_ratio": 1.0, "tol": 1e-11}
    r = fastgd.fit(X, y, sample_weight=weight, **options)
    again = np.repeat(np.arange(len(y)), weight.astype(int))
    expected = fastgd.fit(X[again], y[again], **options)
    np.testing.assert_allclose(r.coef, expected.coef, atol=1e-5)
    np.testing.assert_array_equal(r.coef == 0, expected.coef == 0)


@slow_to_compile
@some("chained", "sparse")
def test_float32_comes_close(rows):
    X, y = ROWS[rows], CLASSES[rows]
    for penalty in PENALTIES.values():
        r, exact = (fastgd.fit(X.astype(kind), y, **SMALL, **penalty) for kind in (np.float32, np.float64))
        assert r.status == "converged"
        assert at_rest(X, y, r, **penalty)[0] <= at_rest(X, y, exact, **penalty)[0] * (1 + 2e-5)


class Exponential(NamedTuple):
    """One against all others, exponentially: what moves all classes alike does change this loss."""

    factor: float = 1.0
    joint = True

    def value_and_slopes(self, p, y, slopes):
        slopes[:] = np.exp(p)
        slopes[y] = -np.exp(-p[y])
        value = np.sum(np.exp(p)) - np.exp(p[y]) + np.exp(-p[y])
        return value * self.factor


def of_exponential(X, y, coef, intercept):
    """The mean loss and its slopes in the scores (n, classes)."""
    p = X @ coef.T + intercept
    sign = np.where(np.arange(p.shape[1]) == y[:, None], -1.0, 1.0)
    values = np.exp(sign * p)
    return values.sum(axis=1).mean(), sign * values


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("penalty", ["lasso", "elastic net", "box"])
@some("iris", "chained")
def test_a_loss_that_is_no_softmax(rows, penalty):
    X, y = ROWS[rows], CLASSES[rows]
    r = fastgd.fit(X, y, loss=Exponential(), standardize=False, tol=1e-11, **PENALTIES[penalty])
    assert (r.status, r.options["solver"]) == ("converged", "quasi_newton")
    assert at_rest(X, y, r, of=of_exponential, **PENALTIES[penalty])[1] <= 1e-4


# One way of many -----------------------------------------------------------------------------------------------------


@some("iris", "chained")
@pytest.mark.parametrize("penalty", ["lasso", "box"])
def test_the_reference_takes_the_same_steps(rows, penalty):
    X, y = ROWS[rows], CLASSES[rows]
    r, expected = (engine.fit(X, y, **SMALL, **PENALTIES[penalty]) for engine in (fastgd, reference))
    assert (r.status, r.n_epochs) == (expected.status, expected.n_epochs)
    np.testing.assert_allclose(r.history.loss, expected.history.loss, rtol=1e-6)
    np.testing.assert_allclose(r.coef, expected.coef, atol=1e-5)


@pytest.mark.jit
@pytest.mark.parametrize("penalty", ["weak lasso", "box"])
@some("iris", "chained", "sparse")
def test_a_stopped_run_goes_on_bit_for_bit(rows, penalty, tmp_path):
    X, y, options = ROWS[rows], CLASSES[rows], {**SMALL, **PENALTIES[penalty], "tol": 1e-9}
    whole = fastgd.fit(X, y, **options)
    for epochs in range(1, min(whole.n_epochs, 30), 4):
        fastgd.fit(X, y, epochs=epochs, **options).save(tmp_path / "begun.npz")
        again = fastgd.fit(X, y, resume=fastgd.load(tmp_path / "begun.npz"), epochs=1000, **options)
        assert again.n_epochs == whole.n_epochs
        np.testing.assert_array_equal(again.coef, whole.coef)
        np.testing.assert_array_equal(again.history.decrement, whole.history.decrement)


@pytest.mark.jit
@some("chained", "sparse")
def test_any_number_of_threads_gives_the_same_bits(rows):
    X = chained(30_000, 20) if rows == "chained" else words(30_000, 3000, 8)
    y = labels(X, 3)
    one, three = (fastgd.fit(X, y, n_threads=n, **SMALL, **PENALTIES["lasso"]) for n in (1, 3))
    assert one.n_epochs > 2
    np.testing.assert_array_equal(one.coef, three.coef)


@pytest.mark.jit
@some("iris", "sparse")
def test_lanes_are_fits(rows):
    X, y = ROWS[rows], CLASSES[rows]
    s = fastgd.sweep(X, y, alpha=[0.05, 0.01], l1_ratio=[0.0, 0.5, 1.0], tol=1e-10, **SMALL)
    for result in s.results:
        own = {name: result.options[name] for name in ("alpha", "l1_ratio")}
        alone = fastgd.fit(X, y, tol=1e-10, **SMALL, **own)
        assert result.status == alone.status == "converged"
        assert result.loss == pytest.approx(alone.loss, rel=1e-8)
        np.testing.assert_allclose(result.coef, alone.coef, atol=2e-4)


@pytest.mark.jit
def test_folds_are_fits_on_their_rows():
    X, y = ROWS["chained"], CLASSES["chained"]
    held = np.arange(len(y)) % 4 == 0
    split = [(np.flatnonzero(~held), np.flatnonzero(held))]
    s = fastgd.sweep(X, y, alpha=[0.02, 0.005], l1_ratio=1.0, cv=split, tol=1e-10, **SMALL)
    for alpha, (fold,) in zip([0.02, 0.005], s.results, strict=True):
        alone = fastgd.fit(X[~held], y[~held], alpha=alpha, l1_ratio=1.0, tol=1e-10, **SMALL)
        assert fold.status == "converged"
        assert fold.loss == pytest.approx(alone.loss, rel=1e-7)


def test_the_matrix_of_all_classes_is_that_of_a_softmax():
    """``(I - 11' / classes)`` times that of the columns, but for what was added to it and a tenth."""
    X, y = ROWS["chained"], CLASSES["chained"]
    plan = plan_of(X, y, **SMALL, alpha=0.3, l1_ratio=0.5)
    solver = QuasiNewton(plan)
    model = solver.model_of(0, (*np.zeros((2, 3, 84)), 0, 0))
    assert isinstance(model, Coordinates)
    metric = solver.metric_of(0, solver.stages[-1], np.zeros(84), len(y), 0.0, False)
    model.begin(metric)
    found = model.parabola(np.zeros(84), np.ones(84)).of(np.arange(84)).reshape(4, 21, 4, 21)
    added, D = np.append(np.full(20, 0.15), 0.0), metric.matrix
    alike = np.diag(added + joint_metrics.ALIKE * (np.diag(D) - added))
    expected = np.einsum("kl,ij->kilj", np.eye(4), D) - (D - alike)[None, :, None] / 4
    np.testing.assert_allclose(found, expected, atol=1e-12)
    Z = (X - X.mean(axis=0)).T @ (X - X.mean(axis=0)) / len(y)
    np.testing.assert_allclose(D[:20, :20], Z / 4 * (1 + joint_metrics.RAISED) + 0.15 * np.eye(20), atol=1e-9)
