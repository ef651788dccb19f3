"""Quasi-Newton steps: the optimum of every smooth loss in few readings of the rows, on tables that samples mislead."""

import warnings

import numpy as np
import pytest
from conftest import ELEMENTWISE, JIT_OFF, slow_to_compile
from scipy import optimize
from scipy.sparse import csr_array

import fastgd
from fastgd import losses
from fastgd.solvers.quasi_newton import QuasiNewton
from fastgd.solvers.stages import Stage

N, D = (8_000, 6) if not JIT_OFF else (2_400, 3)
RNG = np.random.default_rng(21)
MIX = np.eye(D) + 0.4 * np.random.default_rng(0).standard_normal((D, D))
X = RNG.standard_normal((N, D)) @ MIX + np.linspace(-1, 2, D)
SCORE = (X - X.mean(axis=0)) @ np.linspace(-1, 1, D) + 0.5
SMOOTH = [name for name in ELEMENTWISE if getattr(losses, name).second_derivative and getattr(losses, name)().smooth]
every_loss = pytest.mark.parametrize("name", SMOOTH)


def target(loss, score, seed=3):
    """Targets of the kind a loss wants, that a score tells about."""
    rng = np.random.default_rng(seed)
    if loss.labels:
        return np.where(score + rng.logistic(size=len(score)) > 0, "yes", "no")
    if loss.domain:
        rate = np.exp(np.clip(score, -20, 12))
        return (
            rate * rng.gamma(2, 0.5, len(score)) + 1e-12 if "amma" in type(loss).__name__ else rng.poisson(rate) * 1.0
        )
    return score + 0.5 * rng.standard_t(2, len(score))


def numbers(y):
    """Targets as losses take them."""
    return (y == "yes").astype(float) if y.dtype.kind == "U" else y


def best(loss, X, y, weight=None, offset=0.0, intercept=True, l2=0.0):
    """The least objective that SciPy finds; ``l2`` (d,) are the columns' penalties."""
    weight = np.ones(len(X)) if weight is None else weight
    weight = weight / weight.sum()
    A, y, d = np.column_stack([X, np.ones(len(X))]) if intercept else X, numbers(y), X.shape[1]
    some = weight > 0
    Q, R = np.linalg.qr(A[some])
    Q, offset = Q * np.sqrt(len(Q)), np.broadcast_to(offset, len(A))[some]
    weight, y, R = weight[some], y[some], R / np.sqrt(len(Q))
    penalty = np.append(np.full(d, l2) if np.ndim(l2) == 0 else l2, [0.0] * intercept)

    def value(w):
        p, coef = Q @ w + offset, np.linalg.solve(R, w)
        with np.errstate(all="ignore"):
            found = weight @ loss.value(p, y) + penalty @ coef**2 / 2
            slope = Q.T @ (weight * loss.slope(p, y)) + np.linalg.solve(R.T, penalty * coef)
        return (found, slope) if np.isfinite(found) else (1e300, np.zeros_like(w))

    w = np.zeros(Q.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            w = optimize.minimize(value, w, jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 2000}).x
    return value(w)[0]


def objective(loss, r, X, y, weight=None, offset=0.0, l2=0.0):
    """The objective of a result, anew in float64."""
    p = X.astype(float) @ r.coef + r.intercept + offset
    return np.average(loss.value(p, numbers(y)), weights=weight) + np.sum(l2 * r.coef**2) / 2


def quick(name):
    """The loss of a name."""
    return getattr(losses, name)()


@pytest.fixture
def read(monkeypatch):
    """How many rows each look of a stage reads, in order."""
    found, look = [], Stage.look

    def counted(self, lanes):
        found.append(self.rows)
        return look(self, lanes)

    monkeypatch.setattr(Stage, "look", counted)
    return found


# Optima -------------------------------------------------------------------------------------------------------------


@every_loss
def test_few_readings_of_all_rows_reach_the_optimum(name, read):
    loss = quick(name)
    y = target(loss, SCORE)
    r = fastgd.fit(X, y, loss=loss, n_threads=1)
    assert (r.status, r.options["solver"]) == ("converged", "quasi_newton")
    expected = best(loss, X, y)
    found = objective(loss, r, X, y)
    assert found <= expected + 2e-6 * abs(expected)
    assert r.loss == pytest.approx(found, rel=2e-6)
    assert r.objective(X, y) == pytest.approx(found, rel=1e-12)
    if not JIT_OFF and loss.squared:
        assert not read, "a Gram matrix says all"
    elif not JIT_OFF:
        assert min(read) < N / 4, "no samples: this tests nothing"
        assert read.count(N) <= 6


VARIANTS = {
    "sparse": {},
    "weights": {"sample_weight": RNG.uniform(0.1, 3.0, N)},
    "weights of zero": {"sample_weight": np.where(RNG.uniform(size=N) < 0.9, 0.0, 1.0 + RNG.uniform(size=N))},
    "offset": {"offset": RNG.standard_normal(N)},
    "no intercept": {"fit_intercept": False},
    "raw": {"standardize": False},
    "scale": {"standardize": "scale"},
    "raw without intercept": {"standardize": False, "fit_intercept": False},
    "penalty": {"alpha": 0.1},
    "penalty on raw columns": {"alpha": 0.1, "standardize": False},
}


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("name", ["LogLoss", "Poisson", pytest.param("Huber", marks=pytest.mark.jit)])
def test_options_reach_their_optimum(name, options, sparse):
    loss = quick(name)
    rows = np.where(np.random.default_rng(1).uniform(size=X.shape) < 0.4, X, 0.0) if sparse else X
    offset, weight, alpha = options.get("offset", 0.0), options.get("sample_weight"), options.get("alpha", 0.0)
    y = target(loss, (rows - rows.mean(axis=0)) @ np.linspace(-1, 1, D) + offset)
    r = fastgd.fit(csr_array(rows) if sparse else rows, y, loss=loss, n_threads=1, **options)
    assert (r.status, r.options["solver"]) == ("converged", "quasi_newton")
    l2 = alpha * (rows.var(axis=0) if options.get("standardize", not sparse) else 1.0)
    expected = best(loss, rows, y, weight, offset, options.get("fit_intercept", True), l2)
    assert objective(loss, r, rows, y, weight, offset, l2) <= expected + 2e-6 * abs(expected)
    assert r.loss == pytest.approx(expected, rel=4e-6)


@slow_to_compile
@every_loss
def test_float32_reaches_the_optimum(name):
    loss, rows = quick(name), X.astype(np.float32)
    y = target(loss, SCORE)
    r = fastgd.fit(rows, y.astype(np.float32) if y.dtype.kind == "f" else y, loss=loss, n_threads=1)
    assert r.status == "converged"
    expected = best(loss, rows.astype(float), y)
    assert objective(loss, r, rows, y) <= expected + 4e-6 * abs(expected)


def test_few_rows_are_fitted_exactly():
    y = target(losses.LogLoss(), SCORE)[:400]
    r = fastgd.fit(X[:400], y, loss="log_loss", tol=1e-13)
    assert r.loss == pytest.approx(r.objective(X[:400], y), rel=1e-13)
    assert r.loss == pytest.approx(best(losses.LogLoss(), X[:400], y), rel=1e-11)


# Hard tables --------------------------------------------------------------------------------------------------------


def tables(n=N, d=D, seed=5):
    """Names, rows and scores that their targets follow."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal
    base, w, year = normal((n, d)), 2 * normal(d) / np.sqrt(d), rng.integers(1960, 2024, n).astype(float)
    score = base @ w
    rare, several = base.copy(), np.repeat(normal((n // 100 + 1, d)), 100, axis=0)[:n] + 0.1 * base
    rare[:, : d // 2] = rng.uniform(size=(n, d // 2)) < 0.003
    hot = np.eye(d)[rng.integers(0, d, n)]
    near, far, heavy, constant = base.copy(), base.copy(), rng.standard_t(1.5, (n, d)), base.copy()
    near[:, 1] = near[:, 0] + 1e-6 * normal(n)
    far[rng.integers(0, n, 5)] *= 1e3
    constant[:, :2] = [7.0, 0.0]
    skewed = np.exp(2 * base)
    return {
        "sorted": (base[np.argsort(score)], np.sort(score)),
        "sorted by a column": (base[np.argsort(base[:, 0])], score[np.argsort(base[:, 0])]),
        "clustered": (several, several @ w),
        "rare": (rare, rare @ (1.5 * w)),
        "one hot": (hot, hot @ (2 * w)),
        "collinear": (near, near @ w),
        "outliers": (far, score),
        "heavy tails": (heavy, np.clip(heavy @ w, -4, 4)),
        "years to the third": (np.column_stack([year, year**2, year**3, base[:, 3:]]), score),
        "constants": (constant, score),
        "lognormal": (skewed, np.clip(np.log(skewed) @ w, -4, 4)),
        "scaled": (base * 10 ** rng.uniform(-3, 3, d) + 10 ** rng.uniform(-3, 3, d), score),
        "separable": (base, 1000 * score),
        "rare class": (base, score - 6),
        "big counts": (base, score + 6),
    }


TABLES = tables()
FAST = ["LogLoss", "Poisson"]


@pytest.mark.jit
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in SMOOTH]
)
def test_hard_tables_are_no_trouble(name, table):
    loss, (rows, score) = quick(name), TABLES[table]
    y = target(loss, score)
    options = {"loss": loss, "n_threads": 1}
    for alpha in (0.0, 1e-4):
        r = fastgd.fit(rows, y, alpha=alpha, **options)
        tight = fastgd.fit(rows, y, alpha=alpha, tol=1e-11, **options)
        l2 = alpha * rows.var(axis=0)
        found, expected = objective(loss, r, rows, y, l2=l2), objective(loss, tight, rows, y, l2=l2)
        assert r.status == "converged"
        assert found - expected <= 1e-5 * max(abs(expected), 1e-6)
        assert abs(found - r.loss) <= 1e-5 * abs(found) + 1e-9


@pytest.mark.jit
@pytest.mark.parametrize("table", ["sorted", "rare", "outliers", "scaled", "lognormal"])
def test_what_a_tight_fit_reaches_is_the_optimum(table):
    rows, score = TABLES[table]
    for loss in (losses.LogLoss(), losses.Huber()):
        y = target(loss, score)
        r = fastgd.fit(rows, y, loss=loss, tol=1e-11, n_threads=1)
        expected = best(loss, (rows - rows.mean(axis=0)) / rows.std(axis=0), y)
        assert objective(loss, r, rows, y) <= expected + 1e-9 * abs(expected)


def unseen():
    """Columns that vary in three rows only, and columns equal but in four; their scores."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20_000, 12))
    rows[:, 0] = 0.0
    rows[[17, 5000, 19_000], 0] = 1.0
    rows[:, 1] = rows[:, 2]
    rows[[3, 4000, 4001, 12_000], 1] += rng.standard_normal(4)
    rows[:, 3] = rows[:, 4]
    return rows, rows @ rng.standard_normal(12) + 4 * rows[:, 0]


@pytest.mark.jit
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("standardize", ["auto", False])
@pytest.mark.parametrize("name", ["LogLoss", "Poisson", "SquaredError"])
def test_what_a_sample_does_not_see_is_fitted(name, standardize, sparse):
    loss, (rows, score) = quick(name), unseen()
    y = target(loss, score / (3 if loss.domain else 1))
    r = fastgd.fit(csr_array(rows) if sparse else rows, y, loss=loss, standardize=standardize, n_threads=1)
    tight = fastgd.fit(rows, y, loss=loss, tol=1e-12, n_threads=1)
    assert r.status == "converged"
    # Of a log loss the three rows' column has no optimum.
    assert objective(loss, r, rows, y) <= objective(loss, tight, rows, y) * (1 + 1e-5)
    np.testing.assert_allclose(r.decision_function(rows)[20:70], tight.decision_function(rows)[20:70], atol=0.05)


@pytest.mark.jit
@pytest.mark.parametrize("name", ["LogLoss", "Huber", "Poisson"])
@pytest.mark.parametrize("standardize", ["auto", False])
@pytest.mark.parametrize("least", [0.0, 1e-9, 1e-6])
def test_weights_may_lie_on_few_rows_far_from_the_mean(name, standardize, least):
    rng, loss = np.random.default_rng(3), quick(name)
    rows = rng.standard_normal((20_000, 4))
    far = rng.choice(20_000, 60, replace=False)
    rows[far] = 1e4 + rng.standard_normal((60, 4))
    weight = np.full(20_000, least)
    weight[far] = 1.0
    y = target(loss, (rows - 1e4 * (rows[:, :1] > 100)) @ [1.0, -1.0, 0.5, 0.0])
    options = {"loss": loss, "sample_weight": weight, "standardize": standardize, "n_threads": 1}
    r, tight = fastgd.fit(rows, y, **options), fastgd.fit(rows, y, tol=1e-13, **options)
    assert r.status == tight.status == "converged"
    found = objective(loss, tight, rows, y, weight)
    assert objective(loss, r, rows, y, weight) == pytest.approx(found, rel=2e-6)
    if not least:
        assert found == pytest.approx(best(loss, rows[far] - 1e4, y[far]), rel=1e-9)


@pytest.mark.parametrize("constant", [7.0, 0.1, 1e5 / 3, 1e-7 / 3])
@pytest.mark.parametrize("name", ["LogLoss", "Poisson", "Huber"])
def test_constant_raw_columns_change_nothing(name, constant):
    loss, rows = quick(name), np.column_stack([X[:, :3], np.full(N, constant)])[:3000]
    y = target(loss, SCORE[:3000])
    r, alone = (fastgd.fit(Z, y, loss=loss, standardize=False, n_threads=1) for Z in (rows, rows[:, :3]))
    assert r.status == "converged"
    assert r.coef[3] == 0.0
    assert objective(loss, r, rows, y) == pytest.approx(objective(loss, alone, rows[:, :3], y), rel=2e-6)
    if N > 3000:
        assert r.n_epochs <= alone.n_epochs + 1


# Many sparse columns --------------------------------------------------------------------------------------------------


def wide(columns=1 << 18, n=400, each=8):
    """Sparse rows of few numbers in many columns, and labels."""
    rng = np.random.default_rng(9)
    indices = rng.integers(0, columns, (n, each))
    rows = csr_array((rng.standard_normal(n * each), indices.reshape(-1), np.arange(n + 1) * each), (n, columns))
    rows.sum_duplicates()
    return rows, rng.standard_normal(n) > 0


@pytest.mark.jit
def test_columns_without_numbers_cost_nothing_and_stay_zero(monkeypatch):
    (rows, y), sizes, begun = wide(), [], QuasiNewton.begun

    def noted(self, state, at, number):
        found = begun(self, state, at, number)
        sizes.append(found[0].point.weights.size)
        return found

    monkeypatch.setattr(QuasiNewton, "begun", noted)
    r = fastgd.fit(rows, y, loss="log_loss", alpha=0.01)
    used = np.unique(rows.indices)
    assert sizes == [used.size + 1]
    few = fastgd.fit(rows[:, used], y, loss="log_loss", alpha=0.01)
    assert r.status == "converged"
    np.testing.assert_array_equal(r.coef[used], few.coef)
    assert np.count_nonzero(r.coef) <= used.size
    assert (r.n_epochs, r.loss) == (few.n_epochs, few.loss)
    stopped = fastgd.fit(rows, y, loss="log_loss", alpha=0.01, epochs=2)
    again = fastgd.fit(rows, y, loss="log_loss", alpha=0.01, resume=stopped)
    np.testing.assert_array_equal(again.coef, r.coef)


@pytest.mark.jit
def test_weights_of_columns_without_numbers_shrink_from_a_start():
    rows, y = wide(1 << 12)
    used = np.unique(rows.indices)
    coef = np.ones(rows.shape[1])
    r = fastgd.fit(rows, y, loss="log_loss", alpha=0.01, start=(coef, 0.0), standardize=False)
    expected = fastgd.fit(rows, y, loss="log_loss", alpha=0.01, standardize=False, tol=1e-9)
    assert r.status == "converged"
    np.testing.assert_allclose(np.delete(r.coef, used), 0.0, atol=1e-3)
    assert r.loss == pytest.approx(expected.loss, rel=2e-6)
    free = fastgd.fit(rows, y, loss="log_loss", start=(coef, 0.0), standardize=False, epochs=3)
    np.testing.assert_array_equal(np.delete(free.coef, used), 1.0)
