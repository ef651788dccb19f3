"""Laws that hold for any numbers: of losses, penalties, scaling, row orders, threads, settings and small fits."""

import numpy as np
import pytest
from conftest import ELEMENTWISE, PROBLEMS
from hypothesis import given
from hypothesis import strategies as st

import fastgd
from fastgd import losses
from fastgd.inputs.grid import expand
from fastgd.inputs.scaling import Scaling
from fastgd.kernels.threads import run_tasks
from fastgd.parts import schedules
from fastgd.parts.penalties import ElasticNet
from fastgd.parts.registry import snake_case, unknown
from fastgd.solvers import textbook

number = st.floats(-20, 20)
positive = st.floats(1e-3, 1e3)
CLASSES = [name for name in ELEMENTWISE if getattr(losses, name).labels]
COUNTS = [name for name in ELEMENTWISE if getattr(losses, name).domain]
SHIFTS = [name for name in ELEMENTWISE if getattr(losses, name).residual_only]
X, Y = PROBLEMS["plain"].X, PROBLEMS["plain"].y

# Losses -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSES)
@given(p=number)
def test_classes_mirror_each_other(name, p):
    loss = getattr(losses, name)()
    assert loss.value(p, 1.0) == pytest.approx(loss.value(-p, 0.0), rel=1e-12, abs=1e-15)
    assert loss.slope(p, 1.0) == pytest.approx(-loss.slope(-p, 0.0), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", SHIFTS)
@given(p=number, y=number, shift=st.integers(-100, 100))
def test_losses_that_shift_go_by_the_residual_alone(name, p, y, shift):
    loss = getattr(losses, name)()
    assert loss.value(p + shift, y + shift) == pytest.approx(loss.value(p, y), rel=1e-9, abs=1e-9)


@given(p=number, y=number, q=st.floats(0.01, 0.99))
def test_quantiles_mirror_each_other(p, y, q):
    assert losses.Quantile(q).value(p, y) == pytest.approx(losses.Quantile(1 - q).value(-p, -y), rel=1e-12)


@given(p=number, y=number, delta=st.floats(0.01, 10))
def test_huber_lies_between_its_two_ends(p, y, delta):
    value = losses.Huber(delta).value(p, y)
    assert value <= 0.5 * (p - y) ** 2 * (1 + 1e-12)
    assert value <= delta * abs(p - y) * (1 + 1e-12)
    assert abs(losses.Huber(delta).slope(p, y)) <= delta


@given(p=number, y=number, epsilon=st.floats(0, 5))
def test_insensitive_losses_are_zero_within_epsilon(p, y, epsilon):
    inside = abs(p - y) <= epsilon
    assert (losses.EpsilonInsensitive(epsilon).value(p, y) == 0) == inside
    assert losses.SquaredEpsilonInsensitive(epsilon).value(p, y) == pytest.approx(
        losses.EpsilonInsensitive(epsilon).value(p, y) ** 2
    )


@pytest.mark.parametrize("name", COUNTS)
@given(y=positive)
def test_a_deviance_is_zero_at_the_mean_alone(name, y):
    loss = getattr(losses, name)()
    assert loss.value(np.log(y), y) == pytest.approx(0, abs=1e-9 * (1 + y))
    assert loss.value(np.log(y) + 0.1, y) > 0
    assert loss.value(np.log(y) - 0.1, y) > 0


@given(p=st.floats(-3, 3), y=positive, size=st.floats(0.1, 10), power=st.floats(1.05, 1.95))
def test_tweedie_deviances_scale_with_their_units(p, y, size, power):
    loss = losses.Tweedie(power)
    scaled = loss.value(p + np.log(size), size * y)
    assert scaled == pytest.approx(size ** (2 - power) * loss.value(p, y), rel=1e-6, abs=1e-9 * (1 + y))


# Penalties and scaling ----------------------------------------------------------------------------------------------


@given(l1=st.floats(0, 5), l2=st.floats(0, 5), z=number, further=st.floats(0, 5), step=positive)
def test_prox_keeps_the_order_of_points(l1, l2, z, further, step):
    penalty = ElasticNet(l1, l2)
    assert penalty.prox(z, step, -1.0, 2.0) <= penalty.prox(z + further, step, -1.0, 2.0)


@given(l1=st.floats(0, 5), l2=st.floats(0, 5), z=number, step=positive)
def test_prox_shrinks_and_keeps_the_sign(l1, l2, z, step):
    w = ElasticNet(l1, l2).prox(z, step, -np.inf, np.inf)
    assert abs(w) <= abs(z)
    assert w * z >= 0


@given(l1=st.floats(0, 5), l2=st.floats(0, 5), w=number)
def test_a_penalty_is_even_and_grows(l1, l2, w):
    penalty = ElasticNet(l1, l2)
    assert penalty.cost(w) == penalty.cost(-w) >= 0
    assert penalty.cost(2 * w) >= penalty.cost(w)


@given(mean=st.lists(number, min_size=3, max_size=3), size=st.lists(positive, min_size=3, max_size=3))
def test_scaled_coefficients_come_back(mean, size):
    scaling = Scaling.standard(np.array(mean), np.array(size) ** 2, np.dtype(float), centre=True, intercept=True)
    coef = np.array([1.0, -2.0, 3.0])
    weights = np.append(scaling.to_scaled(coef), 0.5)[None]
    back, intercept = scaling.to_user(weights)
    np.testing.assert_allclose(back[0], coef, rtol=1e-12)
    assert intercept[0] == pytest.approx(0.5 - coef @ mean, rel=1e-9, abs=1e-9)


# Orders, threads, names, grids --------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**62),
    epoch=st.integers(0, 10**6),
    n=st.integers(1, 400),
    shuffle=st.sampled_from(["block", "full"]),
)
def test_an_epoch_visits_every_row_once(seed, epoch, n, shuffle):
    assert sorted(textbook.row_order(shuffle, seed, epoch, n, 1)) == list(range(n))


@given(tasks=st.integers(1, 40), threads=st.integers(1, 6))
def test_every_task_is_run_once(tasks, threads):
    done = []
    run_tasks(done.append, tasks, threads)
    assert sorted(done) == list(range(tasks))


@given(name=st.sampled_from(ELEMENTWISE), at=st.integers(0, 30))
def test_a_slip_of_the_pen_is_understood(name, at):
    right = snake_case(name)
    wrong = right[: at % len(right)] + right[at % len(right) + 1 :]
    names = [snake_case(name) for name in ELEMENTWISE]
    if wrong not in names and len(right) > 5:
        assert "Did you mean" in str(unknown("loss", wrong, names))


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_a_grid_has_the_product_of_its_axes(sizes):
    axes = {f"axis{k}": list(range(size)) for k, size in enumerate(sizes)}
    grid = expand(axes)
    assert len(grid.points) == np.prod(sizes)
    assert len({tuple(point.values()) for point in grid.points}) == len(grid.points)


@given(first=st.integers(0, 10**6), count=st.integers(1, 50), factor=st.floats(1e-30, 10), power=st.floats(0, 3))
def test_rates_do_not_depend_on_where_they_are_cut(first, count, factor, power):
    schedule = schedules.InverseScaling(0.1, power)
    whole = schedules.rates(schedule, first, count, factor)
    parts = [schedules.rates(schedule, first + k, 1, factor)[0] for k in range(count)]
    np.testing.assert_array_equal(whole, parts)
    assert (whole > 0).all()


# Fits ---------------------------------------------------------------------------------------------------------------

FULL = {"learning_rate": 0.1, "epochs": 5}


@given(seed=st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter_to_the_full_batch(seed):
    rows = np.random.default_rng(seed).permutation(len(X))
    np.testing.assert_allclose(fastgd.fit(X[rows], Y[rows], **FULL).coef, fastgd.fit(X, Y, **FULL).coef, rtol=1e-11)


@given(times=st.integers(2, 5))
def test_repeating_all_rows_changes_nothing(times):
    r = fastgd.fit(np.tile(X, (times, 1)), np.tile(Y, times), **FULL)
    np.testing.assert_allclose(r.coef, fastgd.fit(X, Y, **FULL).coef, rtol=1e-11)


@given(cuts=st.sets(st.integers(1, 4), max_size=4), seed=st.integers(0, 2**62))
def test_chunks_of_whole_batches_are_one_table(cuts, seed):
    options = {"learning_rate": 0.05, "batch_size": 16, "random_state": seed}
    r = None
    for rows in np.split(np.arange(len(X)), [16 * cut for cut in sorted(cuts)]):
        r = fastgd.partial_fit(X[rows], Y[rows], r, **options)
    np.testing.assert_array_equal(r.coef, fastgd.fit(X, Y, shuffle=False, epochs=1, **options).coef)


@given(rows=st.lists(st.integers(0, 79), min_size=1, max_size=10))
def test_a_prediction_is_that_of_its_row_alone(rows):
    r = fastgd.fit(X, Y, **FULL)
    np.testing.assert_allclose(r.predict(X[rows]), X[rows] @ r.coef + r.intercept, rtol=1e-13)
    np.testing.assert_allclose(r.predict(X[rows]), r.predict(X)[rows], rtol=1e-13)


@given(epochs=st.integers(0, 5), average=st.sampled_from([False, True, 3]), seed=st.integers(0, 2**62))
def test_a_saved_model_is_the_same_model(tmp_path_factory, epochs, average, seed):
    path = tmp_path_factory.getbasetemp() / "property.npz"
    r = fastgd.fit(X, Y, batch_size=16, learning_rate=0.05, epochs=epochs, average=average, random_state=seed)
    r.save(path)
    s = fastgd.load(path)
    np.testing.assert_array_equal(s.predict(X), r.predict(X))
    assert (s.status, s.message, s.n_steps) == (r.status, r.message, r.n_steps)
