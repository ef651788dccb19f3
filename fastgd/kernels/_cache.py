"""The disk cache of compiled kernels: never stale, never fatal, one index file a signature.

What Numba's own cache does wrong for a library, and the cure here: an edit in another file or of an option is not
noticed (the stamp in the kernel's name covers all); a damaged file raises (it is compiled anew); no writable place
raises (no cache then); a place that was filled and is read-only now is not read (it is); a zip or a frozen application
has none (the user's cache is one); two processes that compile different signatures at once can swap their code for good
(an index for each signature, written under a file lock).
"""

import contextlib
import functools
import hashlib
import os
import re
import signal
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

import numba
from filelock import FileLock
from numba import types
from numba.core.caching import IndexDataCacheFile, NullCache
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.misc.appdirs import AppDirs

from .notice import notice
from .sources import PACKAGE, stamp

VERSIONS = 16  # of a user's class whose functions are kept
DIGEST = re.compile("_[0-9a-f]{16}(?=_|$)")  # of the content of a user's class, in a function's name
LOCK_SECONDS = 60.0  # a compilation takes 1 to 5 s; whoever waits longer compiles for itself
UNWRITTEN = (
    "fastgd could not write its compiled code to {folder} ({error}); it works, but every process compiles anew. Set "
    "NUMBA_CACHE_DIR to a writable folder."
)


# A fork waits for the end of a compilation: its child would wait for ever for the lock of a thread that it has not got.
# Imports can't be waited for so: a fork that did, holding what other hooks have locked (logging), hung with the import.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


def lasting(kind):
    """Whether another process finds every class that a Numba type (or a tuple of them) mentions: in this package."""
    if isinstance(kind, tuple):
        return all(map(lasting, kind))
    if not isinstance(kind, types.BaseTuple):
        return True
    made = getattr(kind, "instance_class", None)
    if made is not None:
        place = sys.modules.get(made.__module__)
        inside = made.__module__.partition(".")[0] == PACKAGE
        if not inside or getattr(place, made.__qualname__, None) is not made:
            return False
    return all(map(lasting, kind.types))


def named_by_content(kind):
    """Whether the name of a user's wrapped class says all that its methods read: a hash of it, the same everywhere."""
    return hasattr(kind, "origin") and not kind.origin.keepalive


class Places(NamedTuple):
    """Folders for compiled code: those to look into, in order, and the one to write to, None where none is writable."""

    read: tuple
    write: str | None


@functools.cache
def places(chosen):
    """``NUMBA_CACHE_DIR`` (``chosen``), or else the user's cache; the first that is writable is the last.

    One before it is read: a container may have been filled when it was built. Nothing is kept inside the package: pip
    would leave it there, a folder that can still be imported.
    """
    # A frozen application may be unpacked to another folder in each process.
    own = sys.executable if getattr(sys, "frozen", False) else str(Path(__file__).resolve().parent)
    base = f"kernels_{hashlib.sha256(own.encode()).hexdigest()[:40]}"
    users = AppDirs(appname=PACKAGE, appauthor=False).user_cache_dir
    if not os.path.isabs(users):  # as an XDG_CACHE_HOME that is empty or relative, which is to be ignored
        users = os.path.join(os.path.expanduser("~"), ".cache", PACKAGE)
    # A user without a home has "~/.cache", which would be a folder of that name wherever the process is.
    folders = [os.path.join(folder, base) for folder in (chosen, users if os.path.isabs(users) else "") if folder]
    for k, folder in enumerate(folders):
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return Places(tuple(folders[: k + 1]), folder)
    return Places(tuple(folders), None)


class KernelCache(NullCache):
    """A function's code on the disk, with an index of its own for each signature and no exception it can raise.

    Signatures with a class from outside the package stay in this process: a file that names a class breaks every
    process that can't import it, and lies once the class is edited. Functions that are made for a user's class and take
    plain numbers are kept: their names hold a hash of the class's content, and their files name no module of the user.
    """

    def __init__(self, function):
        self.places = places(numba.config.CACHE_DIR)
        # The function's name says which code it is: by the stamp, and the class that it was made for.
        self.name, code = function.__qualname__, function.__code__
        self.base = f"{Path(code.co_filename).stem}.{self.name}-{code.co_firstlineno}.{sys.implementation.cache_tag}"

    @property
    def cache_path(self):
        return self.places.write or next(filter(os.path.isdir, self.places.read), None)

    def _file(self, folder, sig):
        return IndexDataCacheFile(folder, f"{self.base}-{hashlib.sha256(str(sig).encode()).hexdigest()[:10]}", "")

    def load_overload(self, sig, target_context):
        if not lasting(sig):
            return None
        target_context.refresh()
        key = sig, target_context.codegen().magic_tuple()
        for folder in self.places.read:
            # Any exception: unpickling a damaged file raises whatever its bytes spell.
            with contextlib.suppress(Exception):
                if (data := self._file(folder, sig).load(key)) is not None:
                    return CompileResult._rebuild(target_context, *data)
        return None

    def save_overload(self, sig, data):
        """As Numba does, but without what it would have to import from outside the package, and without the source."""
        if not lasting(sig):
            return
        if self.places.write is None:
            notice.warn_not_kept(self.places.read)
            return
        key, file = (sig, data.codegen.magic_tuple()), self._file(self.places.write, sig)
        *parts, environments = data._replace(type_annotation="")._reduce()
        own = tuple(one for one in environments if (one.globals.get("__name__") or "").partition(".")[0] == PACKAGE)
        try:
            os.makedirs(self.places.write, exist_ok=True)
            try:
                file.save(key, (*parts, own))
            except Exception:
                # The index could not be read back: begin a new one.
                file.flush()
                file.save(key, (*parts, own))
            self._prune()
        except Exception as error:
            warnings.warn(UNWRITTEN.format(folder=self.places.write, error=error), RuntimeWarning, stacklevel=2)

    def _prune(self):
        """Remove this kernel's files that older sources left, and those of the oldest versions of a user's class."""
        name, _, mark = self.name.rpartition("__")
        versions = Path(self.places.write).glob(f"*{DIGEST.sub('_' + 16 * '[0-9a-f]', name)}__*.nb?")
        old = sorted(versions, key=written)[: -2 * VERSIONS] if DIGEST.search(name) else []
        for path in Path(self.places.write).glob(f"*{name}__*"):
            if path.name.partition(f"{name}__")[2][:8] != mark[:8]:
                old.append(path)
        for path in old:
            with contextlib.suppress(OSError):
                path.unlink()


def written(path):
    """When a file was written last, or long ago if another process has removed it."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


# What is known of a user's class ------------------------------------------------------------------------------------


def note_of(kind, dtype):
    """The file that says that a user's class was compiled without objections; None where there can be none."""
    folder = KernelCache(note_of).cache_path
    if folder is None or not named_by_content(kind):
        return None
    return Path(folder) / f"{kind.__name__}__{stamp()}-{numba.__version__}-{dtype}.checked"


def attach(dispatcher):
    """Give a dispatcher the cache."""
    name = dispatcher.py_func.__qualname__
    kernel, compile_one = name.partition("__")[0].strip("_"), dispatcher.compile
    dispatcher._cache = KernelCache(dispatcher.py_func)
    folder = dispatcher._cache.places.write

    def compile_locked(sig):
        shared = _lock(folder, name) if folder is not None and lasting(sig) else contextlib.nullcontext()
        with shared, _interrupt_held(), notice.while_compiling(kernel, folder, lasting(sig)):
            return compile_one(sig)

    dispatcher.compile = compile_locked
    return dispatcher


@contextlib.contextmanager
def _interrupt_held():
    """Ctrl-C waits for the end of a compilation: raised inside LLVM's callbacks it would be lost."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            before(*came[0])


@contextlib.contextmanager
def _lock(folder, name):
    """One process at a time compiles a kernel; a lock that can't be had is done without."""
    # A signal's handler may fit while its thread compiles: the lock could be the one that it holds.
    if global_compiler_lock.is_locked():
        yield
        return
    lock = FileLock(os.path.join(folder, f"{name}.lock"), timeout=LOCK_SECONDS)
    try:
        os.makedirs(folder, exist_ok=True)
        lock.acquire()
    except (OSError, RuntimeError):  # the time-out is an OSError; some file systems are not supported
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
