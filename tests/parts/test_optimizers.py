"""Optimizers: each against its paper and its peers, step by step, and all of them against optima found by others."""

from typing import NamedTuple

import numba
import numpy as np
import pytest
from conftest import PROBLEMS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import Bounds, minimize
from sklearn.linear_model import ElasticNet

import fastgd
from fastgd import reference
from fastgd.parts import optimizers, schedules
from fastgd.parts.optimizers import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    Adamw,
    Amsgrad,
    Lion,
    Momentum,
    Nadam,
    Nesterov,
    Radam,
    Rmsprop,
    Sgd,
    Sgdw,
)
from fastgd.parts.registry import snake_case

OPTIMIZERS = [snake_case(name) for name in optimizers.__all__]


# The papers' formulas, in the papers' order: the weights after each step; ``steps`` are (t, gradient, rate) -----------


def sgd(w, steps, factor):
    for _, g, rate in steps:
        w = w - factor * rate * g
        yield w


def sgdw(w, steps, weight_decay):
    for _, g, rate in steps:
        w = (1 - rate * weight_decay) * w - rate * g
        yield w


def momentum(w, steps, beta):
    v = 0.0
    for _, g, rate in steps:
        v = beta * v - rate * g
        w = w + v
        yield w


def nesterov(w, steps, beta):
    v = 0.0
    for _, g, rate in steps:
        v = beta * v - rate * g
        w = w + beta * v - rate * g
        yield w


def adagrad(w, steps, epsilon):
    s = 0.0
    for _, g, rate in steps:
        s = s + g**2
        w = w - rate * g / (np.sqrt(s) + epsilon)
        yield w


def rmsprop(w, steps, decay, epsilon, momentum, centred):
    v = m = move = 0.0
    for _, g, rate in steps:
        v = decay * v + (1 - decay) * g**2
        m = decay * m + (1 - decay) * g
        move = momentum * move - rate * g / (np.sqrt(v - centred * m**2) + epsilon)
        w = w + move
        yield w


def adadelta(w, steps, rho, epsilon):
    v = u = 0.0
    for _, g, rate in steps:
        v = rho * v + (1 - rho) * g**2
        delta = np.sqrt(u + epsilon) / np.sqrt(v + epsilon) * g
        u = rho * u + (1 - rho) * delta**2
        w = w - rate * delta
        yield w


def adam(w, steps, beta1, beta2, epsilon, weight_decay=0.0):
    m = v = 0.0
    for t, g, rate in steps:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        w = w - rate * ((m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon) + weight_decay * w)
        yield w


def amsgrad(w, steps, beta1, beta2, epsilon):
    m = v = largest = 0.0
    for t, g, rate in steps:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        largest = np.maximum(largest, v)
        w = w - rate * (m / (1 - beta1**t)) / (np.sqrt(largest / (1 - beta2**t)) + epsilon)
        yield w


def nadam(w, steps, beta1, beta2, epsilon, momentum_decay):
    m = v = 0.0
    mu = [beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in range(1, len(steps) + 2)]
    for t, g, rate in steps:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        mean = mu[t] * m / (1 - np.prod(mu[: t + 1])) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:t]))
        w = w - rate * mean / (np.sqrt(v / (1 - beta2**t)) + epsilon)
        yield w


def radam(w, steps, beta1, beta2, epsilon):
    m = v = 0.0
    most = 2 / (1 - beta2) - 1
    for t, g, rate in steps:
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        length = most - 2 * t * beta2**t / (1 - beta2**t)
        move = m / (1 - beta1**t)
        if length > 5:
            r = np.sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
            move = move * r * np.sqrt(1 - beta2**t) / (np.sqrt(v) + epsilon)
        w = w - rate * move
        yield w


def adamax(w, steps, beta1, beta2, epsilon):
    m = u = 0.0
    for t, g, rate in steps:
        m = beta1 * m + (1 - beta1) * g
        u = np.maximum(beta2 * u, np.abs(g) + epsilon)
        w = w - rate / (1 - beta1**t) * m / u
        yield w


def lion(w, steps, beta1, beta2, weight_decay):
    m = 0.0
    for _, g, rate in steps:
        w = w - rate * (np.sign(beta1 * m + (1 - beta1) * g) + weight_decay * w)
        m = beta2 * m + (1 - beta2) * g
        yield w


def fading(initial=0.1, period=700.0):
    """Rates that fall by the factor e every period: moves that do not shrink with the gradient need it."""
    return schedules.Exponential(initial, factor=float(np.exp(-1)), period=period)


class Case(NamedTuple):
    """An optimizer, its paper's formula, the same at its peers (name and options) and rates that reach an optimum."""

    optimizer: tuple
    textbook: object
    torch: tuple | None = None
    optax: tuple | None = None
    schedule: tuple | None = fading()  # None: such settings are left out where an optimum is to be reached


DECAYS = {"b1": 0.8, "b2": 0.95}
BETAS = {"betas": (0.8, 0.95)}
CASES = [
    Case(Sgd(), sgd, ("SGD", {}), ("sgd", {})),
    Case(Sgd(2.0), sgd, schedule=None),
    Case(Sgdw(), sgdw, ("SGD", {"weight_decay": 0.01}), schedule=None),
    Case(Sgdw(0.0), sgdw),
    Case(Momentum(), momentum, ("SGD", {"momentum": 0.9}), ("sgd", {"momentum": 0.9})),
    Case(Momentum(0.5), momentum, schedule=None),
    Case(Momentum(0.0), momentum, schedule=None),
    Case(Nesterov(), nesterov, ("SGD", {"momentum": 0.9, "nesterov": True})),
    Case(Nesterov(0.5), nesterov, optax=("sgd", {"momentum": 0.5, "nesterov": True}), schedule=None),
    Case(Nesterov(0.0), nesterov, schedule=None),
    Case(Adagrad(), adagrad, ("Adagrad", {}), schedule=schedules.Constant(0.1)),
    Case(Adagrad(1e-14), adagrad, optax=("adagrad", {"initial_accumulator_value": 0.0, "eps": 0.0}), schedule=None),
    Case(Adagrad(0.1), adagrad, ("Adagrad", {"eps": 0.1}), schedule=None),
    Case(Rmsprop(), rmsprop, ("RMSprop", {"alpha": 0.9}), ("rmsprop", {"eps_in_sqrt": False})),
    Case(
        Rmsprop(0.8, 0.1, 0.5, 1.0),
        rmsprop,
        ("RMSprop", {"alpha": 0.8, "eps": 0.1, "momentum": 0.5, "centered": True}),
        ("rmsprop", {"decay": 0.8, "eps": 0.1, "momentum": 0.5, "centered": True, "eps_in_sqrt": False}),
        schedule=None,
    ),
    Case(Rmsprop(centred=1.0), rmsprop),
    Case(Rmsprop(0.95, 1e-2, 0.9, 0.5), rmsprop),
    Case(Adadelta(), adadelta, ("Adadelta", {}), ("adadelta", {}), schedule=None),
    Case(Adadelta(0.8, 1e-4), adadelta, ("Adadelta", {"rho": 0.8, "eps": 1e-4}), schedule=schedules.Constant(1.0)),
    Case(Adam(), adam, ("Adam", {}), ("adam", {})),
    Case(Adam(0.8, 0.95, 1e-2), adam, ("Adam", {**BETAS, "eps": 1e-2}), ("adam", {**DECAYS, "eps": 1e-2}), None),
    Case(Adam(0.0, 0.0), adam, schedule=None),
    Case(Adamw(), adam, ("AdamW", {}), ("adamw", {"weight_decay": 0.01}), schedule=None),
    Case(Adamw(0.8, 0.95, 1e-2, 0.5), adam, ("AdamW", {**BETAS, "eps": 1e-2, "weight_decay": 0.5}), schedule=None),
    Case(Adamw(weight_decay=0.0), adam),
    Case(Amsgrad(), amsgrad, ("Adam", {"amsgrad": True})),
    Case(Amsgrad(0.8, 0.95, 1e-2), amsgrad, ("Adam", {**BETAS, "eps": 1e-2, "amsgrad": True}), schedule=None),
    Case(Nadam(), nadam, ("NAdam", {})),
    Case(Nadam(0.8, 0.95, 1e-2, 0.5), nadam, ("NAdam", {**BETAS, "eps": 1e-2, "momentum_decay": 0.5}), schedule=None),
    Case(Nadam(momentum_decay=1e6), nadam, optax=("nadam", {}), schedule=None),
    Case(Nadam(0.0, 0.0), nadam, schedule=None),
    Case(Radam(), radam, ("RAdam", {})),
    Case(Radam(0.8, 0.95, 1e-2), radam, ("RAdam", {**BETAS, "eps": 1e-2}), schedule=None),
    Case(Radam(epsilon=1e-14), radam, optax=("radam", {"eps": 1e-14}), schedule=None),
    Case(Radam(beta2=0.6), radam, schedule=None),  # never rectified: the longest mean is 4 steps long
    Case(Adamax(), adamax, ("Adamax", {}), ("adamax", {})),
    Case(Adamax(0.8, 0.95, 1e-2), adamax, ("Adamax", {**BETAS, "eps": 1e-2}), schedule=None),
    Case(Lion(), lion, optax=("lion", {"weight_decay": 0.0})),
    Case(Lion(0.8, 0.95, 0.5), lion, optax=("lion", {**DECAYS, "weight_decay": 0.5}), schedule=None),
    Case(Lion(0.0, 0.0), lion, schedule=None),
]


def cases(argument="case", wanted=lambda case: True):
    """Tests of every case, or of those wanted."""
    chosen = [case for case in CASES if wanted(case)]
    return pytest.mark.parametrize(argument, chosen, ids=["-".join(label(case.optimizer)) for case in chosen])


def label(optimizer):
    """The words of a test's name: the class and the fields that are not the usual ones."""
    usual = type(optimizer)()._asdict()
    return [
        type(optimizer).__name__,
        *(f"{name}={value:g}" for name, value in optimizer._asdict().items() if value != usual[name]),
    ]


def walk(optimizer, w, gradients, rates):
    """The weights after each step and the changes, by the part's own methods, in the type of ``w`` as in kernels."""
    slots, carry, weights, changes = tuple(np.zeros((optimizer.slots, *w.shape), w.dtype)), (1.0, 1.0), [], []
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        c, carry = optimizer.prepare(rate, t, carry)
        c = tuple(w.dtype.type(number) for number in c)
        change, step, slots = optimizer.move(c, w, g, slots)
        assert np.all((step > 0) & (step < np.inf))
        w = optimizers.decayed(optimizer, c, w) + change
        weights.append(w)
        changes.append(change)
    assert (len(carry), len(slots)) == (2, optimizer.slots)
    for array in (w, change, *slots):
        assert (array.shape, array.dtype) == (g.shape, g.dtype)  # a literal in ``move`` would widen float32
        assert np.isfinite(array).all()
    return np.array(weights), np.array(changes)


def path(*arguments):
    """The weights of ``walk``."""
    return walk(*arguments)[0]


START = np.array([0.5, -2.0, 30.0])
GRADIENTS = np.random.default_rng(0).standard_normal((200, 3)) * [1e-3, 1.0, 1e3]
VARYING = 0.1 * np.where(np.arange(200) < 20, np.linspace(0.1, 1, 200), 1 / np.sqrt(np.arange(1, 201)))
VARYING[100:] /= 10


def test_the_table_has_every_optimizer():
    usual = (
        "adadelta, adagrad, adam, adamax, adamw, amsgrad, lion, momentum, nadam, nesterov, radam, rmsprop, sgd, sgdw"
    )
    assert ", ".join(OPTIMIZERS) == usual
    for wanted in (lambda case: True, lambda case: case.schedule):
        assert {type(case.optimizer).__name__ for case in CASES if wanted(case)} == set(optimizers.__all__)


@cases()
def test_each_step_is_the_papers(case):
    steps = [(t, g, rate) for t, (g, rate) in enumerate(zip(GRADIENTS, VARYING, strict=True), start=1)]
    expected = list(case.textbook(START, steps, **case.optimizer._asdict()))
    np.testing.assert_allclose(path(case.optimizer, START, GRADIENTS, VARYING), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
@cases(wanted=lambda case: case.torch)
def test_each_step_is_pytorchs(case):
    torch = pytest.importorskip("torch")
    name, options = case.torch
    w, expected = torch.tensor(START), []
    peer = getattr(torch.optim, name)([w], lr=0.02, **options)
    for g in GRADIENTS:
        w.grad = torch.tensor(g)
        peer.step()
        expected.append(w.numpy().copy())
    np.testing.assert_allclose(path(case.optimizer, START, GRADIENTS, [0.02] * 200), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
@cases(wanted=lambda case: case.optax)
def test_each_step_is_optaxs(case):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    name, options = case.optax
    with jax.enable_x64(True):
        peer = getattr(optax, name)(0.02, **options)
        update = jax.jit(peer.update)
        w, expected = jax.numpy.array(START), []
        state = peer.init(w)
        for g in GRADIENTS:
            change, state = update(jax.numpy.array(g), state, w)
            w = w + change
            expected.append(np.array(w))
    np.testing.assert_allclose(path(case.optimizer, START, GRADIENTS, [0.02] * 200), expected, rtol=1e-9, atol=1e-10)


# What is true of all -------------------------------------------------------------------------------------------------

gradients_of_any_size = arrays(
    float, (12, 4), elements=st.builds(np.ldexp, st.floats(-1, 1, width=32), st.integers(-8, 8))
)
SLOW = 0.1 / np.sqrt(np.arange(1, 13))
BEGIN = np.array([0.3, -1.0, 0.0, 5.0])


@cases()
@settings(max_examples=10)
@given(gradients=gradients_of_any_size, order=st.permutations(range(4)))
def test_weights_move_apart_and_the_same_on_both_sides_of_zero(case, gradients, order):
    weights = path(case.optimizer, BEGIN, gradients, SLOW)
    np.testing.assert_array_equal(path(case.optimizer, BEGIN[order], gradients[:, order], SLOW), weights[:, order])
    np.testing.assert_array_equal(path(case.optimizer, -BEGIN, -gradients, SLOW), -weights)


@cases()
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_a_gradient_weights_decay_or_stay(case, dtype):
    weights = path(case.optimizer, BEGIN.astype(dtype), np.zeros((12, 4), dtype), SLOW)
    kept = np.cumprod(1 - SLOW * getattr(case.optimizer, "weight_decay", 0.0))[:, None]
    rtol = 0 if kept[-1] == 1 else 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(weights, kept * BEGIN.astype(dtype), rtol=rtol)


@cases(wanted=lambda case: case.optimizer.scale_free and case.optimizer != Radam(beta2=0.6))
@settings(max_examples=10)
@given(gradients=gradients_of_any_size, exponent=st.integers(-20, 20))
def test_moves_of_scale_free_optimizers_do_not_grow_with_the_gradient(case, gradients, exponent):
    large, other = case.optimizer, 2.0**exponent
    if case.textbook is adadelta:  # its epsilon is in units of the gradient and of the weights: far below both
        gradients, other = gradients + np.copysign(10.0, gradients), 2.0 ** abs(exponent)
    elif hasattr(large, "epsilon"):
        large = large._replace(epsilon=large.epsilon * other)
    first = 6 if case.textbook is radam else 0  # the moves before the rectified ones do grow
    moves = (
        walk(part, BEGIN, g, SLOW)[1][first:] for part, g in ((large, other * gradients), (case.optimizer, gradients))
    )
    np.testing.assert_allclose(*moves, rtol=1e-4 if case.textbook is adadelta else 1e-12)


@cases()
@settings(max_examples=10)
@given(exponents=st.lists(st.integers(-30, 30), min_size=12, max_size=12), signs=st.integers(0, 2**12 - 1))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_gradients_give_finite_steps(case, dtype, exponents, signs):
    squares = case.textbook not in (sgd, momentum, nesterov, adamax, lion)
    largest = 17 if squares and dtype is np.float32 else 30  # squares above 3e38 are infinite in float32
    sizes = np.array([0.0 if e == 0 else 10.0 ** min(e, largest) for e in exponents])
    gradients = (sizes * [(-1) ** (signs >> k & 1) for k in range(12)])[:, None] * np.ones(4)
    path(case.optimizer, BEGIN.astype(dtype), gradients.astype(dtype), SLOW)  # which asserts it


# The optimum of a penalised problem ----------------------------------------------------------------------------------

PENALTIES = {
    "none": {"bounds": (None, None)},  # compiled as a penalty is, so that no optimizer is compiled twice
    "l2": {"alpha": 0.3},
    "l1": {"alpha": 0.3, "l1_ratio": 1.0},
    "elastic_net": {"alpha": 0.4, "l1_ratio": 0.5},
    "bounds": {"bounds": ([0.0, -np.inf, -0.2], [np.inf, 0.1, 0.2])},
    "l1_and_bounds": {"alpha": 0.2, "l1_ratio": 1.0, "bounds": (None, 0.5)},
}


def outside_optimum(X, y, alpha=0.0, l1_ratio=0.0, bounds=(None, None)):
    """Coefficients and intercept of penalised least squares, by scikit-learn or by L-BFGS-B on w = u - v."""
    n, d = X.shape
    if bounds == (None, None) and alpha > 0:
        model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000).fit(X, y)
        return model.coef_, model.intercept_
    low, high = (
        np.broadcast_to(none if side is None else side, d) for side, none in zip(bounds, (-np.inf, np.inf), strict=True)
    )

    def objective(z):
        w = z[:d] - z[d : 2 * d]
        r = X @ w + z[-1] - y
        g = X.T @ r / n + alpha * (1 - l1_ratio) * w
        value = 0.5 * np.mean(r**2) + alpha * (l1_ratio * z[:-1].sum() + (1 - l1_ratio) / 2 * w @ w)
        return value, np.concatenate([g + alpha * l1_ratio, -g + alpha * l1_ratio, [r.mean()]])

    box = Bounds(
        np.concatenate([np.maximum(low, 0), np.maximum(-high, 0), [-np.inf]]),
        np.concatenate([np.maximum(high, 0), np.maximum(-low, 0), [np.inf]]),
    )
    z = minimize(objective, np.zeros(2 * d + 1), jac=True, bounds=box, options={"ftol": 1e-16, "gtol": 1e-10}).x
    return z[:d] - z[d:-1], z[-1]


def objective(X, y, coef, intercept, alpha=0.0, l1_ratio=0.0, bounds=None):
    """The penalised mean of half the squared residuals."""
    penalty = alpha * (l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * coef @ coef)
    return 0.5 * np.mean((X @ coef + intercept - y) ** 2) + penalty


def reached(optimizer, penalty, schedule, epochs, **options):
    """The coefficients and the intercept of the plain problem."""
    X, y, _ = PROBLEMS["plain"]
    r = fastgd.fit(X, y, optimizer=optimizer, learning_rate=schedule, epochs=epochs, **penalty, **options)
    return r.coef, r.intercept


# Nothing compiled, 10,000 epochs take seconds each; that compiled steps are the reference's, test_reference.py tells.
@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("penalty", PENALTIES)
@cases(wanted=lambda case: case.schedule)
def test_every_optimizer_reaches_the_penalised_optimum(case, penalty):
    X, y, _ = PROBLEMS["plain"]
    epochs = 10_000 if isinstance(case.optimizer, (Rmsprop, Lion)) else 3000  # moves end with the rate or the gradient
    coef, intercept = reached(case.optimizer, PENALTIES[penalty], case.schedule, epochs)
    best, best_intercept = outside_optimum(X, y, **PENALTIES[penalty])
    np.testing.assert_allclose(coef, best, atol=1e-5)
    assert intercept == pytest.approx(best_intercept, abs=1e-5)
    np.testing.assert_array_equal(coef == 0, np.abs(best) < 1e-9)


@pytest.mark.slow
@pytest.mark.jit
@cases(wanted=lambda case: case.schedule)
def test_every_optimizer_comes_near_it_in_mini_batches(case):
    X, y, _ = PROBLEMS["plain"]
    penalty = PENALTIES["elastic_net"]
    rate = fading(case.schedule.initial, 200.0)
    found = reached(case.optimizer, penalty, rate, 2000, batch_size=16, random_state=0)
    assert objective(X, y, *found, **penalty) <= 1.001 * objective(X, y, *outside_optimum(X, y, **penalty), **penalty)


@pytest.mark.jit
@pytest.mark.parametrize("optimizer", [Adamw(beta2=0.99, weight_decay=2.0), Lion(weight_decay=2.0)])
def test_decoupled_decay_without_noise_bounds_the_weights(optimizer):
    """Xie and Li 2024 for AdamW, Chen, Liu, Liang and Liu 2024 for Lion: |w| <= 1/decay; the intercept is free."""
    X, y, _ = PROBLEMS["plain"]
    coef, intercept = reached(optimizer, PENALTIES["none"], fading(), 10_000)
    best, best_intercept = outside_optimum(X, y, bounds=(-0.5, 0.5))
    np.testing.assert_allclose(coef, best, atol=1e-4)
    assert intercept == pytest.approx(best_intercept, abs=1e-4)


@numba.njit
def FUN(x):
    return x[0] * x[0] + x[1] * x[1] + x[0] * x[1]


@numba.njit
def GRAD(x):
    return 2.0 * x + x[::-1]


# To compile less: optimizers of each number of slots, that carry numbers from step to step and that do not. What each
# of them computes in a compiled loop, test_reference.py compares.
@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "radam", "amsgrad"])
def test_compiled_functions_take_the_same_steps(optimizer):
    options = {"optimizer": optimizer, "learning_rate": schedules.InverseScaling(0.3, 0.4), "max_iter": 50}
    ours = fastgd.minimize(FUN, [1.0, -2.0], GRAD, **options)
    expected = reference.minimize(FUN.py_func, [1.0, -2.0], GRAD.py_func, **options)
    np.testing.assert_allclose(ours.history.x, expected.history.x, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_bounds_hold_in_the_users_units_when_columns_are_scaled(optimizer):
    X, y, _ = PROBLEMS["raw"]
    low, high = np.array([0.0, -1e-7, -np.inf, -1e-3]), np.array([1e-2, 1e-7, 10.0, np.inf])
    r = fastgd.fit(X, y, optimizer=optimizer, bounds=(low, high), epochs=200)
    assert np.all((low <= r.coef) & (r.coef <= high))
    assert r.coef[2] == high[2]  # without bounds about 3400


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_start_afresh_in_every_fit(optimizer, plain):
    a, b = (fastgd.fit(plain.X, plain.y, optimizer=optimizer, alpha=0.1, epochs=3) for _ in range(2))
    np.testing.assert_array_equal(a.coef, b.coef)
