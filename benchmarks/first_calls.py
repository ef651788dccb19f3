"""First calls: what a process has to compile for them, counted in lines of LLVM's code instead of seconds.

Seconds hang on the machine and on what else runs. Each function that Numba compiles (a unit) is typed, lowered and
optimised by itself before its callers take it in. So the lines of all units, in the form that machine code is made of,
tell how long that takes: beyond the import of Numba and its registries, about 0.13 s for 1,000 lines on an AMD EPYC.
"""

import contextlib

import numpy as np
from numba.core import event

import fastgd

ROWS, COLUMNS = 600, 6


def _regression():
    X = np.random.default_rng(0).standard_normal((ROWS, COLUMNS))
    return X, X.sum(axis=1)


def _classes():
    X, y = _regression()
    return X, (y > 0).astype(int)


def _three_classes():
    X, y = _regression()
    return X, np.digitize(y, [-1, 1])


def _sparse():
    from scipy import sparse

    X, y = _classes()
    return sparse.csr_array(np.where(np.abs(X) > 1, X, 0.0)), y


def _minimize():
    import numba

    def value(x):
        return (x * x).sum()

    def gradient(x):
        return 2 * x

    return fastgd.minimize(numba.njit(value), np.ones(3), numba.njit(gradient))


ROW_BY_ROW = {"batch_size": 1, "learning_rate": 0.01, "epochs": 2}
RATES = {"learning_rate": [0.01, 0.1], "epochs": 2}
FIRST_CALLS = {
    "fit": lambda: fastgd.fit(*_regression()),
    "fit, log loss": lambda: fastgd.fit(*_classes(), loss="log_loss"),
    "fit, hinge": lambda: fastgd.fit(*_classes(), loss="hinge"),
    "fit, multinomial": lambda: fastgd.fit(*_three_classes(), loss="multinomial"),
    "fit, a given rate": lambda: fastgd.fit(*_regression(), learning_rate=0.1, epochs=2),
    "fit, batches of 32": lambda: fastgd.fit(*_regression(), batch_size=32, epochs=2),
    "fit, batches of 32, a given rate": lambda: fastgd.fit(*_regression(), batch_size=32, learning_rate=0.1, epochs=2),
    "fit, single rows": lambda: fastgd.fit(*_classes(), loss="log_loss", **ROW_BY_ROW),
    "fit, sparse": lambda: fastgd.fit(*_sparse(), loss="log_loss"),
    "fit, sparse single rows": lambda: fastgd.fit(*_sparse(), loss="log_loss", **ROW_BY_ROW),
    "sweep": lambda: fastgd.sweep(*_regression(), **RATES),
    "sweep, batches of 32": lambda: fastgd.sweep(*_regression(), batch_size=32, **RATES),
    "sweep, single rows": lambda: fastgd.sweep(*_regression(), batch_size=1, **RATES),
    "sweep, folds": lambda: fastgd.sweep(*_regression(), alpha=[0.0, 0.1], cv=3),
    "lr_find": lambda: fastgd.lr_find(*_regression()),
    "SGDClassifier": lambda: fastgd.SGDClassifier().fit(*_classes()),
    "minimize": _minimize,
}


class Units(event.Listener):
    """The functions that are compiled while it listens."""

    def __init__(self):
        self.found = []

    def on_start(self, event):
        pass

    def on_end(self, event):
        self.found.append((event.data["dispatcher"], tuple(event.data["args"])))

    def lines(self):
        """The lines of code of each, by name and types."""
        found = {}
        for dispatcher, types in self.found:
            with contextlib.suppress(KeyError, AttributeError):  # what could not be compiled: it was tried
                code = dispatcher.overloads[types].library.get_llvm_str()
                found[f"{dispatcher.py_func.__qualname__.partition('__')[0]}{types}"] = code.count("\n")
        return found


def compiled(name):
    """How many units and lines a first call compiles; in a process that has compiled nothing, with an empty cache."""
    units = Units()
    with event.install_listener("numba:compile", units):
        FIRST_CALLS[name]()
    lines = units.lines()
    return {"units": len(lines), "lines": sum(lines.values())}
