"""What fastgd runs on, and compiling ahead of time."""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

import fastgd

from .inputs import arguments
from .kernels.layouts import Dense
from .kernels.threads import LIMITS, available_threads, thread_limits
from .parts import losses as loss_parts
from .parts import optimizers as optimizer_parts
from .parts.registry import known_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike

    from ._types import AnyLoss, AnyOptimizer, Rate


@known_options
def show_config(mode: Literal["stdout", "dicts"] = "stdout") -> Any:
    """Show what fastgd runs on: versions, CPU, threads, the cache of compiled kernels, environment variables.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default "stdout"
        "stdout" prints a table; "dicts" returns its entries.

    Returns
    -------
    dict of dict, or None
        None with ``mode="stdout"``. The hits and misses of the cache are this process's: kernels that were loaded,
        and that had to be compiled, each for a combination of types.

    Raises
    ------
    ValueError
        For another mode.

    Examples
    --------
    >>> import fastgd
    >>> config = fastgd.show_config(mode="dicts")
    >>> list(config)
    ['versions', 'cpu', 'threads', 'cache', 'environment']
    >>> config["versions"]["fastgd"] == fastgd.__version__
    True
    """
    mode = arguments.one_of("mode", mode, ("stdout", "dicts"))
    from .kernels import environment

    variables = [*(name for name in sorted(os.environ) if name.startswith("NUMBA_")), *LIMITS]
    config = {
        "versions": {
            "fastgd": fastgd.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            **environment.versions(),
        },
        "cpu": {"name": _cpu_name(), **environment.cpu()},
        "threads": {"available": available_threads(), "limits": thread_limits()},
        "cache": environment.cache(),
        "environment": {name: os.environ[name] for name in variables if name in os.environ},
    }
    if mode == "dicts":
        return config
    lines = [(part, name, _text(value)) for part, values in config.items() for name, value in values.items()]
    widths = [max(len(line[k]) for line in lines) for k in (0, 1)]
    previous = None
    for part, name, value in lines:
        print(f"{part if part != previous else '':{widths[0]}}  {name:{widths[1]}}  {value}")
        previous = part
    return None


def _cpu_name():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _text(value):
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    if isinstance(value, list):
        return " ".join(value) or "none"
    return "none" if value is None else str(value)


class WarmupResult(NamedTuple):
    """What :func:`fastgd.warmup` did.

    Attributes
    ----------
    compiled, loaded : int
        Kernels, each for a combination of types, that were compiled, and loaded from the disk cache; what this process
        had already is neither.
    seconds : float
    fits : list of dict
        Each fit's ``loss``, ``optimizer``, ``dtype``, ``batch_size``, ``penalty``, ``learning_rate``, ``sweep``, and
        its ``compiled``, ``loaded`` and ``seconds``.
    """

    compiled: int
    loaded: int
    seconds: float
    fits: list[dict[str, Any]]


@known_options
def warmup(
    losses: AnyLoss | Sequence[AnyLoss] = ("squared_error", "log_loss"),
    optimizers: AnyOptimizer | Sequence[AnyOptimizer] = ("auto",),
    dtypes: DTypeLike | Sequence[DTypeLike] = ("float32", "float64"),
    batch_sizes: int | Sequence[int | None] | None = (None, 32, 1),
    penalties: bool | Sequence[bool] = (False,),
    learning_rates: Rate | Sequence[Rate] = ("auto", 0.1),
    sweeps: bool | Sequence[bool] = (False, True),
) -> WarmupResult:
    """Compile the kernels of the usual fits ahead of time, so that the first fit of each kind starts at once.

    Runs a tiny fit or sweep for every combination of the arguments; the disk cache keeps the code for later processes.
    The first of a kind takes 1 to 2 seconds to compile, one with another loss or optimizer tenths of a second.

    Parameters
    ----------
    losses, optimizers : sequence of str or parts
        As :func:`fastgd.fit` takes them; by default "squared_error" and "log_loss", and "auto".
    dtypes : sequence of str or dtype, default ("float32", "float64")
        Types of the data.
    batch_sizes : sequence of int or None, default (None, 32, 1)
        The full batch, batches (any number above 1 stands for all) and single rows.
    penalties : sequence of bool, default (False,)
        True: with ``alpha`` or ``bounds``.
    learning_rates : sequence of "auto", float, str or part, default ("auto", 0.1)
        With a given rate single rows are read unscaled, by other kernels, and "auto" is another optimizer.
    sweeps : sequence of bool, default (False, True)
        True: a sweep over rates, or over penalties where the rate is automatic.

    Returns
    -------
    WarmupResult
        ``compiled``, ``loaded``, ``seconds`` and ``fits``. ``fastgd.show_config()`` says where the cache is.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do.

    Examples
    --------
    >>> import fastgd
    >>> done = fastgd.warmup(["squared_error"], dtypes=["float64"], batch_sizes=[None], sweeps=[False])
    >>> len(done.fits), done.fits[0]["loss"]
    (2, 'squared_error')
    """
    fits = list(warm_up_each(losses, optimizers, dtypes, batch_sizes, penalties, learning_rates, sweeps))
    totals = [sum(fit[name] for fit in fits) for name in ("compiled", "loaded", "seconds")]
    return WarmupResult(*totals, fits)


def warm_up_each(*lists):
    """The fits of :func:`warmup`, each yielded once it is done; all arguments are checked before the first."""
    combinations = list(itertools.product(*map(_sequence, lists)))
    for loss, optimizer, dtype, batch_size, penalty, learning_rate, sweep in combinations:
        arguments.part("losses", loss, loss_parts)
        if not (isinstance(optimizer, str) and optimizer == "auto"):
            arguments.part("optimizers", optimizer, optimizer_parts)
        _float_type(dtype)
        if batch_size is not None:
            arguments.whole("batch_sizes", batch_size, low=1)
        arguments.truth("penalties", penalty)
        if not (isinstance(learning_rate, str) and learning_rate == "auto"):
            arguments.schedule("learning_rates", learning_rate)
        arguments.truth("sweeps", sweep)
    return (_warm_up(*one) for one in combinations)


def _sequence(given):
    """A list of what was given; a single value is a list of one."""
    if given is None or isinstance(given, (str, int, float, np.dtype, type)) or hasattr(given, "_fields"):
        return [given]
    return list(given)


def _float_type(given):
    with contextlib.suppress(TypeError):
        given = np.dtype(given).name
    return np.dtype(arguments.one_of("dtypes", given, ("float32", "float64")))


def _warm_up(loss, optimizer, dtype, batch_size, penalty, learning_rate, sweep):
    from .kernels import environment
    from .kernels.full_batch import chunk_rows

    dtype = _float_type(dtype)
    # Full batch: tables of one chunk of rows and longer ones have different kernels. Batches: one row more than a
    # batch, or it would be the full batch.
    sizes = (4, chunk_rows(Dense(np.empty((0, 1)))) + 1) if batch_size is None else (batch_size + 1,)
    options = {"loss": loss, "optimizer": optimizer, "batch_size": batch_size, "epochs": 1, "random_state": 0}
    options |= {"learning_rate": learning_rate, "alpha": float(penalty)}
    if sweep:
        many = "alpha" if isinstance(learning_rate, str) else "learning_rate"
        options[many] = [options[many], options[many] + 1.0]
    before, began = environment.counts(), time.perf_counter()
    for n in sizes:
        column = (1 + np.arange(n) % 2).astype(dtype)  # a target for every loss: positive, of two classes
        fitted = (fastgd.sweep if sweep else fastgd.fit)(column[:, None], column, **options)
    getattr(fitted, "losses" if sweep else "loss")  # compiles the kernel of the mean loss
    loaded, compiled = (after - had for after, had in zip(environment.counts(), before, strict=True))
    return {
        "loss": loss if isinstance(loss, str) else type(loss).__name__,
        "optimizer": optimizer if isinstance(optimizer, str) else type(optimizer).__name__,
        "dtype": dtype.name,
        "batch_size": batch_size,
        "penalty": bool(penalty),
        "learning_rate": learning_rate if isinstance(learning_rate, (str, float)) else type(learning_rate).__name__,
        "sweep": bool(sweep),
        "compiled": compiled,
        "loaded": loaded,
        "seconds": time.perf_counter() - began,
    }
