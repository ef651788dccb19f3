"""Hostile lists, splits, scorers and tables of targets; as in ``abuse_data``."""

import numpy as np
import pandas as pd
from abuse_data import Call, D, N, Unprintable, endless, good, inf, most, nan, raising, tiny

from fastgd import losses, optimizers, schedules


def kinds(*names):
    """A column of so many classes in turn."""
    return np.resize(np.array(names), N)


# Lists --------------------------------------------------------------------------------------------------------------

LISTS = {
    "learning_rate": [
        [],
        (),
        np.empty(0),
        np.ones((2, 2)),
        [0.1, -1.0],
        [0.1, nan],
        [0.1, None],
        ["auto", "Auto"],
        [[0.1]],
        [0.1, [0.2]],
        [inf, 0.1],
        [1e308, tiny],
        [0.1, True],
        range(3),
        range(0),
        pd.Series([0.1, 0.2]),
        np.array([0.1, 1j]),
        np.array(["a", "b"]),
        np.ma.masked_less([0.1, 0.2], 0.15),
        [schedules.Cosine, 0.1],
        schedules.Cosine([0.1, nan]),
        schedules.Warmup(then=[0.1]),
        [schedules.Warmup(), schedules.Warmup(schedules.Cosine())],
        np.geomspace(1e-9, 1e9, 300),
    ],
    "alpha": [[], [0.1, -1], [nan], [most, 0], [[0.1]], ["0.1"], np.eye(2), [10**400], [True]],
    "l1_ratio": [[], [0.5, 2], [nan], [None]],
    "loss": [
        [],
        ["mse", "ems"],
        ["mse", "log_loss"],
        ["mse", "poisson"],
        ["huber", "multinomial"],
        [losses.Huber, "mse"],
        [losses.Huber([1.0])],
        losses.Huber([1.0, nan]),
        losses.Huber([]),
        losses.Huber([[1.0]]),
        ["mse", None],
    ],
    "optimizer": [
        [],
        ["sgd", "dgs"],
        optimizers.Momentum([0.5, 1.5]),
        optimizers.Adam(beta1=[], beta2=[0.9]),
        [optimizers.Adam, "sgd"],
        ["auto", "sgd"],
        [None],
    ],
    "batch_size": [[], [0], [1.5, 2], [None, 10**18], ["auto", None], [[2]]],
    "bounds": [
        [],
        [(0, 1), (1, 0)],
        [(nan, 1)],
        [None, (0, 1, 2)],
        [[0, 1]],
        ((0, 1), (0, 2)),
        [([0, 0], 1)],
        [(0, 1), "ab"],
        [(most, most)],
    ],
    "random_state": [[], [0, -1], [0, None], [np.random.default_rng(0), 1], ["a"], [2**64], [0, 0, 0]],
    "epochs": [[1, 2], [], np.array([1, 2])],
    "tol": [[1e-3], []],
    "n_threads": [[1, 2]],
    "standardize": [[True, False]],
    "fit_intercept": [[True, False]],
    "shuffle": [["block", False]],
    "average": [[True]],
    "product": [None, 1, "yes", [True]],
    "keep": [
        "halve",
        "",
        3,
        0,
        True,
        [0],
        [-1],
        [1.5],
        [nan],
        [[1]],
        ["1"],
        [10**30],
        [2, 2, 1],
        (),
        {1},
        {1: 2},
        endless(),
    ],
}

# Cross-validation ---------------------------------------------------------------------------------------------------


class Splitter:
    """A splitter of scikit-learn's kind that gives what it is told."""

    def __init__(self, splits):
        self.splits = splits

    def get_n_splits(self, *_):
        return 2

    def split(self, X, y=None, groups=None):
        return self.splits() if callable(self.splits) else self.splits


HALVES = (list(range(6)), list(range(6, N)))


def writing(X, y):
    """A pair, after an attempt to write into the data."""
    X[0, 0] = nan
    return [HALVES]


class Writer(Splitter):
    def split(self, X, y=None, groups=None):
        return writing(X, y)


CV = {
    "cv": [
        1,
        0,
        N + 1,
        N,
        10**18,
        -3,
        2.5,
        [],
        [HALVES, 3],
        [HALVES[::-1], HALVES],
        [([], [1])],
        [([0], [])],
        [([0, N], [1])],
        [([-1], [1])],
        [([0, 1], [1])],
        [([0], [1, 1])],
        [([0] * 127, [1])],
        [([0] * 128, [1])],
        [([0.0], [1])],
        [(np.ones(N, bool), np.zeros(N, bool))],
        [(np.ones(N + 1, bool), [0])],
        [([[0]], [1])],
        [("ab", [1])],
        [(range(6), range(6, 10**6))],
        [(endless(), [1])],
        HALVES,
        Splitter([HALVES]),
        Splitter([]),
        Splitter(None),
        Splitter(raising),
        Splitter([(Unprintable(), [1])]),
        Splitter,
        Writer([]),
    ],
    "groups": [kinds(1, 2, 3), [nan] * N, "ab", [1], endless(), None],
    "scoring": [
        "r2",
        "r3",
        "accuracy",
        "neg_log_loss",
        "",
        ["r2"],
        {"a": "r2"},
        raising,
        lambda *_: nan,
        lambda *_: -inf,
        lambda *_: "good",
        lambda *_: None,
        lambda *_: np.ones(2),
        lambda *_: 1j,
        lambda *_: Unprintable(),
        lambda *_: 10**400,
        lambda: 1.0,
        lambda estimator, X, y: X.fill(nan) or 1.0,
        lambda estimator, X, y: estimator.coef.fill(nan) or 1.0,
        int,
    ],
    "refit": [None, 1, "best", "simplest", True, np.True_, [True], 0.0],
    "validation": [0.2],
    "keep": ["halving", [1], [10**9]],
    "product": ["no"],
}

# Targets ------------------------------------------------------------------------------------------------------------


def columns(*names):
    """A table of the good targets, some of them changed."""
    y = good()["y"]
    made = {"good": y, "zero": 0 * y, "NaN": np.r_[nan, y[1:]], "infinite": np.r_[y[1:], inf], "huge": 1e300 * y}
    made |= {"largest": np.where(y > 0, most, -most), "tiny": tiny * y, "constant": 0 * y + 1e12}
    return np.column_stack([made[name] for name in names])


TARGETS = {
    "two": lambda: columns("good", "good"),
    "one": lambda: columns("good"),
    "zeros": lambda: columns("good", "zero"),
    "NaN in one": lambda: columns("good", "NaN"),
    "infinity in one": lambda: columns("infinite", "good"),
    "huge beside good": lambda: columns("good", "huge"),
    "largest": lambda: columns("good", "largest"),
    "tiny beside huge": lambda: columns("tiny", "huge"),
    "constants": lambda: columns("constant", "zero"),
    "none": lambda: np.empty((N, 0)),
    "on its side": lambda: columns("good", "good").T,
    "a row short": lambda: columns("good", "good")[1:],
    "three dimensions": lambda: columns("good")[None],
    "columns first in memory": lambda: np.asfortranarray(columns("good", "good")),
    "every other": lambda: np.repeat(columns("good", "good"), 2, axis=1)[:, ::2],
    "float16": lambda: columns("good", "good").astype(np.float16),
    "integers": lambda: columns("good", "good").astype(int),
    "truths": lambda: columns("good", "good") > 0,
    "words": lambda: columns("good", "good").astype(str),
    "objects": lambda: columns("good", "good").astype(object),
    "complex": lambda: columns("good", "good") * 1j,
    "a frame": lambda: pd.DataFrame(columns("good", "good"), columns=["a", "a"]),
    "a frame with NA": lambda: pd.DataFrame({"a": [1.0] * N, "b": [pd.NA] * N}),
    "lists": lambda: columns("good", "good").tolist(),
    "ragged": lambda: [[1.0]] * (N - 1) + [[1.0, 2.0]],
    "many": lambda: np.tile(columns("good"), 600),
    "of float32 rows": lambda: Call(X=good()["X"].astype(np.float32), y=columns("good", "huge")),
    "with weights": lambda: Call(y=columns("good", "zero"), sample_weight=np.r_[np.zeros(N - 1), 1.0]),
    "of one row": lambda: Call(X=np.ones((1, D)), y=np.ones((1, 2))),
}
CLASSES = {
    "three": lambda: kinds("a", "b", "c"),
    "two": lambda: kinds("a", "b"),
    "one": lambda: kinds("a"),
    "all different": lambda: np.arange(N),
    "numbers": lambda: kinds(-1.5, 0.0, 1e300),
    "NaN": lambda: kinds(0.0, 1.0, nan),
    "infinity": lambda: kinds(0.0, 1.0, inf),
    "mixed": lambda: np.resize(np.array([1, "a", None], object), N),
    "unhashable": lambda: [[1], [2]] * (N // 2),
    "truths": lambda: kinds(True, False),
    "dates": lambda: kinds("2020-01-01", "2021-01-01").astype("M8[D]"),
    "bytes": lambda: kinds(b"a", b"b", b"c"),
    "empty words": lambda: kinds("", " ", "\0"),
    "a category": lambda: pd.Categorical(kinds("a", "b", "c")),
    "a frame": lambda: pd.DataFrame({"y": kinds("a", "b", "c")}),
    "two columns": lambda: np.column_stack([kinds("a", "b"), kinds("a", "b")]),
    "a short one": lambda: kinds("a", "b")[1:],
    "weight on one class": lambda: Call(y=kinds("a", "b"), sample_weight=np.resize([1.0, 0.0], N)),
    "huge rows": lambda: Call(X=1e154 * good()["X"], y=kinds("a", "b", "c")),
    "the same rows": lambda: Call(X=np.ones((N, D)), y=kinds("a", "b", "c")),
}
REPLICATES = {
    "bootstrap": [1, 2, 0, -1, 2.5, "200", None, nan, True, 10**400, 2**63, [5], np.int8(3)],
    "alpha": [1e300],
    "learning_rate": [1e300, tiny],
    "batch_size": [1, 4],
    "validation": [0.3],
    "resume": ["missing.npz", 3],
}
