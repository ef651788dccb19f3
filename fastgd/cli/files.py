"""Table files: their column names, their rows a chunk at a time, and where in the file a row is.

``CsvFile`` and ``ParquetFile`` answer the same few questions, so that ``tables.py`` checks every table in one place.
A fault of the file itself is a ``TableError`` of one line.
"""

import bz2
import contextlib
import csv
import gzip
import io
import lzma
import warnings
import zlib
from pathlib import Path

import numpy as np

try:
    import pandas as pd
except ImportError:
    raise ImportError("reading tables needs pandas: python -m pip install 'fastgd[cli]'") from None

CHUNK_NUMBERS = 1 << 20  # of a chunk of rows: 8 MB, so that memory stays near the table's size
COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
SEPARATORS = {".csv": ",", ".tsv": "\t"}
NAMES = "a .csv or .tsv file (also .gz, .bz2, .xz) or a .parquet file"


class TableError(ValueError):
    """What is wrong with a table, in one line that says where and what to do."""


def open_table(path, delimiter=None):
    """The file as a ``CsvFile`` or ``ParquetFile``, by the ending of its name."""
    path = Path(path)
    if not path.exists():
        raise TableError(f"{path}: there is no such file.")
    if path.is_dir():
        raise TableError(f"{path} is a folder: {NAMES} is needed.")
    endings = [ending.lower() for ending in path.suffixes]
    compression = endings.pop() if endings and endings[-1] in COMPRESSED else None
    kind = endings[-1] if endings else None
    if kind not in (*SEPARATORS, ".parquet", ".pq") or (compression and kind not in SEPARATORS):
        raise TableError(f"{path}: unknown format; {NAMES} is needed.")
    try:
        if path.stat().st_size == 0:
            raise TableError(f"{path} is empty.")
        if kind in SEPARATORS:
            return CsvFile(path, delimiter or SEPARATORS[kind], compression)
        if delimiter is not None:
            raise TableError(f"{path} is a Parquet file: it has no delimiter.")
        return ParquetFile(path)
    except OSError as error:
        raise TableError(f"{path} can't be read: {error.strerror or error}.") from None


class CsvFile:
    """A text file with a header line; compressed or not."""

    unit = "B"

    def __init__(self, path, delimiter, compression):
        self.path, self.delimiter = path, delimiter
        self.total = path.stat().st_size
        self.unpack = COMPRESSED.get(compression)
        self.names = self._header()

    @contextlib.contextmanager
    def _open(self):
        """The file as stored, which tells progress, and its plain bytes; faults of these become TableErrors."""
        try:
            with open(self.path, "rb") as stored, self.unpack(stored) if self.unpack else stored as plain:
                yield stored, plain
        except UnicodeDecodeError:
            raise TableError(f"{self.path} is not UTF-8 text: save it as UTF-8.") from None
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise TableError(f"{self.path} is damaged: {error}.") from None
        except pd.errors.ParserWarning:
            raise TableError(f"{self.path} has rows of more fields than its header ({len(self.names)}).") from None
        except (csv.Error, pd.errors.ParserError) as error:
            text = str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")
            raise TableError(f"{self.path} is not a regular table: {text}.") from None

    @contextlib.contextmanager
    def _records(self):
        """The records that are not blank, and the number of the line where each ends."""
        with self._open() as (_, plain), io.TextIOWrapper(plain, "utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=self.delimiter, skipinitialspace=True)
            yield ((record, reader.line_num) for record in reader if len(record) > 1 or "".join(record).strip())

    def _header(self):
        with self._open() as (_, plain):
            start = plain.read(1 << 16)
            if start[:4] == b"PAR1":
                raise TableError(f"{self.path} is a Parquet file by its content: let its name end in .parquet.")
            if b"\0" in start:
                raise TableError(f"{self.path} is a binary file, not UTF-8 text.")
        with self._records() as records:
            record, _ = next(records, ([], 0))
        if not record:
            raise TableError(f"{self.path} is empty: it has no header line.")
        # pandas' words for what has no name
        return tuple(name.strip() or f"Unnamed: {k}" for k, name in enumerate(record))

    def one_column_hint(self):
        """What a table of a single column may be instead, in words; else nothing."""
        for mark, word in ((";", "';'"), ("\t", "tab"), ("|", "'|'"), (",", "','"), (" ", "' '")):
            if mark in self.names[0] and mark != self.delimiter:
                return f"the columns seem to be separated by {word}: pass --delimiter {word}"
        return ""

    def place(self, row):
        """Where a row of data is, in words; read anew, as a quoted field may hold line ends and lines may be blank."""
        with self._records() as records:
            return next((f"line {line}" for k, (_, line) in enumerate(records) if k == row + 1), f"row {row + 1}")

    def chunks(self, names, label=None):
        """Yield (data frame of ``names``, how much of the file is read); ``label`` is read as text."""
        # By position: names may occur twice among the columns that nobody asks for.
        at = [self.names.index(name) for name in names]
        options = {
            "sep": self.delimiter,
            "header": 0,
            # All columns: with usecols pandas cuts rows that are too long without a word.
            "names": range(len(self.names)),
            "index_col": False,
            "dtype": {self.names.index(label): str} if label is not None else None,
            "skipinitialspace": True,
            "low_memory": False,
            "chunksize": max(1, CHUNK_NUMBERS // len(self.names)),
        }
        with self._open() as (stored, plain), warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            with pd.read_csv(plain, **options) as reader:
                for frame in reader:
                    yield frame[at].set_axis(list(names), axis="columns"), stored.tell()


class ParquetFile:
    """A Parquet file; null and NaN both count as missing."""

    unit = "row"

    def __init__(self, path):
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise ImportError("reading Parquet needs pyarrow: python -m pip install 'fastgd[cli]'") from None
        self.path, self.arrow = path, pyarrow
        try:
            self.file = pyarrow.parquet.ParquetFile(path)
        except pyarrow.ArrowException as error:
            raise TableError(f"{path} is not a whole Parquet file: {_first_line(error)}.") from None
        self.names = tuple(self.file.schema_arrow.names)
        self.total = self.file.metadata.num_rows
        if not self.names:
            raise TableError(f"{path} has no columns.")

    def one_column_hint(self):
        """Nothing: columns are told apart by the format."""
        return ""

    def place(self, row):
        """Where a row of data is, in words."""
        return f"row {row + 1}"

    def chunks(self, names, label=None):
        """Yield (data frame of ``names``, how many rows are read); ``label`` is read as text."""
        rows, done = max(1, CHUNK_NUMBERS // len(names)), 0
        try:
            for batch in self.file.iter_batches(rows, columns=list(names)):
                done += batch.num_rows
                columns = {name: self._column(batch.column(name), name == label) for name in names}
                yield pd.DataFrame(columns), done
        except (self.arrow.ArrowException, OSError) as error:
            raise TableError(f"{self.path} is damaged: {_first_line(error)}.") from None

    def _column(self, column, as_text):
        types = self.arrow.types
        if as_text:
            plain = column.dictionary_decode() if types.is_dictionary(column.type) else column
            return plain.cast(self.arrow.string()).to_numpy(zero_copy_only=False)
        known = types.is_floating, types.is_integer, types.is_boolean, types.is_decimal
        if any(is_one(column.type) for is_one in known):
            return column.cast(self.arrow.float64(), safe=False).to_numpy(zero_copy_only=False)
        if types.is_null(column.type):
            return np.full(len(column), np.nan)
        return np.array([None if value is None else str(value) for value in column.to_pylist()], dtype=object)


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
