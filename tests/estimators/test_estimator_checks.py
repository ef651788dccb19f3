"""scikit-learn's checks of estimators, and the statistical test that stands in for two of them."""

import numpy as np
import pytest
from conftest import JIT_OFF

import fastgd

checks = pytest.importorskip("sklearn.utils.estimator_checks")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(JIT_OFF, reason="takes too long without compiled kernels")]

EQUAL_WEIGHTS = {
    f"check_sample_weight_equivalence_on_{kind}_data": "another order of rows: see the statistical test below"
    for kind in ("dense", "sparse")
}
# The hinge of rows that can be told apart is flat: where on it interior points end hangs on roundings.
FLAT = dict.fromkeys(EQUAL_WEIGHTS, "the minimum is flat: the test of objectives below stands in")
FULL_BATCH = {
    "automatic regressor": (fastgd.SGDRegressor(), {}),
    "automatic huber": (fastgd.SGDRegressor(loss="huber", epsilon=1.0), {}),
    "automatic logistic": (fastgd.SGDClassifier(loss="log_loss"), {}),
    "automatic hinge": (fastgd.SGDClassifier(), FLAT),
    "full batch at a rate": (
        fastgd.SGDRegressor(learning_rate=0.02, standardize=True, batch_size=None, max_iter=100, tol=None),
        {},
    ),
}
STOCHASTIC = {
    "scikit-learn's regressor": (fastgd.SGDRegressor(learning_rate="invscaling"), EQUAL_WEIGHTS),
    "scikit-learn's classifier": (fastgd.SGDClassifier(learning_rate="optimal"), EQUAL_WEIGHTS),
}


# The same code as another one's, but for the loss or the solver.
ALIKE = {"automatic huber", "automatic hinge", "full batch at a rate"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] if name in ALIKE else []) for name in (*FULL_BATCH, *STOCHASTIC)],
)
def test_scikit_learns_checks(name):
    estimator, expected = {**FULL_BATCH, **STOCHASTIC}[name]
    checks.check_estimator(estimator, expected_failed_checks=expected, on_skip=None)


def weighted_and_repeated():
    """Rows with whole weights, and the same rows as often."""
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(60, 3)), rng.integers(0, 4, 60)
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=60)
    return (X, y, weight), (X.repeat(weight, axis=0), y.repeat(weight))


def test_weights_equal_repeated_rows_on_average():
    # On single rows a weight of 3 is one long step and not three: the two agree in the mean of many orders.
    (X, y, weight), (X_again, y_again) = weighted_and_repeated()
    options = {"learning_rate": "constant", "eta0": 5e-4, "penalty": None, "tol": None}
    epochs = 60
    coefs = np.empty((2, 50, 3))
    for seed in range(50):
        one = fastgd.SGDRegressor(max_iter=epochs, random_state=seed, **options).fit(X, y, sample_weight=weight)
        other = fastgd.SGDRegressor(max_iter=epochs, random_state=seed, **options).fit(X_again, y_again)
        coefs[:, seed] = one.coef_, other.coef_
    error = np.sqrt(coefs.var(axis=1).sum(axis=0) / 50)
    assert np.all(np.abs(coefs[0].mean(axis=0) - coefs[1].mean(axis=0)) < 4 * error + 2e-3)


def test_weights_of_a_flat_minimum_equal_repeated_rows_in_the_objective():
    (X, y, weight), (X_again, y_again) = weighted_and_repeated()
    one = fastgd.SGDClassifier().fit(X, y > 0, sample_weight=weight)
    other = fastgd.SGDClassifier().fit(X_again, y_again > 0)

    def objective(model):
        hinge = np.maximum(0, 1 - np.where(y_again > 0, 1, -1) * model.decision_function(X_again)).mean()
        return hinge + 0.5e-4 * np.sum((model.coef_ * X_again.std(axis=0)) ** 2)

    assert objective(one) == pytest.approx(objective(other), rel=1e-5)
