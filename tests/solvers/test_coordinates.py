"""Coordinate descent on a parabola with kinks: at its end no subgradient is left, and a pair changes the matrix."""

import math

import numpy as np
import pytest
from scipy import optimize

from fastgd.solvers.coordinates import Coordinates, Parabola, descend
from fastgd.solvers.kinks import Kinks
from fastgd.solvers.metrics import Matrix
from fastgd.solvers.pairs import slots

RNG = np.random.default_rng(5)
D = 13  # with the intercept


def matrices():
    """Second derivatives (D, D), and how much their condition leaves of the subgradient."""
    independent = RNG.standard_normal((60, D))
    mixed = independent @ RNG.standard_normal((D, D))
    chained = np.cumsum(independent, axis=1)
    dependent = np.column_stack([independent[:, :5], independent[:, :5], mixed[:, :3]])
    scaled = mixed * np.geomspace(1e-3, 1e3, D)
    zero = independent * (np.arange(D) != 2)
    return {
        "independent": independent, "mixed": mixed, "chained": chained, "dependent": dependent, "scaled": scaled,
        "zero": zero,
    }  # fmt: skip


MATRICES = {name: Z.T @ Z / 60 for name, Z in matrices().items()}


def kinks_of(l1=0.0, low=-math.inf, high=math.inf, width=D):
    """L1 and bounds of all weights but the last, the intercept."""
    ends = (l1, 0.0), (low, -math.inf), (high, math.inf)
    return Kinks(*(np.append(np.broadcast_to(one, width - 1), end).astype(float) for one, end in ends))


FOURTH = np.arange(D - 1) == 3
KINKS = {
    "l1": kinks_of(0.3),
    "positive": kinks_of(0.0, 0.0),
    "box": kinks_of(0.0, -0.1, 0.2),
    "l1 in a box": kinks_of(0.2, -0.1, 0.2),
    "one is fixed": kinks_of(0.1, np.where(FOURTH, 0.5, -1.0), np.where(FOURTH, 0.5, 1.0)),
    "far from zero": kinks_of(0.1, 1.0),
}


every_matrix = pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
every_kink = pytest.mark.parametrize("kinks", KINKS.values(), ids=KINKS)


@every_kink
@every_matrix
@pytest.mark.parametrize("begun", [False, True], ids=["at zero", "elsewhere"])
def test_nothing_is_left_at_the_end(matrix, kinks, begun):
    slope = matrix @ np.linspace(-2, 2, D)  # so that there is a minimum, also where columns depend on others
    start = kinks.within(np.linspace(1, -1, D) * begun)
    weights, after = start.copy(), slope.copy()
    for _ in range(4):  # each leaves little of what it began with
        descend(Parabola.whole(matrix), after, kinks, weights)
    size = np.abs(matrix) @ np.abs(weights - start) + np.abs(slope)
    np.testing.assert_allclose(after, slope + matrix @ (weights - start), rtol=0, atol=1e-12 * size.max())
    rest = np.abs(kinks.subgradient(weights, after))
    assert (rest <= 1e-6 * np.maximum(np.sqrt(np.diag(matrix)), 1e-9) * np.sqrt(size @ np.abs(weights - start))).all()
    assert (weights >= kinks.low).all() and (weights <= kinks.high).all()


@pytest.mark.parametrize("name", ["independent", "mixed", "chained"])
def test_bounded_least_squares_are_those_of_scipy(name):
    Z, y, kinks = matrices()[name], RNG.standard_normal(60), KINKS["box"]
    weights = kinks.within(np.zeros(D))
    slope = -Z.T @ y
    for _ in range(3):
        descend(Parabola.whole(Z.T @ Z), slope, kinks, weights)
    expected = optimize.lsq_linear(Z, y, (kinks.low, kinks.high), method="bvls", tol=1e-14)
    np.testing.assert_allclose(weights, expected.x, atol=1e-8 * np.abs(expected.x).max())


@pytest.mark.jit
@pytest.mark.parametrize("shared", [0.0, 0.95], ids=["independent", "correlated"])
def test_few_rows_of_many_columns_leave_no_duality_gap(shared):
    """Most of the weights that sweeps have moved are zero in the end: a solution leaves them out one by one."""
    rng = np.random.default_rng(1)
    n, d = 60, 150
    X = np.sqrt(shared) * rng.standard_normal((n, 1)) + np.sqrt(1 - shared) * rng.standard_normal((n, d))
    y = X @ (rng.standard_normal(d) * (rng.random(d) < 0.1)) + rng.standard_normal(n)
    l1 = 1e-3 * np.abs(X.T @ y).max()
    matrix, slope, weights = np.zeros((d + 1, d + 1)), np.zeros(d + 1), np.zeros(d + 1)
    matrix[:d, :d], slope[:d] = X.T @ X, -X.T @ y
    kinks = Kinks(np.append(np.full(d, l1), 0.0), np.full(d + 1, -math.inf), np.full(d + 1, math.inf))
    for _ in range(2):  # a second time, as a gap tells more than the decrease that is left
        descend(Parabola.whole(matrix), slope, kinks, weights)
    rest = y - X @ weights[:d]
    dual = rest * min(1.0, l1 / np.abs(X.T @ rest).max())
    value = rest @ rest / 2 + l1 * np.abs(weights).sum()
    assert value - (dual @ y - dual @ dual / 2) <= 1e-6 * value


def test_a_strong_penalty_leaves_exact_zeros():
    matrix = MATRICES["mixed"]
    weights = np.linspace(-1, 1, D)
    descend(Parabola.whole(matrix), matrix @ weights, kinks_of(1e6), weights)
    assert (weights[:-1] == 0.0).all() and weights[-1] != 0.0


def learned(model):
    """The matrix of a model with what its pairs have changed."""
    return model.parabola(np.ones(D), np.ones(D)).of(np.arange(D))


class Sums:
    def __init__(self, offset):
        self.offset = offset


@pytest.mark.parametrize("count", [1, 3, slots(D, 1) + 4])
@pytest.mark.parametrize("offset", [None, np.linspace(-1, 2, D - 1)], ids=["plain", "centred"])
def test_the_matrix_learns_from_pairs_and_is_rebuilt_from_them(count, offset):
    """That of BFGS (Nocedal and Wright 2006, equation 6.19), in the coordinates of the weights."""
    moves = RNG.standard_normal((count, D))
    changes = moves @ MATRICES["mixed"]
    model = Coordinates(KINKS["l1"], np.zeros((slots(D, 1), D)), np.zeros((slots(D, 1), D)), 0, 0)
    metric = Matrix(MATRICES["independent"], Sums(offset))
    model.begin(metric)
    for move, change in zip(moves, changes, strict=True):
        model.note(move, change)
        model.way(np.zeros(D), np.ones(D))  # the products of the next pair are added to those that are known
    J = np.eye(D)  # weights of the centred columns from those of the others
    J[-1, :-1] = 0.0 if offset is None else offset
    B = J.T @ MATRICES["independent"] @ J
    for s, y in list(zip(moves, changes, strict=True))[-(slots(D, 1) - 1) :]:
        B = B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(y, y) / (s @ y)
    found = learned(model)
    np.testing.assert_allclose(J.T @ found @ J, B, rtol=1e-9, atol=1e-9 * np.abs(B).max())
    again = Coordinates(KINKS["l1"], model.moves, model.changes, model.first, model.learned)
    again.metric = metric
    np.testing.assert_array_equal(learned(again), found)


def test_a_way_promises_what_the_parabola_falls_by():
    model = Coordinates(KINKS["l1 in a box"], np.zeros((3, D)), np.zeros((3, D)), 0, 0)
    model.begin(Matrix(MATRICES["mixed"], Sums(np.linspace(-1, 2, D - 1))))
    weights, gradient = model.kinks.within(RNG.standard_normal(D)), RNG.standard_normal(D)
    J = np.eye(D)
    J[-1, :-1] = np.linspace(-1, 2, D - 1)
    B = J.T @ MATRICES["mixed"] @ J

    def parabola(end):
        step = end - weights
        return gradient @ step + step @ B @ step / 2 + 0.2 * np.abs(end[:-1]).sum()

    way = model.way(weights, gradient)
    np.testing.assert_allclose(way.promise, parabola(weights) - parabola(way.end), rtol=1e-10)
    np.testing.assert_array_equal(model.moved(weights, way, 1.0), way.end)
    np.testing.assert_allclose(model.moved(weights, way, 0.5), weights + way.step / 2)
    rise = 0.2 * (np.abs(way.end[:-1]).sum() - np.abs(weights[:-1]).sum())
    np.testing.assert_allclose(way.slope, gradient @ way.step + rise, rtol=1e-12)
    others = RNG.standard_normal((50, D))
    assert all(parabola(model.kinks.within(way.end + 0.1 * other)) >= parabola(way.end) - 1e-12 for other in others)


def test_without_second_derivatives_the_way_is_next_to_one_long():
    from fastgd.solvers.metrics import Unit

    model = Coordinates(kinks_of(1e-3), np.zeros((3, D)), np.zeros((3, D)), 0, 0)
    model.begin(Unit)
    way = model.way(np.zeros(D), np.linspace(1, 2, D))
    np.testing.assert_allclose(np.linalg.norm(way.step), 1.0, rtol=1e-3)


def test_next_to_dependent_columns_are_solved_for():
    """Years, their squares and cubes: sweeps go from side to side of a kink, and get on by 8 % of what is left."""
    years = np.linspace(1960, 2024, 60)
    Z = np.column_stack([years, years**2, years**3, MATRICES["mixed"][:1].repeat(60, axis=0)[:, :1], RNG.random(60)])
    Z = (Z - Z.mean(axis=0)) / np.maximum(Z.std(axis=0), 1e-9)
    Z = np.column_stack([Z, np.ones(60)])
    y = -np.sin((years - 1960) / 20) + 0.1 * RNG.standard_normal(60)
    kinks, matrix, weights = kinks_of(0.01, width=6), Z.T @ Z / 60, np.zeros(6)

    def objective():
        return ((Z @ weights - y) ** 2).mean() / 2 + 0.01 * np.abs(weights[:-1]).sum()

    slope, start = -Z.T @ y / 60, objective()
    descend(Parabola.whole(matrix), slope, kinks, weights)
    once = objective()
    for _ in range(20):
        descend(Parabola.whole(matrix), slope, kinks, weights)
    assert once - objective() <= 1e-6 * (start - once)
