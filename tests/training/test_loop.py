"""Models in step: each ends, begins anew or is interrupted as it would alone, and takes only itself along."""

import numpy as np
import pytest
from conftest import diverges, plan_of

import fastgd
from fastgd import schedules
from fastgd.training.loop import Group, train, train_together

RNG = np.random.default_rng(2)
N = 40
X = RNG.standard_normal((N, 3)) + np.array([0.0, 1.0, -1.0])
Y = 1 + X @ [1.0, -2.0, 0.5] + 0.3 * RNG.standard_normal(N)
RATES = [0.001, 0.01, 0.05]


def bits(r):
    """What a run gave back."""
    return r.coef.tobytes(), r.history.loss.tobytes(), r.status, r.message, r.n_steps


def interrupt_after(calls):
    """A callback that raises Ctrl-C once, on its so-manieth call, and notes what it is told."""
    told = []

    def callback(progress):
        told.append((progress.run, progress.epoch))
        if len(told) == calls:
            raise KeyboardInterrupt

    callback.told = told
    return callback


# Runs that end one by one -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, None])
def test_a_run_that_has_ended_costs_no_more_work(batch):
    """The lanes that the kernels are handed are those of the runs that are left."""
    seen = []

    def callback(progress):
        seen.append(progress.run)
        return progress.epoch == 2 * (progress.run + 1)

    s = fastgd.sweep(X, Y, learning_rate=RATES, epochs=8, batch_size=batch, random_state=0, callback=callback)
    assert [r.n_epochs for r in s.results] == [2, 4, 6]
    assert seen == [0, 1, 2] * 2 + [1, 2] * 2 + [2] * 2
    whole = fastgd.sweep(X, Y, learning_rate=RATES, epochs=8, batch_size=batch, random_state=0)
    for k, (r, longer) in enumerate(zip(s.results, whole.results, strict=True)):
        np.testing.assert_array_equal(r.history.loss, longer.history.loss[: 2 * (k + 1)])


def test_a_tolerance_ends_each_run_at_its_own_epoch():
    lists = {"learning_rate": [0.02, 0.1, 0.3], "optimizer": ["momentum"]}
    s = fastgd.sweep(X, Y, **lists, tol=1e-5, epochs=3000)
    one = [
        fastgd.fit(X, Y, learning_rate=rate, optimizer="momentum", tol=1e-5, epochs=3000) for rate in (0.02, 0.1, 0.3)
    ]
    assert [r.n_epochs for r in s.results] == [r.n_epochs for r in one]
    assert s.status == ["converged"] * 3
    assert len({r.n_epochs for r in one}) > 1


def test_a_plateau_is_each_runs_own():
    rate = schedules.Plateau([0.3, 0.2, 0.01], patience=0.0, threshold=0.2)
    s = fastgd.sweep(X, Y, learning_rate=rate, epochs=12, batch_size=8, random_state=0)
    for k, initial in enumerate((0.3, 0.2, 0.01)):
        schedule = schedules.Plateau(initial, patience=0.0, threshold=0.2)
        one = fastgd.fit(X, Y, learning_rate=schedule, epochs=12, batch_size=8, random_state=0)
        np.testing.assert_allclose(s.results[k].history.learning_rate, one.history.learning_rate, rtol=1e-12)
    assert len({r.history.learning_rate[-1] / r.history.learning_rate[0] for r in s.results}) > 1


# Runs that begin anew -----------------------------------------------------------------------------------------------


def jagged(n=60):
    """Poisson targets whose automatic rate proves too large, for it knows the curvature where the run starts only."""
    rng = np.random.default_rng(0)
    X = 2.0 * rng.standard_normal((n, 3))
    return X, np.round(np.exp(X @ [1.0, -1.0, 0.5]))


@pytest.mark.parametrize("batch", [None, 6])
def test_a_run_that_begins_anew_does_so_as_it_would_alone(batch):
    X, y = jagged()
    options = {"loss": "poisson", "optimizer": "sgd", "batch_size": batch, "epochs": 8, "random_state": 0}
    lists = {"alpha": [0.0, 5.0, 500.0]}
    s = fastgd.sweep(X, y, **lists, **options)
    one = [fastgd.fit(X, y, alpha=alpha, **options) for alpha in lists["alpha"]]
    for r, alone in zip(s.results, one, strict=True):
        assert r.choices == alone.choices
        assert (r.status, r.n_steps, r.message) == (alone.status, alone.n_steps, alone.message)
        np.testing.assert_allclose(r.coef, alone.coef, rtol=1e-6, atol=1e-10)
    assert any("restarted with" in r.choices["learning_rate"] for r in s.results)


def test_targets_begin_anew_together():
    X, y = jagged()
    both = np.column_stack([y, np.ones(len(y))])
    r = fastgd.fit(X, both, loss="poisson", optimizer="sgd", epochs=8)
    assert r.history.loss[-1] < r.history.loss[0]
    assert np.isfinite(r.coef).all()


@pytest.mark.parametrize("batch", [None, 5])
def test_folds_begin_anew_by_themselves(batch):
    X, y = jagged()
    options = {"loss": "poisson", "optimizer": "sgd", "batch_size": batch, "epochs": 5, "random_state": 0}
    s = fastgd.sweep(X, y, cv=4, **options)
    assert np.isfinite(s.scores.losses).all()
    assert all(r.status != "diverged" for r in s.results[0])


@diverges
def test_there_is_an_end_to_beginning_anew(monkeypatch):
    X, y = jagged()
    monkeypatch.setattr("fastgd.training.backoff.MOST", 0)
    assert fastgd.fit(X, y, loss="poisson", optimizer="sgd", epochs=8).status == "diverged"


# Ctrl-C -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [7, None])
def test_ctrl_c_ends_all_runs_where_they_stand(batch):
    callback = interrupt_after(5)
    options = {"epochs": 6, "batch_size": batch, "random_state": 0}
    s = fastgd.sweep(X, Y, learning_rate=RATES, callback=callback, **options)
    assert callback.told == [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2)]
    assert s.status == ["interrupted"] * 3
    assert all(r.message.startswith("Interrupted: Ctrl-C after ") for r in s.results)
    short = fastgd.sweep(X, Y, learning_rate=RATES, **{**options, "epochs": 2})
    for r, done in zip(s.results, short.results, strict=True):
        assert r.n_epochs == 2
        np.testing.assert_allclose(r.coef, done.coef, rtol=1e-12)
    r = fastgd.fit(X, Y, learning_rate=RATES[1], resume=s.results[1], **options)
    np.testing.assert_allclose(r.coef, fastgd.fit(X, Y, learning_rate=RATES[1], **options).coef, rtol=1e-11)


def test_ctrl_c_ends_groups_that_have_not_begun():
    options = {"learning_rate": [0.01, 0.02], "batch_size": [10, None, 5], "epochs": 4, "random_state": 0}
    s = fastgd.sweep(X, Y, callback=interrupt_after(11), **options)
    # The first group is through (8 calls), the second in its second epoch, the third has not begun.
    assert [r.n_epochs for r in s.results] == [4, 2, 0] * 2
    assert s.status == ["max_epochs", "interrupted", "interrupted"] * 2
    assert all(np.isfinite(r.coef).all() for r in s.results)


@pytest.mark.parametrize("calls", [1, 6, 7])
def test_ctrl_c_between_halvings(calls):
    options = {"learning_rate": [*RATES, 0.1], "batch_size": [None, 10], "epochs": 6, "random_state": 0}
    s = fastgd.sweep(X, Y, keep=[1], callback=interrupt_after(calls), **options)
    assert len(s.results) == 8
    assert set(s.status) == {"interrupted"}
    assert all(np.isfinite(r.coef).all() for r in s.results)


def test_ctrl_c_while_the_worse_half_is_sought(monkeypatch):
    from fastgd.training.monitor import Monitor

    def interrupted(*_):
        raise KeyboardInterrupt

    options = {"learning_rate": RATES, "epochs": 6, "random_state": 0}
    with monkeypatch.context() as patched:
        patched.setattr(Monitor, "selection_loss", interrupted)
        s = fastgd.sweep(X, Y, keep=[2], **options)
    assert s.status == ["interrupted"] * 3
    assert [r.n_epochs for r in s.results] == [2] * 3


def test_ctrl_c_in_a_bootstrap():
    options = {"bootstrap": 4, "learning_rate": 0.05, "random_state": 0}
    r = fastgd.fit(X, Y, epochs=6, callback=interrupt_after(3), **options)
    assert (r.status, r.n_epochs) == ("interrupted", 3)
    assert r.replicates.coef.shape == (4, 3)
    short = fastgd.fit(X, Y, epochs=3, **options)
    np.testing.assert_allclose(r.replicates.coef, short.replicates.coef, rtol=1e-10)


def test_what_a_callback_raises_passes_through():
    def failing(progress):
        raise RuntimeError("no room left")

    with pytest.raises(RuntimeError, match="no room left"):
        fastgd.sweep(X, Y, learning_rate=RATES, callback=failing)


# Halving ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_half_of_the_runs_rounded_up_go_on(count):
    rates = np.geomspace(1e-3, 0.1, count)
    s = fastgd.sweep(X, Y, learning_rate=rates, epochs=5, keep=[2], random_state=0)
    kept = (count + 1) // 2
    assert [r.n_epochs for r in s.results] == [2] * (count - kept) + [5] * kept


def test_runs_that_have_ended_are_not_counted():
    def callback(progress):
        return progress.run == 3  # the best, which ends by itself

    s = fastgd.sweep(X, Y, learning_rate=[*RATES, 0.1], epochs=5, keep=[2], callback=callback)
    assert [r.n_epochs for r in s.results] == [2, 5, 5, 1]


def test_dropped_runs_go_on_when_they_are_resumed():
    s = fastgd.sweep(X, Y, learning_rate=RATES, epochs=5, keep=[1], random_state=0)
    assert "after epoch 1 its loss was among the worse half" in s.results[0].message
    r = fastgd.fit(X, Y, learning_rate=RATES[0], epochs=5, random_state=0, resume=s.results[0])
    np.testing.assert_allclose(r.coef, fastgd.fit(X, Y, learning_rate=RATES[0], epochs=5).coef, rtol=1e-11)


def test_epochs_beyond_the_run_drop_nothing():
    s = fastgd.sweep(X, Y, learning_rate=RATES, epochs=3, keep=[3, 10])
    assert s.status == ["max_epochs"] * 3
    assert fastgd.sweep(X, Y, learning_rate=RATES, epochs=1, keep="halving").status == ["max_epochs"] * 3
    s = fastgd.sweep(X, Y, learning_rate=RATES, epochs=9, keep=[2], max_steps=6, batch_size=14, random_state=0)
    assert s.status == ["max_epochs"] * 3
    assert all("All max_steps=6 steps are done" in r.message for r in s.results)


# Targets of very different sizes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [None, 8])
def test_no_target_ends_before_the_others_are_done(batch):
    """One that is exact at once does not end those that are not, nor does a large one's loss hide a small one's."""
    Y = np.column_stack([np.zeros(N), 1e-6 * (X @ [1.0, 2.0, 3.0]), 1e6 * (X[:, 0] + RNG.standard_normal(N))])
    r = fastgd.fit(X, Y, batch_size=batch, random_state=0)
    assert r.status in ("converged", "max_epochs")
    np.testing.assert_allclose(r.coef[0], 0, atol=1e-12)
    np.testing.assert_allclose(r.coef[1], [1e-6, 2e-6, 3e-6], rtol=1e-2)


# The plan's own way -------------------------------------------------------------------------------------------------


def test_train_is_one_group_to_its_end():
    plan = plan_of(X, Y, learning_rate=0.05, epochs=4, batch_size=8, random_state=0)
    (outcome,) = train(plan)
    ((other,),) = train_together([plan_of(X, Y, learning_rate=0.05, epochs=4, batch_size=8, random_state=0)])
    np.testing.assert_array_equal(outcome.weights, other.weights)
    r = fastgd.fit(X, Y, learning_rate=0.05, epochs=4, batch_size=8, random_state=0)
    np.testing.assert_array_equal(outcome.weights[0, :3], r.coef)
    assert (outcome.status, outcome.backoffs) == ("max_epochs", 0)


def test_a_group_stops_where_it_is_told_and_goes_on():
    group = Group(plan_of(X, Y, learning_rate=0.05, epochs=5, batch_size=8, random_state=0))
    assert group.run(2) is False
    assert not group.outcomes
    assert len(group.standings()) == 1
    group.run(None)
    assert group.outcomes[0].clock.epoch == 5
    assert group.standings() == []


def test_what_looks_at_every_epoch():
    def watched(**options):
        (loop,) = Group(plan_of(X, Y, **{"learning_rate": 0.1, "epochs": 3, **options})).loops
        return loop.solver.watched

    assert not watched()
    looking = [
        {"callback": print},
        {"tol": 1e-3},
        {"validation": 0.25},
        {"evaluate": True},
        {"learning_rate": "plateau"},
    ]
    assert all(watched(**options) for options in looking)
