"""Calls an entry point with every hostile input, in processes of their own: ``python tests/abuse.py fit sweep``.

``--third`` takes a third of the inputs, of each entry point another one.

The process that reads this is warm: it has loaded fastgd and the kernels that the cases need, and forks for every few
cases, as a fork takes longer than a case. A child tells through a pipe how each ended; one that says nothing died, or
hangs and is killed, and another goes on behind it. Findings are printed as JSON.
"""

import functools
import gc
import json
import os
import re
import resource
import select
import shlex
import signal
import sys
import tempfile
import warnings
from typing import NamedTuple

import abuse_calls as calls
import abuse_data as data
import abuse_sweeps as sweeps
import malformed_sparse
import numba
import numpy as np
from abuse_data import Call, D, N, Oops, good
from scipy import sparse

import fastgd
from fastgd import reference
from fastgd.inputs import arrays

HANG = 60.0  # seconds of the processor that a case may take, whatever else runs; some compile for 3
STUCK = 600.0  # seconds without a sign of life: only a process that waits for ever, at no cost, gets there
TOGETHER = 16  # cases in a process
MEMORY = 4 << 30
NO_FILES = {f"anything: {name}" for name in ("an empty word", "a word", "long", "NumPy's word", "bytes")}
NEEDS_MEMORY = {"X: 8 terabytes of one number"}
FITTED = {"converged", "max_epochs", "early_stopped", "diverged", "interrupted"}
MINIMISED = FITTED - {"max_epochs"} | {"max_iter"}
OWN = (Oops, calls.OwnWarning, SystemExit, StopIteration, GeneratorExit, RecursionError, KeyboardInterrupt)


class Unsound(Exception):
    """A result that says what is not so."""


class Entry(NamedTuple):
    call: object  # what is called with a case's arguments
    slots: dict  # the tables of its cases, and what an error of each must name (a pattern)


# What is called, and what its results must be -------------------------------------------------------------------------


def raising(error):
    raise error


def require(condition, *words):
    if not condition:
        raise Unsound(" ".join(map(str, words)))


def fitted(r, whole=True):
    """A true result of a fit; of a stream nobody has seen what the last step led to, so ``whole`` is false."""
    require(r.status in FITTED, "status", r.status)
    require(isinstance(r.message, str) and r.message, "message", r.message)
    require(np.isfinite(r.coef).all() and np.isfinite(r.intercept).all(), "coef", r.coef, r.intercept)
    if r.status != "diverged":
        require(np.isfinite(r.history.loss).all(), "history.loss", r.history.loss)
    if whole and r.status not in ("diverged", "interrupted"):
        require(np.isfinite(r.loss), "loss", r.loss)


def fit(call=fastgd.fit, **given):
    options = {"random_state": 0, **good(), **given}
    options.setdefault("epochs", 6)
    fitted(call(options.pop("X"), options.pop("y"), **options))


def second_chunk(**given):
    r = fastgd.partial_fit(**good())
    fitted(fastgd.partial_fit(**{**good(), "r": r, **given}), whole=False)


def first_chunk(**given):
    fitted(fastgd.partial_fit(**{**good(), **given}), whole=False)


def resumed(**given):
    r = fastgd.fit(**good(), epochs=2, random_state=0)
    fitted(fastgd.fit(**{**good(), "epochs": 4, "random_state": 0, "resume": r, **given}))


def going_on(resume):
    fitted(fastgd.fit(**good(), epochs=4, resume=resume))


def validated(**given):
    parts = {**good(), **given}
    weight = [parts["sample_weight"]] if "sample_weight" in parts else []
    base = good()
    fitted(fastgd.fit(base["X"], base["y"], epochs=6, validation=(parts["X"], parts["y"], *weight)))


@functools.cache
def models():
    X, y = good().values()
    return (
        fastgd.fit(X, y),
        fastgd.fit(X, np.where(y > 0, "a", "b"), loss="log_loss"),
        fastgd.fit(X, abs(y), loss="poisson"),
    )


def predicted(X, **_):
    for model in models():
        for answer in (model.decision_function, model.predict):
            try:
                found = answer(X)
            except (ValueError, TypeError) as error:
                if model is not models()[-1] or answer != model.predict:
                    last = error
                    continue
                raise
            require(isinstance(found, np.ndarray) and found.ndim == 1, "shape", np.shape(found))
            if found.dtype.kind == "f":  # a row that holds NaN or infinity has no other prediction
                known = np.isfinite(arrays.matrix(X)[0].array()).all(axis=1)
                require(np.isfinite(found[known]).all(), "predictions", found)
    if "last" in locals():
        raise last


def minimised(o):
    """A true result of a minimisation."""
    require(o.status in MINIMISED, "status", o.status)
    require(np.isfinite(o.x).all(), "x", o.x)
    require(np.isfinite(o.fun) or (o.status == "diverged" and o.nit == 0), "fun", o.fun)
    if o.status == "converged":
        require(np.isfinite(o.jac).all(), "jac", o.jac)
    if o.history is not None and o.nit:
        require(np.isfinite(o.history.x).all() and np.isfinite(o.history.fun).all(), "history", o.history)


START = {"x0": [1.0, 2.0], "fun": calls.square, "grad": calls.double}


def minimize(**given):
    given["x0"] = given.pop("X", given.get("x0", START["x0"]))
    given.pop("y", None)
    minimised(fastgd.minimize(**{"max_iter": 5, **START, **given}))


@numba.njit
def compiled_square(x):
    return np.sum(x**2)


@numba.njit
def compiled_double(x):
    return 2 * x


def minimize_compiled(**given):
    minimize(**{"fun": compiled_square, "grad": compiled_double, **given})


def minimize_sweep(**given):
    for run in fastgd.minimize_sweep(**{"max_iter": 5, **START, **given}).results:
        minimised(run)


SWEEP = {"optimizer": "sgd", "learning_rate": [0.01, 0.1], "epochs": 3, "random_state": 0}


def sweep(call=fastgd.sweep, **given):
    s = call(**{**good(), **SWEEP, **given})
    for r in s.results[:8]:
        fitted(r)
    require(len(s.status) == len(s.results) == len(s.losses), "lengths")
    if np.isfinite(s.losses).any() and s.ranking == (None, None):
        fitted(s.best)
        require(s.losses[s.best_index] == np.nanmin(s.losses[np.isfinite(s.losses)]), "best", s.losses)
    require(len(s.table()["status"]) == len(s.results), "table")
    require(re.search(r"^\w+: \d+ (run|setting)s?\b", repr(s)), repr(s))


def cross_validated(**given):
    s = fastgd.sweep(**{**good(), **SWEEP, "cv": 3, **given})
    for r in s.results[0][:8]:
        fitted(r, whole=False)
    require(s.scores.losses.shape == (len(s.results), len(s.results[0])), "scores", s.scores.losses)
    require(not np.isnan(s.losses).any(), "losses", s.losses)
    if np.isfinite(s.losses).any() and s.ranking == (None, None):
        fitted(s.best)
        require(s.losses[s.simplest_index] < np.inf, "simplest")


def rates_found(**given):
    f = fastgd.lr_find(**{**good(), "num": 10, "random_state": 0, **given})
    require(np.isfinite(f.learning_rates).all(), "rates", f.learning_rates)


def several(**given):
    r = fastgd.fit(**{**good(), "epochs": 6, "random_state": 0, **given})
    fitted(r)
    require(r.predict(good()["X"]).shape[0] == N, "predictions")


def bootstrapped(**given):
    r = fastgd.fit(**{**good(), "epochs": 6, "random_state": 0, "bootstrap": 3, **given})
    fitted(r)
    if r.replicates is not None:
        require(np.isfinite(r.replicates.coef).all(), "replicates", r.replicates)


def estimated(name, **given):
    """scikit-learn's classes, whose validation is scikit-learn's and has its own words."""
    options = {**good(), **given}
    options.pop("loss", None)
    with warnings.catch_warnings(action="ignore"):
        model = getattr(fastgd, name)(learning_rate="constant", max_iter=6, random_state=0)
        model.fit(options["X"], options["y"], sample_weight=options.get("sample_weight"))
        require(np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all(), "coef_", model.coef_)
        found = model.predict(options["X"])
    require(found.dtype.kind not in "fc" or np.isfinite(found).all(), "predictions", found)


def load(path):
    r = fastgd.load(path)
    require(np.array_equal(r.coef, models()[0].coef) and r.status == models()[0].status, "other")


def save(path):
    models()[0].save(path)
    load(path)


def command(line):
    """``python -m fastgd``: one line that names what is wrong, or an answer without NaN."""
    from click.testing import CliRunner

    from fastgd.cli import app

    content, options = calls.LINES[line]
    name = {"Parquet in name": "t.parquet", "gzip in name": "t.csv.gz"}.get(line, "t.csv")
    calls.a_file(content if isinstance(content, bytes) else content.encode(), name)
    models()[0].save("good.npz")
    said = []
    for words in (f"fit {name} --target y --epochs 5 --save m.npz {options}", f"predict good.npz {name}"):
        done = CliRunner().invoke(app.app, shlex.split(words), prog_name="fastgd")
        if isinstance(done.exception, Exception):
            raise done.exception
        require(done.exit_code in (0, 1, 2), "exit code", done.exit_code)
        require(not re.search(r"\b(nan|inf)\b", done.stdout), done.stdout)
        if done.exit_code == 2:
            require(done.stderr.count("\n") == 1, done.output)
            said.append(done.stderr)
    if said:
        raise ValueError(said[0])


TABLES = {"X": r"\bX\b", "y": r"\by\b"}
DATA = {**TABLES, "sample_weight": r"\bsample_weight\b|\bX has|\bweight"}
FITS = {**DATA, "labels": r"\by\b", "counts": r"\by\b|\bX\b"}
# Python's own words for a function that can't be called so.
USER = r"|positional argument|iterable|argument must be|only 0-dim"
ENTRIES = {
    "fit": Entry(fit, {**FITS, "callback": r"\bcallback\b" + USER}),
    "settings": Entry(fit, {"settings": None}),
    "batches": Entry(functools.partial(fit, batch_size=4), FITS),
    "rows": Entry(functools.partial(fit, batch_size=1, learning_rate=0.01), TABLES),
    "reference": Entry(functools.partial(fit, reference.fit), {**FITS, "callback": r"\bcallback\b" + USER}),
    "partial_fit": Entry(first_chunk, {**FITS, "chunk_settings": None}),
    "second chunk": Entry(second_chunk, {**DATA, "labels": r"\by\b|\bloss\b"}),
    "resume": Entry(resumed, {**DATA}),
    "resume=": Entry(going_on, {"anything": r"\bresume\b|\bpath\b", "paths": "", "files": "model"}),
    "validation": Entry(validated, dict.fromkeys(DATA, r"\bvalidation\b")),
    "predict": Entry(predicted, {"X": r"\bX\b"}),
    "minimize": Entry(minimize, {"X": r"\bx0\b", "fun": r"\bfun\b" + USER, "grad": r"\bgrad\b" + USER}),
    "descents": Entry(minimize, {"descents": None}),
    "minimize compiled": Entry(minimize_compiled, {"X": r"\bx0\b", "compiled_descents": None}),
    "minimize_sweep": Entry(minimize_sweep, {"sweeps": None}),
    "sweep": Entry(sweep, {"lists": None}),
    "sweep settings": Entry(sweep, {"each_setting": None}),
    "cross-validation": Entry(cross_validated, {"folds": None}),
    "folds of data": Entry(functools.partial(cross_validated, batch_size=4), DATA),
    "several targets": Entry(several, {"targets": TABLES["y"] + "|[Xy]: "}),
    "targets in batches": Entry(functools.partial(several, batch_size=4), {"targets": TABLES["y"]}),
    "multinomial": Entry(
        functools.partial(several, loss="multinomial"), {"classes": DATA["sample_weight"] + r"|\by\b"}
    ),
    "bootstrap": Entry(bootstrapped, {"replicates": None}),
    **{
        f"sparse {name}": Entry(call, {"sparse": TABLES["X"], "as csr": TABLES["X"]})
        for name, call in {
            "fit": fit,
            "batches": functools.partial(fit, batch_size=4),
            "predict": predicted,
            "partial_fit": first_chunk,
            "second chunk": second_chunk,
            "validation": validated,
            "sweep": sweep,
            "cross-validation": cross_validated,
            "lr_find": rates_found,
        }.items()
    },
    "regressor": Entry(functools.partial(estimated, "SGDRegressor"), {"X": "", "sparse": ""}),
    "classifier": Entry(functools.partial(estimated, "SGDClassifier", y=np.arange(N) % 2), {"sparse": ""}),
    "load": Entry(load, {"anything": r"\bpath\b", "paths": "", "files": "model"}),
    "save": Entry(save, {"anything": r"\bpath\b", "paths": ""}),
    "command line": Entry(command, {"lines": r"t\.(csv|parquet)|/dev/full|--|\b[Xy]\b"}),
}


# Cases --------------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    name: str
    make: object  # makes the arguments
    names: str  # what an error must name


def of_values(argument, table, wrap, anything):
    """Cases of one argument from a table of values, and of anything else."""
    made = dict(anything) | {f"{k}": lambda v=v: v for k, v in enumerate(table)}
    for name, make in made.items():
        yield Case(
            f"{argument}: {name}",
            lambda make=make: {argument: wrap(make())},
            rf"\b{argument}\b" + (USER if argument == "callback" else ""),
        )


def settings(table, leave=(), wrap=lambda value: value, share=1):
    """Cases of each argument of a table; ``share`` 4 gives each another fourth of anything."""
    found = []
    for k, (name, values) in enumerate((name, values) for name, values in table.items() if name not in leave):
        anything = list(calls.ANYTHING.items())[k % share :: share]
        found += of_values(name, values, wrap, anything)
    return found


TABLE_OF = {
    "X": data.X_CASES,
    "sparse": {name: make for name, (make, _) in malformed_sparse.MALFORMED.items()},
    "as csr": {
        name: functools.partial(data.as_csr, make) for name, make in data.X_CASES.items() if name in data.NUMBERS
    },
    "y": data.Y_CASES,
    "sample_weight": data.WEIGHTS,
    "callback": calls.CALLBACKS,
    "targets": sweeps.TARGETS,
    "classes": sweeps.CLASSES,
    **calls.FUNCTIONS,
}
NO_LISTS = (
    "standardize",
    "fit_intercept",
    "epochs",
    "max_steps",
    "tol",
    "shuffle",
    "patience",
    "average",
    "n_threads",
    "verbose",
)
ONCE = ("epochs", "max_steps", "tol", "validation", "patience")  # settings that partial_fit has not
MADE_BY = {
    "settings": lambda: settings(calls.SETTINGS | {"callback": []}, share=2),
    "chunk_settings": lambda: settings(calls.SETTINGS, ONCE, share=4),
    "lists": lambda: settings(sweeps.LISTS, share=8),
    "each_setting": lambda: (
        settings(calls.SETTINGS, ("random_state",), share=8)
        + settings(calls.SETTINGS, ("validation", *NO_LISTS), wrap=lambda value: [value], share=8)
    ),
    "folds": lambda: settings(sweeps.CV, share=2),
    "replicates": lambda: (
        settings(sweeps.REPLICATES, ("bootstrap",), share=50) + settings({"bootstrap": sweeps.REPLICATES["bootstrap"]})
    ),
    "descents": lambda: settings(calls.DESCENTS),
    "compiled_descents": lambda: settings(calls.DESCENTS, share=4),
    "sweeps": lambda: settings(calls.DESCENTS, share=4) + settings(calls.DESCENTS, wrap=lambda v: [v], share=4),
}


def cases(entry):
    """All cases of an entry point."""
    for slot, names in ENTRIES[entry].slots.items():
        if slot in MADE_BY:
            yield from MADE_BY[slot]()
        elif slot in ("labels", "counts"):
            loss = {"labels": "log_loss", "counts": "poisson"}[slot]
            for name, make in (data.LABELS if slot == "labels" else data.COUNTS).items():
                yield Case(f"{slot}: {name}", lambda make=make, loss=loss: of("y", make) | {"loss": loss}, names)
        elif slot in ("anything", "paths", "files"):
            argument = "resume" if entry == "resume=" else "path"
            table = {"anything": calls.ANYTHING, "paths": calls.PATHS, "files": calls.FILES}[slot]
            for name, make in table.items():
                yield Case(f"{slot}: {name}", lambda make=make, a=argument: {a: make()}, names)
        elif slot == "lines":
            for name in calls.LINES:
                yield Case(name, lambda name=name: {"line": name}, names)
        else:
            for name, make in TABLE_OF[slot].items():
                yield Case(f"{slot}: {name}", lambda slot=slot, make=make: of(slot, make), names)


def third(entry):
    """Every third case; entry points in turn begin at other ones, so that what several are given is given to some."""
    return list(cases(entry))[list(ENTRIES).index(entry) % 3 :: 3]


def of(slot, make):
    made = make()
    return (
        made
        if isinstance(made, Call)
        else {{"targets": "y", "classes": "y", "sparse": "X", "as csr": "X"}.get(slot, slot): made}
    )


# Processes ----------------------------------------------------------------------------------------------------------


def outcome(entry, case):
    """What is wrong with how a case ended, or nothing."""
    with warnings.catch_warnings(action="ignore"):
        arguments = case.make()
    try:
        with warnings.catch_warnings(action="error"):
            warnings.filterwarnings("ignore", category=fastgd.DivergenceWarning)
            entry.call(**arguments)
    except Unsound as error:
        return f"unsound: {error}"
    except OWN as error:
        own = case.name.startswith(("X", "y", "sample", "labels", "callback", "fun", "grad", "paths", "validation"))
        return "" if own else f"{type(error).__name__} out of {case.name}"
    except MemoryError as error:
        return "" if case.name in NEEDS_MEMORY else f"MemoryError: {error}"
    except (ValueError, TypeError, OSError) as error:
        plain = isinstance(error, (ValueError, TypeError)) and len(str(error)) < 1500
        if (plain or case.name.startswith(("paths", "files"))) and re.search(case.names, str(error)):
            return ""
        if isinstance(error, OSError) and case.name in NO_FILES:
            return ""
        return f"{type(error).__name__} does not name {case.names}: {error}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return ""


def child(entry, cases, folders, pipe):
    """Run cases and tell how each ended; never returns."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(null, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    for case, folder in zip(cases, folders, strict=True):
        os.mkdir(folder)
        os.chdir(folder)
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, most))
        signal.setitimer(signal.ITIMER_PROF, HANG)  # SIGPROF ends the process
        try:
            said = outcome(entry, case)
        except BaseException as error:
            said = f"the case itself: {type(error).__name__}: {error}"
        os.write(pipe, f"{said[:2000]}".replace("\0", "?").encode(errors="replace") + b"\0")
    os._exit(0)


def run(entry, cases, folders):
    """What is wrong with each case, or nothing: in a process of their own, and one more behind each that dies."""
    ended = []
    while len(ended) < len(cases):
        ended += run_until_one_dies(entry, cases[len(ended) :], folders[len(ended) :])
    return ended


def run_until_one_dies(entry, cases, folders):
    """The same for the first of the cases: up to one that dies or hangs, or all."""
    ours, theirs = os.pipe()
    number = os.fork()
    if number == 0:
        os.close(ours)
        child(entry, cases, folders, theirs)
    os.close(theirs)
    said, ended = b"", []
    while len(ended) < len(cases):
        if not select.select([ours], [], [], STUCK)[0]:
            os.kill(number, signal.SIGPROF)
            break
        part = os.read(ours, 4096)
        if not part:
            break
        *whole, said = (said + part).split(b"\0")
        ended += [words.decode() for words in whole]
    os.close(ours)
    status = os.waitpid(number, 0)[1]
    if len(ended) == len(cases):
        return ended
    if not os.WIFSIGNALED(status):
        return [*ended, f"ended with code {status >> 8}"]
    number = os.WTERMSIG(status)
    return [*ended, "hangs" if number == signal.SIGPROF else f"died of signal {number}"]


def warm():
    """Load the kernels that the cases use, which forked processes then share."""
    X, y = good().values()
    for kind in (np.float64, np.float32):
        batches = {"batch_size": 4}
        for options in ({}, batches, {**batches, "optimizer": "adam"}, {"batch_size": 1, "learning_rate": 0.01}):
            fastgd.fit(X.astype(kind), y, epochs=2, **options)
    fastgd.fit(X, y, epochs=2, alpha=0.1)
    for loss in ("log_loss", "poisson"):
        for batch in (None, 4):
            fastgd.fit(X, y > 0, loss=loss, epochs=2, batch_size=batch)
    fastgd.fit(X, y, learning_rate=0.1, epochs=2)
    fastgd.partial_fit(X, y)
    rows = sparse.csr_array(X)
    for options in ({}, batches, {"batch_size": 1, "learning_rate": 0.01}, {"learning_rate": 0.1}):
        for kind in (np.float64, np.float32):
            fastgd.fit(rows.astype(kind), y, epochs=2, **options)
    fastgd.partial_fit(rows, y)
    models()


def warm_lanes():
    """The same for many lanes."""
    X, y = good().values()
    for options in ({}, {"alpha": [0.0, 0.1]}, {"batch_size": 4}, {"batch_size": 4, "alpha": 0.1}, {"loss": "huber"}):
        fastgd.sweep(X, y, **{**SWEEP, **options}).losses  # noqa: B018
    for batch in (None, 4):
        fastgd.sweep(X, y, cv=3, batch_size=batch, **SWEEP)
        for kind in (np.float64, np.float32):
            fastgd.sweep(sparse.csr_array(X.astype(kind)), y, batch_size=batch, **SWEEP)
            fastgd.sweep(sparse.csr_array(X.astype(kind)), y, cv=3, batch_size=batch, **SWEEP)
        fastgd.fit(X.astype(np.float32), sweeps.columns("good", "good"), epochs=2, batch_size=batch)
        bootstrapped(batch_size=batch)
        several(y=sweeps.columns("good", "good"), batch_size=batch)
    several(y=sweeps.kinds("a", "b", "c"), loss="multinomial")
    fastgd.sweep(X, sweeps.kinds("a", "b", "c"), loss="multinomial", **SWEEP)


LANES = ("sweep", "sweep settings", "cross-validation", "folds of data", "several targets", "targets in batches")
LANES += ("multinomial", "bootstrap")


def main(entry, chosen):
    """The findings of some of an entry point's cases, and how many there are."""
    warm()
    if entry.removeprefix("sparse ") in LANES:
        warm_lanes()
    if entry in ("regressor", "classifier"):
        for kind in (np.float64, np.float32):
            for make in (np.asarray, sparse.csr_array):
                ENTRIES[entry].call(X=make(good()["X"].astype(kind)))
    if entry == "batches":
        several(y=sweeps.columns("good", "good"), batch_size=4)
    if "compiled" in entry:
        minimize_compiled()
        minimize_compiled(x0=1.0)
    gc.freeze()  # what is never collected is never copied
    findings = {}
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, len(chosen), TOGETHER):
            some = chosen[start : start + TOGETHER]
            folders = [os.path.join(folder, str(start + k)) for k in range(len(some))]
            said = run(ENTRIES[entry], some, folders)
            findings.update((case.name, words) for case, words in zip(some, said, strict=True) if words)
    return {"count": len(chosen), "findings": findings}


assert N == 12
assert D == 3
if __name__ == "__main__":
    some = third if "--third" in sys.argv else lambda entry: list(cases(entry))
    names = [word for word in sys.argv[1:] if word != "--third"]
    json.dump({entry: main(entry, some(entry)) for entry in names}, sys.stdout, indent=1)
