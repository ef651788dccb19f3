"""Typed states go to metadata and arrays and come back; what does not fit its annotation is refused by name."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple, TypedDict

import numpy as np
import pytest

from fastgd.results.serialization import Array, Range, Size, decode, encode


class Solver:
    """The state of one of several solvers."""

    classes: ClassVar[dict] = {}


@dataclass(frozen=True)
class Newton(Solver):
    weights: Annotated[np.ndarray, Array("lane", "models columns+1", finite=True)]
    width: float


@dataclass(frozen=True)
class Staged(Solver):
    weights: Annotated[np.ndarray, Array("lane", "models columns+1", finite=True)]
    slots: Annotated[np.ndarray, Array("lane", "models 2 columns+1")]
    best: Annotated[np.ndarray, Array("float64", "*targets columns")] | None = None


Solver.classes.update(newton=Newton, staged=Staged)


class Losses(TypedDict):
    train: Annotated[np.ndarray, Array("float64", "epochs")]
    test: Annotated[np.ndarray, Array("float64", "epochs")]


class Trend(NamedTuple):
    lowest: Annotated[list[float], Size("seen")]
    losses: np.ndarray


@dataclass(frozen=True)
class Run:
    epoch: Annotated[int, Range(0, 2**53)]
    stream: bool
    name: str
    rate: float
    order: Literal["cyclic", "drawn"]
    bounds: tuple[float, ...] | None
    words: dict[str, str]
    options: dict
    scale: Annotated[np.ndarray, Array("float64", "columns")]
    columns: Annotated[int, Size("columns")]
    solver: Solver
    losses: Losses
    trends: tuple[Trend, ...] = ()
    spare: Solver | None = None
    handy: dict = dataclasses.field(default_factory=dict, metadata={"saved": False})
    cached: float = dataclasses.field(init=False, default=1.0)


def run(**changes):
    fields = {
        "epoch": 3,
        "stream": False,
        "name": "ü",
        "rate": 0.1,
        "order": "cyclic",
        "bounds": (-1.0, 1.0),
        "words": {"tol": "off"},
        "options": {"alpha": 0.0, "validation": None, "list": [1, {"a": True}]},
        "scale": np.ones(3),
        "columns": 3,
        "solver": Newton(np.zeros((2, 4), np.float32), 0.5),
        "losses": {"train": np.ones(5), "test": np.zeros(5)},
        "trends": (Trend([1.0], np.ones(2)), Trend([0.5], np.ones(0))),
    }
    return Run(**{**fields, **changes})


def same(a, b):
    if isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b, strict=True)
    elif dataclasses.is_dataclass(a) or hasattr(a, "_fields"):
        assert type(a) is type(b)
        for name in a.__match_args__:
            same(getattr(a, name), getattr(b, name))
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for name in a:
            same(a[name], b[name])
    elif isinstance(a, (tuple, list)):
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert type(a) is type(b) and a == b


STATES = {
    "plain": run(),
    "another word": run(order="drawn"),
    "none": run(bounds=None),
    "another class": run(solver=Staged(np.zeros((2, 4)), np.zeros((2, 2, 4)), np.ones(3))),
    "any leading dimensions": run(solver=Staged(np.zeros((2, 4)), np.zeros((2, 2, 4)), np.ones((2, 1, 3)))),
    "no array": run(solver=Staged(np.zeros((2, 4)), np.zeros((2, 2, 4)))),
    "two of several classes": run(spare=Newton(np.zeros((2, 4), np.float32), 1.0)),
    "no list": run(trends=()),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_comes_back(name):
    state = STATES[name]
    metadata, arrays = encode(state)
    again = json.loads(json.dumps(metadata))
    assert again == metadata
    same(decode(Run, again, arrays), state)


def test_arrays_lie_under_dotted_names():
    metadata, arrays = encode(run())
    assert list(arrays) == [
        "scale",
        "solver.weights",
        "losses.train",
        "losses.test",
        "trends.0.losses",
        "trends.1.losses",
    ]
    assert metadata["solver"] == {"class": "newton", "width": 0.5}
    assert "cached" not in metadata and "handy" not in metadata


def changed(metadata, arrays, place, value):
    """Metadata and arrays with another value at a place; KeyError takes it away."""
    metadata, arrays = json.loads(json.dumps(metadata)), dict(arrays)
    if place in arrays:
        inner, name = arrays, place
    else:
        *path, name = place.split(".")
        inner = metadata
        for step in path:
            inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    if value is KeyError:
        del inner[name]
    else:
        inner[int(name) if isinstance(inner, list) else name] = value
    return metadata, arrays


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("epoch", KeyError, "'epoch' is missing."),
        ("scale", KeyError, "'scale' is missing."),
        ("solver.weights", KeyError, "'solver.weights' is missing."),
        ("solver.width", KeyError, "'solver.width' is missing."),
        ("extra", 1, "'extra' is not known."),
        ("solver.extra", 1, "'solver.extra' is not known."),
        ("epoch", True, "'epoch' must be int, got True."),
        ("epoch", 1.0, "'epoch' must be int, got 1.0."),
        ("epoch", -1, "'epoch' must be int, from 0 to 9007199254740992, got -1."),
        ("epoch", 2**70, "'epoch' must be int, from 0 to 9007199254740992, got 1180591620717411303424."),
        ("epoch", None, "'epoch' must be int, got None."),
        ("stream", 0, "'stream' must be bool, got 0."),
        ("name", ["ü"], "'name' must be str, got ['ü']."),
        ("rate", 1, "'rate' must be float, got 1."),
        ("order", 1, "'order' must be 'cyclic' or 'drawn', got 1."),
        ("order", "full", "'order' must be 'cyclic' or 'drawn', got 'full'."),
        ("bounds", 1.0, "'bounds' must be tuple, got 1.0."),
        ("bounds", [1.0, "x"], "'bounds.1' must be float, got 'x'."),
        ("words", [], "'words' must be dict, got []."),
        ("words.tol", 1, "'words.tol' must be str, got 1."),
        ("options", None, "'options' must be dict, got None."),
        ("scale", np.ones(4), "'columns' must be int, as many as columns, got 3."),
        ("columns", 4, "'columns' must be int, as many as columns, got 4."),
        (
            "solver.weights",
            np.ones((2, 5)),
            "'solver.weights' must be an array, finite lane of shape (models, columns+1), got",
        ),
        ("scale", np.ones(3, np.float32), "'scale' must be an array, float64 of shape (columns), got float32 of shape"),
        ("scale", np.ones((1, 3)), "'scale' must be an array"),
        ("scale", np.array(["a"]), "'scale' must be an array"),
        ("solver.weights", np.full((2, 4), np.nan), "'solver.weights' must be an array, finite"),
        ("solver.weights", np.ones((2, 4), int), "'solver.weights' must be an array, finite"),
        ("solver", None, "'solver' must be one of newton, staged, got None."),
        ("solver", {"class": "other"}, "'solver' must be one of newton, staged, got 'other'."),
        ("solver.class", ["newton"], "'solver' must be one of newton, staged, got ['newton']."),
        ("losses.test", np.ones(4), "'losses.test' must be an array, float64 of shape (epochs)"),
        ("losses.train", KeyError, "'losses.train' is missing."),
        ("losses", [], "'losses' must be a Losses, got []."),
        ("solver", {"width": 0.5}, "'solver' must be one of newton, staged, got None."),
        ("trends", {"0": 1}, "'trends' must be tuple, got {'0': 1}."),
        ("trends.0", [], "'trends.0' must be a Trend, got []."),
        ("trends.1.lowest", [1.0, 2.0], "'trends.1.lowest' must be list, as many as seen, got [1.0, 2.0]."),
        ("trends.0.lowest", [None], "'trends.0.lowest.0' must be float, got None."),
    ],
)
def test_what_does_not_fit_is_refused_by_name(place, value, message):
    metadata, arrays = changed(*encode(run()), place, value)
    with pytest.raises(ValueError) as caught:
        decode(Run, metadata, arrays)
    assert type(caught.value) is ValueError
    assert str(caught.value).startswith(message)


def test_arrays_that_no_field_asks_for_are_refused():
    metadata, arrays = encode(run())
    with pytest.raises(ValueError, match=r"^'other' is not known\.$"):
        decode(Run, metadata, {**arrays, "other": np.ones(1)})


def test_names_mean_the_same_in_all_states():
    """Columns and types are the same in the run and in the state of its solver."""
    staged = Staged(np.zeros((2, 4)), np.zeros((2, 2, 4)))
    for other in (
        dataclasses.replace(staged, slots=np.zeros((2, 2, 4), np.float32)),
        dataclasses.replace(staged, slots=np.zeros((3, 2, 4))),
        dataclasses.replace(staged, slots=np.zeros((2, 3, 4))),
        dataclasses.replace(staged, slots=np.zeros((2, 2, 0))),
        dataclasses.replace(staged, best=np.zeros((2, 4))),
        dataclasses.replace(staged, best=np.array(1.0)),
    ):
        with pytest.raises(ValueError, match=r"^'solver\.(slots|best)' must be"):
            decode(Run, *encode(run(solver=other)))
