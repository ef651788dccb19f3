"""The grid of settings that lists span."""

import dataclasses

import numpy as np
import pytest

from fastgd.inputs.grid import expand
from fastgd.parts.optimizers import Adam, Momentum


def test_a_grid_is_every_combination_the_last_fastest():
    grid = expand({"a": [1, 2], "b": "x", "c": (3, 4, 5)})
    assert [(p["a"], p["b"], p["c"]) for p in grid.points] == [(a, "x", c) for a in (1, 2) for c in (3, 4, 5)]
    assert grid.settings == {"a": [1, 1, 1, 2, 2, 2], "c": [3, 4, 5, 3, 4, 5]}


def test_fields_of_parts_are_axes_and_parts_are_not():
    grid = expand({"rate": np.array([0.1, 0.2]), "optimizer": Momentum([0.5, 0.9]), "other": Adam()})
    assert [p["optimizer"] for p in grid.points] == [Momentum(0.5), Momentum(0.9)] * 2
    assert grid.settings == {"rate": [0.1, 0.1, 0.2, 0.2], "optimizer.beta": [0.5, 0.9, 0.5, 0.9]}
    assert all(type(value) is float for value in grid.settings["rate"])


def test_pairs():
    grid = expand({"a": [1, 2], "b": 0, "c": [3, 4]}, product=False)
    assert grid.points == [{"a": 1, "b": 0, "c": 3}, {"a": 2, "b": 0, "c": 4}]
    with pytest.raises(ValueError, match=r"product=False .*'a': 2, 'c': 3"):
        expand({"a": [1, 2], "c": [3, 4, 5]}, product=False)


def test_one_point_without_axes():
    for product in (True, False):
        assert expand({"a": 1, "b": np.float64(2)}, product) == ([{"a": 1, "b": 2.0}], {})


def test_axes_that_are_none():
    with pytest.raises(ValueError, match="a is an empty list"):
        expand({"a": []})
    with pytest.raises(ValueError, match=r"a has shape \(2, 2\)"):
        expand({"a": np.ones((2, 2))})


def test_fields_of_a_dataclass_are_axes():
    @dataclasses.dataclass
    class Own:
        power: float = 1.0
        start: float = 0.1

    grid = expand({"rate": Own(power=[1.0, 2.0])})
    assert [point["rate"] for point in grid.points] == [Own(1.0), Own(2.0)]
    assert grid.settings == {"rate.power": [1.0, 2.0]}
    assert expand({"rate": Own}).points == [{"rate": Own}]  # a class is one value


def test_a_tuple_that_is_one_value():
    assert expand({"bounds": (0, 1)}, pairs=("bounds",)) == ([{"bounds": (0, 1)}], {})
    grid = expand({"bounds": [(0, 1), None]}, pairs=("bounds",))
    assert grid.settings == {"bounds": [(0, 1), None]}
    assert expand({"bounds": (0, 1)}).settings == {"bounds": [0, 1]}


def test_a_list_of_one_varies_too():
    assert expand({"a": [1], "b": (2,)}, product=False) == ([{"a": 1, "b": 2}], {"a": [1], "b": [2]})
