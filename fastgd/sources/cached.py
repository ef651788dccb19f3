"""The rows of any source, written once as row-major arrays that are read through memory maps afterwards."""

import contextlib
import glob
import json
import os
import shutil
import warnings
import zlib

import numpy as np
from filelock import FileLock, Timeout

from ..wording import level_outside
from .base import ALL, VECTORS, Block, Shard, Source, X
from .coded_labels import Labels, decoded
from .csr_source import FILES, Csr
from .npy_source import Npy

FORMAT = 1  # of the files; another one is not read
END = 1 << 16  # bytes at the beginning and at the end of a file that are compared whenever it is opened
STEP = 1 << 23  # bytes whose checksum is computed at a time
PATIENCE = 10.0  # seconds before a process that waits for another one says so
MANIFEST = "manifest.json"


class Cached(Source):
    """A source whose rows lie in ``folder/rows``; they are written when a number of theirs is first asked for.

    The manifest has a checksum of each file. CRC-32 costs 0.24 s a GB beside 0.25 s for writing, SHA-256 0.55 s: it is
    for damage, not for malice. To read and to write the rows of Parquet files took 1.6 times as long as to read them on
    two busy cores, and 1.9 times with a thread that reads ahead.
    """

    lasting = mapped = True

    def __init__(self, source, folder):
        self.source, self.folder = source, os.path.abspath(os.fspath(folder))
        self.rows_folder = os.path.join(self.folder, "rows")
        self.columns, self.names, self.dtype = source.columns, source.names, source.dtype
        self.sparse, self.parts = source.sparse, source.parts
        self.of = source.digest()
        if os.path.exists(self.folder) and not os.path.isdir(self.folder):
            raise NotADirectoryError(f"folder={self.folder!r} is a file: name a folder.")

    @property
    def manifest(self):
        """What was written, as a dict; the rows are written where they are not there yet."""
        opened = self.seen
        if "manifest" not in opened:
            if not os.path.exists(self.rows_folder):
                if self.source is None:
                    raise FileNotFoundError(
                        f"{self.rows_folder} is not there: the rows came from a source that can be read once, in "
                        "another process. Name a folder that all processes share."
                    )
                write(self)
            opened["manifest"] = self._opened()
        return opened["manifest"]

    @property
    def shards(self):
        """Those of the source, with the rows that were found in them."""
        return tuple(Shard(label, rows) for label, rows in self.manifest["shards"])

    @property
    def stored(self):
        """How many numbers X has."""
        return self.table.stored

    def digest(self):
        """That of the source: the rows are the same."""
        return self.of

    @property
    def table(self):
        """The source that reads the files."""
        if "table" not in self.seen:
            _ = self.manifest
            paths = [self.path(f"{part}.npy") if part in self.parts else None for part in ALL]
            made = Csr(self.rows_folder, n_features=self.columns) if self.sparse else Npy(*paths)
            self.seen["table"] = made
        return self.seen["table"]

    def between(self, lo, hi, parts=ALL):
        """The rows lo to hi, views."""
        rows = self.table.between(lo, hi, (X,)).X if X in parts else None
        return Block(rows, *(self.vector(part, lo, hi) if part in parts else None for part in VECTORS))

    def pieces(self, shard, parts=ALL):
        """Views of some rows, or of all of the shard."""
        self.unchanged()
        first, end = map(int, self.starts[shard : shard + 2])
        step = self.table.step if self.sparse and X in parts else max(1, end - first)
        for lo in range(first, end, step):
            yield self.between(lo, min(lo + step, end), parts)

    def vector(self, part, lo, hi):
        """The rows lo to hi of y, the row weights or offsets, as they were read; None where there are none."""
        if part not in self.parts:
            return None
        some, labels = self.table.array(part)[lo:hi], self.manifest["labels"].get(part)
        return some if labels is None else decoded(some, labels)

    def files(self):
        """Those of the source, and of the cache."""
        return [*(self.source.files() if self.source is not None else ()), *self.table.files()]

    def unchanged(self):
        """Compare the files of the cache with what they were."""
        self.table.unchanged()

    def path(self, name):
        """Of a file of the cache."""
        return os.path.join(self.rows_folder, name)

    def verify(self):
        """Compare every byte of the cache with what was written; raise ValueError where they differ."""
        for name, file in self.manifest["files"].items():
            self._check_all(name, file)

    def fault(self, why):
        """The error for a cache that is not what was written from this source."""
        return ValueError(
            f"The cache in {self.folder} can not be used: {why}. Delete this folder, and the rows are written again, "
            "or name another folder."
        )

    def _opened(self):
        """The manifest, compared with the source and with the files."""
        try:
            with open(self.path(MANIFEST), encoding="utf-8") as file:
                signed = json.load(file)
            manifest = signed["rows"]
            if signed["crc32"] != checksum_of(manifest):
                raise ValueError("its checksum is another")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self.fault(f"{MANIFEST} is not what was written ({error})") from None
        if manifest["format"] != FORMAT:
            raise self.fault(f"it has format {manifest['format']}, and this version of fastgd reads {FORMAT}")
        for fact, now in described(self).items():
            if manifest[fact] != now:
                what = (
                    "other files or options"
                    if fact == "digest"
                    else f"{fact} {manifest[fact]!r}, which are now {now!r}"
                )
                raise self.fault(f"it was written from a source with {what}")
        for name, file in manifest["files"].items():
            try:
                found = os.stat(self.path(name))
            except OSError as error:
                raise self.fault(f"{name} can not be read ({error.strerror})") from None
            if found.st_size != file["bytes"]:
                raise self.fault(f"{name} has {found.st_size} bytes, not {file['bytes']}")
            if ends_of(self.path(name)) != file["ends"]:
                raise self.fault(f"{name} is damaged")
            if found.st_mtime_ns != file["time"]:  # copied, or written into: all bytes tell, once
                self._check_all(name, file)
                with contextlib.suppress(OSError):
                    os.utime(self.path(name), ns=(found.st_atime_ns, file["time"]))
        return manifest

    def _check_all(self, name, file):
        found = 0
        with open(self.path(name), "rb") as stream:
            stream.seek(file["header"])
            while some := stream.read(STEP):
                found = zlib.crc32(some, found)
        if found != file["crc32"] or ends_of(self.path(name)) != file["ends"]:
            raise self.fault(f"{name} is damaged: its checksum is another")

    def __getstate__(self):
        state = super().__getstate__()
        if self.source is not None and not self.source.repeatable:  # its rows are in the folder, and nowhere else
            state["starts"], state["source"] = self.starts, None
        return state

    def __repr__(self):
        return f"{'A stream' if self.source is None else repr(self.source)} in {self.folder!r}"


def described(cached):
    """What must be the same in the source and in the manifest."""
    return {
        "digest": cached.of,
        "columns": cached.columns,
        "names": None if cached.names is None else list(cached.names),
        "dtype": cached.dtype.name,
        "sparse": cached.sparse,
        "parts": list(cached.parts),
    }


def checksum_of(manifest):
    """A number of a manifest."""
    return zlib.crc32(json.dumps(manifest, sort_keys=True).encode())


def ends_of(path):
    """The checksum of a file's beginning and end."""
    with open(path, "rb") as file:
        first = file.read(END)
        file.seek(max(0, os.path.getsize(path) - END))
        return zlib.crc32(file.read(END), zlib.crc32(first))


# Writing ------------------------------------------------------------------------------------------------------------


def write(cached):
    """Read the source once and write its rows; they get their name when all are written."""
    with told(cached.folder):
        os.makedirs(cached.folder, exist_ok=True)
        lock = locked(cached.folder)
    try:
        if os.path.exists(cached.rows_folder):  # by another process meanwhile
            return
        for left in glob.glob(os.path.join(glob.escape(cached.folder), ".writing-*")):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        folder = os.path.join(cached.folder, f".writing-{os.getpid()}")
        try:
            with told(cached.folder):
                os.mkdir(folder)
            manifest = copied(cached, folder)
            with told(cached.folder):
                with open(os.path.join(folder, MANIFEST), "w", encoding="utf-8") as file:
                    json.dump({"rows": manifest, "crc32": checksum_of(manifest)}, file)
                os.rename(folder, cached.rows_folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        lock.release()


def locked(folder):
    """The lock of a folder, which one process has at a time; whoever waits long is told why."""
    lock = FileLock(os.path.join(folder, ".lock"))
    try:
        return lock.acquire(timeout=PATIENCE).lock
    except Timeout:
        warnings.warn(
            f"Another process writes the cache in {folder}: waiting for it.", RuntimeWarning, stacklevel=level_outside()
        )
        return lock.acquire().lock


@contextlib.contextmanager
def told(folder):
    """Say which folder can't be written."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"The cache in {folder} could not be written ({error.strerror or error}), and nothing of it is left: make "
            "room or name another folder",
        ) from error


def copied(cached, folder):
    """Write the rows of a source into the files of a new folder; the manifest."""
    source, shards = cached.source, []
    with contextlib.ExitStack() as files:

        def new(name, dtype=None):
            return files.enter_context(Growing(cached.folder, os.path.join(folder, f"{name}.npy"), dtype))

        parts = [part for part in source.parts if part != X]
        vectors, labels = {part: new(part) for part in parts}, {}
        if source.sparse:
            table = [new(*pair) for pair in zip(FILES, (source.dtype, np.uint32, np.uint64), strict=True)]
            table[2].append(np.zeros(1, np.uint64))
        else:
            table = [new(X, source.dtype)]
        for number, (label, expected) in enumerate(source.expected()):
            rows = 0
            for block in source.pieces(number, source.parts):
                for part, growing in vectors.items():
                    some = np.asarray(getattr(block, part))
                    if len(some) != block.rows:
                        raise ValueError(f"{label} has {block.rows} rows of X, but {len(some)} of {part}.")
                    if some.dtype.kind in "UOST":
                        known = labels.setdefault(part, Labels(part, some.dtype.kind))
                        some = known.codes(some, f"{label}, row {rows}")
                    growing.append(some, label)
                if source.sparse:
                    values, indices, starts = block.X.flat()
                    table[2].append(starts[1:] - starts[0] + np.uint64(table[0].length))
                    table[0].append(values)
                    table[1].append(indices)
                else:
                    table[0].append(block.X.values, label)
                rows += block.rows
            if expected not in (None, rows):
                raise ValueError(f"{label} has {rows} rows, but had {expected} when it was opened: it changed.")
            shards.append([label, rows])
        if not sum(rows for _, rows in shards):
            raise ValueError("The source has no rows: at least one is needed.")
        written = {os.path.basename(one.path): one.end() for one in (*table, *vectors.values())}
    return {
        "format": FORMAT,
        **described(cached),
        "shards": shards,
        "labels": {part: known.described() for part, known in labels.items()},
        "files": written,
    }


class Growing:
    """A .npy file that is appended to; how long it is its header says at the end. Written, not mapped: a disk that is
    full is an error then, and not the end of the process."""

    def __init__(self, folder, path, dtype=None):
        self.folder, self.path, self.dtype = folder, path, None if dtype is None else np.dtype(dtype)
        self.length, self.tail, self.crc, self.header = 0, None, 0, 0
        with told(folder):
            self.file = open(path, "xb")  # noqa: SIM115

    def append(self, array, label=""):
        """Write rows behind the others."""
        if self.tail is None:
            self.dtype, self.tail = self.dtype or array.dtype, array.shape[1:]
            self._write_header()
        if (array.dtype, array.shape[1:]) != (self.dtype, self.tail):
            name = os.path.basename(self.path)[:-4]
            raise TypeError(
                f"{label} has {name} of {array.dtype} {('n', *array.shape[1:])}, but rows before it {self.dtype} "
                f"{('n', *self.tail)}: all need the same."
            )
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        with told(self.folder):
            for lo in range(0, len(raw), STEP):  # so that the checksum finds in the cache what was copied
                self.crc = zlib.crc32(raw[lo : lo + STEP], self.crc)
                self.file.write(raw[lo : lo + STEP])
        self.length += len(array)

    def _write_header(self):
        fields = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False}
        self.file.seek(0)
        np.lib.format.write_array_header_1_0(self.file, {**fields, "shape": (self.length, *self.tail)})
        self.header = self.file.tell()

    def end(self):
        """Finish the header; the file's lines in the manifest."""
        with told(self.folder):
            begun = self.header
            self._write_header()
            assert self.header == begun, "NumPy leaves room for a longer length"
            self.file.close()
            found = os.stat(self.path)
            return {
                "header": self.header,
                "bytes": found.st_size,
                "time": found.st_mtime_ns,
                "crc32": self.crc,
                "ends": ends_of(self.path),
            }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):  # raised before, or the file goes anyway
            self.file.close()
