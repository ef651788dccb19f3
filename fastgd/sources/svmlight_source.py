"""Text in svmlight (libsvm) format: lines of a target and pairs ``column:number``.

Tokens are found with NumPy and read by pyarrow, all of a chunk at once: 45 to 53 MB of text a second on a busy core on
which ``load_svmlight_file`` of scikit-learn read 14 to 18, ``numpy.fromstring`` and ``float`` of each token 13 to 20.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import zlib
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..kernels.layouts import CSR, frozen
from ..kernels.threads import cached_property
from ..parts.registry import known_options
from .base import ALL, Block, Shard, Source, X, Y
from .extras import needed
from .files import digest_of, paths_of, unchanged
from .sparse_checks import disorder

if TYPE_CHECKING:
    from .._types import Paths

CHUNK = 1 << 22  # bytes of text that are read at a time: about as many of numbers
OPEN = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
LINE, SPACE, HASH, COLON = b"\n #:"


@known_options
def svmlight(
    paths: Paths,
    n_features: int,
    *,
    dtype: Literal["float32", "float64"] = "float32",
    zero_based: bool | Literal["auto"] = "auto",
) -> Source:
    """Sparse rows in text files in svmlight (libsvm) format: lines of a target and pairs ``column:number``.

    Text is slow to read, some 50 MB a second: ``svmlight(...).cached(folder)`` reads it once.

    Parameters
    ----------
    paths : path or list of paths
        Files, patterns such as ``"data/*.svm"``, or folders; those that end in .gz, .bz2 or .xz are decompressed as
        they are read. Their rows are counted when they are first asked for, by a pass over the text. Comments behind
        ``#`` and query numbers ``qid:`` are left out, as are empty lines.
    n_features : int
        The number of columns.
    dtype : "float32" or "float64", default "float32"
        Of the numbers; targets are float64.
    zero_based : bool or "auto", default "auto"
        Whether the first column has the number 0, else 1. "auto" is True if a column 0 stands in any of the files,
        which takes the pass that counts the rows also for ``cached``.

    Returns
    -------
    Source

    Raises
    ------
    ImportError
        Without pyarrow.
    FileNotFoundError, ValueError, TypeError
        Naming the argument; when rows are read the file and the line: no number, columns that do not ascend or are not
        below ``n_features``, several targets, a compressed file that is cut off.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from fastgd import sources
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "rows.svm"
    >>> _ = path.write_text("1 1:0.5 3:2 # a comment\\n-1 2:1\\n")
    >>> rows = sources.svmlight(path, 3)
    >>> rows.n
    2
    """
    return SvmLight(paths, n_features, dtype, zero_based)


class SvmLight(Source):
    """Text files, each of them a shard."""

    sparse = True
    parts = (X, Y)

    def __init__(self, paths, n_features, dtype=np.float32, zero_based="auto"):
        needed("pyarrow", "arrow")
        self.paths = paths_of(paths)
        for path in self.paths:
            unchanged(self.seen, path)
        if isinstance(n_features, bool) or not isinstance(n_features, (int, np.integer)):
            raise TypeError(f"n_features={n_features!r} must be a whole number: how many columns there are.")
        if not 0 < n_features < 2**32:
            raise ValueError(f"n_features={n_features} must be from 1 to {2**32 - 1}.")
        if zero_based is not True and zero_based is not False and zero_based != "auto":
            raise ValueError(f"zero_based={zero_based!r} is not known. Valid are: True, False, 'auto'.")
        self.columns, self.dtype = int(n_features), np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype={dtype!r} is not known. Valid are: float32, float64.")
        self.zero_based = zero_based

    @cached_property
    def counted(self):
        """Of each file the rows, the numbers, and whether a column 0 stands in it: a pass over the text."""
        return [count(path) for path in self.paths]

    @property
    def shards(self):
        """The files, with the lines that are rows."""
        return tuple(Shard(path, rows) for path, (rows, _, _) in zip(self.paths, self.counted, strict=True))

    def expected(self):
        """The files, and their rows where they were counted."""
        known = [rows for rows, _, _ in self.counted] if "counted" in vars(self) else [None] * len(self.paths)
        return list(zip(self.paths, known, strict=True))

    @property
    def stored(self):
        """How many numbers X has."""
        return sum(numbers for _, numbers, _ in self.counted)

    @cached_property
    def least(self):
        """The number of the first column in the text."""
        zero = any(zero for _, _, zero in self.counted) if self.zero_based == "auto" else self.zero_based
        return 0 if zero else 1

    def pieces(self, shard, parts=ALL):
        """The rows of ``CHUNK`` bytes of text."""
        path, line = self.paths[shard], 0
        unchanged(self.seen, path)
        for text in chunks(path):
            targets, rows = self.read(text, path, line)
            if len(targets):
                yield Block(rows if X in parts else None, targets if Y in parts else None)
            line += text.count(b"\n")

    def read(self, text, path, before):
        """Targets and rows of whole lines, ``before`` lines of which stand before them."""
        text = plain(text)
        b = np.frombuffer(text, np.uint8)
        gap = np.ones(len(b) + 1, bool)
        np.logical_or(b <= SPACE, b == COLON, out=gap[1:])
        edges = np.flatnonzero(gap[1:] != gap[:-1])
        begin, end = edges[::2], edges[1::2]  # of tokens; the last byte is a line's end
        counts = np.diff(np.searchsorted(begin, np.flatnonzero(b == LINE)), prepend=0)  # of each line's tokens
        line = np.flatnonzero(counts)  # of each row
        counts = counts[line]
        firsts = np.cumsum(counts) - counts
        first = np.zeros(len(begin), bool)
        first[firsts] = True
        others = np.flatnonzero(~first)  # in turn columns and numbers
        columns, numbers = others[::2], others[1::2]
        colons = int(np.count_nonzero(b == COLON))
        # A pair is what a colon joins without a space, and there is no other colon.
        sound = (counts & 1).all() and colons == len(columns) and (b[end[columns]] == COLON).all()
        read = floats(b, gap, begin, end) if sound and (begin[numbers] == end[columns] + 1).all() else None
        if read is None:
            raise self.fault(text, path, before, None)
        targets, indices, values = read[firsts], read[columns] - self.least, read[numbers]
        starts = np.concatenate([[0], np.cumsum(counts // 2)]).astype(np.uint64)
        wrong = (indices < 0) | (indices >= self.columns) | (indices != np.floor(indices))
        if wrong.any():
            row = int(np.searchsorted(starts, int(np.argmax(wrong)), "right")) - 1
            raise self.fault(text, path, before, int(line[row]))
        with np.errstate(over="ignore"):  # infinity is reported later
            values = values.astype(self.dtype, copy=False)
        rows = CSR(frozen(values), frozen(indices.astype(np.uint32)), frozen(starts), self.columns)
        found = disorder(rows)
        if found is not None:
            raise self.fault(text, path, before, int(line[found[0]]))
        return targets, rows

    def fault(self, text, path, before, line):
        """The error for a line, or for the first one that can't be read."""
        lines = text.decode("latin-1").split("\n")
        for k in range(len(lines)) if line is None else [line]:
            why = self.wrong(lines[k])
            if why:
                return ValueError(f"{path}, line {before + k + 1}: {why}.")
        return ValueError(f"{path}, lines {before + 1} to {before + len(lines)} can not be read.")

    def wrong(self, line):
        """What is wrong with a line, in words, or None."""
        target, *pairs = line.split() or [""]
        if pairs and ":" in target:
            return f"it begins with {target!r}, but must begin with a target"
        last = -1
        for k, token in enumerate([target, *pairs] if target else []):
            index, _, value = token.partition(":") if k else ("", "", token)
            try:
                float(value.replace("_", "no number"))  # which Python reads, and pyarrow does not
                index = int(index) if k else 0
            except ValueError:
                return f"{token!r} is no {'pair column:number' if k else 'target, which must be one number'}"
            if k and not 0 <= index - self.least < self.columns:
                last = self.columns - 1 + self.least
                return f"column {index} is not from {self.least} to {last} (zero_based={self.zero_based!r}, n_features)"
            if k and index <= last:
                where = "twice" if index == last else f"behind column {last}"
                return f"column {index} stands {where}: they must ascend"
            last = index if k else -1
        return None

    def files(self):
        """All."""
        return self.paths

    def digest(self):
        """Of the files and the options."""
        return digest_of(self.paths, type(self).__name__, self.columns, self.dtype.name, self.zero_based)

    def __repr__(self):
        if "counted" in vars(self):
            return super().__repr__()
        return f"{type(self).__name__}({len(self.paths)} files of {self.columns} columns, {self.dtype})"


def floats(b, gap, begin, end):
    """The tokens as float64, or None if one is no number."""
    pa = needed("pyarrow", "arrow")
    keep = b[~gap[1:]]
    offsets = np.zeros(len(begin) + 1, np.int32)
    np.cumsum(end - begin, out=offsets[1:])
    signs = keep[np.minimum(offsets[:-1], max(0, len(keep) - 1))] == ord("+")
    if signs.any():  # which pyarrow takes for no number
        places = offsets[:-1][signs]
        keep = np.delete(keep, places)
        offsets[1:] -= np.cumsum(signs).astype(np.int32)
    tokens = pa.StringArray.from_buffers(len(begin), pa.py_buffer(offsets), pa.py_buffer(keep))
    try:
        return tokens.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None


def plain(text):
    """Lines without comments and query numbers, as many lines as before."""
    if b"#" in text:
        text = re.sub(rb"#[^\n]*", b"", text)
    if b"qid:" in text:
        text = re.sub(rb"(?<=\s)qid:\S*", b"", text)
    return text


def chunks(path):
    """The text of a file in runs of whole lines."""
    held = []
    try:
        with OPEN.get(os.path.splitext(path)[1].lower(), open)(path, "rb") as file:
            while text := file.read(CHUNK):
                cut = text.rfind(b"\n") + 1
                if cut:
                    yield b"".join([*held, text[:cut]])
                    held = []
                held.append(text[cut:])
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"{path} can not be read to its end ({error}).") from error
    rest = b"".join(held)
    if rest:
        yield rest + b"\n"


def count(path):
    """Of a file the lines that are rows, the pairs, and whether a column 0 is among them."""
    rows, numbers, zero = 0, 0, False
    for text in chunks(path):
        b = np.frombuffer(plain(text), np.uint8)
        filled = b > SPACE
        lines = np.flatnonzero(b == LINE)
        # Of each line's bytes that are no space there is one at least in those of rows.
        rows += int(np.count_nonzero(np.logical_or.reduceat(filled, np.append(0, lines[:-1] + 1))))
        colons = np.flatnonzero(b == COLON)
        numbers += len(colons)
        zero = zero or bool(((b[colons - 1] == ord("0")) & (b[colons - 2] <= SPACE)).any())
    return rows, numbers, zero
