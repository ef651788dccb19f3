"""Any values as an array of real numbers, or one clear error that names the argument."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Set

import numpy as np
from numpy import ma  # here, as NumPy imports it when it is first asked for: a child forked meanwhile waits for ever


def in_memory(name, values):
    """Raise where there are no values yet, or none that have rows."""
    kind = type(values).__name__
    if hasattr(values, "collect") and not hasattr(values, "to_numpy"):  # polars' LazyFrame
        raise TypeError(f"{name} is a {kind}, which holds no values yet: pass {name}.collect().")
    if isinstance(values, Iterator):
        raise TypeError(f"{name} is a {kind}, whose values come one by one: pass list({name}).")
    if isinstance(values, (Mapping, Set)) and not hasattr(values, "shape"):  # SciPy's DOK matrices are dicts
        raise TypeError(f"{name} is a {kind}: pass an array or a data frame, e.g. pandas.DataFrame({name}).")


TABLES = ("X", "y")  # what rows and targets are called


def one_object(name, given):
    """Why a single object that is no number is no table, and what to pass instead."""
    kind = type(given).__name__
    if isinstance(given, str) and name == "y":
        return f"y={given!r} is a text: pass that column, such as frame[{given!r}], and the other columns as X."
    if isinstance(given, (str, os.PathLike)):
        return f"{name}={given!r} is a path: read the file, or pass a source, such as fastgd.sources.csv(path, target)."
    if hasattr(given, "to_table") or hasattr(given, "read_row_group"):  # pyarrow's data sets and files
        call = "to_table" if hasattr(given, "to_table") else "read"
        words = f"pass {name}.{call}(), or the source of its files, fastgd.sources.parquet(path, target)"
        return f"{name} is a {kind}, which holds no values yet: {words}."
    return f"{name} is a {kind}: pass an array, a data frame, SciPy's sparse rows or a source (fastgd.sources)."


def numeric(name, values):
    """``values`` as an array of real numbers."""
    in_memory(name, given := values)
    if ma.isMaskedArray(values):
        raise TypeError(f"{name} is a masked array: fill or drop its missing values first, e.g. {name}.filled(0).")
    try:
        values = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} can't be converted to an array: {str(error).rstrip('.')}.") from None
    if values.dtype.kind == "O":
        try:
            values = values.astype(np.float64)
        except OverflowError:
            raise ValueError(f"{name} holds a number that overflows float64: rescale it.") from None
        except (TypeError, ValueError):
            if values.ndim == 0 and name in TABLES:
                raise TypeError(one_object(name, given)) from None
            raise TypeError(f"{name} holds objects that are not numbers: encode or drop them.") from None
    if values.dtype.kind not in "biuf":
        if isinstance(given, str) and name in TABLES:
            raise TypeError(one_object(name, given))
        hint = ' For labels of two classes pass e.g. loss="log_loss".' if name == "y" else ""
        if values.dtype.kind in "US":
            with contextlib.suppress(ValueError):
                values.ravel()[:100].astype(np.float64)
                hint = f" It holds numbers as text: pass {name}.astype(float)."
        raise TypeError(f"{name} has dtype {values.dtype}, but must hold real numbers.{hint}")
    return values


def as_float(name, values):
    """Numbers as a contiguous array of float32 or float64, not copied if they are one already."""
    values = numeric(name, values)
    dtype = np.float32 if values.dtype.name in ("float16", "float32") else np.float64
    with np.errstate(all="ignore"):  # overflow is reported later, and a signalling NaN is a NaN
        return np.asarray(np.require(values, dtype, ["C", "A"]))
