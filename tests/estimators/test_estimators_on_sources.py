"""The estimators on sources: the numbers of the same rows in memory."""

import warnings

import numpy as np
import pytest
from pieces import Pieces
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastgd import SGDClassifier, SGDRegressor, SweepCV
from fastgd.inputs import opened
from fastgd.sources import blocks
from fastgd.sources.rows import SourceRows
from fastgd.sources.some_rows import SomeRows

RNG = np.random.default_rng(11)
N, D = 300, 4
X = RNG.standard_normal((N, D)) * [1.0, 20.0, 0.1, 1.0] + 1.0
SCORE = X @ [1.0, -0.2, 0.5, 0.0]
Y = SCORE + 0.1 * RNG.standard_normal(N)
NOISY = SCORE + RNG.logistic(size=N)
LABELS = np.where(np.median(SCORE) < NOISY, "yes", "no")
CLASSES = np.array(["a", "b", "c"])[np.digitize(NOISY, [-5.0, 3.0])]
WEIGHT = RNG.uniform(0.5, 2.0, N)
SIZES, NAMES = (0, 13, 40, 1), tuple("pqrs")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64 * D * 8)


@pytest.fixture(params=["read", "loaded"])
def how(request, monkeypatch):
    """Whether the rows of a source stay where they are."""
    if request.param == "read":
        monkeypatch.setattr(opened, "LOADED_BYTES", 0)
    return request.param


def source(y, weight=None, rows=X, **more):
    return Pieces(rows, y, weight, sizes=SIZES, **more)


def named(given):
    """A model, or its targets, in the name of a test."""
    return "targets" if isinstance(given, np.ndarray) else repr(given)


MODELS = [
    (SGDRegressor(), Y),
    (SGDRegressor(loss="huber", alpha=0.1), np.column_stack([Y, Y**2])),
    (SGDRegressor(early_stopping=True, random_state=0, batch_size=None), Y),
    (SGDClassifier(loss="log_loss"), LABELS),
    (SGDClassifier(loss="log_loss", class_weight="balanced"), CLASSES),
    (SGDClassifier(loss="multinomial"), CLASSES),
]


@pytest.mark.parametrize(("model", "y"), MODELS, ids=named)
def test_fits_predictions_and_scores(model, y, how):
    expected = model.fit(X, y, sample_weight=WEIGHT)
    coef, score = expected.coef_, expected.score(X, y, WEIGHT)
    answers = [name for name in ("predict", "decision_function", "predict_proba") if hasattr(model, name)]
    arrays = {name: getattr(expected, name)(X) for name in answers}
    model.fit(source(y, WEIGHT, names=NAMES))
    np.testing.assert_array_equal(model.coef_, coef)
    assert model.n_features_in_ == D
    assert model.feature_names_in_.tolist() == list(NAMES)
    if isinstance(model, SGDClassifier):
        assert model.classes_.tolist() == np.unique(y).tolist()
    for once in (False, True):
        given = source(y, WEIGHT, names=NAMES, once=once)
        for name, array in arrays.items():
            found = list(getattr(model, name)(given))
            assert [len(one) for one in found] == [64] * 4 + [44]
            found = np.concatenate(found)
            if array.dtype.kind == "f":
                np.testing.assert_allclose(found, array, rtol=1e-12)
            else:
                assert np.array_equal(found, array)
        assert model.score(given) == pytest.approx(score, rel=1e-12)


def test_sparse_rows(how):
    rows = sparse.random_array((N, 30), density=0.2, format="csr", rng=np.random.default_rng(1))
    expected = SGDRegressor().fit(rows, Y)
    found = SGDRegressor().fit(source(Y, rows=rows))
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    assert found.score(source(Y, rows=rows)) == pytest.approx(expected.score(rows, Y), rel=1e-12)


@pytest.mark.parametrize("once", [False, True])
def test_chunks(once):
    expected, found = SGDRegressor(random_state=0), SGDRegressor(random_state=0)
    for _ in range(2):
        for lo in range(0, N, 64):
            some = slice(lo, lo + 64)
            expected.partial_fit(X[some], Y[some], WEIGHT[some])
        assert found.partial_fit(source(Y, WEIGHT, names=NAMES, once=once)) is found
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    assert found.t_ == expected.t_
    assert found.feature_names_in_.tolist() == list(NAMES)


def test_chunks_of_classes():
    ordered = np.sort(CLASSES)
    expected = SGDClassifier(loss="log_loss", random_state=0)
    for lo in range(0, N, 64):
        expected.partial_fit(X[lo : lo + 64], ordered[lo : lo + 64], ["a", "b", "c"])
    found = SGDClassifier(loss="log_loss", random_state=0).partial_fit(source(ordered))
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    once = source(ordered, once=True)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        SGDClassifier().partial_fit(once)
    found = SGDClassifier(loss="log_loss", random_state=0).partial_fit(once, classes=["a", "b", "c"])
    np.testing.assert_array_equal(found.coef_, expected.coef_)


def test_nothing_changes_where_a_chunk_fails():
    model, bad = SGDRegressor().partial_fit(source(Y, names=NAMES)), X.copy()
    before = {name: np.copy(one) for name, one in vars(model).items() if isinstance(one, np.ndarray)}
    bad[200] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(source(Y, rows=bad, names=NAMES))
    assert all(np.array_equal(vars(model)[name], one) for name, one in before.items())


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize(
    ("model", "y"),
    [
        (SGDRegressor(), Y),
        (SGDClassifier(loss="log_loss"), LABELS),
        (SGDRegressor(early_stopping=True, random_state=0), Y),
    ],
)
@pytest.mark.filterwarnings("ignore:.*does not take sample_weight")
def test_searches(model, y, weight, how):
    search = {"param_grid": {"alpha": [1e-4, 1.0]}, "cv": 3, "return_train_score": True}
    expected = SweepCV(model, **search).fit(X, y, sample_weight=weight)
    found = SweepCV(model, **search).fit(source(y, weight, names=NAMES))
    for name, values in expected.cv_results_.items():
        if "score" in name and "time" not in name:
            np.testing.assert_allclose(found.cv_results_[name], values, rtol=1e-6, err_msg=name)
    assert found.best_params_ == expected.best_params_
    np.testing.assert_allclose(found.best_estimator_.coef_, expected.best_estimator_.coef_, rtol=1e-12)
    assert found.feature_names_in_.tolist() == list(NAMES)
    assert found.n_features_in_ == D
    assert "_known_scores" not in vars(found.best_estimator_)


def test_faults():
    model = SGDRegressor()
    with pytest.raises(NotFittedError):
        model.predict(source(Y))
    with pytest.raises(TypeError, match="X is a source, which holds its targets: leave out y"):
        model.fit(source(Y), Y)
    with pytest.raises(ValueError, match="The source holds an offset, which the estimators do not take"):
        model.fit(Pieces(X, Y, offset=Y))
    with pytest.raises(ValueError, match="The source can be read once"):
        model.fit(source(Y, once=True))
    model.fit(source(Y, names=NAMES))
    with pytest.raises(ValueError, match="X has 3 features, but SGDRegressor is expecting 4"):
        model.predict(source(Y, rows=X[:, :3]))
    with pytest.raises(ValueError, match="the model was fitted on"):
        model.predict(source(Y, names=NAMES[::-1]))
    with pytest.raises(TypeError, match="holds its targets, and no y beside it"):
        model.score(source(None))


def test_some_rows():
    numbers = RNG.permutation(N)[:100]
    for rows in (X, sparse.csr_array(X * (X > 0))):
        some = SomeRows(source(Y, WEIGHT, rows=rows), numbers)
        ordered = np.sort(numbers)
        assert (some.n, sum(len(b.y) for k in range(len(some.shards)) for b in some.pieces(k, ("y",)))) == (100, 100)
        dense = rows if rows is X else rows.toarray()
        assert np.array_equal(SourceRows(some).array(), dense[ordered])
        held = opened.vectors(some)
        assert np.array_equal(held["y"], Y[ordered])
        assert np.array_equal(held["weight"], WEIGHT[ordered])
        assert some.place(99) == some.source.place(ordered[99])
    assert some.digest() != SomeRows(some.source, numbers[1:]).digest()


@pytest.mark.jit
@pytest.mark.parametrize(
    ("model", "y"),
    [
        (SGDRegressor(learning_rate="invscaling", eta0=0.001), Y),
        (SGDRegressor(learning_rate="adaptive", eta0=0.001, early_stopping=True), Y),
        (SGDRegressor(learning_rate="constant", eta0=0.001, shuffle=False), Y),
        (SGDRegressor(batch_size=32), Y),
        (SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.01, average=True), CLASSES),
    ],
    ids=named,
)
def test_steps_in_an_order_of_their_own(model, y, monkeypatch):
    """Rows are shuffled otherwise than scikit-learn does: the model is about as good."""
    monkeypatch.setattr(opened, "LOADED_BYTES", 0)
    model.set_params(max_iter=20, tol=None, random_state=0, standardize=True)
    assert isinstance(opened.matrix(source(y)).rows, SourceRows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected = model.fit(X, y).score(X, y)
        assert model.fit(source(y)).score(source(y)) == pytest.approx(expected, abs=0.02)
