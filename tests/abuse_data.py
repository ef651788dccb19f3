"""Hostile inputs, by the slot of a call that they go into: each is a function that makes one, in a process of its own.

A value is what the argument of the slot's name becomes; a ``Call`` holds several arguments. ``X`` and ``y`` are those
of a good call.
"""

import array
import ctypes
import decimal
import fractions
import itertools
import sys

import numpy as np
import pandas as pd
from scipy import sparse

N, D = 12, 3
nan, inf, tiny, most = np.nan, np.inf, 5e-324, sys.float_info.max


class Call(dict):
    """Several arguments of one call."""


class Oops(Exception):
    """What user code raises: it passes through as it is."""


def good():
    """The arguments of a call that works."""
    X = np.random.default_rng(0).standard_normal((N, D))
    return {"X": X, "y": X @ [1.0, 2.0, 3.0] + 0.5}


def table(kind=float, **cells):
    """The good X as another type, with some cells changed: ``cells`` maps "row_column" with an "r" before."""
    X = good()["X"].astype(kind)
    for place, value in cells.items():
        X[tuple(map(int, place[1:].split("_")))] = value
    return X


def rows(kind=float, **cells):
    """The good y, likewise."""
    y = good()["y"].astype(kind)
    for place, value in cells.items():
        y[int(place[1:])] = value
    return y


def raising(*_, **__):
    raise Oops("user code failed")


class Unprintable:
    __repr__ = __str__ = __eq__ = __bool__ = raising
    __hash__ = None


class ArrayRaises:
    shape, ndim = (N, D), 2
    __array__ = raising


class ArrayLies:
    shape, ndim, dtype = (N, D), 2, np.dtype(float)

    def __array__(self, dtype=None, copy=None):
        return np.zeros((3, 4, 5), np.float32)


class ArrayOfList:
    def __array__(self, dtype=None, copy=None):
        return [1, 2]


class LengthLies(list):
    def __len__(self):
        return 10**6


class ItemsRaise:
    def __len__(self):
        return N

    __getitem__ = raising


class Stubborn(np.ndarray):
    __array_ufunc__ = None
    __array_function__ = raising


class Shapeless(np.ndarray):
    shape = property(raising)


class Finalizes(np.ndarray):
    def __array_finalize__(self, made_from):
        if made_from is not None and not isinstance(made_from, Finalizes):
            self.flags.writeable = True


class FloatLies(float):
    __float__ = raising


class FloatIsText(float):
    def __float__(self):
        return "1.0"


class Columns:
    columns = ["a", "b", "c"]
    dtypes = [1, 2]


class FakeSparse:
    tocsr = None


def nested(depth):
    made = 1.0
    for _ in range(depth):
        made = [made]
    return made


def endless():
    made = []
    made.append(made)
    return made


def structured():
    return np.zeros(N, [("a", float), ("b", "i4"), ("c", "U3")])


def unaligned():
    return np.frombuffer(b"\0" + table().tobytes(), np.uint8)[1:].view(float).reshape(N, D)


# Tables -------------------------------------------------------------------------------------------------------------

X_CASES = {
    "a number": lambda: 3.0,
    "0 dimensions": lambda: np.array(3.0),
    "1 dimension": lambda: table()[:, 0],
    "3 dimensions": lambda: table()[None],
    "64 dimensions": lambda: np.zeros((1,) * 64),
    "an empty list": list,
    "no rows": lambda: Call(X=table()[:0], y=[]),
    "no columns": lambda: table()[:, :0],
    "nothing": lambda: Call(X=np.empty((0, 0)), y=[]),
    "one row": lambda: Call(X=table()[:1], y=[2.0]),
    "one row of zeros": lambda: Call(X=np.zeros((1, D)), y=[0.0]),
    "one column": lambda: table()[:, :1],
    "wide": lambda: np.tile(table(), 20),
    "a million columns": lambda: Call(X=np.ones((2, 10**6)), y=[0.0, 1.0]),
    "zero strides": lambda: np.broadcast_to(table()[0], (N, D)),
    "8 terabytes of one number": lambda: Call(X=np.broadcast_to(1.0, (10**6, 10**6)), y=np.broadcast_to(1.0, 10**6)),
    "negative strides": lambda: table()[::-1, ::-1],
    "Fortran order": lambda: np.asfortranarray(table()),
    "far strides": lambda: np.ones((N, 10**5))[:, :: 10**5 // 2 - 1][:, :D],
    "overlapping rows": lambda: np.lib.stride_tricks.sliding_window_view(np.arange(14.0), 3),
    "read-only": lambda: np.frombuffer(table().tobytes()).reshape(N, D),
    "unaligned": unaligned,
    "byte-swapped": lambda: table().astype(">f8"),
    "byte-swapped float32": lambda: table().astype(">f4"),
    "float32 of float64 bits": lambda: table().view(np.float32),
    "subnormal": lambda: table() * 1e-310,
    "smallest": lambda: np.full((N, D), tiny),
    "zeros": lambda: np.zeros((N, D)),
    "negative zeros": lambda: -np.zeros((N, D)),
    "largest floats": lambda: np.sign(table()) * most,
    "squares overflow": lambda: table() * 1e155,
    "squares overflow in one column": lambda: table() * [1, 1e200, 1],
    "sums of squares overflow": lambda: table() * 0.9e154,
    "squares underflow": lambda: table() * 1e-170,
    "1e300 next to 1e-300": lambda: table() * [1e300, 1, 1e-300],
    "1e300 above 1e-300": lambda: table() * np.logspace(-300, 300, N)[:, None],
    "1e150 above 1e-150": lambda: table() * np.logspace(-150, 150, N)[:, None],
    "float32 squares overflow": lambda: (table() * 1e25).astype("f4"),
    "float32 squares underflow": lambda: (table() * 1e-25).astype("f4"),
    "float32 largest": lambda: (np.sign(table()) * 3.4e38).astype("f4"),
    "float32 subnormal": lambda: (table() * 1e-42).astype("f4"),
    "far from zero": lambda: table() + 1e15,
    "far from zero in float32": lambda: (table() + 1e7).astype("f4"),
    "constant columns": lambda: np.ones((N, D)),
    "constant columns at 1e300": lambda: np.full((N, D), 1e300),
    "nearly constant": lambda: 1e8 + 1e-8 * table(),
    "duplicated columns": lambda: np.repeat(table()[:, :1], D, axis=1),
    "opposite columns": lambda: table()[:, [0, 0, 0]] * [1, -1, 1],
    "NaN first": lambda: table(r0_0=nan),
    "NaN last": lambda: table(r11_2=nan),
    "infinity": lambda: table(r5_1=inf),
    "minus infinity": lambda: table(r5_1=-inf),
    "both infinities": lambda: table(r5_1=inf, r6_1=-inf),
    "NaN in float32": lambda: table("f4", r3_2=nan),
    "all NaN": lambda: np.full((N, D), nan),
    "a signalling NaN": lambda: np.array([[0x7FF0000000000001] * D] * N, np.uint64).view(float),
    "float16": lambda: table("f2"),
    "infinite float16": lambda: table("f2", r3_0=inf),
    "longdouble": lambda: table(np.longdouble),
    "longdouble beyond float64": lambda: table(np.longdouble) * np.longdouble("1e4000"),
    "complex": lambda: table(complex),
    "complex64": lambda: table("c8"),
    "booleans": lambda: table() > 0,
    "int8": lambda: np.full((N, D), -128, np.int8),
    "uint64 beyond float64": lambda: np.full((N, D), 2**64 - 1, np.uint64) - np.arange(N, dtype=np.uint64)[:, None],
    "int64 limits": lambda: np.array([[-(2**63), 2**63 - 1, 0]] * N),
    "objects that are numbers": lambda: table(object),
    "objects with None": lambda: table(object, r2_1=None),
    "objects with words": lambda: table(object, r2_1="a"),
    "objects with numbers as words": lambda: table(object, r2_1="1.5"),
    "objects with bytes": lambda: table(object, r2_1=b"1"),
    "objects with Decimal": lambda: table(object, r2_1=decimal.Decimal("1e999")),
    "objects with Decimal sNaN": lambda: table(object, r2_1=decimal.Decimal("sNaN")),
    "objects with Fraction": lambda: table(object, r2_1=fractions.Fraction(1, 3)),
    "objects with complex": lambda: table(object, r2_1=1j),
    "objects with huge integers": lambda: table(object, r2_1=10**400),
    "objects with arrays": lambda: table(object, r2_1=np.zeros(2)),
    "objects with lies": lambda: table(object, r2_1=FloatLies(1.0)),
    "objects whose float is text": lambda: table(object, r2_1=FloatIsText(1.0)),
    "objects unprintable": lambda: table(object, r2_1=Unprintable()),
    "words": lambda: table("U9"),
    "bytes": lambda: table("S9"),
    "variable words": lambda: table("U9").astype(np.dtypes.StringDType()),
    "dates": lambda: np.zeros((N, D), "M8[s]"),
    "durations": lambda: np.zeros((N, D), "m8[s]"),
    "structured": structured,
    "void": lambda: np.zeros((N, D), "V8"),
    "a record array": lambda: structured().view(np.recarray),
    "ragged": lambda: [[1.0, 2.0], [1.0]] * 6,
    "deep": lambda: nested(100),
    "deeper": lambda: nested(2000),
    "a list in itself": endless,
    "empty rows": lambda: [[]] * N,
    "a list of lists": lambda: table().tolist(),
    "a list of huge integers": lambda: [[10**400, 1, 2]] * N,
    "a generator": lambda: (row for row in table()),
    "an iterator": lambda: iter(table().tolist()),
    "a map": lambda: map(list, table()),
    "a dict": lambda: {"a": [1.0] * N},
    "a set": lambda: {1.0, 2.0},
    "a string": lambda: "1 2 3",
    "bytes object": lambda: b"123",
    "a range": lambda: range(N),
    "None": lambda: None,
    "a type": lambda: np.ndarray,
    "a function": lambda: np.zeros,
    "a module": lambda: np,
    "memoryview": lambda: memoryview(table()),
    "array.array": lambda: array.array("d", [1.0] * N),
    "ctypes": lambda: ((ctypes.c_double * D) * N)(),
    "matrix": lambda: np.asmatrix(table()),
    "masked": lambda: np.ma.masked_greater(table(), 0),
    "masked constant": lambda: np.ma.masked,
    "__array__ raises": ArrayRaises,
    "__array__ lies": ArrayLies,
    "__array__ of a list": ArrayOfList,
    "__len__ lies": lambda: LengthLies(table().tolist()),
    "__getitem__ raises": ItemsRaise,
    "__array_ufunc__ refuses": lambda: table().view(Stubborn),
    "shape raises": lambda: table().view(Shapeless),
    "__array_finalize__ writes": lambda: table().view(Finalizes),
    "unprintable": Unprintable,
    "csr": lambda: sparse.csr_array(table()),
    "coo": lambda: sparse.coo_array(table()),
    "csc matrix": lambda: sparse.csc_matrix(table()),
    "lil": lambda: sparse.lil_matrix(table()),
    "half sparse": FakeSparse,
    "half a frame": Columns,
    "frame": lambda: pd.DataFrame(table(), columns=list("abc")),
    "frame of mixed types": lambda: pd.DataFrame({"a": [True] * N, "b": range(N), "c": np.float32(1.5)}),
    "frame with words": lambda: pd.DataFrame({"a": rows(), "b": ["x"] * N, "c": 1}),
    "frame with categories": lambda: pd.DataFrame({"a": rows(), "b": pd.Categorical([1, 2] * 6), "c": 1}),
    "frame with dates": lambda: pd.DataFrame({"a": rows(), "b": pd.Timestamp(0), "c": 1}),
    "frame with NA": lambda: pd.DataFrame({"a": rows(), "b": pd.array([1, None] * 6, "Int64"), "c": 1}),
    "frame with NA floats": lambda: pd.DataFrame({"a": pd.array([1.5, None] * 6, "Float64"), "b": 1, "c": 2}),
    "frame with objects": lambda: pd.DataFrame({"a": rows(object), "b": 1, "c": 2}),
    "frame with twice a name": lambda: pd.DataFrame(table(), columns=["a", "a", "b"]),
    "frame of multi-index": lambda: pd.DataFrame(table(), columns=pd.MultiIndex.from_product([["a"], [1, 2, 3]])),
    "frame of odd names": lambda: pd.DataFrame(table(), columns=[None, nan, ("x", 1)]),
    "frame of unprintable name": lambda: pd.DataFrame(table(), columns=[" ", "\0", ""]),
    "frame without columns": lambda: pd.DataFrame(index=range(N)),
    "frame without rows": lambda: Call(X=pd.DataFrame(columns=list("abc"), dtype=float), y=[]),
    "frame with complex": lambda: pd.DataFrame(table(complex)),
    "frame with sparse columns": lambda: pd.DataFrame(table()).astype(pd.SparseDtype(float)),
    "frame with infinity": lambda: pd.DataFrame(table(r3_1=inf)),
    "frame in parts": lambda: pd.concat([pd.DataFrame(table()[:6]), pd.DataFrame(table()[6:])]),
    "series": lambda: pd.Series(rows()),
}

NUMBERS = list(X_CASES)[list(X_CASES).index("one row") : list(X_CASES).index("a signalling NaN")]
for no_sparse in ("8 terabytes of one number", "byte-swapped", "byte-swapped float32"):  # SciPy makes none of them
    NUMBERS.remove(no_sparse)


def as_csr(make):
    """A table of the above as sparse rows, its zeros left out."""
    made = make()
    if isinstance(made, Call):
        return Call(made, X=sparse.csr_array(made["X"]))
    return sparse.csr_array(made)


# Targets ------------------------------------------------------------------------------------------------------------

Y_CASES = {
    "a number": lambda: 1.0,
    "None": lambda: None,
    "empty": list,
    "one too few": lambda: rows()[:-1],
    "one too many": lambda: np.append(rows(), 1.0),
    "a column": lambda: rows()[:, None],
    "a row": lambda: rows()[None],
    "a table": table,
    "constant": lambda: np.ones(N),
    "zeros": lambda: np.zeros(N),
    "negative zeros": lambda: -np.zeros(N),
    "constant at 1e300": lambda: np.full(N, 1e300),
    "constant at the largest": lambda: np.full(N, most),
    "one 1e308": lambda: rows(r3=1e308),
    "both largest": lambda: np.resize([most, -most], N),
    "squares overflow": lambda: rows() * 1e160,
    "squares underflow": lambda: rows() * 1e-170,
    "subnormal": lambda: rows() * 1e-312,
    "smallest": lambda: np.resize([tiny, 0.0], N),
    "from 1e-300 to 1e300": lambda: np.logspace(-300, 300, N),
    "from 1e-150 to 1e150": lambda: np.logspace(-150, 150, N),
    "far from zero": lambda: rows() + 1e16,
    "NaN": lambda: rows(r4=nan),
    "all NaN": lambda: np.full(N, nan),
    "infinity": lambda: rows(r11=inf),
    "minus infinity": lambda: rows(r0=-inf),
    "read-only": lambda: np.frombuffer(rows().tobytes()),
    "backwards": lambda: rows()[::-1],
    "zero strides": lambda: np.broadcast_to(2.0, N),
    "byte-swapped": lambda: rows().astype(">f8"),
    "byte-swapped integers": lambda: rows().astype(">i2"),
    "float16": lambda: rows("f2"),
    "infinite float16": lambda: rows("f2", r3=inf),
    "longdouble beyond float64": lambda: rows(np.longdouble, r3=np.longdouble("1e4000")),
    "uint64": lambda: np.full(N, 2**64 - 1, np.uint64),
    "int64 limits": lambda: np.resize([-(2**63), 2**63 - 1], N),
    "booleans": lambda: rows() > 0,
    "complex": lambda: rows(complex),
    "words": lambda: rows("U9"),
    "bytes": lambda: rows("S9"),
    "dates": lambda: np.arange(N).astype("M8[s]"),
    "durations": lambda: np.arange(N).astype("m8[s]"),
    "not a time": lambda: np.full(N, "NaT", "m8[s]"),
    "structured": structured,
    "objects": lambda: rows(object),
    "objects with None": lambda: rows(object, r4=None),
    "objects with huge integers": lambda: rows(object, r4=10**400),
    "objects with Decimal sNaN": lambda: rows(object, r4=decimal.Decimal("sNaN")),
    "objects with lies": lambda: rows(object, r4=FloatLies(1.0)),
    "objects unprintable": lambda: rows(object, r4=Unprintable()),
    "objects of tuples": lambda: np.fromiter([(1, 2)] * N, object),
    "ragged": lambda: [[1.0], [1.0, 2.0]] * 6,
    "a list in itself": endless,
    "a generator": lambda: (v for v in rows()),
    "a dict": lambda: dict(enumerate(rows())),
    "a set": lambda: set(rows()),
    "a string": lambda: "abcdefghijkl",
    "a range": lambda: range(N),
    "masked": lambda: np.ma.masked_greater(rows(), 0),
    "matrix": lambda: np.asmatrix(rows()),
    "memoryview": lambda: memoryview(rows()),
    "array.array": lambda: array.array("d", rows()),
    "__array__ raises": ArrayRaises,
    "__array__ lies": ArrayLies,
    "__len__ lies": lambda: LengthLies(rows().tolist()),
    "__getitem__ raises": ItemsRaise,
    "__array_ufunc__ refuses": lambda: rows().view(Stubborn),
    "shape raises": lambda: rows().view(Shapeless),
    "sparse": lambda: sparse.csr_array(rows()[:, None]),
    "sparse row": lambda: sparse.coo_array(rows()),
    "series": lambda: pd.Series(rows(), index=[0] * N),
    "series of words": lambda: pd.Series(["a", "b"] * 6),
    "series of categories": lambda: pd.Series([1, 2] * 6, dtype="category"),
    "series with NA": lambda: pd.Series([1, None] * 6, dtype="Int64"),
    "series of dates": lambda: pd.Series([pd.Timestamp(0)] * N),
    "frame of one column": lambda: pd.DataFrame(rows()),
    "frame of two columns": lambda: pd.DataFrame(table()[:, :2]),
    "frame of words": lambda: pd.DataFrame(["a", "b"] * 6),
    "unprintable": Unprintable,
}


def two(a, b):
    """Two labels, six times each, as they are."""
    made = np.empty(N, object)
    made[:] = list(itertools.islice(itertools.cycle([a, b]), N))
    return made


LABELS = {
    "one class": lambda: ["a"] * N,
    "three classes": lambda: ["a", "b", "c"] * 4,
    "as many classes as rows": lambda: rows(),
    "NaN": lambda: np.resize([0.0, nan], N),
    "three with NaN": lambda: np.resize([0.0, 1.0, nan], N),
    "infinite": lambda: np.resize([-inf, inf], N),
    "both zeros": lambda: np.resize([-0.0, 0.0], N),
    "neighbours": lambda: np.resize([1.0, np.nextafter(1.0, 2.0)], N),
    "None": lambda: two("a", None),
    "objects with NaN": lambda: two("a", nan),
    "numbers and words": lambda: two(1, "a"),
    "a list of numbers and words": lambda: [1, "a"] * 6,
    "one and True": lambda: two(1, True),
    "None and NaN": lambda: two(None, nan),
    "NA": lambda: two("a", pd.NA),
    "tuples": lambda: two((1, 2), (3, 4)),
    "arrays": lambda: two(np.zeros(2), np.ones(2)),
    "classes": lambda: two(int, str),
    "Decimal": lambda: two(decimal.Decimal(1), decimal.Decimal("sNaN")),
    "huge integers": lambda: two(10**400, 10**5000),
    "unprintable": lambda: two(1, Unprintable()),
    "lies": lambda: two(1.0, FloatLies(2.0)),
    "dates": lambda: np.resize(np.arange(2).astype("M8[s]"), N),
    "complex": lambda: np.resize([1j, 0], N),
    "bytes": lambda: np.resize([b"a", b"b"], N),
    "booleans": lambda: np.resize([True, False], N),
    "long words": lambda: np.resize(["a" * 10**6, "b"], N),
    "surrogates": lambda: two("\ud800", "\0"),
    "variable words": lambda: np.array(["a", "b"] * 6, np.dtypes.StringDType()),
    "structured": structured,
    "masked": lambda: np.ma.masked_equal(np.resize([0, 1], N), 1),
    "categories": lambda: pd.Series(["a", "b"] * 6, dtype="category"),
    "categories with NA": lambda: pd.Series(["a", None] * 6, dtype="category"),
    "booleans with NA": lambda: pd.Series([True, None] * 6, dtype="boolean"),
    "strings with NA": lambda: pd.Series(["a", "b", None] * 4, dtype="string"),
    "integers with NA": lambda: pd.Series([1, 2, None] * 4, dtype="Int64"),
    "a generator": lambda: (v for v in "ab" * 6),
    "a string": lambda: "ab" * 6,
    "a frame": lambda: pd.DataFrame({"y": ["a", "b"] * 6}),
    "2 dimensions": lambda: np.resize(["a", "b"], (N, 2)),
}
COUNTS = {
    "negative": lambda: rows() - 10,
    "zeros": lambda: np.zeros(N),
    "smallest": lambda: np.full(N, tiny),
    "largest": lambda: np.full(N, most),
    "0 and 1e300": lambda: np.resize([0.0, 1e300], N),
    "0 and 1e150": lambda: np.resize([0.0, 1e150], N),
    "one 1e8": lambda: np.append(np.zeros(N - 1), 1e8),
    "NaN": lambda: np.full(N, nan),
    "raw columns": lambda: Call(X=table() * 1e6, y=np.abs(rows()), standardize=False),
    "a large step": lambda: Call(y=np.abs(rows()), learning_rate=1e3),
}
WEIGHTS = {
    "zeros": lambda: np.zeros(N),
    "negative zeros": lambda: -np.zeros(N),
    "negative": lambda: np.append(np.ones(N - 1), -1e-300),
    "NaN": lambda: np.append(np.ones(N - 1), nan),
    "infinite": lambda: np.append(np.ones(N - 1), inf),
    "largest": lambda: np.full(N, most),
    "smallest": lambda: np.full(N, tiny),
    "one smallest": lambda: np.append(np.zeros(N - 1), tiny),
    "1e300 and 1e-300": lambda: np.resize([1e300, 1e-300], N),
    "one row": lambda: np.eye(1, N, 5)[0],
    "one too few": lambda: np.ones(N - 1),
    "a column": lambda: np.ones((N, 1)),
    "a number": lambda: 1.0,
    "a word": lambda: "balanced",
    "words": lambda: ["1"] * N,
    "booleans": lambda: np.arange(N) % 2 == 0,
    "None": lambda: [None] * N,
    "complex": lambda: np.ones(N, complex),
    "dates": lambda: np.zeros(N, "M8[s]"),
    "huge integers": lambda: [10**400] * N,
    "large integers": lambda: [10**300] * N,
    "objects": lambda: np.ones(N, object),
    "masked": lambda: np.ma.masked_less(np.arange(N), 3),
    "a generator": lambda: (1.0 for _ in range(N)),
    "a dict": lambda: {0: 1.0, 1: 2.0},
    "series": lambda: pd.Series(np.arange(N)),
    "series with NA": lambda: pd.Series([1, None] * 6, dtype="Int64"),
    "a frame": lambda: pd.DataFrame(np.ones(N)),
    "zero strides": lambda: np.broadcast_to(3.0, N),
    "longdouble beyond float64": lambda: np.full(N, np.longdouble("1e4000")),
    "__array__ raises": ArrayRaises,
    "__array__ lies": ArrayLies,
    "unprintable": Unprintable,
}
