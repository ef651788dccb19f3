"""What is known of the compiler, the CPU it compiles for, and the disk cache of the kernels."""

import importlib
import os
import pkgutil
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba

from . import __path__, _cache, addresses

# The widest registers first, in bits; on ARM neon is the rule.
WIDTHS = {"avx512f": 512, "avx2": 256, "avx": 256, "sse2": 128, "neon": 128}
FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve")


def versions():
    """The versions of the compilers."""
    return {"numba": numba.__version__, "llvmlite": llvmlite.__version__}


def cpu():
    """The CPU as LLVM names it, the features that matter here, and the width of its vectors in bits."""
    features = llvm.get_host_cpu_features()
    width = next((bits for name, bits in WIDTHS.items() if features.get(name)), 0)
    present = [name for name in FEATURES if features.get(name)]
    return {"llvm_name": llvm.get_host_cpu_name(), "features": present, "vector_bits": width}


def dispatchers():
    """All kernels and functions of parts that may be cached on disk; none where nothing is compiled."""
    modules = [importlib.import_module(f"{__package__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    values = [value for module in modules for value in vars(module).values()] + addresses.compiled
    return list({id(value): value for value in values if "__" in _mark(value)}.values())


def _mark(value):
    """The stamped name of a kernel, else nothing."""
    compiled = hasattr(value, "stats") and hasattr(value, "py_func")
    return value.py_func.__qualname__ if compiled and value.py_func.__qualname__.endswith(_cache.stamp()) else ""


def counts():
    """Kernel combinations of this process that were (loaded from the cache, compiled)."""
    compiled = loaded = 0
    for kernel in dispatchers():
        hits = sum(kernel.stats.cache_hits.values())
        loaded += hits
        compiled += len(kernel.overloads) - hits
    return loaded, compiled


def cache():
    """Where compiled code is kept (None: nowhere), whether one may write there, how much there is, hits and misses."""
    kernels = dispatchers()
    place = next((kernel.stats.cache_path for kernel in kernels if kernel.stats.cache_path), None)
    files = list(Path(place).glob("*.nb[ic]")) if place else []
    loaded, compiled = counts()
    return {
        "path": place,
        "writable": bool(place) and _writable(Path(place)),
        "files": len(files),
        "bytes": sum(_size(path) for path in files),
        "hits": loaded,
        "misses": compiled,
    }


def _writable(folder):
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _size(path):
    try:
        return path.stat().st_size
    except OSError:  # removed meanwhile by another process
        return 0
