"""From a table file to float arrays: which columns, every cell a finite number, memory near the float table's size."""

import csv
import difflib
import shlex
from collections import Counter
from typing import NamedTuple

import numpy as np

from .files import TableError, pd

MOST_CLASSES = 1000  # more different labels than this are no classes


class Table(NamedTuple):
    """What a fit needs."""

    X: np.ndarray  # (n, d) float32 or float64
    y: np.ndarray  # (n,) float64, or labels
    weight: np.ndarray | None
    names: tuple


def words(names, most=5):
    """Names in a sentence."""
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def missing_column(path, names, absent, argument):
    """The error for columns that a table lacks, with the nearest name for one."""
    if len(absent) == 1:
        near = difflib.get_close_matches(absent[0].lower(), [name.lower() for name in names], n=1, cutoff=0.5)
        hint = "".join(f" Did you mean {name!r}?" for name in names if near and name.lower() == near[0])
        text = f"{path} has no column {absent[0]!r}{argument}.{hint}"
    else:
        text = f"{path} has no columns {words(absent)}{argument}."
    if all(_is_number(name) for name in names):
        return TableError(f"{text} Its first line holds numbers: a header line with the columns' names is needed.")
    return TableError(f"{text} It has {words(names, 12)}.")


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def named(given, names):
    """Column names from options: each a name, or several with commas in between (quoted where a name has one)."""
    found = []
    for text in given:
        found += [text] if text in names else [name.strip() for name in next(csv.reader([text]), [])]
    return found


def chosen_columns(source, target, columns=None, drop=(), weight=None):
    """The columns to fit on: those asked for, or all but the target, the weights and what is dropped."""
    path, names = source.path, source.names
    if len(names) == 1:
        hint = source.one_column_hint() or "a target and at least one other column are needed"
        raise TableError(f"{path} has one column only, {names[0]!r}: {hint}.")
    drop = named(drop, names)
    asked = named([columns], names) if columns is not None else None
    given = ("target", [target]), ("weight", [weight] if weight else []), ("drop", drop), ("columns", asked or [])
    for option, of_option in given:
        absent = [name for name in of_option if name not in names]
        if absent:
            raise missing_column(path, names, absent, f" for --{option}")
    twice = [name for name, count in Counter(names).items() if count > 1 and name not in drop]
    if twice:
        raise TableError(f"{path} has more than one column {twice[0]!r}: rename them, or leave them out with --drop.")
    if weight == target:
        raise TableError(f"--weight {weight!r} is the target.")
    if asked is None:
        taken = {target, weight, *drop}
        asked = [name for name in names if name not in taken]
        unnamed = [name for name in asked if name.startswith("Unnamed: ")]
        if unnamed:
            what = "a row index, most likely" if unnamed[0] == "Unnamed: 0" else "give it one"
            raise TableError(f"{path} has a column without a name ({what}): leave it out with --drop {unnamed[0]!r}.")
    for name, count in Counter(asked).items():
        if name in (target, weight):
            raise TableError(f"--columns names {name!r}, which is the {'target' if name == target else 'weight'}.")
        if count > 1 or name in drop:
            raise TableError(f"--columns names {name!r} {'twice' if count > 1 else 'and --drop leaves it out'}.")
    if target in drop or not asked:
        raise TableError(f"{path}: --drop leaves no {'target' if target in drop else 'column to fit on'}.")
    return asked


def model_columns(source, feature_names, d):
    """The columns that a model of ``d`` coefficients wants, in its order."""
    if feature_names is None:
        if len(source.names) != d:
            raise TableError(
                f"the model has {d} coefficients without names, and {source.path} has {len(source.names)} columns: "
                "they must be as many."
            )
        feature_names = source.names
    absent = [name for name in feature_names if name not in source.names]
    if absent:
        hint = source.one_column_hint() if len(source.names) == 1 else ""
        if hint:
            raise TableError(f"{source.path} has one column only, {source.names[0]!r}: {hint}.")
        raise missing_column(source.path, source.names, absent, ", which the model needs")
    twice = [name for name in feature_names if source.names.count(name) > 1]
    if twice:
        raise TableError(f"{source.path} has more than one column {twice[0]!r}, which the model needs: rename them.")
    return list(feature_names)


def numbers(source, columns, label=None, target=None, for_model=False):
    """Yield (values (k, columns) float64, labels (k,) or None, progress): every value finite, every label there."""
    first, wanted = 0, [*columns, *([label] if label is not None else [])]
    for frame, done in source.chunks(wanted, label):
        if frame.empty:  # pandas gives a header alone as one such
            continue
        values = _values(source, frame[columns], first, target, for_model)
        if not np.isfinite(values).all():
            row, k = np.argwhere(~np.isfinite(values))[0]
            _not_finite(source, columns[k], first + row, values[row, k], target, for_model)
        labels = None
        if label is not None:
            labels = frame[label].to_numpy(dtype=object)
            if (missing := pd.isna(labels)).any():
                _not_finite(source, label, first + int(np.argmax(missing)), np.nan, target, for_model)
        yield values, labels, done
        first += len(frame)
    if first == 0:
        raise TableError(f"{source.path} has a header and no rows.")


def _values(source, frame, first, target, for_model):
    """The numbers of a chunk; columns that hold anything else are named, all of this chunk at once."""
    if all(getattr(kind, "kind", "O") in "biuf" for kind in frame.dtypes):
        return frame.to_numpy(np.float64)
    made, text = np.empty(frame.shape), {}
    for k, name in enumerate(frame.columns):
        column = frame[name]
        made[:, k] = _floats(column)
        odd = np.isnan(made[:, k]) & column.notna().to_numpy()
        if odd.any():
            row = int(np.argmax(odd))
            text[name] = f"{column.iloc[row]!r} in {source.place(first + row)}"
    if text:
        raise TableError(_text_columns(source.path, text, target, for_model))
    return made


def _floats(column):
    """The numbers of a column, NaN where it holds none."""
    try:
        return pd.to_numeric(column, errors="coerce")
    except OverflowError:  # a whole number beyond float64
        return column.astype(str).map(lambda text: float(text) if _is_number(text) else np.nan)


def _text_columns(path, text, target, for_model):
    names = [name for name in text if name != target]
    if not names:
        return (
            f"{path}: the target {target!r} holds text ({text[target]}), and this loss needs numbers: encode it, or "
            "for two classes pass --loss log_loss."
        )
    shown = ", ".join(f"{name!r} ({text[name]})" for name in names[:3])
    shown += f" and {len(names) - 3} more" if len(names) > 3 else ""
    what, them = ("column", "it") if len(names) == 1 else ("columns", "them")
    holds = "holds text" if len(names) == 1 else "hold text"
    drop = " ".join(f"--drop {shlex.quote(name)}" for name in names)
    do = f"encode {them} as for the fit" if for_model else f"encode {them} as numbers, or leave {them} out with {drop}"
    return f"{path}: {what} {shown} {holds} or dates: {do}."


def _not_finite(source, name, row, value, target, for_model):
    what = "a missing value" if np.isnan(value) else "an infinite value"
    out = "" if for_model or name == target else f", or leave the column out with --drop {shlex.quote(name)}"
    remove = "fill it or remove the row" if np.isnan(value) else "replace it or remove the row"
    raise TableError(f"{source.path}: column {name!r} has {what} in {source.place(row)}: {remove}{out}.")


class Growing:
    """An array that rows are appended to, in place wherever the allocator can (on Linux by moving pages)."""

    def __init__(self, shape, dtype, rows=0):
        self.rows, self.array = 0, np.empty((rows, *shape), dtype)

    def append(self, values):
        """Append rows."""
        end = self.rows + len(values)
        if end > len(self.array):
            self._resize(max(end, len(self.array) + len(self.array) // 8))
        self.array[self.rows : end] = values
        self.rows = end

    def done(self):
        """The array of all rows."""
        self._resize(self.rows)
        return self.array

    def _resize(self, rows):
        self.array.resize((rows, *self.array.shape[1:]), refcheck=False)


class Labels:
    """Labels in chunks, kept as codes; at the end whole numbers, numbers or truth values where all are."""

    def __init__(self, name, path):
        self.name, self.path, self.known, self.codes = name, path, {}, Growing((), np.int32)

    def append(self, labels):
        """Append labels, text."""
        codes, fresh = pd.factorize(labels)
        of = [self.known.setdefault(label, len(self.known)) for label in fresh]
        if len(self.known) > MOST_CLASSES:
            raise TableError(
                f"{self.path}: the target {self.name!r} has more than {MOST_CLASSES} different values, and this loss "
                "is for classes: choose another --loss."
            )
        self.codes.append(np.array(of, np.int32)[codes])

    def done(self):
        """The labels of all rows."""
        if len(self.known) == 1:
            raise TableError(f"{self.path}: the target {self.name!r} holds one class only, {next(iter(self.known))!r}.")
        return typed(list(self.known))[self.codes.done()]


def typed(labels):
    """Different labels, text, as what they spell where all do and stay different."""
    if {label.lower() for label in labels} == {"true", "false"}:
        return np.array([label.lower() == "true" for label in labels])
    for kind in (np.int64, np.float64):
        try:
            made = np.array([kind(label) for label in labels])
        except (ValueError, OverflowError):
            continue
        if np.isfinite(made).all() and np.unique(made).size == len(labels):
            return made
    return np.array(labels, dtype=str)


def read(source, features, target, labels, weight=None, dtype=np.float64, told=lambda done: None):
    """The table of a fit, read in chunks; ``labels`` says that the target holds classes, ``told`` is told progress."""
    others = [name for name in (None if labels else target, weight) if name is not None]
    rows = source.total if source.unit == "row" else 0
    X, y = Growing((len(features),), dtype, rows), Labels(target, source.path) if labels else Growing((), np.float64)
    weights = Growing((), np.float64) if weight is not None else None
    for values, text, done in numbers(source, [*features, *others], target if labels else None, target):
        with np.errstate(over="ignore"):
            part = values[:, : len(features)].astype(dtype, copy=False)
        if dtype == np.float32 and not np.isfinite(part).all():
            row, k = np.argwhere(~np.isfinite(part))[0]
            place = source.place(X.rows + row)
            raise TableError(f"{source.path}: column {features[k]!r} overflows float32 in {place}: omit --float32.")
        X.append(part)
        y.append(text if labels else values[:, len(features)])
        if weights is not None:
            if (values[:, -1] < 0).any():
                place = source.place(weights.rows + int(np.argmax(values[:, -1] < 0)))
                raise TableError(f"{source.path}: the weight {weight!r} is negative in {place}: it must be 0 or more.")
            weights.append(values[:, -1])
        told(done)
    return Table(X.done(), y.done(), None if weights is None else weights.done(), tuple(features))
