"""The run of one model: which rule has the say, what the end of a run means, the best weights, the factor of rates."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import plan_of

from fastgd import losses, schedules
from fastgd.results.state import Clock
from fastgd.solvers.base import Verdict
from fastgd.training import model_run
from fastgd.training.model_run import ModelRun

X = np.arange(12.0)[:, None] % 5
Y = np.array([4.0, -4.0] * 6)  # the loss of zero weights is 8


def run_of(*losses, rule=None, verdict=None, **options):
    """The run of a plan of batches that has taken losses into account."""
    plan = plan_of(X, Y, **{"learning_rate": 0.1, "batch_size": 4, "tol": 0.01, "patience": 2, "epochs": 9, **options})
    if rule is not None:
        object.__setattr__(plan, "rule", lambda model: rule)
    solver = SimpleNamespace(exact=plan.full, margin=0.1, fits_rate=True, judges_tol=False)
    solver.verdict = lambda state, history: verdict
    run = ModelRun(plan, plan.models[0], solver)
    for loss in losses:
        run.note({"loss": [loss]})
    return run


def test_the_verdict_is_that_of_the_rule():
    assert run_of(8.0, 2.0, 1.0, 1.0).verdict(None) is None
    assert run_of(8.0, 2.0, 1.0, 1.0, 1.0).verdict(None).status == "converged"
    assert run_of(8.0, 2.0, 1.0, 1.0, 1.0, tol=None).verdict(None) is None


def test_targets_within_an_epsilon_say_nothing_about_the_size_of_losses():
    for epsilon in (1.0, 10.0):
        loss = losses.EpsilonInsensitive(epsilon)
        assert run_of(8.0, 0.1, 0.1, 0.0999, 0.0998, loss=loss).verdict(None).status == "converged"


def test_the_callers_rule_comes_first_then_the_solver_then_the_others():
    class Mine:
        """Ends the run."""

        factor = 0.25

        def after_epoch(self, record, weights):
            return Verdict("early_stopped", f"loss {record['loss'][0]:g}, {len(weights)} weights")

    solver = Verdict("converged", "as the solver says")
    run = run_of(8.0, 2.0, 1.0, 1.0, 1.0, rule=Mine(), verdict=solver)
    assert run.verdict(None) == solver
    run.apply_rule(np.zeros(2))
    assert run.verdict(None) == Verdict("early_stopped", "loss 1, 2 weights")
    assert run.factor == 0.25
    assert run_of(8.0, 2.0, 1.0, 1.0, 1.0, verdict=solver).verdict(None) == solver


def test_a_users_own_stopping_rule_is_one_class_and_one_line(monkeypatch):
    """``rules_of`` is the one place; here it is given one more rule."""
    import fastgd

    class BelowHalf:
        """The loss is below half of its first."""

        def verdict(self, history):
            below = history.records and history.last("loss") < history.records[0]["loss"][0] / 2
            return Verdict("early_stopped", "Stopped early: half is enough.") if below else None

    usual = model_run.rules_of
    monkeypatch.setattr(model_run, "rules_of", lambda *run: [*usual(*run), BelowHalf()])
    x = np.linspace(-1, 1, 12)
    r = fastgd.fit(x[:, None], 2 * x + 1, optimizer="sgd", learning_rate=0.3, epochs=50)
    assert r.status == "early_stopped"
    assert r.message.startswith("Stopped early: half is enough.")
    losses = r.history.loss
    assert losses[-1] < losses[0] / 2 <= losses[-2]


@pytest.mark.parametrize("batch, epochs", [("full", 12), (4, 50)])
def test_a_rule_sees_nan_where_nothing_was_measured(monkeypatch, batch, epochs):
    """A rule on the gradient ends a full batch, and never one of batches, whose gradient no step computes."""
    import fastgd

    class SmallGradient:
        """The gradient is below a tenth."""

        def verdict(self, history):
            small = history.last("gradient_norm") < 0.1
            return Verdict("early_stopped", "Stopped early: the gradient is small.") if small else None

    monkeypatch.setattr(model_run, "rules_of", lambda *run: [SmallGradient()])
    x = np.linspace(-1, 1, 12)
    r = fastgd.fit(x[:, None], 2 * x + 1, optimizer="sgd", learning_rate=0.3, epochs=50, batch_size=batch)
    w, b, norms = 0.0, 0.0, []  # the same steps by hand
    while not norms or norms[-1] >= 0.1:
        off = w * x + b - (2 * x + 1)
        g = np.mean(off * x), np.mean(off)
        w, b = w - 0.3 * g[0], b - 0.3 * g[1]
        norms.append(np.hypot(*g))
    assert r.n_epochs == (len(norms) if batch == "full" else epochs)


@pytest.mark.parametrize("advice, end", [(None, "enough."), ("Ask for less.", "enough. Ask for less.")])
def test_a_rule_brings_its_own_advice(monkeypatch, advice, end):
    import fastgd

    class Three:
        """Three epochs are done."""

        def verdict(self, history):
            return Verdict("converged", "Converged: three are enough.", advice) if len(history.records) == 3 else None

    monkeypatch.setattr(model_run, "rules_of", lambda *run: [Three()])
    r = fastgd.fit(X, Y, batch_size=4, learning_rate=0.01, epochs=9)
    assert r.message == f"Converged: three are {end}"


def test_a_schedules_factor_and_that_of_the_callers_rule_are_multiplied():
    class Half:
        """Halves the rates."""

        factor = 0.5

        def after_epoch(self, record, weights):
            return None

    plateau = schedules.Plateau(0.1, factor=0.1, patience=0.0)
    run = run_of(8.0, 9.0, rule=Half(), learning_rate=plateau)
    run.apply_rule(np.zeros(2))
    assert run.factor == pytest.approx(0.1 * 0.5)
    assert run_of(8.0, 9.0, learning_rate=plateau).factor == pytest.approx(0.1)


# The end of all that was asked for ----------------------------------------------------------------------------------


def never():
    """An objective that must not be asked for: it costs a pass."""
    raise AssertionError


def test_all_epochs():
    verdict = run_of(8.0, 2.0).at_limit(Clock(epoch=9, steps=27), never)
    assert verdict == Verdict("max_epochs", "All 9 epochs are done.")
    verdict = run_of(8.0, 2.0).at_limit(Clock(epoch=11, steps=33), never)
    assert verdict == Verdict("max_epochs", "The run has 11 epochs behind it, more than epochs=9.")
    verdict = run_of(8.0, 2.0, max_steps=6).at_limit(Clock(epoch=2, steps=6), never)
    assert verdict == Verdict("max_epochs", "All max_steps=6 steps are done (2 whole epochs).")


@pytest.mark.parametrize("objective, status", [(0.5, "max_epochs"), (99.0, "diverged"), (np.nan, "diverged")])
def test_batches_that_ended_above_the_start(objective, status):
    """The start's is 8, with a margin of a tenth: what batches met says no more than that it takes a pass to know."""
    run = run_of(8.0, 9.0)
    assert run.at_limit(Clock(epoch=9, steps=27), lambda: [objective]).status == status


def test_inside_an_epoch_it_takes_a_pass_to_know():
    run = run_of(1.0)
    assert run.at_limit(Clock(epoch=9, steps=27), never).status == "max_epochs"
    assert run.at_limit(Clock(epoch=9, steps=28, row=4), lambda: [99.0]).status == "diverged"


# What the run remembers ---------------------------------------------------------------------------------------------


def past_of(losses, epoch=None, best_epoch=None, best=None, plateau=None, seconds=5.0):
    """A state as a run goes on from it."""
    arrays = {name: np.full((len(losses), 1), np.nan) for name in ("objective", "validation_loss")}
    arrays |= {name: np.full((len(losses), 1), np.nan) for name in ("gradient_norm", "decrement")}
    arrays |= {"loss": np.array(losses)[:, None], "learning_rate": np.full(len(losses), 0.1)}
    arrays |= {"seconds": np.full(len(losses), seconds)}
    records = [{"loss": [loss]} for loss in losses]
    return SimpleNamespace(
        records=records, best_epoch=best_epoch, best=best, plateau=plateau, seconds=seconds, epoch=len(losses),
        history=arrays,
    )  # fmt: skip


@pytest.mark.parametrize("cut", range(5))
def test_a_resumed_run_decides_as_the_unbroken_one(cut):
    """Epoch 5 is the second that lowers nothing, and epoch 3 half way back was as low."""
    losses = [8.0, 2.0, 1.0, 1.0, 1.0]
    run = run_of()
    run.go_on(past_of(losses[:cut]))
    assert run.verdict(None) is None
    for loss in losses[cut:]:
        assert run.verdict(None) is None
        run.note({"loss": [loss]})
    assert run.verdict(None).status == "converged"
    assert run.history_until(5)["loss"].tolist() == [[loss] for loss in losses]
    assert run.history_until(4)["loss"].tolist() == [[loss] for loss in losses[:4]]


def test_a_resumed_run_has_the_best_weights_and_the_time():
    run, best = run_of(), np.array([[1.0, 2.0]])
    began = run.began
    run.go_on(past_of([8.0, 2.0], best_epoch=2, best=best))
    assert run.best == (2, best)
    assert began - run.began == pytest.approx(5.0)


def test_a_plateau_lowers_the_factor():
    """Patience 1: the second epoch in a row that is not lower halves the rate; it goes on so after a break."""
    schedule = schedules.Plateau(0.1, factor=0.5, patience=1.0, threshold=0.0)
    losses = [8.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    run, factors = run_of(learning_rate=schedule, tol=None), []
    for loss in losses:
        run.note({"loss": [loss]})
        factors.append(run.factor)
    assert factors == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
    resumed = run_of(learning_rate=schedule, tol=None)
    resumed.go_on(past_of(losses[:3]))
    assert resumed.factor == 1.0
    resumed.note({"loss": [4.0]})
    assert resumed.factor == 0.5
