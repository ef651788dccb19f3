"""``local_sgd``: a pass of single steps over each part of the rows, on a cluster, and the mean of the models."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs.arguments import whole
from ..inputs.opened import EMPTY, check_targets
from ..inputs.options import FitOptions, only_known, reasons, signature_of
from ..sources.base import Source
from ..sources.row_range import RowRange
from .fit import fit
from .partial_fit import CHUNK_DEFAULTS, labels_in, partial_fit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._types import Engine, FitResult

NOT_PARTS = reasons("not_chunks") | {
    "start": "it starts with the coefficients of the round before",
    "sample_weight": "the source holds it",
    "offset": "the source holds it",
    "callback": "the steps are taken on other machines",
}
MODEL = ("loss", "alpha", "l1_ratio", "penalty_factor", "bounds", "fit_intercept", "standardize", "random_state")


def local_sgd(
    source: Source,
    *,
    engine: Engine = "dask",
    parts: int = 16,
    rounds: int = 1,
    classes: ArrayLike | None = None,
    **options: Any,
) -> FitResult:
    """Fit by single steps on a cluster: each part of the rows by itself, then the mean of their models.

    This is another algorithm than :func:`fastgd.fit`: each part is gone over once, as by :func:`fastgd.partial_fit`,
    by a task that reads its rows block by block, and the coefficients are averaged, each part's by its number of rows
    (Zinkevich et al. 2010); another round starts there. The model depends on ``parts`` and ``rounds``, and not on the
    workers: it has the same bits for any number of them, and when some are lost. Rows must be in no order within a
    part: one that holds a single class pulls the mean away.

    Parameters
    ----------
    source : one of :mod:`fastgd.sources`
        With its targets.
    engine : "dask" or fastgd.engines.Dask, default "dask"
    parts : int, default 16
        Into how many parts of as many rows the rows are cut, those that follow each other.
    rounds : int, default 1
        How often this is done.
    classes : array-like or None, default None
        For losses of classes, all labels; None looks for them.
    **options
        As for :func:`fastgd.partial_fit`.

    Returns
    -------
    FitResult
        After a pass over all rows on the cluster, for its loss. Pass it as ``start`` to :func:`fastgd.fit` with the
        same source and engine, to go on from there with steps over all rows.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do.

    Examples
    --------
    >>> import fastgd
    >>> fastgd.local_sgd([[1.0]], parts=2)
    Traceback (most recent call last):
        ...
    TypeError: local_sgd() takes a source, not list: pass one of fastgd.sources.
    """
    only_known(partial_fit, options, NOT_PARTS)
    if not isinstance(source, Source):
        raise TypeError(f"local_sgd() takes a source, not {type(source).__name__}: pass one of fastgd.sources.")
    check_targets(source)
    if source.repeatable and source.n == 0:
        raise ValueError(EMPTY)
    from ..engines import engine_of

    engine, parts, rounds = engine_of(engine), whole("parts", parts, low=1), whole("rounds", rounds, low=1)
    checked = FitOptions.checked(options)
    if classes is None and (checked.loss.labels or checked.loss.joint):
        classes = labels_in(source)
    edges = np.linspace(0, source.n, min(parts, source.n) + 1).astype(np.int64).tolist()
    given, mean = options | {"random_state": checked.random_state}, None
    for _ in range(rounds):
        start = {} if mean is None else {"start": mean}
        found = engine.run(source, part_fit, [(lo, hi, classes, given | start) for lo, hi in pairwise(edges)])
        rows = np.diff(edges) / source.n
        mean = tuple(sum(share * one[k] for share, one in zip(rows, found, strict=True)) for k in range(2))
    model = {name: given[name] for name in MODEL if name in given}
    return fit(source, engine=engine, start=mean, epochs=0, **model)


local_sgd.__signature__ = signature_of(local_sgd, NOT_PARTS, CHUNK_DEFAULTS)


def part_fit(source, lo, hi, classes, options):
    """The coefficients and the intercept of a pass over some rows: in a task."""
    found = partial_fit(RowRange(source, lo, hi), None, None, classes, **options)
    return found.coef, found.intercept
