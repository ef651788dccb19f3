"""Scorers: scikit-learn's own models with the same coefficients are the oracle; and what is refused."""

import copy
import pickle
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import slow_to_compile
from scipy.special import expit
from sklearn import metrics
from sklearn.base import is_classifier, is_regressor
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor

import fastgd
from fastgd.linear.scoring import estimator_of, scorer_of
from fastgd.results.fit_result import FitResult

RNG = np.random.default_rng(5)
X = RNG.standard_normal((60, 3))
NOISY = X @ [1.0, -2.0, 0.5] + RNG.standard_normal(60)
TARGETS = {  # the loss, the target and scikit-learn's model
    "numbers": ("squared_error", NOISY, LinearRegression()),
    "counts": ("poisson", np.floor(np.exp(0.3 * NOISY)), PoissonRegressor()),
    "two targets": ("squared_error", np.column_stack([NOISY, X[:, 0] ** 2]), LinearRegression()),
    "0 and 1": ("log_loss", (NOISY > 0.5).astype(int), LogisticRegression()),
    "two words": ("log_loss", np.where(NOISY > 0.5, "yes", "no"), LogisticRegression()),
    "three words": (
        "multinomial",
        np.array(["top", "low", "middle"])[np.digitize(NOISY, [-1, 1])],
        LogisticRegression(),
    ),
}


@dataclass
class Several:
    """A result of several classes or targets."""

    coef: np.ndarray  # (m, d)
    intercept: np.ndarray  # (m,)
    classes: np.ndarray | None
    state: SimpleNamespace

    def decision_function(self, X):
        return X @ self.coef.T + self.intercept

    def predict(self, X):
        scores = self.decision_function(X)
        return scores if self.classes is None else self.classes[scores.argmax(axis=1)]


def fitted(name, own=False):
    """A result and scikit-learn's model with the same coefficients, and the target."""
    loss, y, model = TARGETS[name]
    model.fit(X[:40], y[:40])
    classes = getattr(model, "classes_", None)
    facts = {"name": loss, "fields": {}, **({"stamp": "of its code"} if own else {})}
    state = SimpleNamespace(link=loss == "poisson", offset=False, options={"loss": facts}, parts={})
    if np.size(model.intercept_) > 1:
        return Several(model.coef_, model.intercept_, classes, state), model, y
    intercept = float(np.ravel(model.intercept_)[0])
    r = FitResult(np.ravel(model.coef_), intercept, 0.0, "converged", "", 1, 1, {}, None, classes, state=state)
    return r, model, y


REGRESSION = ["r2", "neg_mean_squared_error", "neg_mean_absolute_error", "explained_variance"]
LABELS = ["accuracy", "balanced_accuracy", "matthews_corrcoef", "neg_log_loss", "f1_macro"]
SCORERS = {
    "numbers": [*REGRESSION, "neg_root_mean_squared_error", "neg_median_absolute_error"],
    "counts": [*REGRESSION, "neg_mean_poisson_deviance", "d2_absolute_error_score"],
    "two targets": REGRESSION,
    "0 and 1": [*LABELS, "f1", "precision", "recall", "jaccard", "roc_auc", "average_precision", "neg_brier_score"],
    "two words": [*LABELS, "roc_auc"],
    "three words": [*LABELS, "top_k_accuracy", "roc_auc_ovr", "roc_auc_ovo"],
}
CASES = [(name, scoring) for name, of in SCORERS.items() for scoring in of]


@slow_to_compile
@pytest.mark.parametrize(("name", "scoring"), CASES)
def test_named_scorers(name, scoring):
    result, model, y = fitted(name)
    ours = scorer_of(scoring)(result, X[40:], y[40:])
    assert type(ours) is float
    assert ours == pytest.approx(metrics.get_scorer(scoring)(model, X[40:], y[40:]), rel=1e-9)
    assert abs(ours) > 0.01


@pytest.mark.parametrize("scorer", [
    metrics.make_scorer(metrics.fbeta_score, beta=2, pos_label="yes"),
    metrics.make_scorer(metrics.fbeta_score, beta=2, pos_label="no"),
    metrics.make_scorer(metrics.brier_score_loss, response_method="predict_proba", pos_label="no"),
    metrics.make_scorer(metrics.average_precision_score, response_method="decision_function", pos_label="no"),
    metrics.make_scorer(metrics.top_k_accuracy_score, k=1, response_method="decision_function"),
    lambda estimator, X, y: np.mean(estimator.predict(X) == y),
    lambda estimator, X, y: metrics.get_scorer("roc_auc")(estimator, X, y),
    lambda estimator, X, y: np.asarray(estimator.decision_function(X).mean()),
    lambda estimator, X, y: np.float32(estimator.predict_proba(X)[:, 0].mean()),
    lambda estimator, X, y: int((estimator.predict(X) == "yes").sum()),
])  # fmt: skip
def test_made_scorers_and_functions(scorer):
    result, model, y = fitted("two words")
    ours, theirs = scorer_of(scorer)(result, X[40:], y[40:]), scorer(model, X[40:], y[40:])
    assert type(ours) is float
    assert ours == pytest.approx(float(theirs), rel=1e-6)


def test_a_function_has_all_of_the_result():
    result, _, y = fitted("two words")
    assert scorer_of(lambda estimator, X, y: estimator.coef[1])(result, X, y) == result.coef[1]
    with pytest.raises(ValueError, match=r"^scoring: .*no attribute 'fly'"):
        scorer_of(lambda estimator, X, y: estimator.fly)(result, X, y)


def test_none_means_the_loss():
    assert scorer_of(None) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_kept(value):
    result, _, y = fitted("numbers")
    np.testing.assert_equal(scorer_of(lambda *given: value)(result, X, y), value)


@pytest.mark.parametrize("name", TARGETS)
def test_what_scikit_learn_sees(name):
    result, _, _ = fitted(name)
    estimator = estimator_of(result)
    assert is_classifier(estimator) == (result.classes is not None)
    assert is_regressor(estimator) == (result.classes is None)
    assert hasattr(estimator, "predict_proba") == (result.classes is not None)
    assert estimator._estimator_type == ("regressor" if result.classes is None else "classifier")  # before 1.6
    assert estimator.classes_ is result.classes


@pytest.mark.parametrize("name", ["0 and 1", "three words"])
def test_probabilities(name):
    result, model, _ = fitted(name)
    wide = np.concatenate([X, 1e3 * X])  # whose exponentials overflow
    probabilities = estimator_of(result).predict_proba(wide)
    np.testing.assert_allclose(probabilities, model.predict_proba(wide), rtol=1e-9, atol=1e-15)
    if name == "0 and 1":  # where scikit-learn rounds 1 - p
        scores = result.decision_function(wide)
        np.testing.assert_allclose(probabilities, expit(np.column_stack([-scores, scores])), rtol=1e-12)


def test_two_classes_with_a_score_each_are_one_score():
    one, model, y = fitted("two words")
    shared = RNG.standard_normal(3)
    two = Several(np.stack([shared, shared + one.coef]), np.array([0.0, one.intercept]), one.classes, one.state)
    for scoring in ("roc_auc", "neg_log_loss", "accuracy"):
        assert scorer_of(scoring)(two, X, y) == pytest.approx(metrics.get_scorer(scoring)(model, X, y), rel=1e-9)


def test_estimators_are_copied_and_pickled():
    estimator = estimator_of(fitted("two words")[0])
    for other in (copy.deepcopy(estimator), pickle.loads(pickle.dumps(estimator))):
        np.testing.assert_array_equal(other.predict_proba(X), estimator.predict_proba(X))


def test_a_result_of_fit():
    y = TARGETS["two words"][1]
    r = fastgd.fit(X, y, loss="log_loss", learning_rate=0.1, epochs=5)
    assert scorer_of("accuracy")(r, X, y) == np.mean(r.predict(X) == y) > 0.7
    mean = scorer_of("neg_log_loss")(r, X, y)
    assert mean == pytest.approx(-r.objective(X, y), rel=1e-12)


# What is refused ----------------------------------------------------------------------------------------------------

WRONG = {
    "a typo": ("accuracey", ValueError, "scoring='accuracey' is not known. Did you mean 'accuracy'"),
    "a loss": ("mean_squared_error", ValueError, "'neg_mean_squared_error'"),
    "a word": ("xyzzy", ValueError, "is not known. sklearn.metrics.get_scorer_names() lists all"),
    "a number": (
        3,
        TypeError,
        "scoring=3 must be None, the name of a scikit-learn scorer, or a callable (estimator, X",
    ),
    "a list": (["r2"], TypeError, "scoring=['r2'] must be None"),
    "a class": (dict, TypeError, "scoring=<class 'dict'> must be None"),
    "a metric": (metrics.r2_score, ValueError, "is a metric of (y, prediction): pass sklearn.metrics.make_scorer(r2_"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_of_what_is_no_scorer(name):
    given, kind, words = WRONG[name]
    with pytest.raises(kind) as error:
        scorer_of(given)
    assert words in str(error.value)
    assert str(error.value).startswith("scoring=")


def test_a_name_needs_scikit_learn_but_for_two(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        ImportError, match=r"scoring='max_error' needs scikit-learn: python -m pip install 'fastgd\[sklearn\]'"
    ):
        scorer_of("max_error")
    result, model, y = fitted("numbers")
    assert scorer_of("r2")(result, X, y) == pytest.approx(model.score(X, y), rel=1e-12)
    assert scorer_of(lambda estimator, X, y: estimator.predict(X)[0])(result, X, y) == result.predict(X)[0]


RETURNED = {
    "None": (None, "returned None: one real number is needed"),
    "a truth": (True, "returned True"),
    "NumPy's truth": (np.bool_(True), "returned"),
    "complex": (1j, "returned 1j"),
    "a word": ("good", "returned 'good'"),
    "an array": (np.ones(2), "returned array([1., 1.])"),
    "a dict": ({"r2": 1.0}, "returned {'r2': 1.0}"),
}


@pytest.mark.parametrize("name", RETURNED)
def test_a_score_is_a_real_number(name):
    value, words = RETURNED[name]
    with pytest.raises(TypeError, match=r"^scoring=") as error:
        scorer_of(lambda *given: value)(fitted("numbers")[0], X, NOISY)
    assert words in str(error.value)


def test_what_a_scorer_raises_names_scoring():
    def fails(estimator, X, y):
        raise KeyError

    result, _, y = fitted("two words")
    with pytest.raises(ValueError, match=r"^scoring: KeyError$") as error:
        scorer_of(fails)(result, X, y)
    assert isinstance(error.value.__cause__, KeyError)
    with pytest.raises(ValueError, match=r"^scoring: pos_label=1 is not a valid label"):
        scorer_of("f1")(result, X, y)


@pytest.mark.parametrize("name", ["numbers", "two words"])
def test_models_without_probabilities_say_so(name):
    result, _, y = fitted(name, own=True)  # a loss of the user's own, whatever its name
    names = "'log_loss', 'modified_huber', 'multinomial'"
    with pytest.raises(ValueError, match=rf"scoring: .*predict_proba.* these losses have probabilities: {names}"):
        scorer_of("neg_log_loss")(result, X, y)
