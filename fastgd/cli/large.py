"""Tables that are not read into memory at once: many files, large ones, those that are cached or lie on a cluster."""

import contextlib
import glob
from pathlib import Path

from .. import sources
from ..sources.arrow_columns import number, plain
from .files import ParquetTable, TableError, open_table

LARGE = 1 << 26  # bytes of a file that is read piece by piece
MARKS = "*?["


def is_large(file, given):
    """Whether a table is read piece by piece: as ``sources`` of the library do."""
    if given.get("cache") or given.get("dask"):
        return True
    path = Path(file)
    return path.stat().st_size > LARGE if path.is_file() else any(mark in file for mark in MARKS)


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


class Files:
    """Files of one kind, with the columns of the first."""

    def __init__(self, file, delimiter=None):
        self.paths = files_of(file)
        self.header = open_table(self.paths[0], delimiter)
        self.total = sum(Path(path).stat().st_size for path in self.paths)
        if suffix_of(self.paths[0]).endswith(".xz"):
            raise TableError(f"{self.paths[0]} can't be read piece by piece: compress it as .gz or .bz2.")

    def source(self, columns, float32=False, **roles):
        """The rows of some columns; ``roles`` are the names of the target, the weight and the offset."""
        options = {"features": list(columns), "dtype": "float32" if float32 else "float64", **roles}
        if not isinstance(self.header, ParquetTable):
            return sources.csv(self.paths, delimiter=self.header.delimiter, **options)
        schema = self.header.file.schema_arrow
        kinds = {name: schema.field(name).type for name in columns}
        if odd := [name for name, kind in kinds.items() if number(plain(kind)) is None]:
            shown = ", ".join(f"{name!r} ({kinds[name]})" for name in odd[:3])
            shown += f" and {len(odd) - 3} more" if len(odd) > 3 else ""
            what = "column" if len(odd) == 1 else "columns"
            hold, them = ("holds", "it") if len(odd) == 1 else ("hold", "them")
            do = f"encode {them} as numbers, or leave {them} out with --drop {','.join(odd)}"
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
