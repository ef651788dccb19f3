"""What a source is: rows in shards, each read in pieces, in an order that never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..kernels.layouts import CSR, Dense
from ..kernels.threads import cached_property

if TYPE_CHECKING:
    from .._types import Path

PIECE_BYTES = 1 << 23  # of the numbers of a piece, about
X, Y, WEIGHT, OFFSET = "X", "y", "weight", "offset"
VECTORS = (Y, WEIGHT, OFFSET)
ALL = (X, *VECTORS)


class Block(NamedTuple):
    """Some rows that follow each other; what was not asked for, or is not there, is None."""

    X: Dense | CSR | None  # (n, d) of the source's type
    y: np.ndarray | None = None  # (n,) or (n, m), as they are stored: labels may be strings
    weight: np.ndarray | None = None  # (n,)
    offset: np.ndarray | None = None  # (n,)

    @property
    def rows(self):
        """How many rows there are."""
        known = self.X.shape if self.X is not None else next(a for a in self[1:] if a is not None).shape
        return known[0]


class Shard(NamedTuple):
    """A part of a source that can be read by itself: a file, or a row group of one."""

    label: str  # as messages name it: "flights/01.parquet, row group 3"
    rows: int


class Source:
    """Rows that are read from where they lie, shard by shard, in an order that never changes.

    A format is one subclass, in one file. It holds paths and options alone, no open file, so that it can be pickled.

    Attributes
    ----------
    columns : int
        Of X.
    names : tuple of str or None
        Of the columns.
    dtype : dtype
        Of X: float32 or float64.
    sparse : bool
        Whether X are sparse rows.
    stored : int
        How many numbers X has, those of all shards.
    parts : tuple of str
        Which of "X", "y", "weight" and "offset" there are.
    shards : tuple of Shard
        In the order of their rows.
    repeatable : bool
        Whether it can be read more than once.
    lasting : bool
        Whether the arrays of a piece stay as they are when the next one is read, as those of memory maps do.
    mapped : bool
        Whether rows lie in memory maps, so that any of them can be had by :meth:`between`; it is ``lasting`` then.
    """

    names = None
    sparse = False
    repeatable = True
    lasting = False
    mapped = False

    def pieces(self, shard, parts=ALL):
        """The rows of shard number ``shard`` as :class:`Block`, in their order, of about ``PIECE_BYTES``.

        Only what ``parts`` names is read. An array of a block may be a view, and is valid until the next one is asked
        for.
        """
        raise NotImplementedError

    def between(self, lo, hi, parts=ALL):
        """The rows lo to hi as a :class:`Block`, if the source is ``mapped``: views where their type allows it."""
        raise NotImplementedError

    @property
    def seen(self):
        """What this process has found out about the files, a dict; it is not pickled."""
        return vars(self).setdefault("_open", {})

    def files(self):
        """The paths of the files that the rows lie in."""
        return []

    def unchanged(self):
        """Raise ValueError if a mapped file is no longer what it was when it was opened."""

    def digest(self):
        """A string that differs where the rows may differ: of paths, sizes, times and options."""
        raise NotImplementedError

    def cached(self, folder: Path) -> Source:
        """The same rows from row-major arrays in a folder, which are written once.

        They are read through memory maps, as fast as memory while the system keeps the files there: text and Parquet
        are decoded at a tenth of that speed. A source that can be read only once can be read again so.

        Parameters
        ----------
        folder : path
            Where the files are written when rows are first asked for, in about the size of the decoded numbers; made
            if need be. Another process that opens the same source with the same folder reads what is there.

        Returns
        -------
        Source
            With a method ``verify()``, which compares every byte with the checksums that were written.

        Raises
        ------
        ValueError
            When rows are first asked for: what is in the folder was written from other files or with other options, or
            is damaged.
        OSError
            The folder can't be written, or the disk is full; nothing of the cache is left then.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from fastgd import sources
        >>> folder = tempfile.mkdtemp()
        >>> np.save(f"{folder}/X.npy", np.arange(6.0).reshape(3, 2))
        >>> rows = sources.npy(f"{folder}/X.npy").cached(f"{folder}/cache")
        >>> rows.n
        3
        >>> rows.verify()
        """
        from .cached import Cached

        return Cached(self, folder)

    @cached_property
    def starts(self):
        """The number of the first row of each shard, and behind them that of all rows; int64."""
        return np.concatenate([[0], np.cumsum([shard.rows for shard in self.shards])]).astype(np.int64)

    def expected(self):
        """Of each shard its label, and its rows or None where only a pass would tell."""
        return [(shard.label, shard.rows if self.repeatable else None) for shard in self.shards]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return int(self.starts[-1])

    @property
    def stored(self):
        """How many numbers X has."""
        return self.n * self.columns

    def place(self, row):
        """Where a row lies, as messages name it."""
        shard = int(np.searchsorted(self.starts, row, "right")) - 1
        return f"{self.shards[shard].label}, row {row - int(self.starts[shard])}"

    def __getstate__(self):
        # What properties have computed is cheap to send, open files are not: subclasses keep those in ``_open``.
        return {name: value for name, value in vars(self).items() if name != "_open"}

    def __repr__(self):
        kind = f"{self.n:,} rows of {self.columns} columns" if self.repeatable else f"{self.columns} columns, one pass"
        return f"{type(self).__name__}({kind}, {self.dtype})"
