"""The data that the user passes, as canonical arrays, or one clear error that names the argument."""

from typing import NamedTuple

import numpy as np

from ..kernels.layouts import CSR, Dense, frozen
from ..parts.registry import brief, count
from ..sources.rows import SourceRows
from . import labels, sparse_rows
from .numeric import as_float, in_memory, numeric


class Matrix(NamedTuple):
    """A canonical ``X``."""

    rows: Dense | CSR  # float32 or float64
    names: tuple | None = None  # the columns' names, if X has any
    note: str | None = None  # what was copied to make sparse rows canonical


NO_OFFSET = frozen(np.empty(0))
BLOCK = 1 << 18  # labels whose codes are made at once: of many rows a temporary would be as large as y


class Table(NamedTuple):
    """Canonical data: contiguous, native, read-only to the kernels, of one type ``T`` (float32 or float64)."""

    X: Dense | CSR  # (n, d) T
    y: np.ndarray  # (targets, n) float32 or float64; for classes their codes 0, 1, ... of T
    weight: np.ndarray  # (n,) T of mean 1, or (0,) where all rows weigh the same
    names: tuple | None  # the columns' names, if X has any
    classes: np.ndarray | None  # the labels, sorted
    note: str | None = None  # what was copied to make sparse rows canonical
    offset: np.ndarray = NO_OFFSET  # (n,) T, added to the scores; (0,) for none, or if it is in the targets


def table(X, y, sample_weight, loss, classes=None, scale=True, coded=False, given_offset=None):
    """Check and canonicalise the data of a fit; ``classes`` are the labels, if they are known before."""
    X, names, note = matrix(X)
    n = X.shape[0]
    y, classes = target(y, n, X.dtype, loss, classes, coded, X.room)
    weight = row_weights(sample_weight, n, X.dtype, scale)
    return with_offset(Table(X, y, weight, names, classes, note), given_offset, loss)


def with_offset(table, given, loss):
    """The table with an offset, which is subtracted from the targets if the loss is residual-only."""
    n, dtype = table.X.shape[0], table.X.dtype
    if given is not None and loss.residual_only:
        table, given = table._replace(y=frozen(table.y - offset(given, n, np.float64))), None
    return table._replace(offset=offset(given, n, dtype))


# X ------------------------------------------------------------------------------------------------------------------


def matrix(X):
    """``X`` as a ``Matrix``; not copied if it is contiguous float32 or float64 already, or CSR in canonical form.

    A ``Matrix``, ``Dense``, ``CSR`` or ``SourceRows`` was checked before, and is returned without another check.
    """
    if isinstance(X, Matrix):
        return X
    if isinstance(X, (Dense, CSR, SourceRows)):
        return Matrix(X)
    in_memory("X", X)
    names = None
    if hasattr(X, "columns") and hasattr(X, "to_numpy"):
        names = tuple(map(str, X.columns))
        X = _frame(X, names)
    if sparse_rows.is_sparse(X):
        two_dimensions(X.shape)
        rows, note = sparse_rows.csr(X)
        return Matrix(rows, names, note if names is None else "sparse columns copied into one CSR array")
    if hasattr(X, "tocsr"):
        raise TypeError(f"X is a {type(X).__name__}, not a SciPy sparse array: convert it, e.g. X.tocsr().")
    X = numeric("X", X)
    two_dimensions(X.shape)
    return Matrix(Dense(frozen(as_float("X", X))), names)


def checked(X):
    """``X`` for another call of ``matrix``, which then does not check it again.

    ``X`` is a SciPy CSR array that ``matrix`` took without a note, or that was made of its rows or by ``rows.given()``,
    and has not been changed since; anything else is returned as it is.
    """
    return Matrix(CSR.of(X)) if sparse_rows.is_sparse(X) else X


def two_dimensions(shape):
    """Raise if ``X`` is not a table."""
    if len(shape) != 2:
        hint = ""
        if len(shape) == 1:
            hint = " For one column pass X.reshape(-1, 1), for one row X.reshape(1, -1); fit takes X, then y."
        raise ValueError(f"X must have 2 dimensions (rows, columns), got shape {shape}.{hint}")
    if 0 in shape:
        raise ValueError(f"X is empty: its shape is {shape}; at least one row and one column are needed.")


def _frame(X, names):
    """The values of a data frame, sparse if all its columns are, or an error that names the first non-numeric one."""
    for name, kind in zip(names, X.dtypes, strict=True):
        code = getattr(kind, "kind", None)  # polars' types have none
        of_polars = str(kind) == "Boolean" or getattr(kind, "is_numeric", lambda: True)()
        if not (code in tuple("biuf") if code else of_polars):
            raise TypeError(f"X has a column {name!r} of type {kind}: encode it as numbers or drop it.")
    if len(X.dtypes) and hasattr(X, "sparse") and all(getattr(kind, "fill_value", None) == 0 for kind in X.dtypes):
        return X.sparse.to_coo()
    values = X.to_numpy()
    if values.dtype.kind == "O" and hasattr(X, "iloc"):  # pandas' nullable columns
        values = X.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def finite_columns(X, names, place=None):
    """Raise the error for a non-finite ``X``, naming the first row and column; called once a pass has read one."""
    found = X.non_finite()
    if found is not None:
        row, column = found
        label = f"column {names[column]!r}" if names else f"column {column}"
        place = place or getattr(X, "place", "row {}".format)
        raise ValueError(f"X holds NaN or infinity, the first in {place(row)}, {label}: drop or fill such rows.")


# Numbers ------------------------------------------------------------------------------------------------------------


def all_finite(name, values, given):
    """Raise for the first value that is not finite, or that overflowed in the conversion of ``given``."""
    bad = ~np.isfinite(values)
    if bad.any():
        value = np.reshape(given, values.shape)[bad][0]
        if np.isfinite(np.float64(value)):
            place = first_of(bad, name)
            raise ValueError(f"{place} = {value} overflows {values.dtype}: pass X as float64, or rescale.")
        row = np.argwhere(bad)[0][-1]
        raise ValueError(f"{name} holds NaN or infinity, the first in row {row}: drop or fill such rows.")


def not_tiny(y, dtype):
    """Raise for targets (targets, n) all of which are 0 in a type, or have too few digits there, and are not."""
    largest = np.maximum(y.max(axis=1), -y.min(axis=1))
    bad = (largest > 0) & (largest < np.finfo(dtype).tiny)
    if bad.any():
        raise ValueError(f"y is at most {largest[bad][0]:g}, too small for {dtype}: pass X as float64, or rescale.")


def first_of(bad, name="y"):
    """How the user would index the first flagged value of an array (n,) or (targets, n)."""
    place = np.argwhere(bad)[0][::-1]
    return f"{name}[{', '.join(map(str, place if len(bad) > 1 or bad.ndim == 1 else place[:1]))}]"


# y ------------------------------------------------------------------------------------------------------------------


def target(y, n, dtype, loss, classes=None, coded=False, room=None):
    """``y`` as numbers (targets, n) and None, or, if the loss takes labels, their codes of ``dtype`` and the labels.

    ``coded``: they are codes already, of one or more targets; ``room(dtype)`` makes an array (n,) for codes.
    """
    in_memory("y", y)
    if sparse_rows.is_sparse(y):
        raise TypeError("y is a sparse array: pass y.toarray().")
    if len(getattr(y, "shape", ())) == 2:
        y = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
        y = y.reshape(-1) if y.shape[1] == 1 else y
    if y is None:
        raise TypeError(f"y=None: pass one target for each of the {n} rows of X.")
    raw = np.asarray(y) if loss.labels else numeric("y", y)
    if raw.ndim not in (1, 2) or 0 in raw.shape[1:]:
        raise ValueError(f"y must have shape (rows,) or (rows, targets), got {raw.shape}.")
    if len(raw) != n:
        raise ValueError(f"y has {count(len(raw), 'row')}, but X has {n}: pass one target value for each row.")
    if loss.labels and coded:
        return frozen(np.ascontiguousarray(np.atleast_2d(raw.T).astype(dtype))), classes
    if loss.labels:
        return codes(raw, dtype, loss, classes, room)
    # In its own precision: it is centred before it is rounded to the data's type.
    y = as_float("y", np.atleast_2d(raw.T))
    all_finite("y", y, raw.T)
    in_domain(y, loss)
    return frozen(y), None


# The limits of a domain in words, and which targets are beyond them.
OUTSIDE = {
    "low": ("at least", np.less),
    "above": ("greater than", np.less_equal),
    "high": ("at most", np.greater),
    "below": ("less than", np.greater_equal),
}


def in_domain(y, loss):
    """Raise for the first target that the loss is not defined for."""
    for bound, limit in loss.domain.items():
        words, outside = OUTSIDE[bound]
        bad = outside(y, limit)
        if bad.any():
            raise ValueError(f"{first_of(bad)} = {y[bad][0]:g}, but this loss needs targets {words} {limit:g}.")


def codes(raw, dtype, loss, classes=None, room=None):
    """Labels (n,) as codes (1, n) of ``dtype``, 0 for the first of the sorted labels, and the sorted labels."""
    if raw.ndim != 1:
        raise ValueError(f"y must have one dimension, got shape {raw.shape}: pass one column of labels at a time.")
    if raw.dtype.kind == "f":
        all_finite("y", raw, raw)
    if raw.dtype.kind not in "biufUSO":
        raise TypeError(f"y has dtype {raw.dtype}, but labels must be numbers or strings.")
    found = labels_of("y", raw)
    missing = found != found  # only NaN differs from itself, also in an array of objects
    if np.any(missing):
        raise ValueError(f"y holds NaN, the first in row {int(np.argmax(raw != raw))}: drop or fill such rows.")
    if classes is None:
        check_classes("y", found, loss)
        classes = found
    elif not set(found.tolist()) <= set(classes.tolist()):
        raise ValueError(f"y holds the classes {shown(found)}, but the model's classes are {shown(classes)}.")
    found = np.empty(len(raw), dtype) if room is None else room(dtype)
    for first in range(0, len(raw), BLOCK):
        some = slice(first, first + BLOCK)
        # Compared with an array of one: a label may be a tuple.
        found[some] = labels.numbered(raw[some], classes) if loss.joint else raw[some] == classes[1:2]
    return frozen(found[None]), classes


def check_classes(name, found, loss):
    """Raise if there are fewer or more labels than the loss takes."""
    if loss.joint and found.size < 2:
        raise ValueError(f"{name} must hold at least two classes, got {shown(found)}.")
    if not loss.joint and found.size != 2:
        hint = ' For more than two pass loss="multinomial".' if found.size > 2 else ""
        if found.size > 2 and found.dtype.kind == "f" and np.any(found % 1):
            hint = ' For amounts leave the loss at "squared_error".'
        raise ValueError(f"{name} must hold two classes for this loss, got {found.size}: {shown(found)}.{hint}")


def labels_of(name, values):
    """The different labels, sorted."""
    try:
        return labels.different(np.asarray(values))
    except Exception:  # NumPy's, or of the labels' own comparisons
        words = "use numbers or strings, and no missing values"
        raise TypeError(f"{name} holds labels that can't be sorted: {words}.") from None


def known_classes(given, loss):
    """The given labels, sorted, or None."""
    if given is None:
        return None
    found = labels_of("classes", given)
    check_classes("classes", found, loss)
    return found


def shown(values):
    """The first few of some values, for a message."""
    return ", ".join(map(brief, values[:5].tolist())) + (", ..." if values.size > 5 else "")


# One number for each row --------------------------------------------------------------------------------------------


def row_weights(weight, n, dtype, scale=True):
    """``sample_weight`` as (n,) numbers of mean 1 (unscaled if not ``scale``), or an empty array for None."""
    if weight is None:
        return frozen(np.empty(0, dtype))
    weight = _per_row("sample_weight", weight, n)
    if weight.min() < 0:
        row = int(np.argmin(weight))
        raise ValueError(f"sample_weight is negative in row {row} ({weight[row]}): weights must be at least 0.")
    largest = weight.max()
    if largest == 0:
        raise ValueError("sample_weight is zero in every row: at least one weight must be positive.")
    if not scale and largest > 1e30:
        hint = "partial_fit doesn't scale weights, so pass weights of mean about 1"
        raise ValueError(f"sample_weight is as large as {largest:g}: {hint}.")
    if scale:
        weight /= largest
        weight /= weight.mean()
    return frozen(weight.astype(dtype, copy=False))


def offset(values, n, dtype):
    """``offset``, known numbers that are added to the rows' scores, as (n,) of ``dtype``, or an empty array for None.

    The score of row i is ``x_i @ coef + intercept + offset[i]``. Several targets, or classes, share one offset: it has
    one dimension always.

    Parameters
    ----------
    values : array-like (n,) or None
        Finite numbers, in the units of the scores: e.g. the logarithm of the exposure for the losses with a log link.
    n : int
        Number of rows of X.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    ndarray (n,) or (0,)
        Read-only; a copy.

    Raises
    ------
    ValueError, TypeError
        Naming ``offset``, and the first row whose number is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.inputs import arrays
    >>> arrays.offset(np.log([10, 20]), 2, np.float64)
    array([2.30258509, 2.99573227])
    """
    if values is None:
        return frozen(np.empty(0, dtype))
    given = _per_row("offset", values, n)
    with np.errstate(over="ignore"):
        converted = given.astype(dtype)
    all_finite("offset", converted, given)
    return frozen(converted)


def _per_row(name, values, n):
    """Finite numbers (n,) in float64, a copy."""
    if sparse_rows.is_sparse(values):
        raise TypeError(f"{name} is a sparse array: pass {name}.toarray().ravel().")
    values = numeric(name, values)
    if values.shape != (n,):
        raise ValueError(f"{name} has shape {values.shape}, but X has {count(n, 'row')}: shape ({n},) is needed.")
    with np.errstate(all="ignore"):
        values = values.astype(np.float64)
    all_finite(name, values, values)
    return values


# One number for each column -----------------------------------------------------------------------------------------


def box(bounds, d):
    """``bounds`` as two float64 arrays (d,), the lower and the upper bounds, or None.

    Given are ``(low, high)``, each a number, an array (d,) or None, or SciPy's ``scipy.optimize.Bounds``.
    """
    if bounds is None:
        return None
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        bounds = bounds.lb, bounds.ub
    if _pair_for_each(bounds, d):
        raise ValueError(
            f"bounds has a (min, max) pair for each of {d} columns: pass all lower bounds and all upper bounds, "
            "bounds=(low, high)."
        )
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise ValueError(f"bounds must be a pair (low, high), got {brief(bounds)}.") from None
    low, high = _side("low", low, -np.inf, d), _side("high", high, np.inf, d)
    empty = (low > high) | (low == np.inf) | (high == -np.inf)
    if empty.any():
        j = int(np.argmax(empty))
        raise ValueError(f"bounds of column {j} are empty: low={low[j]} and high={high[j]}; low must not exceed high.")
    return low, high


def penalty_factors(given, d, names=None):
    """``penalty_factor`` as a float64 array (d,), a copy, or None; ``names`` are those of the columns, if known."""
    if given is None:
        return None
    labels = getattr(given, "index", None)
    named = names and labels is not None and not callable(labels) and all(isinstance(name, str) for name in labels)
    if named and list(labels) != list(names):
        raise ValueError(
            f"penalty_factor has the names {list(labels)}, but X has the columns {list(names)}: pass a factor for each "
            "of these, in this order."
        )
    values = numeric("penalty_factor", given)
    if values.dtype.kind == "b":
        raise ValueError("penalty_factor holds True and False: pass numbers, 0 for no penalty and 1 for all of it.")
    if values.shape != (d,):
        raise ValueError(f"penalty_factor has shape {values.shape}: a number for each column, shape ({d},), is needed.")
    values = values.astype(np.float64)
    wrong = ~((values >= 0) & (values < np.inf))
    if wrong.any():
        j = int(np.argmax(wrong))
        raise ValueError(f"penalty_factor of column {j} is {values[j]:g}: a finite number of at least 0 is needed.")
    return values


def _pair_for_each(bounds, d):
    """Whether ``bounds`` are SciPy's other form; of two columns, a tuple is (low, high)."""
    if isinstance(bounds, np.ndarray):
        return bounds.shape == (d, 2) and d != 2
    pairs = isinstance(bounds, list) or (isinstance(bounds, tuple) and d != 2)
    return pairs and len(bounds) == d and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in bounds)


def _side(name, values, none, d):
    """The lower or the upper bounds (d,), a copy; ``none`` is what None means."""
    values = numeric(f"bounds ({name})", none if values is None else values).astype(np.float64)
    if values.shape not in ((), (1,), (d,)):
        raise ValueError(f"bounds ({name}) has shape {values.shape}: a number or shape ({d},) is needed.")
    if np.isnan(values).any():
        raise ValueError(f"bounds ({name}) holds NaN: pass {none} or None for no bound.")
    return np.broadcast_to(values, (d,)).copy()
