"""A perceptron trained by ``minimize`` is scikit-learn's ``MLPClassifier`` at the same settings."""

import warnings

import numpy as np
import pytest
from networks import classes, perceptron

import fastgd

BATCH, HIDDEN, EPOCHS, ALPHA, ROWS = 32, 64, 15, 1e-2, 900
EPSILON = 1e-12  # scikit-learn adds it to the root before the correction of the mean square: too small to matter


def penalised(params, X, label):
    """With the penalty of weights alone in the function, as scikit-learn has it: alpha / 2 over the rows of a batch."""
    value, slopes = perceptron(params, X, label)
    alpha = ALPHA / len(X)
    value += alpha / 2 * ((params["W1"] ** 2).sum() + (params["W2"] ** 2).sum())
    return value, slopes | {name: slopes[name] + alpha * params[name] for name in ("W1", "W2")}


@pytest.mark.jit
def test_mlp_classifier():
    """From its own first weights, on the same batches."""
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    X, digit = load_digits(return_X_y=True)
    X = X / 16
    given = {"hidden_layer_sizes": HIDDEN, "batch_size": BATCH, "alpha": ALPHA, "shuffle": False, "random_state": 0}
    given["epsilon"] = EPSILON
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = MLPClassifier(**given, learning_rate_init=1e-3, max_iter=EPOCHS).fit(X[:ROWS], digit[:ROWS])
        begun = MLPClassifier(**given, learning_rate_init=1e-300, max_iter=1).fit(X[:ROWS], digit[:ROWS])
    start = dict(zip(("W1", "W2", "b1", "b2"), begun.coefs_ + begun.intercepts_, strict=True))
    options = {
        "data": (X[:ROWS], digit[:ROWS]),
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "shuffle": False,
        "optimizer": fastgd.optimizers.Adam(epsilon=EPSILON),
        "learning_rate": 1e-3,
    }
    same = fastgd.minimize(penalised, start, grad=True, **options)
    assert same.nit == EPOCHS * -(-ROWS // BATCH)
    np.testing.assert_allclose(same.history.fun, theirs.loss_curve_, rtol=1e-7)

    factors = {"W1": 1, "W2": 1, "b1": 0, "b2": 0}
    ours = fastgd.minimize(perceptron, start, grad=True, alpha=ALPHA / BATCH, penalty_factor=factors, **options)
    expected = theirs.score(X[ROWS:], digit[ROWS:])
    assert expected > 0.85
    for found in (same, ours):
        assert abs(np.mean(classes(found.x, X[ROWS:]) == digit[ROWS:]) - expected) < 0.005
