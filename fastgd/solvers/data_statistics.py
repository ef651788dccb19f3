"""Statistics of a table before a run: scales of columns, best constants, curvature; each computed once."""

import numpy as np

from ..inputs import arrays
from ..inputs.holdout import held_out
from ..inputs.scaling import Scaling
from ..kernels.lanes import NO_ROLES, Data
from ..kernels.layouts import frozen
from ..kernels.threads import cached_property
from ..parts import losses
from .samples import few_rows, rows_of_sample, sizes

TINY = 1e-140  # the squares of numbers so small have too few digits, or none
BLOCK = 1 << 14  # rows whose temporaries stay in the cache: with 1 << 20 a pass took two to three times as long
MEDIAN = 1 << 14  # rows from which a median is estimated
SPREAD = 10.0  # median distances: a root mean square above that is made by outliers
NO_OFFSETS = frozen(np.zeros(1))
COUNTED = 1 << 10  # whole targets below this are counted, so that functions of them are computed once for each


class DataStatistics:
    """Statistics of a table, each computed when first needed: many settings of a sweep share them.

    ``table`` is trained on (held-out rows have weight 0), ``rows`` are the numbers of its training rows or None for
    all, ``held`` is the validation table; ``chunked``, if the table is the first chunk of a stream.
    """

    def __init__(self, table, options, backend, chunked):
        found = held_out(table, options.validation, options.random_state, options.loss)
        self.table, self.rows, self.held = found.table, found.rows, found.held
        self.n = table.X.shape[0] if self.rows is None else len(self.rows)
        self.intercept, self.threads, self.backend = options.fit_intercept, options.n_threads, backend
        self.chunked, self.known, self.joint = chunked, {}, options.loss.joint

    def once(self, key, answer):
        """The value under a key, computed the first time only; overflow is found in the numbers."""
        if key not in self.known:
            with np.errstate(all="ignore"):
                self.known[key] = answer()
        return self.known[key]

    # Columns ----------------------------------------------------------------------------------------------------------

    def data(self, scaling):
        """The data that kernels read, without targets."""
        table = self.table
        none = frozen(np.empty((1, 0), table.X.dtype))
        one = float(self.intercept)
        return Data(
            table.X,
            none,
            table.weight,
            none[0],
            *scaling,
            one,
            float(self.n),
            roles=NO_ROLES,
            seed=0,
            classes=1,
            factors=none[0],
        )

    def passes(self, scaling):
        """Passes over the scaled columns."""
        return self.backend.passes(self.data(scaling), self.threads)

    def scaling(self, standardize):
        """The scaling: the shift of each column, and its multiplier."""
        return self.once(("scaling", standardize), lambda: self._scaling(standardize))

    def _scaling(self, standardize):
        if not standardize:
            return Scaling.none(self.table.X.shape[1], self.table.X.dtype)
        return self.scaling_of(*self.column_moments(), standardize)

    def column_moments(self):
        """Weighted means and variances (d,) of the columns."""
        return self.once("moments", self._column_moments)

    def _column_moments(self):
        table = self.table
        if not table.X.in_memory:
            table.X.foresee(*self.likely_samples())
        mean, variance = self.passes(self.scaling(False)).moments()
        # The shift of a column is no larger than this, so that it is finite in the data's type.
        fits = np.sqrt(variance * self.n) < np.finfo(table.X.dtype).max
        _good_moments(table, np.isfinite(mean) & np.isfinite(variance) & fits, "whose squares overflow")
        return mean, variance

    def likely_samples(self):
        """The numbers of the rows that a solver is likely to ask for next, each time, ascending."""
        X, (n, d) = self.table.X, self.table.X.shape
        classes = len(self.table.classes) if self.joint else 1
        most = sizes(self.n, classes * (d + 1), 8 * (X.stored // n))
        if not most:
            return [few_rows(n)]
        found = np.sort(rows_of_sample(self.n, most[-1]))
        return [few_rows(n), found if self.rows is None else self.rows[found].astype(np.int64)]

    def scaling_of(self, mean, variance, standardize):
        """The scaling of columns of these moments (d,)."""
        table = self.table
        # Sparse columns stay sparse: they are scaled, not centred.
        centre = self.intercept and standardize != "scale" and not table.X.sparse
        scaling = Scaling.standard(mean, variance, table.X.dtype, centre=centre, intercept=self.intercept)
        if not scaling.inverse_scale.all():
            # Columns of inverse scale 0 do not vary, or squares underflow, or the inverse of the scale overflows.
            tiny = (mean != 0) & (np.abs(mean) < TINY) if self.intercept else np.zeros(mean.size, bool)
            with np.errstate(divide="ignore"):
                tiny |= (variance > 0) & ~(1.0 / np.sqrt(variance) < np.finfo(table.X.dtype).max)
            good = ~tiny | (scaling.inverse_scale != 0)
            _good_moments(table, good, f"that are too small to be scaled in {table.X.dtype}")
        # A column that does not vary in the first chunk may do so later.
        return scaling.kept(mean) if self.chunked else scaling

    def curvature(self, standardize):
        """The largest eigenvalue of the scaled rows' second moments."""
        return self.once(("curvature", standardize), lambda: self.passes(self.scaling(standardize)).curvature())

    def largest_row(self, standardize):
        """The largest weight * |scaled row|**2."""
        return self.once(("largest row", standardize), lambda: self.passes(self.scaling(standardize)).largest_row())

    def row_squares(self, scaling):
        """The square of each scaled row (n,), the intercept's 1 included."""
        return self.passes(scaling).row_squares()

    # Targets ----------------------------------------------------------------------------------------------------------

    @cached_property
    def counted(self):
        """The table, or one of its different targets with their weights (see ``counted``)."""
        return counted(self.table)

    def constants(self, loss):
        """The best constant scores: (targets,), or (classes,) for a joint loss."""

        def found():
            constants, objectives = best(self.counted, loss)
            if objectives is not None:
                self.known["loss", type(loss), loss, tuple(constants)] = objectives
            return constants

        return self.once(("constants", type(loss), loss), found)

    def constant_loss(self, loss, constants):
        """The objectives (targets,) of predicting constants."""

        def found():
            if loss.squared and not self.table.offset.size:
                return loss[0] * self.squares(constants)
            return mean_losses(self.counted, loss, constants)

        return self.once(("loss", type(loss), loss, tuple(constants)), found)

    def squares(self, constants):
        """The mean squares (targets,) of each target less its constant."""
        return self.once(("squares", tuple(constants)), lambda: mean_squares(self.counted, constants))

    def residual_rms(self, loss, constants):
        """The root mean square of each target less its constant, (targets,); 1 for classes, other links and 0.

        Of a robust loss it is no more than some median distances: outliers say nothing of the other rows.
        """
        if loss.labels or loss.link != "identity":
            return np.ones(len(self.table.y))
        found = root_mean_squares(self.squares(constants), self.table.X.dtype)
        if not robust(loss):
            return found
        y, weight = some_that_count(self.table.y, self.table.weight)
        most = SPREAD * np.array([middle(one, weight) for one in np.abs(y - constants[:, None])])
        return np.where(most > 0, np.minimum(found, most), found)

    def curvature_of(self, loss, k, constant, size):
        """The bound of the loss's second derivative, or its mean over target k (see ``curvature_of``)."""
        return curvature_of(loss, self.counted, self.counted.y[k], constant, size)

    def targets(self, table, loss, centre):
        """The targets (targets, n) of a table in the data's type, less ``centre`` (targets,)."""
        key = "targets", table is self.held, tuple(loss.domain.items()), tuple(centre)
        return self.once(key, lambda: targets(table, loss, centre))


def robust(loss):
    """Whether a loss of residuals grows linearly: outliers add to it what no step can take away.

    Of squares, outliers add more than they leave, and are fitted.
    """
    return loss.residual_only and loss.smoothing_field is not None


def _good_moments(table, good, fault):
    """Raise for a column that holds NaN or infinity, or that has a fault, where ``good`` (d,) is False."""
    if not good.all():
        arrays.finite_columns(table.X, table.names)
        j = int(np.argmin(good))
        label = repr(table.names[j]) if table.names else j
        raise ValueError(f"X has values in column {label} {fault}: divide the column by its largest.")


def targets(table, loss, centre):
    """The targets (targets, n) in the data's type, less ``centre`` (targets,)."""
    y, dtype = table.y, table.X.dtype
    if centre.any() or y.dtype != dtype:
        arrays.all_finite("y", y.astype(dtype, copy=False), y)
        if y.dtype != dtype:
            arrays.not_tiny(y, dtype)
        y = less(y, centre, table.X)
        arrays.in_domain(y, loss)
    return frozen(np.ascontiguousarray(y))


def less(y, centre, rows):
    """Targets (targets, n) less ``centre`` (targets,), in the type of the rows."""
    if rows.in_memory or len(y) > 1:
        return (y - centre[:, None]).astype(rows.dtype, copy=False)
    found = rows.room(rows.dtype)
    for first in range(0, found.size, BLOCK):
        found[first : first + BLOCK] = y[0, first : first + BLOCK] - centre[:1]
    return found[None]


def counted(table):
    """The table with each of its different targets once, weighted, if these are few whole numbers, or classes.

    Otherwise the table itself, and where there are offsets or several targets, or few rows.
    """
    y = table.y[0]
    if len(table.y) > 1 or table.offset.size or y.size <= COUNTED:
        return table
    if table.classes is not None and len(table.classes) == 2:
        share = mean_over(table, y, lambda y, _: y)
        totals = np.array([1.0 - share, share])
    else:
        totals = np.zeros(COUNTED)
        for first in range(0, y.size, BLOCK):
            some, weight = y[first : first + BLOCK], table.weight[first : first + BLOCK]
            if not (some.min() >= 0 and some.max() < COUNTED):
                return table
            whole = some.astype(np.intp)
            if not (whole == some).all():
                return table
            totals += np.bincount(whole, weight if weight.size else None, COUNTED)
    values = np.flatnonzero(totals > 0)
    return table._replace(y=values[None].astype(y.dtype), weight=totals[values])


def mean_over(table, y, function):
    """The weighted mean of ``function(y, offset)`` of targets (n,) and offsets, in float64.

    Some rows at a time, so that they stay in the cache; offsets are zeros (1,) where there are none.
    """
    total = weights = 0.0
    with np.errstate(all="ignore"):
        for first in range(0, y.size, BLOCK):
            some = slice(first, first + BLOCK)
            weight = table.weight[some].astype(np.float64, copy=False) if table.weight.size else None
            offset = table.offset[some].astype(np.float64, copy=False) if table.offset.size else NO_OFFSETS
            values = function(y[some].astype(np.float64, copy=False), offset)
            total += np.sum(values if weight is None else values * weight)
            weights += values.size if weight is None else np.sum(weight)
        return float(total / weights)


def mean_losses(table, loss, constants):
    """The objectives (targets,) of predicting constants; for a joint loss (1,), of a constant for each class."""
    if loss.joint:
        values, _ = of_classes(loss, constants)
        return np.array([mean_over(table, table.y[0], lambda y, _: values[y.astype(np.int64)])])
    return np.array([mean_loss(table, y, loss, one) for y, one in zip(table.y, constants, strict=True)])


def of_classes(loss, constants):
    """The losses (classes,) and slopes (classes, classes) of a joint loss at constant scores, for a row of each."""
    with np.errstate(all="ignore"):
        return losses.of_rows(loss, np.tile(constants, (len(constants), 1)), np.arange(len(constants)))


def mean_loss(table, y, loss, constant):
    """The objective of predicting one number for the target ``y``."""
    return mean_over(table, y, lambda y, offset: loss.value(constant + offset, y))


def best_constants(table, loss):
    """The best of some constant scores for each target, as the start of a run."""
    return best(table, loss)[0]


def best(table, loss):
    """The best of some constant scores for each target, and their objectives or None where nothing asked for them.

    For a joint loss the candidates are the logarithms of the classes' shares, and zeros.
    """
    if not loss.joint:
        found = [best_constant(table, y, loss) for y in table.y]
        constants, objectives = (np.array(values) for values in zip(*found, strict=True))
        return constants, None if np.isnan(objectives).any() else objectives
    found = np.log(np.maximum(class_shares(table), 1e-6))
    candidates = [(mean_losses(table, loss, constants), constants) for constants in (found - found.mean(), 0.0 * found)]
    objective, constants = min(candidates, key=lambda one: one[0][0])
    return constants, objective


def class_shares(table):
    """The share (classes,) of each class in the weights of the rows."""
    return np.array([mean_over(table, table.y[0], lambda y, _, k=k: y == k) for k in range(len(table.classes))])


def best_constant(table, y, loss):
    """The best of some constant scores, as the start of a run, and its objective; NaN if it was not needed.

    The candidates for two classes are the log odds and each class's margin; otherwise the target's mean and about its
    median, or their logarithms with a log link. The mean offset is subtracted from them; with a log link that of its
    exponential, and the mean ratio of target and exponential is another candidate.
    """
    mean = mean_over(table, y, lambda y, _: y)
    if loss.squared and np.isfinite(mean):
        return mean, np.nan
    if loss.labels:
        # A first chunk may hold one class only: the odds are unknown then.
        share = min(max(mean, 1e-6), 1 - 1e-6) if 0 < mean < 1 else 0.5
        # The perceptron's loss is least where all scores are zero, and no step leads away from there.
        found = [-1.0, 1.0, *([np.log(share / (1 - share))] if loss.smooth else [])]
        found = np.array(found) - (mean_over(table, y, lambda y, offset: offset) if table.offset.size else 0.0)
    else:
        found = [mean, median(y, table.weight)]
        if loss.link != "identity":
            with np.errstate(all="ignore"):
                found = np.log(found)
                if table.offset.size:
                    # That of "poisson", and that of "gamma", for which the other may have a loss of 3e18, not 28.
                    ratio = mean_over(table, y, lambda y, offset: y * np.exp(-offset))
                    found = [*(found - log_mean_exp_offset(table, y)), np.log(ratio)]
    found = [float(constant) for constant in found if np.isfinite(constant)] or [0.0]
    objective, constant = min(((mean_loss(table, y, loss, one), one) for one in found), key=lambda pair: pair[0])
    return constant, objective


def median(y, weight):
    """The median of targets (n,), from a sample of many; weighted, if there are weights."""
    return middle(*some_that_count(y, weight))


def some_that_count(y, weight):
    """Some of the targets (..., n) whose rows have weight, and their weights; of all rows, if none has any."""
    known = np.flatnonzero(weight)
    if not known.size:
        return y[..., :: -(-y.shape[-1] // MEDIAN)], weight[:0]
    known = known[:: -(-known.size // MEDIAN)]
    return y[..., known], weight[known]


def middle(values, weight):
    """The median of values (n,), weighted if there are weights: as if each row were repeated as often."""
    if not weight.size:
        return float(np.median(values))
    order = np.argsort(values, kind="stable")
    shares = np.cumsum(weight[order], dtype=np.float64)
    # Weights have been divided by their mean: half of their sum is met but for rounding.
    slack = 256 * np.finfo(weight.dtype).eps
    both = np.searchsorted(shares, 0.5 * shares[-1] * np.array([1.0 - slack, 1.0 + slack]))
    return float(np.mean(values[order[np.minimum(both, values.size - 1)]]))


def log_mean_exp_offset(table, y):
    """The logarithm of the mean of ``exp(offset)``, also where that under- or overflows."""
    found = np.log(mean_over(table, y, lambda y, offset: np.exp(offset)))
    if np.isfinite(found):
        return found
    largest = float((table.offset[table.weight > 0] if table.weight.size else table.offset).max())
    return largest + np.log(mean_over(table, y, lambda y, offset: np.exp(offset - largest)))


def curvature_of(loss, table, y, constant, size):
    """The bound of the loss's second derivative; if there is none, its mean at the start of the run.

    For a loss with jumps in its slope it is a difference over ``size``, the distance of the targets.
    """
    if np.isfinite(loss.curvature):
        return loss.curvature
    if loss.joint:
        return joint_curvature(loss, table)
    h = 1e-3 if loss.smooth else size
    above, below = np.full(1, constant + h), np.full(1, constant - h)
    found = mean_over(table, y, lambda y, o: (loss.slope(above + o, y) - loss.slope(below + o, y)) / (2 * h))
    return found if np.isfinite(found) and found > 0 else 1.0


def joint_curvature(loss, table, h=1e-3):
    """The largest eigenvalue of the mean second derivatives of a joint loss at the best constant scores."""
    constants, shares = best_constants(table, loss), class_shares(table)
    with np.errstate(all="ignore"):
        rows = [
            (of_classes(loss, constants + step)[1] - of_classes(loss, constants - step)[1]) / (2 * h)
            for step in h * np.eye(len(constants))
        ]
        found = np.einsum("jck,c->jk", np.array(rows), shares)
    return float(np.linalg.norm(found, 2)) or 1.0 if np.isfinite(found).all() else 1.0


def mean_squares(table, constants):
    """The mean squares (targets,) of each target less its constant."""
    pairs = zip(table.y, constants, strict=True)
    return np.array([mean_over(table, y, lambda y, _, one=one: np.square(y - one)) for y, one in pairs])


def root_mean_squares(squares, dtype):
    """The roots of mean squares (targets,), or 1 where one is not positive."""
    found = np.sqrt(np.where((squares > 0) & (squares < np.inf), squares, 1.0))
    if (found**2 > float(np.finfo(dtype).max) / 1e6).any():
        raise ValueError(f"y has values whose squares overflow {dtype}: divide y, or pass X as float64.")
    return found
