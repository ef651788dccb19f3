"""Schedules: pure functions of the step, against closed forms, PyTorch and scikit-learn, and followed by the fits."""

import json
import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from sklearn.linear_model import SGDRegressor

import fastgd
from fastgd.inputs import arguments
from fastgd.inputs.grid import expand
from fastgd.parts import schedules
from fastgd.parts.registry import snake_case
from fastgd.parts.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    OneCycle,
    Optimal,
    Plateau,
    Polynomial,
    Step,
    Warmup,
    horizon,
    in_steps,
    watched,
)

every_schedule = pytest.mark.parametrize("name", schedules.__all__)
T = np.arange(1.0, 5001.0)


def usual(name):
    """A class's defaults; Optimal has none for its alpha, and starts from 0.1 with this one."""
    return Optimal(1e4) if name == "Optimal" else getattr(schedules, name)()


# What holds for all -------------------------------------------------------------------------------------------------

rates, factors = st.floats(1e-6, 1e3), st.floats(0.01, 1.0)
periods, rests = st.floats(0.05, 300.0), st.just(0.0) | st.floats(0.05, 300.0)
ALONE = {
    "Constant": st.builds(Constant, rates),
    "InverseScaling": st.builds(InverseScaling, rates, st.floats(0, 2), st.floats(0.1, 1e4)),
    "Optimal": st.builds(Optimal, st.just(0.0) | st.floats(1e-8, 1e4)),
    "Step": st.builds(Step, rates, factors, periods),
    "Exponential": st.builds(Exponential, rates, factors, periods),
    "Polynomial": st.builds(Polynomial, rates, st.just(0.0) | rates, st.floats(0.1, 5), rests),
    "Cosine": st.builds(Cosine, rates, st.just(0.0) | rates, rests, st.just(1.0) | st.floats(1, 1000)),
    "OneCycle": st.builds(OneCycle, rates, st.floats(1, 1e3), st.floats(1, 1e6), st.floats(0.01, 0.99), rests),
    "Plateau": st.builds(Plateau, rates),
}
ANY = ALONE | {"Warmup": st.builds(Warmup, st.one_of(*ALONE.values()), periods, st.floats(0, 1))}
anything = st.one_of(*ANY.values())
runs = st.tuples(st.integers(1, 500), st.integers(1, 200))  # steps an epoch, epochs


def some_steps(total):
    """The steps around each power of 1.5 up to ``total``, and the last ones."""
    t = np.unique(np.floor(1.5 ** np.arange(0, 30)))
    return np.unique(np.clip(np.concatenate([t, t + 1, total - t]), 1, total))


def test_the_strategies_cover_every_schedule():
    assert set(ANY) == set(schedules.__all__)


@every_schedule
def test_rates_are_positive_finite_and_the_same_one_by_one(name):
    schedule = in_steps(usual(name), steps_per_epoch=5, epochs=1000)
    found = schedule.rate(T)
    assert found.shape == T.shape
    assert np.all((found > 0) & np.isfinite(found))
    np.testing.assert_allclose([schedule.rate(t) for t in T.tolist()], found, rtol=1e-14)


@given(anything, runs)
def test_rates_of_a_whole_run(schedule, run):
    schedule = in_steps(schedule, *run, alpha=0.01)
    assert not horizon(schedule)
    t = some_steps(run[0] * run[1])
    found = schedule.rate(t)
    floor = np.finfo(float).tiny  # what callers floor a rate at: 0.01 ** 1000 is zero
    assert np.all(np.isfinite(found) & (np.maximum(found, floor) > 0) & (found >= 0))
    if not isinstance(getattr(schedule, "then", schedule), (Step, Exponential, Polynomial)):
        assert found.min() > 0
    one_by_one = [float(schedule.rate(float(step))) for step in t]
    np.testing.assert_allclose(one_by_one, found, rtol=1e-14, atol=floor)
    np.testing.assert_array_equal(schedule.rate(t.astype(np.int64)), found)


@given(
    st.one_of(*(ANY[name] for name in ("Constant", "Step", "Exponential", "Polynomial", "Cosine"))),
    runs,
    st.floats(0, 1),
)
def test_steps_are_epochs_in_other_units(schedule, run, where):
    """The others count whole steps."""
    per_epoch, epochs = run
    passed = where * epochs
    if isinstance(schedule, (Step, Cosine, Polynomial)):
        schedule = schedule._replace(growth=1.0) if isinstance(schedule, Cosine) else schedule
        share = passed / (schedule.period or epochs)
        assume(abs(share - round(share)) > 1e-6)  # a jump, or the infinite slope of a root
    in_epochs = in_steps(schedule, 1, epochs).rate(passed + 1.0)
    found = in_steps(schedule, per_epoch, epochs).rate(per_epoch * passed + 1.0)
    assert found == pytest.approx(
        in_epochs, rel=1e-6, abs=1e-9 * max(schedule.initial, getattr(schedule, "final", 0.0))
    )


@given(st.sampled_from([Step, Exponential, Polynomial, OneCycle, InverseScaling, Optimal]), st.data(), runs)
def test_rates_fall(kind, data, run):
    schedule = data.draw(ANY[kind.__name__])
    assume(getattr(schedule, "final", 0.0) <= schedule[0])
    schedule = in_steps(schedule, *run, alpha=0.1)
    found = schedule.rate(some_steps(10 * run[0] * run[1]))
    if kind is OneCycle:  # once it has risen, which this file looks at against PyTorch
        found = found[np.argmax(found) :]
    assert np.all(np.diff(found) <= 1e-12 * found[:-1])


@every_schedule
def test_the_first_rate(name):
    kind = getattr(schedules, name)
    schedule = in_steps(usual(name) if name in ("Optimal", "Warmup") else kind(0.7), 10, 20)
    first = {"Optimal": 0.1, "OneCycle": 0.7 / 25, "Warmup": 0.01 / 10}.get(name, 0.7)
    assert schedule.rate(1.0) == pytest.approx(first)


# Durations ----------------------------------------------------------------------------------------------------------


def test_durations_become_steps():
    assert in_steps(Step(0.1, 0.5, 3.0), 7, 100) == Step(0.1, 0.5, 21.0)
    assert in_steps(Cosine(0.1), 7, 100) == Cosine(0.1, period=700.0)
    assert in_steps(Constant(0.1), 7, 100) == Constant(0.1)
    assert in_steps(Polynomial(0.1), 7, 5 / 7) == Polynomial(0.1, period=5.0)
    assert in_steps(Plateau(0.1, cooldown=3.0), 7, 100) == Plateau(0.1, cooldown=3.0)  # the driver counts epochs
    warm = in_steps(Warmup(Cosine(0.1), period=20.0), 7, 100)
    assert (warm.period, warm.then.period) == (140.0, 560.0)
    assert in_steps(Warmup(Step(0.1, period=4.0), period=20.0), 7, 100).then.period == 28.0
    assert type(warm) is Warmup
    assert type(warm.then) is Cosine


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_a_run_that_ends_in_its_warm_up_has_rates(epochs):
    for then in map(usual, schedules.__all__[:-1]):
        schedule = in_steps(Warmup(then, period=3.0), 2, epochs)
        found = schedule.rate(np.arange(1.0, 7.0))
        np.testing.assert_allclose(found, schedule.then.rate(1.0) * np.arange(1, 7) / 6, rtol=1e-14)


def test_horizon():
    for schedule in (Polynomial(), Cosine(), OneCycle(), Warmup(Cosine())):
        assert horizon(schedule)
        assert not horizon(in_steps(schedule, 3, 4))
    for schedule in (Constant(), Step(), Exponential(), Plateau(), Cosine(period=3.0), Warmup(), Warmup(Plateau())):
        assert not horizon(schedule)


@pytest.mark.parametrize("kind", [Polynomial, Cosine, OneCycle])
def test_the_rest_of_an_unknown_run_is_an_error(kind):
    with pytest.raises(ValueError, match=r"period=0\.0 .*in_steps"):
        kind().rate(T)


@pytest.mark.parametrize("period", [0.07, 0.29, 1 / 3])
def test_rounding_moves_no_jump(period):
    """0.07 epochs of 100 steps are 7.000000000000001 steps in floating point."""
    steps = round(period * 300)
    k = np.arange(5 * steps)
    np.testing.assert_allclose(in_steps(Step(1.0, 0.5, period), 300, 9).rate(k + 1.0), 0.5 ** (k // steps), rtol=1e-12)
    starts = in_steps(Cosine(1.0, period=period), 300, 9).rate(k + 1.0)[::steps]
    np.testing.assert_allclose(starts, 1.0, rtol=1e-12)


# Each one -----------------------------------------------------------------------------------------------------------


def test_values():
    np.testing.assert_array_equal(Constant(0.3).rate(T), 0.3)
    np.testing.assert_allclose(InverseScaling(0.5, 0.5).rate(np.array([1, 4, 100])), [0.5, 0.25, 0.05], rtol=1e-15)
    np.testing.assert_allclose(Exponential(0.3, 0.9, 7.0).rate(T), 0.3 * np.exp(np.log(0.9) / 7 * (T - 1)), rtol=1e-10)


@pytest.mark.parametrize("schedule", [Optimal(30.0), Optimal(1e4), InverseScaling(0.2, 0.4)], ids=str)
def test_against_scikit_learn(schedule):
    """From the weights of one column of ones: each step takes the rate's share of what is left to the target."""
    name = "optimal" if isinstance(schedule, Optimal) else "invscaling"
    alpha = schedule.alpha if isinstance(schedule, Optimal) else 1.0
    options = {} if isinstance(schedule, Optimal) else {"eta0": schedule.initial, "power_t": schedule.power}
    model = SGDRegressor(penalty=None, alpha=alpha, learning_rate=name, fit_intercept=False, **options)
    left = [1.0]
    for _ in range(30):
        left.append(1.0 - model.partial_fit([[1.0]], [1.0]).coef_[0])
    shares = 1.0 - np.array(left[1:]) / left[:-1]
    np.testing.assert_allclose(shares, schedule.rate(np.arange(1, 31)), rtol=1e-9)


@pytest.mark.parametrize("alpha", [1e-8, 1e-4, 1.0, 100.0])
def test_optimal_is_the_formula_of_scikit_learn(alpha):
    typical = np.sqrt(1.0 / np.sqrt(alpha))
    np.testing.assert_allclose(Optimal(alpha).rate(T), 1.0 / (alpha * (1.0 / (typical * alpha) + T - 1.0)), rtol=1e-13)


def test_optimal_takes_the_alpha_of_the_fit_unless_it_has_one():
    assert in_steps(Optimal(), 3, 4, alpha=0.2) == Optimal(0.2)
    assert in_steps(Optimal(0.5), 3, 4, alpha=0.2) == Optimal(0.5)
    assert in_steps(Warmup(Optimal()), 3, 4, alpha=0.2).then == Optimal(0.2)
    for schedule in (Optimal(), Warmup(Optimal())):
        with pytest.raises(ValueError, match=r"learning_rate: .*Optimal\(alpha=1e-4\)"):
            in_steps(schedule, 3, 4)
    with pytest.raises(ValueError, match="learning_rate: the schedule Optimal"):
        Optimal().rate(T)


def test_polynomial_stays_at_its_end():
    schedule = Polynomial(0.5, 0.1, 2.0, 10.0)
    assert schedule.rate(10.0) == pytest.approx(0.1 + 0.4 * 0.1**2)
    np.testing.assert_array_equal(schedule.rate(np.arange(11.0, 20.0)), 0.1)


def test_the_last_step_of_a_long_cosine_keeps_its_digits():
    assert Cosine(1.0, period=1e9).rate(1e9) == pytest.approx((0.5e-9 * np.pi) ** 2, rel=1e-3, abs=0)


@pytest.mark.parametrize("growth", [1.0, 2.0, 3.0])
def test_cycles_of_many_steps_begin_neither_early_nor_late(growth):
    schedule, ends = Cosine(1.0, 0.5, 1e9, growth), 1e9 * np.cumsum(growth ** np.arange(6))
    np.testing.assert_allclose(schedule.rate(ends), 0.5, rtol=1e-12)
    np.testing.assert_allclose(schedule.rate(ends + 1.0), 1.0, rtol=1e-12)
    drops = Step(1.0, 0.5, 1e9).rate(np.array([1e9, 1e9 + 1, 7e9, 7e9 + 1]))
    np.testing.assert_array_equal(drops, [1.0, 0.5, 0.5**6, 0.5**7])


@given(rates, st.integers(1, 300), st.integers(0, 5))
def test_cosine_restarts_are_periodic(initial, period, cycle):
    schedule = Cosine(initial, 0.1 * initial, float(period))
    t = np.arange(1.0, period + 1)
    np.testing.assert_allclose(schedule.rate(t + cycle * period), schedule.rate(t), rtol=1e-9)


@given(st.floats(1.0, 10.0), st.integers(1, 50), st.integers(0, 6))
@example(1.0 + 2.0**-52, 7, 6)
@example(1000.0, 1, 3)
def test_cycles_grow(growth, period, cycle):
    """Each cycle is the first one, stretched."""
    schedule, stretch = Cosine(1.0, 0.25, float(period), growth), growth**cycle
    begins = sum(growth**c for c in range(cycle)) * period
    share = np.linspace(0.0, 0.999, 30)
    found = schedule.rate(begins + share * stretch * period + 1.0)
    np.testing.assert_allclose(found, 0.625 + 0.375 * np.cos(np.pi * share), rtol=1e-6)


@given(st.one_of(*ALONE.values()), st.integers(1, 300), st.floats(0, 1), runs)
def test_a_warm_up_rises_to_what_follows(then, period, start, run):
    schedule = in_steps(Warmup(then, float(period), start), *run, alpha=0.1)
    then, steps, first = schedule.then, schedule.period, schedule.then.rate(1.0)
    share = np.linspace(0.0, 1.0, 9)[1:]
    np.testing.assert_allclose(schedule.rate(share * steps), first * (start + (1 - start) * share), rtol=1e-9)
    # Continuous: the rise ends on the first rate of what follows, from which that goes on.
    np.testing.assert_allclose(schedule.rate(steps * np.array([1 - 1e-12, 1.0])), first, rtol=1e-9)
    np.testing.assert_array_equal(schedule.rate(steps + np.arange(1.0, 50.0)), then.rate(np.arange(1.0, 50.0)))


def test_a_warm_up_of_half_a_step_does_not_reach_before_what_follows():
    """floor((0.5 - 1) / period) would be a period before the first."""
    schedule = Warmup(Step(1.0, 0.1, 4.0), period=2.5)
    np.testing.assert_allclose(schedule.rate(np.arange(1.0, 9.0)), [0.4, 0.8, 1, 1, 1, 1, 1, 0.1], rtol=1e-12)


# PyTorch ------------------------------------------------------------------------------------------------------------


def of_torch(make, steps, initial=0.3):
    """The rates of a scheduler of PyTorch, which ``make(optimizer, torch.optim.lr_scheduler)`` returns."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=initial)
    scheduler, found = make(optimizer, torch.optim.lr_scheduler), []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return found


TORCH = {
    "step": (Step(0.3, 0.4, 5.0), 40, lambda o, s: s.StepLR(o, 5, 0.4)),
    "exponential": (Exponential(0.3, 0.9), 40, lambda o, s: s.ExponentialLR(o, 0.9)),
    "linear": (Polynomial(0.3, period=30.0), 40, lambda o, s: s.PolynomialLR(o, 30)),
    "cubic": (Polynomial(0.3, 0.0, 3.0, 30.0), 40, lambda o, s: s.PolynomialLR(o, 30, 3.0)),
    "cosine": (Cosine(0.3, 0.01, 37.0), 37, lambda o, s: s.CosineAnnealingLR(o, 37, 0.01)),
    "restarts": (Cosine(0.3, 0.01, 9.0), 50, lambda o, s: s.CosineAnnealingWarmRestarts(o, 9, 1, 0.01)),
    "restarts that grow": (
        Cosine(0.3, 0.01, 5.0, 2.0),
        200,
        lambda o, s: s.CosineAnnealingWarmRestarts(o, 5, 2, 0.01),
    ),
    "restarts that triple": (Cosine(0.3, 0.0, 1.0, 3.0), 400, lambda o, s: s.CosineAnnealingWarmRestarts(o, 1, 3)),
    "one cycle": (OneCycle(0.3, period=50.0), 50, lambda o, s: s.OneCycleLR(o, 0.3, 50)),
    "another cycle": (
        OneCycle(0.3, 5.0, 30.0, 0.45, 33.0),
        33,
        lambda o, s: s.OneCycleLR(o, 0.3, 33, pct_start=0.45, div_factor=5.0, final_div_factor=30.0),
    ),
    "a cycle without a rise": (
        OneCycle(0.3, share=0.1, period=4.0),
        4,
        lambda o, s: s.OneCycleLR(o, 0.3, 4, pct_start=0.1),
    ),
    "a cycle of one step": (OneCycle(0.3, period=1.0), 1, lambda o, s: s.OneCycleLR(o, 0.3, 1)),
    # PyTorch's rise begins with k = 0, from a share that may not be 0: ours from 0 is one step on.
    "warm-up": (Warmup(Constant(0.3), 8.0), 30, lambda o, s: s.LinearLR(o, 1 / 8, 1.0, 7)),
    "warm-up before a cosine": (
        Warmup(Cosine(0.3, period=20.0), 8.0),
        28,
        lambda o, s: s.SequentialLR(o, [s.LinearLR(o, 1 / 8, 1.0, 7), s.CosineAnnealingLR(o, 20)], [8]),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", TORCH)
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_against_pytorch(case):
    schedule, steps, make = TORCH[case]
    np.testing.assert_allclose(schedule.rate(np.arange(1.0, steps + 1)), of_torch(make, steps), rtol=1e-9, atol=1e-15)


def lowered(plateau, losses, memory=None):
    """The multipliers after each loss, and the memory at the end."""
    memory, found = plateau.memory if memory is None else memory, []
    for loss in losses:
        multiplier, memory = plateau.after_epoch(loss, memory)
        found.append(multiplier)
    return found, memory


plateaus = st.builds(
    Plateau,
    initial=rates,
    factor=st.floats(0.1, 0.9),
    patience=st.integers(0, 4).map(float),
    threshold=st.sampled_from([0.0, 1e-4, 0.1]),
    cooldown=st.integers(0, 3).map(float),
    least=st.sampled_from([0.0, 1e-3, 1.0]),
)
epoch_losses = st.lists(st.integers(0, 12).map(lambda k: 0.99**k) | st.floats(0, 2), max_size=40)


@pytest.mark.slow
@given(plateaus, epoch_losses)
def test_plateau_against_pytorch(plateau, losses):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=plateau.initial)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        factor=plateau.factor,
        patience=plateau.patience,
        threshold=plateau.threshold,
        cooldown=plateau.cooldown,
        min_lr=plateau.least,
        eps=0.0,
    )
    expected = []
    for loss in losses:
        scheduler.step(loss)
        expected.append(optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(plateau.initial * np.array(lowered(plateau, losses)[0]), expected, rtol=1e-12)


@given(plateaus, epoch_losses, st.integers(0, 40))
def test_plateau_resumes_from_its_memory(plateau, losses, cut):
    whole, memory = lowered(plateau, losses)
    before, saved = lowered(plateau, losses[:cut])
    assert all(type(number) is float for number in saved)
    after, end = lowered(plateau, losses[cut:], tuple(json.loads(json.dumps(saved))))
    assert before + after == whole
    assert end == memory


def test_plateau_counts_a_loss_below_zero_that_falls_and_no_nan():
    plateau = Plateau(0.1, patience=1.0, threshold=0.1)
    assert lowered(plateau, [-1.0, -1.2, -1.5, -2.0])[0] == [1.0] * 4
    assert lowered(plateau, [-1.0, -1.05, -1.05])[0] == [1.0, 1.0, 0.1]
    assert lowered(plateau, [1.0, math.nan, math.nan])[0] == [1.0, 1.0, 0.1]
    assert type(plateau.after_epoch(np.float64(1.0), plateau.memory)[1][1]) is float


def test_plateau_never_raises_a_rate_to_its_least():
    assert lowered(Plateau(0.1, patience=0.0, least=0.5), [1.0] * 5)[0] == [1.0] * 5
    assert lowered(Plateau(0.4, factor=0.5, patience=0.0, least=0.15), [1.0] * 5)[0] == pytest.approx(
        [1.0, 0.5, 0.375, 0.375, 0.375]
    )


def test_who_watches():
    assert watched(Plateau(0.3)) == Plateau(0.3)
    assert watched(Warmup(Plateau(0.3), 2.0)) == Plateau(0.3)
    assert watched(Warmup()) is None
    assert watched(Cosine()) is None


# The door -----------------------------------------------------------------------------------------------------------


@every_schedule
def test_names_and_fields(name):
    kind = getattr(schedules, name)
    assert arguments.schedule("learning_rate", snake_case(name)) == kind()
    given = kind(*(np.float32(value) if isinstance(value, float) else value for value in kind()))
    found = arguments.schedule("learning_rate", given)
    assert type(found) is kind
    assert {type(value) for value in found} <= {float, Constant}


@pytest.mark.parametrize("then", [0.3, "cosine", Step(1), Plateau(), np.float32(0.25)])
def test_what_follows_a_warm_up(then):
    found = arguments.schedule("learning_rate", Warmup(then, 2))
    assert type(found) is Warmup
    assert found.period == 2.0
    assert found.then == arguments.schedule("learning_rate", then)
    assert type(found.then) is type(arguments.schedule("learning_rate", then))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (Step(0.0), ValueError, r"learning_rate\.initial=0 must be greater than 0"),
        (Step(period=0), ValueError, r"learning_rate\.period=0 must be greater than 0"),
        (Step(factor=-0.5), ValueError, r"learning_rate\.factor=-0\.5 must be greater than 0"),
        (Exponential(period="x"), TypeError, r"learning_rate\.period='x' must be a number"),
        (Exponential(factor=0), ValueError, r"learning_rate\.factor"),
        (Polynomial(final=-1), ValueError, r"learning_rate\.final=-1 must be at least 0"),
        (Polynomial(power=0), ValueError, r"learning_rate\.power"),
        (Cosine(growth=0.5), ValueError, r"learning_rate\.growth=0\.5 must be in \[1, 1000\]"),
        (Cosine(period=-1), ValueError, r"learning_rate\.period=-1 must be at least 0"),
        (Cosine(period=math.inf), ValueError, r"learning_rate\.period=inf must be .*finite"),
        (OneCycle(0.0), ValueError, r"learning_rate\.peak=0 must be greater than 0"),
        (OneCycle(start=0.5), ValueError, r"learning_rate\.start=0\.5 must be at least 1"),
        (OneCycle(end=0), ValueError, r"learning_rate\.end=0 must be at least 1"),
        (OneCycle(share=1.0), ValueError, r"learning_rate\.share=1 must be .*less than 1"),
        (Plateau(factor=1.0), ValueError, r"learning_rate\.factor=1 must be .*less than 1"),
        (Plateau(threshold=1.0), ValueError, r"learning_rate\.threshold=1 must be"),
        (Plateau(patience=-1), ValueError, r"learning_rate\.patience=-1 must be at least 0"),
        (Optimal(-1.0), ValueError, r"learning_rate\.alpha=-1 must be at least 0"),
        (Warmup(period=0), ValueError, r"learning_rate\.period=0 must be greater than 0"),
        (Warmup(start=1.5), ValueError, r"learning_rate\.start=1\.5 must be in \[0, 1\]"),
        (Warmup(0.0), ValueError, r"learning_rate\.then=0 must be greater than 0"),
        (Warmup("cosin"), ValueError, r"learning_rate\.then='cosin' is not known\. Did you mean 'cosine'"),
        (Warmup(None), TypeError, r"learning_rate\.then=None must be a number"),
        (Warmup(Step), TypeError, r"learning_rate\.then=.* Call it: Step\(\)"),
        (Warmup(Step(period=-2)), ValueError, r"learning_rate\.then\.period=-2 must be"),
        (Warmup(Warmup()), ValueError, r"learning_rate\.then is a second warm-up"),
        (Warmup("warmup"), ValueError, r"learning_rate\.then is a second warm-up"),
        (Warmup, TypeError, r"Call it: Warmup\(\)"),
        ("one-cycle", ValueError, "Did you mean 'one_cycle'"),
    ],
)
def test_bad_fields_are_named(given, error, words):
    for call in (
        lambda: arguments.schedule("learning_rate", given),
        lambda: fastgd.minimize(lambda x: x * x, 1.0, learning_rate=given),
        lambda: fastgd.fit(np.eye(3), np.ones(3), learning_rate=given),
    ):
        with pytest.raises(error, match=words):
            call()


def test_a_schedule_after_a_warm_up_is_one_value_of_a_grid_and_a_list_of_them_an_axis():
    assert len(expand({"learning_rate": Warmup(Cosine(0.1))}).points) == 1
    grid = expand({"learning_rate": Warmup([0.1, Cosine(0.2)], period=[1.0, 2.0])})
    assert [point["learning_rate"] for point in grid.points] == [
        Warmup(then, period) for then in (0.1, Cosine(0.2)) for period in (1.0, 2.0)
    ]
    assert list(grid.settings) == ["learning_rate.then", "learning_rate.period"]


# The runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", schedules.__all__)
def test_the_fit_follows_the_schedule(name, plain):
    r = fastgd.fit(plain.X, plain.y, learning_rate=usual(name), batch_size=16, epochs=4, tol=None)
    expected = in_steps(usual(name), steps_per_epoch=5, epochs=4).rate(np.array([5.0, 10.0, 15.0, 20.0]))
    np.testing.assert_allclose(r.history.learning_rate, expected, rtol=1e-14)


@pytest.mark.parametrize("name", [name for name in schedules.__all__ if name != "Plateau"])
def test_minimize_follows_the_schedule(name):
    """With the gradient 1 the moves are the rates."""
    options = {"max_iter": 30, "learning_rate": usual(name)}
    o = fastgd.minimize(lambda x: x, 0.0, lambda x: 1.0, **options)
    expected = np.maximum(in_steps(usual(name), 1, 30).rate(np.arange(1.0, 31.0)), np.finfo(float).tiny)
    assert o.nit == 30
    np.testing.assert_allclose(-np.diff(o.history.x), expected, rtol=1e-9, atol=1e-15)
    assert np.all(expected > 0)
    s = fastgd.minimize_sweep(lambda x: x, 0.0, lambda x: 1.0, **options)
    np.testing.assert_array_equal(s.results[0].history.x, o.history.x)
    np.testing.assert_allclose(fastgd.reference.minimize(lambda x: x, 0.0, lambda x: 1.0, **options).x, o.x, rtol=1e-12)


@pytest.mark.parametrize("name", [snake_case(name) for name in schedules.__all__])
def test_minimize_by_name(name):
    def run(steps):
        return fastgd.minimize(lambda x: x * x, 1.0, lambda x: 2 * x, learning_rate=name, max_iter=steps)

    if name in ("plateau", "optimal"):
        words = {
            "plateau": r"learning_rate=Plateau\(.* watches epochs, .*pass data=",
            "optimal": "learning_rate: .*alpha",
        }
        with pytest.raises(ValueError, match=words[name]):
            run(10)
        return
    assert run(0).nit == 0
    assert run(1).fun < 1.0
    assert run(50).fun < 1.0


def test_minimize_has_no_epochs_to_watch_after_a_warm_up():
    with pytest.raises(ValueError, match=r"learning_rate=Warmup.* watches epochs, .*pass data="):
        fastgd.minimize(lambda x: x * x, 1.0, learning_rate=Warmup("plateau"))


@pytest.mark.jit
def test_compiled_runs_follow_their_schedules():
    import numba

    fun, grad = numba.njit(lambda x: 1.0 * x), numba.njit(lambda x: 1.0)
    given = [Constant(0.1), Warmup("cosine", 10.0), "one_cycle", Step(0.1, 0.5, 7.0)]
    s = fastgd.minimize_sweep(fun, 0.0, grad, learning_rate=given, max_iter=2500)
    for schedule, run in zip(given, s.results, strict=True):
        rates = in_steps(arguments.schedule("learning_rate", schedule), 1, 2500).rate(np.arange(1.0, 2501.0))
        np.testing.assert_allclose(run.history.x[1:], -np.cumsum(rates), rtol=1e-9)
