"""Pairs of L-BFGS: the direction is that of the explicit BFGS matrix, and the ring keeps what a snapshot needs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgd.kernels.pairs import product
from fastgd.solvers.pairs import KEPT, KEPT_OF_CLASSES, KEPT_OF_MANY, MANY, Pairs, slots

D = 5
RNG = np.random.default_rng(8)


class Dense:
    """A metric with an explicit matrix."""

    def __init__(self, matrix, scaled=False, keeps=False):
        self.matrix, self.inverse = matrix, np.linalg.inv(matrix)
        self.scaled, self.keeps, self.exact = scaled, keeps, False

    reached = 1.0

    def solve(self, g):
        """The inverse times g."""
        return self.inverse @ g

    def reach(self, step, slope):
        """How much longer a step is to be."""
        return self.reached


def positive(rng=RNG):
    """A positive definite matrix."""
    A = rng.standard_normal((D, D + 3))
    return A @ A.T / D + 0.1 * np.eye(D)


def pairs(places=4, **metric):
    """No pairs yet, with a metric."""
    found = Pairs(*np.zeros((2, places, D)), 0, 0)
    found.begin(Dense(positive(np.random.default_rng(1)), **metric))
    return found


def quadratic(count, rng=RNG):
    """Moves, and the changes of a quadratic's gradient with them."""
    moves = rng.standard_normal((count, D))
    return moves, moves @ positive(rng)


def bfgs(inverse, moves, changes):
    """The inverse after the BFGS updates, as a matrix: Nocedal and Wright 2006, equation 6.17."""
    for s, y in zip(moves, changes, strict=True):
        rho = 1.0 / (s @ y)
        left = np.eye(len(s)) - rho * np.outer(s, y)
        inverse = left @ inverse @ left.T + rho * np.outer(s, s)
    return inverse


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7, 8, 11])
def test_the_direction_is_that_of_the_explicit_matrix(count, scaled):
    ring, (moves, changes) = pairs(scaled=scaled), quadratic(count)
    for move, change in zip(moves, changes, strict=True):
        ring.note(move, change)
    assert ring.learned == min(count, 3)
    inverse = ring.metric.inverse
    if scaled and count:
        inverse = inverse * (moves[-1] @ changes[-1]) / (changes[-1] @ inverse @ changes[-1])
    expected = bfgs(inverse, moves[-3:], changes[-3:])
    g = RNG.standard_normal(D)
    kept = g.copy()
    np.testing.assert_allclose(ring.solve(g), expected @ g, rtol=1e-10)
    np.testing.assert_array_equal(g, kept)
    way = ring.way(np.zeros(D), g)
    np.testing.assert_allclose(way.step, -expected @ g, rtol=1e-10)
    assert way.slope == pytest.approx(-g @ expected @ g)
    assert way.promise == pytest.approx(g @ expected @ g / 2)


def test_the_first_step_is_as_long_as_second_derivatives_along_it_say():
    ring, (moves, changes), g = pairs(scaled=True), quadratic(1), RNG.standard_normal(D)
    ring.metric.reached = 0.25
    way = ring.way(np.zeros(D), g)
    np.testing.assert_allclose(way.step, -0.25 * ring.metric.inverse @ g)
    assert way.promise == pytest.approx(0.125 * g @ ring.metric.inverse @ g)
    ring.note(moves[0], changes[0])
    np.testing.assert_allclose(ring.way(np.zeros(D), g).step, -ring.solve(g))


def test_the_newest_pair_is_met_exactly():
    ring, (moves, changes) = pairs(), quadratic(6)
    for move, change in zip(moves, changes, strict=True):
        ring.note(move, change)
        np.testing.assert_allclose(ring.solve(change), move, rtol=1e-9)


def test_what_a_step_may_bring_is_by_the_flattest_pair():
    """The first pair lies along a flat direction, the newest where the curvature is a thousand times as large."""
    ring, g = Pairs(*np.zeros((2, 4, D)), 0, 0), RNG.standard_normal(D)
    ring.begin(Dense(np.eye(D), scaled=True))
    assert ring.at_most(g) == 0.0, "no pair, nothing known"
    moves, changes = np.eye(D)[:2], np.eye(D)[:2] * [[1.0], [1000.0]]
    for move, change in zip(moves, changes, strict=True):
        ring.note(move, change)
    assert ring.at_most(g) == pytest.approx(g @ bfgs(np.eye(D), moves, changes) @ g / 2)
    assert ring.way(np.zeros(D), g).promise < ring.at_most(g) / 2
    ring.metric.scaled = False
    assert ring.at_most(g) == 0.0, "a matrix says more than a scale"


def test_of_a_quadratic_exact_steps_end_at_the_minimum():
    ring, matrix, w = pairs(D + 1), positive(), RNG.standard_normal(D)
    for _ in range(D):
        g = matrix @ w
        step = ring.way(w, g).step
        move = -(g @ step) / (step @ matrix @ step) * step
        ring.note(move, matrix @ move)
        w = w + move
    np.testing.assert_allclose(w, 0.0, atol=1e-8)


@given(st.integers(0, 12))
def test_a_snapshot_is_good_after_one_more_pair(count):
    rng = np.random.default_rng(count)
    ring, (moves, changes), g = pairs(), quadratic(count + 1, rng), rng.standard_normal(D)
    for move, change in zip(moves[:-1], changes[:-1], strict=True):
        ring.note(move, change)
    expected, first, learned = ring.solve(g), ring.first, ring.learned
    ring.note(moves[-1], changes[-1])
    again = Pairs(ring.moves, ring.changes, first, learned)  # as a saved run has it
    again.metric = ring.metric
    np.testing.assert_array_equal(again.solve(g), expected)


@pytest.mark.parametrize("bend", [0.0, -1.0, 1e-15, np.nan])
def test_pairs_without_curvature_are_refused(bend):
    ring, (moves, changes) = pairs(), quadratic(2)
    ring.note(moves[0], changes[0])
    before = ring.solve(np.ones(D))
    move = np.zeros(D)
    move[0] = 1.0
    change = np.zeros(D)
    change[0], change[1] = bend, 1.0
    ring.note(move, change)
    assert ring.learned == 1
    np.testing.assert_array_equal(ring.solve(np.ones(D)), before)


def test_a_move_that_changes_nothing_is_refused():
    ring = pairs()
    ring.note(np.ones(D), np.zeros(D))
    ring.note(np.zeros(D), np.zeros(D))
    assert ring.learned == 0


def test_a_small_curvature_is_kept():
    ring = pairs()
    ring.note(np.full(D, 1e-9), np.full(D, 1e-12))
    assert ring.learned == 1
    np.testing.assert_allclose(ring.solve(np.full(D, 1e-12)), np.full(D, 1e-9), rtol=1e-9)


@pytest.mark.parametrize("keeps", [False, True])
def test_a_new_metric_keeps_pairs_where_it_says_so(keeps):
    ring, (moves, changes), g = pairs(), quadratic(5), RNG.standard_normal(D)
    for move, change in zip(moves, changes, strict=True):
        ring.note(move, change)
    first, learned = ring.first, ring.learned
    metric = Dense(positive(), keeps=keeps)
    ring.begin(metric)
    expected = bfgs(metric.inverse, moves[-3:], changes[-3:]) if keeps else metric.inverse
    np.testing.assert_allclose(ring.solve(g), expected @ g, rtol=1e-10)
    # The pairs of before are not written over at once: a snapshot still has them.
    ring.note(moves[0], changes[0])
    old = Pairs(ring.moves, ring.changes, first, learned)
    old.metric = metric
    np.testing.assert_allclose(old.solve(g), bfgs(metric.inverse, moves[-3:], changes[-3:]) @ g, rtol=1e-10)


def test_what_another_metric_would_promise():
    ring, g, metric = pairs(), RNG.standard_normal(D), Dense(positive())
    assert ring.judge(metric, np.zeros(D), g) == pytest.approx(g @ metric.inverse @ g / 2)
    assert ring.norm(np.zeros(D), g) == pytest.approx(np.linalg.norm(g))


def test_how_many_pairs_are_kept():
    assert slots(100, 1) == KEPT + 1
    assert slots(100, 3) == KEPT_OF_CLASSES + 1
    assert slots(MANY + 1, 1) == slots(MANY + 1, 3) == KEPT_OF_MANY + 1


def test_products_are_those_of_vectors():
    x, y = RNG.standard_normal((2, 1001))
    assert product(x, y) == pytest.approx(x @ y, rel=1e-12)
