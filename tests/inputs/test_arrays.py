"""Data: every bad table is one clear error that names the argument, before anything is compiled or run."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from scipy import optimize, sparse
from scipy.sparse import linalg as splinalg

import fastgd
from fastgd import losses, reference
from fastgd.inputs import arrays

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
    "X of 1 dimension": ({"X": X[:, 0]}, ValueError, "X.reshape(-1, 1), for one row X.reshape(1, -1)"),
    "y before X": ({"X": y, "y": X}, ValueError, "fit takes X, then y"),
    "X of text": ({"X": X.astype(str)}, TypeError, "pass X.astype(float)"),
    "y of text": ({"y": y.astype(str)}, TypeError, "pass y.astype(float)"),
    "no y": ({"y": None}, TypeError, "y=None: pass one target for each of the 12 rows of X"),
    "X of 0 dimensions": ({"X": 3.0}, ValueError, "X must have 2 dimensions"),
    "X of 3 dimensions": ({"X": X[None]}, ValueError, "X must have 2 dimensions"),
    "X ragged": ({"X": [[1.0], [1.0, 2.0]]}, ValueError, "X can't be converted to an array"),
    "X of strings": ({"X": [["a", "b"]] * 12}, TypeError, "X has dtype <U1"),
    "X of objects": ({"X": np.array([[{}]] * 12)}, TypeError, "X holds objects"),
    "X complex": ({"X": X + 1j}, TypeError, "X has dtype complex128"),
    "X of dates": ({"X": np.zeros((12, 1), "M8[s]")}, TypeError, "X has dtype datetime64[s]"),
    "X masked": ({"X": np.ma.masked_greater(X, 0)}, TypeError, "X is a masked array"),
    "X with a column of words": ({"X": pd.DataFrame({"a": y, "town": ["b"] * 12})}, TypeError, "'town'"),
    "X lazy": (
        {"X": pl.LazyFrame({"a": y})},
        TypeError,
        "X is a LazyFrame, which holds no values yet: pass X.collect()",
    ),
    "y lazy": (
        {"y": pl.LazyFrame({"a": y})},
        TypeError,
        "y is a LazyFrame, which holds no values yet: pass y.collect()",
    ),
    "X a generator": (
        {"X": (row for row in X)},
        TypeError,
        "X is a generator, whose values come one by one: pass list(X)",
    ),
    "X a reader": (
        {"X": pa.table({"a": y}).to_reader()},
        TypeError,
        r"X is a RecordBatchReader, whose rows come batch by batch: pass X.read_all(), or the source of a stream",
    ),
    "labels of a generator": ({"y": (v > 0 for v in y), "loss": "log_loss"}, TypeError, "y is a generator"),
    "weights of a map": ({"sample_weight": map(abs, y)}, TypeError, "sample_weight is a map"),
    "X a path": ({"X": "a.csv"}, TypeError, "X='a.csv' is a path: read the file, or pass a source, such as fastgd.s"),
    "X a Path": ({"X": Path("a.csv")}, TypeError, "is a path: read the file"),
    "X a data set": ({"X": pa.dataset.dataset(pa.table({"a": y}))}, TypeError, "no values yet: pass X.to_table()"),
    "X an operator": ({"X": splinalg.aslinearoperator(X)}, TypeError, "X is a MatrixLinearOperator: pass an array"),
    "y a name": ({"y": "price"}, TypeError, "y='price' is a text: pass that column, such as frame['price']"),
    "X a dict": ({"X": {"a": y}}, TypeError, "X is a dict: pass an array or a data frame"),
    "X with polars' words": ({"X": pl.DataFrame({"a": y, "town": ["b"] * 12})}, TypeError, "'town' of type String"),
    "X with polars' nulls": (
        {"X": pl.DataFrame({"a": y, "b": [True, None] * 6})},
        ValueError,
        "X holds NaN or infinity, the first in row 1, column 'b'",
    ),
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
    "amounts": (
        {"y": np.arange(12) / 8, "loss": "log_loss"},
        ValueError,
        'For amounts leave the loss at "squared_error"',
    ),
    "a NaN class": ({"y": [0.0, nan] * 6, "loss": "log_loss"}, ValueError, "y holds NaN"),
    "mixed classes": ({"y": np.array(["a", None] * 6), "loss": "log_loss"}, TypeError, "y holds labels"),
    "complex classes": ({"y": np.array([1j, 0] * 6), "loss": "log_loss"}, TypeError, "y has dtype complex128"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_named(case):
    data, error, words = BAD_DATA[case]
    with pytest.raises(error, match=re.escape(words)):
        fastgd.fit(**{"X": X, "y": y, **data})


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


@pytest.mark.parametrize("frame", [pl.DataFrame, pd.DataFrame])
def test_columns_of_truth_values_are_0_and_1(frame):
    table = {"odd": [True, False] * 6, "number": y}
    r = fastgd.fit(frame(table), y)
    known = fastgd.fit(np.column_stack([table["odd"], y]).astype(float), y)
    np.testing.assert_array_equal(r.coef, known.coef)
    assert r.feature_names == ("odd", "number")
    np.testing.assert_array_equal(r.predict(pl.DataFrame(table)), known.predict(np.column_stack(list(table.values()))))
    assert fastgd.fit(frame({"odd": table["odd"]}), y).coef.shape == (1,)


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


# Offsets ------------------------------------------------------------------------------------------------------------


def test_offsets_become_one_number_for_each_row():
    for given in ([1, 2, 3], np.array([1.0, 2.0, 3.0]), pd.Series([1, 2, 3]), np.arange(1.0, 4.0)[None].T[:, 0]):
        for kind in (np.float32, np.float64):
            found = arrays.offset(given, 3, np.dtype(kind))
            np.testing.assert_array_equal(found, [1, 2, 3])
            assert found.dtype == kind
            assert not found.flags.writeable
            assert not np.shares_memory(found, np.asarray(given))
    assert arrays.offset(None, 3, np.dtype(float)).shape == (0,)


BAD_OFFSETS = {
    "too short": ([1.0, 2.0], ValueError, "offset has shape (2,), but X has 3 rows: shape (3,) is needed"),
    "a number": (1.0, ValueError, "offset has shape ()"),
    "a column": ([[1.0]] * 3, ValueError, "offset has shape (3, 1)"),
    "one for each target": (np.ones((3, 2)), ValueError, "offset has shape (3, 2)"),
    "NaN": ([1.0, nan, nan], ValueError, "offset holds NaN or infinity, the first in row 1"),
    "infinite": ([1.0, 2.0, -inf], ValueError, "offset holds NaN or infinity, the first in row 2"),
    "too large for float32": ([1.0, 1e300, 2.0], ValueError, "offset[1] = 1e+300 overflows float32: pass X as float64"),
    "words": (["a", "b", "c"], TypeError, "offset has dtype <U1, but must hold real numbers"),
    "complex": (np.ones(3) + 1j, TypeError, "offset has dtype complex128"),
    "masked": (np.ma.masked_less(np.arange(3.0), 1), TypeError, "offset is a masked array"),
    "sparse": (sparse.csr_array(np.ones((3, 1))), TypeError, "offset is a sparse array: pass offset.toarray().ravel()"),
}


@pytest.mark.parametrize("case", BAD_OFFSETS)
def test_bad_offsets_are_named(case):
    given, error, words = BAD_OFFSETS[case]
    with pytest.raises(error, match=re.escape(words)):
        arrays.offset(given, 3, np.dtype(np.float32))


# Bounds -------------------------------------------------------------------------------------------------------------

BAD_BOUNDS = [
    (3, ValueError, "a pair (low, high)"),
    ((1, 0), ValueError, "of column 0 are empty"),
    (([0, 0, 2], [1, 1, 1]), ValueError, "of column 2 are empty"),
    ((inf, None), ValueError, "empty"),
    ((nan, 1), ValueError, "(low) holds NaN"),
    (([0, 0], None), ValueError, "(low) has shape (2,)"),
    ((None, "x"), TypeError, "(high)"),
    ([(0, 1)] * 3, ValueError, "has a (min, max) pair for each of 3 columns"),
    (((0, 1), (0, 1), (0, 1)), ValueError, "has a (min, max) pair for each of 3 columns"),
    (np.zeros((3, 2)), ValueError, "has a (min, max) pair for each of 3 columns"),
    ((0, 1, 2), ValueError, "must be a pair (low, high), got (0, 1, 2)"),
    (optimize.Bounds([0, 0], [1, 1]), ValueError, "(low) has shape (2,)"),
    (optimize.Bounds(2, 1), ValueError, "of column 0 are empty"),
]


@pytest.mark.parametrize("given, error, words", BAD_BOUNDS, ids=str)
def test_bad_bounds_are_named(given, error, words):
    for fit in (fastgd.fit, reference.fit):
        with pytest.raises(error, match=f"bounds.*{re.escape(words)}"):
            fit(X, y, bounds=given)


@pytest.mark.parametrize(
    "given, low, high",
    [
        ((0, 1), [0, 0], [1, 1]),
        ([0, 1], [0, 0], [1, 1]),
        ((None, [1, 2]), [-inf, -inf], [1, 2]),
        ((0, None), [0, 0], [inf, inf]),
        (((0, 1), (2, 3)), [0, 1], [2, 3]),  # of two columns, a tuple is (low, high)
        (np.array([[0, 1], [2, 3]]), [0, 1], [2, 3]),
        (optimize.Bounds(), [-inf, -inf], [inf, inf]),
        (optimize.Bounds(0, [1, 2]), [0, 0], [1, 2]),
        (optimize.Bounds([0, 1], inf), [0, 1], [inf, inf]),
    ],
    ids=str,
)
def test_bounds_of_every_form(given, low, high):
    found = arrays.box(given, 2)
    np.testing.assert_array_equal(found, [low, high])
    assert all(side.dtype == np.float64 for side in found)


def test_a_list_of_pairs_is_refused_even_where_it_could_be_low_and_high():
    with pytest.raises(ValueError, match=r"pair for each of 2 columns: .* bounds=\(low, high\)"):
        arrays.box([(0, 1), (2, 3)], 2)


def test_a_fit_within_scipys_bounds():
    given = optimize.Bounds(0.0, [0.5, inf, 2.5])
    r = fastgd.fit(X, y, bounds=given)
    assert r.coef.tolist() == fastgd.fit(X, y, bounds=(given.lb, given.ub)).coef.tolist()
    assert (r.coef >= 0).all() and (r.coef <= given.ub).all()


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ({"low": 2.0}, "y[0] = 1, but this loss needs targets at least 2"),
        ({"above": 1.0}, "y[0] = 1, but this loss needs targets greater than 1"),
        ({"low": 0.0, "high": 2.0}, "y[2] = 3, but this loss needs targets at most 2"),
        ({"below": 3.0}, "y[2] = 3, but this loss needs targets less than 3"),
    ],
)
def test_targets_outside_of_a_domain(domain, words):
    class Loss:
        residual_only = True

        def __init__(self):
            self.scale = 0.5

        def value(self, p, y):
            return self.scale * (p - y) ** 2

        def slope(self, p, y):
            return 2 * self.scale * (p - y)

    Loss.domain = domain
    with pytest.raises(ValueError, match=re.escape(words)):
        reference.fit(np.arange(3.0)[:, None], [1.0, 2.0, 3.0], loss=Loss(), learning_rate=0.1, epochs=1)
