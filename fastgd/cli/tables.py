"""From a table file to float arrays: which columns, every cell a finite number, memory near the float table's size."""

import contextlib
import csv
import difflib
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from ..parts.registry import brief
from .files import TableError, open_table, pd
from .options import OF_ROWS, keep_inputs

SHOW_BYTES = 20_000_000  # reading and fitting less is a matter of a second or two
MOST_CLASSES = 1000  # more different labels than this are no classes


class Table(NamedTuple):
    """What a fit needs."""

    X: np.ndarray  # (n, d) float32 or float64
    y: np.ndarray  # (n,) float64, or labels
    of_rows: dict  # arguments of fit with a number for each row, e.g. {"sample_weight": (n,)}
    names: tuple


# Which columns ------------------------------------------------------------------------------------------------------


def chosen_columns(source, target, columns=None, drop=(), of_rows=None):
    """The columns to fit on: those asked for, or all but the target, what is dropped and ``of_rows``.

    ``of_rows`` has the columns that options name for one number a row, {"weight": column}.
    """
    path, names = source.path, source.names
    if len(names) == 1:
        hint = source.one_column_hint() or "a target and at least one other column are needed"
        raise TableError(f"{path} has one column only, {names[0]!r}: {hint}.")
    drop = split_names(drop, names)
    asked = split_names([columns], names) if columns is not None else None
    roles = {"target": target, **(of_rows or {})}
    given = {role: [name] for role, name in roles.items()} | {"drop": drop, "columns": asked or []}
    for option, of_option in given.items():
        if absent := [name for name in of_option if name not in names]:
            raise missing_column(path, names, absent, f" for --{option}")
    twice = [name for name, count in Counter(names).items() if count > 1 and name not in drop]
    if twice:
        raise TableError(f"{path} has more than one column {twice[0]!r}: rename them, or leave them out with --drop.")
    role_of = {}
    for role, name in roles.items():
        if name in role_of:
            raise TableError(f"--{role} {name!r} is the {role_of[name]}.")
        role_of[name] = role
    if asked is None:
        taken = {*role_of, *drop}
        asked = [name for name in names if name not in taken]
        # As pandas has them, which also gives the index of a Parquet file a name.
        if unnamed := [name for name in asked if name.startswith(("Unnamed: ", "__index_level_"))]:
            index = unnamed[0] in ("Unnamed: 0", "__index_level_0__")
            what = "a row index, most likely" if index else "give it one"
            raise TableError(f"{path} has a column without a name ({what}): leave it out with --drop {unnamed[0]!r}.")
    for name, count in Counter(asked).items():
        if name in role_of:
            raise TableError(f"--columns names {name!r}, which is the {role_of[name]}.")
        if count > 1 or name in drop:
            raise TableError(f"--columns names {name!r} {'twice' if count > 1 else 'and --drop leaves it out'}.")
    if target in drop or not asked:
        raise TableError(f"{path}: --drop leaves no {'target' if target in drop else 'column to fit on'}.")
    return asked


def model_columns(source, feature_names, d, offset=None):
    """The columns that a model of ``d`` coefficients needs, in its order; ``offset`` is a column beside them."""
    path, names = source.path, source.names
    if offset is not None and offset not in names:
        raise missing_column(path, names, [offset], " for --offset")
    if feature_names is None:
        names = tuple(name for name in names if name != offset)
        if len(names) != d:
            counts = f"the model has {d} coefficients without names, and {path} has {len(names)} columns"
            raise TableError(f"{counts}: they must be as many.")
        feature_names = names
    if absent := [name for name in feature_names if name not in names]:
        if len(names) == 1 and (hint := source.one_column_hint()):
            raise TableError(f"{path} has one column only, {names[0]!r}: {hint}.")
        raise missing_column(path, names, absent, ", which the model needs")
    if twice := [name for name in feature_names if names.count(name) > 1]:
        raise TableError(f"{path} has more than one column {twice[0]!r}, which the model needs: rename them.")
    return list(feature_names)


def split_names(given, names):
    """Column names from options: each a name, or several with commas in between (quoted where a name has one)."""
    found = []
    for text in given:
        found += [text] if text in names else [name.strip() for name in next(csv.reader([text]), [])]
    return found


def missing_column(path, names, absent, argument):
    """The error for columns that a table lacks, with the nearest name for one."""
    if len(absent) == 1:
        lower = {name.lower(): name for name in names}
        near = difflib.get_close_matches(absent[0].lower(), lower, n=1, cutoff=0.5)
        hint = f" Did you mean {lower[near[0]]!r}?" if near else ""
        text = f"{path} has no column {absent[0]!r}{argument}.{hint}"
    else:
        text = f"{path} has no columns {_shown(absent, 5)}{argument}."
    if all(_is_number(name) for name in names):
        return TableError(f"{text} Its first line holds numbers: a header line with the columns' names is needed.")
    return TableError(f"{text} It has {_shown(names, 12)}.")


def _shown(names, most):
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


# Cells --------------------------------------------------------------------------------------------------------------


class Cells:
    """The checked cells of a table, a chunk at a time; a model to predict with has no ``optional`` columns."""

    def __init__(self, source, columns, label=None, target=None, optional=()):
        self.source, self.columns, self.label, self.target, self.optional = source, columns, label, target, optional

    def __iter__(self):
        """Yield (values (k, columns) float64, labels (k,) or None, progress): every value finite, every label there."""
        first, wanted = 0, [*self.columns, *([self.label] if self.label is not None else [])]
        for frame, done in self.source.chunks(wanted, self.label):
            if frame.empty:  # pandas gives a header alone as one such
                continue
            values, labels = self._numbers(frame[self.columns], first), None
            if not np.isfinite(values).all():
                row, k = np.argwhere(~np.isfinite(values))[0]
                raise self._not_finite(self.columns[k], first + row, values[row, k])
            if self.label is not None:
                labels = frame[self.label].to_numpy(dtype=object)
                if (missing := pd.isna(labels)).any():
                    raise self._not_finite(self.label, first + int(np.argmax(missing)), np.nan)
            yield values, labels, done
            first += len(frame)
        if first == 0:
            raise TableError(f"{self.source.path} has a header and no rows.")

    def _numbers(self, frame, first):
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
                text[name] = f"{brief(column.iloc[row], 60)} in {self.source.place(first + row)}"
        if text:
            raise self._text(text)
        return made

    def _text(self, text):
        """The error for columns of text: {name: where}."""
        path, target = self.source.path, self.target
        names = [name for name in text if name != target]
        if not names:
            what = f"the target {target!r} holds text ({text[target]}), and this loss needs numbers"
            return TableError(f"{path}: {what}: encode it, or for two classes pass --loss log_loss.")
        what, them, hold = ("column", "it", "holds") if len(names) == 1 else ("columns", "them", "hold")
        shown = ", ".join(f"{name!r} ({text[name]})" for name in names[:3])
        shown += f" and {len(names) - 3} more" if len(names) > 3 else ""
        drop = " ".join(f"--drop {shlex.quote(name)}" for name in names if name in self.optional)
        do = f"encode {them} as {'numbers' if self.optional else 'for the fit'}"
        do += f", or leave {them} out with {drop}" if drop else ""
        return TableError(f"{path}: {what} {shown} {hold} text or dates: {do}.")

    def _not_finite(self, name, row, value):
        what, do = ("a missing value", "fill it") if np.isnan(value) else ("an infinite value", "replace it")
        out = f", or leave the column out with --drop {shlex.quote(name)}" if name in self.optional else ""
        place = f"{self.source.path}: column {name!r} has {what} in {self.source.place(row)}"
        return TableError(f"{place}: {do} or remove the row{out}.")


def _floats(column):
    """The numbers of a column, NaN where it holds none."""
    try:
        return pd.to_numeric(column, errors="coerce")
    except OverflowError:  # a whole number beyond float64
        return column.astype(str).map(lambda text: float(text) if _is_number(text) else np.nan)


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


# Tables -------------------------------------------------------------------------------------------------------------


def append(array, used, values):
    """Rows behind the first ``used`` ones, the array grown in place wherever the allocator can (on Linux by pages)."""
    end = used + len(values)
    if end > len(array):
        array.resize((max(end, len(array) * 9 // 8), array.shape[1]), refcheck=False)
    array[used:end] = values
    return end


def read(source, features, target, labels, of_rows=None, dtype=np.float64, told=lambda done: None):
    """The table of a fit, read in chunks; ``labels`` says that the target holds classes, ``told`` is told progress."""
    of_rows = of_rows or {}
    X, n, targets, classes = np.empty((0, len(features)), dtype), 0, [], set()
    columns = [*features, *of_rows.values(), *([] if labels else [target])]
    numbers = {role: [] for role in of_rows}
    for values, text, done in Cells(source, columns, target if labels else None, target, features):
        with np.errstate(over="ignore"):
            part = values[:, : len(features)].astype(dtype, copy=False)
        if dtype == np.float32 and not np.isfinite(part).all():
            row, k = np.argwhere(~np.isfinite(part))[0]
            place = source.place(n + row)
            raise TableError(f"{source.path}: column {features[k]!r} overflows float32 in {place}: omit --float32.")
        for k, (role, chunks) in enumerate(numbers.items(), start=len(features)):
            chunks.append(values[:, k].copy())
            if role == "weight" and (chunks[-1] < 0).any():
                what = f"the weight {of_rows[role]!r} is negative in {source.place(n + int(np.argmax(chunks[-1] < 0)))}"
                raise TableError(f"{source.path}: {what}: it must be 0 or more.")
        targets.append(pd.Categorical(text) if labels else values[:, -1].copy())
        if labels and len(classes := classes.union(targets[-1].categories)) > MOST_CLASSES:
            what = f"the target {target!r} has more than {MOST_CLASSES} different values, and this loss is for classes"
            raise TableError(f"{source.path}: {what}: choose another --loss.")
        n = append(X, n, part)
        told(done)
    if len(classes) == 1:
        raise TableError(f"{source.path}: the target {target!r} holds one class only, {classes.pop()!r}.")
    y = coded(targets) if labels else np.concatenate(targets)
    X.resize((n, len(features)), refcheck=False)
    of_rows = {OF_ROWS[role]: np.concatenate(chunks) for role, chunks in numbers.items()}
    return Table(X, y, of_rows, tuple(features))


def coded(chunks):
    """Labels (n,) of categorical chunks of text."""
    whole = pd.api.types.union_categoricals(chunks)
    return typed(list(whole.categories))[whole.codes]


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


# Commands -----------------------------------------------------------------------------------------------------------


class Given(NamedTuple):
    """What a command fits."""

    X: object  # a frame, or a source
    y: np.ndarray | None
    of_rows: dict
    rows: int
    dtype: np.dtype
    shown: bool  # whether progress is


def data_of(file, given, labels):
    """What a command fits; files that are large, or many, are read as a source."""
    from . import source_files

    of_rows = {role: given[role] for role in OF_ROWS if given[role]}
    if source_files.is_source(file, given):
        found = source_files.Files(file, given["delimiter"])
        found.keep(given.values())
        columns = chosen_columns(found.header, given["target"], given["columns"], given["drop"], of_rows)
        source = found.source(columns, labels, given["float32"], target=given["target"], **of_rows)
        if given["cache"] is not None:
            source = source.cached(given["cache"])
        shown = is_shown(given["shown"], found.total, given.get("quiet", False))
        return Given(source, None, {}, source.n, source.dtype, shown)
    keep_inputs([file], given.values())
    source = open_table(file, given["delimiter"])
    columns = chosen_columns(source, given["target"], given["columns"], given["drop"], of_rows)
    shown = is_shown(given["shown"], Path(file).stat().st_size, given.get("quiet", False))
    dtype = np.dtype("float32" if given["float32"] else "float64")
    with progress(shown, source.total, "reading") as told:
        table = read(source, columns, given["target"], labels, of_rows, dtype, told)
    X = pd.DataFrame(table.X, columns=table.names, copy=False)
    return Given(X, table.y, table.of_rows, len(X), dtype, shown)


@contextlib.contextmanager
def answers(file, model, result, answer, out, offset, delimiter, shown):
    """An iterator of a model's answers to blocks of rows of a table."""
    from . import source_files

    size, of_rows = result.coef.shape[-1], [offset] if offset is not None else []
    if source_files.is_source(file, {}):
        found = source_files.Files(file, delimiter)
        found.keep([out], model)
        columns = model_columns(found.header, result.feature_names, size, offset)
        source = found.source(columns, offset=offset)
        with progress(is_shown(shown, found.total), source.n, "predicting") as told:
            yield reported(answer(source), told)
        return
    keep_inputs([file, model], [out])
    source = open_table(file, delimiter)
    columns = model_columns(source, result.feature_names, size, offset)
    with progress(is_shown(shown, Path(file).stat().st_size), source.total, "predicting") as told:
        cells = Cells(source, columns + of_rows)
        yield of_cells(
            cells, lambda values: answer(values[:, : len(columns)], values[:, -1] if of_rows else None), told
        )


def of_cells(cells, answer, told):
    """Yield the answers to chunks of cells."""
    for values, _, done in cells:
        yield np.asarray(answer(values))
        told(done)


def reported(blocks, told):
    """Yield blocks; tell how many rows are done."""
    done = 0
    for found in blocks:
        yield found
        done += len(found)
        told(done)


def is_shown(asked, size, quiet=False):
    """Whether progress is shown: as asked, else for long files on a terminal."""
    return asked if asked is not None else not quiet and sys.stderr.isatty() and size > SHOW_BYTES


@contextlib.contextmanager
def progress(shown, total, what):
    """A bar of ``total`` steps; yields what to tell how far it is."""
    if not shown:
        yield lambda done: None
        return
    with click.progressbar(length=total, label=what, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)
