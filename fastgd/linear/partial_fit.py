"""``partial_fit``: data that arrives in pieces."""

import warnings

import numpy as np

from ..inputs import arrays
from ..inputs.options import FIELDS, FitOptions, only_known, reasons, signature_of
from ..results.progress import print_choices
from ..solvers.compiled import COMPILED
from ..training.loop import train
from .auto import Choices
from .chunks import chunk_start
from .kept_options import options_before
from .planning import plan_of
from .report import report
from .start import run_of

NOT_CHUNKS = reasons("not_chunks")
CHUNK_DEFAULTS = {name: known.metadata["chunks"][0] for name, known in FIELDS.items() if known.metadata["chunks"]}


def partial_fit(X, y, r=None, classes=None, **options):
    """Fit a linear model to one more chunk of data: one pass over its rows, in their order.

    With ``learning_rate="auto"`` nothing needs to be known of the stream: scales of columns, the rate and how far
    single rows may lead follow the moments of all rows so far, of a fit that ``start`` names, too. Steps are half of
    that which leads a usual row to its own target, and fall as 1/sqrt(t). Chunks of any size take about the same steps;
    a small one makes no model worse. ``docs/streams.md`` compares progressive losses.

    With a given ``learning_rate`` and without ``standardize`` chunks take the same steps as one table of them
    (``fit(..., epochs=1, shuffle=False)``) where every chunk but the last holds whole batches.

    Parameters
    ----------
    X : array-like (n, d)
        The chunk; as for :func:`fastgd.fit`.
    y : array-like (n,)
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
        for neither: the next call takes the rows that it is given, from the first on.

    Warns
    -----
    RuntimeWarning
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
    if r is not None and weightless(options.get("sample_weight")):
        return r
    given = chunk_options(r, options)
    checked = FitOptions.checked(given)
    labels = known_labels(checked.loss, classes, r)
    choices = Choices(COMPILED, shared=False)
    choice = choices.of(X, y, checked, chunk_start(checked, r), given, classes=labels, scale=False)
    if checked.verbose > 0 and r is None:
        print_choices(choice.words)
    plan = plan_of([choice])
    found = report(choice, plan, 0, train(plan)[0])
    if found.status == "diverged" and (r is None or r.status != "diverged"):
        warnings.warn(found.message, RuntimeWarning, stacklevel=2)
    return found


partial_fit.__signature__ = signature_of(partial_fit, NOT_CHUNKS, CHUNK_DEFAULTS)


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
