"""What "auto" becomes: every choice that is made on the data, with its reason in words."""

from dataclasses import dataclass, replace

import numpy as np

from ..inputs import arrays, custom_parts
from ..kernels.layouts import frozen
from ..kernels.notice import notice
from ..parts import penalties
from ..solvers.data_statistics import DataStatistics
from ..solvers.plan import Model
from ..solvers.problem import Problem, given_steps
from ..solvers.stream_rates import stream_rates

NO_FACTORS = {size: frozen(np.empty(0, f"f{size}")) for size in (4, 8)}

LISTED = 20  # columns that a sentence names


@dataclass(frozen=True)
class Choice(Problem):
    """A problem and what was chosen for it, with the words for the user."""

    solver: type
    model: Model
    scaling: object
    scaled: bool
    standardize: object
    factors: np.ndarray  # of the penalty, as ``Data`` has them
    epochs: int
    tol: float | None
    words: dict
    moments: object  # of the rows of a stream so far, or None


class Choices:
    """The choices of fits by a backend: those with the same table share it, and what is measured on it.

    Tables are the same if their arrays lie at the same place in memory. ``single``: no folds are fitted in the same
    passes; ``shared``: there is more than one fit.
    """

    def __init__(self, backend, single=True, shared=True):
        self.backend, self.single, self.shared, self.known = backend, single, shared, {}

    def once(self, key, answer):
        """The value under the key that ``key()`` is, computed the first time only."""
        if not self.shared:  # keys took 4 % of a fit of 100 rows
            return answer()
        name = key()
        if name not in self.known:
            self.known[name] = answer()
        return self.known[name]

    def rows(self, X, canonical=arrays.matrix):
        """``X`` as a ``Matrix``, checked and made canonical once."""
        return self.once(lambda: place(X), lambda: canonical(X))

    def of(self, X, y, options, start, given=None, **coding):
        """The choice for options and data; ``given`` are the options that the user named."""
        options = start.agree(options, given or {})
        notice.begin(options.verbose >= 0)
        if isinstance(options.validation, tuple) and (options.offset is None) != (len(options.validation) < 4):
            raise ValueError(
                "offset and the offset of validation go together: pass validation=(X, y, sample_weight, offset) with "
                "offset, sample_weight being None for none."
            )
        loss, weight, offset = options.loss, options.sample_weight, options.offset
        if offset is not None and loss.joint:
            raise ValueError(
                "offset is for losses of one score: a number that is added to the scores of all classes alike says "
                "nothing of a class. Leave it out."
            )

        def key():
            coded = str([np.array(value).tolist() for value in coding.values()])
            kind = loss.labels, loss.joint, loss.residual_only, tuple(loss.domain.items()), coded
            return *map(place, (X, y, weight, offset)), *kind

        def key_of_statistics():
            # Rows are held out by the seed; all other statistics are kept with what they depend on.
            held = None if options.validation is None else options.random_state
            return key(), held, options.fit_intercept, options.n_threads

        table = self.once(key, lambda: arrays.table(self.rows(X), y, weight, loss, given_offset=offset, **coding))
        statistics = self.once(
            key_of_statistics,
            lambda: DataStatistics(start.same_columns(table), options, self.backend, start.chunked),
        )
        return choose(options, statistics, start, self.backend, self.single)


def place(array):
    """Where an array lies in memory: the same for each view of the same numbers."""
    if not isinstance(array, np.ndarray):
        return id(array)
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str


def problem_of(options, statistics, start, backend, single, words):
    """The problem of options and a table."""
    table = statistics.table
    if backend.compiles:
        custom_parts.compile_custom_part("loss", options.loss, table.X.dtype)
        custom_parts.compile_custom_part("optimizer", options.optimizer, table.X.dtype)
    if options.lazy and not table.X.sparse:
        raise ValueError("lazy=True is for sparse X, whose rows hold numbers in some of the columns: leave it out.")
    batch = start.batch(options, statistics.n, words)
    bounds = arrays.box(options.bounds, table.X.shape[1])
    penalty_factor = arrays.penalty_factors(options.penalty_factor, table.X.shape[1], table.names)
    full = start.is_full(options, batch, statistics.n)
    return Problem(options, statistics, start, bounds, penalty_factor, batch, full, single, backend)


def choose(options, statistics, start, backend, single):
    """Resolve every "auto": on the data, or as the resumed run did."""
    words = start.words()
    if statistics.table.note:
        words["X"] = statistics.table.note
    problem = problem_of(options, statistics, start, backend, single, words)
    solver = solver_of(problem, words)
    scaling, scaled, standardize = chosen_scaling(problem, solver, words)
    factors = factors_of(problem, scaling, scaled and not standardize)
    penalty, low, high = penalty_and_bounds(problem, scaling, factors)
    targets = start.targets(problem, scaling)
    statistics.targets(problem.table, options.loss, targets.centre)  # raises for targets outside of the loss's domain
    if not np.isfinite(targets.constant_loss).all():
        raise loss_overflow(options, problem.table.y)
    epochs, tol = limits_of(problem, solver, words)
    # The penalty of zero weights is zero; other weights need a pass.
    known = start.chunked or (targets.coef is None and not ((low > 0).any() or (high < 0).any()))
    many = len(problem.table.y)
    rms = statistics.residual_rms(options.loss, targets.constants) if problem.automatic else np.ones(many)
    model = Model(
        loss=options.loss,
        optimizer=solver.optimizer(problem, targets, words),
        penalty=penalty,
        schedule=None,
        rate_multiplier=np.ones(len(targets.start)),
        low=low,
        high=high,
        centre=targets.centre,
        start=targets.start,
        start_loss=targets.start_loss if known else np.full(len(targets.start_loss), np.inf),
        constant_loss=targets.constant_loss,
        residual_rms=rms,
        coef=targets.coef,
    )
    moments, limit = start.moments(problem, scaling, scaled), None
    if start.chunked and problem.automatic:
        weights = start.weights(targets, scaling)
        schedule, multiplier, limit, moments = stream_rates(problem, model, moments, scaling, weights, words)
    else:
        schedule, multiplier = solver.schedule(problem, model, targets, (scaling, scaled), epochs, words)
    model = replace(model, schedule=schedule, rate_multiplier=multiplier, row_limit=limit)
    chosen = solver, model, scaling, scaled, standardize, factors, start.epochs(epochs), tol, words, moments
    return Choice(*vars(problem).values(), *chosen)


def loss_overflow(options, y):
    """The error for a loss that is not finite even at the best constant."""
    loss, offset = options.loss, options.offset
    if offset is not None:
        sizes = f"offset has entries as large as {np.abs(np.asarray(offset, np.float64)).max():.4g}"
        remedy = "pass the logarithm of the exposure" if loss.link == "log" else "pass y and offset in a larger unit"
        return ValueError(f"The loss overflows: {sizes}, and it is added to the scores: {remedy}.")
    remedy = "divide y by it"
    if custom_parts.is_custom(loss):
        label = custom_parts.label_of("loss", loss)
        remedy += f", or write value of {label} so that it does not overflow (np.logaddexp in place of a log of exp)"
    return ValueError(f"The loss overflows: the largest size of a value of y is {np.abs(y).max():.4g}: {remedy}.")


def solver_of(problem, words):
    """The first solver of the backend that suits; in words what it does and why the better ones do not suit."""
    given, newton = given_steps(problem.options), problem.options.optimizer == "newton"
    if given and newton:
        raise ValueError(
            f'optimizer="newton" finds the lengths of its steps by itself, but {given}: leave that out, or pass '
            "another optimizer."
        )
    reasons = [given] if given else []
    for solver in problem.backend.solvers:
        if (given and not solver.takes_steps) or (newton and not solver.newton):
            continue
        reason = solver.suits(problem)
        if reason is None:
            break
        reasons.append(f"{solver.name} does not suit ({reason})")
    else:
        raise ValueError(
            f'optimizer="newton" is not possible here: {"; ".join(reasons)}. Leave optimizer out, and another method '
            "is chosen."
        )
    said = "; ".join([solver.summary, *reasons] if solver.summary else reasons)
    words["solver"] = f"{solver.name}: {said}" if said else solver.name
    return solver


def chosen_scaling(problem, solver, words):
    """The scaling of the columns, whether there is one, and whether the penalty acts on the scaled coefficients.

    The one rule of where it acts, whatever the width, the optimizer and the batch. Sparse columns may be scaled for the
    steps' sake alone: without a penalty that changes no optimum, else ``factors_of`` make it act on the columns as they
    are.
    """
    options, table, past = problem.options, problem.table, problem.start.past
    if past is not None:
        return *problem.start.scaling_and_whether(problem), past.resolved["standardize"]
    standardize = options.standardize
    if standardize == "auto":
        standardize = problem.automatic and not table.X.sparse
    inner = problem.automatic and options.standardize == "auto" and table.X.sparse
    scaled = standardize or (inner and (options.alpha == 0 or solver.wants_scale(problem)))
    scaling = problem.start.scaling(problem.statistics, scaled)
    if scaled and not scaling.inverse_scale.all():
        words["constant_columns"] = listed(np.flatnonzero(scaling.inverse_scale == 0), problem, "do not vary")
    if options.standardize == "auto":
        reason = "columns are scaled as they are read"
        if not standardize:
            reason = "a given learning_rate acts on the raw columns"
            reason = "the penalty acts on sparse columns as they are" if problem.automatic else reason
        words["standardize"] = f"{standardize}: {reason}"
    return scaling, scaled, standardize


def factors_of(problem, scaling, inner):
    """What L1 and L2 of each scaled coefficient are multiplied by, as ``Data`` has it.

    ``inner``: whether columns are scaled for the steps' sake alone. With a column's scale s a coefficient is s times
    the scaled one: L1 of it is s times that, and L2 its square.
    """
    given, dtype = problem.penalty_factor, scaling.shift.dtype
    if given is None and not inner:
        return NO_FACTORS[dtype.itemsize]
    largest = np.sqrt(float(np.finfo(dtype).max))
    if given is not None and given.max() > largest:
        raise ValueError(f"penalty_factor={given.max():g} is too large for {dtype}: at most {largest:.0e} is possible.")
    found = np.ones((problem.d, 2)) if given is None else np.repeat(given[:, None], 2, axis=1)
    if inner:
        scale = scaling.inverse_scale.astype(np.float64)
        found *= np.column_stack([scale, scale * scale])
    return frozen(np.minimum(found, largest).astype(dtype).reshape(-1))


def listed(columns, problem, fault):
    """The sentence on columns that get no coefficient: how many, of how many, why, and which."""
    names, shown = problem.table.names, columns[:LISTED].tolist()
    labels = ", ".join(repr(names[j]) if names else str(j) for j in shown) + (", ..." if len(columns) > LISTED else "")
    return f"{len(columns)} of {problem.d} {fault} ({labels}); their coefficient is 0"


def penalty_and_bounds(problem, scaling, factors):
    """The penalty, and the bounds (d,) of the scaled coefficients."""
    options, bounds = problem.options, problem.bounds
    free = [np.broadcast_to(side, problem.d) for side in (-np.inf, np.inf)]  # no memory for millions of columns
    if options.alpha == 0 and bounds is None:
        return penalties.Free(), *free
    largest = float(np.finfo(scaling.shift.dtype).max)
    if options.alpha > largest:
        raise ValueError(f"alpha={options.alpha:g} overflows {scaling.shift.dtype}: pass X as float64.")
    kind = penalties.FactoredNet if factors.size else penalties.ElasticNet
    penalty = kind(options.alpha * options.l1_ratio, options.alpha * (1 - options.l1_ratio))
    if bounds is None:
        return penalty, *free
    low, high = map(scaling.to_scaled, bounds)
    for side in (low, high):
        if np.any(np.isfinite(side) & (np.abs(side) > largest)):
            raise ValueError(f"bounds overflow {scaling.shift.dtype}: pass X as float64, or None for no bound.")
    return penalty, low, high


def limits_of(problem, solver, words):
    """The largest number of epochs, and the tolerance."""
    options, usual = problem.options, solver.limits(problem)
    epochs, tol = options.epochs, options.tol
    if tol == "auto":
        tol = usual.tol if epochs == "auto" and options.max_steps is None else None
        words["tol"] = "off, as epochs or max_steps is given" if tol is None else f"{tol:g}"
    if epochs == "auto":
        epochs = usual.epochs
        if options.max_steps is not None:
            epochs = max(epochs, -(-options.max_steps * problem.batch // problem.n) + 1)
        words["epochs"] = f"at most {epochs}"
    return epochs, tol
