"""What a history of losses knows: lowest losses, stalls, zeros, the start."""

import math

import numpy as np
import pytest

from fastgd.training.history import LossHistory, average


def noted(records, start=(math.inf,), exact=True, held_out=False, tol=None, dtype=np.float64):
    """A history that has taken records into account, and its stalls after each."""
    history = LossHistory(np.array(start), exact, held_out, tol, dtype)
    stalls = []
    for record in records:
        history.note(record)
        stalls.append(history.stalls)
    return history, stalls


def losses(*numbers):
    """Records of one target."""
    return [{"loss": [number]} for number in numbers]


def test_lowest_and_latest():
    history, _ = noted(losses(4.0, 2.0, 3.0))
    assert (history.lowest, history.latest) == (2.0, 3.0)
    assert history.trends[0].lowest == [4.0, 2.0, 2.0]
    history, _ = noted([{"loss": [4.0, 2.0]}, {"loss": [1.0, 6.0]}], start=(9.0, 9.0))
    assert (history.lowest, history.latest) == (3.0, 3.5)  # of the targets' means
    assert [trend.lowest for trend in history.trends] == [[4.0, 1.0], [2.0, 2.0]]


def test_what_is_held_out_is_judged():
    records = [{"loss": [9.0], "validation_loss": [2.0]}, {"loss": [8.0], "validation_loss": [3.0]}]
    history, stalls = noted(records, held_out=True)
    assert (history.lowest, history.latest, stalls) == (2.0, 3.0, [0, 1])


@pytest.mark.parametrize(
    "numbers, tol, exact, stalls",
    [
        ([4.0, 3.0, 2.0, 1.0], None, True, [0, 0, 0, 0]),
        ([4.0, 3.0, 3.0, 3.0], None, True, [0, 0, 1, 2]),
        ([4.0, 3.0, 3.5, 2.0], None, False, [0, 0, 1, 0]),  # a running mean that rises
        ([4.0, 3.0, 3.5, 3.0], None, True, [0, 0, 0, 1]),  # a swing
        ([4.0, 3.9, 3.8, 3.0], 0.05, True, [0, 1, 2, 0]),  # 2.5 %, 2.6 %, 21 %
        ([4.0, math.nan, 4.0, 3.0], None, False, [0, 0, 1, 0]),
        ([math.inf, math.inf, 4.0, 4.0], None, False, [0, 0, 0, 1]),
        ([4.0, math.inf, math.inf], None, False, [0, 1, 2]),
        ([0.0, 0.0, 0.0], None, True, [1, 2, 3]),  # zero needs nothing to compare it with
    ],
)
def test_stalls(numbers, tol, exact, stalls):
    assert noted(losses(*numbers), tol=tol, exact=exact, start=(4.0,))[1] == stalls


def test_a_stall_is_one_of_all_targets():
    records = [{"loss": pair} for pair in ([4.0, 4.0], [3.0, 4.0], [3.0, 3.0], [3.0, 3.0])]
    assert noted(records, start=(4.0, 4.0))[1] == [0, 0, 0, 1]


def test_nan_leaves_the_lowest():
    history, _ = noted(losses(4.0, math.nan, 5.0), exact=False)
    assert history.lowest == 4.0
    assert history.trends[0].lowest == [4.0, 4.0, 4.0]


def test_the_start():
    """The full batch meets it before its first step; batches do not."""
    history, _ = noted([])
    assert history.unknown_start
    history, _ = noted(losses(4.0, 2.0))
    assert history.start == [4.0]
    history, _ = noted(losses(4.0, 2.0), exact=False)
    assert history.unknown_start
    history.starts_at([5.0])
    assert (history.start, history.unknown_start) == ([5.0], False)
    history, _ = noted(losses(4.0, 2.0), start=(3.0,))
    assert history.start == [3.0]


@pytest.mark.parametrize("dtype, zero", [(np.float64, 3.16e-28), (np.float32, 9.09e-11)])
def test_zero_to_rounding_of_a_start_of_100(dtype, zero):
    """100 * (8 eps)**2."""
    history, _ = noted(losses(100.0, 0.99 * zero, 0.99 * zero), start=(100.0,), dtype=dtype)
    assert history.vanished(0)
    history, _ = noted(losses(100.0, 1.01 * zero, 0.0), start=(100.0,), dtype=dtype)
    assert not history.vanished(0)
    history, _ = noted(losses(0.0), start=(100.0,), dtype=dtype)
    assert not history.vanished(0)  # once is not enough


def test_average():
    assert average([2.5]) == 2.5
    assert average([1.0, 2.0, 6.0]) == 3.0
    assert average([1e16, 1.0, -1e16]) == 1 / 3  # without the rounding of a sum


def test_the_last_number_of_a_column():
    history, _ = noted([], start=(9.0,))
    assert math.isnan(history.last("loss"))
    history, _ = noted([{"loss": [4.0, 2.0], "gradient_norm": [3.0, 4.0], "learning_rate": 0.1}], start=(9.0, 9.0))
    assert (history.last("loss"), history.last("gradient_norm"), history.last("learning_rate")) == (3.0, 5.0, 0.1)
    assert math.isnan(history.last("decrement"))
