"""From table files to what a fit takes: arrays, or a source that is read piece by piece."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from . import columns
from .encoding import Encoding
from .faults import TableError
from .files import Form, pd
from .options import OF_ROWS
from .program import as_options
from .reading import Reading, Wanted


class Table(NamedTuple):
    """Rows in memory."""

    X: np.ndarray  # (n, d) float32 or float64
    y: np.ndarray  # (n,) float64, or labels
    of_rows: dict  # arguments of fit with a number for each row, e.g. {"sample_weight": (n,)}
    encoding: Encoding
    dropped: int  # rows that lack a value


class Given(NamedTuple):
    """What a command fits."""

    X: object  # a frame, or a source
    y: np.ndarray | None
    of_rows: dict
    rows: int
    dtype: np.dtype
    shown: bool  # whether progress is
    encoding: Encoding | None = None  # None: the columns are as in the table
    dropped: int = 0

    def verbose(self, quiet=False):
        """How much a call tells, in the words of options."""
        from ..kernels.notice import notice  # loads Numba

        notice.spelled = as_options
        return -1 if quiet and not self.shown else int(self.shown)

    def kept_with(self, result):
        """The result of the fit, with what predict has to know of the table."""
        needed = self.encoding is not None and self.encoding.is_needed
        return replace(result, encoding=self.encoding.plain) if needed else result


def form_of(given):
    """How text is written, as a command was told."""
    form = Form(given["delimiter"], given["decimal"], given["thousands"])
    if form.thousands is not None and form.thousands == (form.decimal or "."):
        what = "also the decimal sign" if form.decimal else "the decimal sign, unless --decimal ',' is given"
        raise TableError(f"--thousands {form.thousands} is {what}: they must differ.")
    return form


def wanted_of(table, given, labels):
    """What a fit reads of a table, as a command was told."""
    of_rows = {role: given[role] for role in OF_ROWS if given[role]}
    features = columns.chosen_columns(table, given["target"], given["columns"], given["drop"], of_rows)
    one_hot = columns.split_names(given["one_hot"], table.names)
    for name in one_hot:
        if name not in table.names:
            raise columns.missing_column(table.path, table.names, [name], " for --one-hot")
        if name not in features:
            raise TableError(f"--one-hot names {name!r}, which is no column to fit on.")
    dtype = np.dtype("float32" if given["float32"] else "float64")
    fill, intercept = given["fill"], given.get("fit_intercept", True)
    return Wanted(features, given["target"], labels, of_rows, tuple(one_hot), fill, given["dropna"], intercept, dtype)


def read(table, wanted, told=lambda done: None):
    """The rows of a table, read in chunks; ``told`` is told progress."""
    reading, targets, n = Reading(table, wanted), [], 0
    d = len(reading.features)
    X, numbers = np.empty((0, d), wanted.dtype), {role: [] for role in wanted.of_rows}
    for rows in reading.rows([table]):
        for role, values in zip(numbers, rows.of_rows, strict=False):
            numbers[role].append(values)
        targets.append(pd.Categorical(rows.y) if wanted.labels else rows.y)
        if not reading.cells.faults:
            n = append(X, n, rows.values)
        told(rows.done)
    encoding, places = reading.end()
    y = coded(targets) if wanted.labels else np.concatenate(targets)
    X.resize((n, d), refcheck=False)
    for k, name in enumerate(encoding.columns):
        if name in places:
            X[:, k] = places[name][X[:, k].astype(np.intp)]
    X = encoding.encoded(encoding.filled(X), wanted.dtype)
    of_rows = {OF_ROWS[role]: np.concatenate(chunks) for role, chunks in numbers.items()}
    return Table(X, y, of_rows, encoding, reading.dropped)


def append(array, used, values):
    """Rows behind the first ``used`` ones, the array grown in place wherever the allocator can (on Linux by pages)."""
    end = used + len(values)
    if end > len(array):
        array.resize((max(end, len(array) * 9 // 8), array.shape[1]), refcheck=False)
    array[used:end] = values
    return end


def coded(chunks):
    """Labels (n,) of categorical chunks of text."""
    whole = pd.api.types.union_categoricals(chunks)
    return typed(list(whole.categories))[whole.codes]


def typed(labels):
    """Different labels, text, as what they spell where all do and stay different."""
    if {label.lower() for label in labels} == {"true", "false"}:
        return np.array([label.lower() == "true" for label in labels])
    for kind in (np.int64, np.float64):
        try:
            made = np.array([kind(label) for label in labels])
        except (ValueError, OverflowError):
            continue
        if np.isfinite(made).all() and np.unique(made).size == len(labels):
            return made
    return np.array(labels, dtype=str)
