"""Parameters in nests: any nest there and back, its names, and what none is."""

import collections
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fastgd.inputs.nest import DEEPEST, Nest, nest_of


class Pair(NamedTuple):
    first: object
    second: object


NUMBERS = st.floats(-(2.0**99), 2.0**99, width=32)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
LEAVES = NUMBERS | st.integers(-1000, 1000) | arrays.arrays(np.float64, SHAPES, elements=NUMBERS)
NESTS = st.recursive(
    LEAVES,
    lambda inner: (
        st.dictionaries(st.text(max_size=4), inner, max_size=3)
        | st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=8,
)


def holds_nests(value):
    """Whether it is a dict, list or tuple of more; a list of numbers is an array."""
    plain = isinstance(value, list) and all(isinstance(item, (int, float)) for item in value)
    return isinstance(value, (dict, list, tuple)) and not plain


def leaves(nest):
    """The numbers and arrays of a nest in their order."""
    if not holds_nests(nest):
        return [np.asarray(nest, float)]
    return [leaf for item in (nest.values() if isinstance(nest, dict) else nest) for leaf in leaves(item)]


def alike(found, nest):
    """Assert that parameters have the form and the numbers of a nest."""
    if not holds_nests(nest):
        assert type(found) is (np.ndarray if isinstance(nest, (np.ndarray, list)) else float)
        np.testing.assert_array_equal(found, np.asarray(nest, float))
        return
    assert type(found) is type(nest) and len(found) == len(nest)
    if isinstance(nest, dict):
        assert list(found) == list(nest)
        found, nest = found.values(), nest.values()
    for one, item in zip(found, nest, strict=True):
        alike(one, item)


@given(NESTS)
def test_any_nest_there_and_back(given):
    found = leaves(given)
    if not sum(leaf.size for leaf in found):
        with pytest.raises(ValueError, match="x0 is empty"):
            nest_of(given)
        return
    nest, flat = nest_of(given)
    assert flat.shape == (nest.size,) and flat.dtype == nest.dtype == np.float64
    np.testing.assert_array_equal(flat, np.concatenate([leaf.ravel() for leaf in found]))
    alike(nest.of(flat), given)
    again, other = nest_of(nest.of(flat))
    assert again == nest and hash(nest.form) == hash(again.form)
    np.testing.assert_array_equal(other, flat)
    np.testing.assert_array_equal(nest.lengths, [length for leaf in found for length in leaf.shape])
    # Into other arrays, over other numbers, and as a file holds it.
    target = np.full(nest.size, np.nan)
    nest.store("given", nest.of(flat), nest.arrays(target))
    np.testing.assert_array_equal(target, flat)
    np.testing.assert_array_equal(nest.spread("given", nest.of(flat), 0.0), flat)
    kept = Nest.from_facts(nest.facts(), nest.dtype)
    assert kept.leaves == nest.leaves and kept.size == nest.size
    assert len({nest.place(j) for j in range(nest.size)}) == nest.size


@given(NESTS, st.data())
def test_a_number_that_is_not_finite_is_named(given, data):
    sizes = [leaf.size for leaf in leaves(given)]
    if not sum(sizes):
        return
    nest, flat = nest_of(given)
    j = data.draw(st.integers(0, nest.size - 1))
    flat[j] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with pytest.raises(ValueError, match="is NaN or infinite: the start must be finite") as error:
        nest_of(nest.of(flat))
    assert str(error.value).startswith(nest.place(j) + " ")
    assert nest_of(nest.of(flat), finite=False)[0] == nest


@pytest.mark.parametrize(
    ("x0", "names"),
    [
        (1.0, ["x0"]),
        (True, ["x0"]),
        (np.float32(1), ["x0"]),
        ([1, 2.0], ["x0"]),
        ([[1.0], [2.0]], ["x0[0]", "x0[1]"]),
        (({"a": 1.0}, [np.zeros(2), 3]), ["x0[0]['a']", "x0[1][0]", "x0[1][1]"]),
        (Pair(1.0, {"b c": np.zeros((2, 2))}), ["x0[0]", "x0[1]['b c']"]),
        (collections.OrderedDict(b=1.0, a=2.0), ["x0['b']", "x0['a']"]),
    ],
)
def test_names(x0, names):
    nest, _ = nest_of(x0)
    assert [leaf.name for leaf in nest.leaves] == names


def test_types():
    single, double = np.float32(1), np.ones(2)
    assert nest_of([single, np.ones(2, np.float16)])[0].dtype == np.float32
    assert nest_of({"a": single, "b": double})[0].dtype == np.float64
    for one in (1, True, 1.0, np.int8(1), np.ones(2, bool), np.longdouble(1)):
        assert nest_of(one)[0].dtype == np.float64
    assert nest_of(double, dtype=np.dtype(np.float32))[1].dtype == np.float32


def test_what_is_no_nest():
    cases = {
        "x0=None": None,
        "x0 has dtype <U1": "a",
        "x0['a'] has dtype <U1": {"a": "b"},
        "x0 has the key 1: names of parameters must be strings": {1: 2.0},
        "x0[1] has dtype complex128": [np.ones(2), np.ones(2, complex)],
        "x0 is a set": {1.0},
        "x0[0] is a generator": (iter_of(),),
        "x0['a'] is a masked array": {"a": np.ma.ones(2)},
        "x0 is empty": [{}, (), np.zeros((3, 0))],
        "x0 holds objects": np.array([1.0, "a"], object),
    }
    for words, x0 in cases.items():
        with pytest.raises((TypeError, ValueError)) as error:
            nest_of(x0)
        assert str(error.value).startswith(words), (words, error.value)


def iter_of():
    yield 1.0


def test_deep_and_circular_nests():
    deep = 1.0
    for _ in range(DEEPEST):
        deep = {"a": deep}
    assert nest_of(deep)[0].size == 1
    with pytest.raises(ValueError, match=f"more than {DEEPEST}"):
        nest_of({"a": deep})
    circle = [np.zeros(1)]
    circle.append(circle)
    with pytest.raises(ValueError, match=f"more than {DEEPEST}"):
        nest_of(circle)


NEST = nest_of({"w": np.zeros((2, 3)), "b": [0.0, np.zeros(2)]})[0]
RIGHT = {"w": np.ones((2, 3)), "b": (1, [1, 1])}


def test_other_parameters_than_those_of_the_form():
    NEST.store("given", RIGHT, NEST.arrays(np.zeros(9)))
    wrong = {
        "given must be a dict with the keys of x0, ['w', 'b']; got the keys ['w']": {"w": 1},
        "given must be a dict with the keys of x0, ['w', 'b']; got 3": 3,
        "given['w'] has shape (3, 2); x0['w'] has shape (2, 3)": RIGHT | {"w": np.ones((3, 2))},
        "given['w'] has shape (); x0['w'] has shape (2, 3)": RIGHT | {"w": 1.0},
        "given['b'] must be a list or tuple of 2 items, as x0 is; got 3 items": RIGHT | {"b": [1, 2, 3]},
        "given['b'] must be a list or tuple of 2 items, as x0 is; got None": RIGHT | {"b": None},
        "given['b'][1] has shape (1,); x0['b'][1] has shape (2,)": RIGHT | {"b": [1, [1]]},
    }
    for words, other in wrong.items():
        with pytest.raises(ValueError) as error:
            NEST.store("given", other, NEST.arrays(np.zeros(9)))
        assert str(error.value).startswith(words)


def test_numbers_for_all_parameters():
    cases = [
        (3, [3] * 9),
        (None, [7] * 9),
        (np.arange(9), np.arange(9)),
        ({"w": 1, "b": [None, 2]}, [1] * 6 + [7, 2, 2]),
        ({"w": np.arange(6).reshape(2, 3), "b": (0, [8, 9])}, [0, 1, 2, 3, 4, 5, 0, 8, 9]),
    ]
    for numbers, expected in cases:
        np.testing.assert_array_equal(NEST.spread("given", numbers, 7.0), expected)
    with pytest.raises(ValueError, match=r"given\['w'\] has shape \(2,\): a number or shape \(2, 3\) is needed"):
        NEST.spread("given", {"w": [1, 2], "b": [0, 0]}, 0.0)
    with pytest.raises(TypeError, match=r"given\['w'\] has dtype <U1"):
        NEST.spread("given", {"w": "a", "b": [0, 0]}, 0.0)


@pytest.mark.parametrize(
    "facts",
    [
        3, [], [["number"]], [["number"], []], [["array", 1], [["x0", [-1], False]]], [["array", "a"], []],
        [["other"], [["x0", [], True]]], [["list", [["number"]]], []], [["array", 1], [["x0", ["a"], False]]],
        [["number"], [["x0", [2], True]]], [["array", 2], [["x0", [2], False]]],
        [["number"], [["x0", [], True], ["x1", [], True]]], [["number", 1], [["x0", [], True]]],
        [["dict", [["a"]]], [["x0", [], True]]], [["array", 2], [["x0", [-1, -1], False]]],
    ],
)  # fmt: skip
def test_facts_that_are_no_nest(facts):
    with pytest.raises(ValueError, match="'params' is not the form of parameters"):
        Nest.from_facts(facts, np.float64)
