"""The cells of tables as numbers, a chunk at a time: categories are codes, missing values are NaN."""

import re
from typing import NamedTuple

import numpy as np

from .encoding import MISSING, UNKNOWN
from .faults import Faults, Text
from .files import pd

HEAD = 5_000  # rows that tell what a column holds
DATE = (
    r"\d{4}-\d{1,2}-\d{1,2}([ T].*)?|\d{1,2}([./-])\d{1,2}\2\d{2,4}( .*)?|\d{4}/\d{1,2}/\d{1,2}.*|\d{1,2}:\d{2}(:.*)?"
)
FORMS = {  # of text that is no category, by the kind of fault
    "dates": re.compile(DATE),
    "units": re.compile(r"[-+]?[$€£¥]\s?[-+]?[\d.,]+|[-+]?[\d.,]+\s?[%$€£¥]"),
    "thousands": re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?"),
    "decimal": re.compile(r"[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+"),
}


def kinds(table, columns):
    """What columns hold, by the first rows of a table: {name: "number", "category" or a ``Text`` that is a fault}."""
    frame = next((frame for frame, _ in table.chunks(columns, rows=HEAD)), None)
    if frame is None:
        return dict.fromkeys(columns, "number")
    found = {}
    for name in columns:
        word, odd = kind(frame[name])
        known = word in ("number", "category")
        found[name] = word if known else Text(word, frame[name].iloc[odd], table, odd)
    return found


def kind(column):
    """What a column holds, and the row of the first cell that is no number."""
    if column.empty or getattr(column.dtype, "kind", "O") in "biuf":
        return "number", 0
    there = column.notna().to_numpy()
    first = int(np.argmax(there))
    if getattr(column.dtype, "kind", "O") in "mM":
        return "dates", first
    column = column.astype(object)
    numbers = floats(column).notna().to_numpy()
    odd = there & ~numbers
    if not odd.any():
        return "number", 0
    first, text = int(np.argmax(odd)), column[odd].to_list()
    if not all(isinstance(value, str) for value in text):
        return ("dates" if all(hasattr(value, "isoformat") for value in text) else "objects"), first
    text = {value.strip() for value in text}
    for word, form in FORMS.items():
        if all(map(form.fullmatch, text)):
            return word, first
    return "mixed" if 2 * numbers.sum() >= there.sum() else "category", first


def floats(column):
    """The numbers of a column, NaN where it holds none."""
    try:
        return pd.to_numeric(column, errors="coerce")
    except OverflowError:  # a whole number beyond float64
        return column.astype(str).map(_float)


def _float(text):
    try:
        return float(text)
    except ValueError:
        return np.nan


class Chunk(NamedTuple):
    """Rows of a table."""

    values: np.ndarray  # (k, columns): codes of categories, NaN where a value is missing
    labels: np.ndarray | None  # (k,) text, or None where one is missing
    first: int  # the number of the first row in its file
    frame: object  # the columns that are passed through
    done: int  # how much of the file is read


class Cells:
    """The cells of one table after another, a chunk at a time; faults are collected.

    Parameters
    ----------
    columns : list of str
        Those that become numbers.
    codes : dict of str to dict
        Of columns of categories {text: code}; it grows unless it is ``fixed``.
    label : str or None
        A column that is read as text.
    fills : bool
        Whether missing cells of categories are a category.
    through : list of str
        Columns that are passed through as text.
    """

    def __init__(self, columns, codes=None, label=None, fixed=False, fills=False, through=()):
        self.columns, self.codes, self.label = list(columns), codes or {}, label
        self.fixed, self.fills, self.through = fixed, fills, list(through)
        self.faults, self.unknown = Faults(), {}

    def of(self, table, rows=None):
        """Yield the chunks of a table."""
        first, own = 0, [*self.columns, *([self.label] if self.label is not None else [])]
        text = [*self.codes, *([self.label] if self.label is not None else [])]
        text += [name for name in self.through if name not in own]
        wanted = list(dict.fromkeys([*own, *self.through]))
        for frame, done in table.chunks(wanted, text, rows):
            if frame.empty:  # pandas gives a header alone as one such
                continue
            values, labels = self._numbers(frame[self.columns], table, first), None
            if not np.isfinite(values).all():
                for k in np.flatnonzero(np.isinf(values).any(axis=0)):
                    row = first + int(np.argmax(np.isinf(values[:, k])))
                    self.faults.infinite.setdefault(self.columns[k], (table, row))
            if self.label is not None:
                labels = frame[self.label].to_numpy(dtype=object)
                labels[pd.isna(labels)] = None
            yield Chunk(values, labels, first, frame, done)
            first += len(frame)

    def _numbers(self, frame, table, first):
        """The numbers of a chunk."""
        if all(getattr(kind, "kind", "O") in "biuf" for kind in frame.dtypes):
            return frame.to_numpy(np.float64)
        made = np.empty(frame.shape)
        for k, name in enumerate(frame.columns):
            column = frame[name]
            if name in self.codes:
                made[:, k] = self._coded(name, column)
                continue
            if getattr(column.dtype, "kind", "O") in "mM" or isinstance(column.dtype, pd.CategoricalDtype):
                column = column.astype(object)
            made[:, k] = floats(column)
            odd = np.isnan(made[:, k]) & column.notna().to_numpy()
            if odd.any() and name not in self.faults.text:
                row = int(np.argmax(odd))
                all_text = odd.sum() * 2 > column.notna().sum()
                self.faults.text[name] = Text("text" if all_text else "mixed", column.iloc[row], table, first + row)
        return made

    def _coded(self, name, column):
        """The codes of a chunk of categories."""
        found, texts = pd.factorize(column)
        known = self.codes[name]
        if self.fixed:
            if new := [text for text in texts if text not in known]:
                of = self.unknown.setdefault(name, {})
                counts = column.value_counts()
                for text in new:
                    of[text] = of.get(text, 0) + int(counts[text])
            numbers = [known.get(text, UNKNOWN) for text in texts]
        else:
            numbers = [known.setdefault(text, len(known)) for text in texts]
        missing = np.nan
        if self.fills and (found < 0).any():
            missing = known.setdefault(MISSING, len(known))
        return np.array([*numbers, missing], np.float64)[found]

    def lacking(self, chunk, table, needed):
        """Whether each row lacks a number of the columns ``needed`` (their places), or its label."""
        holes = np.isnan(chunk.values[:, needed])
        lacks = holes.any(axis=1)
        if chunk.labels is not None:
            lacks |= np.array([label is None for label in chunk.labels], bool)
        return lacks

    def told(self, chunk, table, needed):
        """Note which values the columns ``needed`` (their places) lack in a chunk."""
        faults, lacks = self.faults, self.lacking(chunk, table, needed)
        faults.n += len(lacks)
        faults.rows += int(lacks.sum())
        if not lacks.any():
            return
        holes = {self.columns[k]: np.isnan(chunk.values[:, k]) for k in needed if self.columns[k] not in faults.text}
        if chunk.labels is not None:
            holes[self.label] = np.array([label is None for label in chunk.labels], bool)
        for name, where in holes.items():
            if count := int(where.sum()):
                had, *place = faults.missing.get(name, (0, table, chunk.first + int(np.argmax(where))))
                faults.missing[name] = (had + count, *place)
