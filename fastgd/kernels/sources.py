"""What is compiled, as one stamp: the sources, and the options of the environment that change the code."""

import functools
import hashlib
import importlib.util
import pkgutil
import types
from pathlib import Path

import numba

# Every line that is compiled lies in one of these places, and what they import does: an edit anywhere in them makes
# every kernel a new one.
COMPILED = ("kernels", "parts", "inputs/custom_parts.py", "wording.py")
# The options of the environment that change the code.
SETTINGS = ("BOUNDSCHECK", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "FULL_TRACEBACKS", "DEBUG_NAN", "JIT_COVERAGE")
PACKAGE = __name__.partition(".")[0]


@functools.cache
def stamp():
    """Twelve hexadecimal digits: 8 of the compiled sources, 4 of the options of the environment."""
    text = hashlib.sha256()
    for name, content in of_files() if Path(__file__).suffix == ".py" and Path(__file__).is_file() else of_loaders():
        text.update(name.encode() + b"\0" + content)
    settings = [str(getattr(numba.config, name, None)) for name in SETTINGS]
    return text.hexdigest()[:8] + hashlib.sha256(repr(settings).encode()).hexdigest()[:4]


def of_files():
    """The name and the bytes of each source."""
    package = Path(__file__).resolve().parent.parent
    places = [package / place for place in COMPILED]
    for source in sorted(path for place in places for path in ([place] if place.suffix else place.rglob("*.py"))):
        yield source.relative_to(package).as_posix(), source.read_bytes()


def of_loaders():
    """The same where no source is a file (a zip, ``.pyc`` alone, a frozen application): the code that is imported."""
    waiting = [f"{PACKAGE}.{place.removesuffix('.py').replace('/', '.')}" for place in COMPILED]
    while waiting:
        spec = importlib.util.find_spec(name := waiting.pop(0))
        if spec.submodule_search_locations is not None:
            inside = pkgutil.iter_modules(spec.submodule_search_locations, f"{name}.")
            waiting += sorted(found.name for found in inside)
        yield name, repr(of_code(spec.loader.get_code(name))).encode()


def of_code(code):
    """What a code object does, in values whose words are the same in every process (those of ``marshal`` are not)."""
    constants = []
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            constants.append(of_code(one))
        else:
            constants.append(sorted(map(repr, one)) if isinstance(one, frozenset) else one)
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    return code.co_name, counts, code.co_code, names, code.co_exceptiontable, constants
