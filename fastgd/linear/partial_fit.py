"""``partial_fit``: data that arrives in pieces."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs import arrays
from ..inputs.arrays import Matrix
from ..inputs.opened import EMPTY, check_targets
from ..inputs.options import FIELDS, FitOptions, only_known, reasons, signature_of
from ..results import messages
from ..results.divergence import warn_of_divergence
from ..results.progress import Bar, print_choices
from ..solvers.compiled import COMPILED
from ..sources.base import Source, Y
from ..sources.blocks import blocks_of, place_of
from ..training.loop import train
from ..wording import count
from .auto import Choices
from .chunks import chunk_start
from .kept_options import options_before
from .planning import plan_of
from .report import report
from .start import run_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._types import FitResult, Rows, RunOf

NOT_CHUNKS = reasons("not_chunks")
CHUNK_DEFAULTS = {name: known.metadata["chunks"][0] for name, known in FIELDS.items() if known.metadata["chunks"]}


def partial_fit(
    X: Rows,
    y: ArrayLike | None = None,
    r: RunOf | None = None,
    classes: ArrayLike | None = None,
    **options: Any,
) -> FitResult:
    """Fit a linear model to one more chunk of data: one pass over its rows, in their order.

    With ``learning_rate="auto"`` nothing needs to be known of the stream: scales of columns, the rate and how far
    single rows may lead follow the moments of all rows so far, of a fit that ``start`` names, too. Steps are half of
    that which leads a usual row to its own target, and fall as 1/sqrt(t). Chunks of any size take about the same steps;
    a small one makes no model worse. The documentation's page "Streams" compares progressive losses.

    With a given ``learning_rate`` and without ``standardize`` chunks take the same steps as one table of them
    (``fit(..., epochs=1, shuffle=False)``) where every chunk but the last holds whole batches.

    Parameters
    ----------
    X : array-like (n, d)
        The chunk; as for :func:`fastgd.fit`. Or a source, which is gone over once: its chunks are the rows whose
        numbers take 16 MB, and where ``classes`` are needed and not given its targets are read before.
    y : array-like (n,)
        Leave it out with a source.
    r : FitResult, str, path or None, default None
        The result of the chunks before, or the file of one; None starts a new run. A result of :func:`fastgd.fit` is an
        error.
    classes : array-like (classes,) or None, default None
        For losses of classes, all labels, where the first chunk may not hold all.
    **options
        As for :func:`fastgd.fit`, with the first chunk, and later only in so far as they stay the same: ``loss``,
        ``optimizer``, ``learning_rate``, ``batch_size`` ("auto" is single rows, 32 where ``optimizer`` or
        ``learning_rate`` is given; "full" and None are the chunk), ``alpha``, ``l1_ratio``, ``penalty_factor``,
        ``bounds``, ``fit_intercept``, ``standardize``, ``sample_weight`` (at a given rate taken as they are, else
        relative to their mean so far; a chunk of zeros changes nothing), ``offset``, ``shuffle`` (False unless given),
        ``average``, ``lazy``, ``parallel``, ``random_state``, and with the first chunk ``start`` (a result or its file
        counts with its rows; coefficients alone are the first guess of a new stream). ``n_threads``, ``callback`` and
        ``verbose`` may change. Durations of schedules count chunks as long as the first.

    Returns
    -------
    FitResult
        Its ``n_epochs`` counts the chunks, its history has an entry for each. A chunk that Ctrl-C interrupted counts
        for neither: the next call takes the rows that it is given, from the first on. It also ends going over a source,
        with status "interrupted"; before the first chunk is done it is raised.

    Warns
    -----
    fastgd.DivergenceWarning
        Where a stream diverges from this chunk on: the losses of about the last 1,000 rows, each before its step, are
        above ten times those of the first chunk's best constant, or a number is not finite.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do; also where an option differs from the first chunk's.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd
    >>> x = np.linspace(-1, 1, 4000)
    >>> r = None
    >>> for chunk in np.array_split(np.random.default_rng(0).permutation(x), 10):
    ...     r = fastgd.partial_fit(chunk[:, None], 2 * chunk + 1, r, learning_rate=0.5)
    >>> r.n_epochs, r.n_steps, r.coef.round(3), round(r.intercept, 3)
    (10, 130, array([2.]), 1.0)

    Single rows, of a column in any unit:

    >>> r = None
    >>> for v in np.random.default_rng(0).normal(2000.0, 10.0, size=500):
    ...     r = fastgd.partial_fit([[v]], [0.3 * v - 550.0], r)
    >>> round(float(r.coef[0]), 3), round(float(r.predict([[2010.0]])[0]), 2)
    (0.3, 53.0)
    """
    only_known(partial_fit, options, NOT_CHUNKS)
    r = run_of(r, "r", chunked=True)
    if isinstance(X, Source):
        return over_source(X, y, r, classes, options)
    found = one_chunk(X, y, r, classes, options)
    warn_of_stream(found, r)
    return found


partial_fit.__signature__ = signature_of(partial_fit, NOT_CHUNKS, CHUNK_DEFAULTS)


def over_source(source, y, r, classes, options):
    """The result of all chunks of a source after the result ``r`` or None."""
    checked, begun = FitOptions.checked(chunk_options(r, options)), False
    classes, chunks = chunks_of(source, y, r, classes, options, checked.loss.labels)
    bar = Bar(checked.verbose > 0, source.n if source.repeatable else None, "row")
    with contextlib.closing(bar), contextlib.closing(chunks):
        try:
            for X, targets, own, done in chunks:
                try:
                    found = one_chunk(X, targets, r, classes, options | own, bar)
                except (ValueError, TypeError) as error:
                    error.add_note(f"Row 0 of this chunk is {place_of(source, done - X.rows.shape[0])(0)}.")
                    raise
                warn_of_stream(found, r)
                r, begun = found, True
                bar.update(done, r.loss)
                if r.status == "interrupted":
                    break
        except KeyboardInterrupt:  # while a chunk is waited for
            if not begun:
                raise
            words = messages.INTERRUPTED.format(steps=count(r.n_steps, "step"))
            r = replace(r, status="interrupted", message=f"{words} {messages.ADVICE['interrupted']}")
    if not begun:
        raise ValueError(EMPTY)
    return r


def one_chunk(X, y, r, classes, options, bar=None):
    """The result of a chunk after the result ``r`` or None; a ``bar`` stands for that of the chunk's own run."""
    if r is not None and weightless(options.get("sample_weight")):
        return r
    given = chunk_options(r, options)
    checked = FitOptions.checked(given)
    labels = known_labels(checked.loss, classes, r)
    choices = Choices(COMPILED, shared=False)
    choice = choices.of(X, y, checked, chunk_start(checked, r), given, classes=labels, scale=False)
    if checked.verbose > 0 and r is None:
        print_choices(choice.words)
    if bar is not None:
        choice = replace(choice, options=replace(choice.options, verbose=min(checked.verbose, 0)))
    plan = plan_of([choice])
    return report(choice, plan, 0, train(plan)[0])


def warn_of_stream(found, before):
    """Warn of a stream that diverges from this chunk on."""
    if before is None or before.status != "diverged":
        warn_of_divergence(found)


def chunks_of(source, y, r, classes, options, labels):
    """The classes, and an iterator of rows, targets, what else they have, and how many rows are read."""
    if y is not None:
        raise TypeError("X is a source, which holds its targets: leave out y, and pass r by its name, r=...")
    check_targets(source)
    for name in ("sample_weight", "offset"):
        if options.get(name) is not None:
            raise ValueError(f"{name} is given for the rows of a source: let the source hold it, as it is opened.")
    if labels and classes is None and r is None and source.repeatable:
        classes = labels_in(source)

    def chunks():
        done = 0
        for block in blocks_of(source):
            done += block.rows
            own = {"sample_weight": block.weight, "offset": block.offset}
            yield Matrix(block.X, source.names), block.y, own, done

    return classes, chunks()


def labels_in(source):
    """The labels of a source, for which its targets alone are read."""
    found = []
    for shard in range(len(source.shards)):
        for block in source.pieces(shard, (Y,)):
            found = arrays.labels_of("y", np.concatenate([found, np.asarray(block.y)]) if len(found) else block.y)
    return found if len(found) else None


def weightless(sample_weight):
    """Whether all of some weights are zero."""
    found = np.asarray(0.0 if sample_weight is None else sample_weight)
    return found.ndim == 1 and found.size > 0 and found.dtype.kind in "biuf" and not found.any()


def chunk_options(r, given):
    """The options of one chunk: those given, else those of the run it goes on with, else the defaults of chunks."""
    before = {} if r is None else options_before(r.state, given)
    found = {**CHUNK_DEFAULTS, **before, **given}
    if r is not None and found.get("bounds") is None and r.state.low is not None:
        found["bounds"] = r.state.low, r.state.high
    if r is not None and found.get("penalty_factor") is None:
        found["penalty_factor"] = r.state.penalty_factor
    return found


def known_labels(loss, classes, r):
    """The labels, or None where they are not known yet: those given must be those of the result ``r``."""
    if classes is not None and not loss.labels:
        raise ValueError(f"classes={classes!r} are for a loss of classes: leave them out.")
    found = arrays.known_classes(classes, loss)
    if r is None or found is None:
        return found if r is None else r.classes
    if found.tolist() != r.classes.tolist():
        raise ValueError(f"classes: the run was started with {arrays.shown(r.classes)}, not {arrays.shown(found)}.")
    return r.classes
