"""What the estimators learn from: checked rows, targets and weights, and those of one of their models."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from ..inputs import arrays
from ..inputs.numeric import in_memory
from . import from_sources


class TrainingData(NamedTuple):
    """What an estimator learns from, as the models that make it see it."""

    X: object  # rows (n, d), dense or CSR, or those of a source
    y: np.ndarray  # (n,), or (n, models): targets, codes of classes, or each class against the rest
    weight: np.ndarray | None  # (n,), or (n, models) where they differ by model
    models: int  # rows of coef_
    labels: np.ndarray | None = None  # (n,), of a classifier
    codes: np.ndarray | None = None  # the classes 0, 1, ... of losses of classes

    def rows(self, mask):
        """Those of the rows that ``mask`` marks."""
        weight = None if self.weight is None else self.weight[mask]
        return self._replace(X=from_sources.some_rows(self.X, mask), y=self.y[mask], weight=weight)

    def of(self, model):
        """The targets and weights of one model; of all for None, and where models share them."""
        both = self.y, self.weight
        return tuple(one if model is None or one is None or one.ndim == 1 else one[:, model] for one in both)

    def separate_models(self, options):
        """The models that are fitted one by one, or [None] for all of them together."""
        # Kernels of many lanes do not support rates by row, and sparse kernels with rates by row support one lane.
        by_row = from_sources.is_sparse(self.X) and self.y.ndim == 2 and getattr(options["optimizer"], "by_row", False)
        apart = by_row or (self.weight is not None and self.weight.ndim == 2)
        return range(self.y.shape[1]) if apart else [None]


def checked_sparse(X):
    """Sparse rows as CSR in canonical form, every index checked, which SciPy leaves out; anything else as it is."""
    in_memory("X", X)
    if not issparse(X) or X.ndim != 2 or 0 in X.shape or X.dtype.kind == "c":
        return X  # scikit-learn raises the error
    rows, _, note = arrays.matrix(X)
    return X if note is None else rows.given()


def checked_weight(sample_weight, X, all_zero):
    """The row weights (n,) in float64; a number counts for all rows. ``all_zero`` allows all to be zero."""
    n = X.shape[0]
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n, sample_weight)
    kind = {"dtype": np.float64, "order": "C", "ensure_2d": False, "ensure_non_negative": True}
    weight = check_array(sample_weight, **kind, input_name="sample_weight")
    if weight.shape != (n,):
        raise ValueError(f"sample_weight.shape == {weight.shape}, expected {(n,)}!")
    if not all_zero and not weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weight


def of_model(array, model):
    """The row of one model of an array (models, ...), with its axis; all of it for None."""
    return array if model is None or array is None else array[model : model + 1]
