"""The score of a result: scikit-learn's metrics of its predictions are the oracle."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import metrics

import fastgd
from fastgd.results.quality import r_squared

RNG = np.random.default_rng(7)
N = 60
X = RNG.standard_normal((N, 3)) * [1.0, 4.0, 0.3]
SCORE = 0.3 + X @ [0.8, -0.3, 1.5]
Y = SCORE + 0.5 * RNG.standard_normal(N)
COUNTS = RNG.poisson(np.exp(0.4 * SCORE)).astype(float)
LABELS = np.where(SCORE + RNG.logistic(size=N) > 0, "yes", "no")
WEIGHT = RNG.integers(0, 4, N).astype(float)


def tweedie(power):
    return lambda y, p, **w: metrics.d2_tweedie_score(y, p, power=power, **w)


ORACLES = {
    "squared_error": (Y, metrics.r2_score),
    "mse": (Y, metrics.r2_score),
    "huber": (Y, metrics.r2_score),
    "epsilon_insensitive": (Y, metrics.r2_score),
    "squared_epsilon_insensitive": (Y, metrics.r2_score),
    "absolute_error": (Y, metrics.d2_absolute_error_score),
    "quantile": (Y, metrics.d2_pinball_score),
    "poisson": (COUNTS, tweedie(1)),
    "gamma": (COUNTS + 0.5, tweedie(2)),
    "tweedie": (COUNTS, tweedie(1.5)),
    "log_loss": (LABELS, metrics.accuracy_score),
    "hinge": (LABELS, metrics.accuracy_score),
}
FEW = {"learning_rate": 0.02, "epochs": 4}  # any model will do


@pytest.mark.parametrize("loss", ORACLES)
def test_scores_are_those_of_scikit_learn(loss):
    y, oracle = ORACLES[loss]
    r = fastgd.fit(X, y, loss=loss, **FEW)
    for weight in (None, WEIGHT):
        expected = oracle(y, r.predict(X), sample_weight=weight)
        assert r.score(X, y, weight) == pytest.approx(expected, abs=1e-12)
        assert r.score(csr_array(X), y, sample_weight=weight) == pytest.approx(expected, abs=1e-12)
    assert abs(r.score(X, y)) > 0.01


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_quantile_is_compared_with_the_best_constant(share):
    r = fastgd.fit(X, Y, loss=fastgd.losses.Quantile(share), **FEW)
    for weight in (np.ones(N), WEIGHT):
        lost = [np.sum(weight * r_value(share, p, Y)) for p in (r.predict(X), *Y)]
        assert r.score(X, Y, weight) == pytest.approx(1 - lost[0] / min(lost[1:]), rel=1e-12)


def r_value(share, p, y):
    return np.maximum(share * (y - p), (share - 1) * (y - p))


def test_several_targets_have_the_mean():
    both = np.column_stack([Y, X[:, 0] ** 2])
    r = fastgd.fit(X, both)
    assert r.score(X, both, WEIGHT) == pytest.approx(
        metrics.r2_score(both, r.predict(X), sample_weight=WEIGHT), abs=1e-12
    )


def test_the_best_constant_has_the_offset():
    """Its mean is the exposure times the total by the total exposure: R's null deviance."""
    exposure = RNG.uniform(0.5, 2.0, N)
    r = fastgd.fit(X, COUNTS, loss="poisson", offset=np.log(exposure), **FEW)
    null = exposure * np.average(COUNTS, weights=WEIGHT) / np.average(exposure, weights=WEIGHT)
    deviances = [
        metrics.mean_poisson_deviance(COUNTS, mean, sample_weight=WEIGHT)
        for mean in (r.predict(X, offset=np.log(exposure)), null)
    ]
    found = r.score(X, COUNTS, WEIGHT, offset=np.log(exposure))
    assert found == pytest.approx(1 - deviances[0] / deviances[1], rel=1e-9)
    with pytest.raises(ValueError, match="offset is missing"):
        r.score(X, COUNTS)


@pytest.mark.parametrize(("y", "p", "expected"), [
    ([2.0, 2.0], [2.0, 2.0], 1.0),
    ([2.0, 2.0], [2.0, 3.0], 0.0),
    ([2.0], [2.0], np.nan),
])  # fmt: skip
def test_no_variance(y, p, expected):
    np.testing.assert_equal(r_squared(y, p), expected)


def test_a_source_is_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("fastgd.sources.blocks.BLOCK_BYTES", 24 * 7)  # seven rows
    for name, values in {"X": X, "y": Y, "w": WEIGHT}.items():
        np.save(tmp_path / f"{name}.npy", values)
    source = fastgd.sources.npy(tmp_path / "X.npy", tmp_path / "y.npy", weight=tmp_path / "w.npy")
    for loss in ("squared_error", "absolute_error"):
        r = fastgd.fit(X, Y, loss=loss, **FEW)
        assert r.score(source) == pytest.approx(r.score(X, Y, WEIGHT), rel=1e-12)


def test_labels_that_the_model_does_not_know_are_wrong():
    r = fastgd.fit(X, LABELS, loss="log_loss", **FEW)
    some = LABELS.copy()
    some[:3] = "??"
    assert r.score(X, some) == np.mean(r.predict(X) == some)
    with pytest.raises(ValueError, match="y holds the classes 0, 1, but the model's classes are 'no', 'yes'"):
        r.score(X, (LABELS == "yes").astype(int))


class LogCosh:
    def value(self, p, y):
        return np.log(np.cosh(p - y))

    def slope(self, p, y):
        return np.tanh(p - y)


class Compared(LogCosh):
    def best_constant(self, y, weight, offset):
        return 1.0


def test_a_loss_of_ones_own():
    r = fastgd.fit(X, Y, loss=LogCosh(), **FEW)
    assert r.score(X, Y) == pytest.approx(metrics.r2_score(Y, r.predict(X)), abs=1e-12)
    r = fastgd.fit(X, Y, loss=Compared(), **FEW)
    lost = [np.log(np.cosh(Y - p)).sum() for p in (r.predict(X), 1.0)]
    assert r.score(X, Y) == pytest.approx(1 - lost[0] / lost[1], rel=1e-12)


def test_sweeps_answer_by_their_best_run():
    s = fastgd.sweep(X, LABELS, loss="log_loss", learning_rate=[1e-3, 1e-2], epochs=2)
    assert s.score(X, LABELS) == s.best.score(X, LABELS)
    np.testing.assert_array_equal(s.predict_proba(X), s.best.predict_proba(X))
    np.testing.assert_array_equal(s.predict(X), s.best.predict(X))


def test_a_dask_collection_is_told_to_be_a_source():
    array = pytest.importorskip("dask.array").from_array(X)
    r = fastgd.fit(X, Y, **FEW)
    for method in (r.score, r.objective):
        with pytest.raises(TypeError, match=r"pass fastgd\.sources\.dask\(X, y\)"):
            method(array, Y)


def test_targets_are_as_many_as_the_model_has():
    """Broadcast, a wrong number gave a score of something else."""
    both = np.column_stack([Y, X[:, 0] ** 2])
    one, two = fastgd.fit(X, Y, **FEW), fastgd.fit(X, both, **FEW)
    for method in ("score", "objective"):
        with pytest.raises(ValueError, match="y has 2 targets, but the model was fitted to 1"):
            getattr(one, method)(X, both)
        with pytest.raises(ValueError, match="y has 1 target, but the model was fitted to 2"):
            getattr(two, method)(X, Y)


def test_a_label_that_is_missing_is_an_error():
    r = fastgd.fit(X, (LABELS == "yes").astype(int), loss="log_loss", **FEW)
    with pytest.raises(ValueError, match="y holds NaN or infinity, the first in row 5"):
        r.score(X, np.where(np.arange(N) == 5, np.nan, LABELS == "yes"))


@pytest.mark.parametrize("same", [0.0, 0.1, 7.0])
def test_counts_that_are_all_the_same_have_nothing_to_explain(same):
    assert fastgd.fit(X, COUNTS, loss="poisson", **FEW).score(X, np.full(N, same)) == 0.0


def test_squares_that_overflow_are_no_warning():
    assert not np.isfinite(fastgd.fit(X, Y, **FEW).score(X, Y * 1e300, WEIGHT))
