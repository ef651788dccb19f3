"""The door: every bad input is one clear error that names the argument, before anything is compiled or run."""

import re

import numpy as np
import pandas as pd
import pytest

import fastgd
from fastgd import losses, optimizers, reference, schedules
from fastgd.inputs import arguments, arrays

X = np.random.default_rng(0).standard_normal((12, 3))
y = X @ [1.0, 2.0, 3.0]
nan, inf = np.nan, np.inf


def with_value(array, index, value):
    array = np.array(array, float)
    array[index] = value
    return array


BAD_DATA = {
    "X has no rows": ({"X": X[:0], "y": y[:0]}, ValueError, "X is empty: its shape is (0, 3)"),
    "X has no columns": ({"X": X[:, :0]}, ValueError, "X is empty: its shape is (12, 0)"),
    "X of 1 dimension": ({"X": X[:, 0]}, ValueError, "X.reshape(-1, 1)"),
    "X of 0 dimensions": ({"X": 3.0}, ValueError, "X must have 2 dimensions"),
    "X of 3 dimensions": ({"X": X[None]}, ValueError, "X must have 2 dimensions"),
    "X ragged": ({"X": [[1.0], [1.0, 2.0]]}, ValueError, "X can't be converted to an array"),
    "X of strings": ({"X": [["a", "b"]] * 12}, TypeError, "X has dtype <U1"),
    "X of objects": ({"X": np.array([[{}]] * 12)}, TypeError, "X holds objects"),
    "X complex": ({"X": X + 1j}, TypeError, "X has dtype complex128"),
    "X of dates": ({"X": np.zeros((12, 1), "M8[s]")}, TypeError, "X has dtype datetime64[s]"),
    "X masked": ({"X": np.ma.masked_greater(X, 0)}, TypeError, "X is a masked array"),
    "X with a column of words": ({"X": pd.DataFrame({"a": y, "town": ["b"] * 12})}, TypeError, "'town'"),
    "y too short": ({"y": y[:-1]}, ValueError, "y has 11 rows, but X has 12"),
    "y of 3 dimensions": ({"y": X[None]}, ValueError, "y must have shape (rows,) or (rows, targets), got (1, 12, 3)"),
    "y of no target": ({"y": X[:, :0]}, ValueError, "y must have shape (rows,) or (rows, targets), got (12, 0)"),
    "labels of 2 dimensions": ({"y": X, "loss": "log_loss"}, ValueError, "pass one column of labels at a time"),
    "y a number": ({"y": 1.0}, ValueError, "y must have shape (rows,)"),
    "a target NaN": ({"y": with_value(X, (4, 1), nan)}, ValueError, "y holds NaN or infinity, the first in row 4"),
    "a target of counts": ({"y": -np.abs(X) - 1, "loss": "poisson"}, ValueError, "y[0, 0] = "),
    "y NaN": ({"y": with_value(y, 4, nan)}, ValueError, "y holds NaN or infinity, the first in row 4"),
    "y infinite": ({"y": with_value(y, 11, -inf)}, ValueError, "y holds NaN or infinity, the first in row 11"),
    "y of strings": ({"y": ["a", "b"] * 6}, TypeError, "y has dtype <U1"),
    "y complex": ({"y": y + 1j}, TypeError, "y has dtype complex128"),
    "y too large for float32": ({"X": X.astype("f4"), "y": with_value(y, 2, 1e300)}, ValueError, "y[2] = 1e+300"),
    "weights too short": ({"sample_weight": np.ones(11)}, ValueError, "sample_weight has shape (11,)"),
    "weights of 2 dimensions": ({"sample_weight": np.ones((12, 1))}, ValueError, "sample_weight has shape (12, 1)"),
    "weights NaN": ({"sample_weight": with_value(np.ones(12), 3, nan)}, ValueError, "sample_weight holds NaN"),
    "weights infinite": ({"sample_weight": with_value(np.ones(12), 3, inf)}, ValueError, "sample_weight holds NaN"),
    "weights negative": (
        {"sample_weight": with_value(np.ones(12), 3, -1)},
        ValueError,
        "sample_weight is negative in row 3",
    ),
    "weights zero": ({"sample_weight": np.zeros(12)}, ValueError, "sample_weight is zero in every row"),
    "weights of strings": ({"sample_weight": ["a"] * 12}, TypeError, "sample_weight has dtype"),
    "one class": (
        {"y": ["a"] * 12, "loss": "log_loss"},
        ValueError,
        "y must hold two classes for this loss, got 1: 'a'",
    ),
    "three classes": ({"y": [0, 1, 2] * 4, "loss": "log_loss"}, ValueError, "got 3: 0, 1, 2"),
    "many classes": ({"y": np.arange(12), "loss": "log_loss"}, ValueError, "got 12: 0, 1, 2, 3, 4, ..."),
    "a NaN class": ({"y": [0.0, nan] * 6, "loss": "log_loss"}, ValueError, "y holds NaN"),
    "mixed classes": ({"y": np.array(["a", None] * 6), "loss": "log_loss"}, TypeError, "y holds labels"),
    "complex classes": ({"y": np.array([1j, 0] * 6), "loss": "log_loss"}, TypeError, "y has dtype complex128"),
}

BAD_SETTINGS = {
    "loss": [
        ("square_error", ValueError, "'squared_error'"),
        (3, TypeError, ""),
        (losses.Huber, TypeError, "Call it: Huber()"),
    ],
    "optimizer": [("addam", ValueError, "'adam'"), (losses.Huber(), TypeError, ""), (None, TypeError, "")],
    "learning_rate": [
        (0, ValueError, "greater than 0"),
        (-0.1, ValueError, "greater than 0"),
        (nan, ValueError, ""),
        (inf, ValueError, ""),
        ("constnt", ValueError, "'constant'"),
        (True, TypeError, ""),
        ([0.1, 0.2], TypeError, ""),
        (None, TypeError, ""),
    ],
    "batch_size": [(0, ValueError, "at least 1"), (-1, ValueError, ""), (2.5, TypeError, ""), ("all", TypeError, "")],
    "alpha": [(-1, ValueError, "at least 0"), (nan, ValueError, ""), ("1", TypeError, "")],
    "l1_ratio": [(-0.1, ValueError, "[0, 1]"), (1.1, ValueError, "[0, 1]")],
    "fit_intercept": [(1, TypeError, "True or False"), ("yes", TypeError, "")],
    "standardize": [(1, ValueError, "True, False"), ("yes", ValueError, "'scale'"), ("scal", ValueError, "'scale'")],
    "epochs": [
        (-1, ValueError, "at least 0"),
        (1.5, TypeError, "whole"),
        (inf, (TypeError, ValueError), ""),
        (2**63, ValueError, ""),
    ],
    "max_steps": [(-1, ValueError, "at least 0"), ("x", TypeError, "")],
    "tol": [(-1e-3, ValueError, "at least 0"), (nan, ValueError, ""), ("x", TypeError, "")],
    "shuffle": [("blocks", ValueError, "'block'"), (True, ValueError, ""), (0, ValueError, "")],
    "patience": [(0, ValueError, "at least 1")],
    "evaluate": [(1, TypeError, "True or False")],
    "random_state": [(-1, ValueError, "at least 0"), (1.5, TypeError, ""), ("x", TypeError, "")],
    "n_threads": [(0, ValueError, "at least 1"), (1.5, TypeError, "")],
    "callback": [(3, TypeError, "callable")],
    "verbose": [(-1, ValueError, "at least 0")],
    "bounds": [
        (3, ValueError, "a pair (low, high)"),
        ((1, 0), ValueError, "of column 0 are empty"),
        (([0, 0, 2], [1, 1, 1]), ValueError, "of column 2 are empty"),
        ((inf, None), ValueError, "empty"),
        ((nan, 1), ValueError, "(low) holds NaN"),
        (([0, 0], None), ValueError, "(low) has shape (2,)"),
        ((None, "x"), TypeError, "(high)"),
    ],
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_named(case):
    data, error, words = BAD_DATA[case]
    with pytest.raises(error, match=re.escape(words)):
        fastgd.fit(**{"X": X, "y": y, **data})


@pytest.mark.parametrize(
    "name, value, error, words", [(k, *case) for k, cases in BAD_SETTINGS.items() for case in cases]
)
def test_bad_settings_are_named(name, value, error, words):
    for fit in (fastgd.fit, reference.fit):
        with pytest.raises(error, match=f"{name}.*{re.escape(words)}"):
            fit(X, y, **{name: value})


def test_an_unknown_name_shows_all_that_are_known():
    with pytest.raises(ValueError, match=r"loss='squre' is not known\..*Valid are: .*'squared_error'.*'log_loss'"):
        fastgd.fit(X, y, loss="squre")
    with pytest.raises(TypeError, match="learnin_rate"):
        fastgd.fit(X, y, learnin_rate=0.1)


@pytest.mark.parametrize(
    "part, words",
    [
        (losses.Huber(delta=0.0), "loss.delta=0"),
        (losses.Huber(delta=nan), "loss.delta=nan"),
        (losses.Huber(delta="x"), "loss.delta='x'"),
        (optimizers.Adam(beta1=1.0), "optimizer.beta1=1"),
        (optimizers.Adam(beta2=-0.1), "optimizer.beta2=-0.1"),
        (optimizers.Momentum(beta=1.5), "optimizer.beta=1.5"),
        (schedules.Constant(0.0), "learning_rate.initial=0"),
        (schedules.InverseScaling(0.1, inf), "learning_rate.power=inf"),
    ],
)
def test_bad_fields_of_parts_are_named(part, words):
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        fastgd.fit(X, y, **{words.partition(".")[0]: part})


@pytest.mark.parametrize("batch", [None, 1, 4])
@pytest.mark.parametrize("rate", ["auto", 0.01])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_non_finite_x_is_found_by_the_passes_themselves(value, standardize, rate, batch):
    options = {"standardize": standardize, "learning_rate": rate, "batch_size": batch, "epochs": 20}
    bad = with_value(X, (7, 1), value)
    with pytest.raises(ValueError, match="X holds NaN or infinity, the first in row 7, column 1"):
        fastgd.fit(bad, y, **options)
    with pytest.raises(ValueError, match="row 7, column 'b'"):
        fastgd.fit(pd.DataFrame(bad, columns=list("abc")), y, **options)


def test_squares_that_overflow_are_an_error_and_no_divergence():
    with pytest.raises(ValueError, match=r"column 0.*overflow"):
        fastgd.fit(X * [1e200, 1, 1], y)
    with pytest.raises(ValueError, match="overflow"):
        fastgd.fit(X * [1e200, 1, 1], y, standardize=False)


def test_canonical_data_is_not_copied_and_never_writable():
    for kind in (np.float32, np.float64):
        given = X.astype(kind)
        table = arrays.table(given, y.astype(kind), None, losses.Mse())
        assert np.shares_memory(table.X.values, given)
        assert not table.X.values.flags.writeable
        assert not table.y.flags.writeable
        assert given.flags.writeable


@pytest.mark.parametrize(
    "weight", [[1] * 12, range(1, 13), np.full(12, 1e300), np.full(12, 1e-300), np.arange(12) % 2 == 0]
)
def test_weights_get_the_mean_1(weight):
    assert arrays.row_weights(weight, 12, np.dtype(float)).mean() == pytest.approx(1)


def test_targets_of_one_column_and_labels_of_any_kind():
    np.testing.assert_array_equal(arrays.target(y[:, None], 12, np.dtype(float), losses.Mse())[0], y[None])
    for labels in ([False, True], ["no", "yes"], [-1, 1], [1.5, 2.5], np.array(["a", "b"], object)):
        coded, classes = arrays.target(np.repeat(labels, 6), 12, np.dtype(float), losses.LogLoss())
        np.testing.assert_array_equal(coded, np.repeat([0.0, 1.0], 6)[None])
        np.testing.assert_array_equal(classes, labels)
    coded, classes = arrays.target(pd.Series(["b", "a"] * 6, dtype="category"), 12, np.dtype(float), losses.LogLoss())
    np.testing.assert_array_equal(classes, ["a", "b"])


def test_seeds():
    assert arguments.seed(3) == 3
    assert arguments.seed(np.int64(3)) == 3
    assert 0 <= arguments.seed(None) < 2**62
    assert arguments.seed(np.random.default_rng(0)) == arguments.seed(np.random.default_rng(0))
    assert arguments.seed(np.random.RandomState(0)) == arguments.seed(np.random.RandomState(0))
