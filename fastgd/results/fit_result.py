"""The result of a fit: the model, how its run ended, and its file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs.arguments import whole
from ..inputs.part_serialization import part_of_run
from ..parts import losses
from . import saving
from .answers import answered
from .bootstrap import percentile_interval
from .evaluation import objective, score
from .fit_plots import plot_coefficients, plot_course
from .history import History
from .linear_scores import linear_scores
from .shown_fit import shown_of_fit
from .state import RunState

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._types import Path, Rows


@dataclass(frozen=True, repr=False, eq=False)
class FitResult:
    """A fitted model and how its run ended; made by :func:`fastgd.fit`.

    Attributes
    ----------
    coef : ndarray (d,) of float64, or (m, d) for m targets or classes
        Coefficients in the units of the user's columns.
    intercept : float, or ndarray (m,)
        0.0 with ``fit_intercept=False``.
    loss : float
        The objective of the training data that the run computed last: at these coefficients where the solver knows it
        there (quasi-Newton steps, interior points, staged SGD, ``evaluate=True``), else before the last full-batch
        step, or the mean of the losses of the last epoch's batches. The last quasi-Newton step of a large fit is not
        followed by a pass: the loss is then what the step promised, right to about ``tol``. :meth:`objective` computes
        it on any data.
    status : str
        'converged', 'max_epochs', 'early_stopped', 'diverged' or 'interrupted'.
    message : str
        Why the run ended, and what to do next.
    n_epochs, n_steps : int
        Whole epochs and steps of the run. Where the solver uses all rows at once an epoch is a step over all of them,
        with the passes of its line search, and the first one has what goes before on samples of the rows.
    best_epoch : int or None
        With validation, the epoch whose weights these are.
    choices : dict of str to str
        What was chosen for each option left at "auto", in words; ``options`` has the values.
    history : History
    classes : ndarray (classes,) or None
        The labels, sorted; ``predict`` gives them back.
    feature_names : tuple of str or None
        The columns' names where X had them.
    state : RunState
        The state that ``fastgd.fit(..., resume=r)`` and ``fastgd.partial_fit(X, y, r)`` go on from.
    replicates : Replicates or None
        With ``bootstrap``, ``coef`` and ``intercept`` of each replicate, the first index its number.
    encoding : dict or None
        Of a model that the command line fitted: how the columns were made from those of a table (categories, what
        stands in for missing values), as plain values.
    """

    coef: np.ndarray
    intercept: Any
    loss: float
    status: str
    message: str
    n_epochs: int
    n_steps: int
    choices: dict[str, str]
    history: History
    # Or None: what is there is known to the user, whose editor would ask for a proof at each use.
    classes: Any = None
    feature_names: Any = None
    best_epoch: Any = None
    replicates: Any = None
    state: RunState | None = None
    encoding: dict | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options as values: what "auto" became (dict); parts are dicts of a name and fields.

        ``options["optimizer"]`` is "newton" where the solver is "quasi_newton" or "interior_point", and None where it
        is "staged_sgd".

        ``options["solver"]`` names the solver; ``choices`` has the reasons in words. ``options["bounds"]`` is None or
        two arrays (d,), the lower and the upper ones, and ``options["penalty_factor"]`` None or an array (d,).
        """
        low, high = self.state.low, self.state.high
        factor = self.state.penalty_factor
        return self.state.resolved | {
            "bounds": None if low is None else (low.copy(), high.copy()),
            "penalty_factor": None if factor is None else factor.copy(),
        }

    def objective(
        self,
        X: Rows,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> float:
        """The objective of this model on data, for several targets the mean: one pass.

        Parameters
        ----------
        X, y, sample_weight, offset
            As for :func:`fastgd.fit`; targets of classes are labels. A source is read block by block.

        Returns
        -------
        float

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd
        >>> x = np.arange(4.0)
        >>> r = fastgd.fit(x[:, None], 2 * x + 1)
        >>> round(r.objective(x[:, None], 2 * x), 6)  # off by 1 everywhere: half the squared residual
        0.5
        """
        return objective(self, X, y, sample_weight, offset)

    def score(
        self,
        X: Rows,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> float:
        """How good predictions are: one number, 1 at best.

        R2, the share of the variance that is explained, as scikit-learn's ``r2_score``; of classes the accuracy, the
        share of labels that are right; of "absolute_error", "quantile", "poisson", "gamma" and "tweedie" D2, the share
        of the loss of the best constant that is explained (``d2_pinball_score``, ``d2_tweedie_score``). The best
        constant has the offset too. Of several targets it is the mean. A loss of your own has R2, with labels the
        accuracy, and with a method ``best_constant`` D2.

        Parameters
        ----------
        X, y, sample_weight, offset
            As for :func:`fastgd.fit`; targets of classes are labels. A source is read block by block, once.

        Returns
        -------
        float
            NaN of one row, which has no variance.

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd
        >>> x = np.arange(4.0)
        >>> r = fastgd.fit(x[:, None], 2 * x + 1)
        >>> round(r.score(x[:, None], [1.0, 3.0, 5.0, 9.0]), 3)
        0.886
        """
        return score(self, X, y, sample_weight, offset)

    @property
    def coef_std(self) -> np.ndarray:
        """The standard errors of ``coef``: the replicates' standard deviation."""
        return self._replicates.coef.std(axis=0, ddof=1)

    @property
    def intercept_std(self) -> Any:
        """The standard error of ``intercept``."""
        return self._replicates.intercept.std(axis=0, ddof=1)

    def coef_interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Percentile intervals of ``coef`` (Efron 1981): lower and upper ends.

        Parameters
        ----------
        level : float, default 0.95
            How often such an interval is to cover the coefficient, in (0, 1).

        Returns
        -------
        (ndarray, ndarray), each of the shape of ``coef``

        Raises
        ------
        AttributeError
            Without replicates: fit with ``bootstrap=200``, say.

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd
        >>> x = np.linspace(-1, 1, 400)
        >>> y = 3 * x + np.random.default_rng(0).normal(size=400)
        >>> low, high = fastgd.fit(x[:, None], y, bootstrap=200, random_state=0).coef_interval(0.99)
        >>> bool(low[0] < 3 < high[0])
        True
        """
        return percentile_interval(self._replicates.coef, level)

    def intercept_interval(self, level: float = 0.95) -> tuple[Any, Any]:
        """The percentile interval of ``intercept``: its lower and upper end; as for :meth:`coef_interval`."""
        return percentile_interval(self._replicates.intercept, level)

    @property
    def _replicates(self):
        if self.replicates is None:
            raise AttributeError("Standard errors and intervals need replicates: fit with bootstrap=200, for example.")
        return self.replicates

    def save(self, path: Path) -> None:
        """Write the model and the state of its run to one file (npz, without pickle); see :func:`load`.

        The file is written whole; if anything fails, it is as it was before. A process that is killed meanwhile may
        leave a file ``.fastgd-*.tmp`` in the same folder, which can be deleted.

        Raises
        ------
        TypeError
            Where the labels are neither numbers nor strings.
        OSError
            Where the file can't be written.
        """
        labels = self.classes is not None and _storable(self.classes)
        model = saving.SavedModel(
            coef=self.coef,
            intercept=np.array(self.intercept),
            loss=float(self.loss),
            status=self.status,
            message=self.message,
            choices=self.choices,
            feature_names=self.feature_names,
            classes=None if self.classes is None else labels,
            object_classes=self.classes is not None and self.classes.dtype.kind == "O",
            replicates=self.replicates,
            encoding=self.encoding,
            state=self.state,
        )
        saving.write(path, model)

    def decision_function(self, X: Rows, offset: ArrayLike | None = None, to: Path | None = None) -> Any:
        """The linear score ``X @ coef.T + intercept + offset``, float64: (n,), or (n, m) for m targets or classes.

        For two classes positive means the second. Sources and ``to`` are those of :meth:`predict`.
        """
        return answered(self, partial(linear_scores, self), "score", X, offset, to)

    def predict(self, X: Rows, offset: ArrayLike | None = None, to: Path | None = None) -> Any:
        """The mean, (n,) or (n, m) for m targets; for classes the label (n,) whose score wins.

        Poisson, gamma and tweedie models predict ``exp`` of the score.

        Parameters
        ----------
        X : array-like (n, d), or one of :mod:`fastgd.sources`, or a Dask array or data frame
            A source needs no targets. Its rows are read once, and 16 MB of their numbers are in memory at once.
        offset : array-like (n,) or None, default None
            Needed by a model that was fitted with one, unless the source holds it.
        to : path or None, default None
            A .npy, .parquet or .csv file to write to; it is there, or replaced, when all is written.

        Returns
        -------
        ndarray, or with a source an iterator of arrays, one for each block of rows; with ``to`` the path. Of a Dask
        collection another one: an array, or a series or data frame with the index of the rows.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> import fastgd
        >>> x = np.arange(6.0)
        >>> r = fastgd.fit(x[:, None], 2 * x + 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "x.npy")
        ...     np.save(path, x[:, None])
        ...     blocks = [block.round(3) for block in r.predict(fastgd.sources.npy(path))]
        ...     written = np.load(r.predict(fastgd.sources.npy(path), to=os.path.join(folder, "y.npy")))
        >>> blocks, written.shape
        ([array([ 1.,  3.,  5.,  7.,  9., 11.])], (6,))
        """
        return answered(self, self._predictions, "prediction", X, offset, to)

    def _predictions(self, *rows):
        scores = linear_scores(self, *rows)
        if self.classes is not None:
            return self._labels_of(scores)
        return part_of_run(self.state, "loss", losses).mean(scores) if self.state.link else scores

    def _labels_of(self, scores):
        """The label (n,) of each row, by its linear scores (n,), or (n, classes)."""
        best = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(np.intp)
        return self.classes[best]

    def predict_proba(self, X: Rows, offset: ArrayLike | None = None, to: Path | None = None) -> Any:
        """The probability of each class, (n, classes), in the order of ``classes``.

        Parameters
        ----------
        X, offset, to
            As for :meth:`predict`.

        Raises
        ------
        AttributeError
            Where the loss gives no probabilities: they are those of "log_loss", "modified_huber" and "multinomial".

        Examples
        --------
        >>> import numpy as np
        >>> import fastgd
        >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0], [0.5], [-0.5]])
        >>> r = fastgd.fit(X, ["no", "no", "yes", "yes", "no", "yes"], loss="log_loss")
        >>> r.predict_proba([[0.0]]).round(2)
        array([[0.5, 0.5]])
        """
        loss = part_of_run(self.state, "loss", losses)
        if self.classes is None or loss.probabilities is None:
            names = " or ".join(losses.names_with("probabilities"))
            raise AttributeError(f"{type(loss).__name__} gives no probabilities: fit with {names}.")
        return answered(
            self, lambda *rows: loss.probabilities(linear_scores(self, *rows)), "probability", X, offset, to
        )

    @property
    def _table_row(self) -> dict[str, Any]:
        """The entries of this run in a sweep's table."""
        held = {"validation_loss": float(np.min(self.history.validation_loss, initial=np.inf))}
        known = np.isfinite(self.history.validation_loss).any()
        return {"objective": self.loss, **(held if known else {}), "n_epochs": self.n_epochs}

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the losses of the run, epoch by epoch (matplotlib).

        The training loss (of each target), the validation loss and the best epoch where rows were held out; of
        quasi-Newton steps and interior points also the decrease that was still possible, on a second axis.

        Parameters
        ----------
        ax : matplotlib axes or None, default None
            Where to draw; None makes a figure.
        **options
            For the lines, as ``Axes.plot`` takes them.

        Returns
        -------
        axes
        """
        return plot_course(self, ax, options)

    def coef_plot(self, ax: Any = None, *, top: int = 20, scaled: bool = True, level: float = 0.95) -> Any:
        """Draw the largest coefficients with the names of their columns (matplotlib).

        With ``bootstrap`` each has its interval. Of several targets or classes each has a colour.

        Parameters
        ----------
        ax : matplotlib axes or None, default None
            Where to draw; None makes a figure.
        top : int, default 20
            How many columns are drawn; one more line spans the coefficients of all others.
        scaled : bool, default True
            Each coefficient times the spread of its column (the standard deviation; about zero where columns are not
            centred), so that they can be compared; False, or where columns were not scaled, as they are.
        level : float, default 0.95
            Of the intervals: see :meth:`coef_interval`.

        Returns
        -------
        axes
        """
        return plot_coefficients(self, ax, whole("top", top, low=1), scaled, level)

    def __repr__(self):
        return shown_of_fit(self).text()

    def _repr_html_(self):
        return shown_of_fit(self).html()


def _storable(classes):
    """Labels as numbers or strings, which a file can hold."""
    plain = np.array(classes.tolist())
    if plain.dtype.kind not in "biufU" or plain.tolist() != classes.tolist():
        raise TypeError(f"save() can't store the labels {classes.tolist()}: use numbers or strings.")
    return plain if classes.dtype.kind == "O" else classes
