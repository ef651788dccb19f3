"""The disk cache of compiled kernels: never stale, never fatal, one index file a signature.

What Numba's own cache does wrong for a library, and the cure here: an edit in another file or of an option is not
noticed (the stamp in the kernel's name covers all); a damaged file raises (it is compiled anew); no writable place
raises (no cache then); two processes that compile different signatures at once can swap their code for good (an index
for each signature, written under a file lock).
"""

import contextlib
import functools
import hashlib
import os
import re
import signal
import sys
import threading
import warnings
from pathlib import Path

import numba
from numba import types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.compiler_lock import global_compiler_lock

from .notice import notice

# Every line that is compiled lies in one of these places: an edit anywhere in them makes every kernel a new one.
COMPILED = ("kernels", "parts", "inputs/custom_parts.py")
# The options of the environment that change the code.
SETTINGS = ("BOUNDSCHECK", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "FULL_TRACEBACKS", "DEBUG_NAN", "JIT_COVERAGE")
PACKAGE = __name__.partition(".")[0]
VERSIONS = 16  # of a user's class whose functions are kept
DIGEST = re.compile("_[0-9a-f]{16}(?=_|$)")  # of the content of a user's class, in a function's name
LOCK_SECONDS = 60.0  # a compilation takes 1 to 5 s; whoever waits longer compiles for itself

# A fork waits for the end of a compilation: its child would wait for ever for the lock of a thread that it has not got.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


@functools.cache
def stamp():
    """Twelve hexadecimal digits: 8 of the compiled sources, 4 of the options of the environment."""
    package = Path(__file__).resolve().parent.parent
    text = hashlib.sha256()
    places = [package / place for place in COMPILED]
    for source in sorted(path for place in places for path in ([place] if place.suffix else place.rglob("*.py"))):
        text.update(source.relative_to(package).as_posix().encode() + b"\0" + source.read_bytes())
    settings = [str(getattr(numba.config, name, None)) for name in SETTINGS]
    return text.hexdigest()[:8] + hashlib.sha256(repr(settings).encode()).hexdigest()[:4]


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


class KernelCache(FunctionCache):
    """Numba's cache of a function, with an index of its own for each signature and no exception it can raise.

    Signatures with a class from outside the package stay in this process: a file that names a class breaks every
    process that can't import it, and lies once the class is edited. Functions that are made for a user's class and take
    plain numbers are kept: their names hold a hash of the class's content, and their files name no module of the user.
    """

    def _index_key(self, sig, codegen):
        # The function's name says which code it is: by the stamp, and the class that it was made for.
        return sig, codegen.magic_tuple()

    def _save_overload(self, sig, data):
        """As Numba does, but without what it would have to import from outside the package, and without the source."""
        self._impl.locator.ensure_cache_path()
        *parts, environments = data._replace(type_annotation="")._reduce()
        own = tuple(one for one in environments if (one.globals.get("__name__") or "").partition(".")[0] == PACKAGE)
        self._cache_file.save(self._index_key(sig, data.codegen), (*parts, own))

    def _file(self, sig):
        digest = hashlib.sha256(str(sig).encode()).hexdigest()[:10]
        base = f"{self._impl.filename_base}-{digest}"
        return IndexDataCacheFile(self._cache_path, base, self._impl.locator.get_source_stamp())

    def load_overload(self, sig, target_context):
        if not lasting(sig):
            return None
        self._cache_file = self._file(sig)
        # Any exception: unpickling a damaged file raises whatever its bytes spell.
        with contextlib.suppress(Exception):
            return super().load_overload(sig, target_context)
        return None

    def save_overload(self, sig, data):
        if not lasting(sig):
            return
        self._cache_file = self._file(sig)
        try:
            try:
                super().save_overload(sig, data)
            except Exception:
                # The index could not be read back: begin a new one.
                self._cache_file.flush()
                super().save_overload(sig, data)
            self._prune()
        except Exception as error:
            warnings.warn(
                f"fastgd could not write its compiled code to {self._cache_path} ({error}); it works, but every "
                "process compiles anew. Set NUMBA_CACHE_DIR to a writable folder.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _prune(self):
        """Remove this kernel's files that older sources left, and those of the oldest versions of a user's class."""
        name, _, mark = self._py_func.__qualname__.rpartition("__")
        versions = Path(self._cache_path).glob(f"*{DIGEST.sub('_' + 16 * '[0-9a-f]', name)}__*.nb?")
        old = sorted(versions, key=written)[: -2 * VERSIONS] if DIGEST.search(name) else []
        for path in Path(self._cache_path).glob(f"*{name}__*"):
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
    if not named_by_content(kind):
        return None
    try:
        folder = KernelCache(stamp.__wrapped__).cache_path
    except (RuntimeError, OSError):
        return None
    return Path(folder) / f"{kind.__name__}__{stamp()}-{numba.__version__}-{dtype}.checked"


def attach(dispatcher):
    """Give a dispatcher the cache, or leave it without one where no place is writable."""
    name = dispatcher.py_func.__qualname__
    kernel, compile_one = name.partition("__")[0].strip("_"), dispatcher.compile
    try:
        dispatcher._cache = KernelCache(dispatcher.py_func)
        folder = dispatcher._cache.cache_path
    except (RuntimeError, OSError):
        folder = None

    def compile_locked(sig):
        kept = folder is not None and lasting(sig)
        shared = _lock(folder, name) if kept else contextlib.nullcontext()
        with shared, _interrupt_held(), notice.while_compiling(kernel, folder if kept else None):
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
    from filelock import FileLock

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
