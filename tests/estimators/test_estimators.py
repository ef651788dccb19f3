"""scikit-learn's classes: their numbers against scikit-learn's, and what they add."""

import pickle
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
from conftest import JIT_OFF, slow_to_compile

import fastgd

sklearn = pytest.importorskip("sklearn")
from joblib import Parallel, delayed, parallel_config  # noqa: E402
from sklearn import linear_model  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_validate  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
Y = X @ [1.0, -2.0, 0.5, 0.0] + 1 + 0.3 * RNG.normal(size=200)
LABELS = np.where(Y > 1, "yes", "no")
THREE = np.digitize(Y, [0.0, 2.0])
RAW = X * [1e-3, 1.0, 1e3, 1e6] + [0.0, 1990.0, 0.0, 1e7]
WEIGHT = RNG.random(200) * 2
SCHEDULES = ["constant", "optimal", "invscaling", "adaptive", "pa1", "pa2"]
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def same(ours, theirs, rtol=1e-9):
    """Assert that two fitted models have the same numbers."""
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=rtol, atol=1e-12)
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    assert (ours.coef_.shape, ours.intercept_.shape) == (theirs.coef_.shape, theirs.intercept_.shape)


# scikit-learn's numbers -----------------------------------------------------------------------------------------------


@slow_to_compile
@pytest.mark.jit
@quiet
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("penalty", ["l2", None])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_scikit_learns_schedules_give_its_numbers(schedule, penalty, shuffle):
    margin = schedule in ("pa1", "pa2")
    options = {"learning_rate": schedule, "penalty": penalty, "shuffle": shuffle, "alpha": 0.01, "eta0": 0.02}
    options |= {"random_state": 3, "max_iter": 60}
    if schedule in ("adaptive", "optimal"):  # there the penalty is met step by step, and here at the epochs' ends
        options |= {"max_iter": 20, "tol": None}
    for name, loss, y in (
        ("SGDRegressor", "epsilon_insensitive" if margin else "squared_error", Y),
        ("SGDClassifier", "hinge", LABELS),
    ):
        ours, theirs = (getattr(package, name)(loss=loss, **options).fit(X, y) for package in (fastgd, linear_model))
        same(ours, theirs)


@pytest.mark.jit
@quiet
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_l1_by_the_proximal_step_reaches_an_objective_no_higher_than_scikit_learns(penalty):
    options = {"penalty": penalty, "alpha": 0.05, "l1_ratio": 0.5, "random_state": 3, "max_iter": 100, "tol": None}
    l1 = 0.05 * (1.0 if penalty == "l1" else 0.5)

    def objective(model):
        size = l1 * np.abs(model.coef_).sum() + 0.5 * (0.05 - l1) * (model.coef_**2).sum()
        return 0.5 * np.mean((model.predict(X) - Y) ** 2) + size

    ours = fastgd.SGDRegressor(learning_rate="invscaling", **options).fit(X, Y)
    theirs = linear_model.SGDRegressor(**options).fit(X, Y)
    assert objective(ours) <= 1.001 * objective(theirs)  # both go about the optimum
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=0.01)


@slow_to_compile
@pytest.mark.jit
@quiet
@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
@pytest.mark.parametrize("schedule", [*SCHEDULES, "auto"])
def test_sparse_rows_give_the_numbers_of_dense_ones(schedule, penalty):
    csr_array = pytest.importorskip("scipy.sparse").csr_array
    rows = np.where(np.abs(X) > 0.5, X, 0.0)
    options = {"learning_rate": schedule, "penalty": penalty, "alpha": 0.01, "eta0": 0.02, "standardize": False}
    # Sums of centred columns and of others differ by rounding; what ends at a tolerance answers it by more.
    ends = {"max_iter": 500, "tol": 1e-10} if schedule == "auto" else {"max_iter": 20}
    options |= {"random_state": 3, "loss": "hinge", **ends}
    dense, sparse = (fastgd.SGDClassifier(**options).fit(make(rows), LABELS) for make in (np.asarray, csr_array))
    if schedule == "auto":  # to the optimum by different steps
        np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-5)
        np.testing.assert_allclose(sparse.intercept_, dense.intercept_, rtol=1e-5)
    else:
        same(sparse, dense, rtol=1e-9)
    np.testing.assert_allclose(sparse.predict(csr_array(rows)) == LABELS, dense.predict(rows) == LABELS)


@pytest.mark.jit
@quiet
@pytest.mark.parametrize("average", [False, True, 300])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.5, 1: 2.0, 2: 1.0}])
def test_classes_against_the_rest_give_scikit_learns_numbers(class_weight, average):
    options = {"loss": "log_loss", "learning_rate": "constant", "class_weight": class_weight, "average": average}
    options |= {"random_state": 0, "max_iter": 30, "n_jobs": 2, "eta0": 0.01}  # 0 before scikit-learn 1.8
    ours, theirs = (
        package.SGDClassifier(**options).fit(X, THREE, sample_weight=WEIGHT) for package in (fastgd, linear_model)
    )
    same(ours, theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-8)


@quiet
def test_early_stopping_is_scikit_learns_where_nothing_shrinks():
    options = {"learning_rate": "constant", "early_stopping": True, "penalty": None, "random_state": 1, "tol": 1e-4}
    options |= {"eta0": 0.01}  # scikit-learn 1.6's classifier has no default
    for name, y in (("SGDRegressor", Y), ("SGDClassifier", LABELS)):
        same(*(getattr(package, name)(**options).fit(X, y) for package in (fastgd, linear_model)))


def test_chunks_give_scikit_learns_numbers():
    for average in (False, True, 90):
        ours = fastgd.SGDRegressor(learning_rate="invscaling", average=average, random_state=0)
        theirs = linear_model.SGDRegressor(average=average, random_state=0)
        for rows in np.array_split(np.arange(200), 3):
            for model in (ours, theirs):
                model.partial_fit(X[rows], Y[rows])
        same(ours, theirs)
    ours, theirs = (
        package.SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.01, shuffle=False, random_state=0)
        for package in (fastgd, linear_model)
    )
    for rows in np.array_split(np.arange(200), 3):
        for model in (ours, theirs):
            model.partial_fit(X[rows], THREE[rows], classes=[0, 1, 2])
    same(ours, theirs)


@quiet
def test_a_chunk_goes_on_from_a_fit_and_from_changed_parameters():
    models = [
        package.SGDRegressor(learning_rate="invscaling", shuffle=False, max_iter=2, tol=None)
        for package in (fastgd, linear_model)
    ]
    for model in models:
        model.fit(X, Y)
        model.partial_fit(X[:50], Y[:50])
        model.set_params(alpha=0.1).partial_fit(X[50:], Y[50:])
        model.coef_ = model.coef_ + 1.0
        model.partial_fit(X[:20], Y[:20])
    same(*models)


def test_a_pickled_model_takes_its_next_chunk():
    for rate in ("auto", "pa1"):
        loss = "epsilon_insensitive" if rate == "pa1" else "squared_error"
        model = fastgd.SGDRegressor(loss, learning_rate=rate, random_state=0).partial_fit(X[:100], Y[:100])
        again = pickle.loads(pickle.dumps(model))
        for one in (model, again):
            one.partial_fit(X[100:], Y[100:])
        same(again, model, rtol=0)


@quiet
def test_a_warm_start_begins_at_the_last_coefficients():
    options = {"learning_rate": "constant", "shuffle": False, "max_iter": 3, "tol": None}
    warm = fastgd.SGDRegressor(warm_start=True, **options).fit(X, Y)
    cold = fastgd.SGDRegressor(**options).fit(X, Y)
    cold.fit(X, Y, coef_init=warm.coef_.copy(), intercept_init=warm.intercept_.copy())
    same(warm.fit(X, Y), cold, rtol=0)
    with pytest.raises(ValueError, match="coef_init does not match"):
        cold.fit(X, Y, coef_init=np.zeros(3))
    with pytest.raises(ValueError, match="must be finite"):
        cold.fit(X, Y, coef_init=np.full(4, np.nan))


def test_too_large_a_rate_is_scikit_learns_error():
    with pytest.raises(ValueError, match="overflow occurred at epoch #"):
        fastgd.SGDRegressor(learning_rate="constant").fit(X * 1e300, Y)


def test_a_fit_that_fails_changes_nothing():
    model = fastgd.SGDClassifier("log_loss", warm_start=True).fit(X, LABELS)
    before = {name: np.copy(value) for name, value in vars(model).items() if name.endswith("_")}
    with pytest.raises(ValueError, match="coef_init"):
        model.fit(X, THREE)
    with pytest.raises(ValueError, match="coef_init"):
        model.fit(X[:, :2], LABELS)
    assert all(np.array_equal(before[name], getattr(model, name)) for name in ("classes_", "coef_", "n_features_in_"))
    assert set(model.predict(X)) <= {"yes", "no"}


@slow_to_compile
def test_damaged_sparse_rows_are_an_error_and_no_crash():
    random_array = pytest.importorskip("scipy.sparse").random_array
    damaged = random_array((100, 500), density=0.05, format="csr", rng=np.random.default_rng(1))
    sound = damaged.copy()
    damaged.indptr[50] = 10**9
    for options in ({}, {"early_stopping": True}):
        with pytest.raises(ValueError, match=r"X\.indptr"):
            fastgd.SGDClassifier("log_loss", max_iter=2, **options).fit(damaged, np.arange(100) % 2)
    few = {"learning_rate": "constant", "eta0": 0.01, "max_iter": 2, "tol": None}
    classifier = fastgd.SGDClassifier("log_loss", **few).fit(sound, np.arange(100) % 2)
    regressor = fastgd.SGDRegressor(**few).fit(sound, np.arange(100.0))
    for model in (classifier, regressor):
        with pytest.raises(ValueError, match=r"X\.indptr"):
            model.predict(damaged)


def test_several_targets_of_sparse_rows_take_the_rates_of_rows():
    csr_array = pytest.importorskip("scipy.sparse").csr_array
    both = np.column_stack([Y, -Y])
    options = {"loss": "epsilon_insensitive", "learning_rate": "pa1", "max_iter": 5, "tol": None, "random_state": 0}
    model = fastgd.SGDRegressor(**options).fit(csr_array(X), both)
    alone = fastgd.SGDRegressor(**options).fit(X, Y)
    np.testing.assert_allclose(model.coef_[0], alone.coef_, rtol=1e-9)


# The automatic rate ---------------------------------------------------------------------------------------------------


def test_raw_columns_need_nothing_else():
    model = fastgd.SGDRegressor(penalty=None).fit(RAW, Y)
    exact = linear_model.LinearRegression().fit(X, Y)
    np.testing.assert_allclose(model.predict(RAW), exact.predict(X), rtol=1e-6)
    assert fastgd.SGDClassifier(standardize=True).fit(RAW, LABELS).score(RAW, LABELS) > 0.9
    assert fastgd.SGDClassifier(loss="log_loss", penalty=None).fit(RAW, THREE).score(RAW, THREE) > 0.8
    assert model.loss_curve_.shape == (model.n_iter_,)
    assert model.choices_["solver"].startswith("quasi_newton")


COLUMNS = X * [0.1, 1.0, 10.0, 100.0] + [0.0, 30.0, 0.0, 500.0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 64, "max_iter": 500, "tol": None},
        {"optimizer": "momentum"},
        {"optimizer": "adam", "max_iter": 5000},
        {"average": True, "max_iter": 3000},
    ],
    ids=str,
)
def test_alpha_acts_as_behind_a_scaler(options):
    given = {"alpha": 0.1, "tol": 1e-12, "random_state": 0, **options}
    ridge = make_pipeline(StandardScaler(), linear_model.Ridge(alpha=0.1 * len(Y))).fit(COLUMNS, Y)
    model = fastgd.SGDRegressor(**given).fit(COLUMNS, Y)
    near = 0.1 if options else 1e-6
    np.testing.assert_allclose(model.predict(COLUMNS), ridge.predict(COLUMNS), rtol=near, atol=near)
    logistic = linear_model.LogisticRegression(C=1 / (0.1 * len(Y)), tol=1e-10, max_iter=10_000, solver="newton-cg")
    scores = make_pipeline(StandardScaler(), logistic).fit(COLUMNS, LABELS).decision_function(COLUMNS)
    model = fastgd.SGDClassifier("log_loss", **given).fit(COLUMNS, LABELS)
    np.testing.assert_allclose(model.decision_function(COLUMNS), scores, rtol=near, atol=near)


@pytest.mark.jit
@pytest.mark.parametrize("d", [1023, 1024])
def test_alpha_has_one_meaning_at_any_width(d):
    columns = np.random.default_rng(1).normal(size=(300, d)) * np.resize([0.1, 10.0], d)
    y = columns[:, 0] * 10 + columns[:, 1]
    ridge = make_pipeline(StandardScaler(), linear_model.Ridge(alpha=1.0 * len(y))).fit(columns, y)
    model = fastgd.SGDRegressor(alpha=1.0, tol=1e-12).fit(columns, y)
    np.testing.assert_allclose(model.coef_, ridge[1].coef_ / columns.std(axis=0), rtol=1e-4, atol=1e-6)


def test_alpha_means_the_same_in_chunks():
    ridge = make_pipeline(StandardScaler(), linear_model.Ridge(alpha=0.1 * len(Y))).fit(COLUMNS, Y)
    model = fastgd.SGDRegressor(alpha=0.1, random_state=0)
    for _ in range(100):
        model.partial_fit(COLUMNS, Y)
    # single rows leave noise: among 200 seeds the worst of 200 predictions is off by 0.05 as a median, 0.109 at most
    np.testing.assert_allclose(model.predict(COLUMNS), ridge.predict(COLUMNS), atol=0.1)


def test_a_column_of_small_numbers_counts_as_much_as_any():
    z = RNG.normal(size=500)
    y = 2 * z + 0.2 * RNG.normal(size=500)
    assert fastgd.SGDRegressor().fit(1e-3 * z[:, None], y).score(1e-3 * z[:, None], y) > 0.98


@pytest.mark.parametrize("options", [{"standardize": False}, {"sparse": True}], ids=str)
def test_alpha_acts_on_raw_columns_of_sparse_rows_or_where_asked_for(options):
    csr_array, options = pytest.importorskip("scipy.sparse").csr_array, dict(options)
    rows = csr_array(COLUMNS) if options.pop("sparse", False) else COLUMNS
    ridge = linear_model.Ridge(alpha=0.1 * len(Y)).fit(COLUMNS, Y)
    model = fastgd.SGDRegressor(alpha=0.1, tol=1e-12, **options).fit(rows, Y)
    np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=1e-7)
    np.testing.assert_allclose(model.intercept_, ridge.intercept_, rtol=1e-7)
    logistic = linear_model.LogisticRegression(C=1 / (0.1 * len(Y)), tol=1e-10, max_iter=10_000, solver="newton-cg")
    model = fastgd.SGDClassifier("log_loss", alpha=0.1, tol=1e-12, **options).fit(rows, LABELS)
    np.testing.assert_allclose(model.coef_, logistic.fit(COLUMNS, LABELS).coef_, rtol=1e-4)


def test_the_class_against_the_rest_is_a_fit_of_its_own():
    model = fastgd.SGDClassifier(loss="log_loss", alpha=0.01, tol=1e-10).fit(RAW, THREE)
    for k in range(3):
        r = fastgd.fit(RAW, k == THREE, loss="log_loss", alpha=0.01, tol=1e-10, epochs=1000)
        np.testing.assert_allclose(model.coef_[k], r.coef, rtol=1e-6)


def test_multinomial():
    model = fastgd.SGDClassifier(loss="multinomial", alpha=1e-3).fit(RAW, THREE)
    r = fastgd.fit(RAW, THREE, loss="multinomial", alpha=1e-3)
    assert model.coef_.shape == (3, 4)
    np.testing.assert_array_equal(model.predict(RAW), r.predict(RAW))
    np.testing.assert_allclose(model.predict_proba(RAW).sum(axis=1), 1)
    two = fastgd.SGDClassifier(loss="multinomial").fit(RAW, LABELS)
    same(two, fastgd.SGDClassifier(loss="log_loss").fit(RAW, LABELS))
    np.testing.assert_allclose(two.predict_proba(RAW).sum(axis=1), 1)
    named, instance = (fastgd.SGDClassifier(loss=loss).fit(X, THREE) for loss in ("log_loss", fastgd.losses.LogLoss()))
    np.testing.assert_array_equal(named.predict_proba(X), instance.predict_proba(X))
    assert not hasattr(fastgd.SGDClassifier(loss=fastgd.losses.Hinge()), "predict_proba")


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_multinomial_with_exact_zeros(penalty):
    model = fastgd.SGDClassifier(loss="multinomial", penalty=penalty, alpha=0.05, l1_ratio=0.5, tol=1e-10)
    ratio = 1.0 if penalty == "l1" else 0.5
    r = fastgd.fit(RAW, THREE, loss="multinomial", alpha=0.05, l1_ratio=ratio, tol=1e-10)
    assert r.options["solver"] == "quasi_newton"
    np.testing.assert_allclose(model.fit(RAW, THREE).coef_, r.coef, rtol=1e-6, atol=1e-9)
    assert 0 < np.count_nonzero(model.coef_ == 0) < model.coef_.size


class Logistic(NamedTuple):
    """A user's own loss of classes, with probabilities."""

    factor: float = 1.0
    labels = True

    def value(self, p, y):
        return self.factor * (np.logaddexp(0.0, p) - y * p)

    def slope(self, p, y):
        return self.factor * (1 / (1 + np.exp(-p)) - y)

    def probabilities(self, scores):
        share = 1 / (1 + np.exp(-scores))
        return np.stack([1 - share, share], axis=-1)


def test_probabilities_of_a_custom_loss():
    given = {"alpha": 0.01, "tol": 1e-12, "standardize": False}
    model = fastgd.SGDClassifier(loss=Logistic(), **given).fit(X, LABELS)
    known = fastgd.SGDClassifier(loss=fastgd.losses.LogLoss(), **given).fit(X, LABELS)
    np.testing.assert_allclose(model.predict_proba(X), known.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("rate", ["auto", "invscaling"])
def test_several_targets(rate):
    both = np.column_stack([Y, 2 * Y + X[:, 0]])
    options = {"learning_rate": rate, "random_state": 0}
    model = fastgd.SGDRegressor(**options).fit(X, both)
    assert (model.coef_.shape, model.intercept_.shape, model.predict(X).shape) == ((2, 4), (2,), (200, 2))
    for k in range(2):
        one = fastgd.SGDRegressor(**options).fit(X, both[:, k])
        np.testing.assert_allclose(model.coef_[k], one.coef_, rtol=1e-6)
    assert model.score(X, both) > 0.9


def test_a_column_is_one_target():
    """As in scikit-learn: a warning, and the shapes of a vector."""
    models = []
    for regressor in (fastgd.SGDRegressor, linear_model.SGDRegressor):
        with pytest.warns(DataConversionWarning):
            models.append(regressor(random_state=0).fit(X, Y[:, None]))
    ours, theirs = models
    assert (ours.coef_.shape, ours.intercept_.shape) == (theirs.coef_.shape, theirs.intercept_.shape) == ((4,), (1,))
    assert ours.predict(X).shape == theirs.predict(X).shape == (200,)
    np.testing.assert_array_equal(ours.coef_, fastgd.SGDRegressor(random_state=0).fit(X, Y).coef_)
    with pytest.warns(DataConversionWarning):
        assert fastgd.SGDRegressor().partial_fit(X, Y[:, None]).coef_.shape == (4,)


FAR = 3e8  # float32 numbers are 32 apart there


@quiet
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "huber"},
        {"loss": "absolute_error"},
        {"early_stopping": True},
        {"average": True},
        {"warm_start": True},
    ],
)
def test_targets_are_centred_before_they_are_rounded_to_float32(options):
    model, reference = (fastgd.SGDRegressor(random_state=0, **options) for _ in range(2))
    rows = X.astype(np.float32)
    for _ in range(2):  # the second fit begins at the first one's weights, if it is warm
        model.fit(rows, Y + FAR)
        reference.fit(rows.astype(float), Y)
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(model.intercept_ - FAR, reference.intercept_, rtol=2e-3, atol=2e-3)
    assert model.score(rows, Y + FAR) == pytest.approx(reference.score(rows, Y), abs=1e-3)


@quiet
def test_streams_and_searches_of_float32_rows_centre_targets_too():
    rows, streams = X.astype(np.float32), [fastgd.SGDRegressor(random_state=0) for _ in range(2)]
    for first in range(0, 200, 50):
        chunk = slice(first, first + 50)
        streams[0].partial_fit(rows[chunk], Y[chunk] + FAR)
        streams[1].partial_fit(rows[chunk].astype(float), Y[chunk])
    np.testing.assert_allclose(streams[0].coef_, streams[1].coef_, rtol=1e-3)
    scores = [
        fastgd.SweepCV(fastgd.SGDRegressor(), {"alpha": [1e-4, 1.0]}).fit(rows, y).cv_results_["mean_test_score"]
        for y in (Y + FAR, Y)
    ]
    np.testing.assert_allclose(*scores, rtol=1e-3)


def test_weights_of_any_size_count_for_float32_rows():
    """1e40 overflows float32, and 1e-50 is 0 there."""
    rows = X.astype(np.float32)
    known = fastgd.SGDClassifier(loss="log_loss", class_weight={"no": 2.0}).fit(rows, LABELS, sample_weight=WEIGHT)
    for size in (1e40, 1e-50):
        model = clone(known).fit(rows, LABELS, sample_weight=WEIGHT * size)
        np.testing.assert_allclose(model.coef_, known.coef_, rtol=1e-5)


def test_further_parameters():
    def fitted(**options):
        return fastgd.SGDRegressor(random_state=0, **options).fit(RAW, Y)

    assert fitted(bounds=(0, None)).coef_.min() >= 0
    assert fitted(loss=fastgd.losses.Quantile(0.9)).predict(RAW).mean() > fitted(loss="quantile").predict(RAW).mean()
    assert fitted(batch_size=32, penalty=None).score(RAW, Y) > 0.9
    for options in ({"optimizer": "adam"}, {"momentum": 0.9}, {"optimizer": fastgd.optimizers.Nesterov()}):
        rate = {"learning_rate": "step", "eta0": 0.05, "standardize": True, "batch_size": 16, "max_iter": 100}
        assert fitted(**options, **rate).score(RAW, Y) > 0.9
    assert fastgd.SGDRegressor("poisson").fit(RAW, np.exp(Y)).predict(RAW).min() > 0
    stopped = fitted(early_stopping=True, batch_size=16, optimizer="adam", penalty=None)
    assert stopped.score(RAW, Y) > 0.9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"learning_rate": "optimall"}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"optimizer": "adma"}, "optimizer"),
        ({"optimizer": "adam", "momentum": 0.5}, "momentum"),
        ({"loss": "epsilon_insensitive", "learning_rate": "pa1", "batch_size": 8}, "batch_size"),
        ({"loss": "epsilon_insensitive", "learning_rate": "pa1", "optimizer": "adam"}, "optimizer"),
        ({"bounds": (1, 0)}, "bounds"),
        ({"learning_rate": "optimal", "alpha": 0.0}, "alpha must be > 0"),
    ],
)
def test_errors_name_the_parameter(options, words):
    with pytest.raises(ValueError, match=words):
        fastgd.SGDRegressor(**options).fit(X, Y)


def test_separated_rows_are_told():
    rows = np.arange(10.0)[:, None]
    labels = rows[:, 0] > 4.5
    with pytest.warns(ConvergenceWarning, match="linearly separable"):
        fastgd.SGDClassifier(loss="log_loss", penalty=None).fit(rows, labels)
    both, of_both = np.vstack([rows, [[4.5], [4.5]]]), np.append(labels, [True, False])
    with pytest.warns(ConvergenceWarning, match="10 of 12 rows are separated from the others by column 0"):
        fastgd.SGDClassifier(loss="log_loss", penalty=None).fit(both, of_both)
    with pytest.warns(ConvergenceWarning, match="3 of 10 rows are separated"):
        flag = (rows < 3).astype(float)
        fastgd.SGDRegressor(loss="poisson", penalty=None).fit(flag, np.where(flag[:, 0], 0, 1 + rows[:, 0]))
    fastgd.SGDClassifier(loss="log_loss").fit(both, of_both)  # held by the penalty


def test_too_few_epochs_are_told():
    with pytest.warns(ConvergenceWarning, match="Maximum number of iteration"):
        fastgd.SGDClassifier(loss="log_loss", max_iter=1).fit(RAW, LABELS)


def test_labels_that_were_not_announced():
    model = fastgd.SGDClassifier().partial_fit(X, LABELS, classes=["no", "yes"])
    with pytest.raises(ValueError, match="'perhaps'"):
        model.partial_fit(X[:2], ["yes", "perhaps"])


# Among scikit-learn's tools -------------------------------------------------------------------------------------------


@quiet
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib(backend):
    if JIT_OFF:
        pytest.skip("workers would compile")
    with parallel_config(backend):
        search = GridSearchCV(fastgd.SGDClassifier(), {"alpha": [1e-4, 1e-1]}, n_jobs=2).fit(X, LABELS)
    assert search.best_score_ > 0.9
    alone = GridSearchCV(fastgd.SGDClassifier(), {"alpha": [1e-4, 1e-1]}).fit(X, LABELS)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    fits = Parallel(2, backend=backend)(delayed(clone(alone.best_estimator_).fit)(X, LABELS) for _ in range(2))
    same(*fits, rtol=0)


def test_values_that_are_not_there_yet():
    frame = pytest.importorskip("polars").DataFrame(X)
    for rows, y in ((frame.lazy(), Y), (X, frame[:, :1].lazy())):
        with pytest.raises(TypeError, match=r"is a LazyFrame, .* pass .*\.collect\(\)"):
            fastgd.SGDRegressor().fit(rows, y)
    with pytest.raises(TypeError, match=r"X is a generator, .* pass list\(X\)"):
        fastgd.SGDClassifier().fit((row for row in X), LABELS)
    with pytest.raises(TypeError, match="X is a LazyFrame"):
        fastgd.SGDClassifier().fit(X, LABELS).predict(frame.lazy())


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_data_frames(package):
    frames = pytest.importorskip(package)
    names = ["a", "b", "c", "d"]
    frame = frames.DataFrame(dict(zip(names, RAW.T, strict=True)))
    if not hasattr(StandardScaler().fit(frame), "feature_names_in_"):
        pytest.skip("this scikit-learn reads no names of these frames")
    model = fastgd.SGDRegressor().fit(frame, Y)
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_allclose(model.predict(frame), fastgd.SGDRegressor().fit(RAW, Y).predict(RAW))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[names[::-1]])
    pipe = make_pipeline(StandardScaler(), fastgd.SGDRegressor()).set_output(transform=package).fit(frame, Y)
    assert pipe[-1].feature_names_in_.tolist() == names


def test_metadata_routing_and_html():
    with sklearn.config_context(enable_metadata_routing=True):
        model = fastgd.SGDRegressor().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(model, X, Y, params={"sample_weight": WEIGHT}, error_score="raise")
    assert found["test_score"].min() > 0.9
    assert "SGDRegressor" in model._repr_html_()
    assert repr(fastgd.SGDClassifier(loss="log_loss")) == "SGDClassifier(loss='log_loss')"


def test_every_parameter_of_scikit_learns_is_there():
    for name in ("SGDRegressor", "SGDClassifier"):
        ours, theirs = (getattr(package, name)().get_params() for package in (fastgd, linear_model))
        different = {key for key in theirs if key not in ours or ours[key] != theirs[key]}
        if theirs["eta0"] == 0.0:  # before scikit-learn 1.8, which asked classifiers for one
            different.remove("eta0")
        assert different == {"learning_rate", "tol"}
        own = {"optimizer", "momentum", "batch_size", "standardize", "penalty_factor", "bounds"}
        assert set(ours) - set(theirs) == own


def test_without_scikit_learn():
    code = """
import sys
from typing import NamedTuple
import fastgd
assert "sklearn" not in sys.modules
sys.modules["sklearn"] = None
try:
    fastgd.SGDRegressor
except ImportError as error:
    assert "fastgd[sklearn]" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@quiet
def test_a_schedule_that_follows_the_loss_acts_as_in_fit():
    """A rate of which the loss swings is lowered; scikit-learn's rule, which has no say in it, leaves it alone."""
    schedule = fastgd.schedules.Plateau(1.95, factor=0.5, patience=1.0)
    given = {"alpha": 0.0, "batch_size": None, "tol": None, "max_iter": 30}
    m = fastgd.SGDRegressor(learning_rate=schedule, **given).fit(X, Y)
    r = fastgd.fit(X, Y, optimizer="sgd", learning_rate=schedule, epochs=30)
    assert r.history.learning_rate[-1] < 1.95
    np.testing.assert_allclose(m.coef_, r.coef, rtol=1e-9)
