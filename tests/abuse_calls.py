"""Hostile settings, callbacks, functions, paths and files; as in ``abuse_data``."""

import decimal
import fractions
import os
import pickle
import sys
import warnings
import zipfile
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
from abuse_data import (
    Call,
    D,
    FloatLies,
    N,
    Oops,
    Unprintable,
    endless,
    good,
    inf,
    most,
    nan,
    raising,
    table,
    tiny,
)

import fastgd
from fastgd import losses, optimizers, schedules


class OwnWarning(UserWarning):
    """What user code warns of."""


class OfOwn(NamedTuple):
    initial: float = 1.0


# Settings -----------------------------------------------------------------------------------------------------------

ANYTHING = {
    "true": lambda: True,
    "NumPy's false": lambda: np.False_,
    "-1": lambda: -1,
    "0": lambda: 0,
    "2.5": lambda: 2.5,
    "NaN": lambda: nan,
    "infinity": lambda: inf,
    "minus infinity": lambda: -inf,
    "minus zero": lambda: -0.0,
    "1e300": lambda: 1e300,
    "smallest": lambda: tiny,
    "10**400": lambda: 10**400,
    "-10**400": lambda: -(10**400),
    "10**5000": lambda: 10**5000,
    "2**63": lambda: 2**63,
    "NumPy's NaN": lambda: np.float32(nan),
    "NumPy's int8": lambda: np.int8(-128),
    "NumPy's uint64": lambda: np.uint64(2**64 - 1),
    "longdouble": lambda: np.longdouble("1e4000"),
    "0 dimensions": lambda: np.array(-1.0),
    "two numbers": lambda: np.array([1.0, 2.0]),
    "no numbers": lambda: np.empty(0),
    "a table": table,
    "complex": lambda: 1j,
    "Decimal": lambda: decimal.Decimal("NaN"),
    "Decimal sNaN": lambda: decimal.Decimal("sNaN"),
    "Fraction": lambda: fractions.Fraction(-(10**400), 3),
    "not a time": lambda: np.datetime64("NaT"),
    "NA": lambda: pd.NA,
    "masked": lambda: np.ma.masked,
    "an empty word": lambda: "",
    "a word": lambda: "Auto ",
    "long": lambda: "x" * 10**6,
    "surrogate": lambda: "\ud800\0",
    "NumPy's word": lambda: np.str_("no"),
    "bytes": lambda: b"auto",
    "an empty list": list,
    "a list": lambda: [1, 2],
    "a list in itself": endless,
    "a dict": lambda: {"a": 1},
    "a set": lambda: {1, 2},
    "a generator": lambda: (k for k in range(2)),
    "an object": object,
    "a type": lambda: int,
    "a part's class": lambda: losses.Huber,
    "another part": lambda: optimizers.Adam(beta1=nan),
    "Ellipsis": lambda: ...,
    "a slice": lambda: slice(None),
    "a module": lambda: np,
    "unprintable": Unprintable,
    "lies": lambda: FloatLies(-1.0),
    "a series": lambda: pd.Series([1.0, 2.0]),
}


SETTINGS = {
    "loss": [losses.Huber(nan), losses.Huber("x"), losses.Huber([1.0]), losses.Huber(10**400), losses.Huber(tiny)],
    "optimizer": [optimizers.Adam, optimizers.Adam(beta1=1.0), optimizers.Adam(epsilon=-1), schedules.Constant(1)],
    "learning_rate": [
        OfOwn(),
        schedules.Warmup,
        schedules.Warmup(then=schedules.Warmup()),
        schedules.Warmup(then=None),
        schedules.Warmup(then=schedules.Constant),
        schedules.InverseScaling(nan),
        schedules.InverseScaling(1e300, 0.0),
        schedules.Step(0.1, 2.0, tiny),
        schedules.Exponential(1e300, 1e300, tiny),
        schedules.Cosine(0.1, 1e300, tiny, tiny),
        schedules.Polynomial(1e-300, 1e300, 1e300, 1e-300),
        schedules.OneCycle(0.1, tiny, 1e300, 1e-300, 1e-300),
        schedules.Plateau(0.1),
        1e308,
        tiny,
        "auto\0",
    ],
    "batch_size": [10**18, np.float64(4.0), "full"],
    "alpha": [1e300, most, tiny, np.array(0.5)],
    "l1_ratio": [1 + 1e-15, np.float32(0.5)],
    "bounds": [
        (1, 0),
        (nan, nan),
        (0, 0),
        (tiny, 2 * tiny),
        (-most, most),
        (most, most),
        (-inf, inf),
        (None, None),
        ([0, 0], 1),
        ([[0]], 1),
        (1, 2, 3),
        ((0, 1),) * D,
        "ab",
        {1: 2, 3: 4},
        ("a", "b"),
        (1j, 2),
        ([0, nan, 0], 1),
        (10**400, None),
        (np.ma.masked, 1),
    ],
    "penalty_factor": [
        [0.0] * D,
        [tiny] * D,
        [most] * D,
        [1e300, 0.0] + [1.0] * (D - 2),
        [-tiny] * D,
        [nan] * D,
        [inf] * D,
        [True] * D,
        [1] * (D + 1),
        [[1.0] * D],
        ["a"] * D,
        [1j] * D,
        [None] * D,
        np.ma.masked_all(D),
        {},
        "",
        0,
    ],
    "standardize": ["True", np.True_],
    "fit_intercept": [None],
    "epochs": [2**62 + 1, np.float64(3.0), "auto "],
    "max_steps": [np.int64(0), 0.0, 2**62 + 1],
    "tol": [1e300, "off"],
    "shuffle": ["Block", "fisher-yates", None, 0, 1, np.True_],
    "patience": [10**18, None],
    "average": [0, 10**18, -1, "yes"],
    "random_state": [2**62, 2**63, "7", None, np.random.PCG64(1), np.random.SeedSequence(1), np.random, [1, 2]],
    "n_threads": [10**6, -1, None, 1.5],
    "verbose": [10**6, np.True_],
    "validation": [
        1.0,
        1e-300,
        1 - 1e-16,
        "0.1",
        (),
        (1,),
        (1, 2),
        (None, None),
        (1, 2, 3, 4),
        [[1, 2, 3]] * 2,
        ([[1.0, 2.0]], [1.0]),
        ([[1.0, 2.0, 3.0]], [1.0], [0.0]),
        ([[1e300, 2.0, 3.0]], [1.0]),
    ],
}


# Callbacks ----------------------------------------------------------------------------------------------------------


def exit_(*_):
    raise SystemExit(3)


def interrupt(*_):
    raise KeyboardInterrupt


def stop(*_):
    raise StopIteration


def leave(*_):
    raise GeneratorExit


def recurse(*_):
    return recurse()


def nested_fit(progress):
    return fastgd.fit(**good(), epochs=3, callback=lambda p: fastgd.fit(**good(), epochs=2).coef is None).coef is None


def changing(name, value):
    """A call whose callback fills one of its own arrays."""
    call = Call(good(), sample_weight=np.ones(N), epochs=8)

    def callback(progress):
        call[name][...] = value

    return call | {"callback": callback}


def errors_raise(progress):
    np.seterr(all="raise")


CALLBACKS = {
    "raises": lambda: raising,
    "exits": lambda: exit_,
    "interrupts": lambda: interrupt,
    "stops": lambda: stop,
    "leaves": lambda: leave,
    "recurses": lambda: recurse,
    "returns NaN": lambda: lambda p: nan,
    "returns None": lambda: lambda p: None,
    "returns a word": lambda: lambda p: "no",
    "returns an array": lambda: lambda p: np.zeros(3),
    "returns no numbers": lambda: lambda p: np.empty(0),
    "returns ragged": lambda: lambda p: [[1], [1, 2]],
    "returns a frame": lambda: lambda p: pd.DataFrame([[0, 1]]),
    "returns NA": lambda: lambda p: pd.NA,
    "returns masked": lambda: lambda p: np.ma.masked,
    "returns the unprintable": lambda: lambda p: Unprintable(),
    "returns dates": lambda: lambda p: np.datetime64("NaT"),
    "is a generator": lambda: lambda p: (yield),
    "takes nothing": lambda: lambda: None,
    "is a class": lambda: SimpleNamespace,
    "fits": lambda: nested_fit,
    "changes its progress": lambda: lambda p: object.__setattr__(p, "epoch", nan),
    "has errors raise": lambda: errors_raise,
    "closes stderr": lambda: Call(callback=lambda p: sys.stderr.close(), epochs=3),
    "fills X with NaN": lambda: changing("X", nan),
    "fills X with 1e300": lambda: changing("X", 1e300),
    "fills y with NaN": lambda: changing("y", nan),
    "fills y with 1e300": lambda: changing("y", 1e300),
    "fills weights with NaN": lambda: changing("sample_weight", nan),
}

# Functions to minimise ---------------------------------------------------------------------------------


def square(x):
    return float(np.sum(np.square(x)))


def double(x):
    return 2 * x


def mutate(x):
    x[...] = nan
    return 1.0


def resize(x):
    x.resize(100, refcheck=False)
    return 1.0


def keep(x, kept=[]):  # noqa: B006
    kept.append(x)
    for old in kept:
        old[...] = 7.0
    return square(x)


def warn(x):
    warnings.warn("look", OwnWarning, stacklevel=1)
    return square(x)


def once(first, later):
    """A function whose answers change after the first call."""
    answers = [first]
    return lambda x: answers.pop() if answers else later


def nested_minimize(x):
    return fastgd.minimize(square, x, double, max_iter=2).fun


RETURNED = {
    "None": lambda: None,
    "NaN": lambda: nan,
    "infinity": lambda: inf,
    "minus infinity": lambda: -inf,
    "largest": lambda: most,
    "smallest": lambda: tiny,
    "a word": lambda: "1.0",
    "true": lambda: True,
    "complex": lambda: 1j,
    "huge integer": lambda: 10**400,
    "Decimal": lambda: decimal.Decimal(1),
    "Decimal sNaN": lambda: decimal.Decimal("sNaN"),
    "Fraction": lambda: fractions.Fraction(1, 3),
    "longdouble": lambda: np.longdouble("1e4000"),
    "float16": lambda: np.float16(inf),
    "0 dimensions": lambda: np.array(1.0),
    "1 number": lambda: np.ones(1),
    "2 numbers": lambda: np.ones(2),
    "3 numbers": lambda: np.ones(3),
    "a table": lambda: np.ones((2, 2)),
    "a column": lambda: np.ones((2, 1)),
    "no numbers": lambda: np.empty(0),
    "objects": lambda: np.array([1.0, None]),
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "one infinite": lambda: np.array([1.0, inf]),
    "a list": lambda: [1.0, 2.0],
    "integers": lambda: np.array([1, 2]),
    "longdoubles": lambda: np.full(2, np.longdouble("1e4000")),
    "a list in itself": endless,
    "dates": lambda: np.datetime64("NaT"),
    "masked": lambda: np.ma.masked,
    "a masked array": lambda: np.ma.masked_less([1.0, 2.0], 2),
    "NA": lambda: pd.NA,
    "series": lambda: pd.Series([1.0, 2.0]),
    "a dict": dict,
    "a function": lambda: square,
    "unprintable": Unprintable,
    "lies": lambda: FloatLies(1.0),
}
BEHAVIOUR = {
    "raises": raising,
    "exits": exit_,
    "interrupts": interrupt,
    "stops": stop,
    "recurses": recurse,
    "takes nothing": lambda: 1.0,
    "takes two": lambda x, y: 1.0,
    "is a generator": lambda x: (yield),
    "divides by zero": lambda x: 1 / 0,
    "overflows": lambda x: np.exp(1e300) * float(np.sum(x)),
    "warns": warn,
    "mutates": mutate,
    "resizes": resize,
    "keeps": keep,
    "minimises": nested_minimize,
    "gives back x": lambda x: x,
    "gives a view": lambda x: x[:1],
    "is a class": float,
    "is a number": 3.0,
    "is a word": "x**2",
    "is None": None,
    "turns NaN": once(1.0, nan),
    "turns infinite": once(1.0, -inf),
    "turns None": once(1.0, None),
    "turns to words": once(1.0, "a"),
    "turns complex": once(1.0, 1j),
}


def functions(name):
    """Cases in which ``fun`` or ``grad`` is hostile."""
    rest = {"fun": {"grad": double}, "grad": {"fun": square}}[name]
    made = {
        f"returns {key}": lambda make=make: Call({name: lambda x: make()}, **rest) for key, make in RETURNED.items()
    }
    return made | {key: lambda f=f: Call({name: f}, **rest) for key, f in BEHAVIOUR.items()}


FUNCTIONS = {name: functions(name) for name in ("fun", "grad")}
FUNCTIONS["fun"] |= {f"without grad {key}": lambda f=f: Call(fun=f, grad=None) for key, f in BEHAVIOUR.items()}
DESCENTS = {
    "learning_rate": SETTINGS["learning_rate"],
    "optimizer": SETTINGS["optimizer"],
    "max_iter": [2**62 + 1, np.float64(3.0), None],
    "tol": [1e300, None, "auto"],
    "history": [None, 1],
    "compile": [None, 1],
    "callback": [
        raising,
        exit_,
        interrupt,
        recurse,
        errors_raise,
        lambda p: np.zeros(3),
        lambda p: pd.NA,
        lambda: None,
    ],
    "verbose": [10**6],
}

# Paths and files ---------------------------------------------------------------------------------


def a_file(content, name="model.npz"):
    """The path of a new file."""
    with open(name, "wb") as file:
        file.write(content)
    return name


def model():
    """The bytes of a good one."""
    fastgd.fit(**good()).save("good.npz")
    with open("good.npz", "rb") as file:
        return file.read()


def flipped(place):
    content = bytearray(model())
    content[place] ^= 1
    return a_file(bytes(content))


def zipped(**members):
    with zipfile.ZipFile("model.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return "model.npz"


def savez(**arrays):
    np.savez("model.npz", **arrays)
    return "model.npz"


def pipe():
    os.mkfifo("pipe")
    return "pipe"


def link():
    os.symlink("link", "link")
    return "link"


class PathRaises:
    __fspath__ = raising


class PathLies:
    def __fspath__(self):
        return 3


PATHS = {
    "missing": lambda: "missing/model.npz",
    "a folder": lambda: ".",
    "a link to itself": link,
    "a null": lambda: "a\0b",
    "too long": lambda: "x" * 300,
    "far too long": lambda: "x/" * 10**5,
    "a surrogate": lambda: "missing/\ud800",
    "a device": lambda: "/dev/zero",
    "a full device": lambda: "/dev/full",
    "a pipe": pipe,
    "__fspath__ raises": PathRaises,
    "__fspath__ lies": PathLies,
}
FILES = {
    "empty": lambda: a_file(b""),
    "text": lambda: a_file(b"hello\n" * 100),
    "half": lambda: a_file(model()[:2000]),
    "without its end": lambda: a_file(model()[:-1]),
    "with more": lambda: a_file(model() + b"x"),
    "twice": lambda: a_file(2 * model()),
    "first bit": lambda: flipped(0),
    "middle bit": lambda: flipped(1500),
    "last bit": lambda: flipped(-1),
    "pickle": lambda: a_file(pickle.dumps(os.system)),
    "an array": lambda: savez(coef=np.ones(3)),
    "pickled objects": lambda: savez(coef=np.array([Oops()], object)),
    "zip": lambda: zipped(coef=b"x"),
    "zeros": lambda: a_file(bytes(10**6)),
}

CSV = "a,b,y\n" + "\n".join(f"{k},{k * k % 7},{2 * k + 1}" for k in range(20)) + "\n"
LINES = {  # what FILE holds, and options after it
    "good": (CSV, ""),
    "empty": ("", ""),
    "a header alone": ("a,b,y\n", ""),
    "one row": ("a,b,y\n1,2,3\n", ""),
    "nulls": ("\0" * 1000, ""),
    "not UTF-8": (b"a,b,y\n\xff\xfe,1,2\n", ""),
    "UTF-16": (CSV.encode("utf-16"), ""),
    "ragged": ("a,b,y\n1,2,3\n1,2,3,4\n", ""),
    "short rows": ("a,b,y\n1,2,3\n1,2\n", ""),
    "an open quote": ('a,b,y\n1,"2,3\n1,2,3\n', ""),
    "words": ("a,b,y\n1,x,3\n1,2,3\n", ""),
    "NaN": ("a,b,y\n1,nan,3\n1,2,3\n", ""),
    "infinity": ("a,b,y\n1,inf,3\n1,2,3\n", ""),
    "10**400": (f"a,b,y\n1,{10**400},3\n1,2,3\n", ""),
    "1e999": ("a,b,y\n1,1e999,3\n1,2,3\n", ""),
    "1e308": ("a,b,y\n1,1e308,3\n1,-1e308,4\n", ""),
    "1e308 in y": ("a,b,y\n1,2,1e308\n1,3,-1e308\n", ""),
    "1e39 in float32": ("a,b,y\n1,1e39,3\n1,2,3\n", "--float32"),
    "twice a name": ("a,a,y\n1,2,3\n1,2,4\n", ""),
    "a name missing": ("a,,y\n1,2,3\n1,2,4\n", ""),
    "no target": ("a,b,c\n1,2,3\n1,2,4\n", ""),
    "semicolons": (CSV.replace(",", ";"), ""),
    "old line ends": (CSV.replace("\n", "\r"), ""),
    "a long line": ("a,b,y\n" + "1" * 10**6 + ",2,3\n1,2,3\n", ""),
    "many columns": (",".join(f"c{k}" for k in range(5000)) + ",y\n" + "1," * 5000 + "2\n", ""),
    "Parquet in name": ("PAR1" + CSV, ""),
    "gzip in name": (b"\x1f\x8b" + bytes(20), ""),
    "control characters": ("\x1b[31m,b,y\n1,2,3\n1,3,4\n", ""),
    "weights negative": (CSV, "--weight b --alpha nan"),
    "alpha": (CSV, "--alpha 1e400"),
    "alpha a word": (CSV, "--alpha x"),
    "rate": (CSV, "--learning-rate -1"),
    "rate too large": (CSV, "--learning-rate 1e308"),
    "rate a typo": (CSV, "--learning-rate constnt"),
    "epochs": (CSV, "--epochs -1"),
    "epochs huge": (CSV, f"--epochs {10**400}"),
    "batch": (CSV, "--batch-size 0"),
    "batch huge": (CSV, f"--batch-size {10**18}"),
    "share": (CSV, "--validation 1"),
    "share NaN": (CSV, "--validation nan"),
    "seed": (CSV, "--seed -1"),
    "threads": (CSV, "--threads 0"),
    "loss": (CSV, "--loss squares"),
    "loss of classes": (CSV, "--loss log_loss"),
    "loss of positive targets": (CSV.replace("\n3,", "\n3,1,-5\n3,"), "--loss poisson"),
    "delimiter": (CSV, "--delimiter ab"),
    "columns": (CSV, "--columns ,"),
    "target dropped": (CSV, "--drop y"),
    "all dropped": (CSV, "--drop a,b"),
    "save to a folder": (CSV, "--save ."),
    "save to nowhere": (CSV, "--save missing/m.npz"),
    "save to a device": (CSV, "--save /dev/full"),
    "plot of no format": (CSV, "--plot a.xyz"),
    "unknown option": (CSV, "--nonsense"),
}
