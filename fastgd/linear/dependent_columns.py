"""Columns that depend on others and have got no coefficient, so that they can be named."""

import numpy as np

from ..kernels.cholesky import Factor
from ..solvers.samples import RUN, rows_of_sample

WIDEST = 500  # columns, up to which they are looked for
MORE_RUNS = 20  # of rows, than columns
ROUNDING = 64 * np.finfo(np.float64).eps  # of a column's square, times the root of the rows; 1e-14 missed some


def dependent_columns(choice, outcome):
    """Which columns (d,) depend on others and have the coefficient 0.

    Not all solvers know what they have left out. A coefficient may also be 0 by symmetry: some rows tell, by the
    products of their columns. Least squares by singular values, of the same rows, took a third of the time of a fit.
    """
    if outcome.left_out is not None:
        return outcome.left_out
    found = np.zeros(choice.d, bool)
    zero = ~outcome.weights[:, :-1].any(axis=0) & (choice.scaling.inverse_scale != 0)
    free = choice.bounds is None and not (choice.options.alpha and choice.options.l1_ratio)
    if not (free and zero.any() and outcome.clock.steps and choice.d <= WIDEST):
        return found
    some = RUN * (choice.d + MORE_RUNS)
    chosen = rows_of_sample(choice.n, some) if some < choice.n else np.arange(choice.n)
    rows = choice.table.X.take(chosen).array().astype(np.float64)
    rows -= choice.scaling.shift
    rows *= choice.scaling.inverse_scale
    if choice.options.fit_intercept:
        rows -= rows.mean(axis=0)
    order = np.argsort(zero, kind="stable")  # a column is compared with those before it
    share = max(ROUNDING * np.sqrt(len(rows)), np.finfo(choice.scaling.shift.dtype).eps)
    found[order] = Factor((rows.T @ rows)[np.ix_(order, order)], share).dependent
    return found & zero
