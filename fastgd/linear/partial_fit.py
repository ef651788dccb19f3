"""``partial_fit``: data that arrives in pieces."""

import inspect

from ..inputs import arguments, arrays
from ..parts import losses
from ..solvers.passes import Passes
from ..training.loop import drive
from . import resume
from .auto import chosen, plan_of
from .entry import USUAL
from .fit import fit, report

# One pass over each chunk as it comes; what a run of many epochs is told has no meaning here.
ONE_PASS = {"epochs": 1, "tol": None, "shuffle": False}
MEANINGLESS = ("epochs", "max_steps", "tol", "validation", "patience", "resume", "evaluate", "bootstrap")
DEFAULTS = {name: p.default for name, p in inspect.signature(fit).parameters.items() if p.default is not p.empty}


def partial_fit(X, y, r=None, classes=None, **options):
    """Fit a linear model to one more chunk of data: one pass over its rows, in their order.

    Chunks take the same steps as one table of them does (``fit(..., epochs=1, shuffle=False)``) where every chunk but
    the last holds whole batches and ``learning_rate`` and ``standardize`` are given. Otherwise the first chunk decides:
    it is what "auto" measures the data by, and what columns are scaled by.

    Parameters
    ----------
    X : array-like (n, d)
        The chunk; as for :func:`fastgd.fit`.
    y : array-like (n,)
    r : FitResult, str, path or None, default None
        The result of the chunks before, or the file of one; None begins anew. A result of :func:`fastgd.fit` is not
        taken.
    classes : array-like (classes,) or None, default None
        For losses of classes, all labels, where the first chunk may not hold all.
    **options
        As for :func:`fastgd.fit`, with the first chunk, and later only in so far as they stay the same: ``loss``,
        ``optimizer``, ``learning_rate``, ``batch_size`` ("auto" is 32 here, None the chunk), ``alpha``, ``l1_ratio``,
        ``bounds``, ``fit_intercept``, ``standardize``, ``sample_weight`` (taken as they are: their mean is to be about
        1 over all chunks), ``average``, ``shuffle`` (False unless told otherwise), ``random_state``. ``n_threads``,
        ``callback`` and ``verbose`` may change. Durations of schedules count chunks as long as the first.

    Returns
    -------
    FitResult
        Its ``n_epochs`` counts the chunks, its history has an entry for each. A chunk that Ctrl-C interrupted counts
        for neither: the next call takes the rows that it is given, from the first on.

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
    """
    return chunk(X, y, r, classes, options)


def chunk(X, y, r, classes, options, entry=USUAL):
    """The result after one more chunk; a stream that begins with it does so as ``entry`` says."""
    r = resume.result_from(r, "r", stream=True)
    given = {"X": X, "y": y, **chunk_arguments(r, options)}
    choice = chosen(given, r, Passes, "r", labels(given["loss"], classes, r), stream=True, entry=entry)
    plan = entry.admit(choice, plan_of([choice]))
    return report(choice, plan, 0, drive(plan)[0])


def labels(loss, classes, r):
    """The labels where they are known: those given, which have to be those of the result ``r``."""
    loss = arguments.part("loss", loss, losses)
    if classes is not None and not loss.labels:
        raise ValueError(f"classes={classes!r} are for a loss of classes: leave them out.")
    found = arrays.known_classes(classes, loss)
    if r is None or found is None:
        return found if r is None else r.classes
    if found.tolist() != r.classes.tolist():
        raise ValueError(f"classes: the run was begun with {arrays.shown(r.classes)}, not {arrays.shown(found)}.")
    return r.classes


def chunk_arguments(r, options):
    """The arguments of the fit of one chunk: those given, those of the run it goes on with, and fit's defaults."""
    for name in options:
        if name not in DEFAULTS:
            raise TypeError(f"partial_fit() got an unexpected option {name!r}.")
        if name in MEANINGLESS:
            raise TypeError(f"partial_fit() passes over each chunk once: {name} has no meaning here, leave it out.")
    given = {**DEFAULTS, **ONE_PASS, **({} if r is None else resume.settings_before(r.state, options)), **options}
    if r is not None and given["bounds"] is None and "low" in r.state.arrays:
        given["bounds"] = r.state.arrays["low"], r.state.arrays["high"]
    del given["resume"], given["bootstrap"]
    return given
