"""Files whose rows become numbers as they are read: with categories, missing values, or numbers spelled otherwise."""

import json

import numpy as np

from ..kernels.layouts import Dense, frozen
from ..sources.base import ALL, OFFSET, PIECE_BYTES, WEIGHT, Block, Shard, Source, X, Y
from ..sources.files import digest_of
from .cells import Cells


class Prepared(Source):
    """The rows of tables by an encoding; a shard is a file.

    Parameters
    ----------
    tables : list
        As ``files.open_table`` opens them.
    wanted : Wanted
    encoding : Encoding
    counts : list of int
        How many rows of each table are used.
    classes : set of str
        The labels that the target has, as text.
    """

    def __init__(self, tables, wanted, encoding, counts, classes):
        from .tables import typed

        self.tables, self.wanted, self.encoding = tables, wanted, encoding
        self.names, self.columns, self.dtype = encoding.names, encoding.width, wanted.dtype
        self.shards = tuple(Shard(str(table.path), count) for table, count in zip(tables, counts, strict=True))
        there = {X: True, Y: True, WEIGHT: "weight" in wanted.of_rows, OFFSET: "offset" in wanted.of_rows}
        self.parts = tuple(part for part in ALL if there[part])
        texts = sorted(classes)
        self.labels = dict(zip(texts, typed(texts), strict=True)) if texts else None

    def pieces(self, shard, parts=ALL):
        """A piece is a chunk of the file."""
        wanted, table, encoding = self.wanted, self.tables[shard], self.encoding
        d, columns = len(encoding.columns), [*encoding.columns, *wanted.numbers]
        cells = Cells(columns, encoding.codes, wanted.target if wanted.labels else None, fixed=True)
        at = {name: k for k, name in enumerate(columns)}
        needed = np.arange(d if encoding.fill else 0, len(columns))
        rows, had = max(1, PIECE_BYTES // (8 * max(self.columns, len(table.names)))), 0
        for chunk in cells.of(table, rows):
            values, labels = chunk.values, chunk.labels
            lacks = cells.lacking(chunk, table, needed)
            if (lacks.any() and not wanted.dropna) or cells.faults or cells.unknown:
                raise ValueError(f"{table.path} is no longer what it was when it was opened: begin again.")
            values, labels = values[~lacks], labels if labels is None else labels[~lacks]
            if not len(values):
                continue
            had += len(values)
            made = dict.fromkeys(ALL)
            if X in parts:
                made[X] = Dense(
                    frozen(np.ascontiguousarray(encoding.encoded(encoding.filled(values[:, :d]), self.dtype)))
                )
            if Y in parts:
                made[Y] = values[:, at[wanted.target]].copy() if labels is None else self._classes(labels)
            for role in (WEIGHT, OFFSET):
                if role in parts and role in self.parts:
                    made[role] = values[:, at[wanted.of_rows[role]]].copy()
            yield Block(*made.values())
        if had != self.shards[shard].rows:
            raise ValueError(f"{table.path} is no longer what it was when it was opened: begin again.")

    def _classes(self, labels):
        return np.array([self.labels[label] for label in labels])

    def files(self):
        """All."""
        return [table.path for table in self.tables]

    def digest(self):
        """Of the files and how they are read."""
        wanted = {**self.wanted._asdict(), "dtype": str(self.dtype)}
        forms = [(tuple(table.form), table.delimiter) for table in self.tables]
        how = json.dumps([self.encoding.plain, wanted, forms], default=str)
        return digest_of([str(path) for path in self.files()], type(self).__name__, how)
