"""What a model answers to the rows of a source, block by block: as an iterator of arrays, or in a file."""

import contextlib
import os
from pathlib import Path

import numpy as np

from ..inputs import arrays
from ..inputs.arrays import Matrix
from ..sources import dask
from ..sources.base import OFFSET, Source, X
from ..sources.blocks import blocks_of, place_of
from ..sources.extras import needed
from .dask_answers import is_collection, over_collection
from .linear_scores import check_columns, check_offset

ENDINGS = (".npy", ".parquet", ".csv")
ARROW = "arrow", "Writing .parquet and .csv needs"


def answered(result, answer, word, given, offset, to):
    """``answer(X, offset)`` of rows in memory; of a source an iterator of answers, of a Dask collection another one.

    With ``to`` they are in a file of this path, which is returned.
    """
    if is_collection(given):
        if to is None:
            return over_collection(result, answer, given, offset, word)
        given = dask(given)
    if isinstance(given, Source):
        if to is not None and os.path.exists(to) and any(os.path.samefile(one, to) for one in given.files()):
            raise ValueError(f"to={str(to)!r} is a file of the source, which would be lost: name another one.")
        found = over_source(result, answer, given, offset)
    elif to is None:
        return answer(given, offset)
    else:
        found = (answer(X, offset) for X in [given])
    return found if to is None else written(found, to, word)


def over_source(result, answer, source, offset):
    """An iterator of answers to the blocks of a source, whose columns are those of the model."""
    check_columns(result, source.columns, None if source.names is None else tuple(source.names))
    if offset is not None:
        if OFFSET in source.parts:
            raise ValueError("offset is given, and the source holds its own: leave out one of them.")
        if not source.repeatable:
            raise ValueError("offset is for rows that are counted: let the source hold it, offset=, as it is opened.")
        offset = arrays.offset(offset, source.n, np.dtype(np.float64))
    elif OFFSET not in source.parts:
        check_offset(result)
    return answers(answer, source, offset)


def answers(answer, source, offset):
    """Yield an answer for each block."""
    first = 0
    for block in blocks_of(source, (X, OFFSET)):
        own = block.offset if offset is None else offset[first : first + block.rows]
        yield answer(Matrix(block.X, source.names), own, place_of(source, first))
        first += block.rows


# Files --------------------------------------------------------------------------------------------------------------


def written(found, path, word):
    """Write arrays below each other to a file, which is there when all are written; returns its path."""
    path = Path(path)
    writers = dict(zip(ENDINGS, (NpyFile, ParquetFile, CsvFile), strict=True))
    if path.suffix not in writers:
        raise ValueError(f"to={str(path)!r} must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with contextlib.closing(writers[path.suffix](part, word)) as file:
            for values in found:
                file.append(values)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
        if hasattr(found, "close"):
            found.close()
    return path


class NpyFile:
    """A .npy file that grows; its header, of the same length for any number of rows, is written last."""

    def __init__(self, path, word):
        self.file, self.rows, self.like = open(path, "wb"), 0, None  # noqa: SIM115

    def append(self, values):
        """Write some rows."""
        if values.dtype.hasobject:
            raise TypeError("The labels are objects: a .npy file holds numbers and strings.")
        if self.like is None:
            self.like = values[:0]
            self.header()
        self.rows += len(values)
        np.ascontiguousarray(values).tofile(self.file)

    def header(self):
        """Write it where the file is at."""
        form = np.lib.format.header_data_from_array_1_0(self.like)
        np.lib.format.write_array_header_1_0(self.file, form | {"shape": (self.rows, *self.like.shape[1:])})

    def close(self):
        """End the file."""
        with self.file:
            if self.like is not None:
                self.file.seek(0)
                self.header()


class ArrowFile:
    """A file that pyarrow writes, with a column for each of the values of a row."""

    def __init__(self, path, word):
        self.path, self.word, self.writer, self.pa = path, word, None, needed("pyarrow", *ARROW)

    def append(self, values):
        """Write some rows."""
        columns = [values] if values.ndim == 1 else list(values.T)
        names = [self.word] if values.ndim == 1 else [f"{self.word}_{k}" for k in range(len(columns))]
        table = self.pa.table([np.ascontiguousarray(one) for one in columns], names=names)
        if self.writer is None:
            self.writer = self.opened(table.schema)
        self.writer.write_table(table)

    def close(self):
        """End the file."""
        if self.writer is not None:
            self.writer.close()


class ParquetFile(ArrowFile):
    """A Parquet file."""

    def opened(self, schema):
        """A writer of tables."""
        return needed("pyarrow.parquet", *ARROW).ParquetWriter(self.path, schema)


class CsvFile(ArrowFile):
    """A text file with a header line."""

    def opened(self, schema):
        """A writer of tables."""
        return needed("pyarrow.csv", *ARROW).CSVWriter(self.path, schema)
