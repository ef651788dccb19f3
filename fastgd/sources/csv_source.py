"""Text files of comma-separated values, a block of bytes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..parts.registry import known_options
from .arrow_columns import is_wide
from .arrow_table import FAULTS, ArrowTable, pa, said
from .extras import needed
from .files import paths_of, unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._types import Paths
    from .base import Source

text = needed("pyarrow.csv", "arrow")

# Bytes that are parsed at once; pyarrow holds up to 32 such blocks. 20 columns of float64 came at 0.27 GB/s of text and
# 9 MB; with 64 kB at 0.22 and 2 MB, with 1 MB at 0.26 and 37 MB, with 4 MB at 0.2 and 78 MB.
BLOCK = 1 << 18
MOST = 1 << 30
LONGER = ("straddling object", "Empty CSV file or block")  # what pyarrow says of a line that is longer than a block
NUMBERS = (pa.null(), pa.int64(), pa.float64())  # each holds those before
WIDER = {pa.int64(): pa.float64(), pa.float64(): pa.string(), pa.bool_(): pa.string()}


@known_options
def csv(
    paths: Paths,
    target: str | Sequence[str] | None = None,
    features: str | Sequence[str] | None = None,
    *,
    weight: str | None = None,
    offset: str | None = None,
    dtype: Literal["float32", "float64"] | None = None,
    delimiter: str = ",",
) -> Source:
    """Rows in text files of comma-separated values with a header line, read block by block.

    Text is read at a small part of the speed of other formats: ``source.cached(folder)`` reads it once. When the source
    is opened all files are read to count their rows, in a quarter of the time of a pass. Needs ``fastgd[arrow]``.

    Parameters
    ----------
    paths : path or list of paths
        Files, folders or patterns, as of :func:`parquet`; also compressed (``.gz``, ``.bz2``, ``.zst``).
    target, features, weight, offset, dtype
        As of :func:`parquet`. Which columns hold numbers is known from the first 256 kB of each file. Cells that are
        empty, ``NA``, ``NaN`` or ``null`` are nulls, and an error; a label in quotes may be any of these. A target is
        whole numbers, numbers, ``true`` and ``false``, or labels if it has any other value.
    delimiter : str, default ","
        The character between two values.

    Returns
    -------
    Source
        A shard is a file; X is float64 unless ``dtype`` says otherwise.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError, ImportError
        As :func:`parquet`; also for lines with too few or too many values, and for text in a column of numbers.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastgd.sources import csv
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "flights.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("distance,carrier,delay\\n1.5,UA,10\\n2,AA,0\\n")
    >>> source = csv(path, target="delay")
    >>> source.names
    ('distance',)
    >>> block = next(source.pieces(0))
    >>> block.X.values.tolist(), block.y.tolist()
    ([[1.5], [2.0]], [10, 0])
    >>> folder.cleanup()
    """
    return Csv(paths, delimiter=delimiter, target=target, features=features, weight=weight, offset=offset, dtype=dtype)


class Csv(ArrowTable):
    """Files with a header line; a shard is a file.

    The types are those of the first block of each file; whole numbers of X are read as float64. The type of the target
    becomes wider where a later value needs it, as the rows are counted: that takes a quarter of the time of a pass.
    """

    def __init__(self, paths, delimiter, **options):
        super().__init__(**options)
        if not (isinstance(delimiter, str) and len(delimiter) == 1):
            raise ValueError(f"delimiter={delimiter!r} must be one character.")
        self.paths, self.delimiter, self.block, self.types = paths_of(paths), delimiter, BLOCK, {}
        self.label = self.options["target"] if isinstance(self.options["target"], str) else None
        for path in self.paths:
            unchanged(self.seen, path)
        schemas = [self.asked(path, lambda path: self.reader(path).schema) for path in self.paths]
        for path, schema in zip(self.paths, self.agreed(schemas), strict=True):
            self.take(schema, path)
        for name, kind in self.chosen.kinds.items():
            self.types[name] = pa.float64() if is_wide(kind) and name != self.label else kind
        for path in self.paths:
            self.add(path, self.asked(path, self.counted))
        self.end(self.paths)

    def agreed(self, schemas):
        """The schemas, with one type for each column where all files hold numbers in it, or labels."""
        kinds = {}
        for field in (field for schema in schemas for field in schema):
            kind = kinds.setdefault(field.name, field.type)
            if kind in NUMBERS and field.type in NUMBERS:
                kinds[field.name] = max(kind, field.type, key=NUMBERS.index)
            elif kind == pa.null():
                kinds[field.name] = field.type
            elif field.name == self.label and field.type not in (kind, pa.null()):
                kinds[field.name] = pa.string()
        kinds = {name: pa.float64() if kind == pa.null() else kind for name, kind in kinds.items()}
        for schema in schemas:
            fields = []
            for name, kind in zip(schema.names, schema.types, strict=True):
                numbers = kind in NUMBERS and kinds[name] in NUMBERS
                fields.append((name, kinds[name] if numbers or kind == pa.null() or name == self.label else kind))
            yield pa.schema(fields)

    def asked(self, path, question):
        """What a question to a file gives, with larger blocks or a wider type of the target where it needs them."""
        while True:
            try:
                return question(path)
            except FAULTS as error:
                if any(words in str(error) for words in LONGER) and self.block < MOST:
                    self.block *= 4
                elif "conversion error" in str(error) and self.types.get(self.label) in WIDER:
                    self.types[self.label] = self.chosen.kinds[self.label] = WIDER[self.types[self.label]]
                else:
                    raise ValueError(self.unreadable(path, error)) from None

    def counted(self, path):
        """The rows of a file: the target is enough, or any column."""
        return sum(batch.num_rows for batch in self.reader(path, [self.label or list(self.types)[-1]]))

    def reader(self, path, names=None):
        """Of some columns, or of all, whose types are then those of the first block."""
        return text.open_csv(
            path,
            text.ReadOptions(use_threads=False, block_size=self.block),
            text.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            text.ConvertOptions(
                column_types=self.types,
                include_columns=names,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def batches(self, shard, names, rows):
        """By one thread, as of Parquet; and the message for a fault names the row."""
        unchanged(self.seen, self.paths[shard])
        yield from self.reader(self.paths[shard], names)

    def unreadable(self, where, error):
        """The message for what the reader says of a file."""
        return f"{where} can not be read ({said(error)}): correct the file, or leave the column out."
