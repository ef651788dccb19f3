"""Tables that are read as sources: Parquet, many files, large ones, those that are cached or lie on a cluster."""

import contextlib
import glob
from pathlib import Path

from .. import sources
from . import tables
from .faults import TableError
from .files import PARQUET, Form, ParquetTable, open_table
from .options import keep_inputs
from .prepared import Prepared
from .progress import is_shown, progress
from .reading import Reading

LARGE = 1 << 26  # bytes of a text file that is not read at once, with the line of each fault
MARKS = "*?["


def is_source(file, given):
    """Whether a table is read as a source."""
    if given.get("cache") or given.get("dask"):
        return True
    path = Path(file)
    if path.is_file():
        return path.suffix.lower() in PARQUET or path.stat().st_size > LARGE
    return any(mark in file for mark in MARKS)


def files_of(file):
    """The files that a path or a pattern names, sorted."""
    found = [file] if Path(file).exists() else sorted(glob.glob(file, recursive=True))
    if not found:
        raise TableError(f"{file}: there is no such file.")
    kinds = {suffix_of(path) for path in found}
    if len(kinds) > 1:
        raise TableError(f"{file} names files of several kinds, {', '.join(sorted(kinds))}: name those of one.")
    return found


def suffix_of(path):
    """What a file's name ends in."""
    return "".join(Path(path).suffixes[-2:]) if Path(path).suffix in (".gz", ".bz2", ".xz") else Path(path).suffix


def match(path, pattern):
    """Whether a path is one that a pattern names."""
    return Path(path).absolute().match(str(Path(pattern).absolute()))


class Files:
    """Files of one kind, with the columns of the first."""

    def __init__(self, file, form=Form()):  # noqa: B008
        self.file, self.paths, self.form = file, files_of(file), form
        self.header = open_table(self.paths[0], form)
        self.total = sum(Path(path).stat().st_size for path in self.paths)

    def tables(self):
        """All files, each as a table."""
        return [self.header, *(open_table(path, self.form) for path in self.paths[1:])]

    def keep(self, outputs, *others):
        """Raise where an output would take the place of a file that is read, or be one of the pattern the next time."""
        keep_inputs([*self.paths, *others], outputs)
        for path in outputs:
            if isinstance(path, Path) and any(mark in self.file for mark in MARKS) and match(path, self.file):
                raise ValueError(f"{path} would be among the files of {self.file!r} the next time: write elsewhere.")

    def source(self, columns, dtype, **roles):
        """The rows of columns of numbers; ``roles`` are the names of the target, the weight and the offset."""
        options = {"features": list(columns), "dtype": str(dtype), **roles}
        if not isinstance(self.header, ParquetTable):
            return sources.csv(self.paths, delimiter=self.header.delimiter, **options)
        return sources.parquet(self.paths, **options)


def data_of(file, given, labels):
    """What a command fits, as a source; one that has to be prepared is passed over once to learn how."""
    found = Files(file, tables.form_of(given))
    found.keep(given.values())
    wanted, shown = tables.wanted_of(found.header, given, labels), None
    shown = is_shown(given["shown"], found.total, given.get("quiet", False))
    reading = Reading(found.header, wanted)
    encoding = None
    if not reading.needs_encoding and found.header.plain and not suffix_of(found.paths[0]).endswith(".xz"):
        source = found.source(wanted.features, wanted.dtype, target=wanted.target, **wanted.of_rows)
    else:
        reading.raise_faults()  # before a long file is read
        every = found.tables()
        with progress(shown, sum(table.total for table in every), "reading") as told:
            done, last = 0, 0
            for rows in reading.rows(every):
                done += rows.done - (last if rows.done > last else 0)
                last = rows.done
                told(done)
        encoding, _ = reading.end()
        source = Prepared(every, wanted, encoding, reading.counts, reading.classes)
    if given["cache"] is not None:
        source = source.cached(given["cache"])
    return tables.Given(source, None, {}, source.n, source.dtype, shown, encoding, reading.dropped)


@contextlib.contextmanager
def engine(address):
    """The arguments of a fit whose rows lie on a Dask cluster: the one at an address, or "here" one of this machine."""
    if address is None:
        yield {}
        return
    from ..engines import Dask
    from ..engines.failures import distributed

    with distributed().Client(None if address == "here" else address) as client:
        yield {"engine": Dask(client)}
