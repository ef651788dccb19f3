"""Whether losses lie above the start's: hand-made losses and margins."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from fastgd.training.divergence import RiseCheck
from fastgd.training.history import LossHistory


def check_of(*losses, start=(4.0,), exact=True, smooth=True, margin=1e-6, chunked=False):
    """A check of the losses that are recorded."""
    history = LossHistory(np.array(start), exact, False, None, np.float64)
    for loss in losses:
        history.note({"loss": loss if isinstance(loss, list) else [loss]})
    return RiseCheck(history, SimpleNamespace(smooth=smooth, least_at_zero=False), margin, chunked)


def epochs(*losses):
    """Records of epochs that are not noted yet."""
    return [{"loss": [loss]} for loss in losses]


@pytest.mark.parametrize(
    "losses, above",
    [
        ([4.0, 4.0], False),
        ([4.0, 4.0 + 3e-6], False),  # within a millionth
        ([4.0, 4.0 + 5e-6], True),
        ([4.0, 9.0, 3.0], False),  # the last counts
        ([4.0, 3.0, 9.0], True),
        ([4.0, math.inf], True),
        ([4.0], False),
        ([], False),
    ],
)
def test_the_last_loss_of_the_full_batch(losses, above):
    assert check_of(*losses).above_start() is above


@pytest.mark.parametrize(
    "losses, above",
    [
        ([4.3], False),  # the start is 4, the margin a tenth
        ([4.5], True),
        ([3.0, 3.2], False),  # the first epoch's mean is lower: 3.3 is the limit
        ([3.0, 3.4], True),
        ([4.3, 4.39], False),
        ([4.3, 4.41], True),
    ],
)
def test_running_means_of_batches(losses, above):
    assert check_of(*losses, exact=False, margin=0.1).above_start() is above


def test_new_epochs_count_as_a_whole():
    assert check_of(4.0).rises(epochs(3.0, 9.0, 2.0))
    assert not check_of(4.0).rises(epochs(3.0, 2.0, 1.0))
    assert check_of().rises(epochs(4.0, 9.0))  # the first of them is the start
    assert not check_of().rises(epochs(4.0))
    assert not check_of(4.0).rises([])


def test_kinks_may_rise_on_the_full_batch_alone():
    assert not check_of(4.0, smooth=False).rises(epochs(9.0))
    assert check_of(4.0, smooth=False).above_start(epochs(9.0))
    assert check_of(4.0, smooth=False, exact=False, margin=0.1).rises(epochs(9.0))


def test_each_target_has_a_start_of_its_own():
    assert check_of([4.0, 1.0], [3.0, 2.0], start=(4.0, 1.0)).above_start()
    assert not check_of([4.0, 1.0], [3.0, 0.5], start=(4.0, 1.0)).above_start()


def test_chunks_have_diverged_at_ten_times_the_constant():
    options = {"start": (2.0,), "exact": False, "chunked": True, "margin": 0.1}
    assert not check_of(19.9, **options).above_start()
    assert check_of(20.1, **options).above_start()
    assert check_of(0.1, 20.1, **options).above_start()  # the first chunk's loss is no start
    assert not check_of(0.1, 19.9, **options).above_start()
    assert check_of(**options).risen([20.1])
    assert not check_of(**options).risen([19.9])


def test_a_start_of_zero():
    assert not check_of(0.0, 0.0, start=(0.0,)).above_start()
    assert check_of(0.0, 1e-300, start=(0.0,)).above_start()


def test_an_objective_that_has_risen():
    """Noise of batches is none of objectives': a millionth is the margin."""
    check = check_of(exact=False, margin=0.1)
    assert not check.risen([4.0])
    assert not check.risen([4.0 + 3e-6])
    assert check.risen([4.0 + 5e-6])
    assert check.risen([math.inf])
    assert not check.risen([math.nan])
    assert check.risen([math.nan], unknown=True)
    pair = check_of(start=(4.0, 4.0))
    assert pair.risen([3.0, 5.0])
    assert not pair.risen([3.0, 4.0])


def test_where_records_cannot_tell():
    def doubtful(check, steps=3, row=0):
        return check.doubtful(SimpleNamespace(steps=steps, row=row))

    batches = check_of(3.0, exact=False)
    assert not doubtful(batches)
    assert doubtful(batches, row=5)  # inside an epoch
    assert not doubtful(check_of(), steps=0)
    assert doubtful(check_of(4.0), steps=1)  # the first record is the start's
    assert not doubtful(check_of(4.0, 3.0, 2.0))
    assert doubtful(check_of(4.0, 2.0, 3.0))  # it rose last
    assert doubtful(check_of(4.0, 3.99, 3.98))  # less than a hundredth below the start
    assert doubtful(check_of([4.0, 4.0], [3.0, 3.0], [2.0, 3.5], start=(4.0, 4.0)))
