"""Results from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import saving
from .fit_result import FitResult
from .history import History
from .minimize_result import minimization_of

if TYPE_CHECKING:
    from .._types import Path


def load(path: Path) -> Any:
    """Read a model that :meth:`fastgd.FitResult.save` wrote, or a minimisation that :meth:`MinimizeResult.save` did.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    FitResult or MinimizeResult
        As the saved one, to the last bit: it can be resumed (``resume=``), and a fit predicts and goes on with
        :func:`fastgd.partial_fit`.

    Raises
    ------
    ValueError
        Where the file is not a whole fastgd model. Nothing in it is ever executed or expanded.
    OSError
        Where it can't be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import fastgd
    >>> r = fastgd.fit(np.arange(6.0).reshape(-1, 1), np.arange(6.0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.npz")
    ...     r.save(path)
    ...     s = fastgd.load(path)
    >>> bool(s.coef[0] == r.coef[0]), s.status
    (True, 'converged')
    """
    model = saving.read(path)
    if isinstance(model, saving.SavedMinimization):
        return minimization_of(path, model)
    return FitResult(
        coef=model.coef,
        intercept=float(model.intercept) if model.intercept.ndim == 0 else model.intercept,
        loss=model.loss,
        status=model.status,
        message=model.message,
        n_epochs=model.state.epoch,
        n_steps=model.state.steps,
        choices=model.choices,
        history=History.of(model.state),
        classes=model.classes.astype(object) if model.object_classes else model.classes,
        feature_names=model.feature_names,
        best_epoch=model.state.best_epoch,
        replicates=model.replicates,
        state=model.state,
        encoding=model.encoding,
    )
