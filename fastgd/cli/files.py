"""Table files: their column names and their rows a chunk at a time, and where in the file a row is.

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
from typing import NamedTuple

from .faults import TableError
from .options import WORDS

try:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet
except ImportError:
    raise ImportError("reading tables needs pandas and pyarrow: python -m pip install 'fastgd[cli]'") from None

CHUNK_NUMBERS = 1 << 20  # of a chunk of rows: 8 MB, so that memory stays near the table's size
COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
PARQUET = (".parquet", ".pq")
USUAL = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": None, ".dat": None}  # the delimiter, None: any
MARKS = (",", "\t", ";", "|")  # delimiters that a file may have without being told
NAMES = "a .csv, .tsv or .txt file (also .gz, .bz2, .xz) or a .parquet file"


class Form(NamedTuple):
    """How a text file spells fields and numbers; a ``delimiter`` of None is seen from its first lines."""

    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None

    @property
    def plain(self):
        """Whether numbers are spelled as programs do."""
        return self.decimal in (None, ".") and self.thousands is None


def open_table(path, form=Form()):  # noqa: B008
    """The file as a ``CsvTable`` or ``ParquetTable``, by the ending of its name."""
    path = Path(path)
    if not path.exists():
        raise TableError(f"{path}: there is no such file.")
    if path.is_dir():
        raise TableError(f"{path} is a folder: {NAMES} is needed.")
    endings = [ending.lower() for ending in path.suffixes]
    opener = COMPRESSED[endings.pop()] if endings and endings[-1] in COMPRESSED else open
    kind = endings[-1] if endings else None
    if kind not in USUAL and (kind not in PARQUET or opener is not open):
        raise TableError(f"{path}: unknown format; {NAMES} is needed.")
    try:
        if path.stat().st_size == 0:
            raise TableError(f"{path} is empty.")
        if kind in USUAL:
            return CsvTable(path, form, opener, USUAL[kind])
        for name in ("delimiter", "decimal", "thousands"):
            if getattr(form, name) is not None:
                raise TableError(f"{path} is a Parquet file: --{name} is for text.")
        return ParquetTable(path)
    except OSError as error:
        raise TableError(f"{path} can't be read: {error.strerror or error}.") from None


class CsvTable:
    """A text file with a header line, and perhaps comment lines (#) before it; compressed or not."""

    def __init__(self, path, form, opener, usual):
        self.path, self.form, self.opener, self.names = path, form, opener, ()
        self.total = path.stat().st_size
        with open(path, "rb") as stored:
            start = stored.read(1 << 16)
        if start[:4] == b"PAR1":
            raise TableError(f"{path} is a Parquet file by its content: let its name end in .parquet.")
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):  # as spreadsheets write "Unicode text"
            raise TableError(f"{path} is UTF-16 text: save it as UTF-8.")
        if opener is open and b"\0" in start:
            raise TableError(f"{path} is a binary file, not UTF-8 text.")
        lines = self._first_lines()
        self.delimiter = form.delimiter or delimiter_of(uncommented(lines), usual)
        self.skipped = comments(lines, self.delimiter)
        with self._read(header=None, dtype=str, keep_default_na=False, chunksize=1) as (reader, _):
            header = next(reader).iloc[0]
        header = [name.strip() for name in header]
        header[0] = header[0].lstrip("# ") if self.skipped is not None else header[0]
        # pandas' words for what has no name
        self.names = tuple(name or f"Unnamed: {k}" for k, name in enumerate(header))

    @property
    def plain(self):
        """Whether any reader of text files reads it so."""
        return self.form.plain and self.skipped is None

    def _first_lines(self):
        """Some whole lines of the beginning; none of a damaged file, which is told of when it is read."""
        with contextlib.suppress(EOFError, OSError, zlib.error, lzma.LZMAError), self.opener(self.path, "rb") as file:
            text = file.read(1 << 16).decode("utf-8-sig", "replace")
            return text.splitlines()[: max(1, text.count("\n"))][:200]
        return []

    @contextlib.contextmanager
    def _read(self, **options):
        """pandas' reader and the file as stored, whose position tells progress; faults become TableErrors."""
        try:
            with open(self.path, "rb") as stored, warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                plain = stored if self.opener is open else self.opener(stored)
                form = {"sep": self.delimiter, "skipinitialspace": True, "low_memory": False}
                form |= {"decimal": self.form.decimal or ".", "thousands": self.form.thousands}
                with pd.read_csv(plain, **form, skiprows=self.skipped or 0, **options) as reader:
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

    def chunks(self, names, text=(), rows=None):
        """Yield (data frame of ``names``, how much of the file is read); those in ``text`` are read as such."""
        # By position: names may occur twice among the columns that nobody asks for.
        at = [self.names.index(name) for name in names]
        options = {
            "header": 0,
            # All columns: with usecols pandas cuts rows that are too long without a word.
            "names": range(len(self.names)),
            "index_col": False,
            "dtype": {self.names.index(name): str for name in text},
            "chunksize": rows or max(1, CHUNK_NUMBERS // len(self.names)),
        }
        with self._read(**options) as (reader, stored):
            for frame in reader:
                yield frame[at].set_axis(list(names), axis="columns"), stored.tell()

    def place(self, row):
        """Where a row of data is, in words; read anew, as a quoted field may hold line ends and lines may be blank."""
        with contextlib.suppress(csv.Error), self.opener(self.path, "rt", encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(
                itertools.islice(text, self.skipped or 0, None), delimiter=self.delimiter, skipinitialspace=True
            )
            lines = (reader.line_num for record in reader if len(record) > 1 or "".join(record).strip())
            return f"line {next(itertools.islice(lines, row + 1, None)) + (self.skipped or 0)}"
        return f"row {row + 1}"  # a field is longer than csv's limit

    def one_column_hint(self):
        """What a table of a single column may be instead, in words; else nothing."""
        for mark in (*MARKS, " "):
            if mark in self.names[0] and mark != self.delimiter:
                word = WORDS.get(mark, f"'{mark}'")
                return f"the columns seem to be separated by {word}: pass --delimiter {word}"
        return ""


def uncommented(lines):
    """Lines behind the comments at the beginning; if nothing else is there, all."""
    return list(itertools.dropwhile(lambda line: line.startswith("#") or not line.strip(), lines)) or lines


def comments(lines, delimiter):
    """How many lines before the header are comments, None for none; the last one may be the header, '# a,b'."""
    data = uncommented(lines)
    count = len(lines) - len(data)
    if not any(line.startswith("#") for line in lines[:count]):
        return None
    last, first = (next(csv.reader([line], delimiter=delimiter), []) for line in (lines[count - 1], data[0]))
    header = lines[count - 1].startswith("#") and len(last) == len(first) and all(map(is_number, first))
    return count - header


def delimiter_of(lines, usual):
    """What separates the fields of lines, the first one a header: the usual mark, or the one that fits best."""
    widths = {}
    for mark in (*MARKS, " "):
        with contextlib.suppress(csv.Error):
            found = [len(row) for row in csv.reader(lines[:20], delimiter=mark, skipinitialspace=True) if row]
            widths[mark] = found or [1]
    if usual is not None and widths.get(usual, [1])[0] > 1:
        return usual
    even = {mark: of[0] for mark, of in widths.items() if len(set(of)) == 1 and of[0] > 1}
    marks = [mark for mark in even if mark != " "] or [mark for mark in even if usual is None]
    return max(marks, key=even.get, default=usual or ",")


def is_number(text):
    """Whether a text spells one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


class ParquetTable:
    """A Parquet file."""

    plain, form, delimiter = True, Form(), None

    def __init__(self, path):
        self.path = path
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                self.schema, self.total = file.schema_arrow, file.metadata.num_rows
        except pa.ArrowException as error:
            text = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            raise TableError(f"{path} is not a whole Parquet file: {text}.") from None
        self.names = tuple(self.schema.names)
        if not self.names:
            raise TableError(f"{path} has no columns.")

    def chunks(self, names, text=(), rows=None):
        """Yield (data frame of ``names``, how many rows are read); those in ``text`` are read as such."""
        done = 0
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                for batch in file.iter_batches(rows or max(1, CHUNK_NUMBERS // len(names)), columns=list(names)):
                    frame = pa.Table.from_batches([batch]).select(list(names)).to_pandas(ignore_metadata=True)
                    for name in text:
                        frame[name] = frame[name].astype(object).map(str, na_action="ignore")
                    done += len(frame)
                    yield frame, done
        except pa.ArrowException as error:
            text = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            raise TableError(f"{self.path} can't be read: {text}.") from None

    def place(self, row):
        """Where a row is, in words."""
        return f"row {row}"

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
