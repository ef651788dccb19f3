"""From columns of a table to those of a model: categories as columns of 0 and 1, missing values filled or left out."""

from collections import Counter
from typing import NamedTuple

import numpy as np

MISSING = "(missing)"  # the category of a cell that is missing, with --fill
UNKNOWN = -1  # the code of a category that the fit did not meet
FILLS = ("mean", "median", "zero")
MOST_CATEGORIES = 200  # of a column of text, unless it is named with --one-hot
MOST_ONE_HOT = 10_000
SAMPLE = 1 << 20  # numbers of a column that its median is known from


class Encoding(NamedTuple):
    """How the columns of a table become those of a model; kept with it as a dict of plain values.

    Attributes
    ----------
    columns : tuple of str
        Of the table, in the order of the model.
    categories : dict of str to tuple of str
        Of each column of text: its categories, sorted. Each is a column of the model, but for its reference.
    reference : dict of str to str
        The most frequent category of each column: its effect is in the intercept. Not there without one.
    fill : dict of str to float or str
        What takes the place of a missing value, of each column that has it.
    dropna : bool
        Whether rows that lack a value are left out.
    """

    columns: tuple
    categories: dict
    reference: dict
    fill: dict
    dropna: bool

    @classmethod
    def of(cls, kept):
        """From the dict that a model keeps."""
        lists = {name: tuple(found) for name, found in kept["categories"].items()}
        return cls(**{**kept, "columns": tuple(kept["columns"]), "categories": lists})

    @property
    def plain(self):
        """As a dict that JSON keeps."""
        lists = {name: list(found) for name, found in self.categories.items()}
        return {**self._asdict(), "columns": list(self.columns), "categories": lists}

    @property
    def is_needed(self):
        """Whether a model needs it to predict."""
        return bool(self.categories or self.fill or self.dropna)

    @property
    def codes(self):
        """The number of each category, by column."""
        return {name: {text: k for k, text in enumerate(found)} for name, found in self.categories.items()}

    def own(self, name):
        """The categories of a column that have a column in the model, and their numbers."""
        reference = self.reference.get(name)
        return [(k, text) for k, text in enumerate(self.categories[name]) if text != reference]

    @property
    def names(self):
        """Of the model's columns."""
        found = []
        for name in self.columns:
            found += [f"{name}={text}" for _, text in self.own(name)] if name in self.categories else [name]
        return tuple(found)

    @property
    def width(self):
        """How many columns the model has."""
        return len(self.columns) + sum(len(self.own(name)) - 1 for name in self.categories)

    def filled(self, values):
        """Cells (n, columns), changed in place: missing ones have what stands in for them."""
        for k, name in enumerate(self.columns):
            if name in self.fill:
                column = values[:, k]
                column[np.isnan(column)] = self._number_of(name)
        return values

    def _number_of(self, name):
        value = self.fill[name]
        return self.codes[name].get(value, UNKNOWN) if name in self.categories else value

    def encoded(self, values, dtype=np.float64):
        """The model's columns (n, width) of cells (n, columns) without missing values."""
        if not self.categories:
            return values.astype(dtype, copy=False)
        made, at = np.zeros((len(values), self.width), dtype), 0
        for k, name in enumerate(self.columns):
            if name not in self.categories:
                made[:, at] = values[:, k]
                at += 1
                continue
            own = self.own(name)
            place = np.full(len(self.categories[name]) + 1, -1)  # the last one is that of unknown ones
            place[[code for code, _ in own]] = np.arange(at, at + len(own))
            found = place[values[:, k].astype(np.intp)]
            rows = np.flatnonzero(found >= 0)
            made[rows, found[rows]] = 1
            at += len(own)
        return made

    def sentence(self):
        """What was made of which columns, in words by the part of the report."""
        rows = {}
        if self.categories:
            shown = [f"{name} ({len(found)})" for name, found in self.categories.items()]
            words = ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")
            against = ", ".join(f"{name}={text}" for name, text in list(self.reference.items())[:8])
            rows["categories"] = f"{words}; against {against}" if against else words
        return rows


class Learned:
    """What is learned about the columns of a table while it is read: categories and what stands in for missing values.

    Parameters
    ----------
    columns : list of str
    codes : dict of str to dict
        Of each column of categories {text: code}, which grows while the table is read.
    fill : str, float or None
        One of ``FILLS``, a number, or nothing.
    """

    def __init__(self, columns, codes, fill):
        self.columns, self.codes, self.fill = columns, codes, fill
        self.counts = {name: Counter() for name in codes}
        self.sums, self.numbers = np.zeros(len(columns)), np.zeros(len(columns), np.int64)
        self.samples, self.every, self.rows = [[] for _ in columns], [1] * len(columns), 0

    def take(self, values):
        """Learn from cells (k, columns)."""
        self.rows += len(values)
        for k, name in enumerate(self.columns):
            there = values[:, k][~np.isnan(values[:, k])]
            if name in self.codes:
                self.counts[name].update(dict(enumerate(np.bincount(there.astype(np.intp)).tolist())))
            elif self.fill == "mean":
                self.sums[k] += there.sum()
                self.numbers[k] += there.size
            elif self.fill == "median":
                self._sample(k, there)

    def _sample(self, k, there):
        """Keep every so many-th number, so that no more than ``SAMPLE`` are kept of any column."""
        kept = self.samples[k]
        kept.append(there[:: self.every[k]].copy())
        if sum(map(len, kept)) > SAMPLE:
            self.samples[k], self.every[k] = [np.concatenate(kept)[::2]], 2 * self.every[k]

    def encoding(self, dropna, intercept):
        """The encoding, and of each category column the new number of each code, as categories are sorted."""
        lists, reference, numbers = {}, {}, {}
        for name, codes in self.codes.items():
            count = {text: self.counts[name][code] for text, code in codes.items()}
            # Some may be in rows alone that are left out.
            texts = sorted((text for text in codes if count[text]), key=lambda text: (text == MISSING, text))
            lists[name] = tuple(texts)
            place = {text: k for k, text in enumerate(texts)}
            numbers[name] = np.array([place.get(text, UNKNOWN) for text in codes], np.float64)
            if intercept:
                reference[name] = max(texts, key=count.get)
        fill = {}
        if self.fill is not None:
            for k, name in enumerate(self.columns):
                fill[name] = MISSING if name in lists else self._fill(k)
        return Encoding(tuple(self.columns), lists, reference, fill, dropna), numbers

    def _fill(self, k):
        if self.fill == "mean":
            return float(self.sums[k] / self.numbers[k]) if self.numbers[k] else np.nan
        if self.fill == "median":
            found = np.concatenate(self.samples[k]) if self.samples[k] else np.empty(0)
            return float(np.median(found)) if found.size else np.nan
        return 0.0 if self.fill == "zero" else float(self.fill)
