"""A factor of the penalty for each column: oracles from outside for every solver, and what is kept and refused."""

import re

import numpy as np
import pytest

import fastgd

RNG = np.random.default_rng(0)
N, D = 150, 4
X = RNG.normal(size=(N, D)) * [0.5, 1.0, 2.0, 1.0]
Y = X @ [2.0, -1.0, 0.5, 0.0] + 0.5 + 0.5 * RNG.normal(size=N)
LABELS = Y > 0.5
THREE = np.digitize(Y, [0.0, 1.0])
COUNTS = RNG.poisson(np.exp(np.clip(0.5 * Y, -2, 2)))
FACTOR = np.array([0.0, 0.5, 1.0, 4.0])
TARGETS = {"squared_error": Y, "log_loss": LABELS, "poisson": COUNTS, "multinomial": THREE, "huber": Y}
RAW = {"standardize": False}


def sparse(rows):
    return pytest.importorskip("scipy.sparse").csr_array(rows)


def ridge(rows, y, strengths):
    """The closed form of squares with L2 of these strengths (d,)."""
    Z = rows - rows.mean(axis=0)
    return np.linalg.solve(Z.T @ Z / len(Z) + np.diag(strengths), Z.T @ (y - y.mean()) / len(Z))


def violation(r, rows, y, loss, alpha, l1_ratio, factor):
    """By how much the conditions of the optimum on raw columns fail, at worst."""
    scores = rows @ r.coef.T + r.intercept
    if loss == "multinomial":
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        slopes = shares / shares.sum(axis=1, keepdims=True) - (y[:, None] == np.arange(3))
    else:
        known = {"squared_error": fastgd.losses.SquaredError, "huber": fastgd.losses.Huber}
        known |= {"log_loss": fastgd.losses.LogLoss, "poisson": fastgd.losses.Poisson}
        slopes = known[loss]().slope(scores, y.astype(float))
    g = slopes.T @ rows / len(rows) + alpha * (1 - l1_ratio) * factor * r.coef
    l1 = np.broadcast_to(alpha * l1_ratio * factor, g.shape)
    at_zero = np.maximum(np.abs(g) - l1, 0.0)
    return max(
        np.where(r.coef == 0, at_zero, np.abs(g + l1 * np.sign(r.coef))).max(), np.abs(slopes.mean(axis=0)).max()
    )


FITS = {
    "default": ({}, 1e-9),
    "momentum": ({"optimizer": "momentum", "epochs": 30_000}, 1e-4),
    "averaged": ({"average": True, "epochs": 20_000, "tol": None}, 0.02),
    "adam in batches": ({"optimizer": "adam", "batch_size": 30, "epochs": 1500}, 0.05),
    "sgd by rows": ({"optimizer": "sgd", "batch_size": 1, "epochs": 600}, 0.1),
    "reference": ({}, 1e-9),
    "sweep": ({"alpha": [0.0, 0.5]}, 1e-9),
    "sweep by batches": ({"alpha": [0.0, 0.5], "batch_size": 30, "epochs": 1500}, 0.05),
    "sweep by rows": ({"alpha": [0.0, 0.5], "optimizer": "sgd", "batch_size": 1, "epochs": 600}, 0.1),
    "gram descent": ({"alpha": [0.5] * 9, "optimizer": "momentum", "epochs": 20_000}, 1e-4),
}


# Many steps of first order take long where nothing is compiled.
QUICK = "default", "reference", "sweep"


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.jit) for name in FITS])
def test_partial_ridge(name):
    options, near = FITS[name]
    options = {"alpha": 0.5, "penalty_factor": FACTOR, "tol": 1e-13, "random_state": 0} | options
    if isinstance(options["alpha"], list):
        r = fastgd.sweep(X, Y, **options).results[-1]
    else:
        r = (fastgd.reference.fit if name == "reference" else fastgd.fit)(X, Y, **options)
    std = X.std(axis=0)
    np.testing.assert_allclose(r.coef, ridge(X, Y, 0.5 * FACTOR * std**2), atol=near)
    assert r.objective(X, Y) == pytest.approx(r.loss, rel=1e-6) or "batch_size" in options


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_conditions_of_the_optimum(loss, l1_ratio, layout):
    rows = X if layout == "dense" else sparse(X)
    options = {"loss": loss, "alpha": 0.1, "l1_ratio": l1_ratio, "penalty_factor": FACTOR, "tol": 1e-13}
    r = fastgd.fit(rows, TARGETS[loss], **options, **RAW)
    assert r.options["solver"] == "quasi_newton"
    assert violation(r, X, TARGETS[loss], loss, 0.1, l1_ratio, FACTOR) < 1e-5
    assert r.objective(rows, TARGETS[loss]) == pytest.approx(r.loss, rel=1e-9)


WIDE = np.random.default_rng(1).normal(size=(60, 1100))
WIDE_FACTOR = np.resize([0.5, 1.0, 2.0, 4.0], 1100)


@pytest.mark.jit
@pytest.mark.parametrize("unpenalised", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss", "multinomial"])
@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_more_columns_than_a_matrix_has(loss, l1_ratio, layout, unpenalised):
    factor = WIDE_FACTOR.copy()
    factor[:2] *= not unpenalised
    y = WIDE[:, 0] + WIDE[:, 1] + WIDE[:, 5] + np.random.default_rng(2).normal(size=60)
    y = {"squared_error": y, "log_loss": y > 0, "multinomial": np.digitize(y, [-1.0, 1.0])}[loss]
    rows = WIDE if layout == "dense" else sparse(WIDE)
    options = {"loss": loss, "alpha": 0.1, "l1_ratio": l1_ratio, "penalty_factor": factor, "tol": 1e-12}
    r = fastgd.fit(rows, y, **options, **RAW)
    assert violation(r, WIDE, y, loss, 0.1, l1_ratio, factor) < 1e-4


@pytest.mark.jit
@pytest.mark.parametrize("shape", ["tall", "few rows", "wide"])
@pytest.mark.parametrize("loss", ["hinge", "absolute_error", "quantile", "epsilon_insensitive"])
def test_losses_of_lines_with_l2(loss, shape):
    """With factors above 0, L2 is that of columns divided by their roots."""
    rows, factor = (WIDE, WIDE_FACTOR) if shape == "wide" else (X, FACTOR + 0.5)
    rows, y = (rows[:3], Y[:3]) if shape == "few rows" else (rows, Y[: len(rows)])
    if loss == "hinge":
        y = y > np.median(y)
    options = {"loss": loss, "alpha": 0.05, "tol": 1e-7, **RAW}
    r = fastgd.fit(rows, y, penalty_factor=factor, **options)
    expected = fastgd.fit(rows / np.sqrt(factor), y, **options)
    assert r.objective(rows, y) == pytest.approx(expected.objective(rows / np.sqrt(factor), y), rel=1e-4)
    assert r.options["solver"] == "interior_point"


@pytest.mark.parametrize("factor", [FACTOR, np.array([2.0, 0.0, 0.0, 1.0])])
def test_losses_of_lines_with_columns_without_a_penalty(factor):
    """The optimum of the absolute error with L2, as a quadratic programme's solver has it."""
    minimize = pytest.importorskip("scipy.optimize").minimize
    r = fastgd.fit(X, Y, loss="absolute_error", alpha=0.2, penalty_factor=factor, tol=1e-8, **RAW)
    n, places = len(Y), np.concatenate([r.coef, [r.intercept], np.abs(Y - r.predict(X))])
    A = np.column_stack([X, np.ones(n)])

    def objective(v):
        return v[D + 1 :].mean() + 0.1 * np.sum(factor * v[:D] ** 2)

    def gradient(v):
        return np.concatenate([0.2 * factor * v[:D], [0.0], np.full(n, 1 / n)])

    above = {
        "type": "ineq",
        "fun": lambda v: np.concatenate([v[D + 1 :] - (Y - A @ v[: D + 1]), v[D + 1 :] + (Y - A @ v[: D + 1])]),
        "jac": lambda v: np.block([[A, np.eye(n)], [-A, np.eye(n)]]),
    }
    best = minimize(
        objective, places + 0.01, jac=gradient, constraints=[above], method="SLSQP", options={"ftol": 1e-12}
    )
    assert r.loss == pytest.approx(best.fun, rel=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_losses_of_lines_with_l1(l1_ratio):
    r = fastgd.fit(X, LABELS, loss="hinge", alpha=0.05, l1_ratio=l1_ratio, penalty_factor=FACTOR, **RAW)

    def objective(v):
        margin = np.where(LABELS, 1, -1) * (X @ v[:D] + v[D])
        penalty = 0.05 * np.sum(FACTOR * (l1_ratio * np.abs(v[:D]) + (1 - l1_ratio) / 2 * v[:D] ** 2))
        return np.maximum(1 - margin, 0).mean() + penalty

    here = np.append(r.coef, r.intercept)
    assert r.loss == pytest.approx(objective(here), rel=1e-5)
    ways = np.random.default_rng(0).normal(size=(300, D + 1))
    assert min(objective(here + step * way) for way in ways for step in (1e-3, 1e-2)) > objective(here) * (1 - 1e-5)


STEPS = {
    "full batch": {"batch_size": None, "optimizer": "momentum"},
    "batches": {"batch_size": 16, "optimizer": "adam"},
    "rows": {"batch_size": 1, "optimizer": "sgd"},
    "averaged rows": {"batch_size": 1, "optimizer": "adagrad", "average": 10},
    "in bounds": {"batch_size": 16, "optimizer": "nesterov", "bounds": (-0.5, [0.2, 1.0, 1.0, 1.0])},
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_those_of_the_reference_and_of_sparse_rows_and_of_lanes(name):
    options = {"learning_rate": 0.02, "epochs": 3, "alpha": 0.3, "l1_ratio": 0.5, "penalty_factor": FACTOR}
    options |= STEPS[name] | {"random_state": 0}
    r = fastgd.fit(X, Y, **options)
    lanes = fastgd.sweep(X, Y, **{**options, "alpha": [0.3, 0.1]}).results[0]
    for other in (fastgd.reference.fit(X, Y, **options), fastgd.fit(sparse(X), Y, **options), lanes):
        np.testing.assert_allclose(other.coef, r.coef, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(other.intercept, r.intercept, rtol=1e-9)
    many = fastgd.sweep(sparse(X), Y, **{**options, "alpha": [0.3, 0.1]}).results[0]
    np.testing.assert_allclose(many.coef, r.coef, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["default", *STEPS])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_same_factor_for_all_is_alpha_times_it(name, factor):
    options = {"l1_ratio": 0.5, "random_state": 0, "epochs": 3, **STEPS.get(name, {"tol": 1e-12, "epochs": 50})}
    r = fastgd.fit(X, Y, alpha=0.2, penalty_factor=np.full(D, factor), **options)
    expected = fastgd.fit(X, Y, alpha=0.2 * factor, **options)
    np.testing.assert_allclose(r.coef, expected.coef, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 16])
def test_steps_that_move_the_columns_of_a_batch_alone(batch):
    """Where each row holds all columns, they are those that move all columns."""
    options = {"learning_rate": 0.02, "epochs": 2, "alpha": 0.3, "l1_ratio": 0.5, "penalty_factor": FACTOR}
    options |= {"batch_size": batch, "optimizer": "adam", "random_state": 0}
    r = fastgd.fit(sparse(X), Y, lazy=True, **options)
    np.testing.assert_allclose(r.coef, fastgd.fit(X, Y, **options).coef, rtol=1e-9)


def test_folds_replicates_and_several_targets_have_the_factors():
    both = np.column_stack([Y, -2 * Y])
    r = fastgd.fit(X, both, alpha=0.5, penalty_factor=FACTOR, tol=1e-12, **RAW)
    np.testing.assert_allclose(r.coef[1], ridge(X, -2 * Y, 0.5 * FACTOR), rtol=1e-6)
    r = fastgd.fit(X, Y, alpha=0.5, penalty_factor=FACTOR, bootstrap=40, random_state=0, **RAW)
    middle = ridge(X, Y, 0.5 * FACTOR)
    assert (np.abs(r.replicates.coef.mean(axis=0) - middle) < 4 * r.coef_std / np.sqrt(40) + 1e-3).all()
    s = fastgd.sweep(X, Y, alpha=[1e-3, 0.5], cv=3, penalty_factor=FACTOR, random_state=0, tol=1e-12, **RAW)
    assert s.best.options["penalty_factor"].tolist() == FACTOR.tolist()


def test_lr_find_tests_the_objective_with_factors():
    options = {"alpha": 50.0, "standardize": True, "start": 1e-4, "stop": 1.0, "num": 20, "random_state": 0}
    free, all_of_it = (fastgd.lr_find(X, Y, penalty_factor=np.full(D, f), **options) for f in (0.0, 1.0))
    np.testing.assert_allclose(free.losses, fastgd.lr_find(X, Y, **{**options, "alpha": 0.0}).losses)
    np.testing.assert_allclose(all_of_it.losses, fastgd.lr_find(X, Y, **options).losses)


# What is kept ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"epochs": 2}, {"batch_size": 16, "epochs": 2}], ids=str)
def test_a_resumed_run_has_the_bits_of_one_that_did_not_stop(options, tmp_path):
    options = {"alpha": 0.3, "l1_ratio": 0.5, "penalty_factor": FACTOR, "random_state": 0, "tol": None, **options}
    whole = fastgd.fit(X, Y, **{**options, "epochs": 4})
    fastgd.fit(X, Y, **options).save(tmp_path / "run.npz")
    r = fastgd.fit(X, Y, **{**options, "epochs": 4}, resume=tmp_path / "run.npz")
    np.testing.assert_array_equal(r.coef, whole.coef)
    assert r.options["penalty_factor"].tolist() == FACTOR.tolist()
    with pytest.raises(ValueError, match=r"penalty_factor=\[0\.0, 0\.5, 1\.0, 4\.0\], not None: pass the same"):
        fastgd.fit(X, Y, **{**options, "penalty_factor": None}, resume=r)


def test_chunks_keep_the_factors():
    r = fastgd.partial_fit(X[:50], Y[:50], alpha=0.5, penalty_factor=FACTOR, learning_rate=0.05)
    r = fastgd.partial_fit(X[50:100], Y[50:100], r)
    r = fastgd.partial_fit(X[100:], Y[100:], r, penalty_factor=FACTOR)
    whole = fastgd.partial_fit(X, Y, alpha=0.5, penalty_factor=FACTOR, learning_rate=0.05, batch_size=50)
    assert r.options["penalty_factor"].tolist() == whole.options["penalty_factor"].tolist() == FACTOR.tolist()
    with pytest.raises(ValueError, match="penalty_factor"):
        fastgd.partial_fit(X, Y, r, penalty_factor=np.ones(D))


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1.0, 2.0], "has shape (2,): a number for each column, shape (4,)"),
        (1.0, "has shape ()"),
        (np.ones((4, 1)), "has shape (4, 1)"),
        ([1.0, -1.0, 0.0, 0.0], "of column 1 is -1: a finite number of at least 0"),
        ([1.0, 1.0, np.nan, 0.0], "of column 2 is nan"),
        ([1.0, 1.0, 1.0, np.inf], "of column 3 is inf"),
        ([True, False, True, True], "holds True and False: pass numbers"),
        (["a", "b", "c", "d"], "penalty_factor"),
    ],
)
def test_bad_factors_are_named(given, words):
    for fit in (fastgd.fit, fastgd.reference.fit, fastgd.sweep, fastgd.lr_find):
        with pytest.raises((ValueError, TypeError), match=f"penalty_factor.*{re.escape(words)}|{re.escape(words)}"):
            fit(X, Y, alpha=0.1, penalty_factor=given)


def test_names_of_another_order_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    r = fastgd.fit(frame, Y, alpha=0.5, penalty_factor=pandas.Series(FACTOR, index=list("abcd")), **RAW)
    np.testing.assert_allclose(r.coef, ridge(X, Y, 0.5 * FACTOR), rtol=1e-6)
    with pytest.raises(ValueError, match=r"has the names \['d', 'c', 'b', 'a'\], but X has the columns \['a'"):
        fastgd.fit(frame, Y, alpha=0.5, penalty_factor=pandas.Series(FACTOR, index=list("dcba")))


def test_factors_that_overflow_are_refused():
    with pytest.raises(ValueError, match=r"penalty_factor=1e\+30 is too large for float32: at most 2e\+19"):
        fastgd.fit(X.astype(np.float32), Y, alpha=0.1, penalty_factor=[1.0, 1.0, 1.0, 1e30])


# The estimators -------------------------------------------------------------------------------------------------------


@pytest.mark.jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("schedule", ["auto", "invscaling", "constant", "adaptive"])
def test_estimators(schedule):
    pytest.importorskip("sklearn")
    options = {"learning_rate": schedule, "alpha": 0.5, "penalty_factor": FACTOR, "random_state": 0, "eta0": 0.01}
    model = fastgd.SGDRegressor(standardize=False, max_iter=300, tol=1e-7, **options).fit(X, Y)
    near = 1e-3 if schedule == "auto" else 0.2
    np.testing.assert_allclose(model.coef_, ridge(X, Y, 0.5 * FACTOR), atol=near)
    labels = fastgd.SGDClassifier("log_loss", standardize=False, max_iter=300, tol=1e-7, **options).fit(X, THREE)
    if schedule == "auto":
        for k in range(3):
            r = fastgd.fit(X, k == THREE, loss="log_loss", alpha=0.5, penalty_factor=FACTOR, tol=1e-12, **RAW)
            np.testing.assert_allclose(labels.coef_[k], r.coef, atol=1e-3)
