"""Table files: their column names and, of text, their rows a chunk at a time, and where in the file a row is.

A fault of the file itself is a ``TableError`` of one line.
"""

import bz2
import contextlib
import csv
import gzip
import itertools
import lzma
import os
import sys
import warnings
import zlib
from pathlib import Path

try:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet
except ImportError:
    raise ImportError("reading tables needs pandas and pyarrow: python -m pip install 'fastgd[cli]'") from None

CHUNK_NUMBERS = 1 << 20  # of a chunk of rows: 8 MB, so that memory stays near the table's size
COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
PARQUET = (".parquet", ".pq")
SEPARATORS = {".csv": ",", ".tsv": "\t"}
NAMES = "a .csv or .tsv file (also .gz, .bz2, .xz) or a .parquet file"


class TableError(ValueError):
    """What is wrong with a table, in one line that says where and what to do."""


def open_table(path, delimiter=None):
    """The file as a ``CsvTable`` or ``ParquetTable``, by the ending of its name."""
    path = Path(path)
    if not path.exists():
        raise TableError(f"{path}: there is no such file.")
    if path.is_dir():
        raise TableError(f"{path} is a folder: {NAMES} is needed.")
    endings = [ending.lower() for ending in path.suffixes]
    opener = COMPRESSED[endings.pop()] if endings and endings[-1] in COMPRESSED else open
    kind = endings[-1] if endings else None
    if kind not in SEPARATORS and (kind not in PARQUET or opener is not open):
        raise TableError(f"{path}: unknown format; {NAMES} is needed.")
    try:
        if path.stat().st_size == 0:
            raise TableError(f"{path} is empty.")
        if kind in SEPARATORS:
            return CsvTable(path, delimiter or SEPARATORS[kind], opener)
        if delimiter is not None:
            raise TableError(f"{path} is a Parquet file: it has no delimiter.")
        return ParquetTable(path)
    except OSError as error:
        raise TableError(f"{path} can't be read: {error.strerror or error}.") from None


class CsvTable:
    """A text file with a header line; compressed or not."""

    def __init__(self, path, delimiter, opener):
        self.path, self.delimiter, self.opener, self.names = path, delimiter, opener, ()
        self.total = path.stat().st_size
        with open(path, "rb") as stored:
            start = stored.read(1 << 16)
        if start[:4] == b"PAR1":
            raise TableError(f"{path} is a Parquet file by its content: let its name end in .parquet.")
        if opener is open and b"\0" in start:
            raise TableError(f"{path} is a binary file, not UTF-8 text.")
        with self._read(header=None, dtype=str, keep_default_na=False, chunksize=1) as (reader, _):
            header = next(reader).iloc[0]
        # pandas' words for what has no name
        self.names = tuple(name.strip() or f"Unnamed: {k}" for k, name in enumerate(header))

    @contextlib.contextmanager
    def _read(self, **options):
        """pandas' reader and the file as stored, whose position tells progress; faults become TableErrors."""
        try:
            with open(self.path, "rb") as stored, warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                plain = stored if self.opener is open else self.opener(stored)
                form = {"sep": self.delimiter, "skipinitialspace": True, "low_memory": False}
                with pd.read_csv(plain, **form, **options) as reader:
                    yield reader, stored
        except UnicodeDecodeError:
            raise TableError(f"{self.path} is not UTF-8 text: save it as UTF-8.") from None
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise TableError(f"{self.path} is damaged: {error}.") from None
        except pd.errors.EmptyDataError:
            raise TableError(f"{self.path} is empty: it has no header line.") from None
        except pd.errors.ParserWarning:
            raise TableError(f"{self.path} has rows of more fields than its header ({len(self.names)}).") from None
        except pd.errors.ParserError as error:
            text = str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")
            raise TableError(f"{self.path} is not a regular table: {text}.") from None

    def chunks(self, names, label=None):
        """Yield (data frame of ``names``, how much of the file is read); ``label`` is read as text."""
        # By position: names may occur twice among the columns that nobody asks for.
        at = [self.names.index(name) for name in names]
        options = {
            "header": 0,
            # All columns: with usecols pandas cuts rows that are too long without a word.
            "names": range(len(self.names)),
            "index_col": False,
            "dtype": {self.names.index(label): str} if label is not None else None,
            "chunksize": max(1, CHUNK_NUMBERS // len(self.names)),
        }
        with self._read(**options) as (reader, stored):
            for frame in reader:
                yield frame[at].set_axis(list(names), axis="columns"), stored.tell()

    def place(self, row):
        """Where a row of data is, in words; read anew, as a quoted field may hold line ends and lines may be blank."""
        with contextlib.suppress(csv.Error), self.opener(self.path, "rt", encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=self.delimiter, skipinitialspace=True)
            lines = (reader.line_num for record in reader if len(record) > 1 or "".join(record).strip())
            return f"line {next(itertools.islice(lines, row + 1, None))}"
        return f"row {row + 1}"  # a field is longer than csv's limit

    def one_column_hint(self):
        """What a table of a single column may be instead, in words; else nothing."""
        for mark, word in ((";", "';'"), ("\t", "tab"), ("|", "'|'"), (",", "','"), (" ", "' '")):
            if mark in self.names[0] and mark != self.delimiter:
                return f"the columns seem to be separated by {word}: pass --delimiter {word}"
        return ""


class ParquetTable:
    """The columns of a Parquet file, whose rows are read as a source."""

    def __init__(self, path):
        self.path = path
        try:
            self.schema = pyarrow.parquet.read_schema(path)
        except pa.ArrowException as error:
            text = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            raise TableError(f"{path} is not a whole Parquet file: {text}.") from None
        self.names = tuple(self.schema.names)
        if not self.names:
            raise TableError(f"{path} has no columns.")

    def one_column_hint(self):
        """Nothing: columns are told apart by the format."""
        return ""


@contextlib.contextmanager
def writing(path):
    """Stdout, or a file that takes the place of an older one only when all is written."""
    if path is None:
        yield sys.stdout
        return
    special = path.exists() and not path.is_file()  # a device or a pipe
    part = path if special else path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "w", encoding="utf-8", newline="") as stream:
            yield stream
        if part != path:
            os.replace(part, path)
    finally:
        if part != path:
            part.unlink(missing_ok=True)
