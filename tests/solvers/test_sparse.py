"""Sparse rows against dense ones: the same data give the same model, by every way through the library."""

import itertools

import numpy as np
import pytest
from conftest import ELEMENTWISE, JIT_OFF, slow_to_compile
from scipy import sparse

import fastgd
from fastgd.kernels import full_batch, layouts
from fastgd.solvers import multi_lane_passes

RNG = np.random.default_rng(3)
DENSE = RNG.standard_normal((60, 6)) * (RNG.uniform(size=(60, 6)) < 0.4)
DENSE[[0, 20, 59]] = 0.0
DENSE[:, 4] = 0.0
CSR = sparse.csr_array(DENSE)
SCORE = DENSE @ [1.0, -2.0, 0.5, 0.0, 3.0, 0.2] + 0.3 + 0.1 * RNG.standard_normal(60)
Y = {"labels": np.where(SCORE > 0.2, "b", "a"), "domain": np.exp(0.3 * SCORE), "": SCORE}
WEIGHT = RNG.integers(0, 4, 60).astype(float)
# A given rate on raw columns: nothing is chosen from the data, so both take the same steps.
PLAIN = {"optimizer": "sgd", "learning_rate": 0.02, "epochs": 3, "random_state": 5, "tol": None}
BATCHES = {**PLAIN, "batch_size": 16}
EVERY = ELEMENTWISE if JIT_OFF else ["SquaredError", "LogLoss"]
SLOW = [] if JIT_OFF else [pytest.mark.slow]  # the first to compile a combination
FEW = [None, 16, 1] if JIT_OFF else [None, 16]


def target(loss):
    part = getattr(fastgd.losses, loss)
    return Y["labels" if part.labels else "domain" if part.domain else ""]


def same(sparse_result, dense_result, rtol=1e-10):
    """Equal models that came about in the same way."""
    for name in ("coef", "intercept"):
        np.testing.assert_allclose(getattr(sparse_result, name), getattr(dense_result, name), rtol, rtol)
    for name in ("loss", "objective", "validation_loss", "learning_rate", "gradient_norm"):
        ours, theirs = getattr(sparse_result.history, name), getattr(dense_result.history, name)
        np.testing.assert_allclose(ours, theirs, 10 * rtol, 10 * rtol)
    for name in ("status", "n_epochs", "n_steps", "best_epoch"):
        assert getattr(sparse_result, name) == getattr(dense_result, name)
    np.testing.assert_allclose(sparse_result.loss, dense_result.loss, 10 * rtol)
    np.testing.assert_allclose(sparse_result.decision_function(CSR), dense_result.decision_function(DENSE), rtol, rtol)
    ours, theirs = sparse_result.predict(CSR), sparse_result.predict(DENSE)
    assert (ours == theirs).all() if ours.dtype.kind == "U" else np.allclose(ours, theirs, rtol, rtol)


def both(y=SCORE, rtol=1e-10, call=fastgd.fit, **options):
    """Fit both, compare, and give the sparse one back."""
    ours, theirs = (call(X, y, **options) for X in (CSR, DENSE))
    same(ours, theirs, rtol)
    return ours


# Parts --------------------------------------------------------------------------------------------------------------


@slow_to_compile
@pytest.mark.parametrize("loss", EVERY)
@pytest.mark.parametrize("batch", FEW)
def test_every_loss(loss, batch):
    both(target(loss), **{**PLAIN, "loss": getattr(fastgd.losses, loss)(), "batch_size": batch, "evaluate": True})


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("loss", ["Tweedie", "Quantile"])  # all are compared where nothing is compiled
def test_every_loss_compiled(loss):
    both(target(loss), **{**PLAIN, "loss": getattr(fastgd.losses, loss)()})


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(name, marks=[] if JIT_OFF or name in ("adam", "adagrad") else pytest.mark.slow)
        for name in map(str.lower, fastgd.optimizers.__all__)
        if JIT_OFF or name in ("sgd", "momentum", "adagrad", "adam", "rmsprop")
    ],
)
def test_every_optimizer(optimizer):
    options = {**BATCHES, "optimizer": optimizer, "alpha": 0.1, "l1_ratio": 0.5}
    both(**options)
    both(**{**options, "average": True, "batch_size": 60 if JIT_OFF else 16})


@slow_to_compile
@pytest.mark.parametrize("batch", FEW)
@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.5},
        {"alpha": 0.2, "l1_ratio": 1.0},
        {"alpha": 0.2, "l1_ratio": 0.3, "bounds": (-0.5, 0.6)},
        {"bounds": (np.linspace(-1, 0, 6), None), "sample_weight": WEIGHT},
        {"fit_intercept": False, "alpha": 0.1},
        {"average": 2, "alpha": 0.1},
    ],
)
def test_penalties_bounds_and_weights(options, batch):
    both(**PLAIN, **options, batch_size=batch)


@pytest.mark.parametrize("shuffle", ["block", "full", "replacement", False])
@pytest.mark.parametrize("batch", [None, 16, 1])
def test_shuffles_and_batches(shuffle, batch):
    r = both(**PLAIN, shuffle=shuffle, batch_size=batch)
    assert r.status == "max_epochs"
    both(**{**PLAIN, "learning_rate": "inverse_scaling"}, shuffle=shuffle, batch_size=batch, sample_weight=WEIGHT)


@slow_to_compile
@pytest.mark.parametrize("batch", [None, 16, 1])
@pytest.mark.parametrize("intercept", [True, False])
def test_scaled_without_centring(batch, intercept):
    """What True means on sparse rows is what "scale" means on both."""
    options = {**PLAIN, "batch_size": batch, "fit_intercept": intercept, "alpha": 0.1}
    r = both(**options, standardize="scale")
    true = fastgd.fit(CSR, SCORE, **options, standardize=True)
    np.testing.assert_array_equal(true.coef, r.coef)
    for model in (r, true):
        np.testing.assert_array_equal(model.state.shift, 0.0)
        assert (model.state.inverse_scale != 1.0).any()
    auto = {**options, "learning_rate": "auto", "epochs": 5}
    both(**auto, standardize="scale", rtol=1e-8)


@pytest.mark.parametrize("batch", [None, pytest.param(16, marks=SLOW)])
def test_float32(batch):
    options = {**PLAIN, "batch_size": batch, "alpha": 0.1}
    ours = fastgd.fit(CSR.astype(np.float32), SCORE, **options)
    theirs = fastgd.fit(DENSE.astype(np.float32), SCORE, **options)
    np.testing.assert_allclose(ours.coef, theirs.coef, 1e-4, 1e-5)
    np.testing.assert_allclose(
        ours.predict(CSR.astype(np.float32)), theirs.predict(DENSE.astype(np.float32)), 1e-4, 1e-4
    )


# What is chosen -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["SquaredError", "LogLoss"])
def test_defaults_reach_the_same_optimum(loss):
    """Dense columns are scaled and sparse ones are not: other steps, without a penalty the same end."""
    ours, theirs = (
        fastgd.fit(X, target(loss), loss=getattr(fastgd.losses, loss)(), alpha=0.0, tol=1e-10) for X in (CSR, DENSE)
    )
    assert ours.status == theirs.status == "converged"
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-6)
    assert ours.options["standardize"] is False
    assert ours.choices["standardize"] == "False: the penalty acts on sparse columns as they are"


@pytest.mark.parametrize("batch", [16, 1])
def test_defaults_of_batches_come_close(batch):
    ours, theirs = (fastgd.fit(X, SCORE, batch_size=batch, epochs=20, random_state=0) for X in (CSR, DENSE))
    least = fastgd.fit(DENSE, SCORE).loss
    for r in (ours, theirs):
        assert r.loss < 1.3 * least


# Runs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [None, 16])
def test_validation(batch):
    options = {**PLAIN, "batch_size": batch, "epochs": 6, "patience": 2}
    both(**options, validation=0.25)
    X, y = DENSE[:15] + 0.0, SCORE[:15]
    ours = fastgd.fit(CSR, SCORE, **options, validation=(sparse.csc_array(X), y, WEIGHT[:15]))
    same(ours, fastgd.fit(DENSE, SCORE, **options, validation=(X, y, WEIGHT[:15])))


def test_validation_of_the_other_kind_is_refused():
    with pytest.raises(ValueError, match="validation: X is dense, but the training data are sparse"):
        fastgd.fit(CSR, SCORE, validation=(DENSE, SCORE))
    with pytest.raises(ValueError, match="validation: X is sparse, but the training data are dense"):
        fastgd.fit(DENSE, SCORE, validation=(CSR, SCORE))


@pytest.mark.parametrize("options", [{}, {"batch_size": 1}, {"optimizer": "adam", "alpha": 0.1, "l1_ratio": 0.5}])
def test_resume_bit_for_bit(options, tmp_path):
    options = {**BATCHES, **options}
    whole = fastgd.fit(CSR, SCORE, **{**options, "epochs": 5})
    begun = fastgd.fit(CSR, SCORE, **{**options, "epochs": 2})
    begun.save(tmp_path / "r.npz")
    for r in (begun, fastgd.load(tmp_path / "r.npz"), tmp_path / "r.npz"):
        r = fastgd.fit(CSR, SCORE, **{**options, "epochs": 5}, resume=r)
        np.testing.assert_array_equal(r.coef, whole.coef)
        np.testing.assert_array_equal(r.history.loss, whole.history.loss)
        assert r.intercept == whole.intercept
    np.testing.assert_array_equal(fastgd.load(tmp_path / "r.npz").predict(CSR), begun.predict(CSR))


def test_resume_keeps_standardize_and_needs_columns_that_were_not_centred(tmp_path):
    options = {**PLAIN, "standardize": "scale", "batch_size": 16}
    whole = fastgd.fit(CSR, SCORE, **options)
    fastgd.fit(CSR, SCORE, **{**options, "epochs": 2}).save(tmp_path / "r.npz")
    r = fastgd.fit(CSR, SCORE, **options, resume=tmp_path / "r.npz")
    np.testing.assert_array_equal(r.coef, whole.coef)
    dense = fastgd.fit(DENSE, SCORE, **{**PLAIN, "standardize": True, "batch_size": 16, "epochs": 1})
    with pytest.raises(ValueError, match="resume: the run was on dense columns that were centred"):
        fastgd.fit(CSR, SCORE, **{**PLAIN, "standardize": True, "batch_size": 16}, resume=dense)


def test_chunks():
    ours = theirs = None
    options = {"learning_rate": 0.05, "batch_size": 5, "standardize": False, "optimizer": "sgd"}
    for first in range(0, 60, 20):
        some = slice(first, first + 20)
        ours = fastgd.partial_fit(CSR[some], SCORE[some], ours, **options)
        theirs = fastgd.partial_fit(DENSE[some], SCORE[some], theirs, **options)
        np.testing.assert_allclose(ours.coef, theirs.coef, 1e-10)
        np.testing.assert_allclose(ours.history.loss, theirs.history.loss, 1e-10)
    once = fastgd.fit(CSR, SCORE, shuffle=False, epochs=1, **options)
    np.testing.assert_allclose(ours.coef, once.coef, 1e-12)
    auto = fastgd.partial_fit(CSR, SCORE)
    assert fastgd.partial_fit(CSR, SCORE, auto).n_epochs == 2


def test_the_rate_finder():
    ours, theirs = (
        fastgd.lr_find(X, SCORE, start=1e-4, stop=1.0, num=20, random_state=0, batch_size=16, standardize=False)
        for X in (CSR, DENSE)
    )
    np.testing.assert_allclose(ours.learning_rates, theirs.learning_rates, 1e-12)
    np.testing.assert_allclose(ours.losses, theirs.losses, 1e-9)
    assert ours.suggestions == pytest.approx(theirs.suggestions)
    assert np.isfinite(fastgd.lr_find(CSR, SCORE, random_state=0).learning_rates).all()


# Lanes --------------------------------------------------------------------------------------------------------------


@slow_to_compile
@pytest.mark.parametrize("batch", [pytest.param(None, marks=SLOW), 16, pytest.param(1, marks=SLOW)])
def test_sweeps(batch):
    options = {**PLAIN, "learning_rate": [0.005, 0.02, 0.05], "alpha": [0.0, 0.3], "batch_size": batch}
    ours, theirs = (fastgd.sweep(X, SCORE, **options) for X in (CSR, DENSE))
    np.testing.assert_allclose(ours.losses, theirs.losses, 1e-10)
    assert ours.best_index == theirs.best_index and list(ours.status) == list(theirs.status)
    for a, b in zip(ours.results, theirs.results, strict=True):
        np.testing.assert_allclose(a.coef, b.coef, 1e-10, 1e-12)
    one = fastgd.fit(CSR, SCORE, **{**PLAIN, "learning_rate": 0.05, "alpha": 0.3, "batch_size": batch})
    np.testing.assert_allclose(ours.results[5].coef, one.coef, 1e-10)


@pytest.mark.parametrize("batch", [pytest.param(None, marks=SLOW), 16])
def test_cross_validation(batch):
    options = {**PLAIN, "learning_rate": [0.02, 0.05], "batch_size": batch, "cv": 3}
    for more in ({}, {"scoring": lambda model, X, y: -np.mean((model.predict(X) - y) ** 2)}):
        ours, theirs = (fastgd.sweep(X, SCORE, **options, **more) for X in (CSR, DENSE))
        np.testing.assert_allclose(ours.scores.losses, theirs.scores.losses, 1e-10)
        np.testing.assert_allclose(ours.best.coef, theirs.best.coef, 1e-10)


@pytest.mark.parametrize("batch", [pytest.param(None, marks=SLOW), pytest.param(16, marks=SLOW)])
def test_several_targets_and_classes(batch):
    both(np.column_stack([SCORE, -2 * SCORE, DENSE[:, 0]]), **PLAIN, batch_size=batch)
    both(np.digitize(SCORE, [-0.5, 0.6]), **PLAIN, batch_size=batch, loss="multinomial")


@pytest.mark.parametrize("batch", [None, 16])
def test_bootstrap(batch):
    options = {**PLAIN, "bootstrap": 4, "batch_size": batch}
    ours, theirs = (fastgd.fit(X, SCORE, **options) for X in (CSR, DENSE))
    np.testing.assert_allclose(ours.replicates.coef, theirs.replicates.coef, 1e-10)
    np.testing.assert_allclose(ours.coef_std, theirs.coef_std, 1e-9)


def test_folds_are_held_out_in_pieces_and_without_a_number(monkeypatch):
    """However few rows are copied at a time, and though no number is stored."""
    options = {**BATCHES, "learning_rate": [0.02, 0.05], "cv": 3}
    whole = fastgd.sweep(CSR, SCORE, **options).scores.losses
    monkeypatch.setattr(multi_lane_passes, "COPIED_NUMBERS", 1)  # no more than a chunk
    monkeypatch.setattr(full_batch, "chunk_rows", lambda rows: 6)
    taken, take = [], layouts.CSR.take
    monkeypatch.setattr(layouts.CSR, "take", lambda rows, some: taken.append(len(some)) or take(rows, some))
    np.testing.assert_allclose(fastgd.sweep(CSR, SCORE, **options).scores.losses, whole, 1e-12)
    assert 3 <= max(taken) <= 6
    assert np.isfinite(fastgd.sweep(sparse.csr_array((12, 3)), np.arange(12.0), **options).scores.losses).all()


# The textbook -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch, optimizer", [*itertools.product([None, 16, 1], ["sgd", "adam"])])
def test_the_reference(batch, optimizer):
    """The textbook reads both alike, and the kernels as the textbook does."""
    options = {**PLAIN, "optimizer": optimizer, "batch_size": batch, "alpha": 0.1, "standardize": "scale"}
    textbook = both(**options, call=fastgd.reference.fit)
    if JIT_OFF or (batch == 16 and optimizer == "adam") or (batch is None and optimizer == "sgd"):
        r = fastgd.fit(CSR, SCORE, **options)
        np.testing.assert_allclose(r.coef, textbook.coef, 1e-9)
        np.testing.assert_allclose(r.history.loss, textbook.history.loss, 1e-9)


@pytest.mark.jit
def test_no_thread_changes_a_bit():
    X = sparse.random_array((40_000, 60), density=0.2, rng=1, format="csr")
    y = X @ np.arange(60.0)
    for batch in (None, 64):
        options = {**PLAIN, "learning_rate": 0.01, "epochs": 2, "batch_size": batch}
        results = [fastgd.fit(X, y, n_threads=k, **options) for k in (1, 2, 3)]
        for r in results[1:]:
            np.testing.assert_array_equal(r.coef, results[0].coef)


def test_rows_without_a_number():
    for X in (sparse.csr_array((12, 3)), sparse.coo_array((12, 3))):
        for options in ({}, {"batch_size": 4}, {"batch_size": 1}, {"learning_rate": 0.1}):
            r = fastgd.fit(X, np.arange(12.0), epochs=200, random_state=0, **options)
            assert not r.coef.any()
            assert r.intercept == pytest.approx(5.5, abs=3.0)
