"""Columns that wait: each closed form against the steps themselves, what takes all columns, and threads on copies."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from conftest import slow_to_compile
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import fastgd
from fastgd.inputs import arguments
from fastgd.kernels import lazy, multi_gradients
from fastgd.parts import optimizers
from fastgd.parts.penalties import ElasticNet, Free
from fastgd.solvers import sparse_lazy

floats = st.floats
RATES = st.lists(floats(1e-4, 2.0), min_size=1, max_size=20)
WEIGHTS = floats(-3.0, 3.0)


def caught_up(update, penalty, rates, w, s=(), left=1.0, low=-np.inf, high=np.inf):
    """A weight that fell asleep at once, after steps at ``rates``, by the closed form."""
    totals = update.begin()
    w, s = update.stored(totals, 0, w, s, rates[0])
    for rate in rates:
        assert not update.near_overflow(totals)
        totals = update.count_step(totals, rate, left, penalty.pull(rate), penalty.divisor(rate))
    return update.current(totals, penalty, 0, w, s, low, high)


def stepped(optimizer, penalty, rates, w, s, first=2, low=-np.inf, high=np.inf):
    """The same by the optimizer's own steps without a gradient."""
    carry = (rates[0], 1.0)
    for t, rate in enumerate(rates, first):
        c, carry = optimizer.prepare(rate, t, carry)
        change, step, s = optimizer.move(c, w, 0.0, s)
        w = penalty.prox(optimizers.decayed(optimizer, c, w) + change, step, low, high)
    return w, s


# Closed forms -------------------------------------------------------------------------------------------------------


@given(RATES, WEIGHTS, floats(0, 1.0), floats(0, 1.0), floats(-4.0, 0.5), floats(0.5, 4.0))
def test_sgd_within_an_elastic_net_and_bounds(rates, w, l1, l2, low, high):
    w, penalty = min(max(w, low), high), ElasticNet(l1, l2)
    found, _ = caught_up(lazy.ElasticNetShrinkage(np.zeros(1)), penalty, rates, w, low=low, high=high)
    expected, _ = stepped(optimizers.Sgd(), penalty, rates, w, (), low=low, high=high)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(RATES, WEIGHTS, floats(0, 1.0), floats(0, 0.4))
def test_sgd_with_l2_and_decay(rates, w, l2, decay):
    optimizer, penalty = optimizers.Sgdw(decay), ElasticNet(0.0, l2)
    rates = [rates[0]] * len(rates)
    found, _ = caught_up(lazy.Decay(), penalty, rates, w, left=1.0 - min(rates[0] * decay, 1.0))
    expected, _ = stepped(optimizer, penalty, rates, w, ())
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(RATES, WEIGHTS, WEIGHTS, floats(0, 0.99))
def test_momentum(rates, w, before, beta):
    update = lazy.MomentumDrift(np.zeros(1, np.int64), beta, math.log(beta) if beta else -math.inf)
    found, (last,) = caught_up(update, Free(), rates, w, (before,))
    expected, (true_last,) = stepped(optimizers.Momentum(beta), Free(), rates, w, (before,))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert last == pytest.approx(true_last, rel=1e-9, abs=1e-9)


@given(RATES, WEIGHTS, WEIGHTS, WEIGHTS, floats(0, 0.99))
def test_nesterov(rates, w, before, gradient, beta):
    update = lazy.NesterovDrift(np.zeros(1, np.int64), beta, math.log(beta) if beta else -math.inf)
    found, _ = caught_up(update, Free(), rates, w, (before, gradient))
    expected, _ = stepped(optimizers.Nesterov(beta), Free(), rates, w, (before, gradient))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(RATES, WEIGHTS, floats(0.1, 5.0), floats(0, 1.0), st.sampled_from([0.0, 0.5]))
def test_adagrad_within_an_elastic_net(rates, w, total, l1, l2):
    rates = [rates[0]] * len(rates) if l2 else rates
    optimizer, penalty = optimizers.Adagrad(), ElasticNet(l1, l2)
    update = lazy.AdagradShrinkage(np.zeros(1), optimizer.epsilon, l1, l2, rates[0])
    found, _ = caught_up(update, penalty, rates, w, (total,))
    expected, _ = stepped(optimizer, penalty, rates, w, (total,))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


# Fits ---------------------------------------------------------------------------------------------------------------


def rows(n=300, d=30, seed=0):
    """Sparse rows and their targets."""
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n, d), density=0.1, rng=rng, format="csr", data_sampler=rng.standard_normal)
    return X, X @ rng.standard_normal(d) + 0.1 * rng.standard_normal(n)


OPTIONS = {"batch_size": 1, "learning_rate": 0.05, "epochs": 3, "random_state": 0}


def test_large_decays_bring_weights_up_to_date_before_numbers_overflow():
    X, y = rows()
    options = OPTIONS | {"alpha": 50.0, "l1_ratio": 0.01}  # a step leaves a third of a weight: 1e15 after 30 of them
    dense, found = fastgd.fit(X.toarray(), y, **options), fastgd.fit(X, y, **options)
    np.testing.assert_allclose(found.coef, dense.coef, rtol=1e-9, atol=1e-15)


def test_all_columns_at_each_step_are_told_of():
    rng = np.random.default_rng(0)
    X = sparse.random_array((20, 10_000), density=0.001, rng=rng, format="csr")
    y = rng.standard_normal(20)
    options = {"optimizer": "adam", "batch_size": 20, "learning_rate": 0.01, "epochs": 1, "shuffle": "replacement"}
    calls = [
        lambda: fastgd.fit(X, y, **options | {"batch_size": 10}),
        lambda: fastgd.sweep(X, y, **options | {"batch_size": 10}),
        lambda: fastgd.partial_fit(X, y, **{name: options[name] for name in ("optimizer", "learning_rate")}),
    ]
    for call in calls:
        with pytest.warns(UserWarning, match=r"moves all 10000 columns.*lazy=True") as caught:
            call()
        assert [warning.filename for warning in caught] == [__file__]  # the line that called fastgd is blamed
    fastgd.fit(X, y, **options | {"batch_size": 10, "lazy": True})


@pytest.mark.parametrize(
    "given, named", [({"bounds": (0, 1)}, "bounds"), ({"alpha": 0.1, "l1_ratio": 1.0}, "an L1 penalty")]
)
def test_what_excludes_an_average_of_single_steps_is_named(given, named):
    X, y = rows()
    optimizer = optimizers.ClippedSgdw(0.0)
    with pytest.raises(ValueError, match=f"^average with {named} is not for single steps on sparse rows: leave one"):
        fastgd.fit(X, y, average=True, optimizer=optimizer, **OPTIONS, **given)


@pytest.mark.jit
def test_lazy_moves_the_columns_of_the_rows_alone():
    X, y = rows()
    options = OPTIONS | {"optimizer": "adam", "learning_rate": 0.01, "epochs": 30}
    exact, found = fastgd.fit(X, y, **options), fastgd.fit(X, y, lazy=True, **options)
    assert not np.allclose(found.coef, exact.coef, rtol=1e-6)
    assert max(found.loss, exact.loss) < 0.01 * y.var()
    with pytest.raises(ValueError, match="lazy=True is for sparse X"):
        fastgd.fit(X.toarray(), y, lazy=True, **options)


@pytest.mark.jit
@pytest.mark.parametrize("batch", [1, 16])
def test_threads_on_copies_reach_the_loss_of_one(batch):
    X, y = rows(2000, 40)
    options = OPTIONS | {"batch_size": batch, "epochs": 5}
    alone = fastgd.fit(X, y, **options)
    first, again = (fastgd.fit(X, y, parallel="hogwild", n_threads=2, **options) for _ in range(2))
    assert first.objective(X, y) <= 1.05 * alone.objective(X, y)
    np.testing.assert_array_equal(first.coef, again.coef)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parallel": "threads"}, "parallel"),
        ({"batch_size": None}, "batches of sparse rows"),
        ({"alpha": 0.1}, "without a penalty"),
        ({"average": True}, "without a penalty"),
        ({"optimizer": "momentum"}, "sgd or adagrad"),
        ({"bootstrap": 3}, "one model"),
    ],
)
def test_what_threads_on_copies_are_not_for(options, words):
    X, y = rows()
    with pytest.raises(ValueError, match=words):
        fastgd.fit(X, y, **OPTIONS | {"parallel": "hogwild"} | options)
    with pytest.raises(ValueError, match="sparse"):
        fastgd.fit(X.toarray(), y, parallel="hogwild", **OPTIONS)


@slow_to_compile
def test_a_run_on_dense_rows_goes_on_with_sparse_ones():
    X, y = rows(200, 10)
    options = {"optimizer": "nesterov", "learning_rate": 0.02, "batch_size": 1, "standardize": False}
    begun = fastgd.partial_fit(X.toarray()[:100], y[:100], **options)
    found = fastgd.partial_fit(X[100:], y[100:], begun)
    expected = fastgd.partial_fit(X.toarray()[100:], y[100:], begun)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-10)


def test_batches_of_wide_sparse_rows_take_steps_of_their_columns():
    rng = np.random.default_rng(0)
    X = sparse.random_array((40, 12_000), density=0.001, rng=rng, format="csr")
    r = fastgd.fit(X, rng.standard_normal(40), batch_size=8, epochs=2, random_state=0)
    assert r.choices["optimizer"] == "sgd"


class Descent(NamedTuple):
    """A user's SGD, which says what its steps do to a weight without a gradient."""

    size: float = 1.0
    zero_gradient = "sgd"

    def prepare(self, lr, t, carry):
        return (self.size * lr,), carry

    def move(self, c, w, g, s):
        return -c[0] * g, c[0], s


class HeavyBall(NamedTuple):
    beta: float = 0.9
    slots = 1
    zero_gradient = "momentum"
    prepare, move = optimizers.Momentum.prepare, optimizers.Momentum.move


OWN = {
    "sgd": (Descent(), "sgd", {"alpha": 0.01, "l1_ratio": 0.5}, lazy.ElasticNetShrinkage),
    "plain": (Descent(), "sgd", {}, lazy.NoDrift),
    "momentum": (HeavyBall(0.8), optimizers.Momentum(0.8), {}, lazy.MomentumDrift),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_a_users_optimizer_with_the_trait_is_as_lazy(name, monkeypatch):
    own, known, penalty, expected = OWN[name]
    X, y = rows(100)
    updates, update_of = [], sparse_lazy.zero_gradient_update

    def noted(plan):
        updates.append(update_of(plan))
        return updates[-1]

    monkeypatch.setattr(sparse_lazy, "zero_gradient_update", noted)
    options = OPTIONS | penalty | {"epochs": 2}
    found = fastgd.fit(X, y, optimizer=own, **options)
    assert {type(update) for update in updates} == {expected}
    np.testing.assert_array_equal(found.coef, fastgd.fit(X, y, optimizer=known, **options).coef)


def test_lanes_of_a_users_optimizer_are_as_lazy():
    own = type(arguments.part("optimizer", Descent(), optimizers))
    for penalty in (Free, ElasticNet):
        assert multi_gradients.update_of(own, penalty) == multi_gradients.update_of(optimizers.Sgd, penalty) != 0
