"""The warning of runs that diverged: who gives it, once, at the user's line; and who does not."""

import warnings

import numpy as np
import pytest

import fastgd

X = np.arange(6.0)[:, None]
Y = 2 * X[:, 0]
WILD = {"learning_rate": 10.0, "epochs": 100}


def told(call):
    """The warnings of a call, at the lines of this file."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    assert all(one.filename == __file__ for one in found)
    return [(one.category.__name__, str(one.message)) for one in found]


def square(x):
    return x**2


def slope(x):
    return 2 * x


ONE = "DivergenceWarning"
CALLS = {
    "fit": (lambda: fastgd.fit(X, Y, **WILD), ONE, "Lower learning_rate"),
    "all of a sweep": (
        lambda: fastgd.sweep(X, Y, **{**WILD, "learning_rate": [10.0, 20.0]}),
        ONE,
        "All 2 runs diverged. Lower learning_rate",
    ),
    "a run of a sweep": (lambda: fastgd.sweep(X, Y, **{**WILD, "learning_rate": [1e-3, 10.0]}).best, None, ""),
    "a fold": (lambda: fastgd.sweep(X, Y, cv=2, **{**WILD, "learning_rate": [1e-3, 10.0]}), None, ""),
    "a setting fitted again": (
        lambda: fastgd.sweep(X, Y, cv=2, **{**WILD, "learning_rate": [1e-3, 10.0]}).refit(1),
        ONE,
        "Lower learning_rate",
    ),
    "minimize": (lambda: fastgd.minimize(square, 1.0, slope, learning_rate=5.0), ONE, "Lower learning_rate"),
    "minimize_sweep": (
        lambda: fastgd.minimize_sweep(square, 1.0, slope, learning_rate=[5.0]),
        ONE,
        "The run diverged. Lower learning_rate: a tenth",
    ),
    "a sound run": (lambda: fastgd.fit(X, Y), None, ""),
}


@pytest.mark.parametrize("name", CALLS)
def test_who_warns(name):
    call, category, words = CALLS[name]
    found = told(call)
    assert [kind for kind, _ in found] == ([category] if category else [])
    assert all(words in message for _, message in found)


def test_the_estimators_warn_as_both_libraries():
    exceptions = pytest.importorskip("sklearn.exceptions")
    wild = fastgd.SGDRegressor(learning_rate="constant", eta0=10, max_iter=30, random_state=0)
    with pytest.warns(fastgd.DivergenceWarning, match=r"mean loss of the last epoch.*Lower eta0") as found:
        wild.fit(X, Y)
    assert issubclass(found[0].category, exceptions.ConvergenceWarning)
    assert found[0].filename == __file__
    sound = fastgd.SGDRegressor(learning_rate="constant", eta0=1e-3, max_iter=30, tol=None, random_state=0)
    assert told(lambda: sound.fit(X, Y)) == []


def test_a_perceptron_that_learns_has_not_diverged():
    """Its loss is 0 at weights of 0, and so lies above the start of every model that has learned."""
    x = np.random.default_rng(0).normal(size=(40, 1))
    labels = np.where(x[:, 0] + np.sin(9 * x[:, 0]) > 0, "yes", "no")
    fitted = []
    options = {"loss": "perceptron", "learning_rate": 0.1, "standardize": True, "epochs": 5}
    assert not told(lambda: fitted.append(fastgd.fit(x, labels, **options)))
    assert fitted[0].objective(x, labels) > fitted[0].state.start_loss[0] == 0
    assert fitted[0].status == "max_epochs"
    assert fitted[0].score(x, labels) > 0.6
