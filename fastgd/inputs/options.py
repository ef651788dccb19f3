"""``FitOptions``: every option of a fit, defined once; the tables that other calls need are derived from it."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from ..kernels.threads import available_threads
from ..parts import losses, optimizers, schedules
from ..parts.registry import unknown_option
from . import arguments
from .arguments import number, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._types import AnyLoss, AnyOptimizer, Bounds, Callback, Engine, Rate, RunOf, Seed, Shuffle, Start, Validation

SHUFFLES = ("block", "full", "replacement", False)
# Why a call does not take an option.
ONCE = "each chunk is passed over once"
NUM = "num is the number of steps"
ENDS = "the test ends with num steps or where the loss blows up"
BATCHES = "the losses are those of the batches"
STARTS = "it starts with the weights that a fit starts with"


def option(
    default,
    check=None,
    words=(),
    axis=False,
    kept=False,
    part=None,
    not_chunks=None,
    chunks=None,
    not_range=None,
    not_sweep=None,
    shown=False,
):
    """A field of ``FitOptions``.

    Parameters
    ----------
    default : object
    check : callable (name, value) -> value, or None
        The canonical value, or an error that names the option; None for options that are checked with the data.
    words : tuple
        Values that are not checked, such as "auto" and None.
    axis : bool
        Whether a list of values is an axis of ``sweep``.
    kept : bool
        Whether a resumed run must have the same value.
    part : module or None
        Where its names are defined, of an option that is a part.
    not_chunks : str or None
        Why ``partial_fit`` does not take it.
    chunks : object
        The default in ``partial_fit``, as a tuple of one, where it is another.
    not_range : str or None
        Why ``lr_find`` does not take it.
    not_sweep : str or None
        Why ``sweep`` does not take it.
    shown : bool
        Whether ``FitResult.options`` has it as it was given, of one that is not ``kept``.
    """
    known = locals()
    return field(default=default, metadata={name: value for name, value in known.items() if name != "default"})


def _shuffle(name, value):
    """True is the default order, as in scikit-learn."""
    return "block" if value is True else arguments.one_of(name, value, SHUFFLES)


@dataclass(frozen=True, eq=False)
class FitOptions:
    """The options of :func:`fastgd.fit`, each checked by itself; ``"auto"`` is resolved later, on the data.

    The annotations are what users may pass, which editors are told of all calls (``docs/stubs.py``).
    """

    loss: AnyLoss = option("squared_error", axis=True, kept=True, part=losses)
    optimizer: AnyOptimizer | Literal["auto", "newton"] = option(
        "auto", words=("auto", "newton"), axis=True, kept=True, part=optimizers
    )
    learning_rate: Rate | Literal["auto"] = option(
        "auto",
        arguments.schedule,
        words=("auto",),
        axis=True,
        kept=True,
        part=schedules,
        not_range="it is what is looked for",
    )
    batch_size: int | Literal["auto", "full"] | None = option(
        "auto", arguments.batch_size, words=("auto", "full", None), axis=True, kept=True
    )
    alpha: float = option(0.0, partial(number, low=0.0), axis=True, kept=True)
    l1_ratio: float = option(0.0, partial(number, low=0.0, high=1.0), axis=True, kept=True)
    penalty_factor: ArrayLike | None = option(None)
    bounds: Bounds | None = option(None, axis=True)
    fit_intercept: bool = option(True, arguments.truth, kept=True)
    standardize: bool | Literal["auto", "scale"] = option(
        "auto", lambda name, value: arguments.standardize(value), kept=True
    )
    sample_weight: ArrayLike | None = option(None)
    offset: ArrayLike | None = option(None)
    epochs: int | Literal["auto"] = option(
        "auto", partial(whole, low=0), words=("auto",), not_chunks=ONCE, chunks=(1,), not_range=NUM
    )
    max_steps: int | None = option(
        None, partial(whole, low=0), words=(None,), not_chunks=ONCE, not_range=NUM, shown=True
    )
    tol: float | Literal["auto"] | None = option(
        "auto", partial(number, low=0.0), words=("auto", None), not_chunks=ONCE, chunks=(None,), not_range=ENDS
    )
    shuffle: Shuffle = option("block", _shuffle, kept=True, chunks=(False,))
    validation: Validation | None = option(
        None, lambda name, value: arguments.validation(value), kept=True, not_chunks=ONCE, not_range=BATCHES
    )
    patience: int = option(5, partial(whole, low=1), not_chunks=ONCE, not_range=ENDS, shown=True)
    evaluate: bool = option(False, arguments.truth, not_chunks=ONCE, not_range=BATCHES, shown=True)
    average: bool | int = option(False, lambda name, value: arguments.average(value), kept=True, not_range=BATCHES)
    bootstrap: int = option(
        0,
        lambda name, value: arguments.replicates(value),
        not_chunks=ONCE,
        not_range="one model is tested",
        not_sweep="bootstrap one of its settings with fit",
    )
    lazy: bool = option(False, arguments.truth, kept=True)
    parallel: Literal["hogwild"] | None = option(None, partial(arguments.one_of, valid=(None, "hogwild")), shown=True)
    random_state: Seed | None = option(None, lambda name, value: arguments.seed(value), axis=True, kept=True)
    n_threads: int | None = option(None, partial(whole, low=1), words=(None,))  # no result depends on it
    callback: Callback | None = option(
        None, lambda name, value: arguments.callback(value), not_range="there are no epochs to call it after"
    )
    verbose: int = option(0, lambda name, value: arguments.verbosity(value))
    start: Start | None = option(None, not_range=STARTS)
    resume: RunOf | None = option(
        None,
        not_chunks="r, the third argument, is the run to go on with",
        not_range=STARTS,
        not_sweep="resume one of its results with fit",
    )
    engine: Engine | None = option(
        None, lambda name, value: arguments.engine(value), not_chunks="chunks are passed over here"
    )

    @classmethod
    def checked(cls, given):
        """The options that a dict of them gives, each in its canonical form, or one error that names it.

        A seed that is not given is drawn here, once.
        """
        if unknown := given.keys() - FIELDS.keys():
            raise unknown_option("fit", min(unknown), FIELDS)
        # Checking every default anew took a tenth of the time of a fit of 100 rows.
        values = _canonical_defaults() | {name: canonical(name, value) for name, value in given.items()}
        if values["random_state"] is None:
            values["random_state"] = arguments.seed(None)
        if values["batch_size"] in ("full", None):
            values["batch_size"] = "full"
        if values["n_threads"] is None:
            values["n_threads"] = available_threads()
        return cls(**values)

    def replace(self, **changes):
        """The same with other values, which are taken as canonical."""
        return dataclasses.replace(self, **changes)


def canonical(name, value):
    """The canonical form of an option's value."""
    known = FIELDS[name].metadata
    if known["axis"] and (known["check"] or known["part"]):
        arguments.single(name, value, "fastgd.sweep")
    if any(value is word or (isinstance(value, str) and value == word) for word in known["words"]):
        return value
    if known["check"] is not None:
        return known["check"](name, value)
    return arguments.part(name, value, known["part"], known["words"]) if known["part"] else value


@functools.cache
def _canonical_defaults():
    """The canonical form of each default; a seed is to be drawn, and threads are to be counted."""
    found = {name: canonical(name, known.default) for name, known in FIELDS.items() if name != "random_state"}
    return found | {"random_state": None}


FIELDS = {known.name: known for known in dataclasses.fields(FitOptions)}


def names(**metadata):
    """The options whose metadata are these, in order."""
    return tuple(
        n for n, known in FIELDS.items() if all(known.metadata[key] == value for key, value in metadata.items())
    )


def defaults():
    """The default of each option."""
    return {name: known.default for name, known in FIELDS.items()}


def only_known(caller, given, but=()):
    """Raise for an option that fit does not have, or that the function ``caller`` does not take: ``but`` says why."""
    for name in given:
        if name not in FIELDS:
            own = list(inspect.signature(caller).parameters)[2:]
            raise unknown_option(caller.__name__, name, own)
        if name in but:
            raise TypeError(f"{caller.__name__}() does not take {name}: {but[name]}. Leave it out.")


def reasons(key):
    """The reasons why a call does not take an option, by the option's name: its metadata ``key``."""
    return {name: known.metadata[key] for name, known in FIELDS.items() if known.metadata[key]}


def signature_of(function, but=(), other=None):
    """The signature of a public call with fit's options, keyword-only, in place of ``**options``.

    Without the options ``but``; ``other`` are defaults that are not fit's. Types are for editors alone, whose stubs
    have them.
    """
    own = [
        p.replace(annotation=p.empty)
        for p in inspect.signature(function).parameters.values()
        if p.kind is not p.VAR_KEYWORD
    ]
    mine, kind = {p.name for p in own}, inspect.Parameter.KEYWORD_ONLY
    values = {name: value for name, value in {**defaults(), **(other or {})}.items() if name not in (*but, *mine)}
    return inspect.Signature([*own, *(inspect.Parameter(name, kind, default=value) for name, value in values.items())])
