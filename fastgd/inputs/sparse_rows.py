"""The door for SciPy's sparse matrices and arrays: any format becomes CSR that kernels need not check.

Nothing is believed: an index out of range would read, or write, another's memory, in our kernels as in SciPy's own
conversions. Nothing that the user passes is written.
"""

import itertools
import operator
import sys

import numpy as np

from ..kernels.layouts import CSR, frozen
from ..parts.registry import brief

CHECKED = 1 << 17  # indices at a time: what is compared stays in the cache for the second test
MOST_COLUMNS = 2**32 - 1


def is_sparse(X):
    """Whether ``X`` is one of SciPy's, which is loaded then."""
    module = sys.modules.get("scipy.sparse")
    return module is not None and module.issparse(X)


def csr(X, as_float):
    """A sparse matrix or array of two dimensions, in any format, as CSR, and what was done to it, or None.

    ``as_float`` makes numbers float32 or float64. Arrays that are canonical already are not copied.
    """
    n, columns = lengths(X.shape)
    if X.format != "csr":
        rows, _ = _rows(_converted(X, n, columns, as_float), n, columns, as_float)
        return rows, f"converted from {X.format.upper()} to CSR, a copy: X.tocsr() makes it once for many fits"
    return _rows(X, n, columns, as_float)


def _rows(X, n, columns, as_float):
    """Rows of SciPy's CSR and what was copied of them."""
    notes = []
    starts, stood = _compressed(X, n, "row")
    given = X.data
    values = _of_shape(as_float(given), (len(stood),))
    given = np.asarray(given)
    if values.size and not np.may_share_memory(values, given):
        notes.append(f"X.data made {values.dtype} ({_kind(given)} before), a copy")
    starts = np.require(starts, np.int64, ["C", "A"]).view(np.uint64)
    indices, ascends = _columns(stood, starts, columns)
    if indices.size and not np.may_share_memory(indices, stood):
        notes.append(f"X.indices made uint32 ({_kind(stood)} before), a copy")
    rows = CSR(values[: len(indices)], indices, starts, columns)
    if not ascends:
        rows = _in_order(rows)
        notes.append("columns of a row did not ascend, or stood twice: put in order in a copy (X.sum_duplicates())")
    return CSR(frozen(rows.values), frozen(rows.indices), frozen(rows.starts), columns), "; ".join(notes) or None


def still_sound(rows):
    """Raise where the user has meanwhile written into arrays of theirs that kernels don't check."""
    if not rows.sparse:
        return
    starts, size = rows.starts, rows.indices.size
    whole = starts[0] == 0 and starts[-1] == size and (starts[1:] >= starts[:-1]).all()
    if not (whole and _ascends(rows.indices, starts, rows.columns)):
        raise ValueError("X was changed after it was checked, and its rows are no longer in order: pass X.copy().")


# The arrays of a format ---------------------------------------------------------------------------------------------


def lengths(shape):
    """The two lengths of X, or an error where they are none."""
    try:
        n, columns = map(operator.index, shape)
    except (TypeError, ValueError):
        raise TypeError(f"X.shape is {brief(shape)}: two whole numbers are needed.") from None
    if min(n, columns) < 1:
        raise ValueError(f"X is empty: its shape is {shape}; at least one row and one column are needed.")
    if max(n, columns) > MOST_COLUMNS:
        raise ValueError(f"X has the shape {shape}: at most {MOST_COLUMNS} rows and columns are possible.")
    return n, columns


def _kind(array):
    return f"{array.dtype}{'' if array.flags.c_contiguous else ' with gaps'}"


def _whole(X, name):
    """An array of whole numbers of one dimension, as int64 where it is of no usual type."""
    try:
        array = np.asarray(getattr(X, name, None))
    except (ValueError, IndexError) as error:  # SciPy's X.row is one of X.coords
        raise ValueError(f"X.{name} can't be made an array: {error}.") from None
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"X.{name} must be one row of whole numbers, got {array.dtype} of shape {array.shape}.")
    # Smaller ones too: read without its sign, -1 as int8 is 255.
    return array if array.dtype.kind == "i" and array.dtype.itemsize >= 4 else _signed(array, name)


def _signed(array, name):
    if array.dtype.itemsize == 8 and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"X.{name} has {array.max()}: it is too large.")
    return array if array.dtype.name == "uint32" else array.astype(np.int64)


def _of_shape(values, shape):
    """The numbers, where they are as many as their indices."""
    if values.shape[1:] != shape[1:] or values.ndim != len(shape) or len(values) < shape[0]:
        raise ValueError(f"X.data has the shape {values.shape}, but X.indices are for the shape {shape}.")
    return values


def _compressed(X, count, line):
    """The boundaries and the indices of ``count`` lines, checked but for the indices' range.

    A line is a row or a column, or a row of blocks.
    """
    starts, indices = _whole(X, "indptr"), _whole(X, "indices")
    if len(starts) != count + 1:
        raise ValueError(f"X.indptr has {len(starts)} entries and needs {count + 1}: one more than it has {line}s.")
    if starts[0] != 0:
        raise ValueError(f"X.indptr begins with {starts[0]}: it must begin with 0.")
    falls = starts[1:] < starts[:-1]
    if falls.any():
        k = int(np.argmax(falls))
        raise ValueError(f"X.indptr falls from {starts[k]} to {starts[k + 1]} in {line} {k}: it must not.")
    if starts[-1] > len(indices):
        raise ValueError(f"X.indptr ends with {starts[-1]}, beyond X's {len(indices)} indices: it must not.")
    return starts, indices[: int(starts[-1])]


def _in_range(indices, limit, name, tell):
    """Raise for the first index that is not below ``limit``; ``tell(k)`` says where it is."""
    # A negative one is beyond all when it is read without its sign.
    unsigned = indices.view(indices.dtype.str.replace("i", "u"))
    for lo in range(0, len(indices), CHECKED):
        some = unsigned[lo : lo + CHECKED]
        if some.max() >= limit:
            k = lo + int(np.argmax(some >= limit))
            raise ValueError(f"X.{name} has {indices[k]} {tell(k)}: it must be at least 0 and less than {limit}.")


def _line_of(starts, line):
    """Words for the line in which an index stands."""
    return lambda k: f"in {line} {int(np.searchsorted(starts, starts.dtype.type(k), 'right')) - 1}"


# Rows ---------------------------------------------------------------------------------------------------------------


def _columns(indices, starts, columns):
    """The columns as uint32, all in range, and whether they ascend in every row."""
    usual = (
        indices.dtype.itemsize == 4 and indices.dtype.isnative and indices.flags.c_contiguous and indices.flags.aligned
    )
    if usual and _ascends(indices.view(np.uint32), starts, columns):
        return indices.view(np.uint32), True
    _in_range(indices, columns, "indices", _line_of(starts, "row"))
    if usual:
        return indices.view(np.uint32), False
    indices = indices.astype(np.uint32)
    return indices, _ascends(indices, starts, columns)


def _ascends(indices, starts, columns):
    """Whether the columns of every row ascend, the last of them below ``columns``: all are in range then.

    0.30 ns a number at 75 a row (0.45 to 0.8 on cores that others use): 0.18 to compare, 0.07 to leave out where rows
    begin, 0.05 for the last of each row. Reading them costs 0.15. Testing the range of every index would be 0.15 more;
    two threads gained nothing.
    """
    if not indices.size:
        return True
    rises = np.empty(CHECKED, bool)
    edges = [*range(1, indices.size, CHECKED), indices.size]
    first_rows = np.searchsorted(starts, np.array(edges, np.uint64)).tolist()
    for k, (lo, hi) in enumerate(itertools.pairwise(edges)):
        some = rises[: hi - lo]
        np.greater(indices[lo:hi], indices[lo - 1 : hi - 1], out=some)
        begun = starts[first_rows[k] : first_rows[k + 1]].astype(np.int64)
        some[begun - lo] = True
        # Those before a beginning are the last of a row.
        if not some.all() or (begun.size and indices[begun - 1].max() >= columns):
            return False
    return bool(indices[-1] < columns)


def _in_order(rows):
    """The same rows with ascending columns, those that stand twice added up."""
    from scipy.sparse import csr_array

    kind = np.int32 if rows.columns <= np.iinfo(np.int32).max else np.int64
    parts = rows.values, rows.indices.astype(kind), rows.starts.view(np.int64)
    X = csr_array(parts, shape=rows.shape, copy=True)
    X.sum_duplicates()
    return CSR(X.data, X.indices.astype(np.uint32), X.indptr.astype(np.uint64), rows.columns)


# Other formats ------------------------------------------------------------------------------------------------------


def _converted(X, n, columns, as_float):
    """The rows of another format as SciPy's CSR; its conversions believe every index, so these are checked before."""
    from scipy import sparse

    if X.format in ("csc", "bsr"):
        return (_csc if X.format == "csc" else _bsr)(sparse, X, n, columns, as_float).tocsr()
    parts = {"coo": _coo, "dia": _dia, "lil": _lil, "dok": _dok}.get(X.format)
    if parts is None:
        raise TypeError(f"X is of the format {brief(X.format)}, which is not known: pass CSR.")
    values, row, column = parts(X, n, as_float)
    for name, index, limit in (("row", row, n), ("col", column, columns)):
        _in_range(index, limit, name, lambda k: f"at place {k}")
    return sparse.coo_array((values, (row, column)), shape=(n, columns)).tocsr()


def _csc(sparse, X, n, columns, as_float):
    starts, indices = _compressed(X, columns, "column")
    _in_range(indices, n, "indices", _line_of(starts, "column"))
    values = _of_shape(as_float(X.data), (len(indices),))
    return sparse.csc_array((values[: len(indices)], indices, starts), shape=(n, columns))


def _bsr(sparse, X, n, columns, as_float):
    values = as_float(X.data)
    if values.ndim != 3 or 0 in values.shape[1:] or n % values.shape[1] or columns % values.shape[2]:
        raise ValueError(
            f"X.data has the shape {values.shape}: blocks that X, {n} by {columns}, is made of are needed."
        )
    high, wide = values.shape[1:]
    starts, indices = _compressed(X, n // high, "block row")
    _in_range(indices, columns // wide, "indices", _line_of(starts, "block row"))
    values = _of_shape(values, (len(indices), high, wide))
    return sparse.bsr_array((values[: len(indices)], indices, starts), shape=(n, columns))


def _coo(X, n, as_float):
    row, column, values = _whole(X, "row"), _whole(X, "col"), as_float(X.data)
    if not values.shape == row.shape == column.shape:
        shapes = f"{values.shape}, {row.shape} and {column.shape}"
        raise ValueError(f"X.data, X.row and X.col have the shapes {shapes}: they must be the same.")
    return values, row, column


def _dia(X, n, as_float):
    values, offsets = as_float(X.data), _whole(X, "offsets")
    if values.ndim != 2 or len(values) != len(offsets):
        raise ValueError(
            f"X.data has the shape {values.shape}, but X has {len(offsets)} offsets: a row for each is needed."
        )
    column = np.arange(values.shape[1])
    near = np.clip(offsets, -(n + 1), X.shape[1])  # those beyond have no number in X, and could overflow
    row = column - near[:, None].astype(np.int64)
    inside = (row >= 0) & (row < n) & (column < X.shape[1])
    return values[inside], row[inside], np.broadcast_to(column, inside.shape)[inside]


def _lil(X, n, as_float):
    rows, data = (np.asarray(getattr(X, name, None)) for name in ("rows", "data"))
    for name, lists in (("rows", rows), ("data", data)):
        if lists.shape != (n,) or not all(isinstance(one, list) for one in lists):
            raise ValueError(f"X.{name} must be an array of {n} lists.")
    counts = [*map(len, rows)]
    for i, (count, numbers) in enumerate(zip(counts, data, strict=True)):
        if count != len(numbers):
            raise ValueError(f"X.rows has {count} columns in row {i}, but X.data has {len(numbers)} numbers there.")
    column = _listed(itertools.chain.from_iterable(rows), "rows")
    return as_float(_numbers(itertools.chain.from_iterable(data), X.dtype)), np.repeat(np.arange(n), counts), column


def _dok(X, n, as_float):
    pairs = list(X.keys())
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise ValueError("X.keys() must be pairs of a row and a column.")
    row, column = (_listed((pair[axis] for pair in pairs), "keys()") for axis in (0, 1))
    return as_float(_numbers(X.values(), X.dtype)), row, column


def _listed(numbers, name):
    """Whole numbers of Python's as an array."""
    try:
        return np.fromiter(map(operator.index, numbers), np.int64)
    except (TypeError, OverflowError) as error:
        raise TypeError(f"X.{name} must be whole numbers: {error}.") from None


def _numbers(numbers, kind):
    """Numbers of a list as an array of the type that they are said to be of, or of objects: the door tells then."""
    numbers = list(numbers)
    try:
        return np.fromiter(numbers, kind, len(numbers))
    except Exception:  # NumPy's, or of the numbers' own
        return np.fromiter(numbers, object, len(numbers))
