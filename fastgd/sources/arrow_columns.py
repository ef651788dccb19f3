"""Which columns of a table are X, y, weight and offset, and record batches as blocks of rows."""

import collections
import difflib
import fnmatch
from typing import NamedTuple

import numpy as np

from ..kernels.layouts import Dense, frozen
from .base import ALL, OFFSET, PIECE_BYTES, WEIGHT, Block, X, Y
from .extras import needed

pa = needed("pyarrow", "arrow")

EXACT = 2**53  # float64 holds all whole numbers up to this one
# Of the numbers of a record batch: a quarter of a piece, as its columns lie in the cache while they become rows.
BATCH_BYTES = PIECE_BYTES // 4
FEWEST = 2048  # rows of a batch, as long as they are no more than a piece: each column of a batch costs pyarrow 3 us


WIDEST = 1 << 20  # lists: a row is a piece then; those of damaged files may have any width


class Feature(NamedTuple):
    """A column of the table, and where it is in X."""

    name: str
    first: int
    width: int | None  # of lists; None of plain numbers
    wide: bool  # whether it is whole numbers of 64 bits


class Columns:
    """The columns that a user has named, in the tables of one schema.

    ``where`` names the table in messages. ``features`` is None for all other numeric columns, or names and patterns.
    """

    def __init__(self, schema, where, target, features, weight, offset, dtype):
        self.where, self.target, self.roles = where, target, {WEIGHT: weight, OFFSET: offset}
        self.targets, names = listed("target", target), collections.Counter(schema.names)
        taken = [*self.targets]
        for role, name in self.roles.items():
            if not isinstance(name, str | None):
                raise TypeError(f"{role}={name!r} is not the name of a column.")
            taken += [] if name is None else [name]
        for name in taken:
            if taken.count(name) > 1:
                raise ValueError(f"Column {name!r} is named twice among target, weight and offset.")
            self.check_name(name, names)
        chosen = self.numeric(schema, names, taken) if features is None else self.named(features, names, taken)
        self.kinds = {name: plain(schema.field(name).type) for name in (*chosen, *taken)}
        self.features, count = [], 0
        for name in chosen:
            kind = self.kinds[name]
            if number(kind) is None:
                raise self.no_number(name, kind, "features")
            self.features.append(Feature(name, count, kind.list_size if is_list(kind) else None, is_wide(kind)))
            count += self.features[-1].width or 1
        if count == 0:
            raise ValueError(f"{where} has no column of numbers beside target, weight and offset.")
        self.count, self.names = count, tuple(self.names_of_X())
        self.dtype = self.common() if dtype is None else np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise TypeError(f"dtype={self.dtype} is not float32 or float64.")
        for role, name in self.roles.items():
            if name is not None and (number(self.kinds[name]) is None or is_list(self.kinds[name])):
                raise self.no_number(name, self.kinds[name], role)
        for name in self.targets:
            kind = self.kinds[name]
            several, labels = self.target != name, pa.types.is_dictionary(kind) or pa.types.is_string(kind)
            if number(kind) is None and (several or not labels):
                raise self.no_number(name, kind, "target")
            if is_list(kind) and several:
                raise TypeError(f"{where}: the target {name!r} holds lists: it must be the only target, as a string.")
        there = {X: True, Y: bool(self.targets), **{role: name is not None for role, name in self.roles.items()}}
        self.parts = tuple(part for part in ALL if there[part])

    def check_name(self, name, names):
        """That a table has a column, once; ``names`` counts those it has."""
        if name not in names:
            lower = {other.lower(): other for other in names}
            near = difflib.get_close_matches(str(name).lower(), lower, n=1, cutoff=0.5)
            hint = f" Did you mean {lower[near[0]]!r}?" if near else ""
            shown = ", ".join(map(repr, list(names)[:12])) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
            raise ValueError(f"{self.where} has no column {name!r}.{hint} It has {shown}.")
        if names[name] > 1:
            raise ValueError(f"{self.where} has more than one column {name!r}: rename them.")

    def numeric(self, schema, names, taken):
        """The columns of numbers that have no other role, and are not the index of a pandas frame."""
        chosen, index = [], (schema.pandas_metadata or {}).get("index_columns", [])  # names, and dicts of ranges
        for field in schema:
            if field.name not in taken and field.name not in index:
                if pa.types.is_decimal(field.type):
                    raise self.no_number(field.name, field.type, "features")
                if number(plain(field.type)) is not None:
                    if not field.name:
                        what = "has a column without a name (a row index, most likely)"
                        raise ValueError(f"{self.where} {what}: name the features.")
                    self.check_name(field.name, names)
                    chosen.append(field.name)
        return chosen

    def named(self, features, names, taken):
        """The columns of names and patterns, each once; a pattern matches none that has another role."""
        chosen = {}
        for one in listed("features", features):
            found = [one]
            if one not in names and any(mark in one for mark in "*?["):
                found = [name for name in names if fnmatch.fnmatchcase(name, one) and name not in taken]
                if not found:
                    raise ValueError(f"{self.where} has no column that matches {one!r}.")
            for name in found:
                self.check_name(name, names)
                if name in taken:
                    raise ValueError(f"Column {name!r} is among the features, and is target, weight or offset.")
                chosen[name] = None
        return list(chosen)

    def names_of_X(self):
        """Of the columns of X: those of a column of lists are numbered."""
        for feature in self.features:
            if feature.width is None:
                yield feature.name
            else:
                yield from (f"{feature.name}[{k}]" for k in range(feature.width))

    def common(self):
        """The type of X that holds the numbers of all columns: float32 where some are, and all others are narrow."""
        kinds = [number(self.kinds[feature.name]) for feature in self.features]
        narrow = all(kind.itemsize <= (4 if kind.kind == "f" else 2) for kind in kinds)
        return np.dtype(np.float32 if narrow and any(kind.kind == "f" for kind in kinds) else np.float64)

    def no_number(self, name, kind, role):
        """The error for a column that can not have the role."""
        if pa.types.is_decimal(kind):
            what, do = "decimals", "cast them to float64 where the table is written"
        elif pa.types.is_temporal(kind):
            what, do = "dates or times", "make numbers of them, such as days"
        elif pa.types.is_string(kind):
            what, do = "text", "encode it as numbers"
        elif pa.types.is_binary(kind):
            what, do = "bytes that are no UTF-8 text", "save it as UTF-8"
        elif pa.types.is_dictionary(kind):
            what, do = "categories", "encode them as numbers"
        else:
            what, do = "no numbers", "make numbers of it"
        out = ", or choose other columns with features=" if role == "features" else ""
        return TypeError(f"{self.where}: column {name!r}, in {role}, holds {what} ({kind}): {do}{out}.")

    def check_same(self, other):
        """That another table has the same columns, in whatever order."""
        for name in self.kinds:
            if name not in other.kinds:
                raise ValueError(f"{other.where} has no column of numbers {name!r}, which {self.where} has.")
        for name, kind in other.kinds.items():
            if name not in self.kinds:
                what = f"{other.where} has a column {name!r}, which {self.where} does not have"
                raise ValueError(f"{what}: name the columns with features=.")
            if kind != self.kinds[name]:
                what = f"column {name!r} holds {kind} in {other.where}, but {self.kinds[name]} in {self.where}"
                raise TypeError(f"{what}: write both with one type.")

    def fit(self, schema, names):
        """Whether some columns are in a schema as they were; whole numbers of text are read as float64."""
        there = dict(zip(schema.names, schema.types, strict=True))
        for name in names:
            kind = self.kinds[name]
            found = plain(there[name]) if name in there else None
            if found != kind and not (is_wide(kind) and found == pa.float64()):
                return False
        return True

    def of(self, parts):
        """The columns that some parts are made of."""
        names = [feature.name for feature in self.features] if X in parts else []
        names += self.targets if Y in parts else ()
        return names + [name for role, name in self.roles.items() if role in parts and name is not None]

    def labels(self, parts):
        """The columns of labels among those of some parts."""
        return [name for name in self.targets if Y in parts and number(self.kinds[name]) is None]

    def rows(self, parts):
        """Of a record batch."""
        numbers = len(self.of(parts)) * 8 if X not in parts else self.count * self.dtype.itemsize
        return max(1, BATCH_BYTES // numbers, min(FEWEST, PIECE_BYTES // numbers))

    @property
    def as_it_is(self):
        """Whether X is one column of lists of numbers of its type: a view, no copy."""
        kind = self.kinds[self.features[0].name]
        return len(self.features) == 1 and is_list(kind) and number(kind) == self.dtype

    def block(self, batch, parts, shard, first, buffer=None):
        """A record batch, which begins with row ``first`` of a shard, as a block; X is in ``buffer`` if it is given."""
        batch, made = Batch(batch, shard, first), dict.fromkeys(ALL)
        if X in parts:
            made[X] = Dense(frozen(self.table(batch, buffer)))
        if Y in parts and self.targets:
            made[Y] = self.values(batch)
        for role, name in self.roles.items():
            if role in parts and name is not None:
                values = batch.numbers(name)
                values = batch.exact(name, values) if is_wide(self.kinds[name]) else values
                made[role] = values.astype(np.float64, copy=False)
        return Block(*made.values())

    def values(self, batch):
        """The targets (n,) or (n, m), as they are stored."""
        if self.target != self.targets[0]:
            return np.column_stack([batch.numbers(name) for name in self.targets])
        kind = self.kinds[self.target]
        if is_list(kind):
            return batch.lists(self.target, kind.list_size)
        return batch.labels(self.target) if number(kind) is None else batch.numbers(self.target)

    def table(self, batch, buffer):
        """The rows (n, d). A column is written as a whole, 4 to 15 GB/s with columns in the cache.

        Tried with 5, 50 and 500 columns of batches of 2 MB: slices of 128 to 2048 rows (0.2 to 0.9 of the rate, less
        with fewer rows), ``to_tensor(row_major=True)`` of a batch or of slices of it (0.5 to 0.75), ``np.stack`` (0.8
        to 0.97), columns behind each other and then transposed (0.25 to 0.6; 1.4 of whole batches of 50 columns only),
        groups of 16 columns (0.9 to 1). Little is left of that where the columns come from files: 1.6 to 1.9 GB/s of 50
        columns from a memory map, whole or in slices of 2048 rows, through ``to_tensor`` 1.1 of it, by 16 transposed
        columns 0.7. With the decoding of Parquet ``to_tensor`` has 1.1 of the rate with 50 and 600 columns, 0.75 with
        8, and batches of 0.5 to 8 MB are the same.
        """
        if self.as_it_is:
            return batch.lists(self.features[0].name, self.count)
        n = batch.batch.num_rows
        rows = np.empty((n, self.count), self.dtype) if buffer is None else buffer[:n]
        try:
            with np.errstate(over="raise"):
                for name, k, width, wide in self.features:
                    values = batch.numbers(name) if width is None else batch.lists(name, width)
                    rows[:, k if width is None else slice(k, k + width)] = batch.exact(name, values) if wide else values
        except FloatingPointError:
            what = f"{batch.shard}: column {name!r} has numbers that overflow {self.dtype}"
            raise ValueError(f"{what}: open it with dtype='float64'.") from None
        return rows


class Batch(NamedTuple):
    """The columns of a record batch as arrays."""

    batch: object
    shard: str
    first: int

    def fault(self, name, where, what, do):
        """The error for the first row of a column in which ``where`` is true."""
        row = self.first + int(np.argmax(where))
        return ValueError(f"{self.shard}, row {row}: column {name!r} has {what}: {do}.")

    def column(self, name):
        """A column without nulls."""
        found = self.batch.column(name)
        if found.null_count:
            nulls = found.is_null().to_numpy(zero_copy_only=False)
            raise self.fault(name, nulls, "a null", "fill it, or leave the row out")
        return found

    def numbers(self, name):
        """A column of numbers (n,), as it is stored."""
        return numbers_of(self.column(name))

    def lists(self, name, width):
        """A column of lists of numbers (n, width), as it is stored: a view."""
        column = self.column(name).flatten()
        if column.null_count:
            nulls = column.is_null().to_numpy(zero_copy_only=False).reshape(-1, width).any(axis=1)
            raise self.fault(name, nulls, "a null in its list", "fill it, or leave the row out")
        return numbers_of(column).reshape(-1, width)

    def exact(self, name, values):
        """The values of a column of 64-bit whole numbers, if float64 holds all of them."""
        # Those of text are read as float64, where the next one above 2**53 has become 2**53.
        most = EXACT if values.dtype.kind in "iu" else EXACT - 1
        if values.size and (values.max() > most or values.min() < -most):
            beyond = ((values > most) | (values < -most)).reshape(len(values), -1).any(axis=1)
            what = "a whole number beyond 2**53, which float64 does not hold"
            raise self.fault(name, beyond, what, "leave the column out, or cast it to float64 where it is written")
        return values

    def labels(self, name):
        """A column of labels, as text or as what a dictionary holds."""
        column = self.column(name)
        if pa.types.is_dictionary(column.type) and column.dictionary.null_count:
            column = Batch(pa.record_batch({name: column.dictionary_decode()}), self.shard, self.first).column(name)
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.large_string()).dictionary_encode()
        held = np.array(column.dictionary.to_pylist()) if len(column.dictionary) else np.empty(0, str)
        return held[numbers_of(column.indices)]


def numbers_of(column):
    """The numbers of a column without nulls, a view. ``to_numpy`` imports pandas where it is: 30 MB."""
    kind = number(column.type)
    if kind.kind == "b" or not len(column):
        return column.to_numpy(zero_copy_only=False)
    return np.frombuffer(column.buffers()[1], kind, len(column), column.offset * kind.itemsize)


def listed(argument, given):
    """The names that are given as one, as a list of them, or not at all."""
    if isinstance(given, str | None):
        return () if given is None else (given,)
    try:
        names = tuple(given)
    except TypeError:
        names = ()
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument}={given!r}: the name of a column, or a list of names, is needed.")
    return names


def plain(kind):
    """One type for all kinds of text, and for dictionaries of text."""
    if pa.types.is_dictionary(kind) and plain(kind.value_type) == pa.string():
        return pa.string()
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind


def is_list(kind):
    """Whether a type is lists of one width."""
    return pa.types.is_fixed_size_list(kind)


def number(kind):
    """The NumPy type of the numbers of a column or of its lists, or None."""
    if is_list(kind):
        usual = 0 < kind.list_size <= WIDEST and not is_list(kind.value_type)
        return number(kind.value_type) if usual else None
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return np.dtype(kind.to_pandas_dtype())
    return None


def is_wide(kind):
    """Whether a type is whole numbers of 64 bits."""
    found = number(kind)
    return found is not None and found.kind in "iu" and found.itemsize == 8
