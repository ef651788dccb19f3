"""What is wrong with a table: all of it at once, and the options with which the command works."""

import shlex
from typing import NamedTuple

from ..parts.registry import brief

MOST = 4  # columns that a message names, of each kind of fault


class TableError(ValueError):
    """What is wrong with a table, in one line that says where and what to do.

    ``more`` are options to add to the command, with which it works; empty where it takes something else.
    """

    def __init__(self, text, more=()):
        super().__init__(text)
        self.more = list(more)


class Text(NamedTuple):
    """A column whose cells can't be used."""

    kind: str  # a key of WHAT
    example: str
    source: object  # the table, and the row in it
    row: int | None = None
    count: int = 0

    @property
    def where(self):
        """The example and where it is."""
        place = "" if self.row is None else f" in {self.source.place(self.row)}"
        example = self.example if isinstance(self.example, str) else str(self.example)
        return f"{brief(example, 60)}{place}"


WHAT = {  # what a column of a kind of text holds, with {where} and {count}
    "text": "text ({where})",
    "mixed": "numbers and text ({where})",
    "dates": "dates or times ({where})",
    "objects": "no numbers ({where})",
    "decimal": "numbers with a decimal comma ({where})",
    "thousands": "numbers with separated thousands ({where})",
    "units": "numbers with a sign ({where})",
    "many": "{count:,} different texts ({where})",
    "few rows": "text that differs in most rows ({where})",
}
DO = {  # how to go on with one
    "text": "encode it as numbers",
    "mixed": "correct it, or make categories of it with --one-hot",
    "dates": "make numbers of it, such as days",
    "objects": "make numbers of it",
    "decimal": "pass --decimal ','",
    "thousands": "pass --thousands ','",
    "units": "remove the sign",
    "many": "group them, or take them all with --one-hot",
    "few rows": "make categories of it with --one-hot",
}
OPTIONS = {"decimal": ["--decimal", ","], "thousands": ["--thousands", ","]}  # that mend it


class Faults:
    """Faults of the cells of a table, collected while it is read.

    Attributes
    ----------
    text : dict of str to Text
        Columns that hold something else than numbers.
    missing : dict of str to (count, source, row of the first one)
    rows : int
        How many rows lack a value.
    infinite : dict of str to (source, row)
    """

    def __init__(self):
        self.text, self.missing, self.infinite, self.rows, self.n = {}, {}, {}, 0, 0

    def __bool__(self):
        return bool(self.text or self.missing or self.infinite)

    def error(self, path, target, optional, labels=False, of_model=False):
        """The error that tells all; ``optional`` are the columns that can be left out."""
        parts, dropped, more = [], [], []
        for kind in WHAT:
            names = [name for name, text in self.text.items() if text.kind == kind]
            if names:
                parts.append(self._of_text(kind, names, target, optional, of_model))
                if kind in OPTIONS:
                    more += OPTIONS[kind]
                else:
                    dropped += [name for name in names if name in optional]
        if self.infinite:
            name, (source, row) = next(iter(self.infinite.items()))
            others = f" (and {len(self.infinite) - 1} more columns have one)" if len(self.infinite) > 1 else ""
            parts.append(f"column {name!r} has an infinite value in {source.place(row)}{others}: replace it")
        empty = [name for name, (count, *_) in self.missing.items() if count == self.n and name in optional]
        if empty and len({*empty, *dropped}) < len(optional) and not of_model:
            dropped += [name for name in empty if name not in dropped]
            parts.append(self._empty(empty))
        left = {name: of for name, of in self.missing.items() if name not in dropped}
        if left:
            parts.append(self._missing(left, target, optional, of_model))
            more += [] if of_model else ["--dropna"]
        solved = not self.infinite and all(name in optional or text.kind in OPTIONS for name, text in self.text.items())
        if dropped:
            more += ["--drop", ",".join(map(quoted, dropped))]
        error = TableError(f"{path}: {'; '.join(parts)}.")
        kept = len(optional) > len(dropped)
        error.more = more if solved and kept and not of_model else []
        return error

    def _of_text(self, kind, names, target, optional, of_model):
        text = [self.text[name] for name in names]
        held = [WHAT[kind].format(where=one.where, count=one.count) for one in text[:MOST]]
        if names == [target]:
            what = f"the target {target!r} holds {held[0]}"
            do = "correct it" if kind == "mixed" else DO[kind]
            if kind in ("text", "mixed"):
                what += ", and this loss needs numbers"
                do += ", or for classes pass --loss log_loss (two) or --loss multinomial"
            return f"{what}: {do}"
        several = len(names) > 1
        shown = ", ".join(f"{words} in {name!r}" for name, words in zip(names[:MOST], held, strict=False))
        shown += f" and {len(names) - MOST} more" if len(names) > MOST else ""
        them, do = ("them", DO[kind].replace("it", "them", 1)) if several else ("it", DO[kind])
        if of_model:
            do = f"encode {them} as for the fit"
        elif not any(name in optional for name in names) and kind not in OPTIONS:
            do = f"correct {them}"
        elif kind not in OPTIONS and any(name in optional for name in names):
            do += f", or leave {them} out with --drop"
        return f"columns hold {shown}: {do}" if several else f"column {names[0]!r} holds {held[0]}: {do}"

    @staticmethod
    def _empty(names):
        if len(names) == 1:
            return f"column {names[0]!r} has no value at all: leave it out with --drop {shlex.quote(names[0])}"
        shown = ", ".join(map(repr, names[:MOST])) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")
        return f"columns {shown} have no value at all: leave them out with --drop"

    def _missing(self, left, target, optional, of_model):
        names = sorted(left, key=lambda name: name != target)
        if len(names) == 1 and left[names[0]][0] == 1:
            name, (_, source, row) = names[0], left[names[0]]
            what = f"column {name!r} has a missing value in {source.place(row)}"
        else:
            shown = ", ".join(f"{name!r} ({left[name][0]:,})" for name in names[:MOST])
            shown += f" and {len(names) - MOST} more" if len(names) > MOST else ""
            first = min((row, source) for _, source, row in left.values() if source is next(iter(left.values()))[1])
            what = (
                f"missing values in {shown}, in {self.rows:,} of {self.n:,} rows, first in {first[1].place(first[0])}"
            )
        if of_model:
            return f"{what}: fill it or remove the row"
        do = "leave such rows out with --dropna"
        if any(name in optional for name in names):
            do += ", or fill them in with --fill mean, median, zero or a value"
            do += " (not the target: with --dropna too)" if target in names else ""
            if len(names) == 1:
                do += f", or leave the column out with --drop {shlex.quote(names[0])}"
        return f"{what}: {do}"


def quoted(name):
    """A column's name as --drop takes it."""
    return f'"{name}"' if "," in name or '"' in name else name
