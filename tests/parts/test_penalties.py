"""Penalties: a prox minimises its definition, within the bounds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fastgd.parts import penalties

number = st.floats(-10, 10)
size = st.floats(0, 5)


@given(l1=size, l2=size, z=number, step=st.floats(1e-3, 10), ends=st.tuples(number, number))
def test_prox_minimises_its_definition(l1, l2, z, step, ends):
    low, high = sorted(ends)
    penalty = penalties.ElasticNet(l1, l2)

    def definition(w):
        return penalty.cost(w) + (w - z) ** 2 / (2 * step)

    w = penalty.prox(z, step, low, high)
    assert low <= w <= high
    candidates = np.concatenate([np.linspace(low, high, 401), np.clip([0.0, z], low, high)])
    best = definition(candidates).min()
    assert definition(w) <= best + 1e-9 * (1 + abs(best))


@given(z=number, other=number, step=st.floats(1e-3, 10))
def test_prox_brings_points_no_further_apart(z, other, step):
    penalty = penalties.ElasticNet(0.7, 0.3)
    a, b = (penalty.prox(point, step, -np.inf, np.inf) for point in (z, other))
    assert abs(a - b) <= abs(z - other) * (1 + 1e-12)


def test_cost_and_arrays():
    w = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(penalties.ElasticNet(0.5, 2.0).cost(w), 0.5 * np.abs(w) + w**2)
    z = penalties.ElasticNet(1.0, 0.0).prox(w, np.array([0.5, 1.0, 4.0]), -np.inf, np.inf)
    np.testing.assert_array_equal(z, [-1.5, 0.0, 0.0])


def test_free_does_nothing():
    assert penalties.Free().prox(1.5, 0.1, 2.0, 3.0) == 1.5
    assert penalties.Free().cost(1.5) == 0.0


quarters = st.integers(-40, 40).map(lambda k: k / 4)  # exact, and far apart beside the differences' step


@given(
    l1=quarters.map(abs),
    l2=quarters.map(abs),
    w=quarters,
    g=quarters,
    ends=st.tuples(quarters, quarters),
    where=st.sampled_from(["inside", "low", "high", "zero"]),
)
def test_the_smallest_subgradient_is_the_slope_downhill(l1, l2, w, g, ends, where):
    low, high = sorted(ends)
    w = {"inside": min(max(w, low), high), "low": low, "high": high, "zero": min(max(0.0, low), high)}[where]
    penalty, h = penalties.ElasticNet(l1, l2), 1e-7

    def fall(step):
        after = w + step
        return penalty.cost(w) - penalty.cost(after) - g * step if low <= after <= high else 0.0

    # Where the subgradient is zero, no way leads down.
    np.testing.assert_allclose(abs(penalty.slope(w, g, low, high)), max(0.0, fall(h), fall(-h)) / h, atol=1e-4)
    assert penalties.Free().slope(w, g, low, high) == g
