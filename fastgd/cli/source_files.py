"""Tables that are read as sources: Parquet, many files, large ones, those that are cached or lie on a cluster."""

import contextlib
import glob
import shlex
from pathlib import Path

from .. import sources
from ..sources.arrow_columns import number, plain
from .files import PARQUET, ParquetTable, TableError, open_table
from .options import keep_inputs

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

    def __init__(self, file, delimiter=None):
        self.file, self.paths = file, files_of(file)
        self.header = open_table(self.paths[0], delimiter)
        self.total = sum(Path(path).stat().st_size for path in self.paths)
        if suffix_of(self.paths[0]).endswith(".xz"):
            raise TableError(f"{self.paths[0]} can't be read piece by piece: compress it as .gz or .bz2.")

    def keep(self, outputs, *others):
        """Raise where an output would take the place of a file that is read, or be one of the pattern the next time."""
        keep_inputs([*self.paths, *others], outputs)
        for path in outputs:
            if isinstance(path, Path) and any(mark in self.file for mark in MARKS) and match(path, self.file):
                raise ValueError(f"{path} would be among the files of {self.file!r} the next time: write elsewhere.")

    def source(self, columns, labels=True, float32=False, **roles):
        """The rows of some columns; ``roles`` are the names of the target, the weight and the offset."""
        options = {"features": list(columns), "dtype": "float32" if float32 else "float64", **roles}
        if not isinstance(self.header, ParquetTable):
            return sources.csv(self.paths, delimiter=self.header.delimiter, **options)
        kinds = {name: self.header.schema.field(name).type for name in (*columns, *filter(None, roles.values()))}
        odd = {name: kind for name, kind in kinds.items() if number(plain(kind)) is None}
        target = roles.get("target")
        if target in odd and not labels:
            what = f"the target {target!r} holds text ({odd[target]}), and this loss needs numbers"
            raise TableError(f"{self.paths[0]}: {what}: encode it, or for two classes pass --loss log_loss.")
        if no_numbers := [name for name in columns if name in odd]:
            shown = ", ".join(f"{name!r} ({odd[name]})" for name in no_numbers[:3])
            shown += f" and {len(no_numbers) - 3} more" if len(no_numbers) > 3 else ""
            what, hold, them = ("column", "holds", "it") if len(no_numbers) == 1 else ("columns", "hold", "them")
            do = f"encode {them} as numbers"
            if target is not None:
                do += f", or leave {them} out with " + " ".join(f"--drop {shlex.quote(name)}" for name in no_numbers)
            raise TableError(f"{self.paths[0]}: {what} {shown} {hold} no numbers: {do}.")
        return sources.parquet(self.paths, **options)


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
