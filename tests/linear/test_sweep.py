"""``sweep``: each of its runs is the fit alone, whatever runs beside it."""

import itertools
import pickle

import numpy as np
import pytest
from conftest import JIT_OFF, PROBLEMS, diverges, slow_to_compile
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd
from fastgd import losses, optimizers, reference, schedules
from fastgd.parts.losses import Huber
from fastgd.parts.optimizers import Adam, Momentum
from fastgd.parts.registry import snake_case

RNG = np.random.default_rng(11)
X = RNG.standard_normal((37, 3)) + np.array([0.0, 0.5, -1.0])
SCORE = X @ [1.0, -2.0, 0.5]
Y = 2 + SCORE + 0.3 * RNG.standard_normal(37)
KINDS = np.array(["a", "b", "c"])[np.digitize(SCORE + RNG.standard_normal(37), [-1.0, 1.0])]
WEIGHT = RNG.integers(0, 4, 37).astype(float)
ONCE = {"epochs": 3, "random_state": 4}
RATES = [1e-3, 3e-3, 0.01]
REST_OF_BATCHES = [(1, WEIGHT), (7, None), (32, WEIGHT), (None, None)]


def target(name):
    """The targets that a loss wants."""
    if name == "multinomial":
        return KINDS
    return PROBLEMS["plain"]._replace(X=X, y=Y).target(getattr(losses, losses.__all__[LOSSES.index(name)]))


def alone(s, X, y, points, rtol=1e-8, fit=fastgd.fit, **options):
    """Assert that run k of a sweep is the fit with the options of point k, to ``rtol`` of its largest weight."""
    assert len(s.results) == len(points)
    for k, point in enumerate(points):
        many, one = s.results[k], fit(X, y, **options, **point)
        size = max(np.abs(one.coef).max(), np.abs(one.intercept).max())
        np.testing.assert_allclose(many.coef, one.coef, rtol, rtol * size, err_msg=str(point))
        np.testing.assert_allclose(many.intercept, one.intercept, rtol, rtol * size)
        np.testing.assert_allclose(many.history.loss, one.history.loss, rtol, rtol)
        assert (many.status, many.message, many.n_steps) == (one.status, one.message, one.n_steps)
        assert many.loss == pytest.approx(one.objective(X, y, options.get("sample_weight")), rel=rtol)
        assert many.choices == one.choices


def grid(**lists):
    """The points of the product of lists, the last running fastest."""
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


def bits(r):
    """What a result has, in bits."""
    return r.coef.tobytes(), np.float64(r.intercept).tobytes(), r.history.loss.tobytes(), r.status, r.message


# Each run is the fit alone ------------------------------------------------------------------------------------------

LOSSES, OPTIMIZERS = ([snake_case(name) for name in module.__all__] for module in (losses, optimizers))
SMOOTH = [name for name in LOSSES if getattr(losses, losses.__all__[LOSSES.index(name)]).smooth]
# A combination takes seconds to compile: where that is done, a few stand for all.
COMPILED = [
    ("squared_error", "sgd"),
    pytest.param("squared_error", "adam", marks=pytest.mark.slow),
    pytest.param("log_loss", "sgd", marks=pytest.mark.slow),
]


# Each loss and each optimizer in turn; all pairs of them take a minute.
TURNS = {(SMOOTH[k % len(SMOOTH)], optimizer) for k, optimizer in enumerate(OPTIMIZERS)}
PAIRS = [
    pytest.param(*pair, marks=[] if pair in TURNS else pytest.mark.slow)
    for pair in itertools.product(SMOOTH, OPTIMIZERS)
]


@pytest.mark.parametrize(("loss", "optimizer"), PAIRS if JIT_OFF else COMPILED)
def test_a_lane_is_the_fit_alone(loss, optimizer):
    y, base = target(loss), {**ONCE, "loss": loss, "optimizer": optimizer}
    for batch, weight in [(1, None), (7, WEIGHT), (32, None), (None, WEIGHT), *([] if JIT_OFF else REST_OF_BATCHES)]:
        options = {**base, "batch_size": batch, "sample_weight": weight}
        s = fastgd.sweep(X, y, learning_rate=RATES, **options)
        alone(s, X, y, grid(learning_rate=RATES), **options)


@pytest.mark.parametrize("optimizer", OPTIMIZERS if JIT_OFF else ["momentum"])
@pytest.mark.parametrize("batch", [7, None])
def test_penalties_bounds_and_averages_are_the_lanes_own(optimizer, batch):
    lists = {"learning_rate": RATES[1:], "alpha": [0.0, 0.2], "l1_ratio": [0.0, 0.7]}
    lists["bounds"] = [None, (-0.02, [0.01, np.inf, 0.03])]
    options = {**ONCE, "optimizer": optimizer, "batch_size": batch, "standardize": True, "average": 2}
    alone(fastgd.sweep(X, Y, **lists, **options), X, Y, grid(**lists), **options)


@pytest.mark.parametrize("batch", [7, None])
def test_fields_of_parts_are_lanes(batch):
    options = {**ONCE, "batch_size": batch, "learning_rate": 0.01}
    s = fastgd.sweep(X, Y, optimizer=Momentum([0.5, 0.9]), **options)
    alone(s, X, Y, [{"optimizer": Momentum(beta)} for beta in (0.5, 0.9)], **options)
    assert s.settings == {"optimizer.beta": [0.5, 0.9]}
    options = {**ONCE, "batch_size": batch, "loss": Huber(1.0), "alpha": 0.0}
    rates = schedules.InverseScaling([0.01, 0.02], [0.25, 0.5])
    points = [{"learning_rate": schedules.InverseScaling(*pair)} for pair in ((0.01, 0.25), (0.02, 0.5))]
    alone(fastgd.sweep(X, Y, learning_rate=rates, product=False, **options), X, Y, points, **options)
    if batch is None or JIT_OFF:
        options["loss"] = "huber"
        s = fastgd.sweep(X, Y, **{**options, "loss": Huber([0.2, 1.0])}, learning_rate=0.01)
        points = [{"loss": Huber(delta), "learning_rate": 0.01} for delta in (0.2, 1.0)]
        del options["loss"]
        alone(s, X, Y, points, **options)


def test_groups_come_in_the_order_of_the_table():
    y = (Y > 2).astype(float)
    lists = {"loss": ["squared_error", "log_loss"], "learning_rate": [0.01, schedules.InverseScaling(0.02)]}
    lists |= {"batch_size": [None, 7], "random_state": [0, 5]}
    s = fastgd.sweep(X, y, **lists, epochs=2)
    # The order of the signature's arguments that are lists, whatever that of the call.
    assert list(s.settings) == ["loss", "learning_rate", "batch_size", "random_state"]
    points = grid(**lists)
    assert [dict(zip(s.settings, values, strict=True)) for values in zip(*s.settings.values(), strict=True)] == points
    alone(s, X, y, points, epochs=2)
    assert s.results[0].classes is None
    assert s.results[-1].classes.tolist() == [0.0, 1.0]


def test_optimizers_and_lanes_within_groups():
    lists = {"optimizer": ["sgd", Momentum(0.8), "adam"], "learning_rate": [0.01, 0.02]}
    s = fastgd.sweep(X, Y, **lists, **ONCE)
    alone(s, X, Y, grid(**lists), **ONCE)
    assert s.settings["optimizer"] == [name for name in lists["optimizer"] for _ in range(2)]


def test_pairs():
    options = {**ONCE, "optimizer": Momentum([0.5, 0.9])}
    s = fastgd.sweep(X, Y, learning_rate=[0.01, 0.02], product=False, **options)
    points = [{"learning_rate": rate, "optimizer": Momentum(b)} for rate, b in ((0.01, 0.5), (0.02, 0.9))]
    alone(s, X, Y, points, **ONCE)
    with pytest.raises(ValueError, match=r"product=False pairs the lists.*'learning_rate': 2, 'alpha': 3"):
        fastgd.sweep(X, Y, learning_rate=[0.1, 0.2], alpha=[0, 1, 2], product=False)


@pytest.mark.parametrize("batch", [7, None])
def test_one_setting_is_the_fit_itself(batch):
    for lists in ({}, {"alpha": [0.1]}, {"learning_rate": (0.01,), "random_state": [3]}):
        options = {**ONCE, "batch_size": batch} | lists
        s = fastgd.sweep(X, Y, **options)
        one = fastgd.fit(X, Y, **{name: v[0] if name in lists else v for name, v in options.items()})
        assert bits(s.results[0]) == bits(one)
        assert set(s.table()) == {*lists, "objective", "n_epochs", "status"}


# Full batch, the first gradient of the intercept is rounding alone, which Adam would make a step of.
@pytest.mark.parametrize(("batch", "optimizer"), [(7, "adam"), (None, "momentum")])
def test_automatic_rates_are_each_settings_own(batch, optimizer):
    lists, options = {"learning_rate": ["auto", 0.01], "alpha": [0.0, 1.0]}, {**ONCE, "optimizer": optimizer}
    s = fastgd.sweep(X, 100 * Y, **lists, **options, batch_size=batch)
    alone(s, X, 100 * Y, grid(**lists), **options, batch_size=batch)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "hinge", "perceptron"] if JIT_OFF else ["hinge"])
def test_long_runs_of_losses_with_kinks_reach_the_same_objective(loss):
    y, options = target(loss), {"loss": loss, "random_state": 0, "epochs": 30, "batch_size": 7}
    rates = [schedules.InverseScaling(rate, 0.5) for rate in (0.01, 0.1, 1.0)]
    s = fastgd.sweep(X, y, learning_rate=rates, **options)
    one = [fastgd.fit(X, y, learning_rate=rate, **options).objective(X, y) for rate in rates]
    np.testing.assert_allclose(s.losses, one, rtol=1e-6)


def test_runs_that_converge_do_so_as_they_do_alone():
    lists = {"alpha": [0.0, 0.1, 10.0]}
    s = fastgd.sweep(X, Y, **lists, loss="huber")
    one = [fastgd.fit(X, Y, loss="huber", alpha=alpha) for alpha in lists["alpha"]]
    assert s.status == [r.status for r in one] == ["converged"] * 3
    np.testing.assert_allclose(s.losses, [r.objective(X, Y) for r in one], rtol=1e-6)
    assert len({r.n_epochs for r in s.results}) > 1


@slow_to_compile
@pytest.mark.parametrize("batch", [7, None])
def test_float32(batch):
    X32, y32 = X.astype(np.float32), Y.astype(np.float32)
    options = {**ONCE, "batch_size": batch}
    s = fastgd.sweep(X32, y32, learning_rate=RATES, **options)
    alone(s, X32, y32, grid(learning_rate=RATES), 1e-4, **options)
    assert s.results[0].coef.dtype == np.float64


@pytest.mark.parametrize("batch", [7, None])
def test_the_reference_agrees(batch):
    lists = {"learning_rate": [0.01, 1e9], "alpha": [0.0, 0.1]}
    options = {**lists, "epochs": 20, "random_state": 3, "batch_size": batch, "optimizer": "momentum"}
    ours, expected = fastgd.sweep(X, Y, **options), reference.sweep(X, Y, **options)
    assert ours.status == expected.status == ["max_epochs", "max_epochs", "diverged", "diverged"]
    assert ours.settings == expected.settings
    np.testing.assert_allclose(ours.losses[:2], expected.losses[:2], rtol=1e-10)
    for one, other in zip(ours.results[:2], expected.results[:2], strict=True):
        np.testing.assert_allclose(one.coef, other.coef, rtol=1e-10)


# What runs beside a run does not matter -----------------------------------------------------------------------------


@settings(max_examples=10)
@given(order=st.permutations(range(6)), batch=st.sampled_from([1, 7, None]))
def test_permuting_settings_permutes_results(order, batch):
    rates = np.geomspace(1e-3, 0.1, 6)
    options = {**ONCE, "batch_size": batch}
    s = fastgd.sweep(X, Y, learning_rate=rates, **options)
    permuted = fastgd.sweep(X, Y, learning_rate=rates[order], **options)
    assert [bits(r) for r in permuted.results] == [bits(s.results[k]) for k in order]
    np.testing.assert_array_equal(permuted.losses, s.losses[order])


@pytest.mark.parametrize("loss", ["squared_error", pytest.param("huber", marks=pytest.mark.slow)])
@pytest.mark.parametrize("batch", [1, 7, None])
def test_a_run_that_diverges_changes_no_other(batch, loss):
    options = {"epochs": 12, "random_state": 0, "batch_size": batch, "loss": loss}
    options["optimizer"] = "sgd" if loss == "squared_error" else "momentum"
    s = fastgd.sweep(X, Y, learning_rate=[0.01, 0.02, 1e200, 0.03], **options)
    calm = fastgd.sweep(X, Y, learning_rate=[0.01, 0.02, 0.005, 0.03], **options)
    assert s.status[2] == "diverged"
    assert "diverged" not in calm.status
    for k in (0, 1, 3):
        assert bits(s.results[k]) == bits(calm.results[k])
        assert s.losses[k] == calm.losses[k]
    bad = s.results[2]
    assert np.isfinite(bad.coef).all()
    assert np.isfinite(bad.intercept)
    assert ("infinite or NaN after epoch" in bad.message) or ("ended above" in bad.message)
    assert s.best_index != 2


@pytest.mark.jit
def test_the_bits_do_not_depend_on_threads():
    n = 30_000 if not JIT_OFF else 300
    rows = np.random.default_rng(0).standard_normal((n, 5))
    y = np.abs(rows @ [1.0, 2, 3, 4, 5]) + rows[:, 0]
    for options in ({"loss": "squared_error"}, {"loss": "huber"}, {"batch_size": 32}):
        options |= {"learning_rate": np.geomspace(1e-3, 0.05, 40), "epochs": 2, "random_state": 0}
        found = [fastgd.sweep(rows, y, n_threads=threads, **options) for threads in (1, 2, 3)]
        for other in found[1:]:
            assert [bits(r) for r in other.results] == [bits(r) for r in found[0].results]
            np.testing.assert_array_equal(other.losses, found[0].losses)


LISTS = {
    "learning_rate": st.lists(st.floats(1e-4, 0.02), min_size=1, max_size=4),
    "alpha": st.lists(st.floats(0.01, 1), min_size=1, max_size=2),
}
REST = {
    "l1_ratio": st.floats(0, 1),
    "batch_size": st.sampled_from([1, 5, None]),
    "shuffle": st.sampled_from(["block", "full", "replacement", False]),
    "fit_intercept": st.booleans(),
    "standardize": st.booleans(),
    "epochs": st.integers(0, 3),
    "random_state": st.integers(0, 2**62),
    "average": st.sampled_from([False, True, 3]),
}


@diverges
@settings(max_examples=15)
@given(
    n=st.integers(1, 40),
    d=st.integers(1, 4),
    seed=st.integers(0, 2**32),
    lists=st.fixed_dictionaries(LISTS),
    options=st.fixed_dictionaries(REST),
)
def test_any_small_sweep_is_its_fits(n, d, seed, lists, options):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    options |= {"optimizer": "momentum", "loss": "squared_error"}
    s, points = fastgd.sweep(X, y, **lists, **options), grid(**lists)
    for k, point in enumerate(points):
        one, many = fastgd.fit(X, y, **options, **point), s.results[k]
        np.testing.assert_allclose(many.coef, one.coef, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(many.intercept, one.intercept, rtol=1e-8, atol=1e-12)
        assert s.losses[k] == pytest.approx(one.objective(X, y), rel=1e-8, abs=1e-12)
        if len(points) == 1:
            assert bits(many) == bits(one)


# What a sweep gives back --------------------------------------------------------------------------------------------


def test_the_table_and_the_best():
    pd = pytest.importorskip("pandas")
    s = fastgd.sweep(X, Y, learning_rate=[1e-3, 0.1, 1e9], alpha=[0.0, 1.0], epochs=20)
    table = s.table()
    assert list(table) == ["learning_rate", "alpha", "objective", "n_epochs", "status"]
    assert table["learning_rate"] == [1e-3, 1e-3, 0.1, 0.1, 1e9, 1e9]
    assert table["alpha"] == [0.0, 1.0] * 3
    assert table["status"] == s.status == ["max_epochs"] * 4 + ["diverged"] * 2
    assert table["objective"] == [r.loss for r in s.results] == s.losses.tolist()
    assert s.best_index == int(np.argmin(s.losses)) == 2
    with pytest.warns(UserWarning, match="^alpha varies and runs are compared by the training objective"):
        assert s.best is s.results[2]
    assert s.best_settings == {"learning_rate": 0.1, "alpha": 0.0}
    pd.testing.assert_frame_equal(s.to_dataframe(), pd.DataFrame(table))
    title, best, note = repr(s).splitlines()
    assert title == "SweepResult: 6 runs over learning_rate, alpha (4 max_epochs, 2 diverged)"
    assert best == f"  best: learning_rate=0.1, alpha=0: objective {s.losses.min():.6g}"
    assert note.startswith("  note: alpha varies")
    assert repr(s.results) == "<6 results>"
    assert s.results[-1] is s.results[5]
    assert s.results[1:3] == [s.results[1], s.results[2]]
    with pytest.raises(IndexError):
        s.results[6]


@diverges
def test_no_run_with_a_finite_loss():
    s = fastgd.sweep(X, 1e150 * Y, learning_rate=[1e300, 1e301], epochs=3)
    assert s.status == ["diverged"] * 2
    assert all(np.isfinite(r.coef).all() for r in s.results)


@pytest.mark.parametrize("batch", [7, None])
def test_with_validation_runs_are_compared_by_what_is_held_out(batch):
    options = {"validation": 0.3, "random_state": 1, "epochs": 30, "batch_size": batch, "optimizer": "momentum"}
    options["evaluate"] = True
    lists = {"learning_rate": [1e-3, 0.05], "alpha": [0.5, 5.0]}
    s = fastgd.sweep(X, Y, **lists, **options)
    for k, point in enumerate(grid(**lists)):
        one = fastgd.fit(X, Y, **options, **point)
        assert (s.results[k].status, s.results[k].best_epoch) == (one.status, one.best_epoch)
        np.testing.assert_allclose(s.results[k].history.validation_loss, one.history.validation_loss, rtol=1e-8)
        np.testing.assert_allclose(s.results[k].coef, one.coef, rtol=1e-6)
        assert s.losses[k] == pytest.approx(np.min(one.history.validation_loss), rel=1e-8)
        assert s.results[k].loss == pytest.approx(one.loss, rel=1e-8)  # of what is trained on, with its penalty
    table = s.table()
    assert table["validation_loss"] == pytest.approx(s.losses)
    assert table["objective"] == [r.loss for r in s.results]


def test_validation_data_of_their_own():
    held = X[:9], Y[:9], WEIGHT[:9] + 1
    s = fastgd.sweep(X[9:], Y[9:], learning_rate=RATES, validation=held, **ONCE)
    expected = [np.average((Y[:9] - r.predict(X[:9])) ** 2 / 2, weights=WEIGHT[:9] + 1) for r in s.results]
    np.testing.assert_allclose(s.losses, expected, rtol=1e-12)


@pytest.mark.parametrize("batch", [7, None])
def test_a_run_is_a_full_result(batch, tmp_path):
    options = {"learning_rate": 0.02, "alpha": 0.1, "random_state": 0, "batch_size": batch}
    lists = {"learning_rate": [0.01, 0.02], "alpha": [0.0, 0.1]}
    s = fastgd.sweep(X, Y, **{**options, **lists}, epochs=3)
    s.results[3].save(tmp_path / "run.npz")
    saved = fastgd.load(tmp_path / "run.npz")
    np.testing.assert_array_equal(saved.predict(X), s.results[3].predict(X))
    whole = fastgd.fit(X, Y, epochs=7, **options)
    again = [fastgd.fit(X, Y, epochs=7, resume=r, **options) for r in (s.results[3], saved)]
    assert bits(again[0]) == bits(again[1])
    # A lane adds in another order than a single fit: the same but for rounding.
    np.testing.assert_allclose(again[0].coef, whole.coef, rtol=1e-12)
    np.testing.assert_allclose(again[0].history.loss, whole.history.loss, rtol=1e-12)
    assert (again[0].n_steps, again[0].status) == (whole.n_steps, whole.status)
    with pytest.raises(ValueError, match=r"resume: the run was started with alpha=0\.1, not 0"):
        fastgd.fit(X, Y, epochs=7, resume=s.results[3], **{**options, "alpha": 0.0})


def test_sweeps_are_pickled():
    s = fastgd.sweep(X, Y, learning_rate=RATES, **ONCE)
    copy = pickle.loads(pickle.dumps(s))
    assert [bits(r) for r in copy.results] == [bits(r) for r in s.results]
    np.testing.assert_array_equal(copy.losses, s.losses)
    assert (copy.status, copy.best_index, copy.settings) == (s.status, s.best_index, s.settings)
    assert copy.table() == s.table()
    r = fastgd.fit(X, Y, epochs=5, random_state=4, learning_rate=RATES[1], resume=copy.results[1])
    assert r.n_epochs == 5


def test_each_of_a_list_of_losses_is_its_own_fit():
    names = ["absolute_error", "mse", "squared_error", "huber"]  # of which the fields are alike
    s = fastgd.sweep(X, Y, loss=names, epochs=5, random_state=0)
    for name, r in zip(names, s.results, strict=True):
        one = fastgd.fit(X, Y, loss=name, epochs=5, random_state=0)
        assert (r.status, r.choices["learning_rate"]) == (one.status, one.choices["learning_rate"])
        np.testing.assert_allclose(r.coef, one.coef, rtol=1e-8)


def test_batches_that_settle_above_the_start_have_diverged():
    x, rng = np.random.default_rng(0).normal(size=(80, 1)), np.random.default_rng(1)
    y = 3 * x[:, 0] + 4 * rng.normal(size=80)
    s = fastgd.sweep(x, y, learning_rate=[0.01, 1.5], batch_size=1, random_state=0)
    assert s.status[0] != "diverged"
    assert s.status[1] == "diverged"


def test_a_grid_too_large_is_refused():
    with pytest.raises(ValueError, match="make 9,000,000 points: at most 100,000"):
        fastgd.sweep(X, Y, learning_rate=np.geomspace(1e-3, 1, 3000), alpha=np.linspace(0, 1, 3000))


# Ends ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [7, None])
def test_halving_keeps_the_better_half(batch):
    rates = [1e-4, 0.1, 3e-4, 0.05, 1e-3, 0.02, 3e-3, 0.01]
    s = fastgd.sweep(X, Y, learning_rate=rates, epochs=10, keep="halving", batch_size=batch, random_state=0)
    by_rate = dict(zip(rates, (r.n_epochs for r in s.results), strict=True))
    # Of rates this small a larger one is always further.
    assert by_rate == {1e-4: 1, 3e-4: 1, 1e-3: 1, 3e-3: 1, 0.01: 2, 0.02: 2, 0.05: 4, 0.1: 10}
    assert s.results[0].message.startswith("Stopped early: after epoch 1 its loss was among the worse half (keep).")
    assert s.status == ["early_stopped", "max_epochs", *["early_stopped"] * 6]
    assert s.best_index == 1
    whole = fastgd.sweep(X, Y, learning_rate=rates, epochs=10, batch_size=batch, random_state=0)
    assert bits(whole.results[1]) == bits(s.results[1])


def test_keep_at_given_epochs_and_across_groups():
    lists = {"learning_rate": [1e-3, 0.1, 0.05, 1e-4], "batch_size": [None, 1]}
    s = fastgd.sweep(X, Y, **lists, keep=[4, 2, 2], epochs=6, random_state=0)
    epochs = np.reshape([r.n_epochs for r in s.results], (4, 2))
    # Single rows take 37 steps an epoch: of them all but the smallest rate are ahead of the full batch's.
    assert sorted(epochs.ravel()) == [2, 2, 2, 2, 4, 4, 6, 6]
    assert epochs[1, 1] == epochs[2, 1] == 6
    assert (epochs[:, 0] <= 4).all()


def test_keep_counts_what_is_held_out():
    held = X, -Y  # what trains well does badly there
    s = fastgd.sweep(X, Y, learning_rate=[0.1, 0.001], keep=[3], epochs=6, validation=held)
    assert [r.n_epochs for r in s.results] == [3, 6]


@pytest.mark.parametrize("batch", [7, None])
def test_a_callback_is_told_the_run_and_ends_it(batch):
    seen = []

    def callback(progress):
        seen.append((progress.run, progress.epoch))
        return progress.run in (1, 2) and progress.epoch == progress.run

    lists = {"learning_rate": [0.01, 0.02], "optimizer": ["sgd", Momentum(0.5)]}
    s = fastgd.sweep(X, Y, **lists, epochs=4, callback=callback, batch_size=batch, random_state=0)
    points = grid(**lists)
    assert s.status == ["max_epochs", "early_stopped", "early_stopped", "max_epochs"]
    assert sorted(seen) == [(k, e) for k in range(4) for e in range(1, 5) if k in (0, 3) or e <= k]
    for k, point in enumerate(points):
        epochs = k if k in (1, 2) else 4
        one = fastgd.fit(X, Y, **point, epochs=epochs, batch_size=batch, random_state=0)
        np.testing.assert_allclose(s.results[k].coef, one.coef, rtol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"learning_rate": []}, ValueError, "learning_rate is an empty list"),
        ({"learning_rate": [0.1, -1.0]}, ValueError, "learning_rate"),
        ({"learning_rate": [[0.1]]}, TypeError, "learning_rate"),
        ({"learning_rate": np.ones((2, 2))}, ValueError, r"learning_rate has shape \(2, 2\)"),
        ({"alpha": [0.1, "x"]}, TypeError, "alpha='x'"),
        ({"optimizer": ["sgd", "adm"]}, ValueError, "Did you mean 'adam'"),
        ({"optimizer": Momentum([0.5, 2.0])}, ValueError, r"optimizer.beta=2(.0)? must be"),
        ({"optimizer": Adam(beta1=[])}, ValueError, "optimizer.beta1 is an empty list"),
        ({"loss": ["mse", "mes"]}, ValueError, "Did you mean 'mse'"),
        ({"loss": ["mse", "log_loss"]}, ValueError, r"\by\b"),
        ({"epochs": [1, 2]}, TypeError, r"epochs=\[1, 2\] must be a whole number"),
        ({"tol": [1e-3]}, TypeError, "tol"),
        ({"n_threads": [1, 2]}, TypeError, "n_threads"),
        ({"random_state": [0, "a"]}, TypeError, "random_state"),
        ({"bounds": [(0, 1), (1, 0)]}, ValueError, "bounds"),
        ({"product": 1}, TypeError, "product=1 must be True or False"),
        ({"keep": "halve"}, ValueError, "keep='halve' is not known. Did you mean 'halving'"),
        ({"keep": [0]}, ValueError, "keep=0 must be at least 1"),
        ({"keep": 3}, TypeError, 'keep=3 must be "halving", a list of epochs'),
        ({"keep": [1.5]}, TypeError, r"keep=\[1.5\] must be"),
        ({"scoring": "r2"}, ValueError, "scoring is for cross-validation: pass cv"),
        ({"refit": True}, ValueError, "refit is for cross-validation: pass cv"),
        ({"refit": "best"}, ValueError, "refit"),
        ({"groups": [1] * 37}, ValueError, "groups is for cross-validation: pass cv"),
        ({"resume": None}, TypeError, "sweep.. does not take resume: resume one of its results with fit"),
        ({"bootstrap": 20}, TypeError, "sweep.. does not take bootstrap: bootstrap one of its settings with fit"),
        ({"learning_rates": [0.1]}, TypeError, "sweep.. got an unexpected option 'learning_rates'"),
    ],
)
def test_bad_arguments_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        fastgd.sweep(X, Y, **arguments)


@pytest.mark.parametrize("cv", [None, 3])
def test_nan_in_x_is_found_at_once(cv):
    bad = X.copy()
    bad[5, 1] = np.nan
    with pytest.raises(ValueError, match="X holds NaN or infinity, the first in row 5, column 1"):
        fastgd.sweep(bad, Y, learning_rate=[0.01, 0.02], epochs=3, cv=cv)
