"""``minimize`` over data: steps, orders, penalties and averages, against fits on the same batches and closed forms."""

import inspect

import numpy as np
import pytest
from batch_models import X0, D, N, X, Y, flat, linear, linear_grad, linear_thrice, quadratic, quadratic_grad
from scipy import optimize

import fastgd
from fastgd import optimizers, reference, schedules
from fastgd.functions.batch_options import BATCH_DEFAULTS

OPTIMIZERS = [getattr(optimizers, name)() for name in optimizers.__all__]
SCHEDULES = {
    "constant": 0.05,
    "inverse": schedules.InverseScaling(0.1, power=0.5),
    "optimal": schedules.Optimal(alpha=1.0),
    "step": schedules.Step(0.1, period=1.5),
    "exponential": schedules.Exponential(0.1, factor=0.5),
    "polynomial": schedules.Polynomial(0.1),
    "cosine": schedules.Cosine(0.1),
    "one cycle": schedules.OneCycle(0.1),
    "plateau": schedules.Plateau(0.3, factor=0.5, patience=0.0, threshold=0.3),
    "warm-up of cosine": schedules.Warmup(schedules.Cosine(0.1), period=1.5),
    "warm-up of plateau": schedules.Warmup(schedules.Plateau(0.3, patience=0.0, threshold=0.3), period=0.5),
}
SHUFFLES = [False, "block", "full", "replacement"]


def like_fit(loss="squared_error", rtol=1e-10, penalised=True, **options):
    """The result of minimize, which has the coefficients of a fit on the same batches."""
    given = {"batch_size": 8, "epochs": 4, "random_state": 3, "learning_rate": 0.05, "optimizer": "sgd", **options}
    bounds = given.get("bounds")
    own = {name: given.pop(name) for name in ("penalty_factor",) if name in given}
    factor = {"penalty_factor": {"w": 1.0, "b": 0.0, **own.get("penalty_factor", {})}} if penalised else {}
    o = linear_thrice(**given, **factor)
    columns = own.get("penalty_factor", {}).get("w")
    if bounds is not None:  # fits begin within them, too
        given["bounds"] = tuple(side["w"] for side in bounds)
    r = fastgd.fit(X, Y, loss=loss, standardize=False, penalty_factor=columns, **given)
    np.testing.assert_allclose(o.x["w"], r.coef, rtol=rtol)
    np.testing.assert_allclose(o.x["b"], r.intercept, rtol=rtol)
    assert o.nit == r.n_steps
    return o, r


@pytest.mark.parametrize("call", [fastgd.minimize, fastgd.minimize_sweep, reference.minimize])
def test_the_options_of_a_call_have_the_defaults_of_their_table(call):
    known = inspect.signature(call).parameters
    assert {name: known[name].default for name in BATCH_DEFAULTS} == BATCH_DEFAULTS


# Steps ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=optimizers.__all__)
def test_every_optimizer_in_three_ways(optimizer):
    o = linear_thrice(optimizer=optimizer, learning_rate=0.02)
    assert o.nit == 4 * 5
    assert np.isfinite(flat(o.x)).all() and np.abs(flat(o.x)).max() > 1e-4
    assert (o.history.learning_rate == 0.02).all()


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_optimizers_are_those_of_fits(optimizer):
    like_fit(optimizer=optimizer)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_those_of_fits(name):
    o, _ = like_fit(learning_rate=SCHEDULES[name], epochs=6)
    last = o.history.learning_rate
    assert (last > 0).all() and (name == "constant") == (last == last[0]).all()


def test_a_plateau_watches_the_validation_value():
    rng = np.random.default_rng(0)
    held = X, rng.standard_normal(N)  # gets worse from the first epoch on
    o = linear_thrice(learning_rate=schedules.Plateau(0.3, patience=0.0), validation=held, patience=9, epochs=3)
    np.testing.assert_allclose(o.history.learning_rate, [0.3, 0.3, 0.03])
    assert (np.diff(o.history.validation_fun) > 0).any()


@pytest.mark.parametrize("batch_size", [1, 5, N - 1, N, N + 5, None, "full"])
def test_batches_of_any_size(batch_size):
    o, _ = like_fit(batch_size=batch_size, epochs=3, learning_rate=0.02)
    size = N if batch_size in (None, "full") else min(batch_size, N)
    assert (o.nit, o.n_epochs) == (3 * -(-N // size), 3)


@pytest.mark.parametrize("begin", [True, 7, 10_000])
def test_averages(begin):
    o, _ = like_fit(average=begin, penalised=False)
    after = []  # by hand
    x = np.zeros(D + 1)
    for rows in recorded(epochs=4, batch_size=8, random_state=3)[0]:
        x = x - 0.05 * flat(linear_grad({"w": x[:-1], "b": x[-1]}, X[rows], Y[rows]))
        after.append(x)
    mean = np.mean(after[int(begin) - 1 :], axis=0) if begin < 100 else after[-1]
    np.testing.assert_allclose(flat(o.x), mean, rtol=1e-12)


@pytest.mark.parametrize("clip", [1e-3, 1.0, 1e9])
def test_clipping_is_that_of_ten_lines(clip):
    o = linear_thrice(clip_norm=clip, optimizer=optimizers.Momentum(0.8), shuffle=False, learning_rate=0.05)
    x, v, cut = np.zeros(D + 1), np.zeros(D + 1), 0
    for _ in range(4):
        for lo in range(0, N, 8):
            g = flat(linear_grad({"w": x[:-1], "b": x[-1]}, X[lo : lo + 8], Y[lo : lo + 8]))
            norm = np.linalg.norm(g)
            if norm > clip:
                g, cut = g * clip / norm, cut + 1
            v = 0.8 * v - 0.05 * g
            x = x + v
    np.testing.assert_allclose(flat(o.x), x, rtol=1e-10)
    assert cut == {1e-3: 20, 1e9: 0}.get(clip, cut) and (clip != 1.0 or 0 < cut < 20)


def test_differences_stand_for_a_gradient():
    o = fastgd.minimize(linear, X0, data=(X, Y), batch_size=8, epochs=2, random_state=3)
    known = fastgd.minimize(linear, X0, linear_grad, data=(X, Y), batch_size=8, epochs=2, random_state=3)
    np.testing.assert_allclose(flat(o.x), flat(known.x), rtol=1e-8)
    assert "central differences, 8 evaluations of fun a step" in o.message
    # Of a quadratic differences of any step are exact.
    curved = {"data": Y, "batch_size": 8, "epochs": 2, "random_state": 3}
    o = fastgd.minimize(lambda x, y: np.mean(np.exp(x - y) - x), 0.5, **curved)
    known = fastgd.minimize(lambda x, y: np.mean(np.exp(x - y) - x), 0.5, lambda x, y: np.mean(np.exp(x - y)) - 1,
                            **curved)  # fmt: skip
    assert o.x == pytest.approx(known.x, rel=1e-8) and abs(o.x - 0.5) > 0.1


@pytest.mark.parametrize("name", ["grad", "jac"])
def test_a_function_of_both(name):
    def both(p, X, y):
        return linear(p, X, y), linear_grad(p, X, y)

    options = {"data": (X, Y), "batch_size": 8, "epochs": 2, "random_state": 3}
    o = fastgd.minimize(both, X0, **{name: True}, **options)
    known = fastgd.minimize(linear, X0, linear_grad, **options)
    assert (flat(o.x) == flat(known.x)).all() and (o.history.fun == known.history.fun).all()


# Orders of rows -------------------------------------------------------------------------------------------------------


def recorded(data=None, **options):
    """The rows of each step, and the result, of a run whose rows are numbered."""
    rows, numbers = [], np.arange(float(N))

    def fun(x, numbers):
        return 0.5 * x * x

    def grad(x, numbers):
        rows.append(numbers.astype(int))
        return x

    o = fastgd.minimize(fun, 1.0, grad, data=numbers if data is None else data, check_gradient=False, **options)
    return rows[: o.nit], o  # what follows is the gradient at the end


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_an_epoch_has_each_row_once_and_a_smaller_last_batch(shuffle):
    rows, o = recorded(shuffle=shuffle, batch_size=8, epochs=6, random_state=1)
    assert [len(one) for one in rows[:5]] == ([8] * 5 if shuffle == "replacement" else [8, 8, 8, 8, 5])
    epochs = [np.concatenate(rows[k : k + 5]) for k in range(0, 30, 5)]
    assert o.nit == 30
    if shuffle == "replacement":
        drawn = np.bincount(np.concatenate(epochs), minlength=N)
        assert drawn.sum() == 240 and len(np.unique(epochs[0])) < N
        # The chance of a Poisson number of mean 6.5 above 20 is 1e-5.
        assert drawn.max() <= 20
        return
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(N))
    assert len({tuple(epoch) for epoch in epochs}) == (6 if shuffle else 1)


def test_block_shuffles_keep_32_rows_together_and_true_is_block():
    numbers = np.arange(1024.0)
    rows, _ = recorded(numbers, shuffle="block", batch_size=128, epochs=1, random_state=1)
    again, _ = recorded(numbers, shuffle=True, batch_size=128, epochs=1, random_state=1)
    np.testing.assert_array_equal(rows, again)
    assert [len(np.unique(batch // 32)) for batch in rows] == [4] * 8
    assert any((np.diff(np.unique(batch // 32)) > 1).any() for batch in rows)


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_shuffles_are_those_of_fits(shuffle):
    like_fit(shuffle=shuffle, batch_size=5)


def test_seeds():
    def order(seed):
        return np.concatenate(recorded(shuffle="full", batch_size=8, epochs=2, random_state=seed)[0]).tolist()

    assert order(1) == order(1) == order(np.int64(1)) != order(2)
    assert order(np.random.default_rng(4)) == order(np.random.default_rng(4))
    assert order(None) != order(None)


# Penalties and bounds -------------------------------------------------------------------------------------------------

SHIFTED = X + np.array([3.0, -0.2, 0.0])
NETS = [(0.3, 0.0), (0.3, 1.0), (0.3, 0.4)]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(("alpha", "l1_ratio"), NETS)
def test_penalties_are_those_of_fits(alpha, l1_ratio, optimizer):
    like_fit(alpha=alpha, l1_ratio=l1_ratio, optimizer=optimizer)


def test_factors_and_bounds_are_those_of_fits():
    like_fit(alpha=0.3, l1_ratio=0.5, penalty_factor={"w": np.array([0.0, 1.0, 3.0])})
    bounds = {"w": np.array([0.1, -1.0, -0.2]), "b": -np.inf}, {"w": np.array([0.5, 0.0, 0.2]), "b": np.inf}
    like_fit(bounds=bounds, epochs=20)
    like_fit(bounds=bounds, alpha=0.1, penalty_factor={"w": np.array([0.0, 1.0, 3.0])}, epochs=20)


def mean_of(**options):
    """The end of a long full-batch run of the quadratic, whose optimum without a penalty is the rows' mean."""
    options = {"learning_rate": 0.5, "epochs": 300, **options}
    return fastgd.minimize(quadratic, np.zeros(D), quadratic_grad, data=SHIFTED, **options)


MEAN = SHIFTED.mean(axis=0)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
@pytest.mark.parametrize(("alpha", "l1_ratio"), NETS)
def test_optima_with_penalties_in_closed_form(alpha, l1_ratio, optimizer):
    rate = schedules.Cosine(0.3 if optimizer in ("adam", "rmsprop") else 0.5)
    o = mean_of(alpha=alpha, l1_ratio=l1_ratio, optimizer=optimizer, learning_rate=rate)
    l1, l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)
    expected = np.sign(MEAN) * np.maximum(np.abs(MEAN) - l1, 0) / (1 + l2)
    np.testing.assert_allclose(o.x, expected, atol=1e-5)
    assert ((o.x == 0) == (expected == 0)).all()
    cost = l1 * np.abs(o.x).sum() + l2 / 2 * (o.x**2).sum()
    assert o.fun == pytest.approx(quadratic(o.x, SHIFTED) + cost, rel=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
def test_optima_within_bounds(optimizer):
    low, high = np.array([0.0, -0.1, -np.inf]), [1.0, 5.0, -0.5]
    o = mean_of(bounds=(low, high), optimizer=optimizer, learning_rate=0.1)
    np.testing.assert_allclose(o.x, np.clip(MEAN, low, high), atol=1e-6)
    again = mean_of(bounds=optimize.Bounds(low, high), optimizer=optimizer, learning_rate=0.1)
    np.testing.assert_array_equal(o.x, again.x)


def test_bounds_of_least_squares_are_scipys():
    A = np.column_stack([X, np.ones(N)])
    expected = optimize.lsq_linear(A, Y, (-0.6, 0.8)).x
    o = fastgd.minimize(linear, X0, linear_grad, data=(X, Y), bounds=(-0.6, 0.8), epochs=400, learning_rate=0.3)
    np.testing.assert_allclose(flat(o.x), expected, atol=1e-6)
    first = fastgd.minimize(linear, {"w": np.full(D, 9.0), "b": 0.0}, linear_grad, data=(X, Y), bounds=(-0.6, 0.8),
                            max_iter=1)  # fmt: skip
    assert (np.abs(flat(first.x)) <= 0.8).all()


def test_decay_is_apart_from_the_penalty():
    o = mean_of(optimizer=optimizers.Sgdw(weight_decay=0.5), learning_rate=0.2)
    # x = x - rate * decay * x - rate * (x - mean), at rest
    np.testing.assert_allclose(o.x, MEAN / 1.5, rtol=1e-9)


def test_a_start_outside_the_bounds_is_moved_to_them():
    o = fastgd.minimize(quadratic, MEAN, quadratic_grad, data=SHIFTED, bounds=(1.0, 2.0), epochs=300)
    assert o.status in ("max_epochs", "converged")
    np.testing.assert_allclose(o.x, [2.0, 1.0, 1.0], rtol=1e-9)
    o = fastgd.minimize(quadratic, MEAN, quadratic_grad, data=X, bounds=(1.0, 2.0), epochs=0)
    np.testing.assert_array_equal(o.x, np.clip(MEAN, 1.0, 2.0))
