"""What a command fits: the rows of a file in memory, or those of long ones and of many piece by piece."""

from pathlib import Path

from . import source_files, tables
from .files import open_table, pd
from .options import keep_inputs
from .progress import is_shown, progress


def data_of(file, given, labels):
    """What a command fits; files that are large, or many, are read as a source."""
    if source_files.is_source(file, given):
        return source_files.data_of(file, given, labels)
    keep_inputs([file], given.values())
    table = open_table(file, tables.form_of(given))
    wanted = tables.wanted_of(table, given, labels)
    shown = is_shown(given["shown"], Path(file).stat().st_size, given.get("quiet", False))
    with progress(shown, table.total, "reading") as told:
        found = tables.read(table, wanted, told)
    X = pd.DataFrame(found.X, columns=found.encoding.names, copy=False)
    return tables.Given(X, found.y, found.of_rows, len(X), wanted.dtype, shown, found.encoding, found.dropped)


def check_same(data, past):
    """Raise where a run goes on with a table that gives other columns."""
    now = data.encoding.plain if data.encoding is not None and data.encoding.is_needed else None
    if now != past.encoding:
        raise ValueError("--resume: the run was on other categories or filled values: pass the same file and options.")
