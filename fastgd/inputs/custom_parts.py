"""A user's own losses, optimizers and schedules: any class with the methods of its kind, wherever it is defined.

An instance is replaced by one of a *wrapper class*: a named tuple class of its fields, whose methods are copies that
hold the globals and closure values they read. There is one wrapper class for each content of the user's class: the code
of its methods, their constants and defaults, and everything they read by name. So whatever a user edits, redefines,
patches or assigns between two calls makes another wrapper class, for which nothing was compiled or checked yet; the
same content again is compiled already.
"""

import builtins
import dataclasses
import dis
import functools
import hashlib
import inspect
import math
import re
import sys
import types
from collections import namedtuple
from typing import NamedTuple

import numpy as np

from ..parts import elementary
from ..parts.registry import complete, protocol_of

CONTAINERS = (np.ndarray, list, dict, set)
MACHINERY = {"_fields", "_field_defaults", "_make", "_replace", "_asdict", "_abc_impl"}


class Origin(NamedTuple):
    """What a wrapper class knows of the user's class: its attribute ``origin``."""

    name: str
    methods: list  # the names of its methods
    helpers: list  # the functions outside of it that these call, copied
    keepalive: list  # the objects that its hash identifies by their place in memory


def kind_of(module):
    """ "losses", "optimizers" or "schedules"."""
    return module.__name__.rpartition(".")[2]


def label_of(argument, part):
    """``loss=Cauchy``, for errors."""
    return f"{argument}={type(part).origin.name}"


def is_custom(part):
    """Whether a checked part is an instance of a wrapper class."""
    return hasattr(type(part), "origin")


def compile_custom_part(argument, part, dtype):
    """Let kernels call the methods of a checked part on data of ``dtype``: compiles them if it is a user's own."""
    if is_custom(part):
        from ..kernels import custom_parts as compiled_parts

        compiled_parts.compile_methods(label_of(argument, part), type(part), np.dtype(dtype))


def wrap_custom_part(argument, given, module):
    """The wrapper class of an instance of a user's class, and the values of its fields; None for anything else."""
    kind, name = kind_of(module), f"{argument}={type(given).__name__}"
    if isinstance(given, type):
        return None
    if kind == "losses":
        _check_joint(name, given)
    protocol = protocol_of(kind, given)
    has = [word for word in protocol.required if callable(getattr(given, word, None))]
    if not has:
        return None
    lacks = [f"{word}(self, {arguments})" for word, arguments in protocol.required.items() if word not in has]
    if lacks:
        raise TypeError(f"{name} has {' and '.join(has)} but no {' and no '.join(lacks)}.")
    content = _attributes(type(given))
    for word, method in protocol.methods.items():
        if method.required or content.get(word) is not None:
            _check_signature(name, word, method.arguments, content.get(word))
    fields = fields_of(given) or dict(getattr(given, "__dict__", {}))  # which __init__ set
    bad = [field for field in fields if not field.isidentifier() or field.startswith("_")]
    if bad:
        raise TypeError(f"{name} has the field {bad[0]!r}: the name of a field must not begin with an underscore.")
    if kind != "schedules":
        # Numba passes only the fields of a part: numbers of the class, read as self.number, become fields.
        fields = {**{key: value for key, value in content.items() if _is_constant(key, value, protocol)}, **fields}
    fields = fields or {"unused": 1.0}  # Numba has no named tuple without fields
    content = {key: value for key, value in content.items() if key not in fields}
    return _wrapper_class(type(given), tuple(fields), content, kind, protocol), fields


def _check_joint(name, given):
    """Raise where only one of the trait and the method of joint losses is there."""
    joint, has = getattr(given, "joint", False), callable(getattr(given, "value_and_slopes", None))
    if joint and not has:
        raise TypeError(
            f"{name} has joint=True but no value_and_slopes(self, p, y, slopes), which returns the loss of one row and "
            "writes its slopes, one a class. Add it, or leave joint out for a loss of one score."
        )
    if has and not joint:
        raise TypeError(f"{name} has value_and_slopes, the method of joint losses: add joint = True to the class.")


def _is_constant(name, value, protocol):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and name not in protocol.traits and not name.startswith("_")


def _check_signature(label, word, arguments, method):
    """Raise unless ``method(self, *arguments)`` is a plain method that takes so many."""
    method = getattr(method, "py_func", method)
    if not inspect.isfunction(method):
        raise TypeError(f"{label}: {word} must be a plain method of the class, def {word}(self, {arguments}).")
    try:
        inspect.signature(method).bind("self", *arguments.split(", "))
    except TypeError:
        raise TypeError(f"{label}: {word}{inspect.signature(method)} must be {word}(self, {arguments}).") from None


def _attributes(kind):
    """What a class and those it inherits from define, but Python's own names and named tuples' machinery."""
    found = {}
    for base in reversed(kind.__mro__):
        if base in (object, tuple):
            continue
        for name, value in vars(base).items():
            descriptor = inspect.isdatadescriptor(value) and not isinstance(value, property)
            machinery = name in MACHINERY or descriptor or type(value).__name__ == "_tuplegetter"
            if not machinery and not (name.startswith("__") and name.endswith("__")):
                found[name] = value
    return found


def fields_of(value):
    """The fields of a named tuple or a data class, by name; none of anything else."""
    if hasattr(type(value), "_asdict"):
        return value._asdict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {}


_wrapper_classes = {}


def _wrapper_class(user_class, fields, content, kind, protocol):
    """The wrapper class of a content, made once; it lives as long as the process, as its compiled code does."""
    snapshot = Snapshot()
    for item in (kind, user_class.__name__, fields, content):
        snapshot.take(item)
    digest = snapshot.hash.hexdigest()[:16]
    if digest not in _wrapper_classes:
        body = {name: snapshot.take(value) for name, value in content.items()}
        # The digest is in the name: Numba makes symbols of names, and the linker takes two of one name for the same.
        # So is that of files: a long one is cut, by bytes, and what is no letter, such as a slash, is replaced.
        name = re.sub(r"\W", "_", user_class.__name__).encode()[:40].decode(errors="ignore")
        made = type(f"{name}_{digest}", (namedtuple("Fields", fields),), {"__slots__": (), **body})
        methods = [name for name, value in body.items() if inspect.isfunction(value)]
        own = set(map(id, body.values()))
        helpers = [f for f in snapshot.functions.values() if id(f) not in own]
        made.origin = Origin(user_class.__name__, methods, helpers, snapshot.keepalive)
        _wrapper_classes.setdefault(digest, complete(made, protocol))
    return _wrapper_classes[digest]


# What a function reads ------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def names_read(code):
    """The names that code reads from outside and the attributes taken of them: ``(("np", "log1p"), ("K",))``.

    Names of attributes alone do not count: a field ``c`` has nothing to do with a global ``c``.
    """
    found, now = [], None
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"):
            now = [instruction.argval]
            found.append(now)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and now is not None:
            now.append(instruction.argval)
        else:
            now = None
    nested = [path for const in code.co_consts if isinstance(const, types.CodeType) for path in names_read(const)]
    return tuple(dict.fromkeys([*map(tuple, found), *nested]))


def _cells(function):
    """The values of a function's closure, by name; a cell that is still empty is left out."""
    cells = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:
            continue
    return cells


def _of_fastgd(function):
    """Whether a function belongs to fastgd: kernels know it as it is."""
    return (function.__module__ or "").partition(".")[0] == __name__.partition(".")[0]


def _stable_name(value):
    """A name that means the same in every process: of a module, or of a function, ufunc or class of a library."""
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    if isinstance(value, np.ufunc):
        return f"ufunc {value.__name__}"
    package, name = (getattr(value, "__module__", None) or "").partition(".")[0], getattr(value, "__qualname__", None)
    lasting = ("builtins", "math", "cmath", "operator", "numpy", "scipy", "numba", __name__.partition(".")[0])
    return f"{type(value).__name__} {value.__module__}.{name}" if name and package in lasting else None


# NumPy as seen by the methods: np.where and np.clip that Numba compiles for single numbers.
numpy = types.ModuleType("numpy")
numpy.where, numpy.clip = elementary.where, elementary.clip
numpy.__getattr__ = lambda name: getattr(np, name)


class Snapshot:
    """A hash of values by content and a copy of each: numbers, text, containers, and functions with all they read.

    Modules and what comes with NumPy and Python are hashed by name, so that every process finds the same hash. Other
    objects are hashed by their place in memory: ``keepalive`` holds them, so that no other object gets it.
    """

    def __init__(self):
        self.hash, self.seen, self.functions, self.keepalive = hashlib.sha256(), {}, {}, []

    def take(self, value):
        """Add a value to the hash; returns a copy that the user's later changes do not reach."""
        function = getattr(value, "py_func", value)  # of a function compiled by Numba
        if isinstance(function, types.FunctionType) and not _of_fastgd(function):
            return self._function(function)
        if isinstance(value, property):
            return property(*self._all("property", [value.fget, value.fset]), doc=value.__doc__)
        if isinstance(value, (staticmethod, classmethod)):
            return type(value)(*self._all(type(value).__name__, [value.__func__]))
        if value is None or type(value) in (bool, int, float, complex, str, bytes):
            self._text(f"{type(value).__name__} {value!r}")
        elif isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
            self._text(f"array {value.dtype.descr} {value.shape}")
            self.hash.update(value.tobytes())
        elif type(value) in (tuple, list, dict, set, frozenset):
            self._container(value)
        elif isinstance(value, types.CodeType):
            shape = value.co_argcount, value.co_kwonlyargcount, value.co_flags, value.co_varnames, value.co_freevars
            self._all("code", [value.co_code, value.co_exceptiontable, value.co_names, *shape, value.co_consts])
        elif name := _stable_name(value):
            self._text(name)
        else:
            self._text(f"object {id(value)}")
            self.keepalive.append(value)
        for known, replacement in ((np, numpy), (np.where, numpy.where), (np.clip, numpy.clip)):
            if value is known:
                return replacement
        return value.copy() if type(value) in CONTAINERS else function

    def _text(self, text):
        self.hash.update(f"{len(text)} {text}".encode())

    def _all(self, word, values):
        self._text(f"{word} {len(values)}")
        return [self.take(value) for value in values]

    def _container(self, value):
        if self._again(value):
            return
        if type(value) is dict:
            value = [item for pair in value.items() for item in pair]
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        self._all(type(value).__name__, items)

    def _again(self, value):
        """Whether a value has been added before; then the hash gets its number in their order."""
        if id(value) in self.seen:
            self._text(f"seen {self.seen[id(value)][0]}")
            return True
        self.seen[id(value)] = len(self.seen), value
        return False

    def _function(self, function):
        if self._again(function):
            return self.functions[id(function)]
        code, scope = function.__code__, {"__builtins__": builtins, "__name__": function.__globals__.get("__name__")}
        given, cells = _cells(function), {name: types.CellType() for name in code.co_freevars}
        closure = tuple(cells.values()) or None
        made = types.FunctionType(code, scope, function.__name__, function.__defaults__, closure)
        made.__kwdefaults__, made.__qualname__ = function.__kwdefaults__, function.__qualname__
        # Numba imports the module of a function by name: one that is not loaded may be a script that would run again.
        made.__module__ = function.__module__ if function.__module__ in sys.modules else None
        made.__doc__ = function.__doc__
        self.functions[id(function)] = made  # before what it reads, which may include itself
        self._all("function", [code, function.__defaults__, function.__kwdefaults__])
        for root, *attributes in names_read(code):
            value = given.get(root, function.__globals__.get(root, getattr(builtins, root, None)))
            self._text(root)
            copy = self.take(value)
            if root in given:
                cells[root].cell_contents = copy
            elif root in function.__globals__:
                scope[root] = copy
            for attribute in attributes:
                # Of a module, the attributes that are read: it may be edited and reloaded.
                if not isinstance(value, types.ModuleType):
                    break
                value = getattr(value, attribute, None)
                self._text(attribute)
                self.take(value)
        return made
