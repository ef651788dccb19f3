"""Sparse arrays that are malformed, each with what its error has to say; ``abuse`` makes calls with them too."""

import numpy as np
from scipy import sparse


def random_rows(n=12, d=5, seed=0, density=0.4, kind=float):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) * (rng.uniform(size=(n, d)) < density)).astype(kind)


def changed(name="csr", **arrays):
    """A sound sparse array, some of whose arrays are others: a function of the old one, or a value."""
    X = getattr(sparse, f"{name}_array")(random_rows())
    for attribute, value in arrays.items():
        setattr(X, attribute, value(getattr(X, attribute)) if callable(value) else value)
    return X


def put(place, value, kind=None):
    """A function that changes one entry of a copy."""

    def put_in(array):
        array = np.array(array, kind)
        array[place] = value
        return array

    return put_in


def words_in_dok(key, value=1.0):
    X = sparse.dok_array(random_rows())
    X._dict[key] = value
    return X


def without(name):
    X = changed()
    delattr(X, name)
    return X


def sparse_of(indices, columns, n=12):
    """Ones in one row."""
    X = sparse.csr_array((n, columns))
    X.indptr = np.minimum(np.arange(n + 1), 1) * len(indices)
    X.indices, X.data = indices, np.ones(len(indices))
    return X


def triplets(row, column):
    X = sparse.coo_array(random_rows())
    X.coords = tuple(change(old) if change else old for change, old in zip((row, column), X.coords, strict=True))
    return X


def blocks(**arrays):
    X = sparse.bsr_array(random_rows(12, 10), blocksize=(3, 2))
    for name, change in arrays.items():
        setattr(X, name, change(getattr(X, name)))
    return X


def lil_row(columns, numbers):
    X = sparse.lil_array(random_rows())
    X.rows[2], X.data[2] = columns, numbers
    return X


MALFORMED = {
    "a column too large": (
        lambda: changed(indices=put(5, 5)),
        "X.indices must be at least 0 and less than 5; it holds 5 in row 1.",
    ),
    "a column far too large": (lambda: changed(indices=put(-1, 10**9)), "it holds 1000000000 in row 11"),
    "a negative column": (lambda: changed(indices=put(0, -1)), "it holds -1 in row 0"),
    "a negative int64 column": (lambda: changed(indices=put(0, -1, np.int64)), "it holds -1 in row 0"),
    "a column that wraps": (lambda: changed(indices=put(0, 2**32, np.int64)), "it holds 4294967296 in row 0"),
    "a column beyond int64": (
        lambda: changed(indices=put(0, 2**63 + 1, np.uint64)),
        "it holds 9223372036854775809",
    ),
    "int8 columns": (
        lambda: sparse_of(indices=np.array([0, -1], np.int8), columns=300),
        "X.indices must be at least 0 and less than 300; it holds -1 in row 0.",
    ),
    "columns of floats": (
        lambda: changed(indices=lambda a: a.astype(float)),
        "X.indices must be a 1-D array of whole numbers",
    ),
    "columns of booleans": (lambda: changed(indices=lambda a: a > 0), "X.indices must be a 1-D array of whole numbers"),
    "columns in two dimensions": (
        lambda: changed(indices=lambda a: a[None]),
        "X.indices must be a 1-D array of whole numbers",
    ),
    "ragged columns": (lambda: changed(indices=[[1], [1, 2]]), "X.indices can't be converted to an array"),
    "no columns": (lambda: changed(indices=None), "X.indices must be a 1-D array of whole numbers, got object"),
    "columns deleted": (lambda: without("indices"), "X.indices must be a 1-D array of whole numbers"),
    "columns too short": (
        lambda: changed(indices=lambda a: a[:-1]),
        "X.indptr ends with 16, but X.indices has only 15 entries",
    ),
    "numbers too short": (lambda: changed(data=lambda a: a[:-1]), "X.data must have one number for each of 16 indices"),
    "numbers in two dimensions": (
        lambda: changed(data=lambda a: a[:, None]),
        "X.data must have one number for each of 16 indices",
    ),
    "no numbers": (
        lambda: changed(data=lambda a: a[:0]),
        "X.data must have one number for each of 16 indices, got shape (0,)",
    ),
    "starts too short": (
        lambda: changed(indptr=lambda a: a[:-1]),
        "X.indptr must have 13 entries, one more than there are rows; it has 12",
    ),
    "starts too long": (
        lambda: changed(indptr=lambda a: np.append(a, a[-1])),
        "X.indptr must have 13 entries, one more than there are rows; it has 14",
    ),
    "no starts": (
        lambda: changed(indptr=lambda a: a[:0]),
        "X.indptr must have 13 entries, one more than there are rows; it has 0",
    ),
    "starts not from 0": (lambda: changed(indptr=put(0, 1)), "X.indptr must start with 0; it starts with 1"),
    "starts negative": (lambda: changed(indptr=put(0, -1)), "X.indptr must start with 0; it starts with -1"),
    "starts that fall": (
        lambda: changed(indptr=put(5, 1)),
        "X.indptr must be non-decreasing; it drops from 6 to 1 at row 4",
    ),
    "starts beyond the columns": (
        lambda: changed(indptr=put(-1, 10**6)),
        "X.indptr ends with 1000000, but X.indices has only 16",
    ),
    "starts of floats": (
        lambda: changed(indptr=lambda a: a.astype(float)),
        "X.indptr must be a 1-D array of whole numbers",
    ),
    "starts beyond int64": (
        lambda: changed(indptr=put(-1, 2**64 - 1, np.uint64)),
        "X.indptr ends with 18446744073709551615",
    ),
    "complex": (lambda: changed(data=lambda a: a.astype(complex)), "X has dtype complex128"),
    "words": (lambda: changed(data=lambda a: a.astype("U8")), "X has dtype <U8"),
    "objects": (lambda: changed(data=put(0, {}, object)), "X holds objects that are not numbers"),
    "dates": (lambda: changed(data=lambda a: a.astype("M8[s]")), "X has dtype datetime64[s]"),
    "masked": (lambda: changed(data=lambda a: np.ma.masked_greater(a, 0)), "X is a masked array"),
    "no rows": (lambda: sparse.csr_array((0, 3)), "X is empty: its shape is (0, 3)"),
    "no columns at all": (lambda: sparse.csr_array((12, 0)), "X is empty: its shape is (12, 0)"),
    "1 dimension": (lambda: sparse.coo_array(random_rows()[:, 0]), "X must have 2 dimensions"),
    "1 dimension of csr": (lambda: sparse.csr_array(random_rows()[:, 0]), "X must have 2 dimensions"),
    "3 dimensions": (lambda: sparse.coo_array(random_rows()[None]), "X must have 2 dimensions"),
    "a shape of words": (lambda: changed(_shape=("12", "5")), "X.shape must be two whole numbers, got ('12', '5')"),
    "a negative shape": (lambda: changed(_shape=(12, -5)), "X is empty"),
    "too many columns": (lambda: changed(_shape=(12, 2**32)), "at most 4294967295"),
    "csc: a row too large": (lambda: changed("csc", indices=put(0, 12)), "it holds 12 in column 1"),
    "csc: a row negative": (lambda: changed("csc", indices=put(0, -3)), "it holds -3 in column 1"),
    "csc: starts too short": (lambda: changed("csc", indptr=lambda a: a[:-1]), "one more than there are columns"),
    "csc: starts beyond": (lambda: changed("csc", indptr=put(-1, 99)), "X.indptr ends with 99"),
    "csc: numbers too short": (
        lambda: changed("csc", data=lambda a: a[1:]),
        "X is not a valid CSC array: indices and data",
    ),
    "csc: complex": (lambda: changed("csc", data=lambda a: a + 0j), "X has dtype complex128"),
    "csc: objects": (lambda: changed("csc", data=put(0, "a", object)), "X holds objects"),
    "coo: a row too large": (lambda: triplets(put(3, 12), None), "X is not a valid COO array: axis 0 index 12 exceeds"),
    "coo: a column negative": (
        lambda: triplets(None, put(3, -1)),
        "X is not a valid COO array: negative axis 1 index: -1",
    ),
    "coo: a huge column": (
        lambda: triplets(None, put(3, 2**40, np.int64)),
        "X is not a valid COO array: axis 1 index 1099511627776",
    ),
    "coo: rows too short": (
        lambda: triplets(lambda a: a[:-1], None),
        "X is not a valid COO array: all index and data arrays must have the same length",
    ),
    "coo: numbers too short": (
        lambda: changed("coo", data=lambda a: a[:-1]),
        "X is not a valid COO array: all index and data arrays must have the same length",
    ),
    "coo: rows of floats": (
        lambda: triplets(lambda a: a.astype(float), None),
        "X.row must be a 1-D array of whole numbers",
    ),
    "coo: one array": (lambda: changed("coo", coords=lambda a: a[:1]), "X.row can't be converted to an array"),
    "bsr: a block too large": (lambda: blocks(indices=put(0, 5)), "it holds 5 in block row 0"),
    "bsr: starts too short": (lambda: blocks(indptr=lambda a: a[:-1]), "one more than there are block rows"),
    "bsr: numbers too short": (lambda: blocks(data=lambda a: a[:-1]), "X is not a valid BSR array: indices and data"),
    "bsr: blocks that don't fit": (lambda: blocks(data=lambda a: np.zeros((len(a), 4, 3))), "X.data has"),
    "bsr: flat": (lambda: blocks(data=lambda a: a.ravel()), "X.data has shape"),
    "dia: too few offsets": (
        lambda: changed("dia", offsets=lambda a: a[:-1]),
        "but must have one row for each of 9 offsets",
    ),
    "dia: offsets of floats": (
        lambda: changed("dia", offsets=lambda a: a + 0.5),
        "X.offsets must be a 1-D array of whole numbers",
    ),
    "dia: flat": (lambda: changed("dia", data=lambda a: a.ravel()), "X.data has shape"),
    "lil: a column too large": (lambda: lil_row([9], [1.0]), "it holds 9 in row 2"),
    "lil: a column negative": (lambda: lil_row([-1], [1.0]), "it holds -1 in row 2"),
    "lil: more numbers": (lambda: lil_row([1], [1.0] * 10**5), "X.rows has 1 columns in row 2, but X.data has 100000"),
    "lil: fewer numbers": (lambda: lil_row([1, 2], []), "X.rows has 2 columns in row 2, but X.data has 0"),
    "lil: no list": (lambda: lil_row(None, [1.0]), "X.rows must be an array of 12 lists"),
    "lil: too few rows": (lambda: changed("lil", rows=lambda a: a[:-1]), "X.rows must be an array of 12 lists"),
    "lil: words": (lambda: lil_row([1], ["a"]), "X "),
    "lil: a column of half": (lambda: lil_row([1.5], [1.0]), "X.rows must hold whole numbers; row 2 holds [1.5]"),
    "lil: a column beyond int64": (lambda: lil_row([2**70], [1.0]), "X is not a valid LIL array: Python int too large"),
    "dok: a column too large": (lambda: words_in_dok((0, 5)), "X is not a valid DOK array: axis 1 index 5 exceeds"),
    "dok: a row negative": (lambda: words_in_dok((-1, 0)), "X is not a valid DOK array: negative axis 0 index: -1"),
    "dok: no pair": (lambda: words_in_dok("ab"), "X is not a valid DOK array: "),
    "dok: words": (lambda: words_in_dok(("a", "b")), "X is not a valid DOK array: "),
    "dok: numbers of words": (lambda: words_in_dok((0, 0), "a"), "X "),
    "no sparse array of SciPy's": (
        lambda: type("Half", (), {"tocsr": None})(),
        "X is a Half, not a SciPy sparse array",
    ),
}
