"""The rules against fastai's own words: brute force, numbers worked out by hand, and what must hold for any curve."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fastgd.results.lr_rules import RULES, constant_share, cut, descent, minimum, slide, steep, suggested, valley

RATES = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
CURVES = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e6, 1e6))
WITH_NAN = arrays(np.float64, st.integers(0, 40), elements=st.floats(width=64))


def rates(count):
    return np.geomspace(1e-7, 10, count)


# Oracles: each rule as a sentence turned into the plainest loop ------------------------------------------------------


def all_descents(losses):
    """(length, end) of every strictly decreasing subsequence."""
    for length in range(1, len(losses) + 1):
        for chosen in itertools.combinations(range(len(losses)), length):
            if all(losses[a] > losses[b] for a, b in itertools.pairwise(chosen)):
                yield length, chosen[-1]


def valley_by_windows(lr, losses):
    """The length of the longest descent, by quadratic dynamic programming; then thirds of the window before its end."""
    longest = [1] * len(losses)
    start = end = 0
    for i in range(1, len(losses)):
        for j in range(i):
            if losses[j] > losses[i]:
                longest[i] = max(longest[i], longest[j] + 1)
        if longest[i] > longest[end]:
            start, end = i - longest[i], i
    third = (end - start) / 3
    return lr[start + int(third) + int(third / 2)]


def slide_by_pairs(lr, losses):
    slopes = [losses[1] - losses[0], *((losses[2:] - losses[:-2]) / 2), losses[-1] - losses[-2]]
    n = len(lr)
    answer = lr[n - 16]
    for back in range(n - 15):
        if abs(slopes[n - 1 - back] - slopes[n - 16 - back]) <= 0.005:
            break
        answer = lr[n - 16 - back]
    return answer


def steep_by_pairs(lr, losses):
    slopes = [(losses[i + 1] - losses[i]) / (math.log(lr[i + 1]) - math.log(lr[i])) for i in range(len(lr) - 1)]
    return lr[min(range(len(slopes)), key=slopes.__getitem__)]


# Valley --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_the_longest_descent_is_that_of_all_subsequences(seed):
    losses = np.random.default_rng(seed).integers(0, 6, 9).astype(float)
    every = list(all_descents(losses))
    longest = max(length for length, _ in every)
    assert descent(losses) == (longest, min(end for length, end in every if length == longest))


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([9, 8, 7, 6, 5, 4, 3, 2], 4.0),  # m = 8, e = 7: 7 - 8 + 2 + 1 = 2
        ([5, 5, 9, 8, 7, 6, 6, 9], 4.0),  # m = 4, e = 5: 5 - 4 + 1 + 0 = 2
        ([1, 2, 3], 1.0),  # nothing decreases
        ([4, 3, 2, 1, 9, 9, 9, 9], 1.0),  # m = 4, e = 3: 3 - 4 + 1 + 0 = 0
        ([2, 1], 2.0),  # m = 2, e = 1: the index is -1
    ],
)
def test_valley_by_hand(losses, expected):
    assert valley(RATES[: len(losses)], np.array(losses, float)) == expected


@given(CURVES)
def test_valley_is_the_brute_force(losses):
    lr = rates(losses.size)
    assert valley(lr, losses) == valley_by_windows(lr, losses)


@given(arrays(np.float64, st.integers(1, 30), elements=st.integers(-20, 20)), st.sampled_from([1e-6, 0.5, 3.0, 1e9]))
def test_valley_and_minimum_do_not_depend_on_the_scale(losses, factor):
    lr = rates(losses.size)
    for rule in (valley, minimum):
        assert rule(lr, factor * losses) == rule(lr, losses)


# The others ----------------------------------------------------------------------------------------------------------


def test_slide_by_hand():
    flat = np.r_[np.full(10, 2.0), 2.0 - np.arange(1, 11), np.full(10, -8.0)]
    lr = 2.0 ** np.arange(30)
    # Slopes: 0 up to index 8, -0.5 at 9, -1 to 18, -0.5 at 19, then 0. Pairs (29, 14), (28, 13), ..., (24, 9) differ by
    # more than 0.005; (23, 8) does not.
    assert slide(lr, flat) == lr[9]
    assert slide(lr, 1e-3 * flat) == lr[14]  # the threshold is in the units of the loss


@given(arrays(np.float64, st.integers(16, 40), elements=st.floats(-3, 3)))
def test_slide_is_the_brute_force(losses):
    lr = rates(losses.size)
    assert slide(lr, losses) == slide_by_pairs(lr, losses)


def test_minimum_and_steep_by_hand():
    losses = np.array([3.0, 2.9, 2.0, 0.5, 0.6, 0.4, 0.5, 9.0])
    assert minimum(RATES, losses) == 3.2
    assert steep(RATES, losses) == 4.0
    assert steep(np.array([1.0, 10.0, 11.0]), np.array([3.0, 1.0, 0.8])) == 10.0  # -0.87 and -2.1 a unit of ln(rate)


@given(arrays(np.float64, st.integers(2, 30), elements=st.floats(-3, 3)))
def test_steep_is_the_brute_force(losses):
    lr = rates(losses.size)
    slopes = np.diff(losses) / np.diff(np.log(lr))
    found = lr.tolist().index(steep(lr, losses))
    assert slopes[found] == pytest.approx(slopes[lr.tolist().index(steep_by_pairs(lr, losses))], rel=1e-9)


# All of them ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("num", "count", "first"), [(100, 85, 10), (99, 85, 9), (10, 4, 1)])
def test_the_cut(num, count, first):
    lr, losses = cut(np.arange(num), np.arange(num, dtype=float), num)
    assert (lr.size, lr[0], lr[-1]) == (count, first, num - 6)
    assert np.array_equal(lr, losses)


def test_the_cut_ends_at_the_first_nan():
    losses = np.arange(40.0)
    losses[[20, 30]] = np.nan
    lr, losses = cut(np.arange(40), losses, 40)
    assert np.array_equal(lr, np.arange(4, 20))
    assert np.array_equal(losses, lr)


@given(WITH_NAN, st.integers(10, 60))
def test_any_curve_has_suggestions_within_its_rates_or_a_reason(losses, num):
    lr = rates(losses.size)
    found, missing = suggested(lr, losses, num, share=0.5)
    seen = cut(lr, losses, num)[0]
    assert found.pop("constant", 0.0) == 0.5 * found.get("valley", 0.0)
    assert set(found) | {name for name in RULES if repr(name) in missing} == set(RULES)
    for name, rate in found.items():
        assert repr(name) not in missing
        low = seen.min() / 10 if name == "minimum" else seen.min()
        assert low <= rate <= seen.max()


def test_the_share_for_a_constant_rate():
    """All of the full batch, about a tenth on batches of 32 and a thirtieth on single rows."""
    assert constant_share(None) == constant_share(1 << 20) == 1.0
    assert constant_share(1) == pytest.approx(1 / 30)
    assert constant_share(32) == pytest.approx(0.1, rel=0.1)
    shares = [constant_share(batch) for batch in (1, 8, 64, 512, 4096)]
    assert shares == sorted(shares)
