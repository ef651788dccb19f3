"""SciPy's sparse matrices and arrays, in any format, as CSR rows that kernels need not check.

An index out of range would read or write outside of the arrays, in our kernels as in SciPy's conversions, so indices
are checked before either. The user's arrays are never written.
"""

import operator
import sys

import numpy as np

from ..kernels.layouts import CSR, frozen
from ..sources.sparse_checks import ascends
from ..wording import brief
from .numeric import as_float

MOST_COLUMNS = 2**32 - 1


def is_sparse(X):
    """Whether ``X`` is one of SciPy's, which is loaded then."""
    module = sys.modules.get("scipy.sparse")
    return module is not None and module.issparse(X)


def csr(X):
    """A sparse matrix or array as CSR, and what was copied, or None; arrays in canonical form are not copied."""
    n, columns = lengths(X.shape)
    if X.format != "csr":
        rows, _ = csr(_converted(X, n, columns))
        return rows, f"converted from {X.format.upper()} to CSR, a copy: X.tocsr() does so once for many fits"
    notes, (starts, given) = [], _compressed(X, n, "row")
    values = as_float("X", X.data)
    if values.ndim != 1 or len(values) < len(given):
        raise ValueError(f"X.data must have one number for each of {len(given)} indices, got shape {values.shape}.")
    if values.size and not np.may_share_memory(values, np.asarray(X.data)):
        notes.append(f"X.data copied, from {_kind(np.asarray(X.data))} to {values.dtype}")
    starts = np.require(starts, np.int64, ["C", "A"]).view(np.uint64)
    if given.dtype.itemsize == 4 and given.dtype.isnative and given.flags.c_contiguous and given.flags.aligned:
        indices = given.view(np.uint32)
    else:
        check_range(given, columns, starts, "row")
        indices = given.astype(np.uint32)
        notes += [f"X.indices copied, from {_kind(given)} to uint32"] * (given.size > 0)
    rows = CSR(frozen(values[: len(indices)]), frozen(indices), frozen(starts), columns)
    if not ascends(rows):
        check_range(given, columns, starts, "row")
        X = rows.given().copy()
        X.has_canonical_format = False
        X.sum_duplicates()
        rows = CSR.of(X)
        notes.append("X copied to sort the columns of each row and add duplicates up: X.sum_duplicates() does so once")
    return rows, "; ".join(notes) or None


def still_sound(rows):
    """Raise if the user has since written into arrays of theirs that kernels don't check."""
    if not rows.sparse:
        return
    starts, size = rows.starts, rows.indices.size
    if not (starts[0] == 0 and starts[-1] == size and (starts[1:] >= starts[:-1]).all() and ascends(rows)):
        raise ValueError("X was changed while it was in use, and its indices are no longer valid: pass X.copy().")


def lengths(shape):
    """The number of rows and of columns of X."""
    try:
        n, columns = map(operator.index, shape)
    except (TypeError, ValueError):
        raise TypeError(f"X.shape must be two whole numbers, got {brief(shape)}.") from None
    if min(n, columns) < 1:
        raise ValueError(f"X is empty: its shape is {shape}; at least one row and one column are needed.")
    if max(n, columns) > MOST_COLUMNS:
        raise ValueError(f"X has shape {shape}: at most {MOST_COLUMNS} rows and columns are supported.")
    return n, columns


# Indices ------------------------------------------------------------------------------------------------------------


def _kind(array):
    return f"{array.dtype}{'' if array.flags.c_contiguous else ' (not contiguous)'}"


def _whole(X, name):
    """An attribute of ``X`` as an array of whole numbers."""
    try:
        array = np.asarray(getattr(X, name, None))
    except (ValueError, IndexError) as error:  # SciPy's X.row is one of X.coords
        raise ValueError(f"X.{name} can't be converted to an array: {error}.") from None
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"X.{name} must be a 1-D array of whole numbers, got {array.dtype} of shape {array.shape}.")
    # ``check_range`` views numbers without their sign: -1 as int8 would be 255.
    return array if array.dtype.itemsize >= 4 else array.astype(np.int64)


def _compressed(X, count, line):
    """The boundaries and the indices of ``count`` lines (rows, columns or rows of blocks), the boundaries checked."""
    starts, indices = _whole(X, "indptr"), _whole(X, "indices")
    if len(starts) != count + 1:
        raise ValueError(
            f"X.indptr must have {count + 1} entries, one more than there are {line}s; it has {len(starts)}."
        )
    if starts[0] != 0:
        raise ValueError(f"X.indptr must start with 0; it starts with {starts[0]}.")
    drops = starts[1:] < starts[:-1]
    if drops.any():
        k = int(np.argmax(drops))
        raise ValueError(
            f"X.indptr must be non-decreasing; it drops from {starts[k]} to {starts[k + 1]} at {line} {k}."
        )
    if starts[-1] > len(indices):
        raise ValueError(f"X.indptr ends with {starts[-1]}, but X.indices has only {len(indices)} entries.")
    return starts, indices[: int(starts[-1])]


def check_range(indices, limit, starts, line):
    """Raise for the first index that is not below ``limit``."""
    # Read as unsigned, a negative index is larger than any other.
    unsigned = indices.view(indices.dtype.str.replace("i", "u"))
    if indices.size and unsigned.max() >= limit:
        k = int(np.argmax(unsigned >= limit))
        at = int(np.searchsorted(starts, starts.dtype.type(k), "right")) - 1
        raise ValueError(f"X.indices must be at least 0 and less than {limit}; it holds {indices[k]} in {line} {at}.")


# Other formats ------------------------------------------------------------------------------------------------------


def _converted(X, n, columns):
    """Another format as SciPy's CSR, converted by SciPy after the checks that SciPy does not make."""
    from scipy import sparse

    convert = {"csc": _csc, "bsr": _bsr, "coo": _coo, "dok": _coo, "dia": _dia, "lil": _lil}.get(X.format)
    if convert is None:
        raise TypeError(f"X has the unknown format {brief(X.format)}: pass X.tocsr().")
    try:
        return convert(sparse, X, n, columns).tocsr()
    except Exception as error:
        if str(error).startswith("X"):  # ours
            raise
        raise ValueError(f"X is not a valid {X.format.upper()} array: {error}.") from None


def _csc(sparse, X, n, columns):
    starts, indices = _compressed(X, columns, "column")
    check_range(indices, n, starts, "column")
    return sparse.csc_array((as_float("X", X.data), indices, starts), shape=(n, columns))


def _bsr(sparse, X, n, columns):
    values = as_float("X", X.data)
    if values.ndim != 3 or 0 in values.shape[1:] or n % values.shape[1] or columns % values.shape[2]:
        raise ValueError(f"X.data has shape {values.shape}, but must hold blocks that divide X, {n} by {columns}.")
    high, wide = values.shape[1:]
    starts, indices = _compressed(X, n // high, "block row")
    check_range(indices, columns // wide, starts, "block row")
    return sparse.bsr_array((values, indices, starts), shape=(n, columns))


def _coo(sparse, X, n, columns):
    X = X.tocoo()
    row, col = _whole(X, "row"), _whole(X, "col")
    return sparse.coo_array((np.ravel(as_float("X", X.data)), (row, col)), shape=(n, columns))  # checks their range


def _dia(sparse, X, n, columns):
    values, offsets = as_float("X", X.data), _whole(X, "offsets")
    if values.ndim != 2 or len(values) != len(offsets):
        raise ValueError(f"X.data has shape {values.shape}, but must have one row for each of {len(offsets)} offsets.")
    inside = (offsets > -n) & (offsets < columns)  # the others hold no number, and SciPy would narrow them to int32
    return sparse.dia_array((values[inside], offsets[inside]), shape=(n, columns))


def _lil(sparse, X, n, columns):
    rows, data = (np.asarray(getattr(X, name, None)) for name in ("rows", "data"))
    for name, lists in (("rows", rows), ("data", data)):
        if lists.shape != (n,) or not all(isinstance(one, list) for one in lists):
            raise ValueError(f"X.{name} must be an array of {n} lists.")
    for i, (indices, numbers) in enumerate(zip(rows, data, strict=True)):
        if len(indices) != len(numbers):
            raise ValueError(f"X.rows has {len(indices)} columns in row {i}, but X.data has {len(numbers)} numbers.")
        if not all(hasattr(j, "__index__") for j in indices):
            raise TypeError(f"X.rows must hold whole numbers; row {i} holds {brief(indices, 60)}.")
    return X
