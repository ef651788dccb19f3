"""What a fit reads of tables: rows as numbers, what is learned on the way, and all that is wrong with them."""

from typing import NamedTuple

import numpy as np

from .cells import HEAD, Cells, kinds
from .encoding import MOST_CATEGORIES, MOST_ONE_HOT, Learned
from .faults import TableError, Text

MOST_CLASSES = 1000  # more different labels than this are no classes


class Wanted(NamedTuple):
    """What a fit reads of a table, and how."""

    features: list
    target: str
    labels: bool = False  # whether the target holds classes
    of_rows: dict = {}  # columns of one number a row by role, {"weight": column}
    one_hot: tuple = ()  # columns that are categories, whatever they hold
    fill: object = None
    dropna: bool = False
    intercept: bool = True
    dtype: np.dtype = np.dtype(np.float64)

    @property
    def numbers(self):
        """The columns beside the features that hold numbers."""
        return [*self.of_rows.values(), *([] if self.labels else [self.target])]


class Rows(NamedTuple):
    """Rows that are used."""

    values: np.ndarray  # (k, features)
    of_rows: list  # arrays (k,), one a role
    y: np.ndarray  # (k,) numbers, or labels as text
    done: int


class Reading:
    """Reads tables of the same columns for a fit.

    Attributes
    ----------
    counts : list of int
        How many rows of each table are used.
    dropped : int
        How many rows were left out.
    """

    def __init__(self, table, wanted):
        self.path, self.wanted = table.path, wanted
        asked = [name for name in wanted.features if name not in wanted.one_hot]
        self.kinds = kinds(table, [*asked, *wanted.numbers]) | dict.fromkeys(wanted.one_hot, "category")
        bad = {name: held for name, held in self.kinds.items() if isinstance(held, Text)}
        for name in wanted.numbers:
            if self.kinds[name] == "category":
                bad[name] = self._first_text(table, name)
        self.features = [name for name in wanted.features if name not in bad]
        self.codes = {name: {} for name in self.features if self.kinds[name] == "category"}
        self.columns = [*self.features, *(name for name in wanted.numbers if name not in bad)]
        label = wanted.target if wanted.labels else None
        self.cells = Cells(self.columns, self.codes, label, fills=wanted.fill is not None)
        self.cells.faults.text |= bad
        self.learned = Learned(self.features, self.codes, wanted.fill)
        self.counts, self.dropped, self.classes = [], 0, set()

    @staticmethod
    def _first_text(table, name):
        frame = next(frame for frame, _ in table.chunks([name], rows=HEAD))
        row = int(np.argmax(frame[name].notna().to_numpy()))
        return Text("text", frame[name].iloc[row], table, row)

    @property
    def needs_encoding(self):
        """Whether rows of numbers alone would not do, as far as the first ones tell."""
        wanted = self.wanted
        return bool(self.codes or self.cells.faults or wanted.dropna or wanted.fill is not None)

    def rows(self, tables):
        """Yield the rows that are used, as :class:`Rows`; faults of cells are collected for :meth:`end`."""
        wanted, cells, d = self.wanted, self.cells, len(self.features)
        needed = np.arange(d if wanted.fill is not None else 0, len(self.columns))
        at = {name: k for k, name in enumerate(self.columns)}
        for table in tables:
            self.counts.append(0)
            for chunk in cells.of(table):
                values, labels = chunk.values, chunk.labels
                if wanted.dropna:
                    lacks = cells.lacking(chunk, table, needed)
                    self.dropped += int(lacks.sum())
                    values, labels = values[~lacks], labels if labels is None else labels[~lacks]
                else:
                    cells.told(chunk, table, needed)
                self._check(table, chunk, at)
                self.learned.take(values[:, :d])
                self.counts[-1] += len(values)
                if wanted.labels:
                    self.classes.update(label for label in labels if label is not None)
                    self._check_classes(table)
                of_rows = [values[:, at[name]].copy() for name in wanted.of_rows.values() if name in at]
                y = labels if wanted.labels else values[:, at[wanted.target]].copy() if wanted.target in at else None
                yield Rows(values[:, :d], of_rows, y, chunk.done)

    def _check(self, table, chunk, at):
        wanted, d = self.wanted, len(self.features)
        if wanted.dtype == np.float32:
            with np.errstate(invalid="ignore"):
                beyond = np.isfinite(chunk.values[:, :d]) & (np.abs(chunk.values[:, :d]) > np.finfo(np.float32).max)
            if beyond.any():
                row, k = np.argwhere(beyond)[0]
                place = table.place(chunk.first + row)
                raise TableError(
                    f"{table.path}: column {self.features[k]!r} overflows float32 in {place}: omit --float32."
                )
        name = wanted.of_rows.get("weight")
        if name in at and (negative := chunk.values[:, at[name]] < 0).any():
            what = f"the weight {name!r} is negative in {table.place(chunk.first + int(np.argmax(negative)))}"
            raise TableError(f"{table.path}: {what}: it must be 0 or more.")

    def _check_classes(self, table):
        if len(self.classes) > MOST_CLASSES:
            what = f"the target {self.wanted.target!r} has more than {MOST_CLASSES} different values"
            raise TableError(f"{table.path}: {what}, and this loss is for classes: choose another --loss.")

    def end(self):
        """When all rows are read: the encoding, and the new numbers of codes; or the error for all faults."""
        wanted, faults, n = self.wanted, self.cells.faults, sum(self.counts)
        if n + self.dropped == 0:
            raise TableError(f"{self.path} has a header and no rows.")
        for name, codes in self.codes.items():
            asked, count = name in wanted.one_hot, len(codes)
            if count > (MOST_ONE_HOT if asked else MOST_CATEGORIES) or (not asked and n and 2 * count > n):
                kind = "many" if count > MOST_CATEGORIES else "few rows"
                faults.text[name] = Text(kind, next(iter(codes)), None, None, count)
        self.raise_faults()
        if n == 0:
            what = f"all {self.dropped:,} rows lack a value" if self.dropped > 1 else "its only row lacks a value"
            raise TableError(f"{self.path}: {what}: fill them in with --fill, or leave columns out with --drop.")
        if len(self.classes) == 1:
            one = next(iter(self.classes))
            raise TableError(f"{self.path}: the target {wanted.target!r} holds one class only, {one!r}.")
        encoding, numbers = self.learned.encoding(wanted.dropna, wanted.intercept)
        if nothing := [name for name, value in encoding.fill.items() if value != value]:
            do = "leave it out with --drop"
            raise TableError(
                f"{self.path}: column {nothing[0]!r} has no value to know the {wanted.fill} by: {do}.",
                ["--drop", nothing[0]],
            )
        return encoding, numbers

    def raise_faults(self):
        """Raise what is known to be wrong."""
        if faults := self.cells.faults:
            raise faults.error(self.path, self.wanted.target, self.wanted.features)
