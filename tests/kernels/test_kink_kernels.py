"""Losses that are lines with kinks: what kernels say of smoothed ones, and of an interior point's steps."""

import numpy as np
import pytest

from fastgd.kernels import kinks

N, KINKS, WIDTH = 60, 2, 0.3
RNG = np.random.default_rng(4)
SCORES, MOVE = RNG.standard_normal((2, N))
WEIGHT = RNG.uniform(0.5, 2.0, N) * (RNG.uniform(size=N) < 0.8)
COUNTS = WEIGHT > 0
BOX = np.stack([RNG.standard_normal((KINKS, N)), -RNG.uniform(0, 2, (KINKS, N)), RNG.uniform(0.1, 2, (KINKS, N))])


def smoothed(scores, width=WIDTH, most=np.inf):
    """The slopes, the second derivatives, and the sums."""
    slopes, bends, sums = np.empty(N), np.empty(N), np.empty(3)
    kinks.smoothed(scores, BOX, WEIGHT, width, most, slopes, bends, sums)
    return slopes, bends, sums


def lines(scores):
    """How far scores are from the kinks, and the loss of each."""
    places, low, high = BOX
    away = places - scores
    return away, np.maximum(low * away, high * away)


def test_losses_are_those_of_the_lines():
    loss, gap, clipped = smoothed(SCORES)[2]
    away, losses = lines(SCORES)
    assert loss == pytest.approx(np.sum(WEIGHT * losses)) == clipped
    assert gap > 0
    assert smoothed(SCORES, 1e-12)[2][1] == pytest.approx(0.0, abs=1e-9), "lines beside the kinks"
    most = float(np.median(abs(away)))
    shares = np.minimum(1.0, most / abs(away))
    assert smoothed(SCORES, most=most)[2][2] == pytest.approx(np.sum(WEIGHT * losses * shares))


def test_slopes_lie_within_the_lines_and_bends_are_their_derivatives():
    h, (slopes, bends, _) = 1e-7, smoothed(SCORES)
    _, low, high = BOX
    assert (slopes >= WEIGHT * low.sum(axis=0) - 1e-12).all() and (slopes <= WEIGHT * high.sum(axis=0) + 1e-12).all()
    assert not slopes[~COUNTS].any() and not bends[~COUNTS].any()
    change = (smoothed(SCORES - h)[0] - smoothed(SCORES + h)[0]) / (2 * h)
    inside = (abs(lines(SCORES)[0]) < WIDTH - 2 * h).all(axis=0)  # beyond, a parabola's share is added
    assert inside.any()
    np.testing.assert_allclose(bends[inside], change[inside], rtol=1e-6)
    assert (bends >= change - 1e-6).all()


@pytest.mark.parametrize("share", [0.0, 0.7])
def test_the_slope_along_a_move_is_that_of_the_slopes(share):
    slopes = smoothed(SCORES + share * MOVE)[0]
    assert kinks.slope_along(SCORES, MOVE, share, BOX, WEIGHT, WIDTH) == pytest.approx(-slopes @ MOVE)


def begun():
    """Tables in the interior, with slacks that do not fit the scores."""
    tables = np.zeros((kinks.TABLES, KINKS, N))
    tables[: kinks.BELOW] = BOX
    tables[kinks.BELOW], tables[kinks.ABOVE] = RNG.uniform(0.1, 2.0, (2, KINKS, N))
    low, high = WEIGHT * BOX[1], WEIGHT * BOX[2]
    tables[kinks.U] = low + (high - low) * RNG.uniform(0.1, 0.9, (KINKS, N))
    return tables, low, high


def gap_of(tables, low, high):
    """The sum of the products of multipliers and slacks, of the rows that count."""
    u, below, above = tables[kinks.U], tables[kinks.BELOW], tables[kinks.ABOVE]
    return np.sum(((u - low) * below + (high - u) * above)[:, COUNTS])


@pytest.mark.parametrize("second", [False, True])
def test_a_step_of_an_interior_point_meets_its_equations(second):
    tables, low, high = begun()
    bends, sides, longest, target = np.empty(N), np.empty(N), np.empty(2), 0.01
    assert kinks.advance(tables, WEIGHT, 0.0, 0.0, True, bends) == pytest.approx(gap_of(tables, low, high))
    tables[kinks.DU], tables[kinks.DBELOW], tables[kinks.DABOVE] = first = 0.1 * RNG.standard_normal((3, KINKS, N))
    du, dbelow, dabove = first if second else np.zeros((3, KINKS, N))
    kinks.right_side(tables, WEIGHT, SCORES, target, second, sides)
    kinks.direction(tables, WEIGHT, MOVE, target, second, longest)
    assert not bends[~COUNTS].any() and not sides[~COUNTS].any()

    u, below, above = (tables[k][:, COUNTS] for k in (kinks.U, kinks.BELOW, kinks.ABOVE))
    v, lower, upper = (tables[k][:, COUNTS] for k in (kinks.DU, kinks.DBELOW, kinks.DABOVE))
    under, over = u - low[:, COUNTS], high[:, COUNTS] - u
    away = (BOX[0] - SCORES - MOVE)[:, COUNTS]
    np.testing.assert_allclose(above + upper - below - lower, away, atol=1e-9)
    product = (du * dbelow)[:, COUNTS], (du * dabove)[:, COUNTS]
    np.testing.assert_allclose(under * (below + lower) + below * v, target - product[0], atol=1e-9)
    np.testing.assert_allclose(over * (above + upper) - above * v, target + product[1], atol=1e-9)
    np.testing.assert_allclose(v.sum(axis=0), (sides - bends * MOVE)[COUNTS], atol=1e-9)

    # The longest steps: there the first slack, and the first multiplier, is at its bound.
    slack, dual = longest
    assert min((below + slack * lower).min(), (above + slack * upper).min()) == pytest.approx(0.0, abs=1e-9)
    assert min((under + dual * v).min(), (over - dual * v).min()) == pytest.approx(0.0, abs=1e-9)


def test_a_step_is_taken_only_if_it_moves():
    tables, low, high = begun()
    bends = np.full(N, 7.0)
    tables[kinks.DU :] = 0.01 * RNG.standard_normal((3, KINKS, N))
    before = tables.copy()
    gap = kinks.advance(tables, WEIGHT, 0.5, 0.25, False, bends)
    np.testing.assert_array_equal(tables, before)
    assert (bends == 7.0).all()
    assert kinks.advance(tables, WEIGHT, 0.5, 0.25, True, bends) == gap == pytest.approx(gap_of(tables, low, high))
    np.testing.assert_allclose(tables[kinks.U][:, COUNTS], (before[kinks.U] + 0.25 * before[kinks.DU])[:, COUNTS])
    np.testing.assert_allclose(bends[COUNTS], tables[kinks.D].sum(axis=0)[COUNTS])
    assert not bends[~COUNTS].any()


def test_a_step_that_meets_no_bound_is_as_long_as_one_likes():
    tables, *_ = begun()
    longest = np.empty(2)
    # Of a target so large all slacks grow; nothing moves the multipliers.
    kinks.direction(tables, WEIGHT, np.zeros(N), 1e6, False, longest)
    assert (longest == 1e300).all()
