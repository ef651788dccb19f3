"""``partial_fit``: data that arrives in pieces."""

import inspect

from . import checks, resume
from .choose import Settings, choose
from .drive import drive
from .fit import fit, report
from .passes import Passes

# One pass over each chunk as it comes; what a run of many epochs is told has no meaning here.
ONE_PASS = {"epochs": 1, "tol": None, "shuffle": False}
MEANINGLESS = ("epochs", "max_steps", "tol", "validation", "patience", "resume", "evaluate")
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
    classes : array-like (2,) or None, default None
        For losses of two classes, both labels, where the first chunk may hold one only.
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
    r = resume.result_from(r, "r", stream=True)
    given, past = arguments(r, options)
    bounds, weight = given.pop("bounds"), given.pop("sample_weight")
    del given["resume"]
    settings = Settings.checked(**given)
    if past is not None:
        settings = resume.agreed(settings, given, past, "r")
        if bounds is None and "low" in past.arrays:
            bounds = past.arrays["low"], past.arrays["high"]
    classes = labels(settings.loss, classes, r)
    table = checks.table(X, y, weight, settings.loss, classes, scale=False)
    if past is not None:
        table = resume.same_columns(table, r, "r")
    choice = choose(table, settings, checks.box(bounds, table.X.shape[1]), Passes, past, stream=True)
    if past is not None:
        resume.check(choice, past, "r")
    return report(choice, drive(choice.plan))


def labels(loss, classes, r):
    """The two labels where they are known: those given, which have to be those of the result ``r``."""
    found = checks.two_classes(classes)
    if found is not None and not loss.labels:
        raise ValueError(f"classes={classes!r} are for a loss of two classes: leave them out.")
    if r is None or found is None:
        return found if r is None else r.classes
    if found.tolist() != r.classes.tolist():
        raise ValueError(f"classes: the run was begun with {checks.shown(r.classes)}, not {checks.shown(found)}.")
    return r.classes


def arguments(r, options):
    """The arguments of the fit of one chunk, and the state it goes on from or None."""
    for name in options:
        if name not in DEFAULTS:
            raise TypeError(f"partial_fit() got an unexpected option {name!r}.")
        if name in MEANINGLESS:
            raise TypeError(f"partial_fit() passes over each chunk once: {name} has no meaning here, leave it out.")
    past = r and r.state
    before = {} if past is None else resume.settings_before(past, options)
    return {**DEFAULTS, **ONE_PASS, **before, **options}, past
