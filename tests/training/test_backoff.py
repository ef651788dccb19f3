"""Learning-rate back-off: requests, what a longer run would have made, the limit; and runs with losses by hand."""

import math

import pytest
from scripted_losses import run

import fastgd
from fastgd.training.backoff import Backoff


def test_factors():
    assert [Backoff(count, {0: None}, True).factor for count in range(3)] == [1.0, 0.1, pytest.approx(0.01)]


def test_a_request_inside_a_run_is_one_that_a_longer_run_makes_too():
    backoff = Backoff(2, {0: None, 1: 1}, True)
    backoff.request(0)
    backoff.request(1)
    assert backoff.again == {0: None, 1: 1}


def test_the_first_request_at_an_end_is_remembered():
    """A longer run might not have made it: so many before it are confirmed, whatever follows."""
    backoff = Backoff(2, {0: None, 1: 1}, True)
    backoff.request(0, at_end=True)
    backoff.request(1, at_end=True)
    assert backoff.again == {0: 2, 1: 1}


def test_confirmed_counts():
    backoff = Backoff(3, {0: None, 1: 0, 2: 2}, True)
    assert [backoff.confirmed_count(number) for number in range(3)] == [3, 0, 2]


def test_withdrawn_requests():
    backoff = Backoff(0, {0: None, 1: None, 2: None}, True)
    for number in range(3):
        backoff.request(number)
    backoff.withdraw((0, 2))
    assert backoff.again == {1: None}
    backoff.withdraw((0, 1))
    assert backoff.again == {}


def test_the_limit():
    assert Backoff(39, {0: None}, True).enabled
    assert not Backoff(40, {0: None}, True).enabled
    assert not Backoff(0, {0: None}, False).enabled


# Whole runs: the solver's automatic rate is 1, so that the rates 1, 0.1, ... count the back-offs --------------------


def test_a_run_that_rises_starts_anew_with_a_tenth(tmp_path):
    """At rate 1 epoch 3 rises above the start, at 0.1 epoch 2 is infinite, at 0.01 all is well."""
    scripts = [[8.0, 3.0, 9.0], [8.0, math.inf], [8.0, 2.0, 1.0, 0.5]]
    r, asked = run(lambda backoffs: scripts[backoffs], epochs=4)
    assert asked == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert (r.status, r.state.backoffs, r.state.confirmed_backoffs) == ("max_epochs", 2, 2)
    assert r.history.loss.tolist() == scripts[2]
    assert r.history.learning_rate == pytest.approx([0.01] * 4)
    assert r.choices["learning_rate"] == (
        "set by the solver; the loss rose above its start 2 times, so the run restarted with 0.01 of this rate"
    )
    r.save(tmp_path / "model.npz")
    assert fastgd.load(tmp_path / "model.npz").state.backoffs == 2


def test_a_rise_within_the_start_is_none():
    r, asked = run([8.0, 1.0, 7.9, 1.0], epochs=4)
    assert (asked, r.state.backoffs) == ([0] * 4, 0)


def test_a_rate_that_is_given_is_kept():
    r, asked = run([8.0, 3.0, 9.0, 10.0], epochs=4, learning_rate=1.0, standardize=True)
    assert asked == [0] * 4
    assert (r.status, r.state.backoffs) == ("diverged", 0)
    assert r.message.startswith("Diverged: the loss ended above its start.")


def test_a_back_off_that_only_the_end_asked_for_is_not_confirmed():
    """Each recorded loss lies below the start, but the objective behind the last step does not."""
    scripts = [[8.0, 7.99], [8.0, 3.0]]
    r, asked = run(lambda backoffs: scripts[backoffs], objectives=[7.99, 12.0], epochs=2)
    assert asked == [0, 0, 1, 1]
    assert (r.status, r.state.backoffs, r.state.confirmed_backoffs) == ("max_epochs", 1, 0)


def test_a_longer_run_begins_where_the_confirmed_back_offs_end():
    """It goes on to where the unbroken run of as many epochs is."""
    long = [[8.0, 7.99, 2.0, 1.0], [8.0, 3.0, 2.0, 1.0]]
    options = {"objectives": [7.99, 12.0, 1.0, 0.5]}
    part, _ = run(lambda backoffs: long[backoffs], epochs=2, **options)
    assert part.state.backoffs == 1
    whole, asked = run(lambda backoffs: long[backoffs], epochs=4, resume=part, **options)
    assert asked == [0] * 4  # from the start, with the whole rate
    unbroken, _ = run(lambda backoffs: long[backoffs], epochs=4, **options)
    assert whole.history.loss.tolist() == unbroken.history.loss.tolist() == long[0]
    assert whole.state.backoffs == unbroken.state.backoffs == 0


def test_the_most_back_offs():
    """A loss that rises at any rate: 41 runs of two epochs, the last to its end."""
    r, asked = run([8.0, 9.0], epochs=2)
    assert asked == [count for count in range(41) for _ in range(2)]
    assert (r.status, r.state.backoffs) == ("diverged", 40)
    assert r.history.learning_rate == pytest.approx([1e-40] * 2)


def test_ctrl_c_withdraws_nothing_that_was_done():
    """Ctrl-C in the second run leaves it where it stands, with the back-off behind it."""

    def callback(progress):
        if progress.learning_rate < 1 and progress.epoch == 2:
            raise KeyboardInterrupt

    scripts = [[8.0, 9.0], [8.0, 3.0, 2.0]]
    r, asked = run(lambda backoffs: scripts[backoffs], epochs=3, callback=callback)
    assert asked == [0, 0, 1, 1]
    assert (r.status, r.n_epochs, r.state.backoffs) == ("interrupted", 2, 1)
