"""Quasi-Newton steps on several classes: scikit-learn's optimum by a matrix of all weights, and by a shared one."""

import warnings

import numpy as np
import pytest
from conftest import slow_to_compile
from scipy.sparse import csr_array
from scipy.special import softmax
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression

import fastgd
from fastgd.solvers import joint_metrics
from fastgd.solvers.stages import Stage

pytestmark = pytest.mark.jit
IRIS = load_iris(return_X_y=True)
DIGITS = load_digits(return_X_y=True)
VARYING = DIGITS[0][:, DIGITS[0].std(axis=0) > 0]


def drawn(n=20_000, d=5, classes=4, seed=1):
    """Rows, the labels drawn from a softmax of their scores."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * np.geomspace(0.1, 10, d) + 3.0
    scores = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.standard_normal((d, classes))
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def objective(X, y, coef, intercept, alpha=0.0, weight=None):
    """The mean log loss of classes and the penalty."""
    share = softmax(X @ coef.T + intercept, axis=1)[np.arange(len(y)), y]
    return np.average(-np.log(share), weights=weight) + alpha / 2 * np.sum(coef**2)


def optimum(X, y, alpha=0.0, weight=None, intercept=True):
    """The least objective that scikit-learn finds."""
    total = len(X) if weight is None else weight.sum()
    C = 1 / (alpha * total) if alpha else np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=C, tol=1e-8, max_iter=20_000, fit_intercept=intercept).fit(X, y, weight)
    return objective(X, y, model.coef_, model.intercept_, alpha, weight)


def scaled(X):
    """The columns with variance 1."""
    return (X - X.mean(axis=0)) / X.std(axis=0)


TABLES = {
    "iris": (scaled(IRIS[0]), IRIS[1]),
    "digits": (scaled(VARYING)[::3], DIGITS[1][::3]),
    "samples": (scaled(drawn()[0]), drawn()[1]),
}


@pytest.mark.slow
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("alpha", [1e-4, 0.01, 1.0])
@pytest.mark.parametrize("table", TABLES)
def test_penalised_classes_reach_scikit_learns_optimum(table, alpha, sparse):
    X, y = TABLES[table]
    options = {"loss": "multinomial", "alpha": alpha, "standardize": False, "n_threads": 1}
    r = fastgd.fit(csr_array(X) if sparse else X, y, **options)
    assert (r.status, r.options["solver"]) == ("converged", "quasi_newton")
    expected = optimum(X, y, alpha)
    found = objective(X, y, r.coef, r.intercept, alpha)
    assert found <= expected * (1 + 1e-5)
    assert r.loss == pytest.approx(found, rel=2e-6)


@pytest.mark.parametrize("options", [{}, {"standardize": False}, {"fit_intercept": False}])
def test_without_a_penalty_too(options):
    X, y = drawn()
    rows = X - X.mean(axis=0) if not options.get("fit_intercept", True) else X
    r = fastgd.fit(rows, y, loss="multinomial", n_threads=1, **options)
    assert r.status == "converged"
    expected = optimum(scaled(X), y, intercept=options.get("fit_intercept", True))
    assert objective(rows, y, r.coef, r.intercept) <= expected * (1 + 2e-6)


def test_weights_of_rows():
    X, y = TABLES["samples"]
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    r = fastgd.fit(X, y, loss="multinomial", alpha=0.01, standardize=False, sample_weight=weight)
    assert objective(X, y, r.coef, r.intercept, 0.01, weight) <= optimum(X, y, 0.01, weight) * (1 + 2e-6)


@slow_to_compile
def test_float32():
    X, y = TABLES["samples"]
    r = fastgd.fit(X.astype(np.float32), y, loss="multinomial", alpha=0.01, standardize=False)
    assert r.status == "converged"
    assert objective(X, y, r.coef, r.intercept, 0.01) <= optimum(X, y, 0.01) * (1 + 1e-5)


def test_all_rows_are_read_a_few_times(monkeypatch):
    found, look = [], Stage.look

    def counted(self, lanes):
        found.append(self.rows)
        return look(self, lanes)

    monkeypatch.setattr(Stage, "look", counted)
    X, y = drawn()
    fastgd.fit(X, y, loss="multinomial", n_threads=1)
    assert min(found) < len(X)
    assert found.count(len(X)) <= 12


@pytest.mark.parametrize("table", TABLES)
def test_both_metrics_have_the_same_optimum(table, monkeypatch):
    X, y = TABLES[table]
    options = {"loss": "multinomial", "alpha": 0.01, "standardize": False, "tol": 1e-10, "n_threads": 1}
    found = []
    for largest in (0, 1 << 40 if table != "digits" else 1 << 28):
        monkeypatch.setattr(joint_metrics, "TINY", largest)
        found.append(fastgd.fit(X, y, **options))
    shared, whole = found
    assert shared.status == whole.status == "converged"
    assert shared.loss == pytest.approx(whole.loss, rel=1e-8)
    np.testing.assert_allclose(shared.coef, whole.coef, atol=1e-3 * np.abs(whole.coef).max())
    if table == "iris":  # of the others it is summed once, as it costs many passes
        assert whole.n_epochs <= shared.n_epochs


def test_two_classes_are_log_loss():
    X, y = drawn(3000, classes=2)
    two = fastgd.fit(X, y, loss="multinomial", tol=1e-12)
    one = fastgd.fit(X, y, loss="log_loss", tol=1e-12)
    assert two.loss == pytest.approx(one.loss, rel=1e-10)
    np.testing.assert_allclose(two.coef[1] - two.coef[0], one.coef, rtol=1e-4, atol=1e-6)


def test_what_moves_all_classes_alike_stays_where_it_was():
    X, y = drawn(600)
    r = fastgd.fit(X, y, loss="multinomial", tol=1e-10)
    np.testing.assert_allclose(r.coef.sum(axis=0), 0.0, atol=1e-6 * np.abs(r.coef).max())


@pytest.mark.parametrize("sparse", [False, True])
def test_separable_classes_end_in_words(sparse):
    X, _ = drawn(300, d=2)
    y = np.digitize(X[:, 1], [2.0, 10.0])
    r = fastgd.fit(csr_array(X) if sparse else X, y, loss="multinomial")
    assert r.status == "converged"
    assert np.isfinite(r.coef).all()
    assert (r.predict(X) == y).mean() > 0.98


@pytest.mark.parametrize("sparse, standardize", [(False, True), (True, True), (True, "auto")])
def test_a_class_of_few_rows_and_constant_columns(sparse, standardize):
    X, y = drawn(4000)
    y = np.where(np.arange(4000) < 3, 7, y)
    rows = np.column_stack([X, np.full(4000, 0.1), np.zeros(4000), X[:, 0]])
    options = {"loss": "multinomial", "alpha": 1e-4, "standardize": standardize}
    r = fastgd.fit(csr_array(rows) if sparse else rows, y, **options)
    tight = fastgd.fit(rows, y, **{**options, "standardize": r.options["standardize"]}, tol=1e-11)
    assert r.status == tight.status == "converged"
    assert r.loss <= tight.loss * (1 + 5e-6)
    # As it is, a constant column stands beside the intercept, and the penalty alone brings it to 0.
    np.testing.assert_allclose(r.coef[:, 5], 0.0, atol=0.0 if standardize is True else 1e-9)
    np.testing.assert_array_equal(r.coef[:, 6], 0.0)


def test_sweeps_are_single_fits():
    X, y = TABLES["samples"]
    alphas = [1e-4, 0.01, 1.0]
    s = fastgd.sweep(X, y, loss="multinomial", alpha=alphas, n_threads=1)
    for alpha, r in zip(alphas, s.results, strict=True):
        alone = fastgd.fit(X, y, loss="multinomial", alpha=alpha, n_threads=1)
        assert (r.status, r.n_epochs) == (alone.status, alone.n_epochs)
        np.testing.assert_allclose(r.history.loss, alone.history.loss, rtol=1e-9)
        np.testing.assert_allclose(r.coef, alone.coef, rtol=1e-6, atol=1e-8)


def test_folds_are_fits_on_their_rows():
    X, y = TABLES["iris"]
    train = np.arange(len(y)) % 3 != 0
    folds = [(np.flatnonzero(train), np.flatnonzero(~train))]
    options = {"loss": "multinomial", "standardize": False, "tol": 1e-11}
    s = fastgd.sweep(X, y, alpha=[0.01, 0.1], cv=folds, **options)
    for alpha, loss in zip([0.01, 0.1], s.losses, strict=True):
        alone = fastgd.fit(X[train], y[train], alpha=alpha, **options)
        assert loss == pytest.approx(objective(X[~train], y[~train], alone.coef, alone.intercept), rel=1e-5)


def test_a_bootstrap_of_classes():
    X, y = TABLES["iris"]
    r = fastgd.fit(X, y, loss="multinomial", alpha=0.01, bootstrap=20, random_state=0)
    assert r.replicates.coef.shape == (20, 3, 4)
    assert np.isfinite(r.replicates.coef).all()
    assert (r.replicates.coef.std(axis=0) > 0).all()
