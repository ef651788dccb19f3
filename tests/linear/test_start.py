"""A run that starts at given weights: where it stands, what is refused, and that it never worsens an optimum."""

import numpy as np
import pytest
from conftest import diverges
from scipy.special import softmax

import fastgd
from fastgd import reference
from fastgd.linear import start

RNG = np.random.default_rng(4)
N, D = 48, 3
X = RNG.standard_normal((N, D)) * [1.0, 3.0, 0.5] + [0.0, 2.0, -1.0]
Y = 0.5 + X @ [1.0, -0.5, 2.0] + 0.3 * RNG.standard_normal(N)
LABELS = np.where(Y + RNG.standard_normal(N) > np.median(Y), "yes", "no")
CLASSES = np.array(["a", "b", "c"])[np.digitize(Y + RNG.standard_normal(N), [-4.0, -1.0])]
COEF, INTERCEPT = np.array([0.3, -0.2, 0.7]), 0.4


def fit(y=Y, **options):
    """A fit with a seed."""
    return fastgd.fit(X, y, **{"random_state": 0, **options})


# Where it stands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("batch", [None, 16])
def test_without_a_step_the_model_is_the_start(standardize, batch):
    r = fit(start=(COEF, INTERCEPT), epochs=0, batch_size=batch, standardize=standardize)
    np.testing.assert_allclose(r.coef, COEF, rtol=1e-12)
    assert r.intercept == pytest.approx(INTERCEPT, rel=1e-12)
    assert r.loss == pytest.approx(np.mean((X @ COEF + INTERCEPT - Y) ** 2) / 2, rel=1e-9)


@pytest.mark.parametrize("far", [1e10, 1e30, 1e100, 1e150])
@pytest.mark.parametrize("optimizer", ["auto", "sgd"])
def test_what_is_zero_to_rounding_does_not_depend_on_the_start(far, optimizer):
    """From a start however far off, least squares end where NumPy's do."""
    r = fit(start=([far, 0.0, 0.0], 0.0), optimizer=optimizer, tol=1e-12, epochs=3000)
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), Y, rcond=None)[0]
    assert r.status == "converged"
    np.testing.assert_allclose([*r.coef, r.intercept], solution, rtol=1e-5)


@diverges
def test_a_start_that_overflows_is_not_blamed_on_an_automatic_rate():
    r = fit(start=([1e300, 0.0, 0.0], 0.0))
    assert r.status == "diverged"
    assert r.message.endswith("The learning rate is automatic: look for very large numbers in X, y and start.")


def test_the_first_step_by_hand():
    """Raw columns, squared error: w - rate * mean(residual * x)."""
    off = X @ COEF + INTERCEPT - Y
    r = fit(start=(COEF, INTERCEPT), learning_rate=0.01, max_steps=1)
    np.testing.assert_allclose(r.coef, COEF - 0.01 * off @ X / N, rtol=1e-12)
    assert r.intercept == pytest.approx(INTERCEPT - 0.01 * off.mean(), rel=1e-12)
    assert r.history.loss[0] == pytest.approx(np.mean(off**2) / 2, rel=1e-12)


def test_the_first_step_of_standardised_columns_by_hand():
    scale, mean = X.std(axis=0), X.mean(axis=0)
    Z = (X - mean) / scale
    off = X @ COEF + INTERCEPT - Y
    r = fit(start=(COEF, INTERCEPT), learning_rate=0.01, max_steps=1, standardize=True)
    coef = COEF - 0.01 * (off @ Z / N) / scale
    np.testing.assert_allclose(r.coef, coef, rtol=1e-11)
    assert r.intercept == pytest.approx(INTERCEPT + (COEF - coef) @ mean - 0.01 * off.mean(), rel=1e-11)


def test_several_targets_and_classes_by_hand():
    Y2 = np.column_stack([Y, 1 - 2 * Y])
    C, b = RNG.standard_normal((2, D)), np.array([0.5, -0.5])
    off = X @ C.T + b - Y2
    r = fit(Y2, start=(C, b), learning_rate=0.01, max_steps=1)
    np.testing.assert_allclose(r.coef, C - 0.01 * off.T @ X / N, rtol=1e-12)
    np.testing.assert_allclose(r.intercept, b - 0.01 * off.mean(axis=0), rtol=1e-12)
    C, b = RNG.standard_normal((3, D)), np.array([0.5, -0.5, 0.0])
    off = softmax(X @ C.T + b, axis=1) - (CLASSES[:, None] == np.array(["a", "b", "c"]))
    r = fit(CLASSES, loss="multinomial", start=(C, b), learning_rate=0.01, max_steps=1)
    np.testing.assert_allclose(r.coef, C - 0.01 * off.T @ X / N, rtol=1e-11)
    np.testing.assert_allclose(r.intercept, b - 0.01 * off.mean(axis=0), rtol=1e-11, atol=1e-13)


def test_a_result_a_file_and_a_pair_are_the_same_start(tmp_path):
    first = fit(epochs=3, learning_rate=0.02)
    first.save(tmp_path / "first.npz")
    starts = first, tmp_path / "first.npz", str(tmp_path / "first.npz"), (first.coef, first.intercept)
    found = [fit(start=start, epochs=4, batch_size=8, learning_rate=0.02) for start in starts]
    assert len({r.coef.tobytes() for r in found}) == 1
    assert found[0].coef.tobytes() != fit(epochs=4, batch_size=8, learning_rate=0.02).coef.tobytes()
    lists = fit(start=[first.coef.tolist(), first.intercept], epochs=4, batch_size=8, learning_rate=0.02)
    assert lists.coef.tobytes() == found[0].coef.tobytes()


def test_a_start_is_not_a_run_gone_on_with():
    """Epochs, steps and the history begin at nothing, and other options than the first run's are fine."""
    first = fit(epochs=3, learning_rate=0.02)
    r = fit(start=first, epochs=2, optimizer="adam", batch_size=16, learning_rate=0.01)
    assert (r.n_epochs, r.n_steps, len(r.history.loss)) == (2, 6, 2)


def test_a_start_beyond_the_bounds_is_moved_to_them():
    r = fit(start=(COEF, INTERCEPT), bounds=(-0.1, 0.5), epochs=0)
    np.testing.assert_allclose(r.coef, [0.3, -0.1, 0.5], rtol=1e-12)


def test_the_start_is_not_written():
    coef, intercept = COEF.copy(), np.array([INTERCEPT])
    fit(start=(coef, intercept), epochs=3)
    np.testing.assert_array_equal(coef, COEF)
    assert intercept[0] == INTERCEPT


def test_chunks_may_start_somewhere():
    """Two steps of one batch each by hand, the second chunk after the first."""
    w, b, r = COEF.copy(), INTERCEPT, None
    for rows in (slice(0, 16), slice(16, 32)):
        off = X[rows] @ w + b - Y[rows]
        w, b = w - 0.01 * off @ X[rows] / 16, b - 0.01 * off.mean()
        options = {"learning_rate": 0.01, "batch_size": 16}
        r = fastgd.partial_fit(X[rows], Y[rows], r, **options, **({} if r else {"start": (COEF, INTERCEPT)}))
    np.testing.assert_allclose(r.coef, w, rtol=1e-12)
    assert r.intercept == pytest.approx(b, rel=1e-12)


def test_a_sweep_starts_each_setting_there():
    off = X @ COEF + INTERCEPT - Y
    s = fastgd.sweep(X, Y, start=(COEF, INTERCEPT), learning_rate=[0.01, 0.02], max_steps=1)
    for r, rate in zip(s.results, (0.01, 0.02), strict=True):
        np.testing.assert_allclose(r.coef, COEF - rate * off @ X / N, rtol=1e-12)


# The reference ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "log_loss", "y": LABELS, "alpha": 0.01},
        {"loss": "absolute_error"},
        {"batch_size": 8, "learning_rate": 0.02, "epochs": 3},
        {"optimizer": "momentum", "learning_rate": 0.02, "epochs": 5},
        {"batch_size": 5, "optimizer": "adam", "epochs": 2, "standardize": True},
    ],
)
def test_the_reference_starts_there_too(options):
    y = options.pop("y", Y) if "y" in options else Y
    options = {"start": (COEF, INTERCEPT), "random_state": 0, **options}
    r, plain = fastgd.fit(X, y, **options), reference.fit(X, y, **options)
    assert (r.status, r.n_epochs) == (plain.status, plain.n_epochs)
    np.testing.assert_allclose(r.coef, plain.coef, rtol=1e-7)
    np.testing.assert_allclose(r.intercept, plain.intercept, rtol=1e-7)


# Warm starts at the optimum -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss, y, alpha",
    [
        ("squared_error", Y, 0.0),
        ("squared_error", Y, 0.1),
        ("huber", Y, 0.0),
        ("log_loss", LABELS, 0.01),
        ("poisson", np.exp(Y / 4), 0.0),
        ("absolute_error", Y, 0.0),
        ("hinge", LABELS, 0.01),
    ],
)
def test_a_start_at_the_optimum_has_converged_at_once_and_is_not_worsened(loss, y, alpha):
    options = {"loss": loss, "alpha": alpha}
    first = fit(y, tol=1e-9, **options)
    again = fit(y, start=first, **options)
    assert again.status == "converged"
    assert again.n_epochs <= 2 or loss in ("absolute_error", "hinge")
    assert again.n_epochs <= first.n_epochs
    # A loss with kinks is smoothed anew at first: then ten tolerances of 1e-6 are what the run itself asks for.
    room = 1e-5 if loss in ("absolute_error", "hinge") else 1e-12
    before, after = first.objective(X, y), again.objective(X, y)
    assert after <= before + room * abs(before)


def test_first_order_steps_from_the_optimum_stay():
    best = fit(tol=1e-12)
    for optimizer in ("sgd", "momentum", "nesterov"):
        r = fit(start=best, optimizer=optimizer, learning_rate=0.01, epochs=20, standardize=True)
        assert r.objective(X, Y) <= best.objective(X, Y) * (1 + 1e-12), optimizer
        assert r.status == "max_epochs"


def test_batches_of_an_exact_fit_stay():
    y = 1.0 + X @ COEF
    r = fit(y, start=(COEF, 1.0), batch_size=4, learning_rate=0.02, epochs=3)
    np.testing.assert_allclose(r.coef, COEF, rtol=1e-12)
    assert np.all(r.history.loss < 1e-25)


@diverges
def test_a_start_far_off_that_the_run_makes_worse_has_diverged():
    """The start's own objective counts, not that of the best constant."""
    r = fit(start=(10 * COEF, 5.0), learning_rate=0.001, epochs=3)
    assert r.status == "max_epochs"
    assert r.history.loss[-1] > np.var(Y)
    r = fit(start=fit(), learning_rate=0.5, epochs=30)
    assert r.status == "diverged"


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start, error, words",
    [
        ((COEF[:2], 0.0), ValueError, r"^start has coefficients of shape \(1, 2\); \(1, 3\) is needed"),
        ((np.ones((2, 3)), np.ones(2)), ValueError, r"^start has coefficients of shape \(2, 3\); \(1, 3\)"),
        ((np.ones((1, 1, 3)), 0.0), ValueError, r"^start: coef has shape \(1, 1, 3\)"),
        (([1.0, np.nan, 0.0], 0.0), ValueError, "^start holds NaN or infinity"),
        ((COEF, np.inf), ValueError, "^start holds NaN or infinity"),
        (3.0, TypeError, r"^start must be a result of fit, the path of a saved one, or \(coef, intercept\), got float"),
        (COEF, TypeError, "^start must be .* got ndarray"),
        ((COEF, 0.0, 0.0), TypeError, "^start must be .* got tuple"),
        ({"coef": COEF}, TypeError, "^start must be .* got dict"),
        ((["a", "b", "c"], 0.0), (TypeError, ValueError), "^start"),
        ((COEF, [0.0, 1.0]), ValueError, r"^start: coef has shape \(3,\) and intercept \(2,\); \(d,\) and a number"),
    ],
)
@pytest.mark.parametrize("call", [fastgd.fit, fastgd.partial_fit, fastgd.sweep, reference.fit])
def test_what_is_no_start_is_named(call, start, error, words):
    with pytest.raises(error, match=words):
        call(X, Y, start=start)


def test_a_sweep_reads_the_file_of_its_start_once(tmp_path, monkeypatch):
    fit(epochs=2).save(tmp_path / "r.npz")
    load, read = start.load, []
    monkeypatch.setattr(start, "load", lambda path: read.append(path) or load(path))
    s = fastgd.sweep(X, Y, start=tmp_path / "r.npz", alpha=[0.0, 0.1, 0.2], epochs=1, random_state=0)
    assert len(read) == 1
    alone = fit(start=tmp_path / "r.npz", alpha=0.1, epochs=1)
    np.testing.assert_allclose(s.results[1].coef, alone.coef, rtol=1e-9)


def test_start_and_resume_exclude_each_other():
    first = fit(epochs=2, learning_rate=0.02)
    with pytest.raises(ValueError, match=r"^start and resume both say where the run starts: pass one of them"):
        fit(start=first, resume=first, epochs=4, learning_rate=0.02)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        fit(start=tmp_path / "nowhere.npz")


def test_classes_need_as_many_rows():
    with pytest.raises(ValueError, match=r"^start has coefficients of shape \(2, 3\); \(3, 3\) is needed"):
        fit(CLASSES, loss="multinomial", start=(np.ones((2, D)), np.ones(2)))
